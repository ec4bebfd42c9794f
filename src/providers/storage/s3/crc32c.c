/* SPDX-License-Identifier: Apache-2.0 */
#include "crc32c.h"

#include <string.h>

#if defined(__x86_64__)
#include <nmmintrin.h>
#include <pthread.h>

/* The instruction takes three cycles, and a new one can begin in each: three lanes side by side. */
enum { LANE = 1024 };

static uint32_t behind_lane[4][256];   /* by byte of a sum: what is left of it behind LANE zeros */
static pthread_once_t once = PTHREAD_ONCE_INIT;

__attribute__((target("sse4.2"))) static uint32_t one_lane(uint32_t sum, const uint8_t *p, size_t size) {
  uint64_t wide = sum, word;
  for (; size >= 8; p += 8, size -= 8) {
    memcpy(&word, p, 8);
    wide = _mm_crc32_u64(wide, word);
  }
  sum = (uint32_t)wide;
  for (; size; p++, size--) sum = _mm_crc32_u8(sum, *p);
  return sum;
}

/* Sums are linear: those of single bits make all others. */
static void make_tables(void) {
  static const uint8_t zeros[LANE];
  for (unsigned bit = 0; bit < 32; bit++) {
    uint32_t left = one_lane(UINT32_C(1) << bit, zeros, LANE), *table = behind_lane[bit / 8];
    for (unsigned i = 0; i < 256; i++)
      if (i >> bit % 8 & 1) table[i] ^= left;
  }
}

static uint32_t shift(uint32_t sum) {
  return behind_lane[0][sum & 255] ^ behind_lane[1][sum >> 8 & 255] ^ behind_lane[2][sum >> 16 & 255] ^ behind_lane[3][sum >> 24];
}

__attribute__((target("sse4.2"))) static uint32_t by_instruction(uint32_t sum, const uint8_t *p, size_t size) {
  pthread_once(&once, make_tables);
  for (; size >= 3 * LANE; p += 3 * LANE, size -= 3 * LANE) {
    uint64_t a = sum, b = 0, c = 0, words[3];
    for (size_t i = 0; i < LANE; i += 8) {
      memcpy(&words[0], p + i, 8);
      memcpy(&words[1], p + LANE + i, 8);
      memcpy(&words[2], p + 2 * LANE + i, 8);
      a = _mm_crc32_u64(a, words[0]);
      b = _mm_crc32_u64(b, words[1]);
      c = _mm_crc32_u64(c, words[2]);
    }
    sum = shift(shift((uint32_t)a) ^ (uint32_t)b) ^ (uint32_t)c;
  }
  return one_lane(sum, p, size);
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
