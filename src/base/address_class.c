/* SPDX-License-Identifier: Apache-2.0 */
#include "base/address_class.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

typedef struct range {
  tn_ip net;
  unsigned char bits;
  tn_address_class class;
  const char *what;
} range;

#define FOUR(a, b, c, d, n) {{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, a, b, c, d}}, 96 + (n)
#define SIX(...) {{__VA_ARGS__}}

static const char link_local[] = "a link-local address", metadata[] = "a cloud's metadata address",
                  loopback[] = "a loopback address", private[] = "a private address",
                  reserved[] = "a reserved address", group[] = "the address of a group";

/* The first that holds counts. */
static const range ranges[] = {
    {FOUR(224, 0, 0, 0, 4), TN_ADDRESS_NOBODY, group},
    {FOUR(255, 255, 255, 255, 32), TN_ADDRESS_NOBODY, group},
    {FOUR(169, 254, 0, 0, 16), TN_ADDRESS_METADATA, link_local},
    {FOUR(100, 100, 100, 200, 32), TN_ADDRESS_METADATA, metadata},    /* Alibaba Cloud */
    {FOUR(168, 63, 129, 16, 32), TN_ADDRESS_METADATA, metadata},      /* Azure's platform */
    {FOUR(192, 0, 0, 192, 32), TN_ADDRESS_METADATA, metadata},        /* Oracle Cloud, the older one */
    {FOUR(0, 0, 0, 0, 8), TN_ADDRESS_INNER, loopback},                /* this host */
    {FOUR(127, 0, 0, 0, 8), TN_ADDRESS_INNER, loopback},
    {FOUR(10, 0, 0, 0, 8), TN_ADDRESS_INNER, private},
    {FOUR(172, 16, 0, 0, 12), TN_ADDRESS_INNER, private},
    {FOUR(192, 168, 0, 0, 16), TN_ADDRESS_INNER, private},
    {FOUR(100, 64, 0, 0, 10), TN_ADDRESS_INNER, private},             /* carriers' */
    {FOUR(192, 0, 0, 0, 24), TN_ADDRESS_INNER, reserved},             /* protocols' */
    {FOUR(192, 0, 2, 0, 24), TN_ADDRESS_INNER, reserved},             /* documentation */
    {FOUR(192, 88, 99, 0, 24), TN_ADDRESS_INNER, reserved},           /* 6to4 relays */
    {FOUR(198, 18, 0, 0, 15), TN_ADDRESS_INNER, reserved},            /* benchmarks */
    {FOUR(198, 51, 100, 0, 24), TN_ADDRESS_INNER, reserved},          /* documentation */
    {FOUR(203, 0, 113, 0, 24), TN_ADDRESS_INNER, reserved},           /* documentation */
    {FOUR(240, 0, 0, 0, 4), TN_ADDRESS_INNER, reserved},
    {FOUR(0, 0, 0, 0, 0), TN_ADDRESS_PUBLIC, "a public address"},     /* every other IPv4 address */
    {SIX(0xFF), 8, TN_ADDRESS_NOBODY, group},
    {SIX(0xFE, 0x80), 10, TN_ADDRESS_METADATA, link_local},
    {SIX(0xFD, 0, 0x0E, 0xC2), 32, TN_ADDRESS_METADATA, metadata},    /* AWS */
    {SIX(0xFD, 0, 0, 0xC1, [12] = 0xA9, [13] = 0xFE, [14] = 0xA9, [15] = 0xFE), 128, TN_ADDRESS_METADATA, metadata}, /* Oracle */
    {SIX(0xFD, 0x20, 0, 0xCE, [14] = 2, [15] = 0x54), 128, TN_ADDRESS_METADATA, metadata}, /* Google */
    {SIX(0xFD, 0, 0, 0x42, [15] = 0x42), 128, TN_ADDRESS_METADATA, metadata},              /* Scaleway */
    {SIX(0), 128, TN_ADDRESS_INNER, loopback},                        /* this host */
    {SIX([15] = 1), 128, TN_ADDRESS_INNER, loopback},
    {SIX(0xFC), 7, TN_ADDRESS_INNER, private},
    {SIX(0xFE, 0xC0), 10, TN_ADDRESS_INNER, private},                 /* site-local */
    {SIX(0, 0x64, 0xFF, 0x9B), 96, TN_ADDRESS_PUBLIC, "a public address"}, /* NAT64, by what it carries */
    {SIX(0x20, 0x01), 23, TN_ADDRESS_INNER, reserved},                /* protocols', Teredo */
    {SIX(0x20, 0x01, 0x0D, 0xB8), 32, TN_ADDRESS_INNER, reserved},    /* documentation */
    {SIX(0x20, 0x02), 16, TN_ADDRESS_INNER, reserved},                /* 6to4 */
    {SIX(0x3F, 0xFF), 20, TN_ADDRESS_INNER, reserved},                /* documentation */
    {SIX(0x20), 3, TN_ADDRESS_PUBLIC, "a public address"},
    {SIX(0), 0, TN_ADDRESS_INNER, reserved},
};
enum { RANGES = sizeof ranges / sizeof ranges[0] };

/* Where IPv6 addresses carry an IPv4 address: at which bytes, and what these are combined with. */
typedef struct carrier {
  tn_ip net;
  unsigned char bits;
  unsigned char at[4], mask;
} carrier;

static const carrier carriers[] = {
    {SIX(0), 96, {12, 13, 14, 15}, 0},                            /* compatible */
    {SIX([8] = 0xFF, [9] = 0xFF), 96, {12, 13, 14, 15}, 0},       /* translated (SIIT) */
    {SIX(0, 0x64, 0xFF, 0x9B), 96, {12, 13, 14, 15}, 0},          /* NAT64 */
    {SIX(0, 0x64, 0xFF, 0x9B, 0, 1), 48, {6, 7, 9, 10}, 0},       /* a network's own NAT64: as RFC */
    {SIX(0, 0x64, 0xFF, 0x9B, 0, 1), 48, {7, 9, 10, 11}, 0},      /* 6052 has it for each length */
    {SIX(0, 0x64, 0xFF, 0x9B, 0, 1), 48, {9, 10, 11, 12}, 0},     /* of the network's prefix */
    {SIX(0, 0x64, 0xFF, 0x9B, 0, 1), 48, {12, 13, 14, 15}, 0},
    {SIX(0x20, 0x02), 16, {2, 3, 4, 5}, 0},                       /* 6to4 */
    {SIX(0x20, 0x01), 32, {4, 5, 6, 7}, 0},                       /* Teredo: its server */
    {SIX(0x20, 0x01), 32, {12, 13, 14, 15}, 0xFF},                /* Teredo: who it is */
};

bool tn_ip_within(const tn_ip *ip, const tn_ip *net, unsigned bits) {
  unsigned whole = bits / 8, rest = bits % 8;
  if (memcmp(ip->bytes, net->bytes, whole) != 0) return false;
  return rest == 0 || (ip->bytes[whole] ^ net->bytes[whole]) >> (8 - rest) == 0;
}

static const range *find_range(const tn_ip *ip) {
  size_t i = 0;
  while (i + 1 < RANGES && !tn_ip_within(ip, &ranges[i].net, ranges[i].bits)) i++;
  return &ranges[i];
}

static tn_ip mapped(const unsigned char *bytes, const unsigned char at[4], unsigned char mask) {
  tn_ip ip = {{[10] = 0xFF, [11] = 0xFF}};
  for (int i = 0; i < 4; i++) ip.bytes[12 + i] = bytes[at[i]] ^ mask;
  return ip;
}

/* ISATAP: the last half is 0000:5efe or 0200:5efe and an IPv4 address. */
static bool is_isatap(const tn_ip *ip) {
  return (ip->bytes[8] & 0xFD) == 0 && ip->bytes[9] == 0 && ip->bytes[10] == 0x5E &&
         ip->bytes[11] == 0xFE;
}

static const range *worse(const range *a, const tn_ip *carried) {
  const range *b = find_range(carried);
  return b->class > a->class ? b : a;
}

tn_address_class tn_ip_class(const tn_ip *ip, const char **ret_what) {
  static const unsigned char last[4] = {12, 13, 14, 15};
  const range *found = find_range(ip);
  for (size_t i = 0; i < sizeof carriers / sizeof carriers[0]; i++) {
    const carrier *c = &carriers[i];
    if (!tn_ip_within(ip, &c->net, c->bits)) continue;
    tn_ip carried = mapped(ip->bytes, c->at, c->mask);
    found = worse(found, &carried);
  }
  if (is_isatap(ip)) {
    tn_ip carried = mapped(ip->bytes, last, 0);
    found = worse(found, &carried);
  }
  *ret_what = found->what;
  return found->class;
}

bool tn_net_is_metadata(const tn_ip *net, unsigned bits) {
  for (size_t i = 0; i < RANGES; i++)
    if (ranges[i].class == TN_ADDRESS_METADATA && bits >= ranges[i].bits &&
        tn_ip_within(net, &ranges[i].net, ranges[i].bits))
      return true;
  return false;
}

bool tn_ip_of(const tenon_address *address, tn_ip *ret, uint16_t *ret_port) {
  static const unsigned char first[4] = {0, 1, 2, 3};
  struct sockaddr_storage s = {0};
  memcpy(&s, address->sa.bytes, address->sa_size < sizeof s ? address->sa_size : sizeof s);
  if (s.ss_family == AF_INET) {
    const struct sockaddr_in *in = (const struct sockaddr_in *)&s;
    *ret = mapped((const unsigned char *)&in->sin_addr, first, 0);
    *ret_port = ntohs(in->sin_port);
  } else if (s.ss_family == AF_INET6) {
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)&s;
    memcpy(ret->bytes, &in->sin6_addr, sizeof ret->bytes);
    *ret_port = ntohs(in->sin6_port);
  }
  return s.ss_family == AF_INET || s.ss_family == AF_INET6;
}

bool tn_ip_parse(const char *text, tn_ip *ret, bool *ret_is_four) {
  static const unsigned char first[4] = {0, 1, 2, 3};
  unsigned char four[4];
  *ret_is_four = inet_pton(AF_INET, text, four) == 1;
  if (*ret_is_four) *ret = mapped(four, first, 0);
  return *ret_is_four || inet_pton(AF_INET6, text, ret->bytes) == 1;
}
