/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both ways stand on one table: 10^k as 128 bits, rounded up, for every k that a double can meet.
 * It is computed exactly when a float first needs it (a fraction of a millisecond).
 *
 * Reading: up to 15 digits and 22 powers of ten are exact in a double, one division rounds them.
 * Otherwise the product of digits and power is known to within a bit of its 128th; where both ends
 * of that interval round to the same double, this is it; the C library decides the rest.
 *
 * Printing: R. Giulietti's Schubfach. Of the decimals in the interval that rounds to the value, the
 * shortest, and of these the nearest.
 */
#include "base/float.h"

#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef unsigned __int128 u128;

/* ---- Powers of ten ---- */

enum { POWER_MIN = -343, POWER_MAX = 324, BIG_WORDS = 28 };

/* 10^k = (power / 2^127) * 2^floor(log2(10^k)), rounded up in the last bit. */
static u128 powers[POWER_MAX - POWER_MIN + 1];
static locale_t c_locale;

/* floor(k * log2(10)), good for |k| < 1650. */
static int32_t floor_log2_pow10(int32_t k) { return (int32_t)(((int64_t)k * 1741647) >> 19); }

typedef struct big {
  uint32_t word[BIG_WORDS];   /* the least first */
} big;

static void big_multiply(big *b, uint32_t by) {
  uint64_t carry = 0;
  for (int i = 0; i < BIG_WORDS; i++) {
    carry += (uint64_t)b->word[i] * by;
    b->word[i] = (uint32_t)carry;
    carry >>= 32;
  }
}

static int big_bits(const big *b) {
  int i = BIG_WORDS - 1;
  while (i >= 0 && b->word[i] == 0) i--;
  return i < 0 ? 0 : i * 32 + 32 - __builtin_clz(b->word[i]);
}

static bool big_bit(const big *b, int i) { return i >= 0 && (b->word[i / 32] >> (i % 32) & 1); }

static void big_double(big *b) { big_multiply(b, 2); }

static bool big_less(const big *a, const big *b) {
  for (int i = BIG_WORDS - 1; i >= 0; i--)
    if (a->word[i] != b->word[i]) return a->word[i] < b->word[i];
  return false;
}

static void big_subtract(big *a, const big *b) {
  int64_t borrow = 0;
  for (int i = 0; i < BIG_WORDS; i++) {
    borrow += (int64_t)a->word[i] - b->word[i];
    a->word[i] = (uint32_t)borrow;
    borrow >>= 32;
  }
}

/* The 128 highest bits of five, rounded up. */
static u128 top_bits(const big *five) {
  int bits = big_bits(five);
  u128 top = 0;
  for (int i = 0; i < 128; i++) top = top << 1 | big_bit(five, bits - 1 - i);
  for (int i = 0; i < bits - 128; i++)
    if (big_bit(five, i)) return top + 1;
  return top;
}

/* 2^n / five to 128 bits, rounded up: one long division, bit by bit. */
static u128 reciprocal_bits(const big *five) {
  big rest = {{0}};
  rest.word[(big_bits(five) - 1) / 32] = (uint32_t)1 << (big_bits(five) - 1) % 32;
  u128 quotient = 0;
  while (!(quotient >> 127)) {
    bool fits = !big_less(&rest, five);
    if (fits) big_subtract(&rest, five);
    quotient = quotient << 1 | fits;
    big_double(&rest);
  }
  return quotient + 1;   /* 2^n is never a multiple of five */
}

static void make_powers(void) {
  big five = {{1}};
  powers[-POWER_MIN] = (u128)1 << 127;
  for (int k = 1; k <= -POWER_MIN; k++) {
    big_multiply(&five, 5);
    if (k <= POWER_MAX) powers[k - POWER_MIN] = top_bits(&five);
    powers[-k - POWER_MIN] = reciprocal_bits(&five);
  }
  c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static void powers_init(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, make_powers);
}

/* ---- What a type of float is ---- */

typedef struct float_type {
  int mantissa_bits;   /* without the hidden one */
  int exponent_max;    /* biased, of infinity */
  int bias;            /* value = mantissa * 2^(exponent - bias) */
} float_type;

static const float_type f64_type = {52, 2047, 1075}, f32_type = {23, 255, 150}, f16_type = {10, 31, 25};

/* ---- Reading: the text ---- */

typedef struct number {
  uint64_t digits;     /* the first 19 that count */
  int32_t digit_count; /* that count, not only those kept */
  int64_t exponent;    /* value = digits * 10^exponent, or a little more */
  bool negative, truncated;
} number;

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static void take_digit(number *n, char c, bool behind_point) {
  if (n->digit_count < 19) {
    n->digits = n->digits * 10 + (uint64_t)(c - '0');
    n->exponent -= behind_point;
    if (n->digits) n->digit_count++;
  } else {
    n->truncated |= c != '0';
    n->exponent += !behind_point;
  }
}

/* Stops at the first character that is not of the mantissa; NULL if there was no digit. */
static const char *take_mantissa(number *n, const char *p, const char *end) {
  const char *begin = p;
  while (p < end && is_digit(*p)) take_digit(n, *p++, false);
  int64_t seen = p - begin;
  if (p < end && *p == '.') {
    const char *point = p++;
    while (p < end && is_digit(*p)) take_digit(n, *p++, true);
    seen += p - point - 1;
  }
  return seen > 0 ? p : NULL;
}

static bool take_exponent(number *n, const char *p, const char *end) {
  if (p == end) return true;
  if (*p != 'e' && *p != 'E') return false;
  bool negative = ++p < end && *p == '-';
  if (p < end && (*p == '-' || *p == '+')) p++;
  if (p == end) return false;
  int64_t e = 0;
  for (; p < end && is_digit(*p); p++)
    if (e < 100000000) e = e * 10 + (*p - '0');
  n->exponent += negative ? -e : e;
  return p == end;
}

static bool read_number(const char *text, size_t size, number *n) {
  const char *p = text, *end = text + size;
  *n = (number){.negative = p < end && *p == '-'};
  if (p < end && (*p == '-' || *p == '+')) p++;
  p = take_mantissa(n, p, end);
  return p && take_exponent(n, p, end);
}

static bool same_word(const char *text, size_t size, const char *word) {
  for (size_t i = 0; i < size; i++)
    if ((text[i] | 0x20) != word[i]) return false;
  return true;
}

/* nan, inf, infinity; the bits of the value in this type. */
static bool read_special(const float_type *t, const char *text, size_t size, uint64_t *ret_bits) {
  bool negative = size > 0 && *text == '-';
  if (size > 0 && (*text == '-' || *text == '+')) text++, size--;
  uint64_t bits = (uint64_t)t->exponent_max << t->mantissa_bits;
  if (size == 3 && same_word(text, size, "nan")) bits |= (uint64_t)1 << (t->mantissa_bits - 1);
  else if (!(size == 3 && same_word(text, size, "inf")) && !(size == 8 && same_word(text, size, "infinity")))
    return false;
  int sign_bit = t == &f64_type ? 63 : 31;
  *ret_bits = bits | (uint64_t)negative << sign_bit;
  return true;
}

/* ---- Reading: rounding ---- */

/* top * 2^exponent, rounded to nearest even, as the bits of the type; top has its highest or second
 * highest bit set. */
static uint64_t round_bits(const float_type *t, u128 top, int32_t exponent) {
  int high = 127 - (top >> 127 ? 0 : 1);
  int32_t biased = exponent + high - t->mantissa_bits + t->bias;
  int drop = high - t->mantissa_bits;
  if (biased <= 0) {   /* subnormal: fewer bits */
    drop += 1 - biased;
    biased = 0;
    if (drop > 128) return 0;
  }
  uint64_t kept = drop < 128 ? (uint64_t)(top >> drop) : 0;
  u128 half = (u128)1 << (drop - 1), rest = top & ((half << 1) - 1);
  kept += rest > half || (rest == half && (kept & 1));
  /* a carry into the next power of two raises the exponent by itself */
  uint64_t hidden = (uint64_t)1 << t->mantissa_bits;
  uint64_t bits = biased == 0 ? kept : kept - hidden + ((uint64_t)biased << t->mantissa_bits);
  uint64_t infinity = (uint64_t)t->exponent_max << t->mantissa_bits;
  return bits < infinity ? bits : infinity;
}

/* False where the interval in which the value lies spans two floats. */
static bool round_number(const float_type *t, const number *n, uint64_t *ret_bits) {
  if (n->digits == 0 || n->exponent < POWER_MIN) {
    *ret_bits = 0;
    return !n->truncated || n->exponent < POWER_MIN;
  }
  if (n->exponent > 308) {
    *ret_bits = (uint64_t)t->exponent_max << t->mantissa_bits;
    return true;
  }
  powers_init();
  int zeros = __builtin_clzll(n->digits);
  uint64_t w = n->digits << zeros;
  u128 power = powers[n->exponent - POWER_MIN];
  u128 low = (u128)w * (uint64_t)power, high = (u128)w * (uint64_t)(power >> 64) + (uint64_t)(low >> 64);
  int32_t exponent = floor_log2_pow10((int32_t)n->exponent) - 127 + 64 - zeros;
  u128 more = n->truncated ? (u128)1 << (64 + zeros) : 1;
  if (high > ~(u128)0 - more) return false;
  *ret_bits = round_bits(t, high - 1, exponent);
  return *ret_bits == round_bits(t, high + more, exponent);
}

enum { LONGEST_NUMBER = 1100 };   /* more digits than any double needs to be told from its neighbour */

/* What the interval cannot tell: exact ties, and very long numbers near one. */
static bool library_bits(const float_type *t, const char *text, size_t size, uint64_t *ret_bits) {
  char copy[LONGEST_NUMBER + 1];
  if (size > LONGEST_NUMBER) return false;
  powers_init();
  if (!c_locale) return false;
  memcpy(copy, text, size);
  copy[size] = 0;
  double wide = t == &f64_type ? strtod_l(copy, NULL, c_locale) : 0;
  float narrow = t == &f64_type ? 0 : strtof_l(copy, NULL, c_locale);
  uint32_t narrow_bits;
  memcpy(&narrow_bits, &narrow, sizeof narrow);
  memcpy(ret_bits, &wide, sizeof wide);
  if (t != &f64_type) *ret_bits = narrow_bits;
  return true;
}

static bool parse_bits(const float_type *t, const char *text, size_t size, uint64_t *ret_bits) {
  number n;
  if (!read_number(text, size, &n)) return read_special(t, text, size, ret_bits);
  uint64_t bits;
  int sign_bit = t == &f64_type ? 63 : 31;
  if (round_number(t, &n, &bits)) {
    bits |= (uint64_t)n.negative << sign_bit;
  } else if (!library_bits(t, text, size, &bits)) {
    return false;
  }
  uint64_t infinity = (uint64_t)t->exponent_max << t->mantissa_bits;
  if ((bits & ~((uint64_t)1 << sign_bit)) == infinity) return false;
  *ret_bits = bits;
  return true;
}

static const double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                      1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

bool tn_parse_f64(const char *text, size_t size, double *ret) {
  number n;
  if (read_number(text, size, &n) && n.digits < (uint64_t)1 << 53 && !n.truncated && n.exponent >= -22 &&
      n.exponent <= 22) {
    double v = (double)n.digits;
    v = n.exponent < 0 ? v / exact_powers[-n.exponent] : v * exact_powers[n.exponent];
    *ret = n.negative ? -v : v;
    return true;
  }
  uint64_t bits;
  if (!parse_bits(&f64_type, text, size, &bits)) return false;
  memcpy(ret, &bits, sizeof bits);
  return true;
}

bool tn_parse_f32(const char *text, size_t size, float *ret) {
  uint64_t bits;
  if (!parse_bits(&f32_type, text, size, &bits)) return false;
  uint32_t narrow = (uint32_t)bits;
  memcpy(ret, &narrow, sizeof narrow);
  return true;
}

/* ---- Printing: the digits ---- */

typedef struct decimal {
  uint64_t digits;
  int32_t exponent;
} decimal;

/* The product's bits above the 128th, and whether there is anything below them. */
static uint64_t multiply_to_odd(u128 power, uint64_t by) {
  u128 low = (u128)(uint64_t)power * by;
  u128 high = (u128)(uint64_t)(power >> 64) * by + (uint64_t)(low >> 64);
  return (uint64_t)(high >> 64) | ((uint64_t)high > 1);
}

/* mantissa * 2^exponent, not zero. `near` says that the float below is only half as far away as the
 * one above. */
static decimal shortest(uint64_t mantissa, int32_t exponent, bool near) {
  powers_init();
  /* k = floor(log10(2^exponent)), or of three quarters of it */
  int32_t k = (int32_t)(((int64_t)exponent * 1262611 - (near ? 524031 : 0)) >> 22);
  int32_t shift = exponent + floor_log2_pow10(-k) + 1;
  u128 power = powers[-k - POWER_MIN];
  uint64_t below = multiply_to_odd(power, (4 * mantissa - 2 + near) << shift);
  uint64_t value = multiply_to_odd(power, (4 * mantissa) << shift);
  uint64_t above = multiply_to_odd(power, (4 * mantissa + 2) << shift);
  uint64_t odd = mantissa & 1, lower = below + odd, upper = above - odd, s = value / 4;
  if (s >= 10) {
    uint64_t tens = s / 10;
    bool down = lower <= 40 * tens, up = 40 * tens + 40 <= upper;
    if (down != up) return (decimal){tens + up, k + 1};
  }
  bool down = lower <= 4 * s, up = 4 * s + 4 <= upper;
  if (down != up) return (decimal){s + up, k};
  uint64_t middle = 4 * s + 2;
  return (decimal){s + (value > middle || (value == middle && (s & 1))), k};
}

/* ---- Printing: the text ---- */

static size_t put_text(char *ret, const char *text) {
  size_t n = strlen(text);
  memcpy(ret, text, n);
  return n;
}

static size_t put_exponent(char *ret, int32_t e) {
  char *p = ret;
  *p++ = 'e';
  *p++ = e < 0 ? '-' : '+';
  uint32_t left = (uint32_t)(e < 0 ? -e : e);
  if (left >= 100) *p++ = (char)('0' + left / 100);
  *p++ = (char)('0' + left / 10 % 10);
  *p++ = (char)('0' + left % 10);
  return (size_t)(p - ret);
}

/* digits is without trailing zeros, `point` digits stand before the point. */
static size_t put_decimal(char *ret, const char *digits, int32_t count, int32_t point) {
  char *p = ret;
  if (point > 16 || point < -3) {
    *p++ = digits[0];
    if (count > 1) *p++ = '.';
    memcpy(p, digits + 1, (size_t)(count - 1));
    p += count - 1;
    return (size_t)(p - ret) + put_exponent(p, point - 1);
  }
  if (point <= 0) {
    p += put_text(p, "0.");
    for (int32_t i = point; i < 0; i++) *p++ = '0';
    memcpy(p, digits, (size_t)count);
    return (size_t)(p + count - ret);
  }
  for (int32_t i = 0; i < point; i++) *p++ = i < count ? digits[i] : '0';
  *p++ = '.';
  if (count <= point) *p++ = '0';
  for (int32_t i = point; i < count; i++) *p++ = digits[i];
  return (size_t)(p - ret);
}

static size_t put_float(const float_type *t, uint64_t bits, bool negative, char *ret) {
  uint64_t mantissa = bits & (((uint64_t)1 << t->mantissa_bits) - 1);
  int32_t exponent = (int32_t)(bits >> t->mantissa_bits) & t->exponent_max;
  if (exponent == t->exponent_max && mantissa) return put_text(ret, "NaN");
  char *p = ret;
  if (negative) *p++ = '-';
  if (exponent == t->exponent_max) return (size_t)(p - ret) + put_text(p, "Infinity");
  if (exponent == 0 && mantissa == 0) return (size_t)(p - ret) + put_text(p, "0.0");
  bool near = mantissa == 0 && exponent > 1;
  if (exponent) mantissa |= (uint64_t)1 << t->mantissa_bits;
  decimal d = shortest(mantissa, (exponent ? exponent : 1) - t->bias, near);
  while (d.digits % 10 == 0) d.digits /= 10, d.exponent++;
  char digits[20] = "";
  int32_t count = 0;
  for (uint64_t left = d.digits; left; left /= 10) count++;
  for (int32_t i = count; i-- > 0; d.digits /= 10) digits[i] = (char)('0' + d.digits % 10);
  return (size_t)(p - ret) + put_decimal(p, digits, count, count + d.exponent);
}

size_t tn_print_f64(double v, char *ret) {
  uint64_t bits;
  memcpy(&bits, &v, sizeof bits);
  return put_float(&f64_type, bits & (UINT64_MAX >> 1), bits >> 63, ret);
}

size_t tn_print_f32(float v, char *ret) {
  uint32_t bits;
  memcpy(&bits, &v, sizeof bits);
  return put_float(&f32_type, bits & (UINT32_MAX >> 1), bits >> 31, ret);
}

size_t tn_print_f16(uint16_t bits, char *ret) {
  return put_float(&f16_type, bits & 0x7FFF, bits >> 15, ret);
}
