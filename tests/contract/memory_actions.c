/* SPDX-License-Identifier: Apache-2.0 */
/* The actions of the memory kind: one that is sound, and some that are not, for the tests of the core. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_text.h"
#include "contract/memory.h"

int memory_calls;

static const char any_object[] = "{\"type\": \"object\", \"additionalProperties\": false}";
static const char number_answer[] =
    "{\"type\": \"object\", \"required\": [\"n\"], \"properties\": {\"n\": {\"type\": \"integer\"}}}";

static const tenon_action actions[] = {
    {.struct_size = sizeof(tenon_action),
     .name = "fail_once",
     .flags = TENON_ACTION_IDEMPOTENT,
     .input_schema = any_object,
     .output_schema = number_answer},
    {.struct_size = sizeof(tenon_action),
     .name = "fail_unsafely",
     .input_schema = any_object,
     .output_schema = number_answer},
    {.struct_size = sizeof(tenon_action),
     .name = "greet",
     .title = "Greet",
     .description = "Says hello to somebody.",
     .flags = TENON_ACTION_READ_ONLY,
     .input_schema =
         "{\"type\": \"object\", \"required\": [\"name\"], \"additionalProperties\": false, \"properties\": "
         "{\"name\": {\"type\": \"string\", \"minLength\": 1, \"maxLength\": 20}, \"times\": {\"type\": \"integer\", "
         "\"minimum\": 1, \"maximum\": 3, \"default\": 1}}}",
     .output_schema =
         "{\"type\": \"object\", \"required\": [\"greeting\"], \"properties\": {\"greeting\": {\"type\": \"string\"}}}"},
    {.struct_size = sizeof(tenon_action),
     .name = "lie",
     .input_schema = any_object,
     .output_schema = number_answer},
};

enum { ACTIONS = sizeof actions / sizeof *actions };

static void release_actions(tenon_actions *a) { *a = (tenon_actions){0}; }

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_actions_list *request,
                         tenon_actions *ret, tenon_error *err) {
  (void)ctx, (void)session;
  if (!request->name) {
    *ret = (tenon_actions){
        .struct_size = sizeof *ret, .items = actions, .count = ACTIONS, .release = release_actions};
    return TENON_OK;
  }
  for (size_t i = 0; i < ACTIONS; i++)
    if (strcmp(actions[i].name, request->name) == 0) {
      *ret = (tenon_actions){
          .struct_size = sizeof *ret, .items = &actions[i], .count = 1, .release = release_actions};
      return TENON_OK;
    }
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "see `tenon actions`",
                    "there is no action %s", request->name);
}

static void release_result(tenon_action_result *r) {
  free(r->self);
  *r = (tenon_action_result){0};
}

static tenon_status answer(char *text, tenon_action_result *ret) {
  *ret = (tenon_action_result){.struct_size = sizeof *ret,
                               .output = text,
                               .output_size = strlen(text),
                               .self = text,
                               .release = release_result};
  return TENON_OK;
}

static tenon_status greet(const tenon_action_call *request, tenon_action_result *ret) {
  tn_json_text input, name = {"\"\"", 2};
  tn_json_text_check(request->input, request->input_size, &input, NULL);
  tn_json_text_get(input, "name", 4, &name);
  char *text = malloc(name.size + 40);
  snprintf(text, name.size + 40, "{\"greeting\": \"hello, %.*s\"}", (int)name.size - 2,
           name.data + 1);
  return answer(text, ret);
}

static tenon_status call(tenon_ctx *ctx, void *session, const tenon_action_call *request,
                         tenon_action_result *ret, tenon_error *err) {
  (void)ctx, (void)session;
  memory_calls++;
  if (strcmp(request->action, "greet") == 0) return greet(request, ret);
  if (strncmp(request->action, "fail", 4) == 0 && memory_calls % 2) {
    tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY, "try again", "it is away for a moment");
    if (err) err->retryable = 1;
    return TENON_UNREACHABLE;
  }
  return answer(strdup(*request->action == 'l' ? "{\"n\": \"one\"}" : "{\"n\": 1}"), ret);
}

const tenon_actions_ops memory_actions = {
    .struct_size = sizeof memory_actions, .list = list, .call = call};
