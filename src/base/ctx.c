/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A context ends once: it is cancelled, or its deadline passes and somebody notices. `ended` says
 * how, and never changes afterwards. Waiters watch an eventfd that is written when it ends; cancel
 * hooks are called then. Only contexts with hooks or a handed-out descriptor need the housekeeping
 * thread, which ends them at their deadline; everybody else looks at the clock.
 */
#include "base/ctx.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/egress.h"
#include "base/error.h"
#include "base/mem.h"

enum { NO_LIMIT_MS = 1000 * 60 * 60 };

struct tenon_hook {
  tenon_ctx *ctx;
  void (*fn)(void *);
  void *arg;
  tenon_hook *next;
  bool called, running;
};

struct tenon_ctx {
  atomic_int refs;
  atomic_int ended;              /* a tenon_status: OK, CANCELLED or TIMEOUT */
  int64_t deadline_ms;           /* INT64_MAX: none */
  atomic_int_fast64_t stall_ms;  /* when the present step stalls; INT64_MAX: no step under way */
  tenon_ctx *parent;
  tn_log_fn log;
  void *log_arg;
  tn_egress *egress;             /* NULL: none of its own */
  struct tn_tokens *tokens;      /* NULL: its parent's */

  pthread_mutex_t lock;          /* of all below */
  pthread_cond_t hook_done;
  int fd;                        /* eventfd, -1 until somebody needs it */
  tenon_hook *hooks;
  tenon_ctx *children, *sibling; /* the parent's list, under the parent's lock */
  atomic_bool watched;           /* written under the housekeeper's lock */
  tenon_ctx *watch_next;         /* the housekeeper's list, under its lock */
};

/* ---- The clock ---- */

static int64_t limit_of(const tenon_ctx *ctx) {
  int64_t stall = atomic_load(&ctx->stall_ms);
  return stall < ctx->deadline_ms ? stall : ctx->deadline_ms;
}

/* ---- Ending ---- */

static void call_hooks(tenon_ctx *ctx) {
  for (;;) {
    pthread_mutex_lock(&ctx->lock);
    tenon_hook *h = ctx->hooks;
    while (h && h->called) h = h->next;
    if (h) h->called = h->running = true;
    pthread_mutex_unlock(&ctx->lock);
    if (!h) return;
    h->fn(h->arg);
    pthread_mutex_lock(&ctx->lock);
    h->running = false;
    pthread_cond_broadcast(&ctx->hook_done);
    pthread_mutex_unlock(&ctx->lock);
  }
}

static tenon_ctx *first_live_child(tenon_ctx *ctx) {
  pthread_mutex_lock(&ctx->lock);
  tenon_ctx *c = ctx->children;
  while (c && atomic_load(&c->ended)) c = c->sibling;
  if (c) atomic_fetch_add(&c->refs, 1);
  pthread_mutex_unlock(&ctx->lock);
  return c;
}

static void end(tenon_ctx *ctx, tenon_status how) {
  int none = TENON_OK;
  if (!atomic_compare_exchange_strong(&ctx->ended, &none, (int)how)) return;
  pthread_mutex_lock(&ctx->lock);
  uint64_t one = 1;
  if (ctx->fd >= 0 && write(ctx->fd, &one, sizeof one) < 0) { /* full is as good as written */
  }
  pthread_mutex_unlock(&ctx->lock);
  call_hooks(ctx);
  for (tenon_ctx *c; (c = first_live_child(ctx)); tenon_ctx_free(c)) end(c, how);
}

void tenon_ctx_cancel(tenon_ctx *ctx) {
  if (ctx) end(ctx, TENON_CANCELLED);
}

void tn_ctx_expire(tenon_ctx *ctx) { end(ctx, TENON_TIMEOUT); }

/* ---- Housekeeping: ends watched contexts at their deadline ---- */

static struct {
  pthread_mutex_t lock;
  pthread_cond_t changed;
  tenon_ctx *watched;
  bool started;
  atomic_int_fast64_t wakes_ms;  /* by itself; INT64_MAX: it is awake and may have looked already */
} keeper = {.lock = PTHREAD_MUTEX_INITIALIZER, .wakes_ms = INT64_MAX};

/* A reference to a context that others may be giving up: not from zero. */
static bool try_ref(tenon_ctx *ctx) {
  int refs = atomic_load(&ctx->refs);
  while (refs > 0)
    if (atomic_compare_exchange_weak(&ctx->refs, &refs, refs + 1)) return true;
  return false;
}

/* A watched context that is due, held, or NULL; *ret_next is when the next one will be. */
static tenon_ctx *take_due(int64_t now, int64_t *ret_next) {
  *ret_next = now + NO_LIMIT_MS;
  for (tenon_ctx *c = keeper.watched; c; c = c->watch_next) {
    int64_t limit = limit_of(c);
    if (atomic_load(&c->ended)) continue;
    if (limit <= now && try_ref(c)) return c;
    if (limit > now && limit < *ret_next) *ret_next = limit;
  }
  return NULL;
}

static void *keep_house(void *unused) {
  (void)unused;
  pthread_mutex_lock(&keeper.lock);
  for (;;) {
    int64_t next;
    atomic_store(&keeper.wakes_ms, INT64_MAX);
    tenon_ctx *due = take_due(tn_now_ms(), &next);
    if (due) {
      pthread_mutex_unlock(&keeper.lock);
      end(due, TENON_TIMEOUT);
      tenon_ctx_free(due);
      pthread_mutex_lock(&keeper.lock);
      continue;
    }
    struct timespec until = {.tv_sec = next / 1000, .tv_nsec = next % 1000 * 1000000};
    atomic_store(&keeper.wakes_ms, next);
    pthread_cond_timedwait(&keeper.changed, &keeper.lock, &until);
  }
  return NULL;
}

/* Called with keeper.lock held. */
static bool keeper_start(void) {
  if (keeper.started) return true;
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&keeper.changed, &clock);
  pthread_condattr_destroy(&clock);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, 256 * 1024);
  pthread_t thread;
  keeper.started = pthread_create(&thread, &attr, keep_house, NULL) == 0;
  pthread_attr_destroy(&attr);
  return keeper.started;
}

static tenon_status watch(tenon_ctx *ctx, tenon_error *err) {
  pthread_mutex_lock(&keeper.lock);
  bool ok = keeper_start();
  if (ok && !ctx->watched) {
    ctx->watched = true;
    ctx->watch_next = keeper.watched;
    keeper.watched = ctx;
  }
  if (ok) pthread_cond_signal(&keeper.changed);
  pthread_mutex_unlock(&keeper.lock);
  if (ok) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "raise the limit on threads (ulimit -u)",
                    "cannot start the housekeeping thread");
}

static void unwatch(tenon_ctx *ctx) {
  pthread_mutex_lock(&keeper.lock);
  for (tenon_ctx **p = &keeper.watched; *p; p = &(*p)->watch_next)
    if (*p == ctx) {
      *p = ctx->watch_next;
      break;
    }
  pthread_mutex_unlock(&keeper.lock);
}

/* ---- Life ---- */

static void adopt(tenon_ctx *parent, tenon_ctx *child) {
  child->parent = tenon_ctx_ref(parent);
  child->log = parent->log;
  child->log_arg = parent->log_arg;
  if (parent->deadline_ms < child->deadline_ms) child->deadline_ms = parent->deadline_ms;
  pthread_mutex_lock(&parent->lock);
  child->sibling = parent->children;
  parent->children = child;
  pthread_mutex_unlock(&parent->lock);
  /* the parent may have ended before it knew of this child */
  if (atomic_load(&parent->ended)) end(child, (tenon_status)atomic_load(&parent->ended));
}

tenon_status tenon_ctx_new(tenon_ctx *parent, int64_t timeout_ms, tenon_ctx **ret_ctx, tenon_error *err) {
  tenon_ctx *ctx = tn_alloc(sizeof *ctx);
  if (!ctx) return tn_no_memory(err);
  atomic_init(&ctx->refs, 1);
  atomic_init(&ctx->stall_ms, INT64_MAX);
  ctx->deadline_ms = INT64_MAX;
  if (timeout_ms >= 0 && timeout_ms < INT64_MAX - tn_now_ms()) ctx->deadline_ms = tn_now_ms() + timeout_ms;
  ctx->fd = -1;
  pthread_mutex_init(&ctx->lock, NULL);
  pthread_cond_init(&ctx->hook_done, NULL);
  if (parent) adopt(parent, ctx);
  *ret_ctx = ctx;
  return TENON_OK;
}

tenon_ctx *tenon_ctx_ref(tenon_ctx *ctx) {
  if (ctx) atomic_fetch_add(&ctx->refs, 1);
  return ctx;
}

/* A child leaves its parent's list before its count can reach zero again: first_live_child only
 * raises counts under the parent's lock, and never from zero. */
static bool last_reference(tenon_ctx *ctx) {
  tenon_ctx *parent = ctx->parent;
  if (!parent) return atomic_fetch_sub(&ctx->refs, 1) == 1;
  pthread_mutex_lock(&parent->lock);
  bool last = atomic_fetch_sub(&ctx->refs, 1) == 1;
  if (last)
    for (tenon_ctx **p = &parent->children; *p; p = &(*p)->sibling)
      if (*p == ctx) {
        *p = ctx->sibling;
        break;
      }
  pthread_mutex_unlock(&parent->lock);
  return last;
}

void tenon_ctx_free(tenon_ctx *ctx) {
  while (ctx) {
    if (!last_reference(ctx)) return;
    if (ctx->watched) unwatch(ctx);
    if (ctx->fd >= 0) close(ctx->fd);
    pthread_cond_destroy(&ctx->hook_done);
    pthread_mutex_destroy(&ctx->lock);
    tn_egress_free(ctx->egress);
    tenon_ctx *parent = ctx->parent;
    tn_free(ctx);
    ctx = parent;
  }
}

/* ---- Looking ---- */

static const char *const timeout_remedy = "give it more time with a longer timeout, or ask for less";

static tenon_status ended_error(tenon_ctx *ctx, tenon_error *err) {
  if (atomic_load(&ctx->ended) == TENON_CANCELLED)
    return tenon_fail(err, TENON_CANCELLED, TENON_STAGE_NONE, NULL, "cancelled");
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_NONE, timeout_remedy, "the deadline passed");
}

tenon_status tn_ctx_check(tenon_ctx *ctx, tenon_error *err) {
  if (atomic_load_explicit(&ctx->ended, memory_order_acquire)) return ended_error(ctx, err);
  int64_t limit = limit_of(ctx);
  if (limit == INT64_MAX || tn_now_ms() < limit) return TENON_OK;
  if (limit == ctx->deadline_ms) {
    end(ctx, TENON_TIMEOUT);
    return ended_error(ctx, err);
  }
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_NONE, timeout_remedy,
                    "the system sent nothing for too long (stall limit)");
}

int64_t tn_ctx_remaining_ms(tenon_ctx *ctx) {
  int64_t limit = limit_of(ctx);
  if (atomic_load(&ctx->ended)) return 0;
  if (limit == INT64_MAX) return INT64_MAX;
  int64_t left = limit - tn_now_ms();
  return left > 0 ? left : 0;
}

bool tn_ctx_has_deadline(const tenon_ctx *ctx) { return ctx->deadline_ms != INT64_MAX; }

/* The housekeeper is woken only where it would sleep beyond the limit: a long read begins thousands of steps. */
void tn_ctx_stall_begin(tenon_ctx *ctx, int64_t limit_ms) {
  int64_t limit = tn_now_ms() + limit_ms;
  atomic_store(&ctx->stall_ms, limit);
  if (!ctx->watched || atomic_load(&keeper.wakes_ms) <= limit) return;
  pthread_mutex_lock(&keeper.lock);
  pthread_cond_signal(&keeper.changed);
  pthread_mutex_unlock(&keeper.lock);
}

void tn_ctx_stall_end(tenon_ctx *ctx) { atomic_store(&ctx->stall_ms, INT64_MAX); }

/* ---- Waiting ---- */

/* The descriptor that becomes readable at the end; -1: there are no descriptors left. */
static int event_fd(tenon_ctx *ctx) {
  pthread_mutex_lock(&ctx->lock);
  if (ctx->fd < 0) ctx->fd = eventfd(atomic_load(&ctx->ended) ? 1 : 0, EFD_CLOEXEC | EFD_NONBLOCK);
  int fd = ctx->fd;
  pthread_mutex_unlock(&ctx->lock);
  return fd;
}

int tn_ctx_fd(tenon_ctx *ctx) {
  if (limit_of(ctx) != INT64_MAX && watch(ctx, NULL) != TENON_OK) return -1;
  return event_fd(ctx);
}

static int wait_slice(tenon_ctx *ctx, int64_t until) {
  int64_t left = tn_ctx_remaining_ms(ctx), now = tn_now_ms();
  if (until != INT64_MAX && until - now < left) left = until > now ? until - now : 0;
  return left > NO_LIMIT_MS ? NO_LIMIT_MS : (int)left;
}

enum { MAX_WAIT_FDS = 32 };

tenon_status tn_ctx_wait(tenon_ctx *ctx, struct pollfd *fds, size_t n, int timeout_ms, tenon_error *err) {
  struct pollfd all[MAX_WAIT_FDS + 1];
  if (n > MAX_WAIT_FDS)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, NULL, "waiting on %zu descriptors at once", n);
  int64_t until = timeout_ms < 0 ? INT64_MAX : tn_now_ms() + timeout_ms;
  int own = event_fd(ctx);
  if (own < 0) return tn_fail_errno(err, errno, TENON_STAGE_NONE, "raise the limit on open files (ulimit -n)", "eventfd");
  for (size_t i = 0; i < n; i++) all[i] = (struct pollfd){.fd = fds[i].fd, .events = fds[i].events};
  for (;;) {
    tenon_status status = tn_ctx_check(ctx, err);
    if (status) return status;
    all[n] = (struct pollfd){.fd = own, .events = POLLIN};
    int ready = poll(all, (nfds_t)(n + 1), wait_slice(ctx, until));
    if (ready < 0 && errno != EINTR) return tn_fail_errno(err, errno, TENON_STAGE_NONE, NULL, "poll");
    if ((status = tn_ctx_check(ctx, err))) return status;
    bool over = until != INT64_MAX && tn_now_ms() >= until;
    if (ready <= 0 && !over) continue;
    for (size_t i = 0; i < n; i++) fds[i].revents = ready > 0 ? all[i].revents : 0;
    return TENON_OK;
  }
}

/* ---- Cancel hooks ---- */

tenon_status tn_ctx_on_cancel(tenon_ctx *ctx, void (*fn)(void *), void *arg, tenon_hook **ret, tenon_error *err) {
  tenon_status status = watch(ctx, err);
  if (status) return status;
  tenon_hook *h = tn_alloc(sizeof *h);
  if (!h) return tn_no_memory(err);
  h->ctx = tenon_ctx_ref(ctx);
  h->fn = fn;
  h->arg = arg;
  pthread_mutex_lock(&ctx->lock);
  h->next = ctx->hooks;
  ctx->hooks = h;
  pthread_mutex_unlock(&ctx->lock);
  /* it may have ended already; call_hooks sees to it that each is called once */
  if (atomic_load(&ctx->ended)) call_hooks(ctx);
  *ret = h;
  return TENON_OK;
}

void tn_ctx_off_cancel(tenon_hook *h) {
  if (!h) return;
  tenon_ctx *ctx = h->ctx;
  pthread_mutex_lock(&ctx->lock);
  h->called = true;
  while (h->running) pthread_cond_wait(&ctx->hook_done, &ctx->lock);
  for (tenon_hook **p = &ctx->hooks; *p; p = &(*p)->next)
    if (*p == h) {
      *p = h->next;
      break;
    }
  pthread_mutex_unlock(&ctx->lock);
  tn_free(h);
  tenon_ctx_free(ctx);
}

/* ---- The egress policy ---- */

void tn_ctx_restrict(tenon_ctx *ctx, tn_egress *egress) {
  tn_egress_free(ctx->egress);
  ctx->egress = tn_egress_ref(egress);
}

tn_egress *tn_ctx_egress(const tenon_ctx *ctx, size_t i) {
  for (; ctx; ctx = ctx->parent)
    if (ctx->egress && i-- == 0) return ctx->egress;
  return NULL;
}

/* A context has one policy of its own: so they make a chain. */
tenon_status tn_ctx_apart(const tenon_ctx *ctx, int64_t timeout_ms, tenon_ctx **ret, tenon_error *err) {
  tenon_ctx *apart = NULL;
  tenon_status status = tenon_ctx_new(NULL, timeout_ms, &apart, err);
  tn_egress *egress;
  for (size_t i = 0; !status && (egress = tn_ctx_egress(ctx, i)); i++) {
    tenon_ctx *below = NULL;
    status = tenon_ctx_new(apart, -1, &below, err);
    tenon_ctx_free(apart);   /* its child holds it */
    apart = below;
    if (!status) tn_ctx_restrict(apart, egress);
  }
  if (!status) *ret = apart;
  return status;
}

/* ---- The keeper of tokens ---- */

void tn_ctx_set_tokens(tenon_ctx *ctx, struct tn_tokens *tokens) { ctx->tokens = tokens; }

struct tn_tokens *tn_ctx_tokens(const tenon_ctx *ctx) {
  while (ctx && !ctx->tokens) ctx = ctx->parent;
  return ctx ? ctx->tokens : NULL;
}

/* ---- Logging ---- */

void tn_ctx_set_logger(tenon_ctx *ctx, tn_log_fn log, void *arg) {
  ctx->log = log;
  ctx->log_arg = arg;
}

void tn_ctx_log(tenon_ctx *ctx, tenon_level level, const char *format, ...) {
  if (!ctx || !ctx->log) return;
  char line[1024];
  va_list args;
  va_start(args, format);
  vsnprintf(line, sizeof line, format, args);
  va_end(args);
  ctx->log(ctx->log_arg, level, line);
}
