/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for a collection of vectors out of lines of JSON. */
#ifndef TN_CLI_VECTOR_LINES_H
#define TN_CLI_VECTOR_LINES_H

#include "cli/cli.h"

/* Is that a file of such lines, by its name? "-" is: standard input; and so are pipes. */
bool tn_cli_is_lines(const char *path);

/* Lines such as {"id":"a","vector":[0.1,0.2],"document":"…","metadata":{"year":2024}}, blank ones
 * left out, as rows (id, vector, document, metadata): an id may be an integer, metadata a text. A
 * line that is none is DATA with its number. Without vectors the lines have none, nor the rows. */
tenon_status tn_cli_vector_lines(const tn_cli *, const char *path, bool with_vectors,
                                 struct ArrowArrayStream *ret, tenon_error *err);

#endif
