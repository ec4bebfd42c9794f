/* SPDX-License-Identifier: Apache-2.0 */
/* AUTH: PLAIN (RFC 4616), LOGIN, XOAUTH2. */
#include "smtp.h"

#include <string.h>

static bool is_given(const char *text) { return text && *text; }

static bool by_grant(const tn_smtp_config *c) { return strcmp(c->auth, "oauth_refresh") == 0; }

static bool by_keeper(const tn_smtp_config *c) {
  return by_grant(c) || strcmp(c->auth, "oauth_client_credentials") == 0;
}

bool tn_smtp_has_login(const tn_smtp_config *c) {
  return strcmp(c->auth, "none") != 0 &&
         (by_keeper(c) || is_given(c->username) || is_given(c->password) || is_given(c->token));
}

static tenon_status missing(const char *what, const char *mechanism, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_AUTH,
                    "give it, or auth=none for a server without logins",
                    "%s is not given, and %s needs it", what, mechanism);
}

static tenon_status check_given(const tn_smtp_config *c, const char *mechanism, bool token,
                                tenon_error *err) {
  if (!is_given(c->username)) return missing("username", mechanism, err);
  if (token && !by_keeper(c) && !is_given(c->token)) return missing("token", mechanism, err);
  if (!token && !is_given(c->password)) return missing("password", mechanism, err);
  return TENON_OK;
}

static tenon_status not_offered(const tn_smtp *s, const char *mechanism, tenon_error *err) {
  if (!*s->offers.mechanisms)
    return tenon_fail(
        err, TENON_UNSUPPORTED, TENON_STAGE_AUTH,
        "use the server's port for sending (587 or 465); for a relay without logins say auth=none",
        "%s offers no way to log in on this port", s->config->host);
  return tenon_fail(
      err, TENON_UNSUPPORTED, TENON_STAGE_AUTH,
      strstr(s->offers.mechanisms, "XOAUTH2") ? "get an OAuth token, and give it as token"
                                              : "choose an auth that the server offers",
      "%s does not offer %s, but %s", s->config->host, mechanism, s->offers.mechanisms);
}

/* What is sent is remembered for as long as the login takes: a server may repeat it. */
static void put_base64(tn_smtp *s, const char *command, const void *data, size_t size) {
  tn_str_puts(&s->out, command);
  size_t begin = s->out.size;
  tn_base64_encode(&s->out, data, size);
  if (!s->out.failed) {
    tn_str_clear(&s->told);
    tn_str_add(&s->told, s->out.data + begin, s->out.size - begin);
  }
  tn_str_puts(&s->out, "\r\n");
}

static void forget(tn_str *told) {
  if (told->data) tn_wipe(told->data, told->capacity);
  tn_str_release(told);
}

/* Stars in place of what was sent, and of its beginning where that alone is repeated. */
static void cover(tn_smtp_reply *r, const char *told, size_t size) {
  enum { SHORTEST = 8 };
  size_t least = size < SHORTEST ? size : SHORTEST;
  for (size_t at = 0; least && at < r->text.size;) {
    size_t n = 0, most = r->text.size - at;
    while (n < size && n < most && r->text.data[at + n] == told[n]) n++;
    if (n >= least) memset(r->text.data + at, '*', n);
    at += n >= least ? n : 1;
  }
}

/* A token is covered as it is, too: it is no secret of the connector's where it comes from the keeper. */
static tenon_status send_and_read(tenon_ctx *ctx, tn_smtp *s, const char *token, tenon_error *err) {
  tenon_status status = tn_smtp_flush(ctx, s, err);
  if (s->out.data) tn_wipe(s->out.data, s->out.capacity);
  if (!status) status = tn_smtp_read_any(ctx, s, s->config->timeout_ms, err);
  if (status) return status;
  cover(&s->reply, s->told.data, s->told.size);
  if (token) cover(&s->reply, token, strlen(token));
  return s->reply.code == 421 ? tn_smtp_goodbye(s, err) : TENON_OK;
}

static tenon_status plain(tenon_ctx *ctx, tn_smtp *s, tenon_error *err) {
  const tn_smtp_config *c = s->config;
  tn_str text;
  tn_str_init(&text, 8192);
  bool ok = tn_str_putc(&text, 0) && tn_str_puts(&text, c->username) && tn_str_putc(&text, 0) &&
            tn_str_puts(&text, c->password);
  if (ok) put_base64(s, "AUTH PLAIN ", text.data, text.size);
  if (text.data) tn_wipe(text.data, text.capacity);
  tn_str_release(&text);
  if (!ok) return missing("a username and password of at most 8 KiB", "PLAIN", err);
  return send_and_read(ctx, s, NULL, err);
}

static tenon_status login(tenon_ctx *ctx, tn_smtp *s, tenon_error *err) {
  tenon_status status = tn_smtp_ask(ctx, s, "AUTH LOGIN", err);
  if (status || s->reply.code != 334) return status;
  put_base64(s, "", s->config->username, strlen(s->config->username));
  status = send_and_read(ctx, s, NULL, err);
  if (status || s->reply.code != 334) return status;
  put_base64(s, "", s->config->password, strlen(s->config->password));
  return send_and_read(ctx, s, NULL, err);
}

/* A refusal comes as a challenge first, with the reason in JSON; an empty answer brings the code. */
static tenon_status show_token(tenon_ctx *ctx, tn_smtp *s, const char *token, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, 64 << 10);
  bool ok = tn_str_printf(&text, "user=%s\1auth=Bearer %s\1\1", s->config->username, token);
  if (ok) put_base64(s, "AUTH XOAUTH2 ", text.data, text.size);
  if (text.data) tn_wipe(text.data, text.capacity);
  tn_str_release(&text);
  if (!ok) return missing("a token of at most 64 KiB", "XOAUTH2", err);
  tenon_status status = send_and_read(ctx, s, token, err);
  if (status || s->reply.code != 334) return status;
  tn_smtp_put(s, "%s", "");
  return send_and_read(ctx, s, token, err);
}

static bool is_another_token_worth_it(tenon_ctx *ctx, const tn_smtp *s,
                                      const tenon_token_source *source, const char *bearer) {
  enum { NOT_ACCEPTED = 535 };
  tenon_error why = TENON_ERROR_INIT;
  if (s->reply.code != NOT_ACCEPTED) return false;
  tn_smtp_auth_refused(s, "XOAUTH2", &why);
  return tn_oauth_again(ctx, tn_smtp_host, source, bearer, &why);
}

/* A token may be withdrawn before its time: then there is another one, once. */
static tenon_status keepers_token(tenon_ctx *ctx, tn_smtp *s, tenon_error *err) {
  const tenon_token_source source = tn_oauth_source(&s->config->oauth, by_grant(s->config), NULL);
  for (bool is_first = true;; is_first = false) {
    tn_str bearer;
    tn_str_init(&bearer, TENON_TOKEN_ROOM + 64);
    tenon_status status = tn_oauth_bearer(ctx, tn_smtp_host, &source, &bearer, err);
    if (!status) status = show_token(ctx, s, tn_str_text(&bearer) + strlen("Bearer "), err);
    bool again =
        !status && is_first && is_another_token_worth_it(ctx, s, &source, tn_str_text(&bearer));
    if (bearer.data) tn_wipe(bearer.data, bearer.capacity);
    tn_str_release(&bearer);
    if (!again) return status;
  }
}

static tenon_status xoauth2(tenon_ctx *ctx, tn_smtp *s, tenon_error *err) {
  return by_keeper(s->config) ? keepers_token(ctx, s, err)
                              : show_token(ctx, s, s->config->token, err);
}

typedef tenon_status (*mechanism_fn)(tenon_ctx *, tn_smtp *, tenon_error *);

static const struct mechanism {
  const char *name, *spelled;
  mechanism_fn run;
  bool token;
} mechanisms[] = {{"plain", "PLAIN", plain, false},
                  {"login", "LOGIN", login, false},
                  {"xoauth2", "XOAUTH2", xoauth2, true}};

enum { MECHANISMS = sizeof mechanisms / sizeof mechanisms[0] };

static bool is_offered(const tn_smtp *s, size_t i) {
  return i == 0 ? s->offers.plain : i == 1 ? s->offers.login : s->offers.xoauth2;
}

/* auto: a token speaks for XOAUTH2, else what the server offers. */
static size_t choose(const tn_smtp *s) {
  const tn_smtp_config *c = s->config;
  for (size_t i = 0; i < MECHANISMS; i++)
    if (strcmp(c->auth, mechanisms[i].name) == 0) return i;
  if (by_keeper(c) || is_given(c->token)) return 2;
  return s->offers.plain || !s->offers.login ? 0 : 1;
}

tenon_status tn_smtp_log_in(tenon_ctx *ctx, tn_smtp *s, const char **ret_mechanism,
                            tenon_error *err) {
  size_t chosen = choose(s);
  const struct mechanism *m = &mechanisms[chosen];
  tenon_status status = check_given(s->config, m->spelled, m->token, err);
  if (status) return status;
  if (!is_offered(s, chosen)) return not_offered(s, m->spelled, err);
  status = m->run(ctx, s, err);
  forget(&s->told);
  if (status) return status;
  if (s->reply.code != 235) return tn_smtp_auth_refused(s, m->spelled, err);
  *ret_mechanism = m->spelled;
  return tn_smtp_expect_silence(s, err);
}
