/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mime_header.h"

#include <stdio.h>
#include <string.h>

#include "base/base64.h"
#include "net/mail_address.h"

enum {
  LINE = 76,          /* bytes of a line, where it can be folded */
  ENCODED_WORD = 75,  /* RFC 2047, 2 */
  ENCODED_FRAME = 12, /* =?utf-8?q??= */
  LONGEST_QUOTED = 60 /* a name between quotes cannot be folded well */
};

tn_mime_header tn_mime_header_begin(tn_str *out, const char *name) {
  tn_str_puts(out, name);
  tn_str_putc(out, ':');
  return (tn_mime_header){out, strlen(name) + 1};
}

void tn_mime_header_end(tn_mime_header *h) { tn_str_puts(h->out, "\r\n"); }

static void fold(tn_mime_header *h) {
  tn_str_puts(h->out, "\r\n");
  h->column = 0;
}

static void put(tn_mime_header *h, const char *text, size_t size) {
  tn_str_add(h->out, text, size);
  h->column += size;
}

void tn_mime_put_word(tn_mime_header *h, const char *text, size_t size) {
  if (h->column + 1 + size > LINE && h->column > 1) fold(h);
  put(h, " ", 1);
  put(h, text, size);
}

/* ---- Words beyond ASCII ---- */

static bool is_plain(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c && strchr("!*+-/", c));
}

static size_t q_size(unsigned char c) { return c == ' ' || is_plain(c) ? 1 : 3; }

static bool q_is_shorter(const char *text, size_t size) {
  size_t q = 0;
  for (size_t i = 0; i < size; i++) q += q_size((unsigned char)text[i]);
  return q <= (size + 2) / 3 * 4;
}

static size_t character_size(const char *text, size_t size) {
  size_t n = 1;
  while (n < size && ((unsigned char)text[n] & 0xC0) == 0x80) n++;
  return n;
}

/* How many bytes of whole characters fit into `room` once they are encoded. */
static size_t fitting(const char *text, size_t size, size_t room, bool q) {
  size_t taken = 0, cost = 0;
  while (taken < size) {
    size_t n = character_size(text + taken, size - taken);
    if (q)
      for (size_t i = 0; i < n; i++) cost += q_size((unsigned char)text[taken + i]);
    else
      cost = (taken + n + 2) / 3 * 4;
    if (cost > room) break;
    taken += n;
  }
  return taken;
}

static void add_q(tn_str *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == ' ')
      tn_str_putc(out, '_');
    else if (is_plain(c))
      tn_str_putc(out, (char)c);
    else
      tn_str_printf(out, "=%02X", c);
  }
}

static void put_encoded_word(tn_mime_header *h, const char *text, size_t size, bool q) {
  size_t before = h->out->size;
  tn_str_puts(h->out, q ? " =?utf-8?q?" : " =?utf-8?b?");
  if (q)
    add_q(h->out, text, size);
  else
    tn_base64_encode(h->out, text, size);
  tn_str_puts(h->out, "?=");
  h->column += h->out->size - before;
}

/* Spaces between encoded words do not count, those within do: all of the text is encoded. */
static void put_encoded(tn_mime_header *h, const char *text, size_t size) {
  bool q = q_is_shorter(text, size);
  while (size && !h->out->failed) {
    size_t used = h->column + 1 + ENCODED_FRAME;
    size_t room = used < LINE ? LINE - used : 0;
    if (room > ENCODED_WORD - ENCODED_FRAME) room = ENCODED_WORD - ENCODED_FRAME;
    size_t n = fitting(text, size, room, q);
    if (!n || (n < size && room < 24 && h->column > 1)) {
      fold(h);
      continue;
    }
    put_encoded_word(h, text, n, q);
    text += n;
    size -= n;
  }
}

static bool is_ascii(const char *text) {
  for (; *text; text++)
    if ((unsigned char)*text >= 0x80) return false;
  return true;
}

/* Would the text come back the same if it stood there as it is? */
static bool survives(const char *text) {
  size_t size = strlen(text), word = 0;
  if (!is_ascii(text) || strstr(text, "=?") || text[0] == ' ' || (size && text[size - 1] == ' '))
    return false;
  for (size_t i = 0; i < size; i++) {
    word = text[i] == ' ' ? 0 : word + 1;
    if (word > LINE || (text[i] == ' ' && text[i + 1] == ' ')) return false;
  }
  return true;
}

/* A line is folded before the spaces in front of a word, so that none has spaces alone. */
static void put_words(tn_mime_header *h, const char *text) {
  while (*text) {
    size_t spaces = strspn(text, " "), word = strcspn(text + spaces, " ");
    if (word && spaces && h->column + spaces + word > LINE) fold(h);
    put(h, text, spaces + word);
    text += spaces + word;
  }
}

void tn_mime_put_text(tn_mime_header *h, const char *text, bool as_it_is) {
  if (!(as_it_is ? is_ascii(text) : survives(text))) {
    put_encoded(h, text, strlen(text));
    return;
  }
  put(h, " ", 1);
  put_words(h, text);
}

/* ---- Addresses ---- */

static bool is_atoms(const char *text) {
  for (const char *c = text; *c; c++) {
    bool atom = (*c >= '0' && *c <= '9') || (*c >= 'A' && *c <= 'Z') || (*c >= 'a' && *c <= 'z') ||
                strchr("!#$%&'*+-/=?^_`{|}~", *c);
    if (!atom && *c != ' ') return false;
  }
  return true;
}

static void put_quoted(tn_mime_header *h, const char *text) {
  char quoted[2 * LONGEST_QUOTED + 3];
  size_t n = 0;
  quoted[n++] = '"';
  for (; *text; text++) {
    if (*text == '"' || *text == '\\') quoted[n++] = '\\';
    quoted[n++] = *text;
  }
  quoted[n++] = '"';
  tn_mime_put_word(h, quoted, n);
}

static void put_name(tn_mime_header *h, const char *name) {
  if (!survives(name) || strlen(name) > LONGEST_QUOTED) {
    put_encoded(h, name, strlen(name));
  } else if (is_atoms(name)) {
    for (size_t n; *name; name += n + strspn(name + n, " ")) {
      n = strcspn(name, " ");
      tn_mime_put_word(h, name, n);
    }
  } else {
    put_quoted(h, name);
  }
}

bool tn_mime_put_mailboxes(tn_mime_header *h, const tenon_mailbox *boxes, size_t count) {
  bool utf8 = false;
  for (size_t i = 0; i < count; i++) {
    char address[TN_MAIL_ADDRESS_ROOM], text[TN_MAIL_ADDRESS_ROOM + 4];
    bool named = boxes[i].name && *boxes[i].name;
    utf8 |= tn_mail_address_wire(boxes[i].address, address);
    if (named) put_name(h, boxes[i].name);
    int n =
        snprintf(text, sizeof text, named ? "<%s>%s" : "%s%s", address, i + 1 < count ? "," : "");
    tn_mime_put_word(h, text, (size_t)n);
  }
  return utf8;
}

/* ---- Parameters ---- */

static bool is_attribute(unsigned char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c && strchr("!#$&+-.^_`{|}~", c));
}

static size_t attribute_fitting(const char *text, size_t size, size_t room) {
  size_t taken = 0, cost = 0;
  while (taken < size) {
    size_t n = character_size(text + taken, size - taken);
    for (size_t i = 0; i < n; i++) cost += is_attribute((unsigned char)text[taken + i]) ? 1 : 3;
    if (cost > room) break;
    taken += n;
  }
  return taken;
}

static void put_section(tn_mime_header *h, const char *head, const char *text, size_t size,
                        bool last) {
  char section[160];
  int n = snprintf(section, sizeof section, "%s", head);
  for (size_t i = 0; i < size; i++)
    n += snprintf(section + n, sizeof section - (size_t)n,
                  is_attribute((unsigned char)text[i]) ? "%c" : "%%%02X", (unsigned char)text[i]);
  n += snprintf(section + n, sizeof section - (size_t)n, last ? "" : ";");
  tn_mime_put_word(h, section, (size_t)n);
}

static void put_sections(tn_mime_header *h, const char *name, const char *value) {
  char head[80];
  size_t size = strlen(value), room = 44;
  bool whole = attribute_fitting(value, size, room) == size;
  for (int i = 0; i == 0 || size; i++) {
    size_t n = attribute_fitting(value, size, room);
    if (whole)
      snprintf(head, sizeof head, "%.20s*=utf-8''", name);
    else
      snprintf(head, sizeof head, "%.20s*%d*=%s", name, i, i ? "" : "utf-8''");
    put_section(h, head, value, n, n == size);
    value += n;
    size -= n;
  }
}

void tn_mime_put_parameter(tn_mime_header *h, const char *name, const char *value) {
  char text[160];
  tn_str_putc(h->out, ';');
  h->column++;
  if (!is_ascii(value) || strlen(value) > LONGEST_QUOTED || strpbrk(value, "\"\\") ||
      strstr(value, "=?")) {
    put_sections(h, name, value);
    return;
  }
  int n = snprintf(text, sizeof text, "%.20s=\"%s\"", name, value);
  tn_mime_put_word(h, text, (size_t)n);
}
