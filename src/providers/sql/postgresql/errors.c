/* SPDX-License-Identifier: Apache-2.0 */
/* What PostgreSQL's error codes mean here: one table. */
#include <stdio.h>
#include <string.h>

#include "providers/sql/postgresql/session.h"

typedef struct meaning {
  const char *sqlstate;   /* all five characters, or the two of its class */
  tenon_status code;
  tenon_stage stage;
  bool retryable;
  const char *remedy;
} meaning;

/* Source: PostgreSQL documentation, appendix A. A whole code stands before its class. */
static const meaning meanings[] = {
    {"08P01", TENON_IO, TENON_STAGE_QUERY, false,
     "a proxy between here and the server may not speak the whole protocol: connect to the server "
     "itself"},
    {"08", TENON_UNREACHABLE, TENON_STAGE_QUERY, true,
     "try again; if it stays, look at the server's log"},
    {"0A", TENON_UNSUPPORTED, TENON_STAGE_QUERY, false,
     "ask for it in a way that this server supports"},
    {"21", TENON_DATA, TENON_STAGE_QUERY, false, "mend the query"},
    {"22P05", TENON_DATA, TENON_STAGE_DATA, false,
     "a text has a character that UTF-8 or the database's encoding lacks: leave that column out, "
     "or mend the row"},
    {"22021", TENON_DATA, TENON_STAGE_DATA, false,
     "a text is not valid in the database's encoding: leave that column out, or mend the row"},
    {"22", TENON_DATA, TENON_STAGE_QUERY, false,
     "mend the query, or the value that it stumbles on"},
    {"25006", TENON_FORBIDDEN, TENON_STAGE_QUERY, false,
     "reads run in READ ONLY transactions: ask only for what changes nothing"},
    {"25P03", TENON_TIMEOUT, TENON_STAGE_QUERY, true,
     "the server ended an idle transaction: try again"},
    {"25", TENON_CONFLICT, TENON_STAGE_QUERY, false, NULL},
    {"28P01", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check username and password"},
    {"28", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false,
     "check username, password or client certificate, and the server's pg_hba.conf"},
    {"3D000", TENON_NOT_FOUND, TENON_STAGE_PERMISSION, false,
     "check the name of the database: it is case-sensitive (psql -l lists them)"},
    {"3F000", TENON_NOT_FOUND, TENON_STAGE_QUERY, false,
     "check the name of the schema: tenon ls lists them"},
    {"40", TENON_CONFLICT, TENON_STAGE_QUERY, true, "try again"},
    {"42501", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false,
     "let the owner GRANT what is missing to this role, or connect as another"},
    {"42601", TENON_CONFIG, TENON_STAGE_QUERY, false,
     "mend the query's syntax; one statement at a time"},
    {"42P01", TENON_NOT_FOUND, TENON_STAGE_QUERY, false,
     "check the name and its schema: tenon ls lists what there is; names are case-sensitive"},
    {"42703", TENON_NOT_FOUND, TENON_STAGE_QUERY, false,
     "check the column's name: tenon describe lists them; names are case-sensitive"},
    {"42883", TENON_NOT_FOUND, TENON_STAGE_QUERY, false,
     "check the function's name and the types it is given"},
    {"42P02", TENON_CONFIG, TENON_STAGE_QUERY, false, "give a value for each placeholder"},
    {"42P18", TENON_CONFIG, TENON_STAGE_QUERY, false,
     "say the placeholder's type in the query: $1::integer"},
    {"42", TENON_CONFIG, TENON_STAGE_QUERY, false, "mend the query"},
    {"53100", TENON_LIMITED, TENON_STAGE_QUERY, true, "the server's disk is full: make room there"},
    {"53200", TENON_LIMITED, TENON_STAGE_QUERY, true,
     "the server is out of memory: ask for less, or try later"},
    {"53300", TENON_LIMITED, TENON_STAGE_AUTH, true,
     "close other connections, lower pool_size, or raise the limit (max_connections, ALTER ROLE, "
     "ALTER DATABASE)"},
    {"53", TENON_LIMITED, TENON_STAGE_QUERY, true, "the server is short of something: try later"},
    {"54", TENON_LIMITED, TENON_STAGE_QUERY, false,
     "the server's limit was met: ask for less at once"},
    {"55000", TENON_CONFLICT, TENON_STAGE_QUERY, false, NULL},
    {"55P03", TENON_CONFLICT, TENON_STAGE_QUERY, true, "somebody else holds a lock: try again"},
    {"57014", TENON_TIMEOUT, TENON_STAGE_QUERY, false,
     "the server cancelled the statement: raise statement_timeout, or find out who cancels"},
    {"57P01", TENON_UNREACHABLE, TENON_STAGE_QUERY, true,
     "an administrator ended the connection: try again"},
    {"57P02", TENON_UNREACHABLE, TENON_STAGE_QUERY, true,
     "the server is recovering from a crash: try again"},
    {"57P03", TENON_UNREACHABLE, TENON_STAGE_AUTH, true,
     "the server is starting up, shutting down or recovering: try again in a moment"},
    {"57P04", TENON_GONE, TENON_STAGE_QUERY, false, "the database was dropped"},
    {"57P05", TENON_UNREACHABLE, TENON_STAGE_QUERY, true,
     "the server ended an idle session: try again"},
    {"57", TENON_UNREACHABLE, TENON_STAGE_QUERY, true, "try again"},
    {"58", TENON_IO, TENON_STAGE_QUERY, false,
     "the server met an error of its disk or system: look at its log"},
    {"P0001", TENON_DATA, TENON_STAGE_QUERY, false,
     "a function of the database raised this: mend what it objects to, or ask who wrote it"},
    {"P0", TENON_CONFIG, TENON_STAGE_QUERY, false,
     "a function of the database failed: mend it, or what it was called with"},
    {"XX001", TENON_IO, TENON_STAGE_DATA, false,
     "the server's data is damaged: restore it from a backup"},
    {"XX002", TENON_IO, TENON_STAGE_DATA, false, "an index of the server is damaged: REINDEX it"},
    {"XX", TENON_IO, TENON_STAGE_QUERY, false,
     "the server met a fault of its own: look at its log"},
};

static const meaning *find_meaning(const char *sqlstate) {
  static const meaning unknown = {"", TENON_IO, TENON_STAGE_QUERY, false, NULL};
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (strncmp(sqlstate, meanings[i].sqlstate, strlen(meanings[i].sqlstate)) == 0)
      return &meanings[i];
  return &unknown;
}

/* Before the login's end a server may speak in an encoding of its own; and nobody promises that it
 * says anything. */
static void readable(char *ret, size_t room, const char *text) {
  bool any = false;
  snprintf(ret, room, "%s", text ? text : "");
  bool valid = tn_utf8_valid(ret, strlen(ret), NULL) ||
               (text && tn_utf8_valid(text, strlen(text), NULL));
  for (char *c = ret; *c; c++) {
    if (!valid && (unsigned char)*c >= 0x80) *c = '?';
    any = any || ((unsigned char)*c > ' ' && *c != 0x7F);
  }
  if (!any) snprintf(ret, room, "the server failed without a message");
}

tenon_status tn_pg_fail_report(tenon_error *err, const tn_pg_report *r) {
  const char *sqlstate = r->sqlstate ? r->sqlstate : "";
  const meaning *m = find_meaning(sqlstate);
  if (!err || err->code != TENON_OK) return m->code;
  char message[sizeof err->message], detail[256] = "";
  readable(message, sizeof message, r->message);
  if (r->detail) readable(detail, sizeof detail, r->detail);
  tenon_fail(err, m->code, m->stage, m->remedy ? m->remedy : r->hint, "%s%s%s%s", message,
             r->detail ? " (" : "", detail, r->detail ? ")" : "");
  err->retryable = m->retryable;
  snprintf(err->sqlstate, sizeof err->sqlstate, "%.5s", sqlstate);
  return m->code;
}

tenon_status tn_pg_fail_result(tenon_error *err, const PGresult *result) {
  tn_pg_report r = {
      .sqlstate = tn_pq.PQresultErrorField(result, PG_DIAG_SQLSTATE),
      .message = tn_pq.PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
      .detail = tn_pq.PQresultErrorField(result, PG_DIAG_MESSAGE_DETAIL),
      .hint = tn_pq.PQresultErrorField(result, PG_DIAG_MESSAGE_HINT),
  };
  if (!r.message) r.message = tn_pq.PQresultErrorMessage(result);
  return tn_pg_fail_report(err, &r);
}
