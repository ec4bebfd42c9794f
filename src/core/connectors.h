/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tenon.yaml: connectors by name. Found in the working directory or the nearest one above it.
 */
#ifndef TN_CORE_CONNECTORS_H
#define TN_CORE_CONNECTORS_H

#include "core/params.h"
#include "core/registry.h"

typedef struct tn_connectors tn_connectors;

/* path NULL: look upward from the working directory; none found is an empty set. A wrong file is an
 * error with its line. Values are not resolved before they are used. */
tenon_status tn_connectors_load(const char *path, tn_connectors **ret, tenon_error *err);
void tn_connectors_free(tn_connectors *);
size_t tn_connectors_count(const tn_connectors *);
const char *tn_connectors_name(const tn_connectors *, size_t i);
const char *tn_connectors_kind(const tn_connectors *, size_t i);
const char *tn_connectors_path(const tn_connectors *);   /* the file, or NULL */
/* kind and settings of one; NOT_FOUND has the nearest name and where the file is. */
tenon_status tn_connectors_get(const tn_connectors *, const char *name, const char **ret_kind, tn_settings *ret, tenon_error *err);

/* A URL into kind and settings (scheme finds the kind). */
tenon_status tn_url_settings(const tn_registry *, const char *url, const tenon_provider **ret, tn_settings *ret_settings, tenon_error *err);

#endif
