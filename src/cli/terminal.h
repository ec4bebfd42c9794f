/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind stdout and stderr. */
#ifndef TN_CLI_TERMINAL_H
#define TN_CLI_TERMINAL_H

#include <stdbool.h>

#include "tenon/base.h"

typedef struct tn_cli_terminal {
  bool out_is_terminal, err_is_terminal;
  bool color_out, color_err;   /* a terminal that is not dumb, and NO_COLOR is not set */
  bool can_redraw;             /* stderr is a terminal that can go back to the start of a line */
  int width;                   /* of the terminal, 80 where there is none */
} tn_cli_terminal;

tn_cli_terminal tn_cli_terminal_look(void);

/* Before anything else is opened: a standard descriptor that was closed becomes one whose use fails, or
 * whatever is opened next (a socket) would get its number, and what is printed. */
void tn_cli_occupy_descriptors(void);

/* Has the reader of stdout gone away (`tenon read … | head`)? */
bool tn_cli_reader_is_gone(void);

/* Why nothing could be written to stdout; ends the process if its reader has gone. */
tenon_status tn_cli_output_failed(tenon_error *err);

/* Ends the process as SIGPIPE would have: quietly. */
void tn_cli_end_quietly(void);

#define TN_BOLD "\033[1m"
#define TN_DIM "\033[2m"
#define TN_RED "\033[31m"
#define TN_GREEN "\033[32m"
#define TN_YELLOW "\033[33m"
#define TN_PLAIN "\033[0m"

#endif
