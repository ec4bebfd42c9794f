/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Targets to connectors. A connector has a pool, so the same target and settings get the same one as
 * long as the handle lives; which they are is told by a text of all of them, secrets included, that
 * is wiped like a configuration.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "lib/handle.h"

enum { MAX_POOLED = 64, MAX_IDENTITY = 1 << 20 };

struct pooled {
  char *identity;
  size_t identity_size;
  tn_connector *connector;
};

/* ---- Kind and settings of a target ---- */

/* A bare word that is no connector may be meant as the file or folder of that name. */
static void suggest_path(const char *name, tenon_error *err) {
  if (err && err->code == TENON_NOT_FOUND && access(name, F_OK) == 0)
    snprintf(err->remedy, sizeof err->remedy,
             "did you mean ./%s? A bare word is a connector's name", name);
}

/* NAME://key of a connector is taken for a URL of a kind. */
static void suggest_encoded(tenon *t, const char *url, tenon_error *err) {
  const tn_connectors *connectors;
  size_t size = strcspn(url, ":");
  if (!err || err->code != TENON_NOT_FOUND || tn_lib_connectors(t, &connectors, NULL)) return;
  for (size_t i = 0; i < tn_connectors_count(connectors); i++) {
    const char *name = tn_connectors_name(connectors, i);
    if (strlen(name) == size && memcmp(name, url, size) == 0)
      snprintf(err->remedy, sizeof err->remedy,
               "a connector's key does not begin with //, or it is a URL: name it by a URL of its kind, with %%2F%%2F");
  }
}

/* Does the text behind the colon stay as it is? Names of collections and models are no tables. */
static bool takes_keys(const tenon_provider *p) {
  return tn_provider_has(p, "objects.get") || tn_provider_has(p, "vectors.list") ||
         tn_provider_has(p, "models.list");
}

static tenon_status named_settings(tenon *t, const tn_target *target, const tenon_provider **ret,
                                   tn_settings *ret_settings, tenon_error *err) {
  const char *name = target->base;
  const tn_connectors *connectors;
  const char *kind;
  tenon_status status = tn_lib_connectors(t, &connectors, err);
  if (status) return status;
  if ((status = tn_connectors_get(connectors, name, &kind, ret_settings, err))) {
    suggest_path(name, err);
    return status;
  }
  status = tn_registry_find(t->registry, kind, ret, err);
  if (status) tn_error_prefix(err, "%s: connector %s: ", tn_connectors_path(connectors), name);
  else if (!takes_keys(*ret))
    status = tn_target_refuse_key(target, err);
  return status;
}

/* Some URLs name an object in their path: it is the table. */
static tenon_status url_settings(tenon *t, tn_target *target, const tenon_provider **ret,
                                 tn_settings *ret_settings, tenon_error *err) {
  tenon_status status = tn_url_settings(t->registry, target->base, ret, ret_settings, err);
  if (status) suggest_encoded(t, target->base, err);
  const char *table = status ? NULL : tn_settings_take(ret_settings, TENON_URL_TABLE);
  if (!table) return status;
  if (target->table)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave the path of the URL or the table out",
                      "the URL names an object already: there is no %s in it", target->table);
  target->table = tn_arena_strdup(&target->arena, table);
  return target->table ? TENON_OK : tn_no_memory(err);
}

static tenon_status target_settings(tenon *t, tn_target *target, const tenon_provider **ret,
                                    tn_settings *ret_settings, tenon_error *err) {
  switch (target->form) {
    case TN_TARGET_URL: return url_settings(t, target, ret, ret_settings, err);
    case TN_TARGET_NAME: return named_settings(t, target, ret, ret_settings, err);
    case TN_TARGET_PATH: return tn_lib_path(t, target, ret, ret_settings, err);
  }
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, NULL, "a target of an unknown form");
}

static tenon_status all_settings(tenon *t, tn_target *target, const tenon_setting *more,
                                 size_t count, const tenon_provider **ret, tn_settings *settings,
                                 tenon_error *err) {
  tenon_status status = target_settings(t, target, ret, settings, err);
  for (size_t i = 0; i < count && !status; i++)
    status = tn_settings_set(settings, more[i].key, more[i].value, err);
  return status;
}

/* ---- The connectors that there are ---- */

static bool identify(const tenon_provider *provider, const tn_settings *settings, tn_str *ret) {
  tn_str_add(ret, provider->kind, strlen(provider->kind) + 1);
  for (size_t i = 0; i < settings->count; i++) {
    tn_str_add(ret, settings->items[i].key, strlen(settings->items[i].key) + 1);
    tn_str_add(ret, settings->items[i].value, strlen(settings->items[i].value) + 1);
  }
  return !ret->failed;
}

/* Called with the lock held, like the next. */
static tn_connector *find_pooled(const tenon *t, const tn_str *identity) {
  for (size_t i = 0; i < t->pooled_count; i++)
    if (t->pooled[i].identity_size == identity->size &&
        memcmp(t->pooled[i].identity, tn_str_text(identity), identity->size) == 0)
      return tn_connector_ref(t->pooled[i].connector);
  return NULL;
}

/* Beyond the maximum, or without memory, a connector is simply not kept. */
static void keep(tenon *t, const tn_str *identity, tn_connector *connector) {
  if (t->pooled_count == MAX_POOLED) return;
  if (!t->pooled && !(t->pooled = tn_alloc_array(MAX_POOLED, sizeof *t->pooled))) return;
  char *copy = tn_strndup(tn_str_text(identity), identity->size);
  if (!copy) return;
  t->pooled[t->pooled_count++] = (struct pooled){
      .identity = copy, .identity_size = identity->size, .connector = tn_connector_ref(connector)};
}

void tn_lib_forget_connectors(tenon *t) {
  for (size_t i = 0; i < t->pooled_count; i++) {
    tn_wipe(t->pooled[i].identity, t->pooled[i].identity_size);
    tn_free(t->pooled[i].identity);
    tn_connector_free(t->pooled[i].connector);
  }
  tn_free(t->pooled);
  t->pooled = NULL;
  t->pooled_count = 0;
}

static tenon_status new_connector(const tenon *t, const tn_target *target,
                                  const tenon_provider *provider, const tn_settings *settings,
                                  tn_connector **ret, tenon_error *err) {
  tn_config *config;
  tenon_status status = tn_config_new(provider, settings, &config, err);
  if (status) return status;
  char *shown = tn_target_redacted(target->base, t->registry);
  status = tn_connector_new(shown ? shown : provider->kind, config, ret, err);
  if (!status) tn_connector_restrict(*ret, t->egress);
  if (!status) tn_connector_set_tokens(*ret, t->tokens);
  tn_free(shown);
  return status;
}

static tenon_status pooled_connector(tenon *t, const tn_target *target,
                                     const tenon_provider *provider, const tn_settings *settings,
                                     tn_connector **ret, tenon_error *err) {
  tn_str identity;
  tn_str_init(&identity, MAX_IDENTITY);
  if (!identify(provider, settings, &identity)) tn_str_clear(&identity);
  pthread_mutex_lock(&t->lock);
  tn_connector *connector = identity.size ? find_pooled(t, &identity) : NULL;
  tenon_status status = TENON_OK;
  if (!connector) {
    status = new_connector(t, target, provider, settings, &connector, err);
    if (!status && identity.size) keep(t, &identity, connector);
  }
  pthread_mutex_unlock(&t->lock);
  if (identity.data) tn_wipe(identity.data, identity.capacity);
  tn_str_release(&identity);
  if (!status) *ret = connector;
  return status;
}

tenon_status tn_lib_connector(tenon *t, tn_target *target, const tenon_setting *more, size_t count,
                              tn_connector **ret, tenon_error *err) {
  const tenon_provider *provider;
  tn_settings settings;
  tn_settings_init(&settings);
  tenon_status status = all_settings(t, target, more, count, &provider, &settings, err);
  if (!status) status = pooled_connector(t, target, provider, &settings, ret, err);
  tn_settings_release(&settings);
  return status;
}
