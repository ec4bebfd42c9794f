/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What programs and provider authors share: status codes, errors, contexts.
 *
 * Three rules hold everywhere:
 *   - An operation answers a tenon_status; 0 is success. `err` (the last parameter, may be NULL)
 *     then says what broke, where, and what to do. It has fixed buffers and never allocates.
 *   - `ret_*` parameters are written on success only.
 *   - Structs that cross a library boundary start with struct_size; set it with sizeof. They only grow.
 */
#ifndef TENON_BASE_H
#define TENON_BASE_H

#include <stddef.h>
#include <stdint.h>

#include "arrow_abi.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define TENON_API __attribute__((visibility("default")))
#define TENON_PRINTF(f, a) __attribute__((format(printf, f, a)))
#define TENON_MUST_USE __attribute__((warn_unused_result))
#else
#define TENON_API
#define TENON_PRINTF(f, a)
#define TENON_MUST_USE
#endif

/* What kind of failure it is; a program can branch on it. The numbers are fixed. */
typedef enum tenon_status {
  TENON_OK = 0,
  TENON_CONFIG = 1,          /* a parameter, target or file is wrong: the user mends it */
  TENON_NOT_FOUND = 2,       /* the named table, object, database, kind is not there */
  TENON_UNAUTHENTICATED = 3, /* who you say you are was not accepted */
  TENON_FORBIDDEN = 4,       /* who you are may not do this */
  TENON_UNREACHABLE = 5,     /* nothing answered there */
  TENON_TLS = 6,             /* the encrypted connection could not be made or trusted */
  TENON_TIMEOUT = 7,         /* the deadline or the stall limit passed */
  TENON_CANCELLED = 8,       /* the caller cancelled */
  TENON_LIMITED = 9,         /* too many requests, connections, bytes: a limit was met */
  TENON_CONFLICT = 10,       /* it is there already, or changed meanwhile */
  TENON_GONE = 11,           /* it was there: a released plan, a closed session */
  TENON_UNSUPPORTED = 12,    /* this system or this kind cannot do that */
  TENON_DATA = 13,           /* a value cannot be represented or is malformed */
  TENON_IO = 14,             /* reading or writing failed underneath */
  TENON_INTERNAL = 15        /* a fault of Tenon's own */
} tenon_status;

/* The layer at which it failed. */
typedef enum tenon_stage {
  TENON_STAGE_NONE = 0,
  TENON_STAGE_CONFIG,
  TENON_STAGE_DNS,
  TENON_STAGE_TCP,
  TENON_STAGE_TLS,
  TENON_STAGE_AUTH,
  TENON_STAGE_PERMISSION,
  TENON_STAGE_QUERY,
  TENON_STAGE_DATA,
  TENON_STAGE_WRITE,
  TENON_STAGE_COMMIT
} tenon_stage;

/* One failure. Start from zeroed memory (TENON_ERROR_INIT). The first message written stays;
 * secrets are redacted when it is written. */
typedef struct tenon_error {
  uint32_t struct_size;
  tenon_status code;
  tenon_stage stage;
  uint8_t retryable;          /* the same call may succeed later */
  int32_t retry_after_ms;     /* -1: the system did not say */
  int32_t vendor_code;        /* the system's own number, 0: none */
  char sqlstate[6];
  char message[1024];         /* what happened; one line, no trailing stop */
  char remedy[512];           /* what to do about it; may be empty */
} tenon_error;

#define TENON_ERROR_INIT { sizeof(tenon_error), TENON_OK, TENON_STAGE_NONE, 0, -1, 0, "", "", "" }

TENON_API const char *tenon_status_name(tenon_status);   /* "NOT_FOUND" */
TENON_API const char *tenon_stage_name(tenon_stage);     /* "tcp" */

/*
 * A context: the deadline, the cancel flag, the egress policy, the logger of one piece of work.
 * Counted: whatever outlives the call that got it holds it with tenon_ctx_ref. All functions are
 * safe from any thread, none from a signal handler (signal a thread of your own, which cancels).
 */
typedef struct tenon_ctx tenon_ctx;

/* timeout_ms < 0: no deadline of its own (operations then use their default). parent may be NULL;
 * cancelling the parent cancels the child, and the child's deadline is never later than the parent's. */
TENON_API tenon_status tenon_ctx_new(tenon_ctx *parent, int64_t timeout_ms, tenon_ctx **ret_ctx, tenon_error *);
TENON_API tenon_ctx *tenon_ctx_ref(tenon_ctx *);
TENON_API void tenon_ctx_free(tenon_ctx *);              /* gives one reference back; NULL is fine */
TENON_API void tenon_ctx_cancel(tenon_ctx *);

#ifdef __cplusplus
}
#endif

#endif
