/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One value out of one field, by the long way. The fast ways of csv_convert.c come here with all
 * that they do not know; sniffing asks here whether a value fits a type.
 *
 * A strict column was found by sniffing: its values must be spelled so that nothing is lost.
 *   integers   no plus sign, no leading zeros: 007 is text
 *   float      a number of JSON, or NaN, Infinity, -Infinity; printing it with as many digits as
 *               the
 *              field has gives the field's number again
 *   decimal    no plus sign, no leading zeros, no negative zero, digits on both sides of a point,
 *               at most `scale` behind it
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/float.h"
#include "formats/csv.h"

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

/* ---- Integers ---- */

/* Digits with an optional sign; the magnitude and whether it is negative. */
static bool read_integer(const char *text, size_t size, bool strict, uint64_t *ret,
                         bool *ret_negative) {
  bool negative = size > 0 && text[0] == '-';
  if (negative || (size > 0 && text[0] == '+' && !strict)) text++, size--;
  if (size == 0 || (strict && text[0] == '0' && (size > 1 || negative))) return false;
  uint64_t v = 0;
  for (size_t i = 0; i < size; i++)
    if (!is_digit(text[i]) || __builtin_mul_overflow(v, 10, &v) ||
        __builtin_add_overflow(v, (uint64_t)(text[i] - '0'), &v))
      return false;
  *ret = v;
  *ret_negative = negative;
  return true;
}

static bool parse_signed(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  uint64_t v;
  bool negative;
  if (!read_integer(text, size, c->strict, &v, &negative)) return false;
  uint64_t limit = (UINT64_MAX >> (65 - 8 * c->type->width)) + negative;
  if (v > limit) return false;
  if (negative) v = 0 - v;
  memcpy(ret, &v, (size_t)c->type->width);
  return true;
}

static bool parse_unsigned(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  uint64_t v;
  bool negative;
  if (!read_integer(text, size, c->strict, &v, &negative)) return false;
  if (v > UINT64_MAX >> (64 - 8 * c->type->width) || (negative && v)) return false;
  memcpy(ret, &v, (size_t)c->type->width);
  return true;
}

/* ---- Decimals ---- */

typedef struct wide {
  uint64_t word[4];   /* the least first */
} wide;

static void wide_append_digit(wide *w, unsigned digit) {
  unsigned __int128 carry = digit;
  for (int i = 0; i < 4; i++) {
    carry += (unsigned __int128)w->word[i] * 10;
    w->word[i] = (uint64_t)carry;
    carry >>= 64;
  }
}

static void wide_negate(wide *w) {
  unsigned __int128 carry = 1;
  for (int i = 0; i < 4; i++) {
    carry += ~w->word[i];
    w->word[i] = (uint64_t)carry;
    carry >>= 64;
  }
}

/* The parts of a decimal: whole and fraction are digits only. */
typedef struct digits {
  const char *whole, *fraction;
  size_t whole_size, fraction_size;
  bool negative;
} digits;

static bool read_digits(const char *text, size_t size, bool strict, digits *ret) {
  digits d = {.negative = size > 0 && text[0] == '-'};
  const char *p = text, *end = text + size;
  if (d.negative || (p < end && *p == '+' && !strict)) p++;
  d.whole = p;
  while (p < end && is_digit(*p)) p++;
  d.whole_size = (size_t)(p - d.whole);
  bool point = p < end && *p == '.';
  if (point) p++;
  d.fraction = p;
  while (p < end && is_digit(*p)) p++;
  d.fraction_size = (size_t)(p - d.fraction);
  if (p < end || d.whole_size + d.fraction_size == 0) return false;
  if (strict && (d.whole_size == 0 || (point && d.fraction_size == 0) ||
                 (d.whole_size > 1 && d.whole[0] == '0')))
    return false;
  *ret = d;
  return true;
}

/* -0 is no decimal: its sign would be lost. */
static bool is_negative_zero(const digits *d) {
  for (size_t i = 0; i < d->whole_size; i++)
    if (d->whole[i] != '0') return false;
  for (size_t i = 0; i < d->fraction_size; i++)
    if (d->fraction[i] != '0') return false;
  return d->negative;
}

bool tn_csv_decimal_shape(const char *text, size_t size, int32_t *ret_whole, int32_t *ret_scale) {
  digits d;
  if (!read_digits(text, size, true, &d) || is_negative_zero(&d)) return false;
  *ret_whole = d.whole_size == 1 && d.whole[0] == '0' ? 0 : (int32_t)d.whole_size;
  *ret_scale = (int32_t)d.fraction_size;
  return true;
}

static bool parse_decimal(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  digits d;
  if (!read_digits(text, size, c->strict, &d) || (c->strict && is_negative_zero(&d))) return false;
  size_t scale = (size_t)c->scale;
  while (d.whole_size > 0 && d.whole[0] == '0') d.whole++, d.whole_size--;
  while (!c->strict && d.fraction_size > scale && d.fraction[d.fraction_size - 1] == '0')
    d.fraction_size--;
  if (d.fraction_size > scale || d.whole_size + scale > (size_t)c->precision) return false;
  wide w = {{0}};
  for (size_t i = 0; i < d.whole_size; i++) wide_append_digit(&w, (unsigned)(d.whole[i] - '0'));
  for (size_t i = 0; i < scale; i++)
    wide_append_digit(&w, i < d.fraction_size ? (unsigned)(d.fraction[i] - '0') : 0);
  if (d.negative) wide_negate(&w);
  memcpy(ret, w.word, (size_t)c->type->width);
  return true;
}

/* ---- Floats ---- */

static bool is_json_number(const char *text, size_t size) {
  const char *p = text, *end = text + size;
  if (p < end && *p == '-') p++;
  const char *whole = p;
  while (p < end && is_digit(*p)) p++;
  if (p == whole || (*whole == '0' && p - whole > 1)) return false;
  if (p < end && *p == '.') {
    const char *point = p++;
    while (p < end && is_digit(*p)) p++;
    if (p - point < 2) return false;
  }
  return p == end || *p == 'e' || *p == 'E';   /* what is behind it, parsing looks at */
}

enum { MOST_DIGITS = 17 };

/* The digits that count, without leading and trailing zeros; more than there is room for: false. */
static bool significant_digits(const char *text, size_t size, char ret[MOST_DIGITS + 1],
                               int *ret_count) {
  int count = 0, zeros = 0;
  for (size_t i = 0; i < size && text[i] != 'e' && text[i] != 'E'; i++) {
    if (!is_digit(text[i]) || (text[i] == '0' && count == 0)) continue;
    if (text[i] == '0') {
      zeros++;
      continue;
    }
    if (count + zeros + 1 > MOST_DIGITS) return false;
    for (; zeros > 0; zeros--) ret[count++] = '0';
    ret[count++] = text[i];
  }
  ret[count] = 0;
  *ret_count = count;
  return true;
}

/* Does the double give the field's digits back? Fifteen digits always do. */
static bool keeps_digits(const char *text, size_t size, double v) {
  char field[MOST_DIGITS + 1], again[MOST_DIGITS + 1], printed[TN_FLOAT_ROOM + 1];
  int count, again_count;
  if (!significant_digits(text, size, field, &count)) return false;
  if (count <= 15) return true;
  if (significant_digits(printed, tn_print_f64(v, printed), again, &again_count) &&
      strcmp(field, again) == 0)
    return true;
  int n = snprintf(printed, sizeof printed, "%.*e", count - 1, v);
  return n > 0 && significant_digits(printed, (size_t)n, again, &again_count) &&
         strcmp(field, again) == 0;
}

static bool is_special(const char *text, size_t size) {
  static const char *const words[] = {"NaN", "Infinity", "-Infinity"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (size == strlen(words[i]) && memcmp(text, words[i], size) == 0) return true;
  return false;
}

static bool parse_f64(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  double v;
  if (c->strict && !is_json_number(text, size) && !is_special(text, size)) return false;
  if (!tn_parse_f64(text, size, &v)) return false;
  if (c->strict && size > 15 && !keeps_digits(text, size, v)) return false;
  memcpy(ret, &v, sizeof v);
  return true;
}

static bool parse_f32(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  float v;
  (void)c;
  if (!tn_parse_f32(text, size, &v)) return false;
  memcpy(ret, &v, sizeof v);
  return true;
}

/* ---- Dates and times ---- */

static bool parse_date(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  int64_t days;
  (void)c;
  if (!tn_parse_date(text, size, &days) || days != (int32_t)days) return false;
  int32_t narrow = (int32_t)days;
  memcpy(ret, &narrow, sizeof narrow);
  return true;
}

static bool parse_time(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  (void)c;
  return tn_parse_time(text, size, ret);
}

static bool parse_timestamp(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  (void)c;
  return tn_parse_timestamp(text, size, false, ret);
}

static bool parse_timestamptz(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  (void)c;
  return tn_parse_timestamp(text, size, true, ret);
}

/* ---- Booleans, text, binary ---- */

static bool same_word(const char *text, size_t size, const char *word) {
  for (size_t i = 0; i < size; i++)
    if (word[i] == 0 || (text[i] | 0x20) != word[i]) return false;
  return word[size] == 0;
}

static bool parse_bool(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  uint8_t v = same_word(text, size, "true");
  bool fits = v || same_word(text, size, "false");
  if (!fits && !c->strict && size == 1) {
    v = text[0] == '1' || text[0] == 't' || text[0] == 'T';
    fits = v || text[0] == '0' || text[0] == 'f' || text[0] == 'F';
  }
  memcpy(ret, &v, sizeof v);
  return fits;
}

static bool parse_text(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  (void)c, (void)text, (void)size, (void)ret;
  return true;
}

int tn_csv_hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* \x and two digits a byte. */
static bool parse_binary(const tn_csv_column *c, const char *text, size_t size, void *ret) {
  (void)c, (void)ret;
  if (size < 2 || size % 2 != 0 || text[0] != '\\' || text[1] != 'x') return false;
  for (size_t i = 2; i < size; i++)
    if (tn_csv_hex_digit(text[i]) < 0) return false;
  return true;
}

/* ---- Fields ---- */

static bool is_null_text(const tn_csv_dialect *d, const uint8_t *field, uint32_t size) {
  return size == d->null_size && (size == 0 || memcmp(field, d->null_text, size) == 0);
}

static bool is_quoted(const tn_csv_dialect *d, const uint8_t *field, uint32_t size) {
  return d->quote && size >= 2 && field[0] == d->quote;
}

bool tn_csv_field_text(const tn_csv_dialect *d, const uint8_t *field, uint32_t size, char *room,
                       uint32_t *ret_size) {
  if (is_null_text(d, field, size)) return false;
  uint32_t n = 0;
  if (!is_quoted(d, field, size)) {
    memcpy(room, field, size);
    n = size;
  } else {
    for (uint32_t i = 1; i + 1 < size; i++) {
      room[n++] = (char)field[i];
      if (field[i] == d->quote) i++;
    }
  }
  *ret_size = n;
  return true;
}

static bool is_blank(char c) { return c == ' ' || c == '\t'; }

tn_csv_cell tn_csv_read_cell(const tn_csv_column *c, const tn_csv_dialect *d, const uint8_t *field,
                             uint32_t size, void *ret) {
  if (is_null_text(d, field, size)) return TN_CSV_NULL;
  const char *text = (const char *)field;
  if (is_quoted(d, field, size)) text++, size -= 2;
  if (c->type->parse(c, text, size, ret)) return TN_CSV_VALUE;
  if (c->strict) return TN_CSV_MISFIT;
  while (size > 0 && is_blank(text[0])) text++, size--;
  while (size > 0 && is_blank(text[size - 1])) size--;
  return c->type->parse(c, text, size, ret) ? TN_CSV_VALUE : TN_CSV_MISFIT;
}

/* ---- The types ---- */

static const tn_csv_type types[] = {
    {"b", 1, parse_bool, tn_csv_convert_bool},
    {"c", 1, parse_signed, tn_csv_convert_int8},
    {"s", 2, parse_signed, tn_csv_convert_int16},
    {"i", 4, parse_signed, tn_csv_convert_int32},
    {"l", 8, parse_signed, tn_csv_convert_int64},
    {"C", 1, parse_unsigned, tn_csv_convert_uint8},
    {"S", 2, parse_unsigned, tn_csv_convert_uint16},
    {"I", 4, parse_unsigned, tn_csv_convert_uint32},
    {"L", 8, parse_unsigned, tn_csv_convert_uint64},
    {"f", 4, parse_f32, tn_csv_convert_fixed},
    {"g", 8, parse_f64, tn_csv_convert_float64},
    {"u", 0, parse_text, tn_csv_convert_text},
    {"z", 0, parse_binary, tn_csv_convert_binary},
    {"tdD", 4, parse_date, tn_csv_convert_date},
    {"ttu", 8, parse_time, tn_csv_convert_fixed},
    {"tsu:", 8, parse_timestamp, tn_csv_convert_timestamp},
    {"tsu:UTC", 8, parse_timestamptz, tn_csv_convert_timestamp},
};

static const tn_csv_type decimal128 = {"d:", 16, parse_decimal, tn_csv_convert_decimal128};
static const tn_csv_type decimal256 = {"d:", 32, parse_decimal, tn_csv_convert_fixed};

bool tn_csv_column_init(tn_csv_column *ret, const char *format, uint32_t position, bool strict) {
  tn_csv_column c = {.position = position, .strict = strict};
  int bits = 128;
  if (format[0] == 'd' &&
      sscanf(format, "d:%" SCNd32 ",%" SCNd32 ",%d", &c.precision, &c.scale, &bits) >= 2) {
    if ((bits != 128 && bits != 256) || c.precision < 1 || c.precision > (bits == 256 ? 76 : 38))
      return false;
    if (c.scale < 0 || c.scale > c.precision) return false;
    c.type = bits == 256 ? &decimal256 : &decimal128;
  }
  for (size_t i = 0; i < sizeof types / sizeof types[0] && !c.type; i++)
    if (strcmp(types[i].format, format) == 0) c.type = &types[i];
  if (!c.type) return false;
  c.convert = c.type->convert;
  *ret = c;
  return true;
}
