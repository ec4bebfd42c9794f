/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `models`: an answer's shape, its life, what ends it, and vectors that are one for each
 * text. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "contract/contract.h"

static const tenon_part hello_part = {.type = TENON_PART_TEXT, .text = "hello"};
static const tenon_message hello = {TENON_USER, &hello_part, 1};

static tenon_chat question(const char *model) {
  tenon_chat c = TENON_CHAT_INIT;
  c.model = model;
  c.messages = &hello;
  c.message_count = 1;
  return c;
}

static tenon_events must_ask(tenon_ctx *ctx, tn_session *s, const char *model) {
  tenon_events events;
  tenon_error err = TENON_ERROR_INIT;
  const tenon_chat c = question(model);
  if (tn_models_chat(ctx, s, &c, &events, &err)) fail_msg("%s", err.message);
  return events;
}

static tenon_event must_get(tenon_events *events) {
  tenon_event e = {0};
  tenon_error err = TENON_ERROR_INIT;
  if (events->next(events->self, &e, &err)) fail_msg("%s", err.message);
  return e;
}

static void an_answer_is_texts_then_usage_and_done(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_events events = must_ask(NULL, s, c->kind->chat_model);
  tenon_event e = must_get(&events);
  size_t bytes = 0;
  for (; e.type == TENON_EVENT_TEXT || e.type == TENON_EVENT_TOOL_CALL; e = must_get(&events)) {
    if (e.type != TENON_EVENT_TEXT) continue;
    assert_true(e.size > 0 && strlen(e.text) == e.size && tn_utf8_valid(e.text, e.size, NULL));
    bytes += e.size;
  }
  assert_true(bytes > 0);
  assert_int_equal(e.type, TENON_EVENT_USAGE);
  assert_true(e.usage.input >= -1 && e.usage.output >= -1 && e.usage.cached <= e.usage.input);
  e = must_get(&events);
  assert_int_equal(e.type, TENON_EVENT_DONE);
  assert_int_equal(e.finish, TENON_FINISH_STOP);
  for (int i = 0; i < 3; i++) assert_int_equal(must_get(&events).type, TENON_EVENT_END);
  events.close(events.self);
  tn_session_release(s);
}

static void an_answer_outlives_its_session(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_events events = must_ask(NULL, s, c->kind->chat_model);
  tn_session_release(s);
  tenon_event e;
  do e = must_get(&events);
  while (e.type != TENON_EVENT_DONE && e.type != TENON_EVENT_END);
  assert_int_equal(e.type, TENON_EVENT_DONE);
  events.close(events.self);
}

static void an_answer_may_be_left_in_the_middle(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  for (int i = 0; i < 5; i++) {
    tenon_events events = must_ask(NULL, s, c->kind->endless_model);
    assert_int_equal(must_get(&events).type, TENON_EVENT_TEXT);
    int64_t began = tn_now_ms();
    events.close(events.self);
    assert_true(tn_now_ms() - began < 250);
  }
  tenon_events events = must_ask(NULL, s, c->kind->chat_model);
  assert_int_equal(must_get(&events).type, TENON_EVENT_TEXT);
  events.close(events.self);
  tn_session_release(s);
}

static void *cancel_soon(void *ctx) {
  usleep(50000);
  tenon_ctx_cancel(ctx);
  return NULL;
}

static void a_cancel_and_a_deadline_end_an_answer(void **state) {
  contract_state *c = *state;
  for (int timed = 0; timed < 2; timed++) {
    tn_session *s = contract_session(c);
    tenon_ctx *ctx;
    tenon_event e = {0};
    tenon_error err = TENON_ERROR_INIT;
    pthread_t thread;
    assert_int_equal(tenon_ctx_new(NULL, timed ? 300 : -1, &ctx, NULL), TENON_OK);
    tenon_events events = must_ask(ctx, s, c->kind->endless_model);
    assert_int_equal(must_get(&events).type, TENON_EVENT_TEXT);
    if (!timed) assert_int_equal(pthread_create(&thread, NULL, cancel_soon, ctx), 0);
    int64_t began = tn_now_ms();
    tenon_status expected = timed ? TENON_TIMEOUT : TENON_CANCELLED;
    assert_int_equal(events.next(events.self, &e, &err), expected);
    assert_true(tn_now_ms() - began < (timed ? 1300 : 50 + 250));
    expect_error(c->kind, &err, expected);
    tn_error_init(&err);
    assert_int_equal(events.next(events.self, &e, &err), expected);   /* and so it stays */
    if (!timed) pthread_join(thread, NULL);
    events.close(events.self);
    tn_session_release(s);
    tenon_ctx_free(ctx);
  }
}

static void a_model_that_is_not_there_is_not_found(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_events events = {.self = (void *)1};
  tenon_error err = TENON_ERROR_INIT;
  const tenon_chat chat = question("contract-no-such-model");
  assert_int_equal(tn_models_chat(NULL, s, &chat, &events, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  assert_int_equal(err.vendor_code, TENON_MODELS_NO_MODEL);
  assert_true(err.remedy[0] && events.self == (void *)1);
  tn_session_release(s);
}

/* ---- Lists ---- */

static bool is_listed(tn_session *s, const char *only, const char *wanted, int64_t *ret_count) {
  const tenon_models_list req = {.struct_size = sizeof req, .model = only};
  struct ArrowArrayStream rows;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  char last[512] = "";
  bool found = false;
  *ret_count = 0;
  if (tn_models_list(NULL, s, &req, &rows, &err)) fail_msg("%s", err.message);
  assert_int_equal(rows.get_schema(&rows, &schema), 0);
  assert_int_equal(schema.n_children, 5);
  assert_string_equal(schema.children[0]->name, "id");
  for (;;) {
    assert_int_equal(rows.get_next(&rows, &batch), 0);
    if (!batch.release) break;
    assert_int_equal(tn_arrow_check(&schema, &batch, NULL), TENON_OK);
    const int32_t *offsets = batch.children[0]->buffers[1];
    for (int64_t i = 0; i < batch.length; i++, ++*ret_count) {
      char id[512];
      snprintf(id, sizeof id, "%.*s", (int)(offsets[i + 1] - offsets[i]),
               (const char *)batch.children[0]->buffers[2] + offsets[i]);
      assert_true(strcmp(last, id) < 0);
      snprintf(last, sizeof last, "%s", id);
      found |= strcmp(id, wanted) == 0;
    }
    batch.release(&batch);
  }
  schema.release(&schema);
  rows.release(&rows);
  return found;
}

static void models_are_listed_in_order(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  int64_t count;
  assert_true(is_listed(s, NULL, c->kind->chat_model, &count));
  assert_true(count > 1);
  assert_true(is_listed(s, c->kind->chat_model, c->kind->chat_model, &count));
  assert_int_equal(count, 1);
  assert_false(is_listed(s, "contract-no-such-model", "x", &count));
  assert_int_equal(count, 0);
  tn_session_release(s);
}

/* ---- Embeddings ---- */

enum { TEXTS = 700 };

static void vectors_are_one_for_each_text(void **state) {
  contract_state *c = *state;
  static char space[TEXTS][24];
  const char *texts[TEXTS];
  tn_session *s = contract_session(c);
  tenon_error err = TENON_ERROR_INIT;
  for (int i = 0; i < TEXTS; i++) {
    snprintf(space[i], sizeof space[i], "text %d", i / 2);   /* each twice */
    texts[i] = space[i];
  }
  tenon_embed req = {
      .struct_size = sizeof req, .model = c->kind->embedding_model, .texts = texts, .count = TEXTS};
  tenon_embeddings all = {0}, one = {0};
  if (tn_models_embed(NULL, s, &req, &all, &err)) fail_msg("%s", err.message);
  assert_int_equal(all.count, TEXTS);
  assert_true(all.dimension > 0);
  size_t row = (size_t)all.dimension * sizeof(float);
  for (size_t i = 0; i + 2 < TEXTS; i += 2) {
    assert_memory_equal(all.vectors + i * (size_t)all.dimension,
                        all.vectors + (i + 1) * (size_t)all.dimension, row);
    assert_memory_not_equal(all.vectors + i * (size_t)all.dimension,
                            all.vectors + (i + 2) * (size_t)all.dimension, row);
  }
  req.texts = &texts[433];
  req.count = 1;
  if (tn_models_embed(NULL, s, &req, &one, &err)) fail_msg("%s", err.message);
  assert_memory_equal(one.vectors, all.vectors + 433 * (size_t)all.dimension, row);
  tn_free(one.vectors);
  tn_free(all.vectors);
  tn_session_release(s);
}

static void texts_that_are_none_are_refused(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const char *const texts[] = {"a", "", "\xFF"};
  for (size_t i = 0; i < 4; i++) {
    tenon_embed req = {.struct_size = sizeof req,
                       .model = c->kind->embedding_model,
                       .texts = texts + (i < 3 ? i : 0),
                       .count = i == 3 ? 0 : 1};
    tenon_embeddings all = {.count = 77};
    tenon_error err = TENON_ERROR_INIT;
    if (i == 0) req.dimension = -1;
    tenon_status status = tn_models_embed(NULL, s, &req, &all, &err);
    expect_error(c->kind, &err, i == 1 || i == 2 ? TENON_DATA : TENON_CONFIG);
    assert_int_equal(status, err.code);
    assert_int_equal(all.count, 77);
  }
  tn_session_release(s);
}

const contract_check contract_model_checks[] = {
    {"an answer is texts, then usage and done", "models.chat",
     an_answer_is_texts_then_usage_and_done, NULL},
    {"an answer outlives its session", "models.chat", an_answer_outlives_its_session, NULL},
    {"an answer may be left in the middle", "models.chat", an_answer_may_be_left_in_the_middle,
     NULL},
    {"a cancel and a deadline end an answer", "models.chat", a_cancel_and_a_deadline_end_an_answer,
     NULL},
    {"a model that is not there is not found", "models.chat",
     a_model_that_is_not_there_is_not_found, NULL},
    {"models are listed in order", "models.list", models_are_listed_in_order, NULL},
    {"vectors are one for each text", "models.embed", vectors_are_one_for_each_text, NULL},
    {"texts that are none are refused", "models.embed", texts_that_are_none_are_refused, NULL},
    {0}};
