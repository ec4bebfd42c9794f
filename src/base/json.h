/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON: texts of bounded size and depth into values, and values into text. The one place that knows
 * the library underneath.
 */
#ifndef TN_BASE_JSON_H
#define TN_BASE_JSON_H

#include "base/str.h"

enum {
  TN_JSON_MAX_DEPTH = 64,
  TN_JSON_MAX_SIZE = 16 << 20,
  /* A value of two bytes may take forty in memory, an empty object more than two hundred. */
  TN_JSON_MAX_VALUES = 2 << 20,
  TN_JSON_MAX_OBJECTS = 1 << 18     /* and arrays */
};

/* ---- Reading ---- */

/* A value: the root is freed, all others are borrowed from it. */
typedef struct tn_json tn_json;

typedef enum tn_json_type {
  TN_JSON_NULL =
      0, TN_JSON_BOOL, TN_JSON_INTEGER, TN_JSON_NUMBER, TN_JSON_STRING, TN_JSON_ARRAY, TN_JSON_OBJECT
} tn_json_type;

/* Any one value with nothing behind it. Duplicate keys, invalid UTF-8, NUL characters and integers
 * outside of int64 are CONFIG errors with line and column; nothing of the text is in the message. What
 * is too long, too deep or too much is LIMITED. */
tenon_status tn_json_parse(const char *text, size_t size, tn_json **ret, tenon_error *err);
/* The same of what a system replied: then it is a DATA error. */
tenon_status tn_json_parse_reply(const char *text, size_t size, tn_json **ret, tenon_error *err);
/* Is the text one value, no key twice? For texts that are kept as they are: \u0000 and integers of
 * any length that a double reaches are fine. DATA says where it is not. An integer is a number. */
tenon_status tn_json_check(const char *text, size_t size, tn_json_type *ret, tenon_error *err);
void tn_json_free(tn_json *);
/* The same of a value that has secrets: its strings are overwritten first. */
void tn_json_wipe(tn_json *);
tn_json_type tn_json_type_of(const tn_json *);   /* of NULL: as of null */
bool tn_json_bool(const tn_json *);
int64_t tn_json_integer(const tn_json *);
double tn_json_number(const tn_json *);          /* of integers, too */
const char *tn_json_string(const tn_json *);     /* NULL: not a string */
size_t tn_json_count(const tn_json *);           /* of an array or object, else 0 */
/* of an array; NULL behind the last */
const tn_json *tn_json_at(const tn_json *, size_t i);
const tn_json *tn_json_get(const tn_json *, const char *key);      /* of an object; NULL: absent */
/* The members of an object in the order of the text: cursor starts as NULL; false behind the last. */
bool tn_json_next(const tn_json *, void **cursor, const char **ret_key, const tn_json **ret_value);
/* Appends a value as text, without spaces. False: it does not fit. */
bool tn_json_print(const tn_json *, tn_str *out);

/* ---- Writing ---- */

/* Appends to `out`, and puts the commas and colons. Whether it all fitted, out->failed says. */
typedef struct tn_json_writer {
  tn_str *out;
  int depth;
  bool after_key;
  bool more[TN_JSON_MAX_DEPTH + 1];
  char closers[TN_JSON_MAX_DEPTH + 1];
} tn_json_writer;

void tn_json_writer_init(tn_json_writer *, tn_str *out);
void tn_json_open(tn_json_writer *, char bracket);      /* '{' or '[' */
void tn_json_close(tn_json_writer *);                   /* the one opened last */
void tn_json_key(tn_json_writer *, const char *key);
void tn_json_put_string(tn_json_writer *, const char *text);       /* NULL writes null */
void tn_json_put_text(tn_json_writer *, const char *data, size_t size);
void tn_json_put_integer(tn_json_writer *, int64_t);
void tn_json_put_number(tn_json_writer *, double);      /* NaN and infinities write null */
void tn_json_put_bool(tn_json_writer *, bool);
void tn_json_put_null(tn_json_writer *);
/* a value that is JSON already */
void tn_json_put_raw(tn_json_writer *, const char *json);

/* A string with its quotes; bytes that are not UTF-8 become U+FFFD. */
bool tn_json_quote(tn_str *out, const char *data, size_t size);

#endif
