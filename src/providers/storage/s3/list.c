/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, a page of a thousand at a time (ListObjectsV2). A page has objects and rolled-up prefixes in two
 * sorted lists; rows are the two merged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "s3.h"

enum { MAX_PAGE = 16 << 20, MAX_TOKEN = 4096, MAX_TRIES = 4 };

typedef struct listing {
  tenon_ctx *ctx;
  tn_s3 *s;
  char prefix[TN_S3_MAX_KEY + 1], start_after[TN_S3_MAX_KEY + 1], delimiter[2];
  char token[MAX_TOKEN];
  bool has_ended;
  tn_str page;
  tn_builder *builder;
} listing;

/* ---- Reading a page ---- */

typedef struct element {
  const char *at, *end;      /* its inside */
  const char *behind;
} element;

/* The next <name>…</name> from `from` on. */
static bool next_element(const char *from, const char *end, const char *name, element *ret) {
  char open[40], close[40];
  size_t n = (size_t)snprintf(open, sizeof open, "<%s>", name), m = (size_t)snprintf(close, sizeof close, "</%s>", name);
  const char *at = from < end ? memmem(from, (size_t)(end - from), open, n) : NULL;
  if (!at) return false;
  const char *last = memmem(at + n, (size_t)(end - at) - n, close, m);
  if (!last) return false;
  *ret = (element){at + n, last, last + m};
  return true;
}

static bool inner(const element *e, const char *name, char *ret, size_t room) {
  return tn_s3_element(e->at, (size_t)(e->end - e->at), name, ret, room);
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; a plus is a space, as forms have it. */
static size_t decode(char *text) {
  char *to = text;
  for (const char *from = text; *from; from++) {
    int high = *from == '%' ? hex_digit(from[1]) : -1, low = high >= 0 ? hex_digit(from[2]) : -1;
    if (low >= 0) {
      *to++ = (char)(high * 16 + low);
      from += 2;
    } else {
      *to++ = *from == '+' ? ' ' : *from;
    }
  }
  *to = 0;
  return (size_t)(to - text);
}

typedef struct row {
  bool is_there, is_prefix;
  element e;
  char key[3 * TN_S3_MAX_KEY + 1];
  size_t key_size;
} row;

typedef struct page {
  const char *at[2];         /* of objects, of prefixes */
  const char *end;
  bool is_encoded;
  row next[2];
} page;

static tenon_status advance(const listing *l, page *p, int list, tenon_error *err) {
  static const char *const names[] = {"Contents", "CommonPrefixes"}, *const keys[] = {"Key", "Prefix"};
  row *r = &p->next[list];
  r->is_prefix = list == 1;
  r->is_there = next_element(p->at[list], p->end, names[list], &r->e);
  if (!r->is_there) return TENON_OK;
  p->at[list] = r->e.behind;
  if (!inner(&r->e, keys[list], r->key, sizeof r->key))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service", "%s: a listing has an object without a key",
                      l->s->config->bucket);
  r->key_size = p->is_encoded ? decode(r->key) : strlen(r->key);
  return TENON_OK;
}

static bool comes_first(const row *a, const row *b) {
  if (!a->is_there || !b->is_there) return a->is_there;
  size_t n = a->key_size < b->key_size ? a->key_size : b->key_size;
  int order = memcmp(a->key, b->key, n);
  return order < 0 || (order == 0 && a->key_size <= b->key_size);
}

static bool append(listing *l, const row *r) {
  char size[24] = "", modified[40] = "", etag[128] = "";
  int64_t us;
  tn_column *key = tn_builder_column(l->builder, 0), *kind = tn_builder_column(l->builder, 1);
  tn_column *bytes = tn_builder_column(l->builder, 2), *time = tn_builder_column(l->builder, 3);
  tn_column *tag = tn_builder_column(l->builder, 4);
  if (!tn_append_bytes(key, r->key, (int64_t)r->key_size)) return false;
  if (r->is_prefix)
    return tn_append_text(kind, "prefix") && tn_append_null(bytes) && tn_append_null(time) && tn_append_null(tag);
  inner(&r->e, "Size", size, sizeof size);
  inner(&r->e, "LastModified", modified, sizeof modified);
  bool has_etag = inner(&r->e, "ETag", etag, sizeof etag);
  return tn_append_text(kind, "object") &&
         (*size ? tn_append_i64(bytes, strtoll(size, NULL, 10)) : tn_append_null(bytes)) &&
         (tn_parse_timestamp(modified, strlen(modified), true, &us) ? tn_append_i64(time, us) : tn_append_null(time)) &&
         (has_etag ? tn_append_text(tag, etag) : tn_append_null(tag));
}

static tenon_status append_page(listing *l, int64_t *ret_rows, tenon_error *err) {
  const char *text = tn_str_text(&l->page);
  page p = {.at = {text, text}, .end = text + l->page.size,
            .is_encoded = strstr(text, "<EncodingType>url</EncodingType>") != NULL};
  tenon_status status = advance(l, &p, 0, err);
  if (!status) status = advance(l, &p, 1, err);
  for (*ret_rows = 0; !status && (p.next[0].is_there || p.next[1].is_there); ++*ret_rows) {
    int list = comes_first(&p.next[0], &p.next[1]) ? 0 : 1;
    status = append(l, &p.next[list]) ? advance(l, &p, list, err) : tn_append_failed(err);
  }
  return status;
}

/* ---- Asking for one ---- */

static tenon_status ask(listing *l, tenon_error *err) {
  tn_s3_request r = {.method = "GET", .max_reply = MAX_PAGE};
  tn_s3_query(&r, "list-type", "2");
  tn_s3_query(&r, "encoding-type", "url");
  tn_s3_query(&r, "prefix", l->prefix);
  if (*l->delimiter) tn_s3_query(&r, "delimiter", l->delimiter);
  if (*l->token) tn_s3_query(&r, "continuation-token", l->token);
  else if (*l->start_after) tn_s3_query(&r, "start-after", l->start_after);
  tn_str_clear(&l->page);
  return tn_s3_send_for_text(l->ctx, l->s, &r, MAX_PAGE, &l->page, err);
}

static tenon_status ask_until_answered(listing *l, tenon_error *err) {
  for (int attempt = 1;; attempt++) {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = ask(l, &why);
    if (!status) return TENON_OK;
    int64_t delay = (int64_t)100 << attempt;
    if (why.retry_after_ms > delay) delay = why.retry_after_ms;
    if (!why.retryable || attempt == MAX_TRIES || delay >= tn_s3_host->remaining_ms(l->ctx)) {
      if (err && !err->code) *err = why;
      return status;
    }
    status = tn_s3_host->wait(l->ctx, NULL, 0, (int)delay, err);
    if (status) return status;
  }
}

static tenon_status find_next(listing *l, tenon_error *err) {
  char truncated[8] = "", token[MAX_TOKEN] = "";
  const char *text = tn_str_text(&l->page);
  tn_s3_element(text, l->page.size, "IsTruncated", truncated, sizeof truncated);
  tn_s3_element(text, l->page.size, "NextContinuationToken", token, sizeof token);
  l->has_ended = strcmp(truncated, "true") != 0;
  if (!l->has_ended && (!*token || strcmp(token, l->token) == 0))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                      "%s: the service does not say how its listing goes on", l->s->config->bucket);
  snprintf(l->token, sizeof l->token, "%s", token);
  return TENON_OK;
}

/* ---- The stream ---- */

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  int64_t rows = 0;
  while (!l->has_ended) {
    tenon_status status = ask_until_answered(l, err);
    if (!status) status = append_page(l, &rows, err);
    if (!status) status = find_next(l, err);
    if (status) return status;
    if (rows) return tn_builder_finish(l->builder, rows, ret, err);
  }
  ret->release = NULL;
  return TENON_OK;
}

static void listing_close(void *self) {
  listing *l = self;
  tn_builder_free(l->builder);
  tn_str_release(&l->page);
  tn_free(l);
}

static tenon_status make_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format; bool nullable; } columns[] = {
      {"key", "z", false}, {"kind", "u", false}, {"size", "l", true}, {"modified", "tsu:UTC", true}, {"etag", "u", true}};
  enum { COLUMNS = sizeof columns / sizeof columns[0] };
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, columns[i].nullable, 0, err);
  return status;
}

static tenon_status copy_key(const tenon_key_bytes *from, char ret[TN_S3_MAX_KEY + 1], tenon_error *err) {
  if (from->size == 0) return TENON_OK;
  tenon_status status = tn_s3_check_key(from, err);
  if (!status) memcpy(ret, from->data, from->size);
  return status;
}

tenon_status tn_s3_list(tenon_ctx *ctx, void *session, const tenon_objects_list *request, tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema = {0};
  listing *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->ctx = ctx;
  l->s = session;
  l->delimiter[0] = request->delimiter;
  tn_str_init(&l->page, MAX_PAGE + (64 << 10));
  tenon_status status = copy_key(&request->prefix, l->prefix, err);
  if (!status) status = copy_key(&request->start_after, l->start_after, err);
  if (!status) status = make_schema(&schema, err);
  if (!status) status = tn_builder_new(&schema, &l->builder, err);
  if (status) {
    tn_schema_release(&schema);
    listing_close(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = l, .schema = schema, .next = listing_next, .close = listing_close};
  return TENON_OK;
}
