/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings into a config struct, by the rows of a kind's parameter table. All that is wrong is
 * collected and said at once. What a wrong value was is shown only if it may be: not of secrets, of
 * parameters that nobody knows, nor of what came out of a file or a variable.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/env.h"
#include "base/error.h"
#include "base/file.h"
#include "base/float.h"
#include "base/json.h"
#include "core/params.h"

enum {
  MAX_CONFIG_BYTES = 8 << 20, MAX_FILE = 1 << 20, MAX_ROWS = 64, MAX_ITEMS = 10000, MAX_SHOWN = 40
};

/* A value on its way from text to struct. */
typedef struct text_value {
  const char *data;        /* NUL-terminated, too */
  size_t size;
  bool is_structured;
  bool is_referred;        /* came from a variable or a file: not shown */
} text_value;

typedef struct checker {
  tn_config *config;
  const tenon_provider *provider;
  const tn_setting *given[MAX_ROWS];
  const char *canonical[MAX_ROWS];   /* the value that other rows' `when` looks at */
  bool is_wrong[MAX_ROWS];
  bool out_of_memory;
  size_t problem_count;
  tn_str problems;
} checker;

/* ---- Collecting what is wrong ---- */

static void problem(checker *c, const char *key, const char *format, ...) TENON_PRINTF(3, 4);

static void problem(checker *c, const char *key, const char *format, ...) {
  char text[512];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  tn_str_printf(&c->problems, "%s%s: %s", c->problem_count++ ? "; " : "", key, text);
}

/* Quotes a value for a message, or says that it is not shown. */
static const char *shown(const tenon_param *row, const text_value *v, char *room, size_t size) {
  if (row->flags & TENON_SECRET || v->is_referred) return "the value";
  snprintf(room, size, "\"%.*s%s\"", MAX_SHOWN, v->data, v->size > MAX_SHOWN ? "…" : "");
  return room;
}

/* ---- Where a value comes from ---- */

static bool starts_with(const char *text, const char *prefix) {
  return strncmp(text, prefix, strlen(prefix)) == 0;
}

static char *keep(checker *c, const char *data, size_t size) {
  char *copy = tn_arena_strndup(&c->config->arena, data, size);
  c->out_of_memory |= !copy;
  return copy;
}

/* path behind base, where it is relative and there is one. */
static const char *join(checker *c, const char *base, const char *path) {
  if (!base || path[0] == '/') return keep(c, path, strlen(path));
  tn_str s;
  tn_str_init(&s, MAX_FILE);
  tn_str_printf(&s, "%s/%s", base, path);
  char *joined = keep(c, tn_str_text(&s), s.size);
  c->out_of_memory |= s.failed;
  tn_str_release(&s);
  return joined;
}

static bool from_env(checker *c, const tenon_param *row, const char *name, text_value *v) {
  const char *text = tn_env(name);
  if (!text) {
    problem(c, row->key, "the environment variable %.*s is not set", MAX_SHOWN, name);
    return false;
  }
  *v = (text_value){.data = keep(c, text, strlen(text)), .size = strlen(text), .is_referred = true};
  return v->data != NULL;
}

static bool from_file(checker *c, const tenon_param *row, const char *base, const char *name,
                      text_value *v) {
  const char *path = join(c, base, name);
  char *data = NULL;
  size_t size = 0;
  tenon_error why = TENON_ERROR_INIT;
  if (!path) return false;
  if (tn_read_file(path, MAX_FILE, &data, &size, &why)) {
    problem(c, row->key, "%s", why.message);
    return false;
  }
  if (row->type != TENON_PARAM_FILE) {
    if (size && data[size - 1] == '\n') size--;
    if (size && data[size - 1] == '\r') size--;
  }
  *v = (text_value){.data = keep(c, data, size), .size = size, .is_referred = true};
  tn_wipe(data, size);
  tn_free(data);
  return v->data != NULL;
}

/* A reference followed, or the text as it stands. */
static bool resolve(checker *c, const tenon_param *row, const char *base, const char *text,
                    text_value *v) {
  if (starts_with(text, "$ENV:")) return from_env(c, row, text + 5, v);
  if (starts_with(text, "$FILE:")) return from_file(c, row, base, text + 6, v);
  if (starts_with(text, "$$ENV:") || starts_with(text, "$$FILE:")) text++;
  *v = (text_value){.data = keep(c, text, strlen(text)), .size = strlen(text)};
  return v->data != NULL;
}

/* ---- Secrets ---- */

static void add_secret(checker *c, const char *text) {
  tn_config *config = c->config;
  if (!*text) return;
  if (config->secret_count == config->secret_capacity) {
    size_t capacity = config->secret_capacity ? config->secret_capacity * 2 : 8;
    const char **secrets = tn_resize(config->secrets, capacity * sizeof *secrets);
    c->out_of_memory |= !secrets;
    if (!secrets) return;
    config->secrets = secrets;
    config->secret_capacity = capacity;
  }
  config->secrets[config->secret_count++] = text;
}

/* ---- Lists and maps ---- */

typedef struct items {
  const char **data;
  size_t count, capacity;
} items;

static bool add_item(checker *c, items *to, const char *text) {
  if (to->count == MAX_ITEMS) return false;
  if (to->count == to->capacity) {
    size_t capacity = to->capacity ? to->capacity * 2 : 16;
    const char **data = tn_arena_alloc(&c->config->arena, capacity * sizeof *data);
    if (!data) c->out_of_memory = true;
    if (!data) return false;
    if (to->count) memcpy(data, to->data, to->count * sizeof *data);
    to->data = data;
    to->capacity = capacity;
  }
  to->data[to->count++] = text;
  return true;
}

/* One piece of "a,b" or "k=v": ends at one of `stops` outside of quotes. NULL: a quote is not closed. */
static const char *take_piece(checker *c, const char **at, const char *stops) {
  tn_str s;
  tn_str_init(&s, MAX_FILE);
  const char *p = *at;
  bool quoted = false;
  for (; *p && (quoted || !strchr(stops, *p)); p++) {
    if (*p != '"') tn_str_putc(&s, *p);
    else if (quoted && p[1] == '"') tn_str_putc(&s, *++p);
    else quoted = !quoted;
  }
  char *piece = quoted ? NULL : keep(c, tn_str_text(&s), s.size);
  c->out_of_memory |= s.failed;
  tn_str_release(&s);
  *at = p;
  return piece;
}

static const char *split(checker *c, bool is_map, const char *text, items *ret) {
  const char *const too_many = "has more than 10,000 items";
  while (*text) {
    const char *piece = take_piece(c, &text, is_map ? "=," : ",");
    if (!piece) return "has a quote that is not closed";
    if (!add_item(c, ret, piece)) return too_many;
    if (is_map) {
      if (*text != '=' || !*piece) return "is not a map such as key=value,key=value";
      text++;
      piece = take_piece(c, &text, ",");
      if (!piece) return "has a quote that is not closed";
      if (!add_item(c, ret, piece)) return too_many;
    }
    if (*text == ',' && !*++text) return "ends with a comma";
  }
  return NULL;
}

static const char *add_json_text(checker *c, const tenon_param *row, const char *base,
                                 const tn_json *v, items *ret) {
  const char *text = tn_json_string(v);
  text_value item;
  if (!text) return "holds something that is not a text";
  if (!resolve(c, row, base, text, &item)) return "";
  return add_item(c, ret, item.data) ? NULL : "has more than 10,000 items";
}

static const char *unpack(checker *c, const tenon_param *row, const char *base, const tn_json *root,
                          items *ret) {
  const char *why = NULL;
  if (row->type == TENON_PARAM_LIST) {
    if (tn_json_type_of(root) != TN_JSON_ARRAY) return "is not a list";
    for (size_t i = 0; !why && i < tn_json_count(root); i++)
      why = add_json_text(c, row, base, tn_json_at(root, i), ret);
    return why;
  }
  if (tn_json_type_of(root) != TN_JSON_OBJECT) return "is not a map";
  void *cursor = NULL;
  const char *key;
  for (const tn_json *v; !why && tn_json_next(root, &cursor, &key, &v);) {
    const char *copy = keep(c, key, strlen(key));
    if (!copy || !add_item(c, ret, copy)) return "has more than 10,000 items";
    why = add_json_text(c, row, base, v, ret);
  }
  return why;
}

/* Answers what is wrong, NULL if nothing is, "" if it was said already. */
static const char *parse_items(checker *c, const tenon_param *row, const char *base,
                               const text_value *v, tenon_strings *ret) {
  items found = {0};
  const char *why;
  if (v->is_structured || v->data[0] == '[' || v->data[0] == '{') {
    tn_json *root = NULL;
    if (tn_json_parse(v->data, v->size, &root, NULL)) return "is not the JSON of a list or map";
    why = unpack(c, row, base, root, &found);
    tn_json_free(root);
  } else {
    why = split(c, row->type == TENON_PARAM_MAP, v->data, &found);
  }
  if (why) return why;
  size_t step = row->type == TENON_PARAM_MAP ? 2 : 1;
  for (size_t i = step - 1; row->flags & TENON_SECRET && i < found.count; i += step)
    add_secret(c, found.data[i]);
  *ret = (tenon_strings){found.data, found.count};
  return NULL;
}

/* ---- Values of each type ---- */

static bool in_range(checker *c, const tenon_param *row, const char *what, int64_t n) {
  bool is_ms = row->type == TENON_PARAM_DURATION;
  const char *unit = is_ms ? " ms" : row->type == TENON_PARAM_SIZE ? " bytes" : "";
  if (row->min >= row->max || (n >= row->min && n <= row->max)) return true;
  if (n < row->min) problem(c, row->key, "%s is less than %lld%s", what, (long long)row->min, unit);
  else problem(c, row->key, "%s is more than %lld%s", what, (long long)row->max, unit);
  return false;
}

static bool parse_whole(checker *c, const tenon_param *row, const char *what, const text_value *v,
                        void *at) {
  int64_t n = 0;
  const char *wanted = "a whole number";
  bool ok;
  if (row->type == TENON_PARAM_DURATION) {
    wanted = "a duration such as 90, 250ms, 5m, 1h";
    ok = tn_parse_duration(v->data, &n);
  } else if (row->type == TENON_PARAM_SIZE) {
    wanted = "a size such as 512, 64M, 1G";
    ok = tn_parse_size(v->data, &n);
  } else {
    ok = tn_parse_integer(v->data, &n);
  }
  if (!ok) problem(c, row->key, "%s is not %s", what, wanted);
  if (!ok || !in_range(c, row, what, n)) return false;
  memcpy(at, &n, sizeof n);
  return true;
}

static bool parse_number(checker *c, const tenon_param *row, const char *what, const text_value *v,
                         void *at) {
  double n = 0;
  if (!tn_parse_f64(v->data, v->size, &n) || !(n - n == 0)) {
    problem(c, row->key, "%s is not a number", what);
    return false;
  }
  if (row->min < row->max && !(n >= (double)row->min && n <= (double)row->max)) {
    problem(c, row->key, "%s is not between %lld and %lld", what, (long long)row->min,
            (long long)row->max);
    return false;
  }
  memcpy(at, &n, sizeof n);
  return true;
}

static bool parse_choice(checker *c, const tenon_param *row, const char *what, const text_value *v,
                         void *at) {
  tn_str all;
  tn_str_init(&all, 400);
  size_t count = 0;
  for (const char *const *choice = row->choices; *choice; choice++, count++) {
    tn_str_printf(&all, "%s%s", count ? ", " : "", *choice);
    if (strcmp(*choice, v->data) != 0) continue;
    memcpy(at, choice, sizeof *choice);
    tn_str_release(&all);
    return true;
  }
  bool is_shown = !(row->flags & TENON_SECRET) && !v->is_referred;
  const char *nearest = is_shown ? tn_nearest(v->data, row->choices, count) : NULL;
  problem(c, row->key, "%s is none of %s%s%s%s", what, tn_str_text(&all),
          nearest ? " (did you mean " : "",
          nearest ? nearest : "", nearest ? "?)" : "");
  tn_str_release(&all);
  return false;
}

static bool parse_text(checker *c, const tenon_param *row, const char *base, const char *what,
                       const text_value *v, void *at) {
  const char *why = NULL;
  /* a list or map written as one is the settings' own, which go before the configuration does */
  const char *text = v->is_structured ? keep(c, v->data, v->size) : v->data;
  size_t bad;
  if (!text) return false;
  if (strlen(text) != v->size) why = "has a NUL character";
  else if (row->type != TENON_PARAM_PATH && !tn_utf8_valid(text, v->size, &bad))
    why = "is not UTF-8";
  else if (!*text && (row->flags & TENON_REQUIRED || row->type == TENON_PARAM_PATH))
    why = "is empty";
  if (!why && row->type == TENON_PARAM_JSON) {
    tn_json *root = NULL;
    if (tn_json_parse(text, v->size, &root, NULL)) why = "is not JSON";
    tn_json_free(root);
  }
  char character;
  if (!why && row->flags & TENON_CHARACTER && !tn_parse_character(text, &character))
    why = "is not one ASCII character, nor tab or none";
  if (why) problem(c, row->key, "%s %s", what, why);
  if (why) return false;
  if (row->type == TENON_PARAM_PATH) text = join(c, base, text);
  if (row->flags & TENON_SECRET && text) add_secret(c, text);
  memcpy(at, &text, sizeof text);
  return text != NULL;
}

static bool parse_file(checker *c, const tenon_param *row, const text_value *v, void *at) {
  const tenon_blob blob = {v->data, v->size};
  if (row->flags & TENON_SECRET) add_secret(c, v->data);
  memcpy(at, &blob, sizeof blob);
  return true;
}

static bool parse_boolean(checker *c, const tenon_param *row, const char *what, const text_value *v,
                          void *at) {
  bool b = false;
  if (!tn_parse_boolean(v->data, &b)) {
    problem(c, row->key, "%s is neither true nor false", what);
    return false;
  }
  memcpy(at, &b, sizeof b);
  return true;
}

static bool parse_list(checker *c, const tenon_param *row, const char *base, const char *what,
                       const text_value *v, void *at) {
  tenon_strings strings = {0};
  const char *why = parse_items(c, row, base, v, &strings);
  if (why && *why) problem(c, row->key, "%s %s", what, why);
  if (!why) memcpy(at, &strings, sizeof strings);
  return !why;
}

/* Writes the value into its place; false if it is wrong, which was said then. */
static bool parse_value(checker *c, const tenon_param *row, const char *base, const text_value *v) {
  void *at = (char *)c->config->data + row->offset;
  char room[MAX_SHOWN + 16];
  const char *what = shown(row, v, room, sizeof room);
  bool is_list = row->type == TENON_PARAM_LIST || row->type == TENON_PARAM_MAP;
  if (v->is_structured && !is_list && row->type != TENON_PARAM_JSON) {
    problem(c, row->key, "a list or map stands where one value is wanted (%s)",
            tn_param_type_name(row->type));
    return false;
  }
  switch (row->type) {
    case TENON_PARAM_INTEGER: case TENON_PARAM_DURATION: case TENON_PARAM_SIZE:
      return parse_whole(c, row, what, v, at);
    case TENON_PARAM_NUMBER: return parse_number(c, row, what, v, at);
    case TENON_PARAM_BOOLEAN: return parse_boolean(c, row, what, v, at);
    case TENON_PARAM_ENUM: return parse_choice(c, row, what, v, at);
    case TENON_PARAM_LIST: case TENON_PARAM_MAP: return parse_list(c, row, base, what, v, at);
    case TENON_PARAM_FILE: return parse_file(c, row, v, at);
    case TENON_PARAM_STRING: case TENON_PARAM_JSON: case TENON_PARAM_PATH: break;
  }
  return parse_text(c, row, base, what, v, at);
}

/* ---- Rows ---- */

static size_t row_index(const checker *c, const tenon_param *row) {
  for (size_t i = 0; i < tn_param_count(c->provider); i++)
    if (tn_param_at(c->provider, i) == row) return i;
  return 0;
}

/* ---- A URL among the settings: what it says counts where nothing else is said ---- */

typedef struct url_part {
  checker *c;
  const tn_setting *url;
} url_part;

static tenon_status set_from_url(void *arg, const char *key, const char *value, tenon_error *err) {
  url_part *part = arg;
  checker *c = part->c;
  const tenon_param *row = tn_param_find(c->provider, key);
  if (!row)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "has no parameter for %s", key);
  tn_setting *s = tn_arena_alloc(&c->config->arena, sizeof *s);
  char *text = keep(c, value, strlen(value));
  c->out_of_memory |= !s;
  if (!s || !text) return tn_no_memory(err);
  *s = (tn_setting){.key = row->key, .value = text, .base = part->url->base};
  if (!c->given[row_index(c, row)]) c->given[row_index(c, row)] = s;
  return TENON_OK;
}

static void take_url(checker *c, const tn_setting *s) {
  static const tenon_param row = {.type = TENON_PARAM_STRING, .flags = TENON_SECRET, .key = "url"};
  url_part part = {c, s};
  text_value v;
  tenon_error why = TENON_ERROR_INIT;
  if (!resolve(c, &row, s->base, s->value, &v)) return;
  add_secret(c, v.data);
  if (c->provider->parse_url(v.data, set_from_url, &part, &why)) problem(c, "url", "%s", why.message);
}

static bool is_url(const checker *c, const tn_setting *s) {
  return c->provider->parse_url && strcmp(s->key, "url") == 0 && !s->is_structured;
}

static void find_rows(checker *c, const tn_settings *settings) {
  const tn_setting *url = NULL;
  for (size_t i = 0; i < settings->count; i++) {
    const tn_setting *s = &settings->items[i];
    const tenon_param *row = tn_param_find(c->provider, s->key);
    if (row) {
      c->given[row_index(c, row)] = s;
      continue;
    }
    if (is_url(c, s)) {
      url = s;
      continue;
    }
    const char *nearest = tn_param_nearest(c->provider, s->key);
    char key[MAX_SHOWN + 1];
    snprintf(key, sizeof key, "%s", s->key);
    problem(c, key, nearest ? "no such parameter (did you mean %s?)" : "no such parameter",
            nearest);
  }
  if (url) take_url(c, url);
}

/* What a dependent row sees of this one: booleans in one spelling. */
static const char *canonical_of(const tn_config *config, const tenon_param *row, const char *text) {
  if (row->type != TENON_PARAM_BOOLEAN) return text;
  bool b;
  memcpy(&b, (const char *)config->data + row->offset, sizeof b);
  return b ? "true" : "false";
}

static void store(checker *c, size_t i, const tenon_param *row, const char *base,
                  const text_value *v) {
  uint64_t set;
  if (!parse_value(c, row, base, v)) {
    c->is_wrong[i] = true;
    return;
  }
  c->canonical[i] = canonical_of(c->config, row, v->data);
  memcpy(&set, c->config->data, sizeof set);
  set |= UINT64_C(1) << i;
  memcpy(c->config->data, &set, sizeof set);
}

static void store_given(checker *c, size_t i, const tenon_param *row) {
  const tn_setting *s = c->given[i];
  text_value v = {.data = s->value, .size = strlen(s->value), .is_structured = true};
  if (!s->is_structured && !resolve(c, row, s->base, s->value, &v)) c->is_wrong[i] = true;
  else store(c, i, row, s->base, &v);
}

/* key=value of a row above: what it came to be. */
static bool is_ambient(const checker *c, const tenon_param *row) {
  const char *equals = row->ambient ? strchr(row->ambient, '=') : NULL;
  for (size_t k = 0; equals && k < tn_param_count(c->provider); k++) {
    const char *key = tn_param_at(c->provider, k)->key;
    if (strlen(key) == (size_t)(equals - row->ambient) && strncmp(key, row->ambient, strlen(key)) == 0)
      return c->canonical[k] && strcmp(c->canonical[k], equals + 1) == 0;
  }
  return false;
}

/* As if a person had written $ENV:NAME. */
static void take_ambient(checker *c, size_t i, const tenon_param *row) {
  if (c->given[i] || !is_ambient(c, row) || !tn_env(row->env)) return;
  tn_setting *s = tn_arena_alloc(&c->config->arena, sizeof *s);
  size_t size = strlen("$ENV:") + strlen(row->env);
  char *text = tn_arena_alloc(&c->config->arena, size + 1);
  c->out_of_memory |= !s || !text;
  if (!s || !text) return;
  snprintf(text, size + 1, "$ENV:%s", row->env);
  *s = (tn_setting){.key = row->key, .value = text};
  c->given[i] = s;
}

static void check_row(checker *c, size_t i) {
  const tenon_param *row = tn_param_at(c->provider, i);
  const tenon_param *by = tn_param_controller(c->provider, row);
  size_t k = by ? row_index(c, by) : 0;
  bool unknown = by && c->is_wrong[k];   /* nothing follows from a value that is wrong */
  bool holds = !by || unknown || tn_param_when_holds(row, c->canonical[k]);
  c->is_wrong[i] = unknown;
  take_ambient(c, i, row);
  if (c->given[i] && !holds) {
    problem(c, row->key, "is only for %s", row->when);
  } else if (c->given[i]) {
    store_given(c, i, row);
  } else if (holds && row->default_value) {
    const text_value v = {.data = row->default_value, .size = strlen(row->default_value)};
    store(c, i, row, NULL, &v);
  } else if (holds && !unknown && row->flags & TENON_REQUIRED) {
    problem(c, row->key, by ? "is required (%s)" : "is required", row->when);
  }
}

/* ---- A whole configuration ---- */

static tenon_status report(checker *c, tenon_error *err) {
  char remedy[160];
  if (c->out_of_memory || (c->problem_count && c->problems.failed && c->problems.size == 0))
    return tn_no_memory(err);
  if (c->problem_count == 0) return TENON_OK;
  snprintf(remedy, sizeof remedy, "`tenon kinds %s` lists the parameters with their values",
           c->provider->kind);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s: %s%s", c->provider->kind,
                    tn_str_text(&c->problems),
                    c->problems.failed ? "; and more" : "");
}

static tenon_status config_alloc(const tenon_provider *p, tn_config **ret, tenon_error *err) {
  tn_config *config = tn_alloc(sizeof *config);
  void *data = tn_alloc(p->config_size > sizeof(uint64_t) ? p->config_size : sizeof(uint64_t));
  if (!config || !data) {
    tn_free(config);
    tn_free(data);
    return tn_no_memory(err);
  }
  config->provider = p;
  config->data = data;
  tn_arena_init(&config->arena, MAX_CONFIG_BYTES);
  *ret = config;
  return TENON_OK;
}

tenon_status tn_config_new(const tenon_provider *p, const tn_settings *settings, tn_config **ret,
                           tenon_error *err) {
  checker c = {.provider = p};
  tenon_status status = p->params.count > MAX_ROWS ? tn_params_check(p, err) : TENON_OK;
  if (!status) status = config_alloc(p, &c.config, err);
  if (status) return status;
  tn_str_init(&c.problems, sizeof err->message - 100);
  find_rows(&c, settings);
  for (size_t i = 0; i < tn_param_count(p); i++) check_row(&c, i);
  status = report(&c, err);
  tn_str_release(&c.problems);
  if (status) tn_config_free(c.config);
  else *ret = c.config;
  return status;
}

tenon_status tn_config_check_defaults(const tenon_provider *p, tenon_error *err) {
  checker c = {.provider = p};
  tenon_status status = config_alloc(p, &c.config, err);
  if (status) return status;
  tn_str_init(&c.problems, sizeof err->message - 100);
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    if (!row->default_value) continue;
    const text_value v = {.data = row->default_value, .size = strlen(row->default_value)};
    parse_value(&c, row, NULL, &v);
  }
  if (c.out_of_memory) status = tn_no_memory(err);
  else if (c.problem_count)
    status = tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG,
                        "mend the provider's parameter table",
                        "kind %s: defaults: %s", p->kind, tn_str_text(&c.problems));
  tn_str_release(&c.problems);
  tn_config_free(c.config);
  return status;
}

void tn_config_free(tn_config *config) {
  if (!config) return;
  tn_arena_release(&config->arena);
  tn_wipe(config->data, config->provider->config_size);
  tn_free(config->data);
  tn_free(config->secrets);
  tn_free(config);
}

const void *tn_config_value(const tn_config *config, const char *key, tenon_param_type type) {
  uint64_t set;
  memcpy(&set, config->data, sizeof set);
  for (size_t i = 0; i < tn_param_count(config->provider); i++) {
    const tenon_param *row = tn_param_at(config->provider, i);
    if (strcmp(row->key, key) == 0)
      return row->type == type && set >> i & 1 ? (const char *)config->data + row->offset : NULL;
  }
  return NULL;
}

void tn_config_redact(const tn_config *config, tenon_error *err) {
  tn_error_redact(err, config->secrets, config->secret_count);
}
