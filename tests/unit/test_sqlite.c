/* SPDX-License-Identifier: Apache-2.0 */
/* The kind sqlite: types, misfits, what is pushed, hostile files, locks, cancelling. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/params.h"
#include "core/registry.h"
#include "tenon/tenon.h"
#include "unit/show_rows.h"

extern const tenon_provider tn_provider_sqlite;
static const tenon_provider *const kind = &tn_provider_sqlite;

static char folder[64];

/* ---- Databases and sessions for the tests ---- */

static const char *path_of(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static void run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

static sqlite3 *writer_of(const char *name) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(path_of(name), &db), SQLITE_OK);
  return db;
}

static void make(const char *name, const char *sql) {
  unlink(path_of(name));
  sqlite3 *db = writer_of(name);
  run(db, sql);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

typedef struct fixture {
  tenon_ctx *ctx;
  tn_config *config;
  char path[128];
  void *session;
  tenon_error err;
} fixture;

static tn_config *config_of(const char *path, const char *key, const char *value) {
  tn_settings settings;
  tn_config *config;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings_init(&settings);
  assert_int_equal(tn_settings_set(&settings, "path", path, NULL), TENON_OK);
  assert_int_equal(tn_settings_set(&settings, "busy_timeout", "200ms", NULL), TENON_OK);
  assert_int_equal(tn_settings_set(&settings, "sample_rows", "100", NULL), TENON_OK);
  if (key) assert_int_equal(tn_settings_set(&settings, key, value, NULL), TENON_OK);
  if (tn_config_new(kind, &settings, &config, &err)) fail_msg("%s", err.message);
  tn_settings_release(&settings);
  return config;
}

static void begin_with(fixture *f, const char *name, const char *key, const char *value) {
  *f = (fixture){.err = TENON_ERROR_INIT};
  snprintf(f->path, sizeof f->path, "%s", path_of(name));
  f->config = config_of(f->path, key, value);
  assert_int_equal(tenon_ctx_new(NULL, 20000, &f->ctx, NULL), TENON_OK);
  if (kind->open(f->ctx, kind, f->config->data, &f->session, &f->err))
    fail_msg("%s", f->err.message);
}

static void begin(fixture *f, const char *name) { begin_with(f, name, NULL, NULL); }

static void end(fixture *f) {
  kind->close(f->session);
  tn_config_free(f->config);
  tenon_ctx_free(f->ctx);
}

static char shown[1 << 20], shown_schema[4096];

static tenon_status read_all(fixture *f, const tenon_read *req, tenon_rows *ret_rows) {
  tenon_rows rows;
  shown[0] = 0;
  tn_error_init(&f->err);
  tenon_status status = kind->tables->read(f->ctx, f->session, req, &rows, &f->err);
  if (status) return status;
  if (ret_rows) *ret_rows = rows;
  show_schema(&rows.stream.schema, shown_schema, sizeof shown_schema);
  return show_rows(&rows.stream, shown, sizeof shown, &f->err);
}

static tenon_read table_read(const char *table) {
  tenon_read req = TENON_READ_INIT;
  req.name.table = table;
  return req;
}

static void expect_rows(fixture *f, const tenon_read *req, const char *rows) {
  if (read_all(f, req, NULL)) fail_msg("%s", f->err.message);
  assert_string_equal(shown, rows);
}

static void expect_failure(fixture *f, const tenon_read *req, tenon_status code,
                           const char *message) {
  assert_int_equal(read_all(f, req, NULL), code);
  assert_int_equal(f->err.code, code);
  if (!strstr(f->err.message, message))
    fail_msg("\"%s\" says nothing of \"%s\"", f->err.message, message);
}

static void expect_query(const char *name, const char *query, const char *rows) {
  fixture f;
  begin(&f, name);
  tenon_read req = TENON_READ_INIT;
  req.query = query;
  expect_rows(&f, &req, rows);
  end(&f);
}

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
    make("types.db", sql);
    snprintf(rows, sizeof rows, "1|%s\n2|~\n", types[i].seen);
    tenon_read req = table_read("t");
    begin(&f, "types.db");
    if (read_all(&f, &req, NULL))
      fail_msg("%s %s: %s", types[i].declared, types[i].fits, f.err.message);
    snprintf(sql, sizeof sql, "id:l! c:%s", types[i].format);
    assert_string_equal(shown_schema, sql);
    if (strcmp(shown, rows) != 0)
      fail_msg("%s %s is read as %s", types[i].declared, types[i].fits, shown);
    end(&f);
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
    make("types.db", sql);
    tenon_read req = table_read("t");
    begin(&f, "types.db");
    if (read_all(&f, &req, NULL) != TENON_DATA)
      fail_msg("%s takes %s as %s", types[i].declared, types[i].misfit, shown);
    assert_int_equal(f.err.stage, TENON_STAGE_DATA);
    assert_non_null(strstr(f.err.message, "column c, row 2: "));
    assert_non_null(strstr(f.err.remedy, "special_values=text"));
    req.special_values = TENON_SPECIAL_NULL;
    if (read_all(&f, &req, NULL)) fail_msg("%s", f.err.message);
    assert_non_null(strstr(shown, "2|~\n3|~\n"));
    req.special_values = TENON_SPECIAL_TEXT;
    bool blob = strncmp(types[i].misfit, "x'", 2) == 0 || strstr(types[i].misfit, "cast(x") ||
                strcmp(types[i].declared, "BLOB") == 0;
    if (!blob && read_all(&f, &req, NULL))
      fail_msg("%s %s: %s", types[i].declared, types[i].misfit, f.err.message);
    end(&f);
  }
}

static void special_text_keeps_what_is_sure(void **state) {
  (void)state;
  fixture f;
  make("strict.db",
       "CREATE TABLE t (id INTEGER PRIMARY KEY, i INT NOT NULL, r REAL, a ANY, d TEXT) STRICT;"
       "INSERT INTO t VALUES (1, 2, 2.5, 'x', 'y');"
       "CREATE TABLE u (id INTEGER PRIMARY KEY, i INT, r REAL); INSERT INTO u VALUES (1, 'two', "
       "2.5)");
  begin(&f, "strict.db");
  tenon_read req = table_read("t");
  req.special_values = TENON_SPECIAL_TEXT;
  expect_rows(&f, &req, "1|2|2.5|x|y\n");
  assert_string_equal(shown_schema, "id:l! i:l! r:g a:u d:u");
  req.name.table = "u";
  expect_rows(&f, &req, "1|two|2.5\n");
  assert_string_equal(shown_schema, "id:l! i:u r:u");
  end(&f);
}

static void numeric_as(void **state) {
  (void)state;
  fixture f;
  make("numeric.db", "CREATE TABLE t (n NUMERIC); INSERT INTO t VALUES (1), (2.5), (-3e2)");
  begin(&f, "numeric.db");
  tenon_read req = table_read("t");
  expect_rows(&f, &req, "1\n2.5\n-300\n");
  req.numeric_as = "float64";
  expect_rows(&f, &req, "1\n2.5\n-300\n");
  assert_string_equal(shown_schema, "n:g");
  req.numeric_as = "decimal(10,2)";
  expect_rows(&f, &req, "1.00\n2.50\n-300.00\n");
  assert_string_equal(shown_schema, "n:d:10,2");
  req.numeric_as = "decimal(2,1)";
  expect_failure(&f, &req, TENON_DATA, "column n, row 3");
  req.numeric_as = "money";
  expect_failure(&f, &req, TENON_CONFIG, "numeric_as=money");
  end(&f);
}

static void types_by_values(void **state) {
  (void)state;
  fixture f;
  make("untyped.db",
       "CREATE TABLE t (i, r, mixed, t, b, n, a ANY); INSERT INTO t VALUES (NULL, 1.5, 1, 'x', "
       "x'01', NULL, 1),"
       "(1, NULL, 2.5, 'y', x'02', NULL, 2); CREATE TABLE u (c); INSERT INTO u VALUES (1), ('x');"
       "CREATE VIEW v AS SELECT i + 1 AS e, t, upper(t) AS w, r FROM t");
  begin(&f, "untyped.db");
  tenon_read req = table_read("t");
  expect_rows(&f, &req, "~|1.5|1|x|01|~|1\n1|~|2.5|y|02|~|2\n");
  assert_string_equal(shown_schema, "i:l r:g mixed:g t:u b:z n:u a:l");
  req.name.table = "v";
  expect_rows(&f, &req, "~|x|X|1.5\n2|y|Y|~\n");
  assert_string_equal(shown_schema, "e:l t:u w:u r:g");
  req.name.table = "u";
  expect_failure(&f, &req, TENON_DATA, "column c, row 2: the text 'x' does not fit the type int64");
  req.special_values = TENON_SPECIAL_TEXT;
  expect_rows(&f, &req, "1\nx\n");
  end(&f);
}

static void utf16_files(void **state) {
  (void)state;
  fixture f;
  make("utf16.db",
       "PRAGMA encoding='UTF-16le'; CREATE TABLE t (c TEXT); INSERT INTO t VALUES ('h\xc3\xa9'), "
       "('\xf0\x9f\x98\x80'), ('a')");
  begin(&f, "utf16.db");
  tenon_read req = table_read("t");
  expect_rows(&f, &req, "h\xc3\xa9\n\xf0\x9f\x98\x80\na\n");
  tenon_value v = {.type = TENON_VALUE_TEXT, .data = "a", .size = 1};
  tenon_filter range = {.column = "c", .op = TENON_GT, .values = &v, .value_count = 1};
  tenon_rows rows;
  req.filters = &range;
  req.filter_count = 1;
  assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 0); /* its order is not that of UTF-8 */
  range.op = TENON_EQ;
  assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 1);
  assert_string_equal(shown, "a\n");
  end(&f);
}

/* ---- Reading ---- */

static void make_numbers(const char *name, int rows) {
  char sql[512];
  snprintf(sql, sizeof sql, "CREATE TABLE n (id INTEGER PRIMARY KEY, s TEXT, f REAL);"
           "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
           "INSERT INTO n SELECT i, CASE WHEN i %% 10 THEN 'row ' || i END, i / 4.0 FROM c", rows);
  make(name, sql);
}

static void batches_are_bounded(void **state) {
  (void)state;
  fixture f;
  make_numbers("numbers.db", 50000);
  begin(&f, "numbers.db");
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
  expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  req.batch_bytes = 0;
  req.batch_rows = 2;
  expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  end(&f);
}

static void some_columns_or_none(void **state) {
  (void)state;
  fixture f;
  make_numbers("numbers.db", 3);
  begin(&f, "numbers.db");
  tenon_read req = table_read("n");
  req.columns = (const char *const[]){"f", "id", "f"};
  req.column_count = 3;
  expect_rows(&f, &req, "0.25|1|0.25\n0.5|2|0.5\n0.75|3|0.75\n");
  req.column_count = 0;
  expect_rows(&f, &req, "\n\n\n");
  req.columns = (const char *const[]){"ids"};
  req.column_count = 1;
  expect_failure(&f, &req, TENON_NOT_FOUND, "n has no column ids");
  assert_string_equal(f.err.remedy, "did you mean id?");
  req = table_read("m");
  expect_failure(&f, &req, TENON_NOT_FOUND, "has no table m");
  assert_non_null(strstr(f.err.remedy, "did you mean n?"));
  req.name.schema = "public";
  expect_failure(&f, &req, TENON_NOT_FOUND, "no schema public");
  end(&f);
}

static void queries(void **state) {
  (void)state;
  make_numbers("numbers.db", 2000);
  expect_query("numbers.db", "SELECT count(*), min(f), 'x' || max(id) AS \"a b\" FROM n",
               "2000|0.25|x2000\n");
  expect_query(
      "numbers.db",
      "WITH t AS (SELECT id FROM n) SELECT * FROM t WHERE id < 3 ORDER BY id DESC; -- done",
      "2\n1\n");
  expect_query("numbers.db", "VALUES (1, 'a'), (2.5, NULL)", "1|a\n2.5|~\n");
  expect_query("numbers.db", "SELECT name FROM pragma_table_info('n')", "id\ns\nf\n");
  fixture f;
  begin(&f, "numbers.db");
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
  expect_rows(&f, &req,
              "~|1|-5|0.5|12.5|xy|0001|1969-12-31|01:02:03.000001|1969-12-31 23:59:59.999999\n");
  req.param_count = 2;
  expect_failure(&f, &req, TENON_CONFIG, "10 placeholders, and 2 values");
  req = (tenon_read)TENON_READ_INIT;
  req.query = "SELECT id FROM n WHERE id > 5";
  req.limit = 2;
  tenon_rows rows;
  assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT);
  assert_string_equal(shown, "6\n7\n");
  end(&f);
}

/* An expression that changes its class behind the sample: an error at that row, not a wrong value.
 */
static void expressions_are_checked(void **state) {
  (void)state;
  fixture f;
  make_numbers("numbers.db", 300);
  begin(&f, "numbers.db");
  tenon_read req = TENON_READ_INIT;
  req.query = "SELECT CASE WHEN id = 250 THEN 'x' ELSE id END AS e FROM n ORDER BY id";
  expect_failure(&f, &req, TENON_DATA,
                 "column e, row 250: the text 'x' does not fit the type int64");
  assert_non_null(strstr(f.err.remedy, "CAST"));
  end(&f);
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
  make_numbers("numbers.db", 3);
  begin(&f, "numbers.db");
  for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
    tenon_read req = TENON_READ_INIT;
    req.query = refused[i].sql;
    tenon_status status = read_all(&f, &req, NULL);
    if (status != refused[i].code || !strstr(f.err.message, refused[i].message))
      fail_msg("%s: %s %s", refused[i].sql, tenon_status_name(status), f.err.message);
    assert_true(f.err.remedy[0]);
  }
  tenon_read req = table_read("n");
  expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n3|row 3|0.75\n");
  end(&f);
}

/* ---- Describe and list ---- */

static void describes(void **state) {
  (void)state;
  fixture f;
  make("describe.db",
       "CREATE TABLE parent (a TEXT, b INT, PRIMARY KEY (a, b)) WITHOUT ROWID;"
       "CREATE TABLE t (id INTEGER PRIMARY KEY, name VARCHAR(20) NOT NULL DEFAULT 'x', price "
       "DECIMAL(10,2), raw NUMERIC,"
       " pa TEXT, pb INT, total AS (price * 2), UNIQUE (name, price), FOREIGN KEY (pa, pb) "
       "REFERENCES parent);"
       "CREATE UNIQUE INDEX part ON t (name) WHERE price > 1; CREATE UNIQUE INDEX expr ON t "
       "(lower(name), id);"
       "INSERT INTO t (id, name, price) VALUES (1, 'a', 2.5), (2, 'b', 3.5); ANALYZE");
  begin(&f, "describe.db");
  tenon_read req = table_read("T");
  tenon_table t;
  if (kind->tables->describe(f.ctx, f.session, &req, &t, &f.err)) fail_msg("%s", f.err.message);
  assert_string_equal(t.name, "t");
  assert_string_equal(t.kind, "table");
  assert_int_equal(t.rows_estimate, 2);
  show_schema(&t.schema, shown_schema, sizeof shown_schema);
  assert_string_equal(shown_schema, "id:l! name:u! price:d:10,2 raw:u pa:u pb:l total:g");
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
  show_schema(&t.schema, shown_schema, sizeof shown_schema);
  assert_string_equal(shown_schema, "id:l p:g");
  t.release(&t);
  end(&f);
}

static void lists(void **state) {
  (void)state;
  fixture f;
  make(
      "list.db",
      "CREATE TABLE b (x); CREATE VIEW a AS SELECT 1; CREATE VIRTUAL TABLE search USING fts5(text);"
      "CREATE TABLE Z (x); INSERT INTO b VALUES (1); CREATE INDEX bi ON b (x); ANALYZE");
  begin(&f, "list.db");
  tenon_tables_list req = {.struct_size = sizeof req};
  tenon_stream stream;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, shown, sizeof shown, &f.err), TENON_OK);
  assert_string_equal(shown,
                      "~|main|Z|table|~|~\n~|main|a|view|~|~\n~|main|b|table|1|~\n~|main|search|"
                      "virtual table|~|~\n");
  req.with_system = 1;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, shown, sizeof shown, &f.err), TENON_OK);
  assert_non_null(strstr(shown, "sqlite_schema"));
  assert_non_null(strstr(shown, "search_data"));
  req.schema = "other";
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_NOT_FOUND);
  end(&f);
}

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

static void expect_ids(fixture *f, const tenon_read *req, const char *ids, tenon_rows *rows) {
  if (read_all(f, req, rows)) fail_msg("%s", f->err.message);
  size_t n = strlen(shown);
  for (size_t i = 0; i < n; i++)
    if (shown[i] == '\n') shown[i] = i + 1 < n ? ' ' : 0;
  if (strcmp(shown, ids) != 0) fail_msg("got %s, expected %s", shown, ids);
}

static void filters_are_exact(void **state) {
  (void)state;
  const tenon_order by_id = {"id", 0};
  make("pushed.db", pushed_sql);
  for (int index = 0; index < 2; index++) {
    fixture f;
    begin(&f, "pushed.db");
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
      assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS | TENON_APPLIED_ORDER |
                                         (filters[i].pushed ? TENON_APPLIED_LIMIT : 0));
      req.special_values =
          TENON_SPECIAL_NULL; /* a misfit would be NULL, which SQLite does not know */
      assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
      assert_int_equal(rows.filters_applied, 0);
    }
    end(&f);
    sqlite3 *db = writer_of("pushed.db"); /* the same by way of indexes */
    run(db,
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
  make("times.db",
       "CREATE TABLE w (id INTEGER PRIMARY KEY, ts DATETIME, z TIMESTAMPTZ, c TIME); INSERT INTO w "
       "VALUES"
       "(1, '2020-01-01', '2020-01-01T00:00:00Z', '12:00'), (2, '2020-01-01 23:59:59.999999', "
       "'2020-01-01 23:59:59+00:00', '12:00:00.5'),"
       "(3, '2020-01-02T00:00', '2020-01-03 12:00:00+23:59', '12:00:00'), (4, '2020-01-02 "
       "00:00:00', '2019-12-31 20:00:00-23:59', '00:00:00.000'),"
       "(5, '2019-12-31 23:59', '2018-01-01 00:00Z', '23:59'), (6, NULL, NULL, NULL), (7, "
       "'2020-01-02 00:00:00.0000000', '2022-01-01 00:00Z', '12:00:00.500')");
  begin(&f, "times.db");
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
    assert_int_equal(rows.applied,
                     TENON_APPLIED_COLUMNS | (cases[i].pushed ? TENON_APPLIED_LIMIT : 0));
  }
  const tenon_order order[] = {{"ts", 0}, {"c", 1}, {"id", 0}};
  tenon_read req = table_read("w");
  req.columns = (const char *const[]){"id"};
  req.column_count = 1;
  req.order = order;
  req.order_count = 3;
  tenon_rows rows;
  expect_ids(&f, &req, "5 1 2 7 3 4 6", &rows);
  assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS | TENON_APPLIED_ORDER);
  tenon_value after[3] = {at_night[0], of_day[0], {.type = TENON_VALUE_INT, .i = 3}};
  req.after = after;
  expect_ids(&f, &req, "4 6", &rows);
  assert_true(rows.applied & TENON_APPLIED_AFTER);
  end(&f);
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
  make("pushed.db", pushed_sql);
  begin(&f, "pushed.db");
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
    read_all(&f, &req, &rows);
    assert_int_equal(strlen(shown), 4);
    assert_true(rows.applied & TENON_APPLIED_LIMIT);
    req.special_values = TENON_SPECIAL_NULL;
    read_all(&f, &req, &rows);
    assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS); /* neither order nor limit */
  }
  tenon_order by_time = {"z", 0};
  tenon_read req = table_read("p");
  req.order = &by_time;
  req.order_count = 1;
  req.limit = 1;
  assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.applied, TENON_APPLIED_COLUMNS);
  end(&f);
}

/* Reading row after row, each behind the last, gives the whole in order: nothing twice, nothing
 * lost. */
static void resumes_behind_a_row(void **state) {
  (void)state;
  fixture f;
  make("pushed.db", pushed_sql);
  begin(&f, "pushed.db");
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
      if (read_all(&f, &req, &rows)) fail_msg("%s", f.err.message);
      assert_int_equal(rows.applied & TENON_APPLIED_AFTER, row ? TENON_APPLIED_AFTER : 0);
      if (!shown[0]) break;
      char *end_of_i;
      int64_t i = strtoll(shown, &end_of_i, 10), id = strtoll(strchr(shown, '|') + 1, NULL, 10);
      after[0] =
          (tenon_value){.type = shown[0] == '~' ? TENON_VALUE_NULL : TENON_VALUE_INT, .i = i};
      after[1] = (tenon_value){.type = TENON_VALUE_INT, .i = id};
      req.after = after;
      snprintf(ids + strlen(ids), sizeof ids - strlen(ids), "%d ", (int)id);
    }
    assert_string_equal(ids, descending ? "5 6 1 4 7 2 3 8 " : "2 7 1 4 6 5 3 8 ");
  }
  end(&f);
}

/* Rows that a filter leaves out are not checked; but another class in its own column is an error,
 * not an empty answer. */
static void misfits_and_filters(void **state) {
  (void)state;
  fixture f;
  make("mixed.db",
       "CREATE TABLE m (id INTEGER PRIMARY KEY, i INT, d DATE, t TEXT, ts DATETIME, b BLOB);"
       "INSERT INTO m VALUES (1, 5, '2020-01-01', 'x', '2020-01-01', x''), (2, 'x', 18262, x'00', "
       "1577836800, 'text'), (3, 7, NULL, 'y', NULL, x'00')");
  begin(&f, "mixed.db");
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
      expect_failure(&f, &req, TENON_DATA, message);
    }
  }
  tenon_value one = INT(1);
  tenon_filter filter = {"id", TENON_EQ, &one, 1};
  tenon_read req = table_read("m");
  req.filters = &filter;
  req.filter_count = 1;
  expect_rows(&f, &req, "1|5|18262|x|1577836800000000|\n");
  req.special_values = TENON_SPECIAL_NULL;
  req.filters = &(tenon_filter){"i", TENON_GT, &one, 1};
  tenon_rows rows;
  assert_int_equal(read_all(&f, &req, &rows), TENON_OK);
  assert_int_equal(rows.filters_applied, 0);
  end(&f);
}

static void filters_use_indexes(void **state) {
  (void)state;
  fixture f;
  make_numbers("numbers.db", 20000);
  sqlite3 *db = writer_of("numbers.db");
  run(db, "CREATE INDEX ns ON n (s)");
  sqlite3_close(db);
  begin(&f, "numbers.db");
  tenon_value v = TEXT("row 19999");
  tenon_filter filter = {"s", TENON_EQ, &v, 1};
  tenon_read req = table_read("n");
  req.filters = &filter;
  req.filter_count = 1;
  int64_t indexed = 0, scanned = 0;
  for (int i = 0; i < 50; i++) {
    int64_t before = tn_now_us();
    expect_rows(&f, &req, "19999|row 19999|4999.75\n");
    indexed += tn_now_us() - before;
  }
  filter.op = TENON_PREFIX;
  db = writer_of("numbers.db");
  run(db, "DROP INDEX ns");
  sqlite3_close(db);
  for (int i = 0; i < 50; i++) {
    int64_t before = tn_now_us();
    expect_rows(&f, &req, "19999|row 19999|4999.75\n");
    scanned += tn_now_us() - before;
  }
  assert_true(indexed * 2 < scanned);
  end(&f);
}

/* ---- Other programs, cancelling ---- */

static void locked_databases(void **state) {
  (void)state;
  fixture f;
  make_numbers("locked.db", 10);
  sqlite3 *db = writer_of("locked.db");
  run(db, "BEGIN EXCLUSIVE");
  begin(&f, "locked.db");
  tenon_read req = table_read("n");
  int64_t before = tn_now_ms();
  expect_failure(&f, &req, TENON_CONFLICT, "locked by another program");
  assert_int_equal(f.err.retryable, 1);
  assert_true(tn_now_ms() - before >= 150 && tn_now_ms() - before < 5000);
  assert_non_null(strstr(f.err.remedy, "busy_timeout"));
  run(db, "COMMIT");
  assert_int_equal(read_all(&f, &req, NULL), TENON_OK);
  /* a stream holds its lock until its last row, not longer */
  tenon_rows rows;
  req.batch_rows = 5;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  assert_int_not_equal(sqlite3_exec(db, "DELETE FROM n", NULL, NULL, NULL), SQLITE_OK);
  if (show_rows(&rows.stream, shown, sizeof shown, &f.err)) fail_msg("%s", f.err.message);
  assert_int_equal(sqlite3_exec(db, "DELETE FROM n", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  end(&f);
}

/* Somebody else's look at the same file in this process must not drop the lock of a read under way:
 * POSIX locks go with any descriptor that is closed. Another process would then write into it. */
static int delete_rows(const char *path) {
  sqlite3 *db;
  int code = sqlite3_open(path, &db);
  if (code == SQLITE_OK) code = sqlite3_exec(db, "DELETE FROM n", NULL, NULL, NULL);
  sqlite3_close(db);
  return code;
}

/* This program again: a forked one would still believe in the locks that SQLite remembers. */
static int write_from_another_process(const char *path) {
  pid_t child = fork();
  if (child == 0) {
    execl("/proc/self/exe", "test_sqlite", "delete", path, (char *)NULL);
    _exit(127);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  return WEXITSTATUS(status);
}

static void locks_of_a_read_stay(void **state) {
  (void)state;
  tenon *t;
  tenon_session *reading, *other;
  struct ArrowArrayStream stream;
  struct ArrowArray batch;
  char target[140];
  tenon_error err = TENON_ERROR_INIT;
  make_numbers("shared.db", 40000);
  snprintf(target, sizeof target, "%s:n", path_of("shared.db"));
  assert_int_equal(tenon_new(NULL, &t, &err), TENON_OK);
  assert_int_equal(tenon_open(NULL, t, target, NULL, 0, &reading, &err), TENON_OK);
  tenon_read req = table_read("n");
  if (tenon_read_table(NULL, reading, &req, &stream, NULL, &err)) fail_msg("%s", err.message);
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  batch.release(&batch);
  assert_int_equal(write_from_another_process(path_of("shared.db")), SQLITE_BUSY);
  assert_int_equal(tenon_open(NULL, t, target, NULL, 0, &other, &err), TENON_OK);
  tenon_close(other);
  assert_int_equal(write_from_another_process(path_of("shared.db")), SQLITE_BUSY);
  stream.release(&stream);
  tenon_close(reading);
  assert_int_equal(write_from_another_process(path_of("shared.db")), SQLITE_OK);
  tenon_free(t);
}

static void *cancel_soon(void *arg) {
  usleep(50000);
  tenon_ctx_cancel(arg);
  return NULL;
}

static void cancels_endless_queries(void **state) {
  (void)state;
  static const char *const endless[] = {
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT count(*) FROM c",
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) SELECT i FROM c WHERE i < 0",
      "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c LIMIT 100000000) SELECT i "
      "FROM c ORDER BY random()"};
  make_numbers("numbers.db", 10);
  for (size_t i = 0; i < 6; i++) {
    fixture f;
    pthread_t thread;
    begin(&f, "numbers.db");
    bool by_hand = i % 2;
    if (!by_hand) {
      tenon_ctx_free(f.ctx);
      assert_int_equal(tenon_ctx_new(NULL, 50, &f.ctx, NULL), TENON_OK);
    } else {
      pthread_create(&thread, NULL, cancel_soon, f.ctx);
    }
    tenon_read req = TENON_READ_INIT;
    req.query = endless[i / 2];
    int64_t before = tn_now_ms();
    tenon_status status = read_all(&f, &req, NULL);
    assert_true(tn_now_ms() - before < 2000);
    assert_int_equal(status, by_hand ? TENON_CANCELLED : TENON_TIMEOUT);
    if (by_hand) pthread_join(thread, NULL);
    tenon_ctx_free(f.ctx); /* the session is good for the next context */
    assert_int_equal(tenon_ctx_new(NULL, 20000, &f.ctx, NULL), TENON_OK);
    req.query = "SELECT count(*) FROM n";
    expect_rows(&f, &req, "10\n");
    end(&f);
  }
}

static void a_lock_does_not_outlast_the_deadline(void **state) {
  (void)state;
  fixture f;
  make_numbers("locked.db", 1);
  sqlite3 *db = writer_of("locked.db");
  run(db, "BEGIN EXCLUSIVE");
  begin_with(&f, "locked.db", "busy_timeout", "1h");
  tenon_ctx_free(f.ctx);
  assert_int_equal(tenon_ctx_new(NULL, 100, &f.ctx, NULL), TENON_OK);
  tenon_read req = table_read("n");
  int64_t before = tn_now_ms();
  assert_int_equal(read_all(&f, &req, NULL), TENON_TIMEOUT);
  assert_true(tn_now_ms() - before < 1000);
  sqlite3_close(db);
  end(&f);
}

/* ---- Write-ahead logs ---- */

static bool exists(const char *name) { return access(path_of(name), F_OK) == 0; }

static void wal_without_leaving_files(void **state) {
  (void)state;
  fixture f;
  make("wal.db", "PRAGMA journal_mode=WAL; CREATE TABLE t (c INT); INSERT INTO t VALUES (1)");
  assert_false(exists("wal.db-wal"));
  begin(&f, "wal.db");
  tenon_read req = table_read("t");
  expect_rows(&f, &req, "1\n");
  assert_false(exists("wal.db-wal") || exists("wal.db-shm"));
  sqlite3 *db = writer_of("wal.db"); /* now somebody writes: the log counts */
  run(db, "INSERT INTO t VALUES (2)");
  expect_rows(&f, &req, "1\n2\n");
  tenon_rows rows;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  run(db,
      "INSERT INTO t VALUES (3)"); /* a reader does not hold a writer up, and sees its snapshot */
  assert_int_equal(show_rows(&rows.stream, shown, sizeof shown, &f.err), TENON_OK);
  assert_string_equal(shown, "1\n2\n");
  sqlite3_close(db);
  expect_rows(&f, &req, "1\n2\n3\n");
  end(&f);
}

static void a_writer_that_comes_in_between(void **state) {
  (void)state;
  fixture f;
  make("wal.db",
       "PRAGMA journal_mode=WAL; CREATE TABLE t (c INT); INSERT INTO t VALUES (1), (2), (3)");
  begin(&f, "wal.db");
  tenon_read req = table_read("t");
  req.batch_rows = 1;
  tenon_rows rows;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  sqlite3 *db = writer_of("wal.db");
  run(db, "DELETE FROM t");
  assert_int_equal(show_rows(&rows.stream, shown, sizeof shown, &f.err), TENON_CONFLICT);
  assert_int_equal(f.err.retryable, 1);
  expect_rows(&f, &req, "");
  sqlite3_close(db);
  end(&f);
}

/* What a crash leaves behind: a database and the journal of a transaction that was not finished. */
static void unfinished_transactions(void **state) {
  (void)state;
  fixture f;
  char command[600];
  make_numbers("crash.db", 5000);
  sqlite3 *db = writer_of("crash.db");
  run(db, "PRAGMA cache_size=5; BEGIN; UPDATE n SET s = 'half done'");
  snprintf(command, sizeof command,
           "cp %s/crash.db %s/left.db && cp %s/crash.db-journal %s/left.db-journal", folder, folder,
           folder, folder);
  assert_int_equal(system(command), 0);
  run(db, "ROLLBACK");
  sqlite3_close(db);
  tenon_read req = table_read("n");
  req.limit = 1;
  begin(&f, "left.db");
  expect_failure(&f, &req, TENON_CONFLICT, "a transaction that was not finished");
  assert_non_null(strstr(f.err.remedy, "mode=read-write"));
  end(&f);
  begin_with(&f, "left.db", "mode", "read-write");
  expect_rows(&f, &req, "1|row 1|0.25\n");
  req = (tenon_read)TENON_READ_INIT;
  req.query = "DELETE FROM n";
  expect_failure(&f, &req, TENON_FORBIDDEN, "would change"); /* this mode reads, too */
  end(&f);
}

static void immutable_files(void **state) {
  (void)state;
  fixture f;
  make_numbers("locked.db", 2);
  sqlite3 *db = writer_of("locked.db");
  run(db, "BEGIN EXCLUSIVE");
  begin_with(&f, "locked.db", "mode", "immutable");
  tenon_read req = table_read("n");
  expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n"); /* without asking for locks */
  end(&f);
  sqlite3_close(db);
}

/* ---- Files that are none, or not good ---- */

static tenon_status open_status(const char *path, tenon_error *err) {
  tn_config *c = config_of(path, NULL, NULL);
  tenon_ctx *ctx;
  void *session;
  tn_error_init(err);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tenon_status status = kind->open(ctx, kind, c->data, &session, err);
  if (status == TENON_OK) kind->close(session);
  tenon_ctx_free(ctx);
  tn_config_free(c);
  return status;
}

static void write_bytes(const char *name, const void *data, size_t size) {
  FILE *f = fopen(path_of(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, size, f), size);
  fclose(f);
}

static void files_that_are_none(void **state) {
  (void)state;
  tenon_error err;
  assert_int_equal(open_status(path_of("nothing.db"), &err), TENON_NOT_FOUND);
  assert_false(exists("nothing.db")); /* reading makes no file */
  assert_true(err.remedy[0]);
  assert_int_equal(open_status(folder, &err), TENON_CONFIG);
  write_bytes("text.db", "this is no database, but long enough to be one ", 46);
  assert_int_equal(open_status(path_of("text.db"), &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "is not a SQLite database"));
  write_bytes("short.db", "SQLite", 6);
  assert_int_equal(open_status(path_of("short.db"), &err), TENON_CONFIG);
  assert_int_equal(mkfifo(path_of("pipe.db"), 0600), 0);
  assert_int_equal(open_status(path_of("pipe.db"), &err), TENON_CONFIG);
  if (geteuid() == 0) {
    make("secret.db", "CREATE TABLE t (c)");
    chmod(folder, 0755);
    chmod(path_of("secret.db"), 0600);
    assert_int_equal(seteuid(65534), 0);
    tenon_status status = open_status(path_of("secret.db"), &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, TENON_FORBIDDEN);
    assert_int_equal(err.stage, TENON_STAGE_PERMISSION);
  }
  write_bytes("empty.db", "", 0);
  fixture f;
  begin(&f, "empty.db");
  tenon_tables_list req = {.struct_size = sizeof req};
  tenon_stream stream;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, shown, sizeof shown, &f.err), TENON_OK);
  assert_string_equal(shown, "");
  end(&f);
}

/* Reads all tables of a file; whatever it holds, the answer is rows or a typed error. */
static int read_everything(const char *name) {
  tenon_error err = TENON_ERROR_INIT;
  tn_config *c = config_of(path_of(name), NULL, NULL);
  tenon_ctx *ctx;
  void *session;
  static const char *const names[] = {"n", "search", "v", "r"};
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tenon_status status = kind->open(ctx, kind, c->data, &session, &err);
  for (int i = 0; !status && i < 4; i++) {
    tenon_read req = table_read(names[i]);
    tenon_rows rows;
    tenon_table table;
    tn_error_init(&err);
    tenon_status one = kind->tables->describe(ctx, session, &req, &table, &err);
    if (one == TENON_OK) table.release(&table);
    assert_int_equal(one, err.code);
    tn_error_init(&err);
    one = kind->tables->read(ctx, session, &req, &rows, &err);
    if (one == TENON_OK) one = show_rows(&rows.stream, shown, sizeof shown, &err);
    assert_int_equal(one, err.code);
    assert_true(one != TENON_INTERNAL && one != TENON_TIMEOUT);
  }
  if (status == TENON_OK) kind->close(session);
  assert_int_equal(status, status ? err.code : TENON_OK);
  tenon_ctx_free(ctx);
  tn_config_free(c);
  return status;
}

static void malformed_files(void **state) {
  (void)state;
  static unsigned char good[1 << 20], bad[1 << 20];
  make("good.db",
       "PRAGMA page_size=1024; CREATE TABLE n (id INTEGER PRIMARY KEY, s TEXT, f DECIMAL(10,2));"
       "CREATE INDEX ns ON n (s); CREATE VIRTUAL TABLE search USING fts5(text); CREATE VIRTUAL "
       "TABLE r USING rtree(id, a, b);"
       "CREATE VIEW v AS SELECT count(*) AS c, max(s) AS m FROM n;"
       "INSERT INTO r VALUES (1, 2, 3); INSERT INTO search VALUES ('some words');"
       "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) INSERT INTO "
       "n SELECT i, 'row ' || i, i / 4.0 FROM c");
  FILE *f = fopen(path_of("good.db"), "rb");
  size_t size = fread(good, 1, sizeof good, f);
  fclose(f);
  assert_true(size > 10000);
  assert_int_equal(read_everything("good.db"), TENON_OK);
  srandom(11);
  for (int round = 0; round < 400; round++) {
    size_t length = size;
    memcpy(bad, good, size);
    if (round % 4 == 0) length = (size_t)random() % size;
    for (int k = 0; k < 1 + round % 30; k++) {
      size_t where = (size_t)random() % (k % 3 ? size : 2048); /* headers and schema more often */
      bad[where] = (unsigned char)random();
    }
    if (round % 5 == 0) memcpy(bad, good, 100); /* a good header, bad pages */
    write_bytes("bad.db", bad, length);
    read_everything("bad.db");
  }
}

/* What a hostile schema would have done by us. */
static void hostile_schemas(void **state) {
  (void)state;
  fixture f;
  tenon_read req;
  make("hostile.db",
       "CREATE TABLE t (c INT CHECK (c > 0), g AS (c + 1)); INSERT INTO t VALUES (1);"
       "CREATE VIEW endless AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
       "SELECT count(*) FROM c;"
       "CREATE VIEW broken AS SELECT * FROM nosuch; CREATE VIEW pragma AS SELECT * FROM "
       "pragma_database_list;"
       "CREATE TABLE \"we\"\"ird \n name\" (\"a\"\"b\" INT, \"select\" INT); INSERT INTO "
       "\"we\"\"ird \n name\" VALUES (1, 2);"
       "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t; END");
  begin(&f, "hostile.db");
  req = table_read("broken");
  assert_int_equal(read_all(&f, &req, NULL), TENON_NOT_FOUND);
  req = table_read("pragma"); /* trusted_schema is off: a view may not look around */
  assert_int_not_equal(read_all(&f, &req, NULL), TENON_OK);
  req = table_read("we\"ird \n name");
  expect_rows(&f, &req, "1|2\n");
  tenon_value one = INT(1);
  tenon_filter filter = {"a\"b", TENON_EQ, &one, 1};
  req.filters = &filter;
  req.filter_count = 1;
  expect_rows(&f, &req, "1|2\n");
  end(&f);
  begin(&f, "hostile.db");
  tenon_ctx_free(f.ctx);
  assert_int_equal(tenon_ctx_new(NULL, 100, &f.ctx, NULL), TENON_OK);
  req = table_read("endless");
  assert_int_equal(read_all(&f, &req, NULL), TENON_TIMEOUT);
  end(&f);
}

/* ---- The rest ---- */

static void tests_a_file(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  tenon_ctx *ctx;
  make_numbers("numbers.db", 1);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tn_config *c = config_of(path_of("numbers.db"), NULL, NULL);
  tenon_test t = {.struct_size = sizeof t};
  assert_int_equal(kind->test(ctx, kind, c->data, &t, &err), TENON_OK);
  assert_int_equal(t.step_count, 3);
  assert_string_equal(t.steps[0].name, "open");
  assert_string_equal(t.steps[1].name, "permission");
  assert_string_equal(t.steps[2].name, "probe");
  assert_string_equal(t.steps[2].evidence, "1 tables and views");
  assert_string_equal(t.facts[0].key, "library_version");
  assert_string_equal(t.facts[1].value, "4096");
  tn_config_free(c);
  write_bytes("text.db", "this is no database, but long enough to be one ", 46);
  c = config_of(path_of("text.db"), NULL, NULL);
  t = (tenon_test){.struct_size = sizeof t};
  assert_int_equal(kind->test(ctx, kind, c->data, &t, &err), TENON_CONFIG);
  assert_int_equal(t.step_count, 3);
  assert_int_equal(t.steps[2].outcome, TENON_FAILED);
  assert_true(t.steps[2].remedy[0]);
  tn_config_free(c);
  tenon_ctx_free(ctx);
}

static char set_as[512];

static tenon_status collect(void *arg, const char *key, const char *value, tenon_error *e) {
  (void)arg, (void)e;
  size_t n = strlen(set_as);
  snprintf(set_as + n, sizeof set_as - n, "%s=%s;", key, value);
  return TENON_OK;
}

static void urls(void **state) {
  (void)state;
  static const struct { const char *url, *set;
  } cases[] = {{"sqlite:///a/b.db", "path=/a/b.db;"},
               {"sqlite:b.db", "path=b.db;"},
               {"sqlite://b.db", "path=b.db;"},
               {"sqlite3:////a/b.db", "path=//a/b.db;"},
               {"sqlite:///a%20b%3F.db?mode=immutable", "path=/a b?.db;mode=immutable;"},
               {"sqlite:///a?busy_timeout=1s&&mode=x=y", "path=/a;busy_timeout=1s;mode=x=y;"},
               {"sqlite://", ""},
               {"sqlite:///a%zz", NULL},
               {"sqlite:///a%00", NULL},
               {"sqlite:///a?x=%", NULL}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    set_as[0] = 0;
    assert_int_equal(kind->parse_url(cases[i].url, collect, NULL, NULL),
                     cases[i].set ? TENON_OK : TENON_CONFIG);
    if (cases[i].set) assert_string_equal(set_as, cases[i].set);
  }
}

static void odd_paths(void **state) {
  (void)state;
  static const char *const names[] = {"a b.db", "q?mode=rwc.db", "per%41cent.db", "hash#.db",
                                      "h\xc3\xa9.db"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    fixture f;
    make("plain.db", "CREATE TABLE t (c INT); INSERT INTO t VALUES (1)");
    char from[128];
    snprintf(from, sizeof from, "%s", path_of("plain.db"));
    assert_int_equal(rename(from, path_of(names[i])), 0);
    begin(&f, names[i]);
    tenon_read req = table_read("t");
    expect_rows(&f, &req, "1\n");
    end(&f);
  }
}

/* Every allocation of ours fails once; nothing leaks, and what fails says so. */
static void memory_fails(void **state) {
  (void)state;
  make("strict.db",
       "CREATE TABLE t (id INTEGER PRIMARY KEY, a, s TEXT, UNIQUE (s)); INSERT INTO t VALUES (1, "
       "2, 'x'), (2, NULL, 'y')");
  for (int64_t n = 1;; n++) {
    assert_true(n < 2000);
    tenon_error err = TENON_ERROR_INIT;
    tenon_ctx *ctx;
    void *session = NULL;
    tenon_table table;
    tenon_rows rows;
    tn_config *c = config_of(path_of("strict.db"), NULL, NULL);
    assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
    tenon_read req = table_read("t"), query = TENON_READ_INIT;
    query.query = "SELECT id + 1 AS e, s FROM t";
    tn_mem_fail_at(n, 0);
    tenon_status status = kind->open(ctx, kind, c->data, &session, &err);
    if (!status && !(status = kind->tables->describe(ctx, session, &req, &table, &err)))
      table.release(&table);
    if (!status && !(status = kind->tables->read(ctx, session, &req, &rows, &err)))
      status = show_rows(&rows.stream, shown, sizeof shown, &err);
    if (!status && !(status = kind->tables->read(ctx, session, &query, &rows, &err)))
      status = show_rows(&rows.stream, shown, sizeof shown, &err);
    int64_t count = tn_mem_count();
    tn_mem_fail_at(0, 0);
    if (session) kind->close(session);
    tenon_ctx_free(ctx);
    tn_config_free(c);
    if (count < n) {
      assert_int_equal(status, TENON_OK);
      break;
    }
    if (status != TENON_OK && status != TENON_LIMITED) fail_msg("%d: %s", (int)n, err.message);
  }
}

int main(int argc, char **argv) {
  if (argc == 3 && strcmp(argv[1], "delete") == 0) return delete_rows(argv[2]);
  snprintf(folder, sizeof folder, "/tmp/tenon-sqlite.XXXXXX");
  if (!mkdtemp(folder) || kind->init(tn_host(), NULL) != TENON_OK) return 1;
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
      cmocka_unit_test(filters_are_exact),
      cmocka_unit_test(times_are_compared),
      cmocka_unit_test(orders_are_exact),
      cmocka_unit_test(resumes_behind_a_row),
      cmocka_unit_test(misfits_and_filters),
      cmocka_unit_test(filters_use_indexes),
      cmocka_unit_test(locked_databases),
      cmocka_unit_test(locks_of_a_read_stay),
      cmocka_unit_test(cancels_endless_queries),
      cmocka_unit_test(a_lock_does_not_outlast_the_deadline),
      cmocka_unit_test(wal_without_leaving_files),
      cmocka_unit_test(a_writer_that_comes_in_between),
      cmocka_unit_test(unfinished_transactions),
      cmocka_unit_test(immutable_files),
      cmocka_unit_test(files_that_are_none),
      cmocka_unit_test(malformed_files),
      cmocka_unit_test(hostile_schemas),
      cmocka_unit_test(tests_a_file),
      cmocka_unit_test(urls),
      cmocka_unit_test(odd_paths),
      cmocka_unit_test(memory_fails),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command) ? 1 : failed;
}
