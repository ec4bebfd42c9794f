/* SPDX-License-Identifier: Apache-2.0 */
#include "core/exact.h"

#include <string.h>

enum { LIMBS = 4 };

/* n × 10 + digit; false: it does not fit 255 bits. */
static bool shift_in(uint64_t *n, unsigned digit) {
  unsigned __int128 carry = digit;
  uint64_t next[LIMBS];
  for (int i = 0; i < LIMBS; i++) {
    carry += (unsigned __int128)n[i] * 10;
    next[i] = (uint64_t)carry;
    carry >>= 64;
  }
  if (carry || next[LIMBS - 1] >> 63) return false;
  memcpy(n, next, sizeof next);
  return true;
}

static void negate(uint64_t *n) {
  unsigned __int128 carry = 1;
  for (int i = 0; i < LIMBS; i++) {
    carry += ~n[i];
    n[i] = (uint64_t)carry;
    carry >>= 64;
  }
}

static void subtract_one(uint64_t *n) {
  for (int i = 0; i < LIMBS && n[i]-- == 0; i++) {
  }
}

static void saturate(tn_exact *e, bool is_negative) {
  memset(e->limbs, is_negative ? 0 : 0xFF, sizeof e->limbs);
  e->limbs[LIMBS - 1] = is_negative ? UINT64_C(1) << 63 : UINT64_MAX >> 1;
  e->has_fraction = true;
}

/* The parts of the text: sign, where its digits are, how many stand before the point after the
 * exponent is applied. */
typedef struct parts {
  bool is_negative;
  const char *digits, *end;   /* with the point among them */
  int64_t whole;
} parts;

static bool parse_exponent(const char *at, const char *end, int64_t *ret) {
  bool is_negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) at++;
  if (at == end) return false;
  int64_t n = 0;
  for (; at < end; at++) {
    if (*at < '0' || *at > '9') return false;
    if (n < 1000000) n = n * 10 + (*at - '0');
  }
  *ret = is_negative ? -n : n;
  return true;
}

static bool split(const char *text, size_t size, parts *p) {
  const char *end = text + size, *at = text;
  int64_t count = 0, exponent = 0;
  bool point = false;
  p->is_negative = at < end && *at == '-';
  if (at < end && (*at == '-' || *at == '+')) at++;
  p->digits = at;
  p->whole = 0;
  for (; at < end && ((*at >= '0' && *at <= '9') || (*at == '.' && !point)); at++) {
    if (*at == '.') {
      point = true;
    } else {
      count++;
      p->whole += !point;
    }
  }
  p->end = at;
  if (at < end && (*at == 'e' || *at == 'E')) {
    if (!parse_exponent(at + 1, end, &exponent)) return false;
    at = end;
  }
  p->whole += exponent;
  return count > 0 && at == end;
}

bool tn_exact_parse(const char *text, size_t size, int scale, tn_exact *ret) {
  parts p;
  if (!split(text, size, &p)) return false;
  tn_exact e = {{0}, false};
  int64_t left = p.whole + scale;
  bool fits = true, is_zero = true;
  for (const char *c = p.digits; c < p.end; c++) {
    if (*c == '.') continue;
    if (left-- > 0) fits = fits && shift_in(e.limbs, (unsigned)(*c - '0'));
    else e.has_fraction |= *c != '0';
    is_zero = is_zero && *c == '0';
  }
  for (; !is_zero && fits && left > 0; left--) fits = shift_in(e.limbs, 0);
  if (!fits) {
    saturate(&e, p.is_negative);
  } else if (p.is_negative) {
    negate(e.limbs);
    if (e.has_fraction) subtract_one(e.limbs);
  }
  *ret = e;
  return true;
}

int tn_exact_compare(const uint64_t *a, const uint64_t *b) {
  int64_t high_a = (int64_t)a[LIMBS - 1], high_b = (int64_t)b[LIMBS - 1];
  if (high_a != high_b) return high_a < high_b ? -1 : 1;
  for (int i = LIMBS - 2; i >= 0; i--)
    if (a[i] != b[i]) return a[i] < b[i] ? -1 : 1;
  return 0;
}

__int128 tn_exact_128(const tn_exact *e) {
  bool is_negative = e->limbs[LIMBS - 1] >> 63;
  uint64_t fill = is_negative ? UINT64_MAX : 0;
  bool fits = e->limbs[3] == fill && e->limbs[2] == fill && (e->limbs[1] >> 63) == is_negative;
  const __int128 most = (__int128)(~(unsigned __int128)0 >> 1);
  if (!fits) return is_negative ? -most - 1 : most;
  return (__int128)((unsigned __int128)e->limbs[1] << 64 | e->limbs[0]);
}
