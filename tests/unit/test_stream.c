/* SPDX-License-Identifier: Apache-2.0 */
/* Calls and streams: errors in full, retries, conflicts, cancelling, time, and what outlives what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/faults.h"
#include "core/session_parts.h"
#include "fake_kind.h"

static tn_connector *connector;

static int setup(void **state) {
  (void)state;
  fake_reset();
  connector = fake_connector(&fake_pooled, (const char *const[]){"password", "canary-42", NULL});
  return 0;
}

static int nothing_is_left(void **state) {
  (void)state;
  tn_faults_set(NULL, 0);
  tn_connector_free(connector);
  assert_int_equal(atomic_load(&fake.open), 0);
  assert_int_equal(atomic_load(&fake.streams), 0);
  return 0;
}

static tenon_ctx *ctx_of(int64_t ms) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, ms, &ctx, NULL), TENON_OK);
  return ctx;
}

static tenon_status open_rows(tenon_ctx *ctx, tn_session *s, struct ArrowArrayStream *ret,
                              tenon_error *err) {
  const tenon_read r = fake_read();
  tn_error_init(err);
  return tn_tables_read(ctx, s, &r, ret, NULL, err);
}

static void rows_come_in_batches(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_null(rows.get_last_error(&rows));
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_null(rows.release);
  assert_int_equal(tn_tables_list(NULL, s, NULL, &rows, NULL), TENON_OK);
  assert_int_equal(fake_drain(&rows, &err), 10);
  fake.rows = 0;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(fake_drain(&rows, &err), 0);
  tn_session_release(s);
}

static void the_full_error_comes_out_of_a_stream(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err;
  fake.fail_at_batch = 2;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(rows.get_next(&rows, &batch), 0);
  batch.release(&batch);
  batch.length = 77;
  assert_int_equal(rows.get_next(&rows, &batch), EINVAL);
  assert_int_equal(batch.length, 77);
  assert_string_equal(rows.get_last_error(&rows), "a bad value, ***");
  /* again the same, without asking the system */
  assert_int_equal(rows.get_next(&rows, &batch), EINVAL);
  assert_int_equal(tn_stream_error(&rows, EINVAL, &err), TENON_DATA);
  assert_string_equal(err.message, "a bad value, ***");
  assert_string_equal(err.remedy, "mend it");
  assert_int_equal(err.stage, TENON_STAGE_DATA);
  rows.release(&rows);
  tn_session_release(s);
}

static void an_open_stream_keeps_its_session(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows, more;
  tenon_error err;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(open_rows(NULL, s, &more, &err), TENON_CONFLICT);
  assert_non_null(strstr(err.message, "while a stream of the session is open"));
  tn_session_release(s);
  assert_int_equal(fake.resets, 0);
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(fake.resets, 1);
  /* a shared kind has no such limit */
  tn_connector *shared = fake_connector(&fake_shared, NULL);
  s = fake_session(shared);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(open_rows(NULL, s, &more, &err), TENON_OK);
  tn_session_release(s);
  tn_connector_free(shared);
  assert_int_equal(fake_drain(&more, &err), 10);
  assert_int_equal(fake_drain(&rows, &err), 10);
}

static void batches_outlive_everything(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(rows.get_next(&rows, &batch), 0);
  rows.release(&rows);
  tn_session_release(s);
  tn_connector_free(connector);
  connector = NULL;
  assert_int_equal(((const int64_t *)batch.children[0]->buffers[1])[3], 3);
  batch.release(&batch);
}

/* ---- Retries ---- */

static void what_passes_by_itself_is_tried_again(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 2, .code = TENON_LIMITED,
                            .retryable = true}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(fake.opens, 1);
  /* the third failure is the answer */
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 3, .code = TENON_LIMITED,
                            .retryable = true}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_LIMITED);
  assert_string_equal(err.message, "injected fault in tables.read");
  /* what does not pass is not */
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 1,
                            .code = TENON_NOT_FOUND}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_NOT_FOUND);
  tn_session_release(s);
}

static void the_first_batch_belongs_to_the_attempt(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err;
  fake.fail_batches = 1;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(fake.reads, 2);
  assert_int_equal(fake.opens, 2);   /* the session that broke was opened again */
  assert_int_equal(fake.open, 1);
  /* behind it nothing is repeated */
  assert_int_equal(rows.get_next(&rows, &batch), 0);
  batch.release(&batch);
  fake.fail_batches = 1;
  assert_int_equal(fake_drain(&rows, &err), -1);
  assert_int_equal(err.code, TENON_UNREACHABLE);
  assert_int_equal(fake.reads, 2);
  tn_session_release(s);
  assert_int_equal(fake.open, 0);
}

static void the_system_may_say_when(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  int64_t began = tn_now_ms();
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 1, .code = TENON_LIMITED,
                            .retryable = true, .retry_after_ms = 400}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_in_range(tn_now_ms() - began, 400, 1400);
  assert_int_equal(fake_drain(&rows, &err), 10);
  /* not if that is later than anybody waits */
  tenon_ctx *ctx = ctx_of(1000);
  began = tn_now_ms();
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 1, .code = TENON_LIMITED,
                            .retryable = true, .retry_after_ms = 5000}, 1);
  assert_int_equal(open_rows(ctx, s, &rows, &err), TENON_LIMITED);
  assert_in_range(tn_now_ms() - began, 0, 300);
  tenon_ctx_free(ctx);
  tn_session_release(s);
}

static void retries_have_a_budget(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  atomic_store(&connector->budget_milli, 1000);
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 99, .code = TENON_LIMITED,
                            .retryable = true}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_LIMITED);
  int64_t began = tn_now_ms();
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_LIMITED);
  assert_in_range(tn_now_ms() - began, 0, 40);
  tn_session_release(s);
}

static void what_failed_is_looked_at_before_it_is_used_again(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  tn_faults_set(&(tn_fault){.operation = "tables.read", .at = 1, .times = 2,
                            .code = TENON_NOT_FOUND}, 1);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_NOT_FOUND);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_NOT_FOUND);
  assert_int_equal(fake.checks, 1);
  assert_int_equal(fake.opens, 1);
  fake.fail_checks = 1;   /* its kind has given it up */
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(fake.opens, 2);
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(fake.checks, 2);
  assert_int_equal(fake_drain(&rows, &err), 10);
  tn_session_release(s);
}

/* ---- Time ---- */

static void deadlines_hold(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err;
  tenon_ctx *ctx = ctx_of(300);
  assert_int_equal(open_rows(ctx, s, &rows, &err), TENON_OK);
  fake.slow_ms = 100000;
  int64_t began = tn_now_ms();
  int code = 0;
  while (!code) {
    code = rows.get_next(&rows, &batch);
    if (!code) batch.release(&batch);
  }
  assert_int_equal(code, ETIMEDOUT);
  assert_in_range(tn_now_ms() - began, 200, 1300);
  assert_int_equal(tn_stream_error(&rows, code, &err), TENON_TIMEOUT);
  rows.release(&rows);
  tn_session_release(s);
  assert_int_equal(fake.open, 0);   /* nobody knows what it still does */
  tenon_ctx_free(ctx);
}

static void *cancel_soon(void *ctx) {
  usleep(50000);
  tenon_ctx_cancel(ctx);
  return NULL;
}

static void cancelling_reaches_the_provider(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows;
  tenon_error err;
  tenon_ctx *ctx = ctx_of(-1);
  pthread_t thread;
  fake.slow_ms = 100000;
  pthread_create(&thread, NULL, cancel_soon, ctx);
  int64_t began = tn_now_ms();
  assert_int_equal(open_rows(ctx, s, &rows, &err), TENON_CANCELLED);
  assert_in_range(tn_now_ms() - began, 40, 300);
  pthread_join(thread, NULL);
  assert_int_equal(open_rows(ctx, s, &rows, &err), TENON_CANCELLED);
  tenon_ctx_free(ctx);
  fake.slow_ms = 0;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);   /* on a session opened again */
  assert_int_equal(fake_drain(&rows, &err), 10);
  assert_int_equal(fake.opens, 2);
  tn_session_release(s);
}

/* ---- Tests of connections ---- */

static void tests_say_what_failed(void **state) {
  (void)state;
  tenon_test t;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_connector_test(NULL, connector, &t, &err), TENON_OK);
  assert_int_equal(t.step_count, 2);
  assert_string_equal(t.steps[0].evidence, "hello ***");
  assert_int_equal(t.steps[1].outcome, TENON_PASSED);   /* left open, and it went well */
  assert_true(t.steps[1].ms >= 0);
  fake.fail_opens = 1;
  assert_int_equal(tn_connector_test(NULL, connector, &t, &err), TENON_UNREACHABLE);
  assert_int_equal(t.step_count, 1);
  assert_int_equal(t.steps[0].outcome, TENON_FAILED);
  assert_string_equal(t.steps[0].evidence, "nobody there for ***");
  assert_string_equal(t.steps[0].remedy, "start it");
  assert_string_equal(err.message, "nobody there for ***");
  assert_int_equal(fake.tests, 2);   /* never tried again */
}

/* ---- What is not there ---- */

static void absent_operations_name_kind_and_operation(void **state) {
  (void)state;
  tn_session *s = fake_session(connector);
  tenon_error err = TENON_ERROR_INIT;
  tenon_executed done;
  assert_int_equal(tn_tables_execute(NULL, s, &(tenon_execute){.statement = "x"}, &done, &err),
                   TENON_UNSUPPORTED);
  assert_string_equal(err.message, "kind fake_pooled has no operation tables.execute");
  /* what is in a request is consumed all the same */
  struct ArrowArrayStream rows;
  tn_session *other = fake_session(connector);
  tenon_error why;
  assert_int_equal(open_rows(NULL, other, &rows, &why), TENON_OK);
  tenon_written written;
  assert_int_equal(tn_tables_write(NULL, s, &(tenon_write){.rows = &rows}, &written, NULL),
                   TENON_UNSUPPORTED);
  assert_null(rows.release);
  tn_session_release(other);
  tn_session_release(s);
}

/* ---- Foreign streams ---- */

static int foreign_schema(struct ArrowArrayStream *s, struct ArrowSchema *ret) {
  (void)s, (void)ret;
  return ENOENT;
}

static const char *foreign_error(struct ArrowArrayStream *s) {
  (void)s;
  return "gone away";
}

static void foreign_release(struct ArrowArrayStream *s) {
  ++*(int *)s->private_data;
  s->release = NULL;
}

static void foreign_streams_say_what_they_can(void **state) {
  (void)state;
  int released = 0;
  struct ArrowArrayStream in = {.get_schema = foreign_schema, .get_last_error = foreign_error,
                                .release = foreign_release, .private_data = &released};
  tenon_stream out;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_stream_error(&in, ENOENT, &err), TENON_NOT_FOUND);
  assert_string_equal(err.message, "gone away");
  assert_int_equal(tn_stream_error(&in, 0, NULL), TENON_OK);
  assert_int_equal(tn_stream_import(&in, &out, NULL), TENON_NOT_FOUND);
  assert_int_equal(released, 1);
  /* ours, in and out again */
  tn_session *s = fake_session(connector);
  struct ArrowArrayStream rows, again;
  fake.fail_at_batch = 2;
  assert_int_equal(open_rows(NULL, s, &rows, &err), TENON_OK);
  assert_int_equal(tn_stream_import(&rows, &out, NULL), TENON_OK);
  assert_int_equal(tn_stream_export(NULL, &out, NULL, NULL, &again, NULL), TENON_OK);
  tn_error_init(&err);
  assert_int_equal(fake_drain(&again, &err), -1);
  assert_string_equal(err.remedy, "mend it");   /* nothing was lost on the way */
  tn_session_release(s);
}

/* ---- Memory ---- */

static void failing_allocations(void **state) {
  (void)state;
  for (int64_t n = 1; n < 500; n++) {
    tn_session *s = NULL;
    struct ArrowArrayStream rows;
    tenon_error err = TENON_ERROR_INIT;
    const tenon_read r = fake_read();
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_session_acquire(NULL, connector, &s, &err);
    if (!status) status = tn_tables_read(NULL, s, &r, &rows, NULL, &err);
    int64_t made = tn_mem_count();
    if (!status && (fake_drain(&rows, &err) < 0)) status = err.code;
    tn_session_release(s);
    tn_mem_fail_at(0, 0);
    if (status && status != TENON_LIMITED) fail_msg("%s", err.message);
    if (made < n) return;
  }
  fail_msg("it never ends");
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, nothing_is_left)
  const struct CMUnitTest tests[] = {
      TEST(rows_come_in_batches),
      TEST(the_full_error_comes_out_of_a_stream),
      TEST(an_open_stream_keeps_its_session),
      TEST(batches_outlive_everything),
      TEST(what_passes_by_itself_is_tried_again),
      TEST(the_first_batch_belongs_to_the_attempt),
      TEST(the_system_may_say_when),
      TEST(retries_have_a_budget),
      TEST(what_failed_is_looked_at_before_it_is_used_again),
      TEST(deadlines_hold),
      TEST(cancelling_reaches_the_provider),
      TEST(tests_say_what_failed),
      TEST(absent_operations_name_kind_and_operation),
      TEST(foreign_streams_say_what_they_can),
      TEST(failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
