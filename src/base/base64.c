/* SPDX-License-Identifier: Apache-2.0 */
#include "base/base64.h"

#include <stdint.h>

static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

bool tn_base64_encode(tn_str *to, const void *data, size_t size) {
  const uint8_t *from = data;
  for (size_t i = 0; i < size; i += 3) {
    size_t n = size - i < 3 ? size - i : 3;
    uint32_t three = (uint32_t)from[i] << 16 | (uint32_t)(n > 1 ? from[i + 1] : 0) << 8 | (n > 2 ? from[i + 2] : 0);
    char four[4] = {letters[three >> 18], letters[three >> 12 & 63], n > 1 ? letters[three >> 6 & 63] : '=',
                    n > 2 ? letters[three & 63] : '='};
    tn_str_add(to, four, 4);
  }
  return !to->failed;
}

static int value_of(char c) {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool tn_base64_decode(tn_str *to, const char *text, size_t size) {
  if (size % 4) return false;
  for (size_t i = 0; i < size; i += 4) {
    bool last = i + 4 == size;
    int pad = last && text[i + 3] == '=' ? text[i + 2] == '=' ? 2 : 1 : 0;
    uint32_t three = 0;
    for (size_t k = 0; k < 4; k++) {
      int v = k + (size_t)pad >= 4 ? 0 : value_of(text[i + k]);
      if (v < 0) return false;
      three = three << 6 | (uint32_t)v;
    }
    char bytes[3] = {(char)(three >> 16), (char)(three >> 8), (char)three};
    if (!tn_str_add(to, bytes, (size_t)(3 - pad))) return false;
  }
  return true;
}
