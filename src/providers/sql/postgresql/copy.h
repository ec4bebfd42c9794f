/* SPDX-License-Identifier: Apache-2.0 */
/* Rows as they come over the taken-over socket, as a stream of batches. */
#ifndef TN_PG_COPY_H
#define TN_PG_COPY_H

#include "providers/sql/postgresql/decode.h"
#include "providers/sql/postgresql/session.h"

/* What is about to come. */
typedef struct tn_pg_expect {
  const tn_pg_type *types;       /* of the columns; live in the arena */
  const char *const *names;
  int32_t count;
  bool copies;                   /* COPY data; else the rows of a portal */
  int ready_count;               /* ReadyForQuery messages until all of it is over */
  int64_t batch_bytes;           /* 0: our choice, well below 16 MiB */
  int32_t batch_rows;            /* 0: our choice */
} tn_pg_expect;

/* Sends the messages and makes the stream of what they bring. The schema and the arena are taken
 * over, also on failure. The session belongs to the stream until it is closed. */
tenon_status tn_pg_copy_start(tenon_ctx *, tn_pg_session *, const tn_pg_expect *,
                              const tn_str *messages, struct ArrowSchema *, tn_arena *,
                              tenon_stream *ret, tenon_error *err);

#endif
