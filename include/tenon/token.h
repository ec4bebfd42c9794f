/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OAuth 2.0 tokens. A kind never refreshes: it asks the host for a token and sends it. What stands
 * behind it, once for all kinds: one request for each expiry, among all threads, and where a grant is
 * kept also among all processes; a new refresh token is durable before the access token that came with
 * it is used; a service that is down or busy costs no grant. Sources: RFC 6749, RFC 6750, RFC 9700.
 *
 *   tenon_token token;
 *   status = host->token(ctx, &source, 0, &token, err);
 *   …send "Authorization: Bearer " and token.text; if the answer is 401:
 *   status = host->token_refused(ctx, &source, token.text, err);   OK: ask again, send once more
 */
#ifndef TENON_TOKEN_H
#define TENON_TOKEN_H

#include "http.h"

#ifdef __cplusplus
extern "C" {
#endif

enum {
  TENON_TOKEN_ROOM = 16 << 10,     /* bytes of a token and its NUL */
  TENON_GRANT_ROOM = 128 << 10,     /* bytes of what a store keeps of a grant */
  TENON_GRANT_NAME = 128           /* letters, digits and ._@- of its name, which does not begin with a dot */
};

/* How the client says who it is: in the Authorization header or in the request's body. */
typedef enum tenon_token_auth { TENON_TOKEN_BASIC = 0, TENON_TOKEN_POST } tenon_token_auth;

/* Where tokens come from; borrowed for the call. Two sources whose members are equal are the same one, so that
 * sessions share their token. */
typedef struct tenon_token_source {
  uint32_t struct_size;
  const char *grant;               /* NULL: by client credentials. Else a grant of this name in the store, which is
                                    * refreshed. */
  const char *token_url;           /* a grant is only ever sent where it came from */
  const char *client_id;
  const char *client_secret;       /* NULL: a public client (of a grant) */
  tenon_token_auth auth;
  const char *scope, *audience;    /* NULL: none */
  const tenon_http_options *http;  /* NULL: as tenon_http_options of zeroes */
} tenon_token_source;

/* To be wiped when it was sent. */
typedef struct tenon_token {
  uint32_t struct_size;
  int64_t expires_in_ms;           /* from now; where the service did not say, an hour after it came */
  char text[TENON_TOKEN_ROOM];     /* visible ASCII characters */
} tenon_token;

/*
 * A token that stays valid for valid_ms more, or as long as the service gives. Any thread. Answers at once while one is
 * at hand; else waits for the one request that is under way for all, as long as the caller's own context allows. That
 * request is nobody's: who goes away does not spoil it for the others, and one that has sent a refresh token is let
 * come to its end (within 30 s), since the service may have changed the grant already. It obeys the egress policy of
 * who caused it.
 *
 *   CONFIG            the source is wrong; a grant belongs to another token_url or client
 *   NOT_FOUND         no such grant: authorize first
 *   UNAUTHENTICATED   the client is not known or its secret wrong; the grant is refused or was lost: authorize again.
 *                     That is remembered: the service is not asked again before the grant was put in anew, or, for a
 *                     client, for half a minute
 *   FORBIDDEN         the client may not do this, or the scope; egress
 *   DATA              the reply is no token
 *   IO                the store; what failed there was not used
 *   and whatever a request can fail with: these are retryable where the service may be well again
 */
typedef tenon_status (*tenon_token_fn)(tenon_ctx *, const tenon_token_source *, int64_t valid_ms, tenon_token *ret,
                                       tenon_error *);

/* The system said that this token is no good (401), before its time. OK: the next ask gets another one. UNAUTHENTICATED:
 * it was a fresh one in place of another that had been refused a moment ago, so more of them will not help. */
typedef tenon_status (*tenon_token_refused_fn)(tenon_ctx *, const tenon_token_source *, const char *token,
                                               tenon_error *);

/* What a person consents to, in a browser: the library asks, a kind only says what it is about. Borrowed from the
 * configuration. */
typedef struct tenon_consent {
  uint32_t struct_size;
  tenon_token_source source;       /* with the name that the grant is to have; its http is not read */
  tenon_http_options http;
  const char *authorize_url;       /* where the person is sent; NULL: it was not given */
} tenon_consent;

/* Of a provider whose sessions get tokens by a grant. */
typedef struct tenon_oauth {
  uint32_t struct_size;
  /* CONFIG: this configuration gets none by a grant. */
  tenon_status (*consent)(const void *config, tenon_consent *ret, tenon_error *err);
} tenon_oauth;

/*
 * Where grants lie: the library's own (files under a lock), or a program's. Any thread; what is kept is text that only
 * Tenon reads, and secret. load and save are called by who has the lock of that name, load also without.
 */
typedef struct tenon_token_store {
  uint32_t struct_size;
  void *self;
  /* Returns when nobody else has the lock of this name, in any process. Waits no longer than the context allows. The
   * lock of a process that died is free. */
  tenon_status (*lock)(tenon_ctx *, void *self, const char *name, void **ret_lock, tenon_error *);
  void (*unlock)(void *self, void *lock);
  /* What was saved last; NOT_FOUND: nothing ever, or it was removed. */
  tenon_status (*load)(tenon_ctx *, void *self, const char *name, char *ret, size_t room, size_t *ret_size,
                       tenon_error *);
  /* Durable when it answers OK. After a crash it is either the old or the new text. size 0 removes it. */
  tenon_status (*save)(tenon_ctx *, void *self, const char *name, const char *text, size_t size, tenon_error *);
} tenon_token_store;

#ifdef __cplusplus
}
#endif

#endif
