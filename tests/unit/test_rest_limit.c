/* SPDX-License-Identifier: Apache-2.0 */
/* The kind rest_api's turns: who cannot wait takes none, and they outlive sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/clock.h"
#include "base/error.h"
#include "core/session.h"
#include "unit/rest_fixture.h"

enum { GAP_MS = 12000, DEADLINE_MS = 400 };

static const char endpoints[] = "{\"greet\":{\"path\":\"/greet\",\"read_only\":true}}";

static tn_connector *connector(const char *token) {
  const char *const pairs[] = {"auth",  "bearer", "requests_per_minute", "5",
                               "token", token,    "endpoints",           endpoints, NULL};
  return rest_fixture_connector(pairs);
}

/* With a connector and a session of its own. */
static tenon_status call_once(const char *token, tenon_error *err) {
  const tenon_action_call req = {.struct_size = sizeof req, .action = "greet"};
  tn_connector *c = connector(token);
  tenon_action_result r;
  tenon_ctx *ctx;
  tn_session *s;
  *err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tenon_ctx_new(NULL, DEADLINE_MS, &ctx, NULL), TENON_OK);
  tenon_status status = tn_session_acquire(ctx, c, &s, err);
  if (!status) {
    status = tn_actions_call(ctx, s, &req, &r, err);
    if (!status) r.release(&r);
    tn_session_release(s);
  }
  tenon_ctx_free(ctx);
  tn_connector_free(c);
  return status;
}

static void who_cannot_wait_takes_no_turn(void **state) {
  tenon_error err;
  (void)state;
  assert_int_equal(call_once("canary-rest", &err), TENON_OK);
  const int64_t until = tn_now_ms() + GAP_MS;
  for (int i = 0; i < 5; i++) {
    const int64_t began = tn_now_ms();
    assert_int_equal(call_once("canary-rest", &err), TENON_LIMITED);
    assert_true(tn_now_ms() - began < DEADLINE_MS); /* refused at once, and once */
    assert_in_range(err.retry_after_ms, 1, GAP_MS);
    assert_true(began + err.retry_after_ms <= until + 50); /* the same moment each time */
  }
}

static void another_client_has_turns_of_its_own(void **state) {
  tenon_error err;
  (void)state;
  assert_int_equal(call_once("canary-rest, another", &err), TENON_OK);
  assert_int_equal(call_once("canary-rest, another", &err), TENON_LIMITED);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(who_cannot_wait_takes_no_turn),
                                     cmocka_unit_test(another_client_has_turns_of_its_own)};
  return cmocka_run_group_tests(tests, rest_fixture_start, rest_fixture_stop);
}
