/* SPDX-License-Identifier: Apache-2.0 */
/* One element out of a short reply, such as the code of an error. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "s3.h"

static const struct { const char *name; char letter; } entities[] = {
    {"&quot;", '"'}, {"&#34;", '"'}, {"&apos;", '\''}, {"&#39;", '\''}, {"&lt;", '<'}, {"&gt;", '>'}, {"&amp;", '&'}};

static size_t take_letter(const char *at, const char *end, char *ret) {
  for (size_t i = 0; *at == '&' && i < sizeof entities / sizeof entities[0]; i++) {
    size_t n = strlen(entities[i].name);
    if ((size_t)(end - at) >= n && memcmp(at, entities[i].name, n) == 0) {
      *ret = entities[i].letter;
      return n;
    }
  }
  *ret = (unsigned char)*at < ' ' ? ' ' : *at;
  return 1;
}

bool tn_s3_element(const char *xml, size_t size, const char *name, char *ret, size_t room) {
  char tag[80];
  size_t n = (size_t)snprintf(tag, sizeof tag, "<%s>", name), used = 0;
  const char *from = size ? memmem(xml, size, tag, n) : NULL;
  if (!from) return false;
  from += n;
  const char *end = memchr(from, '<', size - (size_t)(from - xml));
  if (!end) return false;
  while (from < end && used + 1 < room) from += take_letter(from, end, &ret[used++]);
  ret[used] = 0;
  return from == end;
}
