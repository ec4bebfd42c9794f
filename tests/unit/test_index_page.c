/* SPDX-License-Identifier: Apache-2.0 */
/* Index pages as five servers wrote them (recorded; the first byte of a file chooses the type), and HTML's odd corners. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "providers/storage/http/html.h"
#include "providers/storage/http/page.h"

static const char all[] = "a b/ big.bin:%s empty:%s sub/ x.csv:%s x.csv.gz:%s";

static void show(const tn_web_page *p, char *text, size_t room) {
  size_t n = 0;
  text[0] = 0;
  for (size_t i = 0; i < p->count; i++) {
    const tn_web_entry *e = &p->items[i];
    n += (size_t)snprintf(text + n, room - n, "%s%.*s", i ? " " : "", (int)e->size, tn_web_name_at(p, i));
    if (!e->is_folder) n += (size_t)snprintf(text + n, room - n, ":%lld", (long long)e->bytes);
    if (e->modified_us != INT64_MIN) n += (size_t)snprintf(text + n, room - n, "@%lld", (long long)e->modified_us);
  }
}

static void expect_page(const char *url, const char *type, const char *text, size_t size, const char *expected) {
  tn_web_page page;
  tenon_error err = TENON_ERROR_INIT;
  char shown[2000];
  if (tn_web_page_read(url, type, text, size, &page, &err)) fail_msg("%s", err.message);
  show(&page, shown, sizeof shown);
  assert_string_equal(shown, expected);
  tn_web_page_release(&page);
}

static void expect_recorded(const char *name, const char *url, const char *expected) {
  char path[200], text[16384];
  snprintf(path, sizeof path, "tests/fuzz/corpus/index_page/%s", name);
  FILE *file = fopen(path, "rb");
  if (!file) fail_msg("cannot open %s", path);
  size_t size = fread(text, 1, sizeof text, file);
  fclose(file);
  expect_page(url, text[0] == '0' ? "text/html;charset=UTF-8" : "application/json", text + 1, size - 1, expected);
}

static void sizes(char *expected, size_t room, const char *big, const char *empty, const char *csv, const char *gz) {
  snprintf(expected, room, all, big, empty, csv, gz);
}

static void reads_what_servers_write(void **state) {
  char expected[300];
  (void)state;
  sizes(expected, sizeof expected, "3000000", "0", "16", "42");
  expect_recorded("nginx", "http://127.0.0.1:18480/dir/", expected);
  sizes(expected, sizeof expected, "3000000@1795282635000000", "0@1795282635000000", "16@1795282635000000", "42@1795282635000000");
  expect_recorded("nginx-json", "http://127.0.0.1:18481/dir/", expected);
  sizes(expected, sizeof expected, "-1", "0", "16", "42");   /* 2.9M is no size */
  expect_recorded("apache", "http://127.0.0.1:18483/dir/", expected);
  expect_recorded("apache-table", "http://127.0.0.1:18483/table/dir/", expected);
  sizes(expected, sizeof expected, "-1", "-1", "-1", "-1");
  expect_recorded("apache-plain", "http://127.0.0.1:18483/plain/dir/", expected);
  expect_recorded("lighttpd", "http://127.0.0.1:18484/dir/", expected);
  expect_recorded("python", "http://127.0.0.1:18482/dir/", expected);
}

static void reads_caddys_json(void **state) {
  (void)state;
  static const char odd[] = "[{\"name\":\"a\xFF\\u00e9\",\"type\":\"file\",\"size\":1},{\"name\":\"b\",\"type\":\"file\",\"size\":2}]";
  expect_page("http://h/", "application/json", odd, sizeof odd - 1, "a\xFF\xC3\xA9:1 b:2");   /* a name is bytes */
  expect_recorded("caddy-json", "https://h/", "d/ f:3@1795281753500000 s:-1@1795281753000000");
}

static void takes_nothing_from_elsewhere(void **state) {
  (void)state;
  expect_recorded("hostile", "http://h.example:8080/a%20b/c/", "d:-1 e:-1 e&A&bad;:-1 f:77");
}

typedef struct odd_page {
  const char *text, *expected;
} odd_page;

static void reads_odd_html(void **state) {
  static const odd_page pages[] = {
      {"<a\thref = 'x' >", "x:-1"},       {"<A HREF=x/>", "x/"},        {"<a title='>' href=x>", "x:-1"},
      {"<a data-href=y href=x>", "x:-1"}, {"<a href=x href=y>", "x:-1"}, {"<abbr href=y><a href=x>", "x:-1"},
      {"<a href=\"a&lt;b&gt;&quot;&apos;&nbsp;\">", "a<b>\"'\xC2\xA0:-1"},      {"<a href='&#0;&#xD800;&#1114112;x'>", "x"},
      {"<a href=x<a href=y>", "x<a:-1"},  {"a < b <a href=x>", "x:-1"}, {"<!-- <a href=y> --><a href=x>", "x:-1"},
      {"<style><a href=y></style><a href=x>", "x:-1"}, {"<SCRIPT>'</scrip' <a href=y></SCRIPT ><a href=x>", "x:-1"},
      {"<?php <a href=y?><a href=x>", "x:-1"}, {"<a/href=x>", "x:-1"}, {"<a href=\"\nx\t\">", "x:-1"},
  };
  (void)state;
  for (size_t i = 0; i < sizeof pages / sizeof pages[0]; i++) {
    char text[300];
    snprintf(text, sizeof text, "<a href=../></a>%s", pages[i].text);
    if (strstr(text, "&#0;")) {   /* what is no reference stays text, and a fragment begins at its # */
      expect_page("http://h/a/", "text/html", text, strlen(text), "&:-1");
      continue;
    }
    expect_page("http://h/a/", "text/html", text, strlen(text), pages[i].expected);
  }
}

static void says_what_is_none(void **state) {
  static const struct { const char *type, *text; } others[] = {
      {"text/html", "<h1>welcome</h1>"}, {"text/html", "<title>Welcome</title><a href='about.html'>us</a> <a href='news/'>news</a>"},
      {"text/html", "<a href='/'>home</a> <a href='/x/'>here</a> <a href='b'>b</a>"}, {"text/plain", "<title>Index of</title>"}, {"text/htmlx", "<title>Index of</title>"},
      {"application/json", "{\"name\":\"x\"}"}, {"application/json", "[1]"}, {"application/json", "[{\"name\":\"x\"}]"},
      {"application/json", "[{"}, {NULL, ""}};
  (void)state;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
    tn_web_page page;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_web_page_read("http://h/x/", others[i].type, others[i].text, strlen(others[i].text), &page, &err), TENON_DATA);
  }
}

/* Whichever allocation fails, it is an error, and nothing is left (the sanitizer looks). */
static void survives_without_memory(void **state) {
  static const struct { const char *type, *text; } pages[] = {
      {"text/html", "<title>Index of</title><a href='a/'>a</a><a href='b'>b</a> 21-Nov-2026 17:22 5<a href='c'>"},
      {"application/json", "[{\"name\":\"a\",\"type\":\"file\",\"mtime\":\"x\"},{\"name\":\"b\",\"is_dir\":true}]"}};
  (void)state;
  for (size_t i = 0; i < 2; i++)
    for (int64_t n = 1;; n++) {
      tn_web_page page;
      tenon_error err = TENON_ERROR_INIT;
      tn_mem_fail_at(n, 0);
      tenon_status status = tn_web_page_read("http://h/x/", pages[i].type, pages[i].text, strlen(pages[i].text), &page, &err);
      bool is_over = tn_mem_count() < n;
      tn_mem_fail_at(0, 0);
      if (!status) tn_web_page_release(&page);
      else assert_int_equal(err.code, status);
      if (is_over) break;
      assert_true(n < 1000);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_what_servers_write), cmocka_unit_test(reads_caddys_json), cmocka_unit_test(takes_nothing_from_elsewhere),
      cmocka_unit_test(reads_odd_html), cmocka_unit_test(says_what_is_none),
      cmocka_unit_test(survives_without_memory)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
