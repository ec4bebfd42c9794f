/* SPDX-License-Identifier: Apache-2.0 */
/* The kinds that there are. Filled before threads use it, then read only. */
#ifndef TN_CORE_REGISTRY_H
#define TN_CORE_REGISTRY_H

#include <stdbool.h>

#include "tenon/provider.h"

typedef struct tn_registry tn_registry;

tenon_status tn_registry_new(tn_registry **ret, tenon_error *err);
void tn_registry_free(tn_registry *);
/* Copies the tables into full-size ones with every absent operation filled, checks the parameter
 * table, and refuses a provider without a mandatory operation by that operation's name. */
tenon_status tn_registry_add(tn_registry *, const tenon_provider *, tenon_error *err);
/* By kind or alias; the error has the nearest name. */
tenon_status tn_registry_find(const tn_registry *, const char *kind, const tenon_provider **ret,
                              tenon_error *err);
const tenon_provider *tn_registry_at(const tn_registry *, size_t i);   /* NULL behind the last */
/* Does this kind have the operation itself ("tables.read")? */
bool tn_provider_has(const tenon_provider *, const char *operation);

const tenon_host *tn_host(void);

#endif
