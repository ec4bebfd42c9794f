/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A grant as a store keeps it, and what is to be done with it: no clock, no network, no file. A grant goes
 *
 *   ready → pending (about to send the refresh token) → ready (with new tokens) | refused
 *
 * and is saved at each arrow before the next step. One that is found pending was left by a process that ended between:
 * whether the service changed it, only the next refresh tells.
 */
#ifndef TN_NET_TOKEN_GRANT_H
#define TN_NET_TOKEN_GRANT_H

#include <stdbool.h>

#include "base/mem.h"
#include "base/str.h"
#include "net/token_reply.h"

/* Texts are of the arena, and wiped with it; NULL: absent. Times are milliseconds of the wall clock. */
typedef struct tn_grant {
  tn_arena arena;
  const char *token_url, *client_id;       /* where it came from: it is sent nowhere else */
  const char *refresh_token;
  const char *access_token;                /* got last, with the scope and audience asked for then */
  const char *scope, *audience;
  int64_t obtained_ms, expires_ms;
  int64_t replaced_ms;                     /* when it came because another one was refused; 0: it did not */
  int64_t pending_ms;                      /* 0: it is not */
  int64_t found_pending_ms;                /* not kept: what it was before this refresh */
  const char *refused;                     /* the word of the service: invalid_grant */
} tn_grant;

void tn_grant_init(tn_grant *);
void tn_grant_release(tn_grant *);
/* The text of a store, which may be anything. */
tenon_status tn_grant_parse(const char *text, size_t size, tn_grant *ret, tenon_error *err);
bool tn_grant_print(const tn_grant *, tn_str *out);
/* A grant that somebody just gave: CONFIG if it cannot be one. */
tenon_status tn_grant_begin(tn_grant *ret, const char *token_url, const char *client_id, const char *refresh_token,
                            tenon_error *err);

typedef struct tn_grant_ask {
  const tenon_token_source *source;
  const char *refused;                     /* an access token that is no good, or NULL */
  int64_t now_ms, valid_ms;
} tn_grant_ask;

typedef enum tn_grant_step { TN_GRANT_USE = 0, TN_GRANT_REFRESH } tn_grant_step;

/* Use its access token, refresh it, or: CONFIG, it is another service's; UNAUTHENTICATED, it was refused. */
tenon_status tn_grant_decide(const tn_grant *, const tn_grant_ask *, tn_grant_step *ret, tenon_error *err);

/* About to send the refresh token. */
void tn_grant_pend(tn_grant *, int64_t now_ms);
/* It did not change the grant: nothing arrived there, or it said so. */
void tn_grant_unpend(tn_grant *);
/* What the service answered. A reply without a refresh token keeps the old one. */
tenon_status tn_grant_renew(tn_grant *, const tn_token_reply *, const tn_grant_ask *, tenon_error *err);
tenon_status tn_grant_refuse(tn_grant *, const char *word, tenon_error *err);
/* What is to be said of a refused grant. */
tenon_status tn_grant_fail(const tn_grant *, const char *name, tenon_error *err);

/* How long before its end a token is not given out any more. Never more than half of its life: a service whose tokens
 * live for seconds would be asked for each use otherwise. */
int64_t tn_token_margin_ms(int64_t lifetime_ms, int64_t valid_ms);

bool tn_grant_is_name(const char *name);

#endif
