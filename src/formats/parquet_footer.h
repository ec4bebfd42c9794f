/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Parquet file's footer, read from bytes that anybody may have made, before an engine sees the
 * file. Source: Apache Parquet's parquet.thrift.
 */
#ifndef TN_FORMATS_PARQUET_FOOTER_H
#define TN_FORMATS_PARQUET_FOOTER_H

#include "base/mem.h"
#include "tenon/provider.h"

/* The numbers are parquet.thrift's. */
typedef enum tn_physical {
  TN_PHYSICAL_NONE = -1, TN_BOOLEAN = 0, TN_INT32, TN_INT64, TN_INT96, TN_FLOAT, TN_DOUBLE, TN_BYTE_ARRAY, TN_FIXED_LEN_BYTE_ARRAY
} tn_physical;

typedef enum tn_converted {
  TN_CONVERTED_NONE = -1, TN_UTF8 = 0, TN_MAP, TN_MAP_KEY_VALUE, TN_LIST_OF, TN_ENUM, TN_DECIMAL, TN_DATE, TN_TIME_MILLIS,
  TN_TIME_MICROS, TN_TIMESTAMP_MILLIS, TN_TIMESTAMP_MICROS, TN_UINT_8, TN_UINT_16, TN_UINT_32, TN_UINT_64, TN_INT_8, TN_INT_16,
  TN_INT_32, TN_INT_64, TN_JSON, TN_BSON, TN_INTERVAL
} tn_converted;

typedef enum tn_logical {
  TN_LOGICAL_NONE = 0, TN_LOGICAL_STRING = 1, TN_LOGICAL_MAP, TN_LOGICAL_LIST, TN_LOGICAL_ENUM, TN_LOGICAL_DECIMAL,
  TN_LOGICAL_DATE, TN_LOGICAL_TIME, TN_LOGICAL_TIMESTAMP, TN_LOGICAL_INTEGER = 10, TN_LOGICAL_UNKNOWN, TN_LOGICAL_JSON,
  TN_LOGICAL_BSON, TN_LOGICAL_UUID, TN_LOGICAL_FLOAT16, TN_LOGICAL_VARIANT, TN_LOGICAL_GEOMETRY, TN_LOGICAL_GEOGRAPHY
} tn_logical;

enum { TN_REQUIRED = 0, TN_OPTIONAL, TN_REPEATED };

/* One element of the schema, which is a tree in depth-first order; the first one is the root. */
typedef struct tn_parquet_element {
  const char *name;              /* UTF-8 */
  tn_physical physical;          /* NONE: a group */
  tn_converted converted;
  tn_logical logical;
  int repetition;
  int32_t type_length, child_count, scale, precision;
  char unit;                     /* TIME, TIMESTAMP: m, u, n */
  bool is_utc;                   /* TIME, TIMESTAMP */
  bool old_bounds;               /* leaf: statistics that only the deprecated fields have, whose order is not ours */
  bool has_bounds;               /* leaf: statistics in the fields that have an order */
  bool has_order;                /* leaf: that order is its type's */
  bool bad_bounds;               /* leaf: some chunk's are no values of its type */
  size_t begin, end;             /* of its bytes in the footer */
} tn_parquet_element;

enum { TN_PARQUET_TAIL = 8, TN_PARQUET_MAX_FOOTER = 256 << 20 };

/* Where one column of one row group is. */
typedef struct tn_parquet_chunk {
  uint32_t leaf;                 /* its element */
  int64_t begin, size;           /* begin is within the file, and where an engine begins to read */
  int64_t values;
  size_t type_at;                /* the byte of the footer that has its physical type */
  size_t statistics_at, statistics_end;   /* the bytes that have its statistics; both 0: it has none */
  bool bad_bounds;               /* in them: an engine must not see them */
  size_t bloom_at, bloom_end;    /* the bytes that say where its Bloom filter is; both 0: it has none */
} tn_parquet_chunk;

typedef struct tn_parquet_group {
  size_t begin, end;             /* of its bytes in the footer */
  size_t chunk;                  /* its first one, of leaf_count */
  int64_t rows;
} tn_parquet_group;

typedef struct tn_parquet_footer {
  uint8_t *data;
  size_t size;
  int64_t file_size;
  tn_parquet_element *elements;
  uint32_t element_count, leaf_count;
  tn_parquet_chunk *chunks;
  size_t chunk_count, chunk_capacity;
  tn_parquet_group *groups;
  size_t group_count, group_capacity;
  size_t groups_at, groups_end;  /* of the list of groups, in the footer */
  size_t rows_at, rows_end;      /* of the number of rows; both 0: it does not say it */
  int64_t rows;
  const uint8_t *arrow_schema;   /* the value of ARROW:schema: base64; NULL: none */
  size_t arrow_schema_size;
  tn_arena arena;
} tn_parquet_footer;

/* Reads the footer of the file at fd (its whole size). DATA names the file and what is wrong. */
tenon_status tn_parquet_footer_init(int fd, const char *name, tn_parquet_footer *ret, tenon_error *err);
void tn_parquet_footer_release(tn_parquet_footer *);

#endif
