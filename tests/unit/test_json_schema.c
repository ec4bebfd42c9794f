/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schema: what is refused as a schema, what values meet it, and what is said of those that do not.
 * With --judge it reads lines "schema TAB value" and answers yes, no, or what is wrong with the schema
 * on a line each, for tests/e2e/test_schemas_agree.py, which has another validator do the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_schema.h"
#include "cases.h"

/* A schema with "known: " in front is one that what is not known is passed over of. */
static tenon_status check(const char *schema, tn_json_text *ret, tenon_error *err) {
  if (strncmp(schema, "known: ", 7) == 0)
    return tn_json_schema_check_known(schema + 7, strlen(schema + 7), ret, err);
  return tn_json_schema_check(schema, strlen(schema), ret, err);
}

static void judge(const char *schema, const char *value, char *text, size_t room) {
  tn_json_text s, v;
  tenon_error err = TENON_ERROR_INIT;
  if (check(schema, &s, &err))
    snprintf(text, room, "error: %s", err.message);
  else if (tn_json_text_check(value, strlen(value), &v, &err))
    snprintf(text, room, "error: the value: %s", err.message);
  else if (tn_json_schema_validate(s, v, TENON_DATA, "it", &err))
    snprintf(text, room, "no: %s", err.message);
  else snprintf(text, room, "yes");
}

static void answer(const char *input, char *text, size_t room) {
  char schema[2000];
  const char *bar = strstr(input, " | ");
  if (!bar) fail_msg("no case: %s", input);
  snprintf(schema, sizeof schema, "%.*s", (int)(bar - input), input);
  judge(schema, bar + 3, text, room);
}

static void cases(void **state) {
  (void)state;
  tn_run_cases("json_schema", 60, answer);
}

static void nobody_has_to_listen(void **state) {
  tn_json_text schema, value;
  (void)state;
  assert_int_equal(tn_json_schema_check("{\"pattern\":\"a\"}", 15, &schema, NULL), TENON_CONFIG);
  assert_int_equal(tn_json_schema_check("{\"type\":\"null\"}", 15, &schema, NULL), TENON_OK);
  assert_int_equal(tn_json_text_check("1", 1, &value, NULL), TENON_OK);
  assert_int_equal(tn_json_schema_validate(schema, value, TENON_DATA, "it", NULL), TENON_DATA);
}

static int judge_lines(void) {
  static char line[1 << 20];
  char text[4000];
  while (fgets(line, sizeof line, stdin)) {
    char *tab = strchr(line, '\t');
    line[strcspn(line, "\n")] = 0;
    if (!tab) return 2;
    *tab = 0;
    judge(line, tab + 1, text, sizeof text);
    puts(text);
  }
  return 0;
}

int main(int count, char **words) {
  if (count > 1 && strcmp(words[1], "--judge") == 0) return judge_lines();
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases),
      cmocka_unit_test(nobody_has_to_listen),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
