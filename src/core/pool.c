/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets which session, and when. Up to pool_size sessions idle, up to max_overflow more are in
 * use; behind that, callers stand in line. Whatever comes free goes to the first of the line: a
 * session, or the right to open one. Nobody overtakes: while there is a line, all join it.
 *
 * Nothing is opened, checked, reset or closed under the lock.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "core/faults.h"
#include "core/session_parts.h"

enum { CHECK_AFTER_MS = 1000 };

/* Good to a few milliseconds, at a tenth of the price: it runs at each acquire and release. */
static int64_t rough_now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool is_pooled(const tn_connector *c) { return c->provider->traits & TENON_POOLED; }

/* ---- The line ---- */

static void join_line(tn_connector *c, tn_waiter *w) {
  *c->last_waiter = w;
  c->last_waiter = &w->next;
}

static void leave_line(tn_connector *c, const tn_waiter *w) {
  for (tn_waiter **at = &c->first_waiter; *at; at = &(*at)->next) {
    if (*at != w) continue;
    *at = w->next;
    if (!*at) c->last_waiter = at;
    return;
  }
}

/* Serves the first of the line; false: nobody waits. */
static bool serve(tn_connector *c, tn_session *s) {
  tn_waiter *w = c->first_waiter;
  if (!w) return false;
  leave_line(c, w);
  w->session = s;
  w->is_served = true;
  uint64_t one = 1;
  if (write(w->fd, &one, sizeof one) < 0) { /* an eventfd that holds nothing has room */
  }
  return true;
}

/* The right to open a session that nobody uses goes to the line, or back to the pool. */
static void give_right(tn_connector *c) {
  pthread_mutex_lock(&c->lock);
  if (!serve(c, NULL)) c->total--;
  tn_connector_unlock(c);
}

static void discard(tn_session *s) {
  tn_connector *c = s->connector;
  tn_session_close(s);
  give_right(c);
}

/* ---- Getting ---- */

/* With the right to do so. */
static tenon_status open_new(tenon_ctx *ctx, tn_connector *c, tn_session **ret, tenon_error *err) {
  pthread_mutex_lock(&c->lock);
  tn_generation *g = c->current;
  atomic_fetch_add(&g->refs, 1);
  pthread_mutex_unlock(&c->lock);
  tn_session *s = NULL;
  tenon_status status = tn_session_open(ctx, c, g, &s, err);
  if (status) {
    give_right(c);
    return status;
  }
  s->opened_ms = rough_now_ms();
  *ret = s;
  return TENON_OK;
}

static bool is_alive(tenon_ctx *ctx, tn_session *s) {
  tenon_ctx *own;
  if (tenon_ctx_new(ctx, TN_RESET_MS, &own, NULL)) return false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_fault_check("check", &why);
  if (!status) status = s->connector->provider->check(own, s->native, &why);
  tenon_ctx_free(own);
  return status == TENON_OK;
}

/* An idle session, if it is still good; else another in its place. */
static tenon_status take(tenon_ctx *ctx, tn_session *s, tn_session **ret, tenon_error *err) {
  tn_connector *c = s->connector;
  int64_t now = rough_now_ms();
  int64_t recycle_ms = s->generation->recycle_ms;
  bool is_old = recycle_ms > 0 && now - s->opened_ms >= recycle_ms;
  if (is_old || (now - s->idle_since_ms > CHECK_AFTER_MS && !is_alive(ctx, s))) {
    tn_session_close(s);
    return open_new(ctx, c, ret, err);
  }
  atomic_store_explicit(&s->uses, 1, memory_order_relaxed);
  *ret = s;
  return TENON_OK;
}

static tenon_status nobody_came(tn_connector *c, tenon_status status, tenon_error *why, tenon_error *err) {
  if (status != TENON_TIMEOUT) return tn_pass_error(why, err);
  pthread_mutex_lock(&c->lock);
  long long most = (long long)c->total_max;
  pthread_mutex_unlock(&c->lock);
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_NONE, "release sessions sooner, or raise max_overflow",
                    "%s: all %lld sessions are in use", c->name, most);
}

static tenon_status wait_until_served(tenon_ctx *ctx, tn_connector *c, const tn_waiter *w, tenon_error *err) {
  struct pollfd served = {.fd = w->fd, .events = POLLIN};
  tenon_status status = TENON_OK;
  while (!status && !served.revents) status = tn_ctx_wait(ctx, &served, 1, -1, err);
  if (status) return status;
  /* what it was given was written under the lock */
  pthread_mutex_lock(&c->lock);
  pthread_mutex_unlock(&c->lock);
  return TENON_OK;
}

/* Whoever gives up after it was served hands on what it got. */
static void give_up(tn_connector *c, tn_waiter *w) {
  pthread_mutex_lock(&c->lock);
  bool was_served = w->is_served;
  if (!was_served) leave_line(c, w);
  pthread_mutex_unlock(&c->lock);
  if (was_served && w->session) tn_pool_give(w->session);
  else if (was_served) give_right(c);
}

static tenon_status serve_in_turn(tenon_ctx *ctx, tn_connector *c, tn_waiter *w, tn_session **ret, tenon_error *err) {
  tenon_ctx *own = NULL;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tenon_ctx_new(ctx, ctx && tn_ctx_has_deadline(ctx) ? -1 : TN_OPEN_MS, &own, &why);
  if (!status) status = wait_until_served(own, c, w, &why);
  if (status) {
    give_up(c, w);
    tenon_ctx_free(own);
    return nobody_came(c, status, &why, err);
  }
  status = w->session ? take(own, w->session, ret, err) : open_new(own, c, ret, err);
  tenon_ctx_free(own);
  return status;
}

/* Called with the lock held, which it gives back. */
static tenon_status stand_in_line(tenon_ctx *ctx, tn_connector *c, tn_session **ret, tenon_error *err) {
  tn_waiter w = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  int errnum = errno;
  if (w.fd >= 0) join_line(c, &w);
  pthread_mutex_unlock(&c->lock);
  if (w.fd < 0) return tn_fail_errno(err, errnum, TENON_STAGE_NONE, "raise the limit on open files (ulimit -n)", "eventfd");
  tenon_status status = serve_in_turn(ctx, c, &w, ret, err);
  close(w.fd);
  return status;
}

tenon_status tn_pool_acquire(tenon_ctx *ctx, tn_connector *c, tn_session **ret, tenon_error *err) {
  pthread_mutex_lock(&c->lock);
  if (c->first_waiter) return stand_in_line(ctx, c, ret, err);
  tn_session *s = c->idle;
  if (s) {
    c->idle = s->next;
    c->idle_count--;
    pthread_mutex_unlock(&c->lock);
    return take(ctx, s, ret, err);
  }
  if (c->total >= c->total_max) return stand_in_line(ctx, c, ret, err);
  c->total++;
  pthread_mutex_unlock(&c->lock);
  return open_new(ctx, c, ret, err);
}

/* ---- Giving ---- */

/* As new, or not to be used again. */
static bool is_clean(tn_session *s) {
  if (!is_pooled(s->connector) || atomic_load_explicit(&s->broken, memory_order_relaxed) || !s->native) return false;
  if (!atomic_load_explicit(&s->used, memory_order_relaxed)) return true;
  tenon_ctx *own;
  if (tenon_ctx_new(NULL, TN_RESET_MS, &own, NULL)) return false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_fault_check("reset", &why);
  if (!status) status = s->connector->provider->reset(own, s->native, &why);
  tenon_ctx_free(own);
  atomic_store(&s->used, false);
  return status == TENON_OK;
}

void tn_pool_give(tn_session *s) {
  tn_connector *c = s->connector;
  if (!is_clean(s)) {
    discard(s);
    return;
  }
  s->idle_since_ms = rough_now_ms();
  pthread_mutex_lock(&c->lock);
  bool is_current = !c->is_closed && s->generation == c->current;
  bool kept = is_current && serve(c, s);
  if (is_current && !kept && c->idle_count < c->idle_max) {
    s->next = c->idle;
    c->idle = s;
    c->idle_count++;
    kept = true;
  }
  pthread_mutex_unlock(&c->lock);
  if (!kept) discard(s);
}

/* ---- Emptying ---- */

tn_session *tn_pool_take_idle(tn_connector *c) {
  tn_session *list = c->idle;
  c->idle = NULL;
  c->idle_count = 0;
  return list;
}

void tn_pool_close_list(tn_session *list) {
  for (tn_session *next; list; list = next) {
    next = list->next;
    discard(list);
  }
}
