/* SPDX-License-Identifier: Apache-2.0 */
/* Decimal texts as exact integers of up to 256 bits, for comparing numbers by value. */
#ifndef TN_CORE_EXACT_H
#define TN_CORE_EXACT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* floor(number × 10^scale), and whether the number is greater than that. Numbers beyond 256 bits
 * stand at the end of the range, greater (or less) than any decimal. Two's complement, low limb first. */
typedef struct tn_exact {
  uint64_t limbs[4];
  bool has_fraction;
} tn_exact;

/* -12.50, .5, 1e3; false: not a number. */
bool tn_exact_parse(const char *text, size_t size, int scale, tn_exact *ret);
__int128 tn_exact_128(const tn_exact *);      /* cut to the ends of the range */
int tn_exact_compare(const uint64_t *a, const uint64_t *b);   /* 256 bits each */

#endif
