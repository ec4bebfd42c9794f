/* SPDX-License-Identifier: Apache-2.0 */
/* Names of hosts to addresses, within a deadline. */
#ifndef TN_NET_RESOLVE_H
#define TN_NET_RESOLVE_H

#include "tenon/provider.h"

/* host is a name, a numeric address, or the path of a unix socket (/…). Addresses come in the order
 * of the system's preference, each allowed by the egress policy; if it allows none, FORBIDDEN. */
tenon_status tn_resolve(tenon_ctx *, const char *host, uint16_t port, tenon_address *ret,
                        size_t room,
                        size_t *ret_count, tenon_error *err);

#endif
