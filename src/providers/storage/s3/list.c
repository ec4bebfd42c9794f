/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, in order, a page of a thousand at a time (ListObjectsV2). A service answers one page after
 * the other; where it keeps to bytewise order, a long listing is cut into ranges of keys that are listed
 * side by side: nobody knows where the keys are, so ranges are cut in the middle of what could be there,
 * those nearest to what the reader waits for first, and empty ones cost one request each.
 */
#include "list.h"

#include <stdio.h>
#include <string.h>

#include "split.h"

enum {
  MAX_TRIES = 4,
  PARALLEL = 16,             /* requests under way */
  MAX_RANGES = 128,
  PAGES_AHEAD = 6,           /* of each range, read before they are asked for */
  SERIAL_PAGES_AHEAD = 2,
  MOST_PAGES = 192,          /* in memory; the range that is read from goes on beyond that */
  MOST_FAR_PAGES = 96,       /* so many of them for ranges that are not among the next: else these would starve */
  CUT_AFTER = 2,             /* pages: shorter listings are not worth it */
  MAX_CUTS = 12              /* of a range without an end, at once */
};

typedef struct key {
  char text[TN_S3_MAX_KEY + 2];
  size_t size;
} key;

typedef struct listing listing;

typedef struct range {
  listing *l;
  struct range *next;
  key after, until, seen;    /* the first excluded, the second included if has_until; the last one read */
  bool has_until, is_cut_off, has_seen;
  char token[TN_S3_MAX_TOKEN];
  tn_s3_page *pages[PAGES_AHEAD];
  int first, count, pages_read, cut_at;
  bool has_ended;
  tn_s3_prepared prepared;   /* of the page that is coming */
  tenon_http_exchange *exchange;
  tn_s3_page *coming;
  tn_str refusal;
  bool has_answer;
  int tries;
  tenon_status status;
  tenon_error error;
} range;

struct listing {
  tenon_ctx *ctx;
  tn_s3 *s;
  tenon_http_lane *lane;
  key prefix;
  char delimiter[2];
  range *ranges;             /* in the order of their keys */
  int range_count, active, window, page_count;
  tn_builder *builder;
};

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : a_size < b_size ? -1 : a_size > b_size;
}

static void set_key(key *to, const char *text, size_t size) {
  memcpy(to->text, text, size);
  to->text[size] = 0;
  to->size = size;
}

/* ---- Ranges ---- */

static range *new_range(listing *l) {
  range *r = tn_alloc(sizeof *r);
  if (!r) return NULL;
  r->l = l;
  tn_str_init(&r->refusal, TN_S3_MAX_ERROR);
  l->range_count++;
  return r;
}

static void forget_exchange(range *r) {
  if (!r->exchange) return;
  tn_s3_host->http->end(r->exchange);
  tn_s3_prepared_release(&r->prepared);
  r->exchange = NULL;
  r->l->active--;
}

static void free_range(range *r) {
  forget_exchange(r);
  tn_s3_page_free(r->coming);
  for (int i = 0; i < r->count; i++) tn_s3_page_free(r->pages[(r->first + i) % PAGES_AHEAD]);
  tn_str_release(&r->refusal);
  r->l->range_count--;
  tn_free(r);
}

/* ---- Asking for a page ---- */

static tenon_status on_body(void *arg, const void *data, size_t size, tenon_error *err) {
  range *r = arg;
  if (tn_s3_host->http->status(r->exchange) == 200) return tn_s3_page_push(r->coming, data, size, err);
  return tn_str_add(&r->refusal, data, size) ? TENON_OK : tn_no_memory(err);
}

static void on_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *err) {
  range *r = arg;
  r->has_answer = true;
  r->status = status;
  r->error = *err;
  if (status || tn_s3_host->http->status(x) == 200) return;
  r->error = (tenon_error)TENON_ERROR_INIT;
  r->status = tn_s3_refused(r->l->s, x, tn_str_text(&r->refusal), r->refusal.size, &r->error);
}

static tenon_status ask(range *r, tenon_error *err) {
  listing *l = r->l;
  const tenon_http_events events = {.arg = r, .body = on_body, .end = on_end};
  tn_s3_request request = {.method = "GET", .max_reply = TN_S3_MAX_PAGE};
  tn_s3_query(&request, "list-type", "2");
  tn_s3_query(&request, "encoding-type", "url");
  tn_s3_query(&request, "prefix", l->prefix.text);
  if (*l->delimiter) tn_s3_query(&request, "delimiter", l->delimiter);
  if (*r->token) tn_s3_query(&request, "continuation-token", r->token);
  else if (r->after.size) tn_s3_query(&request, "start-after", r->after.text);
  r->has_answer = false;
  tn_str_clear(&r->refusal);
  tn_s3_page_free(r->coming);
  r->coming = NULL;
  tenon_status status = tn_s3_page_new(l->s, &r->coming, err);
  if (!status) status = tn_s3_prepare(l->s, &request, &r->prepared, err);
  if (status) return status;
  status = tn_s3_host->http->begin(l->lane, &r->prepared.http, &events, &r->exchange, err);
  if (status) tn_s3_prepared_release(&r->prepared);
  else l->active++;
  return status;
}

/* ---- Taking it ---- */

static tenon_status bad_listing(const listing *l, const char *why, const char *remedy, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%s: the listing %s", l->s->config->bucket, why);
}

/* What belongs to the ranges beside it is dropped: rolled-up prefixes can be in two. */
static void trim(range *r, tn_s3_page *p) {
  size_t from = 0, to = p->count;
  while (r->is_cut_off && from < to &&
         compare(tn_s3_key_at(p, from), p->items[from].size, r->after.text, r->after.size) <= 0)
    from++;
  while (r->has_until && to > from &&
         compare(tn_s3_key_at(p, to - 1), p->items[to - 1].size, r->until.text, r->until.size) > 0) {
    to--;
    r->has_ended = true;
  }
  if (from > 0 && to > from) memmove(p->items, p->items + from, (to - from) * sizeof *p->items);
  p->count = to - from;
}

static tenon_status go_on(range *r, const tn_s3_page *p, tenon_error *err) {
  if (!p->is_truncated) r->has_ended = true;
  if (!r->has_ended && (!*p->token || strcmp(p->token, r->token) == 0))
    return bad_listing(r->l, "does not say how it goes on", "ask who runs the service", err);
  snprintf(r->token, sizeof r->token, "%s", p->token);
  return TENON_OK;
}

static tenon_status take_page(range *r, tenon_error *err) {
  tn_s3_page *p = r->coming;
  bool is_split = r->is_cut_off || r->has_until;
  tenon_status status = tn_s3_page_finish(p, err);
  if (!status) status = go_on(r, p, err);
  if (status) return status;
  if (r->l->window > 1 && !tn_s3_page_is_sorted(p)) {
    if (is_split)
      return bad_listing(r->l, "is not in bytewise order", "set parallel_listing=no", err);
    r->l->window = 1;
  }
  if (is_split) trim(r, p);
  if (p->count) {
    const tn_s3_entry *last = &p->items[p->count - 1];
    set_key(&r->seen, tn_s3_key_at(p, p->count - 1), last->size);
    r->has_seen = true;
  }
  r->pages_read++;
  r->tries = 0;
  r->pages[(r->first + r->count++) % PAGES_AHEAD] = p;
  r->l->page_count++;
  r->coming = NULL;
  return TENON_OK;
}

static tenon_status ask_again(range *r, tenon_error *err) {
  int64_t delay = (int64_t)100 << ++r->tries;
  if (r->error.retry_after_ms > delay) delay = r->error.retry_after_ms;
  if (!r->error.retryable || r->tries == MAX_TRIES || delay >= tn_s3_host->remaining_ms(r->l->ctx)) {
    if (err && !err->code) *err = r->error;
    return r->status;
  }
  tenon_status status = tn_s3_host->wait(r->l->ctx, NULL, 0, (int)delay, err);
  return status ? status : ask(r, err);
}

static tenon_status take_answers(listing *l, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (range *r = l->ranges; r && !status; r = r->next) {
    if (!r->exchange || !r->has_answer) continue;
    forget_exchange(r);
    status = r->status ? ask_again(r, err) : take_page(r, err);
  }
  return status;
}

/* ---- Cutting ---- */

/* The part behind `at` becomes a range of its own. */
static range *cut(range *r, const key *at) {
  range *right = new_range(r->l);
  if (!right) return NULL;
  right->after = *at;
  right->until = r->until;
  right->has_until = r->has_until;
  right->is_cut_off = true;
  right->next = r->next;
  r->next = right;
  r->until = *at;
  r->has_until = true;
  return right;
}

static bool find_cut(const range *r, size_t from, key *ret) {
  bool found = tn_s3_split(r->seen.text, r->seen.size, r->has_until ? r->until.text : NULL, r->until.size, from, ret->text, &ret->size);
  if (found) ret->text[ret->size] = 0;
  return found;
}

/* Without an end nobody knows at which of the key's characters the keys go on: at all of them at once. */
static bool cut_open(range *r) {
  key at;
  size_t prefix = r->l->prefix.size;
  range *left = r;
  bool any = false;
  for (int i = MAX_CUTS - 1; i >= 0 && r->l->range_count < MAX_RANGES; i--) {
    if (prefix + (size_t)i >= r->seen.size || !tn_s3_split(r->seen.text, r->seen.size, NULL, 0, prefix + (size_t)i, at.text, &at.size))
      continue;
    at.text[at.size] = 0;
    if (left->is_cut_off && compare(at.text, at.size, left->after.text, left->after.size) <= 0) continue;
    range *right = cut(left, &at);
    if (!right) break;
    left = right;
    any = true;
  }
  return any;
}

static bool may_be_cut(const range *r) {
  return !r->has_ended && r->has_seen && r->pages_read > r->cut_at && r->l->range_count < MAX_RANGES &&
         r->pages_read >= (r->is_cut_off || r->has_until ? 1 : CUT_AFTER);
}

static bool cut_one(listing *l) {
  for (range *r = l->ranges; r; r = r->next) {
    key at;
    if (!may_be_cut(r)) continue;
    r->cut_at = r->pages_read;
    if (r->has_until ? find_cut(r, l->prefix.size, &at) && cut(r, &at) : cut_open(r)) return true;
  }
  return false;
}

/* ---- Driving ---- */

static bool may_ask(const range *r, int place) {
  const listing *l = r->l;
  int ahead = l->window > 1 ? PAGES_AHEAD : SERIAL_PAGES_AHEAD, pages = l->page_count + l->active;
  if (r->has_ended || r->exchange || r->count >= ahead) return false;
  return r == l->ranges || pages < (place < PARALLEL ? MOST_PAGES : MOST_FAR_PAGES);
}

static tenon_status ask_for_pages(listing *l, tenon_error *err) {
  tenon_status status = TENON_OK;
  int place = 0;
  for (range *r = l->ranges; r && !status && l->active < l->window; r = r->next) {
    if (may_ask(r, place)) status = ask(r, err);
    place += !r->has_ended;
  }
  return status;
}

static tenon_status schedule(listing *l, tenon_error *err) {
  tenon_status status = ask_for_pages(l, err);
  while (!status && l->active < l->window && l->window > 1 && cut_one(l)) status = ask_for_pages(l, err);
  return status;
}

static tenon_status drive(listing *l, int timeout_ms, tenon_error *err) {
  tenon_status status = schedule(l, err);
  if (!status && l->active) status = tn_s3_host->http->run(l->lane, timeout_ms, NULL, err);
  return status ? status : take_answers(l, err);
}

/* ---- Rows ---- */

static bool append(const listing *l, const tn_s3_page *p, size_t i) {
  const tn_s3_entry *e = &p->items[i];
  tn_column *name = tn_builder_column(l->builder, 0), *kind = tn_builder_column(l->builder, 1);
  tn_column *bytes = tn_builder_column(l->builder, 2), *time = tn_builder_column(l->builder, 3);
  tn_column *tag = tn_builder_column(l->builder, 4);
  return tn_append_bytes(name, tn_s3_key_at(p, i), (int64_t)e->size) &&
         tn_append_text(kind, e->is_prefix ? "prefix" : "object") &&
         (e->bytes >= 0 ? tn_append_i64(bytes, e->bytes) : tn_append_null(bytes)) &&
         (e->modified_us != INT64_MIN ? tn_append_i64(time, e->modified_us) : tn_append_null(time)) &&
         (*e->etag ? tn_append_text(tag, e->etag) : tn_append_null(tag));
}

static tenon_status hand_on(listing *l, struct ArrowArray *ret, bool *ret_any, tenon_error *err) {
  range *r = l->ranges;
  tn_s3_page *p = r->pages[r->first];
  r->first = (r->first + 1) % PAGES_AHEAD;
  r->count--;
  l->page_count--;
  bool ok = true;
  int64_t rows = (int64_t)p->count;
  for (size_t i = 0; ok && i < p->count; i++) ok = append(l, p, i);
  tn_s3_page_free(p);
  *ret_any = rows > 0;
  if (!ok) return tn_append_failed(err);
  return rows ? tn_builder_finish(l->builder, rows, ret, err) : TENON_OK;
}

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  bool any = false;
  while (l->ranges) {
    range *r = l->ranges;
    if (r->count) {
      tenon_status status = drive(l, 0, err);   /* the next ones come while these are looked at */
      if (!status) status = hand_on(l, ret, &any, err);
      if (status || any) return status;
    } else if (r->has_ended) {
      l->ranges = r->next;
      free_range(r);
    } else {
      tenon_status status = drive(l, -1, err);
      if (status) return status;
    }
  }
  ret->release = NULL;
  return TENON_OK;
}

static void listing_close(void *self) {
  listing *l = self;
  while (l->ranges) {
    range *r = l->ranges;
    l->ranges = r->next;
    free_range(r);
  }
  if (l->lane) tn_s3_host->http->free_lane(l->lane);
  tn_builder_free(l->builder);
  tn_free(l);
}

/* ---- Beginning ---- */

static tenon_status make_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format; bool nullable; } columns[] = {
      {"key", "z", false}, {"kind", "u", false}, {"size", "l", true}, {"modified", "tsu:UTC", true}, {"etag", "u", true}};
  enum { COLUMNS = sizeof columns / sizeof columns[0] };
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, columns[i].nullable, 0, err);
  return status;
}

static tenon_status take_key(const tenon_key_bytes *from, key *ret, tenon_error *err) {
  if (from->size == 0) return TENON_OK;
  tenon_status status = tn_s3_check_key(from, err);
  if (!status) set_key(ret, from->data, from->size);
  return status;
}

/* Amazon keeps to bytewise order, but for its directory buckets. */
static bool lists_in_order(const tn_s3 *s) {
  const char *how = s->config->parallel_listing, *bucket = s->config->bucket;
  size_t size = strlen(bucket);
  if (strcmp(how, "auto") != 0) return strcmp(how, "yes") == 0;
  return !s->config->endpoint && !(size > 6 && strcmp(bucket + size - 6, "--x-s3") == 0);
}

static tenon_status begin(listing *l, const tenon_objects_list *request, struct ArrowSchema *ret, tenon_error *err) {
  l->ranges = new_range(l);
  if (!l->ranges) return tn_no_memory(err);
  l->delimiter[0] = request->delimiter;
  l->window = lists_in_order(l->s) ? PARALLEL : 1;
  tenon_status status = take_key(&request->prefix, &l->prefix, err);
  if (!status) status = take_key(&request->start_after, &l->ranges->after, err);
  if (!status) status = tn_s3_host->http->new_lane(l->ctx, l->s->http, &l->lane, err);
  if (!status) status = make_schema(ret, err);
  return status ? status : tn_builder_new(ret, &l->builder, err);
}

tenon_status tn_s3_list(tenon_ctx *ctx, void *session, const tenon_objects_list *request, tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema = {0};
  listing *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->ctx = ctx;
  l->s = session;
  tenon_status status = begin(l, request, &schema, err);
  if (status) {
    tn_schema_release(&schema);
    listing_close(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = l, .schema = schema, .next = listing_next, .close = listing_close};
  return TENON_OK;
}
