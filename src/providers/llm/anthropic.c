/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Anthropic: Claude's models.
 * Source: Anthropic's API reference (messages, streaming messages, errors, models; version
 * 2023-06-01).
 */
#include <stdio.h>
#include <string.h>

#include "llm.h"

enum { MAX_LIST = 8 << 20, MAX_PAGES = 100 };

typedef struct anthropic_config {
  uint64_t set;
  const char *base_url, *credentials, *api_key;
  int64_t max_tokens;
  tn_llm_params llm;
} anthropic_config;

static const char *const credentials[] = {"given", "environment", NULL};

static const tenon_param params[] = {
    {TENON_ENUM(anthropic_config, credentials), .key = "credentials", .label = "Credentials",
     .default_value = "given", .choices = credentials,
     .help =
         "given: the key below; environment: if it is not given it comes from ANTHROPIC_API_KEY"},
    {TENON_STRING(anthropic_config, api_key), .key = "api_key", .label = "API key",
     .flags = TENON_SECRET, .env = "ANTHROPIC_API_KEY", .ambient = "credentials=environment",
     .help = "sk-ant-…"},
    TN_LLM_MODEL_PARAMS(anthropic_config, llm),
    {TENON_INTEGER(anthropic_config, max_tokens), .key = "max_tokens",
     .label = "Tokens of an answer", .default_value = "4096", .min = 1, .max = 1000000,
     .help = "the limit of an answer whose request names none: this service wants one"},
    {TENON_STRING(anthropic_config, base_url), .key = "base_url", .label = "Base URL",
     .env = "ANTHROPIC_BASE_URL", .default_value = "https://api.anthropic.com",
     .flags = TENON_ADVANCED, .help = "another service that speaks this protocol, without /v1",
     .aliases = "url"},
    TN_HTTP_PARAMS(anthropic_config, llm.reach),
};

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  return tn_llm_parse_url(url, "base_url", "https", set, arg, err);
}

#define SHORTEN "leave out older messages or shorten them, or take a model with a larger window"
#define NO_CREDIT \
  "add credit or raise the limit in the account's billing settings, or use another key"
#define WAIT "wait a while, ask less often, or have the limit raised"
#define BUSY "wait a while: the service is busy"
#define NO_MODEL "check the model's name; `tenon ls` lists those of this key"

static const tn_llm_meaning meanings[] = {
    {0, NULL, "credit balance is too low", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA,
     false, NO_CREDIT},
    {0, "billing_error", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     NO_CREDIT},
    {0, NULL, "usage limits", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_NO_QUOTA, false,
     NO_CREDIT},
    {0, "enforced_spend_limit_reached", NULL, TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_NO_QUOTA, false, NO_CREDIT},
    {0, "contract_spend_limit_reached", NULL, TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_NO_QUOTA, false, NO_CREDIT},
    {0, NULL, "prompt is too long", TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_CONTEXT_OVERFLOW,
     false, SHORTEN},
    {0, NULL, "exceed context limit", TENON_LIMITED, TENON_STAGE_QUERY,
     TENON_MODELS_CONTEXT_OVERFLOW, false,
     "shorten the conversation, or allow a shorter answer with max_tokens"},
    {0, NULL, "content filtering policy", TENON_FORBIDDEN, TENON_STAGE_QUERY, TENON_MODELS_FILTERED,
     false, "change what is asked: a filter of the service stops it"},
    {413, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, 0, false,
     "send less at once: smaller images, fewer of them"},
    {401, NULL, NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check api_key: the service does not know it"},
    {0, "authentication_error", NULL, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, 0, false,
     "check api_key: the service does not know it"},
    {0, "permission_error", NULL, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, 0, false,
     "have the key's workspace permitted that, or use another key"},
    {404, NULL, "model", TENON_NOT_FOUND, TENON_STAGE_QUERY, TENON_MODELS_NO_MODEL, false,
     NO_MODEL},
    {0, "overloaded_error", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true,
     BUSY},
    {529, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true, BUSY},
    {503, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_OVERLOADED, true, BUSY},
    {0, "rate_limit_error", NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED, true,
     WAIT},
    {429, NULL, NULL, TENON_LIMITED, TENON_STAGE_QUERY, TENON_MODELS_RATE_LIMITED, true, WAIT},
    {0, "timeout_error", NULL, TENON_TIMEOUT, TENON_STAGE_QUERY, 0, true, "ask again, or for less"},
    {0},
};

/* ---- chat ---- */

static tenon_status put_image(tn_llm_body *b, const tenon_part *p, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_llm_put(b, "type", "image");
  tn_json_key(&b->json, "source");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", p->url ? "url" : "base64");
  if (p->url) {
    tn_llm_put(b, "url", p->url);
  } else {
    tn_llm_put(b, "media_type", p->media_type);
    tn_json_key(&b->json, "data");
    status = tn_llm_put_base64(b, "", p->data, p->size, err);
  }
  tn_json_close(&b->json);
  return status;
}

static tenon_status put_part(tn_llm_body *b, const tenon_part *p, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_json_open(&b->json, '{');
  switch (p->type) {
    case TENON_PART_TEXT:
      tn_llm_put(b, "type", "text");
      tn_llm_put(b, "text", p->text);
      break;
    case TENON_PART_IMAGE: status = put_image(b, p, err); break;
    case TENON_PART_TOOL_CALL:
      tn_llm_put(b, "type", "tool_use");
      tn_llm_put(b, "id", p->id);
      tn_llm_put(b, "name", p->name);
      tn_llm_put_raw(b, "input", p->arguments);
      break;
    case TENON_PART_TOOL_RESULT:
      tn_llm_put(b, "type", "tool_result");
      tn_llm_put(b, "tool_use_id", p->id);
      tn_llm_put(b, "content", p->text);
      if (p->is_error) tn_llm_put_bool(b, "is_error", true);
      break;
  }
  tn_json_close(&b->json);
  return status;
}

/* Results are the user's here, and turns alternate: messages of one side in a row are one. */
static bool is_assistant(const tenon_message *m) { return m->role == TENON_ASSISTANT; }

static tenon_status put_turn(tn_llm_body *b, const tenon_chat *c, size_t *at, tenon_error *err) {
  bool assistant = is_assistant(&c->messages[*at]);
  tenon_status status = TENON_OK;
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "role", assistant ? "assistant" : "user");
  tn_json_key(&b->json, "content");
  tn_json_open(&b->json, '[');
  for (; *at < c->message_count && is_assistant(&c->messages[*at]) == assistant && !status; (*at)++)
    for (size_t i = 0; i < c->messages[*at].part_count && !status; i++)
      status = put_part(b, &c->messages[*at].parts[i], err);
  tn_json_close(&b->json);
  tn_json_close(&b->json);
  return status;
}

static size_t put_system(tn_llm_body *b, const tenon_chat *c) {
  size_t n = 0;
  if (c->messages[0].role != TENON_SYSTEM) return 0;
  tn_json_key(&b->json, "system");
  tn_json_open(&b->json, '[');
  for (; n < c->message_count && c->messages[n].role == TENON_SYSTEM; n++)
    for (size_t i = 0; i < c->messages[n].part_count; i++)
      put_part(b, &c->messages[n].parts[i], NULL);
  tn_json_close(&b->json);
  return n;
}

static void put_tools(tn_llm_body *b, const tenon_chat *c) {
  static const char *const choices[] = {"auto", "none", "any"};
  if (!c->tool_count) return;
  tn_json_key(&b->json, "tools");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < c->tool_count; i++) {
    const tenon_tool *t = &c->tools[i];
    tn_json_open(&b->json, '{');
    tn_llm_put(b, "name", t->name);
    if (t->description) tn_llm_put(b, "description", t->description);
    tn_llm_put_raw(b, "input_schema",
                   t->parameters ? t->parameters : "{\"type\":\"object\",\"properties\":{}}");
    tn_json_close(&b->json);
  }
  tn_json_close(&b->json);
  if (!c->tool_choice) return;
  tn_json_key(&b->json, "tool_choice");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", choices[c->tool_choice]);
  tn_json_close(&b->json);
}

static void put_schema(tn_llm_body *b, const char *schema) {
  tn_json_key(&b->json, "output_config");
  tn_json_open(&b->json, '{');
  tn_json_key(&b->json, "format");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", "json_schema");
  tn_llm_put_raw(b, "schema", schema);
  tn_json_close(&b->json);
  tn_json_close(&b->json);
}

static tenon_status put_chat(tn_llm_body *b, const tn_llm *l, const tenon_chat *c,
                             const char *model, tenon_error *err) {
  const anthropic_config *config = l->config;
  tenon_status status = TENON_OK;
  if (c->has_seed)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "leave the seed out",
                      "Anthropic's models take no seed");
  tn_llm_put(b, "model", model);
  tn_llm_put_integer(b, "max_tokens", c->max_tokens > 0 ? c->max_tokens : config->max_tokens);
  size_t at = put_system(b, c);
  tn_json_key(&b->json, "messages");
  tn_json_open(&b->json, '[');
  while (at < c->message_count && !status) status = put_turn(b, c, &at, err);
  tn_json_close(&b->json);
  put_tools(b, c);
  if (c->schema) put_schema(b, c->schema);
  if (c->stop_count) tn_llm_put_texts(b, "stop_sequences", c->stop, c->stop_count);
  if (c->has_temperature) tn_llm_put_number(b, "temperature", c->temperature);
  tn_llm_put_bool(b, "stream", true);
  return status;
}

static tenon_status chat(tenon_ctx *ctx, void *session, const tenon_chat *c, tenon_events *ret,
                         tenon_error *err) {
  tn_llm *l = session;
  const char *model;
  tn_llm_body b;
  tenon_status status = tn_llm_model(l, c->model, false, &model, err);
  if (status) return status;
  tn_llm_body_init(&b);
  status = put_chat(&b, l, c, model, err);
  if (!status) status = tn_llm_start(ctx, l, "/v1/messages", &b, ret, err);
  tn_llm_body_release(&b);
  return status;
}

/* ---- What comes ---- */

/* input_tokens are those that no cache had to do with. Later numbers replace earlier ones. */
static void take_usage(tn_llm_answer *a, tn_json_text usage) {
  tn_llm_member m[] = {{.key = "input_tokens"},
                       {.key = "cache_read_input_tokens"},
                       {.key = "cache_creation_input_tokens"},
                       {.key = "output_tokens"}};
  tn_llm_members(usage, m, 4);
  int64_t fresh = tn_llm_number(m[0].value), read = tn_llm_number(m[1].value),
          written = tn_llm_number(m[2].value), output = tn_llm_number(m[3].value), all;
  if (read >= 0) a->usage.cached = read;
  if (written >= 0) a->usage.cache_written = written;
  if (fresh >= 0 &&
      !__builtin_add_overflow(fresh, a->usage.cached > 0 ? a->usage.cached : 0, &all) &&
      !__builtin_add_overflow(all, a->usage.cache_written > 0 ? a->usage.cache_written : 0, &all))
    a->usage.input = all;
  if (output >= 0) a->usage.output = output;
}

/* The members of an event that say something. */
enum { TYPE, INDEX, DELTA, BLOCK, MESSAGE, USAGE, MEMBERS };

static tenon_status take_start(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  tn_llm_member message[] = {{.key = "model"}, {.key = "usage"}};
  (void)err;
  tn_llm_members(m[MESSAGE].value, message, 2);
  tn_llm_set_model(a, message[0].value);
  take_usage(a, message[1].value);
  return TENON_OK;
}

/* A call's arguments come in pieces, unless the block has them at once. */
static tenon_status take_block(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  tn_llm_member block[] = {
      {.key = "type"}, {.key = "text"}, {.key = "id"}, {.key = "name"}, {.key = "input"}};
  tn_llm_call *call;
  tn_llm_members(m[BLOCK].value, block, 5);
  if (tn_llm_is(block[0].value, "text")) return tn_llm_push_text(a, block[1].value, err);
  if (!tn_llm_is(block[0].value, "tool_use")) return TENON_OK;
  tenon_status status = tn_llm_call_at(a, tn_llm_number(m[INDEX].value), &call, err);
  if (!status) status = tn_llm_call_name(a, call, block[2].value, block[3].value, err);
  bool is_whole = tn_json_text_count(block[4].value) > 0;
  return status || !is_whole
             ? status
             : tn_llm_call_add(a, call, block[4].value.data, block[4].value.size, err);
}

static tenon_status take_delta(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  tn_llm_member delta[] = {{.key = "type"}, {.key = "text"}, {.key = "partial_json"}};
  const char *more;
  tn_llm_call *call;
  tn_llm_members(m[DELTA].value, delta, 3);
  if (tn_llm_is(delta[0].value, "text_delta")) return tn_llm_push_text(a, delta[1].value, err);
  if (!tn_llm_is(delta[0].value, "input_json_delta")) return TENON_OK;
  tenon_status status = tn_llm_call_at(a, tn_llm_number(m[INDEX].value), &call, err);
  if (!status) status = tn_llm_say(a, delta[2].value, &more, err);
  return status || !more ? status : tn_llm_call_add(a, call, more, strlen(more), err);
}

static tenon_status decline(tn_llm_answer *a, tn_json_text details, tenon_error *err) {
  const char *explanation;
  tenon_status status = tn_llm_say(a, tn_llm_member_of(details, "explanation"), &explanation, err);
  return status ? status : tn_llm_declined(a->llm, TENON_MODELS_REFUSED, explanation, err);
}

static tenon_status take_stop(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  tn_llm_member delta[] = {{.key = "stop_reason"}, {.key = "stop_details"}};
  tn_llm_members(m[DELTA].value, delta, 2);
  take_usage(a, m[USAGE].value);
  if (tn_llm_is(delta[0].value, "refusal")) return decline(a, delta[1].value, err);
  if (tn_llm_is(delta[0].value, "model_context_window_exceeded"))
    return tn_llm_overflow(a->llm, err);
  if (tn_llm_is(delta[0].value, "pause_turn"))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA,
                      "ask again with what it said so far as the assistant's message",
                      "Anthropic: the model paused in the middle of its turn");
  if (delta[0].value.data)
    a->finish = tn_llm_is(delta[0].value, "max_tokens") ? TENON_FINISH_LENGTH : TENON_FINISH_STOP;
  return TENON_OK;
}

static tenon_status take_end(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  (void)m;
  return tn_llm_finish(a, err);
}

static tenon_status take_error(tn_llm_answer *a, const tn_llm_member *m, tenon_error *err) {
  (void)m;
  return tn_llm_broken(a->llm, a->event, err);
}

static const struct {
  const char *type;
  tenon_status (*take)(tn_llm_answer *, const tn_llm_member *, tenon_error *);
} events[] = {
    {"content_block_delta", take_delta}, {"content_block_start", take_block},
    {"message_start", take_start},       {"message_delta", take_stop},
    {"message_stop", take_end},          {"error", take_error},
};

/* Types that are not known are to be skipped, as the reference says: ping, content_block_stop, what
 * comes later. */
static tenon_status take(tn_llm_answer *a, const tn_event *event, tenon_error *err) {
  tn_llm_member m[MEMBERS] = {[TYPE] = {.key = "type"},       [INDEX] = {.key = "index"},
                              [DELTA] = {.key = "delta"},     [BLOCK] = {.key = "content_block"},
                              [MESSAGE] = {.key = "message"}, [USAGE] = {.key = "usage"}};
  tenon_status status = tn_llm_parse(a, event, err);
  if (status) return status;
  tn_llm_members(a->event, m, MEMBERS);
  for (size_t i = 0; i < sizeof events / sizeof *events; i++)
    if (tn_llm_is(m[TYPE].value, events[i].type)) return events[i].take(a, m, err);
  return TENON_OK;
}

/* ---- list ---- */

static tenon_status take_page(const tn_json *page, tn_llm_listing *listing, tenon_error *err) {
  const tn_json *m;
  tenon_status status = TENON_OK;
  for (size_t i = 0; !status && (m = tn_json_at(tn_json_get(page, "data"), i)); i++) {
    const tn_llm_listed one = {.id = tn_llm_text(m, "id"),
                               .name = tn_llm_text(m, "display_name"),
                               .created_us = tn_llm_time(tn_llm_text(m, "created_at")),
                               .bytes = INT64_MIN};
    status = tn_llm_list_add(listing, &one, err);
  }
  return status;
}

/* *path becomes the next page's; empty behind the last. */
static tenon_status next_page(const tn_llm *l, const tn_json *page, tn_str *path, tn_str *after,
                              tenon_error *err) {
  const char *last = tn_llm_text(page, "last_id");
  tn_str_clear(path);
  if (!tn_json_bool(tn_json_get(page, "has_more"))) return TENON_OK;
  if (!last || strcmp(last, tn_str_text(after)) == 0)
    return tn_llm_wrong(l, "it has more models, and does not say where", err);
  tn_str_clear(after);
  bool ok = tn_str_puts(after, last) && tn_str_puts(path, "/v1/models?limit=1000&after_id=") &&
            tn_percent_encode(path, last, strlen(last), false);
  return ok ? TENON_OK : tn_no_memory(err);
}

/* after: the id that this page comes behind; listing NULL: it is only looked at. */
static tenon_status ask_page(tenon_ctx *ctx, tn_llm *l, tn_str *path, tn_str *after,
                             tn_llm_listing *listing, tenon_error *err) {
  tn_json *page;
  tenon_status status = tn_llm_ask(ctx, l, tn_str_text(path), NULL, MAX_LIST, &page, err);
  if (status) return status;
  if (tn_json_type_of(tn_json_get(page, "data")) != TN_JSON_ARRAY)
    status = tn_llm_strange(l, "it has no models", err);
  if (!status && listing) status = take_page(page, listing, err);
  if (!status && listing) status = next_page(l, page, path, after, err);
  tn_json_free(page);
  return status;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_models_list *r,
                         tenon_stream *ret, tenon_error *err) {
  tn_llm *l = session;
  tn_llm_listing listing;
  tn_str path, after;
  tn_str_init(&path, 2048);
  tn_str_init(&after, 512);
  tn_llm_listing_init(&listing, r->model);
  tenon_status status = tn_str_puts(&path, "/v1/models?limit=1000") ? TENON_OK : tn_no_memory(err);
  for (int i = 0; !status && path.size; i++) {
    if (i == MAX_PAGES) status = tn_llm_wrong(l, "its list of models has no end", err);
    else status = ask_page(ctx, l, &path, &after, &listing, err);
  }
  if (!status) status = tn_llm_list_rows(&listing, ret, err);
  tn_llm_listing_release(&listing);
  tn_str_release(&after);
  tn_str_release(&path);
  return status;
}

/* ---- test ---- */

static tenon_status greet(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  tn_str path;
  (void)t;
  tn_str_init(&path, 1024);
  tenon_status status = tn_str_puts(&path, "/v1/models?limit=1") ? TENON_OK : tn_no_memory(err);
  if (!status) status = ask_page(ctx, l, &path, NULL, NULL, err);
  tn_str_release(&path);
  return status;
}

static const tenon_models_ops models = {
    .struct_size = sizeof models,
    .list = list,
    .chat = chat,
};

static tenon_status probe(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  return tn_llm_try(ctx, l, &models, t, err);
}

static tenon_status identify(tn_llm *l, const void *config, tenon_error *err) {
  const anthropic_config *c = config;
  l->is_anonymous = !c->api_key || !*c->api_key;
  tenon_status status = tn_llm_header(l, "x-api-key", "", c->api_key, err);
  return status ? status : tn_llm_header(l, "anthropic-version", "", "2023-06-01", err);
}

static const tn_llm_kind kind = {
    .service = "Anthropic",
    .params_at = offsetof(anthropic_config, llm),
    .url_at = offsetof(anthropic_config, base_url),
    .identify = identify,
    .url_key = "base_url",
    .url_remedy =
        "check base_url: it is https://api.anthropic.com or another service of this protocol, "
        "without /v1",
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

const tenon_provider tn_provider_anthropic = {
    .struct_size = sizeof tn_provider_anthropic,
    .abi = TENON_ABI,
    .kind = "anthropic",
    .category = "llm",
    .label = "Anthropic",
    .summary = "Anthropic's language models, the Claudes: answers, tools, images.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(anthropic_config),
    .traits = TENON_SHARED,
    .init = tn_llm_init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = tn_llm_close,
    .models = &models,
};
