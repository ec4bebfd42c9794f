/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrow columns into DuckDB vectors. Fixed-width values are copied, texts are referred to where they
 * are: the batch stays until its reader has asked for the next vector.
 */
#include <math.h>
#include <string.h>

#include "engine/half.h"
#include "engine/lane.h"

static bool bit_at(const uint8_t *bits, int64_t i) { return bits[i >> 3] >> (i & 7) & 1; }

static bool is_null(const struct ArrowArray *a, int64_t i) {
  return a->null_count != 0 && a->n_buffers > 0 && a->buffers[0] && !bit_at(a->buffers[0], a->offset + i);
}

/* 64 bits of a bitmap from bit `at` on, of which `n` exist. */
static uint64_t bits_at(const uint8_t *bits, int64_t at, int64_t n) {
  if (n > 64) n = 64;
  uint64_t word = 0;
  const uint8_t *from = bits + (at >> 3);
  int shift = (int)(at & 7);
  size_t bytes = (size_t)((shift + n + 7) / 8);
  memcpy(&word, from, bytes < 8 ? bytes : 8);
  word >>= shift;
  if (bytes > 8) word |= (uint64_t)from[8] << (64 - shift);
  return word;
}

static void fill_validity(const tn_duckdb *db, duckdb_vector v, const struct ArrowArray *a, int64_t start, int64_t n) {
  if (a->null_count == 0 || a->n_buffers == 0 || !a->buffers[0]) return;
  db->vector_ensure_validity_writable(v);
  uint64_t *mask = db->vector_get_validity(v);
  for (int64_t i = 0; i < n; i += 64) mask[i / 64] = bits_at(a->buffers[0], a->offset + start + i, n - i);
}

/* A value under a NULL of its parent is NULL, too: what stands there in Arrow is anything. */
static void hide_values(const tn_duckdb *db, duckdb_vector v, const uint64_t *parent, int64_t n) {
  if (!parent) return;
  db->vector_ensure_validity_writable(v);
  uint64_t *mask = db->vector_get_validity(v);
  for (int64_t i = 0; i < (n + 63) / 64; i++) mask[i] &= parent[i];
}

static tenon_status misfit(const tn_lane *lane, int64_t row, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave the column out (columns), or mend the value at its source",
                    "column %s, row %lld of the batch: %s", lane->name, (long long)row + 1, why);
}

/* ---- Numbers ---- */

static void fill_bools(duckdb_vector v, const tn_duckdb *db, const struct ArrowArray *a, int64_t start, int64_t n) {
  uint8_t *to = db->vector_get_data(v);
  const uint8_t *bits = a->buffers[1];
  for (int64_t i = 0; i < n; i++) to[i] = bit_at(bits, a->offset + start + i);
}

static int64_t load_int(const uint8_t *from, int32_t width, int64_t i) {
  int64_t wide;
  int32_t narrow;
  if (width == 8) {
    memcpy(&wide, from + i * 8, 8);
    return wide;
  }
  memcpy(&narrow, from + i * 4, 4);
  return narrow;
}

static tenon_status fill_scaled(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                                int64_t start, int64_t n, tenon_error *err) {
  const uint8_t *from = a->buffers[1];
  uint8_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) {
    int64_t x = load_int(from, lane->width, a->offset + start + i), y = 0;
    bool bad = lane->factor > 0 ? __builtin_mul_overflow(x, lane->factor, &y) : x % -lane->factor != 0;
    if (lane->factor < 0) y = x / -lane->factor;
    bad = bad || (lane->inner == 4 && y != (int32_t)y);
    if (bad && !is_null(a, start + i))
      return misfit(lane, start + i, "the value has more digits than Parquet's and the engine's type for it", err);
    int32_t narrow = (int32_t)y;
    if (lane->inner == 8) memcpy(to + i * 8, &y, 8);
    else memcpy(to + i * 4, &narrow, 4);
  }
  return TENON_OK;
}

typedef struct tn_wide { uint64_t low; int64_t high; } tn_wide;

static const int64_t powers[19] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000,
                                   10000000000, 100000000000, 1000000000000, 10000000000000, 100000000000000,
                                   1000000000000000, 10000000000000000, 100000000000000000, 1000000000000000000};

/* Decimals of at most 18 digits fit 64 bits; a value that does not is found here, not cut. */
static bool narrow_fits(tn_wide x, uint8_t precision) {
  int64_t low = (int64_t)x.low, limit = powers[precision];
  return x.high == low >> 63 && low > -limit && low < limit;
}

static bool wide_fits(tn_wide x, uint8_t precision) {
  __int128 value = (__int128)((unsigned __int128)(uint64_t)x.high << 64 | x.low), limit = 1;
  for (int i = 0; i < precision; i++) limit *= 10;
  return value > -limit && value < limit;
}

/* The low 128 bits of a 256 bit value, if it is no more than that. */
static bool load_decimal(const uint8_t *from, int32_t width, int64_t i, tn_wide *ret) {
  memcpy(ret, from + i * width, 16);
  if (width == 16) return true;
  int64_t upper[2];
  memcpy(upper, from + i * width + 16, 16);
  return upper[0] == ret->high >> 63 && upper[1] == ret->high >> 63;
}

static void store_narrow(uint8_t *to, int32_t inner, int64_t i, int64_t value) {
  int16_t two = (int16_t)value;
  int32_t four = (int32_t)value;
  if (inner == 8) memcpy(to + i * 8, &value, 8);
  else if (inner == 4) memcpy(to + i * 4, &four, 4);
  else memcpy(to + i * 2, &two, 2);
}

static tenon_status fill_decimals(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                                  int64_t start, int64_t n, tenon_error *err) {
  const uint8_t *from = (const uint8_t *)a->buffers[1] + (a->offset + start) * lane->width;
  uint8_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) {
    tn_wide x;
    bool fits = load_decimal(from, lane->width, i, &x);
    fits = fits && (lane->inner == 16 ? wide_fits(x, lane->precision) : narrow_fits(x, lane->precision));
    if (!fits && !is_null(a, start + i)) return misfit(lane, start + i, "the decimal has more digits than its type says", err);
    if (lane->inner == 16) memcpy(to + i * 16, &x, 16);
    else store_narrow(to, lane->inner, i, (int64_t)x.low);
  }
  return TENON_OK;
}

/* The common case, decimal(p <= 18) of 16 bytes into 8: looked at together, one by one only if one misfits. */
static tenon_status fill_money(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                               int64_t start, int64_t n, tenon_error *err) {
  const int64_t *from = (const int64_t *)a->buffers[1] + (a->offset + start) * 2;
  int64_t *to = db->vector_get_data(v), limit = powers[lane->precision], bad = 0;
  for (int64_t i = 0; i < n; i++) {
    int64_t low = from[2 * i];
    to[i] = low;
    bad |= (from[2 * i + 1] ^ (low >> 63)) | (int64_t)((low <= -limit) | (low >= limit));
  }
  return bad ? fill_decimals(db, lane, v, a, start, n, err) : TENON_OK;
}

static void fill_halves(const tn_duckdb *db, duckdb_vector v, const struct ArrowArray *a, int64_t start, int64_t n) {
  const uint16_t *from = (const uint16_t *)a->buffers[1] + a->offset + start;
  float *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) to[i] = tn_half_to_float(from[i]);
}

/* DuckDB keeps a UUID as a signed 128 bit number of its bytes with the first bit turned, so that the order is theirs. */
static void fill_uuids(const tn_duckdb *db, duckdb_vector v, const struct ArrowArray *a, int64_t start, int64_t n) {
  const uint8_t *from = (const uint8_t *)a->buffers[1] + (a->offset + start) * 16;
  tn_wide *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) {
    uint64_t high, low;
    memcpy(&high, from + i * 16, 8);
    memcpy(&low, from + i * 16 + 8, 8);
    to[i].low = __builtin_bswap64(low);
    to[i].high = (int64_t)(__builtin_bswap64(high) ^ UINT64_C(1) << 63);
  }
}

static void fill_half_of(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a, int64_t start, int64_t n) {
  const uint8_t *from = (const uint8_t *)a->buffers[1] + (a->offset + start) * 32 + lane->width;
  uint8_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) memcpy(to + i * 16, from + i * 32, 16);
}

/* ---- Text and binary ---- */

static inline void refer(duckdb_string_t *to, const uint8_t *data, uint32_t size) {
  if (size <= 12) {
    duckdb_string_t small = {.value.inlined.length = size};
    memcpy(small.value.inlined.inlined, data, size);
    *to = small;
  } else {
    to->value.pointer.length = size;
    memcpy(to->value.pointer.prefix, data, 4);
    to->value.pointer.ptr = (char *)(uintptr_t)data;
  }
}

static void fill_text32(const tn_duckdb *db, duckdb_vector v, const struct ArrowArray *a, int64_t start, int64_t n) {
  const int32_t *offsets = (const int32_t *)a->buffers[1] + a->offset + start;
  const uint8_t *data = a->buffers[2] ? a->buffers[2] : (const void *)"";
  duckdb_string_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) refer(&to[i], data + offsets[i], (uint32_t)(offsets[i + 1] - offsets[i]));
}

static tenon_status fill_text64(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                                int64_t start, int64_t n, tenon_error *err) {
  const int64_t *offsets = (const int64_t *)a->buffers[1] + a->offset + start;
  const uint8_t *data = a->buffers[2] ? a->buffers[2] : (const void *)"";
  duckdb_string_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) {
    int64_t size = offsets[i + 1] - offsets[i];
    if (size > UINT32_MAX) return misfit(lane, start + i, "a text of more than 4 GiB", err);
    refer(&to[i], data + offsets[i], (uint32_t)size);
  }
  return TENON_OK;
}

static void fill_fixed(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a, int64_t start,
                       int64_t n) {
  const uint8_t *from = (const uint8_t *)a->buffers[1] + (a->offset + start) * lane->width;
  duckdb_string_t *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) refer(&to[i], from + i * lane->width, (uint32_t)lane->width);
}

/* ---- Nested ---- */

static int64_t offset_at(const tn_lane *lane, const struct ArrowArray *a, int64_t i) {
  if (lane->cell == TN_CELL_ARRAY) return (a->offset + i) * lane->width;
  if (lane->width == 8) return ((const int64_t *)a->buffers[1])[a->offset + i];
  return ((const int32_t *)a->buffers[1])[a->offset + i];
}

static tenon_status fill_lists(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                               int64_t start, int64_t n, tenon_error *err) {
  int64_t first = offset_at(lane, a, start), last = offset_at(lane, a, start + n);
  if (db->list_vector_reserve(v, (idx_t)(last - first)) != DuckDBSuccess) return tn_append_failed(err);
  duckdb_list_entry *to = db->vector_get_data(v);
  for (int64_t i = 0; i < n; i++) {
    int64_t from = offset_at(lane, a, start + i);
    to[i].offset = (uint64_t)(from - first);
    to[i].length = (uint64_t)(offset_at(lane, a, start + i + 1) - from);
  }
  tenon_status status = TENON_OK;
  if (last > first) status = tn_fill(db, &lane->children[0], db->list_vector_get_child(v), a->children[0], first, last - first, err);
  if (!status && db->list_vector_set_size(v, (idx_t)(last - first)) != DuckDBSuccess) status = tn_append_failed(err);
  return status;
}

static tenon_status fill_structs(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a,
                                 int64_t start, int64_t n, tenon_error *err) {
  const uint64_t *mask = db->vector_get_validity(v);
  for (int32_t i = 0; i < lane->child_count; i++) {
    duckdb_vector child = db->struct_vector_get_child(v, (idx_t)i);
    tenon_status status = tn_fill(db, &lane->children[i], child, a->children[i], a->offset + start, n, err);
    if (status) return status;
    hide_values(db, child, mask, n);
  }
  return TENON_OK;
}

static void fill_nulls(const tn_duckdb *db, duckdb_vector v, int64_t n) {
  db->vector_ensure_validity_writable(v);
  memset(db->vector_get_validity(v), 0, (size_t)(n + 63) / 64 * 8);
}

tenon_status tn_fill(const tn_duckdb *db, const tn_lane *lane, duckdb_vector v, const struct ArrowArray *a, int64_t start,
                     int64_t n, tenon_error *err) {
  if (lane->cell != TN_CELL_NULL) fill_validity(db, v, a, start, n);
  switch (lane->cell) {
    case TN_CELL_NULL: fill_nulls(db, v, n); return TENON_OK;
    case TN_CELL_BOOL: fill_bools(v, db, a, start, n); return TENON_OK;
    case TN_CELL_COPY:
      memcpy(db->vector_get_data(v), (const uint8_t *)a->buffers[1] + (a->offset + start) * lane->width,
             (size_t)(n * lane->width));
      return TENON_OK;
    case TN_CELL_TEXT:
      if (lane->width == 8) return fill_text64(db, lane, v, a, start, n, err);
      fill_text32(db, v, a, start, n);
      return TENON_OK;
    case TN_CELL_FIXED: fill_fixed(db, lane, v, a, start, n); return TENON_OK;
    case TN_CELL_SCALE: return fill_scaled(db, lane, v, a, start, n, err);
    case TN_CELL_DECIMAL:
      return (lane->width == 16 && lane->inner == 8 ? fill_money : fill_decimals)(db, lane, v, a, start, n, err);
    case TN_CELL_HALF: fill_halves(db, v, a, start, n); return TENON_OK;
    case TN_CELL_UUID: fill_uuids(db, v, a, start, n); return TENON_OK;
    case TN_CELL_HALF_OF: fill_half_of(db, lane, v, a, start, n); return TENON_OK;
    case TN_CELL_LIST: case TN_CELL_ARRAY: return fill_lists(db, lane, v, a, start, n, err);
    case TN_CELL_STRUCT: return fill_structs(db, lane, v, a, start, n, err);
    case TN_CELL_HUGE: case TN_CELL_INTERVAL: case TN_CELL_TIME_TZ: case TN_CELL_ENUM:
    case TN_CELL_INT96: case TN_CELL_BIG_DECIMAL: break;
  }
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon", "column %s has no way in", lane->name);
}
