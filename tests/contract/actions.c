/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `actions`: what is listed can be called, and nothing that its schema refuses reaches the kind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/json_schema.h"
#include "contract/contract.h"

static tenon_status call(tn_session *s, const char *action, const char *input,
                         tenon_action_result *ret, tenon_error *err) {
  const tenon_action_call req = {.struct_size = sizeof req,
                                 .action = action,
                                 .input = input,
                                 .input_size = input ? strlen(input) : 0};
  return tn_actions_call(NULL, s, &req, ret, err);
}

static void listed_actions_have_sound_schemas(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_actions all = {0};
  tenon_error err = TENON_ERROR_INIT;
  bool found = false;
  if (tn_actions_list(NULL, s, NULL, &all, &err)) fail_msg("%s", err.message);
  assert_true(all.count > 0);
  for (size_t i = 0; i < all.count; i++) {
    const tenon_action *a = &all.items[i];
    tn_json_text schema, type;
    if (tn_json_schema_check(a->input_schema, strlen(a->input_schema), &schema, &err))
      fail_msg("%s", err.message);
    assert_true(tn_json_text_get(schema, "type", 4, &type));
    assert_true(tn_json_text_is(type, "object", 6));
    if (i) assert_true(strcmp(all.items[i - 1].name, a->name) < 0);
    if (strcmp(a->name, c->kind->action) == 0) found = true;
  }
  assert_true(found);
  all.release(&all);
  tn_session_release(s);
}

static void one_action_is_listed_by_its_name(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_actions_list one = {.struct_size = sizeof one, .name = c->kind->action};
  const tenon_actions_list none = {.struct_size = sizeof none, .name = "contract_no_such_action"};
  tenon_actions found = {0};
  tenon_error err = TENON_ERROR_INIT;
  if (tn_actions_list(NULL, s, &one, &found, &err)) fail_msg("%s", err.message);
  assert_int_equal(found.count, 1);
  assert_string_equal(found.items[0].name, c->kind->action);
  found.release(&found);
  assert_int_equal(tn_actions_list(NULL, s, &none, &found, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_session_release(s);
}

static void a_call_answers_json(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_action_result r = {0};
  tenon_error err = TENON_ERROR_INIT;
  tn_json_text output, member;
  if (call(s, c->kind->action, c->kind->action_input, &r, &err)) fail_msg("%s", err.message);
  assert_int_equal(tn_json_text_check(r.output, r.output_size, &output, &err), TENON_OK);
  assert_int_equal(strlen(r.output), r.output_size);
  if (!tn_json_text_find(output, c->kind->action_member, &member))
    fail_msg("no %s in %s", c->kind->action_member, r.output);
  r.release(&r);
  tn_session_release(s);
}

static void what_the_schema_refuses_is_not_done(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const char *const bad[] = {c->kind->action_bad_input,
                             "{\"contract_no_such_member\": 1}",
                             "[]",
                             "\"text\"",
                             "{\"a\":1,\"a\":2}",
                             "{\"a\"",
                             "",
                             "{\"a\": \"\xFF\"}"};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    tenon_action_result r = {.output = "untouched"};
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(call(s, c->kind->action, bad[i], &r, &err), TENON_CONFIG);
    expect_error(c->kind, &err, TENON_CONFIG);
    assert_true(err.remedy[0]);
    assert_string_equal(r.output, "untouched");
    if (i == 0 && !strstr(err.message, c->kind->action_bad_place))
      fail_msg("%s is not in: %s", c->kind->action_bad_place, err.message);
  }
  tn_session_release(s);
}

static void an_action_that_is_not_there_is_not_found(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_action_result r;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(call(s, "contract_no_such_action", "{}", &r, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_error_init(&err);
  assert_int_equal(call(s, NULL, "{}", &r, &err), TENON_CONFIG);
  expect_error(c->kind, &err, TENON_CONFIG);
  tn_session_release(s);
}

static void an_ended_context_ends_calls_of_actions(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_action_call req = {.struct_size = sizeof req,
                                 .action = c->kind->action,
                                 .input = c->kind->action_input,
                                 .input_size = strlen(c->kind->action_input)};
  tenon_action_result r;
  tenon_ctx *ctx;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  tenon_ctx_cancel(ctx);
  assert_int_equal(tn_actions_call(ctx, s, &req, &r, &err), TENON_CANCELLED);
  expect_error(c->kind, &err, TENON_CANCELLED);
  tenon_ctx_free(ctx);
  tn_session_release(s);
}

const contract_check contract_action_checks[] = {
    {"listed actions have sound schemas", "actions.list", listed_actions_have_sound_schemas, NULL},
    {"one action is listed by its name", "actions.list", one_action_is_listed_by_its_name, NULL},
    {"a call answers JSON", "actions.call", a_call_answers_json, NULL},
    {"what the schema refuses is not done", "actions.call", what_the_schema_refuses_is_not_done,
     NULL},
    {"an action that is not there is not found", "actions.call",
     an_action_that_is_not_there_is_not_found, NULL},
    {"an ended context ends calls of actions", "actions.call",
     an_ended_context_ends_calls_of_actions, NULL},
    {0}};
