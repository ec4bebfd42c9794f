/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/handle.h"

#include <string.h>

#include "adapters/objects_tables.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "providers/list.h"

const char *tenon_version(void) { return TENON_VERSION; }

/* ---- Kinds ---- */

#define TN_PROVIDER(name) extern const tenon_provider tn_provider_##name;
TN_PROVIDERS
#undef TN_PROVIDER

#define TN_PROVIDER(name) &tn_provider_##name,
static const tenon_provider *const built_in[] = {TN_PROVIDERS NULL};
#undef TN_PROVIDER

/* A kind that has objects gets tables, too. */
static tenon_status add_kind(tn_registry *registry, const tenon_provider *provider,
                             tenon_error *err) {
  const tenon_provider *adapted;
  tenon_status status = tn_adapter_tables(provider, &adapted, err);
  return status ? status : tn_registry_add(registry, adapted, err);
}

static tenon_status add_built_in(tn_registry *registry, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 0; built_in[i] && !status; i++) status = add_kind(registry, built_in[i], err);
  return status;
}

tenon_status tenon_register(tenon *t, const tenon_provider *provider, tenon_error *err) {
  return add_kind(t->registry, provider, err);
}

const tenon_provider *tenon_kind_at(const tenon *t, size_t i) {
  return tn_registry_at(t->registry, i);
}

tenon_status tenon_kind_find(const tenon *t, const char *name, const tenon_provider **ret,
                             tenon_error *err) {
  return tn_registry_find(t->registry, name, ret, err);
}

enum { MAX_SCHEMA = 1 << 20, LEAST_MEMORY = 1 << 20 };

tenon_status tenon_kind_schema(const tenon *t, const char *name, char **ret_json,
                               tenon_error *err) {
  const tenon_provider *provider;
  tenon_status status = tn_registry_find(t->registry, name, &provider, err);
  if (status) return status;
  tn_str text;
  tn_str_init(&text, MAX_SCHEMA);
  char *json = tn_params_json_schema(provider, &text) ? tn_str_move(&text) : NULL;
  tn_str_release(&text);
  if (!json) return tn_no_memory(err);
  *ret_json = json;
  return TENON_OK;
}

void tenon_text_free(char *text) { tn_free(text); }

/* ---- The handle ---- */

static void log_line(void *arg, tenon_level level, const char *line) {
  const tenon *t = arg;
  t->log(t->log_arg, (int)level, line);
}

static tenon_status start(tenon *t, const tenon_options *options, tenon_error *err) {
  if (options && options->connectors && !(t->connectors_path = tn_strdup(options->connectors)))
    return tn_no_memory(err);
  tenon_status status = tenon_ctx_new(NULL, -1, &t->ctx, err);
  if (!status && options && (options->egress || options->egress_allow))
    status = tn_egress_new(options->egress, options->egress_allow, &t->egress, err);
  if (status) return status;
  tn_ctx_restrict(t->ctx, t->egress);
  if (options && options->log) {
    t->log = options->log;
    t->log_arg = options->log_arg;
    tn_ctx_set_logger(t->ctx, log_line, t);
  }
  status = tn_lib_start_tokens(t, options, err);
  if (!status) status = tn_registry_new(&t->registry, err);
  if (!status) status = add_built_in(t->registry, err);
  const tn_connectors *named;
  return status || !t->connectors_path ? status : tn_lib_connectors(t, &named, err);
}

static tenon_status check(const tenon_options *options, tenon_error *err) {
  if (options->struct_size < sizeof *options)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "start from TENON_OPTIONS_INIT",
                      "tenon_options has no struct_size");
  if (options->memory != 0 && options->memory < LEAST_MEMORY)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give 1 MiB or more",
                      "%lld bytes of memory are too little to work in",
                      (long long)options->memory);
  return TENON_OK;
}

tenon_status tenon_new(const tenon_options *options, tenon **ret, tenon_error *err) {
  tenon_status status = options ? check(options, err) : TENON_OK;
  if (status) return status;
  tenon *t = tn_alloc(sizeof *t);
  if (!t) return tn_no_memory(err);
  pthread_mutex_init(&t->lock, NULL);
  t->memory = options ? options->memory : 0;
  tn_set_sorter(tn_engine_sort);
  if (t->memory > 0)
    tn_engine_set_memory(t->memory / 2); /* the other half is for batches under way */
  status = start(t, options, err);
  if (status) tenon_free(t);
  else *ret = t;
  return status;
}

void tenon_free(tenon *t) {
  if (!t) return;
  tn_lib_forget_connectors(t);
  tn_lib_stop_tokens(t);
  tn_connectors_free(t->connectors);
  tn_registry_free(t->registry);
  tenon_ctx_free(t->ctx);
  tn_egress_free(t->egress);
  pthread_mutex_destroy(&t->lock);
  tn_free(t->connectors_path);
  tn_free(t);
}

tenon_ctx *tenon_context(tenon *t) { return t->ctx; }

tenon_ctx *tn_lib_ctx(tenon *t, tenon_ctx *ctx) { return ctx ? ctx : t->ctx; }

/* ---- tenon.yaml ---- */

tenon_status tn_lib_connectors(tenon *t, const tn_connectors **ret, tenon_error *err) {
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&t->lock);
  if (!t->connectors) status = tn_connectors_load(t->connectors_path, &t->connectors, err);
  if (!status) *ret = t->connectors;
  pthread_mutex_unlock(&t->lock);
  return status;
}

tenon_status tenon_connector_at(tenon *t, size_t i, tenon_connector_info *ret, tenon_error *err) {
  const tn_connectors *connectors;
  tenon_status status = tn_lib_connectors(t, &connectors, err);
  if (status) return status;
  if (i >= tn_connectors_count(connectors))
    return tenon_fail(err, TENON_GONE, TENON_STAGE_CONFIG, NULL, "there are %zu connectors",
                      tn_connectors_count(connectors));
  ret->name = tn_connectors_name(connectors, i);
  ret->kind = tn_connectors_kind(connectors, i);
  return TENON_OK;
}

const char *tenon_connectors_path(tenon *t) {
  const tn_connectors *connectors;
  return tn_lib_connectors(t, &connectors, NULL) ? NULL : tn_connectors_path(connectors);
}
