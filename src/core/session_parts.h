/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The inside of connectors and sessions, for the files that make them work together:
 *   session.c  connectors, their configurations, and sessions' lives
 *   pool.c     who gets which session, and when
 *   call.c     one way for every operation
 *   tables.c, objects.c   the facets' calling functions
 */
#ifndef TN_CORE_SESSION_PARTS_H
#define TN_CORE_SESSION_PARTS_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/egress.h"
#include "core/ops.h"
#include "core/session.h"

/* One configuration and whatever was made with it. Sessions borrow the config until they close. */
typedef struct tn_generation {
  atomic_int refs;           /* the connector while it is the current one, and each session */
  tn_config *config;
  int64_t recycle_ms;        /* sessions are not older than that; 0: as old as they get */
  uint64_t state;            /* the connector's, while this is the current one and nobody waits */
} tn_generation;

/* The present one, with a reference. */
tn_generation *tn_connector_generation(tn_connector *);
void tn_generation_unref(tn_generation *);

/* A context below the caller's (may be NULL) under the connector's egress policy. */
tenon_status tn_connector_ctx(tenon_ctx *ctx, int64_t timeout_ms, const tn_connector *,
                              tenon_ctx **ret, tenon_error *err);

struct tn_session {
  tn_connector *connector;
  tn_generation *generation;
  void *native;              /* the provider's; NULL after it was closed to be opened again */
  atomic_int uses;           /* its holder, and each open stream or plan of it */
  atomic_int streams;        /* open streams and plans */
  atomic_flag busy;          /* a call is under way, where one thread at a time is allowed */
  atomic_bool broken;        /* not to be used by anybody else */
  atomic_bool suspect;       /* a call failed: it is checked before the next */
  atomic_bool used;          /* since it was last reset */
  int64_t opened_ms, idle_since_ms;
  tn_session *next;          /* in a list of those to be closed */
};

/* Who waits for a session, on its own stack. */
typedef struct tn_waiter {
  struct tn_waiter *next;
  int fd;                    /* eventfd, written when it is served */
  bool is_served;
  tn_session *session;       /* what it was given; NULL: the right to open one */
} tn_waiter;

/* A parking place of one idle session, on a cache line of its own. */
typedef struct tn_place {
  _Alignas(64) atomic_uintptr_t session;   /* 0: free; with TN_PARKING: its owner is still about */
} tn_place;

enum { TN_PARKING = 1, TN_MOST_IDLE = 128 };

/* What the fast ways in and out of a pool look at: a number that each replacement raises, whether
 * the connector is closed, and how many stand in line. */
#define TN_STATE_GENERATION (UINT64_C(1) << 32)
#define TN_STATE_CLOSED (UINT64_C(1) << 31)
#define TN_STATE_WAITING (TN_STATE_CLOSED - 1)

/* How often an operation is tried before its first answer, the longest wait between, and how many retries (in thousandths)
 * a connector has in store for all its calls. */
typedef struct tn_patience {
  int attempts;
  int64_t longest_ms, budget_milli;
} tn_patience;

struct tn_connector {
  _Alignas(64) atomic_uint_fast64_t state;   /* written with the lock held */
  atomic_uint place_count;           /* = pool_size */
  tn_place *places;                  /* TN_MOST_IDLE of them; NULL: the kind is not pooled */
  const tenon_provider *provider;
  const tn_patience *patience;
  char *name;
  atomic_int_fast64_t budget_milli;  /* retries left, in thousandths */
  tn_egress *egress;                 /* NULL: what the callers' contexts say is all */
  struct tn_tokens *tokens;          /* NULL: the callers' */

  _Alignas(64) pthread_mutex_t lock; /* of all below */
  tn_waiter *first_waiter, **last_waiter;
  int64_t total, total_max;          /* sessions that are idle, in use, or being opened */
  tn_generation *current;
  int64_t handles;                   /* those who hold the connector */
};

/* session.c: the provider's session, opened within the default deadline, closed. */
tenon_status tn_session_open(tenon_ctx *, tn_connector *, tn_generation *, tn_session **ret,
                             tenon_error *err);
tenon_status tn_session_reopen(tenon_ctx *, tn_session *, tenon_error *err);
void tn_session_close(tn_session *);
/* One use less; the last one gives the session back. */
void tn_session_unuse(tn_session *);
/* Frees the connector if nobody holds it and no session is left. Called with the lock held, which it
 * gives back. */
void tn_connector_unlock(tn_connector *);

/* pool.c */
tenon_status tn_pool_acquire(tenon_ctx *, tn_connector *, tn_session **ret, tenon_error *err);
void tn_pool_give(tn_session *);
/* Takes all idle ones out, to be closed by the caller. Called with the lock held, after the state
 * was changed so that none of them comes back. */
tn_session *tn_pool_take_idle(tn_connector *);
void tn_pool_close_list(tn_session *);

/* call.c */
enum { TN_OPEN_MS = 15000, TN_RESET_MS = 5000 };

/* Calls an operation: deadline, retries, trace, faults, redaction. `first` (may be NULL) is what
 * belongs to an attempt beyond the call itself, such as the first batch. *ret_ctx (may be NULL) is
 * the call's own context, for what outlives it; the caller frees it. */
typedef struct tn_call {
  tn_op_id op;
  const void *request;
  void *reply;
  tenon_status (*first)(void *arg, tenon_ctx *, tenon_error *);
  void *arg;
  bool repeatable;           /* this call is, even if the operation is not in general */
} tn_call;

tenon_status tn_call_run(tenon_ctx *, tn_session *, const tn_call *, tenon_ctx **ret_ctx,
                         tenon_error *err);
/* The same bookkeeping for failures outside of a call: redacts, and marks a session that broke. */
void tn_session_failed(tn_session *, tenon_error *err);

/* A stream of the session (or a plan) begins and ends. */
void tn_session_hold(tn_session *);
void tn_session_unhold(void *session);

#endif
