/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values in PostgreSQL's binary format into Arrow columns. A column's type is worked out once, from
 * its declaration; rows then only follow it.
 */
#ifndef TN_PG_DECODE_H
#define TN_PG_DECODE_H

#include "arrow/build.h"

/* How a value's bytes become an Arrow value. */
typedef enum tn_pg_op {
  TN_PG_REFUSED = 0,
  TN_PG_BOOL,
  TN_PG_SWAP2, TN_PG_SWAP4, TN_PG_SWAP8,   /* integers, floats, oids */
  TN_PG_DATE, TN_PG_TIME, TN_PG_TIMESTAMP,
  TN_PG_TEXT, TN_PG_BYTES,
  TN_PG_CHAR,                              /* "char": one byte, shown as text */
  TN_PG_JSONB,
  TN_PG_UUID,
  TN_PG_DECIMAL128, TN_PG_DECIMAL256, TN_PG_DECIMAL_TEXT, TN_PG_DECIMAL_FLOAT,
  TN_PG_ARRAY, TN_PG_COMPOSITE
} tn_pg_op;

/* What the SQL that we send makes of the column first. */
typedef enum tn_pg_cast { TN_PG_AS_IS = 0, TN_PG_TO_TEXT, TN_PG_TO_TEXT_ARRAY } tn_pg_cast;

typedef struct tn_pg_type {
  uint32_t oid;              /* as arrays and composites name it on the wire */
  uint32_t builtin;          /* the type of pg_type below domains; 0: none */
  tn_pg_op op;
  tn_pg_cast cast;
  bool has_special;          /* it or a part of it may have values that Arrow's type cannot hold */
  bool special_null;         /* those become NULL */
  bool special_text;         /* it is read as text only because of those */
  int16_t precision, scale;  /* decimals */
  int32_t lower_bound;       /* arrays: 1, and 0 for the vector types of old */
  char format[24];           /* Arrow's */
  const char *vendor; /* annotation: the server's name of the type, NULL if Arrow's says it all */
  const char *name;          /* of a composite's field */
  const char *refusal;       /* why it cannot be read */
  int32_t child_count;
  struct tn_pg_type *children;
} tn_pg_type;

typedef enum tn_pg_fault {
  TN_PG_FINE = 0,
  TN_PG_BAD_WIRE,       /* not the format that was promised */
  TN_PG_SPECIAL,        /* infinity, NaN, 24:00, out of Arrow's range */
  TN_PG_TOO_PRECISE,    /* more digits than the decimal has */
  TN_PG_DIMENSIONS,     /* an array that is no list */
  TN_PG_NOT_TEXT,       /* not UTF-8 */
  TN_PG_NO_MEMORY
} tn_pg_fault;

/* Decimals, for values of type numeric. size is checked; ret is written on success alone. */
tn_pg_fault tn_pg_decimal128(const uint8_t *value, int32_t size, int precision, int scale,
                             void *ret);
tn_pg_fault tn_pg_decimal256(const uint8_t *value, int32_t size, int precision, int scale,
                             void *ret);
tn_pg_fault tn_pg_decimal_float(const uint8_t *value, int32_t size, double *ret);
/* The longest text that such a value can have, and the text as the server would write it. */
int32_t tn_pg_decimal_room(const uint8_t *value, int32_t size);
tn_pg_fault tn_pg_decimal_text(const uint8_t *value, int32_t size, char *ret, int32_t *ret_size);

/* Rows into the batch under construction. */
typedef struct tn_pg_decoder {
  tn_builder *builder;
  tn_column *columns;
  const tn_pg_type *types;
  int32_t count;
  int64_t rows;              /* in this batch */
  tn_pg_fault fault;
  int32_t fault_column;
} tn_pg_decoder;

/* Starts a batch of at most `rows`. */
bool tn_pg_decoder_begin(tn_pg_decoder *, int64_t rows);
/* One row: the number of its fields, and each with its length in front. 32 bytes behind it must be
 * readable. false: the fault and its column are set. */
bool tn_pg_decode_row(tn_pg_decoder *, const uint8_t *row, size_t size);
/* Takes the batch out. */
tenon_status tn_pg_decoder_finish(tn_pg_decoder *, struct ArrowArray *ret, tenon_error *err);

static inline uint16_t tn_be16(const uint8_t *p) { return (uint16_t)(p[0] << 8 | p[1]); }
static inline uint32_t tn_be32(const uint8_t *p) {
  uint32_t v;
  memcpy(&v, p, 4);
  return __builtin_bswap32(v);
}
static inline uint64_t tn_be64(const uint8_t *p) {
  uint64_t v;
  memcpy(&v, p, 8);
  return __builtin_bswap64(v);
}

#endif
