/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answer of a connection's test: the steps that were walked, and what was learnt on the way.
 */
#ifndef TENON_TEST_H
#define TENON_TEST_H

#include "base.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tenon_outcome { TENON_PASSED = 0, TENON_FAILED, TENON_SKIPPED, TENON_WARNED } tenon_outcome;

typedef struct tenon_test_step {
  char name[16];         /* dns, tcp, tls, auth, open (of a file), permission, probe */
  tenon_outcome outcome;
  double ms;
  char evidence[256];    /* what was seen: 2 addresses, TLSv1.3 verified, … */
  char remedy[512];
} tenon_test_step;

typedef struct tenon_fact {
  char key[32];          /* server_version, identity, region, read_only */
  char value[224];
} tenon_fact;

/* Filled step by step, in order; a failed step is the last. Plain data, nothing to release. */
typedef struct tenon_test {
  uint32_t struct_size;
  uint32_t step_count, fact_count;
  tenon_test_step steps[16];
  tenon_fact facts[16];
} tenon_test;

#ifdef __cplusplus
}
#endif

#endif
