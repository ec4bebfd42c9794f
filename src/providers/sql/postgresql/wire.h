/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The taken-over socket: PostgreSQL's messages straight from the kernel (or TLS) into one buffer,
 * where they are used in place.
 */
#ifndef TN_PG_WIRE_H
#define TN_PG_WIRE_H

#include "providers/sql/postgresql/session.h"

typedef struct tn_pg_wire {
  tenon_ctx *ctx;
  tn_pg_session *session;
  int fd;
  struct ssl_st *tls;
  uint8_t *data;             /* TN_PG_BEHIND more bytes may be read behind `capacity` */
  size_t start, end, capacity, max;
  int64_t wanted, full; /* bytes of a read: that a nap aims at, and that leave no time for one */
  int nap_us, small_reads;
  bool nap_next;
  uint64_t received;
} tn_pg_wire;

enum {
  TN_PG_BEHIND = 64,
  TN_PG_MESSAGE_HEADER = 5,
  TN_PG_AROUND_ROW = TN_PG_MESSAGE_HEADER + 19 /* its message's header, and that of all COPY data */
};

/* max: the longest row that is taken. */
tenon_status tn_pg_wire_init(tn_pg_wire *, tenon_ctx *, tn_pg_session *, size_t max,
                             tenon_error *err);
void tn_pg_wire_release(tn_pg_wire *);
tenon_status tn_pg_wire_send(tn_pg_wire *, const void *data, size_t size, tenon_error *err);
/* Reads until `need` bytes are there, or wait_ms passed: then it answers OK with fewer.
 * wait_ms < 0: as long as the context allows. */
tenon_status tn_pg_wire_fill(tn_pg_wire *, size_t need, int wait_ms, tenon_error *err);

/* Gives the connection up because of a row. */
tenon_status tn_pg_wire_too_long(tn_pg_wire *, size_t size, tenon_error *err);

static inline size_t tn_pg_wire_left(const tn_pg_wire *w) { return w->end - w->start; }
static inline const uint8_t *tn_pg_wire_at(const tn_pg_wire *w) { return w->data + w->start; }

#endif
