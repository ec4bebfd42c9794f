/* SPDX-License-Identifier: Apache-2.0 */
/* JSON: what is refused, what is read, what is written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "cases.h"

static tenon_status parse(const char *text, tn_json **ret) {
  return tn_json_parse(text, strlen(text), ret, NULL);
}

static void reads(void **state) {
  (void)state;
  tn_json *v;
  assert_int_equal(parse("{\"b\": [1, -2.5, \"x\\u00e9\", null, true], \"a\": {}}", &v), TENON_OK);
  assert_int_equal(tn_json_type_of(v), TN_JSON_OBJECT);
  const tn_json *b = tn_json_get(v, "b");
  assert_int_equal(tn_json_count(b), 5);
  assert_int_equal(tn_json_integer(tn_json_at(b, 0)), 1);
  assert_true(tn_json_number(tn_json_at(b, 1)) == -2.5);
  assert_string_equal(tn_json_string(tn_json_at(b, 2)), "xé");
  assert_int_equal(tn_json_type_of(tn_json_at(b, 3)), TN_JSON_NULL);
  assert_true(tn_json_bool(tn_json_at(b, 4)));
  assert_null(tn_json_at(b, 5));
  assert_null(tn_json_get(v, "c"));
  assert_null(tn_json_string(b));
  void *cursor = NULL;
  const char *key;
  const tn_json *value;
  assert_true(tn_json_next(v, &cursor, &key, &value));
  assert_string_equal(key, "b");
  assert_true(tn_json_next(v, &cursor, &key, &value));
  assert_string_equal(key, "a");
  assert_false(tn_json_next(v, &cursor, &key, &value));
  tn_json_free(v);
}

static void refuses(void **state) {
  (void)state;
  static const char *const bad[] = {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "1 2", "\"\\u0000\"",
                                    "\"\xff\"", "99999999999999999999", "nul", "'a'", "{a:1}", "[1e999]"};
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tn_json *v = (tn_json *)1;
    if (parse(bad[i], &v) != TENON_CONFIG) fail_msg("%s", bad[i]);
    assert_ptr_equal(v, (tn_json *)1);
  }
  tn_json *none = NULL;
  assert_int_equal(tn_json_parse("0\0", 2, &none, NULL), TENON_CONFIG);
  assert_int_equal(tn_json_parse("[\0]", 3, &none, NULL), TENON_CONFIG);
  tenon_error err = TENON_ERROR_INIT;
  tn_json *v;
  assert_int_equal(tn_json_parse("{\n \"a\": x}", 10, &v, &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "line 2, column "));
}

static void depth_and_size_have_limits(void **state) {
  (void)state;
  char deep[2 * TN_JSON_MAX_DEPTH + 3] = "";
  tn_json *v;
  memset(deep, '[', TN_JSON_MAX_DEPTH);
  memset(deep + TN_JSON_MAX_DEPTH, ']', TN_JSON_MAX_DEPTH);
  assert_int_equal(parse(deep, &v), TENON_OK);
  tn_json_free(v);
  memset(deep, '[', TN_JSON_MAX_DEPTH + 1);
  memset(deep + TN_JSON_MAX_DEPTH + 1, ']', TN_JSON_MAX_DEPTH + 1);
  assert_int_equal(parse(deep, &v), TENON_LIMITED);
  assert_int_equal(parse("\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[\"", &v), TENON_OK);
  tn_json_free(v);
  assert_int_equal(tn_json_parse("", TN_JSON_MAX_SIZE + 1, &v, NULL), TENON_LIMITED);
}

/* Small texts that would be large in memory. */
static tenon_status parse_many(const char *open, const char *part, size_t times, const char *close,
                               tn_json **ret) {
  tn_str s;
  tn_str_init(&s, TN_JSON_MAX_SIZE + 64);
  tn_str_puts(&s, open);
  for (size_t i = 0; i < times; i++) tn_str_puts(&s, part);
  tn_str_puts(&s, close);
  assert_false(s.failed);
  tenon_status status = tn_json_parse_reply(s.data, s.size, ret, NULL);
  tn_str_release(&s);
  return status;
}

static void what_grows_has_limits(void **state) {
  (void)state;
  tn_json *v = (tn_json *)1;
  assert_int_equal(parse_many("[", "{},", TN_JSON_MAX_OBJECTS, "1]", &v), TENON_LIMITED);
  assert_int_equal(parse_many("[", "[],", TN_JSON_MAX_OBJECTS, "1]", &v), TENON_LIMITED);
  assert_int_equal(parse_many("[", "1,", TN_JSON_MAX_VALUES, "1]", &v), TENON_LIMITED);
  assert_int_equal(parse_many("", "[", TN_JSON_MAX_SIZE, "", &v), TENON_LIMITED);
  assert_int_equal(parse_many("", "{\"a\":", TN_JSON_MAX_SIZE / 5, "", &v), TENON_LIMITED);
  assert_int_equal(parse_many("\"", "a", TN_JSON_MAX_SIZE, "\"", &v), TENON_LIMITED);
  assert_ptr_equal(v, (tn_json *)1);
  /* brackets and commas in strings do not count, nor do those behind an escaped quote */
  assert_int_equal(parse_many("[\"", "[{,\\\"", 1 << 20, "\"]", &v), TENON_OK);
  tn_json_free(v);
  assert_int_equal(parse_many("[", "[],", TN_JSON_MAX_OBJECTS - 1, "1]", &v), TENON_OK);
  assert_int_equal(tn_json_count(v), TN_JSON_MAX_OBJECTS);
  tn_json_free(v);
  assert_int_equal(parse_many("[", "1,", TN_JSON_MAX_VALUES - 1, "1]", &v), TENON_OK);
  tn_json_free(v);
}

/* What is not there is asked for all the time, of replies that lie. */
static void absent_values_are_null(void **state) {
  (void)state;
  void *cursor = NULL;
  const char *key;
  const tn_json *value;
  assert_int_equal(tn_json_type_of(NULL), TN_JSON_NULL);
  assert_false(tn_json_bool(NULL));
  assert_int_equal(tn_json_integer(NULL), 0);
  assert_true(tn_json_number(NULL) == 0);
  assert_null(tn_json_string(NULL));
  assert_int_equal(tn_json_count(NULL), 0);
  assert_null(tn_json_at(NULL, 0));
  assert_null(tn_json_get(NULL, "a"));
  assert_false(tn_json_next(NULL, &cursor, &key, &value));
}

static void messages_keep_texts_to_themselves(void **state) {
  (void)state;
  static const char *const bad[] = {"[s3cret]", "{\"s3cret\":1,\"s3cret\":2}", "\"s3cret", "\"s3cret\n\"",
                                    "[1 \"s3cret\"]", "{\"s3cret near 's3cret'\" 1}"};
  tn_json *v;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_json_parse_reply(bad[i], strlen(bad[i]), &v, &err), TENON_DATA);
    assert_non_null(strstr(err.message, "line 1, column "));
    assert_null(strstr(err.message, "s3c"));
  }
}

/* ---- Hostile replies ---- */

static void put_value(tn_json_writer *w, const tn_json *v) {
  void *cursor = NULL;
  const char *key;
  const tn_json *value;
  tn_json_type type = tn_json_type_of(v);
  if (type == TN_JSON_ARRAY || type == TN_JSON_OBJECT) tn_json_open(w, type == TN_JSON_ARRAY ? '[' : '{');
  switch (type) {
    case TN_JSON_NULL: tn_json_put_null(w); break;
    case TN_JSON_BOOL: tn_json_put_bool(w, tn_json_bool(v)); break;
    case TN_JSON_INTEGER: tn_json_put_integer(w, tn_json_integer(v)); break;
    case TN_JSON_NUMBER: tn_json_put_number(w, tn_json_number(v)); break;
    case TN_JSON_STRING: tn_json_put_string(w, tn_json_string(v)); break;
    case TN_JSON_ARRAY:
      for (size_t i = 0; i < tn_json_count(v); i++) put_value(w, tn_json_at(v, i));
      break;
    case TN_JSON_OBJECT:
      while (tn_json_next(v, &cursor, &key, &value)) {
        tn_json_key(w, key);
        put_value(w, value);
      }
      break;
  }
  if (type == TN_JSON_ARRAY || type == TN_JSON_OBJECT) tn_json_close(w);
}

static size_t read_bytes(const char *input, char *ret) {
  size_t n = 0;
  while (*input) {
    bool is_byte = strncmp(input, "\\x", 2) == 0;
    ret[n++] = is_byte ? (char)strtol((char[]){input[2], input[3], 0}, NULL, 16) : *input;
    input += is_byte ? 4 : 1;
  }
  return n;
}

static void answer(const char *input, char *text, size_t room) {
  char data[4096];
  size_t size = read_bytes(input, data);
  tenon_error err = TENON_ERROR_INIT;
  tn_json *v = NULL;
  tn_str out;
  tn_json_writer w;
  tn_str_init(&out, 65536);
  tn_json_writer_init(&w, &out);
  if (tn_json_parse_reply(data, size, &v, &err)) {
    snprintf(text, room, "error: %s %s", tenon_status_name(err.code), err.message);
  } else {
    put_value(&w, v);
    snprintf(text, room, "%s", tn_str_text(&out));
  }
  tn_json_free(v);
  tn_str_release(&out);
}

static void a_nul_is_seen_wherever_it_stands(void **state) {
  (void)state;
  static const char text[] = "{\"a\":[1,2.5],\"b\":\"x\",\"c\":true}";
  for (size_t at = 0; at <= sizeof text - 1; at++) {
    char with[sizeof text];
    tn_json *v;
    tn_json_type type;
    memcpy(with, text, at);
    with[at] = 0;
    memcpy(with + at + 1, text + at, sizeof text - 1 - at);
    assert_int_equal(tn_json_parse(with, sizeof with, &v, NULL), TENON_CONFIG);
    assert_int_equal(tn_json_check(with, sizeof with, &type, NULL), TENON_DATA);
  }
}

static void texts_that_are_kept_are_checked(void **state) {
  (void)state;
  static const char *const good[] = {"{\"a\":123456789012345678901234567890}", "{\"a\":\"\\u0000\"}", "{}"},
                    *const bad[] = {"{\"a\":1,\"a\":2}", "{\"a\":1e400}", "{\"a\":01}", "{\"a\":1} x", "{\"a\":\"\xff\"}"};
  tn_json_type type;
  tn_json *v;
  tenon_error err = TENON_ERROR_INIT;
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    assert_true(tn_json_check(good[i], strlen(good[i]), &type, NULL) == TENON_OK && type == TN_JSON_OBJECT);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    assert_int_equal(tn_json_check(bad[i], strlen(bad[i]), &type, NULL), TENON_DATA);
  assert_int_equal(tn_json_parse(good[1], strlen(good[1]), &v, &err), TENON_CONFIG);
  assert_null(strstr(err.message, "JSON_"));
}

static void hostile_replies(void **state) {
  (void)state;
  tn_run_cases("json", 85, answer);
}

static void writes(void **state) {
  (void)state;
  tn_str s;
  tn_json_writer w;
  tn_str_init(&s, 1000);
  tn_json_writer_init(&w, &s);
  tn_json_open(&w, '{');
  tn_json_key(&w, "a\"b");
  tn_json_open(&w, '[');
  tn_json_put_integer(&w, INT64_MIN);
  tn_json_put_number(&w, 0.1);
  tn_json_put_number(&w, NAN);
  tn_json_put_bool(&w, true);
  tn_json_put_string(&w, NULL);
  tn_json_put_string(&w, "tab\t, \x01, \x7f, \\, é");
  tn_json_put_text(&w, "bad \xff\xc3", 6);
  tn_json_close(&w);
  tn_json_key(&w, "c");
  tn_json_open(&w, '{');
  tn_json_close(&w);
  tn_json_close(&w);
  assert_string_equal(tn_str_text(&s),
                      "{\"a\\\"b\":[-9223372036854775808,0.1,null,true,null,\"tab\\t, \\u0001, \\u007f, \\\\, é\",\"bad \xEF\xBF\xBD\xEF\xBF\xBD\"],\"c\":{}}");
  tn_json *v;
  assert_int_equal(parse(tn_str_text(&s), &v), TENON_OK);
  tn_json_free(v);
  tn_str_release(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads),
      cmocka_unit_test(refuses),
      cmocka_unit_test(depth_and_size_have_limits),
      cmocka_unit_test(what_grows_has_limits),
      cmocka_unit_test(absent_values_are_null),
      cmocka_unit_test(messages_keep_texts_to_themselves),
      cmocka_unit_test(a_nul_is_seen_wherever_it_stands),
      cmocka_unit_test(texts_that_are_kept_are_checked),
      cmocka_unit_test(hostile_replies),
      cmocka_unit_test(writes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
