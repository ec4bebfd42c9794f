/* SPDX-License-Identifier: Apache-2.0 */
/* The options of the formats: setting them as people write them, and saying what is wrong with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "formats/format_options.h"

enum { BOTH = TN_OPTION_READS | TN_OPTION_WRITES };

static tn_format_options set(const char *key, const char *value) {
  tn_format_options o = TN_FORMAT_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_option_set(&o, BOTH, key, value, &err)) fail_msg("%s=%s: %s", key, value, err.message);
  return o;
}

static void assert_refused(uint32_t use, const char *key, const char *value, const char *message,
                           const char *remedy) {
  tn_format_options o = TN_FORMAT_OPTIONS_INIT, before = o;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_option_set(&o, use, key, value, &err), TENON_CONFIG);
  assert_memory_equal(&o, &before, sizeof o);
  assert_int_equal(err.stage, TENON_STAGE_CONFIG);
  assert_non_null(strstr(err.message, message));
  assert_non_null(strstr(err.remedy, remedy));
}

static void values_are_set(void **state) {
  (void)state;
  assert_int_equal(set("delimiter", ";").delimiter, ';');
  assert_int_equal(set("delimiter", "tab").delimiter, '\t');
  assert_int_equal(set("quote", "none").quote, 0);
  assert_int_equal(set("header", "no").header, 0);
  assert_int_equal(set("header", "TRUE").header, 1);
  assert_int_equal(set("header", "auto").header, -1);
  assert_string_equal(set("encoding", "latin-1").encoding, "latin-1");
  assert_string_equal(set("types", "a=int64").types, "a=int64");
  assert_int_equal(set("sample_rows", "20").sample_rows, 20);
  assert_int_equal(set("all_text", "yes").all_text, 1);
  assert_int_equal(set("compression_level", "22").compression_level, 22);
  assert_int_equal(set("row_group_rows", "5000").row_group_rows, 5000);
}

static void wrong_values_say_what_is_right(void **state) {
  (void)state;
  assert_refused(BOTH, "delimiter", ";;", "delimiter cannot be \";;\"", "one ASCII character");
  assert_refused(BOTH, "delimiter", "\n", "delimiter", "one ASCII character");
  assert_refused(BOTH, "header", "maybe", "maybe", "yes, no or auto");
  assert_refused(BOTH, "all_text", "auto", "auto", "yes or no");
  assert_refused(BOTH, "compression", "lz4", "lz4", "zstd, snappy, none");
  assert_refused(BOTH, "compression_level", "23", "23", "from 1 to 22");
  assert_refused(BOTH, "sample_rows", "", "sample_rows", "from 1");
  assert_refused(BOTH, "row_group_rows", "12x", "12x", "from 1");
  assert_refused(BOTH, "sample_rows", "99999999999999999999", "sample_rows", "from 1");
}

static void keys_are_known_where_they_are_of_use(void **state) {
  (void)state;
  assert_refused(BOTH, "delimeter", ";", "delimeter", "did you mean delimiter?");
  assert_refused(TN_OPTION_WRITES, "sample_rows", "5", "sample_rows", "there are");
  assert_refused(TN_OPTION_READS, "compression", "zstd", "compression", "");
}

static void every_default_is_a_value(void **state) {
  (void)state;
  const tn_option *o;
  for (size_t i = 0; (o = tn_option_at(i)); i++)
    if (o->default_value) {
      tn_format_options made = set(o->key, o->default_value), standard = TN_FORMAT_OPTIONS_INIT;
      if (o->type == TN_OPTION_TEXT || o->type == TN_OPTION_ENUM)
        assert_string_equal(*(const char **)((char *)&made + o->offset),
                            *(const char **)((char *)&standard + o->offset));
      else
        assert_memory_equal((char *)&made + o->offset, (char *)&standard + o->offset, o->size);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_are_set),
      cmocka_unit_test(wrong_values_say_what_is_right),
      cmocka_unit_test(keys_are_known_where_they_are_of_use),
      cmocka_unit_test(every_default_is_a_value),
  };
  return cmocka_run_group_tests_name("format_options", tests, NULL, NULL);
}
