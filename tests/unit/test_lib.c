/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h: handles, kinds of one's own, sessions, streams that outlive them, copies, failing allocations. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/mem.h"
#include "fake_kind.h"
#include "tenon/tenon.h"

static char folder[64], yaml[96], rows_csv[96], out_csv[96], out_arrow[96];

static void write_file(const char *path, const char *text) {
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  fputs(text, f);
  fclose(f);
}

static int make_folder(void **state) {
  (void)state;
  snprintf(folder, sizeof folder, "/tmp/tenon-lib-XXXXXX");
  assert_non_null(mkdtemp(folder));
  snprintf(yaml, sizeof yaml, "%s/tenon.yaml", folder);
  snprintf(rows_csv, sizeof rows_csv, "%s/rows.csv", folder);
  snprintf(out_csv, sizeof out_csv, "%s/out.csv", folder);
  snprintf(out_arrow, sizeof out_arrow, "%s/out.arrows", folder);
  write_file(yaml, "connectors:\n  fake:\n    kind: fake_pooled\n    password: hunter2\n  plain:\n    kind: fake_plain\n  opaque:\n    kind: fake_opaque\n");
  write_file(rows_csv, "n,t\n1,a\n2,b\n3,\n");
  return 0;
}

static int remove_folder(void **state) {
  (void)state;
  const char *const files[] = {yaml, rows_csv, out_csv, out_arrow};
  for (size_t i = 0; i < 4; i++) unlink(files[i]);
  return rmdir(folder);
}

static tenon *new_handle(void) {
  tenon_options options = TENON_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  tenon *t = NULL;
  options.connectors = yaml;
  assert_int_equal(tenon_new(&options, &t, &err), TENON_OK);
  assert_int_equal(tenon_register(t, &fake_pooled, &err), TENON_OK);
  assert_int_equal(tenon_register(t, &fake_plain, &err), TENON_OK);
  fake_reset();
  return t;
}

static tenon_session *open_session(tenon *t, const char *target) {
  tenon_session *s = NULL;
  tenon_error err = TENON_ERROR_INIT;
  if (tenon_open(NULL, t, target, NULL, 0, &s, &err)) fail_msg("%s: %s", target, err.message);
  return s;
}

/* ---- Handles and kinds ---- */

static void a_handle_has_kinds_and_connectors(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_error err = TENON_ERROR_INIT;
  const struct tenon_provider *p;
  tenon_connector_info info = {.struct_size = sizeof info};
  assert_string_equal(tenon_version(), TENON_VERSION);
  assert_int_equal(tenon_kind_find(t, "fake_pooled", &p, &err), TENON_OK);
  assert_int_equal(tenon_kind_find(t, "rds", &p, &err), TENON_OK);
  assert_string_equal(p->kind, "postgresql");
  assert_int_equal(tenon_register(t, &fake_pooled, &err), TENON_CONFLICT);
  assert_string_equal(tenon_connectors_path(t), yaml);
  assert_int_equal(tenon_connector_at(t, 0, &info, NULL), TENON_OK);
  assert_string_equal(info.name, "fake");
  assert_string_equal(info.kind, "fake_pooled");
  assert_int_equal(tenon_connector_at(t, 3, &info, NULL), TENON_GONE);
  char *text = NULL;
  assert_int_equal(tenon_kind_schema(t, "fake_pooled", &text, NULL), TENON_OK);
  assert_non_null(strstr(text, "\"writeOnly\""));
  tenon_text_free(text);
  assert_int_equal(tenon_target_shown(t, "postgresql://me:hunter2@db/x:t", &text, NULL), TENON_OK);
  assert_string_equal(text, "postgresql://me:***@db/x:t");
  tenon_text_free(text);
  tenon_free(t);
  tenon_free(NULL);
}

static void options_have_their_size(void **state) {
  (void)state;
  tenon_options options = {0};
  tenon *t = NULL;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_new(&options, &t, &err), TENON_CONFIG);
  assert_null(t);
}

/* ---- The egress policy ---- */

static tenon *handle_under(const char *egress, const char *allow) {
  tenon_options options = TENON_OPTIONS_INIT;
  tenon *t = NULL;
  options.connectors = yaml;
  options.egress = egress;
  options.egress_allow = allow;
  assert_int_equal(tenon_new(&options, &t, NULL), TENON_OK);
  assert_int_equal(tenon_register(t, &fake_pooled, NULL), TENON_OK);
  assert_int_equal(tenon_register(t, &fake_plain, NULL), TENON_OK);
  assert_int_equal(tenon_register(t, &fake_opaque, NULL), TENON_OK);
  fake_reset();
  return t;
}

/* ctx may be NULL, of the handle, or of nobody: the handle's policy holds for all. */
static void opens_under(tenon_ctx *ctx, tenon *t, const char *host, tenon_status expected) {
  tenon_session *s = NULL;
  tenon_test steps = {.struct_size = sizeof steps};
  tenon_error err = TENON_ERROR_INIT;
  fake.host = host;
  assert_int_equal(tenon_open(ctx, t, "plain", NULL, 0, &s, &err), expected);
  if (expected) assert_non_null(strstr(err.message, "public-only"));
  assert_int_equal(tenon_test_target(ctx, t, "plain", NULL, 0, &steps, NULL), expected);
  assert_int_equal(steps.steps[0].outcome, expected ? TENON_FAILED : TENON_PASSED);
  tenon_close(s);
}

static void the_policy_holds_in_every_context(void **state) {
  (void)state;
  tenon *t = handle_under("public-only", "10.9.0.0/16,db.example");
  tenon_ctx *own, *stranger;
  assert_int_equal(tenon_ctx_new(tenon_context(t), 5000, &own, NULL), TENON_OK);
  assert_int_equal(tenon_ctx_new(NULL, 5000, &stranger, NULL), TENON_OK);
  tenon_ctx *const contexts[] = {NULL, own, stranger};
  for (int i = 0; i < 3; i++) {
    opens_under(contexts[i], t, "10.0.0.1", TENON_FORBIDDEN);
    opens_under(contexts[i], t, "127.1", TENON_FORBIDDEN);
    opens_under(contexts[i], t, "/run/postgresql/s", TENON_FORBIDDEN);
    opens_under(contexts[i], t, "10.9.1.1", TENON_OK);
    opens_under(contexts[i], t, "93.184.216.34", TENON_OK);
  }
  tenon_ctx_free(own);
  tenon_ctx_free(stranger);
  tenon_free(t);
}

/* A session that is open already, and a stream of it, connect again only where they may. */
static void the_policy_holds_in_streams(void **state) {
  (void)state;
  tenon *t = handle_under("public-only", NULL);
  tenon_ctx *stranger;
  assert_int_equal(tenon_ctx_new(NULL, 5000, &stranger, NULL), TENON_OK);
  fake.host = "93.184.216.34";
  tenon_session *s = NULL;
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  atomic_store(&fake.rows, 100);
  assert_int_equal(tenon_open(stranger, t, "plain:things", NULL, 0, &s, NULL), TENON_OK);
  assert_int_equal(tenon_read_table(stranger, s, NULL, &rows, NULL, NULL), TENON_OK);
  assert_int_equal(rows.get_next(&rows, &batch), 0);
  batch.release(&batch);
  fake.host = "169.254.169.254";
  int code = 0;
  while (!(code = rows.get_next(&rows, &batch)) && batch.release) batch.release(&batch);
  assert_int_equal(tenon_stream_error(&rows, code, &err), TENON_FORBIDDEN);
  rows.release(&rows);
  tenon_close(s);
  tenon_ctx_free(stranger);
  tenon_free(t);
}

static void kinds_that_connect_by_themselves(void **state) {
  (void)state;
  static const char *const strict[] = {"no-metadata", "public-only"};
  tenon_session *s = NULL;
  tenon_test steps = {.struct_size = sizeof steps};
  for (int i = 0; i < 2; i++) {
    tenon *t = handle_under(strict[i], NULL);
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tenon_open(NULL, t, "opaque", NULL, 0, &s, &err), TENON_FORBIDDEN);
    assert_non_null(strstr(err.message, strict[i]));
    assert_non_null(strstr(err.message, "fake_opaque"));
    assert_non_null(strstr(err.remedy, "open"));
    assert_int_equal(tenon_test_target(NULL, t, "opaque", NULL, 0, &steps, NULL), TENON_FORBIDDEN);
    assert_int_equal(fake.opens + fake.tests, 0);
    tenon_free(t);
  }
  tenon *t = handle_under("open", NULL);
  assert_int_equal(tenon_open(NULL, t, "opaque", NULL, 0, &s, NULL), TENON_OK);
  assert_int_equal(tenon_test_target(NULL, t, "opaque", NULL, 0, &steps, NULL), TENON_OK);
  tenon_close(s);
  tenon_free(t);
}

static void policies_that_are_none(void **state) {
  (void)state;
  static const char *const bad[][2] = {{"shut", NULL}, {"open", "10.0.0.0/8"}, {NULL, "10.0.0.0/8"},
                                       {"public-only", "10.0.0.1/8"}};
  for (size_t i = 0; i < 4; i++) {
    tenon_options options = TENON_OPTIONS_INIT;
    tenon *t = NULL;
    options.egress = bad[i][0];
    options.egress_allow = bad[i][1];
    assert_int_equal(tenon_new(&options, &t, NULL), TENON_CONFIG);
    assert_null(t);
  }
}

/* ---- Sessions ---- */

static void the_same_target_has_one_pool(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_close(open_session(t, "fake"));
  tenon_close(open_session(t, "fake"));
  assert_int_equal(fake.opens, 1);
  tenon_setting other = {"pool_size", "2"};
  tenon_session *s = NULL;
  assert_int_equal(tenon_open(NULL, t, "fake", &other, 1, &s, NULL), TENON_OK);
  assert_int_equal(fake.opens, 2);
  tenon_close(s);
  tenon_close(NULL);
  tenon_free(t);
  assert_int_equal(fake.open, 0);
}

static void a_stream_outlives_its_session(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_session *s = open_session(t, "fake:things");
  struct ArrowArrayStream rows;
  tenon_read_info info = {.struct_size = sizeof info};
  assert_string_equal(tenon_session_table(s).table, "things");
  assert_int_equal(tenon_read_table(NULL, s, NULL, &rows, &info, NULL), TENON_OK);
  tenon_close(s);
  assert_int_equal(fake.open, 1);
  assert_int_equal(fake_drain(&rows, NULL), 10);
  assert_int_equal(fake.streams, 0);
  tenon_free(t);
  assert_int_equal(fake.open, 0);
}

static void a_stream_gives_its_whole_failure(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_session *s = open_session(t, "fake:things");
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  fake.fail_at_batch = 2;
  assert_int_equal(tenon_read_table(NULL, s, NULL, &rows, NULL, NULL), TENON_OK);
  int code = 0;
  while (!(code = rows.get_next(&rows, &batch)) && batch.release) batch.release(&batch);
  assert_int_not_equal(code, 0);
  assert_int_equal(tenon_stream_error(&rows, code, &err), TENON_DATA);
  assert_int_equal(err.code, TENON_DATA);
  assert_true(err.message[0] != 0);
  assert_int_equal(tenon_stream_error(&rows, 0, &err), TENON_OK);
  rows.release(&rows);
  tenon_close(s);
  tenon_free(t);
}

static void a_table_has_to_be_named(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_session *s = open_session(t, "fake");
  struct ArrowArrayStream rows;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_read_table(NULL, s, NULL, &rows, NULL, &err), TENON_CONFIG);
  assert_non_null(strstr(err.remedy, "tenon ls"));
  tenon_close(s);
  tenon_free(t);
}

/* Cancelling the handle's own context ends everything that goes on, and what comes after. */
static void cancelling_the_handle_ends_its_work(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_session *s = open_session(t, "fake:things");
  struct ArrowArrayStream rows;
  struct ArrowArray batch = {0};
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_read_table(NULL, s, NULL, &rows, NULL, NULL), TENON_OK);
  tenon_ctx_cancel(tenon_context(t));
  /* one batch was there already */
  int code = rows.get_next(&rows, &batch);
  if (!code && batch.release) {
    batch.release(&batch);
    code = rows.get_next(&rows, &batch);
  }
  assert_int_equal(tenon_stream_error(&rows, code, &err), TENON_CANCELLED);
  rows.release(&rows);
  tenon_close(s);
  tenon_free(t);
}

static void tests_have_steps_and_settings(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_test test = {.struct_size = sizeof test};
  tenon_error err = TENON_ERROR_INIT;
  tenon_setting wrong = {"pool_sise", "2"};
  assert_int_equal(tenon_test_target(NULL, t, "fake", NULL, 0, &test, &err), TENON_OK);
  assert_int_equal(fake.tests, 1);
  assert_int_equal(tenon_test_target(NULL, t, "fake", &wrong, 1, &test, &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "pool_size"));
  assert_null(strstr(err.message, "hunter2"));
  tenon_free(t);
}

/* ---- Copies ---- */

typedef struct watcher {
  tenon_ctx *cancel;
  int calls;
  int64_t rows;
} watcher;

static void watch(void *arg, const tenon_progress *now) {
  watcher *w = arg;
  w->calls++;
  w->rows = now->rows;
  if (w->cancel) tenon_ctx_cancel(w->cancel);
}

static void a_copy_tells_how_far_it_is(void **state) {
  (void)state;
  tenon *t = new_handle();
  watcher w = {0};
  tenon_copied copied = {.struct_size = sizeof copied};
  tenon_copy_options how = {.struct_size = sizeof how, .progress = watch, .progress_arg = &w};
  tenon_error err = TENON_ERROR_INIT;
  if (tenon_copy(NULL, t, "fake:things", out_csv, &how, &copied, &err)) fail_msg("%s", err.message);
  assert_int_equal(copied.rows, 10);
  assert_int_equal(w.rows, 10);
  assert_int_equal(w.calls, 4);
  assert_true(copied.bytes > 0);
  assert_int_equal(unlink(out_csv), 0);
  tenon_free(t);
  assert_int_equal(fake.open, 0);
}

static void a_copy_that_is_cancelled_leaves_nothing(void **state) {
  (void)state;
  tenon *t = new_handle();
  watcher w = {0};
  tenon_copy_options how = {.struct_size = sizeof how, .progress = watch, .progress_arg = &w};
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_ctx_new(NULL, -1, &w.cancel, NULL), TENON_OK);
  assert_int_equal(tenon_copy(w.cancel, t, "fake:things", out_csv, &how, NULL, &err), TENON_CANCELLED);
  assert_int_equal(w.calls, 1);
  assert_int_not_equal(access(out_csv, F_OK), 0);
  tenon_ctx_free(w.cancel);
  tenon_free(t);
  assert_int_equal(fake.open, 0);
}

static int releases;

static void count_release(struct ArrowArrayStream *s) {
  releases++;
  s->release = NULL;
}

static void rows_are_consumed_when_a_copy_fails(void **state) {
  (void)state;
  tenon *t = new_handle();
  struct ArrowArrayStream rows = {.release = count_release};
  tenon_error err = TENON_ERROR_INIT;
  releases = 0;
  assert_int_equal(tenon_copy_rows(NULL, t, &rows, "out.unknown", NULL, NULL, &err), TENON_CONFIG);
  assert_int_equal(releases, 1);
  assert_null(rows.release);
  tenon_free(t);
}

static void a_plan_is_released(void **state) {
  (void)state;
  tenon *t = new_handle();
  tenon_copy_plan plan;
  tenon_error err = TENON_ERROR_INIT;
  if (tenon_plan_copy(NULL, t, rows_csv, out_arrow, NULL, &plan, &err)) fail_msg("%s", err.message);
  assert_int_equal(plan.column_count, 2);
  assert_string_equal(plan.columns[0].name, "n");
  assert_string_equal(plan.columns[0].type, "int64");
  assert_int_equal(plan.columns[1].landing, TENON_LANDS_EXACT);
  assert_false(plan.replaces);
  plan.release(&plan);
  assert_null(plan.release);
  tenon_free(t);
}

/* ---- Every allocation fails once: nothing leaks, nothing is left, and it says why ---- */

static tenon_status whole_story(tenon_error *err) {
  tenon_options options = TENON_OPTIONS_INIT;
  tenon *t = NULL;
  tenon_copy_plan plan = {0};
  options.connectors = yaml;
  tenon_status status = tenon_new(&options, &t, err);
  if (!status) status = tenon_plan_copy(NULL, t, rows_csv, out_arrow, NULL, &plan, err);
  if (plan.release) plan.release(&plan);
  if (!status) status = tenon_copy(NULL, t, rows_csv, out_arrow, NULL, NULL, err);
  tenon_free(t);
  return status;
}

static void every_failing_allocation_is_survived(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(whole_story(&err), TENON_OK);   /* what is kept for the process is made */
  unlink(out_arrow);
  int64_t failed = 0;
  for (int64_t n = 1;; n++) {
    tenon_error problem = TENON_ERROR_INIT;
    tn_mem_fail_at(n, 0);
    tenon_status status = whole_story(&problem);
    int64_t used = tn_mem_count();
    tn_mem_fail_at(0, 0);
    bool there = access(out_arrow, F_OK) == 0;
    assert_true(there == (status == TENON_OK));
    unlink(out_arrow);
    if (used < n) break;
    if (!status) continue;   /* it could do without */
    failed++;
    if (status != TENON_LIMITED) fail_msg("allocation %d: %s %s", (int)n, tenon_status_name(status), problem.message);
  }
  assert_true(failed > 100);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(a_handle_has_kinds_and_connectors),
      cmocka_unit_test(options_have_their_size),
      cmocka_unit_test(the_policy_holds_in_every_context),
      cmocka_unit_test(the_policy_holds_in_streams),
      cmocka_unit_test(kinds_that_connect_by_themselves),
      cmocka_unit_test(policies_that_are_none),
      cmocka_unit_test(the_same_target_has_one_pool),
      cmocka_unit_test(a_stream_outlives_its_session),
      cmocka_unit_test(a_stream_gives_its_whole_failure),
      cmocka_unit_test(a_table_has_to_be_named),
      cmocka_unit_test(cancelling_the_handle_ends_its_work),
      cmocka_unit_test(tests_have_steps_and_settings),
      cmocka_unit_test(a_copy_tells_how_far_it_is),
      cmocka_unit_test(a_copy_that_is_cancelled_leaves_nothing),
      cmocka_unit_test(rows_are_consumed_when_a_copy_fails),
      cmocka_unit_test(a_plan_is_released),
      cmocka_unit_test(every_failing_allocation_is_survived),
  };
  return cmocka_run_group_tests_name("lib", tests, make_folder, remove_folder);
}
