/* SPDX-License-Identifier: Apache-2.0 */
/* The kind rest_api's turns: who cannot wait takes none, and they outlive sessions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/clock.h"
#include "base/error.h"
#include "contract/rest_server.h"
#include "core/registry.h"
#include "core/session.h"

enum { GAP_MS = 12000, DEADLINE_MS = 400 };

extern const tenon_provider tn_provider_rest_api;

static const char endpoints[] = "{\"greet\":{\"path\":\"/greet\",\"read_only\":true}}";

static const tenon_provider *provider;
static tn_registry *registry;
static char url[64];

static int setup(void **state) {
  (void)state;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", rest_server_start());
  return tn_registry_new(&registry, NULL) ||
                 tn_registry_add(registry, &tn_provider_rest_api, NULL) ||
                 tn_registry_find(registry, "rest_api", &provider, NULL)
             ? -1
             : 0;
}

static int teardown(void **state) {
  (void)state;
  tn_registry_free(registry);
  rest_server_stop();
  return 0;
}

static tn_connector *connector(const char *token) {
  const char *const pairs[] = {"base_url", url,         "auth",      "bearer", "requests_per_minute", "5",
                               "token",    token,       "endpoints", endpoints, NULL};
  tn_settings settings;
  tn_config *config;
  tn_connector *c;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings_init(&settings);
  for (int i = 0; pairs[i]; i += 2)
    assert_int_equal(tn_settings_set(&settings, pairs[i], pairs[i + 1], NULL), TENON_OK);
  if (tn_config_new(provider, &settings, &config, &err)) fail_msg("%s", err.message);
  assert_int_equal(tn_connector_new("api", config, &c, NULL), TENON_OK);
  tn_settings_release(&settings);
  return c;
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
  return cmocka_run_group_tests(tests, setup, teardown);
}
