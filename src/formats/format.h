/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A format: rows in and out of bytes. One const tn_format a format, listed in formats.c.
 */
#ifndef TN_FORMATS_FORMAT_H
#define TN_FORMATS_FORMAT_H

#include <stdbool.h>

#include "tenon/provider.h"

/* What a format reads from. `open` gives the bytes from offset on (length -1: to the end), as often
 * as it is asked; the same file each time, or CONFLICT. What self points to outlives the rows. */
typedef struct tn_input {
  const char *name;     /* for messages */
  int64_t size;         /* -1: unknown */
  bool is_far;          /* bytes cost: open only what is needed, by ranges (UNSUPPORTED: there are none) */
  bool is_shared;       /* once it has been opened, many threads may do so, and read, at once */
  void *self;
  tenon_status (*open)(void *self, int64_t offset, int64_t length, tenon_bytes *ret, tenon_error *err);
} tn_input;

typedef enum tn_option_type { TN_OPTION_TEXT, TN_OPTION_CHAR, TN_OPTION_BOOL, TN_OPTION_INT, TN_OPTION_ENUM } tn_option_type;

/* All options of all formats, one row each in format_options.c: from it come the `files` kind's
 * parameters, --help and the docs. */
typedef struct tn_format_options {
  /* CSV, TSV */
  char delimiter;              /* 0: by the format and the first line */
  char quote;                  /* '"' */
  int header;                  /* 1 yes, 0 no, -1 look */
  const char *encoding;        /* utf-8, latin-1 */
  const char *null_text;       /* unquoted fields that are NULL; "" by default */
  const char *types;           /* "id=int64,price=decimal(15,2),note=text": given, not sniffed */
  int64_t sample_rows;         /* looked at to find types; 10,000 */
  int32_t all_text;            /* no types: every column text */
  /* Parquet */
  const char *compression;     /* zstd, snappy, none */
  int32_t compression_level;   /* 0: the codec's default */
  int64_t row_group_rows;      /* 0: the writer's choice */
  int64_t memory;              /* bytes that writer and engine may use, 0: their default */
  bool tell_guesses;           /* of schema: a column whose type was found says so: metadata TN_GUESS, value or none */
} tn_format_options;

#define TN_GUESS "tenon.guess"

#define TN_FORMAT_OPTIONS_INIT { .quote = '"', .header = -1, .encoding = "utf-8", .null_text = "", .sample_rows = 10000, .compression = "zstd" }

/* Rows into bytes. write takes the batch over. finish writes what ends the file; free alone abandons it. */
typedef struct tn_writer {
  void *self;
  tenon_status (*write)(void *self, struct ArrowArray *batch, tenon_error *err);
  tenon_status (*finish)(void *self, int64_t *ret_bytes, tenon_error *err);
  void (*free)(void *self);
} tn_writer;

typedef struct tn_format {
  const char *name;                   /* csv, tsv, parquet, jsonl, arrow */
  const char *const *extensions;      /* ".csv", NULL */
  /* The columns as they would be read (schema is the caller's to release), and how many rows the file
   * says that it has, -1: it does not. NULL: cannot be read. */
  tenon_status (*schema)(tenon_ctx *, const tn_input *, const tn_format_options *, struct ArrowSchema *ret, int64_t *ret_rows,
                         tenon_error *);
  /* Like the facet's read: says what it applied. expected is the schema that was answered earlier
   * (files of a pattern must all be read as the first), or NULL. */
  tenon_status (*read)(tenon_ctx *, const tn_input *, const tn_format_options *, const struct ArrowSchema *expected,
                       const tenon_read *, tenon_rows *ret, tenon_error *);
  /* fd is a regular file or a pipe at its beginning, the caller's. NULL: cannot be written. */
  tenon_status (*writer)(tenon_ctx *, int fd, const struct ArrowSchema *, const tn_format_options *, tn_writer *ret, tenon_error *);
} tn_format;

extern const tn_format tn_format_csv, tn_format_tsv, tn_format_parquet, tn_format_jsonl, tn_format_arrow;

const tn_format *tn_format_by_name(const char *name);          /* NULL: no such format */
const tn_format *tn_format_by_path(const char *path, size_t size); /* by its extension; NULL: none */
const tn_format *const *tn_formats(size_t *ret_count);

#endif
