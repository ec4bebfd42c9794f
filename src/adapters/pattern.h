/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of tables that are objects: a key, a folder, or a pattern of keys.
 *
 *   a/b.csv      the object of this key, whatever characters it has
 *   a/           every object below a/ whose name ends like a format's; none whose name, or whose
 *   a            folder's, begins with . or _
 *   a/x*.csv     *, ? and [abc], [a-z], [!abc] stand for characters of one part of the key, not for
 *                a / and not for a . or _ at the beginning of a part
 *   a/{x,y}.csv  one of these texts
 *   a/ ** /x.csv  (without the blanks) any number of parts, also none
 */
#ifndef TN_ADAPTERS_PATTERN_H
#define TN_ADAPTERS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "tenon/provider.h"

/* Has the text characters of a pattern at all? */
bool tn_pattern_is(const char *text);
/* Does the whole key match? Braces must have been expanded. Time is bounded by size(pattern) * size(key). */
bool tn_pattern_matches(const char *pattern, size_t pattern_size, const char *key, size_t key_size);
/* The part before the first / behind which characters of a pattern come: all keys that match begin with it. */
size_t tn_pattern_prefix(const char *pattern);
/* Calls each with the pattern's alternatives, one after the other; CONFIG if braces are not closed or there are too many. */
tenon_status tn_pattern_expand(const char *pattern, tenon_status (*each)(void *arg, const char *alternative, tenon_error *err),
                               void *arg, tenon_error *err);

#endif
