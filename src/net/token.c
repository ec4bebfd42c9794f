/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keeper: sources and their tokens, and at most one flight for each. Between processes it is the store's lock that
 * lets one alone refresh; who has it next finds the new token in the store.
 */
#include "net/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/ctx.h"
#include "base/error.h"
#include "net/token_parts.h"

enum {
  MAX_PLACES = 1024, MAX_SOURCE = 4 << 20, LAST_WAIT_MS = 35000, SILENT_WAIT_MS = 500, REPLACED_MS = 60000,
  LEAST_LEFT_MS = 2000, ATTEMPTS = 3
};

#define MOST_VALID_MS INT64_C(31622400000)   /* no token lives longer than a year */

/* ---- The keeper's life ---- */

tenon_status tn_tokens_new(const tenon_token_store *store, tn_tokens **ret, tenon_error *err) {
  if (store && (store->struct_size < sizeof *store || !store->lock || !store->unlock || !store->load || !store->save))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set struct_size and all its functions",
                      "the store of tokens is not whole");
  tn_tokens *tokens = tn_alloc(sizeof *tokens);
  if (!tokens) return tn_no_memory(err);
  if (store) tokens->store = *store;
  pthread_mutex_init(&tokens->lock, NULL);
  pthread_condattr_t clock;
  pthread_condattr_init(&clock);
  pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  pthread_cond_init(&tokens->landed, &clock);
  pthread_condattr_destroy(&clock);
  *ret = tokens;
  return TENON_OK;
}

static void place_free(tn_token_place *p) {
  tn_token_drop(p->token);
  tn_token_drop(p->refused);
  tenon_ctx_free(p->policies);
  tn_arena_release(&p->arena);
  tn_free(p);
}

/* Called with the lock held: calls back what is in the air. */
static void call_all_back(tn_tokens *tokens, bool even_at_stake) {
  for (tn_token_place *p = tokens->places; p; p = p->next)
    if (p->flight && (even_at_stake || !p->flight->at_stake)) tenon_ctx_cancel(p->flight->ctx);
}

/* Called with the lock held. */
static void wait_until_landed(tn_tokens *tokens, int64_t most_ms) {
  int64_t until = tn_now_ms() + most_ms;
  const struct timespec at = {.tv_sec = until / 1000, .tv_nsec = until % 1000 * 1000000};
  while (tokens->flight_count > 0 && pthread_cond_timedwait(&tokens->landed, &tokens->lock, &at) != ETIMEDOUT) continue;
}

/* Called with the lock held; let go meanwhile: a logger is the program's. */
static void say_what_for(tn_tokens *tokens, tenon_ctx *speaker) {
  char grant[TENON_GRANT_NAME + 1] = "";
  for (tn_token_place *p = tokens->places; p && !*grant; p = p->next)
    if (p->flight && p->flight->at_stake) snprintf(grant, sizeof grant, "%s", p->source.grant);
  if (!*grant) return;
  pthread_mutex_unlock(&tokens->lock);
  tn_ctx_log(speaker, TENON_LOG_WARN,
             "waiting, at most 30 s, for the answer to a refresh of the grant %s: if it is not kept, the grant is lost", grant);
  pthread_mutex_lock(&tokens->lock);
}

void tn_tokens_end(tn_tokens *tokens, tenon_ctx *speaker) {
  if (!tokens) return;
  pthread_mutex_lock(&tokens->lock);
  call_all_back(tokens, false);
  wait_until_landed(tokens, SILENT_WAIT_MS);
  say_what_for(tokens, speaker);
  wait_until_landed(tokens, LAST_WAIT_MS);
  call_all_back(tokens, true);
  while (tokens->flight_count > 0) pthread_cond_wait(&tokens->landed, &tokens->lock);
  tn_token_join_ended(tokens);
  pthread_mutex_unlock(&tokens->lock);
}

void tn_tokens_free(tn_tokens *tokens) {
  if (!tokens) return;
  tn_tokens_end(tokens, NULL);
  while (tokens->places) {
    tn_token_place *p = tokens->places;
    tokens->places = p->next;
    place_free(p);
  }
  pthread_cond_destroy(&tokens->landed);
  pthread_mutex_destroy(&tokens->lock);
  tn_free(tokens);
}

/* For contexts that come from no handle, as in tests of kinds. It stays until the process ends. */
static tenon_status keeper_of(const tenon_ctx *ctx, tn_tokens **ret, tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static tn_tokens *everybodys;
  tenon_status status = TENON_OK;
  tn_tokens *own = tn_ctx_tokens(ctx);
  if (own) {
    *ret = own;
    return TENON_OK;
  }
  pthread_mutex_lock(&lock);
  if (!everybodys) status = tn_tokens_new(NULL, &everybodys, err);
  if (!status) *ret = everybodys;
  pthread_mutex_unlock(&lock);
  return status;
}

/* ---- Places (all with the lock held) ---- */

static bool same_policies(const tenon_ctx *a, const tenon_ctx *b) {
  for (size_t i = 0;; i++) {
    const struct tn_egress *of_a = tn_ctx_egress(a, i), *of_b = tn_ctx_egress(b, i);
    if (of_a != of_b) return false;
    if (!of_a) return true;
  }
}

/* The last used comes to the front. */
static tn_token_place *find_place(tn_tokens *tokens, const tenon_ctx *ctx, const tenon_token_source *source) {
  for (tn_token_place **at = &tokens->places; *at; at = &(*at)->next) {
    tn_token_place *p = *at;
    if (!tn_token_source_same(&p->source, source) || !same_policies(p->policies, ctx)) continue;
    *at = p->next;
    p->next = tokens->places;
    tokens->places = p;
    return p;
  }
  return NULL;
}

/* The one that nobody has used for longest. */
static void make_room(tn_tokens *tokens) {
  tn_token_place **found = NULL;
  for (tn_token_place **at = &tokens->places; *at; at = &(*at)->next)
    if ((*at)->pins == 0) found = at;
  if (!found) return;
  tn_token_place *p = *found;
  *found = p->next;
  tokens->place_count--;
  place_free(p);
}

static tenon_status add_place(tn_tokens *tokens, const tenon_ctx *ctx, const tenon_token_source *source,
                              tn_token_place **ret, tenon_error *err) {
  if (tokens->place_count >= MAX_PLACES) make_room(tokens);
  tn_token_place *p = tn_alloc(sizeof *p);
  if (!p) return tn_no_memory(err);
  tn_arena_init(&p->arena, MAX_SOURCE);
  tenon_status status = tn_token_source_copy(source, &p->arena, &p->source, err);
  /* a policy is refused or obeyed by who asks under it */
  if (!status) status = tn_ctx_apart(ctx, -1, &p->policies, err);
  if (status) {
    place_free(p);
    return status;
  }
  p->next = tokens->places;
  tokens->places = p;
  tokens->place_count++;
  *ret = p;
  return TENON_OK;
}

static bool is_at_hand(const tn_token_place *p, int64_t valid_ms) {
  return p->token && p->until_ms - tn_token_clock_ms() > tn_token_margin_ms(p->lifetime_ms, valid_ms);
}

/* ---- Asking ---- */

static void give(const char *token, int64_t until_ms, tenon_token *ret) {
  int64_t left = until_ms - tn_token_clock_ms();
  ret->expires_in_ms = left > 0 ? left : 0;
  snprintf(ret->text, sizeof ret->text, "%s", token);
}

/* It was to be renewed early, and cannot be: until it ends it is good. With the lock held. */
static bool give_old(const tn_token_place *p, int64_t valid_ms, tenon_token *ret) {
  bool is_good = p->token && p->until_ms - tn_token_clock_ms() > valid_ms + LEAST_LEFT_MS;
  if (is_good) give(p->token, p->until_ms, ret);
  return is_good;
}

/* A token at hand, or a flight to wait for (*ret_flight), which the caller joins. */
static tenon_status look(tn_tokens *tokens, tenon_ctx *ctx, const tenon_token_source *source, int64_t valid_ms,
                         tenon_token *ret, tn_token_flight **ret_flight, tenon_error *err) {
  tn_token_place *p = find_place(tokens, ctx, source);
  tenon_status status = p ? TENON_OK : add_place(tokens, ctx, source, &p, err);
  if (status) return status;
  *ret_flight = NULL;
  if (is_at_hand(p, valid_ms)) {
    give(p->token, p->until_ms, ret);
    return TENON_OK;
  }
  if (p->remembered_until_ms > tn_token_clock_ms())
    return give_old(p, valid_ms, ret) ? TENON_OK : tn_pass_error(&p->remembered, err);
  if (!p->flight) return tn_token_take_off(tokens, p, valid_ms, ret_flight, err);
  tn_token_join(p->flight, valid_ms);
  *ret_flight = p->flight;
  return TENON_OK;
}

/* Somebody who needed it for a shorter time sent this flight off. */
static bool is_too_short(const tn_token_flight *f, int64_t valid_ms) {
  return !f->is_fresh && f->until_ms - tn_token_clock_ms() <= tn_token_margin_ms(f->lifetime_ms, valid_ms);
}

static tenon_status take_landed(tenon_ctx *ctx, tn_token_flight *f, int64_t valid_ms, tenon_token *ret, bool *ret_again,
                                tenon_error *err) {
  tenon_status status = tn_token_await(ctx, f, err);
  if (status) return status;
  if (f->status) {
    pthread_mutex_lock(&f->tokens->lock);
    bool is_good = give_old(f->place, valid_ms, ret);
    pthread_mutex_unlock(&f->tokens->lock);
    return is_good ? TENON_OK : tn_pass_error(&f->error, err);
  }
  *ret_again = is_too_short(f, valid_ms);
  give(f->token, f->until_ms, ret);
  return TENON_OK;
}

static tenon_status ask(tn_tokens *tokens, tenon_ctx *ctx, const tenon_token_source *source, int64_t valid_ms,
                        tenon_token *ret, tenon_error *err) {
  for (int i = 0; i < ATTEMPTS; i++) {
    tn_token_flight *f = NULL;
    bool again = false;
    pthread_mutex_lock(&tokens->lock);
    tenon_status status = look(tokens, ctx, source, valid_ms, ret, &f, err);
    pthread_mutex_unlock(&tokens->lock);
    if (!f) return status;
    status = take_landed(ctx, f, valid_ms, ret, &again, err);
    tn_token_flight_unref(f);
    pthread_mutex_lock(&tokens->lock);
    tn_token_join_ended(tokens);
    pthread_mutex_unlock(&tokens->lock);
    if (status || !again) return status;
  }
  return TENON_OK;
}

static tenon_status check_store(const tn_tokens *tokens, const tenon_token_source *source, tenon_error *err) {
  if (!source->grant || tokens->store.load) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give the handle a folder or a store for grants",
                    "there is no store to find the grant %s in", source->grant);
}

tenon_status tn_token(tenon_ctx *ctx, const tenon_token_source *source, int64_t valid_ms, tenon_token *ret,
                      tenon_error *err) {
  tn_tokens *tokens;
  tenon_status status = tn_ctx_check(ctx, err);
  if (!status) status = tn_token_source_check(source, err);
  if (!status) status = keeper_of(ctx, &tokens, err);
  if (!status) status = check_store(tokens, source, err);
  if (valid_ms > MOST_VALID_MS) valid_ms = MOST_VALID_MS;
  return status ? status : ask(tokens, ctx, source, valid_ms > 0 ? valid_ms : 0, ret, err);
}

/* ---- Tokens that are no good ---- */

/* Called with the lock held. */
static tenon_status forsake(tn_token_place *p, const char *token, tenon_error *err) {
  if (!p || !p->token || strcmp(p->token, token) != 0) return TENON_OK;   /* there is another already */
  if (p->is_replacement && tn_token_clock_ms() - p->replaced_ms < REPLACED_MS)
    return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH,
                      "check that scope and audience are those that the system asks for",
                      "the system refuses new tokens of %.*s, too", (int)strcspn(p->source.token_url, "?"),
                      p->source.token_url);
  tn_token_drop(p->refused);
  p->refused = p->token;
  p->token = NULL;
  return TENON_OK;
}

tenon_status tn_token_refused(tenon_ctx *ctx, const tenon_token_source *source, const char *token, tenon_error *err) {
  tn_tokens *tokens;
  tenon_status status = keeper_of(ctx, &tokens, err);
  if (status) return status;
  pthread_mutex_lock(&tokens->lock);
  status = forsake(find_place(tokens, ctx, source), token, err);
  pthread_mutex_unlock(&tokens->lock);
  return status;
}

/* ---- Putting grants in ---- */

static void forget(tn_tokens *tokens, const char *grant) {
  pthread_mutex_lock(&tokens->lock);
  for (tn_token_place *p = tokens->places; p; p = p->next) {
    if (!p->source.grant || strcmp(p->source.grant, grant) != 0) continue;
    tn_token_drop(p->token);
    tn_token_drop(p->refused);
    p->token = p->refused = NULL;
    p->remembered_until_ms = 0;
    p->generation++;
  }
  pthread_mutex_unlock(&tokens->lock);
}

static tenon_status save(tenon_ctx *ctx, tn_tokens *tokens, const char *name, const tn_grant *g, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, TENON_GRANT_ROOM);
  tenon_status status = TENON_OK;
  if (g && !tn_grant_print(g, &text)) status = tn_no_memory(err);
  if (!status) status = tokens->store.save(ctx, tokens->store.self, name, tn_str_text(&text), text.size, err);
  if (text.data) tn_wipe(text.data, text.capacity);
  tn_str_release(&text);
  return status;
}

tenon_status tn_tokens_keep(tenon_ctx *ctx, tn_tokens *tokens, const char *name, const tn_grant *g, tenon_error *err) {
  void *held;
  tenon_status status = tokens->store.lock(ctx, tokens->store.self, name, &held, err);
  if (status) return status;
  status = save(ctx, tokens, name, g, err);
  tokens->store.unlock(tokens->store.self, held);
  if (!status) forget(tokens, name);
  return status;
}

tenon_status tn_tokens_check_name(const tn_tokens *tokens, const char *name, tenon_error *err) {
  if (!tn_grant_is_name(name))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "use letters, digits and ._@- alone, at most 128, and no dot at the beginning",
                      "that is no name of a grant");
  const tenon_token_source source = {.struct_size = sizeof source, .grant = name};
  return check_store(tokens, &source, err);
}

tenon_status tn_tokens_put(tenon_ctx *ctx, tn_tokens *tokens, const char *name, const char *token_url,
                           const char *client_id, const char *refresh_token, tenon_error *err) {
  tn_grant g;
  tenon_status status = tn_tokens_check_name(tokens, name, err);
  if (!status) status = tn_grant_begin(&g, token_url, client_id, refresh_token, err);
  if (status) return status;
  status = tn_token_url_check(token_url, err);
  if (!status) status = tn_tokens_keep(ctx, tokens, name, &g, err);
  tn_grant_release(&g);
  return status;
}

static tenon_status check_there(tenon_ctx *ctx, tn_tokens *tokens, const char *name, tenon_error *err) {
  size_t size;
  char *room = tn_alloc(TENON_GRANT_ROOM);
  if (!room) return tn_no_memory(err);
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tokens->store.load(ctx, tokens->store.self, name, room, TENON_GRANT_ROOM, &size, &why);
  tn_wipe(room, TENON_GRANT_ROOM);
  tn_free(room);
  if (status == TENON_NOT_FOUND)
    return tenon_fail(err, status, TENON_STAGE_CONFIG, "check the name", "there is no grant %s", name);
  return status ? tn_pass_error(&why, err) : TENON_OK;
}

tenon_status tn_tokens_remove(tenon_ctx *ctx, tn_tokens *tokens, const char *name, tenon_error *err) {
  tenon_status status = tn_tokens_check_name(tokens, name, err);
  if (!status) status = check_there(ctx, tokens, name, err);
  return status ? status : tn_tokens_keep(ctx, tokens, name, NULL, err);
}
