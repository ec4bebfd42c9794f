/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet.h"

static const char *const extensions[] = {".parquet", ".parq", ".pq", NULL};

const tn_format tn_format_parquet = {
    .name = "parquet",
    .extensions = extensions,
    .schema = tn_parquet_schema,
    .read = tn_parquet_read,
    .writer = tn_parquet_writer,
};
