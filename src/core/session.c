/* SPDX-License-Identifier: Apache-2.0 */
/* Connectors, their configurations one after the other, and the lives of sessions. */
#include "core/session.h"

#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "core/faults.h"
#include "core/session_parts.h"
#include "core/test_steps.h"

/* ---- Configurations ---- */

static int64_t whole_or(const tn_config *config, const char *key, tenon_param_type type,
                        int64_t otherwise) {
  const int64_t *v = tn_config_value(config, key, type);
  return v && *v >= 0 ? *v : otherwise;
}

/* Takes the config over, also on failure. */
static tenon_status generation_new(tn_config *config, tn_generation **ret, tenon_error *err) {
  tn_generation *g = tn_alloc(sizeof *g);
  if (!g) {
    tn_config_free(config);
    return tn_no_memory(err);
  }
  atomic_init(&g->refs, 1);
  g->config = config;
  g->recycle_ms = whole_or(config, "pool_recycle", TENON_PARAM_DURATION, 0);
  *ret = g;
  return TENON_OK;
}

void tn_generation_unref(tn_generation *g) {
  if (!g || atomic_fetch_sub(&g->refs, 1) != 1) return;
  tn_config_free(g->config);
  tn_free(g);
}

/* Called with the lock held, or before anybody else knows the connector. */
static void set_limits(tn_connector *c, const tn_config *config) {
  int64_t idle = whole_or(config, "pool_size", TENON_PARAM_INTEGER, 5);
  int64_t most = idle + whole_or(config, "max_overflow", TENON_PARAM_INTEGER, 15);
  c->total_max = !c->places ? INT64_MAX : most < 1 ? 1 : most;
  atomic_store(&c->place_count, !c->places ? 0 : idle > TN_MOST_IDLE ? TN_MOST_IDLE
               : (unsigned)idle);
}

/* ---- Connectors ---- */

/* As the state says it, while nobody waits and nobody closes. */
static void make_current(tn_connector *c, tn_generation *g) {
  c->current = g;
  g->state = atomic_load(&c->state) & ~(TN_STATE_CLOSED | TN_STATE_WAITING);
  set_limits(c, g->config);
}

static void connector_destroy(tn_connector *c) {
  tn_generation_unref(c->current);
  tn_egress_free(c->egress);
  pthread_mutex_destroy(&c->lock);
  tn_free(c->places);
  tn_free(c->name);
  tn_free(c);
}

/* Kinds with objects ask for later parts of them by themselves, so often: the first part is no different (docs/s3.md). Many
 * objects at once have one store of retries. */
static const tn_patience *patience_for(const tenon_provider *p) {
  static const tn_patience usual = {3, 30000, 10000}, of_objects = {5, 60000, 40000};
  return tn_provider_has_op(p, TN_OP_objects_get) ? &of_objects : &usual;
}

tenon_status tn_connector_new(const char *name, tn_config *config, tn_connector **ret,
                              tenon_error *err) {
  const tenon_provider *p = config->provider;
  bool is_pooled = p->traits & TENON_POOLED;
  tn_generation *g = NULL;
  tenon_status status = generation_new(config, &g, err);
  if (status) return status;
  tn_connector *c = tn_alloc_aligned(sizeof *c);
  if (!c) {
    tn_generation_unref(g);
    return tn_no_memory(err);
  }
  pthread_mutex_init(&c->lock, NULL);
  c->last_waiter = &c->first_waiter;
  c->handles = 1;
  c->provider = p;
  c->current = g;
  c->patience = patience_for(p);
  atomic_init(&c->budget_milli, c->patience->budget_milli);
  c->name = tn_strdup(name);
  if (is_pooled) c->places = tn_alloc_aligned(TN_MOST_IDLE * sizeof *c->places);
  if (!c->name || (is_pooled && !c->places)) {
    connector_destroy(c);
    return tn_no_memory(err);
  }
  make_current(c, g);
  *ret = c;
  return TENON_OK;
}

void tn_connector_restrict(tn_connector *c, tn_egress *egress) {
  tn_egress_free(c->egress);
  c->egress = tn_egress_ref(egress);
}

void tn_connector_set_tokens(tn_connector *c, struct tn_tokens *tokens) { c->tokens = tokens; }

tenon_status tn_connector_ctx(tenon_ctx *ctx, int64_t timeout_ms, const tn_connector *c,
                              tenon_ctx **ret, tenon_error *err) {
  tenon_ctx *own;
  tenon_status status = tenon_ctx_new(ctx, timeout_ms, &own, err);
  if (status) return status;
  if (c->egress) tn_ctx_restrict(own, c->egress);
  if (c->tokens) tn_ctx_set_tokens(own, c->tokens);
  *ret = own;
  return TENON_OK;
}

tn_connector *tn_connector_ref(tn_connector *c) {
  if (!c) return NULL;
  pthread_mutex_lock(&c->lock);
  c->handles++;
  pthread_mutex_unlock(&c->lock);
  return c;
}

void tn_connector_unlock(tn_connector *c) {
  bool is_last = c->handles == 0 && c->total == 0;
  pthread_mutex_unlock(&c->lock);
  if (is_last) connector_destroy(c);
}

void tn_connector_free(tn_connector *c) {
  if (!c) return;
  tn_session *idle = NULL;
  pthread_mutex_lock(&c->lock);
  if (--c->handles == 0) {
    atomic_fetch_or(&c->state, TN_STATE_CLOSED);
    idle = tn_pool_take_idle(c);
  }
  tn_connector_unlock(c);
  /* each of these keeps the connector until it is closed */
  tn_pool_close_list(idle);
}

const tenon_provider *tn_connector_provider(const tn_connector *c) { return c->provider; }

const tn_config *tn_connector_config(tn_connector *c) {
  pthread_mutex_lock(&c->lock);
  const tn_config *config = c->current->config;
  pthread_mutex_unlock(&c->lock);
  return config;
}

const char *tn_connector_name(const tn_connector *c) { return c->name; }

tenon_status tn_connector_replace(tn_connector *c, tn_config *config, tenon_error *err) {
  if (config->provider != c->provider) {
    tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "make another connector for another kind",
               "%s is of kind %s, not %s", c->name,
               c->provider->kind, config->provider->kind);
    tn_config_free(config);
    return TENON_CONFIG;
  }
  tn_generation *g = NULL;
  tenon_status status = generation_new(config, &g, err);
  if (status) return status;
  pthread_mutex_lock(&c->lock);
  tn_generation *old = c->current;
  atomic_fetch_add(&c->state, TN_STATE_GENERATION);
  make_current(c, g);
  tn_session *idle = tn_pool_take_idle(c);
  pthread_mutex_unlock(&c->lock);
  tn_pool_close_list(idle);
  tn_generation_unref(old);
  return TENON_OK;
}

/* ---- Opening and closing the provider's sessions ---- */

static void trace(tenon_ctx *ctx, const char *what, const tn_connector *c, tenon_status status,
                  int64_t began_us) {
  tn_ctx_log(ctx, TENON_LOG_DEBUG, "%s %s %s %.1f ms", what, c->name, tenon_status_name(status),
             (double)(tn_now_us() - began_us) / 1000);
}

/* One try more for what may pass by itself: a server that is just starting. */
static tenon_status open_native(tenon_ctx *ctx, tn_connector *c, const tn_generation *g, void **ret,
                                tenon_error *err) {
  for (int attempt = 1;; attempt++) {
    tenon_error why = TENON_ERROR_INIT;
    int64_t began = tn_now_us();
    tenon_status status = tn_fault_check("open", &why);
    if (!status) status = c->provider->open(ctx, c->provider, g->config->data, ret, &why);
    trace(ctx, "open", c, status, began);
    if (!status) return TENON_OK;
    if (!why.code)
      tenon_fail(&why, status, TENON_STAGE_NONE, NULL,
                 "%s: opening failed and nothing more was said", c->name);
    tn_config_redact(g->config, &why);
    if (attempt == 2 || !why.retryable || tn_ctx_wait(ctx, NULL, 0, 50, NULL))
      return tn_pass_error(&why, err);
  }
}

/* What a foreign library connects to, nobody here sees. */
static tenon_status check_opaque(const tenon_ctx *ctx, const tn_connector *c, tenon_error *err) {
  const char *policy = tn_egress_strict(ctx);
  if (!policy || !(c->provider->traits & TENON_OPAQUE_NET)) return TENON_OK;
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_CONFIG,
                    "use another kind, or let whoever runs Tenon choose the egress policy open",
                    "%s: kind %s connects by itself, where the egress policy %s cannot watch it",
                    c->name, c->provider->kind, policy);
}

/* As long as the caller says, or the default where it says nothing. */
static int64_t open_ms(const tenon_ctx *ctx) {
  return ctx && tn_ctx_has_deadline(ctx) ? -1 : TN_OPEN_MS;
}

static tenon_status open_in_time(tenon_ctx *ctx, tn_connector *c, const tn_generation *g,
                                 void **ret, tenon_error *err) {
  tenon_ctx *own;
  tenon_status status = tn_connector_ctx(ctx, open_ms(ctx), c, &own, err);
  if (status) return status;
  status = tn_ctx_check(own, err);
  if (!status) status = check_opaque(own, c, err);
  if (!status) status = open_native(own, c, g, ret, err);
  tenon_ctx_free(own);
  return status;
}

/* Takes over a reference to the generation, also on failure. */
tenon_status tn_session_open(tenon_ctx *ctx, tn_connector *c, tn_generation *g, tn_session **ret,
                             tenon_error *err) {
  void *native = NULL;
  tn_session *s = tn_alloc(sizeof *s);
  tenon_status status = s ? open_in_time(ctx, c, g, &native, err) : tn_no_memory(err);
  if (status) {
    tn_free(s);
    tn_generation_unref(g);
    return status;
  }
  s->connector = c;
  s->generation = g;
  s->native = native;
  atomic_init(&s->uses, 1);
  atomic_flag_clear(&s->busy);
  *ret = s;
  return TENON_OK;
}

tenon_status tn_session_reopen(tenon_ctx *ctx, tn_session *s, tenon_error *err) {
  if (s->native) s->connector->provider->close(s->native);
  s->native = NULL;
  tenon_status status = open_in_time(ctx, s->connector, s->generation, &s->native, err);
  if (!status) atomic_store(&s->broken, false);
  return status;
}

void tn_session_close(tn_session *s) {
  if (s->native) s->connector->provider->close(s->native);
  tn_generation_unref(s->generation);
  tn_free(s);
}

/* ---- Sessions ---- */

tenon_status tn_session_acquire(tenon_ctx *ctx, tn_connector *c, tn_session **ret,
                                tenon_error *err) {
  tenon_status status = ctx ? tn_ctx_check(ctx, err) : TENON_OK;
  return status ? status : tn_pool_acquire(ctx, c, ret, err);
}

void tn_session_release(tn_session *s) {
  if (s) tn_session_unuse(s);
}

/* With one use left, nobody else can add or give up another. */
void tn_session_unuse(tn_session *s) {
  if (atomic_load_explicit(&s->uses, memory_order_acquire) == 1 ||
      atomic_fetch_sub_explicit(&s->uses, 1, memory_order_acq_rel) == 1)
    tn_pool_give(s);
}

tn_connector *tn_session_connector(tn_session *s) { return s->connector; }

void tn_session_hold(tn_session *s) {
  atomic_fetch_add(&s->uses, 1);
  atomic_fetch_add(&s->streams, 1);
}

void tn_session_unhold(void *session) {
  tn_session *s = session;
  atomic_fetch_sub(&s->streams, 1);
  tn_session_unuse(s);
}

/* ---- Tests ---- */

static void redact_text(const tn_config *config, char *text, size_t size) {
  tenon_error e = TENON_ERROR_INIT;
  e.code = TENON_INTERNAL;
  snprintf(e.message, sizeof e.message, "%s", text);
  tn_config_redact(config, &e);
  snprintf(text, size, "%.*s", (int)size - 1, e.message);
}

static void redact_test(const tn_config *config, tenon_test *t) {
  for (uint32_t i = 0; i < t->step_count; i++) {
    redact_text(config, t->steps[i].evidence, sizeof t->steps[i].evidence);
    redact_text(config, t->steps[i].remedy, sizeof t->steps[i].remedy);
  }
  for (uint32_t i = 0; i < t->fact_count; i++)
    redact_text(config, t->facts[i].value, sizeof t->facts[i].value);
}

tn_generation *tn_connector_generation(tn_connector *c) {
  pthread_mutex_lock(&c->lock);
  tn_generation *g = c->current;
  atomic_fetch_add(&g->refs, 1);
  pthread_mutex_unlock(&c->lock);
  return g;
}

tenon_status tn_connector_test(tenon_ctx *ctx, tn_connector *c, tenon_test *ret, tenon_error *err) {
  tenon_ctx *own;
  tenon_error why = TENON_ERROR_INIT;
  tenon_test t = {.struct_size = sizeof t};
  int64_t began = tn_now_us();
  tenon_status status = tn_connector_ctx(ctx, open_ms(ctx), c, &own, err);
  if (status) return status;
  tn_generation *g = tn_connector_generation(c);
  status = tn_fault_check("test", &why);
  if (!status) status = check_opaque(own, c, &why);
  if (!status) status = c->provider->test(own, c->provider, g->config->data, &t, &why);
  if (status && !why.code)
    tenon_fail(&why, status, TENON_STAGE_NONE, NULL,
               "%s: the test failed and nothing more was said", c->name);
  tn_config_redact(g->config, &why);
  tn_test_settle(&t, status, &why);
  redact_test(g->config, &t);
  trace(own, "test", c, status, began);
  tn_generation_unref(g);
  tenon_ctx_free(own);
  *ret = t;
  return status ? tn_pass_error(&why, err) : TENON_OK;
}
