/* SPDX-License-Identifier: Apache-2.0 */
/* A TLS client over a socket that does not block. */
#ifndef TN_NET_TLS_H
#define TN_NET_TLS_H

#include "net/tls_library.h"

/* CONFIG: a certificate or key among them cannot be used. */
tenon_status tn_tls_check(const tenon_tls_options *, tenon_error *err);
/* Shakes hands on fd, which stays the caller's. tenon/socket.h says the rest. */
tenon_status tn_tls_connect(tenon_ctx *, int fd, const char *host, const tenon_tls_options *,
                            int timeout_ms, SSL **ret, tenon_error *err);
/* Says goodbye where that does not wait. */
void tn_tls_free(SSL *);

#endif
