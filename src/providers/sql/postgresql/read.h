/* SPDX-License-Identifier: Apache-2.0 */
/* The facet's reads. */
#ifndef TN_PG_READ_H
#define TN_PG_READ_H

#include "providers/sql/postgresql/session.h"

tenon_status tn_pg_read(tenon_ctx *, void *session, const tenon_read *, tenon_rows *ret,
                        tenon_error *err);
/* Rows of a query of our own, through the same path: no transaction of a user's, nothing pushed. */
tenon_status tn_pg_read_own(tenon_ctx *, tn_pg_session *, const char *sql, tenon_stream *ret,
                            tenon_error *err);

/* catalog.c */
tenon_status tn_pg_list(tenon_ctx *, void *session, const tenon_tables_list *, tenon_stream *ret,
                        tenon_error *err);
tenon_status tn_pg_describe(tenon_ctx *, void *session, const tenon_read *, tenon_table *ret,
                            tenon_error *err);

#endif
