/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameter tables at work: texts in, a checked config struct out; and the help, JSON Schema and
 * documentation that come from the same rows.
 *
 * How values are written, by type:
 *   text, path     as it is
 *   integer        -12
 *   number         0.5, 1e-3
 *   boolean        true, false, yes, no, on, off, 1, 0
 *   duration       90 (seconds), 250ms, 90s, 5m, 1.5h, 2d
 *   size           512 (bytes), 64K, 64M, 1.5G, 1T; powers of 1024
 *   choice         one of the choices
 *   list           a,b,"c,d" or a JSON array of texts
 *   map            k=v,l="w,x" or a JSON object of texts
 *   JSON, file     the JSON text, the file's content
 * and for each of them $ENV:NAME (a variable's value) and $FILE:PATH (a file's content, without the
 * newline at its end). $$ENV: and $$FILE: stand for texts that begin with $ENV: and $FILE:.
 */
#ifndef TN_CORE_PARAMS_H
#define TN_CORE_PARAMS_H

#include "base/mem.h"
#include "base/str.h"
#include "tenon/provider.h"

/* A parameter as a person wrote it. value may be "$ENV:NAME" or "$FILE:PATH". */
typedef struct tn_setting {
  const char *key, *value;
  const char *base;      /* relative paths start here; NULL: the working directory */
  bool is_structured;    /* value is the JSON of a list or map */
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
/* The same with all that a setting has. */
tenon_status tn_settings_add(tn_settings *, const tn_setting *, tenon_error *err);

/* Takes the setting of that key out; NULL: there is none. The text stays as long as the list. */
const char *tn_settings_take(tn_settings *, const char *key);

/* A checked configuration of one kind. data is the provider's config struct. */
typedef struct tn_config {
  const tenon_provider *provider;
  void *data;
  const char **secrets;      /* the values of secret rows, for redaction */
  size_t secret_count, secret_capacity;
  tn_arena arena;
} tn_config;

/* Checks everything and names every wrong field at once (unknown keys with the nearest known one). A
 * setting `url` of a kind that reads URLs is taken apart; what is set beside it wins. */
tenon_status tn_config_new(const tenon_provider *, const tn_settings *, tn_config **ret,
                           tenon_error *err);
void tn_config_free(tn_config *);          /* wipes */
/* A row's value as it stands in data, or NULL if the kind has no such row or it is not set. */
const void *tn_config_value(const tn_config *, const char *key, tenon_param_type type);
/* Redacts the config's secrets in an error. */
void tn_config_redact(const tn_config *, tenon_error *err);

/* name resolves aliases: "user" finds the row of `username`. NULL: no such row. */
const tenon_param *tn_param_find(const tenon_provider *, const char *name);
size_t tn_param_count(const tenon_provider *);
const tenon_param *tn_param_at(const tenon_provider *, size_t i);
/* The row that `when` of this one looks at (NULL: always shown), and whether it holds for a value. */
const tenon_param *tn_param_controller(const tenon_provider *, const tenon_param *);
bool tn_param_when_holds(const tenon_param *, const char *controller_value);
/* The known name (key or alias) that is most like this one, or NULL. */
const char *tn_param_nearest(const tenon_provider *, const char *name);

/* Is the table one that can be worked with? INTERNAL names the row and what is wrong with it. */
tenon_status tn_params_check(const tenon_provider *, tenon_error *err);
/* Are the defaults values of their rows' types? */
tenon_status tn_config_check_defaults(const tenon_provider *, tenon_error *err);
const char *tn_param_type_name(tenon_param_type);
size_t tn_param_type_size(tenon_param_type);

bool tn_params_help(const tenon_provider *, int width, tn_str *);
bool tn_params_json_schema(const tenon_provider *, tn_str *);
bool tn_params_markdown(const tenon_provider *, tn_str *);   /* docs/kinds/KIND.md, whole */

/* Values with units; false if it is not one. */
bool tn_parse_duration(const char *text, int64_t *ret_ms);   /* 90 = 90s, 250ms, 5m, 1h */
bool tn_parse_size(const char *text, int64_t *ret_bytes);    /* 64M, 1G, 512 */
bool tn_parse_integer(const char *text, int64_t *ret);
bool tn_parse_boolean(const char *text, bool *ret);
bool tn_parse_character(const char *text, char *ret);        /* ; or tab; "" and none are 0 */

#endif
