/* SPDX-License-Identifier: Apache-2.0 */
/* The index with NEON, which every 64-bit ARM has. */
#if defined(__aarch64__)

#include <arm_neon.h>

#include "formats/csv_masks.h"

#define TN_CSV_TARGET
#define TN_CSV_INDEX tn_csv_index_neon

/* 64 bytes of all ones or zero to 64 bits: each byte keeps its bit, then neighbours are added. */
static inline uint64_t gather(const uint8x16_t v[4]) {
  static const uint8_t bits[16] = {1, 2, 4, 8, 16, 32, 64, 128, 1, 2, 4, 8, 16, 32, 64, 128};
  uint8x16_t bit = vld1q_u8(bits);
  uint8x16_t low = vpaddq_u8(vandq_u8(v[0], bit), vandq_u8(v[1], bit));
  uint8x16_t high = vpaddq_u8(vandq_u8(v[2], bit), vandq_u8(v[3], bit));
  uint8x16_t sum = vpaddq_u8(low, high);
  return vgetq_lane_u64(vreinterpretq_u64_u8(vpaddq_u8(sum, sum)), 0);
}

static inline uint64_t equal_to(const uint8x16_t v[4], uint8_t c) {
  uint8x16_t all = vdupq_n_u8(c);
  uint8x16_t equal[4] = {vceqq_u8(v[0], all), vceqq_u8(v[1], all), vceqq_u8(v[2], all),
                         vceqq_u8(v[3], all)};
  return gather(equal);
}

static inline uint64_t odd_ones(const uint8x16_t v[4]) {
  int8x16_t one = vdupq_n_s8(1);
  uint8x16_t odd[4];
  for (int i = 0; i < 4; i++) odd[i] = vcltq_s8(vreinterpretq_s8_u8(v[i]), one);
  return gather(odd);
}

static inline csv_masks classify(const uint8_t *p, uint8_t delimiter, uint8_t quote) {
  uint8x16_t v[4] = {vld1q_u8(p), vld1q_u8(p + 16), vld1q_u8(p + 32), vld1q_u8(p + 48)};
  return (csv_masks){
      .quote = equal_to(v, quote),
      .delimiter = equal_to(v, delimiter),
      .lf = equal_to(v, '\n'),
      .cr = equal_to(v, '\r'),
      .odd = odd_ones(v),
  };
}

#include "formats/csv_places.h"
#include "formats/csv_kernel.h"

#endif
