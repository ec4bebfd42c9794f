/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values of records into columns, exactly or not at all: a number keeps its digits until it is in the
 * column's type, and what that type does not hold is an error that names column and row.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/names.h"
#include "base/civil.h"
#include "base/error.h"
#include "base/float.h"
#include "rest_api.h"

/* ---- Types ---- */

static bool set_type(tn_rest_column *c, const char *format, tn_rest_rule rule, int width) {
  snprintf(c->format, sizeof c->format, "%s", format);
  c->rule = rule;
  c->width = width;
  return true;
}

static bool decimal_type(tn_rest_column *c, const char *format) {
  char *end;
  long precision = strtol(format + 2, &end, 10),
       scale = *end == ',' ? strtol(end + 1, &end, 10) : 0;
  if (*end || precision < 1 || precision > 38 || scale < 0 || scale > precision) return false;
  c->scale = (int)scale;
  return set_type(c, format, TN_REST_DECIMAL, (int)precision);
}

bool tn_rest_type(const char *name, tn_rest_column *c) {
  static const struct {
    const char *format;
    tn_rest_rule rule;
    int width;
  } known[] = {{"u", TN_REST_TEXT_VALUE, 0},   {"b", TN_REST_BOOL, 0},
               {"s", TN_REST_INT, 2},          {"i", TN_REST_INT, 4},
               {"l", TN_REST_INT, 8},          {"g", TN_REST_FLOAT, 8},
               {"tdD", TN_REST_DATE, 4},       {"ttu", TN_REST_TIME, 8},
               {"tsu:", TN_REST_TIMESTAMP, 8}, {"tsu:UTC", TN_REST_TIMESTAMPTZ, 8}};
  char format[TN_FORMAT_ROOM];
  if (strcmp(name, "json") == 0) return set_type(c, "u", TN_REST_JSON, 0);
  if (strcmp(name, "epoch") == 0) return set_type(c, "tsu:UTC", TN_REST_EPOCH, 8);
  if (strcmp(name, "epoch_ms") == 0) return set_type(c, "tsu:UTC", TN_REST_EPOCH_MS, 8);
  if (!tn_format_of_name(name, strlen(name), format)) return false;
  if (format[0] == 'd' && format[1] == ':') return decimal_type(c, format);
  for (size_t i = 0; i < sizeof known / sizeof *known; i++)
    if (strcmp(known[i].format, format) == 0)
      return set_type(c, format, known[i].rule, known[i].width);
  return false;
}

tenon_status tn_rest_schema(const tn_rest_column *columns, size_t count, struct ArrowSchema *ret,
                            tenon_error *err) {
  struct ArrowSchema schema;
  tenon_status status = tn_schema_struct(&schema, (int64_t)count, err);
  if (status) return status;
  for (size_t i = 0; !status && i < count; i++) {
    status = tn_schema_set(schema.children[i], columns[i].name, columns[i].format, true, 0, err);
    if (!status && columns[i].rule == TN_REST_JSON)
      status = tn_schema_annotate(schema.children[i], "tenon.type", "json", err);
  }
  if (status) tn_schema_release(&schema);
  else *ret = schema;
  return status;
}

/* ---- Numbers ---- */

typedef struct digits {
  char text[80]; /* significant ones, without zeros at either end */
  int count;
  long long exponent; /* the number is 0.text × 10^exponent */
  bool negative;
} digits;

/* One more digit; zeros in front only move the point. False: there are too many. */
static bool take_digit(digits *d, char c, bool behind_point) {
  if (!d->count && c == '0') {
    d->exponent -= behind_point;
    return true;
  }
  if (d->count == (int)sizeof d->text) {
    d->exponent += !behind_point;
    return c == '0';
  }
  d->text[d->count++] = c;
  d->exponent += !behind_point;
  return true;
}

static bool take_exponent(digits *d, const char *text, size_t size) {
  char power[24], *stop;
  if (!size || size >= sizeof power || strchr(" \t\n\v\f\r", *text)) return false;
  memcpy(power, text, size);
  power[size] = 0;
  long long n = strtoll(power, &stop, 10);
  if (*stop || n > 100000 || n < -100000) return false; /* no column holds such a number */
  d->exponent += n;
  return true;
}

/* -12.50e3: digits, point, exponent. False: it is no number, or has more digits than any column holds. */
static bool split_number(const char *text, size_t size, digits *ret) {
  const char *at = text, *end = text + size;
  digits d = {.negative = size && *text == '-'};
  bool point = false, any = false;
  for (at += d.negative; at < end && (*at == '.' || (*at >= '0' && *at <= '9')); at++) {
    if (*at == '.' && point) return false;
    if (*at == '.') point = true;
    else if (!take_digit(&d, *at, point)) return false;
    any = any || *at != '.';
  }
  if (any && at < end && (*at == 'e' || *at == 'E')) {
    if (!take_exponent(&d, at + 1, (size_t)(end - at) - 1)) return false;
    at = end;
  }
  while (d.count && d.text[d.count - 1] == '0') d.count--;
  *ret = d;
  return any && at == end;
}

/* The number × 10^scale, if that is whole and fits. */
static bool scaled(const digits *d, int scale, int precision, __int128 *ret) {
  long long places = d->exponent + scale; /* digits before the point of the result */
  unsigned __int128 v = 0;
  if (!d->count) return *ret = 0, true;
  if (places < d->count || places > precision || places > 38) return false;
  for (long long i = 0; i < places; i++)
    v = v * 10 + (unsigned)(i < d->count ? d->text[i] - '0' : 0);
  *ret = d->negative ? -(__int128)v : (__int128)v;
  return true;
}

/* Is the double's own shortest text the same number? Then nothing was lost. */
static bool is_exact(const digits *d, double v) {
  char text[TN_FLOAT_ROOM];
  digits own;
  if (!split_number(text, tn_print_f64(v, text), &own)) return false;
  if (!d->count || !own.count) return d->count == own.count;
  return d->negative == own.negative && d->exponent == own.exponent && d->count == own.count &&
         memcmp(d->text, own.text, (size_t)d->count) == 0;
}

static bool exact_double(const char *text, size_t size, double *ret) {
  digits d;
  return split_number(text, size, &d) && tn_parse_f64(text, size, ret) && is_exact(&d, *ret);
}

/* ---- Values ---- */

typedef struct cell {
  const tn_rest_column *column;
  tn_json_text value;
  tn_json_type type;
  const char *text; /* a string's, or a number's digits */
  size_t size;
  bool strict; /* the type was inferred: texts are no numbers, and the reverse */
} cell;

static bool is_number(const cell *c) {
  return c->type == TN_JSON_INTEGER || c->type == TN_JSON_NUMBER;
}

/* A number, or, where the type was declared, the text of one. */
static bool has_digits(const cell *c) {
  return is_number(c) || (c->type == TN_JSON_STRING && !c->strict);
}

static bool put_text(tn_column *to, const cell *c) {
  if (c->type == TN_JSON_ARRAY || c->type == TN_JSON_OBJECT ||
      (c->strict && c->type != TN_JSON_STRING))
    return false;
  return tn_append_bytes(to, c->text, (int64_t)c->size);
}

static bool put_whole(tn_column *to, const cell *c) {
  digits d;
  __int128 v;
  int bits = 8 * c->column->width;
  if (!has_digits(c) || !split_number(c->text, c->size, &d) || !scaled(&d, 0, 38, &v)) return false;
  if (v < -((__int128)1 << (bits - 1)) || v >= (__int128)1 << (bits - 1)) return false;
  int64_t whole = (int64_t)v;
  return tn_append_fixed(to, &whole);
}

static bool put_decimal(tn_column *to, const cell *c) {
  digits d;
  __int128 v;
  return has_digits(c) && split_number(c->text, c->size, &d) &&
         scaled(&d, c->column->scale, c->column->width, &v) && tn_append_fixed(to, &v);
}

static bool put_double(tn_column *to, const cell *c) {
  double v;
  return has_digits(c) && exact_double(c->text, c->size, &v) && tn_append_f64(to, v);
}

static bool put_date(tn_column *to, const cell *c) {
  int64_t days;
  return c->type == TN_JSON_STRING && tn_parse_date(c->text, c->size, &days) && days >= INT32_MIN &&
         days <= INT32_MAX && tn_append_i32(to, (int32_t)days);
}

static bool put_time(tn_column *to, const cell *c) {
  int64_t us;
  return c->type == TN_JSON_STRING && tn_parse_time(c->text, c->size, &us) && tn_append_i64(to, us);
}

static bool put_timestamp(tn_column *to, const cell *c) {
  int64_t us;
  int ns; /* some services write more digits than they have */
  return c->type == TN_JSON_STRING &&
         tn_parse_timestamp_ns(c->text, c->size, c->column->rule == TN_REST_TIMESTAMPTZ, &us,
                               &ns) &&
         ns == 0 && tn_append_i64(to, us);
}

static bool put_epoch(tn_column *to, const cell *c) {
  digits d;
  __int128 v;
  int scale = c->column->rule == TN_REST_EPOCH ? 6 : 3;
  if (!has_digits(c) || !split_number(c->text, c->size, &d) || !scaled(&d, scale, 38, &v))
    return false;
  return v >= INT64_MIN && v <= INT64_MAX && tn_append_i64(to, (int64_t)v);
}

/* False: the type does not hold the value, or there is no memory. */
static bool put_value(tn_column *to, const cell *c) {
  switch (c->column->rule) {
    case TN_REST_JSON: return tn_append_bytes(to, c->value.data, (int64_t)c->value.size);
    case TN_REST_TEXT_VALUE: return put_text(to, c);
    case TN_REST_BOOL:
      return c->type == TN_JSON_BOOL && tn_append_bool(to, tn_json_text_true(c->value));
    case TN_REST_INT: return put_whole(to, c);
    case TN_REST_FLOAT: return put_double(to, c);
    case TN_REST_DECIMAL: return put_decimal(to, c);
    case TN_REST_DATE: return put_date(to, c);
    case TN_REST_TIME: return put_time(to, c);
    case TN_REST_TIMESTAMP:
    case TN_REST_TIMESTAMPTZ: return put_timestamp(to, c);
    default: return put_epoch(to, c);
  }
}

static tenon_status unheld(const cell *c, bool inferred, int64_t row, tenon_error *err) {
  bool shown = c->type != TN_JSON_STRING && c->value.size <= 40;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    inferred ? "declare the endpoint's columns; the type json holds anything"
                             : "declare another type for the column; json holds anything",
                    "column %.100s, row %lld: %s%s%.*s is no value of %s", c->column->name,
                    (long long)row, tn_json_type_name(c->type), shown ? " " : "",
                    shown ? (int)c->value.size : 0, c->value.data,
                    c->column->type ? c->column->type : "its type");
}

static tenon_status append_value(tn_column *to, const tn_rest_column *column, bool inferred,
                                 tn_json_text value, int64_t row, tenon_error *err) {
  cell c = {.column = column,
            .value = value,
            .type = tn_json_text_type(value),
            .text = value.data,
            .size = value.size,
            .strict = inferred};
  if (c.type == TN_JSON_NULL) return tn_append_null(to) ? TENON_OK : tn_append_failed(err);
  if (c.type != TN_JSON_STRING || column->rule == TN_REST_JSON)
    return put_value(to, &c) ? TENON_OK : unheld(&c, inferred, row, err);
  tn_str said;
  tn_str_init(&said, value.size + 1);
  bool ok = tn_json_text_unquote(value, &said);
  c.text = tn_str_text(&said);
  c.size = said.size;
  ok = ok && put_value(to, &c);
  tn_str_release(&said);
  return ok ? TENON_OK : unheld(&c, inferred, row, err);
}

/* ---- Records ---- */

/* The column of a member, looked for from where the last one was found. */
static size_t place_of(const tn_rest_column *columns, size_t count, tn_json_text name,
                       size_t hint) {
  for (size_t k = 0; k < count; k++) {
    size_t i = (hint + k) % count;
    if (!columns[i].path && tn_json_text_is(name, columns[i].name, columns[i].name_size)) return i;
  }
  return count;
}

static tenon_status unexpected(tn_json_text name, int64_t row, const char *what, const char *remedy,
                               tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "row %lld: the member %.*s %s",
                    (long long)row, name.size > 100 ? 100 : (int)name.size, name.data, what);
}

static tenon_status no_object(tn_json_text record, int64_t row, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check `records` in the declaration",
                    "row %lld: it is %s, not an object", (long long)row,
                    tn_json_type_name(tn_json_text_type(record)));
}

/* Where each column's value is; those that are not there stay as they are. */
static tenon_status find_values(const tn_rest_column *columns, size_t count, bool inferred,
                                tn_json_text record, int64_t row, tn_json_text *values,
                                tenon_error *err) {
  tn_json_text name, value;
  size_t hint = 0;
  for (const char *c = NULL; tn_json_text_next(record, &c, &name, &value);) {
    size_t i = place_of(columns, count, name, hint);
    if (i == count && inferred)
      return unexpected(name, row, "was not there on the first page",
                        "declare the endpoint's columns: which there are, and their types", err);
    if (i == count) continue;
    if (values[i].data)
      return unexpected(name, row, "is there twice", "ask who runs the service", err);
    values[i] = value;
    hint = i + 1;
  }
  for (size_t i = 0; i < count; i++)
    if (columns[i].path && !tn_json_text_find(record, columns[i].path, &values[i]))
      values[i].data = NULL;
  return TENON_OK;
}

tenon_status tn_rest_append(tn_builder *b, const tn_rest_column *columns, size_t count,
                            bool inferred, tn_json_text record, int64_t row, tenon_error *err) {
  tn_json_text values[TN_REST_MAX_COLUMNS];
  if (tn_json_text_type(record) != TN_JSON_OBJECT) return no_object(record, row, err);
  memset(values, 0, count * sizeof *values);
  tenon_status status = find_values(columns, count, inferred, record, row, values, err);
  for (size_t i = 0; i < count && !status; i++)
    status =
        append_value(tn_builder_column(b, (int64_t)i), &columns[i], inferred, values[i], row, err);
  return status;
}

/* ---- Columns that are not declared ---- */

enum { SEEN_BOOL = 1, SEEN_INT = 2, SEEN_FLOAT = 4, SEEN_TEXT = 8, SEEN_OTHER = 16 };

static int kind_of(tn_json_text v) {
  int64_t n;
  double f;
  switch (tn_json_text_type(v)) {
    case TN_JSON_NULL: return 0;
    case TN_JSON_BOOL: return SEEN_BOOL;
    case TN_JSON_STRING: return SEEN_TEXT;
    case TN_JSON_INTEGER:
      if (tn_json_text_integer(v, &n))
        return exact_double(v.data, v.size, &f) ? SEEN_INT : SEEN_INT | SEEN_OTHER << 1;
      return SEEN_OTHER;
    case TN_JSON_NUMBER: return exact_double(v.data, v.size, &f) ? SEEN_FLOAT : SEEN_OTHER;
    default: return SEEN_OTHER;
  }
}

/* An integer that no double holds exactly is fine among integers, and makes JSON of a column that has fractions. */
static const char *type_of(int seen) {
  bool is_large = seen & SEEN_OTHER << 1;
  switch (seen & ~(SEEN_OTHER << 1)) {
    case SEEN_BOOL: return "bool";
    case SEEN_INT: return "int64";
    case SEEN_FLOAT: return "float64";
    case SEEN_INT | SEEN_FLOAT: return is_large ? "json" : "float64";
    case SEEN_TEXT: return "text";
    default: return "json";
  }
}

static tenon_status add_column(tn_json_text name, tn_arena *arena, tn_rest_column *columns,
                               size_t *count, tenon_error *err) {
  if (*count == TN_REST_MAX_COLUMNS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "declare the endpoint's columns",
                      "the first page has more than %d members", TN_REST_MAX_COLUMNS);
  tn_str text;
  tn_str_init(&text, name.size + 1);
  bool ok = tn_json_text_unquote(name, &text) && !memchr(tn_str_text(&text), 0, text.size);
  columns[*count] =
      (tn_rest_column){.name = ok ? tn_arena_strndup(arena, tn_str_text(&text), text.size) : NULL,
                       .name_size = text.size};
  tn_str_release(&text);
  if (!ok)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "declare the endpoint's columns",
                      "a member's name has a NUL character");
  if (!columns[*count].name) return tn_no_memory(err);
  ++*count;
  return TENON_OK;
}

static tenon_status look_at(tn_json_text record, tn_arena *arena, tn_rest_column *columns,
                            size_t *count, int *seen, tenon_error *err) {
  tn_json_text name, value;
  size_t hint = 0;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(record, &c, &name, &value);) {
    size_t i = place_of(columns, *count, name, hint);
    if (i == *count) status = add_column(name, arena, columns, count, err);
    if (status) return status;
    seen[i] |= kind_of(value);
    hint = i + 1;
  }
  return status;
}

tenon_status tn_rest_infer(tn_json_text records, tn_arena *arena, tn_rest_column **ret,
                           size_t *ret_count, tenon_error *err) {
  tn_json_text record;
  size_t count = 0;
  int seen[TN_REST_MAX_COLUMNS] = {0};
  tenon_status status = TENON_OK;
  tn_rest_column *columns = tn_arena_alloc(arena, TN_REST_MAX_COLUMNS * sizeof *columns);
  if (!columns) return tn_no_memory(err);
  int64_t row = 0;
  for (const char *c = NULL; !status && tn_json_text_next(records, &c, NULL, &record);) {
    row++;
    status = tn_json_text_type(record) == TN_JSON_OBJECT
                 ? look_at(record, arena, columns, &count, seen, err)
                 : no_object(record, row, err);
  }
  for (size_t i = 0; !status && i < count; i++) {
    columns[i].type = type_of(seen[i]);
    tn_rest_type(columns[i].type, &columns[i]);
  }
  if (!status && !count)
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "declare the endpoint's columns",
                        "the first page has no records, so nothing says which columns there are");
  if (status) return status;
  *ret = columns;
  *ret_count = count;
  return TENON_OK;
}
