/* SPDX-License-Identifier: Apache-2.0 */
/* Copy, remove, presign. */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/base64.h"
#include "net/xml.h"
#include "keys.h"

enum { MAX_PATH = 8 << 10, MAX_REPLY = 1 << 20, KEYS_A_REQUEST = 1000, MAX_BODY = 16 << 20 };

/* ---- Copy ---- */

/* Services do not keep conditions of a copy that they keep of a put: the bytes go through us then. */
static tenon_status copy_if_absent(tenon_ctx *ctx, tn_s3 *s, const tenon_objects_copy *request, tenon_object *ret,
                                   tenon_error *err) {
  tenon_get get = TENON_GET_INIT;
  tenon_got got = {.struct_size = sizeof got};
  get.key = request->from;
  tenon_status status = tn_s3_get(ctx, s, &get, &got, err);
  if (status) return status;
  const tenon_put put = {.struct_size = sizeof put, .key = request->to, .body = &got.body, .if_absent = true,
                         .content_type = *got.object.content_type ? got.object.content_type : NULL};
  return tn_s3_put(ctx, s, &put, ret, err);
}

static tenon_status copy_at_once(tenon_ctx *ctx, tn_s3 *s, const tenon_objects_copy *request, const char *source,
                                 tenon_error *err) {
  tn_str text;
  tn_s3_request r = {.method = "PUT", .key = &request->to};
  tn_s3_header(&r, "x-amz-copy-source", source);
  tn_str_init(&text, MAX_REPLY + MAX_PATH);
  tenon_status status = tn_s3_send_for_text(ctx, s, &r, TN_S3_MAX_ERROR, &text, err);
  tn_str_release(&text);
  return status;
}

tenon_status tn_s3_copy(tenon_ctx *ctx, void *session, const tenon_objects_copy *request, tenon_object *ret,
                        tenon_error *err) {
  tn_s3 *s = session;
  tn_str source;
  if (request->if_absent) return copy_if_absent(ctx, s, request, ret, err);
  tn_str_init(&source, MAX_PATH);
  const char *bucket = s->config->bucket;
  tenon_status status = tn_s3_check_key(&request->from, err);
  bool spelled = tn_str_putc(&source, '/') && tn_sigv4_encode(&source, bucket, strlen(bucket), false) &&
                 tn_str_putc(&source, '/') && tn_sigv4_encode(&source, request->from.data, request->from.size, true);
  if (!status && !spelled) status = tn_no_memory(err);
  if (!status) status = copy_at_once(ctx, s, request, tn_str_text(&source), err);
  tn_str_release(&source);
  return status ? status : tn_s3_stat(ctx, s, &request->to, ret, err);
}

/* ---- Remove ---- */

/* XML 1.0 cannot name other control characters, escaped or not: such keys go one by one. */
static bool fits_xml(const tenon_key_bytes *key) {
  for (size_t i = 0; i < key->size; i++) {
    unsigned char c = (unsigned char)key->data[i];
    if (c < ' ' && c != '\r' && c != '\n' && c != '\t') return false;
  }
  return true;
}

static tenon_status remove_one(tenon_ctx *ctx, tn_s3 *s, const tenon_key_bytes *key, tenon_error *err) {
  tn_s3_request r = {.method = "DELETE", .key = key};
  tn_s3_reply reply;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_s3_send(ctx, s, &r, &reply, &why);
  if (!status) tn_s3_reply_release(&reply);
  if (status == TENON_NOT_FOUND && strstr(why.message, "NoSuchKey")) return TENON_OK;
  if (status && err && !err->code) *err = why;
  return status;
}

static tenon_status send_batch(tenon_ctx *ctx, tn_s3 *s, const tn_str *body, tenon_error *err) {
  unsigned char digest[TN_SHA256_SIZE];
  char hash[TN_SHA256_HEX + 1], checksum[64];
  tn_sha256 sha;
  tn_str text;
  tenon_status status = tn_sha256_init(&sha, err);
  if (!status) status = tn_sha256_of(&sha, body->data, body->size, digest, err);
  tn_sha256_release(&sha);
  if (status) return status;
  tn_hex(digest, sizeof digest, hash);
  tn_str_init(&text, MAX_REPLY + (64 << 10));
  tn_str encoded;
  tn_str_init(&encoded, sizeof checksum);
  if (!tn_base64_encode(&encoded, digest, sizeof digest)) status = tn_no_memory(err);
  tn_s3_request r = {.method = "POST", .data = body->data, .data_size = body->size, .payload_hash = hash};
  tn_s3_query(&r, "delete", "");
  tn_s3_header(&r, "content-type", "application/xml");
  tn_s3_header(&r, "x-amz-checksum-sha256", tn_str_text(&encoded));
  if (!status) status = tn_s3_send_for_text(ctx, s, &r, MAX_REPLY, &text, err);
  tn_str_release(&encoded);
  tn_str_release(&text);
  return status;
}

static tenon_status remove_batch(tenon_ctx *ctx, tn_s3 *s, const tenon_key_bytes *keys, size_t count, tenon_error *err) {
  tn_str body;
  tn_str_init(&body, MAX_BODY);
  size_t batched = 0;
  tenon_status status = TENON_OK;
  tn_str_puts(&body, "<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet>");
  for (size_t i = 0; !status && i < count; i++) {
    status = tn_s3_check_key(&keys[i], err);
    if (!status && !fits_xml(&keys[i])) {
      status = remove_one(ctx, s, &keys[i], err);
    } else if (!status) {
      tn_str_puts(&body, "<Object><Key>");
      if (!tn_xml_escape(&body, keys[i].data, keys[i].size)) body.failed = true;
      tn_str_puts(&body, "</Key></Object>");
      batched++;
    }
  }
  tn_str_puts(&body, "</Delete>");
  if (!status && body.failed) status = tn_no_memory(err);
  if (!status && batched) status = send_batch(ctx, s, &body, err);
  tn_str_release(&body);
  return status;
}

tenon_status tn_s3_remove(tenon_ctx *ctx, void *session, const tenon_delete *request, tenon_deleted *ret, tenon_error *err) {
  tn_s3 *s = session;
  tenon_status status = TENON_OK;
  if (request->key_count == 1) status = remove_one(ctx, s, request->keys, err);
  for (size_t done = 0; request->key_count > 1 && !status && done < request->key_count; done += KEYS_A_REQUEST) {
    size_t left = request->key_count - done;
    status = remove_batch(ctx, s, request->keys + done, left < KEYS_A_REQUEST ? left : KEYS_A_REQUEST, err);
  }
  if (!status) ret->count = request->key_count;
  return status;
}

/* ---- Presign ---- */

tenon_status tn_s3_presign(tenon_ctx *ctx, void *session, const tenon_presign *request, tenon_presigned *ret,
                           tenon_error *err) {
  tn_s3 *s = session;
  tn_str path, query;
  tn_s3_identity *identity = NULL;
  tenon_status status = tn_s3_check_key(&request->key, err);
  if (!status) status = tn_s3_identity_take(ctx, s, &identity, err);
  if (!status && !identity)
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set access_key_id and secret_access_key",
                        "nothing can be signed without keys");
  if (status) return status;
  tn_str_init(&path, MAX_PATH);
  tn_str_init(&query, MAX_PATH);
  if (!tn_s3_path(s, &request->key, &path)) status = tn_no_memory(err);
  const tn_sigv4_request r = {.method = request->for_put ? "PUT" : "GET", .host = s->host,
                              .path = tn_str_text(&path), .payload_hash = TN_SIGV4_UNSIGNED};
  int64_t expires_s = (request->expires_ms + 999) / 1000;
  if (!status) status = tn_sigv4_presign(&identity->signer, time(NULL), expires_s, &r, &query, err);
  if (!status) {
    int n = snprintf(ret->url, sizeof ret->url, "%s://%s%s?%s", s->scheme, s->host, tn_str_text(&path), tn_str_text(&query));
    if (n < 0 || (size_t)n >= sizeof ret->url)
      status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "use a shorter key", "the URL is longer than %zu bytes", sizeof ret->url - 1);
  }
  tn_s3_identity_drop(identity);
  tn_str_release(&path);
  tn_str_release(&query);
  return status;
}
