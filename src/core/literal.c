/* SPDX-License-Identifier: Apache-2.0 */
#include "core/literal.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/error.h"
#include "base/float.h"
#include "base/percent.h"
#include "core/exact.h"

static const int64_t DAY_US = INT64_C(86400000000);

/* ---- Types ---- */

static tn_column_type time_type(const char *f) {
  tn_column_type t = {0};
  int64_t per_second = f[2] == 's' ? 1 : f[2] == 'm' ? 1000 : f[2] == 'u' ? 1000000 : 1000000000;
  if (strcmp(f, "tdD") == 0) t = (tn_column_type){.family = TN_DATE, .width = 4};
  else if (strcmp(f, "tdm") == 0) t = (tn_column_type){.family = TN_DATE, .width = 8};
  else if (f[1] == 't')
    t = (tn_column_type){.family = TN_TIME, .width = f[2] == 's' || f[2] == 'm' ? 4 : 8};
  else if (f[1] == 's' && f[2])
    t = (tn_column_type){.family = TN_TIMESTAMP, .width = 8, .has_zone = f[3] && f[4]};
  if (t.family == TN_TIME || t.family == TN_TIMESTAMP) t.per_second = per_second;
  return t;
}

static tn_column_type decimal_type(const char *f) {
  tn_column_type t = {.family = TN_DECIMAL, .width = 16};
  char *at;
  t.precision = (int)strtol(f + 2, &at, 10);
  if (*at == ',') t.scale = (int)strtol(at + 1, &at, 10);
  if (*at == ',') t.width = (int)strtol(at + 1, &at, 10) / 8;
  bool known = t.width == 4 || t.width == 8 || t.width == 16 || t.width == 32;
  if (!known || t.precision < 1 || t.precision > 76 || t.scale < -100 || t.scale > 100)
    t = (tn_column_type){0};
  return t;
}

tn_column_type tn_column_type_of(const struct ArrowSchema *s) {
  const char *f = s->format;
  if (s->dictionary) return (tn_column_type){0};
  switch (f[0]) {
    case 'n': return (tn_column_type){.family = TN_NULL};
    case 'b': return (tn_column_type){.family = TN_BOOL};
    case 'c': return (tn_column_type){.family = TN_INT, .width = 1};
    case 's': return (tn_column_type){.family = TN_INT, .width = 2};
    case 'i': return (tn_column_type){.family = TN_INT, .width = 4};
    case 'l': return (tn_column_type){.family = TN_INT, .width = 8};
    case 'C': return (tn_column_type){.family = TN_UINT, .width = 1};
    case 'S': return (tn_column_type){.family = TN_UINT, .width = 2};
    case 'I': return (tn_column_type){.family = TN_UINT, .width = 4};
    case 'L': return (tn_column_type){.family = TN_UINT, .width = 8};
    case 'e': return (tn_column_type){.family = TN_FLOAT, .width = 2};
    case 'f': return (tn_column_type){.family = TN_FLOAT, .width = 4};
    case 'g': return (tn_column_type){.family = TN_FLOAT, .width = 8};
    case 'u': case 'U': return (tn_column_type){.family = TN_TEXT, .has_wide_offsets = f[0] == 'U'};
    case 'z': case 'Z':
      return (tn_column_type){.family = TN_BYTES, .has_wide_offsets = f[0] == 'Z'};
    case 'w':
      return (tn_column_type){.family = TN_BYTES,
                              .width = f[1] == ':' ? (int)strtol(f + 2, NULL, 10) : 0};
    case 'd': return decimal_type(f);
    case 't': return time_type(f);
    default: return (tn_column_type){0};
  }
}

static tn_wide power_of_ten(int n) {
  tn_wide r = tn_wide_of(1);
  while (n-- > 0) tn_wide_times_ten(&r);
  return r;
}

void tn_whole_range(const tn_column_type *t, tn_wide *ret_min, tn_wide *ret_max) {
  int bits = t->width * 8;
  __int128 max = bits && bits <= 64 ? ((__int128)1 << (bits - 1)) - 1 : 1, min = -max - 1;
  if (t->family == TN_BOOL) min = 0;
  if (t->family == TN_UINT) max = 2 * max + 1, min = 0;
  /* dates count days, however long they are stored */
  if (t->family == TN_DATE && t->width == 8) max = INT64_MAX / 86400000, min = -max;
  *ret_min = tn_wide_of(min);
  *ret_max = tn_wide_of(max);
  if (t->family != TN_DECIMAL) return;
  *ret_max = tn_wide_add(power_of_ten(t->precision), -1);
  *ret_min = tn_wide_negate(*ret_max);
}

/* ---- Literals as whole numbers of the column's unit ---- */

static tn_wide wide_of(const tn_exact *e) {
  tn_wide w;
  memcpy(w.w, e->limbs, sizeof w.w);
  return w;
}

/* What is beyond 255 bits ends up beyond any column's range, which is all that matters here. */
static const tn_wide most = {{UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX}};

/* floor(literal), and whether that is all of it. */
typedef struct whole {
  tn_wide floor;
  bool is_exact;
} whole;

static bool whole_of_text(const char *text, size_t size, int scale, whole *ret) {
  tn_exact e;
  if (!tn_exact_parse(text, size, scale, &e)) return false;
  *ret = (whole){.floor = wide_of(&e), .is_exact = !e.has_fraction};
  return true;
}

/* Beside an integer a double is what it is; beside a decimal it means its shortest digits. */
static bool whole_of_double(const tn_column_type *t, double v, whole *ret) {
  bool is_decimal = t->family == TN_DECIMAL;
  if (v != v || isinf(v) || (!is_decimal && fabs(v) > 1e37)) {
    *ret = (whole){.floor = v < 0 ? tn_wide_negate(most) : most};
    return true;
  }
  if (is_decimal) {
    char text[TN_FLOAT_ROOM];
    return whole_of_text(text, tn_print_f64(v, text), t->scale, ret);
  }
  double below = floor(v);
  *ret = (whole){.floor = tn_wide_of((__int128)below), .is_exact = !(below < v)};
  return true;
}

static bool whole_of_number(const tn_column_type *t, const tenon_value *v, whole *ret) {
  char text[24];
  switch (v->type) {
    case TENON_VALUE_INT:
      return whole_of_text(text, (size_t)snprintf(text, sizeof text, "%lld", (long long)v->i),
                           t->scale, ret);
    case TENON_VALUE_DOUBLE:
      if (v->data) return whole_of_text(v->data, v->size, t->scale, ret);
      return whole_of_double(t, v->f, ret);
    case TENON_VALUE_DECIMAL:
    case TENON_VALUE_TEXT: return whole_of_text(v->data, v->size, t->scale, ret);
    default: return false;
  }
}

static whole whole_of_ns(__int128 ns, __int128 unit_ns) {
  __int128 floor_v = ns / unit_ns - (ns % unit_ns < 0);
  return (whole){.floor = tn_wide_of(floor_v), .is_exact = floor_v * unit_ns == ns};
}

/* Microseconds, and the nanoseconds behind them that a typed value may have. */
static whole whole_of_us(const tn_column_type *t, int64_t us, int64_t ns) {
  return whole_of_ns((__int128)us * 1000 + ns, 1000000000 / t->per_second);
}

static bool whole_of_date(const tenon_value *v, whole *ret) {
  int64_t days = v->i;
  bool is_text = v->type == TENON_VALUE_TEXT;
  if (v->type != TENON_VALUE_DATE && !(is_text && tn_parse_date(v->data, v->size, &days)))
    return false;
  *ret = (whole){.floor = tn_wide_of(days), .is_exact = true};
  return true;
}

static bool whole_of_time(const tn_column_type *t, const tenon_value *v, whole *ret) {
  int64_t us = v->i;
  int ns = (int)v->size;
  bool is_text = v->type == TENON_VALUE_TEXT;
  if (v->type != TENON_VALUE_TIME && !(is_text && tn_parse_time_ns(v->data, v->size, &us, &ns)))
    return false;
  *ret = whole_of_us(t, us, ns);
  return true;
}

/* Without a zone it is UTC where the column has instants; a date is its midnight. An instant says
 * nothing about a column of clocks on some wall. */
static bool parse_timestamp(const tenon_value *v, bool zoned, int64_t *ret_us, int *ret_ns) {
  int64_t days;
  if (zoned && tn_parse_timestamp_ns(v->data, v->size, true, ret_us, ret_ns)) return true;
  if (tn_parse_timestamp_ns(v->data, v->size, false, ret_us, ret_ns)) return true;
  *ret_ns = 0;
  return tn_parse_date(v->data, v->size, &days) && !__builtin_mul_overflow(days, DAY_US, ret_us);
}

static bool whole_of_timestamp(const tn_column_type *t, const tenon_value *v, whole *ret) {
  int64_t us = v->i;
  int ns = (int)v->size;
  switch (v->type) {
    case TENON_VALUE_TIMESTAMP: *ret = whole_of_us(t, us, ns); return true;
    case TENON_VALUE_DATE:
      *ret = whole_of_ns((__int128)v->i * DAY_US * 1000, 1000000000 / t->per_second);
      return true;
    case TENON_VALUE_TEXT:
      if (!parse_timestamp(v, t->has_zone, &us, &ns)) return false;
      *ret = whole_of_us(t, us, ns);
      return true;
    default: return false;
  }
}

static bool is_word(const tenon_value *v, const char *word) {
  return v->type == TENON_VALUE_TEXT && v->size == strlen(word) &&
      strncasecmp(v->data, word, v->size) == 0;
}

static bool whole_of_bool(const tenon_value *v, whole *ret) {
  bool is_true = v->type == TENON_VALUE_BOOL ? v->i != 0 : is_word(v, "true");
  *ret = (whole){.floor = tn_wide_of(is_true), .is_exact = true};
  return v->type == TENON_VALUE_BOOL || is_true || is_word(v, "false");
}

static bool whole_of(const tn_column_type *t, const tenon_value *v, whole *ret) {
  switch (t->family) {
    case TN_BOOL: return whole_of_bool(v, ret);
    case TN_INT: case TN_UINT: case TN_DECIMAL: return whole_of_number(t, v, ret);
    case TN_DATE: return whole_of_date(v, ret);
    case TN_TIME: return whole_of_time(t, v, ret);
    case TN_TIMESTAMP: return whole_of_timestamp(t, v, ret);
    default: return false;
  }
}

/* ---- Back into values ---- */

static tenon_status decimal_value(const tn_column_type *t, tn_wide n, tn_arena *arena,
                                  tenon_value *ret, tenon_error *err) {
  char text[200], *at = text + sizeof text;
  bool negative = tn_wide_negative(n);
  if (negative) n = tn_wide_negate(n);
  for (int i = t->scale; i < 0; i++) *--at = '0';
  for (int i = 0; i < t->scale; i++) *--at = (char)('0' + tn_wide_pop_digit(&n));
  if (t->scale > 0) *--at = '.';
  do *--at = (char)('0' + tn_wide_pop_digit(&n));
  while (tn_wide_compare(n, tn_wide_of(0)) != 0);
  if (negative) *--at = '-';
  size_t size = (size_t)(text + sizeof text - at);
  const char *copy = tn_arena_strndup(arena, at, size);
  if (!copy) return tn_no_memory(err);
  *ret = (tenon_value){.type = TENON_VALUE_DECIMAL, .data = copy, .size = size};
  return TENON_OK;
}

static tenon_value time_value(const tn_column_type *t, tenon_value_type type, int64_t n) {
  __int128 ns = (__int128)n * (1000000000 / t->per_second), us = ns / 1000 - (ns % 1000 < 0);
  if (us > INT64_MAX) us = INT64_MAX;
  if (us < INT64_MIN) us = INT64_MIN;
  return (tenon_value){.type = type, .i = (int64_t)us, .size = (size_t)((ns % 1000 + 1000) % 1000)};
}

static tenon_status value_of_whole(const tn_column_type *t, tn_wide n, tn_arena *arena,
                                   tenon_value *ret, tenon_error *err) {
  __int128 low = tn_wide_low(n);
  switch (t->family) {
    case TN_DECIMAL: return decimal_value(t, n, arena, ret, err);
    case TN_BOOL:
      *ret = (tenon_value){.type = TENON_VALUE_BOOL, .i = (int64_t)low};
      return TENON_OK;
    case TN_DATE:
      *ret = (tenon_value){.type = TENON_VALUE_DATE, .i = (int64_t)low};
      return TENON_OK;
    case TN_TIME: *ret = time_value(t, TENON_VALUE_TIME, (int64_t)low); return TENON_OK;
    case TN_TIMESTAMP: *ret = time_value(t, TENON_VALUE_TIMESTAMP, (int64_t)low); return TENON_OK;
    default: break;
  }
  if (low > INT64_MAX) {
    const tn_column_type digits_only = {.family = TN_DECIMAL};
    return decimal_value(&digits_only, n, arena, ret, err);
  }
  *ret = (tenon_value){.type = TENON_VALUE_INT, .i = (int64_t)low};
  return TENON_OK;
}

/* ---- Fits ---- */

static tenon_status fit_whole(const tn_column_type *t, const whole *w, tn_arena *arena, tn_fit *ret,
                              tenon_error *err) {
  tn_wide min, max;
  tn_fit fit = {.place = TN_EXACT};
  tn_whole_range(t, &min, &max);
  if (tn_wide_compare(w->floor, min) < 0) fit.place = TN_BELOW_ALL;
  else if (tn_wide_compare(w->floor, max) > 0) fit.place = TN_ABOVE_ALL;
  else if (!w->is_exact)
    fit.place = tn_wide_compare(w->floor, max) == 0 ? TN_ABOVE_ALL : TN_BETWEEN;
  tenon_status status = TENON_OK;
  if (fit.place == TN_EXACT) status = value_of_whole(t, w->floor, arena, &fit.value, err);
  if (fit.place == TN_BETWEEN) {
    status = value_of_whole(t, w->floor, arena, &fit.below, err);
    if (!status) status = value_of_whole(t, tn_wide_add(w->floor, 1), arena, &fit.above, err);
  }
  if (!status) *ret = fit;
  return status;
}

static tenon_value double_value(double v) {
  return (tenon_value){.type = TENON_VALUE_DOUBLE, .f = v};
}

static double next_float(int width, double v, double towards) {
  return width == 8 ? nextafter(v, towards) : (double)nextafterf((float)v, (float)towards);
}

/* literal_is: on which side of the float next to it the literal lies. */
static tn_fit fit_between(int width, double nearest, int literal_is) {
  if (literal_is == 0) return (tn_fit){.place = TN_EXACT, .value = double_value(nearest)};
  double other = next_float(width, nearest, literal_is > 0 ? INFINITY : -INFINITY);
  return (tn_fit){.place = TN_BETWEEN,
                  .below = double_value(literal_is > 0 ? nearest : other),
                  .above = double_value(literal_is > 0 ? other : nearest)};
}

/* Digits mean the float next to them; those beyond the largest lie between it and infinity. */
static bool fit_digits(int width, const tenon_value *v, tn_fit *ret) {
  double d = 0, largest = width == 8 ? DBL_MAX : (double)FLT_MAX;
  float f = 0;
  tn_exact e;
  if (width == 8 ? tn_parse_f64(v->data, v->size, &d) : tn_parse_f32(v->data, v->size, &f)) {
    *ret = (tn_fit){.place = TN_EXACT, .value = double_value(width == 8 ? d : (double)f)};
    return true;
  }
  if (!tn_exact_parse(v->data, v->size, 0, &e)) return false;
  bool is_negative = tn_wide_negative(wide_of(&e));
  *ret = fit_between(width, is_negative ? -largest : largest, is_negative ? -1 : 1);
  return true;
}

static bool fit_float(const tn_column_type *t, const tenon_value *v, tn_fit *ret) {
  int width = t->width == 8 ? 8 : 4;   /* halves are compared as floats */
  double d;
  switch (v->type) {
    case TENON_VALUE_INT:
      if (v->data) return fit_digits(width, v, ret);   /* as it was written */
      d = width == 8 ? (double)v->i : (double)(float)v->i;
      *ret = fit_between(width, d, ((__int128)d < v->i) - ((__int128)d > v->i));
      return true;
    case TENON_VALUE_DOUBLE:
      if (v->data) return fit_digits(width, v, ret);
      d = width == 8 ? v->f : (double)(float)v->f;
      *ret = fit_between(width, d, (d < v->f) - (d > v->f));
      return true;
    case TENON_VALUE_DECIMAL:
    case TENON_VALUE_TEXT: return fit_digits(width, v, ret);
    default: return false;
  }
}

/* '\x00ff', as binary is printed. */
static tenon_status decode_hex(const tenon_value *v, tn_arena *arena, bool *ret_ok, tn_fit *ret,
                               tenon_error *err) {
  size_t n = v->size / 2 - 1;
  char *bytes = tn_arena_alloc(arena, n + 1);
  if (!bytes) return tn_no_memory(err);
  *ret_ok = v->size % 2 == 0;
  for (size_t i = 0; i < n && *ret_ok; i++) {
    int high = tn_hex_digit(v->data[2 + 2 * i]), low = tn_hex_digit(v->data[3 + 2 * i]);
    *ret_ok = high >= 0 && low >= 0;
    bytes[i] = (char)((high & 15) << 4 | (low & 15));
  }
  *ret = (tn_fit){.place = TN_EXACT,
                  .value = {.type = TENON_VALUE_BYTES, .data = bytes, .size = n}};
  return TENON_OK;
}

static tenon_status fit_data(const tn_column_type *t, const tenon_value *v, tn_arena *arena,
                             bool *ret_ok, tn_fit *ret, tenon_error *err) {
  bool is_hex = t->family == TN_BYTES && v->type == TENON_VALUE_TEXT && v->size >= 2 &&
      memcmp(v->data, "\\x", 2) == 0;
  if (is_hex) return decode_hex(v, arena, ret_ok, ret, err);
  *ret_ok = v->type == TENON_VALUE_TEXT || (v->type == TENON_VALUE_BYTES && t->family == TN_BYTES);
  *ret = (tn_fit){.place = TN_EXACT, .value = *v};
  ret->value.type = t->family == TN_TEXT ? TENON_VALUE_TEXT : TENON_VALUE_BYTES;
  return TENON_OK;
}

static void spell(const tenon_value *v, char *room, size_t size) {
  enum { SHOWN = 40 };
  int n = v->size > SHOWN ? SHOWN : (int)v->size;
  switch (v->type) {
    case TENON_VALUE_BOOL: snprintf(room, size, "%s", v->i ? "true" : "false"); break;
    case TENON_VALUE_INT: snprintf(room, size, "%lld", (long long)v->i); break;
    case TENON_VALUE_DECIMAL: snprintf(room, size, "%.*s", n, v->data); break;
    case TENON_VALUE_TEXT: snprintf(room, size, "'%.*s'", n, v->data); break;
    default: snprintf(room, size, "the value"); break;
  }
}

static const char *wanted(const tn_column_type *t) {
  switch (t->family) {
    case TN_BOOL: return "true or false";
    case TN_TEXT: return "a text: write it in single quotes";
    case TN_BYTES: return "binary: write it '\\x00ff'";
    case TN_DATE: return "a date: write it '2024-12-31'";
    case TN_TIME: return "a time: write it '23:59:59.5', no finer than nanoseconds";
    case TN_TIMESTAMP:
      return t->has_zone ? "a time: write it '2024-12-31T23:59:59Z', no finer than nanoseconds"
                         : "a time without a zone: write it '2024-12-31T23:59:59', "
                           "no finer than nanoseconds";
    default: return "a number";
  }
}

static tenon_status no_value(const struct ArrowSchema *column, const tn_column_type *t,
                             const tenon_value *v, tenon_error *err) {
  char text[80];
  spell(v, text, sizeof text);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL,
                    "filter on column %s: %s is not %s", column->name, text, wanted(t));
}

tenon_status tn_literal_fit(const struct ArrowSchema *column, const tenon_value *v, tn_arena *arena,
                            tn_fit *ret, tenon_error *err) {
  const tn_column_type t = tn_column_type_of(column);
  bool is_data = t.family == TN_TEXT || t.family == TN_BYTES, ok = false;
  tn_fit fit = {0};
  whole w = {0};
  tenon_status status = TENON_OK;
  if (is_data) status = fit_data(&t, v, arena, &ok, &fit, err);
  else if (t.family == TN_FLOAT) ok = fit_float(&t, v, &fit);
  else ok = whole_of(&t, v, &w);
  if (status) return status;
  if (!ok) return no_value(column, &t, v, err);
  if (!is_data && t.family != TN_FLOAT) return fit_whole(&t, &w, arena, ret, err);
  *ret = fit;
  return TENON_OK;
}

tn_wide tn_value_whole(const tn_column_type *t, const tenon_value *v) {
  whole w = {0};
  if (t->family == TN_FLOAT) return tn_wide_of(tn_double_key(v->f));
  whole_of(t, v, &w);
  return w.floor;
}
