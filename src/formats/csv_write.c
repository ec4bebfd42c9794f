/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV and TSV out of batches: RFC 4180, with LF at the end of a record. Values are spelled as
 * arrow/print.h says. NULL is the null_text as it is, nothing by default; any other field that
 * reads the same is quoted, so an empty text is "". A field with delimiter, quote, CR or LF is
 * quoted, and a quote within it doubled. What would need quotes where there are none is a DATA
 * error.
 */
#include <ctype.h>
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "formats/csv.h"
#include "formats/text_out.h"

typedef struct csv_writer {
  tn_text_out out;
  char delimiter, quote;       /* quote 0: none */
  char *null_text;
  size_t null_size;
  bool special[256];           /* characters that want quotes around their field */
  bool *never_quoted;          /* one a column: no value of it can want quotes */
} csv_writer;

/* ---- Fields ---- */

static bool wants_quotes(const csv_writer *w, const char *field, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (w->special[(uint8_t)field[i]]) return true;
  return size == w->null_size && memcmp(field, w->null_text, size) == 0;
}

static tenon_status fail_quotes(tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE,
                    "allow quotes (quote=\"), or choose another delimiter or null_text",
                    "the field cannot be told from others without quotes");
}

/* Quotes the text from `begin` on, in place: from its end, since it grows. */
static tenon_status quote_field(csv_writer *w, size_t begin, tenon_error *err) {
  tn_str *text = &w->out.text;
  size_t size = text->size - begin, more = 2;
  if (!w->quote) return fail_quotes(err);
  for (size_t i = begin; i < text->size; i++) more += text->data[i] == w->quote;
  if (!tn_str_reserve(text, more))
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "leave the column out",
                      "a row is longer than %d bytes as text", TN_LONGEST_ROW);
  char *from = text->data + begin + size, *to = text->data + text->size + more;
  text->size += more;
  *to = 0;
  *--to = w->quote;
  while (from > text->data + begin) {
    *--to = *--from;
    if (*from == w->quote) *--to = w->quote;
  }
  *--to = w->quote;
  return TENON_OK;
}

static void put_character(tn_str *text, char c) {
  if (text->size + 1 < text->capacity) text->data[text->size++] = c;
  else tn_str_putc(text, c);
}

static tenon_status put_field(csv_writer *w, const struct ArrowArray *column, int64_t c,
                              int64_t row, tenon_error *err) {
  tn_str *text = &w->out.text;
  if (tn_is_null(column, row)) {
    tn_str_add(text, w->null_text, w->null_size);
    return TENON_OK;
  }
  size_t begin = text->size;
  tenon_status status = tn_print_text(w->out.printers[c], column, row, text, err);
  if (!status && !w->never_quoted[c] &&
      wants_quotes(w, text->data ? text->data + begin : "", text->size - begin))
    status = quote_field(w, begin, err);
  return status;
}

/* ---- Rows ---- */

static tenon_status end_row(csv_writer *w, tenon_error *err) {
  put_character(&w->out.text, '\n');
  if (w->out.text.failed)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "leave columns out",
                      "row %lld is longer than %d bytes as text", (long long)w->out.rows + 1,
                      TN_LONGEST_ROW);
  return tn_text_out_row(&w->out, err);
}

static tenon_status put_row(csv_writer *w, const struct ArrowArray *batch, int64_t row,
                            tenon_error *err) {
  for (int64_t c = 0; c < w->out.column_count; c++) {
    if (c > 0) put_character(&w->out.text, w->delimiter);
    tenon_status status = put_field(w, batch->children[c], c, batch->offset + row, err);
    if (status) return tn_text_out_fail(&w->out, c, status, err);
  }
  return end_row(w, err);
}

/* A byte order mark at the beginning of the file would be taken for no part of the text. */
static bool begins_like_a_mark(const csv_writer *w, size_t begin) {
  const tn_str *text = &w->out.text;
  return begin == 0 && text->size >= 3 && memcmp(text->data, "\xEF\xBB\xBF", 3) == 0;
}

static tenon_status put_header(csv_writer *w, tenon_error *err) {
  tn_str *text = &w->out.text;
  for (int64_t c = 0; c < w->out.column_count; c++) {
    if (c > 0) tn_str_putc(text, w->delimiter);
    size_t begin = text->size, size = strlen(w->out.names[c]);
    tn_str_add(text, w->out.names[c], size);
    bool quoted =
        size == 0 || wants_quotes(w, w->out.names[c], size) || begins_like_a_mark(w, begin);
    tenon_status status = quoted && !text->failed ? quote_field(w, begin, err) : TENON_OK;
    if (status) return status;
  }
  tenon_status status = end_row(w, err);
  w->out.rows = 0;
  return status;
}

/* ---- The writer ---- */

static tenon_status writer_write(void *self, struct ArrowArray *batch, tenon_error *err) {
  csv_writer *w = self;
  tenon_status status = tn_text_out_check(&w->out, batch, err);
  for (int64_t row = 0; !status && row < batch->length; row++) status = put_row(w, batch, row, err);
  tn_array_release(batch);
  return status;
}

static tenon_status writer_finish(void *self, int64_t *ret_bytes, tenon_error *err) {
  csv_writer *w = self;
  tenon_status status = tn_text_out_flush(&w->out, err);
  if (!status && ret_bytes) *ret_bytes = w->out.sink.bytes;
  return status;
}

static void writer_free(void *self) {
  csv_writer *w = self;
  if (!w) return;
  tn_text_out_release(&w->out);
  tn_free(w->null_text);
  tn_free(w->never_quoted);
  tn_free(w);
}

static tenon_status take_options(csv_writer *w, const tn_format_options *options, char delimiter,
                                 tenon_error *err) {
  w->delimiter = options->delimiter ? options->delimiter : delimiter;
  w->quote = options->quote;
  w->null_text = tn_strdup(options->null_text ? options->null_text : "");
  if (!w->null_text) return tn_no_memory(err);
  w->null_size = strlen(w->null_text);
  w->special[(uint8_t)w->delimiter] = w->special['\n'] = w->special['\r'] = true;
  if (w->quote) w->special[(uint8_t)w->quote] = true;
  bool bad_null = false;
  for (size_t i = 0; i < w->null_size; i++)
    bad_null = bad_null || w->special[(uint8_t)w->null_text[i]];
  if (bad_null || w->delimiter == w->quote || strchr("\n\r", w->delimiter) ||
      (uint8_t)w->delimiter >= 0x80 || (uint8_t)w->quote >= 0x80)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "choose different ASCII characters, and a null_text without them",
                      "delimiter, quote and null_text are in each other's way");
  return TENON_OK;
}

/* Numbers and dates, where neither a dialect's characters nor NULL look like a part of them. */
static tenon_status find_simple_columns(csv_writer *w, tenon_error *err) {
  bool clash = w->null_size > 0;
  for (int c = 0; c < 128; c++)
    clash = clash || (w->special[c] && (isalnum(c) || strchr("+-.:", c)));
  w->never_quoted = tn_alloc_array((size_t)w->out.column_count, sizeof *w->never_quoted);
  if (!w->never_quoted) return tn_no_memory(err);
  for (int64_t c = 0; c < w->out.column_count; c++)
    w->never_quoted[c] = !clash && tn_printer_is_simple(w->out.printers[c]);
  return TENON_OK;
}

static tenon_status writer_new(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema,
                               const tn_format_options *options, char delimiter, tn_writer *ret,
                               tenon_error *err) {
  csv_writer *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  tenon_status status = take_options(w, options, delimiter, err);
  if (!status) status = tn_text_out_init(&w->out, ctx, fd, schema, err);
  if (!status) status = find_simple_columns(w, err);
  if (!status && options->header != 0) status = put_header(w, err);
  if (status) {
    writer_free(w);
    return status;
  }
  *ret = (tn_writer){
      .self = w, .write = writer_write, .finish = writer_finish, .free = writer_free};
  return TENON_OK;
}

tenon_status tn_csv_writer(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema,
                           const tn_format_options *options, tn_writer *ret, tenon_error *err) {
  return writer_new(ctx, fd, schema, options, ',', ret, err);
}

tenon_status tn_tsv_writer(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema,
                           const tn_format_options *options, tn_writer *ret, tenon_error *err) {
  return writer_new(ctx, fd, schema, options, '\t', ret, err);
}
