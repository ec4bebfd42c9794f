/* SPDX-License-Identifier: Apache-2.0 */
/* The test of a connection: who answers there, as whom, and whether the model does. */
#include <stdio.h>

#include "llm.h"

typedef struct question {
  tn_llm *llm;
  tenon_test *test;
} question;

static tenon_status greet(tenon_ctx *ctx, void *arg, tenon_error *err) {
  question *q = arg;
  return q->llm->kind->greet(ctx, q->llm, q->test, err);
}

/* What a model's request is refused for may be who asks, after all: the step has that name then. */
static void rename_step(tenon_test *t, const tenon_error *err) {
  tenon_test_step *step = &t->steps[t->step_count - 1];
  const char *name = err->stage == TENON_STAGE_AUTH ? "auth" : err->stage == TENON_STAGE_PERMISSION ? "permission" : "probe";
  snprintf(step->name, sizeof step->name, "%s", name);
}

tenon_status tn_llm_test(tenon_ctx *ctx, tn_llm *l, tenon_test *t, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  question q = {l, t};
  if (!err) err = &own;
  tenon_status status = tn_http_test_reach(ctx, tn_llm_host, &l->params->reach, &l->base, t, err);
  if (!status)
    status = tn_http_test_ask(ctx, tn_llm_host, &l->params->reach, &l->base, t,
                              l->is_anonymous ? "without a key" : "the key is good", greet, &q, err);
  if (!status && (status = l->kind->probe(ctx, l, t, err))) rename_step(t, err);
  tn_llm_free(l);
  return status;
}
