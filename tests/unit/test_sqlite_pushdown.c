/* SPDX-License-Identifier: Apache-2.0 */
/* What SQLite is given to do: filters, orders and keys to go on after, exactly. */
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
#include "base/ctx.h"
#include "base/error.h"
#include "unit/show_rows.h"
#include "unit/sqlite_fixture.h"


/* ---- What SQLite applies ---- */

/* One row of each kind of value, NULLs among them, in an order that is none of the columns'. */
static const char pushed_sql[] =
    "CREATE TABLE p (id INTEGER PRIMARY KEY, i INT, r REAL, t TEXT COLLATE NOCASE, b BLOB, f "
    "BOOLEAN, d DATE, n DECIMAL(10,2), z TIMESTAMPTZ);"
    "INSERT INTO p VALUES"
    "(1, 5, 1.5, 'b', x'62', 1, '2020-01-02', 1.10, '2020-01-02 00:00:00Z'),"
    "(2, -3, -0.0, 'B', x'', 0, '1999-12-31', -1.1, '2020-01-01T00:00:00Z'),"
    "(3, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),"
    "(4, 5, 9e999, 'ba', x'6200', 1, '2020-01-02', 100, '2020-01-01 12:00Z'),"
    "(5, 9007199254740993, 0.1, 'h\xc3\xa9', x'ff', 0, '0001-01-01', 0, '1970-01-01Z'),"
    "(6, 9007199254740992, 1e300, '', x'00', 1, '9999-12-31', 99999999.99, NULL),"
    "(7, 0, -1e-300, 'a', x'61ff', 0, NULL, 0.07, '2020-01-02 00:00:00.5Z'),"
    "(8, NULL, 2, 'Ba', x'6100', NULL, '2020-02-29', 0.1, '2020-01-02Z')";

#define INT(n) {.type = TENON_VALUE_INT, .i = (n)}
#define REAL(x) {.type = TENON_VALUE_DOUBLE, .f = (x)}
#define TEXT(x) {.type = TENON_VALUE_TEXT, .data = (x), .size = sizeof(x) - 1}
#define BYTES(x) {.type = TENON_VALUE_BYTES, .data = (x), .size = sizeof(x) - 1}
#define BOOL(n) {.type = TENON_VALUE_BOOL, .i = (n)}
#define DATE(n) {.type = TENON_VALUE_DATE, .i = (n)}
#define DEC(x) {.type = TENON_VALUE_DECIMAL, .data = (x), .size = sizeof(x) - 1}
#define NONE {.type = TENON_VALUE_NULL}

/* filter, ids that meet it, whether SQLite is to apply it */
static const struct {
  const char *column;
  tenon_filter_op op;
  tenon_value values[3];
  size_t count;
  const char *ids;
  bool pushed;
} filters[] = {
    {"i", TENON_EQ, {INT(5)}, 1, "1 4", true},
    {"i", TENON_NE, {INT(5)}, 1, "2 5 6 7", true},
    {"i", TENON_GT, {INT(INT64_C(9007199254740992))}, 1, "5", true},
    {"i", TENON_LT, {INT(0)}, 1, "2", true},
    {"i", TENON_LE, {INT(0)}, 1, "2 7", true},
    {"i", TENON_IN, {INT(0), INT(5), INT(77)}, 3, "1 4 7", true},
    {"i", TENON_BETWEEN, {INT(-3), INT(5)}, 2, "1 2 4 7", true},
    {"i", TENON_IS_NULL, {NONE}, 0, "3 8", true},
    {"i", TENON_IS_NOT_NULL, {NONE}, 0, "1 2 4 5 6 7", true},
    {"i", TENON_EQ, {NONE}, 1, NULL, false},
    {"i", TENON_IN, {INT(5), NONE}, 2, NULL, false},
    {"r", TENON_EQ, {REAL(0.0)}, 1, "2", true},
    {"r", TENON_GT, {REAL(1.5)}, 1, "4 6 8", true},
    {"r", TENON_LT, {REAL(0.0)}, 1, "7", true},
    {"r", TENON_GE, {REAL(__builtin_inf())}, 1, "4", true},
    {"r", TENON_LT, {REAL(__builtin_nan(""))}, 1, NULL, false},
    {"t", TENON_EQ, {TEXT("b")}, 1, "1", true},
    {"t", TENON_NE, {TEXT("b")}, 1, "2 4 5 6 7 8", true},
    {"t", TENON_LT, {TEXT("a")}, 1, "2 6 8", true},
    {"t", TENON_GE, {TEXT("b")}, 1, "1 4 5", true},
    {"t", TENON_PREFIX, {TEXT("b")}, 1, "1 4", true},
    {"t", TENON_PREFIX, {TEXT("B")}, 1, "2 8", true},
    {"t", TENON_PREFIX, {TEXT("h\xc3\xa9")}, 1, "5", true},
    {"t", TENON_PREFIX, {TEXT("")}, 1, "1 2 4 5 6 7 8", true},
    {"t", TENON_PREFIX, {TEXT("h_")}, 1, "", true},
    {"t", TENON_EQ, {TEXT("")}, 1, "6", true},
    {"b", TENON_EQ, {BYTES("")}, 1, "2", true},
    {"b", TENON_GT, {BYTES("\x61")}, 1, "1 4 5 7 8", true},
    {"b", TENON_PREFIX, {BYTES("\xff")}, 1, "5", true},
    {"b", TENON_PREFIX, {BYTES("a\xff")}, 1, "7", true},
    {"b", TENON_PREFIX, {BYTES("b")}, 1, "1 4", true},
    {"f", TENON_EQ, {BOOL(1)}, 1, "1 4 6", true},
    {"f", TENON_LT, {BOOL(1)}, 1, "2 5 7", true},
    {"d", TENON_EQ, {DATE(18263)}, 1, "1 4", true},
    {"d", TENON_GT, {DATE(18263)}, 1, "6 8", true},
    {"d", TENON_LT, {DATE(-719162 + 1)}, 1, "5", true},
    {"d", TENON_LT, {DATE(3000000)}, 1, NULL, false},
    {"n", TENON_EQ, {DEC("1.10")}, 1, "1", true},
    {"n", TENON_EQ, {DEC("0.10")}, 1, "8", true},
    {"n", TENON_GT, {DEC("0.07")}, 1, "1 4 6 8", true},
    {"n", TENON_LE, {DEC("0.07")}, 1, "2 5 7", true},
    {"n", TENON_EQ, {DEC("100.00")}, 1, "4", true},
    {"n", TENON_GE, {DEC("99999999.99")}, 1, "6", true},
    {"n", TENON_LT, {DEC("12345678901234567890.1")}, 1, NULL, false},
    {"z", TENON_IS_NULL, {NONE}, 0, "3 6", true},
    {"i", TENON_EQ, {TEXT("5")}, 1, NULL, false},
};

/* Of each row its first cell: behind it are the columns that are only checked. */
static void expect_ids(fixture *f, const tenon_read *req, const char *ids, tenon_rows *rows) {
  if (db_read(f, req, rows)) fail_msg("%s", f->err.message);
  char got[256] = "";
  for (const char *line = db_shown; *line; line = strchr(line, '\n') + 1) {
    size_t n = strlen(got);
    snprintf(got + n, sizeof got - n, "%s%.*s", n ? " " : "", (int)strcspn(line, "|\n"), line);
  }
  if (strcmp(got, ids) != 0) fail_msg("got %s, expected %s", got, ids);
}

static void filters_are_exact(void **state) {
  (void)state;
  const tenon_order by_id = {"id", 0};
  db_make("pushed.db", pushed_sql);
  for (int index = 0; index < 2; index++) {
    fixture f;
    db_begin(&f, "pushed.db");
    for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
      tenon_filter filter = {filters[i].column, filters[i].op, filters[i].values, filters[i].count};
      tenon_read req = table_read("p");
      req.columns = (const char *const[]){"id"};
      req.column_count = 1;
      req.filters = &filter;
      req.filter_count = 1;
      req.order = &by_id;
      req.order_count = 1;
      req.limit = 100;
      tenon_rows rows;
      expect_ids(&f, &req, filters[i].pushed ? filters[i].ids : "1 2 3 4 5 6 7 8", &rows);
      assert_int_equal(rows.filters_applied, filters[i].pushed);
      bool whole = filters[i].op == TENON_IS_NULL;   /* nothing else has to be looked at */
      assert_int_equal(rows.applied, (whole ? TENON_APPLIED_COLUMNS : 0) | TENON_APPLIED_ORDER |
                                         (filters[i].pushed ? TENON_APPLIED_LIMIT : 0));
      req.special_values =
          TENON_SPECIAL_NULL; /* a misfit would be NULL, which SQLite does not know */
      assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
      assert_int_equal(rows.filters_applied, 0);
    }
    db_end(&f);
    sqlite3 *db = db_writer("pushed.db"); /* the same by way of indexes */
    db_run(db,
        "CREATE INDEX IF NOT EXISTS pi ON p (i); CREATE INDEX IF NOT EXISTS pt ON p (t); CREATE "
        "INDEX IF NOT EXISTS pu ON p (t COLLATE BINARY);"
        "CREATE INDEX IF NOT EXISTS pd ON p (d); CREATE INDEX IF NOT EXISTS pn ON p (n); CREATE "
        "INDEX IF NOT EXISTS pr ON p (r)");
    sqlite3_close(db);
  }
}

/* Times have several spellings; those with an offset get the days around them, which leave nothing
 * out. */
static void times_are_compared(void **state) {
  (void)state;
  fixture f;
  db_make("times.db",
       "CREATE TABLE w (id INTEGER PRIMARY KEY, ts DATETIME, z TIMESTAMPTZ, c TIME); INSERT INTO w "
       "VALUES"
       "(1, '2020-01-01', '2020-01-01T00:00:00Z', '12:00'), (2, '2020-01-01 23:59:59.999999', "
       "'2020-01-01 23:59:59+00:00', '12:00:00.5'),"
       "(3, '2020-01-02T00:00', '2020-01-03 12:00:00+23:59', '12:00:00'), (4, '2020-01-02 "
       "00:00:00', '2019-12-31 20:00:00-23:59', '00:00:00.000'),"
       "(5, '2019-12-31 23:59', '2018-01-01 00:00Z', '23:59'), (6, NULL, NULL, NULL), (7, "
       "'2020-01-02 00:00:00.0000000', '2022-01-01 00:00Z', '12:00:00.500')");
  db_begin(&f, "times.db");
  const int64_t noon = INT64_C(1577880000000000),
                half_day = INT64_C(43200000000); /* 2020-01-01 12:00 */
  tenon_value at_noon[2] = {{.type = TENON_VALUE_TIMESTAMP, .i = noon},
                            {.type = TENON_VALUE_TIMESTAMP, .i = noon + half_day}};
  tenon_value at_night[2] = {{.type = TENON_VALUE_TIMESTAMP, .i = noon + half_day},
                             {.type = TENON_VALUE_TIMESTAMP, .i = noon}};
  tenon_value of_day[2] = {{.type = TENON_VALUE_TIME, .i = half_day},
                           {.type = TENON_VALUE_TIME, .i = half_day + 500000}};
  const struct {
    const char *column;
    tenon_filter_op op;
    tenon_value *values;
    size_t count;
    const char *ids;
    bool pushed;
  } cases[] = {{"ts", TENON_GE, at_noon, 1, "2 3 4 7", true},
               {"ts", TENON_LT, at_noon, 1, "1 5", true},
               {"ts", TENON_EQ, at_night, 1, "3 4 7", true},
               {"ts", TENON_NE, at_night, 1, "1 2 5", true},
               {"ts", TENON_BETWEEN, at_noon, 2, "2 3 4 7", true},
               {"ts", TENON_LT, at_night, 1, "1 2 5", true},
               {"ts", TENON_IN, at_night, 2, "3 4 7", true},
               {"c", TENON_EQ, of_day, 1, "1 3", true},
               {"c", TENON_GT, of_day, 1, "2 5 7", true},
               {"c", TENON_BETWEEN, of_day, 2, "1 2 3 7", true},
               {"z", TENON_GE, at_noon, 1, "1 2 3 4 7", false},
               {"z", TENON_LE, at_noon, 1, "1 2 4 5", false},
               {"z", TENON_EQ, at_noon, 1, "1 2 4", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tenon_filter filter = {cases[i].column, cases[i].op, cases[i].values, cases[i].count};
    tenon_read req = table_read("w");
    req.columns = (const char *const[]){"id"};
    req.column_count = 1;
    req.filters = &filter;
    req.filter_count = 1;
    req.limit = 100;
    tenon_rows rows;
    expect_ids(&f, &req, cases[i].ids, &rows);
    assert_int_equal(rows.filters_applied, cases[i].pushed);
    assert_int_equal(rows.applied, cases[i].pushed ? TENON_APPLIED_LIMIT : 0);
  }
  const tenon_order order[] = {{"ts", 0}, {"c", 1}, {"id", 0}};
  tenon_read req = table_read("w");
  req.columns = (const char *const[]){"id"};
  req.column_count = 1;
  req.order = order;
  req.order_count = 3;
  tenon_rows rows;
  expect_ids(&f, &req, "5 1 2 7 3 4 6", &rows);
  assert_int_equal(rows.applied, TENON_APPLIED_ORDER);
  tenon_value after[3] = {at_night[0], of_day[0], {.type = TENON_VALUE_INT, .i = 3}};
  req.after = after;
  expect_ids(&f, &req, "4 6", &rows);
  assert_true(rows.applied & TENON_APPLIED_AFTER);
  db_end(&f);
}

static void orders_are_exact(void **state) {
  (void)state;
  static const struct { const char *column; bool descending; const char *ids;
  } orders[] = {{"i", false, "2 7 1 4 6 5 3 8"}, {"i", true, "5 6 1 4 7 2 3 8"},
                {"r", false, "7 2 5 1 8 6 4 3"}, {"t", false, "6 2 8 7 1 4 5 3"},
                {"t", true, "5 4 1 7 8 2 6 3"},  {"b", false, "2 6 8 7 1 4 5 3"},
                {"f", false, "2 5 7 1 4 6 3 8"}, {"d", true, "6 8 1 4 2 5 3 7"},
                {"n", false, "2 5 7 8 1 4 6 3"}};
  fixture f;
  db_make("pushed.db", pushed_sql);
  db_begin(&f, "pushed.db");
  tenon_rows rows;
  for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
    tenon_order order[] = {{orders[i].column, orders[i].descending}, {"id", 0}};
    tenon_read req = table_read("p");
    req.columns = (const char *const[]){"id"};
    req.column_count = 1;
    req.order = order;
    req.order_count = 2;
    expect_ids(&f, &req, orders[i].ids, &rows);
    assert_true(rows.applied & TENON_APPLIED_ORDER);
    req.limit = 2;
    char first[4];
    snprintf(first, sizeof first, "%s", orders[i].ids);
    expect_ids(&f, &req, first, &rows);
    assert_true(rows.applied & TENON_APPLIED_LIMIT);
    req.special_values = TENON_SPECIAL_NULL;
    db_read(&f, &req, &rows);
    assert_int_equal(rows.applied, 0); /* neither order nor limit */
  }
  tenon_order by_time = {"z", 0};
  tenon_read req = table_read("p");
  req.order = &by_time;
  req.order_count = 1;
  req.limit = 1;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS);
  db_end(&f);
}

/* Reading row after row, each behind the last, gives the whole in order: nothing twice, nothing
 * lost. */
static void resumes_behind_a_row(void **state) {
  (void)state;
  fixture f;
  db_make("pushed.db", pushed_sql);
  db_begin(&f, "pushed.db");
  static const char *const columns[] = {"i", "id"};
  for (int descending = 0; descending < 2; descending++) {
    tenon_order order[] = {{"i", (uint8_t)descending}, {"id", 0}};
    tenon_value after[2];
    char ids[64] = "";
    tenon_read req = table_read("p");
    req.columns = columns;
    req.column_count = 2;
    req.order = order;
    req.order_count = 2;
    req.limit = 1;
    for (int row = 0; row < 10; row++) {
      tenon_rows rows;
      if (db_read(&f, &req, &rows)) fail_msg("%s", f.err.message);
      assert_int_equal(rows.applied & TENON_APPLIED_AFTER, row ? TENON_APPLIED_AFTER : 0);
      if (!db_shown[0]) break;
      char *end_of_i;
      int64_t i = strtoll(db_shown, &end_of_i, 10),
              id = strtoll(strchr(db_shown, '|') + 1, NULL, 10);
      after[0] =
          (tenon_value){.type = db_shown[0] == '~' ? TENON_VALUE_NULL : TENON_VALUE_INT, .i = i};
      after[1] = (tenon_value){.type = TENON_VALUE_INT, .i = id};
      req.after = after;
      snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%d ", (int)id);
    }
    assert_string_equal(ids, descending ? "5 6 1 4 7 2 3 8 " : "2 7 1 4 6 5 3 8 ");
  }
  db_end(&f);
}

/* Rows that a filter leaves out are not checked; but another class in its own column is an error,
 * not an empty answer. */
static void misfits_and_filters(void **state) {
  (void)state;
  fixture f;
  db_make("mixed.db",
       "CREATE TABLE m (id INTEGER PRIMARY KEY, i INT, d DATE, t TEXT, ts DATETIME, b BLOB);"
       "INSERT INTO m VALUES (1, 5, '2020-01-01', 'x', '2020-01-01', x''), (2, 'x', 18262, x'00', "
       "1577836800, 'text'), (3, 7, NULL, 'y', NULL, x'00')");
  db_begin(&f, "mixed.db");
  const struct { const char *column; tenon_value value;
  } cases[] = {{"i", INT(5)},
               {"d", DATE(18262)},
               {"t", TEXT("x")},
               {"ts", {.type = TENON_VALUE_TIMESTAMP, .i = INT64_C(1577836800000000)}},
               {"b", BYTES("")}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (tenon_filter_op op = TENON_EQ; op <= TENON_GE; op++) {
      tenon_filter filter = {cases[i].column, op, &cases[i].value, 1};
      tenon_read req = table_read("m");
      req.columns = &cases[i].column;
      req.column_count = 1;
      req.filters = &filter;
      req.filter_count = 1;
      char message[64];
      snprintf(message, sizeof message, "column %s, row", cases[i].column);
      db_expect_failure(&f, &req, TENON_DATA, message);
      req.columns = (const char *const[]){"id"};   /* the same where the column is not asked for */
      db_expect_failure(&f, &req, TENON_DATA, message);
    }
    tenon_read ordered = table_read("m");
    ordered.columns = (const char *const[]){"id"};
    ordered.column_count = 1;
    ordered.order = &(tenon_order){cases[i].column, 0};
    ordered.order_count = 1;
    db_expect_failure(&f, &ordered, TENON_DATA, cases[i].column);
  }
  tenon_value one = INT(1);
  tenon_filter filter = {"id", TENON_EQ, &one, 1};
  tenon_read req = table_read("m");
  req.filters = &filter;
  req.filter_count = 1;
  db_expect_rows(&f, &req, "1|5|18262|x|1577836800000000|\n");
  req.special_values = TENON_SPECIAL_NULL;
  req.filters = &(tenon_filter){"i", TENON_GT, &one, 1};
  tenon_rows rows;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 0);
  db_end(&f);
}

static void filters_use_indexes(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("numbers.db", 20000);
  sqlite3 *db = db_writer("numbers.db");
  db_run(db, "CREATE INDEX ns ON n (s)");
  sqlite3_close(db);
  db_begin(&f, "numbers.db");
  tenon_value v = TEXT("row 19999");
  tenon_filter filter = {"s", TENON_EQ, &v, 1};
  tenon_read req = table_read("n");
  req.filters = &filter;
  req.filter_count = 1;
  int64_t indexed = 0, scanned = 0;
  for (int i = 0; i < 50; i++) {
    int64_t before = tn_now_us();
    db_expect_rows(&f, &req, "19999|row 19999|4999.75\n");
    indexed += tn_now_us() - before;
  }
  filter.op = TENON_PREFIX;
  db = db_writer("numbers.db");
  db_run(db, "DROP INDEX ns");
  sqlite3_close(db);
  for (int i = 0; i < 50; i++) {
    int64_t before = tn_now_us();
    db_expect_rows(&f, &req, "19999|row 19999|4999.75\n");
    scanned += tn_now_us() - before;
  }
  assert_true(indexed * 2 < scanned);
  db_end(&f);
}

int main(void) {
  if (!db_make_folder()) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(filters_are_exact),
      cmocka_unit_test(times_are_compared),
      cmocka_unit_test(orders_are_exact),
      cmocka_unit_test(resumes_behind_a_row),
      cmocka_unit_test(misfits_and_filters),
      cmocka_unit_test(filters_use_indexes),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return db_drop_folder() ? 1 : failed;
}
