/* SPDX-License-Identifier: Apache-2.0 */
/* libpq and the OpenSSL that it stands on, opened when first used: never linked. */
#ifndef TN_PG_LIBRARY_H
#define TN_PG_LIBRARY_H

#if __has_include(<libpq-fe.h>)
#include <libpq-fe.h>
#else
#include <postgresql/libpq-fe.h>
#endif

#include "tenon/provider.h"

#define TN_PQ_FUNCTIONS(X) \
  X(PQconnectStartParams) X(PQconnectPoll) X(PQfinish) X(PQstatus) X(PQerrorMessage) X(PQsocket) \
  X(PQparameterStatus) X(PQserverVersion) X(PQbackendPID) X(PQuser) X(PQdb) X(PQsslInUse) \
  X(PQsslAttribute) X(PQgetssl) X(PQsetErrorVerbosity) X(PQsetErrorContextVisibility) \
  X(PQsetNoticeReceiver) X(PQtrace) X(PQuntrace) X(PQsetTraceFlags) X(PQsetnonblocking) \
  X(PQsendQuery) X(PQsendQueryParams) X(PQsendPrepare) X(PQsendDescribePrepared) X(PQgetResult) \
  X(PQisBusy) X(PQconsumeInput) X(PQflush) X(PQenterPipelineMode) X(PQexitPipelineMode) \
  X(PQpipelineSync) X(PQresultStatus) X(PQresultErrorField) X(PQresultErrorMessage) X(PQntuples) \
  X(PQnfields) X(PQfname) X(PQftype) X(PQfmod) X(PQftable) X(PQgetvalue) X(PQgetisnull) \
  X(PQnparams) X(PQparamtype) X(PQclear) X(PQtransactionStatus) X(PQconnectionUsedPassword)

typedef struct tn_pq_functions {
#define TN_PQ_SLOT(name) __typeof__(name) *name;
  TN_PQ_FUNCTIONS(TN_PQ_SLOT)
#undef TN_PQ_SLOT
} tn_pq_functions;

/* Whole after tn_pq_open has answered OK once. */
extern tn_pq_functions tn_pq;

/* Opens libpq; any thread, any number of times. */
tenon_status tn_pq_open(tenon_error *err);

/* The functions of the OpenSSL in use, found through libpq, so that it is the same one. */
struct ssl_st;
struct ssl_ctx_st;
struct ssl_method_st;
struct x509_st;
struct bio_st;
struct bio_method_st;

typedef struct tn_ssl_functions {
  int (*SSL_read)(struct ssl_st *, void *, int);
  int (*SSL_write)(struct ssl_st *, const void *, int);
  int (*SSL_get_error)(const struct ssl_st *, int);
  void (*SSL_set_read_ahead)(struct ssl_st *, int);
  int (*SSL_has_pending)(const struct ssl_st *);
  void (*SSL_set_default_read_buffer_len)(struct ssl_st *, size_t);
  int (*SSL_free_buffers)(struct ssl_st *);
  int (*SSL_connect)(struct ssl_st *);
  struct ssl_st *(*SSL_new)(struct ssl_ctx_st *);
  void (*SSL_free)(struct ssl_st *);
  void (*SSL_set_bio)(struct ssl_st *, struct bio_st *, struct bio_st *);
  long (*SSL_ctrl)(struct ssl_st *, int, long, void *);
  long (*SSL_get_verify_result)(const struct ssl_st *);
  struct x509_st *(*SSL_get1_peer_certificate)(const struct ssl_st *);
  const struct ssl_method_st *(*TLS_client_method)(void);
  struct ssl_ctx_st *(*SSL_CTX_new)(const struct ssl_method_st *);
  void (*SSL_CTX_free)(struct ssl_ctx_st *);
  int (*SSL_CTX_load_verify_locations)(struct ssl_ctx_st *, const char *, const char *);
  const char *(*X509_verify_cert_error_string)(long);
  int (*X509_check_host)(struct x509_st *, const char *, size_t, unsigned, char **);
  int (*X509_check_ip_asc)(struct x509_st *, const char *, unsigned);
  void (*X509_free)(struct x509_st *);
  const struct bio_method_st *(*BIO_s_mem)(void);
  struct bio_st *(*BIO_new)(const struct bio_method_st *);
  int (*BIO_free)(struct bio_st *);
  int (*BIO_read)(struct bio_st *, void *, int);
  int (*BIO_write)(struct bio_st *, const void *, int);
  unsigned long (*ERR_get_error)(void);
  void (*ERR_clear_error)(void);
  const char *(*ERR_reason_error_string)(unsigned long);
} tn_ssl_functions;

/* OpenSSL's numbers that are needed here (ssl.h, tls1.h, x509_vfy.h). */
enum { TN_SSL_WANT_READ = 2, TN_SSL_WANT_WRITE = 3, TN_SSL_ZERO_RETURN = 6 };

extern tn_ssl_functions tn_ssl;

tenon_status tn_ssl_open(tenon_error *err);

/* The host of the process, from init on. */
extern const tenon_host *tn_pg_host;

#endif
