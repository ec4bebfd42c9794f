/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind http, inside: what lies below a URL, read-only. A key is the path below it, decoded.
 * Sources: RFC 9110 (semantics, ranges, conditions), RFC 3986 (URLs).
 *
 *   http.c      parameters, URLs, opening; the provider itself
 *   test.c      the test, layer by layer
 *   request.c   URLs of keys, requests, what refusals mean
 *   version.c   what a reply says of an object, and whether two are of one version
 *   stat.c      what is known of one object
 *   get.c       bytes of one version, of big objects by several ranges at once (providers/storage/storage.h)
 *   list.c      keys, folder by folder
 *   page.c      one folder, from its index page: HTML (html.c) or JSON
 */
#ifndef TN_PROVIDERS_HTTP_H
#define TN_PROVIDERS_HTTP_H

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "providers/files/file_params.h"
#include "providers/over_http.h"

enum { TN_WEB_MAX_KEY = 4096, TN_WEB_MAX_URL = 16 << 10, TN_WEB_MAX_PAGE = 32 << 20 };

typedef struct tn_web_config {
  uint64_t set;
  const char *url, *query, *auth, *username, *password, *token, *header_name, *header_value;
  int64_t connections;
  tn_http_params reach;
  tn_file_params files;
} tn_web_config;

/* Shared by threads: nothing in it changes after open. */
typedef struct tn_web {
  const tn_web_config *config;
  tenon_http *http;
  tn_http_base base;
  tenon_http_header login;   /* name NULL: none */
  tn_str credentials;
} tn_web;

extern const tenon_host *tn_web_host;

/* ---- http.c ---- */

/* A session that can make requests; none is made. */
tenon_status tn_web_new(tenon_ctx *, const tn_web_config *, tn_web **ret, tenon_error *);
void tn_web_free(tn_web *);

/* ---- request.c ---- */

enum { TN_WEB_HEADERS = 8 };

/* CONFIG for what cannot be asked for: NULs, the segments . and .., too long ones. A folder's is empty or ends with a slash. */
tenon_status tn_web_check_key(const tenon_key_bytes *, bool is_folder, tenon_error *);

/* A request and its reply, which needs it as long as it lives. */
typedef struct tn_web_reply {
  tenon_http_reply http;
  tenon_http_header headers[TN_WEB_HEADERS];
  size_t header_count;
  tn_str url;
} tn_web_reply;

void tn_web_reply_init(tn_web_reply *);
/* Copied: neither name nor value. */
void tn_web_header(tn_web_reply *, const char *name, const char *value);
/* Makes the request that a reply will be to; it has to live as long. */
tenon_status tn_web_prepare(tn_web *, const char *method, const tenon_key_bytes *key, int64_t max_reply, tn_web_reply *,
                            tenon_http_request *ret, tenon_error *);
/* A reply with any status; redirects are followed. */
tenon_status tn_web_send(tenon_ctx *, tn_web *, const char *method, const tenon_key_bytes *key, int64_t max_reply, tn_web_reply *ret,
                         tenon_error *);
void tn_web_reply_release(tn_web_reply *);
const char *tn_web_header_of(const tn_web_reply *, const char *name);
/* Where the reply came from, redirects followed; without the query. */
void tn_web_origin(const tn_web_reply *, tn_str *url);

/* What a reply that is no success means. */
tenon_status tn_web_refused(const tn_web *, const tn_web_reply *, const tenon_key_bytes *key, tenon_error *);

/* ---- version.c ---- */

/* bytes 0-99/12345 */
typedef struct tn_web_range {
  int64_t first, last, size;   /* size -1: not said */
} tn_web_range;

bool tn_web_content_range(const tn_web_reply *, tn_web_range *ret);
/* The size in "bytes *" "/12345" of a range that could not be, -1: not said. */
int64_t tn_web_unsatisfied_size(const tn_web_reply *);

/* By what a reply says which version its bytes are of. */
typedef struct tn_web_version {
  int64_t size;              /* -1: not said */
  char etag[128], modified[40];
} tn_web_version;

void tn_web_describe(const tn_web_reply *, tenon_object *ret, tn_web_version *ret_version);
/* Of the same version for sure. */
bool tn_web_same(const tn_web_version *, const tn_web_version *);
/* If-Match or If-Unmodified-Since; false: nothing can be asked. */
bool tn_web_ask_same(tn_web_reply *, const tn_web_version *);
/* DATA if a body that broke off could not be told from a whole one. */
tenon_status tn_web_check_end(const tn_web_reply *, const tenon_key_bytes *key, tenon_error *);
/* DATA if the bytes are others than those that are stored: packed on their way, though that was not asked for. */
tenon_status tn_web_check_coding(const tn_web_reply *, const tenon_key_bytes *key, tenon_error *);
/* Whether a folder was answered instead: the redirect from NAME to NAME/. */
bool tn_web_is_folder(const tn_web_reply *);

/* ---- the operations ---- */

tenon_status tn_web_stat(tenon_ctx *, void *session, const tenon_key_bytes *, tenon_object *ret, tenon_error *);
tenon_status tn_web_get(tenon_ctx *, void *session, const tenon_get *, tenon_got *ret, tenon_error *);
tenon_status tn_web_list(tenon_ctx *, void *session, const tenon_objects_list *, tenon_stream *ret, tenon_error *);

/* ---- test.c ---- */

tenon_status tn_web_test(tenon_ctx *, const tenon_provider *, const void *config, tenon_test *ret, tenon_error *);

#endif
