/* SPDX-License-Identifier: Apache-2.0 */
/* IEEE 754 half precision, which C has no type for everywhere. */
#ifndef TN_ENGINE_HALF_H
#define TN_ENGINE_HALF_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

static inline float tn_half_to_float(uint16_t half) {
  uint32_t sign = (uint32_t)(half & 0x8000) << 16, exponent = half >> 10 & 31, fraction = half & 1023, bits;
  float value;
  if (exponent == 31) {
    bits = sign | 0x7F800000 | fraction << 13;
  } else if (exponent) {
    bits = sign | (exponent + 112) << 23 | fraction << 13;
  } else {
    value = (float)fraction / 16777216.0f;   /* 2^-24: exact */
    memcpy(&bits, &value, 4);
    bits |= sign;
  }
  memcpy(&value, &bits, 4);
  return value;
}

/* Only a float that is a half's value is turned; its NaN keeps what fits. */
static inline bool tn_float_to_half(float value, uint16_t *ret) {
  uint32_t bits;
  memcpy(&bits, &value, 4);
  uint16_t sign = (uint16_t)(bits >> 16 & 0x8000);
  uint32_t exponent = bits >> 23 & 255, fraction = bits & 0x7FFFFF;
  if (exponent == 255) {
    *ret = (uint16_t)(sign | 0x7C00 | fraction >> 13);
  } else if (exponent >= 113 && exponent <= 142) {
    *ret = (uint16_t)(sign | (exponent - 112) << 10 | fraction >> 13);
  } else {
    float small = value < 0 ? -value : value;
    if (!(small < 0.00006103515625f)) return false;   /* 2^-14: the least normal half */
    *ret = (uint16_t)(sign | (uint16_t)(small * 16777216.0f));
  }
  float back = tn_half_to_float(*ret);
  return exponent == 255 || memcmp(&back, &value, 4) == 0;
}

#endif
