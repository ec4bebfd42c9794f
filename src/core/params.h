/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter tables at work: texts in, a checked config struct out; and the help, JSON Schema and
 * documentation that come from the same rows.
 */
#ifndef TN_CORE_PARAMS_H
#define TN_CORE_PARAMS_H

#include "base/mem.h"
#include "base/str.h"
#include "tenon/provider.h"

/* A parameter as a person wrote it. value may be "$ENV:NAME" or "$FILE:PATH". */
typedef struct tn_setting {
  const char *key, *value;
} tn_setting;

/* A growing list of settings that owns its texts. */
typedef struct tn_settings {
  tn_setting *items;
  size_t count, capacity;
  tn_arena arena;
} tn_settings;

void tn_settings_init(tn_settings *);
void tn_settings_release(tn_settings *);   /* wipes */
/* A later value of the same key wins. */
tenon_status tn_settings_set(tn_settings *, const char *key, const char *value, tenon_error *err);

/* A checked configuration of one kind. data is the provider's config struct. */
typedef struct tn_config {
  const tenon_provider *provider;
  void *data;
  tn_arena arena;
} tn_config;

/* Checks everything and names every wrong field at once (unknown keys with the nearest known one). */
tenon_status tn_config_new(const tenon_provider *, const tn_settings *, tn_config **ret, tenon_error *err);
void tn_config_free(tn_config *);          /* wipes */
/* A row's value as it stands in data, or NULL if the kind has no such row or it is not set. */
const void *tn_config_value(const tn_config *, const char *key, tenon_param_type type);
/* Redacts the config's secrets in an error. */
void tn_config_redact(const tn_config *, tenon_error *err);

/* name resolves aliases: "user" finds the row of `username`. NULL: no such row. */
const tenon_param *tn_param_find(const tenon_provider *, const char *name);
size_t tn_param_count(const tenon_provider *);
const tenon_param *tn_param_at(const tenon_provider *, size_t i);

bool tn_params_help(const tenon_provider *, int width, tn_str *);
bool tn_params_json_schema(const tenon_provider *, tn_str *);
bool tn_params_markdown(const tenon_provider *, tn_str *);   /* docs/kinds/KIND.md, whole */

/* Values with units; false if it is not one. */
bool tn_parse_duration(const char *text, int64_t *ret_ms);   /* 90 = 90s, 250ms, 5m, 1h */
bool tn_parse_size(const char *text, int64_t *ret_bytes);    /* 64M, 1G, 512 */

#endif
