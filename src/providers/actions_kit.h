/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds with a few actions of their own share: telling of them, replies, and failures of what must not happen twice. */
#ifndef TN_PROVIDERS_ACTIONS_KIT_H
#define TN_PROVIDERS_ACTIONS_KIT_H

#include "base/json_text.h"
#include "tenon/provider.h"

/* The operation `list` of actions that are always the same; the items are borrowed for ever. */
tenon_status tn_actions_tell(const tenon_action *items, size_t count, const tenon_actions_list *, tenon_actions *ret,
                             tenon_error *);

/* Makes a reply of a JSON text, which is moved, also on failure. */
tenon_status tn_action_reply(tn_str *json, tenon_action_result *ret, tenon_error *);

/* Hands on why a request failed that was sent once. If it may have arrived all the same, the message says `happened`
 * ("the message may have been sent") and it is not to be tried again by itself. */
tenon_status tn_action_failed(const tenon_error *why, const char *happened, const char *remedy, tenon_error *);

/* The member of an input that met its schema; data NULL: there is none, or it is null. */
tn_json_text tn_action_member(tn_json_text input, const char *key);
/* Its text, unquoted; "" if there is none. False: no memory. */
bool tn_action_text(tn_json_text input, const char *key, tn_str *ret);

#endif
