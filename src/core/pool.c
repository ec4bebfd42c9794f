/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who gets which session, and when. Up to pool_size sessions are idle, up to max_overflow more are in
 * use; behind that, callers stand in line. Whatever comes free goes to the first of the line: a
 * session, or the right to open one. Nobody overtakes: while there is a line, all join it.
 *
 * Idle sessions are parked in places that threads reach without the lock, each thread its own first.
 * Who parks a session looks at the state again before letting go of it, and who joins the line,
 * replaces or closes changes the state before looking through the places; so one of the two always
 * sees the other. Nothing is opened, checked, reset or closed under the lock.
 */
#include <errno.h>
#include <poll.h>
#include <sched.h>
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

static void discard(tn_session *s);

/* ---- Places ---- */

/* Where a thread begins to look. Threads are numbered, and multiples of the golden ratio fall evenly
 * into whatever number of places there is: those that are there together begin at different ones. */
static unsigned first_place(unsigned count) {
  static atomic_uint threads;
  static _Thread_local uint32_t own;
  if (own == 0)
    own = (atomic_fetch_add_explicit(&threads, 1, memory_order_relaxed) + 1) * 2654435769u;
  return (unsigned)((uint64_t)own * count >> 32);
}

static unsigned next_place(unsigned at, unsigned count) { return at + 1 == count ? 0 : at + 1; }

static tn_session *as_session(uintptr_t v) { return (tn_session *)v; }

/* A parked session, or NULL. */
static tn_session *take_parked(tn_connector *c) {
  unsigned count = atomic_load_explicit(&c->place_count, memory_order_relaxed);
  for (unsigned i = 0, at = first_place(count); i < count; i++, at = next_place(at, count)) {
    atomic_uintptr_t *place = &c->places[at].session;
    uintptr_t v = atomic_load(place);
    if (v && !(v & TN_PARKING) && atomic_compare_exchange_strong(place, &v, 0))
      return as_session(v);
  }
  return NULL;
}

/* Parks it, unless there is no place or the state says otherwise. Nothing of the connector is touched
 * once it is let go: whoever takes the session then may free both. */
static bool park(tn_session *s) {
  tn_connector *c = s->connector;
  unsigned count = atomic_load_explicit(&c->place_count, memory_order_relaxed);
  for (unsigned i = 0, at = first_place(count); i < count; i++, at = next_place(at, count)) {
    atomic_uintptr_t *place = &c->places[at].session;
    uintptr_t none = 0;
    if (atomic_load_explicit(place, memory_order_relaxed) ||
        !atomic_compare_exchange_strong(place, &none, (uintptr_t)s | TN_PARKING))
      continue;
    bool may_stay = atomic_load(&c->state) == s->generation->state;
    atomic_store_explicit(place, may_stay ? (uintptr_t)s : 0, memory_order_release);
    return may_stay;
  }
  return false;
}

/* Empties a place for good. One who is parking there has but a few instructions to go. */
static tn_session *clear_place(tn_place *p) {
  for (;;) {
    uintptr_t v = atomic_load(&p->session);
    if (!v) return NULL;
    if (v & TN_PARKING) sched_yield();
    else if (atomic_compare_exchange_strong(&p->session, &v, 0)) return as_session(v);
  }
}

tn_session *tn_pool_take_idle(tn_connector *c) {
  tn_session *list = NULL;
  for (unsigned i = 0; c->places && i < TN_MOST_IDLE; i++) {
    tn_session *s = clear_place(&c->places[i]);
    if (!s) continue;
    s->next = list;
    list = s;
  }
  return list;
}

void tn_pool_close_list(tn_session *list) {
  for (tn_session *next; list; list = next) {
    next = list->next;
    discard(list);
  }
}

/* ---- The line ---- */

static void join_line(tn_connector *c, tn_waiter *w) {
  *c->last_waiter = w;
  c->last_waiter = &w->next;
  atomic_fetch_add(&c->state, 1);
}

static void leave_line(tn_connector *c, const tn_waiter *w) {
  for (tn_waiter **at = &c->first_waiter; *at; at = &(*at)->next) {
    if (*at != w) continue;
    *at = w->next;
    if (!*at) c->last_waiter = at;
    atomic_fetch_sub(&c->state, 1);
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
  s->opened_ms = s->idle_since_ms = rough_now_ms();
  *ret = s;
  return TENON_OK;
}

static bool is_alive(tenon_ctx *ctx, tn_session *s) {
  tenon_ctx *own;
  if (tn_connector_ctx(ctx, TN_RESET_MS, s->connector, &own, NULL)) return false;
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
  bool is_stale = now - s->idle_since_ms > CHECK_AFTER_MS;
  if (is_old || (is_stale && !is_alive(ctx, s))) {
    tn_session_close(s);
    return open_new(ctx, c, ret, err);
  }
  if (is_stale) s->idle_since_ms = now;
  atomic_store_explicit(&s->uses, 1, memory_order_relaxed);
  *ret = s;
  return TENON_OK;
}

static tenon_status nobody_came(tn_connector *c, tenon_status status, tenon_error *why,
                                tenon_error *err) {
  if (status != TENON_TIMEOUT) return tn_pass_error(why, err);
  pthread_mutex_lock(&c->lock);
  long long most = (long long)c->total_max;
  pthread_mutex_unlock(&c->lock);
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_NONE,
                    "release sessions sooner, or raise max_overflow",
                    "%s: all %lld sessions are in use", c->name, most);
}

static tenon_status wait_until_served(tenon_ctx *ctx, tn_connector *c, const tn_waiter *w,
                                      tenon_error *err) {
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

static tenon_status serve_in_turn(tenon_ctx *ctx, tn_connector *c, tn_waiter *w, tn_session **ret,
                                  tenon_error *err) {
  tenon_ctx *own = NULL;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tenon_ctx_new(ctx, ctx && tn_ctx_has_deadline(ctx) ? -1 : TN_OPEN_MS, &own,
                                      &why);
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

/* What was parked while this one was on its way to the line belongs to the line's first. */
static void serve_parked(tn_connector *c) {
  for (unsigned i = 0; c->places && c->first_waiter && i < TN_MOST_IDLE; i++) {
    tn_session *s = clear_place(&c->places[i]);
    if (s) serve(c, s);
  }
}

/* Called with the lock held, which it gives back. */
static tenon_status stand_in_line(tenon_ctx *ctx, tn_connector *c, tn_session **ret,
                                  tenon_error *err) {
  tn_waiter w = {.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)};
  int errnum = errno;
  if (w.fd >= 0) join_line(c, &w);
  if (w.fd >= 0) serve_parked(c);
  pthread_mutex_unlock(&c->lock);
  if (w.fd < 0)
    return tn_fail_errno(err, errnum, TENON_STAGE_NONE, "raise the limit on open files (ulimit -n)",
                         "eventfd");
  tenon_status status = serve_in_turn(ctx, c, &w, ret, err);
  close(w.fd);
  return status;
}

tenon_status tn_pool_acquire(tenon_ctx *ctx, tn_connector *c, tn_session **ret, tenon_error *err) {
  tn_session *s = NULL;
  if (!(atomic_load(&c->state) & TN_STATE_WAITING) && (s = take_parked(c)))
    return take(ctx, s, ret, err);
  pthread_mutex_lock(&c->lock);
  if (!c->first_waiter) s = take_parked(c);
  if (!s && (c->first_waiter || c->total >= c->total_max)) return stand_in_line(ctx, c, ret, err);
  if (!s) c->total++;
  pthread_mutex_unlock(&c->lock);
  return s ? take(ctx, s, ret, err) : open_new(ctx, c, ret, err);
}

/* ---- Giving ---- */

/* As new, or not to be used again. */
static bool is_clean(tn_session *s) {
  if (atomic_load_explicit(&s->broken, memory_order_relaxed) || !s->native) return false;
  if (!atomic_load_explicit(&s->used, memory_order_relaxed)) return true;
  tenon_ctx *own;
  if (tn_connector_ctx(NULL, TN_RESET_MS, s->connector, &own, NULL)) return false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_fault_check("reset", &why);
  if (!status) status = s->connector->provider->reset(own, s->native, &why);
  tenon_ctx_free(own);
  atomic_store(&s->used, false);
  s->idle_since_ms = rough_now_ms();   /* one that was not used has idled all along */
  return status == TENON_OK;
}

/* With the lock there is no line that anybody could join meanwhile. */
static bool give_slowly(tn_session *s) {
  tn_connector *c = s->connector;
  pthread_mutex_lock(&c->lock);
  bool is_current = s->generation == c->current && !(atomic_load(&c->state) & TN_STATE_CLOSED);
  bool kept = is_current && (serve(c, s) || park(s));
  pthread_mutex_unlock(&c->lock);
  return kept;
}

void tn_pool_give(tn_session *s) {
  if (!s->connector->places || !is_clean(s)) {
    discard(s);
    return;
  }
  if (!park(s) && !give_slowly(s)) discard(s);
}
