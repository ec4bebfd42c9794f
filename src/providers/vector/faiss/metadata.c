/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conditions on members of a JSON object, read from its text in one walk and without memory for it:
 * rows are many, their metadata is small. What is no JSON object is told apart from what does not match.
 */
#include <math.h>

#include "base/float.h"
#include "faiss.h"

enum { MAX_DEPTH = 64, MAX_FILTERS = 64, UNESCAPED = 2048 };

typedef struct scanner {
  const char *at, *end;
} scanner;

typedef enum value_type { V_NULL, V_BOOL, V_INT, V_DOUBLE, V_TEXT, V_NESTED } value_type;

typedef struct json_value {
  value_type type;
  int64_t i;
  double f;
  const char *text;     /* between the quotes, as it is written */
  size_t size;
  bool has_escapes;
} json_value;

/* ---- Scanning ---- */

static void skip_space(scanner *s) {
  while (s->at < s->end && (*s->at == ' ' || *s->at == '\t' || *s->at == '\n' || *s->at == '\r'))
    s->at++;
}

static bool take_char(scanner *s, char c) {
  skip_space(s);
  if (s->at == s->end || *s->at != c) return false;
  s->at++;
  return true;
}

static bool take_string(scanner *s, json_value *ret) {
  if (!take_char(s, '"')) return false;
  *ret = (json_value){.type = V_TEXT, .text = s->at};
  for (; s->at < s->end && *s->at != '"'; s->at++) {
    if (*s->at != '\\') continue;
    ret->has_escapes = true;
    if (++s->at == s->end) return false;
  }
  ret->size = (size_t)(s->at - ret->text);
  return s->at < s->end && *s->at++ == '"';
}

static bool take_word(scanner *s, const char *word) {
  size_t size = strlen(word);
  if ((size_t)(s->end - s->at) < size || memcmp(s->at, word, size) != 0) return false;
  s->at += size;
  return true;
}

static bool whole_number(const char *text, size_t size, int64_t *ret) {
  bool negative = size > 0 && *text == '-';
  int64_t v = 0;   /* negative, which reaches farther */
  if (size - negative < 1 || size - negative > 19) return false;
  for (size_t i = negative; i < size; i++) {
    if (text[i] < '0' || text[i] > '9' || __builtin_mul_overflow(v, 10, &v) ||
        __builtin_sub_overflow(v, text[i] - '0', &v))
      return false;
  }
  if (!negative && v == INT64_MIN) return false;
  *ret = negative ? v : -v;
  return true;
}

static bool take_number(scanner *s, json_value *ret) {
  const char *begin = s->at;
  while (s->at < s->end && *s->at && strchr("+-.0123456789eE", *s->at)) s->at++;
  size_t size = (size_t)(s->at - begin);
  *ret = (json_value){.type = V_INT};
  if (whole_number(begin, size, &ret->i)) return true;
  ret->type = V_DOUBLE;
  return size > 0 && tn_parse_f64(begin, size, &ret->f);
}

/* Skips an array or object: its brackets are counted, its strings passed over. */
static bool skip_nested(scanner *s) {
  json_value ignored;
  int depth = 0;
  do {
    if (s->at == s->end) return false;
    char c = *s->at;
    if (c == '"') {
      if (!take_string(s, &ignored)) return false;
      continue;
    }
    if (c == '{' || c == '[') depth++;
    if (c == '}' || c == ']') depth--;
    s->at++;
  } while (depth > 0 && depth <= MAX_DEPTH);
  return depth == 0;
}

static bool take_value(scanner *s, json_value *ret) {
  skip_space(s);
  if (s->at == s->end) return false;
  switch (*s->at) {
    case '"': return take_string(s, ret);
    case '{': case '[': *ret = (json_value){.type = V_NESTED}; return skip_nested(s);
    case 't': *ret = (json_value){.type = V_BOOL, .i = 1}; return take_word(s, "true");
    case 'f': *ret = (json_value){.type = V_BOOL}; return take_word(s, "false");
    case 'n': *ret = (json_value){.type = V_NULL}; return take_word(s, "null");
    default: return take_number(s, ret);
  }
}

/* ---- Text with escapes ---- */

static int hex4(const char *at, const char *end) {
  int v = 0;
  if (end - at < 4) return -1;
  for (int i = 0; i < 4; i++) {
    char c = at[i];
    int digit = c >= '0' && c <= '9' ? c - '0'
                : c >= 'a' && c <= 'f' ? c - 'a' + 10
                : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
    if (digit < 0) return -1;
    v = v * 16 + digit;
  }
  return v;
}

static size_t put_utf8(unsigned c, char *to) {
  if (c < 0x80) return to[0] = (char)c, 1;
  if (c < 0x800) return to[0] = (char)(0xC0 | c >> 6), to[1] = (char)(0x80 | (c & 63)), 2;
  if (c < 0x10000)
    return to[0] = (char)(0xE0 | c >> 12), to[1] = (char)(0x80 | (c >> 6 & 63)),
           to[2] = (char)(0x80 | (c & 63)), 3;
  return to[0] = (char)(0xF0 | c >> 18), to[1] = (char)(0x80 | (c >> 12 & 63)),
         to[2] = (char)(0x80 | (c >> 6 & 63)), to[3] = (char)(0x80 | (c & 63)), 4;
}

/* Behind \u: the character, with its second half where it has one; at moves on. -1: no such thing. */
static int take_unicode(const char **at, const char *end) {
  int high = hex4(*at, end);
  if (high < 0) return -1;
  *at += 4;
  if (high < 0xD800 || high > 0xDFFF) return high;
  if (high > 0xDBFF || end - *at < 6 || (*at)[0] != '\\' || (*at)[1] != 'u') return -1;
  int low = hex4(*at + 2, end);
  if (low < 0xDC00 || low > 0xDFFF) return -1;
  *at += 6;
  return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
}

/* Never longer than what it is made of. */
static bool unescape(const json_value *v, char *to, size_t *ret_size) {
  static const char names[] = "\"\\/bfnrt", meant[] = "\"\\/\b\f\n\r\t";
  const char *at = v->text, *end = at + v->size;
  size_t n = 0;
  while (at < end) {
    if (*at != '\\') {
      to[n++] = *at++;
      continue;
    }
    at++;
    if (at < end && *at == 'u') {
      at++;
      int c = take_unicode(&at, end);
      if (c < 0) return false;
      n += put_utf8((unsigned)c, to + n);
      continue;
    }
    const char *name = at < end && *at ? strchr(names, *at) : NULL;
    if (!name) return false;
    to[n++] = meant[name - names];
    at++;
  }
  *ret_size = n;
  return true;
}

/* The text itself, in `room` or (*ret_owned) on the heap where it has escapes; NULL: malformed. */
static const char *plain_text(const json_value *v, char room[UNESCAPED], char **ret_owned,
                              size_t *ret_size) {
  *ret_owned = NULL;
  *ret_size = v->size;
  if (!v->has_escapes) return v->text;
  char *to = room;
  if (v->size > UNESCAPED && !(to = *ret_owned = tn_alloc(v->size))) return NULL;
  return unescape(v, to, ret_size) ? to : NULL;
}

/* ---- Comparing ---- */

static int order_of_integers(int64_t a, int64_t b) { return (a > b) - (a < b); }

/* NaN equals itself and is greater than every number. */
static int order_of_doubles(double a, double b) {
  if (isnan(a) || isnan(b)) return !!isnan(a) - !!isnan(b);
  return (a > b) - (a < b);
}

/* Exact: a double does not hold every integer. */
static int order_of_mixed(int64_t a, double b) {
  const double limit = 9223372036854775808.0;
  if (isnan(b) || b >= limit) return -1;
  if (b < -limit) return 1;
  int order = order_of_integers(a, (int64_t)b);
  return order ? order : order_of_doubles(0, b - trunc(b));
}

static int order_of_numbers(const json_value *v, const tenon_value *with) {
  if (with->type == TENON_VALUE_INT)
    return v->type == V_INT ? order_of_integers(v->i, with->i) : -order_of_mixed(with->i, v->f);
  return v->type == V_INT ? order_of_mixed(v->i, with->f) : order_of_doubles(v->f, with->f);
}

/* -1, 0, 1; 2: they do not compare. */
static int compare(const json_value *v, const char *text, size_t size, const tenon_value *with) {
  bool number = with->type == TENON_VALUE_INT || with->type == TENON_VALUE_DOUBLE;
  switch (v->type) {
    case V_TEXT:
      if (with->type != TENON_VALUE_TEXT) return 2;
      {
        int order = tn_faiss_id_compare(text, size, with->data ? with->data : "", with->size);
        return (order > 0) - (order < 0);
      }
    case V_INT: case V_DOUBLE:
      return number ? order_of_numbers(v, with) : 2;
    case V_BOOL: return with->type == TENON_VALUE_BOOL ? order_of_integers(v->i, with->i) : 2;
    default: return 2;
  }
}

static bool is_in(const json_value *v, const char *text, size_t size, const tenon_filter *f) {
  for (size_t i = 0; i < f->value_count; i++)
    if (compare(v, text, size, &f->values[i]) == 0) return true;
  return false;
}

static bool has_prefix(const json_value *v, const char *text, size_t size, const tenon_value *p) {
  return v->type == V_TEXT && p->size <= size && (!p->size || memcmp(text, p->data, p->size) == 0);
}

static bool holds_of(const json_value *v, const char *text, size_t size, const tenon_filter *f) {
  if (f->op == TENON_IS_NULL) return v->type == V_NULL;
  if (f->op == TENON_IS_NOT_NULL) return v->type != V_NULL;
  if (v->type == V_NULL || v->type == V_NESTED) return false;
  if (f->op == TENON_IN) return is_in(v, text, size, f);
  if (f->op == TENON_PREFIX) return has_prefix(v, text, size, &f->values[0]);
  int order = compare(v, text, size, &f->values[0]);
  if (f->op == TENON_NE) return order != 0;
  if (order == 2) return false;
  switch (f->op) {
    case TENON_EQ: return order == 0;
    case TENON_LT: return order < 0;
    case TENON_LE: return order <= 0;
    case TENON_GT: return order > 0;
    case TENON_GE: return order >= 0;
    default: {
      int high = compare(v, text, size, &f->values[1]);
      return order >= 0 && high <= 0;
    }
  }
}

static bool is_called(const json_value *key, const char *name) {
  char room[UNESCAPED], *owned;
  size_t size;
  if (!key->has_escapes) return strlen(name) == key->size && memcmp(name, key->text, key->size) == 0;
  const char *text = plain_text(key, room, &owned, &size);
  bool same = text && strlen(name) == size && memcmp(name, text, size) == 0;
  tn_free(owned);
  return same;
}

/* -1: malformed. */
static int holds(const json_value *v, const tenon_filter *f) {
  char room[UNESCAPED], *owned = NULL;
  size_t size = 0;
  const char *text = v->type == V_TEXT ? plain_text(v, room, &owned, &size) : "";
  int result = text ? holds_of(v, text, size, f) : -1;
  tn_free(owned);
  return result;
}

/* ---- Rows ---- */

static bool take_members(scanner *s, const tenon_filter *filters, size_t n, int8_t *results) {
  if (!take_char(s, '{')) return false;
  if (take_char(s, '}')) return true;
  do {
    json_value key, value;
    if (!take_string(s, &key) || !take_char(s, ':') || !take_value(s, &value)) return false;
    for (size_t i = 0; i < n; i++)
      if (is_called(&key, filters[i].column)) {
        int result = holds(&value, &filters[i]);
        if (result < 0) return false;
        results[i] = (int8_t)result;
      }
  } while (take_char(s, ','));
  return take_char(s, '}');
}

int tn_faiss_matches(const char *json, size_t size, const tenon_filter *filters, size_t n) {
  scanner s = {json, json + size};
  int8_t results[MAX_FILTERS];
  if (n > MAX_FILTERS) return -1;
  for (size_t i = 0; i < n; i++) results[i] = filters[i].op == TENON_IS_NULL;
  if (json) {
    if (!take_members(&s, filters, n, results)) return -1;
    skip_space(&s);
    if (s.at != s.end) return -1;
  }
  for (size_t i = 0; i < n; i++)
    if (!results[i]) return 0;
  return 1;
}

tenon_status tn_faiss_select(tenon_ctx *ctx, const tn_faiss_version *v, const tenon_filter *filters,
                             size_t n, uint8_t **ret, int64_t *ret_count, tenon_error *err) {
  uint8_t *mask = tn_alloc((size_t)v->count + 1);
  int64_t count = 0;
  tenon_status status = mask ? TENON_OK : tn_no_memory(err);
  for (int64_t row = 0; row < v->count && !status; row++) {
    char room[TN_FAISS_ID_ROOM];
    tn_faiss_record r;
    if (row % 4096 == 0 && (status = tn_faiss_host->check(ctx, err))) break;
    int met = tn_faiss_texts(v, row, room, &r)
                  ? tn_faiss_matches(r.metadata, r.metadata_size, filters, n)
                  : -1;
    if (met < 0) status = tn_faiss_damaged(v, row, err);
    mask[row] = met > 0;
    count += met > 0;
  }
  if (status) {
    tn_free(mask);
    return status;
  }
  *ret = mask;
  *ret_count = count;
  return TENON_OK;
}
