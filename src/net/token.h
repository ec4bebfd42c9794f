/* SPDX-License-Identifier: Apache-2.0 */
/* The token keeper, inside. What it promises is in tenon/token.h. */
#ifndef TN_NET_TOKEN_H
#define TN_NET_TOKEN_H

#include "tenon/provider.h"

typedef struct tn_tokens tn_tokens;   /* any thread */

/* store NULL: there are no grants, only client credentials. It is copied; what it stands for is borrowed. */
tenon_status tn_tokens_new(const tenon_token_store *store, tn_tokens **ret, tenon_error *err);
/* Calls requests under way back, but those that have sent a refresh token: for these it waits until they end (30 s at most,
 * and storing what came), and says so by speaker's logger (NULL: in silence). Nobody asks any more. NULL is fine. */
void tn_tokens_end(tn_tokens *, tenon_ctx *speaker);
void tn_tokens_free(tn_tokens *);   /* ends them, too */

/* Keeps a grant under a name, in place of an older one. */
tenon_status tn_tokens_put(tenon_ctx *, tn_tokens *, const char *name, const char *token_url, const char *client_id,
                           const char *refresh_token, tenon_error *err);
/* NOT_FOUND: there is none. */
tenon_status tn_tokens_remove(tenon_ctx *, tn_tokens *, const char *name, tenon_error *err);

/* These are the host table's; the keeper is the context's. A context without one has one of the process, which has no
 * store. */
tenon_status tn_token(tenon_ctx *, const tenon_token_source *, int64_t valid_ms, tenon_token *ret, tenon_error *err);
tenon_status tn_token_refused(tenon_ctx *, const tenon_token_source *, const char *token, tenon_error *err);

#endif
