/* SPDX-License-Identifier: Apache-2.0 */
/* template: compiled once for each set of instructions */
/*
 * The index of CSV. The including file defines TN_CSV_INDEX, the function's name, TN_CSV_TARGET,
 * its attributes, and two functions
 *
 *   static csv_masks classify(const uint8_t *p, uint8_t delimiter, uint8_t quote);
 *     looks at 64 bytes
 *   static uint32_t put_places(uint32_t *to, uint64_t bits, uint32_t base);
 *     writes base + i for each set bit i, and may write up to 64 values whatever the bits are;
 *                 answers
 *     how many are set; csv_places.h is one for all machines
 *
 * All else is here: which bytes lie inside of quotes is the parity of the quotes before them; where
 * that is not the whole truth (a quote in the middle of a field, text behind a closing quote) the
 * block is walked byte by byte.
 */
typedef struct csv_scan {
  uint32_t fields;      /* found so far */
  uint32_t row_fields;  /* of them before the present record */
  uint64_t inside;      /* all ones: the last byte was inside of quotes */
  uint64_t closed;      /* 1: it was a closing quote */
  uint64_t start;       /* 1: a field begins behind it */
  uint64_t cr;          /* 1: it was a CR */
  uint32_t inner_lines; /* that ended inside of quotes */
} csv_scan;

/* What one block says: ends of fields, which of them are ends of records, and ends of lines that
 * are text in quotes. */
typedef struct csv_ends {
  uint64_t fields, records, inner;
} csv_ends;

/* Bit i: the parity of bits 0 to i. */
static TN_CSV_TARGET uint64_t parity(uint64_t bits) {
  bits ^= bits << 1;
  bits ^= bits << 2;
  bits ^= bits << 4;
  bits ^= bits << 8;
  bits ^= bits << 16;
  return bits ^ bits << 32;
}

/* ---- Byte by byte ---- */

static TN_CSV_TARGET bool is_end(const tn_csv_index *ix, uint8_t c) {
  return c == ix->dialect.delimiter || c == '\n' || c == '\r';
}

/* Outside of quotes: a field's end, or one of its characters. */
static TN_CSV_TARGET void step_outside(csv_scan *s, const tn_csv_index *ix, uint8_t c, uint64_t bit,
                                       csv_ends *e) {
  bool second = c == '\n' && s->cr;
  bool quote = c == ix->dialect.quote && s->start;
  bool end = !quote && is_end(ix, c) && !second;
  if (end) e->fields |= bit;
  if (end && c != ix->dialect.delimiter) e->records |= bit;
  s->start = end || second;
  s->cr = c == '\r';
  s->inside = quote ? ~UINT64_C(0) : 0;
  s->closed = 0;
}

static TN_CSV_TARGET void step_inside(csv_scan *s, const tn_csv_index *ix, uint8_t c, uint64_t bit,
                                      csv_ends *e) {
  if (c == '\r' || (c == '\n' && !s->cr)) e->inner |= bit;
  s->start = 0;
  s->cr = c == '\r';
  s->closed = c == ix->dialect.quote;
  s->inside = s->closed ? 0 : ~UINT64_C(0);
}

static TN_CSV_TARGET csv_ends walk_block(csv_scan *s, tn_csv_index *ix, const uint8_t *data,
                                         uint32_t base, uint32_t count) {
  csv_ends e = {0};
  for (uint32_t i = 0; i < count; i++) {
    uint8_t c = data[base + i];
    if (s->inside) {
      step_inside(s, ix, c, UINT64_C(1) << i, &e);
    } else if (s->closed && c == ix->dialect.quote) {
      s->inside = ~UINT64_C(0);
      s->closed = 0;
    } else if (s->closed && !is_end(ix, c)) {
      ix->problem = TN_CSV_AFTER_QUOTE;
      ix->problem_at = base + i;
      return e;
    } else {
      step_outside(s, ix, c, UINT64_C(1) << i, &e);
    }
  }
  return e;
}

/* ---- 64 bytes at a time ---- */

/* False where the parity does not tell; then nothing of the scan has changed. */
static TN_CSV_TARGET inline bool quoted_block(csv_scan *s, const csv_masks *m, csv_ends *ret) {
  uint64_t inside = parity(m->quote) ^ s->inside;
  uint64_t second = m->lf & (m->cr << 1 | s->cr),
           lines = (m->lf | m->cr) & ~second; /* no quote is within CRLF */
  uint64_t ends = (m->delimiter | lines) & ~inside;
  uint64_t closing = m->quote & ~inside, behind_closing = closing << 1 | s->closed;
  uint64_t may_start = (ends | (second & ~inside)) << 1 | s->start;
  if (((m->quote & inside & ~(may_start | behind_closing)) |
       (behind_closing & ~(ends | m->quote))) != 0)
    return false;
  s->inside = UINT64_C(0) - (inside >> 63);
  s->closed = closing >> 63;
  s->start = (ends | (second & ~inside)) >> 63;
  s->cr = m->cr >> 63;
  *ret = (csv_ends){.fields = ends, .records = lines & ~inside, .inner = lines & inside};
  return true;
}

static TN_CSV_TARGET inline csv_ends plain_block(csv_scan *s, const csv_masks *m) {
  uint64_t second = m->lf & (m->cr << 1 | s->cr), records = (m->lf | m->cr) & ~second;
  s->cr = m->cr >> 63;
  s->start = (records | m->delimiter | second) >> 63;
  return (csv_ends){.fields = records | m->delimiter, .records = records};
}

/* ---- Records ---- */

static TN_CSV_TARGET inline uint32_t behind_newline(const uint8_t *data, uint32_t at) {
  return at + 1 + (data[at] == '\r' && data[at + 1] == '\n');
}

/* A record of another length: one without any byte is left out where there are several columns. */
static TN_CSV_TARGET bool leave_out(csv_scan *s, tn_csv_index *ix, const uint8_t *data,
                                    uint32_t at) {
  if (at == ix->starts[ix->rows] && s->row_fields < s->fields && ix->ends[s->row_fields] == at) {
    uint32_t *gone = ix->ends + s->row_fields;
    s->fields--;
    memmove(gone, gone + 1, (s->fields - s->row_fields) * sizeof *gone);
    ix->starts[ix->rows] = behind_newline(data, at);
    ix->left_out++;
    return true;
  }
  ix->problem = TN_CSV_RAGGED;
  ix->problem_at = ix->starts[ix->rows];
  return false;
}

static TN_CSV_TARGET inline bool end_records(csv_scan *s, tn_csv_index *ix, const uint8_t *data,
                                             uint64_t records, uint32_t base) {
  for (; records; records &= records - 1) {
    uint32_t at = base + (uint32_t)__builtin_ctzll(records);
    uint32_t next = s->row_fields + ix->columns;
    if (next <= s->fields && ix->ends[next - 1] == at) {
      s->row_fields = next;
      ix->starts[++ix->rows] = behind_newline(data, at);
    } else if (!leave_out(s, ix, data, at)) {
      return false;
    }
  }
  return true;
}

/* Bytes that are not plain ASCII: a NUL ends the scan before it. Answers how many of the block's
 * bytes are to be looked at. */
static TN_CSV_TARGET uint32_t look_at_odd(tn_csv_index *ix, const uint8_t *data, uint32_t base,
                                          uint32_t count, uint64_t odd) {
  const uint8_t *nul = memchr(data + base, 0, count);
  if (nul) {
    ix->problem = TN_CSV_NUL;
    ix->problem_at = (uint32_t)(nul - data);
    count = ix->problem_at - base;
  }
  if (count < 64) odd &= (UINT64_C(1) << count) - 1;
  ix->has_high |= odd != 0;
  return count;
}

static TN_CSV_TARGET void mask_tail(csv_masks *m, uint32_t count) {
  uint64_t live = count < 64 ? (UINT64_C(1) << count) - 1 : ~UINT64_C(0);
  m->quote &= live;
  m->delimiter &= live;
  m->lf &= live;
  m->cr &= live;
}

/* Lines within the records that have ended, which are not lines of their own. */
static TN_CSV_TARGET inline void count_inner(csv_scan *s, tn_csv_index *ix, const csv_ends *e) {
  uint64_t before_last =
      e->inner && e->records ? (UINT64_C(1) << (63 - __builtin_clzll(e->records))) - 1 : 0;
  if (e->records)
    ix->inner_lines = s->inner_lines + (uint32_t)__builtin_popcountll(e->inner & before_last);
  if (e->inner) s->inner_lines += (uint32_t)__builtin_popcountll(e->inner);
}

TN_CSV_TARGET void TN_CSV_INDEX(tn_csv_index *ix, const uint8_t *data, uint32_t begin,
                                uint32_t end) {
  csv_scan s = {.start = 1};
  ix->rows = 0;
  ix->starts[0] = begin;
  ix->has_high = false;
  ix->left_out = ix->inner_lines = 0;
  ix->problem = TN_CSV_FINE;
  for (uint32_t base = begin; base < end && !ix->problem; base += 64) {
    csv_masks m = classify(data + base, ix->dialect.delimiter, ix->dialect.quote);
    uint32_t count = end - base < 64 ? end - base : 64;
    if (m.odd) count = look_at_odd(ix, data, base, count, m.odd);
    if (count < 64) mask_tail(&m, count);
    csv_ends e;
    if ((m.quote | s.inside | s.closed) == 0) {
      e = plain_block(&s, &m);
    } else if (count < 64 || !quoted_block(&s, &m, &e)) {
      e = walk_block(&s, ix, data, base, count);
    }
    count_inner(&s, ix, &e);
    s.fields += put_places(ix->ends + s.fields, e.fields, base);
    if (!end_records(&s, ix, data, e.records, base)) return;
  }
}
