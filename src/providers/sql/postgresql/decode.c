/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows into columns. Flat values are stored straight into their column at the row's index, with
 * room reserved for the whole batch before it starts; nested ones go through the builder's appends.
 */
#include "providers/sql/postgresql/decode.h"

#include "base/str.h"

/* From 2000-01-01, where PostgreSQL's times begin, back to 1970-01-01. */
static const int32_t epoch_days = 10957;
static const int64_t epoch_us = INT64_C(946684800000000);
static const uint64_t day_us = UINT64_C(86400000000);

enum { SHORT_TEXT = 32, FIRST_TEXT_ROOM = 64 * 1024 };

/* ---- Flat values ---- */

static inline void set_bit_to(uint8_t *bits, int64_t i, bool v) {
  uint8_t *at = bits + (i >> 3), mask = (uint8_t)(1u << (i & 7));
  *at = (uint8_t)((*at & ~mask) | (v ? mask : 0));
}

static inline void end_value(tn_column *c, int64_t i) {
  int32_t end = (int32_t)c->data_size;
  memcpy(c->offsets.data + (i + 1) * 4, &end, 4);
}

static inline bool room_for(tn_column *c, int64_t size) {
  return c->data_size + size <= c->data.capacity || tn_reserve(c, 0, size);
}

static inline tn_pg_fault store_bytes(tn_column *c, int64_t i, const uint8_t *p, int32_t size) {
  if (!room_for(c, size)) return TN_PG_NO_MEMORY;
  uint8_t *to = c->data.data + c->data_size;
  if (size <= SHORT_TEXT) memcpy(to, p, SHORT_TEXT);   /* TN_SLACK covers what runs over */
  else memcpy(to, p, (size_t)size);
  c->data_size += size;
  end_value(c, i);
  return TN_PG_FINE;
}

static inline tn_pg_fault store_date(tn_column *c, int64_t i, const uint8_t *p) {
  int32_t days = (int32_t)tn_be32(p);
  if (days == INT32_MAX || days == INT32_MIN || days > INT32_MAX - epoch_days) return TN_PG_SPECIAL;
  days += epoch_days;
  memcpy(c->data.data + i * 4, &days, 4);
  return TN_PG_FINE;
}

static inline tn_pg_fault store_timestamp(tn_column *c, int64_t i, const uint8_t *p) {
  int64_t us = (int64_t)tn_be64(p);
  if (us > INT64_MAX - epoch_us || us == INT64_MIN) return TN_PG_SPECIAL;
  us += epoch_us;
  memcpy(c->data.data + i * 8, &us, 8);
  return TN_PG_FINE;
}

static inline tn_pg_fault store_time(tn_column *c, int64_t i, const uint8_t *p) {
  uint64_t us = tn_be64(p);
  if (us >= day_us) return us == day_us ? TN_PG_SPECIAL : TN_PG_BAD_WIRE;
  memcpy(c->data.data + i * 8, &us, 8);
  return TN_PG_FINE;
}

static tn_pg_fault store_uuid(tn_column *c, int64_t i, const uint8_t *p) {
  static const char hex[] = "0123456789abcdef";
  uint8_t text[SHORT_TEXT + 4];
  int n = 0;
  for (int k = 0; k < 16; k++) {
    if (k == 4 || k == 6 || k == 8 || k == 10) text[n++] = '-';
    text[n++] = (uint8_t)hex[p[k] >> 4];
    text[n++] = (uint8_t)hex[p[k] & 15];
  }
  return store_bytes(c, i, text, n);
}

/* "char" is any byte; what is not ASCII is written as the server's newer versions write it: \351.
 */
static tn_pg_fault store_char(tn_column *c, int64_t i, const uint8_t *p) {
  uint8_t text[SHORT_TEXT] = {p[0]};
  if (p[0] < 0x80) return store_bytes(c, i, text, p[0] ? 1 : 0);
  text[0] = '\\';
  for (int k = 0; k < 3; k++) text[1 + k] = (uint8_t)('0' + (p[0] >> (6 - 3 * k) & 7));
  return store_bytes(c, i, text, 4);
}

static tn_pg_fault store_decimal_text(tn_column *c, int64_t i, const uint8_t *p, int32_t size) {
  int32_t room = tn_pg_decimal_room(p, size), used = 0;
  if (!room_for(c, room)) return TN_PG_NO_MEMORY;
  tn_pg_fault fault = tn_pg_decimal_text(p, size, (char *)c->data.data + c->data_size, &used);
  c->data_size += used;
  end_value(c, i);
  return fault;
}

static tn_pg_fault store_decimal_float(tn_column *c, int64_t i, const uint8_t *p, int32_t size) {
  double value;
  tn_pg_fault fault = tn_pg_decimal_float(p, size, &value);
  if (!fault) memcpy(c->data.data + i * 8, &value, 8);
  return fault;
}

/* Servers promise UTF-8; but what is handed on as text is text, whoever it was that spoke. Nearly
 * all of it is ASCII, which is seen in passing. */
static inline bool has_high_bit(uint64_t seen) { return seen & UINT64_C(0x8080808080808080); }

/* Eight bytes at a time; those read behind the value do not count. */
static inline bool is_short_ascii(const uint8_t *p, int32_t size) {
  uint64_t word, seen = 0;
  int32_t i = 0;
  for (; i + 8 <= size; i += 8) {
    memcpy(&word, p + i, 8);
    seen |= word;
  }
  if (i < size) {
    memcpy(&word, p + i, 8);
    seen |= word & (~UINT64_C(0) >> (64 - 8 * (size - i)));
  }
  return !has_high_bit(seen);
}

/* Sixteen bytes at a time, more than two of them; the last two overlap those before. */
static inline bool copy_ascii(uint8_t *to, const uint8_t *p, int32_t size) {
  typedef uint64_t block __attribute__((vector_size(16)));
  block one, other, seen = {0};
  for (int32_t i = 0;; i += 32) {
    if (i > size - 32) i = size - 32;
    memcpy(&one, p + i, 16);
    memcpy(&other, p + i + 16, 16);
    memcpy(to + i, &one, 16);
    memcpy(to + i + 16, &other, 16);
    seen |= one | other;
    if (i == size - 32) break;
  }
  return !has_high_bit(seen[0] | seen[1]);
}

static inline tn_pg_fault store_text(tn_column *c, int64_t i, const uint8_t *p, int32_t size) {
  if (!room_for(c, size)) return TN_PG_NO_MEMORY;
  uint8_t *to = c->data.data + c->data_size;
  bool ascii;
  if (size > SHORT_TEXT) {
    ascii = copy_ascii(to, p, size);
  } else {
    ascii = is_short_ascii(p, size);
    memcpy(to, p, SHORT_TEXT);   /* TN_SLACK covers what runs over */
  }
  if (!ascii && !tn_utf8_valid((const char *)p, (size_t)size, NULL)) return TN_PG_NOT_TEXT;
  c->data_size += size;
  end_value(c, i);
  return TN_PG_FINE;
}

/* Stores value i of a flat column. */
static inline __attribute__((always_inline)) tn_pg_fault store(const tn_pg_type *t, tn_column *c,
                                                               int64_t i, const uint8_t *p,
                                                               int32_t size) {
  switch (t->op) {
    case TN_PG_TEXT: return store_text(c, i, p, size);
    case TN_PG_DECIMAL128:
      return tn_pg_decimal128(p, size, t->precision, t->scale, c->data.data + i * 16);
    case TN_PG_SWAP4: {
      if (size != 4) return TN_PG_BAD_WIRE;
      uint32_t v = tn_be32(p);
      memcpy(c->data.data + i * 4, &v, 4);
      return TN_PG_FINE;
    }
    case TN_PG_SWAP8: {
      if (size != 8) return TN_PG_BAD_WIRE;
      uint64_t v = tn_be64(p);
      memcpy(c->data.data + i * 8, &v, 8);
      return TN_PG_FINE;
    }
    case TN_PG_DATE: return size == 4 ? store_date(c, i, p) : TN_PG_BAD_WIRE;
    case TN_PG_TIMESTAMP: return size == 8 ? store_timestamp(c, i, p) : TN_PG_BAD_WIRE;
    case TN_PG_SWAP2: {
      if (size != 2) return TN_PG_BAD_WIRE;
      uint16_t v = tn_be16(p);
      memcpy(c->data.data + i * 2, &v, 2);
      return TN_PG_FINE;
    }
    case TN_PG_BOOL:
      if (size != 1 || p[0] > 1) return TN_PG_BAD_WIRE;
      set_bit_to(c->data.data, i, p[0] != 0);
      return TN_PG_FINE;
    case TN_PG_TIME: return size == 8 ? store_time(c, i, p) : TN_PG_BAD_WIRE;
    case TN_PG_CHAR: return size == 1 ? store_char(c, i, p) : TN_PG_BAD_WIRE;
    case TN_PG_UUID: return size == 16 ? store_uuid(c, i, p) : TN_PG_BAD_WIRE;
    case TN_PG_JSONB:
      return size > 0 && p[0] == 1 ? store_text(c, i, p + 1, size - 1) : TN_PG_BAD_WIRE;
    case TN_PG_BYTES: return store_bytes(c, i, p, size);
    case TN_PG_DECIMAL256:
      return tn_pg_decimal256(p, size, t->precision, t->scale, c->data.data + i * 32);
    case TN_PG_DECIMAL_TEXT: return store_decimal_text(c, i, p, size);
    case TN_PG_DECIMAL_FLOAT: return store_decimal_float(c, i, p, size);
    case TN_PG_REFUSED: case TN_PG_ARRAY: case TN_PG_COMPOSITE: break;
  }
  return TN_PG_BAD_WIRE;
}

static tn_pg_fault store_null(tn_column *c, int64_t i) {
  if (c->layout == TN_FIXED) memset(c->data.data + i * c->width, 0, (size_t)c->width);
  else if (c->layout == TN_BITS) set_bit_to(c->data.data, i, false);
  else end_value(c, i);
  return tn_mark_null(c, i) ? TN_PG_FINE : TN_PG_NO_MEMORY;
}

/* ---- Nested values ---- */

/* A value's bytes in turn; `left` never goes below zero. */
typedef struct cursor {
  const uint8_t *at;
  int64_t left;
} cursor;

static bool take32(cursor *from, uint32_t *ret) {
  if (from->left < 4) return false;
  *ret = tn_be32(from->at);
  from->at += 4;
  from->left -= 4;
  return true;
}

static bool is_nested(const tn_pg_type *t) {
  return t->op == TN_PG_ARRAY || t->op == TN_PG_COMPOSITE;
}

static tn_pg_fault append(const tn_pg_type *t, tn_column *c, const uint8_t *p, int32_t size);

static tn_pg_fault append_null(tn_column *c) {
  return tn_append_null(c) ? TN_PG_FINE : TN_PG_NO_MEMORY;
}

/* The next value with its length in front. */
static tn_pg_fault append_next(const tn_pg_type *t, tn_column *c, cursor *from) {
  uint32_t word;
  if (!take32(from, &word)) return TN_PG_BAD_WIRE;
  int32_t size = (int32_t)word;
  if (size == -1) return append_null(c);
  if (size < 0 || size > from->left) return TN_PG_BAD_WIRE;
  const uint8_t *p = from->at;
  from->at += size;
  from->left -= size;
  return append(t, c, p, size);
}

/* ndim, flags, element type; for each dimension size and lower bound; the elements. */
static tn_pg_fault append_array(const tn_pg_type *t, tn_column *c, cursor from) {
  uint32_t dimensions, flags, oid, size = 0, bound;
  if (!take32(&from, &dimensions) || !take32(&from, &flags) || !take32(&from, &oid))
    return TN_PG_BAD_WIRE;
  if (oid != t->children[0].oid) return TN_PG_BAD_WIRE;
  if (dimensions > 1) return TN_PG_DIMENSIONS;
  if (dimensions == 1) {
    if (!take32(&from, &size) || !take32(&from, &bound)) return TN_PG_BAD_WIRE;
    if ((int32_t)bound != t->lower_bound) return TN_PG_DIMENSIONS;
  }
  if ((int64_t)size * 4 > from.left) return TN_PG_BAD_WIRE;
  for (uint32_t i = 0; i < size; i++) {
    tn_pg_fault fault = append_next(&t->children[0], &c->children[0], &from);
    if (fault) return fault;
  }
  if (from.left != 0) return TN_PG_BAD_WIRE;
  return tn_append_list(c) ? TN_PG_FINE : TN_PG_NO_MEMORY;
}

/* The number of fields; for each its type and value. */
static tn_pg_fault append_composite(const tn_pg_type *t, tn_column *c, cursor from) {
  uint32_t count, oid;
  if (!take32(&from, &count) || (int64_t)count != t->child_count) return TN_PG_BAD_WIRE;
  for (int32_t i = 0; i < t->child_count; i++) {
    if (!take32(&from, &oid) || oid != t->children[i].oid) return TN_PG_BAD_WIRE;
    tn_pg_fault fault = append_next(&t->children[i], &c->children[i], &from);
    if (fault) return fault;
  }
  if (from.left != 0) return TN_PG_BAD_WIRE;
  return tn_append_struct(c) ? TN_PG_FINE : TN_PG_NO_MEMORY;
}

static tn_pg_fault append(const tn_pg_type *t, tn_column *c, const uint8_t *p, int32_t size) {
  if (t->op == TN_PG_ARRAY) {
    /* found before any element was appended */
    tn_pg_fault fault = append_array(t, c, (cursor){p, size});
    return fault == TN_PG_DIMENSIONS && t->special_null ? append_null(c) : fault;
  }
  if (t->op == TN_PG_COMPOSITE) return append_composite(t, c, (cursor){p, size});
  if (!tn_reserve(c, 1, SHORT_TEXT)) return TN_PG_NO_MEMORY;
  tn_pg_fault fault = store(t, c, c->length, p, size);
  if (fault == TN_PG_SPECIAL && t->special_null) fault = store_null(c, c->length);
  if (!fault) c->length++;
  return fault;
}

/* ---- Rows ---- */

bool tn_pg_decoder_begin(tn_pg_decoder *d, int64_t rows) {
  d->rows = 0;
  d->fault = TN_PG_FINE;
  d->columns = d->count ? tn_builder_column(d->builder, 0) : NULL;
  for (int32_t i = 0; i < d->count; i++)
    if (!is_nested(&d->types[i]) && !tn_reserve(&d->columns[i], rows, FIRST_TEXT_ROOM))
      return false;
  return true;
}

static bool fail_at(tn_pg_decoder *d, int32_t column, tn_pg_fault fault) {
  d->fault = fault;
  d->fault_column = column;
  return false;
}

/* The faults and values that are not on the straight way. */
static tn_pg_fault unusual(const tn_pg_type *t, tn_column *c, int64_t i, const uint8_t *p,
                           int32_t size, tn_pg_fault fault) {
  if (fault == TN_PG_SPECIAL && t->special_null) return store_null(c, i);
  if (is_nested(t)) return size == -1 ? append_null(c) : append(t, c, p, size);
  return size == -1 ? store_null(c, i) : fault;
}

bool tn_pg_decode_row(tn_pg_decoder *d, const uint8_t *row, size_t size) {
  const uint8_t *p = row, *end = row + size;
  if (size < 2 || tn_be16(p) != d->count) return fail_at(d, -1, TN_PG_BAD_WIRE);
  p += 2;
  int64_t i = d->rows;
  for (int32_t k = 0; k < d->count; k++) {
    if (end - p < 4) return fail_at(d, k, TN_PG_BAD_WIRE);
    int32_t n = (int32_t)tn_be32(p);
    p += 4;
    if (n < -1 || n > end - p) return fail_at(d, k, TN_PG_BAD_WIRE);
    const tn_pg_type *t = &d->types[k];
    tn_column *c = &d->columns[k];
    tn_pg_fault fault = n >= 0 ? store(t, c, i, p, n) : TN_PG_BAD_WIRE;
    if (__builtin_expect(fault != TN_PG_FINE, 0)) {
      fault = unusual(t, c, i, p, n, fault);
      if (fault) return fail_at(d, k, fault);
    }
    p += n > 0 ? n : 0;
  }
  if (p != end) return fail_at(d, -1, TN_PG_BAD_WIRE);
  d->rows++;
  return true;
}

tenon_status tn_pg_decoder_finish(tn_pg_decoder *d, struct ArrowArray *ret, tenon_error *err) {
  for (int32_t k = 0; k < d->count; k++)
    if (!is_nested(&d->types[k])) d->columns[k].length = d->rows;
  return tn_builder_finish(d->builder, d->rows, ret, err);
}
