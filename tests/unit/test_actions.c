/* SPDX-License-Identifier: Apache-2.0 */
/* The calling functions of the facet `actions`: what is repeated, and what becomes of answers that are not as promised. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "contract/memory.h"
#include "core/registry.h"
#include "core/session.h"
#include "tenon/tenon.h"

static tn_registry *registry;
static tn_connector *connector;

static int setup(void **state) {
  const tenon_provider *p;
  tn_settings settings;
  tn_config *config;
  (void)state;
  tn_settings_init(&settings);
  if (tn_registry_new(&registry, NULL) || tn_registry_add(registry, &memory_kind, NULL) ||
      tn_registry_find(registry, "memory", &p, NULL) ||
      tn_settings_set(&settings, "store", "actions", NULL) ||
      tn_config_new(p, &settings, &config, NULL) ||
      tn_connector_new("memory", config, &connector, NULL))
    return -1;
  tn_settings_release(&settings);
  return 0;
}

static int teardown(void **state) {
  (void)state;
  tn_connector_free(connector);
  tn_registry_free(registry);
  memory_drop();
  return 0;
}

static tenon_status call(const char *action, const char *input, tenon_error *err) {
  tn_session *s;
  tenon_action_result r = {0};
  const tenon_action_call req = {.struct_size = sizeof req,
                                 .action = action,
                                 .input = input,
                                 .input_size = input ? strlen(input) : 0};
  assert_int_equal(tn_session_acquire(NULL, connector, &s, NULL), TENON_OK);
  tenon_status status = tn_actions_call(NULL, s, &req, &r, err);
  if (!status) r.release(&r);
  tn_session_release(s);
  return status;
}

static void only_what_is_idempotent_is_repeated(void **state) {
  tenon_error err = TENON_ERROR_INIT;
  (void)state;
  memory_calls = 0;
  assert_int_equal(call("fail_once", NULL, &err), TENON_OK);
  assert_int_equal(memory_calls, 2);
  memory_calls = 0;
  assert_int_equal(call("fail_unsafely", NULL, &err), TENON_UNREACHABLE);
  assert_int_equal(memory_calls, 1);
}

static void a_broken_promise_says_that_it_was_done(void **state) {
  tenon_error err = TENON_ERROR_INIT;
  (void)state;
  memory_calls = 1;
  assert_int_equal(call("lie", NULL, &err), TENON_DATA);
  assert_string_equal(err.message,
                      "lie was done, but the output at /n: integer is expected, not a string");
  assert_int_equal(memory_calls, 2);
}

static void wrong_inputs_name_their_place(void **state) {
  static const char *const cases[][2] = {
      {"{}", "the input at /name: it is required and missing"},
      {"{\"name\": 7}", "the input at /name: string is expected, not an integer"},
      {"{\"name\": \"\"}", "the input at /name: it has 0 characters, fewer than 1"},
      {"{\"name\": \"a\", \"times\": 4}", "the input at /times: it is more than 3"},
      {"{\"name\": \"a\", \"times\": 1.5}",
       "the input at /times: integer is expected, not a number"},
      {"{\"name\": \"a\", \"tims\": 1}", "the input at /tims: there is no such member"},
      {"{\"name\": \"a\", \"times\": 99999999999999999999}",
       "the input at /times: it is more than 3"},
      {"{\"name\": \"a\", \"n\\u0061me\": \"b\"}",
       "the input of greet: a member is there twice in an object"},
  };
  (void)state;
  memory_calls = 0;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(call("greet", cases[i][0], &err), TENON_CONFIG);
    assert_string_equal(err.message, cases[i][1]);
    assert_int_equal(err.stage, TENON_STAGE_CONFIG);
  }
  assert_int_equal(memory_calls, 0);
}

/* tenon.h: the action may stand behind the target. */
static void programs_list_and_call(void **state) {
  tenon *t;
  tenon_session *s;
  tenon_actions all = {0};
  tenon_action_result r = {0};
  tenon_error err = TENON_ERROR_INIT;
  const tenon_setting store = {"store", "actions"};
  const tenon_action_call req = {
      .struct_size = sizeof req, .input = "{\"name\": \"Ada\"}", .input_size = 15};
  (void)state;
  assert_int_equal(tenon_new(NULL, &t, NULL), TENON_OK);
  assert_int_equal(tenon_register(t, &memory_kind, NULL), TENON_OK);
  if (tenon_open(NULL, t, "memory:///:greet", &store, 1, &s, &err)) fail_msg("%s", err.message);
  assert_int_equal(tenon_list_actions(NULL, s, NULL, &all, &err), TENON_OK);
  assert_int_equal(all.count, 1);
  assert_string_equal(all.items[0].name, "greet");
  all.release(&all);
  if (tenon_call_action(NULL, s, &req, &r, &err)) fail_msg("%s", err.message);
  assert_string_equal(r.output, "{\"greeting\": \"hello, Ada\"}");
  r.release(&r);
  tenon_close(s);
  tenon_free(t);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(only_what_is_idempotent_is_repeated),
      cmocka_unit_test(a_broken_promise_says_that_it_was_done),
      cmocka_unit_test(wrong_inputs_name_their_place),
      cmocka_unit_test(programs_list_and_call),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
