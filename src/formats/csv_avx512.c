/* SPDX-License-Identifier: Apache-2.0 */
/* The index with AVX-512 (bytes and words). */
#if defined(__x86_64__)

#include <immintrin.h>

#include "formats/csv_masks.h"

#define TN_CSV_TARGET __attribute__((target("avx512bw,avx512vbmi2,avx2,bmi,popcnt")))
#define TN_CSV_INDEX tn_csv_index_avx512

static TN_CSV_TARGET inline csv_masks classify(const uint8_t *p, uint8_t delimiter, uint8_t quote) {
  __m512i v = _mm512_loadu_si512(p);
  return (csv_masks){
      .quote = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8((char)quote)),
      .delimiter = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8((char)delimiter)),
      .lf = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\n')),
      .cr = _mm512_cmpeq_epi8_mask(v, _mm512_set1_epi8('\r')),
      .odd = _mm512_cmplt_epi8_mask(v, _mm512_set1_epi8(1)),
  };
}

/* 16 places of at most 64, from their bytes. */
static TN_CSV_TARGET inline void put_sixteen(uint32_t *to, __m128i places, __m512i base) {
  _mm512_storeu_si512(to, _mm512_add_epi32(_mm512_cvtepu8_epi32(places), base));
}

static TN_CSV_TARGET inline uint32_t put_places(uint32_t *to, uint64_t bits, uint32_t base) {
  const __m512i numbers =
      _mm512_set_epi8(63, 62, 61, 60, 59, 58, 57, 56, 55, 54, 53, 52, 51, 50, 49, 48, 47, 46, 45,
                      44, 43, 42, 41, 40, 39, 38, 37, 36, 35, 34, 33, 32, 31, 30, 29, 28, 27, 26,
                      25, 24, 23, 22, 21, 20, 19, 18, 17, 16, 15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5,
                      4, 3, 2, 1, 0);
  uint32_t count = (uint32_t)__builtin_popcountll(bits);
  __m512i places = _mm512_maskz_compress_epi8(bits, numbers), all = _mm512_set1_epi32((int)base);
  put_sixteen(to, _mm512_castsi512_si128(places), all);
  if (count > 16) put_sixteen(to + 16, _mm512_extracti32x4_epi32(places, 1), all);
  if (count > 32) {
    put_sixteen(to + 32, _mm512_extracti32x4_epi32(places, 2), all);
    put_sixteen(to + 48, _mm512_extracti32x4_epi32(places, 3), all);
  }
  return count;
}

#include "formats/csv_kernel.h"

#endif
