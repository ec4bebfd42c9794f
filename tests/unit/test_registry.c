/* SPDX-License-Identifier: Apache-2.0 */
/* Kinds: what a registered one has, and what is refused, by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "core/ops.h"
#include "core/registry.h"

static int inits;

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  assert_ptr_equal(host, tn_host());
  inits++;
  return TENON_OK;
}

static tenon_status bad_init(const tenon_host *host, tenon_error *err) {
  (void)host;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, NULL, "not here");
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t,
                         tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)t, (void)err;
  return TENON_OK;
}

static tenon_status open_it(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret,
                            tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)ret, (void)err;
  return TENON_OK;
}

static void close_it(void *session) { (void)session; }

static tenon_status list(tenon_ctx *ctx, void *s, const tenon_tables_list *r, tenon_stream *ret,
                         tenon_error *err) {
  (void)ctx, (void)s, (void)r, (void)ret, (void)err;
  return TENON_OK;
}

static tenon_status describe(tenon_ctx *ctx, void *s, const tenon_read *r, tenon_table *ret,
                             tenon_error *err) {
  (void)ctx, (void)s, (void)r, (void)ret, (void)err;
  return TENON_OK;
}

static tenon_status read_it(tenon_ctx *ctx, void *s, const tenon_read *r, tenon_rows *ret,
                            tenon_error *err) {
  (void)ctx, (void)s, (void)r, (void)ret, (void)err;
  return TENON_OK;
}

static const tenon_tables_ops tables = {.struct_size = sizeof tables, .list = list,
                                        .describe = describe, .read = read_it};
static const char *const aliases[] = {"db", "base", NULL};

static const tenon_provider whole = {
    .struct_size = sizeof whole, .abi = TENON_ABI, .kind = "database", .category = "sql", .label =
        "Database", .summary = "Rows.",
    .aliases = aliases, .init = init, .test = test, .open = open_it, .close = close_it, .tables =
        &tables};

static tn_registry *registry;

static int setup(void **state) {
  (void)state;
  return tn_registry_new(&registry, NULL);
}

static int teardown(void **state) {
  (void)state;
  tn_registry_free(registry);
  return 0;
}

static void refused(tenon_provider p, tenon_status code, const char *says) {
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_registry_add(registry, &p, &err), code);
  if (!strstr(err.message, says)) fail_msg("%s", err.message);
  assert_null(tn_registry_at(registry, 0));
}

static void a_whole_one(void **state) {
  (void)state;
  const tenon_provider *p, *q;
  inits = 0;
  assert_int_equal(tn_registry_add(registry, &whole, NULL), TENON_OK);
  assert_int_equal(inits, 1);
  assert_int_equal(tn_registry_find(registry, "database", &p, NULL), TENON_OK);
  assert_int_equal(tn_registry_find(registry, "base", &q, NULL), TENON_OK);
  assert_ptr_equal(p, q);
  assert_ptr_equal(p, tn_registry_at(registry, 0));
  assert_null(tn_registry_at(registry, 1));
  assert_true(p->tables->list == list);
  assert_true(tn_provider_has(p, "tables.read"));
  assert_false(tn_provider_has(p, "tables.write"));
  assert_false(tn_provider_has(p, "objects.get"));
  assert_false(tn_provider_has(p, "tables.dance"));
  assert_true(tn_provider_has(&whole, "tables.read"));
  assert_false(tn_provider_has(&whole, "objects.get"));
  /* once a process, however many registries */
  tn_registry *other;
  assert_int_equal(tn_registry_new(&other, NULL), TENON_OK);
  assert_int_equal(tn_registry_add(other, &whole, NULL), TENON_OK);
  assert_int_equal(inits, 1);
  tn_registry_free(other);
}

static void absent_operations_say_so_by_name(void **state) {
  (void)state;
  assert_int_equal(tn_registry_add(registry, &whole, NULL), TENON_OK);
  const tenon_provider *p = tn_registry_at(registry, 0);
  for (int i = 0; i < TN_OP_COUNT; i++) {
    const tn_op *op = tn_op_at((tn_op_id)i);
    if (tn_provider_has(p, op->name)) continue;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(op->invoke(p, NULL, NULL, NULL, NULL, &err), TENON_UNSUPPORTED);
    assert_non_null(strstr(err.message, op->name));
    assert_true(err.remedy[0]);
  }
  assert_int_equal(p->check(NULL, NULL, NULL), TENON_OK);
  assert_int_equal(p->reset(NULL, NULL, NULL), TENON_OK);
}

static void mandatory_ones_are_asked_for_by_name(void **state) {
  (void)state;
  tenon_provider p = whole;
  tenon_tables_ops t = tables;
  t.describe = NULL;
  p.tables = &t;
  refused(p, TENON_INTERNAL, "kind database: it has no operation tables.describe");
  t = tables;
  t.struct_size = offsetof(tenon_tables_ops, read);   /* an old table that ends before read */
  refused(p, TENON_INTERNAL, "tables.read");
  p = whole;
  p.open = NULL;
  refused(p, TENON_INTERNAL, "it has no operation open");
  p = whole;
  p.label = NULL;
  refused(p, TENON_INTERNAL, "label");
  p = whole;
  p.abi = 77;
  refused(p, TENON_INTERNAL, "(abi)");
  p = whole;
  p.struct_size = 16;
  refused(p, TENON_INTERNAL, "(struct_size)");
  p = whole;
  p.init = bad_init;
  refused(p, TENON_UNSUPPORTED, "not here");
}

static void names_are_unique_and_guessed(void **state) {
  (void)state;
  assert_int_equal(tn_registry_add(registry, &whole, NULL), TENON_OK);
  tenon_provider p = whole;
  tenon_error err = TENON_ERROR_INIT;
  p.kind = "db";
  p.aliases = NULL;
  assert_int_equal(tn_registry_add(registry, &p, &err), TENON_CONFLICT);
  tn_error_init(&err);
  const tenon_provider *found;
  assert_int_equal(tn_registry_find(registry, "databse", &found, &err), TENON_NOT_FOUND);
  assert_string_equal(err.message, "there is no kind databse (did you mean database?)");
  tn_error_init(&err);
  assert_int_equal(tn_registry_find(registry, "zzzzzzzzzz", &found, &err), TENON_NOT_FOUND);
  assert_string_equal(err.message, "there is no kind zzzzzzzzzz");
}

static void test_steps(void **state) {
  (void)state;
  const tenon_host *h = tn_host();
  tenon_test t = {.struct_size = sizeof t};
  h->step_begin(&t, "dns");
  h->step_end(&t, TENON_PASSED, NULL, "%d addresses", 2);
  h->step_end(&t, TENON_FAILED, "x", "it is ended already");
  h->step_begin(&t, "tcp");
  h->fact(&t, "server_version", "%d", 15);
  assert_int_equal(t.step_count, 2);
  assert_string_equal(t.steps[0].evidence, "2 addresses");
  assert_int_equal(t.steps[0].outcome, TENON_PASSED);
  assert_true(t.steps[0].ms >= 0);
  h->step_end(&t, TENON_FAILED, "start it", "refused");
  assert_string_equal(t.steps[1].remedy, "start it");
  assert_string_equal(t.facts[0].value, "15");
  for (int i = 0; i < 100; i++)
    h->step_begin(&t, "more"), h->step_end(&t, TENON_PASSED, NULL, NULL), h->fact(&t, "k", "v");
  assert_int_equal(t.step_count, 16);
  assert_int_equal(t.fact_count, 16);
}

static void libraries(void **state) {
  (void)state;
  void *slots[2] = {NULL, NULL};
  tenon_error err = TENON_ERROR_INIT;
  const char *const names[] = {"libnothing-at-all.so.9", "libc.so.6", NULL};
  assert_int_equal(tn_host()->library(names, (const char *const[]){"strlen", "memcpy"}, slots, 2,
                                      NULL, &err), TENON_OK);
  assert_non_null(slots[1]);
  assert_int_equal(tn_host()->library(names, (const char *const[]){"no_such_symbol"}, slots, 1,
                                      "install it", &err), TENON_UNSUPPORTED);
  assert_string_equal(err.remedy, "install it");
  tn_error_init(&err);
  assert_int_equal(tn_host()->library((const char *const[]){"libnothing-at-all.so.9", NULL}, NULL,
                                      slots, 0, "install it", &err), TENON_UNSUPPORTED);
  assert_non_null(strstr(err.message, "libnothing-at-all.so.9"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(a_whole_one, setup, teardown),
      cmocka_unit_test_setup_teardown(absent_operations_say_so_by_name, setup, teardown),
      cmocka_unit_test_setup_teardown(mandatory_ones_are_asked_for_by_name, setup, teardown),
      cmocka_unit_test_setup_teardown(names_are_unique_and_guessed, setup, teardown),
      cmocka_unit_test(test_steps),
      cmocka_unit_test(libraries),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
