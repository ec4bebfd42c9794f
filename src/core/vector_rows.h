/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for a collection of vectors, as callers have them, in the one form that providers get. */
#ifndef TN_CORE_VECTOR_ROWS_H
#define TN_CORE_VECTOR_ROWS_H

#include "tenon/provider.h"

/* Takes `in` over, also on failure. *ret has the columns id (utf8), vector (fixed-size list of float32,
 * as wide as the first row's; 1 if there is no row), document and metadata (nullable utf8), every
 * value checked: facets/vectors.h says how. Reads the first batch. */
tenon_status tn_vector_rows_new(struct ArrowArrayStream *in, struct ArrowArrayStream *ret,
                                tenon_error *err);

#endif
