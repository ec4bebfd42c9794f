/* SPDX-License-Identifier: Apache-2.0 */
/* What `copy`, and `read` into a file, say in the end. */
#ifndef TN_CLI_COPIED_H
#define TN_CLI_COPIED_H

#include "cli/cli.h"

void tn_cli_say_copied(tn_cli *, const char *to, const tenon_copied *);

#endif
