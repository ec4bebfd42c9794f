/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A user's query. Its columns are typed by the declarations they come from; an expression has none
 * and is typed by its values in the first rows. These rows are kept and come out first, so that the
 * query runs once.
 */
#include "sqlite.h"

enum { MAX_KEPT_BYTES = 4 << 20 };

void tn_sqlite_query_release(tn_sqlite_query *q) {
  size_t columns = q->columns.field_count;
  for (size_t i = 0; i < q->kept_rows * columns; i++) sqlite3_value_free(q->cells[i]);
  tn_free(q->cells);
  sqlite3_finalize(q->stmt);
  *q = (tn_sqlite_query){0};
}

static tenon_status bind_params(tn_sqlite *s, const tenon_read *read, sqlite3_stmt *stmt,
                                tenon_error *err) {
  size_t wanted = (size_t)sqlite3_bind_parameter_count(stmt);
  if (wanted != read->param_count)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "give one value for each placeholder",
                      "the query has %zu placeholders, and %zu values were given", wanted,
                      read->param_count);
  for (size_t i = 0; i < read->param_count; i++) {
    tenon_status status = tn_sqlite_bind_value(s, stmt, (int)i + 1, &read->params[i], err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status declare_columns(const tenon_read *read, tn_arena *arena, tn_sqlite_query *q,
                                    tenon_error *err) {
  tn_sqlite_table *t = &q->columns;
  size_t count = (size_t)sqlite3_column_count(q->stmt);
  *t = (tn_sqlite_table){.name = "the query", .kind = "query"};
  t->fields = tn_arena_alloc(arena, count * sizeof *t->fields);
  if (!t->fields) return tn_no_memory(err);
  for (size_t i = 0; i < count; i++) {
    const char *name = sqlite3_column_name(q->stmt, (int)i),
               *declared = sqlite3_column_decltype(q->stmt, (int)i);
    tn_sqlite_field *f = &t->fields[i];
    *f = (tn_sqlite_field){.name = name ? tn_arena_strdup(arena, name) : NULL,
                           .declared = tn_arena_strdup(arena, declared ? declared : "")};
    if (!f->name || !f->declared) return tn_no_memory(err);
    tenon_status status = tn_sqlite_type_of(f->declared, false, read, &f->type, err);
    if (status) return status;
  }
  t->field_count = count;
  return TENON_OK;
}

/* ---- The first rows ---- */

static bool is_decided(const tn_sqlite_table *t) {
  for (size_t i = 0; i < t->field_count; i++)
    if (t->fields[i].type.rule == TN_SQLITE_UNDECIDED) return false;
  return true;
}

static bool make_room(tn_sqlite_query *q) {
  size_t need = (q->kept_rows + 1) * q->columns.field_count;
  if (need <= q->cell_room) return true;
  size_t room = q->cell_room ? 2 * q->cell_room : need;
  if (room < need) room = need;
  sqlite3_value **cells = tn_resize(q->cells, room * sizeof *cells);
  if (!cells) return false;
  q->cells = cells;
  q->cell_room = room;
  return true;
}

/* Keeps the row that the statement is at; *bytes grows by its size. */
static tenon_status keep_row(tn_sqlite_query *q, size_t *bytes, tenon_error *err) {
  size_t columns = q->columns.field_count, i = 0;
  if (!make_room(q)) return tn_no_memory(err);
  sqlite3_value **row = q->cells + q->kept_rows * columns;
  for (; i < columns; i++) {
    sqlite3_value *cell = sqlite3_column_value(q->stmt, (int)i);
    int storage = sqlite3_value_type(cell);
    *bytes += storage == SQLITE_TEXT || storage == SQLITE_BLOB ? (size_t)sqlite3_value_bytes(cell)
                                                               : sizeof(int64_t);
    row[i] = sqlite3_value_dup(cell);
    if (!row[i]) break;
  }
  if (i == columns) {
    q->kept_rows++;
    return TENON_OK;
  }
  while (i > 0) sqlite3_value_free(row[--i]);
  return tn_no_memory(err);
}

static tenon_status keep_rows(tn_sqlite *s, tn_sqlite_query *q, tenon_error *err) {
  size_t bytes = 0;
  bool row = true;
  while ((int64_t)q->kept_rows < s->config->sample_rows && bytes < MAX_KEPT_BYTES) {
    tenon_status status = tn_sqlite_step(s, q->stmt, &row, err);
    if (!status && row) status = keep_row(q, &bytes, err);
    if (status) return status;
    q->finished = !row;
    if (!row) break;
  }
  return TENON_OK;
}

static tenon_status decide_columns(tn_sqlite *s, const tenon_read *read, tn_sqlite_query *q,
                                   tenon_error *err) {
  size_t n = q->columns.field_count;
  tenon_status status = keep_rows(s, q, err);
  for (size_t i = 0; !status && i < n; i++) {
    tn_sqlite_seen seen = {0};
    if (q->columns.fields[i].type.rule != TN_SQLITE_UNDECIDED) continue;
    for (size_t row = 0; row < q->kept_rows; row++) tn_sqlite_see(&seen, q->cells[row * n + i]);
    status = tn_sqlite_type_by_values(&seen, read, &q->columns.fields[i].type, err);
  }
  return status;
}

tenon_status tn_sqlite_query_open(tn_sqlite *s, const tenon_read *read, tn_arena *arena,
                                  tn_sqlite_query *ret, tenon_error *err) {
  tn_sqlite_query q = {0};
  tenon_status status = tn_sqlite_prepare_query(s, read->query, &q.stmt, err);
  if (!status) status = bind_params(s, read, q.stmt, err);
  if (!status) status = declare_columns(read, arena, &q, err);
  if (!status && !is_decided(&q.columns)) status = decide_columns(s, read, &q, err);
  if (status) {
    tn_sqlite_query_release(&q);
    return status;
  }
  *ret = q;
  return TENON_OK;
}
