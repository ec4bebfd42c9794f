/* SPDX-License-Identifier: Apache-2.0 */
/* XML of replies: what is told of it wherever it is split, and what is refused before it costs much. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/mem.h"
#include "cases.h"
#include "net/xml.h"

/* ---- What is told ---- */

static tenon_status note_start(void *arg, const char *path, tenon_error *err) {
  (void)err;
  tn_str_printf(arg, "%s%s{", ((tn_str *)arg)->size ? " " : "", path);
  return TENON_OK;
}

static tenon_status note_end(void *arg, const char *path, const char *text, size_t size,
                             tenon_error *err) {
  (void)err;
  assert_int_equal(strlen(text), size);
  tn_str_printf(arg, " %s=%s}", path, text);
  return TENON_OK;
}

/* In two pieces; the second may be empty. */
static tenon_status read_split(const char *data, size_t size, size_t at, tn_str *told,
                               tenon_error *err) {
  const tn_xml_events events = {.arg = told, .start = note_start, .end = note_end};
  tn_xml *x;
  tenon_status status = tn_xml_new(&events, 1 << 20, &x, err);
  if (status) return status;
  status = tn_xml_push(x, data, at, err);
  if (!status) status = tn_xml_push(x, data + at, size - at, err);
  if (!status) status = tn_xml_finish(x, err);
  if (status) { /* and it stays so */
    tenon_error again = TENON_ERROR_INIT;
    assert_int_equal(tn_xml_push(x, "<a/>", 4, &again), status);
    assert_int_equal(tn_xml_finish(x, NULL), status);
    if (err) assert_string_equal(again.message, err->message);
  }
  tn_xml_free(x);
  return status;
}

static size_t read_escapes(char *text) {
  char *to = text;
  for (const char *at = text; *at;) {
    if (*at != '\\') {
      *to++ = *at++;
    } else if (at[1] == 'x') {
      *to++ = (char)strtol((char[]){at[2], at[3], 0}, NULL, 16);
      at += 4;
    } else {
      *to++ = at[1] == 'n' ? '\n' : at[1] == 'r' ? '\r' : '\t';
      at += 2;
    }
  }
  *to = 0;
  return (size_t)(to - text);
}

static void show(const tn_str *told, tenon_status status, const tenon_error *err, char *text,
                 size_t room) {
  if (status) snprintf(text, room, "error: %s %s", tenon_status_name(status), err->message);
  else snprintf(text, room, "%s", tn_str_text(told));
  for (char *c = text; (c = strchr(c, '\n'));) { /* as the cases write it */
    memmove(c + 2, c + 1, strlen(c + 1) + 1);
    memcpy(c, "\\n", 2);
  }
}

static void answer(const char *input, char *text, size_t room) {
  char data[4096], again[4096];
  snprintf(data, sizeof data, "%s", input);
  size_t size = read_escapes(data);
  for (size_t at = 0; at <= size; at++) {
    tenon_error err = TENON_ERROR_INIT;
    tn_str told;
    tn_str_init(&told, 1 << 16);
    tenon_status status = read_split(data, size, at, &told, &err);
    if (status) assert_int_equal(err.stage, TENON_STAGE_DATA);
    show(&told, status, &err, at ? again : text, at ? sizeof again : room);
    if (at && strcmp(again, text) != 0) fail_msg("%s\nsplit at %zu: %s", input, at, again);
    tn_str_release(&told);
  }
}

static void cases(void **state) {
  (void)state;
  tn_run_cases("xml", 50, answer);
}

/* ---- Bounds ---- */

/* Pushed in pieces of this size; how it ended. */
static tenon_status push_all(const tn_str *text, size_t piece, int64_t max_size) {
  tn_str told;
  tn_str_init(&told, 4 << 20);
  const tn_xml_events events = {.arg = &told, .start = note_start, .end = note_end};
  tn_xml *x;
  assert_int_equal(tn_xml_new(&events, max_size, &x, NULL), TENON_OK);
  tenon_status status = TENON_OK;
  for (size_t at = 0; at < text->size && !status; at += piece)
    status = tn_xml_push(x, text->data + at, text->size - at < piece ? text->size - at : piece, NULL);
  if (!status) status = tn_xml_finish(x, NULL);
  tn_xml_free(x);
  tn_str_release(&told);
  return status;
}

static void repeat(tn_str *s, const char *text, size_t times) {
  while (times--) tn_str_puts(s, text);
}

static void depth(void **state) {
  (void)state;
  for (size_t n = TN_XML_MAX_DEPTH; n <= TN_XML_MAX_DEPTH + 1; n++) {
    tn_str s;
    tn_str_init(&s, 1 << 20);
    repeat(&s, "<abc>", n);
    repeat(&s, "</abc>", n);
    assert_int_equal(push_all(&s, 1 << 20, 1 << 20), n > TN_XML_MAX_DEPTH ? TENON_LIMITED : TENON_OK);
    tn_str_release(&s);
  }
  tn_str s;
  tn_str_init(&s, 8 << 20);
  repeat(&s, "<a>", 1000000);
  assert_int_equal(push_all(&s, 1 << 20, 8 << 20), TENON_LIMITED);
  tn_str_release(&s);
}

/* One document with a part of n bytes: open, n times fill, close. */
static tenon_status with_part(const char *open, const char *fill, size_t n, const char *close,
                              size_t piece) {
  tn_str s;
  tn_str_init(&s, 16 << 20);
  tn_str_puts(&s, open);
  repeat(&s, fill, n);
  tn_str_puts(&s, close);
  assert_false(s.failed);
  tenon_status status = push_all(&s, piece, 16 << 20);
  tn_str_release(&s);
  return status;
}

static void lengths(void **state) {
  (void)state;
  static const size_t pieces[] = {1 << 24, 65536, 1000, 7};
  for (size_t i = 0; i < 4; i++) {
    size_t piece = pieces[i];
    assert_int_equal(with_part("<a>", "x", TN_XML_MAX_TEXT, "</a>", piece), TENON_OK);
    assert_int_equal(with_part("<a>", "x", TN_XML_MAX_TEXT + 1, "</a>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<a>", "x<b/>", TN_XML_MAX_TEXT, "</a>", 1 << 24), TENON_OK);
    assert_int_equal(with_part("<a>", "&#x10FFFF;", TN_XML_MAX_TEXT / 4 + 1, "</a>", piece),
                     TENON_LIMITED);
    assert_int_equal(with_part("<a><![CDATA[", "x", TN_XML_MAX_TEXT + 1, "]]></a>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<", "n", TN_XML_MAX_NAME, "/>", piece), TENON_OK);
    assert_int_equal(with_part("<", "n", TN_XML_MAX_NAME + 1, "/>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<a b='", "x", 50000, "'/>", piece), TENON_OK);
    assert_int_equal(with_part("<a b='", "x", 300000, "'/>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<a><!--", "x", 300000, "--></a>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<a><?x ", "x", 300000, "?></a>", piece), TENON_LIMITED);
    assert_int_equal(with_part("<a ", " ", 300000, "/>", piece), TENON_LIMITED);
  }
  /* many small ones are fine, however many */
  assert_int_equal(with_part("<a>", "<Key>some/key</Key>\n", 3000, "</a>", 1000), TENON_OK);
  assert_int_equal(with_part("<a>", "<!-- x -->", 50000, "</a>", 1000), TENON_OK);
  assert_int_equal(with_part("<a/>", "\n", 300000, "", 1000), TENON_OK);
}

/* A tag that never ends, byte by byte: reading it again and again would take minutes. */
static void slow_tags(void **state) {
  (void)state;
  struct timespec begin, end;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &begin);
  assert_int_equal(with_part("<a b='", "x", 1 << 22, "'/>", 64), TENON_LIMITED);
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
  assert_true(end.tv_sec - begin.tv_sec < 20);
}

static void sizes(void **state) {
  (void)state;
  tn_str s;
  tn_str_init(&s, 64);
  tn_str_puts(&s, "<a>12345</a>");
  assert_int_equal(push_all(&s, 5, 12), TENON_OK);
  assert_int_equal(push_all(&s, 5, 11), TENON_LIMITED);
  assert_int_equal(push_all(&s, 64, 11), TENON_LIMITED);
  assert_int_equal(push_all(&s, 64, 0), TENON_LIMITED);
  assert_int_equal(push_all(&s, 64, -1), TENON_LIMITED);
  tn_str_release(&s);
}

/* ---- Failures of others ---- */

static tenon_status refuse_key(void *arg, const char *path, const char *text, size_t size,
                               tenon_error *err) {
  (void)size;
  ++*(int *)arg;
  if (strcmp(path, "a/key") != 0) return TENON_OK;
  return strcmp(text, "said") == 0
             ? tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "mend it", "the key is %s", text)
             : TENON_DATA;
}

static void events_that_fail(void **state) {
  (void)state;
  int calls = 0;
  const tn_xml_events events = {.arg = &calls, .end = refuse_key};
  tenon_error err = TENON_ERROR_INIT;
  static const char said[] = "<a><b/><key>said</key><c/></a>", silent[] = "<a><key>x</key></a>";
  assert_int_equal(tn_xml_read(&events, said, sizeof said - 1, &err), TENON_CONFLICT);
  assert_int_equal(err.stage, TENON_STAGE_QUERY);
  assert_string_equal(err.message, "the key is said");
  assert_int_equal(calls, 2); /* nothing is told after it */
  err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tn_xml_read(&events, silent, sizeof silent - 1, &err), TENON_DATA);
  assert_true(err.message[0]);
  const tn_xml_events none = {0};
  assert_int_equal(tn_xml_read(&none, said, sizeof said - 1, NULL), TENON_OK);
}

static void failing_allocations(void **state) {
  (void)state;
  static const char data[] = "<ListBucketResult><Contents><Key>a&amp;b</Key></Contents></ListBucketResult>";
  for (int64_t n = 1, count = n + 1; n <= count; n++) {
    tn_str told;
    tn_str_init(&told, 1 << 16);
    tenon_error err = TENON_ERROR_INIT;
    const tn_xml_events none = {0};
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_xml_read(&none, data, sizeof data - 1, &err);
    count = tn_mem_count();
    tn_mem_fail_at(0, 0);
    if (status) assert_int_equal(err.code, TENON_LIMITED);
    tn_str_release(&told);
  }
}

/* ---- Writing ---- */

static void escapes(void **state) {
  (void)state;
  static const char text[] = "<a href=\"x\">&'\r\n\té😀]]>";
  tn_str s, told;
  tn_str_init(&s, 4096);
  tn_str_init(&told, 4096);
  tn_str_puts(&s, "<k>");
  assert_true(tn_xml_escape(&s, text, sizeof text - 1));
  tn_str_puts(&s, "</k>");
  const tn_xml_events events = {.arg = &told, .end = note_end};
  assert_int_equal(tn_xml_read(&events, s.data, s.size, NULL), TENON_OK);
  assert_string_equal(told.data + 3, "<a href=\"x\">&'\r\n\té😀]]>}");
  static const char *const bad[] = {"\x01", "a\x1f", "\xff", "\xEF\xBF\xBE", "\xEF\xBF\xBF"};
  for (size_t i = 0; i < 5; i++) assert_false(tn_xml_escape(&s, bad[i], strlen(bad[i])));
  assert_false(tn_xml_escape(&s, "a\0b", 3));
  tn_str_release(&s);
  tn_str_release(&told);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases),     cmocka_unit_test(depth),
      cmocka_unit_test(lengths),   cmocka_unit_test(slow_tags),
      cmocka_unit_test(sizes),     cmocka_unit_test(events_that_fail),
      cmocka_unit_test(failing_allocations),
      cmocka_unit_test(escapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
