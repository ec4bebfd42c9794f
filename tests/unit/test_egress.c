/* SPDX-License-Identifier: Apache-2.0 */
/* The egress policy: which spellings of which hosts lead where, and that nothing gets round it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <dlfcn.h>
#include <netdb.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/address_class.h"
#include "base/ctx.h"
#include "base/egress.h"
#include "base/mem.h"
#include "cases.h"
#include "net/connect.h"
#include "net/resolve.h"

/* ---- A name server of our own: names have the addresses of this table, and no others are asked for ---- */

static const struct {
  const char *name, *addresses[4];
} zone[] = {
    {"loop.test", {"127.0.0.1"}},
    {"six.test", {"::1"}},
    {"mapped.test", {"::ffff:127.0.0.1"}},
    {"both.test", {"::1", "127.0.0.1"}},
    {"meta.test", {"169.254.169.254"}},
    {"halfmeta.test", {"169.254.169.254", "10.0.0.5", "fd00:ec2::254"}},
    {"mixed.test", {"10.0.0.5", "127.0.0.1", "93.184.216.34"}},
    {"public.test", {"93.184.216.34"}},
    {"db.corp.test", {"10.1.2.3"}},
    {"corp.test", {"10.1.2.3"}},
    {"evilcorp.test", {"10.1.2.3"}},
};

typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                              struct addrinfo **);

static int real_getaddrinfo(const char *node, int flags, struct addrinfo **ret) {
  static getaddrinfo_fn real;
  if (!real) real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");
  const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = flags};
  return real(node, NULL, &hints, ret);
}

static int questions, flips;

static int zone_answer(const char *const addresses[4], struct addrinfo **ret) {
  struct addrinfo **end = ret;
  for (int i = 0; i < 4 && addresses[i]; i++) {
    int code = real_getaddrinfo(addresses[i], AI_NUMERICHOST, end);
    if (code) return code;
    while (*end) end = &(*end)->ai_next;
  }
  return 0;
}

/* Stands before the C library's. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret) {
  static const char *const first[4] = {"93.184.216.34"}, *const later[4] = {"127.0.0.1"};
  (void)service;
  if (hints && hints->ai_flags & AI_NUMERICHOST) return real_getaddrinfo(node, AI_NUMERICHOST, ret);
  questions++;
  size_t n = strlen(node) - (node[strlen(node) - 1] == '.');
  if (n == 9 && strncasecmp(node, "flip.test", n) == 0)
    return zone_answer(flips++ ? later : first, ret);
  for (size_t i = 0; i < sizeof zone / sizeof zone[0]; i++)
    if (strlen(zone[i].name) == n && strncasecmp(node, zone[i].name, n) == 0)
      return zone_answer(zone[i].addresses, ret);
  if (n == 9 && strncasecmp(node, "localhost", n) == 0)
    return zone_answer((const char *const[4]){"127.0.0.1"}, ret);
  return EAI_NONAME;
}

/* ---- Contexts and servers ---- */

static tenon_ctx *ctx_under(const char *policy, const char *allow) {
  tn_egress *e;
  tenon_ctx *ctx;
  assert_int_equal(tn_egress_new(policy, allow, &e, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tn_ctx_restrict(ctx, e);
  tn_egress_free(e);
  return ctx;
}

static int listener(int family, uint16_t *ret_port) {
  struct sockaddr_storage s = {.ss_family = (sa_family_t)family};
  struct sockaddr_in6 *six = (void *)&s;
  struct sockaddr_in *four = (void *)&s;
  socklen_t size = family == AF_INET ? sizeof *four : sizeof *six;
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (family == AF_INET6) six->sin6_addr = in6addr_any;
  if (fd < 0 || bind(fd, (void *)&s, size) || listen(fd, 64) || getsockname(fd, (void *)&s, &size)) {
    if (fd >= 0) close(fd);
    return -1;
  }
  *ret_port = ntohs(family == AF_INET ? four->sin_port : six->sin6_port);
  return fd;
}

static int accepted(int server) {
  int count = 0;
  for (int fd; (fd = accept(server, NULL, NULL)) >= 0; count++) close(fd);
  return count;
}

/* ---- Spellings ---- */

static void read_escapes(char *text) {
  static const char letters[] = "trns\\", meant[] = "\t\r\n \\";
  for (char *at = text; (at = strchr(at, '\\')) && at[1]; at++) {
    const char *which = strchr(letters, at[1]);
    if (!which) continue;
    *at = meant[which - letters];
    memmove(at + 1, at + 2, strlen(at + 2) + 1);
  }
}

static void answer(const char *input, char *text, size_t room) {
  char policy[512], host[512];
  const char *space = strchr(input, ' ');
  snprintf(policy, sizeof policy, "%.*s", (int)(space - input), input);
  snprintf(host, sizeof host, "%s", space + 1);
  read_escapes(host);
  char *plus = strchr(policy, '+');
  if (plus) *plus++ = 0;
  tenon_error err = TENON_ERROR_INIT;
  tenon_address found[8];
  tn_egress *e = NULL;
  tenon_ctx *ctx;
  size_t count = 0;
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tenon_status status = tn_egress_new(policy, plus, &e, &err);
  if (!status) {
    tn_ctx_restrict(ctx, e);
    status = tn_resolve(ctx, host, 5432, found, 8, &count, &err);
  }
  if (status) {
    assert_true(err.remedy[0] || status == TENON_UNREACHABLE);
    if (status == TENON_FORBIDDEN && strcmp(policy, "open") && !strstr(err.message, "of a server") &&
        !strstr(err.message, "service"))
      assert_non_null(strstr(err.remedy, policy));
    snprintf(text, room, "error: %s %s", tenon_status_name(status), err.message);
  } else {
    size_t n = 0;
    for (size_t i = 0; i < count; i++) {
      /* who connects asks again, and hears the same */
      assert_int_equal(tn_egress_check(ctx, &found[i], NULL), TENON_OK);
      n += (size_t)snprintf(text + n, room - n, "%s%s", i ? " " : "", found[i].text);
    }
  }
  tn_egress_free(e);
  tenon_ctx_free(ctx);
}

static void spellings(void **state) {
  (void)state;
  tn_run_cases("egress", 250, answer);
}

/* ---- Nothing is reached ---- */

/* Spellings that the C library reads as this machine's address: without a policy they get there. */
static const char *const live[] = {
    "127.0.0.1", "127.1", "127.0.1", "2130706433", "0x7f000001", "0X7F000001", "0x7f.1",
    "0x7f.0x0.0x0.0x1", "017700000001", "0177.0.0.1", "0177.0.0.01", "0000000177.0.0.1",
    "0x0000007f.0.1", "127.0x1", "127.0.0.2", "127.255.255.254", "0", "0.0.0.0", "0x0", "localhost",
    "LOCALHOST", "localhost.", "loop.test", "LOOP.TEST."};
static const char *const live_six[] = {"::1", "0:0:0:0:0:0:0:1", "::", "::0.0.0.1", "six.test",
                                       "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:7f00:0001",
                                       "mapped.test", "both.test"};

static int reach(tenon_ctx *ctx, const char *host, uint16_t port) {
  tenon_address found[8];
  size_t count = 0;
  int reached = 0, fd;
  if (tn_resolve(ctx, host, port, found, 8, &count, NULL)) return 0;
  for (size_t i = 0; i < count; i++)
    if (tn_connect(ctx, &found[i], 1000, &fd, NULL) == TENON_OK) {
      reached++;
      close(fd);
    }
  return reached;
}

static void try_all(int server, uint16_t port, const char *const *hosts, size_t count) {
  tenon_ctx *open = ctx_under("open", NULL), *shut = ctx_under("public-only", NULL);
  for (size_t i = 0; i < count; i++) {
    if (reach(open, hosts[i], port) < 1 || accepted(server) < 1)
      fail_msg("%s is not a spelling of this machine", hosts[i]);
    if (reach(shut, hosts[i], port) || accepted(server)) fail_msg("%s was reached", hosts[i]);
  }
  tenon_ctx_free(open);
  tenon_ctx_free(shut);
}

static void nothing_is_reached(void **state) {
  (void)state;
  uint16_t port;
  int server = listener(AF_INET, &port);
  assert_true(server >= 0);
  try_all(server, port, live, sizeof live / sizeof live[0]);
  close(server);
  server = listener(AF_INET6, &port);
  if (server < 0) {
    print_message("no IPv6 on this machine: its spellings are not connected to\n");
    return;
  }
  try_all(server, port, live_six, sizeof live_six / sizeof live_six[0]);
  close(server);
}

static void sockets(void **state) {
  (void)state;
  char folder[] = "/tmp/tenon-egress-XXXXXX", path[64], abstract[64];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/s", folder);
  snprintf(abstract, sizeof abstract, "@tenon-egress-%d", (int)getpid());
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  int servers[2];
  for (int i = 0; i < 2; i++) {
    snprintf(un.sun_path, sizeof un.sun_path, "%s", i ? abstract : path);
    if (i) un.sun_path[0] = 0;
    socklen_t size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (i ? strlen(abstract) : strlen(path) + 1));
    servers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(bind(servers[i], (void *)&un, size), 0);
    assert_int_equal(listen(servers[i], 4), 0);
  }
  tenon_ctx *open = ctx_under("open", NULL), *shut = ctx_under("public-only", NULL);
  tenon_ctx *beside = ctx_under("public-only", folder);
  assert_int_equal(reach(open, path, 0) + reach(open, abstract, 0), 2);
  assert_int_equal(accepted(servers[0]) + accepted(servers[1]), 2);
  assert_int_equal(reach(shut, path, 0) + reach(shut, abstract, 0) + reach(beside, abstract, 0), 0);
  assert_int_equal(accepted(servers[0]) + accepted(servers[1]), 0);
  assert_int_equal(reach(beside, path, 0), 1);
  for (int i = 0; i < 2; i++) close(servers[i]);
  unlink(path);
  rmdir(folder);
  tenon_ctx_free(open);
  tenon_ctx_free(shut);
  tenon_ctx_free(beside);
}

/* ---- Answers that change ---- */

/* A name server that answers with a public address first, and then with this machine's. */
static void rebinding(void **state) {
  (void)state;
  tenon_ctx *ctx = ctx_under("public-only", NULL);
  tenon_address found[8];
  size_t count = 0;
  questions = flips = 0;
  assert_int_equal(tn_resolve(ctx, "flip.test", 80, found, 8, &count, NULL), TENON_OK);
  assert_int_equal(questions, 1);
  assert_int_equal(count, 1);
  assert_string_equal(found[0].text, "93.184.216.34");
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_resolve(ctx, "flip.test", 80, found, 8, &count, &err), TENON_FORBIDDEN);
  tenon_ctx_free(ctx);
}

/* Who connects asks again: an address that came by another way does not pass. */
static void connecting_asks_again(void **state) {
  (void)state;
  uint16_t port;
  int server = listener(AF_INET, &port), fd = -1;
  tenon_ctx *open = ctx_under("open", NULL), *shut = ctx_under("public-only", NULL);
  tenon_address address;
  size_t count;
  assert_int_equal(tn_resolve(open, "127.0.0.1", port, &address, 1, &count, NULL), TENON_OK);
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_connect(shut, &address, 1000, &fd, &err), TENON_FORBIDDEN);
  assert_int_equal(err.stage, TENON_STAGE_TCP);
  assert_non_null(strstr(err.remedy, "public-only"));
  assert_int_equal(accepted(server), 0);
  tenon_address strange = {.sa_size = 3};
  assert_int_equal(tn_connect(open, &strange, 1000, &fd, NULL), TENON_FORBIDDEN);
  close(server);
  tenon_ctx_free(open);
  tenon_ctx_free(shut);
}

/* An allowed name's address is allowed where the name was looked up, for its port, for its policy. */
static void names_are_remembered(void **state) {
  (void)state;
  tenon_ctx *ctx = ctx_under("public-only", "db.corp.test:5432"),
            *other = ctx_under("public-only", "db.corp.test:5432");
  tenon_address address, wrong;
  size_t count;
  assert_int_equal(tn_resolve(ctx, "10.1.2.3", 5432, &address, 1, &count, NULL), TENON_FORBIDDEN);
  assert_int_equal(tn_resolve(ctx, "db.corp.test", 5432, &address, 1, &count, NULL), TENON_OK);
  assert_int_equal(tn_egress_check(ctx, &address, NULL), TENON_OK);
  assert_int_equal(tn_egress_check(other, &address, NULL), TENON_FORBIDDEN);
  assert_int_equal(tn_resolve(ctx, "db.corp.test", 5433, &wrong, 1, &count, NULL), TENON_FORBIDDEN);
  wrong = address;
  ((struct sockaddr_in *)(void *)wrong.sa.bytes)->sin_port = htons(22);
  assert_int_equal(tn_egress_check(ctx, &wrong, NULL), TENON_FORBIDDEN);
  tenon_ctx_free(ctx);
  tenon_ctx_free(other);
}

/* ---- Contexts ---- */

static void children_only_narrow(void **state) {
  (void)state;
  tn_egress *open, *strict;
  tenon_ctx *parent, *child, *grandchild, *none;
  tenon_address inner;
  size_t count;
  assert_int_equal(tn_egress_new(NULL, NULL, &open, NULL), TENON_OK);
  assert_int_equal(tn_egress_new("public-only", NULL, &strict, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(NULL, -1, &parent, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(NULL, -1, &none, NULL), TENON_OK);
  assert_null(tn_egress_strict(parent));
  tn_ctx_restrict(parent, strict);
  assert_int_equal(tenon_ctx_new(parent, -1, &child, NULL), TENON_OK);
  tn_ctx_restrict(child, open);
  assert_int_equal(tenon_ctx_new(child, -1, &grandchild, NULL), TENON_OK);
  assert_int_equal(tn_resolve(none, "10.0.0.1", 1, &inner, 1, &count, NULL), TENON_OK);
  assert_int_equal(tn_egress_check(parent, &inner, NULL), TENON_FORBIDDEN);
  assert_int_equal(tn_egress_check(child, &inner, NULL), TENON_FORBIDDEN);
  assert_int_equal(tn_egress_check(grandchild, &inner, NULL), TENON_FORBIDDEN);
  assert_int_equal(tn_egress_check(none, &inner, NULL), TENON_OK);
  assert_int_equal(tn_egress_check(NULL, &inner, NULL), TENON_OK);
  assert_string_equal(tn_egress_strict(grandchild), "public-only");
  tenon_ctx_free(grandchild);
  tenon_ctx_free(child);
  tenon_ctx_free(parent);
  tenon_ctx_free(none);
  tn_egress_free(open);
  tn_egress_free(strict);
}

static void long_lists(void **state) {
  (void)state;
  char *list = tn_alloc(1 << 20);
  size_t n = 0;
  tn_egress *e;
  for (int i = 0; i < 256; i++) n += (size_t)sprintf(list + n, "h%d.example, ", i);
  assert_int_equal(tn_egress_new("public-only", list, &e, NULL), TENON_OK);
  tn_egress_free(e);
  sprintf(list + n, "one-more.example");
  assert_int_equal(tn_egress_new("public-only", list, &e, NULL), TENON_LIMITED);
  assert_int_equal(tn_egress_new("public-only", " , ,", &e, NULL), TENON_OK);
  tn_egress_free(e);
  memset(list, 'a', (1 << 20) - 1);
  list[(1 << 20) - 1] = 0;
  assert_int_not_equal(tn_egress_new("public-only", list, &e, NULL), TENON_OK);
  tn_free(list);
}

/* A name and a list under a policy, with each allocation failing in its turn. */
static void failing_allocations(void **state) {
  (void)state;
  for (int64_t n = 1, count = 1; n <= count; n++) {
    tenon_error err = TENON_ERROR_INIT;
    tenon_address found[4];
    tenon_ctx *ctx = NULL;
    tn_egress *e = NULL;
    size_t got = 0;
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_egress_new("public-only", "db.corp.test,10.0.0.0/8,/run/s", &e, &err);
    if (!status) status = tenon_ctx_new(NULL, 5000, &ctx, &err);
    if (!status) tn_ctx_restrict(ctx, e);
    if (!status) status = tn_resolve(ctx, "db.corp.test", 5432, found, 4, &got, &err);
    count = tn_mem_count();
    tn_mem_fail_at(0, 0);
    assert_int_equal(status, n <= count ? TENON_LIMITED : TENON_OK);
    tn_egress_free(e);
    tenon_ctx_free(ctx);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(spellings),
      cmocka_unit_test(nothing_is_reached),
      cmocka_unit_test(sockets),
      cmocka_unit_test(rebinding),
      cmocka_unit_test(connecting_asks_again),
      cmocka_unit_test(names_are_remembered),
      cmocka_unit_test(children_only_narrow),
      cmocka_unit_test(long_lists),
      cmocka_unit_test(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
