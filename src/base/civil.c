/* SPDX-License-Identifier: Apache-2.0 */
#include "base/civil.h"

#include <string.h>

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

typedef struct cursor {
  const char *p, *end;
} cursor;

static bool take(cursor *c, char wanted) {
  if (c->p == c->end || *c->p != wanted) return false;
  c->p++;
  return true;
}

/* Exactly `count` digits. */
static bool take_digits(cursor *c, int count, int64_t *ret) {
  int64_t v = 0;
  if (c->end - c->p < count) return false;
  for (int i = 0; i < count; i++, c->p++) {
    if (!is_digit(*c->p)) return false;
    v = v * 10 + (*c->p - '0');
  }
  *ret = v;
  return true;
}

static bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

/* Days since 1970 of a date of the Gregorian calendar, extended to all years. */
static bool days_of(int64_t year, int64_t month, int64_t day, int64_t *ret) {
  static const int8_t lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  static const int16_t before[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334};
  if (month < 1 || month > 12 || day < 1) return false;
  bool leap = is_leap(year);
  if (day > lengths[month - 1] + (leap && month == 2)) return false;
  int64_t past = year - 1;
  int64_t days = 365 * past + floor_divide(past, 4) - floor_divide(past, 100) + floor_divide(past, 400);
  *ret = days + before[month - 1] + (leap && month > 2) + day - 1 - 719162;
  return true;
}

/* Years begin in March here, so that the leap day is the last, and come in cycles of 400. */
void tn_civil_of_days(int64_t days, int64_t *ret_year, int *ret_month, int *ret_day) {
  days += 719468;
  int64_t cycle = floor_divide(days, 146097);
  uint32_t day = (uint32_t)(days - cycle * 146097);
  uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
  uint32_t in_year = day - (365 * year + year / 4 - year / 100), month = (5 * in_year + 2) / 153;
  *ret_day = (int)(in_year - (153 * month + 2) / 5 + 1);
  *ret_month = (int)(month < 10 ? month + 3 : month - 9);
  *ret_year = cycle * 400 + year + (*ret_month <= 2);
}

/* Four digits, or a sign and five to seven. */
static bool take_year(cursor *c, int64_t *ret) {
  bool negative = c->p < c->end && *c->p == '-';
  if (!negative && !(c->p < c->end && *c->p == '+')) return take_digits(c, 4, ret);
  c->p++;
  int count = 0;
  while (count < 7 && c->p + count < c->end && is_digit(c->p[count])) count++;
  if (count < 5 || !take_digits(c, count, ret)) return false;
  if (negative) *ret = -*ret;
  return true;
}

static bool take_date(cursor *c, int64_t *ret_days) {
  int64_t year, month, day;
  return take_year(c, &year) && take(c, '-') && take_digits(c, 2, &month) && take(c, '-') && take_digits(c, 2, &day) &&
         days_of(year, month, day, ret_days);
}

/* Digits behind a point, as nanoseconds: what is behind the ninth must be 0. */
static bool take_fraction(cursor *c, int64_t *ret_ns) {
  int64_t ns = 0, unit = 100000000;
  const char *begin = c->p;
  for (; c->p < c->end && is_digit(*c->p); c->p++, unit /= 10) {
    if (unit == 0 && *c->p != '0') return false;
    ns += (*c->p - '0') * unit;
  }
  *ret_ns = ns;
  return c->p > begin;
}

/* HH:MM, HH:MM:SS, HH:MM:SS.f */
static bool take_time(cursor *c, int64_t *ret_us, int *ret_ns) {
  int64_t hours, minutes, seconds = 0, fraction = 0;
  if (!take_digits(c, 2, &hours) || !take(c, ':') || !take_digits(c, 2, &minutes)) return false;
  if (take(c, ':')) {
    if (!take_digits(c, 2, &seconds)) return false;
    if (take(c, '.') && !take_fraction(c, &fraction)) return false;
  }
  if (hours > 23 || minutes > 59 || seconds > 59) return false;
  *ret_us = ((hours * 60 + minutes) * 60 + seconds) * 1000000 + fraction / 1000;
  *ret_ns = (int)(fraction % 1000);
  return true;
}

/* Z, +HH, +HHMM, +HH:MM. */
static bool take_zone(cursor *c, int64_t *ret_us) {
  if (take(c, 'Z')) {
    *ret_us = 0;
    return true;
  }
  bool negative = take(c, '-');
  int64_t hours, minutes = 0;
  if ((!negative && !take(c, '+')) || !take_digits(c, 2, &hours)) return false;
  if ((take(c, ':') || c->p < c->end) && !take_digits(c, 2, &minutes)) return false;
  if (hours > 23 || minutes > 59) return false;
  *ret_us = (hours * 60 + minutes) * (negative ? -60000000 : 60000000);
  return true;
}

bool tn_parse_date(const char *text, size_t size, int64_t *ret_days) {
  cursor c = {text, text + size};
  return take_date(&c, ret_days) && c.p == c.end;
}

bool tn_parse_time_ns(const char *text, size_t size, int64_t *ret_us, int *ret_ns) {
  cursor c = {text, text + size};
  return take_time(&c, ret_us, ret_ns) && c.p == c.end;
}

bool tn_parse_time(const char *text, size_t size, int64_t *ret_us) {
  int ns;
  return tn_parse_time_ns(text, size, ret_us, &ns) && ns == 0;
}

bool tn_parse_timestamp_ns(const char *text, size_t size, bool with_zone, int64_t *ret_us,
                           int *ret_ns) {
  cursor c = {text, text + size};
  int64_t days, us, zone = 0;
  if (!take_date(&c, &days) || !(take(&c, 'T') || take(&c, ' ')) || !take_time(&c, &us, ret_ns))
    return false;
  if (with_zone && (take(&c, ' '), !take_zone(&c, &zone))) return false;
  if (c.p != c.end) return false;
  __int128 all = (__int128)days * INT64_C(86400000000) + us - zone;
  if (all < INT64_MIN || all > INT64_MAX) return false;
  *ret_us = (int64_t)all;
  return true;
}

bool tn_parse_timestamp(const char *text, size_t size, bool with_zone, int64_t *ret_us) {
  int ns;
  return tn_parse_timestamp_ns(text, size, with_zone, ret_us, &ns) && ns == 0;
}

/* Of the weekday nobody asks whether it is right. */
bool tn_parse_http_date(const char *text, size_t size, int64_t *ret_us) {
  static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
  cursor c = {text, text + size};
  int64_t day, month = 0, year, days, us;
  int ns;
  if (size < 12 || text[3] != ',') return false;
  c.p += 4;
  if (!take(&c, ' ') || !take_digits(&c, 2, &day) || !take(&c, ' ') || c.end - c.p < 3) return false;
  for (int i = 0; i < 12; i++)
    if (memcmp(c.p, months + (ptrdiff_t)3 * i, 3) == 0) month = i + 1;
  c.p += 3;
  if (!take(&c, ' ') || !take_digits(&c, 4, &year) || !days_of(year, month, day, &days)) return false;
  if (!take(&c, ' ') || !take_time(&c, &us, &ns) || ns || !take(&c, ' ')) return false;
  if (c.end - c.p != 3 || memcmp(c.p, "GMT", 3) != 0) return false;
  *ret_us = days * INT64_C(86400000000) + us;
  return true;
}
