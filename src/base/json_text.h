/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON as the text that it is: checked once, then walked without a copy. What comes from a system
 * keeps its exact digits so, integers of any length too, and takes no more memory than its text.
 */
#ifndef TN_BASE_JSON_TEXT_H
#define TN_BASE_JSON_TEXT_H

#include "base/json.h"

/* One value's text, without blanks around it; borrowed. data NULL: there is none. */
typedef struct tn_json_text {
  const char *data;
  size_t size;
} tn_json_text;

/* Is it one value of valid JSON in valid UTF-8, at most TN_JSON_MAX_DEPTH deep? DATA says at which byte
 * it is not; nothing of the text is in the message. All functions below take only what was checked. */
tenon_status tn_json_text_check(const char *data, size_t size, tn_json_text *ret, tenon_error *err);
/* The same for an object whose members are values of that depth each. */
tenon_status tn_json_text_check_row(const char *data, size_t size, tn_json_text *ret, tenon_error *err);
/* The same, but strings may have any bytes: some services write names of files as these are. */
tenon_status tn_json_text_check_bytes(const char *data, size_t size, tn_json_text *ret, tenon_error *err);

/* TN_JSON_INTEGER: a number without point and exponent. */
tn_json_type tn_json_text_type(tn_json_text);
const char *tn_json_type_name(tn_json_type);     /* "an integer", "an object" */

/* The next element or member; *cursor starts as NULL. False behind the last, and for what is neither
 * array nor object. ret_key (a string with its quotes; empty for elements) may be NULL. */
bool tn_json_text_next(tn_json_text, const char **cursor, tn_json_text *ret_key, tn_json_text *ret_value);
size_t tn_json_text_count(tn_json_text);

/* Is no member there twice, in any of its objects? CONFIG if one is. */
tenon_status tn_json_text_check_members(tn_json_text, tenon_error *err);
/* The last member of that name; false: there is none. */
bool tn_json_text_get(tn_json_text object, const char *key, size_t size, tn_json_text *ret);
/* By a JSON pointer (RFC 6901: "/data/items", "" is the whole), or without a slash in front by names
 * with dots between them ("data.items"). */
bool tn_json_text_find(tn_json_text, const char *path, tn_json_text *ret);

/* Appends what a string says; false: no room. */
bool tn_json_text_unquote(tn_json_text string, tn_str *out);
/* Does the string say this? */
bool tn_json_text_is(tn_json_text string, const char *text, size_t size);
bool tn_json_text_integer(tn_json_text, int64_t *ret);     /* false: no integer, or not of 64 bits */
bool tn_json_text_number(tn_json_text, double *ret);       /* false: no number, or too large */
bool tn_json_text_true(tn_json_text);

/* Are they the same value? Numbers by value, objects in any order. */
bool tn_json_text_equal(tn_json_text, tn_json_text);

#endif
