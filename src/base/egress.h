/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What may be connected to. Every address passes here twice: when a name was looked up, and again
 * when a socket connects to it, so that an answer that changes in between finds no gap.
 */
#ifndef TN_BASE_EGRESS_H
#define TN_BASE_EGRESS_H

#include "tenon/provider.h"

/* FORBIDDEN at stage tcp with the address in the message. A program of one's own may connect to
 * every host; addresses of groups (multicast, broadcast) are never a server. */
tenon_status tn_egress_check(tenon_ctx *, const tenon_address *, tenon_error *err);

#endif
