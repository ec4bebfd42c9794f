/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ollama: models on one's own machine, and its cloud.
 * Source: Ollama's API reference (docs/api.md), and what its server says in errors.
 */
#include <string.h>

#include "llm.h"

enum { MAX_LIST = 8 << 20, MAX_TEXTS = 256, MAX_BYTES = 256 << 10, MAX_VECTORS = 16 << 20 };

typedef struct ollama_config {
  uint64_t set;
  const char *url, *api_key, *keep_alive;
  tn_llm_params llm;
} ollama_config;

static const tenon_param params[] = {
    {TENON_STRING(ollama_config, url), .key = "url", .label = "URL",
     .default_value = "http://localhost:11434", .env = "OLLAMA_HOST",
     .help = "where Ollama listens", .aliases = "base_url,host"},
    TN_LLM_MODEL_PARAMS(ollama_config, llm),
    TN_LLM_EMBEDDING_PARAMS(ollama_config, llm),
    {TENON_STRING(ollama_config, api_key), .key = "api_key", .label = "API key",
     .flags = TENON_SECRET, .env = "OLLAMA_API_KEY",
     .help = "of Ollama's cloud, or of a proxy that wants one; a server of one's own has none"},
    {TENON_STRING(ollama_config, keep_alive), .key = "keep_alive", .label = "Keep alive",
     .flags = TENON_ADVANCED,
     .help = "how long the model stays in memory after an answer: 5m, 0, -1 (for ever)"},
    TN_HTTP_PARAMS(ollama_config, llm.reach),
};

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  return tn_llm_parse_url(url, "url", "http", set, arg, err);
}

static const char no_model[] =
    "fetch it with `ollama pull`, or name one that is there: `tenon ls` lists them";

static const tn_llm_meaning meanings[] = {
    {404, NULL, "model", TENON_NOT_FOUND, TENON_STAGE_QUERY, TENON_MODELS_NO_MODEL, false,
     no_model},
    {0, NULL, "try pulling it first", TENON_NOT_FOUND, TENON_STAGE_QUERY, TENON_MODELS_NO_MODEL,
     false, no_model},
    {401, NULL, NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false, "check api_key"},
    {0, NULL, "does not support", TENON_UNSUPPORTED, TENON_STAGE_QUERY, 0, false,
     "take another model, or leave that out of the request"},
    {0, NULL, "exceeds the context length", TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false,
     "shorten the text, or take a model with a larger window"},
    {0, NULL, "exceeds maximum context length", TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false,
     "shorten the text, or take a model with a larger window"},
    {0, NULL, "exceeds available context", TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false,
     "shorten the text, or take a model with a larger window"},
    {503, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true,
     "wait a while: its queue is full (OLLAMA_MAX_QUEUE)"},
    {0, NULL, "server busy", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true,
     "wait a while: its queue is full (OLLAMA_MAX_QUEUE)"},
    {402, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     "look at the account's plan at ollama.com"},
    {429, NULL, "usage limit", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     "look at the account's plan at ollama.com"},
    {429, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED, true,
     "ask less often"},
    {0, NULL, "requires more system memory", TENON_LIMITED, TENON_STAGE_QUERY, 0, false,
     "take a smaller model, or give the machine more memory"},
    {0},
};

/* ---- chat ---- */

static tenon_status put_image(tn_llm_body *b, const tenon_part *p, tenon_error *err) {
  if (p->url)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "give the image itself",
                      "Ollama fetches no images: one is given by its URL");
  return tn_llm_put_base64(b, "", p->data, p->size, err);
}

static tenon_status put_images(tn_llm_body *b, const tenon_message *m, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (!tn_llm_parts(m, TENON_PART_IMAGE)) return TENON_OK;
  tn_json_key(&b->json, "images");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < m->part_count && !status; i++)
    if (m->parts[i].type == TENON_PART_IMAGE) status = put_image(b, &m->parts[i], err);
  tn_json_close(&b->json);
  return status;
}

static void put_calls(tn_llm_body *b, const tenon_message *m) {
  if (!tn_llm_parts(m, TENON_PART_TOOL_CALL)) return;
  tn_json_key(&b->json, "tool_calls");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < m->part_count; i++) {
    const tenon_part *p = &m->parts[i];
    if (p->type != TENON_PART_TOOL_CALL) continue;
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "id", p->id);
    tn_json_key(&b->json, "function");
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "name", p->name);
    tn_llm_put_raw(b, "arguments", p->arguments);
    tn_json_close(&b->json);
    tn_json_close(&b->json);
  }
  tn_json_close(&b->json);
}

/* Ollama knows results by their tool's name. */
static const char *tool_of(const tenon_chat *c, const char *id) {
  for (size_t i = c->message_count; i-- > 0;)
    for (size_t k = 0; k < c->messages[i].part_count; k++) {
      const tenon_part *p = &c->messages[i].parts[k];
      if (p->type == TENON_PART_TOOL_CALL && strcmp(p->id, id) == 0) return p->name;
    }
  return NULL;
}

static void put_results(tn_llm_body *b, const tenon_chat *c, const tenon_message *m) {
  for (size_t i = 0; i < m->part_count; i++) {
    const char *tool = tool_of(c, m->parts[i].id);
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "role", "tool");
    tn_llm_put(b, "content", m->parts[i].text);
    tn_llm_put(b, "tool_call_id", m->parts[i].id);
    if (tool) tn_llm_put(b, "tool_name", tool);
    tn_json_close(&b->json);
  }
}

static tenon_status put_message(tn_llm_body *b, const tenon_chat *c, const tenon_message *m,
                                tenon_error *err) {
  static const char *const roles[] = {"system", "user", "assistant", "tool"};
  if (m->role == TENON_TOOL) {
    put_results(b, c, m);
    return TENON_OK;
  }
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "role", roles[m->role]);
  tenon_status status = tn_llm_put_content(b, m, err);
  if (!status) status = put_images(b, m, err);
  if (!status) put_calls(b, m);
  tn_json_close(&b->json);
  return status;
}

static void put_options(tn_llm_body *b, const tenon_chat *c) {
  tn_json_key(&b->json, "options");
  tn_json_open(&b->json, '{');
  if (c->has_temperature) tn_llm_put_number(b, "temperature", c->temperature);
  if (c->has_seed) tn_llm_put_integer(b, "seed", c->seed);
  if (c->max_tokens > 0) tn_llm_put_integer(b, "num_predict", c->max_tokens);
  if (c->stop_count) tn_llm_put_texts(b, "stop", c->stop, c->stop_count);
  tn_json_close(&b->json);
}

static tenon_status put_chat(tn_llm_body *b, const tn_llm *l, const tenon_chat *c,
                             const char *model, tenon_error *err) {
  const ollama_config *config = l->config;
  tenon_status status = TENON_OK;
  if (c->tool_choice == TENON_TOOLS_REQUIRED)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "leave the choice to the model",
                      "Ollama cannot be told that a tool has to be called");
  tn_llm_put(b, "model", model);
  tn_json_key(&b->json, "messages");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < c->message_count && !status; i++)
    status = put_message(b, c, &c->messages[i], err);
  tn_json_close(&b->json);
  if (c->tool_choice != TENON_TOOLS_NONE) tn_llm_put_functions(b, c);
  if (c->schema) tn_llm_put_raw(b, "format", c->schema);
  put_options(b, c);
  if (config->keep_alive) tn_llm_put(b, "keep_alive", config->keep_alive);
  tn_llm_put_bool(b, "stream", true);
  return status;
}

static tenon_status chat(tenon_ctx *ctx, void *session, const tenon_chat *c, tenon_events *ret,
                         tenon_error *err) {
  tn_llm *l = session;
  const char *model;
  tn_llm_body body;
  tenon_status status = tn_llm_model(l, c->model, false, &model, err);
  if (status) return status;
  tn_llm_body_init(&body);
  status = put_chat(&body, l, c, model, err);
  if (!status) status = tn_llm_start(ctx, l, "/api/chat", &body, ret, err);
  tn_llm_body_release(&body);
  return status;
}

/* ---- What comes ---- */

static tenon_status take_call(tn_llm_answer *a, tn_json_text part, tenon_error *err) {
  tn_llm_member f[] = {{.key = "name"}, {.key = "arguments"}};
  tn_llm_call *call;
  tn_llm_members(tn_llm_member_of(part, "function"), f, 2);
  tenon_status status = tn_llm_call_at(a, (int64_t)a->call_count, &call, err);
  if (!status) status = tn_llm_call_name(a, call, tn_llm_member_of(part, "id"), f[0].value, err);
  return status || !f[1].value.data
             ? status
             : tn_llm_call_add(a, call, f[1].value.data, f[1].value.size, err);
}

static tenon_status take_end(tn_llm_answer *a, tenon_error *err) {
  tn_llm_member m[] = {{.key = "prompt_eval_count"}, {.key = "eval_count"}, {.key = "done_reason"}};
  tn_llm_members(a->event, m, 3);
  a->usage.input = tn_llm_number(m[0].value);
  a->usage.output = tn_llm_number(m[1].value);
  a->finish = tn_llm_is(m[2].value, "length") ? TENON_FINISH_LENGTH : TENON_FINISH_STOP;
  return tn_llm_finish(a, err);
}

static tenon_status take(tn_llm_answer *a, const tn_event *event, tenon_error *err) {
  tn_llm_member m[] = {{.key = "message"}, {.key = "done"}, {.key = "model"}, {.key = "error"}};
  tn_llm_member message[] = {{.key = "content"}, {.key = "tool_calls"}};
  tn_json_text part;
  tenon_status status = tn_llm_parse(a, event, err);
  if (status) return status;
  tn_llm_members(a->event, m, 4);
  if (m[3].value.data) return tn_llm_broken(a->llm, a->event, err);
  tn_llm_members(m[0].value, message, 2);
  tn_llm_set_model(a, m[2].value);
  status = tn_llm_push_text(a, message[0].value, err);
  for (const char *cursor = NULL;
       !status && tn_json_text_next(message[1].value, &cursor, NULL, &part);)
    status = take_call(a, part, err);
  return status || !tn_json_text_true(m[1].value) ? status : take_end(a, err);
}

/* ---- list, embed ---- */

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_models_list *r,
                         tenon_stream *ret, tenon_error *err) {
  tn_llm *l = session;
  tn_llm_listing listing;
  tn_json *reply;
  const tn_json *m;
  tenon_status status = tn_llm_ask(ctx, l, "/api/tags", NULL, MAX_LIST, &reply, err);
  if (status) return status;
  const tn_json *models = tn_json_get(reply, "models");
  tn_llm_listing_init(&listing, r->model);
  if (tn_json_type_of(models) != TN_JSON_ARRAY) status = tn_llm_strange(l, "it has no models", err);
  for (size_t i = 0; !status && (m = tn_json_at(models, i)); i++) {
    int64_t bytes = tn_llm_count(m, "size");
    const tn_llm_listed one = {.id = tn_llm_text(m, "name"),
                               .created_us = tn_llm_time(tn_llm_text(m, "modified_at")),
                               .bytes = bytes < 0 ? INT64_MIN : bytes};
    status = tn_llm_list_add(&listing, &one, err);
  }
  if (!status) status = tn_llm_list_rows(&listing, ret, err);
  tn_llm_listing_release(&listing);
  tn_json_free(reply);
  return status;
}

/* Texts that do not fit are refused by the server rather than cut. */
static tenon_status ask_vectors(tenon_ctx *ctx, tn_llm *l, const tenon_embed *r, tn_json **ret,
                                tenon_error *err) {
  const char *model;
  tn_llm_body b;
  tenon_status status = tn_llm_model(l, r->model, true, &model, err);
  if (status) return status;
  tn_llm_body_init(&b);
  tn_llm_put(&b, "model", model);
  tn_llm_put_texts(&b, "input", r->texts, r->count);
  tn_llm_put_bool(&b, "truncate", false);
  if (r->dimension) tn_llm_put_integer(&b, "dimensions", r->dimension);
  status = tn_llm_ask(ctx, l, "/api/embed", &b, MAX_VECTORS, ret, err);
  tn_llm_body_release(&b);
  return status;
}

static tenon_status embed(tenon_ctx *ctx, void *session, const tenon_embed *r,
                          tenon_embeddings *ret, tenon_error *err) {
  tn_llm *l = session;
  tn_llm_vectors vectors = {.wanted = r->count};
  tn_json *reply;
  const tn_json *one;
  tenon_status status = ask_vectors(ctx, l, r, &reply, err);
  if (status) return status;
  const tn_json *all = tn_json_get(reply, "embeddings");
  if (tn_json_type_of(all) != TN_JSON_ARRAY) status = tn_llm_wrong(l, "it has no embeddings", err);
  for (size_t i = 0; !status && (one = tn_json_at(all, i)); i++)
    status = tn_llm_take_vector(l, &vectors, (int64_t)i, one, err);
  if (!status) status = tn_llm_vectors_give(l, &vectors, ret, err);
  if (!status) ret->usage.input = tn_llm_count(reply, "prompt_eval_count"), ret->usage.output = 0;
  tn_llm_vectors_release(&vectors);
  tn_json_free(reply);
  return status;
}

/* ---- test ---- */

static tenon_status greet(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  tn_json *reply;
  tenon_status status = tn_llm_ask(ctx, l, "/api/version", NULL, 64 << 10, &reply, err);
  if (status) return status;
  if (tn_llm_text(reply, "version"))
    tn_llm_host->fact(t, "server_version", "%s", tn_llm_text(reply, "version"));
  else status = tn_llm_strange(l, "it has no version", err);
  tn_json_free(reply);
  return status;
}

/* Is it there? To ask it something would load it, which takes longer than a test may. */
static tenon_status show(tenon_ctx *ctx, tn_llm *l, const char *model, tenon_error *err) {
  tn_json *reply;
  tn_llm_body b;
  tn_llm_body_init(&b);
  tn_llm_put(&b, "model", model);
  tenon_status status = tn_llm_ask(ctx, l, "/api/show", &b, MAX_LIST, &reply, err);
  tn_llm_body_release(&b);
  if (!status) tn_json_free(reply);
  return status;
}

static tenon_status probe(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  const char *models[] = {l->params->model, l->params->embedding_model};
  bool any = false;
  for (int i = 0; i < 2; i++) {
    if (!models[i] || !*models[i]) continue;
    tenon_status status = show(ctx, l, models[i], err);
    if (status) return status;
    tn_llm_host->fact(t, i ? "embedding_model" : "model", "%s", models[i]);
    any = true;
  }
  tn_llm_host->step_end(t, TENON_PASSED, NULL,
                        any ? "the model is there" : "no model is named yet");
  return TENON_OK;
}

static tenon_status identify(tn_llm *l, const void *config, tenon_error *err) {
  const ollama_config *c = config;
  l->is_anonymous = !c->api_key || !*c->api_key;
  return tn_llm_header(l, "Authorization", "Bearer ", c->api_key, err);
}

static const tn_llm_kind kind = {
    .service = "Ollama",
    .params_at = offsetof(ollama_config, llm),
    .url_at = offsetof(ollama_config, url),
    .identify = identify,
    .url_key = "url",
    .url_remedy = "check url: it is where Ollama listens, http://host:11434, without /v1 or /api",
    .framing = TN_JSON_LINES,
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

static const tenon_models_ops models = {
    .struct_size = sizeof models,
    .max_texts = MAX_TEXTS,
    .max_bytes = MAX_BYTES,
    .list = list,
    .chat = chat,
    .embed = embed,
};

const tenon_provider tn_provider_ollama = {
    .struct_size = sizeof tn_provider_ollama,
    .abi = TENON_ABI,
    .kind = "ollama",
    .category = "llm",
    .label = "Ollama",
    .summary =
        "Language models that run on one's own machines: answers, tools, images, embeddings.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(ollama_config),
    .traits = TENON_SHARED,
    .init = tn_llm_init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = tn_llm_close,
    .models = &models,
};
