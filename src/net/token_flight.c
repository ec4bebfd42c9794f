/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A flight gets one token. It runs on a thread of its own and under a context of its own, so that nobody who waits for
 * it can spoil it for the others by going away; when all have gone it is called back, unless a refresh token is on its
 * way: then the service may have changed the grant already, and its answer has to be kept.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "net/token_parts.h"

enum {
  STACK = 512 << 10, FLIGHT_MS = 90000, REQUEST_MS = 30000, SAVE_MS = 30000, SAVES = 4, SAVE_NAP_MS = 100,
  REMEMBER_MS = 30000, LAST_WORD_MS = 250
};

static atomic_int_fast64_t advanced_ms;

void tn_token_clock_advance(int64_t ms) { atomic_fetch_add(&advanced_ms, ms); }

static int64_t now_of(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000 + atomic_load_explicit(&advanced_ms, memory_order_relaxed);
}

int64_t tn_token_clock_ms(void) { return now_of(CLOCK_BOOTTIME); }

static int64_t wall_clock_ms(void) { return now_of(CLOCK_REALTIME); }

void tn_token_drop(char *secret) {
  if (secret) tn_wipe(secret, strlen(secret));
  tn_free(secret);
}

/* ---- What came of it, before anybody else sees it ---- */

static tenon_status take(tn_token_flight *f, const char *token, int64_t left_ms, int64_t lifetime_ms) {
  f->token = tn_strdup(token);
  if (!f->token) return tn_no_memory(&f->error);
  f->until_ms = tn_token_clock_ms() + left_ms;
  f->lifetime_ms = lifetime_ms;
  return TENON_OK;
}

/* From here on it is not called back. False: everybody has gone already. */
static bool commit(tn_token_flight *f) {
  pthread_mutex_lock(&f->tokens->lock);
  f->at_stake = f->waiters > 0;
  pthread_mutex_unlock(&f->tokens->lock);
  return f->at_stake;
}

static tenon_status fetch(tn_token_flight *f, const char *refresh_token, tn_token_answer *ret) {
  tenon_ctx *ctx;
  tenon_status status = tenon_ctx_new(f->ctx, REQUEST_MS, &ctx, &f->error);
  if (status) {
    *ret = (tn_token_answer){.effect = TN_TOKEN_NONE};
    tn_token_reply_init(&ret->reply);
    return status;
  }
  status = tn_token_fetch(ctx, &f->place->source, refresh_token, ret, &f->error);
  f->is_fresh = !status;
  f->is_client_refused = (status == TENON_UNAUTHENTICATED || status == TENON_FORBIDDEN) &&
                         ret->effect != TN_TOKEN_REFUSED &&
                         (f->error.stage == TENON_STAGE_AUTH || f->error.stage == TENON_STAGE_PERMISSION);
  tenon_ctx_free(ctx);
  return status;
}

static tenon_status fly_for_client(tn_token_flight *f) {
  tn_token_answer answer;
  tenon_status status = fetch(f, NULL, &answer);
  if (!status) status = take(f, answer.reply.access_token, answer.reply.lifetime_ms, answer.reply.lifetime_ms);
  tn_token_reply_release(&answer.reply);
  return status;
}

/* ---- Grants ---- */

static tenon_status load_text(tn_token_flight *f, char *room, tn_grant *ret) {
  const tenon_token_store *store = &f->tokens->store;
  size_t size = 0;
  tenon_status status =
      store->load(f->ctx, store->self, f->place->source.grant, room, TENON_GRANT_ROOM, &size, &f->error);
  if (status == TENON_NOT_FOUND) {
    tn_error_init(&f->error);
    return tenon_fail(&f->error, status, TENON_STAGE_AUTH, "authorize, and put the grant in (tenon grant)",
                      "there is no grant %s", f->place->source.grant);
  }
  if (status) return status;
  status = tn_grant_parse(room, size, ret, &f->error);
  if (status) tn_error_prefix(&f->error, "the grant %s: ", f->place->source.grant);
  return status;
}

static tenon_status load_grant(tn_token_flight *f, tn_grant *ret) {
  char *room = tn_alloc(TENON_GRANT_ROOM);
  if (!room) return tn_no_memory(&f->error);
  tenon_status status = load_text(f, room, ret);
  tn_wipe(room, TENON_GRANT_ROOM);
  tn_free(room);
  return status;
}

static tenon_status save_once(tn_token_flight *f, const tn_grant *g, tenon_error *err) {
  const tenon_token_store *store = &f->tokens->store;
  tenon_ctx *ctx;
  tn_str text;
  /* its own time: the flight's may be over, and what has been got has to be kept */
  tenon_status status = tenon_ctx_new(NULL, SAVE_MS, &ctx, err);
  if (status) return status;
  tn_str_init(&text, TENON_GRANT_ROOM);
  status = tn_grant_print(g, &text) ? store->save(ctx, store->self, f->place->source.grant, text.data, text.size, err)
                                    : tn_no_memory(err);
  if (text.data) tn_wipe(text.data, text.capacity);
  tn_str_release(&text);
  tenon_ctx_free(ctx);
  return status;
}

/* The refresh token that was used is no good any more: there is only this way to keep the grant. */
static tenon_status save_at_last(tn_token_flight *f, const tn_grant *g) {
  tenon_error why;
  tenon_status status = TENON_OK;
  for (int i = 0; i < SAVES; i++) {
    tn_error_init(&why);
    status = save_once(f, g, &why);
    if (!status) return TENON_OK;
    const struct timespec nap = {.tv_nsec = SAVE_NAP_MS * 1000000L};
    nanosleep(&nap, NULL);
  }
  tn_error_prefix(&why, "the grant %s was renewed and could not be stored, so it is lost: ", f->place->source.grant);
  snprintf(why.remedy, sizeof why.remedy, "mend the store, then authorize again and put the new grant in (tenon grant)");
  why.retryable = 0;
  return tn_pass_error(&why, &f->error);
}

static tenon_status keep_renewed(tn_token_flight *f, tn_grant *g, const tn_token_reply *reply, const tn_grant_ask *ask) {
  tenon_status status = tn_grant_renew(g, reply, ask, &f->error);
  return status ? status : save_at_last(f, g);
}

/* The reply to a refresh; f->error has been written where it failed. */
static tenon_status settle(tn_token_flight *f, tn_grant *g, const tn_grant_ask *ask, tenon_status status,
                           const tn_token_answer *a) {
  if (!status) {
    status = keep_renewed(f, g, &a->reply, ask);
    if (!status) status = take(f, g->access_token, a->reply.lifetime_ms, a->reply.lifetime_ms);
    return status;
  }
  tenon_error unheard = TENON_ERROR_INIT;   /* the first failure is the one to tell of */
  if (a->reply.refresh_token) {
    (void)keep_renewed(f, g, &a->reply, ask);
  } else if (a->effect == TN_TOKEN_REFUSED && !tn_grant_refuse(g, a->said.word, &unheard)) {
    (void)save_once(f, g, &unheard);
    if (g->pending_ms) {
      tn_error_init(&f->error);
      status = tn_grant_fail(g, f->place->source.grant, &f->error);
    }
  } else if (a->effect == TN_TOKEN_NONE) {
    tn_grant_unpend(g);
    (void)save_once(f, g, &unheard);
  }
  return status;
}

/* Saved before it is sent, too: so a store that cannot be written costs no grant, and who finds it pending knows. */
static tenon_status refresh(tn_token_flight *f, tn_grant *g, const tn_grant_ask *ask) {
  tn_token_answer answer;
  tn_grant_pend(g, ask->now_ms);
  tenon_status status = save_once(f, g, &f->error);
  if (status) return status;
  if (!commit(f)) return tenon_fail(&f->error, TENON_CANCELLED, TENON_STAGE_NONE, NULL, "nobody waits for it");
  status = fetch(f, g->refresh_token, &answer);
  status = settle(f, g, ask, status, &answer);
  tn_token_reply_release(&answer.reply);
  return status;
}

static tenon_status take_kept(tn_token_flight *f, const tn_grant *g, int64_t now_ms) {
  int64_t age_ms = now_ms - g->replaced_ms;
  f->is_replacement = g->replaced_ms && age_ms >= 0;
  f->replaced_ms = tn_token_clock_ms() - age_ms;
  return take(f, g->access_token, g->expires_ms - now_ms, g->expires_ms - g->obtained_ms);
}

/* may_refresh: the lock is held. *ret_refresh: it is to be had. */
static tenon_status look_at_grant(tn_token_flight *f, bool may_refresh, bool *ret_refresh) {
  tn_grant g;
  tn_grant_step step = TN_GRANT_USE;
  tenon_status status = load_grant(f, &g);
  if (status) return status;
  pthread_mutex_lock(&f->tokens->lock);
  const tn_grant_ask ask = {.source = &f->place->source, .refused = f->refused, .now_ms = wall_clock_ms(),
                            .valid_ms = f->valid_ms};
  pthread_mutex_unlock(&f->tokens->lock);
  status = tn_grant_decide(&g, &ask, &step, &f->error);
  *ret_refresh = !status && step == TN_GRANT_REFRESH && !may_refresh;
  if (!status && step == TN_GRANT_USE)
    status = take_kept(f, &g, ask.now_ms);
  else if (!status && may_refresh)
    status = refresh(f, &g, &ask);
  tn_grant_release(&g);
  return status;
}

static tenon_status fly_for_grant(tn_token_flight *f) {
  const tenon_token_store *store = &f->tokens->store;
  void *held;
  bool to_refresh = false;
  tenon_status status = look_at_grant(f, false, &to_refresh);
  if (status || !to_refresh) return status;
  status = store->lock(f->ctx, store->self, f->place->source.grant, &held, &f->error);
  if (status) return status;
  /* whoever had the lock before may have done it */
  status = look_at_grant(f, true, &to_refresh);
  store->unlock(store->self, held);
  return status;
}

/* ---- Landing ---- */

/* Called with the lock held. */
static void hand_over(const tn_token_flight *f) {
  tn_token_place *p = f->place;
  int64_t now = tn_token_clock_ms();
  if (f->generation != p->generation) return;
  if (f->is_client_refused) {
    p->remembered = f->error;
    p->remembered_until_ms = now + REMEMBER_MS;
  }
  if (f->status) return;
  char *copy = tn_strdup(f->token);
  if (!copy) return;   /* who waits has it from the flight */
  tn_token_drop(p->token);
  tn_token_drop(p->refused);
  p->token = copy;
  p->refused = NULL;
  p->until_ms = f->until_ms;
  p->lifetime_ms = f->lifetime_ms;
  p->is_replacement = f->is_replacement || f->refused;
  p->replaced_ms = f->is_replacement ? f->replaced_ms : now;
  p->remembered_until_ms = 0;
}

static void flight_free(tn_token_flight *f) {
  if (f->done_fd >= 0) close(f->done_fd);
  tenon_ctx_free(f->ctx);
  tn_token_drop(f->token);
  tn_token_drop(f->refused);
  tn_free(f);
}

/* Called with the lock held. True: nobody else has it. */
static bool give_up(tn_token_flight *f) {
  bool is_last = --f->refs == 0;
  if (is_last) f->place->pins--;
  return is_last;
}

void tn_token_flight_unref(tn_token_flight *f) {
  tn_tokens *tokens = f->tokens;
  pthread_mutex_lock(&tokens->lock);
  bool is_last = give_up(f);
  pthread_mutex_unlock(&tokens->lock);
  if (is_last) flight_free(f);
}

/* All at once: who has the lock next may join the thread, which therefore does not take it again. */
static void land(tn_token_flight *f) {
  tn_tokens *tokens = f->tokens;
  uint64_t one = 1;
  pthread_mutex_lock(&tokens->lock);
  f->has_landed = true;
  hand_over(f);
  if (f->place->flight == f) f->place->flight = NULL;
  if (write(f->done_fd, &one, sizeof one) < 0) { /* it cannot be full */
  }
  bool is_last = give_up(f);
  tokens->flight_count--;
  tokens->ended[tokens->ended_count++] = pthread_self();
  pthread_cond_broadcast(&tokens->landed);
  pthread_mutex_unlock(&tokens->lock);
  if (is_last) flight_free(f);
}

static void *fly(void *arg) {
  tn_token_flight *f = arg;
  f->status = f->place->source.grant ? fly_for_grant(f) : fly_for_client(f);
  land(f);
  return NULL;
}

void tn_token_join_ended(tn_tokens *tokens) {
  while (tokens->ended_count > 0) pthread_join(tokens->ended[--tokens->ended_count], NULL);
}

/* ---- Taking off ---- */

/* Signals are the program's own threads' matter. */
static bool start_thread(tn_token_flight *f) {
  sigset_t all, before;
  pthread_attr_t attr;
  pthread_t thread;
  pthread_attr_init(&attr);
  pthread_attr_setstacksize(&attr, STACK);
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  bool started = pthread_create(&thread, &attr, fly, f) == 0;
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  pthread_attr_destroy(&attr);
  return started;
}

static tenon_status prepare(tn_token_flight *f, tenon_error *err) {
  if (f->place->refused && !(f->refused = tn_strdup(f->place->refused))) return tn_no_memory(err);
  f->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (f->done_fd < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_NONE, "raise the limit on open files (ulimit -n)", "eventfd");
  return tenon_ctx_new(f->place->policies, FLIGHT_MS, &f->ctx, err);
}

static tenon_status too_many(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "ask for fewer tokens at once, or raise the limit on threads",
                    "no thread to ask for a token with");
}

tenon_status tn_token_take_off(tn_tokens *tokens, tn_token_place *place, int64_t valid_ms, tn_token_flight **ret,
                               tenon_error *err) {
  tn_token_join_ended(tokens);   /* so that there is room for each that is under way */
  if (tokens->flight_count >= TN_TOKEN_FLIGHTS) return too_many(err);
  tn_token_flight *f = tn_alloc(sizeof *f);
  if (!f) return tn_no_memory(err);
  *f = (tn_token_flight){.tokens = tokens, .place = place, .refs = 2, .waiters = 1, .done_fd = -1, .valid_ms = valid_ms,
                         .generation = place->generation, .error = TENON_ERROR_INIT};
  tenon_status status = prepare(f, err);
  if (!status && !start_thread(f)) status = too_many(err);
  if (status) {
    flight_free(f);
    return status;
  }
  /* the thread looks at none of this before it has the lock */
  tokens->flight_count++;
  place->pins++;
  place->flight = f;
  *ret = f;
  return TENON_OK;
}

void tn_token_join(tn_token_flight *f, int64_t valid_ms) {
  f->refs++;
  f->waiters++;
  if (valid_ms > f->valid_ms) f->valid_ms = valid_ms;
}

/* ---- Waiting ---- */

/* True: it has no use any more, and is to be called back. */
static bool stop_waiting(tn_token_flight *f) {
  pthread_mutex_lock(&f->tokens->lock);
  bool is_useless = --f->waiters == 0 && !f->has_landed && !f->at_stake;
  if (is_useless && f->place->flight == f) f->place->flight = NULL;
  pthread_mutex_unlock(&f->tokens->lock);
  return is_useless;
}

/* It knows at which layer it was when time was over. */
static bool has_last_word(tn_token_flight *f) {
  struct pollfd done = {.fd = f->done_fd, .events = POLLIN};
  tn_ctx_expire(f->ctx);
  poll(&done, 1, LAST_WORD_MS);
  pthread_mutex_lock(&f->tokens->lock);
  bool landed = f->has_landed;
  pthread_mutex_unlock(&f->tokens->lock);
  return landed;
}

tenon_status tn_token_await(tenon_ctx *ctx, tn_token_flight *f, tenon_error *err) {
  struct pollfd done = {.fd = f->done_fd, .events = POLLIN};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_ctx_wait(ctx, &done, 1, -1, &why);
  bool is_useless = stop_waiting(f);
  if (is_useless && status == TENON_TIMEOUT && has_last_word(f)) return TENON_OK;
  if (is_useless) tenon_ctx_cancel(f->ctx);
  if (!status) return TENON_OK;
  tn_error_prefix(&why, "waiting for a token: ");
  why.stage = TENON_STAGE_AUTH;
  return tn_pass_error(&why, err);
}
