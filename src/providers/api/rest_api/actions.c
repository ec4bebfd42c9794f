/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints as actions: one request a call, the reply as it is. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "providers/actions_kit.h"
#include "rest_api.h"

/* ---- list ---- */

enum { MAX_LIST = 256 << 20 };

static void release_list(tenon_actions *a) {
  tn_arena *arena = a->self;
  tn_arena_release(arena);
  tn_free(arena);
  *a = (tenon_actions){0};
}

static const char *copy(tn_arena *arena, const char *text, bool *ok) {
  const char *made = text ? tn_arena_strdup(arena, text) : NULL;
  *ok = *ok && (!text || made);
  return made;
}

static bool copy_action(tn_arena *arena, const tn_rest_endpoint *e, tenon_action *ret) {
  bool ok = true;
  uint32_t flags =
      (e->read_only ? TENON_ACTION_READ_ONLY : 0) | (e->idempotent ? TENON_ACTION_IDEMPOTENT : 0);
  *ret = (tenon_action){.struct_size = sizeof *ret,
                        .flags = flags,
                        .name = copy(arena, e->name, &ok),
                        .title = copy(arena, e->title, &ok),
                        .description = copy(arena, e->description, &ok),
                        .input_schema = copy(arena, e->input_schema, &ok),
                        .output_schema = copy(arena, e->output_schema, &ok)};
  return ok;
}

/* Texts are copied: what is listed may outlive its session. */
static tenon_status list(tenon_ctx *ctx, void *session, const tenon_actions_list *request,
                         tenon_actions *ret, tenon_error *err) {
  tn_rest *s = session;
  const tn_rest_endpoint *one = s->endpoints;
  tenon_status status = tn_rest_host->check(ctx, err);
  if (!status && request->name) status = tn_rest_find(s, request->name, &one, err);
  tn_arena *arena = status ? NULL : tn_alloc(sizeof *arena);
  if (!arena) return status ? status : tn_no_memory(err);
  tn_arena_init(arena, MAX_LIST);
  size_t count = request->name ? 1 : s->endpoint_count;
  tenon_action *items = tn_arena_alloc(arena, count * sizeof *items);
  tenon_actions all = {.struct_size = sizeof all,
                       .items = items,
                       .count = count,
                       .self = arena,
                       .release = release_list};
  bool ok = items != NULL;
  for (size_t i = 0; ok && i < count; i++) ok = copy_action(arena, &one[i], &items[i]);
  if (ok) *ret = all;
  else release_list(&all);
  return ok ? TENON_OK : tn_no_memory(err);
}

/* ---- call ---- */

static void release_result(tenon_action_result *r) {
  tn_free(r->self);
  *r = (tenon_action_result){0};
}

/* A reply without JSON in it is null, and one that is text a string. */
static tenon_status put_output(const tn_rest_endpoint *e, const tn_rest_reply *r, tn_str *out,
                               tenon_error *err) {
  size_t bad;
  if (!e->is_text) {
    const tn_json_text root = r->root.data ? r->root : (tn_json_text){"null", 4};
    return tn_str_add(out, root.data, root.size) ? TENON_OK : tn_no_memory(err);
  }
  if (!tn_utf8_valid(tn_str_text(&r->text), r->text.size, &bad))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "endpoint %s: the reply is not UTF-8", e->name);
  return tn_json_quote(out, tn_str_text(&r->text), r->text.size) ? TENON_OK : tn_no_memory(err);
}

static tenon_status give(const tn_rest *s, const tn_rest_endpoint *e, const tn_rest_reply *r,
                         tenon_action_result *ret, tenon_error *err) {
  tn_str out;
  tn_str_init(&out, 6 * (size_t)s->config->max_reply + 64);
  tenon_status status = put_output(e, r, &out, err);
  size_t size = out.size;
  char *text = status ? NULL : tn_str_move(&out);
  tn_str_release(&out);
  if (status || !text) return status ? status : tn_no_memory(err);
  *ret = (tenon_action_result){.struct_size = sizeof *ret,
                               .output = text,
                               .output_size = size,
                               .self = text,
                               .release = release_result};
  return TENON_OK;
}

/* The number of the first page, where the input does not say another. */
static tn_json_text first_page(const tn_rest_endpoint *e, char *text, size_t room) {
  bool is_number = e->paging.style == TN_REST_BY_PAGE || e->paging.style == TN_REST_BY_OFFSET;
  if (!is_number) return (tn_json_text){NULL, 0};
  int n = snprintf(text, room, "{\"%.64s\":%lld}", e->paging.variable, (long long)e->paging.start);
  return (tn_json_text){text, (size_t)n};
}

/* What was refused was not done, and what never arrived neither; of all else nobody knows. */
static bool may_be_done(const tn_rest_endpoint *e, bool sent, const tenon_error *why) {
  bool refused = why->vendor_code >= 300 && why->vendor_code < 500;
  return sent && !e->idempotent && !refused && why->stage != TENON_STAGE_AUTH &&
         why->stage != TENON_STAGE_PERMISSION;
}

static tenon_status fail_call(const tn_rest_endpoint *e, bool sent, const tenon_error *why,
                              tenon_error *err) {
  if (may_be_done(e, sent, why))
    return tn_action_failed(why, "it may have been done",
                            "see what the service did before you call it again", err);
  return tn_pass_error(why, err);
}

static tenon_status call(tenon_ctx *ctx, void *session, const tenon_action_call *request,
                         tenon_action_result *ret, tenon_error *err) {
  tn_rest *s = session;
  const tn_rest_endpoint *e;
  tn_json_text input;
  tn_rest_reply reply;
  char page[120];
  bool sent = false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_rest_find(s, request->action, &e, err);
  if (!status) status = tn_json_text_check(request->input, request->input_size, &input, err);
  if (status) return status;
  const tn_rest_scope scope = tn_rest_scope_of(s, e, input, first_page(e, page, sizeof page));
  if (tn_rest_send(ctx, s, e, &scope, NULL, &reply, &sent, &why))
    return fail_call(e, sent, &why, err);
  status = give(s, e, &reply, ret, &why);
  tn_rest_reply_release(&reply);
  return status ? fail_call(e, true, &why, err) : TENON_OK;
}

const tenon_actions_ops tn_rest_actions = {
    .struct_size = sizeof tn_rest_actions, .list = list, .call = call};
