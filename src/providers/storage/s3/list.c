/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, in order, a page of a thousand at a time (ListObjectsV2). A service answers one page after the other; where it
 * keeps to bytewise order, a plan (plan.h) has the pages of a long listing asked for side by side.
 */
#include "list.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "plan.h"
#include "providers/storage/storage.h"
#include "retry.h"

enum {
  AT_ONCE = 2,               /* requests, and then none for … */
  APART_MS = 2,              /* … so long: pages that come together wait in memory until they are read */
  READ_SIZE = 16 << 10
};

typedef struct listing listing;

/* One request, under way or to be sent again. */
typedef struct asking {
  listing *l;
  tn_s3_work work;
  tn_s3_prepared prepared;
  tenon_http_exchange *exchange;   /* NULL: it is not under way */
  tn_str reply;
  bool is_used;
  int64_t answered;          /* as which of all; 0: not yet */
  tn_s3_retry retry;
  tenon_status status;
  tenon_error error;
} asking;

struct listing {
  tenon_ctx *ctx;
  tn_s3 *s;
  tenon_http_lane *lane;
  tn_s3_plan plan;
  char delimiter[2];
  asking askings[TN_S3_UNDER_WAY];
  int active;
  int64_t answers;
  int64_t turn_us;           /* when the first of the last AT_ONCE was asked */
  int asked;                 /* since then */
  tn_builder *builder;
};

/* ---- Asking for a page ---- */

static void forget_exchange(asking *a) {
  if (!a->exchange) return;
  tn_s3_host->http->end(a->exchange);
  tn_s3_prepared_release(&a->prepared);
  a->exchange = NULL;
  a->l->active--;
}

static tenon_status on_body(void *arg, const void *data, size_t size, tenon_error *err) {
  asking *a = arg;
  if (tn_s3_host->http->status(a->exchange) != 200) return tn_refusal_add(&a->reply, data, size, err);
  return tn_str_add(&a->reply, data, size) ? TENON_OK : tn_no_memory(err);
}

static void on_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *err) {
  asking *a = arg;
  a->answered = ++a->l->answers;
  a->status = status;
  a->error = *err;
  bool is_refused = tn_s3_host->http->status(x) != 200 && (!status || tn_refusal_is_cut(&a->reply));
  if (!is_refused) return;
  a->error = (tenon_error)TENON_ERROR_INIT;
  a->status = tn_s3_refused(a->l->s, x, tn_str_text(&a->reply), a->reply.size, &a->error);
}

static void add_range(const listing *l, const tn_s3_range *r, tn_s3_request *request) {
  tn_s3_query(request, "prefix", l->plan.prefix.text);
  if (*l->delimiter) tn_s3_query(request, "delimiter", l->delimiter);
  if (r->token) tn_s3_query(request, "continuation-token", r->token);
  else if (r->after.size) tn_s3_query(request, "start-after", r->after.text);
}

static void add_probe(const tn_s3_work *w, tn_s3_request *request) {
  tn_s3_query(request, "prefix", w->folder.text);
  tn_s3_query(request, "delimiter", "/");
  tn_s3_query(request, "start-after", w->after.text);
}

static tenon_status ask(asking *a, tenon_error *err) {
  listing *l = a->l;
  const tenon_http_events events = {.arg = a, .body = on_body, .end = on_end};
  tn_s3_request request = {.method = "GET", .max_reply = TN_S3_MAX_PAGE};
  tn_s3_query(&request, "list-type", "2");
  tn_s3_query(&request, "encoding-type", "url");
  if (a->work.range) add_range(l, a->work.range, &request);
  else add_probe(&a->work, &request);
  a->answered = 0;
  tenon_status status = tn_s3_prepare(l->ctx, l->s, &request, &a->prepared, err);
  if (status) return status;
  a->prepared.http.read_size = READ_SIZE;
  status = tn_s3_host->http->begin(l->lane, &a->prepared.http, &events, &a->exchange, err);
  if (status) tn_s3_prepared_release(&a->prepared);
  else l->active++;
  return status;
}

/* ---- Taking it ---- */

/* A folder that cannot be listed is only no help. */
static void take_probe(asking *a) {
  tn_s3_page *page = NULL;
  if (!a->status) tn_s3_page_read(a->l->s, a->reply.data, a->reply.size, &page, NULL);
  tn_s3_plan_take_probe(&a->l->plan, &a->work, page);
  tn_s3_page_free(page);
}

static tenon_status take_page(asking *a, tenon_error *err) {
  listing *l = a->l;
  tn_s3_page *page;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_s3_page_read(l->s, a->reply.data, a->reply.size, &page, err);
  if (status) return status;
  status = tn_s3_plan_take(&l->plan, a->work.range, page, &why);
  tn_s3_page_free(page);
  if (!status) return TENON_OK;
  tn_error_prefix(&why, "%s: ", l->s->config->bucket);
  return tn_pass_error(&why, err);
}

/* While nothing was listed the whole call may be repeated, which is not done here. */
static tenon_status put_off(asking *a, tenon_error *err) {
  if (a->l->plan.rows == 0) return tn_pass_error(&a->error, err);
  return tn_s3_retry_later(a->l->ctx, &a->retry, &a->error, err) ? TENON_OK : a->status;
}

static tenon_status take_answer(asking *a, tenon_error *err) {
  tenon_status status = TENON_OK;
  forget_exchange(a);
  a->answered = 0;
  a->is_used = a->work.range && a->status;
  if (a->is_used) status = put_off(a, err);
  else if (a->work.range) status = take_page(a, err);
  else take_probe(a);
  tn_str_release(&a->reply);
  return status;
}

/* ---- Driving ---- */

static asking *find_unused(listing *l) {
  for (int i = 0; i < TN_S3_UNDER_WAY; i++)
    if (!l->askings[i].is_used) return &l->askings[i];
  return NULL;
}

static bool has_turn(listing *l) {
  int64_t now = tn_now_us();
  if (now - l->turn_us >= APART_MS * 1000) {
    l->turn_us = now;
    l->asked = 0;
  }
  return l->asked < AT_ONCE;
}

static tenon_status ask_for_more(listing *l, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (asking *a; !status && has_turn(l) && (a = find_unused(l)) && tn_s3_plan_next(&l->plan, &a->work);) {
    a->is_used = true;
    l->asked++;
    a->retry = (tn_s3_retry){0};
    status = ask(a, err);
  }
  return status;
}

static tenon_status ask_again(listing *l, int64_t *ret_due_ms, tenon_error *err) {
  tenon_status status = TENON_OK;
  *ret_due_ms = 0;
  for (int i = 0; i < TN_S3_UNDER_WAY && !status; i++) {
    asking *a = &l->askings[i];
    if (!a->is_used || a->exchange) continue;
    if (tn_s3_retry_is_due(&a->retry)) status = ask(a, err);
    *ret_due_ms = tn_s3_sooner(*ret_due_ms, a->retry.due_ms);
  }
  return status;
}

static asking *first_answered(listing *l) {
  asking *first = NULL;
  for (int i = 0; i < TN_S3_UNDER_WAY; i++) {
    asking *a = &l->askings[i];
    if (a->answered && (!first || a->answered < first->answered)) first = a;
  }
  return first;
}

/* One answer at a time: reading it takes long, and what it lets ask for goes out before the next one is read. */
static tenon_status drive(listing *l, bool waits, tenon_error *err) {
  int64_t due_ms = 0;
  tenon_status status = ask_for_more(l, err);
  if (!status) status = ask_again(l, &due_ms, err);
  if (!has_turn(l)) due_ms = tn_s3_sooner(due_ms, l->turn_us / 1000 + APART_MS + 1);
  if (!status && waits && !first_answered(l)) status = tn_s3_run_until(l->ctx, l->lane, (size_t)l->active, due_ms, err);
  else if (!status && l->active) status = tn_s3_host->http->run(l->lane, 0, NULL, err);
  asking *a = first_answered(l);
  return status || !a ? status : take_answer(a, err);
}

/* ---- Rows ---- */

static bool append(const listing *l, const tn_s3_key *key, const tn_s3_row *r) {
  tn_column *name = tn_builder_column(l->builder, 0), *kind = tn_builder_column(l->builder, 1);
  tn_column *bytes = tn_builder_column(l->builder, 2), *time = tn_builder_column(l->builder, 3);
  tn_column *tag = tn_builder_column(l->builder, 4);
  return tn_append_bytes(name, key->text, (int64_t)key->size) && tn_append_text(kind, r->is_prefix ? "prefix" : "object") &&
         (r->bytes >= 0 ? tn_append_i64(bytes, r->bytes) : tn_append_null(bytes)) &&
         (r->modified_us != INT64_MIN ? tn_append_i64(time, r->modified_us) : tn_append_null(time)) &&
         (r->etag ? tn_append_bytes(tag, r->etag, (int64_t)r->etag_size) : tn_append_null(tag));
}

static tenon_status hand_on(listing *l, const tn_s3_packed *page, struct ArrowArray *ret, tenon_error *err) {
  tn_s3_unpacking u = {.page = page};
  bool ok = true;
  for (size_t i = 0; ok && i < page->count; i++) {
    tn_s3_row row;
    tn_s3_unpack(&u, &row);
    ok = append(l, &u.key, &row);
  }
  return ok ? tn_builder_finish(l->builder, (int64_t)page->count, ret, err) : tn_append_failed(err);
}

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  for (bool has_ended = false; !has_ended;) {
    tn_s3_packed *page = tn_s3_plan_give(&l->plan, &has_ended);
    tenon_status status = has_ended ? TENON_OK : drive(l, !page, err);   /* the next ones come while this is looked at */
    if (!status && page) status = hand_on(l, page, ret, err);
    bool is_done = status || page;
    tn_s3_packed_free(page);
    if (is_done) return status;
  }
  ret->release = NULL;
  return TENON_OK;
}

static void listing_close(void *self) {
  listing *l = self;
  for (int i = 0; i < TN_S3_UNDER_WAY; i++) {
    forget_exchange(&l->askings[i]);
    tn_str_release(&l->askings[i].reply);
  }
  tn_s3_plan_release(&l->plan);
  if (l->lane) tn_s3_host->http->free_lane(l->lane);
  tn_builder_free(l->builder);
  tn_free(l);
}

/* ---- Beginning ---- */

static tenon_status take_key(const tenon_key_bytes *from, tn_s3_key *ret, tenon_error *err) {
  ret->size = 0;
  ret->text[0] = 0;
  if (from->size == 0) return TENON_OK;
  tenon_status status = tn_s3_check_key(from, err);
  if (status) return status;
  memcpy(ret->text, from->data, from->size);
  ret->text[from->size] = 0;
  ret->size = from->size;
  return TENON_OK;
}

/* Amazon keeps to bytewise order, but for its directory buckets. */
static bool lists_in_order(const tn_s3 *s) {
  const char *how = s->config->parallel_listing, *bucket = s->config->bucket;
  size_t size = strlen(bucket);
  if (strcmp(how, "auto") != 0) return tn_s3_is_yes(how);
  return !s->config->endpoint && !(size > 6 && strcmp(bucket + size - 6, "--x-s3") == 0);
}

static tenon_status begin(listing *l, const tenon_objects_list *request, struct ArrowSchema *ret, tenon_error *err) {
  tn_s3_key prefix, start;
  l->delimiter[0] = request->delimiter;
  for (int i = 0; i < TN_S3_UNDER_WAY; i++) {
    l->askings[i].l = l;
    tn_str_init(&l->askings[i].reply, TN_S3_MAX_PAGE);
  }
  tenon_status status = take_key(&request->prefix, &prefix, err);
  if (!status) status = take_key(&request->start_after, &start, err);
  int window = lists_in_order(l->s) ? TN_S3_UNDER_WAY : 1;
  if (!status) status = tn_s3_plan_init(&l->plan, &prefix, &start, window, !request->delimiter, err);
  if (!status) status = tn_s3_host->http->new_lane(l->ctx, l->s->http, &l->lane, err);
  if (!status) status = tn_storage_list_schema(ret, err);
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
