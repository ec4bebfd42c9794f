/* SPDX-License-Identifier: Apache-2.0 */
/* Any thread. */
#ifndef TN_BASE_CLOCK_H
#define TN_BASE_CLOCK_H

#include <stdint.h>

/* A clock that only goes forward: for deadlines and differences. */
int64_t tn_now_ms(void);
int64_t tn_now_us(void);

/* Since 1970 by UTC, as the machine is set. */
int64_t tn_wall_ns(void);

#endif
