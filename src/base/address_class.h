/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an IP address is for: who answers at it. An IPv4 address is the one mapped into IPv6, so there
 * is one sort of address; those that carry an IPv4 address in another way (NAT64, 6to4, Teredo …) are
 * at least as special as what they carry.
 * Source: IANA, IPv4 and IPv6 Special-Purpose Address Registries; the clouds' documentation.
 */
#ifndef TN_BASE_ADDRESS_CLASS_H
#define TN_BASE_ADDRESS_CLASS_H

#include "tenon/provider.h"

typedef struct tn_ip {
  unsigned char bytes[16];
} tn_ip;

/* In the order of how bad it is to be led there. */
typedef enum tn_address_class {
  TN_ADDRESS_PUBLIC = 0,
  TN_ADDRESS_INNER,      /* loopback, private, reserved: not of the public network */
  TN_ADDRESS_METADATA,   /* link-local, and where clouds tell machines their credentials */
  TN_ADDRESS_NOBODY      /* groups: never a server */
} tn_address_class;

/* False: it is no IP address. */
bool tn_ip_of(const tenon_address *, tn_ip *ret, uint16_t *ret_port);
/* *ret_what: "a loopback address". */
tn_address_class tn_ip_class(const tn_ip *, const char **ret_what);
bool tn_ip_within(const tn_ip *, const tn_ip *net, unsigned bits);
/* Is the whole net one of metadata addresses? */
bool tn_net_is_metadata(const tn_ip *net, unsigned bits);
/* Of a text such as 10.1.2.3 or fd00::1; nothing shorter, octal or hexadecimal. */
bool tn_ip_parse(const char *text, tn_ip *ret, bool *ret_is_four);

#endif
