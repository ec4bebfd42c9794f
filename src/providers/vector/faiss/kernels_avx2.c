/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of products with AVX2. One row after the other, as the memory has them: several at once were
 * slower where memory is the limit. The prefetch goes over the end of a page, where the processor's
 * own stops.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "faiss.h"

#define TARGET __attribute__((target("avx2,fma")))

/* Arrays of registers are registers only in loops without a counter. */
#define UNROLL _Pragma("GCC unroll 4")

enum { AHEAD = 2048, LINE = 64 };

static TARGET inline __m256 load(const uint8_t *p) {
  return _mm256_loadu_ps((const float *)(const void *)p);
}

static TARGET inline float sum_of(__m256 a, __m256 b, __m256 c, __m256 d) {
  __m256 all = _mm256_add_ps(_mm256_add_ps(a, b), _mm256_add_ps(c, d));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(all), _mm256_extractf128_ps(all, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

static TARGET inline __m256i tail_mask(size_t left) {
  const __m256i places = _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)left), places);
}

static TARGET inline __m256 load_tail(const uint8_t *p, __m256i mask) {
  return _mm256_maskload_ps((const float *)(const void *)p, mask);
}

static TARGET inline __m256 step(__m256 sum, __m256 q, __m256 x, bool squares) {
  if (!squares) return _mm256_fmadd_ps(q, x, sum);
  __m256 e = _mm256_sub_ps(q, x);
  return _mm256_fmadd_ps(e, e, sum);
}

static TARGET inline float one(const float *q, const uint8_t *x, size_t d, bool squares) {
  __m256 s[4] = {_mm256_setzero_ps(), _mm256_setzero_ps(), _mm256_setzero_ps(),
                 _mm256_setzero_ps()};
  size_t i = 0;
  for (; i + 32 <= d; i += 32, x += 128) {
    __builtin_prefetch(x + AHEAD);
    __builtin_prefetch(x + AHEAD + LINE);
    UNROLL for (size_t k = 0; k < 4; k++)
      s[k] = step(s[k], _mm256_loadu_ps(q + i + k * 8), load(x + k * 32), squares);
  }
  for (; i + 8 <= d; i += 8, x += 32) s[0] = step(s[0], _mm256_loadu_ps(q + i), load(x), squares);
  if (i < d) {
    __m256i mask = tail_mask(d - i);
    s[1] = step(s[1], _mm256_maskload_ps(q + i, mask), load_tail(x, mask), squares);
  }
  return sum_of(s[0], s[1], s[2], s[3]);
}

TARGET void tn_faiss_products_avx2(const float *q, const uint8_t *rows, int32_t dimension, size_t n,
                                   float *ret) {
  size_t d = (size_t)dimension;
  for (size_t i = 0; i < n; i++) ret[i] = one(q, rows + i * d * sizeof(float), d, false);
}

TARGET void tn_faiss_distances_avx2(const float *q, const uint8_t *rows, int32_t dimension,
                                    size_t n, float *ret) {
  size_t d = (size_t)dimension;
  for (size_t i = 0; i < n; i++) ret[i] = one(q, rows + i * d * sizeof(float), d, true);
}

static TARGET inline int32_t one_code(const int16_t *q, const int8_t *c, size_t stride) {
  __m256i a = _mm256_setzero_si256(), b = _mm256_setzero_si256();
  for (size_t i = 0; i < stride; i += 64, c += 64) {
    __builtin_prefetch(c + AHEAD);
    UNROLL for (size_t k = 0; k < 64; k += 32) {
      __m256i x = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(c + k)));
      __m256i y = _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)(c + k + 16)));
      __m256i u = _mm256_loadu_si256((const __m256i *)(const void *)(q + i + k));
      __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)(q + i + k + 16));
      a = _mm256_add_epi32(a, _mm256_madd_epi16(x, u));
      b = _mm256_add_epi32(b, _mm256_madd_epi16(y, v));
    }
  }
  a = _mm256_add_epi32(a, b);
  __m128i four = _mm_add_epi32(_mm256_castsi256_si128(a), _mm256_extracti128_si256(a, 1));
  __m128i two = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  return _mm_cvtsi128_si32(_mm_add_epi32(two, _mm_shuffle_epi32(two, 1)));
}

TARGET void tn_faiss_codes_avx2(const int16_t *q, const int8_t *codes, size_t stride, size_t n,
                                int32_t *ret) {
  for (size_t i = 0; i < n; i++) ret[i] = one_code(q, codes + i * stride, stride);
}

#endif
