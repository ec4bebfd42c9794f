/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS Signature Version 4: requests signed in their headers, in their query (presigned URLs), and
 * chunk by chunk.
 * Source: AWS, "Signature Version 4 signing process" and the S3 API reference, "Authenticating requests".
 *
 * Paths and hosts are given as they go over the wire; queries as pairs of plain text, which go over the
 * wire as tn_sigv4_encode_query writes them.
 */
#ifndef TN_NET_SIGV4_H
#define TN_NET_SIGV4_H

#include <pthread.h>

#include "base/str.h"
#include "net/digest.h"

/* What stands for the hash of a payload. */
#define TN_SIGV4_EMPTY "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define TN_SIGV4_UNSIGNED "UNSIGNED-PAYLOAD"
#define TN_SIGV4_UNSIGNED_TRAILER "STREAMING-UNSIGNED-PAYLOAD-TRAILER"
#define TN_SIGV4_CHUNKED "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"
#define TN_SIGV4_CHUNKED_TRAILER "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"

enum {
  TN_SIGV4_PATH_AS_IS = 1u << 0,     /* else dot segments are resolved and the path is encoded again */
  TN_SIGV4_HASH_HEADER = 1u << 1,    /* x-amz-content-sha256 is sent and signed */
  TN_SIGV4_S3 = TN_SIGV4_PATH_AS_IS | TN_SIGV4_HASH_HEADER
};

enum {
  TN_SIGV4_DATE_ROOM = 17,           /* 20130524T000000Z */
  TN_SIGV4_SCOPE_ROOM = 192,         /* 20130524/us-east-1/s3/aws4_request */
  TN_SIGV4_HEADER_ROOM = 2048,       /* of the authorization header */
  TN_SIGV4_CHUNK_ROOM = 112,         /* of what stands before a chunk */
  TN_SIGV4_MAX_PAIRS = 64,           /* headers, and as many query pairs */
  TN_SIGV4_MAX_EXPIRES_S = 7 * 24 * 3600
};

typedef struct tn_sigv4_credentials {
  const char *access_key_id, *secret_access_key;
  const char *session_token;         /* NULL: none */
} tn_sigv4_credentials;

/* Who signs, for which service where. Threads may share it. */
typedef struct tn_sigv4 {
  tn_sigv4_credentials credentials;  /* borrowed, as region and service */
  const char *region, *service;
  uint32_t flags;
  pthread_mutex_t lock;              /* of the key, which is derived once a day */
  char day[9];
  unsigned char key[TN_SHA256_SIZE];
} tn_sigv4;

typedef struct tn_sigv4_pair {
  const char *name, *value;
} tn_sigv4_pair;

/* Every header given is signed; host, x-amz-date, x-amz-content-sha256 and x-amz-security-token are
 * not given. */
typedef struct tn_sigv4_request {
  const char *method, *host, *path;
  const tn_sigv4_pair *query, *headers;
  size_t query_count, header_count;
  const char *payload_hash;          /* hexadecimal, or one of the above; NULL: the body is empty */
} tn_sigv4_request;

/* The headers to add: authorization, x-amz-date, and where credentials or flags ask for them
 * x-amz-security-token (the session token as it is) and x-amz-content-sha256 (the payload hash). */
typedef struct tn_sigv4_signed {
  char authorization[TN_SIGV4_HEADER_ROOM];
  char date[TN_SIGV4_DATE_ROOM];
  char signature[TN_SHA256_HEX + 1]; /* what chunks go on from */
} tn_sigv4_signed;

/* CONFIG if a key, region or service cannot be right. */
tenon_status tn_sigv4_init(tn_sigv4 *ret, const tn_sigv4_credentials *, const char *region,
                           const char *service, uint32_t flags, tenon_error *err);
void tn_sigv4_release(tn_sigv4 *);

/* time_s: seconds since 1970. CONFIG if a header cannot be sent (control characters in it). */
tenon_status tn_sigv4_sign(tn_sigv4 *, int64_t time_s, const tn_sigv4_request *,
                           tn_sigv4_signed *ret, tenon_error *err);

/* Appends the whole query of a URL that is good for expires_s seconds: the request's own pairs and the
 * signature. The given headers must then be sent with it. */
tenon_status tn_sigv4_presign(tn_sigv4 *, int64_t time_s, int64_t expires_s,
                              const tn_sigv4_request *, tn_str *query, tenon_error *err);

/* Percent-encodes all but letters, digits and -._~ (and the slash, if it is to be kept). */
bool tn_sigv4_encode(tn_str *out, const char *text, size_t size, bool keep_slash);
/* name=value&… in the order in which they are signed. At most TN_SIGV4_MAX_PAIRS. */
bool tn_sigv4_encode_query(tn_str *out, const tn_sigv4_pair *pairs, size_t count);

/* ---- Bodies in chunks ---- */

/* The chain of signatures of one body. Plain data; the key in it is wiped by whoever holds it. */
typedef struct tn_sigv4_chunks {
  unsigned char key[TN_SHA256_SIZE];
  char scope[TN_SIGV4_SCOPE_ROOM];
  char date[TN_SIGV4_DATE_ROOM];
  char previous[TN_SHA256_HEX + 1];
} tn_sigv4_chunks;

/* The request has been signed at time_s with one of the chunked payload hashes. */
tenon_status tn_sigv4_chunks_init(tn_sigv4_chunks *ret, tn_sigv4 *, int64_t time_s,
                                  const tn_sigv4_signed *, tenon_error *err);
/* What stands before the chunk: "10000;chunk-signature=…\r\n". The chunk and "\r\n" follow it. The last
 * is of size 0. */
tenon_status tn_sigv4_chunk(tn_sigv4_chunks *, const void *data, size_t size,
                            char ret_head[TN_SIGV4_CHUNK_ROOM], tenon_error *err);
/* What a body with trailers has instead of the last "\r\n": "name:value\r\n…x-amz-trailer-signature:…\r\n\r\n",
 * appended to out. Names are lower case, in order. */
tenon_status tn_sigv4_trailer(tn_sigv4_chunks *, const tn_sigv4_pair *trailers, size_t count,
                              tn_str *out, tenon_error *err);
/* How large the body of `size` bytes is on the wire in chunks of chunk_size, without trailers; without
 * its last "\r\n" if trailers follow. */
int64_t tn_sigv4_chunked_size(int64_t size, int64_t chunk_size, bool trailers);

#endif
