/* SPDX-License-Identifier: Apache-2.0 */
/* Are two schemas, two columns the same? For tests that send batches around. */
#ifndef TN_TESTS_ARROW_EQUAL_H
#define TN_TESTS_ARROW_EQUAL_H

#include <stdbool.h>

#include "tenon/arrow_abi.h"

/* Formats, names, nullability, metadata's bytes; the first difference is printed. */
bool same_schema(const struct ArrowSchema *, const struct ArrowSchema *);
/* n values of both from their starts on, counted from the arrays' offsets; NULLs are equal, bits of others decide. */
bool same_values(const struct ArrowSchema *, const struct ArrowArray *, int64_t start, const struct ArrowArray *, int64_t other_start,
                 int64_t n);

#endif
