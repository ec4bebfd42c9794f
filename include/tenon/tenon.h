/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tenon for programs: name a system, look at it, read its rows as Arrow, copy them.
 *
 *   tenon *t;
 *   tenon_session *s;
 *   struct ArrowArrayStream rows;
 *   tenon_error err = TENON_ERROR_INIT;
 *   tenon_read all = TENON_READ_INIT;
 *
 *   if (tenon_new(NULL, &t, &err) == TENON_OK &&
 *       tenon_open(NULL, t, "postgresql://app@db/shop:public.orders", NULL, 0, &s, &err) == TENON_OK &&
 *       tenon_read_table(NULL, s, &all, &rows, NULL, &err) == TENON_OK) { … }
 *
 * - A target is a URL, a path or pattern of files, or a connector's name from tenon.yaml; behind it
 *   may stand a table: `:table`, `:schema.table`. docs/targets.md has the grammar.
 * - Every operation takes a context first: its deadline, and the way to cancel it from another
 *   thread. NULL is the handle's own (tenon_context), which never ends by itself. An operation
 *   returns within its deadline + 1 s, and within 250 ms of a cancel.
 * - One thread at a time uses a session, but of kinds whose page in docs/kinds says that one session
 *   serves many threads; one thread at a time uses each stream. All else may be used by many. Streams
 *   and described tables hold what they need: they may outlive their session, and sessions may outlive
 *   neither the handle nor the contexts given to them.
 * - What goes wrong is a tenon_status and a tenon_error (base.h): kind of failure, layer, message
 *   and remedy. The library prints nothing, exits never, and changes neither signals nor locale.
 *
 * Requests and replies are those of the facets, in facets/ *.h.
 */
#ifndef TENON_TENON_H
#define TENON_TENON_H

#include "base.h"
#include "facets/actions.h"
#include "facets/mail.h"
#include "facets/models.h"
#include "facets/objects.h"
#include "facets/tables.h"
#include "facets/vectors.h"
#include "test.h"
#include "token.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon tenon;
typedef struct tenon_session tenon_session;
struct tenon_provider;   /* provider.h: facts, parameters and operations of a kind */

/* The library's version, such as "0.1.0". */
TENON_API const char *tenon_version(void);

/* ---- The handle: kinds, connectors by name, logging ----------------------------------------- */

typedef struct tenon_options {
  uint32_t struct_size;
  const char *connectors;   /* path of a tenon.yaml; NULL: the nearest upward from the working directory */
  /* Gets lines of text, from any thread. level 0 error, 1 warning, 2 information, 3 debugging. */
  void (*log)(void *arg, int level, const char *line);
  void *log_arg;
  int64_t memory;           /* bytes that buffers and the engine may take together, 1 MiB or more; 0: their defaults */
  /* Which addresses may be connected to, in whatever way they are reached: open (NULL; all of them),
   * no-metadata (not link-local ones and those of clouds' metadata services) or public-only (neither
   * this machine, its sockets nor private networks). docs/egress.md */
  const char *egress;
  const char *egress_allow; /* beside a policy that is not open: ".corp.example,10.1.0.0/16:5432"; NULL: nothing */
  /* Where OAuth grants lie (docs/tokens.md): a folder of files under locks (NULL: tenon/grants in $XDG_STATE_HOME, or in
   * ~/.local/state), or a store of the program's own, borrowed as long as the handle. */
  const char *grants;
  const tenon_token_store *token_store;
} tenon_options;

#define TENON_OPTIONS_INIT { sizeof(tenon_options), NULL, NULL, NULL, 0, NULL, NULL, NULL, NULL }

/* options may be NULL. Nothing is opened yet, no library, no connection, and no file but the one of connectors. */
TENON_API tenon_status tenon_new(const tenon_options *options, tenon **ret, tenon_error *err);

/* Frees it; sessions are to be closed and streams released before. Waits, for 30 s at most and what storing takes, where a
 * refresh token is on its way: its answer has to be kept, or the grant is lost. A warning to the log says so. NULL is fine. */
TENON_API void tenon_free(tenon *t);

/* The context of all work of this handle whose caller gave none; parent for your own, so that one
 * cancel ends everything. Lives as long as the handle. */
TENON_API tenon_ctx *tenon_context(tenon *t);

/* Adds a kind of your own, which has to live as long as the handle. Before any other thread uses
 * the handle. CONFLICT if a kind has that name already, CONFIG if the provider is not complete. */
TENON_API tenon_status tenon_register(tenon *t, const struct tenon_provider *provider,
                                      tenon_error *err);

/* The kinds, in order; NULL behind the last. */
TENON_API const struct tenon_provider *tenon_kind_at(const tenon *t, size_t i);

/* A kind by its name or one of its aliases; NOT_FOUND names the nearest. */
TENON_API tenon_status tenon_kind_find(const tenon *t, const char *name,
                                       const struct tenon_provider **ret, tenon_error *err);

/* JSON Schema of a kind's parameters. The text is the caller's: tenon_text_free. */
TENON_API tenon_status tenon_kind_schema(const tenon *t, const char *name, char **ret_json,
                                         tenon_error *err);
TENON_API void tenon_text_free(char *text);

/* A connector as tenon.yaml has it. Borrowed from the handle. */
typedef struct tenon_connector_info {
  uint32_t struct_size;
  const char *name, *kind;
} tenon_connector_info;

/* The i-th connector of tenon.yaml; GONE behind the last, CONFIG if the file is wrong. */
TENON_API tenon_status tenon_connector_at(tenon *t, size_t i, tenon_connector_info *ret,
                                          tenon_error *err);

/* The tenon.yaml in use, or NULL if there is none. */
TENON_API const char *tenon_connectors_path(tenon *t);

/* A parameter as a person writes it; value may be "$ENV:NAME" or "$FILE:PATH". */
typedef struct tenon_setting {
  const char *key, *value;
} tenon_setting;

/* ---- OAuth grants ------------------------------------------------------------------------------ */

/* A grant that a person gave once, in a browser: kinds whose parameter `grant` names it get their tokens by it. */
typedef struct tenon_grant {
  uint32_t struct_size;
  const char *name;            /* letters, digits and ._@- */
  const char *token_url;       /* where it came from, and the only place that it is sent to */
  const char *client_id;       /* whom it was given to */
  const char *refresh_token;
} tenon_grant;

/* Keeps a grant in place of an older one of that name. Durable when it answers OK. */
TENON_API tenon_status tenon_put_grant(tenon_ctx *ctx, tenon *t, const tenon_grant *grant, tenon_error *err);
/* Forgets it here; the service still knows it. NOT_FOUND: there is none. */
TENON_API tenon_status tenon_remove_grant(tenon_ctx *ctx, tenon *t, const char *name, tenon_error *err);

typedef struct tenon_authorization {
  uint32_t struct_size;
  uint16_t port;               /* of this machine, where the browser comes back; 0: any */
  void (*show)(void *arg, const char *url);   /* where the person is to go; called once, by this thread */
  void *arg;
} tenon_authorization;

/* Gets the grant that the target's configuration names, from a person who consents in a browser on this machine (RFC 8252,
 * with PKCE), and keeps it. Returns when that is done; without a deadline, after ten minutes. FORBIDDEN: they did not
 * consent. settings go over those of the target. */
TENON_API tenon_status tenon_authorize(tenon_ctx *ctx, tenon *t, const char *target, const tenon_setting *settings,
                                       size_t setting_count, const tenon_authorization *how, tenon_error *err);

/* ---- Sessions -------------------------------------------------------------------------------- */

/* The target as it may be shown: passwords and other secrets replaced by ***. tenon_text_free. */
TENON_API tenon_status tenon_target_shown(tenon *t, const char *target, char **ret_text,
                                          tenon_error *err);

/* Tests a connection step by step: what failed, at which layer, and what to do; a table that the
 * target names is looked at, too. Changes nothing in the system. *ret is filled on failure too, and
 * the status is the failed step's. At most 15 s unless the context says otherwise. settings go over
 * those of the target. */
TENON_API tenon_status tenon_test_target(tenon_ctx *ctx, tenon *t, const char *target,
                                         const tenon_setting *settings, size_t setting_count,
                                         tenon_test *ret, tenon_error *err);

/* Opens a session on the target: connects, or takes an idle one of the same target and settings. At
 * most 15 s unless the context says otherwise. */
TENON_API tenon_status tenon_open(tenon_ctx *ctx, tenon *t, const char *target,
                                  const tenon_setting *settings, size_t setting_count,
                                  tenon_session **ret, tenon_error *err);

/* The same for one object: NAME:key, where all that stands behind the first colon is the key as it is,
 * or a URL with the key in its path, or a local path. *ret_key is empty if none is named; it stays as
 * long as the session. */
TENON_API tenon_status tenon_open_object(tenon_ctx *ctx, tenon *t, const char *target,
                                         const tenon_setting *settings, size_t setting_count,
                                         tenon_session **ret, tenon_key_bytes *ret_key, tenon_error *err);

/* Closes it, or keeps it idle for the next tenon_open. While a stream of it is open, that happens
 * when the stream is released. NULL is fine. */
TENON_API void tenon_close(tenon_session *s);

/* What stood behind the target: all parts NULL if nothing did. Lives as long as the session. */
TENON_API tenon_name tenon_session_table(const tenon_session *s);
TENON_API const struct tenon_provider *tenon_session_kind(const tenon_session *s);

/* ---- Tables ---------------------------------------------------------------------------------- */

/* Rows (catalog, schema, name, kind, rows_estimate, comment), ordered by name. request may be NULL:
 * everything that the system does not call its own. */
TENON_API tenon_status tenon_list_tables(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_tables_list *request,
                                         struct ArrowArrayStream *ret, tenon_error *err);

/* Columns, types and keys of request's table, of its query, or (neither, or request NULL) of the
 * target's own table. The reply is released by its `release`. */
TENON_API tenon_status tenon_describe_table(tenon_ctx *ctx, tenon_session *s,
                                            const tenon_read *request, tenon_table *ret,
                                            tenon_error *err);

/* What the system itself did of a read; Tenon did the rest. */
typedef struct tenon_read_info {
  uint32_t struct_size;
  uint32_t applied;            /* TENON_APPLIED_… */
  uint64_t filters_applied;    /* bit i: filters[i] */
} tenon_read_info;

/* Reads request's table, its query, or (neither, or request NULL) the target's own table. The stream
 * is the standard's: release it, in the middle too, which cancels the work at the system. If a call on it
 * fails, tenon_stream_error has the whole failure. ret_info may be NULL. Without a deadline, a system
 * that sends nothing for 60 s is TIMEOUT. */
TENON_API tenon_status tenon_read_table(tenon_ctx *ctx, tenon_session *s, const tenon_read *request,
                                        struct ArrowArrayStream *ret, tenon_read_info *ret_info,
                                        tenon_error *err);

/* After get_schema or get_next answered `code`, not 0: the whole failure, also out of streams that
 * are not Tenon's (as far as they say). Answers its status; OK for code 0. */
TENON_API tenon_status tenon_stream_error(struct ArrowArrayStream *stream, int code,
                                          tenon_error *err);

/* ---- Objects --------------------------------------------------------------------------------- */

/* Rows (key, kind, size, modified, etag), in bytewise order of key. */
TENON_API tenon_status tenon_list_objects(tenon_ctx *ctx, tenon_session *s,
                                          const tenon_objects_list *request,
                                          struct ArrowArrayStream *ret, tenon_error *err);
TENON_API tenon_status tenon_stat_object(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_key_bytes *key, tenon_object *ret,
                                         tenon_error *err);
/* Close ret->body with its `close`. */
TENON_API tenon_status tenon_get_object(tenon_ctx *ctx, tenon_session *s, const tenon_get *request,
                                        tenon_got *ret, tenon_error *err);
TENON_API tenon_status tenon_put_object(tenon_ctx *ctx, tenon_session *s, const tenon_put *request,
                                        tenon_object *ret, tenon_error *err);
TENON_API tenon_status tenon_copy_object(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_objects_copy *request, tenon_object *ret,
                                         tenon_error *err);
TENON_API tenon_status tenon_remove_objects(tenon_ctx *ctx, tenon_session *s,
                                            const tenon_delete *request, tenon_deleted *ret,
                                            tenon_error *err);
TENON_API tenon_status tenon_presign_object(tenon_ctx *ctx, tenon_session *s,
                                            const tenon_presign *request, tenon_presigned *ret,
                                            tenon_error *err);

/* ---- Vectors (facets/vectors.h says what each does) ------------------------------------------- */

/* A request's collection may be NULL: then it is the one that stands behind the target, TARGET:NAME. */
TENON_API tenon_status tenon_create_collection(tenon_ctx *ctx, tenon_session *s,
                                               const tenon_vectors_create *request,
                                               tenon_collection *ret, tenon_error *err);
/* Rows (name, dimension, metric, count). request may be NULL: all. */
TENON_API tenon_status tenon_list_collections(tenon_ctx *ctx, tenon_session *s,
                                              const tenon_vectors_list *request,
                                              struct ArrowArrayStream *ret, tenon_error *err);
TENON_API tenon_status tenon_drop_collection(tenon_ctx *ctx, tenon_session *s,
                                             const tenon_vectors_drop *request,
                                             tenon_collection *ret, tenon_error *err);
/* request->rows is consumed, also on failure. */
TENON_API tenon_status tenon_upsert_vectors(tenon_ctx *ctx, tenon_session *s,
                                            const tenon_vectors_upsert *request,
                                            tenon_vectors_upserted *ret, tenon_error *err);
TENON_API tenon_status tenon_get_vectors(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_vectors_get *request,
                                         struct ArrowArrayStream *ret, tenon_error *err);
TENON_API tenon_status tenon_query_vectors(tenon_ctx *ctx, tenon_session *s,
                                           const tenon_vectors_query *request,
                                           struct ArrowArrayStream *ret, tenon_error *err);
TENON_API tenon_status tenon_delete_vectors(tenon_ctx *ctx, tenon_session *s,
                                            const tenon_vectors_delete *request,
                                            tenon_vectors_deleted *ret, tenon_error *err);
TENON_API tenon_status tenon_count_vectors(tenon_ctx *ctx, tenon_session *s,
                                           const tenon_vectors_count *request,
                                           tenon_vectors_counted *ret, tenon_error *err);

/* ---- Mail (facets/mail.h) ---------------------------------------------------------------------- */

/* Sends messages in one session. ret may be NULL. OK means that every recipient has an outcome, not
 * that all were accepted: look at *ret, or at the outcomes. */
TENON_API tenon_status tenon_send_mail(tenon_ctx *ctx, tenon_session *s, const tenon_send *request,
                                       tenon_sent *ret, tenon_error *err);

/* The message as it would travel, without connecting to anything. tenon_text_free. */
TENON_API tenon_status tenon_compose_mail(tenon *t, const char *target, const tenon_setting *settings,
                                          size_t setting_count, const tenon_mail *mail,
                                          char **ret_text, size_t *ret_size, tenon_error *err);

/* ---- Actions (facets/actions.h says what each does) ------------------------------------------- */

/* request may be NULL: all. Release ret with its `release`. */
TENON_API tenon_status tenon_list_actions(tenon_ctx *ctx, tenon_session *s, const tenon_actions_list *request,
                                          tenon_actions *ret, tenon_error *err);
/* The input is checked against the action's schema before anything is sent. request->action may be NULL: then it
 * is the one that stands behind the target, TARGET:NAME. Without a deadline: 60 s. Release ret with its `release`. */
TENON_API tenon_status tenon_call_action(tenon_ctx *ctx, tenon_session *s, const tenon_action_call *request,
                                         tenon_action_result *ret, tenon_error *err);

/* ---- Models (facets/models.h says what each does) --------------------------------------------- */

/* Rows (id, name, owner, created, bytes), ordered by id. request may be NULL: all. */
TENON_API tenon_status tenon_list_models(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_models_list *request,
                                         struct ArrowArrayStream *ret, tenon_error *err);
/* The answer as a stream of events: `next` until it gives TENON_EVENT_END, then `close`, which in the
 * middle ends the work at the system. Without a deadline, a system that says nothing for ten minutes
 * is TIMEOUT. */
TENON_API tenon_status tenon_start_chat(tenon_ctx *ctx, tenon_session *s, const tenon_chat *request,
                                        tenon_events *ret, tenon_error *err);
/* One vector for each text; give the reply to tenon_embeddings_release. */
TENON_API tenon_status tenon_embed_texts(tenon_ctx *ctx, tenon_session *s,
                                         const tenon_embed *request, tenon_embeddings *ret,
                                         tenon_error *err);
TENON_API void tenon_embeddings_release(tenon_embeddings *embeddings);
/* The rows with a column `vector` behind their own, a fixed-size list of float32: the embedding of each
 * row's text. rows is consumed, also on failure. settings (may be NULL) gives model and dimension;
 * column NULL is `text`. *usage (may be NULL) counts up while the stream is read, and has to live as long. */
TENON_API tenon_status tenon_embed_rows(tenon_ctx *ctx, tenon_session *s, const tenon_embed *settings,
                                        struct ArrowArrayStream *rows, const char *column,
                                        struct ArrowArrayStream *ret, tenon_usage *usage,
                                        tenon_error *err);

/* ---- Copying --------------------------------------------------------------------------------- */

typedef struct tenon_progress {
  uint32_t struct_size;
  int64_t rows;                /* so far; -1: bytes alone count */
  int64_t bytes;               /* in the file so far, -1: it is a pipe */
  int64_t rows_estimate;       /* the system's guess of all of them, -1: none */
  int64_t elapsed_ms;
  int64_t bytes_estimate;      /* of all of them, 0: none */
} tenon_progress;

/* What is copied, and how the file is written. Zeroed memory with struct_size is everything by default. */
typedef struct tenon_copy_options {
  uint32_t struct_size;
  int32_t fd;                           /* write here instead of to a path, where > 0; it stays the caller's */
  const char *format;                   /* csv, tsv, jsonl, parquet, arrow; NULL: by the path's extension */
  const tenon_read *read;               /* columns, filters, limit, query …; NULL: the target's table, whole */
  const tenon_setting *from_settings;   /* parameters of the source, over the target's */
  size_t from_count;
  const tenon_setting *to_settings;     /* how the format is written: compression, delimiter … */
  size_t to_count;
  uint8_t if_absent;                    /* CONFLICT if the file is there already */
  void (*progress)(void *arg, const tenon_progress *);   /* each batch, and in the end */
  void *progress_arg;
} tenon_copy_options;

typedef struct tenon_copied {
  uint32_t struct_size;
  int64_t rows;
  int64_t bytes;                        /* written */
  int64_t elapsed_ms;
} tenon_copied;

/* Copies a target's rows into a file, which appears whole or not at all. options may be NULL. */
TENON_API tenon_status tenon_copy(tenon_ctx *ctx, tenon *t, const char *from, const char *to,
                                  const tenon_copy_options *options, tenon_copied *ret,
                                  tenon_error *err);

/* The same of rows that are there already. rows is consumed, also on failure; options->read and
 * options->from_settings do not matter. */
TENON_API tenon_status tenon_copy_rows(tenon_ctx *ctx, tenon *t, struct ArrowArrayStream *rows,
                                       const char *to, const tenon_copy_options *options,
                                       tenon_copied *ret, tenon_error *err);

/* How a column's values come out at the other end. */
typedef enum tenon_landing {
  TENON_LANDS_EXACT = 0,   /* same values, same type */
  TENON_LANDS_AS_TEXT,     /* same values, written as text; the type is not kept */
  TENON_LANDS_REFUSED      /* the copy fails before the first row, naming this column */
} tenon_landing;

typedef struct tenon_planned_column {
  const char *name;
  const char *from_type;   /* the source's own spelling; NULL if it has none */
  const char *type;        /* as it is read: decimal(15,2), timestamp[us, UTC] */
  const char *to_type;     /* as it is written: INT64, number, text … */
  tenon_landing landing;
  const char *remark;      /* NULL, or why */
} tenon_planned_column;

/* What a copy would do, column by column. Everything lives until release. */
typedef struct tenon_copy_plan {
  uint32_t struct_size;
  const char *format;
  const tenon_planned_column *columns;
  size_t column_count;
  int64_t rows_estimate, bytes_estimate;   /* of the source; -1: unknown */
  uint8_t replaces;                        /* the file is there and would be replaced */
  void *self;
  void (*release)(struct tenon_copy_plan *);
} tenon_copy_plan;

/* Looks at the source and says what tenon_copy would do, without doing it. A refused column is not a
 * failure here. */
TENON_API tenon_status tenon_plan_copy(tenon_ctx *ctx, tenon *t, const char *from, const char *to,
                                       const tenon_copy_options *options, tenon_copy_plan *ret,
                                       tenon_error *err);

#ifdef __cplusplus
}
#endif

#endif
