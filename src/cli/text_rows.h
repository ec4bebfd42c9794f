/* SPDX-License-Identifier: Apache-2.0 */
/* Texts of the command line, or lines of stdin, as rows of one column. */
#ifndef TN_CLI_TEXT_ROWS_H
#define TN_CLI_TEXT_ROWS_H

#include "cli/cli.h"

/* Rows (text): first and more; where both are nothing, or first is "-", the lines of stdin, of which
 * none may be blank. Texts are borrowed while the stream is open. */
tenon_status tn_cli_text_rows(tn_cli *, const char *first, const tn_cli_again *more,
                              struct ArrowArrayStream *ret, tenon_error *err);

#endif
