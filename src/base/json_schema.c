/* SPDX-License-Identifier: Apache-2.0 */
/* Source: JSON Schema 2020-12, Core and Validation. */
#include "base/json_schema.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/percent.h"

enum {
  MAX_DEPTH = 512,     /* schemas that are held beside a value one inside the other, by reference too */
  MAX_TARGETS = 256,   /* places of a schema that are referred to */
  MAX_IN_PLACE = 10000 /* schemas that hold for one and the same value */
};

/* ---- Where something is wrong ---- */

/* A way down from the root, kept on the stack of the walk. */
typedef struct place {
  const struct place *up;
  tn_json_text key; /* data NULL: an element */
  size_t index;
} place;

/* What one walk, or the check of one schema, keeps count of. */
typedef struct tally {
  int depth;
  size_t refs_left, passed_over; /* keywords that are not known, so that the value may not meet the schema */
  bool is_endless;
  size_t target_count;
  tn_json_text targets[MAX_TARGETS];
} tally;

typedef struct judge {
  tenon_error *err; /* NULL: only whether, not why */
  tenon_status code;
  const char *what;
  tn_json_text root;
  bool is_lenient; /* what is not known is passed over */
  tally *count;
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
  bool has_where = where.size > 0, has_what = *j->what;
  tenon_fail(j->err, j->code, j->code == TENON_CONFIG ? TENON_STAGE_CONFIG : TENON_STAGE_DATA, NULL,
             "%s%s%s%s%s%s", j->what, has_what && has_where ? " " : "", has_where ? "at " : "",
             tn_str_text(&where), has_what || has_where ? ": " : "", why);
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
  if (tn_json_text_get(s->schema, "patternProperties", 17, &value)) {
    j->count->passed_over++;
    return true;
  }
  for (const char *c = NULL; tn_json_text_next(s->value, &c, &name, &value);) {
    const place below = {s->at, name, 0};
    if (has_member(declared, name)) continue;
    if (*rule.data == 'f') return fail(j, &below, "there is no such member");
    if (!meets(j, rule, value, &below)) return false;
  }
  return true;
}

/* A schema for each of the first elements. */
static bool check_prefix(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text schema, value;
  const char *d = NULL;
  size_t i = 0;
  if (tn_json_text_type(s->value) != TN_JSON_ARRAY) return true;
  for (const char *c = NULL;
       tn_json_text_next(rule, &c, NULL, &schema) && tn_json_text_next(s->value, &d, NULL, &value);
       i++) {
    const place below = {s->at, {NULL, 0}, i};
    if (!meets(j, schema, value, &below)) return false;
  }
  return true;
}

/* A list of them is how drafts before 2020-12 write prefixItems. */
static bool check_items(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text value, prefix = {NULL, 0};
  size_t i = 0;
  if (tn_json_text_type(rule) == TN_JSON_ARRAY) return check_prefix(j, rule, s);
  if (tn_json_text_type(s->value) != TN_JSON_ARRAY) return true;
  size_t skipped =
      tn_json_text_get(s->schema, "prefixItems", 11, &prefix) ? tn_json_text_count(prefix) : 0;
  for (const char *c = NULL; tn_json_text_next(s->value, &c, NULL, &value); i++) {
    const place below = {s->at, {NULL, 0}, i};
    if (i >= skipped && !meets(j, rule, value, &below)) return false;
  }
  return true;
}

/* How many are met; *ret_sure: of these, how many with nothing passed over. */
static size_t count_met(const judge *j, tn_json_text rule, const subject *s, size_t *ret_sure) {
  judge quiet = *j;
  tn_json_text schema;
  size_t n = 0, sure = 0;
  quiet.err = NULL;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &schema);) {
    size_t before = j->count->passed_over;
    if (!meets(&quiet, schema, s->value, s->at)) continue;
    n++;
    sure += j->count->passed_over == before;
  }
  *ret_sure = sure;
  return n;
}

static bool check_any(const judge *j, tn_json_text rule, const subject *s) {
  size_t sure;
  return count_met(j, rule, s, &sure) > 0 ||
         fail(j, s->at, "it meets none of the %zu schemas of anyOf", tn_json_text_count(rule));
}

static bool check_one(const judge *j, tn_json_text rule, const subject *s) {
  size_t sure, n = count_met(j, rule, s, &sure);
  return (n > 0 && sure <= 1) ||
         fail(j, s->at, "it meets %zu of the %zu schemas of oneOf, not exactly one",
              n ? sure : 0, tn_json_text_count(rule));
}

static bool check_all(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text schema;
  for (const char *c = NULL; tn_json_text_next(rule, &c, NULL, &schema);)
    if (!meets(j, schema, s->value, s->at)) return false;
  return true;
}

/* ---- References ---- */

typedef enum reference { ELSEWHERE, NOWHERE, FOUND } reference;

/* "#" and "#/a/JSON/pointer" are of this schema; addresses and anchors are not followed. */
static reference refer(tn_json_text root, tn_json_text rule, tn_json_text *ret) {
  tn_str ref, path;
  reference found = ELSEWHERE;
  tn_str_init(&ref, 4000);
  tn_str_init(&path, 4000);
  if (tn_json_text_unquote(rule, &ref) && ref.size && ref.data[0] == '#' &&
      (ref.size == 1 || ref.data[1] == '/'))
    found = tn_percent_decode(&path, ref.data + 1, ref.size - 1) &&
                    tn_json_text_find(root, tn_str_text(&path), ret)
                ? FOUND
                : NOWHERE;
  tn_str_release(&ref);
  tn_str_release(&path);
  return found;
}

static bool check_ref(const judge *j, tn_json_text rule, const subject *s) {
  tn_json_text target;
  if (refer(j->root, rule, &target) != FOUND) {
    j->count->passed_over++;
    return true;
  }
  if (!j->count->refs_left) {
    j->count->is_endless = true;
    return false;
  }
  j->count->refs_left--;
  return meets(j, target, s->value, s->at);
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
  ITEMS, /* a schema; for the lenient a list of them too */
  SCHEMAS,
  MEMBERS,
  REFERENCE
} shape;

typedef struct keyword {
  const char *name;
  shape shape;
  check_fn check;  /* NULL: it describes and has no effect */
  bool is_lenient; /* the strict do not know it */
} keyword;

static const keyword keywords[] = {
    {"type", TYPES, check_type, false},
    {"enum", VALUES, check_enum, false},
    {"const", ANYTHING, check_const, false},
    {"required", NAMES, check_required, false},
    {"properties", MEMBERS, check_properties, false},
    {"additionalProperties", SCHEMA, check_additional, false},
    {"items", ITEMS, check_items, false},
    {"anyOf", SCHEMAS, check_any, false},
    {"oneOf", SCHEMAS, check_one, false},
    {"allOf", SCHEMAS, check_all, false},
    {"minLength", COUNT, check_min_length, false},
    {"maxLength", COUNT, check_max_length, false},
    {"minItems", COUNT, check_min_items, false},
    {"maxItems", COUNT, check_max_items, false},
    {"minProperties", COUNT, check_min_members, false},
    {"maxProperties", COUNT, check_max_members, false},
    {"minimum", NUMBER, check_minimum, false},
    {"maximum", NUMBER, check_maximum, false},
    {"exclusiveMinimum", NUMBER, check_above, false},
    {"exclusiveMaximum", NUMBER, check_below, false},
    {"title", ANYTHING, NULL, false},
    {"description", ANYTHING, NULL, false},
    {"default", ANYTHING, NULL, false},
    {"examples", ANYTHING, NULL, false},
    {"format", ANYTHING, NULL, false},
    {"deprecated", ANYTHING, NULL, false},
    {"readOnly", ANYTHING, NULL, false},
    {"writeOnly", ANYTHING, NULL, false},
    {"$schema", ANYTHING, NULL, false},
    {"$comment", ANYTHING, NULL, false},
    {"contentMediaType", ANYTHING, NULL, false},
    {"$ref", REFERENCE, check_ref, true},
    {"prefixItems", SCHEMAS, check_prefix, true},
    {"$defs", MEMBERS, NULL, true},
    {"definitions", MEMBERS, NULL, true},
    {"$id", ANYTHING, NULL, true},
    {"$anchor", ANYTHING, NULL, true},
    {"$vocabulary", ANYTHING, NULL, true},
    {"contentEncoding", ANYTHING, NULL, true},
};

enum { KEYWORDS = sizeof keywords / sizeof *keywords };

static const keyword *find_keyword(tn_json_text name) {
  static const keyword vendor = {"x-", ANYTHING, NULL, false};
  for (size_t i = 0; i < KEYWORDS; i++)
    if (tn_json_text_is(name, keywords[i].name, strlen(keywords[i].name))) return &keywords[i];
  return name.size > 3 && memcmp(name.data + 1, "x-", 2) == 0 ? &vendor : NULL;
}

static bool meets_all(const judge *j, tn_json_text schema, tn_json_text value, const place *at) {
  const subject s = {schema, value, at};
  tn_json_text name, rule;
  for (const char *c = NULL; tn_json_text_next(schema, &c, &name, &rule);) {
    const keyword *k = find_keyword(name);
    if (!k) j->count->passed_over++;
    else if (k->check && !k->check(j, rule, &s)) return false;
  }
  return true;
}

static bool meets(const judge *j, tn_json_text schema, tn_json_text value, const place *at) {
  if (tn_json_text_type(schema) == TN_JSON_BOOL)
    return *schema.data == 't' || fail(j, at, "nothing is allowed here");
  if (j->count->depth == MAX_DEPTH) j->count->is_endless = true;
  if (j->count->is_endless) return false;
  j->count->depth++;
  bool ok = meets_all(j, schema, value, at);
  j->count->depth--;
  return ok;
}

tenon_status tn_json_schema_validate(tn_json_text schema, tn_json_text value, tenon_status code,
                                     const char *what, tenon_error *err) {
  tenon_error unheard = TENON_ERROR_INIT;
  tally count = {.refs_left = 4096 + 16 * value.size};
  const judge j = {
      .err = err ? err : &unheard, .code = code, .what = what, .root = schema, .count = &count};
  bool ok = meets(&j, schema, value, NULL);
  if (!count.is_endless) return ok ? TENON_OK : code;
  fail(&j, NULL, "the references of its schema lead too far to be followed");
  return code;
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

/* What is referred to may stand where no schema is looked for, so it is kept to be looked at. */
static bool add_target(const judge *j, tn_json_text rule, const place *at) {
  tn_json_text target;
  reference found = is_string(rule) ? refer(j->root, rule, &target) : NOWHERE;
  if (found == ELSEWHERE) return true;
  if (found == NOWHERE) return fail(j, at, "it refers to nothing in the schema");
  for (size_t i = 0; i < j->count->target_count; i++)
    if (j->count->targets[i].data == target.data) return true;
  if (j->count->target_count == MAX_TARGETS)
    return fail(j, at, "more than %d places are referred to", MAX_TARGETS);
  j->count->targets[j->count->target_count++] = target;
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
    case REFERENCE: return add_target(j, v, at);
    case ITEMS:
      if (!j->is_lenient || tn_json_text_type(v) != TN_JSON_ARRAY) return sound(j, v, at);
      return each_sound(j, v, at);
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
    if (j->is_lenient && !k) continue;
    if (!k || (k->is_lenient && !j->is_lenient))
      return fail(
          j, &below,
          "this keyword is not one that is checked, so the schema would mean more than is done");
    if (!has_shape(j, k->shape, rule, &below)) return false;
  }
  return true;
}

/* Do the schemas that hold for one value come to an end? A circle of references has to lead through one. */
static bool comes_to_end(const judge *j, tn_json_text schema, int depth, size_t *left) {
  tn_json_text name, rule, one;
  if (depth > MAX_DEPTH / 8 || !*left) return false;
  --*left;
  for (const char *c = NULL, *d; tn_json_text_next(schema, &c, &name, &rule);) {
    const keyword *k = find_keyword(name);
    if (k && k->shape == REFERENCE && refer(j->root, rule, &one) == FOUND &&
        !comes_to_end(j, one, depth + 1, left))
      return false;
    if (!k || k->shape != SCHEMAS || k->check == check_prefix) continue;
    for (d = NULL; tn_json_text_next(rule, &d, NULL, &one);)
      if (!comes_to_end(j, one, depth + 1, left)) return false;
  }
  return true;
}

static bool all_sound(const judge *j) {
  for (size_t i = 0; i < j->count->target_count; i++) {
    size_t left = MAX_IN_PLACE;
    if (!sound(j, j->count->targets[i], NULL)) return false;
    if (!comes_to_end(j, j->count->targets[i], 0, &left))
      return fail(j, NULL, "its references lead in a circle");
  }
  return true;
}

static tenon_status check(const char *text, size_t size, bool is_lenient, tn_json_text *ret,
                          tenon_error *err) {
  tenon_error unheard = TENON_ERROR_INIT, why = TENON_ERROR_INIT;
  tn_json_text schema;
  tally count = {.target_count = 1};
  if (tn_json_text_check(text, size, &schema, &why))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "the schema: %s", why.message);
  count.targets[0] = schema;
  const judge j = {.err = err ? err : &unheard,
                   .code = TENON_CONFIG,
                   .what = "the schema",
                   .root = schema,
                   .is_lenient = is_lenient,
                   .count = &count};
  if (!all_sound(&j)) return TENON_CONFIG;
  *ret = schema;
  return TENON_OK;
}

tenon_status tn_json_schema_check(const char *text, size_t size, tn_json_text *ret,
                                  tenon_error *err) {
  return check(text, size, false, ret, err);
}

tenon_status tn_json_schema_check_known(const char *text, size_t size, tn_json_text *ret,
                                        tenon_error *err) {
  return check(text, size, true, ret, err);
}
