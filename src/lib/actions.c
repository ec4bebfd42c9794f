/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of the facet `actions`: the calling functions, with the target's action where a request names none. */
#include "lib/handle.h"

tenon_status tenon_list_actions(tenon_ctx *ctx, tenon_session *s, const tenon_actions_list *request,
                                tenon_actions *ret, tenon_error *err) {
  tenon_actions_list own = {.struct_size = sizeof own};
  if (request) own = *request;
  if (!own.name) own.name = s->whole;
  return tn_actions_list(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_call_action(tenon_ctx *ctx, tenon_session *s, const tenon_action_call *request,
                               tenon_action_result *ret, tenon_error *err) {
  tenon_action_call own = *request;
  if (!own.action) own.action = s->whole;
  return tn_actions_call(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}
