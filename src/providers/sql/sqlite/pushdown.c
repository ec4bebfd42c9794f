/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A read as SQL. SQLite is given a filter, an order or an `after` only where it means by it what
 * tenon/value.h says; the rest is the core's.
 *
 * What makes them differ, and what is done about it:
 *   - A column may hold values of any class. One that does not fit its declared type is an error
 *     when it is read, so for those that fit the comparison within one class is enough. Values of
 *     another class than the column's pass its filters, so that a column of dates that holds
 *     numbers is an error and not an empty answer; the column is always read for that, also where
 *     it was not asked for. Where misfits become NULL (special_values=null)
 *     nothing is pushed on columns that may have them.
 *   - Text compares by the column's collation: COLLATE BINARY is said. It is bytewise in the
 *     encoding of the file, so ranges are pushed for UTF-8 files alone.
 *   - NULLs come first in SQLite: NULLS LAST is said, except where there are none, so that an index
 *     gives the order.
 *   - A time has several spellings that fit; equal times may differ as text. They are compared in
 *     their longest spelling, with a space and six digits behind the second. That is no column that
 *     an index could know; but all spellings begin with the date, so the days around are said, too.
 *     Times with an offset have no such spelling: of them only the days are said, and the core
 *     looks at what remains.
 *   - NaN cannot be bound. Integers that are read as the nearest double compare as integers.
 *   - Decimals up to 2^53 units are stored as the nearest double, or as an integer. Rounding keeps
 *     their order and no two of them are one double, so doubles compare as the decimals do.
 */
#include "sqlite.h"

#include <math.h>
#include <stdio.h>

#include "base/civil.h"

enum { MAX_SQL = 4 << 20, MAX_IN = 1000, MAX_FILTERS = 64, DATE_ROOM = 40 };

typedef struct maker {
  const tn_sqlite *session;
  const tn_sqlite_table *table;
  const tenon_read *read;
  tn_arena *arena;
  tn_sqlite_select *out;
  const char *glue;          /* WHERE, then AND */
} maker;

/* ---- Decimals ---- */

/* -12.50 as -1250 and 2 digits behind the point; false where it is longer than an int64. */
static bool parse_decimal(const tenon_value *v, int64_t *ret, int32_t *ret_scale) {
  int64_t n = 0;
  int32_t scale = 0;
  bool point = false, minus = v->size && v->data[0] == '-';
  for (size_t i = minus || (v->size && v->data[0] == '+'); i < v->size; i++) {
    if (v->data[i] == '.' && !point) {
      point = true;
      continue;
    }
    if (v->data[i] < '0' || v->data[i] > '9') return false;
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, v->data[i] - '0', &n))
      return false;
    scale += point;
  }
  *ret = minus ? -n : n;
  *ret_scale = scale;
  return v->size > 0;
}

/* The double that a stored decimal of this value is; false where it may be another. */
static bool decimal_as_double(const tenon_value *v, int32_t column_scale, double *ret) {
  int64_t n, back;
  int32_t scale;
  if (!parse_decimal(v, &n, &scale) || scale > 22 || n > (INT64_C(1) << 53) ||
      n < -(INT64_C(1) << 53))
    return false;
  double power = 1;
  for (int32_t i = 0; i < scale; i++) power *= 10;
  *ret = (double)n / power;
  return tn_sqlite_unscaled(*ret, column_scale, &back);
}

/* ---- What may be pushed ---- */

/* Are misfits of this column errors, or impossible? Then nobody has to look at what is left out. */
static bool is_plain(const maker *m, const tn_sqlite_field *f) {
  return f->sure || m->read->special_values != TENON_SPECIAL_NULL;
}

static bool is_date_text(int64_t days) {
  int64_t year;
  int month, day;
  tn_civil_of_days(days, &year, &month, &day);
  return year >= 0 && year <= 9999;
}

static bool is_timestamp_text(const tenon_value *v) {
  const int64_t day = INT64_C(86400000000);
  return v->type == TENON_VALUE_TIMESTAMP && is_date_text(v->i / day - (v->i % day < 0));
}

static bool is_time_text(const tenon_value *v) {
  return v->type == TENON_VALUE_TIME && v->i >= 0 && v->i < INT64_C(86400000000);
}

static bool compares(const maker *m, const tn_sqlite_field *f, const tenon_value *v, bool range) {
  double unused;
  switch (f->type.rule) {
    case TN_SQLITE_INT: return v->type == TENON_VALUE_INT;
    case TN_SQLITE_REAL: return v->type == TENON_VALUE_DOUBLE && !isnan(v->f) && !f->type.rounds;
    case TN_SQLITE_BOOL: return v->type == TENON_VALUE_BOOL;
    case TN_SQLITE_BLOB: return v->type == TENON_VALUE_BYTES;
    case TN_SQLITE_TEXT: return v->type == TENON_VALUE_TEXT && (m->session->utf8 || !range);
    case TN_SQLITE_DATE: return v->type == TENON_VALUE_DATE && is_date_text(v->i);
    case TN_SQLITE_DECIMAL:
      return v->type == TENON_VALUE_DECIMAL && decimal_as_double(v, f->type.scale, &unused);
    case TN_SQLITE_TIMESTAMP: return is_timestamp_text(v) && m->session->utf8;
    case TN_SQLITE_TIME: return is_time_text(v) && m->session->utf8;
    case TN_SQLITE_UNDECIDED:
    case TN_SQLITE_INSTANT:
    case TN_SQLITE_NUMBER_TEXT:
    case TN_SQLITE_ANY_TEXT: break;
  }
  return false;
}

static bool orders(const maker *m, const tn_sqlite_field *f) {
  switch (f->type.rule) {
    case TN_SQLITE_INT:
    case TN_SQLITE_REAL:
    case TN_SQLITE_BOOL:
    case TN_SQLITE_BLOB:
    case TN_SQLITE_DATE:
    case TN_SQLITE_NUMBER_TEXT:
    case TN_SQLITE_DECIMAL: return is_plain(m, f) && !f->type.rounds;
    case TN_SQLITE_TEXT:
    case TN_SQLITE_TIME:
    case TN_SQLITE_TIMESTAMP: return is_plain(m, f) && m->session->utf8;
    default: return false;
  }
}

static bool is_range(tenon_filter_op op) {
  return op != TENON_EQ && op != TENON_NE && op != TENON_IN;
}

static bool is_pushed(const maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  if (!is_plain(m, f) || filter->value_count > MAX_IN) return false;
  if (filter->op == TENON_IS_NULL || filter->op == TENON_IS_NOT_NULL) return true;
  if (filter->op == TENON_PREFIX && f->type.rule != TN_SQLITE_TEXT &&
      f->type.rule != TN_SQLITE_BLOB)
    return false;
  for (size_t i = 0; i < filter->value_count; i++)
    if (!compares(m, f, &filter->values[i], is_range(filter->op))) return false;
  return filter->value_count > 0;
}

/* ---- Writing it ---- */

/* A collation that is said keeps SQLite from using indexes for an OR: only where it is needed. */
static void put_column(maker *m, const tn_sqlite_field *f) {
  bool is_number = f->type.rule == TN_SQLITE_INT || f->type.rule == TN_SQLITE_REAL ||
                   f->type.rule == TN_SQLITE_BOOL || f->type.rule == TN_SQLITE_DECIMAL ||
                   f->type.rule == TN_SQLITE_NUMBER_TEXT;
  tn_sqlite_quote(&m->out->sql, f->name);
  if (!is_number && !f->bytewise) tn_str_puts(&m->out->sql, " COLLATE BINARY");
}

/* A time in its longest spelling: what is missing at its end is taken from the pattern. */
static void put_longest(maker *m, const tn_sqlite_field *f, const char *pattern) {
  tn_str *sql = &m->out->sql;
  tn_str_puts(sql, "substr(replace(");
  tn_sqlite_quote(sql, f->name);
  tn_str_printf(sql, ", 'T', ' ') || substr('%s', length(", pattern);
  tn_sqlite_quote(sql, f->name);
  tn_str_printf(sql, ") + 1), 1, %zu)", strlen(pattern));
}

/* What is compared and ordered of a column. */
static void put_comparable(maker *m, const tn_sqlite_field *f) {
  if (f->type.rule == TN_SQLITE_TIMESTAMP) put_longest(m, f, "0000-00-00 00:00:00.000000");
  else if (f->type.rule == TN_SQLITE_TIME) put_longest(m, f, "00:00:00.000000");
  else put_column(m, f);
}

static bool put_bind(maker *m, const tn_sqlite_field *f, const tenon_value *v) {
  tn_sqlite_select *q = m->out;
  if (q->bind_count == q->bind_room) return false;
  q->binds[q->bind_count] = v;
  q->bind_types[q->bind_count++] = &f->type;
  return tn_str_printf(&q->sql, "?%zu", q->bind_count);
}

static bool put_compare(maker *m, const tn_sqlite_field *f, const char *op, const tenon_value *v) {
  put_comparable(m, f);
  tn_str_puts(&m->out->sql, op);
  return put_bind(m, f, v);
}

static bool put_in(maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  put_comparable(m, f);
  for (size_t i = 0; i < filter->value_count; i++) {
    tn_str_puts(&m->out->sql, i ? ", " : " IN (");
    if (!put_bind(m, f, &filter->values[i])) return false;
  }
  return tn_str_putc(&m->out->sql, ')');
}

/* The least bytes behind all that start with these: the last one that can be raised is raised. */
static const tenon_value *behind_prefix(maker *m, const tenon_value *prefix, bool *ret_none) {
  size_t n = prefix->size;
  while (n > 0 && (unsigned char)prefix->data[n - 1] == 0xFF) n--;
  *ret_none = n == 0;
  tenon_value *v = n ? tn_arena_alloc(m->arena, sizeof *v) : NULL;
  char *data = v ? tn_arena_strndup(m->arena, prefix->data, n) : NULL;
  if (!data) return NULL;
  data[n - 1] = (char)((unsigned char)data[n - 1] + 1);
  *v = (tenon_value){.type = prefix->type, .data = data, .size = n};
  return v;
}

static bool put_prefix(maker *m, const tn_sqlite_field *f, const tenon_value *prefix) {
  bool none;
  const tenon_value *end = behind_prefix(m, prefix, &none);
  if (!end && !none) return false;
  if (!put_compare(m, f, " >= ", prefix)) return false;
  if (none) return true;
  tn_str_puts(&m->out->sql, " AND ");
  return put_compare(m, f, " < ", end);
}

static bool put_between(maker *m, const tn_sqlite_field *f, const tenon_value *values) {
  if (!put_compare(m, f, " >= ", &values[0])) return false;
  tn_str_puts(&m->out->sql, " AND ");
  return put_compare(m, f, " <= ", &values[1]);
}

/* Classes sort as NULL, numbers, text, blobs: those beside the column's own are ranges for an
 * index, too, and the planner is told that they are empty. */
static const char *const not_number[] = {">= ''", NULL};
static const char *const not_text[] = {">= x''", "< ''", NULL};
static const char *const not_blob[] = {"< x''", NULL};

static const char *const *other_classes(const tn_sqlite_field *f) {
  switch (f->type.rule) {
    case TN_SQLITE_INT:
    case TN_SQLITE_REAL:
    case TN_SQLITE_BOOL:
    case TN_SQLITE_DECIMAL: return not_number;
    case TN_SQLITE_BLOB: return not_blob;
    default: return not_text;
  }
}

static void put_misfits(maker *m, const tn_sqlite_field *f) {
  for (const char *const *range = other_classes(f); *range; range++) {
    tn_str_puts(&m->out->sql, " OR likelihood(");
    put_column(m, f);
    tn_str_printf(&m->out->sql, " %s, 0.000001)", *range);
  }
}

static bool put_filter(maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  static const char *const signs[] = {[TENON_EQ] = " = ", [TENON_NE] = " <> ", [TENON_LT] = " < ",
                                      [TENON_LE] = " <= ", [TENON_GT] = " > ", [TENON_GE] = " >= "};
  switch (filter->op) {
    case TENON_IS_NULL:
    case TENON_IS_NOT_NULL:
      tn_sqlite_quote(&m->out->sql, f->name);
      return tn_str_puts(&m->out->sql, filter->op == TENON_IS_NULL ? " IS NULL" : " IS NOT NULL");
    case TENON_IN: return put_in(m, f, filter);
    case TENON_BETWEEN: return filter->value_count == 2 && put_between(m, f, filter->values);
    case TENON_PREFIX: return put_prefix(m, f, &filter->values[0]);
    default: return put_compare(m, f, signs[filter->op], &filter->values[0]);
  }
}

static bool put_checked_filter(maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  bool about_null = filter->op == TENON_IS_NULL || filter->op == TENON_IS_NOT_NULL;
  tn_str_printf(&m->out->sql, "%s(", m->glue);
  m->glue = " AND ";
  if (!put_filter(m, f, filter)) return false;
  if (!f->sure && !about_null) put_misfits(m, f);
  return tn_str_putc(&m->out->sql, ')');
}

/* ---- Days around times ---- */

static bool is_time(const tn_sqlite_field *f) {
  return f->type.rule == TN_SQLITE_TIMESTAMP || f->type.rule == TN_SQLITE_INSTANT;
}

static bool has_day_bounds(const maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  /* 0001-01-01 to 9999-12-30 */
  const int64_t day = INT64_C(86400000000), first = -719162 * day, last = 2932895 * day;
  if (!is_time(f) || !is_plain(m, f) || !m->session->utf8 || !filter->value_count ||
      filter->value_count > 2)
    return false;
  for (size_t i = 0; i < filter->value_count; i++)
    if (filter->values[i].type != TENON_VALUE_TIMESTAMP || filter->values[i].i < first ||
        filter->values[i].i > last)
      return false;
  return filter->op == TENON_EQ || filter->op == TENON_LT || filter->op == TENON_LE ||
         filter->op == TENON_GT || filter->op == TENON_GE ||
         (filter->op == TENON_BETWEEN && filter->value_count == 2);
}

/* Text of the day, some days away: an offset may put the written date a day before or behind. */
static bool put_day(maker *m, const tn_sqlite_field *f, const char *op, int64_t us, int64_t away) {
  int64_t day = INT64_C(86400000000), days = us / day - (us % day < 0);
  int month, of_month;
  int64_t year;
  char *text = tn_arena_alloc(m->arena, DATE_ROOM);
  tenon_value *v = tn_arena_alloc(m->arena, sizeof *v);
  if (!text || !v) return false;
  tn_civil_of_days(days + away, &year, &month, &of_month);
  snprintf(text, DATE_ROOM, "%04lld-%02d-%02d", (long long)year, month, of_month);
  *v = (tenon_value){.type = TENON_VALUE_TEXT, .data = text, .size = strlen(text)};
  tn_str_printf(&m->out->sql, "%s(", m->glue);
  m->glue = " AND ";
  put_column(m, f);
  tn_str_printf(&m->out->sql, " %s ", op);
  if (!put_bind(m, f, v)) return false;
  put_misfits(m, f);
  return tn_str_putc(&m->out->sql, ')');
}

static bool put_day_bounds(maker *m, const tn_sqlite_field *f, const tenon_filter *filter) {
  int64_t slack = f->type.rule == TN_SQLITE_INSTANT;
  bool low = filter->op != TENON_LT && filter->op != TENON_LE,
       high = filter->op != TENON_GT && filter->op != TENON_GE;
  return (!low || put_day(m, f, ">=", filter->values[0].i, -slack)) &&
         (!high || put_day(m, f, "<", filter->values[filter->value_count - 1].i, 1 + slack));
}

static tenon_status put_filters(maker *m, tenon_error *err) {
  const tenon_read *read = m->read;
  if (read->filter_count > MAX_FILTERS)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "ask with at most 64 filters",
                      "%zu filters", read->filter_count);
  for (size_t i = 0; i < read->filter_count; i++) {
    size_t at;
    tenon_status status = tn_sqlite_field_find(m->table, read->filters[i].column, &at, err);
    if (status) return status;
    const tn_sqlite_field *f = &m->table->fields[at];
    if (has_day_bounds(m, f, &read->filters[i]) && !put_day_bounds(m, f, &read->filters[i]))
      return tn_no_memory(err);
    if (!is_pushed(m, f, &read->filters[i])) continue;
    if (!put_checked_filter(m, f, &read->filters[i])) return tn_no_memory(err);
    m->out->filters_applied |= UINT64_C(1) << i;
  }
  return TENON_OK;
}

/* ---- Order, and going on behind a row ---- */

static tenon_status find_order(maker *m, const tn_sqlite_field **fields, bool *ret_all,
                               tenon_error *err) {
  *ret_all = true;
  for (size_t i = 0; i < m->read->order_count; i++) {
    size_t at;
    tenon_status status = tn_sqlite_field_find(m->table, m->read->order[i].column, &at, err);
    if (status) return status;
    fields[i] = &m->table->fields[at];
    *ret_all &= orders(m, fields[i]);
  }
  return TENON_OK;
}

static bool can_resume(const maker *m, const tn_sqlite_field *const *fields) {
  for (size_t i = 0; i < m->read->order_count; i++)
    if (m->read->after[i].type != TENON_VALUE_NULL &&
        !compares(m, fields[i], &m->read->after[i], true))
      return false;
  return true;
}

/* (a > 1 OR a IS NULL) OR (a = 1 AND (…the next columns…)); NULLs are behind all values. */
static bool put_behind(maker *m, const tn_sqlite_field *const *fields, size_t i) {
  const tenon_value *v = &m->read->after[i];
  const tn_sqlite_field *f = fields[i];
  tn_str *sql = &m->out->sql;
  bool last = i + 1 == m->read->order_count, null = v->type == TENON_VALUE_NULL;
  tn_str_putc(sql, '(');
  if (null) {
    if (last) return tn_str_puts(sql, "0)");
    tn_sqlite_quote(sql, f->name);
    tn_str_puts(sql, " IS NULL AND ");
    return put_behind(m, fields, i + 1) && tn_str_putc(sql, ')');
  }
  if (!put_compare(m, f, m->read->order[i].descending ? " < " : " > ", v)) return false;
  if (!f->not_null) {
    tn_str_puts(sql, " OR ");
    tn_sqlite_quote(sql, f->name);
    tn_str_puts(sql, " IS NULL");
  }
  if (!last) {
    tn_str_puts(sql, " OR (");
    if (!put_compare(m, f, " = ", v)) return false;
    tn_str_puts(sql, " AND ");
    if (!put_behind(m, fields, i + 1)) return false;
    tn_str_putc(sql, ')');
  }
  return tn_str_putc(sql, ')');
}

/* The first column alone lets an index begin where the rows do. */
static bool put_after(maker *m, const tn_sqlite_field *const *fields) {
  const tenon_value *first = &m->read->after[0];
  tn_str_puts(&m->out->sql, m->glue);
  m->glue = " AND ";
  if (m->read->order_count > 1 && fields[0]->not_null && first->type != TENON_VALUE_NULL) {
    if (!put_compare(m, fields[0], m->read->order[0].descending ? " <= " : " >= ", first))
      return false;
    tn_str_puts(&m->out->sql, " AND ");
  }
  return put_behind(m, fields, 0);
}

static void put_order(maker *m, const tn_sqlite_field *const *fields) {
  for (size_t i = 0; i < m->read->order_count; i++) {
    bool descending = m->read->order[i].descending;
    tn_str_puts(&m->out->sql, i ? ", " : " ORDER BY ");
    put_comparable(m, fields[i]);
    tn_str_puts(&m->out->sql, descending ? " DESC" : fields[i]->not_null ? "" : " NULLS LAST");
  }
}

static tenon_status put_sequence(maker *m, tenon_error *err) {
  size_t n = m->read->order_count;
  bool ordered;
  if (!n) return TENON_OK;
  const tn_sqlite_field **fields = tn_arena_alloc(m->arena, n * sizeof *fields);
  if (!fields) return tn_no_memory(err);
  tenon_status status = find_order(m, fields, &ordered, err);
  if (status || !ordered) return status;
  m->out->applied |= TENON_APPLIED_ORDER;
  if (m->read->after && can_resume(m, fields)) {
    m->out->applied |= TENON_APPLIED_AFTER;
    if (!put_after(m, fields)) return tn_no_memory(err);
  }
  put_order(m, fields);
  return TENON_OK;
}

/* ---- The whole ---- */

static bool is_chosen(const tn_sqlite_select *q, size_t field) {
  for (size_t i = 0; i < q->column_count; i++)
    if (q->columns[i] == field) return true;
  return false;
}

/* A column that the SQL decides by: its misfits pass, so its values are read, and thereby checked. */
static tenon_status choose_checked(maker *m, const char *name, tenon_error *err) {
  size_t at;
  tenon_status status = tn_sqlite_field_find(m->table, name, &at, err);
  if (status || m->table->fields[at].sure || is_chosen(m->out, at)) return status;
  m->out->columns[m->out->column_count++] = at;
  return TENON_OK;
}

/* Those asked for, and behind them those that are only checked. */
static tenon_status choose_columns(maker *m, tenon_error *err) {
  const tenon_read *read = m->read;
  tn_sqlite_select *q = m->out;
  size_t asked = read->columns ? read->column_count : m->table->field_count;
  size_t room = asked + read->filter_count + read->order_count + 1;
  q->columns = tn_arena_alloc(m->arena, room * sizeof *q->columns);
  if (!q->columns) return tn_no_memory(err);
  tenon_status status = TENON_OK;
  for (size_t i = 0; !status && i < asked; i++) {
    q->columns[i] = i;
    if (read->columns)
      status = tn_sqlite_field_find(m->table, read->columns[i], &q->columns[i], err);
  }
  q->column_count = asked;
  for (size_t i = 0; !status && i < read->filter_count; i++)
    if (read->filters[i].op != TENON_IS_NULL)
      status = choose_checked(m, read->filters[i].column, err);
  for (size_t i = 0; !status && i < read->order_count; i++)
    status = choose_checked(m, read->order[i].column, err);
  if (q->column_count == asked) q->applied |= TENON_APPLIED_COLUMNS;
  return status;
}

static tenon_status put_columns(maker *m, tenon_error *err) {
  tn_sqlite_select *q = m->out;
  tenon_status status = choose_columns(m, err);
  if (status) return status;
  for (size_t i = 0; i < q->column_count; i++) {
    tn_str_puts(&q->sql, i ? ", " : "SELECT ");
    tn_sqlite_quote(&q->sql, m->table->fields[q->columns[i]].name);
  }
  if (!q->column_count) tn_str_puts(&q->sql, "SELECT 1");
  tn_str_puts(&q->sql, " FROM main.");
  tn_sqlite_quote(&q->sql, m->table->name);
  return TENON_OK;
}

static bool all_applied(const maker *m) {
  const tenon_read *read = m->read;
  uint64_t all = read->filter_count == 64 ? UINT64_MAX : (UINT64_C(1) << read->filter_count) - 1;
  return m->out->filters_applied == all &&
         (!read->order_count || (m->out->applied & TENON_APPLIED_ORDER)) &&
         (!read->after || (m->out->applied & TENON_APPLIED_AFTER));
}

static tenon_status make_room(maker *m, tenon_error *err) {
  size_t room = 4 * m->read->order_count;
  for (size_t i = 0; i < m->read->filter_count; i++) room += m->read->filters[i].value_count + 2;
  m->out->binds = tn_arena_alloc(m->arena, room * sizeof *m->out->binds);
  m->out->bind_types = tn_arena_alloc(m->arena, room * sizeof *m->out->bind_types);
  m->out->bind_room = room;
  return m->out->binds && m->out->bind_types ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_sqlite_select_make(const tn_sqlite *s, const tn_sqlite_table *table,
                                   const tenon_read *read, tn_arena *arena, tn_sqlite_select *ret,
                                   tenon_error *err) {
  tn_sqlite_select q = {0};
  maker m = {
      .session = s, .table = table, .read = read, .arena = arena, .out = &q, .glue = " WHERE "};
  tn_str_init(&q.sql, MAX_SQL);
  tenon_status status = make_room(&m, err);
  if (!status) status = put_columns(&m, err);
  if (!status) status = put_filters(&m, err);
  if (!status) status = put_sequence(&m, err);
  if (!status && read->limit >= 0 && all_applied(&m)) {
    tn_str_printf(&q.sql, " LIMIT %lld", (long long)read->limit);
    q.applied |= TENON_APPLIED_LIMIT;
  }
  if (!status && q.sql.failed) status = tn_no_memory(err);
  if (status) {
    tn_sqlite_select_release(&q);
    return status;
  }
  *ret = q;
  return TENON_OK;
}

void tn_sqlite_select_release(tn_sqlite_select *q) { tn_str_release(&q->sql); }

/* ---- Binding ---- */

static int bind_printed(sqlite3_stmt *stmt, int index, const char *text) {
  return sqlite3_bind_text(stmt, index, text, -1, SQLITE_TRANSIENT);
}

static void print_date(int64_t days, char *text, size_t room) {
  int64_t year;
  int month, day;
  tn_civil_of_days(days, &year, &month, &day);
  snprintf(text, room, "%04lld-%02d-%02d", (long long)year, month, day);
}

static void print_time(int64_t us, char *text, size_t room) {
  int64_t s = us / 1000000;
  int n =
      snprintf(text, room, "%02d:%02d:%02d", (int)(s / 3600), (int)(s / 60 % 60), (int)(s % 60));
  if (us % 1000000 && n > 0 && (size_t)n < room)
    snprintf(text + n, room - (size_t)n, ".%06d", (int)(us % 1000000));
}

static int bind_date(sqlite3_stmt *stmt, int index, int64_t days) {
  char text[40];
  print_date(days, text, sizeof text);
  return bind_printed(stmt, index, text);
}

static int bind_time(sqlite3_stmt *stmt, int index, int64_t us) {
  char text[40];
  print_time(us, text, sizeof text);
  return bind_printed(stmt, index, text);
}

/* As a time is compared. */
static int bind_longest(sqlite3_stmt *stmt, int index, const tenon_value *v) {
  char date[40], text[82];
  int64_t day = 86400 * INT64_C(1000000), days = v->i / day - (v->i % day < 0),
          us = v->i - days * day, s = us / 1000000;
  print_date(days, date, sizeof date);
  snprintf(text, sizeof text, "%s%s%02d:%02d:%02d.%06d", v->type == TENON_VALUE_TIME ? "" : date,
           v->type == TENON_VALUE_TIME ? "" : " ", (int)(s / 3600), (int)(s / 60 % 60),
           (int)(s % 60), (int)(us % 1000000));
  return bind_printed(stmt, index, text);
}

static int bind_timestamp(sqlite3_stmt *stmt, int index, int64_t us) {
  char date[40], time[40], text[82];
  int64_t day = 86400 * INT64_C(1000000), days = us / day - (us % day < 0);
  print_date(days, date, sizeof date);
  print_time(us - days * day, time, sizeof time);
  snprintf(text, sizeof text, "%s %s", date, time);
  return bind_printed(stmt, index, text);
}

/* As a number where it is one exactly, else as its digits. */
static int bind_decimal(sqlite3_stmt *stmt, int index, const tenon_value *v) {
  int64_t n;
  int32_t scale;
  double f;
  if (parse_decimal(v, &n, &scale) && scale == 0) return sqlite3_bind_int64(stmt, index, n);
  if (decimal_as_double(v, scale, &f)) return sqlite3_bind_double(stmt, index, f);
  return sqlite3_bind_text(stmt, index, v->data, (int)v->size, SQLITE_TRANSIENT);
}

static int bind_any(sqlite3_stmt *stmt, int index, const tenon_value *v) {
  if (v->size > INT32_MAX) return SQLITE_TOOBIG;
  switch (v->type) {
    case TENON_VALUE_NULL: return sqlite3_bind_null(stmt, index);
    case TENON_VALUE_BOOL:
    case TENON_VALUE_INT: return sqlite3_bind_int64(stmt, index, v->i);
    case TENON_VALUE_DOUBLE: return sqlite3_bind_double(stmt, index, v->f);
    case TENON_VALUE_DECIMAL: return bind_decimal(stmt, index, v);
    case TENON_VALUE_TEXT:
      return sqlite3_bind_text(stmt, index, v->data ? v->data : "", (int)v->size, SQLITE_TRANSIENT);
    case TENON_VALUE_BYTES:
      return sqlite3_bind_blob(stmt, index, v->data ? v->data : "", (int)v->size, SQLITE_TRANSIENT);
    case TENON_VALUE_DATE: return bind_date(stmt, index, v->i);
    case TENON_VALUE_TIME: return bind_time(stmt, index, v->i);
    case TENON_VALUE_TIMESTAMP: return bind_timestamp(stmt, index, v->i);
  }
  return SQLITE_MISUSE;
}

tenon_status tn_sqlite_bind_value(tn_sqlite *s, sqlite3_stmt *stmt, int index, const tenon_value *v,
                                  tenon_error *err) {
  int code = bind_any(stmt, index, v);
  return code == SQLITE_OK ? TENON_OK : tn_sqlite_fail(s, code, err);
}

static int bind_compared(sqlite3_stmt *stmt, int index, const tn_sqlite_type *type,
                         const tenon_value *v) {
  double f;
  if (v->type == TENON_VALUE_TIMESTAMP || v->type == TENON_VALUE_TIME)
    return bind_longest(stmt, index, v);
  if (type->rule == TN_SQLITE_DECIMAL && decimal_as_double(v, type->scale, &f))
    return sqlite3_bind_double(stmt, index, f);
  return bind_any(stmt, index, v);
}

tenon_status tn_sqlite_select_bind(tn_sqlite *s, const tn_sqlite_select *q, sqlite3_stmt *stmt,
                                   tenon_error *err) {
  for (size_t i = 0; i < q->bind_count; i++) {
    int code = bind_compared(stmt, (int)i + 1, q->bind_types[i], q->binds[i]);
    if (code != SQLITE_OK) return tn_sqlite_fail(s, code, err);
  }
  return TENON_OK;
}
