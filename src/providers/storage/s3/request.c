/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <time.h>

#include "keys.h"

enum { MAX_URL = 16 << 10 };

void tn_s3_query(tn_s3_request *r, const char *name, const char *value) {
  if (r->query_count < TN_S3_MAX_QUERY) r->query[r->query_count++] = (tn_sigv4_pair){name, value};
}

void tn_s3_header(tn_s3_request *r, const char *name, const char *value) {
  if (r->header_count < TN_S3_MAX_HEADERS) r->headers[r->header_count++] = (tn_sigv4_pair){name, value};
}

tenon_status tn_s3_check_key(const tenon_key_bytes *key, tenon_error *err) {
  const char *why = !key->size                                     ? "is empty"
                    : key->size > TN_S3_MAX_KEY                    ? "is longer than 1024 bytes"
                    : !tn_utf8_valid(key->data, key->size, NULL)   ? "is not UTF-8"
                    : memchr(key->data, 0, key->size)              ? "has a NUL in it"
                                                                   : NULL;
  if (!why) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "S3 takes keys of 1 to 1024 bytes of UTF-8",
                    "the key %s", why);
}

bool tn_s3_path(const tn_s3 *s, const tenon_key_bytes *key, tn_str *path) {
  const char *bucket = s->config->bucket;
  if (s->is_path_style && (!tn_str_putc(path, '/') || !tn_sigv4_encode(path, bucket, strlen(bucket), false)))
    return false;
  if (!key) return s->is_path_style || tn_str_putc(path, '/');
  return tn_str_putc(path, '/') && tn_sigv4_encode(path, key->data, key->size, true);
}

/* ---- Making ---- */

static void add(tn_s3_prepared *p, const char *name, const char *value) {
  p->headers[p->http.header_count++] = (tenon_http_header){name, value};
}

static tenon_status sign(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, const char *path, tn_s3_prepared *p, tenon_error *err) {
  const char *hash = r->payload_hash ? r->payload_hash : r->data ? TN_SIGV4_UNSIGNED : TN_SIGV4_EMPTY;
  tn_sigv4_request request = {.method = r->method, .host = s->host, .path = path,
                              .query = r->query, .headers = r->headers,
                              .query_count = r->query_count, .header_count = r->header_count,
                              .payload_hash = hash};
  tenon_status status = tn_s3_identity_take(ctx, s, &p->identity, err);
  if (status || !p->identity) return status;
  status = tn_sigv4_sign(&p->identity->signer, time(NULL), &request, &p->signature, err);
  if (status) return status;
  add(p, "authorization", p->signature.authorization);
  add(p, "x-amz-date", p->signature.date);
  add(p, "x-amz-content-sha256", hash);
  if (p->identity->keys.session_token) add(p, "x-amz-security-token", p->identity->keys.session_token);
  return TENON_OK;
}

static bool spell_url(const tn_s3 *s, const tn_s3_request *r, const char *path, tn_str *url) {
  if (!tn_str_printf(url, "%s://%s%s", s->scheme, s->host, path)) return false;
  if (!r->query_count) return true;
  return tn_str_putc(url, '?') && tn_sigv4_encode_query(url, r->query, r->query_count);
}

tenon_status tn_s3_prepare(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, tn_s3_prepared *ret, tenon_error *err) {
  tn_str path;
  *ret = (tn_s3_prepared){.http = TENON_HTTP_REQUEST_INIT};
  tn_str_init(&ret->url, MAX_URL);
  tn_str_init(&path, MAX_URL);
  tenon_status status = r->key ? tn_s3_check_key(r->key, err) : TENON_OK;
  if (!status && !tn_s3_path(s, r->key, &path)) status = tn_no_memory(err);
  if (!status && !spell_url(s, r, tn_str_text(&path), &ret->url)) status = tn_no_memory(err);
  for (size_t i = 0; i < r->header_count; i++) add(ret, r->headers[i].name, r->headers[i].value);
  if (!status) status = sign(ctx, s, r, tn_str_text(&path), ret, err);
  tn_str_release(&path);
  if (status) {
    tn_s3_prepared_release(ret);
    return status;
  }
  ret->http.method = r->method;
  ret->http.url = ret->url.data;
  ret->http.headers = ret->headers;
  ret->http.data = r->data;
  ret->http.data_size = r->data_size;
  if (r->max_reply) ret->http.max_reply = r->max_reply;
  return TENON_OK;
}

void tn_s3_prepared_release(tn_s3_prepared *p) {
  tn_str_release(&p->url);
  tn_wipe(&p->signature, sizeof p->signature);
  tn_s3_identity_drop(p->identity);
  p->identity = NULL;
}

/* ---- Sending ---- */

static tenon_status read_text(tenon_bytes *body, size_t max, tn_str *ret, tenon_error *err) {
  enum { AT_A_TIME = 16 << 10 };
  tenon_status status = TENON_OK;
  for (size_t n = 1; !status && n > 0;) {
    if (!tn_str_reserve(ret, AT_A_TIME)) return tn_no_memory(err);
    status = body->read(body->self, ret->data + ret->size, AT_A_TIME, &n, err);
    if (status) return status;
    ret->size += n;
    ret->data[ret->size] = 0;
    if (ret->size > max)
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service",
                        "a reply is longer than %zu bytes", max);
  }
  return status;
}

/* What is behind the limit does not matter: the beginning says what is wrong. */
static tenon_status take_refusal(tn_s3 *s, tn_s3_reply *reply, tenon_error *err) {
  tn_str text;
  tenon_error why = TENON_ERROR_INIT;
  tn_str_init(&text, TN_S3_MAX_ERROR + (64 << 10));
  tenon_status status = read_text(&reply->http.body, TN_S3_MAX_ERROR, &text, &why);
  if (status && status != TENON_LIMITED) tn_pass_error(&why, err);
  else status = tn_s3_refused(s, reply->http.exchange, tn_str_text(&text), text.size, err);
  tn_str_release(&text);
  return status;
}

/* `copy` of the request's structs would leave pointers behind: the reply is filled in place. */
tenon_status tn_s3_send(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, tn_s3_reply *ret, tenon_error *err) {
  tenon_status status = tn_s3_prepare(ctx, s, r, &ret->prepared, err);
  if (status) return status;
  status = tn_s3_host->http->send(ctx, s->http, &ret->prepared.http, &ret->http, err);
  if (status) {
    tn_s3_prepared_release(&ret->prepared);
    return status;
  }
  if (ret->http.status < 300) return TENON_OK;
  status = take_refusal(s, ret, err);
  tn_s3_reply_release(ret);
  return status;
}

void tn_s3_reply_release(tn_s3_reply *r) {
  r->http.body.close(r->http.body.self);
  tn_s3_prepared_release(&r->prepared);
}

const char *tn_s3_header_of(const tn_s3_reply *r, const char *name) {
  return tn_s3_host->http->header(r->http.exchange, name);
}

tenon_status tn_s3_send_for_text(tenon_ctx *ctx, tn_s3 *s, const tn_s3_request *r, size_t max, tn_str *ret,
                                 tenon_error *err) {
  tn_s3_reply reply;
  tenon_status status = tn_s3_send(ctx, s, r, &reply, err);
  if (status) return status;
  status = read_text(&reply.http.body, max, ret, err);
  if (!status) status = tn_s3_error_within(s, reply.http.exchange, tn_str_text(ret), ret->size, err);
  tn_s3_reply_release(&reply);
  return status;
}
