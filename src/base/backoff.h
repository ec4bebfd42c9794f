/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before something is tried again. */
#ifndef TN_BASE_BACKOFF_H
#define TN_BASE_BACKOFF_H

#include <stdbool.h>
#include <stdint.h>

/* Twice as long for each attempt (1: the first one failed), from half of that to one and a half times it: different for
 * each caller, so that they do not come back all at once. Never less than the system asked for (-1: it did not). */
int64_t tn_backoff_ms(int64_t first_ms, int attempt, int32_t retry_after_ms);

/* Does the deadline leave time for an answer behind the wait? Or what was wrong would be lost, and the deadline be told. */
bool tn_backoff_fits(int64_t delay_ms, int64_t remaining_ms);

#endif
