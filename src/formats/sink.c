/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sink.h"

#include <errno.h>
#include <poll.h>
#include <sys/stat.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"

enum { AT_A_TIME = 4096 };   /* PIPE_BUF: what a pipe that is ready takes without blocking */

tenon_status tn_sink_init(tn_sink *ret, tenon_ctx *ctx, int fd, tenon_error *err) {
  struct stat info;
  if (fstat(fd, &info) != 0)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the file to be written");
  *ret = (tn_sink){.ctx = tenon_ctx_ref(ctx), .fd = fd, .waits = !S_ISREG(info.st_mode)};
  return TENON_OK;
}

void tn_sink_release(tn_sink *s) {
  tenon_ctx_free(s->ctx);
  *s = (tn_sink){.fd = -1};
}

tenon_status tn_sink_put(tn_sink *s, const void *data, size_t size, tenon_error *err) {
  tenon_status status = tn_ctx_check(s->ctx, err);
  for (size_t done = 0; !status && done < size;) {
    size_t n = s->waits && size - done > AT_A_TIME ? AT_A_TIME : size - done;
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
    if (s->waits) status = tn_ctx_wait(s->ctx, &ready, 1, -1, err);
    if (!status) status = tn_write_all(s->fd, (const char *)data + done, n, err);
    done += n;
  }
  if (!status) s->bytes += (int64_t)size;
  return status;
}
