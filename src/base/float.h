/* SPDX-License-Identifier: Apache-2.0 */
/* Floats from and to text: correctly rounded in, the fewest digits out, the same in every locale. */
#ifndef TN_BASE_FLOAT_H
#define TN_BASE_FLOAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The whole text must be a number: digits with an optional sign, point and exponent, or nan, inf,
 * infinity in any case. False also where a finite number is too large for the type. */
bool tn_parse_f64(const char *text, size_t size, double *ret);
bool tn_parse_f32(const char *text, size_t size, float *ret);

/* Bytes that printing may write; there is no NUL behind them. */
enum { TN_FLOAT_ROOM = 32 };

/* The fewest digits that read back as the same value, as 0.1, 100.0, 1e+16, NaN, -Infinity. Answers
 * the number of bytes. */
size_t tn_print_f64(double, char *ret);
size_t tn_print_f32(float, char *ret);
size_t tn_print_f16(uint16_t bits, char *ret);

#endif
