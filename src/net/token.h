/* SPDX-License-Identifier: Apache-2.0 */
/* The token keeper, inside. What it promises is in tenon/token.h. */
#ifndef TN_NET_TOKEN_H
#define TN_NET_TOKEN_H

#include "tenon/provider.h"

/* These are the host table's. */
tenon_status tn_token(tenon_ctx *, const tenon_token_source *, int64_t valid_ms, tenon_token *ret, tenon_error *err);
tenon_status tn_token_refused(tenon_ctx *, const tenon_token_source *, const char *token, tenon_error *err);

#endif
