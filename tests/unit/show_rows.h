/* SPDX-License-Identifier: Apache-2.0 */
/* What a stream holds, as text to compare with. */
#ifndef TESTS_SHOW_ROWS_H
#define TESTS_SHOW_ROWS_H

#include "tenon/provider.h"

/* All rows of a stream as text, one a line, "a|b"; NULL is ~, blobs are hexadecimal. The stream is
 * closed. Every batch is checked against its schema. On failure the rows until then are there. */
tenon_status show_rows(tenon_stream *, char *text, size_t room, tenon_error *err);
/* "id:l! name:u": names, formats, ! where not nullable. */
void show_schema(const struct ArrowSchema *, char *text, size_t room);

#endif
