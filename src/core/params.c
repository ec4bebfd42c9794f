/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of parameter tables: finding them, checking that a table can be worked with, their units. */
#include "core/params.h"

#include <string.h>
#include <strings.h>

#include "base/error.h"

/* ---- Rows ---- */

size_t tn_param_count(const tenon_provider *p) { return p->params.count; }

const tenon_param *tn_param_at(const tenon_provider *p, size_t i) {
  return (const tenon_param *)(const void *)((const char *)p->params.items + i * p->params.item_size);
}

/* Walks a list of words separated by `separator`; false behind the last. */
static bool next_word(const char **at, char separator, const char **ret_word, size_t *ret_size) {
  if (!*at || !**at) return false;
  const char *end = strchr(*at, separator);
  *ret_word = *at;
  *ret_size = end ? (size_t)(end - *at) : strlen(*at);
  *at = end ? end + 1 : NULL;
  return true;
}

static bool has_word(const char *words, char separator, const char *word) {
  const char *w;
  size_t n, length = strlen(word);
  while (next_word(&words, separator, &w, &n))
    if (n == length && memcmp(w, word, n) == 0) return true;
  return false;
}

const tenon_param *tn_param_find(const tenon_provider *p, const char *name) {
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    if (strcmp(row->key, name) == 0 || has_word(row->aliases, ',', name)) return row;
  }
  return NULL;
}

const char *tn_param_nearest(const tenon_provider *p, const char *name) {
  const char *keys[64];
  size_t n = 0;
  for (size_t i = 0; i < tn_param_count(p) && n < 64; i++) keys[n++] = tn_param_at(p, i)->key;
  return tn_nearest(name, keys, n);
}

/* ---- `when` ---- */

/* "auth=password|certificate": the length of the key, 0 if there is none. */
static size_t when_key_size(const char *when) {
  const char *equals = when ? strchr(when, '=') : NULL;
  return equals ? (size_t)(equals - when) : 0;
}

const tenon_param *tn_param_controller(const tenon_provider *p, const tenon_param *row) {
  size_t n = when_key_size(row->when);
  for (size_t i = 0; n && i < tn_param_count(p); i++) {
    const char *key = tn_param_at(p, i)->key;
    if (strlen(key) == n && memcmp(key, row->when, n) == 0) return tn_param_at(p, i);
  }
  return NULL;
}

bool tn_param_when_holds(const tenon_param *row, const char *controller_value) {
  if (!row->when) return true;
  return controller_value && has_word(row->when + when_key_size(row->when) + 1, '|',
                                      controller_value);
}

/* ---- Types ---- */

static const struct {
  const char *name;
  size_t size, align;
} types[] = {
    [TENON_PARAM_STRING] = {"text", sizeof(const char *), _Alignof(const char *)},
    [TENON_PARAM_INTEGER] = {"integer", sizeof(int64_t), _Alignof(int64_t)},
    [TENON_PARAM_NUMBER] = {"number", sizeof(double), _Alignof(double)},
    [TENON_PARAM_BOOLEAN] = {"boolean", sizeof(bool), _Alignof(bool)},
    [TENON_PARAM_DURATION] = {"duration", sizeof(int64_t), _Alignof(int64_t)},
    [TENON_PARAM_SIZE] = {"size", sizeof(int64_t), _Alignof(int64_t)},
    [TENON_PARAM_ENUM] = {"choice", sizeof(const char *), _Alignof(const char *)},
    [TENON_PARAM_LIST] = {"list", sizeof(tenon_strings), _Alignof(tenon_strings)},
    [TENON_PARAM_MAP] = {"map", sizeof(tenon_strings), _Alignof(tenon_strings)},
    [TENON_PARAM_JSON] = {"JSON", sizeof(const char *), _Alignof(const char *)},
    [TENON_PARAM_FILE] = {"file content", sizeof(tenon_blob), _Alignof(tenon_blob)},
    [TENON_PARAM_PATH] = {"path", sizeof(const char *), _Alignof(const char *)},
};

static bool is_type(tenon_param_type t) { return (unsigned)t < sizeof types / sizeof types[0]; }

const char *tn_param_type_name(tenon_param_type t) { return is_type(t) ? types[t].name : "?"; }
size_t tn_param_type_size(tenon_param_type t) { return is_type(t) ? types[t].size : 0; }

/* ---- Is a table sane? ---- */

static bool is_key(const char *key) {
  if (!key || *key < 'a' || *key > 'z') return false;
  return key[strspn(key, "abcdefghijklmnopqrstuvwxyz0123456789_")] == 0;
}

static bool is_choice(const tenon_param *row, const char *value) {
  for (const char *const *c = row->choices; c && *c; c++)
    if (strcmp(*c, value) == 0) return true;
  return false;
}

static const char *check_place(const tenon_provider *p, const tenon_param *row, size_t i) {
  if (!is_type(row->type)) return "has an unknown type";
  size_t size = types[row->type].size;
  if (row->offset < sizeof(uint64_t) || row->offset % types[row->type].align)
    return "has no place in the config struct";
  if (row->offset > p->config_size || size > p->config_size - row->offset)
    return "lies outside of the config struct";
  for (size_t k = 0; k < i; k++) {
    const tenon_param *other = tn_param_at(p, k);
    if (row->offset < other->offset + types[other->type].size && other->offset < row->offset + size)
      return "has the place of another row";
  }
  return NULL;
}

static const char *check_when(const tenon_provider *p, const tenon_param *row, size_t i) {
  if (!row->when) return NULL;
  const tenon_param *by = tn_param_controller(p, row);
  for (size_t k = 0; by && k < i; k++) {
    if (tn_param_at(p, k) != by) continue;
    if (by->type == TENON_PARAM_BOOLEAN) return NULL;
    if (by->type != TENON_PARAM_ENUM)
      return "depends on a row that is neither a choice nor a boolean";
    const char *at = row->when + when_key_size(row->when) + 1, *word;
    for (size_t n; next_word(&at, '|', &word, &n);) {
      char choice[64] = "";
      if (n < sizeof choice) memcpy(choice, word, n);
      if (!is_choice(by, choice)) return "depends on a choice that there is not";
    }
    return NULL;
  }
  return "depends on no row before it";
}

static const char *check_names(const tenon_provider *p, const tenon_param *row) {
  if (!is_key(row->key)) return "has no key of lower case letters, digits and _";
  if (tn_param_find(p, row->key) != row) return "has the key of another row";
  const char *at = row->aliases, *word;
  for (size_t n; next_word(&at, ',', &word, &n);) {
    char alias[64] = "";
    if (n < sizeof alias) memcpy(alias, word, n);
    if (alias[0] == 0 || tn_param_find(p, alias) != row)
      return "has an alias that is empty or another row's";
  }
  return NULL;
}

static const char *check_row(const tenon_provider *p, const tenon_param *row, size_t i) {
  const char *why = check_names(p, row);
  if (!why) why = check_place(p, row, i);
  if (!why) why = check_when(p, row, i);
  if (why) return why;
  if (!row->label || !row->help) return "has no label or no help";
  if ((row->type == TENON_PARAM_ENUM) != (row->choices && row->choices[0]))
    return "has choices and is no choice, or the other way";
  if (row->default_value && row->flags & TENON_REQUIRED) return "is required and has a default";
  if (row->default_value && row->flags & TENON_SECRET) return "is secret and has a default";
  if (row->default_value && row->type == TENON_PARAM_ENUM && !is_choice(row, row->default_value))
    return "has a default that is none of its choices";
  return NULL;
}

tenon_status tn_params_check(const tenon_provider *p, tenon_error *err) {
  const char *const remedy = "mend the provider's parameter table";
  if (p->params.count > 64 || (p->params.count && p->config_size < sizeof(uint64_t)))
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, remedy,
                      "kind %s: more than 64 parameters, or no room for `set`", p->kind);
  for (size_t i = 0; i < p->params.count; i++) {
    const tenon_param *row = tn_param_at(p, i);
    const char *why = check_row(p, row, i);
    if (why)
      return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, remedy, "kind %s: parameter %s %s",
                        p->kind,
                        row->key ? row->key : "(none)", why);
  }
  return TENON_OK;
}

/* ---- Values ---- */

bool tn_parse_integer(const char *text, int64_t *ret) {
  bool negative = *text == '-';
  if (*text == '-' || *text == '+') text++;
  if (*text < '0' || *text > '9') return false;
  int64_t v = 0;
  for (; *text >= '0' && *text <= '9'; text++)
    if (__builtin_mul_overflow(v, 10, &v) || __builtin_sub_overflow(v, *text - '0', &v))
      return false;
  if (*text || (!negative && v == INT64_MIN)) return false;
  *ret = negative ? v : -v;
  return true;
}

bool tn_parse_boolean(const char *text, bool *ret) {
  static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strcasecmp(text, words[i]) == 0) {
      *ret = i % 2 == 1;
      return true;
    }
  return false;
}

bool tn_parse_character(const char *text, char *ret) {
  if (strcmp(text, "tab") == 0 || strcmp(text, "\\t") == 0) text = "\t";
  if (strcmp(text, "none") == 0) text = "";
  if (strlen(text) > 1 || (unsigned char)text[0] >= 0x80 || text[0] == '\n' || text[0] == '\r')
    return false;
  *ret = text[0];
  return true;
}

/* Digits with up to nine behind a point, as billionths. */
static bool parse_billionths(const char **at, __int128 *ret) {
  const char *p = *at;
  __int128 v = 0;
  int digits = 0, behind = 0;
  for (; *p >= '0' && *p <= '9' && digits < 20; p++, digits++) v = v * 10 + (*p - '0');
  if (digits == 0 || (*p >= '0' && *p <= '9')) return false;
  if (*p == '.')
    for (p++; *p >= '0' && *p <= '9' && behind < 9; p++, behind++) v = v * 10 + (*p - '0');
  if (p[-1] == '.') return false;
  for (; behind < 9; behind++) v *= 10;
  *at = p;
  *ret = v;
  return true;
}

typedef struct unit {
  const char *name;
  int64_t size;
} unit;

static bool parse_with_unit(const char *text, const unit *units, size_t count, int64_t *ret) {
  __int128 v;
  if (!parse_billionths(&text, &v)) return false;
  for (size_t i = 0; i < count; i++) {
    if (strcasecmp(text, units[i].name) != 0) continue;
    __int128 product;
    if (__builtin_mul_overflow(v, (__int128)units[i].size, &product) || product % 1000000000)
      return false;
    product /= 1000000000;
    if (product > INT64_MAX) return false;
    *ret = (int64_t)product;
    return true;
  }
  return false;
}

bool tn_parse_duration(const char *text, int64_t *ret_ms) {
  static const unit units[] = {{"", 1000},     {"ms", 1},      {"s", 1000},       {"m", 60000},
                               {"min", 60000}, {"h", 3600000}, {"d", 86400000}};
  return parse_with_unit(text, units, sizeof units / sizeof units[0], ret_ms);
}

bool tn_parse_size(const char *text, int64_t *ret_bytes) {
  enum { K = 1024 };
  static const unit units[] = {
      {"", 1},          {"B", 1},           {"K", K},          {"KB", K},          {"KiB", K},
      {"M", K * K},     {"MB", K * K},      {"MiB", K * K},    {"G", K * K * K},   {"GB",
                                                                                    K * K * K},
      {"GiB", K * K * K}, {"T", (int64_t)K * K * K * K}, {"TB", (int64_t)K * K * K * K}, {"TiB",
              (int64_t)K * K * K * K}};
  return parse_with_unit(text, units, sizeof units / sizeof units[0], ret_bytes);
}
