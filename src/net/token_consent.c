/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token_consent.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/percent.h"
#include "net/curl.h"
#include "net/digest.h"
#include "net/http_parts.h"
#include "net/token_parts.h"

enum { VISITORS = 8, MAX_HEAD = 16 << 10, SECRET_BYTES = 32, SECRET_TEXT = 44, MAX_URL = 16 << 10 };

/* ---- What the browser comes back with ---- */

typedef struct field {
  const char *text;
  size_t size;
  int count;
} field;

static field find_field(const char *query, size_t size, const char *key) {
  field found = {0};
  size_t n = strlen(key);
  for (const char *end = query + size; query < end;) {
    const char *and = memchr(query, '&', (size_t)(end - query)), *stop = and ? and : end;
    if ((size_t)(stop - query) > n && memcmp(query, key, n) == 0 && query[n] == '=')
      found = (field){query + n + 1, (size_t)(stop - query) - n - 1, found.count + 1};
    query = stop + 1;
  }
  return found;
}

/* Once, not empty, visible ASCII, and no longer than there is room; else false. */
static bool take_field(const char *query, size_t size, const char *key, char *ret, size_t room) {
  field f = find_field(query, size, key);
  tn_str text;
  tn_str_init(&text, MAX_HEAD);
  bool ok = f.count == 1 && tn_percent_decode(&text, f.text, f.size) && text.size > 0 && text.size < room;
  for (size_t i = 0; ok && i < text.size; i++) ok = text.data[i] > ' ' - 1 && text.data[i] < 0x7F;
  if (ok) snprintf(ret, room, "%s", text.data);
  if (text.data) tn_wipe(text.data, text.size);
  tn_str_release(&text);
  return ok;
}

static bool same_secret(const char *a, const char *b) {
  size_t n = strlen(b);
  unsigned different = 0;
  if (strlen(a) != n) return false;
  for (size_t i = 0; i < n; i++) different |= (unsigned)(unsigned char)(a[i] ^ b[i]);
  return different == 0;
}

tn_consent_outcome tn_consent_read(const char *head, size_t size, const char *state, tn_consent_return *ret) {
  static const char begin[] = "GET /?";
  const char *query = head + sizeof begin - 1, *line_end = memchr(head, '\r', size);
  char given[SECRET_TEXT];
  *ret = (tn_consent_return){0};
  if (!line_end || size < sizeof begin || memcmp(head, begin, sizeof begin - 1) != 0) return TN_CONSENT_ELSEWHERE;
  const char *space = line_end > query ? memchr(query, ' ', (size_t)(line_end - query)) : NULL;
  if (!space) return TN_CONSENT_ELSEWHERE;
  size_t n = (size_t)(space - query);
  if (!take_field(query, n, "state", given, sizeof given) || !same_secret(given, state)) return TN_CONSENT_FORGED;
  if (take_field(query, n, "error", ret->word, sizeof ret->word)) {
    if (!take_field(query, n, "error_description", ret->said, sizeof ret->said)) ret->said[0] = 0;
    for (char *c = ret->said; *c; c++)
      if (*c == '+') *c = ' ';
    return TN_CONSENT_REFUSED;
  }
  return take_field(query, n, "code", ret->code, sizeof ret->code) ? TN_CONSENT_CODE : TN_CONSENT_FORGED;
}

/* ---- One consent under way ---- */

typedef struct visitor {
  int fd;                    /* -1: none */
  size_t size;
  char head[MAX_HEAD];
} visitor;

typedef struct consent {
  tenon_ctx *ctx;
  const tenon_token_source *source;
  int listener;
  char redirect_uri[64];
  char state[SECRET_TEXT], verifier[SECRET_TEXT], challenge[SECRET_TEXT];
  tn_consent_return answer;
  visitor visitors[VISITORS];
} consent;

/* Base64 for URLs (RFC 4648, section 5), without padding. */
static bool spell(const unsigned char *bytes, char ret[SECRET_TEXT]) {
  tn_str text;
  tn_str_init(&text, 2 * SECRET_TEXT);
  bool ok = tn_base64_encode(&text, bytes, SECRET_BYTES);
  for (size_t i = 0; ok && i < text.size; i++)
    text.data[i] = text.data[i] == '+' ? '-' : text.data[i] == '/' ? '_' : text.data[i];
  if (ok) snprintf(ret, SECRET_TEXT, "%.*s", (int)strcspn(text.data, "="), text.data);
  if (text.data) tn_wipe(text.data, text.size);
  tn_str_release(&text);
  return ok;
}

static tenon_status make_secret(char ret[SECRET_TEXT], tenon_error *err) {
  unsigned char bytes[SECRET_BYTES];
  if (getrandom(bytes, sizeof bytes, 0) != (ssize_t)sizeof bytes)
    return tn_fail_errno(err, errno, TENON_STAGE_NONE, NULL, "random numbers");
  bool ok = spell(bytes, ret);
  tn_wipe(bytes, sizeof bytes);
  return ok ? TENON_OK : tn_no_memory(err);
}

static tenon_status make_challenge(consent *c, tenon_error *err) {
  tn_sha256 sha = {0};
  unsigned char digest[TN_SHA256_SIZE];
  tenon_status status = tn_sha256_init(&sha, err);
  if (!status) status = tn_sha256_of(&sha, c->verifier, strlen(c->verifier), digest, err);
  if (!status && !spell(digest, c->challenge)) status = tn_no_memory(err);
  tn_sha256_release(&sha);
  return status;
}

static tenon_status start_listening(consent *c, uint16_t port, tenon_error *err) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  const int on = 1;
  c->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (c->listener >= 0) setsockopt(c->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (c->listener < 0 || bind(c->listener, (const struct sockaddr *)&a, sizeof a) < 0 || listen(c->listener, VISITORS) < 0 ||
      getsockname(c->listener, (struct sockaddr *)&a, &size) < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_TCP, "choose another port", "listening on 127.0.0.1:%u", (unsigned)port);
  snprintf(c->redirect_uri, sizeof c->redirect_uri, "http://127.0.0.1:%u/", (unsigned)ntohs(a.sin_port));
  return TENON_OK;
}

/* ---- Sending the person there ---- */

static bool add_field(tn_str *url, const char *key, const char *value) {
  if (!value || !*value) return true;
  return tn_str_putc(url, strchr(url->data, '?') ? '&' : '?') && tn_str_puts(url, key) && tn_str_putc(url, '=') &&
         tn_percent_encode(url, value, strlen(value), false);
}

static bool spell_url(const consent *c, const char *authorize_url, tn_str *url) {
  return tn_str_puts(url, authorize_url) && add_field(url, "response_type", "code") &&
         add_field(url, "client_id", c->source->client_id) && add_field(url, "redirect_uri", c->redirect_uri) &&
         add_field(url, "scope", c->source->scope) && add_field(url, "audience", c->source->audience) &&
         add_field(url, "state", c->state) && add_field(url, "code_challenge", c->challenge) &&
         add_field(url, "code_challenge_method", "S256");
}

static bool is_plain_url(const char *url) {
  for (const char *at = url; *at; at++)
    if (*at <= ' ' || *at >= 0x7F || strchr("\"<>\\^`{|}#", *at)) return false;
  return strncasecmp(url, "https://", 8) == 0 || strncasecmp(url, "http://", 7) == 0;
}

static tenon_status check_url(const char *url, tenon_error *err) {
  if (!url || !*url)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give the service's authorization endpoint as authorize_url",
                      "authorize_url is missing");
  tenon_status status = tn_curl_open(err);
  if (status) return status;
  if (strlen(url) < MAX_URL / 2 && is_plain_url(url) && !tn_http_is_clear(url)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it as https://host/path", "authorize_url is not one of https");
}

static tenon_status show_url(consent *c, const char *authorize_url, const tn_consent_show *how, tenon_error *err) {
  tn_str url;
  tn_str_init(&url, MAX_URL);
  bool ok = spell_url(c, authorize_url, &url);
  if (ok) how->show(how->arg, url.data);
  tn_str_release(&url);
  return ok ? TENON_OK : tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "shorten scope or authorize_url", "the URL is too long");
}

/* ---- Waiting for them to come back ---- */

static void dismiss(visitor *v) {
  if (v->fd >= 0) close(v->fd);
  tn_wipe(v->head, v->size);
  v->fd = -1;
  v->size = 0;
}

static void tell(const visitor *v, const char *status, const char *text) {
  char page[1024];
  int n = snprintf(page, sizeof page,
                   "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\nCache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
                   "Content-Security-Policy: default-src 'none'\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
                   status, strlen(text), text);
  if (send(v->fd, page, (size_t)n, MSG_NOSIGNAL) < 0) { /* the browser went away: what it brought counts */
  }
  shutdown(v->fd, SHUT_WR);
}

static tn_consent_outcome receive(consent *c, visitor *v) {
  tn_consent_outcome outcome = tn_consent_read(v->head, v->size, c->state, &c->answer);
  switch (outcome) {
    case TN_CONSENT_CODE:
      tell(v, "200 OK", "<!doctype html><title>Tenon</title><p>Thank you. You may close this page and go back to Tenon.");
      break;
    case TN_CONSENT_REFUSED:
      tell(v, "200 OK", "<!doctype html><title>Tenon</title><p>Nothing was granted. You may close this page.");
      break;
    case TN_CONSENT_FORGED:
      tell(v, "400 Bad Request", "<!doctype html><title>Tenon</title><p>This is not the answer that Tenon waits for.");
      break;
    default: tell(v, "404 Not Found", "<!doctype html><title>Tenon</title><p>There is nothing here.");
  }
  return outcome;
}

/* True: it said all that it is going to, or is to go. */
static bool listen_to(visitor *v) {
  ssize_t n = recv(v->fd, v->head + v->size, sizeof v->head - v->size, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  if (n <= 0) {
    dismiss(v);
    return false;
  }
  v->size += (size_t)n;
  return v->size == sizeof v->head || memmem(v->head, v->size, "\r\n\r\n", 4);
}

/* Browsers open connections that they may never use: so several are listened to at once, and the first makes room. */
static void welcome(consent *c) {
  int fd = accept4(c->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0) return;
  int free_one = 0;
  while (free_one < VISITORS && c->visitors[free_one].fd >= 0) free_one++;
  if (free_one == VISITORS) {
    dismiss(&c->visitors[0]);
    memmove(&c->visitors[0], &c->visitors[1], (VISITORS - 1) * sizeof c->visitors[0]);
    free_one = VISITORS - 1;
    c->visitors[free_one].size = 0;
  }
  c->visitors[free_one].fd = fd;
}

static tn_consent_outcome serve(consent *c, const struct pollfd *fds) {
  for (int i = 0; i < VISITORS; i++) {
    visitor *v = &c->visitors[i];
    if (v->fd < 0 || !fds[1 + i].revents || !listen_to(v)) continue;
    tn_consent_outcome outcome = receive(c, v);
    dismiss(v);
    if (outcome == TN_CONSENT_CODE || outcome == TN_CONSENT_REFUSED) return outcome;
  }
  if (fds[0].revents) welcome(c);
  return TN_CONSENT_ELSEWHERE;
}

static tenon_status refused(const consent *c, tenon_error *err) {
  bool by_person = strcmp(c->answer.word, "access_denied") == 0;
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                    by_person ? "try again, and consent" : "check client_id, scope and the redirect that the client may use",
                    "the service granted nothing: %s%s%s", c->answer.word, *c->answer.said ? ": " : "", c->answer.said);
}

static tenon_status wait_for_return(consent *c, tenon_error *err) {
  for (;;) {
    struct pollfd fds[1 + VISITORS];
    fds[0] = (struct pollfd){.fd = c->listener, .events = POLLIN};
    for (int i = 0; i < VISITORS; i++) fds[1 + i] = (struct pollfd){.fd = c->visitors[i].fd, .events = POLLIN};
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = tn_ctx_wait(c->ctx, fds, 1 + VISITORS, -1, &why);
    if (status) {
      tn_error_prefix(&why, "waiting for the browser to come back: ");
      return tn_pass_error(&why, err);
    }
    tn_consent_outcome outcome = serve(c, fds);
    if (outcome == TN_CONSENT_CODE) return TENON_OK;
    if (outcome == TN_CONSENT_REFUSED) return refused(c, err);
  }
}

/* ---- The grant ---- */

static tenon_status keep(const consent *c, tn_tokens *tokens, const tn_token_reply *reply, tenon_error *err) {
  tn_grant g;
  const tn_grant_ask ask = {.source = c->source, .now_ms = tn_wall_ns() / 1000000};
  if (!reply->refresh_token)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_AUTH,
                      "ask for one: often scope offline_access, or ?access_type=offline&prompt=consent behind authorize_url",
                      "the service gave a token for now, and none to get others by");
  tenon_status status = tn_grant_begin(&g, c->source->token_url, c->source->client_id, reply->refresh_token, err);
  if (status) return status;
  status = tn_grant_renew(&g, reply, &ask, err);
  if (!status) status = tn_tokens_keep(c->ctx, tokens, c->source->grant, &g, err);
  tn_grant_release(&g);
  return status;
}

static tenon_status exchange(consent *c, tn_tokens *tokens, tenon_error *err) {
  tn_token_answer answer;
  tenon_status status = tn_token_exchange(c->ctx, c->source, c->answer.code, c->redirect_uri, c->verifier, &answer, err);
  if (!status) status = keep(c, tokens, &answer.reply, err);
  tn_token_reply_release(&answer.reply);
  return status;
}

static void consent_free(consent *c) {
  for (int i = 0; i < VISITORS; i++) dismiss(&c->visitors[i]);
  if (c->listener >= 0) close(c->listener);
  tn_wipe(c, sizeof *c);
  tn_free(c);
}

static tenon_status walk(consent *c, tn_tokens *tokens, const char *authorize_url, const tn_consent_show *how,
                         tenon_error *err) {
  tenon_status status = make_secret(c->state, err);
  if (!status) status = make_secret(c->verifier, err);
  if (!status) status = make_challenge(c, err);
  if (!status) status = start_listening(c, how->port, err);
  if (!status) status = show_url(c, authorize_url, how, err);
  if (!status) status = wait_for_return(c, err);
  if (!status) status = exchange(c, tokens, err);
  return status;
}

tenon_status tn_tokens_authorize(tenon_ctx *ctx, tn_tokens *tokens, const tenon_consent *asked, const tn_consent_show *how,
                                 tenon_error *err) {
  tenon_token_source source = asked->source;
  source.http = &asked->http;
  if (source.client_secret && !*source.client_secret) source.client_secret = NULL;
  tenon_status status = tn_token_source_check(&source, err);
  if (!status) status = tn_tokens_check_name(tokens, source.grant, err);
  if (!status) status = check_url(asked->authorize_url, err);
  if (status) return status;
  consent *c = tn_alloc(sizeof *c);
  if (!c) return tn_no_memory(err);
  c->ctx = ctx;
  c->source = &source;
  c->listener = -1;
  for (int i = 0; i < VISITORS; i++) c->visitors[i].fd = -1;
  status = walk(c, tokens, asked->authorize_url, how, err);
  consent_free(c);
  return status;
}
