/* SPDX-License-Identifier: Apache-2.0 */
/* What an answer or embeddings took: tokens, and what they cost. */
#ifndef TN_CLI_SPENT_H
#define TN_CLI_SPENT_H

#include "cli/cli.h"

/* A line on stderr; model may be NULL. */
void tn_cli_spent(const tn_cli *, const tenon_usage *, const char *model);
/* The member cost_usd: a number with all its digits, or null where it is unknown. */
void tn_cli_spent_json(tn_document *, const tenon_usage *);

#endif
