/* SPDX-License-Identifier: Apache-2.0 */
#include "core/stream.h"

#include <errno.h>
#include <string.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"

void tn_stream_close(tenon_stream *s) {
  if (!s->close) return;
  s->close(s->self);
  tn_schema_release(&s->schema);
  *s = (tenon_stream){0};
}

/* ---- Codes: the standard's streams can only say errno ---- */

static const struct { tenon_status status; int errnum; } codes[] = {
    {TENON_CANCELLED, ECANCELED}, {TENON_TIMEOUT, ETIMEDOUT},     {TENON_NOT_FOUND,
            ENOENT}, {TENON_FORBIDDEN, EACCES},
    {TENON_LIMITED, ENOMEM},      {TENON_UNSUPPORTED, ENOTSUP},   {TENON_DATA,
            EINVAL},      {TENON_CONFLICT, EEXIST},
    {TENON_UNREACHABLE, ENETUNREACH}, {TENON_IO, EIO},
};

static int errno_of(tenon_status status) {
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (codes[i].status == status) return codes[i].errnum;
  return EIO;
}

static tenon_status status_of(int errnum) {
  for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
    if (codes[i].errnum == errnum) return codes[i].status;
  return TENON_IO;
}

/* ---- Out ---- */

typedef struct exported {
  tenon_stream in;
  tenon_ctx *ctx;
  void (*done)(void *);
  void *arg;
  bool ended;
  tenon_error error;       /* of the call that failed: no further one is made then */
} exported;

static int answer_error(exported *e) { return errno_of(e->error.code); }

static int export_schema(struct ArrowArrayStream *stream, struct ArrowSchema *ret) {
  exported *e = stream->private_data;
  tenon_error why = TENON_ERROR_INIT;
  if (tn_schema_copy(&e->in.schema, ret, &why) == TENON_OK) return 0;
  e->error = why;
  return answer_error(e);
}

/* One batch with rows, or the end. */
static tenon_status next_batch(exported *e, struct ArrowArray *ret, tenon_error *err) {
  for (;;) {
    struct ArrowArray batch = {0};
    tenon_status status = e->in.next(e->in.self, &batch, err);
    if (status) return status;
    if (!batch.release || batch.length > 0) {
      *ret = batch;
      return TENON_OK;
    }
    batch.release(&batch);
    if (e->ctx && (status = tn_ctx_check(e->ctx, err))) return status;
  }
}

static int export_next(struct ArrowArrayStream *stream, struct ArrowArray *ret) {
  exported *e = stream->private_data;
  if (e->error.code) return answer_error(e);
  struct ArrowArray batch = {0};
  if (!e->ended) {
    bool stalls = e->ctx && !tn_ctx_has_deadline(e->ctx);
    if (stalls) tn_ctx_stall_begin(e->ctx, TN_STALL_MS);
    tenon_status status = next_batch(e, &batch, &e->error);
    if (stalls) tn_ctx_stall_end(e->ctx);
    if (status && !e->error.code)
      tenon_fail(&e->error, status, TENON_STAGE_DATA, NULL,
                 "the rows ended with %s and nothing more was said", tenon_status_name(status));
    if (e->error.code) return answer_error(e);
    e->ended = !batch.release;
  }
  *ret = batch;
  return 0;
}

static const char *export_last_error(struct ArrowArrayStream *stream) {
  const exported *e = stream->private_data;
  return e->error.code ? e->error.message : NULL;
}

static void finish(exported *e) {
  tn_stream_close(&e->in);
  if (e->done) e->done(e->arg);
  tenon_ctx_free(e->ctx);
  tn_free(e);
}

static void export_release(struct ArrowArrayStream *stream) {
  finish(stream->private_data);
  stream->private_data = NULL;
  stream->release = NULL;
}

tenon_status tn_stream_export(tenon_ctx *ctx, tenon_stream *in, void (*done)(void *), void *arg,
                              struct ArrowArrayStream *ret, tenon_error *err) {
  exported *e = tn_alloc(sizeof *e);
  if (!e) {
    tn_stream_close(in);
    if (done) done(arg);
    return tn_no_memory(err);
  }
  e->in = *in;
  *in = (tenon_stream){0};
  e->ctx = tenon_ctx_ref(ctx);
  e->done = done;
  e->arg = arg;
  tn_error_init(&e->error);
  *ret = (struct ArrowArrayStream){.get_schema = export_schema,
                                   .get_next = export_next,
                                   .get_last_error = export_last_error,
                                   .release = export_release,
                                   .private_data = e};
  return TENON_OK;
}

tenon_status tn_stream_error(struct ArrowArrayStream *stream, int code, tenon_error *err) {
  if (code == 0) return TENON_OK;
  if (stream->release == export_release) {
    const exported *e = stream->private_data;
    if (e->error.code) {
      if (err && !err->code) *err = e->error;
      return e->error.code;
    }
  }
  const char *says = stream->release && stream->get_last_error ? stream->get_last_error(stream)
      : NULL;
  char reason[128];
  return tenon_fail(err, status_of(code), TENON_STAGE_DATA, NULL, "%s",
                    says ? says : strerror_r(code, reason, sizeof reason));
}

/* ---- In ---- */

static tenon_status import_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  struct ArrowArrayStream *in = self;
  struct ArrowArray batch = {0};
  int code = in->get_next(in, &batch);
  if (code) return tn_stream_error(in, code, err);
  *ret = batch;
  return TENON_OK;
}

static void import_close(void *self) {
  struct ArrowArrayStream *in = self;
  if (in->release) in->release(in);
  tn_free(in);
}

tenon_status tn_stream_import(struct ArrowArrayStream *in, tenon_stream *ret, tenon_error *err) {
  tenon_stream s = {.struct_size = sizeof s, .next = import_next, .close = import_close};
  struct ArrowArrayStream *own = tn_alloc(sizeof *own);
  int code = own ? in->get_schema(in, &s.schema) : ENOMEM;
  if (code) {
    tenon_status status = own ? tn_stream_error(in, code, err) : tn_no_memory(err);
    if (in->release) in->release(in);
    tn_free(own);
    return status;
  }
  *own = *in;
  in->release = NULL;
  s.self = own;
  *ret = s;
  return TENON_OK;
}
