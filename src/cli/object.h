/* SPDX-License-Identifier: Apache-2.0 */
/* Objects as the commands name them: NAME:key with any key, a URL whose path is the key, or a local path. */
#ifndef TN_CLI_OBJECT_H
#define TN_CLI_OBJECT_H

#include "cli/cli.h"

typedef struct tn_cli_object {
  tenon_session *session;
  tenon_key_bytes key;     /* empty: the target names no object */
} tn_cli_object;

/* Opens the system that the target names. The key stays as long as the session. */
tenon_status tn_cli_object_open(tn_cli *, const char *target, tn_cli_object *ret, tenon_error *err);
/* The same, and CONFIG if it names no object. */
tenon_status tn_cli_object_open_one(tn_cli *, const char *target, tn_cli_object *ret, tenon_error *err);
void tn_cli_object_close(tn_cli_object *);

/* size, modified, etag, content type; as members of an object that is open. */
void tn_cli_object_json(tn_document *, const tenon_key_bytes *key, const tenon_object *);

#endif
