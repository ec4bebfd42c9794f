/* SPDX-License-Identifier: Apache-2.0 */
#include "llm.h"

#include <stdio.h>
#include <string.h>

enum { MAX_REPLY_TEXT = 64 << 10, MAX_PATH = 2048, MAX_HEADER = 16 << 10 };

const tenon_host *tn_llm_host;

tenon_status tn_llm_init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_llm_host = host;
  return TENON_OK;
}

/* ---- URLs ---- */

tenon_status tn_llm_parse_url(const char *url, const char *key, const char *scheme, tn_url_set set,
                              void *arg, tenon_error *err) {
  const char *host = strstr(url, "://") + 3, *query = host + strcspn(host, "?");
  char text[MAX_PATH];
  if (memchr(host, '@', (size_t)(query - host)))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give the key as api_key: $ENV:NAME in tenon.yaml",
                      "the URL has a user before its host");
  if (query - host > (ptrdiff_t)sizeof text - 16)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "the URL is too long");
  snprintf(text, sizeof text, "%s://%.*s", scheme, (int)(query - host), host);
  tenon_status status = query > host ? set(arg, key, text, err) : TENON_OK;
  return status ? status : tn_url_query(query + (*query == '?'), set, arg, err);
}

/* ---- Opening ---- */

static tenon_status prepare(tenon_ctx *ctx, tn_llm *l, tenon_error *err) {
  const char *config = l->config;
  const char *const *url = (const void *)(config + l->kind->url_at);
  l->params = (const void *)(config + l->kind->params_at);
  tenon_status status = tn_http_base_parse(l->kind->url_key, *url, &l->base, err);
  if (!status) status = tn_http_client(ctx, tn_llm_host, &l->params->reach, &l->http, err);
  return status ? status : l->kind->identify(l, config, err);
}

tenon_status tn_llm_open(tenon_ctx *ctx, const tn_llm_kind *kind, const void *config, void **ret,
                         tenon_error *err) {
  tn_llm *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->kind = kind;
  l->config = config;
  tn_arena_init(&l->arena, (size_t)TN_LLM_HEADERS * MAX_HEADER);
  tenon_status status = prepare(ctx, l, err);
  if (status) tn_llm_close(l);
  else *ret = l;
  return status;
}

void tn_llm_close(void *llm) {
  tn_llm *l = llm;
  tn_llm_host->http->free_client(l->http);
  tn_arena_release(&l->arena);
  tn_free(l);
}

tenon_status tn_llm_header(tn_llm *l, const char *name, const char *prefix, const char *value,
                           tenon_error *err) {
  if (!value || !*value) return TENON_OK;
  size_t before = strlen(prefix), size = before + strlen(value);
  if (size >= MAX_HEADER || l->header_count == TN_LLM_HEADERS)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "check it",
                      "what is to be sent as %s is too long", name);
  char *text = tn_arena_alloc(&l->arena, size + 1);
  if (!text) return tn_no_memory(err);
  memcpy(text, prefix, before);
  memcpy(text + before, value, size - before);
  l->headers[l->header_count++] = (tenon_http_header){name, text};
  return TENON_OK;
}

tenon_status tn_llm_model(const tn_llm *l, const char *asked, bool embeds, const char **ret,
                          tenon_error *err) {
  const char *own =
      embeds && l->params->embedding_model ? l->params->embedding_model : l->params->model;
  const char *model = asked ? asked : own;
  if (!model || !*model)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "set the connector's model, or name one with --model; `tenon ls` lists them",
                      "no model is named");
  *ret = model;
  return TENON_OK;
}

/* ---- Requests ---- */

/* What is behind the limit does not matter: the beginning says what is wrong. */
static tenon_status take_refusal(const tn_llm *l, tenon_http_reply *reply, tenon_error *err) {
  tn_str text;
  tenon_error why = TENON_ERROR_INIT;
  tn_str_init(&text, 2 * MAX_REPLY_TEXT);
  tenon_status status = tn_http_text(reply, MAX_REPLY_TEXT, &text, &why);
  if (!status || status == TENON_LIMITED)
    status = tn_llm_refused(l, reply->exchange, tn_str_text(&text), text.size, err);
  else tn_pass_error(&why, err);
  tn_str_release(&text);
  return status;
}

tenon_status tn_llm_send(tenon_ctx *ctx, tn_llm *l, const char *path, tn_llm_body *body,
                         const char *accept, int64_t max_reply, tenon_http_reply *ret,
                         tenon_error *err) {
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  tenon_http_header headers[TN_LLM_HEADERS + 2];
  char url[TN_ORIGIN_URL + MAX_PATH];
  size_t n = l->header_count;
  memcpy(headers, l->headers, n * sizeof *headers);
  headers[n++] = (tenon_http_header){"Accept", accept};
  if (body) {
    tn_json_close(&body->json);
    if (body->text.failed) return tn_no_memory(err);
    headers[n++] = (tenon_http_header){"Content-Type", "application/json"};
    r.method = "POST";
    r.data = body->text.data;
    r.data_size = body->text.size;
  }
  snprintf(url, sizeof url, "%s%s", l->base.url, path);
  r.url = url;
  r.headers = headers;
  r.header_count = n;
  r.max_reply = max_reply;
  tenon_status status = tn_llm_host->http->send(ctx, l->http, &r, ret, err);
  if (status || ret->status < 300) return status;
  status = take_refusal(l, ret, err);
  ret->body.close(ret->body.self);
  return status;
}

tenon_status tn_llm_strange(const tn_llm *l, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, l->kind->url_remedy,
                    "%s: the reply is not %s's: %s", l->base.url, l->kind->service, what);
}

tenon_status tn_llm_wrong(const tn_llm *l, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "ask who runs the service: it does not keep to its own protocol",
                    "%s: the reply is not %s's: %s", l->base.url, l->kind->service, what);
}

tenon_status tn_llm_ask(tenon_ctx *ctx, tn_llm *l, const char *path, tn_llm_body *body,
                        int64_t max_reply, tn_json **ret, tenon_error *err) {
  tenon_http_reply reply;
  tenon_error why = TENON_ERROR_INIT;
  tn_json *json = NULL;
  tn_str text;
  tenon_status status = tn_llm_send(ctx, l, path, body, "application/json", max_reply, &reply, err);
  if (status) return status;
  tn_str_init(&text, (size_t)max_reply);
  status = tn_http_text(&reply, (size_t)max_reply, &text, err);
  reply.body.close(reply.body.self);
  const char *first = tn_str_text(&text) + strspn(tn_str_text(&text), " \t\r\n");
  if (!status && *first != '{') status = tn_llm_strange(l, "it is not a JSON object", err);
  if (!status && (status = tn_json_parse_reply(text.data, text.size, &json, &why)))
    tenon_fail(err, status, TENON_STAGE_DATA,
               "ask who runs the service: it does not keep to its own protocol", "%s: %s",
               l->base.url, why.message);
  tn_str_release(&text);
  if (!status) *ret = json;
  return status;
}

const char *tn_llm_text(const tn_json *v, const char *key) {
  return tn_json_string(tn_json_get(v, key));
}

int64_t tn_llm_count(const tn_json *v, const char *key) {
  const tn_json *n = tn_json_get(v, key);
  return tn_json_type_of(n) == TN_JSON_INTEGER && tn_json_integer(n) >= 0 ? tn_json_integer(n) : -1;
}
