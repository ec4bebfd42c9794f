/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as people write them, beside the types that columns have.
 *
 * Integers, decimals, dates and times compare exactly: a literal between two values of a type is
 * known to be so. What is written beside a float column, however it is spelled, means the float next
 * to it, as 0.1 does everywhere: so every float is found by its print. A program's typed number is
 * what it is.
 */
#ifndef TN_CORE_LITERAL_H
#define TN_CORE_LITERAL_H

#include "base/mem.h"
#include "core/wide.h"
#include "tenon/provider.h"

typedef enum tn_family {
  TN_OTHER = 0,       /* nested, durations, intervals, dictionaries: nothing but `is null` */
  TN_NULL, TN_BOOL, TN_INT, TN_UINT, TN_FLOAT, TN_DECIMAL, TN_TEXT, TN_BYTES, TN_DATE, TN_TIME, TN_TIMESTAMP
} tn_family;

typedef struct tn_column_type {
  tn_family family;
  int width;          /* bytes of a value; 0: bits, or as long as it is */
  int precision, scale;
  int64_t per_second; /* times: units in a second */
  bool has_zone, has_wide_offsets;
} tn_column_type;

tn_column_type tn_column_type_of(const struct ArrowSchema *);

/* Where a literal falls among a type's values. */
typedef enum tn_place { TN_EXACT = 0, TN_BETWEEN, TN_BELOW_ALL, TN_ABOVE_ALL } tn_place;

typedef struct tn_fit {
  tn_place place;
  tenon_value value;          /* TN_EXACT */
  tenon_value below, above;   /* TN_BETWEEN: the two next to it */
} tn_fit;

/* CONFIG names column, type and literal if it is no value of such a column at all: 'abc' of an
 * integer. Values that are made live in the arena. */
tenon_status tn_literal_fit(const struct ArrowSchema *column, const tenon_value *, tn_arena *,
                            tn_fit *ret, tenon_error *err);

/* What a value that fits exactly is inside of a column: for all families that are whole numbers
 * there (of the type's own unit and scale), and for floats as an order-keeping number. */
tn_wide tn_value_whole(const tn_column_type *, const tenon_value *);

/* A double's place in the order of all: NaN is the greatest, and both zeros are one. */
static inline int64_t tn_double_key(double v) {
  union { double f; int64_t i; } u = {.f = v};
  if (v != v) return INT64_MAX;
  if (v == 0) return 0;
  return u.i ^ (int64_t)((uint64_t)(u.i >> 63) >> 1);
}

/* The least and the greatest that a column of whole numbers can hold. */
void tn_whole_range(const tn_column_type *, tn_wide *ret_min, tn_wide *ret_max);

#endif
