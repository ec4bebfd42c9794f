/* SPDX-License-Identifier: Apache-2.0 */
/* Declarations of endpoints: what is wrong is said before anything is sent. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "rest_api.h"

enum { MAX_PAGES = 10000, MOST_PAGES = 10000000 };

typedef struct reader {
  tn_rest *session;
  tn_arena *arena;
  tn_rest_endpoint *endpoint; /* the present one */
  tenon_error *err;
} reader;

TENON_PRINTF(3, 4)
static tenon_status wrong(const reader *r, const char *remedy, const char *format, ...) {
  char why[300];
  va_list args;
  va_start(args, format);
  vsnprintf(why, sizeof why, format, args);
  va_end(args);
  return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    remedy ? remedy : "docs/rest_api.md says how endpoints are declared",
                    "endpoint %.64s: %s", r->endpoint ? r->endpoint->name : "?", why);
}

/* ---- Values ---- */

static tenon_status keep(const reader *r, tn_json_text string, const char **ret) {
  tn_str text;
  tn_str_init(&text, string.size + 1);
  bool ok = tn_json_text_unquote(string, &text);
  char *copy = ok ? tn_arena_strndup(r->arena, tn_str_text(&text), text.size) : NULL;
  bool has_nul = ok && memchr(tn_str_text(&text), 0, text.size);
  tn_str_release(&text);
  if (has_nul) return wrong(r, NULL, "a text has a NUL character");
  if (!copy) return tn_no_memory(r->err);
  *ret = copy;
  return TENON_OK;
}

static tenon_status take_text(const reader *r, const char *key, tn_json_text v, const char **ret) {
  if (tn_json_text_type(v) != TN_JSON_STRING)
    return wrong(r, NULL, "%s is %s, not a text", key, tn_json_type_name(tn_json_text_type(v)));
  return keep(r, v, ret);
}

/* A configuration file may have made a text of it. */
static tenon_status take_bool(const reader *r, const char *key, tn_json_text v, bool *ret) {
  bool yes = tn_json_text_true(v) || tn_json_text_is(v, "true", 4);
  if (!yes && tn_json_text_type(v) != TN_JSON_BOOL && !tn_json_text_is(v, "false", 5))
    return wrong(r, NULL, "%s is neither true nor false", key);
  *ret = yes;
  return TENON_OK;
}

static tenon_status take_count(const reader *r, const char *key, tn_json_text v, int64_t max,
                               int64_t *ret) {
  tn_json_text inner = {v.data + 1, v.size - 2};
  if (!tn_json_text_integer(tn_json_text_type(v) == TN_JSON_STRING && v.size > 2 ? inner : v,
                            ret) ||
      *ret < 0 || *ret > max)
    return wrong(r, NULL, "%s is not a number from 0 to %lld", key, (long long)max);
  return TENON_OK;
}

static tenon_status take_object(const reader *r, const char *key, tn_json_text v,
                                tn_json_text *ret) {
  if (tn_json_text_type(v) != TN_JSON_OBJECT)
    return wrong(r, NULL, "%s is %s, not an object", key, tn_json_type_name(tn_json_text_type(v)));
  *ret = v;
  return TENON_OK;
}

/* ---- Members by name ---- */

typedef tenon_status (*member_fn)(reader *, tn_json_text value);
typedef struct member {
  const char *name;
  member_fn take;
} member;

static tenon_status unknown(const reader *r, const char *of, tn_json_text name,
                            const member *members, size_t count) {
  const char *names[32], *text = "";
  char remedy[160];
  tenon_status status = keep(r, name, &text);
  if (status) return status;
  for (size_t i = 0; i < count; i++) names[i] = members[i].name;
  const char *nearest = tn_nearest(text, names, count);
  snprintf(remedy, sizeof remedy, "%s%s%sdocs/rest_api.md says how endpoints are declared",
           nearest ? "did you mean " : "", nearest ? nearest : "", nearest ? "? " : "");
  return wrong(r, remedy, "%shas no %.64s", of, text);
}

static tenon_status take_members(reader *r, const char *of, tn_json_text object,
                                 const member *members, size_t count) {
  tn_json_text name, value;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(object, &c, &name, &value);) {
    size_t i = 0;
    while (i < count && !tn_json_text_is(name, members[i].name, strlen(members[i].name))) i++;
    if (i == count) return unknown(r, of, name, members, count);
    if (tn_json_text_type(value) != TN_JSON_NULL) status = members[i].take(r, value);
  }
  return status;
}

/* ---- Pagination ---- */

static const struct {
  const char *name;
  tn_rest_paging style;
  const char *variable;
} styles[] = {{"none", TN_REST_ONE_PAGE, NULL},        {"page", TN_REST_BY_PAGE, "page"},
              {"offset", TN_REST_BY_OFFSET, "offset"}, {"cursor", TN_REST_BY_CURSOR, "cursor"},
              {"link", TN_REST_BY_LINK, NULL},         {"next_url", TN_REST_BY_NEXT_URL, NULL}};

static tenon_status take_style(reader *r, tn_json_text v) {
  tn_rest_pagination *p = &r->endpoint->paging;
  for (size_t i = 0; i < sizeof styles / sizeof *styles; i++)
    if (tn_json_text_is(v, styles[i].name, strlen(styles[i].name))) {
      p->style = styles[i].style;
      if (!p->variable) p->variable = styles[i].variable;
      return TENON_OK;
    }
  return wrong(r, "write page, offset, cursor, link, next_url or none",
               "pagination has a style that there is not");
}

static tenon_status take_variable(reader *r, tn_json_text v) {
  return take_text(r, "pagination.variable", v, &r->endpoint->paging.variable);
}
static tenon_status take_next(reader *r, tn_json_text v) {
  return take_text(r, "pagination.next", v, &r->endpoint->paging.next);
}
static tenon_status take_next_record(reader *r, tn_json_text v) {
  return take_text(r, "pagination.next_record", v, &r->endpoint->paging.next_record);
}
static tenon_status take_has_more(reader *r, tn_json_text v) {
  return take_text(r, "pagination.has_more", v, &r->endpoint->paging.has_more);
}
static tenon_status take_total(reader *r, tn_json_text v) {
  return take_text(r, "pagination.total", v, &r->endpoint->paging.total);
}
static tenon_status take_pages(reader *r, tn_json_text v) {
  return take_text(r, "pagination.pages", v, &r->endpoint->paging.pages);
}
static tenon_status take_start(reader *r, tn_json_text v) {
  return take_count(r, "pagination.start", v, INT32_MAX, &r->endpoint->paging.start);
}
static tenon_status take_max_pages(reader *r, tn_json_text v) {
  return take_count(r, "pagination.max_pages", v, MOST_PAGES, &r->endpoint->paging.max_pages);
}

static const member paging_members[] = {
    {"style", take_style},        {"variable", take_variable},
    {"next", take_next},          {"next_record", take_next_record},
    {"has_more", take_has_more},  {"total", take_total},
    {"pages", take_pages},        {"start", take_start},
    {"max_pages", take_max_pages}};

static tenon_status check_paging(reader *r) {
  const tn_rest_pagination *p = &r->endpoint->paging;
  bool is_cursor = p->style == TN_REST_BY_CURSOR;
  if (is_cursor && !p->next == !p->next_record)
    return wrong(
        r, NULL,
        "pagination by cursor wants next (a path into the reply) or next_record (into the last record)");
  if (p->style == TN_REST_BY_NEXT_URL && !p->next)
    return wrong(r, NULL, "pagination by next_url wants next, a path into the reply");
  if (p->max_pages == 0) return wrong(r, NULL, "pagination.max_pages is at least 1");
  return TENON_OK;
}

static tenon_status take_pagination(reader *r, tn_json_text v) {
  tn_rest_pagination *p = &r->endpoint->paging;
  tn_json_text object;
  p->start = -1;
  tenon_status status = take_object(r, "pagination", v, &object);
  if (!status)
    status = take_members(r, "pagination ", object, paging_members,
                          sizeof paging_members / sizeof *paging_members);
  if (!status && p->start < 0) p->start = p->style == TN_REST_BY_PAGE;
  return status ? status : check_paging(r);
}

/* ---- Columns ---- */

static tenon_status take_type(reader *r, tn_json_text v, tn_rest_column *c) {
  tenon_status status = take_text(r, "a column's type", v, &c->type);
  if (status || tn_rest_type(c->type, c)) return status;
  return wrong(
      r,
      "write text, int64, float64, decimal(p,s), bool, date, time, timestamp, timestamptz, epoch, epoch_ms or json",
      "column %.64s has a type that there is not: %.64s", c->name, c->type);
}

static tenon_status take_column(reader *r, tn_json_text v, tn_rest_column *c) {
  tn_json_text type, path, name, value;
  if (tn_json_text_type(v) == TN_JSON_STRING) return take_type(r, v, c);
  if (tn_json_text_type(v) != TN_JSON_OBJECT || !tn_json_text_get(v, "type", 4, &type))
    return wrong(r, NULL, "column %.64s is neither a type nor an object with type and path",
                 c->name);
  for (const char *at = NULL; tn_json_text_next(v, &at, &name, &value);)
    if (!tn_json_text_is(name, "type", 4) && !tn_json_text_is(name, "path", 4))
      return wrong(r, NULL, "column %.64s has another member than type and path", c->name);
  tenon_status status = take_type(r, type, c);
  if (!status && tn_json_text_get(v, "path", 4, &path))
    status = take_text(r, "a column's path", path, &c->path);
  return status;
}

static tenon_status take_columns(reader *r, tn_json_text v) {
  tn_json_text object, name, value;
  tenon_status status = take_object(r, "columns", v, &object);
  size_t count = status ? 0 : tn_json_text_count(object), n = 0;
  if (!status && (!count || count > TN_REST_MAX_COLUMNS))
    return wrong(r, NULL, "columns are 1 to 2000");
  tn_rest_column *columns = tn_arena_alloc(r->arena, count * sizeof *columns);
  if (!status && !columns) return tn_no_memory(r->err);
  for (const char *c = NULL; !status && tn_json_text_next(object, &c, &name, &value); n++) {
    columns[n] = (tn_rest_column){.name = NULL};
    status = keep(r, name, &columns[n].name);
    if (!status) columns[n].name_size = strlen(columns[n].name);
    if (!status) status = take_column(r, value, &columns[n]);
  }
  r->endpoint->columns = columns;
  r->endpoint->column_count = n;
  return status;
}

/* ---- An endpoint ---- */

static tenon_status take_title(reader *r, tn_json_text v) {
  return take_text(r, "title", v, &r->endpoint->title);
}
static tenon_status take_description(reader *r, tn_json_text v) {
  return take_text(r, "description", v, &r->endpoint->description);
}
static tenon_status take_path(reader *r, tn_json_text v) {
  return take_text(r, "path", v, &r->endpoint->path);
}
static tenon_status take_query(reader *r, tn_json_text v) {
  return take_object(r, "query", v, &r->endpoint->query);
}
static tenon_status take_headers(reader *r, tn_json_text v) {
  return take_object(r, "headers", v, &r->endpoint->headers);
}
static tenon_status take_input(reader *r, tn_json_text v) {
  return take_object(r, "input", v, &r->endpoint->input);
}
static tenon_status take_records(reader *r, tn_json_text v) {
  return take_text(r, "records", v, &r->endpoint->records);
}
static tenon_status take_error(reader *r, tn_json_text v) {
  return take_text(r, "error", v, &r->endpoint->error);
}
static tenon_status take_read_only(reader *r, tn_json_text v) {
  return take_bool(r, "read_only", v, &r->endpoint->read_only);
}
static tenon_status take_idempotent(reader *r, tn_json_text v) {
  return take_bool(r, "idempotent", v, &r->endpoint->idempotent);
}

static tenon_status take_method(reader *r, tn_json_text v) {
  static const char *const methods[] = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"};
  for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
    if (tn_json_text_is(v, methods[i], strlen(methods[i]))) {
      r->endpoint->method = methods[i];
      return TENON_OK;
    }
  return wrong(r, NULL, "the method is none of GET, HEAD, POST, PUT, PATCH, DELETE");
}

static tenon_status take_reply(reader *r, tn_json_text v) {
  r->endpoint->is_text = tn_json_text_is(v, "text", 4);
  return r->endpoint->is_text || tn_json_text_is(v, "json", 4)
             ? TENON_OK
             : wrong(r, NULL, "reply is neither json nor text");
}

static tenon_status take_output(reader *r, tn_json_text v) {
  r->endpoint->output_schema = tn_arena_strndup(r->arena, v.data, v.size);
  return r->endpoint->output_schema ? TENON_OK : tn_no_memory(r->err);
}

static tenon_status set_body(reader *r, tn_rest_body kind) {
  if (r->endpoint->body_kind) return wrong(r, NULL, "it has more than one body");
  r->endpoint->body_kind = kind;
  return TENON_OK;
}

/* '{"a": {{x}}}' is a text, which would be sent as one: nobody means that. */
static bool looks_like_json(tn_json_text v) {
  tn_rest_piece p;
  if (tn_json_text_type(v) != TN_JSON_STRING ||
      tn_rest_is_variable(v.data + 1, v.size - 2, &p))
    return false;
  const char *text = v.data + 1;
  size_t size = v.size - 2;
  while (size && (*text == ' ' || (size > 1 && memcmp(text, "\\n", 2) == 0))) {
    size_t n = *text == ' ' ? 1 : 2;
    text += n;
    size -= n;
  }
  return size && (*text == '[' || (*text == '{' && (size == 1 || text[1] != '{')));
}

static tenon_status take_json(reader *r, tn_json_text v) {
  if (looks_like_json(v))
    return wrong(r, "write it without the quotes around it: json: {a: \"{{x}}\"}",
                 "json is a text that looks like JSON, and would be sent as a text");
  r->endpoint->body = v;
  return set_body(r, TN_REST_BODY_JSON);
}

static tenon_status take_form(reader *r, tn_json_text v) {
  tenon_status status = take_object(r, "form", v, &r->endpoint->body);
  return status ? status : set_body(r, TN_REST_BODY_FORM);
}

static tenon_status take_xml(reader *r, tn_json_text v) {
  tenon_status status = take_text(r, "xml", v, &r->endpoint->xml);
  return status ? status : set_body(r, TN_REST_BODY_XML);
}

static const member endpoint_members[] = {{"title", take_title},
                                          {"description", take_description},
                                          {"method", take_method},
                                          {"path", take_path},
                                          {"query", take_query},
                                          {"headers", take_headers},
                                          {"json", take_json},
                                          {"form", take_form},
                                          {"xml", take_xml},
                                          {"input", take_input},
                                          {"output", take_output},
                                          {"read_only", take_read_only},
                                          {"idempotent", take_idempotent},
                                          {"reply", take_reply},
                                          {"records", take_records},
                                          {"error", take_error},
                                          {"columns", take_columns},
                                          {"pagination", take_pagination}};

/* ---- Templates ---- */

static bool is_scalar(tn_json_text v) {
  tn_json_type type = tn_json_text_type(v);
  return type != TN_JSON_ARRAY && type != TN_JSON_OBJECT && type != TN_JSON_NULL;
}

/* The key is not put beside another value of its own name: who reads which of them, nobody knows. */
static tenon_status check_parameters(const reader *r) {
  const tn_rest_config *c = r->session->config;
  tn_json_text value;
  bool in_query = strcmp(c->auth, "api_key") == 0 && c->api_key_query;
  if (!in_query || !tn_json_text_get(r->endpoint->query, c->api_key_query,
                                     strlen(c->api_key_query), &value))
    return TENON_OK;
  return wrong(r, "leave it out", "the query parameter %.64s has the API key already",
               c->api_key_query);
}

static tenon_status check_pairs(reader *r, tn_json_text object, tn_rest_position position,
                                const char *what) {
  char where[160];
  tn_json_text name, value;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(object, &c, &name, &value);) {
    const char *key = "", *text = "";
    if (!is_scalar(value))
      return wrong(r, NULL, "a value of %s is %s", what,
                   tn_json_type_name(tn_json_text_type(value)));
    status = keep(r, name, &key);
    snprintf(where, sizeof where, "endpoint %.64s: %s", r->endpoint->name, what);
    if (!status) status = tn_rest_check_name(key, strlen(key), where, r->err);
    if (status || tn_json_text_type(value) != TN_JSON_STRING) continue;
    status = keep(r, value, &text);
    snprintf(where, sizeof where, "endpoint %.64s: %s %.64s", r->endpoint->name, what, key);
    if (!status) status = tn_rest_check_template(text, strlen(text), position, where, r->err);
  }
  return status;
}

/* What says how long the message is, to whom it goes and from whom it comes is not for others to set. */
static const char *unfit_header(const tn_rest *s, const char *name) {
  const tn_rest_config *c = s->config;
  const char *why = tn_http_unfit_header(name);
  if (why) return why;
  bool by_key = strcmp(c->auth, "api_key") == 0;
  if (by_key && !c->api_key_query && strcasecmp(name, c->api_key_header) == 0)
    return "has the API key already";
  if (!by_key && strcmp(c->auth, "none") != 0 && strcasecmp(name, "authorization") == 0)
    return "is set by the connector's auth";
  return NULL;
}

static tenon_status check_header_name(reader *r, const char *name) {
  const char *why = unfit_header(r->session, name);
  return why ? wrong(r, "leave it out", "the header %.64s %s", name, why) : TENON_OK;
}

static tenon_status check_login(const tn_rest_config *c, tenon_error *err) {
  if (strcmp(c->auth, "basic") == 0) return tn_http_check_user(c->username, err);
  if (strcmp(c->auth, "api_key") == 0 && !c->api_key_query)
    return tn_http_check_credential_header("api_key_header", c->api_key_header, err);
  return TENON_OK;
}

static tenon_status check_own_headers(const tn_rest *s, tenon_error *err) {
  const tenon_strings *all = &s->config->headers;
  for (size_t i = 0; i + 1 < all->count; i += 2) {
    const char *why = unfit_header(s, all->items[i]);
    if (why)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave it out of headers",
                        "the header %.64s %s", all->items[i], why);
  }
  return TENON_OK;
}

static tenon_status check_header_names(reader *r, tn_json_text headers) {
  tn_json_text name, value;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(headers, &c, &name, &value);) {
    const char *key = "";
    status = keep(r, name, &key);
    if (!status) status = check_header_name(r, key);
  }
  return status;
}

static tenon_status check_body(reader *r) {
  const tn_rest_endpoint *e = r->endpoint;
  char where[100];
  snprintf(where, sizeof where, "endpoint %.64s: the body", e->name);
  if (e->body_kind == TN_REST_BODY_JSON)
    return tn_rest_walk_json(e->body, where, NULL, NULL, r->err);
  if (e->body_kind == TN_REST_BODY_FORM) return check_pairs(r, e->body, TN_REST_FORM, "form");
  return e->body_kind ? tn_rest_check_template(e->xml, strlen(e->xml), TN_REST_XML, where, r->err)
                      : TENON_OK;
}

static tenon_status check_templates(reader *r) {
  const tn_rest_endpoint *e = r->endpoint;
  char where[100];
  snprintf(where, sizeof where, "endpoint %.64s: path", e->name);
  tenon_status status =
      tn_rest_check_template(e->path, strlen(e->path), TN_REST_PATH, where, r->err);
  if (!status) status = check_parameters(r);
  if (!status) status = check_pairs(r, e->query, TN_REST_QUERY, "query");
  if (!status) status = check_header_names(r, e->headers);
  if (!status) status = check_pairs(r, e->headers, TN_REST_HEADER, "headers");
  return status ? status : check_body(r);
}

/* ---- Defaults ---- */

/* By what HTTP says of methods: RFC 9110 §9.2. */
static void settle_method(tn_rest_endpoint *e) {
  if (!e->method) e->method = e->body_kind ? "POST" : "GET";
  bool reads = strcmp(e->method, "GET") == 0 || strcmp(e->method, "HEAD") == 0;
  if (reads) e->read_only = true;
  if (reads || e->read_only || strcmp(e->method, "PUT") == 0 || strcmp(e->method, "DELETE") == 0)
    e->idempotent = true;
}

static tenon_status settle(reader *r) {
  tn_rest_endpoint *e = r->endpoint;
  if (!e->path) return wrong(r, NULL, "it has no path");
  settle_method(e);
  if (e->body_kind && (strcmp(e->method, "GET") == 0 || strcmp(e->method, "HEAD") == 0))
    return wrong(r, "leave the body out, or write method: POST", "%s has no body", e->method);
  if (e->records && !e->read_only)
    return wrong(r, "add read_only: true if it changes nothing",
                 "it has records to be read, but %s may change something", e->method);
  if (!e->records && (e->columns || e->paging.style))
    return wrong(r, "say where the records are: records: /items, or \"\" for the whole reply",
                 "columns and pagination are for records");
  if (e->records && e->is_text) return wrong(r, NULL, "records are read from JSON, not from text");
  return check_templates(r);
}

static bool is_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
  size_t size = strlen(name);
  return size > 0 && size <= 64 && strspn(name, letters) == size;
}

static tenon_status read_endpoint(reader *r, tn_json_text name, tn_json_text v) {
  tn_rest_endpoint *e = r->endpoint;
  *e = (tn_rest_endpoint){.name = "", .paging = {.max_pages = MAX_PAGES}};
  tenon_status status = keep(r, name, &e->name);
  if (!status && !is_name(e->name))
    return wrong(r, NULL, "its name is not 1 to 64 letters, digits, _ and -");
  if (!status && tn_json_text_type(v) != TN_JSON_OBJECT)
    return wrong(r, NULL, "it is not an object");
  if (!status)
    status = take_members(r, "it ", v, endpoint_members,
                          sizeof endpoint_members / sizeof *endpoint_members);
  if (!status) status = settle(r);
  return status ? status : tn_rest_describe(r->session, e, r->err);
}

static int by_name(const void *a, const void *b) {
  return strcmp(((const tn_rest_endpoint *)a)->name, ((const tn_rest_endpoint *)b)->name);
}

static tenon_status read_endpoints(reader *r, tn_json_text all) {
  tn_json_text name, value;
  tenon_status status = TENON_OK;
  for (const char *c = NULL; !status && tn_json_text_next(all, &c, &name, &value);
       r->session->endpoint_count++) {
    r->endpoint = &r->session->endpoints[r->session->endpoint_count];
    status = read_endpoint(r, name, value);
  }
  if (!status)
    qsort(r->session->endpoints, r->session->endpoint_count, sizeof *r->session->endpoints,
          by_name);
  return status;
}

static void put_variables(const tenon_strings *v, tn_str *out) {
  for (size_t i = 0; i + 1 < v->count; i += 2) {
    if (out->size > 1) tn_str_putc(out, ',');
    tn_json_quote(out, v->items[i], strlen(v->items[i]));
    tn_str_putc(out, ':');
    tn_json_quote(out, v->items[i + 1], strlen(v->items[i + 1]));
  }
}

/* The connector's variables become a JSON object. */
static tenon_status fix_variables(tn_rest *s, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, 1 << 20);
  tn_str_putc(&text, '{');
  put_variables(&s->config->variables, &text);
  put_variables(&s->config->secrets, &text);
  tn_str_putc(&text, '}');
  const char *copy = text.failed ? NULL : tn_arena_strndup(&s->arena, text.data, text.size);
  s->fixed = (tn_json_text){copy, text.size};
  tn_wipe(text.data, text.size);
  tn_str_release(&text);
  return copy ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_rest_declare(tn_rest *s, tenon_error *err) {
  reader r = {.session = s, .arena = &s->arena, .err = err};
  tn_json_text all;
  tenon_status status = fix_variables(s, err);
  if (!status) status = check_login(s->config, err);
  if (!status) status = check_own_headers(s, err);
  if (!status)
    status = tn_json_text_check(s->config->endpoints, strlen(s->config->endpoints), &all, err);
  if (status) return status;
  size_t count = tn_json_text_count(all);
  if (tn_json_text_type(all) != TN_JSON_OBJECT || !count || count > TN_REST_MAX_ENDPOINTS)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "docs/rest_api.md says how endpoints are declared",
                      "endpoints is not an object of 1 to %d endpoints", TN_REST_MAX_ENDPOINTS);
  s->endpoints = tn_arena_alloc(&s->arena, count * sizeof *s->endpoints);
  return s->endpoints ? read_endpoints(&r, all) : tn_no_memory(err);
}

tenon_status tn_rest_find(const tn_rest *s, const char *name, const tn_rest_endpoint **ret,
                          tenon_error *err) {
  const char *names[TN_REST_MAX_ENDPOINTS];
  char remedy[160];
  for (size_t i = 0; i < s->endpoint_count; i++) {
    names[i] = s->endpoints[i].name;
    if (strcmp(names[i], name) == 0) {
      *ret = &s->endpoints[i];
      return TENON_OK;
    }
  }
  const char *nearest = tn_nearest(name, names, s->endpoint_count);
  snprintf(remedy, sizeof remedy, "%s%s%s`tenon actions` lists them",
           nearest ? "did you mean " : "", nearest ? nearest : "", nearest ? "? " : "");
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "there is no endpoint %.64s",
                    name);
}
