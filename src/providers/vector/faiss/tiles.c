/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many vectors at once: the first pass of search.c in tiles, so that each code that is read from
 * memory meets all vectors. The answers are those of one search after the other.
 */
#include <math.h>

#include "faiss.h"

enum { BLOCK = 256, GROUP = 16, T = TN_FAISS_TILE };

typedef struct tiles {
  const tn_faiss_search *search;
  size_t count, room;          /* vectors; rounded up to whole tiles */
  int16_t *u;                  /* room × stride */
  tn_faiss_coded *coded;
  tn_faiss_rivals *rivals;
  int32_t sums[T * BLOCK];
  /* of the rows of a block, each kind of figure for itself */
  float scales[BLOCK], errors[BLOCK], sizes[BLOCK], norms[BLOCK], halves[BLOCK];
  float lows[BLOCK], highs[BLOCK];
} tiles;

static void tiles_release(tiles *t) {
  for (size_t i = 0; t->rivals && i < t->count; i++) tn_faiss_rivals_release(&t->rivals[i]);
  tn_free(t->rivals);
  tn_free(t->coded);
  tn_free(t->u);
  tn_free(t);
}

static tenon_status tiles_fill(tiles *t, const float *q, tenon_error *err) {
  const tn_faiss_version *v = t->search->version;
  t->room = (t->count + T - 1) / T * T;
  t->u = tn_alloc_array(t->room * v->codes.stride, sizeof *t->u);
  t->coded = tn_alloc_array(t->count, sizeof *t->coded);
  t->rivals = tn_alloc_array(t->count, sizeof *t->rivals);
  if (!t->u || !t->coded || !t->rivals) return tn_no_memory(err);
  for (size_t i = 0; i < t->count; i++) {
    tn_faiss_encode_query(q + i * (size_t)v->dimension, v->dimension, v->codes.stride,
                          t->u + i * v->codes.stride, &t->coded[i]);
    tenon_status status = tn_faiss_rivals_init(&t->rivals[i], t->search->nearest, err);
    if (status) return status;
  }
  return TENON_OK;
}

static void take_stats(tiles *t, int64_t row, size_t n) {
  const tn_faiss_stats *stats = t->search->version->codes.stats + row;
  for (size_t i = 0; i < n; i++) {
    t->scales[i] = stats[i].scale;
    t->errors[i] = stats[i].error;
    t->norms[i] = stats[i].norm;
    t->sizes[i] = stats[i].norm + stats[i].error;
    t->halves[i] = stats[i].half;
  }
}

/* From sums to what the keys are between, as in search.c. */
static void bound_block(tiles *t, const tn_faiss_coded *c, const int32_t *sums) {
  for (int i = 0; i < BLOCK; i++) {
    float middle = (float)sums[i] * (t->scales[i] * c->t);
    float bound = c->per_error * t->errors[i] + c->per_norm * t->sizes[i] + TN_FAISS_LEAST_BOUND +
                  tn_faiss_overflow(c->norm, t->norms[i]);
    t->lows[i] = middle - bound;
    t->highs[i] = middle + bound;
  }
  if (t->search->version->metric != TENON_L2) return;
  for (int i = 0; i < BLOCK; i++) {
    float both = c->norm + t->norms[i], more = c->per_square * both * both;
    t->lows[i] -= t->halves[i] + more;
    t->highs[i] -= t->halves[i] - more;
  }
}

static bool none_reaches(const float *highs, float bar) {
  int reaching = 0;
  for (int i = 0; i < GROUP; i++) reaching |= !(highs[i] < bar);
  return !reaching;
}

static bool add_group(tiles *t, tn_faiss_rivals *r, int64_t row, size_t begin, size_t end) {
  const uint8_t *selected = t->search->selected;
  for (size_t i = begin; i < end; i++) {
    int64_t at = row + (int64_t)i;
    if (selected && !selected[at]) continue;
    if (!tn_faiss_rivals_add(r, t->lows[i], t->highs[i], (uint32_t)at)) return false;
  }
  return true;
}

static bool add_block(tiles *t, size_t query, const int32_t *sums, int64_t row, size_t n) {
  tn_faiss_rivals *r = &t->rivals[query];
  bound_block(t, &t->coded[query], sums);
  for (size_t i = 0; i < n; i += GROUP) {
    size_t end = i + GROUP < n ? i + GROUP : n;
    if (end == i + GROUP && none_reaches(t->highs + i, tn_faiss_heap_bar(&r->lows))) continue;
    if (!add_group(t, r, row, i, end)) return false;
  }
  return true;
}

/* The last rows do not fill a tile: these one by one. */
static void sum_block(tiles *t, size_t query, int64_t row, size_t n) {
  const tn_faiss_codes *c = &t->search->version->codes;
  const int8_t *codes = c->codes + (size_t)row * c->stride;
  const int16_t *u = t->u + query * c->stride;
  if (n == BLOCK) {
    t->search->kernels->tile(u, codes, c->stride, BLOCK, t->sums);
    return;
  }
  for (size_t i = 0; i < T; i++)
    t->search->kernels->codes(u + i * c->stride, codes, c->stride, n, t->sums + i * BLOCK);
}

static bool has_selected(const tn_faiss_search *s, int64_t row, size_t n) {
  return !s->selected || memchr(s->selected + row, 1, n);
}

static tenon_status pass(tenon_ctx *ctx, tiles *t, tenon_error *err) {
  int64_t count = t->search->version->count;
  for (int64_t row = 0; row < count; row += BLOCK) {
    size_t n = count - row < BLOCK ? (size_t)(count - row) : BLOCK;
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (status) return status;
    if (!has_selected(t->search, row, n)) continue;
    take_stats(t, row, n);
    for (size_t i = 0; i < t->room; i += T) {
      sum_block(t, i, row, n);
      for (size_t k = 0; k < T && i + k < t->count; k++)
        if (!add_block(t, i + k, t->sums + k * BLOCK, row, n)) return tn_no_memory(err);
    }
  }
  return TENON_OK;
}

tenon_status tn_faiss_search_tiles(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                   size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                   tenon_error *err) {
  tiles *t = tn_alloc(sizeof *t);
  if (!t) return tn_no_memory(err);
  t->search = s;
  t->count = count;
  tenon_status status = tiles_fill(t, q, err);
  if (!status) status = pass(ctx, t, err);
  for (size_t i = 0; i < count && !status; i++)
    tn_faiss_rivals_rank(&t->rivals[i], s, q + i * (size_t)s->version->dimension,
                         ret + i * (size_t)s->nearest, &ret_counts[i]);
  tiles_release(t);
  return status;
}
