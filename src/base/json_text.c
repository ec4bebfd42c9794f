/* SPDX-License-Identifier: Apache-2.0 */
/* Source: RFC 8259 (JSON), RFC 6901 (pointers). */
#include "base/json_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/float.h"
#include "base/mem.h"
#include "base/percent.h"

/* ---- Checking ---- */

typedef struct scan {
  const char *at, *end;
  int depth, max_depth;
  bool too_deep;
} scan;

static bool check_value(scan *s);

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *skip_blanks(const char *at, const char *end) {
  while (at < end && is_blank(*at)) at++;
  return at;
}

static bool take(scan *s, char c) {
  s->at = skip_blanks(s->at, s->end);
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool take_word(scan *s, const char *word) {
  size_t n = strlen(word);
  if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n) != 0) return false;
  s->at += n;
  return true;
}

/* The four digits behind \u, -1: they are none. */
static int code_unit(const char *at, const char *end) {
  int unit = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    int digit = tn_hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

/* Behind the backslash. */
static bool check_escape(scan *s) {
  if (s->at == s->end) return false;
  char c = *s->at++;
  if (c != 'u') return memchr("\"\\/bfnrt", c, 8) != NULL;
  int unit = code_unit(s->at, s->end);
  if (unit < 0 || (unit >= 0xDC00 && unit <= 0xDFFF)) return false;
  s->at += 4;
  if (unit < 0xD800 || unit > 0xDBFF) return true;
  if (!take_word(s, "\\u")) return false;
  int low = code_unit(s->at, s->end);
  if (low < 0xDC00 || low > 0xDFFF) return false;
  s->at += 4;
  return true;
}

static bool check_string(scan *s) {
  if (!take(s, '"')) return false;
  while (s->at < s->end) {
    unsigned char c = (unsigned char)*s->at++;
    if (c == '"') return true;
    if (c < 0x20 || (c == '\\' && !check_escape(s))) {
      s->at--;
      return false;
    }
  }
  return false;
}

static bool take_digits(scan *s) {
  const char *from = s->at;
  while (s->at < s->end && is_digit(*s->at)) s->at++;
  return s->at > from;
}

static bool check_number(scan *s) {
  if (s->at < s->end && *s->at == '-') s->at++;
  const char *first = s->at;
  if (!take_digits(s) || (*first == '0' && s->at - first > 1)) return false;
  if (s->at < s->end && *s->at == '.') {
    s->at++;
    if (!take_digits(s)) return false;
  }
  if (s->at == s->end || (*s->at != 'e' && *s->at != 'E')) return true;
  s->at++;
  if (s->at < s->end && (*s->at == '+' || *s->at == '-')) s->at++;
  return take_digits(s);
}

static bool check_members(scan *s, char closer) {
  if (take(s, closer)) return true;
  do {
    if (closer == '}' && (!check_string(s) || !take(s, ':'))) return false;
    if (!check_value(s)) return false;
  } while (take(s, ','));
  return take(s, closer);
}

static bool check_container(scan *s, char closer) {
  if (s->depth == s->max_depth) {
    s->too_deep = true;
    return false;
  }
  s->depth++;
  s->at++;
  bool ok = check_members(s, closer);
  s->depth--;
  return ok;
}

static bool check_value(scan *s) {
  s->at = skip_blanks(s->at, s->end);
  if (s->at == s->end) return false;
  switch (*s->at) {
    case '{': return check_container(s, '}');
    case '[': return check_container(s, ']');
    case '"': return check_string(s);
    case 't': return take_word(s, "true");
    case 'f': return take_word(s, "false");
    case 'n': return take_word(s, "null");
    default: return check_number(s);
  }
}

static tenon_status check_syntax(const char *data, size_t size, int max_depth, tn_json_text *ret,
                                 tenon_error *err) {
  scan s = {.at = data, .end = data + size, .max_depth = max_depth};
  const char *first = skip_blanks(data, s.end);
  bool ok = check_value(&s);
  const char *last = s.at;
  if (ok && skip_blanks(last, s.end) == s.end) {
    *ret = (tn_json_text){first, (size_t)(last - first)};
    return TENON_OK;
  }
  if (s.too_deep)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL, "JSON is nested deeper than %d",
                      max_depth);
  if (s.at == s.end)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, NULL, "not JSON: it ends too soon");
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, NULL, "not JSON, at byte %zu of %zu",
                    (size_t)(s.at - data) + 1, size);
}

static tenon_status check_text(const char *data, size_t size, int max_depth, tn_json_text *ret,
                               tenon_error *err) {
  size_t bad;
  if (!tn_utf8_valid(data, size, &bad))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, NULL, "byte %zu of the JSON is not UTF-8",
                      bad + 1);
  return check_syntax(data, size, max_depth, ret, err);
}

tenon_status tn_json_text_check(const char *data, size_t size, tn_json_text *ret,
                                tenon_error *err) {
  return check_text(data, size, TN_JSON_MAX_DEPTH, ret, err);
}

tenon_status tn_json_text_check_row(const char *data, size_t size, tn_json_text *ret,
                                    tenon_error *err) {
  return check_text(data, size, TN_JSON_MAX_DEPTH + 1, ret, err);
}

tenon_status tn_json_text_check_bytes(const char *data, size_t size, tn_json_text *ret,
                                      tenon_error *err) {
  return check_syntax(data, size, TN_JSON_MAX_DEPTH, ret, err);
}

/* ---- Walking what was checked ---- */

/* To the first quote that no backslash escapes; there is one. */
static const char *skip_string(const char *at) {
  for (;;) {
    const char *quote = rawmemchr(at + 1, '"'), *first = quote;
    while (first[-1] == '\\') first--;
    if ((quote - first) % 2 == 0) return quote + 1;
    at = quote;
  }
}

static const char *skip_container(const char *at) {
  int depth = 0;
  do {
    if (*at == '"') {
      at = skip_string(at);
      continue;
    }
    depth += (*at == '{' || *at == '[') - (*at == '}' || *at == ']');
    at++;
  } while (depth > 0);
  return at;
}

static const char *skip_value(const char *at, const char *end) {
  if (*at == '"') return skip_string(at);
  if (*at == '{' || *at == '[') return skip_container(at);
  while (at < end && !is_blank(*at) && *at != ',' && *at != '}' && *at != ']') at++;
  return at;
}

tn_json_type tn_json_text_type(tn_json_text t) {
  switch (t.data ? *t.data : 'n') {
    case '{': return TN_JSON_OBJECT;
    case '[': return TN_JSON_ARRAY;
    case '"': return TN_JSON_STRING;
    case 't':
    case 'f': return TN_JSON_BOOL;
    case 'n': return TN_JSON_NULL;
    default: break;
  }
  for (size_t i = 0; i < t.size; i++)
    if (t.data[i] == '.' || t.data[i] == 'e' || t.data[i] == 'E') return TN_JSON_NUMBER;
  return TN_JSON_INTEGER;
}

const char *tn_json_type_name(tn_json_type type) {
  static const char *const names[] = {
      [TN_JSON_NULL] = "null",          [TN_JSON_BOOL] = "a boolean",
      [TN_JSON_INTEGER] = "an integer", [TN_JSON_NUMBER] = "a number",
      [TN_JSON_STRING] = "a string",    [TN_JSON_ARRAY] = "an array",
      [TN_JSON_OBJECT] = "an object"};
  return names[type];
}

bool tn_json_text_next(tn_json_text t, const char **cursor, tn_json_text *ret_key,
                       tn_json_text *ret_value) {
  if (!t.data || (*t.data != '{' && *t.data != '[')) return false;
  const char *end = t.data + t.size - 1, *at = skip_blanks(*cursor ? *cursor : t.data + 1, end);
  tn_json_text key = {NULL, 0};
  if (at < end && *at == ',') at = skip_blanks(at + 1, end);
  if (at >= end) return false;
  if (*t.data == '{') {
    const char *behind = skip_string(at);
    key = (tn_json_text){at, (size_t)(behind - at)};
    at = skip_blanks(skip_blanks(behind, end) + 1, end);
  }
  *cursor = skip_value(at, end);
  *ret_value = (tn_json_text){at, (size_t)(*cursor - at)};
  if (ret_key) *ret_key = key;
  return true;
}

size_t tn_json_text_count(tn_json_text t) {
  size_t n = 0;
  tn_json_text value;
  for (const char *cursor = NULL; tn_json_text_next(t, &cursor, NULL, &value);) n++;
  return n;
}

/* ---- Strings ---- */

static bool put_code_point(tn_str *out, uint32_t c) {
  char b[4];
  size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
  static const uint8_t first[] = {0, 0, 0xC0, 0xE0, 0xF0};
  for (size_t i = n; i-- > 1; c >>= 6) b[i] = (char)(0x80 | (c & 0x3F));
  b[0] = (char)(first[n] | c);
  return tn_str_add(out, b, n);
}

/* At the u; answers the last character that it took. */
static const char *unescape_unit(const char *at, const char *end, tn_str *out) {
  uint32_t c = (uint32_t)code_unit(at + 1, end);
  at += 4;
  if (c >= 0xD800 && c <= 0xDBFF) {
    c = 0x10000 + ((c - 0xD800) << 10) + ((uint32_t)code_unit(at + 3, end) - 0xDC00);
    at += 6;
  }
  put_code_point(out, c);
  return at;
}

bool tn_json_text_unquote(tn_json_text string, tn_str *out) {
  static const char from[] = "bfnrt", to[] = "\b\f\n\r\t";
  const char *end = string.data + string.size - 1;
  for (const char *at = string.data + 1; at < end; at++) {
    const char *plain = at;
    while (at < end && *at != '\\') at++;
    tn_str_add(out, plain, (size_t)(at - plain));
    if (at == end) break;
    at++;
    const char *named = *at ? strchr(from, *at) : NULL;
    if (*at == 'u') at = unescape_unit(at, end, out);
    else tn_str_putc(out, named ? to[named - from] : *at);
  }
  return !out->failed;
}

bool tn_json_text_is(tn_json_text string, const char *text, size_t size) {
  if (!string.data || *string.data != '"') return false;
  if (!memchr(string.data, '\\', string.size))
    return string.size == size + 2 && memcmp(string.data + 1, text, size) == 0;
  tn_str said;
  tn_str_init(&said, string.size + 1);
  bool is = tn_json_text_unquote(string, &said) && said.size == size &&
            memcmp(tn_str_text(&said), text, size) == 0;
  tn_str_release(&said);
  return is;
}

bool tn_json_text_get(tn_json_text object, const char *key, size_t size, tn_json_text *ret) {
  tn_json_text name, value;
  bool found = false;
  for (const char *cursor = NULL; tn_json_text_next(object, &cursor, &name, &value);)
    if (tn_json_text_is(name, key, size)) {
      *ret = value;
      found = true;
    }
  return found;
}

/* ---- Members that are there twice ---- */

static int by_hash(const void *a, const void *b) {
  uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
  return x < y ? -1 : x > y;
}

/* FNV-1a of what the key says. Two keys of one hash are taken for one. */
static tenon_status hash_key(tn_json_text key, uint64_t *ret, tenon_error *err) {
  uint64_t h = UINT64_C(14695981039346656037);
  tn_str said;
  tn_str_init(&said, key.size + 1);
  if (!tn_json_text_unquote(key, &said)) {
    tn_str_release(&said);
    return tn_no_memory(err);
  }
  for (size_t i = 0; i < said.size; i++)
    h = (h ^ (unsigned char)said.data[i]) * UINT64_C(1099511628211);
  tn_str_release(&said);
  *ret = h;
  return TENON_OK;
}

static tenon_status check_hashes(uint64_t *hashes, size_t count, tenon_error *err) {
  qsort(hashes, count, sizeof *hashes, by_hash);
  for (size_t i = 1; i < count; i++)
    if (hashes[i] == hashes[i - 1])
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave one of them out",
                        "a member is there twice in an object");
  return TENON_OK;
}

static tenon_status check_object(tn_json_text object, tenon_error *err) {
  tn_json_text key, value;
  size_t count = tn_json_text_count(object), n = 0;
  uint64_t *hashes = tn_alloc_array(count + 1, sizeof *hashes);
  tenon_status status = hashes ? TENON_OK : tn_no_memory(err);
  for (const char *c = NULL; !status && tn_json_text_next(object, &c, &key, &value);)
    status = hash_key(key, &hashes[n++], err);
  if (!status) status = check_hashes(hashes, n, err);
  tn_free(hashes);
  return status;
}

tenon_status tn_json_text_check_members(tn_json_text t, tenon_error *err) {
  tn_json_text value;
  tenon_status status = tn_json_text_type(t) == TN_JSON_OBJECT ? check_object(t, err) : TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(t, &c, NULL, &value);)
    status = tn_json_text_check_members(value, err);
  return status;
}

/* ---- Paths ---- */

static bool step_into(tn_json_text *t, const char *name, size_t size) {
  if (tn_json_text_type(*t) != TN_JSON_ARRAY) return tn_json_text_get(*t, name, size, t);
  size_t index = 0, at = 0;
  if (!size || size > 9 || (size > 1 && *name == '0')) return false;
  for (size_t i = 0; i < size; i++) {
    if (!is_digit(name[i])) return false;
    index = index * 10 + (size_t)(name[i] - '0');
  }
  tn_json_text value;
  for (const char *cursor = NULL; tn_json_text_next(*t, &cursor, NULL, &value); at++)
    if (at == index) {
      *t = value;
      return true;
    }
  return false;
}

/* ~1 is a slash, ~0 a tilde. */
static size_t pointer_part(const char *part, size_t size, char *ret, size_t room) {
  size_t n = 0;
  for (size_t i = 0; i < size && n < room; i++) {
    bool escaped = part[i] == '~' && i + 1 < size && (part[i + 1] == '0' || part[i + 1] == '1');
    ret[n++] = !escaped ? part[i] : part[i + 1] == '0' ? '~' : '/';
    i += escaped;
  }
  return n;
}

bool tn_json_text_find(tn_json_text t, const char *path, tn_json_text *ret) {
  char part[512];
  bool is_pointer = *path == '/';
  while (*path) {
    path += is_pointer;
    size_t size = strcspn(path, is_pointer ? "/" : ".");
    if (size > sizeof part) return false;
    size_t used = is_pointer ? pointer_part(path, size, part, sizeof part) : size;
    if (!step_into(&t, is_pointer ? part : path, used)) return false;
    path += size;
    if (!is_pointer && *path) path++;
  }
  *ret = t;
  return true;
}

/* ---- Numbers, and the rest ---- */

bool tn_json_text_integer(tn_json_text t, int64_t *ret) {
  char text[32], *end;
  if (tn_json_text_type(t) != TN_JSON_INTEGER || t.size >= sizeof text) return false;
  memcpy(text, t.data, t.size);
  text[t.size] = 0;
  errno = 0;
  long long v = strtoll(text, &end, 10);
  if (errno || *end) return false;
  *ret = v;
  return true;
}

bool tn_json_text_number(tn_json_text t, double *ret) {
  tn_json_type type = tn_json_text_type(t);
  return (type == TN_JSON_INTEGER || type == TN_JSON_NUMBER) && tn_parse_f64(t.data, t.size, ret);
}

bool tn_json_text_true(tn_json_text t) { return t.data && *t.data == 't'; }

static bool numbers_equal(tn_json_text a, tn_json_text b) {
  int64_t i, j;
  double x, y;
  if (a.size == b.size && memcmp(a.data, b.data, a.size) == 0) return true;
  if (tn_json_text_integer(a, &i) && tn_json_text_integer(b, &j)) return i == j;
  return tn_json_text_number(a, &x) && tn_json_text_number(b, &y) && x <= y && x >= y;
}

static bool strings_equal(tn_json_text a, tn_json_text b) {
  tn_str said;
  tn_str_init(&said, a.size + 1);
  bool equal = tn_json_text_unquote(a, &said) && tn_json_text_is(b, tn_str_text(&said), said.size);
  tn_str_release(&said);
  return equal;
}

/* Both have as many members: then each of a's being in b is enough, duplicates aside. */
static bool members_equal(tn_json_text a, tn_json_text b) {
  tn_json_text key, value, name, other;
  for (const char *cursor = NULL; tn_json_text_next(a, &cursor, &key, &value);) {
    bool found = false;
    for (const char *c = NULL; !found && tn_json_text_next(b, &c, &name, &other);)
      found = strings_equal(key, name) && tn_json_text_equal(value, other);
    if (!found) return false;
  }
  return true;
}

static bool elements_equal(tn_json_text a, tn_json_text b) {
  tn_json_text x, y;
  for (const char *c = NULL, *d = NULL; tn_json_text_next(a, &c, NULL, &x);)
    if (!tn_json_text_next(b, &d, NULL, &y) || !tn_json_text_equal(x, y)) return false;
  return true;
}

bool tn_json_text_equal(tn_json_text a, tn_json_text b) {
  tn_json_type type = tn_json_text_type(a), other = tn_json_text_type(b);
  if (type == TN_JSON_INTEGER) type = TN_JSON_NUMBER;
  if (other == TN_JSON_INTEGER) other = TN_JSON_NUMBER;
  if (type != other) return false;
  switch (type) {
    case TN_JSON_NUMBER: return numbers_equal(a, b);
    case TN_JSON_STRING: return strings_equal(a, b);
    case TN_JSON_BOOL: return *a.data == *b.data;
    case TN_JSON_ARRAY:
      return tn_json_text_count(a) == tn_json_text_count(b) && elements_equal(a, b);
    case TN_JSON_OBJECT:
      return tn_json_text_count(a) == tn_json_text_count(b) && members_equal(a, b);
    default: return true;
  }
}
