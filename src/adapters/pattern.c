/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/pattern.h"

#include <stdint.h>
#include <string.h>

#include "base/error.h"
#include "base/str.h"

enum { MAX_ALTERNATIVES = 1024, MAX_PATTERN = 4096 };

bool tn_pattern_is(const char *text) { return strpbrk(text, "*?[{") != NULL; }

size_t tn_pattern_prefix(const char *pattern) {
  size_t n = strcspn(pattern, "*?[{");
  while (n > 0 && pattern[n - 1] != '/') n--;
  return n;
}

/* ---- One part of a key: between two slashes ---- */

/* The size of the set [...] at the beginning, 0 if it is none; *ret_in: is c in it? */
static size_t match_set(const char *p, size_t size, char c, bool *ret_in) {
  size_t i = 1;
  bool negated = size > 1 && (p[1] == '!' || p[1] == '^'), in = false;
  if (negated) i++;
  for (size_t first = i; i < size && (p[i] != ']' || i == first); i++) {
    if (i + 2 < size && p[i + 1] == '-' && p[i + 2] != ']') {
      in = in || (c >= p[i] && c <= p[i + 2]);
      i += 2;
    } else {
      in = in || c == p[i];
    }
  }
  if (i >= size) return 0;
  *ret_in = in != negated;
  return i + 1;
}

/* The size of the element at the beginning of a pattern (not *), if it matches c; else 0. */
static size_t match_one(const char *p, size_t size, char c) {
  bool in = false;
  if (*p == '?') return 1;
  if (*p == '[') {
    size_t n = match_set(p, size, c, &in);
    if (n) return in ? n : 0;
  }
  return *p == c ? 1 : 0;
}

/* On a misfit only the last * is tried again, with one character more: no other could help. */
static bool match_part(const char *p, size_t p_size, const char *k, size_t k_size) {
  size_t i = 0, j = 0, star = SIZE_MAX, behind = 0;
  if (k_size && (k[0] == '.' || k[0] == '_') && p_size && p[0] != k[0]) return false;
  while (j < k_size) {
    size_t n = i < p_size && p[i] != '*' ? match_one(p + i, p_size - i, k[j]) : 0;
    if (n) {
      i += n;
      j++;
    } else if (i < p_size && p[i] == '*') {
      star = i++;
      behind = j;
    } else if (star != SIZE_MAX) {
      i = star + 1;
      j = ++behind;
    } else {
      return false;
    }
  }
  while (i < p_size && p[i] == '*') i++;
  return i == p_size;
}

/* ---- Whole keys ---- */

static size_t part_size(const char *text, size_t size) {
  const char *slash = memchr(text, '/', size);
  return slash ? (size_t)(slash - text) : size;
}

static bool is_deep(const char *p, size_t size) { return size == 2 && p[0] == '*' && p[1] == '*'; }

static bool is_hidden(const char *k) { return *k == '.' || *k == '_'; }

/* As with characters, so with parts: on a misfit the last ** takes one part more. */
bool tn_pattern_matches(const char *p, size_t p_size, const char *k, size_t k_size) {
  size_t i = 0, j = 0, deep = SIZE_MAX, behind = 0;
  for (;;) {
    bool p_ended = i > p_size || (i == p_size && i > 0), k_ended = j > k_size || (j == k_size && j > 0);
    if (p_ended && k_ended) return true;
    size_t pn = p_ended ? 0 : part_size(p + i, p_size - i), kn = k_ended ? 0 : part_size(k + j, k_size - j);
    if (!p_ended && is_deep(p + i, pn)) {
      deep = i += pn + 1;
      behind = j;
    } else if (!p_ended && !k_ended && match_part(p + i, pn, k + j, kn)) {
      i += pn + 1;
      j += kn + 1;
    } else if (deep != SIZE_MAX && behind < k_size && !is_hidden(k + behind)) {
      behind += part_size(k + behind, k_size - behind) + 1;
      if (behind > k_size) return deep > p_size;
      i = deep;
      j = behind;
    } else {
      return false;
    }
  }
}

/* ---- Alternatives ---- */

typedef struct tn_expansion {
  tenon_status (*each)(void *arg, const char *alternative, tenon_error *err);
  void *arg;
  int count;
} tn_expansion;

static tenon_status unclosed(tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "close the brace: {a,b}; or write [{] for the character itself",
                    "a brace of the pattern is not closed");
}

/* Where the brace at text[0] ends, seen with the braces inside of it; NULL: nowhere. */
static const char *closing(const char *text) {
  int depth = 0;
  for (; *text; text++) {
    if (*text == '{') depth++;
    if (*text == '}' && --depth == 0) return text;
  }
  return NULL;
}

static tenon_status expand(tn_expansion *x, const char *pattern, tenon_error *err);

static tenon_status expand_with(tn_expansion *x, const char *pattern, size_t before, const char *choice, size_t choice_size,
                                const char *after, tenon_error *err) {
  tn_str whole;
  tn_str_init(&whole, MAX_PATTERN);
  tn_str_add(&whole, pattern, before);
  tn_str_add(&whole, choice, choice_size);
  tn_str_puts(&whole, after);
  tenon_status status = whole.failed ? tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "shorten it", "the pattern is too long")
                                     : expand(x, tn_str_text(&whole), err);
  tn_str_release(&whole);
  return status;
}

static tenon_status expand(tn_expansion *x, const char *pattern, tenon_error *err) {
  size_t open = 0;
  while (pattern[open] && pattern[open] != '{') open += pattern[open] == '[' && pattern[open + 1] == '{' && pattern[open + 2] == ']' ? 3 : 1;
  if (!pattern[open]) {
    if (++x->count > MAX_ALTERNATIVES)
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "use fewer braces", "the pattern has more than %d alternatives", MAX_ALTERNATIVES);
    return x->each(x->arg, pattern, err);
  }
  const char *end = closing(pattern + open);
  if (!end) return unclosed(err);
  int depth = 0;
  const char *begin = pattern + open + 1;
  for (const char *at = begin;; at++) {
    if (*at == '{') depth++;
    if ((*at == ',' && depth == 0) || at == end) {
      tenon_status status = expand_with(x, pattern, open, begin, (size_t)(at - begin), end + 1, err);
      if (status || at == end) return status;
      begin = at + 1;
    }
    if (*at == '}') depth--;
  }
}

tenon_status tn_pattern_expand(const char *pattern, tenon_status (*each)(void *arg, const char *alternative, tenon_error *err),
                               void *arg, tenon_error *err) {
  tn_expansion x = {.each = each, .arg = arg};
  if (strlen(pattern) >= MAX_PATTERN)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "shorten it", "the pattern is too long");
  return expand(&x, pattern, err);
}
