/* SPDX-License-Identifier: Apache-2.0 */
/* Sessions of PostgreSQL from inside: what a pool relies on, streams that end early, parameters,
 * sizes of batches, memory that fails, threads. TENON_PG_URL names the server. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/connectors.h"
#include "core/registry.h"
#include "providers/sql/postgresql/session.h"
#include "unit/show_rows.h"

extern const tenon_provider tn_provider_postgresql;

static tn_registry *registry;
static const tenon_provider *kind;
static tn_config *config;
static tenon_ctx *ctx;
static tenon_error err;

static int setup_all(void **unused) {
  (void)unused;
  tn_settings settings;
  tn_settings_init(&settings);
  const char *url = getenv("TENON_PG_URL");
  if (!url || tn_registry_new(&registry, &err) ||
      tn_registry_add(registry, &tn_provider_postgresql, &err) ||
      tn_url_settings(registry, url, &kind, &settings, &err) ||
      tn_config_new(kind, &settings, &config, &err) || kind->init(tn_host(), &err)) {
    fprintf(stderr, "%s\n", url ? err.message : "TENON_PG_URL is not set");
    return -1;
  }
  tn_settings_release(&settings);
  return 0;
}

static int teardown_all(void **unused) {
  (void)unused;
  tn_config_free(config);
  tn_registry_free(registry);
  return 0;
}

static tn_pg_session *open_session(void) {
  void *s = NULL;
  if (kind->open(ctx, kind, config->data, &s, &err)) fail_msg("%s", err.message);
  return s;
}

static int setup(void **state) {
  err = (tenon_error)TENON_ERROR_INIT;
  if (tenon_ctx_new(NULL, 30000, &ctx, &err)) return -1;
  *state = open_session();
  return 0;
}

static int teardown(void **state) {
  kind->close(*state);
  tenon_ctx_free(ctx);
  return 0;
}

static tenon_read query(const char *sql) {
  tenon_read r = TENON_READ_INIT;
  r.query = sql;
  return r;
}

static tenon_stream start(tn_pg_session *s, const tenon_read *r) {
  tenon_rows rows;
  err = (tenon_error)TENON_ERROR_INIT;
  if (kind->tables->read(ctx, s, r, &rows, &err)) fail_msg("%s: %s", r->query, err.message);
  return rows.stream;
}

static void finish(tenon_stream *s) {
  tn_schema_release(&s->schema);
}

/* All rows of a query as text. */
static const char *ask(tn_pg_session *s, const char *sql) {
  static char text[4096];
  tenon_read r = query(sql);
  tenon_stream stream = start(s, &r);
  if (show_rows(&stream, text, sizeof text, &err)) fail_msg("%s: %s", sql, err.message);
  finish(&stream);
  char *end = strchr(text, 0);
  if (end > text && end[-1] == '\n') end[-1] = 0;
  return text;
}

/* ---- Pools ---- */

static void test_reset_costs_nothing_after_tables(void **state) {
  tn_pg_session *s = *state;
  tenon_read r = TENON_READ_INIT;
  r.name = (tenon_name){.schema = "pg_catalog", .table = "pg_am"};
  tenon_stream stream = start(s, &r);
  char text[2000];
  assert_int_equal(show_rows(&stream, text, sizeof text, &err), TENON_OK);
  finish(&stream);
  assert_false(s->in_transaction || s->ran_user_sql);
  assert_int_equal(kind->reset(ctx, s, &err), TENON_OK);
  assert_int_equal(s->pending, 0);   /* nothing was sent */
}

static void test_reset_makes_it_as_new(void **state) {
  tn_pg_session *s = *state;
  char before[64];
  snprintf(before, sizeof before, "%s", ask(s, "select pg_backend_pid()::text"));
  ask(s, "select pg_advisory_lock(42), set_config('work_mem', '7MB', false)");
  assert_string_equal(
      ask(s,
          "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"),
      "1");
  assert_int_equal(kind->reset(ctx, s, &err), TENON_OK);
  assert_true(s->pending > 0);   /* sent, and not waited for */
  assert_int_equal(kind->check(ctx, s, &err), TENON_OK);
  assert_int_equal(s->pending, 0);
  assert_string_equal(
      ask(s,
          "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"),
      "0");
  assert_string_equal(ask(s, "select current_setting('work_mem')"), "4MB");
  assert_string_equal(ask(s, "select pg_backend_pid()::text"), before);
}

static void test_reset_after_an_error(void **state) {
  tn_pg_session *s = *state;
  char before[64], text[4096];
  snprintf(before, sizeof before, "%s", ask(s, "select pg_backend_pid()::text"));
  tenon_read r = query("select 1 / (3000 - i) from generate_series(1, 5000) i");
  tenon_stream stream = start(s, &r);
  assert_int_equal(show_rows(&stream, text, sizeof text, &err), TENON_DATA);
  assert_string_equal(err.sqlstate, "22012");
  finish(&stream);
  assert_true(s->in_transaction);
  assert_int_equal(kind->reset(ctx, s, &err), TENON_OK);
  assert_string_equal(ask(s, "select pg_backend_pid()::text"), before);
}

/* Whoever keeps a session need not give it back first. */
static void test_the_next_read_after_an_error(void **state) {
  static const char *const wrong[] = {"selec", "select 1/0", "select * from nowhere",
                                      "delete from pg_class",
                                      "select 1 / (3000 - i) from generate_series(1, 5000) i"};
  tn_pg_session *s = *state;
  char before[64], text[65536];
  snprintf(before, sizeof before, "%s", ask(s, "select pg_backend_pid()::text"));
  for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
    tenon_rows rows;
    tenon_read r = query(wrong[i]);
    err = (tenon_error)TENON_ERROR_INIT;
    tenon_status status = kind->tables->read(ctx, s, &r, &rows, &err);
    if (!status) {
      status = show_rows(&rows.stream, text, sizeof text, &err);
      finish(&rows.stream);
    }
    assert_int_not_equal(status, TENON_OK);
    assert_string_equal(ask(s, "select pg_backend_pid()::text"), before);
  }
}

static void test_check_sees_a_dead_connection(void **state) {
  tn_pg_session *s = *state, *other = open_session();
  char sql[80];
  assert_int_equal(kind->check(ctx, s, &err), TENON_OK);
  snprintf(sql, sizeof sql, "select pg_terminate_backend(%d)", tn_pq.PQbackendPID(s->conn));
  assert_string_equal(ask(other, sql), "true");
  kind->close(other);
  assert_int_equal(kind->check(ctx, s, &err), TENON_UNREACHABLE);
  err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(kind->reset(ctx, s, &err), TENON_GONE);
  assert_true(err.retryable);
}

/* ---- Streams that end early ---- */

static void test_closed_in_the_middle(void **state) {
  tn_pg_session *s = *state;
  tenon_read r = query("select repeat('x', 1000) from (select generate_series(1, 10000000)) t");
  tenon_stream stream = start(s, &r);
  struct ArrowArray batch;
  assert_int_equal(stream.next(stream.self, &batch, &err), TENON_OK);
  assert_int_equal(kind->check(ctx, s, &err), TENON_GONE);   /* the session is the stream's */
  int64_t begin = tn_now_ms();
  stream.close(stream.self);
  assert_in_range(tn_now_ms() - begin, 0, 1000);
  assert_int_equal(tn_arrow_check(&stream.schema, &batch, NULL),
                   TENON_OK); /* outlives its stream */
  finish(&stream);
  assert_true(s->broken);
  assert_int_equal(kind->reset(ctx, s, NULL), TENON_GONE);
  char sql[120];
  snprintf(sql, sizeof sql,
           "select count(*) from pg_stat_activity where pid = %d and state = 'active'",
           tn_pq.PQbackendPID(s->conn));
  tn_pg_session *other = open_session();
  for (int i = 0; i < 100 && strcmp(ask(other, sql), "0") != 0; i++)
    assert_int_equal(tn_ctx_wait(ctx, NULL, 0, 20, NULL), TENON_OK);
  assert_string_equal(ask(other, sql), "0");
  kind->close(other);
  batch.release(&batch);
}

static void test_closed_when_the_rest_is_there(void **state) {
  tn_pg_session *s = *state;
  tenon_read r = query("select i from generate_series(1, 100) i");
  tenon_stream stream = start(s, &r);
  assert_int_equal(tn_ctx_wait(ctx, NULL, 0, 200, &err),
                   TENON_OK); /* all of it fits into the socket */
  stream.close(stream.self);
  finish(&stream);
  assert_false(s->broken || s->streaming);
  assert_string_equal(ask(s, "select 'still here'"), "still here");
}

static void test_cancelled_context(void **state) {
  tn_pg_session *s = *state;
  tenon_read r = query("select pg_sleep(60)");
  tenon_stream stream = start(s, &r);
  struct ArrowArray batch;
  tenon_ctx_cancel(ctx);
  int64_t begin = tn_now_ms();
  assert_int_equal(stream.next(stream.self, &batch, &err), TENON_CANCELLED);
  assert_in_range(tn_now_ms() - begin, 0, 400);
  assert_int_equal(err.stage, TENON_STAGE_QUERY);
  stream.close(stream.self);
  finish(&stream);
}

/* ---- Parameters ---- */

static void test_parameters(void **state) {
  static const tenon_value values[] = {
      {.type = TENON_VALUE_INT, .i = INT64_MIN},
      {.type = TENON_VALUE_DOUBLE, .f = 0.1},
      {.type = TENON_VALUE_DECIMAL, .data = "-12.50", .size = 6},
      {.type = TENON_VALUE_TEXT, .data = "it's \\ \xC3\xA4", .size = 9},
      {.type = TENON_VALUE_BYTES, .data = "\0\xFF", .size = 2},
      {.type = TENON_VALUE_BOOL, .i = 1},
      {.type = TENON_VALUE_DATE, .i = -719529},
      {.type = TENON_VALUE_TIME, .i = 86399999999},
      {.type = TENON_VALUE_TIMESTAMP, .i = -1},
      {.type = TENON_VALUE_TIMESTAMP, .i = 1709208000000001},
      {.type = TENON_VALUE_NULL},
  };
  tenon_read r = query(
      "select $1::int8::text, $2::float8::text, $3::numeric::text, $4::text, encode($5::bytea, "
      "'hex'), $6::bool::text,"
      " $7::date::text, $8::time::text, $9::timestamp::text, ($10::timestamptz at time zone "
      "'UTC')::text, $11::text;");
  r.params = values;
  r.param_count = 11;
  tenon_stream stream = start(*state, &r);
  char text[1000];
  if (show_rows(&stream, text, sizeof text, &err)) fail_msg("%s", err.message);
  finish(&stream);
  assert_string_equal(
      text,
      "-9223372036854775808|0.1|-12.50|it's \\ \xC3\xA4|00ff|true|0002-12-31 BC|23:59:59.999999|"
      "1969-12-31 23:59:59.999999|2024-02-29 12:00:00.000001|~\n");
}

static void test_parameters_and_pushing(void **state) {
  tenon_value from = {.type = TENON_VALUE_INT, .i = 5}, below = {.type = TENON_VALUE_INT, .i = 8};
  tenon_filter filter = {"x", TENON_LT, &below, 1};
  tenon_order order = {"x", 1};
  tenon_read r = query(
      "select i::int8 as x, interval '1 day' * i as d from generate_series($1::int, 100) i");
  r.params = &from;
  r.param_count = 1;
  r.filters = &filter;
  r.filter_count = 1;
  r.order = &order;
  r.order_count = 1;
  tenon_stream stream = start(*state, &r);
  char text[1000];
  if (show_rows(&stream, text, sizeof text, &err)) fail_msg("%s", err.message);
  finish(&stream);
  assert_string_equal(text, "7|7 days\n6|6 days\n5|5 days\n");
  r.param_count = 0;
  tenon_rows rows;
  assert_int_equal(kind->tables->read(ctx, *state, &r, &rows, &err), TENON_CONFIG);
}

/* ---- Batches ---- */

static int64_t largest_batch(tn_pg_session *s, const tenon_read *r, int64_t *ret_rows,
                             int64_t *ret_bytes) {
  tenon_stream stream = start(s, r);
  int64_t largest = 0;
  *ret_rows = *ret_bytes = 0;
  for (struct ArrowArray batch;;) {
    if (stream.next(stream.self, &batch, &err)) fail_msg("%s", err.message);
    if (!batch.release) break;
    if (tn_arrow_check(&stream.schema, &batch, &err)) fail_msg("%s", err.message);
    int64_t bytes = 0;
    for (int64_t i = 0; i < batch.n_children; i++) {
      const struct ArrowArray *c = batch.children[i];
      bytes += c->n_buffers == 3 ? ((const int32_t *)c->buffers[1])[c->length] + 4 * (c->length + 1)
                                 : 8 * c->length;
    }
    if (batch.length > largest) largest = batch.length;
    if (bytes > *ret_bytes) *ret_bytes = bytes;
    *ret_rows += batch.length;
    batch.release(&batch);
  }
  stream.close(stream.self);
  finish(&stream);
  return largest;
}

static void test_sizes_of_batches(void **state) {
  int64_t rows, bytes;
  tenon_read r = query("select i::int8, repeat('y', 1 + i % 500) from generate_series(1, 20000) i");
  assert_in_range(largest_batch(*state, &r, &rows, &bytes), 1000, 16384);
  assert_int_equal(rows, 20000);
  r.batch_rows = 7;
  assert_int_equal(largest_batch(*state, &r, &rows, &bytes), 7);
  assert_int_equal(rows, 20000);
  r.batch_rows = 0;
  for (r.batch_bytes = 600; r.batch_bytes < 1000000; r.batch_bytes *= 7) {
    assert_true(largest_batch(*state, &r, &rows, &bytes) >= 1);
    assert_int_equal(rows, 20000);
    assert_in_range(bytes, 1, r.batch_bytes);
  }
}

static void test_rows_that_trickle(void **state) {
  tenon_read r = query("select i, pg_sleep(0.2) from (select generate_series(1, 8) as i) t");
  tenon_stream stream = start(*state, &r);
  int batches = 0;
  int64_t rows = 0;
  for (struct ArrowArray batch;; batches++) {
    if (stream.next(stream.self, &batch, &err)) fail_msg("%s", err.message);
    if (!batch.release) break;
    rows += batch.length;
    batch.release(&batch);
  }
  stream.close(stream.self);
  finish(&stream);
  assert_int_equal(rows, 8);
  assert_true(batches >= 1);
}

/* ---- Memory that fails ---- */

static tenon_status scenario(tn_pg_session *s, tenon_error *why) {
  tenon_read r = query(
      "select i, 'x' || i as t, array[i, null] as l, interval '1 day' as d from generate_series(1, "
      "50) i");
  tenon_rows rows;
  tenon_table table;
  char text[8192];
  tenon_status status = kind->tables->read(ctx, s, &r, &rows, why);
  if (!status) {
    status = show_rows(&rows.stream, text, sizeof text, why);
    tn_schema_release(&rows.stream.schema);
  }
  if (status) return status;
  r = (tenon_read)TENON_READ_INIT;
  r.name = (tenon_name){.schema = "pg_catalog", .table = "pg_attribute"};
  status = kind->tables->describe(ctx, s, &r, &table, why);
  if (status) return status;
  table.release(&table);
  return TENON_OK;
}

/* Each allocation in turn: a failure is one, nothing leaks, and a session that is not given up
 * works. */
static void test_memory_fails_anywhere(void **state) {
  (void)state;
  tn_pg_session *s = open_session();
  int64_t n = 1;
  for (bool reached = true; reached; n++) {
    tenon_error why = TENON_ERROR_INIT;
    tn_mem_fail_at(n, 0);
    tenon_status status = scenario(s, &why);
    reached = tn_mem_count() >= n;
    tn_mem_fail_at(0, 0);
    if (status) {
      assert_int_equal(why.code, status);
      assert_true(*why.message);
    }
    if (kind->reset(ctx, s, NULL) == TENON_OK) continue;
    kind->close(s);
    s = open_session();
  }
  assert_in_range(n, 20, 4999);
  kind->close(s);
}

static void test_memory_fails_while_opening(void **state) {
  (void)state;
  int64_t n = 1;
  for (bool reached = true; reached; n++) {
    tenon_error why = TENON_ERROR_INIT;
    void *s = NULL;
    tn_mem_fail_at(n, 0);
    tenon_status status = kind->open(ctx, kind, config->data, &s, &why);
    reached = tn_mem_count() >= n;
    tn_mem_fail_at(0, 0);
    if (status) assert_true(why.code == status && *why.message);
    else kind->close(s);
  }
  assert_in_range(n, 2, 1000);
}

/* ---- Threads ---- */

static void *work(void *arg) {
  tenon_ctx *own;
  tenon_error why = TENON_ERROR_INIT;
  int *good = arg;
  if (tenon_ctx_new(NULL, 30000, &own, &why)) return NULL;
  for (int round = 0; round < 3; round++) {
    void *s;
    tenon_rows rows;
    char text[4096];
    tenon_read r = query("select i, i::numeric(10,2) from generate_series(1, 100) i");
    if (kind->open(own, kind, config->data, &s, &why)) break;
    if (!kind->tables->read(own, s, &r, &rows, &why)) {
      if (!show_rows(&rows.stream, text, sizeof text, &why)) ++*good;
      tn_schema_release(&rows.stream.schema);
    }
    kind->close(s);
  }
  tenon_ctx_free(own);
  return NULL;
}

static void test_threads(void **state) {
  (void)state;
  pthread_t threads[4];
  int good[4] = {0};
  for (int i = 0; i < 4; i++)
    assert_int_equal(pthread_create(&threads[i], NULL, work, &good[i]), 0);
  for (int i = 0; i < 4; i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(good[i], 3);
  }
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
  const struct CMUnitTest tests[] = {
      TEST(test_reset_costs_nothing_after_tables),
      TEST(test_reset_makes_it_as_new),
      TEST(test_reset_after_an_error), TEST(test_the_next_read_after_an_error),
      TEST(test_check_sees_a_dead_connection),
      TEST(test_closed_in_the_middle),
      TEST(test_closed_when_the_rest_is_there),
      TEST(test_cancelled_context),
      TEST(test_parameters),
      TEST(test_parameters_and_pushing),
      TEST(test_sizes_of_batches),
      TEST(test_rows_that_trickle),
      TEST(test_memory_fails_anywhere),
      TEST(test_memory_fails_while_opening),
      TEST(test_threads),
  };
  return cmocka_run_group_tests(tests, setup_all, teardown_all);
}
