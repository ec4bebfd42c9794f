/* SPDX-License-Identifier: Apache-2.0 */
/*
 * numeric on the wire: ndigits, weight, sign, dscale (16 bits each), then digits of base 10,000.
 * The value is the sum of digit[i] * 10000^(weight - i). (Source: the server's numeric_send.)
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "providers/sql/postgresql/decode.h"

__extension__ typedef unsigned __int128 u128;

enum {
  HEADER = 8,
  BASE = 10000,
  NEGATIVE = 0x4000,
  NOT_A_NUMBER = 0xC000,
  PLUS_INFINITY = 0xD000,
  MINUS_INFINITY = 0xF000
};

typedef struct numeric {
  int count, weight, scale;
  unsigned sign;
  const uint8_t *digits;
} numeric;

static const uint64_t powers[19] = {
    1u, 10u, 100u, 1000u, 10000u, 100000u, 1000000u, 10000000u, 100000000u, 1000000000u,
    10000000000u, 100000000000u, 1000000000000u, 10000000000000u, 100000000000000u,
    1000000000000000u, 10000000000000000u, 100000000000000000u, 1000000000000000000u};

static unsigned digit_at(const numeric *n, int i) { return tn_be16(n->digits + 2 * i); }

/* All but the digits, which are checked as they are used. */
static inline bool parse(const uint8_t *p, int32_t size, numeric *n) {
  if (size < HEADER) return false;
  n->count = tn_be16(p);
  n->weight = (int16_t)tn_be16(p + 2);
  n->sign = tn_be16(p + 4);
  n->scale = tn_be16(p + 6);
  n->digits = p + HEADER;
  return size == HEADER + 2 * n->count && n->scale <= 0x3FFF;
}

static bool is_special(const numeric *n) {
  return n->sign == NOT_A_NUMBER || n->sign == PLUS_INFINITY || n->sign == MINUS_INFINITY;
}

/* ---- Unscaled integers ---- */

/* The decimal exponent of the last digit once the value is multiplied by 10^scale. Groups behind
 * the scale are cut off when they are zero; what is left is -3 or more, or there is nothing left.
 */
static bool align(numeric *n, int scale, int *ret_exponent) {
  int exponent = 4 * (n->weight - n->count + 1) + scale;
  while (n->count > 0 && exponent <= -4) {
    if (digit_at(n, n->count - 1) != 0) return false;
    n->count--;
    exponent += 4;
  }
  *ret_exponent = exponent;
  return true;
}

/* The last group without its last -exponent digits, which must be zeros. */
static inline bool cut(unsigned group, int exponent, unsigned *ret) {
  unsigned by = exponent == -1 ? 10 : exponent == -2 ? 100 : 1000;
  *ret = exponent == -1 ? group / 10 : exponent == -2 ? group / 100 : group / 1000;
  return *ret * by == group;
}

static int decimal_digits(unsigned group) {
  return group < 10 ? 1 : group < 100 ? 2 : group < 1000 ? 3 : 4;
}

/* Up to 18 digits, which nearly all values have. false: take the long way. */
static inline bool short_value(const numeric *n, int exponent, int precision, uint64_t *ret) {
  if (n->count > 4 || 4 * n->count + exponent > 18) return false;
  uint64_t value = 0;
  int whole = exponent < 0 ? n->count - 1 : n->count;
  for (int i = 0; i < whole; i++) {
    unsigned d = digit_at(n, i);
    if (d >= BASE) return false;
    value = value * BASE + d;
  }
  if (exponent >= 0) {
    value *= powers[exponent];
  } else {
    unsigned d = digit_at(n, n->count - 1);
    if (d >= BASE || !cut(d, exponent, &d)) return false;
    value = value * powers[4 + exponent] + d;
  }
  *ret = value;
  return precision >= 19 || value < powers[precision];
}

/* limbs (little end first) = limbs * by + add; false: it does not fit. */
static bool multiply_add(uint64_t *limbs, int count, uint64_t by, uint64_t add) {
  u128 carry = add;
  for (int i = 0; i < count; i++) {
    carry += (u128)limbs[i] * by;
    limbs[i] = (uint64_t)carry;
    carry >>= 64;
  }
  return carry == 0;
}

static tn_pg_fault long_value(const numeric *n, int exponent, int precision, uint64_t *limbs,
                              int count) {
  int first = 0, left = exponent;
  while (first < n->count && digit_at(n, first) == 0) first++;
  if (first == n->count) return TN_PG_FINE;
  if (4 * (n->count - first - 1) + decimal_digits(digit_at(n, first)) + exponent > precision)
    return TN_PG_TOO_PRECISE;
  for (int i = first; i < n->count; i++) {
    unsigned d = digit_at(n, i);
    bool last = i + 1 == n->count && exponent < 0;
    if (d >= BASE) return TN_PG_BAD_WIRE;
    if (last && !cut(d, exponent, &d)) return TN_PG_TOO_PRECISE;
    if (!multiply_add(limbs, count, last ? powers[4 + exponent] : BASE, d))
      return TN_PG_TOO_PRECISE;
  }
  for (; left > 0; left -= 18)
    if (!multiply_add(limbs, count, powers[left > 18 ? 18 : left], 0)) return TN_PG_TOO_PRECISE;
  return TN_PG_FINE;
}

static void negate(uint64_t *limbs, int count) {
  bool carry = true;
  for (int i = 0; i < count; i++) {
    limbs[i] = ~limbs[i] + (carry ? 1 : 0);
    carry = carry && limbs[i] == 0;
  }
}

static tn_pg_fault decode_long(const numeric *n, int exponent, int precision, uint64_t *limbs,
                               int count) {
  tn_pg_fault fault = long_value(n, exponent, precision, limbs, count);
  if (!fault && n->sign == NEGATIVE) negate(limbs, count);
  return fault;
}

static tn_pg_fault decode(const uint8_t *value, int32_t size, int precision, int scale,
                          uint64_t *limbs, int count) {
  numeric n;
  int exponent;
  uint64_t small;
  if (!parse(value, size, &n)) return TN_PG_BAD_WIRE;
  if (is_special(&n)) return TN_PG_SPECIAL;
  if (n.sign != 0 && n.sign != NEGATIVE) return TN_PG_BAD_WIRE;
  if (!align(&n, scale, &exponent)) return TN_PG_TOO_PRECISE;
  if (n.count == 0) return TN_PG_FINE;
  if (!short_value(&n, exponent, precision, &small))
    return decode_long(&n, exponent, precision, limbs, count);
  uint64_t sign = n.sign == NEGATIVE && small ? UINT64_MAX : 0;
  limbs[0] = (small ^ sign) - sign;
  for (int i = 1; i < count; i++) limbs[i] = sign;
  return TN_PG_FINE;
}

tn_pg_fault tn_pg_decimal128(const uint8_t *value, int32_t size, int precision, int scale,
                             void *ret) {
  uint64_t limbs[2] = {0, 0};
  tn_pg_fault fault = decode(value, size, precision, scale, limbs, 2);
  if (!fault) memcpy(ret, limbs, sizeof limbs);
  return fault;
}

tn_pg_fault tn_pg_decimal256(const uint8_t *value, int32_t size, int precision, int scale,
                             void *ret) {
  uint64_t limbs[4] = {0, 0, 0, 0};
  tn_pg_fault fault = decode(value, size, precision, scale, limbs, 4);
  if (!fault) memcpy(ret, limbs, sizeof limbs);
  return fault;
}

/* ---- Text ---- */

int32_t tn_pg_decimal_room(const uint8_t *value, int32_t size) {
  numeric n;
  if (!parse(value, size, &n)) return 0;
  return (n.weight < 0 ? 1 : 4 * (n.weight + 1)) + n.scale + 16;
}

static char *put_group(char *to, unsigned group, int digits) {
  for (int i = digits - 1; i >= 0; i--, group /= 10) to[i] = (char)('0' + group % 10);
  return to + digits;
}

/* The group of weight w: zero where the wire has none. */
static unsigned group_of(const numeric *n, int w) {
  int i = n->weight - w;
  return i >= 0 && i < n->count ? digit_at(n, i) : 0;
}

static char *put_whole(char *to, const numeric *n) {
  if (n->weight < 0) {
    *to++ = '0';
    return to;
  }
  unsigned first = group_of(n, n->weight);
  to = put_group(to, first, decimal_digits(first));
  for (int w = n->weight - 1; w >= 0; w--) to = put_group(to, group_of(n, w), 4);
  return to;
}

static char *put_fraction(char *to, const numeric *n) {
  if (n->scale == 0) return to;
  *to++ = '.';
  char *end = to + n->scale;
  for (int w = -1; to < end; w--) {
    char group[4];
    put_group(group, group_of(n, w), 4);
    for (int i = 0; i < 4 && to < end; i++) *to++ = group[i];
  }
  return end;
}

static const char *special_text(const numeric *n) {
  return n->sign == NOT_A_NUMBER ? "NaN" : n->sign == PLUS_INFINITY ? "Infinity" : "-Infinity";
}

tn_pg_fault tn_pg_decimal_text(const uint8_t *value, int32_t size, char *ret, int32_t *ret_size) {
  numeric n;
  if (!parse(value, size, &n)) return TN_PG_BAD_WIRE;
  if (is_special(&n)) {
    const char *text = special_text(&n);
    *ret_size = (int32_t)strlen(text);
    memcpy(ret, text, (size_t)*ret_size);
    return TN_PG_FINE;
  }
  if (n.sign != 0 && n.sign != NEGATIVE) return TN_PG_BAD_WIRE;
  for (int i = 0; i < n.count; i++)
    if (digit_at(&n, i) >= BASE) return TN_PG_BAD_WIRE;
  char *to = ret;
  if (n.sign == NEGATIVE) *to++ = '-';
  to = put_fraction(put_whole(to, &n), &n);
  *ret_size = (int32_t)(to - ret);
  return TN_PG_FINE;
}

/* ---- Floats, correctly rounded ---- */

/* Both factors exact in a double, so one rounding. */
static bool exact_float(const numeric *n, int exponent, double *ret) {
  if (n->count > 3 || exponent < -18 || exponent > 18) return false;
  uint64_t value = 0;
  for (int i = 0; i < n->count; i++) {
    unsigned d = digit_at(n, i);
    if (d >= BASE) return false;
    value = value * BASE + d;
  }
  double power = (double)powers[exponent < 0 ? -exponent : exponent];
  *ret = exponent < 0 ? (double)value / power : (double)value * power;
  return true;
}

/* The digits and an exponent, without a decimal point: that one depends on the locale. A double
 * needs at most 770 digits to be rounded right; what is behind them only matters by not being zero.
 */
static tn_pg_fault long_float(const numeric *n, int exponent, double *ret) {
  enum { MAX_GROUPS = 196 };
  char text[MAX_GROUPS * 4 + 16];
  char *to = text;
  int groups = n->count < MAX_GROUPS ? n->count : MAX_GROUPS;
  for (int i = 0; i < groups; i++) {
    if (digit_at(n, i) >= BASE) return TN_PG_BAD_WIRE;
    to = put_group(to, digit_at(n, i), 4);
  }
  if (groups < n->count) *to++ = '1', exponent--;
  snprintf(to, 12, "e%d", exponent + 4 * (n->count - groups));
  *ret = strtod(text, NULL);
  return *ret > 1.7976931348623157e308 ? TN_PG_TOO_PRECISE : TN_PG_FINE;
}

tn_pg_fault tn_pg_decimal_float(const uint8_t *value, int32_t size, double *ret) {
  numeric n;
  double result = 0;
  if (!parse(value, size, &n)) return TN_PG_BAD_WIRE;
  if (is_special(&n)) {
    *ret = n.sign == NOT_A_NUMBER    ? __builtin_nan("")
           : n.sign == PLUS_INFINITY ? __builtin_inf()
                                     : -__builtin_inf();
    return TN_PG_FINE;
  }
  if (n.sign != 0 && n.sign != NEGATIVE) return TN_PG_BAD_WIRE;
  int exponent = 4 * (n.weight - n.count + 1);
  tn_pg_fault fault = n.count == 0 || exact_float(&n, exponent, &result)
                          ? TN_PG_FINE
                          : long_float(&n, exponent, &result);
  if (!fault) *ret = n.sign == NEGATIVE ? -result : result;
  return fault;
}
