/* SPDX-License-Identifier: Apache-2.0 */
#ifndef TN_NET_CONNECT_H
#define TN_NET_CONNECT_H

#include "tenon/provider.h"

/* A connected, non-blocking socket, closed on exec; TCP without delay and with keep-alive.
 * timeout_ms -1: as long as the context allows. */
tenon_status tn_connect(tenon_ctx *, const tenon_address *, int timeout_ms, int *ret_fd,
                        tenon_error *err);

#endif
