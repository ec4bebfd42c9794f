/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text.h"

#include <inttypes.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

/* ---- Characters ---- */

/* One character of UTF-8; *ret_size bytes. Invalid: the first byte alone, answered as UINT32_MAX. */
static uint32_t decode(const unsigned char *s, size_t size, size_t *ret_size) {
  static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
  size_t n = s[0] < 0x80 ? 1 : s[0] >= 0xF0 ? 4 : s[0] >= 0xE0 ? 3 : 2;
  *ret_size = 1;
  if (n == 1) return s[0];
  if (s[0] < 0xC2 || s[0] > 0xF4 || n > size) return UINT32_MAX;
  uint32_t c = s[0] & (0x7Fu >> n);
  for (size_t i = 1; i < n; i++) {
    if ((s[i] & 0xC0) != 0x80) return UINT32_MAX;
    c = c << 6 | (s[i] & 0x3F);
  }
  if (c < smallest[n] || c > 0x10FFFF || (c >= 0xD800 && c <= 0xDFFF)) return UINT32_MAX;
  *ret_size = n;
  return c;
}

/* Characters that act on the text around them, or are nothing to see. */
static bool is_hostile(uint32_t c) {
  return c < 0x20 || (c >= 0x7F && c < 0xA0) || c == 0x061C || c == 0x200E || c == 0x200F ||
         (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) || c == 0xFEFF ||
         (c >= 0xFFF9 && c <= 0xFFFB) || (c >= 0xE0000 && c <= 0xE0FFF);
}

/* The C library knows the widths, if it is given a locale of UTF-8; the process's own may be none. */
static int width_of(uint32_t c) {
  static locale_t utf8;
  static bool looked;
  if (c < 0x300) return 1;
  if (!looked) {
    looked = true;
    utf8 = newlocale(LC_CTYPE_MASK, "C.UTF-8", (locale_t)0);
    if (utf8) uselocale(utf8);
  }
  int width = utf8 ? wcwidth((wchar_t)c) : 1;
  if (width >= 0) return width;
  return c >= 0x1F000 && c < 0x20000 ? 2 : 1;   /* newer than the C library: pictures are wide */
}

static int escape(uint32_t c, unsigned char byte, char *ret, size_t room) {
  const char *names = "\aa\bb\tt\nn\vv\ff\rr", *at;
  if (c == UINT32_MAX) return snprintf(ret, room, "\\x%02x", byte);
  if (c && c < 0x20 && (at = strchr(names, (int)c))) return snprintf(ret, room, "\\%c", at[1]);
  if (c < 0x80) return snprintf(ret, room, "\\x%02x", (unsigned)c);
  return snprintf(ret, room, c > 0xFFFF ? "\\U%08x" : "\\u%04x", (unsigned)c);
}

int tn_cli_show_text(tn_str *out, const char *data, size_t size, int room) {
  const unsigned char *s = (const unsigned char *)data;
  int width = 0, cut_width = 0;
  size_t cut = out->size;   /* how far it may go if "…" has to follow */
  for (size_t i = 0, n; i < size; i += n) {
    char escaped[16];
    uint32_t c = decode(s + i, size - i, &n);
    bool raw = c != UINT32_MAX && !is_hostile(c);
    int w = raw ? width_of(c) : escape(c, s[i], escaped, sizeof escaped);
    if (room >= 0 && width + w > room) {
      if (room == 0) return 0;
      out->size = cut;
      tn_str_puts(out, "…");
      return cut_width + 1;
    }
    if (raw) tn_str_add(out, data + i, n);
    else tn_str_add(out, escaped, (size_t)w);
    width += w;
    if (width < room) {
      cut = out->size;
      cut_width = width;
    }
  }
  return width;
}

/* ---- Our own text ---- */

static int columns_of(const char *text, size_t size) {
  int n = 0;
  for (size_t i = 0; i < size; i++) n += ((unsigned char)text[i] & 0xC0) != 0x80;
  return n;
}

void tn_cli_wrap(tn_str *out, const char *text, int indent, int width) {
  int used = 0;
  bool fresh = true;
  for (const char *s = text; *s;) {
    if (*s == '\n') {
      tn_str_putc(out, '\n');
      fresh = true;
      s++;
      continue;
    }
    size_t size = strcspn(s, " \n");
    int columns = columns_of(s, size);
    if (!fresh && used + 1 + columns > width) {
      tn_str_putc(out, '\n');
      fresh = true;
    }
    if (fresh) tn_str_printf(out, "%*s", indent, "");
    else tn_str_putc(out, ' ');
    used = fresh ? indent + columns : used + 1 + columns;
    tn_str_add(out, s, size);
    fresh = false;
    s += size;
    while (*s == ' ') s++;
  }
  if (!fresh) tn_str_putc(out, '\n');
}

/* ---- Numbers for people ---- */

void tn_cli_show_count(char *text, size_t room, int64_t n) {
  char digits[24];
  int size = snprintf(digits, sizeof digits, "%" PRIu64, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
  size_t at = 0;
  if (n < 0 && at + 1 < room) text[at++] = '-';
  for (int i = 0; i < size && at + 2 < room; i++) {
    if (i && (size - i) % 3 == 0) text[at++] = ',';
    text[at++] = digits[i];
  }
  text[at] = 0;
}

void tn_cli_show_bytes(char *text, size_t room, int64_t n) {
  static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
  double value = (double)n;
  size_t unit = 0;
  for (; value >= 1024 && unit + 1 < sizeof units / sizeof units[0]; unit++) value /= 1024;
  snprintf(text, room, value < 9.95 && unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void tn_cli_show_time(char *text, size_t room, int64_t ms) {
  int64_t s = ms / 1000;
  if (ms < 1000) snprintf(text, room, "%" PRId64 " ms", ms);
  else if (ms < 10000) snprintf(text, room, "%.1f s", (double)ms / 1000);
  else if (s < 60) snprintf(text, room, "%" PRId64 " s", s);
  else if (s < 3600) snprintf(text, room, "%" PRId64 " min %" PRId64 " s", s / 60, s % 60);
  else snprintf(text, room, "%" PRId64 " h %" PRId64 " min", s / 3600, s % 3600 / 60);
}
