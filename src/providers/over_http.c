/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/over_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/error.h"

tenon_http_options tn_http_options_of(const tn_http_params *p) {
  return (tenon_http_options){.struct_size = sizeof(tenon_http_options),
                              .insecure = p->insecure,
                              .ca = p->ca.data,
                              .ca_size = p->ca.size,
                              .certificate = p->certificate.data,
                              .certificate_size = p->certificate.size,
                              .key = p->key.data,
                              .key_size = p->key.size,
                              .proxy = p->proxy};
}

tenon_status tn_http_client(tenon_ctx *ctx, const tenon_host *host, const tn_http_params *p, tenon_http **ret,
                            tenon_error *err) {
  const tenon_http_options options = tn_http_options_of(p);
  return host->http->new_client(ctx, &options, ret, err);
}

/* ---- Where a service is ---- */

static tenon_status bad_url(const char *parameter, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it as https://host, http://host:port or with a path behind it",
                    "%s %s", parameter, why);
}

static bool is_plain(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] <= ' ' || (unsigned char)text[i] >= 0x7F || strchr("\\\"<>^`{|}", text[i])) return false;
  return true;
}

/* host, host:port, [v6], [v6]:port */
static bool split_authority(const char *text, size_t size, tn_http_base *ret) {
  const char *end = text + size, *host = text, *host_end = memchr(text, ':', size);
  if (*text == '[') {
    host_end = memchr(text, ']', size);
    if (!host_end) return false;
    host++;
  }
  if (!host_end) host_end = end;
  const char *rest = host_end + (*text == '[');
  size_t length = (size_t)(host_end - host);
  if (length == 0 || length >= sizeof ret->host) return false;
  snprintf(ret->host, sizeof ret->host, "%.*s", (int)length, host);
  ret->port = ret->is_tls ? 443 : 80;
  if (rest == end) return true;
  if (*rest != ':' || end - rest < 2 || end - rest > 6 || strspn(rest + 1, "0123456789") < (size_t)(end - rest - 1))
    return false;
  unsigned long port = strtoul(rest + 1, NULL, 10);
  ret->port = (uint16_t)port;
  return port > 0 && port < 65536;
}

static void spell_base(tn_http_base *b, const char *path, size_t path_size) {
  bool is_v6 = strchr(b->host, ':') != NULL, usual = b->port == (b->is_tls ? 443 : 80);
  int n = snprintf(b->authority, sizeof b->authority, "%s%s%s", is_v6 ? "[" : "", b->host, is_v6 ? "]" : "");
  if (!usual) snprintf(b->authority + n, sizeof b->authority - (size_t)n, ":%u", (unsigned)b->port);
  while (path_size && path[path_size - 1] == '/') path_size--;
  snprintf(b->url, sizeof b->url, "%s://%s%.*s", b->is_tls ? "https" : "http", b->authority, (int)path_size, path);
}

tenon_status tn_http_base_parse(const char *parameter, const char *url, tn_http_base *ret, tenon_error *err) {
  tn_http_base b = {.is_tls = strncasecmp(url, "https://", 8) == 0};
  if (!b.is_tls && strncasecmp(url, "http://", 7) != 0) return bad_url(parameter, "is not a URL of http or https", err);
  const char *authority = url + (b.is_tls ? 8 : 7), *path = authority + strcspn(authority, "/?#");
  size_t size = strlen(authority);
  if (size > TN_ORIGIN_URL - 16) return bad_url(parameter, "is too long", err);
  if (!is_plain(authority, size)) return bad_url(parameter, "has characters that no URL has", err);
  if (memchr(authority, '@', (size_t)(path - authority)))
    return bad_url(parameter, "has a user in it, who belongs into a parameter", err);
  if (strpbrk(path, "?#")) return bad_url(parameter, "has a query or a fragment", err);
  if (!split_authority(authority, (size_t)(path - authority), &b)) return bad_url(parameter, "names no host, or no port", err);
  spell_base(&b, path, strlen(path));
  *ret = b;
  return TENON_OK;
}

tenon_status tn_http_check_user(const char *user, tenon_error *err) {
  if (!strchr(user, ':')) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use a user without one", "username has a colon in it");
}

bool tn_http_basic(tn_str *out, const char *user, const char *password) {
  tn_str both;
  tn_str_init(&both, 8192);
  bool ok = !strchr(user, ':') && tn_str_printf(&both, "%s:%s", user, password ? password : "") &&
            tn_str_puts(out, "Basic ") && tn_base64_encode(out, tn_str_text(&both), both.size);
  tn_str_release(&both);
  return ok;
}

static bool is_one_of(const char *name, const char *const *names) {
  while (*names && strcasecmp(*names, name) != 0) names++;
  return *names != NULL;
}

const char *tn_http_unfit_header(const char *name) {
  static const char letters[] = "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  static const char *const kept[] = {"host", "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade",
                                     "http2-settings", "te", "trailer", "expect", "proxy-connection", "proxy-authorization",
                                     NULL};
  if (!*name || name[strspn(name, letters)]) return "is no token: letters, digits and -";
  return is_one_of(name, kept) ? "is set by the connection" : NULL;
}

tenon_status tn_http_check_credential_header(const char *parameter, const char *name, tenon_error *err) {
  static const char *const asking[] = {"accept", "accept-encoding", "content-encoding", "content-type", "range", "if-match",
                                       "if-none-match", "if-modified-since", "if-unmodified-since", "if-range", NULL};
  const char *why = tn_http_unfit_header(name);
  if (!why && is_one_of(name, asking)) why = "says what a request asks for";
  if (!why) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name the header that the service reads the credential in",
                    "%s: the header %.64s %s", parameter, name, why);
}

/* ---- Replies ---- */

tenon_status tn_http_text(tenon_http_reply *reply, size_t max, tn_str *ret, tenon_error *err) {
  char part[8192];
  for (;;) {
    size_t size = 0;
    tenon_status status = reply->body.read(reply->body.self, part, sizeof part, &size, err);
    if (status || !size) return status;
    if (size > max - ret->size)
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL, "the reply has more than %zu bytes", max);
    if (!tn_str_add(ret, part, size)) return tn_no_memory(err);
  }
}

void tn_http_quote(const char *text, size_t size, char *ret, size_t room) {
  size_t used = 0;
  for (size_t i = 0; i < size && used + 1 < room; i++) {
    bool blank = (unsigned char)text[i] <= ' ' || text[i] == 0x7F;
    if (!blank) ret[used++] = text[i];
    else if (used && ret[used - 1] != ' ') ret[used++] = ' ';
  }
  size_t whole = used;
  while (used && ret[used - 1] == ' ') used--;
  if (!tn_utf8_valid(ret, used, &whole) && whole < used) used = whole;
  ret[used] = 0;
}

/* ---- Tests ---- */

static tenon_status connect_any(tenon_ctx *ctx, const tenon_host *host, const tenon_address *addresses, size_t count,
                                tenon_error *err) {
  for (size_t i = 0; i < count; i++) {
    int fd;
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = host->connect(ctx, &addresses[i], -1, &fd, &why);
    if (!status) {
      close(fd);
      return TENON_OK;
    }
    if (i + 1 == count) return *err = why, status;
  }
  return tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DNS, NULL, "the name has no address");
}

tenon_status tn_http_test_reach(tenon_ctx *ctx, const tenon_host *host, const tn_http_params *p, const tn_http_base *base,
                                tenon_test *t, tenon_error *err) {
  tenon_address addresses[8];
  size_t count = 0;
  if (p->proxy) return TENON_OK;
  host->step_begin(t, "dns");
  tenon_status status = host->resolve(ctx, base->host, base->port, addresses, 8, &count, err);
  if (status) return status;
  host->step_end(t, TENON_PASSED, NULL, "%s is %s", base->host, addresses[0].text);
  host->step_begin(t, "tcp");
  status = connect_any(ctx, host, addresses, count, err);
  if (!status) host->step_end(t, TENON_PASSED, NULL, "port %u answers", (unsigned)base->port);
  return status;
}

static const char *step_of(const tenon_error *err) {
  switch (err->stage) {
    case TENON_STAGE_DNS: return "dns";
    case TENON_STAGE_TCP: return "tcp";
    case TENON_STAGE_AUTH: return "auth";
    case TENON_STAGE_PERMISSION: return "permission";
    default: return "probe";
  }
}

static bool is_before_auth(const tenon_error *err) {
  return err->stage == TENON_STAGE_DNS || err->stage == TENON_STAGE_TCP || err->stage == TENON_STAGE_TLS;
}

tenon_status tn_http_test_ask(tenon_ctx *ctx, const tenon_host *host, const tn_http_params *p, const tn_http_base *base,
                              tenon_test *t, const char *as_whom, tenon_status (*ask)(tenon_ctx *, void *arg, tenon_error *),
                              void *arg, tenon_error *err) {
  host->step_begin(t, base->is_tls ? "tls" : "auth");
  tenon_status status = ask(ctx, arg, err);
  if (status && is_before_auth(err)) return status;
  if (base->is_tls) {
    host->step_end(t, TENON_PASSED, NULL, p->insecure ? "the certificate was not verified" : "the certificate is good");
    host->step_begin(t, "auth");
  }
  if (status && err->stage == TENON_STAGE_AUTH) return status;
  host->step_end(t, TENON_PASSED, NULL, "%s", as_whom);
  host->step_begin(t, status ? step_of(err) : "probe");
  return status;
}
