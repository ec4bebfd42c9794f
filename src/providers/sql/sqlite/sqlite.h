/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind sqlite, inside.
 *
 *   sqlite.c    parameters, URLs, the test, list; the provider itself
 *   session.c   opening a file that may be hostile, one operation at a time on it, errors
 *   types.c     declared types: which Arrow type a column is read as
 *   cells.c     stored values into columns of a batch, checked
 *   catalog.c   what SQLite says of a table
 *   describe.c  that as a tenon_table
 *   pushdown.c  a read as SQL: what SQLite applies exactly
 *   query.c     a query of the user's, and its columns
 *   read.c      rows
 *
 * SQLite types values, not columns. A column's Arrow type comes from its declaration by the table
 * in types.c, and each value that is read is checked against it: one that does not fit is a DATA
 * error.
 */
#ifndef TN_PROVIDERS_SQL_SQLITE_H
#define TN_PROVIDERS_SQL_SQLITE_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/stat.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/float.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"

typedef struct tn_sqlite_config {
  uint64_t set;
  const char *path, *mode;
  int64_t busy_timeout_ms, sample_rows;
} tn_sqlite_config;

extern const tenon_host *tn_sqlite_host;

/* ---- session.c ---- */

/* An open file. Between begin and end it is in one read transaction, and belongs to one context. */
typedef struct tn_sqlite {
  const tn_sqlite_config *config;
  sqlite3 *db;
  bool frozen;            /* read as a file that nobody changes; checked against `as_opened` */
  struct stat as_opened;
  bool utf8;              /* text is stored as UTF-8, so SQLite's comparison is bytewise */
  tenon_ctx *ctx;         /* of the operation under way */
  tenon_hook *hook;
  atomic_bool stopped;    /* the context ended */
  bool guarded;           /* what is prepared now is a user's: it may only read */
  const char *refused;    /* what the guard refused, for the message */
} tn_sqlite;

/* Steps are filled where test is not NULL. */
tenon_status tn_sqlite_open(tenon_ctx *, const tn_sqlite_config *, tenon_test *, tn_sqlite **ret,
                            tenon_error *);
void tn_sqlite_close(tn_sqlite *);
tenon_status tn_sqlite_begin(tn_sqlite *, tenon_ctx *, tenon_error *);
void tn_sqlite_end(tn_sqlite *);
/* Is what was read since begin of one version of the file? */
tenon_status tn_sqlite_verify(tn_sqlite *, tenon_error *);
/* The whole text must be one statement. */
tenon_status tn_sqlite_prepare(tn_sqlite *, const char *sql, sqlite3_stmt **ret, tenon_error *);
/* The same for a user's text: one statement that reads and answers rows. */
tenon_status tn_sqlite_prepare_query(tn_sqlite *, const char *sql, sqlite3_stmt **ret,
                                     tenon_error *);
/* SQLITE_ROW and SQLITE_DONE are OK, and *ret_row says which. */
tenon_status tn_sqlite_step(tn_sqlite *, sqlite3_stmt *, bool *ret_row, tenon_error *);
/* Why an SQLite call failed. */
tenon_status tn_sqlite_fail(tn_sqlite *, int code, tenon_error *);

/* ---- types.c ---- */

typedef enum tn_sqlite_rule {
  TN_SQLITE_UNDECIDED,    /* no declared type: by the first values */
  TN_SQLITE_INT, TN_SQLITE_REAL, TN_SQLITE_TEXT, TN_SQLITE_BLOB, TN_SQLITE_BOOL, TN_SQLITE_DECIMAL,
  TN_SQLITE_DATE, TN_SQLITE_TIME, TN_SQLITE_TIMESTAMP, TN_SQLITE_INSTANT,
  TN_SQLITE_NUMBER_TEXT,  /* numbers without a declared scale, as their digits */
  TN_SQLITE_ANY_TEXT      /* numbers and text as text */
} tn_sqlite_rule;

typedef struct tn_sqlite_type {
  tn_sqlite_rule rule;
  int32_t precision, scale;   /* of decimals */
  char format[24];            /* Arrow's */
  bool rounds;                /* reals that were asked for: integers become the nearest */
  bool annotated;             /* the Arrow type does not say what it is: tenon.type does */
  const char *remark;         /* why, or NULL */
} tn_sqlite_type;

enum { TN_SQLITE_MAX_DECIMAL = 38 };

/* strict: the table makes sure that values have the declared type. */
tenon_status tn_sqlite_type_of(const char *declared, bool strict, const tenon_read *,
                               tn_sqlite_type *ret, tenon_error *);
void tn_sqlite_type_by_rule(tn_sqlite_rule, tn_sqlite_type *ret);
/* The classes of values seen: a bit for each; first: the first one's class, 0: none. */
typedef struct tn_sqlite_seen {
  unsigned classes;
  int first;
} tn_sqlite_seen;

void tn_sqlite_see(tn_sqlite_seen *, sqlite3_value *);
tenon_status tn_sqlite_type_by_values(const tn_sqlite_seen *, const tenon_read *,
                                      tn_sqlite_type *ret, tenon_error *);
/* "decimal(15,2)", for messages. */
void tn_sqlite_type_name(const tn_sqlite_type *, char *text, size_t room);

/* ---- cells.c ---- */

typedef enum tn_sqlite_cell {
  TN_SQLITE_FITS,
  TN_SQLITE_MISFIT,
  TN_SQLITE_NO_MEMORY
} tn_sqlite_cell;

/* Appends a value that is not NULL; storage is its sqlite3_value_type. Of values of fixed width,
 * room for the batch's rows is reserved. Nothing is appended on failure. */
typedef tn_sqlite_cell (*tn_sqlite_put)(tn_column *, const tn_sqlite_type *, sqlite3_value *,
                                        int storage);
tn_sqlite_put tn_sqlite_put_of(tn_sqlite_rule);
/* Takes back the value behind the first `rows`. */
void tn_sqlite_take_back(tn_column *, int64_t rows);
/* A value as a message shows it: its class and the beginning of it. */
void tn_sqlite_show_value(sqlite3_value *, char *text, size_t room);

/* n such that n / 10^scale is exactly this number; false: there is none. */
bool tn_sqlite_unscaled(double v, int32_t scale, int64_t *ret);

/* ---- catalog.c ---- */

typedef struct tn_sqlite_field {
  const char *name, *declared, *default_value;
  bool not_null, generated;
  bool sure;              /* SQLite makes sure that its values have the declared type */
  bool bytewise;          /* its own collation is BINARY */
  int key_position;
  tn_sqlite_type type;
} tn_sqlite_field;

typedef struct tn_sqlite_table {
  const char *name;       /* as it is stored */
  const char *kind;       /* table, view, virtual table */
  bool strict, without_rowid;
  tn_sqlite_field *fields;
  size_t field_count;
} tn_sqlite_table;

/* Columns and their types. Everything lives in the arena. */
tenon_status tn_sqlite_table_load(tn_sqlite *, const tenon_read *, tn_arena *, tn_sqlite_table *ret,
                                  tenon_error *);
/* -1: not known (ANALYZE was not run). */
int64_t tn_sqlite_rows_estimate(tn_sqlite *, const char *table);
/* Index of the column, or NOT_FOUND with the nearest name. */
tenon_status tn_sqlite_field_find(const tn_sqlite_table *, const char *name, size_t *ret,
                                  tenon_error *);
void tn_sqlite_quote(tn_str *, const char *name);   /* "name" */
/* A column of text, copied; NULL for NULL. */
tenon_status tn_sqlite_text(tn_arena *, sqlite3_stmt *, int column, const char **ret,
                            tenon_error *);

/* ---- pushdown.c ---- */

/* A read of a table as SQL, and what of it the SQL applies. */
typedef struct tn_sqlite_select {
  tn_str sql;
  const tenon_value **binds;   /* in the order of the placeholders */
  const tn_sqlite_type **bind_types;
  size_t bind_count, bind_room;
  size_t *columns;             /* indexes of the table's fields */
  size_t column_count;
  uint32_t applied;
  uint64_t filters_applied;
} tn_sqlite_select;

tenon_status tn_sqlite_select_make(const tn_sqlite *, const tn_sqlite_table *, const tenon_read *,
                                   tn_arena *, tn_sqlite_select *ret, tenon_error *);
void tn_sqlite_select_release(tn_sqlite_select *);
tenon_status tn_sqlite_select_bind(tn_sqlite *, const tn_sqlite_select *, sqlite3_stmt *,
                                   tenon_error *);
/* A query's parameter. */
tenon_status tn_sqlite_bind_value(tn_sqlite *, sqlite3_stmt *, int index, const tenon_value *,
                                  tenon_error *);

/* ---- query.c ---- */

/* A query at its first row. Where columns had no declared type, the first rows were read to find
 * it; they are kept here. */
typedef struct tn_sqlite_query {
  sqlite3_stmt *stmt;
  tn_sqlite_table columns;     /* as if it were a table */
  sqlite3_value **cells;       /* kept rows, one behind the other */
  size_t kept_rows, cell_room;
  bool finished;               /* there are no rows behind the kept ones */
} tn_sqlite_query;

tenon_status tn_sqlite_query_open(tn_sqlite *, const tenon_read *, tn_arena *, tn_sqlite_query *ret,
                                  tenon_error *);
void tn_sqlite_query_release(tn_sqlite_query *);

/* ---- operations ---- */

/* The Arrow schema of some of a table's columns. */
tenon_status tn_sqlite_schema(const tn_sqlite_table *, const size_t *columns, size_t count,
                              const tenon_read *, struct ArrowSchema *ret, tenon_error *);
/* May a value of this column be NULL when it is read so? */
bool tn_sqlite_is_nullable(const tn_sqlite_field *, const tenon_read *);
tenon_status tn_sqlite_describe(tenon_ctx *, void *session, const tenon_read *, tenon_table *ret,
                                tenon_error *);
tenon_status tn_sqlite_read(tenon_ctx *, void *session, const tenon_read *, tenon_rows *ret,
                            tenon_error *);

#endif
