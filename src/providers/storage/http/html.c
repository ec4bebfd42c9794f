/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/storage/http/html.h"

#include <string.h>
#include <strings.h>

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f'; }

static size_t left(const tn_html *h) { return (size_t)(h->end - h->at); }

/* ---- Tags ---- */

/* The > that ends a tag, outside of quotes; NULL: none does. */
static const char *tag_end(const char *at, const char *end) {
  bool value = false;
  while (at < end && *at != '>') {
    if (value && (*at == '"' || *at == '\'')) {
      at = memchr(at + 1, *at, (size_t)(end - at) - 1);
      if (!at) return NULL;
      value = false;
    } else if (!is_space(*at)) {
      value = *at == '=';
    }
    at++;
  }
  return at < end ? at : NULL;
}

/* What is between here and </name is no markup. */
static void skip_raw(tn_html *h, const char *name) {
  size_t size = strlen(name);
  while (h->at < h->end) {
    const char *close = memchr(h->at, '<', left(h));
    h->at = close ? close : h->end;
    if (left(h) > size + 2 && h->at[1] == '/' && strncasecmp(h->at + 2, name, size) == 0) return;
    if (close) h->at++;
  }
}

static bool take_tag(tn_html *h, tn_html_token *ret) {
  bool ends = h->at[1] == '/';
  const char *name = h->at + 1 + ends, *c = name, *close = tag_end(name, h->end);
  h->at = close ? close + 1 : h->end;
  if (!close) return false;
  while (c < close && !is_space(*c) && *c != '/') c++;
  *ret = (tn_html_token){.type = ends ? TN_HTML_END : TN_HTML_START, .data = name, .size = (size_t)(c - name), .attributes = c, .end = close};
  if (ends) return true;
  if (tn_html_is(ret, "script")) skip_raw(h, "script");
  if (tn_html_is(ret, "style")) skip_raw(h, "style");
  return true;
}

/* <!-- … -->, <! … >, <? … > */
static void skip_declaration(tn_html *h) {
  bool comment = left(h) >= 4 && memcmp(h->at, "<!--", 4) == 0;
  const char *close = comment ? memmem(h->at + 2, left(h) - 2, "-->", 3) : memchr(h->at, '>', left(h));
  h->at = close ? close + (comment ? 3 : 1) : h->end;
}

static bool is_tag(const tn_html *h) {
  return left(h) > 2 && *h->at == '<' && (is_letter(h->at[1]) || (h->at[1] == '/' && is_letter(h->at[2])));
}

static bool is_declaration(const tn_html *h) { return left(h) > 1 && *h->at == '<' && (h->at[1] == '!' || h->at[1] == '?'); }

bool tn_html_next(tn_html *h, tn_html_token *ret) {
  while (h->at < h->end && is_declaration(h)) skip_declaration(h);
  if (h->at == h->end) return false;
  if (is_tag(h)) return take_tag(h, ret);
  const char *text = h->at;
  const char *next = memchr(text + 1, '<', left(h) - 1);
  h->at = next ? next : h->end;
  *ret = (tn_html_token){.type = TN_HTML_TEXT, .data = text, .size = (size_t)(h->at - text)};
  return true;
}

bool tn_html_is(const tn_html_token *t, const char *name) {
  return t->type != TN_HTML_TEXT && strlen(name) == t->size && strncasecmp(t->data, name, t->size) == 0;
}

/* ---- Attributes ---- */

typedef struct attribute {
  const char *name, *value;
  size_t name_size, value_size;
} attribute;

/* name, name=value, name="value", name='value' */
static const char *next_attribute(const char *at, const char *end, attribute *ret) {
  while (at < end && (is_space(*at) || *at == '/')) at++;
  if (at == end) return NULL;
  *ret = (attribute){.name = at};
  do at++;
  while (at < end && !is_space(*at) && *at != '=' && *at != '/');
  ret->name_size = (size_t)(at - ret->name);
  const char *equals = at;
  while (equals < end && is_space(*equals)) equals++;
  if (equals == end || *equals != '=') return at;
  at = equals + 1;
  while (at < end && is_space(*at)) at++;
  char quote = at < end && (*at == '"' || *at == '\'') ? *at++ : 0;
  ret->value = at;
  while (at < end && (quote ? *at != quote : !is_space(*at))) at++;
  ret->value_size = (size_t)(at - ret->value);
  return at + (quote && at < end);
}

bool tn_html_attribute(const tn_html_token *t, const char *name, tn_str *to) {
  attribute a;
  size_t size = strlen(name);
  for (const char *at = t->attributes; at && (at = next_attribute(at, t->end, &a));)
    if (a.name_size == size && strncasecmp(a.name, name, size) == 0)
      return a.value && tn_html_decode(to, a.value, a.value_size);
  return false;
}

/* ---- Character references ---- */

static bool add_utf8(tn_str *to, uint32_t c) {
  char text[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const unsigned char heads[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n; i-- > 1; c >>= 6) text[i] = (char)(0x80 | (c & 0x3F));
  text[0] = (char)(heads[n] | c);
  return tn_str_add(to, text, n);
}

/* &#233; and &#xE9;: how long it is with its semicolon, 0: it is none. */
static size_t number_reference(const char *text, size_t size, uint32_t *ret) {
  bool hex = size > 2 && (text[2] == 'x' || text[2] == 'X');
  uint32_t c = 0;
  size_t i = hex ? 3 : 2, first = i;
  for (; i < size && i < 12 && text[i] != ';'; i++) {
    int digit = text[i] >= '0' && text[i] <= '9' ? text[i] - '0' : hex && is_letter(text[i]) ? (text[i] | 32) - 'a' + 10 : 99;
    if (digit >= (hex ? 16 : 10)) return 0;
    c = c * (hex ? 16 : 10) + (uint32_t)digit;
    if (c > 0x10FFFF) return 0;
  }
  if (i == first || i >= size || text[i] != ';' || c == 0 || (c >= 0xD800 && c < 0xE000)) return 0;
  *ret = c;
  return i + 1;
}

static size_t reference(const char *text, size_t size, uint32_t *ret) {
  static const struct { const char *name; uint32_t c; } named[] = {
      {"&amp;", '&'}, {"&lt;", '<'}, {"&gt;", '>'}, {"&quot;", '"'}, {"&apos;", '\''}, {"&nbsp;", 0xA0}};
  if (size > 3 && text[1] == '#') return number_reference(text, size, ret);
  for (size_t i = 0; i < sizeof named / sizeof named[0]; i++) {
    size_t n = strlen(named[i].name);
    if (size < n || memcmp(text, named[i].name, n) != 0) continue;
    *ret = named[i].c;
    return n;
  }
  return 0;
}

bool tn_html_decode(tn_str *to, const char *text, size_t size) {
  while (size) {
    const char *mark = memchr(text, '&', size);
    size_t plain = mark ? (size_t)(mark - text) : size;
    if (!tn_str_add(to, text, plain)) return false;
    text += plain;
    size -= plain;
    if (!size) return true;
    uint32_t c = '&';
    size_t n = reference(text, size, &c);
    if (!add_utf8(to, c)) return false;
    text += n ? n : 1;
    size -= n ? n : 1;
  }
  return true;
}
