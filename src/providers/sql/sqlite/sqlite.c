/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SQLite: databases in a file.
 */
#include "sqlite.h"

#include <stdio.h>

const tenon_host *tn_sqlite_host;

/* ---- Parameters ---- */

static const char *const modes[] = {"read-only", "read-write", "immutable", NULL};

static const tenon_param params[] = {
    {TENON_PATH(tn_sqlite_config, path), .key = "path", .label = "File",
     .flags = TENON_REQUIRED | TENON_LOCAL, .help = "the database file",
     .aliases = "file,database,dbname"},
    {TENON_ENUM(tn_sqlite_config, mode), .key = "mode", .label = "Mode",
     .default_value = "read-only", .choices = modes,
     .help = "how the file is opened. Reads never write, in any mode. read-write lets SQLite roll "
             "back a transaction that was not finished; immutable reads without locks a file that "
             "nobody writes to"},
    {TENON_DURATION(tn_sqlite_config, busy_timeout_ms), .key = "busy_timeout",
     .label = "Wait for locks", .default_value = "5s", .min = 0, .max = 3600000,
     .flags = TENON_ADVANCED,
     .help = "how long to wait while another program has the database locked"},
    {TENON_INTEGER(tn_sqlite_config, sample_rows), .key = "sample_rows", .label = "Rows to look at",
     .default_value = "1000", .min = 1, .max = 100000, .flags = TENON_ADVANCED,
     .help = "columns without a declared type are typed by their values in so many first rows; "
             "later ones that do not fit are errors"},
};

/* ---- URLs ---- */

/* sqlite:///absolute/path, sqlite://relative/path */
static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  return tn_url_of_path(url, "path", set, arg, err);
}

/* ---- Test ---- */

static tenon_status ask(tn_sqlite *s, const char *sql, char *text, size_t room, tenon_error *err) {
  sqlite3_stmt *stmt = NULL;
  bool row = false;
  tenon_status status = tn_sqlite_prepare(s, sql, &stmt, err);
  if (!status) status = tn_sqlite_step(s, stmt, &row, err);
  if (!status) snprintf(text, room, "%s", row ? (const char *)sqlite3_column_text(stmt, 0) : "");
  sqlite3_finalize(stmt);
  return status;
}

static tenon_status learn(tn_sqlite *s, tenon_test *test, char *tables, size_t room,
                          tenon_error *err) {
  static const struct { const char *key, *sql;
  } facts[] = {{"page_size", "PRAGMA page_size"},
               {"journal_mode", "PRAGMA journal_mode"},
               {"encoding", "PRAGMA encoding"}};
  tenon_status status = ask(s, "SELECT count(*) FROM sqlite_schema WHERE type IN ('table', 'view')",
                            tables, room, err);
  tn_sqlite_host->fact(test, "library_version", "%s", sqlite3_libversion());
  for (size_t i = 0; !status && i < sizeof facts / sizeof *facts; i++) {
    char value[64];
    status = ask(s, facts[i].sql, value, sizeof value, err);
    if (!status) tn_sqlite_host->fact(test, facts[i].key, "%s", value);
  }
  tn_sqlite_host->fact(test, "size", "%lld", (long long)s->as_opened.st_size);
  tn_sqlite_host->fact(test, "read_only", "%s",
                       sqlite3_db_readonly(s->db, "main") ? "true" : "false");
  return status;
}

static tenon_status probe(tenon_ctx *ctx, tn_sqlite *s, tenon_test *test, tenon_error *err) {
  char tables[32] = "";
  tenon_status status = tn_sqlite_begin(s, ctx, err);
  if (!status) {
    status = learn(s, test, tables, sizeof tables, err);
    tn_sqlite_end(s);
  }
  if (status) tn_sqlite_host->step_end(test, TENON_FAILED, err->remedy, "%s", err->message);
  else tn_sqlite_host->step_end(test, TENON_PASSED, NULL, "%s tables and views", tables);
  return status;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                         tenon_test *ret, tenon_error *err) {
  tn_sqlite *s;
  tenon_error own = TENON_ERROR_INIT;
  (void)provider;
  if (!err) err = &own;
  tenon_status status = tn_sqlite_open(ctx, config, ret, &s, err);
  if (status) return status;
  status = probe(ctx, s, ret, err);
  tn_sqlite_close(s);
  return status;
}

/* ---- List ---- */

enum { LIST_BATCH = 1000 };

typedef struct lister {
  tn_sqlite *session;
  sqlite3_stmt *stmt;
  tn_builder *builder;
} lister;

static tenon_status list_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format;
  } columns[] = {{"catalog", "u"}, {"schema", "u"},        {"name", "u"},
                 {"kind", "u"},    {"rows_estimate", "l"}, {"comment", "u"}};
  enum { COLUMNS = sizeof columns / sizeof *columns };
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  if (status) return status;
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, true, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

static bool append_table(lister *l) {
  const char *name = (const char *)sqlite3_column_text(l->stmt, 0),
             *kind = (const char *)sqlite3_column_text(l->stmt, 1);
  int64_t estimate = tn_sqlite_rows_estimate(l->session, name);
  tn_column *rows = tn_builder_column(l->builder, 4);
  return name && kind && tn_append_null(tn_builder_column(l->builder, 0)) &&
         tn_append_text(tn_builder_column(l->builder, 1), "main") &&
         tn_append_text(tn_builder_column(l->builder, 2), name) &&
         tn_append_text(tn_builder_column(l->builder, 3), kind) &&
         (estimate < 0 ? tn_append_null(rows) : tn_append_i64(rows, estimate)) &&
         tn_append_null(tn_builder_column(l->builder, 5));
}

static tenon_status next_tables(void *self, struct ArrowArray *ret, tenon_error *err) {
  lister *l = self;
  int64_t rows = 0;
  bool more = l->stmt != NULL;
  tenon_status status = tn_sqlite_host->check(l->session->ctx, err);
  while (!status && more && rows < LIST_BATCH) {
    status = tn_sqlite_step(l->session, l->stmt, &more, err);
    if (status || !more) break;
    if (!append_table(l)) status = tn_append_failed(err);
    rows++;
  }
  if (!status) status = tn_sqlite_verify(l->session, err);
  if (status) return status;
  if (!more) {
    sqlite3_finalize(l->stmt);
    l->stmt = NULL;
  }
  if (rows) return tn_builder_finish(l->builder, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_tables(void *self) {
  lister *l = self;
  sqlite3_finalize(l->stmt);
  tn_sqlite_end(l->session);
  tn_builder_free(l->builder);
  tn_free(l);
}

static tenon_status check_list(const tenon_tables_list *req, tenon_error *err) {
  bool other_catalog = req->catalog && *req->catalog;
  bool other_schema = req->schema && *req->schema && strcmp(req->schema, "main") != 0;
  if (!other_catalog && !other_schema) return TENON_OK;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
                    "leave it out: a SQLite file has the one schema main", "there is no %s %s",
                    other_catalog ? "catalog" : "schema",
                    other_catalog ? req->catalog : req->schema);
}

static tenon_status open_list(lister *l, const tenon_tables_list *req,
                              struct ArrowSchema *ret_schema, tenon_error *err) {
  static const char sql[] =
      "SELECT name, CASE type WHEN 'virtual' THEN 'virtual table' WHEN 'shadow' THEN 'table' "
      "ELSE type END FROM pragma_table_list WHERE schema = 'main' AND "
      "(?1 OR (type <> 'shadow' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\')) "
      "ORDER BY name COLLATE BINARY";
  struct ArrowSchema schema;
  tenon_status status = tn_sqlite_prepare(l->session, sql, &l->stmt, err);
  if (status) return status;
  sqlite3_bind_int(l->stmt, 1, req->with_system);
  if ((status = list_schema(&schema, err))) return status;
  status = tn_builder_new(&schema, &l->builder, err);
  if (status) tn_schema_release(&schema);
  else *ret_schema = schema;
  return status;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_tables_list *req,
                         tenon_stream *ret, tenon_error *err) {
  tenon_status status = check_list(req, err);
  if (status) return status;
  lister *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->session = session;
  status = tn_sqlite_begin(session, ctx, err);
  if (status) {
    tn_free(l);
    return status;
  }
  struct ArrowSchema schema;
  status = open_list(l, req, &schema, err);
  if (status) {
    close_tables(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret,
                        .self = l,
                        .schema = schema,
                        .next = next_tables,
                        .close = close_tables};
  return TENON_OK;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  tn_sqlite_host = host;
  if (sqlite3_initialize() == SQLITE_OK) return TENON_OK;
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, NULL, "SQLite cannot start");
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                                 void **ret, tenon_error *err) {
  tn_sqlite *s;
  (void)provider;
  tenon_status status = tn_sqlite_open(ctx, config, NULL, &s, err);
  if (!status) *ret = s;
  return status;
}

static void close_session(void *session) { tn_sqlite_close(session); }

static const char *const aliases[] = {"sqlite3", NULL};

static const tenon_tables_ops tables = {
    .struct_size = sizeof tables,
    .list = list,
    .describe = tn_sqlite_describe,
    .read = tn_sqlite_read,
};

const tenon_provider tn_provider_sqlite = {
    .struct_size = sizeof tn_provider_sqlite,
    .abi = TENON_ABI,
    .kind = "sqlite",
    .category = "sql",
    .label = "SQLite",
    .summary = "Databases in a file, read without ever writing to it.",
    .aliases = aliases,
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_sqlite_config),
    .traits = TENON_QUERYABLE,
    .init = init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = close_session,
    .tables = &tables,
};
