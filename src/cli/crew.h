/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many objects at once: threads take tasks out of a short queue. What fails does not end the others; it is counted, and the
 * first failures are kept to be told.
 */
#ifndef TN_CLI_CREW_H
#define TN_CLI_CREW_H

#include "cli/cli.h"

enum { TN_CLI_MAX_JOBS = 64, TN_CLI_TOLD_FAILURES = 20 };

/* An object and the file that belongs to it: `name` is its key without the folder's. */
typedef struct tn_cli_task {
  const char *name;
  size_t size;               /* of the name */
  tenon_object object;
} tn_cli_task;

typedef struct tn_cli_done {
  int64_t bytes;
  bool is_skipped;           /* it was there already */
} tn_cli_done;

typedef tenon_status (*tn_cli_task_fn)(void *arg, const tn_cli_task *, tn_cli_done *ret, tenon_error *err);

typedef struct tn_cli_totals {
  int64_t done, skipped, failed, bytes, elapsed_ms;
  int64_t dropped;           /* since the work was cancelled, or its time was over */
  struct {
    char *name;
    tenon_error error;
  } failures[TN_CLI_TOLD_FAILURES];
} tn_cli_totals;

typedef struct tn_cli_crew tn_cli_crew;

/* fn is called by `jobs` threads. */
tenon_status tn_cli_crew_new(tn_cli *, int64_t jobs, tn_cli_task_fn fn, void *arg, tn_cli_crew **ret, tenon_error *err);
/* Copies the task. Waits while the queue is full; fails where the work was cancelled. */
tenon_status tn_cli_crew_give(tn_cli_crew *, const tn_cli_task *, tenon_error *err);
/* Something that needs no thread could not be done. */
void tn_cli_crew_fail(tn_cli_crew *, const tn_cli_task *, const tenon_error *);
/* Waits until all is done, and frees the crew. */
void tn_cli_crew_finish(tn_cli_crew *, tn_cli_totals *ret);

/* Tells what was done, and frees the totals. Fails as the first task did that failed, unless `status` is a failure. */
tenon_status tn_cli_tell_totals(tn_cli *, const char *did, tn_cli_totals *, tenon_status status, tenon_error *err);

#endif
