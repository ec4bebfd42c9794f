/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making Arrow schemas and batches. Authors of providers may include this; it stands on base alone.
 *
 * A builder makes batches of one schema in recycled memory: the buffers of a released batch come
 * back to the builder that made them, so a long read touches the same few megabytes again and again.
 *
 *   tn_builder_new(&schema, &b, err);
 *   for each row: tn_append_i64(tn_builder_column(b, 0), 7); tn_append_bytes(tn_builder_column(b, 1), "x", 1);
 *   tn_builder_finish(b, rows, &array, err);        the batch is the caller's; the builder is empty again
 *   tn_builder_free(b);                             batches outlive it
 *
 * One thread at a time on a builder. Batches may be released on any thread, children one by one.
 */
#ifndef TN_ARROW_BUILD_H
#define TN_ARROW_BUILD_H

#include <stdbool.h>
#include <string.h>

#include "tenon/provider.h"

/* ---- Schemas ---- */

/* A struct with n children, each to be given its type by tn_schema_set. */
tenon_status tn_schema_struct(struct ArrowSchema *ret, int64_t n, tenon_error *err);
/* Gives an unset schema (a child of tn_schema_struct) name, Arrow format and nullability. Formats
 * with children get them unset: "+l" one (named item), "+m" a struct entries of key and value,
 * "+s" as many as `children`. */
tenon_status tn_schema_set(struct ArrowSchema *, const char *name, const char *format, bool nullable,
                           int64_t children, tenon_error *err);
/* Adds a key to the metadata. tenon.type is the vendor's spelling of an annotated column's type. */
tenon_status tn_schema_annotate(struct ArrowSchema *, const char *key, const char *value, tenon_error *err);
/* The value of a metadata key copied into text (truncated to room - 1), false if it is absent. */
bool tn_schema_annotation(const struct ArrowSchema *, const char *key, char *text, size_t room);
/* Replaces all of the metadata by another schema's. */
tenon_status tn_schema_copy_metadata(const struct ArrowSchema *from, struct ArrowSchema *to, tenon_error *err);
tenon_status tn_schema_copy(const struct ArrowSchema *, struct ArrowSchema *ret, tenon_error *err);
void tn_schema_release(struct ArrowSchema *);   /* fine when it is released already or zeroed */
void tn_array_release(struct ArrowArray *);     /* the same */

/* ---- Columns ---- */

typedef struct tn_buffer {
  uint8_t *data;      /* capacity + TN_SLACK bytes may be written, so copies may run over */
  int64_t capacity;
} tn_buffer;

#define TN_SLACK 64

typedef enum tn_layout { TN_NULLS, TN_BITS, TN_FIXED, TN_BINARY, TN_LARGE_BINARY, TN_LIST, TN_STRUCT, TN_FIXED_LIST } tn_layout;

/* A column being built. Hot loops reserve and then write data and offsets themselves. */
typedef struct tn_column {
  tn_layout layout;
  int32_t width;           /* bytes a value of TN_FIXED; values a list of TN_FIXED_LIST */
  int32_t child_count;
  int64_t length, null_count;
  int64_t data_size;       /* bytes used in data of the binary layouts */
  tn_buffer validity;      /* bitmap; unused until the first null */
  tn_buffer offsets;       /* int32 (TN_LARGE_BINARY: int64); length + 1 of them are valid */
  tn_buffer data;
  struct tn_column *children;
} tn_column;

typedef struct tn_builder tn_builder;

tenon_status tn_builder_new(const struct ArrowSchema *schema, tn_builder **ret, tenon_error *err);
void tn_builder_free(tn_builder *);
tn_column *tn_builder_column(tn_builder *, int64_t i);
/* Bytes in use by the batch under construction, without recursion into nested children's validity. */
int64_t tn_builder_bytes(const tn_builder *);
/* Every column must have `rows` values. */
tenon_status tn_builder_finish(tn_builder *, int64_t rows, struct ArrowArray *ret, tenon_error *err);
/* Forgets the batch under construction. */
void tn_builder_clear(tn_builder *);

/* Makes room for `rows` more values and `bytes` more bytes of data; false: out of memory, or more
 * than 2 GiB in a batch's column. */
bool tn_reserve(tn_column *, int64_t rows, int64_t bytes);
bool tn_append_null(tn_column *);
bool tn_append_bool(tn_column *, bool);
bool tn_append_fixed(tn_column *, const void *value);              /* width bytes */
bool tn_append_bytes(tn_column *, const void *data, int64_t size);
bool tn_append_list(tn_column *);      /* ends a list whose values were appended to children[0] since the last */
bool tn_append_struct(tn_column *);    /* a struct whose children have one value more each */
/* What to answer after one of them was false. */
tenon_status tn_append_failed(tenon_error *err);

static inline bool tn_append_i64(tn_column *c, int64_t v) { return tn_append_fixed(c, &v); }
static inline bool tn_append_i32(tn_column *c, int32_t v) { return tn_append_fixed(c, &v); }
static inline bool tn_append_f64(tn_column *c, double v) { return tn_append_fixed(c, &v); }
static inline bool tn_append_text(tn_column *c, const char *s) {
  return s ? tn_append_bytes(c, s, (int64_t)strlen(s)) : tn_append_null(c);
}

/* Marks value i, which is the next one to be counted, as null; for loops that write data themselves. */
bool tn_mark_null(tn_column *, int64_t i);

#endif
