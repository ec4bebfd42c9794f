/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind s3, inside: Amazon S3 and all that speak its protocol.
 * Source: Amazon S3 API reference, 2006-03-01.
 *
 *   s3.c        parameters, URLs, opening, the test; the provider itself
 *   keys.c      who signs them: keys given, of a profile (profile.c), of the machine (instance.c)
 *   request.c   requests made, signed and sent
 *   refusal.c   what the service's errors mean
 *   stat.c      what is known of one object; conditions tried out before they are relied on
 *   get.c       bytes of one version, by parallel ranges
 *   put.c       put: at once, or in parts, which are read ahead (feed.c)
 *   change.c    copy, remove, presign
 *   retry.c     when what failed is tried again
 *   list.c      keys, page by page (list_page.c), ranges of them side by side (plan.c, spread.c), packed (pack.c)
 */
#ifndef TN_PROVIDERS_S3_H
#define TN_PROVIDERS_S3_H

#include <stdatomic.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "net/sigv4.h"
#include "providers/files/file_params.h"
#include "providers/over_http.h"

enum {
  TN_S3_MAX_KEY = 1024,
  TN_S3_MAX_HEADERS = 24,
  TN_S3_MAX_QUERY = 8,
  TN_S3_PART = 8 << 20,
  TN_S3_MAX_ERROR = 64 << 10
};

typedef struct tn_s3_config {
  uint64_t set;
  const char *bucket, *region, *access_key_id, *secret_access_key, *session_token, *endpoint;
  const char *credentials, *profile, *credentials_file, *config_file, *home, *metadata_endpoint, *container_path;
  const char *path_style, *parallel_listing;
  tn_http_params reach;
  int64_t connections;
  tn_file_params files;
} tn_s3_config;

typedef struct tn_s3_identity tn_s3_identity;   /* keys.h */

/* Shared by threads: nothing in it changes after open but what is atomic or locked. */
typedef struct tn_s3 {
  const tn_s3_config *config;
  tenon_http *http;
  pthread_mutex_t lock;      /* of identity, next_renewal_s, is_renewing, where it is_renewable; else they do not change */
  tn_s3_identity *identity;  /* who signs; NULL: nobody does, or nobody yet */
  int64_t next_renewal_s;
  bool is_renewable, is_renewing, is_path_style;
  const char *scheme;
  char host[320];            /* with the port, where it is not the scheme's own */
  char region[64], profile_region[64];
  atomic_int keeps_absent, keeps_match;   /* tn_s3_conditions */
} tn_s3;

extern const tenon_host *tn_s3_host;

/* ---- request.c ---- */

typedef struct tn_s3_request {
  const char *method;
  const tenon_key_bytes *key;              /* NULL: the bucket */
  tn_sigv4_pair query[TN_S3_MAX_QUERY], headers[TN_S3_MAX_HEADERS];
  size_t query_count, header_count;
  const void *data;
  size_t data_size;
  const char *payload_hash;                /* NULL: by what data is */
  int64_t max_reply;                       /* 0: of a small reply */
} tn_s3_request;

/* A request ready to be sent; it has to live as long as its exchange. */
typedef struct tn_s3_prepared {
  tenon_http_request http;
  tenon_http_header headers[TN_S3_MAX_HEADERS + 4];
  tn_sigv4_signed signature;
  tn_s3_identity *identity;
  tn_str url;
} tn_s3_prepared;

void tn_s3_query(tn_s3_request *, const char *name, const char *value);
void tn_s3_header(tn_s3_request *, const char *name, const char *value);   /* lower case */

tenon_status tn_s3_prepare(tenon_ctx *, tn_s3 *, const tn_s3_request *, tn_s3_prepared *ret, tenon_error *);
void tn_s3_prepared_release(tn_s3_prepared *);

/* An answered request; refusals are failures. */
typedef struct tn_s3_reply {
  tn_s3_prepared prepared;
  tenon_http_reply http;
} tn_s3_reply;

tenon_status tn_s3_send(tenon_ctx *, tn_s3 *, const tn_s3_request *, tn_s3_reply *ret, tenon_error *);
void tn_s3_reply_release(tn_s3_reply *);
/* The whole body, at most `max`; the reply is released. */
tenon_status tn_s3_send_for_text(tenon_ctx *, tn_s3 *, const tn_s3_request *, size_t max, tn_str *ret,
                                 tenon_error *);
const char *tn_s3_header_of(const tn_s3_reply *, const char *name);

tenon_status tn_s3_check_key(const tenon_key_bytes *, tenon_error *);
/* The path of a URL: /bucket/key, encoded. */
bool tn_s3_path(const tn_s3 *, const tenon_key_bytes *key, tn_str *path);

/* ---- s3.c ---- */

bool tn_s3_is_yes(const char *choice);
/* Of the parameters, else of the profile, else where Amazon begins. */
void tn_s3_set_region(tn_s3 *);

/* ---- refusal.c ---- */

/* What a reply that is no success means; text is its body. */
tenon_status tn_s3_refused(const tn_s3 *, const tenon_http_exchange *, const char *text, size_t size,
                           tenon_error *);
/* The service's own error in a reply with status 200, as some operations have it; OK: there is none. */
tenon_status tn_s3_error_within(const tn_s3 *, const tenon_http_exchange *, const char *text, size_t size,
                                tenon_error *);
/* The text of the first element of that name, or of the end of a path (Error/Code); false: there is none that fits. */
bool tn_s3_element(const char *xml, size_t size, const char *name, char *ret, size_t room);
/* What a page of a proxy or of another service says, without its tags; cut off where there is no room. */
void tn_s3_plain_text(const char *text, size_t size, char *ret, size_t room);

/* ---- stat.c ---- */

void tn_s3_describe(const tenon_http_exchange *, tenon_object *ret);
tenon_status tn_s3_stat(tenon_ctx *, void *session, const tenon_key_bytes *, tenon_object *ret, tenon_error *);
/* With quotes or without them, weak or not; "*" is any. */
bool tn_s3_same_etag(const char *wanted, const char *etag);

typedef enum tn_s3_conditions { TN_S3_UNTRIED = 0, TN_S3_KEPT, TN_S3_IGNORED } tn_s3_conditions;
/* UNSUPPORTED if the service takes the request's conditions and does not keep them. */
tenon_status tn_s3_need_conditions(tenon_ctx *, tn_s3 *, const tenon_put *, tenon_error *);

/* ---- the other operations ---- */

tenon_status tn_s3_get(tenon_ctx *, void *session, const tenon_get *, tenon_got *ret, tenon_error *);
tenon_status tn_s3_put(tenon_ctx *, void *session, const tenon_put *, tenon_object *ret, tenon_error *);
tenon_status tn_s3_copy(tenon_ctx *, void *session, const tenon_objects_copy *, tenon_object *ret, tenon_error *);
tenon_status tn_s3_remove(tenon_ctx *, void *session, const tenon_delete *, tenon_deleted *ret, tenon_error *);
tenon_status tn_s3_presign(tenon_ctx *, void *session, const tenon_presign *, tenon_presigned *ret, tenon_error *);
tenon_status tn_s3_list(tenon_ctx *, void *session, const tenon_objects_list *, tenon_stream *ret, tenon_error *);

#endif
