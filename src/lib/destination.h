/* SPDX-License-Identifier: Apache-2.0 */
/* Where a copy goes: a format, and a file or an object that appears whole or not at all, or a descriptor. */
#ifndef TN_LIB_DESTINATION_H
#define TN_LIB_DESTINATION_H

#include "base/file.h"
#include "core/target.h"
#include "formats/format.h"
#include "tenon/tenon.h"

typedef struct tn_destination {
  const tn_format *format;
  tn_format_options options;
  const char *path;       /* NULL: fd is written to, or an object */
  tn_target target;       /* has the path */
  tenon_session *session; /* of an object; NULL: it is none */
  tenon_key_bytes key;
  int fd;                 /* of an object: a nameless file, which is put when it is whole */
  tn_new_file file;       /* of path, once it is open */
  bool is_open, if_absent;
} tn_destination;

/* Finds format and options; opens nothing. Released by the caller, if it did not fail. */
tenon_status tn_destination_init(tn_destination *ret, tenon_ctx *, tenon *, const char *to,
                                 const tenon_copy_options *, tenon_error *err);
tenon_status tn_destination_open(tn_destination *, tenon_error *err);
/* Gives the file its name, or puts the object. */
tenon_status tn_destination_commit(tn_destination *, tenon_ctx *, tenon_error *err);
void tn_destination_release(tn_destination *);

/* CONFIG if it would be one of several files that the session's target means. */
tenon_status tn_destination_apart(const tn_destination *, const tenon_session *from, tenon_error *err);

/* How a column lands in a format, as far as types go; text is written to. */
tenon_landing tn_destination_landing(const tn_format *, const struct ArrowSchema *column,
                                     char *to_type, size_t room);
/* Does the format take these columns? */
tenon_status tn_destination_accepts(tenon_ctx *, const tn_destination *, const struct ArrowSchema *,
                                    tenon_error *err);

#endif
