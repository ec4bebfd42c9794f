/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a server sends behind a COPY or a portal: whatever the bytes, the stream gives batches that
 * are what their schema says, then ends or fails with a message. The first byte chooses the columns
 * and the protocol, the rest is what the server says before it closes.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "arrow/check.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/registry.h"
#include "providers/sql/postgresql/copy.h"
#include "providers/sql/postgresql/types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { MAX_INPUT = 100 * 1024 };   /* that a socket holds without a reader */

static int client_fd;

/* In libpq's place: a connection that was made already. */
static int fake_socket(const PGconn *conn) { (void)conn; return client_fd; }
static void *fake_ssl(PGconn *conn) { (void)conn; return NULL; }
static char *fake_message(const PGconn *conn) { static char none[] = ""; (void)conn; return none; }
static int fake_ssl_in_use(PGconn *conn) { (void)conn; return 0; }

static tn_pg_type flat(uint32_t oid, tn_pg_op op, const char *format) {
  tn_pg_type t = {.oid = oid, .op = op};
  for (size_t i = 0; format[i]; i++) t.format[i] = format[i];
  return t;
}

/* Every way to decode a value, nested ones too. */
static int32_t make_types(tn_pg_type *ret, tn_pg_type *room, bool null_specials) {
  int32_t n = 0;
  ret[n++] = flat(23, TN_PG_SWAP4, "i");
  ret[n++] = flat(25, TN_PG_TEXT, "u");
  ret[n++] = flat(16, TN_PG_BOOL, "b");
  ret[n++] = flat(1082, TN_PG_DATE, "tdD");
  ret[n++] = flat(1184, TN_PG_TIMESTAMP, "tsu:UTC");
  ret[n++] = flat(1083, TN_PG_TIME, "ttu");
  ret[n++] = flat(18, TN_PG_CHAR, "u");
  ret[n++] = flat(3802, TN_PG_JSONB, "u");
  ret[n++] = flat(2950, TN_PG_UUID, "u");
  ret[n++] = flat(1700, TN_PG_DECIMAL_TEXT, "u");
  ret[n++] = flat(1700, TN_PG_DECIMAL_FLOAT, "g");
  ret[n] = flat(1700, TN_PG_DECIMAL128, "d:12,3");
  ret[n].precision = 12, ret[n++].scale = 3;
  ret[n] = flat(1700, TN_PG_DECIMAL256, "d:60,20,256");
  ret[n].precision = 60, ret[n++].scale = 20;
  room[0] = flat(21, TN_PG_SWAP2, "s");
  room[0].name = "item";
  ret[n] = flat(1005, TN_PG_ARRAY, "+l");
  ret[n].lower_bound = 1, ret[n].child_count = 1, ret[n++].children = &room[0];
  room[1] = flat(20, TN_PG_SWAP8, "l"), room[1].name = "a";
  room[2] = ret[n - 1], room[2].name = "b";
  ret[n] = flat(16400, TN_PG_COMPOSITE, "+s");
  ret[n].child_count = 2, ret[n++].children = &room[1];
  for (int32_t i = 0; i < n; i++) ret[i].special_null = null_specials;
  return n;
}

static tenon_status start(tenon_ctx *ctx, tn_pg_session *s, uint8_t choice, tenon_stream *ret,
                          tenon_error *err) {
  static const char *const names[16] = {"a", "b", "c", "d", "e", "f", "g", "h",
                                        "i", "j", "k", "l", "m", "n", "o", "p"};
  static tn_pg_type types[16], room[4];
  int32_t count = make_types(types, room, choice & 1), first = choice >> 2 & 15;
  if (first >= count) first = 0;
  tn_pg_expect expect = {.types = types + first,
                         .names = names,
                         .count = choice & 64 ? 1 : count - first,
                         .copies = (choice & 2) == 0,
                         .ready_count = choice & 2 ? 2 : 1,
                         .batch_rows = choice & 128 ? 2 : 0};
  struct ArrowSchema schema;
  if (tn_schema_struct(&schema, expect.count, err)) abort();
  for (int32_t i = 0; i < expect.count; i++)
    if (tn_pg_type_schema(&expect.types[i], names[i], true, schema.children[i], err)) abort();
  tn_str nothing;
  tn_arena arena;
  tn_str_init(&nothing, 1);
  tn_arena_init(&arena, 1024);
  return tn_pg_copy_start(ctx, s, &expect, &nothing, &schema, &arena, ret, err);
}

static void read_all(tenon_stream *stream) {
  tenon_error err = TENON_ERROR_INIT;
  for (;;) {
    struct ArrowArray batch;
    tenon_status status = stream->next(stream->self, &batch, &err);
    if (status && (err.code == TENON_OK || !*err.message || err.stage == TENON_STAGE_NONE)) abort();
    if (status || !batch.release) break;
    if (tn_arrow_check(&stream->schema, &batch, &err)) abort();
    batch.release(&batch);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int pair[2];
  tenon_ctx *ctx;
  tenon_error err = TENON_ERROR_INIT;
  tn_pg_config config = {.max_row_bytes = 1 << 20};
  tn_pg_session session = {.config = &config, .where = "server"};
  tenon_stream stream;
  if (size < 1 || size > MAX_INPUT) return 0;
  tn_pg_host = tn_host();
  tn_pq.PQsocket = fake_socket;
  tn_pq.PQgetssl = fake_ssl;
  tn_pq.PQerrorMessage = fake_message;
  tn_pq.PQsslInUse = fake_ssl_in_use;
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) ||
      tenon_ctx_new(NULL, 5000, &ctx, &err))
    abort();
  client_fd = pair[0];
  if (write(pair[1], data + 1, size - 1) != (ssize_t)size - 1) abort();
  close(pair[1]);
  if (start(ctx, &session, data[0], &stream, &err) == TENON_OK) {
    read_all(&stream);
    stream.close(stream.self);
    tn_schema_release(&stream.schema);
  }
  if (session.streaming) abort();
  close(pair[0]);
  tenon_ctx_free(ctx);
  return 0;
}
