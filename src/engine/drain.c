/* SPDX-License-Identifier: Apache-2.0 */
/* DuckDB vectors into Arrow columns under construction. All vectors of a fetched chunk are flat. */
#include <string.h>

#include "base/error.h"
#include "engine/half.h"
#include "engine/lane.h"

/* Values [start, start + n) of a vector. */
typedef struct tn_span {
  const tn_duckdb *db;
  duckdb_vector vector;
  const uint8_t *data;    /* of the vector, from its first value on */
  const uint64_t *mask;   /* NULL: all are valid */
  int64_t start, n;
} tn_span;

static bool is_valid(const tn_span *s, int64_t i) {
  int64_t at = s->start + i;
  return !s->mask || (s->mask[at >> 6] >> (at & 63) & 1);
}

static tenon_status misfit(const tn_lane *lane, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave the column out (columns), or mend the value at its source",
                    "column %s: %s", lane->name, why);
}

/* ---- NULLs ---- */

static void clear_bit(uint8_t *bits, int64_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7))); }

/* Marks the NULLs among the values that come next; the column has room for those already. */
static bool drain_validity(const tn_span *s, tn_column *c) {
  bool first = true;
  for (int64_t i = 0; s->mask && i < s->n; i++) {
    int64_t at = s->start + i;
    if (is_valid(s, i)) {
      if (!(at & 63) && s->mask[at >> 6] == ~UINT64_C(0)) i += 63;
    } else if (first) {
      first = false;
      if (!tn_mark_null(c, c->length + i) || !tn_reserve(c, s->n, 0)) return false;
    } else {
      clear_bit(c->validity.data, c->length + i);
      c->null_count++;
    }
  }
  return true;
}

/* ---- Numbers ---- */

static void drain_bools(const tn_span *s, tn_column *c) {
  for (int64_t i = 0; i < s->n; i++) {
    int64_t at = c->length + i;
    uint8_t bit = (uint8_t)(1u << (at & 7));
    c->data.data[at >> 3] = (uint8_t)((c->data.data[at >> 3] & ~bit) | (s->data[s->start + i] ? bit : 0));
  }
}

static int64_t load(const tn_span *s, int32_t width, int64_t i) {
  int16_t two;
  int32_t four;
  int64_t eight;
  const uint8_t *from = s->data + (s->start + i) * width;
  if (width == 8) return memcpy(&eight, from, 8), eight;
  if (width == 4) return memcpy(&four, from, 4), four;
  memcpy(&two, from, 2);
  return two;
}

static bool store(tn_column *c, int64_t i, int64_t value) {
  int32_t four = (int32_t)value;
  uint8_t *to = c->data.data + (c->length + i) * c->width;
  if (c->width == 8) memcpy(to, &value, 8);
  else memcpy(to, &four, 4);
  return c->width == 8 || four == value;
}

static tenon_status drain_scaled(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  for (int64_t i = 0; i < s->n; i++) {
    int64_t x = is_valid(s, i) ? load(s, lane->inner, i) : 0, y = 0;
    bool bad = lane->factor < 0 ? __builtin_mul_overflow(x, -lane->factor, &y) : x % lane->factor != 0;
    if (lane->factor > 0) y = x / lane->factor;
    if (bad || !store(c, i, y)) return misfit(lane, "a value has more digits than its Arrow type can hold", err);
  }
  return TENON_OK;
}

static void drain_decimals(const tn_lane *lane, const tn_span *s, tn_column *c) {
  int64_t *to = (int64_t *)(void *)(c->data.data + c->length * c->width);
  int words = c->width / 8;
  for (int64_t i = 0; i < s->n; i++) {
    int64_t value[2];
    if (lane->inner == 16) memcpy(value, s->data + (s->start + i) * 16, 16);
    else value[0] = load(s, lane->inner, i), value[1] = value[0] >> 63;
    memcpy(to + i * words, value, 16);
    for (int w = 2; w < words; w++) to[i * words + w] = value[1] >> 63;
  }
}

static tenon_status drain_huge(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  __int128 limit = 1;
  for (int i = 0; i < 38; i++) limit *= 10;
  for (int64_t i = 0; i < s->n; i++) {
    __int128 value = 0;
    if (is_valid(s, i)) memcpy(&value, s->data + (s->start + i) * 16, 16);
    if (value >= limit || value <= -limit || (!lane->is_signed && value < 0))
      return misfit(lane, "a number has more than 38 digits", err);
    memcpy(c->data.data + (c->length + i) * 16, &value, 16);
  }
  return TENON_OK;
}

static tenon_status drain_halves(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  for (int64_t i = 0; i < s->n; i++) {
    float value = 0;
    uint16_t half;
    if (is_valid(s, i)) memcpy(&value, s->data + (s->start + i) * 4, 4);
    if (!tn_float_to_half(value, &half)) return misfit(lane, "a number is not one of half precision", err);
    memcpy(c->data.data + (c->length + i) * 2, &half, 2);
  }
  return TENON_OK;
}

static void drain_uuids(const tn_span *s, tn_column *c) {
  for (int64_t i = 0; i < s->n; i++) {
    uint64_t low, high;
    memcpy(&low, s->data + (s->start + i) * 16, 8);
    memcpy(&high, s->data + (s->start + i) * 16 + 8, 8);
    low = __builtin_bswap64(low);
    high = __builtin_bswap64(high ^ UINT64_C(1) << 63);
    memcpy(c->data.data + (c->length + i) * 16, &high, 8);
    memcpy(c->data.data + (c->length + i) * 16 + 8, &low, 8);
  }
}

static tenon_status drain_intervals(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  for (int64_t i = 0; i < s->n; i++) {
    struct { int32_t months, days; int64_t ticks; } value = {0, 0, 0};
    if (is_valid(s, i)) memcpy(&value, s->data + (s->start + i) * 16, 16);
    if (__builtin_mul_overflow(value.ticks, 1000, &value.ticks)) return misfit(lane, "an interval is longer than Arrow can say", err);
    memcpy(c->data.data + (c->length + i) * 16, &value, 16);
  }
  return TENON_OK;
}

enum { OFFSET_BITS = 24, NO_OFFSET = 16 * 60 * 60 - 1 };   /* DuckDB's time with a zone: micros << 24 | (max - offset) */

static tenon_status drain_time_tz(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  for (int64_t i = 0; i < s->n; i++) {
    uint64_t bits = NO_OFFSET;
    if (is_valid(s, i)) memcpy(&bits, s->data + (s->start + i) * 8, 8);
    int64_t micros = (int64_t)(bits >> OFFSET_BITS);
    if ((bits & 0xFFFFFF) != NO_OFFSET) return misfit(lane, "a time has an offset from UTC, which Arrow has none for", err);
    if (lane->factor > 0 && micros % lane->factor) return misfit(lane, "a time has more digits than its Arrow type can hold", err);
    store(c, i, lane->factor > 0 ? micros / lane->factor : micros * -lane->factor);
  }
  return TENON_OK;
}

/* ---- Text and binary ---- */

static const char *text_of(const duckdb_string_t *s, uint32_t *ret_size) {
  *ret_size = s->value.inlined.length;
  return *ret_size <= 12 ? s->value.inlined.inlined : s->value.pointer.ptr;
}

static void set_offset(tn_column *c, int64_t i, int64_t end) {
  int32_t short_end = (int32_t)end;
  if (c->layout == TN_LARGE_BINARY) memcpy(c->offsets.data + i * 8, &end, 8);
  else memcpy(c->offsets.data + i * 4, &short_end, 4);
}

static bool drain_texts(const tn_span *s, tn_column *c) {
  const duckdb_string_t *from = (const duckdb_string_t *)(const void *)s->data + s->start;
  int64_t bytes = 0;
  uint32_t size;
  for (int64_t i = 0; i < s->n; i++)
    if (is_valid(s, i)) bytes += from[i].value.inlined.length;
  if (!tn_reserve(c, s->n, bytes)) return false;
  for (int64_t i = 0; i < s->n; i++) {
    if (is_valid(s, i)) {
      const char *text = text_of(&from[i], &size);
      if (size) memcpy(c->data.data + c->data_size, text, size);
      c->data_size += size;
    }
    set_offset(c, c->length + i + 1, c->data_size);
  }
  return true;
}

static tenon_status drain_fixed(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  const duckdb_string_t *from = (const duckdb_string_t *)(const void *)s->data + s->start;
  uint32_t size;
  for (int64_t i = 0; i < s->n; i++) {
    uint8_t *to = c->data.data + (c->length + i) * c->width;
    if (!is_valid(s, i)) {
      memset(to, 0, (size_t)c->width);
      continue;
    }
    const char *bytes = text_of(&from[i], &size);
    if (size != (uint32_t)c->width) return misfit(lane, "a value is not of the size that its type says", err);
    memcpy(to, bytes, size);
  }
  return TENON_OK;
}

static tenon_status drain_int96(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  enum { EPOCH_DAY = 2440588, DAY_S = 86400, SIZE = 12 };   /* the Julian day of 1970-01-01 */
  const duckdb_string_t *from = (const duckdb_string_t *)(const void *)s->data + s->start;
  int64_t nanos_a_tick = INT64_C(1000000000) / lane->factor;
  for (int64_t i = 0; i < s->n; i++) {
    uint32_t size = SIZE, day = EPOCH_DAY;
    int64_t nanos = 0, value = 0;
    if (is_valid(s, i)) {
      const char *bytes = text_of(&from[i], &size);
      if (size != SIZE) return misfit(lane, "a value is not of the size that its type says", err);
      memcpy(&nanos, bytes, 8);
      memcpy(&day, bytes + 8, 4);
    }
    if (nanos % nanos_a_tick) return misfit(lane, "a time has more digits than microseconds", err);
    if (__builtin_mul_overflow(((int64_t)day - EPOCH_DAY) * DAY_S, lane->factor, &value) ||
        __builtin_add_overflow(value, nanos / nanos_a_tick, &value))
      return misfit(lane, "a time is beyond what its type can hold", err);
    store(c, i, value);
  }
  return TENON_OK;
}

/* Two's complement, the big end first, in as many bytes as the file has for it. */
static tenon_status drain_big_decimals(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  enum { WIDTH = 32 };
  const duckdb_string_t *from = (const duckdb_string_t *)(const void *)s->data + s->start;
  for (int64_t i = 0; i < s->n; i++) {
    uint8_t *to = c->data.data + (c->length + i) * WIDTH;
    uint32_t size = 0;
    const char *bytes = is_valid(s, i) ? text_of(&from[i], &size) : "";
    int sign = size && bytes[0] < 0 ? 0xFF : 0;
    for (; size > WIDTH && (uint8_t)bytes[0] == sign && (bytes[1] < 0) == (sign != 0); size--) bytes++;
    if (size > WIDTH) return misfit(lane, "a decimal has more than 76 digits", err);
    memset(to, sign, WIDTH);
    for (uint32_t k = 0; k < size; k++) to[k] = (uint8_t)bytes[size - 1 - k];
  }
  return TENON_OK;
}

static bool drain_enums(const tn_lane *lane, const tn_span *s, tn_column *c) {
  for (int64_t i = 0; i < s->n; i++) {
    uint32_t k = 0;
    memcpy(&k, s->data + (s->start + i) * lane->inner, (size_t)lane->inner);
    const char *word = is_valid(s, i) && k < lane->word_count ? lane->words[k] : "";
    int64_t size = (int64_t)strlen(word);
    if (!tn_reserve(c, s->n, size)) return false;
    if (size) memcpy(c->data.data + c->data_size, word, (size_t)size);
    c->data_size += size;
    set_offset(c, c->length + i + 1, c->data_size);
  }
  return true;
}

/* ---- Nested ---- */

/* Lists of a vector may lie anywhere in its child; those that follow each other are drained together. */
static tenon_status drain_lists(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  const duckdb_list_entry *from = (const duckdb_list_entry *)(const void *)s->data + s->start;
  duckdb_vector child = s->db->list_vector_get_child(s->vector);
  tn_column *items = &c->children[0];
  int64_t begin = 0, pending = 0;
  for (int64_t i = 0; i < s->n; i++) {
    int64_t at = (int64_t)from[i].offset, length = is_valid(s, i) ? (int64_t)from[i].length : 0;
    if (length && pending && at != begin + pending) {
      tenon_status status = tn_drain(s->db, &lane->children[0], child, begin, pending, items, err);
      if (status) return status;
      pending = 0;
    }
    if (length && !pending) begin = at;
    pending += length;
    if (items->length + pending > INT32_MAX) return tn_append_failed(err);
    set_offset(c, c->length + i + 1, items->length + pending);
  }
  return pending ? tn_drain(s->db, &lane->children[0], child, begin, pending, items, err) : TENON_OK;
}

/* Fixed-size lists: DuckDB has them side by side in an array, or as lists that happen to be of one size. */
static tenon_status drain_arrays(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  const duckdb_list_entry *from = (const duckdb_list_entry *)(const void *)s->data + s->start;
  if (lane->type == DUCKDB_TYPE_ARRAY)
    return tn_drain(s->db, &lane->children[0], s->db->array_vector_get_child(s->vector), s->start * lane->width, s->n * lane->width,
                    &c->children[0], err);
  duckdb_vector child = s->db->list_vector_get_child(s->vector);
  for (int64_t i = 0; i < s->n; i++) {
    if (!is_valid(s, i)) {
      for (int32_t k = 0; k < lane->width; k++)
        if (!tn_append_null(&c->children[0])) return tn_append_failed(err);
      continue;
    }
    if (from[i].length != (uint64_t)lane->width) return misfit(lane, "a list is not of the size that its type says", err);
    tenon_status status = tn_drain(s->db, &lane->children[0], child, (int64_t)from[i].offset, lane->width, &c->children[0], err);
    if (status) return status;
  }
  return TENON_OK;
}

/* A map's vector is a list of structs. */
static tenon_status drain_structs(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  for (int32_t i = 0; i < lane->child_count; i++) {
    duckdb_vector child = s->db->struct_vector_get_child(s->vector, (idx_t)i);
    tenon_status status = tn_drain(s->db, &lane->children[i], child, s->start, s->n, &c->children[i], err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- All of them ---- */

static tenon_status drain_values(const tn_lane *lane, const tn_span *s, tn_column *c, tenon_error *err) {
  switch (lane->cell) {
    case TN_CELL_NULL: return TENON_OK;
    case TN_CELL_BOOL: drain_bools(s, c); return TENON_OK;
    case TN_CELL_COPY:
      memcpy(c->data.data + c->length * c->width, s->data + s->start * c->width, (size_t)(s->n * c->width));
      return TENON_OK;
    case TN_CELL_TEXT: return drain_texts(s, c) ? TENON_OK : tn_append_failed(err);
    case TN_CELL_ENUM: return drain_enums(lane, s, c) ? TENON_OK : tn_append_failed(err);
    case TN_CELL_FIXED: return drain_fixed(lane, s, c, err);
    case TN_CELL_SCALE: return drain_scaled(lane, s, c, err);
    case TN_CELL_DECIMAL: drain_decimals(lane, s, c); return TENON_OK;
    case TN_CELL_HUGE: return drain_huge(lane, s, c, err);
    case TN_CELL_HALF: return drain_halves(lane, s, c, err);
    case TN_CELL_UUID: drain_uuids(s, c); return TENON_OK;
    case TN_CELL_INTERVAL: return drain_intervals(lane, s, c, err);
    case TN_CELL_TIME_TZ: return drain_time_tz(lane, s, c, err);
    case TN_CELL_LIST: return drain_lists(lane, s, c, err);
    case TN_CELL_ARRAY: return drain_arrays(lane, s, c, err);
    case TN_CELL_STRUCT: return drain_structs(lane, s, c, err);
    case TN_CELL_INT96: return drain_int96(lane, s, c, err);
    case TN_CELL_BIG_DECIMAL: return drain_big_decimals(lane, s, c, err);
    case TN_CELL_HALF_OF: break;
  }
  return TENON_OK;
}

tenon_status tn_drain(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, int64_t start, int64_t n, tn_column *c,
                      tenon_error *err) {
  tn_span s = {db, v, db->vector_get_data(v), db->vector_get_validity(v), start, n};
  if (!tn_reserve(c, n, 0)) return tn_append_failed(err);
  tenon_status status = drain_values(lane, &s, c, err);
  if (status) return status;
  if (lane->cell == TN_CELL_NULL) {
    for (int64_t i = 0; i < n; i++)
      if (is_valid(&s, i)) return misfit(lane, "a value in a column that says it has none", err);
    c->null_count += n;
  } else {
    int64_t before = c->null_count;
    if (!drain_validity(&s, c)) return tn_append_failed(err);
    if (lane->not_null && c->null_count != before) return misfit(lane, "a NULL in a column that says it has none", err);
  }
  c->length += n;
  return TENON_OK;
}
