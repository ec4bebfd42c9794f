/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Filters as they were written into filters of the columns' own values. A literal that a column
 * cannot hold moves its condition to the nearest value: n >= 2.5 is n >= 3, n = 2.5 holds never. A
 * condition that never holds is an IN of no values; one that holds for all but NULL is IS NOT NULL.
 */
#include "core/filters.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/str.h"
#include "core/literal.h"

/* ---- Columns ---- */

static tenon_status no_column(const struct ArrowSchema *schema, const char *name,
                              tenon_error *err) {
  const char **names = tn_alloc_array((size_t)schema->n_children + 1, sizeof *names), *near = NULL;
  size_t n = 0;
  for (int64_t i = 0; names && i < schema->n_children; i++)
    if (schema->children[i]->name) names[n++] = schema->children[i]->name;
  if (names) near = tn_nearest(name, names, n);
  char remedy[256] = "`tenon describe` lists the columns";
  if (near) snprintf(remedy, sizeof remedy, "did you mean %s?", near);
  tn_free(names);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "there is no column %s", name);
}

tenon_status tn_column_find(const struct ArrowSchema *schema, const char *name, int64_t *ret,
                            tenon_error *err) {
  int64_t found = -1;
  for (int64_t i = 0; i < schema->n_children; i++) {
    if (!schema->children[i]->name || strcmp(schema->children[i]->name, name) != 0) continue;
    if (found >= 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "give the columns different names (select … as …)",
                        "there are two columns %s", name);
    found = i;
  }
  if (found < 0) return no_column(schema, name, err);
  *ret = found;
  return TENON_OK;
}

/* ---- Conditions ---- */

static void make_never(tenon_filter *f) {
  f->op = TENON_IN;
  f->values = NULL;
  f->value_count = 0;
}

static void make_not_null(tenon_filter *f) {
  f->op = TENON_IS_NOT_NULL;
  f->values = NULL;
  f->value_count = 0;
}

static tenon_status make_one(tenon_filter *f, tenon_filter_op op, tenon_value v, tn_arena *arena,
                             tenon_error *err) {
  tenon_value *copy = tn_arena_alloc(arena, sizeof *copy);
  if (!copy) return tn_no_memory(err);
  *copy = v;
  f->op = op;
  f->values = copy;
  f->value_count = 1;
  return TENON_OK;
}

static tenon_status convert_equal(tenon_filter *f, const tn_fit *fit, tn_arena *arena,
                                  tenon_error *err) {
  if (fit->place == TN_EXACT) return make_one(f, f->op, fit->value, arena, err);
  if (f->op == TENON_EQ) make_never(f);
  else make_not_null(f);
  return TENON_OK;
}

static tenon_status convert_order(tenon_filter *f, const tn_fit *fit, tn_arena *arena,
                                  tenon_error *err) {
  bool less = f->op == TENON_LT || f->op == TENON_LE;
  switch (fit->place) {
    case TN_EXACT: return make_one(f, f->op, fit->value, arena, err);
    case TN_BETWEEN:
      return make_one(f, less ? TENON_LE : TENON_GE, less ? fit->below : fit->above, arena, err);
    case TN_BELOW_ALL:
    case TN_ABOVE_ALL: break;
  }
  if (less == (fit->place == TN_ABOVE_ALL)) make_not_null(f);
  else make_never(f);
  return TENON_OK;
}

static tenon_status convert_between(tenon_filter *f, const tn_fit *low, const tn_fit *high,
                                    tn_arena *arena, tenon_error *err) {
  if (low->place == TN_ABOVE_ALL || high->place == TN_BELOW_ALL) {
    make_never(f);
    return TENON_OK;
  }
  tenon_value from = low->place == TN_EXACT ? low->value : low->above;
  tenon_value to = high->place == TN_EXACT ? high->value : high->below;
  if (low->place == TN_BELOW_ALL && high->place == TN_ABOVE_ALL) {
    make_not_null(f);
    return TENON_OK;
  }
  if (low->place == TN_BELOW_ALL) return make_one(f, TENON_LE, to, arena, err);
  if (high->place == TN_ABOVE_ALL) return make_one(f, TENON_GE, from, arena, err);
  tenon_value *both = tn_arena_alloc(arena, 2 * sizeof *both);
  if (!both) return tn_no_memory(err);
  both[0] = from;
  both[1] = to;
  f->values = both;
  return TENON_OK;
}

static tenon_status convert_in(const struct ArrowSchema *column, tenon_filter *f, tn_arena *arena,
                               tenon_error *err) {
  tenon_value *kept = tn_arena_alloc(arena, (f->value_count + 1) * sizeof *kept);
  size_t n = 0;
  if (!kept) return tn_no_memory(err);
  for (size_t i = 0; i < f->value_count; i++) {
    tn_fit fit;
    if (f->values[i].type == TENON_VALUE_NULL) continue;   /* equal to nothing */
    tenon_status status = tn_literal_fit(column, &f->values[i], arena, &fit, err);
    if (status) return status;
    if (fit.place == TN_EXACT) kept[n++] = fit.value;
  }
  f->values = kept;
  f->value_count = n;
  return TENON_OK;
}

static tenon_status check_count(const tenon_filter *f, tenon_error *err) {
  bool about_null = f->op == TENON_IS_NULL || f->op == TENON_IS_NOT_NULL;
  size_t want = f->op == TENON_BETWEEN ? 2 : about_null ? 0 : 1;
  bool is_known = f->op >= TENON_EQ && f->op <= TENON_IS_NOT_NULL;
  if (is_known && (f->op == TENON_IN || f->value_count == want)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL,
                    "filter on column %s: the wrong number of values", f->column);
}

/* ---- Columns whose text does not compare as their values do ---- */

/* The annotation names the type, perhaps with more behind it: numeric(100,2), double precision. */
static bool is_number_as_text(const struct ArrowSchema *column) {
  static const char *const numbers[] = {"numeric", "decimal", "number", "num",   "dec",  "fixed",
                                        "money",   "smallmoney", "double", "real", "float"};
  char type[64];
  if (tn_column_type_of(column).family != TN_TEXT ||
      !tn_schema_annotation(column, "tenon.type", type, sizeof type))
    return false;
  size_t word = strcspn(type, " (");
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++)
    if (strlen(numbers[i]) == word && strncasecmp(type, numbers[i], word) == 0)
      return !strchr(type, '[');
  return false;
}

tenon_status tn_check_compared(const struct ArrowSchema *column, const struct ArrowSchema *declared,
                               const char *what, tenon_error *err) {
  if (declared && strcmp(column->format, declared->format) != 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "leave special_values=text away, say special_values=null instead, or say it "
                      "in a query",
                      "%s column %s: special_values=text made text of it, which does not compare "
                      "as its values do",
                      what, column->name);
  if (!is_number_as_text(column)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "read it as a number where it comes from: numeric_as=decimal(38,10) or "
                    "float64, without special_values=text; or say it in a query",
                    "%s column %s: its numbers are read as text, which compares 10 before 9", what,
                    column->name);
}

static tenon_status check_column(const struct ArrowSchema *column, const tenon_filter *f,
                                 tenon_error *err) {
  tn_family family = tn_column_type_of(column).family;
  if (family == TN_OTHER)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG,
                      "`is null` and `is not null` are there for it",
                      "filter on column %s: values of its type are not compared", column->name);
  tenon_status status = tn_check_compared(column, NULL, "filter on", err);
  if (status) return status;
  if (f->op == TENON_PREFIX && family != TN_TEXT && family != TN_BYTES)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL,
                      "filter on column %s: only text and binary begin with something",
                      column->name);
  return TENON_OK;
}

/* A comparison with NULL is never true, nor is one with a column that has nothing else. */
static bool is_with_null(const struct ArrowSchema *column, const tenon_filter *f) {
  for (size_t i = 0; f->op != TENON_IN && i < f->value_count; i++)
    if (f->values[i].type == TENON_VALUE_NULL) return true;
  return tn_column_type_of(column).family == TN_NULL;
}

/* Values that the type holds exactly become its own; the others stay as they were written. */
static tenon_status convert_exact(const struct ArrowSchema *column, tenon_value *values, size_t n,
                                  tn_arena *arena, tenon_error *err) {
  for (size_t i = 0; i < n; i++) {
    tn_fit fit;
    tenon_status status = tn_literal_fit(column, &values[i], arena, &fit, NULL);
    if (status && status != TENON_CONFIG) return tn_no_memory(err);
    if (!status && fit.place == TN_EXACT) values[i] = fit.value;
  }
  return TENON_OK;
}

static tenon_value *copy_values(const tenon_value *values, size_t n, tn_arena *arena) {
  tenon_value *copy = tn_arena_alloc(arena, (n + 1) * sizeof *copy);
  if (copy && n) memcpy(copy, values, n * sizeof *copy);
  return copy;
}

static tenon_status convert_declared(const struct ArrowSchema *column, tenon_filter *f,
                                     tn_arena *arena, tenon_error *err) {
  tenon_value *values = copy_values(f->values, f->value_count, arena);
  if (!values) return tn_no_memory(err);
  tenon_status status = convert_exact(column, values, f->value_count, arena, err);
  if (!status) f->values = values;
  return status;
}

static tenon_status convert(const struct ArrowSchema *column, bool declared, tenon_filter *f,
                            tn_arena *arena, tenon_error *err) {
  tn_fit fit[2];
  tenon_status status = check_count(f, err);
  if (status || f->op == TENON_IS_NULL || f->op == TENON_IS_NOT_NULL) return status;
  status = check_column(column, f, err);
  if (status) return status;
  if (is_with_null(column, f)) {
    make_never(f);
    return TENON_OK;
  }
  if (declared) return convert_declared(column, f, arena, err);
  if (f->op == TENON_IN) return convert_in(column, f, arena, err);
  for (size_t i = 0; i < f->value_count && !status; i++)
    status = tn_literal_fit(column, &f->values[i], arena, &fit[i], err);
  if (status) return status;
  switch (f->op) {
    case TENON_EQ: case TENON_NE: return convert_equal(f, &fit[0], arena, err);
    case TENON_BETWEEN: return convert_between(f, &fit[0], &fit[1], arena, err);
    case TENON_PREFIX: return make_one(f, f->op, fit[0].value, arena, err);
    default: return convert_order(f, &fit[0], arena, err);
  }
}

static tenon_status convert_all(const struct ArrowSchema *schema, bool declared,
                                const tenon_filter *filters, size_t n, tn_arena *arena,
                                tenon_filter **ret, tenon_error *err) {
  tenon_filter *converted = tn_arena_alloc(arena, (n + 1) * sizeof *converted);
  if (!converted) return tn_no_memory(err);
  for (size_t i = 0; i < n; i++) {
    int64_t at = 0;
    converted[i] = filters[i];
    tenon_status status = tn_column_find(schema, filters[i].column, &at, err);
    if (!status) status = convert(schema->children[at], declared, &converted[i], arena, err);
    if (status) return status;
  }
  *ret = converted;
  return TENON_OK;
}

tenon_status tn_filters_convert(const struct ArrowSchema *schema, const tenon_filter *filters,
                                size_t n, tn_arena *arena,
                                tenon_filter **ret, tenon_error *err) {
  return convert_all(schema, false, filters, n, arena, ret, err);
}

tenon_status tn_filters_declared(const struct ArrowSchema *schema, const tenon_filter *filters,
                                 size_t n, tn_arena *arena, tenon_filter **ret, tenon_error *err) {
  return convert_all(schema, true, filters, n, arena, ret, err);
}

/* ---- The key to go on after ---- */

static tenon_status convert_key(const struct ArrowSchema *column, tenon_value *key, tn_arena *arena,
                                tenon_error *err) {
  tn_fit fit;
  tenon_status status = tn_literal_fit(column, key, arena, &fit, err);
  if (status) return status;
  if (fit.place != TN_EXACT)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give the last row's own value",
                      "the value to go on after is none that column %s can hold", column->name);
  *key = fit.value;
  return TENON_OK;
}

static tenon_status convert_keys(const struct ArrowSchema *schema, bool declared,
                                 const tenon_order *order, size_t n, const tenon_value *after,
                                 tn_arena *arena, tenon_value **ret, tenon_error *err) {
  tenon_value *keys = copy_values(after, n, arena);
  tenon_status status = keys ? TENON_OK : tn_no_memory(err);
  for (size_t i = 0; i < n && !status; i++) {
    int64_t at = 0;
    status = tn_column_find(schema, order[i].column, &at, err);
    if (status || keys[i].type == TENON_VALUE_NULL) continue;
    if (declared) status = convert_exact(schema->children[at], &keys[i], 1, arena, err);
    else status = convert_key(schema->children[at], &keys[i], arena, err);
  }
  if (!status) *ret = keys;
  return status;
}

tenon_status tn_after_convert(const struct ArrowSchema *schema, const tenon_order *order, size_t n,
                              const tenon_value *after,
                              tn_arena *arena, tenon_value **ret, tenon_error *err) {
  return convert_keys(schema, false, order, n, after, arena, ret, err);
}

tenon_status tn_after_declared(const struct ArrowSchema *schema, const tenon_order *order, size_t n,
                               const tenon_value *after, tn_arena *arena, tenon_value **ret,
                               tenon_error *err) {
  return convert_keys(schema, true, order, n, after, arena, ret, err);
}

bool tn_filter_is_never(const tenon_filter *f) { return f->op == TENON_IN && f->value_count == 0; }
