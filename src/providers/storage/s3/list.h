/* SPDX-License-Identifier: Apache-2.0 */
/* One page of a listing: at most a thousand objects and rolled-up prefixes, in one order. */
#ifndef TN_PROVIDERS_S3_LIST_H
#define TN_PROVIDERS_S3_LIST_H

#include "net/xml.h"
#include "s3.h"

enum { TN_S3_MAX_PAGE = 16 << 20, TN_S3_MAX_TOKEN = 4096 };

typedef struct tn_s3_entry {
  size_t at, size;           /* its key, within the page's texts */
  int64_t bytes, modified_us;
  char etag[80];
  bool is_prefix, has_key;
} tn_s3_entry;

typedef struct tn_s3_page {
  tn_s3 *s;
  tn_s3_entry *items;
  size_t count, room;
  tn_s3_entry now;           /* under construction */
  tn_str texts;
  tn_xml *xml;
  bool is_encoded, is_truncated;
  char token[TN_S3_MAX_TOKEN];
} tn_s3_page;

tenon_status tn_s3_page_new(tn_s3 *, tn_s3_page **ret, tenon_error *);
void tn_s3_page_free(tn_s3_page *);   /* NULL is fine */
/* Its document, piece by piece; finish once, at its end. */
tenon_status tn_s3_page_push(tn_s3_page *, const void *data, size_t size, tenon_error *);
tenon_status tn_s3_page_finish(tn_s3_page *, tenon_error *);

const char *tn_s3_key_at(const tn_s3_page *, size_t i);
/* Are the keys in bytewise order, as objects and prefixes come each for themselves? Merging needs that. */
bool tn_s3_page_is_sorted(const tn_s3_page *);

#endif
