/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "formats/format.h"

static const tn_format *const formats[] = {
    &tn_format_csv, &tn_format_tsv, &tn_format_parquet, &tn_format_jsonl, &tn_format_arrow,
};
enum { FORMATS = sizeof formats / sizeof formats[0] };

const tn_format *const *tn_formats(size_t *ret_count) {
  *ret_count = FORMATS;
  return formats;
}

const tn_format *tn_format_by_name(const char *name) {
  for (size_t i = 0; i < FORMATS; i++)
    if (strcmp(formats[i]->name, name) == 0) return formats[i];
  return NULL;
}

static bool ends_with(const char *path, size_t size, const char *extension) {
  size_t n = strlen(extension);
  return size > n && strncasecmp(path + size - n, extension, n) == 0;
}

const tn_format *tn_format_by_path(const char *path, size_t size) {
  for (size_t i = 0; i < FORMATS; i++)
    for (const char *const *e = formats[i]->extensions; e && *e; e++)
      if (ends_with(path, size, *e)) return formats[i];
  return NULL;
}
