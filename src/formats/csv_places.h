/* SPDX-License-Identifier: Apache-2.0 */
/* template: compiled once for each set of instructions */
/* The places of set bits, one after the other. */
static TN_CSV_TARGET inline uint32_t put_places(uint32_t *to, uint64_t bits, uint32_t base) {
  uint32_t count = (uint32_t)__builtin_popcountll(bits);
  for (uint32_t i = 0; i < count; i += 8) {
#pragma GCC unroll 8
    for (uint32_t k = 0; k < 8; k++) {
      to[i + k] = base + (uint32_t)__builtin_ctzll(bits | UINT64_C(1) << 63);
      bits &= bits - 1;
    }
  }
  return count;
}
