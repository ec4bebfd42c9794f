/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sums of products of codes for four vectors and four rows at a time, with AVX-512 VNNI: what is
 * loaded is used four times over, and sixteen sums stay in registers.
 */
#if defined(__x86_64__)

#include <immintrin.h>

#include "faiss.h"

#define TARGET __attribute__((target("avx512f,avx512bw,avx512vnni,avx2")))

/* Arrays of registers are registers only in loops without a counter. */
#define UNROLL _Pragma("GCC unroll 4")

enum { T = TN_FAISS_TILE, STEP = 32 };

static TARGET inline __m512i widen(const int8_t *c) {
  return _mm512_cvtepi8_epi16(_mm256_loadu_si256((const __m256i *)(const void *)c));
}

/* Four registers' sums: a, b, c, d. */
static TARGET inline __m128i sums_of(__m512i a, __m512i b, __m512i c, __m512i d) {
  __m512i ab = _mm512_add_epi32(_mm512_unpacklo_epi32(a, b), _mm512_unpackhi_epi32(a, b));
  __m512i cd = _mm512_add_epi32(_mm512_unpacklo_epi32(c, d), _mm512_unpackhi_epi32(c, d));
  __m512i all = _mm512_add_epi32(_mm512_unpacklo_epi64(ab, cd), _mm512_unpackhi_epi64(ab, cd));
  __m256i half = _mm256_add_epi32(_mm512_castsi512_si256(all), _mm512_extracti64x4_epi64(all, 1));
  return _mm_add_epi32(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

TARGET void tn_faiss_tile_vnni(const int16_t *q, const int8_t *codes, size_t stride, size_t n,
                               int32_t *ret) {
  for (size_t row = 0; row < n; row += T, codes += T * stride) {
    __m512i s[T][T];
    UNROLL for (int a = 0; a < T; a++)
      UNROLL for (int b = 0; b < T; b++) s[a][b] = _mm512_setzero_si512();
    for (size_t i = 0; i < stride; i += STEP) {
      __m512i x[T];
      UNROLL for (size_t b = 0; b < T; b++) x[b] = widen(codes + b * stride + i);
      UNROLL for (size_t a = 0; a < T; a++) {
        __m512i u = _mm512_loadu_si512(q + a * stride + i);
        UNROLL for (int b = 0; b < T; b++) s[a][b] = _mm512_dpwssd_epi32(s[a][b], u, x[b]);
      }
    }
    UNROLL for (size_t a = 0; a < T; a++)
      _mm_storeu_si128((__m128i *)(void *)(ret + a * n + row),
                       sums_of(s[a][0], s[a][1], s[a][2], s[a][3]));
  }
}

#endif
