/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TARGET, as people write it on a command line (docs/targets.md has the grammar), and the filter
 * expression of --where.
 */
#ifndef TN_CORE_TARGET_H
#define TN_CORE_TARGET_H

#include "base/mem.h"
#include "core/registry.h"

typedef enum tn_target_form {
  TN_TARGET_NAME,   /* a connector of tenon.yaml */
  TN_TARGET_URL,    /* scheme://… */
  TN_TARGET_PATH    /* a local path or pattern */
} tn_target_form;

typedef struct tn_target {
  tn_target_form form;
  const char *base;       /* name, URL without table, or path */
  const char *scheme;     /* of a URL */
  const char *schema, *table;   /* behind the colon, unquoted; NULL: absent */
  bool is_key;            /* table has, without quotes, what only names of files have: a / or * or two dots */
  tn_arena arena;
} tn_target;

/* No look at the file system or the network. Reserved: runtime::entry. */
tenon_status tn_target_parse(const char *text, tn_target *ret, tenon_error *err);
void tn_target_release(tn_target *);
/* CONFIG if is_key: for kinds whose names are those of tables. */
tenon_status tn_target_refuse_key(const tn_target *, tenon_error *err);
/* The target with passwords and secret query values replaced by ***, and users where the kind knows none (registry NULL: it
 * does). Caller frees (tn_free). */
char *tn_target_redacted(const char *text, const tn_registry *registry);

/* 'a >= 3 and b is null and c in (1,2) and d like …'. Values keep the type they are written with. */
tenon_status tn_where_parse(const char *text, tn_arena *, tenon_filter **ret, size_t *ret_count, tenon_error *err);

#endif
