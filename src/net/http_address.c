/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs, names and addresses. libcurl's parser is the only one that reads a URL, so that what is
 * checked and what is connected to cannot be two things; and it only connects to addresses that the
 * resolver answered, which the egress policy allows.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/http_parts.h"
#include "net/resolve.h"

enum { REMEMBER_MS = 30000 };

typedef struct place {
  char scheme[16], host[256];
  uint16_t port;
} place;

static bool copy_part(CURLU *url, CURLUPart part, char *ret, size_t room) {
  char *text = NULL;
  bool fits = tn_curl.curl_url_get(url, part, &text, CURLU_DEFAULT_PORT) == CURLUE_OK && strlen(text) < room;
  if (fits) snprintf(ret, room, "%s", text);
  tn_curl.curl_free(text);
  return fits;
}

static bool is_plain(const char *host) {
  for (; *host; host++)
    if ((unsigned char)*host <= ' ' || (unsigned char)*host >= 0x7F) return false;
  return true;
}

/* [::1] is ::1 where it is looked up. */
static void strip_brackets(char *host) {
  size_t n = strlen(host);
  if (n < 2 || host[0] != '[' || host[n - 1] != ']') return;
  memmove(host, host + 1, n - 2);
  host[n - 2] = 0;
}

static bool read_place(const char *text, unsigned int flags, place *ret) {
  char port[8];
  CURLU *url = tn_curl.curl_url();
  bool ok = url && tn_curl.curl_url_set(url, CURLUPART_URL, text, flags) == CURLUE_OK &&
            copy_part(url, CURLUPART_SCHEME, ret->scheme, sizeof ret->scheme) &&
            copy_part(url, CURLUPART_HOST, ret->host, sizeof ret->host) &&
            copy_part(url, CURLUPART_PORT, port, sizeof port);
  if (ok) {
    strip_brackets(ret->host);
    ret->port = (uint16_t)strtol(port, NULL, 10);
  }
  if (url) tn_curl.curl_url_cleanup(url);
  return ok && is_plain(ret->host);
}

static bool is_http(const place *p) {
  return strcmp(p->scheme, "http") == 0 || strcmp(p->scheme, "https") == 0;
}

static bool read_proxy(const char *text, place *ret) {
  return read_place(text, CURLU_NON_SUPPORT_SCHEME | CURLU_DEFAULT_SCHEME, ret);
}

bool tn_http_place(const char *url, char *ret, size_t room) {
  place p;
  if (!read_proxy(url, &p)) return false;
  snprintf(ret, room, strchr(p.host, ':') ? "[%s]:%u" : "%s:%u", p.host, (unsigned)p.port);
  return true;
}

bool tn_http_same_origin(const char *url, const char *other) {
  place a, b;
  return read_place(url, 0, &a) && read_place(other, 0, &b) && strcmp(a.scheme, b.scheme) == 0 &&
         strcasecmp(a.host, b.host) == 0 && a.port == b.port;
}

static bool is_this_machine(const char *host) {
  return strcasecmp(host, "localhost") == 0 || strcmp(host, "::1") == 0 ||
         (strncmp(host, "127.", 4) == 0 && strspn(host, "0123456789.") == strlen(host));
}

bool tn_http_is_clear(const char *url) {
  place p;
  return read_place(url, 0, &p) && strcmp(p.scheme, "https") != 0 && !is_this_machine(p.host);
}

char *tn_http_redirected(const char *url, const char *location) {
  place from, to;
  char *text = NULL, *ret = NULL;
  CURLU *u = tn_curl.curl_url();
  if (u && tn_curl.curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK &&
      tn_curl.curl_url_set(u, CURLUPART_URL, location, CURLU_DISALLOW_USER) == CURLUE_OK &&
      tn_curl.curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0) == CURLUE_OK &&
      tn_curl.curl_url_get(u, CURLUPART_URL, &text, 0) == CURLUE_OK && read_place(url, 0, &from) &&
      read_place(text, CURLU_DISALLOW_USER, &to) && is_http(&to) &&
      (strcmp(from.scheme, "https") != 0 || strcmp(to.scheme, "https") == 0))
    ret = tn_strdup(text);
  tn_curl.curl_free(text);
  if (u) tn_curl.curl_url_cleanup(u);
  return ret;
}

/* ---- Names that were looked up a moment ago ---- */

static bool recall(tenon_http *client, const place *p, tn_http_name *ret) {
  bool found = false;
  int64_t now = tn_now_ms();
  pthread_mutex_lock(&client->lock);
  for (int i = 0; i < TN_HTTP_NAMES && !found; i++) {
    const tn_http_name *n = &client->names[i];
    found = n->until_ms > now && n->port == p->port && strcasecmp(n->host, p->host) == 0;
    if (found) *ret = *n;
  }
  pthread_mutex_unlock(&client->lock);
  return found;
}

/* In the place of the oldest. */
static void remember(tenon_http *client, const tn_http_name *name) {
  pthread_mutex_lock(&client->lock);
  tn_http_name *oldest = client->names;
  for (int i = 1; i < TN_HTTP_NAMES; i++)
    if (client->names[i].until_ms < oldest->until_ms) oldest = &client->names[i];
  *oldest = *name;
  pthread_mutex_unlock(&client->lock);
}

/* What another context was allowed need not be allowed to this one. */
static tenon_status check_again(tenon_ctx *ctx, tn_http_name *name, tenon_error *err) {
  size_t kept = 0;
  tenon_error why = TENON_ERROR_INIT;
  for (size_t i = 0; i < name->count; i++)
    if (tn_egress_check(ctx, &name->addresses[i], &why) == TENON_OK)
      name->addresses[kept++] = name->addresses[i];
  name->count = kept;
  if (kept) return TENON_OK;
  if (err && !err->code) *err = why;
  return why.code;
}

static tenon_status look_up(tenon_ctx *ctx, tenon_http *client, const place *p, tn_http_name *ret,
                            tenon_error *err) {
  if (recall(client, p, ret)) return check_again(ctx, ret, err);
  *ret = (tn_http_name){.port = p->port, .until_ms = tn_now_ms() + REMEMBER_MS};
  snprintf(ret->host, sizeof ret->host, "%s", p->host);
  tenon_status status =
      tn_resolve(ctx, p->host, p->port, ret->addresses, TN_HTTP_ADDRESSES, &ret->count, err);
  if (!status) remember(client, ret);
  return status;
}

/* +host:port:address,[address] : libcurl takes these and asks nobody. It has none for hosts that are IPv6 addresses, and
 * needs none. */
static tenon_status spell(const tn_http_name *name, struct curl_slist **ret, tenon_error *err) {
  if (strchr(name->host, ':')) return TENON_OK;
  char text[sizeof name->host + 16 + TN_HTTP_ADDRESSES * (sizeof name->addresses[0].text + 4)];
  int n = snprintf(text, sizeof text, "+%s:%u:", name->host, (unsigned)name->port);
  for (size_t i = 0; i < name->count; i++) {
    const char *address = name->addresses[i].text;
    n += snprintf(text + n, sizeof text - (size_t)n, strchr(address, ':') ? "%s[%s]" : "%s%s", i ? "," : "",
                  address);
  }
  struct curl_slist *list = tn_curl.curl_slist_append(*ret, text);
  if (!list) return tn_no_memory(err);
  *ret = list;
  return TENON_OK;
}

static tenon_status resolve_target(tenon_ctx *ctx, tenon_http *client, const place *p,
                                   struct curl_slist **ret, tenon_error *err) {
  tn_http_name name;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = look_up(ctx, client, p, &name, &why);
  /* A proxy may know names that we do not; those that may not be gone to stay so. */
  if (client->proxy && status && status != TENON_FORBIDDEN) {
    status = tn_ctx_check(ctx, err);
    return status ? status : tn_egress_check_unknown(ctx, p->host, p->port, err);
  }
  if (!status && !client->proxy) return spell(&name, ret, err);
  if (status && err && !err->code) *err = why;
  return status;
}

static tenon_status resolve_proxy(tenon_ctx *ctx, tenon_http *client, struct curl_slist **ret,
                                  tenon_error *err) {
  place p;
  tn_http_name name;
  tenon_error why = TENON_ERROR_INIT;
  if (!read_proxy(client->proxy, &p))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it as http://host:port",
                      "the proxy's URL is not one");
  tenon_status status = look_up(ctx, client, &p, &name, &why);
  if (!status) return spell(&name, ret, err);
  tn_error_prefix(&why, "the proxy: ");
  return tn_pass_error(&why, err);
}

tenon_status tn_http_resolve(tenon_ctx *ctx, tenon_http *client, const char *url,
                             struct curl_slist **ret, tenon_error *err) {
  place p;
  *ret = NULL;
  if (!read_place(url, CURLU_DISALLOW_USER, &p) || !is_http(&p))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write it as https://host/path, the host in ASCII (xn--…), without user and password",
                      "a URL is not one of http or https");
  tenon_status status = resolve_target(ctx, client, &p, ret, err);
  if (!status && client->proxy) status = resolve_proxy(ctx, client, ret, err);
  return status;
}
