/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A printer is a tree like its type. Its leaves are scalars (print_scalar.c), text and binary; what
 * has children is printed as JSON.
 */
#include "arrow/print.h"

#include <stdlib.h>
#include <string.h>

#include "arrow/print_scalar.h"
#include "base/error.h"
#include "base/mem.h"

enum { MAX_DEPTH = 32 };

typedef enum print_kind {
  PRINT_NULL,
  PRINT_BOOL,
  PRINT_SCALAR,
  PRINT_TEXT,
  PRINT_BINARY,
  PRINT_LIST,
  PRINT_STRUCT,
  PRINT_MAP,
  PRINT_DICTIONARY
} print_kind;

struct tn_printer {
  print_kind kind;
  tn_scalar scalar;          /* also the index of a dictionary: its width */
  bool is_unsigned;          /* … and its sign */
  int32_t offset_width;      /* of text, binary and lists: 4, 8; 0: fixed_size values each */
  int64_t fixed_size;
  char *name;                /* in a struct: "name": in JSON */
  bool is_finite;            /* numbers that are not are no text in JSON, but an error */
  tn_printer *children;
  int64_t child_count;
};

/* ---- Making ---- */

static void printer_release(tn_printer *p) {
  for (int64_t i = 0; p->children && i < p->child_count; i++) printer_release(&p->children[i]);
  tn_free(p->children);
  tn_free(p->name);
}

void tn_printer_free(tn_printer *p) {
  if (!p) return;
  printer_release(p);
  tn_free(p);
}

static tenon_status fail_type(const struct ArrowSchema *s, tenon_error *err) {
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the column out",
                    "column %.200s: Arrow type %.60s has no text", s->name ? s->name : "",
                    s->format);
}

static bool init_bytes(tn_printer *p, const char *f) {
  bool is_text = f[0] == 'u' || f[0] == 'U';
  p->kind = is_text ? PRINT_TEXT : PRINT_BINARY;
  p->offset_width = f[0] == 'u' || f[0] == 'z' ? 4 : f[0] == 'w' ? 0 : 8;
  if (f[0] == 'w') p->fixed_size = f[1] == ':' ? strtoll(f + 2, NULL, 10) : -1;
  return f[0] == 'w' ? p->fixed_size >= 0 : f[1] == 0;
}

static bool init_nested(tn_printer *p, const struct ArrowSchema *s) {
  const char *f = s->format;
  p->kind = f[1] == 's' ? PRINT_STRUCT : f[1] == 'm' ? PRINT_MAP : PRINT_LIST;
  p->offset_width = f[1] == 'L' ? 8 : f[1] == 'w' ? 0 : 4;
  if (f[1] == 'w') p->fixed_size = f[2] == ':' ? strtoll(f + 3, NULL, 10) : -1;
  if (!strchr("slLmw", f[1]) || p->fixed_size < 0) return false;
  if (f[1] == 'm')
    return s->n_children == 1 && strcmp(s->children[0]->format, "+s") == 0 &&
           s->children[0]->n_children == 2;
  return f[1] == 's' || s->n_children == 1;
}

static bool init_kind(tn_printer *p, const struct ArrowSchema *s) {
  const char *f = s->format;
  if (s->dictionary) {
    p->kind = PRINT_DICTIONARY;
    p->is_unsigned = strchr("CSIL", f[0]) != NULL;
    return strchr("csilCSIL", f[0]) && tn_scalar_init(&p->scalar, f);
  }
  switch (f[0]) {
    case 'n': p->kind = PRINT_NULL; return f[1] == 0;
    case 'b': p->kind = PRINT_BOOL; return f[1] == 0;
    case 'u': case 'U': case 'z': case 'Z': case 'w': return init_bytes(p, f);
    case '+': return init_nested(p, s);
    default: p->kind = PRINT_SCALAR; return tn_scalar_init(&p->scalar, f);
  }
}

static tenon_status init_name(tn_printer *p, const struct ArrowSchema *s, tenon_error *err) {
  const char *name = s->name ? s->name : "";
  tn_str key;
  tn_str_init(&key, strlen(name) * 6 + 8);
  tenon_status status = tn_print_json_string(name, strlen(name), &key, err);
  tn_str_putc(&key, ':');
  if (!status && !(p->name = tn_str_move(&key))) status = tn_no_memory(err);
  tn_str_release(&key);
  return status;
}

static tenon_status init(tn_printer *p, const struct ArrowSchema *s, int depth, tenon_error *err) {
  if (depth > MAX_DEPTH || !init_kind(p, s)) return fail_type(s, err);
  tenon_status status = init_name(p, s, err);
  int64_t count = s->dictionary ? 1 : s->n_children;
  if (status || count == 0) return status;
  p->children = tn_alloc_array((size_t)count, sizeof *p->children);
  if (!p->children) return tn_no_memory(err);
  p->child_count = count;
  for (int64_t i = 0; !status && i < count; i++)
    status = init(&p->children[i], s->dictionary ? s->dictionary : s->children[i], depth + 1, err);
  return status;
}

tenon_status tn_printer_new(const struct ArrowSchema *column, tn_printer **ret, tenon_error *err) {
  tn_printer *p = tn_alloc(sizeof *p);
  if (!p) return tn_no_memory(err);
  tenon_status status = init(p, column, 0, err);
  if (status) tn_printer_free(p);
  else *ret = p;
  return status;
}

void tn_printer_want_finite(tn_printer *p) {
  p->is_finite = true;
  for (int64_t i = 0; i < p->child_count; i++) tn_printer_want_finite(&p->children[i]);
}

bool tn_printer_is_number(const tn_printer *p) {
  if (p->kind == PRINT_DICTIONARY) return tn_printer_is_number(&p->children[0]);
  return p->kind == PRINT_SCALAR && p->scalar.is_number;
}

bool tn_printer_is_simple(const tn_printer *p) {
  return p->kind == PRINT_SCALAR || p->kind == PRINT_BOOL;
}

/* ---- Values ---- */

static bool bit_at(const void *bits, int64_t i) {
  return ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

/* Where the i-th list or text begins and ends. */
static void range_at(const tn_printer *p, const struct ArrowArray *a, int64_t i, int64_t *ret_begin,
                     int64_t *ret_end) {
  int64_t at = a->offset + i;
  if (p->offset_width == 0) {
    *ret_begin = at * p->fixed_size;
    *ret_end = *ret_begin + p->fixed_size;
  } else if (p->offset_width == 4) {
    int32_t ends[2];
    memcpy(ends, (const uint8_t *)a->buffers[1] + at * 4, sizeof ends);
    *ret_begin = ends[0];
    *ret_end = ends[1];
  } else {
    int64_t ends[2];
    memcpy(ends, (const uint8_t *)a->buffers[1] + at * 8, sizeof ends);
    *ret_begin = ends[0];
    *ret_end = ends[1];
  }
}

static const char *bytes_at(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                            size_t *ret_size) {
  int64_t begin, end;
  range_at(p, a, i, &begin, &end);
  *ret_size = end > begin ? (size_t)(end - begin) : 0;
  return *ret_size ? (const char *)a->buffers[p->offset_width ? 2 : 1] + begin : "";
}

static int64_t index_at(const tn_printer *p, const struct ArrowArray *a, int64_t i) {
  const uint8_t *at = (const uint8_t *)a->buffers[1] + (a->offset + i) * p->scalar.width;
  int64_t v = 0;
  memcpy(&v, at, (size_t)p->scalar.width);
  int unused = p->is_unsigned ? 0 : 64 - 8 * p->scalar.width;
  return (int64_t)((uint64_t)v << unused) >> unused;
}

/* ---- Pieces ---- */

static tenon_status fail_full(const tn_str *out, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "leave the column out",
                    "a row is longer than %zu bytes as text", out->max);
}

static tenon_status sum_up(const tn_str *out, tenon_error *err) {
  return out->failed ? fail_full(out, err) : TENON_OK;
}

static tenon_status fail_utf8(tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "read the column as binary",
                    "a text is not valid UTF-8");
}

static tenon_status print_scalar(const tn_scalar *s, const struct ArrowArray *a, int64_t i,
                                 tn_str *out, tenon_error *err) {
  if (!tn_str_reserve(out, TN_SCALAR_ROOM)) return fail_full(out, err);
  const uint8_t *value = (const uint8_t *)a->buffers[1] + (a->offset + i) * s->width;
  out->size += s->print(s, value, out->data + out->size);
  out->data[out->size] = 0;
  return TENON_OK;
}

static tenon_status print_hex(const char *data, size_t size, tn_str *out, tenon_error *err) {
  static const char digits[] = "0123456789abcdef";
  if (size > SIZE_MAX / 4 || !tn_str_reserve(out, 2 * size + 2)) return fail_full(out, err);
  char *to = out->data + out->size;
  *to++ = '\\';
  *to++ = 'x';
  for (size_t i = 0; i < size; i++) {
    *to++ = digits[(uint8_t)data[i] >> 4];
    *to++ = digits[data[i] & 15];
  }
  *to = 0;
  out->size += 2 * size + 2;
  return TENON_OK;
}

/* ---- Strings of JSON ---- */

static bool needs_escape(uint8_t c) { return c < 0x20 || c == '"' || c == '\\'; }

static size_t put_escape(char *to, uint8_t c) {
  static const char digits[] = "0123456789abcdef";
  static const char short_names[] = "btn.fr";   /* from 8 to 13; 11 has none */
  to[0] = '\\';
  if (c == '"' || c == '\\') to[1] = (char)c;
  else if (c >= 8 && c <= 13 && c != 11) to[1] = short_names[c - 8];
  else {
    memcpy(to + 1, "u00", 3);
    to[4] = digits[c >> 4];
    to[5] = digits[c & 15];
    return 6;
  }
  return 2;
}

tenon_status tn_print_json_string(const char *data, size_t size, tn_str *out, tenon_error *err) {
  if (!tn_utf8_valid(data, size, NULL)) return fail_utf8(err);
  if (size > SIZE_MAX / 8 || !tn_str_reserve(out, size + 2)) return fail_full(out, err);
  out->data[out->size++] = '"';
  for (const char *p = data, *end = data + size; p < end;) {
    const char *plain = p;
    while (p < end && !needs_escape((uint8_t)*p)) p++;
    memcpy(out->data + out->size, plain, (size_t)(p - plain));
    out->size += (size_t)(p - plain);
    if (p == end) break;
    if (!tn_str_reserve(out, (size_t)(end - p) + 8)) return fail_full(out, err);
    out->size += put_escape(out->data + out->size, (uint8_t)*p++);
  }
  tn_str_putc(out, '"');
  return sum_up(out, err);
}

/* ---- JSON ---- */

static tenon_status print_json(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                               tn_str *out, tenon_error *err);

/* Numbers stand as they are, if they are finite; all else is a string with nothing to escape. */
static tenon_status json_scalar(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                                tn_str *out, tenon_error *err) {
  size_t begin = out->size;
  if (!p->scalar.is_number) tn_str_putc(out, '"');
  tenon_status status = print_scalar(&p->scalar, a, i, out, err);
  if (status) return status;
  if (!p->scalar.is_number) {
    tn_str_putc(out, '"');
  } else if (out->data[out->size - 1] == 'N' ||
             out->data[out->size - 1] == 'y') { /* NaN, Infinity */
    if (p->is_finite)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave it out, or make it NULL",
                        "%.80s %.9s is no number of JSON", p->name ? p->name : "",
                        tn_str_text(out) + begin);
    tn_str_putc(out, '"');
    tn_str_putc(out, '"');
    if (out->failed) return fail_full(out, err);
    memmove(out->data + begin + 1, out->data + begin, out->size - begin - 2);
    out->data[begin] = '"';
  }
  return sum_up(out, err);
}

static tenon_status json_binary(const char *data, size_t size, tn_str *out, tenon_error *err) {
  tn_str_puts(out, "\"\\");   /* the backslash of \x is to be escaped */
  tenon_status status = print_hex(data, size, out, err);
  tn_str_putc(out, '"');
  return status ? status : sum_up(out, err);
}

static tenon_status json_list(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                              tn_str *out, tenon_error *err) {
  int64_t begin, end;
  tenon_status status = TENON_OK;
  range_at(p, a, i, &begin, &end);
  tn_str_putc(out, '[');
  for (int64_t k = begin; !status && k < end; k++) {
    if (k > begin) tn_str_putc(out, ',');
    status = print_json(&p->children[0], a->children[0], k, out, err);
  }
  tn_str_putc(out, ']');
  return status ? status : sum_up(out, err);
}

static tenon_status json_struct(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                                tn_str *out, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_str_putc(out, '{');
  for (int64_t k = 0; !status && k < p->child_count; k++) {
    if (k > 0) tn_str_putc(out, ',');
    tn_str_puts(out, p->children[k].name);
    status = print_json(&p->children[k], a->children[k], a->offset + i, out, err);
  }
  tn_str_putc(out, '}');
  return status ? status : sum_up(out, err);
}

/* An object where keys are text, else an array of pairs. */
static tenon_status json_map(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                             tn_str *out, tenon_error *err) {
  const tn_printer *entries = &p->children[0];
  const struct ArrowArray *entry = a->children[0];
  bool is_object = entries->children[0].kind == PRINT_TEXT;
  int64_t begin, end;
  tenon_status status = TENON_OK;
  range_at(p, a, i, &begin, &end);
  tn_str_putc(out, is_object ? '{' : '[');
  for (int64_t k = begin; !status && k < end; k++) {
    int64_t at = entry->offset + k;
    tn_str_puts(out, k > begin ? (is_object ? "," : ",[") : is_object ? "" : "[");
    status = print_json(&entries->children[0], entry->children[0], at, out, err);
    tn_str_putc(out, is_object ? ':' : ',');
    if (!status) status = print_json(&entries->children[1], entry->children[1], at, out, err);
    if (!is_object) tn_str_putc(out, ']');
  }
  tn_str_putc(out, is_object ? '}' : ']');
  return status ? status : sum_up(out, err);
}

static tenon_status print_json(const tn_printer *p, const struct ArrowArray *a, int64_t i,
                               tn_str *out, tenon_error *err) {
  size_t size;
  if (p->kind == PRINT_NULL || tn_is_null(a, i))
    return tn_str_puts(out, "null") ? TENON_OK : fail_full(out, err);
  switch (p->kind) {
    case PRINT_BOOL:
      tn_str_puts(out, bit_at(a->buffers[1], a->offset + i) ? "true" : "false");
      break;
    case PRINT_SCALAR: return json_scalar(p, a, i, out, err);
    case PRINT_TEXT: {
      const char *data = bytes_at(p, a, i, &size);
      return tn_print_json_string(data, size, out, err);
    }
    case PRINT_BINARY: {
      const char *data = bytes_at(p, a, i, &size);
      return json_binary(data, size, out, err);
    }
    case PRINT_LIST: return json_list(p, a, i, out, err);
    case PRINT_STRUCT: return json_struct(p, a, i, out, err);
    case PRINT_MAP: return json_map(p, a, i, out, err);
    case PRINT_DICTIONARY:
      return print_json(&p->children[0], a->dictionary, index_at(p, a, i), out, err);
    case PRINT_NULL: break;
  }
  return sum_up(out, err);
}

tenon_status tn_print_json(const tn_printer *p, const struct ArrowArray *a, int64_t i, tn_str *out,
                           tenon_error *err) {
  return print_json(p, a, i, out, err);
}

/* ---- Text ---- */

tenon_status tn_print_text(const tn_printer *p, const struct ArrowArray *a, int64_t i, tn_str *out,
                           tenon_error *err) {
  size_t size;
  const char *data;
  if (p->kind == PRINT_NULL || tn_is_null(a, i)) return TENON_OK;
  switch (p->kind) {
    case PRINT_SCALAR: return print_scalar(&p->scalar, a, i, out, err);
    case PRINT_TEXT:
      data = bytes_at(p, a, i, &size);
      if (!tn_utf8_valid(data, size, NULL)) return fail_utf8(err);
      tn_str_add(out, data, size);
      return sum_up(out, err);
    case PRINT_BINARY: data = bytes_at(p, a, i, &size); return print_hex(data, size, out, err);
    case PRINT_DICTIONARY:
      return tn_print_text(&p->children[0], a->dictionary, index_at(p, a, i), out, err);
    default: return print_json(p, a, i, out, err);
  }
}
