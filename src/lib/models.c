/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of the facet `models`: the calling functions, with the target's model where a
 * request names none. */
#include "base/mem.h"
#include "lib/handle.h"

tenon_status tenon_list_models(tenon_ctx *ctx, tenon_session *s, const tenon_models_list *request,
                               struct ArrowArrayStream *ret, tenon_error *err) {
  return tn_models_list(tn_lib_ctx(s->owner, ctx), s->session, request, ret, err);
}

tenon_status tenon_start_chat(tenon_ctx *ctx, tenon_session *s, const tenon_chat *request,
                              tenon_events *ret, tenon_error *err) {
  tenon_chat own = *request;
  if (!own.model) own.model = s->whole;
  return tn_models_chat(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_embed_texts(tenon_ctx *ctx, tenon_session *s, const tenon_embed *request,
                               tenon_embeddings *ret, tenon_error *err) {
  tenon_embed own = *request;
  if (!own.model) own.model = s->whole;
  return tn_models_embed(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

void tenon_embeddings_release(tenon_embeddings *e) {
  tn_free(e->vectors);
  e->vectors = NULL;
  e->count = 0;
}
