/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A list of what is allowed, a line break, a host: whatever comes is read or refused, and no spelling of
 * an inner address passes. No name is looked up.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "net/resolve.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Stands before the C library's: addresses alone. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret) {
  typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                                struct addrinfo **);
  static getaddrinfo_fn real;
  const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
  (void)hints;
  if (!real) real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");
  return real(node, service, &numeric, ret);
}

/* Written down again here, on purpose in another way than in the code under test. */
static int is_inner(uint32_t a) {
  unsigned b = a >> 24, c = a >> 16 & 255;
  return b == 0 || b == 10 || b == 127 || (b == 172 && c >= 16 && c < 32) || (b == 192 && c == 168) ||
         (b == 169 && c == 254) || (b == 100 && c >= 64 && c < 128) || b >= 224;
}

static int is_link_local(uint32_t a) { return a >> 16 == 0xA9FE; }

static void check_found(const tenon_address *found, int (*is_wrong)(uint32_t)) {
  struct sockaddr_in four;
  struct sockaddr_in6 six;
  uint32_t carried;
  memcpy(&four, found->sa.bytes, sizeof four);
  memcpy(&six, found->sa.bytes, sizeof six);
  if (four.sin_family == AF_INET && is_wrong(ntohl(four.sin_addr.s_addr))) abort();
  if (six.sin6_family != AF_INET6) return;
  memcpy(&carried, six.sin6_addr.s6_addr + 12, sizeof carried);
  static const unsigned char nat64[12] = {0, 0x64, 0xFF, 0x9B};
  int is_carrier = IN6_IS_ADDR_V4MAPPED(&six.sin6_addr) || memcmp(&six.sin6_addr, nat64, 12) == 0;
  if (is_carrier && is_wrong(ntohl(carried))) abort();
  if (IN6_IS_ADDR_LOOPBACK(&six.sin6_addr) && is_wrong == is_inner) abort();
  if (IN6_IS_ADDR_LINKLOCAL(&six.sin6_addr)) abort();
}

static void resolve_under(const char *policy, const char *allow, const char *host) {
  int (*is_wrong)(uint32_t) = strcmp(policy, "public-only") == 0 ? is_inner : is_link_local;
  tenon_error err = TENON_ERROR_INIT;
  tenon_address found[4];
  tenon_ctx *ctx;
  tn_egress *e;
  size_t count = 0;
  if (tn_egress_new(policy, allow, &e, &err)) {
    if (!err.message[0] || !err.remedy[0]) abort();
    return;
  }
  if (tenon_ctx_new(NULL, 5000, &ctx, NULL)) abort();
  tn_ctx_restrict(ctx, e);
  tenon_status status = tn_resolve(ctx, host, 443, found, 4, &count, &err);
  if (status && !err.message[0]) abort();
  /* a list without digits and colons has names alone, and paths: no address of its own */
  int has_nets = allow && strpbrk(allow, "0123456789:/@") != NULL;
  for (size_t i = 0; !status && !has_nets && i < count; i++) check_found(&found[i], is_wrong);
  for (size_t i = 0; !status && i < count; i++)
    if (tn_egress_check(ctx, &found[i], NULL)) abort();
  tenon_ctx_free(ctx);
  tn_egress_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = malloc(size + 1);
  if (!text) return 0;
  if (size) memcpy(text, data, size);
  text[size] = 0;
  char *host = strchr(text, '\n');
  const char *allow = host ? text : NULL;
  if (host) *host++ = 0;
  else host = text;
  resolve_under("public-only", allow, host);
  resolve_under("no-metadata", allow, host);
  free(text);
  return 0;
}
