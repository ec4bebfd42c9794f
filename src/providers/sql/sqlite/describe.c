/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a table, view or query is like: columns as declared and as read, keys, an estimate of rows.
 */
#include "sqlite.h"

#include <stdio.h>

enum { MAX_DESCRIPTION = 64 << 20, MAX_REFERENCE = 64 << 10 };

/* ---- The Arrow schema ---- */

bool tn_sqlite_is_nullable(const tn_sqlite_field *f, const tenon_read *read) {
  return !f->not_null || (read->special_values == TENON_SPECIAL_NULL && !f->sure);
}

static tenon_status set_field(struct ArrowSchema *schema, const tn_sqlite_field *f,
                              const tenon_read *read, tenon_error *err) {
  tenon_status status =
      tn_schema_set(schema, f->name, f->type.format, tn_sqlite_is_nullable(f, read), 0, err);
  if (status || !f->type.annotated) return status;
  bool is_declared = f->declared && *f->declared && sqlite3_stricmp(f->declared, "ANY") != 0;
  const char *otherwise = f->type.rule == TN_SQLITE_NUMBER_TEXT ? "NUMERIC" : "ANY";
  return tn_schema_annotate(schema, "tenon.type", is_declared ? f->declared : otherwise, err);
}

tenon_status tn_sqlite_schema(const tn_sqlite_table *t, const size_t *columns, size_t count,
                              const tenon_read *read, struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema schema;
  tenon_status status = tn_schema_struct(&schema, (int64_t)count, err);
  if (status) return status;
  for (size_t i = 0; !status && i < count; i++)
    status = set_field(schema.children[i], &t->fields[columns ? columns[i] : i], read, err);
  if (status) {
    tn_schema_release(&schema);
    return status;
  }
  *ret = schema;
  return TENON_OK;
}

/* ---- Keys ---- */

/* One column of a key, as the statements below answer it. */
typedef struct part {
  struct part *next;
  const char *group, *name, *column, *parent, *parent_column;
} part;

static const char primary_sql[] =
    "SELECT 'pk', NULL, name, NULL, NULL FROM pragma_table_info(?1, 'main') WHERE pk ORDER BY pk";
static const char unique_sql[] =
    "SELECT l.name, l.name, i.name, NULL, NULL "
    "FROM pragma_index_list(?1, 'main') l, pragma_index_info(l.name, 'main') i "
    "WHERE l.\"unique\" AND NOT l.partial AND l.origin <> 'pk' ORDER BY l.name, i.seqno";
static const char foreign_sql[] =
    "SELECT id, NULL, \"from\", \"table\", coalesce(\"to\", "
    "(SELECT p.name FROM pragma_table_info(f.\"table\", 'main') p WHERE p.pk = f.seq + 1)) "
    "FROM pragma_foreign_key_list(?1, 'main') f ORDER BY id, seq";

static tenon_status load_part(tn_arena *arena, sqlite3_stmt *stmt, part **ret, tenon_error *err) {
  part *p = tn_arena_alloc(arena, sizeof *p);
  if (!p) return tn_no_memory(err);
  const char **texts[] = {&p->group, &p->name, &p->column, &p->parent, &p->parent_column};
  p->next = NULL;
  for (int i = 0; i < 5; i++) {
    tenon_status status = tn_sqlite_text(arena, stmt, i, texts[i], err);
    if (status) return status;
  }
  *ret = p;
  return TENON_OK;
}

static tenon_status load_parts(tn_sqlite *s, const char *sql, const char *table, tn_arena *arena,
                               part **ret, tenon_error *err) {
  sqlite3_stmt *stmt = NULL;
  bool row = true;
  part **end = ret;
  *ret = NULL;
  tenon_status status = tn_sqlite_prepare(s, sql, &stmt, err);
  if (status) return status;
  sqlite3_bind_text(stmt, 1, table, -1, SQLITE_TRANSIENT);
  while (!(status = tn_sqlite_step(s, stmt, &row, err)) && row) {
    if ((status = load_part(arena, stmt, end, err))) break;
    end = &(*end)->next;
  }
  sqlite3_finalize(stmt);
  return status;
}

static size_t part_count(const part *first) {
  size_t n = 0;
  for (const part *p = first; p && strcmp(p->group, first->group) == 0; p = p->next) n++;
  return n;
}

/* main.orders(id, line) */
static tenon_status print_reference(const part *first, size_t count, tn_arena *arena,
                                    const char **ret, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, MAX_REFERENCE);
  tn_str_printf(&text, "main.%s(", first->parent);
  const part *p = first;
  for (size_t i = 0; i < count; i++, p = p->next)
    tn_str_printf(&text, "%s%s", i ? ", " : "", p->parent_column ? p->parent_column : "?");
  tn_str_putc(&text, ')');
  *ret = text.failed ? NULL : tn_arena_strdup(arena, text.data);
  tn_str_release(&text);
  return *ret ? TENON_OK : tn_no_memory(err);
}

/* A unique index on an expression has a part without a column and is no key of columns. */
static tenon_status make_key(const char *kind, const part *first, size_t count, tn_arena *arena,
                             tenon_key *ret, bool *ret_made, tenon_error *err) {
  const char **columns = tn_arena_alloc(arena, count * sizeof *columns);
  if (!columns) return tn_no_memory(err);
  *ret_made = false;
  const part *p = first;
  for (size_t i = 0; i < count; i++, p = p->next) {
    if (!p->column) return TENON_OK;
    columns[i] = p->column;
  }
  *ret = (tenon_key){.kind = kind, .name = first->name, .columns = columns, .column_count = count};
  *ret_made = true;
  return first->parent ? print_reference(first, count, arena, &ret->references, err) : TENON_OK;
}

static size_t group_count(const part *p) {
  size_t n = 0;
  for (const char *last = NULL; p; last = p->group, p = p->next)
    n += !last || strcmp(last, p->group) != 0;
  return n;
}

static tenon_status load_keys(tn_sqlite *s, const char *table, tn_arena *arena, tenon_table *t,
                              tenon_error *err) {
  static const struct { const char *kind, *sql; } sources[] = {
      {"primary", primary_sql}, {"unique", unique_sql}, {"foreign", foreign_sql}};
  enum { SOURCES = sizeof sources / sizeof *sources };
  part *parts[SOURCES];
  size_t total = 0;
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < SOURCES; i++) {
    if ((status = load_parts(s, sources[i].sql, table, arena, &parts[i], err))) return status;
    total += group_count(parts[i]);
  }
  tenon_key *keys = tn_arena_alloc(arena, (total + 1) * sizeof *keys);
  if (!keys) return tn_no_memory(err);
  t->keys = keys;
  for (size_t i = 0; i < SOURCES; i++) {
    for (part *p = parts[i]; p;) {
      bool made;
      size_t count = part_count(p);
      if ((status = make_key(sources[i].kind, p, count, arena, &keys[t->key_count], &made, err)))
        return status;
      t->key_count += made;
      while (count--) p = p->next;
    }
  }
  return TENON_OK;
}

/* ---- The description ---- */

static void release_table(tenon_table *t) {
  tn_arena *arena = t->self;
  tn_schema_release(&t->schema);
  tn_arena_release(arena);
  tn_free(arena);
  *t = (tenon_table){0};
}

static const char *remark_of(const tn_sqlite_field *f) {
  if (f->type.remark) return f->type.remark;
  return f->generated ? "generated" : NULL;
}

static tenon_status fill_columns(const tn_sqlite_table *from, tn_arena *arena, tenon_table *t,
                                 tenon_error *err) {
  tenon_column *columns = tn_arena_alloc(arena, (from->field_count + 1) * sizeof *columns);
  if (!columns) return tn_no_memory(err);
  for (size_t i = 0; i < from->field_count; i++) {
    const tn_sqlite_field *f = &from->fields[i];
    columns[i] = (tenon_column){.name = f->name,
                                .type = f->declared ? f->declared : "",
                                .remark = remark_of(f),
                                .default_value = f->default_value,
                                .nullable = !f->not_null,
                                .key_position = f->key_position};
  }
  t->columns = columns;
  t->column_count = from->field_count;
  return TENON_OK;
}

static tenon_status fill_table(tn_sqlite *s, const tenon_read *read, const tn_sqlite_table *from,
                               tn_arena *arena, tenon_table *t, tenon_error *err) {
  tenon_status status = fill_columns(from, arena, t, err);
  if (!status) status = tn_sqlite_schema(from, NULL, from->field_count, read, &t->schema, err);
  t->kind = from->kind;
  if (status || read->query) return status;
  t->schema_name = "main";
  t->name = from->name;
  t->rows_estimate = tn_sqlite_rows_estimate(s, from->name);
  return load_keys(s, from->name, arena, t, err);
}

static tenon_status describe(tn_sqlite *s, const tenon_read *read, tn_arena *arena, tenon_table *t,
                             tenon_error *err) {
  tn_sqlite_query q = {0};
  tn_sqlite_table table = {0};
  tenon_status status = read->query ? tn_sqlite_query_open(s, read, arena, &q, err)
                                    : tn_sqlite_table_load(s, read, arena, &table, err);
  if (!status) status = fill_table(s, read, read->query ? &q.columns : &table, arena, t, err);
  tn_sqlite_query_release(&q);
  return status ? status : tn_sqlite_verify(s, err);
}

tenon_status tn_sqlite_describe(tenon_ctx *ctx, void *session, const tenon_read *read,
                                tenon_table *ret, tenon_error *err) {
  tn_sqlite *s = session;
  tn_arena *arena = tn_alloc(sizeof *arena);
  if (!arena) return tn_no_memory(err);
  tn_arena_init(arena, MAX_DESCRIPTION);
  tenon_table t = {.struct_size = sizeof t,
                   .rows_estimate = -1,
                   .bytes_estimate = -1,
                   .self = arena,
                   .release = release_table};
  tenon_status status = tn_sqlite_begin(s, ctx, err);
  if (!status) {
    status = describe(s, read, arena, &t, err);
    tn_sqlite_end(s);
  }
  if (status) release_table(&t);
  else *ret = t;
  return status;
}
