/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV and TSV, inside: from bytes to columns in four steps.
 *
 *   csv_input.c     bytes of the file into a buffer, as UTF-8
 *   csv_index.c     where fields and records end, found 64 bytes at a time
 *   csv_convert.c   one column of many records into Arrow values
 *   csv_read.c      the stream of batches
 *
 * What a file is (its dialect and its types) is found by csv_layout.c and csv_sniff.c. A record
 * ends at LF, CRLF or CR outside of quotes. A quote is one at the beginning of a field only;
 * elsewhere it is text.
 */
#ifndef TN_FORMATS_CSV_H
#define TN_FORMATS_CSV_H

#include "arrow/build.h"
#include "formats/format.h"

/* Behind every buffer of text: 64 bytes may be read at any of its offsets. */
enum { TN_CSV_SLACK = 64 };

enum {
  TN_CSV_CHUNK = 1 << 18,         /* bytes read at a time: few enough to stay in the cache */
  TN_CSV_MAX_COLUMNS = 65536,
  TN_CSV_MAX_RECORD = 64 << 20,   /* bytes */
  TN_CSV_MAX_SAMPLE = 16 << 20    /* bytes looked at to find types, whatever sample_rows says */
};

/* ---- Dialects ---- */

typedef struct tn_csv_dialect {
  uint8_t delimiter, quote;       /* quote 0: none */
  const char *null_text;          /* an unquoted field of this text is NULL */
  uint32_t null_size;
} tn_csv_dialect;

/* One record, byte by byte: sets ends[] of its first `room` fields, answers how many have ended and
 * where the next record begins. False: this one does not end before `end`. Text behind a closing
 * quote is let pass. */
bool tn_csv_walk_record(const tn_csv_dialect *, const uint8_t *data, uint32_t begin, uint32_t end,
                        uint32_t *ends, uint32_t room, uint32_t *ret_count, uint32_t *ret_next);

/* ---- The input ---- */

/* The bytes of a file on their way through one buffer, as UTF-8. */
typedef struct tn_csv_input {
  const char *name;               /* for messages; borrowed */
  tenon_bytes bytes;
  bool open, ended;               /* ended: data[end] is the end of the file */
  bool latin1;
  bool after_cr;                  /* a LF at data[begin] belongs to the CR that was before it */
  uint8_t *data;                  /* data[begin, end) is what was read and not yet consumed */
  uint32_t begin, end, capacity;
  int64_t offset, line;           /* of data[begin]: in the file, from 0; from 1 */
} tn_csv_input;

tenon_status tn_csv_input_init(tn_csv_input *ret, const tn_input *, bool latin1, tenon_error *err);
void tn_csv_input_release(tn_csv_input *);
/* Reads until there are `want` bytes, or the file ends. What is there moves. LIMITED beyond
 * TN_CSV_MAX_RECORD. A last line without an end gets one. */
tenon_status tn_csv_input_fill(tn_csv_input *, uint32_t want, tenon_error *err);
/* Reads on, to twice as much or more; *ret_more is false where nothing came. */
tenon_status tn_csv_read_more(tn_csv_input *, bool *ret_more, tenon_error *err);
/* Leaves data[begin, to) behind, which holds so many lines; -1: to be counted. */
void tn_csv_input_consume(tn_csv_input *, uint32_t to, int64_t lines);
/* Where data[at] is. */
int64_t tn_csv_offset_of(const tn_csv_input *, uint32_t at);
int64_t tn_csv_line_of(const tn_csv_input *, uint32_t at);

/* ---- The index ---- */

typedef enum tn_csv_problem {
  TN_CSV_FINE = 0,
  TN_CSV_RAGGED,                  /* the record at problem_at has another number of fields */
  TN_CSV_AFTER_QUOTE,             /* text at problem_at, behind a closing quote */
  TN_CSV_NUL,                     /* at problem_at */
  TN_CSV_NOT_UTF8                 /* at problem_at; found by the reader */
} tn_csv_problem;

/* Whole records of a piece of text. Field (r, c) ends at ends[r * columns + c]; it begins behind
 * the end of its predecessor, and with c = 0 at starts[r]. starts[rows] is behind the last. */
typedef struct tn_csv_index {
  tn_csv_dialect dialect;
  uint32_t columns;
  uint32_t *ends, *starts;        /* room for as many as there are bytes, and TN_CSV_SLACK more */
  uint32_t room;                  /* in bytes of text */
  uint32_t rows;
  bool has_high;                  /* there are bytes above 0x7F */
  uint32_t left_out;              /* lines without a record */
  uint32_t inner_lines;           /* ends of lines within quotes of these records */
  tn_csv_problem problem;         /* in the record behind the last */
  uint32_t problem_at;
} tn_csv_index;

/* Finds the records of data[begin, end), which begins with a record. */
typedef void (*tn_csv_index_fn)(tn_csv_index *, const uint8_t *data, uint32_t begin, uint32_t end);

/* One function for each set of instructions; all of them answer the same. */
typedef struct tn_csv_indexer {
  const char *name;
  bool (*usable)(void);           /* on this machine */
  tn_csv_index_fn index;
} tn_csv_indexer;

/* The fastest first, a portable one last, then NULL. */
extern const tn_csv_indexer tn_csv_indexers[];
tn_csv_index_fn tn_csv_best_indexer(void);

/* ---- Values ---- */

typedef struct tn_csv_column tn_csv_column;

/* Some records of an index. */
typedef struct tn_csv_slice {
  const uint8_t *data;
  const tn_csv_index *index;
  uint32_t first, rows;
} tn_csv_slice;

/* All values of the slice, behind those that `out` has; there is room for them and for the bytes of
 * the slice's text. Answers how many fitted; fewer than there are: the next did not. */
typedef uint32_t tn_csv_convert(const tn_csv_column *, const tn_csv_slice *, tn_column *out);
tn_csv_convert tn_csv_convert_int8, tn_csv_convert_int16, tn_csv_convert_int32;
tn_csv_convert tn_csv_convert_int64, tn_csv_convert_uint8, tn_csv_convert_uint16;
tn_csv_convert tn_csv_convert_uint32, tn_csv_convert_uint64, tn_csv_convert_bool;
tn_csv_convert tn_csv_convert_float64, tn_csv_convert_decimal128, tn_csv_convert_date;
tn_csv_convert tn_csv_convert_timestamp, tn_csv_convert_text, tn_csv_convert_binary;
tn_csv_convert tn_csv_convert_fixed;   /* any type of fixed width, by the long way */

/* A type of column. */
typedef struct tn_csv_type {
  const char *format;             /* Arrow's, or how it begins */
  int32_t width;                  /* of fixed-width values */
  /* One value out of its text, without quotes, into `width` bytes; false: it does not fit. */
  bool (*parse)(const tn_csv_column *, const char *text, size_t size, void *ret);
  tn_csv_convert *convert;
} tn_csv_type;

/* How one column of the file is read. */
struct tn_csv_column {
  const tn_csv_type *type;
  tn_csv_convert *convert;        /* the type's, or a longer way where a NULL looks like a value */
  uint32_t position;              /* in the file */
  int32_t precision, scale;       /* of decimals */
  bool strict;                    /* found by sniffing: a value is spelled as its type's rule says */
};

/* The way to read an Arrow type; false: there is none. */
bool tn_csv_column_init(tn_csv_column *ret, const char *format, uint32_t position, bool strict);

typedef enum tn_csv_cell { TN_CSV_VALUE, TN_CSV_NULL, TN_CSV_MISFIT } tn_csv_cell;

/* One field, with its quotes, by the long way: NULL, quotes, blanks around a number, everything. */
tn_csv_cell tn_csv_read_cell(const tn_csv_column *, const tn_csv_dialect *, const uint8_t *field,
                             uint32_t size, void *ret);
/* The field's text without quotes; doubled ones are single in `room`, which has `size` bytes.
 * False: NULL. */
bool tn_csv_field_text(const tn_csv_dialect *, const uint8_t *field, uint32_t size, char *room,
                       uint32_t *ret_size);

/* -1: it is none. */
int tn_csv_hex_digit(char);

/* A strictly spelled decimal's digits before and behind the point; false: it is none. */
bool tn_csv_decimal_shape(const char *text, size_t size, int32_t *ret_whole, int32_t *ret_scale);

/* ---- What a file is ---- */

typedef struct tn_csv_layout {
  tn_csv_dialect dialect;
  uint32_t columns;
  struct ArrowSchema schema;      /* all columns of the file */
  bool *strict;                   /* which of them were typed by sniffing */
} tn_csv_layout;

/* Looks at the sample and leaves the input before the first row. delimiter 0: to be found, if
 * options do not name it. expected (or NULL) is the schema that the file must have. */
tenon_status tn_csv_layout_init(tn_csv_layout *ret, tn_csv_input *, const tn_format_options *,
                                char delimiter, const struct ArrowSchema *expected,
                                tenon_error *err);
void tn_csv_layout_release(tn_csv_layout *);

/* Room for the index of `bytes` of text; what was found is lost. */
tenon_status tn_csv_index_reserve(tn_csv_index *, uint32_t bytes, tenon_error *err);
void tn_csv_index_release(tn_csv_index *);

/* ---- Errors ---- */

/* Of a record that begins at data[begin] and never ends. */
tenon_status tn_csv_fail_unclosed(const tn_csv_input *, uint32_t begin, tenon_error *err);
/* Of the record behind the index's last. schema (or NULL) knows the columns' names. */
tenon_status tn_csv_fail_problem(const tn_csv_input *, const tn_csv_index *,
                                 const struct ArrowSchema *schema, tenon_error *err);
/* Bytes that are no UTF-8 end the index before their record. */
void tn_csv_check_utf8(tn_csv_index *, const tn_csv_input *);

/* ---- Writing ---- */

tenon_status tn_csv_writer(tenon_ctx *, int fd, const struct ArrowSchema *,
                           const tn_format_options *, tn_writer *ret, tenon_error *err);
tenon_status tn_tsv_writer(tenon_ctx *, int fd, const struct ArrowSchema *,
                           const tn_format_options *, tn_writer *ret, tenon_error *err);

#endif
