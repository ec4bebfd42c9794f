/* SPDX-License-Identifier: Apache-2.0 */
/* One page of a listing: at most a thousand objects and rolled-up prefixes, in one order. */
#ifndef TN_PROVIDERS_S3_LIST_H
#define TN_PROVIDERS_S3_LIST_H

#include "s3.h"

enum { TN_S3_MAX_PAGE = 16 << 20, TN_S3_MAX_TOKEN = 4096 };

typedef struct tn_s3_key {
  char text[TN_S3_MAX_KEY + 2];   /* with a NUL */
  size_t size;
} tn_s3_key;

static inline int tn_s3_compare_bytes(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

static inline int tn_s3_compare(const tn_s3_key *a, const tn_s3_key *b) {
  return tn_s3_compare_bytes(a->text, a->size, b->text, b->size);
}

/* Texts are within the page's, ended by a NUL each. */
typedef struct tn_s3_entry {
  int64_t bytes, modified_us;
  uint32_t at, etag_at;      /* where key and etag are; 0: there is none */
  uint16_t size;             /* of the key */
  bool is_prefix;
} tn_s3_entry;

typedef struct tn_s3_page {
  const tn_s3 *s;
  tn_s3_entry *items;
  size_t count, room;
  tn_s3_entry now;           /* under construction */
  tn_str texts;              /* begins with a NUL */
  bool is_encoded, is_truncated;
  char *token;               /* how it goes on; "" if that was not said */
} tn_s3_page;

/* Out of a whole reply. */
tenon_status tn_s3_page_read(const tn_s3 *, const char *data, size_t size, tn_s3_page **ret, tenon_error *);
void tn_s3_page_free(tn_s3_page *);   /* NULL is fine */

const char *tn_s3_key_at(const tn_s3_page *, size_t i);
/* Are the keys in bytewise order, as objects and prefixes come each for themselves? Merging needs that. */
bool tn_s3_page_is_sorted(const tn_s3_page *);

#endif
