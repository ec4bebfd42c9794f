/* SPDX-License-Identifier: Apache-2.0 */
/* Source: JSON Schema 2020-12, Core and Validation. */
#include "base/json_schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"

/* ---- Where something is wrong ---- */

/* A way down from the root, kept on the stack of the walk. */
typedef struct place {
  const struct place *up;
  tn_json_text key; /* data NULL: an element */
  size_t index;
} place;

typedef struct judge {
  tenon_error *err; /* NULL: only whether, not why */
  tenon_status code;
  const char *what;
} judge;

static void put_name(tn_str *out, tn_json_text key) {
  tn_str name;
  tn_str_init(&name, 300);
  tn_json_text_unquote(key, &name);
  for (size_t i = 0; i < name.size; i++) {
    char c = name.data[i];
    if (c == '~' || c == '/') tn_str_puts(out, c == '~' ? "~0" : "~1");
    else tn_str_putc(out, (unsigned char)c < 0x20 ? '?' : c);
  }
  tn_str_release(&name);
}

static void put_place(tn_str *out, const place *p) {
  if (!p) return;
  put_place(out, p->up);
  tn_str_putc(out, '/');
  if (p->key.data) put_name(out, p->key);
  else tn_str_printf(out, "%zu", p->index);
}

TENON_PRINTF(3, 4)
static bool fail(const judge *j, const place *p, const char *format, ...) {
  if (!j->err) return false;
  tn_str where;
  char why[400];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  tn_str_init(&where, 400);
  put_place(&where, p);
  tenon_fail(j->err, j->code, j->code == TENON_CONFIG ? TENON_STAGE_CONFIG : TENON_STAGE_DATA, NULL,
             "%s%s%s: %s", j->what, where.size ? " at " : "", tn_str_text(&where), why);
  tn_str_release(&where);
  return false;
}

/* ---- Keywords ---- */

typedef struct subject {
  tn_json_text schema, value;
  const place *at;
} subject;

typedef bool (*check_fn)(const judge *, tn_json_text rule, const subject *);

static bool meets(const judge *j, tn_json_text schema, tn_json_text value, const place *at);

static bool is_type(tn_json_text name, tn_json_text value) {
  tn_json_type type = tn_json_text_type(value);
  double v;
  switch (type) {
    case TN_JSON_NULL: return tn_json_text_is(name, "null", 4);
    case TN_JSON_BOOL: return tn_json_text_is(name, "boolean", 7);
    case TN_JSON_STRING: return tn_json_text_is(name, "string", 6);
    case TN_JSON_ARRAY: return tn_json_text_is(name, "array", 5);
    case TN_JSON_OBJECT: return tn_json_text_is(name, "object", 6);
    case TN_JSON_INTEGER:
      return tn_json_text_is(name, "integer", 7) || tn_json_text_is(name, "number", 6);
    default:
      if (tn_json_text_is(name, "number", 6)) return true;
      return tn_json_text_is(name, "integer", 7) && tn_json_text_number(value, &v) && v <= floor(v);
  }
}

static void join_types(tn_json_text rule, tn_str *out) {
  tn_json_text one;
  if (tn_json_text_type(rule) == TN_JSON_STRING) {
    tn_json_text_unquote(rule, out);
    return;
  }
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &one);) {
    if (out->size) tn_str_puts(out, " or ");
    tn_json_text_unquote(one, out);
  }
}

static bool check_type(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text one;
  if (tn_json_text_type(rule) == TN_JSON_STRING && is_type(rule, s->value)) return true;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &one);)
    if (is_type(one, s->value)) return true;
  if (!j->err) return false;
  tn_str names;
  tn_str_init(&names, 200);
  join_types(rule, &names);
  fail(j, s->at, "%s is expected, not %s", tn_str_text(&names),
       tn_json_type_name(tn_json_text_type(s->value)));
  tn_str_release(&names);
  return false;
}

static bool check_enum(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text one;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &one);)
    if (tn_json_text_equal(one, s->value)) return true;
  return fail(j, s->at, "it is none of %.*s%s", rule.size > 300 ? 300 : (int)rule.size, rule.data,
              rule.size > 300 ? "…" : "");
}

static bool check_const(const judge *j, tn_json_text rule, const subject *s) {
  return tn_json_text_equal(rule, s->value) ||
         fail(j, s->at, "it is not %.*s%s", rule.size > 300 ? 300 : (int)rule.size, rule.data,
              rule.size > 300 ? "…" : "");
}

static bool check_properties(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text key, value, schema;
  if (tn_json_text_type(s->value) != TN_JSON_OBJECT) return true;
  for (const char *c = NULL, *d; tn_json_text_next(rule, &c, &key, &schema);) {
    tn_json_text name;
    for (d = NULL; tn_json_text_next(s->value, &d, &name, &value);) {
      const place below = {s->at, name, 0};
      if (tn_json_text_equal(key, name) && !meets(j, schema, value, &below)) return false;
    }
  }
  return true;
}

static bool has_member(tn_json_text object, tn_json_text key) {
  tn_json_text name, value;
  for (const char *c = NULL; tn_json_text_next(object, &c, &name, &value);)
    if (tn_json_text_equal(name, key)) return true;
  return false;
}

static bool check_required(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text name;
  if (tn_json_text_type(s->value) != TN_JSON_OBJECT) return true;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &name);) {
    const place below = {s->at, name, 0};
    if (!has_member(s->value, name)) return fail(j, &below, "it is required and missing");
  }
  return true;
}

static bool check_additional(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text declared = {NULL, 0}, name, value;
  tn_json_text_get(s->schema, "properties", 10, &declared);
  if (tn_json_text_type(s->value) != TN_JSON_OBJECT) return true;
  for (const char *c = NULL; tn_json_text_next(s->value, &c, &name, &value);) {
    const place below = {s->at, name, 0};
    if (has_member(declared, name)) continue;
    if (*rule.data == 'f') return fail(j, &below, "there is no such member");
    if (!meets(j, rule, value, &below)) return false;
  }
  return true;
}

static bool check_items(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text value;
  size_t i = 0;
  if (tn_json_text_type(s->value) != TN_JSON_ARRAY) return true;
  for (const char *c = NULL; tn_json_text_next(s->value, &c, NULL, &value); i++) {
    const place below = {s->at, {NULL, 0}, i};
    if (!meets(j, rule, value, &below)) return false;
  }
  return true;
}

static size_t count_met(tn_json_text rule, const subject *s) {
  const judge quiet = {.err = NULL};
  tn_json_text schema;
  size_t n = 0;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &schema);)
    n += meets(&quiet, schema, s->value, s->at);
  return n;
}

static bool check_any(const judge *j, tn_json_text rule, const subject *s) {
  return count_met(rule, s) > 0 ||
         fail(j, s->at, "it meets none of the %zu schemas of anyOf", tn_json_text_count(rule));
}

static bool check_one(const judge *j, tn_json_text rule, const subject *s) {
  size_t n = count_met(rule, s);
  return n == 1 || fail(j, s->at, "it meets %zu of the %zu schemas of oneOf, not exactly one", n,
                        tn_json_text_count(rule));
}

static bool check_all(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text schema;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &schema);)
    if (!meets(j, schema, s->value, s->at)) return false;
  return true;
}

/* ---- Sizes ---- */

/* Code points of a string, as they are after unescaping. */
static int64_t length_of(tn_json_text t) {
  int64_t n = 0;
  for (size_t i = 1; i + 1 < t.size; i++) {
    if (((unsigned char)t.data[i] & 0xC0) == 0x80) continue;
    n++;
    if (t.data[i] != '\\') continue;
    bool is_high = t.data[i + 1] == 'u' && (t.data[i + 2] == 'd' || t.data[i + 2] == 'D') &&
                   strchr("89abAB", t.data[i + 3]);
    i += t.data[i + 1] != 'u' ? 1 : is_high ? 11 : 5;
  }
  return n;
}

static bool sized(const judge *j, tn_json_text rule, const subject *s, tn_json_type type,
                  bool is_max, const char *unit) {
  int64_t limit = 0;
  if (tn_json_text_type(s->value) != type) return true;
  tn_json_text_integer(rule, &limit);
  int64_t n = type == TN_JSON_STRING ? length_of(s->value) : (int64_t)tn_json_text_count(s->value);
  if (is_max ? n <= limit : n >= limit) return true;
  return fail(j, s->at, "it has %lld %s, %s than %lld", (long long)n, unit,
              is_max ? "more" : "fewer", (long long)limit);
}

static bool check_min_length(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_STRING, false, "characters");
}

static bool check_max_length(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_STRING, true, "characters");
}

static bool check_min_items(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_ARRAY, false, "elements");
}

static bool check_max_items(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_ARRAY, true, "elements");
}

static bool check_min_members(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_OBJECT, false, "members");
}

static bool check_max_members(const judge *j, tn_json_text rule, const subject *s) {
  return sized(j, rule, s, TN_JSON_OBJECT, true, "members");
}

/* -1, 0, 1; numbers beyond doubles are greater or less than all others. */
static int compare(tn_json_text a, tn_json_text b) {
  int64_t i, k;
  double x, y;
  if (tn_json_text_integer(a, &i) && tn_json_text_integer(b, &k)) return i < k ? -1 : i > k;
  if (!tn_json_text_number(a, &x)) x = *a.data == '-' ? -INFINITY : INFINITY;
  if (!tn_json_text_number(b, &y)) y = *b.data == '-' ? -INFINITY : INFINITY;
  return x < y ? -1 : x > y;
}

static bool is_number(tn_json_text t) {
  tn_json_type type = tn_json_text_type(t);
  return type == TN_JSON_INTEGER || type == TN_JSON_NUMBER;
}

static bool check_minimum(const judge *j, tn_json_text rule, const subject *s) {
  return !is_number(s->value) || compare(s->value, rule) >= 0 ||
         fail(j, s->at, "it is less than %.*s", (int)rule.size, rule.data);
}

static bool check_maximum(const judge *j, tn_json_text rule, const subject *s) {
  return !is_number(s->value) || compare(s->value, rule) <= 0 ||
         fail(j, s->at, "it is more than %.*s", (int)rule.size, rule.data);
}

static bool check_above(const judge *j, tn_json_text rule, const subject *s) {
  return !is_number(s->value) || compare(s->value, rule) > 0 ||
         fail(j, s->at, "it is not more than %.*s", (int)rule.size, rule.data);
}

static bool check_below(const judge *j, tn_json_text rule, const subject *s) {
  return !is_number(s->value) || compare(s->value, rule) < 0 ||
         fail(j, s->at, "it is not less than %.*s", (int)rule.size, rule.data);
}

/* ---- The keywords ---- */

/* What a keyword's own value has to be. */
typedef enum shape {
  ANYTHING,
  TYPES,
  VALUES,
  NAMES,
  COUNT,
  NUMBER,
  SCHEMA,
  SCHEMAS,
  MEMBERS
} shape;

typedef struct keyword {
  const char *name;
  shape shape;
  check_fn check; /* NULL: it describes and has no effect */
} keyword;

static const keyword keywords[] = {
    {"type", TYPES, check_type},
    {"enum", VALUES, check_enum},
    {"const", ANYTHING, check_const},
    {"required", NAMES, check_required},
    {"properties", MEMBERS, check_properties},
    {"additionalProperties", SCHEMA, check_additional},
    {"items", SCHEMA, check_items},
    {"anyOf", SCHEMAS, check_any},
    {"oneOf", SCHEMAS, check_one},
    {"allOf", SCHEMAS, check_all},
    {"minLength", COUNT, check_min_length},
    {"maxLength", COUNT, check_max_length},
    {"minItems", COUNT, check_min_items},
    {"maxItems", COUNT, check_max_items},
    {"minProperties", COUNT, check_min_members},
    {"maxProperties", COUNT, check_max_members},
    {"minimum", NUMBER, check_minimum},
    {"maximum", NUMBER, check_maximum},
    {"exclusiveMinimum", NUMBER, check_above},
    {"exclusiveMaximum", NUMBER, check_below},
    {"title", ANYTHING, NULL},
    {"description", ANYTHING, NULL},
    {"default", ANYTHING, NULL},
    {"examples", ANYTHING, NULL},
    {"format", ANYTHING, NULL},
    {"deprecated", ANYTHING, NULL},
    {"readOnly", ANYTHING, NULL},
    {"writeOnly", ANYTHING, NULL},
    {"$schema", ANYTHING, NULL},
    {"$comment", ANYTHING, NULL},
    {"contentMediaType", ANYTHING, NULL},
};

enum { KEYWORDS = sizeof keywords / sizeof *keywords };

static const keyword *find_keyword(tn_json_text name) {
  static const keyword vendor = {"x-", ANYTHING, NULL};
  for (size_t i = 0; i < KEYWORDS; i++)
    if (tn_json_text_is(name, keywords[i].name, strlen(keywords[i].name))) return &keywords[i];
  return name.size > 3 && memcmp(name.data + 1, "x-", 2) == 0 ? &vendor : NULL;
}

static bool meets(const judge *j, tn_json_text schema, tn_json_text value, const place *at) {
  const subject s = {schema, value, at};
  tn_json_text name, rule;
  if (tn_json_text_type(schema) == TN_JSON_BOOL)
    return *schema.data == 't' || fail(j, at, "nothing is allowed here");
  for (const char *c = NULL; tn_json_text_next(schema, &c, &name, &rule);) {
    const keyword *k = find_keyword(name);
    if (k && k->check && !k->check(j, rule, &s)) return false;
  }
  return true;
}

tenon_status tn_json_schema_validate(tn_json_text schema, tn_json_text value, tenon_status code,
                                     const char *what, tenon_error *err) {
  tenon_error unheard = TENON_ERROR_INIT;
  const judge j = {.err = err ? err : &unheard, .code = code, .what = what};
  return meets(&j, schema, value, NULL) ? TENON_OK : code;
}

/* ---- Is it a schema? ---- */

static bool sound(const judge *j, tn_json_text schema, const place *at);

static bool is_type_name(tn_json_text t) {
  static const char *const names[] = {"null",   "boolean", "integer", "number",
                                      "string", "array",   "object"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    if (tn_json_text_is(t, names[i], strlen(names[i]))) return true;
  return false;
}

static bool all_are(tn_json_text list, bool (*is)(tn_json_text)) {
  tn_json_text one;
  for (const char *c = NULL; tn_json_text_next(list, &c, NULL, &one);)
    if (!is(one)) return false;
  return tn_json_text_type(list) == TN_JSON_ARRAY;
}

static bool is_string(tn_json_text t) { return tn_json_text_type(t) == TN_JSON_STRING; }

static bool is_count(tn_json_text t) {
  int64_t n;
  return tn_json_text_integer(t, &n) && n >= 0;
}

static bool is_finite(tn_json_text t) {
  double v;
  return tn_json_text_number(t, &v);
}

static bool each_sound(const judge *j, tn_json_text of, const place *at) {
  tn_json_text key, one;
  size_t i = 0;
  for (const char *c = NULL; tn_json_text_next(of, &c, &key, &one); i++) {
    const place below = {at, key, i};
    if (!sound(j, one, &below)) return false;
  }
  return true;
}

static bool has_shape(const judge *j, shape wanted, tn_json_text v, const place *at) {
  switch (wanted) {
    case TYPES:
      return is_type_name(v) || (tn_json_text_count(v) && all_are(v, is_type_name)) ||
             fail(j, at, "it is no type of JSON");
    case VALUES:
      return (tn_json_text_type(v) == TN_JSON_ARRAY && tn_json_text_count(v)) ||
             fail(j, at, "a list of values is expected");
    case NAMES: return all_are(v, is_string) || fail(j, at, "a list of names is expected");
    case COUNT: return is_count(v) || fail(j, at, "a number of 0 or more is expected");
    case NUMBER: return is_finite(v) || fail(j, at, "a number is expected");
    case SCHEMA: return sound(j, v, at);
    case SCHEMAS:
      if (tn_json_text_type(v) != TN_JSON_ARRAY || !tn_json_text_count(v))
        return fail(j, at, "a list of schemas is expected");
      return each_sound(j, v, at);
    case MEMBERS:
      if (tn_json_text_type(v) != TN_JSON_OBJECT)
        return fail(j, at, "schemas by names are expected");
      return each_sound(j, v, at);
    default: return true;
  }
}

static bool sound(const judge *j, tn_json_text schema, const place *at) {
  tn_json_text name, rule;
  if (tn_json_text_type(schema) == TN_JSON_BOOL) return true;
  if (tn_json_text_type(schema) != TN_JSON_OBJECT)
    return fail(j, at, "a schema is an object, true or false");
  for (const char *c = NULL; tn_json_text_next(schema, &c, &name, &rule);) {
    const place below = {at, name, 0};
    const keyword *k = find_keyword(name);
    if (!k)
      return fail(
          j, &below,
          "this keyword is not one that is checked, so the schema would mean more than is done");
    if (!has_shape(j, k->shape, rule, &below)) return false;
  }
  return true;
}

tenon_status tn_json_schema_check(const char *text, size_t size, tn_json_text *ret,
                                  tenon_error *err) {
  tenon_error unheard = TENON_ERROR_INIT;
  const judge j = {.err = err ? err : &unheard, .code = TENON_CONFIG, .what = "the schema"};
  tn_json_text schema;
  tenon_error why = TENON_ERROR_INIT;
  if (tn_json_text_check(text, size, &schema, &why))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "the schema: %s", why.message);
  if (!sound(&j, schema, NULL)) return TENON_CONFIG;
  *ret = schema;
  return TENON_OK;
}
