/* SPDX-License-Identifier: Apache-2.0 */
/* The SQL that is sent: names and values that mean harm, and what is pushed down. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "providers/sql/postgresql/sql.h"

/* ---- A table with a column of each kind ---- */

enum { ID, NAME, PRICE, RATIO, BORN, AT, CODE, RAW, TAGS, KEY, ODD, COLUMNS };

static tn_pg_field fields[COLUMNS] = {
    [ID] = {"id", 23, -1, true, {.oid = 23, .op = TN_PG_SWAP4, .format = "i"}},
    [NAME] = {"name", 25, -1, false, {.oid = 25, .op = TN_PG_TEXT, .format = "u"}},
    [PRICE] =
        {"price",
         1700,
         655366,
         false,
         {.oid = 1700, .op = TN_PG_DECIMAL128, .precision = 10, .scale = 2, .format = "d:10,2"}},
    [RATIO] = {"ratio", 701, -1, false, {.oid = 701, .op = TN_PG_SWAP8, .format = "g"}},
    [BORN] = {"born",
              1082,
              -1,
              false,
              {.oid = 1082, .builtin = 1082, .op = TN_PG_DATE, .format = "tdD"}},
    [AT] = {"at",
            1184,
            -1,
            false,
            {.oid = 1184, .builtin = 1184, .op = TN_PG_TIMESTAMP, .format = "tsu:UTC"}},
    [CODE] = {"code", 1042, 7, false, {.oid = 1042, .op = TN_PG_TEXT, .format = "u"}},
    [RAW] = {"raw", 17, -1, false, {.oid = 17, .op = TN_PG_BYTES, .format = "z"}},
    [TAGS] = {"tags", 1009, -1, false, {.oid = 1009, .op = TN_PG_ARRAY, .format = "+l"}},
    [KEY] = {"key", 2950, -1, false, {.oid = 2950, .op = TN_PG_UUID, .format = "u"}},
    [ODD] = {"a\"b\\'; drop table t; --",
             1186,
             -1,
             false,
             {.oid = 1186, .op = TN_PG_TEXT, .cast = TN_PG_TO_TEXT, .format = "u"}},
};

static int all[COLUMNS];
static tn_pg_source table;
static tn_pg_pushed pushed;
static tn_str text;

static int setup(void **unused) {
  (void)unused;
  for (int i = 0; i < COLUMNS; i++) all[i] = i;
  table = (tn_pg_source){.schema = "s",
                         .table = "t",
                         .fields = fields,
                         .field_count = COLUMNS,
                         .chosen = all,
                         .chosen_count = 1,
                         .utf8 = true};
  tn_str_init(&text, TN_PG_MAX_SQL);
  return 0;
}

static int teardown(void **unused) {
  (void)unused;
  tn_str_release(&text);
  return 0;
}

/* What follows "SELECT t."id" FROM "s"."t" AS t". */
static const char *sql_of(const tenon_read *r) {
  static const char start[] = "SELECT t.\"id\" FROM \"s\".\"t\" AS t";
  tn_str_clear(&text);
  tn_pg_put_select(&text, &table, r, &pushed);
  const char *sql = tn_str_text(&text);
  if (strncmp(sql, start, sizeof start - 1) != 0) fail_msg("%s", sql);
  return sql + sizeof start - 1;
}

static const char *where(int column, tenon_filter_op op, const tenon_value *values, size_t count) {
  tenon_filter f = {fields[column].name, op, values, count};
  tenon_read r = TENON_READ_INIT;
  r.filters = &f;
  r.filter_count = 1;
  return sql_of(&r);
}

static tenon_value integer(int64_t i) { return (tenon_value){.type = TENON_VALUE_INT, .i = i}; }
static tenon_value words(const char *s) {
  return (tenon_value){.type = TENON_VALUE_TEXT, .data = s, .size = strlen(s)};
}

/* ---- Quoting ---- */

static void test_names(void **unused) {
  (void)unused;
  tn_pg_put_name(&text, "plain");
  tn_pg_put_name(&text, "a\"b");
  tn_pg_put_table(&text, "x.y", "\"");
  assert_string_equal(tn_str_text(&text), "\"plain\"\"a\"\"b\"\"x.y\".\"\"\"\"");
}

static void test_texts(void **unused) {
  (void)unused;
  tn_pg_put_text(&text, "it's", 4);
  tn_pg_put_text(&text, "\\'", 2);
  tn_pg_put_text(&text, "", 0);
  assert_string_equal(tn_str_text(&text), "'it''s' E'\\\\'''''");
}

static void test_hostile_column(void **unused) {
  (void)unused;
  static int odd = ODD;
  tenon_read r = TENON_READ_INIT;
  table.chosen = &odd;
  tn_pg_put_select(&text, &table, &r, &pushed);
  assert_string_equal(
      tn_str_text(&text),
      "SELECT t.\"a\"\"b\\'; drop table t; --\"::pg_catalog.text FROM \"s\".\"t\" AS t");
}

/* ---- Filters ---- */

static void test_numbers(void **unused) {
  (void)unused;
  tenon_value v[2] = {integer(-5), integer(INT64_MIN)};
  assert_string_equal(where(ID, TENON_GE, v, 1),
                      " WHERE (t.\"id\" OPERATOR(pg_catalog.>=) '-5'::pg_catalog.int8)");
  assert_int_equal(pushed.filters, 1);
  assert_string_equal(where(ID, TENON_BETWEEN, v, 2),
                      " WHERE (t.\"id\" OPERATOR(pg_catalog.>=) '-5'::pg_catalog.int8 AND t.\"id\" "
                      "OPERATOR(pg_catalog.<=) "
                      "'-9223372036854775808'::pg_catalog.int8)");
  assert_string_equal(where(ID, TENON_IN, v, 2),
                      " WHERE (t.\"id\" OPERATOR(pg_catalog.=) ANY (ARRAY['-5'::pg_catalog.int8, "
                      "'-9223372036854775808'::pg_catalog.int8]))");
  v[0] = (tenon_value){.type = TENON_VALUE_DOUBLE, .f = NAN};
  assert_string_equal(where(RATIO, TENON_EQ, v, 1),
                      " WHERE (t.\"ratio\" OPERATOR(pg_catalog.=) 'nan'::pg_catalog.float8)");
  v[0].f = -INFINITY;
  assert_string_equal(where(RATIO, TENON_GT, v, 1),
                      " WHERE (t.\"ratio\" OPERATOR(pg_catalog.>) '-Infinity'::pg_catalog.float8)");
  v[0].f = 0.1;
  assert_string_equal(
      where(RATIO, TENON_LT, v, 1),
      " WHERE (t.\"ratio\" OPERATOR(pg_catalog.<) '0.10000000000000001'::pg_catalog.float8)");
  v[0] = (tenon_value){.type = TENON_VALUE_DECIMAL, .data = "12.50", .size = 5};
  assert_string_equal(where(PRICE, TENON_NE, v, 1),
                      " WHERE (t.\"price\" OPERATOR(pg_catalog.<>) '12.50'::pg_catalog.numeric)");
}

static void test_text_is_bytewise(void **unused) {
  (void)unused;
  tenon_value v = words("o'x");
  assert_string_equal(where(NAME, TENON_LT, &v, 1),
                      " WHERE ((t.\"name\"::pg_catalog.text) COLLATE \"C\" OPERATOR(pg_catalog.<) "
                      "'o''x'::pg_catalog.text)");
  /* equality keeps a chance for an index in the column's own collation */
  assert_string_equal(where(NAME, TENON_EQ, &v, 1),
                      " WHERE (t.\"name\" OPERATOR(pg_catalog.=) 'o''x'::pg_catalog.text AND "
                      "(t.\"name\"::pg_catalog.text) COLLATE \"C\" OPERATOR(pg_catalog.=) "
                      "'o''x'::pg_catalog.text)");
  v = words("\xC3\xA4%_");
  assert_string_equal(where(NAME, TENON_PREFIX, &v, 1),
                      " WHERE (pg_catalog.left((t.\"name\"::pg_catalog.text) COLLATE \"C\", 3) "
                      "OPERATOR(pg_catalog.=) "
                      "'\xC3\xA4%_'::pg_catalog.text)");
  /* char(3) as it is read: with its padding */
  v = words("a  ");
  assert_string_equal(where(CODE, TENON_GE, &v, 1),
                      " WHERE (pg_catalog.rpad(t.\"code\"::pg_catalog.text, 3) COLLATE \"C\" "
                      "OPERATOR(pg_catalog.>=) "
                      "'a  '::pg_catalog.text)");
  table.utf8 = false;
  assert_string_equal(where(NAME, TENON_LT, &v, 1), "");
  assert_int_equal(pushed.filters, 0);
}

static void test_times(void **unused) {
  (void)unused;
  tenon_value v = {.type = TENON_VALUE_DATE, .i = -719529};
  assert_string_equal(
      where(BORN, TENON_LE, &v, 1),
      " WHERE (t.\"born\" OPERATOR(pg_catalog.<=) '0002-12-31 BC'::pg_catalog.date)");
  v.i = -719163;
  assert_string_equal(
      where(BORN, TENON_LE, &v, 1),
      " WHERE (t.\"born\" OPERATOR(pg_catalog.<=) '0001-12-31 BC'::pg_catalog.date)");
  v.i = 19782;
  assert_string_equal(where(BORN, TENON_EQ, &v, 1),
                      " WHERE (t.\"born\" OPERATOR(pg_catalog.=) '2024-02-29'::pg_catalog.date)");
  v = (tenon_value){.type = TENON_VALUE_TIMESTAMP, .i = -1};
  assert_string_equal(where(AT, TENON_GT, &v, 1),
                      " WHERE (t.\"at\" OPERATOR(pg_catalog.>) '1969-12-31 "
                      "23:59:59.999999+00'::pg_catalog.timestamptz)");
  v.i = INT64_MAX;   /* the server's timestamps end before */
  assert_string_equal(where(AT, TENON_LT, &v, 1), "");
}

static void test_others(void **unused) {
  (void)unused;
  tenon_value v = {.type = TENON_VALUE_BYTES, .data = "\x00\xFF'", .size = 3};
  assert_string_equal(
      where(RAW, TENON_EQ, &v, 1),
      " WHERE (t.\"raw\" OPERATOR(pg_catalog.=)  E'\\\\x00ff27'::pg_catalog.bytea)");
  v = words("00112233-4455-6677-8899-aabbccddeeff");
  assert_string_equal(where(KEY, TENON_EQ, &v, 1),
                      " WHERE (t.\"key\" OPERATOR(pg_catalog.=) "
                      "'00112233-4455-6677-8899-aabbccddeeff'::pg_catalog.uuid)");
  v = words(
      "00112233-4455-6677-8899-AABBCCDDEEFF"); /* text is compared bytewise: this one is nobody's */
  assert_string_equal(where(KEY, TENON_EQ, &v, 1), "");
  assert_string_equal(where(TAGS, TENON_IS_NULL, NULL, 0), " WHERE t.\"tags\" IS NULL");
  assert_string_equal(where(NAME, TENON_IS_NOT_NULL, NULL, 0), " WHERE t.\"name\" IS NOT NULL");
}

static void test_null_is_never_true(void **unused) {
  (void)unused;
  tenon_value v[2] = {{.type = TENON_VALUE_NULL}, integer(1)};
  assert_string_equal(where(ID, TENON_NE, v, 1), " WHERE (false)");
  assert_string_equal(where(ID, TENON_IN, v, 2),
                      " WHERE (t.\"id\" OPERATOR(pg_catalog.=) ANY (ARRAY['1'::pg_catalog.int8]))");
  assert_string_equal(where(ID, TENON_IN, v, 1), "");
}

static void test_not_pushed(void **unused) {
  (void)unused;
  tenon_value v = integer(1);
  assert_string_equal(where(TAGS, TENON_EQ, &v, 1), "");
  assert_string_equal(where(NAME, TENON_EQ, &v, 1), "");
  v = words("a\0b");
  v.size = 3;
  assert_string_equal(where(NAME, TENON_EQ, &v, 1), "");
  tenon_filter unknown = {"nothing", TENON_EQ, &v, 1};
  tenon_read r = TENON_READ_INIT;
  r.filters = &unknown;
  r.filter_count = 1;
  r.limit = 3;
  assert_string_equal(sql_of(&r), "");
  assert_int_equal(pushed.applied & TENON_APPLIED_LIMIT, 0);
  /* what may become NULL on its way is not compared before */
  fields[BORN].type.special_null = true;
  v = (tenon_value){.type = TENON_VALUE_DATE, .i = 0};
  assert_string_equal(where(BORN, TENON_LT, &v, 1), "");
  assert_string_equal(where(BORN, TENON_IS_NULL, NULL, 0), "");
  fields[BORN].type.special_null = false;
}

/* ---- Order, after, limit ---- */

static void test_order(void **unused) {
  (void)unused;
  tenon_order order[2] = {{"name", 1}, {"id", 0}};
  tenon_value after[2] = {words("m"), integer(7)};
  tenon_read r = TENON_READ_INIT;
  r.order = order;
  r.order_count = 2;
  r.limit = 10;
  assert_string_equal(sql_of(&r),
                      " ORDER BY (t.\"name\"::pg_catalog.text) COLLATE \"C\" DESC NULLS LAST, "
                      "t.\"id\" ASC NULLS LAST LIMIT 10");
  assert_int_equal(pushed.applied, TENON_APPLIED_ORDER | TENON_APPLIED_LIMIT);
  r.after = after;
  r.limit = -1;
  assert_string_equal(
      sql_of(&r),
      " WHERE ((((t.\"name\"::pg_catalog.text) COLLATE \"C\" OPERATOR(pg_catalog.<) "
      "'m'::pg_catalog.text OR "
      "t.\"name\" IS NULL)) OR ((t.\"name\"::pg_catalog.text) COLLATE \"C\" OPERATOR(pg_catalog.=) "
      "'m'::pg_catalog.text AND (t.\"id\" OPERATOR(pg_catalog.>) '7'::pg_catalog.int8)))"
      " ORDER BY (t.\"name\"::pg_catalog.text) COLLATE \"C\" DESC NULLS LAST, t.\"id\" ASC NULLS "
      "LAST");
  after[0] = (tenon_value){.type = TENON_VALUE_NULL};
  assert_non_null(
      strstr(sql_of(&r), "((false)) OR (t.\"name\" IS NULL AND (t.\"id\" OPERATOR(pg_catalog.>)"));
  assert_int_equal(pushed.applied, TENON_APPLIED_ORDER | TENON_APPLIED_AFTER);
  order[1].column = "tags";
  r.limit = 5;
  assert_string_equal(sql_of(&r), "");
  assert_int_equal(pushed.applied, 0);
}

static void test_some_filters_and_limit(void **unused) {
  (void)unused;
  tenon_value one = integer(1);
  tenon_filter filters[3] = {
      {"tags", TENON_EQ, &one, 1}, {"id", TENON_EQ, &one, 1}, {"id", TENON_LT, &one, 1}};
  tenon_read r = TENON_READ_INIT;
  r.filters = filters;
  r.filter_count = 3;
  r.limit = 1;
  assert_null(strstr(sql_of(&r), "LIMIT"));
  assert_int_equal(pushed.filters, 6);
  r.filters++;
  r.filter_count = 2;
  assert_non_null(strstr(sql_of(&r), " LIMIT 1"));
  assert_int_equal(pushed.filters, 3);
}

/* ---- Queries ---- */

static void check_look(const char *query, size_t size, bool selects) {
  tn_pg_query_shape shape = tn_pg_look_at_query(query);
  if (shape.size != size || shape.selects != selects)
    fail_msg("%s: size %zu, %d", query, shape.size, shape.selects);
}

static void test_look(void **unused) {
  (void)unused;
  check_look("select 1", 8, true);
  check_look(" select 1 ; ; -- done;\n", 9, true);
  check_look("/* a /* nested */ b */ WITH x AS (select ';') TABLE x;", 53, true);
  check_look("((values (1)))", 14, true);
  check_look("select ';' ", 10, true);
  check_look("select $a$;$b$;$a$;", 18, true);
  check_look("select E'\\';' ;", 13, true);
  check_look("select \"a;\" -- x", 11, true);
  check_look("select 1 /* no end ;", 18, true);
  check_look("select 1; 'no end ;", 19, true);
  check_look("show all", 8, false);
  check_look("explain select 1;", 16, false);
  check_look("selection", 9, false);
  check_look("delete from t", 13, false);
  check_look(" -- nothing", 0, false);
  check_look("", 0, false);
}

static void test_query(void **unused) {
  (void)unused;
  tenon_read r = TENON_READ_INIT;
  table = (tn_pg_source){.query = "select 1, now() -- x",
                         .query_size = 20,
                         .fields = fields,
                         .field_count = 2,
                         .chosen = all,
                         .chosen_count = 2,
                         .utf8 = true};
  tn_pg_put_select(&text, &table, &r, &pushed);
  assert_string_equal(tn_str_text(&text), "select 1, now() -- x\n");
  tn_str_clear(&text);
  r.limit = 2;
  table.chosen_count = 1;
  tn_pg_put_select(&text, &table, &r, &pushed);
  assert_string_equal(tn_str_text(&text),
                      "SELECT q.c0 FROM (select 1, now() -- x\n) AS q(c0, c1) LIMIT 2");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_names),
      TEST(test_texts),
      TEST(test_hostile_column),
      TEST(test_numbers),
      TEST(test_text_is_bytewise),
      TEST(test_times),
      TEST(test_others),
      TEST(test_null_is_never_true),
      TEST(test_not_pushed),
      TEST(test_order),
      TEST(test_some_filters_and_limit),
      TEST(test_look),
      TEST(test_query),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
