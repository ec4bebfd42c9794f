/* SPDX-License-Identifier: Apache-2.0 */
/* Pools: reuse, limits, order of arrival, checks, resets, replacement, and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "core/faults.h"
#include "core/session_parts.h"
#include "fake_kind.h"

static int setup(void **state) {
  (void)state;
  fake_reset();
  return 0;
}

static int nothing_is_left(void **state) {
  (void)state;
  tn_faults_set(NULL, 0);
  assert_int_equal(atomic_load(&fake.open), 0);
  assert_int_equal(atomic_load(&fake.streams), 0);
  return 0;
}

typedef const char *const pairs[];

static tenon_ctx *ctx_of(int64_t ms) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, ms, &ctx, NULL), TENON_OK);
  return ctx;
}

static void sessions_are_reused(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, NULL);
  for (int i = 0; i < 10; i++) tn_session_release(fake_session(c));
  assert_int_equal(fake.opens, 1);
  assert_int_equal(fake.resets, 0);   /* nobody used them */
  assert_int_equal(fake.checks, 0);
  tn_connector_free(c);
  assert_int_equal(fake.closes, 1);
}

static void plain_kinds_are_not_kept(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_plain, NULL);
  for (int i = 0; i < 3; i++) tn_session_release(fake_session(c));
  assert_int_equal(fake.opens, 3);
  assert_int_equal(fake.closes, 3);
  tn_connector_free(c);
}

static void used_ones_are_reset_and_broken_ones_dropped(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, NULL);
  const tenon_read r = fake_read();
  struct ArrowArrayStream rows;
  tenon_error err = TENON_ERROR_INIT;
  tn_session *s = fake_session(c);
  assert_int_equal(tn_tables_read(NULL, s, &r, &rows, NULL, NULL), TENON_OK);
  assert_int_equal(fake_drain(&rows, &err), 10);
  tn_session_release(s);
  assert_int_equal(fake.resets, 1);
  fake.fail_resets = 1;
  s = fake_session(c);
  assert_int_equal(tn_tables_read(NULL, s, &r, &rows, NULL, NULL), TENON_OK);
  assert_int_equal(fake_drain(&rows, &err), 10);
  tn_session_release(s);
  assert_int_equal(fake.open, 0);
  s = fake_session(c);
  assert_int_equal(fake.opens, 2);
  tn_session_release(s);
  tn_connector_free(c);
}

static void the_most_is_kept_to(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"pool_size", "2", "max_overflow", "1",
                                                         NULL});
  tn_session *s[3], *more;
  for (int i = 0; i < 3; i++) s[i] = fake_session(c);
  tenon_ctx *ctx = ctx_of(100);
  tenon_error err = TENON_ERROR_INIT;
  int64_t began = tn_now_ms();
  assert_int_equal(tn_session_acquire(ctx, c, &more, &err), TENON_TIMEOUT);
  assert_in_range(tn_now_ms() - began, 90, 1100);
  assert_string_equal(err.message, "shop: all 3 sessions are in use");
  assert_non_null(strstr(err.remedy, "max_overflow"));
  tenon_ctx_free(ctx);
  for (int i = 0; i < 3; i++) tn_session_release(s[i]);
  assert_int_equal(fake.open, 2);   /* the third was overflow */
  tn_connector_free(c);
}

static void idle_ones_are_checked(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, NULL);
  tn_session *s = fake_session(c);
  tn_session_release(s);
  s->idle_since_ms -= 2000;
  assert_ptr_equal(fake_session(c), s);
  assert_int_equal(fake.checks, 1);
  tn_session_release(s);
  s->idle_since_ms -= 2000;
  fake.fail_checks = 1;
  s = fake_session(c);
  assert_int_equal(fake.checks, 2);
  assert_int_equal(fake.opens, 2);
  assert_int_equal(fake.open, 1);
  tn_session_release(s);
  tn_connector_free(c);
}

static void old_ones_are_replaced(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"pool_recycle", "60", NULL});
  tn_session *s = fake_session(c);
  tn_session_release(s);
  s->opened_ms -= 59000;
  assert_ptr_equal(fake_session(c), s);
  tn_session_release(s);
  s->opened_ms -= 2000;
  s = fake_session(c);
  assert_int_equal(fake.opens, 2);
  assert_int_equal(fake.open, 1);
  tn_session_release(s);
  tn_connector_free(c);
}

static void failed_opens_give_their_place_back(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"pool_size", "1", "max_overflow", "0",
                                                         "password", "canary-7", NULL});
  tn_session *s = (tn_session *)1;
  tenon_error err = TENON_ERROR_INIT;
  fake.fail_opens = 2;   /* one is tried again */
  assert_int_equal(tn_session_acquire(NULL, c, &s, &err), TENON_UNREACHABLE);
  assert_ptr_equal(s, (tn_session *)1);
  assert_string_equal(err.message, "nobody there for ***");
  assert_int_equal(fake.opens, 2);
  fake.fail_opens = 1;
  s = fake_session(c);
  tn_session_release(s);
  tn_connector_free(c);
}

/* ---- The line ---- */

typedef struct visitor {
  pthread_t thread;
  tn_connector *connector;
  tenon_ctx *ctx;
  tenon_status status;
  int turn;
} visitor;

static atomic_int turns;

static void *visit(void *arg) {
  visitor *v = arg;
  tn_session *s = NULL;
  v->status = tn_session_acquire(v->ctx, v->connector, &s, NULL);
  if (v->status) return NULL;
  v->turn = atomic_fetch_add(&turns, 1);
  usleep(2000);
  tn_session_release(s);
  return NULL;
}

static int in_line(tn_connector *c) {
  int n = 0;
  pthread_mutex_lock(&c->lock);
  for (tn_waiter *w = c->first_waiter; w; w = w->next) n++;
  pthread_mutex_unlock(&c->lock);
  return n;
}

static void wait_for_line(tn_connector *c, int n) {
  for (int64_t until = tn_now_ms() + 5000; in_line(c) != n; usleep(200))
    assert_true(tn_now_ms() < until);
}

static void first_come_first_served(void **state) {
  (void)state;
  enum { VISITORS = 12 };
  visitor v[VISITORS];
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"pool_size", "1", "max_overflow", "0",
                                                         NULL});
  tn_session *held = fake_session(c);
  atomic_store(&turns, 0);
  for (int i = 0; i < VISITORS; i++) {
    v[i] = (visitor){.connector = c, .ctx = ctx_of(10000)};
    pthread_create(&v[i].thread, NULL, visit, &v[i]);
    wait_for_line(c, i + 1);
  }
  /* one gives up in the middle, one is cancelled */
  tenon_ctx_cancel(v[5].ctx);
  wait_for_line(c, VISITORS - 1);
  tn_session_release(held);
  for (int i = 0; i < VISITORS; i++) pthread_join(v[i].thread, NULL);
  for (int i = 0; i < VISITORS; i++) {
    assert_int_equal(v[i].status, i == 5 ? TENON_CANCELLED : TENON_OK);
    if (i != 5) assert_int_equal(v[i].turn, i < 5 ? i : i - 1);
    tenon_ctx_free(v[i].ctx);
  }
  assert_int_equal(fake.opens, 1);
  tn_connector_free(c);
}

static void a_broken_session_lets_the_next_in_line_open_one(void **state) {
  (void)state;
  visitor v;
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"pool_size", "1", "max_overflow", "0",
                                                         NULL});
  tn_session *held = fake_session(c);
  v = (visitor){.connector = c, .ctx = ctx_of(10000)};
  pthread_create(&v.thread, NULL, visit, &v);
  wait_for_line(c, 1);
  atomic_store(&held->broken, true);
  tn_session_release(held);
  pthread_join(v.thread, NULL);
  assert_int_equal(v.status, TENON_OK);
  assert_int_equal(fake.opens, 2);
  tenon_ctx_free(v.ctx);
  tn_connector_free(c);
}

/* ---- Replacement ---- */

static void new_parameters_make_new_sessions(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, (pairs){"password", "old", NULL});
  const tenon_read r = fake_read();
  struct ArrowArrayStream rows;
  tenon_error err = TENON_ERROR_INIT;
  tn_session *idle = fake_session(c), *streaming = fake_session(c);
  tn_session_release(idle);
  assert_int_equal(tn_tables_read(NULL, streaming, &r, &rows, NULL, NULL), TENON_OK);
  tn_session_release(streaming);
  assert_int_equal(tn_connector_replace(c, fake_config_of(&fake_pooled,
                                                          (pairs){"password", "new",
                                                                  NULL}), NULL), TENON_OK);
  assert_int_equal(fake.open, 1);   /* the idle one is gone, the stream goes on */
  tn_session *s = fake_session(c);
  assert_int_equal(fake.opens, 3);
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(fake.open, 1);   /* the old session went with its stream */
  tn_session_release(s);
  tn_connector_free(c);
}

static void sessions_outlive_the_connector(void **state) {
  (void)state;
  tn_connector *c = fake_connector(&fake_pooled, NULL);
  const tenon_read r = fake_read();
  struct ArrowArrayStream rows;
  tenon_error err = TENON_ERROR_INIT;
  tn_session *s = fake_session(c);
  tn_connector_free(tn_connector_ref(c));
  assert_int_equal(tn_tables_read(NULL, s, &r, &rows, NULL, NULL), TENON_OK);
  tn_session_release(s);
  tn_connector_free(c);
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(fake.open, 0);
}

/* ---- Threads ---- */

static tn_connector *busy;
static atomic_int failures;

static void *work(void *arg) {
  unsigned seed = (unsigned)(uintptr_t)arg * 2654435761u;
  const tenon_read r = fake_read();
  for (int i = 0; i < 300; i++) {
    tn_session *s = NULL;
    seed = seed * 1103515245 + 12345;
    if (tn_session_acquire(NULL, busy, &s, NULL)) {
      atomic_fetch_add(&failures, 1);
      continue;
    }
    struct ArrowArrayStream rows;
    if (seed >> 20 & 1 && tn_tables_read(NULL, s, &r, &rows, NULL, NULL) == TENON_OK) {
      struct ArrowArray batch;
      if (rows.get_next(&rows, &batch) == 0 && batch.release) batch.release(&batch);
      if (seed >> 21 & 1) {
        rows.release(&rows);
        tn_session_release(s);
      } else {
        tn_session_release(s);
        rows.release(&rows);
      }
    } else {
      tn_session_release(s);
    }
    if ((seed >> 16 & 63) == 0)
      tn_connector_replace(busy, fake_config_of(&fake_pooled, NULL), NULL);
  }
  return NULL;
}

static void many_threads(void **state) {
  (void)state;
  pthread_t threads[8];
  busy = fake_connector(&fake_pooled, (pairs){"pool_size", "2", "max_overflow", "2", NULL});
  const tn_fault faults[] = {{.operation = "reset", .at = 50, .times = 10, .code = TENON_IO},
                             {.operation = "tables.read", .at = 99, .times = 3, .code = TENON_IO}};
  tn_faults_set(faults, 2);
  atomic_store(&failures, 0);
  for (uintptr_t i = 0; i < 8; i++) pthread_create(&threads[i], NULL, work, (void *)(i + 1));
  for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
  assert_int_equal(failures, 0);
  assert_true(busy->total <= 20);
  tn_connector_free(busy);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, nothing_is_left)
  const struct CMUnitTest tests[] = {
      TEST(sessions_are_reused),
      TEST(plain_kinds_are_not_kept),
      TEST(used_ones_are_reset_and_broken_ones_dropped),
      TEST(the_most_is_kept_to),
      TEST(idle_ones_are_checked),
      TEST(old_ones_are_replaced),
      TEST(failed_opens_give_their_place_back),
      TEST(first_come_first_served),
      TEST(a_broken_session_lets_the_next_in_line_open_one),
      TEST(new_parameters_make_new_sessions),
      TEST(sessions_outlive_the_connector),
      TEST(many_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
