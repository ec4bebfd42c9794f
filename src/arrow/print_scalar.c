/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow/print_scalar.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "base/float.h"

/* ---- Integers ---- */

/* Two digits at a time. */
static const char pairs[] =
    "00010203040506070809101112131415161718192021222324252627282930313233343536373839"
    "40414243444546474849505152535455565758596061626364656667686970717273747576777879"
    "8081828384858687888990919293949596979899";

static int count_digits(uint64_t v) {
  int count = 1;
  for (; v >= 10000; v /= 10000) count += 4;
  return count + (v >= 10) + (v >= 100) + (v >= 1000);
}

static size_t put_unsigned(char *to, uint64_t v) {
  int count = count_digits(v);
  char *p = to + count;
  for (; v >= 100; v /= 100) memcpy(p -= 2, pairs + v % 100 * 2, 2);
  if (v >= 10) memcpy(to, pairs + v * 2, 2);
  else *to = (char)('0' + v);
  return (size_t)count;
}

static size_t put_signed(char *to, int64_t v) {
  if (v >= 0) return put_unsigned(to, (uint64_t)v);
  *to = '-';
  return 1 + put_unsigned(to + 1, 0 - (uint64_t)v);
}

static void put_pair(char *to, uint32_t v) { memcpy(to, pairs + v * 2, 2); }

/* Exactly `count` digits, with leading zeros. */
static void put_digits(char *to, uint64_t v, int count) {
  for (int i = count; i-- > 0; v /= 10) to[i] = (char)('0' + v % 10);
}

static int64_t load_signed(const uint8_t *p, int32_t width) {
  int64_t v = 0;
  memcpy(&v, p, (size_t)width);
  int unused = 64 - 8 * width;
  return (int64_t)((uint64_t)v << unused) >> unused;
}

static size_t print_signed(const tn_scalar *s, const uint8_t *p, char *to) {
  return put_signed(to, load_signed(p, s->width));
}

static size_t print_unsigned(const tn_scalar *s, const uint8_t *p, char *to) {
  uint64_t v = 0;
  memcpy(&v, p, (size_t)s->width);
  return put_unsigned(to, v);
}

/* ---- Floats ---- */

static size_t print_f16(const tn_scalar *s, const uint8_t *p, char *to) {
  uint16_t v;
  (void)s;
  memcpy(&v, p, sizeof v);
  return tn_print_f16(v, to);
}

static size_t print_f32(const tn_scalar *s, const uint8_t *p, char *to) {
  float v;
  (void)s;
  memcpy(&v, p, sizeof v);
  return tn_print_f32(v, to);
}

static size_t print_f64(const tn_scalar *s, const uint8_t *p, char *to) {
  double v;
  (void)s;
  memcpy(&v, p, sizeof v);
  return tn_print_f64(v, to);
}

/* ---- Decimals ---- */

enum { DECIMAL_DIGITS = 80 };
static const uint64_t ten_to_18 = UINT64_C(1000000000000000000);

/* words, the least first, divided by 10^18 in place; answers the rest. */
static uint64_t divide_words(uint64_t *words, int count) {
  unsigned __int128 rest = 0;
  for (int i = count; i-- > 0;) {
    rest = rest << 64 | words[i];
    words[i] = (uint64_t)(rest / ten_to_18);
    rest %= ten_to_18;
  }
  return (uint64_t)rest;
}

static void negate_words(uint64_t *words, int count) {
  uint64_t carry = 1;
  for (int i = 0; i < count; i++) {
    words[i] = ~words[i] + carry;
    carry = carry && words[i] == 0;
  }
}

/* The digits of a magnitude, at least one; answers how many. */
static size_t put_words(char *to, uint64_t *words, int count) {
  uint64_t parts[5];
  int n = 0;
  while (count > 1 && words[count - 1] == 0) count--;
  while (count > 1) {
    parts[n++] = divide_words(words, count);
    while (count > 1 && words[count - 1] == 0) count--;
  }
  size_t size = put_unsigned(to, words[0]);
  for (; n-- > 0; size += 18) put_digits(to + size, parts[n], 18);
  return size;
}

static size_t print_decimal(const tn_scalar *s, const uint8_t *p, char *to) {
  uint64_t words[4] = {0};
  char digits[DECIMAL_DIGITS];
  int count = s->width > 8 ? s->width / 8 : 1;
  if (s->width >= 8) {
    memcpy(words, p, (size_t)s->width);
  } else {
    words[0] = (uint64_t)load_signed(p, s->width);
  }
  char *begin = to;
  if (words[count - 1] >> 63) {
    negate_words(words, count);
    *to++ = '-';
  }
  size_t size = put_words(digits, words, count), scale = s->scale > 0 ? (size_t)s->scale : 0;
  size_t whole = size > scale ? size - scale : 0;
  if (whole == 0) *to++ = '0';
  memcpy(to, digits, whole);
  to += whole;
  bool is_zero = size == 1 && digits[0] == '0';
  for (int32_t i = s->scale; i < 0 && !is_zero; i++) *to++ = '0';
  if (scale == 0) return (size_t)(to - begin);
  *to++ = '.';
  for (size_t i = size; i < scale; i++) *to++ = '0';
  memcpy(to, digits + whole, size - whole);
  return (size_t)(to + (size - whole) - begin);
}

/* ---- Dates and times ---- */

static int64_t floor_divide(int64_t a, int64_t b) { return a / b - (a % b < 0); }

static int64_t floor_rest(int64_t a, int64_t b) { return a % b + (a % b < 0 ? b : 0); }

/* A year of four digits, or a sign and at least five. */
static size_t put_year(char *to, int64_t year) {
  if (year >= 0 && year <= 9999) {
    put_pair(to, (uint32_t)year / 100);
    put_pair(to + 2, (uint32_t)year % 100);
    return 4;
  }
  uint64_t magnitude = year < 0 ? 0 - (uint64_t)year : (uint64_t)year;
  *to++ = year < 0 ? '-' : '+';
  if (magnitude >= 100000) return 1 + put_unsigned(to, magnitude);
  put_digits(to, magnitude, 5);
  return 6;
}

static size_t put_date(char *to, int64_t days) {
  int64_t year;
  int month, day;
  tn_civil_of_days(days, &year, &month, &day);
  size_t n = put_year(to, year);
  to[n] = '-';
  put_pair(to + n + 1, (uint32_t)month);
  to[n + 3] = '-';
  put_pair(to + n + 4, (uint32_t)day);
  return n + 6;
}

/* .25 of a second; nothing of a whole one. */
static size_t put_fraction(char *to, int64_t units, int64_t per_second) {
  if (units == 0) return 0;
  int count = per_second == 1000 ? 3 : per_second == 1000000 ? 6 : 9;
  to[0] = '.';
  put_digits(to + 1, (uint64_t)units, count);
  while (to[count] == '0') count--;
  return (size_t)count + 1;
}

/* HH:MM:SS and a fraction; seconds of a day, or more where somebody stored more. */
static size_t put_time(char *to, int64_t seconds, int64_t units, int64_t per_second) {
  char *p = to;
  int64_t hours = seconds / 3600;
  uint32_t rest = (uint32_t)(seconds - hours * 3600);
  if (hours < 100) put_pair(p, (uint32_t)hours), p += 2;
  else p += put_unsigned(p, (uint64_t)hours);
  *p++ = ':';
  put_pair(p, rest / 60);
  p[2] = ':';
  put_pair(p + 3, rest % 60);
  p += 5;
  return (size_t)(p - to) + put_fraction(p, units, per_second);
}

static size_t print_days(const tn_scalar *s, const uint8_t *p, char *to) {
  return put_date(to, load_signed(p, s->width));
}

/* date64: whole days in milliseconds; a part of a day is shown, not dropped. */
static size_t print_date_ms(const tn_scalar *s, const uint8_t *p, char *to) {
  int64_t ms = load_signed(p, 8), days = floor_divide(ms, 86400000),
          rest = floor_rest(ms, 86400000);
  size_t n = put_date(to, days);
  if (rest == 0) return n;
  to[n] = 'T';
  return n + 1 + put_time(to + n + 1, rest / 1000, rest % 1000, s->per_second);
}

static size_t print_time(const tn_scalar *s, const uint8_t *p, char *to) {
  int64_t v = load_signed(p, s->width);
  size_t n = 0;
  if (v < 0) {
    to[n++] = '-';
    v = v == INT64_MIN ? INT64_MAX : -v;
  }
  return n + put_time(to + n, v / s->per_second, v % s->per_second, s->per_second);
}

static size_t put_zone(char *to, int32_t minutes) {
  if (minutes == 0) {
    *to = 'Z';
    return 1;
  }
  uint32_t magnitude = (uint32_t)(minutes < 0 ? -minutes : minutes);
  to[0] = minutes < 0 ? '-' : '+';
  put_pair(to + 1, magnitude / 60 % 100);
  to[3] = ':';
  put_pair(to + 4, magnitude % 60);
  return 6;
}

static size_t print_timestamp(const tn_scalar *s, const uint8_t *p, char *to) {
  int64_t v = load_signed(p, 8), seconds = floor_divide(v, s->per_second),
          units = floor_rest(v, s->per_second);
  int64_t local = floor_rest(seconds, 86400) + s->zone_minutes * 60;
  int64_t days = floor_divide(seconds, 86400) + floor_divide(local, 86400),
          rest = floor_rest(local, 86400);
  size_t n = put_date(to, days);
  to[n++] = 'T';
  n += put_time(to + n, rest, units, s->per_second);
  return s->zoned ? n + put_zone(to + n, s->zone_minutes) : n;
}

/* ---- Durations and intervals ---- */

/* 1.5S, -0.25S */
static size_t put_seconds(char *to, int64_t v, int64_t per_second) {
  char *p = to;
  if (v < 0) *p++ = '-';
  uint64_t magnitude = v < 0 ? 0 - (uint64_t)v : (uint64_t)v, per = (uint64_t)per_second;
  p += put_unsigned(p, magnitude / per);
  p += put_fraction(p, (int64_t)(magnitude % per), per_second);
  *p++ = 'S';
  return (size_t)(p - to);
}

static size_t print_duration(const tn_scalar *s, const uint8_t *p, char *to) {
  memcpy(to, "PT", 2);
  return 2 + put_seconds(to + 2, load_signed(p, 8), s->per_second);
}

/* The parts that are not 0; PT0S where there are none. */
static size_t put_interval(char *to, int64_t months, int64_t days, int64_t units,
                           int64_t per_second) {
  char *p = to;
  *p++ = 'P';
  if (months) {
    p += put_signed(p, months);
    *p++ = 'M';
  }
  if (days) {
    p += put_signed(p, days);
    *p++ = 'D';
  }
  if (units || p == to + 1) {
    *p++ = 'T';
    p += put_seconds(p, units, per_second);
  }
  return (size_t)(p - to);
}

static size_t print_months(const tn_scalar *s, const uint8_t *p, char *to) {
  return put_interval(to, load_signed(p, 4), 0, 0, s->per_second);
}

static size_t print_day_ms(const tn_scalar *s, const uint8_t *p, char *to) {
  return put_interval(to, 0, load_signed(p, 4), load_signed(p + 4, 4), s->per_second);
}

static size_t print_month_day_ns(const tn_scalar *s, const uint8_t *p, char *to) {
  return put_interval(to, load_signed(p, 4), load_signed(p + 4, 4), load_signed(p + 8, 8),
                      s->per_second);
}

/* ---- Formats ---- */

static const struct {
  char format[4];
  tn_scalar scalar;
} plain[] = {
    {"c", {.print = print_signed, .width = 1, .is_number = true}},
    {"s", {.print = print_signed, .width = 2, .is_number = true}},
    {"i", {.print = print_signed, .width = 4, .is_number = true}},
    {"l", {.print = print_signed, .width = 8, .is_number = true}},
    {"C", {.print = print_unsigned, .width = 1, .is_number = true}},
    {"S", {.print = print_unsigned, .width = 2, .is_number = true}},
    {"I", {.print = print_unsigned, .width = 4, .is_number = true}},
    {"L", {.print = print_unsigned, .width = 8, .is_number = true}},
    {"e", {.print = print_f16, .width = 2, .is_number = true}},
    {"f", {.print = print_f32, .width = 4, .is_number = true}},
    {"g", {.print = print_f64, .width = 8, .is_number = true}},
    {"tdD", {.print = print_days, .width = 4}},
    {"tdm", {.print = print_date_ms, .width = 8, .per_second = 1000}},
    {"tts", {.print = print_time, .width = 4, .per_second = 1}},
    {"ttm", {.print = print_time, .width = 4, .per_second = 1000}},
    {"ttu", {.print = print_time, .width = 8, .per_second = 1000000}},
    {"ttn", {.print = print_time, .width = 8, .per_second = 1000000000}},
    {"tDs", {.print = print_duration, .width = 8, .per_second = 1}},
    {"tDm", {.print = print_duration, .width = 8, .per_second = 1000}},
    {"tDu", {.print = print_duration, .width = 8, .per_second = 1000000}},
    {"tDn", {.print = print_duration, .width = 8, .per_second = 1000000000}},
    {"tiM", {.print = print_months, .width = 4, .per_second = 1}},
    {"tiD", {.print = print_day_ms, .width = 8, .per_second = 1000}},
    {"tin", {.print = print_month_day_ns, .width = 16, .per_second = 1000000000}},
};

/* +02:00, -0530, +02; all other zones are 0 minutes, which prints the instant in UTC. */
static int32_t zone_minutes(const char *zone) {
  if (zone[0] != '+' && zone[0] != '-') return 0;
  int hours = 0, minutes = 0;
  if (sscanf(zone + 1, "%2d:%2d", &hours, &minutes) < 2)
    sscanf(zone + 1, "%2d%2d", &hours, &minutes);
  int32_t all = hours * 60 + minutes;
  return zone[0] == '-' ? -all : all;
}

static bool timestamp_init(tn_scalar *ret, const char *format) {
  int64_t per_second = 1;
  for (const char *unit = "smun"; *unit && *unit != format[2]; unit++) per_second *= 1000;
  *ret = (tn_scalar){
      .print = print_timestamp,
      .width = 8,
      .per_second = per_second,
      .zoned = format[4] != 0,
      .zone_minutes = zone_minutes(format + 4),
  };
  return per_second <= 1000000000;
}

static bool decimal_init(tn_scalar *ret, const char *format) {
  int precision, scale, bits = 128;
  if (sscanf(format, "d:%d,%d,%d", &precision, &scale, &bits) < 2) return false;
  *ret = (tn_scalar){.print = print_decimal, .width = bits / 8, .scale = scale, .is_number = true};
  return (bits == 32 || bits == 64 || bits == 128 || bits == 256) && scale >= -40 && scale <= 76;
}

bool tn_scalar_init(tn_scalar *ret, const char *format) {
  for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++)
    if (strcmp(plain[i].format, format) == 0) {
      *ret = plain[i].scalar;
      return true;
    }
  if (format[0] == 'd') return decimal_init(ret, format);
  return format[0] == 't' && format[1] == 's' && format[2] && format[3] == ':' &&
         timestamp_init(ret, format);
}
