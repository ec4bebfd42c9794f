/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Pages: each is read, its records are handed on, then the next is asked for as its endpoint says. It
 * ends where the system says so or has no more records: a short page is no end, since systems may give
 * fewer than they were asked for. Cursors that come twice are errors, and so is having more pages
 * than are allowed: nothing is left out in silence.
 */
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/backoff.h"
#include "base/error.h"
#include "rest_api.h"

enum { MAX_ATTEMPTS = 3, FIRST_DELAY_MS = 200, LONGEST_DELAY_MS = 30000 };

void tn_rest_pages_init(tn_rest_pages *p, tn_rest *s, const tn_rest_endpoint *e) {
  *p = (tn_rest_pages){.session = s,
                       .endpoint = e,
                       .number = e->paging.start,
                       .promised_pages = -1,
                       .promised_rows = -1};
  tn_str_init(&p->cursor, TN_REST_MAX_URL);
  tn_str_init(&p->variable, 2 * TN_REST_MAX_URL);
}

void tn_rest_pages_release(tn_rest_pages *p) {
  tn_rest_reply_release(&p->reply);
  tn_str_release(&p->cursor);
  tn_str_release(&p->variable);
  tn_free(p->seen);
}

/* ---- What has been seen ---- */

static uint64_t hash_of(const char *data, size_t size) {
  uint64_t h = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < size; i++) h = (h ^ (unsigned char)data[i]) * UINT64_C(1099511628211);
  return h;
}

static tenon_status again(const tn_rest_pages *p, tenon_error *err) {
  return tenon_fail(
      err, TENON_DATA, TENON_STAGE_DATA,
      "check the pagination that is declared, and the variable that its templates use",
      "endpoint %s: page %lld leads to a page that was there before", p->endpoint->name,
      (long long)p->count);
}

/* The cursors of the pages so far: room for one more is made each time that their number is a power of two. */
static tenon_status remember(tn_rest_pages *p, tenon_error *err) {
  uint64_t h = hash_of(tn_str_text(&p->cursor), p->cursor.size);
  size_t n = (size_t)p->count - 1;
  for (size_t i = 0; i < n; i++)
    if (p->seen[i] == h) return again(p, err);
  if ((n & (n - 1)) == 0) {
    uint64_t *more = tn_resize(p->seen, (n ? 2 * n : 1) * sizeof *more);
    if (!more) return tn_no_memory(err);
    p->seen = more;
  }
  p->seen[n] = h;
  return TENON_OK;
}

/* A system that does not know the parameter gives its first page again and again, another its last. */
static tenon_status check_new(tn_rest_pages *p, tenon_error *err) {
  uint64_t h = hash_of(p->records.data, p->records.size);
  bool same = p->count > 1 && h == p->last_page;
  p->last_page = h;
  if (!same) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "check that {{page}} or {{offset}} stands where the service reads it",
                    "endpoint %s: page %lld is the same as the one before", p->endpoint->name,
                    (long long)p->count);
}

/* The service contradicts itself: who trusts the one would lose rows, or the other. */
static tenon_status contradiction(const tn_rest_pages *p, const char *path, const char *why,
                                  tenon_error *err) {
  return tenon_fail(
      err, TENON_DATA, TENON_STAGE_DATA,
      "check the pagination that is declared; leave out what the service does not keep to",
      "endpoint %s: page %lld: %s at %s", p->endpoint->name, (long long)p->count, why, path);
}

/* ---- Which is next ---- */

typedef enum { SAYS_NOTHING, SAYS_YES, SAYS_NO, SAYS_ELSE } answer;

/* true, "True" and 1 are yes; a member that is not there, or null, says nothing. */
static answer answer_of(const tn_rest_pages *p, const char *path) {
  char room[sizeof "false"];
  tn_json_text v;
  if (!path || !tn_json_text_find(p->reply.root, path, &v)) return SAYS_NOTHING;
  tn_json_type type = tn_json_text_type(v);
  if (type == TN_JSON_NULL) return SAYS_NOTHING;
  size_t quote = type == TN_JSON_STRING, size = v.size - 2 * quote;
  if (size >= sizeof room) return SAYS_ELSE;
  snprintf(room, sizeof room, "%.*s", (int)size, v.data + quote);
  if (strcasecmp(room, "true") == 0 || strcmp(room, "1") == 0) return SAYS_YES;
  return strcasecmp(room, "false") == 0 || strcmp(room, "0") == 0 ? SAYS_NO : SAYS_ELSE;
}

/* 5, 5.0, 5e0 and "5": what is exactly a whole number. */
static bool whole_number(tn_json_text v, int64_t *ret) {
  const double exact = 9007199254740992.0; /* 2^53 */
  double number;
  if (tn_json_text_type(v) == TN_JSON_STRING) {
    const tn_json_text digits = {v.data + 1, v.size - 2};
    size_t sign = digits.size && *digits.data == '-', rest = digits.size - sign;
    return rest && strspn(digits.data + sign, "0123456789") == rest &&
           tn_json_text_integer(digits, ret);
  }
  if (tn_json_text_integer(v, ret)) return true;
  if (!tn_json_text_number(v, &number) || number > exact || number < -exact) return false;
  *ret = (int64_t)number;
  return (double)*ret <= number && (double)*ret >= number;
}

/* How many the service says that there are. It holds until another page says otherwise; null and a
 * number below zero say nothing. */
static tenon_status take_promise(const tn_rest_pages *p, const char *path, int64_t *promise,
                                 tenon_error *err) {
  tn_json_text v;
  int64_t n;
  if (!path || !tn_json_text_find(p->reply.root, path, &v) ||
      tn_json_text_type(v) == TN_JSON_NULL)
    return TENON_OK;
  if (!whole_number(v, &n)) return contradiction(p, path, "there is no whole number", err);
  if (n >= 0) *promise = n;
  return TENON_OK;
}

static tenon_status take_promises(tn_rest_pages *p, tenon_error *err) {
  const tn_rest_pagination *g = &p->endpoint->paging;
  bool by_page = g->style == TN_REST_BY_PAGE;
  tenon_status status =
      by_page ? take_promise(p, g->pages, &p->promised_pages, err) : TENON_OK;
  return status ? status : take_promise(p, g->total, &p->promised_rows, err);
}

static int64_t pages_seen(const tn_rest_pages *p) {
  return p->number - (p->endpoint->paging.start > 0);
}

static int64_t rows_seen(const tn_rest_pages *p) {
  return p->endpoint->paging.style == TN_REST_BY_OFFSET ? p->number : p->rows;
}

static tenon_status check_promises(const tn_rest_pages *p, tenon_error *err) {
  const tn_rest_pagination *g = &p->endpoint->paging;
  const char *broken = p->promised_pages > pages_seen(p)  ? g->pages
                       : p->promised_rows > rows_seen(p) ? g->total
                                                         : NULL;
  const char *why = p->record_count ? "this is the last, although there are more"
                                    : "no records, although there are more";
  return broken ? contradiction(p, broken, why, err) : TENON_OK;
}

static tenon_status count_pages(tn_rest_pages *p, tenon_error *err) {
  if (p->promised_rows >= 0 && rows_seen(p) > p->promised_rows)
    return contradiction(p, p->endpoint->paging.total, "more records came than there are", err);
  p->ended = !p->record_count || (p->promised_pages >= 0 && pages_seen(p) >= p->promised_pages) ||
             (p->promised_rows >= 0 && rows_seen(p) >= p->promised_rows);
  return p->ended ? TENON_OK : check_new(p, err);
}

static bool last_record(const tn_rest_pages *p, tn_json_text *ret) {
  bool any = false;
  for (const char *c = NULL; tn_json_text_next(p->records, &c, NULL, ret);) any = true;
  return any;
}

/* The cursor as JSON, so that it keeps its type; nothing, null, false and "" end. */
static tenon_status take_cursor(tn_rest_pages *p, tenon_error *err) {
  const tn_rest_pagination *g = &p->endpoint->paging;
  tn_json_text v = {NULL, 0}, record;
  bool found = g->next ? tn_json_text_find(p->reply.root, g->next, &v)
                       : last_record(p, &record) && tn_json_text_find(record, g->next_record, &v);
  tn_json_type type = tn_json_text_type(v);
  p->ended = !found || type == TN_JSON_NULL || (type == TN_JSON_BOOL && !tn_json_text_true(v)) ||
             tn_json_text_is(v, "", 0);
  if (!found && g->next_record && p->record_count)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check pagination.next_record",
                      "endpoint %s: the last record has no %s", p->endpoint->name, g->next_record);
  if (p->ended) return TENON_OK;
  tn_str_clear(&p->cursor);
  return tn_str_add(&p->cursor, v.data, v.size) ? remember(p, err) : tn_no_memory(err);
}

static tenon_status take_reference(tn_rest_pages *p, const char *reference, size_t size,
                                   tenon_error *err) {
  p->ended = size == 0;
  if (p->ended) return TENON_OK;
  if (strlen(reference) != size)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "the next page's URL has a NUL character");
  tenon_status status =
      tn_rest_resolve(p->session, tn_str_text(&p->reply.url), reference, &p->cursor, err);
  return status ? status : remember(p, err);
}

static tenon_status take_next_url(tn_rest_pages *p, tenon_error *err) {
  tn_json_text v;
  tn_str text;
  p->ended = !tn_json_text_find(p->reply.root, p->endpoint->paging.next, &v) ||
             tn_json_text_type(v) == TN_JSON_NULL;
  if (p->ended) return TENON_OK;
  if (tn_json_text_type(v) != TN_JSON_STRING)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check pagination.next",
                      "endpoint %s: %s is %s, not a URL", p->endpoint->name,
                      p->endpoint->paging.next, tn_json_type_name(tn_json_text_type(v)));
  tn_str_init(&text, TN_REST_MAX_URL);
  tenon_status status = tn_json_text_unquote(v, &text)
                            ? take_reference(p, tn_str_text(&text), text.size, err)
                            : tn_no_memory(err);
  tn_str_release(&text);
  return status;
}

static tenon_status choose_by_style(tn_rest_pages *p, tenon_error *err) {
  const tn_rest_pagination *g = &p->endpoint->paging;
  switch (g->style) {
    case TN_REST_BY_PAGE:
    case TN_REST_BY_OFFSET: return count_pages(p, err);
    case TN_REST_BY_CURSOR: return take_cursor(p, err);
    case TN_REST_BY_LINK:
      return take_reference(p, tn_str_text(&p->reply.link), p->reply.link.size, err);
    case TN_REST_BY_NEXT_URL: return take_next_url(p, err);
    default: p->ended = true; return TENON_OK;
  }
}

static tenon_status choose_unless_last(tn_rest_pages *p, tenon_error *err) {
  const char *path = p->endpoint->paging.has_more;
  answer more = answer_of(p, path);
  p->ended = more == SAYS_NO;
  if (p->ended) return TENON_OK;
  tenon_status status = choose_by_style(p, err);
  if (status || !path) return status;
  if (more == SAYS_ELSE) return contradiction(p, path, "there is neither true nor false", err);
  if (more == SAYS_YES && p->ended)
    return contradiction(p, path, "nothing leads to the next page, although there are more", err);
  if (more == SAYS_NOTHING && !p->ended)
    return contradiction(p, path, "there is nothing that says whether there are more", err);
  return TENON_OK;
}

static tenon_status choose_next(tn_rest_pages *p, tenon_error *err) {
  tn_rest_paging style = p->endpoint->paging.style;
  if (style == TN_REST_BY_PAGE) p->number++;
  if (style == TN_REST_BY_OFFSET) p->number += (int64_t)p->record_count;
  tenon_status status = take_promises(p, err);
  if (!status) status = choose_unless_last(p, err);
  return status || !p->ended ? status : check_promises(p, err);
}

/* ---- Reading one ---- */

static tn_json_text page_variable(tn_rest_pages *p) {
  const tn_rest_pagination *g = &p->endpoint->paging;
  tn_str_clear(&p->variable);
  if (!g->variable) return (tn_json_text){NULL, 0};
  bool is_number = g->style != TN_REST_BY_CURSOR;
  if (!is_number && !p->cursor.size) return (tn_json_text){NULL, 0};
  tn_str_printf(&p->variable, "{\"%s\":", g->variable);
  if (is_number) tn_str_printf(&p->variable, "%lld", (long long)p->number);
  else tn_str_add(&p->variable, p->cursor.data, p->cursor.size);
  tn_str_putc(&p->variable, '}');
  return (tn_json_text){p->variable.data, p->variable.size};
}

static tenon_status find_records(tn_rest_pages *p, tenon_error *err) {
  const tn_rest_endpoint *e = p->endpoint;
  bool found = p->reply.root.data && tn_json_text_find(p->reply.root, e->records, &p->records);
  tn_json_type type = found ? tn_json_text_type(p->records) : TN_JSON_NULL;
  if (found && type == TN_JSON_ARRAY) {
    p->record_count = tn_json_text_count(p->records);
    return TENON_OK;
  }
  const char *why = !p->reply.root.data ? "the reply is empty"
                    : !*e->records      ? "the reply is no array"
                    : found             ? "are no array"
                                        : "are not there";
  bool names = p->reply.root.data && *e->records;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "check `records` in the declaration, and what the service answers",
                    "endpoint %s: page %lld: %s%s%s%s", e->name, (long long)p->count,
                    names ? "the records at " : "", names ? e->records : "", names ? " " : "", why);
}

static bool asks_by_url(const tn_rest_pages *p) {
  return p->cursor.size && (p->endpoint->paging.style == TN_REST_BY_LINK ||
                            p->endpoint->paging.style == TN_REST_BY_NEXT_URL);
}

static tenon_status ask(tenon_ctx *ctx, tn_rest_pages *p, tn_rest_reply *ret, tenon_error *err) {
  const tn_json_text none = {NULL, 0};
  const tn_rest_scope scope = tn_rest_scope_of(p->session, p->endpoint, page_variable(p), none);
  return tn_rest_send(ctx, p->session, p->endpoint, &scope,
                      asks_by_url(p) ? tn_str_text(&p->cursor) : NULL, ret, NULL, err);
}

/* How long to wait before the same page is asked for again, -1: not at all. The first page's retries are the core's. */
static int64_t delay_of(const tn_rest_pages *p, int attempt, const tenon_error *why) {
  if (!p->count || !why->retryable || attempt == MAX_ATTEMPTS) return -1;
  int64_t delay = tn_backoff_ms(FIRST_DELAY_MS, attempt, why->retry_after_ms);
  return delay > LONGEST_DELAY_MS ? -1 : delay;
}

static tenon_status ask_until_answered(tenon_ctx *ctx, tn_rest_pages *p, tn_rest_reply *ret,
                                       tenon_error *err) {
  for (int attempt = 1;; attempt++) {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = ask(ctx, p, ret, &why);
    if (!status) return TENON_OK;
    int64_t delay = delay_of(p, attempt, &why);
    if (delay < 0 || delay >= tn_rest_host->remaining_ms(ctx)) return tn_pass_error(&why, err);
    status = tn_rest_host->wait(ctx, NULL, 0, (int)delay, err);
    if (status) return status;
  }
}

tenon_status tn_rest_pages_next(tenon_ctx *ctx, tn_rest_pages *p, bool *ret_more,
                                tenon_error *err) {
  tn_rest_reply reply;
  *ret_more = !p->ended;
  if (p->ended) return TENON_OK;
  if (p->count == p->endpoint->paging.max_pages)
    return tenon_fail(
        err, TENON_LIMITED, TENON_STAGE_DATA, "set pagination.max_pages higher, or ask for less",
        "endpoint %s: there are more than %lld pages", p->endpoint->name, (long long)p->count);
  tenon_status status = ask_until_answered(ctx, p, &reply, err);
  if (status) return status;
  tn_rest_reply_release(&p->reply);
  p->reply = reply;
  p->count++;
  status = find_records(p, err);
  if (status) return status;
  p->rows += (int64_t)p->record_count;
  return choose_next(p, err);
}
