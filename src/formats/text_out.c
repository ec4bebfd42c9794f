/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/text_out.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

enum { MUCH = 128 << 10 };

static tenon_status take_column(tn_text_out *o, const struct ArrowSchema *s, int64_t i,
                                tenon_error *err) {
  o->names[i] = tn_strdup(s->name ? s->name : "");
  return o->names[i] ? tn_printer_new(s, &o->printers[i], err) : tn_no_memory(err);
}

tenon_status tn_text_out_init(tn_text_out *ret, tenon_ctx *ctx, int fd,
                              const struct ArrowSchema *schema, tenon_error *err) {
  tn_text_out o = {0};
  if (schema->n_children == 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE, "choose a column, at least",
                      "rows without columns cannot be written as text");
  tenon_status status = tn_sink_init(&o.sink, ctx, fd, err);
  if (status) return status;
  tn_str_init(&o.text, TN_LONGEST_ROW + MUCH);
  o.column_count = schema->n_children;
  o.printers = tn_alloc_array((size_t)o.column_count, sizeof *o.printers);
  o.names = tn_alloc_array((size_t)o.column_count, sizeof *o.names);
  if (!o.printers || !o.names) status = tn_no_memory(err);
  for (int64_t i = 0; !status && i < o.column_count; i++)
    status = take_column(&o, schema->children[i], i, err);
  if (status) tn_text_out_release(&o);
  else *ret = o;
  return status;
}

void tn_text_out_release(tn_text_out *o) {
  for (int64_t i = 0; i < o->column_count; i++) {
    if (o->printers) tn_printer_free(o->printers[i]);
    if (o->names) tn_free(o->names[i]);
  }
  tn_free(o->printers);
  tn_free(o->names);
  tn_str_release(&o->text);
  tn_sink_release(&o->sink);
  *o = (tn_text_out){0};
}

tenon_status tn_text_out_check(const tn_text_out *o, const struct ArrowArray *batch,
                               tenon_error *err) {
  if (batch->n_children == o->column_count) return TENON_OK;
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_WRITE, "report this as a fault of Tenon",
                    "a batch has %lld columns where its schema has %lld",
                    (long long)batch->n_children, (long long)o->column_count);
}

tenon_status tn_text_out_flush(tn_text_out *o, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (o->text.size) status = tn_sink_put(&o->sink, o->text.data, o->text.size, err);
  if (!status) status = tn_sink_flush(&o->sink, err);
  tn_str_clear(&o->text);
  return status;
}

tenon_status tn_text_out_row(tn_text_out *o, tenon_error *err) {
  o->rows++;
  return o->text.size < MUCH ? TENON_OK : tn_text_out_flush(o, err);
}

tenon_status tn_text_out_fail(const tn_text_out *o, int64_t column, tenon_status status,
                              tenon_error *err) {
  if (column >= 0)
    tn_error_prefix(err, "row %lld, column %.100s: ", (long long)o->rows + 1, o->names[column]);
  return status;
}
