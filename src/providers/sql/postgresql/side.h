/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A side connection: our own, short-lived, to the address of a libpq connection. It cancels
 * statements, and finds out why a connection failed. It never logs in.
 */
#ifndef TN_PG_SIDE_H
#define TN_PG_SIDE_H

#include <sys/socket.h>

#include "providers/sql/postgresql/session.h"

typedef struct tn_pg_side {
  int fd;
  tenon_ctx *ctx;      /* NULL: only the time counts */
  int64_t until_ms;    /* everything ends then */
  struct ssl_ctx_st *tls_ctx;
  struct ssl_st *tls;
  struct bio_st *in, *out;   /* the tls object owns them */
} tn_pg_side;

/* Each answers false when it failed or time ran out. Close it either way. */
bool tn_pg_side_open(tn_pg_side *, tenon_ctx *, const struct sockaddr *, socklen_t size,
                     int budget_ms);
/* Reads at least one byte, at most `room`; 0: closed or no time left. */
size_t tn_pg_side_read(tn_pg_side *, char *data, size_t room);
bool tn_pg_side_write(tn_pg_side *, const void *data, size_t size);
/* Sends PostgreSQL's request for TLS. */
bool tn_pg_side_ask_tls(tn_pg_side *);
/* The handshake, which trusts everybody. root_file (may be NULL) is what the chain is checked
 * against, for SSL_get_verify_result; name (may be NULL) is the server name that is asked for. */
bool tn_pg_side_handshake(tn_pg_side *, const char *root_file, const char *name);
/* Waits for the other end to close. */
void tn_pg_side_drain(tn_pg_side *);
void tn_pg_side_close(tn_pg_side *);

#endif
