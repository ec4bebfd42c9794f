/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTML, as far as lists of links need it: tags with their attributes, and the text between them. No
 * tree is made and nothing is executed or fetched. One walk over bytes that anybody may have made: time is
 * in proportion to them. Source: HTML Living Standard, section 13.2.5, of which it keeps to the common parts.
 */
#ifndef TN_PROVIDERS_HTTP_HTML_H
#define TN_PROVIDERS_HTTP_HTML_H

#include "base/str.h"

typedef struct tn_html {
  const char *at, *end;
} tn_html;

typedef enum tn_html_type { TN_HTML_TEXT = 0, TN_HTML_START, TN_HTML_END } tn_html_type;

/* Points into the page. */
typedef struct tn_html_token {
  tn_html_type type;
  const char *data;              /* the text; the tag's name, in whatever case */
  size_t size;
  const char *attributes, *end;  /* of a start */
} tn_html_token;

/* Comments, declarations, scripts and styles are passed over. False: the page is at its end, or breaks off within a tag. */
bool tn_html_next(tn_html *, tn_html_token *ret);

bool tn_html_is(const tn_html_token *, const char *name);

/* Appends the first attribute of that name, without character references. False: there is none, or it does not fit. */
bool tn_html_attribute(const tn_html_token *, const char *name, tn_str *to);

/* Appends text without its character references (named ones: amp, lt, gt, quot, apos, nbsp). */
bool tn_html_decode(tn_str *to, const char *text, size_t size);

#endif
