/* SPDX-License-Identifier: Apache-2.0 */
#include "base/str.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/mem.h"

void tn_str_init(tn_str *s, size_t max) { *s = (tn_str){.max = max}; }

void tn_str_release(tn_str *s) {
  tn_free(s->data);
  *s = (tn_str){.max = s->max};
}

void tn_str_clear(tn_str *s) {
  s->size = 0;
  s->failed = false;
  if (s->data) s->data[0] = 0;
}

const char *tn_str_text(const tn_str *s) { return s->data ? s->data : ""; }

bool tn_str_reserve(tn_str *s, size_t more) {
  if (s->failed) return false;
  if (more < s->capacity - s->size && s->data) return true;
  if (more > s->max - s->size) {
    s->failed = true;
    return false;
  }
  size_t want = s->size + more + 1;
  if (want < 64) want = 64;
  if (want < s->capacity * 2) want = s->capacity * 2;
  if (want > s->max + 1) want = s->max + 1;
  char *data = tn_resize(s->data, want);
  if (!data) {
    s->failed = true;
    return false;
  }
  s->data = data;
  s->capacity = want;
  return true;
}

bool tn_str_add(tn_str *s, const char *data, size_t size) {
  if (!tn_str_reserve(s, size)) return false;
  if (size) memcpy(s->data + s->size, data, size);
  s->size += size;
  s->data[s->size] = 0;
  return true;
}

bool tn_str_puts(tn_str *s, const char *text) { return tn_str_add(s, text, strlen(text)); }

bool tn_str_putc(tn_str *s, char c) { return tn_str_add(s, &c, 1); }

bool tn_str_printf(tn_str *s, const char *format, ...) {
  va_list args, again;
  va_start(args, format);
  va_copy(again, args);
  int n = vsnprintf(NULL, 0, format, args);
  va_end(args);
  bool ok = n >= 0 && tn_str_reserve(s, (size_t)n);
  if (ok) {
    vsnprintf(s->data + s->size, (size_t)n + 1, format, again);
    s->size += (size_t)n;
  }
  va_end(again);
  return ok;
}

char *tn_str_move(tn_str *s) {
  char *text = NULL;
  if (!s->failed && tn_str_reserve(s, 0)) {
    s->data[s->size] = 0;
    text = s->data;
    s->data = NULL;
  }
  tn_str_release(s);
  return text;
}

/* ---- Did you mean ---- */

enum { LONGEST_WORD = 64 };

size_t tn_edit_distance(const char *a, const char *b, size_t limit) {
  size_t na = strlen(a), nb = strlen(b);
  if (na > LONGEST_WORD || nb > LONGEST_WORD) return limit + 1;
  if ((na > nb ? na - nb : nb - na) > limit) return limit + 1;
  size_t row[LONGEST_WORD + 1];
  for (size_t j = 0; j <= nb; j++) row[j] = j;
  for (size_t i = 1; i <= na; i++) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= nb; j++) {
      size_t up = row[j], best = diagonal + (a[i - 1] != b[j - 1]);
      if (up + 1 < best) best = up + 1;
      if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
      diagonal = up;
      row[j] = best;
    }
  }
  return row[nb] > limit ? limit + 1 : row[nb];
}

const char *tn_nearest(const char *word, const char *const *candidates, size_t count) {
  size_t limit = strlen(word) / 3 + 1, best = limit + 1;
  const char *nearest = NULL;
  for (size_t i = 0; i < count; i++) {
    if (strcasecmp(word, candidates[i]) == 0) return candidates[i];
    size_t d = tn_edit_distance(word, candidates[i], limit);
    if (d < best) {
      best = d;
      nearest = candidates[i];
    }
  }
  return nearest;
}

/* ---- UTF-8 (RFC 3629) ---- */

/* The length of the valid sequence at p, or 0. */
static size_t sequence_length(const unsigned char *p, size_t left) {
  unsigned char c = p[0];
  if (c < 0x80) return 1;
  size_t n = c >= 0xF0 ? 4 : c >= 0xE0 ? 3 : 2;
  if (c < 0xC2 || c > 0xF4 || n > left) return 0;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  if ((c == 0xE0 && p[1] < 0xA0) || (c == 0xED && p[1] > 0x9F)) return 0; /* overlong; surrogates */
  if ((c == 0xF0 && p[1] < 0x90) || (c == 0xF4 && p[1] > 0x8F)) return 0; /* overlong; beyond U+10FFFF */
  return n;
}

bool tn_utf8_valid(const char *data, size_t size, size_t *ret_offset) {
  const unsigned char *p = (const unsigned char *)data;
  for (size_t i = 0; i < size;) {
    uint64_t word;
    if (size - i >= sizeof word && (memcpy(&word, p + i, sizeof word), (word & 0x8080808080808080u) == 0)) {
      i += sizeof word;
      continue;
    }
    size_t n = sequence_length(p + i, size - i);
    if (n == 0) {
      if (ret_offset) *ret_offset = i;
      return false;
    }
    i += n;
  }
  return true;
}
