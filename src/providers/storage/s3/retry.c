/* SPDX-License-Identifier: Apache-2.0 */
#include "retry.h"

#include "base/backoff.h"
#include "base/clock.h"

enum { MAX_TRIES = 5, FIRST_DELAY_MS = 100, LONGEST_DELAY_MS = 60000 };

bool tn_s3_retry_later(tenon_ctx *ctx, tn_s3_retry *r, const tenon_error *why, tenon_error *err) {
  int64_t delay = tn_backoff_ms(FIRST_DELAY_MS, ++r->tries, why->retry_after_ms);
  bool may = why->retryable && r->tries < MAX_TRIES && delay <= LONGEST_DELAY_MS && tn_backoff_fits(delay, tn_s3_host->remaining_ms(ctx));
  if (may) r->due_ms = tn_now_ms() + delay;
  else tn_pass_error(why, err);
  return may;
}

bool tn_s3_retry_is_due(tn_s3_retry *r) {
  bool is_due = r->due_ms && tn_now_ms() >= r->due_ms;
  if (is_due) r->due_ms = 0;
  return is_due;
}

int64_t tn_s3_sooner(int64_t a_ms, int64_t b_ms) { return !a_ms || (b_ms && b_ms < a_ms) ? b_ms : a_ms; }

static int left_until(int64_t until_ms) {
  int64_t left = until_ms - tn_now_ms();
  return !until_ms ? -1 : left < 0 ? 0 : (int)left;
}

tenon_status tn_s3_run_until(tenon_ctx *ctx, tenon_http_lane *lane, size_t active, int64_t until_ms, tenon_error *err) {
  if (active) return tn_s3_host->http->run(lane, left_until(until_ms), NULL, err);
  return until_ms ? tn_s3_host->wait(ctx, NULL, 0, left_until(until_ms), err) : TENON_OK;
}

tenon_status tn_s3_wait_for_retry(tenon_ctx *ctx, tn_s3_retry *r, tenon_error *err) {
  tenon_status status = tn_s3_host->wait(ctx, NULL, 0, left_until(r->due_ms), err);
  r->due_ms = 0;
  return status;
}

/* ---- Whole requests ---- */

/* A condition that was kept the first time is broken the second time. */
static bool did_nothing(const tenon_error *why) { return why->vendor_code == 503 || why->vendor_code == 429; }

typedef tenon_status (*attempt_fn)(tenon_ctx *, tn_s3 *, const tn_s3_request *, void *ret, tenon_error *);

static tenon_status repeat(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, bool is_conditional, attempt_fn attempt, void *ret,
                           bool *ret_unsure, tenon_error *err) {
  tn_s3_retry retry = {0};
  for (;;) {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = attempt(ctx, s, r, ret, &why);
    if (!status) return TENON_OK;
    if (is_conditional && !did_nothing(&why)) return tn_pass_error(&why, err);
    if (!tn_s3_retry_later(ctx, &retry, &why, err)) return status;
    if (ret_unsure) *ret_unsure |= !did_nothing(&why);
    status = tn_s3_wait_for_retry(ctx, &retry, err);
    if (status) return status;
  }
}

static tenon_status send_once(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, void *ret, tenon_error *err) {
  return tn_s3_send(ctx, s, r, ret, err);
}

tenon_status tn_s3_send_again(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, bool is_conditional, tn_s3_reply *ret,
                              bool *ret_unsure, tenon_error *err) {
  return repeat(ctx, s, r, is_conditional, send_once, ret, ret_unsure, err);
}

typedef struct text_reply {
  tn_str *text;
  size_t max;
} text_reply;

static tenon_status send_for_text_once(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, void *ret, tenon_error *err) {
  const text_reply *t = ret;
  tn_str_clear(t->text);
  return tn_s3_send_for_text(ctx, s, r, t->max, t->text, err);
}

tenon_status tn_s3_send_again_for_text(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, bool is_conditional, size_t max, tn_str *ret,
                                       bool *ret_unsure, tenon_error *err) {
  text_reply t = {ret, max};
  return repeat(ctx, s, r, is_conditional, send_for_text_once, &t, ret_unsure, err);
}
