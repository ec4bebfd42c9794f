/* SPDX-License-Identifier: Apache-2.0 */
/* Lifecycle, errors, time and threads; and the runner of all checks. */
#include "contract/contract.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "core/ops.h"
#include "core/registry.h"

bool contract_has(const contract_kind *k, const char *operation) {
  for (const char *const *o = k->operations; *o; o++)
    if (strcmp(*o, operation) == 0) return true;
  return false;
}

/* ---- What a failure looks like ---- */

static void expect_no_secret(const contract_kind *k, const char *text) {
  if (k->secret && strstr(text, k->secret)) fail_msg("a secret is in \"%s\"", text);
}

void expect_error(const contract_kind *k, const tenon_error *err, tenon_status code) {
  if (err->code != code)
    fail_msg("%s instead of %s: %s", tenon_status_name(err->code), tenon_status_name(code),
             err->message);
  if (!err->message[0]) fail_msg("%s without a message", tenon_status_name(code));
  if (strchr(err->message, '\n') || strchr(err->remedy, '\n'))
    fail_msg("more than a line: %s", err->message);
  bool ends_itself = code == TENON_TIMEOUT || code == TENON_CANCELLED ||
      code == TENON_UNSUPPORTED || code == TENON_CONFLICT;
  if (!ends_itself && err->stage == TENON_STAGE_NONE) fail_msg("no stage: %s", err->message);
  size_t n = strlen(err->message);
  if (n && err->message[n - 1] == '.') fail_msg("a trailing stop: %s", err->message);
  expect_no_secret(k, err->message);
  expect_no_secret(k, err->remedy);
}

const contract_kind *contract_now;

tn_session *contract_session(contract_state *c) {
  contract_now = c->kind;
  tn_session *s = NULL;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_session_acquire(NULL, c->connector, &s, &err)) fail_msg("%s", err.message);
  return s;
}

/* ---- Operations ---- */

static void has_the_operations_that_it_says(void **state) {
  const contract_kind *k = ((contract_state *)*state)->kind;
  for (int i = 0; i < TN_OP_COUNT; i++) {
    const char *name = tn_op_at((tn_op_id)i)->name;
    if (tn_provider_has(k->provider, name) != contract_has(k, name))
      fail_msg("%s: said %d, has %d", name, contract_has(k, name), !contract_has(k, name));
  }
}

static void absent_operations_are_unsupported_by_name(void **state) {
  contract_state *c = *state;
  for (int i = 0; i < TN_OP_COUNT; i++) {
    const tn_op *op = tn_op_at((tn_op_id)i);
    if (contract_has(c->kind, op->name)) continue;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(op->invoke(c->kind->provider, NULL, NULL, NULL, NULL, &err),
                     TENON_UNSUPPORTED);
    assert_non_null(strstr(err.message, op->name));
  }
}

/* ---- test and open ---- */

static bool is_step(const char *name) {
  static const char *const names[] = {"dns", "tcp", "tls", "auth", "open", "permission", "probe"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
    if (strcmp(names[i], name) == 0) return true;
  return false;
}

static void expect_steps(const contract_kind *k, const tenon_test *t) {
  assert_true(t->step_count > 0);
  for (uint32_t i = 0; i < t->step_count; i++) {
    if (!is_step(t->steps[i].name)) fail_msg("no step is called %s", t->steps[i].name);
    assert_true(t->steps[i].ms >= 0);
    expect_no_secret(k, t->steps[i].evidence);
    expect_no_secret(k, t->steps[i].remedy);
  }
  for (uint32_t i = 0; i < t->fact_count; i++) expect_no_secret(k, t->facts[i].value);
}

static void a_good_connection_passes_its_test(void **state) {
  contract_state *c = *state;
  tenon_test t;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_connector_test(NULL, c->connector, &t, &err)) fail_msg("%s", err.message);
  expect_steps(c->kind, &t);
  for (uint32_t i = 0; i < t.step_count; i++)
    assert_int_not_equal(t.steps[i].outcome, TENON_FAILED);
}

static tn_config *config_with(const contract_kind *k, tn_settings *settings,
                              const char *const *over) {
  tn_config *config = NULL;
  tenon_error err = TENON_ERROR_INIT;
  for (; over && *over; over += 2)
    assert_int_equal(tn_settings_set(settings, over[0], over[1], NULL), TENON_OK);
  if (tn_config_new(k->provider, settings, &config, &err)) fail_msg("%s", err.message);
  return config;
}

static tn_settings base_settings;

static tn_connector *broken_connector(const contract_kind *k) {
  tn_settings s;
  tn_connector *c;
  tn_settings_init(&s);
  for (size_t i = 0; i < base_settings.count; i++)
    assert_int_equal(tn_settings_add(&s, &base_settings.items[i], NULL), TENON_OK);
  assert_int_equal(tn_connector_new("broken", config_with(k, &s, k->broken), &c, NULL), TENON_OK);
  tn_settings_release(&s);
  return c;
}

static void no_rows(struct ArrowArrayStream *rows) { (void)rows; }

static tenon_status call_action(tenon_ctx *ctx, contract_state *c, tn_session *s, struct ArrowArrayStream *ret,
                                tenon_error *err) {
  const tenon_action_call req = {.struct_size = sizeof req, .action = c->kind->action, .input = c->kind->action_input,
                                 .input_size = strlen(c->kind->action_input)};
  tenon_action_result result;
  tenon_status status = tn_actions_call(ctx, s, &req, &result, err);
  if (status) return status;
  result.release(&result);
  ret->release = no_rows;
  return TENON_OK;
}

static tenon_status call_mail(tenon_ctx *ctx, contract_state *c, tn_session *s, struct ArrowArrayStream *ret,
                              tenon_error *err) {
  const tenon_mailbox to = {NULL, c->kind->mail_accepted};
  const tenon_mail mail = {.struct_size = sizeof mail, .from = {NULL, "me@example.com"}, .to = {&to, 1}};
  const tenon_send req = {.struct_size = sizeof req, .messages = &mail, .message_count = 1};
  ret->release = no_rows;
  return tn_mail_send(ctx, s, &req, NULL, err);
}

static tenon_status call_something(tenon_ctx *ctx, contract_state *c, tn_session *s,
                                   tenon_error *err) {
  struct ArrowArrayStream rows;
  tenon_read read = TENON_READ_INIT;
  read.name = c->kind->table;
  tenon_status status = contract_has(c->kind, "tables.read")
                            ? tn_tables_read(ctx, s, &read, &rows, NULL, err)
                        : contract_has(c->kind, "vectors.list")
                            ? tn_vectors_list(ctx, s, NULL, &rows, err)
                        : contract_has(c->kind, "objects.list")
                            ? tn_objects_list(ctx, s, NULL, &rows, err)
                        : contract_has(c->kind, "models.list")
                            ? tn_models_list(ctx, s, NULL, &rows, err)
                        : contract_has(c->kind, "mail.send") ? call_mail(ctx, c, s, &rows, err)
                                                             : call_action(ctx, c, s, &rows, err);
  if (!status) rows.release(&rows);
  return status;
}

static void a_bad_connection_says_what_to_do(void **state) {
  const contract_kind *k = ((contract_state *)*state)->kind;
  tn_connector *c = broken_connector(k);
  tenon_test t;
  tenon_error err = TENON_ERROR_INIT;
  int64_t began = tn_now_ms();
  assert_int_not_equal(tn_connector_test(NULL, c, &t, &err), TENON_OK);
  assert_true(tn_now_ms() - began < 16000);
  expect_error(k, &err, k->broken_code);
  expect_steps(k, &t);
  const tenon_test_step *last = &t.steps[t.step_count - 1];
  assert_int_equal(last->outcome, TENON_FAILED);
  assert_true(last->remedy[0] && err.remedy[0]);
  tn_session *s = (tn_session *)0x1;
  tn_error_init(&err);
  if (k->opens_lazily) {
    assert_int_equal(tn_session_acquire(NULL, c, &s, &err), TENON_OK);
    assert_int_not_equal(call_something(NULL, *state, s, &err), TENON_OK);
    tn_session_release(s);
  } else {
    assert_int_not_equal(tn_session_acquire(NULL, c, &s, &err), TENON_OK);
    assert_ptr_equal(s, (tn_session *)0x1);
  }
  expect_error(k, &err, k->broken_code);
  tn_connector_free(c);
}

/* ---- Deadlines and cancelling, of whatever the kind can do ---- */


static void an_ended_context_ends_calls(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_ctx *ctx;
  for (int timed_out = 0; timed_out < 2; timed_out++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tenon_ctx_new(NULL, timed_out ? 0 : -1, &ctx, NULL), TENON_OK);
    if (!timed_out) tenon_ctx_cancel(ctx);
    int64_t began = tn_now_ms();
    tenon_status expected = timed_out ? TENON_TIMEOUT : TENON_CANCELLED;
    assert_int_equal(call_something(ctx, c, s, &err), expected);
    assert_true(tn_now_ms() - began < 250);
    expect_error(c->kind, &err, expected);
    tenon_test t;
    tn_error_init(&err);
    began = tn_now_ms();
    assert_int_equal(tn_connector_test(ctx, c->connector, &t, &err), expected);
    assert_true(tn_now_ms() - began < 250);
    expect_error(c->kind, &err, expected);
    tenon_ctx_free(ctx);
  }
  /* and the session is good again for the next */
  tenon_error err = TENON_ERROR_INIT;
  if (call_something(NULL, c, s, &err)) fail_msg("%s", err.message);
  tn_session_release(s);
}

/* ---- Threads ---- */

typedef struct worker {
  pthread_t thread;
  contract_state *state;
  tn_session *shared;
  int failures;
} worker;

static void *work(void *arg) {
  worker *w = arg;
  for (int i = 0; i < 10; i++) {
    tn_session *s = w->shared;
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = s ? TENON_OK : tn_session_acquire(NULL, w->state->connector, &s, &err);
    if (!status) status = call_something(NULL, w->state, s, &err);
    if (status) w->failures++, fprintf(stderr, "%s\n", err.message);
    if (!w->shared && s) tn_session_release(s);
  }
  return NULL;
}

static void run_threads(contract_state *c, tn_session *shared) {
  worker w[4] = {0};
  for (int i = 0; i < 4; i++) {
    w[i] = (worker){.state = c, .shared = shared};
    pthread_create(&w[i].thread, NULL, work, &w[i]);
  }
  for (int i = 0; i < 4; i++) {
    pthread_join(w[i].thread, NULL);
    assert_int_equal(w[i].failures, 0);
  }
}

static void threads_have_sessions_of_their_own(void **state) { run_threads(*state, NULL); }

static void threads_share_a_session_where_they_may(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  run_threads(c, s);
  tn_session_release(s);
}

/* ---- The table of parameters ---- */

static void parameters_have_help_schema_and_docs(void **state) {
  const contract_kind *k = ((contract_state *)*state)->kind;
  tn_str s;
  tn_str_init(&s, 1 << 20);
  assert_true(tn_params_help(k->provider, 80, &s) && tn_params_json_schema(k->provider, &s) &&
              tn_params_markdown(k->provider, &s));
  tn_str_release(&s);
  for (size_t i = 0; i < tn_param_count(k->provider); i++) {
    const tenon_param *row = tn_param_at(k->provider, i);
    bool looks_secret = strstr(row->key, "password") || strstr(row->key, "secret") ||
        strstr(row->key, "token");
    if (strstr(row->key, "_url")) continue;   /* where it is got is none */
    if (looks_secret && row->type == TENON_PARAM_STRING && !(row->flags & TENON_SECRET))
      fail_msg("%s is not declared secret", row->key);
  }
}

static bool is_shared(const contract_kind *k) { return k->provider->traits & TENON_SHARED; }

static const contract_check lifecycle_checks[] = {
    {"has the operations that it says", NULL, has_the_operations_that_it_says, NULL},
    {"absent operations are unsupported by name", NULL, absent_operations_are_unsupported_by_name,
     NULL},
    {"a good connection passes its test", NULL, a_good_connection_passes_its_test, NULL},
    {"a bad connection says what to do", NULL, a_bad_connection_says_what_to_do, NULL},
    {"an ended context ends calls", NULL, an_ended_context_ends_calls, NULL},
    {"threads have sessions of their own", NULL, threads_have_sessions_of_their_own, NULL},
    {"threads share a session where they may", NULL, threads_share_a_session_where_they_may,
     is_shared},
    {"parameters have help, schema and docs", NULL, parameters_have_help_schema_and_docs, NULL},
    {0}};

/* ---- The runner ---- */

enum { MAX_CHECKS = 100 };

static size_t add_checks(const contract_kind *k, contract_state *state,
                         const contract_check *checks, struct CMUnitTest *tests, size_t n) {
  static char names[16 * MAX_CHECKS][120];
  static size_t used;
  for (; checks->name; checks++) {
    if (checks->operation && !contract_has(k, checks->operation)) continue;
    if (checks->applies && !checks->applies(k)) continue;
    snprintf(names[used], sizeof names[used], "%s: %s", k->name, checks->name);
    tests[n++] = (struct CMUnitTest){names[used++], checks->run, NULL, NULL, state};
  }
  return n;
}

static int run_kind(const contract_kind *k) {
  struct CMUnitTest tests[MAX_CHECKS];
  contract_state state = {.kind = k};
  size_t n = 0;
  const contract_check *const all[] = {lifecycle_checks, contract_table_checks,
                                       contract_write_checks, contract_object_checks,
                                       contract_vector_checks, contract_action_checks, contract_model_checks, contract_mail_checks};
  tn_settings_init(&base_settings);
  if (!k->setup(&base_settings)) {
    tn_settings_release(&base_settings);
    printf("[  SKIPPED ] %s: no server\n", k->name);
    return 0;
  }
  if (tn_connector_new(k->name, config_with(k, &base_settings, NULL), &state.connector, NULL))
    abort();
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) n = add_checks(k, &state, all[i], tests, n);
  int failed = _cmocka_run_group_tests(k->name, tests, n, NULL, NULL);
  tn_connector_free(state.connector);
  if (k->teardown) k->teardown();
  tn_settings_release(&base_settings);
  return failed;
}

int contract_run(const contract_kind *kinds, size_t count) {
  int failed = 0;
  for (size_t i = 0; i < count; i++) failed += run_kind(&kinds[i]);
  return failed;
}
