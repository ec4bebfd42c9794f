/* SPDX-License-Identifier: Apache-2.0 */
/* How long to wait before something is tried again. */
#ifndef TN_BASE_BACKOFF_H
#define TN_BASE_BACKOFF_H

#include <stdint.h>

/* Twice as long for each attempt (1: the first one failed), from half of that to one and a half times it: different for
 * each caller, so that they do not come back all at once. Never less than the system asked for (-1: it did not). */
int64_t tn_backoff_ms(int64_t first_ms, int attempt, int32_t retry_after_ms);

#endif
