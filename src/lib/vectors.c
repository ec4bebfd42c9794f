/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of the facet `vectors`: the calling functions, with the target's collection
 * where a request names none. */
#include "lib/handle.h"

static const char *name_of(const tenon_session *s, const char *given) {
  return given ? given : s->whole;
}

tenon_status tenon_create_collection(tenon_ctx *ctx, tenon_session *s,
                                     const tenon_vectors_create *request, tenon_collection *ret,
                                     tenon_error *err) {
  tenon_vectors_create own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_create(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_list_collections(tenon_ctx *ctx, tenon_session *s,
                                    const tenon_vectors_list *request,
                                    struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_vectors_list own = {.struct_size = sizeof own};
  if (request) own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_list(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_drop_collection(tenon_ctx *ctx, tenon_session *s,
                                   const tenon_vectors_drop *request, tenon_collection *ret,
                                   tenon_error *err) {
  tenon_vectors_drop own = {.struct_size = sizeof own};
  if (request) own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_drop(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_upsert_vectors(tenon_ctx *ctx, tenon_session *s,
                                  const tenon_vectors_upsert *request, tenon_vectors_upserted *ret,
                                  tenon_error *err) {
  tenon_vectors_upsert own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_upsert(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_get_vectors(tenon_ctx *ctx, tenon_session *s, const tenon_vectors_get *request,
                               struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_vectors_get own = request ? *request : (tenon_vectors_get)TENON_VECTORS_GET_INIT;
  own.collection = name_of(s, own.collection);
  return tn_vectors_get(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_query_vectors(tenon_ctx *ctx, tenon_session *s,
                                 const tenon_vectors_query *request, struct ArrowArrayStream *ret,
                                 tenon_error *err) {
  tenon_vectors_query own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_query(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_delete_vectors(tenon_ctx *ctx, tenon_session *s,
                                  const tenon_vectors_delete *request, tenon_vectors_deleted *ret,
                                  tenon_error *err) {
  tenon_vectors_delete own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_remove(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}

tenon_status tenon_count_vectors(tenon_ctx *ctx, tenon_session *s,
                                 const tenon_vectors_count *request, tenon_vectors_counted *ret,
                                 tenon_error *err) {
  tenon_vectors_count own = {.struct_size = sizeof own};
  if (request) own = *request;
  own.collection = name_of(s, own.collection);
  return tn_vectors_count(tn_lib_ctx(s->owner, ctx), s->session, &own, ret, err);
}
