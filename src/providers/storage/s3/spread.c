/* SPDX-License-Identifier: Apache-2.0 */
#include "spread.h"

#include <math.h>
#include <string.h>

enum { MOST_DIGITS = 14, SAMPLES = 64 };

static size_t common(const char *a, size_t a_size, const char *b, size_t b_size) {
  size_t n = 0;
  while (n < a_size && n < b_size && a[n] == b[n]) n++;
  return n;
}

/* ---- Keys as numbers ---- */

static double base_of(const tn_s3_spread *s) { return s->digit_count + 1; }

static double places(const tn_s3_spread *s, size_t n) {
  double value = 1;
  while (n--) value *= base_of(s);
  return value;
}

/* 0 is the key's end; characters that were not seen are like those before them. */
static int digit_of(const tn_s3_spread *s, char c) {
  int n = 0;
  while (n < s->digit_count && (unsigned char)s->digits[n] <= (unsigned char)c) n++;
  return n;
}

/* From `at` on, between 0 and 1. */
static double number_of(const tn_s3_spread *s, size_t at, const char *key, size_t size) {
  double value = 0, unit = 1;
  for (size_t i = at; i < size && i < at + MOST_DIGITS; i++) {
    unit /= base_of(s);
    value += digit_of(s, key[i]) * unit;
  }
  return value;
}

/* ---- Learning ---- */

static void see_digits(const tn_s3_page *p, size_t at, tn_s3_spread *ret) {
  bool seen[128] = {false};
  size_t step = p->count / SAMPLES + 1;
  for (size_t i = 0; i < p->count; i += step) {
    const unsigned char *key = (const unsigned char *)tn_s3_key_at(p, i);
    for (size_t k = at; k < p->items[i].size && k < at + MOST_DIGITS; k++)
      if (key[k] < 128) seen[key[k]] = true;
  }
  for (int c = ' '; c < 127; c++)
    if (seen[c]) ret->digits[ret->digit_count++] = (char)c;
}

static size_t folder_size(const char *key, size_t size) {
  const char *slash = size ? memrchr(key, '/', size) : NULL;
  return slash ? (size_t)(slash - key) + 1 : 0;
}

static double count_folders(const tn_s3_page *p) {
  double count = 1;
  for (size_t i = 1; i < p->count; i++) {
    const char *key = tn_s3_key_at(p, i), *before = tn_s3_key_at(p, i - 1);
    size_t size = folder_size(key, p->items[i].size), size_before = folder_size(before, p->items[i - 1].size);
    count += size != size_before || memcmp(key, before, size) != 0;
  }
  return count;
}

void tn_s3_learn(const tn_s3_page *p, tn_s3_spread *ret) {
  tn_s3_spread s = {.folders = 1};
  if (p->count < 2) return;
  const char *first = tn_s3_key_at(p, 0), *last = tn_s3_key_at(p, p->count - 1);
  size_t first_size = p->items[0].size, last_size = p->items[p->count - 1].size;
  s.at = common(first, first_size, last, last_size);
  see_digits(p, s.at, &s);
  s.page = number_of(&s, s.at, last, last_size) - number_of(&s, s.at, first, first_size);
  s.folders = count_folders(p);
  if (s.page <= 0) s.digit_count = 0;
  *ret = s;
}

/* ---- Guessing ---- */

double tn_s3_pages_between(const tn_s3_spread *s, const tn_s3_key *low, const tn_s3_key *high) {
  if (!high) return INFINITY;
  size_t at = common(low->text, low->size, high->text, high->size);
  if (at > s->at) at = s->at;
  if (s->at - at > MOST_DIGITS / 2) return INFINITY;
  double distance = number_of(s, at, high->text, high->size) - number_of(s, at, low->text, low->size);
  return distance * places(s, s->at - at) / s->page;
}

static bool is_within_character(const tn_s3_key *key, size_t at) {
  return at < key->size && ((unsigned char)key->text[at] & 0xC0) == 0x80;
}

/* The shortest key with that number, near enough. */
static bool spell(const tn_s3_spread *s, const tn_s3_key *low, size_t at, double value, size_t digits, tn_s3_key *ret) {
  memcpy(ret->text, low->text, at);
  ret->size = at;
  for (size_t i = 0; i < digits && ret->size < TN_S3_MAX_KEY; i++) {
    value *= base_of(s);
    int digit = (int)value;
    value -= digit;
    if (digit == 0) break;
    ret->text[ret->size++] = s->digits[digit - 1];
  }
  ret->text[ret->size] = 0;
  return tn_s3_compare(ret, low) > 0;
}

bool tn_s3_key_behind(const tn_s3_spread *s, const tn_s3_key *low, double pages, size_t floor, tn_s3_key *ret) {
  size_t at = s->at < low->size ? s->at : low->size;
  for (size_t back = 0; back <= MOST_DIGITS / 2 && at >= floor + back; back++) {
    size_t from = at - back;
    double value = number_of(s, from, low->text, low->size) + pages * s->page / places(s, s->at - from);
    if (value < 1 && !is_within_character(low, from)) return spell(s, low, from, value, back + 4, ret);
  }
  return false;
}
