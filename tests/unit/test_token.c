/* SPDX-License-Identifier: Apache-2.0 */
/* The token keeper against a token endpoint that says what it is told to, and a store in memory that fails when told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/token.h"
#include "net/token_grant.h"
#include "net/token_parts.h"
#include "unit/http_fixture.h"

/* ---- A store in memory ---- */

typedef struct shelf {
  pthread_mutex_t lock;         /* of the store itself */
  pthread_mutex_t held;         /* what lock() takes */
  char text[TENON_GRANT_ROOM];
  size_t size;
  int loads, saves, locks;
  int fail_save;                /* the n-th from now, and those behind it */
} shelf;

static tenon_status shelf_lock(tenon_ctx *ctx, void *self, const char *name, void **ret_lock, tenon_error *err) {
  shelf *s = self;
  (void)name;
  while (pthread_mutex_trylock(&s->held)) {
    tenon_status status = tn_ctx_wait(ctx, NULL, 0, 2, err);
    if (status) return status;
  }
  s->locks++;
  *ret_lock = s;
  return TENON_OK;
}

static void shelf_unlock(void *self, void *lock) {
  (void)lock;
  pthread_mutex_unlock(&((shelf *)self)->held);
}

static tenon_status shelf_load(tenon_ctx *ctx, void *self, const char *name, char *ret, size_t room, size_t *ret_size,
                               tenon_error *err) {
  shelf *s = self;
  (void)ctx;
  pthread_mutex_lock(&s->lock);
  s->loads++;
  size_t size = s->size;
  assert_true(size <= room);
  memcpy(ret, s->text, size);
  pthread_mutex_unlock(&s->lock);
  if (!size) return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, NULL, "no %s", name);
  *ret_size = size;
  return TENON_OK;
}

static tenon_status shelf_save(tenon_ctx *ctx, void *self, const char *name, const char *text, size_t size, tenon_error *err) {
  shelf *s = self;
  (void)ctx, (void)name;
  pthread_mutex_lock(&s->lock);
  bool fails = s->fail_save && --s->fail_save <= 0;
  if (fails) s->fail_save = 1;
  else memcpy(s->text, text, s->size = size);
  s->saves += !fails;
  pthread_mutex_unlock(&s->lock);
  return fails ? tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "make room on the disk", "the disk is full") : TENON_OK;
}

/* ---- The bench ---- */

typedef struct bench {
  http_fixture *server;
  shelf shelf;
  tn_tokens *tokens;
  tenon_ctx *ctx;
  tenon_error err;
  tenon_token_source client, grant;
  tenon_token token;
  char url[128];
} bench;

static tenon_ctx *new_ctx(bench *b, int64_t timeout_ms) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, timeout_ms, &ctx, NULL), TENON_OK);
  tn_ctx_set_tokens(ctx, b->tokens);
  return ctx;
}

static int set_up(void **state) {
  bench *b = calloc(1, sizeof *b);
  b->server = http_fixture_new();
  b->server->closes = true;
  b->err = (tenon_error)TENON_ERROR_INIT;
  pthread_mutex_init(&b->shelf.lock, NULL);
  pthread_mutex_init(&b->shelf.held, NULL);
  const tenon_token_store store = {.struct_size = sizeof store, .self = &b->shelf, .lock = shelf_lock,
                                   .unlock = shelf_unlock, .load = shelf_load, .save = shelf_save};
  assert_int_equal(tn_tokens_new(&store, &b->tokens, NULL), TENON_OK);
  b->ctx = new_ctx(b, 10000);
  snprintf(b->url, sizeof b->url, "%s", http_fixture_url(b->server, "/token"));
  b->client = (tenon_token_source){.struct_size = sizeof b->client, .token_url = b->url, .client_id = "conn",
                                   .client_secret = "hush-hush"};
  b->grant = b->client;
  b->grant.grant = "mail";
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench *b = *state;
  tn_tokens_free(b->tokens);
  http_fixture_free(b->server);
  tenon_ctx_free(b->ctx);
  free(b);
  return 0;
}

static void reply(bench *b, const char *status, const char *body) {
  static char texts[FIXTURE_REPLIES][2048];
  char *text = texts[b->server->reply_count];
  snprintf(text, sizeof texts[0], "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %zu\r\n\r\n%s", status,
           strlen(body), body);
  http_fixture_reply(b->server, text);
}

/* access and refresh are words; refresh NULL: none. */
static void reply_token(bench *b, const char *access, const char *refresh, int lifetime_s) {
  char body[512], more[128] = "";
  if (refresh) snprintf(more, sizeof more, ",\"refresh_token\":\"%s\"", refresh);
  snprintf(body, sizeof body, "{\"access_token\":\"%s\",\"token_type\":\"Bearer\",\"expires_in\":%d%s}", access, lifetime_s, more);
  reply(b, "200 OK", body);
}

static void put(bench *b, const char *refresh) {
  assert_int_equal(tn_tokens_put(b->ctx, b->tokens, "mail", b->url, "conn", refresh, &b->err), TENON_OK);
}

static tenon_status ask(bench *b, const tenon_token_source *source) {
  b->err = (tenon_error)TENON_ERROR_INIT;
  b->token = (tenon_token){.struct_size = sizeof b->token};
  tenon_status status = tn_token(b->ctx, source, 0, &b->token, &b->err);
  if (status) {
    assert_string_equal(b->token.text, "");
    assert_null(strstr(b->err.message, "hush"));
    assert_null(strstr(b->err.message, "r1"));
  }
  return status;
}

static void asked(bench *b, const tenon_token_source *source, const char *expected) {
  if (ask(b, source)) fail_msg("%s", b->err.message);
  assert_string_equal(b->token.text, expected);
}

static void sent(bench *b, int i, const char *text) {
  if (!strstr(b->server->requests[i], text)) fail_msg("no %s in:\n%s", text, b->server->requests[i]);
}

/* What the shelf has, without the network. */
static tn_grant kept(bench *b) {
  tn_grant g;
  assert_int_equal(tn_grant_parse(b->shelf.text, b->shelf.size, &g, NULL), TENON_OK);
  return g;
}

/* ---- Client credentials ---- */

static void a_client_asks_once(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 3600);
  asked(b, &b->client, "a1");
  assert_true(b->token.expires_in_ms > 3590000 && b->token.expires_in_ms <= 3600000);
  for (int i = 0; i < 100; i++) asked(b, &b->client, "a1");
  assert_int_equal(b->server->request_count, 1);
  sent(b, 0, "POST /token HTTP/1.1\r\n");
  sent(b, 0, "Authorization: Basic Y29ubjpodXNoLWh1c2g=\r\n");
  sent(b, 0, "Content-Type: application/x-www-form-urlencoded\r\n");
  sent(b, 0, "\r\n\r\ngrant_type=client_credentials");
  assert_null(strstr(b->server->requests[0], "client_secret"));
  assert_int_equal(b->shelf.loads + b->shelf.locks + b->shelf.saves, 0);
}

static void sources_do_not_share(void **state) {
  bench *b = *state;
  tenon_token_source other = b->client;
  other.scope = "read";
  other.auth = TENON_TOKEN_POST;
  reply_token(b, "a1", NULL, 3600);
  reply_token(b, "a2", NULL, 3600);
  asked(b, &b->client, "a1");
  asked(b, &other, "a2");
  asked(b, &b->client, "a1");
  asked(b, &other, "a2");
  sent(b, 1, "scope=read&client_id=conn&client_secret=hush-hush");
}

static void short_lives(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 10);
  reply_token(b, "a2", NULL, 0);
  reply_token(b, "a3", NULL, 3600);
  asked(b, &b->client, "a1");
  asked(b, &b->client, "a1");
  tn_token_clock_advance(5100);
  asked(b, &b->client, "a2");   /* it is over when it comes, and there is none better */
  asked(b, &b->client, "a3");
  assert_int_equal(b->server->request_count, 3);
}

static void long_needs(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 100);
  asked(b, &b->client, "a1");
  /* of 100 s it has nearly all: that is as good as any */
  assert_int_equal(tn_token(b->ctx, &b->client, 3600000, &b->token, &b->err), TENON_OK);
  assert_string_equal(b->token.text, "a1");
  assert_int_equal(tn_token(b->ctx, &b->client, INT64_MAX, &b->token, &b->err), TENON_OK);
  assert_int_equal(b->server->request_count, 1);
}

/* A refusal is remembered: accounts are locked for less. */
static void a_client_that_is_not_known(void **state) {
  bench *b = *state;
  reply(b, "401 Unauthorized", "{\"error\":\"invalid_client\",\"error_description\":\"bad secret hush-hush\"}");
  for (int i = 0; i < 5; i++) {
    assert_int_equal(ask(b, &b->client), TENON_UNAUTHENTICATED);
    assert_non_null(strstr(b->err.message, "/token: invalid_client: bad secret ***"));
    assert_int_equal(b->err.stage, TENON_STAGE_AUTH);
  }
  assert_int_equal(b->server->request_count, 1);
  tenon_token_source mended = b->client;
  mended.client_secret = "right";
  reply_token(b, "a1", NULL, 60);
  asked(b, &mended, "a1");
  tn_token_clock_advance(31000);
  reply_token(b, "a2", NULL, 60);
  asked(b, &b->client, "a2");
}

typedef struct bad_reply {
  const char *status, *body;
  tenon_status code;
  bool retryable;
  const char *said;
} bad_reply;

static void an_endpoint_with_a_key_in_its_url(void **state) {
  bench *b = *state;
  char url[200];
  snprintf(url, sizeof url, "%s", http_fixture_url(b->server, "/token?key=canary"));
  b->client.token_url = url;
  reply(b, "400 Bad Request", "{\"error\":\"invalid_scope\"}");
  assert_true(ask(b, &b->client) != TENON_OK);
  assert_non_null(strstr(b->err.message, "/token: invalid_scope"));
  assert_null(strstr(b->err.message, "canary"));
}

static void replies_that_are_none(void **state) {
  bench *b = *state;
  static const bad_reply cases[] = {
      {"200 OK", "<html>Log in to the hotel's network</html>", TENON_DATA, false, "not JSON"},
      {"200 OK", "{\"error\":\"temporarily_unavailable\"}", TENON_UNREACHABLE, true, "temporarily_unavailable"},
      {"302 Found", "", TENON_DATA, false, "302"},
      {"404 Not Found", "nothing here", TENON_NOT_FOUND, false, "404"},
      {"500 Oops", "{\"error\":\"invalid_grant\"}", TENON_IO, true, "500"},
      {"503 Busy", "<html>busy</html>", TENON_UNREACHABLE, true, "503"},
      {"429 Slow", "{\"error\":\"slow_down\"}", TENON_LIMITED, true, "slow_down"},
      {"400 Bad", "{\"error\":\"invalid_scope\"}", TENON_FORBIDDEN, false, "invalid_scope"},
  };
  enum { COUNT = sizeof cases / sizeof cases[0] };
  for (size_t i = 0; i < COUNT; i++) reply(b, cases[i].status, cases[i].body);
  for (size_t i = 0; i < COUNT; i++) {
    if (ask(b, &b->client) != cases[i].code) fail_msg("%s: %s", cases[i].status, b->err.message);
    assert_int_equal(b->err.retryable, cases[i].retryable);
    assert_non_null(strstr(b->err.message, cases[i].said));
    assert_true(*b->err.remedy);
  }
  assert_int_equal(b->server->request_count, COUNT);
}

static void floods_end(void **state) {
  bench *b = *state;
  enum { SIZE = 1 << 20 };
  static char flood[SIZE];
  memset(flood, ' ', SIZE);
  memcpy(flood, "HTTP/1.1 200 OK\r\n\r\n", 19);
  http_fixture_reply_bytes(b->server, flood, SIZE);
  assert_int_equal(ask(b, &b->client), TENON_LIMITED);
}

static void sources_that_cannot_be_asked(void **state) {
  bench *b = *state;
  tenon_token_source s = b->client;
  s.token_url = NULL;
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s.token_url = "http://idp.example/token";   /* in clear */
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  assert_non_null(strstr(b->err.remedy, "https://"));
  s.token_url = "http://127.0.0.1@idp.example/token";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s.token_url = "http://127.0.0.1.idp.example/token";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s.token_url = "ftp://127.0.0.1/token";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s = b->client;
  s.client_secret = "";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s = b->client;
  s.scope = "a\r\nb";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s = b->grant;
  s.grant = "../mail";
  assert_int_equal(ask(b, &s), TENON_CONFIG);
  s = b->grant;
  assert_int_equal(ask(b, &s), TENON_NOT_FOUND);
  assert_non_null(strstr(b->err.remedy, "authorize"));
  assert_int_equal(b->server->connection_count, 0);
}

static void addresses_that_may_not_be_gone_to(void **state) {
  bench *b = *state;
  tn_egress *egress;
  tenon_ctx *ctx;
  assert_int_equal(tn_egress_new("public-only", NULL, &egress, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(b->ctx, -1, &ctx, NULL), TENON_OK);
  tn_ctx_restrict(ctx, egress);
  assert_int_equal(tn_token(ctx, &b->client, 0, &b->token, &b->err), TENON_FORBIDDEN);
  assert_int_equal(b->server->connection_count, 0);
  /* who may go there is not told what another was refused */
  reply_token(b, "a1", NULL, 3600);
  asked(b, &b->client, "a1");
  tenon_ctx_free(ctx);
  tn_egress_free(egress);
}

/* ---- Tokens that are refused ---- */

static void one_more_for_a_refused_token(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 3600);
  reply_token(b, "a2", NULL, 3600);
  asked(b, &b->client, "a1");
  assert_int_equal(tn_token_refused(b->ctx, &b->client, "a0", &b->err), TENON_OK);   /* somebody's old one */
  asked(b, &b->client, "a1");
  for (int i = 0; i < 3; i++) assert_int_equal(tn_token_refused(b->ctx, &b->client, "a1", &b->err), TENON_OK);
  asked(b, &b->client, "a2");
  assert_int_equal(tn_token_refused(b->ctx, &b->client, "a1", &b->err), TENON_OK);
  asked(b, &b->client, "a2");
  /* the new one, too: it is not the token */
  assert_int_equal(tn_token_refused(b->ctx, &b->client, "a2", &b->err), TENON_UNAUTHENTICATED);
  assert_non_null(strstr(b->err.remedy, "scope"));
  asked(b, &b->client, "a2");
  assert_int_equal(b->server->request_count, 2);
  tn_token_clock_advance(61000);
  reply_token(b, "a3", NULL, 3600);
  assert_int_equal(tn_token_refused(b->ctx, &b->client, "a2", &b->err), TENON_OK);
  asked(b, &b->client, "a3");
}

static void a_refused_token_of_a_grant(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "a2", "r3", 3600);
  asked(b, &b->grant, "a1");
  assert_int_equal(tn_token_refused(b->ctx, &b->grant, "a1", &b->err), TENON_OK);
  asked(b, &b->grant, "a2");
  sent(b, 1, "refresh_token=r2");
  assert_int_equal(b->server->request_count, 2);
}

/* ---- Grants ---- */

static void rotation(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "a2", NULL, 3600);
  reply_token(b, "a3", "r4", 3600);
  asked(b, &b->grant, "a1");
  asked(b, &b->grant, "a1");
  tn_token_clock_advance(3600000 - 29000);
  asked(b, &b->grant, "a2");
  tn_token_clock_advance(3600000 - 29000);
  asked(b, &b->grant, "a3");
  sent(b, 0, "grant_type=refresh_token&refresh_token=r1");
  sent(b, 1, "refresh_token=r2");
  sent(b, 2, "refresh_token=r2");   /* no new one had come */
  tn_grant g = kept(b);
  assert_string_equal(g.refresh_token, "r4");
  assert_string_equal(g.access_token, "a3");
  assert_true(g.pending_ms == 0);
  tn_grant_release(&g);
}

/* Another keeper on the same store is another process. */
static tn_tokens *another(bench *b) {
  const tenon_token_store store = {.struct_size = sizeof store, .self = &b->shelf, .lock = shelf_lock,
                                   .unlock = shelf_unlock, .load = shelf_load, .save = shelf_save};
  tn_tokens *other;
  assert_int_equal(tn_tokens_new(&store, &other, NULL), TENON_OK);
  return other;
}

static void another_process_finds_the_token(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  asked(b, &b->grant, "a1");
  tn_tokens *own = b->tokens, *other = another(b);
  tn_ctx_set_tokens(b->ctx, other);
  int locks = b->shelf.locks;
  asked(b, &b->grant, "a1");
  assert_int_equal(b->server->request_count, 1);
  assert_int_equal(b->shelf.locks, locks);   /* nor does it wait for anybody */
  tn_ctx_set_tokens(b->ctx, own);
  tn_tokens_free(other);
}

static void a_service_that_is_ill_costs_no_grant(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply(b, "503 Busy", "busy");
  reply(b, "500 Oops", "{\"error\":\"invalid_grant\"}");
  http_fixture_reply(b->server, "");   /* closes without a word */
  reply_token(b, "a1", "r2", 3600);
  assert_int_equal(ask(b, &b->grant), TENON_UNREACHABLE);
  assert_true(b->err.retryable);
  tn_grant g = kept(b);
  assert_true(g.pending_ms == 0);   /* it answered: nothing was changed */
  tn_grant_release(&g);
  assert_int_equal(ask(b, &b->grant), TENON_IO);
  assert_true(b->err.retryable);
  assert_int_equal(ask(b, &b->grant), TENON_UNREACHABLE);
  g = kept(b);
  assert_true(g.pending_ms != 0);   /* who knows */
  assert_string_equal(g.refresh_token, "r1");
  tn_grant_release(&g);
  asked(b, &b->grant, "a1");
  sent(b, 3, "refresh_token=r1");
}

static void a_refused_grant_is_not_sent_again(void **state) {
  bench *b = *state;
  put(b, "hush-refresh");
  reply(b, "400 Bad", "{\"error\":\"invalid_grant\",\"error_description\":\"revoked hush-refresh\"}");
  for (int i = 0; i < 3; i++) {
    assert_int_equal(ask(b, &b->grant), TENON_UNAUTHENTICATED);
    assert_non_null(strstr(b->err.message, "invalid_grant"));
    assert_non_null(strstr(b->err.remedy, "authorize again"));
    assert_false(b->err.retryable);
  }
  assert_int_equal(b->server->request_count, 1);
  put(b, "new");
  reply_token(b, "a1", NULL, 3600);
  asked(b, &b->grant, "a1");
  sent(b, 1, "refresh_token=new");
}

static void what_came_with_a_strange_reply_is_kept(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply(b, "200 OK", "{\"access_token\":\"a1\",\"token_type\":\"DPoP\",\"refresh_token\":\"r2\"}");
  reply_token(b, "a2", NULL, 3600);
  assert_int_equal(ask(b, &b->grant), TENON_UNSUPPORTED);
  asked(b, &b->grant, "a2");
  sent(b, 1, "refresh_token=r2");
}

/* The store is tried before the refresh token is sent. */
static void a_store_that_cannot_be_written_costs_no_grant(void **state) {
  bench *b = *state;
  put(b, "r1");
  b->shelf.fail_save = 1;
  assert_int_equal(ask(b, &b->grant), TENON_LIMITED);
  assert_non_null(strstr(b->err.message, "the disk is full"));
  assert_int_equal(b->server->connection_count, 0);
  b->shelf.fail_save = 0;
  reply_token(b, "a1", "r2", 3600);
  asked(b, &b->grant, "a1");
}

/* Full between the two: then it is lost, and that is said; the token is not used. */
static void a_grant_that_cannot_be_stored_is_lost(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply(b, "400 Bad", "{\"error\":\"invalid_grant\"}");
  b->shelf.fail_save = 2;
  assert_int_equal(ask(b, &b->grant), TENON_LIMITED);
  assert_non_null(strstr(b->err.message, "could not be stored"));
  assert_non_null(strstr(b->err.remedy, "authorize again"));
  assert_false(b->err.retryable);
  b->shelf.fail_save = 0;
  assert_int_equal(ask(b, &b->grant), TENON_UNAUTHENTICATED);
  assert_non_null(strstr(b->err.message, "is lost"));
  assert_non_null(strstr(b->err.remedy, "authorize again"));
}

static void *mend(void *arg) {
  shelf *s = arg;
  for (int i = 0; i < 500; i++) {   /* when the second save has failed */
    usleep(2000);
    pthread_mutex_lock(&s->lock);
    bool failed = s->fail_save == 1;
    if (failed) s->fail_save = 0;
    pthread_mutex_unlock(&s->lock);
    if (failed) break;
  }
  return NULL;
}

static void a_disk_that_is_full_for_a_moment(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  b->shelf.fail_save = 2;
  pthread_t mender;
  assert_int_equal(pthread_create(&mender, NULL, mend, &b->shelf), 0);
  asked(b, &b->grant, "a1");
  pthread_join(mender, NULL);
}

static void grants_go_only_where_they_came_from(void **state) {
  bench *b = *state;
  assert_int_equal(tn_tokens_put(b->ctx, b->tokens, "mail", "https://other/token", "conn", "r1", NULL), TENON_OK);
  assert_int_equal(ask(b, &b->grant), TENON_CONFIG);
  assert_non_null(strstr(b->err.message, "token_url"));
  assert_int_equal(b->server->connection_count, 0);
}

static void grants_are_put_in_and_removed(void **state) {
  bench *b = *state;
  assert_int_equal(tn_tokens_remove(b->ctx, b->tokens, "mail", NULL), TENON_NOT_FOUND);
  assert_int_equal(tn_tokens_put(b->ctx, b->tokens, "a/b", b->url, "conn", "r", NULL), TENON_CONFIG);
  assert_int_equal(tn_tokens_put(b->ctx, b->tokens, "mail", b->url, "conn", "a\nb", NULL), TENON_CONFIG);
  assert_int_equal(tn_tokens_put(b->ctx, b->tokens, "mail", NULL, "conn", "r", NULL), TENON_CONFIG);
  static const char *const bad[] = {"not a url", "example.com/token", "ftp://h/token", "https://", "https:///token", "https://u:p@h/token",
                                    "https://h/a b", "https://h/token#x", "http://example.com/token", "http://localhost.evil/t",
                                    "http://127.0.0.1.evil/t", "http://127.example/", "http://[::2]/"};
  static const char *const good[] = {"https://h", "HTTPS://h:1/t?x=1", "http://localhost/t", "http://127.9.9.9:80?x", "http://[::1]:1/t"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    b->err = (tenon_error)TENON_ERROR_INIT;
    if (tn_tokens_put(b->ctx, b->tokens, "mail", bad[i], "conn", "r", &b->err) != TENON_CONFIG) fail_msg("%s", bad[i]);
    assert_non_null(strstr(b->err.message, "token_url"));
  }
  assert_int_equal(tn_tokens_remove(b->ctx, b->tokens, "mail", NULL), TENON_NOT_FOUND);   /* none of them was kept */
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    if (tn_tokens_put(b->ctx, b->tokens, "mail", good[i], "conn", "r", NULL)) fail_msg("%s", good[i]);
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "b1", "s2", 3600);
  asked(b, &b->grant, "a1");
  put(b, "s1");   /* another person's: the old token is not used for it */
  asked(b, &b->grant, "b1");
  assert_int_equal(tn_tokens_remove(b->ctx, b->tokens, "mail", NULL), TENON_OK);
  assert_int_equal(ask(b, &b->grant), TENON_NOT_FOUND);
}

/* ---- Many at once ---- */

enum { THREADS = 16 };

typedef struct asker {
  bench *b;
  const tenon_token_source *source;
  pthread_t thread;
  tenon_ctx *ctx;
  tenon_status status;
  tenon_error err;
  tenon_token token;
  int64_t ms;
  atomic_int *started;
} asker;

static void *ask_on_thread(void *arg) {
  asker *a = arg;
  atomic_fetch_add(a->started, 1);
  while (atomic_load(a->started) < THREADS) sched_yield();
  int64_t began = tn_now_ms();
  a->status = tn_token(a->ctx, a->source, 0, &a->token, &a->err);
  a->ms = tn_now_ms() - began;
  return NULL;
}

static asker *start(bench *b, const tenon_token_source *source) {
  static atomic_int started;
  atomic_store(&started, 0);
  asker *all = calloc(THREADS, sizeof *all);
  for (int i = 0; i < THREADS; i++) {
    all[i] = (asker){.b = b, .source = source, .ctx = new_ctx(b, 10000), .err = TENON_ERROR_INIT, .started = &started};
    assert_int_equal(pthread_create(&all[i].thread, NULL, ask_on_thread, &all[i]), 0);
  }
  return all;
}

static void join(asker *all) {
  for (int i = 0; i < THREADS; i++) pthread_join(all[i].thread, NULL);
}

static void drop(asker *all) {
  for (int i = 0; i < THREADS; i++) tenon_ctx_free(all[i].ctx);
  free(all);
}

static void one_request_for_all(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "c1", NULL, 3600);
  asker *grant = start(b, &b->grant);
  join(grant);
  asker *client = start(b, &b->client);
  join(client);
  for (int i = 0; i < THREADS; i++) {
    assert_string_equal(grant[i].token.text, "a1");
    assert_string_equal(client[i].token.text, "c1");
  }
  assert_int_equal(b->server->request_count, 2);
  drop(grant);
  drop(client);
}

static void hold(bench *b, bool on) {
  pthread_mutex_lock(&b->server->lock);
  b->server->held = on;
  pthread_mutex_unlock(&b->server->lock);
}

static int seen_requests(bench *b) {
  pthread_mutex_lock(&b->server->lock);
  int n = b->server->request_count;
  pthread_mutex_unlock(&b->server->lock);
  return n;
}

static void wait_for_request(bench *b) {
  for (int i = 0; i < 2000 && seen_requests(b) == 0; i++) usleep(2000);
  assert_int_equal(seen_requests(b), 1);
}

/* Whoever caused the request goes away, and most others: who stays gets the token. */
static void who_goes_away_spoils_nothing(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 3600);
  reply_token(b, "a1", NULL, 3600);
  hold(b, true);
  asker *all = start(b, &b->client);
  wait_for_request(b);
  for (int i = 1; i < THREADS; i++) {
    int64_t began = tn_now_ms();
    tenon_ctx_cancel(all[i].ctx);
    pthread_join(all[i].thread, NULL);
    assert_int_equal(all[i].status, TENON_CANCELLED);
    assert_true(tn_now_ms() - began < 250);
  }
  hold(b, false);
  pthread_join(all[0].thread, NULL);
  assert_int_equal(all[0].status, TENON_OK);
  assert_string_equal(all[0].token.text, "a1");
  drop(all);
}

static void each_has_its_own_deadline(void **state) {
  bench *b = *state;
  http_fixture_reply(b->server, NULL);
  tenon_ctx *ctx = new_ctx(b, 200);
  int64_t began = tn_now_ms();
  assert_int_equal(tn_token(ctx, &b->client, 0, &b->token, &b->err), TENON_TIMEOUT);
  assert_int_equal(b->err.stage, TENON_STAGE_QUERY);   /* it was connected, and had asked */
  assert_non_null(strstr(b->err.message, "/token: no reply in time"));
  assert_true(tn_now_ms() - began < 1200);
  tenon_ctx_free(ctx);
}

/* With a refresh token on its way, that goes on. */
static void a_deadline_with_a_grant_at_stake(void **state) {
  bench *b = *state;
  put(b, "r1");
  hold(b, true);
  reply_token(b, "a1", "r2", 3600);
  tenon_ctx *ctx = new_ctx(b, 300);
  assert_int_equal(tn_token(ctx, &b->grant, 0, &b->token, &b->err), TENON_TIMEOUT);
  assert_int_equal(b->err.stage, TENON_STAGE_AUTH);
  assert_non_null(strstr(b->err.message, "waiting for a token"));
  tenon_ctx_free(ctx);
  hold(b, false);
  asked(b, &b->grant, "a1");
  assert_int_equal(b->server->request_count, 1);
}

static void *stay_until_the_end(void *arg) {
  asker *a = arg;
  a->status = tn_token(a->ctx, a->source, 0, &a->token, &a->err);
  return NULL;
}

/* A refresh token was sent, then everybody went away: the answer is kept all the same. */
static void an_answer_that_nobody_waits_for_is_kept(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  hold(b, true);
  asker a = {.b = b, .source = &b->grant, .ctx = new_ctx(b, 10000), .err = TENON_ERROR_INIT};
  assert_int_equal(pthread_create(&a.thread, NULL, stay_until_the_end, &a), 0);
  wait_for_request(b);
  tenon_ctx_cancel(a.ctx);
  pthread_join(a.thread, NULL);
  assert_int_equal(a.status, TENON_CANCELLED);
  hold(b, false);
  tn_tokens_free(b->tokens);   /* waits for it */
  b->tokens = NULL;
  tn_grant g = kept(b);
  assert_string_equal(g.refresh_token, "r2");
  assert_string_equal(g.access_token, "a1");
  tn_grant_release(&g);
  tenon_ctx_free(a.ctx);
}

/* Waiting for another process's refresh ends with the caller's context. */
static void waiting_for_another_process(void **state) {
  bench *b = *state;
  put(b, "r1");
  pthread_mutex_lock(&b->shelf.held);
  asker a = {.b = b, .source = &b->grant, .ctx = new_ctx(b, 10000), .err = TENON_ERROR_INIT};
  assert_int_equal(pthread_create(&a.thread, NULL, stay_until_the_end, &a), 0);
  usleep(50000);
  int64_t began = tn_now_ms();
  tenon_ctx_cancel(a.ctx);
  pthread_join(a.thread, NULL);
  assert_int_equal(a.status, TENON_CANCELLED);
  assert_true(tn_now_ms() - began < 250);
  pthread_mutex_unlock(&b->shelf.held);
  assert_int_equal(b->server->connection_count, 0);
  tenon_ctx_free(a.ctx);
}

static size_t open_descriptors(void) {
  size_t n = 0;
  DIR *d = opendir("/proc/self/fd");
  while (readdir(d)) n++;
  closedir(d);
  return n;
}

/* It stays refused: what one process replaced, the next does not replace again. */
static void a_refused_token_in_another_process(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "a2", "r3", 3600);
  reply_token(b, "a3", "r4", 3600);
  asked(b, &b->grant, "a1");
  assert_int_equal(tn_token_refused(b->ctx, &b->grant, "a1", &b->err), TENON_OK);
  asked(b, &b->grant, "a2");
  for (int i = 0; i < 3; i++) {
    tn_tokens *other = another(b), *own = b->tokens;
    tn_ctx_set_tokens(b->ctx, other);
    asked(b, &b->grant, "a2");
    tenon_status status = tn_token_refused(b->ctx, &b->grant, "a2", &b->err);
    assert_int_equal(status, i < 2 ? TENON_UNAUTHENTICATED : TENON_OK);
    asked(b, &b->grant, i < 2 ? "a2" : "a3");
    tn_ctx_set_tokens(b->ctx, own);
    tn_tokens_free(other);
    tn_token_clock_advance(31000);
  }
  assert_int_equal(b->server->request_count, 3);
}

static void nothing_is_left_open(void **state) {
  bench *b = *state;
  put(b, "r1");
  reply(b, "503 Busy", "busy");
  reply_token(b, "a1", "r2", 0);
  reply_token(b, "a2", "r3", 3600);
  assert_int_equal(ask(b, &b->grant), TENON_UNREACHABLE);
  asked(b, &b->grant, "a1");
  /* what the first request opened for the process stays */
  size_t before = 0, after = 1;
  for (int i = 0; i < 200 && before != after; i++) {
    before = open_descriptors();
    usleep(20000);
    after = open_descriptors();
  }
  asked(b, &b->grant, "a2");
  for (int i = 0; i < 100 && open_descriptors() != before; i++) usleep(10000);
  assert_int_equal(open_descriptors(), before);
}

/* A token that could not be renewed early is used to its end. */
static void an_old_token_is_better_than_none(void **state) {
  bench *b = *state;
  reply_token(b, "a1", NULL, 100);
  reply(b, "503 Busy", "busy");
  reply(b, "503 Busy", "busy");
  asked(b, &b->client, "a1");
  tn_token_clock_advance(75000);
  asked(b, &b->client, "a1");
  assert_int_equal(b->server->request_count, 2);
  tn_token_clock_advance(24000);   /* a second is too little to use it in */
  assert_int_equal(ask(b, &b->client), TENON_UNREACHABLE);
  assert_int_equal(b->server->request_count, 3);
}

/* Whether the n-th allocation of an ask was made, and failed: that is said, and nothing leaks or is half kept. */
static bool fail_allocation(int n, bool by_grant) {
  void *own;
  set_up(&own);
  bench *b = own;
  const tenon_token_source *source = by_grant ? &b->grant : &b->client;
  put(b, "r1");
  reply_token(b, "a1", "r2", 3600);
  reply_token(b, "a2", "r3", 3600);
  b->err = (tenon_error)TENON_ERROR_INIT;
  tn_mem_fail_at(n, 0);
  tenon_status status = tn_token(b->ctx, source, 0, &b->token, &b->err);
  bool was_reached = tn_mem_count() >= n;
  tn_mem_fail_at(0, 0);
  if (status) assert_int_equal(status, TENON_LIMITED);
  if (status && !by_grant) assert_int_equal(ask(b, source), TENON_OK);
  tear_down(&own);
  return was_reached;
}

static void no_memory(void **state) {
  (void)state;
  for (int by_grant = 0; by_grant < 2; by_grant++) {
    int n = 1;
    while (fail_allocation(n, by_grant)) n++;
    assert_in_range(n, 20, 500);
  }
}

/* Without a keeper of a handle there is one of the process: tokens of clients, no grants. */
static void contexts_without_a_handle(void **state) {
  bench *b = *state;
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  reply_token(b, "a1", NULL, 3600);
  assert_int_equal(tn_token(ctx, &b->client, 0, &b->token, NULL), TENON_OK);
  assert_string_equal(b->token.text, "a1");
  assert_int_equal(tn_token(ctx, &b->grant, 0, &b->token, &b->err), TENON_CONFIG);
  assert_non_null(strstr(b->err.message, "no store"));
  tenon_ctx_free(ctx);
}

#define WITH_BENCH(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void) {
  const struct CMUnitTest tests[] = {
      WITH_BENCH(a_client_asks_once),
      WITH_BENCH(sources_do_not_share),
      WITH_BENCH(short_lives),
      WITH_BENCH(long_needs),
      WITH_BENCH(a_client_that_is_not_known),
      WITH_BENCH(an_endpoint_with_a_key_in_its_url),
      WITH_BENCH(replies_that_are_none),
      WITH_BENCH(floods_end),
      WITH_BENCH(sources_that_cannot_be_asked),
      WITH_BENCH(addresses_that_may_not_be_gone_to),
      WITH_BENCH(one_more_for_a_refused_token),
      WITH_BENCH(a_refused_token_of_a_grant),
      WITH_BENCH(rotation),
      WITH_BENCH(another_process_finds_the_token),
      WITH_BENCH(a_refused_token_in_another_process),
      WITH_BENCH(a_service_that_is_ill_costs_no_grant),
      WITH_BENCH(a_refused_grant_is_not_sent_again),
      WITH_BENCH(what_came_with_a_strange_reply_is_kept),
      WITH_BENCH(a_store_that_cannot_be_written_costs_no_grant),
      WITH_BENCH(a_grant_that_cannot_be_stored_is_lost),
      WITH_BENCH(a_disk_that_is_full_for_a_moment),
      WITH_BENCH(grants_go_only_where_they_came_from),
      WITH_BENCH(grants_are_put_in_and_removed),
      WITH_BENCH(one_request_for_all),
      WITH_BENCH(who_goes_away_spoils_nothing),
      WITH_BENCH(each_has_its_own_deadline),
      WITH_BENCH(a_deadline_with_a_grant_at_stake),
      WITH_BENCH(an_answer_that_nobody_waits_for_is_kept),
      WITH_BENCH(waiting_for_another_process),
      WITH_BENCH(nothing_is_left_open),
      WITH_BENCH(an_old_token_is_better_than_none),
      WITH_BENCH(contexts_without_a_handle),
      cmocka_unit_test(no_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
