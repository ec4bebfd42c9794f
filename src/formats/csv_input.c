/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One buffer, filled whole and used up record by record: how the bytes come from their source, in
 * how many pieces, makes no difference to what is read. The beginning of a record that is not all
 * there moves to the front before the next bytes are read behind it.
 */
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "formats/csv.h"

/* ---- Life ---- */

tenon_status tn_csv_input_init(tn_csv_input *ret, const tn_input *in, bool latin1,
                               tenon_error *err) {
  tn_csv_input input = {.name = in->name, .latin1 = latin1, .line = 1};
  input.bytes.struct_size = sizeof input.bytes;
  tenon_status status = in->open(in->self, 0, -1, &input.bytes, err);
  if (status) return status;
  input.open = true;
  *ret = input;
  return TENON_OK;
}

void tn_csv_input_release(tn_csv_input *in) {
  if (in->open) in->bytes.close(in->bytes.self);
  tn_free(in->data);
  *in = (tn_csv_input){0};
}

/* ---- Room ---- */

static void move_to_front(tn_csv_input *in) {
  if (in->begin == 0) return;
  memmove(in->data, in->data + in->begin, in->end - in->begin);
  in->end -= in->begin;
  in->begin = 0;
}

static tenon_status make_room(tn_csv_input *in, uint32_t want, tenon_error *err) {
  if (want <= in->capacity) return TENON_OK;
  uint8_t *data = tn_resize(in->data, (size_t)want + TN_CSV_SLACK);
  if (!data) return tn_no_memory(err);
  in->data = data;
  in->capacity = want;
  return TENON_OK;
}

/* ---- Reading ---- */

/* Latin-1 stands at the end of the room, and becomes UTF-8 from its beginning; a character grows to
 * two bytes at most, so writing never overtakes reading. */
static uint32_t widen(uint8_t *room, const uint8_t *from, uint32_t size) {
  uint8_t *to = room;
  for (const uint8_t *end = from + size; from < end; from++) {
    if (*from < 0x80) {
      *to++ = *from;
    } else {
      uint8_t c = *from;
      *to++ = (uint8_t)(0xC0 | c >> 6);
      *to++ = (uint8_t)(0x80 | (c & 0x3F));
    }
  }
  return (uint32_t)(to - room);
}

/* Reads once into the room behind data[end]; it has two bytes or more. */
static tenon_status read_some(tn_csv_input *in, uint32_t want, tenon_error *err) {
  uint8_t *room = in->data + in->end;
  uint32_t size = want - in->end, ask = in->latin1 ? size / 2 : size;
  size_t got = 0;
  tenon_status status = in->bytes.read(in->bytes.self, room + size - ask, ask, &got, err);
  if (status) return status;
  in->ended = got == 0;
  in->end += in->latin1 ? widen(room, room + size - ask, (uint32_t)got) : (uint32_t)got;
  return TENON_OK;
}

/* A byte order mark is no part of the text; one of UTF-16 says that nothing here can read it. */
static tenon_status look_at_mark(tn_csv_input *in, tenon_error *err) {
  const uint8_t *p = in->data;
  uint32_t size = in->end;
  if (in->latin1 || in->offset > 0) return TENON_OK;
  if (size >= 2 && ((p[0] == 0xFF && p[1] == 0xFE) || (p[0] == 0xFE && p[1] == 0xFF)))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                      "convert it to UTF-8 first (iconv -f UTF-16 -t UTF-8)",
                      "%s: this is UTF-16, which is not read", in->name);
  if (size >= 3 && p[0] == 0xEF && p[1] == 0xBB && p[2] == 0xBF) {
    in->begin = 3;
    in->offset = 3;
  }
  return TENON_OK;
}

static void end_last_line(tn_csv_input *in) {
  uint8_t last = in->end > in->begin ? in->data[in->end - 1] : '\n';
  if (last != '\n' && last != '\r') in->data[in->end++] = '\n';
}

tenon_status tn_csv_input_fill(tn_csv_input *in, uint32_t want, tenon_error *err) {
  bool first = in->capacity == 0;
  if (want > TN_CSV_MAX_RECORD) want = TN_CSV_MAX_RECORD;
  move_to_front(in);
  if (in->end >= want) {
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA,
                      "is a quote not closed? quote=none reads quotes as text",
                      "%s: line %lld (byte %lld): the record is longer than %d MiB", in->name,
                      (long long)in->line, (long long)in->offset, TN_CSV_MAX_RECORD >> 20);
  }
  /* one byte more for the end of the last line; never less than Latin-1 needs for one character */
  tenon_status status = make_room(in, want + 2, err);
  while (!status && !in->ended && in->end < want) status = read_some(in, want + 1, err);
  if (!status && first) status = look_at_mark(in, err);
  if (status) return status;
  if (in->ended) end_last_line(in);
  memset(in->data + in->end, ' ', TN_CSV_SLACK);
  if (in->after_cr && in->end > in->begin) {
    bool lf = in->data[in->begin] == '\n';
    in->begin += lf;
    in->offset += lf;
    in->after_cr = false;
  }
  return TENON_OK;
}

tenon_status tn_csv_read_more(tn_csv_input *in, bool *ret_more, tenon_error *err) {
  uint32_t size = in->end - in->begin;
  if (!in->ended) {
    tenon_status status =
        tn_csv_input_fill(in, size < TN_CSV_CHUNK / 2 ? TN_CSV_CHUNK : size * 2, err);
    if (status) return status;
  }
  *ret_more = in->end - in->begin > size;
  return TENON_OK;
}

/* ---- Places ---- */

/* CRLF is one end of a line. */
static int64_t count_lines(const uint8_t *p, const uint8_t *end) {
  int64_t lines = 0;
  for (; p < end; p++) lines += *p == '\n' || (*p == '\r' && p[1] != '\n');
  return lines;
}

static int64_t count_characters(const uint8_t *p, const uint8_t *end) {
  int64_t n = 0;
  for (; p < end; p++) n += (*p & 0xC0) != 0x80;
  return n;
}

int64_t tn_csv_offset_of(const tn_csv_input *in, uint32_t at) {
  const uint8_t *from = in->data + in->begin, *to = in->data + at;
  return in->offset + (in->latin1 ? count_characters(from, to) : to - from);
}

int64_t tn_csv_line_of(const tn_csv_input *in, uint32_t at) {
  return in->line + count_lines(in->data + in->begin, in->data + at);
}

void tn_csv_input_consume(tn_csv_input *in, uint32_t to, int64_t lines) {
  in->line = lines < 0 ? tn_csv_line_of(in, to) : in->line + lines;
  in->offset = tn_csv_offset_of(in, to);
  in->after_cr = to == in->end && to > in->begin && in->data[to - 1] == '\r';
  in->begin = to;
}
