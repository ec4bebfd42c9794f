/* SPDX-License-Identifier: Apache-2.0 */
/* The calling functions of the facet `objects`. */
#include "base/ctx.h"
#include "base/error.h"
#include "core/held.h"

static tenon_status call(tenon_ctx *ctx, tn_session *s, tn_op_id op, const void *request,
                         void *reply, tenon_error *err) {
  const tn_call c = {.op = op, .request = request, .reply = reply};
  return tn_call_run(ctx, s, &c, NULL, err);
}

tenon_status tn_objects_list(tenon_ctx *ctx, tn_session *s, const tenon_objects_list *request,
                             struct ArrowArrayStream *ret,
                             tenon_error *err) {
  static const tenon_objects_list all = {.struct_size = sizeof all};
  tenon_stream reply = {.struct_size = sizeof reply}, rows;
  tenon_ctx *own;
  tenon_status status =
      tn_held_open(ctx, s, TN_OP_objects_list, request ? request : &all, &reply, &reply, &rows,
                   &own, err);
  if (status) return status;
  status = tn_stream_export(own, &rows, NULL, NULL, ret, err);
  tenon_ctx_free(own);
  return status;
}

tenon_status tn_objects_stat(tenon_ctx *ctx, tn_session *s, const tenon_key_bytes *key,
                             tenon_object *ret, tenon_error *err) {
  tenon_object reply = {.struct_size = sizeof reply, .size = -1, .modified_us = INT64_MIN};
  tenon_status status = call(ctx, s, TN_OP_objects_stat, key, &reply, err);
  if (!status) *ret = reply;
  return status;
}

/* ---- get: its bytes hold the session as rows do ---- */

typedef struct body {
  tenon_bytes in;
  tn_session *session;
  tenon_ctx *ctx;
} body;

static tenon_status body_read(void *self, void *data, size_t size, size_t *ret_size,
                              tenon_error *err) {
  body *b = self;
  tenon_error why = TENON_ERROR_INIT;
  bool stalls = !tn_ctx_has_deadline(b->ctx);
  if (stalls) tn_ctx_stall_begin(b->ctx, TN_STALL_MS);
  tenon_status status = b->in.read(b->in.self, data, size, ret_size, &why);
  if (stalls) tn_ctx_stall_end(b->ctx);
  if (!status) return TENON_OK;
  tenon_fail(&why, status, TENON_STAGE_DATA, NULL, "%s: the bytes ended and nothing more was said",
             b->session->connector->name);
  tn_session_failed(b->session, &why);
  return tn_pass_error(&why, err);
}

static void body_close(void *self) {
  body *b = self;
  b->in.close(b->in.self);
  tn_session_unhold(b->session);
  tenon_ctx_free(b->ctx);
  tn_free(b);
}

tenon_status tn_objects_get(tenon_ctx *ctx, tn_session *s, const tenon_get *request, tenon_got *ret,
                            tenon_error *err) {
  tenon_got reply = {.struct_size = sizeof reply, .object = {.struct_size = sizeof reply.object,
                                                             .size = -1, .modified_us = INT64_MIN}};
  const tn_call c = {.op = TN_OP_objects_get, .request = request, .reply = &reply};
  body *b = tn_alloc(sizeof *b);
  if (!b) return tn_no_memory(err);
  tenon_status status = tn_call_run(ctx, s, &c, &b->ctx, err);
  if (status) {
    tn_free(b);
    return status;
  }
  b->in = reply.body;
  b->session = s;
  tn_session_hold(s);
  reply.body.self = b;
  reply.body.read = body_read;
  reply.body.close = body_close;
  *ret = reply;
  return TENON_OK;
}

/* ---- put: its bytes are closed once, whoever does it ---- */

typedef struct once {
  tenon_bytes in;
  bool is_closed;
} once;

static tenon_status once_read(void *self, void *data, size_t size, size_t *ret_size,
                              tenon_error *err) {
  const once *o = self;
  if (o->is_closed)
    return tenon_fail(err, TENON_GONE, TENON_STAGE_WRITE, NULL, "the bytes were closed already");
  return o->in.read(o->in.self, data, size, ret_size, err);
}

static void once_close(void *self) {
  once *o = self;
  if (!o->is_closed && o->in.close) o->in.close(o->in.self);
  o->is_closed = true;
}

tenon_status tn_objects_put(tenon_ctx *ctx, tn_session *s, const tenon_put *request,
                            tenon_object *ret, tenon_error *err) {
  tenon_object reply = {.struct_size = sizeof reply, .size = -1, .modified_us = INT64_MIN};
  once o = {.in = *request->body};
  tenon_bytes guarded = o.in;
  tenon_put own = *request;
  guarded.self = &o;
  guarded.read = once_read;
  guarded.close = once_close;
  own.body = &guarded;
  tenon_status status = call(ctx, s, TN_OP_objects_put, &own, &reply, err);
  once_close(&o);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_objects_copy(tenon_ctx *ctx, tn_session *s, const tenon_objects_copy *request,
                             tenon_object *ret, tenon_error *err) {
  tenon_object reply = {.struct_size = sizeof reply, .size = -1, .modified_us = INT64_MIN};
  tenon_status status = call(ctx, s, TN_OP_objects_copy, request, &reply, err);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_objects_remove(tenon_ctx *ctx, tn_session *s, const tenon_delete *request,
                               tenon_deleted *ret, tenon_error *err) {
  tenon_deleted reply = {.struct_size = sizeof reply};
  tenon_status status = call(ctx, s, TN_OP_objects_remove, request, &reply, err);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_objects_presign(tenon_ctx *ctx, tn_session *s, const tenon_presign *request,
                                tenon_presigned *ret, tenon_error *err) {
  tenon_presigned reply = {.struct_size = sizeof reply};
  tenon_status status = call(ctx, s, TN_OP_objects_presign, request, &reply, err);
  if (!status) *ret = reply;
  return status;
}
