/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A file that an object comes into, over several runs: what came so far is kept beside the file to be, under a hidden name,
 * and beside that the object's etag and how many bytes are durable.
 */
#ifndef TN_CLI_PARTIAL_H
#define TN_CLI_PARTIAL_H

#include "base/file.h"
#include "cli/cli.h"

typedef struct tn_cli_partial {
  tn_new_file file;
  const char *object, *to;   /* borrowed: the object's name, without what is secret, and the file's */
  char etag[128];            /* "": of nothing yet, or of an object without one */
  int64_t bytes;             /* in the file */
  int64_t kept, kept_ms;     /* of them durable, and since when */
  char *note_name;           /* of the file beside it */
} tn_cli_partial;

/* Goes on where an earlier run ended: bytes and etag say where. What is of another object is dropped. */
tenon_status tn_cli_partial_open(const char *object, const char *to, tn_cli_partial *ret, tenon_error *err);
/* From the beginning, with an object of this etag. */
tenon_status tn_cli_partial_restart(tn_cli_partial *, const char *etag, tenon_error *err);
/* Behind what is in it; from time to time it is made durable. */
tenon_status tn_cli_partial_write(tn_cli_partial *, const void *data, size_t size, tenon_error *err);
/* All is there: the file gets its name. Releases it, also on failure. */
tenon_status tn_cli_partial_commit(tn_cli_partial *, bool if_absent, tenon_error *err);
/* Not all came: answers whether something is kept for the next time. Releases it. */
bool tn_cli_partial_leave(tn_cli_partial *);

#endif
