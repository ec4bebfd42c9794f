/* SPDX-License-Identifier: Apache-2.0 */
/* Where ranges of keys are cut: always strictly between, and near the middle of keys as people write them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "providers/storage/s3/split.h"

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

static const char *cut(const char *low, const char *high, size_t from) {
  static char ret[64];
  size_t size = 0;
  if (!tn_s3_split(low, strlen(low), high, high ? strlen(high) : 0, from, ret, &size)) return "";
  ret[size] = 0;
  return ret;
}

static void test_digits_go_on_with_digits(void **state) {
  (void)state;
  assert_string_equal(cut("k/0001", "k/0999", 0), "k/05");
  assert_string_equal(cut("k/0001", NULL, 2), "k/5");
  assert_string_equal(cut("k/0001", NULL, 3), "k/05");
  assert_string_equal(cut("k/9991", NULL, 2), "k/9996");
  assert_string_equal(cut("abc", "abz", 0), "abo");
}

static void test_there_may_be_no_cut(void **state) {
  (void)state;
  assert_string_equal(cut("", NULL, 0), "");
  assert_string_equal(cut("a", "a0", 0), "");
  assert_string_equal(cut("\xC3\xA9", NULL, 0), "");
}

static void test_cuts_lie_strictly_between(void **state) {
  static const char letters[] = "019aAzZ/-._~ \x7E!";
  (void)state;
  srand(7);
  for (int i = 0; i < 200000; i++) {
    char low[12], high[12], ret[16];
    size_t low_size = (size_t)(rand() % 12), high_size = (size_t)(rand() % 12), size;
    for (size_t k = 0; k < 12; k++) {
      low[k] = letters[rand() % (int)(sizeof letters - 1)];
      high[k] = k < 4 && rand() % 2 ? low[k] : letters[rand() % (int)(sizeof letters - 1)];
    }
    bool open = rand() % 4 == 0;
    if (!open && compare(low, low_size, high, high_size) >= 0) continue;
    if (!tn_s3_split(low, low_size, open ? NULL : high, high_size, (size_t)(rand() % 4), ret, &size)) continue;
    assert_true(size <= low_size + 2);
    assert_true(compare(low, low_size, ret, size) < 0);
    if (!open) assert_true(compare(ret, size, high, high_size) < 0);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_digits_go_on_with_digits),
      cmocka_unit_test(test_there_may_be_no_cut),
      cmocka_unit_test(test_cuts_lie_strictly_between),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
