/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The egress policy: what may be connected to. Every address passes here twice: when a name was
 * looked up, and again when a socket connects to it, so that an answer that changes in between finds
 * no gap.
 *
 *   open         every host; a program of one's own goes where its user does
 *   no-metadata  not to link-local addresses and those where clouds tell machines their credentials
 *   public-only  to public addresses alone: not to this machine, its sockets, or private networks
 *
 * Names, networks and sockets can be allowed beside that. Metadata addresses are allowed only by an
 * entry that names them alone: no name and no wider network leads there.
 *
 * A context's policy is its own and its parents': a child can narrow what its parent may, not widen.
 */
#ifndef TN_BASE_EGRESS_H
#define TN_BASE_EGRESS_H

#include "tenon/provider.h"

typedef struct tn_egress tn_egress;   /* counted; any thread */

/* policy NULL: open. allow (NULL: nothing) is a list separated by commas: db.example, .example (what is
 * below it), 10.0.0.0/8, fd00::/8, each also with a port (db.example:5432, [fd00::/8]:5432), and paths of
 * sockets or their folders (/run/postgresql, @abstract). */
tenon_status tn_egress_new(const char *policy, const char *allow, tn_egress **ret, tenon_error *err);
tn_egress *tn_egress_ref(tn_egress *);
void tn_egress_free(tn_egress *);   /* gives one reference back; NULL is fine */

/* The first policy of a context that refuses anything at all, or NULL: a kind that cannot be watched
 * may not work then. */
const char *tn_egress_strict(const tenon_ctx *);

/* FORBIDDEN at stage tcp, with the policy in the remedy. Addresses of groups (multicast, broadcast)
 * are never a server. ctx may be NULL: open. */
tenon_status tn_egress_check(tenon_ctx *, const tenon_address *, tenon_error *err);

/* The same for one of the addresses that a name was found to have; tn_egress_check remembers it, where
 * the name is what allowed it. name NULL: the address was given as such. */
tenon_status tn_egress_admit(tenon_ctx *, const char *name, const tenon_address *, tenon_error *err);
/* Names of metadata services, before anybody, such as a proxy, looks them up. */
tenon_status tn_egress_check_name(tenon_ctx *, const char *name, tenon_error *err);
/* A name that cannot be looked up here, for a proxy that may know it: under a policy only one that is allowed as such. */
tenon_status tn_egress_check_unknown(tenon_ctx *, const char *name, uint16_t port, tenon_error *err);

#endif
