/* SPDX-License-Identifier: Apache-2.0 */
/* Where to connect: URLs and lists of hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cases.h"
#include "providers/sql/postgresql/connect.h"

typedef struct line {
  char *text;
  size_t room;
} line;

static tenon_status set(void *arg, const char *key, const char *value, tenon_error *err) {
  (void)err;
  line *to = arg;
  size_t used = strlen(to->text);
  snprintf(to->text + used, to->room - used, "%s%s=%s", used ? " " : "", key, value);
  return TENON_OK;
}

static void parse(const char *url, char *text, size_t room) {
  tenon_error err = TENON_ERROR_INIT;
  line to = {text, room};
  *text = 0;
  if (tn_pg_parse_url(url, set, &to, &err)) {
    assert_int_equal(err.stage, TENON_STAGE_CONFIG);
    assert_true(*err.remedy);
    snprintf(text, room, "error: %s", err.message);
  }
}

static void test_urls(void **unused) {
  (void)unused;
  tn_run_cases("pg_urls", 25, parse);
}

static void test_long_url(void **unused) {
  (void)unused;
  static char url[40000] = "postgresql://";
  char text[100];
  memset(url + strlen(url), 'h', 39000);
  parse(url, text, sizeof text);
  assert_non_null(strstr(text, "16,384"));
}

/* ---- Hosts ---- */

static tn_pg_endpoint ends[TN_PG_MAX_HOSTS];
static tenon_error err;

static size_t endpoints(const char *const *hosts, size_t count, int64_t port, const char *socket) {
  tn_pg_config c = {.host = {hosts, count}, .port = port, .socket = socket};
  size_t n = 0;
  err = (tenon_error)TENON_ERROR_INIT;
  return tn_pg_endpoints(&c, ends, &n, &err) ? 0 : n;
}

static void check_host(const char *text, const char *host, int port) {
  assert_int_equal(endpoints(&text, 1, 6000, NULL), 1);
  assert_string_equal(ends[0].host, host);
  assert_int_equal(ends[0].port, port);
  assert_false(ends[0].local);
}

static void check_wrong(const char *text) {
  assert_int_equal(endpoints(&text, 1, 0, NULL), 0);
  assert_int_equal(err.code, TENON_CONFIG);
}

static void test_hosts(void **unused) {
  (void)unused;
  check_host("db", "db", 6000);
  check_host("db:1", "db", 1);
  check_host("::1", "::1", 6000);
  check_host("[::1]", "::1", 6000);
  check_host("[::1]:65535", "::1", 65535);
  check_host("10.0.0.1:5433", "10.0.0.1", 5433);
  static const char *const wrong[] = {"",     ":5432", "db:",    "db:0", "db:65536", "db:54x",
                                      "[::1", "[]",    "[::1]x", "/tmp", "@x"};
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) check_wrong(wrong[i]);
}

static void test_sockets(void **unused) {
  (void)unused;
  static const char *const hosts[] = {"a", "b"};
  char deep[200];
  assert_int_equal(endpoints(NULL, 0, 0, "/run"), 1);
  assert_true(ends[0].local);
  assert_int_equal(ends[0].port, 5432);
  assert_int_equal(endpoints(hosts, 2, 0, NULL), 2);
  assert_int_equal(endpoints(hosts, 2, 0, "/run"), 0);
  assert_int_equal(endpoints(NULL, 0, 0, NULL), 0);
  assert_int_equal(endpoints(NULL, 0, 0, "relative"), 0);
  memset(deep, 'x', sizeof deep);
  deep[0] = '/';
  deep[sizeof deep - 1] = 0;
  assert_int_equal(endpoints(NULL, 0, 0, deep), 0);
  assert_non_null(strstr(err.message, "characters"));
}

static tenon_address address(int family, const char *text) {
  tenon_address a = {0};
  if (family == AF_INET) {
    struct sockaddr_in four = {.sin_family = AF_INET};
    assert_int_equal(inet_pton(AF_INET, text, &four.sin_addr), 1);
    memcpy(a.sa.bytes, &four, sizeof four);
  } else {
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    assert_int_equal(inet_pton(AF_INET6, text, &six.sin6_addr), 1);
    memcpy(a.sa.bytes, &six, sizeof six);
  }
  return a;
}

static void test_loopback(void **unused) {
  (void)unused;
  static const struct { int family; const char *text; bool near;
  } cases[] = {{AF_INET, "127.0.0.1", true},
               {AF_INET, "127.255.0.9", true},
               {AF_INET, "128.0.0.1", false},
               {AF_INET, "10.0.0.1", false},
               {AF_INET6, "::1", true},
               {AF_INET6, "::ffff:127.0.0.1", true},
               {AF_INET6, "::ffff:10.0.0.1", false},
               {AF_INET6, "fe80::1", false}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tenon_address a = address(cases[i].family, cases[i].text);
    assert_int_equal(tn_pg_is_loopback(&a), cases[i].near);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_urls),    cmocka_unit_test(test_long_url), cmocka_unit_test(test_hosts),
      cmocka_unit_test(test_sockets), cmocka_unit_test(test_loopback),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
