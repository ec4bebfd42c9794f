/* SPDX-License-Identifier: Apache-2.0 */
/* The rows of a set of objects, one after another. */
#ifndef TN_ADAPTERS_FILE_ROWS_H
#define TN_ADAPTERS_FILE_ROWS_H

#include "adapters/file_set.h"

/* The columns of the first; all others are checked to have the same. DATA names file and column.
 * *ret_first_rows: how many rows the first says that it has, -1: it does not. */
tenon_status tn_file_schema(tenon_ctx *, const tn_file_source *, const tn_format_options *, const tn_file_set *,
                            struct ArrowSchema *ret, int64_t *ret_first_rows, tenon_error *err);
/* Like the facet's read. Takes the set over, also on failure. All objects are looked at before the
 * first row comes; one of them is open at a time. */
tenon_status tn_file_rows(tenon_ctx *, const tn_file_source *, const tn_format_options *, tn_file_set *, const tenon_read *,
                          tenon_rows *ret, tenon_error *err);

#endif
