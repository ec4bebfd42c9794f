/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds of storage over HTTP share: reading an object by ranges.
 *
 * Bytes of one version of an object. Big ones come by ranges over several connections, all of the
 * version that the first one saw. The reader gets them in order: the range that it is at is read
 * straight into its buffer, the ones behind it rest in their sockets, and only when the first one
 * keeps us waiting are they read ahead into memory, at most a part each. A range that breaks off is asked for
 * again from there.
 */
#ifndef TN_PROVIDERS_STORAGE_H
#define TN_PROVIDERS_STORAGE_H

#include "base/str.h"
#include "tenon/provider.h"

enum { TN_RANGE_SIZE = 8 << 20, TN_MAX_REFUSAL = 64 << 10, TN_RANGE_MAX_WINDOW = 16 };

/* What a kind brings. known: what was seen of the object, size -1 before that. */
typedef struct tn_range_source {
  const tenon_host *host;
  tenon_http *http;
  const char *name;              /* for messages */
  void *self;                    /* the kind's; freed by `free` with the body, or when there is none */
  void (*free)(void *self);
  size_t prepared_size;          /* of a request that is made ready */
  /* range: "bytes=0-99". The request has to live until release. */
  tenon_status (*prepare)(tenon_ctx *, void *self, const char *range, const tenon_object *known, void *ret_prepared,
                          tenon_http_request *ret, tenon_error *);
  void (*release)(void *prepared);
  /* A good reply's head. CONFLICT: it is of another version than what is known. */
  tenon_status (*look)(void *self, const tenon_http_exchange *, const tenon_object *known, tenon_object *ret, tenon_error *);
  tenon_status (*refused)(void *self, const tenon_http_exchange *, const char *text, size_t size, tenon_error *);
} tn_range_source;

/*
 * The bytes from offset to end (-1: all). known: the object, if it was seen already; NULL: the first reply says what it is.
 * window: ranges under way at once. Always takes source->self over. A refused first range is DATA with vendor code 416, as the
 * kind's `refused` makes it: an empty object has no range.
 */
tenon_status tn_range_open(tenon_ctx *, const tn_range_source *, int64_t offset, int64_t end, const tenon_object *known, int window,
                           tenon_object *ret_object, tenon_bytes *ret, tenon_error *);

/* What a refusal says, as it comes: its beginning says what is wrong. Fails, so that the rest is not waited for, once
 * TN_MAX_REFUSAL bytes are there; tn_refusal_is_cut tells that end of an exchange from others. */
void tn_refusal_init(tn_str *);
tenon_status tn_refusal_add(tn_str *, const void *data, size_t size, tenon_error *);
bool tn_refusal_is_cut(const tn_str *);

/* The columns of `list`, as facets/objects.h has them. */
tenon_status tn_storage_list_schema(struct ArrowSchema *ret, tenon_error *);

#endif
