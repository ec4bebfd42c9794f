/* SPDX-License-Identifier: Apache-2.0 */
/* Pages of a listing that wait for the reader, in as few bytes as is simple: a key without what it shares with the one
 * before it, numbers by their size. They are read from the first row to the last. */
#ifndef TN_PROVIDERS_S3_PACK_H
#define TN_PROVIDERS_S3_PACK_H

#include "list.h"

typedef struct tn_s3_packed {
  size_t count, size;
  unsigned char data[];
} tn_s3_packed;

/* NULL: there is no memory. */
tn_s3_packed *tn_s3_pack(const tn_s3_page *);
void tn_s3_packed_free(tn_s3_packed *);   /* NULL is fine */

typedef struct tn_s3_row {
  const char *etag;          /* NULL: none; not ended by a NUL */
  size_t etag_size;
  int64_t bytes, modified_us;   /* -1, INT64_MIN: not known */
  bool is_prefix;
} tn_s3_row;

/* Start with zeroes but for `page`. */
typedef struct tn_s3_unpacking {
  const tn_s3_packed *page;
  size_t at;
  int64_t modified_us;
  tn_s3_key key;             /* of the row that was read last */
} tn_s3_unpacking;

/* Only for as many rows as there are. */
void tn_s3_unpack(tn_s3_unpacking *, tn_s3_row *ret);

#endif
