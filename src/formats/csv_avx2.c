/* SPDX-License-Identifier: Apache-2.0 */
/* The index with AVX2. */
#if defined(__x86_64__)

#include <immintrin.h>

#include "formats/csv_masks.h"

#define TN_CSV_TARGET __attribute__((target("avx2,bmi,popcnt")))
#define TN_CSV_INDEX tn_csv_index_avx2

static TN_CSV_TARGET inline uint64_t pair(__m256i low, __m256i high) {
  return (uint32_t)_mm256_movemask_epi8(low) | (uint64_t)(uint32_t)_mm256_movemask_epi8(high) << 32;
}

static TN_CSV_TARGET inline uint64_t equal_to(__m256i low, __m256i high, uint8_t c) {
  __m256i all = _mm256_set1_epi8((char)c);
  return pair(_mm256_cmpeq_epi8(low, all), _mm256_cmpeq_epi8(high, all));
}

static TN_CSV_TARGET inline csv_masks classify(const uint8_t *p, uint8_t delimiter, uint8_t quote) {
  __m256i low = _mm256_loadu_si256((const __m256i *)(const void *)p);
  __m256i high = _mm256_loadu_si256((const __m256i *)(const void *)(p + 32));
  __m256i one = _mm256_set1_epi8(1);
  return (csv_masks){
      .quote = equal_to(low, high, quote),
      .delimiter = equal_to(low, high, delimiter),
      .lf = equal_to(low, high, '\n'),
      .cr = equal_to(low, high, '\r'),
      .odd = pair(_mm256_cmpgt_epi8(one, low), _mm256_cmpgt_epi8(one, high)),
  };
}

#include "formats/csv_places.h"
#include "formats/csv_kernel.h"

#endif
