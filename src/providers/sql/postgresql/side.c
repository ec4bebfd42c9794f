/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sql/postgresql/side.h"

#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { TLS_REQUEST = 80877103, TLS_SET_SERVER_NAME = 55, MAX_DRAIN = 1 << 20 };

static bool wait_for(const tn_pg_side *s, short events) {
  for (;;) {
    int64_t left = s->until_ms - tn_now_ms();
    struct pollfd fd = {.fd = s->fd, .events = events};
    if (left <= 0) return false;
    if (s->ctx) return tn_pg_host->wait(s->ctx, &fd, 1, (int)left, NULL) == TENON_OK && fd.revents;
    int n = poll(&fd, 1, (int)left);
    if (n > 0) return true;
    if (n == 0 || errno != EINTR) return false;
  }
}

bool tn_pg_side_open(tn_pg_side *s, tenon_ctx *ctx, const struct sockaddr *to, socklen_t size,
                     int budget_ms) {
  *s = (tn_pg_side){.ctx = ctx, .until_ms = tn_now_ms() + budget_ms};
  s->fd = socket(to->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (s->fd < 0) return false;
  if (connect(s->fd, to, size) == 0) return true;
  if (errno != EINPROGRESS) return false;
  int failed = 0;
  socklen_t room = sizeof failed;
  return wait_for(s, POLLOUT) &&
         getsockopt(s->fd, SOL_SOCKET, SO_ERROR, &failed, &room) == 0 && failed == 0;
}

/* ---- Bytes on the socket ---- */

static size_t receive(tn_pg_side *s, char *data, size_t room) {
  for (;;) {
    ssize_t n = recv(s->fd, data, room, 0);
    if (n >= 0) return (size_t)n;
    if (errno == EINTR) continue;
    if (errno != EAGAIN || !wait_for(s, POLLIN)) return 0;
  }
}

static bool send_all(tn_pg_side *s, const char *data, size_t size) {
  while (size > 0) {
    ssize_t n = send(s->fd, data, size, MSG_NOSIGNAL);
    if (n > 0) {
      data += n;
      size -= (size_t)n;
    } else if (errno != EINTR && (errno != EAGAIN || !wait_for(s, POLLOUT))) {
      return false;
    }
  }
  return true;
}

/* ---- TLS over memory: OpenSSL's own writes to a socket could raise SIGPIPE ---- */

static bool send_records(tn_pg_side *s) {
  char data[4096];
  for (int n; (n = tn_ssl.BIO_read(s->out, data, sizeof data)) > 0;)
    if (!send_all(s, data, (size_t)n)) return false;
  return true;
}

/* After a call into OpenSSL: moves bytes as it wants; false: it failed, or there is no time. */
static bool pump(tn_pg_side *s, int result) {
  int want = tn_ssl.SSL_get_error(s->tls, result);
  if (!send_records(s) || (want != TN_SSL_WANT_READ && want != TN_SSL_WANT_WRITE)) return false;
  if (want == TN_SSL_WANT_WRITE) return true;
  char data[4096];
  size_t n = receive(s, data, sizeof data);
  return n > 0 && tn_ssl.BIO_write(s->in, data, (int)n) == (int)n;
}

static bool make_tls(tn_pg_side *s, const char *root_file, const char *name) {
  s->tls_ctx = tn_ssl.SSL_CTX_new(tn_ssl.TLS_client_method());
  if (!s->tls_ctx) return false;
  if (root_file) tn_ssl.SSL_CTX_load_verify_locations(s->tls_ctx, root_file, NULL);
  s->tls = tn_ssl.SSL_new(s->tls_ctx);
  s->in = tn_ssl.BIO_new(tn_ssl.BIO_s_mem());
  s->out = tn_ssl.BIO_new(tn_ssl.BIO_s_mem());
  if (!s->tls || !s->in || !s->out) {
    if (s->in) tn_ssl.BIO_free(s->in);
    if (s->out) tn_ssl.BIO_free(s->out);
    return false;
  }
  tn_ssl.SSL_set_bio(s->tls, s->in, s->out);
  char copy[256];
  if (name && strlen(name) < sizeof copy) {
    memcpy(copy, name, strlen(name) + 1);
    tn_ssl.SSL_ctrl(s->tls, TLS_SET_SERVER_NAME, 0, copy);
  }
  return true;
}

bool tn_pg_side_handshake(tn_pg_side *s, const char *root_file, const char *name) {
  if (tn_ssl_open(NULL) || !make_tls(s, root_file, name)) return false;
  tn_ssl.ERR_clear_error();
  for (int result; (result = tn_ssl.SSL_connect(s->tls)) <= 0;)
    if (!pump(s, result)) return false;
  return send_records(s);
}

/* ---- Either way ---- */

bool tn_pg_side_ask_tls(tn_pg_side *s) {
  uint32_t ask[2] = {htobe32(8), htobe32(TLS_REQUEST)};
  return tn_pg_side_write(s, ask, sizeof ask);
}

bool tn_pg_side_write(tn_pg_side *s, const void *data, size_t size) {
  if (!s->tls) return send_all(s, data, size);
  for (int result; (result = tn_ssl.SSL_write(s->tls, data, (int)size)) <= 0;)
    if (!pump(s, result)) return false;
  return send_records(s);
}

size_t tn_pg_side_read(tn_pg_side *s, char *data, size_t room) { return receive(s, data, room); }

void tn_pg_side_drain(tn_pg_side *s) {
  char data[1024];
  for (size_t total = 0, n; total < MAX_DRAIN && (n = receive(s, data, sizeof data)) > 0;)
    total += n;
}

void tn_pg_side_close(tn_pg_side *s) {
  if (s->tls) tn_ssl.SSL_free(s->tls);
  if (s->tls_ctx) tn_ssl.SSL_CTX_free(s->tls_ctx);
  if (s->fd >= 0) close(s->fd);
  *s = (tn_pg_side){.fd = -1};
}
