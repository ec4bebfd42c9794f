/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t sum, const uint8_t *p, size_t size) {
  uint64_t wide = sum, word;
  for (; size >= 8; p += 8, size -= 8) {
    memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  sum = (uint32_t)wide;
  for (; size; p++, size--) sum = _mm_crc32_u8(sum, *p);
  return sum;
}

static int has_instruction(void) { return __builtin_cpu_supports("sse4.2"); }
#else
static uint32_t by_instruction(uint32_t sum, const uint8_t *p, size_t size) { return (void)p, (void)size, sum; }

static int has_instruction(void) { return 0; }
#endif

/* Half a byte at a time: small, and only for machines without the instruction. */
static uint32_t by_table(uint32_t sum, const uint8_t *p, size_t size) {
  uint32_t table[16];
  for (uint32_t i = 0; i < 16; i++) {
    table[i] = i;
    for (int bit = 0; bit < 4; bit++) table[i] = table[i] >> 1 ^ (table[i] & 1 ? UINT32_C(0x82F63B78) : 0);
  }
  for (; size; p++, size--) {
    sum = sum >> 4 ^ table[(sum ^ *p) & 15];
    sum = sum >> 4 ^ table[(sum ^ (uint32_t)*p >> 4) & 15];
  }
  return sum;
}

uint32_t tn_crc32c(uint32_t before, const void *data, size_t size) {
  uint32_t sum = ~before;
  return ~(has_instruction() ? by_instruction(sum, data, size) : by_table(sum, data, size));
}
