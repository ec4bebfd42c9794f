/* SPDX-License-Identifier: Apache-2.0 */
/* SQL that we write: names and values quoted, and requests pushed down where that is exact. */
#ifndef TN_PG_SQL_H
#define TN_PG_SQL_H

#include "providers/sql/postgresql/types.h"

enum { TN_PG_MAX_SQL = 16 << 20 };

/* "name", with quotes inside doubled. */
void tn_pg_put_name(tn_str *, const char *name);
/* 'text' as a literal, whatever the server's settings are. */
void tn_pg_put_text(tn_str *, const char *text, size_t size);
/* A value as the server reads it, without quotes; zone: timestamps are of UTC. */
void tn_pg_put_value(tn_str *, const tenon_value *, bool zone);
/* "schema"."table", or "table" alone. */
void tn_pg_put_table(tn_str *, const char *schema, const char *table);

/* A query in the user's own words. */
typedef struct tn_pg_query_shape {
  size_t size;         /* without semicolons and space at its end */
  bool selects;        /* SELECT, VALUES, TABLE or WITH: COPY takes it */
} tn_pg_query_shape;

/* Only a first look: that it is one statement, and which columns it has, says the server. */
tn_pg_query_shape tn_pg_look_at_query(const char *query);

/* What is to be read from, and of which columns it consists. */
typedef struct tn_pg_source {
  const char *schema, *table;       /* a table, or */
  const char *query;                /* a query of query_size bytes */
  size_t query_size;
  const tn_pg_field *fields;        /* all of its columns, in order */
  size_t field_count;
  const int *chosen;                /* indices of those that are wanted */
  size_t chosen_count;
  bool utf8;                        /* the server's encoding: its order of bytes is ours */
  tenon_special special;
} tn_pg_source;

/* What of a request the SQL met. */
typedef struct tn_pg_pushed {
  uint32_t applied;
  uint64_t filters;
} tn_pg_pushed;

/* Appends a SELECT that gives the chosen columns, and as much of the request as can be said
 * exactly. */
void tn_pg_put_select(tn_str *, const tn_pg_source *, const tenon_read *, tn_pg_pushed *ret);

#endif
