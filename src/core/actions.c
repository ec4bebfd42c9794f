/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling functions of the facet `actions`. The input meets its schema before the kind sees it,
 * the output before the caller does; what is idempotent is called again after a failure that passes.
 */
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/json_schema.h"
#include "core/session_parts.h"

enum { MAX_NAME = 64, MAX_ACTIONS = 10000, DEFAULT_MS = 60000 };

/* ---- What a kind says of its actions ---- */

static tenon_status bad_action(const tn_session *s, const tenon_action *a, const char *why,
                               tenon_error *err) {
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, "mend the provider",
                    "kind %s: action %.64s: %s", s->connector->provider->kind,
                    a->name ? a->name : "(none)", why);
}

static bool is_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  size_t size = name ? strlen(name) : 0;
  return size > 0 && size <= MAX_NAME && strspn(name, letters) == size;
}

static tenon_status check_schema(const tn_session *s, const tenon_action *a, const char *schema,
                                 tenon_error *err) {
  tn_json_text root;
  tenon_error why = TENON_ERROR_INIT;
  if (!tn_json_schema_check(schema, strlen(schema), &root, &why)) return TENON_OK;
  return bad_action(s, a, why.message, err);
}

static tenon_status check_action(const tn_session *s, const tenon_action *a, const char *before,
                                 tenon_error *err) {
  if (!is_name(a->name)) return bad_action(s, a, "its name is not letters, digits, _ and -", err);
  if (before && strcmp(before, a->name) >= 0)
    return bad_action(s, a, "actions are not ordered by name", err);
  if (!a->input_schema) return bad_action(s, a, "it has no input schema", err);
  tenon_status status = check_schema(s, a, a->input_schema, err);
  return status || !a->output_schema ? status : check_schema(s, a, a->output_schema, err);
}

static tenon_status check_actions(const tn_session *s, const tenon_actions *all, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < all->count && !status; i++)
    status = check_action(s, &all->items[i], i ? all->items[i - 1].name : NULL, err);
  return status;
}

static void release_actions(tenon_actions *a) {
  if (a->release) a->release(a);
}

tenon_status tn_actions_list(tenon_ctx *ctx, tn_session *s, const tenon_actions_list *request,
                             tenon_actions *ret, tenon_error *err) {
  const tenon_actions_list all = {.struct_size = sizeof all};
  tenon_actions reply = {.struct_size = sizeof reply};
  const tn_call c = {
      .op = TN_OP_actions_list, .request = request ? request : &all, .reply = &reply};
  tenon_status status = tn_call_run(ctx, s, &c, NULL, err);
  if (status) return status;
  status = reply.count > MAX_ACTIONS
               ? bad_action(s, reply.items, "there are more than 10,000 actions", err)
               : check_actions(s, &reply, err);
  if (status) release_actions(&reply);
  else *ret = reply;
  return status;
}

/* ---- Calls ---- */

static void set_remedy(tenon_error *err, const char *remedy) {
  if (err && err->code && !*err->remedy) snprintf(err->remedy, sizeof err->remedy, "%s", remedy);
}

static tenon_status read_input(const tenon_action *a, const tenon_action_call *call,
                               tn_json_text *ret, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tn_json_text input;
  if (call->input_size > TN_JSON_MAX_SIZE)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "send less at once",
                      "the input of %s has more than %d bytes", a->name, TN_JSON_MAX_SIZE);
  tenon_status status = tn_json_text_check(call->input, call->input_size, &input, &why);
  if (!status && tn_json_text_type(input) != TN_JSON_OBJECT)
    status = tenon_fail(&why, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "it is %s, not an object",
                        tn_json_type_name(tn_json_text_type(input)));
  if (!status) status = tn_json_text_check_members(input, &why);
  if (status)
    return tenon_fail(err, status == TENON_LIMITED ? status : TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give a JSON object", "the input of %s: %s", a->name, why.message);
  *ret = input;
  return TENON_OK;
}

static tenon_status check_input(const tenon_action *a, const tenon_action_call *call,
                                tenon_error *err) {
  tn_json_text schema, input;
  tenon_status status = read_input(a, call, &input, err);
  if (!status)
    status = tn_json_schema_check(a->input_schema, strlen(a->input_schema), &schema, err);
  if (!status) status = tn_json_schema_validate(schema, input, TENON_CONFIG, "the input", err);
  if (status) set_remedy(err, "`tenon actions` shows what the action takes");
  return status;
}

static tenon_status check_output(const tenon_action *a, const tenon_action_result *r,
                                 tenon_error *err) {
  tn_json_text schema, output;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_json_text_check(r->output, r->output_size, &output, &why);
  if (!status && a->output_schema) {
    status = tn_json_schema_check(a->output_schema, strlen(a->output_schema), &schema, &why);
    if (!status) status = tn_json_schema_validate(schema, output, TENON_DATA, "the output", &why);
  }
  if (!status) return TENON_OK;
  if (a->flags & TENON_ACTION_READ_ONLY)
    return tenon_fail(err, why.code, TENON_STAGE_DATA,
                      "compare the output that is declared with what the system answers now",
                      "the answer of %s: %s", a->name, why.message);
  return tenon_fail(
      err, why.code, TENON_STAGE_DATA,
      "see what it did before calling it again; the system may have changed what it answers",
      "%s was done, but %s", a->name, why.message);
}

static void release_result(tenon_action_result *r) {
  if (r->release) r->release(r);
}

static tenon_status call_checked(tenon_ctx *ctx, tn_session *s, const tenon_action *a,
                                 const tenon_action_call *request, tenon_action_result *ret,
                                 tenon_error *err) {
  tenon_action_result reply = {.struct_size = sizeof reply};
  const tn_call c = {.op = TN_OP_actions_call,
                     .request = request,
                     .reply = &reply,
                     .repeatable = a->flags & (TENON_ACTION_IDEMPOTENT | TENON_ACTION_READ_ONLY)};
  tenon_status status = check_input(a, request, err);
  if (!status) status = tn_call_run(ctx, s, &c, NULL, err);
  if (status) return status;
  status = check_output(a, &reply, err);
  if (status) release_result(&reply);
  else *ret = reply;
  return status;
}

static tenon_status find_action(tenon_ctx *ctx, tn_session *s, const char *name, tenon_actions *ret,
                                tenon_error *err) {
  const tenon_actions_list one = {.struct_size = sizeof one, .name = name};
  if (!name || !*name)
    return tenon_fail(
        err, TENON_CONFIG, TENON_STAGE_CONFIG,
        "write TARGET:ACTION, or give it as the second word; `tenon actions` lists them",
        "no action is named");
  if (!is_name(name))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "`tenon actions` lists them",
                      "no action can have that name");
  tenon_status status = tn_actions_list(ctx, s, &one, ret, err);
  if (status || ret->count == 1) return status;
  release_actions(ret);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon actions` lists them",
                    "%s has no action %s", s->connector->name, name);
}

/* Nobody waits for ever for an answer to one request. */
static tenon_status bounded(tenon_ctx *ctx, tenon_ctx **ret, tenon_error *err) {
  bool has_deadline = ctx && tn_ctx_has_deadline(ctx);
  return tenon_ctx_new(ctx, has_deadline ? -1 : DEFAULT_MS, ret, err);
}

tenon_status tn_actions_call(tenon_ctx *ctx, tn_session *s, const tenon_action_call *request,
                             tenon_action_result *ret, tenon_error *err) {
  tenon_action_call own = *request;
  tenon_actions found;
  tenon_ctx *limited;
  if (!own.input) {
    own.input = "{}";
    own.input_size = 2;
  }
  tenon_status status = bounded(ctx, &limited, err);
  if (status) return status;
  status = find_action(limited, s, own.action, &found, err);
  if (!status) {
    status = call_checked(limited, s, &found.items[0], &own, ret, err);
    release_actions(&found);
  }
  tenon_ctx_free(limited);
  return status;
}
