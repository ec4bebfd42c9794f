/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "lib/handle.h"

/* ---- Targets ---- */

tenon_status tenon_target_shown(tenon *t, const char *target, char **ret_text, tenon_error *err) {
  char *text = tn_target_redacted(target, t->registry);
  if (!text) return tn_no_memory(err);
  *ret_text = text;
  return TENON_OK;
}

tenon_status tn_lib_whole_name(tn_target *target, const char **ret, tenon_error *err) {
  if (!target->table || !target->schema) {
    *ret = target->table;
    return TENON_OK;
  }
  size_t size = strlen(target->schema) + strlen(target->table) + 2;
  char *whole = tn_arena_alloc(&target->arena, size);
  if (!whole) return tn_no_memory(err);
  snprintf(whole, size, "%s.%s", target->schema, target->table);
  *ret = whole;
  return TENON_OK;
}

static tenon_status find_connector(tenon *t, const char *text, const tenon_setting *settings,
                                   size_t count, tn_target *ret_target, tn_connector **ret,
                                   tenon_error *err) {
  tn_target target;
  tenon_status status = tn_target_parse(text, &target, err);
  if (status) return status;
  status = tn_lib_connector(t, &target, settings, count, ret, err);
  if (status) tn_target_release(&target);
  else *ret_target = target;
  return status;
}

enum { TEST_MS = 15000 };

/* No row of the columns that can be read: whether they may be. */
static tenon_status read_tested(tenon_ctx *ctx, tn_session *session, const tenon_table *table,
                                tenon_read read, tenon_error *err) {
  struct ArrowArrayStream rows;
  const char **names = tn_alloc_array(table->column_count + 1, sizeof *names);
  if (!names) return tn_no_memory(err);
  for (size_t i = 0; i < table->column_count; i++)
    if (!table->columns[i].unreadable) names[read.column_count++] = table->columns[i].name;
  read.columns = names;
  read.limit = 0;
  tenon_status status = TENON_OK;
  if (read.column_count) status = tn_tables_read(ctx, session, &read, &rows, NULL, err);
  if (!status && read.column_count) rows.release(&rows);
  tn_free(names);
  return status;
}

/* A table that is named belongs to what is tested: it is there, its columns can be told, and its
 * rows may be read. */
static tenon_status look_at_tested(tenon_ctx *ctx, tn_connector *connector, const tn_target *target,
                                   uint32_t *ret_columns, tenon_error *err) {
  tn_session *session;
  tenon_table table;
  tenon_read read = TENON_READ_INIT;
  read.name = (tenon_name){.schema = target->schema, .table = target->table};
  tenon_status status = tn_session_acquire(ctx, connector, &session, err);
  if (status) return status;
  status = tn_tables_describe(ctx, session, &read, &table, err);
  if (!status) {
    status = read_tested(ctx, session, &table, read, err);
    *ret_columns = (uint32_t)table.column_count;
    table.release(&table);
  }
  tn_session_release(session);
  return status;
}

/* The same of a collection of vectors. */
static tenon_status count_tested(tenon_ctx *ctx, tn_connector *connector, const char *name,
                                 int64_t *ret_rows, tenon_error *err) {
  tn_session *session;
  tenon_vectors_counted counted;
  const tenon_vectors_count all = {.struct_size = sizeof all, .collection = name};
  tenon_status status = tn_session_acquire(ctx, connector, &session, err);
  if (status) return status;
  status = tn_vectors_count(ctx, session, &all, &counted, err);
  if (!status) *ret_rows = counted.count;
  tn_session_release(session);
  return status;
}

static tenon_status test_collection(tenon_ctx *ctx, tn_connector *connector,
                                    tn_target *target, tenon_test *test, tenon_error *err) {
  const tenon_host *host = tn_host();
  tenon_ctx *bounded;
  tenon_error problem = TENON_ERROR_INIT;
  const char *name;
  int64_t rows = 0;
  tenon_status status = tn_lib_whole_name(target, &name, err);
  if (!status) status = tenon_ctx_new(ctx, TEST_MS, &bounded, err);
  if (status) return status;
  host->step_begin(test, "collection");
  status = count_tested(bounded, connector, name, &rows, &problem);
  if (status) host->step_end(test, TENON_FAILED, problem.remedy, "%s", problem.message);
  else
    host->step_end(test, TENON_PASSED, NULL, "%s has %lld row%s", name, (long long)rows,
                   rows == 1 ? "" : "s");
  tenon_ctx_free(bounded);
  if (status && err) *err = problem;
  return status;
}

static tenon_status test_table(tenon_ctx *ctx, tn_connector *connector, const tn_target *target,
                               tenon_test *test, tenon_error *err) {
  const tenon_host *host = tn_host();
  tenon_ctx *bounded;
  tenon_error problem = TENON_ERROR_INIT;
  uint32_t columns = 0;
  tenon_status status = tenon_ctx_new(ctx, TEST_MS, &bounded, err);
  if (status) return status;
  host->step_begin(test, "table");
  status = look_at_tested(bounded, connector, target, &columns, &problem);
  if (status) host->step_end(test, TENON_FAILED, problem.remedy, "%s", problem.message);
  else
    host->step_end(test, TENON_PASSED, NULL, "%s has %u column%s", target->table, columns,
                   columns == 1 ? "" : "s");
  tenon_ctx_free(bounded);
  if (status && err) *err = problem;
  return status;
}

tenon_status tenon_test_target(tenon_ctx *ctx, tenon *t, const char *target,
                               const tenon_setting *settings, size_t setting_count, tenon_test *ret,
                               tenon_error *err) {
  tn_target parsed;
  tn_connector *connector;
  tenon_status status =
      find_connector(t, target, settings, setting_count, &parsed, &connector, err);
  if (status) return status;
  status = tn_connector_test(tn_lib_ctx(t, ctx), connector, ret, err);
  bool has_collections = !status && tn_provider_has(tn_connector_provider(connector), "vectors.count");
  if (!status && parsed.table)
    status = has_collections ? test_collection(tn_lib_ctx(t, ctx), connector, &parsed, ret, err)
                             : test_table(tn_lib_ctx(t, ctx), connector, &parsed, ret, err);
  tn_connector_free(connector);
  tn_target_release(&parsed);
  return status;
}

/* ---- Sessions ---- */

tenon_status tenon_open(tenon_ctx *ctx, tenon *t, const char *target, const tenon_setting *settings,
                        size_t setting_count, tenon_session **ret, tenon_error *err) {
  tenon_session *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  tn_connector *connector;
  tenon_status status =
      find_connector(t, target, settings, setting_count, &s->target, &connector, err);
  if (status) {
    tn_free(s);
    return status;
  }
  status = tn_session_acquire(tn_lib_ctx(t, ctx), connector, &s->session, err);
  tn_connector_free(connector);
  s->owner = t;
  s->name = (tenon_name){.schema = s->target.schema, .table = s->target.table};
  if (!status) status = tn_lib_whole_name(&s->target, &s->whole, err);
  if (status) tenon_close(s);
  else *ret = s;
  return status;
}

/* The colon between a connector's name and a key; NULL: it is a URL, a path or a bare name. */
static const char *key_separator(const char *target) {
  const char *c = target;
  while (isalnum((unsigned char)*c) || *c == '_' || *c == '-') c++;
  return c > target && *c == ':' && strncmp(c, "://", 3) != 0 ? c : NULL;
}

bool tn_lib_names_object(const char *target) { return key_separator(target) || strstr(target, "://"); }

tenon_status tn_lib_kind_of_object(tenon *t, const char *target, const tenon_provider **ret, tenon_error *err) {
  const char *colon = key_separator(target);
  char *base = tn_strndup(target, colon ? (size_t)(colon - target) : strlen(target));
  tn_target parsed;
  tn_connector *connector;
  if (!base) return tn_no_memory(err);
  tenon_status status = find_connector(t, base, NULL, 0, &parsed, &connector, err);
  tn_free(base);
  if (status) return status;
  *ret = tn_connector_provider(connector);
  tn_connector_free(connector);
  tn_target_release(&parsed);
  return TENON_OK;
}

tenon_status tenon_open_object(tenon_ctx *ctx, tenon *t, const char *target, const tenon_setting *settings,
                               size_t setting_count, tenon_session **ret, tenon_key_bytes *ret_key,
                               tenon_error *err) {
  const char *colon = key_separator(target), *key;
  char *base = tn_strndup(target, colon ? (size_t)(colon - target) : strlen(target));
  tenon_session *s;
  if (!base) return tn_no_memory(err);
  tenon_status status = tenon_open(ctx, t, base, settings, setting_count, &s, err);
  tn_free(base);
  if (status) return status;
  if (colon) s->name = (tenon_name){.table = tn_arena_strdup(&s->target.arena, colon + 1)};
  if (colon && !s->name.table) {
    tenon_close(s);
    return tn_no_memory(err);
  }
  if (colon) s->whole = s->name.table;
  key = s->name.table;
  *ret = s;
  *ret_key = key ? (tenon_key_bytes){key, strlen(key)} : (tenon_key_bytes){NULL, 0};
  return TENON_OK;
}

void tenon_close(tenon_session *s) {
  if (!s) return;
  if (s->session) tn_session_release(s->session);
  tn_target_release(&s->target);
  tn_free(s);
}

tenon_name tenon_session_table(const tenon_session *s) { return s->name; }

const tenon_provider *tenon_session_kind(const tenon_session *s) {
  return tn_connector_provider(tn_session_connector(s->session));
}

/* ---- Tables ---- */

enum { BATCHES_IN_MEMORY = 8, SMALLEST_BATCH = 64 * 1024, LARGEST_BATCH = 16 << 20 };

/* Of the memory that is allowed a batch takes a part: reader, filters and writer hold one each. */
static int64_t batch_bytes(int64_t memory) {
  int64_t bytes = memory / BATCHES_IN_MEMORY;
  if (memory <= 0 || bytes > LARGEST_BATCH) return 0;
  return bytes < SMALLEST_BATCH ? SMALLEST_BATCH : bytes;
}

static bool holds_objects(const tenon_session *s) {
  return tn_provider_has(tenon_session_kind(s), "objects.get");
}

/* A path that is a folder means all of it, as a table does that ends with a slash. */
tenon_read tn_lib_read(const tenon_session *s, const tenon_read *request) {
  tenon_read read = request ? *request : (tenon_read)TENON_READ_INIT;
  if (!read.query && !read.name.table) read.name = s->name;
  if (!read.query && !read.name.table && s->target.form == TN_TARGET_PATH && holds_objects(s))
    read.name.table = "";
  if (!read.batch_bytes) read.batch_bytes = batch_bytes(s->owner->memory);
  return read;
}

static tenon_status need_table(const tenon_session *s, const tenon_read *read, tenon_error *err) {
  if (read->query || read->name.table) return TENON_OK;
  bool is_url = s->target.form == TN_TARGET_URL;
  return tenon_fail(
      err, TENON_CONFIG, TENON_STAGE_CONFIG,
      holds_objects(s)
          ? (is_url ? "name a file or a pattern at the end of the URL: '…/2024/*.csv'; `tenon ls TARGET` lists them"
                    : "name a file in it, or a pattern: TARGET:2024/'*.csv'; `tenon ls TARGET` lists them")
          : "name a table behind the target, TARGET:schema.table; `tenon ls TARGET` lists them",
      "no table is named");
}

tenon_status tenon_list_tables(tenon_ctx *ctx, tenon_session *s, const tenon_tables_list *request,
                               struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_tables_list all = {.struct_size = sizeof all};
  return tn_tables_list(tn_lib_ctx(s->owner, ctx), s->session, request ? request : &all, ret, err);
}

tenon_status tenon_describe_table(tenon_ctx *ctx, tenon_session *s, const tenon_read *request,
                                  tenon_table *ret, tenon_error *err) {
  tenon_read read = tn_lib_read(s, request);
  tenon_status status = need_table(s, &read, err);
  return status ? status
                : tn_tables_describe(tn_lib_ctx(s->owner, ctx), s->session, &read, ret, err);
}

tenon_status tenon_read_table(tenon_ctx *ctx, tenon_session *s, const tenon_read *request,
                              struct ArrowArrayStream *ret, tenon_read_info *ret_info,
                              tenon_error *err) {
  tenon_read read = tn_lib_read(s, request);
  tn_applied applied = {0};
  tenon_status status = need_table(s, &read, err);
  if (!status)
    status = tn_tables_read(tn_lib_ctx(s->owner, ctx), s->session, &read, ret, &applied, err);
  if (!status && ret_info) {
    ret_info->applied = applied.applied;
    ret_info->filters_applied = applied.filters_applied;
  }
  return status;
}

tenon_status tenon_stream_error(struct ArrowArrayStream *stream, int code, tenon_error *err) {
  return code ? tn_stream_error(stream, code, err) : TENON_OK;
}

/* ---- Objects ---- */

tenon_status tenon_list_objects(tenon_ctx *ctx, tenon_session *s, const tenon_objects_list *request,
                                struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_objects_list all = {.struct_size = sizeof all};
  return tn_objects_list(tn_lib_ctx(s->owner, ctx), s->session, request ? request : &all, ret, err);
}

tenon_status tenon_stat_object(tenon_ctx *ctx, tenon_session *s, const tenon_key_bytes *key,
                               tenon_object *ret, tenon_error *err) {
  return tn_objects_stat(tn_lib_ctx(s->owner, ctx), s->session, key, ret, err);
}

tenon_status tenon_get_object(tenon_ctx *ctx, tenon_session *s, const tenon_get *request,
                              tenon_got *ret, tenon_error *err) {
  return tn_objects_get(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_put_object(tenon_ctx *ctx, tenon_session *s, const tenon_put *request,
                              tenon_object *ret, tenon_error *err) {
  return tn_objects_put(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_copy_object(tenon_ctx *ctx, tenon_session *s, const tenon_objects_copy *request,
                               tenon_object *ret, tenon_error *err) {
  return tn_objects_copy(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_remove_objects(tenon_ctx *ctx, tenon_session *s, const tenon_delete *request,
                                  tenon_deleted *ret, tenon_error *err) {
  return tn_objects_remove(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_presign_object(tenon_ctx *ctx, tenon_session *s, const tenon_presign *request,
                                  tenon_presigned *ret, tenon_error *err) {
  return tn_objects_presign(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}
