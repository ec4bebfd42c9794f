/* SPDX-License-Identifier: Apache-2.0 */
/* Filters as SQL, where the engine's answer is the one that tenon/value.h says. */
#ifndef TN_FORMATS_PARQUET_FILTER_H
#define TN_FORMATS_PARQUET_FILTER_H

#include "base/str.h"
#include "formats/parquet_types.h"

/* Appends the condition on column i, whose values have been converted to its type; false, and nothing
 * appended, if the engine is not to decide it. */
bool tn_parquet_filter_sql(const tn_parquet_types *, int64_t i, const tenon_filter *, tn_str *sql);

#endif
