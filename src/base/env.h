/* SPDX-License-Identifier: Apache-2.0 */
/* The environment, read in one place: where a person wrote $ENV:NAME. */
#ifndef TN_BASE_ENV_H
#define TN_BASE_ENV_H

/* The variable's value, borrowed until the environment changes; NULL: unset. */
const char *tn_env(const char *name);

#endif
