/* SPDX-License-Identifier: Apache-2.0 */
#include "keys.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

enum { RENEW_BEFORE_S = 300, TRY_AGAIN_S = 30, LOOK_EVERY_MS = 20 };

static void wipe_text(char **text) {
  if (*text) tn_wipe(*text, strlen(*text));
  tn_free(*text);
  *text = NULL;
}

void tn_s3_keys_release(tn_s3_keys *k) {
  wipe_text(&k->access_key_id);
  wipe_text(&k->secret_access_key);
  wipe_text(&k->session_token);
  wipe_text(&k->region);
}

/* ---- Identities ---- */

void tn_s3_identity_drop(tn_s3_identity *i) {
  if (!i || atomic_fetch_sub(&i->refs, 1) > 1) return;
  tn_sigv4_release(&i->signer);
  tn_s3_keys_release(&i->keys);
  tn_free(i);
}

/* The keys are moved, also on failure. */
static tenon_status make_identity(tn_s3 *s, tn_s3_keys *keys, tn_s3_identity **ret, tenon_error *err) {
  tn_s3_identity *i = tn_alloc(sizeof *i);
  const tn_sigv4_credentials given = {.access_key_id = keys->access_key_id, .secret_access_key = keys->secret_access_key,
                                      .session_token = keys->session_token};
  tenon_status status = i ? tn_sigv4_init(&i->signer, &given, s->region, "s3", TN_SIGV4_S3, err) : tn_no_memory(err);
  if (status) {
    tn_s3_keys_release(keys);
    tn_free(i);
    return status;
  }
  atomic_init(&i->refs, 1);
  i->keys = *keys;
  *ret = i;
  return TENON_OK;
}

/* ---- Keys that are there when a session is opened ---- */

static bool copy_text(const char *from, char **ret) {
  *ret = from && *from ? tn_strdup(from) : NULL;
  return !from || !*from || *ret;
}

static tenon_status given_keys(const tn_s3_config *c, tn_s3_keys *ret, tenon_error *err) {
  bool id = c->access_key_id && *c->access_key_id, secret = c->secret_access_key && *c->secret_access_key;
  if (id != secret)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give both, or none for what is public",
                      "%s is given without %s", id ? "access_key_id" : "secret_access_key",
                      id ? "secret_access_key" : "access_key_id");
  if (!id && strcmp(c->credentials, "environment") == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or credentials=given",
                      "the environment has no keys");
  if (id && (!copy_text(c->access_key_id, &ret->access_key_id) || !copy_text(c->secret_access_key, &ret->secret_access_key) ||
             !copy_text(c->session_token, &ret->session_token)))
    return tn_no_memory(err);
  return TENON_OK;
}

/* The parameter is above the profile's region. */
static tenon_status take_region(tn_s3 *s, const tn_s3_keys *keys, tenon_error *err) {
  const tn_s3_config *c = s->config;
  if (!keys->region || (c->region && *c->region)) return TENON_OK;
  if (strlen(keys->region) >= sizeof s->profile_region)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set region", "the profile's region cannot be one");
  snprintf(s->profile_region, sizeof s->profile_region, "%s", keys->region);
  return TENON_OK;
}

tenon_status tn_s3_identify(tn_s3 *s, tenon_error *err) {
  const tn_s3_config *c = s->config;
  tn_s3_keys keys = {.expires_s = INT64_MAX};
  s->is_renewable = strcmp(c->credentials, "instance") == 0;
  if (s->is_renewable) return TENON_OK;
  tenon_status status = strcmp(c->credentials, "profile") == 0 ? tn_s3_keys_of_profile(c, &keys, err) : given_keys(c, &keys, err);
  if (!status) status = take_region(s, &keys, err);
  tn_s3_set_region(s);
  if (!status && keys.access_key_id) return make_identity(s, &keys, &s->identity, err);
  tn_s3_keys_release(&keys);
  return status;
}

/* ---- Keys that expire ---- */

static bool is_good(const tn_s3 *s, int64_t now) { return s->identity && now < s->identity->keys.expires_s; }

static bool should_renew(const tn_s3 *s, int64_t now) {
  bool is_near = !s->identity || now >= s->identity->keys.expires_s - RENEW_BEFORE_S;
  return is_near && !s->is_renewing && (!is_good(s, now) || now >= s->next_renewal_s);
}

/* Called with the lock held, which it gives up meanwhile. Keys that are still good are used on if it fails. */
static tenon_status renew(tenon_ctx *ctx, tn_s3 *s, tenon_error *err) {
  tn_s3_keys keys = {0};
  tn_s3_identity *made = NULL;
  tenon_error why = TENON_ERROR_INIT;
  s->is_renewing = true;
  s->next_renewal_s = time(NULL) + TRY_AGAIN_S;
  pthread_mutex_unlock(&s->lock);
  tenon_status status = tn_s3_keys_of_instance(ctx, s->config, &keys, &why);
  if (!status) status = make_identity(s, &keys, &made, &why);
  pthread_mutex_lock(&s->lock);
  s->is_renewing = false;
  if (status && !is_good(s, time(NULL))) return tn_pass_error(&why, err);
  if (status) tn_s3_host->log(ctx, TENON_LOG_WARN, "%s: the keys could not be renewed: %s", s->config->bucket, why.message);
  if (status) return TENON_OK;
  tn_s3_identity_drop(s->identity);
  s->identity = made;
  return TENON_OK;
}

/* One thread renews; the others go on with keys that are still good, or wait for it. */
static tenon_status ensure_good(tenon_ctx *ctx, tn_s3 *s, tenon_error *err) {
  tenon_status status = TENON_OK;
  while (!status) {
    if (should_renew(s, time(NULL))) return renew(ctx, s, err);
    if (is_good(s, time(NULL))) return TENON_OK;
    pthread_mutex_unlock(&s->lock);
    status = tn_s3_host->wait(ctx, NULL, 0, LOOK_EVERY_MS, err);
    pthread_mutex_lock(&s->lock);
  }
  return status;
}

tenon_status tn_s3_identity_take(tenon_ctx *ctx, tn_s3 *s, tn_s3_identity **ret, tenon_error *err) {
  if (s->is_renewable) pthread_mutex_lock(&s->lock);
  tenon_status status = s->is_renewable ? ensure_good(ctx, s, err) : TENON_OK;
  if (!status && s->identity) atomic_fetch_add(&s->identity->refs, 1);
  if (!status) *ret = s->identity;
  if (s->is_renewable) pthread_mutex_unlock(&s->lock);
  return status;
}
