/* SPDX-License-Identifier: Apache-2.0 */
/* Copying rows out of others' arrays into a batch of ours. */
#ifndef TN_ARROW_TAKE_H
#define TN_ARROW_TAKE_H

#include "arrow/build.h"

/* Appends rows start … start + n - 1 of src, an array of the column's own type. false: as tn_append_…. */
bool tn_append_range(tn_column *, const struct ArrowArray *src, int64_t start, int64_t n);

static inline bool tn_array_is_null(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->n_buffers > 0 ? (const uint8_t *)a->buffers[0] : NULL;
  i += a->offset;
  return a->null_count != 0 && bits && !(bits[i >> 3] >> (i & 7) & 1);
}

#endif
