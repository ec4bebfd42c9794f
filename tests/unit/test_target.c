/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar of targets and of filters, case by case (tests/cases/), and how targets are printed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cases.h"
#include "core/target.h"

static const char *or_dash(const char *s) { return s ? s : "-"; }

static void show_target(const char *input, char *text, size_t room) {
  static const char *const forms[] = {"name", "url", "path"};
  tenon_error err = TENON_ERROR_INIT;
  tn_target t;
  if (tn_target_parse(input, &t, &err)) {
    assert_int_equal(err.stage, TENON_STAGE_CONFIG);
    snprintf(text, room, "error: %s", err.message);
    return;
  }
  snprintf(text, room, "%s | %s | %s | %s", forms[t.form], t.base, or_dash(t.schema), or_dash(t.table));
  tn_target_release(&t);
}

static void targets_are_parsed(void **state) {
  (void)state;
  tn_run_cases("targets", 60, show_target);
}

static void odd_targets_are_refused(void **state) {
  (void)state;
  tn_target t;
  char longest[8194];
  memset(longest, 'a', sizeof longest);
  longest[8192] = 0;
  assert_int_equal(tn_target_parse(longest, &t, NULL), TENON_OK);
  tn_target_release(&t);
  longest[8192] = 'a';
  longest[8193] = 0;
  assert_int_equal(tn_target_parse(longest, &t, NULL), TENON_CONFIG);
  assert_int_equal(tn_target_parse("", &t, NULL), TENON_CONFIG);
  assert_int_equal(tn_target_parse("a\nb", &t, NULL), TENON_CONFIG);
  assert_int_equal(tn_target_parse("a\x1b[31m", &t, NULL), TENON_CONFIG);
}

static void redact(const char *input, char *text, size_t room) {
  char *shown = tn_target_redacted(input, NULL);
  snprintf(text, room, "%s", shown);
  tn_free(shown);
}

static void printed_targets_have_no_secrets(void **state) {
  (void)state;
  tn_run_cases("redaction", 13, redact);
}

static size_t show_value(const tenon_value *v, char *text, size_t room) {
  switch (v->type) {
    case TENON_VALUE_BOOL: return (size_t)snprintf(text, room, "bool:%d", (int)v->i);
    case TENON_VALUE_INT: return (size_t)snprintf(text, room, "int:%lld", (long long)v->i);
    case TENON_VALUE_DOUBLE: return (size_t)snprintf(text, room, "double:%g", v->f);
    case TENON_VALUE_DECIMAL: return (size_t)snprintf(text, room, "decimal:%.*s", (int)v->size, v->data);
    case TENON_VALUE_TEXT: return (size_t)snprintf(text, room, "text:%.*s", (int)v->size, v->data);
    default: return (size_t)snprintf(text, room, "?");
  }
}

static void show_where(const char *input, char *text, size_t room) {
  static const char *const ops[] = {"=", "<>", "<", "<=", ">", ">=", "in", "between", "prefix", "is null", "is not null"};
  tenon_error err = TENON_ERROR_INIT;
  tn_arena arena;
  tenon_filter *filters;
  size_t count, n = 0;
  tn_arena_init(&arena, 1 << 20);
  if (tn_where_parse(input, &arena, &filters, &count, &err)) {
    snprintf(text, room, "error: %s", err.message);
    count = 0;
    n = strlen(text);
  }
  for (size_t i = 0; i < count; i++) {
    n += (size_t)snprintf(text + n, room - n, "%s%s %s", i ? "; " : "", filters[i].column, ops[filters[i].op]);
    for (size_t k = 0; k < filters[i].value_count; k++) {
      text[n++] = k ? ',' : ' ';
      n += show_value(&filters[i].values[k], text + n, room - n);
    }
  }
  text[n] = 0;
  tn_arena_release(&arena);
}

static void filters_are_parsed(void **state) {
  (void)state;
  tn_run_cases("where", 55, show_where);
}

static void filters_have_limits(void **state) {
  (void)state;
  char text[2000] = "a = 1";
  tn_arena arena;
  tenon_filter *filters;
  size_t count;
  for (int i = 1; i < 64; i++) strcat(text, " and a = 1");
  tn_arena_init(&arena, 1 << 20);
  assert_int_equal(tn_where_parse(text, &arena, &filters, &count, NULL), TENON_OK);
  assert_int_equal(count, 64);
  strcat(text, " and a = 1");
  assert_int_equal(tn_where_parse(text, &arena, &filters, &count, NULL), TENON_CONFIG);
  tn_arena_release(&arena);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(targets_are_parsed),        cmocka_unit_test(odd_targets_are_refused),
      cmocka_unit_test(printed_targets_have_no_secrets), cmocka_unit_test(filters_are_parsed),
      cmocka_unit_test(filters_have_limits),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
