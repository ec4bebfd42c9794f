/* SPDX-License-Identifier: Apache-2.0 */
/* Making a connection: where to, what went wrong, and the steps of a test. */
#ifndef TN_PG_CONNECT_H
#define TN_PG_CONNECT_H

#include <sys/socket.h>
#include <sys/un.h>

#include "providers/sql/postgresql/session.h"

enum { TN_PG_MAX_HOSTS = 32 };

/* One of the hosts that the configuration names. */
typedef struct tn_pg_endpoint {
  char host[256];       /* a name, an address, or the directory of a unix socket */
  uint16_t port;
  bool local;           /* a unix socket */
} tn_pg_endpoint;

/* Certificates and keys as files that libpq can open: nameless ones, gone with this struct. */
typedef struct tn_pg_files {
  int fds[3];
  char root[64], cert[64], key[64];
  bool system_root;     /* root is the system's store */
} tn_pg_files;

/* A connection being made to one address. */
typedef struct tn_pg_dial {
  tenon_ctx *ctx;
  const tn_pg_config *config;
  tenon_test *test;
  const tn_pg_endpoint *endpoint;
  const tenon_address *address;
  const tn_pg_files *files;
  const char *sslmode, *username, *database, *session_attrs;
  bool plain_options;   /* `options` is left out: a pooler in between refuses it */
  PGconn *conn;
  tenon_stage stage;    /* where it is now: tcp, tls, auth, permission */
  bool step_open;
  char where[160];
} tn_pg_dial;

/* ---- target.c ---- */

/* The hosts in the order in which they are tried. */
tenon_status tn_pg_endpoints(const tn_pg_config *, tn_pg_endpoint *ret, size_t *ret_count,
                             tenon_error *err);
tenon_status tn_pg_parse_url(const char *url,
                             tenon_status (*set)(void *arg, const char *key, const char *value,
                                                 tenon_error *err),
                             void *arg, tenon_error *err);
bool tn_pg_is_loopback(const tenon_address *);

/* ---- explain.c ---- */

/* Writes why the connection failed, at which stage, and the remedy. */
tenon_status tn_pg_explain(tn_pg_dial *, tenon_error *err);
/* The same for time that ran out at a stage. */
tenon_status tn_pg_explain_timeout(tn_pg_dial *, tenon_error *err);

/* ---- test.c ---- */

void tn_pg_step_begin(tn_pg_dial *, tenon_stage);
void tn_pg_step_end(tn_pg_dial *, tenon_outcome, const char *remedy, const char *evidence, ...)
    TENON_PRINTF(4, 5);
/* Ends the open step, or the one that the error belongs to, as failed. */
void tn_pg_step_failed(tn_pg_dial *, const tenon_error *);

#endif
