/* SPDX-License-Identifier: Apache-2.0 */
/* What a failed exchange means: the layer, and what to do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "base/civil.h"
#include "base/error.h"
#include "net/http_parts.h"

enum { LONGEST_RETRY_AFTER_S = 3600 };

/* ---- The connection ---- */

static bool by_proxy(const tenon_http_exchange *x) { return *x->lane->client->proxy_place; }
static bool is_https(const tenon_http_exchange *x) { return strncmp(x->url, "https:", 6) == 0; }

/* libcurl only tells of a connection when TLS has been agreed on, too. */
static bool is_connected(int fd) {
  struct sockaddr_storage peer;
  socklen_t size = sizeof peer;
  return getpeername(fd, (struct sockaddr *)&peer, &size) == 0;
}

void tn_http_note_connected(tenon_http_exchange *x) {
  if (!x->is_connected && !x->has_head && x->fd >= 0) x->is_connected = is_connected(x->fd);
}

static tenon_status not_connected(const tenon_http_exchange *x, tenon_error *err) {
  long errnum = 0;
  const char *proxy = x->lane->client->proxy_place;
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_OS_ERRNO, &errnum);
  const char *why = errnum ? strerror((int)errnum) : x->said;
  const char *remedy = by_proxy(x)             ? "check that the proxy runs there, and the parameter proxy"
                       : errnum == ECONNREFUSED ? "check that the service runs and listens there, and that host and port are right"
                                                : "check host and port, and the network and firewalls on the way";
  tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_TCP, remedy, by_proxy(x) ? "%s: cannot connect to the proxy %s: %s" : "%s: cannot connect%s: %s",
             x->url, proxy, why);
  if (err) err->retryable = 1;
  return TENON_UNREACHABLE;
}

/* What a proxy answers to CONNECT is no reply of the service's. */
static tenon_status refused_by_proxy(const tenon_http_exchange *x, int32_t status, tenon_error *err) {
  const char *proxy = x->lane->client->proxy_place;
  if (status == 407)
    return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, "check the proxy's user and password: http://user:password@host:port",
                      "%s: the proxy %s wants a login: status 407", x->url, proxy);
  if (status < 500)
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, "ask who runs the proxy to let this host through",
                      "%s: the proxy %s does not let it through: status %d", x->url, proxy, (int)status);
  tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_TCP, "check host and port; the proxy cannot reach them",
             "%s: the proxy %s cannot connect: status %d", x->url, proxy, (int)status);
  if (err) err->retryable = 1;
  return TENON_UNREACHABLE;
}

typedef struct certificate_fault {
  const char *said, *remedy;
} certificate_fault;

/* By the words of OpenSSL, which libcurl hands on. */
static const char *tls_remedy(const char *said) {
  static const certificate_fault faults[] = {
      {"expired", "have the certificate renewed; if it is valid, set this machine's clock"},
      {"not yet valid", "set this machine's clock, or wait until the certificate is valid"},
      {"self-signed", "give the CA that signed it, or the certificate itself, as the CA"},
      {"self signed", "give the CA that signed it, or the certificate itself, as the CA"},
      {"unable to get local issuer", "give the CA that signed it as the CA"},
      {"does not match", "use the host name that is in the certificate"},
      {"no alternative certificate subject name", "use the host name that is in the certificate"},
      {"revoked", "have a new certificate issued"},
      {"certificate required", "give the client certificate and its key that the service asks for"},
      {"wrong version number", "the service does not speak TLS on this port: use http:// or its TLS port"},
      {"private key", "give the key that belongs to the client certificate, in PEM"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    if (strstr(said, faults[i].said)) return faults[i].remedy;
  return "check that the service speaks TLS 1.2 or newer there, and whom its certificate was issued to and by";
}

static tenon_status tls_failed(const tenon_http_exchange *x, tenon_error *err) {
  return tenon_fail(err, TENON_TLS, TENON_STAGE_TLS, tls_remedy(x->said), "%s: %s", x->url,
                    *x->said ? x->said : "no TLS connection could be made");
}

static tenon_status connection_lost(const tenon_http_exchange *x, tenon_error *err) {
  bool wants_certificate = is_https(x) && !x->has_head && !x->lane->client->certificate;   /* TLS 1.3 only says so afterwards */
  tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_QUERY,
             wants_certificate ? "try again; a service that asks for a client certificate breaks off like this: then give certificate and key"
                               : "try again; if it stays, look at the service's log and at proxies on the way",
             "%s: the connection was lost: %s", x->url, *x->said ? x->said : "it was closed in the middle");
  if (err) err->retryable = 1;
  return TENON_UNREACHABLE;
}

static tenon_status no_tls(const tenon_http_exchange *x, tenon_error *err) {
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TLS, "check that the service speaks TLS on this port",
                    "%s does not answer to TLS", x->url);
}

static int32_t status_of_connect(const tenon_http_exchange *x) {
  long status = 0;
  if (by_proxy(x) && !x->has_head) tn_curl.curl_easy_getinfo(x->easy, CURLINFO_HTTP_CONNECTCODE, &status);
  return (int32_t)status;
}

static tenon_status no_answer(const tenon_http_exchange *x, tenon_error *err) {
  bool is_through = !by_proxy(x) || status_of_connect(x) == 200;
  if (is_https(x) && x->is_connected && is_through) return no_tls(x, err);
  if (!is_through)
    tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TCP, "check the parameter proxy; a firewall may drop what is sent there",
               "%s: the proxy %s does not answer", x->url, x->lane->client->proxy_place);
  else
    tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TCP, "check host and port; a firewall may drop what is sent there",
               "%s does not answer", x->url);
  if (err) err->retryable = 1;
  return TENON_TIMEOUT;
}

/* What libcurl keeps of a reply has limits of its own: a line of the head, and what comes out of a compressed piece. */
static tenon_status too_much(const tenon_http_exchange *x, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, x->has_head ? "ask for less at once" : "check that this is the service you mean",
                    x->has_head ? "%s: the reply becomes too large when it is unpacked" : "%s: the head of the reply has a line that is too long",
                    x->url);
}

tenon_status tn_http_failed(const tenon_http_exchange *x, CURLcode code, tenon_error *err) {
  if (err && err->code) return err->code;   /* said inside a callback */
  if (status_of_connect(x) >= 300) return refused_by_proxy(x, status_of_connect(x), err);
  switch (code) {
    case CURLE_COULDNT_CONNECT: return not_connected(x, err);
    case CURLE_OPERATION_TIMEDOUT: return no_answer(x, err);
    case CURLE_SSL_CONNECT_ERROR: case CURLE_PEER_FAILED_VERIFICATION: case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER: case CURLE_SSL_CACERT_BADFILE: case CURLE_SSL_ISSUER_ERROR:
    case CURLE_SSL_INVALIDCERTSTATUS: case CURLE_SSL_CLIENTCERT: return tls_failed(x, err);
    case CURLE_GOT_NOTHING: case CURLE_RECV_ERROR: case CURLE_SEND_ERROR: case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2: case CURLE_HTTP2_STREAM: case CURLE_SEND_FAIL_REWIND: return connection_lost(x, err);
    case CURLE_OUT_OF_MEMORY: return too_much(x, err);
    case CURLE_BAD_CONTENT_ENCODING:
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service", "%s: %s", x->url, x->said);
    case CURLE_UNSUPPORTED_PROTOCOL: case CURLE_WEIRD_SERVER_REPLY:
      return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "check that host and port are those of an HTTP service",
                        "%s: the answer is not HTTP", x->url);
    default:
      return tenon_fail(err, TENON_IO, TENON_STAGE_QUERY, NULL, "%s: %s", x->url,
                        *x->said ? x->said : tn_curl.curl_easy_strerror(code));
  }
}

/* ---- The context ended it ---- */

tenon_status tn_http_waited_in_vain(const tenon_http_exchange *x, const tenon_error *why, tenon_error *err) {
  curl_off_t secured = 0;
  if (why->code != TENON_TIMEOUT || !x) {
    if (err && !err->code) *err = *why;
    return why->code;
  }
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_APPCONNECT_TIME_T, &secured);
  if (x->fd >= 0 && !is_connected(x->fd)) return no_answer(x, err);
  if (is_https(x) && x->fd >= 0 && secured == 0) return no_answer(x, err);
  return tenon_fail(err, TENON_TIMEOUT, x->has_head ? TENON_STAGE_DATA : TENON_STAGE_QUERY,
                    "give more time, or look at what keeps the service busy",
                    x->has_head ? "%s: the reply does not come to its end in time" : "%s: no reply in time", x->url);
}

/* ---- What a status means ---- */

typedef struct meaning {
  int32_t from, to;
  tenon_status code;
  tenon_stage stage;
  bool retryable;
  const char *remedy;
} meaning;

static const meaning meanings[] = {
    {401, 401, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check the credentials; they may have expired"},
    {402, 403, TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "have the permission granted, or use other credentials"},
    {404, 404, TENON_NOT_FOUND, TENON_STAGE_QUERY, false, "check the name, and the URL of the service"},
    {405, 405, TENON_UNSUPPORTED, TENON_STAGE_QUERY, false, "check the URL of the service"},
    {407, 407, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false, "check the proxy's user and password"},
    {408, 408, TENON_TIMEOUT, TENON_STAGE_QUERY, true, "try again"},
    {409, 409, TENON_CONFLICT, TENON_STAGE_QUERY, false, "look at what is there, then decide"},
    {410, 410, TENON_GONE, TENON_STAGE_QUERY, false, "it is there no more"},
    {412, 412, TENON_CONFLICT, TENON_STAGE_QUERY, false, "it was changed meanwhile: look at it again"},
    {413, 413, TENON_LIMITED, TENON_STAGE_QUERY, false, "send less at once"},
    {416, 416, TENON_DATA, TENON_STAGE_QUERY, false, "ask for a range within its size"},
    {422, 422, TENON_DATA, TENON_STAGE_QUERY, false, "mend what the service says is wrong"},
    {425, 425, TENON_LIMITED, TENON_STAGE_QUERY, true, "try again later"},
    {429, 429, TENON_LIMITED, TENON_STAGE_QUERY, true, "wait a while, ask less often, or have the limit raised"},
    {300, 399, TENON_DATA, TENON_STAGE_QUERY, false, "use the URL that the service has now"},
    {400, 499, TENON_DATA, TENON_STAGE_QUERY, false, "mend what the service says is wrong"},
    {500, 500, TENON_IO, TENON_STAGE_QUERY, true, "try again; if it stays, ask who runs the service"},
    {501, 501, TENON_UNSUPPORTED, TENON_STAGE_QUERY, false, "the service cannot do that"},
    {502, 599, TENON_UNREACHABLE, TENON_STAGE_QUERY, true, "try again; the service or what it stands on is down or busy"},
};

static const meaning *find_meaning(int32_t status) {
  static const meaning strange = {0, 0, TENON_DATA, TENON_STAGE_QUERY, false,
                                  "check that the URL is one of the service"};
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (status >= meanings[i].from && status <= meanings[i].to) return &meanings[i];
  return &strange;
}

/* From the date of the reply, by the clock of the other side, else by ours; false: it is no date. */
static bool seconds_until(const tenon_http_exchange *x, const char *text, int64_t *ret) {
  int64_t then, now = (int64_t)time(NULL) * 1000000;
  const char *date = tn_http_header(x, "date");
  if (!tn_parse_http_date(text, strlen(text), &then)) return false;
  if (date) tn_parse_http_date(date, strlen(date), &now);
  *ret = then > now ? (then - now + 999999) / 1000000 : 0;
  return true;
}

/* RFC 9110, 10.2.3: seconds, or a date. */
static int32_t retry_after_ms(const tenon_http_exchange *x) {
  const char *text = tn_http_header(x, "retry-after");
  char *end;
  if (!text) return -1;
  int64_t seconds = *text >= '0' && *text <= '9' ? strtol(text, &end, 10) : -1;
  if (seconds >= 0 ? *end : !seconds_until(x, text, &seconds)) return -1;
  return (int32_t)(seconds > LONGEST_RETRY_AFTER_S ? LONGEST_RETRY_AFTER_S : seconds) * 1000;
}

tenon_status tn_http_refused(const tenon_http_exchange *x, const char *said, const char *remedy,
                             tenon_error *err) {
  const meaning *m = find_meaning(x->status);
  bool first = err && !err->code;
  tenon_fail(err, m->code, m->stage, remedy ? remedy : m->remedy, "%s: status %d%s%s", x->url,
             (int)x->status, said && *said ? ": " : "", said ? said : "");
  if (first) {
    err->retryable = m->retryable;
    err->retry_after_ms = retry_after_ms(x);
    err->vendor_code = x->status;
  }
  return m->code;
}
