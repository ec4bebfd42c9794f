/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The nearest rows to one vector q, exactly as comparing all of them by the float32 kernel gives
 * them.
 *
 * A first pass reads the codes, a quarter of the memory. With x = s c + e of a row, and q = t u + f
 * of the vector looked for (both are rounded to integers c and u), the product q·x differs from
 * s t (u·c) by q·e + f·(s c), so by Cauchy and Schwarz by at most |q||e| + |f|(|x| + |e|). To this
 * comes what float32 arithmetic may be off: a part of the lengths' product, and where numbers are
 * so small that they lose digits, or so large that sums overflow, what faiss.h says. So the key of
 * each row is known between a low and a high end, and a row whose high end is below `nearest` low
 * ends cannot be among the nearest. What is left, some hundred rows as a rule, is compared by the
 * float32 kernel.
 */
#include <float.h>
#include <math.h>

#include "faiss.h"

enum { BLOCK = 1024, DENSE = 4, LEAST_AT_ONCE = 8 };

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
        tn_faiss_heap_offer(&heap, tn_faiss_key(s, q, at), at);
      }
  }
  tn_faiss_heap_sort(&heap);
  *ret_count = heap.count;
  return TENON_OK;
}

/* ---- The first pass over codes ---- */

static float up(double v) { return v >= FLT_MAX ? INFINITY : nextafterf((float)v, INFINITY); }

/* So large that sums of products with int8 stay below 2^31. */
static int32_t largest_code(size_t stride) {
  int64_t most = INT64_C(0x7FFFFFFF) / (127 * (int64_t)stride);
  return most < 32767 ? (int32_t)most : 32767;
}

void tn_faiss_encode_query(const float *q, int32_t dimension, size_t stride, int16_t *u,
                           tn_faiss_coded *ret) {
  int32_t largest = largest_code(stride);
  double most = 0, errors = 0, unit = (dimension + 16) * (double)FLT_EPSILON;
  for (int32_t i = 0; i < dimension; i++) most = fmax(most, fabs((double)q[i]));
  float t = (float)(most / largest);
  for (int32_t i = 0; i < dimension; i++) {
    double code = t >= FLT_MIN ? rint((double)q[i] / (double)t) : 0;
    code = code > largest ? largest : code < -largest ? -largest : code;
    u[i] = (int16_t)code;
    double f = (double)q[i] - code * (double)t;
    errors += f * f;
  }
  double norm = tn_faiss_norm(q, dimension);
  *ret = (tn_faiss_coded){
      .t = t, .norm = up(norm * (1 + 1e-6)), .per_error = up(norm * (1 + 1e-6)),
      .per_norm = up((sqrt(errors) + norm * unit) * (1 + 1e-4) + (double)FLT_MIN * 1e6),
      .per_square = up(unit)};
}

/* From sums of codes to what the keys are between: middle - bound and middle + bound. */
static void bound_block(const tn_faiss_coded *c, bool is_l2, const tn_faiss_stats *stats,
                        const int32_t *sums, size_t n, float *middles, float *bounds) {
  for (size_t i = 0; i < n; i++) {
    const tn_faiss_stats s = stats[i];
    middles[i] = (float)sums[i] * (s.scale * c->t);
    bounds[i] = c->per_error * s.error + c->per_norm * (s.norm + s.error) + TN_FAISS_LEAST_BOUND +
                tn_faiss_overflow(c->norm, s.norm);
  }
  for (size_t i = 0; is_l2 && i < n; i++) {
    float both = c->norm + stats[i].norm;
    middles[i] -= stats[i].half;
    bounds[i] += c->per_square * both * both;
  }
}

typedef struct pass {
  const tn_faiss_search *search;
  tn_faiss_coded query;
  int16_t *u;
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

/* Where few rows of it are selected, the others are left out. */
static void sum_block(pass *p, int64_t row, size_t n, size_t wanted) {
  const tn_faiss_codes *c = &p->search->version->codes;
  const int8_t *codes = c->codes + (size_t)row * c->stride;
  const tn_faiss_kernels *k = p->search->kernels;
  if (wanted >= n / DENSE) {
    k->codes(p->u, codes, c->stride, n, p->sums);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    p->sums[i] = 0;
    if (is_selected(p->search, row + (int64_t)i))
      k->codes(p->u, codes + i * c->stride, c->stride, 1, &p->sums[i]);
  }
}

static tenon_status pass_codes(tenon_ctx *ctx, pass *p, tenon_error *err) {
  const tn_faiss_version *v = p->search->version;
  bool is_l2 = v->metric == TENON_L2;
  for (int64_t row = 0; row < v->count; row += BLOCK) {
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (status) return status;
    int64_t left = v->count - row;
    size_t n = left < BLOCK ? (size_t)left : BLOCK;
    size_t wanted = count_selected(p->search, row, n);
    if (!wanted) continue;
    sum_block(p, row, n, wanted);
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
  p->u = tn_alloc_array(s->version->codes.stride, sizeof *p->u);
  if (!status && !p->u) status = tn_no_memory(err);
  if (!status)
    tn_faiss_encode_query(q, s->version->dimension, s->version->codes.stride, p->u, &p->query);
  if (!status) status = pass_codes(ctx, p, err);
  if (!status) tn_faiss_rivals_rank(&p->rivals, s, q, ret, ret_count);
  tn_faiss_rivals_release(&p->rivals);
  tn_free(p->u);
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

tenon_status tn_faiss_search_many(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                  size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                  tenon_error *err) {
  tenon_status status = TENON_OK;
  if (count >= LEAST_AT_ONCE && s->use_codes && s->version->codes.codes && s->kernels->tile)
    return tn_faiss_search_tiles(ctx, s, q, count, ret, ret_counts, err);
  if (count >= LEAST_AT_ONCE && s->use_blas && tn_faiss_has_blas())
    return tn_faiss_search_blas(ctx, s, q, count, ret, ret_counts, err);
  for (size_t i = 0; i < count && !status; i++)
    status = tn_faiss_search_one(ctx, s, q + i * (size_t)s->version->dimension,
                                 ret + i * (size_t)s->nearest, &ret_counts[i], err);
  return status;
}
