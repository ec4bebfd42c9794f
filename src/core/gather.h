/* SPDX-License-Identifier: Apache-2.0 */
/* Some rows of a column, appended to a column that is being built. */
#ifndef TN_CORE_GATHER_H
#define TN_CORE_GATHER_H

#include "arrow/build.h"

/* rows: places in `from`, counted from its offset. false: out of memory, or the column is full. */
bool tn_gather(tn_column *to, const struct ArrowArray *from, const int64_t *rows, int64_t count);

#endif
