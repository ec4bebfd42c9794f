/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/engine.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/session.h"

static const int64_t DEFAULT_MEMORY = INT64_C(512) << 20, LEAST_MEMORY = INT64_C(32) << 20;
enum { MAX_SQL = 4 << 20 };

static atomic_int_fast64_t default_memory;

void tn_engine_set_memory(int64_t bytes) { atomic_store(&default_memory, bytes); }

/* ---- SQL text ---- */

static bool quoted(tn_str *s, const char *text, size_t size, char quote) {
  tn_str_putc(s, quote);
  for (size_t i = 0; i < size; i++) {
    if (text[i] == quote) tn_str_putc(s, quote);
    tn_str_putc(s, text[i]);
  }
  return tn_str_putc(s, quote);
}

bool tn_sql_literal(tn_str *s, const char *text, size_t size) { return quoted(s, text, size, '\''); }

bool tn_sql_name(tn_str *s, const char *name) { return quoted(s, name, strlen(name), '"'); }

/* ---- Failures ---- */

static const struct { const char *prefix; tenon_status code; tenon_stage stage; const char *remedy; } kinds[] = {
    {"Out of Memory Error", TENON_LIMITED, TENON_STAGE_DATA, "give it more memory (--mem), or more room in TMPDIR to spill to"},
    {"IO Error", TENON_IO, TENON_STAGE_DATA, "look at the disk and at the file"},
    {"Permission Error", TENON_FORBIDDEN, TENON_STAGE_QUERY, "queries on files see those files alone"},
    {"Parser Error", TENON_CONFIG, TENON_STAGE_QUERY, "mend the query; its language is DuckDB's SQL"},
    {"Binder Error", TENON_CONFIG, TENON_STAGE_QUERY, "mend the query; its language is DuckDB's SQL"},
    {"Catalog Error", TENON_CONFIG, TENON_STAGE_QUERY, "mend the query; its language is DuckDB's SQL"},
    {"Syntax Error", TENON_CONFIG, TENON_STAGE_QUERY, "mend the query; its language is DuckDB's SQL"},
    {"Not implemented Error", TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the column out (columns)"},
    {"INTERNAL Error", TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon, with the file if it may be shown"},
    {"FATAL Error", TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon, with the file if it may be shown"},
    {"", TENON_DATA, TENON_STAGE_DATA, "look at the values that the message names"},
};

/* The first line of DuckDB's message, without its kind, with the shown name for the path. */
static void tidy(const tn_engine *e, const char *message, size_t skip, tn_str *to) {
  const char *text = message + skip;
  while (*text == ':' || *text == ' ') text++;
  size_t end = strcspn(text, "\n"), path = e->shown_path ? strlen(e->shown_path) : 0;
  for (const char *at = text; at < text + end;) {
    if (path && strncmp(at, e->shown_path, path) == 0) {
      tn_str_puts(to, e->shown_name);
      at += path;
    } else {
      tn_str_putc(to, *at++);
    }
  }
}

/* How the message says so, or NULL. */
static const char *disk_is_full(const char *message) {
  static const char *const words[] = {"No space left on device", "File too large", "Disk quota exceeded"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strstr(message, words[i])) return words[i];
  return NULL;
}

static tenon_status say_full(const tn_engine *e, const char *message, const char *why, tenon_error *err) {
  bool is_ours = e->shown_path && strstr(message, e->shown_path);
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE,
                    is_ours ? "make room on the disk; what was there before is still there"
                            : "make room in TMPDIR, or set it to a folder with more",
                    "cannot write %s: %s", is_ours ? e->shown_name : "temporary files", why);
}

static tenon_status say(const tn_engine *e, const char *message, tenon_error *err) {
  size_t i = 0;
  while (strncmp(message, kinds[i].prefix, strlen(kinds[i].prefix)) != 0) i++;
  const char *remedy = kinds[i].remedy;
  tenon_status code = kinds[i].code;
  if (code == TENON_CONFIG && !e->for_users) {
    /* our own SQL is right: it is the file that is not what its footer says */
    code = TENON_DATA;
    remedy = "look at the file: it is not what it says that it is";
  }
  const char *full = disk_is_full(message);
  if (full) return say_full(e, message, full, err);
  const char *colon = kinds[i].prefix[0] ? NULL : strstr(message, " Error: ");
  tn_str text;
  tn_str_init(&text, 1024);
  tidy(e, message, colon ? (size_t)(colon - message) + 7 : strlen(kinds[i].prefix), &text);
  tenon_status status = tenon_fail(err, code, kinds[i].stage, remedy, "%s", tn_str_text(&text));
  tn_str_release(&text);
  return status;
}

tenon_status tn_engine_failed(tn_engine *e, const char *message, tenon_error *err) {
  if (e->source_error.code) {
    if (err && !err->code) *err = e->source_error;
    return e->source_error.code;
  }
  tenon_status status = tn_ctx_check(e->ctx, err);
  return status ? status : say(e, message ? message : "the engine failed without a word", err);
}

/* ---- Cancelling ---- */

static void interrupt(void *arg) {
  tn_engine *e = arg;
  atomic_store(&e->ended, true);
  e->db->interrupt(e->connection);
}

/* ---- Life ---- */

static tenon_status open_database(tn_engine *e, const tn_engine_options *options, tenon_error *err) {
  int64_t memory = options->memory;
  if (memory <= 0) memory = atomic_load(&default_memory);
  if (memory <= 0) memory = DEFAULT_MEMORY;
  if (memory < LEAST_MEMORY) memory = LEAST_MEMORY;
  if (memory < options->least_memory) memory = options->least_memory;
  char limit[32];
  snprintf(limit, sizeof limit, "%" PRId64 "B", memory);
  const char *const settings[][2] = {
      {"threads", "1"}, {"memory_limit", limit}, {"temp_directory", e->spool.path}, {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"}, {"allow_community_extensions", "false"}, {"allow_persistent_secrets", "false"},
      {"default_null_order", "nulls_last"}, {"preserve_insertion_order", "true"}, {"enable_object_cache", "false"}};
  duckdb_config config;
  if (e->db->create_config(&config) != DuckDBSuccess) return tn_no_memory(err);
  bool ok = true;
  for (size_t i = 0; ok && i < sizeof settings / sizeof settings[0]; i++)
    ok = e->db->set_config(config, settings[i][0], settings[i][1]) == DuckDBSuccess;
  char *why = NULL;
  ok = ok && e->db->open_ext(NULL, &e->database, config, &why) == DuckDBSuccess;
  e->db->destroy_config(&config);
  ok = ok && e->db->connect(e->database, &e->connection) == DuckDBSuccess;
  tenon_status status = ok ? TENON_OK
                           : tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, "report this as a fault of Tenon",
                                        "the engine does not start: %s", why ? why : "a setting was refused");
  e->db->free(why);
  return status;
}

static tenon_status prepare(tn_engine *e, const tn_engine_options *options, tenon_error *err) {
  tenon_status status = tn_duckdb_get(&e->db, err);
  if (status || (status = tn_spool_init(&e->spool, err))) return status;
  if (options->shown_path && options->shown_name) {
    e->shown_path = tn_strdup(options->shown_path);
    e->shown_name = tn_strdup(options->shown_name);
    if (!e->shown_path || !e->shown_name) return tn_no_memory(err);
  }
  if ((status = open_database(e, options, err))) return status;
  return tn_ctx_on_cancel(e->ctx, interrupt, e, &e->hook, err);
}

tenon_status tn_engine_new(tenon_ctx *ctx, const tn_engine_options *options, tn_engine **ret, tenon_error *err) {
  tn_engine *e = tn_alloc(sizeof *e);
  if (!e) return tn_no_memory(err);
  e->ctx = tenon_ctx_ref(ctx);
  e->for_users = options->for_users;
  tn_error_init(&e->source_error);
  tenon_status status = prepare(e, options, err);
  if (status) {
    tn_engine_free(e);
    return status;
  }
  *ret = e;
  return TENON_OK;
}

void tn_engine_free(tn_engine *e) {
  if (!e) return;
  tn_ctx_off_cancel(e->hook);
  if (e->connection) e->db->disconnect(&e->connection);
  if (e->database) e->db->close(&e->database);
  for (int i = 0; i < e->feed_count; i++) tn_feed_free(e->feeds[i]);
  for (int i = 0; i < e->fd_count; i++) close(e->fds[i]);
  tn_spool_release(&e->spool);
  tn_free(e->shown_path);
  tn_free(e->shown_name);
  tenon_ctx_free(e->ctx);
  tn_free(e);
}

void tn_engine_own_fd(tn_engine *e, int fd) {
  if (e->fd_count < TN_ENGINE_MAX_FDS) e->fds[e->fd_count++] = fd;
}

/* ---- Running ---- */

static void nap(void) { nanosleep(&(struct timespec){.tv_nsec = 200000}, NULL); }

static tenon_status drive(tn_engine *e, duckdb_pending_result pending, tenon_error *err) {
  for (;;) {
    /* an interrupt that came before the query had begun was forgotten */
    if (atomic_load(&e->ended)) return tn_engine_failed(e, "INTERRUPT Error: interrupted", err);
    tenon_status status = tn_ctx_check(e->ctx, err);
    if (status) return status;
    duckdb_pending_state state = e->db->pending_execute_task(pending);
    if (state == DUCKDB_PENDING_ERROR) return tn_engine_failed(e, e->db->pending_error(pending), err);
    if (e->db->pending_execution_is_finished(state) || state == DUCKDB_PENDING_RESULT_READY) return TENON_OK;
    if (state == DUCKDB_PENDING_NO_TASKS_AVAILABLE) nap();
  }
}

static tenon_status execute(tn_engine *e, duckdb_prepared_statement prepared, bool streaming, duckdb_result *ret_result,
                            tenon_error *err) {
  duckdb_pending_result pending = NULL;
  duckdb_state state = (streaming ? e->db->pending_prepared_streaming : e->db->pending_prepared)(prepared, &pending);
  tenon_status status =
      state == DuckDBSuccess ? drive(e, pending, err) : tn_engine_failed(e, pending ? e->db->pending_error(pending) : NULL, err);
  if (!status) {
    duckdb_result result;
    if (e->db->execute_pending(pending, &result) == DuckDBSuccess) {
      *ret_result = result;
    } else {
      status = tn_engine_failed(e, e->db->result_error(&result), err);
      e->db->destroy_result(&result);
    }
  }
  e->db->destroy_pending(&pending);
  return status;
}

tenon_status tn_engine_start(tn_engine *e, const char *sql, bool streaming, duckdb_prepared_statement *ret_prepared,
                             duckdb_result *ret_result, tenon_error *err) {
  tenon_status status = tn_ctx_check(e->ctx, err);
  if (status) return status;
  duckdb_prepared_statement prepared = NULL;
  if (e->db->prepare(e->connection, sql, &prepared) != DuckDBSuccess)
    status = tn_engine_failed(e, prepared ? e->db->prepare_error(prepared) : NULL, err);
  if (!status) status = execute(e, prepared, streaming, ret_result, err);
  if (status) e->db->destroy_prepare(&prepared);
  else *ret_prepared = prepared;
  return status;
}

tenon_status tn_engine_run(tn_engine *e, const char *sql, int64_t *ret_rows, tenon_error *err) {
  duckdb_prepared_statement prepared;
  duckdb_result result;
  tenon_status status = tn_engine_start(e, sql, false, &prepared, &result, err);
  if (status) return status;
  if (ret_rows) *ret_rows = (int64_t)e->db->rows_changed(&result);
  e->db->destroy_result(&result);
  e->db->destroy_prepare(&prepared);
  return TENON_OK;
}

tenon_status tn_engine_lock(tn_engine *e, const char *allowed_path, tenon_error *err) {
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  tn_str_puts(&sql, "SET allowed_paths = [");
  if (allowed_path) tn_sql_literal(&sql, allowed_path, strlen(allowed_path));
  bool ok = tn_str_puts(&sql, "]");
  tenon_status status = ok && !sql.failed ? tn_engine_run(e, tn_str_text(&sql), NULL, err) : tn_no_memory(err);
  tn_str_release(&sql);
  if (!status) status = tn_engine_run(e, "SET enable_external_access = false", NULL, err);
  return status ? status : tn_engine_run(e, "SET lock_configuration = true", NULL, err);
}
