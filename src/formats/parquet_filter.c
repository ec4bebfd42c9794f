/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_filter.h"

#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"

enum { MAX_DAYS = 100000000, MAX_CONDITION = 4 << 20 };

static const int64_t MAX_MICROS = INT64_C(1) << 61;

static bool number_sql(const tenon_value *v, tn_str *sql) {
  return v->type == TENON_VALUE_INT && tn_str_printf(sql, "%lld", (long long)v->i);
}

/* Only digits that the column's type has room for: others never equal a value of it, and are compared elsewhere. */
static bool decimal_sql(const char *format, const tenon_value *v, tn_str *sql) {
  char *end;
  long precision = strtol(format + 2, &end, 10), scale = strtol(end + 1, NULL, 10);
  if (v->type != TENON_VALUE_DECIMAL || v->size == 0) return false;
  long whole = 0, fraction = 0, *digits = &whole;
  for (size_t i = v->data[0] == '-'; i < v->size; i++) {
    if (v->data[i] == '.' && digits == &whole) digits = &fraction;
    else if (v->data[i] >= '0' && v->data[i] <= '9') ++*digits;
    else return false;
  }
  if (whole == 0 || whole > precision - scale || fraction > scale) return false;
  tn_str_puts(sql, "CAST('");
  tn_str_add(sql, v->data, v->size);
  return tn_str_printf(sql, "' AS DECIMAL(%ld,%ld))", precision, scale);
}

static bool text_sql(const tenon_value *v, tn_str *sql) {
  size_t bad;
  if (v->type != TENON_VALUE_TEXT || memchr(v->data, 0, v->size) || !tn_utf8_valid(v->data, v->size, &bad)) return false;
  return tn_sql_literal(sql, v->data, v->size);
}

static bool value_sql(const char *f, const tenon_value *v, tn_str *sql) {
  if (v->type == TENON_VALUE_NULL) return tn_str_puts(sql, "NULL");
  if (strchr("cCsSiIlL", f[0])) return number_sql(v, sql);
  if (f[0] == 'b') return v->type == TENON_VALUE_BOOL && tn_str_puts(sql, v->i ? "true" : "false");
  if (f[0] == 'u') return text_sql(v, sql);
  if (f[0] == 'd') return decimal_sql(f, v, sql);
  if (strcmp(f, "tdD") == 0)
    return v->type == TENON_VALUE_DATE && llabs(v->i) < MAX_DAYS && tn_str_printf(sql, "(DATE '1970-01-01' + %lld)", (long long)v->i);
  if (f[0] == 't' && f[1] == 's')
    return v->type == TENON_VALUE_TIMESTAMP && v->size == 0 && llabs(v->i) < MAX_MICROS && tn_str_printf(sql, "make_timestamp(%lld)", (long long)v->i);
  return false;
}

static bool values_sql(const char *f, const tenon_filter *filter, const char *between, tn_str *sql) {
  for (size_t i = 0; i < filter->value_count; i++) {
    if (i) tn_str_puts(sql, between);
    if (!value_sql(f, &filter->values[i], sql)) return false;
  }
  return true;
}

static bool condition_sql(const char *f, const char *name, const tenon_filter *filter, tn_str *sql) {
  static const char *const operators[] = {[TENON_EQ] = " = ", [TENON_NE] = " <> ", [TENON_LT] = " < ",
                                          [TENON_LE] = " <= ", [TENON_GT] = " > ", [TENON_GE] = " >= "};
  if (filter->op == TENON_PREFIX) {
    tn_str_puts(sql, "starts_with(");
    tn_sql_name(sql, name);
    tn_str_puts(sql, ", ");
    return f[0] == 'u' && values_sql(f, filter, "", sql) && tn_str_putc(sql, ')');
  }
  tn_sql_name(sql, name);
  switch (filter->op) {
    case TENON_EQ: case TENON_NE: case TENON_LT: case TENON_LE: case TENON_GT: case TENON_GE:
      return tn_str_puts(sql, operators[filter->op]) && values_sql(f, filter, "", sql);
    case TENON_IN: return tn_str_puts(sql, " IN (") && values_sql(f, filter, ", ", sql) && tn_str_putc(sql, ')');
    case TENON_BETWEEN: return tn_str_puts(sql, " BETWEEN ") && values_sql(f, filter, " AND ", sql);
    case TENON_IS_NULL: return tn_str_puts(sql, " IS NULL");
    case TENON_IS_NOT_NULL: return tn_str_puts(sql, " IS NOT NULL");
    case TENON_PREFIX: break;
  }
  return false;
}

bool tn_parquet_filter_sql(const tn_parquet_types *t, int64_t i, const tenon_filter *filter, tn_str *sql) {
  bool about_null = filter->op == TENON_IS_NULL || filter->op == TENON_IS_NOT_NULL;
  bool holds_never = filter->op == TENON_IN && filter->value_count == 0;   /* SQL has no way to say so */
  if (holds_never || (!about_null && !t->columns[i].is_plain)) return false;
  tn_str condition;
  tn_str_init(&condition, MAX_CONDITION);
  bool ok = condition_sql(t->schema.children[i]->format, t->columns[i].engine_name, filter, &condition) && !condition.failed &&
            tn_str_add(sql, condition.data, condition.size);
  tn_str_release(&condition);
  return ok;
}
