/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `tables`: systems that hold rows in named tables.
 *
 * The answer to a read does not depend on which parts of it the system applied: what it did not,
 * the core does. How values compare is fixed in ../value.h.
 */
#ifndef TENON_FACETS_TABLES_H
#define TENON_FACETS_TABLES_H

#include "../stream.h"
#include "../value.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A table's name. Absent parts are NULL, and mean the system's own default. UTF-8, as it is, unquoted. */
typedef struct tenon_name {
  const char *catalog, *schema, *table;
} tenon_name;

/* What values become that Arrow's exact type cannot hold: infinity, numeric NaN, 24:00. */
typedef enum tenon_special {
  TENON_SPECIAL_ERROR = 0,   /* a DATA error that names column, row and this option */
  TENON_SPECIAL_TEXT,        /* the columns that may have them are read as annotated text */
  TENON_SPECIAL_NULL
} tenon_special;

/*
 * A read. Zeroed memory and a table name (or a query) is the whole table.
 * filters are all to hold (at most 64). `after` are the order columns' values of the last row
 * already seen: only rows behind it come. limit -1 or TENON_READ_INIT: none.
 */
typedef struct tenon_read {
  uint32_t struct_size;
  tenon_name name;
  const char *query;                 /* instead of a name: the system's own language, read-only */
  const tenon_value *params;         /* bound to the query's placeholders */
  size_t param_count;
  const char *const *columns;        /* NULL: all, in the table's order */
  size_t column_count;
  const tenon_filter *filters;
  size_t filter_count;
  const tenon_order *order;
  size_t order_count;
  const tenon_value *after;          /* NULL, or order_count values */
  int64_t limit;
  const void *partition;             /* one of a plan's, else NULL */
  size_t partition_size;
  int64_t batch_bytes;               /* 0: 16 MiB */
  int32_t batch_rows;                /* 0: the kind's own choice */
  tenon_special special_values;
  const char *numeric_as;            /* numeric without a scale: NULL or "text" annotated text, "float64", "decimal(38,10)" */
} tenon_read;

#define TENON_READ_INIT \
  { sizeof(tenon_read), { NULL, NULL, NULL }, NULL, NULL, 0, NULL, 0, NULL, 0, NULL, 0, NULL, -1, NULL, 0, 0, 0, TENON_SPECIAL_ERROR, NULL }

/* What the system itself applied. The stream has at least the columns asked for and those of filters
 * and order that were not applied; COLUMNS says that it has exactly those asked for, in their order.
 * limit may only be applied together with every filter and the order; after only with the order. */
enum {
  TENON_APPLIED_COLUMNS = 1u << 0,
  TENON_APPLIED_ORDER = 1u << 1,
  TENON_APPLIED_AFTER = 1u << 2,
  TENON_APPLIED_LIMIT = 1u << 3
};

typedef struct tenon_rows {
  uint32_t struct_size;
  tenon_stream stream;
  uint32_t applied;           /* TENON_APPLIED_… */
  uint64_t filters_applied;   /* bit i: filters[i] holds for every row that comes */
} tenon_rows;

/* Which tables to list; NULL or zero: all that the system does not call its own. */
typedef struct tenon_tables_list {
  uint32_t struct_size;
  const char *catalog, *schema;
  uint8_t with_system;
} tenon_tables_list;

/* A column as the system declares it and as it is read. */
typedef struct tenon_column {
  const char *name;
  const char *type;        /* the system's own spelling: numeric(15,2) */
  const char *remark;      /* NULL, or why it is read as it is: "no declared scale: text" */
  const char *comment, *default_value;
  uint8_t nullable;
  uint8_t unreadable;      /* reading it is refused; remark says why */
  int32_t key_position;    /* 1-based place in the primary key, 0: not in it */
} tenon_column;

typedef struct tenon_key {
  const char *kind;              /* primary, unique, foreign */
  const char *name;
  const char *const *columns;
  size_t column_count;
  const char *references;        /* foreign: schema.table(columns), else NULL */
} tenon_key;

/* A described table (or query). schema has the Arrow types, children in the order of columns;
 * unreadable columns have the type null there. Everything lives until release. */
typedef struct tenon_table {
  uint32_t struct_size;
  const char *catalog, *schema_name, *name, *kind, *comment;
  int64_t rows_estimate, bytes_estimate;   /* -1: unknown */
  const tenon_column *columns;
  size_t column_count;
  const tenon_key *keys;
  size_t key_count;
  struct ArrowSchema schema;
  void *self;
  void (*release)(struct tenon_table *);
} tenon_table;

/* Partitions of a read that together give its rows once, from one snapshot where the kind has one.
 * Reading one of them after release is GONE. */
typedef struct tenon_partition {
  const void *data;
  size_t size;
  int64_t rows_estimate;
} tenon_partition;

typedef struct tenon_plan_request {
  uint32_t struct_size;
  const tenon_read *read;
  uint32_t partitions;     /* about how many are wanted */
} tenon_plan_request;

typedef struct tenon_plan {
  uint32_t struct_size;
  const tenon_partition *partitions;
  size_t partition_count;
  void *self;
  void (*release)(struct tenon_plan *);
} tenon_plan;

typedef enum tenon_write_mode {
  TENON_CREATE = 0,   /* the table must not exist */
  TENON_APPEND,
  TENON_REPLACE,      /* the rows; table, grants and indexes stay */
  TENON_UPSERT        /* by keys */
} tenon_write_mode;

/* Columns match by name. rows is consumed, also on failure. */
typedef struct tenon_write {
  uint32_t struct_size;
  tenon_name name;
  tenon_write_mode mode;
  const char *const *keys;
  size_t key_count;
  struct ArrowArrayStream *rows;
} tenon_write;

typedef enum tenon_atomicity { TENON_ATOMIC_ALL = 0, TENON_ATOMIC_BATCH, TENON_ATOMIC_NONE } tenon_atomicity;

typedef struct tenon_written {
  uint32_t struct_size;
  int64_t rows, bytes;
  tenon_atomicity atomicity;
} tenon_written;

typedef struct tenon_execute {
  uint32_t struct_size;
  const char *statement;
  const tenon_value *params;
  size_t param_count;
} tenon_execute;

typedef struct tenon_executed {
  uint32_t struct_size;
  int64_t rows;   /* affected; -1: the system does not say */
} tenon_executed;

typedef struct tenon_tables_ops {
  uint32_t struct_size;
  /* Rows (catalog, schema, name, kind, rows_estimate, comment), ordered by name. Mandatory. */
  tenon_status (*list)(tenon_ctx *, void *session, const tenon_tables_list *, tenon_stream *ret, tenon_error *);
  /* Columns, types, keys of req->name, or the columns of req->query. Mandatory. */
  tenon_status (*describe)(tenon_ctx *, void *session, const tenon_read *, tenon_table *ret, tenon_error *);
  tenon_status (*plan)(tenon_ctx *, void *session, const tenon_plan_request *, tenon_plan *ret, tenon_error *);
  /* Mandatory. The session belongs to the stream until it is closed. */
  tenon_status (*read)(tenon_ctx *, void *session, const tenon_read *, tenon_rows *ret, tenon_error *);
  /* A failure leaves what was there, as far as the kind's atomicity goes. */
  tenon_status (*write)(tenon_ctx *, void *session, const tenon_write *, tenon_written *ret, tenon_error *);
  /* A statement without rows, in the system's own language. */
  tenon_status (*execute)(tenon_ctx *, void *session, const tenon_execute *, tenon_executed *ret, tenon_error *);
} tenon_tables_ops;

#ifdef __cplusplus
}
#endif

#endif
