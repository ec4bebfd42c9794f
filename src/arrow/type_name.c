/* SPDX-License-Identifier: Apache-2.0 */
#include "arrow/type_name.h"

#include <stdio.h>
#include <string.h>

enum { MAX_DEPTH = 32 };

typedef struct writer {
  char *text;
  size_t room, used;
} writer;

static void put(writer *w, const char *text, size_t size) {
  if (w->room - w->used <= 1) return;
  if (size > w->room - w->used - 1) size = w->room - w->used - 1;
  memcpy(w->text + w->used, text, size);
  w->used += size;
  w->text[w->used] = 0;
}

static void puts_to(writer *w, const char *text) { put(w, text, strlen(text)); }

static const struct {
  const char *format, *name;
} whole[] = {
    {"n", "null"},    {"b", "bool"},    {"c", "int8"},    {"C", "uint8"},     {"s", "int16"},      {"S", "uint16"},
    {"i", "int32"},   {"I", "uint32"},  {"l", "int64"},   {"L", "uint64"},    {"e", "float16"},    {"f", "float32"},
    {"g", "float64"}, {"z", "binary"},  {"Z", "binary"},  {"vz", "binary"},   {"u", "text"},       {"U", "text"},
    {"vu", "text"},   {"tdD", "date"},  {"tdm", "date[ms]"}, {"tts", "time[s]"}, {"ttm", "time[ms]"}, {"ttu", "time[us]"},
    {"ttn", "time[ns]"}, {"tDs", "duration[s]"}, {"tDm", "duration[ms]"}, {"tDu", "duration[us]"}, {"tDn", "duration[ns]"},
    {"tiM", "interval[months]"}, {"tiD", "interval[days, ms]"}, {"tin", "interval[months, days, ns]"},
};

static const char *unit_name(char unit) {
  switch (unit) {
    case 's': return "s";
    case 'm': return "ms";
    case 'u': return "us";
    default: return "ns";
  }
}

static void write_type(writer *w, const struct ArrowSchema *s, int depth);

/* "list<", the children's types, ">" */
static void write_nested(writer *w, const char *open, const struct ArrowSchema *s, int names, int depth) {
  puts_to(w, open);
  for (int64_t i = 0; i < s->n_children; i++) {
    const struct ArrowSchema *child = s->children[i];
    if (i) puts_to(w, ", ");
    if (names) {
      puts_to(w, child->name ? child->name : "");
      puts_to(w, ": ");
    }
    write_type(w, child, depth + 1);
  }
  puts_to(w, ">");
}

static void write_parametric(writer *w, const struct ArrowSchema *s, int depth) {
  const char *f = s->format;
  char text[64];
  if (strncmp(f, "d:", 2) == 0) {
    size_t size = strcspn(f + 2, ",");   /* a third number is the width in bits */
    size_t scale = f[2 + size] ? strcspn(f + 3 + size, ",") : 0;
    snprintf(text, sizeof text, "decimal(%.*s)", (int)(size + (scale ? scale + 1 : 0)), f + 2);
    puts_to(w, text);
  } else if (strncmp(f, "w:", 2) == 0) {
    snprintf(text, sizeof text, "binary(%s)", f + 2);
    puts_to(w, text);
  } else if (strncmp(f, "ts", 2) == 0 && f[2] && f[3] == ':') {
    snprintf(text, sizeof text, f[4] ? "timestamp[%s, %s]" : "timestamp[%s]", unit_name(f[2]), f + 4);
    puts_to(w, text);
  } else if (f[0] == '+' && s->n_children) {
    if (f[1] == 'm') write_nested(w, "map<", s->children[0], 0, depth);
    else if (f[1] == 's') write_nested(w, "struct<", s, 1, depth);
    else if (f[1] == 'l' || f[1] == 'L' || f[1] == 'v' || f[1] == 'w') write_nested(w, "list<", s, 0, depth);
    else if (f[1] == 'u') write_nested(w, "union<", s, 1, depth);
    else puts_to(w, f);
  } else {
    puts_to(w, f);
  }
}

static void write_type(writer *w, const struct ArrowSchema *s, int depth) {
  if (depth > MAX_DEPTH) {
    puts_to(w, "…");
    return;
  }
  if (s->dictionary) {
    write_type(w, s->dictionary, depth + 1);
    return;
  }
  for (size_t i = 0; i < sizeof whole / sizeof whole[0]; i++)
    if (strcmp(whole[i].format, s->format) == 0) {
      puts_to(w, whole[i].name);
      return;
    }
  write_parametric(w, s, depth);
}

void tn_type_name(const struct ArrowSchema *schema, char *text, size_t room) {
  writer w = {.text = text, .room = room};
  if (room) text[0] = 0;
  write_type(&w, schema, 0);
}
