/* SPDX-License-Identifier: Apache-2.0 */
/* Any HTTP API that speaks JSON: its endpoints as actions and tables. */
#include "rest_api.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

const tenon_host *tn_rest_host;

static const char *const modes[] = {
    "none", "basic", "bearer", "api_key", "oauth_client_credentials", "oauth_refresh", NULL};

static const tenon_param params[] = {
    {TENON_STRING(tn_rest_config, base_url), .key = "base_url", .label = "Base URL",
     .flags = TENON_REQUIRED, .help = "what all paths stand behind: https://api.example.com/v1",
     .aliases = "url"},
    {TENON_JSON(tn_rest_config, endpoints), .key = "endpoints", .label = "Endpoints",
     .flags = TENON_REQUIRED,
     .help = "what can be asked for, by name: docs/rest_api.md; also $FILE:endpoints.json"},
    {TENON_ENUM(tn_rest_config, auth), .key = "auth", .label = "Authentication",
     .default_value = "none", .choices = modes, .help = "how requests say who sends them",
     .group = "Authentication"},
    {TENON_STRING(tn_rest_config, username), .key = "username", .label = "User name",
     .flags = TENON_REQUIRED, .when = "auth=basic", .group = "Authentication",
     .help = "of basic authentication", .aliases = "user"},
    {TENON_STRING(tn_rest_config, password), .key = "password", .label = "Password",
     .flags = TENON_SECRET, .when = "auth=basic", .group = "Authentication",
     .help = "of basic authentication; may be empty"},
    {TENON_STRING(tn_rest_config, token), .key = "token", .label = "Token",
     .flags = TENON_REQUIRED | TENON_SECRET, .when = "auth=bearer", .group = "Authentication",
     .help = "sent as Authorization: Bearer …"},
    {TENON_STRING(tn_rest_config, api_key), .key = "api_key", .label = "API key",
     .flags = TENON_REQUIRED | TENON_SECRET, .when = "auth=api_key", .group = "Authentication",
     .help = "sent in a header, or in the query"},
    {TENON_STRING(tn_rest_config, api_key_header), .key = "api_key_header",
     .label = "Header of the key", .default_value = "X-API-Key", .when = "auth=api_key",
     .group = "Authentication", .help = "the header that has the key"},
    {TENON_STRING(tn_rest_config, api_key_query), .key = "api_key_query",
     .label = "Parameter of the key", .when = "auth=api_key", .group = "Authentication",
     .help = "the query parameter that has the key, instead of a header"},
    TN_OAUTH_PARAMS(tn_rest_config, oauth, "Authentication",
                    "auth=oauth_client_credentials|oauth_refresh", "auth=oauth_refresh"),
    {TENON_MAP(tn_rest_config, headers), .key = "headers", .label = "Headers",
     .flags = TENON_SECRET, .help = "sent with every request, such as Accept or an API's version"},
    {TENON_MAP(tn_rest_config, variables), .key = "variables", .label = "Variables",
     .help = "fixed values of variables in templates, as owner=acme"},
    {TENON_MAP(tn_rest_config, secrets), .key = "secrets", .label = "Secret variables",
     .flags = TENON_SECRET,
     .help = "the same for what nobody is to see, as a key that stands in a body: pin=$ENV:PIN"},
    {TENON_STRING(tn_rest_config, test_endpoint), .key = "test_endpoint",
     .label = "Endpoint to test", .flags = TENON_ADVANCED,
     .help =
         "called by `tenon test`; it has to change nothing and to need no input. Else the base URL is asked for"},
    {TENON_NUMBER(tn_rest_config, requests_per_second), .key = "requests_per_second",
     .label = "Requests a second", .flags = TENON_ADVANCED, .group = "Limits", .min = 0,
     .max = 100000, .help = "no more are sent; 0: no limit", .default_value = "0"},
    {TENON_NUMBER(tn_rest_config, requests_per_minute), .key = "requests_per_minute",
     .label = "Requests a minute", .flags = TENON_ADVANCED, .group = "Limits", .min = 0,
     .max = 1000000, .help = "no more are sent; 0: no limit", .default_value = "0"},
    {TENON_SIZE(tn_rest_config, max_reply), .key = "max_reply", .label = "Longest reply",
     .flags = TENON_ADVANCED, .group = "Limits", .default_value = "16M", .min = 1024,
     .max = 256 << 20, .help = "a reply (one page) that is longer is an error"},
    TN_HTTP_PARAMS(tn_rest_config, reach),
};

/* ---- Opening ---- */

static void take_limits(tn_rest *s) {
  double second = s->config->requests_per_second, minute = s->config->requests_per_minute;
  double gap = second > 0 ? 1e6 / second : 0;
  if (minute > 0 && 60e6 / minute > gap) gap = 60e6 / minute;
  s->gap_us = (int64_t)gap;
}

static void close_session(void *session) {
  tn_rest *s = session;
  tn_rest_host->http->free_client(s->http);
  tn_arena_release(&s->arena);
  tn_rest_limit_leave(s->limit);
  tn_free(s);
}

static void take_oauth(tn_rest *s) {
  bool by_grant = strcmp(s->config->auth, "oauth_refresh") == 0;
  s->has_oauth = by_grant || strcmp(s->config->auth, "oauth_client_credentials") == 0;
  s->oauth = tn_oauth_source(&s->config->oauth, by_grant, &s->http_options);
}

static tenon_status make_session(tenon_ctx *ctx, const tn_rest_config *c, tn_rest **ret,
                                 tenon_error *err) {
  tn_rest *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = c;
  tn_arena_init(&s->arena, 64 << 20);
  take_limits(s);
  s->http_options = tn_http_options_of(&c->reach);
  take_oauth(s);
  tenon_status status = tn_http_base_parse("base_url", c->base_url, &s->base, err);
  if (!status) status = tn_rest_limit_join(s, &s->limit, err);
  if (!status) status = tn_rest_declare(s, err);
  if (!status) status = tn_rest_host->http->new_client(ctx, &s->http_options, &s->http, err);
  if (status) close_session(s);
  else *ret = s;
  return status;
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                                 void **ret, tenon_error *err) {
  tn_rest *s;
  (void)provider;
  tenon_status status = tn_rest_host->check(ctx, err);
  if (!status) status = make_session(ctx, config, &s, err);
  if (!status) *ret = s;
  return status;
}

/* ---- Test ---- */

static tenon_status call_test_endpoint(tenon_ctx *ctx, tn_rest *s, int32_t *ret_status,
                                       tenon_error *err) {
  const tn_rest_endpoint *e = NULL;
  const tn_json_text none = {NULL, 0};
  tn_rest_reply reply;
  char page[120] = "";
  tenon_status status = tn_rest_find(s, s->config->test_endpoint, &e, err);
  if (!status && !e->read_only)
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "name one that changes nothing as test_endpoint",
                        "endpoint %s may change something, and a test does not", e->name);
  if (status) return status;
  bool counts = e->paging.style == TN_REST_BY_PAGE || e->paging.style == TN_REST_BY_OFFSET;
  int n = counts ? snprintf(page, sizeof page, "{\"%.64s\":%lld}", e->paging.variable,
                            (long long)e->paging.start)
                 : 0;
  const tn_rest_scope scope =
      tn_rest_scope_of(s, e, counts ? (tn_json_text){page, (size_t)n} : none, none);
  status = tn_rest_send(ctx, s, e, &scope, NULL, &reply, NULL, err);
  if (status) return status;
  tn_rest_reply_release(&reply);
  *ret_status = 200;
  return TENON_OK;
}

typedef struct asking {
  tn_rest *session;
  int32_t status;
} asking;

static tenon_status ask(tenon_ctx *ctx, void *arg, tenon_error *err) {
  asking *a = arg;
  bool named = a->session->config->test_endpoint && *a->session->config->test_endpoint;
  return named ? call_test_endpoint(ctx, a->session, &a->status, err)
               : tn_rest_probe(ctx, a->session, &a->status, err);
}

/* A token that is not to be had is no matter of the service, which has not been asked for anything yet. */
static tenon_status check_token(tenon_ctx *ctx, const tn_rest *s, tenon_test *t, tenon_error *err) {
  tn_str bearer;
  if (!s->has_oauth) return TENON_OK;
  tn_str_init(&bearer, TENON_TOKEN_ROOM + 64);
  tenon_status status = tn_oauth_bearer(ctx, tn_rest_host, &s->oauth, &bearer, err);
  if (bearer.data) tn_wipe(bearer.data, bearer.capacity);
  tn_str_release(&bearer);
  if (status) tn_rest_host->step_begin(t, "auth");
  return status;
}

static tenon_status walk(tenon_ctx *ctx, tn_rest *s, tenon_test *t, tenon_error *err) {
  const char *named = s->config->test_endpoint, *as_whom = strcmp(s->config->auth, "none")
                                                               ? "the credentials were not refused"
                                                               : "as nobody";
  asking a = {.session = s};
  tenon_status status = tn_http_test_reach(ctx, tn_rest_host, &s->config->reach, &s->base, t, err);
  if (!status) status = check_token(ctx, s, t, err);
  if (!status)
    status =
        tn_http_test_ask(ctx, tn_rest_host, &s->config->reach, &s->base, t, as_whom, ask, &a, err);
  if (status) return status;
  if (named && *named) tn_rest_host->step_end(t, TENON_PASSED, NULL, "endpoint %s answers", named);
  else if (a.status < 400)
    tn_rest_host->step_end(t, TENON_PASSED, NULL, "the base URL answers with status %d",
                           (int)a.status);
  else
    tn_rest_host->step_end(t, TENON_WARNED, "name a test_endpoint, to be sure of the credentials",
                           "the base URL answers with status %d", (int)a.status);
  return TENON_OK;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                         tenon_test *ret, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  tn_rest *s;
  (void)provider;
  if (!err) err = &own;
  tenon_status status = tn_rest_host->check(ctx, err);
  if (!status) status = make_session(ctx, config, &s, err);
  if (status) return status;
  status = walk(ctx, s, ret, err);
  if (!status) tn_rest_host->fact(ret, "endpoints", "%zu", s->endpoint_count);
  close_session(s);
  return status;
}

/* ---- The provider ---- */

static tenon_status consent(const void *config, tenon_consent *ret, tenon_error *err) {
  const tn_rest_config *c = config;
  const tenon_http_options http = tn_http_options_of(&c->reach);
  return tn_oauth_consent(&c->oauth, strcmp(c->auth, "oauth_refresh") == 0, &http, ret, err);
}

static const tenon_oauth oauth = {.struct_size = sizeof oauth, .consent = consent};

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_rest_host = host;
  return TENON_OK;
}

const tenon_provider tn_provider_rest_api = {
    .struct_size = sizeof tn_provider_rest_api,
    .abi = TENON_ABI,
    .kind = "rest_api",
    .category = "api",
    .label = "REST API",
    .summary =
        "Any HTTP API that speaks JSON, described by its endpoints: calls as actions, records page by page as tables.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_rest_config),
    .traits = TENON_SHARED,
    .init = init,
    .test = test,
    .open = open_session,
    .close = close_session,
    .tables = &tn_rest_tables,
    .actions = &tn_rest_actions,
    .oauth = &oauth,
};
