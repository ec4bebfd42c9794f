/* SPDX-License-Identifier: Apache-2.0 */
/* JSON as text: the same is JSON as for the other reader, and walking it finds what is there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/json_text.h"
#include "base/mem.h"

static tn_json_text checked(const char *text) {
  tn_json_text t = {NULL, 0};
  tenon_error err = TENON_ERROR_INIT;
  if (tn_json_text_check(text, strlen(text), &t, &err)) fail_msg("%s: %s", text, err.message);
  return t;
}

static void is(tn_json_text t, const char *text) {
  if (t.size != strlen(text) || memcmp(t.data, text, t.size) != 0)
    fail_msg("%.*s instead of %s", (int)t.size, t.data, text);
}

static void walks(void **state) {
  (void)state;
  tn_json_text t = checked(
                   " { \"a\" : [ 1 , \"x,]}\\\"\" , {} ] , \"b\\u0063\" : -1.5e3 , \"\" : null } "),
               key, value;
  const char *c = NULL;
  assert_int_equal(tn_json_text_count(t), 3);
  assert_true(tn_json_text_next(t, &c, &key, &value));
  is(key, "\"a\"");
  assert_int_equal(tn_json_text_count(value), 3);
  const char *d = NULL;
  assert_true(tn_json_text_next(value, &d, &key, &t));
  assert_null(key.data);
  is(t, "1");
  assert_true(tn_json_text_next(value, &d, NULL, &t));
  is(t, "\"x,]}\\\"\"");
  assert_true(tn_json_text_next(value, &d, NULL, &t));
  is(t, "{}");
  assert_false(tn_json_text_next(value, &d, NULL, &t));
  t = checked("{\"bc\":1,\"a\":2,\"a\":3}");
  assert_true(tn_json_text_get(checked("{\"b\\u0063\":1}"), "bc", 2, &value));
  assert_true(tn_json_text_get(t, "a", 1, &value));
  is(value, "3");
  assert_false(tn_json_text_get(t, "c", 1, &value));
  assert_false(tn_json_text_get(checked("[1]"), "c", 1, &value));
  c = NULL;
  assert_false(tn_json_text_next(checked("5"), &c, NULL, &value));
}

static void finds_by_paths(void **state) {
  static const char *const cases[][2] = {
      {"", "{\"data\":{\"items\":[10,{\"x\":null}],\"a.b\":1,\"a/b\":2,\"~\":3,\"\":4,\"01\":5}}"},
      {"/data/items/0", "10"},
      {"data.items.1.x", "null"},
      {"data.items", "[10,{\"x\":null}]"},
      {"/data/a.b", "1"},
      {"/data/a~1b", "2"},
      {"/data/~0", "3"},
      {"/data/", "4"},
      {"/data/01", "5"},
      {"/data/items/2", NULL},
      {"/data/items/-", NULL},
      {"/data/items/01", NULL},
      {"/data/items/x", NULL},
      {"/nothing", NULL},
      {"data.items.0.x", NULL},
      {"/data/items/99999999999", NULL}};
  tn_json_text t = checked(cases[0][1]), found;
  (void)state;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    bool there = tn_json_text_find(t, cases[i][0], &found);
    if (there != (cases[i][1] != NULL)) fail_msg("%s", cases[i][0]);
    if (there) is(found, cases[i][1]);
  }
}

static void strings_say_what_they_say(void **state) {
  tn_str s;
  (void)state;
  tn_str_init(&s, 1000);
  assert_true(tn_json_text_unquote(
      checked("\"a\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\ud83d\\ude00\\u0000é\""), &s));
  assert_int_equal(s.size, 18);
  assert_memory_equal(s.data, "a\"\\/\b\f\n\r\t\xC3\xA9\xF0\x9F\x98\x80\0\xC3\xA9", 18);
  tn_str_release(&s);
  assert_true(tn_json_text_is(checked("\"\\u0061b\""), "ab", 2));
  assert_false(tn_json_text_is(checked("\"ab\""), "a", 1));
  assert_false(tn_json_text_is(checked("5"), "5", 1));
}

static void numbers_keep_their_digits(void **state) {
  int64_t n;
  double f;
  (void)state;
  assert_true(tn_json_text_integer(checked("-9223372036854775808"), &n) && n == INT64_MIN);
  assert_false(tn_json_text_integer(checked("9223372036854775808"), &n));
  assert_false(tn_json_text_integer(checked("1.0"), &n));
  assert_false(tn_json_text_integer(checked("\"1\""), &n));
  assert_true(tn_json_text_number(checked("9223372036854775808"), &f) &&
              f == 9223372036854775808.0);
  assert_int_equal(tn_json_text_type(checked("1e2")), TN_JSON_NUMBER);
  assert_int_equal(tn_json_text_type(checked("-0")), TN_JSON_INTEGER);
}

/* The other reader also refuses what cannot be held: integers beyond 64 bits, huge numbers, members that are there twice, NULs. */
static bool is_known_difference(const char *why) {
  static const char *const known[] = {"too big", "overflow", "duplicate", "\\u0000", "NUL"};
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strstr(why, known[i])) return true;
  return false;
}

static void agree(const char *text, size_t size) {
  tn_json *parsed = NULL;
  tn_json_text t;
  tenon_error err = TENON_ERROR_INIT;
  bool other = tn_json_parse(text, size, &parsed, &err) == TENON_OK,
       ours = tn_json_text_check(text, size, &t, NULL) == TENON_OK;
  tn_json_free(parsed);
  if (other != ours && !(ours && (is_known_difference(err.message) || err.code == TENON_LIMITED)))
    fail_msg("%.*s: %s", (int)size, text, other ? "only the other takes it" : err.message);
}

/* Texts with a character left out, doubled or put in somewhere. */
static void readers_agree(void **state) {
  static const char *const seeds[] = {
      "{\"a\":[1,-2.5e+3,true,false,null,\"x\\u00e9\\ud83d\\ude00\\n\"],\"b\":{}}",
      "[[],[[]],{\"\":0}]", "\"\xF0\x9F\x98\x80\"", "-0.0E-7", " [ ] "};
  static const char more[] = "{}[]:,\"\\0123456789.eE+-tfnu /\x01\x7F\xC3\xA9";
  (void)state;
  for (size_t s = 0; s < sizeof seeds / sizeof *seeds; s++) {
    size_t size = strlen(seeds[s]);
    for (size_t at = 0; at <= size; at++) {
      char text[200];
      memcpy(text, seeds[s], at);
      agree(text, at);
      memcpy(text + at, seeds[s] + at + (at < size), size - at - (at < size) + 1);
      agree(text, strlen(text));
      for (size_t m = 0; m < sizeof more - 1; m++) {
        text[at] = more[m];
        memcpy(text + at + 1, seeds[s] + at, size - at + 1);
        agree(text, size + 1);
        memcpy(text + at + 1, seeds[s] + at + (at < size), size - at - (at < size) + 1);
        agree(text, strlen(text));
      }
    }
  }
}

static void corpora_agree(void **state) {
  static char text[1 << 20];
  char path[400];
  int seen = 0;
  (void)state;
  DIR *folder = opendir("tests/fuzz/corpus/json");
  assert_non_null(folder);
  for (struct dirent *e; (e = readdir(folder)); seen++) {
    snprintf(path, sizeof path, "tests/fuzz/corpus/json/%s", e->d_name);
    FILE *f = e->d_name[0] == '.' ? NULL : fopen(path, "rb");
    if (!f) continue;
    size_t size = fread(text, 1, sizeof text, f);
    fclose(f);
    agree(text, size);
  }
  closedir(folder);
  assert_true(seen > 10);
}

static void members_stand_once(void **state) {
  static const char *const once[] = {"{}", "{\"a\":1,\"b\":{\"a\":1}}", "[{\"a\":1},{\"a\":1}]",
                                     "\"a\"", "1"};
  static const char *const twice[] = {
      "{\"a\":1,\"a\":1}", "[[{\"b\":{\"x\":1,\"y\":2,\"\\u0078\":3}}]]", "{\"\":1,\"\":2}"};
  (void)state;
  for (size_t i = 0; i < sizeof once / sizeof *once; i++)
    assert_int_equal(tn_json_text_check_members(checked(once[i]), NULL), TENON_OK);
  for (size_t i = 0; i < sizeof twice / sizeof *twice; i++)
    assert_int_equal(tn_json_text_check_members(checked(twice[i]), NULL), TENON_CONFIG);
}

static void depth_is_bounded(void **state) {
  char text[400] = "";
  tn_json_text t;
  (void)state;
  for (int depth = TN_JSON_MAX_DEPTH; depth <= TN_JSON_MAX_DEPTH + 1; depth++) {
    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    assert_int_equal(tn_json_text_check(text, 2 * (size_t)depth, &t, NULL),
                     depth > TN_JSON_MAX_DEPTH ? TENON_LIMITED : TENON_OK);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(walks),
      cmocka_unit_test(finds_by_paths),
      cmocka_unit_test(strings_say_what_they_say),
      cmocka_unit_test(numbers_keep_their_digits),
      cmocka_unit_test(readers_agree),
      cmocka_unit_test(corpora_agree),
      cmocka_unit_test(depth_is_bounded),
      cmocka_unit_test(members_stand_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
