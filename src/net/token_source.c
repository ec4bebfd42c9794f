/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token_source.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "net/http.h"
#include "net/http_parts.h"
#include "net/token_grant.h"

enum { MAX_TEXT = 8 << 10 };

/* ---- Checking ---- */

static bool is_plain(const char *text) {
  size_t n = 0;
  for (; text && text[n]; n++)
    if ((unsigned char)text[n] < ' ' || text[n] == 0x7F) return false;
  return n <= MAX_TEXT;
}

static tenon_status check_texts(const tenon_token_source *s, tenon_error *err) {
  const struct {
    const char *name, *text;
  } texts[] = {{"token_url", s->token_url}, {"client_id", s->client_id}, {"client_secret", s->client_secret},
               {"scope", s->scope}, {"audience", s->audience}};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
    if (i < 2 && (!texts[i].text || !*texts[i].text))
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give what the service says for OAuth clients",
                        "%s is missing", texts[i].name);
    if (!is_plain(texts[i].text))
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave out line ends and other control characters",
                        "%s has control characters or is too long", texts[i].name);
  }
  return TENON_OK;
}

tenon_status tn_token_source_check(const tenon_token_source *s, tenon_error *err) {
  tenon_status status = check_texts(s, err);
  if (status) return status;
  if (s->grant && !tn_grant_is_name(s->grant))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "use letters, digits and ._@- alone, at most 128, and no dot at the beginning",
                      "that is no name of a grant");
  if (!s->grant && (!s->client_secret || !*s->client_secret))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give what the service says for OAuth clients",
                      "client_secret is missing");
  return TENON_OK;
}

/* https://host…, without what no URL has, and nobody's name in it. Read by hand: keeping a grant needs no HTTP library. */
static const char *host_of(const char *url, size_t *ret_size, bool *ret_tls) {
  *ret_tls = strncasecmp(url, "https://", 8) == 0;
  if (!*ret_tls && strncasecmp(url, "http://", 7) != 0) return NULL;
  const char *host = url + (*ret_tls ? 8 : 7);
  size_t size = strcspn(host, "/?#");
  for (const char *c = host; *c; c++)
    if ((unsigned char)*c <= ' ' || (unsigned char)*c >= 0x7F || strchr("#\\\"<>^`{|}", *c)) return NULL;
  if (memchr(host, '@', size)) return NULL;
  const char *end = *host == '[' ? memchr(host, ']', size) : NULL;
  *ret_size = end ? (size_t)(end - host) + 1 : strcspn(host, ":/?");
  return *ret_size ? host : NULL;
}

static bool is_this_machine(const char *host, size_t size) {
  return (size == 9 && strncasecmp(host, "localhost", 9) == 0) || (size == 5 && strncmp(host, "[::1]", 5) == 0) ||
         (size > 4 && strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") >= size);
}

tenon_status tn_token_url_check(const char *url, tenon_error *err) {
  size_t size = 0;
  bool is_tls;
  const char *host = host_of(url, &size, &is_tls);
  if (!host)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write the service's token endpoint: https://host/path",
                      "token_url is no URL of https");
  if (is_tls || is_this_machine(host, size)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write https://; secrets go unencrypted to this machine alone",
                    "token_url is not one of https");
}

/* ---- Copying and comparing ---- */

static bool copy_text(tn_arena *arena, const char *from, const char **ret) {
  *ret = from && *from ? tn_arena_strdup(arena, from) : NULL;
  return *ret || !from || !*from;
}

static bool copy_bytes(tn_arena *arena, const void *from, size_t size, const void **ret) {
  *ret = size ? tn_arena_strndup(arena, from, size) : NULL;
  return *ret || !size;
}

static bool copy_http(tn_arena *arena, const tenon_http_options *from, const tenon_http_options **ret) {
  tenon_http_options *o = tn_arena_alloc(arena, sizeof *o);
  if (!o) return false;
  *o = (tenon_http_options){.struct_size = sizeof *o};
  if (from) {
    o->insecure = from->insecure;
    o->ca_size = from->ca_size;
    o->certificate_size = from->certificate_size;
    o->key_size = from->key_size;
    if (!copy_bytes(arena, from->ca, from->ca_size, &o->ca) || !copy_text(arena, from->proxy, &o->proxy) ||
        !copy_bytes(arena, from->certificate, from->certificate_size, &o->certificate) ||
        !copy_bytes(arena, from->key, from->key_size, &o->key))
      return false;
  }
  *ret = o;
  return true;
}

tenon_status tn_token_source_copy(const tenon_token_source *s, tn_arena *arena, tenon_token_source *ret,
                                  tenon_error *err) {
  tenon_token_source copy = {.struct_size = sizeof copy, .auth = s->auth};
  if (!copy_text(arena, s->grant, &copy.grant) || !copy_text(arena, s->token_url, &copy.token_url) ||
      !copy_text(arena, s->client_id, &copy.client_id) || !copy_text(arena, s->client_secret, &copy.client_secret) ||
      !copy_text(arena, s->scope, &copy.scope) || !copy_text(arena, s->audience, &copy.audience) ||
      !copy_http(arena, s->http, &copy.http))
    return tn_no_memory(err);
  *ret = copy;
  return TENON_OK;
}

/* Nothing and an empty text mean the same. */
static bool same(const char *a, const char *b) { return strcmp(a ? a : "", b ? b : "") == 0; }

static bool same_bytes(const void *a, size_t a_size, const void *b, size_t b_size) {
  return a_size == b_size && (!a_size || memcmp(a, b, a_size) == 0);
}

static bool same_http(const tenon_http_options *a, const tenon_http_options *b) {
  static const tenon_http_options none = {.struct_size = sizeof none};
  if (!a) a = &none;
  if (!b) b = &none;
  return a->insecure == b->insecure && same(a->proxy, b->proxy) && same_bytes(a->ca, a->ca_size, b->ca, b->ca_size) &&
         same_bytes(a->certificate, a->certificate_size, b->certificate, b->certificate_size) &&
         same_bytes(a->key, a->key_size, b->key, b->key_size);
}

bool tn_token_source_same(const tenon_token_source *a, const tenon_token_source *b) {
  return same(a->grant, b->grant) && same(a->token_url, b->token_url) && same(a->client_id, b->client_id) &&
         same(a->client_secret, b->client_secret) && a->auth == b->auth && same(a->scope, b->scope) &&
         same(a->audience, b->audience) && same_http(a->http, b->http);
}

/* ---- Asking ---- */

static tenon_status check_clear(const tenon_token_source *s, tenon_error *err) {
  if (s->http->insecure || !tn_http_is_clear(s->token_url)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write https://; secrets go unencrypted to this machine alone",
                    "token_url is not one of https");
}

static tenon_status read_body(tenon_bytes *body, tn_str *to, tenon_error *err) {
  char piece[4096];
  size_t n = 1;
  tenon_status status = TENON_OK;
  while (!status && n > 0) {
    status = body->read(body->self, piece, sizeof piece, &n, err);
    if (!status && !tn_str_add(to, piece, n))
      status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "check that token_url is the token endpoint",
                          "the reply has more than %d bytes", TN_TOKEN_MAX_REPLY);
  }
  tn_wipe(piece, sizeof piece);
  return status;
}

static bool has_arrived(const tenon_error *why) {
  switch (why->stage) {
    case TENON_STAGE_CONFIG: case TENON_STAGE_DNS: case TENON_STAGE_TCP: case TENON_STAGE_TLS: return false;
    default: return true;
  }
}

static tenon_status judge(const tenon_http_reply *reply, const char *url, const tn_str *body, tn_token_answer *ret,
                          tenon_error *err) {
  bool has_error = tn_token_error_read(tn_str_text(body), body->size, &ret->said);
  bool is_ill = reply->status >= 500 || reply->status == 429 || reply->status == 408;
  if (has_error && !is_ill) {
    ret->effect = tn_token_error_is_grant(&ret->said) ? TN_TOKEN_REFUSED : TN_TOKEN_NONE;
    return tn_token_error_fail(&ret->said, url, err);
  }
  if (reply->status < 200 || reply->status > 299) {
    ret->effect = TN_TOKEN_NONE;
    return tn_http_refused(reply->exchange, has_error ? ret->said.word : NULL, NULL, err);
  }
  return tn_token_reply_read(tn_str_text(body), body->size, &ret->reply, err);
}

static tenon_status exchange(tenon_ctx *ctx, tenon_http *client, const tenon_http_request *request, tn_str *body,
                             tn_token_answer *ret, tenon_error *err) {
  tenon_http_reply reply;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_http_ops.send(ctx, client, request, &reply, &why);
  if (status) {
    ret->effect = has_arrived(&why) ? TN_TOKEN_UNKNOWN : TN_TOKEN_NONE;
    return tn_pass_error(&why, err);
  }
  status = read_body(&reply.body, body, err);
  if (!status) status = judge(&reply, request->url, body, ret, err);
  reply.body.close(reply.body.self);
  return status;
}

static tenon_status send_it(tenon_ctx *ctx, const tenon_token_source *s, const tn_str *form, const tn_str *basic,
                            tn_token_answer *ret, tenon_error *err) {
  const tenon_http_header headers[] = {{"Content-Type", "application/x-www-form-urlencoded"},
                                       {"Accept", "application/json"},
                                       {"Authorization", tn_str_text(basic)}};
  tenon_http_request request = TENON_HTTP_REQUEST_INIT;
  request.method = "POST";
  request.url = s->token_url;
  request.headers = headers;
  request.header_count = basic->size ? 3 : 2;
  request.data = form->data;
  request.data_size = form->size;
  request.max_reply = TN_TOKEN_MAX_REPLY;
  request.once = true;   /* a refresh token that is used twice may be revoked */
  tenon_http *client = NULL;
  tn_str body;
  tn_str_init(&body, TN_TOKEN_MAX_REPLY);
  tenon_status status = tn_http_ops.new_client(ctx, s->http, &client, err);
  if (!status) status = check_clear(s, err);
  if (!status && !tn_str_reserve(&body, TN_TOKEN_MAX_REPLY - 1)) status = tn_no_memory(err);
  if (!status) {
    ret->effect = TN_TOKEN_UNKNOWN;
    status = exchange(ctx, client, &request, &body, ret, err);
  }
  if (body.data) tn_wipe(body.data, body.capacity);
  tn_str_release(&body);
  tn_http_ops.free_client(client);
  return status;
}

static bool reserve_secret(tn_str *s) {
  tn_str_init(s, TN_TOKEN_MAX_REQUEST);
  return tn_str_reserve(s, TN_TOKEN_MAX_REQUEST - 1);   /* once: what a text leaves behind as it grows is not wiped */
}

static void release_secret(tn_str *s) {
  if (s->data) tn_wipe(s->data, s->capacity);
  tn_str_release(s);
}

/* What is put into the form. */
typedef struct form_fields {
  const char *refresh_token;                      /* NULL: by client credentials, or by a code */
  const char *code, *redirect_uri, *verifier;     /* code NULL: by the others */
} form_fields;

static tenon_status fetch(tenon_ctx *ctx, const tenon_token_source *s, const form_fields *f, tn_token_answer *ret,
                          tenon_error *err) {
  tn_str form, basic;
  tenon_error why = TENON_ERROR_INIT;
  *ret = (tn_token_answer){.effect = TN_TOKEN_NONE};
  tn_token_reply_init(&ret->reply);
  bool in_header = s->auth == TENON_TOKEN_BASIC && s->client_secret;
  bool ok = reserve_secret(&form);
  ok = reserve_secret(&basic) && ok;
  ok = ok && (f->code ? tn_token_code_body(&form, s, f->code, f->redirect_uri, f->verifier)
                      : tn_token_request_body(&form, s, f->refresh_token));
  ok = ok && (!in_header || tn_token_basic(&basic, s->client_id, s->client_secret));
  tenon_status status = ok ? send_it(ctx, s, &form, &basic, ret, &why) : tn_no_memory(&why);
  release_secret(&form);
  release_secret(&basic);
  const char *const secrets[] = {f->refresh_token, f->code, f->verifier, s->client_secret};
  tn_error_redact(&why, secrets, sizeof secrets / sizeof secrets[0]);
  return status ? tn_pass_error(&why, err) : TENON_OK;
}

tenon_status tn_token_fetch(tenon_ctx *ctx, const tenon_token_source *s, const char *refresh_token, tn_token_answer *ret,
                            tenon_error *err) {
  const form_fields fields = {.refresh_token = refresh_token};
  return fetch(ctx, s, &fields, ret, err);
}

tenon_status tn_token_exchange(tenon_ctx *ctx, const tenon_token_source *s, const char *code, const char *redirect_uri,
                               const char *verifier, tn_token_answer *ret, tenon_error *err) {
  const form_fields fields = {.code = code, .redirect_uri = redirect_uri, .verifier = verifier};
  return fetch(ctx, s, &fields, ret, err);
}
