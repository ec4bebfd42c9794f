/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A lane is the way of one column between Arrow and DuckDB, the same in both directions: which
 * DuckDB type carries which Arrow type, and how a value is turned. Lanes of nested types have lanes
 * for children.
 *
 * In typed lanes a value means the same to DuckDB as to Arrow. In opaque ones only its bits travel,
 * so that every type comes out as it went in; rows that are merely sorted go that way.
 */
#ifndef TN_ENGINE_LANE_H
#define TN_ENGINE_LANE_H

#include <stdbool.h>

#include "arrow/build.h"
#include "engine/duckdb_api.h"

typedef enum tn_cell {
  TN_CELL_NULL,       /* Arrow's null; any vector, all of it NULL */
  TN_CELL_BOOL,       /* bits | bytes */
  TN_CELL_COPY,       /* the same bytes, width of them */
  TN_CELL_TEXT,       /* offsets and bytes | string_t; also binary */
  TN_CELL_FIXED,      /* width bytes | string_t of that size */
  TN_CELL_SCALE,      /* integer a of width bytes | integer b of inner bytes = a * factor (or a / -factor) */
  TN_CELL_DECIMAL,    /* 16 or 32 bytes | 2, 4, 8 or 16 bytes */
  TN_CELL_HUGE,       /* decimal(38, 0) | 16 bytes, signed or not; out only */
  TN_CELL_HALF,       /* float16 | float */
  TN_CELL_UUID,       /* 16 bytes, big end first | 16 bytes with the first bit turned */
  TN_CELL_INTERVAL,   /* months, days, nanoseconds | months, days, microseconds; out only */
  TN_CELL_TIME_TZ,    /* microseconds | microseconds with an offset, which must be none; out only */
  TN_CELL_ENUM,       /* text | a number of a dictionary; out only */
  TN_CELL_HALF_OF,    /* the upper or lower (width 16 or 0) 128 bits of a decimal of 256 | the same; in only */
  TN_CELL_INT96,      /* a timestamp of `factor` ticks a second | 12 bytes: nanoseconds, Julian day; out only */
  TN_CELL_BIG_DECIMAL,/* 32 bytes | a number's bytes, the big end first; out only */
  TN_CELL_LIST,       /* list and map; 32 or 64 bit offsets as width says; map has its entries' lanes below */
  TN_CELL_ARRAY,      /* fixed-size list (width values) | LIST in, ARRAY out */
  TN_CELL_STRUCT
} tn_cell;

typedef struct tn_lane {
  tn_cell cell;
  duckdb_type type;
  int32_t width;          /* of the Arrow side, in bytes; of TEXT and LIST the width of an offset */
  int32_t inner;          /* of the DuckDB side, in bytes */
  int64_t factor;         /* SCALE: negative divides on the way in */
  uint8_t precision, scale;
  bool is_map, is_signed;
  bool not_null;          /* out: the Arrow type says that there are none; it is checked */
  int32_t child_count;
  struct tn_lane *children;
  char *name;             /* for messages: the column, dots before fields */
  const char *field;      /* the last part of it */
  char **words;           /* ENUM: the dictionary */
  uint32_t word_count;
} tn_lane;

typedef enum tn_carry { TN_TYPED, TN_OPAQUE } tn_carry;

/* The lane of an Arrow column on its way in. UNSUPPORTED names the column that DuckDB would change. */
tenon_status tn_lane_in(const struct ArrowSchema *, tn_carry, tn_lane *ret, tenon_error *err);
/* The lanes whose values DuckDB orders as tenon/value.h orders the column's: one, or two of which the
 * first weighs more. UNSUPPORTED names the column that has no order. */
tenon_status tn_lane_key(const struct ArrowSchema *, tn_lane ret[2], int *ret_count, tenon_error *err);
/* The DuckDB type of it; the caller destroys it. NULL: out of memory. */
duckdb_logical_type tn_lane_type(const tn_duckdb *, const tn_lane *);

/* Gives an unset schema (a child of tn_schema_struct) the Arrow type that a DuckDB type becomes by
 * itself. UNSUPPORTED names the column that has none. */
tenon_status tn_natural_type(const tn_duckdb *, duckdb_logical_type, const char *name, struct ArrowSchema *unset, tenon_error *err);
/* The lane of a DuckDB column on its way out into the given Arrow type; UNSUPPORTED if its values
 * cannot be said in it. */
tenon_status tn_lane_out(const tn_duckdb *, duckdb_logical_type, const struct ArrowSchema *, tn_lane *ret, tenon_error *err);

void tn_lane_release(tn_lane *);

/* Rows [start, start + n) of an Arrow column into a vector, which refers to texts in the array. */
tenon_status tn_fill(const tn_duckdb *, const tn_lane *, duckdb_vector, const struct ArrowArray *, int64_t start,
                     int64_t n, tenon_error *err);
/* Values [start, start + n) of a vector behind those of a column. */
tenon_status tn_drain(const tn_duckdb *, const tn_lane *, duckdb_vector, int64_t start, int64_t n, tn_column *, tenon_error *err);

#endif
