/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server sends each 8 KiB as soon as it has them, and each time wakes a reader that waits. So
 * we nap before reading: fewer and larger reads, and the processor is left to the server. How long
 * is learnt from what naps bring: about half of what a socket holds, so that the server is never
 * kept waiting. Where naps are not worth their while (a fast server, a slow reader) they vanish.
 */
#include "providers/sql/postgresql/wire.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum {
  FIRST_CAPACITY = 256 * 1024,
  TLS_BUFFER = 128 * 1024,
  /* What a nap is to bring, and what may have been all that the socket holds, so that we read on at
   * once. A unix socket holds about 200 KiB of the server's, TCP more than our buffer. */
  UNIX_WANTED = 128 * 1024, UNIX_FULL = 160 * 1024,
  TCP_WANTED = 208 * 1024, TCP_FULL = 240 * 1024,
  NAP_AFTER = 256 * 1024,        /* the first rows come without delay */
  MIN_NAP_US = 15, FIRST_NAP_US = 100, MAX_NAP_US = 600,
  SMALL_READS = 32               /* in a row without a nap: try one again */
};

static tenon_status lost(tn_pg_wire *w, const char *why, tenon_error *err) {
  w->session->broken = true;
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY,
                    "try again; if it stays, look at the server's log and at what is in between",
                    "the connection to %s was lost: %s", w->session->where, why);
}

/* OpenSSL asks the kernel twice for each record, unless it may take what lies behind one, too.
 * libpq waits at the socket alone: what OpenSSL took for nobody would keep it waiting. */
static void read_ahead(tn_pg_wire *w, bool on) {
  tn_ssl.SSL_free_buffers(
      w->tls); /* fails, and changes nothing, while there is something in them */
  tn_ssl.SSL_set_default_read_buffer_len(w->tls, on ? TLS_BUFFER : 0);
  tn_ssl.SSL_set_read_ahead(w->tls, on);
  if (!on && tn_ssl.SSL_has_pending(w->tls)) w->session->broken = true;
}

tenon_status tn_pg_wire_init(tn_pg_wire *w, tenon_ctx *ctx, tn_pg_session *s, size_t max,
                             tenon_error *err) {
  *w = (tn_pg_wire){.ctx = ctx, .session = s, .max = max, .nap_us = FIRST_NAP_US};
  w->fd = tn_pq.PQsocket(s->conn);
  w->tls = tn_pq.PQgetssl(s->conn);
  if (w->fd < 0) return lost(w, "it is closed", err);
  int domain = AF_UNSPEC;
  socklen_t room = sizeof domain;
  bool local = getsockopt(w->fd, SOL_SOCKET, SO_DOMAIN, &domain, &room) == 0 && domain == AF_UNIX;
  w->wanted = local ? UNIX_WANTED : TCP_WANTED;
  w->full = local ? UNIX_FULL : TCP_FULL;
  if (w->tls) {
    tenon_status status = tn_ssl_open(err);
    if (status) return status;
    read_ahead(w, true);
  }
  w->data = tn_resize(NULL, FIRST_CAPACITY + TN_PG_BEHIND);
  if (!w->data)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                      "out of memory");
  memset(w->data + FIRST_CAPACITY, 0, TN_PG_BEHIND);
  w->capacity = FIRST_CAPACITY;
  return TENON_OK;
}

void tn_pg_wire_release(tn_pg_wire *w) {
  if (w->tls && w->data) read_ahead(w, false);
  tn_free(w->data);
  w->data = NULL;
}

/* ---- One read or write: bytes, 0 for "would wait" (*events says for what), -1 for the end ---- */

static ssize_t tls_result(tn_pg_wire *w, int n, short *events) {
  if (n > 0) return n;
  int want = tn_ssl.SSL_get_error(w->tls, n);
  *events = want == TN_SSL_WANT_WRITE ? POLLOUT : POLLIN;
  return want == TN_SSL_WANT_READ || want == TN_SSL_WANT_WRITE ? 0 : -1;
}

/* A record at a time is what OpenSSL gives: go on until there is no more, or no more room. */
static ssize_t read_tls(tn_pg_wire *w, uint8_t *to, size_t room, short *events) {
  size_t total = 0;
  while (total < room) {
    tn_ssl.ERR_clear_error();
    size_t ask = room - total;
    ssize_t n = tls_result(
        w, tn_ssl.SSL_read(w->tls, to + total, ask > INT32_MAX ? INT32_MAX : (int)ask), events);
    if (n < 0 && total == 0) return -1;
    if (n <= 0) break;
    total += (size_t)n;
  }
  return (ssize_t)total;
}

static ssize_t read_some(tn_pg_wire *w, uint8_t *to, size_t room, short *events) {
  *events = POLLIN;
  if (w->tls) return read_tls(w, to, room, events);
  for (;;) {
    ssize_t n = recv(w->fd, to, room, 0);
    if (n > 0) return n;
    if (n == 0) return -1;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
}

static ssize_t write_some(tn_pg_wire *w, const uint8_t *from, size_t size, short *events) {
  *events = POLLOUT;
  if (w->tls)
    return tls_result(w, tn_ssl.SSL_write(w->tls, from, size > INT32_MAX ? INT32_MAX : (int)size),
                      events);
  for (;;) {
    ssize_t n = send(w->fd, from, size, MSG_NOSIGNAL);
    if (n > 0) return n;
    if (errno == EAGAIN || errno == EWOULDBLOCK) return 0;
    if (errno != EINTR) return -1;
  }
}

/* ---- Waiting ---- */

/* *ret_ready false: wait_ms passed. */
static tenon_status wait_for(tn_pg_wire *w, short events, int wait_ms, bool *ret_ready,
                             tenon_error *err) {
  struct pollfd fd = {.fd = w->fd, .events = events};
  tenon_error own = TENON_ERROR_INIT;
  tenon_status status = tn_pg_host->wait(w->ctx, &fd, 1, wait_ms, &own);
  *ret_ready = fd.revents != 0;
  return status ? tn_pg_waited_in_vain(w->session, &own, err) : TENON_OK;
}

tenon_status tn_pg_wire_send(tn_pg_wire *w, const void *data, size_t size, tenon_error *err) {
  const uint8_t *from = data;
  while (size > 0) {
    short events;
    bool ready;
    ssize_t n = write_some(w, from, size, &events);
    if (n < 0) return lost(w, "it was closed while sending", err);
    from += n;
    size -= (size_t)n;
    tenon_status status = n ? TENON_OK : wait_for(w, events, -1, &ready, err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- Napping ---- */

static void nap(tn_pg_wire *w) {
  struct timespec t = {.tv_nsec = w->nap_us * 1000L};
  nanosleep(&t, NULL);
}

/* A read gave n bytes. What a nap brings is about proportional to it; steps are small enough not to
 * swing. */
static void adapt(tn_pg_wire *w, size_t n, bool napped) {
  int64_t now = w->nap_us, aim = n ? now * w->wanted / (int64_t)n : 2 * now;
  if (napped) {
    aim = aim < now / 2 ? now / 2 : aim > now + now / 4 + 1 ? now + now / 4 + 1 : aim;
    if (aim < MIN_NAP_US && (int64_t)n < w->full) aim = MIN_NAP_US;
    w->nap_us = (int)(aim > MAX_NAP_US ? MAX_NAP_US : aim);
    w->small_reads = 0;
  } else if ((int64_t)n >= w->wanted / 2) {
    w->small_reads = 0;
  } else if (++w->small_reads >= SMALL_READS && w->nap_us < MIN_NAP_US) {
    w->nap_us = MIN_NAP_US;
  }
  w->nap_next = w->nap_us >= MIN_NAP_US && (int64_t)n < w->full && w->received > NAP_AFTER;
}

/* ---- Filling ---- */

tenon_status tn_pg_wire_too_long(tn_pg_wire *w, size_t size, tenon_error *err) {
  bool first = err && err->code == TENON_OK;
  tn_pg_abandon(w->session);
  tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA,
             "raise max_row_bytes (at most 1G), or leave wide columns out",
             "a row has %zu bytes, and at most %zu are taken", size, w->max);
  if (first) err->retryable = 0;   /* the row stays as it is */
  return TENON_LIMITED;
}

/* What is there moves to the front; a message longer than the buffer makes it grow. */
static tenon_status make_room(tn_pg_wire *w, size_t need, tenon_error *err) {
  size_t left = tn_pg_wire_left(w);
  if (need > w->max + TN_PG_AROUND_ROW) return tn_pg_wire_too_long(w, need - TN_PG_AROUND_ROW, err);
  if (w->start > 0) {
    memmove(w->data, w->data + w->start, left);
    w->start = 0;
    w->end = left;
  }
  /* back to the usual size once a long row is through */
  bool shrink = w->capacity > FIRST_CAPACITY && need <= FIRST_CAPACITY && left <= FIRST_CAPACITY;
  if (need <= w->capacity && !shrink) return TENON_OK;
  size_t capacity = shrink ? FIRST_CAPACITY : need + need / 4;
  uint8_t *data = tn_resize(w->data, capacity + TN_PG_BEHIND);
  if (!data)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA,
                      "give the process more memory, or leave wide columns out",
                      "out of memory for a row of %zu bytes", need);
  memset(data + capacity, 0, TN_PG_BEHIND);
  w->data = data;
  w->capacity = capacity;
  return TENON_OK;
}

tenon_status tn_pg_wire_fill(tn_pg_wire *w, size_t need, int wait_ms, tenon_error *err) {
  if (tn_pg_wire_left(w) >= need) return TENON_OK;
  tenon_status status = make_room(w, need, err);
  while (!status && tn_pg_wire_left(w) < need) {
    short events;
    bool ready = true, napped = w->nap_next;
    if (napped) nap(w);
    ssize_t n = read_some(w, w->data + w->end, w->capacity - w->end, &events);
    if (n < 0) return lost(w, "the server closed it in the middle", err);
    w->end += (size_t)n;
    w->received += (uint64_t)n;
    adapt(w, (size_t)n, napped);
    if (n > 0) continue;
    w->nap_next = false;
    status = wait_for(w, events, wait_ms, &ready, err);
    if (!ready) break;
  }
  return status;
}
