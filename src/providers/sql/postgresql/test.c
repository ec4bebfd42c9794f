/* SPDX-License-Identifier: Apache-2.0 */
/* The test of a connection: connect, with each step written down, and one question. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "providers/sql/postgresql/connect.h"

void tn_pg_step_begin(tn_pg_dial *d, tenon_stage stage) {
  if (!d->test) return;
  tn_pg_host->step_begin(d->test, tenon_stage_name(stage));
  d->step_open = true;
}

void tn_pg_step_end(tn_pg_dial *d, tenon_outcome outcome, const char *remedy, const char *evidence,
                    ...) {
  if (!d->test || !d->step_open) return;
  char text[256];
  va_list args;
  va_start(args, evidence);
  vsnprintf(text, sizeof text, evidence, args);
  va_end(args);
  tn_pg_host->step_end(d->test, outcome, remedy, "%s", text);
  d->step_open = false;
}

void tn_pg_step_failed(tn_pg_dial *d, const tenon_error *e) {
  if (!d->test) return;
  /* The server lets in before it looks at the database and at privileges. */
  if (d->step_open && e->stage == TENON_STAGE_PERMISSION && d->stage != TENON_STAGE_PERMISSION)
    tn_pg_step_end(d, TENON_PASSED, NULL, "logged in as %s", d->username);
  if (d->step_open && e->stage == TENON_STAGE_AUTH && d->stage == TENON_STAGE_TLS)
    tn_pg_step_end(d, TENON_SKIPPED, NULL, "refused before it");
  if (!d->step_open) tn_pg_step_begin(d, e->stage ? e->stage : TENON_STAGE_CONFIG);
  tn_pg_step_end(d, TENON_FAILED, e->remedy, "%s", e->message);
}

/* ---- The test itself ---- */

static void add_fact(tenon_test *test, const char *key, const char *value) {
  if (value && *value) tn_pg_host->fact(test, key, "%s", value);
}

static bool is_on(const tn_pg_session *s, const char *parameter) {
  const char *value = tn_pq.PQparameterStatus(s->conn, parameter);
  return value && strcmp(value, "on") == 0;
}

/* All of it came with the login: no question of its own. */
static void add_facts(tn_pg_session *s, tenon_test *test) {
  add_fact(test, "server_version", tn_pq.PQparameterStatus(s->conn, "server_version"));
  add_fact(test, "identity", tn_pq.PQuser(s->conn));
  add_fact(test, "database", tn_pq.PQdb(s->conn));
  bool standby = is_on(s, "in_hot_standby");
  add_fact(test, "read_only",
           standby                                     ? "yes (standby)"
           : is_on(s, "default_transaction_read_only") ? "yes"
                                                       : "no");
  if (tn_pq.PQsslInUse(s->conn))
    tn_pg_host->fact(test, "tls", "%s %s", tn_pq.PQsslAttribute(s->conn, "protocol"),
                     tn_pq.PQsslAttribute(s->conn, "cipher"));
  else
    add_fact(test, "tls", "no");
}

static tenon_status probe(tenon_ctx *ctx, tn_pg_session *s, tenon_test *test, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  PGresult *result;
  tn_pg_host->step_begin(test, "probe");
  tenon_status status = tn_pg_query(ctx, s, "SELECT 1", NULL, 0, &result, &own);
  if (!status) {
    tn_pq.PQclear(result);
    tn_pg_host->step_end(test, TENON_PASSED, NULL, "SELECT 1 was answered");
    return TENON_OK;
  }
  tn_pg_host->step_end(test, TENON_FAILED, own.remedy, "%s", own.message);
  if (err && err->code == TENON_OK) *err = own;
  return status;
}

tenon_status tn_pg_test(tenon_ctx *ctx, const tenon_provider *provider, const void *config,
                        tenon_test *test, tenon_error *err) {
  (void)provider;
  tn_pg_session *s;
  tenon_status status = tn_pg_connect(ctx, config, test, &s, err);
  if (status) return status;
  add_facts(s, test);
  status = probe(ctx, s, test, err);
  tn_pg_disconnect(s);
  return status;
}
