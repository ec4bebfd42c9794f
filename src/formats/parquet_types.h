/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a Parquet file's columns are in Arrow: by the file's own schema, and where it carries the Arrow
 * schema it was written from, by that as far as the two agree.
 */
#ifndef TN_FORMATS_PARQUET_TYPES_H
#define TN_FORMATS_PARQUET_TYPES_H

#include "formats/parquet_footer.h"

/* A column of the file, beside its place in the schema. */
typedef struct tn_parquet_column {
  char *engine_name;       /* what DuckDB calls it: names that differ in case alone get numbers there */
  bool is_plain;           /* filters on it mean the same to the engine, whose statistics of it can be trusted */
  bool is_raw;             /* the engine is shown bytes and numbers, and their types are known here alone */
  uint32_t begin, end;     /* its elements */
} tn_parquet_column;

typedef struct tn_parquet_types {
  struct ArrowSchema schema;
  tn_parquet_column *columns;
  int64_t column_count;
  uint8_t *patches;        /* a tn_patch for each element, for the columns that are raw */
} tn_parquet_types;

tenon_status tn_parquet_types_init(const tn_parquet_footer *, tn_parquet_types *ret, tenon_error *err);
void tn_parquet_types_release(tn_parquet_types *);

/* Are there two columns whose names differ in nothing, or in case alone? To the engine they are one. */
bool tn_names_clash(const struct ArrowSchema *, const char **ret_one, const char **ret_other);

#endif
