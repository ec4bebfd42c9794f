/* SPDX-License-Identifier: Apache-2.0 */
/* The Arrow IPC stream, written to a file or a pipe. */
#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "formats/format.h"

typedef struct tn_arrow_writer {
  tenon_ctx *ctx;
  tn_ipc_writer *ipc;
  int fd;
  bool waits;        /* a pipe or the like: its reader may be slow */
  int64_t bytes;
} tn_arrow_writer;

enum { AT_A_TIME = 4096 };   /* PIPE_BUF: what a pipe that is ready takes without blocking */

static tenon_status put(void *self, const void *data, size_t size, tenon_error *err) {
  tn_arrow_writer *w = self;
  tenon_status status = tn_ctx_check(w->ctx, err);
  for (size_t done = 0; !status && done < size;) {
    size_t n = w->waits && size - done > AT_A_TIME ? AT_A_TIME : size - done;
    struct pollfd ready = {.fd = w->fd, .events = POLLOUT};
    if (w->waits) status = tn_ctx_wait(w->ctx, &ready, 1, -1, err);
    if (!status) status = tn_write_all(w->fd, (const char *)data + done, n, err);
    done += n;
  }
  if (!status) w->bytes += (int64_t)size;
  return status;
}

static tenon_status arrow_write(void *self, struct ArrowArray *batch, tenon_error *err) {
  tn_arrow_writer *w = self;
  tenon_status status = tn_ipc_write(w->ipc, batch, err);
  tn_array_release(batch);
  return status;
}

static tenon_status arrow_finish(void *self, int64_t *ret_bytes, tenon_error *err) {
  tn_arrow_writer *w = self;
  tenon_status status = tn_ipc_finish(w->ipc, err);
  if (!status && ret_bytes) *ret_bytes = w->bytes;
  return status;
}

static void arrow_free(void *self) {
  tn_arrow_writer *w = self;
  tn_ipc_writer_free(w->ipc);
  tenon_ctx_free(w->ctx);
  tn_free(w);
}

static tenon_status arrow_writer(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema, const tn_format_options *options,
                                 tn_writer *ret, tenon_error *err) {
  (void)options;
  struct stat info;
  if (fstat(fd, &info) != 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the file to be written");
  tn_arrow_writer *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  w->ctx = tenon_ctx_ref(ctx);
  w->fd = fd;
  w->waits = !S_ISREG(info.st_mode);
  tn_ipc_sink sink = {.self = w, .write = put};
  tenon_status status = tn_ipc_writer_new(schema, &sink, &w->ipc, err);
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
