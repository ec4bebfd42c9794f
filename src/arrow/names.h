/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names of types as people write them, in options and in descriptions.
 *
 *   name                  others                     Arrow format
 *   bool                  boolean                    b
 *   int8 … int64          (int, integer: int32;      c s i l
 *                          bigint: int64)
 *   uint8 … uint64                                   C S I L
 *   float32, float64      float, real; double        f g
 *   decimal(p,s)          numeric(p,s); (p) is (p,0) d:p,s and beyond 38 digits d:p,s,256
 *   text                  string, utf8, varchar      u
 *   binary                bytes, bytea, blob         z
 *   date                                             tdD
 *   time                                             ttu
 *   timestamp             datetime                   tsu:
 *   timestamptz                                      tsu:UTC
 *
 * Only the first column is ever printed. Types that have no such name are printed in the same
 * manner: timestamp(ms), timestamptz(us, Europe/Berlin), list(int32), struct(a int32, b text),
 * map(text, int64).
 */
#ifndef TN_ARROW_NAMES_H
#define TN_ARROW_NAMES_H

#include "base/str.h"
#include "tenon/provider.h"

enum { TN_FORMAT_ROOM = 32 };

/* The Arrow format of a name, in any case, blanks around it allowed; false: no type is called so. */
bool tn_format_of_name(const char *name, size_t size, char ret[TN_FORMAT_ROOM]);
/* The name of a column's type. */
bool tn_type_name(const struct ArrowSchema *, tn_str *out);

#endif
