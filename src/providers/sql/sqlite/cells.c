/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Stored values into columns. Each function takes the values of one rule and refuses what does not
 * fit; the rules are in types.c. These run once a cell, so they write into the column's buffers.
 */
#include "sqlite.h"

#include <stdio.h>

__extension__ typedef __int128 wide;

enum { SHOWN_BYTES = 40, MAX_EXACT_SCALE = 22, MAX_MICRO_DIGITS = 6 };

static const double max_exact_int = 9007199254740992.0; /* 2^53 */

static const uint64_t tens[] = {
    UINT64_C(1), UINT64_C(10), UINT64_C(100), UINT64_C(1000), UINT64_C(10000), UINT64_C(100000),
    UINT64_C(1000000), UINT64_C(10000000), UINT64_C(100000000), UINT64_C(1000000000),
    UINT64_C(10000000000), UINT64_C(100000000000), UINT64_C(1000000000000),
    UINT64_C(10000000000000), UINT64_C(100000000000000), UINT64_C(1000000000000000),
    UINT64_C(10000000000000000), UINT64_C(100000000000000000), UINT64_C(1000000000000000000),
    UINT64_C(10000000000000000000)};

enum { TENS = sizeof tens / sizeof *tens };

/* ---- Numbers ---- */

static tn_sqlite_cell put_int(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                              int storage) {
  (void)type;
  if (storage != SQLITE_INTEGER) return TN_SQLITE_MISFIT;
  ((int64_t *)(void *)c->data.data)[c->length++] = sqlite3_value_int64(v);
  return TN_SQLITE_FITS;
}

static tn_sqlite_cell put_real(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  if (storage == SQLITE_INTEGER) {
    int64_t i = sqlite3_value_int64(v);
    bool exact = i <= (INT64_C(1) << 53) && i >= -(INT64_C(1) << 53);
    if (!exact && !type->rounds) return TN_SQLITE_MISFIT;
  } else if (storage != SQLITE_FLOAT) {
    return TN_SQLITE_MISFIT;
  }
  ((double *)(void *)c->data.data)[c->length++] = sqlite3_value_double(v);
  return TN_SQLITE_FITS;
}

static tn_sqlite_cell put_bool(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  (void)type;
  int64_t i = storage == SQLITE_INTEGER ? sqlite3_value_int64(v) : -1;
  if (i != 0 && i != 1) return TN_SQLITE_MISFIT;
  return tn_append_bool(c, i == 1) ? TN_SQLITE_FITS : TN_SQLITE_NO_MEMORY;
}

/* A power of ten up to 10^22 is a double exactly, and so is n: the division is rounded once, to the
 * double nearest to n / 10^scale. */
bool tn_sqlite_unscaled(double v, int32_t scale, int64_t *ret) {
  if (scale > MAX_EXACT_SCALE) return false;
  double power =
      scale < TENS ? (double)tens[scale] : (double)tens[TENS - 1] * (double)tens[scale - TENS + 1];
  double scaled = v * power;
  if (!(scaled >= -max_exact_int && scaled <= max_exact_int)) return false;
  int64_t n = (int64_t)scaled;
  if ((double)n != scaled) n = (int64_t)(scaled + (scaled < 0 ? -0.5 : 0.5));
  *ret = n;
  return (double)n / power == v;
}

static bool has_digits(uint64_t n, int32_t digits) { return digits >= TENS || n < tens[digits]; }

static uint64_t magnitude(int64_t n) { return n < 0 ? 0 - (uint64_t)n : (uint64_t)n; }

static tn_sqlite_cell put_decimal(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                                  int storage) {
  wide value;
  int64_t n;
  if (storage == SQLITE_FLOAT) {
    if (!tn_sqlite_unscaled(sqlite3_value_double(v), type->scale, &n) ||
        !has_digits(magnitude(n), type->precision))
      return TN_SQLITE_MISFIT;
    value = n;
  } else if (storage == SQLITE_INTEGER) {
    n = sqlite3_value_int64(v);
    if (!has_digits(magnitude(n), type->precision - type->scale)) return TN_SQLITE_MISFIT;
    value = n;
    for (int32_t left = type->scale; left > 0; left -= TENS - 1)
      value *= (wide)tens[left < TENS - 1 ? left : TENS - 1];
  } else {
    return TN_SQLITE_MISFIT;
  }
  memcpy(c->data.data + 16 * c->length++, &value, 16);
  return TN_SQLITE_FITS;
}

/* ---- Text and blobs ---- */

static bool is_ascii(const char *s, size_t n) {
  uint64_t high = 0, word;
  if (n < 8) {
    for (size_t i = 0; i < n; i++) high |= (uint64_t)(unsigned char)s[i];
    return !(high & 0x80);
  }
  for (size_t i = 0; i + 8 <= n; i += 8) {
    memcpy(&word, s + i, 8);
    high |= word;
  }
  memcpy(&word, s + n - 8, 8);
  return !((high | word) & UINT64_C(0x8080808080808080));
}

static tn_sqlite_cell put_bytes(tn_column *c, const void *data, size_t size) {
  if (c->data_size + (int64_t)size > c->data.capacity && !tn_reserve(c, 1, (int64_t)size))
    return TN_SQLITE_NO_MEMORY;
  if (size) memcpy(c->data.data + c->data_size, data, size);
  c->data_size += (int64_t)size;
  ((int32_t *)(void *)c->offsets.data)[++c->length] = (int32_t)c->data_size;
  return TN_SQLITE_FITS;
}

static tn_sqlite_cell put_checked_text(tn_column *c, sqlite3_value *v) {
  const char *text = (const char *)sqlite3_value_text(v);
  if (!text) return TN_SQLITE_NO_MEMORY;
  size_t size = (size_t)sqlite3_value_bytes(v);
  if (!is_ascii(text, size) && !tn_utf8_valid(text, size, NULL)) return TN_SQLITE_MISFIT;
  return put_bytes(c, text, size);
}

static tn_sqlite_cell put_text(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  (void)type;
  return storage == SQLITE_TEXT ? put_checked_text(c, v) : TN_SQLITE_MISFIT;
}

static tn_sqlite_cell put_blob(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  (void)type;
  if (storage != SQLITE_BLOB) return TN_SQLITE_MISFIT;
  const void *data = sqlite3_value_blob(v);
  size_t size = (size_t)sqlite3_value_bytes(v);
  return data || size == 0 ? put_bytes(c, data, size) : TN_SQLITE_NO_MEMORY;
}

static tn_sqlite_cell put_number_text(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                                      int storage) {
  char digits[TN_FLOAT_ROOM];
  (void)type;
  if (storage == SQLITE_INTEGER) return put_checked_text(c, v);
  if (storage != SQLITE_FLOAT) return TN_SQLITE_MISFIT;
  return put_bytes(c, digits, tn_print_f64(sqlite3_value_double(v), digits));
}

static tn_sqlite_cell put_any_text(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                                   int storage) {
  if (storage == SQLITE_TEXT) return put_checked_text(c, v);
  return put_number_text(c, type, v, storage);
}

/* ---- Dates and times ---- */

typedef struct scanner {
  const char *at, *end;
} scanner;

static bool scan_digits(scanner *s, int count, int *ret) {
  int n = 0;
  if (s->end - s->at < count) return false;
  for (int i = 0; i < count; i++) {
    unsigned digit = (unsigned char)s->at[i] - (unsigned)'0';
    if (digit > 9) return false;
    n = n * 10 + (int)digit;
  }
  s->at += count;
  *ret = n;
  return true;
}

static bool scan_char(scanner *s, char c) {
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool is_leap(int y) { return (y % 4 == 0 && y % 100 != 0) || y % 400 == 0; }

static int days_in(int year, int month) {
  static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  return days[month - 1] + (month == 2 && is_leap(year));
}

/* Years begin in March, so that the leap day is the last; years from -1 on. */
static int32_t days_of(int32_t y, int m, int d) {
  static const int16_t before[] = {306, 337, 0, 31, 61, 92, 122, 153, 184, 214, 245, 275};
  uint32_t years = (uint32_t)(y - (m <= 2) + 400), era = years / 400, in_era = years % 400;
  int32_t whole_years = (int32_t)(era * 146097 + in_era * 365 + in_era / 4 - in_era / 100);
  return whole_years + before[m - 1] + d - 1 - 719468 - 146097;
}

static bool scan_date(scanner *s, int32_t *ret_days) {
  int y, m, d;
  if (!scan_digits(s, 4, &y) || !scan_char(s, '-') || !scan_digits(s, 2, &m) ||
      !scan_char(s, '-') || !scan_digits(s, 2, &d))
    return false;
  if (m < 1 || m > 12 || d < 1 || d > days_in(y, m)) return false;
  *ret_days = days_of(y, m, d);
  return true;
}

/* Six digits count; behind them only zeros may stand. */
static bool scan_fraction(scanner *s, int64_t *ret_us) {
  int64_t us = 0;
  int digits = 0;
  for (; s->at < s->end && *s->at >= '0' && *s->at <= '9'; s->at++, digits++) {
    if (digits < MAX_MICRO_DIGITS) us = us * 10 + (*s->at - '0');
    else if (*s->at != '0') return false;
  }
  if (digits == 0) return false;
  for (; digits < MAX_MICRO_DIGITS; digits++) us *= 10;
  *ret_us = us;
  return true;
}

/* HH:MM[:SS[.f…]] */
static bool scan_time(scanner *s, int64_t *ret_us) {
  int h, m, sec = 0;
  int64_t us = 0;
  if (!scan_digits(s, 2, &h) || !scan_char(s, ':') || !scan_digits(s, 2, &m)) return false;
  if (scan_char(s, ':') &&
      (!scan_digits(s, 2, &sec) || (scan_char(s, '.') && !scan_fraction(s, &us))))
    return false;
  if (h > 23 || m > 59 || sec > 59) return false;
  *ret_us = ((int64_t)h * 3600 + m * 60 + sec) * 1000000 + us;
  return true;
}

/* Z, +02:00, -0330, +02; with one space in front at most. */
static bool scan_zone(scanner *s, int64_t *ret_us) {
  int h, m = 0;
  scan_char(s, ' ');
  *ret_us = 0;
  if (scan_char(s, 'Z') || scan_char(s, 'z')) return true;
  bool minus = s->at < s->end && *s->at == '-';
  if (!scan_char(s, '-') && !scan_char(s, '+')) return false;
  if (!scan_digits(s, 2, &h)) return false;
  if (s->at < s->end && (scan_char(s, ':') || true) && !scan_digits(s, 2, &m)) return false;
  if (h > 23 || m > 59) return false;
  *ret_us = (minus ? -1 : 1) * ((int64_t)h * 3600 + m * 60) * 1000000;
  return true;
}

static bool scan_timestamp(scanner *s, int64_t *ret_us) {
  int32_t days;
  int64_t us = 0;
  if (!scan_date(s, &days)) return false;
  if ((scan_char(s, 'T') || scan_char(s, ' ')) && !scan_time(s, &us)) return false;
  *ret_us = days * INT64_C(86400000000) + us;
  return true;
}

static bool scanner_of(sqlite3_value *v, int storage, scanner *ret) {
  if (storage != SQLITE_TEXT) return false;
  ret->at = (const char *)sqlite3_value_text(v);
  if (!ret->at) return false;
  ret->end = ret->at + sqlite3_value_bytes(v);
  return true;
}

static tn_sqlite_cell put_date(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  scanner s;
  int32_t days;
  (void)type;
  if (!scanner_of(v, storage, &s) || !scan_date(&s, &days) || s.at != s.end)
    return TN_SQLITE_MISFIT;
  ((int32_t *)(void *)c->data.data)[c->length++] = days;
  return TN_SQLITE_FITS;
}

static tn_sqlite_cell put_time(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                               int storage) {
  scanner s;
  int64_t us;
  (void)type;
  if (!scanner_of(v, storage, &s) || !scan_time(&s, &us) || s.at != s.end) return TN_SQLITE_MISFIT;
  ((int64_t *)(void *)c->data.data)[c->length++] = us;
  return TN_SQLITE_FITS;
}

static tn_sqlite_cell put_timestamp(tn_column *c, const tn_sqlite_type *type, sqlite3_value *v,
                                    int storage) {
  scanner s;
  int64_t us, zone = 0;
  bool with_zone = type->rule == TN_SQLITE_INSTANT;
  if (!scanner_of(v, storage, &s) || !scan_timestamp(&s, &us)) return TN_SQLITE_MISFIT;
  if ((with_zone && !scan_zone(&s, &zone)) || s.at != s.end) return TN_SQLITE_MISFIT;
  ((int64_t *)(void *)c->data.data)[c->length++] = us - zone;
  return TN_SQLITE_FITS;
}

/* ---- All of them ---- */

tn_sqlite_put tn_sqlite_put_of(tn_sqlite_rule rule) {
  static const tn_sqlite_put puts[] = {
      [TN_SQLITE_UNDECIDED] = put_text,      [TN_SQLITE_INT] = put_int,
      [TN_SQLITE_REAL] = put_real,           [TN_SQLITE_TEXT] = put_text,
      [TN_SQLITE_BLOB] = put_blob,           [TN_SQLITE_BOOL] = put_bool,
      [TN_SQLITE_DECIMAL] = put_decimal,     [TN_SQLITE_DATE] = put_date,
      [TN_SQLITE_TIME] = put_time,           [TN_SQLITE_TIMESTAMP] = put_timestamp,
      [TN_SQLITE_INSTANT] = put_timestamp,   [TN_SQLITE_NUMBER_TEXT] = put_number_text,
      [TN_SQLITE_ANY_TEXT] = put_any_text,
  };
  return puts[rule];
}

void tn_sqlite_take_back(tn_column *c, int64_t rows) {
  if (c->length <= rows) return;
  uint8_t bit = (uint8_t)(1u << (rows & 7));
  if (c->null_count && !(c->validity.data[rows >> 3] & bit)) {
    c->validity.data[rows >> 3] |= bit;
    c->null_count--;
  }
  c->length = rows;
  if (c->layout == TN_BINARY) c->data_size = ((int32_t *)(void *)c->offsets.data)[rows];
}

static void show_text(sqlite3_value *v, char *text, size_t room) {
  const char *all = (const char *)sqlite3_value_text(v);
  int size = all ? sqlite3_value_bytes(v) : 0, shown = size < SHOWN_BYTES ? size : SHOWN_BYTES;
  while (shown > 0 && shown < size && ((unsigned char)all[shown] & 0xC0) == 0x80) shown--;
  char copy[SHOWN_BYTES + 1];
  if (shown) memcpy(copy, all, (size_t)shown);
  bool valid = tn_utf8_valid(copy, (size_t)shown, NULL);
  for (int i = 0; i < shown; i++)
    if (!copy[i] || (!valid && (unsigned char)copy[i] >= 0x80)) copy[i] = '?';
  copy[shown] = 0;
  if (!valid) snprintf(text, room, "the text '%s', which is not UTF-8,", copy);
  else if (shown == size) snprintf(text, room, "the text '%s'", copy);
  else snprintf(text, room, "the text '%s' … (%d bytes)", copy, size);
}

void tn_sqlite_show_value(sqlite3_value *v, char *text, size_t room) {
  switch (sqlite3_value_type(v)) {
    case SQLITE_INTEGER:
      snprintf(text, room, "the integer %lld", (long long)sqlite3_value_int64(v));
      break;
    case SQLITE_FLOAT:
      snprintf(text, room, "the real %s", (const char *)sqlite3_value_text(v));
      break;
    case SQLITE_TEXT: show_text(v, text, room); break;
    case SQLITE_BLOB: snprintf(text, room, "a blob of %d bytes", sqlite3_value_bytes(v)); break;
    default: snprintf(text, room, "NULL"); break;
  }
}
