/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of events: the same events in one piece, byte by byte, and split where the input says. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/event_stream.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct told {
  uint64_t sum;
  size_t events;
} told;

static void mix(told *t, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    t->sum = (t->sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
  t->sum = (t->sum ^ 256) * UINT64_C(0x100000001B3);
}

/* False: the stream was refused. */
static bool take(tn_event_stream *s, told *t) {
  for (;;) {
    tn_event e = {0};
    tenon_error err = TENON_ERROR_INIT;
    if (tn_event_stream_next(s, &e, &err)) {
      if (!err.message[0] || e.data) abort();
      return false;
    }
    if (!e.data) return true;
    if (strlen(e.name) >= TN_EVENT_NAME) abort();
    mix(t, e.name, strlen(e.name));
    mix(t, e.data, e.size);
    t->events++;
  }
}

static bool read_in_pieces(tn_event_framing framing, const uint8_t *data, size_t size, size_t piece,
                           told *ret) {
  tn_event_stream s;
  bool ok = true;
  *ret = (told){0};
  tn_event_stream_init(&s, framing, 1 << 20);
  for (size_t at = 0; ok && at < size;) {
    char *to;
    size_t room, n = size - at < piece ? size - at : piece;
    if (tn_event_stream_room(&s, &to, &room, NULL)) abort();
    if (n > room) n = room;
    memcpy(to, data + at, n);
    tn_event_stream_add(&s, n);
    at += n;
    ok = take(&s, ret);
  }
  tn_event_stream_end(&s);
  if (ok) ok = take(&s, ret);
  tn_event_stream_release(&s);
  return ok;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  told whole, other;
  if (size < 2 || size > 1 << 19) return 0;
  tn_event_framing framing = data[0] & 1 ? TN_JSON_LINES : TN_EVENT_STREAM;
  size_t piece = (size_t)data[0] / 2 + 1;
  bool a = read_in_pieces(framing, data + 1, size - 1, size, &whole);
  for (size_t n = 1; n <= piece; n += piece > 1 ? piece - 1 : 1) {
    bool b = read_in_pieces(framing, data + 1, size - 1, n, &other);
    if (a != b || whole.sum != other.sum || whole.events != other.events) abort();
  }
  return 0;
}
