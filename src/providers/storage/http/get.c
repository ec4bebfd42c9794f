/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one version of an object. The first part comes in one reply. What is behind it comes by several ranges at once, where the
 * server says for sure which version they are of; else one reply after the other. Where one breaks off, the rest is asked for again. A
 * server that knows no ranges sends everything: what was not asked for is read and thrown away, so that the answer is the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/backoff.h"
#include "providers/storage/http/http.h"
#include "providers/storage/storage.h"

enum { MAX_TRIES = 5, FIRST_DELAY_MS = 100, LONGEST_DELAY_MS = 60000, SKIP_AT_A_TIME = 256 << 10, PROGRESS = 64 << 10 };

typedef struct getting {
  tenon_ctx *ctx;
  tn_web *s;
  char key_text[TN_WEB_MAX_KEY];
  tenon_key_bytes key;
  const char *if_match;      /* of the first request */
  tn_web_reply reply;
  char range[64];
  tenon_object object;
  tn_web_version version;
  bool is_whole;             /* the server sent everything, though a part was asked for */
  int64_t at, end;           /* end -1: when the reply ends */
  int64_t skip;              /* bytes that come before `at` */
  int64_t reply_end;         /* where this reply ends, -1: not said */
  bool is_first_part;        /* a range was asked for that is shorter than what is wanted */
  tenon_bytes rest;          /* from rest_at on, by several ranges; close NULL: none of it */
  int64_t rest_at;
  int tries;
  int64_t tried_at;
} getting;

/* ---- Asking ---- */

static tenon_status other_range(const getting *g, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the server", "%.*s: another range came than was asked for",
                    (int)g->key.size, g->key.data);
}

static const char again[] = "get it again";

static tenon_status changed(const getting *g, tenon_error *err) {
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, again, "%.*s was changed while it was read", (int)g->key.size, g->key.data);
}

static tenon_status other_than_wanted(const getting *g, const char *etag, tenon_error *err) {
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "look at what is there; then ask for its etag, or for none",
                    "%.*s is another version: %s%s", (int)g->key.size, g->key.data, *etag ? "its etag is " : "it has no strong etag", etag);
}

static tenon_status behind_the_end(const getting *g, int64_t size, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask for a range within its size",
                    "the range begins at %" PRId64 ", and %.*s has %" PRId64 " bytes", g->at, (int)g->key.size, g->key.data, size);
}

static tenon_status send(getting *g, tenon_error *err) {
  bool resumes = g->object.struct_size != 0;
  int64_t last = g->is_first_part ? g->at + TN_RANGE_SIZE : g->rest.close ? g->rest_at : g->end;
  tn_web_reply_release(&g->reply);
  tn_web_reply_init(&g->reply);
  if (last >= 0) snprintf(g->range, sizeof g->range, "bytes=%" PRId64 "-%" PRId64, g->at, last - 1);
  else snprintf(g->range, sizeof g->range, "bytes=%" PRId64 "-", g->at);
  if (g->at > 0 || last >= 0) tn_web_header(&g->reply, "range", g->range);
  if (resumes) tn_web_ask_same(&g->reply, &g->version);
  else if (g->if_match) tn_web_header(&g->reply, "if-match", g->if_match);
  return tn_web_send(g->ctx, g->s, "GET", &g->key, -1, &g->reply, err);
}

static tenon_status take_part(getting *g, tenon_error *err) {
  tn_web_range range;
  if (!tn_web_content_range(&g->reply, &range) || range.first != g->at || (g->end >= 0 && range.last >= g->end)) return other_range(g, err);
  g->skip = 0;
  g->reply_end = range.last + 1;
  int64_t end = range.size >= 0 ? range.size : g->reply_end;   /* a size that nobody says is not beyond what came */
  if (g->end < 0 || g->end > end) g->end = end;
  return TENON_OK;
}

static tenon_status take_whole(getting *g, tenon_error *err) {
  int64_t size = g->object.size;
  if (size >= 0 && g->at > size) return behind_the_end(g, size, err);
  g->is_whole = g->at > 0 || g->end >= 0;
  g->skip = g->at;
  g->reply_end = size;
  if (size >= 0 && (g->end < 0 || g->end > size)) g->end = size;
  return TENON_OK;
}

static tenon_status take_reply(getting *g, tenon_error *err) {
  int32_t status = g->reply.http.status;
  if (status != 200 && status != 206) return tn_web_refused(g->s, &g->reply, &g->key, err);
  if (tn_web_is_folder(&g->reply))
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "name a file in it; `tenon ls --objects` lists what is there",
                      "%.*s is a folder", (int)g->key.size, g->key.data);
  tenon_status result = tn_web_check_coding(&g->reply, &g->key, err);
  if (!result) result = tn_web_check_end(&g->reply, &g->key, err);
  if (result) return result;
  tenon_object object;
  tn_web_version version;
  tn_web_describe(&g->reply, &object, &version);
  if (g->object.struct_size && !tn_web_same(&g->version, &version)) return changed(g, err);
  if (!g->object.struct_size) {
    if (g->if_match && strcmp(g->if_match, object.etag) != 0) return other_than_wanted(g, object.etag, err);   /* not every server minds If-Match */
    g->object = object;
    g->version = version;
  }
  return status == 206 ? take_part(g, err) : take_whole(g, err);
}

/* ---- What is behind the first part, by several ranges at once ---- */

typedef struct ranging {
  tn_web *s;
  char key_text[TN_WEB_MAX_KEY];
  tenon_key_bytes key;
  tn_web_version version;
} ranging;

static tenon_status prepare_range(tenon_ctx *ctx, void *self, const char *range, const tenon_object *known, void *ret_prepared,
                                  tenon_http_request *ret, tenon_error *err) {
  ranging *r = self;
  tn_web_reply *asked = ret_prepared;
  (void)ctx;
  (void)known;
  tn_web_reply_init(asked);
  tn_web_header(asked, "range", range);
  tn_web_ask_same(asked, &r->version);
  tenon_status status = tn_web_prepare(r->s, "GET", &r->key, -1, asked, ret, err);
  if (status) tn_web_reply_release(asked);
  return status;
}

static void release_range(void *prepared) { tn_web_reply_release(prepared); }

static tenon_status look_at_range(void *self, const tenon_http_exchange *x, const tenon_object *known, tenon_object *ret, tenon_error *err) {
  const ranging *r = self;
  tn_web_version version;
  const tn_web_reply reply = {.http = {.status = tn_web_host->http->status(x), .exchange = (tenon_http_exchange *)(uintptr_t)x}};
  (void)known;
  tenon_status status = tn_web_check_coding(&reply, &r->key, err);
  if (status) return status;
  tn_web_describe(&reply, ret, &version);
  if (tn_web_same(&r->version, &version)) return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, again, "%.*s was changed while it was read", (int)r->key.size, r->key.data);
}

static tenon_status range_refused(void *self, const tenon_http_exchange *x, const char *text, size_t size, tenon_error *err) {
  const ranging *r = self;
  const tn_web_reply reply = {.http = {.status = tn_web_host->http->status(x), .exchange = (tenon_http_exchange *)(uintptr_t)x}};
  (void)text;
  (void)size;
  return tn_web_refused(r->s, &reply, &r->key, err);
}

static void free_ranging(void *self) { tn_free(self); }

/* Parts have to belong together for sure, and come from here. */
static bool is_for_ranges(const getting *g) { return g->object.size >= 0 && g->object.etag[0] && !g->reply.http.url; }

static tenon_status open_rest(getting *g, tenon_error *err) {
  ranging *r = tn_alloc(sizeof *r);
  if (!r) return tn_no_memory(err);
  r->s = g->s;
  memcpy(r->key_text, g->key_text, g->key.size);
  r->key = (tenon_key_bytes){r->key_text, g->key.size};
  r->version = g->version;
  const tn_range_source source = {.host = tn_web_host, .http = g->s->http, .name = g->s->base.url, .self = r, .free = free_ranging,
                                  .prepared_size = sizeof(tn_web_reply), .prepare = prepare_range, .release = release_range,
                                  .look = look_at_range, .refused = range_refused};
  tenon_object same;
  g->rest_at = g->reply_end;
  return tn_range_open(g->ctx, &source, g->rest_at, g->end, &g->object, (int)g->s->config->connections - 1, &same, &g->rest, err);
}

/* ---- Going on where it broke off ---- */

static bool may_resume(getting *g, const tenon_error *why) {
  const tn_web_version *v = &g->version;
  if (g->at - g->tried_at >= PROGRESS) g->tries = 0;
  g->tried_at = g->at;
  return why->retryable && ++g->tries < MAX_TRIES && (*v->etag || *v->modified) && v->size >= 0;
}

static tenon_status resume(getting *g, tenon_error *why, tenon_error *err) {
  tenon_status status = why->code;
  while (status && may_resume(g, why)) {
    int64_t delay = tn_backoff_ms(FIRST_DELAY_MS, g->tries, why->retry_after_ms);
    if (delay > LONGEST_DELAY_MS || !tn_backoff_fits(delay, tn_web_host->remaining_ms(g->ctx))) break;
    status = tn_web_host->wait(g->ctx, NULL, 0, (int)delay, err);
    if (status) return status;
    *why = (tenon_error)TENON_ERROR_INIT;
    status = send(g, why);
    if (!status) status = take_reply(g, why);
  }
  if (status && err && !err->code) *err = *why;
  return status;
}

/* ---- The body ---- */

static tenon_status skip(getting *g, tenon_error *err) {
  tenon_bytes *in = &g->reply.http.body;
  char *away = g->skip > 0 ? tn_resize(NULL, SKIP_AT_A_TIME) : NULL;
  tenon_status status = g->skip > 0 && !away ? tn_no_memory(err) : TENON_OK;
  while (!status && g->skip > 0) {
    size_t n = 0, room = g->skip < SKIP_AT_A_TIME ? (size_t)g->skip : SKIP_AT_A_TIME;
    status = in->read(in->self, away, room, &n, err);
    if (!status && n == 0) status = behind_the_end(g, g->at - g->skip, err);
    g->skip -= (int64_t)n;
  }
  tn_free(away);
  return status;
}

/* The end of the exchange, so that its connection can be used again. */
static void read_to_its_end(getting *g) {
  char byte;
  size_t n;
  tenon_bytes *in = &g->reply.http.body;
  if (in->close && g->reply_end == g->at) (void)in->read(in->self, &byte, 1, &n, NULL);
}

static tenon_status read_some(getting *g, char *data, size_t size, size_t *ret_size, tenon_error *err) {
  tenon_bytes *in = &g->reply.http.body;
  tenon_status status = skip(g, err);
  if (g->end >= 0 && (int64_t)size > g->end - g->at) size = (size_t)(g->end - g->at);
  if (!status) status = in->read(in->self, data, size, ret_size, err);
  if (status || *ret_size || g->reply_end < 0) return status;
  /* a server may give less of a range than was asked for */
  tenon_fail(err, TENON_UNREACHABLE, TENON_STAGE_DATA, "try again", "%.*s: fewer bytes came than were announced", (int)g->key.size, g->key.data);
  if (err) err->retryable = 1;
  return TENON_UNREACHABLE;
}

static tenon_status body_read(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  getting *g = self;
  size_t n = 0;
  if (g->end >= 0 && g->at >= g->end) {
    read_to_its_end(g);
    *ret_size = 0;
    return TENON_OK;
  }
  if (size == 0) return *ret_size = 0, TENON_OK;
  if (g->rest.close && g->at >= g->rest_at) {
    read_to_its_end(g);
    return g->rest.read(g->rest.self, data, size, ret_size, err);
  }
  for (;;) {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = read_some(g, data, size, &n, &why);
    if (!status) break;
    status = resume(g, &why, err);
    if (status) return status;
  }
  g->at += (int64_t)n;
  *ret_size = n;
  return TENON_OK;
}

static void body_close(void *self) {
  getting *g = self;
  if (g->rest.close) g->rest.close(g->rest.self);
  tn_web_reply_release(&g->reply);
  tn_free(g);
}

/* ---- Beginning ---- */

/* Nothing of it is wanted, or it is empty: it has no range. */
static tenon_status take_nothing(getting *g, tenon_error *err) {
  tenon_object object = {.struct_size = sizeof object, .size = -1};
  tenon_status status = tn_web_stat(g->ctx, g->s, &g->key, &object, err);
  if (status) return status;
  if (object.size >= 0 && g->at > object.size) return behind_the_end(g, object.size, err);
  if (g->if_match && strcmp(g->if_match, object.etag) != 0) return other_than_wanted(g, object.etag, err);
  g->object = object;
  g->end = g->at;
  return TENON_OK;
}

static tenon_status ask_first(getting *g, tenon_error *err) {
  tenon_status status = send(g, err);
  if (status) return status;
  if (g->reply.http.status != 416) return take_reply(g, err);
  int64_t size = tn_web_unsatisfied_size(&g->reply);
  if (size >= 0 && g->at > size) return behind_the_end(g, size, err);
  if (size >= 0 && g->at < size) return other_range(g, err);
  tn_web_reply_release(&g->reply);
  return take_nothing(g, err);
}

/* What is big is asked for by its first part, which shows whether the others can be had beside it; else by all of it. */
static tenon_status begin(getting *g, tenon_error *err) {
  int64_t wanted = g->end;
  if (g->end == g->at) return take_nothing(g, err);
  g->is_first_part = g->s->config->connections > 1 && (wanted < 0 || wanted - g->at > TN_RANGE_SIZE);
  tenon_status status = ask_first(g, err);
  bool is_split = !status && g->is_first_part && g->reply.http.status == 206 && (g->reply_end < g->end || g->object.size < 0);
  g->is_first_part = false;
  if (!is_split) return status;
  if (is_for_ranges(g)) return open_rest(g, err);
  g->object = (tenon_object){0};
  g->end = wanted;
  return ask_first(g, err);
}

tenon_status tn_web_get(tenon_ctx *ctx, void *session, const tenon_get *request, tenon_got *ret, tenon_error *err) {
  tenon_status status = tn_web_check_key(&request->key, false, err);
  if (status) return status;
  getting *g = tn_alloc(sizeof *g);
  if (!g) return tn_no_memory(err);
  g->ctx = ctx;
  g->s = session;
  memcpy(g->key_text, request->key.data, request->key.size);
  g->key = (tenon_key_bytes){g->key_text, request->key.size};
  g->if_match = request->if_match;
  g->at = g->tried_at = request->offset;
  g->end = -1;
  if (request->length >= 0 && __builtin_add_overflow(request->offset, request->length, &g->end)) g->end = -1;
  status = begin(g, err);
  g->if_match = NULL;
  if (status) {
    body_close(g);
    return status;
  }
  ret->object = g->object;
  ret->is_whole = g->is_whole;
  ret->body = (tenon_bytes){.struct_size = sizeof ret->body, .fd = -1, .length = g->end < 0 || g->object.size < 0 ? -1 : g->end - g->at, .self = g,
                            .read = body_read, .close = body_close};
  return TENON_OK;
}
