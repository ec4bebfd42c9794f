/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read: describe the statement, choose columns, write the SQL, send it, stream what comes. Tables
 * and plain queries go through COPY; what COPY does not take (parameters, SHOW, EXPLAIN) runs as a
 * portal whose rows have the same form.
 */
#include "providers/sql/postgresql/read.h"

#include <endian.h>
#include <stdio.h>
#include <string.h>

#include "providers/sql/postgresql/copy.h"
#include "providers/sql/postgresql/sql.h"
#include "providers/sql/postgresql/statement.h"

static tenon_status out_of_memory(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                    "out of memory");
}

/* ---- Columns ---- */

typedef struct choice {
  int *indices;
  size_t count;
} choice;

static tenon_status no_column(tn_pg_statement *t, const char *name, tenon_error *err) {
  char remedy[160] = "tenon describe lists the columns; names are case-sensitive";
  const char **names = tn_arena_alloc(&t->arena, (t->field_count + 1) * sizeof *names);
  for (size_t i = 0; names && i < t->field_count; i++) names[i] = t->fields[i].name;
  const char *nearest = names ? tn_nearest(name, names, t->field_count) : NULL;
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s?", nearest);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "there is no column %s%s%s",
                    name, t->table ? " in " : "", t->table ? t->table : "");
}

static tenon_status find_column(tn_pg_statement *t, const char *name, int *ret, tenon_error *err) {
  int found = -1;
  for (size_t i = 0; i < t->field_count; i++) {
    if (strcmp(t->fields[i].name, name) != 0) continue;
    if (found >= 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY,
                        "give the columns of the query different names",
                        "more than one column is named %s", name);
    found = (int)i;
  }
  if (found < 0) return no_column(t, name, err);
  *ret = found;
  return TENON_OK;
}

static tenon_status choose(tn_pg_statement *t, const tenon_read *r, choice *ret, tenon_error *err) {
  size_t count = r->columns ? r->column_count : t->field_count;
  ret->indices = tn_arena_alloc(&t->arena, (count + 1) * sizeof *ret->indices);
  ret->count = count;
  if (!ret->indices) return out_of_memory(err);
  for (size_t k = 0; k < count; k++) {
    ret->indices[k] = (int)k;
    tenon_status status = r->columns ? find_column(t, r->columns[k], &ret->indices[k], err)
                                     : TENON_OK;
    if (status) return status;
    const tn_pg_field *f = &t->fields[ret->indices[k]];
    if (f->type.op == TN_PG_REFUSED)
      return tenon_fail(
          err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the column out, or cast it in a query",
          "column %s cannot be read: %s%s%s", f->name, f->type.vendor ? f->type.vendor : "",
          f->type.vendor ? ": " : "", f->type.refusal);
  }
  return TENON_OK;
}

static tenon_status make_schema(const tn_pg_statement *t, const choice *chosen,
                                struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema schema;
  tenon_status status = tn_schema_struct(&schema, (int64_t)chosen->count, err);
  if (status) return status;
  for (size_t k = 0; !status && k < chosen->count; k++) {
    const tn_pg_field *f = &t->fields[chosen->indices[k]];
    status = tn_pg_type_schema(&f->type, f->name, !f->not_null, schema.children[k], err);
  }
  if (status) tn_schema_release(&schema);
  else *ret = schema;
  return status;
}

/* Types and names of the chosen columns, side by side. */
static tenon_status expect_columns(tn_pg_statement *t, const choice *chosen, tn_pg_expect *ret,
                                   tenon_error *err) {
  tn_pg_type *types = tn_arena_alloc(&t->arena, (chosen->count + 1) * sizeof *types);
  const char **names = tn_arena_alloc(&t->arena, (chosen->count + 1) * sizeof *names);
  if (!types || !names) return out_of_memory(err);
  for (size_t k = 0; k < chosen->count; k++) {
    types[k] = t->fields[chosen->indices[k]].type;
    names[k] = t->fields[chosen->indices[k]].name;
  }
  ret->types = types;
  ret->names = names;
  ret->count = (int32_t)chosen->count;
  return TENON_OK;
}

/* ---- Messages ---- */

static void put32(tn_str *m, uint32_t v) {
  v = htobe32(v);
  tn_str_add(m, (const char *)&v, sizeof v);
}

static void put16(tn_str *m, unsigned v) {
  uint16_t word = htobe16((uint16_t)v);
  tn_str_add(m, (const char *)&word, sizeof word);
}

/* A message: its type, its length (filled at the end), its body. */
static size_t begin_message(tn_str *m, char type) {
  tn_str_putc(m, type);
  size_t at = m->size;
  put32(m, 0);
  return at;
}

static void end_message(tn_str *m, size_t at) {
  if (m->failed) return;
  uint32_t size = htobe32((uint32_t)(m->size - at));
  memcpy(m->data + at, &size, sizeof size);
}

static void put_query(tn_str *m, const char *sql) {
  size_t at = begin_message(m, 'Q');
  tn_str_puts(m, sql);
  tn_str_putc(m, 0);
  end_message(m, at);
}

/* What ends the transaction: a user's query may have set things, which ROLLBACK takes back. */
static const char *ending(const tn_pg_statement *t) { return t->query ? "ROLLBACK" : "COMMIT"; }

static void put_copy(tn_str *m, const tn_pg_statement *t, const tn_pg_source *source,
                     const tenon_read *r, tn_pg_pushed *pushed) {
  size_t at = begin_message(m, 'Q');
  tn_str_puts(m, "COPY (");
  tn_pg_put_select(m, source, r, pushed);
  tn_str_printf(m, ") TO STDOUT (FORMAT binary); %s", ending(t));
  tn_str_putc(m, 0);
  end_message(m, at);
}

/* ---- Portals ---- */

static void put_params(tn_str *m, const tn_pg_statement *t, const tenon_read *r) {
  enum { TIMESTAMPTZ = 1184 };
  put16(m, 0);   /* all in text */
  put16(m, (unsigned)r->param_count);
  for (size_t i = 0; i < r->param_count; i++) {
    const tenon_value *v = &r->params[i];
    size_t at = m->size;
    put32(m, UINT32_MAX);
    if (v->type == TENON_VALUE_NULL) continue;
    tn_pg_put_value(m, v, t->param_types[i] == TIMESTAMPTZ);
    if (m->failed) return;
    uint32_t size = htobe32((uint32_t)(m->size - at - 4));
    memcpy(m->data + at, &size, sizeof size);
  }
}

static void put_portal(tn_str *m, const tn_pg_statement *t, const tn_pg_source *source,
                       const tenon_read *r, tn_pg_pushed *pushed) {
  size_t at = begin_message(m, 'P');
  tn_str_putc(m, 0);
  if (t->selects) tn_pg_put_select(m, source, r, pushed);
  else tn_str_add(m, t->query, t->query_size);
  tn_str_putc(m, 0);
  put16(m, 0);
  end_message(m, at);
  at = begin_message(m, 'B');
  tn_str_add(m, "\0", 2);
  put_params(m, t, r);
  put16(m, (unsigned)source->chosen_count);
  /* text where the SQL cannot be told to cast */
  for (size_t k = 0; k < source->chosen_count; k++)
    put16(m, t->selects || source->fields[source->chosen[k]].type.cast == TN_PG_AS_IS);
  end_message(m, at);
  at = begin_message(m, 'E');
  tn_str_putc(m, 0);
  put32(m, 0);
  end_message(m, at);
  end_message(m, begin_message(m, 'S'));
  put_query(m, ending(t));
}

/* SHOW and EXPLAIN: no part of them can be asked for, and arrays as text stay text. */
static void take_whole(tn_pg_statement *t) {
  for (size_t i = 0; i < t->field_count; i++) {
    tn_pg_type *type = &t->fields[i].type;
    if (type->cast != TN_PG_TO_TEXT_ARRAY) continue;
    *type = (tn_pg_type){.oid = type->oid,
                         .op = TN_PG_TEXT,
                         .cast = TN_PG_TO_TEXT,
                         .format = "u",
                         .vendor = "array"};
  }
}

/* ---- Reading ---- */

static tenon_status check_params(const tn_pg_statement *t, const tenon_read *r, tenon_error *err) {
  if (r->param_count == t->param_count) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "give one value for each of $1, $2, …",
                    "the query has %zu placeholders, and %zu values are given", t->param_count,
                    r->param_count);
}

static tenon_status start(tenon_ctx *ctx, tn_pg_session *s, tn_pg_statement *t, const tenon_read *r,
                          const choice *chosen, tenon_rows *ret, tenon_error *err) {
  tn_pg_source source = {.schema = t->schema,
                         .table = t->table,
                         .query = t->query,
                         .query_size = t->query_size,
                         .fields = t->fields,
                         .field_count = t->field_count,
                         .chosen = chosen->indices,
                         .chosen_count = chosen->count,
                         .utf8 = s->utf8};
  bool copies = t->selects && t->param_count == 0;
  tn_pg_expect expect = {.copies = copies,
                         .ready_count = copies ? 1 : 2,
                         .batch_bytes = r->batch_bytes,
                         .batch_rows = r->batch_rows};
  struct ArrowSchema schema;
  tenon_status status = expect_columns(t, chosen, &expect, err);
  if (!status) status = make_schema(t, chosen, &schema, err);
  if (status) return status;
  tn_pg_pushed pushed = {0};
  tn_str messages;
  tn_str_init(&messages, TN_PG_MAX_SQL);
  if (copies) put_copy(&messages, t, &source, r, &pushed);
  else put_portal(&messages, t, &source, r, &pushed);
  tenon_stream stream;
  if (messages.failed) {
    tn_schema_release(&schema);
    status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "ask with fewer or shorter values",
                        "the statement would have more than 16 MiB");
  } else {
    status = tn_pg_copy_start(ctx, s, &expect, &messages, &schema, &t->arena, &stream, err);
  }
  tn_str_release(&messages);
  if (status) return status;
  *ret = (tenon_rows){.struct_size = sizeof *ret, .stream = stream, .applied = pushed.applied,
                      .filters_applied = pushed.filters};
  return TENON_OK;
}

static tenon_status read_rows(tenon_ctx *ctx, tn_pg_session *s, const tenon_read *request, bool own,
                              tenon_rows *ret, tenon_error *err) {
  tn_pg_statement t = {.own = own};
  choice chosen;
  tenon_read r = *request;
  tenon_status status = tn_pg_ready(ctx, s, err);
  if (status) return status;
  status = tn_pg_statement_init(&t, ctx, s, &r, err);
  if (!status) status = check_params(&t, &r, err);
  if (!status && !t.selects) {
    take_whole(&t);
    r.columns = NULL;
  }
  if (!status) status = choose(&t, &r, &chosen, err);
  if (!status) status = start(ctx, s, &t, &r, &chosen, ret, err);
  tn_pg_statement_release(&t);
  return status;
}

tenon_status tn_pg_read(tenon_ctx *ctx, void *session, const tenon_read *request, tenon_rows *ret,
                        tenon_error *err) {
  if (request->partition)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, NULL,
                      "this kind makes no partitions yet");
  return read_rows(ctx, session, request, false, ret, err);
}

tenon_status tn_pg_read_own(tenon_ctx *ctx, tn_pg_session *s, const char *sql, tenon_stream *ret,
                            tenon_error *err) {
  tenon_read request = TENON_READ_INIT;
  tenon_rows rows;
  request.query = sql;
  tenon_status status = read_rows(ctx, s, &request, true, &rows, err);
  if (!status) *ret = rows.stream;
  return status;
}
