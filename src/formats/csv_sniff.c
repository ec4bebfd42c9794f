/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/csv_sniff.h"

#include <stdio.h>
#include <string.h>

enum {
  SAMPLE_WINDOW = 1 << 18,
  DELIMITER_RECORDS = 100,
  LONGEST_TYPED = 80         /* a longer field is text */
};

/* ---- Delimiters ---- */

/* Fields of the first records; 0 where they are not equally many. *ret_first: of the first one. */
static uint32_t equal_fields(const tn_csv_input *in, const tn_csv_dialect *d, uint32_t *ret_first) {
  uint32_t at = in->begin,
           end = in->end - in->begin < SAMPLE_WINDOW ? in->end : in->begin + SAMPLE_WINDOW;
  uint32_t fields = 0;
  *ret_first = 0;
  for (int i = 0; i < DELIMITER_RECORDS && at < end; i++) {
    uint32_t next, n;
    if (!tn_csv_walk_record(d, in->data, at, end, NULL, 0, &n, &next)) break;
    bool is_empty = n == 1 && (in->data[at] == '\n' || in->data[at] == '\r');
    if (i == 0) fields = *ret_first = n;
    if (n != fields && !is_empty) fields = 0;
    at = next;
  }
  return fields;
}

uint8_t tn_csv_find_delimiter(const tn_csv_input *in, tn_csv_dialect d) {
  static const char candidates[] = {',', ';', '\t', '|'};
  uint8_t best = 0, best_first = ',';
  uint32_t most = 1, most_first = 1;
  for (size_t i = 0; i < sizeof candidates; i++) {
    d.delimiter = (uint8_t)candidates[i];
    if (d.delimiter == d.quote) continue;
    uint32_t first, fields = equal_fields(in, &d, &first);
    if (fields > most) best = d.delimiter, most = fields;
    if (first > most_first) best_first = d.delimiter, most_first = first;
  }
  return best ? best : best_first;
}

/* ---- Types ---- */

static const char *const candidate_formats[] = {"b",       "l",   "tdD",    "tsu:",
                                                "tsu:UTC", "ttu", "d:38,0", "g"};

enum {
  CANDIDATES = sizeof candidate_formats / sizeof candidate_formats[0],
  INT64 = 1,
  WHOLE_DECIMAL = 6,
  FLOAT = 7,
  DECIMAL = 8,               /* of a precision and scale that are found on the way */
  NUMBERS = 1 << INT64 | 1 << WHOLE_DECIMAL | 1 << FLOAT | 1 << DECIMAL
};

void tn_csv_sniffer_init(tn_csv_sniffer *s) {
  _Static_assert((int)CANDIDATES == (int)TN_CSV_CANDIDATES, "one reader for each");
  for (unsigned i = 0; i < CANDIDATES; i++)
    tn_csv_column_init(&s->candidates[i], candidate_formats[i], 0, true);
  for (uint32_t c = 0; c < s->index.columns; c++) s->guesses[c] = TN_CSV_GUESS_INIT;
}

static void guess_decimal(tn_csv_guess *g, const char *text, size_t size) {
  int32_t whole, scale;
  if (!tn_csv_decimal_shape(text, size, &whole, &scale)) {
    g->fits &= ~(1u << DECIMAL);
    return;
  }
  if (whole > g->whole) g->whole = whole;
  if (scale > g->scale) g->scale = scale;
  if (g->whole + g->scale > 38) g->fits &= ~(1u << DECIMAL);
}

static void guess_value(const tn_csv_sniffer *s, tn_csv_guess *g, const char *text, size_t size) {
  uint64_t room[4];
  g->has_value = true;
  if (size == 0 || size > LONGEST_TYPED) g->fits = 0;
  for (size_t i = 0; i < size && !g->has_digit; i++)
    g->has_digit = text[i] >= '0' && text[i] <= '9';
  if ((g->fits & 1u << DECIMAL) != 0) guess_decimal(g, text, size);
  /* a short integer is any number */
  if ((g->fits & 1u << INT64) && size <= 15 &&
      s->candidates[INT64].type->parse(&s->candidates[INT64], text, size, room)) {
    g->fits &= NUMBERS;
    return;
  }
  for (unsigned i = 0; i < CANDIDATES; i++)
    if ((g->fits & 1u << i) && !s->candidates[i].type->parse(&s->candidates[i], text, size, room))
      g->fits &= ~(1u << i);
}

void tn_csv_guess_field(const tn_csv_sniffer *s, tn_csv_guess *g, const uint8_t *field,
                        uint32_t size) {
  char room[LONGEST_TYPED + 2];
  if (g->fits == 0 && g->has_value) return;
  if (size > LONGEST_TYPED + 2) {
    g->fits = 0;
    g->has_value = true;
  } else if (tn_csv_field_text(&s->index.dialect, field, size, room, &size)) {
    guess_value(s, g, room, size);
  }
}

const char *tn_csv_guess_format(const tn_csv_guess *g, char room[TN_FORMAT_ROOM]) {
  if (!g->has_value) return "u";
  for (unsigned i = 0; i < CANDIDATES; i++)
    if ((g->fits & 1u << i) && (i != FLOAT || g->has_digit)) return candidate_formats[i];
  if (!(g->fits & 1u << DECIMAL)) return "u";
  /* behind the sample there may be greater ones */
  snprintf(room, TN_FORMAT_ROOM, "d:38,%d", (int)g->scale);
  return room;
}

static void guess_rows(tn_csv_sniffer *s, int64_t limit) {
  const tn_csv_index *ix = &s->index;
  for (uint32_t r = 0; r < ix->rows && s->rows < limit; r++, s->rows++) {
    uint32_t begin = ix->starts[r];
    const uint32_t *ends = ix->ends + (size_t)r * ix->columns;
    for (uint32_t c = 0; c < ix->columns; c++) {
      tn_csv_guess_field(s, &s->guesses[c], s->in->data + begin, ends[c] - begin);
      begin = ends[c] + 1;
    }
  }
}

tenon_status tn_csv_guess_sample(tn_csv_sniffer *s, uint32_t begin, int64_t limit,
                                 tenon_error *err) {
  tn_csv_input *in = s->in;
  tn_csv_index *ix = &s->index;
  tn_csv_index_fn index = tn_csv_best_indexer();
  uint32_t window = SAMPLE_WINDOW,
           at = begin - in->begin; /* from the input's beginning, which may move */
  tenon_status status = TENON_OK;
  bool more = true;
  while (!status && more && s->rows < limit && !ix->problem) {
    begin = in->begin + at;
    uint32_t size = in->end - begin < window ? in->end - begin : window;
    if ((status = tn_csv_index_reserve(ix, size, err))) break;
    index(ix, in->data, begin, begin + size);
    guess_rows(s, limit);
    at = ix->starts[ix->rows] - in->begin;
    if (ix->rows > 0 || ix->problem) continue;
    if (size == window) window *= 2;
    else if (in->end - in->begin >= TN_CSV_MAX_SAMPLE) more = false;
    else status = tn_csv_read_more(in, &more, err);
  }
  return status;
}
