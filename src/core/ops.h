/* SPDX-License-Identifier: Apache-2.0 */
/* The operations as data: their names and flags, in the order of ops.def. */
#ifndef TN_CORE_OPS_H
#define TN_CORE_OPS_H

#include <stdbool.h>

#include "tenon/provider.h"

enum {
  TN_OP_MANDATORY = 1u << 0,    /* a kind that has the facet has it */
  TN_OP_IDEMPOTENT = 1u << 1,   /* may be called again after a failure */
  TN_OP_STREAMING = 1u << 2,    /* the reply goes on after the call */
  TN_OP_SLOW = 1u << 3          /* the system may think for minutes before it says anything */
};

typedef enum tn_op_id {
#define TN_OP(facet, name, Request, Reply, flags) TN_OP_##facet##_##name,
#include "core/ops.def"
#undef TN_OP
  TN_OP_COUNT
} tn_op_id;

typedef struct tn_op {
  const char *name;       /* tables.read */
  uint32_t flags;
  size_t reply_size;
  /* Calls it on a registered provider, whose slots are all filled. */
  tenon_status (*invoke)(const tenon_provider *, tenon_ctx *, void *session, const void *request,
                         void *reply,
                         tenon_error *);
} tn_op;

const tn_op *tn_op_at(tn_op_id);
bool tn_provider_has_op(const tenon_provider *, tn_op_id);
/* How long a system may say nothing where nobody set a deadline. */
int64_t tn_op_stall_ms(const tn_op *);

#endif
