/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sql/postgresql/statement.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/sql/postgresql/sql.h"

enum { MAX_FIELDS = 1664 };   /* a server's result has no more columns */

static tenon_status out_of_memory(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                    "out of memory");
}

/* ---- What is sent ---- */

/* Everything that the text of values depends on, whatever server, role or environment say. */
static const char settings_sql[] =
    "SELECT pg_catalog.set_config('DateStyle', 'ISO, MDY', true), "
    "pg_catalog.set_config('IntervalStyle', 'postgres', true),"
    " pg_catalog.set_config('TimeZone', $1, true), pg_catalog.set_config('bytea_output', 'hex', "
    "true),"
    " pg_catalog.set_config('extra_float_digits', $2, true),"
    " CASE WHEN $3::pg_catalog.text IS NULL THEN NULL ELSE "
    "pg_catalog.set_config('statement_timeout', $3, true) END,"
    " CASE WHEN $4::pg_catalog.text IS NULL THEN NULL ELSE pg_catalog.set_config('search_path', "
    "$4, true) END";

static const char columns_sql[] =
    "SELECT a.attnotnull OR t.typnotnull FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_type t"
    " ON t.oid OPERATOR(pg_catalog.=) a.atttypid WHERE a.attrelid OPERATOR(pg_catalog.=) "
    "$1::pg_catalog.regclass"
    " AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped ORDER BY a.attnum";

static bool send_settings(tn_pg_session *s, bool own) {
  const tn_pg_config *c = s->config;
  char timeout[24];
  tn_str path;
  tn_str_init(&path, 1024);
  if (own) tn_str_puts(&path, "pg_catalog, pg_temp");
  else if (c->schema) tn_pg_put_name(&path, c->schema);
  snprintf(timeout, sizeof timeout, "%" PRId64, c->statement_timeout_ms);
  const char *params[] = {c->timezone ? c->timezone : "UTC", "1",
                          c->statement_timeout_ms > 0 ? timeout : NULL,
                          path.size ? tn_str_text(&path) : NULL};
  int sent = !path.failed &&
             tn_pq.PQsendQueryParams(s->conn, settings_sql, 4, NULL, params, NULL, NULL, 0);
  tn_str_release(&path);
  return sent;
}

static bool send_all(tn_pg_session *s, bool own, const char *sql, const char *table) {
  const char *params[] = {table};
  return tn_pq.PQenterPipelineMode(s->conn) &&
         tn_pq.PQsendQueryParams(s->conn, "BEGIN TRANSACTION READ ONLY", 0, NULL, NULL, NULL, NULL,
                                 0) &&
         send_settings(s, own) && tn_pq.PQsendPrepare(s->conn, "", sql, 0, NULL) &&
         tn_pq.PQsendDescribePrepared(s->conn, "") &&
         (!table ||
          tn_pq.PQsendQueryParams(s->conn, columns_sql, 1, NULL, params, NULL, NULL, 0)) &&
         tn_pq.PQpipelineSync(s->conn);
}

/* ---- What comes back ---- */

static tenon_status keep_fields(tn_pg_statement *t, const PGresult *r, tenon_error *err) {
  int count = tn_pq.PQnfields(r), params = tn_pq.PQnparams(r);
  if (count > MAX_FIELDS || params > UINT16_MAX) return out_of_memory(err);
  t->fields = tn_arena_alloc(&t->arena, (size_t)(count + 1) * sizeof *t->fields);
  t->param_types = tn_arena_alloc(&t->arena, (size_t)(params + 1) * sizeof *t->param_types);
  if (!t->fields || !t->param_types) return out_of_memory(err);
  for (int i = 0; i < count; i++) {
    t->fields[i] = (tn_pg_field){.name = tn_arena_strdup(&t->arena, tn_pq.PQfname(r, i)),
                                 .oid = tn_pq.PQftype(r, i), .typmod = tn_pq.PQfmod(r, i)};
    if (!t->fields[i].name) return out_of_memory(err);
  }
  for (int i = 0; i < params; i++) t->param_types[i] = tn_pq.PQparamtype(r, i);
  t->field_count = (size_t)count;
  t->param_count = (size_t)params;
  return TENON_OK;
}

static void keep_nullability(tn_pg_statement *t, const PGresult *r) {
  if ((size_t)tn_pq.PQntuples(r) != t->field_count)
    return; /* changed in between: all may be NULL */
  for (size_t i = 0; i < t->field_count; i++)
    t->fields[i].not_null = tn_pq.PQgetvalue(r, (int)i, 0)[0] == 't';
}

/* The order of results is that of send_all. */
enum { BEGUN, SET, PREPARED, DESCRIBED, COLUMNS };

static tenon_status keep(tn_pg_statement *t, tn_pg_session *s, const PGresult *r, int which,
                         tenon_error *err) {
  ExecStatusType status = tn_pq.PQresultStatus(r);
  if (status == PGRES_FATAL_ERROR) return tn_pg_refused(s, r, err);
  if (which == DESCRIBED) return keep_fields(t, r, err);
  if (which == COLUMNS && status == PGRES_TUPLES_OK) keep_nullability(t, r);
  return TENON_OK;
}

/* Everything up to the sync is read whatever fails, so that the session stays usable. */
static tenon_status receive(tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s,
                            tenon_error *err) {
  tenon_status failed = TENON_OK;
  for (int which = BEGUN, nothing = 0; nothing < 2;) {
    PGresult *r = NULL;
    tenon_status status = tn_pg_next_result(ctx, s, &r, err);
    if (status) return status;
    nothing = r ? 0 : nothing + 1;
    bool synced = r && tn_pq.PQresultStatus(r) == PGRES_PIPELINE_SYNC;
    if (!failed && r && !synced) failed = keep(t, s, r, which++, err);
    tn_pq.PQclear(r);
    if (!synced) continue;
    bool left = tn_pq.PQexitPipelineMode(s->conn);
    return failed || left ? failed : tn_pg_lost(s, err);
  }
  return tn_pg_lost(s, err);
}

static tenon_status describe(tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s, const char *sql,
                             const char *table, tenon_error *err) {
  s->in_transaction = true;
  if (!send_all(s, t->own, sql, table)) return tn_pg_lost(s, err);
  tenon_status status = tn_pg_flush(ctx, s, err);
  return status ? status : receive(t, ctx, s, err);
}

/* ---- Tables and queries ---- */

static tenon_status check_catalog(const tn_pg_session *s, const tenon_name *name,
                                  tenon_error *err) {
  if (!name->catalog || strcmp(name->catalog, tn_pq.PQdb(s->conn)) == 0) return TENON_OK;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
                    "a connection sees one database: open one to that database",
                    "this connection is to database %s, not %s", tn_pq.PQdb(s->conn),
                    name->catalog);
}

/* ---- "Did you mean": which table is most like the one that is not there ---- */

static const char names_sql[] =
    "SELECT n.nspname, c.relname, pg_catalog.quote_ident(n.nspname), "
    "pg_catalog.quote_ident(c.relname), pg_catalog.pg_table_is_visible(c.oid)"
    " FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n"
    " ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
    " WHERE c.relkind OPERATOR(pg_catalog.=) ANY ('{r,p,v,m,f}'::pg_catalog.\"char\"[])"
    " LIMIT 10000";

/* One of another schema is as near as its name, if none was given. -1: none is near. */
static int nearest_row(const tn_pg_statement *t, const PGresult *r) {
  size_t best = strlen(t->table) / 3 + 2;
  int found = -1;
  for (int i = 0; i < tn_pq.PQntuples(r) && best > 0; i++) {
    size_t distance = tn_edit_distance(t->table, tn_pq.PQgetvalue(r, i, 1), best);
    if (t->schema && distance < best)
      distance += tn_edit_distance(t->schema, tn_pq.PQgetvalue(r, i, 0), best);
    if (distance >= best) continue;
    best = distance;
    found = i;
  }
  return found;
}

/* The transaction has failed and is ended first. Without an answer the remedy stays as it is. */
static void suggest_table(const tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s,
                          tenon_error *err) {
  PGresult *r;
  if (!err || strcmp(err->sqlstate, "42P01") != 0 || tn_pg_ready(ctx, s, NULL) ||
      tn_pg_query(ctx, s, names_sql, NULL, 0, &r, NULL))
    return;
  int i = nearest_row(t, r);
  bool alone = i >= 0 && !t->schema && tn_pq.PQgetvalue(r, i, 4)[0] == 't';
  if (i >= 0)
    snprintf(err->remedy, sizeof err->remedy, "did you mean %s%s%s? tenon ls lists what there is",
             alone ? "" : tn_pq.PQgetvalue(r, i, 2), alone ? "" : ".", tn_pq.PQgetvalue(r, i, 3));
  tn_pq.PQclear(r);
}

static tenon_status init_table(tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s,
                               const tenon_name *name, tenon_error *err) {
  tenon_status status = check_catalog(s, name, err);
  if (status) return status;
  const char *schema = name->schema ? name->schema : s->config->schema;
  t->table = tn_arena_strdup(&t->arena, name->table ? name->table : "");
  t->schema = schema ? tn_arena_strdup(&t->arena, schema) : NULL;
  if (!t->table || (schema && !t->schema)) return out_of_memory(err);
  tn_str table, sql;
  tn_str_init(&table, 4096);
  tn_str_init(&sql, 4096);
  tn_pg_put_table(&table, t->schema, t->table);
  tn_str_printf(&sql, "SELECT * FROM %s", tn_str_text(&table));
  t->selects = true;
  status = sql.failed || table.failed
               ? tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, NULL,
                            "no table has so long a name")
               : describe(t, ctx, s, tn_str_text(&sql), tn_str_text(&table), err);
  if (status) suggest_table(t, ctx, s, err);
  tn_str_release(&table);
  tn_str_release(&sql);
  return status;
}

static tenon_status init_query(tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s,
                               const char *query, tenon_error *err) {
  tn_pg_query_shape shape = tn_pg_look_at_query(query);
  if (shape.size == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "give a statement that answers rows",
                      "the query is empty");
  t->query = tn_arena_strndup(&t->arena, query, shape.size);
  if (!t->query) return out_of_memory(err);
  t->query_size = shape.size;
  t->selects = shape.selects;
  s->ran_user_sql = s->ran_user_sql || !t->own;
  tenon_status status = describe(t, ctx, s, t->query, NULL, err);
  /* A SELECT may have no columns; other statements without columns answer no rows, and may do
   * things that a transaction does not undo. */
  if (!status && t->field_count == 0 && !t->selects)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY,
                      "reads take statements that answer rows: SELECT, VALUES, "
                      "TABLE, WITH, SHOW, EXPLAIN",
                      "the statement answers no rows");
  return status;
}

tenon_status tn_pg_statement_init(tn_pg_statement *t, tenon_ctx *ctx, tn_pg_session *s,
                                  const tenon_read *request, tenon_error *err) {
  *t = (tn_pg_statement){.own = t->own};
  tn_arena_init(&t->arena, TN_PG_MAX_STATEMENT_MEMORY);
  tn_pg_choices choices;
  tenon_status status = tn_pg_choices_init(&choices, request->special_values, request->numeric_as,
                                           err);
  if (!status) status = request->query ? init_query(t, ctx, s, request->query, err)
                                       : init_table(t, ctx, s, &request->name, err);
  if (!status)
    status = tn_pg_types_resolve(ctx, s, &t->arena, &choices, t->fields, t->field_count, err);
  return status;
}

void tn_pg_statement_release(tn_pg_statement *t) { tn_arena_release(&t->arena); }
