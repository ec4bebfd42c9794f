/* SPDX-License-Identifier: Apache-2.0 */
/* What is sent to a token endpoint, and what it replies (RFC 6749, sections 2.3, 4.4, 5 and 6). */
#ifndef TN_NET_TOKEN_REPLY_H
#define TN_NET_TOKEN_REPLY_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "tenon/provider.h"

enum { TN_TOKEN_MAX_REPLY = 128 << 10, TN_TOKEN_MAX_REQUEST = 128 << 10, TN_TOKEN_LIFETIME_MS = 60 * 60 * 1000 };

/* refresh_token NULL: by client credentials. */
bool tn_token_request_body(tn_str *out, const tenon_token_source *, const char *refresh_token);
/* What a person's consent is exchanged by (RFC 6749, 4.1.3; RFC 7636). */
bool tn_token_code_body(tn_str *out, const tenon_token_source *, const char *code, const char *redirect_uri,
                        const char *verifier);
/* "Basic …", of identifier and secret, each form-encoded first. */
bool tn_token_basic(tn_str *out, const char *client_id, const char *client_secret);

/* An error of the service, in its own words: nothing but visible ASCII, and shortened. */
typedef struct tn_token_error {
  char word[64];         /* invalid_grant */
  char said[256];        /* error_description, or empty */
} tn_token_error;

/* Does the reply name an error? Whatever its status is: some services say 200. */
bool tn_token_error_read(const char *body, size_t size, tn_token_error *ret);
/* The grant itself is what was refused, for good. */
bool tn_token_error_is_grant(const tn_token_error *);
/* Fails with what the error means; url is of the endpoint, for the message. */
tenon_status tn_token_error_fail(const tn_token_error *, const char *url, tenon_error *err);

/* Texts are of the arena, and wiped with it. */
typedef struct tn_token_reply {
  tn_arena arena;
  const char *access_token;
  const char *refresh_token;   /* NULL: it stays what it was */
  int64_t lifetime_ms;         /* TN_TOKEN_LIFETIME_MS where the service does not say */
} tn_token_reply;

void tn_token_reply_init(tn_token_reply *);
void tn_token_reply_release(tn_token_reply *);
/* A reply without an error. *ret is to be released also on failure: a new refresh token may be in it that has to be
 * kept, even though the access token is of no use. */
tenon_status tn_token_reply_read(const char *body, size_t size, tn_token_reply *ret, tenon_error *err);

#endif
