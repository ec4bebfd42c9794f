/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const struct {
  const char *format;
  const char *names[5];   /* the first is the one that is printed */
} plain[] = {
    {"b", {"bool", "boolean"}},
    {"c", {"int8"}},
    {"s", {"int16"}},
    {"i", {"int32", "int", "integer"}},
    {"l", {"int64", "bigint"}},
    {"C", {"uint8"}},
    {"S", {"uint16"}},
    {"I", {"uint32"}},
    {"L", {"uint64"}},
    {"e", {"float16"}},
    {"f", {"float32", "float", "real"}},
    {"g", {"float64", "double"}},
    {"u", {"text", "string", "utf8", "varchar"}},
    {"z", {"binary", "bytes", "bytea", "blob"}},
    {"tdD", {"date"}},
    {"ttu", {"time"}},
    {"tsu:", {"timestamp", "datetime"}},
    {"tsu:UTC", {"timestamptz"}},
    /* these are printed only: reading by another name would give another format */
    {"n", {"null"}},
    {"U", {"text"}},
    {"vu", {"text"}},
    {"Z", {"binary"}},
    {"vz", {"binary"}},
    {"tdm", {"date"}},
    {"tiM", {"interval(months)"}},
    {"tiD", {"interval(days)"}},
    {"tin", {"interval"}},
};

enum { PLAIN = sizeof plain / sizeof plain[0], MAX_DEPTH = 32 };

/* ---- From names ---- */

static bool plain_format(const char *name, char ret[TN_FORMAT_ROOM]) {
  for (size_t i = 0; i < PLAIN; i++)
    for (size_t k = 0; k < sizeof plain[i].names / sizeof plain[i].names[0] && plain[i].names[k];
         k++)
      if (strcasecmp(plain[i].names[k], name) == 0) {
        snprintf(ret, TN_FORMAT_ROOM, "%s", plain[i].format);
        return true;
      }
  return false;
}

static bool decimal_format(const char *name, char ret[TN_FORMAT_ROOM]) {
  size_t word =
      strncasecmp(name, "decimal", 7) == 0 || strncasecmp(name, "numeric", 7) == 0 ? 7 : 0;
  int precision, scale = 0, end = -1, short_end = -1;
  if (!word) return false;
  bool two = sscanf(name + word, " ( %d , %d )%n", &precision, &scale, &end) == 2 && end >= 0;
  bool one =
      !two && sscanf(name + word, " ( %d )%n", &precision, &short_end) == 1 && short_end >= 0;
  if ((!one && !two) || name[word + (size_t)(two ? end : short_end)] != 0) return false;
  if (one) scale = 0;
  if (precision < 1 || precision > 76 || scale < 0 || scale > precision) return false;
  snprintf(ret, TN_FORMAT_ROOM, precision > 38 ? "d:%d,%d,256" : "d:%d,%d", precision, scale);
  return true;
}

bool tn_format_of_name(const char *name, size_t size, char ret[TN_FORMAT_ROOM]) {
  char copy[64];
  while (size > 0 && name[0] == ' ') name++, size--;
  while (size > 0 && name[size - 1] == ' ') size--;
  if (size == 0 || size >= sizeof copy) return false;
  memcpy(copy, name, size);
  copy[size] = 0;
  return plain_format(copy, ret) || decimal_format(copy, ret);
}

/* ---- To names ---- */

static bool print_name(const struct ArrowSchema *s, int depth, tn_str *out);

static bool print_children(const char *word, const struct ArrowSchema *s, bool named, int depth,
                           tn_str *out) {
  tn_str_puts(out, word);
  tn_str_putc(out, '(');
  for (int64_t i = 0; i < s->n_children; i++) {
    if (i > 0) tn_str_puts(out, ", ");
    if (named) {
      tn_str_puts(out, s->children[i]->name ? s->children[i]->name : "");
      tn_str_putc(out, ' ');
    }
    print_name(s->children[i], depth + 1, out);
  }
  return tn_str_putc(out, ')');
}

static const char *unit_name(char unit) {
  return unit == 's' ? "s" : unit == 'm' ? "ms" : unit == 'u' ? "us" : "ns";
}

static bool print_nested(const struct ArrowSchema *s, int depth, tn_str *out) {
  const char *f = s->format;
  if (f[1] == 's') return print_children("struct", s, true, depth, out);
  if (f[1] == 'm' && s->n_children == 1)
    return print_children("map", s->children[0], false, depth, out);
  if (f[1] == 'u') return print_children("union", s, true, depth, out);
  if (f[1] == 'r') return s->n_children == 2 && print_name(s->children[1], depth + 1, out);
  return print_children("list", s, false, depth, out);
}

static bool print_temporal(const char *f, tn_str *out) {
  switch (f[1]) {
    case 't': return tn_str_printf(out, "time(%s)", unit_name(f[2]));
    case 'D': return tn_str_printf(out, "duration(%s)", unit_name(f[2]));
    case 's':
      if (f[3] != ':' || f[4] == 0) return tn_str_printf(out, "timestamp(%s)", unit_name(f[2]));
      return tn_str_printf(out, "timestamptz(%s, %s)", unit_name(f[2]), f + 4);
    default: return tn_str_puts(out, f);
  }
}

static bool print_name(const struct ArrowSchema *s, int depth, tn_str *out) {
  const char *f = s->format;
  int precision, scale;
  if (depth > MAX_DEPTH) return tn_str_puts(out, "...");
  if (s->dictionary) return print_name(s->dictionary, depth + 1, out);
  for (size_t i = 0; i < PLAIN; i++)
    if (strcmp(plain[i].format, f) == 0) return tn_str_puts(out, plain[i].names[0]);
  if (f[0] == 'd' && sscanf(f, "d:%d,%d", &precision, &scale) == 2)
    return tn_str_printf(out, "decimal(%d,%d)", precision, scale);
  if (f[0] == 'w') return tn_str_printf(out, "binary(%s)", f + 2);
  if (f[0] == '+') return print_nested(s, depth, out);
  return f[0] == 't' ? print_temporal(f, out) : tn_str_puts(out, f);
}

bool tn_type_name(const struct ArrowSchema *s, tn_str *out) { return print_name(s, 0, out); }
