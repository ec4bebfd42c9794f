/* SPDX-License-Identifier: Apache-2.0 */
/* Failing on purpose, for tests: an operation fails at its n-th call as if its system had. */
#ifndef TN_CORE_FAULTS_H
#define TN_CORE_FAULTS_H

#include <stdbool.h>

#include "tenon/provider.h"

typedef struct tn_fault {
  /* tables.read, open, test, check, reset; "next": a batch of any stream */
  const char *operation;
  int64_t at;                /* the call that fails, from 1 */
  int64_t times;             /* and how many in a row */
  tenon_status code;
  bool retryable;
  int32_t retry_after_ms;    /* 0: the system did not say */
} tn_fault;

/* Up to 16 of them, copied; count 0 turns it off. Calls are counted from now. */
void tn_faults_set(const tn_fault *, size_t count);
/* Asked before each operation; OK unless it is to fail now. */
tenon_status tn_fault_check(const char *operation, tenon_error *err);

#endif
