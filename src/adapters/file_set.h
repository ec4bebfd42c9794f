/* SPDX-License-Identifier: Apache-2.0 */
/* The objects that a table's name stands for. */
#ifndef TN_ADAPTERS_FILE_SET_H
#define TN_ADAPTERS_FILE_SET_H

#include "base/mem.h"
#include "formats/format.h"

enum { TN_MAX_FILES = 100000 };

typedef struct tn_file {
  tenon_key_bytes key;
  const char *name;        /* the key as text, for messages */
  int64_t size;            /* -1: unknown */
  const tn_format *format;
} tn_file;

typedef struct tn_file_set {
  tn_file *files;          /* in the bytewise order of their keys */
  size_t count, capacity;
  tn_arena arena;
} tn_file_set;

/* Where the objects are, and how they are to be read. */
typedef struct tn_file_source {
  const tenon_objects_ops *objects;
  void *session;
  const tn_format *format;   /* of all of them; NULL: by their names */
  bool is_far;               /* they are not files of this machine */
  bool is_shared;            /* many threads may use the session at once */
} tn_file_source;

/* NOT_FOUND has the nearest names; CONFIG names the object whose format is not known, or not that of the others. */
tenon_status tn_file_set_init(tenon_ctx *, const tn_file_source *, const char *table, tn_file_set *ret, tenon_error *err);
void tn_file_set_release(tn_file_set *);

typedef struct tn_listed {
  tenon_key_bytes key;
  bool is_prefix;
  int64_t size;
} tn_listed;

/* Row i of a batch of a listing (facets/objects.h says what its columns are). */
tn_listed tn_listed_at(const struct ArrowArray *batch, int64_t i);
/* Calls each with every object below a prefix; with a delimiter, with those of this level and the
 * prefixes of it. What each answers, if it is not OK, ends the listing and is the answer. */
tenon_status tn_list_each(tenon_ctx *, const tn_file_source *, tenon_key_bytes prefix, char delimiter,
                          tenon_status (*each)(void *arg, const tn_listed *, tenon_error *err), void *arg, tenon_error *err);

/* The format by which an object is read; NULL: none by its name, or one that is only written. */
const tn_format *tn_file_format(const tn_file_source *, tenon_key_bytes key);

#endif
