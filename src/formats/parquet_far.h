/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Parquet file that is far away. It becomes a nameless file of the same size with nothing in it but
 * the footer, and before an engine reads it, the chunks that it will want.
 */
#ifndef TN_FORMATS_PARQUET_FAR_H
#define TN_FORMATS_PARQUET_FAR_H

#include "formats/format.h"
#include "formats/parquet_footer.h"

/* The footer comes. *ret_from: nothing in front of it is there yet. UNSUPPORTED: there are no ranges, or no size. */
tenon_status tn_parquet_far_open(tenon_ctx *, const tn_input *, int *ret_fd, int64_t *ret_from, tenon_error *err);

/* The chunks of the wanted leaves (one bool for each element) come, of the groups that are wanted (one
 * for each), several at once. The file's footer, and the one in hand, then name these groups alone. */
tenon_status tn_parquet_far_fetch(tenon_ctx *, const tn_input *, int fd, int64_t from, const bool *wanted, const bool *groups,
                                  tn_parquet_footer *, tenon_error *err);

#endif
