/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A kind that keeps tables and objects in the memory of the process, for both facets whole: what the
 * contract asks for, in the plainest way. Stores are named, and stay until memory_drop.
 */
#ifndef TESTS_CONTRACT_MEMORY_H
#define TESTS_CONTRACT_MEMORY_H

#include "tenon/provider.h"

/* Parameters: store (its name), pushdown (none, some, all: what of a read it applies itself), password
 * (`wrong` is refused), slow (each batch takes so long), pool_size, max_overflow. */
extern const tenon_provider memory_kind;

extern int memory_calls;   /* of actions, so far */

void memory_drop(void);   /* all stores; nothing of them may be open */

#endif
