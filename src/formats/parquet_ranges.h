/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which bytes of a Parquet file a read needs: the chunks of its columns in the row groups that it will
 * get to and that may have rows for it. What the footer says is anybody's word: ranges never leave the file, and never overlap.
 */
#ifndef TN_FORMATS_PARQUET_RANGES_H
#define TN_FORMATS_PARQUET_RANGES_H

#include "base/str.h"
#include "formats/parquet_footer.h"

typedef struct tn_parquet_range {
  int64_t begin, end;
} tn_parquet_range;

typedef struct tn_parquet_ranges {
  tn_parquet_range *items;       /* in order, apart from each other */
  size_t count;
} tn_parquet_ranges;

/* wanted: one bool for each element. groups: one for each. from: what is behind it is there already.
 * Ranges that are less than 1 MiB apart become one as long as few bytes come along that way. */
tenon_status tn_parquet_ranges_init(const tn_parquet_footer *, const bool *wanted, const bool *groups, int64_t from,
                                    tn_parquet_ranges *ret, tenon_error *err);
void tn_parquet_ranges_release(tn_parquet_ranges *);

/* Of the groups those stay that come first and have this number of rows together; -1: all. */
void tn_parquet_groups_for(const tn_parquet_footer *, int64_t rows, bool *groups);

/* The footer of a file with these groups alone, and without Bloom filters. */
tenon_status tn_parquet_footer_cut(const tn_parquet_footer *, const bool *groups, tn_str *ret_footer, tenon_error *err);

#endif
