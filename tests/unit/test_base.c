/* SPDX-License-Identifier: Apache-2.0 */
/* Errors, redaction, strings with a maximum, arenas, UTF-8, did-you-mean. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

static void the_first_message_stays(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_fail(&err, TENON_DATA, TENON_STAGE_DATA, "mend it", "row %d", 7), TENON_DATA);
  assert_int_equal(tenon_fail(&err, TENON_IO, TENON_STAGE_WRITE, NULL, "later"), TENON_IO);
  assert_int_equal(err.code, TENON_DATA);
  assert_string_equal(err.message, "row 7");
  assert_string_equal(err.remedy, "mend it");
  assert_int_equal(err.retry_after_ms, -1);
  assert_int_equal(tenon_fail(NULL, TENON_IO, TENON_STAGE_WRITE, NULL, "nobody asks"), TENON_IO);
}

static void messages_are_one_clean_line(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  char text[2 * sizeof err.message + 1];
  memset(text, 'a', sizeof text - 1);
  text[sizeof text - 1] = 0;
  /* a two-byte letter across the cut */
  memcpy(text + sizeof err.message - 2, "\xC3\xA9", 2);
  tenon_fail(&err, TENON_DATA, TENON_STAGE_DATA, NULL, "%s", text);
  assert_true(tn_utf8_valid(err.message, strlen(err.message), NULL));
  assert_int_equal(strlen(err.message), sizeof err.message - 2);
  tn_error_init(&err);
  tenon_fail(&err, TENON_DATA, TENON_STAGE_DATA, NULL, "bell\a and\nline \x1b[31mred");
  assert_string_equal(err.message, "bell  and line  [31mred");
  tn_error_init(&err);
  tenon_fail(&err, TENON_DATA, TENON_STAGE_DATA, NULL, "ends well \xC3\xA9");
  assert_string_equal(err.message, "ends well \xC3\xA9");
}

static void errno_has_a_code(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_fail_errno(&err, ENOENT, TENON_STAGE_CONFIG, NULL, "%s", "a.csv"), TENON_NOT_FOUND);
  assert_string_equal(err.message, "a.csv: No such file or directory");
  assert_int_equal(tn_fail_errno(NULL, EACCES, TENON_STAGE_CONFIG, NULL, "x"), TENON_FORBIDDEN);
  assert_int_equal(tn_fail_errno(NULL, ENOSPC, TENON_STAGE_WRITE, NULL, "x"), TENON_LIMITED);
  assert_int_equal(tn_fail_errno(NULL, EIO, TENON_STAGE_WRITE, NULL, "x"), TENON_IO);
  tn_error_prefix(&err, "dir %d: ", 3);
  assert_string_equal(err.message, "dir 3: a.csv: No such file or directory");
}

/* What systems make of credentials when they say what they got, and where a quotation of them is cut. */
static void secrets_are_redacted_however_they_come_back(void **state) {
  static const char secret[] = "s3cr3t/p w+rd\"\xC3\xA4", basic[] = "dTpzM2NyM3QvcCB3K3JkIsOk",   /* u:… */
                    plain[] = "AGFkYQBzM2NyM3QvcCB3K3JkIsOk", third[] = "YWRhOnMzY3IzdC9wIHcrcmQiw6Q=",
                    alone[] = "czNjcjN0L3Agdytyd";   /* \0ada\0…, ada:…, and … itself, cut */
  static const char *const forms[] = {
      secret, "s3cr3t%2Fp%20w%2Brd%22%C3%A4", "s3cr3t%2fp+w%2brd%22%c3%a4", "s3cr3t/p w+rd\\\"\xC3\xA4", "s3cr3t\\/p w+rd\\\"\xC3\xA4",
      "s3cr3t/p w", "s3cr3t%2Fp%2", basic, plain, third, alone,
  };
  const char *const secrets[] = {secret};
  (void)state;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    tenon_fail(&err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, forms[i], "got %s", forms[i]);
    tn_error_redact(&err, secrets, 1);
    assert_null(strstr(err.message, "s3cr3t"));
    assert_null(strstr(err.message, "MzY3IzdC"));     /* of base64: what all spellings of the middle have */
    assert_null(strstr(err.message, "3QvcCB3"));
    assert_null(strstr(err.message, "N0L3Ag"));
    assert_null(strstr(err.message, "IzdC9w"));
    assert_null(strstr(err.remedy, "s3cr3t"));
    assert_non_null(strstr(err.message, "***"));
    assert_ptr_equal(strstr(err.message, "got "), err.message);
  }
}

static void what_is_no_secret_stays(void **state) {
  static const char said[] = "the key has no -----BEGIN PRIVATE KEY-----; a pass is a password, dTp4, 100% of + signs";
  const char *const secrets[] = {"-----BEGIN PRIVATE KEY-----\nMIIEvQIBADANBgkq\n-----END PRIVATE KEY-----\n", "passage", "ab", "", NULL};
  tenon_error err = TENON_ERROR_INIT;
  (void)state;
  tenon_fail(&err, TENON_CONFIG, TENON_STAGE_CONFIG, said, "%s", said);
  tn_error_redact(&err, secrets, 5);
  assert_string_equal(err.message, said);
  assert_string_equal(err.remedy, said);
}

/* Of a proxy's URL the login is secret, and not http:// nor the host, which stand in every other message. */
static void of_a_url_only_some_is_secret(void **state) {
  const char *const secrets[] = {"http://ada:l0velace@proxy.example:3128", "https://10.0.0.1:9198", "https://hooks.example/services/T0/B0xyz"};
  tenon_error err = TENON_ERROR_INIT;
  (void)state;
  tenon_fail(&err, TENON_UNREACHABLE, TENON_STAGE_TCP, "write it as http://host:port",
             "http://10.0.0.1:8000/v1 by proxy.example:3128 as ada:l0velace, l0velace or YWRhOmwwdmVsYWNl, then /services/T0/B0xyz");
  tn_error_redact(&err, secrets, 3);
  assert_string_equal(err.message, "http://10.0.0.1:8000/v1 by proxy.example:3128 as ***, *** or ***, then /***");
  assert_string_equal(err.remedy, "write it as http://host:port");
}

static void secrets_are_redacted_in_every_form(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  const char *secrets[] = {"p@ss word", "", NULL, "x"};
  tenon_fail(&err, TENON_CONFIG, TENON_STAGE_CONFIG, "not p@ss word", "p@ss word, p%%40ss%%20word and xp@ss word");
  tn_error_redact(&err, secrets, 4);
  assert_string_equal(err.message, "***, *** and x***");
  assert_string_equal(err.remedy, "not ***");
}

static void strings_stop_at_their_maximum(void **state) {
  (void)state;
  tn_str s;
  tn_str_init(&s, 10);
  assert_true(tn_str_puts(&s, "12345"));
  assert_true(tn_str_printf(&s, "%d", 67890));
  assert_int_equal(s.size, 10);
  assert_false(tn_str_putc(&s, 'x'));
  assert_false(tn_str_putc(&s, 'y'));
  assert_string_equal(tn_str_text(&s), "1234567890");
  assert_null(tn_str_move(&s));
  tn_str_init(&s, 1000);
  assert_string_equal(tn_str_text(&s), "");
  for (int i = 0; i < 100; i++) assert_true(tn_str_puts(&s, "0123456789"));
  char *text = tn_str_move(&s);
  assert_int_equal(strlen(text), 1000);
  tn_free(text);
}

static void arenas_stop_at_their_maximum(void **state) {
  (void)state;
  tn_arena a;
  tn_arena_init(&a, 10000);
  assert_null(tn_arena_alloc(&a, 10001));
  assert_null(tn_arena_alloc(&a, SIZE_MAX));
  size_t got = 0;
  while (tn_arena_alloc(&a, 100)) got += 100;
  assert_in_range(got, 8000, 10000);
  tn_arena_release(&a);
  char *s = tn_arena_strndup(&a, "abcdef", 3);
  assert_string_equal(s, "abc");
  tn_arena_release(&a);
}

static void utf8_is_checked_to_the_letter(void **state) {
  (void)state;
  static const struct { const char *text; int valid_to; } cases[] = {
      {"plain ascii, longer than a word", -1}, {"\xC3\xA9t\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x98\x80", -1},
      {"abc\x80", 3}, {"\xC0\xAF", 0}, {"\xC1\xBF", 0}, {"\xE0\x80\x80", 0}, {"\xE0\x9F\xBF", 0}, {"\xED\xA0\x80", 0},
      {"\xF0\x80\x80\x80", 0}, {"\xF4\x90\x80\x80", 0}, {"\xF5\x80\x80\x80", 0}, {"12345678\xE2\x82", 8},
      {"\xF0\x9F\x98", 0}, {"\xEF\xBF\xBF", -1}, {"\xF4\x8F\xBF\xBF", -1}, {"\xFF", 0}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    size_t at = 999;
    bool ok = tn_utf8_valid(cases[i].text, strlen(cases[i].text), &at);
    assert_int_equal(ok, cases[i].valid_to < 0);
    if (!ok) assert_int_equal(at, cases[i].valid_to);
  }
  assert_true(tn_utf8_valid("a\0b", 3, NULL));
}

static void near_words_are_found(void **state) {
  (void)state;
  const char *const words[] = {"postgresql", "sqlite", "files"};
  assert_string_equal(tn_nearest("postgress", words, 3), "postgresql");
  assert_string_equal(tn_nearest("SQLite", words, 3), "sqlite");
  assert_string_equal(tn_nearest("file", words, 3), "files");
  assert_null(tn_nearest("oracle", words, 3));
  assert_int_equal(tn_edit_distance("kitten", "sitting", 9), 3);
  assert_int_equal(tn_edit_distance("a", "abcdef", 2), 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_first_message_stays),
      cmocka_unit_test(messages_are_one_clean_line),
      cmocka_unit_test(errno_has_a_code),
      cmocka_unit_test(secrets_are_redacted_in_every_form),
      cmocka_unit_test(of_a_url_only_some_is_secret),
      cmocka_unit_test(secrets_are_redacted_however_they_come_back),
      cmocka_unit_test(what_is_no_secret_stays),
      cmocka_unit_test(strings_stop_at_their_maximum),
      cmocka_unit_test(arenas_stop_at_their_maximum),
      cmocka_unit_test(utf8_is_checked_to_the_letter),
      cmocka_unit_test(near_words_are_found),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
