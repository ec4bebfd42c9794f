/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The one way to every operation. A call gets a context of its own, below its caller's. An operation
 * that may be repeated is: after a failure that can pass by itself, as often as the connector has
 * patience, later each time, as long as its budget of retries and the deadline allow; and only before
 * its first batch was handed on.
 */
#include <string.h>

#include "base/backoff.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/faults.h"
#include "core/session_parts.h"
#include "core/stream.h"

enum { FIRST_DELAY_MS = 100, RETRY_COST_MILLI = 1000, SUCCESS_GAIN_MILLI = 100 };

/* ---- Sessions that broke ---- */

/* After these nobody knows what the other side still does or sends. */
static bool is_breaking(tenon_status code) {
  switch (code) {
    case TENON_UNREACHABLE: case TENON_TLS: case TENON_TIMEOUT: case TENON_CANCELLED:
    case TENON_GONE: case TENON_IO:
    case TENON_INTERNAL: return true;
    default: return false;
  }
}

static bool is_shared(const tn_session *s) { return s->connector->provider->traits & TENON_SHARED; }

void tn_session_failed(tn_session *s, tenon_error *err) {
  if (is_breaking(err->code)) atomic_store(&s->broken, true);
  atomic_store(&s->suspect, true);
  tn_config_redact(s->generation->config, err);
}

/* ---- One thread at a time, and no stream open ---- */

static tenon_status enter(tn_session *s, const tn_op *op, tenon_error *err) {
  if (is_shared(s)) return TENON_OK;
  if (atomic_load(&s->streams) > 0)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_NONE,
                      "release the stream first, or take another session",
                      "%s: %s while a stream of the session is open", s->connector->name, op->name);
  if (atomic_flag_test_and_set(&s->busy))
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_NONE, "take a session for each thread",
                      "%s: %s while another thread uses the session", s->connector->name, op->name);
  return TENON_OK;
}

static void leave(tn_session *s) {
  if (!is_shared(s)) atomic_flag_clear(&s->busy);
}

/* ---- Retries ---- */

static bool pay_for_retry(tn_connector *c) {
  if (atomic_fetch_sub(&c->budget_milli, RETRY_COST_MILLI) >= RETRY_COST_MILLI) return true;
  atomic_fetch_add(&c->budget_milli, RETRY_COST_MILLI);
  return false;
}

static void gain_budget(tn_connector *c) {
  if (atomic_load_explicit(&c->budget_milli, memory_order_relaxed) < c->patience->budget_milli)
    atomic_fetch_add(&c->budget_milli, SUCCESS_GAIN_MILLI);
}

static bool may_repeat(const tn_call *call) {
  return call->repeatable || tn_op_at(call->op)->flags & TN_OP_IDEMPOTENT;
}

/* How long to wait before the next attempt, -1: there is none. */
static int64_t retry_delay(tenon_ctx *ctx, tn_session *s, const tn_call *call, int attempt,
                           const tenon_error *why) {
  const tn_patience *most = s->connector->patience;
  if (!may_repeat(call) || !why->retryable || attempt == most->attempts) return -1;
  int64_t delay = tn_backoff_ms(FIRST_DELAY_MS, attempt, why->retry_after_ms);
  bool is_too_long = delay > most->longest_ms || !tn_backoff_fits(delay, tn_ctx_remaining_ms(ctx));
  return is_too_long || !pay_for_retry(s->connector) ? -1 : delay;
}

/* ---- A call ---- */

/* A good session: one whose last call failed is looked at before it is used again, since its kind
 * may have given it up, and one that broke is opened anew. */
static tenon_status make_ready(tenon_ctx *ctx, tn_session *s, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  if (is_shared(s)) return TENON_OK;
  bool is_lost = !s->native || atomic_load(&s->broken);
  if (!is_lost && atomic_exchange(&s->suspect, false))
    is_lost = s->connector->provider->check(ctx, s->native, &why) != TENON_OK;
  atomic_store(&s->suspect, false);
  return is_lost ? tn_session_reopen(ctx, s, err) : TENON_OK;
}

static tenon_status invoke(tenon_ctx *ctx, tn_session *s, const tn_op *op, const tn_call *call,
                           tenon_error *err) {
  tenon_status status = make_ready(ctx, s, err);
  if (!status) status = tn_fault_check(op->name, err);
  if (!status)
    status = op->invoke(s->connector->provider, ctx, s->native, call->request, call->reply, err);
  if (!status && call->first) status = call->first(call->arg, ctx, err);
  if (status && err && !err->code)
    tenon_fail(err, status, TENON_STAGE_NONE, NULL, "%s: %s failed and nothing more was said",
               s->connector->name, op->name);
  return status;
}

/* The system has as long for a first answer as for a batch, where nobody set a deadline. Writing has
 * no such limit: it waits for rows, too. */
static tenon_status attempt_call(tenon_ctx *ctx, tn_session *s, const tn_op *op,
                                 const tn_call *call, tenon_error *err) {
  bool stalls = may_repeat(call) && !tn_ctx_has_deadline(ctx);
  if (stalls) tn_ctx_stall_begin(ctx, tn_op_stall_ms(op));
  tenon_status status = invoke(ctx, s, op, call, err);
  if (stalls) tn_ctx_stall_end(ctx);
  return status;
}

static tenon_status attempt_until_done(tenon_ctx *ctx, tn_session *s, const tn_op *op,
                                       const tn_call *call, tenon_error *err) {
  for (int attempt = 1;; attempt++) {
    int64_t began = tn_now_us();
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = tn_ctx_check(ctx, &why);
    if (!status) status = attempt_call(ctx, s, op, call, &why);
    tn_ctx_log(ctx, TENON_LOG_DEBUG, "%s %s %s %.1f ms", op->name, s->connector->name,
               tenon_status_name(status),
               (double)(tn_now_us() - began) / 1000);
    if (!status) {
      gain_budget(s->connector);
      return TENON_OK;
    }
    tn_session_failed(s, &why);
    int64_t delay = retry_delay(ctx, s, call, attempt, &why);
    if (delay < 0) return tn_pass_error(&why, err);
    status = tn_ctx_wait(ctx, NULL, 0, (int)delay, err);
    if (status) return status;
  }
}

tenon_status tn_call_run(tenon_ctx *ctx, tn_session *s, const tn_call *call, tenon_ctx **ret_ctx,
                         tenon_error *err) {
  const tn_op *op = tn_op_at(call->op);
  tenon_ctx *own = NULL;
  tenon_error why = TENON_ERROR_INIT;
  if (!tn_provider_has_op(s->connector->provider, call->op))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE,
                      "`tenon kinds` says what each kind can do",
                      "kind %s has no operation %s", s->connector->provider->kind, op->name);
  tenon_status status = enter(s, op, err);
  if (status) return status;
  status = tn_connector_ctx(ctx, -1, s->connector, &own, &why);
  if (!status) {
    atomic_store_explicit(&s->used, true, memory_order_relaxed);
    status = attempt_until_done(own, s, op, call, &why);
  }
  leave(s);
  if (!status && ret_ctx) *ret_ctx = own;
  else tenon_ctx_free(own);
  return status ? tn_pass_error(&why, err) : TENON_OK;
}
