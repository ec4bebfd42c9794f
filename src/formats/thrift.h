/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Thrift's compact protocol, in which Parquet's footers are written (Apache Thrift, "Thrift Compact
 * protocol encoding"). Reading never leaves the buffer: what is malformed sets `bad` and reads as
 * zeros and ends from there on.
 */
#ifndef TN_FORMATS_THRIFT_H
#define TN_FORMATS_THRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum tn_thrift_type {
  TN_THRIFT_TRUE = 1, TN_THRIFT_FALSE, TN_THRIFT_BYTE, TN_THRIFT_I16, TN_THRIFT_I32, TN_THRIFT_I64, TN_THRIFT_DOUBLE,
  TN_THRIFT_BINARY, TN_THRIFT_LIST, TN_THRIFT_SET, TN_THRIFT_MAP, TN_THRIFT_STRUCT
} tn_thrift_type;

typedef struct tn_thrift {
  const uint8_t *data;
  size_t size, at;
  bool bad;
} tn_thrift;

/* A struct's fields one after another; start with id 0. False behind the last. */
typedef struct tn_thrift_field {
  int id;
  int type;             /* a tn_thrift_type; TRUE and FALSE are a boolean's value */
} tn_thrift_field;
bool tn_thrift_next(tn_thrift *, tn_thrift_field *);

int64_t tn_thrift_int(tn_thrift *, const tn_thrift_field *);              /* of I16, I32, I64, BYTE; else bad */
const uint8_t *tn_thrift_bytes(tn_thrift *, const tn_thrift_field *, size_t *ret_size);   /* of BINARY; else bad */
/* How many elements a list has, and of which type; bad, and 0, if the field is no list. */
uint32_t tn_thrift_list(tn_thrift *, const tn_thrift_field *, int *ret_type);
/* Passes a value by. */
void tn_thrift_skip(tn_thrift *, int type);

#endif
