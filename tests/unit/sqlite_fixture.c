/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "core/registry.h"
#include "unit/show_rows.h"
#include "unit/sqlite_fixture.h"

static const tenon_provider *const kind = &tn_provider_sqlite;

char db_folder[64];

bool db_make_folder(void) {
  snprintf(db_folder, sizeof db_folder, "/tmp/tenon-sqlite.XXXXXX");
  return mkdtemp(db_folder) && kind->init(tn_host(), NULL) == TENON_OK;
}

int db_drop_folder(void) {
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", db_folder);
  return system(command);
}

/* ---- Databases and sessions for the tests ---- */

const char *db_path(const char *name) {
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", db_folder, name);
  return path;
}

void db_run(sqlite3 *db, const char *sql) {
  char *message = NULL;
  if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK) fail_msg("%s: %s", sql, message);
}

sqlite3 *db_writer(const char *name) {
  sqlite3 *db;
  assert_int_equal(sqlite3_open(db_path(name), &db), SQLITE_OK);
  return db;
}

void db_make(const char *name, const char *sql) {
  unlink(db_path(name));
  sqlite3 *db = db_writer(name);
  db_run(db, sql);
  assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

tn_config *db_config(const char *path, const char *key, const char *value) {
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

void db_begin_with(fixture *f, const char *name, const char *key, const char *value) {
  *f = (fixture){.err = TENON_ERROR_INIT};
  snprintf(f->path, sizeof f->path, "%s", db_path(name));
  f->config = db_config(f->path, key, value);
  assert_int_equal(tenon_ctx_new(NULL, 20000, &f->ctx, NULL), TENON_OK);
  if (kind->open(f->ctx, kind, f->config->data, &f->session, &f->err))
    fail_msg("%s", f->err.message);
}

void db_begin(fixture *f, const char *name) { db_begin_with(f, name, NULL, NULL); }

void db_end(fixture *f) {
  kind->close(f->session);
  tn_config_free(f->config);
  tenon_ctx_free(f->ctx);
}

char db_shown[1 << 20], db_shown_schema[4096];

tenon_status db_read(fixture *f, const tenon_read *req, tenon_rows *ret_rows) {
  tenon_rows rows;
  db_shown[0] = 0;
  tn_error_init(&f->err);
  tenon_status status = kind->tables->read(f->ctx, f->session, req, &rows, &f->err);
  if (status) return status;
  if (ret_rows) *ret_rows = rows;
  show_schema(&rows.stream.schema, db_shown_schema, sizeof db_shown_schema);
  return show_rows(&rows.stream, db_shown, sizeof db_shown, &f->err);
}

tenon_read table_read(const char *table) {
  tenon_read req = TENON_READ_INIT;
  req.name.table = table;
  return req;
}

void db_expect_rows(fixture *f, const tenon_read *req, const char *rows) {
  if (db_read(f, req, NULL)) fail_msg("%s", f->err.message);
  assert_string_equal(db_shown, rows);
}

void db_expect_failure(fixture *f, const tenon_read *req, tenon_status code,
                           const char *message) {
  assert_int_equal(db_read(f, req, NULL), code);
  assert_int_equal(f->err.code, code);
  if (!strstr(f->err.message, message))
    fail_msg("\"%s\" says nothing of \"%s\"", f->err.message, message);
}

void db_expect_query(const char *name, const char *query, const char *rows) {
  fixture f;
  db_begin(&f, name);
  tenon_read req = TENON_READ_INIT;
  req.query = query;
  db_expect_rows(&f, &req, rows);
  db_end(&f);
}

void db_make_numbers(const char *name, int rows) {
  char sql[512];
  snprintf(sql, sizeof sql, "CREATE TABLE n (id INTEGER PRIMARY KEY, s TEXT, f REAL);"
           "WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < %d) "
           "INSERT INTO n SELECT i, CASE WHEN i %% 10 THEN 'row ' || i END, i / 4.0 FROM c", rows);
  db_make(name, sql);
}
