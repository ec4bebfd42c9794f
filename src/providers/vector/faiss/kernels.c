/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products for any processor, and the choice of better ones. */
#include "faiss.h"

enum { LANES = 8 };

/* Rows may stand at any address; loops of a fixed count become vector instructions. */
static void load(float to[LANES], const uint8_t *from) { memcpy(to, from, LANES * sizeof(float)); }

static float sum_of(const float s[LANES]) {
  return ((s[0] + s[4]) + (s[2] + s[6])) + ((s[1] + s[5]) + (s[3] + s[7]));
}

static void products(const float *q, const uint8_t *rows, int32_t dimension, size_t n, float *ret) {
  size_t d = (size_t)dimension;
  for (size_t row = 0; row < n; row++, rows += d * sizeof(float)) {
    float sums[LANES] = {0}, x[LANES];
    size_t i = 0;
    for (; i + LANES <= d; i += LANES) {
      load(x, rows + i * sizeof(float));
      for (int k = 0; k < LANES; k++) sums[k] += q[i + (size_t)k] * x[k];
    }
    for (int k = 0; i < d; i++, k++) {
      memcpy(x, rows + i * sizeof(float), sizeof(float));
      sums[k] += q[i] * x[0];
    }
    ret[row] = sum_of(sums);
  }
}

static void distances(const float *q, const uint8_t *rows, int32_t dimension, size_t n,
                      float *ret) {
  size_t d = (size_t)dimension;
  for (size_t row = 0; row < n; row++, rows += d * sizeof(float)) {
    float sums[LANES] = {0}, x[LANES];
    size_t i = 0;
    for (; i + LANES <= d; i += LANES) {
      load(x, rows + i * sizeof(float));
      for (int k = 0; k < LANES; k++) {
        float e = q[i + (size_t)k] - x[k];
        sums[k] += e * e;
      }
    }
    for (int k = 0; i < d; i++, k++) {
      memcpy(x, rows + i * sizeof(float), sizeof(float));
      sums[k] += (q[i] - x[0]) * (q[i] - x[0]);
    }
    ret[row] = sum_of(sums);
  }
}

static void code_sums(const int16_t *q, const int8_t *codes, size_t stride, size_t n,
                      int32_t *ret) {
  for (size_t row = 0; row < n; row++, codes += stride) {
    int32_t sum = 0;
    for (size_t i = 0; i < stride; i++) sum += q[i] * codes[i];
    ret[row] = sum;
  }
}

static bool always(void) { return true; }

#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw");
}

static bool has_vnni(void) { return has_avx512() && __builtin_cpu_supports("avx512vnni"); }
#endif

static const tn_faiss_kernels all[] = {
#if defined(__x86_64__)
    {"avx512-vnni", has_vnni, tn_faiss_products_avx512, tn_faiss_distances_avx512,
     tn_faiss_codes_avx512, tn_faiss_tile_vnni},
    {"avx512", has_avx512, tn_faiss_products_avx512, tn_faiss_distances_avx512,
     tn_faiss_codes_avx512, NULL},
    {"avx2", has_avx2, tn_faiss_products_avx2, tn_faiss_distances_avx2, tn_faiss_codes_avx2,
     NULL},
#endif
    {"portable", always, products, distances, code_sums, NULL},
};

enum { COUNT = sizeof all / sizeof *all };

const tn_faiss_kernels *tn_faiss_kernels_best(void) {
  for (int i = 0; i < COUNT; i++)
    if (all[i].is_usable()) return &all[i];
  return NULL;
}

const tn_faiss_kernels *tn_faiss_kernels_named(const char *name) {
  for (int i = 0; i < COUNT; i++)
    if (strcmp(all[i].name, name) == 0) return all[i].is_usable() ? &all[i] : NULL;
  return NULL;
}
