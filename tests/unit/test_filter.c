/* SPDX-License-Identifier: Apache-2.0 */
/* What the core applies itself: filters on every type, columns, limits; and that it copies only what it must. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "base/error.h"
#include "core/exact.h"
#include "core/session.h"
#include "core/target.h"

/* ---- A table of one row a line, of every type that filters know ---- */

static const struct { const char *name, *format; } columns[] = {
    {"row", "l"},  {"i8", "c"},      {"i64", "l"},       {"u64", "L"},      {"dec", "d:10,2"},    {"wide", "d:50,1,256"}, {"f32", "f"},
    {"f64", "g"},  {"txt", "u"},     {"bin", "z"},       {"fix", "w:2"},    {"yes", "b"},         {"day", "tdD"},         {"at", "tsu:UTC"},
    {"nano", "tsn:"}, {"clock", "ttu"}, {"nothing", "n"}, {"list", "+l"}};
enum { COLUMNS = sizeof columns / sizeof columns[0], ROWS = 6 };

static struct ArrowSchema table_schema(void) {
  struct ArrowSchema s;
  assert_int_equal(tn_schema_struct(&s, COLUMNS, NULL), TENON_OK);
  for (int i = 0; i < COLUMNS; i++) assert_int_equal(tn_schema_set(s.children[i], columns[i].name, columns[i].format, true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[COLUMNS - 1]->children[0], "item", "i", true, 0, NULL), TENON_OK);
  return s;
}

/* Row 5 is NULL in every column but the first. */
static void fill(tn_builder *b, int64_t first) {
  static const int8_t i8[] = {-128, -1, 0, 2, 127};
  static const int64_t i64[] = {INT64_MIN, -3, 2, 3, INT64_MAX};
  static const uint64_t u64[] = {0, 1, 3, UINT64_C(1) << 63, UINT64_MAX};
  static const int64_t dec[] = {-150, 0, 10, 250, 9999999999};
  static const double f[] = {-INFINITY, -0.0, 0.1, 2.5, NAN};
  static const char *const txt[] = {"", "a", "ab", "b", "\xC3\xA9"};
  static const int32_t day[] = {-1, 0, 19723, 19724, 20000};
  static const int64_t at[] = {-1, 0, INT64_C(1704067200000000), INT64_C(1704067200000001), INT64_C(1704153600000000)};
  for (int r = 0; r < ROWS; r++) {
    tn_column *c[COLUMNS];
    for (int i = 0; i < COLUMNS; i++) c[i] = tn_builder_column(b, i);
    assert_true(tn_append_i64(c[0], first + r));
    if (r == 5) {
      for (int i = 1; i < COLUMNS; i++) assert_true(tn_append_null(c[i]));
      continue;
    }
    __int128 d = dec[r];
    __int128 wide[2] = {dec[r], dec[r] < 0 ? -1 : 0};
    float f32 = (float)f[r];
    int64_t nano = at[r] * 1000 + (r == 3), clock = r * INT64_C(3600000000);
    char fix[2] = {'x', (char)('0' + r)};
    assert_true(tn_append_fixed(c[1], &i8[r]) && tn_append_i64(c[2], i64[r]) && tn_append_fixed(c[3], &u64[r]) && tn_append_fixed(c[4], &d) &&
                tn_append_fixed(c[5], wide) && tn_append_fixed(c[6], &f32) && tn_append_f64(c[7], f[r]) && tn_append_text(c[8], txt[r]) &&
                tn_append_text(c[9], txt[r]) && tn_append_fixed(c[10], fix) && tn_append_bool(c[11], r % 2) && tn_append_i32(c[12], day[r]) &&
                tn_append_i64(c[13], at[r]) && tn_append_i64(c[14], nano) && tn_append_i64(c[15], clock) && tn_append_null(c[16]));
    for (int k = 0; k < r; k++) assert_true(tn_append_i32(&c[17]->children[0], k));
    assert_true(tn_append_list(c[17]));
  }
}

/* ---- A stream of such batches ---- */

typedef struct source {
  tn_builder *builder;
  int64_t batches, made;
  int closed;
} source;

static tenon_status next_batch(void *self, struct ArrowArray *ret, tenon_error *err) {
  source *s = self;
  ret->release = NULL;
  if (s->made == s->batches) return TENON_OK;
  fill(s->builder, s->made++ * ROWS);
  return tn_builder_finish(s->builder, ROWS, ret, err);
}

static void close_source(void *self) { ((source *)self)->closed++; }

static tenon_rows open_rows(source *s, int64_t batches) {
  tenon_rows rows = {.struct_size = sizeof rows};
  rows.stream = (tenon_stream){.struct_size = sizeof rows.stream, .self = s, .schema = table_schema(), .next = next_batch, .close = close_source};
  *s = (source){.batches = batches};
  assert_int_equal(tn_builder_new(&rows.stream.schema, &s->builder, NULL), TENON_OK);
  return rows;
}

static void close_rows(tenon_rows *rows, source *s) {
  rows->stream.close(rows->stream.self);
  tn_schema_release(&rows->stream.schema);
  assert_int_equal(s->closed, 1);
  tn_builder_free(s->builder);
}

/* The first column's values of all rows that come, as "0,1,5". */
static void list_rows(tenon_rows *rows, char *text, size_t room) {
  size_t n = 0;
  text[0] = 0;
  for (;;) {
    struct ArrowArray a;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(rows->stream.next(rows->stream.self, &a, &err), TENON_OK);
    if (!a.release) return;
    if (tn_arrow_check(&rows->stream.schema, &a, &err)) fail_msg("%s", err.message);
    const int64_t *ids = (const int64_t *)a.children[0]->buffers[1] + a.children[0]->offset;
    for (int64_t i = 0; i < a.length; i++) n += (size_t)snprintf(text + n, room - n, "%s%lld", n ? "," : "", (long long)ids[i]);
    a.release(&a);
  }
}

static void expect(const char *where, const char *rows_expected) {
  tn_arena arena;
  tenon_filter *filters;
  size_t count;
  source s;
  char text[1200];
  tenon_error err = TENON_ERROR_INIT;
  tenon_read read = TENON_READ_INIT;
  tn_arena_init(&arena, 1 << 20);
  if (tn_where_parse(where, &arena, &filters, &count, &err)) fail_msg("%s: %s", where, err.message);
  read.filters = filters;
  read.filter_count = count;
  tenon_rows rows = open_rows(&s, 1);
  tenon_status status = tn_rows_complete(&read, &rows, &err);
  tn_arena_release(&arena); /* the request is only borrowed */
  if (status) {
    snprintf(text, sizeof text, "%s: %s", tenon_status_name(status), err.message);
    assert_int_equal(s.closed, 1);
    tn_builder_free(s.builder);
  } else {
    list_rows(&rows, text, sizeof text);
    close_rows(&rows, &s);
  }
  bool same = status ? strncmp(text, rows_expected, strlen(rows_expected)) == 0 : strcmp(text, rows_expected) == 0;
  if (!same) fail_msg("%s\n  expected %s\n  answered %s", where, rows_expected, text);
}

/* ---- The tests ---- */

static void numbers_compare_by_value(void **state) {
  (void)state;
  expect("i8 = -1", "1");
  expect("i8 > 1.5", "3,4");
  expect("i8 < -0.5", "0,1");
  expect("i8 = 1.5", "");
  expect("i8 <> 1.5", "0,1,2,3,4");
  expect("i8 <= 1000", "0,1,2,3,4");
  expect("i8 > -1000", "0,1,2,3,4");
  expect("i8 = '2'", "3");
  expect("i64 >= 2.5", "3,4");
  expect("i64 <= -9223372036854775808", "0");
  expect("i64 < -9223372036854775808", "");
  expect("i64 > 9223372036854775806", "4");
  expect("i64 < 9223372036854775808", "0,1,2,3,4");
  expect("i64 >= 99999999999999999999999999999999999999999999999999999999999999999999999999999999999999", "");
  expect("i64 in (2, 3.0, 4)", "2,3");
  expect("i64 between -3 and 2.9", "1,2");
  expect("i64 = 2e0", "2");
  expect("u64 >= 9223372036854775808", "3,4");
  expect("u64 = 18446744073709551615", "4");
  expect("u64 > -1", "0,1,2,3,4");
  expect("u64 < 0", "");
  expect("dec = 2.5", "3");
  expect("dec = 2.500", "3");
  expect("dec > 0.099", "2,3,4");
  expect("dec >= 0.101", "3,4");
  expect("dec < -1.499", "0");
  expect("dec <= 99999999.99", "0,1,2,3,4");
  expect("dec = 1e-1", "2");
  expect("wide = 25", "3");
  expect("wide > 0.95", "2,3,4");
  expect("wide < 0", "0");
  expect("wide <= 1e60", "0,1,2,3,4");
  expect("wide > 1e90", "");
}

static void floats_put_nan_last(void **state) {
  (void)state;
  expect("f64 = 0.1", "2");
  expect("f32 = 0.1", "2");
  expect("f64 = 0", "1");
  expect("f64 > 1e308", "4");
  expect("f64 = 'NaN'", "4");
  expect("f64 < 'NaN'", "0,1,2,3");
  expect("f64 >= '-inf'", "0,1,2,3,4");
  expect("f64 <= '-Infinity'", "0");
  expect("f32 <> 2.5", "0,1,2,4");
}

static void text_and_binary_compare_bytewise(void **state) {
  (void)state;
  expect("txt = ''", "0");
  expect("txt > 'a'", "2,3,4");
  expect("txt < 'b'", "0,1,2");
  expect("txt like 'a%'", "1,2");
  expect("txt like '%'", "0,1,2,3,4");
  expect("txt >= 'é'", "4");
  expect("bin = '\\x6162'", "2");
  expect("bin starts with '\\xC3'", "4");
  expect("bin < 'ab'", "0,1");
  expect("fix = 'x3'", "3");
  expect("fix in ('x0', 'x', 'x9')", "0");
}

static void times_and_booleans(void **state) {
  (void)state;
  expect("yes = true", "1,3");
  expect("yes < true", "0,2,4");
  expect("yes = 'FALSE'", "0,2,4");
  expect("day >= '2024-01-01'", "2,3,4");
  expect("day < '1970-01-01'", "0");
  expect("at = '2024-01-01T00:00:00Z'", "2");
  expect("at = '2024-01-01 02:00:00+02:00'", "2");
  expect("at >= '2024-01-01'", "2,3,4");
  expect("at > '2024-01-01 00:00:00'", "3,4");
  expect("nano = '2024-01-01 00:00:00'", "2");
  expect("nano > '2024-01-01 00:00:00.000001'", "3,4");
  expect("nano = '2024-01-01 00:00:00.000001001'", "3");
  expect("nano > '2024-01-01 00:00:00.000001001'", "4");
  expect("nano < '1970-01-01'", "0");
  expect("clock between '01:00' and '02:00:00.000'", "1,2");
}

static void nulls_are_asked_for_by_name(void **state) {
  (void)state;
  expect("i64 is null", "5");
  expect("i64 is not null", "0,1,2,3,4");
  expect("txt is null and i64 is null", "5");
  expect("list is null", "5");
  expect("list is not null", "0,1,2,3,4");
  expect("nothing is null", "0,1,2,3,4,5");
  expect("nothing is not null", "");
  expect("yes is null", "5");
}

static void what_does_not_fit_is_said(void **state) {
  (void)state;
  expect("i64 = 'abc'", "CONFIG: filter on column i64: 'abc' is not a number");
  expect("txt = 5", "CONFIG: filter on column txt: 5 is not a text");
  expect("day = '2024-02-30'", "CONFIG: filter on column day: '2024-02-30' is not a date");
  expect("nano = '2024-01-01T00:00:00Z'", "CONFIG: filter on column nano: ");
  expect("at = '2024-01-01T00:00:00.1234567891Z'", "CONFIG: filter on column at: ");
  expect("yes = 1", "CONFIG: filter on column yes: 1 is not true or false");
  expect("i64 like 'a%'", "CONFIG: filter on column i64: only text");
  expect("bin = '\\xZZ'", "CONFIG: filter on column bin: ");
  expect("list = 1", "UNSUPPORTED: filter on column list");
  expect("nope = 1", "NOT_FOUND: there is no column nope");
  expect("ROW = 1", "NOT_FOUND: there is no column ROW");
}

static void numbers_that_are_text_are_not_compared(void **state) {
  (void)state;
  struct ArrowSchema s;
  tenon_value nine = {.type = TENON_VALUE_TEXT, .data = "9", .size = 1};
  tenon_filter filter = {.column = "n", .op = TENON_GT, .values = &nine, .value_count = 1}, *converted;
  tenon_error err = TENON_ERROR_INIT;
  tn_arena arena;
  tn_arena_init(&arena, 1 << 16);
  assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "n", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_filters_convert(&s, &filter, 1, &arena, &converted, &err), TENON_OK);
  assert_int_equal(tn_schema_annotate(s.children[0], "tenon.type", "numeric(10,2)", NULL), TENON_OK);
  assert_int_equal(tn_filters_convert(&s, &filter, 1, &arena, &converted, &err), TENON_CONFIG);
  assert_non_null(strstr(err.remedy, "numeric_as"));
  filter.op = TENON_IS_NULL;
  filter.value_count = 0;
  assert_int_equal(tn_filters_convert(&s, &filter, 1, &arena, &converted, NULL), TENON_OK);
  s.release(&s);
  tn_arena_release(&arena);
}

static void read_with(tenon_read *read, int64_t batches, uint32_t applied, char *text, size_t room, struct ArrowSchema *ret) {
  source s;
  tenon_error err = TENON_ERROR_INIT;
  tenon_rows rows = open_rows(&s, batches);
  rows.applied = applied;
  if (tn_rows_complete(read, &rows, &err)) fail_msg("%s", err.message);
  list_rows(&rows, text, room);
  if (ret) assert_int_equal(tn_schema_copy(&rows.stream.schema, ret, NULL), TENON_OK);
  close_rows(&rows, &s);
}

static void columns_are_chosen_and_limits_kept(void **state) {
  (void)state;
  static const char *const wanted[] = {"row", "list", "txt", "wide"};
  tenon_value two = {.type = TENON_VALUE_INT, .i = 2};
  tenon_filter filter = {.column = "i8", .op = TENON_GE, .values = &two, .value_count = 1};
  struct ArrowSchema schema;
  char text[256];
  tenon_read read = TENON_READ_INIT;
  read.columns = wanted;
  read.column_count = 4;
  read.limit = 8;
  read_with(&read, 3, 0, text, sizeof text, &schema);
  assert_string_equal(text, "0,1,2,3,4,5,6,7");
  assert_int_equal(schema.n_children, 4);
  assert_string_equal(schema.children[3]->format, "d:50,1,256");
  schema.release(&schema);
  /* the filter's column is not among those that go out */
  read.filters = &filter;
  read.filter_count = 1;
  read.limit = 3;
  read_with(&read, 3, 0, text, sizeof text, NULL);
  assert_string_equal(text, "3,4,9");
  read.limit = 0;
  read_with(&read, 3, 0, text, sizeof text, NULL);
  assert_string_equal(text, "");
  read = (tenon_read)TENON_READ_INIT;
  read.limit = 2;
  read_with(&read, 1, TENON_APPLIED_LIMIT, text, sizeof text, NULL);
  assert_string_equal(text, "0,1,2,3,4,5");
}

static void a_column_twice_is_refused(void **state) {
  (void)state;
  static const char *const twice[] = {"row", "row"};
  source s;
  tenon_error err = TENON_ERROR_INIT;
  tenon_read read = TENON_READ_INIT;
  read.columns = twice;
  read.column_count = 2;
  tenon_rows rows = open_rows(&s, 1);
  assert_int_equal(tn_rows_complete(&read, &rows, &err), TENON_CONFIG);
  assert_int_equal(s.closed, 1);
  tn_builder_free(s.builder);
}

static void decimals_are_exact_to_256_bits(void **state) {
  (void)state;
  tn_exact e;
  assert_true(tn_exact_parse("-12.5", 5, 0, &e) && tn_exact_128(&e) == -13 && e.has_fraction);
  assert_true(tn_exact_parse("-12.50", 6, 1, &e) && tn_exact_128(&e) == -125 && !e.has_fraction);
  assert_true(tn_exact_parse("1e-400", 6, 2, &e) && tn_exact_128(&e) == 0 && e.has_fraction);
  assert_true(tn_exact_parse("-1e-400", 7, 2, &e) && tn_exact_128(&e) == -1 && e.has_fraction);
  assert_true(tn_exact_parse("0e999999999", 11, 2, &e) && tn_exact_128(&e) == 0 && !e.has_fraction);
  assert_true(tn_exact_parse("1e999999999", 11, 2, &e) && e.has_fraction && e.limbs[3] == UINT64_MAX >> 1);
  assert_true(tn_exact_parse("340282366920938463463374607431768211456", 39, 0, &e) && e.limbs[2] == 1 && e.limbs[0] == 0);
  static const char *const wrong[] = {"", "-", ".", "1.2.3", "1e", "1e+", "0x1", " 1", "1 ", "e5", "--1"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) assert_false(tn_exact_parse(wrong[i], strlen(wrong[i]), 0, &e));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_compare_by_value),         cmocka_unit_test(floats_put_nan_last),
      cmocka_unit_test(text_and_binary_compare_bytewise), cmocka_unit_test(times_and_booleans),
      cmocka_unit_test(nulls_are_asked_for_by_name),      cmocka_unit_test(what_does_not_fit_is_said),
      cmocka_unit_test(columns_are_chosen_and_limits_kept), cmocka_unit_test(a_column_twice_is_refused),
      cmocka_unit_test(decimals_are_exact_to_256_bits),
      cmocka_unit_test(numbers_that_are_text_are_not_compared),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
