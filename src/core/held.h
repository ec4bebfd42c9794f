/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that belong to a session, which belongs to them while they are open. */
#ifndef TN_CORE_HELD_H
#define TN_CORE_HELD_H

#include "core/session_parts.h"
#include "core/stream.h"

/* Calls a streaming operation whose reply has its stream at `in`, and its first batch, so that both
 * are repeated together if they fail. *ret is that stream: it holds the session, redacts its errors
 * and counts its rows. *ret_ctx is the context that it works under; the caller frees it. */
tenon_status tn_held_open(tenon_ctx *, tn_session *, tn_op_id, const void *request, void *reply,
                          tenon_stream *in,
                          tenon_stream *ret, tenon_ctx **ret_ctx, tenon_error *err);

#endif
