/* SPDX-License-Identifier: Apache-2.0 */
/* Literals beside types, keys to go on after, rows picked out of any type, and batches put together. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "arrow/print.h"
#include "base/error.h"
#include "base/str.h"
#include "cases.h"
#include "core/apply.h"
#include "core/filters.h"
#include "core/stream.h"
#include "core/target.h"

/* ---- Literals ---- */

static void show_value(const tenon_value *v, tn_str *out) {
  switch (v->type) {
    case TENON_VALUE_BOOL: tn_str_puts(out, v->i ? " true" : " false"); break;
    case TENON_VALUE_INT: tn_str_printf(out, " %lld", (long long)v->i); break;
    case TENON_VALUE_DOUBLE: tn_str_printf(out, " %.16g", v->f); break;
    case TENON_VALUE_DECIMAL: tn_str_printf(out, " %.*s", (int)v->size, v->data); break;
    case TENON_VALUE_TEXT: tn_str_printf(out, " '%.*s'", (int)v->size, v->data); break;
    case TENON_VALUE_BYTES:
      tn_str_putc(out, ' ');
      for (size_t i = 0; i < v->size; i++) tn_str_printf(out, "%02x", (unsigned char)v->data[i]);
      break;
    case TENON_VALUE_DATE: tn_str_printf(out, " day %lld", (long long)v->i); break;
    case TENON_VALUE_TIME:
    case TENON_VALUE_TIMESTAMP:
      tn_str_printf(out, v->type == TENON_VALUE_TIME ? " time %lld" : " us %lld", (long long)v->i);
      if (v->size) tn_str_printf(out, " + %zu ns", v->size);
      break;
    case TENON_VALUE_NULL: tn_str_puts(out, " NULL"); break;
  }
}

static void show_filter(const tenon_filter *f, tn_str *out) {
  static const char *const names[] = {"=", "<>", "<", "<=", ">", ">=", "in", "between", "prefix",
                                      "null", "not null"};
  tn_str_puts(out, tn_filter_is_never(f) ? "never" : names[f->op]);
  for (size_t i = 0; i < f->value_count; i++) show_value(&f->values[i], out);
}

static void convert_case(const char *input, char *text, size_t room) {
  const char *split = strstr(input, ": ");
  char format[64] = "";
  struct ArrowSchema s;
  tn_arena arena;
  tn_str out;
  tenon_filter *parsed, *converted, *again;
  size_t n;
  tenon_error err = TENON_ERROR_INIT;
  tn_arena_init(&arena, 1 << 20);
  tn_str_init(&out, 1000);
  memcpy(format, input, (size_t)(split - input));
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "c", format, true, 0, NULL), TENON_OK);
  if (tn_where_parse(split + 2, &arena, &parsed, &n, &err) ||
      tn_filters_convert(&s, parsed, n, &arena, &converted, &err)) {
    snprintf(text, room, "error: %s", err.message);
  } else {
    show_filter(converted, &out);
    snprintf(text, room, "%s", tn_str_text(&out));
    /* converting again changes nothing */
    assert_int_equal(tn_filters_convert(&s, converted, n, &arena, &again, NULL), TENON_OK);
    tn_str_clear(&out);
    show_filter(again, &out);
    assert_string_equal(text, tn_str_text(&out));
  }
  tn_str_release(&out);
  tn_arena_release(&arena);
  s.release(&s);
}

static void literals_meet_types(void **state) {
  (void)state;
  tn_run_cases("literals", 80, convert_case);
}

/* ---- A table of nested columns, row numbers first ---- */

enum { ROWS = 500, COLUMNS = 9 };

static struct ArrowSchema nested_schema(void) {
  struct ArrowSchema s;
  static const char *const formats[COLUMNS] = {"l", "u", "b", "+l", "+s", "+m", "+w:3", "U", "w:5"};
  assert_int_equal(tn_schema_struct(&s, COLUMNS, NULL), TENON_OK);
  for (int i = 0; i < COLUMNS; i++) {
    char name[8];
    snprintf(name, sizeof name, "c%d", i);
    assert_int_equal(tn_schema_set(s.children[i], i ? name : "row", formats[i], i > 0,
                                   i == 4 ? 2 : 0, NULL), TENON_OK);
  }
  assert_int_equal(tn_schema_set(s.children[3]->children[0], "item", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[0], "a", "i", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[1], "b", "+l", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[1]->children[0], "item", "b", true, 0,
                                 NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[5]->children[0]->children[0], "key", "u", false, 0,
                                 NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[5]->children[0]->children[1], "value", "i", true, 0,
                                 NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[6]->children[0], "item", "s", true, 0, NULL), TENON_OK);
  return s;
}

static bool null_here(int row, int column) { return row * 7 % 11 == column; }

static bool add_row(tn_builder *b, int64_t row) {
  tn_column *c[COLUMNS];
  char text[40];
  int r = (int)row;
  for (int i = 0; i < COLUMNS; i++) c[i] = tn_builder_column(b, i);
  bool ok = tn_append_i64(c[0], row);
  snprintf(text, sizeof text, "text %d %.*s", r, r % 20, "aaaaaaaaaaaaaaaaaaaa");
  for (int i = 1; i < COLUMNS; i++) {
    if (null_here(r, i)) ok = ok && tn_append_null(c[i]);
    else if (i == 1 || i == 7) ok = ok && tn_append_text(c[i], text);
    else if (i == 2) ok = ok && tn_append_bool(c[i], r % 3 == 0);
    else if (i == 8) ok = ok && tn_append_fixed(c[i], text);
    if (null_here(r, i)) continue;
    if (i == 3) {
      for (int k = 0; k < r % 4; k++)
        ok = ok && (k == 2 ? tn_append_null(&c[i]->children[0])
                    : tn_append_text(&c[i]->children[0], text + k));
      ok = ok && tn_append_list(c[i]);
    } else if (i == 4) {
      ok = ok && (r % 5 ? tn_append_i32(&c[i]->children[0], r)
                  : tn_append_null(&c[i]->children[0]));
      for (int k = 0; k < r % 3; k++)
        ok = ok && tn_append_bool(&c[i]->children[1].children[0], k & 1);
      ok = ok && tn_append_list(&c[i]->children[1]) && tn_append_struct(c[i]);
    } else if (i == 5) {
      for (int k = 0; k < r % 3; k++)
        ok = ok && tn_append_text(&c[i]->children[0].children[0], text + k) &&
            tn_append_i32(&c[i]->children[0].children[1], k) &&
             tn_append_struct(&c[i]->children[0]);
      ok = ok && tn_append_list(c[i]);
    } else if (i == 6) {
      for (int16_t k = 0; k < 3; k++) ok = ok && tn_append_fixed(&c[i]->children[0], &k);
      ok = ok && tn_append_list(c[i]);
    }
  }
  return ok;
}

/* Batches of `batch` rows, `rows` in all; each is a slice with an offset if `shifted`. */
typedef struct source {
  tn_builder *builder;
  int64_t next, rows, batch;
  bool shifted;
  int pause_ms;
} source;

static tenon_status next_batch(void *self, struct ArrowArray *ret, tenon_error *err) {
  source *s = self;
  int64_t n = 0;
  ret->release = NULL;
  if (s->pause_ms) usleep((useconds_t)s->pause_ms * 1000);
  if (s->next == s->rows) return TENON_OK;
  bool ok = true;
  if (s->shifted) ok = add_row(s->builder, -1 - s->next), n++;   /* a row that the offset hides */
  for (; ok && s->next < s->rows && n < s->batch + s->shifted; n++)
    ok = add_row(s->builder, s->next++);
  if (!ok) return tn_append_failed(err);
  tenon_status status = tn_builder_finish(s->builder, n, ret, err);
  if (s->shifted && !status) {
    ret->offset = 1;
    ret->length--;
  }
  return status;
}

static void close_source(void *self) { tn_builder_free(((source *)self)->builder); }

static tenon_rows open_rows(source *s) {
  tenon_rows rows = {.struct_size = sizeof rows};
  rows.stream = (tenon_stream){.struct_size = sizeof rows.stream, .self = s,
                               .schema = nested_schema(), .next = next_batch, .close =
                                   close_source};
  assert_int_equal(tn_builder_new(&rows.stream.schema, &s->builder, NULL), TENON_OK);
  return rows;
}

/* What each row is, as JSON, straight out of the source. */
static char *expected[ROWS];

static void print_row(const struct ArrowSchema *schema, const struct ArrowArray *a, int64_t i,
                      tn_str *out) {
  for (int64_t c = 0; c < a->n_children; c++) {
    tn_printer *p;
    struct ArrowArray column = *a->children[c];
    assert_int_equal(tn_printer_new(schema->children[c], &p, NULL), TENON_OK);
    assert_int_equal(tn_print_json(p, &column, a->offset + i, out, NULL), TENON_OK);
    tn_str_putc(out, ' ');
    tn_printer_free(p);
  }
}

static int make_expected(void **state) {
  (void)state;
  source s = {.rows = ROWS, .batch = ROWS};
  tenon_rows rows = open_rows(&s);
  struct ArrowArray a;
  if (rows.stream.next(rows.stream.self, &a, NULL)) return -1;
  for (int64_t i = 0; i < ROWS; i++) {
    tn_str out;
    tn_str_init(&out, 4000);
    print_row(&rows.stream.schema, &a, i, &out);
    expected[i] = tn_str_move(&out);
  }
  a.release(&a);
  tn_stream_close(&rows.stream);
  return 0;
}

static int drop_expected(void **state) {
  (void)state;
  for (int i = 0; i < ROWS; i++) tn_free(expected[i]);
  return 0;
}

/* Reads what comes, compares it with the rows wanted; answers how many batches there were. */
static int compare(tenon_rows *rows, const int64_t *wanted, size_t count) {
  size_t n = 0;
  int batches = 0;
  for (;; batches++) {
    struct ArrowArray a;
    tenon_error err = TENON_ERROR_INIT;
    if (rows->stream.next(rows->stream.self, &a, &err)) fail_msg("%s", err.message);
    if (!a.release) break;
    if (tn_arrow_check(&rows->stream.schema, &a, &err)) fail_msg("%s", err.message);
    for (int64_t i = 0; i < a.length; i++) {
      tn_str out;
      tn_str_init(&out, 4000);
      print_row(&rows->stream.schema, &a, i, &out);
      assert_true(n < count);
      assert_string_equal(tn_str_text(&out), expected[wanted[n]]);
      tn_str_release(&out);
      n++;
    }
    a.release(&a);
  }
  assert_int_equal(n, count);
  tn_stream_close(&rows->stream);
  return batches;
}

static unsigned seed = 1;

static unsigned dice(unsigned sides) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % sides;
}

static void any_rows_of_any_type_come_out_the_same(void **state) {
  (void)state;
  for (int round = 0; round < 60; round++) {
    source s = {.rows = 1 + dice(ROWS), .batch = 1 + dice(120), .shifted = dice(2)};
    tenon_value values[ROWS];
    int64_t wanted[ROWS];
    size_t count = 0;
    unsigned often = 1 + dice(20);
    bool runs = dice(2), on = false;
    for (int64_t i = 0; i < s.rows; i++) {
      on = runs ? (dice(often) == 0 ? !on : on) : dice(often) == 0;
      if (!on) continue;
      values[count] = (tenon_value){.type = TENON_VALUE_INT, .i = i};
      wanted[count++] = i;
    }
    tenon_filter filter = {.column = "row", .op = TENON_IN, .values = values, .value_count = count};
    tenon_read read = TENON_READ_INIT;
    read.filters = &filter;
    read.filter_count = 1;
    if (dice(3) == 0) {
      read.limit = dice(40);
      if ((size_t)read.limit < count) count = (size_t)read.limit;
    }
    tenon_rows rows = open_rows(&s);
    assert_int_equal(tn_rows_complete(&read, &rows, NULL), TENON_OK);
    compare(&rows, wanted, count);
  }
}

static void few_rows_of_many_batches_come_together(void **state) {
  (void)state;
  tenon_value values[] = {{.type = TENON_VALUE_INT, .i = 3}, {.type = TENON_VALUE_INT, .i = 77},
                          {.type = TENON_VALUE_INT, .i = 480}};
  const int64_t wanted[] = {3, 77, 480};
  tenon_filter filter = {.column = "row", .op = TENON_IN, .values = values, .value_count = 3};
  tenon_read read = TENON_READ_INIT;
  read.filters = &filter;
  read.filter_count = 1;
  source s = {.rows = ROWS, .batch = 10};
  tenon_rows rows = open_rows(&s);
  assert_int_equal(tn_rows_complete(&read, &rows, NULL), TENON_OK);
  assert_int_equal(compare(&rows, wanted, 3), 1);
  /* but not if the system is slow: what is there comes within a fifth of a second */
  s = (source){.rows = 60, .batch = 20, .pause_ms = 250};
  rows = open_rows(&s);
  filter.value_count = 2;
  filter.values = (tenon_value[]){{.type = TENON_VALUE_INT, .i = 3},
                                  {.type = TENON_VALUE_INT, .i = 50}};
  assert_int_equal(tn_rows_complete(&read, &rows, NULL), TENON_OK);
  assert_int_equal(compare(&rows, (const int64_t[]){3, 50}, 2), 2);
}

/* ---- Keys to go on after ---- */

typedef struct pair {
  int a, b;   /* -1: NULL */
} pair;

static tenon_status next_pairs(void *self, struct ArrowArray *ret, tenon_error *err) {
  struct { tn_builder *b; const pair *p; size_t n; bool done; } *s = self;
  ret->release = NULL;
  if (s->done) return TENON_OK;
  s->done = true;
  for (size_t i = 0; i < s->n; i++) {
    char text[16];
    snprintf(text, sizeof text, "b%d", s->p[i].b);
    tn_column *a = tn_builder_column(s->b, 0), *b = tn_builder_column(s->b, 1);
    assert_true(s->p[i].a < 0 ? tn_append_null(a) : tn_append_i64(a, s->p[i].a));
    assert_true(s->p[i].b < 0 ? tn_append_null(b) : tn_append_text(b, text));
  }
  return tn_builder_finish(s->b, (int64_t)s->n, ret, err);
}

static void close_pairs(void *self) { tn_builder_free(*(tn_builder **)self); }

static int order_of(int x, int y, bool down) {
  if (x < 0 || y < 0) return (x < 0) - (y < 0);
  return down ? y - x : x - y;
}

static void rows_behind_a_key(void **state) {
  (void)state;
  enum { N = 36 };
  pair p[N];
  for (int i = 0; i < N; i++) p[i] = (pair){i / 6 - 1, i % 6 - 1};
  for (int mode = 0; mode < 4; mode++) {
    const tenon_order order[] = {{.column = "a", .descending = mode & 1},
                                 {.column = "b", .descending = mode >> 1}};
    for (int k = 0; k < N; k++) {
      char text[16];
      snprintf(text, sizeof text, "b%d", p[k].b);
      const tenon_value key[] = {{.type = p[k].a < 0 ? TENON_VALUE_NULL : TENON_VALUE_INT,
                                  .i = p[k].a},
                                 {.type = p[k].b < 0 ? TENON_VALUE_NULL : TENON_VALUE_TEXT,
                                  .data = text, .size = strlen(text)}};
      tenon_read read = TENON_READ_INIT;
      read.order = order;
      read.order_count = 2;
      read.after = key;
      tenon_rows rows = {.struct_size = sizeof rows, .applied = TENON_APPLIED_ORDER};
      struct { tn_builder *b; const pair *p; size_t n; bool done; } s = {.p = p, .n = N};
      struct ArrowSchema schema;
      assert_int_equal(tn_schema_struct(&schema, 2, NULL), TENON_OK);
      assert_int_equal(tn_schema_set(schema.children[0], "a", "l", true, 0, NULL), TENON_OK);
      assert_int_equal(tn_schema_set(schema.children[1], "b", "u", true, 0, NULL), TENON_OK);
      assert_int_equal(tn_builder_new(&schema, &s.b, NULL), TENON_OK);
      rows.stream = (tenon_stream){.struct_size = sizeof rows.stream, .self = &s, .schema = schema,
                                   .next = next_pairs, .close = close_pairs};
      assert_int_equal(tn_rows_complete(&read, &rows, NULL), TENON_OK);
      int64_t came = 0, wanted = 0;
      struct ArrowArray a;
      while (rows.stream.next(rows.stream.self, &a, NULL) == TENON_OK && a.release) {
        came += a.length;
        a.release(&a);
      }
      for (int i = 0; i < N; i++) {
        int c = order_of(p[i].a, p[k].a, mode & 1);
        if (c == 0) c = order_of(p[i].b, p[k].b, mode >> 1);
        wanted += c > 0;
      }
      assert_int_equal(came, wanted);
      tn_stream_close(&rows.stream);
    }
  }
}

static void an_order_is_not_made_up(void **state) {
  (void)state;
  const tenon_order order = {.column = "row"};
  source s = {.rows = 1, .batch = 1};
  tenon_read read = TENON_READ_INIT;
  read.order = &order;
  read.order_count = 1;
  tenon_rows rows = open_rows(&s);
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_rows_complete(&read, &rows, &err), TENON_UNSUPPORTED);
}

static void failing_allocations(void **state) {
  (void)state;
  static const char *const columns[] = {"c3", "row"};
  tenon_value v = {.type = TENON_VALUE_TEXT, .data = "text 1", .size = 6};
  tenon_filter filter = {.column = "c1", .op = TENON_PREFIX, .values = &v, .value_count = 1};
  tenon_read read = TENON_READ_INIT;
  read.filters = &filter;
  read.filter_count = 1;
  read.columns = columns;
  read.column_count = 2;
  for (int64_t n = 1; n < 2000; n++) {
    source s = {.rows = 40, .batch = 20};
    tenon_rows rows = open_rows(&s);
    tn_mem_fail_at(n, 0);
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = tn_rows_complete(&read, &rows, &err);
    if (!status) {
      struct ArrowArray a;
      while (!(status = rows.stream.next(rows.stream.self, &a, &err)) && a.release) a.release(&a);
      tn_stream_close(&rows.stream);
    }
    int64_t made = tn_mem_count();
    tn_mem_fail_at(0, 0);
    if (made < n) return;
    if (status && status != TENON_LIMITED)
      fail_msg("%lld: %s %s", (long long)n, tenon_status_name(status), err.message);
  }
  fail_msg("it never ends");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(literals_meet_types),
      cmocka_unit_test(any_rows_of_any_type_come_out_the_same),
      cmocka_unit_test(few_rows_of_many_batches_come_together),
      cmocka_unit_test(rows_behind_a_key),
      cmocka_unit_test(an_order_is_not_made_up),
      cmocka_unit_test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, make_expected, drop_expected);
}
