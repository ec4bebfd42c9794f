/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition is a column, an operator and operands of the column's own type. Numbers, dates and
 * times are compared as exact integers: an operand between two of them (2.5 for an integer column)
 * is its floor and a fraction, and every comparison stays right.
 */
#include "core/filter.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arrow/take.h"
#include "base/civil.h"
#include "base/error.h"
#include "base/float.h"
#include "base/str.h"
#include "core/exact.h"
#include "core/session.h"

typedef enum value_class {
  CLASS_NONE,       /* nothing but `is null` */
  CLASS_BOOL, CLASS_INT, CLASS_UINT, CLASS_DECIMAL, CLASS_WIDE_DECIMAL, CLASS_FLOAT, CLASS_DOUBLE,
  CLASS_TEXT, CLASS_LARGE_TEXT, CLASS_BYTES, CLASS_LARGE_BYTES, CLASS_FIXED_BYTES, CLASS_DATE, CLASS_TIME, CLASS_TIMESTAMP
} value_class;

typedef struct operand {
  bool is_null, has_fraction;
  __int128 whole;
  tn_exact wide;
  double f;
  const char *data;
  size_t size;
} operand;

/* One comparison of a value with an operand: less, equal or greater. */
typedef int (*compare_fn)(const tn_condition *, const struct ArrowArray *, int64_t i, const operand *);

struct tn_condition {
  int64_t column;
  value_class class;
  int32_t width;
  tenon_filter_op op;
  compare_fn compare;
  operand *operands;
  size_t count;
};

/* ---- Columns ---- */

tenon_status tn_column_find(const struct ArrowSchema *schema, const char *name, int64_t *ret, tenon_error *err) {
  const char **names = tn_alloc_array((size_t)schema->n_children + 1, sizeof *names);
  if (!names) return tn_no_memory(err);
  int64_t at = -1;
  for (int64_t i = 0; i < schema->n_children; i++) {
    names[i] = schema->children[i]->name;
    if (strcmp(names[i], name) == 0 && at < 0) at = i;
  }
  const char *near = at < 0 ? tn_nearest(name, names, (size_t)schema->n_children) : NULL;
  tn_free(names);
  if (at >= 0) {
    *ret = at;
    return TENON_OK;
  }
  char remedy[256] = "`tenon describe` lists the columns";
  if (near) snprintf(remedy, sizeof remedy, "did you mean %s?", near);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, remedy, "there is no column %s", name);
}

static value_class class_of(const struct ArrowSchema *s, int32_t *ret_width) {
  static const struct { char format; value_class class; int32_t width; } plain[] = {
      {'b', CLASS_BOOL, 1}, {'c', CLASS_INT, 1},  {'s', CLASS_INT, 2},  {'i', CLASS_INT, 4},  {'l', CLASS_INT, 8},
      {'C', CLASS_UINT, 1}, {'S', CLASS_UINT, 2}, {'I', CLASS_UINT, 4}, {'L', CLASS_UINT, 8}, {'f', CLASS_FLOAT, 4},
      {'g', CLASS_DOUBLE, 8}, {'u', CLASS_TEXT, 0}, {'U', CLASS_LARGE_TEXT, 0}, {'z', CLASS_BYTES, 0}, {'Z', CLASS_LARGE_BYTES, 0}};
  const char *f = s->format;
  *ret_width = 0;
  if (s->dictionary) return CLASS_NONE;
  for (size_t i = 0; !f[1] && i < sizeof plain / sizeof plain[0]; i++)
    if (plain[i].format == f[0]) {
      *ret_width = plain[i].width;
      return plain[i].class;
    }
  if (f[0] == 'w') {
    *ret_width = (int32_t)strtol(f + 2, NULL, 10);
    return CLASS_FIXED_BYTES;
  }
  if (f[0] == 'd') {
    bool is_wide = strstr(f, ",256") && strchr(f, ',') != strrchr(f, ',');
    *ret_width = is_wide ? 32 : 16;
    return is_wide ? CLASS_WIDE_DECIMAL : CLASS_DECIMAL;
  }
  *ret_width = strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0 ? 4 : 8;
  if (strncmp(f, "td", 2) == 0) return CLASS_DATE;
  if (strncmp(f, "tt", 2) == 0) return CLASS_TIME;
  return strncmp(f, "ts", 2) == 0 ? CLASS_TIMESTAMP : CLASS_NONE;
}

static int scale_of(const char *format) {
  const char *comma = strchr(format, ',');
  return comma ? (int)strtol(comma + 1, NULL, 10) : 0;
}

static bool has_zone(const struct ArrowSchema *s) {
  const char *colon = strchr(s->format, ':');
  return colon && colon[1];
}

/* ---- Values into the column's type ---- */

static tenon_status misfit(const struct ArrowSchema *s, const tenon_value *v, const char *wanted, tenon_error *err) {
  char shown[64] = "the value";
  if (v->type == TENON_VALUE_TEXT || v->type == TENON_VALUE_DECIMAL)
    snprintf(shown, sizeof shown, "'%.*s'", v->size > 40 ? 40 : (int)v->size, v->data);
  else if (v->type == TENON_VALUE_INT)
    snprintf(shown, sizeof shown, "%lld", (long long)v->i);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "filter on column %s: %s is not %s", s->name, shown, wanted);
}

/* The number as text, if the value is one. */
static bool number_text(const tenon_value *v, tn_arena *arena, tenon_value *ret) {
  char text[64];
  size_t n = 0;
  if (v->type == TENON_VALUE_DECIMAL || v->type == TENON_VALUE_TEXT || (v->type == TENON_VALUE_DOUBLE && v->data)) {
    tn_exact unused;
    *ret = (tenon_value){.type = TENON_VALUE_DECIMAL, .data = v->data, .size = v->size};
    return tn_exact_parse(v->data, v->size, 0, &unused);
  }
  if (v->type == TENON_VALUE_INT) n = (size_t)snprintf(text, sizeof text, "%lld", (long long)v->i);
  else if (v->type == TENON_VALUE_DOUBLE && isfinite(v->f)) n = tn_print_f64(v->f, text);
  const char *copy = n ? tn_arena_strndup(arena, text, n) : NULL;
  *ret = (tenon_value){.type = TENON_VALUE_DECIMAL, .data = copy, .size = n};
  return copy != NULL;
}

/* An integer stays one where it is one and fits; else its digits, which compare exactly too. */
static tenon_status to_integer(const struct ArrowSchema *s, const tenon_value *v, tn_arena *arena, tenon_value *ret, tenon_error *err) {
  tenon_value text;
  tn_exact e;
  if (!number_text(v, arena, &text) || !tn_exact_parse(text.data, text.size, 0, &e)) return misfit(s, v, "a number", err);
  __int128 n = tn_exact_128(&e);
  if (!e.has_fraction && n >= INT64_MIN && n <= INT64_MAX) *ret = (tenon_value){.type = TENON_VALUE_INT, .i = (int64_t)n};
  else *ret = text;
  return TENON_OK;
}

static tenon_status to_decimal(const struct ArrowSchema *s, const tenon_value *v, tn_arena *arena, tenon_value *ret, tenon_error *err) {
  return number_text(v, arena, ret) ? TENON_OK : misfit(s, v, "a number", err);
}

static tenon_status to_float(const struct ArrowSchema *s, const tenon_value *v, tenon_value *ret, tenon_error *err) {
  tenon_value d = {.type = TENON_VALUE_DOUBLE, .f = v->f};
  float narrow;
  bool ok = v->type == TENON_VALUE_DOUBLE || v->type == TENON_VALUE_INT;
  if (v->type == TENON_VALUE_INT) d.f = (double)v->i;
  else if (v->type == TENON_VALUE_DECIMAL || v->type == TENON_VALUE_TEXT) ok = tn_parse_f64(v->data, v->size, &d.f);
  if (ok && strcmp(s->format, "f") == 0) {
    /* once from the digits: rounding twice could miss the nearest float */
    if (!v->data || !tn_parse_f32(v->data, v->size, &narrow)) narrow = (float)d.f;
    d.f = (double)narrow;
  }
  if (!ok) return misfit(s, v, "a number", err);
  *ret = d;
  return TENON_OK;
}

static tenon_status to_bool(const struct ArrowSchema *s, const tenon_value *v, tenon_value *ret, tenon_error *err) {
  bool is_text = v->type == TENON_VALUE_TEXT;
  bool yes = v->type == TENON_VALUE_BOOL ? v->i != 0 : is_text && v->size == 4 && strncasecmp(v->data, "true", 4) == 0;
  bool no = v->type == TENON_VALUE_BOOL ? v->i == 0 : is_text && v->size == 5 && strncasecmp(v->data, "false", 5) == 0;
  if (!yes && !no) return misfit(s, v, "true or false", err);
  *ret = (tenon_value){.type = TENON_VALUE_BOOL, .i = yes};
  return TENON_OK;
}

/* Of the value's bytes: requests are only borrowed, and conditions outlive them. */
static tenon_status keep_bytes(const tenon_value *v, tenon_value_type type, tn_arena *arena, tenon_value *ret, tenon_error *err) {
  const char *copy = tn_arena_strndup(arena, v->size ? v->data : "", v->size);
  if (!copy) return tn_no_memory(err);
  *ret = (tenon_value){.type = type, .data = copy, .size = v->size};
  return TENON_OK;
}

static tenon_status to_text(const struct ArrowSchema *s, const tenon_value *v, tn_arena *arena, tenon_value *ret, tenon_error *err) {
  if (v->type != TENON_VALUE_TEXT) return misfit(s, v, "a text: write it in single quotes", err);
  return keep_bytes(v, TENON_VALUE_TEXT, arena, ret, err);
}

static int hex_digit(char c) {
  const char *digits = "0123456789abcdef", *at = c ? strchr(digits, c | 0x20) : NULL;
  return at ? (int)(at - digits) : -1;
}

/* '\x00ff', as binary is printed; any other text is its bytes. */
static tenon_status to_bytes(const struct ArrowSchema *s, const tenon_value *v, tn_arena *arena, tenon_value *ret, tenon_error *err) {
  if (v->type != TENON_VALUE_TEXT && v->type != TENON_VALUE_BYTES) return misfit(s, v, "binary: write it '\\x00ff'", err);
  bool is_hex = v->type == TENON_VALUE_TEXT && v->size >= 2 && memcmp(v->data, "\\x", 2) == 0;
  if (!is_hex) return keep_bytes(v, TENON_VALUE_BYTES, arena, ret, err);
  char *bytes = tn_arena_alloc(arena, v->size / 2 + 1);
  if (!bytes) return tn_no_memory(err);
  for (size_t i = 2; i < v->size; i += 2) {
    int high = hex_digit(v->data[i]), low = i + 1 < v->size ? hex_digit(v->data[i + 1]) : -1;
    if (high < 0 || low < 0) return misfit(s, v, "binary: write it '\\x00ff'", err);
    bytes[i / 2 - 1] = (char)(high << 4 | low);
  }
  *ret = (tenon_value){.type = TENON_VALUE_BYTES, .data = bytes, .size = v->size / 2 - 1};
  return TENON_OK;
}

static tenon_status to_date(const struct ArrowSchema *s, const tenon_value *v, tenon_value *ret, tenon_error *err) {
  tenon_value d = {.type = TENON_VALUE_DATE, .i = v->i};
  bool ok = v->type == TENON_VALUE_DATE || (v->type == TENON_VALUE_TEXT && tn_parse_date(v->data, v->size, &d.i));
  if (!ok) return misfit(s, v, "a date: write it '2024-12-31'", err);
  *ret = d;
  return TENON_OK;
}

static tenon_status to_time(const struct ArrowSchema *s, const tenon_value *v, tenon_value *ret, tenon_error *err) {
  tenon_value t = {.type = TENON_VALUE_TIME, .i = v->i};
  bool ok = v->type == TENON_VALUE_TIME || (v->type == TENON_VALUE_TEXT && tn_parse_time(v->data, v->size, &t.i));
  if (!ok) return misfit(s, v, "a time: write it '23:59:59.5', no finer than microseconds", err);
  *ret = t;
  return TENON_OK;
}

/* A time without a zone is taken as UTC where the column has instants; a date is its midnight. */
static bool parse_timestamp(const tenon_value *v, bool zoned, int64_t *ret) {
  int64_t days;
  if (zoned && tn_parse_timestamp(v->data, v->size, true, ret)) return true;
  if (tn_parse_timestamp(v->data, v->size, false, ret)) return true;
  return tn_parse_date(v->data, v->size, &days) && !__builtin_mul_overflow(days, INT64_C(86400000000), ret);
}

static tenon_status to_timestamp(const struct ArrowSchema *s, const tenon_value *v, tenon_value *ret, tenon_error *err) {
  tenon_value t = {.type = TENON_VALUE_TIMESTAMP, .i = v->i};
  bool ok = v->type == TENON_VALUE_TIMESTAMP || (v->type == TENON_VALUE_TEXT && parse_timestamp(v, has_zone(s), &t.i));
  if (!ok)
    return misfit(s, v, has_zone(s) ? "a time: write it '2024-12-31T23:59:59Z', no finer than microseconds"
                                    : "a time without a zone: write it '2024-12-31T23:59:59', no finer than microseconds", err);
  *ret = t;
  return TENON_OK;
}

static tenon_status convert_value(const struct ArrowSchema *s, value_class class, const tenon_value *v, tn_arena *arena,
                                  tenon_value *ret, tenon_error *err) {
  if (v->type == TENON_VALUE_NULL) {
    *ret = *v;
    return TENON_OK;
  }
  switch (class) {
    case CLASS_BOOL: return to_bool(s, v, ret, err);
    case CLASS_INT: case CLASS_UINT: return to_integer(s, v, arena, ret, err);
    case CLASS_DECIMAL: case CLASS_WIDE_DECIMAL: return to_decimal(s, v, arena, ret, err);
    case CLASS_FLOAT: case CLASS_DOUBLE: return to_float(s, v, ret, err);
    case CLASS_TEXT: case CLASS_LARGE_TEXT: return to_text(s, v, arena, ret, err);
    case CLASS_BYTES: case CLASS_LARGE_BYTES: case CLASS_FIXED_BYTES: return to_bytes(s, v, arena, ret, err);
    case CLASS_DATE: return to_date(s, v, ret, err);
    case CLASS_TIME: return to_time(s, v, ret, err);
    case CLASS_TIMESTAMP: return to_timestamp(s, v, ret, err);
    case CLASS_NONE: break;
  }
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "`is null` and `is not null` are there for it",
                    "filter on column %s: values of its type are not compared", s->name);
}

static tenon_status check_count(const tenon_filter *f, tenon_error *err) {
  size_t most = f->op == TENON_IN ? SIZE_MAX : f->op == TENON_BETWEEN ? 2 : f->op >= TENON_IS_NULL ? 0 : 1;
  size_t least = f->op == TENON_IN ? 1 : most;
  if (f->column && f->op >= TENON_EQ && f->op <= TENON_IS_NOT_NULL && f->value_count >= least && f->value_count <= most) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "filter on column %s: the wrong number of values",
                    f->column ? f->column : "(none)");
}

static tenon_status convert_filter(const struct ArrowSchema *schema, const tenon_filter *f, tn_arena *arena,
                                   tenon_filter *ret, int64_t *ret_column, tenon_error *err) {
  int32_t width;
  tenon_status status = check_count(f, err);
  if (!status) status = tn_column_find(schema, f->column, ret_column, err);
  if (status) return status;
  const struct ArrowSchema *s = schema->children[*ret_column];
  value_class class = class_of(s, &width);
  bool takes_prefix = class >= CLASS_TEXT && class <= CLASS_FIXED_BYTES;
  if (f->op == TENON_PREFIX && !takes_prefix)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "filter on column %s: only text and binary begin with something", s->name);
  tenon_value *values = tn_arena_alloc(arena, f->value_count * sizeof *values + 1);
  if (!values) return tn_no_memory(err);
  for (size_t i = 0; !status && i < f->value_count; i++) status = convert_value(s, class, &f->values[i], arena, &values[i], err);
  *ret = (tenon_filter){.column = f->column, .op = f->op, .values = values, .value_count = f->value_count};
  return status;
}

static tenon_status too_many(size_t n, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, NULL, "%zu filters; at most 64 are taken", n);
}

tenon_status tn_filters_convert(const struct ArrowSchema *schema, const tenon_filter *filters, size_t n, tn_arena *arena,
                                tenon_filter **ret, tenon_error *err) {
  if (n > 64) return too_many(n, err);
  tenon_filter *all = tn_arena_alloc(arena, n * sizeof *all + 1);
  if (!all) return tn_no_memory(err);
  int64_t column;
  for (size_t i = 0; i < n; i++) {
    tenon_status status = convert_filter(schema, &filters[i], arena, &all[i], &column, err);
    if (status) return status;
  }
  *ret = all;
  return TENON_OK;
}

/* ---- Comparing ---- */

static int compare_whole(__int128 v, const operand *o) {
  if (v != o->whole) return v < o->whole ? -1 : 1;
  return o->has_fraction ? -1 : 0;
}

static const char *fixed_value(const tn_condition *c, const struct ArrowArray *a, int64_t i) {
  return (const char *)a->buffers[1] + (a->offset + i) * c->width;
}

static int64_t signed_value(const tn_condition *c, const struct ArrowArray *a, int64_t i) {
  const void *p = fixed_value(c, a, i);
  switch (c->width) {
    case 1: return *(const int8_t *)p;
    case 2: return *(const int16_t *)p;
    case 4: return *(const int32_t *)p;
    default: return *(const int64_t *)p;
  }
}

static int compare_int(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  return compare_whole(signed_value(c, a, i), o);
}

static int compare_uint(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  const void *p = fixed_value(c, a, i);
  uint64_t v = c->width == 1   ? *(const uint8_t *)p
               : c->width == 2 ? *(const uint16_t *)p
               : c->width == 4 ? *(const uint32_t *)p
                               : *(const uint64_t *)p;
  return compare_whole(v, o);
}

static int compare_bool(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  (void)c;
  int64_t at = a->offset + i;
  return compare_whole(((const uint8_t *)a->buffers[1])[at >> 3] >> (at & 7) & 1, o);
}

static int compare_decimal(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  __int128 v;
  memcpy(&v, fixed_value(c, a, i), sizeof v);
  return compare_whole(v, o);
}

static int compare_wide(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  uint64_t v[4];
  memcpy(v, fixed_value(c, a, i), sizeof v);
  int order = tn_exact_compare(v, o->wide.limbs);
  return order == 0 && o->has_fraction ? -1 : order;
}

/* NaN equals itself and is greater than every number. */
static int compare_doubles(double a, double b) {
  if (isnan(a) || isnan(b)) return isnan(a) - isnan(b);
  return (a > b) - (a < b);
}

static int compare_float(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  float v;
  memcpy(&v, fixed_value(c, a, i), sizeof v);
  return compare_doubles((double)v, o->f);
}

static int compare_double(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  double v;
  memcpy(&v, fixed_value(c, a, i), sizeof v);
  return compare_doubles(v, o->f);
}

static const char *bytes_value(const tn_condition *c, const struct ArrowArray *a, int64_t i, size_t *ret_size) {
  if (c->class == CLASS_FIXED_BYTES) {
    *ret_size = (size_t)c->width;
    return fixed_value(c, a, i);
  }
  if (c->class == CLASS_TEXT || c->class == CLASS_BYTES) {
    const int32_t *offsets = (const int32_t *)a->buffers[1] + a->offset + i;
    *ret_size = (size_t)(offsets[1] - offsets[0]);
    return (const char *)a->buffers[2] + offsets[0];
  }
  const int64_t *offsets = (const int64_t *)a->buffers[1] + a->offset + i;
  *ret_size = (size_t)(offsets[1] - offsets[0]);
  return (const char *)a->buffers[2] + offsets[0];
}

static int compare_bytes(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  size_t size;
  const char *v = bytes_value(c, a, i, &size);
  size_t common = size < o->size ? size : o->size;
  int order = common ? memcmp(v, o->data, common) : 0;
  return order ? order : (size > o->size) - (size < o->size);
}

static bool has_prefix(const tn_condition *c, const struct ArrowArray *a, int64_t i, const operand *o) {
  size_t size;
  const char *v = bytes_value(c, a, i, &size);
  return size >= o->size && (o->size == 0 || memcmp(v, o->data, o->size) == 0);
}

/* ---- Making conditions ---- */

static compare_fn comparer_of(value_class class) {
  switch (class) {
    case CLASS_BOOL: return compare_bool;
    case CLASS_INT: case CLASS_DATE: case CLASS_TIME: case CLASS_TIMESTAMP: return compare_int;
    case CLASS_UINT: return compare_uint;
    case CLASS_DECIMAL: return compare_decimal;
    case CLASS_WIDE_DECIMAL: return compare_wide;
    case CLASS_FLOAT: return compare_float;
    case CLASS_DOUBLE: return compare_double;
    case CLASS_TEXT: case CLASS_LARGE_TEXT: case CLASS_BYTES: case CLASS_LARGE_BYTES: case CLASS_FIXED_BYTES: return compare_bytes;
    case CLASS_NONE: break;
  }
  return NULL;
}

/* Units of a second that the column counts; its values in terms of the operand's microseconds or days. */
static void set_units(operand *o, const struct ArrowSchema *s, const tenon_value *v) {
  static const int64_t per_second[] = {['s'] = 1, ['m'] = 1000, ['u'] = 1000000, ['n'] = 1000000000};
  if (strcmp(s->format, "tdD") == 0) {
    o->whole = v->i;
  } else if (strcmp(s->format, "tdm") == 0) {
    o->whole = (__int128)v->i * 86400000;
  } else {
    __int128 scaled = (__int128)v->i * per_second[(unsigned char)s->format[2] & 0x7F], floor = scaled / 1000000;
    if (scaled % 1000000 < 0) floor--;
    o->whole = floor;
    o->has_fraction = scaled % 1000000 != 0;
  }
}

static void set_operand(operand *o, value_class class, const struct ArrowSchema *s, const tenon_value *v) {
  *o = (operand){.is_null = v->type == TENON_VALUE_NULL, .f = v->f, .data = v->data, .size = v->size};
  if (o->is_null) return;
  if (class == CLASS_DATE || class == CLASS_TIME || class == CLASS_TIMESTAMP) {
    set_units(o, s, v);
  } else if (v->type == TENON_VALUE_INT || v->type == TENON_VALUE_BOOL) {
    o->whole = v->i;
  } else if (v->type == TENON_VALUE_DECIMAL) {
    tn_exact_parse(v->data, v->size, class == CLASS_INT || class == CLASS_UINT ? 0 : scale_of(s->format), &o->wide);
    o->whole = tn_exact_128(&o->wide);
    o->has_fraction = o->wide.has_fraction;
  }
}

tenon_status tn_conditions_new(const struct ArrowSchema *schema, const tenon_filter *filters, size_t n, uint64_t skip,
                               tn_arena *arena, tn_condition **ret, size_t *ret_count, tenon_error *err) {
  if (n > 64) return too_many(n, err);
  tn_condition *all = tn_arena_alloc(arena, n * sizeof *all + 1);
  if (!all) return tn_no_memory(err);
  size_t count = 0;
  for (size_t i = 0; i < n; i++) {
    if (skip >> i & 1) continue;
    tn_condition *c = &all[count++];
    tenon_filter f;
    *c = (tn_condition){.op = filters[i].op};
    tenon_status status = convert_filter(schema, &filters[i], arena, &f, &c->column, err);
    if (status) return status;
    const struct ArrowSchema *s = schema->children[c->column];
    c->class = class_of(s, &c->width);
    c->compare = comparer_of(c->class);
    c->count = f.value_count;
    c->operands = tn_arena_alloc(arena, f.value_count * sizeof *c->operands + 1);
    if (!c->operands) return tn_no_memory(err);
    for (size_t k = 0; k < f.value_count; k++) set_operand(&c->operands[k], c->class, s, &f.values[k]);
  }
  *ret = all;
  *ret_count = count;
  return TENON_OK;
}

/* ---- Deciding ---- */

static bool holds(tenon_filter_op op, int order) {
  switch (op) {
    case TENON_EQ: case TENON_IN: return order == 0;
    case TENON_NE: return order != 0;
    case TENON_LT: return order < 0;
    case TENON_LE: return order <= 0;
    case TENON_GT: return order > 0;
    default: return order >= 0;
  }
}

static bool meets(const tn_condition *c, const struct ArrowArray *a, int64_t i) {
  const operand *o = c->operands;
  switch (c->op) {
    case TENON_PREFIX: return !o->is_null && has_prefix(c, a, i, o);
    case TENON_BETWEEN: return !o[0].is_null && !o[1].is_null && c->compare(c, a, i, &o[0]) >= 0 && c->compare(c, a, i, &o[1]) <= 0;
    case TENON_IN:
      for (size_t k = 0; k < c->count; k++)
        if (!o[k].is_null && c->compare(c, a, i, &o[k]) == 0) return true;
      return false;
    default: return !o->is_null && holds(c->op, c->compare(c, a, i, o));
  }
}

static void apply(const tn_condition *c, const struct ArrowArray *batch, uint8_t *keep) {
  const struct ArrowArray *a = batch->children[c->column];
  int64_t shift = batch->offset;
  bool is_null_column = a->n_buffers == 0; /* of the type null */
  for (int64_t i = 0; i < batch->length; i++) {
    if (!keep[i]) continue;
    bool is_null = is_null_column || tn_array_is_null(a, i + shift);
    if (c->op >= TENON_IS_NULL) keep[i] = is_null == (c->op == TENON_IS_NULL);
    else keep[i] = !is_null && meets(c, a, i + shift);
  }
}

int64_t tn_conditions_apply(const tn_condition *conditions, size_t n, const struct ArrowArray *batch, uint8_t *keep) {
  for (size_t i = 0; i < n; i++) apply(&conditions[i], batch, keep);
  int64_t kept = 0;
  for (int64_t i = 0; i < batch->length; i++) kept += keep[i];
  return kept;
}
