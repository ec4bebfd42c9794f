/* SPDX-License-Identifier: Apache-2.0 */
#include "split.h"

#include <string.h>

/* The first character behind those that are like c. */
static int behind_class(int c) {
  if (c >= '0' && c <= '9') return '9' + 1;
  if (c >= 'A' && c <= 'Z') return 'Z' + 1;
  if (c >= 'a' && c <= 'z') return 'z' + 1;
  return 0x7F;
}

static size_t common(const char *a, size_t a_size, const char *b, size_t b_size) {
  size_t n = 0;
  while (n < a_size && n < b_size && a[n] == b[n]) n++;
  return n;
}

/* Between two characters, the first one excluded; 0: nothing is. */
static int middle(int low, int high) {
  int end = behind_class(low);
  if (high > end) high = end;
  int m = (low + high + 1) / 2;
  return m > low && m < high ? m : 0;
}

bool tn_s3_split(const char *low, size_t low_size, const char *high, size_t high_size, size_t from, char *ret,
                 size_t *ret_size) {
  size_t shared = high ? common(low, low_size, high, high_size) : 0;
  for (size_t at = shared > from ? shared : from; at < low_size; at++) {
    int a = (unsigned char)low[at];
    int b = high && at == shared && at < high_size ? (unsigned char)high[at] : 0x100;
    if (a >= 0x80) return false;   /* never within a character of several bytes */
    int m = middle(a, b);
    if (!m) continue;
    memcpy(ret, low, at);
    ret[at] = (char)m;
    *ret_size = at + 1;
    return true;
  }
  return false;
}
