/* SPDX-License-Identifier: Apache-2.0 */
/* Files that appear whole or not at all. */
#ifndef TN_BASE_FILE_H
#define TN_BASE_FILE_H

#include <stdbool.h>

#include "tenon/provider.h"

/* A file under construction: nameless where the file system allows it, so that a crash leaves nothing. */
typedef struct tn_new_file {
  int fd;          /* write here */
  int dir_fd;
  char *name;      /* of the file to be, within dir_fd */
  char *temporary; /* its name meanwhile, NULL while it has none */
} tn_new_file;

/* The directory is opened relative to at_fd (AT_FDCWD: the working directory) and must exist. A device,
 * a pipe or a folder of that name is refused, also behind a link; a link to a file will be replaced. */
tenon_status tn_new_file_init(tn_new_file *ret, int at_fd, const char *path, tenon_error *err);
/* The same under a name of its own, `kept_as` in the same folder, that outlives the process: what an earlier one left is in it.
 * CONFLICT while another process has it. Its bytes are to be those of `path` in the end, so nobody else may read it before. */
tenon_status tn_new_file_reopen(tn_new_file *ret, int at_fd, const char *path, const char *kept_as, tenon_error *err);
/* Leaves such a file for the next time; in place of release. */
void tn_new_file_keep(tn_new_file *);
/* Makes it durable and gives it its name, over an older file, whose permissions it takes on, unless
 * if_absent (CONFLICT then). Releases it, also on failure. */
tenon_status tn_new_file_commit(tn_new_file *, bool if_absent, tenon_error *err);
/* Drops it; fine after commit. */
void tn_new_file_release(tn_new_file *);

/* Is this the name of a file under construction, now or of a process that crashed? */
bool tn_new_file_is_temporary(const char *name);

/* A folder that must be there; access is O_PATH or O_RDONLY. */
tenon_status tn_folder_open(const char *path, int access, int *ret_fd, tenon_error *err);

/* Writes all of it. */
tenon_status tn_write_all(int fd, const void *data, size_t size, tenon_error *err);
/* A nameless temporary file in TMPDIR or /tmp; -1 with errno. */
int tn_spool_open(void);
/* A whole small file; more than max bytes is LIMITED. */
tenon_status tn_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size, tenon_error *err);

#endif
