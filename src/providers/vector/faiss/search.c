/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest rows to one vector q, exactly as comparing all of them by the float32 kernel gives them.
 *
 * A first pass reads the codes, a quarter of the memory. With x = s c + e of a row, and q = t u + f
 * of the vector looked for (both are rounded to integers c and u), the product q·x differs from
 * s t (u·c) by q·e + f·(s c), so by Cauchy and Schwarz by at most |q||e| + |f|(|x| + |e|). To this
 * comes what float32 arithmetic may be off. So the key of each row is known between a low and a high
 * end, and a row whose high end is below `nearest` low ends cannot be among the nearest. What is left,
 * some hundred rows as a rule, is compared by the float32 kernel.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "faiss.h"

enum { BLOCK = 1024, DENSE = 4, FIRST_RIVALS = 4096 };

/* ---- Norms ---- */

double tn_faiss_norm(const float *v, int32_t dimension) {
  double sum = 0;
  for (int32_t i = 0; i < dimension; i++) sum += (double)v[i] * (double)v[i];
  return sqrt(sum);
}

void tn_faiss_normalize(float *v, int32_t dimension) {
  double norm = tn_faiss_norm(v, dimension);
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

static float key_of(const tn_faiss_search *s, const float *q, uint32_t row) {
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
    tn_faiss_heap_offer(&heap, key_of(s, q, r->items[i].row), r->items[i].row);
  }
  tn_faiss_heap_sort(&heap);
  *ret_count = heap.count;
}

/* ---- Selected rows of a block ---- */

/* How many of them are selected: all, where nothing is. */
static size_t count_selected(const tn_faiss_search *s, int64_t row, size_t n) {
  size_t count = 0;
  if (!s->selected) return n;
  for (size_t i = 0; i < n; i++) count += s->selected[row + (int64_t)i];
  return count;
}

static bool is_selected(const tn_faiss_search *s, int64_t row) {
  return !s->selected || s->selected[row];
}

/* ---- Every row by the float32 kernel ---- */

static void compare_block(const tn_faiss_search *s, const float *q, int64_t row, size_t n,
                          float *keys) {
  const tn_faiss_version *v = s->version;
  if (v->metric == TENON_L2) {
    s->kernels->distances(q, tn_faiss_row(v, row), v->dimension, n, keys);
    for (size_t i = 0; i < n; i++) keys[i] = -keys[i];
  } else {
    s->kernels->products(q, tn_faiss_row(v, row), v->dimension, n, keys);
  }
}

static void offer_all(const tn_faiss_search *s, tn_faiss_heap *heap, const float *keys, int64_t row,
                      size_t n) {
  for (size_t i = 0; i < n; i++)
    if (!(keys[i] < tn_faiss_heap_bar(heap)) && is_selected(s, row + (int64_t)i))
      tn_faiss_heap_offer(heap, keys[i], (uint32_t)(row + (int64_t)i));
}

static tenon_status search_rows(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                tn_faiss_hit *ret, int32_t *ret_count, tenon_error *err) {
  float keys[BLOCK];
  tn_faiss_heap heap = {.items = ret, .room = s->nearest};
  for (int64_t row = 0; row < s->version->count; row += BLOCK) {
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (status) return status;
    int64_t left = s->version->count - row;
    size_t n = left < BLOCK ? (size_t)left : BLOCK, wanted = count_selected(s, row, n);
    if (wanted >= n / DENSE) {
      compare_block(s, q, row, n, keys);
      offer_all(s, &heap, keys, row, n);
      continue;
    }
    for (size_t i = 0; wanted && i < n; i++)
      if (is_selected(s, row + (int64_t)i)) {
        uint32_t at = (uint32_t)(row + (int64_t)i);
        tn_faiss_heap_offer(&heap, key_of(s, q, at), at);
      }
  }
  tn_faiss_heap_sort(&heap);
  *ret_count = heap.count;
  return TENON_OK;
}

/* ---- The first pass over codes ---- */

typedef struct coded {
  int16_t *u;              /* stride values */
  float t;                 /* q = t u + f */
  float per_error;         /* |q|: what a row's error adds to the bound */
  float per_norm;          /* … its norm and error; what arithmetic is off by is part of it */
  float per_square;        /* L2: … (|q| + norm)² */
  float norm;
} coded;

static float up(double v) { return v >= FLT_MAX ? INFINITY : nextafterf((float)v, INFINITY); }

/* So large that sums of products with int8 stay below 2^31. */
static int32_t largest_code(size_t stride) {
  int64_t most = INT64_C(0x7FFFFFFF) / (127 * (int64_t)stride);
  return most < 32767 ? (int32_t)most : 32767;
}

static tenon_status encode_query(const float *q, int32_t dimension, size_t stride, coded *ret,
                                 tenon_error *err) {
  int32_t largest = largest_code(stride);
  double most = 0, errors = 0, unit = (dimension + 16) * (double)FLT_EPSILON;
  ret->u = tn_alloc_array(stride, sizeof *ret->u);
  if (!ret->u) return tn_no_memory(err);
  for (int32_t i = 0; i < dimension; i++) most = fmax(most, fabs((double)q[i]));
  ret->t = (float)(most / largest);
  for (int32_t i = 0; i < dimension; i++) {
    double u = ret->t >= FLT_MIN ? rint((double)q[i] / (double)ret->t) : 0;
    u = u > largest ? largest : u < -largest ? -largest : u;
    ret->u[i] = (int16_t)u;
    double f = (double)q[i] - u * (double)ret->t;
    errors += f * f;
  }
  double norm = tn_faiss_norm(q, dimension);
  ret->norm = up(norm * (1 + 1e-6));
  ret->per_error = up(norm * (1 + 1e-6));
  ret->per_norm = up((sqrt(errors) + norm * unit) * (1 + 1e-4) + (double)FLT_MIN * 1e6);
  ret->per_square = up(unit);
  return TENON_OK;
}

/* From sums of codes to what the keys are between: middle - bound and middle + bound. */
static void bound_block(const coded *c, bool is_l2, const tn_faiss_stats *stats,
                        const int32_t *sums, size_t n, float *middles, float *bounds) {
  for (size_t i = 0; i < n; i++) {
    const tn_faiss_stats s = stats[i];
    middles[i] = (float)sums[i] * (s.scale * c->t);
    bounds[i] = c->per_error * s.error + c->per_norm * (s.norm + s.error);
  }
  for (size_t i = 0; is_l2 && i < n; i++) {
    float both = c->norm + stats[i].norm;
    middles[i] -= stats[i].half;
    bounds[i] += c->per_square * both * both;
  }
}

typedef struct pass {
  const tn_faiss_search *search;
  coded query;
  tn_faiss_rivals rivals;
  int32_t sums[BLOCK];
  float middles[BLOCK], bounds[BLOCK];
} pass;

static bool add_block(pass *p, int64_t row, size_t n) {
  for (size_t i = 0; i < n; i++) {
    float middle = p->middles[i], bound = p->bounds[i];
    if (middle + bound < tn_faiss_heap_bar(&p->rivals.lows)) continue;
    if (!is_selected(p->search, row + (int64_t)i)) continue;
    if (!tn_faiss_rivals_add(&p->rivals, middle - bound, middle + bound,
                             (uint32_t)(row + (int64_t)i)))
      return false;
  }
  return true;
}

static tenon_status pass_codes(tenon_ctx *ctx, pass *p, tenon_error *err) {
  const tn_faiss_version *v = p->search->version;
  bool is_l2 = v->metric == TENON_L2;
  for (int64_t row = 0; row < v->count; row += BLOCK) {
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (status) return status;
    int64_t left = v->count - row;
    size_t n = left < BLOCK ? (size_t)left : BLOCK;
    if (!count_selected(p->search, row, n)) continue;
    p->search->kernels->codes(p->query.u, v->codes.codes + (size_t)row * v->codes.stride,
                              v->codes.stride, n, p->sums);
    bound_block(&p->query, is_l2, v->codes.stats + row, p->sums, n, p->middles, p->bounds);
    if (!add_block(p, row, n)) return tn_no_memory(err);
  }
  return TENON_OK;
}

static tenon_status search_codes(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                 tn_faiss_hit *ret, int32_t *ret_count, tenon_error *err) {
  pass *p = tn_alloc(sizeof *p);
  if (!p) return tn_no_memory(err);
  p->search = s;
  tenon_status status = tn_faiss_rivals_init(&p->rivals, s->nearest, err);
  if (!status)
    status = encode_query(q, s->version->dimension, s->version->codes.stride, &p->query, err);
  if (!status) status = pass_codes(ctx, p, err);
  if (!status) tn_faiss_rivals_rank(&p->rivals, s, q, ret, ret_count);
  tn_faiss_rivals_release(&p->rivals);
  tn_free(p->query.u);
  tn_free(p);
  return status;
}

tenon_status tn_faiss_search_one(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                 tn_faiss_hit *ret, int32_t *ret_count, tenon_error *err) {
  bool few = s->version->count <= BLOCK || s->nearest > s->version->count / DENSE;
  if (s->use_codes && s->version->codes.codes && !few)
    return search_codes(ctx, s, q, ret, ret_count, err);
  return search_rows(ctx, s, q, ret, ret_count, err);
}
