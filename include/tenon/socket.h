/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sockets for authors of kinds whose protocol is their own: bytes both ways, in the clear or under
 * TLS. A descriptor comes from host->connect, which asks the egress policy. Everything that waits
 * does so within its context, and at most timeout_ms (-1: as long as the context allows).
 * Certificates are verified unless the user said otherwise; TLS is 1.2 or newer.
 */
#ifndef TENON_SOCKET_H
#define TENON_SOCKET_H

#include <stdbool.h>

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_socket tenon_socket;   /* one thread at a time */

/* Borrowed for the call. PEM where certificates and keys are. */
typedef struct tenon_tls_options {
  uint32_t struct_size;
  bool insecure;                  /* takes any certificate */
  const void *ca;                 /* trusted instead of the system's */
  size_t ca_size;
  const void *certificate, *key;  /* what the client shows; the chain may follow the certificate */
  size_t certificate_size, key_size;
} tenon_tls_options;

/* What is to go out and where to put what comes in; either may be nothing. */
typedef struct tenon_transfer {
  const void *out;
  size_t out_size;
  void *in;
  size_t in_room;
  size_t sent, received;          /* replies: bytes of them */
  bool ended;                     /* reply: the other side sends no more */
} tenon_transfer;

/* A part of the host table. */
typedef struct tenon_socket_ops {
  uint32_t struct_size;
  /* Takes a connected, non-blocking descriptor over, also on failure. */
  tenon_status (*adopt)(int fd, tenon_socket **ret, tenon_error *);
  /* From here on all bytes are under TLS; host is the name that the certificate has to have. Stage tls
   * on failure: the socket is then of no use. */
  tenon_status (*start_tls)(tenon_ctx *, tenon_socket *, const char *host, const tenon_tls_options *,
                            int timeout_ms, tenon_error *);
  /* Sends and receives what can be at once; returns when something of either has moved, or the other
   * side has ended. TIMEOUT: nothing moved for timeout_ms. UNREACHABLE: the connection was lost. */
  tenon_status (*move)(tenon_ctx *, tenon_socket *, tenon_transfer *, int timeout_ms, tenon_error *);
  int (*fd)(const tenon_socket *);                   /* borrowed */
  const char *(*tls_version)(const tenon_socket *);  /* TLSv1.3; NULL: in the clear */
  /* Sends `last` (may be NULL) as far as that does not wait, and closes it. NULL is fine. */
  void (*close)(tenon_socket *, const void *last, size_t size);
} tenon_socket_ops;

#ifdef __cplusplus
}
#endif

#endif
