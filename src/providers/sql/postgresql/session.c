/* SPDX-License-Identifier: Apache-2.0 */
/* A session's life in the pool, and statements of our own through libpq, which never blocks here.
 */
#include "providers/sql/postgresql/session.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { CANCEL_BUDGET_MS = 200 };

/* ---- libpq without blocking ---- */

/* A server that waits for room to send does not look at the cancel: only the end of the connection
 * wakes it. */
void tn_pg_abandon(tn_pg_session *s) {
  int fd = tn_pq.PQsocket(s->conn);
  if (!s->broken) tn_pg_cancel(s, CANCEL_BUDGET_MS);
  if (!s->broken && fd >= 0) shutdown(fd, SHUT_RDWR);
  s->broken = true;
}

tenon_status tn_pg_waited_in_vain(tn_pg_session *s, const tenon_error *why, tenon_error *err) {
  tn_pg_abandon(s);
  return tenon_fail(err, why->code, TENON_STAGE_QUERY, why->remedy, "%s while waiting for %s",
                    why->message, s->where);
}

tenon_status tn_pg_lost(tn_pg_session *s, tenon_error *err) {
  s->broken = true;
  const char *said = tn_pq.PQerrorMessage(s->conn);
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY,
                    "try again; if it stays, look at the server's log and at what is in between",
                    "the connection to %s was lost: %s", s->where,
                    said && *said ? said : "no reason given");
}

static tenon_status wait_for(tenon_ctx *ctx, tn_pg_session *s, short events, tenon_error *err) {
  struct pollfd fd = {.fd = tn_pq.PQsocket(s->conn), .events = events};
  tenon_error own = TENON_ERROR_INIT;
  tenon_status status = tn_pg_host->wait(ctx, &fd, 1, -1, &own);
  if (status) return tn_pg_waited_in_vain(s, &own, err);
  if (fd.revents & (POLLIN | POLLERR | POLLHUP) && !tn_pq.PQconsumeInput(s->conn))
    return tn_pg_lost(s, err);
  return TENON_OK;
}

tenon_status tn_pg_flush(tenon_ctx *ctx, tn_pg_session *s, tenon_error *err) {
  for (;;) {
    int left = tn_pq.PQflush(s->conn);
    if (left == 0) return TENON_OK;
    if (left < 0) return tn_pg_lost(s, err);
    tenon_status status = wait_for(ctx, s, POLLIN | POLLOUT, err);
    if (status) return status;
  }
}

tenon_status tn_pg_next_result(tenon_ctx *ctx, tn_pg_session *s, PGresult **ret, tenon_error *err) {
  while (tn_pq.PQisBusy(s->conn)) {
    tenon_status status = wait_for(ctx, s, POLLIN, err);
    if (status) return status;
  }
  *ret = tn_pq.PQgetResult(s->conn);
  return TENON_OK;
}

tenon_status tn_pg_refused(tn_pg_session *s, const PGresult *result, tenon_error *err) {
  if (!tn_pq.PQresultErrorField(result, PG_DIAG_SQLSTATE))
    return tn_pg_lost(s, err); /* libpq's own words */
  if (tn_pq.PQstatus(s->conn) != CONNECTION_OK) s->broken = true;
  return tn_pg_fail_result(err, result);
}

/* Reads to the end of a command; the first result is kept, or its error. */
static tenon_status finish(tenon_ctx *ctx, tn_pg_session *s, PGresult **ret, tenon_error *err) {
  PGresult *first = NULL, *result = NULL;
  tenon_status status;
  while (!(status = tn_pg_next_result(ctx, s, &result, err)) && result) {
    if (first) tn_pq.PQclear(result);
    else first = result;
  }
  if (!status && !first) status = tn_pg_lost(s, err);
  if (!status && tn_pq.PQresultStatus(first) == PGRES_FATAL_ERROR)
    status = tn_pg_refused(s, first, err);
  if (status) {
    tn_pq.PQclear(first);
    return status;
  }
  *ret = first;
  return TENON_OK;
}

tenon_status tn_pg_query(tenon_ctx *ctx, tn_pg_session *s, const char *sql,
                         const char *const *params, int param_count, PGresult **ret,
                         tenon_error *err) {
  if (!tn_pq.PQsendQueryParams(s->conn, sql, param_count, NULL, params, NULL, NULL, 0))
    return tn_pg_lost(s, err);
  tenon_status status = tn_pg_flush(ctx, s, err);
  return status ? status : finish(ctx, s, ret, err);
}

/* ---- The pool's view ---- */

tenon_status tn_pg_open(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                        void **ret, tenon_error *err) {
  (void)provider;
  tn_pg_session *s;
  tenon_status status = tn_pg_connect(ctx, config, NULL, &s, err);
  if (!status) *ret = s;
  return status;
}

void tn_pg_close(void *session) { tn_pg_disconnect(session); }

/* Retryable: on another session the same call may succeed. */
static tenon_status gone(tenon_error *err) {
  bool first = err && err->code == TENON_OK;
  tenon_fail(err, TENON_GONE, TENON_STAGE_QUERY, "open another session",
             "the session was given up after a failure or a cancel");
  if (first) err->retryable = 1;
  return TENON_GONE;
}

static tenon_status roll_back(tenon_ctx *ctx, tn_pg_session *s, tenon_error *err) {
  PGresult *result;
  tenon_status status = tn_pg_query(ctx, s, "ROLLBACK", NULL, 0, &result, err);
  if (status) return status;
  tn_pq.PQclear(result);
  s->in_transaction = false;
  return TENON_OK;
}

tenon_status tn_pg_ready(tenon_ctx *ctx, tn_pg_session *s, tenon_error *err) {
  if (s->broken || s->streaming) return gone(err);
  for (int nothing = 0; s->pending > 0;) {
    PGresult *result = NULL;
    tenon_status status = tn_pg_next_result(ctx, s, &result, err);
    if (status) return status;
    nothing = result ? 0 : nothing + 1;   /* each command's results end with one NULL */
    if (nothing > 2) return tn_pg_lost(s, err);
    bool synced = result && tn_pq.PQresultStatus(result) == PGRES_PIPELINE_SYNC;
    tn_pq.PQclear(result);
    if (synced && --s->pending == 0 && !tn_pq.PQexitPipelineMode(s->conn))
      return tn_pg_lost(s, err);
    if (tn_pq.PQstatus(s->conn) != CONNECTION_OK) return tn_pg_lost(s, err);
  }
  return s->in_transaction ? roll_back(ctx, s, err) : TENON_OK;
}

/* Sent now, read when the session is used again: giving back does not wait for the server. */
static bool send_apart(tn_pg_session *s, const char *sql) {
  s->pending++;
  return tn_pq.PQsendQueryParams(s->conn, sql, 0, NULL, NULL, NULL, NULL, 0) &&
         tn_pq.PQpipelineSync(s->conn);
}

tenon_status tn_pg_reset(tenon_ctx *ctx, void *session, tenon_error *err) {
  tn_pg_session *s = session;
  (void)ctx;
  if (s->broken || s->streaming) return gone(err);
  if (!s->in_transaction && !s->ran_user_sql) return TENON_OK;
  if (s->pending || !tn_pq.PQenterPipelineMode(s->conn)) return gone(err);
  if (s->in_transaction && !send_apart(s, "ROLLBACK")) return tn_pg_lost(s, err);
  if (s->ran_user_sql && !send_apart(s, "DISCARD ALL")) return tn_pg_lost(s, err);
  if (tn_pq.PQflush(s->conn) < 0) return tn_pg_lost(s, err);
  s->in_transaction = s->ran_user_sql = false;
  return TENON_OK;
}

tenon_status tn_pg_check(tenon_ctx *ctx, void *session, tenon_error *err) {
  tn_pg_session *s = session;
  tenon_status status = tn_pg_ready(ctx, s, err);
  if (status) return status;
  PGresult *result;
  status = tn_pg_query(ctx, s, "", NULL, 0, &result, err);
  if (!status) tn_pq.PQclear(result);
  return status;
}
