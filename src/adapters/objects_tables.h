/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects → tables: a kind that has objects, seen as one that has tables, too. Each object that a
 * format reads is a table, and so is a folder or a pattern of objects that have equal columns
 * (pattern.h says how they are named).
 *
 * The kind's parameter rows with the keys of format options (providers/files/file_params.h) say how
 * its objects are read.
 */
#ifndef TN_ADAPTERS_OBJECTS_TABLES_H
#define TN_ADAPTERS_OBJECTS_TABLES_H

#include "tenon/provider.h"

/* A provider as the registry takes it. Kinds that have tables, or no objects, come back as they are;
 * for others it is made once and stays. `kind` has to be a provider that stays. */
tenon_status tn_adapter_tables(const tenon_provider *kind, const tenon_provider **ret, tenon_error *err);

#endif
