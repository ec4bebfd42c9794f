/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The options of all formats as a table: what sets them, documents them and checks them reads it.
 */
#ifndef TN_FORMATS_FORMAT_OPTIONS_H
#define TN_FORMATS_FORMAT_OPTIONS_H

#include "formats/format.h"

enum { TN_OPTION_READS = 1u << 0, TN_OPTION_WRITES = 1u << 1 };

typedef struct tn_option {
  tn_option_type type;
  size_t offset, size;           /* of the member of tn_format_options */
  const char *key, *label, *help;
  const char *formats;           /* whose it is: "csv tsv" */
  uint32_t use;                  /* TN_OPTION_READS, TN_OPTION_WRITES */
  const char *default_value;     /* as a person would write it, or NULL */
  const char *const *choices;    /* of an enum, NULL-terminated */
  int64_t min, max;              /* of an integer */
} tn_option;

const tn_option *tn_option_at(size_t i);   /* NULL behind the last */

/* Sets one option as a person wrote it. The value is borrowed. use: what it is to be used for. CONFIG
 * names the nearest key, or what the value has to be. */
tenon_status tn_option_set(tn_format_options *, uint32_t use, const char *key, const char *value, tenon_error *err);
/* CONFIG: there is an option of this key, but not for files of this format. */
tenon_status tn_option_check(const char *key, const char *format, tenon_error *err);

#endif
