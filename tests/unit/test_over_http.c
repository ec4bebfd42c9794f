/* SPDX-License-Identifier: Apache-2.0 */
/* What kinds over HTTP share: URLs of services, credentials, what is quoted of replies. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "base/error.h"
#include "providers/over_http.h"

static void urls_of_services(void **state) {
  static const struct {
    const char *given, *url, *host, *authority;
    uint16_t port;
  } good[] = {
      {"https://api.example.com", "https://api.example.com", "api.example.com", "api.example.com", 443},
      {"HTTPS://api.example.com/", "https://api.example.com", "api.example.com", "api.example.com", 443},
      {"https://api.example.com:443/v1/", "https://api.example.com/v1", "api.example.com", "api.example.com", 443},
      {"http://localhost:8080/a/b//", "http://localhost:8080/a/b", "localhost", "localhost:8080", 8080},
      {"http://10.0.0.1:80", "http://10.0.0.1", "10.0.0.1", "10.0.0.1", 80},
      {"https://[2001:db8::1]", "https://[2001:db8::1]", "2001:db8::1", "[2001:db8::1]", 443},
      {"http://[::1]:9000/x", "http://[::1]:9000/x", "::1", "[::1]:9000", 9000},
      {"https://h/%2F%20", "https://h/%2F%20", "h", "h", 443},
  };
  (void)state;
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
    tn_http_base b;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_http_base_parse("url", good[i].given, &b, &err), TENON_OK);
    assert_string_equal(b.url, good[i].url);
    assert_string_equal(b.host, good[i].host);
    assert_string_equal(b.authority, good[i].authority);
    assert_int_equal(b.port, good[i].port);
    assert_int_equal(b.is_tls, b.url[4] == 's');
  }
}

static void what_is_no_url_of_a_service(void **state) {
  static const char *const bad[] = {
      "", "api.example.com", "ftp://h", "https:/h", "https://", "https:///path", "https://user@h", "https://user:pw@h/",
      "https://h?x=1", "https://h/#f", "https://h:", "https://h:0", "https://h:65536", "https://h:99999999", "https://h:8a",
      "https://h:+1", "https://h:80:90", "https://[::1", "https://[::1]x", "https://[::1]:", "https://[]", "https://h /", "https://h\r\nx: y",
      "https://h\\@evil", "https://h/a b", "https://h\x7F", "https://h\xC3\xA9.example", "https://h/\xC3\xA9", "https://h\"/",
  };
  char longest[4096] = "https://h/";
  (void)state;
  memset(longest + strlen(longest), 'a', 3000);
  for (size_t i = 0; i <= sizeof bad / sizeof bad[0]; i++) {
    const char *text = i < sizeof bad / sizeof bad[0] ? bad[i] : longest;
    tn_http_base b = {.port = 7};
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_http_base_parse("base_url", text, &b, &err), TENON_CONFIG);
    assert_int_equal(b.port, 7);
    assert_ptr_equal(strstr(err.message, "base_url"), err.message);
    assert_true(err.remedy[0]);
    assert_null(strstr(err.message, "pw"));
  }
}

static void basic_credentials(void **state) {
  tn_str out;
  (void)state;
  tn_str_init(&out, 1024);
  assert_true(tn_http_basic(&out, "Aladdin", "open sesame"));
  assert_string_equal(tn_str_text(&out), "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==");   /* RFC 7617, section 2 */
  tn_str_clear(&out);
  assert_true(tn_http_basic(&out, "key", NULL));
  assert_string_equal(tn_str_text(&out), "Basic a2V5Og==");
  tn_str_clear(&out);
  assert_false(tn_http_basic(&out, "a:b", "c"));
  tn_str_release(&out);
}

static void headers_that_are_the_connection_s(void **state) {
  static const char *const bad[] = {"Content-Length", "transfer-encoding", "HOST", "Connection", "Keep-Alive", "Upgrade", "TE",
                                    "Trailer", "Expect", "Proxy-Authorization", "proxy-connection", "a b", "", "a:", "a\r\nb"};
  static const char *const asking[] = {"Range", "Content-Type", "accept", "If-Match", "Accept-Encoding", "content-encoding"};
  static const char *const good[] = {"X-API-Key", "Authorization", "apikey", "Cookie", "X-Host", "Content-Length-X"};
  (void)state;
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_non_null(tn_http_unfit_header(bad[i]));
    assert_int_equal(tn_http_check_credential_header("header_name", bad[i], &err), TENON_CONFIG);
    assert_ptr_equal(strstr(err.message, "header_name: "), err.message);
  }
  for (size_t i = 0; i < sizeof asking / sizeof asking[0]; i++) {
    assert_null(tn_http_unfit_header(asking[i]));
    assert_int_equal(tn_http_check_credential_header("header_name", asking[i], NULL), TENON_CONFIG);
  }
  for (size_t i = 0; i < sizeof good / sizeof good[0]; i++)
    assert_int_equal(tn_http_check_credential_header("header_name", good[i], NULL), TENON_OK);
}

static void what_is_quoted(void **state) {
  char text[16];
  (void)state;
  tn_http_quote("  two\r\n\twords \x7F", 16, text, sizeof text);
  assert_string_equal(text, "two words");
  tn_http_quote("caf\xC3\xA9", 5, text, 5);      /* room for half of the last character */
  assert_string_equal(text, "caf");
  tn_http_quote("0123456789abcdefgh", 18, text, sizeof text);
  assert_string_equal(text, "0123456789abcde");
  tn_http_quote("", 0, text, sizeof text);
  assert_string_equal(text, "");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(urls_of_services),
      cmocka_unit_test(what_is_no_url_of_a_service),
      cmocka_unit_test(basic_credentials),
      cmocka_unit_test(headers_that_are_the_connection_s),
      cmocka_unit_test(what_is_quoted),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
