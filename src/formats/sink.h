/* SPDX-License-Identifier: Apache-2.0 */
/* Where writers put their bytes: a regular file, or a pipe whose reader may be slow. */
#ifndef TN_FORMATS_SINK_H
#define TN_FORMATS_SINK_H

#include <stdbool.h>

#include "tenon/provider.h"

typedef struct tn_sink {
  tenon_ctx *ctx;    /* held */
  int fd;            /* the caller's */
  bool waits;        /* it is a pipe or the like */
  bool no_nowait;    /* … and the system cannot write to it without blocking */
  char *small;       /* pieces that are gathered */
  size_t gathered;
  int64_t bytes;     /* taken so far */
} tn_sink;

tenon_status tn_sink_init(tn_sink *ret, tenon_ctx *ctx, int fd, tenon_error *err);
void tn_sink_release(tn_sink *);
/* All of it, within the context's deadline; small pieces are gathered first. */
tenon_status tn_sink_put(tn_sink *, const void *data, size_t size, tenon_error *err);
/* What is gathered; at the end, and whenever a reader should see it. */
tenon_status tn_sink_flush(tn_sink *, tenon_error *err);

#endif
