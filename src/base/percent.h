/* SPDX-License-Identifier: Apache-2.0 */
/* Percent-encoding, and what kinds need that read their URLs themselves. Source: RFC 3986, section 2.1. */
#ifndef TN_BASE_PERCENT_H
#define TN_BASE_PERCENT_H

#include "base/str.h"
#include "tenon/provider.h"

int tn_hex_digit(char c);   /* 0 to 15, -1: it is none */

/* Appends the decoded text; a plus sign stays one. False: a percent sign without two hexadecimal digits behind it, a NUL,
 * or no memory. */
bool tn_percent_decode(tn_str *to, const char *text, size_t size);

bool tn_is_unreserved(unsigned char c);   /* letters, digits and - . _ ~ */
/* Appends the text with everything encoded but what is unreserved, and / where it is kept. */
bool tn_percent_encode(tn_str *to, const char *text, size_t size, bool keep_slash);

/* A kind's setter, as tenon_provider.parse_url gets it. */
typedef tenon_status (*tn_url_set)(void *arg, const char *key, const char *value, tenon_error *err);

/* Sets a part of a URL, decoded. */
tenon_status tn_url_part(const char *key, const char *text, size_t size, tn_url_set, void *arg, tenon_error *err);
/* Sets key=value&key=value, decoded. */
tenon_status tn_url_query(const char *query, tn_url_set, void *arg, tenon_error *err);

/* Reads a URL whose path is the parameter `key`: scheme:///absolute/path?key=value, scheme://relative/path. */
tenon_status tn_url_of_path(const char *url, const char *key, tn_url_set, void *arg, tenon_error *err);

#endif
