/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON Schema (2020-12), the part that tenon/facets/actions.h names: a schema is checked once, then
 * held beside values without anything being built. References are followed within the schema only, and
 * so many that the work is bounded by the size of the schema times that of the value.
 */
#ifndef TN_BASE_JSON_SCHEMA_H
#define TN_BASE_JSON_SCHEMA_H

#include "base/json_text.h"

/* Is it a schema that is checked whole? CONFIG says what is wrong where, a keyword that is not known too. */
tenon_status tn_json_schema_check(const char *text, size_t size, tn_json_text *ret, tenon_error *err);
/* The same for a schema that another system keeps to: prefixItems and $ref within the schema are known too, and what is
 * not known is passed over. CONFIG: what is known of it makes no sense. */
tenon_status tn_json_schema_check_known(const char *text, size_t size, tn_json_text *ret, tenon_error *err);

/* Does the value meet the schema? If not: `code`, "WHAT/items/0/id: an integer is expected, not a string". Of the
 * value itself nothing is said, since it may be secret. err may be NULL. */
tenon_status tn_json_schema_validate(tn_json_text schema, tn_json_text value, tenon_status code, const char *what,
                                     tenon_error *err);

#endif
