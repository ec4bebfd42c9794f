/* SPDX-License-Identifier: Apache-2.0 */
/* Whole numbers of 256 bits, as decimal256 has them: two's complement, the lowest word first. */
#ifndef TN_CORE_WIDE_H
#define TN_CORE_WIDE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct tn_wide {
  uint64_t w[4];
} tn_wide;

static inline bool tn_wide_negative(tn_wide a) { return a.w[3] >> 63; }

static inline tn_wide tn_wide_of(__int128 v) {
  uint64_t sign = v < 0 ? UINT64_MAX : 0;
  return (tn_wide){{(uint64_t)v, (uint64_t)(v >> 64), sign, sign}};
}

/* Only of one that fits. */
static inline __int128 tn_wide_low(tn_wide a) {
  return (__int128)((unsigned __int128)a.w[1] << 64 | a.w[0]);
}

static inline int tn_wide_compare(tn_wide a, tn_wide b) {
  if (tn_wide_negative(a) != tn_wide_negative(b)) return tn_wide_negative(a) ? -1 : 1;
  for (int i = 3; i >= 0; i--)
    if (a.w[i] != b.w[i]) return a.w[i] < b.w[i] ? -1 : 1;
  return 0;
}

static inline bool tn_wide_fits_128(tn_wide a) {
  return tn_wide_compare(a, tn_wide_of(tn_wide_low(a))) == 0;
}

/* a + b for a small b of either sign; the caller knows that there is room. */
static inline tn_wide tn_wide_add(tn_wide a, int64_t b) {
  uint64_t carry = (uint64_t)b, sign = b < 0 ? UINT64_MAX : 0;
  for (int i = 0; i < 4; i++) {
    unsigned __int128 sum = (unsigned __int128)a.w[i] + (i ? sign : 0) + carry;
    a.w[i] = (uint64_t)sum;
    carry = (uint64_t)(sum >> 64);
  }
  return a;
}

static inline tn_wide tn_wide_negate(tn_wide a) {
  for (int i = 0; i < 4; i++) a.w[i] = ~a.w[i];
  return tn_wide_add(a, 1);
}

/* Of one that is not negative, and small enough. */
static inline void tn_wide_times_ten(tn_wide *a) {
  uint64_t carry = 0;
  for (int i = 0; i < 4; i++) {
    unsigned __int128 product = (unsigned __int128)a->w[i] * 10 + carry;
    a->w[i] = (uint64_t)product;
    carry = (uint64_t)(product >> 64);
  }
}

/* *a / 10 of one that is not negative; answers the digit that is left. */
static inline unsigned tn_wide_pop_digit(tn_wide *a) {
  uint64_t rest = 0;
  for (int i = 3; i >= 0; i--) {
    unsigned __int128 part = (unsigned __int128)rest << 64 | a->w[i];
    a->w[i] = (uint64_t)(part / 10);
    rest = (uint64_t)(part % 10);
  }
  return (unsigned)rest;
}

#endif
