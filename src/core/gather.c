/* SPDX-License-Identifier: Apache-2.0 */
#include "core/gather.h"

#include "base/mem.h"

static bool is_valid(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[0];
  return bits[(a->offset + i) >> 3] >> ((a->offset + i) & 7) & 1;
}

static bool gather_nulls(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                         int64_t count) {
  if (!from->buffers[0] || from->null_count == 0) return true;
  for (int64_t k = 0; k < count; k++)
    if (!is_valid(from, rows[k]) && !tn_mark_null(to, to->length + k)) return false;
  return true;
}

#define COPY_LOOP(T)                                                               \
  do {                                                                             \
    T *out = (T *)(void *)(to->data.data + to->length * to->width);                \
    const T *in = (const T *)from->buffers[1] + from->offset;                      \
    for (int64_t k = 0; k < count; k++) out[k] = in[rows[k]];                      \
  } while (0)

static bool gather_fixed(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                         int64_t count) {
  if (!tn_reserve(to, count, 0)) return false;
  switch (to->width) {
    case 1: COPY_LOOP(uint8_t); return true;
    case 2: COPY_LOOP(uint16_t); return true;
    case 4: COPY_LOOP(uint32_t); return true;
    case 8: COPY_LOOP(uint64_t); return true;
    default: break;
  }
  size_t width = (size_t)to->width;
  uint8_t *out = to->data.data + to->length * to->width;
  const uint8_t *in = (const uint8_t *)from->buffers[1] + from->offset * to->width;
  for (int64_t k = 0; k < count; k++, out += width) memcpy(out, in + rows[k] * to->width, width);
  return true;
}

static bool gather_bits(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                        int64_t count) {
  if (!tn_reserve(to, count, 0)) return false;
  const uint8_t *in = from->buffers[1];
  uint8_t *out = to->data.data;
  for (int64_t k = 0; k < count; k++) {
    int64_t i = from->offset + rows[k], at = to->length + k;
    uint8_t mask = (uint8_t)(1u << (at & 7));
    out[at >> 3] = in[i >> 3] >> (i & 7) & 1 ? (uint8_t)(out[at >> 3] | mask)
        : (uint8_t)(out[at >> 3] & ~mask);
  }
  return true;
}

/* Offsets are 32 or 64 bits wide, and otherwise the same. */
#define DATA_LOOPS(T)                                                                        \
  do {                                                                                       \
    const T *in = (const T *)from->buffers[1] + from->offset;                                \
    int64_t total = 0;                                                                       \
    for (int64_t k = 0; k < count; k++) total += in[rows[k] + 1] - in[rows[k]];              \
    if (!tn_reserve(to, count, total)) return false;                                         \
    T *out = (T *)(void *)to->offsets.data + to->length;                                     \
    for (int64_t k = 0; k < count; k++) {                                                    \
      int64_t size = in[rows[k] + 1] - in[rows[k]];                                          \
      if (size) memcpy(to->data.data + to->data_size, data + in[rows[k]], (size_t)size);     \
      to->data_size += size;                                                                 \
      out[k + 1] = (T)to->data_size;                                                         \
    }                                                                                        \
  } while (0)

static bool gather_data(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                        int64_t count) {
  const uint8_t *data = from->buffers[2];
  if (to->layout == TN_LARGE_BINARY) DATA_LOOPS(int64_t);
  else DATA_LOOPS(int32_t);
  return true;
}

static bool gather_list(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                        int64_t count) {
  const int32_t *in = (const int32_t *)from->buffers[1] + from->offset;
  int64_t total = 0, n = 0, end = to->children[0].length;
  for (int64_t k = 0; k < count; k++) total += in[rows[k] + 1] - in[rows[k]];
  if (end + total > INT32_MAX || !tn_reserve(to, count, 0)) return false;
  int64_t *inner = tn_alloc_array((size_t)(total ? total : 1), sizeof *inner);
  if (!inner) return false;
  int32_t *out = (int32_t *)(void *)to->offsets.data + to->length;
  for (int64_t k = 0; k < count; k++) {
    for (int32_t i = in[rows[k]]; i < in[rows[k] + 1]; i++) inner[n++] = i;
    out[k + 1] = (int32_t)(end + n);
  }
  bool ok = tn_gather(&to->children[0], from->children[0], inner, total);
  tn_free(inner);
  return ok;
}

static bool gather_fixed_list(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                              int64_t count) {
  int64_t *inner = tn_alloc_array((size_t)(count * to->width + 1), sizeof *inner), n = 0;
  if (!inner) return false;
  for (int64_t k = 0; k < count; k++)
    for (int64_t i = 0; i < to->width; i++) inner[n++] = (from->offset + rows[k]) * to->width + i;
  bool ok = tn_gather(&to->children[0], from->children[0], inner, n);
  tn_free(inner);
  return ok;
}

static bool gather_struct(tn_column *to, const struct ArrowArray *from, const int64_t *rows,
                          int64_t count) {
  bool ok = true;
  for (int32_t i = 0; ok && i < to->child_count; i++) {
    struct ArrowArray child = *from->children[i];
    child.offset += from->offset;
    ok = tn_gather(&to->children[i], &child, rows, count);
  }
  return ok;
}

bool tn_gather(tn_column *to, const struct ArrowArray *from, const int64_t *rows, int64_t count) {
  bool ok = false;
  switch (to->layout) {
    case TN_NULLS: to->null_count += count; ok = true; break;
    case TN_BITS: ok = gather_bits(to, from, rows, count); break;
    case TN_FIXED: ok = gather_fixed(to, from, rows, count); break;
    case TN_BINARY: case TN_LARGE_BINARY: ok = gather_data(to, from, rows, count); break;
    case TN_LIST: ok = gather_list(to, from, rows, count); break;
    case TN_STRUCT: ok = gather_struct(to, from, rows, count); break;
    case TN_FIXED_LIST: ok = gather_fixed_list(to, from, rows, count); break;
  }
  if (!ok || (to->layout != TN_NULLS && !gather_nulls(to, from, rows, count))) return false;
  to->length += count;
  /* room for the bits of validity of what came without NULLs, when there were some before */
  return tn_reserve(to, 0, 0);
}
