/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as CSV. The first byte chooses options. Held against each other: the index of each set
 * of instructions with the portable one; the same bytes in one piece and in small ones; what is
 * read with what is read of it after it was written again.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "arrow/print.h"
#include "base/mem.h"
#include "formats/csv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds) {
  if (!holds) abort();
}

/* ---- Bytes in pieces ---- */

typedef struct source {
  const uint8_t *data;
  size_t size, piece, at;
} source;

static tenon_status read_piece(void *self, void *to, size_t size, size_t *ret_size,
                               tenon_error *err) {
  source *s = self;
  (void)err;
  if (size > s->piece) size = s->piece;
  if (size > s->size - s->at) size = s->size - s->at;
  memcpy(to, s->data + s->at, size);
  s->at += size;
  *ret_size = size;
  return TENON_OK;
}

static void close_source(void *self) { (void)self; }

static tenon_status open_source(void *self, int64_t offset, int64_t length, tenon_bytes *ret,
                                tenon_error *err) {
  (void)offset, (void)length, (void)err;
  ((source *)self)->at = 0;
  *ret = (tenon_bytes){
      .struct_size = sizeof *ret,
      .fd = -1,
      .length = -1,
      .self = self,
      .read = read_piece,
      .close = close_source,
  };
  return TENON_OK;
}

/* ---- Indexes ---- */

static void same_index(const tn_csv_index *a, const tn_csv_index *b) {
  expect(a->rows == b->rows && a->problem == b->problem && a->left_out == b->left_out &&
         a->inner_lines == b->inner_lines);
  expect(!a->problem || a->problem_at == b->problem_at);
  expect(memcmp(a->starts, b->starts, (a->rows + 1) * sizeof *a->starts) == 0);
  expect(memcmp(a->ends, b->ends, (size_t)a->rows * a->columns * sizeof *a->ends) == 0);
}

static void index_with_all(const uint8_t *data, size_t size, uint32_t columns) {
  uint8_t *text = malloc(size + TN_CSV_SLACK);
  tn_csv_index last = {0};
  memcpy(text, data, size);
  memset(text + size, '\n', TN_CSV_SLACK);
  for (const tn_csv_indexer *i = tn_csv_indexers; i->name; i++) {
    if (!i->usable()) continue;
    tn_csv_index ix = {.dialect = {.delimiter = ',', .quote = '"', .null_text = ""},
                       .columns = columns};
    expect(tn_csv_index_reserve(&ix, (uint32_t)size, NULL) == TENON_OK);
    i->index(&ix, text, 0, (uint32_t)size);
    if (last.ends) same_index(&last, &ix);
    tn_csv_index_release(&last);
    last = ix;
  }
  tn_csv_index_release(&last);
  free(text);
}

/* ---- Reading ---- */

/* Rows as text that tells all values apart. */
static void put_batch(tn_str *out, const struct ArrowSchema *schema,
                      const struct ArrowArray *batch) {
  for (int64_t c = 0; c < schema->n_children; c++) {
    tn_printer *p;
    expect(tn_printer_new(schema->children[c], &p, NULL) == TENON_OK);
    for (int64_t i = 0; i < batch->length; i++) {
      expect(tn_print_json(p, batch->children[c], i, out, NULL) == TENON_OK);
      tn_str_putc(out, '\n');
    }
    tn_printer_free(p);
  }
}

/* In one batch, if it fits: columns stand one behind the other in `out`. */
static tenon_status read_all(tenon_ctx *ctx, source *s, const tn_format_options *options,
                             tn_str *out, tenon_error *err) {
  tn_input in = {.name = "f", .size = -1, .self = s, .open = open_source};
  tenon_read read = TENON_READ_INIT;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  read.batch_bytes = 64 << 20;
  tenon_status status = tn_format_csv.read(ctx, &in, options, NULL, &read, &rows, err);
  if (status) return status;
  for (int64_t c = 0; c < rows.stream.schema.n_children; c++) {
    tn_str_puts(out, rows.stream.schema.children[c]->format);
    tn_str_puts(out, " ");
    expect(tn_print_json_string(rows.stream.schema.children[c]->name,
                                strlen(rows.stream.schema.children[c]->name), out, NULL) == 0);
  }
  while (!(status = rows.stream.next(rows.stream.self, &batch, err)) && batch.release) {
    expect(tn_arrow_check(&rows.stream.schema, &batch, NULL) == TENON_OK);
    put_batch(out, &rows.stream.schema, &batch);
    batch.release(&batch);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return status;
}

/* ---- Writing again ---- */

static int write_again(tenon_ctx *ctx, source *s, const tn_format_options *options,
                       const tn_format_options *write_options) {
  tn_input in = {.name = "f", .size = -1, .self = s, .open = open_source};
  tenon_read read = TENON_READ_INIT;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  tn_writer w;
  int fd = memfd_create("again", MFD_CLOEXEC);
  expect(fd >= 0);
  expect(tn_format_csv.read(ctx, &in, options, NULL, &read, &rows, NULL) == TENON_OK);
  expect(tn_format_csv.writer(ctx, fd, &rows.stream.schema, write_options, &w, NULL) == TENON_OK);
  while (rows.stream.next(rows.stream.self, &batch, NULL) == TENON_OK && batch.release)
    expect(w.write(w.self, &batch, NULL) == TENON_OK);
  expect(w.finish(w.self, NULL, NULL) == TENON_OK);
  w.free(w.self);
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return fd;
}

/* A table of texts is the same after it was written and read. */
static void round_trip(tenon_ctx *ctx, source *s, const tn_format_options *options,
                       const tn_str *first) {
  tn_format_options plain = TN_FORMAT_OPTIONS_INIT;
  tn_str again;
  plain.header = 1;
  plain.all_text = 1;
  plain.delimiter = ',';
  int fd = write_again(ctx, s, options, &plain);
  off_t size = lseek(fd, 0, SEEK_END);
  uint8_t *text = malloc((size_t)size + 1);
  expect(text && pread(fd, text, (size_t)size, 0) == size);
  close(fd);
  source written = {.data = text, .size = (size_t)size, .piece = SIZE_MAX};
  tn_str_init(&again, 256 << 20);
  expect(read_all(ctx, &written, &plain, &again, NULL) == TENON_OK);
  expect(strcmp(tn_str_text(first), tn_str_text(&again)) == 0);
  tn_str_release(&again);
  free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1 || size > 256 << 10) return 0;
  uint8_t choice = *data++;
  size--;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_ctx *ctx;
  tn_str whole, pieces;
  tenon_error err = TENON_ERROR_INIT, other_err = TENON_ERROR_INIT;
  options.all_text = choice & 1;
  options.header = (choice >> 1 & 3) - 1 > 1 ? 1 : (choice >> 1 & 3) - 1;
  if (choice & 8) options.delimiter = ',';
  if (choice & 16) options.quote = 0;
  if (choice & 32) options.encoding = "latin-1";
  if (choice & 64) options.null_text = "NA";
  if (choice & 128) options.sample_rows = 2;
  index_with_all(data, size, choice % 3 + 1u);
  expect(tenon_ctx_new(NULL, -1, &ctx, NULL) == TENON_OK);
  tn_str_init(&whole, 256 << 20);
  tn_str_init(&pieces, 256 << 20);
  source s = {.data = data, .size = size, .piece = SIZE_MAX};
  tenon_status status = read_all(ctx, &s, &options, &whole, &err);
  s.piece = 1 + size % 5;
  expect(read_all(ctx, &s, &options, &pieces, &other_err) == status);
  expect(strcmp(err.message, other_err.message) == 0 &&
         strcmp(tn_str_text(&whole), tn_str_text(&pieces)) == 0);
  if (status)
    expect(err.message[0] &&
           (status == TENON_DATA || status == TENON_LIMITED || status == TENON_CONFIG));
  else if (options.all_text) round_trip(ctx, &s, &options, &whole);
  tn_str_release(&whole);
  tn_str_release(&pieces);
  tenon_ctx_free(ctx);
  return 0;
}
