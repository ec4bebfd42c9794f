/* SPDX-License-Identifier: Apache-2.0 */
/* One request: made of its declaration, sent in its turn, its reply read whole and judged. */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "rest_api.h"

enum {
  MAX_HEADERS = 64,
  MAX_HEADER = 32 << 10,
  MAX_BODY = 16 << 20,
  MAX_ERROR = 64 << 10,
  LONGEST_WAIT_MS = 30000
};

/* A request being made; everything it points to is in its own strings. */
typedef struct message {
  tenon_ctx *ctx;
  tn_rest *session;
  const tn_rest_endpoint *endpoint;
  const tn_rest_scope *scope;
  tn_str url, body, authorization;
  tn_arena arena; /* of headers */
  tenon_http_header headers[MAX_HEADERS];
  size_t header_count;
  bool sent;
} message;

static void message_init(message *m, tenon_ctx *ctx, tn_rest *s, const tn_rest_endpoint *e,
                         const tn_rest_scope *scope) {
  *m = (message){.ctx = ctx, .session = s, .endpoint = e, .scope = scope};
  tn_str_init(&m->url, TN_REST_MAX_URL);
  tn_str_init(&m->body, MAX_BODY);
  tn_str_init(&m->authorization, MAX_HEADER);
  tn_arena_init(&m->arena, 4 << 20);
}

static void release_secret(tn_str *s) {
  tn_wipe(s->data, s->size);
  tn_str_release(s);
}

static void message_release(message *m) {
  release_secret(&m->url);
  release_secret(&m->body);
  release_secret(&m->authorization);
  tn_arena_release(&m->arena);
}

/* What could not be appended was too long, or there is no memory. */
static tenon_status too_long(const message *m, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "send less at once",
                    "endpoint %s: the %s becomes too long", m->endpoint ? m->endpoint->name : "",
                    what);
}

/* ---- Names and values ---- */

typedef tenon_status (*pair_fn)(message *, const char *name, const char *value, size_t size,
                                tenon_error *err);

/* A text, number or boolean of a declaration as the template that it is. */
static tenon_status take_template(tn_json_text v, tn_str *ret, tenon_error *err) {
  bool ok = tn_json_text_type(v) == TN_JSON_STRING ? tn_json_text_unquote(v, ret)
                                                   : tn_str_add(ret, v.data, v.size);
  return ok ? TENON_OK : tn_no_memory(err);
}

static tenon_status emit_elements(message *m, tn_rest_position position, const char *name,
                                  const tn_rest_piece *p, tn_json_text array, const char *where,
                                  pair_fn emit, tenon_error *err) {
  tn_json_text one;
  tn_str text;
  tenon_status status = TENON_OK;
  tn_str_init(&text, MAX_BODY);
  for (const char *c = NULL; !status && tn_json_text_next(array, &c, NULL, &one);) {
    tn_str_clear(&text);
    status = tn_rest_put_value(one, position, p->text, p->size, where, &text, err);
    if (!status) status = emit(m, name, tn_str_text(&text), text.size, err);
  }
  tn_str_release(&text);
  return status;
}

/* A list gives the name as often as it has elements; headers have one value. */
static tenon_status emit_template(message *m, tn_rest_position position, const char *name,
                                  const tn_str *template, const char *where, pair_fn emit,
                                  tenon_error *err) {
  tn_rest_piece p;
  tn_json_text value;
  tn_str text;
  bool absent = false;
  const char *from = tn_str_text(template);
  if (position != TN_REST_HEADER && tn_rest_is_variable(from, template->size, &p) &&
      tn_rest_lookup(m->scope, p.text, p.size, &value) && tn_json_text_type(value) == TN_JSON_ARRAY)
    return emit_elements(m, position, name, &p, value, where, emit, err);
  tn_str_init(&text, MAX_BODY);
  tenon_status status =
      tn_rest_render(from, template->size, position, m->scope, where, &text, &absent, err);
  if (!status && !absent) status = emit(m, name, tn_str_text(&text), text.size, err);
  tn_str_release(&text);
  return status;
}

static tenon_status emit_pairs(message *m, tn_json_text object, tn_rest_position position,
                               const char *what, pair_fn emit, tenon_error *err) {
  tn_json_text key, value;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(object, &c, &key, &value);) {
    tn_str name, template;
    char where[200];
    tn_str_init(&name, MAX_HEADER);
    tn_str_init(&template, TN_REST_MAX_TEMPLATE);
    if (!tn_json_text_unquote(key, &name)) status = tn_no_memory(err);
    if (!status) status = take_template(value, &template, err);
    snprintf(where, sizeof where, "endpoint %.64s: %s %.64s", m->endpoint->name, what,
             tn_str_text(&name));
    if (!status)
      status = emit_template(m, position, tn_str_text(&name), &template, where, emit, err);
    tn_str_release(&name);
    tn_str_release(&template);
  }
  return status;
}

/* ---- URL ---- */

static bool put_name(tn_str *out, const char *name, tn_rest_position position) {
  tn_str quoted;
  tn_str_init(&quoted, MAX_HEADER);
  tn_json_quote(&quoted, name, strlen(name));
  bool ok = !quoted.failed && !tn_rest_put_value((tn_json_text){tn_str_text(&quoted), quoted.size},
                                                 position, "", 0, "", out, NULL);
  tn_str_release(&quoted);
  return ok;
}

static tenon_status emit_query(message *m, const char *name, const char *value, size_t size,
                               tenon_error *err) {
  bool first = !m->url.data || !strchr(m->url.data, '?');
  tn_str_putc(&m->url, first ? '?' : '&');
  put_name(&m->url, name, TN_REST_QUERY);
  tn_str_putc(&m->url, '=');
  return tn_str_add(&m->url, value, size) ? TENON_OK : too_long(m, "URL", err);
}

static bool has_parameter(const char *url, const char *name) {
  size_t size = strlen(name);
  const char *at = strchr(url, '?');
  for (; at; at = strchr(at, '&')) {
    at++;
    if (strncmp(at, name, size) == 0 && (at[size] == '=' || at[size] == '&' || !at[size]))
      return true;
  }
  return false;
}

static tenon_status put_key_in_query(message *m, tenon_error *err) {
  const tn_rest_config *c = m->session->config;
  const char *name = c->api_key_query;
  if (strcmp(c->auth, "api_key") != 0 || !name || has_parameter(tn_str_text(&m->url), name))
    return TENON_OK;
  tn_str value;
  tn_str_init(&value, MAX_HEADER);
  bool ok = put_name(&value, c->api_key, TN_REST_QUERY);
  tenon_status status =
      ok ? emit_query(m, name, tn_str_text(&value), value.size, err) : tn_no_memory(err);
  release_secret(&value);
  return status;
}

static tenon_status put_url(message *m, tenon_error *err) {
  const tn_rest_endpoint *e = m->endpoint;
  char where[100];
  bool absent;
  snprintf(where, sizeof where, "endpoint %.64s: path", e->name);
  if (!tn_str_puts(&m->url, m->session->base.url)) return too_long(m, "URL", err);
  tenon_status status = tn_rest_render(e->path, strlen(e->path), TN_REST_PATH, m->scope, where,
                                       &m->url, &absent, err);
  return status ? status : emit_pairs(m, e->query, TN_REST_QUERY, "query", emit_query, err);
}

/* ---- Headers ---- */

static bool has_header(const message *m, const char *name) {
  for (size_t i = 0; i < m->header_count; i++)
    if (strcasecmp(m->headers[i].name, name) == 0) return true;
  return false;
}

static tenon_status add_header(message *m, const char *name, const char *value, size_t size,
                               tenon_error *err) {
  if (m->header_count == MAX_HEADERS) return too_long(m, "head", err);
  const char *own_name = tn_arena_strdup(&m->arena, name),
             *own_value = tn_arena_strndup(&m->arena, value, size);
  if (!own_name || !own_value) return tn_no_memory(err);
  m->headers[m->header_count++] = (tenon_http_header){own_name, own_value};
  return TENON_OK;
}

static tenon_status add_unless(message *m, const char *name, const char *value, tenon_error *err) {
  return has_header(m, name) ? TENON_OK : add_header(m, name, value, strlen(value), err);
}

static tenon_status spell_basic(message *m, tenon_error *err) {
  const tn_rest_config *c = m->session->config;
  bool ok = tn_http_basic(&m->authorization, c->username, c->password ? c->password : "");
  return ok ? add_header(m, "Authorization", m->authorization.data, m->authorization.size, err)
            : tn_no_memory(err);
}

static tenon_status spell_token(message *m, tenon_error *err) {
  tenon_status status =
      tn_oauth_bearer(m->ctx, tn_rest_host, &m->session->oauth, &m->authorization, err);
  return status ? status
                : add_header(m, "Authorization", m->authorization.data, m->authorization.size, err);
}

static tenon_status authenticate(message *m, tenon_error *err) {
  const tn_rest_config *c = m->session->config;
  if (m->session->has_oauth) return spell_token(m, err);
  if (strcmp(c->auth, "basic") == 0) return spell_basic(m, err);
  if (strcmp(c->auth, "bearer") == 0) {
    if (!tn_str_printf(&m->authorization, "Bearer %s", c->token)) return tn_no_memory(err);
    return add_header(m, "Authorization", m->authorization.data, m->authorization.size, err);
  }
  if (strcmp(c->auth, "api_key") == 0 && !c->api_key_query)
    return add_header(m, c->api_key_header, c->api_key, strlen(c->api_key), err);
  return TENON_OK;
}

static tenon_status put_headers(message *m, tenon_error *err) {
  const tenon_strings *all = &m->session->config->headers;
  tenon_status status = authenticate(m, err);
  if (!status && m->endpoint)
    status = emit_pairs(m, m->endpoint->headers, TN_REST_HEADER, "headers", add_header, err);
  for (size_t i = 0; !status && i + 1 < all->count; i += 2)
    status = add_unless(m, all->items[i], all->items[i + 1], err);
  if (!status)
    status = add_unless(m, "Accept",
                        m->endpoint && m->endpoint->is_text ? "*/*" : "application/json", err);
  return status;
}

/* ---- Body ---- */

static tenon_status emit_form(message *m, const char *name, const char *value, size_t size,
                              tenon_error *err) {
  if (m->body.size) tn_str_putc(&m->body, '&');
  put_name(&m->body, name, TN_REST_FORM);
  tn_str_putc(&m->body, '=');
  return tn_str_add(&m->body, value, size) ? TENON_OK : too_long(m, "body", err);
}

static tenon_status put_body(message *m, tenon_error *err) {
  static const char *const types[] = {NULL, "application/json", "application/x-www-form-urlencoded",
                                      "application/xml; charset=utf-8"};
  const tn_rest_endpoint *e = m->endpoint;
  char where[100];
  bool absent;
  tenon_status status = TENON_OK;
  if (!e || !e->body_kind) return TENON_OK;
  snprintf(where, sizeof where, "endpoint %.64s: the body", e->name);
  if (e->body_kind == TN_REST_BODY_JSON)
    status = tn_rest_render_json(e->body, m->scope, where, &m->body, err);
  else if (e->body_kind == TN_REST_BODY_FORM)
    status = emit_pairs(m, e->body, TN_REST_FORM, "form", emit_form, err);
  else
    status = tn_rest_render(e->xml, strlen(e->xml), TN_REST_XML, m->scope, where, &m->body, &absent,
                            err);
  return status ? status : add_unless(m, "Content-Type", types[e->body_kind], err);
}

/* ---- Its turn ---- */

static tenon_status wait_for_turn(tenon_ctx *ctx, tn_rest *s, tenon_error *err) {
  return tn_rest_limit_wait(ctx, s->limit, s->gap_us, err);
}

/* Whoever asks next waits as long as the system wants. */
static void hold_back(tn_rest *s, const tenon_error *err) {
  if (err->retry_after_ms > 0 && err->retry_after_ms <= LONGEST_WAIT_MS)
    tn_rest_limit_hold(s->limit, err->retry_after_ms);
}

/* ---- The reply ---- */

/* What the system says about its refusal, wherever it stands. */
static void find_message(const tn_str *text, char *ret, size_t room) {
  static const char *const paths[] = {"/error/message",
                                      "/message",
                                      "/error_description",
                                      "/detail",
                                      "/error",
                                      "/errors/0/message",
                                      "/errors/0/detail",
                                      "/errors/0",
                                      "/title",
                                      "/msg",
                                      "/reason"};
  tn_json_text root, found;
  tn_str said;
  if (tn_json_text_check(tn_str_text(text), text->size, &root, NULL)) return;
  tn_str_init(&said, 64 << 10);
  for (size_t i = 0; i < sizeof paths / sizeof *paths && !said.size; i++)
    if (tn_json_text_find(root, paths[i], &found) && tn_json_text_type(found) == TN_JSON_STRING)
      tn_json_text_unquote(found, &said);
  tn_http_quote(tn_str_text(&said), said.size, ret, room);
  tn_str_release(&said);
}

static tenon_status take_refusal(tn_rest *s, tenon_http_reply *reply, tenon_error *err) {
  tn_str text;
  char said[300] = "";
  tenon_error why = TENON_ERROR_INIT, own = TENON_ERROR_INIT;
  tn_str_init(&text, 2 * MAX_ERROR);
  if (!tn_http_text(reply, MAX_ERROR, &text, &why)) find_message(&text, said, sizeof said);
  tn_str_release(&text);
  tenon_status status = tn_rest_host->http->refused(reply->exchange, said, NULL, &own);
  hold_back(s, &own);
  if (err && !err->code) *err = own;
  return status;
}

/* <https://…?page=2>; rel="next", <…>; rel="last" (RFC 8288). */
static bool names_next(const char *at, const char *end) {
  while (at < end && *at == ' ') at++;
  if (at == end || *at++ != '=') return false;
  while (at < end && *at == ' ') at++;
  bool quoted = at < end && *at == '"';
  for (at += quoted; at < end;) {
    size_t n = 0;
    while (at + n < end && !strchr(" \";,", at[n])) n++;
    if (n == 4 && strncasecmp(at, "next", 4) == 0) return true;
    if (!quoted || at + n >= end || at[n] != ' ') return false;
    at += n + 1;
  }
  return false;
}

/* What stands within quotes is another parameter's value. */
static bool is_next(const char *params, size_t size) {
  bool quoted = false;
  for (size_t i = 0; i + 4 < size; i++) {
    quoted ^= params[i] == '"';
    bool begins = !quoted && (!i || strchr("\t ;", params[i - 1]));
    if (begins && strncasecmp(params + i, "rel", 3) == 0 &&
        names_next(params + i + 3, params + size))
      return true;
  }
  return false;
}

/* Behind the >: up to the comma that begins the next link, commas in quotes aside. */
static size_t params_size(const char *at) {
  size_t n = 0;
  for (bool quoted = false; at[n] && (quoted || at[n] != ','); n++) quoted ^= at[n] == '"';
  return n;
}

tenon_status tn_rest_next_link(const char *header, tn_str *ret, tenon_error *err) {
  while (header && (header = strchr(header, '<'))) {
    const char *end = strchr(++header, '>');
    if (!end) return TENON_OK;
    size_t size = params_size(end + 1);
    if (is_next(end + 1, size))
      return tn_str_add(ret, header, (size_t)(end - header)) ? TENON_OK : tn_no_memory(err);
    header = end + 1 + size;
  }
  return TENON_OK;
}

/* What says that it failed although the status is fine. */
static tenon_status check_said(const tn_rest_endpoint *e, const tn_rest_reply *r,
                               tenon_error *err) {
  tn_json_text found;
  if (!e || !e->error || !tn_json_text_find(r->root, e->error, &found)) return TENON_OK;
  tn_json_type type = tn_json_text_type(found);
  bool nothing = type == TN_JSON_NULL || (type == TN_JSON_BOOL && !tn_json_text_true(found)) ||
                 found.size <= 2;
  if (nothing) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "mend what the service says is wrong",
                    "endpoint %s: %.*s", e->name, found.size > 300 ? 300 : (int)found.size,
                    found.data);
}

/* Some services put a byte order mark in front. */
static tn_json_text without_mark(const tn_str *text) {
  static const char mark[] = "\xEF\xBB\xBF";
  bool marked = text->size >= 3 && memcmp(text->data, mark, 3) == 0;
  return (tn_json_text){tn_str_text(text) + 3 * marked, text->size - 3 * marked};
}

static tenon_status take_json(const tn_rest_endpoint *e, tn_rest_reply *r, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  if (!e || e->is_text) return TENON_OK;
  const tn_json_text text = without_mark(&r->text);
  if (strspn(text.data, " \t\r\n") == text.size) return TENON_OK;
  tenon_status status = tn_json_text_check(text.data, text.size, &r->root, &why);
  if (status)
    return tenon_fail(err, status, TENON_STAGE_DATA,
                      status == TENON_LIMITED
                          ? "take it as text with reply: text"
                          : "check the base URL and the path; reply: text takes any text",
                      "endpoint %s: the reply: %s", e->name, why.message);
  return check_said(e, r, err);
}

/* There may be several Link headers. */
static tenon_status take_links(const tenon_http_reply *reply, tn_str *ret, tenon_error *err) {
  const char *header;
  for (size_t i = 0;
       !ret->size && (header = tn_rest_host->http->header_at(reply->exchange, "link", i)); i++) {
    tenon_status status = tn_rest_next_link(header, ret, err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status take_reply(message *m, tenon_http_reply *reply, tn_rest_reply *r,
                               tenon_error *err) {
  tenon_status status = reply->status >= 300 ? take_refusal(m->session, reply, err) : TENON_OK;
  if (!status) status = take_links(reply, &r->link, err);
  if (status) return status;
  status = tn_http_text(reply, (size_t)m->session->config->max_reply, &r->text, err);
  if (status == TENON_LIMITED && err && err->stage == TENON_STAGE_DATA)
    snprintf(err->remedy, sizeof err->remedy, "ask for less at once, or set max_reply higher");
  return status ? status : take_json(m->endpoint, r, err);
}

void tn_rest_reply_release(tn_rest_reply *r) {
  tn_str_release(&r->text);
  tn_str_release(&r->link);
  tn_str_release(&r->url);
}

/* ---- Sending ---- */

static tenon_http_request request_of(const message *m) {
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  bool reads = !m->endpoint || strcmp(m->endpoint->method, "GET") == 0 ||
               strcmp(m->endpoint->method, "HEAD") == 0;
  r.method = m->endpoint ? m->endpoint->method : "GET";
  r.url = tn_str_text(&m->url);
  r.headers = m->headers;
  r.header_count = m->header_count;
  r.data = m->body.data;
  r.data_size = m->body.size;
  r.max_reply = m->session->config->max_reply;
  r.decompress = true;
  r.follow = reads;
  r.once = m->endpoint && !m->endpoint->idempotent;
  return r;
}

static tenon_status exchange(message *m, tn_rest_reply *ret, tenon_error *err) {
  tenon_ctx *ctx = m->ctx;
  tenon_http_reply reply;
  const tenon_http_request request = request_of(m);
  tn_rest_reply r = {.root = {NULL, 0}};
  tenon_status status = wait_for_turn(ctx, m->session, err);
  m->sent = !status;
  if (!status) status = tn_rest_host->http->send(ctx, m->session->http, &request, &reply, err);
  if (status) return status;
  tn_str_init(&r.text, (size_t)m->session->config->max_reply + (64 << 10));
  tn_str_init(&r.link, TN_REST_MAX_URL);
  tn_str_init(&r.url, TN_REST_MAX_URL);
  status = take_reply(m, &reply, &r, err);
  if (!status && !tn_str_puts(&r.url, request.url)) status = tn_no_memory(err);
  reply.body.close(reply.body.self);
  if (status) tn_rest_reply_release(&r);
  else *ret = r;
  return status;
}

/* What is made of a message, to be made once more. */
typedef struct making {
  const tn_rest_endpoint *endpoint;
  const tn_rest_scope *scope;
  tenon_status (*make)(message *, struct making *, tenon_error *err);
  const char *url;
  tn_rest_reply *reply;
  int32_t *ret_status;
  bool sent;
} making;

static bool has_another_token(const message *m, tenon_error *why) {
  enum { UNAUTHORIZED = 401 };
  return m->session->has_oauth && why->vendor_code == UNAUTHORIZED && m->authorization.size &&
         tn_oauth_again(m->ctx, tn_rest_host, &m->session->oauth, m->authorization.data, why);
}

/* A token may be withdrawn before its time: then there is another one, once. */
static tenon_status attempt(tenon_ctx *ctx, tn_rest *s, making *what, tenon_error *err) {
  for (bool is_first = true;; is_first = false) {
    message m;
    tenon_error why = TENON_ERROR_INIT;
    message_init(&m, ctx, s, what->endpoint, what->scope);
    tenon_status status = what->make(&m, what, &why);
    bool again = status && is_first && has_another_token(&m, &why);
    if (status && s->has_oauth) tn_oauth_redact(tn_str_text(&m.authorization), &why);
    what->sent = m.sent;
    message_release(&m);
    if (again) continue;
    if (status && err && !err->code) *err = why;
    return status;
  }
}

static tenon_status make_call(message *m, making *what, tenon_error *err) {
  tenon_status status = what->url
                            ? (tn_str_puts(&m->url, what->url) ? TENON_OK : too_long(m, "URL", err))
                            : put_url(m, err);
  if (!status) status = put_key_in_query(m, err);
  if (!status) status = put_headers(m, err);
  if (!status) status = put_body(m, err);
  return status ? status : exchange(m, what->reply, err);
}

tenon_status tn_rest_send(tenon_ctx *ctx, tn_rest *s, const tn_rest_endpoint *e,
                          const tn_rest_scope *scope, const char *url, tn_rest_reply *ret,
                          bool *ret_sent, tenon_error *err) {
  making call = {.endpoint = e, .scope = scope, .make = make_call, .url = url, .reply = ret};
  tenon_status status = attempt(ctx, s, &call, err);
  if (ret_sent) *ret_sent = call.sent;
  return status;
}

static tenon_status make_probe(message *m, making *what, tenon_error *err) {
  tn_rest *s = m->session;
  tenon_http_reply reply;
  tenon_status status = tn_str_puts(&m->url, s->base.url) && tn_str_putc(&m->url, '/')
                            ? put_key_in_query(m, err)
                            : tn_no_memory(err);
  if (!status) status = put_headers(m, err);
  const tenon_http_request request = request_of(m);
  if (!status) status = wait_for_turn(m->ctx, s, err);
  if (!status) status = tn_rest_host->http->send(m->ctx, s->http, &request, &reply, err);
  if (status) return status;
  bool bad = reply.status == 401 || reply.status == 403 || reply.status >= 500;
  *what->ret_status = reply.status;
  if (bad) status = take_refusal(s, &reply, err);
  reply.body.close(reply.body.self);
  return status;
}

tenon_status tn_rest_probe(tenon_ctx *ctx, tn_rest *s, int32_t *ret_status, tenon_error *err) {
  making probe = {.make = make_probe, .ret_status = ret_status};
  return attempt(ctx, s, &probe, err);
}

tn_rest_scope tn_rest_scope_of(const tn_rest *s, const tn_rest_endpoint *e, tn_json_text page,
                               tn_json_text input) {
  return (tn_rest_scope){.layers = {s->fixed, page, input, e->defaults}, .layer_count = 4};
}

/* ---- References ---- */

/* Scheme and authority of a URL; ports that go without saying are left out, and case does not matter. */
static bool origin_of(const char *url, char *ret, size_t room) {
  const char *host = strstr(url, "://");
  if (!host) return false;
  size_t scheme = (size_t)(host - url), size = strcspn(host + 3, "/?#");
  const char *usual = scheme == 5 ? ":443" : ":80";
  size_t port = strlen(usual);
  if (size > port && strncmp(host + 3 + size - port, usual, port) == 0) size -= port;
  if (scheme + 3 + size >= room) return false;
  snprintf(ret, room, "%.*s", (int)(scheme + 3 + size), url);
  for (char *c = ret; *c; c++)
    if (*c >= 'A' && *c <= 'Z') *c = (char)(*c - 'A' + 'a');
  return true;
}

static tenon_status check_origin(const tn_rest *s, const char *url, tenon_error *err) {
  char ours[600], other[600] = "";
  if (origin_of(s->base.url, ours, sizeof ours) && origin_of(url, other, sizeof other) &&
      strcmp(ours, other) == 0)
    return TENON_OK;
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_QUERY,
                    "ask who runs the service; credentials go to the base URL's origin alone",
                    "the next page is said to be at another origin%s%.200s", *other ? ": " : "",
                    other);
}

/* What URLs cannot have is written with percent signs; a line break is no oversight. */
static tenon_status put_clean(const char *text, tn_str *out, tenon_error *err) {
  for (; *text; text++) {
    unsigned char c = (unsigned char)*text;
    if (c < 0x20 || c == 0x7F)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                        "the next page's URL has a control character");
    if (c == '#') break;
    if (c > 0x7E || strchr(" \"<>\\^`{|}", c)) tn_str_printf(out, "%%%02X", c);
    else tn_str_putc(out, (char)c);
  }
  return out->failed ? tn_no_memory(err) : TENON_OK;
}

tenon_status tn_rest_resolve(const tn_rest *s, const char *from, const char *reference, tn_str *ret,
                             tenon_error *err) {
  const char *path = strstr(from, "://");
  path = path ? path + 3 + strcspn(path + 3, "/?") : from;
  size_t keep = 0, colon = strcspn(reference, ":/?#");
  tn_str_clear(ret);
  if (reference[colon] == ':') keep = 0;
  else if (strncmp(reference, "//", 2) == 0) keep = (size_t)(strstr(from, "://") - from) + 1;
  else if (*reference == '/') keep = (size_t)(path - from);
  else if (*reference == '?') keep = (size_t)(path - from) + strcspn(path, "?");
  else {
    size_t size = strcspn(path, "?");
    while (size && path[size - 1] != '/') size--;
    keep = (size_t)(path - from) + size;
  }
  if (!tn_str_add(ret, from, keep)) return tn_no_memory(err);
  tenon_status status = put_clean(reference, ret, err);
  return status ? status : check_origin(s, tn_str_text(ret), err);
}
