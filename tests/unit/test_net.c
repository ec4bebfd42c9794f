/* SPDX-License-Identifier: Apache-2.0 */
/* Names and connections within deadlines: what is found, what is refused, what is given up in time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "net/connect.h"
#include "net/resolve.h"

static tenon_ctx *ctx_of(int64_t timeout_ms) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, timeout_ms, &ctx, NULL), TENON_OK);
  return ctx;
}

static int listener(int backlog, uint16_t *ret_port) {
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof in;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
  assert_int_equal(listen(fd, backlog), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &size), 0);
  *ret_port = ntohs(in.sin_port);
  return fd;
}

static tenon_address loopback(uint16_t port) {
  tenon_address a;
  size_t n;
  tenon_ctx *ctx = ctx_of(-1);
  assert_int_equal(tn_resolve(ctx, "127.0.0.1", port, &a, 1, &n, NULL), TENON_OK);
  assert_int_equal(n, 1);
  tenon_ctx_free(ctx);
  return a;
}

static void numeric_addresses(void **state) {
  (void)state;
  tenon_ctx *ctx = ctx_of(1000);
  tenon_address a[4];
  size_t n = 0;
  assert_int_equal(tn_resolve(ctx, "::1", 80, a, 4, &n, NULL), TENON_OK);
  assert_int_equal(n, 1);
  assert_string_equal(a[0].text, "::1");
  assert_int_equal(tn_resolve(ctx, "/run/x.sock", 0, a, 4, &n, NULL), TENON_OK);
  assert_string_equal(a[0].text, "/run/x.sock");
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_resolve(ctx, "224.0.0.1", 80, a, 4, &n, &err), TENON_FORBIDDEN);
  static const char *const bad[] = {"", "a b", "a\nb"};
  for (size_t i = 0; i < 3; i++)
    assert_int_equal(tn_resolve(ctx, bad[i], 80, a, 4, &n, NULL), TENON_CONFIG);
  char longest[300];
  memset(longest, 'a', 299);
  longest[299] = 0;
  assert_int_equal(tn_resolve(ctx, longest, 80, a, 4, &n, NULL), TENON_CONFIG);
  longest[0] = '/';
  assert_int_equal(tn_resolve(ctx, longest, 80, a, 4, &n, NULL), TENON_CONFIG);
  tenon_ctx_free(ctx);
}

static void names(void **state) {
  (void)state;
  tenon_ctx *ctx = ctx_of(10000);
  tenon_address a[4];
  size_t n = 0;
  assert_int_equal(tn_resolve(ctx, "localhost", 80, a, 4, &n, NULL), TENON_OK);
  assert_true(n >= 1);
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_resolve(ctx, "no-such-host.invalid", 80, a, 4, &n, &err), TENON_UNREACHABLE);
  assert_int_equal(err.stage, TENON_STAGE_DNS);
  assert_non_null(strstr(err.message, "no-such-host.invalid"));
  assert_true(err.remedy[0]);
  tenon_ctx_free(ctx);
  /* a context that has ended asks nobody */
  ctx = ctx_of(-1);
  tenon_ctx_cancel(ctx);
  assert_int_equal(tn_resolve(ctx, "localhost", 80, a, 4, &n, NULL), TENON_CANCELLED);
  tenon_ctx_free(ctx);
}

static void connects(void **state) {
  (void)state;
  uint16_t port;
  int server = listener(4, &port), fd = -1;
  tenon_ctx *ctx = ctx_of(2000);
  tenon_address a = loopback(port);
  assert_int_equal(tn_connect(ctx, &a, -1, &fd, NULL), TENON_OK);
  assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
  close(server);
  tenon_error err = TENON_ERROR_INIT;
  fd = -7;
  assert_int_equal(tn_connect(ctx, &a, -1, &fd, &err), TENON_UNREACHABLE);
  assert_int_equal(fd, -7);
  assert_int_equal(err.stage, TENON_STAGE_TCP);
  char where[32];
  snprintf(where, sizeof where, "127.0.0.1:%u", port);
  assert_non_null(strstr(err.message, where));
  assert_non_null(strstr(err.remedy, "port"));
  tenon_ctx_free(ctx);
}

/* A server whose queue is full drops what comes: the connection hangs. */
static void hangs(tenon_ctx *ctx, int timeout_ms, tenon_status expected, int64_t at_least_ms,
                  int64_t at_most_ms) {
  uint16_t port;
  int server = listener(0, &port), fill[8], fd = -7;
  for (int i = 0; i < 8; i++) {
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(port),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    fill[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    (void)!connect(fill[i], (struct sockaddr *)&in, sizeof in);
  }
  tenon_address a = loopback(port);
  tenon_error err = TENON_ERROR_INIT;
  int64_t begin = tn_now_ms();
  assert_int_equal(tn_connect(ctx, &a, timeout_ms, &fd, &err), expected);
  int64_t took = tn_now_ms() - begin;
  if (took < at_least_ms || took > at_most_ms) fail_msg("%lld ms", (long long)took);
  assert_int_equal(fd, -7);
  if (expected == TENON_TIMEOUT) assert_int_equal(err.stage, TENON_STAGE_TCP);
  for (int i = 0; i < 8; i++) close(fill[i]);
  close(server);
}

static void *cancel_soon(void *ctx) {
  usleep(100000);
  tenon_ctx_cancel(ctx);
  return NULL;
}

static void gives_up_in_time(void **state) {
  (void)state;
  tenon_ctx *ctx = ctx_of(-1);
  hangs(ctx, 150, TENON_TIMEOUT, 150, 1150);
  tenon_ctx_free(ctx);
  ctx = ctx_of(150);
  hangs(ctx, -1, TENON_TIMEOUT, 140, 1150);
  tenon_ctx_free(ctx);
  ctx = ctx_of(-1);
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_soon, ctx);
  hangs(ctx, -1, TENON_CANCELLED, 0, 350);
  pthread_join(thread, NULL);
  tenon_ctx_free(ctx);
}

static void unix_sockets(void **state) {
  (void)state;
  char path[64], folder[] = "/tmp/tenon-net-XXXXXX";
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/s", folder);
  tenon_ctx *ctx = ctx_of(2000);
  tenon_address a;
  size_t n;
  int fd = -1;
  assert_int_equal(tn_resolve(ctx, path, 0, &a, 1, &n, NULL), TENON_OK);
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_connect(ctx, &a, -1, &fd, &err), TENON_UNREACHABLE);
  assert_non_null(strstr(err.message, path));
  struct sockaddr_un un = {.sun_family = AF_UNIX};
  snprintf(un.sun_path, sizeof un.sun_path, "%s", path);
  int server = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(server, (struct sockaddr *)&un, sizeof un), 0);
  assert_int_equal(listen(server, 0), 0);
  assert_int_equal(tn_connect(ctx, &a, -1, &fd, NULL), TENON_OK);
  /* its queue holds one: the next is asked again until there is room, or time is up */
  int second = -1, third = -1;
  tenon_status status = tn_connect(ctx, &a, 100, &second, NULL);
  if (status == TENON_OK) status = tn_connect(ctx, &a, 100, &third, NULL);
  assert_int_equal(status, TENON_TIMEOUT);
  close(fd);
  if (second >= 0) close(second);
  close(server);
  unlink(path);
  rmdir(folder);
  tenon_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numeric_addresses),
      cmocka_unit_test(names),
      cmocka_unit_test(connects),
      cmocka_unit_test(gives_up_in_time),
      cmocka_unit_test(unix_sockets),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
