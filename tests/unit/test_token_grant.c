/* SPDX-License-Identifier: Apache-2.0 */
/* Grants, replies of token endpoints, and the files that grants lie in: without a network. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/private_file.h"
#include "net/token_grant.h"

enum { NOW = 1800000000 };
#define NOW_MS ((int64_t)NOW * 1000)

/* ---- Requests ---- */

static const tenon_token_source client = {.struct_size = sizeof client, .token_url = "https://idp/token", .client_id = "id:1",
                                          .client_secret = "s e&c", .scope = "a b", .audience = "https://api/"};

static void requests_are_encoded(void **state) {
  (void)state;
  tn_str s;
  tenon_token_source post = client;
  post.auth = TENON_TOKEN_POST;
  tn_str_init(&s, 4096);
  assert_true(tn_token_request_body(&s, &client, NULL));
  assert_string_equal(s.data, "grant_type=client_credentials&scope=a%20b&audience=https%3A%2F%2Fapi%2F");
  tn_str_clear(&s);
  assert_true(tn_token_request_body(&s, &post, "r+1"));
  assert_string_equal(s.data, "grant_type=refresh_token&refresh_token=r%2B1&scope=a%20b&audience=https%3A%2F%2Fapi%2F"
                              "&client_id=id%3A1&client_secret=s%20e%26c");
  tn_str_clear(&s);
  assert_true(tn_token_basic(&s, "id:1", "s e&c"));   /* id%3A1:s%20e%26c */
  assert_string_equal(s.data, "Basic aWQlM0ExOnMlMjBlJTI2Yw==");
  tn_str_release(&s);
}

/* ---- Replies ---- */

typedef struct reply_case {
  const char *text;
  tenon_status status;
  int64_t lifetime_ms;
  const char *refresh, *said;
} reply_case;

static void replies(void **state) {
  (void)state;
  static const reply_case cases[] = {
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":60}", TENON_OK, 60000, NULL, NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"bearer\",\"expires_in\":\"60\",\"refresh_token\":\"r\",\"more\":[1]}", TENON_OK,
       60000, "r", NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"BEARER\"}", TENON_OK, TN_TOKEN_LIFETIME_MS, NULL, NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":null,\"refresh_token\":null}", TENON_OK,
       TN_TOKEN_LIFETIME_MS, NULL, NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":1e300}", TENON_OK, INT64_C(31622400000), NULL, NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":0}", TENON_OK, 0, NULL, NULL},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":-1}", TENON_DATA, 0, NULL, "expires_in"},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":\"soon\"}", TENON_DATA, 0, NULL, "expires_in"},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"expires_in\":[]}", TENON_DATA, 0, NULL, "expires_in"},
      {"{\"access_token\":\"t\",\"token_type\":\"DPoP\",\"refresh_token\":\"kept\"}", TENON_UNSUPPORTED, 0, "kept", "DPoP"},
      {"{\"access_token\":\"t\"}", TENON_UNSUPPORTED, 0, NULL, "token_type"},
      {"{\"token_type\":\"Bearer\",\"refresh_token\":\"kept\"}", TENON_DATA, 0, "kept", "access_token"},
      {"{\"access_token\":\"\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "access_token"},
      {"{\"access_token\":\"a b\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "access_token"},
      {"{\"access_token\":\"a\\r\\nX: y\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "access_token"},
      {"{\"access_token\":\"a\\u0000b\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "JSON"},
      {"{\"access_token\":\"\\u00e4\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "access_token"},
      {"{\"access_token\":7,\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "access_token"},
      {"{\"access_token\":\"t\",\"token_type\":\"Bearer\",\"refresh_token\":\"a\\nb\"}", TENON_DATA, 0, NULL, "refresh_token"},
      {"{\"access_token\":\"t\",\"access_token\":\"u\",\"token_type\":\"Bearer\"}", TENON_DATA, 0, NULL, "JSON"},
      {"<html>Sign in to the network</html>", TENON_DATA, 0, NULL, "JSON"},
      {"access_token=t&token_type=bearer", TENON_DATA, 0, NULL, "JSON"},
      {"[]", TENON_DATA, 0, NULL, "object"},
      {"", TENON_DATA, 0, NULL, "JSON"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    const reply_case *c = &cases[i];
    tn_token_reply r;
    tenon_error err = TENON_ERROR_INIT;
    if (tn_token_reply_read(c->text, strlen(c->text), &r, &err) != c->status) fail_msg("%s: %s", c->text, err.message);
    if (!c->status) {
      assert_string_equal(r.access_token, "t");
      assert_true(r.lifetime_ms == c->lifetime_ms);
    } else {
      assert_null(r.access_token);
      assert_non_null(strstr(err.message, c->said));
      assert_true(*err.remedy);
    }
    if (c->refresh) assert_string_equal(r.refresh_token, c->refresh);
    else assert_null(r.refresh_token);
    tn_token_reply_release(&r);
  }
}

static void long_tokens_are_refused(void **state) {
  (void)state;
  static char text[TENON_TOKEN_ROOM + 100];
  tn_token_reply r;
  tenon_error err = TENON_ERROR_INIT;
  int n = snprintf(text, sizeof text, "{\"token_type\":\"Bearer\",\"access_token\":\"%0*d\"}", TENON_TOKEN_ROOM - 1, 0);
  assert_int_equal(tn_token_reply_read(text, (size_t)n, &r, &err), TENON_OK);
  tn_token_reply_release(&r);
  n = snprintf(text, sizeof text, "{\"token_type\":\"Bearer\",\"access_token\":\"%0*d\"}", TENON_TOKEN_ROOM, 0);
  assert_int_equal(tn_token_reply_read(text, (size_t)n, &r, &err), TENON_DATA);
  tn_token_reply_release(&r);
}

static void errors_in_the_service_s_words(void **state) {
  (void)state;
  tn_token_error e;
  tenon_error err = TENON_ERROR_INIT;
  static const char grant[] = "{\"error\":\"invalid_grant\",\"error_description\":\"revoked\\n\\u001b[31m\\u00e4\"}";
  assert_true(tn_token_error_read(grant, sizeof grant - 1, &e));
  assert_true(tn_token_error_is_grant(&e));
  assert_string_equal(e.said, "revoked??[31m??");
  assert_int_equal(tn_token_error_fail(&e, "https://idp/token", &err), TENON_UNAUTHENTICATED);
  assert_string_equal(err.message, "https://idp/token: invalid_grant: revoked??[31m??");
  assert_non_null(strstr(err.remedy, "authorize again"));
  assert_int_equal(err.retryable, 0);
  static const char *const none[] = {"{}", "{\"error\":\"\"}", "{\"error\":{\"code\":1}}", "[\"error\"]", "error", ""};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
    assert_false(tn_token_error_read(none[i], strlen(none[i]), &e));
  static const struct {
    const char *word;
    tenon_status code;
    int retryable;
  } words[] = {{"invalid_client", TENON_UNAUTHENTICATED, 0}, {"unauthorized_client", TENON_FORBIDDEN, 0},
               {"invalid_scope", TENON_FORBIDDEN, 0}, {"unsupported_grant_type", TENON_UNSUPPORTED, 0},
               {"invalid_request", TENON_CONFIG, 0}, {"temporarily_unavailable", TENON_UNREACHABLE, 1},
               {"slow_down", TENON_LIMITED, 1}, {"never_heard_of", TENON_UNAUTHENTICATED, 0}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
    err = (tenon_error)TENON_ERROR_INIT;
    e = (tn_token_error){0};
    snprintf(e.word, sizeof e.word, "%s", words[i].word);
    assert_int_equal(tn_token_error_fail(&e, "u", &err), words[i].code);
    assert_int_equal(err.retryable, words[i].retryable);
    assert_true(*err.remedy);
  }
}

/* ---- Grants ---- */

static const tenon_token_source mail = {
    .struct_size = sizeof mail, .grant = "mail", .token_url = "https://idp/token", .client_id = "conn", .scope = "send"};

static tn_grant begun(void) {
  tn_grant g;
  assert_int_equal(tn_grant_begin(&g, "https://idp/token", "conn", "r1", NULL), TENON_OK);
  return g;
}

static void renew(tn_grant *g, const char *access, const char *refresh, int64_t lifetime_ms, int64_t now_ms) {
  tn_token_reply r;
  tn_token_reply_init(&r);
  r.access_token = access;
  r.refresh_token = refresh;
  r.lifetime_ms = lifetime_ms;
  const tn_grant_ask ask = {.source = &mail, .now_ms = now_ms};
  assert_int_equal(tn_grant_renew(g, &r, &ask, NULL), TENON_OK);
  tn_token_reply_release(&r);
}

static tn_grant_step step_of(const tn_grant *g, int64_t now_ms, int64_t valid_ms, const char *refused) {
  tn_grant_step step = TN_GRANT_USE;
  const tn_grant_ask ask = {.source = &mail, .now_ms = now_ms, .valid_ms = valid_ms, .refused = refused};
  assert_int_equal(tn_grant_decide(g, &ask, &step, NULL), TENON_OK);
  return step;
}

static void when_a_grant_is_refreshed(void **state) {
  (void)state;
  tn_grant g = begun();
  assert_int_equal(step_of(&g, NOW_MS, 0, NULL), TN_GRANT_REFRESH);
  renew(&g, "a1", "r2", 3600000, NOW_MS);
  assert_string_equal(g.refresh_token, "r2");
  assert_int_equal(step_of(&g, NOW_MS, 0, NULL), TN_GRANT_USE);
  assert_int_equal(step_of(&g, NOW_MS + 3569000, 0, NULL), TN_GRANT_USE);
  assert_int_equal(step_of(&g, NOW_MS + 3571000, 0, NULL), TN_GRANT_REFRESH);        /* 30 s early */
  assert_int_equal(step_of(&g, NOW_MS + 3500000, 120000, NULL), TN_GRANT_REFRESH);   /* or as long as it is needed */
  assert_int_equal(step_of(&g, NOW_MS, 86400000, NULL), TN_GRANT_USE);               /* longer than any lives */
  assert_int_equal(step_of(&g, NOW_MS, 0, "a1"), TN_GRANT_REFRESH);
  assert_int_equal(step_of(&g, NOW_MS, 0, "a0"), TN_GRANT_USE);
  /* the clock was set: forward, back a little, back far */
  assert_int_equal(step_of(&g, NOW_MS + INT64_C(100000000000), 0, NULL), TN_GRANT_REFRESH);
  assert_int_equal(step_of(&g, NOW_MS - 30000, 0, NULL), TN_GRANT_USE);
  assert_int_equal(step_of(&g, NOW_MS - 300000, 0, NULL), TN_GRANT_REFRESH);
  renew(&g, "a2", NULL, 5000, NOW_MS);
  assert_string_equal(g.refresh_token, "r2");   /* no new one: the old one stays */
  assert_int_equal(step_of(&g, NOW_MS + 2000, 0, NULL), TN_GRANT_USE);   /* of 5 s, half is early enough */
  assert_int_equal(step_of(&g, NOW_MS + 2600, 0, NULL), TN_GRANT_REFRESH);
  renew(&g, "a3", NULL, 0, NOW_MS);
  assert_int_equal(step_of(&g, NOW_MS, 0, NULL), TN_GRANT_REFRESH);
  renew(&g, NULL, "r3", 3600000, NOW_MS);   /* a new refresh token that came with nothing else of use */
  assert_string_equal(g.refresh_token, "r3");
  assert_int_equal(step_of(&g, NOW_MS, 0, NULL), TN_GRANT_REFRESH);
  tn_grant_release(&g);
}

static void tokens_are_for_what_they_were_asked_for(void **state) {
  (void)state;
  tn_grant g = begun();
  tn_grant_step step;
  tenon_error err = TENON_ERROR_INIT;
  renew(&g, "a1", NULL, 3600000, NOW_MS);
  tenon_token_source other = mail;
  tn_grant_ask ask = {.source = &other, .now_ms = NOW_MS};
  other.scope = "send read";
  assert_int_equal(tn_grant_decide(&g, &ask, &step, NULL), TENON_OK);
  assert_int_equal(step, TN_GRANT_REFRESH);
  other = mail;
  other.audience = "api";
  assert_int_equal(tn_grant_decide(&g, &ask, &step, NULL), TENON_OK);
  assert_int_equal(step, TN_GRANT_REFRESH);
  /* a configuration that points elsewhere does not get the grant sent there */
  other = mail;
  other.token_url = "https://evil/token";
  assert_int_equal(tn_grant_decide(&g, &ask, &step, &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "token_url"));
  other = mail;
  other.client_id = "somebody";
  assert_int_equal(tn_grant_decide(&g, &ask, &step, NULL), TENON_CONFIG);
  tn_grant_release(&g);
}

static void refused_and_lost_grants(void **state) {
  (void)state;
  tn_grant g = begun();
  tn_grant_step step;
  tenon_error err = TENON_ERROR_INIT;
  const tn_grant_ask ask = {.source = &mail, .now_ms = NOW_MS};
  renew(&g, "a1", "r2", 60000, NOW_MS - 60000);
  tn_grant_pend(&g, NOW_MS);
  assert_int_equal(step_of(&g, NOW_MS, 0, NULL), TN_GRANT_REFRESH);   /* it is tried: the service may know it still */
  assert_int_equal(tn_grant_refuse(&g, "invalid_grant", NULL), TENON_OK);
  assert_int_equal(tn_grant_decide(&g, &ask, &step, &err), TENON_UNAUTHENTICATED);
  assert_non_null(strstr(err.message, "the grant mail was refused by the service (invalid_grant)"));
  assert_null(strstr(err.message, "lost"));
  assert_non_null(strstr(err.remedy, "authorize again"));
  tn_grant_release(&g);
  /* somebody was about to refresh it and never said what came of it */
  g = begun();
  g.pending_ms = NOW_MS;
  tn_grant_pend(&g, NOW_MS + 5000);
  assert_int_equal(tn_grant_refuse(&g, "invalid_grant", NULL), TENON_OK);
  err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tn_grant_decide(&g, &ask, &step, &err), TENON_UNAUTHENTICATED);
  assert_non_null(strstr(err.message, "2027-01-15 08:00:00 UTC"));
  assert_non_null(strstr(err.message, "lost"));
  tn_grant_release(&g);
  /* the service did not see it, or failed: nothing is pending */
  g = begun();
  tn_grant_pend(&g, NOW_MS);
  tn_grant_unpend(&g);
  assert_true(g.pending_ms == 0);
  tn_grant_release(&g);
}

static void grants_come_back_as_they_were(void **state) {
  (void)state;
  tn_grant g = begun(), back;
  tn_str text;
  renew(&g, "a1", "r\"\\2", 60000, NOW_MS);
  tn_grant_pend(&g, NOW_MS + 1);
  tn_str_init(&text, TENON_GRANT_ROOM);
  assert_true(tn_grant_print(&g, &text));
  assert_int_equal(tn_grant_parse(text.data, text.size, &back, NULL), TENON_OK);
  assert_string_equal(back.refresh_token, "r\"\\2");
  assert_string_equal(back.access_token, "a1");
  assert_string_equal(back.scope, "send");
  assert_null(back.audience);
  assert_null(back.refused);
  assert_true(back.obtained_ms == NOW_MS && back.expires_ms == NOW_MS + 60000 && back.pending_ms == NOW_MS + 1);
  tn_str_release(&text);
  tn_grant_release(&back);
  tn_grant_release(&g);
}

/* The longest texts that are let in come out again whole. */
static void the_longest_grant_fits(void **state) {
  (void)state;
  static char longest[TENON_TOKEN_ROOM], url[4097];
  memset(longest, '"', sizeof longest - 1);   /* two bytes in JSON */
  memset(url, '"', sizeof url - 1);
  tn_grant g, back;
  tn_str text;
  assert_int_equal(tn_grant_begin(&g, url, url, longest, NULL), TENON_OK);
  renew(&g, longest, longest, 60000, NOW_MS);
  tn_str_init(&text, TENON_GRANT_ROOM);
  assert_true(tn_grant_print(&g, &text));
  assert_int_equal(tn_grant_parse(text.data, text.size, &back, NULL), TENON_OK);
  assert_string_equal(back.refresh_token, longest);
  tn_str_release(&text);
  tn_grant_release(&back);
  tn_grant_release(&g);
}

static void stored_texts_may_be_anything(void **state) {
  (void)state;
  static const char *const bad[] = {
      "", "{", "[]", "null", "{\"tenon_grant\":1}", "{\"tenon_grant\":2}", "{\"tenon_grant\":\"1\"}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":\"\"}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":7}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":\"r\",\"expires_ms\":-1}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":\"r\",\"expires_ms\":\"x\"}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":\"r\",\"access_token\":\"a\\nb\"}",
      "{\"tenon_grant\":1,\"token_url\":\"u\",\"client_id\":\"c\",\"refresh_token\":\"secret\",\"refused\":[]}"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tn_grant g;
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = tn_grant_parse(bad[i], strlen(bad[i]), &g, &err);
    if (status != TENON_DATA && status != TENON_UNSUPPORTED) fail_msg("%s", bad[i]);
    assert_null(strstr(err.message, "secret"));
    assert_true(*err.remedy);
  }
  static const char *const names[] = {"", ".", "..", ".x", "a/b", "a b", "a\n", "\xc3\xa4"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) assert_false(tn_grant_is_name(names[i]));
  assert_true(tn_grant_is_name("ann@example.com") && tn_grant_is_name("A-1_b..c"));
}

/* ---- Files ---- */

typedef struct folder {
  char path[64];
  int fd;
  tenon_ctx *ctx;
} folder;

static int set_up(void **state) {
  folder *f = calloc(1, sizeof *f);
  snprintf(f->path, sizeof f->path, "/tmp/tenon-grants-XXXXXX");
  assert_non_null(mkdtemp(f->path));
  f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &f->ctx, NULL), TENON_OK);
  *state = f;
  return 0;
}

static int tear_down(void **state) {
  folder *f = *state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", f->path);
  assert_int_equal(system(command), 0);
  close(f->fd);
  tenon_ctx_free(f->ctx);
  free(f);
  return 0;
}

static mode_t mode_of(int fd, const char *name) {
  struct stat st;
  assert_int_equal(fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW), 0);
  return st.st_mode & 07777;
}

static void folders_are_their_owner_s_alone(void **state) {
  folder *f = *state;
  char path[128];
  int fd;
  tenon_error err = TENON_ERROR_INIT;
  mode_t before = umask(0);
  snprintf(path, sizeof path, "%s/a/b//c", f->path);
  assert_int_equal(tn_private_folder_open(path, false, &fd, &err), TENON_NOT_FOUND);
  assert_int_equal(tn_private_folder_open(path, true, &fd, NULL), TENON_OK);
  umask(before);
  close(fd);
  assert_int_equal(mode_of(f->fd, "a"), 0700);
  assert_int_equal(mode_of(f->fd, "a/b/c"), 0700);
  assert_int_equal(fchmodat(f->fd, "a", 0750, 0), 0);
  snprintf(path, sizeof path, "%s/a", f->path);
  err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tn_private_folder_open(path, true, &fd, &err), TENON_CONFIG);
  assert_non_null(strstr(err.remedy, "chmod 700"));
  assert_int_equal(symlinkat("a", f->fd, "link"), 0);
  snprintf(path, sizeof path, "%s/link", f->path);
  assert_true(tn_private_folder_open(path, true, &fd, NULL) != TENON_OK);
}

static void files_are_their_owner_s_alone(void **state) {
  folder *f = *state;
  char room[8];
  size_t size = 99;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_private_file_read(f->fd, "x", room, sizeof room, &size, &err), TENON_NOT_FOUND);
  mode_t before = umask(0);
  assert_int_equal(tn_private_file_write(f->fd, "x", "12345678", 8, NULL), TENON_OK);
  umask(before);
  assert_int_equal(mode_of(f->fd, "x"), 0600);
  assert_int_equal(tn_private_file_read(f->fd, "x", room, sizeof room, &size, NULL), TENON_OK);
  assert_int_equal(size, 8);
  assert_int_equal(tn_private_file_read(f->fd, "x", room, 7, &size, NULL), TENON_LIMITED);
  assert_int_equal(fchmodat(f->fd, "x", 0640, 0), 0);
  err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tn_private_file_read(f->fd, "x", room, sizeof room, &size, &err), TENON_CONFIG);
  assert_non_null(strstr(err.remedy, "chmod 600"));
  assert_int_equal(tn_private_file_write(f->fd, "x", "1", 1, NULL), TENON_CONFIG);
  assert_int_equal(symlinkat("x", f->fd, "link"), 0);
  assert_true(tn_private_file_read(f->fd, "link", room, sizeof room, &size, NULL) != TENON_OK);
  assert_int_equal(mkfifoat(f->fd, "pipe", 0600), 0);
  assert_int_equal(tn_private_file_read(f->fd, "pipe", room, sizeof room, &size, NULL), TENON_CONFIG);
  assert_int_equal(tn_private_file_remove(f->fd, "x", NULL), TENON_OK);
  assert_int_equal(tn_private_file_remove(f->fd, "x", NULL), TENON_OK);
}

static void *cancel_soon(void *ctx) {
  usleep(50000);
  tenon_ctx_cancel(ctx);
  return NULL;
}

static void locks_wait_no_longer_than_they_may(void **state) {
  folder *f = *state;
  int first, second = -1;
  tenon_ctx *ctx;
  pthread_t thread;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_private_file_lock(f->ctx, f->fd, "l", &first, NULL), TENON_OK);
  assert_int_equal(mode_of(f->fd, "l"), 0600);
  assert_int_equal(tenon_ctx_new(NULL, 60, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_private_file_lock(ctx, f->fd, "l", &second, &err), TENON_TIMEOUT);
  assert_non_null(strstr(err.message, "another process has l"));
  tenon_ctx_free(ctx);
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ctx), 0);
  int64_t began = tn_now_ms();
  assert_int_equal(tn_private_file_lock(ctx, f->fd, "l", &second, NULL), TENON_CANCELLED);
  assert_true(tn_now_ms() - began < 300);
  pthread_join(thread, NULL);
  tenon_ctx_free(ctx);
  close(first);
  assert_int_equal(tn_private_file_lock(f->ctx, f->fd, "l", &second, NULL), TENON_OK);
  close(second);
}

static void the_lock_of_a_dead_process_is_free(void **state) {
  folder *f = *state;
  int fd, ready[2], status;
  char c;
  assert_int_equal(pipe(ready), 0);
  pid_t child = fork();
  if (child == 0) {
    if (tn_private_file_lock(f->ctx, f->fd, "l", &fd, NULL) || write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  assert_int_equal(read(ready[0], &c, 1), 1);
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, 30, &ctx, NULL), TENON_OK);
  assert_int_equal(tn_private_file_lock(ctx, f->fd, "l", &fd, NULL), TENON_TIMEOUT);
  tenon_ctx_free(ctx);
  kill(child, SIGKILL);
  waitpid(child, &status, 0);
  assert_int_equal(tn_private_file_lock(f->ctx, f->fd, "l", &fd, NULL), TENON_OK);
  close(fd);
  close(ready[0]);
  close(ready[1]);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(requests_are_encoded),
      cmocka_unit_test(replies),
      cmocka_unit_test(long_tokens_are_refused),
      cmocka_unit_test(errors_in_the_service_s_words),
      cmocka_unit_test(when_a_grant_is_refreshed),
      cmocka_unit_test(tokens_are_for_what_they_were_asked_for),
      cmocka_unit_test(refused_and_lost_grants),
      cmocka_unit_test(grants_come_back_as_they_were),
      cmocka_unit_test(the_longest_grant_fits),
      cmocka_unit_test(stored_texts_may_be_anything),
      cmocka_unit_test_setup_teardown(folders_are_their_owner_s_alone, set_up, tear_down),
      cmocka_unit_test_setup_teardown(files_are_their_owner_s_alone, set_up, tear_down),
      cmocka_unit_test_setup_teardown(locks_wait_no_longer_than_they_may, set_up, tear_down),
      cmocka_unit_test_setup_teardown(the_lock_of_a_dead_process_is_free, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
