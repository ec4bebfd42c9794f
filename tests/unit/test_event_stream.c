/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of events: the same events wherever the bytes are split, and bounds that hold. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "base/str.h"
#include "cases.h"
#include "net/event_stream.h"

static void show(tn_str *out, const tn_event *e) {
  tn_str_printf(out, "%s%s(", out->size ? " " : "", e->name);
  for (size_t i = 0; i < e->size; i++) {
    if (e->data[i] == '\n') tn_str_puts(out, "\\n");
    else if (e->data[i] == '\r') tn_str_puts(out, "\\r");
    else tn_str_putc(out, e->data[i]);
  }
  tn_str_putc(out, ')');
}

static void take_events(tn_event_stream *s, tn_str *out) {
  for (;;) {
    tn_event e = {0};
    tenon_error err = TENON_ERROR_INIT;
    if (tn_event_stream_next(s, &e, &err)) fail_msg("%s", err.message);
    if (!e.data) return;
    show(out, &e);
  }
}

static void give(tn_event_stream *s, const char *data, size_t size, tn_str *out) {
  while (size) {
    char *to;
    size_t room;
    assert_int_equal(tn_event_stream_room(s, &to, &room, NULL), TENON_OK);
    if (room > size) room = size;
    memcpy(to, data, room);
    tn_event_stream_add(s, room);
    data += room;
    size -= room;
    take_events(s, out);
  }
}

/* In pieces: first `at` bytes, then `piece` at a time. */
static void read_in(tn_event_framing framing, const char *data, size_t size, size_t at,
                    size_t piece, tn_str *out) {
  tn_event_stream s;
  tn_event_stream_init(&s, framing, 1 << 20);
  give(&s, data, at, out);
  for (; at < size; at += piece) give(&s, data + at, size - at < piece ? size - at : piece, out);
  tn_event_stream_end(&s);
  take_events(&s, out);
  tn_event_stream_release(&s);
}

static size_t read_escapes(const char *from, char *to) {
  size_t n = 0;
  while (*from) {
    if (*from != '\\') to[n++] = *from++;
    else if (from[1] == 'x') {
      to[n++] = (char)strtol((char[]){from[2], from[3], 0}, NULL, 16);
      from += 4;
    } else {
      to[n++] = from[1] == 'n' ? '\n' : from[1] == 'r' ? '\r' : from[1] == 't' ? '\t' : from[1];
      from += 2;
    }
  }
  return n;
}

static void one_case(const char *input, char *text, size_t room) {
  char data[4096];
  tn_str whole, other;
  bool lines = strncmp(input, "lines", 5) == 0;
  const char *stream = strchr(input, ' ');
  size_t size = stream ? read_escapes(stream + 1, data) : 0;
  tn_event_framing framing = lines ? TN_JSON_LINES : TN_EVENT_STREAM;
  tn_str_init(&whole, 1 << 16);
  tn_str_init(&other, 1 << 16);
  read_in(framing, data, size, size, 1, &whole);
  for (size_t at = 0; at <= size; at++)
    for (size_t piece = 1; piece <= 3; piece++) {
      tn_str_clear(&other);
      read_in(framing, data, size, at, piece == 3 ? size + 1 : piece, &other);
      if (strcmp(tn_str_text(&whole), tn_str_text(&other)) != 0)
        fail_msg("%s: split at %zu: %s, not %s", input, at, tn_str_text(&other),
                 tn_str_text(&whole));
    }
  snprintf(text, room, "%s", tn_str_text(&whole));
  tn_str_release(&whole);
  tn_str_release(&other);
}

static void reads_every_case_split_anywhere(void **state) {
  (void)state;
  tn_run_cases("event_stream", 30, one_case);
}

static void long_events_come_whole_and_longer_ones_not(void **state) {
  (void)state;
  enum { LONG = 300000, MAX = 400000 };
  tn_event_stream s;
  tn_event e = {0};
  char *to;
  size_t room, events = 0, given = 0;
  tenon_error err = TENON_ERROR_INIT;
  tn_event_stream_init(&s, TN_EVENT_STREAM, MAX);
  char *text = malloc(LONG + 16);
  size_t size = (size_t)sprintf(text, "data: ");
  memset(text + size, 'x', LONG);
  size += LONG;
  size += (size_t)sprintf(text + size, "\n\n");
  for (int round = 0; round < 5; round++)
    for (size_t at = 0; at < size; at += 777) {
      size_t n = size - at < 777 ? size - at : 777;
      assert_int_equal(tn_event_stream_room(&s, &to, &room, &err), TENON_OK);
      assert_true(room >= n);
      memcpy(to, text + at, n);
      tn_event_stream_add(&s, n);
      assert_int_equal(tn_event_stream_next(&s, &e, &err), TENON_OK);
      if (!e.data) continue;
      assert_int_equal(e.size, LONG);
      assert_int_equal(e.data[0], 'x');
      assert_int_equal(e.data[LONG - 1], 'x');
      events++;
    }
  assert_int_equal(events, 5);
  while (given <= 2 * MAX && !tn_event_stream_room(&s, &to, &room, &err)) {
    memset(to, 'y', room);
    tn_event_stream_add(&s, room);
    assert_int_equal(tn_event_stream_next(&s, &e, &err), TENON_OK);
    assert_null(e.data);
    given += room;
  }
  assert_int_equal(err.code, TENON_LIMITED);
  tn_event_stream_release(&s);
  free(text);
}

static void names_have_a_bound(void **state) {
  (void)state;
  tn_event_stream s;
  tn_event e = {0};
  char *to;
  size_t room;
  tenon_error err = TENON_ERROR_INIT;
  tn_event_stream_init(&s, TN_EVENT_STREAM, 1 << 16);
  assert_int_equal(tn_event_stream_room(&s, &to, &room, &err), TENON_OK);
  size_t n = (size_t)sprintf(to, "event: %0100d\ndata: x\n\n", 1);
  tn_event_stream_add(&s, n);
  assert_int_equal(tn_event_stream_next(&s, &e, &err), TENON_LIMITED);
  assert_null(e.data);
  tn_event_stream_release(&s);
}

static void no_memory_is_said(void **state) {
  (void)state;
  tn_event_stream s;
  char *to;
  size_t room;
  tenon_error err = TENON_ERROR_INIT;
  tn_event_stream_init(&s, TN_EVENT_STREAM, 1 << 16);
  tn_mem_fail_at(1, 0);
  assert_int_equal(tn_event_stream_room(&s, &to, &room, &err), TENON_LIMITED);
  tn_mem_fail_at(0, 0);
  tn_event_stream_release(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(reads_every_case_split_anywhere),
      cmocka_unit_test(long_events_come_whole_and_longer_ones_not),
      cmocka_unit_test(names_have_a_bound),
      cmocka_unit_test(no_memory_is_said),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
