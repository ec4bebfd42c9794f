/* SPDX-License-Identifier: Apache-2.0 */
/* A growing string with a stated maximum. A failed append sets `failed` and keeps what was there,
 * so many appends can be checked once, at the end. */
#ifndef TN_BASE_STR_H
#define TN_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>

#include "tenon/base.h"

typedef struct tn_str {
  char *data;      /* NUL-terminated, or NULL while empty */
  size_t size, capacity, max;
  bool failed;
} tn_str;

void tn_str_init(tn_str *, size_t max);
void tn_str_release(tn_str *);
void tn_str_clear(tn_str *);
bool tn_str_add(tn_str *, const char *data, size_t size);
bool tn_str_puts(tn_str *, const char *);
bool tn_str_putc(tn_str *, char);
bool tn_str_printf(tn_str *, const char *format, ...) TENON_PRINTF(2, 3);
bool tn_str_reserve(tn_str *, size_t more);
/* The text, now the caller's (tn_free), or NULL if an append failed. */
char *tn_str_move(tn_str *);
const char *tn_str_text(const tn_str *);     /* "" while empty */

/* How alike two words are, for "did you mean": the edit distance, at most `limit` + 1. */
size_t tn_edit_distance(const char *a, const char *b, size_t limit);
/* The candidate nearest to `word`, or NULL if none is near. */
const char *tn_nearest(const char *word, const char *const *candidates, size_t count);
/* Is it valid UTF-8? If not, *ret_offset is where it stops being so. */
bool tn_utf8_valid(const char *data, size_t size, size_t *ret_offset);

#endif
