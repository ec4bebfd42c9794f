/* SPDX-License-Identifier: Apache-2.0 */
/* CSV and TSV: text cases read in every split, the index in every set of instructions, limits,
 * writers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "arrow/names.h"
#include "arrow/print.h"
#include "base/mem.h"
#include "cases.h"
#include "formats/csv.h"
#include "formats/format_options.h"
#include "memory_input.h"

/* ---- Text cases: {key=value key=value} input => schema / row / row ---- */

/* \n \r \t \s (a blank) \\ \xHH; answers the size. */
static size_t unescape(const char *from, char *to) {
  char *begin = to;
  for (; *from; from++) {
    if (*from != '\\') {
      *to++ = *from;
      continue;
    }
    switch (*++from) {
      case 'n': *to++ = '\n'; break;
      case 'r': *to++ = '\r'; break;
      case 't': *to++ = '\t'; break;
      case 's': *to++ = ' '; break;
      case 'x': *to++ = (char)strtol((char[]){from[1], from[2], 0}, NULL, 16); from += 2; break;
      default: *to++ = *from; break;
    }
  }
  *to = 0;
  return (size_t)(to - begin);
}

static void put_escaped(tn_str *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\n') tn_str_puts(out, "\\n");
    else if (text[i] == '\r') tn_str_puts(out, "\\r");
    else if (text[i] == '\t') tn_str_puts(out, "\\t");
    else tn_str_putc(out, text[i]);
  }
}

static void put_schema(tn_str *out, const struct ArrowSchema *s) {
  for (int64_t i = 0; i < s->n_children; i++) {
    if (i > 0) tn_str_puts(out, " ");
    put_escaped(out, s->children[i]->name, strlen(s->children[i]->name));
    tn_str_puts(out, ":");
    tn_type_name(s->children[i], out);
  }
}

static void put_batch(tn_str *out, const struct ArrowSchema *s, const struct ArrowArray *batch) {
  tn_str cell;
  tn_str_init(&cell, 1 << 20);
  for (int64_t row = 0; row < batch->length; row++) {
    tn_str_puts(out, " /");
    for (int64_t i = 0; i < s->n_children; i++) {
      tn_printer *p;
      assert_int_equal(tn_printer_new(s->children[i], &p, NULL), TENON_OK);
      tn_str_clear(&cell);
      assert_int_equal(tn_print_text(p, batch->children[i], row, &cell, NULL), TENON_OK);
      tn_str_puts(out, i > 0 ? "|" : " ");
      if (tn_is_null(batch->children[i], row)) tn_str_puts(out, "~");
      else put_escaped(out, tn_str_text(&cell), cell.size);
      tn_printer_free(p);
    }
  }
  tn_str_release(&cell);
}

/* All that is read, or the error. */
static tenon_status read_all(const tn_format *format, memory_input *in,
                             const tn_format_options *options, const tenon_read *read, tn_str *out,
                             tenon_error *err) {
  tenon_ctx *ctx;
  tenon_rows rows = {.struct_size = sizeof rows};
  struct ArrowArray batch = {0};
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  tenon_status status = format->read(ctx, &in->input, options, NULL, read, &rows, err);
  if (!status) {
    put_schema(out, &rows.stream.schema);
    while (!(status = rows.stream.next(rows.stream.self, &batch, err)) && batch.release) {
      assert_int_equal(tn_arrow_check(&rows.stream.schema, &batch, NULL), TENON_OK);
      assert_true(read->batch_rows == 0 || batch.length <= read->batch_rows);
      put_batch(out, &rows.stream.schema, &batch);
      batch.release(&batch);
    }
    rows.stream.close(rows.stream.self);
    tn_schema_release(&rows.stream.schema);
  }
  tenon_ctx_free(ctx);
  assert_int_equal(in->open_count, 0);
  if (status) {
    tn_str_clear(out);
    tn_str_printf(out, "error: %s %s; %s", tenon_status_name(status), err->message, err->remedy);
  }
  return status;
}

typedef struct csv_case {
  const tn_format *format;
  tn_format_options options;
  memory_input in;
} csv_case;

/* The same in pieces of `first` and `rest` bytes, in batches of so many rows. */
static bool reads_the_same(csv_case *c, size_t first, size_t rest, int32_t batch_rows,
                           const char *expected) {
  tn_str out;
  tenon_error err = TENON_ERROR_INIT;
  tenon_read read = TENON_READ_INIT;
  read.batch_rows = batch_rows;
  c->in.first = first;
  c->in.rest = rest;
  tn_str_init(&out, 1 << 20);
  read_all(c->format, &c->in, &c->options, &read, &out, &err);
  bool same = strcmp(tn_str_text(&out), expected) == 0;
  if (!same)
    print_error("first %zu rest %zu rows %d: %s\n", first, rest, batch_rows, tn_str_text(&out));
  tn_str_release(&out);
  return same;
}

/* {key=value key=value}; answers what is behind it. */
static const char *take_options(const char *text, csv_case *c, char *room) {
  if (*text != '{') return text;
  const char *end = strchr(text, '}');
  tenon_error err = TENON_ERROR_INIT;
  char copy[1000];
  snprintf(copy, sizeof copy, "%.*s", (int)(end - text - 1), text + 1);
  for (char *rest, *item = strtok_r(copy, " ", &rest); item; item = strtok_r(NULL, " ", &rest)) {
    char *value = strchr(item, '=');
    if (!value) {
      c->format = tn_format_by_name(item);
      continue;
    }
    *value++ = 0;
    size_t size = unescape(value, room);
    if (tn_option_set(&c->options, TN_OPTION_READS, item, room, &err))
      fail_msg("%s: %s", item, err.message);
    room += size + 1;
  }
  return end + 1 + (end[1] == ' ');
}

static void answer_case(const char *input, char *text, size_t room) {
  char data[4096], values[4096];
  csv_case c = {.format = &tn_format_csv, .options = TN_FORMAT_OPTIONS_INIT};
  tenon_error err = TENON_ERROR_INIT;
  tenon_read read = TENON_READ_INIT;
  tn_str out;
  size_t size = unescape(take_options(input, &c, values), data);
  /* of exactly its size, so that a read behind the end is seen */
  char *exact = malloc(size + 1);
  memcpy(exact, data, size);
  memory_input_init(&c.in, "f.csv", exact, size);
  tn_str_init(&out, 1 << 20);
  read_all(c.format, &c.in, &c.options, &read, &out, &err);
  snprintf(text, room, "%s", tn_str_text(&out));
  bool same = reads_the_same(&c, 1, 1, 0, tn_str_text(&out)) &&
              reads_the_same(&c, 0, 0, 1, tn_str_text(&out));
  for (size_t i = 1; same && i < size; i++) same = reads_the_same(&c, i, 0, 0, tn_str_text(&out));
  if (!same) snprintf(text, room, "another answer in other pieces");
  tn_str_release(&out);
  free(exact);
}

static void reads_text_cases(void **state) {
  (void)state;
  tn_run_cases("csv", 150, answer_case);
}

/* ---- The index ---- */

static uint64_t random_bits(void) {
  static uint64_t s = 88172645463325252u;
  s ^= s << 13;
  s ^= s >> 7;
  return s ^= s << 17;
}

enum { MOST = 4096 };

static void index_init(tn_csv_index *ix, uint32_t columns) {
  *ix = (tn_csv_index){
      .dialect = {.delimiter = ',', .quote = '"', .null_text = ""}, .columns = columns};
  assert_int_equal(tn_csv_index_reserve(ix, MOST, NULL), TENON_OK);
}

static void same_index(const tn_csv_index *a, const tn_csv_index *b) {
  assert_int_equal(a->rows, b->rows);
  assert_int_equal(a->problem, b->problem);
  if (a->problem) assert_int_equal(a->problem_at, b->problem_at);
  assert_int_equal(a->left_out, b->left_out);
  assert_int_equal(a->inner_lines, b->inner_lines);
  assert_memory_equal(a->starts, b->starts, (a->rows + 1) * sizeof *a->starts);
  if (a->rows)
    assert_memory_equal(a->ends, b->ends, (size_t)a->rows * a->columns * sizeof *a->ends);
}

/* What indexes byte by byte, by walk_record alone. */
static void naive_index(tn_csv_index *ix, const uint8_t *data, uint32_t end) {
  uint32_t at = 0, count, next;
  ix->rows = 0;
  ix->starts[0] = 0;
  while (at < end &&
         tn_csv_walk_record(&ix->dialect, data, at, end, ix->ends + (size_t)ix->rows * ix->columns,
                            ix->columns, &count, &next)) {
    bool is_empty = count == 1 && (data[at] == '\n' || data[at] == '\r');
    if (count != ix->columns && !is_empty) break;
    at = next;
    if (count == ix->columns) ix->rows++;
    ix->starts[ix->rows] = at;
  }
}

static void indexes_alike_everywhere(void **state) {
  (void)state;
  static const char letters[] = "ab,\"\n\r,\"\n\xc3";
  static uint8_t data[MOST + TN_CSV_SLACK];
  int compared = 0;
  for (int round = 0; round < 20000; round++) {
    uint32_t size = (uint32_t)(random_bits() % 300), columns = (uint32_t)(random_bits() % 3) + 1;
    /* some with few special characters, some with proper quotes, some with anything */
    for (uint32_t i = 0; i < size; i++) {
      uint64_t r = random_bits();
      data[i] = (uint8_t)('a' + r % 20);
      if (round % 3 == 0) data[i] = (uint8_t)letters[r % (sizeof letters - 1)];
      else if (r % 13 == 0) data[i] = (uint8_t)letters[r / 13 % 9 + 1];
      if (round % 1000 == 7 && r % 91 == 0) data[i] = 0;
    }
    for (uint32_t i = 0; i < size / (columns * 4) && round % 3 == 1; i++) {
      uint32_t at = i * columns * 4;
      for (uint32_t c = 0; c < columns && at + 3 < size; c++, at += 4)
        memcpy(data + at, c + 1 < columns ? "\"a\"," : "\"\"a\n", 4);
    }
    memset(data + size, ',', TN_CSV_SLACK);   /* what stands behind the end does not matter */
    tn_csv_index expected, got;
    index_init(&expected, columns);
    index_init(&got, columns);
    const tn_csv_indexer *portable = tn_csv_indexers;
    while (portable[1].name) portable++;
    portable->index(&expected, data, 0, size);
    for (const tn_csv_indexer *i = tn_csv_indexers; i->name; i++) {
      if (!i->usable() || i == portable) continue;
      i->index(&got, data, 0, size);
      same_index(&expected, &got);
      compared++;
    }
    if (!expected.problem) {
      naive_index(&got, data, size);
      assert_int_equal(got.rows, expected.rows);
      assert_memory_equal(got.starts, expected.starts, (got.rows + 1) * sizeof *got.starts);
      if (got.rows)
        assert_memory_equal(got.ends, expected.ends, (size_t)got.rows * columns * sizeof *got.ends);
    }
    tn_csv_index_release(&expected);
    tn_csv_index_release(&got);
  }
#if defined(__x86_64__) || defined(__aarch64__)
  assert_true(compared > 0);
#endif
}

/* ---- Large files ---- */

/* Rows that depend on their number, of any length, some longer than every window. */
static void put_row(tn_str *text, int i, bool crlf) {
  tn_str_printf(text, "%d,\"", i);
  int size = i % 997 == 0 ? 300000 : i % 50;
  for (int k = 0; k < size; k++)
    tn_str_puts(text, k % 11 == 3 ? "\"\"" : k % 17 == 5 ? "\n" : k % 7 == 2 ? "é" : "x");
  tn_str_printf(text, "\",%d.5%s", i, crlf ? "\r\n" : "\n");
}

static void check_row(const struct ArrowArray *batch, int64_t at, int i) {
  const int64_t *numbers = batch->children[0]->buffers[1];
  const int32_t *ends = batch->children[1]->buffers[1];
  const double *halves = batch->children[2]->buffers[1];
  const char *text = (const char *)batch->children[1]->buffers[2] + ends[at];
  assert_int_equal(numbers[at], i);
  assert_true(halves[at] == i + 0.5);
  int size = i % 997 == 0 ? 300000 : i % 50, n = 0;
  for (int k = 0; k < size; k++) {
    if (k % 11 == 3) assert_int_equal(text[n++], '"');
    else if (k % 17 == 5) assert_int_equal(text[n++], '\n');
    else if (k % 7 == 2) assert_memory_equal(text + n, "é", 2), n += 2;
    else assert_int_equal(text[n++], 'x');
  }
  assert_int_equal(ends[at + 1] - ends[at], n);
}

static void reads_large(bool crlf, size_t piece, int64_t batch_bytes) {
  enum { ROWS = 20000 };
  tn_str text;
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  tn_str_init(&text, 64 << 20);
  tn_str_puts(&text, crlf ? "a,b,c\r\n" : "a,b,c\n");
  for (int i = 0; i < ROWS; i++) put_row(&text, i, crlf);
  memory_input_init(&in, "large", text.data, text.size);
  in.first = in.rest = piece;
  read.batch_bytes = batch_bytes;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_format_csv.read(ctx, &in.input, &options, NULL, &read, &rows, NULL),
                   TENON_OK);
  int i = 0;
  while (rows.stream.next(rows.stream.self, &batch, NULL) == TENON_OK && batch.release) {
    const int32_t *ends = batch.children[1]->buffers[1];
    /* 8 + 8 + 4 bytes a row and the text, unless one row is more alone */
    if (batch_bytes && batch.length > 1)
      assert_true(batch.length * 20 + 4 + ends[batch.length] <= batch_bytes);
    for (int64_t k = 0; k < batch.length; k++) check_row(&batch, k, i++);
    batch.release(&batch);
  }
  assert_int_equal(i, ROWS);
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  tenon_ctx_free(ctx);
  tn_str_release(&text);
}

static void reads_large_files(void **state) {
  (void)state;
  reads_large(false, 0, 0);
  reads_large(true, 65537, 100000);
  reads_large(true, 0, 4096);
}

/* ---- Errors that need much text ---- */

static void read_error(const char *data, size_t size, const tn_format_options *options,
                       tenon_error *err) {
  memory_input in;
  tn_str out;
  tenon_read read = TENON_READ_INIT;
  memory_input_init(&in, "f.csv", data, size);
  tn_str_init(&out, 1 << 28);
  assert_int_not_equal(read_all(&tn_format_csv, &in, options, &read, &out, err), TENON_OK);
  tn_str_release(&out);
}

static void finds_misfits_behind_the_sample(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  tn_str text;
  tn_str_init(&text, 1 << 24);
  tn_str_puts(&text, "id,price\n");
  for (int i = 0; i < 12000; i++) tn_str_printf(&text, "%d,%d.25\n", i, i);
  tn_str_puts(&text, "007,1.5\n");
  read_error(text.data, text.size, &options, &err);
  assert_int_equal(err.code, TENON_DATA);
  assert_non_null(strstr(err.message, "f.csv: line 12002 (byte "));
  assert_non_null(strstr(err.message, "column id: 007 is not a value of type int64"));
  assert_non_null(strstr(err.remedy, "types=id=text"));
  assert_non_null(strstr(err.remedy, "all_text=true"));
  assert_non_null(strstr(err.remedy, "sample_rows"));
  tn_str_release(&text);
}

static void says_how_long_a_record_may_be(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  size_t size = (size_t)TN_CSV_MAX_RECORD + 100;
  char *data = malloc(size);
  memset(data, 'x', size);
  memcpy(data, "a,b\n1,\"", 7);
  read_error(data, size, &options, &err);
  assert_int_equal(err.code, TENON_LIMITED);
  assert_non_null(strstr(err.message, "line 2 (byte 4): the record is longer than 64 MiB"));
  free(data);
}

static void names_the_last_line(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  tn_str text;
  tn_str_init(&text, 1 << 24);
  /* lines in quotes count, and empty ones that are left out */
  for (int i = 0; i < 50000; i++)
    tn_str_puts(&text, i == 0 ? "a,b\r\n" : i % 3 ? "1,\"x\r\ny\"\r\n" : "\r\n2,z\r\n");
  tn_str_puts(&text, "1,2,3\r\n");
  int lines = 1;
  for (size_t i = 0; i < text.size; i++) lines += text.data[i] == '\n';
  char expected[100];
  snprintf(expected, sizeof expected,
           "f.csv: line %d (byte %zu): 3 fields, where the first record has 2", lines - 1,
           text.size - 7);
  read_error(text.data, text.size, &options, &err);
  assert_string_equal(err.message, expected);
  tn_str_release(&text);
}

static void passes_on_failed_reads(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  for (int at = 1; at < 6; at++) {
    memory_input in;
    tn_str out;
    tenon_error err = TENON_ERROR_INIT;
    memory_input_init(&in, "f.csv", "a,b\n1,2\n3,4\n", 12);
    in.first = in.rest = 3;
    in.fail_at = at;
    tn_str_init(&out, 1000);
    assert_int_equal(read_all(&tn_format_csv, &in, &options, &read, &out, &err),
                     at < 6 ? TENON_IO : TENON_OK);
    tn_str_release(&out);
  }
}

/* The n-th allocation fails, and all behind it if `forever`; false: there were not that many. */
static bool read_without_memory(int64_t n, bool forever, tenon_status *ret) {
  static const char data[] = "id,name,at\n1,x,2024-01-01\n,\"q\"\"q\",\n";
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  options.types = "id=int32";
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  memory_input_init(&in, "f.csv", data, sizeof data - 1);
  tn_mem_fail_at(n, forever);
  *ret = tn_format_csv.read(ctx, &in.input, &options, NULL, &read, &rows, NULL);
  bool opened = *ret == TENON_OK;
  if (opened) *ret = rows.stream.next(rows.stream.self, &batch, NULL);
  bool was_reached = tn_mem_count() >= n;
  tn_mem_fail_at(0, 0);
  tn_array_release(&batch);
  if (opened) {
    rows.stream.close(rows.stream.self);
    tn_schema_release(&rows.stream.schema);
  }
  tenon_ctx_free(ctx);
  assert_int_equal(in.open_count, 0);
  return was_reached;
}

static void survives_failing_allocations(void **state) {
  (void)state;
  tenon_status status = TENON_OK;
  int64_t n = 1;
  for (; read_without_memory(n, true, &status); n++) assert_int_not_equal(status, TENON_OK);
  assert_int_equal(status, TENON_OK);
  assert_true(n > 20);
  /* one alone may be got over: an arena then tries a smaller block */
  for (n = 1; read_without_memory(n, false, &status); n++) continue;
}

/* ---- Requests ---- */

static const char people[] = "id,name,score\n1,Ann,1.5\n2,Bob,\n3,\"Cy\",2.5\n";

static uint32_t read_people(const tenon_read *read, tn_str *out) {
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  memory_input_init(&in, "people.csv", people, sizeof people - 1);
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_format_csv.read(ctx, &in.input, &options, NULL, read, &rows, NULL), TENON_OK);
  put_schema(out, &rows.stream.schema);
  while (rows.stream.next(rows.stream.self, &batch, NULL) == TENON_OK && batch.release) {
    put_batch(out, &rows.stream.schema, &batch);
    batch.release(&batch);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  tenon_ctx_free(ctx);
  return rows.applied;
}

static void applies_columns_and_limit(void **state) {
  (void)state;
  const char *columns[] = {"score", "id"};
  tenon_value one = {.type = TENON_VALUE_INT, .i = 1};
  tenon_filter filter = {.column = "name", .op = TENON_EQ, .values = &one, .value_count = 1};
  tenon_read read = TENON_READ_INIT;
  tn_str out;
  tn_str_init(&out, 10000);
  read.columns = columns;
  read.column_count = 2;
  read.limit = 2;
  assert_int_equal(read_people(&read, &out), TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT);
  assert_string_equal(tn_str_text(&out), "score:float64 id:int64 / 1.5|1 / ~|2");
  tn_str_clear(&out);
  read.limit = 0;
  assert_int_equal(read_people(&read, &out), TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT);
  assert_string_equal(tn_str_text(&out), "score:float64 id:int64");
  tn_str_clear(&out);
  /* with a filter the core applies all three, and needs the filter's column for it */
  read.limit = 1;
  read.filters = &filter;
  read.filter_count = 1;
  assert_int_equal(read_people(&read, &out), 0);
  assert_string_equal(tn_str_text(&out),
                      "score:float64 id:int64 name:text / 1.5|1|Ann / ~|2|Bob / 2.5|3|Cy");
  tn_str_release(&out);
}

/* Rows without columns can be counted. */
static void reads_no_columns(void **state) {
  (void)state;
  const char *none[] = {NULL};
  tenon_read read = TENON_READ_INIT;
  tn_str out;
  tn_str_init(&out, 10000);
  read.columns = none;
  assert_int_equal(read_people(&read, &out), TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT);
  assert_string_equal(tn_str_text(&out), " / / /");
  tn_str_release(&out);
}

static void refuses_unknown_columns(void **state) {
  (void)state;
  const char *columns[] = {"scor"};
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  tenon_error err = TENON_ERROR_INIT;
  read.columns = columns;
  read.column_count = 1;
  memory_input_init(&in, "people.csv", people, sizeof people - 1);
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_format_csv.read(ctx, &in.input, &options, NULL, &read, &rows, &err),
                   TENON_NOT_FOUND);
  assert_string_equal(err.message, "people.csv: there is no column scor");
  assert_string_equal(err.remedy, "did you mean score?");
  tenon_ctx_free(ctx);
}

/* Files of a pattern are read as the first of them was. */
static void keeps_to_the_expected_schema(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  tenon_ctx *ctx;
  struct ArrowSchema schema;
  memory_input first;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  memory_input_init(&first, "1.csv", "a,b\n1.5,x\n", 10);
  int64_t said = 0;
  assert_int_equal(tn_format_csv.schema(ctx, &first.input, &options, &schema, &said, NULL), TENON_OK);
  assert_int_equal(said, -1);
  const struct {
    const char *data;
    tenon_status status;
    const char *message;
  } cases[] = {
      {"a,b\n1,2\n", TENON_OK, ""},
      {"a,b\n", TENON_OK, ""},
      {"a,b\ny,2\n", TENON_DATA, "column a: y is not a value of type float64"},
      {"a,c\n1,2\n", TENON_DATA, "2.csv: column 2 is called c, where b is expected"},
      {"a,b,c\n1,2,3\n", TENON_DATA, "2.csv: 3 columns, where 2 are expected"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    memory_input in;
    tenon_rows rows;
    struct ArrowArray batch = {0};
    tenon_error err = TENON_ERROR_INIT;
    memory_input_init(&in, "2.csv", cases[i].data, strlen(cases[i].data));
    tenon_status status = tn_format_csv.read(ctx, &in.input, &options, &schema, &read, &rows, &err);
    if (!status) {
      status = rows.stream.next(rows.stream.self, &batch, &err);
      assert_string_equal(rows.stream.schema.children[0]->format, "g");
      assert_string_equal(rows.stream.schema.children[1]->format, "u");
      tn_array_release(&batch);
      rows.stream.close(rows.stream.self);
      tn_schema_release(&rows.stream.schema);
    }
    assert_int_equal(status, cases[i].status);
    assert_non_null(strstr(err.message, cases[i].message));
  }
  tn_schema_release(&schema);
  tenon_ctx_free(ctx);
}

static void notices_a_cancel(void **state) {
  (void)state;
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  struct ArrowArray batch = {0};
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  memory_input_init(&in, "people.csv", people, sizeof people - 1);
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_format_csv.read(ctx, &in.input, &options, NULL, &read, &rows, NULL),
                   TENON_OK);
  tenon_ctx_cancel(ctx);
  assert_int_equal(rows.stream.next(rows.stream.self, &batch, NULL), TENON_CANCELLED);
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  tenon_ctx_free(ctx);
}

/* ---- Writers ---- */

/* What a format writes of the rows that another reads. */
static tenon_status convert(const tn_format *from, const tn_format_options *read_options,
                            const tn_format *to, const tn_format_options *write_options,
                            const char *data, tn_str *out, tenon_error *err) {
  memory_input in;
  tenon_ctx *ctx;
  tenon_rows rows;
  tn_writer writer;
  struct ArrowArray batch = {0};
  tenon_read read = TENON_READ_INIT;
  FILE *file = tmpfile();
  int64_t bytes = -1;
  memory_input_init(&in, "in", data, strlen(data));
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(from->read(ctx, &in.input, read_options, NULL, &read, &rows, err), TENON_OK);
  tenon_status status =
      to->writer(ctx, fileno(file), &rows.stream.schema, write_options, &writer, err);
  if (!status) {
    while (!status && rows.stream.next(rows.stream.self, &batch, err) == TENON_OK &&
           batch.release) {
      status = writer.write(writer.self, &batch, err);
      assert_null(batch.release);
    }
    if (!status) status = writer.finish(writer.self, &bytes, err);
    writer.free(writer.self);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  tenon_ctx_free(ctx);
  char piece[4096];
  rewind(file);
  for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;) tn_str_add(out, piece, n);
  fclose(file);
  if (!status) assert_int_equal(bytes, out->size);
  return status;
}

static const char mixed[] =
    "i,d,f,t,b,day,at,here\n"
    "1,12.50,0.1,\"a,b\",true,2024-02-29,2024-02-29T12:00:00.25,2024-02-29T12:00:00Z\n"
    ",,,,,,,\n"
    "-9223372036854775808,-0.01,1e+300,\"\",false,0001-01-01,1969-12-31T23:59:59.999999,9999-12-"
    "31T23:59:59Z\n"
    "2,3.00,-Infinity,\"say \"\"x\"\"\n\r\",,,,\n";

static void writes_what_it_reads(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tn_str out;
  tn_str_init(&out, 1 << 20);
  options.types = "d=decimal(15,2)";
  assert_int_equal(convert(&tn_format_csv, &options, &tn_format_csv, &options, mixed, &out, NULL),
                   TENON_OK);
  assert_string_equal(tn_str_text(&out), mixed);
  tn_str_release(&out);
}

static void writes_json_lines(void **state) {
  (void)state;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tn_str out;
  tn_str_init(&out, 1 << 20);
  options.types = "d=decimal(15,2)";
  assert_int_equal(convert(&tn_format_csv, &options, &tn_format_jsonl, &options, mixed, &out, NULL),
                   TENON_OK);
  assert_string_equal(tn_str_text(&out),
                      "{\"i\":1,\"d\":12.50,\"f\":0.1,\"t\":\"a,b\",\"b\":true,\"day\":\"2024-02-"
                      "29\",\"at\":\"2024-02-29T12:00:00.25\","
                      "\"here\":\"2024-02-29T12:00:00Z\"}\n"
                      "{\"i\":null,\"d\":null,\"f\":null,\"t\":null,\"b\":null,\"day\":null,\"at\":"
                      "null,\"here\":null}\n"
                      "{\"i\":-9223372036854775808,\"d\":-0.01,\"f\":1e+300,\"t\":\"\",\"b\":false,"
                      "\"day\":\"0001-01-01\","
                      "\"at\":\"1969-12-31T23:59:59.999999\",\"here\":\"9999-12-31T23:59:59Z\"}\n"
                      "{\"i\":2,\"d\":3.00,\"f\":\"-Infinity\",\"t\":\"say "
                      "\\\"x\\\"\\n\\r\",\"b\":null,\"day\":null,\"at\":null,\"here\":null}\n");
  tn_str_release(&out);
}

static void writes_tsv_and_dialects(void **state) {
  (void)state;
  const struct {
    const tn_format *to;
    const char *data, *delimiter, *quote, *null_text, *header, *expected;
  } cases[] = {
      {&tn_format_tsv, "a,b\nx,\n\"y\tz\",2\n", NULL, NULL, NULL, NULL, "a\tb\nx\t\n\"y\tz\"\t2\n"},
      {&tn_format_csv, "a,b\nx,\n\"y;z\",2\n", ";", NULL, NULL, NULL, "a;b\nx;\n\"y;z\";2\n"},
      {&tn_format_csv, "a,b\nNA,\n\"\",2\n", NULL, NULL, "NA", NULL, "a,b\n\"NA\",NA\n,2\n"},
      {&tn_format_csv, "a,b\nit's,\nx,2\n", NULL, "'", NULL, NULL, "a,b\n'it''s',\nx,2\n"},
      {&tn_format_csv, "a,b\nx,1\n", NULL, NULL, NULL, "no", "x,1\n"},
      {&tn_format_csv, "\"a,b\",\"c\"\"d\"\nx,1\n", NULL, NULL, NULL, NULL,
       "\"a,b\",\"c\"\"d\"\nx,1\n"},
      {&tn_format_csv, "a\nx\n\n\"\"\n", NULL, NULL, NULL, NULL, "a\nx\n\n\"\"\n"},
      {&tn_format_csv, "a,b\n2024-01-01T10:00:00,1\n", ":", NULL, NULL, NULL,
       "a:b\n\"2024-01-01T10:00:00\":1\n"},
      {&tn_format_csv, "a,b\n-1,1.5\n", ".", NULL, NULL, NULL, "a.b\n-1.\"1.5\"\n"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tn_format_options read_options = TN_FORMAT_OPTIONS_INIT, options = TN_FORMAT_OPTIONS_INIT;
    tn_str out;
    read_options.header = 1;
    tn_str_init(&out, 1 << 20);
    const char *const given[][2] = {{"delimiter", cases[i].delimiter},
                                    {"quote", cases[i].quote},
                                    {"null_text", cases[i].null_text},
                                    {"header", cases[i].header}};
    for (size_t k = 0; k < sizeof given / sizeof given[0]; k++)
      if (given[k][1])
        assert_int_equal(tn_option_set(&options, TN_OPTION_WRITES, given[k][0], given[k][1], NULL),
                         TENON_OK);
    assert_int_equal(convert(&tn_format_csv, &read_options, cases[i].to, &options, cases[i].data,
                             &out, NULL),
                     TENON_OK);
    assert_string_equal(tn_str_text(&out), cases[i].expected);
    tn_str_release(&out);
  }
}

static void refuses_what_cannot_be_written(void **state) {
  (void)state;
  const struct {
    const tn_format *to;
    const char *data, *quote, *null_text, *delimiter, *message;
    tenon_status status;
  } cases[] = {
      {&tn_format_csv, "a,b\n1,x\n2,\"y,z\"\n", "none", NULL, NULL,
       "row 2, column b: the field cannot be told from others", TENON_DATA},
      {&tn_format_csv, "a,b\n1,\"\"\n", "none", NULL, NULL,
       "row 1, column b: the field cannot be told from others", TENON_DATA},
      {&tn_format_csv, "a,b\n1,2\n", ",", NULL, NULL, "in each other's way", TENON_CONFIG},
      {&tn_format_csv, "a,b\n1,2\n", NULL, "a,b", NULL, "in each other's way", TENON_CONFIG},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tn_format_options read_options = TN_FORMAT_OPTIONS_INIT, options = TN_FORMAT_OPTIONS_INIT;
    tenon_error err = TENON_ERROR_INIT;
    tn_str out;
    read_options.header = 1;
    tn_str_init(&out, 1 << 20);
    if (cases[i].quote)
      assert_int_equal(tn_option_set(&options, TN_OPTION_WRITES, "quote", cases[i].quote, NULL),
                       TENON_OK);
    if (cases[i].null_text) options.null_text = cases[i].null_text;
    assert_int_equal(convert(&tn_format_csv, &read_options, cases[i].to, &options, cases[i].data,
                             &out, &err),
                     cases[i].status);
    assert_non_null(strstr(err.message, cases[i].message));
    tn_str_release(&out);
  }
}

static void refuses_equal_keys(void **state) {
  (void)state;
  struct ArrowSchema s;
  tn_writer w;
  tenon_ctx *ctx;
  tenon_error err = TENON_ERROR_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_schema_struct(&s, 2, NULL), TENON_OK);
  for (int i = 0; i < 2; i++)
    assert_int_equal(tn_schema_set(s.children[i], "a", "l", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_format_jsonl.writer(ctx, 1, &s, &options, &w, &err), TENON_UNSUPPORTED);
  assert_non_null(strstr(err.message, "two columns are called a"));
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
}

/* Any table of texts comes back as it was written. */
static void round_trips_any_text(void **state) {
  (void)state;
  static const char *const pieces[] = {"",     "a", ",",    "\"", "\n", "\r", "é",
                                       "\"\"", " ", "NULL", "1",  "\t", ";",  "\xEF\xBB\xBF"};
  for (int round = 0; round < 3000; round++) {
    tn_format_options options = TN_FORMAT_OPTIONS_INIT;
    tn_str text, first, again;
    tn_str_init(&text, 1 << 20);
    tn_str_init(&first, 1 << 20);
    tn_str_init(&again, 1 << 20);
    int columns = 1 + (int)(random_bits() % 3), rows = (int)(random_bits() % 5);
    for (int c = 0; c < columns; c++) tn_str_printf(&text, "%s%c", c ? "," : "", 'a' + c);
    tn_str_putc(&text, '\n');
    for (int i = 0; i < rows * columns; i++) {
      bool null = random_bits() % 4 == 0;
      if (!null) tn_str_putc(&text, '"');
      for (uint64_t n = random_bits() % 4; !null && n > 0; n--) {
        const char *p = pieces[random_bits() % (sizeof pieces / sizeof pieces[0])];
        tn_str_puts(&text, strcmp(p, "\"") == 0 ? "\"\"" : p);
      }
      tn_str_puts(&text, null ? "" : "\"");
      tn_str_putc(&text, (i + 1) % columns ? ',' : '\n');
    }
    options.header = 1;
    options.all_text = 1;
    options.delimiter = ',';
    assert_int_equal(convert(&tn_format_csv, &options, &tn_format_csv, &options, text.data, &first,
                             NULL),
                     TENON_OK);
    assert_int_equal(convert(&tn_format_csv, &options, &tn_format_csv, &options, first.data, &again,
                             NULL),
                     TENON_OK);
    assert_string_equal(first.data, again.data);
    memory_input a, b;
    tn_str rows_a, rows_b;
    tenon_read read = TENON_READ_INIT;
    tn_str_init(&rows_a, 1 << 20);
    tn_str_init(&rows_b, 1 << 20);
    memory_input_init(&a, "a", text.data, text.size);
    memory_input_init(&b, "b", first.data, first.size);
    assert_int_equal(read_all(&tn_format_csv, &a, &options, &read, &rows_a, NULL), TENON_OK);
    assert_int_equal(read_all(&tn_format_csv, &b, &options, &read, &rows_b, NULL), TENON_OK);
    assert_string_equal(tn_str_text(&rows_a), tn_str_text(&rows_b));
    tn_str_release(&rows_a);
    tn_str_release(&rows_b);
    tn_str_release(&text);
    tn_str_release(&first);
    tn_str_release(&again);
  }
}

static void writes_to_slow_pipes_until_cancelled(void **state) {
  (void)state;
  int ends[2];
  struct ArrowSchema s;
  struct ArrowArray batch;
  tn_builder *b;
  tn_writer w;
  tenon_ctx *ctx;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  assert_int_equal(pipe(ends), 0);
  assert_int_equal(tenon_ctx_new(NULL, 200, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "a", "l", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  for (int64_t i = 0; i < 100000; i++) assert_true(tn_append_i64(tn_builder_column(b, 0), i));
  assert_int_equal(tn_builder_finish(b, 100000, &batch, NULL), TENON_OK);
  assert_int_equal(tn_format_csv.writer(ctx, ends[1], &s, &options, &w, NULL), TENON_OK);
  assert_int_equal(w.write(w.self, &batch, NULL), TENON_TIMEOUT);   /* nobody reads */
  w.free(w.self);
  tn_builder_free(b);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
  close(ends[0]);
  close(ends[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_text_cases),
      cmocka_unit_test(indexes_alike_everywhere),
      cmocka_unit_test(reads_large_files),
      cmocka_unit_test(finds_misfits_behind_the_sample),
      cmocka_unit_test(says_how_long_a_record_may_be),
      cmocka_unit_test(names_the_last_line),
      cmocka_unit_test(passes_on_failed_reads),
      cmocka_unit_test(survives_failing_allocations),
      cmocka_unit_test(applies_columns_and_limit),
      cmocka_unit_test(reads_no_columns),
      cmocka_unit_test(refuses_unknown_columns),
      cmocka_unit_test(keeps_to_the_expected_schema),
      cmocka_unit_test(notices_a_cancel),
      cmocka_unit_test(writes_what_it_reads),
      cmocka_unit_test(writes_json_lines),
      cmocka_unit_test(writes_tsv_and_dialects),
      cmocka_unit_test(refuses_what_cannot_be_written),
      cmocka_unit_test(refuses_equal_keys),
      cmocka_unit_test(round_trips_any_text),
      cmocka_unit_test(writes_to_slow_pipes_until_cancelled),
  };
  return cmocka_run_group_tests_name("csv", tests, NULL, NULL);
}
