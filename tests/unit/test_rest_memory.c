/* SPDX-License-Identifier: Apache-2.0 */
/* The kind rest_api where memory is short: every allocation fails once, and what is asked for comes whole or as an error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "contract/rest_server.h"
#include "core/session.h"
#include "unit/rest_fixture.h"

static const char endpoints[] =
    "{\"items\":{\"path\":\"/items\",\"query\":{\"page\":\"{{page}}\",\"more\":\"{{more?}}\"},\"records\":\"items\",\"pagination\":{\"style\":\"page\"}},"
    "\"typed\":{\"path\":\"/items\",\"query\":{\"page\":\"{{page}}\"},\"records\":\"items\",\"pagination\":{\"style\":\"page\"},\"columns\":{\"id\":\"int64\"}},"
    "\"greet\":{\"path\":\"/greet/{{name}}\",\"json\":{\"a\":[\"{{name}}\",\"x{{name}}\"]},\"headers\":{\"X-Name\":\"{{name}}\"},"
    "\"input\":{\"name\":{\"type\":\"string\",\"default\":\"Ada\"}},\"output\":{\"type\":\"object\"}}}";

static tn_connector *connector(void) {
  const char *const pairs[] = {"auth",      "bearer",  "token",     "canary-rest",
                               "endpoints", endpoints, "variables", "v=1", NULL};
  return rest_fixture_connector(pairs);
}

static tenon_status call(tn_session *s, tenon_error *err) {
  const tenon_action_call req = {.struct_size = sizeof req, .action = "greet"};
  tenon_action_result r;
  tenon_status status = tn_actions_call(NULL, s, &req, &r, err);
  if (status) return status;
  if (!strstr(r.output, "greeting")) fail_msg("%s", r.output);
  r.release(&r);
  return TENON_OK;
}

static tenon_status read_all(tn_session *s, const char *table, tenon_error *err) {
  struct ArrowArrayStream stream;
  struct ArrowArray batch = {0};
  tenon_read req = TENON_READ_INIT;
  int64_t rows = 0;
  int code;
  req.name.table = table;
  tenon_status status = tn_tables_read(NULL, s, &req, &stream, NULL, err);
  if (status) return status;
  while (!(code = stream.get_next(&stream, &batch)) && batch.release) {
    rows += batch.length;
    batch.release(&batch);
  }
  status = code ? tn_stream_error(&stream, code, err) : TENON_OK;
  stream.release(&stream);
  if (!status) assert_int_equal(rows, REST_ROWS);
  return status;
}

static tenon_status describe(tn_session *s, tenon_error *err) {
  tenon_table t;
  tenon_read req = TENON_READ_INIT;
  req.name.table = "items";
  tenon_status status = tn_tables_describe(NULL, s, &req, &t, err);
  if (!status) t.release(&t);
  return status;
}

static tenon_status work(tn_connector *c, tenon_error *err) {
  tn_session *s;
  tenon_status status = tn_session_acquire(NULL, c, &s, err);
  if (status) return status;
  status = call(s, err);
  if (!status) status = read_all(s, "items", err);
  if (!status) status = read_all(s, "typed", err);
  if (!status) status = describe(s, err);
  tn_session_release(s);
  return status;
}

/* Early on one after the other, then in steps: what comes later is the same again. */
static void every_allocation_may_fail(void **state) {
  tn_connector *c = connector();
  tenon_status status = TENON_LIMITED;
  int failed = 0;
  (void)state;
  for (int64_t n = 1; status; n += n < 700 ? 1 : 1 + n / 200) {
    tenon_error err = TENON_ERROR_INIT;
    tn_mem_fail_at(n, 0);
    status = work(c, &err);
    bool hit = tn_mem_count() >= n;
    tn_mem_fail_at(0, 0);
    if (status && (!*err.message || err.code != status))
      fail_msg("allocation %lld: %s", (long long)n, err.message);
    if (status == TENON_INTERNAL) fail_msg("allocation %lld: %s", (long long)n, err.message);
    failed += status != TENON_OK;
    if (!status && hit) status = TENON_LIMITED; /* it was one that can be done without */
    if (n > 100000) fail_msg("it never ends");
  }
  assert_true(failed > 100);
  tn_connector_free(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(every_allocation_may_fail)};
  return cmocka_run_group_tests(tests, rest_fixture_start, rest_fixture_stop);
}
