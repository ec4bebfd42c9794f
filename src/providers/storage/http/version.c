/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "providers/storage/http/http.h"

/* ---- Ranges ---- */

static bool take_number(const char **at, int64_t *ret) {
  int64_t n = 0;
  const char *c = *at;
  for (; *c >= '0' && *c <= '9'; c++)
    if (__builtin_mul_overflow(n, 10, &n) || __builtin_add_overflow(n, *c - '0', &n)) return false;
  if (c == *at) return false;
  *at = c;
  *ret = n;
  return true;
}

static const char *range_text(const tn_web_reply *r) {
  const char *text = tn_web_header_of(r, "content-range");
  return text && strncasecmp(text, "bytes ", 6) == 0 ? text + 6 : NULL;
}

bool tn_web_content_range(const tn_web_reply *r, tn_web_range *ret) {
  const char *at = range_text(r);
  tn_web_range range = {.size = -1};
  if (!at || !take_number(&at, &range.first) || *at++ != '-' || !take_number(&at, &range.last) || *at++ != '/') return false;
  if (strcmp(at, "*") != 0 && (!take_number(&at, &range.size) || *at)) return false;
  if (range.last < range.first || (range.size >= 0 && range.last >= range.size)) return false;
  *ret = range;
  return true;
}

int64_t tn_web_unsatisfied_size(const tn_web_reply *r) {
  const char *at = range_text(r);
  int64_t size;
  if (!at || strncmp(at, "*/", 2) != 0) return -1;
  at += 2;
  return take_number(&at, &size) && !*at ? size : -1;
}

/* ---- Versions ---- */

/* One with control characters in it could not be sent back, and is none. */
static void copy_header(const tn_web_reply *r, const char *name, char *ret, size_t room) {
  const char *value = tn_web_header_of(r, name);
  if (!value || strlen(value) >= room) return;
  for (const char *c = value; *c; c++)
    if ((unsigned char)*c < ' ' || *c == 0x7F) return;
  snprintf(ret, room, "%s", value);
}

static int64_t size_of(const tn_web_reply *r) {
  tn_web_range range;
  int64_t size;
  if (r->http.status == 206) return tn_web_content_range(r, &range) ? range.size : -1;
  const char *text = tn_web_header_of(r, "content-length");
  return text && take_number(&text, &size) && !*text ? size : -1;
}

static bool is_strong(const char *etag) { return *etag && strncmp(etag, "W/", 2) != 0; }

/* A date tells versions apart if it was past when the reply was made: within its second there could be two. RFC 9110, 8.8.2.2. */
static bool is_past(const tn_web_reply *r, int64_t modified_us) {
  const char *date = tn_web_header_of(r, "date");
  int64_t now;
  return modified_us != INT64_MIN && date && tn_parse_http_date(date, strlen(date), &now) && now - modified_us >= 1000000;
}

/* Weak etags stay as long as a page means the same, whatever its bytes are: they are none of ours. */
void tn_web_describe(const tn_web_reply *r, tenon_object *ret, tn_web_version *ret_version) {
  *ret_version = (tn_web_version){.size = size_of(r)};
  copy_header(r, "etag", ret_version->etag, sizeof ret_version->etag);
  copy_header(r, "last-modified", ret_version->modified, sizeof ret_version->modified);
  *ret = (tenon_object){.struct_size = sizeof *ret, .size = ret_version->size};
  if (!tn_parse_http_date(ret_version->modified, strlen(ret_version->modified), &ret->modified_us)) ret->modified_us = INT64_MIN;
  if (!is_past(r, ret->modified_us)) ret_version->modified[0] = 0;
  if (is_strong(ret_version->etag)) memcpy(ret->etag, ret_version->etag, sizeof ret->etag);
  copy_header(r, "content-type", ret->content_type, sizeof ret->content_type);
}

bool tn_web_same(const tn_web_version *a, const tn_web_version *b) {
  if (a->size >= 0 && b->size >= 0 && a->size != b->size) return false;
  if (*a->etag || *b->etag) return strcmp(a->etag, b->etag) == 0;
  return *a->modified && strcmp(a->modified, b->modified) == 0;
}

bool tn_web_ask_same(tn_web_reply *r, const tn_web_version *v) {
  if (is_strong(v->etag)) tn_web_header(r, "if-match", v->etag);
  else if (*v->modified) tn_web_header(r, "if-unmodified-since", v->modified);
  return is_strong(v->etag) || *v->modified;
}

/* ---- What could be taken for the object ---- */

/* Neither a length nor chunks, nor TLS, which has an end of its own: what broke off looks whole. */
tenon_status tn_web_check_end(const tn_web_reply *r, const tenon_key_bytes *key, tenon_error *err) {
  const char *length = tn_web_header_of(r, "content-length"), *url = r->http.url ? r->http.url : tn_str_text(&r->url);
  int64_t size;
  bool said = length ? take_number(&length, &size) && !*length : tn_web_header_of(r, "transfer-encoding") != NULL;
  if (said || (!length && strncasecmp(url, "https:", 6) == 0)) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "have the server send Content-Length, or ask by https",
                    "the reply to %.*s does not say where it ends", (int)key->size, key->data);
}

static bool ends_with(const tenon_key_bytes *key, const char *end) {
  size_t n = strlen(end);
  return key->size >= n && strncasecmp(key->data + key->size - n, end, n) == 0;
}

/* Some servers say of a packed file that is stored so how it is packed: then its bytes are the object's. */
static bool is_stored_so(const char *coding, const tenon_key_bytes *key) {
  static const struct { const char *coding, *end; } stored[] = {
      {"gzip", ".gz"}, {"gzip", ".tgz"}, {"gzip", ".gzip"}, {"x-gzip", ".gz"}, {"x-gzip", ".tgz"}, {"br", ".br"}, {"zstd", ".zst"},
      {"compress", ".z"}, {"x-compress", ".z"}, {"x-bzip2", ".bz2"}, {"bzip2", ".bz2"}};
  for (size_t i = 0; i < sizeof stored / sizeof stored[0]; i++)
    if (strcasecmp(coding, stored[i].coding) == 0 && ends_with(key, stored[i].end)) return true;
  return false;
}

tenon_status tn_web_check_coding(const tn_web_reply *r, const tenon_key_bytes *key, tenon_error *err) {
  const char *coding = tn_web_header_of(r, "content-encoding");
  if (!coding || !*coding || strcasecmp(coding, "identity") == 0 || is_stored_so(coding, key)) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "have the server or the proxy before it heed `Accept-Encoding: identity`",
                    "%.*s comes packed as %.40s, though its own bytes were asked for", (int)key->size, key->data, coding);
}

bool tn_web_is_folder(const tn_web_reply *r) {
  if (!r->http.url) return false;
  size_t n = strcspn(r->http.url, "?#"), asked = strcspn(tn_str_text(&r->url), "?#");
  return n && r->http.url[n - 1] == '/' && asked && tn_str_text(&r->url)[asked - 1] != '/';
}
