/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arrow IPC: batches out as a stream of messages, schemas in and out. What comes in is taken for
 * hostile: every offset is checked before it is followed, and the work is bounded by the input's size.
 */
#ifndef TN_ARROW_IPC_H
#define TN_ARROW_IPC_H

#include "base/str.h"
#include "tenon/provider.h"

/* Where messages go. */
typedef struct tn_ipc_sink {
  void *self;
  tenon_status (*write)(void *self, const void *data, size_t size, tenon_error *err);
} tn_ipc_sink;

typedef struct tn_ipc_writer tn_ipc_writer;

/* The schema is copied. UNSUPPORTED names the column whose type cannot be written. Nothing is written yet. */
tenon_status tn_ipc_writer_new(const struct ArrowSchema *, const tn_ipc_sink *, tn_ipc_writer **ret, tenon_error *err);
void tn_ipc_writer_free(tn_ipc_writer *);
/* Writes a batch, with the schema's message before the first. Buffers go out from where they are. */
tenon_status tn_ipc_write(tn_ipc_writer *, const struct ArrowArray *batch, tenon_error *err);
/* Ends the stream. */
tenon_status tn_ipc_finish(tn_ipc_writer *, tenon_error *err);

/* Appends the encapsulated schema message: what Parquet files carry as ARROW:schema, in base64. */
tenon_status tn_ipc_encode_schema(const struct ArrowSchema *, tn_str *to, tenon_error *err);
/* A schema message from anywhere, with or without its length in front. Dictionary-encoded columns come
 * as their values' type, views as what they show, unions and run-ends as +r without children. DATA if
 * it is malformed. */
tenon_status tn_ipc_decode_schema(const void *data, size_t size, struct ArrowSchema *ret, tenon_error *err);

#endif
