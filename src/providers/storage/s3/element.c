/* SPDX-License-Identifier: Apache-2.0 */
/* One element out of a short reply, such as the code of an error; and what a reply says that is none of S3's. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "net/xml.h"
#include "s3.h"

typedef struct search {
  const char *name;
  char *ret;
  size_t room;
  bool is_found;
} search;

static bool ends_with(const char *path, const char *name) {
  size_t size = strlen(path), n = strlen(name);
  return size >= n && strcmp(path + size - n, name) == 0 && (size == n || path[size - n - 1] == '/');
}

static tenon_status on_end(void *arg, const char *path, const char *text, size_t size, tenon_error *err) {
  search *s = arg;
  (void)err;
  if (s->is_found || !ends_with(path, s->name) || size >= s->room) return TENON_OK;
  for (size_t i = 0; i < size; i++) s->ret[i] = (unsigned char)text[i] < ' ' ? ' ' : text[i];
  s->ret[size] = 0;
  s->is_found = true;
  return TENON_OK;
}

/* A reply that ends too early may have said it before. */
bool tn_s3_element(const char *xml, size_t size, const char *name, char *ret, size_t room) {
  search s = {.name = name, .ret = ret, .room = room};
  const tn_xml_events events = {.arg = &s, .end = on_end};
  if (size) tn_xml_read(&events, xml, size, NULL);
  return s.is_found;
}

void tn_s3_plain_text(const char *text, size_t size, char *ret, size_t room) {
  size_t n = 0;
  bool is_tag = false;
  for (size_t i = 0; i < size && n + 1 < room; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c == '<' || is_tag) {
      is_tag = c != '>';
      c = ' ';
    }
    if (c <= ' ' || c == 0x7F) c = ' ';
    if (c != ' ' || (n && ret[n - 1] != ' ')) ret[n++] = (char)c;
  }
  while (n && ret[n - 1] == ' ') n--;
  ret[n] = 0;
  if (!tn_utf8_valid(ret, n, &n)) ret[n] = 0;
}
