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

/* Behind the line that all PEM files begin with, which messages speak of. */
static const char *own_part(const char *secret) {
  const char *line = strncmp(secret, "-----", 5) == 0 ? strchr(secret, '\n') : NULL;
  return line ? line + 1 : secret;
}

static void redact(tenon_error *err, const char *const *secrets, size_t count, bool cut) {
  for (size_t i = 0; i < count; i++) {
    const char *secret = secrets[i] ? own_part(secrets[i]) : "";
    size_t size = strnlen(secret, MAX_SECRET);
    if (size < SHORTEST) continue;
    hide_everywhere(err->message, secret, size, cut);
    hide_everywhere(err->remedy, secret, size, cut);
  }
}

/* All whole ones first: the beginning of one may be that of another. */
void tn_error_redact(tenon_error *err, const char *const *secrets, size_t count) {
  if (!err || err->code == TENON_OK) return;
  redact(err, secrets, count, false);
  redact(err, secrets, count, true);
}
