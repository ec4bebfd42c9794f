/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Columns out of indexed text, one column of many records at a time: its loop knows one type, and
 * its branches go the same way nearly always. Digits are read eight at a time, in one 64-bit word.
 * What a loop does not know at a glance goes to tn_csv_read_cell.
 *
 * Each function has room for the slice's values before it begins. Words are loaded from any byte of
 * the text: behind it there are TN_CSV_SLACK more.
 */
#include <string.h>

#include "formats/csv.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "the first digit is the lowest byte of a word");

#define INLINE static inline __attribute__((always_inline))

/* ---- Walking a column ---- */

typedef struct walk {
  const uint8_t *data;
  const uint32_t *end, *start;
  uint32_t columns;
  bool first;
} walk;

typedef struct span {
  const uint8_t *text;
  uint32_t size;
} span;

INLINE walk walk_column(const tn_csv_column *c, const tn_csv_slice *s) {
  const tn_csv_index *ix = s->index;
  return (walk){
      .data = s->data,
      .end = ix->ends + (size_t)s->first * ix->columns + c->position,
      .start = ix->starts + s->first,
      .columns = ix->columns,
      .first = c->position == 0,
  };
}

INLINE span next_field(walk *w) {
  uint32_t begin = w->first ? *w->start++ : w->end[-1] + 1, end = *w->end;
  w->end += w->columns;
  return (span){w->data + begin, end - begin};
}

/* The long way for value `row` of the slice; false: it does not fit. */
static __attribute__((noinline)) bool long_way(const tn_csv_column *c, const tn_csv_slice *s,
                                               span f, uint32_t row, tn_column *out, void *to) {
  tn_csv_cell cell = tn_csv_read_cell(c, &s->index->dialect, f.text, f.size, to);
  if (cell == TN_CSV_NULL) {
    memset(to, 0, (size_t)c->type->width);
    return tn_mark_null(out, out->length + row);
  }
  return cell == TN_CSV_VALUE;
}

/* ---- Digits ---- */

INLINE uint64_t load8(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

/* Bytes of 0 to 9, the first the most significant, to their number. */
INLINE uint64_t digits_value(uint64_t v) {
  v = v * 10 + (v >> 8);
  return ((v & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x000F424000000064) +
          (v >> 16 & UINT64_C(0x000000FF000000FF)) * UINT64_C(0x0000271000000001)) >> 32;
}

/* High bits where a byte is not 0 to 9. */
INLINE uint64_t not_digits(uint64_t v) {
  return ((v + UINT64_C(0x7676767676767676)) | v) & UINT64_C(0x8080808080808080);
}

/* The characters p[0] to p[n - 1], n from 1 to 8, as bytes of 0 to 9 behind leading zeros. */
INLINE uint64_t load_digits(const uint8_t *p, uint32_t n) {
  unsigned shift = 64 - 8 * n;
  return (load8(p) ^ UINT64_C(0x3030303030303030)) << shift;
}

/* One to sixteen digits. */
INLINE bool short_number(const uint8_t *p, uint32_t n, uint64_t *ret) {
  if (n - 1 < 8) {
    uint64_t v = load_digits(p, n);
    *ret = digits_value(v);
    return not_digits(v) == 0;
  }
  if (n - 9 < 8) {
    uint64_t high = load_digits(p, n - 8), low = load8(p + n - 8) ^ UINT64_C(0x3030303030303030);
    *ret = digits_value(high) * 100000000 + digits_value(low);
    return (not_digits(high) | not_digits(low)) == 0;
  }
  return false;
}

/* ---- Integers ---- */

INLINE uint32_t convert_integers(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out,
                                 size_t width, bool is_signed) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + (size_t)out->length * width;
  uint64_t limit = is_signed ? UINT64_MAX >> (65 - 8 * width) : UINT64_MAX >> (64 - 8 * width);
  bool strict = c->strict;
  for (uint32_t row = 0; row < s->rows; row++, to += width) {
    span f = next_field(&w);
    uint64_t v;
    bool negative = is_signed && f.text[0] == '-';
    const uint8_t *p = f.text + negative;
    uint32_t n = f.size - negative;
    if (short_number(p, n, &v) && v <= limit && !(strict && *p == '0' && f.size > 1)) {
      v = negative ? 0 - v : v;
      memcpy(to, &v, width);
    } else if (!long_way(c, s, f, row, out, to)) {
      return row;
    }
  }
  return s->rows;
}

#define INTEGERS(name, width, is_signed)                                                          \
  uint32_t tn_csv_convert_##name(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) { \
    return convert_integers(c, s, out, width, is_signed);                                         \
  }

INTEGERS(int8, 1, true)
INTEGERS(int16, 2, true)
INTEGERS(int32, 4, true)
INTEGERS(int64, 8, true)
INTEGERS(uint8, 1, false)
INTEGERS(uint16, 2, false)
INTEGERS(uint32, 4, false)
INTEGERS(uint64, 8, false)

/* ---- Decimals ---- */

static const uint64_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000};

/* Up to eight characters, of which `scale` (one to six) stand behind a point: the point is taken
 * out of their word. Answers whether that is what they are. */
INLINE bool word_decimal(const uint8_t *p, uint32_t n, uint32_t scale, uint64_t *ret) {
  unsigned behind = 64 - 8 * scale;   /* the first bit of the digits behind the point */
  uint64_t word = load_digits(p, n), low = word & ((UINT64_C(1) << (behind - 8)) - 1);
  uint64_t v = (word >> behind << behind) | low << 8;
  *ret = digits_value(v);
  return ((not_digits(v)) | ((word >> (behind - 8) & 0xFF) ^ ('.' ^ '0'))) == 0;
}

/* Up to nineteen digits in all: whole ones, a point, and exactly `scale` (one to six) digits. */
INLINE bool short_decimal(const uint8_t *p, uint32_t n, uint32_t scale, uint64_t *ret) {
  uint64_t whole;
  if (n - scale - 2 < 7 - scale) return word_decimal(p, n, scale, ret);
  if (n > 20 || n - scale - 2 >= 16 || p[n - scale - 1] != '.')
    return false; /* 19 digits fit 64 bits */
  uint64_t fraction = load_digits(p + n - scale, scale);
  if (!short_number(p, n - scale - 1, &whole) || not_digits(fraction)) return false;
  *ret = whole * powers[scale] + digits_value(fraction);
  return true;
}

/* The greatest number of `precision` digits, as far as 64 bits go. */
static uint64_t precision_limit(int32_t precision) {
  uint64_t limit = 1;
  for (int32_t i = 0; i < precision; i++)
    if (__builtin_mul_overflow(limit, 10, &limit)) return UINT64_MAX;
  return limit - 1;
}

INLINE void store_decimal128(uint8_t *to, uint64_t v, bool negative) {
  uint64_t words[2] = {negative ? 0 - v : v, negative && v ? UINT64_MAX : 0};
  memcpy(to, words, sizeof words);
}

uint32_t tn_csv_convert_decimal128(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + out->length * 16;
  uint64_t limit = precision_limit(c->precision);
  uint32_t scale = (uint32_t)c->scale;
  if (scale < 1 || scale > 6 || c->strict) return tn_csv_convert_fixed(c, s, out);
  for (uint32_t row = 0; row < s->rows; row++, to += 16) {
    span f = next_field(&w);
    uint64_t v;
    bool negative = f.text[0] == '-';
    if (short_decimal(f.text + negative, f.size - negative, scale, &v) && v <= limit) {
      store_decimal128(to, v, negative);
    } else if (!long_way(c, s, f, row, out, to)) {
      return row;
    }
  }
  return s->rows;
}

/* ---- Dates ---- */

/* The days before each month, and its length in leap years. */
static const struct {
  int16_t before;
  uint8_t length;
} months[16] = {{0, 0},    {0, 31},   {31, 29},  {59, 31},  {90, 30},  {120, 31},
                {151, 30}, {181, 31}, {212, 31}, {243, 30}, {273, 31}, {304, 30},
                {334, 31}, {0, 0},    {0, 0},    {0, 0}};

/* YYYY-MM-DD, to days since 1970; the 29th of February goes the long way. */
INLINE bool short_date(const uint8_t *p, int32_t *ret) {
  uint64_t v = load8(p) ^ UINT64_C(0x2D30302D30303030);
  uint16_t d;
  memcpy(&d, p + 8, sizeof d);
  uint32_t tail = (uint32_t)d ^ 0x3030;
  /* digits are to be below 10, the two dashes are 0 now */
  if ((((v + UINT64_C(0x7F76767F76767676)) | v) & UINT64_C(0x8080808080808080)) != 0) return false;
  if ((((tail + 0x7676) | tail) & 0x8080) != 0) return false;
  uint32_t low = (uint32_t)v, pairs = low * 10 + (low >> 8);
  uint32_t year = (pairs & 0xFF) * 100 + (pairs >> 16 & 0xFF);
  uint32_t month = (uint32_t)(v >> 40 & 0xFF) * 10 + (uint32_t)(v >> 48 & 0xFF);
  uint32_t day = (tail & 0xFF) * 10 + (tail >> 8);
  if (month > 12 || day - 1 >= months[month].length || year == 0 || (month == 2 && day == 29))
    return false;
  uint32_t past = year - 1 + (month > 2),
           century = past / 100; /* a leap day counts from March on */
  int32_t leap_days = (int32_t)(past / 4 - century + century / 4);
  *ret = (int32_t)((year - 1) * 365) + leap_days + months[month].before + (int32_t)day - 1 - 719162;
  return true;
}

uint32_t tn_csv_convert_date(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + out->length * 4;
  for (uint32_t row = 0; row < s->rows; row++, to += 4) {
    span f = next_field(&w);
    int32_t days;
    if (f.size == 10 && short_date(f.text, &days)) memcpy(to, &days, 4);
    else if (!long_way(c, s, f, row, out, to)) return row;
  }
  return s->rows;
}

/* ---- Timestamps ---- */

/* HH:MM:SS, to seconds. */
INLINE bool short_time(const uint8_t *p, int64_t *ret) {
  uint64_t v = load8(p) ^ UINT64_C(0x30303A30303A3030);
  if ((((v + UINT64_C(0x76767F76767F7676)) | v) & UINT64_C(0x8080808080808080)) != 0) return false;
  uint64_t pairs = v * 10 + (v >> 8);
  uint64_t hours = pairs & 0xFF, minutes = pairs >> 24 & 0xFF, seconds = pairs >> 48 & 0xFF;
  *ret = (int64_t)(hours * 3600 + minutes * 60 + seconds);
  return hours < 24 && minutes < 60 && seconds < 60;
}

/* The fraction of a second behind the point, as microseconds. */
INLINE bool short_fraction(const uint8_t *p, uint32_t n, int64_t *ret) {
  static const int32_t units[] = {0, 100000, 10000, 1000, 100, 10, 1};
  if (n - 1 >= 6) return false;
  uint64_t v = load_digits(p, n);
  *ret = (int64_t)digits_value(v) * units[n];
  return not_digits(v) == 0;
}

/* YYYY-MM-DD HH:MM:SS, with a fraction or not, and Z where there is to be a zone. */
INLINE bool short_timestamp(const uint8_t *p, uint32_t n, bool with_zone, int64_t *ret) {
  int32_t days;
  int64_t seconds, us = 0;
  if (n < 19u + with_zone || (with_zone && p[n - 1] != 'Z') || (p[10] != 'T' && p[10] != ' '))
    return false;
  n -= with_zone;
  if (!short_date(p, &days) || !short_time(p + 11, &seconds)) return false;
  if (n > 19 && (p[19] != '.' || !short_fraction(p + 20, n - 20, &us))) return false;
  *ret = (days * INT64_C(86400) + seconds) * 1000000 + us;
  return true;
}

uint32_t tn_csv_convert_timestamp(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + out->length * 8;
  bool with_zone = c->type->format[4] != 0;
  for (uint32_t row = 0; row < s->rows; row++, to += 8) {
    span f = next_field(&w);
    int64_t us;
    if (short_timestamp(f.text, f.size, with_zone, &us)) memcpy(to, &us, 8);
    else if (!long_way(c, s, f, row, out, to)) return row;
  }
  return s->rows;
}

/* ---- Floats ---- */

static const double exact_powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                      1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

/* At most fifteen digits and a point: one division rounds them rightly. */
INLINE bool short_float(const uint8_t *p, uint32_t n, double *ret) {
  uint64_t v = 0;
  uint32_t point = n;
  if (n - 1 >= 16) return false;
  for (uint32_t i = 0; i < n; i++) {
    uint32_t digit = (uint32_t)p[i] - '0';
    if (digit < 10) v = v * 10 + digit;
    else if (p[i] == '.' && point == n && i > 0 && i + 1 < n) point = i;
    else return false;
  }
  if (point == n) {
    *ret = (double)(int64_t)v;
    return n < 16;
  }
  *ret = (double)(int64_t)v / exact_powers[n - point - 1];
  return true;
}

uint32_t tn_csv_convert_float64(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + out->length * 8;
  for (uint32_t row = 0; row < s->rows; row++, to += 8) {
    span f = next_field(&w);
    double v;
    bool negative = f.text[0] == '-';
    const uint8_t *p = f.text + negative;
    bool odd_zero = c->strict && p[0] == '0' && p[1] != '.' && f.size - negative > 1;
    if (!odd_zero && short_float(p, f.size - negative, &v)) {
      v = negative ? -v : v;
      memcpy(to, &v, 8);
    } else if (!long_way(c, s, f, row, out, to)) {
      return row;
    }
  }
  return s->rows;
}

/* ---- Anything of fixed width, booleans ---- */

uint32_t tn_csv_convert_fixed(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  uint8_t *to = out->data.data + out->length * c->type->width;
  for (uint32_t row = 0; row < s->rows; row++, to += c->type->width)
    if (!long_way(c, s, next_field(&w), row, out, to)) return row;
  return s->rows;
}

uint32_t tn_csv_convert_bool(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  for (uint32_t row = 0; row < s->rows; row++) {
    uint8_t v;
    if (!long_way(c, s, next_field(&w), row, out, &v)) return row;
    int64_t i = out->length + row;
    uint8_t *byte = out->data.data + (i >> 3);
    unsigned bit = 1u << (i & 7);
    *byte = (uint8_t)(v ? *byte | bit : *byte & ~bit);
  }
  return s->rows;
}

/* ---- Text and binary ---- */

/* High bits where a byte of v is zero. */
INLINE uint64_t zero_bytes(uint64_t v) {
  const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
  return ~(((v & low) + low) | v | low);
}

/* The text within quotes, doubled ones single; answers where it ends. */
INLINE uint8_t *copy_quoted(uint8_t *to, const uint8_t *text, uint32_t size, uint8_t quote) {
  uint64_t pattern = quote * UINT64_C(0x0101010101010101);
  const uint8_t *end = text + size;
  while (text < end) {
    uint64_t word = load8(text), quotes = zero_bytes(word ^ pattern);
    uint32_t left = (uint32_t)(end - text), most = left < 8 ? left : 8;
    memcpy(to, &word, sizeof word);
    uint32_t plain = quotes ? (uint32_t)__builtin_ctzll(quotes) / 8 : 8;
    if (plain >= most) {
      to += most;
      text += most;
    } else {
      to += plain + 1;
      text += plain + 2;
    }
  }
  return to;
}

INLINE void copy_short(uint8_t *to, const uint8_t *from, uint32_t size) {
  if (size <= 16) memcpy(to, from, 16);
  else if (size <= 32) memcpy(to, from, 32);
  else memcpy(to, from, size);
}

INLINE bool is_null(const tn_csv_dialect *d, span f) {
  return f.size == d->null_size && (f.size == 0 || memcmp(f.text, d->null_text, f.size) == 0);
}

uint32_t tn_csv_convert_text(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  tn_csv_dialect d = s->index->dialect;
  uint8_t *begin = out->data.data, *to = begin + out->data_size,
          *offset = out->offsets.data + (out->length + 1) * 4;
  for (uint32_t row = 0; row < s->rows; row++, offset += 4) {
    span f = next_field(&w);
    if (is_null(&d, f)) {
      if (!tn_mark_null(out, out->length + row)) return row;
    } else if (f.text[0] != d.quote || f.size < 2 || d.quote == 0) {
      copy_short(to, f.text, f.size);
      to += f.size;
    } else {
      to = copy_quoted(to, f.text + 1, f.size - 2, d.quote);
    }
    int32_t end = (int32_t)(to - begin);
    memcpy(offset, &end, 4);
  }
  out->data_size = to - begin;
  return s->rows;
}

/* Without the \x. */
static uint8_t *copy_hex(uint8_t *to, span f) {
  for (uint32_t i = 2; i < f.size; i += 2)
    *to++ = (uint8_t)(tn_csv_hex_digit((char)f.text[i]) << 4 |
                      tn_csv_hex_digit((char)f.text[i + 1]));
  return to;
}

uint32_t tn_csv_convert_binary(const tn_csv_column *c, const tn_csv_slice *s, tn_column *out) {
  walk w = walk_column(c, s);
  const tn_csv_dialect *d = &s->index->dialect;
  uint8_t *begin = out->data.data, *to = begin + out->data_size,
          *offset = out->offsets.data + (out->length + 1) * 4;
  for (uint32_t row = 0; row < s->rows; row++, offset += 4) {
    span f = next_field(&w);
    if (is_null(d, f)) {
      if (!tn_mark_null(out, out->length + row)) return row;
    } else {
      if (d->quote && f.size >= 2 && f.text[0] == d->quote) f = (span){f.text + 1, f.size - 2};
      if (!c->type->parse(c, (const char *)f.text, f.size, NULL)) return row;
      to = copy_hex(to, f);
    }
    int32_t end = (int32_t)(to - begin);
    memcpy(offset, &end, 4);
  }
  out->data_size = to - begin;
  return s->rows;
}
