/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/arrow_equal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static size_t metadata_size(const char *m) {
  if (!m) return 0;
  int32_t count, size;
  memcpy(&count, m, 4);
  const char *at = m + 4;
  for (int32_t i = 0; i < 2 * count; i++) {
    memcpy(&size, at, 4);
    at += 4 + size;
  }
  return count ? (size_t)(at - m) : 0;
}

bool same_schema(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  size_t size = metadata_size(a->metadata);
  bool same = strcmp(a->format, b->format) == 0 && strcmp(a->name ? a->name : "", b->name ? b->name : "") == 0 &&
              a->n_children == b->n_children && (a->flags & ARROW_FLAG_NULLABLE) == (b->flags & ARROW_FLAG_NULLABLE) &&
              size == metadata_size(b->metadata) && (size == 0 || memcmp(a->metadata, b->metadata, size) == 0);
  if (!same)
    printf("schemas differ: %s %s flags %d children %d | %s %s flags %d children %d\n", a->name, a->format, (int)a->flags,
           (int)a->n_children, b->name, b->format, (int)b->flags, (int)b->n_children);
  for (int64_t i = 0; same && i < a->n_children; i++) same = same_schema(a->children[i], b->children[i]);
  return same;
}

static bool valid(const struct ArrowArray *a, int64_t at) {
  const uint8_t *bits = a->n_buffers ? a->buffers[0] : NULL;
  return a->null_count == 0 || !bits || (bits[at >> 3] >> (at & 7) & 1);
}

static int width_of(const char *f) {
  if (f[0] == 'd') return strstr(f, ",256") ? 32 : 16;
  if (f[0] == 'w') return atoi(f + 2);
  if (f[0] == 't') return !strcmp(f, "tdD") || !strcmp(f, "tts") || !strcmp(f, "ttm") || !strcmp(f, "tiM") ? 4 : !strcmp(f, "tin") ? 16 : 8;
  return strchr("cC", f[0]) ? 1 : strchr("sSe", f[0]) ? 2 : strchr("iIf", f[0]) ? 4 : 8;
}

static int64_t offset_of(const struct ArrowArray *a, bool large, int64_t at) {
  return large ? ((const int64_t *)a->buffers[1])[at] : ((const int32_t *)a->buffers[1])[at];
}

/* x and y are places in the buffers. */
static bool same_value(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t x, const struct ArrowArray *b, int64_t y) {
  const char *f = s->format;
  bool large = f[0] == 'U' || f[0] == 'Z' || !strcmp(f, "+L");
  if (f[0] == 'n') return true;
  if (valid(a, x) != valid(b, y)) return false;
  if (!valid(a, x)) return true;
  if (f[0] == 'b') return (((const uint8_t *)a->buffers[1])[x >> 3] >> (x & 7) & 1) == (((const uint8_t *)b->buffers[1])[y >> 3] >> (y & 7) & 1);
  if (f[0] == '+' && f[1] == 's') {
    for (int64_t i = 0; i < s->n_children; i++)
      if (!same_values(s->children[i], a->children[i], x, b->children[i], y, 1)) return false;
    return true;
  }
  if (f[0] == '+' && f[1] == 'w') {
    int64_t n = atoi(f + 3);
    return same_values(s->children[0], a->children[0], x * n, b->children[0], y * n, n);
  }
  if (!strchr("uUzZ+", f[0])) {
    int w = width_of(f);
    return memcmp((const char *)a->buffers[1] + x * w, (const char *)b->buffers[1] + y * w, (size_t)w) == 0;
  }
  int64_t p = offset_of(a, large, x), q = offset_of(b, large, y), n = offset_of(a, large, x + 1) - p;
  if (n != offset_of(b, large, y + 1) - q) return false;
  if (f[0] == '+') return same_values(s->children[0], a->children[0], p, b->children[0], q, n);
  return n == 0 || memcmp((const char *)a->buffers[2] + p, (const char *)b->buffers[2] + q, (size_t)n) == 0;
}

bool same_values(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t start, const struct ArrowArray *b,
                 int64_t other_start, int64_t n) {
  for (int64_t i = 0; i < n; i++)
    if (!same_value(s, a, a->offset + start + i, b, b->offset + other_start + i)) {
      printf("column %s (%s): value %lld differs from value %lld\n", s->name, s->format, (long long)(start + i), (long long)(other_start + i));
      return false;
    }
  return true;
}
