/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/storage/storage.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "base/backoff.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

enum {
  MAX_PARTS = TN_RANGE_MAX_WINDOW,
  MAX_TRIES = 5,
  FIRST_DELAY_MS = 100,
  LONGEST_DELAY_MS = 60000,
  TURN_MS = 4,               /* so long the reader waits for its range alone: sockets hold what comes for others meanwhile */
  TURN_SIZE = 1 << 20        /* then each of the others is read so far */
};

typedef struct getting getting;

typedef struct part {
  getting *g;
  int64_t at, size;          /* the range still wanted */
  char range[64];
  void *prepared;            /* prepared_size bytes; a request is ready in it where there is an exchange */
  tenon_http_exchange *exchange;
  char *data;                /* what came before it was asked for: from `read` to `filled` */
  size_t capacity, read, filled;
  bool has_ended, is_paused;
  int64_t may_keep;          /* before it rests */
  int tries;                 /* that failed */
  tenon_status status;
  tenon_error error;
  tn_str refusal;
} part;

struct getting {
  tenon_ctx *ctx;
  tn_range_source source;
  const tenon_http_ops *http;
  tenon_http_lane *lane;
  tenon_object object;       /* size -1: not seen yet */
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
static tenon_status check_range(const part *p, const tenon_http_exchange *x, tenon_error *err) {
  const getting *g = p->g;
  const char *range = g->http->header(x, "content-range");
  long long from = 0;
  int32_t status = g->http->status(x);
  if (status == 206 && (!range || sscanf(range, "bytes %lld-", &from) != 1 || from != p->at))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "%s: another range came than was asked for", g->source.name);
  if (status == 200 && p->at > 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "read the whole object",
                      "%s: the service does not give parts of objects", g->source.name);
  return TENON_OK;
}

static tenon_status on_head(void *arg, tenon_http_exchange *x, tenon_error *err) {
  part *p = arg;
  getting *g = p->g;
  tenon_object seen = {.struct_size = sizeof seen, .size = -1, .modified_us = INT64_MIN};
  if (!is_good(g->http->status(x))) return TENON_OK;
  tenon_status status = check_range(p, x, err);
  if (!status) status = g->source.look(g->source.self, x, &g->object, &seen, err);
  if (status || g->object.size >= 0) return status;
  if (seen.size < 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "%s: the service does not say how big the object is", g->source.name);
  g->object = seen;
  if (g->end < 0 || g->end > seen.size) g->end = seen.size;
  g->knows_ranges = g->http->status(x) == 206;
  if (!g->knows_ranges || p->at + p->size > g->end) p->size = g->end - p->at;
  g->next = p->at + p->size;
  return TENON_OK;
}

static void rest(part *p, bool on) {
  if (p->has_ended || p->is_paused == on) return;
  p->is_paused = on;
  p->g->http->pause(p->exchange, on);
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
  if (!is_good(g->http->status(p->exchange)))
    return tn_refusal_add(&p->refusal, data, size, err);
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
  getting *g = p->g;
  p->has_ended = true;
  p->status = status;
  p->error = *err;
  if (status && !tn_refusal_is_cut(&p->refusal)) return;
  if (!is_good(g->http->status(x))) {
    p->error = (tenon_error)TENON_ERROR_INIT;
    p->status = g->source.refused(g->source.self, x, tn_str_text(&p->refusal), p->refusal.size, &p->error);
  } else if (p->size > 0) {
    p->status = tenon_fail(&p->error, TENON_UNREACHABLE, TENON_STAGE_DATA, "try again",
                           "%s: fewer bytes came than were announced", g->source.name);
    p->error.retryable = 1;
  }
}

/* ---- Asking ---- */

static tenon_status ask(part *p, tenon_error *err) {
  getting *g = p->g;
  const tenon_http_events events = {.arg = p, .head = on_head, .body = on_body, .end = on_end};
  tenon_http_request request = TENON_HTTP_REQUEST_INIT;
  snprintf(p->range, sizeof p->range, "bytes=%" PRId64 "-%" PRId64, p->at, p->at + p->size - 1);
  p->has_ended = p->is_paused = false;
  p->status = TENON_OK;
  tn_str_clear(&p->refusal);
  if (!p->prepared) p->prepared = tn_alloc(g->source.prepared_size);
  if (!p->prepared) return tn_no_memory(err);
  tenon_status status = g->source.prepare(g->ctx, g->source.self, p->range, &g->object, p->prepared, &request, err);
  if (status) return status;
  status = g->http->begin(g->lane, &request, &events, &p->exchange, err);
  if (status) g->source.release(p->prepared);
  return status;
}

static void forget_exchange(part *p) {
  if (!p->exchange) return;
  p->g->http->end(p->exchange);
  p->exchange = NULL;
  p->g->source.release(p->prepared);
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
  *p = (part){.g = g, .at = at, .size = size, .data = p->data, .capacity = p->capacity, .prepared = p->prepared};
  tn_refusal_init(&p->refusal);
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
    int64_t size = g->end - g->next < TN_RANGE_SIZE ? g->end - g->next : TN_RANGE_SIZE;
    status = begin_part(g, g->next, size, err);
    if (!status) g->next += size;
  }
  return status;
}

/* What is left of a range whose connection broke is asked for again. A wait beyond the deadline is none. */
static tenon_status ask_again(part *p, tenon_error *err) {
  getting *g = p->g;
  const tenon_host *host = g->source.host;
  int64_t delay = tn_backoff_ms(FIRST_DELAY_MS, ++p->tries, p->error.retry_after_ms);
  bool may = g->knows_ranges && p->error.retryable && p->tries < MAX_TRIES && delay <= LONGEST_DELAY_MS && tn_backoff_fits(delay, host->remaining_ms(g->ctx));
  if (!may) return tn_pass_error(&p->error, err);
  forget_exchange(p);
  tenon_status status = host->wait(g->ctx, NULL, 0, (int)delay, err);
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
    int64_t began = tn_now_us();
    status = g->http->run(g->lane, others_rest(g) ? TURN_MS : -1, NULL, err);
    g->waited_us += tn_now_us() - began;
    if (g->waited_us >= 1000 * TURN_MS) let_others_come(g);
  }
  return status;
}

/* The first range alone, as long as it has something. Who has something already does not wait. */
static tenon_status drive(getting *g, tenon_error *err) {
  size_t before = g->given;
  rest(part_at(g, 0), false);
  tenon_status status = g->http->run(g->lane, 0, NULL, err);
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
  for (int i = 0; i < MAX_PARTS; i++) {
    tn_free(g->parts[i].data);
    tn_free(g->parts[i].prepared);
  }
  if (g->lane) g->http->free_lane(g->lane);
  if (g->source.free) g->source.free(g->source.self);
  tn_free(g);
}

/* ---- Beginning ---- */

static tenon_status begin(getting *g, int64_t offset, tenon_error *err) {
  int64_t size = g->end < 0 || g->end - offset > TN_RANGE_SIZE ? TN_RANGE_SIZE : g->end - offset;
  tenon_status status = begin_part(g, offset, size, err);
  const part *p = part_at(g, 0);
  while (!status && g->object.size < 0 && !p->has_ended) status = g->http->run(g->lane, -1, NULL, err);
  if (status || g->object.size >= 0) return status;
  return tn_pass_error(&p->error, err);
}

/* What is known needs no first reply: all ranges are asked for at once, when they are wanted. */
static void go_on(getting *g, int64_t offset, const tenon_object *known) {
  g->object = *known;
  g->next = offset;
  g->knows_ranges = true;
  if (g->end < 0 || g->end > known->size) g->end = known->size;
}

tenon_status tn_range_open(tenon_ctx *ctx, const tn_range_source *source, int64_t offset, int64_t end, const tenon_object *known, int window,
                           tenon_object *ret_object, tenon_bytes *ret, tenon_error *err) {
  getting *g = tn_alloc(sizeof *g);
  if (!g) {
    if (source->free) source->free(source->self);
    return tn_no_memory(err);
  }
  g->ctx = ctx;
  g->source = *source;
  g->http = source->host->http;
  g->object = (tenon_object){.struct_size = sizeof g->object, .size = -1, .modified_us = INT64_MIN};
  g->window = window > MAX_PARTS ? MAX_PARTS : window;
  g->end = end;
  tenon_status status = g->http->new_lane(ctx, source->http, &g->lane, err);
  if (!status && known) go_on(g, offset, known);
  else if (!status) status = begin(g, offset, err);
  if (!status && known) status = fill_window(g, err);
  if (status) {
    body_close(g);
    return status;
  }
  *ret_object = g->object;
  *ret = (tenon_bytes){.struct_size = sizeof *ret, .fd = -1, .length = g->end - offset, .self = g, .read = body_read, .close = body_close};
  return TENON_OK;
}

/* ---- Refusals ---- */

void tn_refusal_init(tn_str *s) { tn_str_init(s, TN_MAX_REFUSAL + 1); }

bool tn_refusal_is_cut(const tn_str *s) { return s->size == TN_MAX_REFUSAL; }

tenon_status tn_refusal_add(tn_str *s, const void *data, size_t size, tenon_error *err) {
  size_t room = TN_MAX_REFUSAL - s->size;
  if (!tn_str_add(s, data, size < room ? size : room)) return tn_no_memory(err);
  if (!tn_refusal_is_cut(s)) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service", "a refusal is longer than %d bytes",
                    TN_MAX_REFUSAL);
}

/* ---- Listings ---- */

tenon_status tn_storage_list_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format; bool nullable; } columns[] = {
      {"key", "z", false}, {"kind", "u", false}, {"size", "l", true}, {"modified", "tsu:UTC", true}, {"etag", "u", true}};
  enum { COLUMNS = sizeof columns / sizeof columns[0] };
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, columns[i].nullable, 0, err);
  return status;
}
