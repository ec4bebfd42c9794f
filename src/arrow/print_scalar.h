/* SPDX-License-Identifier: Apache-2.0 */
/* Text of values that have a greatest length: numbers, dates, times. The rules are in print.h. */
#ifndef TN_ARROW_PRINT_SCALAR_H
#define TN_ARROW_PRINT_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes that one value may take. */
enum { TN_SCALAR_ROOM = 128 };

typedef struct tn_scalar tn_scalar;

/* Writes the value at `value` and answers how many bytes it took. */
typedef size_t (*tn_scalar_fn)(const tn_scalar *, const uint8_t *value, char *to);

struct tn_scalar {
  tn_scalar_fn print;
  int32_t width;            /* bytes of a value */
  int32_t scale;            /* of decimals */
  int64_t per_second;       /* of times: units in a second */
  bool zoned;               /* of timestamps */
  int32_t zone_minutes;     /* east of UTC */
  bool is_number;           /* stands in JSON as it is, if it is finite */
};

/* The way to print an Arrow format; false: it is none of these. */
bool tn_scalar_init(tn_scalar *ret, const char *format);

#endif
