/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: DuckDB, behind the few things that Tenon asks of it. Nothing of DuckDB's is seen here.
 *
 * An engine is one database in memory for one piece of work, used by one thread at a time. It runs
 * on the thread that calls it, spills into a private folder that goes with it, and never loads
 * extensions. Cancelling its context interrupts what it does.
 */
#ifndef TN_ENGINE_ENGINE_H
#define TN_ENGINE_ENGINE_H

#include <stdbool.h>

#include "base/str.h"
#include "tenon/provider.h"

typedef struct tn_engine tn_engine;

typedef struct tn_engine_options {
  int64_t memory;          /* bytes that it may use before it spills; 0: the default, at least 32 MiB */
  int64_t least_memory;    /* raises `memory` to this */
  bool for_users;          /* SQL is theirs: what is wrong with it is theirs to mend */
  const char *shown_path;  /* in messages, this path of the machine's ... */
  const char *shown_name;  /* ... is called by this name; both NULL or copied */
} tn_engine_options;

/* Holds ctx. UNSUPPORTED if the DuckDB library is not there. */
tenon_status tn_engine_new(tenon_ctx *ctx, const tn_engine_options *, tn_engine **ret, tenon_error *err);
void tn_engine_free(tn_engine *);
/* fd is closed with the engine. */
void tn_engine_own_fd(tn_engine *, int fd);

/* From now on SQL reaches the one path alone (NULL: none), and no setting can be changed. */
tenon_status tn_engine_lock(tn_engine *, const char *allowed_path, tenon_error *err);

/* Rows that SQL reads as a table function: next fills batches of schema, a released one is the end.
 * It is called on the thread that runs the query. All of it is borrowed until the engine is freed. */
typedef struct tn_engine_rows {
  const char *function;
  const struct ArrowSchema *schema;
  bool opaque;             /* only the values' bits travel: every type, and columns are called c0, c1, … */
  const int64_t *keys;     /* opaque: for each of these columns of schema there is one more, k0, k1, …, or two, k0 and */
  size_t key_count;        /* k0b, by which to order as tenon/value.h says; and `row`, which counts from 0 */
  void *self;
  tenon_status (*next)(void *self, struct ArrowArray *ret, tenon_error *err);
} tn_engine_rows;

/* UNSUPPORTED names the column whose type DuckDB would change. */
tenon_status tn_engine_add_rows(tn_engine *, const tn_engine_rows *, tenon_error *err);

/* A statement without rows worth reading. ret_rows (may be NULL): how many it wrote. */
tenon_status tn_engine_run(tn_engine *, const char *sql, int64_t *ret_rows, tenon_error *err);

/* How rows are to come out. */
typedef struct tn_engine_shape {
  const struct ArrowSchema *schema;   /* NULL: as DuckDB's types are by themselves; else these types, in this order */
  bool opaque;                        /* schema's bits, as they went in */
  int64_t batch_bytes;                /* 0: 16 MiB */
  int64_t batch_rows;                 /* 0: 65,536 */
} tn_engine_shape;

/* A query's rows. The stream takes the engine over, also on failure; done(arg), which may be NULL,
 * is called behind it. */
tenon_status tn_engine_query(tn_engine *, const char *sql, const tn_engine_shape *, void (*done)(void *), void *arg,
                             tenon_stream *ret, tenon_error *err);
/* The columns of a query, without running it. */
tenon_status tn_engine_describe(tn_engine *, const char *sql, struct ArrowSchema *ret, tenon_error *err);

/* The same rows in order; NULLs last, equal ones as they came. Takes `in` over, also on failure. Spills
 * to disk beyond the default memory. UNSUPPORTED names the column that has no order, or that cannot travel. */
tenon_status tn_engine_sort(tenon_ctx *, struct ArrowArrayStream *in, const tenon_order *, size_t n, struct ArrowArrayStream *ret,
                            tenon_error *err);
/* The memory of engines that are not told how much they have; 0: 512 MiB. */
void tn_engine_set_memory(int64_t bytes);

/* SQL text: a literal with its quotes, a name with its own. */
bool tn_sql_literal(tn_str *, const char *text, size_t size);
bool tn_sql_name(tn_str *, const char *name);

#endif
