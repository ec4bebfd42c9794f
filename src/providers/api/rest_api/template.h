/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Templates: text with {{name}} in it. There is no logic, nothing is included, and what a value says is
 * never read as a template again. How a value is escaped depends on where it stands, and nothing can
 * turn that off. {{name?}} may be missing: then the whole that it stands in (a query parameter, a
 * header, a member of the body) is left out.
 *
 * Names are letters, digits and _, at most 64, and do not begin with a digit. Blanks within the braces
 * are fine. A text cannot have {{ in it otherwise; }} and single braces are only text.
 */
#ifndef TN_REST_TEMPLATE_H
#define TN_REST_TEMPLATE_H

#include "base/json_text.h"

/* Where a template stands. */
typedef enum tn_rest_position {
  TN_REST_PATH,      /* whole, as /a/{{b}}: percent-encoded, the slash too; dot segments and empty ones are refused */
  TN_REST_QUERY,     /* a value: percent-encoded */
  TN_REST_FORM,      /* the same, a blank as + */
  TN_REST_HEADER,    /* a value: control characters are refused */
  TN_REST_TEXT,      /* within a string of JSON, which is quoted as a whole afterwards */
  TN_REST_XML        /* escaped for elements and attributes; characters that XML has not are refused */
} tn_rest_position;

enum { TN_REST_MAX_NAME = 64, TN_REST_MAX_LAYERS = 4, TN_REST_MAX_TEMPLATE = 1 << 20 };

/* What the names mean: objects, the first that has a name decides. A member that is null is as one that is missing, but
 * for whole values of JSON, which may be null. */
typedef struct tn_rest_scope {
  tn_json_text layers[TN_REST_MAX_LAYERS];
  size_t layer_count;
} tn_rest_scope;

bool tn_rest_lookup(const tn_rest_scope *, const char *name, size_t size, tn_json_text *ret);
bool tn_rest_lookup_any(const tn_rest_scope *, const char *name, size_t size, tn_json_text *ret);   /* null, too */

/* A part of a template: text, or a variable's name. */
typedef struct tn_rest_piece {
  const char *text;
  size_t size;
  bool is_variable, is_optional;
} tn_rest_piece;

/* The next part; *at starts as 0. *ret_more is false at the end. CONFIG if the braces are not closed or hold no name. */
tenon_status tn_rest_next_piece(const char *text, size_t size, size_t *at, tn_rest_piece *ret, bool *ret_more,
                                tenon_error *err);

/* Is the text a template that may stand there? `where` is for messages: "endpoint issues: path". */
tenon_status tn_rest_check_template(const char *text, size_t size, tn_rest_position, const char *where, tenon_error *err);

/* What is no template must not look like one: the names of parameters and members. */
tenon_status tn_rest_check_name(const char *name, size_t size, const char *where, tenon_error *err);

/* Is it one variable and nothing else? */
bool tn_rest_is_variable(const char *text, size_t size, tn_rest_piece *ret);

/*
 * Appends the text with its variables in place. *ret_absent: an optional one is missing; nothing was
 * appended then. CONFIG names a variable that is missing, or whose value cannot stand there. `out` is
 * as it was on failure.
 */
tenon_status tn_rest_render(const char *text, size_t size, tn_rest_position, const tn_rest_scope *, const char *where,
                            tn_str *out, bool *ret_absent, tenon_error *err);

/* One value, escaped for its position. Arrays and objects are refused. */
tenon_status tn_rest_put_value(tn_json_text value, tn_rest_position, const char *name, size_t name_size, const char *where,
                               tn_str *out, tenon_error *err);

/*
 * Appends a JSON template with its variables in place: a string that is one variable becomes its value
 * with its type, whatever it is; in other strings values are text. Members and elements whose optional
 * variable is missing are left out.
 */
tenon_status tn_rest_render_json(tn_json_text json, const tn_rest_scope *, const char *where, tn_str *out, tenon_error *err);

/* Checks all strings of a JSON template; calls `found` (may be NULL) with each variable. */
typedef tenon_status (*tn_rest_found)(void *arg, const tn_rest_piece *, bool is_whole, tenon_error *err);
tenon_status tn_rest_walk_json(tn_json_text json, const char *where, tn_rest_found, void *arg, tenon_error *err);
tenon_status tn_rest_walk(const char *text, size_t size, tn_rest_found, void *arg, tenon_error *err);

#endif
