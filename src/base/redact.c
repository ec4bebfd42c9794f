/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets in messages. A system that refuses something often says what it got, in one of the ways in which it travelled:
 * as it is, percent-encoded, with JSON's backslashes, or in base64 with a user's name before it; and who quotes it may cut
 * it in the middle. Rather too much is hidden than too little.
 */
#include <string.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/percent.h"

enum {
  SHORTEST = 3,         /* one or two letters stand in every message and betray nothing there */
  LONG = 8, PIECE = 6,  /* so much of a long secret's beginning is hidden, too */
  MAX_SECRET = 8192
};

/* How many bytes of the text stand for the character, 0: they stand for another one. */
static size_t stands_for(const char *text, char c) {
  if (*text == c) return 1;
  if (*text == '+' && c == ' ') return 1;
  if (*text == '\\' && text[1] == c) return 2;
  if (*text != '%' || tn_hex_digit(text[1]) < 0 || tn_hex_digit(text[2]) < 0) return 0;
  return tn_hex_digit(text[1]) << 4 == (c & 0xF0) && tn_hex_digit(text[2]) == (c & 0x0F) ? 3 : 0;
}

/* How many bytes of the text are the secret (`cut`: or enough of its beginning); 0: they are not. */
static size_t match(const char *text, const char *secret, size_t size, bool cut) {
  size_t used = 0, known = 0, step = 1;
  while (known < size && (step = stands_for(text + used, secret[known]))) {
    used += step;
    known++;
  }
  return known == size || (cut && size >= LONG && known >= PIECE) ? used : 0;
}

static void hide(char *text, const char *secret, size_t size, bool cut) {
  for (char *at = text; *at; at++) {
    size_t used = match(at, secret, size, cut);
    if (!used) continue;
    size_t stars = used < 3 ? used : 3;
    memset(at, '*', stars);
    memmove(at + stars, at + used, strlen(at + used) + 1);
    at += stars - 1;
  }
}

/* In base64 a secret has one of three spellings, by how many bytes stand before it. At both ends a character belongs to
 * its neighbours as well: these are left out. */
static void hide_base64(char *text, const char *secret, size_t size, bool cut) {
  char padded[MAX_SECRET + 2] = {0, 0};
  tn_str encoded;
  tn_str_init(&encoded, 2 * MAX_SECRET);
  memcpy(padded + 2, secret, size);
  for (size_t before = 0; before < 3; before++) {
    size_t first = (before * 8 + 5) / 6, last = (before + size) * 8 / 6;
    tn_str_clear(&encoded);
    if (last - first >= LONG && tn_base64_encode(&encoded, padded + 2 - before, before + size))
      hide(text, encoded.data + first, last - first, cut);
  }
  tn_str_release(&encoded);
}

static void hide_everywhere(char *text, const char *secret, size_t size, bool cut) {
  hide(text, secret, size, cut);
  hide_base64(text, secret, size, cut);
}

typedef struct part {
  const char *text;
  size_t size;
} part;

enum { PARTS = 3 };

/* Who logs in there, the password alone, and the path and query: host and port stand in messages with good reason. */
static size_t split_url(const char *authority, part ret[PARTS]) {
  size_t size = strcspn(authority, "/?#"), at = size, n = 0;
  while (at > 0 && authority[at] != '@') at--;
  const char *colon = memchr(authority, ':', at), *path = authority + size;
  if (at) ret[n++] = (part){authority, at};
  if (colon) ret[n++] = (part){colon + 1, (size_t)(authority + at - colon) - 1};
  if (*path) ret[n++] = (part){path + 1, strnlen(path + 1, MAX_SECRET)};
  return n;
}

/* What of it is secret. Not the line that all PEM files begin with, which messages speak of. */
static size_t split(const char *secret, part ret[PARTS]) {
  const char *line = strncmp(secret, "-----", 5) == 0 ? strchr(secret, '\n') : NULL;
  const char *authority = strncmp(secret, "http", 4) == 0 ? strstr(secret, "://") : NULL;
  if (authority) return split_url(authority + 3, ret);
  if (line) secret = line + 1;
  ret[0] = (part){secret, strnlen(secret, MAX_SECRET)};
  return 1;
}

static void redact(tenon_error *err, const char *const *secrets, size_t count, bool cut) {
  for (size_t i = 0; i < count; i++) {
    part parts[PARTS];
    size_t n = secrets[i] ? split(secrets[i], parts) : 0;
    for (size_t k = 0; k < n; k++) {
      if (parts[k].size < SHORTEST || parts[k].size > MAX_SECRET) continue;
      hide_everywhere(err->message, parts[k].text, parts[k].size, cut);
      hide_everywhere(err->remedy, parts[k].text, parts[k].size, cut);
    }
  }
}

/* All whole ones first: the beginning of one may be that of another. */
void tn_error_redact(tenon_error *err, const char *const *secrets, size_t count) {
  if (!err || err->code == TENON_OK) return;
  redact(err, secrets, count, false);
  redact(err, secrets, count, true);
}
