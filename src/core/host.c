/* SPDX-License-Identifier: Apache-2.0 */
/* The host table: what a provider gets from the process it lives in. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/library.h"
#include "base/mem.h"
#include "core/registry.h"
#include "core/test_steps.h"
#include "net/connect.h"
#include "net/http.h"
#include "net/resolve.h"
#include "net/socket.h"
#include "net/token.h"

/* ---- Test steps ---- */

static void step_begin(tenon_test *test, const char *name) {
  size_t room = sizeof test->steps / sizeof test->steps[0];
  if (test->step_count == room) return;
  tenon_test_step *step = &test->steps[test->step_count++];
  *step = (tenon_test_step){.outcome = TENON_PASSED, .ms = -(double)tn_now_us() / 1000};
  snprintf(step->name, sizeof step->name, "%s", name);
}

/* A step that was begun and not ended has the negative of its beginning in ms. */
static tenon_test_step *open_step(tenon_test *test) {
  tenon_test_step *last = test->step_count ? &test->steps[test->step_count - 1] : NULL;
  return last && last->ms < 0 ? last : NULL;
}

static void close_step(tenon_test_step *step, tenon_outcome outcome, const char *remedy) {
  step->outcome = outcome;
  step->ms += (double)tn_now_us() / 1000;
  if (step->ms < 0) step->ms = 0;
  if (remedy) snprintf(step->remedy, sizeof step->remedy, "%s", remedy);
}

static void step_end(tenon_test *test, tenon_outcome outcome, const char *remedy,
                     const char *evidence, ...) {
  tenon_test_step *step = open_step(test);
  if (!step) return;
  if (evidence) {
    va_list args;
    va_start(args, evidence);
    vsnprintf(step->evidence, sizeof step->evidence, evidence, args);
    va_end(args);
  }
  close_step(step, outcome, remedy);
}

static void fact(tenon_test *test, const char *key, const char *value, ...) {
  if (test->fact_count == sizeof test->facts / sizeof test->facts[0]) return;
  tenon_fact *f = &test->facts[test->fact_count++];
  snprintf(f->key, sizeof f->key, "%s", key);
  va_list args;
  va_start(args, value);
  vsnprintf(f->value, sizeof f->value, value, args);
  va_end(args);
}

void tn_test_settle(tenon_test *test, tenon_status status, const tenon_error *err) {
  tenon_test_step *step = open_step(test);
  if (!step) return;
  snprintf(step->evidence, sizeof step->evidence, "%.*s", (int)sizeof step->evidence - 1,
           status ? err->message : "");
  close_step(step, status ? TENON_FAILED : TENON_PASSED, status ? err->remedy : NULL);
}

/* ---- The table ---- */

static const tenon_host host = {
    .struct_size = sizeof(tenon_host),
    .abi = TENON_ABI,
    .resize = tn_resize,
    .log = tn_ctx_log,
    .check = tn_ctx_check,
    .wait = tn_ctx_wait,
    .cancel_fd = tn_ctx_fd,
    .remaining_ms = tn_ctx_remaining_ms,
    .on_cancel = tn_ctx_on_cancel,
    .off_cancel = tn_ctx_off_cancel,
    .resolve = tn_resolve,
    .connect = tn_connect,
    .library = tn_library_open,
    .step_begin = step_begin,
    .step_end = step_end,
    .fact = fact,
    .http = &tn_http_ops,
    .token = tn_token,
    .token_refused = tn_token_refused,
    .socket = &tn_socket_ops,
};

const tenon_host *tn_host(void) { return &host; }
