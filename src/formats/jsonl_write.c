/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON lines out of batches: one object a line, all columns in it, as arrow/print.h says. Integers
 * and decimals are numbers with all their digits, however many; NaN and infinities are strings;
 * binary is a string \x68690a; lists, structs and maps are arrays and objects.
 */
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "formats/text_out.h"

typedef struct jsonl_writer {
  tn_text_out out;
  tn_str keys;             /* {"a":  ,"b":  … one behind the other */
  size_t *key_ends;
} jsonl_writer;

static tenon_status put_row(jsonl_writer *w, const struct ArrowArray *batch, int64_t row,
                            tenon_error *err) {
  tn_str *text = &w->out.text;
  for (int64_t c = 0; c < w->out.column_count; c++) {
    size_t begin = c > 0 ? w->key_ends[c - 1] : 0;
    tn_str_add(text, w->keys.data + begin, w->key_ends[c] - begin);
    tenon_status status =
        tn_print_json(w->out.printers[c], batch->children[c], batch->offset + row, text, err);
    if (status) return tn_text_out_fail(&w->out, c, status, err);
  }
  if (!tn_str_add(text, "}\n", 2))
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "leave columns out",
                      "row %lld is longer than %d bytes as text", (long long)w->out.rows + 1,
                      TN_LONGEST_ROW);
  return tn_text_out_row(&w->out, err);
}

static tenon_status jsonl_write(void *self, struct ArrowArray *batch, tenon_error *err) {
  jsonl_writer *w = self;
  tenon_status status = tn_text_out_check(&w->out, batch, err);
  for (int64_t row = 0; !status && row < batch->length; row++) status = put_row(w, batch, row, err);
  tn_array_release(batch);
  return status;
}

static tenon_status jsonl_finish(void *self, int64_t *ret_bytes, tenon_error *err) {
  jsonl_writer *w = self;
  tenon_status status = tn_text_out_flush(&w->out, err);
  if (!status && ret_bytes) *ret_bytes = w->out.sink.bytes;
  return status;
}

static void jsonl_free(void *self) {
  jsonl_writer *w = self;
  if (!w) return;
  tn_text_out_release(&w->out);
  tn_str_release(&w->keys);
  tn_free(w->key_ends);
  tn_free(w);
}

static int compare_names(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static tenon_status refuse_equal_names(const tn_text_out *o, tenon_error *err) {
  char **sorted = tn_alloc_array((size_t)o->column_count, sizeof *sorted);
  if (!sorted) return tn_no_memory(err);
  memcpy(sorted, o->names, (size_t)o->column_count * sizeof *sorted);
  qsort(sorted, (size_t)o->column_count, sizeof *sorted, compare_names);
  int64_t c = 1;
  while (c < o->column_count && strcmp(sorted[c - 1], sorted[c]) != 0) c++;
  tenon_status status = TENON_OK;
  if (c < o->column_count)
    status = tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE,
                        "give one of them another name, or choose columns",
                        "two columns are called %.200s, which an object cannot have", sorted[c]);
  tn_free(sorted);
  return status;
}

static tenon_status make_keys(jsonl_writer *w, tenon_error *err) {
  tenon_status status = refuse_equal_names(&w->out, err);
  if (status) return status;
  w->key_ends = tn_alloc_array((size_t)w->out.column_count, sizeof *w->key_ends);
  if (!w->key_ends) return tn_no_memory(err);
  tn_str_init(&w->keys, TN_LONGEST_ROW);
  for (int64_t c = 0; c < w->out.column_count; c++) {
    const char *name = w->out.names[c];
    tn_str_putc(&w->keys, c > 0 ? ',' : '{');
    if ((status = tn_print_json_string(name, strlen(name), &w->keys, err))) return status;
    if (!tn_str_putc(&w->keys, ':')) return tn_no_memory(err);
    w->key_ends[c] = w->keys.size;
  }
  return TENON_OK;
}

static tenon_status jsonl_writer_new(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema,
                                     const tn_format_options *options, tn_writer *ret,
                                     tenon_error *err) {
  (void)options;
  jsonl_writer *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  tenon_status status = tn_text_out_init(&w->out, ctx, fd, schema, err);
  if (!status) status = make_keys(w, err);
  if (status) {
    jsonl_free(w);
    return status;
  }
  *ret = (tn_writer){.self = w, .write = jsonl_write, .finish = jsonl_finish, .free = jsonl_free};
  return TENON_OK;
}

static const char *const extensions[] = {".jsonl", ".ndjson", NULL};

const tn_format tn_format_jsonl = {.name = "jsonl",
                                   .extensions = extensions,
                                   .writer = jsonl_writer_new};
