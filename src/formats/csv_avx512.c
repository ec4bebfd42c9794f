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

#include "formats/csv_kernel.h"

#endif
