/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Turns: no request of the process to a service is sent before its time, whichever session sends it. What has been
 * sent is remembered behind the last session until it holds nobody back any more, so that a program that opens a
 * session for each call is no exception.
 */
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "rest_api.h"

enum { MOST_UNUSED = 1000 };

struct tn_rest_limit {
  tn_rest_limit *next;
  uint64_t key;
  int64_t next_us; /* no request is sent before */
  int users;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static tn_rest_limit *limits;

/* ---- Who has it ---- */

static void add_text(uint64_t *key, const char *text) {
  const uint64_t prime = UINT64_C(1099511628211);
  for (text = text ? text : ""; *text; text++) *key = (*key ^ (unsigned char)*text) * prime;
  *key *= prime; /* the end, so that "ab", "c" is not "a", "bc" */
}

/* Services limit who asks: another user, key or client has turns of its own. */
static uint64_t key_of(const tn_rest *s) {
  const tn_rest_config *c = s->config;
  const char *const texts[] = {s->base.url, c->auth,          c->username,   c->token,
                               c->api_key,  c->oauth.client_id, c->oauth.grant};
  uint64_t key = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) add_text(&key, texts[i]);
  for (size_t i = 0; i < c->headers.count; i++) add_text(&key, c->headers.items[i]);
  return key;
}

/* Called with the lock held: what holds nobody back is of no use, and of much else there is an end. */
static void sweep(void) {
  int64_t now = tn_now_us();
  int kept = 0;
  for (tn_rest_limit **at = &limits; *at;) {
    tn_rest_limit *l = *at;
    if (l->users || (l->next_us > now && kept++ < MOST_UNUSED)) {
      at = &l->next;
    } else {
      *at = l->next;
      tn_free(l);
    }
  }
}

tenon_status tn_rest_limit_join(const tn_rest *s, tn_rest_limit **ret, tenon_error *err) {
  const uint64_t key = key_of(s);
  pthread_mutex_lock(&lock);
  sweep();
  tn_rest_limit *l = limits;
  while (l && l->key != key) l = l->next;
  if (!l && (l = tn_alloc(sizeof *l))) {
    *l = (tn_rest_limit){.next = limits, .key = key};
    limits = l;
  }
  if (l) l->users++;
  pthread_mutex_unlock(&lock);
  if (!l) return tn_no_memory(err);
  *ret = l;
  return TENON_OK;
}

void tn_rest_limit_leave(tn_rest_limit *l) {
  if (!l) return;
  pthread_mutex_lock(&lock);
  l->users--;
  sweep();
  pthread_mutex_unlock(&lock);
}

/* ---- Turns ---- */

/* Whoever cannot wait for as long takes no turn: it would hold back all who come later. */
static tenon_status too_late(int64_t ms, tenon_error *err) {
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "give more time, or ask less often",
             "the next request may be sent in %lld ms, which is later than the deadline",
             (long long)ms);
  if (err) err->retry_after_ms = (int32_t)(ms > INT32_MAX ? INT32_MAX : ms);
  return TENON_LIMITED;
}

/* Called with the lock held; the turn of one that waited in vain is the next one's, if none has been given since. */
static void give_back(tn_rest_limit *l, int64_t at, int64_t gap_us) {
  if (l->next_us == at + gap_us) l->next_us = at;
}

tenon_status tn_rest_limit_wait(tenon_ctx *ctx, tn_rest_limit *l, int64_t gap_us, tenon_error *err) {
  const int64_t now = tn_now_us(), left = tn_rest_host->remaining_ms(ctx);
  pthread_mutex_lock(&lock);
  const int64_t at = l->next_us > now ? l->next_us : now, ms = (at - now + 999) / 1000;
  const bool in_time = ms <= 0 || ms < left;
  if (in_time) l->next_us = at + gap_us;
  pthread_mutex_unlock(&lock);
  if (!in_time) return too_late(ms, err);
  tenon_status status =
      ms > 0 ? tn_rest_host->wait(ctx, NULL, 0, (int)(ms > INT32_MAX ? INT32_MAX : ms), err)
             : tn_rest_host->check(ctx, err);
  if (!status) return TENON_OK;
  pthread_mutex_lock(&lock);
  give_back(l, at, gap_us);
  pthread_mutex_unlock(&lock);
  return status;
}

void tn_rest_limit_hold(tn_rest_limit *l, int64_t ms) {
  int64_t at = tn_now_us() + ms * 1000;
  pthread_mutex_lock(&lock);
  if (l->next_us < at) l->next_us = at;
  pthread_mutex_unlock(&lock);
}
