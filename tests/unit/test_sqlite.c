/* SPDX-License-Identifier: Apache-2.0 */
/* The kind sqlite: types, misfits, queries, descriptions, lists. */
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

static const tenon_provider *const kind = &tn_provider_sqlite;


/* ---- Types ---- */

/* type, a literal that fits, as it is shown, a literal that does not */
static const struct {
  const char *declared, *format, *fits, *seen, *misfit;
} types[] = {
    {"INTEGER", "l", "9223372036854775807", "9223372036854775807", "'x'"},
    {"INT", "l", "-9223372036854775808", "-9223372036854775808", "1.5"},
    {"TINYINT", "l", "300", "300", "x'00'"},
    {"UNSIGNED BIG INT", "l", "0", "0", "'12ab'"},
    {"INT(11)", "l", "'7'", "7", "0.1"},
    {"REAL", "g", "0.1", "0.10000000000000001", "'x'"},
    {"DOUBLE PRECISION", "g", "3", "3", "x'01'"},
    {"FLOAT(10)", "g", "9e999", "inf", "'1,5'"},
    {"TEXT", "u", "'h\xc3\xa9llo'", "h\xc3\xa9llo", "x'68'"},
    {"VARCHAR(3)", "u", "'longer'", "longer", "x'00'"},
    {"CHARACTER(20)", "u", "12", "12", "cast(x'ff' as text)"},
    {"CLOB", "u", "''", "", "cast(x'c3' as text)"},
    {"BLOB", "z", "x'00ff'", "00ff", "'text'"},
    {"BLOB", "z", "x''", "", "1"},
    {"BOOLEAN", "b", "1", "true", "2"},
    {"BOOL", "b", "0", "false", "'true'"},
    {"DATE", "tdD", "'1970-01-02'", "1", "'1970-1-2'"},
    {"DATE", "tdD", "'0000-01-01'", "-719528", "'2023-02-29'"},
    {"DATE", "tdD", "'9999-12-31'", "2932896", "'1970-01-02 00:00'"},
    {"DATE", "tdD", "'2000-02-29'", "11016", "1582"},
    {"TIME", "ttu", "'23:59:59.999999'", "86399999999", "'24:00:00'"},
    {"TIME", "ttu", "'12:30'", "45000000000", "'12:30:'"},
    {"DATETIME", "tsu:", "'1970-01-01 00:00:01'", "1000000", "'1970-01-01 00:00:01Z'"},
    {"DATETIME", "tsu:", "'1969-12-31T23:59:59.5'", "-500000", "'1970-01-01 00:00:00.1234567'"},
    {"TIMESTAMP", "tsu:", "'1970-01-02'", "86400000000", "1700000000"},
    {"TIMESTAMP(3)", "tsu:", "'1970-01-01 00:00:00.123000000'", "123000", "'1970-01-01 00:61'"},
    {"TIMESTAMP WITHOUT TIME ZONE", "tsu:", "'0001-01-01 00:00'", "-62135596800000000", "'now'"},
    {"TIMESTAMPTZ", "tsu:UTC", "'1970-01-01 02:00:00+02:00'", "0", "'1970-01-01 02:00:00'"},
    {"timestamp with time zone", "tsu:UTC", "'1970-01-01T00:00:00Z'", "0",
     "'1970-01-01 00:00:00+2'"},
    {"TIMESTAMPTZ", "tsu:UTC", "'1970-01-01 00:00:00 -0130'", "5400000000",
     "'1970-01-01 00:00:00+25:00'"},
    {"DECIMAL(15,2)", "d:15,2", "12.34", "12.34", "12.345"},
    {"DECIMAL(15,2)", "d:15,2", "-0.01", "-0.01", "'abc'"},
    {"NUMERIC(5,2)", "d:5,2", "999.99", "999.99", "1000"},
    {"NUMERIC(5,2)", "d:5,2", "-999", "-999.00", "-999.995"},
    {"DECIMAL(18)", "d:18,0", "999999999999999999", "999999999999999999", "1000000000000000000"},
    {"DECIMAL(38,19)", "d:38,19", "-9223372036854775808",
     "-9223372036854775808.0000000000000000000", "9e999"},
    {"NUMBER(10, 3)", "d:10,3", "0.1", "0.100", "0.1 + 0.2"},
    {"DECIMAL(20,2)", "d:20,2", "90071992547409.91", "90071992547409.91", "900719925474099.5"},
    {"NUMERIC", "u", "0.1", "0.1", "'abc'"},
    {"NUMERIC", "u", "1/3.0", "0.3333333333333333", "'1,5'"},
    {"NUMERIC", "u", "-9e999", "-Infinity", "x'00'"},
    {"NUMERIC", "u", "1e300", "1e+300", "'0x10'"},
    {"DECIMAL", "u", "123456789012345678", "123456789012345678", "x'31'"},
    {"DECIMAL(60,3)", "u", "1.5", "1.5", "'a'"},
    {"JSON", "u", "'{\"a\": 1}'", "{\"a\": 1}", "x'00'"},
    {"STRING", "u", "'abc'", "abc", "x'00'"},
    {"STRING", "u", "'007'", "7", "x'00'"},
    {"whatever", "u", "'abc'", "abc", "x'00'"},
};

static void types_by_declaration(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char sql[512], rows[256];
    fixture f;
    snprintf(
        sql, sizeof sql,
        "CREATE TABLE t (id INTEGER PRIMARY KEY, c %s); INSERT INTO t VALUES (1, %s), (2, NULL)",
        types[i].declared, types[i].fits);
    db_make("types.db", sql);
    snprintf(rows, sizeof rows, "1|%s\n2|~\n", types[i].seen);
    tenon_read req = table_read("t");
    db_begin(&f, "types.db");
    if (db_read(&f, &req, NULL))
      fail_msg("%s %s: %s", types[i].declared, types[i].fits, f.err.message);
    snprintf(sql, sizeof sql, "id:l! c:%s", types[i].format);
    assert_string_equal(db_shown_schema, sql);
    if (strcmp(db_shown, rows) != 0)
      fail_msg("%s %s is read as %s", types[i].declared, types[i].fits, db_shown);
    db_end(&f);
  }
}

/* A misfit is an error that names column, row and what to do; as text or NULL it is read when
 * asked. */
static void misfits(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    char sql[512];
    fixture f;
    snprintf(sql, sizeof sql,
             "CREATE TABLE t (id INTEGER PRIMARY KEY, c %s); INSERT INTO t VALUES (1, %s), (2, "
             "%s), (3, NULL)",
             types[i].declared, types[i].fits, types[i].misfit);
    db_make("types.db", sql);
    tenon_read req = table_read("t");
    db_begin(&f, "types.db");
    if (db_read(&f, &req, NULL) != TENON_DATA)
      fail_msg("%s takes %s as %s", types[i].declared, types[i].misfit, db_shown);
    assert_int_equal(f.err.stage, TENON_STAGE_DATA);
    assert_non_null(strstr(f.err.message, "column c, row 2: "));
    bool blob = strncmp(types[i].misfit, "x'", 2) == 0 || strstr(types[i].misfit, "cast(x") ||
                strcmp(types[i].declared, "BLOB") == 0;
    assert_non_null(strstr(f.err.remedy, blob ? "CAST(column AS BLOB)" : "special_values=text"));
    req.special_values = TENON_SPECIAL_NULL;
    if (db_read(&f, &req, NULL)) fail_msg("%s", f.err.message);
    assert_non_null(strstr(db_shown, "2|~\n3|~\n"));
    req.special_values = TENON_SPECIAL_TEXT;
    if (!blob && db_read(&f, &req, NULL))
      fail_msg("%s %s: %s", types[i].declared, types[i].misfit, f.err.message);
    db_end(&f);
  }
}

static void special_text_keeps_what_is_sure(void **state) {
  (void)state;
  fixture f;
  db_make("strict.db",
       "CREATE TABLE t (id INTEGER PRIMARY KEY, i INT NOT NULL, r REAL, a ANY, d TEXT) STRICT;"
       "INSERT INTO t VALUES (1, 2, 2.5, 'x', 'y');"
       "CREATE TABLE u (id INTEGER PRIMARY KEY, i INT, r REAL); INSERT INTO u VALUES (1, 'two', "
       "2.5)");
  db_begin(&f, "strict.db");
  tenon_read req = table_read("t");
  req.special_values = TENON_SPECIAL_TEXT;
  db_expect_rows(&f, &req, "1|2|2.5|x|y\n");
  assert_string_equal(db_shown_schema, "id:l! i:l! r:g a:u d:u");
  req.name.table = "u";
  db_expect_rows(&f, &req, "1|two|2.5\n");
  assert_string_equal(db_shown_schema, "id:l! i:u r:u");
  db_end(&f);
}

static void numeric_as(void **state) {
  (void)state;
  fixture f;
  db_make("numeric.db", "CREATE TABLE t (n NUMERIC); INSERT INTO t VALUES (1), (2.5), (-3e2)");
  db_begin(&f, "numeric.db");
  tenon_read req = table_read("t");
  db_expect_rows(&f, &req, "1\n2.5\n-300\n");
  req.numeric_as = "float64";
  db_expect_rows(&f, &req, "1\n2.5\n-300\n");
  assert_string_equal(db_shown_schema, "n:g");
  req.numeric_as = "decimal(10,2)";
  db_expect_rows(&f, &req, "1.00\n2.50\n-300.00\n");
  assert_string_equal(db_shown_schema, "n:d:10,2");
  req.numeric_as = "decimal(2,1)";
  db_expect_failure(&f, &req, TENON_DATA, "column n, row 3");
  /* a float is what was asked for, so it is the nearest one; but then SQLite compares otherwise */
  sqlite3 *db = db_writer("numeric.db");
  db_run(db, "INSERT INTO t VALUES (9007199254740993)");
  sqlite3_close(db);
  tenon_value v = {.type = TENON_VALUE_DOUBLE, .f = 9007199254740992.0};
  tenon_filter filter = {"n", TENON_GE, &v, 1};
  tenon_rows rows;
  req.numeric_as = "float64";
  req.filters = &filter;
  req.filter_count = 1;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 0);
  assert_non_null(strstr(db_shown, "\n9007199254740992\n"));
  req.filter_count = 0;
  req.numeric_as = "money";
  db_expect_failure(&f, &req, TENON_CONFIG, "numeric_as=money");
  db_end(&f);
}

static void types_by_values(void **state) {
  (void)state;
  fixture f;
  db_make("untyped.db",
       "CREATE TABLE t (i, r, mixed, t, b, n, a ANY); INSERT INTO t VALUES (NULL, 1.5, 1, 'x', "
       "x'01', NULL, 1),"
       "(1, NULL, 2.5, 'y', x'02', NULL, 2); CREATE TABLE u (c); INSERT INTO u VALUES (1), ('x');"
       "CREATE VIEW v AS SELECT i + 1 AS e, t, upper(t) AS w, r FROM t");
  db_begin(&f, "untyped.db");
  tenon_read req = table_read("t");
  db_expect_rows(&f, &req, "~|1.5|1|x|01|~|1\n1|~|2.5|y|02|~|2\n");
  assert_string_equal(db_shown_schema, "i:l r:g mixed:g t:u b:z n:u a:l");
  req.name.table = "v";
  db_expect_rows(&f, &req, "~|x|X|1.5\n2|y|Y|~\n");
  assert_string_equal(db_shown_schema, "e:l t:u w:u r:g");
  req.name.table = "u";
  db_expect_failure(&f, &req, TENON_DATA,
                    "column c, row 2: the text 'x' does not fit the type int64");
  req.special_values = TENON_SPECIAL_TEXT;
  db_expect_rows(&f, &req, "1\nx\n");
  db_end(&f);
}

static void utf16_files(void **state) {
  (void)state;
  fixture f;
  db_make("utf16.db",
       "PRAGMA encoding='UTF-16le'; CREATE TABLE t (c TEXT); INSERT INTO t VALUES ('h\xc3\xa9'), "
       "('\xf0\x9f\x98\x80'), ('a')");
  db_begin(&f, "utf16.db");
  tenon_read req = table_read("t");
  db_expect_rows(&f, &req, "h\xc3\xa9\n\xf0\x9f\x98\x80\na\n");
  tenon_value v = {.type = TENON_VALUE_TEXT, .data = "a", .size = 1};
  tenon_filter range = {.column = "c", .op = TENON_GT, .values = &v, .value_count = 1};
  tenon_rows rows;
  req.filters = &range;
  req.filter_count = 1;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 0); /* its order is not that of UTF-8 */
  range.op = TENON_EQ;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 1);
  assert_string_equal(db_shown, "a\n");
  db_end(&f);
}

/* ---- Reading ---- */

static void batches_are_bounded(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("numbers.db", 50000);
  db_begin(&f, "numbers.db");
  tenon_read req = table_read("n");
  req.batch_bytes = 8192;
  tenon_rows rows;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  int64_t id = 0, batches = 0;
  struct ArrowArray a;
  while (rows.stream.next(rows.stream.self, &a, &f.err) == TENON_OK && a.release) {
    const int64_t *ids = a.children[0]->buffers[1];
    const int32_t *ends = a.children[1]->buffers[1];
    assert_true(a.length * 8 * 2 + (a.length + 1) * 4 + ends[a.length] <= 8192);
    for (int64_t i = 0; i < a.length; i++) assert_int_equal(ids[i], ++id);
    batches++;
    a.release(&a);
  }
  assert_int_equal(id, 50000);
  assert_true(batches > 100);
  tn_schema_release(&rows.stream.schema);
  rows.stream.close(rows.stream.self);
  req.batch_bytes = 1; /* one row a batch is the least */
  req.limit = 3;
  db_expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  req.batch_bytes = 0;
  req.batch_rows = 2;
  db_expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  db_end(&f);
}

static void some_columns_or_none(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("numbers.db", 3);
  db_begin(&f, "numbers.db");
  tenon_read req = table_read("n");
  req.columns = (const char *const[]){"f", "id", "f"};
  req.column_count = 3;
  db_expect_rows(&f, &req, "0.25|1|0.25\n0.5|2|0.5\n0.75|3|0.75\n");
  req.column_count = 0;
  db_expect_rows(&f, &req, "\n\n\n");
  req.columns = (const char *const[]){"ids"};
  req.column_count = 1;
  db_expect_failure(&f, &req, TENON_NOT_FOUND, "n has no column ids");
  assert_string_equal(f.err.remedy, "did you mean id?");
  req = table_read("m");
  db_expect_failure(&f, &req, TENON_NOT_FOUND, "has no table m");
  assert_non_null(strstr(f.err.remedy, "did you mean n?"));
  req.name.schema = "public";
  db_expect_failure(&f, &req, TENON_NOT_FOUND, "no schema public");
  db_end(&f);
}

static void queries(void **state) {
  (void)state;
  db_make_numbers("numbers.db", 2000);
  db_expect_query("numbers.db", "SELECT count(*), min(f), 'x' || max(id) AS \"a b\" FROM n",
               "2000|0.25|x2000\n");
  db_expect_query(
      "numbers.db",
      "WITH t AS (SELECT id FROM n) SELECT * FROM t WHERE id < 3 ORDER BY id DESC; -- done",
      "2\n1\n");
  db_expect_query("numbers.db", "VALUES (1, 'a'), (2.5, NULL)", "1|a\n2.5|~\n");
  db_expect_query("numbers.db", "SELECT name FROM pragma_table_info('n')", "id\ns\nf\n");
  fixture f;
  db_begin(&f, "numbers.db");
  tenon_read req = TENON_READ_INIT;
  req.query = "SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10";
  tenon_value v[] = {{.type = TENON_VALUE_NULL},
                     {.type = TENON_VALUE_BOOL, .i = 1},
                     {.type = TENON_VALUE_INT, .i = -5},
                     {.type = TENON_VALUE_DOUBLE, .f = 0.5},
                     {.type = TENON_VALUE_DECIMAL, .data = "12.50", .size = 5},
                     {.type = TENON_VALUE_TEXT, .data = "xyz", .size = 2},
                     {.type = TENON_VALUE_BYTES, .data = "\0\1", .size = 2},
                     {.type = TENON_VALUE_DATE, .i = -1},
                     {.type = TENON_VALUE_TIME, .i = 3723000001},
                     {.type = TENON_VALUE_TIMESTAMP, .i = -1}};
  req.params = v;
  req.param_count = 10;
  db_expect_rows(&f, &req,
              "~|1|-5|0.5|12.5|xy|0001|1969-12-31|01:02:03.000001|1969-12-31 23:59:59.999999\n");
  req.param_count = 2;
  db_expect_failure(&f, &req, TENON_CONFIG, "10 placeholders, and 2 values");
  req = (tenon_read)TENON_READ_INIT;
  req.query = "SELECT id FROM n WHERE id > 5";
  req.limit = 2;
  tenon_rows rows;
  assert_int_equal(db_read(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT);
  assert_string_equal(db_shown, "6\n7\n");
  db_end(&f);
}

/* An expression that changes its class behind the sample: an error at that row, not a wrong value.
 */
static void expressions_are_checked(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("numbers.db", 300);
  db_begin(&f, "numbers.db");
  tenon_read req = TENON_READ_INIT;
  req.query = "SELECT CASE WHEN id = 250 THEN 'x' ELSE id END AS e FROM n ORDER BY id";
  db_expect_failure(&f, &req, TENON_DATA,
                 "column e, row 250: the text 'x' does not fit the type int64");
  assert_non_null(strstr(f.err.remedy, "CAST"));
  db_end(&f);
}

static const struct {
  const char *sql;
  tenon_status code;
  const char *message;
} refused[] = {
    {"DELETE FROM n", TENON_FORBIDDEN, "would change"},
    {"INSERT INTO n(s) VALUES ('x') RETURNING id", TENON_FORBIDDEN, "would change"},
    {"CREATE TABLE x (y)", TENON_FORBIDDEN, "not allowed"},
    {"DROP TABLE n", TENON_FORBIDDEN, "not allowed"},
    {"ATTACH 'other.db' AS o", TENON_FORBIDDEN, "ATTACH is not allowed"},
    {"DETACH main", TENON_FORBIDDEN, "not allowed"},
    {"VACUUM INTO 'copy.db'", TENON_FORBIDDEN, ""},
    {"PRAGMA journal_mode=WAL", TENON_FORBIDDEN, "this PRAGMA is not allowed"},
    {"PRAGMA writable_schema=1", TENON_FORBIDDEN, "this PRAGMA is not allowed"},
    {"PRAGMA query_only=0", TENON_FORBIDDEN, "this PRAGMA is not allowed"},
    {"BEGIN", TENON_FORBIDDEN, "transaction"},
    {"COMMIT", TENON_FORBIDDEN, "transaction"},
    {"SAVEPOINT a", TENON_FORBIDDEN, "transaction"},
    {"SELECT 1; SELECT 2", TENON_CONFIG, "second statement"},
    {"SELECT 1; nonsense", TENON_CONFIG, "second statement"},
    {"", TENON_CONFIG, "empty"},
    {" -- nothing", TENON_CONFIG, "empty"},
    {"SELEC 1", TENON_CONFIG, "syntax error"},
    {"SELECT nosuch FROM n", TENON_NOT_FOUND, "no such column"},
    {"SELECT \"nosuch\" FROM n", TENON_NOT_FOUND, "no such column"},
    {"SELECT * FROM nosuch", TENON_NOT_FOUND, "no such table"},
    {"SELECT load_extension('x')", TENON_CONFIG, "no such function"},
    {"SELECT json('{')", TENON_CONFIG, "malformed JSON"},
};

static void queries_only_read(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("numbers.db", 3);
  db_begin(&f, "numbers.db");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    tenon_read req = TENON_READ_INIT;
    req.query = refused[i].sql;
    tenon_status status = db_read(&f, &req, NULL);
    if (status != refused[i].code || !strstr(f.err.message, refused[i].message))
      fail_msg("%s: %s %s", refused[i].sql, tenon_status_name(status), f.err.message);
    assert_true(f.err.remedy[0]);
  }
  tenon_read req = table_read("n");
  db_expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  db_end(&f);
}

/* ---- Describe and list ---- */

static void describes(void **state) {
  (void)state;
  fixture f;
  db_make("describe.db",
       "CREATE TABLE parent (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;"
       "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'x', price "
       "DECIMAL(10,2), raw NUMERIC,"
       " pa TEXT, pb INT, total AS (price * 2), UNIQUE (name, price), FOREIGN KEY (pa, pb) "
       "REFERENCES parent);"
       "CREATE UNIQUE INDEX part ON t (name) WHERE price > 1; CREATE UNIQUE INDEX expr ON t "
       "(lower(name), id);"
       "INSERT INTO t (id, name, price) VALUES (1, 'a', 2.5), (2, 'b', 3.5); ANALYZE");
  db_begin(&f, "describe.db");
  tenon_read req = table_read("T");
  tenon_table t;
  if (kind->tables->describe(f.ctx, f.session, &req, &t, &f.err)) fail_msg("%s", f.err.message);
  assert_string_equal(t.name, "t");
  assert_string_equal(t.kind, "table");
  assert_int_equal(t.rows_estimate, 2);
  show_schema(&t.schema, db_shown_schema, sizeof db_shown_schema);
  assert_string_equal(db_shown_schema, "id:l! name:u! price:d:10,2 raw:u pa:u pb:l total:g");
  assert_int_equal(t.column_count, 7);
  assert_string_equal(t.columns[1].type, "VARCHAR(20)");
  assert_string_equal(t.columns[1].default_value, "'x'");
  assert_false(t.columns[1].nullable);
  assert_int_equal(t.columns[0].key_position, 1);
  assert_string_equal(t.columns[3].remark, "no declared scale: text");
  assert_int_equal(t.key_count, 3);
  assert_string_equal(t.keys[0].kind, "primary");
  assert_string_equal(t.keys[1].kind, "unique");
  assert_int_equal(t.keys[1].column_count, 2);
  assert_string_equal(t.keys[1].columns[1], "price");
  assert_string_equal(t.keys[2].kind, "foreign");
  assert_string_equal(t.keys[2].references, "main.parent(a, b)");
  t.release(&t);
  req = (tenon_read)TENON_READ_INIT;
  req.query = "SELECT id, price * 1.5 AS p FROM t";
  assert_int_equal(kind->tables->describe(f.ctx, f.session, &req, &t, &f.err), TENON_OK);
  show_schema(&t.schema, db_shown_schema, sizeof db_shown_schema);
  assert_string_equal(db_shown_schema, "id:l p:g");
  t.release(&t);
  db_end(&f);
}

static void lists(void **state) {
  (void)state;
  fixture f;
  db_make(
      "list.db",
      "CREATE TABLE b (x); CREATE VIEW a AS SELECT 1; CREATE VIRTUAL TABLE search USING fts5(text);"
      "CREATE TABLE Z (x); INSERT INTO b VALUES (1); CREATE INDEX bi ON b (x); ANALYZE");
  db_begin(&f, "list.db");
  tenon_tables_list req = {.struct_size = sizeof req};
  tenon_stream stream;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, db_shown, sizeof db_shown, &f.err), TENON_OK);
  assert_string_equal(db_shown,
                      "~|main|Z|table|~|~\n~|main|a|view|~|~\n~|main|b|table|1|~\n~|main|search|"
                      "virtual table|~|~\n");
  req.with_system = 1;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, db_shown, sizeof db_shown, &f.err), TENON_OK);
  assert_non_null(strstr(db_shown, "sqlite_schema"));
  assert_non_null(strstr(db_shown, "search_data"));
  req.schema = "other";
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_NOT_FOUND);
  db_end(&f);
}

int main(void) {
  if (!db_make_folder()) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(types_by_declaration),
      cmocka_unit_test(misfits),
      cmocka_unit_test(special_text_keeps_what_is_sure),
      cmocka_unit_test(numeric_as),
      cmocka_unit_test(types_by_values),
      cmocka_unit_test(utf16_files),
      cmocka_unit_test(batches_are_bounded),
      cmocka_unit_test(some_columns_or_none),
      cmocka_unit_test(queries),
      cmocka_unit_test(expressions_are_checked),
      cmocka_unit_test(queries_only_read),
      cmocka_unit_test(describes),
      cmocka_unit_test(lists),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  return db_drop_folder() ? 1 : failed;
}
