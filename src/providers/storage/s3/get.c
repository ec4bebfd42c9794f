/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one version of an object. Big ones come by ranges over several connections, all of the
 * version that the first one saw. The reader gets them in order: the range that it is at is read
 * straight into its buffer, the ones behind it rest in their sockets, and only when the first one
 * keeps us waiting are they read ahead into memory, at most a part each.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "retry.h"
#include "s3.h"

enum {
  MAX_PARTS = 16,
  TURN_MS = 4,               /* so long the reader waits for its range alone: sockets hold what comes for others meanwhile */
  TURN_SIZE = 1 << 20        /* then each of the others is read so far */
};

typedef struct getting getting;

typedef struct part {
  getting *g;
  int64_t at, size;          /* the range still wanted */
  char range[64];
  tn_s3_prepared prepared;
  tenon_http_exchange *exchange;
  char *data;                /* what came before it was asked for: from `read` to `filled` */
  size_t capacity, read, filled;
  bool has_ended, is_paused;
  int64_t may_keep;          /* before it rests */
  tn_s3_retry retry;
  tenon_status status;
  tenon_error error;
  tn_str refusal;
} part;

struct getting {
  tenon_ctx *ctx;
  tn_s3 *s;
  tenon_http_lane *lane;
  char key_text[TN_S3_MAX_KEY];
  tenon_key_bytes key;
  tenon_object object;
  const char *if_match;      /* of the first range; then the object's own etag */
  int64_t next, end;         /* bytes not asked for yet */
  bool knows_ranges;
  part parts[MAX_PARTS];     /* a ring */
  int first, count, window;
  int64_t waited_us;         /* for the first range alone */
  char *to;                  /* where the reader waits */
  size_t room, given;
};

static part *part_at(getting *g, int i) { return &g->parts[(g->first + i) % MAX_PARTS]; }

/* ---- Events ---- */

static bool is_first(const part *p) { return p->g->count > 0 && p == &p->g->parts[p->g->first]; }

static bool is_good(int32_t status) { return status == 200 || status == 206; }

/* A service that knows no ranges sends everything; that is fine for the beginning alone. */
static tenon_status on_head(void *arg, tenon_http_exchange *x, tenon_error *err) {
  part *p = arg;
  getting *g = p->g;
  int32_t status = tn_s3_host->http->status(x);
  if (!is_good(status)) return TENON_OK;
  const char *range = tn_s3_host->http->header(x, "content-range");
  long long from = 0;
  if (status == 206 && (!range || sscanf(range, "bytes %lld-", &from) != 1 || from != p->at))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "%s: another range came than was asked for", g->s->config->bucket);
  if (status == 200 && p->at > 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "read the whole object",
                      "%s: the service at %s does not give parts of objects", g->s->config->bucket, g->s->host);
  if (g->object.size >= 0) return TENON_OK;
  tn_s3_describe(x, &g->object);
  if (g->object.size < 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "%s: the service does not say how big the object is", g->s->config->bucket);
  if (g->end < 0 || g->end > g->object.size) g->end = g->object.size;
  if (status == 200 || p->at + p->size > g->end) p->size = g->end - p->at;
  g->next = p->at + p->size;
  g->knows_ranges = status == 206;
  return TENON_OK;
}

static void rest(part *p, bool on) {
  if (p->has_ended || p->is_paused == on) return;
  p->is_paused = on;
  tn_s3_host->http->pause(p->exchange, on);
}

static tenon_status keep(part *p, const char *data, size_t size, tenon_error *err) {
  if (p->read == p->filled) p->read = p->filled = 0;
  if (p->filled + size > p->capacity) {
    size_t capacity = (size_t)p->size + p->filled;
    char *more = tn_resize(p->data, capacity);
    if (!more) return tn_no_memory(err);
    p->data = more;
    p->capacity = capacity;
  }
  memcpy(p->data + p->filled, data, size);
  p->filled += size;
  p->may_keep -= (int64_t)size;
  return TENON_OK;
}

static tenon_status on_body(void *arg, const void *data, size_t size, tenon_error *err) {
  part *p = arg;
  getting *g = p->g;
  if (!is_good(tn_s3_host->http->status(p->exchange)))
    return tn_str_add(&p->refusal, data, size) ? TENON_OK : tn_no_memory(err);
  if ((int64_t)size > p->size) size = (size_t)p->size;   /* all of it was sent, and a part was wanted */
  size_t direct = 0;
  if (g->to && is_first(p) && p->read == p->filled) {
    direct = g->room - g->given < size ? g->room - g->given : size;
    memcpy(g->to + g->given, data, direct);
    g->given += direct;
  }
  tenon_status status = TENON_OK;
  if (direct < size) status = keep(p, (const char *)data + direct, size - direct, err);
  p->at += (int64_t)size;
  p->size -= (int64_t)size;
  bool is_wanted = is_first(p) && g->to && g->given < g->room;
  if (!is_wanted && p->may_keep <= 0) rest(p, true);
  return status;
}

static void on_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *err) {
  part *p = arg;
  p->has_ended = true;
  p->status = status;
  p->error = *err;
  if (status) return;
  if (!is_good(tn_s3_host->http->status(x))) {
    p->error = (tenon_error)TENON_ERROR_INIT;
    p->status = tn_s3_refused(p->g->s, x, tn_str_text(&p->refusal), p->refusal.size, &p->error);
  } else if (p->size > 0) {
    p->status = tenon_fail(&p->error, TENON_UNREACHABLE, TENON_STAGE_DATA, "try again",
                           "%s: fewer bytes came than were announced", p->g->s->config->bucket);
    p->error.retryable = 1;
  }
}

/* ---- Asking ---- */

static tenon_status ask(part *p, tenon_error *err) {
  getting *g = p->g;
  static const tenon_http_events proto = {.head = on_head, .body = on_body, .end = on_end};
  tenon_http_events events = proto;
  tn_s3_request r = {.method = "GET", .key = &g->key, .max_reply = -1};
  const char *etag = g->object.size >= 0 && *g->object.etag ? g->object.etag : g->if_match;
  snprintf(p->range, sizeof p->range, "bytes=%" PRId64 "-%" PRId64, p->at, p->at + p->size - 1);
  tn_s3_header(&r, "range", p->range);
  if (etag) tn_s3_header(&r, "if-match", etag);
  events.arg = p;
  p->has_ended = p->is_paused = false;
  p->status = TENON_OK;
  tn_str_clear(&p->refusal);
  tenon_status status = tn_s3_prepare(g->ctx, g->s, &r, &p->prepared, err);
  if (status) return status;
  status = tn_s3_host->http->begin(g->lane, &p->prepared.http, &events, &p->exchange, err);
  if (status) tn_s3_prepared_release(&p->prepared);
  return status;
}

static void forget_exchange(part *p) {
  if (!p->exchange) return;
  tn_s3_host->http->end(p->exchange);
  p->exchange = NULL;
  tn_s3_prepared_release(&p->prepared);
}

/* A part's memory goes on to a later one: there is as much of it as parts are under way. */
static void inherit(getting *g, part *p) {
  for (int i = 0; i < MAX_PARTS && !p->data; i++) {
    part *old = &g->parts[i];
    if ((i - g->first + MAX_PARTS) % MAX_PARTS < g->count) continue;
    p->data = old->data;
    p->capacity = old->capacity;
    if (old != p) old->data = NULL, old->capacity = 0;
  }
}

static tenon_status begin_part(getting *g, int64_t at, int64_t size, tenon_error *err) {
  part *p = part_at(g, g->count);
  inherit(g, p);
  *p = (part){.g = g, .at = at, .size = size, .data = p->data, .capacity = p->capacity};
  tn_str_init(&p->refusal, TN_S3_MAX_ERROR);
  tenon_status status = ask(p, err);
  if (!status) g->count++;
  return status;
}

static void end_first(getting *g) {
  part *p = part_at(g, 0);
  forget_exchange(p);
  tn_str_release(&p->refusal);
  g->first = (g->first + 1) % MAX_PARTS;
  g->count--;
}

static tenon_status fill_window(getting *g, tenon_error *err) {
  tenon_status status = TENON_OK;
  while (!status && g->count < g->window && g->next < g->end) {
    int64_t size = g->end - g->next < TN_S3_PART ? g->end - g->next : TN_S3_PART;
    status = begin_part(g, g->next, size, err);
    if (!status) g->next += size;
  }
  return status;
}

/* What is left of a range whose connection broke is asked for again. */
static tenon_status ask_again(part *p, tenon_error *err) {
  tenon_ctx *ctx = p->g->ctx;
  if (!p->g->knows_ranges) return tn_pass_error(&p->error, err);
  if (!tn_s3_retry_later(ctx, &p->retry, &p->error, err)) return p->status;
  forget_exchange(p);
  tenon_status status = tn_s3_wait_for_retry(ctx, &p->retry, err);
  return status ? status : ask(p, err);
}

/* ---- Driving ---- */

static bool first_has_news(getting *g) { return g->given > 0 || part_at(g, 0)->has_ended; }

static bool others_rest(getting *g) {
  for (int i = 1; i < g->count; i++)
    if (part_at(g, i)->is_paused) return true;
  return false;
}

static void let_others_come(getting *g) {
  g->waited_us = 0;
  for (int i = 1; i < g->count; i++) {
    part_at(g, i)->may_keep = TURN_SIZE;
    rest(part_at(g, i), false);
  }
}

/* The others have their turn whenever the reader has waited long enough in all. */
static tenon_status await_first(getting *g, tenon_error *err) {
  tenon_status status = TENON_OK;
  while (!status && !first_has_news(g)) {
    int64_t began = tn_s3_now_us();
    status = tn_s3_host->http->run(g->lane, others_rest(g) ? TURN_MS : -1, NULL, err);
    g->waited_us += tn_s3_now_us() - began;
    if (g->waited_us >= 1000 * TURN_MS) let_others_come(g);
  }
  return status;
}

/* The first range alone, as long as it has something. Who has something already does not wait. */
static tenon_status drive(getting *g, tenon_error *err) {
  size_t before = g->given;
  rest(part_at(g, 0), false);
  tenon_status status = tn_s3_host->http->run(g->lane, 0, NULL, err);
  return status || before ? status : await_first(g, err);
}

static size_t take_kept(part *p, char *to, size_t room) {
  size_t n = p->filled - p->read < room ? p->filled - p->read : room;
  if (n) memcpy(to, p->data + p->read, n);
  p->read += n;
  return n;
}

/* Goes on at the next range, or with this one again. */
static tenon_status leave_first(getting *g, tenon_error *err) {
  part *p = part_at(g, 0);
  if (p->status) return ask_again(p, err);
  end_first(g);
  return fill_window(g, err);
}

/* Waits for the first byte alone: what is there by then is taken, as much of it as there is room for. */
static tenon_status body_read(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  getting *g = self;
  tenon_status status = fill_window(g, err);
  g->to = data;
  g->room = size;
  g->given = 0;
  while (!status && g->given < size && g->count > 0) {
    const part *p = part_at(g, 0);
    size_t before = g->given;
    g->given += take_kept(part_at(g, 0), g->to + before, size - before);
    if (g->given > before) continue;
    if (before && p->has_ended && p->status) break;   /* said when it is asked for next */
    status = p->has_ended ? leave_first(g, err) : drive(g, err);
    if (before && g->given == before && !p->has_ended) break;
  }
  g->to = NULL;
  if (!status) *ret_size = g->given;
  return status;
}

static void body_close(void *self) {
  getting *g = self;
  while (g->count) end_first(g);
  for (int i = 0; i < MAX_PARTS; i++) tn_free(g->parts[i].data);
  if (g->lane) tn_s3_host->http->free_lane(g->lane);
  tn_free(g);
}

/* ---- Beginning ---- */

/* An empty object has no range at all. */
static tenon_status try_empty(getting *g, const tenon_get *request, tenon_error *err) {
  tenon_object object = {.struct_size = sizeof object, .size = -1};
  tenon_status status = tn_s3_stat(g->ctx, g->s, &g->key, &object, err);
  if (status) return status;
  if (request->offset > object.size)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask for a range within its size",
                      "the range begins at %" PRId64 ", and the object has %" PRId64 " bytes", request->offset, object.size);
  if (request->if_match && strcmp(request->if_match, object.etag) != 0)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "look at what is there, then decide",
                      "the object was changed: its etag is %s", object.etag);
  g->object = object;
  g->next = g->end = request->offset;
  return TENON_OK;
}

static tenon_status begin(getting *g, const tenon_get *request, tenon_error *err) {
  int64_t size = request->length < 0 || request->length > TN_S3_PART ? TN_S3_PART : request->length;
  if (size == 0) return try_empty(g, request, err);
  tenon_status status = begin_part(g, request->offset, size, err);
  part *p = part_at(g, 0);
  while (!status && g->object.size < 0 && !p->has_ended) status = tn_s3_host->http->run(g->lane, -1, NULL, err);
  if (status || g->object.size >= 0) return status;
  bool is_range = p->status == TENON_DATA && p->error.vendor_code == 416;
  if (!is_range) {
    if (err && !err->code) *err = p->error;
    return p->status;
  }
  end_first(g);
  return try_empty(g, request, err);
}

tenon_status tn_s3_get(tenon_ctx *ctx, void *session, const tenon_get *request, tenon_got *ret, tenon_error *err) {
  tn_s3 *s = session;
  tenon_status status = tn_s3_check_key(&request->key, err);
  if (status) return status;
  getting *g = tn_alloc(sizeof *g);
  if (!g) return tn_no_memory(err);
  g->ctx = ctx;
  g->s = s;
  memcpy(g->key_text, request->key.data, request->key.size);
  g->key = (tenon_key_bytes){g->key_text, request->key.size};
  g->object = (tenon_object){.struct_size = sizeof g->object, .size = -1};
  g->if_match = request->if_match;
  g->window = s->config->connections > MAX_PARTS ? MAX_PARTS : (int)s->config->connections;
  g->end = request->length < 0 ? -1 : request->offset + request->length;
  status = tn_s3_host->http->new_lane(ctx, s->http, &g->lane, err);
  if (!status) status = begin(g, request, err);
  g->if_match = NULL;
  if (status) {
    body_close(g);
    return status;
  }
  ret->object = g->object;
  ret->body = (tenon_bytes){.struct_size = sizeof ret->body, .fd = -1, .length = g->end - request->offset, .self = g,
                            .read = body_read, .close = body_close};
  return TENON_OK;
}
