/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow/take.h"

static bool take_nulls(tn_column *c, const struct ArrowArray *src, int64_t start, int64_t n) {
  if (src->null_count == 0 || !src->buffers[0]) return true;
  for (int64_t i = 0; i < n; i++)
    if (tn_array_is_null(src, start + i) && !tn_mark_null(c, c->length + i)) return false;
  return true;
}

static void take_bits(tn_column *c, const uint8_t *bits, int64_t from, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    int64_t to = c->length + i;
    uint8_t mask = (uint8_t)(1u << (to & 7));
    bool set = bits[(from + i) >> 3] >> ((from + i) & 7) & 1;
    c->data.data[to >> 3] = (uint8_t)(set ? c->data.data[to >> 3] | mask : c->data.data[to >> 3] & ~mask);
  }
}

static bool take_binary(tn_column *c, const struct ArrowArray *src, int64_t from, int64_t n) {
  const int32_t *in = (const int32_t *)src->buffers[1] + from;
  int64_t bytes = in[n] - in[0];
  if (!tn_reserve(c, n, bytes)) return false;
  if (bytes) memcpy(c->data.data + c->data_size, (const char *)src->buffers[2] + in[0], (size_t)bytes);
  int32_t *out = (int32_t *)(void *)c->offsets.data + c->length, base = (int32_t)c->data_size - in[0];
  for (int64_t i = 1; i <= n; i++) out[i] = in[i] + base;
  c->data_size += bytes;
  return true;
}

static bool take_large_binary(tn_column *c, const struct ArrowArray *src, int64_t from, int64_t n) {
  const int64_t *in = (const int64_t *)src->buffers[1] + from;
  int64_t bytes = in[n] - in[0];
  if (!tn_reserve(c, n, bytes)) return false;
  if (bytes) memcpy(c->data.data + c->data_size, (const char *)src->buffers[2] + in[0], (size_t)bytes);
  int64_t *out = (int64_t *)(void *)c->offsets.data + c->length, base = c->data_size - in[0];
  for (int64_t i = 1; i <= n; i++) out[i] = in[i] + base;
  c->data_size += bytes;
  return true;
}

static bool take_list(tn_column *c, const struct ArrowArray *src, int64_t from, int64_t n) {
  const int32_t *in = (const int32_t *)src->buffers[1] + from;
  int64_t base = c->children[0].length - in[0];
  if (!tn_reserve(c, n, 0) || base + in[n] > INT32_MAX) return false;
  if (!tn_append_range(&c->children[0], src->children[0], in[0], in[n] - in[0])) return false;
  int32_t *out = (int32_t *)(void *)c->offsets.data + c->length;
  for (int64_t i = 1; i <= n; i++) out[i] = (int32_t)(in[i] + base);
  return true;
}

static bool take_children(tn_column *c, const struct ArrowArray *src, int64_t from, int64_t n) {
  for (int32_t i = 0; i < c->child_count; i++)
    if (!tn_append_range(&c->children[i], src->children[i], from, n)) return false;
  return true;
}

bool tn_append_range(tn_column *c, const struct ArrowArray *src, int64_t start, int64_t n) {
  int64_t from = src->offset + start;
  bool ok = n == 0 || tn_reserve(c, n, 0);
  if (n == 0 || !ok) return ok;
  switch (c->layout) {
    case TN_NULLS: c->null_count += n; break;
    case TN_BITS: take_bits(c, src->buffers[1], from, n); break;
    case TN_FIXED:
      memcpy(c->data.data + c->length * c->width, (const char *)src->buffers[1] + from * c->width, (size_t)(n * c->width));
      break;
    case TN_BINARY: ok = take_binary(c, src, from, n); break;
    case TN_LARGE_BINARY: ok = take_large_binary(c, src, from, n); break;
    case TN_LIST: ok = take_list(c, src, from, n); break;
    case TN_STRUCT: ok = take_children(c, src, from, n); break;
    case TN_FIXED_LIST: ok = take_children(c, src, from * c->width, n * c->width); break;
  }
  if (!ok || (c->layout != TN_NULLS && !take_nulls(c, src, start, n))) return false;
  c->length += n;
  return true;
}
