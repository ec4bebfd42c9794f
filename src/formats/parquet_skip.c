/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_skip.h"

#include <string.h>

#include "formats/thrift.h"

typedef __int128 wide;

typedef struct piece {
  const uint8_t *data;       /* NULL: not there */
  size_t size;
} piece;

/* A column's values, or their bounds: whole numbers in the column's smallest unit, or bytes. */
typedef struct bound {
  bool is_text;
  wide whole;
  piece text;
} bound;

typedef struct statistics {
  int64_t nulls;             /* -1: not said */
  piece min, max;
} statistics;

/* What is known of one column of one group. */
typedef struct known {
  bool has_bounds, all_null, no_null;
  bound min, max;
} known;

/* ---- Out of the footer ---- */

static bool read_statistics(const tn_parquet_footer *f, const tn_parquet_chunk *c, statistics *ret) {
  tn_thrift t = {.data = f->data, .size = f->size, .at = c->statistics_at};
  tn_thrift_field field = {0};
  statistics s = {.nulls = -1};
  if (!c->statistics_at) return false;
  while (tn_thrift_next(&t, &field)) {
    switch (field.id) {
      case 3: s.nulls = tn_thrift_int(&t, &field); break;
      case 5: s.max.data = tn_thrift_bytes(&t, &field, &s.max.size); break;
      case 6: s.min.data = tn_thrift_bytes(&t, &field, &s.min.size); break;
      default: tn_thrift_skip(&t, field.type);
    }
  }
  *ret = s;
  return !t.bad;
}

static uint64_t little(piece p) {
  uint64_t v = 0;
  for (size_t i = p.size; i-- > 0;) v = v << 8 | p.data[i];
  return v;
}

/* Two's complement, the highest byte first. */
static wide big(piece p) {
  unsigned __int128 v = p.size && p.data[0] & 0x80 ? ~(unsigned __int128)0 : 0;
  for (size_t i = 0; i < p.size; i++) v = v << 8 | p.data[i];
  return (wide)v;
}

static bool whole_number(const tn_parquet_element *e, bool is_unsigned, piece p, wide *ret) {
  if (e->physical == TN_INT32 && p.size == 4) {
    *ret = is_unsigned ? (wide)(uint32_t)little(p) : (wide)(int32_t)(uint32_t)little(p);
    return true;
  }
  if (e->physical != TN_INT64 || p.size != 8) return false;
  *ret = is_unsigned ? (wide)little(p) : (wide)(int64_t)little(p);
  return true;
}

static bool read_decimal(const tn_parquet_element *e, piece p, wide *ret) {
  if (e->physical == TN_INT32 || e->physical == TN_INT64) return whole_number(e, false, p, ret);
  if (p.size == 0 || p.size > 16 || (e->physical == TN_FIXED_LEN_BYTE_ARRAY && p.size != (size_t)e->type_length)) return false;
  *ret = big(p);
  return true;
}

/* In microseconds, as values of filters are. */
static bool read_timestamp(const tn_parquet_element *e, piece p, wide *ret) {
  bool milli = e->unit == 'm' || (!e->unit && e->converted == TN_TIMESTAMP_MILLIS);
  bool micro = e->unit == 'u' || (!e->unit && e->converted == TN_TIMESTAMP_MICROS);
  if ((!milli && !micro) || e->physical != TN_INT64 || !whole_number(e, false, p, ret)) return false;
  if (milli) *ret *= 1000;
  return true;
}

static bool read_bound(const tn_parquet_element *e, const char *format, piece p, bound *ret) {
  *ret = (bound){.is_text = format[0] == 'u', .text = p};
  if (!p.data) return false;
  if (format[0] == 'u') return e->physical == TN_BYTE_ARRAY;
  if (format[0] == 'd') return read_decimal(e, p, &ret->whole);
  if (format[0] == 't' && format[1] == 's') return read_timestamp(e, p, &ret->whole);
  if (strcmp(format, "tdD") == 0) return e->physical == TN_INT32 && whole_number(e, false, p, &ret->whole);
  if (strchr("csil", format[0])) return whole_number(e, false, p, &ret->whole);
  if (strchr("CSIL", format[0])) return whole_number(e, true, p, &ret->whole);
  if (format[0] != 'b' || e->physical != TN_BOOLEAN || p.size != 1) return false;
  ret->whole = p.data[0] != 0;
  return true;
}

static int compare_text(piece a, piece b) {
  size_t n = a.size < b.size ? a.size : b.size;
  int order = n ? memcmp(a.data, b.data, n) : 0;
  return order ? order : (a.size > b.size) - (a.size < b.size);
}

static int compare(const bound *a, const bound *b) {
  if (a->is_text) return compare_text(a->text, b->text);
  return (a->whole > b->whole) - (a->whole < b->whole);
}

static known look_at(const tn_parquet_footer *f, size_t group, const tn_parquet_chunk *c, const char *format) {
  const tn_parquet_element *e = &f->elements[c->leaf];
  statistics s;
  known k = {0};
  if (e->old_bounds || !e->has_order || c->bad_bounds || c->values != f->groups[group].rows || !read_statistics(f, c, &s)) return k;
  k.all_null = s.nulls == c->values;
  k.no_null = s.nulls == 0 || e->repetition == TN_REQUIRED;
  k.has_bounds = read_bound(e, format, s.min, &k.min) && read_bound(e, format, s.max, &k.max) && compare(&k.min, &k.max) <= 0;
  return k;
}

static bool contradict(const tn_parquet_footer *f, const tn_parquet_chunk *c, const char *format) {
  const tn_parquet_element *e = &f->elements[c->leaf];
  statistics s;
  bound min, max;
  if (!read_statistics(f, c, &s)) return false;
  bool has_min = read_bound(e, format, s.min, &min), has_max = read_bound(e, format, s.max, &max);
  if ((s.min.data && !has_min) || (s.max.data && !has_max)) return true;
  return has_min && has_max && compare(&min, &max) > 0;
}

/* Leaves and columns have the same order. */
void tn_parquet_doubt(const tn_parquet_footer *f, const struct ArrowSchema *file, tn_parquet_column *columns) {
  for (size_t g = 0; g < f->group_count; g++)
    for (size_t i = 0, column = 0; i < f->leaf_count; i++) {
      const tn_parquet_chunk *c = &f->chunks[f->groups[g].chunk + i];
      while (columns[column].end <= c->leaf) column++;
      if (columns[column].is_plain && contradict(f, c, file->children[column]->format)) columns[column].is_plain = false;
    }
}

/* ---- Out of the filter ---- */

/* Digits such as -12.50 with as many behind the point as the column has; false: it has more, or is none. */
static bool value_of_decimal(const char *format, const tenon_value *v, wide *ret) {
  const char *comma = strchr(format, ',');
  int scale = 0, behind = -1;
  wide n = 0;
  size_t i = v->size && v->data[0] == '-';
  for (const char *c = comma ? comma + 1 : "x"; *c; c++) {
    if (*c < '0' || *c > '9' || scale > 38) return false;
    scale = scale * 10 + (*c - '0');
  }
  if (i == v->size || v->size > 42) return false;
  for (; i < v->size; i++) {
    char c = v->data[i];
    if (c == '.' && behind < 0) behind = 0;
    else if (c < '0' || c > '9' || __builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, c - '0', &n)) return false;
    else if (behind >= 0) behind++;
  }
  for (behind = behind < 0 ? 0 : behind; behind < scale; behind++)
    if (__builtin_mul_overflow(n, 10, &n)) return false;
  *ret = v->data[0] == '-' ? -n : n;
  return behind == scale;
}

static bool value_of(const char *format, const tenon_value *v, bound *ret) {
  *ret = (bound){.is_text = format[0] == 'u', .whole = v->i, .text = {(const uint8_t *)v->data, v->size}};
  if (format[0] == 'u') return v->type == TENON_VALUE_TEXT;
  if (format[0] == 'd') return v->type == TENON_VALUE_DECIMAL && value_of_decimal(format, v, &ret->whole);
  if (format[0] == 'b') return v->type == TENON_VALUE_BOOL;
  if (strcmp(format, "tdD") == 0) return v->type == TENON_VALUE_DATE;
  if (format[0] == 't') return v->type == TENON_VALUE_TIMESTAMP && v->size == 0;
  return v->type == TENON_VALUE_INT;
}

/* ---- Both ---- */

/* Strings that begin so lie together, from the prefix itself on. */
static bool never_begins(const known *k, const bound *v) {
  piece min = k->min.text, prefix = v->text;
  if (!v->is_text) return false;
  if (compare(&k->max, v) < 0) return true;
  return compare(&k->min, v) > 0 && (min.size < prefix.size || memcmp(min.data, prefix.data, prefix.size) != 0);
}

static bool never_equals(const known *k, const bound *v) { return compare(v, &k->min) < 0 || compare(v, &k->max) > 0; }

/* Bounds of text may be cut, so that even if both are equal nothing need be so. */
static bool never_differs(const known *k, const bound *v) {
  return !v->is_text && compare(&k->min, v) == 0 && compare(&k->max, v) == 0;
}

static bool never_compares(const known *k, tenon_filter_op op, const bound *v) {
  switch (op) {
    case TENON_EQ: case TENON_IN: return never_equals(k, v);
    case TENON_NE: return never_differs(k, v);
    case TENON_LT: return compare(&k->min, v) >= 0;
    case TENON_LE: return compare(&k->min, v) > 0;
    case TENON_GT: return compare(&k->max, v) <= 0;
    case TENON_GE: return compare(&k->max, v) < 0;
    case TENON_PREFIX: return never_begins(k, v);
    default: return false;
  }
}

static bool never_between(const known *k, const char *format, const tenon_filter *f) {
  bound low, high;
  if (f->value_count != 2 || !value_of(format, &f->values[0], &low) || !value_of(format, &f->values[1], &high)) return false;
  return compare(&high, &k->min) < 0 || compare(&low, &k->max) > 0;
}

static bool never_holds(const known *k, const char *format, const tenon_filter *f) {
  bound v;
  if (f->op == TENON_IS_NULL) return k->no_null;
  if (k->all_null) return true;   /* comparisons with NULL are never true */
  if (f->op == TENON_IS_NOT_NULL || !k->has_bounds) return false;
  if (f->op == TENON_BETWEEN) return never_between(k, format, f);
  for (size_t i = 0; i < f->value_count; i++)
    if (!value_of(format, &f->values[i], &v) || !never_compares(k, f->op, &v)) return false;
  return f->value_count > 0;
}

void tn_parquet_skip(const tn_parquet_footer *f, const tn_parquet_types *t, int64_t column, const tenon_filter *filter, bool *groups) {
  const tn_parquet_column *c = &t->columns[column];
  if (!c->is_plain) return;
  for (size_t g = 0; g < f->group_count; g++)
    for (size_t i = f->groups[g].chunk; groups[g] && i < f->groups[g].chunk + f->leaf_count; i++) {
      if (f->chunks[i].leaf != c->begin) continue;
      const known k = look_at(f, g, &f->chunks[i], t->schema.children[column]->format);
      if (never_holds(&k, t->schema.children[column]->format, filter)) groups[g] = false;
    }
}
