/* SPDX-License-Identifier: Apache-2.0 */
/* Contexts: deadlines, cancelling, waiting, hooks, children, stall limits; threads (also run under TSan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"

static tenon_ctx *context(tenon_ctx *parent, int64_t timeout_ms) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(parent, timeout_ms, &ctx, NULL), TENON_OK);
  return ctx;
}

static void waits_until_the_deadline(void **state) {
  (void)state;
  tenon_ctx *ctx = context(NULL, 60);
  tenon_error err = TENON_ERROR_INIT;
  int64_t start = tn_now_ms();
  assert_int_equal(tn_ctx_wait(ctx, NULL, 0, -1, &err), TENON_TIMEOUT);
  assert_in_range(tn_now_ms() - start, 59, 1000);
  assert_int_equal(err.code, TENON_TIMEOUT);
  assert_int_equal(tn_ctx_check(ctx, NULL), TENON_TIMEOUT);
  assert_int_equal(tn_ctx_remaining_ms(ctx), 0);
  tenon_ctx_free(ctx);
}

static void a_wait_of_its_own_ends_without_an_error(void **state) {
  (void)state;
  tenon_ctx *ctx = context(NULL, -1);
  int pipe_fds[2];
  assert_int_equal(pipe(pipe_fds), 0);
  struct pollfd p = {.fd = pipe_fds[0], .events = POLLIN};
  assert_int_equal(tn_ctx_wait(ctx, &p, 1, 30, NULL), TENON_OK);
  assert_int_equal(p.revents, 0);
  assert_int_equal(write(pipe_fds[1], "x", 1), 1);
  assert_int_equal(tn_ctx_wait(ctx, &p, 1, 10000, NULL), TENON_OK);
  assert_true(p.revents & POLLIN);
  assert_true(tn_ctx_remaining_ms(ctx) == INT64_MAX);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
  tenon_ctx_free(ctx);
}

static void *cancel_soon(void *ctx) {
  usleep(20000);
  tenon_ctx_cancel(ctx);
  tenon_ctx_free(ctx);
  return NULL;
}

static void cancelling_the_parent_wakes_a_grandchild(void **state) {
  (void)state;
  tenon_ctx *root = context(NULL, -1), *child = context(root, 60000), *leaf = context(child, -1);
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_soon, tenon_ctx_ref(root));
  tenon_error err = TENON_ERROR_INIT;
  int64_t start = tn_now_ms();
  assert_int_equal(tn_ctx_wait(leaf, NULL, 0, -1, &err), TENON_CANCELLED);
  assert_in_range(tn_now_ms() - start, 0, 250);
  assert_true(tn_ctx_has_deadline(leaf));
  pthread_join(thread, NULL);
  tenon_ctx *late = context(child, -1);
  assert_int_equal(tn_ctx_check(late, NULL), TENON_CANCELLED);
  tenon_ctx_free(late);
  tenon_ctx_free(leaf);
  tenon_ctx_free(child);
  tenon_ctx_free(root);
}

static atomic_int calls;

static void count_call(void *arg) {
  (void)arg;
  atomic_fetch_add(&calls, 1);
}

static void hooks_are_called_once_at_cancel(void **state) {
  (void)state;
  atomic_store(&calls, 0);
  tenon_ctx *ctx = context(NULL, -1);
  tenon_hook *a, *b, *late;
  assert_int_equal(tn_ctx_on_cancel(ctx, count_call, NULL, &a, NULL), TENON_OK);
  assert_int_equal(tn_ctx_on_cancel(ctx, count_call, NULL, &b, NULL), TENON_OK);
  tn_ctx_off_cancel(b);
  tenon_ctx_cancel(ctx);
  tenon_ctx_cancel(ctx);
  assert_int_equal(atomic_load(&calls), 1);
  assert_int_equal(tn_ctx_on_cancel(ctx, count_call, NULL, &late, NULL), TENON_OK);
  assert_int_equal(atomic_load(&calls), 2);
  tn_ctx_off_cancel(a);
  tn_ctx_off_cancel(late);
  tenon_ctx_free(ctx);
}

static void post(void *arg) {
  if (write(*(int *)arg, "x", 1) < 0) abort();
}

static void the_housekeeper_fires_deadlines(void **state) {
  (void)state;
  int fds[2];
  assert_int_equal(pipe(fds), 0);
  tenon_ctx *ctx = context(NULL, 50), *stalling = context(NULL, -1), *other = context(NULL, -1);
  tenon_hook *deadline, *stall, *never;
  assert_int_equal(tn_ctx_on_cancel(other, count_call, NULL, &never, NULL), TENON_OK);
  assert_int_equal(tn_ctx_on_cancel(ctx, post, &fds[1], &deadline, NULL), TENON_OK);
  assert_int_equal(tn_ctx_on_cancel(stalling, post, &fds[1], &stall, NULL), TENON_OK);
  tn_ctx_stall_begin(stalling, 50);
  struct pollfd p = {.fd = fds[0], .events = POLLIN};
  char byte;
  for (int i = 0; i < 2; i++) {
    assert_int_equal(poll(&p, 1, 5000), 1);
    assert_int_equal(read(fds[0], &byte, 1), 1);
  }
  assert_int_equal(tn_ctx_check(ctx, NULL), TENON_TIMEOUT);
  assert_int_equal(tn_ctx_check(stalling, NULL), TENON_TIMEOUT);
  assert_int_equal(tn_ctx_check(other, NULL), TENON_OK);
  tn_ctx_off_cancel(deadline);
  tn_ctx_off_cancel(stall);
  tn_ctx_off_cancel(never);
  tenon_ctx_free(ctx);
  tenon_ctx_free(stalling);
  tenon_ctx_free(other);
  close(fds[0]);
  close(fds[1]);
}

static void the_stall_limit_holds_only_during_a_step(void **state) {
  (void)state;
  tenon_ctx *ctx = context(NULL, -1);
  tn_ctx_stall_begin(ctx, 20);
  tn_ctx_stall_end(ctx);
  assert_int_equal(tn_ctx_wait(ctx, NULL, 0, 60, NULL), TENON_OK);
  tn_ctx_stall_begin(ctx, 20);
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_ctx_wait(ctx, NULL, 0, -1, &err), TENON_TIMEOUT);
  assert_non_null(strstr(err.message, "stall"));
  tenon_ctx_free(ctx);
}

static void *churn(void *arg) {
  tenon_ctx *root = arg;
  for (int i = 0; i < 300; i++) {
    tenon_ctx *c = context(root, i % 3 ? 1 : -1);
    tenon_hook *h;
    if (tn_ctx_on_cancel(c, count_call, NULL, &h, NULL) == TENON_OK) {
      tn_ctx_wait(c, NULL, 0, i % 2, NULL);
      if (i % 5 == 0) tenon_ctx_cancel(c);
      tn_ctx_off_cancel(h);
    }
    tenon_ctx_free(c);
  }
  tenon_ctx_free(root);
  return NULL;
}

static void many_threads_make_cancel_and_free(void **state) {
  (void)state;
  tenon_ctx *root = context(NULL, -1);
  pthread_t threads[6];
  for (int i = 0; i < 6; i++) pthread_create(&threads[i], NULL, churn, tenon_ctx_ref(root));
  usleep(30000);
  tenon_ctx_cancel(root);
  for (int i = 0; i < 6; i++) pthread_join(threads[i], NULL);
  assert_int_equal(tn_ctx_check(root, NULL), TENON_CANCELLED);
  tenon_ctx_free(root);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(waits_until_the_deadline),
      cmocka_unit_test(a_wait_of_its_own_ends_without_an_error),
      cmocka_unit_test(cancelling_the_parent_wakes_a_grandchild),
      cmocka_unit_test(hooks_are_called_once_at_cancel),
      cmocka_unit_test(the_housekeeper_fires_deadlines),
      cmocka_unit_test(the_stall_limit_holds_only_during_a_step),
      cmocka_unit_test(many_threads_make_cancel_and_free),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
