/* SPDX-License-Identifier: Apache-2.0 */
/* The test of a connection: who answers there, as whom, and whether the model does. */
#include <stdio.h>

#include "llm.h"

enum { TEST_TOKENS = 16 };

typedef struct question {
  tn_llm *llm;
  tenon_test *test;
  char as_whom[64];      /* the evidence of auth, known when the service has answered: some answer anybody here */
} question;

static tenon_status greet(tenon_ctx *ctx, void *arg, tenon_error *err) {
  question *q = arg;
  tenon_status status = q->llm->kind->greet(ctx, q->llm, q->test, err);
  snprintf(q->as_whom, sizeof q->as_whom, "%s",
           status                  ? "nothing was said against who asks"
           : q->llm->is_anonymous ? "without a key"
                                   : "the key is not refused");
  return status;
}

/* What a model's request is refused for may be who asks, after all: the step has that name then. */
static void rename_step(tenon_test *t, const tenon_error *err) {
  tenon_test_step *step = &t->steps[t->step_count - 1];
  const char *name = err->stage == TENON_STAGE_AUTH         ? "auth"
                     : err->stage == TENON_STAGE_PERMISSION ? "permission"
                                                            : "probe";
  snprintf(step->name, sizeof step->name, "%s", name);
}

/* ---- A model that is asked something ---- */

static tenon_status try_answer(tenon_ctx *ctx, tn_llm *l, const tenon_models_ops *ops,
                               tenon_error *err) {
  static const tenon_part text = {.type = TENON_PART_TEXT, .text = "Say yes."};
  static const tenon_message message = {TENON_USER, &text, 1};
  tenon_chat chat = TENON_CHAT_INIT;
  tenon_event e = {.struct_size = sizeof e, .type = TENON_EVENT_TEXT};
  tenon_events events;
  chat.messages = &message;
  chat.message_count = 1;
  chat.max_tokens = TEST_TOKENS;
  tenon_status status = ops->chat(ctx, l, &chat, &events, err);
  if (status) return status;
  while (!status && e.type != TENON_EVENT_END && e.type != TENON_EVENT_DONE)
    status = events.next(events.self, &e, err);
  events.close(events.self);
  return status || e.type == TENON_EVENT_DONE ? status
                                              : tn_llm_strange(l, "an answer broke off", err);
}

static tenon_status try_vectors(tenon_ctx *ctx, tn_llm *l, const tenon_models_ops *ops,
                                tenon_error *err) {
  static const char *const text = "test";
  const tenon_embed embed = {.struct_size = sizeof embed, .texts = &text, .count = 1};
  tenon_embeddings e = {.struct_size = sizeof e};
  tenon_status status = ops->embed(ctx, l, &embed, &e, err);
  tn_free(e.vectors);
  return status;
}

tenon_status tn_llm_try(tenon_ctx *ctx, tn_llm *l, const tenon_models_ops *ops, tenon_test *t,
                        tenon_error *err) {
  const tn_llm_params *p = l->params;
  bool answers = p->model && *p->model,
       embeds = ops->embed && p->embedding_model && *p->embedding_model;
  tenon_status status = answers ? try_answer(ctx, l, ops, err) : TENON_OK;
  if (!status && answers) tn_llm_host->fact(t, "model", "%s", p->model);
  if (!status && embeds) status = try_vectors(ctx, l, ops, err);
  if (!status && embeds) tn_llm_host->fact(t, "embedding_model", "%s", p->embedding_model);
  if (!status)
    tn_llm_host->step_end(t, TENON_PASSED, NULL,
                          answers || embeds ? "the model answers" : "no model is named yet");
  return status;
}

/* ---- All of it ---- */

static tenon_status test(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  question q = {.llm = l, .test = t};
  tenon_status status = tn_http_test_reach(ctx, tn_llm_host, &l->params->reach, &l->base, t, err);
  if (!status)
    status = tn_http_test_ask(ctx, tn_llm_host, &l->params->reach, &l->base, t, q.as_whom, greet,
                              &q, err);
  if (!status && (status = l->kind->probe(ctx, l, t, err))) rename_step(t, err);
  return status;
}

tenon_status tn_llm_test(tenon_ctx *ctx, const tn_llm_kind *kind, const void *config, tenon_test *t,
                         tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  void *l;
  if (!err) err = &own;
  tenon_status status = tn_llm_open(ctx, kind, config, &l, err);
  if (status) return status;
  status = test(ctx, l, t, err);
  tn_llm_close(l);
  return status;
}
