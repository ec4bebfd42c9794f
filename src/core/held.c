/* SPDX-License-Identifier: Apache-2.0 */
#include "core/held.h"

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/faults.h"

typedef struct held {
  tenon_stream in;
  tn_session *session;
  tenon_ctx *ctx;
  const char *operation;
  struct ArrowArray first;   /* the batch that came with the call */
  bool has_first;
  int64_t rows, batches, began_us;
} held;

/* What belongs to one attempt: the reply's stream gives its first batch, or is closed. */
typedef struct first_step {
  tenon_stream *in;
  struct ArrowArray batch;
} first_step;

static tenon_status pull(tenon_stream *in, struct ArrowArray *ret, tenon_error *err) {
  tenon_status status = tn_fault_check("next", err);
  return status ? status : in->next(in->self, ret, err);
}

static tenon_status first_batch(void *arg, tenon_ctx *ctx, tenon_error *err) {
  (void)ctx;
  first_step *step = arg;
  tenon_status status = pull(step->in, &step->batch, err);
  if (status) tn_stream_close(step->in);
  return status;
}

static tenon_status held_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  held *h = self;
  struct ArrowArray batch = {0};
  if (h->has_first) {
    batch = h->first;
    h->has_first = false;
  } else {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = pull(&h->in, &batch, &why);
    if (status) {
      tenon_fail(&why, status, TENON_STAGE_DATA, NULL,
                 "%s: the rows ended and nothing more was said", h->session->connector->name);
      tn_session_failed(h->session, &why);
      return tn_pass_error(&why, err);
    }
  }
  h->batches += batch.release != NULL;
  h->rows += batch.release ? batch.length : 0;
  *ret = batch;
  return TENON_OK;
}

static void held_close(void *self) {
  held *h = self;
  if (h->has_first) tn_array_release(&h->first);
  tn_stream_close(&h->in);
  tn_ctx_log(h->ctx, TENON_LOG_DEBUG, "%s %s ended: %lld rows, %lld batches, %.1f ms", h->operation,
             h->session->connector->name,
             (long long)h->rows, (long long)h->batches, (double)(tn_now_us() - h->began_us) / 1000);
  tn_session_unhold(h->session);
  tenon_ctx_free(h->ctx);
  tn_free(h);
}

tenon_status tn_held_open(tenon_ctx *ctx, tn_session *s, tn_op_id op, const void *request,
                          void *reply, tenon_stream *in,
                          tenon_stream *ret, tenon_ctx **ret_ctx, tenon_error *err) {
  first_step step = {.in = in};
  const tn_call call = {.op = op, .request = request, .reply = reply, .first = first_batch,
                        .arg = &step};
  tenon_ctx *own = NULL;
  held *h = tn_alloc(sizeof *h);
  if (!h) return tn_no_memory(err);
  h->began_us = tn_now_us();
  tenon_status status = tn_call_run(ctx, s, &call, &own, err);
  if (status) {
    tn_free(h);
    return status;
  }
  h->in = *in;
  h->session = s;
  h->ctx = tenon_ctx_ref(own);
  h->operation = tn_op_at(op)->name;
  h->first = step.batch;
  h->has_first = true;
  tn_session_hold(s);
  *in = (tenon_stream){0};
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = h, .schema = h->in.schema,
                        .next = held_next, .close = held_close};
  h->in.schema = (struct ArrowSchema){0};
  *ret_ctx = own;
  return TENON_OK;
}
