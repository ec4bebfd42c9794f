/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `models`: what the core makes of answers, and the kinds when memory runs out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "core/connectors.h"
#include "core/faults.h"
#include "core/registry.h"
#include "core/session.h"
#include "providers/list.h"
#include "providers/llm/llm.h"
#include "unit/http_fixture.h"

#define TN_PROVIDER(kind) extern const tenon_provider tn_provider_##kind;
TN_PROVIDERS
#undef TN_PROVIDER

/* ---- A kind that answers what a test wants ---- */

static struct {
  const tenon_event *events;   /* then END for ever */
  size_t at;
  int asked, closed;
  int embedded[16], embeds;    /* how many texts each request had */
  int short_by, dimension, other_dimension_at;
  float value;
} script;

static tenon_status script_next(void *self, tenon_event *ret, tenon_error *err) {
  (void)self, (void)err;
  if (script.events[script.at].struct_size) *ret = script.events[script.at++];
  else ret->type = TENON_EVENT_END;
  return TENON_OK;
}

static void script_close(void *self) {
  (void)self;
  script.closed++;
}

static tenon_status script_chat(tenon_ctx *ctx, void *s, const tenon_chat *c, tenon_events *ret,
                                tenon_error *err) {
  (void)ctx, (void)s, (void)c, (void)err;
  script.asked++;
  script.at = 0;
  *ret = (tenon_events){.struct_size = sizeof *ret, .next = script_next, .close = script_close};
  return TENON_OK;
}

static tenon_status script_list(tenon_ctx *ctx, void *s, const tenon_models_list *r,
                                tenon_stream *ret, tenon_error *err) {
  (void)ctx, (void)s, (void)r, (void)ret;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, NULL, "no list");
}

static tenon_status script_embed(tenon_ctx *ctx, void *s, const tenon_embed *r,
                                 tenon_embeddings *ret, tenon_error *err) {
  (void)ctx, (void)s, (void)err;
  int dimension =
      script.other_dimension_at == script.embeds + 1 ? script.dimension + 1 : script.dimension;
  if (script.embeds < 16) script.embedded[script.embeds] = (int)r->count;
  script.embeds++;
  ret->count = r->count - (size_t)script.short_by;
  ret->dimension = dimension;
  ret->vectors = tn_alloc_array(r->count * (size_t)dimension + 1, sizeof(float));
  for (size_t i = 0; i < r->count * (size_t)dimension; i++)
    ret->vectors[i] = script.value + (float)strlen(r->texts[i / (size_t)dimension]);
  ret->usage = (tenon_usage){(int64_t)r->count, -1, -1, 0, 5};
  return TENON_OK;
}

static tenon_status nothing_test(tenon_ctx *ctx, const tenon_provider *p, const void *c,
                                 tenon_test *t, tenon_error *err) {
  (void)ctx, (void)p, (void)c, (void)t, (void)err;
  return TENON_OK;
}

static tenon_status nothing_open(tenon_ctx *ctx, const tenon_provider *p, const void *c, void **ret,
                                 tenon_error *err) {
  (void)ctx, (void)p, (void)c, (void)err;
  *ret = &script;
  return TENON_OK;
}

static void nothing_close(void *s) { (void)s; }

typedef struct script_config {
  uint64_t set;
} script_config;

static const tenon_models_ops script_models = {.struct_size = sizeof script_models,
                                               .max_texts = 4,
                                               .max_bytes = 20,
                                               .list = script_list,
                                               .chat = script_chat,
                                               .embed = script_embed};

static const tenon_provider script_kind = {.struct_size = sizeof script_kind,
                                           .abi = TENON_ABI,
                                           .kind = "script",
                                           .category = "llm",
                                           .label = "Script",
                                           .summary = "Answers what a test wants.",
                                           .config_size = sizeof(script_config),
                                           .traits = TENON_SHARED,
                                           .test = nothing_test,
                                           .open = nothing_open,
                                           .close = nothing_close,
                                           .models = &script_models};

static tn_registry *registry;

static int setup(void **state) {
  (void)state;
  return tn_registry_new(&registry, NULL) || tn_registry_add(registry, &script_kind, NULL) ||
         tn_registry_add(registry, &tn_provider_openai, NULL) ||
         tn_registry_add(registry, &tn_provider_anthropic, NULL) ||
         tn_registry_add(registry, &tn_provider_ollama, NULL);
}

static int teardown(void **state) {
  (void)state;
  tn_registry_free(registry);
  return 0;
}

static tn_connector *connector_of(const char *kind, const char *key, const char *value) {
  const tenon_provider *p;
  tn_settings settings;
  tn_config *config;
  tn_connector *c;
  tn_settings_init(&settings);
  assert_int_equal(tn_registry_find(registry, kind, &p, NULL), TENON_OK);
  if (key) assert_int_equal(tn_settings_set(&settings, key, value, NULL), TENON_OK);
  if (key) assert_int_equal(tn_settings_set(&settings, "model", "m", NULL), TENON_OK);
  assert_int_equal(tn_config_new(p, &settings, &config, NULL), TENON_OK);
  assert_int_equal(tn_connector_new(kind, config, &c, NULL), TENON_OK);
  tn_settings_release(&settings);
  return c;
}

static tn_session *script_session(tn_connector **ret) {
  tn_session *s;
  *ret = connector_of("script", NULL, NULL);
  assert_int_equal(tn_session_acquire(NULL, *ret, &s, NULL), TENON_OK);
  return s;
}

/* ---- Answers ---- */

#define EVENT(t, ...) {.struct_size = sizeof(tenon_event), .type = TENON_EVENT_##t, __VA_ARGS__}

static const tenon_part hello_part = {.type = TENON_PART_TEXT, .text = "hello"};
static const tenon_message hello = {TENON_USER, &hello_part, 1};

static tenon_status ask(tn_session *s, const tenon_event *events, char *told, size_t room,
                        tenon_error *err) {
  static const char *const names[] = {"end", "text", "call", "usage", "done"};
  tenon_chat chat = TENON_CHAT_INIT;
  tenon_events stream;
  tenon_event e = {.type = TENON_EVENT_TEXT};
  chat.messages = &hello;
  chat.message_count = 1;
  script.events = events;
  script.asked = script.closed = 0;
  *told = 0;
  tenon_status status = tn_models_chat(NULL, s, &chat, &stream, err);
  if (status) {
    assert_int_equal(script.closed, script.asked);
    return status;
  }
  while (!status && e.type != TENON_EVENT_END) {
    status = stream.next(stream.self, &e, err);
    if (!status) snprintf(told + strlen(told), room - strlen(told), " %s", names[e.type]);
  }
  tenon_error again = TENON_ERROR_INIT;
  assert_int_equal(stream.next(stream.self, &e, &again), status);
  if (status && err) assert_string_equal(again.message, err->message);
  stream.close(stream.self);
  assert_int_equal(script.closed, script.asked);
  return status;
}

static void an_answer_ends_with_usage_and_done(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  char told[200];
  (void)state;
  const tenon_event whole[] = {EVENT(TEXT, .text = "", .size = 0),
                               EVENT(TEXT, .text = "a", .size = 1),
                               EVENT(TOOL_CALL, .id = "1", .name = "f", .arguments = "{}"),
                               EVENT(USAGE, .usage = {1, 2, 3, 4, 5}),
                               EVENT(DONE, .finish = TENON_FINISH_TOOL_CALLS),
                               EVENT(TEXT, .text = "b", .size = 1),
                               {0}};
  assert_int_equal(ask(s, whole, told, sizeof told, NULL), TENON_OK);
  assert_string_equal(told, " text call usage done end");
  const tenon_event without[] = {EVENT(DONE, .finish = TENON_FINISH_STOP), {0}};
  assert_int_equal(ask(s, without, told, sizeof told, NULL), TENON_OK);
  assert_string_equal(told, " usage done end");
  tn_session_release(s);
  tn_connector_free(c);
}

static void an_answer_that_breaks_off_is_an_error(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  char told[200];
  (void)state;
  const tenon_event cut[] = {
      EVENT(TEXT, .text = "a", .size = 1), EVENT(USAGE, .usage = {1, 2, 3, 4, 5}), {0}};
  const tenon_event nothing[] = {{0}};
  const tenon_event *const both[] = {cut, nothing};
  for (int i = 0; i < 2; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(ask(s, both[i], told, sizeof told, &err), TENON_IO);
    assert_int_equal(err.vendor_code, TENON_MODELS_TRUNCATED);
    assert_true(err.retryable && err.remedy[0] && strncmp(err.message, "script: ", 8) == 0);
  }
  tn_session_release(s);
  tn_connector_free(c);
}

static void a_call_needs_a_name_an_id_and_an_object(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  char told[200];
  (void)state;
  const tenon_event calls[] = {EVENT(TOOL_CALL, .id = "1", .name = "f", .arguments = "{"),
                               EVENT(TOOL_CALL, .id = "1", .name = "f", .arguments = "[1]"),
                               EVENT(TOOL_CALL, .id = "", .name = "f", .arguments = "{}"),
                               EVENT(TOOL_CALL, .id = "1", .name = NULL, .arguments = "{}"),
                               EVENT(TOOL_CALL, .id = "1", .name = "f", .arguments = NULL)};
  for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
    const tenon_event events[] = {calls[i], EVENT(DONE, .finish = TENON_FINISH_STOP), {0}};
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(ask(s, events, told, sizeof told, &err), TENON_DATA);
    assert_true(err.remedy[0] && !*told);
  }
  tn_session_release(s);
  tn_connector_free(c);
}

static void only_before_the_first_event_it_is_asked_again(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  char told[200];
  tenon_error err = TENON_ERROR_INIT;
  (void)state;
  const tenon_event whole[] = {
      EVENT(TEXT, .text = "a", .size = 1), EVENT(DONE, .finish = TENON_FINISH_STOP), {0}};
  const tn_fault first = {
      .operation = "next", .at = 1, .times = 1, .code = TENON_UNREACHABLE, .retryable = true};
  const tn_fault second = {
      .operation = "next", .at = 2, .times = 1, .code = TENON_UNREACHABLE, .retryable = true};
  tn_faults_set(&first, 1);
  assert_int_equal(ask(s, whole, told, sizeof told, &err), TENON_OK);
  assert_int_equal(script.asked, 2);
  tn_faults_set(&second, 1);
  assert_int_equal(ask(s, whole, told, sizeof told, &err), TENON_UNREACHABLE);
  assert_int_equal(script.asked, 1);
  assert_string_equal(told, " text");
  tn_faults_set(NULL, 0);
  tn_session_release(s);
  tn_connector_free(c);
}

/* ---- Questions ---- */

typedef struct bad_question {
  const char *says;
  tenon_role role;
  tenon_part part;
  tenon_tool tool;
  const char *schema, *stop;
  double temperature;
} bad_question;

static void what_no_system_would_take_is_refused_before(void **state) {
  static const bad_question cases[] = {
      {"nothing to answer", TENON_SYSTEM, {.text = "x"}, {0}, NULL, NULL, 0},
      {"role is none", (tenon_role)9, {.text = "x"}, {0}, NULL, NULL, 0},
      {"is not given", TENON_USER, {0}, {0}, NULL, NULL, 0},
      {"not UTF-8", TENON_USER, {.text = "\xC3"}, {0}, NULL, NULL, 0},
      {"its role cannot have",
       TENON_ASSISTANT,
       {.type = TENON_PART_IMAGE, .url = "u"},
       {0},
       NULL,
       NULL,
       0},
      {"its role cannot have",
       TENON_USER,
       {.type = TENON_PART_TOOL_CALL, .id = "a", .name = "b", .arguments = "{}"},
       {0},
       NULL,
       NULL,
       0},
      {"its role cannot have", TENON_TOOL, {.text = "x"}, {0}, NULL, NULL, 0},
      {"its role cannot have", TENON_USER, {.type = (tenon_part_type)77}, {0}, NULL, NULL, 0},
      {"neither bytes nor a URL", TENON_USER, {.type = TENON_PART_IMAGE}, {0}, NULL, NULL, 0},
      {"media type",
       TENON_USER,
       {.type = TENON_PART_IMAGE, .data = "x", .size = 1, .media_type = "text/plain"},
       {0},
       NULL,
       NULL,
       0},
      {"media type",
       TENON_USER,
       {.type = TENON_PART_IMAGE, .data = "x", .size = 1, .media_type = "image/png\"x"},
       {0},
       NULL,
       NULL,
       0},
      {"no id or no name",
       TENON_ASSISTANT,
       {.type = TENON_PART_TOOL_CALL, .name = "b", .arguments = "{}"},
       {0},
       NULL,
       NULL,
       0},
      {"not an object",
       TENON_ASSISTANT,
       {.type = TENON_PART_TOOL_CALL, .id = "a", .name = "b", .arguments = "[]"},
       {0},
       NULL,
       NULL,
       0},
      {"has no id", TENON_TOOL, {.type = TENON_PART_TOOL_RESULT, .text = "x"}, {0}, NULL, NULL, 0},
      {"a tool has no name", TENON_USER, {.text = "x"}, {.name = "a b"}, NULL, NULL, 0},
      {"a tool's parameters",
       TENON_USER,
       {.text = "x"},
       {.name = "a", .parameters = "{"},
       NULL,
       NULL,
       0},
      {"schema of the answer", TENON_USER, {.text = "x"}, {0}, "1", NULL, 0},
      {"at /type: it is no type", TENON_USER, {.text = "x"}, {0}, "{\"type\":\"bogus\"}", NULL, 0},
      {"stop at is empty", TENON_USER, {.text = "x"}, {0}, NULL, "", 0},
      {"temperature", TENON_USER, {.text = "x"}, {0}, NULL, NULL, -1},
      {"temperature", TENON_USER, {.text = "x"}, {0}, NULL, NULL, (double)NAN},
  };
  tn_connector *c;
  tn_session *s = script_session(&c);
  (void)state;
  script.asked = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    const bad_question *q = &cases[i];
    const tenon_message m = {q->role, &q->part, 1};
    tenon_chat chat = TENON_CHAT_INIT;
    tenon_events events;
    tenon_error err = TENON_ERROR_INIT;
    chat.messages = &m;
    chat.message_count = 1;
    chat.tools = &q->tool;
    chat.tool_count = q->tool.name != NULL;
    chat.schema = q->schema;
    chat.stop = &q->stop;
    chat.stop_count = q->stop != NULL;
    chat.temperature = q->temperature;
    chat.has_temperature = q->temperature != 0;
    assert_int_equal(tn_models_chat(NULL, s, &chat, &events, &err), TENON_CONFIG);
    if (!strstr(err.message, q->says)) fail_msg("case %zu: %s", i, err.message);
    assert_true(err.remedy[0]);
  }
  assert_int_equal(script.asked, 0);
  tn_session_release(s);
  tn_connector_free(c);
}

/* ---- Embeddings ---- */

static tenon_status embed(tn_session *s, size_t count, int32_t dimension, tenon_embeddings *ret,
                          tenon_error *err) {
  static const char *const texts[] = {
      "1", "22", "333", "4444", "55555", "666666", "7777777", "88888888 88888888 88888888", "9"};
  const tenon_embed req = {
      .struct_size = sizeof req, .texts = texts, .count = count, .dimension = dimension};
  script.embeds = 0;
  return tn_models_embed(NULL, s, &req, ret, err);
}

static void texts_go_in_requests_that_fit(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  tenon_embeddings all = {0};
  (void)state;
  script.dimension = 3;
  assert_int_equal(embed(s, 9, 0, &all, NULL), TENON_OK);
  assert_int_equal(script.embeds, 4);   /* 4 at most; 20 bytes at most, unless one has more */
  const int wanted[] = {4, 3, 1, 1};
  assert_memory_equal(script.embedded, wanted, sizeof wanted);
  assert_int_equal(all.count, 9);
  assert_int_equal(all.dimension, 3);
  assert_int_equal(all.usage.input, 9);
  assert_int_equal(all.usage.cost_nano, 20);
  assert_int_equal(all.usage.cached, -1);
  for (int i = 0; i < 9; i++)
    assert_true(all.vectors[i * 3 + 2] == (float)(i == 7 ? 26 : i == 8 ? 1 : i + 1));
  tn_free(all.vectors);
  tn_session_release(s);
  tn_connector_free(c);
}

static void vectors_that_are_not_as_promised_are_refused(void **state) {
  tn_connector *c;
  tn_session *s = script_session(&c);
  tenon_embeddings all = {.count = 77};
  (void)state;
  script.dimension = 3;
  script.short_by = 1;
  assert_int_equal(embed(s, 5, 0, &all, NULL), TENON_DATA);
  script.short_by = 0;
  script.other_dimension_at = 2;
  assert_int_equal(embed(s, 9, 0, &all, NULL), TENON_DATA);
  script.other_dimension_at = 0;
  script.value = (float)INFINITY;
  assert_int_equal(embed(s, 1, 0, &all, NULL), TENON_DATA);
  script.value = 0;
  assert_int_equal(embed(s, 1, 4, &all, NULL), TENON_UNSUPPORTED);
  assert_int_equal(all.count, 77);
  tn_session_release(s);
  tn_connector_free(c);
}

/* ---- Every allocation fails once ---- */

#define HEAD(type) "HTTP/1.1 200 OK\r\nContent-Type: " type "\r\nConnection: close\r\n\r\n"

static const char openai_reply[] = HEAD("text/event-stream")
    "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Hi\"}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}\n\n"
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
static const char anthropic_reply[] = HEAD("text/event-stream")
    "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":1,\"output_tokens\":1}}}\n\n"
    "data: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"Hi\"}}\n\n"
    "data: {\"type\":\"content_block_start\",\"index\":1,\"content_block\":{\"type\":\"tool_use\",\"id\":\"a\",\"name\":\"f\",\"input\":{}}}\n\n"
    "data: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"tool_use\"},\"usage\":{\"output_tokens\":3}}\n\n"
    "data: {\"type\":\"message_stop\"}\n\n";
static const char ollama_reply[] = HEAD("application/x-ndjson")
    "{\"model\":\"m\",\"message\":{\"content\":\"Hi\",\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":{\"a\":1}}}]},\"done\":false}\n"
    "{\"model\":\"m\",\"message\":{\"content\":\"\"},\"done\":true,\"done_reason\":\"stop\",\"prompt_eval_count\":1,\"eval_count\":2}\n";

static const tenon_tool tool = {
    .name = "f", .description = "d", .parameters = "{\"type\": \"object\"}"};
static const tenon_part rich_parts[] = {
    {.type = TENON_PART_TEXT, .text = "look"},
    {.type = TENON_PART_IMAGE, .data = "\x89PNG", .size = 4, .media_type = "image/png"}};
static const tenon_part call_part = {
    .type = TENON_PART_TOOL_CALL, .id = "a", .name = "f", .arguments = "{\"x\": 1}"};
static const tenon_part result_part = {
    .type = TENON_PART_TOOL_RESULT, .id = "a", .text = "42", .is_error = 1};
static const tenon_part system_part = {.type = TENON_PART_TEXT, .text = "be brief"};
static const tenon_message rich[] = {{TENON_SYSTEM, &system_part, 1},
                                     {TENON_USER, rich_parts, 2},
                                     {TENON_ASSISTANT, &call_part, 1},
                                     {TENON_TOOL, &result_part, 1}};

static tenon_status converse(tn_session *s, tenon_error *err) {
  static const char *const stop = "END";
  tenon_chat chat = TENON_CHAT_INIT;
  tenon_events events;
  tenon_event e = {.type = TENON_EVENT_TEXT};
  chat.messages = rich;
  chat.message_count = 4;
  chat.tools = &tool;
  chat.tool_count = 1;
  chat.schema = "{\"type\": \"object\"}";
  chat.stop = &stop;
  chat.stop_count = 1;
  tenon_status status = tn_models_chat(NULL, s, &chat, &events, err);
  if (status) return status;
  while (!status && e.type != TENON_EVENT_END) status = events.next(events.self, &e, err);
  events.close(events.self);
  return status;
}

static void a_kind_survives_without_memory(const char *kind, const char *key, const char *path,
                                           const char *reply) {
  int failed = 0;
  for (int n = 1;; n++) {
    http_fixture *f = http_fixture_new();
    tenon_error err = TENON_ERROR_INIT;
    tn_session *s = NULL;
    f->closes = true;
    for (int i = 0; i < 3; i++) http_fixture_reply(f, reply);
    tn_connector *c = connector_of(kind, key, http_fixture_url(f, path));
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_session_acquire(NULL, c, &s, &err);
    if (!status) status = converse(s, &err);
    bool reached = tn_mem_count() >= n;
    tn_mem_fail_at(0, 0);
    if (status) assert_int_equal(err.code, TENON_LIMITED);
    failed += status != TENON_OK;
    if (s) tn_session_release(s);
    tn_connector_free(c);
    http_fixture_free(f);
    if (!reached) break;
    assert_true(n < 2000);
  }
  assert_true(failed > 15);
}

static void kinds_survive_without_memory(void **state) {
  (void)state;
  a_kind_survives_without_memory("openai", "base_url", "/v1", openai_reply);
  a_kind_survives_without_memory("anthropic", "base_url", "", anthropic_reply);
  a_kind_survives_without_memory("ollama", "url", "", ollama_reply);
}

/* ---- Answers with bytes that were changed ---- */

static uint64_t next_random(uint64_t *seed) {
  *seed ^= *seed << 13;
  *seed ^= *seed >> 7;
  return *seed ^= *seed << 17;
}

/* A few bytes of the body become others, go, or are there twice. */
static size_t change(const char *reply, char *ret, uint64_t *seed) {
  static const char strange[] = "\"\\{}[],:\n\r\0\x80\377019-e.untf";
  size_t head = (size_t)(strstr(reply, "\r\n\r\n") + 4 - reply), size = strlen(reply);
  memcpy(ret, reply, size);
  for (uint64_t n = next_random(seed) % 4 + 1; n > 0; n--) {
    size_t at = head + (size_t)(next_random(seed) % (size - head)),
           length = (size_t)(next_random(seed) % 20) + 1;
    if (at + length > size) length = size - at;
    switch (next_random(seed) % 4) {
      case 0: memmove(ret + at, ret + at + length, size - at - length), size -= length; break;
      case 1: memmove(ret + at + length, ret + at, size - at), size += length; break;
      case 2: size = at + 1; break;
      default: ret[at] = strange[next_random(seed) % (sizeof strange - 1)]; break;
    }
  }
  return size;
}

static int try_changed(const char *kind, const char *key, const char *path, const char *reply,
                       uint64_t *seed) {
  static char changed[8192];
  http_fixture *f = http_fixture_new();
  tenon_error err = TENON_ERROR_INIT;
  tn_session *s = NULL;
  size_t size = change(reply, changed, seed);
  f->closes = true;
  for (int i = 0; i < 3; i++) http_fixture_reply_bytes(f, changed, size);
  tn_connector *c = connector_of(kind, key, http_fixture_url(f, path));
  assert_int_equal(tn_session_acquire(NULL, c, &s, &err), TENON_OK);
  tenon_status status = converse(s, &err);
  assert_int_equal(status, err.code);
  if (status)
    assert_true(err.message[0] && err.remedy[0] && err.stage &&
                tn_utf8_valid(err.message, strlen(err.message), NULL));
  tn_session_release(s);
  tn_connector_free(c);
  http_fixture_free(f);
  return status != TENON_OK;
}

static void changed_answers_are_errors_or_answers(void **state) {
  enum { TIMES = 40 };
  uint64_t seed = UINT64_C(0x9E3779B97F4A7C15);
  int failed = 0;
  (void)state;
  for (int i = 0; i < TIMES; i++) {
    failed += try_changed("openai", "base_url", "/v1", openai_reply, &seed);
    failed += try_changed("anthropic", "base_url", "", anthropic_reply, &seed);
    failed += try_changed("ollama", "url", "", ollama_reply, &seed);
  }
  assert_true(failed > TIMES && failed < 3 * TIMES);
}

/* ---- Prices: at the vendor's own address alone, of models of the table alone ---- */

static int64_t cost_of(const char *url, const char *model, tenon_usage usage) {
  tn_llm l = {0};
  assert_int_equal(tn_http_base_parse("base_url", url, &l.base, NULL), TENON_OK);
  usage.cost_nano = -1;
  tn_llm_price(&l, model, &usage);
  return usage.cost_nano;
}

static void a_price_is_known_or_it_is_not(void **state) {
  static const char openai[] = "https://api.openai.com/v1",
                    anthropic[] = "https://api.anthropic.com";
  const tenon_usage usage = {.input = 1000, .cached = 400, .cache_written = -1, .output = 10};
  const tenon_usage written = {.input = 1000, .cached = 400, .cache_written = 100, .output = 10};
  (void)state;
  assert_int_equal(cost_of(openai, "gpt-4o-mini-2024-07-18", usage),
                   600 * 150 + 400 * 75 + 10 * 600);
  assert_int_equal(cost_of("https://api.openai.com:443/v1/", "gpt-4o-mini-2024-07-18", usage),
                   126000);
  assert_int_equal(cost_of(openai, "text-embedding-3-small", (tenon_usage){7, -1, -1, 0, -1}), 140);
  assert_int_equal(cost_of(anthropic, "claude-haiku-4-5-20251001", written),
                   500 * 1000 + 400 * 100 + 100 * 1250 + 10 * 5000);
  assert_int_equal(cost_of(openai, "gpt-4o-mini-2024-07-18", written),
                   -1); /* it names no price for that */
  assert_int_equal(cost_of(openai, "gpt-4o-2024-05-13", usage),
                   -1); /* another price than its name's later ones */
  assert_int_equal(cost_of(openai, "gpt-4o-mini-2024-07-1", usage), -1);
  assert_int_equal(cost_of("http://api.openai.com/v1", "gpt-4o-mini-2024-07-18", usage), -1);
  assert_int_equal(cost_of("https://api.openai.com.example/v1", "gpt-4o-mini-2024-07-18", usage),
                   -1);
  assert_int_equal(cost_of(anthropic, "gpt-4o-mini-2024-07-18", usage), -1);
  assert_int_equal(cost_of(openai, "gpt-4o-mini-2024-07-18", (tenon_usage){-1, -1, -1, 5, -1}), -1);
  assert_int_equal(cost_of(openai, "gpt-4o-mini-2024-07-18", (tenon_usage){10, 20, -1, 5, -1}), -1);
  assert_int_equal(
      cost_of(openai, "gpt-4o-mini-2024-07-18", (tenon_usage){INT64_MAX / 2, -1, -1, 5, -1}), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(an_answer_ends_with_usage_and_done),
      cmocka_unit_test(an_answer_that_breaks_off_is_an_error),
      cmocka_unit_test(a_call_needs_a_name_an_id_and_an_object),
      cmocka_unit_test(only_before_the_first_event_it_is_asked_again),
      cmocka_unit_test(what_no_system_would_take_is_refused_before),
      cmocka_unit_test(texts_go_in_requests_that_fit),
      cmocka_unit_test(vectors_that_are_not_as_promised_are_refused),
      cmocka_unit_test(kinds_survive_without_memory),
      cmocka_unit_test(changed_answers_are_errors_or_answers),
      cmocka_unit_test(a_price_is_known_or_it_is_not),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
