/* SPDX-License-Identifier: Apache-2.0 */
/* Folders of objects from and to folders of files: get and put with --recursive. */
#ifndef TN_CLI_TREE_H
#define TN_CLI_TREE_H

#include <sys/stat.h>

#include "cli/object.h"

typedef struct tn_cli_tree {
  const char *folder;        /* of files */
  int64_t jobs;              /* at once */
  bool resume;               /* leave out what is there whole */
  bool if_absent, dry_run;
} tn_cli_tree;

tenon_status tn_cli_get_tree(tn_cli *, const tn_cli_tree *, const tn_cli_object *from, tenon_error *err);
tenon_status tn_cli_put_tree(tn_cli *, const tn_cli_tree *, const tn_cli_object *to, tenon_error *err);

/* A file as it was opened, that is read to be put. */
typedef struct tn_cli_version {
  int fd;
  const char *name;          /* for messages */
  struct stat as_opened;
} tn_cli_version;

/* CONFLICT if somebody wrote to it since. What is no file has no versions. */
tenon_status tn_cli_version_check(const tn_cli_version *, tenon_error *err);

/* The key of a folder: with a slash at its end. Kept in the command's arena; "" for all of it. */
tenon_status tn_cli_tree_prefix(tn_cli *, const tn_cli_object *, tenon_key_bytes *ret, tenon_error *err);

#endif
