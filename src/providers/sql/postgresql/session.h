/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind's inside: its configuration, an open session, and talking to the server through libpq.
 */
#ifndef TN_PG_SESSION_H
#define TN_PG_SESSION_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "providers/sql/postgresql/library.h"

/* Filled by the core from the table of parameters in provider.c. */
typedef struct tn_pg_config {
  uint64_t set;
  tenon_strings host;
  int64_t port;
  const char *socket, *database, *username, *password, *schema;
  const char *sslmode;
  tenon_blob sslrootcert, sslcert, sslkey;
  const char *sslpassword, *channel_binding;
  const char *target_session_attrs;
  const char *application_name, *options, *timezone;
  int64_t connect_timeout_ms, statement_timeout_ms;
  int64_t pool_size, max_overflow, pool_recycle_ms;
  int64_t max_row_bytes;
} tn_pg_config;

/* How a cancel request is made: address and key of one connection. */
typedef struct tn_pg_cancel_key {
  bool known;
  uint32_t pid, secret;
} tn_pg_cancel_key;

typedef struct tn_pg_session {
  const tn_pg_config *config;
  PGconn *conn;
  char where[160];            /* db.example.com:5432, for messages */
  tn_pg_cancel_key key;
  bool utf8;                  /* of the server: order by bytes is order by bytes here too */
  bool streaming;             /* a stream has the socket */
  bool broken;                /* what the server will say next is unknown */
  bool in_transaction;        /* begun by us and not ended: ROLLBACK on the way back */
  bool ran_user_sql;          /* which may have left locks or settings: DISCARD ALL */
  int pending;                /* results of a reset that were sent for and not yet read */
} tn_pg_session;

/* ---- connect.c ---- */

/* Connects and logs in, step by step. test may be NULL; then nothing is recorded. */
tenon_status tn_pg_connect(tenon_ctx *, const tn_pg_config *, tenon_test *test,
                           tn_pg_session **ret, tenon_error *err);
void tn_pg_disconnect(tn_pg_session *);

/* ---- session.c ---- */

tenon_status tn_pg_open(tenon_ctx *, const tenon_provider *, const void *config, void **ret,
                        tenon_error *err);
tenon_status tn_pg_check(tenon_ctx *, void *session, tenon_error *err);
tenon_status tn_pg_reset(tenon_ctx *, void *session, tenon_error *err);
void tn_pg_close(void *session);
tenon_status tn_pg_test(tenon_ctx *, const tenon_provider *, const void *config, tenon_test *,
                        tenon_error *err);

/* Reads what a reset sent for, and ends a transaction that failed; every operation starts with it. */
tenon_status tn_pg_ready(tenon_ctx *, tn_pg_session *, tenon_error *err);
/* One statement of our own, with text parameters. PQclear what comes. A failure of the server is
 * an error with its meaning; a failure of the connection makes the session broken. */
tenon_status tn_pg_query(tenon_ctx *, tn_pg_session *, const char *sql, const char *const *params,
                         int param_count, PGresult **ret, tenon_error *err);
/* Sends what libpq still holds, and waits for the next result. *ret NULL: the end of a command. */
tenon_status tn_pg_flush(tenon_ctx *, tn_pg_session *, tenon_error *err);
tenon_status tn_pg_next_result(tenon_ctx *, tn_pg_session *, PGresult **ret, tenon_error *err);
/* After the context ended in the middle of a command: cancels it, and gives the session up. */
void tn_pg_abandon(tn_pg_session *);
/* The connection failed: says so with libpq's words. */
tenon_status tn_pg_lost(tn_pg_session *, tenon_error *err);
/* A statement failed: the server's words, or libpq's where the connection did. */
tenon_status tn_pg_refused(tn_pg_session *, const PGresult *, tenon_error *err);
/* The context ended while waiting: cancels, and says what was waited for. */
tenon_status tn_pg_waited_in_vain(tn_pg_session *, const tenon_error *why, tenon_error *err);

/* ---- errors.c ---- */

/* What the server said, in parts; NULL where it did not. */
typedef struct tn_pg_report {
  const char *sqlstate, *message, *detail, *hint;
} tn_pg_report;

tenon_status tn_pg_fail_report(tenon_error *err, const tn_pg_report *);
tenon_status tn_pg_fail_result(tenon_error *err, const PGresult *);

/* ---- cancel.c ---- */

/* Asks the server to cancel what the session does; answers within budget_ms. */
bool tn_pg_cancel(const tn_pg_session *, int budget_ms);

#endif
