/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An open database file.
 *
 * The file may be hostile, so SQLite is told to trust nothing in it: defensive mode, no functions
 * with effects from its schema, checked cells, no mapping into memory. That nothing is written is
 * made sure four times: by the open flags, by query_only, by the authorizer, which lets no
 * statement attach, change settings or start transactions, and by sqlite3_stmt_readonly.
 *
 * A database in WAL mode whose -wal file is absent is whole in its main file. Opened as usual,
 * SQLite would make the files -wal and -shm beside it, and leave them there. It is opened as a
 * frozen file instead, and after each batch a look at its size, time of change and -wal says
 * whether what was read is of one version.
 */
#include "sqlite.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum {
  CANCEL_OPS = 4000,            /* of SQLite's machine between two looks at `stopped` */
  HEADER_SIZE = 100,
  MAX_PATH = 4096,
  MAX_URI = 3 * MAX_PATH + 64,
  MAX_SQL = 4 << 20
};

/* ---- Errors ---- */

static tenon_status interrupted(tn_sqlite *s, tenon_error *err) {
  tenon_status status = s->ctx ? tn_sqlite_host->check(s->ctx, err) : TENON_OK;
  return status ? status
                : tenon_fail(err, TENON_CANCELLED, TENON_STAGE_QUERY, NULL,
                             "the query was interrupted");
}

static tenon_status fail_cantopen(tn_sqlite *s, tenon_error *err) {
  const char *remedy =
      "if the database is in WAL mode, its folder must be writable; mode=immutable reads it as "
      "it is, as long as nobody writes to it";
  int why = sqlite3_system_errno(s->db);
  tenon_status status = why == EACCES || why == EROFS || why == EPERM ? TENON_FORBIDDEN : TENON_IO;
  return tenon_fail(err, status, TENON_STAGE_PERMISSION, remedy,
                    "%s: cannot open the database or a file beside it", s->config->path);
}

static tenon_status fail_readonly(tn_sqlite *s, int code, tenon_error *err) {
  if (code == SQLITE_READONLY)
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                      "ask with a statement that only reads", "%s: the statement would write",
                      s->config->path);
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY,
                    "open it once with the program that wrote it, or with mode=read-write, so that "
                    "it is rolled back",
                    "%s: the database holds a transaction that was not finished", s->config->path);
}

static tenon_status fail_query(tn_sqlite *s, tenon_error *err) {
  const char *text = sqlite3_errmsg(s->db);
  if (strncmp(text, "no such table", 13) == 0 || strncmp(text, "no such column", 14) == 0)
    return tenon_fail(
        err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
        "see what there is with `tenon ls` and `tenon describe`; text stands in single quotes",
        "%s", text);
  if (strncmp(text, "no such module", 14) == 0)
    return tenon_fail(
        err, TENON_UNSUPPORTED, TENON_STAGE_QUERY,
        "read the tables that hold its data, or copy them with a program that has the module", "%s",
        text);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "correct the query", "%s", text);
}

/* Not retryable: busy_timeout is how long to wait in all, and that was waited. */
static tenon_status fail_busy(tn_sqlite *s, tenon_error *err) {
  tenon_status status = s->ctx ? tn_sqlite_host->check(s->ctx, err) : TENON_OK;
  if (status) return status;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY,
                    "try again when the other program is done, or wait longer with busy_timeout",
                    "%s: the database is locked by another program", s->config->path);
}

static tenon_status status_of(tn_sqlite *s, int code, tenon_error *err) {
  const char *path = s->config->path;
  switch (code & 0xFF) {
    case SQLITE_NOMEM: return tn_no_memory(err);
    case SQLITE_INTERRUPT: return interrupted(s, err);
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
    case SQLITE_PROTOCOL: return fail_busy(s, err);
    case SQLITE_CANTOPEN: return fail_cantopen(s, err);
    case SQLITE_READONLY: return fail_readonly(s, code, err);
    case SQLITE_ERROR: return fail_query(s, err);
    case SQLITE_NOTADB:
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "name a SQLite 3 database; encrypted ones must be decrypted first",
                        "%s is not a SQLite database", path);
    case SQLITE_CORRUPT:
    case SQLITE_FORMAT:
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                        "restore it from a copy; `PRAGMA integrity_check` says what is broken, "
                        "`sqlite3 FILE .recover` saves what can be read",
                        "%s: the database file is malformed (%s)", path, sqlite3_errmsg(s->db));
    case SQLITE_PERM:
      return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                        "give this user the right to read it", "%s: access is denied", path);
    case SQLITE_AUTH:
      return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                        "a query is one statement that only reads: SELECT",
                        "%s is not allowed in a query", s->refused ? s->refused : "this");
    case SQLITE_TOOBIG:
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "ask for less at once", "%s",
                        sqlite3_errmsg(s->db));
    case SQLITE_RANGE:
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY,
                        "give one value for each placeholder of the query",
                        "the query has no such placeholder");
    case SQLITE_IOERR:
    case SQLITE_FULL:
      return tenon_fail(err, TENON_IO, TENON_STAGE_DATA,
                        "look at the disk that holds the file, and at the one with "
                        "temporary files",
                        "%s: %s", path, sqlite3_errmsg(s->db));
    default:
      return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_QUERY, NULL, "SQLite: %s",
                        sqlite3_errmsg(s->db));
  }
}

tenon_status tn_sqlite_fail(tn_sqlite *s, int code, tenon_error *err) {
  bool first = err && err->code == TENON_OK;
  tenon_status status = status_of(s, code, err);
  if (first) err->vendor_code = code;
  return status;
}

/* ---- What SQLite calls while it works ---- */

/* From any thread. */
static void stop(void *arg) {
  tn_sqlite *s = arg;
  atomic_store(&s->stopped, true);
  sqlite3_interrupt(s->db);
}

static int on_progress(void *arg) {
  tn_sqlite *s = arg;
  return atomic_load_explicit(&s->stopped, memory_order_relaxed);
}

/* Waits 1, 2, 4 … 64 ms, as long as busy_timeout and the context allow. */
static int on_busy(void *arg, int count) {
  tn_sqlite *s = arg;
  int64_t waited = count < 7 ? (INT64_C(1) << count) - 1 : 63 + INT64_C(64) * (count - 6);
  int delay = count < 6 ? 1 << count : 64;
  if (!s->ctx || waited >= s->config->busy_timeout_ms) return 0;
  return tn_sqlite_host->wait(s->ctx, NULL, 0, delay, NULL) == TENON_OK;
}

static bool is_one_of(const char *name, const char *const *list) {
  for (; *list; list++)
    if (sqlite3_stricmp(name, *list) == 0) return true;
  return false;
}

/* Those that answer only. Without a value unless it names what is asked about. */
static bool may_pragma(const char *name, const char *value) {
  static const char *const asking[] = {
      "table_info",  "table_xinfo",      "table_list",        "index_list",      "index_info",
      "index_xinfo", "foreign_key_list", "foreign_key_check", "integrity_check", "quick_check",
      NULL};
  static const char *const plain[] = {
      "page_size",    "page_count",      "freelist_count", "encoding",
      "journal_mode", "schema_version",  "user_version",   "application_id",
      "data_version", "compile_options", "collation_list", "function_list",
      "module_list",  "pragma_list",     "auto_vacuum",    NULL};
  return is_one_of(name, asking) || (!value && is_one_of(name, plain));
}

/* Modules prepare writing statements of their own when their tables are opened, so writing is not
 * refused here: nothing can run that is not sqlite3_stmt_readonly. */
static int on_authorize(void *arg, int action, const char *name, const char *value, const char *db,
                        const char *inner) {
  tn_sqlite *s = arg;
  (void)db;
  (void)inner;
  if (!s->guarded) return SQLITE_OK;
  switch (action) {
    case SQLITE_SELECT: case SQLITE_READ: case SQLITE_FUNCTION: case SQLITE_RECURSIVE:
    case SQLITE_INSERT: case SQLITE_UPDATE: case SQLITE_DELETE: return SQLITE_OK;
    case SQLITE_PRAGMA:
      if (may_pragma(name, value)) return SQLITE_OK;
      s->refused = "this PRAGMA";
      return SQLITE_DENY;
    case SQLITE_ATTACH: s->refused = "ATTACH"; return SQLITE_DENY;
    case SQLITE_TRANSACTION:
    case SQLITE_SAVEPOINT: s->refused = "a transaction of your own"; return SQLITE_DENY;
    default: s->refused = "a statement that changes the database"; return SQLITE_DENY;
  }
}

/* ---- Opening ---- */

static bool uri_of(const char *path, const char *options, tn_str *uri) {
  tn_str_puts(uri, path[0] == '/' ? "file://" : "file:");
  for (const unsigned char *c = (const unsigned char *)path; *c; c++) {
    if (*c == '%' || *c == '?' || *c == '#') tn_str_printf(uri, "%%%02X", *c);
    else tn_str_putc(uri, (char)*c);
  }
  return tn_str_puts(uri, options) && !uri->failed;
}

static int flags_of(const tn_sqlite_config *config) {
  bool writable = strcmp(config->mode, "read-write") == 0;
  return (writable ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY) | SQLITE_OPEN_URI |
         SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_PRIVATECACHE | SQLITE_OPEN_EXRESCODE;
}

static tenon_status open_file(tn_sqlite *s, bool frozen, tenon_error *err) {
  tn_str uri;
  tn_str_init(&uri, MAX_URI);
  if (!uri_of(s->config->path, frozen ? "?immutable=1" : "", &uri)) {
    tn_str_release(&uri);
    return tn_no_memory(err);
  }
  int code = sqlite3_open_v2(uri.data, &s->db, flags_of(s->config), NULL);
  tn_str_release(&uri);
  if (!s->db) return tn_no_memory(err);
  if (code != SQLITE_OK) return tn_sqlite_fail(s, code, err);
  s->frozen = frozen;
  if (stat(s->config->path, &s->as_opened) != 0)
    return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, NULL, "%s", s->config->path);
  return TENON_OK;
}

static void close_file(tn_sqlite *s) {
  sqlite3_close_v2(s->db);
  s->db = NULL;
}

/* By SQLite's own descriptor: closing another one of the same file would drop the locks of every
 * session of this process. */
static tenon_status read_header(tn_sqlite *s, unsigned char *header, tenon_error *err) {
  sqlite3_file *file = NULL;
  memset(header, 0, HEADER_SIZE);
  sqlite3_file_control(s->db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  if (!file || !file->pMethods || s->as_opened.st_size == 0) return TENON_OK;
  int code = file->pMethods->xRead(file, header, HEADER_SIZE, 0);
  if (code != SQLITE_OK && code != SQLITE_IOERR_SHORT_READ) return tn_sqlite_fail(s, code, err);
  if (code != SQLITE_OK || memcmp(header, "SQLite format 3", 16) != 0)
    return tn_sqlite_fail(s, SQLITE_NOTADB, err);
  return TENON_OK;
}

static bool has_wal_file(tn_sqlite *s) {
  const char *name = sqlite3_db_filename(s->db, "main");
  const char *wal = name && *name ? sqlite3_filename_wal(name) : NULL;
  return wal && access(wal, F_OK) == 0;
}

static tenon_status open_right(tn_sqlite *s, tenon_error *err) {
  unsigned char header[HEADER_SIZE];
  bool immutable = strcmp(s->config->mode, "immutable") == 0;
  tenon_status status = open_file(s, immutable, err);
  if (!status) status = read_header(s, header, err);
  if (status || immutable || strcmp(s->config->mode, "read-write") == 0) return status;
  bool in_wal_mode = header[18] == 2 || header[19] == 2;
  if (!in_wal_mode || has_wal_file(s)) return TENON_OK;
  close_file(s);
  return open_file(s, true, err);
}

static void harden(sqlite3 *db) {
  static const int on[] = {SQLITE_DBCONFIG_DEFENSIVE, SQLITE_DBCONFIG_DQS_DML};
  static const int off[] = {SQLITE_DBCONFIG_TRUSTED_SCHEMA, SQLITE_DBCONFIG_ENABLE_TRIGGER,
      SQLITE_DBCONFIG_ENABLE_ATTACH_CREATE, SQLITE_DBCONFIG_ENABLE_ATTACH_WRITE};
  for (size_t i = 0; i < sizeof on / sizeof *on; i++) sqlite3_db_config(db, on[i], 1, (int *)NULL);
  for (size_t i = 0; i < sizeof off / sizeof *off; i++)
    sqlite3_db_config(db, off[i], 0, (int *)NULL);
  static const int limits[][2] = {
      {SQLITE_LIMIT_SQL_LENGTH, MAX_SQL}, {SQLITE_LIMIT_ATTACHED, 0},
      {SQLITE_LIMIT_EXPR_DEPTH, 500},     {SQLITE_LIMIT_COMPOUND_SELECT, 500},
      {SQLITE_LIMIT_VDBE_OP, 4000000},    {SQLITE_LIMIT_TRIGGER_DEPTH, 10},
      {SQLITE_LIMIT_WORKER_THREADS, 0},   {SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 10000}};
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    sqlite3_limit(db, limits[i][0], limits[i][1]);
}

/* Sorts spill to nameless temporary files instead of growing in memory. */
static tenon_status configure(tn_sqlite *s, tenon_error *err) {
  harden(s->db);
  sqlite3_busy_handler(s->db, on_busy, s);
  sqlite3_progress_handler(s->db, CANCEL_OPS, on_progress, s);
  sqlite3_set_authorizer(s->db, on_authorize, s);
  s->guarded = false;
  int code = sqlite3_exec(s->db,
                          "PRAGMA query_only=1; PRAGMA cell_size_check=1; PRAGMA mmap_size=0;"
                          "PRAGMA temp_store=1",
                          NULL, NULL, NULL);
  s->guarded = true;
  return code == SQLITE_OK ? TENON_OK : tn_sqlite_fail(s, code, err);
}

static tenon_status connect_file(tn_sqlite *s, tenon_error *err) {
  tenon_status status = open_right(s, err);
  if (!status) status = configure(s, err);
  if (status && s->db) close_file(s);
  return status;
}

/* ---- The steps of opening ---- */

static const char in_first_part[] =
    "a colon names a table only behind a slash: sqlite://./a.db:TABLE, or a.db:TABLE";

static tenon_status look_at_file(const char *path, struct stat *ret, tenon_error *err) {
  if (strlen(path) > MAX_PATH)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name the file by a shorter path",
                      "the path is too long");
  if (stat(path, ret) != 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG,
                        strchr(path, ':') ? in_first_part
                                          : "check the path: sqlite:///absolute/path.db, or "
                                            "sqlite://relative/path.db",
                        "there is no file %s", path);
    return tn_fail_errno(err, errno, TENON_STAGE_PERMISSION,
                         "give this user the right to search its folder", "%s", path);
  }
  if (!S_ISREG(ret->st_mode))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name the database file itself",
                      "%s is not a file", path);
  return TENON_OK;
}

static tenon_status look_at_rights(const char *path, tenon_error *err) {
  if (access(path, R_OK) == 0) return TENON_OK;
  return tn_fail_errno(err, errno, TENON_STAGE_PERMISSION, "give this user the right to read it",
                       "%s", path);
}

static tenon_status step_file(const tn_sqlite_config *config, tenon_test *test, tenon_error *err) {
  struct stat st;
  if (test) tn_sqlite_host->step_begin(test, "open");
  tenon_status status = look_at_file(config->path, &st, err);
  if (test && status) tn_sqlite_host->step_end(test, TENON_FAILED, err->remedy, "%s", err->message);
  if (status) return status;
  if (test)
    tn_sqlite_host->step_end(test, TENON_PASSED, NULL, "a file of %lld bytes",
                             (long long)st.st_size);
  return TENON_OK;
}

static tenon_status step_rights(const tn_sqlite_config *config, tenon_test *test,
                                tenon_error *err) {
  if (test) tn_sqlite_host->step_begin(test, "permission");
  tenon_status status = look_at_rights(config->path, err);
  if (test && status) tn_sqlite_host->step_end(test, TENON_FAILED, err->remedy, "%s", err->message);
  if (status) return status;
  if (test)
    tn_sqlite_host->step_end(test, TENON_PASSED, NULL,
                             access(config->path, W_OK) == 0 ? "readable, writable" : "readable");
  return TENON_OK;
}

/* test != NULL goes with err != NULL. */
tenon_status tn_sqlite_open(tenon_ctx *ctx, const tn_sqlite_config *config, tenon_test *test,
                            tn_sqlite **ret, tenon_error *err) {
  tenon_status status = tn_sqlite_host->check(ctx, err);
  if (!status) status = step_file(config, test, err);
  if (!status) status = step_rights(config, test, err);
  if (status) return status;
  tn_sqlite *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = config;
  if (test) tn_sqlite_host->step_begin(test, "probe");
  status = connect_file(s, err);
  if (status) {
    if (test) tn_sqlite_host->step_end(test, TENON_FAILED, err->remedy, "%s", err->message);
    tn_free(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}

void tn_sqlite_close(tn_sqlite *s) {
  if (!s) return;
  close_file(s);
  tn_free(s);
}

/* ---- One operation ---- */

static bool is_as_opened(tn_sqlite *s) {
  struct stat now;
  if (stat(s->config->path, &now) != 0)
    return true; /* gone: what is open does not change any more */
  if (now.st_ino != s->as_opened.st_ino || now.st_dev != s->as_opened.st_dev) return true;
  bool same = now.st_size == s->as_opened.st_size &&
              now.st_mtim.tv_sec == s->as_opened.st_mtim.tv_sec &&
              now.st_mtim.tv_nsec == s->as_opened.st_mtim.tv_nsec;
  return same && (strcmp(s->config->mode, "immutable") == 0 || !has_wal_file(s));
}

tenon_status tn_sqlite_verify(tn_sqlite *s, tenon_error *err) {
  if (!s->frozen || is_as_opened(s)) return TENON_OK;
  tenon_status status =
      tenon_fail(err, TENON_CONFLICT, TENON_STAGE_DATA, "read it again",
                 "%s: another program began to write while the database was read", s->config->path);
  if (err && err->code == TENON_CONFLICT) err->retryable = 1;
  return status;
}

/* The file is opened anew when it was replaced by another, or changed while read as frozen. */
static tenon_status refresh(tn_sqlite *s, tenon_error *err) {
  struct stat now;
  if (!s->db) return connect_file(s, err);
  bool replaced = stat(s->config->path, &now) == 0 && now.st_ino != s->as_opened.st_ino;
  if (!replaced && (!s->frozen || is_as_opened(s))) return TENON_OK;
  close_file(s);
  return connect_file(s, err);
}

static int control(tn_sqlite *s, const char *sql) {
  s->guarded = false;
  int code = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
  s->guarded = true;
  return code;
}

static bool stores_utf8(tn_sqlite *s) {
  sqlite3_stmt *stmt = NULL;
  bool utf8 = false;
  if (sqlite3_prepare_v2(s->db, "PRAGMA encoding", -1, &stmt, NULL) == SQLITE_OK &&
      sqlite3_step(stmt) == SQLITE_ROW)
    utf8 = strcmp((const char *)sqlite3_column_text(stmt, 0), "UTF-8") == 0;
  sqlite3_finalize(stmt);
  return utf8;
}

tenon_status tn_sqlite_begin(tn_sqlite *s, tenon_ctx *ctx, tenon_error *err) {
  tenon_status status = tn_sqlite_host->check(ctx, err);
  if (status) return status;
  s->ctx = ctx;
  atomic_store(&s->stopped, false);
  status = refresh(s, err);
  if (!status) status = tn_sqlite_host->on_cancel(ctx, stop, s, &s->hook, err);
  if (status) {
    s->ctx = NULL;
    return status;
  }
  int code = control(s, "BEGIN");
  /* the first look at the file takes the lock that holds the snapshot */
  if (code == SQLITE_OK) code = sqlite3_exec(s->db, "PRAGMA schema_version", NULL, NULL, NULL);
  if (code == SQLITE_OK) {
    s->utf8 = stores_utf8(s);
    return TENON_OK;
  }
  status = tn_sqlite_fail(s, code, err);
  tn_sqlite_end(s);
  return status;
}

void tn_sqlite_end(tn_sqlite *s) {
  tn_sqlite_host->off_cancel(s->hook);
  s->hook = NULL;
  atomic_store(&s->stopped, false);
  if (s->db && !sqlite3_get_autocommit(s->db)) control(s, "ROLLBACK");
  s->ctx = NULL;
}

/* ---- Statements ---- */

tenon_status tn_sqlite_prepare(tn_sqlite *s, const char *sql, sqlite3_stmt **ret,
                               tenon_error *err) {
  sqlite3_stmt *stmt = NULL;
  s->refused = NULL;
  int code = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
  if (code != SQLITE_OK) return tn_sqlite_fail(s, code, err);
  if (!stmt)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write a SELECT", "the query is empty");
  *ret = stmt;
  return TENON_OK;
}

/* Is there a second statement behind the first? */
static tenon_status check_tail(tn_sqlite *s, const char *tail, tenon_error *err) {
  sqlite3_stmt *more = NULL;
  int code = tail && *tail ? sqlite3_prepare_v2(s->db, tail, -1, &more, NULL) : SQLITE_OK;
  bool single = code == SQLITE_OK && !more;
  sqlite3_finalize(more);
  if (single) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "ask one statement at a time",
                    "the query has a second statement");
}

static tenon_status check_query(tn_sqlite *s, sqlite3_stmt *stmt, const char *tail,
                                tenon_error *err) {
  if (!stmt)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write a SELECT", "the query is empty");
  if (!sqlite3_stmt_readonly(stmt))
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                      "a query is one statement that only reads: SELECT",
                      "the query would change the database");
  if (sqlite3_column_count(stmt) == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write a SELECT",
                      "the query answers no rows");
  return check_tail(s, tail, err);
}

tenon_status tn_sqlite_prepare_query(tn_sqlite *s, const char *sql, sqlite3_stmt **ret,
                                     tenon_error *err) {
  sqlite3_stmt *stmt = NULL;
  const char *tail = NULL;
  s->refused = NULL;
  /* "name" is never text in a user's query: a misspelt column is an error, not a constant */
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 0, (int *)NULL);
  int code = sqlite3_prepare_v2(s->db, sql, -1, &stmt, &tail);
  tenon_status status =
      code == SQLITE_OK ? check_query(s, stmt, tail, err) : tn_sqlite_fail(s, code, err);
  sqlite3_db_config(s->db, SQLITE_DBCONFIG_DQS_DML, 1, (int *)NULL);
  if (status) {
    sqlite3_finalize(stmt);
    return status;
  }
  *ret = stmt;
  return TENON_OK;
}

tenon_status tn_sqlite_step(tn_sqlite *s, sqlite3_stmt *stmt, bool *ret_row, tenon_error *err) {
  int code = sqlite3_step(stmt);
  if (code != SQLITE_ROW && code != SQLITE_DONE) return tn_sqlite_fail(s, code, err);
  *ret_row = code == SQLITE_ROW;
  return TENON_OK;
}
