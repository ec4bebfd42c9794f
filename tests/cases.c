/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "cases.h"

static bool is_met(const char *expected, const char *answer) {
  static const char error[] = "error: ", gap[] = " … ";
  if (strncmp(expected, error, sizeof error - 1) != 0) return strcmp(expected, answer) == 0;
  if (strncmp(answer, error, sizeof error - 1) != 0) return false;
  for (const char *part = expected + sizeof error - 1; part;) {
    const char *end = strstr(part, gap);
    char text[512];
    snprintf(text, sizeof text, "%.*s", (int)(end ? end - part : (long)strlen(part)), part);
    if (!(answer = strstr(answer, text))) return false;
    part = end ? end + sizeof gap - 1 : NULL;
  }
  return true;
}

void tn_run_cases(const char *name, int at_least, tn_case_fn answer) {
  char path[256], line[4096], text[4096];
  snprintf(path, sizeof path, "tests/cases/%s.txt", name);
  FILE *f = fopen(path, "r");
  if (!f) fail_msg("%s: not found; run tests from the project's root", path);
  int run = 0, wrong = 0;
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    char *arrow = strstr(line, " => ");
    if (line[0] == '#' || line[0] == 0) continue;
    if (!arrow) fail_msg("%s: a line without =>: %s", path, line);
    *arrow = 0;
    answer(line, text, sizeof text);
    run++;
    if (is_met(arrow + 4, text)) continue;
    wrong++;
    print_error("%s\n  expected  %s\n  answered  %s\n", line, arrow + 4, text);
  }
  fclose(f);
  assert_int_equal(wrong, 0);
  assert_true(run >= at_least);
}
