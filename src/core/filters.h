/* SPDX-License-Identifier: Apache-2.0 */
/* Filters made ready for a schema, and the rows of batches that meet them. */
#ifndef TN_CORE_FILTERS_H
#define TN_CORE_FILTERS_H

#include <stdbool.h>

#include "base/mem.h"
#include "tenon/provider.h"

/* A column by its name; NOT_FOUND has the nearest, CONFIG says that there are two. */
tenon_status tn_column_find(const struct ArrowSchema *, const char *name, int64_t *ret,
                            tenon_error *err);

/* Values converted to the columns' types; fails naming column and value. As many come out as go in;
 * a condition that never holds is an IN of no values. Converting again changes nothing. */
tenon_status tn_filters_convert(const struct ArrowSchema *, const tenon_filter *, size_t n,
                                tn_arena *,
                                tenon_filter **ret, tenon_error *err);
tenon_status tn_after_convert(const struct ArrowSchema *, const tenon_order *, size_t n,
                              const tenon_value *after, tn_arena *,
                              tenon_value **ret, tenon_error *err);
/* The same where special_values=text reads columns as text: the schema is that of their declared
 * types. What such a type does not hold exactly stays as it was written ('infinity'): for the system
 * to say, or to be refused. */
tenon_status tn_filters_declared(const struct ArrowSchema *, const tenon_filter *, size_t n,
                                 tn_arena *, tenon_filter **ret, tenon_error *err);
tenon_status tn_after_declared(const struct ArrowSchema *, const tenon_order *, size_t n,
                               const tenon_value *after, tn_arena *, tenon_value **ret,
                               tenon_error *err);
/* Fails where a column's text does not compare as its values do: numbers as text, and what
 * special_values=text made text of the declared type (NULL: as it is read). what: "filter on". */
tenon_status tn_check_compared(const struct ArrowSchema *column, const struct ArrowSchema *declared,
                               const char *what, tenon_error *err);
bool tn_filter_is_never(const tenon_filter *);

/* Converted filters, and the key to go on after (order_count 0: none), of one schema. */
typedef struct tn_matcher tn_matcher;

tenon_status tn_matcher_new(const struct ArrowSchema *, const tenon_filter *, size_t n,
                            const tenon_order *order,
                            const tenon_value *after, size_t order_count, tn_matcher **ret,
                            tenon_error *err);
void tn_matcher_free(tn_matcher *);
/* Which rows meet all of them: one byte a row, 1 or 0. */
void tn_matcher_run(const tn_matcher *, const struct ArrowArray *batch, uint8_t *mask);

#endif
