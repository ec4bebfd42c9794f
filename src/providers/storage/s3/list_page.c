/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "net/xml.h"

enum { MAX_TEXTS = 8 << 20, MAX_ENTRIES = 10000 };

static tenon_status bad_page(const tn_s3_page *p, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check the endpoint; if it is right, ask who runs the service",
                    "%s: the listing %s", p->s->config->bucket, why);
}

/* ---- Out of XML ---- */

static tenon_status add_entry(tn_s3_page *p, bool is_prefix, tenon_error *err) {
  if (!p->now.at) return bad_page(p, "has an object without a key", err);
  if (p->count == MAX_ENTRIES) return bad_page(p, "has more keys than were asked for", err);
  if (p->count == p->room) {
    size_t room = p->room ? 2 * p->room : 256;
    tn_s3_entry *more = tn_resize(p->items, room * sizeof *more);
    if (!more) return tn_no_memory(err);
    p->items = more;
    p->room = room;
  }
  p->now.is_prefix = is_prefix;
  p->items[p->count++] = p->now;
  return TENON_OK;
}

static tenon_status keep_text(tn_s3_page *p, const char *text, size_t size, uint32_t *ret_at, tenon_error *err) {
  bool begins = p->texts.size || tn_str_putc(&p->texts, 0);
  *ret_at = (uint32_t)p->texts.size;
  return begins && tn_str_add(&p->texts, text, size) && tn_str_putc(&p->texts, 0) ? TENON_OK : tn_no_memory(err);
}

static tenon_status take_key(tn_s3_page *p, const char *text, size_t size, tenon_error *err) {
  if (size > 3 * TN_S3_MAX_KEY) return bad_page(p, "has a key longer than keys can be", err);
  p->now.size = (uint16_t)size;
  return keep_text(p, text, size, &p->now.at, err);
}

static tenon_status on_start(void *arg, const char *path, tenon_error *err) {
  tn_s3_page *p = arg;
  static const tn_s3_entry none = {.bytes = -1, .modified_us = INT64_MIN};
  if (!strchr(path, '/') && strcmp(path, "ListBucketResult") != 0)
    return bad_page(p, "is none: another document came", err);
  if (strcmp(path, "ListBucketResult/Contents") == 0 || strcmp(path, "ListBucketResult/CommonPrefixes") == 0)
    p->now = none;
  return TENON_OK;
}

static tenon_status on_object(tn_s3_page *p, const char *name, const char *text, size_t size, tenon_error *err) {
  tn_s3_entry *now = &p->now;
  char *end;
  if (strcmp(name, "Key") == 0) return take_key(p, text, size, err);
  if (strcmp(name, "ETag") == 0 && size && size < sizeof((tenon_object *)0)->etag) return keep_text(p, text, size, &now->etag_at, err);
  if (strcmp(name, "LastModified") == 0) tn_parse_timestamp(text, size, true, &now->modified_us);
  if (strcmp(name, "Size") != 0) return TENON_OK;
  now->bytes = strtoll(text, &end, 10);
  return size && !*end && now->bytes >= 0 ? TENON_OK : bad_page(p, "has an object whose size is no number", err);
}

static tenon_status on_end(void *arg, const char *path, const char *text, size_t size, tenon_error *err) {
  static const char root[] = "ListBucketResult/", object[] = "Contents/";
  tn_s3_page *p = arg;
  if (strncmp(path, root, sizeof root - 1) != 0) return TENON_OK;
  const char *name = path + sizeof root - 1;
  if (strncmp(name, object, sizeof object - 1) == 0) return on_object(p, name + sizeof object - 1, text, size, err);
  if (strcmp(name, "Contents") == 0) return add_entry(p, false, err);
  if (strcmp(name, "CommonPrefixes/Prefix") == 0) return take_key(p, text, size, err);
  if (strcmp(name, "CommonPrefixes") == 0) return add_entry(p, true, err);
  if (strcmp(name, "EncodingType") == 0) p->is_encoded = strcmp(text, "url") == 0;
  if (strcmp(name, "IsTruncated") == 0) p->is_truncated = strcmp(text, "true") == 0;
  if (strcmp(name, "NextContinuationToken") != 0 || size >= TN_S3_MAX_TOKEN) return TENON_OK;
  tn_free(p->token);
  p->token = tn_strndup(text, size);
  return p->token ? TENON_OK : tn_no_memory(err);
}

/* ---- Keys ---- */

/* In place; a plus is a space, as forms have it. */
static size_t decode(char *text, size_t size) {
  char *to = text;
  for (size_t i = 0; i < size; i++) {
    int high = text[i] == '%' && i + 2 < size ? tn_hex_digit(text[i + 1]) : -1, low = high >= 0 ? tn_hex_digit(text[i + 2]) : -1;
    *to++ = low >= 0 ? (char)(high * 16 + low) : text[i] == '+' ? ' ' : text[i];
    if (low >= 0) i += 2;
  }
  return (size_t)(to - text);
}

static tenon_status decode_keys(tn_s3_page *p, tenon_error *err) {
  for (size_t i = 0; i < p->count; i++) {
    tn_s3_entry *one = &p->items[i];
    if (p->is_encoded) one->size = (uint16_t)decode(p->texts.data + one->at, one->size);
    if (one->size == 0 || one->size > TN_S3_MAX_KEY) return bad_page(p, "has a key that cannot be one", err);
  }
  return TENON_OK;
}

static int compare(const tn_s3_page *p, const tn_s3_entry *a, const tn_s3_entry *b) {
  return tn_s3_compare_bytes(p->texts.data + a->at, a->size, p->texts.data + b->at, b->size);
}

static size_t find_first(const tn_s3_page *p, size_t from, bool is_prefix) {
  while (from < p->count && p->items[from].is_prefix != is_prefix) from++;
  return from;
}

/* Objects and prefixes come one list behind the other: into one, in the order that each has. */
static tenon_status merge(tn_s3_page *p, tenon_error *err) {
  size_t object = find_first(p, 0, false), prefix = find_first(p, 0, true);
  if (object == p->count || prefix == p->count) return TENON_OK;
  tn_s3_entry *merged = tn_resize(NULL, p->count * sizeof *merged);
  if (!merged) return tn_no_memory(err);
  for (size_t i = 0; i < p->count; i++) {
    bool first = prefix == p->count || (object < p->count && compare(p, &p->items[object], &p->items[prefix]) <= 0);
    merged[i] = p->items[first ? object : prefix];
    if (first) object = find_first(p, object + 1, false);
    else prefix = find_first(p, prefix + 1, true);
  }
  tn_free(p->items);
  p->items = merged;
  p->room = p->count;
  return TENON_OK;
}

/* ---- Its life ---- */

static tenon_status read_document(tn_s3_page *p, const char *data, size_t size, tenon_error *err) {
  const tn_xml_events events = {.arg = p, .start = on_start, .end = on_end};
  tenon_status status = tn_xml_read(&events, data, size, err);
  if (!status) status = decode_keys(p, err);
  return status ? status : merge(p, err);
}

tenon_status tn_s3_page_read(const tn_s3 *s, const char *data, size_t size, tn_s3_page **ret, tenon_error *err) {
  tn_s3_page *p = tn_alloc(sizeof *p);
  if (!p) return tn_no_memory(err);
  p->s = s;
  tn_str_init(&p->texts, MAX_TEXTS);
  tenon_status status = read_document(p, data, size, err);
  if (status) tn_s3_page_free(p);
  else *ret = p;
  return status;
}

void tn_s3_page_free(tn_s3_page *p) {
  if (!p) return;
  tn_str_release(&p->texts);
  tn_free(p->token);
  tn_free(p->items);
  tn_free(p);
}

const char *tn_s3_key_at(const tn_s3_page *p, size_t i) { return p->texts.data + p->items[i].at; }

bool tn_s3_page_is_sorted(const tn_s3_page *p) {
  for (size_t i = 1; i < p->count; i++)
    if (compare(p, &p->items[i - 1], &p->items[i]) >= 0) return false;
  return true;
}
