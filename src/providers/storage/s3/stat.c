/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/clock.h"
#include "s3.h"

static void copy_header(const tenon_http_exchange *x, const char *name, char *ret, size_t room) {
  const char *value = tn_s3_host->http->header(x, name);
  if (value && strlen(value) < room) snprintf(ret, room, "%s", value);
}

/* bytes 0-99/12345, or the whole length. */
static int64_t size_of(const tenon_http_exchange *x) {
  const char *range = tn_s3_host->http->header(x, "content-range");
  const char *slash = range ? strchr(range, '/') : NULL;
  const char *text = slash ? slash + 1 : tn_s3_host->http->header(x, "content-length");
  char *end;
  if (!text || *text < '0' || *text > '9') return -1;
  long long size = strtoll(text, &end, 10);
  return *end ? -1 : size;
}

void tn_s3_describe(const tenon_http_exchange *x, tenon_object *ret) {
  const char *modified = tn_s3_host->http->header(x, "last-modified");
  ret->size = size_of(x);
  if (!modified || !tn_parse_http_date(modified, strlen(modified), &ret->modified_us)) ret->modified_us = INT64_MIN;
  copy_header(x, "etag", ret->etag, sizeof ret->etag);
  copy_header(x, "content-type", ret->content_type, sizeof ret->content_type);
}

/* The opaque part: S3 itself takes them without quotes, and a proxy that packs replies makes them weak. */
static const char *bare_etag(const char *etag, size_t *ret_size) {
  if (strncmp(etag, "W/", 2) == 0) etag += 2;
  size_t size = strlen(etag);
  bool is_quoted = size >= 2 && *etag == '"' && etag[size - 1] == '"';
  *ret_size = is_quoted ? size - 2 : size;
  return etag + is_quoted;
}

bool tn_s3_same_etag(const char *wanted, const char *etag) {
  size_t a_size, b_size;
  const char *a = bare_etag(wanted, &a_size), *b = bare_etag(etag, &b_size);
  return strcmp(wanted, "*") == 0 || (a_size == b_size && memcmp(a, b, a_size) == 0);
}

/* A refused HEAD has no body to say why: one byte is asked for, whose refusal does. */
static tenon_status ask_why(tenon_ctx *ctx, tn_s3 *s, const tenon_key_bytes *key, const tenon_error *why, tenon_error *err) {
  tn_s3_request r = {.method = "GET", .key = key};
  tn_s3_reply reply;
  tenon_error said = TENON_ERROR_INIT;
  tn_s3_header(&r, "range", "bytes=0-0");
  tenon_status status = tn_s3_send(ctx, s, &r, &reply, &said);
  if (!status) tn_s3_reply_release(&reply);
  if (err && !err->code) *err = status ? said : *why;
  return status ? status : why->code;
}

tenon_status tn_s3_stat(tenon_ctx *ctx, void *session, const tenon_key_bytes *key, tenon_object *ret, tenon_error *err) {
  tn_s3_request r = {.method = "HEAD", .key = key};
  tn_s3_reply reply;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_s3_send(ctx, session, &r, &reply, &why);
  if (status && (why.vendor_code == 403 || why.vendor_code == 400)) return ask_why(ctx, session, key, &why, err);
  if (status && err && !err->code) *err = why;
  if (status) return status;
  tn_s3_describe(reply.http.exchange, ret);
  tn_s3_reply_release(&reply);
  return TENON_OK;
}

/* ---- Conditions ---- */

static tenon_status put_probe(tenon_ctx *ctx, tn_s3 *s, const tenon_key_bytes *key, const char *condition, const char *value,
                              tenon_error *err) {
  tn_s3_request r = {.method = "PUT", .key = key, .data = "", .data_size = 0};
  tn_s3_reply reply;
  if (condition) tn_s3_header(&r, condition, value);
  tenon_status status = tn_s3_send(ctx, s, &r, &reply, err);
  if (!status) tn_s3_reply_release(&reply);
  return status;
}

static void remove_probe(tenon_ctx *ctx, tn_s3 *s, const tenon_key_bytes *key) {
  tn_s3_request r = {.method = "DELETE", .key = key};
  tn_s3_reply reply;
  if (tn_s3_send(ctx, s, &r, &reply, NULL) == TENON_OK) tn_s3_reply_release(&reply);
}

/* An empty object is put twice, the second time with a condition that does not hold. */
static tenon_status try_out(tenon_ctx *ctx, tn_s3 *s, const char *condition, const char *value, atomic_int *ret, tenon_error *err) {
  char name[64];
  int size = snprintf(name, sizeof name, ".tenon-probe-%" PRId64 "-%p", tn_wall_ns(), (void *)s);
  const tenon_key_bytes key = {name, (size_t)size};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = put_probe(ctx, s, &key, NULL, NULL, err);
  if (status) return status;
  status = put_probe(ctx, s, &key, condition, value, &why);
  remove_probe(ctx, s, &key);
  if (status && status != TENON_CONFLICT && why.retryable) return tn_pass_error(&why, err);
  atomic_store(ret, status == TENON_CONFLICT ? TN_S3_KEPT : TN_S3_IGNORED);
  return TENON_OK;
}

static tenon_status need(tenon_ctx *ctx, tn_s3 *s, const char *condition, const char *value, atomic_int *known, tenon_error *err) {
  tenon_status status = atomic_load(known) == TN_S3_UNTRIED ? try_out(ctx, s, condition, value, known, err) : TENON_OK;
  if (status || atomic_load(known) == TN_S3_KEPT) return status;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE, "put without the condition, or use a service that keeps it",
                    "%s: the service at %s does not keep %s: it overwrites objects that are there, whatever is asked", s->config->bucket,
                    s->host, condition);
}

/* A service may keep one of them alone. */
tenon_status tn_s3_need_conditions(tenon_ctx *ctx, tn_s3 *s, const tenon_put *request, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (request->if_absent) status = need(ctx, s, "if-none-match", "*", &s->keeps_absent, err);
  if (!status && request->if_match)
    status = need(ctx, s, "if-match", "\"00000000000000000000000000000000\"", &s->keeps_match, err);
  return status;
}
