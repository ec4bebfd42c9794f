/* SPDX-License-Identifier: Apache-2.0 */
/* The Arrow IPC stream, written to a file or a pipe. */
#include "arrow/build.h"
#include "arrow/ipc.h"
#include "base/error.h"
#include "base/mem.h"
#include "formats/format.h"
#include "formats/sink.h"

typedef struct tn_arrow_writer {
  tn_ipc_writer *ipc;
  tn_sink sink;
} tn_arrow_writer;

static tenon_status put(void *self, const void *data, size_t size, tenon_error *err) { return tn_sink_put(self, data, size, err); }

static tenon_status arrow_write(void *self, struct ArrowArray *batch, tenon_error *err) {
  tn_arrow_writer *w = self;
  tenon_status status = tn_ipc_write(w->ipc, batch, err);
  if (!status) status = tn_sink_flush(&w->sink, err);   /* its reader goes on with whole batches */
  tn_array_release(batch);
  return status;
}

static tenon_status arrow_finish(void *self, int64_t *ret_bytes, tenon_error *err) {
  tn_arrow_writer *w = self;
  tenon_status status = tn_ipc_finish(w->ipc, err);
  if (!status) status = tn_sink_flush(&w->sink, err);
  if (!status && ret_bytes) *ret_bytes = w->sink.bytes;
  return status;
}

static void arrow_free(void *self) {
  tn_arrow_writer *w = self;
  tn_ipc_writer_free(w->ipc);
  tn_sink_release(&w->sink);
  tn_free(w);
}

static tenon_status arrow_writer(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema, const tn_format_options *options,
                                 tn_writer *ret, tenon_error *err) {
  (void)options;
  tn_arrow_writer *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  tenon_status status = tn_sink_init(&w->sink, ctx, fd, err);
  tn_ipc_sink sink = {.self = &w->sink, .write = put};
  if (!status) status = tn_ipc_writer_new(schema, &sink, &w->ipc, err);
  if (status) {
    arrow_free(w);
    return status;
  }
  *ret = (tn_writer){.self = w, .write = arrow_write, .finish = arrow_finish, .free = arrow_free};
  return TENON_OK;
}

static const char *const extensions[] = {".arrows", ".arrow", NULL};

const tn_format tn_format_arrow = {
    .name = "arrow",
    .extensions = extensions,
    .writer = arrow_writer,
};
