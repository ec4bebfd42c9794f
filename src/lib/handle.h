/* SPDX-License-Identifier: Apache-2.0 */
/* What stands behind tenon.h's opaque types. */
#ifndef TN_LIB_HANDLE_H
#define TN_LIB_HANDLE_H

#include <pthread.h>

#include "base/egress.h"
#include "core/connectors.h"
#include "core/registry.h"
#include "core/session.h"
#include "core/target.h"
#include "net/token.h"
#include "tenon/tenon.h"

struct tenon {
  tenon_ctx *ctx;
  tn_registry *registry;
  void (*log)(void *arg, int level, const char *line);
  void *log_arg;
  int64_t memory;
  tn_egress *egress;            /* of its context and all its connectors */
  tenon_token_store grants;     /* the library's own store; zeroed: it has none */
  tn_tokens *tokens;
  char *connectors_path;        /* as given, or NULL: to be looked for */

  pthread_mutex_t lock;         /* of all below */
  tn_connectors *connectors;    /* NULL until somebody needs them */
  struct pooled *pooled;        /* connectors in use or idle, by target and settings */
  size_t pooled_count;
};

struct tenon_session {
  tenon *owner;
  tn_session *session;
  tn_target target;             /* has the texts of name */
  tenon_name name;
  const char *whole;            /* name as one, `a.b`: a collection or an action has no schema */
};

/* A function's context: the caller's, or the handle's. */
tenon_ctx *tn_lib_ctx(tenon *, tenon_ctx *);

/* tenon.yaml, read when first needed. Borrowed from the handle. */
tenon_status tn_lib_connectors(tenon *, const tn_connectors **ret, tenon_error *err);

/* The keeper of tokens, with the store that the options say. */
tenon_status tn_lib_start_tokens(tenon *, const tenon_options *, tenon_error *err);
void tn_lib_stop_tokens(tenon *);

/* What stands behind the target's colon as one name, `a.b` whole: of systems that have no schemas.
 * NULL in *ret: nothing stands there. */
tenon_status tn_lib_whole_name(tn_target *, const char **ret, tenon_error *err);

/* The connector of a target, with its pool: the same one for the same target and settings. */
tenon_status tn_lib_connector(tenon *, tn_target *, const tenon_setting *, size_t setting_count,
                              tn_connector **ret, tenon_error *err);
void tn_lib_forget_connectors(tenon *);

/* What a path stands for: kind, settings and, inside of it, the table. */
/* Does it name an object, or another thing in a system, rather than a local path? */
bool tn_lib_names_object(const char *target);
/* The kind of the system that such a target names; nothing is connected to. */
tenon_status tn_lib_kind_of_object(tenon *, const char *target, const tenon_provider **ret, tenon_error *err);
tenon_status tn_lib_path(const tenon *, tn_target *, const tenon_provider **ret,
                         tn_settings *ret_settings, tenon_error *err);

/* The read with the session's own table where it names none. */
tenon_read tn_lib_read(const tenon_session *, const tenon_read *);

#endif
