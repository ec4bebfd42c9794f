/* SPDX-License-Identifier: Apache-2.0 */
/* SQLite files among other programs: locks, logs, cancelling, hostile ones; tests and URLs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
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
#include "tenon/tenon.h"
#include "unit/show_rows.h"
#include "unit/sqlite_fixture.h"

static const tenon_provider *const kind = &tn_provider_sqlite;


/* ---- Other programs, cancelling ---- */

static void locked_databases(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("locked.db", 10);
  sqlite3 *db = db_writer("locked.db");
  db_run(db, "BEGIN EXCLUSIVE");
  db_begin(&f, "locked.db");
  tenon_read req = table_read("n");
  int64_t before = tn_now_ms();
  db_expect_failure(&f, &req, TENON_CONFLICT, "locked by another program");
  assert_int_equal(f.err.retryable, 0);   /* it would be waited for again */
  assert_true(tn_now_ms() - before >= 150 && tn_now_ms() - before < 5000);
  assert_non_null(strstr(f.err.remedy, "busy_timeout"));
  db_run(db, "COMMIT");
  assert_int_equal(db_read(&f, &req, NULL), TENON_OK);
  /* a stream holds its lock until its last row, not longer */
  tenon_rows rows;
  req.batch_rows = 5;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  assert_int_not_equal(sqlite3_exec(db, "DELETE FROM n", NULL, NULL, NULL), SQLITE_OK);
  if (show_rows(&rows.stream, db_shown, sizeof db_shown, &f.err)) fail_msg("%s", f.err.message);
  assert_int_equal(sqlite3_exec(db, "DELETE FROM n", NULL, NULL, NULL), SQLITE_OK);
  sqlite3_close(db);
  db_end(&f);
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
  db_make_numbers("shared.db", 40000);
  snprintf(target, sizeof target, "%s:n", db_path("shared.db"));
  assert_int_equal(tenon_new(NULL, &t, &err), TENON_OK);
  assert_int_equal(tenon_open(NULL, t, target, NULL, 0, &reading, &err), TENON_OK);
  tenon_read req = table_read("n");
  if (tenon_read_table(NULL, reading, &req, &stream, NULL, &err)) fail_msg("%s", err.message);
  assert_int_equal(stream.get_next(&stream, &batch), 0);
  batch.release(&batch);
  assert_int_equal(write_from_another_process(db_path("shared.db")), SQLITE_BUSY);
  assert_int_equal(tenon_open(NULL, t, target, NULL, 0, &other, &err), TENON_OK);
  tenon_close(other);
  assert_int_equal(write_from_another_process(db_path("shared.db")), SQLITE_BUSY);
  stream.release(&stream);
  tenon_close(reading);
  assert_int_equal(write_from_another_process(db_path("shared.db")), SQLITE_OK);
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
  db_make_numbers("numbers.db", 10);
  for (size_t i = 0; i < 6; i++) {
    fixture f;
    pthread_t thread;
    db_begin(&f, "numbers.db");
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
    tenon_status status = db_read(&f, &req, NULL);
    assert_true(tn_now_ms() - before < 2000);
    assert_int_equal(status, by_hand ? TENON_CANCELLED : TENON_TIMEOUT);
    if (by_hand) pthread_join(thread, NULL);
    tenon_ctx_free(f.ctx); /* the session is good for the next context */
    assert_int_equal(tenon_ctx_new(NULL, 20000, &f.ctx, NULL), TENON_OK);
    req.query = "SELECT count(*) FROM n";
    db_expect_rows(&f, &req, "10\n");
    db_end(&f);
  }
}

static void a_lock_does_not_outlast_the_deadline(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("locked.db", 1);
  sqlite3 *db = db_writer("locked.db");
  db_run(db, "BEGIN EXCLUSIVE");
  db_begin_with(&f, "locked.db", "busy_timeout", "1h");
  tenon_ctx_free(f.ctx);
  assert_int_equal(tenon_ctx_new(NULL, 100, &f.ctx, NULL), TENON_OK);
  tenon_read req = table_read("n");
  int64_t before = tn_now_ms();
  assert_int_equal(db_read(&f, &req, NULL), TENON_TIMEOUT);
  assert_true(tn_now_ms() - before < 1000);
  sqlite3_close(db);
  db_end(&f);
}

/* ---- Write-ahead logs ---- */

static bool exists(const char *name) { return access(db_path(name), F_OK) == 0; }

static void wal_without_leaving_files(void **state) {
  (void)state;
  fixture f;
  db_make("wal.db", "PRAGMA journal_mode=WAL; CREATE TABLE t (c INT); INSERT INTO t VALUES (1)");
  assert_false(exists("wal.db-wal"));
  db_begin(&f, "wal.db");
  tenon_read req = table_read("t");
  db_expect_rows(&f, &req, "1\n");
  assert_false(exists("wal.db-wal") || exists("wal.db-shm"));
  sqlite3 *db = db_writer("wal.db"); /* now somebody writes: the log counts */
  db_run(db, "INSERT INTO t VALUES (2)");
  db_expect_rows(&f, &req, "1\n2\n");
  tenon_rows rows;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  db_run(db,
      "INSERT INTO t VALUES (3)"); /* a reader does not hold a writer up, and sees its snapshot */
  assert_int_equal(show_rows(&rows.stream, db_shown, sizeof db_shown, &f.err), TENON_OK);
  assert_string_equal(db_shown, "1\n2\n");
  sqlite3_close(db);
  db_expect_rows(&f, &req, "1\n2\n3\n");
  db_end(&f);
}

static void a_writer_that_comes_in_between(void **state) {
  (void)state;
  fixture f;
  db_make("wal.db",
       "PRAGMA journal_mode=WAL; CREATE TABLE t (c INT); INSERT INTO t VALUES (1), (2), (3)");
  db_begin(&f, "wal.db");
  tenon_read req = table_read("t");
  req.batch_rows = 1;
  tenon_rows rows;
  assert_int_equal(kind->tables->read(f.ctx, f.session, &req, &rows, &f.err), TENON_OK);
  sqlite3 *db = db_writer("wal.db");
  db_run(db, "DELETE FROM t");
  assert_int_equal(show_rows(&rows.stream, db_shown, sizeof db_shown, &f.err), TENON_CONFLICT);
  assert_int_equal(f.err.retryable, 1);
  db_expect_rows(&f, &req, "");
  sqlite3_close(db);
  db_end(&f);
}

/* What a crash leaves behind: a database and the journal of a transaction that was not finished. */
static void unfinished_transactions(void **state) {
  (void)state;
  fixture f;
  char command[600];
  db_make_numbers("crash.db", 5000);
  sqlite3 *db = db_writer("crash.db");
  db_run(db, "PRAGMA cache_size=5; BEGIN; UPDATE n SET s = 'half done'");
  snprintf(command, sizeof command,
           "cp %s/crash.db %s/left.db && cp %s/crash.db-journal %s/left.db-journal", db_folder,
           db_folder, db_folder, db_folder);
  assert_int_equal(system(command), 0);
  db_run(db, "ROLLBACK");
  sqlite3_close(db);
  tenon_read req = table_read("n");
  req.limit = 1;
  db_begin(&f, "left.db");
  db_expect_failure(&f, &req, TENON_CONFLICT, "a transaction that was not finished");
  assert_non_null(strstr(f.err.remedy, "mode=read-write"));
  db_end(&f);
  db_begin_with(&f, "left.db", "mode", "read-write");
  db_expect_rows(&f, &req, "1|row 1|0.25\n");
  req = (tenon_read)TENON_READ_INIT;
  req.query = "DELETE FROM n";
  db_expect_failure(&f, &req, TENON_FORBIDDEN, "would change"); /* this mode reads, too */
  db_end(&f);
}

static void immutable_files(void **state) {
  (void)state;
  fixture f;
  db_make_numbers("locked.db", 2);
  sqlite3 *db = db_writer("locked.db");
  db_run(db, "BEGIN EXCLUSIVE");
  db_begin_with(&f, "locked.db", "mode", "immutable");
  tenon_read req = table_read("n");
  db_expect_rows(&f, &req, "1|row 1|0.25\n2|row 2|0.5\n"); /* without asking for locks */
  db_end(&f);
  sqlite3_close(db);
}

/* ---- Files that are none, or not good ---- */

static tenon_status open_status(const char *path, tenon_error *err) {
  tn_config *c = db_config(path, NULL, NULL);
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
  FILE *f = fopen(db_path(name), "wb");
  assert_non_null(f);
  assert_int_equal(fwrite(data, 1, size, f), size);
  fclose(f);
}

static void files_that_are_none(void **state) {
  (void)state;
  tenon_error err;
  assert_int_equal(open_status(db_path("nothing.db"), &err), TENON_NOT_FOUND);
  assert_false(exists("nothing.db")); /* reading makes no file */
  assert_true(err.remedy[0]);
  assert_int_equal(open_status(db_folder, &err), TENON_CONFIG);
  write_bytes("text.db", "this is no database, but long enough to be one ", 46);
  assert_int_equal(open_status(db_path("text.db"), &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "is not a SQLite database"));
  write_bytes("short.db", "SQLite", 6);
  assert_int_equal(open_status(db_path("short.db"), &err), TENON_CONFIG);
  assert_int_equal(mkfifo(db_path("pipe.db"), 0600), 0);
  assert_int_equal(open_status(db_path("pipe.db"), &err), TENON_CONFIG);
  if (geteuid() == 0) {
    db_make("secret.db", "CREATE TABLE t (c)");
    chmod(db_folder, 0755);
    chmod(db_path("secret.db"), 0600);
    assert_int_equal(seteuid(65534), 0);
    tenon_status status = open_status(db_path("secret.db"), &err);
    assert_int_equal(seteuid(0), 0);
    assert_int_equal(status, TENON_FORBIDDEN);
    assert_int_equal(err.stage, TENON_STAGE_PERMISSION);
  }
  write_bytes("empty.db", "", 0);
  fixture f;
  db_begin(&f, "empty.db");
  tenon_tables_list req = {.struct_size = sizeof req};
  tenon_stream stream;
  assert_int_equal(kind->tables->list(f.ctx, f.session, &req, &stream, &f.err), TENON_OK);
  assert_int_equal(show_rows(&stream, db_shown, sizeof db_shown, &f.err), TENON_OK);
  assert_string_equal(db_shown, "");
  db_end(&f);
}

/* Reads all tables of a file; whatever it holds, the answer is rows or a typed error. */
static int read_everything(const char *name) {
  tenon_error err = TENON_ERROR_INIT;
  tn_config *c = db_config(db_path(name), NULL, NULL);
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
    if (one == TENON_OK) one = show_rows(&rows.stream, db_shown, sizeof db_shown, &err);
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
  db_make("good.db",
       "PRAGMA page_size=1024; CREATE TABLE n (id INTEGER PRIMARY KEY, s TEXT, f DECIMAL(10,2));"
       "CREATE INDEX ns ON n (s); CREATE VIRTUAL TABLE search USING fts5(text); CREATE VIRTUAL "
       "TABLE r USING rtree(id, a, b);"
       "CREATE VIEW v AS SELECT count(*) AS c, max(s) AS m FROM n;"
       "INSERT INTO r VALUES (1, 2, 3); INSERT INTO search VALUES ('some words');"
       "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < 200) INSERT INTO "
       "n SELECT i, 'row ' || i, i / 4.0 FROM c");
  FILE *f = fopen(db_path("good.db"), "rb");
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
  db_make("hostile.db",
       "CREATE TABLE t (c INT CHECK (c > 0), g AS (c + 1)); INSERT INTO t VALUES (1);"
       "CREATE VIEW endless AS WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c) "
       "SELECT count(*) FROM c;"
       "CREATE VIEW broken AS SELECT * FROM nosuch; CREATE VIEW pragma AS SELECT * FROM "
       "pragma_database_list;"
       "CREATE TABLE \"we\"\"ird \n name\" (\"a\"\"b\" INT, \"select\" INT); INSERT INTO "
       "\"we\"\"ird \n name\" VALUES (1, 2);"
       "CREATE TRIGGER tr AFTER INSERT ON t BEGIN DELETE FROM t; END");
  db_begin(&f, "hostile.db");
  req = table_read("broken");
  assert_int_equal(db_read(&f, &req, NULL), TENON_NOT_FOUND);
  req = table_read("pragma"); /* trusted_schema is off: a view may not look around */
  assert_int_not_equal(db_read(&f, &req, NULL), TENON_OK);
  req = table_read("we\"ird \n name");
  db_expect_rows(&f, &req, "1|2\n");
  tenon_value one = {.type = TENON_VALUE_INT, .i = 1};
  tenon_filter filter = {"a\"b", TENON_EQ, &one, 1};
  req.filters = &filter;
  req.filter_count = 1;
  db_expect_rows(&f, &req, "1|2\n");
  db_end(&f);
  db_begin(&f, "hostile.db");
  tenon_ctx_free(f.ctx);
  assert_int_equal(tenon_ctx_new(NULL, 100, &f.ctx, NULL), TENON_OK);
  req = table_read("endless");
  assert_int_equal(db_read(&f, &req, NULL), TENON_TIMEOUT);
  db_end(&f);
}

/* ---- The rest ---- */

static void tests_a_file(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  tenon_ctx *ctx;
  db_make_numbers("numbers.db", 1);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tn_config *c = db_config(db_path("numbers.db"), NULL, NULL);
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
  c = db_config(db_path("text.db"), NULL, NULL);
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
    db_make("plain.db", "CREATE TABLE t (c INT); INSERT INTO t VALUES (1)");
    char from[128];
    snprintf(from, sizeof from, "%s", db_path("plain.db"));
    assert_int_equal(rename(from, db_path(names[i])), 0);
    db_begin(&f, names[i]);
    tenon_read req = table_read("t");
    db_expect_rows(&f, &req, "1\n");
    db_end(&f);
  }
}

/* Every allocation of ours fails once; nothing leaks, and what fails says so. */
static void memory_fails(void **state) {
  (void)state;
  db_make("strict.db",
       "CREATE TABLE t (id INTEGER PRIMARY KEY, a, s TEXT, UNIQUE (s)); INSERT INTO t VALUES (1, "
       "2, 'x'), (2, NULL, 'y')");
  for (int64_t n = 1;; n++) {
    assert_true(n < 2000);
    tenon_error err = TENON_ERROR_INIT;
    tenon_ctx *ctx;
    void *session = NULL;
    tenon_table table;
    tenon_rows rows;
    tn_config *c = db_config(db_path("strict.db"), NULL, NULL);
    assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
    tenon_read req = table_read("t"), query = TENON_READ_INIT;
    query.query = "SELECT id + 1 AS e, s FROM t";
    tn_mem_fail_at(n, 0);
    tenon_status status = kind->open(ctx, kind, c->data, &session, &err);
    if (!status && !(status = kind->tables->describe(ctx, session, &req, &table, &err)))
      table.release(&table);
    if (!status && !(status = kind->tables->read(ctx, session, &req, &rows, &err)))
      status = show_rows(&rows.stream, db_shown, sizeof db_shown, &err);
    if (!status && !(status = kind->tables->read(ctx, session, &query, &rows, &err)))
      status = show_rows(&rows.stream, db_shown, sizeof db_shown, &err);
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
  if (!db_make_folder()) return 1;
  const struct CMUnitTest tests[] = {
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
  return db_drop_folder() ? 1 : failed;
}
