/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Values as text: one spelling for the terminal, CSV, TSV and JSON.
 *
 *                  text                              JSON, where it differs
 *   NULL           nothing                           null
 *   boolean        true, false
 *   integers       -12
 *   float          the fewest digits that read back  "NaN", "Infinity", "-Infinity" are strings
 *                  the same: 1.5, 100.0, 1e+16, NaN
 *   decimal        all digits of its scale: 12.50    a number with the same digits
 *   text           as it is                          a string
 *   binary         \x68690a                          a string
 *   date           2024-02-29                        a string
 *   time           23:59:59.5                        a string
 *   timestamp      2024-02-29T12:00:00.25            a string
 *   … with a zone  2024-02-29T12:00:00Z; where the zone is an offset: 2024-02-29T14:00:00+02:00
 *                  (named zones are printed as the instant, in UTC)
 *   duration       PT1.5S                            a string
 *   interval       P14M3DT4.5S                       a string
 *   list, map,     as JSON                           arrays, objects; a map is an object where its
 *   struct                                           keys are text, else an array of pairs
 *
 * Fractions of a second end at their last digit that is not 0. Years outside of 0000-9999 have a
 * sign and at least five digits: +12024-01-01, -00044-03-15. Nothing here depends on the locale.
 */
#ifndef TN_ARROW_PRINT_H
#define TN_ARROW_PRINT_H

#include "base/str.h"
#include "tenon/provider.h"

/* A column's way to text, made once from its type. */
typedef struct tn_printer tn_printer;

/* The schema is not needed afterwards. UNSUPPORTED names the column whose type has no text: unions,
 * run-ends, views. */
tenon_status tn_printer_new(const struct ArrowSchema *column, tn_printer **ret, tenon_error *err);
void tn_printer_free(tn_printer *);

/* Appends value i of the column, counted from the array's offset. DATA if text is not valid UTF-8,
 * LIMITED if `out` is full; what was appended before a failure stays. */
tenon_status tn_print_text(const tn_printer *, const struct ArrowArray *, int64_t i, tn_str *out,
                           tenon_error *err);
tenon_status tn_print_json(const tn_printer *, const struct ArrowArray *, int64_t i, tn_str *out,
                           tenon_error *err);

/* A string of JSON, with its quotes. */
tenon_status tn_print_json_string(const char *data, size_t size, tn_str *out, tenon_error *err);

/* Is value i, counted from the array's offset, NULL? */
static inline bool tn_is_null(const struct ArrowArray *a, int64_t i) {
  if (a->n_buffers == 0) return a->n_children == 0;   /* the type null; a struct has one buffer */
  if (!a->buffers[0] || a->null_count == 0) return false;
  int64_t at = a->offset + i;
  return !(((const uint8_t *)a->buffers[0])[at >> 3] >> (at & 7) & 1);
}

/* As JSON, a number that is not finite is DATA from now on, in place of a text. */
void tn_printer_want_finite(tn_printer *);
/* Numbers are set flush right in a table. */
bool tn_printer_is_number(const tn_printer *);
/* Its text has only ASCII letters, digits and + - . : in it, and always some. */
bool tn_printer_is_simple(const tn_printer *);

#endif
