/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/rows.h"

#include <string.h>

#include "arrow/build.h"
#include "base/error.h"

static const size_t longest_value = (size_t)1
                                    << 32; /* Arrow's are shorter; escapes make them longer */

static tenon_status make_printers(tn_cli_rows *r, tenon_error *err) {
  size_t count = tn_cli_rows_columns(r);
  r->printers = tn_alloc_array(count ? count : 1, sizeof *r->printers);
  if (!r->printers) return tn_no_memory(err);
  for (size_t i = 0; i < count; i++) {
    tenon_status status = tn_printer_new(r->schema.children[i], &r->printers[i], err);
    if (status) return status;
  }
  return TENON_OK;
}

tenon_status tn_cli_rows_init(tn_cli_rows *ret, struct ArrowArrayStream *stream, tenon_error *err) {
  tn_cli_rows r = {.stream = *stream};
  stream->release = NULL;
  tn_str_init(&r.value, longest_value);
  int code = r.stream.get_schema(&r.stream, &r.schema);
  tenon_status status = code ? tenon_stream_error(&r.stream, code, err) : make_printers(&r, err);
  if (status) tn_cli_rows_release(&r);
  else *ret = r;
  return status;
}

void tn_cli_rows_release(tn_cli_rows *r) {
  for (size_t i = 0; r->printers && i < tn_cli_rows_columns(r); i++)
    tn_printer_free(r->printers[i]);
  tn_free(r->printers);
  if (r->as_text) tn_printer_free(r->as_text);
  tn_array_release(&r->batch);
  tn_schema_release(&r->schema);
  if (r->stream.release) r->stream.release(&r->stream);
  tn_str_release(&r->value);
  *r = (tn_cli_rows){0};
}

tenon_status tn_cli_rows_as_text(tn_cli_rows *r, const char *column, tenon_error *err) {
  const struct ArrowSchema text = {.format = "u", .name = column, .flags = ARROW_FLAG_NULLABLE};
  for (size_t i = 0; i < tn_cli_rows_columns(r); i++) {
    if (strcmp(tn_cli_rows_name(r, i), column) != 0 || strcmp(r->schema.children[i]->format, "z") != 0) continue;
    r->text_column = i;
    return tn_printer_new(&text, &r->as_text, err);
  }
  return TENON_OK;
}

size_t tn_cli_rows_columns(const tn_cli_rows *r) { return (size_t)r->schema.n_children; }

const char *tn_cli_rows_name(const tn_cli_rows *r, size_t column) {
  const char *name = r->schema.children[column]->name;
  return name ? name : "";
}

static tenon_status next_batch(tn_cli_rows *r, bool *ret_there, tenon_error *err) {
  struct ArrowArray batch = {0};
  tn_array_release(&r->batch);
  int code = r->stream.get_next(&r->stream, &batch);
  if (code) return tenon_stream_error(&r->stream, code, err);
  *ret_there = batch.release != NULL;
  r->batch = batch;
  r->row = -1;
  return TENON_OK;
}

tenon_status tn_cli_rows_next(tn_cli_rows *r, bool *ret_there, tenon_error *err) {
  bool there = r->batch.release != NULL;
  if (there) r->row++;
  while (!there || r->row >= r->batch.length) {
    tenon_status status = next_batch(r, &there, err);
    if (status) return status;
    if (!there) break;
    r->row = 0;
  }
  r->seen += there;
  *ret_there = there;
  return TENON_OK;
}

tenon_status tn_cli_rows_skip_all(tn_cli_rows *r, tenon_error *err) {
  bool there = r->batch.release != NULL;
  if (there) r->seen += r->batch.length - 1 - r->row;
  do {
    tenon_status status = next_batch(r, &there, err);
    if (status) return status;
    if (there) r->seen += r->batch.length;
  } while (there);
  return TENON_OK;
}

/* The struct's own offset counts too: its children begin there. */
static const struct ArrowArray *child_of(const tn_cli_rows *r, size_t column) {
  return r->batch.children[column];
}
static int64_t index_of(const tn_cli_rows *r) { return r->batch.offset + r->row; }

static bool is_text(const struct ArrowArray *bytes, int64_t i) {
  const int32_t *offsets = bytes->buffers[1];
  int32_t from = offsets[bytes->offset + i], to = offsets[bytes->offset + i + 1];
  return tn_utf8_valid((const char *)bytes->buffers[2] + from, (size_t)(to - from), NULL);
}

static tn_printer *printer_of(const tn_cli_rows *r, size_t column) {
  bool text = r->as_text && column == r->text_column && is_text(child_of(r, column), index_of(r));
  return text ? r->as_text : r->printers[column];
}

tenon_status tn_cli_rows_text(tn_cli_rows *r, size_t column, const char **ret_data,
                              size_t *ret_size, tenon_error *err) {
  const struct ArrowArray *values = child_of(r, column);
  bool null = tn_is_null(values, index_of(r));
  tn_str_clear(&r->value);
  if (!null) {
    tenon_status status = tn_print_text(printer_of(r, column), values, index_of(r), &r->value, err);
    if (status) return status;
  }
  *ret_data = null ? NULL : tn_str_text(&r->value);
  *ret_size = r->value.size;
  return TENON_OK;
}

tenon_status tn_cli_rows_cell(tn_cli_rows *r, size_t column, tn_cli_table *table,
                              tenon_error *err) {
  const char *data;
  size_t size;
  tenon_status status = tn_cli_rows_text(r, column, &data, &size, err);
  return status ? status : tn_cli_table_cell(table, data, size, TN_CELL_PLAIN, err);
}

tenon_status tn_cli_rows_json(tn_cli_rows *r, size_t column, const char *key, tn_document *j,
                              tenon_error *err) {
  tn_str_clear(&r->value);
  tenon_status status =
      tn_print_json(printer_of(r, column), child_of(r, column), index_of(r), &r->value, err);
  if (!status) tn_document_raw(j, key, tn_str_text(&r->value));
  return status;
}
