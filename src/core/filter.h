/* SPDX-License-Identifier: Apache-2.0 */
/* Filters at work: conditions on columns, decided row by row by the comparison of tenon/value.h. */
#ifndef TN_CORE_FILTER_H
#define TN_CORE_FILTER_H

#include "base/mem.h"
#include "tenon/provider.h"

typedef struct tn_condition tn_condition;

/* Filters as conditions on the schema's columns; they live in the arena. skip: bit i, filter i holds already. */
tenon_status tn_conditions_new(const struct ArrowSchema *, const tenon_filter *, size_t n, uint64_t skip, tn_arena *,
                               tn_condition **ret, size_t *ret_count, tenon_error *err);
/* Sets keep[i] to 0 for each row that does not meet them all, and answers how many do. */
int64_t tn_conditions_apply(const tn_condition *, size_t n, const struct ArrowArray *batch, uint8_t *keep);

/* The index of a column by its exact name; CONFIG with the nearest name. */
tenon_status tn_column_find(const struct ArrowSchema *, const char *name, int64_t *ret, tenon_error *err);

#endif
