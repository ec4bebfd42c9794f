/* SPDX-License-Identifier: Apache-2.0 */
#include "net/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"

enum { MAX_PEM = 4 << 20 };

/* ---- What went wrong ---- */

static const struct {
  long code;
  const char *remedy;
} certificate_faults[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED,
     "have the certificate renewed; if it is valid, set this machine's clock"},
    {X509_V_ERR_CERT_NOT_YET_VALID,
     "set this machine's clock, or wait until the certificate is valid"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "give the CA that signed it, or the certificate itself, as ca"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, "give the CA that signed it as ca"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT, "give the CA that signed it as ca"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY, "give the CA that signed it as ca"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE, "give the CA that signed it as ca"},
    {X509_V_ERR_HOSTNAME_MISMATCH, "use the host name that is in the certificate"},
    {X509_V_ERR_IP_ADDRESS_MISMATCH, "use the host name or address that is in the certificate"},
    {X509_V_ERR_CERT_REVOKED, "have a new certificate issued"},
    {X509_V_ERR_EE_KEY_TOO_SMALL, "have a certificate with a longer key issued"},
    {X509_V_ERR_CA_KEY_TOO_SMALL, "have a certificate issued by an authority with a longer key"},
    {X509_V_ERR_CA_MD_TOO_WEAK, "have a certificate with a signature newer than SHA-1 issued"},
};

static const char *remedy_of_certificate(long code) {
  for (size_t i = 0; i < sizeof certificate_faults / sizeof certificate_faults[0]; i++)
    if (certificate_faults[i].code == code) return certificate_faults[i].remedy;
  return "check whom the certificate was issued to, and by whom";
}

static const char *remedy_of_handshake(const char *said) {
  static const char *const faults[][2] = {
      {"wrong version number",
       "the server does not speak TLS first on this port: use STARTTLS, or its TLS port"},
      {"packet length too long",
       "the server does not speak TLS first on this port: use STARTTLS, or its TLS port"},
      {"certificate required", "give the client certificate and its key that the server asks for"},
      {"unknown ca", "give a client certificate that the server trusts"},
      {"unsupported protocol", "let the server speak TLS 1.2 or newer"},
      {"alert protocol version", "let the server speak TLS 1.2 or newer"},
  };
  for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
    if (strstr(said, faults[i][0])) return faults[i][1];
  return "check that the server speaks TLS 1.2 or newer there";
}

static tenon_status no_handshake(SSL *ssl, const char *host, tenon_error *err) {
  long verified = tn_tls.SSL_get_verify_result(ssl);
  unsigned long code = tn_tls.ERR_get_error();
  const char *said = code ? tn_tls.ERR_reason_error_string(code) : NULL;
  tn_tls.ERR_clear_error();
  if (verified != X509_V_OK)
    return tenon_fail(err, TENON_TLS, TENON_STAGE_TLS, remedy_of_certificate(verified),
                      "%s: the certificate is not trusted: %s", host,
                      tn_tls.X509_verify_cert_error_string(verified));
  if (!said) said = "the server closed the connection in the handshake";
  return tenon_fail(err, TENON_TLS, TENON_STAGE_TLS, remedy_of_handshake(said), "%s: %s", host,
                    said);
}

static tenon_status bad_option(const char *what, const char *remedy, tenon_error *err) {
  tn_tls.ERR_clear_error();
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s", what);
}

/* ---- What is trusted, and what is shown ---- */

/* Asked for the password of an encrypted key: OpenSSL's own would ask at the terminal. */
static int no_password(char *text, int size, int writing, void *arg) {
  (void)text, (void)size, (void)writing, (void)arg;
  return 0;
}

static BIO *bio_of(const void *data, size_t size) {
  return size && size <= MAX_PEM ? tn_tls.BIO_new_mem_buf(data, (int)size) : NULL;
}

typedef bool (*use_fn)(SSL_CTX *, X509 *, size_t i);

/* Hands each certificate of a PEM text on; false: there is none, or one was not taken. */
static bool each_certificate(SSL_CTX *c, const void *pem, size_t size, use_fn use) {
  BIO *b = bio_of(pem, size);
  size_t count = 0;
  bool ok = b != NULL;
  while (ok) {
    X509 *x = tn_tls.PEM_read_bio_X509(b, NULL, no_password, NULL);
    if (!x) break;
    ok = use(c, x, count++);
    tn_tls.X509_free(x);
  }
  if (b) tn_tls.BIO_free(b);
  tn_tls.ERR_clear_error(); /* that there is no further one */
  return ok && count > 0;
}

static bool trust(SSL_CTX *c, X509 *x, size_t i) {
  (void)i;
  return tn_tls.X509_STORE_add_cert(tn_tls.SSL_CTX_get_cert_store(c), x);
}

static bool show(SSL_CTX *c, X509 *x, size_t i) {
  if (i == 0) return tn_tls.SSL_CTX_use_certificate(c, x) == 1;
  return tn_tls.SSL_CTX_ctrl(c, SSL_CTRL_CHAIN_CERT, 1, x) == 1;
}

static bool use_key(SSL_CTX *c, const tenon_tls_options *o) {
  BIO *b = bio_of(o->key_size ? o->key : o->certificate,
                  o->key_size ? o->key_size : o->certificate_size);
  EVP_PKEY *key = b ? tn_tls.PEM_read_bio_PrivateKey(b, NULL, no_password, NULL) : NULL;
  bool ok =
      key && tn_tls.SSL_CTX_use_PrivateKey(c, key) == 1 && tn_tls.SSL_CTX_check_private_key(c) == 1;
  if (key) tn_tls.EVP_PKEY_free(key);
  if (b) tn_tls.BIO_free(b);
  return ok;
}

static tenon_status apply(SSL_CTX *c, const tenon_tls_options *o, tenon_error *err) {
  tn_tls.SSL_CTX_ctrl(c, SSL_CTRL_SET_MIN_PROTO_VERSION, TLS1_2_VERSION, NULL);
  tn_tls.SSL_CTX_ctrl(c, SSL_CTRL_MODE,
                      SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER, NULL);
  tn_tls.SSL_CTX_set_verify(c, o->insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
  tn_tls.SSL_CTX_set_default_passwd_cb(c, no_password);
  if (o->ca_size && !each_certificate(c, o->ca, o->ca_size, trust))
    return bad_option("ca has no certificate that can be read",
                      "give the CA's certificate in PEM; what is in a file is written $FILE:path", err);
  if (!o->ca_size) tn_tls.SSL_CTX_set_default_verify_paths(c);
  if (!o->certificate_size) return TENON_OK;
  if (!each_certificate(c, o->certificate, o->certificate_size, show))
    return bad_option("certificate has no certificate that can be read",
                      "give it in PEM; what is in a file is written $FILE:path", err);
  if (!use_key(c, o))
    return bad_option("the client certificate's key cannot be read, or is that of another",
                      "give the key that belongs to the client certificate, in PEM, without a "
                      "password; what is in a file is written $FILE:path",
                      err);
  return TENON_OK;
}

static tenon_status make_context(const tenon_tls_options *o, SSL_CTX **ret, tenon_error *err) {
  tenon_status status = tn_tls_open(err);
  if (status) return status;
  SSL_CTX *c = tn_tls.SSL_CTX_new(tn_tls.TLS_client_method());
  if (!c) return tn_no_memory(err);
  status = apply(c, o, err);
  if (status) tn_tls.SSL_CTX_free(c);
  else *ret = c;
  return status;
}

tenon_status tn_tls_check(const tenon_tls_options *o, tenon_error *err) {
  SSL_CTX *c;
  tenon_status status = make_context(o, &c, err);
  if (!status) tn_tls.SSL_CTX_free(c);
  return status;
}

/* ---- The handshake ---- */

static bool is_address(const char *host) {
  struct in6_addr address;
  return inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1;
}

static bool expect_host(SSL *ssl, const char *host) {
  tn_tls.SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (is_address(host))
    return tn_tls.X509_VERIFY_PARAM_set1_ip_asc(tn_tls.SSL_get0_param(ssl), host) == 1;
  char name[256];
  snprintf(name, sizeof name, "%s", host);
  return tn_tls.SSL_set1_host(ssl, host) == 1 &&
         tn_tls.SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name, name) == 1;
}

static bool attach(SSL *ssl, int fd) {
  BIO *b = tn_tls.BIO_new(tn_tls_bio);
  if (!b) return false;
  tn_tls.BIO_set_data(b, (void *)(intptr_t)fd);
  tn_tls.BIO_set_init(b, 1);
  tn_tls.SSL_set_bio(ssl, b, b);
  return true;
}

static tenon_status wait_for(tenon_ctx *ctx, int fd, short events, int64_t until,
                             tenon_error *err) {
  struct pollfd p = {.fd = fd, .events = events};
  int64_t left = until == INT64_MAX ? INT64_MAX : until - tn_now_ms();
  if (left > 0) {
    tenon_status status = tn_ctx_wait(ctx, &p, 1, left > INT_MAX ? -1 : (int)left, err);
    if (status || p.revents || until == INT64_MAX) return status;
  }
  return tenon_fail(err, TENON_TIMEOUT, TENON_STAGE_TLS,
                    "check that the server speaks TLS first on this port",
                    "the server does not answer in the TLS handshake");
}

static tenon_status shake_hands(tenon_ctx *ctx, SSL *ssl, int fd, const char *host, int timeout_ms,
                                tenon_error *err) {
  int64_t until = timeout_ms < 0 ? INT64_MAX : tn_now_ms() + timeout_ms;
  for (;;) {
    tn_tls.ERR_clear_error();
    int n = tn_tls.SSL_connect(ssl);
    if (n == 1) return TENON_OK;
    int want = tn_tls.SSL_get_error(ssl, n);
    if (want != SSL_ERROR_WANT_READ && want != SSL_ERROR_WANT_WRITE)
      return no_handshake(ssl, host, err);
    tenon_status status =
        wait_for(ctx, fd, want == SSL_ERROR_WANT_WRITE ? POLLOUT : POLLIN, until, err);
    if (status) return status;
  }
}

tenon_status tn_tls_connect(tenon_ctx *ctx, int fd, const char *host, const tenon_tls_options *o,
                            int timeout_ms, SSL **ret, tenon_error *err) {
  SSL_CTX *c;
  tenon_status status = make_context(o, &c, err);
  if (status) return status;
  SSL *ssl = tn_tls.SSL_new(c);
  tn_tls.SSL_CTX_free(c); /* the connection has its own reference */
  if (!ssl || !expect_host(ssl, host) || !attach(ssl, fd)) status = tn_no_memory(err);
  if (!status) status = shake_hands(ctx, ssl, fd, host, timeout_ms, err);
  if (!status)
    *ret = ssl;
  else if (ssl)
    tn_tls.SSL_free(ssl);
  return status;
}

void tn_tls_free(SSL *ssl) {
  if (!ssl) return;
  tn_tls.SSL_shutdown(ssl);
  tn_tls.ERR_clear_error();
  tn_tls.SSL_free(ssl);
}
