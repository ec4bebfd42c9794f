/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Declared types. The first rule that holds decides; names are compared without case.
 *
 *   declared                        Arrow              values that fit
 *   BOOLEAN, BOOL                   bool               0, 1
 *   DATE                            date32             text YYYY-MM-DD
 *   TIME                            time64[us]         text HH:MM[:SS[.ffffff]]
 *   DATETIME, TIMESTAMP             timestamp[us]      text of a date, then T or a space and a time
 *   TIMESTAMPTZ, … WITH TIME ZONE   timestamp[us,UTC]  the same with Z or an offset as +02:00
 *   DECIMAL(p,s), NUMERIC(p,s), …   decimal128(p,s)    integers; reals of s digits exactly
 *   the same without precision      text, numeric_as   numbers, as the fewest digits that read back
 *   JSON, UUID, STRING, ENUM,       text               text; numbers, as their digits
 *     INTERVAL, POINT
 *   contains INT                    int64              integers
 *   contains CHAR, CLOB, TEXT       text               UTF-8 text
 *   contains BLOB; BINARY, BYTEA,   binary             blobs
 *     VARBINARY, LONGVARBINARY,
 *     BINARY VARYING, IMAGE
 *   contains REAL, FLOA, DOUB       float64            numbers that a double holds
 *   nothing, ANY; expressions of    by the first value that is not NULL, among so many first rows
 *     a query or view                 as sample_rows says; integers and reals together are float64
 *   anything else                   text               text; numbers, as their digits
 *
 * A real has s digits exactly when it is the double nearest to a number n / 10^s with |n| <= 2^53:
 * there is only one such number, so this is the one that was stored.
 */
#include "sqlite.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_NAME = 64 };

/* A declared type: its name in upper case without what is in parentheses, two numbers of that. */
typedef struct declared {
  char name[MAX_NAME];
  int count;
  long numbers[2];
} declared;

static const char *read_numbers(const char *text, declared *ret) {
  while (*text && *text != ')') {
    char *end;
    long n = strtol(text, &end, 10);
    if (end != text && ret->count < 2) ret->numbers[ret->count++] = n;
    text = end != text ? end : text + 1;
  }
  return *text ? text + 1 : text;
}

static declared parse(const char *text) {
  declared d = {.count = 0};
  size_t n = 0;
  while (*text) {
    if (*text == '(') {
      text = read_numbers(text + 1, &d);
      continue;
    }
    bool space = isspace((unsigned char)*text);
    bool repeated = space && (n == 0 || d.name[n - 1] == ' ');
    if (!repeated && n < MAX_NAME - 1)
      d.name[n++] = space ? ' ' : (char)toupper((unsigned char)*text);
    text++;
  }
  while (n > 0 && d.name[n - 1] == ' ') n--;
  d.name[n] = 0;
  return d;
}

static bool is_named(const declared *d, const char *const *names) {
  for (; *names; names++)
    if (strcmp(d->name, *names) == 0) return true;
  return false;
}

static bool contains(const declared *d, const char *const *parts) {
  for (; *parts; parts++)
    if (strstr(d->name, *parts)) return true;
  return false;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static bool is_numeric(const declared *d) {
  return is_named(d, NAMES("NUMERIC", "DECIMAL", "DEC", "NUMBER", "NUM", "FIXED", "MONEY",
                           "SMALLMONEY"));
}

static tn_sqlite_rule rule_of_name(const declared *d) {
  if (!d->name[0] || is_named(d, NAMES("ANY"))) return TN_SQLITE_UNDECIDED;
  if (is_named(d, NAMES("BOOLEAN", "BOOL"))) return TN_SQLITE_BOOL;
  if (is_named(d, NAMES("DATE"))) return TN_SQLITE_DATE;
  if (is_named(d, NAMES("TIME", "TIME WITHOUT TIME ZONE"))) return TN_SQLITE_TIME;
  if (is_named(d, NAMES("DATETIME", "DATETIME2", "TIMESTAMP", "TIMESTAMP WITHOUT TIME ZONE")))
    return TN_SQLITE_TIMESTAMP;
  if (is_named(d, NAMES("TIMESTAMPTZ", "TIMESTAMP WITH TIME ZONE", "DATETIMEOFFSET")))
    return TN_SQLITE_INSTANT;
  if (is_numeric(d)) return d->count ? TN_SQLITE_DECIMAL : TN_SQLITE_NUMBER_TEXT;
  if (is_named(d, NAMES("JSON", "UUID", "STRING", "ENUM", "INTERVAL", "POINT")))
    return TN_SQLITE_ANY_TEXT;
  if (contains(d, NAMES("INT"))) return TN_SQLITE_INT;
  if (contains(d, NAMES("CHAR", "CLOB", "TEXT"))) return TN_SQLITE_TEXT;
  if (contains(d, NAMES("BLOB")) ||
      is_named(d, NAMES("BINARY", "VARBINARY", "LONGVARBINARY", "BINARY VARYING", "BYTEA", "IMAGE")))
    return TN_SQLITE_BLOB;
  if (contains(d, NAMES("REAL", "FLOA", "DOUB"))) return TN_SQLITE_REAL;
  return TN_SQLITE_ANY_TEXT;
}

/* ---- Rules as Arrow types ---- */

static const struct {
  const char *format, *name;
} arrow[] = {
    [TN_SQLITE_UNDECIDED] = {"u", "text"},
    [TN_SQLITE_INT] = {"l", "int64"},
    [TN_SQLITE_REAL] = {"g", "float64"},
    [TN_SQLITE_TEXT] = {"u", "text"},
    [TN_SQLITE_BLOB] = {"z", "binary"},
    [TN_SQLITE_BOOL] = {"b", "boolean"},
    [TN_SQLITE_DECIMAL] = {NULL, "decimal"},
    [TN_SQLITE_DATE] = {"tdD", "date"},
    [TN_SQLITE_TIME] = {"ttu", "time"},
    [TN_SQLITE_TIMESTAMP] = {"tsu:", "timestamp without zone"},
    [TN_SQLITE_INSTANT] = {"tsu:UTC", "timestamp with zone"},
    [TN_SQLITE_NUMBER_TEXT] = {"u", "number"},
    [TN_SQLITE_ANY_TEXT] = {"u", "text"},
};

void tn_sqlite_type_by_rule(tn_sqlite_rule rule, tn_sqlite_type *ret) {
  *ret = (tn_sqlite_type){.rule = rule};
  if (arrow[rule].format) snprintf(ret->format, sizeof ret->format, "%s", arrow[rule].format);
  ret->annotated = rule == TN_SQLITE_NUMBER_TEXT || rule == TN_SQLITE_ANY_TEXT;
}

void tn_sqlite_type_name(const tn_sqlite_type *type, char *text, size_t room) {
  if (type->rule == TN_SQLITE_DECIMAL)
    snprintf(text, room, "decimal(%d,%d)", type->precision, type->scale);
  else snprintf(text, room, "%s", arrow[type->rule].name);
}

static void set_decimal(long precision, long scale, tn_sqlite_type *ret) {
  *ret = (tn_sqlite_type){.rule = TN_SQLITE_DECIMAL,
                          .precision = (int32_t)precision,
                          .scale = (int32_t)scale};
  snprintf(ret->format, sizeof ret->format, "d:%d,%d", ret->precision, ret->scale);
}

static bool is_decimal(long precision, long scale) {
  return precision >= 1 && precision <= TN_SQLITE_MAX_DECIMAL && scale >= 0 && scale <= precision;
}

/* numeric_as: "float64", "decimal(38,10)" */
static tenon_status set_numeric(const char *as, tn_sqlite_type *ret, tenon_error *err) {
  declared d = parse(as ? as : "");
  if (!as) {
    tn_sqlite_type_by_rule(TN_SQLITE_NUMBER_TEXT, ret);
    ret->remark = "no declared scale: text";
    return TENON_OK;
  }
  if (strcmp(d.name, "FLOAT64") == 0) {
    tn_sqlite_type_by_rule(TN_SQLITE_REAL, ret);
    ret->rounds = true;
    return TENON_OK;
  }
  if (strcmp(d.name, "DECIMAL") != 0 || d.count == 0 || !is_decimal(d.numbers[0], d.numbers[1]))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write float64 or decimal(38,10)",
                      "numeric_as=%s is no type", as);
  set_decimal(d.numbers[0], d.numbers[1], ret);
  return TENON_OK;
}

static tenon_status set_type(const declared *d, const tenon_read *read, tn_sqlite_type *ret,
                             tenon_error *err) {
  tn_sqlite_rule rule = rule_of_name(d);
  if (rule == TN_SQLITE_NUMBER_TEXT) return set_numeric(read->numeric_as, ret, err);
  if (rule == TN_SQLITE_DECIMAL && is_decimal(d->numbers[0], d->numbers[1])) {
    set_decimal(d->numbers[0], d->numbers[1], ret);
  } else if (rule == TN_SQLITE_DECIMAL) {
    tn_sqlite_type_by_rule(TN_SQLITE_NUMBER_TEXT, ret);
    ret->remark = "more than 38 digits: text";
  } else {
    tn_sqlite_type_by_rule(rule, ret);
  }
  return TENON_OK;
}

tenon_status tn_sqlite_type_of(const char *text, bool strict, const tenon_read *read,
                               tn_sqlite_type *ret, tenon_error *err) {
  declared d = parse(text ? text : "");
  tenon_status status = set_type(&d, read, ret, err);
  if (status || read->special_values != TENON_SPECIAL_TEXT || strict) return status;
  if (ret->rule == TN_SQLITE_TEXT || ret->rule == TN_SQLITE_NUMBER_TEXT) {
    ret->rule = TN_SQLITE_ANY_TEXT; /* values of other classes fit by their digits */
  } else {
    tn_sqlite_type_by_rule(TN_SQLITE_ANY_TEXT, ret);
    ret->remark = "special_values=text";
  }
  return TENON_OK;
}

/* ---- By values ---- */

enum { REALS = 1u << SQLITE_FLOAT, BIG_INTEGERS = 1u << 0 };

void tn_sqlite_see(tn_sqlite_seen *seen, sqlite3_value *v) {
  const int64_t exact = INT64_C(1) << 53;
  int storage = sqlite3_value_type(v);
  if (storage == SQLITE_NULL) return;
  if (!seen->first) seen->first = storage;
  seen->classes |= 1u << storage;
  if (storage != SQLITE_INTEGER) return;
  int64_t i = sqlite3_value_int64(v);
  if (i > exact || i < -exact) seen->classes |= BIG_INTEGERS;
}

/* Reals and integers that are no doubles have no type but NUMERIC. */
tenon_status tn_sqlite_type_by_values(const tn_sqlite_seen *seen, const tenon_read *read,
                                      tn_sqlite_type *ret, tenon_error *err) {
  static const tn_sqlite_rule rules[] = {[0] = TN_SQLITE_TEXT,
                                         [SQLITE_INTEGER] = TN_SQLITE_INT,
                                         [SQLITE_FLOAT] = TN_SQLITE_REAL,
                                         [SQLITE_TEXT] = TN_SQLITE_TEXT,
                                         [SQLITE_BLOB] = TN_SQLITE_BLOB};
  bool is_number = seen->first == SQLITE_INTEGER || seen->first == SQLITE_FLOAT;
  bool has_real = seen->classes & REALS;
  if (is_number && has_real && seen->classes & BIG_INTEGERS)
    return tn_sqlite_type_of("NUMERIC", false, read, ret, err);
  tn_sqlite_type_by_rule(is_number && has_real ? TN_SQLITE_REAL : rules[seen->first], ret);
  ret->remark =
      seen->first ? "no declared type: by its first values" : "no declared type and no values: text";
  return TENON_OK;
}
