/* SPDX-License-Identifier: Apache-2.0 */
/* The index in portable C, and the choice between it and its faster twins. */
#include "base/str.h"
#include "formats/csv_masks.h"

/* The high bit of each byte of x that is zero. */
static uint64_t zero_bytes(uint64_t x) {
  const uint64_t low = UINT64_C(0x7F7F7F7F7F7F7F7F);
  return ~(((x & low) + low) | x | low);
}

/* The high bits of eight bytes, side by side, that of the first byte lowest. */
static uint64_t gather(uint64_t high_bits) {
  return (high_bits >> 7) * UINT64_C(0x0102040810204080) >> 56;
}

static uint64_t equal_to(uint64_t word, uint8_t c) {
  return gather(zero_bytes(word ^ c * UINT64_C(0x0101010101010101)));
}

static uint64_t load_word(const uint8_t *p) {
  uint64_t word;
  memcpy(&word, p, sizeof word);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  word = __builtin_bswap64(word);
#endif
  return word;
}

static csv_masks classify(const uint8_t *p, uint8_t delimiter, uint8_t quote) {
  csv_masks m = {0};
  for (unsigned i = 0; i < 64; i += 8) {
    uint64_t word = load_word(p + i);
    m.quote |= equal_to(word, quote) << i;
    m.delimiter |= equal_to(word, delimiter) << i;
    m.lf |= equal_to(word, '\n') << i;
    m.cr |= equal_to(word, '\r') << i;
    m.odd |= gather((zero_bytes(word) | word) & UINT64_C(0x8080808080808080)) << i;
  }
  return m;
}

#define TN_CSV_TARGET
#define TN_CSV_INDEX tn_csv_index_portable
#include "formats/csv_places.h"
#include "formats/csv_kernel.h"

/* ---- One record ---- */

/* Behind the closing quote of data[at], or `end`. */
static uint32_t behind_quotes(const uint8_t *data, uint32_t at, uint32_t end, uint8_t quote) {
  for (at++; at < end; at++) {
    if (data[at] != quote) continue;
    if (at + 1 == end || data[at + 1] != quote) return at + 1;
    at++;
  }
  return end;
}

bool tn_csv_walk_record(const tn_csv_dialect *d, const uint8_t *data, uint32_t begin, uint32_t end,
                        uint32_t *ends, uint32_t room, uint32_t *ret_count, uint32_t *ret_next) {
  *ret_count = 0;
  for (uint32_t at = begin; at < end; at++) {
    if (d->quote && data[at] == d->quote) at = behind_quotes(data, at, end, d->quote);
    while (at < end && data[at] != d->delimiter && data[at] != '\n' && data[at] != '\r') at++;
    if (at >= end) return false;
    if (*ret_count < room) ends[*ret_count] = at;
    ++*ret_count;
    if (data[at] == d->delimiter) continue;
    *ret_next = behind_newline(data, at);
    return true;
  }
  return false;
}

/* ---- UTF-8 ---- */

void tn_csv_check_utf8(tn_csv_index *ix, const tn_csv_input *in) {
  uint32_t begin = ix->starts[0];
  size_t at;
  if (!ix->has_high ||
      tn_utf8_valid((const char *)in->data + begin, ix->starts[ix->rows] - begin, &at))
    return;
  ix->problem = TN_CSV_NOT_UTF8;
  ix->problem_at = begin + (uint32_t)at;
  uint32_t low = 0, high = ix->rows;
  while (high - low > 1) {
    uint32_t middle = low + (high - low) / 2;
    if (ix->starts[middle] <= ix->problem_at) low = middle;
    else high = middle;
  }
  ix->rows = low;
}

/* ---- Choosing ---- */

static bool always(void) { return true; }

#if defined(__x86_64__)
static bool has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi") &&
         __builtin_cpu_supports("popcnt");
}

static bool has_avx512(void) {
  return has_avx2() && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vbmi2");
}
#endif

const tn_csv_indexer tn_csv_indexers[] = {
#if defined(__x86_64__)
    {"avx512", has_avx512, tn_csv_index_avx512},
    {"avx2", has_avx2, tn_csv_index_avx2},
#elif defined(__aarch64__)
    {"neon", always, tn_csv_index_neon},
#endif
    {"portable", always, tn_csv_index_portable},
    {NULL, NULL, NULL},
};

tn_csv_index_fn tn_csv_best_indexer(void) {
  const tn_csv_indexer *i = tn_csv_indexers;
  while (!i->usable()) i++;
  return i->index;
}
