/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OpenAI, and everything that speaks its protocol: chat completions, embeddings, models.
 * Source: OpenAI's API reference (chat completions with their streaming events, embeddings, models,
 * error codes).
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "llm.h"

enum { MAX_LIST = 8 << 20, MAX_TEXTS = 256, MAX_BYTES = 256 << 10, MAX_VECTORS = 16 << 20 };

typedef struct openai_config {
  uint64_t set;
  const char *base_url, *credentials, *api_key, *organization, *project, *token_limit;
  tn_llm_params llm;
} openai_config;

static const char *const credentials[] = {"given", "environment", NULL};
static const char *const token_limits[] = {"auto", "max_completion_tokens", "max_tokens", NULL};

static const tenon_param params[] = {
    {TENON_ENUM(openai_config, credentials), .key = "credentials", .label = "Credentials",
     .default_value = "given", .choices = credentials,
     .help = "given: the key below, or none; environment: if it is not given it comes from "
             "OPENAI_API_KEY"},
    {TENON_STRING(openai_config, api_key), .key = "api_key", .label = "API key",
     .flags = TENON_SECRET, .env = "OPENAI_API_KEY", .ambient = "credentials=environment",
     .help = "sk-…; services of one's own often want none"},
    TN_LLM_MODEL_PARAMS(openai_config, llm),
    TN_LLM_EMBEDDING_PARAMS(openai_config, llm),
    {TENON_STRING(openai_config, base_url), .key = "base_url", .label = "Base URL",
     .env = "OPENAI_BASE_URL", .default_value = "https://api.openai.com/v1",
     .help = "another service that speaks this protocol, with its /v1: http://localhost:8000/v1",
     .aliases = "url,api_base"},
    {TENON_STRING(openai_config, organization), .key = "organization", .label = "Organization",
     .env = "OPENAI_ORG_ID", .flags = TENON_ADVANCED,
     .help = "whose account it is, where a key has several: org-…"},
    {TENON_STRING(openai_config, project), .key = "project", .label = "Project",
     .env = "OPENAI_PROJECT_ID", .flags = TENON_ADVANCED,
     .help = "which project of it pays: proj_…"},
    {TENON_ENUM(openai_config, token_limit), .key = "token_limit", .label = "Token limit",
     .flags = TENON_ADVANCED, .default_value = "auto", .choices = token_limits,
     .help = "what an answer's limit is called; auto: max_completion_tokens at OpenAI itself, "
             "max_tokens elsewhere"},
    TN_HTTP_PARAMS(openai_config, llm.reach),
};

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  return tn_llm_parse_url(url, "base_url", "https", set, arg, err);
}

#define SHORTEN "leave out older messages or shorten them, or take a model with a larger window"
#define NO_CREDIT \
  "add credit or raise the limit in the account's billing settings, or use another key"
#define WAIT "wait a while, ask less often, or have the limit raised"
#define BUSY "wait a while: the service is busy"
#define NO_MODEL \
  "check the model's name (`tenon ls` lists those of this key), and that the project may use it"
#define CHANGE "change what is asked: a filter of the service stops it"

static const tn_llm_meaning meanings[] = {
    {0, NULL, "missing scopes", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, 0, false,
     "give the key that scope (in the project's API keys), or use another"},
    {0, "insufficient_quota", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     NO_CREDIT},
    {0, "billing_hard_limit_reached", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA,
     false, NO_CREDIT},
    {0, "billing_not_active", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     NO_CREDIT},
    {402, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false, NO_CREDIT},
    {0, "context_length_exceeded", NULL, TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false, SHORTEN},
    {400, NULL, "maximum context length", TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false, SHORTEN},
    {400, NULL, "context window", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_CONTEXT_OVERFLOW,
     false, SHORTEN},
    {0, "content_filter", NULL, TENON_FORBIDDEN, TENON_STAGE_QUERY, TENON_MODELS_FILTERED, false,
     CHANGE},
    {0, "content_policy_violation", NULL, TENON_FORBIDDEN, TENON_STAGE_QUERY, TENON_MODELS_FILTERED,
     false, CHANGE},
    {0, "invalid_prompt", NULL, TENON_FORBIDDEN, TENON_STAGE_QUERY, TENON_MODELS_FILTERED, false,
     CHANGE},
    {0, NULL, "not a chat model", TENON_UNSUPPORTED, TENON_STAGE_QUERY, 0, false,
     "name a chat model as model, and one for vectors as embedding_model"},
    {0, "model_not_found", NULL, TENON_NOT_FOUND, TENON_STAGE_QUERY, TENON_MODELS_NO_MODEL, false,
     NO_MODEL},
    {404, NULL, "model", TENON_NOT_FOUND, TENON_STAGE_QUERY, TENON_MODELS_NO_MODEL, false,
     NO_MODEL},
    {0, "mismatched_organization", NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check organization: the key belongs to another"},
    {0, "mismatched_project", NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check project: the key belongs to another"},
    {0, "invalid_api_key", NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check api_key: the service does not know it"},
    {401, NULL, NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check api_key, and organization and project where they are given"},
    {0, "unsupported_country_region_territory", NULL, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, 0,
     false, "the service is not offered where this machine is"},
    {403, NULL, NULL, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, 0, false,
     "have the key or its project permitted that, or use another"},
    {0, "unsupported_parameter", NULL, TENON_UNSUPPORTED, TENON_STAGE_QUERY, 0, false,
     "leave that setting out, or take another model"},
    {0, "unsupported_value", NULL, TENON_UNSUPPORTED, TENON_STAGE_QUERY, 0, false,
     "leave that setting out, or take another model"},
    {429, NULL, "request too large", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED,
     false, "send less at once: it is more than a minute's limit, so waiting does not help"},
    {503, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true, BUSY},
    {529, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true, BUSY},
    {0, NULL, "overloaded", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true, BUSY},
    {0, "rate_limit_exceeded", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED,
     true, WAIT},
    {0, "rate_limit_error", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED, true,
     WAIT},
    {429, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED, true, WAIT},
    {0},
};

/* ---- chat ---- */

static tenon_status put_image(tn_llm_body *b, const tenon_part *p, tenon_error *err) {
  char prefix[128];
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", "image_url");
  tn_json_key(&b->json, "image_url");
  tn_json_open(&b->json, '{');
  tenon_status status = TENON_OK;
  if (p->url) {
    tn_llm_put(b, "url", p->url);
  } else {
    snprintf(prefix, sizeof prefix, "data:%.80s;base64,", p->media_type);
    tn_json_key(&b->json, "url");
    status = tn_llm_put_base64(b, prefix, p->data, p->size, err);
  }
  tn_json_close(&b->json);
  tn_json_close(&b->json);
  return status;
}

static tenon_status put_parts(tn_llm_body *b, const tenon_message *m, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_json_key(&b->json, "content");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < m->part_count && !status; i++) {
    if (m->parts[i].type == TENON_PART_IMAGE) {
      status = put_image(b, &m->parts[i], err);
      continue;
    }
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "type", "text");
    tn_llm_put(b, "text", m->parts[i].text);
    tn_json_close(&b->json);
  }
  tn_json_close(&b->json);
  return status;
}

/* Arguments are a string there, with JSON in it. */
static void put_calls(tn_llm_body *b, const tenon_message *m) {
  if (!tn_llm_parts(m, TENON_PART_TOOL_CALL)) return;
  tn_json_key(&b->json, "tool_calls");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < m->part_count; i++) {
    const tenon_part *p = &m->parts[i];
    if (p->type != TENON_PART_TOOL_CALL) continue;
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "id", p->id);
    tn_llm_put(b, "type", "function");
    tn_json_key(&b->json, "function");
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "name", p->name);
    tn_llm_put(b, "arguments", p->arguments);
    tn_json_close(&b->json);
    tn_json_close(&b->json);
  }
  tn_json_close(&b->json);
}

static void put_results(tn_llm_body *b, const tenon_message *m) {
  for (size_t i = 0; i < m->part_count; i++) {
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "role", "tool");
    tn_llm_put(b, "tool_call_id", m->parts[i].id);
    tn_llm_put(b, "content", m->parts[i].text);
    tn_json_close(&b->json);
  }
}

static tenon_status put_message(tn_llm_body *b, const tenon_message *m, tenon_error *err) {
  static const char *const roles[] = {"system", "user", "assistant", "tool"};
  if (m->role == TENON_TOOL) {
    put_results(b, m);
    return TENON_OK;
  }
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "role", roles[m->role]);
  tenon_status status =
      tn_llm_parts(m, TENON_PART_IMAGE) ? put_parts(b, m, err) : tn_llm_put_content(b, m, err);
  if (!status) put_calls(b, m);
  tn_json_close(&b->json);
  return status;
}

/* Is every object closed, with all of its members required? Only such schemas are taken as strict.
 */
static bool is_closed(const tn_json *v) {
  const tn_json *properties = tn_json_get(v, "properties"),
                *more = tn_json_get(v, "additionalProperties");
  const char *key;
  const tn_json *value;
  bool is_object = tn_json_type_of(v) == TN_JSON_OBJECT;
  if (is_object && tn_json_type_of(properties) == TN_JSON_OBJECT &&
      (tn_json_type_of(more) != TN_JSON_BOOL || tn_json_bool(more) ||
       tn_json_count(tn_json_get(v, "required")) != tn_json_count(properties)))
    return false;
  for (void *cursor = NULL; is_object && tn_json_next(v, &cursor, &key, &value);)
    if (!is_closed(value)) return false;
  for (size_t i = 0; tn_json_type_of(v) == TN_JSON_ARRAY && i < tn_json_count(v); i++)
    if (!is_closed(tn_json_at(v, i))) return false;
  return true;
}

static bool may_be_strict(const char *schema) {
  tn_json *v;
  if (tn_json_parse(schema, strlen(schema), &v, NULL)) return false;
  bool may = is_closed(v);
  tn_json_free(v);
  return may;
}

static void put_schema(tn_llm_body *b, const char *schema) {
  tn_json_key(&b->json, "response_format");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", "json_schema");
  tn_json_key(&b->json, "json_schema");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "name", "answer");
  tn_llm_put_bool(b, "strict", may_be_strict(schema));
  tn_llm_put_raw(b, "schema", schema);
  tn_json_close(&b->json);
  tn_json_close(&b->json);
}

/* OpenAI's newer models take the longer name alone, most other services only the older one. */
static const char *limit_name(const tn_llm *l) {
  const openai_config *c = l->config;
  if (strcmp(c->token_limit, "auto") != 0) return c->token_limit;
  return strcasecmp(l->base.host, "api.openai.com") == 0 ? "max_completion_tokens" : "max_tokens";
}

static void put_settings(tn_llm_body *b, const tn_llm *l, const tenon_chat *c) {
  static const char *const choices[] = {"auto", "none", "required"};
  tn_llm_put_functions(b, c);
  if (c->tool_choice) tn_llm_put(b, "tool_choice", choices[c->tool_choice]);
  if (c->schema) put_schema(b, c->schema);
  if (c->stop_count) tn_llm_put_texts(b, "stop", c->stop, c->stop_count);
  if (c->has_seed) tn_llm_put_integer(b, "seed", c->seed);
  if (c->has_temperature) tn_llm_put_number(b, "temperature", c->temperature);
  if (c->max_tokens > 0) tn_llm_put_integer(b, limit_name(l), c->max_tokens);
  tn_llm_put_bool(b, "stream", true);
  tn_json_key(&b->json, "stream_options");
  tn_json_open(&b->json, '{');
  tn_llm_put_bool(b, "include_usage", true);
  tn_json_close(&b->json);
}

static tenon_status chat(tenon_ctx *ctx, void *session, const tenon_chat *c, tenon_events *ret,
                         tenon_error *err) {
  tn_llm *l = session;
  const char *model;
  tn_llm_body b;
  tenon_status status = tn_llm_model(l, c->model, false, &model, err);
  if (status) return status;
  tn_llm_body_init(&b);
  tn_llm_put(&b, "model", model);
  tn_json_key(&b.json, "messages");
  tn_json_open(&b.json, '[');
  for (size_t i = 0; i < c->message_count && !status; i++)
    status = put_message(&b, &c->messages[i], err);
  tn_json_close(&b.json);
  put_settings(&b, l, c);
  if (!status) status = tn_llm_start(ctx, l, "/chat/completions", &b, ret, err);
  tn_llm_body_release(&b);
  return status;
}

/* ---- What comes ---- */

/* Some services count all calls as the first one: another id is another call. */
static void part_calls(tn_llm_answer *a, int64_t index, tn_json_text id) {
  for (size_t i = 0; i < a->call_count; i++) {
    tn_llm_call *c = &a->calls[i];
    if (c->index == index && c->id && id.data && id.size > 2 && !tn_llm_is(id, c->id))
      c->index = -1 - (int64_t)i;
  }
}

/* JSON in a string, in pieces; some services give the object itself. */
static tenon_status take_arguments(tn_llm_answer *a, tn_llm_call *call, tn_json_text arguments,
                                   tenon_error *err) {
  const char *piece;
  tn_json_type type = tn_json_text_type(arguments);
  if (!arguments.data) return TENON_OK;
  if (type == TN_JSON_OBJECT) return tn_llm_call_add(a, call, arguments.data, arguments.size, err);
  if (type != TN_JSON_STRING)
    return tn_llm_wrong(a->llm, "a tool call's arguments are neither a text nor an object", err);
  tenon_status status = tn_llm_say(a, arguments, &piece, err);
  return status ? status : tn_llm_call_add(a, call, piece, strlen(piece), err);
}

static tenon_status take_call(tn_llm_answer *a, tn_json_text part, tenon_error *err) {
  tn_llm_member m[] = {{.key = "index"}, {.key = "id"}, {.key = "function"}},
                f[] = {{.key = "name"}, {.key = "arguments"}};
  tn_llm_call *call;
  tn_llm_members(part, m, 3);
  tn_llm_members(m[2].value, f, 2);
  int64_t index = tn_llm_number(m[0].value);
  if (index >= 0) part_calls(a, index, m[1].value);
  tenon_status status = tn_llm_call_at(a, index < 0 ? (int64_t)a->call_count : index, &call, err);
  if (!status) status = tn_llm_call_name(a, call, m[1].value, f[0].value, err);
  return status ? status : take_arguments(a, call, f[1].value, err);
}

static void take_usage(tn_llm_answer *a, tn_json_text usage) {
  tn_llm_member m[] = {
      {.key = "prompt_tokens"}, {.key = "completion_tokens"}, {.key = "prompt_tokens_details"}};
  tn_llm_member details[] = {{.key = "cached_tokens"}, {.key = "cache_write_tokens"}};
  if (!usage.data) return;
  tn_llm_members(usage, m, 3);
  tn_llm_members(m[2].value, details, 2);
  a->usage.input = tn_llm_number(m[0].value);
  a->usage.output = tn_llm_number(m[1].value);
  a->usage.cached = tn_llm_number(details[0].value);
  a->usage.cache_written = tn_llm_number(details[1].value);
}

/* What services of this protocol call an answer's own end; another word is passed on. */
static tenon_status name_finish(tn_llm_answer *a, tn_json_text reason, tenon_error *err) {
  static const char *const ends[] = {"stop",     "tool_calls",    "function_call", "eos", "eos_token",
                                     "end_turn", "stop_sequence", "",              NULL};
  const char *word;
  a->finish = TENON_FINISH_STOP;
  for (const char *const *e = ends; *e; e++)
    if (tn_llm_is(reason, *e)) return TENON_OK;
  a->finish = tn_llm_is(reason, "length") ? TENON_FINISH_LENGTH : TENON_FINISH_OTHER;
  tenon_status status = tn_llm_say(a, reason, &word, err);
  if (!status) tn_http_quote(word ? word : "", word ? strlen(word) : 0, a->reason, sizeof a->reason);
  return status;
}

static tenon_status take_finish(tn_llm_answer *a, tn_json_text reason, tenon_error *err) {
  if (!reason.data) return TENON_OK;
  if (a->refusal.size) return tn_llm_declined(a->llm, TENON_MODELS_REFUSED, a->refusal.data, err);
  if (tn_llm_is(reason, "content_filter"))
    return tn_llm_declined(a->llm, TENON_MODELS_FILTERED, NULL, err);
  a->may_end = true;
  return name_finish(a, reason, err);
}

static tenon_status take_refusal(tn_llm_answer *a, tn_json_text refusal, tenon_error *err) {
  const char *text;
  tenon_status status = tn_llm_say(a, refusal, &text, err);
  if (status || !text || tn_str_puts(&a->refusal, text)) return status;
  return tn_no_memory(err);
}

/* A text, or as some services have it a list of parts, of which those that are text are the answer.
 */
static tenon_status take_content(tn_llm_answer *a, tn_json_text content, tenon_error *err) {
  tn_llm_member part[] = {{.key = "type"}, {.key = "text"}};
  tn_json_text item;
  tenon_status status = TENON_OK;
  tn_json_type type = tn_json_text_type(content);
  if (type == TN_JSON_STRING) return tn_llm_push_text(a, content, err);
  if (type != TN_JSON_ARRAY && type != TN_JSON_NULL)
    return tn_llm_wrong(a->llm, "a piece of the answer is no text", err);
  for (const char *cursor = NULL; !status && tn_json_text_next(content, &cursor, NULL, &item);) {
    tn_llm_members(item, part, 2);
    if (!part[0].value.data)
      status = tn_llm_wrong(a->llm, "a piece of the answer has no type", err);
    else if (tn_llm_is(part[0].value, "text")) status = tn_llm_push_text(a, part[1].value, err);
  }
  return status;
}

static tenon_status take_choice(tn_llm_answer *a, tn_json_text choice, tenon_error *err) {
  tn_llm_member m[] = {{.key = "delta"}, {.key = "finish_reason"}, {.key = "index"}};
  tn_llm_member delta[] = {{.key = "content"}, {.key = "refusal"}, {.key = "tool_calls"}};
  tn_json_text part;
  tn_llm_members(choice, m, 3);
  if (tn_llm_number(m[2].value) > 0) return TENON_OK;   /* an answer beside the one that was asked for */
  tn_llm_members(m[0].value, delta, 3);
  tenon_status status = take_content(a, delta[0].value, err);
  if (!status) status = take_refusal(a, delta[1].value, err);
  for (const char *cursor = NULL;
       !status && tn_json_text_next(delta[2].value, &cursor, NULL, &part);)
    status = take_call(a, part, err);
  return status ? status : take_finish(a, m[1].value, err);
}

static tenon_status take(tn_llm_answer *a, const tn_event *event, tenon_error *err) {
  static const char end[] = "[DONE]";
  tn_llm_member m[] = {{.key = "choices"}, {.key = "usage"}, {.key = "model"}, {.key = "error"},
                       {.key = "object"}};
  tn_json_text choice;
  const char *cursor = NULL;
  if (event->size == sizeof end - 1 && memcmp(event->data, end, event->size) == 0) {
    a->is_done = true;   /* a finish without a reason is none */
    return a->may_end ? tn_llm_finish(a, err) : TENON_OK;
  }
  tenon_status status = tn_llm_parse(a, event, err);
  if (status) return status;
  tn_llm_members(a->event, m, 5);
  if (m[3].value.data || tn_llm_is(m[4].value, "error")) return tn_llm_broken(a->llm, a->event, err);
  tn_llm_set_model(a, m[2].value);
  take_usage(a, m[1].value);
  if (tn_json_text_type(m[0].value) != TN_JSON_ARRAY)
    return tn_llm_wrong(a->llm, "an event has no choices", err);
  while (!status && tn_json_text_next(m[0].value, &cursor, NULL, &choice))
    status = take_choice(a, choice, err);
  return status;
}

/* ---- list, embed ---- */

static tenon_status ask_models(tenon_ctx *ctx, tn_llm *l, tn_json **ret, tenon_error *err) {
  tn_json *reply;
  tenon_status status = tn_llm_ask(ctx, l, "/models", NULL, MAX_LIST, &reply, err);
  if (status) return status;
  if (tn_json_type_of(tn_json_get(reply, "data")) != TN_JSON_ARRAY) {
    tn_json_free(reply);
    return tn_llm_strange(l, "it has no models", err);
  }
  *ret = reply;
  return TENON_OK;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_models_list *r,
                         tenon_stream *ret, tenon_error *err) {
  tn_llm *l = session;
  tn_llm_listing listing;
  tn_json *reply;
  const tn_json *m;
  tenon_status status = ask_models(ctx, l, &reply, err);
  if (status) return status;
  tn_llm_listing_init(&listing, r->model);
  for (size_t i = 0; !status && (m = tn_json_at(tn_json_get(reply, "data"), i)); i++) {
    int64_t created = tn_llm_count(m, "created");
    const tn_llm_listed one = {
        .id = tn_llm_text(m, "id"),
        .owner = tn_llm_text(m, "owned_by"),
        .bytes = INT64_MIN,
        .created_us = created > 0 && created < INT64_C(1) << 40 ? created * 1000000 : INT64_MIN};
    status = tn_llm_list_add(&listing, &one, err);
  }
  if (!status) status = tn_llm_list_rows(&listing, ret, err);
  tn_llm_listing_release(&listing);
  tn_json_free(reply);
  return status;
}

static tenon_status ask_vectors(tenon_ctx *ctx, tn_llm *l, const tenon_embed *r, tn_json **ret,
                                tenon_error *err) {
  const char *model;
  tn_llm_body b;
  tenon_status status = tn_llm_model(l, r->model, true, &model, err);
  if (status) return status;
  tn_llm_body_init(&b);
  tn_llm_put(&b, "model", model);
  tn_llm_put_texts(&b, "input", r->texts, r->count);
  if (r->dimension) tn_llm_put_integer(&b, "dimensions", r->dimension);
  status = tn_llm_ask(ctx, l, "/embeddings", &b, MAX_VECTORS, ret, err);
  tn_llm_body_release(&b);
  return status;
}

static void take_embedding_usage(const tn_llm *l, const tn_json *reply, tenon_usage *ret) {
  const char *model = tn_llm_text(reply, "model");
  ret->input = tn_llm_count(tn_json_get(reply, "usage"), "prompt_tokens");
  ret->output = 0;
  if (model) tn_llm_price(l, model, ret);
}

static tenon_status embed(tenon_ctx *ctx, void *session, const tenon_embed *r,
                          tenon_embeddings *ret, tenon_error *err) {
  tn_llm *l = session;
  tn_llm_vectors vectors = {.wanted = r->count};
  tn_json *reply;
  const tn_json *one;
  tenon_status status = ask_vectors(ctx, l, r, &reply, err);
  if (status) return status;
  const tn_json *all = tn_json_get(reply, "data");
  for (size_t i = 0; !status && (one = tn_json_at(all, i)); i++) {
    int64_t index = tn_llm_count(one, "index");
    status = tn_llm_take_vector(l, &vectors, index < 0 ? (int64_t)i : index,
                                tn_json_get(one, "embedding"), err);
  }
  if (!status) status = tn_llm_vectors_give(l, &vectors, ret, err);
  if (!status) take_embedding_usage(l, reply, &ret->usage);
  tn_llm_vectors_release(&vectors);
  tn_json_free(reply);
  return status;
}

/* ---- test ---- */

/* Keys may be good for answers and not for the list. */
static tenon_status greet(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  tn_json *reply;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = ask_models(ctx, l, &reply, &why);
  if (!status) {
    tn_llm_host->fact(t, "models", "%zu", tn_json_count(tn_json_get(reply, "data")));
    tn_json_free(reply);
  }
  if (status == TENON_FORBIDDEN && (l->params->model || l->params->embedding_model))
    return TENON_OK;
  if (status && err) *err = why;
  return status;
}

static const tenon_models_ops models = {
    .struct_size = sizeof models,
    .max_texts = MAX_TEXTS,
    .max_bytes = MAX_BYTES,
    .list = list,
    .chat = chat,
    .embed = embed,
};

static tenon_status probe(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  return tn_llm_try(ctx, l, &models, t, err);
}

static tenon_status identify(tn_llm *l, const void *config, tenon_error *err) {
  const openai_config *c = config;
  l->is_anonymous = !c->api_key || !*c->api_key;
  tenon_status status = tn_llm_header(l, "Authorization", "Bearer ", c->api_key, err);
  if (!status) status = tn_llm_header(l, "OpenAI-Organization", "", c->organization, err);
  return status ? status : tn_llm_header(l, "OpenAI-Project", "", c->project, err);
}

static const tn_llm_kind kind = {
    .service = "OpenAI",
    .params_at = offsetof(openai_config, llm),
    .url_at = offsetof(openai_config, base_url),
    .identify = identify,
    .url_key = "base_url",
    .url_remedy = "check base_url: most services want a path at its end, https://host/v1",
    .framing = TN_EVENT_STREAM,
    .meanings = meanings,
    .take = take,
    .greet = greet,
    .probe = probe,
};

/* ---- The provider ---- */

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config,
                         tenon_test *ret, tenon_error *err) {
  (void)p;
  return tn_llm_test(ctx, &kind, config, ret, err);
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *p, const void *config,
                                 void **ret, tenon_error *err) {
  (void)p;
  return tn_llm_open(ctx, &kind, config, ret, err);
}

const tenon_provider tn_provider_openai = {
    .struct_size = sizeof tn_provider_openai,
    .abi = TENON_ABI,
    .kind = "openai",
    .category = "llm",
    .label = "OpenAI",
    .summary =
        "OpenAI's language models, and every service that speaks its protocol: answers, tools, "
        "images, embeddings.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(openai_config),
    .traits = TENON_SHARED,
    .init = tn_llm_init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = tn_llm_close,
    .models = &models,
};
