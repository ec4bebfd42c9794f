/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of the facet `mail`. */
#include "base/error.h"
#include "base/str.h"
#include "lib/handle.h"

tenon_status tenon_send_mail(tenon_ctx *ctx, tenon_session *s, const tenon_send *request,
                             tenon_sent *ret, tenon_error *err) {
  return tn_mail_send(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_compose_mail(tenon *t, const char *target, const tenon_setting *settings,
                                size_t setting_count, const tenon_mail *mail, char **ret_text,
                                size_t *ret_size, tenon_error *err) {
  tn_target parsed;
  tn_connector *connector = NULL;
  tn_str text;
  tenon_status status = tn_target_parse(target, &parsed, err);
  if (status) return status;
  tn_str_init(&text, TENON_MAX_MAIL_SIZE);
  status = tn_lib_connector(t, &parsed, settings, setting_count, &connector, err);
  if (!status) status = tn_mail_compose(connector, mail, &text, err);
  if (!status) {
    *ret_size = text.size;
    *ret_text = tn_str_move(&text);
    if (!*ret_text) status = tn_no_memory(err);
  }
  tn_connector_free(connector);
  tn_str_release(&text);
  tn_target_release(&parsed);
  return status;
}
