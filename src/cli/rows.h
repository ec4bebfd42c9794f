/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of an Arrow stream, one after the other, as text or JSON. */
#ifndef TN_CLI_ROWS_H
#define TN_CLI_ROWS_H

#include "arrow/print.h"
#include "cli/cli.h"
#include "cli/table.h"

typedef struct tn_cli_rows {
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  tn_printer **printers;
  tn_printer *as_text;      /* of one binary column, where its bytes are UTF-8; NULL: of none */
  size_t text_column;
  int64_t row;       /* the present one, within the batch */
  int64_t seen;      /* rows so far, with the present one */
  tn_str value;
} tn_cli_rows;

/* Takes the stream over, also on failure. */
tenon_status tn_cli_rows_init(tn_cli_rows *ret, struct ArrowArrayStream *stream, tenon_error *err);
void tn_cli_rows_release(tn_cli_rows *);
/* A binary column of that name is shown as text wherever it is UTF-8. */
tenon_status tn_cli_rows_as_text(tn_cli_rows *, const char *column, tenon_error *err);
size_t tn_cli_rows_columns(const tn_cli_rows *);
const char *tn_cli_rows_name(const tn_cli_rows *, size_t column);
/* Goes on to the next row; *ret_there is false behind the last. */
tenon_status tn_cli_rows_next(tn_cli_rows *, bool *ret_there, tenon_error *err);
/* Counts what is left, batch by batch, and stands behind the last row then. */
tenon_status tn_cli_rows_skip_all(tn_cli_rows *, tenon_error *err);
/* The present row's value, valid until the next call; NULL: it is NULL. */
tenon_status tn_cli_rows_text(tn_cli_rows *, size_t column, const char **ret_data, size_t *ret_size,
                              tenon_error *err);
/* Adds it to the table, or to the document. */
tenon_status tn_cli_rows_cell(tn_cli_rows *, size_t column, tn_cli_table *, tenon_error *err);
tenon_status tn_cli_rows_json(tn_cli_rows *, size_t column, const char *key, tn_document *,
                              tenon_error *err);

#endif
