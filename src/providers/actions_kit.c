/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/actions_kit.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

static void tell_no_more(tenon_actions *a) { *a = (tenon_actions){0}; }

tenon_status tn_actions_tell(const tenon_action *items, size_t count, const tenon_actions_list *request, tenon_actions *ret,
                             tenon_error *err) {
  const tenon_action *first = items;
  if (request->name) {
    while (first < items + count && strcmp(first->name, request->name) != 0) first++;
    if (first == items + count)
      return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon actions` lists what there is",
                        "there is no action %s", request->name);
    count = 1;
  }
  *ret = (tenon_actions){.struct_size = sizeof *ret, .items = first, .count = count, .release = tell_no_more};
  return TENON_OK;
}

static void free_reply(tenon_action_result *r) {
  tn_free(r->self);
  *r = (tenon_action_result){0};
}

tenon_status tn_action_reply(tn_str *json, tenon_action_result *ret, tenon_error *err) {
  size_t size = json->size;
  char *text = tn_str_move(json);
  if (!text) {
    tn_str_release(json);
    return tn_no_memory(err);
  }
  *ret = (tenon_action_result){.struct_size = sizeof *ret, .output = text, .output_size = size, .self = text,
                               .release = free_reply};
  return TENON_OK;
}

static bool never_arrived(const tenon_error *why) {
  switch (why->stage) {
    case TENON_STAGE_CONFIG: case TENON_STAGE_DNS: case TENON_STAGE_TCP: case TENON_STAGE_TLS: return true;
    default: return false;
  }
}

tenon_status tn_action_failed(const tenon_error *why, const char *happened, const char *remedy, tenon_error *err) {
  if (never_arrived(why)) {
    if (err && !err->code) *err = *why;
    return why->code;
  }
  bool first = err && !err->code;
  tenon_fail(err, why->code, why->stage, remedy, "%s; %s", why->message, happened);
  if (first) {
    err->vendor_code = why->vendor_code;
    err->retryable = 0;
  }
  return why->code;
}

tn_json_text tn_action_member(tn_json_text input, const char *key) {
  tn_json_text value = {NULL, 0};
  if (!tn_json_text_get(input, key, strlen(key), &value) || tn_json_text_type(value) == TN_JSON_NULL)
    return (tn_json_text){NULL, 0};
  return value;
}

bool tn_action_text(tn_json_text input, const char *key, tn_str *ret) {
  tn_json_text value = tn_action_member(input, key);
  return !value.data || tn_json_text_unquote(value, ret);
}
