/* SPDX-License-Identifier: Apache-2.0 */
/* What looking at 64 bytes of CSV answers, one bit a byte, and the functions that do it. */
#ifndef TN_FORMATS_CSV_MASKS_H
#define TN_FORMATS_CSV_MASKS_H

#include <string.h>

#include "formats/csv.h"

typedef struct csv_masks {
  uint64_t quote, delimiter, lf, cr;
  uint64_t odd;   /* NUL or above 0x7F */
} csv_masks;

void tn_csv_index_portable(tn_csv_index *, const uint8_t *data, uint32_t begin, uint32_t end);
void tn_csv_index_avx2(tn_csv_index *, const uint8_t *data, uint32_t begin, uint32_t end);
void tn_csv_index_avx512(tn_csv_index *, const uint8_t *data, uint32_t begin, uint32_t end);
void tn_csv_index_neon(tn_csv_index *, const uint8_t *data, uint32_t begin, uint32_t end);

#endif
