/* SPDX-License-Identifier: Apache-2.0 */
/* What there is: tables and views, and what they are made of. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/sql/postgresql/read.h"
#include "providers/sql/postgresql/sql.h"
#include "providers/sql/postgresql/statement.h"

/* Of pg_class.relkind, as people say it. */
#define KIND \
  "CASE c.relkind WHEN 'r' THEN 'table' WHEN 'p' THEN 'partitioned table' WHEN 'v' THEN 'view'" \
  " WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE c.relkind::text END"

/* A partitioned table has no rows of its own: those of its leaves. A negative count is "never
 * counted". */
#define SUM_OF_LEAVES(what)                                                                   \
  "(SELECT sum(" what                                                                         \
  ")::int8 FROM pg_partition_tree(c.oid) AS tree JOIN pg_class leaf ON leaf.oid = tree.relid" \
  " WHERE tree.isleaf AND leaf.reltuples >= 0)"

#define ROWS \
  "CASE WHEN c.relkind = 'p' THEN " SUM_OF_LEAVES("leaf.reltuples::numeric") \
  " WHEN c.relkind <> 'v' AND c.reltuples >= 0 THEN c.reltuples::int8 END"

static tenon_status out_of_memory(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                    "out of memory");
}

/* ---- list ---- */

static const char list_sql[] =
    "SELECT current_database()::text AS catalog, n.nspname::text AS schema, c.relname::text AS "
    "name, " KIND " AS kind, " ROWS
    " AS rows_estimate, obj_description(c.oid, 'pg_class') AS comment"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p', "
    "'v', 'm', 'f')";

/* regnamespace is refused by the server where there is no such schema. */
static void put_schema(tn_str *sql, const char *schema) {
  tn_str name;
  tn_str_init(&name, 1024);
  tn_pg_put_name(&name, schema);
  tn_str_puts(sql, " AND n.oid = ");
  tn_pg_put_text(sql, tn_str_text(&name), name.size);
  tn_str_puts(sql, "::pg_catalog.regnamespace");
  tn_str_release(&name);
}

tenon_status tn_pg_list(tenon_ctx *ctx, void *session, const tenon_tables_list *request,
                        tenon_stream *ret, tenon_error *err) {
  tn_pg_session *s = session;
  tn_str sql;
  tn_str_init(&sql, 8192);
  tn_str_puts(&sql, list_sql);
  if (!request->with_system)
    tn_str_puts(&sql, " AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'");
  if (request->schema) put_schema(&sql, request->schema);
  if (request->catalog) {
    tn_str_puts(&sql, " AND current_database() = ");
    tn_pg_put_text(&sql, request->catalog, strlen(request->catalog));
  }
  tn_str_puts(&sql, " ORDER BY n.nspname::text COLLATE \"C\", c.relname::text COLLATE \"C\"");
  tenon_status status = sql.failed ? out_of_memory(err)
                                   : tn_pg_read_own(ctx, s, tn_str_text(&sql), ret, err);
  tn_str_release(&sql);
  return status;
}

/* ---- describe: collecting ---- */

/* A described table that owns everything it points to. */
typedef struct description {
  tn_pg_statement statement;
  tenon_table table;
  tenon_column *columns;
  tenon_key *keys;
} description;

static tn_arena *memory(description *d) { return &d->statement.arena; }

/* A field of a result, kept; NULL where it is NULL. *ok turns false without memory. */
static const char *keep(description *d, const PGresult *r, int row, int column, bool *ok) {
  if (tn_pq.PQgetisnull(r, row, column)) return NULL;
  const char *text = tn_arena_strdup(memory(d), tn_pq.PQgetvalue(r, row, column));
  *ok = *ok && text;
  return text;
}

static int64_t number_at(const PGresult *r, int row, int column) {
  if (tn_pq.PQgetisnull(r, row, column)) return -1;
  return strtoll(tn_pq.PQgetvalue(r, row, column), NULL, 10);
}

static const char *remark_of(const tn_pg_type *t) {
  switch (t->op) {
    case TN_PG_REFUSED: return t->refusal;
    case TN_PG_DECIMAL_TEXT:
      return "no declared scale, or more than 76 digits: text (numeric_as reads it as a number)";
    case TN_PG_ARRAY: return t->cast ? "elements as the server's text" : NULL;
    default: return t->cast ? "the server's text" : NULL;
  }
}

static tenon_status make_columns(description *d, tenon_error *err) {
  const tn_pg_statement *t = &d->statement;
  d->columns = tn_arena_alloc(memory(d), (t->field_count + 1) * sizeof *d->columns);
  if (!d->columns) return out_of_memory(err);
  for (size_t i = 0; i < t->field_count; i++) {
    const tn_pg_field *f = &t->fields[i];
    d->columns[i] = (tenon_column){.name = f->name,
                                   .type = "",
                                   .remark = remark_of(&f->type),
                                   .nullable = !f->not_null,
                                   .unreadable = f->type.op == TN_PG_REFUSED};
  }
  d->table.columns = d->columns;
  d->table.column_count = t->field_count;
  return TENON_OK;
}

static tenon_status make_schema(description *d, tenon_error *err) {
  const tn_pg_statement *t = &d->statement;
  tenon_status status = tn_schema_struct(&d->table.schema, (int64_t)t->field_count, err);
  for (size_t i = 0; !status && i < t->field_count; i++)
    status = tn_pg_type_schema(&t->fields[i].type, t->fields[i].name, !t->fields[i].not_null,
                               d->table.schema.children[i], err);
  return status;
}

/* ---- describe: a table ---- */

static const char table_sql[] =
    "SELECT current_database(), n.nspname, c.relname, " KIND
    ", obj_description(c.oid, 'pg_class'), " ROWS
    ", CASE WHEN c.relkind = 'p' THEN " SUM_OF_LEAVES("leaf.relpages::numeric")
    " WHEN c.relkind IN ('r', 'm') AND c.reltuples >= 0 THEN c.relpages END"
    " * current_setting('block_size')::int8"
    " FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1::oid";

static const char columns_sql[] =
    "SELECT a.attname, format_type(a.atttypid, a.atttypmod), col_description(a.attrelid, a.attnum),"
    " CASE WHEN a.attidentity = 'a' THEN 'generated always as identity'"
    " WHEN a.attidentity = 'd' THEN 'generated by default as identity'"
    " WHEN a.attgenerated <> '' THEN 'generated always as (' || pg_get_expr(d.adbin, d.adrelid) || "
    "')'"
    " ELSE pg_get_expr(d.adbin, d.adrelid) END"
    " FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum"
    " WHERE a.attrelid = $1::oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum";

/* A row a column of a key. */
static const char keys_sql[] =
    "SELECT k.oid, CASE k.contype WHEN 'p' THEN 'primary' WHEN 'u' THEN 'unique' ELSE 'foreign' "
    "END, k.conname, a.attname,"
    " CASE WHEN k.contype = 'f' THEN quote_ident(n.nspname) || '.' || quote_ident(f.relname) || "
    "'(' ||"
    " (SELECT string_agg(quote_ident(fa.attname), ', ' ORDER BY x.place) FROM unnest(k.confkey) "
    "WITH ORDINALITY AS x(num, place)"
    " JOIN pg_attribute fa ON fa.attrelid = k.confrelid AND fa.attnum = x.num) || ')' END"
    " FROM pg_constraint k CROSS JOIN LATERAL unnest(k.conkey) WITH ORDINALITY AS part(num, place)"
    " JOIN pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = part.num"
    " LEFT JOIN pg_class f ON f.oid = k.confrelid LEFT JOIN pg_namespace n ON n.oid = "
    "f.relnamespace"
    " WHERE k.conrelid = $1::oid AND k.contype IN ('p', 'u', 'f')"
    " ORDER BY position(k.contype::text IN 'puf'), k.conname::text COLLATE \"C\", k.oid, "
    "part.place";

static tenon_status keep_table(description *d, const PGresult *r, tenon_error *err) {
  bool ok = true;
  if (tn_pq.PQntuples(r) != 1)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "tenon ls lists what there is",
                      "the table is gone");
  d->table.catalog = keep(d, r, 0, 0, &ok);
  d->table.schema_name = keep(d, r, 0, 1, &ok);
  d->table.name = keep(d, r, 0, 2, &ok);
  d->table.kind = keep(d, r, 0, 3, &ok);
  d->table.comment = keep(d, r, 0, 4, &ok);
  d->table.rows_estimate = number_at(r, 0, 5);
  d->table.bytes_estimate = number_at(r, 0, 6);
  return ok ? TENON_OK : out_of_memory(err);
}

static tenon_status keep_columns(description *d, const PGresult *r, tenon_error *err) {
  bool ok = true;
  size_t count = (size_t)tn_pq.PQntuples(r);
  for (size_t i = 0; i < count && i < d->table.column_count; i++) {
    d->columns[i].type = keep(d, r, (int)i, 1, &ok);
    d->columns[i].comment = keep(d, r, (int)i, 2, &ok);
    d->columns[i].default_value = keep(d, r, (int)i, 3, &ok);
  }
  return ok ? TENON_OK : out_of_memory(err);
}

static void set_key_position(description *d, const char *column, size_t position) {
  for (size_t i = 0; i < d->table.column_count; i++)
    if (strcmp(d->columns[i].name, column) == 0) d->columns[i].key_position = (int32_t)position;
}

/* Rows [row, end) are one key. */
static bool keep_key(description *d, const PGresult *r, int row, int end) {
  bool ok = true;
  tenon_key *k = &d->keys[d->table.key_count++];
  const char **names = tn_arena_alloc(memory(d), (size_t)(end - row) * sizeof *names);
  if (!names) return false;
  *k = (tenon_key){.kind = keep(d, r, row, 1, &ok),
                   .name = keep(d, r, row, 2, &ok),
                   .columns = names,
                   .references = keep(d, r, row, 4, &ok)};
  for (; row < end; row++) names[k->column_count++] = keep(d, r, row, 3, &ok);
  for (size_t i = 0; ok && strcmp(k->kind, "primary") == 0 && i < k->column_count; i++)
    set_key_position(d, k->columns[i], i + 1);
  return ok;
}

static tenon_status keep_keys(description *d, const PGresult *r, tenon_error *err) {
  int rows = tn_pq.PQntuples(r);
  d->keys = tn_arena_alloc(memory(d), (size_t)(rows + 1) * sizeof *d->keys);
  if (!d->keys) return out_of_memory(err);
  for (int row = 0, end; row < rows; row = end) {
    for (end = row + 1;
         end < rows && strcmp(tn_pq.PQgetvalue(r, end, 0), tn_pq.PQgetvalue(r, row, 0)) == 0;)
      end++;
    if (!keep_key(d, r, row, end)) return out_of_memory(err);
  }
  d->table.keys = d->keys;
  return TENON_OK;
}

typedef tenon_status (*keep_fn)(description *, const PGresult *, tenon_error *);

static tenon_status ask(description *d, tenon_ctx *ctx, tn_pg_session *s, const char *sql,
                        const char *const *params, int count, keep_fn keep_result,
                        tenon_error *err) {
  PGresult *r;
  tenon_status status = tn_pg_query(ctx, s, sql, params, count, &r, err);
  if (status) return status;
  status = keep_result(d, r, err);
  tn_pq.PQclear(r);
  return status;
}

/* From here on every name is the catalog's own. */
static tenon_status own_names(tenon_ctx *ctx, tn_pg_session *s, tenon_error *err) {
  PGresult *r;
  tenon_status status = tn_pg_query(ctx, s, "SET LOCAL search_path TO pg_catalog, pg_temp", NULL, 0,
                                    &r, err);
  if (!status) tn_pq.PQclear(r);
  return status;
}

static tenon_status keep_oid(description *d, const PGresult *r, tenon_error *err) {
  bool ok = true;
  d->table.name = keep(d, r, 0, 0, &ok);
  return ok ? TENON_OK : out_of_memory(err);
}

static tenon_status describe_table(description *d, tenon_ctx *ctx, tn_pg_session *s,
                                   tenon_error *err) {
  tn_str name;
  tn_str_init(&name, 4096);
  tn_pg_put_table(&name, d->statement.schema, d->statement.table);
  const char *params[] = {tn_str_text(&name)};
  /* the oid first, while the role's search_path still says which table is meant */
  tenon_status status = ask(d, ctx, s, "SELECT $1::pg_catalog.regclass::pg_catalog.oid", params, 1,
                            keep_oid, err);
  tn_str_release(&name);
  params[0] = d->table.name;
  if (!status) status = own_names(ctx, s, err);
  if (!status) status = ask(d, ctx, s, table_sql, params, 1, keep_table, err);
  if (!status) status = ask(d, ctx, s, columns_sql, params, 1, keep_columns, err);
  return status ? status : ask(d, ctx, s, keys_sql, params, 1, keep_keys, err);
}

/* ---- describe: a query ---- */

static tenon_status keep_types(description *d, const PGresult *r, tenon_error *err) {
  bool ok = true;
  size_t count = (size_t)tn_pq.PQntuples(r);
  for (size_t i = 0; i < count && i < d->table.column_count; i++)
    d->columns[i].type = keep(d, r, (int)i, 0, &ok);
  return ok ? TENON_OK : out_of_memory(err);
}

static tenon_status describe_query(description *d, tenon_ctx *ctx, tn_pg_session *s,
                                   tenon_error *err) {
  tn_str oids, mods;
  tn_str_init(&oids, 65536);
  tn_str_init(&mods, 65536);
  for (size_t i = 0; i < d->statement.field_count; i++) {
    tn_str_printf(&oids, i ? ",%u" : "{%u", d->statement.fields[i].oid);
    tn_str_printf(&mods, i ? ",%d" : "{%d", d->statement.fields[i].typmod);
  }
  tn_str_puts(&oids, d->statement.field_count ? "}" : "{}");
  tn_str_puts(&mods, d->statement.field_count ? "}" : "{}");
  const char *params[] = {tn_str_text(&oids), tn_str_text(&mods)};
  tenon_status status = oids.failed || mods.failed ? out_of_memory(err) : own_names(ctx, s, err);
  if (!status)
    status = ask(
        d, ctx, s,
        "SELECT format_type(t.oid, t.typmod) FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY AS"
        " t(oid, typmod, place) ORDER BY t.place",
        params, 2, keep_types, err);
  d->table.kind = "query";
  tn_str_release(&oids);
  tn_str_release(&mods);
  return status;
}

/* ---- describe ---- */

static void description_free(description *d) {
  tn_schema_release(&d->table.schema);
  tn_pg_statement_release(&d->statement);
  tn_free(d);
}

static void release_table(tenon_table *t) {
  description *d = t->self;
  d->table.schema = t->schema;   /* the caller may have moved it out */
  description_free(d);
  *t = (tenon_table){0};
}

/* Failed or not, the transaction is over; a failure here is the connection's, which shows next. */
static void end_transaction(tenon_ctx *ctx, tn_pg_session *s) {
  PGresult *r;
  if (s->broken || tn_pg_query(ctx, s, "ROLLBACK", NULL, 0, &r, NULL)) return;
  tn_pq.PQclear(r);
  s->in_transaction = false;
}

static tenon_status collect(description *d, tenon_ctx *ctx, tn_pg_session *s,
                            const tenon_read *request, tenon_error *err) {
  d->statement.own = false;
  tenon_status status = tn_pg_statement_init(&d->statement, ctx, s, request, err);
  if (!status) status = make_columns(d, err);
  if (!status)
    status = request->query ? describe_query(d, ctx, s, err) : describe_table(d, ctx, s, err);
  end_transaction(ctx, s);
  return status ? status : make_schema(d, err);
}

tenon_status tn_pg_describe(tenon_ctx *ctx, void *session, const tenon_read *request,
                            tenon_table *ret, tenon_error *err) {
  tn_pg_session *s = session;
  tenon_status status = tn_pg_ready(ctx, s, err);
  if (status) return status;
  description *d = tn_alloc(sizeof *d);
  if (!d) return out_of_memory(err);
  d->table.rows_estimate = d->table.bytes_estimate = -1;
  status = collect(d, ctx, s, request, err);
  if (status) {
    description_free(d);
    return status;
  }
  d->table.struct_size = sizeof d->table;
  d->table.self = d;
  d->table.release = release_table;
  *ret = d->table;
  return TENON_OK;
}
