/* SPDX-License-Identifier: Apache-2.0 */
/* Databases in a folder of their own, and the kind sqlite on them. */
#ifndef TESTS_SQLITE_FIXTURE_H
#define TESTS_SQLITE_FIXTURE_H

#include <sqlite3.h>
#include <stdbool.h>

#include "core/params.h"
#include "tenon/provider.h"

extern const tenon_provider tn_provider_sqlite;
extern char db_folder[64];
extern char db_shown[1 << 20], db_shown_schema[4096];   /* what was read last */

/* A session on one file of the folder. */
typedef struct fixture {
  tenon_ctx *ctx;
  tn_config *config;
  char path[128];
  void *session;
  tenon_error err;
} fixture;

bool db_make_folder(void);
int db_drop_folder(void);
const char *db_path(const char *name);
void db_run(sqlite3 *db, const char *sql);
sqlite3 *db_writer(const char *name);
void db_make(const char *name, const char *sql);
void db_make_numbers(const char *name, int rows);   /* n (id, s, f) */

tn_config *db_config(const char *path, const char *key, const char *value);
void db_begin_with(fixture *f, const char *name, const char *key, const char *value);
void db_begin(fixture *f, const char *name);
void db_end(fixture *f);

tenon_read table_read(const char *table);
tenon_status db_read(fixture *f, const tenon_read *req, tenon_rows *ret_rows);
void db_expect_rows(fixture *f, const tenon_read *req, const char *rows);
void db_expect_failure(fixture *f, const tenon_read *req, tenon_status code, const char *message);
void db_expect_query(const char *name, const char *query, const char *rows);

#endif
