/* SPDX-License-Identifier: Apache-2.0 */
/* Sources of tokens: checked, copied, compared; and the one request to a token endpoint. */
#ifndef TN_NET_TOKEN_SOURCE_H
#define TN_NET_TOKEN_SOURCE_H

#include <stdbool.h>

#include "net/token_reply.h"

/* CONFIG: something is missing, or not fit to be sent. */
tenon_status tn_token_source_check(const tenon_token_source *, tenon_error *err);
/* With all that it points to. */
tenon_status tn_token_source_copy(const tenon_token_source *, tn_arena *, tenon_token_source *ret, tenon_error *err);
bool tn_token_source_same(const tenon_token_source *, const tenon_token_source *);

/* What a request that failed did to the grant that it carried. */
typedef enum tn_token_effect {
  TN_TOKEN_UNKNOWN = 0,   /* it may have been changed: no answer came, or none that can be read */
  TN_TOKEN_NONE,          /* the service did not see it, or said that it failed */
  TN_TOKEN_REFUSED        /* it is no good; `word` says so */
} tn_token_effect;

typedef struct tn_token_answer {
  tn_token_reply reply;
  tn_token_effect effect;
  tn_token_error said;
} tn_token_answer;

/* CONFIG for what is no URL of https; http goes to this machine alone. */
tenon_status tn_token_url_check(const char *url, tenon_error *err);

/* Asks the endpoint once. *ret is written on failure too, and released by the caller: its effect, and perhaps a new
 * refresh token. */
tenon_status tn_token_fetch(tenon_ctx *, const tenon_token_source *, const char *refresh_token, tn_token_answer *ret,
                            tenon_error *err);
/* The same with the code that a person's consent gave. */
tenon_status tn_token_exchange(tenon_ctx *, const tenon_token_source *, const char *code, const char *redirect_uri,
                               const char *verifier, tn_token_answer *ret, tenon_error *err);

#endif
