/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that may be among the nearest, and which of them are. */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "faiss.h"

enum { FIRST_RIVALS = 4096 };

/* ---- Norms ---- */

double tn_faiss_norm(const float *v, int32_t dimension) {
  double sum = 0;
  for (int32_t i = 0; i < dimension; i++) sum += (double)v[i] * (double)v[i];
  return sqrt(sum);
}

void tn_faiss_normalize(float *v, int32_t dimension) {
  double norm = tn_faiss_norm(v, dimension);
  /* of length 1 as far as float32 can say: what came out of a collection goes back unchanged */
  if (fabs(norm - 1) <= (double)FLT_EPSILON) return;
  for (int32_t i = 0; i < dimension && norm > 0; i++) v[i] = (float)((double)v[i] / norm);
}

/* ---- The heap: its worst on top ---- */

static bool is_worse(tn_faiss_hit a, tn_faiss_hit b) {
  return a.key < b.key || (a.key == b.key && a.row > b.row);
}

static void sift_down(tn_faiss_heap *h, int32_t i) {
  tn_faiss_hit moved = h->items[i];
  for (;;) {
    int32_t child = 2 * i + 1;
    if (child >= h->count) break;
    if (child + 1 < h->count && is_worse(h->items[child + 1], h->items[child])) child++;
    if (!is_worse(h->items[child], moved)) break;
    h->items[i] = h->items[child];
    i = child;
  }
  h->items[i] = moved;
}

static void sift_up(tn_faiss_heap *h, int32_t i) {
  tn_faiss_hit moved = h->items[i];
  while (i > 0 && is_worse(moved, h->items[(i - 1) / 2])) {
    h->items[i] = h->items[(i - 1) / 2];
    i = (i - 1) / 2;
  }
  h->items[i] = moved;
}

/* What is not a number is as far as can be. */
void tn_faiss_heap_offer(tn_faiss_heap *h, float key, uint32_t row) {
  tn_faiss_hit hit = {isnan(key) ? -INFINITY : key, row};
  if (h->count < h->room) {
    h->items[h->count++] = hit;
    sift_up(h, h->count - 1);
  } else if (is_worse(h->items[0], hit)) {
    h->items[0] = hit;
    sift_down(h, 0);
  }
}

static int best_first(const void *a, const void *b) {
  const tn_faiss_hit *x = a, *y = b;
  return is_worse(*x, *y) - is_worse(*y, *x);
}

void tn_faiss_heap_sort(tn_faiss_heap *h) {
  qsort(h->items, (size_t)h->count, sizeof *h->items, best_first);
}

/* ---- Rivals ---- */

tenon_status tn_faiss_rivals_init(tn_faiss_rivals *r, int32_t nearest, tenon_error *err) {
  *r = (tn_faiss_rivals){.room = FIRST_RIVALS};
  r->lows.room = nearest;
  r->lows.items = tn_alloc_array((size_t)nearest, sizeof *r->lows.items);
  r->items = tn_alloc_array(r->room, sizeof *r->items);
  if (r->lows.items && r->items) return TENON_OK;
  tn_faiss_rivals_release(r);
  return tn_no_memory(err);
}

void tn_faiss_rivals_release(tn_faiss_rivals *r) {
  tn_free(r->lows.items);
  tn_free(r->items);
  *r = (tn_faiss_rivals){0};
}

/* Those that fell behind meanwhile are forgotten. Comparisons are such that NaN stays. */
static void prune(tn_faiss_rivals *r) {
  float bar = tn_faiss_heap_bar(&r->lows);
  size_t kept = 0;
  for (size_t i = 0; i < r->count; i++)
    if (!(r->items[i].key < bar)) r->items[kept++] = r->items[i];
  r->count = kept;
}

static bool make_room(tn_faiss_rivals *r) {
  prune(r);
  if (r->count < r->room / 2) return true;
  tn_faiss_hit *items = tn_resize(r->items, r->room * 2 * sizeof *items);
  if (!items) return false;
  r->items = items;
  r->room *= 2;
  return true;
}

bool tn_faiss_rivals_add(tn_faiss_rivals *r, float low, float high, uint32_t row) {
  if (high < tn_faiss_heap_bar(&r->lows)) return true;
  if (low > tn_faiss_heap_bar(&r->lows)) tn_faiss_heap_offer(&r->lows, low, row);
  if (r->count == r->room && !make_room(r)) return false;
  r->items[r->count++] = (tn_faiss_hit){high, row};
  return true;
}

float tn_faiss_key(const tn_faiss_search *s, const float *q, uint32_t row) {
  float v;
  const uint8_t *x = tn_faiss_row(s->version, row);
  if (s->version->metric == TENON_L2) {
    s->kernels->distances(q, x, s->version->dimension, 1, &v);
    return -v;
  }
  s->kernels->products(q, x, s->version->dimension, 1, &v);
  return v;
}

void tn_faiss_rivals_rank(tn_faiss_rivals *r, const tn_faiss_search *s, const float *q,
                          tn_faiss_hit *ret, int32_t *ret_count) {
  tn_faiss_heap heap = {.items = ret, .room = s->nearest};
  prune(r);
  for (size_t i = 0; i < r->count; i++) {
    if (i + 4 < r->count) {
      const uint8_t *next = tn_faiss_row(s->version, r->items[i + 4].row);
      for (int line = 0; line < 8; line++) __builtin_prefetch(next + line * 64);
    }
    tn_faiss_heap_offer(&heap, tn_faiss_key(s, q, r->items[i].row), r->items[i].row);
  }
  tn_faiss_heap_sort(&heap);
  *ret_count = heap.count;
}
