/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kind `rest_api`: any HTTP API that speaks JSON, described by its endpoints (docs/rest_api.md).
 *   template.c   texts with variables
 *   endpoint.c   the declarations, read once when a session is opened
 *   describe.c   what an endpoint says of itself as an action: its JSON Schema
 *   limit.c      when a request may be sent
 *   request.c    one request and its reply: authentication, errors
 *   page.c       one page after another
 *   column.c     values of records into typed columns
 *   actions.c, tables.c   the facets
 */
#ifndef TN_REST_API_H
#define TN_REST_API_H

#include <pthread.h>

#include "arrow/build.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "providers/over_http.h"
#include "providers/over_oauth.h"
#include "template.h"
#include "tenon/provider.h"

enum { TN_REST_MAX_ENDPOINTS = 1000, TN_REST_MAX_COLUMNS = 2000, TN_REST_MAX_URL = 64 << 10 };

extern const tenon_host *tn_rest_host;

typedef struct tn_rest_config {
  uint64_t set;
  const char *base_url, *auth, *username, *password, *token;
  const char *api_key, *api_key_header, *api_key_query, *endpoints, *test_endpoint;
  tenon_strings headers, variables, secrets;
  double requests_per_second, requests_per_minute;
  int64_t max_reply;
  tn_http_params reach;
  tn_oauth_params oauth;
} tn_rest_config;

/* ---- What is declared ---- */

typedef enum tn_rest_paging {
  TN_REST_ONE_PAGE = 0, TN_REST_BY_PAGE, TN_REST_BY_OFFSET, TN_REST_BY_CURSOR, TN_REST_BY_LINK,
  TN_REST_BY_NEXT_URL
} tn_rest_paging;

/* How a value becomes a column's. */
typedef enum tn_rest_rule {
  TN_REST_JSON = 0, TN_REST_TEXT_VALUE, TN_REST_BOOL, TN_REST_INT, TN_REST_FLOAT, TN_REST_DECIMAL,
  TN_REST_DATE, TN_REST_TIME, TN_REST_TIMESTAMP, TN_REST_TIMESTAMPTZ, TN_REST_EPOCH, TN_REST_EPOCH_MS
} tn_rest_rule;

typedef struct tn_rest_column {
  const char *name, *path, *type;   /* path NULL: the member of that name */
  size_t name_size;
  char format[32];
  tn_rest_rule rule;
  int width, scale;
} tn_rest_column;

typedef struct tn_rest_pagination {
  tn_rest_paging style;
  const char *variable;            /* page, offset, cursor: what templates call it */
  const char *next, *has_more, *total, *pages;   /* paths into the reply; NULL: not said */
  const char *next_record;         /* cursor: a path into the last record */
  int64_t start, max_pages;
} tn_rest_pagination;

typedef enum tn_rest_body {
  TN_REST_NO_BODY = 0, TN_REST_BODY_JSON, TN_REST_BODY_FORM, TN_REST_BODY_XML
} tn_rest_body;

typedef struct tn_rest_endpoint {
  const char *name, *title, *description, *method, *path;
  tn_json_text query, headers, body;
  const char *xml;
  tn_rest_body body_kind;
  bool read_only, idempotent, is_text;
  tn_json_text input;              /* what is declared of variables: name to schema */
  tn_json_text defaults;           /* their default values, an object */
  const char *input_schema, *output_schema;
  const char *records;             /* a path; NULL: it is no table */
  const char *error;               /* a path to what says that it failed although the status is fine */
  const tn_rest_column *columns;
  size_t column_count;             /* 0: by the first page */
  tn_rest_pagination paging;
} tn_rest_endpoint;

typedef struct tn_rest_limit tn_rest_limit;

typedef struct tn_rest {
  const tn_rest_config *config;
  tenon_http *http;
  tenon_http_options http_options;
  bool has_oauth;
  tenon_token_source oauth;        /* where its tokens come from */
  tn_arena arena;                  /* of all that is declared */
  tn_rest_endpoint *endpoints;     /* by name */
  size_t endpoint_count;
  tn_json_text fixed;              /* the connector's variables, an object */
  tn_http_base base;
  tn_rest_limit *limit;            /* with all sessions of the process to this service */
  int64_t gap_us;                  /* between requests */
} tn_rest;

/* endpoint.c, describe.c */
tenon_status tn_rest_declare(tn_rest *, tenon_error *err);
tenon_status tn_rest_find(const tn_rest *, const char *name, const tn_rest_endpoint **ret, tenon_error *err);
tenon_status tn_rest_describe(tn_rest *, tn_rest_endpoint *, tenon_error *err);
/* The name of a type as columns are declared with; false: there is none. */
bool tn_rest_type(const char *name, tn_rest_column *ret);

/* ---- Turns ---- */

tenon_status tn_rest_limit_join(const tn_rest *, tn_rest_limit **ret, tenon_error *err);
void tn_rest_limit_leave(tn_rest_limit *);   /* NULL is fine */
/* LIMITED, with how long it would take and without a turn taken, if that is later than the deadline. */
tenon_status tn_rest_limit_wait(tenon_ctx *, tn_rest_limit *, int64_t gap_us, tenon_error *err);
void tn_rest_limit_hold(tn_rest_limit *, int64_t ms);

/* ---- Requests ---- */

/* A reply that was read whole. */
typedef struct tn_rest_reply {
  tn_str text;
  tn_json_text root;               /* data NULL: it is empty */
  tn_str link;                     /* where rel=next points, if a header says so */
  tn_str url;                      /* what was asked */
} tn_rest_reply;

void tn_rest_reply_release(tn_rest_reply *);
/* url NULL: as declared. Waits for its turn first. */
/* *ret_sent (may be NULL), also on failure: whether the service may have got it. */
tenon_status tn_rest_send(tenon_ctx *, tn_rest *, const tn_rest_endpoint *, const tn_rest_scope *,
                          const char *url, tn_rest_reply *ret, bool *ret_sent, tenon_error *err);
/* Does anybody answer, and to these credentials? Any status will do but those that say that they are not good. */
tenon_status tn_rest_probe(tenon_ctx *, tn_rest *, int32_t *ret_status, tenon_error *err);
/* Input may be empty (data NULL). */
tn_rest_scope tn_rest_scope_of(const tn_rest *, const tn_rest_endpoint *, tn_json_text page, tn_json_text input);
/* Appends where rel=next of a Link header points, if there is one (RFC 8288). */
tenon_status tn_rest_next_link(const char *header, tn_str *ret, tenon_error *err);
/* Where a reference in a reply points, if that is the base URL's origin; else FORBIDDEN. */
tenon_status tn_rest_resolve(const tn_rest *, const char *from, const char *reference, tn_str *ret, tenon_error *err);

/* ---- Pages ---- */

typedef struct tn_rest_pages {
  tn_rest *session;
  const tn_rest_endpoint *endpoint;
  tn_rest_reply reply;             /* the present page */
  tn_json_text records;
  size_t record_count;
  int64_t number;                  /* of page, or offset */
  int64_t count, rows;             /* pages and records that were read */
  int64_t promised_pages, promised_rows; /* how many there are, as was said last; -1: nothing */
  tn_str cursor;                   /* the next page's: JSON, or a URL; empty for the first */
  tn_str variable;                 /* {"page": 2} */
  uint64_t *seen;                  /* hashes of cursors */
  uint64_t last_page;              /* hash of its records */
  bool ended;
} tn_rest_pages;

void tn_rest_pages_init(tn_rest_pages *, tn_rest *, const tn_rest_endpoint *);
void tn_rest_pages_release(tn_rest_pages *);
/* Reads the next page; *ret_more is false behind the last. The page's records stay until the next call. */
tenon_status tn_rest_pages_next(tenon_ctx *, tn_rest_pages *, bool *ret_more, tenon_error *err);

/* ---- Columns ---- */

/* What a page's records have, each with the type that holds them all. */
tenon_status tn_rest_infer(tn_json_text records, tn_arena *, tn_rest_column **ret, size_t *ret_count, tenon_error *err);
tenon_status tn_rest_schema(const tn_rest_column *, size_t count, struct ArrowSchema *ret, tenon_error *err);
/* row: for messages, from 1 on. */
tenon_status tn_rest_append(tn_builder *, const tn_rest_column *, size_t count, bool inferred, tn_json_text record,
                            int64_t row, tenon_error *err);

/* actions.c, tables.c */
extern const tenon_actions_ops tn_rest_actions;
extern const tenon_tables_ops tn_rest_tables;

#endif
