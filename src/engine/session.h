/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of this room share of an engine. */
#ifndef TN_ENGINE_SESSION_H
#define TN_ENGINE_SESSION_H

#include <stdatomic.h>

#include "engine/duckdb_api.h"
#include "engine/engine.h"
#include "engine/spool.h"

enum { TN_ENGINE_MAX_FDS = 4, TN_ENGINE_MAX_ROWS = 4 };

struct tn_engine {
  const tn_duckdb *db;
  tenon_ctx *ctx;
  tenon_hook *hook;              /* interrupts the connection */
  atomic_bool ended;             /* the context: an interrupt before a query has begun is forgotten by DuckDB */
  duckdb_database database;
  duckdb_connection connection;
  tn_spool spool;
  bool for_users;
  char *shown_path, *shown_name;
  int fds[TN_ENGINE_MAX_FDS];
  int fd_count;
  struct tn_feed *feeds[TN_ENGINE_MAX_ROWS];
  int feed_count;
  tenon_error source_error;      /* a row source's own failure, which DuckDB would flatten to text */
};

/* Prepares, binds nothing and runs until rows are there. prepared and result are the caller's to destroy. */
tenon_status tn_engine_start(tn_engine *, const char *sql, bool streaming, duckdb_prepared_statement *ret_prepared,
                             duckdb_result *ret_result, tenon_error *err);
/* A failure of DuckDB's as one of ours. */
tenon_status tn_engine_failed(tn_engine *, const char *message, tenon_error *err);

void tn_feed_free(struct tn_feed *);

#endif
