/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `objects`: systems that hold bytes under keys.
 *
 * Keys are bytes, as they are: no normalising, no leading slash added or taken. An object appears
 * whole or not at all, and a failed put leaves what was there.
 */
#ifndef TENON_FACETS_OBJECTS_H
#define TENON_FACETS_OBJECTS_H

#include "../stream.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A key; borrowed, not NUL-terminated. */
typedef struct tenon_key_bytes {
  const char *data;
  size_t size;
} tenon_key_bytes;

/* What is known of one object. Strings are copies of fixed size, so nothing is to be freed. */
typedef struct tenon_object {
  uint32_t struct_size;
  int64_t size;            /* bytes; -1: unknown */
  int64_t modified_us;     /* since 1970, UTC; INT64_MIN: unknown */
  char etag[128];          /* changes whenever the bytes do; "": none */
  char content_type[128];
} tenon_object;

/*
 * Keys that start with prefix, in bytewise order, behind start_after.
 * With a delimiter, keys that go on behind it are rolled up to one row of kind `prefix`.
 */
typedef struct tenon_objects_list {
  uint32_t struct_size;
  tenon_key_bytes prefix, start_after;
  char delimiter;          /* 0: none */
} tenon_objects_list;

/* A part of an object: length -1 is to its end. A range that starts behind the end is DATA. */
typedef struct tenon_get {
  uint32_t struct_size;
  tenon_key_bytes key;
  int64_t offset, length;
  const char *if_match;    /* an etag: CONFLICT if it is another by now */
} tenon_get;

#define TENON_GET_INIT { sizeof(tenon_get), { NULL, 0 }, 0, -1, NULL }

typedef struct tenon_got {
  uint32_t struct_size;
  tenon_object object;
  tenon_bytes body;
  uint8_t is_whole;        /* the system has no ranges: all of the object travels, the rest is thrown away */
} tenon_got;

/* body is consumed and closed, also on failure. Its length may be unknown. */
typedef struct tenon_put {
  uint32_t struct_size;
  tenon_key_bytes key;
  tenon_bytes *body;
  const char *content_type;
  uint8_t if_absent;       /* CONFLICT if the key is there */
  const char *if_match;    /* CONFLICT unless the object has this etag */
} tenon_put;

typedef struct tenon_objects_copy {
  uint32_t struct_size;
  tenon_key_bytes from, to;
  uint8_t if_absent;
} tenon_objects_copy;

/* Keys that are not there are not an error. */
typedef struct tenon_delete {
  uint32_t struct_size;
  const tenon_key_bytes *keys;
  size_t key_count;
} tenon_delete;

typedef struct tenon_deleted {
  uint32_t struct_size;
  size_t count;            /* that were there, where the system says; else key_count */
} tenon_deleted;

typedef struct tenon_presign {
  uint32_t struct_size;
  tenon_key_bytes key;
  uint8_t for_put;
  int64_t expires_ms;
} tenon_presign;

typedef struct tenon_presigned {
  uint32_t struct_size;
  char url[4096];
} tenon_presigned;

typedef struct tenon_objects_ops {
  uint32_t struct_size;
  /* Rows (key binary, kind utf8 object|prefix, size int64, modified timestamp[us, UTC], etag utf8). Mandatory. */
  tenon_status (*list)(tenon_ctx *, void *session, const tenon_objects_list *, tenon_stream *ret, tenon_error *);
  /* NOT_FOUND if there is no such object. Mandatory. */
  tenon_status (*stat)(tenon_ctx *, void *session, const tenon_key_bytes *, tenon_object *ret, tenon_error *);
  /* Mandatory. The bytes are of one version of the object, or the read fails with CONFLICT. */
  tenon_status (*get)(tenon_ctx *, void *session, const tenon_get *, tenon_got *ret, tenon_error *);
  tenon_status (*put)(tenon_ctx *, void *session, const tenon_put *, tenon_object *ret, tenon_error *);
  tenon_status (*copy)(tenon_ctx *, void *session, const tenon_objects_copy *, tenon_object *ret, tenon_error *);
  tenon_status (*remove)(tenon_ctx *, void *session, const tenon_delete *, tenon_deleted *ret, tenon_error *);
  tenon_status (*presign)(tenon_ctx *, void *session, const tenon_presign *, tenon_presigned *ret, tenon_error *);
} tenon_objects_ops;

#ifdef __cplusplus
}
#endif

#endif
