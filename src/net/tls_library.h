/* SPDX-License-Identifier: Apache-2.0 */
/* OpenSSL's libssl, opened when first used: never linked. */
#ifndef TN_NET_TLS_LIBRARY_H
#define TN_NET_TLS_LIBRARY_H

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "tenon/provider.h"

#define TN_TLS_FUNCTIONS(X) \
  X(TLS_client_method) X(SSL_CTX_new) X(SSL_CTX_free) X(SSL_CTX_ctrl) X(SSL_CTX_set_default_verify_paths) \
  X(SSL_CTX_get_cert_store) X(SSL_CTX_use_certificate) X(SSL_CTX_use_PrivateKey) \
  X(SSL_CTX_check_private_key) X(SSL_CTX_set_verify) X(SSL_CTX_set_default_passwd_cb) X(SSL_new) \
  X(SSL_free) X(SSL_ctrl) X(SSL_set_bio) X(SSL_set1_host) X(SSL_set_hostflags) X(SSL_get0_param) \
  X(SSL_connect) X(SSL_read) X(SSL_write) X(SSL_shutdown) X(SSL_get_error) X(SSL_get_version) \
  X(SSL_get_verify_result) X(X509_verify_cert_error_string) X(X509_VERIFY_PARAM_set1_ip_asc) \
  X(X509_STORE_add_cert) X(X509_free) X(EVP_PKEY_free) X(PEM_read_bio_X509) \
  X(PEM_read_bio_PrivateKey) X(BIO_new) X(BIO_free) X(BIO_new_mem_buf) X(BIO_get_new_index) \
  X(BIO_meth_new) X(BIO_meth_set_read) X(BIO_meth_set_write) X(BIO_meth_set_ctrl) X(BIO_set_data) \
  X(BIO_get_data) X(BIO_set_init) X(BIO_set_flags) X(BIO_clear_flags) X(ERR_get_error) \
  X(ERR_clear_error) X(ERR_reason_error_string)

typedef struct tn_tls_functions {
#define TN_TLS_SLOT(name) __typeof__(name) *name;
  TN_TLS_FUNCTIONS(TN_TLS_SLOT)
#undef TN_TLS_SLOT
} tn_tls_functions;

/* Whole after tn_tls_open has answered OK once, as is the way of our own sockets into it. */
extern tn_tls_functions tn_tls;
extern BIO_METHOD *tn_tls_bio;

/* Opens libssl, once; any thread. */
tenon_status tn_tls_open(tenon_error *err);

#endif
