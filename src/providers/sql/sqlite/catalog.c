/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What SQLite says of a table: its columns with their declared types, and by those how they are
 * read.
 */
#include "sqlite.h"

#include <stdio.h>
#include <stdlib.h>

enum { MAX_FIELDS = 32767, MAX_SELECT = 4 << 20 };

void tn_sqlite_quote(tn_str *sql, const char *name) {
  tn_str_putc(sql, '"');
  for (; *name; name++) {
    if (*name == '"') tn_str_putc(sql, '"');
    tn_str_putc(sql, *name);
  }
  tn_str_putc(sql, '"');
}

tenon_status tn_sqlite_text(tn_arena *arena, sqlite3_stmt *stmt, int column, const char **ret,
                            tenon_error *err) {
  *ret = NULL;
  if (sqlite3_column_type(stmt, column) == SQLITE_NULL) return TENON_OK;
  const char *text = (const char *)sqlite3_column_text(stmt, column);
  if (text) *ret = tn_arena_strdup(arena, text);
  return *ret ? TENON_OK : tn_no_memory(err);
}

static tenon_status prepare_on(tn_sqlite *s, const char *sql, const char *table, sqlite3_stmt **ret,
                               tenon_error *err) {
  tenon_status status = tn_sqlite_prepare(s, sql, ret, err);
  if (!status) sqlite3_bind_text(*ret, 1, table, -1, SQLITE_TRANSIENT);
  return status;
}

/* ---- The table ---- */

static const char *kind_of(const char *type) {
  if (strcmp(type, "view") == 0) return "view";
  return strcmp(type, "virtual") == 0 ? "virtual table" : "table";
}

/* The most alike of the names that there are, for the error. */
static tenon_status fail_no_table(tn_sqlite *s, const char *name, tenon_error *err) {
  enum { LIMIT = 3 };
  size_t best = LIMIT;
  char nearest[128] = "", remedy[256];
  sqlite3_stmt *stmt = NULL;
  bool row = false;
  tenon_status status =
      tn_sqlite_prepare(s, "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')", &stmt,
                        err);
  while (!status && !(status = tn_sqlite_step(s, stmt, &row, err)) && row) {
    const char *other = (const char *)sqlite3_column_text(stmt, 0);
    size_t distance = other ? tn_edit_distance(name, other, LIMIT) : LIMIT;
    if (distance >= best) continue;
    best = distance;
    snprintf(nearest, sizeof nearest, "%s", other);
  }
  sqlite3_finalize(stmt);
  if (status) return status;
  if (*nearest)
    snprintf(remedy, sizeof remedy, "did you mean %s? `tenon ls` shows what there is", nearest);
  else snprintf(remedy, sizeof remedy, "`tenon ls` shows what there is");
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "%s has no table %s",
                    s->config->path, name);
}

static tenon_status check_name(tn_sqlite *s, const tenon_name *name, tenon_error *err) {
  if (name->catalog && *name->catalog)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "leave it out",
                      "SQLite has no catalogs: %s", name->catalog);
  if (name->schema && *name->schema && strcmp(name->schema, "main") != 0)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
                      "leave it out: a SQLite file has the one schema main", "%s has no schema %s",
                      s->config->path, name->schema);
  if (!name->table || !*name->table)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "`tenon ls` shows what there is",
                      "no table is named");
  return TENON_OK;
}

/* SQLite lists the schema's own table under its newer name, and finds it there by the older one. */
static const char *listed_name(const char *name) {
  return sqlite3_stricmp(name, "sqlite_schema") == 0 ? "sqlite_master" : name;
}

static tenon_status load_table(tn_sqlite *s, const char *name, tn_arena *arena,
                               tn_sqlite_table *ret, tenon_error *err) {
  static const char sql[] =
      "SELECT name, type, wr, strict FROM pragma_table_list(?1) WHERE schema = 'main' "
      "ORDER BY name <> ?1 LIMIT 1";
  sqlite3_stmt *stmt = NULL;
  bool row = false;
  tenon_status status = prepare_on(s, sql, listed_name(name), &stmt, err);
  if (!status) status = tn_sqlite_step(s, stmt, &row, err);
  if (!status && !row) status = fail_no_table(s, name, err);
  if (!status) status = tn_sqlite_text(arena, stmt, 0, &ret->name, err);
  if (!status) {
    ret->kind = kind_of((const char *)sqlite3_column_text(stmt, 1));
    ret->without_rowid = sqlite3_column_int(stmt, 2);
    ret->strict = sqlite3_column_int(stmt, 3);
  }
  sqlite3_finalize(stmt);
  return status;
}

/* ---- Its columns ---- */

enum { HIDDEN_ORDINARY = 0, HIDDEN_VIRTUAL = 2, HIDDEN_STORED = 3 }; /* of PRAGMA table_xinfo */

static tenon_status load_field(sqlite3_stmt *stmt, tn_arena *arena, tn_sqlite_field *f,
                               tenon_error *err) {
  tenon_status status = tn_sqlite_text(arena, stmt, 0, &f->name, err);
  if (!status) status = tn_sqlite_text(arena, stmt, 1, &f->declared, err);
  if (!status) status = tn_sqlite_text(arena, stmt, 3, &f->default_value, err);
  if (!status && !f->name) f->name = "";
  f->not_null = sqlite3_column_int(stmt, 2);
  f->key_position = sqlite3_column_int(stmt, 4);
  f->generated = sqlite3_column_int(stmt, 5) != HIDDEN_ORDINARY;
  return status;
}

static tenon_status step_field(tn_sqlite *s, sqlite3_stmt *stmt, tn_arena *arena,
                               tn_sqlite_table *t, bool *ret_row, tenon_error *err) {
  tenon_status status = tn_sqlite_step(s, stmt, ret_row, err);
  if (status || !*ret_row) return status;
  int hidden = sqlite3_column_int(stmt, 5);
  if (hidden != HIDDEN_ORDINARY && hidden != HIDDEN_VIRTUAL && hidden != HIDDEN_STORED)
    return TENON_OK;
  tn_sqlite_field *more = tn_resize(t->fields, (t->field_count + 1) * sizeof *more);
  if (!more) return tn_no_memory(err);
  t->fields = more;
  more[t->field_count] = (tn_sqlite_field){0};
  return load_field(stmt, arena, &more[t->field_count++], err);
}

/* Fields are gathered in a growing array, then moved to the arena. */
static tenon_status keep_fields(tn_arena *arena, tn_sqlite_table *t, tenon_error *err) {
  tn_sqlite_field *grown = t->fields;
  t->fields = tn_arena_alloc(arena, (t->field_count + 1) * sizeof *grown);
  if (t->fields && grown) memcpy(t->fields, grown, t->field_count * sizeof *grown);
  tn_free(grown);
  return t->fields ? TENON_OK : tn_no_memory(err);
}

static tenon_status load_fields(tn_sqlite *s, tn_arena *arena, tn_sqlite_table *t,
                                tenon_error *err) {
  static const char sql[] =
      "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main')";
  sqlite3_stmt *stmt = NULL;
  bool row = true;
  t->fields = NULL;
  t->field_count = 0;
  tenon_status status = prepare_on(s, sql, t->name, &stmt, err);
  while (!status && row && t->field_count < MAX_FIELDS)
    status = step_field(s, stmt, arena, t, &row, err);
  sqlite3_finalize(stmt);
  tenon_status kept = keep_fields(arena, t, status ? NULL : err);
  return status ? status : kept;
}

/* SELECT of some of the columns; limit < 0: none. */
static tenon_status prepare_select(tn_sqlite *s, const tn_sqlite_table *t,
                                   bool (*take)(const tn_sqlite_field *), int64_t limit,
                                   sqlite3_stmt **ret, tenon_error *err) {
  tn_str sql;
  tn_str_init(&sql, MAX_SELECT);
  tn_str_puts(&sql, "SELECT");
  const char *comma = " ";
  for (size_t i = 0; i < t->field_count; i++) {
    if (!take(&t->fields[i])) continue;
    tn_str_puts(&sql, comma);
    tn_sqlite_quote(&sql, t->fields[i].name);
    comma = ", ";
  }
  tn_str_puts(&sql, " FROM main.");
  tn_sqlite_quote(&sql, t->name);
  tn_str_printf(&sql, " LIMIT %lld", (long long)limit);
  tenon_status status = sql.failed ? tn_no_memory(err) : tn_sqlite_prepare(s, sql.data, ret, err);
  tn_str_release(&sql);
  return status;
}

static bool take_all(const tn_sqlite_field *f) { return f != NULL; }

/* Of a view's expressions table_xinfo tells an affinity as if it were declared; the statement does
 * not. */
static tenon_status load_view_types(tn_sqlite *s, tn_arena *arena, tn_sqlite_table *t,
                                    tenon_error *err) {
  sqlite3_stmt *stmt = NULL;
  if (t->field_count == 0) return TENON_OK;
  tenon_status status = prepare_select(s, t, take_all, 0, &stmt, err);
  for (size_t i = 0; !status && i < t->field_count; i++) {
    const char *declared = sqlite3_column_decltype(stmt, (int)i);
    t->fields[i].declared = declared ? tn_arena_strdup(arena, declared) : "";
    if (!t->fields[i].declared) status = tn_no_memory(err);
  }
  sqlite3_finalize(stmt);
  return status;
}

/* ---- Which columns hold what they declare ---- */

/* INTEGER PRIMARY KEY is the rowid, unless an index is kept for it (INTEGER PRIMARY KEY DESC). */
static tenon_status find_rowid(tn_sqlite *s, tn_sqlite_table *t, tenon_error *err) {
  tn_sqlite_field *key = NULL;
  int keys = 0;
  for (size_t i = 0; i < t->field_count; i++) {
    if (!t->fields[i].key_position) continue;
    key = &t->fields[i];
    keys++;
  }
  if (keys != 1 || t->without_rowid || !key->declared ||
      sqlite3_stricmp(key->declared, "INTEGER") != 0)
    return TENON_OK;
  sqlite3_stmt *stmt = NULL;
  bool indexed = false;
  tenon_status status =
      prepare_on(s, "SELECT 1 FROM pragma_index_list(?1, 'main') WHERE origin = 'pk'", t->name,
                 &stmt, err);
  if (!status) status = tn_sqlite_step(s, stmt, &indexed, err);
  sqlite3_finalize(stmt);
  if (!status && !indexed) key->sure = key->not_null = true;
  return status;
}

static void find_collations(tn_sqlite *s, tn_sqlite_table *t) {
  for (size_t i = 0; i < t->field_count; i++) {
    const char *collation = NULL;
    int code = sqlite3_table_column_metadata(s->db, "main", t->name, t->fields[i].name, NULL,
                                             &collation, NULL, NULL, NULL);
    t->fields[i].bytewise =
        code == SQLITE_OK && collation && sqlite3_stricmp(collation, "BINARY") == 0;
  }
}

static void find_strict(tn_sqlite_table *t) {
  for (size_t i = 0; t->strict && i < t->field_count; i++)
    t->fields[i].sure = t->fields[i].declared && sqlite3_stricmp(t->fields[i].declared, "ANY") != 0;
}

/* ---- Columns without a declared type ---- */

static bool is_undecided(const tn_sqlite_field *f) { return f->type.rule == TN_SQLITE_UNDECIDED; }

static tenon_status sample(tn_sqlite *s, sqlite3_stmt *stmt, tn_sqlite_seen *seen,
                           tenon_error *err) {
  bool row = true;
  int count = sqlite3_column_count(stmt);
  for (;;) {
    tenon_status status = tn_sqlite_step(s, stmt, &row, err);
    if (status || !row) return status;
    for (int i = 0; i < count; i++) tn_sqlite_see(&seen[i], sqlite3_column_value(stmt, i));
  }
}

/* Of the table's first rows without any filter, so that a column has one type whatever is asked. */
static tenon_status decide_fields(tn_sqlite *s, const tenon_read *read, tn_sqlite_table *t,
                                  tenon_error *err) {
  size_t undecided = 0;
  for (size_t i = 0; i < t->field_count; i++) undecided += is_undecided(&t->fields[i]);
  if (!undecided) return TENON_OK;
  tn_sqlite_seen *seen = tn_alloc_array(undecided, sizeof *seen);
  if (!seen) return tn_no_memory(err);
  sqlite3_stmt *stmt = NULL;
  tenon_status status = prepare_select(s, t, is_undecided, s->config->sample_rows, &stmt, err);
  if (!status) status = sample(s, stmt, seen, err);
  sqlite3_finalize(stmt);
  for (size_t i = 0, k = 0; !status && i < t->field_count; i++)
    if (is_undecided(&t->fields[i]))
      status = tn_sqlite_type_by_values(&seen[k++], read, &t->fields[i].type, err);
  tn_free(seen);
  return status;
}

static tenon_status type_fields(tn_sqlite *s, const tenon_read *read, tn_sqlite_table *t,
                                tenon_error *err) {
  for (size_t i = 0; i < t->field_count; i++) {
    tn_sqlite_field *f = &t->fields[i];
    tenon_status status = tn_sqlite_type_of(f->declared, f->sure, read, &f->type, err);
    if (status) return status;
  }
  return decide_fields(s, read, t, err);
}

/* ---- All of it ---- */

tenon_status tn_sqlite_table_load(tn_sqlite *s, const tenon_read *read, tn_arena *arena,
                                  tn_sqlite_table *ret, tenon_error *err) {
  tn_sqlite_table t = {0};
  tenon_status status = check_name(s, &read->name, err);
  if (!status) status = load_table(s, read->name.table, arena, &t, err);
  if (!status) status = load_fields(s, arena, &t, err);
  if (!status && strcmp(t.kind, "view") == 0) status = load_view_types(s, arena, &t, err);
  if (!status && strcmp(t.kind, "table") == 0) status = find_rowid(s, &t, err);
  if (status) return status;
  find_strict(&t);
  find_collations(s, &t);
  status = type_fields(s, read, &t, err);
  if (!status) *ret = t;
  return status;
}

int64_t tn_sqlite_rows_estimate(tn_sqlite *s, const char *table) {
  sqlite3_stmt *stmt = NULL;
  bool row = true;
  int64_t most = -1;
  if (prepare_on(s, "SELECT stat FROM main.sqlite_stat1 WHERE tbl = ?1", table, &stmt, NULL) !=
      TENON_OK)
    return -1;
  while (tn_sqlite_step(s, stmt, &row, NULL) == TENON_OK && row) {
    const char *stat = (const char *)sqlite3_column_text(stmt, 0);
    int64_t n = stat ? strtoll(stat, NULL, 10) : -1;
    if (n > most) most = n;
  }
  sqlite3_finalize(stmt);
  return most;
}

tenon_status tn_sqlite_field_find(const tn_sqlite_table *t, const char *name, size_t *ret,
                                  tenon_error *err) {
  size_t best = 3;
  const char *nearest = NULL;
  for (size_t i = 0; i < t->field_count; i++) {
    if (strcmp(t->fields[i].name, name) == 0) {
      *ret = i;
      return TENON_OK;
    }
    size_t distance = tn_edit_distance(name, t->fields[i].name, best);
    if (distance < best) {
      best = distance;
      nearest = t->fields[i].name;
    }
  }
  char remedy[256];
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s?", nearest);
  else snprintf(remedy, sizeof remedy, "`tenon describe` shows its columns");
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "%s has no column %s", t->name,
                    name);
}
