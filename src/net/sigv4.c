/* SPDX-License-Identifier: Apache-2.0 */
#include "net/sigv4.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"

enum { MAX_CANONICAL = 256 * 1024, MAX_KEY = 128, MAX_SECRET = 256, MAX_NAME = 48 };

#define ALGORITHM "AWS4-HMAC-SHA256"

/* ---- Encoding ---- */

bool tn_sigv4_encode(tn_str *out, const char *text, size_t size, bool keep_slash) {
  return tn_percent_encode(out, text, size, keep_slash);
}

/* The order of two texts once they are encoded: % stands before all that is not encoded. */
static int compare_encoded(const char *a, const char *b) {
  const unsigned char *p = (const unsigned char *)a, *q = (const unsigned char *)b;
  while (*p && *p == *q) p++, q++;
  if (!*p || !*q) return (*p != 0) - (*q != 0);
  int left = tn_is_unreserved(*p) ? 256 + *p : *p, right = tn_is_unreserved(*q) ? 256 + *q : *q;
  return (left > right) - (left < right);
}

static int compare_queries(const tn_sigv4_pair *a, const tn_sigv4_pair *b) {
  int by_name = compare_encoded(a->name, b->name);
  return by_name ? by_name : compare_encoded(a->value, b->value);
}

static int compare_headers(const tn_sigv4_pair *a, const tn_sigv4_pair *b) {
  return strcasecmp(a->name, b->name);
}

/* Few pairs, mostly in order already; those that are equal stay as they came. */
static void sort(tn_sigv4_pair *pairs, size_t count,
                 int (*compare)(const tn_sigv4_pair *, const tn_sigv4_pair *)) {
  for (size_t i = 1; i < count; i++) {
    tn_sigv4_pair moving = pairs[i];
    size_t at = i;
    for (; at > 0 && compare(&pairs[at - 1], &moving) > 0; at--) pairs[at] = pairs[at - 1];
    pairs[at] = moving;
  }
}

static void put_query(tn_str *out, const tn_sigv4_pair *sorted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (i) tn_str_putc(out, '&');
    tn_sigv4_encode(out, sorted[i].name, strlen(sorted[i].name), false);
    tn_str_putc(out, '=');
    tn_sigv4_encode(out, sorted[i].value, strlen(sorted[i].value), false);
  }
}

bool tn_sigv4_encode_query(tn_str *out, const tn_sigv4_pair *pairs, size_t count) {
  tn_sigv4_pair sorted[TN_SIGV4_MAX_PAIRS];
  if (count > TN_SIGV4_MAX_PAIRS) return false;
  if (count) memcpy(sorted, pairs, count * sizeof *pairs);
  sort(sorted, count, compare_queries);
  put_query(out, sorted, count);
  return !out->failed;
}

/* ---- Times and scopes ---- */

static tenon_status date_of(int64_t time_s, char ret[TN_SIGV4_DATE_ROOM], tenon_error *err) {
  int64_t year = 0, second = time_s % 86400;
  int month = 0, day = 0;
  if (time_s >= 0) tn_civil_of_days(time_s / 86400, &year, &month, &day);
  if (year < 1970 || year > 9999)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_AUTH, "set this machine's clock",
                      "the time of the request is not between 1970 and 9999");
  char text[64];
  snprintf(text, sizeof text, "%04d%02d%02dT%02d%02d%02dZ", (int)year, month, day,
           (int)(second / 3600), (int)(second / 60 % 60), (int)(second % 60));
  memcpy(ret, text, TN_SIGV4_DATE_ROOM);
  return TENON_OK;
}

static void scope_of(const tn_sigv4 *v, const char *date, char ret[TN_SIGV4_SCOPE_ROOM]) {
  snprintf(ret, TN_SIGV4_SCOPE_ROOM, "%.8s/%s/%s/aws4_request", date, v->region, v->service);
}

/* ---- The signer ---- */

/* A text that stands between separators of a header: none of them in it. */
static tenon_status check_name(const char *what, const char *text, size_t max, tenon_error *err) {
  const char *why = !text || !*text ? "is empty" : strlen(text) > max ? "is too long" : NULL;
  for (const char *c = text; !why && *c; c++)
    if (*c <= ' ' || *c >= 0x7F || strchr("/,;=\"", *c))
      why = "has a character that it cannot have";
  if (!why) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "copy it again, without what is around it", "the %s %s", what, why);
}

/* A text that is sent in a header as it is. */
static tenon_status check_value(const char *what, const char *text, tenon_error *err) {
  for (const unsigned char *c = (const unsigned char *)text; *c; c++)
    if ((*c < ' ' && *c != '\t') || *c == 0x7F)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "take line breaks and other control characters out of it",
                        "the %s has a control character", what);
  return TENON_OK;
}

static tenon_status check_secret(const char *secret, tenon_error *err) {
  size_t n = secret ? strlen(secret) : 0;
  if (n == 0 || n > MAX_SECRET)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "copy it again",
                      "the secret access key is %s", n ? "too long" : "empty");
  return check_value("secret access key", secret, err);
}

tenon_status tn_sigv4_init(tn_sigv4 *ret, const tn_sigv4_credentials *c, const char *region,
                           const char *service, uint32_t flags, tenon_error *err) {
  tenon_status status = check_name("access key id", c->access_key_id, MAX_KEY, err);
  if (!status) status = check_name("region", region, MAX_NAME, err);
  if (!status) status = check_name("service", service, MAX_NAME, err);
  if (!status && c->session_token) status = check_value("session token", c->session_token, err);
  if (!status) status = check_secret(c->secret_access_key, err);
  if (status) return status;
  *ret = (tn_sigv4){.credentials = *c, .region = region, .service = service, .flags = flags};
  pthread_mutex_init(&ret->lock, NULL);
  return TENON_OK;
}

void tn_sigv4_release(tn_sigv4 *v) {
  if (!v->region) return;
  pthread_mutex_destroy(&v->lock);
  tn_wipe(v, sizeof *v);
}

static tenon_status derive(const tn_sigv4 *v, tn_sha256 *sha, const char *day,
                           unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  char first[MAX_SECRET + 8];
  unsigned char key[TN_SHA256_SIZE];
  const char *const parts[] = {v->region, v->service, "aws4_request"};
  int n = snprintf(first, sizeof first, "AWS4%s", v->credentials.secret_access_key);
  tenon_status status = tn_hmac_sha256(sha, first, (size_t)n, day, 8, key, err);
  for (size_t i = 0; i < 3 && !status; i++)
    status = tn_hmac_sha256(sha, key, sizeof key, parts[i], strlen(parts[i]), key, err);
  if (!status) memcpy(ret, key, sizeof key);
  tn_wipe(first, sizeof first);
  tn_wipe(key, sizeof key);
  return status;
}

static tenon_status key_of(tn_sigv4 *v, tn_sha256 *sha, const char *date,
                           unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&v->lock);
  if (strncmp(v->day, date, 8) != 0) {
    status = derive(v, sha, date, v->key, err);
    snprintf(v->day, sizeof v->day, "%.8s", status ? "" : date);
  }
  if (!status) memcpy(ret, v->key, sizeof v->key);
  pthread_mutex_unlock(&v->lock);
  return status;
}

/* ---- The canonical request ---- */

/* As others than S3 sign a path: no empty, . and .. segments. */
static void put_normal_path(tn_str *out, const char *path) {
  size_t starts[256], depth = 0, size = strlen(path), begin = out->size;
  for (const char *at = path; *at;) {
    size_t n = strcspn(at, "/");
    bool up = n == 2 && memcmp(at, "..", 2) == 0, same = n == 0 || (n == 1 && *at == '.');
    if (up && depth > 0) {
      out->size = starts[--depth];
    } else if (!up && !same) {
      if (depth == sizeof starts / sizeof starts[0]) out->failed = true;
      else starts[depth++] = out->size;
      tn_str_putc(out, '/');
      tn_sigv4_encode(out, at, n, false);
    }
    at += n + (at[n] == '/');
  }
  if (out->size == begin || (size > 0 && path[size - 1] == '/')) tn_str_putc(out, '/');
}

/* Ends trimmed, spaces within as one. */
static void put_header_value(tn_str *out, const char *value) {
  for (const char *at = value + strspn(value, " \t"); *at;) {
    size_t n = strcspn(at, " \t");
    tn_str_add(out, at, n);
    at += n;
    at += strspn(at, " \t");
    if (*at) tn_str_putc(out, ' ');
  }
}

static void put_lower(tn_str *out, const char *name) {
  for (; *name; name++)
    tn_str_putc(out, *name >= 'A' && *name <= 'Z' ? (char)(*name | 0x20) : *name);
}

static void put_headers(tn_str *out, const tn_sigv4_pair *sorted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && compare_headers(&sorted[i - 1], &sorted[i]) == 0) {
      tn_str_putc(out, ',');
    } else {
      if (i > 0) tn_str_putc(out, '\n');
      put_lower(out, sorted[i].name);
      tn_str_putc(out, ':');
    }
    put_header_value(out, sorted[i].value);
  }
  tn_str_puts(out, "\n\n");
}

static void put_names(tn_str *out, const tn_sigv4_pair *sorted, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (i > 0 && compare_headers(&sorted[i - 1], &sorted[i]) == 0) continue;
    if (i > 0) tn_str_putc(out, ';');
    put_lower(out, sorted[i].name);
  }
}

/* What is signed, in order: the request's own headers or pairs and those that signing adds. */
typedef struct pairs {
  tn_sigv4_pair items[TN_SIGV4_MAX_PAIRS + 8];
  size_t count;
} pairs;

static void add(pairs *p, const char *name, const char *value) {
  p->items[p->count++] = (tn_sigv4_pair){name, value};
}

static tenon_status take(pairs *p, const tn_sigv4_pair *given, size_t count, const char *what,
                         tenon_error *err) {
  if (count > TN_SIGV4_MAX_PAIRS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, NULL,
                      "a request with %zu %s, more than %d", count, what, TN_SIGV4_MAX_PAIRS);
  if (count) memcpy(p->items, given, count * sizeof *given);
  p->count = count;
  return TENON_OK;
}

static bool is_token(const char *name) {
  for (const char *c = name; *c; c++)
    if (!tn_is_unreserved((unsigned char)*c) && !strchr("!#$%&'*+^`|", *c)) return false;
  return *name != 0;
}

static tenon_status take_headers(pairs *p, const tn_sigv4_request *r, tenon_error *err) {
  tenon_status status = take(p, r->headers, r->header_count, "headers", err);
  for (size_t i = 0; i < r->header_count && !status; i++) {
    const tn_sigv4_pair *h = &r->headers[i];
    if (is_token(h->name)) status = check_value(h->name, h->value, err);
    else status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use letters, digits and -",
                             "a header's name has a character that it cannot have");
  }
  if (!status) status = check_value("host", r->host, err);
  if (!status) status = check_value("path", r->path, err);
  if (!status) add(p, "host", r->host);
  return status;
}

static const char *hash_of(const tn_sigv4_request *r) {
  return r->payload_hash ? r->payload_hash : TN_SIGV4_EMPTY;
}

static tenon_status hash_request(const tn_sigv4 *v, const tn_sigv4_request *r, const pairs *query,
                                 const pairs *headers, tn_sha256 *sha,
                                 unsigned char ret[TN_SHA256_SIZE], tenon_error *err) {
  tn_str text;
  tn_str_init(&text, MAX_CANONICAL);
  tn_str_reserve(&text, 1500);
  tn_str_puts(&text, r->method);
  tn_str_putc(&text, '\n');
  if (v->flags & TN_SIGV4_PATH_AS_IS) tn_str_puts(&text, *r->path ? r->path : "/");
  else put_normal_path(&text, r->path);
  tn_str_putc(&text, '\n');
  put_query(&text, query->items, query->count);
  tn_str_putc(&text, '\n');
  put_headers(&text, headers->items, headers->count);
  put_names(&text, headers->items, headers->count);
  tn_str_putc(&text, '\n');
  tn_str_puts(&text, hash_of(r));
  tenon_status status = text.failed ? tn_no_memory(err)
                                    : tn_sha256_of(sha, text.data, text.size, ret, err);
  tn_str_release(&text);
  return status;
}

/* The headers and query are sorted; answers the signature in hexadecimal digits. */
static tenon_status signature(tn_sigv4 *v, const tn_sigv4_request *r, const char *date,
                              const pairs *query, const pairs *headers,
                              char ret[TN_SHA256_HEX + 1], tenon_error *err) {
  char scope[TN_SIGV4_SCOPE_ROOM], hex[TN_SHA256_HEX + 1], text[512];
  unsigned char digest[TN_SHA256_SIZE], key[TN_SHA256_SIZE];
  tn_sha256 sha;
  tenon_status status = tn_sha256_init(&sha, err);
  if (status) return status;
  status = hash_request(v, r, query, headers, &sha, digest, err);
  if (!status) status = key_of(v, &sha, date, key, err);
  if (!status) {
    tn_hex(digest, sizeof digest, hex);
    scope_of(v, date, scope);
    int n = snprintf(text, sizeof text, ALGORITHM "\n%s\n%s\n%s", date, scope, hex);
    status = tn_hmac_sha256(&sha, key, sizeof key, text, (size_t)n, digest, err);
    tn_wipe(key, sizeof key);
  }
  if (!status) tn_hex(digest, sizeof digest, ret);
  tn_sha256_release(&sha);
  return status;
}

/* ---- In headers ---- */

static tenon_status write_authorization(const tn_sigv4 *v, const pairs *headers,
                                        tn_sigv4_signed *ret, tenon_error *err) {
  char scope[TN_SIGV4_SCOPE_ROOM];
  scope_of(v, ret->date, scope);
  tn_str text;
  tn_str_init(&text, TN_SIGV4_HEADER_ROOM - 1);
  tn_str_puts(&text, ALGORITHM " Credential=");
  tn_str_puts(&text, v->credentials.access_key_id);
  tn_str_putc(&text, '/');
  tn_str_puts(&text, scope);
  tn_str_puts(&text, ", SignedHeaders=");
  put_names(&text, headers->items, headers->count);
  tn_str_puts(&text, ", Signature=");
  tn_str_puts(&text, ret->signature);
  tenon_status status = TENON_OK;
  if (text.failed)
    status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "send fewer headers",
                        "the names of the headers to sign are too long");
  else memcpy(ret->authorization, text.data, text.size + 1);
  tn_str_release(&text);
  return status;
}

tenon_status tn_sigv4_sign(tn_sigv4 *v, int64_t time_s, const tn_sigv4_request *r,
                           tn_sigv4_signed *ret, tenon_error *err) {
  pairs query, headers;
  tn_sigv4_signed done;
  tenon_status status = take(&query, r->query, r->query_count, "query pairs", err);
  if (!status) status = take_headers(&headers, r, err);
  if (!status) status = date_of(time_s, done.date, err);
  if (status) return status;
  add(&headers, "x-amz-date", done.date);
  if (v->flags & TN_SIGV4_HASH_HEADER) add(&headers, "x-amz-content-sha256", hash_of(r));
  const char *token = v->credentials.session_token;
  if (token) add(&headers, "x-amz-security-token", token);
  sort(query.items, query.count, compare_queries);
  sort(headers.items, headers.count, compare_headers);
  status = signature(v, r, done.date, &query, &headers, done.signature, err);
  if (!status) status = write_authorization(v, &headers, &done, err);
  if (!status) *ret = done;
  return status;
}

/* ---- In the query ---- */

static tenon_status put_presigned(tn_sigv4 *v, const tn_sigv4_request *r, const char *date,
                                  pairs *query, const pairs *headers, tn_str *ret,
                                  tenon_error *err) {
  char sum[TN_SHA256_HEX + 1];
  tn_str names;
  tn_str_init(&names, TN_SIGV4_HEADER_ROOM);
  put_names(&names, headers->items, headers->count);
  add(query, "X-Amz-SignedHeaders", tn_str_text(&names));
  sort(query->items, query->count, compare_queries);
  tenon_status status = names.failed ? tn_no_memory(err) : TENON_OK;
  if (!status) status = signature(v, r, date, query, headers, sum, err);
  if (!status) {
    put_query(ret, query->items, query->count);
    tn_str_puts(ret, "&X-Amz-Signature=");
    if (!tn_str_puts(ret, sum)) status = tn_no_memory(err);
  }
  tn_str_release(&names);
  return status;
}

tenon_status tn_sigv4_presign(tn_sigv4 *v, int64_t time_s, int64_t expires_s,
                              const tn_sigv4_request *r, tn_str *ret, tenon_error *err) {
  char date[TN_SIGV4_DATE_ROOM], scope[TN_SIGV4_SCOPE_ROOM], expires[24];
  char credential[MAX_KEY + 1 + TN_SIGV4_SCOPE_ROOM];
  pairs query, headers;
  if (expires_s < 1 || expires_s > TN_SIGV4_MAX_EXPIRES_S)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "ask for 1 second to 7 days",
                      "a signed URL cannot be good for %" PRId64 " s", expires_s);
  tenon_status status = take(&query, r->query, r->query_count, "query pairs", err);
  if (!status) status = take_headers(&headers, r, err);
  if (!status) status = date_of(time_s, date, err);
  if (status) return status;
  scope_of(v, date, scope);
  snprintf(credential, sizeof credential, "%s/%s", v->credentials.access_key_id, scope);
  snprintf(expires, sizeof expires, "%" PRId64, expires_s);
  add(&query, "X-Amz-Algorithm", ALGORITHM);
  add(&query, "X-Amz-Credential", credential);
  add(&query, "X-Amz-Date", date);
  add(&query, "X-Amz-Expires", expires);
  const char *token = v->credentials.session_token;
  if (token) add(&query, "X-Amz-Security-Token", token);
  sort(headers.items, headers.count, compare_headers);
  return put_presigned(v, r, date, &query, &headers, ret, err);
}

/* ---- In chunks ---- */

tenon_status tn_sigv4_chunks_init(tn_sigv4_chunks *ret, tn_sigv4 *v, int64_t time_s,
                                  const tn_sigv4_signed *head, tenon_error *err) {
  tn_sigv4_chunks c;
  tn_sha256 sha;
  tenon_status status = date_of(time_s, c.date, err);
  if (!status) status = tn_sha256_init(&sha, err);
  if (status) return status;
  scope_of(v, c.date, c.scope);
  memcpy(c.previous, head->signature, sizeof c.previous);
  status = key_of(v, &sha, c.date, c.key, err);
  tn_sha256_release(&sha);
  if (!status) *ret = c;
  tn_wipe(&c, sizeof c);
  return status;
}

/* Signs the next link: `before` are the lines between the previous signature and the data's hash. */
static tenon_status chain(tn_sigv4_chunks *c, tn_sha256 *sha, const char *algorithm,
                          const char *before, const void *data, size_t size, tenon_error *err) {
  unsigned char digest[TN_SHA256_SIZE];
  char hex[TN_SHA256_HEX + 1], text[640];
  tenon_status status = tn_sha256_of(sha, data, size, digest, err);
  if (status) return status;
  tn_hex(digest, sizeof digest, hex);
  int n = snprintf(text, sizeof text, "%s\n%s\n%s\n%s\n%s%s", algorithm, c->date, c->scope,
                   c->previous, before, hex);
  status = tn_hmac_sha256(sha, c->key, sizeof c->key, text, (size_t)n, digest, err);
  if (!status) tn_hex(digest, sizeof digest, c->previous);
  return status;
}

tenon_status tn_sigv4_chunk(tn_sigv4_chunks *c, const void *data, size_t size,
                            char ret_head[TN_SIGV4_CHUNK_ROOM], tenon_error *err) {
  tn_sha256 sha;
  tenon_status status = tn_sha256_init(&sha, err);
  if (status) return status;
  status = chain(c, &sha, ALGORITHM "-PAYLOAD", TN_SIGV4_EMPTY "\n", data, size, err);
  tn_sha256_release(&sha);
  if (!status)
    snprintf(ret_head, TN_SIGV4_CHUNK_ROOM, "%zx;chunk-signature=%s\r\n", size, c->previous);
  return status;
}

tenon_status tn_sigv4_trailer(tn_sigv4_chunks *c, const tn_sigv4_pair *trailers, size_t count,
                              tn_str *out, tenon_error *err) {
  enum { MAX_TRAILERS = 8192 };
  tn_sha256 sha;
  tn_str lines;
  tenon_status status = TENON_OK;
  tn_str_init(&lines, MAX_TRAILERS);
  for (size_t i = 0; i < count && !status; i++) {
    status = check_value("trailer", trailers[i].value, err);
    tn_str_printf(&lines, "%s:%s\n", trailers[i].name, trailers[i].value);
  }
  if (!status && lines.failed) status = tn_no_memory(err);
  if (!status) status = tn_sha256_init(&sha, err);
  if (!status) {
    status = chain(c, &sha, ALGORITHM "-TRAILER", "", tn_str_text(&lines), lines.size, err);
    tn_sha256_release(&sha);
  }
  tn_str_release(&lines);
  if (status) return status;
  for (size_t i = 0; i < count; i++)
    tn_str_printf(out, "%s:%s\r\n", trailers[i].name, trailers[i].value);
  tn_str_printf(out, "x-amz-trailer-signature:%s\r\n\r\n", c->previous);
  return out->failed ? tn_no_memory(err) : TENON_OK;
}

static int64_t chunk_wire_size(int64_t size) {
  char head[32];
  int digits = snprintf(head, sizeof head, "%" PRIx64, (uint64_t)size);
  return digits + (int64_t)strlen(";chunk-signature=") + TN_SHA256_HEX + 2 + size + 2;
}

int64_t tn_sigv4_chunked_size(int64_t size, int64_t chunk_size, bool trailers) {
  int64_t rest = size % chunk_size;
  return size / chunk_size * chunk_wire_size(chunk_size) + (rest ? chunk_wire_size(rest) : 0) +
         chunk_wire_size(0) - (trailers ? 2 : 0);
}
