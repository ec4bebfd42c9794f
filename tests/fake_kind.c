/* SPDX-License-Identifier: Apache-2.0 */
#include "fake_kind.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "base/ctx.h"
#include "base/error.h"

fake_watch fake;
static const tenon_host *host;

typedef struct fake_config {
  uint64_t set;
  int64_t pool_size, max_overflow, pool_recycle;
  const char *password;
} fake_config;

static const tenon_param rows[] = {
    {TENON_INTEGER(fake_config, pool_size), .key = "pool_size", .label = "Idle",
     .help = "sessions kept", .default_value = "5", .min = 0, .max = 100},
    {TENON_INTEGER(fake_config, max_overflow), .key = "max_overflow", .label = "More",
     .help = "at most", .default_value = "15", .min = 0, .max = 100},
    {TENON_DURATION(fake_config, pool_recycle), .key = "pool_recycle", .label = "Age",
     .help = "of sessions", .default_value = "0"},
    {TENON_STRING(fake_config, password), .key = "password", .label = "Password",
     .help = "a secret", .flags = TENON_SECRET},
};

typedef struct fake_session_state {
  const fake_config *config;
  int in_use;   /* catches two threads at once */
} fake_session_state;

static tenon_status init(const tenon_host *h, tenon_error *err) {
  (void)err;
  host = h;
  return TENON_OK;
}

static tenon_status take_time(tenon_ctx *ctx, tenon_error *err) {
  int ms = atomic_load(&fake.slow_ms);
  tenon_address address;
  size_t count;
  tenon_status status =
      fake.host ? host->resolve(ctx, fake.host, 5432, &address, 1, &count, err) : TENON_OK;
  if (status) return status;
  return ms ? host->wait(ctx, NULL, 0, ms, err) : host->check(ctx, err);
}

static bool fails(atomic_int *left) {
  int n = atomic_load(left);
  while (n > 0)
    if (atomic_compare_exchange_weak(left, &n, n - 1)) return true;
  return false;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t,
                         tenon_error *err) {
  (void)p;
  const fake_config *c = config;
  atomic_fetch_add(&fake.tests, 1);
  host->step_begin(t, "tcp");
  tenon_status status = take_time(ctx, err);
  if (status) return status;
  if (fails(&fake.fail_opens))
    return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_TCP, "start it", "nobody there for %s",
                      c->password ? c->password : "anyone");
  host->step_end(t, TENON_PASSED, NULL, "hello %s", c->password ? c->password : "");
  host->step_begin(t, "probe");
  return TENON_OK;
}

static tenon_status open_it(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret,
                            tenon_error *err) {
  (void)p;
  const fake_config *c = config;
  atomic_fetch_add(&fake.opens, 1);
  tenon_status status = take_time(ctx, err);
  if (status) return status;
  if (fails(&fake.fail_opens))
    return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_TCP, "start it", "nobody there for %s",
                      c->password ? c->password : "anyone");
  fake_session_state *s = host->resize(NULL, sizeof *s);
  if (!s) return TENON_LIMITED;
  *s = (fake_session_state){.config = c};
  atomic_fetch_add(&fake.open, 1);
  *ret = s;
  return TENON_OK;
}

static void close_it(void *session) {
  atomic_fetch_add(&fake.closes, 1);
  atomic_fetch_sub(&fake.open, 1);
  host->resize(session, 0);
}

static tenon_status check(tenon_ctx *ctx, void *session, tenon_error *err) {
  (void)ctx, (void)session;
  atomic_fetch_add(&fake.checks, 1);
  return fails(&fake.fail_checks) ? tenon_fail(err, TENON_GONE, TENON_STAGE_NONE, NULL, "dead")
      : TENON_OK;
}

static tenon_status reset(tenon_ctx *ctx, void *session, tenon_error *err) {
  (void)ctx, (void)session;
  atomic_fetch_add(&fake.resets, 1);
  return fails(&fake.fail_resets) ? tenon_fail(err, TENON_GONE, TENON_STAGE_NONE, NULL, "dirty")
      : TENON_OK;
}

/* ---- Rows ---- */

typedef struct fake_stream {
  tenon_ctx *ctx;
  fake_session_state *session;
  tn_builder *builder;
  int64_t next, rows;
  int batches;
} fake_stream;

static tenon_status make_schema(struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema s;
  tenon_status status = tn_schema_struct(&s, 2, err);
  if (status) return status;
  status = tn_schema_set(s.children[0], "n", "l", false, 0, err);
  if (!status) status = tn_schema_set(s.children[1], "t", "u", true, 0, err);
  if (status) tn_schema_release(&s);
  else *ret = s;
  return status;
}

static tenon_status next(void *self, struct ArrowArray *ret, tenon_error *err) {
  fake_stream *s = self;
  tenon_status status = take_time(s->ctx, err);
  if (status) return status;
  if (fails(&fake.fail_batches))
    return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY, NULL, "the line broke");
  if (++s->batches == atomic_load(&fake.fail_at_batch))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "mend it", "a bad value, %s",
                      s->session->config->password);
  int64_t n = 0, most = atomic_load(&fake.batch);
  for (; n < most && s->next < s->rows; n++, s->next++) {
    char text[32];
    snprintf(text, sizeof text, "row %lld", (long long)s->next);
    if (!tn_append_i64(tn_builder_column(s->builder, 0), s->next)) return tn_append_failed(err);
    bool ok = s->next % 3 == 2 ? tn_append_null(tn_builder_column(s->builder, 1))
        : tn_append_text(tn_builder_column(s->builder, 1), text);
    if (!ok) return tn_append_failed(err);
  }
  if (n == 0) {
    ret->release = NULL;
    return TENON_OK;
  }
  return tn_builder_finish(s->builder, n, ret, err);
}

static void close_stream(void *self) {
  fake_stream *s = self;
  atomic_fetch_sub(&fake.streams, 1);
  tn_builder_free(s->builder);
  host->resize(s, 0);
}

static tenon_status open_stream(tenon_ctx *ctx, void *session, tenon_stream *ret,
                                tenon_error *err) {
  tenon_stream out = {.struct_size = sizeof out, .next = next, .close = close_stream};
  fake_stream *s = host->resize(NULL, sizeof *s);
  if (!s) return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, NULL, "out of memory");
  *s = (fake_stream){.ctx = ctx, .session = session, .rows = atomic_load(&fake.rows)};
  tenon_status status = make_schema(&out.schema, err);
  if (!status) status = tn_builder_new(&out.schema, &s->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    host->resize(s, 0);
    return status;
  }
  atomic_fetch_add(&fake.streams, 1);
  out.self = s;
  *ret = out;
  return TENON_OK;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_tables_list *request,
                         tenon_stream *ret, tenon_error *err) {
  (void)request;
  return open_stream(ctx, session, ret, err);
}

static tenon_status read_rows(tenon_ctx *ctx, void *session, const tenon_read *request,
                              tenon_rows *ret, tenon_error *err) {
  atomic_fetch_add(&fake.reads, 1);
  if (request->name.table && strcmp(request->name.table, "none") == 0)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, NULL, "no table none");
  ret->applied = 0;
  ret->filters_applied = 0;
  return open_stream(ctx, session, &ret->stream, err);
}

static void release_table(tenon_table *t) {
  tn_schema_release(&t->schema);
  t->release = NULL;
}

static tenon_status describe(tenon_ctx *ctx, void *session, const tenon_read *request,
                             tenon_table *ret, tenon_error *err) {
  (void)ctx, (void)session, (void)request;
  static const tenon_column columns[] = {{.name = "n", .type = "bigint"},
                                         {.name = "t", .type = "text", .nullable = 1}};
  struct ArrowSchema s;
  tenon_status status = make_schema(&s, err);
  if (status) return status;
  ret->schema = s;
  ret->name = "rows";
  ret->columns = columns;
  ret->column_count = 2;
  ret->release = release_table;
  return TENON_OK;
}

static const tenon_tables_ops tables = {.struct_size = sizeof tables, .list = list,
                                        .describe = describe, .read = read_rows};

#define FAKE(name, its_traits)                                                                                              \
  const tenon_provider name = {.struct_size = sizeof name, .abi = TENON_ABI, .kind = #name, .category = "sql",               \
                               .label = "Fake", .summary = "Nothing.", .params = TENON_PARAMS(rows),                        \
                               .config_size = sizeof(fake_config), .traits = (its_traits), .init = init, .test = test,      \
                               .open = open_it, .check = check, .reset = reset, .close = close_it, .tables = &tables}

FAKE(fake_pooled, TENON_POOLED);
FAKE(fake_plain, 0);
FAKE(fake_shared, TENON_SHARED);
FAKE(fake_opaque, TENON_OPAQUE_NET);

/* ---- For the tests ---- */

static tn_registry *registry;

static const tenon_provider *registered(const tenon_provider *p) {
  const tenon_provider *found = NULL;
  if (!registry && tn_registry_new(&registry, NULL)) fail();
  if (tn_registry_find(registry, p->kind, &found, NULL) == TENON_OK) return found;
  assert_int_equal(tn_registry_add(registry, p, NULL), TENON_OK);
  assert_int_equal(tn_registry_find(registry, p->kind, &found, NULL), TENON_OK);
  return found;
}

void fake_reset(void) {
  memset(&fake, 0, sizeof fake);
  atomic_store(&fake.rows, 10);
  atomic_store(&fake.batch, 4);
}

static tn_config *config_of(const tenon_provider *p, const char *const *settings) {
  tn_settings s;
  tn_config *config = NULL;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings_init(&s);
  for (; settings && *settings; settings += 2)
    assert_int_equal(tn_settings_set(&s, settings[0], settings[1], NULL), TENON_OK);
  if (tn_config_new(registered(p), &s, &config, &err)) fail_msg("%s", err.message);
  tn_settings_release(&s);
  return config;
}

tn_config *fake_config_of(const tenon_provider *p, const char *const *settings) {
  return config_of(p, settings);
}

tn_connector *fake_connector(const tenon_provider *p, const char *const *settings) {
  tn_connector *c = NULL;
  assert_int_equal(tn_connector_new("shop", config_of(p, settings), &c, NULL), TENON_OK);
  return c;
}

tn_session *fake_session(tn_connector *c) {
  tn_session *s = NULL;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_session_acquire(NULL, c, &s, &err)) fail_msg("%s", err.message);
  return s;
}

int64_t fake_drain(struct ArrowArrayStream *stream, tenon_error *err) {
  struct ArrowSchema schema;
  int64_t total = 0;
  int code = stream->get_schema(stream, &schema);
  assert_int_equal(code, 0);
  for (;;) {
    struct ArrowArray batch;
    code = stream->get_next(stream, &batch);
    if (code || !batch.release) break;
    tenon_error why = TENON_ERROR_INIT;
    if (tn_arrow_check(&schema, &batch, &why)) fail_msg("%s", why.message);
    assert_true(batch.length > 0);
    total += batch.length;
    batch.release(&batch);
  }
  if (code) tn_stream_error(stream, code, err);
  schema.release(&schema);
  stream->release(stream);
  return code ? -1 : total;
}

tenon_read fake_read(void) {
  tenon_read r = TENON_READ_INIT;
  r.name.table = "rows";
  return r;
}
