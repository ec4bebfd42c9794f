/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sql/postgresql/library.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

const tenon_host *tn_pg_host;
tn_pq_functions tn_pq;
tn_ssl_functions tn_ssl;

static const char *const library_names[] = {"libpq.so.5", NULL};
static const char install_libpq[] =
    "install the PostgreSQL client library, version 14 or newer (Debian: apt-get install libpq5)";

static const char *const pq_symbols[] = {
#define TN_PQ_NAME(name) #name,
    TN_PQ_FUNCTIONS(TN_PQ_NAME)
#undef TN_PQ_NAME
};

/* In the order of tn_ssl_functions. */
static const char *const ssl_symbols[] = {"SSL_read",
                                          "SSL_write",
                                          "SSL_get_error",
                                          "SSL_set_read_ahead",
                                          "SSL_has_pending",
                                          "SSL_set_default_read_buffer_len",
                                          "SSL_free_buffers",
                                          "SSL_connect",
                                          "SSL_new",
                                          "SSL_free",
                                          "SSL_set_bio",
                                          "SSL_ctrl",
                                          "SSL_get_verify_result",
                                          "SSL_get1_peer_certificate",
                                          "TLS_client_method",
                                          "SSL_CTX_new",
                                          "SSL_CTX_free",
                                          "SSL_CTX_load_verify_locations",
                                          "X509_verify_cert_error_string",
                                          "X509_check_host",
                                          "X509_check_ip_asc",
                                          "X509_free",
                                          "BIO_s_mem",
                                          "BIO_new",
                                          "BIO_free",
                                          "BIO_read",
                                          "BIO_write",
                                          "ERR_get_error",
                                          "ERR_clear_error",
                                          "ERR_reason_error_string"};

enum {
  PQ_COUNT = sizeof pq_symbols / sizeof pq_symbols[0],
  SSL_COUNT = sizeof ssl_symbols / sizeof ssl_symbols[0]
};
_Static_assert(sizeof tn_pq == PQ_COUNT * sizeof(void *), "one slot a function");
_Static_assert(sizeof tn_ssl == SSL_COUNT * sizeof(void *), "one slot a function");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* The table is copied in whole, so nobody sees half of it. */
static tenon_status open_once(bool *done, const char *const *symbols, void **slots, size_t count,
                              void *table, tenon_error *err) {
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&lock);
  if (!*done) {
    status = tn_pg_host->library(library_names, symbols, slots, count, install_libpq, err);
    if (!status) memcpy(table, slots, count * sizeof *slots);
    *done = status == TENON_OK;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

tenon_status tn_pq_open(tenon_error *err) {
  static bool done;
  void *slots[PQ_COUNT] = {0};
  return open_once(&done, pq_symbols, slots, PQ_COUNT, &tn_pq, err);
}

tenon_status tn_ssl_open(tenon_error *err) {
  static bool done;
  void *slots[SSL_COUNT] = {0};
  return open_once(&done, ssl_symbols, slots, SSL_COUNT, &tn_ssl, err);
}
