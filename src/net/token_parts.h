/* SPDX-License-Identifier: Apache-2.0 */
/* The keeper's insides, shared by its files. */
#ifndef TN_NET_TOKEN_PARTS_H
#define TN_NET_TOKEN_PARTS_H

#include <pthread.h>

#include "net/token.h"
#include "net/token_grant.h"
#include "net/token_source.h"

enum { TN_TOKEN_FLIGHTS = 64 };    /* at once */

struct tn_tokens {
  tenon_token_store store;        /* without functions: there is none */
  pthread_mutex_t lock;           /* of all below, places and flights */
  pthread_cond_t landed;          /* a flight came to its end */
  struct tn_token_place *places;  /* the last used first */
  size_t place_count, flight_count;
  pthread_t ended[TN_TOKEN_FLIGHTS];   /* threads that have nothing left to do, to be joined */
  size_t ended_count;
};

/* A source and its token of now. */
typedef struct tn_token_place {
  struct tn_token_place *next;
  tn_arena arena;
  tenon_token_source source;
  tenon_ctx *policies;            /* the egress policies it is asked under */
  size_t pins;                    /* flights that look at it */
  unsigned generation;            /* of its grant: another one was put in */
  struct tn_token_flight *flight; /* that others may join, or NULL */
  char *token;                    /* NULL: none */
  int64_t until_ms, lifetime_ms;  /* of a clock that no one sets, and that runs while the machine sleeps */
  bool is_replacement;            /* it came because another one was refused */
  int64_t replaced_ms;            /* then */
  char *refused;                  /* that one, while there is none in its place */
  tenon_error remembered;         /* why the client was refused, until then */
  int64_t remembered_until_ms;
} tn_token_place;

/* One attempt to get a token, on a thread of its own, for all who wait. */
typedef struct tn_token_flight {
  tn_tokens *tokens;
  tn_token_place *place;          /* pinned */
  size_t refs, waiters;
  bool at_stake;                  /* a refresh token is on its way: not to be cancelled */
  bool has_landed;
  int done_fd;                    /* eventfd: readable for ever, once it has landed */
  tenon_ctx *ctx;
  int64_t valid_ms;
  char *refused;                  /* as the place had it */
  unsigned generation;            /* of the place when it took off */
  /* what came of it */
  bool is_fresh;                  /* the service has just given it */
  bool is_client_refused;
  bool is_replacement;            /* another one was refused, here or in another process */
  int64_t replaced_ms;            /* when it came in its place */
  tenon_status status;
  tenon_error error;
  char *token;
  int64_t until_ms, lifetime_ms;
} tn_token_flight;

/* ---- token.c ---- */

/* Is that a name, and is there a store? */
tenon_status tn_tokens_check_name(const tn_tokens *, const char *name, tenon_error *err);
/* Under the lock of the name; NULL removes it. */
tenon_status tn_tokens_keep(tenon_ctx *, tn_tokens *, const char *name, const tn_grant *, tenon_error *err);

/* ---- token_flight.c ---- */

int64_t tn_token_clock_ms(void);
/* Tests: both clocks go on by so much at once. */
void tn_token_clock_advance(int64_t ms);

/* Called with the lock held; the caller has a reference and is a waiter. */
tenon_status tn_token_take_off(tn_tokens *, tn_token_place *, int64_t valid_ms, tn_token_flight **ret, tenon_error *err);
void tn_token_join(tn_token_flight *, int64_t valid_ms);
/* Called without the lock: waits, and is no waiter afterwards. The reference stays. What came of it may be read then. */
tenon_status tn_token_await(tenon_ctx *, tn_token_flight *, tenon_error *err);
void tn_token_flight_unref(tn_token_flight *);   /* without the lock */
/* Called with the lock held: joins what has ended. A thread that has only ended for us may still give up what libraries keep
 * for each thread, and a process that exits meanwhile would pull these from under it. */
void tn_token_join_ended(tn_tokens *);

/* Overwrites and frees; NULL is fine. */
void tn_token_drop(char *secret);

#endif
