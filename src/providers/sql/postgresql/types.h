/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which Arrow type each type of the server becomes (docs/types.md). Built-in types stand in a
 * table; others are looked up in the catalog, only those that a result has, in one question.
 */
#ifndef TN_PG_TYPES_H
#define TN_PG_TYPES_H

#include "providers/sql/postgresql/decode.h"
#include "providers/sql/postgresql/session.h"

/* One column as the server describes it. */
typedef struct tn_pg_field {
  const char *name;
  uint32_t oid;
  int32_t typmod;
  bool not_null;
  tn_pg_type type;
} tn_pg_field;

/* What the reader of a column may choose. */
typedef struct tn_pg_choices {
  tenon_special special;
  tn_pg_op numeric; /* for numeric without a scale: TN_PG_DECIMAL_TEXT, _FLOAT, 128 or 256 */
  int16_t precision, scale;     /* of the decimal that it is read as */
} tn_pg_choices;

/* numeric_as as it is written: NULL, "float64", "decimal(38,10)". */
tenon_status tn_pg_choices_init(tn_pg_choices *, tenon_special, const char *numeric_as,
                                tenon_error *err);
/* Fills each field's type. Everything lives in the arena. A type that cannot be read is filled too:
 * its op is TN_PG_REFUSED, and refusal says why. */
tenon_status tn_pg_types_resolve(tenon_ctx *, tn_pg_session *, tn_arena *, const tn_pg_choices *,
                                 tn_pg_field *fields, size_t count, tenon_error *err);
/* Gives an unset schema the field's Arrow type; of a refused one: null. */
tenon_status tn_pg_type_schema(const tn_pg_type *, const char *name, bool nullable,
                               struct ArrowSchema *ret, tenon_error *err);

#endif
