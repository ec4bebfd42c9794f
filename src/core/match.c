/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which rows meet the filters. Whatever is a whole number inside (integers, decimals, dates, times)
 * or can be made one (floats, by their place in the order) is a range of such numbers; text and
 * binary are ranges of bytes. A mask has one byte a row, so that the loops over columns are plain
 * and the compiler can make them wide.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "core/filters.h"
#include "core/literal.h"

typedef enum test {
  NEVER, IS_NULL, NOT_NULL,
  IN_RANGE, NOT_EQUAL,        /* of whole numbers: low to high; low */
  IN_DATA_RANGE, NOT_EQUAL_DATA, IN_DATA_SET, IN_SET, HAS_PREFIX
} test;

typedef struct piece {
  const char *data;
  size_t size;
} piece;

typedef struct condition {
  test test;
  int64_t column;
  tn_column_type type;
  tn_wide low, high;          /* both included; of floats their keys */
  piece from, to;             /* data ranges */
  bool has_from, has_to, without_from, without_to;
  tn_wide *set;               /* sorted */
  piece *data_set;            /* sorted */
  size_t set_count;
} condition;

typedef struct key_column {
  int64_t column;
  tn_column_type type;
  bool descending, is_null;
  tn_wide whole;
  piece data;
} key_column;

struct tn_matcher {
  tn_arena arena;
  condition *conditions;
  size_t condition_count;
  key_column *keys;
  size_t key_count;
};

/* ---- Comparing ---- */

static int compare_pieces(piece a, piece b) {
  size_t n = a.size < b.size ? a.size : b.size;
  int c = n ? memcmp(a.data, b.data, n) : 0;
  return c ? c : (a.size > b.size) - (a.size < b.size);
}

static int compare_pieces_at(const void *a, const void *b) {
  return compare_pieces(*(const piece *)a, *(const piece *)b);
}
static int compare_wides_at(const void *a, const void *b) {
  return tn_wide_compare(*(const tn_wide *)a, *(const tn_wide *)b);
}

/* ---- Reading values out of columns ---- */

static bool is_valid(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[0];
  return !bits || bits[(a->offset + i) >> 3] >> ((a->offset + i) & 7) & 1;
}

static bool bit_at(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[1];
  return bits[(a->offset + i) >> 3] >> ((a->offset + i) & 7) & 1;
}

/* Half precision, widened. */
static double half_at(const void *p) {
  uint16_t h;
  memcpy(&h, p, sizeof h);
  uint32_t exponent = h >> 10 & 31, fraction = h & 1023, bits = (uint32_t)(h & 0x8000) << 16;
  float f;
  if (exponent == 0) {
    f = (float)fraction / 16777216.0f;
    return h & 0x8000 ? -(double)f : (double)f;
  }
  bits |= exponent == 31 ? 0x7F800000u | fraction << 13 : (exponent + 112) << 23 | fraction << 13;
  memcpy(&f, &bits, sizeof f);
  return (double)f;
}

static int64_t float_key(int width, const void *p) {
  double d;
  float f;
  if (width == 8) {
    memcpy(&d, p, sizeof d);
    return tn_double_key(d);
  }
  if (width == 2) return tn_double_key(half_at(p));
  memcpy(&f, p, sizeof f);
  return tn_double_key((double)f);
}

static tn_wide signed_at(int width, const uint8_t *p) {
  tn_wide w;
  __int128 i128;
  int64_t i64;
  int32_t i32;
  int16_t i16;
  switch (width) {
    case 1: return tn_wide_of((int8_t)*p);
    case 2: memcpy(&i16, p, 2); return tn_wide_of(i16);
    case 4: memcpy(&i32, p, 4); return tn_wide_of(i32);
    case 8: memcpy(&i64, p, 8); return tn_wide_of(i64);
    case 16: memcpy(&i128, p, 16); return tn_wide_of(i128);
    default: memcpy(&w, p, 32); return w;
  }
}

static tn_wide unsigned_at(int width, const uint8_t *p) {
  uint64_t v = 0;
  memcpy(&v, p, (size_t)width);
  return tn_wide_of((__int128)v);
}

/* Value i as the whole number that it is inside; dates in days. */
static tn_wide whole_at(const tn_column_type *t, const struct ArrowArray *a, int64_t i) {
  if (t->family == TN_BOOL) return tn_wide_of(bit_at(a, i));
  const uint8_t *p = (const uint8_t *)a->buffers[1] + (a->offset + i) * t->width;
  if (t->family == TN_FLOAT) return tn_wide_of(float_key(t->width, p));
  if (t->family == TN_UINT) return unsigned_at(t->width, p);
  tn_wide v = signed_at(t->width, p);
  if (t->family == TN_DATE && t->width == 8) {
    __int128 ms = tn_wide_low(v);
    v = tn_wide_of(ms / 86400000 - (ms % 86400000 < 0));
  }
  return v;
}

static piece data_at(const tn_column_type *t, const struct ArrowArray *a, int64_t i) {
  if (t->width)
    return (piece){(const char *)a->buffers[1] + (a->offset + i) * t->width, (size_t)t->width};
  int64_t from, to;
  if (t->has_wide_offsets) {
    const int64_t *offsets = (const int64_t *)a->buffers[1] + a->offset;
    from = offsets[i], to = offsets[i + 1];
  } else {
    const int32_t *offsets = (const int32_t *)a->buffers[1] + a->offset;
    from = offsets[i], to = offsets[i + 1];
  }
  return (piece){(const char *)a->buffers[2] + from, (size_t)(to - from)};
}

/* ---- Whole numbers ---- */

#define RANGE_LOOP(T)                                                                    \
  do {                                                                                   \
    const T *values = (const T *)a->buffers[1] + a->offset, low = (T)lo, high = (T)hi;   \
    for (int64_t i = 0; i < rows; i++) mask[i] &= (uint8_t)((values[i] >= low) & (values[i] <= high)); \
  } while (0)

#define OTHER_LOOP(T)                                                                    \
  do {                                                                                   \
    const T *values = (const T *)a->buffers[1] + a->offset, other = (T)lo;               \
    for (int64_t i = 0; i < rows; i++) mask[i] &= (uint8_t)(values[i] != other);         \
  } while (0)

#define WITH_TYPE(LOOP)                                                                  \
  do {                                                                                   \
    bool is_unsigned = c->type.family == TN_UINT;                                        \
    if (c->type.width == 1 && is_unsigned) LOOP(uint8_t);                                \
    else if (c->type.width == 1) LOOP(int8_t);                                           \
    else if (c->type.width == 2 && is_unsigned) LOOP(uint16_t);                          \
    else if (c->type.width == 2) LOOP(int16_t);                                          \
    else if (c->type.width == 4 && is_unsigned) LOOP(uint32_t);                          \
    else if (c->type.width == 4) LOOP(int32_t);                                          \
    else if (is_unsigned) LOOP(uint64_t);                                                \
    else LOOP(int64_t);                                                                  \
  } while (0)

/* Bounds lie within the column's type: the conversion of filters saw to it. */
static void match_numbers(const condition *c, const struct ArrowArray *a, int64_t rows,
                          uint8_t *mask) {
  __int128 lo = tn_wide_low(c->low), hi = tn_wide_low(c->high);
  if (c->test == IN_RANGE) WITH_TYPE(RANGE_LOOP);
  else WITH_TYPE(OTHER_LOOP);
}

static void match_floats(const condition *c, const struct ArrowArray *a, int64_t rows,
                         uint8_t *mask) {
  int64_t lo = (int64_t)tn_wide_low(c->low), hi = (int64_t)tn_wide_low(c->high);
  const uint8_t *values = (const uint8_t *)a->buffers[1] + a->offset * c->type.width;
  for (int64_t i = 0; i < rows; i++) {
    int64_t key = float_key(c->type.width, values + i * c->type.width);
    mask[i] &= (uint8_t)(c->test == IN_RANGE ? (key >= lo) & (key <= hi) : key != lo);
  }
}

static void match_decimals(const condition *c, const struct ArrowArray *a, int64_t rows,
                           uint8_t *mask) {
  __int128 lo = tn_wide_low(c->low), hi = tn_wide_low(c->high), v;
  const uint8_t *values = (const uint8_t *)a->buffers[1] + a->offset * 16;
  for (int64_t i = 0; i < rows; i++) {
    memcpy(&v, values + i * 16, sizeof v);
    mask[i] &= (uint8_t)(c->test == IN_RANGE ? (v >= lo) & (v <= hi) : v != lo);
  }
}

/* What is left: booleans, dates in milliseconds, 256 bits. */
static void match_wides(const condition *c, const struct ArrowArray *a, int64_t rows,
                        uint8_t *mask) {
  for (int64_t i = 0; i < rows; i++) {
    if (!mask[i]) continue;
    tn_wide v = whole_at(&c->type, a, i);
    int low = tn_wide_compare(v, c->low);
    mask[i] = c->test == IN_RANGE ? low >= 0 && tn_wide_compare(v, c->high) <= 0 : low != 0;
  }
}

static void match_whole(const condition *c, const struct ArrowArray *a, int64_t rows,
                        uint8_t *mask) {
  const tn_column_type *t = &c->type;
  if (t->family == TN_FLOAT) match_floats(c, a, rows, mask);
  else if (t->family == TN_BOOL || t->width == 32 || (t->family == TN_DATE && t->width == 8))
    match_wides(c, a, rows, mask);
  else if (t->width == 16) match_decimals(c, a, rows, mask);
  else match_numbers(c, a, rows, mask);
}

static void match_set(const condition *c, const struct ArrowArray *a, int64_t rows, uint8_t *mask) {
  for (int64_t i = 0; i < rows; i++) {
    if (!mask[i]) continue;
    const tn_wide v = whole_at(&c->type, a, i);
    mask[i] = bsearch(&v, c->set, c->set_count, sizeof v, compare_wides_at) != NULL;
  }
}

/* ---- Bytes ---- */

static bool data_holds(const condition *c, piece v) {
  switch (c->test) {
    case NOT_EQUAL_DATA: return v.size != c->from.size || compare_pieces(v, c->from) != 0;
    case HAS_PREFIX:
      return v.size >= c->from.size &&
             (c->from.size == 0 || memcmp(v.data, c->from.data, c->from.size) == 0);
    case IN_DATA_SET:
      return bsearch(&v, c->data_set, c->set_count, sizeof v, compare_pieces_at) != NULL;
    default: break;
  }
  if (c->has_from) {
    int order = compare_pieces(v, c->from);
    if (order < 0 || (order == 0 && c->without_from)) return false;
  }
  if (!c->has_to) return true;
  int order = compare_pieces(v, c->to);
  return order < 0 || (order == 0 && !c->without_to);
}

static void match_data(const condition *c, const struct ArrowArray *a, int64_t rows,
                       uint8_t *mask) {
  for (int64_t i = 0; i < rows; i++)
    if (mask[i]) mask[i] = data_holds(c, data_at(&c->type, a, i));
}

/* ---- NULL ---- */

static void match_validity(const struct ArrowArray *a, int64_t rows, bool wanted, uint8_t *mask) {
  if (a->n_buffers == 0 || !a->buffers[0]) {
    /* without a bitmap all are there; a column of the type null has none */
    bool all_null = a->n_buffers == 0 && a->n_children == 0;
    if (all_null == wanted) memset(mask, 0, (size_t)rows);
    return;
  }
  for (int64_t i = 0; i < rows; i++) mask[i] &= (uint8_t)(is_valid(a, i) == wanted);
}

static void match(const condition *c, const struct ArrowArray *a, int64_t rows, uint8_t *mask) {
  if (c->test == NEVER) {
    memset(mask, 0, (size_t)rows);
    return;
  }
  match_validity(a, rows, c->test != IS_NULL, mask);
  switch (c->test) {
    case IN_RANGE: case NOT_EQUAL: match_whole(c, a, rows, mask); break;
    case IN_SET: match_set(c, a, rows, mask); break;
    case IN_DATA_RANGE: case NOT_EQUAL_DATA: case IN_DATA_SET: case HAS_PREFIX:
      match_data(c, a, rows, mask);
      break;
    case NEVER: case IS_NULL: case NOT_NULL: break;
  }
}

/* ---- The key to go on after ---- */

/* Where row i stands to the key in one column, in the direction of the order; NULLs are last. */
static int compare_key(const key_column *k, const struct ArrowArray *a, int64_t i) {
  bool is_null = k->type.family == TN_NULL || !is_valid(a, i);
  if (is_null || k->is_null) return (int)is_null - (int)k->is_null;
  bool is_data = k->type.family == TN_TEXT || k->type.family == TN_BYTES;
  int order = is_data ? compare_pieces(data_at(&k->type, a, i), k->data)
      : tn_wide_compare(whole_at(&k->type, a, i), k->whole);
  return k->descending ? -order : order;
}

static void match_after(const tn_matcher *m, const struct ArrowArray *batch, uint8_t *mask) {
  for (int64_t i = 0; i < batch->length; i++) {
    int order = 0;
    for (size_t k = 0; k < m->key_count && mask[i] && order == 0; k++)
      order = compare_key(&m->keys[k], batch->children[m->keys[k].column], batch->offset + i);
    mask[i] &= order > 0;
  }
}

void tn_matcher_run(const tn_matcher *m, const struct ArrowArray *batch, uint8_t *mask) {
  memset(mask, 1, (size_t)batch->length);
  for (size_t i = 0; i < m->condition_count; i++) {
    /* the batch's own offset counts for its columns, too */
    struct ArrowArray column = *batch->children[m->conditions[i].column];
    column.offset += batch->offset;
    match(&m->conditions[i], &column, batch->length, mask);
  }
  if (m->key_count) match_after(m, batch, mask);
}

/* ---- Making conditions ---- */

/* A copy: the request that it came in ends with its call. */
static tenon_status take_piece(tn_matcher *m, const tenon_value *v, piece *ret, tenon_error *err) {
  const char *data = v->size ? tn_arena_strndup(&m->arena, v->data, v->size) : "";
  if (!data) return tn_no_memory(err);
  *ret = (piece){data, v->size};
  return TENON_OK;
}

static tenon_status data_condition(tn_matcher *m, const tenon_filter *f, condition *c,
                                   tenon_error *err) {
  tenon_status status = take_piece(m, &f->values[0], &c->from, err);
  c->to = c->from;
  if (!status && f->op == TENON_BETWEEN) status = take_piece(m, &f->values[1], &c->to, err);
  c->test = f->op == TENON_NE ? NOT_EQUAL_DATA : f->op == TENON_PREFIX ? HAS_PREFIX : IN_DATA_RANGE;
  c->has_from = f->op != TENON_LT && f->op != TENON_LE;
  c->has_to = f->op != TENON_GT && f->op != TENON_GE;
  c->without_from = f->op == TENON_GT;
  c->without_to = f->op == TENON_LT;
  return status;
}

/* Bounds of the widest kind: floats count from minus infinity to NaN. */
static void whole_bounds(const tn_column_type *t, tn_wide *low, tn_wide *high) {
  if (t->family != TN_FLOAT) {
    tn_whole_range(t, low, high);
    if (t->family == TN_DECIMAL) {
      /* what a buffer holds beyond the precision is compared, too */
      *high = t->width == 32 ? (tn_wide){{UINT64_MAX, UINT64_MAX, UINT64_MAX, INT64_MAX}}
                             : tn_wide_of((__int128)(((unsigned __int128)1 << (t->width * 8 - 1)) - 1));
      *low = tn_wide_add(tn_wide_negate(*high), -1);
    }
    return;
  }
  *low = tn_wide_of(INT64_MIN);
  *high = tn_wide_of(INT64_MAX);
}

static void whole_condition(const tenon_filter *f, condition *c) {
  tn_wide v = tn_value_whole(&c->type, &f->values[0]), min, max;
  whole_bounds(&c->type, &min, &max);
  c->test = f->op == TENON_NE ? NOT_EQUAL : IN_RANGE;
  c->low = c->high = v;
  if (f->op == TENON_LT || f->op == TENON_LE) c->low = min;
  if (f->op == TENON_GT || f->op == TENON_GE) c->high = max;
  if (f->op == TENON_BETWEEN) c->high = tn_value_whole(&c->type, &f->values[1]);
  bool is_edge = (f->op == TENON_LT && tn_wide_compare(v, min) == 0) ||
      (f->op == TENON_GT && tn_wide_compare(v, max) == 0);
  if (is_edge) c->test = NEVER;
  else if (f->op == TENON_LT) c->high = tn_wide_add(v, -1);
  else if (f->op == TENON_GT) c->low = tn_wide_add(v, 1);
}

static tenon_status set_condition(tn_matcher *m, const tenon_filter *f, condition *c,
                                  tenon_error *err) {
  bool is_data = c->type.family == TN_TEXT || c->type.family == TN_BYTES;
  c->test = is_data ? IN_DATA_SET : IN_SET;
  c->set_count = f->value_count;
  c->set = tn_arena_alloc(&m->arena, f->value_count * sizeof *c->set);
  c->data_set = tn_arena_alloc(&m->arena, f->value_count * sizeof *c->data_set);
  if (!c->set || !c->data_set) return tn_no_memory(err);
  for (size_t i = 0; i < f->value_count; i++) {
    tenon_status status = is_data ? take_piece(m, &f->values[i], &c->data_set[i], err) : TENON_OK;
    if (status) return status;
    if (!is_data) c->set[i] = tn_value_whole(&c->type, &f->values[i]);
  }
  if (is_data) qsort(c->data_set, c->set_count, sizeof *c->data_set, compare_pieces_at);
  else qsort(c->set, c->set_count, sizeof *c->set, compare_wides_at);
  return TENON_OK;
}

static tenon_status make_condition(tn_matcher *m, const struct ArrowSchema *schema,
                                   const tenon_filter *f, condition *c, tenon_error *err) {
  tenon_status status = tn_column_find(schema, f->column, &c->column, err);
  if (status) return status;
  c->type = tn_column_type_of(schema->children[c->column]);
  if (f->op == TENON_IS_NULL) c->test = IS_NULL;
  else if (f->op == TENON_IS_NOT_NULL) c->test = NOT_NULL;
  else if (tn_filter_is_never(f)) c->test = NEVER;
  else if (f->op == TENON_IN) return set_condition(m, f, c, err);
  else if (c->type.family == TN_TEXT || c->type.family == TN_BYTES)
    return data_condition(m, f, c, err);
  else whole_condition(f, c);
  return TENON_OK;
}

static tenon_status make_key(tn_matcher *m, const struct ArrowSchema *schema,
                             const tenon_order *order, const tenon_value *v, key_column *k,
                             tenon_error *err) {
  tenon_status status = tn_column_find(schema, order->column, &k->column, err);
  if (status) return status;
  k->type = tn_column_type_of(schema->children[k->column]);
  if (k->type.family == TN_OTHER)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "order by other columns",
                      "column %s has no order", order->column);
  k->descending = order->descending;
  k->is_null = v->type == TENON_VALUE_NULL;
  if (k->is_null) return TENON_OK;
  if (k->type.family == TN_TEXT || k->type.family == TN_BYTES)
    return take_piece(m, v, &k->data, err);
  k->whole = tn_value_whole(&k->type, v);
  return TENON_OK;
}

static tenon_status fill(tn_matcher *m, const struct ArrowSchema *schema,
                         const tenon_filter *filters, size_t n, const tenon_order *order,
                         const tenon_value *after, size_t order_count, tenon_error *err) {
  tenon_status status = TENON_OK;
  m->conditions = tn_arena_alloc(&m->arena, (n + 1) * sizeof *m->conditions);
  m->keys = tn_arena_alloc(&m->arena, (order_count + 1) * sizeof *m->keys);
  if (!m->conditions || !m->keys) return tn_no_memory(err);
  for (size_t i = 0; i < n && !status; i++) {
    m->conditions[i] = (condition){0};
    status = make_condition(m, schema, &filters[i], &m->conditions[m->condition_count++], err);
  }
  for (size_t i = 0; i < order_count && !status; i++) {
    m->keys[i] = (key_column){0};
    status = make_key(m, schema, &order[i], &after[i], &m->keys[m->key_count++], err);
  }
  return status;
}

tenon_status tn_matcher_new(const struct ArrowSchema *schema, const tenon_filter *filters, size_t n,
                            const tenon_order *order,
                            const tenon_value *after, size_t order_count, tn_matcher **ret,
                            tenon_error *err) {
  tn_matcher *m = tn_alloc(sizeof *m);
  if (!m) return tn_no_memory(err);
  tn_arena_init(&m->arena, 64 << 20);
  tenon_status status = fill(m, schema, filters, n, order, after, order_count, err);
  if (status) tn_matcher_free(m);
  else *ret = m;
  return status;
}

void tn_matcher_free(tn_matcher *m) {
  if (!m) return;
  tn_arena_release(&m->arena);
  tn_free(m);
}
