/* SPDX-License-Identifier: Apache-2.0 */
/* Sums of products with AVX-512, as in kernels_avx2.c. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "faiss.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx2,fma")))

/* Arrays of registers are registers only in loops without a counter. */
#define UNROLL _Pragma("GCC unroll 4")

enum { AHEAD = 2048, LINE = 64 };

static TARGET inline __m512 load(const uint8_t *p) { return _mm512_loadu_ps((const void *)p); }

static TARGET inline __m512 step(__m512 sum, __m512 q, __m512 x, bool squares) {
  if (!squares) return _mm512_fmadd_ps(q, x, sum);
  __m512 e = _mm512_sub_ps(q, x);
  return _mm512_fmadd_ps(e, e, sum);
}

static TARGET inline float one(const float *q, const uint8_t *x, size_t d, bool squares) {
  __m512 s[4] = {_mm512_setzero_ps(), _mm512_setzero_ps(), _mm512_setzero_ps(),
                 _mm512_setzero_ps()};
  size_t i = 0;
  for (; i + 64 <= d; i += 64, x += 256)
    UNROLL for (size_t k = 0; k < 4; k++) {
      __builtin_prefetch(x + AHEAD + k * LINE);
      s[k] = step(s[k], _mm512_loadu_ps(q + i + k * 16), load(x + k * 64), squares);
    }
  for (; i + 16 <= d; i += 16, x += 64) s[0] = step(s[0], _mm512_loadu_ps(q + i), load(x), squares);
  if (i < d) {
    __mmask16 mask = (__mmask16)((1u << (d - i)) - 1);
    s[1] = step(s[1], _mm512_maskz_loadu_ps(mask, q + i),
                _mm512_maskz_loadu_ps(mask, (const void *)x), squares);
  }
  return _mm512_reduce_add_ps(_mm512_add_ps(_mm512_add_ps(s[0], s[1]), _mm512_add_ps(s[2], s[3])));
}

TARGET void tn_faiss_products_avx512(const float *q, const uint8_t *rows, int32_t dimension,
                                     size_t n, float *ret) {
  size_t d = (size_t)dimension;
  for (size_t i = 0; i < n; i++) ret[i] = one(q, rows + i * d * sizeof(float), d, false);
}

TARGET void tn_faiss_distances_avx512(const float *q, const uint8_t *rows, int32_t dimension,
                                      size_t n, float *ret) {
  size_t d = (size_t)dimension;
  for (size_t i = 0; i < n; i++) ret[i] = one(q, rows + i * d * sizeof(float), d, true);
}

static TARGET inline __m512i widen(const int8_t *c) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)c));
}

static TARGET inline int32_t one_code(const int16_t *q, const int8_t *c, size_t stride) {
  __m512i a = _mm512_setzero_si512(), b = _mm512_setzero_si512();
  for (size_t i = 0; i < stride; i += 64, c += 64) {
    __builtin_prefetch(c + AHEAD);
    a = _mm512_add_epi32(a, _mm512_madd_epi16(widen(c), _mm512_loadu_si512(q + i)));
    b = _mm512_add_epi32(b, _mm512_madd_epi16(widen(c + 32), _mm512_loadu_si512(q + i + 32)));
  }
  return _mm512_reduce_add_epi32(_mm512_add_epi32(a, b));
}

TARGET void tn_faiss_codes_avx512(const int16_t *q, const int8_t *codes, size_t stride, size_t n,
                                  int32_t *ret) {
  for (size_t i = 0; i < n; i++) ret[i] = one_code(q, codes + i * stride, stride);
}

#endif
