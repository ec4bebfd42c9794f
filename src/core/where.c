/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The filter expression: conditions joined by `and`, each a column, an operator and its values.
 *
 *   where     := condition { "and" condition }
 *   condition := column ( "=" | "==" | "<>" | "!=" | "<" | "<=" | ">" | ">=" ) value
 *              | column "in" "(" value { "," value } ")"
 *              | column "between" value "and" value
 *              | column "is" [ "not" ] "null"
 *              | column "like" 'prefix%'   | column "starts" "with" 'prefix'
 *   column    := letters, digits, _ and $   |  "anything, "" for a quote"
 *   value     := number | 'text, '' for a quote' | true | false | [ date | time | timestamp ] 'text'
 */
#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/float.h"
#include "core/target.h"

enum { MAX_WHERE = 1 << 20, MAX_FILTERS = 64, MAX_VALUES = 10000 };

static const char *const too_long = "say it with fewer of them, or with --query in the system's own language";

typedef struct reader {
  const char *text, *at;
  tn_arena *arena;
  tenon_error *err;
} reader;

/* ---- Tokens ---- */

static void skip_space(reader *r) {
  while (*r->at == ' ' || *r->at == '\t' || *r->at == '\n' || *r->at == '\r') r->at++;
}

static tenon_status expected(reader *r, const char *what, const char *remedy) {
  skip_space(r);
  size_t place = (size_t)(r->at - r->text) + 1, left = strlen(r->at);
  if (left == 0) return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "filter: %s expected at the end", what);
  return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "filter: %s expected at byte %zu, before '%.*s'", what,
                    place, left > 24 ? 24 : (int)left, r->at);
}

static bool is_word_start(char c) { return isalpha((unsigned char)c) || c == '_' || (unsigned char)c >= 0x80; }

static bool is_word_char(char c) { return is_word_start(c) || isdigit((unsigned char)c) || c == '$'; }

/* Takes the keyword if it is next. */
static bool take_word(reader *r, const char *word) {
  skip_space(r);
  size_t n = strlen(word);
  if (strncasecmp(r->at, word, n) != 0 || is_word_char(r->at[n])) return false;
  r->at += n;
  return true;
}

static bool take_symbol(reader *r, const char *symbol) {
  skip_space(r);
  size_t n = strlen(symbol);
  if (strncmp(r->at, symbol, n) != 0) return false;
  r->at += n;
  return true;
}

/* Behind the closing quote, or NULL; a doubled quote stands for itself. */
static const char *closing(const char *c, char quote) {
  for (c++; *c; c++)
    if (*c == quote && *++c != quote) return c;
  return NULL;
}

static tenon_status take_quoted(reader *r, char quote, const char **ret, size_t *ret_size) {
  const char *end = closing(r->at, quote);
  if (!end)
    return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, "a quote inside is written twice",
                      "filter: the quote at byte %zu is not closed", (size_t)(r->at - r->text) + 1);
  char *copy = tn_arena_alloc(r->arena, (size_t)(end - r->at));
  size_t n = 0;
  if (!copy) return tn_no_memory(r->err);
  for (const char *c = r->at + 1; c < end - 1; c++) {
    copy[n++] = *c;
    if (*c == quote) c++;
  }
  copy[n] = 0;
  r->at = end;
  *ret = copy;
  *ret_size = n;
  return TENON_OK;
}

static tenon_status take_column(reader *r, const char **ret) {
  skip_space(r);
  size_t n = 0;
  if (*r->at == '"') {
    tenon_status status = take_quoted(r, '"', ret, &n);
    if (!status && n == 0) return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "filter: a column's name is empty");
    return status;
  }
  if (!is_word_start(*r->at)) return expected(r, "a column", "write: column operator value, and 'text' in single quotes");
  while (is_word_char(r->at[n])) n++;
  if (r->at[n] == '.') return expected(r, "a column", "a column with a dot in its name is written \"in.double.quotes\"");
  *ret = tn_arena_strndup(r->arena, r->at, n);
  r->at += n;
  return *ret ? TENON_OK : tn_no_memory(r->err);
}

/* ---- Values ---- */

static tenon_status take_text(reader *r, tenon_value *ret) {
  const char *text;
  size_t size;
  tenon_status status = take_quoted(r, '\'', &text, &size);
  if (!status) *ret = (tenon_value){.type = TENON_VALUE_TEXT, .data = text, .size = size};
  return status;
}

/* Where a number ends: digits [ . digits ] [ e digits ]; *ret_type by what it has. */
static const char *number_end(const char *c, tenon_value_type *ret_type) {
  const char *start = c;
  *ret_type = TENON_VALUE_INT;
  if (*c == '-' || *c == '+') c++;
  size_t digits = strspn(c, "0123456789");
  c += digits;
  if (*c == '.') {
    size_t fraction = strspn(c + 1, "0123456789");
    *ret_type = TENON_VALUE_DECIMAL;
    digits += fraction;
    c += 1 + fraction;
  }
  if (digits == 0) return start;
  if (*c == 'e' || *c == 'E') {
    const char *exponent = c + 1 + (c[1] == '-' || c[1] == '+');
    size_t n = strspn(exponent, "0123456789");
    if (n == 0) return start;
    *ret_type = TENON_VALUE_DOUBLE;
    c = exponent + n;
  }
  return is_word_char(*c) || *c == '.' ? start : c;
}

static tenon_status not_a_value(reader *r) {
  return expected(r, "a value", "texts stand in single quotes, column names in double quotes; columns are not compared with each other");
}

static tenon_status take_number(reader *r, tenon_value *ret) {
  tenon_value v = {0};
  const char *end = number_end(r->at, &v.type);
  if (end == r->at && is_word_start(*r->at)) return not_a_value(r);
  if (end == r->at) return expected(r, "a value", "numbers are written -12.5, texts in single quotes: 'text'");
  const char *start = *r->at == '+' ? r->at + 1 : r->at;
  v.size = (size_t)(end - start);
  v.data = tn_arena_strndup(r->arena, start, v.size);
  if (!v.data) return tn_no_memory(r->err);
  errno = 0;
  /* one beyond all doubles is known by its digits; elsewhere it is as good as infinite */
  if (v.type == TENON_VALUE_DOUBLE && !tn_parse_f64(v.data, v.size, &v.f))
    v.f = *v.data == '-' ? -INFINITY : INFINITY;
  if (v.type == TENON_VALUE_INT) v.i = strtoll(v.data, NULL, 10);
  /* an integer beyond 64 bits is still exact as a decimal */
  if (v.type == TENON_VALUE_INT && errno == ERANGE) v.type = TENON_VALUE_DECIMAL;
  r->at = end;
  *ret = v;
  return TENON_OK;
}

static tenon_status take_value(reader *r, tenon_value *ret) {
  if (take_word(r, "null")) return expected(r, "a value before null", "NULL is asked for with: column is null, or: column is not null");
  if (take_word(r, "true") || take_word(r, "false")) {
    *ret = (tenon_value){.type = TENON_VALUE_BOOL, .i = tolower((unsigned char)r->at[-4]) == 't'};
    return TENON_OK;
  }
  /* the column decides the type anyway; people write these out of habit */
  if (take_word(r, "date") || take_word(r, "timestamp") || take_word(r, "time")) skip_space(r);
  skip_space(r);
  if (*r->at == '\'') return take_text(r, ret);
  if (*r->at == '"') return not_a_value(r);
  return take_number(r, ret);
}

static tenon_status take_values(reader *r, tenon_filter *f, size_t want) {
  tenon_value *values = tn_arena_alloc(r->arena, want * sizeof *values);
  if (!values) return tn_no_memory(r->err);
  for (size_t i = 0; i < want; i++) {
    if (i > 0 && !take_word(r, "and")) return expected(r, "and", "write: column between low and high");
    tenon_status status = take_value(r, &values[i]);
    if (status) return status;
  }
  f->values = values;
  f->value_count = want;
  return TENON_OK;
}

static tenon_status take_list(reader *r, tenon_filter *f) {
  static const char *const remedy = "write: column in (1, 2, 3)";
  size_t capacity = 0;
  tenon_value *values = NULL;
  if (!take_symbol(r, "(")) return expected(r, "(", remedy);
  do {
    if (f->value_count == MAX_VALUES) return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, too_long, "filter: more than %d values in a list", MAX_VALUES);
    if (f->value_count == capacity) {
      capacity = capacity ? 2 * capacity : 8;
      tenon_value *more = tn_arena_alloc(r->arena, capacity * sizeof *more);
      if (!more) return tn_no_memory(r->err);
      if (values) memcpy(more, values, f->value_count * sizeof *more);
      f->values = values = more;
    }
    tenon_status status = take_value(r, &values[f->value_count]);
    if (status) return status;
    f->value_count++;
  } while (take_symbol(r, ","));
  return take_symbol(r, ")") ? TENON_OK : expected(r, ", or )", remedy);
}

/* ---- Conditions ---- */

/* like 'abc%': only the pattern that is a prefix. */
static tenon_status take_like(reader *r, tenon_filter *f) {
  tenon_value *v = tn_arena_alloc(r->arena, sizeof *v);
  if (!v) return tn_no_memory(r->err);
  skip_space(r);
  if (*r->at != '\'') return expected(r, "a text", "write: column like 'prefix%'");
  tenon_status status = take_text(r, v);
  if (status) return status;
  size_t plain = strcspn(v->data, "%_\\");
  if (plain + 1 != v->size || v->data[plain] != '%')
    return tenon_fail(r->err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "for other patterns use --query in the system's own language",
                      "filter: like takes a prefix with one %% at its end");
  v->size = plain;
  *f = (tenon_filter){.column = f->column, .op = TENON_PREFIX, .values = v, .value_count = 1};
  return TENON_OK;
}

static tenon_status take_is(reader *r, tenon_filter *f) {
  f->op = take_word(r, "not") ? TENON_IS_NOT_NULL : TENON_IS_NULL;
  return take_word(r, "null") ? TENON_OK : expected(r, "null", "write: column is null, or: column is not null");
}

static bool take_comparison(reader *r, tenon_filter_op *ret) {
  static const struct { const char *symbol; tenon_filter_op op; } all[] = {
      {"<=", TENON_LE}, {"<>", TENON_NE}, {"<", TENON_LT}, {">=", TENON_GE}, {">", TENON_GT},
      {"==", TENON_EQ}, {"=", TENON_EQ}, {"!=", TENON_NE}};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    if (take_symbol(r, all[i].symbol)) {
      *ret = all[i].op;
      return true;
    }
  return false;
}

static tenon_status take_operator(reader *r, tenon_filter *f) {
  if (take_comparison(r, &f->op)) return take_values(r, f, 1);
  if (take_word(r, "in")) {
    f->op = TENON_IN;
    return take_list(r, f);
  }
  if (take_word(r, "between")) {
    f->op = TENON_BETWEEN;
    return take_values(r, f, 2);
  }
  if (take_word(r, "is")) return take_is(r, f);
  if (take_word(r, "like")) return take_like(r, f);
  if (take_word(r, "starts")) {
    f->op = TENON_PREFIX;
    return take_word(r, "with") ? take_values(r, f, 1) : expected(r, "with", "write: column starts with 'prefix'");
  }
  return expected(r, "an operator", "operators: = <> < <= > >= in between like is; for `or` ask once for each; a database also takes --query in its own language");
}

static tenon_status take_condition(reader *r, tenon_filter *f) {
  if (take_word(r, "not")) return expected(r, "a column before not", "<> and `is not null` are there; a database also takes --query in its own language");
  tenon_status status = take_column(r, &f->column);
  return status ? status : take_operator(r, f);
}

static tenon_status take_conditions(reader *r, tenon_filter *filters, size_t *ret_count) {
  size_t n = 0;
  do {
    if (n == MAX_FILTERS) return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, too_long, "filter: more than %d conditions", MAX_FILTERS);
    tenon_status status = take_condition(r, &filters[n++]);
    if (status) return status;
  } while (take_word(r, "and"));
  skip_space(r);
  if (*r->at) return expected(r, "and, or the end", "conditions are joined by `and`; for `or` ask once for each; a database also takes --query in its own language");
  *ret_count = n;
  return TENON_OK;
}

tenon_status tn_where_parse(const char *text, tn_arena *arena, tenon_filter **ret, size_t *ret_count, tenon_error *err) {
  reader r = {.text = text, .at = text, .arena = arena, .err = err};
  if (strlen(text) > MAX_WHERE) return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, too_long, "filter: longer than %d bytes", MAX_WHERE);
  tenon_filter *filters = tn_arena_alloc(arena, MAX_FILTERS * sizeof *filters);
  if (!filters) return tn_no_memory(err);
  memset(filters, 0, MAX_FILTERS * sizeof *filters);
  size_t count = 0;
  tenon_status status = take_conditions(&r, filters, &count);
  if (status) return status;
  *ret = filters;
  *ret_count = count;
  return TENON_OK;
}
