/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one version of an object, in one reply as long as it holds. Where it breaks off, the rest is asked for again,
 * if the server says which version its bytes are of. A server that knows no ranges sends everything: what was not
 * asked for is read and thrown away, so that the answer is the same.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "providers/storage/http/http.h"

enum { MAX_TRIES = 4, SKIP_AT_A_TIME = 256 << 10, PROGRESS = 64 << 10 };

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
  int tries;
  int64_t tried_at;
} getting;

/* ---- Asking ---- */

static tenon_status other_range(const getting *g, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the server", "%.*s: another range came than was asked for",
                    (int)g->key.size, g->key.data);
}

static tenon_status changed(const getting *g, tenon_error *err) {
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "look at what is there, then decide", "%.*s was changed meanwhile",
                    (int)g->key.size, g->key.data);
}

static tenon_status behind_the_end(const getting *g, int64_t size, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask for a range within its size",
                    "the range begins at %" PRId64 ", and %.*s has %" PRId64 " bytes", g->at, (int)g->key.size, g->key.data, size);
}

static tenon_status send(getting *g, tenon_error *err) {
  bool resumes = g->object.struct_size != 0;
  tn_web_reply_release(&g->reply);
  tn_web_reply_init(&g->reply);
  if (g->end >= 0) snprintf(g->range, sizeof g->range, "bytes=%" PRId64 "-%" PRId64, g->at, g->end - 1);
  else snprintf(g->range, sizeof g->range, "bytes=%" PRId64 "-", g->at);
  if (g->at > 0 || g->end >= 0) tn_web_header(&g->reply, "range", g->range);
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
    if (g->if_match && strcmp(g->if_match, object.etag) != 0) return changed(g, err);   /* not every server minds If-Match */
    g->object = object;
    g->version = version;
  }
  return status == 206 ? take_part(g, err) : take_whole(g, err);
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
    int64_t delay = (int64_t)25 << g->tries;
    if (why->retry_after_ms > delay) delay = why->retry_after_ms;
    if (delay >= tn_web_host->remaining_ms(g->ctx)) break;
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
  if (g->if_match && strcmp(g->if_match, object.etag) != 0) return changed(g, err);
  g->object = object;
  g->end = g->at;
  return TENON_OK;
}

static tenon_status begin(getting *g, tenon_error *err) {
  if (g->end == g->at) return take_nothing(g, err);
  tenon_status status = send(g, err);
  if (status) return status;
  if (g->reply.http.status != 416) return take_reply(g, err);
  int64_t size = tn_web_unsatisfied_size(&g->reply);
  if (size >= 0 && g->at > size) return behind_the_end(g, size, err);
  if (size >= 0 && g->at < size) return other_range(g, err);
  tn_web_reply_release(&g->reply);
  return take_nothing(g, err);
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
