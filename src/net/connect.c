/* SPDX-License-Identifier: Apache-2.0 */
#include "net/connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "base/error.h"

static struct sockaddr_storage sockaddr_of(const tenon_address *a) {
  struct sockaddr_storage s = {0};
  memcpy(&s, a->sa.bytes, a->sa_size < sizeof s ? a->sa_size : sizeof s);
  return s;
}

static int port_of(const struct sockaddr_storage *s) {
  if (s->ss_family == AF_INET) return ntohs(((const struct sockaddr_in *)s)->sin_port);
  if (s->ss_family == AF_INET6) return ntohs(((const struct sockaddr_in6 *)s)->sin6_port);
  return 0;
}

/* 127.0.0.1:5432, [::1]:5432, /run/postgresql/.s.PGSQL.5432 */
static void spell(const tenon_address *a, char *text, size_t room) {
  struct sockaddr_storage s = sockaddr_of(a);
  if (s.ss_family == AF_INET6) snprintf(text, room, "[%s]:%d", a->text, port_of(&s));
  else if (s.ss_family == AF_INET) snprintf(text, room, "%s:%d", a->text, port_of(&s));
  else snprintf(text, room, "%s", a->text);
}

static const char *remedy_of(int errnum) {
  switch (errnum) {
    case ECONNREFUSED:
      return "check that the server runs and listens there, and that the port is right";
    case ENOENT: return "check that the server runs, and the path of its socket";
    case EHOSTUNREACH: case ENETUNREACH: case EADDRNOTAVAIL:
      return "check the address, and the network on the way to it";
    case ECONNRESET: return "try again; if it stays, look at the server's log and at firewalls on the way";
    case EACCES: case EPERM: return "get the permission to use this socket, or check the firewall";
    default: return NULL;
  }
}

static tenon_status failed(const tenon_address *a, int errnum, tenon_error *err) {
  char where[160];
  spell(a, where, sizeof where);
  if (errnum == ENOENT)
    return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_TCP, remedy_of(errnum),
                      "there is no socket %s", where);
  return tn_fail_errno(err, errnum, TENON_STAGE_TCP, remedy_of(errnum), "connecting to %s", where);
}

static tenon_status too_late(const tenon_address *a, tenon_error *err) {
  char where[160];
  spell(a, where, sizeof where);
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TCP,
                    "check the address and the port; a firewall may drop what is sent there",
                    "%s does not answer", where);
}

static void tune(int fd, int family) {
  const int on = 1;
  if (family == AF_UNIX) return;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
}

/* One wait, within `until`; its own time-out is told from the context's by *ret_over. */
static tenon_status wait_until(tenon_ctx *ctx, struct pollfd *fds, size_t n, int64_t until,
                               int slice_ms, bool *ret_over,
                               tenon_error *err) {
  int64_t left = until == INT64_MAX ? INT64_MAX : until - tn_now_ms();
  *ret_over = left <= 0;
  if (left <= 0) return TENON_OK;
  if (slice_ms >= 0 && slice_ms < left) left = slice_ms;
  return tn_ctx_wait(ctx, fds, n, left > INT32_MAX ? -1 : (int)left, err);
}

/* A unix socket whose server has a full queue does not say when there is room: it is asked again. */
static tenon_status start(tenon_ctx *ctx, int fd, const tenon_address *a, int64_t until,
                          bool *ret_pending, bool *ret_over,
                          tenon_error *err) {
  struct sockaddr_storage s = sockaddr_of(a);
  for (;;) {
    if (connect(fd, (const struct sockaddr *)&s, a->sa_size) == 0) return TENON_OK;
    if (errno == EINPROGRESS) {
      *ret_pending = true;
      return TENON_OK;
    }
    if (errno == EINTR) continue;
    if (errno != EAGAIN) return failed(a, errno, err);
    tenon_status status = wait_until(ctx, NULL, 0, until, 10, ret_over, err);
    if (status || *ret_over) return status;
  }
}

static tenon_status finish(tenon_ctx *ctx, int fd, const tenon_address *a, int64_t until,
                           bool *ret_over, tenon_error *err) {
  struct pollfd writable = {.fd = fd, .events = POLLOUT};
  while (!writable.revents) {
    tenon_status status = wait_until(ctx, &writable, 1, until, -1, ret_over, err);
    if (status || *ret_over) return status;
  }
  int errnum = 0;
  socklen_t size = sizeof errnum;
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &errnum, &size) < 0) errnum = errno;
  return errnum ? failed(a, errnum, err) : TENON_OK;
}

tenon_status tn_connect(tenon_ctx *ctx, const tenon_address *a, int timeout_ms, int *ret_fd,
                        tenon_error *err) {
  struct sockaddr_storage s = sockaddr_of(a);
  int64_t until = timeout_ms < 0 ? INT64_MAX : tn_now_ms() + timeout_ms;
  bool pending = false, over = false;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_egress_check(ctx, a, err);
  if (!status) status = tn_ctx_check(ctx, err);
  if (status) return status;
  int fd = socket(s.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_TCP, NULL, "socket");
  tune(fd, s.ss_family);
  status = start(ctx, fd, a, until, &pending, &over, &why);
  if (!status && pending && !over) status = finish(ctx, fd, a, until, &over, &why);
  if (over || status == TENON_TIMEOUT) {
    status = too_late(a, err);
  } else if (status && err && !err->code) {
    *err = why;
  }
  if (status) close(fd);
  else *ret_fd = fd;
  return status;
}
