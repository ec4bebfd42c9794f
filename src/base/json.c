/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include <jansson.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/float.h"
#include "base/mem.h"
#include "tenon/provider.h"

/* ---- Reading ---- */

static const json_t *value_of(const tn_json *v) { return (const json_t *)(const void *)v; }

static const tn_json *as_value(const json_t *v) { return (const tn_json *)(const void *)v; }

/* What the library would make of a text: it recurses as deep as the text does, and takes many times
 * its size, so this is counted before it sees the text. */
typedef struct extent {
  size_t depth, deepest, values, objects;
} extent;

static void count_mark(extent *e, char c) {
  if (c == '[' || c == '{') {
    e->objects++;
    if (++e->depth > e->deepest) e->deepest = e->depth;
  }
  if ((c == ']' || c == '}') && e->depth > 0) e->depth--;
  if (c == '[' || c == '{' || c == ',' || c == ':') e->values++;
}

static extent measure(const char *text, size_t size) {
  extent e = {0};
  bool quoted = false;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (quoted && c == '\\') i++;
    else if (c == '"') quoted = !quoted;
    else if (!quoted) count_mark(&e, c);
  }
  return e;
}

static tenon_status check_extent(const char *text, size_t size, tenon_error *err) {
  static const char *const remedy = "ask for less at once";
  if (size > TN_JSON_MAX_SIZE)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, remedy,
                      "JSON text of %zu bytes, more than %d", size, TN_JSON_MAX_SIZE);
  extent e = measure(text, size);
  if (e.deepest > TN_JSON_MAX_DEPTH)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL,
                      "JSON is nested deeper than %d", TN_JSON_MAX_DEPTH);
  if (e.objects > TN_JSON_MAX_OBJECTS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, remedy,
                      "JSON text has more than %d objects and arrays", TN_JSON_MAX_OBJECTS);
  if (e.values > TN_JSON_MAX_VALUES)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, remedy,
                      "JSON text has more than %d values", TN_JSON_MAX_VALUES);
  return TENON_OK;
}

/* The library quotes the text, where a secret may stand, and names its own flags. */
static const char *reason(char *why) {
  char *near = strstr(why, " near '");
  if (near) *near = 0;
  if (strstr(why, "JSON_ALLOW_NUL")) return "\\u0000 is not taken here";
  return strcmp(why, "too big integer") == 0 || strcmp(why, "too big negative integer") == 0
             ? "an integer that is too big for 64 bits"
             : why;
}

static tenon_status parse(const char *text, size_t size, size_t flags, tenon_status code,
                          tn_json **ret, tenon_error *err) {
  tenon_status status = check_extent(text, size, err);
  if (status) return status;
  /* the library may pass over it */
  const char *nul = memchr(text, 0, size);
  if (nul)
    return tenon_fail(err, code, TENON_STAGE_DATA, NULL, "not JSON: byte %zu is NUL",
                      (size_t)(nul - text) + 1);
  json_error_t why;
  json_t *v = json_loadb(text, size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY | flags, &why);
  if (!v)
    return tenon_fail(err, code, TENON_STAGE_DATA, NULL, "not JSON: line %d, column %d: %s",
                      why.line, why.column, reason(why.text));
  *ret = (tn_json *)(void *)v;
  return TENON_OK;
}

tenon_status tn_json_parse(const char *text, size_t size, tn_json **ret, tenon_error *err) {
  return parse(text, size, 0, TENON_CONFIG, ret, err);
}

tenon_status tn_json_check(const char *text, size_t size, tn_json_type *ret, tenon_error *err) {
  tn_json *v;
  tenon_status status =
      parse(text, size, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, TENON_DATA, &v, err);
  if (status) return status;
  *ret = tn_json_type_of(v);
  tn_json_free(v);
  return TENON_OK;
}

tenon_status tn_json_parse_reply(const char *text, size_t size, tn_json **ret, tenon_error *err) {
  tenon_status status = parse(text, size, 0, TENON_DATA, ret, err);
  if (status) tn_error_prefix(err, "a reply: ");
  return status;
}

void tn_json_free(tn_json *v) { json_decref((json_t *)(void *)v); }

/* Recurses as deep as the text that it was read from may go. The text of a string is the library's own. */
static void wipe_strings(json_t *v) {
  const char *key;
  json_t *item;
  size_t i;
  if (json_is_string(v)) tn_wipe((char *)(uintptr_t)json_string_value(v), json_string_length(v));
  if (json_is_array(v)) json_array_foreach(v, i, item) wipe_strings(item);
  if (json_is_object(v)) json_object_foreach(v, key, item) wipe_strings(item);
}

void tn_json_wipe(tn_json *v) {
  wipe_strings((json_t *)(void *)v);
  tn_json_free(v);
}

tn_json_type tn_json_type_of(const tn_json *v) {
  if (!v) return TN_JSON_NULL;
  switch (json_typeof(value_of(v))) {
    case JSON_OBJECT: return TN_JSON_OBJECT;
    case JSON_ARRAY: return TN_JSON_ARRAY;
    case JSON_STRING: return TN_JSON_STRING;
    case JSON_INTEGER: return TN_JSON_INTEGER;
    case JSON_REAL: return TN_JSON_NUMBER;
    case JSON_TRUE: case JSON_FALSE: return TN_JSON_BOOL;
    default: return TN_JSON_NULL;
  }
}

bool tn_json_bool(const tn_json *v) { return json_is_true(value_of(v)); }
int64_t tn_json_integer(const tn_json *v) { return json_integer_value(value_of(v)); }
double tn_json_number(const tn_json *v) { return json_number_value(value_of(v)); }
const char *tn_json_string(const tn_json *v) { return json_string_value(value_of(v)); }

size_t tn_json_count(const tn_json *v) {
  return json_is_array(value_of(v)) ? json_array_size(value_of(v)) : json_object_size(value_of(v));
}

const tn_json *tn_json_at(const tn_json *v, size_t i) {
  return as_value(json_array_get(value_of(v), i));
}
const tn_json *tn_json_get(const tn_json *v, const char *key) {
  return as_value(json_object_get(value_of(v), key));
}

bool tn_json_next(const tn_json *v, void **cursor, const char **ret_key,
                  const tn_json **ret_value) {
  json_t *object = (json_t *)(uintptr_t)v;
  *cursor = *cursor ? json_object_iter_next(object, *cursor) : json_object_iter(object);
  if (!*cursor) return false;
  *ret_key = json_object_iter_key(*cursor);
  *ret_value = as_value(json_object_iter_value(*cursor));
  return true;
}

static int add_printed(const char *data, size_t size, void *to) { return tn_str_add(to, data, size) ? 0 : -1; }

bool tn_json_print(const tn_json *v, tn_str *out) {
  return json_dump_callback(value_of(v), add_printed, out, JSON_COMPACT | JSON_ENCODE_ANY) == 0;
}

/* ---- Writing ---- */

void tn_json_writer_init(tn_json_writer *w, tn_str *out) { *w = (tn_json_writer){.out = out}; }

static void separate(tn_json_writer *w) {
  if (!w->after_key && w->more[w->depth]) tn_str_putc(w->out, ',');
  w->more[w->depth] = true;
  w->after_key = false;
}

void tn_json_open(tn_json_writer *w, char bracket) {
  separate(w);
  if (w->depth == TN_JSON_MAX_DEPTH) {
    w->out->failed = true;
    return;
  }
  w->depth++;
  w->more[w->depth] = false;
  w->closers[w->depth] = bracket == '{' ? '}' : ']';
  tn_str_putc(w->out, bracket);
}

void tn_json_close(tn_json_writer *w) {
  if (w->depth == 0) return;
  tn_str_putc(w->out, w->closers[w->depth]);
  w->depth--;
}

void tn_json_key(tn_json_writer *w, const char *key) {
  separate(w);
  tn_json_quote(w->out, key, strlen(key));
  tn_str_putc(w->out, ':');
  w->after_key = true;
}

void tn_json_put_raw(tn_json_writer *w, const char *json) {
  separate(w);
  tn_str_puts(w->out, json);
}

void tn_json_put_text(tn_json_writer *w, const char *data, size_t size) {
  separate(w);
  tn_json_quote(w->out, data, size);
}

void tn_json_put_string(tn_json_writer *w, const char *text) {
  if (text) tn_json_put_text(w, text, strlen(text));
  else tn_json_put_null(w);
}

void tn_json_put_integer(tn_json_writer *w, int64_t v) {
  separate(w);
  tn_str_printf(w->out, "%lld", (long long)v);
}

void tn_json_put_number(tn_json_writer *w, double v) {
  if (!isfinite(v)) {
    tn_json_put_null(w);
    return;
  }
  char text[TN_FLOAT_ROOM];
  separate(w);
  tn_str_add(w->out, text, tn_print_f64(v, text));
}

void tn_json_put_bool(tn_json_writer *w, bool v) { tn_json_put_raw(w, v ? "true" : "false"); }
void tn_json_put_null(tn_json_writer *w) { tn_json_put_raw(w, "null"); }

static void quote_char(tn_str *out, unsigned char c) {
  static const char names[] = "btn fr"; /* of the characters 8 to 13 */
  if (c == '"' || c == '\\') {
    tn_str_putc(out, '\\');
    tn_str_putc(out, (char)c);
  } else if (c >= 8 && c <= 13 && c != 11) {
    tn_str_putc(out, '\\');
    tn_str_putc(out, names[c - 8]);
  } else if (c < 0x20 || c == 0x7F) {
    tn_str_printf(out, "\\u%04x", c);
  } else {
    tn_str_putc(out, (char)c);
  }
}

/* Whether the byte stands for itself between quotes. */
static bool is_plain(unsigned char c) { return c >= 0x20 && c != '"' && c != '\\' && c != 0x7F; }

static void quote_valid(tn_str *out, const char *data, size_t size) {
  for (size_t i = 0; i < size;) {
    size_t run = 0;
    while (i + run < size && is_plain((unsigned char)data[i + run])) run++;
    tn_str_add(out, data + i, run);
    i += run;
    if (i < size) quote_char(out, (unsigned char)data[i++]);
  }
}

bool tn_json_quote(tn_str *out, const char *data, size_t size) {
  tn_str_putc(out, '"');
  while (size > 0) {
    size_t good = size;
    bool valid = tn_utf8_valid(data, size, &good);
    quote_valid(out, data, good);
    if (!valid) tn_str_puts(out, "\xEF\xBF\xBD");
    size_t used = valid ? size : good + 1;
    data += used;
    size -= used;
  }
  tn_str_putc(out, '"');
  return !out->failed;
}
