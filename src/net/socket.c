/* SPDX-License-Identifier: Apache-2.0 */
#include "net/socket.h"

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/tls.h"

struct tenon_socket {
  int fd;
  SSL *ssl; /* NULL: in the clear */
};

static tenon_status adopt(int fd, tenon_socket **ret, tenon_error *err) {
  tenon_socket *s = tn_alloc(sizeof *s);
  if (!s) {
    close(fd);
    return tn_no_memory(err);
  }
  s->fd = fd;
  *ret = s;
  return TENON_OK;
}

static tenon_status start_tls(tenon_ctx *ctx, tenon_socket *s, const char *host,
                              const tenon_tls_options *options, int timeout_ms, tenon_error *err) {
  if (s->ssl)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_TLS, NULL, "TLS was started already");
  return tn_tls_connect(ctx, s->fd, host, options, timeout_ms, &s->ssl, err);
}

static tenon_status lost(int errnum, tenon_error *err) {
  static const char remedy[] =
      "try again; if it stays, look at the server's log and at firewalls on the way";
  if (errnum)
    return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY, remedy,
                      "the connection was lost: %s", strerror(errnum));
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY, remedy,
                    "the connection was lost: it was cut without a word");
}

/* ---- One direction: *ret_events is what to wait for before it can go on, 0: it went on ---- */

static tenon_status clear_result(ssize_t n, short again, size_t *ret_moved, short *ret_events,
                                 tenon_error *err) {
  if (n >= 0) return *ret_moved = (size_t)n, TENON_OK;
  if (errno == EAGAIN || errno == EINTR) return *ret_events = again, TENON_OK;
  return lost(errno, err);
}

static tenon_status tls_result(SSL *ssl, int n, size_t *ret_moved, short *ret_events,
                               bool *ret_ended, tenon_error *err) {
  if (n > 0) return *ret_moved = (size_t)n, TENON_OK;
  int errnum = errno, what = tn_tls.SSL_get_error(ssl, n);
  switch (what) {
    case SSL_ERROR_WANT_READ: return *ret_events = POLLIN, TENON_OK;
    case SSL_ERROR_WANT_WRITE: return *ret_events = POLLOUT, TENON_OK;
    case SSL_ERROR_ZERO_RETURN: return *ret_ended = true, TENON_OK;
    default: break;
  }
  unsigned long code = tn_tls.ERR_get_error();
  tn_tls.ERR_clear_error();
  if (what == SSL_ERROR_SSL && code && ERR_GET_REASON(code) != SSL_R_UNEXPECTED_EOF_WHILE_READING)
    return tenon_fail(err, TENON_TLS, TENON_STAGE_TLS,
                      "look at the server's log, and at what stands on the way", "TLS failed: %s",
                      tn_tls.ERR_reason_error_string(code));
  return lost(what == SSL_ERROR_SYSCALL ? errnum : 0, err);
}

static int at_most(size_t size) { return size > INT_MAX ? INT_MAX : (int)size; }

static tenon_status send_some(tenon_socket *s, tenon_transfer *t, short *ret_events,
                              tenon_error *err) {
  bool ended = false;
  if (!s->ssl)
    return clear_result(send(s->fd, t->out, t->out_size, MSG_NOSIGNAL), POLLOUT, &t->sent,
                        ret_events, err);
  tn_tls.ERR_clear_error();
  errno = 0;
  int n = tn_tls.SSL_write(s->ssl, t->out, at_most(t->out_size));
  tenon_status status = tls_result(s->ssl, n, &t->sent, ret_events, &ended, err);
  return ended ? lost(0, err) : status;
}

static tenon_status receive_some(tenon_socket *s, tenon_transfer *t, short *ret_events,
                                 tenon_error *err) {
  if (!s->ssl) {
    ssize_t n = recv(s->fd, t->in, t->in_room, 0);
    t->ended = n == 0;
    return clear_result(n, POLLIN, &t->received, ret_events, err);
  }
  tn_tls.ERR_clear_error();
  errno = 0;
  int n = tn_tls.SSL_read(s->ssl, t->in, at_most(t->in_room));
  return tls_result(s->ssl, n, &t->received, ret_events, &t->ended, err);
}

/* ---- Both ---- */

/* A server that sends several short answers one by one waits for ours that the first has come (RFC 896);
 * a kernel that puts that off costs 40 ms each time. */
static void confirm_at_once(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_QUICKACK, &on,
             sizeof on); /* of no use on a unix socket, and no harm */
}

static tenon_status wait_until(tenon_ctx *ctx, int fd, short events, int64_t until, int timeout_ms,
                               tenon_error *err) {
  struct pollfd p = {.fd = fd, .events = events};
  if (events & POLLIN) confirm_at_once(fd);
  int64_t left = until == INT64_MAX ? -1 : until - tn_now_ms();
  if (left != 0 && (left > 0 || until == INT64_MAX)) {
    tenon_status status = tn_ctx_wait(ctx, &p, 1, (int)left, err);
    if (status || p.revents || until == INT64_MAX) return status;
  }
  tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_QUERY,
             "check that the server works; a slow one may need a longer timeout",
             "the server neither sent nor took anything for %d ms", timeout_ms);
  return TENON_TIMEOUT;
}

static tenon_status move(tenon_ctx *ctx, tenon_socket *s, tenon_transfer *t, int timeout_ms,
                         tenon_error *err) {
  int64_t until = timeout_ms < 0 ? INT64_MAX : tn_now_ms() + timeout_ms;
  t->sent = t->received = 0;
  t->ended = false;
  for (;;) {
    short out = 0, in = 0;
    tenon_status status = tn_ctx_check(ctx, err);
    if (!status && t->out_size) status = send_some(s, t, &out, err);
    if (!status && t->in_room) status = receive_some(s, t, &in, err);
    if (status || t->sent || t->received || t->ended || !(out | in)) return status;
    status = wait_until(ctx, s->fd, (short)(out | in), until, timeout_ms, err);
    if (status) return status;
  }
}

static int fd_of(const tenon_socket *s) { return s->fd; }

static const char *tls_version(const tenon_socket *s) {
  return s->ssl ? tn_tls.SSL_get_version(s->ssl) : NULL;
}

static void close_socket(tenon_socket *s, const void *last, size_t size) {
  tenon_transfer t = {.out = last, .out_size = size};
  short unused;
  if (!s) return;
  if (size) send_some(s, &t, &unused, NULL);
  tn_tls_free(s->ssl);
  close(s->fd);
  tn_free(s);
}

const tenon_socket_ops tn_socket_ops = {
    .struct_size = sizeof tn_socket_ops,
    .adopt = adopt,
    .start_tls = start_tls,
    .move = move,
    .fd = fd_of,
    .tls_version = tls_version,
    .close = close_socket,
};
