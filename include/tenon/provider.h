/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The contract: what the author of a kind writes, and what Tenon gives in return.
 *
 * A provider is one const tenon_provider: facts, a parameter table, a few lifecycle operations and
 * a table of operations for each facet that the system has (facets/ *.h). The core copies the tables into full-size
 * ones of its own and fills absent operations with "not supported", so nobody tests a slot.
 *
 * Every operation has one shape:
 *
 *   tenon_status op(tenon_ctx *, void *session, const Request *, Reply *ret, tenon_error *)
 *
 * - Answer TENON_OK, or fail with tenon_fail(), which says what broke, at which stage, and the
 *   remedy. Nothing of *ret is written on failure. Requests are borrowed for the call; streams in a
 *   request are consumed, also on failure.
 * - One thread at a time calls into a session, unless the kind has TENON_SHARED.
 * - Block in two ways only: host->wait on file descriptors, or inside a foreign library after
 *   host->on_cancel. Regular files are exempt. Retry, rate limits, tracing and deadlines of whole
 *   calls are the core's.
 * - Configuration comes only from the parameter table: no getenv, no files of your own.
 */
#ifndef TENON_PROVIDER_H
#define TENON_PROVIDER_H

#include <stdbool.h>

#include "base.h"
#include "facets/actions.h"
#include "facets/mail.h"
#include "facets/models.h"
#include "facets/objects.h"
#include "facets/tables.h"
#include "facets/vectors.h"
#include "http.h"
#include "socket.h"
#include "test.h"
#include "token.h"

#ifdef __cplusplus
extern "C" {
#endif

/* 0 until foreign code, the service and every facet use the contract; then 1, and frozen. */
#define TENON_ABI 0

typedef struct tenon_provider tenon_provider;
typedef struct tenon_host tenon_host;
struct pollfd;

/* ---- Errors ------------------------------------------------------------------------------ */

/* Writes the failure into err (NULL is fine; the first one stays) and answers code. message and
 * remedy are one line each; remedy may be NULL. Secrets of the configuration are redacted by the
 * core before anybody sees them. */
TENON_API tenon_status tenon_fail(tenon_error *err, tenon_status code, tenon_stage stage, const char *remedy,
                                  const char *message, ...) TENON_PRINTF(5, 6);

/* ---- Parameters (contract of configuration) ------------------------------------------------ */

typedef enum tenon_param_type {
  TENON_PARAM_STRING = 0,  /* const char *, NULL if not set */
  TENON_PARAM_INTEGER,     /* int64_t */
  TENON_PARAM_NUMBER,      /* double */
  TENON_PARAM_BOOLEAN,     /* bool */
  TENON_PARAM_DURATION,    /* int64_t milliseconds; "90", "90s", "5m", "250ms", "1h" */
  TENON_PARAM_SIZE,        /* int64_t bytes; "64M", "1G" (powers of 1024) */
  TENON_PARAM_ENUM,        /* const char *, one of choices */
  TENON_PARAM_LIST,        /* tenon_strings */
  TENON_PARAM_MAP,         /* tenon_strings: key, value, key, value … */
  TENON_PARAM_JSON,        /* const char *, checked to be JSON */
  TENON_PARAM_FILE,        /* tenon_blob: a file's content, such as a certificate */
  TENON_PARAM_PATH         /* const char * */
} tenon_param_type;

typedef struct tenon_strings {
  const char *const *items;
  size_t count;
} tenon_strings;

typedef struct tenon_blob {
  const void *data;
  size_t size;
} tenon_blob;

enum {
  TENON_REQUIRED = 1u << 0,  /* where `when` holds */
  TENON_SECRET = 1u << 1,    /* sealed at rest, redacted everywhere, never given back */
  TENON_LOCAL = 1u << 2,     /* names a path, library, command or socket of this machine */
  TENON_ADVANCED = 1u << 3,  /* forms fold it away */
  TENON_CHARACTER = 1u << 4  /* a string of one ASCII character, or a word for it: tab, none */
};

/*
 * One row a parameter, in the order of forms and help. Nothing else describes configuration:
 * validation, help, JSON Schema, forms, docs, import and sealing all read this.
 */
typedef struct tenon_param {
  tenon_param_type type;
  uint32_t flags;
  size_t offset;                /* into the config struct; set by the TENON_… macros below */
  const char *key, *label, *help;
  const char *default_value;    /* as a person would write it, or NULL */
  const char *const *choices;   /* enum: NULL-terminated */
  int64_t min, max;             /* integer, duration (ms), size: where min < max */
  const char *group;            /* forms: the section */
  const char *when;             /* "auth=password|certificate": shown and required only then */
  const char *env;              /* the variable that the system's own tools read, for import */
  const char *ambient;          /* "credentials=environment": then, if it is not given, env is read; a row above this one */
  const char *aliases;          /* other spellings, separated by commas: "user,login" */
} tenon_param;

typedef struct tenon_params {
  const tenon_param *items;
  size_t count, item_size;
} tenon_params;

#define TENON_PARAMS(array) { (array), sizeof(array) / sizeof((array)[0]), sizeof((array)[0]) }

/*
 * The config struct starts with `uint64_t set` (bit i: row i was given or has a default) and has a
 * member of the right type for each row. Written as  { TENON_STRING(my_config, host), .key = "host", … }
 * A member of the wrong type does not compile.
 */
#ifndef __cplusplus
#define TENON_ROW(T, m, param_type, c_type) \
  .type = (param_type), .offset = offsetof(T, m) + 0 * sizeof(_Generic(((T *)0)->m, c_type: 1))
#define TENON_STRING(T, m) TENON_ROW(T, m, TENON_PARAM_STRING, const char *)
#define TENON_INTEGER(T, m) TENON_ROW(T, m, TENON_PARAM_INTEGER, int64_t)
#define TENON_NUMBER(T, m) TENON_ROW(T, m, TENON_PARAM_NUMBER, double)
#define TENON_BOOLEAN(T, m) TENON_ROW(T, m, TENON_PARAM_BOOLEAN, bool)
#define TENON_DURATION(T, m) TENON_ROW(T, m, TENON_PARAM_DURATION, int64_t)
#define TENON_SIZE(T, m) TENON_ROW(T, m, TENON_PARAM_SIZE, int64_t)
#define TENON_ENUM(T, m) TENON_ROW(T, m, TENON_PARAM_ENUM, const char *)
#define TENON_LIST(T, m) TENON_ROW(T, m, TENON_PARAM_LIST, tenon_strings)
#define TENON_MAP(T, m) TENON_ROW(T, m, TENON_PARAM_MAP, tenon_strings)
#define TENON_JSON(T, m) TENON_ROW(T, m, TENON_PARAM_JSON, const char *)
#define TENON_FILE(T, m) TENON_ROW(T, m, TENON_PARAM_FILE, tenon_blob)
#define TENON_PATH(T, m) TENON_ROW(T, m, TENON_PARAM_PATH, const char *)
#endif

/* ---- The host: what must be process-wide ---------------------------------------------------- */

/* An address to connect to: a struct sockaddr of sa_size bytes. */
typedef struct tenon_address {
  uint32_t sa_size;
  char text[108];              /* 127.0.0.1, ::1, /run/postgresql/.s.PGSQL.5432 */
  union { uint64_t align; unsigned char bytes[128]; } sa;
} tenon_address;

typedef struct tenon_hook tenon_hook;   /* a registered cancel function */

typedef enum tenon_level { TENON_LOG_ERROR = 0, TENON_LOG_WARN, TENON_LOG_INFO, TENON_LOG_DEBUG } tenon_level;

/* Append-only. Given to init once; lives as long as the process. */
struct tenon_host {
  uint32_t struct_size, abi;

  /* Memory of the core, with its limits and its tests. resize(NULL, n) allocates, resize(p, 0) frees. */
  void *(*resize)(void *, size_t);

  void (*log)(tenon_ctx *, tenon_level, const char *format, ...) TENON_PRINTF(3, 4);

  /* Has the work been cancelled or run out of time? Call it at least once a batch. */
  tenon_status (*check)(tenon_ctx *, tenon_error *);
  /* Waits until one of n descriptors is ready, for at most timeout_ms (-1: as long as the context
   * allows). OK with no revents set means that timeout_ms passed. */
  tenon_status (*wait)(tenon_ctx *, struct pollfd *, size_t n, int timeout_ms, tenon_error *);
  /* Becomes readable when the work is cancelled or its deadline passes; for foreign event loops. */
  int (*cancel_fd)(tenon_ctx *);
  /* Until the deadline or stall limit, whichever is first; INT64_MAX: no limit. */
  int64_t (*remaining_ms)(tenon_ctx *);
  /* fn is called once, from any thread, when the work is cancelled or its deadline passes; it must
   * not block. off_cancel waits for a call under way; the hook is gone after it. */
  tenon_status (*on_cancel)(tenon_ctx *, void (*fn)(void *), void *arg, tenon_hook **ret, tenon_error *);
  void (*off_cancel)(tenon_hook *);

  /* Name to addresses, checked against the egress policy; stage dns on failure. A numeric address
   * needs no look-up. Answers at most `room` of them. */
  tenon_status (*resolve)(tenon_ctx *, const char *host, uint16_t port, tenon_address *ret, size_t room,
                          size_t *ret_count, tenon_error *);
  /* A connected, non-blocking socket; stage tcp on failure. */
  tenon_status (*connect)(tenon_ctx *, const tenon_address *, int timeout_ms, int *ret_fd, tenon_error *);

  /* A shared library by the first of the names that opens (NULL-terminated), and count symbols of it
   * by name into slots; never closed. UNSUPPORTED names what to install. */
  tenon_status (*library)(const char *const *names, const char *const *symbols, void **slots, size_t count,
                          const char *remedy, tenon_error *);

  /* Test steps: begin names the step and starts its clock, end closes it with what was seen. A step that is open
   * when `test` fails is closed with its error. */
  void (*step_begin)(tenon_test *, const char *name);
  void (*step_end)(tenon_test *, tenon_outcome, const char *remedy, const char *evidence, ...) TENON_PRINTF(4, 5);
  void (*fact)(tenon_test *, const char *key, const char *value, ...) TENON_PRINTF(3, 4);

  const tenon_http_ops *http;

  /* OAuth tokens: token.h */
  tenon_token_fn token;
  tenon_token_refused_fn token_refused;

  const tenon_socket_ops *socket;
};

/* ---- A provider ------------------------------------------------------------------------------ */

enum {
  TENON_QUERYABLE = 1u << 0,   /* read takes a query in the system's own language */
  TENON_POOLED = 1u << 1,      /* sessions are dear: keep them */
  TENON_SHARED = 1u << 2,      /* many threads may use one session at once */
  TENON_OPAQUE_NET = 1u << 3,  /* a foreign library connects by itself: no egress check is possible */
  TENON_NEAR = 1u << 4         /* objects are files of this machine, and get gives descriptors of them */
};

#define TENON_URL_TABLE ":table"

struct tenon_provider {
  uint32_t struct_size, abi;
  const char *kind;                  /* lower case: postgresql */
  const char *category;              /* sql, storage, vector, llm, email, messaging, automation, search, api, files */
  const char *label, *summary;       /* PostgreSQL; one sentence */
  const char *const *aliases;        /* other names of the kind, also as URL schemes; NULL-terminated or NULL */
  tenon_params params;
  size_t config_size;
  uint32_t traits;

  /* Once per process, before anything else. */
  tenon_status (*init)(const tenon_host *, tenon_error *);
  /* Optional: makes parameters out of a URL of this kind (the whole text); set() takes rows by key, and under
   * TENON_URL_TABLE the table or object that the URL names. Without it the core reads
   * scheme://user:password@host:port/database?key=value. */
  tenon_status (*parse_url)(const char *url, tenon_status (*set)(void *arg, const char *key, const char *value, tenon_error *),
                            void *arg, tenon_error *);
  /* Walks the steps and explains the first that fails, in `test` and in the error. Changes nothing. */
  tenon_status (*test)(tenon_ctx *, const tenon_provider *, const void *config, tenon_test *, tenon_error *);
  /* config is borrowed until close; the core wipes it then. */
  tenon_status (*open)(tenon_ctx *, const tenon_provider *, const void *config, void **ret_session, tenon_error *);
  /* Pooled kinds: is it still good after idling? A failure discards it. */
  tenon_status (*check)(tenon_ctx *, void *session, tenon_error *);
  /* Pooled kinds: make it as new on its way back, without waiting where possible. A failure discards it. */
  tenon_status (*reset)(tenon_ctx *, void *session, tenon_error *);
  void (*close)(void *session);

  const tenon_tables_ops *tables;
  const tenon_objects_ops *objects;
  const tenon_vectors_ops *vectors;
  const tenon_models_ops *models;
  const tenon_mail_ops *mail;
  const tenon_actions_ops *actions;

  const tenon_oauth *oauth;   /* where sessions get tokens that a person consented to; NULL: nowhere */
};

/* The one symbol of a loadable provider. */
typedef tenon_status (*tenon_provider_entry_fn)(const tenon_host *, const tenon_provider **ret);

#ifdef __cplusplus
}
#endif

#endif
