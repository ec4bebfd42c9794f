/* SPDX-License-Identifier: Apache-2.0 */
#include "base/egress.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>

static bool is_group4(uint32_t address) {
  return IN_MULTICAST(address) || address == INADDR_BROADCAST;
}

static bool is_group6(const struct in6_addr *a) {
  uint32_t mapped;
  if (IN6_IS_ADDR_MULTICAST(a)) return true;
  if (!IN6_IS_ADDR_V4MAPPED(a)) return false;
  memcpy(&mapped, a->s6_addr + 12, sizeof mapped);
  return is_group4(ntohl(mapped));
}

static bool is_server(const tenon_address *address) {
  struct sockaddr_storage s = {0};
  memcpy(&s, address->sa.bytes, address->sa_size < sizeof s ? address->sa_size : sizeof s);
  switch (s.ss_family) {
    case AF_UNIX: return true;
    case AF_INET: return !is_group4(ntohl(((const struct sockaddr_in *)&s)->sin_addr.s_addr));
    case AF_INET6: return !is_group6(&((const struct sockaddr_in6 *)&s)->sin6_addr);
    default: return false;
  }
}

tenon_status tn_egress_check(tenon_ctx *ctx, const tenon_address *address, tenon_error *err) {
  (void)ctx;
  if (is_server(address)) return TENON_OK;
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_TCP, "name the address of one host",
                    "%s is not the address of a server", address->text);
}
