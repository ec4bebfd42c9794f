/* SPDX-License-Identifier: Apache-2.0 */
#include "base/backoff.h"

#include <stdatomic.h>

#include "base/clock.h"

enum { FOR_AN_ANSWER_MS = 250 };

static int64_t jitter(int64_t up_to) {
  static atomic_uint_fast64_t seed;
  uint64_t x = atomic_fetch_add(&seed, UINT64_C(0x9E3779B97F4A7C15)) + (uint64_t)tn_wall_ns();
  x = (x ^ (x >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
  x = (x ^ (x >> 27)) * UINT64_C(0x94D049BB133111EB);
  return (int64_t)((x ^ (x >> 31)) % (uint64_t)(up_to + 1));
}

int64_t tn_backoff_ms(int64_t first_ms, int attempt, int32_t retry_after_ms) {
  int64_t longest = first_ms << (attempt - 1), delay = longest / 2 + jitter(longest);
  return retry_after_ms > delay ? retry_after_ms : delay;
}

bool tn_backoff_fits(int64_t delay_ms, int64_t remaining_ms) { return delay_ms < remaining_ms - FOR_AN_ANSWER_MS; }
