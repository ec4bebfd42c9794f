/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Streams of events in the bodies of replies: text/event-stream (WHATWG HTML, "Server-sent events",
 * 9.2.6) and JSON lines. Bytes may come in pieces of any size; an event is given once it is whole.
 *
 *   tn_event_stream_init(&s, TN_EVENT_STREAM, 4 << 20);
 *   while (tn_event_stream_room(&s, &to, &room) … read into it …, tn_event_stream_add(&s, n))
 *     while (tn_event_stream_next(&s, &event, err) == TENON_OK && event.data) …
 *
 * The reader's fields `id` and `retry` are for browsers that connect again: they are skipped.
 */
#ifndef TN_NET_EVENT_STREAM_H
#define TN_NET_EVENT_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "tenon/base.h"

typedef enum tn_event_framing { TN_EVENT_STREAM = 0, TN_JSON_LINES } tn_event_framing;

enum { TN_EVENT_NAME = 64 };

/* One event. Valid until the next call on the stream. */
typedef struct tn_event {
  const char *data;         /* its lines joined by LF; NULL: none is whole yet */
  size_t size;
  const char *name;         /* of the field `event`, "" if there was none; "" of JSON lines */
} tn_event;

typedef struct tn_event_stream {
  tn_event_framing framing;
  char *bytes;
  size_t used, capacity, max;
  size_t line, scanned;     /* where the present line begins, and how far no end of it was found */
  size_t data, data_size;   /* the present event's, within bytes */
  size_t lf;                /* the next LF at or behind `scanned`, as far as known */
  bool lf_known, has_data, given, after_cr, began, ended;
  char name[TN_EVENT_NAME];
} tn_event_stream;

/* max: bytes of one event with its fields. Nothing is allocated yet. */
void tn_event_stream_init(tn_event_stream *, tn_event_framing, size_t max);
void tn_event_stream_release(tn_event_stream *);

/* Room for the next bytes, and that so many were put there. Only when `next` gave no event.
 * LIMITED: an event is longer than max. */
tenon_status tn_event_stream_room(tn_event_stream *, char **ret, size_t *ret_size, tenon_error *);
void tn_event_stream_add(tn_event_stream *, size_t size);
/* There are no more bytes: a last JSON line needs no end. An event that is not whole is dropped, as
 * the standard wants it. */
void tn_event_stream_end(tn_event_stream *);

/* LIMITED: the name of an event is too long. */
tenon_status tn_event_stream_next(tn_event_stream *, tn_event *ret, tenon_error *);

#endif
