/* SPDX-License-Identifier: Apache-2.0 */
/* URLs, redirects and proxies under an egress policy: however a place is spelled, nobody gets there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "net/http.h"
#include "unit/http_fixture.h"

static const tenon_http_ops *const http = &tn_http_ops;

/* Stands before the C library's: one name of this machine, one that moves there, and no others. */
static int moves;

int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret) {
  typedef int (*getaddrinfo_fn)(const char *, const char *, const struct addrinfo *,
                                struct addrinfo **);
  static getaddrinfo_fn real;
  const struct addrinfo numeric = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
  if (!real) real = (getaddrinfo_fn)dlsym(RTLD_NEXT, "getaddrinfo");
  if (hints && hints->ai_flags & AI_NUMERICHOST) return real(node, service, &numeric, ret);
  if (strcmp(node, "moving.test") == 0) node = moves++ ? "127.0.0.1" : "127.0.0.2";
  if (strcmp(node, "loop.test") == 0 || strcmp(node, "localhost") == 0) node = "127.0.0.1";
  return real(node, service, &numeric, ret);
}

/* ---- A request under a policy ---- */

static tenon_status fetch(const char *policy, const char *allow, const char *proxy, const char *url,
                          tenon_error *err) {
  tenon_http_options options = {.struct_size = sizeof options, .proxy = proxy};
  tenon_http_request request = TENON_HTTP_REQUEST_INIT;
  tenon_http_reply reply = {.struct_size = sizeof reply};
  tenon_http *client = NULL;
  tenon_ctx *ctx;
  tn_egress *e;
  request.url = url;
  request.follow = true;
  assert_int_equal(tn_egress_new(policy, allow, &e, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &ctx, NULL), TENON_OK);
  tn_ctx_restrict(ctx, e);
  tn_egress_free(e);
  assert_int_equal(http->new_client(ctx, &options, &client, NULL), TENON_OK);
  tenon_status status = http->send(ctx, client, &request, &reply, err);
  if (!status) reply.body.close(reply.body.self);
  http->free_client(client);
  tenon_ctx_free(ctx);
  return status;
}

static int connections(http_fixture *f) {
  pthread_mutex_lock(&f->lock);
  int n = f->connection_count;
  pthread_mutex_unlock(&f->lock);
  return n;
}

/* ---- URLs ---- */

/* %d is the port of a server on this machine. */
static const char *const spellings[] = {
    "http://127.0.0.1:%d/", "http://127.1:%d/", "http://127.0.1:%d/", "http://0:%d/",
    "http://0.0.0.0:%d/", "http://0x7f000001:%d/", "http://0X7F.1:%d/", "http://0x7f.0x0.0x0.0x1:%d/",
    "http://017700000001:%d/", "http://0177.0.0.01:%d/", "http://2130706433:%d/", "http://127.0.0.1.:%d/",
    "http://127.65535:%d/", "http://127.0.0.1:0%d/", "http://localhost:%d/", "http://LOCALHOST:%d/",
    "http://localhost.:%d/", "http://loop.test:%d/", "http://loop.test.:%d/", "http://[::1]:%d/",
    "http://[0:0:0:0:0:0:0:1]:%d/", "http://[::]:%d/", "http://[::ffff:127.0.0.1]:%d/",
    "http://[::ffff:7f00:1]:%d/", "http://[::127.0.0.1]:%d/", "http://[64:ff9b::7f00:1]:%d/",
    "http://[64:ff9b::127.0.0.1]:%d/", "http://[2002:7f00:1::]:%d/", "http://[::1%%25lo]:%d/",
    "http://[fe80::1%%25lo]:%d/", "http://user@127.0.0.1:%d/", "http://user:pw@127.0.0.1:%d/",
    "http://good.example@127.0.0.1:%d/", "http://good.example:80@127.0.0.1:%d/",
    "http://user@127.0.0.1:%d@good.example/", "http://127.0.0.1:%d#@good.example/",
    "http://127.0.0.1:%d\\@good.example/", "http://good.example\\@127.0.0.1:%d/",
    "http:\\\\127.0.0.1:%d\\", "http:/127.0.0.1:%d/", "http:127.0.0.1:%d/", "http:////127.0.0.1:%d/",
    "//127.0.0.1:%d/", "127.0.0.1:%d", "HTTP://127.0.0.1:%d/", "http://%%31%%32%%37.0.0.1:%d/",
    "http://127%%2e0%%2e0%%2e1:%d/", "http://127.0.0.1%%00:%d/", "http://127.0.0.1%%2egood.example:%d/",
    "http://loc%%61lhost:%d/", "http://127。0。0。1:%d/", "http://127．0．0．1:%d/",
    "http://１２７.0.0.1:%d/", "http://①②⑦.⓪.⓪.①:%d/", "http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ:%d/", "http://loc\xC2\xAD" "alhost:%d/",
    " http://127.0.0.1:%d/", "http:// 127.0.0.1:%d/", "http://127.0.0.1 :%d/", "\thttp://127.0.0.1:%d/",
    "http://127.0.0.1\t:%d/", "http://127.0.0.1\r\n:%d/", "http://127.0.0.1:%d/\r\nX: y", "http://127.0.0.1:%d/ x",
    "ht\ntp://127.0.0.1:%d/", "ftp://127.0.0.1:%d/", "gopher://127.0.0.1:%d/_x", "dict://127.0.0.1:%d/d",
    "tftp://127.0.0.1:%d/x", "smb://127.0.0.1:%d/x", "ldap://127.0.0.1:%d/", "telnet://127.0.0.1:%d/",
    "file://127.0.0.1:%d/etc/passwd", "ws://127.0.0.1:%d/", "https://127.0.0.1:%d/", "javascript:%d"};

static void nobody_is_reached(void **state) {
  (void)state;
  http_fixture *f = http_fixture_new();
  char url[256];
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    snprintf(url, sizeof url, spellings[i], f->port);
    tenon_status status = fetch("public-only", NULL, NULL, url, &err);
    if (!status || connections(f)) fail_msg("%s was reached", url);
    if (status != TENON_FORBIDDEN && status != TENON_CONFIG && status != TENON_UNREACHABLE)
      fail_msg("%s: %s", url, err.message);
  }
  assert_int_equal(f->connection_count, 0);
  http_fixture_free(f);
}

/* The same server answers where it may: the test above is not true of itself. */
static void somebody_is_reached(void **state) {
  (void)state;
  static const char *const live[] = {"http://127.0.0.1:%d/", "http://127.1:%d/", "http://0x7f000001:%d/",
                                     "http://2130706433:%d/", "http://localhost:%d/", "http://loop.test:%d/",
                                     "HTTP://127.0.0.1:%d/", "http://0177.0.0.01:%d/"};
  http_fixture *f = http_fixture_new();
  char url[256], allow[64];
  for (size_t i = 0; i < sizeof live / sizeof live[0]; i++) {
    http_fixture_reply(f, "HTTP/1.1 204 No Content\r\n\r\n");
    snprintf(url, sizeof url, live[i], f->port);
    snprintf(allow, sizeof allow, "127.0.0.1:%d", f->port);
    tenon_error err = TENON_ERROR_INIT;
    if (fetch(i % 2 ? "open" : "public-only", i % 2 ? NULL : allow, NULL, url, &err))
      fail_msg("%s: %s", url, err.message);
    assert_int_equal(connections(f), (int)i + 1);
  }
  http_fixture_free(f);
}

static void metadata(void **state) {
  (void)state;
  static const char *const urls[] = {
      "http://169.254.169.254/latest/meta-data/", "http://2852039166/", "http://0xa9fea9fe/",
      "http://[::ffff:169.254.169.254]/", "http://[fd00:ec2::254]/", "http://100.100.100.200/",
      "http://metadata.google.internal/computeMetadata/v1/", "http://METADATA.google.internal./",
      "http://[64:ff9b::a9fe:a9fe]/", "http://[fe80::a9fe:a9fe%25lo]/"};
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = fetch("no-metadata", "0.0.0.0/0,::/0", NULL, urls[i], &err);
    if (status != TENON_FORBIDDEN) fail_msg("%s: %d %s", urls[i], status, err.message);
    assert_non_null(strstr(err.message, "no-metadata"));
  }
}

/* ---- Redirects ---- */

static void redirects(void **state) {
  (void)state;
  http_fixture *forbidden = http_fixture_new();
  char place[256], reply[512], allow[64], url[128];
  for (size_t i = 0; i < sizeof spellings / sizeof spellings[0]; i++) {
    if (strpbrk(spellings[i], "\r\n")) continue; /* no header can say these */
    http_fixture *allowed = http_fixture_new();
    snprintf(place, sizeof place, spellings[i], forbidden->port);
    snprintf(reply, sizeof reply, "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", place);
    for (int again = 0; again < 7; again++) http_fixture_reply(allowed, reply); /* some stay relative */
    snprintf(allow, sizeof allow, "127.0.0.1:%d", allowed->port);
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", allowed->port);
    tenon_error err = TENON_ERROR_INIT;
    fetch("public-only", allow, NULL, url, &err);
    if (connections(forbidden)) fail_msg("a redirect to %s was followed", place);
    assert_true(connections(allowed) >= 1);
    http_fixture_free(allowed);
  }
  http_fixture_free(forbidden);
}

/* ---- Proxies ---- */

static void proxies(void **state) {
  (void)state;
  static const char *const targets[] = {"http://10.0.0.1/", "http://127.0.0.1/", "http://169.254.169.254/",
                                        "http://metadata.google.internal/", "http://[::1]/",
                                        "http://loop.test/", "https://10.0.0.1/"};
  http_fixture *f = http_fixture_new();
  char proxy[64], allow[64];
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", f->port);
  snprintf(allow, sizeof allow, "127.0.0.1:%d", f->port);
  /* the proxy itself is somewhere */
  assert_int_equal(fetch("public-only", NULL, proxy, "http://93.184.216.34/", NULL), TENON_FORBIDDEN);
  assert_int_equal(connections(f), 0);
  /* it may be gone to, and what it would fetch may not */
  for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
    assert_int_equal(fetch("public-only", allow, proxy, targets[i], NULL), TENON_FORBIDDEN);
    assert_int_equal(connections(f), 0);
  }
  http_fixture_reply(f, "HTTP/1.1 204 No Content\r\n\r\n");
  assert_int_equal(fetch("public-only", allow, proxy, "http://93.184.216.34/", NULL), TENON_OK);
  assert_int_equal(connections(f), 1);
  /* no environment says otherwise */
  http_fixture_reply(f, "HTTP/1.1 204 No Content\r\n\r\n");
  setenv("no_proxy", "*", 1);
  setenv("NO_PROXY", "127.0.0.2", 1);
  assert_int_equal(fetch("open", NULL, proxy, "http://127.0.0.2:1/", NULL), TENON_OK);
  unsetenv("no_proxy");
  unsetenv("NO_PROXY");
  assert_int_equal(connections(f), 2);
  http_fixture_free(f);
}

/* What cannot be looked up here a proxy might find anywhere. */
static void names_for_proxies(void **state) {
  (void)state;
  http_fixture *f = http_fixture_new();
  char proxy[64], allow[128];
  snprintf(proxy, sizeof proxy, "http://127.0.0.1:%d", f->port);
  snprintf(allow, sizeof allow, "127.0.0.1:%d", f->port);
  assert_int_equal(fetch("public-only", allow, proxy, "http://nowhere.test/", NULL), TENON_FORBIDDEN);
  assert_int_equal(fetch("no-metadata", NULL, proxy, "http://nowhere.test/", NULL), TENON_FORBIDDEN);
  assert_int_equal(connections(f), 0);
  for (int i = 0; i < 2; i++) http_fixture_reply(f, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  snprintf(allow, sizeof allow, "127.0.0.1:%d,.test", f->port);
  assert_int_equal(fetch("public-only", allow, proxy, "http://nowhere.test/", NULL), TENON_OK);
  assert_int_equal(fetch("open", NULL, proxy, "http://nowhere.test/", NULL), TENON_OK);
  http_fixture_free(f);
}

/* ---- Hosts that are IPv6 addresses ---- */

static void version_six(void **state) {
  (void)state;
  http_fixture *f = http_fixture_new_six();
  char url[64], allow[64];
  if (!f) {
    print_message("this machine has no ::1: hosts that are IPv6 addresses are not tried\n");
    skip();
  }
  snprintf(url, sizeof url, "http://[::1]:%d/", f->port);
  snprintf(allow, sizeof allow, "[::1]:%d", f->port);
  for (int i = 0; i < 4; i++) http_fixture_reply(f, "HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
  assert_int_equal(fetch("public-only", NULL, NULL, url, NULL), TENON_FORBIDDEN);
  assert_int_equal(connections(f), 0);
  tenon_error err = TENON_ERROR_INIT;
  if (fetch("open", NULL, NULL, url, &err)) fail_msg("%s", err.message);
  assert_int_equal(fetch("public-only", allow, NULL, url, NULL), TENON_OK);
  assert_int_equal(fetch("open", NULL, url, "http://93.184.216.34/", NULL), TENON_OK);   /* as a proxy */
  assert_int_equal(fetch("public-only", allow, url, "http://[2606:2800:220:1::1]/", NULL), TENON_OK);
  http_fixture_free(f);
}

/* ---- Names that are allowed, and names that move ---- */

static void names(void **state) {
  (void)state;
  http_fixture *f = http_fixture_new();
  char url[128], allow[64];
  snprintf(url, sizeof url, "http://loop.test:%d/", f->port);
  snprintf(allow, sizeof allow, "loop.test:%d", f->port);
  http_fixture_reply(f, "HTTP/1.1 204 No Content\r\n\r\n");
  tenon_error err = TENON_ERROR_INIT;
  if (fetch("public-only", allow, NULL, url, &err)) fail_msg("%s", err.message);
  assert_int_equal(connections(f), 1);
  /* its first answer may not be connected to; that the next one could does not help it */
  snprintf(url, sizeof url, "http://moving.test:%d/", f->port);
  snprintf(allow, sizeof allow, "127.0.0.1:%d", f->port);
  moves = 0;
  assert_int_equal(fetch("public-only", allow, NULL, url, NULL), TENON_FORBIDDEN);
  assert_int_equal(moves, 1);
  assert_int_equal(connections(f), 1);
  http_fixture_free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nobody_is_reached), cmocka_unit_test(somebody_is_reached),
      cmocka_unit_test(metadata),          cmocka_unit_test(redirects),
      cmocka_unit_test(proxies),           cmocka_unit_test(names_for_proxies),
      cmocka_unit_test(version_six),       cmocka_unit_test(names),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
