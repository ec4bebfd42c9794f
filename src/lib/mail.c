/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of the facet `mail`. */
#include "lib/handle.h"

tenon_status tenon_send_mail(tenon_ctx *ctx, tenon_session *s, const tenon_send *request,
                             tenon_sent *ret, tenon_error *err) {
  return tn_mail_send(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}
