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
  int64_t bytes;     /* written so far */
} tn_sink;

tenon_status tn_sink_init(tn_sink *ret, tenon_ctx *ctx, int fd, tenon_error *err);
void tn_sink_release(tn_sink *);
/* All of it, within the context's deadline. */
tenon_status tn_sink_put(tn_sink *, const void *data, size_t size, tenon_error *err);

#endif
