/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "providers/storage/http/http.h"

/* ---- Keys and their URLs ---- */

/* Servers resolve . and .., so such a key would be another one's, or lie elsewhere. */
static bool has_dots(const char *key, size_t size) {
  for (size_t at = 0; at < size;) {
    const char *slash = memchr(key + at, '/', size - at);
    size_t n = slash ? (size_t)(slash - key) - at : size - at;
    if ((n == 1 || n == 2) && memcmp(key + at, "..", n) == 0) return true;
    at += n + 1;
  }
  return false;
}

tenon_status tn_web_check_key(const tenon_key_bytes *key, bool is_folder, tenon_error *err) {
  bool slash = key->size && key->data[key->size - 1] == '/';
  const char *why = key->size > TN_WEB_MAX_KEY                          ? "is longer than 4096 bytes"
                    : key->size && memchr(key->data, 0, key->size)      ? "has a NUL in it"
                    : has_dots(key->data, key->size)                    ? "has . or .. as a part"
                    : !is_folder && !key->size                          ? "is empty"
                                                                        : NULL;
  if (why) return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name what lies below the URL by its path: folder/file.csv", "the key %s", why);
  if (is_folder || !slash) return TENON_OK;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls --objects` lists what is in it", "%.*s is a folder", (int)key->size,
                    key->data);
}

static bool spell(const tn_web *s, const tenon_key_bytes *key, tn_str *url) {
  const char *query = s->config->query;
  if (!tn_str_printf(url, "%s/", s->base.url) || !tn_percent_encode(url, key->data, key->size, true)) return false;
  return !query || !*query || tn_str_printf(url, "?%s", query + (*query == '?'));
}

/* ---- Requests ---- */

void tn_web_reply_init(tn_web_reply *r) {
  *r = (tn_web_reply){0};
  tn_str_init(&r->url, TN_WEB_MAX_URL);
}

void tn_web_header(tn_web_reply *r, const char *name, const char *value) {
  if (r->header_count < TN_WEB_HEADERS) r->headers[r->header_count++] = (tenon_http_header){name, value};
}

tenon_status tn_web_prepare(tn_web *s, const char *method, const tenon_key_bytes *key, int64_t max_reply, tn_web_reply *reply,
                            tenon_http_request *ret, tenon_error *err) {
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  if (!spell(s, key, &reply->url)) return tn_no_memory(err);
  tn_web_header(reply, "accept-encoding", "identity");
  if (s->login.name) tn_web_header(reply, s->login.name, s->login.value);
  r.method = method;
  r.url = tn_str_text(&reply->url);
  r.headers = reply->headers;
  r.header_count = reply->header_count;
  r.max_reply = max_reply;
  *ret = r;
  return TENON_OK;
}

tenon_status tn_web_send(tenon_ctx *ctx, tn_web *s, const char *method, const tenon_key_bytes *key, int64_t max_reply, tn_web_reply *ret,
                         tenon_error *err) {
  tenon_http_request r;
  tenon_status status = tn_web_prepare(s, method, key, max_reply, ret, &r, err);
  if (status) return status;
  r.follow = true;
  return tn_web_host->http->send(ctx, s->http, &r, &ret->http, err);
}

void tn_web_reply_release(tn_web_reply *r) {
  if (r->http.body.close) r->http.body.close(r->http.body.self);
  if (r->url.data) tn_wipe(r->url.data, r->url.size);   /* its query may be a key */
  tn_str_release(&r->url);
  r->http = (tenon_http_reply){0};
}

const char *tn_web_header_of(const tn_web_reply *r, const char *name) { return tn_web_host->http->header(r->http.exchange, name); }

void tn_web_origin(const tn_web_reply *r, tn_str *url) {
  const char *from = r->http.url ? r->http.url : tn_str_text(&r->url);
  tn_str_add(url, from, strcspn(from, "?#"));
}

/* ---- Refusals ---- */

static const char *remedy_for(int32_t status, bool is_folder, bool has_login) {
  switch (status) {
    case 401: return has_login ? "check the credentials" : "set auth, and what belongs to it: the server wants to know who asks";
    case 403:
      return is_folder ? "the server may forbid index pages: name objects by their keys; or use other credentials"
                       : "have the permission granted, or use other credentials";
    case 404: case 410: return is_folder ? "check the URL: nothing is there" : "check the key and the URL; `tenon ls --objects` lists what is there";
    default: return NULL;
  }
}

tenon_status tn_web_refused(const tn_web *s, const tn_web_reply *r, const tenon_key_bytes *key, tenon_error *err) {
  bool is_folder = !key->size || key->data[key->size - 1] == '/';
  const char *remedy = remedy_for(r->http.status, is_folder, s->login.name != NULL);
  if (r->http.status != 410) return tn_web_host->http->refused(r->http.exchange, NULL, remedy, err);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "the server says that %.*s is gone", (int)key->size, key->data);
}
