/* SPDX-License-Identifier: Apache-2.0 */
/*
 * n8n: an event that starts a workflow, over the URL of its webhook node. A workflow has two of them: the production URL
 * while it is active, the test URL for one call after "Execute workflow" in the editor. Source: n8n's documentation of the
 * webhook node, and for a test that starts nothing, its replies to OPTIONS.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "providers/actions_kit.h"
#include "providers/over_http.h"

enum { MAX_REPLY = 8 << 20, MAX_SAID = 64 << 10, MAX_QUERY = 16 << 10 };

typedef struct config {
  uint64_t set;
  const char *production_url, *test_url, *mode, *method;
  const char *auth, *username, *password, *header_name, *header_value;
  bool waits;
  int64_t accept_timeout_ms;
  tn_http_params reach;
} config;

typedef struct session {
  const config *config;
  tn_http_base url;
  tenon_http *http;
  tn_str authorization;
} session;

static const tenon_host *the_host;

static const char *const modes[] = {"production", "test", NULL};
static const char *const methods[] = {"POST", "PUT", "PATCH", "DELETE", "GET", NULL};
static const char *const auths[] = {"none", "basic", "header", NULL};

static const tenon_param params[] = {
    {TENON_STRING(config, production_url), .key = "production_url", .label = "Production URL", .aliases = "url,webhook_url",
     .help = "of the webhook node, for workflows that are active: https://n8n.example.com/webhook/orders"},
    {TENON_STRING(config, test_url), .key = "test_url", .label = "Test URL",
     .help = "of the webhook node, good for one call after Execute workflow: https://n8n.example.com/webhook-test/orders"},
    {TENON_ENUM(config, mode), .key = "mode", .label = "Mode", .default_value = "production", .choices = modes,
     .help = "which of the URLs is called"},
    {TENON_ENUM(config, method), .key = "method", .label = "Method", .default_value = "POST", .choices = methods,
     .help = "as the webhook node has it; with GET and DELETE the input's members stand in the query"},
    {TENON_ENUM(config, auth), .key = "auth", .label = "Authentication", .default_value = "none", .choices = auths,
     .help = "as the webhook node has it"},
    {TENON_STRING(config, username), .key = "username", .label = "User", .when = "auth=basic", .flags = TENON_REQUIRED,
     .aliases = "user", .help = "of the node's credential for basic authentication"},
    {TENON_STRING(config, password), .key = "password", .label = "Password", .when = "auth=basic",
     .flags = TENON_REQUIRED | TENON_SECRET, .help = "the password that belongs to it"},
    {TENON_STRING(config, header_name), .key = "header_name", .label = "Header", .when = "auth=header", .flags = TENON_REQUIRED,
     .help = "the name in the node's credential for header authentication: X-API-Key"},
    {TENON_STRING(config, header_value), .key = "header_value", .label = "Header's value", .when = "auth=header",
     .flags = TENON_REQUIRED | TENON_SECRET, .help = "the value in it"},
    {TENON_BOOLEAN(config, waits), .key = "wait", .label = "Wait", .default_value = "true",
     .help = "whether firing waits for the workflow's answer; else only until the event has arrived and was not refused"},
    {TENON_DURATION(config, accept_timeout_ms), .key = "accept_timeout", .label = "Taking over", .default_value = "2s",
     .min = 100, .max = 60000, .flags = TENON_ADVANCED, .when = "wait=false",
     .help = "how long an answer or a refusal is waited for; an event that has not arrived by then is an error"},
    TN_HTTP_PARAMS(config, reach),
};

/* ---- Sessions ---- */

static tenon_status choose_url(const config *c, tn_http_base *ret, tenon_error *err) {
  bool is_test = strcmp(c->mode, "test") == 0;
  const char *url = is_test ? c->test_url : c->production_url, *key = is_test ? "test_url" : "production_url";
  if (url && *url) return tn_http_base_parse(key, url, ret, err);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "copy it from the workflow's webhook node, under Webhook URLs",
                    "%s is missing, which mode=%s calls", key, c->mode);
}

static tenon_status take_credentials(session *s, tenon_error *err) {
  const config *c = s->config;
  if (strcmp(c->auth, "header") == 0) return tn_http_check_credential_header("header_name", c->header_name, err);
  if (strcmp(c->auth, "basic") != 0) return TENON_OK;
  tenon_status status = tn_http_check_user(c->username, err);
  if (status) return status;
  return tn_http_basic(&s->authorization, c->username, c->password) ? TENON_OK : tn_no_memory(err);
}

static void close_session(void *self) {
  session *s = self;
  the_host->http->free_client(s->http);
  if (s->authorization.data) tn_wipe(s->authorization.data, s->authorization.size);
  tn_str_release(&s->authorization);
  tn_free(s);
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *given, void **ret, tenon_error *err) {
  (void)provider;
  session *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = given;
  tn_str_init(&s->authorization, 16 << 10);
  tenon_status status = choose_url(s->config, &s->url, err);
  if (!status) status = take_credentials(s, err);
  if (!status) status = tn_http_client(ctx, the_host, &s->config->reach, &s->http, err);
  if (status) {
    close_session(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}

/* ---- What n8n says when it refuses ---- */

static bool is_test(const session *s) { return strcmp(s->config->mode, "test") == 0; }

static tenon_status not_registered(const session *s, const char *said, tenon_error *err) {
  bool other_method = strstr(said, "Did you mean") != NULL;
  const char *remedy = other_method ? "set method to the one that the webhook node has"
                       : is_test(s) ? "click Execute workflow in n8n's editor, then fire once within two minutes; or set mode=production"
                                    : "activate the workflow in n8n, and compare production_url with the one in its webhook node";
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "%s: %s", s->url.url,
                    *said ? said : "there is no such webhook");
}

static tenon_status wrong_credentials(const session *s, const char *said, tenon_error *err) {
  const char *auth = s->config->auth;
  const char *remedy = strcmp(auth, "none") == 0   ? "set auth as the webhook node has it, with its credentials"
                       : strcmp(auth, "basic") == 0 ? "compare username and password with the node's credential, and that the node asks for basic authentication"
                                                    : "compare header_name and header_value with the node's credential, and that the node asks for header authentication";
  return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, remedy, "%s: n8n refuses the credentials%s%s", s->url.url,
                    *said ? ": " : "", said);
}

/* {"code":404,"message":"…","hint":"…"}, or text. */
static void what_it_said(const tn_str *body, char *ret, size_t room) {
  tn_json_text root, message;
  tn_str text;
  tn_str_init(&text, MAX_SAID);
  bool is_json = !tn_json_text_check(tn_str_text(body), body->size, &root, NULL);
  if (is_json && tn_json_text_get(root, "message", 7, &message) && tn_json_text_type(message) == TN_JSON_STRING &&
      tn_json_text_unquote(message, &text))
    tn_http_quote(tn_str_text(&text), text.size, ret, room);
  else
    tn_http_quote(tn_str_text(body), body->size, ret, room);
  tn_str_release(&text);
}

static tenon_status refused(const session *s, const tenon_http_exchange *x, const tn_str *body, tenon_error *err) {
  char said[300];
  int32_t status = the_host->http->status(x);
  bool first = err && !err->code;
  what_it_said(body, said, sizeof said);
  if (status == 404) not_registered(s, said, err);
  else if (status == 401 || status == 403) wrong_credentials(s, said, err);
  else if (status == 500)
    tenon_fail(err, TENON_IO, TENON_STAGE_QUERY, "look at the workflow's executions in n8n", "%s: the workflow failed: %s",
               s->url.url, said);
  else return the_host->http->refused(x, said, NULL, err);
  if (first) err->vendor_code = status;
  return err ? err->code : TENON_IO;
}

/* ---- Fire ---- */

/* A member as ?key=value: text as it is, anything else as its JSON. */
static bool add_pair(tn_str *url, char separator, tn_json_text key, tn_json_text value) {
  tn_str name, text;
  tn_str_init(&name, MAX_QUERY);
  tn_str_init(&text, MAX_QUERY);
  bool is_text = tn_json_text_type(value) == TN_JSON_STRING;
  bool ok = tn_json_text_unquote(key, &name) &&
            (is_text ? tn_json_text_unquote(value, &text) : tn_str_add(&text, value.data, value.size)) &&
            tn_str_putc(url, separator) && tn_percent_encode(url, tn_str_text(&name), name.size, false) && tn_str_putc(url, '=') &&
            tn_percent_encode(url, tn_str_text(&text), text.size, false);
  tn_str_release(&name);
  tn_str_release(&text);
  return ok;
}

static tenon_status spell_url(const session *s, tn_json_text input, bool in_query, tn_str *url, tenon_error *err) {
  const char *cursor = NULL;
  tn_json_text key, value;
  char separator = '?';
  bool ok = tn_str_puts(url, s->url.url);
  while (ok && in_query && tn_json_text_next(input, &cursor, &key, &value)) {
    ok = add_pair(url, separator, key, value);
    separator = '&';
  }
  if (ok) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "set method=POST here and in the webhook node",
                    "the input is too long for a query");
}

typedef struct firing {
  const session *session;
  tn_str url, body;
  tenon_http_header headers[3];
  tenon_http_request request;
  int32_t status;          /* 0: no answer yet */
  tenon_status result;
  tenon_error error;
  bool is_over;
} firing;

static void add_header(firing *f, const char *name, const char *value) {
  f->headers[f->request.header_count++] = (tenon_http_header){name, value};
}

/* name NULL: there is none. */
static tenon_http_header credential(const session *s) {
  const config *c = s->config;
  if (strcmp(c->auth, "basic") == 0) return (tenon_http_header){"Authorization", tn_str_text(&s->authorization)};
  if (strcmp(c->auth, "header") == 0) return (tenon_http_header){c->header_name, c->header_value};
  return (tenon_http_header){NULL, NULL};
}

static tenon_status prepare(firing *f, const session *s, const tenon_action_call *call, tenon_error *err) {
  bool in_query = strcmp(s->config->method, "GET") == 0 || strcmp(s->config->method, "DELETE") == 0;
  tn_json_text input;
  *f = (firing){.session = s, .request = TENON_HTTP_REQUEST_INIT, .error = TENON_ERROR_INIT};
  tn_str_init(&f->url, TN_ORIGIN_URL + MAX_QUERY);
  tn_str_init(&f->body, MAX_REPLY);
  tenon_status status = tn_json_text_check(call->input, call->input_size, &input, err);
  if (!status) status = spell_url(s, input, in_query, &f->url, err);
  f->request.method = s->config->method;
  f->request.url = tn_str_text(&f->url);
  f->request.headers = f->headers;
  f->request.max_reply = MAX_REPLY;
  f->request.decompress = true;
  f->request.once = true;
  add_header(f, "Accept", "application/json, */*");
  const tenon_http_header login = credential(s);
  if (login.name) add_header(f, login.name, login.value);
  if (in_query) return status;
  add_header(f, "Content-Type", "application/json");
  f->request.data = call->input;
  f->request.data_size = call->input_size;
  return status;
}

static void release(firing *f) {
  tn_str_release(&f->url);
  tn_str_release(&f->body);
}

static tenon_status on_head(void *arg, tenon_http_exchange *x, tenon_error *err) {
  firing *f = arg;
  (void)err;
  f->status = the_host->http->status(x);
  return TENON_OK;
}

static tenon_status on_body(void *arg, const void *data, size_t size, tenon_error *err) {
  firing *f = arg;
  return tn_str_add(&f->body, data, size) ? TENON_OK : tn_no_memory(err);
}

static void on_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *why) {
  firing *f = arg;
  f->is_over = true;
  f->result = status;
  if (status) f->error = *why;
  else if (f->status >= 300) f->result = refused(f->session, x, &f->body, &f->error);
}

/* Until the answer is whole; or, where nobody waits for it, until there is one or n8n has had its time to refuse. */
static tenon_status drive(tenon_http_lane *lane, firing *f, tenon_error *err) {
  const config *c = f->session->config;
  int64_t left = c->waits ? -1 : c->accept_timeout_ms;
  size_t active = 1;
  tenon_status status = TENON_OK;
  int64_t until = tn_now_ms() + c->accept_timeout_ms;
  while (!status && !f->is_over && left != 0 && !(f->status && f->status < 300 && !c->waits)) {
    status = the_host->http->run(lane, (int)left, &active, err);
    int64_t now = tn_now_ms();
    if (!c->waits) left = now < until ? until - now : 0;
  }
  return status;
}

/* Nobody has answered, nor is waited for: then the event has to have arrived, at least. */
static tenon_status check_arrival(const firing *f, const tenon_http_exchange *x, tenon_error *err) {
  tenon_http_progress got = the_host->http->progress(x);
  const char *url = f->session->url.url;
  long long ms = (long long)f->session->config->accept_timeout_ms;
  if (got == TENON_HTTP_SENT) return TENON_OK;
  if (got == TENON_HTTP_UNSENT)
    return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TCP, "check that n8n runs there, or set accept_timeout higher",
                      "%s: there was no connection within %lld ms, and the event has not been sent", url, ms);
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_QUERY, "set accept_timeout higher",
                    "%s: the event did not arrive whole within %lld ms", url, ms);
}

static tenon_status exchange(tenon_ctx *ctx, firing *f, tenon_error *err) {
  tenon_http_lane *lane;
  tenon_http_exchange *x;
  tenon_error why = TENON_ERROR_INIT;
  const tenon_http_events events = {f, on_head, on_body, on_end};
  tenon_status status = the_host->http->new_lane(ctx, f->session->http, &lane, err);
  if (status) return status;
  status = the_host->http->begin(lane, &f->request, &events, &x, err);
  if (!status) {
    status = drive(lane, f, &why);
    if (!status && !f->is_over && !f->status) status = check_arrival(f, x, &why);
    if (!status && f->is_over && f->result) status = f->result, why = f->error;
    bool was_refused = status && f->is_over && f->status >= 300 && f->status <= 500;   /* 502 to 504: of who stands before it */
    if (was_refused) status = tn_pass_error(&why, err);
    else if (status)
      status = tn_action_failed(&why, "the workflow may have been started all the same",
                                "look at the workflow's executions in n8n before you fire again", err);
  }
  the_host->http->free_lane(lane);
  return status;
}

/* JSON as it is, other text as a string. */
static void put_body(tn_str *out, const tn_str *body) {
  tn_json_text root;
  if (body->size == 0) tn_str_puts(out, "null");
  else if (!tn_json_text_check(body->data, body->size, &root, NULL)) tn_str_add(out, root.data, root.size);
  else tn_json_quote(out, body->data, body->size);
}

static tenon_status fire(tenon_ctx *ctx, const session *s, const tenon_action_call *call, tenon_action_result *ret,
                         tenon_error *err) {
  firing f;
  tn_str out;
  tn_str_init(&out, 2 * MAX_REPLY);
  tenon_status status = prepare(&f, s, call, err);
  if (!status) status = exchange(ctx, &f, err);
  if (!status) {
    if (f.status) tn_str_printf(&out, "{\"status\":%d,\"body\":", (int)f.status);
    else tn_str_puts(&out, "{\"status\":null,\"body\":");
    if (s->config->waits) put_body(&out, &f.body);
    else tn_str_puts(&out, "null");
    tn_str_putc(&out, '}');
    status = tn_action_reply(&out, ret, err);
  }
  tn_str_release(&out);
  release(&f);
  return status;
}

/* ---- The facet ---- */

static const tenon_action actions[] = {
    {.struct_size = sizeof(tenon_action),
     .name = "fire",
     .title = "Fire an event",
     .description = "Starts the n8n workflow with this event and answers what the workflow answers.",
     .input_schema = "{\"type\":\"object\",\"description\":\"the event: whatever the workflow expects\"}",
     .output_schema = "{\"type\":\"object\",\"required\":[\"status\",\"body\"],\"properties\":{"
                      "\"status\":{\"type\":[\"integer\",\"null\"],\"description\":\"of the answer; null: none came while it was waited for. The event has arrived at the host then; whether n8n took it, nobody said\"},"
                      "\"body\":{\"description\":\"what the workflow answered: JSON as it is, other text as a string; null: nothing, or it was not waited for\"}}}"},
};

static tenon_status list(tenon_ctx *ctx, void *self, const tenon_actions_list *request, tenon_actions *ret, tenon_error *err) {
  (void)ctx, (void)self;
  return tn_actions_tell(actions, 1, request, ret, err);
}

static tenon_status call(tenon_ctx *ctx, void *self, const tenon_action_call *request, tenon_action_result *ret, tenon_error *err) {
  tenon_actions all;
  const tenon_actions_list named = {.struct_size = sizeof named, .name = request->action};
  tenon_status status = tn_actions_tell(actions, 1, &named, &all, err);
  return status ? status : fire(ctx, self, request, ret, err);
}

/* ---- Test ---- */

/* Is the word in "OPTIONS, POST, GET"? */
static bool lists_method(const char *list, const char *method) {
  size_t size = strlen(method);
  for (const char *at = list; *at; at += strcspn(at, ",")) {
    at += strspn(at, ", ");
    if (strncasecmp(at, method, size) == 0 && strcspn(at, ", ") == size) return true;
  }
  return false;
}

/* n8n tells which methods a webhook has to who asks as a browser would, and starts nothing. */
static tenon_status judge(const session *s, tenon_http_reply *reply, tenon_error *err) {
  const char *methods_there = the_host->http->header(reply->exchange, "access-control-allow-methods");
  tn_str body;
  tn_str_init(&body, MAX_SAID);
  tenon_status status = reply->status >= 300 ? tn_http_text(reply, MAX_SAID, &body, err) : TENON_OK;
  if (!status && reply->status >= 300) status = refused(s, reply->exchange, &body, err);
  else if (!status && !methods_there)
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "check the URL, and that nothing in front of n8n answers OPTIONS in its place",
                        "%s answers, but not as n8n does", s->url.url);
  else if (!status && !lists_method(methods_there, s->config->method)) {
    bool none = strcasecmp(methods_there, "OPTIONS") == 0;
    status = not_registered(s, none ? "no active workflow has this webhook" : "Did you mean another method? The webhook has not this one", err);
  }
  tn_str_release(&body);
  return status;
}

static tenon_status ask(tenon_ctx *ctx, void *arg, tenon_error *err) {
  const session *s = arg;
  char origin[TN_ORIGIN_ROOM + 16];
  tenon_http_reply reply;
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  snprintf(origin, sizeof origin, "%s://%s", s->url.is_tls ? "https" : "http", s->url.authority);
  /* n8n looks at no credentials here, but what stands before it may */
  const tenon_http_header login = credential(s), headers[] = {{"Origin", origin}, login};
  r.method = "OPTIONS";
  r.url = s->url.url;
  r.headers = headers;
  r.header_count = login.name ? 2 : 1;
  tenon_status status = the_host->http->send(ctx, s->http, &r, &reply, err);
  if (status) return status;
  status = judge(s, &reply, err);
  reply.body.close(reply.body.self);
  return status;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *given, tenon_test *ret, tenon_error *err) {
  void *self;
  tenon_status status = open_session(ctx, provider, given, &self, err);
  if (status) return status;
  session *s = self;
  bool has_credentials = strcmp(s->config->auth, "none") != 0;
  status = tn_http_test_reach(ctx, the_host, &s->config->reach, &s->url, ret, err);
  if (!status)
    status = tn_http_test_ask(ctx, the_host, &s->config->reach, &s->url, ret,
                              has_credentials ? "n8n looks at the credentials only when the workflow is fired" : "as nobody", ask, s, err);
  if (!status) the_host->step_end(ret, TENON_PASSED, NULL, "the webhook is there, for %s; nothing was started", s->config->method);
  close_session(s);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  the_host = host;
  return TENON_OK;
}

static const tenon_actions_ops actions_ops = {.struct_size = sizeof actions_ops, .list = list, .call = call};

const tenon_provider tn_provider_n8n_webhook = {
    .struct_size = sizeof tn_provider_n8n_webhook,
    .abi = TENON_ABI,
    .kind = "n8n_webhook",
    .category = "automation",
    .label = "n8n webhook",
    .summary = "Events that start a workflow of n8n, and what the workflow answers.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(config),
    .traits = TENON_SHARED,
    .init = init,
    .test = test,
    .open = open_session,
    .close = close_session,
    .actions = &actions_ops,
};
