/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dates and times out of text (ISO 8601), whole or not at all: 2024-02-29, 23:59:59.5,
 * 2024-02-29T12:00:00Z (or a space for the T; offsets +02, +0200, +02:00). Years of the Gregorian
 * calendar extended to all years; beyond four digits with a sign. Microseconds; *_ns: and the nanoseconds behind them, 0 to 999.
 */
#ifndef TN_BASE_CIVIL_H
#define TN_BASE_CIVIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool tn_parse_date(const char *text, size_t size, int64_t *ret_days);   /* since 1970-01-01 */
bool tn_parse_time(const char *text, size_t size, int64_t *ret_us);     /* since midnight */
/* Since 1970. with_zone: it must have one, and is turned to UTC; else it must have none. */
bool tn_parse_timestamp(const char *text, size_t size, bool with_zone, int64_t *ret_us);

bool tn_parse_time_ns(const char *text, size_t size, int64_t *ret_us, int *ret_ns);
bool tn_parse_timestamp_ns(const char *text, size_t size, bool with_zone, int64_t *ret_us,
                           int *ret_ns);

/* As HTTP writes it: Wed, 12 Oct 2009 17:50:00 GMT. Microseconds since 1970. */
bool tn_parse_http_date(const char *text, size_t size, int64_t *ret_us);

/* The other way: the date of a day. */
void tn_civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day);

#endif
