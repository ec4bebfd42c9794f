/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds over HTTP share: the parameters of how a service is reached, the URL where it is, whole
 * small replies, and the steps of a test.
 *
 *   typedef struct my_config { uint64_t set; …; tn_http_params reach; } my_config;
 *   static const tenon_param params[] = { …, TN_HTTP_PARAMS(my_config, reach) };
 */
#ifndef TN_PROVIDERS_OVER_HTTP_H
#define TN_PROVIDERS_OVER_HTTP_H

#include "base/str.h"
#include "tenon/provider.h"

/* ---- Parameters ---- */

typedef struct tn_http_params {
  tenon_blob ca, certificate, key;
  bool insecure;
  const char *proxy;
} tn_http_params;

#define TN_HTTP_PARAMS(T, m) \
  {TENON_FILE(T, m.ca), .key = "ca", .label = "CA certificates", .group = "TLS", .flags = TENON_ADVANCED, \
   .help = "trusted instead of the system's, in PEM"}, \
  {TENON_FILE(T, m.certificate), .key = "certificate", .label = "Client certificate", .group = "TLS", .flags = TENON_ADVANCED, \
   .help = "what is shown to a service that asks for it, in PEM; its chain may follow"}, \
  {TENON_FILE(T, m.key), .key = "key", .label = "Client key", .group = "TLS", .flags = TENON_ADVANCED | TENON_SECRET, \
   .help = "the key of the client certificate, in PEM"}, \
  {TENON_BOOLEAN(T, m.insecure), .key = "insecure", .label = "Take any certificate", .group = "TLS", \
   .flags = TENON_ADVANCED, .default_value = "false", .help = "do not verify who the service is"}, \
  {TENON_STRING(T, m.proxy), .key = "proxy", .label = "Proxy", .group = "Network", \
   .flags = TENON_ADVANCED | TENON_SECRET, \
   .help = "http://user:password@host:port; none when it is not given"}

/* Borrows from the parameters. */
tenon_http_options tn_http_options_of(const tn_http_params *);
tenon_status tn_http_client(tenon_ctx *, const tenon_host *, const tn_http_params *, tenon_http **ret, tenon_error *);

/* ---- Where a service is ---- */

enum { TN_ORIGIN_ROOM = 300, TN_ORIGIN_URL = 2048 };

/* https://host:port/path: what stands in front of a service's paths. */
typedef struct tn_http_base {
  bool is_tls;
  uint16_t port;
  char host[256];                  /* a name or an address, no brackets */
  char authority[TN_ORIGIN_ROOM];  /* as the Host header has it: without the scheme's own port */
  char url[TN_ORIGIN_URL];         /* scheme://authority/path without a slash at its end */
} tn_http_base;

/* CONFIG, naming the parameter, for what is not an http or https URL, or has a user, a password, a query, a fragment,
 * blanks or characters beyond ASCII in it. */
tenon_status tn_http_base_parse(const char *parameter, const char *url, tn_http_base *ret, tenon_error *);

/* CONFIG where basic authentication cannot have the user: a colon ends the name (RFC 7617). */
tenon_status tn_http_check_user(const char *user, tenon_error *);
/* "Authorization: Basic": user:password in base64 behind "Basic "; false: no memory, or a colon in the user's name. */
bool tn_http_basic(tn_str *out, const char *user, const char *password);

/* NULL: a header of one's own may have this name. Else why not: it is no token, or it says how long the message is, to whom it
 * goes or how the connection is kept, which is not for others to say. */
const char *tn_http_unfit_header(const char *name);
/* CONFIG, naming the parameter, where a credential cannot stand in that header: one of the connection's, or one by which a
 * request says what it asks for. */
tenon_status tn_http_check_credential_header(const char *parameter, const char *name, tenon_error *);

/* ---- Replies ---- */

/* The whole body; LIMITED if it has more than max bytes. The body stays open. */
tenon_status tn_http_text(tenon_http_reply *, size_t max, tn_str *ret, tenon_error *);
/* What a system said for people: blanks and control characters made one blank, at most a few hundred bytes. */
void tn_http_quote(const char *text, size_t size, char *ret, size_t room);

/* ---- Tests ---- */

/* Steps dns and tcp. Behind a proxy there are none: only it knows. */
tenon_status tn_http_test_reach(tenon_ctx *, const tenon_host *, const tn_http_params *, const tn_http_base *, tenon_test *,
                                tenon_error *);
/* One request shows the rest: `ask` makes it, and from its error's stage comes at which of the steps tls, auth, permission,
 * probe it failed. as_whom is the evidence of auth ("as nobody"). If all is well the step probe is open, for the caller
 * to end with what it saw. */
tenon_status tn_http_test_ask(tenon_ctx *, const tenon_host *, const tn_http_params *, const tn_http_base *, tenon_test *,
                              const char *as_whom, tenon_status (*ask)(tenon_ctx *, void *arg, tenon_error *), void *arg,
                              tenon_error *);

#endif
