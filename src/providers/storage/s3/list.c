/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys, a page of a thousand at a time (ListObjectsV2). A page has objects and rolled-up prefixes in two
 * sorted lists; rows are the two merged.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "net/xml.h"
#include "s3.h"

enum { MAX_PAGE = 16 << 20, MAX_TEXT = 8 << 20, MAX_TOKEN = 4096, MAX_TRIES = 4, MAX_ENTRIES = 10000, AT_A_TIME = 64 << 10 };

typedef struct entry {
  size_t at, size;           /* its key, within the page's texts */
  int64_t bytes, modified_us;
  char etag[128];
  bool has_key;
} entry;

typedef struct entries {
  entry *items;
  size_t count, room;
} entries;

typedef struct page {
  entries objects, prefixes;
  entry now;                 /* under construction */
  tn_str texts;
  bool is_listing, is_encoded, is_truncated;
  char token[MAX_TOKEN];
} page;

typedef struct listing {
  tenon_ctx *ctx;
  tn_s3 *s;
  char prefix[TN_S3_MAX_KEY + 1], start_after[TN_S3_MAX_KEY + 1], delimiter[2];
  char token[MAX_TOKEN];
  bool has_ended;
  page page;
  tn_builder *builder;
} listing;

/* ---- Reading a page ---- */

static tenon_status bad_page(const listing *l, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check the endpoint; if it is right, ask who runs the service",
                    "%s: the listing %s", l->s->config->bucket, why);
}

static tenon_status add_entry(listing *l, entries *to, tenon_error *err) {
  if (!l->page.now.has_key) return bad_page(l, "has an object without a key", err);
  if (to->count == MAX_ENTRIES) return bad_page(l, "has more keys than were asked for", err);
  if (to->count == to->room) {
    size_t room = to->room ? 2 * to->room : 1024;
    entry *more = tn_resize(to->items, room * sizeof *more);
    if (!more) return tn_no_memory(err);
    to->items = more;
    to->room = room;
  }
  to->items[to->count++] = l->page.now;
  return TENON_OK;
}

static tenon_status take_key(listing *l, const char *text, size_t size, tenon_error *err) {
  entry *now = &l->page.now;
  if (size > 3 * TN_S3_MAX_KEY) return bad_page(l, "has a key longer than keys can be", err);
  now->at = l->page.texts.size;
  now->size = size;
  now->has_key = true;
  return tn_str_add(&l->page.texts, text, size) ? TENON_OK : tn_no_memory(err);
}

static tenon_status on_start(void *arg, const char *path, tenon_error *err) {
  listing *l = arg;
  static const entry none = {.bytes = -1, .modified_us = INT64_MIN};
  if (!strchr(path, '/')) {
    l->page.is_listing = strcmp(path, "ListBucketResult") == 0;
    if (!l->page.is_listing) return bad_page(l, "is none: another document came", err);
  }
  if (strcmp(path, "ListBucketResult/Contents") == 0 || strcmp(path, "ListBucketResult/CommonPrefixes") == 0)
    l->page.now = none;
  return TENON_OK;
}

static tenon_status on_object(listing *l, const char *name, const char *text, size_t size, tenon_error *err) {
  entry *now = &l->page.now;
  char *end;
  if (strcmp(name, "Key") == 0) return take_key(l, text, size, err);
  if (strcmp(name, "ETag") == 0 && size < sizeof now->etag) snprintf(now->etag, sizeof now->etag, "%s", text);
  if (strcmp(name, "LastModified") == 0) tn_parse_timestamp(text, size, true, &now->modified_us);
  if (strcmp(name, "Size") != 0) return TENON_OK;
  now->bytes = strtoll(text, &end, 10);
  return size && !*end && now->bytes >= 0 ? TENON_OK : bad_page(l, "has an object whose size is no number", err);
}

static tenon_status on_end(void *arg, const char *path, const char *text, size_t size, tenon_error *err) {
  static const char root[] = "ListBucketResult/", object[] = "Contents/";
  listing *l = arg;
  page *p = &l->page;
  if (strncmp(path, root, sizeof root - 1) != 0) return TENON_OK;
  const char *name = path + sizeof root - 1;
  if (strncmp(name, object, sizeof object - 1) == 0) return on_object(l, name + sizeof object - 1, text, size, err);
  if (strcmp(name, "Contents") == 0) return add_entry(l, &p->objects, err);
  if (strcmp(name, "CommonPrefixes/Prefix") == 0) return take_key(l, text, size, err);
  if (strcmp(name, "CommonPrefixes") == 0) return add_entry(l, &p->prefixes, err);
  if (strcmp(name, "EncodingType") == 0) p->is_encoded = strcmp(text, "url") == 0;
  if (strcmp(name, "IsTruncated") == 0) p->is_truncated = strcmp(text, "true") == 0;
  if (strcmp(name, "NextContinuationToken") == 0 && size < sizeof p->token) snprintf(p->token, sizeof p->token, "%s", text);
  return TENON_OK;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  c = (char)(c | 0x20);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; a plus is a space, as forms have it. */
static size_t decode(char *text, size_t size) {
  char *to = text;
  for (size_t i = 0; i < size; i++) {
    int high = text[i] == '%' && i + 2 < size ? hex_digit(text[i + 1]) : -1, low = high >= 0 ? hex_digit(text[i + 2]) : -1;
    *to++ = low >= 0 ? (char)(high * 16 + low) : text[i] == '+' ? ' ' : text[i];
    if (low >= 0) i += 2;
  }
  return (size_t)(to - text);
}

static tenon_status decode_keys(listing *l, entries *e, tenon_error *err) {
  for (size_t i = 0; i < e->count; i++) {
    entry *one = &e->items[i];
    if (l->page.is_encoded) one->size = decode(l->page.texts.data + one->at, one->size);
    if (one->size == 0 || one->size > TN_S3_MAX_KEY) return bad_page(l, "has a key that cannot be one", err);
  }
  return TENON_OK;
}

/* ---- Rows ---- */

static bool comes_first(const page *p, const entry *a, const entry *b) {
  size_t n = a->size < b->size ? a->size : b->size;
  int order = memcmp(p->texts.data + a->at, p->texts.data + b->at, n);
  return order < 0 || (order == 0 && a->size <= b->size);
}

static bool append(const listing *l, const entry *e, bool is_prefix) {
  tn_column *key = tn_builder_column(l->builder, 0), *kind = tn_builder_column(l->builder, 1);
  tn_column *bytes = tn_builder_column(l->builder, 2), *time = tn_builder_column(l->builder, 3);
  tn_column *tag = tn_builder_column(l->builder, 4);
  return tn_append_bytes(key, l->page.texts.data + e->at, (int64_t)e->size) &&
         tn_append_text(kind, is_prefix ? "prefix" : "object") &&
         (e->bytes >= 0 ? tn_append_i64(bytes, e->bytes) : tn_append_null(bytes)) &&
         (e->modified_us != INT64_MIN ? tn_append_i64(time, e->modified_us) : tn_append_null(time)) &&
         (*e->etag ? tn_append_text(tag, e->etag) : tn_append_null(tag));
}

static tenon_status append_page(listing *l, int64_t *ret_rows, tenon_error *err) {
  const page *p = &l->page;
  size_t i = 0, k = 0;
  while (i < p->objects.count || k < p->prefixes.count) {
    bool object = k == p->prefixes.count ||
                  (i < p->objects.count && comes_first(p, &p->objects.items[i], &p->prefixes.items[k]));
    if (!append(l, object ? &p->objects.items[i++] : &p->prefixes.items[k++], !object)) return tn_append_failed(err);
  }
  *ret_rows = (int64_t)(i + k);
  return TENON_OK;
}

/* ---- Asking for one ---- */

static void clear_page(page *p) {
  p->objects.count = p->prefixes.count = 0;
  p->is_listing = p->is_encoded = p->is_truncated = false;
  p->token[0] = 0;
  tn_str_clear(&p->texts);
}

static tenon_status read_page(listing *l, tn_s3_reply *reply, tenon_error *err) {
  const tn_xml_events events = {.arg = l, .start = on_start, .end = on_end};
  tenon_bytes *body = &reply->http.body;
  tn_xml *xml;
  tenon_status status = tn_xml_new(&events, MAX_PAGE, &xml, err);
  if (status) return status;
  char *data = tn_resize(NULL, AT_A_TIME);
  if (!data) status = tn_no_memory(err);
  for (size_t n = 1; !status && n > 0;) {
    status = body->read(body->self, data, AT_A_TIME, &n, err);
    if (!status && n) status = tn_xml_push(xml, data, n, err);
  }
  if (!status) status = tn_xml_finish(xml, err);
  tn_free(data);
  tn_xml_free(xml);
  if (!status) status = decode_keys(l, &l->page.objects, err);
  return status ? status : decode_keys(l, &l->page.prefixes, err);
}

static tenon_status ask(listing *l, tenon_error *err) {
  tn_s3_request r = {.method = "GET", .max_reply = MAX_PAGE};
  tn_s3_reply reply;
  tn_s3_query(&r, "list-type", "2");
  tn_s3_query(&r, "encoding-type", "url");
  tn_s3_query(&r, "prefix", l->prefix);
  if (*l->delimiter) tn_s3_query(&r, "delimiter", l->delimiter);
  if (*l->token) tn_s3_query(&r, "continuation-token", l->token);
  else if (*l->start_after) tn_s3_query(&r, "start-after", l->start_after);
  clear_page(&l->page);
  tenon_status status = tn_s3_send(l->ctx, l->s, &r, &reply, err);
  if (status) return status;
  status = read_page(l, &reply, err);
  tn_s3_reply_release(&reply);
  return status;
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
  const page *p = &l->page;
  l->has_ended = !p->is_truncated;
  if (!l->has_ended && (!*p->token || strcmp(p->token, l->token) == 0))
    return bad_page(l, "does not say how it goes on", err);
  snprintf(l->token, sizeof l->token, "%s", p->token);
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
  tn_str_release(&l->page.texts);
  tn_free(l->page.objects.items);
  tn_free(l->page.prefixes.items);
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
  tn_str_init(&l->page.texts, MAX_TEXT);
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
