/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/format_options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"
#include "core/params.h"

static const char *const encodings[] = {"utf-8", "latin-1", NULL};
static const char *const compressions[] = {"zstd", "snappy", "none", NULL};

/* A member of the wrong type does not compile. */
#define ROW(option_type, m, c_type) \
  .type = (option_type), .offset = offsetof(tn_format_options, m), \
  .size = sizeof(c_type) + 0 * sizeof(_Generic(((tn_format_options *)0)->m, c_type: 1))
#define TEXT(m) ROW(TN_OPTION_TEXT, m, const char *)
#define ENUM(m) ROW(TN_OPTION_ENUM, m, const char *)
#define CHAR(m) ROW(TN_OPTION_CHAR, m, char)
#define BOOL(m) ROW(TN_OPTION_BOOL, m, int)
#define INT(m, c_type) ROW(TN_OPTION_INT, m, c_type)

static const tn_option rows[] = {
    {CHAR(delimiter), .key = "delimiter", .label = "Delimiter", .formats = "csv tsv",
     .use = TN_OPTION_READS | TN_OPTION_WRITES,
     .help = "the character between fields, or tab; found out by itself when it is not given"},
    {CHAR(quote), .key = "quote", .label = "Quote", .formats = "csv tsv",
     .use = TN_OPTION_READS | TN_OPTION_WRITES, .default_value = "\"",
     .help = "the character around fields that contain delimiters; none: no quoting"},
    {BOOL(header), .key = "header", .label = "Header", .formats = "csv tsv",
     .use = TN_OPTION_READS | TN_OPTION_WRITES, .default_value = "auto",
     .help = "whether the first line has the columns' names: yes, no or auto (look)"},
    {ENUM(encoding), .key = "encoding", .label = "Encoding", .formats = "csv tsv",
     .use = TN_OPTION_READS, .default_value = "utf-8", .choices = encodings,
     .help = "how the bytes are to be understood"},
    {TEXT(null_text), .key = "null_text", .label = "NULL is", .formats = "csv tsv",
     .use = TN_OPTION_READS | TN_OPTION_WRITES, .default_value = "",
     .help = "the unquoted field that stands for NULL"},
    {TEXT(types), .key = "types", .label = "Types", .formats = "csv tsv", .use = TN_OPTION_READS,
     .help = "types that are given rather than found: id=int64,price=decimal(15,2),note=text"},
    {INT(sample_rows, int64_t), .key = "sample_rows", .label = "Sample rows", .formats = "csv tsv",
     .use = TN_OPTION_READS, .default_value = "10000", .min = 1, .max = 1000000000,
     .help = "how many rows are looked at to find types"},
    {BOOL(all_text), .key = "all_text", .label = "All text", .formats = "csv tsv",
     .use = TN_OPTION_READS, .default_value = "no", .help = "find no types: every column is text"},
    {ENUM(compression), .key = "compression", .label = "Compression", .formats = "parquet",
     .use = TN_OPTION_WRITES, .default_value = "zstd", .choices = compressions,
     .help = "how columns are compressed"},
    {INT(compression_level, int32_t), .key = "compression_level", .label = "Compression level",
     .formats = "parquet", .use = TN_OPTION_WRITES, .min = 1, .max = 22,
     .help = "of zstd; the codec's own default when it is not given"},
    {INT(row_group_rows, int64_t), .key = "row_group_rows", .label = "Rows a row group",
     .formats = "parquet", .use = TN_OPTION_WRITES, .min = 1, .max = 100000000,
     .help = "rows that are stored together"},
};

enum { ROW_COUNT = sizeof rows / sizeof rows[0] };

const tn_option *tn_option_at(size_t i) { return i < ROW_COUNT ? &rows[i] : NULL; }

/* ---- Finding ---- */

static tenon_status unknown(uint32_t use, const char *key, tenon_error *err) {
  const char *keys[ROW_COUNT];
  char remedy[400];
  size_t count = 0;
  tn_str all;
  tn_str_init(&all, sizeof remedy);
  for (size_t i = 0; i < ROW_COUNT; i++) {
    if (!(rows[i].use & use)) continue;
    tn_str_printf(&all, "%s%s", count ? ", " : "", rows[i].key);
    keys[count++] = rows[i].key;
  }
  const char *nearest = tn_nearest(key, keys, count);
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s?", nearest);
  else snprintf(remedy, sizeof remedy, "there are %s", tn_str_text(&all));
  tn_str_release(&all);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "no format has an option %.60s",
                    key);
}

static const tn_option *find(uint32_t use, const char *key) {
  for (size_t i = 0; i < ROW_COUNT; i++)
    if (rows[i].use & use && strcmp(rows[i].key, key) == 0) return &rows[i];
  return NULL;
}

/* ---- Values ---- */

static tenon_status wrong(const tn_option *o, const char *value, const char *remedy,
                          tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s cannot be \"%.60s\"", o->key,
                    value);
}

static tenon_status set_char(const tn_option *o, char *member, const char *value,
                             tenon_error *err) {
  if (!tn_parse_character(value, member))
    return wrong(o, value, "give one ASCII character, or the word tab", err);
  return TENON_OK;
}

static tenon_status set_bool(const tn_option *o, int *member, const char *value, tenon_error *err) {
  static const char *const words[] = {"no", "false", "off", "0", "yes", "true", "on", "1"};
  for (int i = 0; i < 8; i++)
    if (strcasecmp(value, words[i]) == 0) {
      *member = i >= 4;
      return TENON_OK;
    }
  bool has_auto = o->default_value && strcmp(o->default_value, "auto") == 0;
  if (!has_auto || strcmp(value, "auto") != 0)
    return wrong(o, value, has_auto ? "give yes, no or auto" : "give yes or no", err);
  *member = -1;
  return TENON_OK;
}

static tenon_status set_int(const tn_option *o, void *member, const char *value, tenon_error *err) {
  char *end, remedy[80];
  errno = 0;
  long long n = strtoll(value, &end, 10);
  if (end == value || *end || errno || n < o->min || n > o->max) {
    snprintf(remedy, sizeof remedy, "give a number from %lld to %lld", (long long)o->min,
             (long long)o->max);
    return wrong(o, value, remedy, err);
  }
  int64_t wide = n;
  int32_t narrow = (int32_t)n;
  memcpy(member, o->size == sizeof narrow ? (void *)&narrow : (void *)&wide, o->size);
  return TENON_OK;
}

static tenon_status set_enum(const tn_option *o, const char **member, const char *value,
                             tenon_error *err) {
  char remedy[120] = "give";
  for (size_t i = 0; o->choices[i]; i++) {
    if (strcmp(o->choices[i], value) == 0) {
      *member = o->choices[i];
      return TENON_OK;
    }
    size_t used = strlen(remedy);
    snprintf(remedy + used, sizeof remedy - used, "%s %s", i ? "," : " one of", o->choices[i]);
  }
  return wrong(o, value, remedy, err);
}

tenon_status tn_option_set(tn_format_options *options, uint32_t use, const char *key,
                           const char *value, tenon_error *err) {
  const tn_option *o = find(use, key);
  if (!o) return unknown(use, key, err);
  void *member = (char *)options + o->offset;
  switch (o->type) {
    case TN_OPTION_CHAR: return set_char(o, member, value, err);
    case TN_OPTION_BOOL: return set_bool(o, member, value, err);
    case TN_OPTION_INT: return set_int(o, member, value, err);
    case TN_OPTION_ENUM: return set_enum(o, member, value, err);
    case TN_OPTION_TEXT: break;
  }
  *(const char **)member = value;
  return TENON_OK;
}

/* ---- Whose it is ---- */

static bool has_word(const char *words, const char *word) {
  size_t n = strlen(word);
  for (const char *at = words; *at; at += strspn(at, " ")) {
    size_t size = strcspn(at, " ");
    if (size == n && memcmp(at, word, n) == 0) return true;
    at += size;
  }
  return false;
}

tenon_status tn_option_check(const char *key, const char *format, tenon_error *err) {
  const tn_option *o = find(TN_OPTION_READS | TN_OPTION_WRITES, key);
  if (!o || has_word(o->formats, format)) return TENON_OK;
  char remedy[80];
  snprintf(remedy, sizeof remedy, "leave it out; it is an option of %s", o->formats);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy,
                    "%s is no option of files of the format %s", key, format);
}
