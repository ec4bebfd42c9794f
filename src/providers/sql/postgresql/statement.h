/* SPDX-License-Identifier: Apache-2.0 */
/* A statement described before it runs, inside the transaction that it will run in. */
#ifndef TN_PG_STATEMENT_H
#define TN_PG_STATEMENT_H

#include "providers/sql/postgresql/types.h"

enum { TN_PG_MAX_STATEMENT_MEMORY = 64 << 20 };

typedef struct tn_pg_statement {
  tn_arena arena;            /* of everything here */
  bool own; /* set before init: a query of this kind's own, with the catalog's names alone */
  const char *schema, *table;
  const char *query;
  size_t query_size;
  bool selects;              /* what COPY takes */
  tn_pg_field *fields;
  size_t field_count;
  uint32_t *param_types;
  size_t param_count;
} tn_pg_statement;

/* Begins a READ ONLY transaction, and finds out which columns the request's table or query has and
 * of which types, in one exchange (two where types are not built in). The session may be in the
 * transaction afterwards, also on failure. Release it in either case. */
tenon_status tn_pg_statement_init(tn_pg_statement *, tenon_ctx *, tn_pg_session *,
                                  const tenon_read *, tenon_error *err);
void tn_pg_statement_release(tn_pg_statement *);

#endif
