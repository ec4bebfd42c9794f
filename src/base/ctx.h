/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Contexts, inside: deadlines, stall limits, cancelling, waiting. The public half is in tenon/base.h.
 *
 * Times are milliseconds of the monotonic clock. A context's children end when it does.
 */
#ifndef TN_BASE_CTX_H
#define TN_BASE_CTX_H

#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>

#include "base/clock.h"
#include "tenon/provider.h"

struct tn_egress;
struct tn_tokens;

typedef void (*tn_log_fn)(void *arg, tenon_level, const char *line);
void tn_ctx_set_logger(tenon_ctx *, tn_log_fn, void *arg);   /* children inherit it when they are made */
void tn_ctx_log(tenon_ctx *, tenon_level, const char *format, ...) TENON_PRINTF(3, 4);

/* The egress policy, beside those of its parents. Before others know the context. */
void tn_ctx_restrict(tenon_ctx *, struct tn_egress *);
/* The i-th policy of a context and its parents; NULL behind the last, and where ctx is NULL. */
struct tn_egress *tn_ctx_egress(const tenon_ctx *, size_t i);

/* The keeper of tokens: the nearest of a context and its parents; NULL: none has one. Borrowed. Before others know the
 * context. */
void tn_ctx_set_tokens(tenon_ctx *, struct tn_tokens *);
struct tn_tokens *tn_ctx_tokens(const tenon_ctx *);

/* A context that has the policies of another, but neither its end nor its logger: for work that outlives who asked. */
tenon_status tn_ctx_apart(const tenon_ctx *, int64_t timeout_ms, tenon_ctx **ret, tenon_error *);

/* Ends it as if its deadline had passed. */
void tn_ctx_expire(tenon_ctx *);

/* The stall limit: while a provider works for a stream it has this long for one batch. */
void tn_ctx_stall_begin(tenon_ctx *, int64_t limit_ms);
void tn_ctx_stall_end(tenon_ctx *);
bool tn_ctx_has_deadline(const tenon_ctx *);

/* These are the host table's. */
tenon_status tn_ctx_check(tenon_ctx *, tenon_error *);
tenon_status tn_ctx_wait(tenon_ctx *, struct pollfd *, size_t n, int timeout_ms, tenon_error *);
int tn_ctx_fd(tenon_ctx *);
int64_t tn_ctx_remaining_ms(tenon_ctx *);
tenon_status tn_ctx_on_cancel(tenon_ctx *, void (*fn)(void *), void *arg, tenon_hook **ret, tenon_error *);
void tn_ctx_off_cancel(tenon_hook *);

#endif
