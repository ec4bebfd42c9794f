/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Footers said differently. DuckDB reads and writes some types with fewer digits than Parquet has; for
 * these it is shown, or has written, plain numbers and bytes, and the file's footer says what they are.
 */
#ifndef TN_FORMATS_PARQUET_PATCH_H
#define TN_FORMATS_PARQUET_PATCH_H

#include "base/str.h"
#include "formats/parquet_footer.h"

typedef enum tn_patch {
  TN_PATCH_NONE = 0,
  TN_PATCH_RAW,              /* no logical type at all; 96 bits become 12 bytes */
  TN_PATCH_TIMESTAMP_NS_UTC, /* INT64 is a timestamp of nanoseconds in UTC */
  TN_PATCH_TIME_NS,          /* INT64 is a time of nanoseconds */
  TN_PATCH_FLOAT,            /* INT32 and INT64 are the bits of floats; their statistics, which are of integers, */
  TN_PATCH_DOUBLE            /* are made unknown */
} tn_patch;

/* The footer with one patch for each of its elements applied, and without bounds that are none. */
tenon_status tn_parquet_patch(const tn_parquet_footer *, const uint8_t *patches, tn_str *ret_footer, tenon_error *err);

/* A nameless copy of the file at fd with this footer, in which only the chunks of the wanted leaves
 * (one bool for each element) have bytes. */
tenon_status tn_parquet_copy(tenon_ctx *, int fd, const tn_parquet_footer *, const bool *wanted, const tn_str *footer, int *ret_fd,
                             tenon_error *err);
/* Puts this footer in the place of the one that the file has. */
tenon_status tn_parquet_replace_footer(int fd, const tn_parquet_footer *, const tn_str *footer, tenon_error *err);

#endif
