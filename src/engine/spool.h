/* SPDX-License-Identifier: Apache-2.0 */
/* A folder that one engine may spill into: private, empty, and gone afterwards; what a killed process left goes, too. */
#ifndef TN_ENGINE_SPOOL_H
#define TN_ENGINE_SPOOL_H

#include "tenon/provider.h"

typedef struct tn_spool {
  char *path;
  int lock;        /* held while the folder is in use */
} tn_spool;

tenon_status tn_spool_init(tn_spool *ret, tenon_error *err);
/* Removes the folder with what is in it; fine when zeroed. */
void tn_spool_release(tn_spool *);

#endif
