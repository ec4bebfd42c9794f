/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parameters that every kind with files in it has: how these are read as tables, and written. The
 * adapter objects → tables reads them by their keys, which are those of the formats' options.
 *
 *   typedef struct my_config { uint64_t set; …; tn_file_params files; } my_config;
 *   static const tenon_param params[] = { …, TN_FILE_PARAMS(my_config, files) };
 */
#ifndef TN_PROVIDERS_FILES_FILE_PARAMS_H
#define TN_PROVIDERS_FILES_FILE_PARAMS_H

#include "tenon/provider.h"

typedef struct tn_file_params {
  const char *format;
  const char *delimiter, *quote, *header, *encoding, *null_text, *types;
  int64_t sample_rows;
  bool all_text;
  const char *compression;
  int64_t compression_level, row_group_rows;
} tn_file_params;

#define TN_FILE_CHOICES(...) ((const char *const[]){__VA_ARGS__, NULL})

#define TN_FILE_PARAMS(T, m) \
  {TENON_ENUM(T, m.format), .key = "format", .label = "Format", .group = "Files", \
   .default_value = "auto", \
   .choices = TN_FILE_CHOICES("auto", "csv", "tsv", "jsonl", "parquet", "arrow"), \
   .help = "what the files hold; auto: by their names' endings; jsonl and arrow are only written"}, \
  {TENON_STRING(T, m.delimiter), .key = "delimiter", .label = "Delimiter", .group = "CSV", \
   .flags = TENON_CHARACTER, \
   .help = "the character between fields, or tab; found out by itself when it is not given"}, \
  {TENON_STRING(T, m.quote), .key = "quote", .label = "Quote", .group = "CSV", \
   .default_value = "\"", .flags = TENON_ADVANCED | TENON_CHARACTER, \
   .help = "the character around fields that contain delimiters; none: no quoting"}, \
  {TENON_ENUM(T, m.header), .key = "header", .label = "Header", .group = "CSV", \
   .default_value = "auto", .choices = TN_FILE_CHOICES("auto", "yes", "no"), \
   .help = "whether the first line has the columns' names; auto: look"}, \
  {TENON_ENUM(T, m.encoding), .key = "encoding", .label = "Encoding", .group = "CSV", \
   .default_value = "utf-8", .choices = TN_FILE_CHOICES("utf-8", "latin-1"), \
   .help = "how the bytes are to be understood"}, \
  {TENON_STRING(T, m.null_text), .key = "null_text", .label = "NULL is", .group = "CSV", \
   .default_value = "", .flags = TENON_ADVANCED, \
   .help = "the unquoted field that stands for NULL"}, \
  {TENON_STRING(T, m.types), .key = "types", .label = "Types", .group = "CSV", \
   .help = "types that are given rather than found: id=int64,price=decimal(15,2),note=text"}, \
  {TENON_INTEGER(T, m.sample_rows), .key = "sample_rows", .label = "Sample rows", \
   .group = "CSV", .default_value = "10000", .min = 1, .max = 1000000000, \
   .flags = TENON_ADVANCED, \
   .help = "how many rows are looked at to find types"}, \
  {TENON_BOOLEAN(T, m.all_text), .key = "all_text", .label = "All text", .group = "CSV", \
   .default_value = "false", .flags = TENON_ADVANCED, \
   .help = "find no types: every column is text"}, \
  {TENON_ENUM(T, m.compression), .key = "compression", .label = "Compression", .group = "Writing", \
   .default_value = "zstd", .choices = TN_FILE_CHOICES("zstd", "snappy", "none"), \
   .help = "how Parquet's columns are compressed"}, \
  {TENON_INTEGER(T, m.compression_level), .key = "compression_level", \
   .label = "Compression level", .group = "Writing", .min = 1, .max = 22, \
   .flags = TENON_ADVANCED, .help = "of zstd; the codec's own default when it is not given"}, \
  {TENON_INTEGER(T, m.row_group_rows), .key = "row_group_rows", .label = "Rows a row group", \
   .group = "Writing", .min = 1, .max = 100000000, .flags = TENON_ADVANCED, \
   .help = "rows that Parquet stores together"}

#endif
