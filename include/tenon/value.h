/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Typed values, and the filters and orders made of them.
 *
 * One comparison holds for every kind, in filters and in order: numbers by value, text bytewise in
 * UTF-8, binary bytewise, false before true, NaN equal to itself and greater than every number,
 * NULL last. A comparison with NULL is never true.
 */
#ifndef TENON_VALUE_H
#define TENON_VALUE_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tenon_value_type {
  TENON_VALUE_NULL = 0,
  TENON_VALUE_BOOL,      /* i: 0 or 1 */
  TENON_VALUE_INT,       /* i */
  TENON_VALUE_DOUBLE,    /* f */
  TENON_VALUE_DECIMAL,   /* data: digits such as -12.50 */
  TENON_VALUE_TEXT,      /* data: UTF-8 */
  TENON_VALUE_BYTES,     /* data */
  TENON_VALUE_DATE,      /* i: days since 1970-01-01 */
  TENON_VALUE_TIME,      /* i: microseconds since midnight; size: nanoseconds more, 0 to 999 */
  TENON_VALUE_TIMESTAMP  /* i: microseconds since 1970-01-01T00:00:00, of UTC where the column has a zone;
                          * size: nanoseconds more, 0 to 999 */
} tenon_value_type;

/* One typed value. data is borrowed, not NUL-terminated. */
typedef struct tenon_value {
  tenon_value_type type;
  int64_t i;
  double f;
  const char *data;
  size_t size;
} tenon_value;

typedef enum tenon_filter_op {
  TENON_EQ = 0, TENON_NE, TENON_LT, TENON_LE, TENON_GT, TENON_GE,
  TENON_IN,        /* values: one or more */
  TENON_BETWEEN,   /* values: low and high, both included */
  TENON_PREFIX,    /* text and binary columns; one value */
  TENON_IS_NULL, TENON_IS_NOT_NULL
} tenon_filter_op;

/* One condition. When a provider sees it, the core has converted its values to the column's type:
 * each is one that the column can hold, and a literal between two of them has become the nearest
 * (n >= 2.5 is n >= 3). A condition that holds never does not reach a provider.
 * Where special_values=text makes text of a column, the values are still of its declared type, and
 * what that type does not hold is there as it was written ('infinity'): a provider applies the
 * condition by the declared type, or leaves it and the core refuses it. The same holds for order. */
typedef struct tenon_filter {
  const char *column;
  tenon_filter_op op;
  const tenon_value *values;
  size_t value_count;
} tenon_filter;

typedef struct tenon_order {
  const char *column;
  uint8_t descending;   /* NULLs are last either way */
} tenon_order;

#ifdef __cplusplus
}
#endif

#endif
