/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/sink.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

enum {
  GATHERED = 64 << 10,
  AT_A_TIME = 4096   /* PIPE_BUF: what a pipe that is ready takes without blocking */
};

tenon_status tn_sink_init(tn_sink *ret, tenon_ctx *ctx, int fd, tenon_error *err) {
  struct stat info;
  if (fstat(fd, &info) != 0)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the file to be written");
  char *small = tn_alloc(GATHERED);
  if (!small) return tn_no_memory(err);
  *ret = (tn_sink){
      .ctx = tenon_ctx_ref(ctx), .fd = fd, .waits = !S_ISREG(info.st_mode), .small = small};
  return TENON_OK;
}

void tn_sink_release(tn_sink *s) {
  tenon_ctx_free(s->ctx);
  tn_free(s->small);
  *s = (tn_sink){.fd = -1};
}

/* As much as a pipe takes now, maybe nothing. Where the system has no such write, PIPE_BUF bytes once
 * the pipe is ready for them. */
static tenon_status write_some(tn_sink *s, const char *data, size_t size, size_t *ret_size,
                               tenon_error *err) {
  struct iovec piece = {.iov_base = (void *)(uintptr_t)data, .iov_len = size};
  ssize_t n = s->no_nowait ? -1 : pwritev2(s->fd, &piece, 1, -1, RWF_NOWAIT);
  *ret_size = n > 0 ? (size_t)n : 0;
  if (n >= 0) return TENON_OK;
  if (!s->no_nowait && (errno == EAGAIN || errno == EINTR)) return TENON_OK;
  if (!s->no_nowait && errno != EOPNOTSUPP && errno != ENOSYS && errno != EINVAL && errno != ESPIPE)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "writing");
  bool was_tried = s->no_nowait;
  s->no_nowait = true;
  if (!was_tried) return TENON_OK;
  *ret_size = size < AT_A_TIME ? size : AT_A_TIME;
  return tn_write_all(s->fd, data, *ret_size, err);
}

static tenon_status write_slowly(tn_sink *s, const char *data, size_t size, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t done = 0, n; !status && done < size; done += n) {
    struct pollfd ready = {.fd = s->fd, .events = POLLOUT};
    n = 0;
    status = tn_ctx_wait(s->ctx, &ready, 1, -1, err);
    if (!status) status = write_some(s, data + done, size - done, &n, err);
  }
  return status;
}

static tenon_status write_out(tn_sink *s, const void *data, size_t size, tenon_error *err) {
  tenon_status status = tn_ctx_check(s->ctx, err);
  if (status) return status;
  return s->waits ? write_slowly(s, data, size, err) : tn_write_all(s->fd, data, size, err);
}

tenon_status tn_sink_flush(tn_sink *s, tenon_error *err) {
  size_t size = s->gathered;
  s->gathered = 0;
  return size ? write_out(s, s->small, size, err) : TENON_OK;
}

tenon_status tn_sink_put(tn_sink *s, const void *data, size_t size, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (size > GATHERED - s->gathered) status = tn_sink_flush(s, err);
  if (status) return status;
  s->bytes += (int64_t)size;
  if (size >= GATHERED) return write_out(s, data, size, err);
  if (size) memcpy(s->small + s->gathered, data, size);
  s->gathered += size;
  return TENON_OK;
}
