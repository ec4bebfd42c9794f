/* SPDX-License-Identifier: Apache-2.0 */
/* What a command reads: a file or stdin. Each wait ends with the command's deadline, or a signal. */
#ifndef TN_CLI_INPUT_H
#define TN_CLI_INPUT_H

#include "cli/cli.h"

enum { TN_CLI_INPUT_ROOM = 64 << 10 };

typedef struct tn_cli_input {
  tenon_ctx *ctx;              /* NULL: it is never waited for */
  const char *name;            /* borrowed; for messages */
  int fd;                      /* stdin is not ours to close */
  char *buffer;                /* what was read and not taken, of lines */
  size_t at, end;
} tn_cli_input;

/* path "-": stdin. A folder is refused. */
tenon_status tn_cli_input_open(const tn_cli *, const char *path, tn_cli_input *ret,
                               tenon_error *err);
void tn_cli_input_close(tn_cli_input *);

/* *ret_size is 0 at the end. */
tenon_status tn_cli_input_read(tn_cli_input *, void *to, size_t room, size_t *ret_size,
                               tenon_error *err);
/* Appends all of it; more than the string's maximum is LIMITED. */
tenon_status tn_cli_input_all(tn_cli_input *, tn_str *to, tenon_error *err);
/* The next line in place of what is in `to`, without its end; *ret_there is false behind the last.
 * One that is longer than the string's maximum is LIMITED. */
tenon_status tn_cli_input_line(tn_cli_input *, tn_str *to, bool *ret_there, tenon_error *err);
#endif
