/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events are found where the bytes were read to. A line's data stays where it is; further lines of
 * the same event are moved up behind it, over what stood between. So most events are never copied.
 */
#include "net/event_stream.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"

enum { AT_A_TIME = 64 << 10 };

void tn_event_stream_init(tn_event_stream *s, tn_event_framing framing, size_t max) {
  *s = (tn_event_stream){.framing = framing, .max = max};
}

void tn_event_stream_release(tn_event_stream *s) {
  tn_free(s->bytes);
  *s = (tn_event_stream){.max = s->max};
}

/* ---- Bytes in ---- */

/* Nothing before the present event is needed any more. */
static void move_up(tn_event_stream *s) {
  size_t from = s->has_data ? s->data : s->line;
  if (!from) return;
  memmove(s->bytes, s->bytes + from, s->used - from);
  s->used -= from;
  s->line -= from;
  s->scanned -= from;
  s->data = s->has_data ? 0 : s->line;
  s->lf_known = false;
}

static tenon_status grow(tn_event_stream *s, tenon_error *err) {
  size_t capacity = s->capacity ? 2 * s->capacity : 2 * AT_A_TIME;
  char *more = tn_resize(s->bytes, capacity);
  if (!more) return tn_no_memory(err);
  s->bytes = more;
  s->capacity = capacity;
  return TENON_OK;
}

tenon_status tn_event_stream_room(tn_event_stream *s, char **ret, size_t *ret_size,
                                  tenon_error *err) {
  move_up(s);
  if (s->used > s->max)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service",
                      "an event of the reply has more than %zu bytes", s->max);
  tenon_status status = s->capacity - s->used < AT_A_TIME ? grow(s, err) : TENON_OK;
  if (status) return status;
  *ret = s->bytes + s->used;
  *ret_size = s->capacity - s->used;
  return TENON_OK;
}

void tn_event_stream_add(tn_event_stream *s, size_t size) {
  s->used += size;
  s->lf_known = false;
}

void tn_event_stream_end(tn_event_stream *s) { s->ended = true; }

/* ---- Lines ---- */

typedef struct line {
  const char *text;
  size_t size;
} line;

/* The next LF, looked for once however many lines end with CR before it. */
static size_t next_lf(tn_event_stream *s, size_t from) {
  if (!s->lf_known || s->lf < from) {
    const char *at = from < s->used ? memchr(s->bytes + from, '\n', s->used - from) : NULL;
    s->lf = at ? (size_t)(at - s->bytes) : s->used;
    s->lf_known = true;
  }
  return s->lf;
}

static bool take_line(tn_event_stream *s, size_t end, size_t next, line *ret) {
  *ret = (line){s->bytes + s->line, end - s->line};
  s->line = s->scanned = next;
  return true;
}

/* A CR ends a line by itself, but not in JSON lines, where it is white space before the LF. A LF
 * behind a CR belongs to it, also when it comes with the next bytes. */
static bool next_line(tn_event_stream *s, line *ret) {
  if (s->after_cr && s->line < s->used) {
    s->after_cr = false;
    if (s->bytes[s->line] == '\n') s->line = s->scanned = s->line + 1;
  }
  size_t lf = next_lf(s, s->scanned);
  const char *cr = s->framing == TN_EVENT_STREAM && lf > s->scanned
                       ? memchr(s->bytes + s->scanned, '\r', lf - s->scanned) : NULL;
  if (cr) {
    size_t at = (size_t)(cr - s->bytes);
    s->after_cr = true;
    return take_line(s, at, at + 1, ret);
  }
  if (lf < s->used) return take_line(s, lf, lf + 1, ret);
  s->scanned = s->used;
  return false;
}

static void skip_mark(tn_event_stream *s) {
  if (s->began || (s->used - s->line < 3 && !s->ended)) return;
  s->began = true;
  if (s->used - s->line >= 3 && memcmp(s->bytes + s->line, "\xEF\xBB\xBF", 3) == 0)
    s->line = s->scanned = s->line + 3;
}

/* ---- Fields ---- */

static void append_data(tn_event_stream *s, const char *value, size_t size) {
  size_t at = (size_t)(value - s->bytes);
  if (!s->has_data) {
    s->data = at;
    s->data_size = size;
    s->has_data = true;
    return;
  }
  s->bytes[s->data + s->data_size++] = '\n';
  memmove(s->bytes + s->data + s->data_size, value, size);
  s->data_size += size;
}

static tenon_status take_name(tn_event_stream *s, const char *value, size_t size,
                              tenon_error *err) {
  if (size >= sizeof s->name)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service",
                      "the name of an event has %zu bytes", size);
  memcpy(s->name, value, size);
  s->name[size] = 0;
  return TENON_OK;
}

static bool is_field(const line *l, size_t name_size, const char *name) {
  return name_size == strlen(name) && memcmp(l->text, name, name_size) == 0;
}

static tenon_status take_field(tn_event_stream *s, const line *l, tenon_error *err) {
  const char *colon = memchr(l->text, ':', l->size);
  size_t name_size = colon ? (size_t)(colon - l->text) : l->size;
  const char *value = colon ? colon + 1 : l->text + l->size, *end = l->text + l->size;
  if (value < end && *value == ' ') value++;
  if (is_field(l, name_size, "data")) append_data(s, value, (size_t)(end - value));
  else if (is_field(l, name_size, "event")) return take_name(s, value, (size_t)(end - value), err);
  return TENON_OK;
}

/* ---- Events ---- */

static void give(tn_event_stream *s, tn_event *ret) {
  *ret = (tn_event){s->bytes + s->data, s->data_size, s->name};
  s->has_data = false;
  s->given = true;
}

static tenon_status next_event(tn_event_stream *s, tn_event *ret, tenon_error *err) {
  line l;
  skip_mark(s);
  if (!s->began) return TENON_OK;
  while (next_line(s, &l)) {
    if (l.size == 0 && s->has_data) {
      give(s, ret);
      return TENON_OK;
    }
    if (l.size == 0) s->name[0] = 0;
    tenon_status status = l.size ? take_field(s, &l, err) : TENON_OK;
    if (status) return status;
  }
  return TENON_OK;
}

static bool is_blank(const line *l) {
  for (size_t i = 0; i < l->size; i++)
    if (!strchr(" \t\r", l->text[i]) || !l->text[i]) return false;
  return true;
}

static tenon_status next_json_line(tn_event_stream *s, tn_event *ret) {
  line l;
  skip_mark(s);
  if (!s->began) return TENON_OK;
  while (next_line(s, &l) || (s->ended && s->line < s->used && take_line(s, s->used, s->used, &l)))
    if (!is_blank(&l)) {
      *ret = (tn_event){l.text, l.size, s->name};
      return TENON_OK;
    }
  return TENON_OK;
}

tenon_status tn_event_stream_next(tn_event_stream *s, tn_event *ret, tenon_error *err) {
  tn_event event = {0};
  if (s->given) s->name[0] = 0;
  s->given = false;
  tenon_status status =
      s->framing == TN_EVENT_STREAM ? next_event(s, &event, err) : next_json_line(s, &event);
  if (!status) *ret = event;
  return status;
}
