/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A person's consent, in a browser (RFC 8252): they are sent to the service, which sends them back to a port of this machine
 * with a code, which is exchanged for a grant. PKCE (RFC 7636) makes a code that others saw worthless; the state, which only
 * their browser and we know, makes codes that others send us worthless.
 */
#ifndef TN_NET_TOKEN_CONSENT_H
#define TN_NET_TOKEN_CONSENT_H

#include "net/token.h"

typedef struct tn_consent_show {
  uint16_t port;                               /* 0: any that is free */
  void (*show)(void *arg, const char *url);    /* where the person is to go */
  void *arg;
} tn_consent_show;

/* Returns when the grant is kept under the source's name, or with why there is none. */
tenon_status tn_tokens_authorize(tenon_ctx *, tn_tokens *, const tenon_consent *, const tn_consent_show *, tenon_error *err);

/* ---- What the browser comes back with ---- */

typedef enum tn_consent_outcome {
  TN_CONSENT_ELSEWHERE = 0,   /* another page: a browser asks for an icon, too */
  TN_CONSENT_FORGED,          /* not with our state */
  TN_CONSENT_CODE,
  TN_CONSENT_REFUSED          /* by the person or the service */
} tn_consent_outcome;

typedef struct tn_consent_return {
  char code[4096];
  char word[64], said[256];   /* of the error */
} tn_consent_return;

/* Reads the head of a request. */
tn_consent_outcome tn_consent_read(const char *head, size_t size, const char *state, tn_consent_return *ret);

#endif
