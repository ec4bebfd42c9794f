/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind files, inside.
 *
 *   files.c   parameters, URLs, the test; the provider itself
 *   key.c     which keys there are
 *   place.c   opening what a key names, never outside of the root
 *   get.c     stat and get: bytes of one version
 *   put.c     put, copy, remove
 *   list.c    keys in bytewise order, in bounded memory
 *
 * An object is a regular file below the root; its key is its path from there. A symbolic link to a
 * regular file below the root is that file. A link that leads outside, a link to a folder, a
 * device, a pipe: these are no objects, and nothing is ever read or written through them.
 */
#ifndef TN_PROVIDERS_FILES_FILES_H
#define TN_PROVIDERS_FILES_FILES_H

#include <sys/stat.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/percent.h"
#include "base/str.h"
#include "providers/files/file_params.h"

enum { TN_FILES_MAX_KEY = 4095, TN_FILES_MAX_NAME = 255 };

typedef struct tn_files_config {
  uint64_t set;
  const char *root;
  tn_file_params files;
} tn_files_config;

/* Nothing in it changes after open, so threads share it. */
typedef struct tn_files {
  const tn_files_config *config;
  int root_fd;
  bool has_openat2;
} tn_files;

extern const tenon_host *tn_files_host;

/* ---- key.c ---- */

/* Why these bytes are no key; NULL: they are one. */
const char *tn_files_key_fault(const char *data, size_t size);

/* A key as text, and its last part. */
typedef struct tn_files_key {
  char text[TN_FILES_MAX_KEY + 1];
  size_t size, folder_size;   /* folder_size: without the slash; 0: the root itself */
  const char *name;
} tn_files_key;

tenon_status tn_files_key_init(const tenon_key_bytes *, tn_files_key *ret, tenon_error *);

/* ---- place.c ---- */

bool tn_files_find_openat2(int root_fd);
/* A folder below the root ("" is the root), not through links; -1 with errno. flags: O_PATH or
 * O_RDONLY. */
int tn_files_open_folder(const tn_files *, const char *path, size_t size, int flags);
/* The folder of a key, opened for reading it, made where it is not there. */
tenon_status tn_files_make_folder(const tn_files *, const tn_files_key *, int *ret_fd,
                                  tenon_error *);
/* The regular file that a key is, opened for reading (or O_PATH). */
tenon_status tn_files_open_object(const tn_files *, const tn_files_key *, int flags, int *ret_fd,
                                  struct stat *ret, tenon_error *);
/* The same without a message: 0 or errno; EINVAL: it is no regular file. */
int tn_files_try_object(const tn_files *, const tn_files_key *, int flags, int *ret_fd,
                        struct stat *ret);
void tn_files_fill_object(const struct stat *, tenon_object *ret);
tenon_status tn_files_fail_open(int errnum, const char *key, tenon_error *);

/* ---- operations ---- */

tenon_status tn_files_list(tenon_ctx *, void *session, const tenon_objects_list *,
                           tenon_stream *ret, tenon_error *);
tenon_status tn_files_stat(tenon_ctx *, void *session, const tenon_key_bytes *, tenon_object *ret,
                           tenon_error *);
tenon_status tn_files_get(tenon_ctx *, void *session, const tenon_get *, tenon_got *ret,
                          tenon_error *);
tenon_status tn_files_put(tenon_ctx *, void *session, const tenon_put *, tenon_object *ret,
                          tenon_error *);
tenon_status tn_files_copy(tenon_ctx *, void *session, const tenon_objects_copy *,
                           tenon_object *ret, tenon_error *);
tenon_status tn_files_remove(tenon_ctx *, void *session, const tenon_delete *, tenon_deleted *ret,
                             tenon_error *);

#endif
