/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many vectors at once: a library of linear algebra multiplies blocks of rows with all of them, if
 * one is installed. Its sums come in another order than the kernel's, so they too are a first pass
 * with a bound, and what may be among the nearest is compared by the kernel: the answers are those
 * of one search after the other.
 */
#include <float.h>
#include <math.h>
#include <pthread.h>

#include "faiss.h"

enum { BLOCK = 512, ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };

/* ---- The library ---- */

static struct {
  pthread_once_t once;
  void (*sgemm)(int order, int trans_a, int trans_b, int m, int n, int k, float alpha,
                const float *a, int lda, const float *b, int ldb, float beta, float *c, int ldc);
  void (*set_num_threads)(int);
  bool is_there;
} blas = {.once = PTHREAD_ONCE_INIT};

/* Its own threads would come on top of the caller's: it gets one. */
static void open_blas(void) {
  static const char *const names[] = {"libopenblas.so.0", NULL};
  static const char *const symbols[] = {"cblas_sgemm", "openblas_set_num_threads"};
  void *slots[2];
  if (tn_faiss_host->library(names, symbols, slots, 2, NULL, NULL)) return;
  memcpy(&blas.sgemm, &slots[0], sizeof blas.sgemm);
  memcpy(&blas.set_num_threads, &slots[1], sizeof blas.set_num_threads);
  blas.set_num_threads(1);
  blas.is_there = true;
}

bool tn_faiss_has_blas(void) {
  pthread_once(&blas.once, open_blas);
  return blas.is_there;
}

/* ---- Blocks ---- */

typedef struct batch {
  const tn_faiss_search *search;
  const float *q;
  size_t count;
  float *norms;               /* of the vectors looked for */
  tn_faiss_rivals *rivals;
  float *rows, *products;     /* BLOCK × dimension; count × BLOCK */
  uint32_t places[BLOCK];     /* which rows they are */
  float halves[BLOCK], longest;
} batch;

/* The next selected rows, copied: the library wants them at an aligned address. Answers how many. */
static int gather(batch *b, int64_t *row) {
  const tn_faiss_version *v = b->search->version;
  const uint8_t *selected = b->search->selected;
  size_t size = (size_t)v->dimension * sizeof(float);
  int n = 0;
  for (; *row < v->count && n < BLOCK; (*row)++) {
    if (selected && !selected[*row]) continue;
    memcpy(b->rows + (size_t)n * (size_t)v->dimension, tn_faiss_row(v, *row), size);
    b->places[n++] = (uint32_t)*row;
  }
  return n;
}

static void measure(batch *b, int n) {
  const tn_faiss_version *v = b->search->version;
  b->longest = 0;
  for (int i = 0; i < n; i++) {
    if (v->codes.stats) {
      const tn_faiss_stats *s = &v->codes.stats[b->places[i]];
      b->halves[i] = s->half;
      b->longest = fmaxf(b->longest, s->norm);
    } else {
      double norm = tn_faiss_norm(b->rows + (size_t)i * (size_t)v->dimension, v->dimension);
      b->halves[i] = (float)(norm * norm / 2);
      b->longest = fmaxf(b->longest, (float)(norm * (1 + 1e-6)));
    }
  }
}

/* How far a key may be from the kernel's: both sums are off, in any order of adding. */
static float bound_of(const batch *b, size_t query) {
  double unit = (b->search->version->dimension + 16) * (double)FLT_EPSILON;
  double q = (double)b->norms[query], x = (double)b->longest;
  double bound = 2 * unit * q * x + (double)TN_FAISS_LEAST_BOUND;
  if (isnan(tn_faiss_overflow(b->norms[query], b->longest))) return NAN;
  if (b->search->version->metric == TENON_L2) bound += unit * (q + x) * (q + x);
  return (float)(bound * (1 + 1e-4));
}

enum { GROUP = 16 };

static bool none_reaches(const float *keys, float bar) {
  int reaching = 0;
  for (int i = 0; i < GROUP; i++) reaching |= !(keys[i] < bar);
  return !reaching;
}

static bool add_query(batch *b, size_t query, float *keys, int n) {
  tn_faiss_rivals *r = &b->rivals[query];
  float bound = bound_of(b, query);
  for (int i = 0; b->search->version->metric == TENON_L2 && i < n; i++) keys[i] -= b->halves[i];
  for (int i = 0; i < n; i++) {
    float bar = tn_faiss_heap_bar(&r->lows) - bound;
    if (i % GROUP == 0 && i + GROUP <= n && none_reaches(keys + i, bar)) {
      i += GROUP - 1;
      continue;
    }
    if (keys[i] < bar) continue;
    if (!tn_faiss_rivals_add(r, keys[i] - bound, keys[i] + bound, b->places[i])) return false;
  }
  return true;
}

static tenon_status multiply(tenon_ctx *ctx, batch *b, tenon_error *err) {
  int d = b->search->version->dimension;
  int64_t row = 0;
  for (int n; (n = gather(b, &row)) > 0;) {
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (status) return status;
    measure(b, n);
    blas.sgemm(ROW_MAJOR, NO_TRANSPOSE, TRANSPOSE, (int)b->count, n, d, 1, b->q, d, b->rows, d, 0,
               b->products, BLOCK);
    for (size_t i = 0; i < b->count; i++)
      if (!add_query(b, i, b->products + i * BLOCK, n)) return tn_no_memory(err);
  }
  return TENON_OK;
}

static void batch_release(batch *b) {
  for (size_t i = 0; b->rivals && i < b->count; i++) tn_faiss_rivals_release(&b->rivals[i]);
  tn_free(b->rivals);
  tn_free(b->norms);
  tn_free(b->rows);
  tn_free(b->products);
  tn_free(b);
}

static tenon_status batch_fill(batch *b, tenon_error *err) {
  int32_t d = b->search->version->dimension;
  b->rivals = tn_alloc_array(b->count, sizeof *b->rivals);
  b->norms = tn_alloc_array(b->count, sizeof *b->norms);
  b->rows = tn_alloc_aligned((size_t)d * BLOCK * sizeof *b->rows);
  b->products = tn_alloc_aligned(b->count * BLOCK * sizeof *b->products);
  if (!b->rivals || !b->norms || !b->rows || !b->products) return tn_no_memory(err);
  for (size_t i = 0; i < b->count; i++) {
    b->norms[i] = (float)(tn_faiss_norm(b->q + i * (size_t)d, d) * (1 + 1e-6));
    tenon_status status = tn_faiss_rivals_init(&b->rivals[i], b->search->nearest, err);
    if (status) return status;
  }
  return TENON_OK;
}

tenon_status tn_faiss_search_blas(tenon_ctx *ctx, const tn_faiss_search *s, const float *q,
                                  size_t count, tn_faiss_hit *ret, int32_t *ret_counts,
                                  tenon_error *err) {
  batch *b = tn_alloc(sizeof *b);
  if (!b) return tn_no_memory(err);
  b->search = s;
  b->q = q;
  b->count = count;
  tenon_status status = batch_fill(b, err);
  if (!status) status = multiply(ctx, b, err);
  for (size_t i = 0; i < count && !status; i++)
    tn_faiss_rivals_rank(&b->rivals[i], s, q + i * (size_t)s->version->dimension,
                         ret + i * (size_t)s->nearest, &ret_counts[i]);
  batch_release(b);
  return status;
}
