/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of rows between providers' shape (tenon_stream) and the standard's (ArrowArrayStream). */
#ifndef TN_CORE_STREAM_H
#define TN_CORE_STREAM_H

#include "tenon/provider.h"

enum { TN_STALL_MS = 60000, TN_SLOW_STALL_MS = 600000 };

/* A provider's stream as an Arrow stream, which holds ctx, and calls done(arg) (may be NULL) when it
 * is released. Takes `in` over, also on failure (done is called then, too). Where the context has no
 * deadline, the stall limit holds for each batch; the consumer's own time does not count. Batches
 * without rows are left out. */
tenon_status tn_stream_export(tenon_ctx *, tenon_stream *in, void (*done)(void *), void *arg,
                              struct ArrowArrayStream *ret, tenon_error *err);
/* The other way round. Takes `in` over, also on failure. */
tenon_status tn_stream_import(struct ArrowArrayStream *in, tenon_stream *ret, tenon_error *err);
/* The full error out of one of our Arrow streams after a failed call; for others' streams what they
 * say. Answers its status. */
tenon_status tn_stream_error(struct ArrowArrayStream *, int code, tenon_error *err);
/* Ends it and releases its schema; fine when it was moved out (close NULL). */
void tn_stream_close(tenon_stream *);

#endif
