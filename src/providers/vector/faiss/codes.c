/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy of the vectors with one byte a number, for a first pass that reads a quarter of the memory,
 * and for each row how far the copy can be from the vector. The file:
 *
 *   "TNCODE1\n", count (uint64), dimension, stride (uint32), 40 bytes of zeros
 *   of each row: scale, error, norm, half (float32)
 *   zeros up to a multiple of 64
 *   of each row: stride × int8
 */
#include <float.h>
#include <math.h>

#include "faiss.h"

size_t tn_faiss_codes_stride(int32_t dimension) { return ((size_t)dimension + 63) & ~(size_t)63; }

static size_t codes_at(int64_t count) {
  return (TN_FAISS_CODES_HEADER + (size_t)count * sizeof(tn_faiss_stats) + 63) & ~(size_t)63;
}

tenon_status tn_faiss_codes_parse(tn_faiss_map file, const char *name, int32_t dimension,
                                  int64_t count, tn_faiss_codes *ret, tenon_error *err) {
  uint8_t expected[TN_FAISS_CODES_HEADER];
  size_t stride = tn_faiss_codes_stride(dimension);
  tn_faiss_codes_header(dimension, count, expected);
  if (file.size != codes_at(count) + (size_t)count * stride ||
      memcmp(file.data, expected, sizeof expected) != 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "restore the collection from a copy",
                      "%s: the file of codes is damaged", name);
  *ret = (tn_faiss_codes){
      .stats = (const tn_faiss_stats *)(const void *)(file.data + TN_FAISS_CODES_HEADER),
      .codes = (const int8_t *)file.data + codes_at(count),
      .stride = stride};
  return TENON_OK;
}

void tn_faiss_codes_header(int32_t dimension, int64_t count, uint8_t ret[TN_FAISS_CODES_HEADER]) {
  const uint32_t numbers[2] = {(uint32_t)dimension, (uint32_t)tn_faiss_codes_stride(dimension)};
  memset(ret, 0, TN_FAISS_CODES_HEADER);
  memcpy(ret, "TNCODE1\n", 8);
  memcpy(ret + 8, &count, 8);
  memcpy(ret + 16, numbers, 8);
}

/* Not less than the double: what is a bound stays one. */
static float up(double v) {
  return v >= FLT_MAX ? INFINITY : nextafterf((float)(v * (1 + 1e-12)), INFINITY);
}

void tn_faiss_encode(const float *x, int32_t dimension, tn_faiss_stats *ret, int8_t *codes) {
  float most = 0;
  double squares = 0, errors = 0;
  for (int32_t i = 0; i < dimension; i++) most = fmaxf(most, fabsf(x[i]));
  float scale = most / 127.0F;
  if (scale < FLT_MIN) scale = 0;
  float inverse = scale > 0 ? 1.0F / scale : 0;
  if (!isfinite(inverse)) inverse = scale = 0;
  for (int32_t i = 0; i < dimension; i++) {
    float rounded = rintf(x[i] * inverse);
    rounded = rounded > 127 ? 127 : rounded < -127 ? -127 : rounded;
    codes[i] = (int8_t)rounded;
    double e = (double)x[i] - (double)scale * (double)rounded;
    errors += e * e;
    squares += (double)x[i] * (double)x[i];
  }
  memset(codes + dimension, 0, tn_faiss_codes_stride(dimension) - (size_t)dimension);
  *ret = (tn_faiss_stats){.scale = scale, .error = up(sqrt(errors)), .norm = up(sqrt(squares)),
                          .half = (float)(squares / 2)};
}
