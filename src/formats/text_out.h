/* SPDX-License-Identifier: Apache-2.0 */
/* What the writers of rows as text share: printers of the columns, a buffer, its way to the file.
 * */
#ifndef TN_FORMATS_TEXT_OUT_H
#define TN_FORMATS_TEXT_OUT_H

#include "arrow/print.h"
#include "base/str.h"
#include "formats/format.h"
#include "formats/sink.h"

enum { TN_LONGEST_ROW = 256 << 20 };   /* bytes of text */

typedef struct tn_text_out {
  tn_sink sink;
  tn_str text;              /* rows that are not in the file yet */
  int64_t column_count;
  tn_printer **printers;
  char **names;
  int64_t rows;             /* for messages */
} tn_text_out;

/* UNSUPPORTED where a column has no text, or there is no column. */
tenon_status tn_text_out_init(tn_text_out *ret, tenon_ctx *ctx, int fd, const struct ArrowSchema *,
                              tenon_error *err);
void tn_text_out_release(tn_text_out *);
/* Is the batch of the schema's shape? */
tenon_status tn_text_out_check(const tn_text_out *, const struct ArrowArray *, tenon_error *err);
/* Between two rows: what has gathered goes to the file, if it is much. */
tenon_status tn_text_out_row(tn_text_out *, tenon_error *err);
tenon_status tn_text_out_flush(tn_text_out *, tenon_error *err);
/* Gives a failure its row and column. Answers its code. */
tenon_status tn_text_out_fail(const tn_text_out *, int64_t column, tenon_status, tenon_error *err);

#endif
