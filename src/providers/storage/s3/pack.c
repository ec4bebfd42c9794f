/* SPDX-License-Identifier: Apache-2.0 */
#include "pack.h"

#include <string.h>

enum { IS_PREFIX = 1, HAS_BYTES = 2, HAS_TIME = 4, HAS_ETAG = 8, MOST_NUMBER = 10 };

/* ---- Numbers: seven bits a byte ---- */

static size_t put_number(unsigned char *to, uint64_t value) {
  size_t n = 0;
  for (; value >= 128; value >>= 7) to[n++] = (unsigned char)(value | 128);
  to[n++] = (unsigned char)value;
  return n;
}

static uint64_t get_number(tn_s3_unpacking *u) {
  uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    unsigned char byte = u->page->data[u->at++];
    value |= (uint64_t)(byte & 127) << shift;
    if (byte < 128) break;
  }
  return value;
}

/* Small ones stay small below zero. */
static uint64_t fold(int64_t value) { return (uint64_t)value << 1 ^ (value < 0 ? UINT64_MAX : 0); }
static int64_t unfold(uint64_t value) { return (int64_t)(value >> 1 ^ (value & 1 ? UINT64_MAX : 0)); }

/* ---- Packing ---- */

static size_t shared_with_last(const tn_s3_page *p, size_t i) {
  size_t n = 0;
  if (i == 0) return 0;
  const char *key = tn_s3_key_at(p, i), *last = tn_s3_key_at(p, i - 1);
  while (n < p->items[i].size && n < p->items[i - 1].size && key[n] == last[n]) n++;
  return n;
}

static size_t most_of(const tn_s3_page *p) {
  size_t most = 0;
  for (size_t i = 0; i < p->count; i++)
    most += 1 + 5 * MOST_NUMBER + p->items[i].size + (p->items[i].etag_at ? strlen(p->texts.data + p->items[i].etag_at) : 0);
  return most;
}

static size_t put_text(unsigned char *to, const char *text, size_t size) {
  size_t n = put_number(to, size);
  memcpy(to + n, text, size);
  return n + size;
}

/* Differences wrap around, and back. */
static size_t put_row(const tn_s3_page *p, size_t i, int64_t *modified_us, unsigned char *to) {
  const tn_s3_entry *e = &p->items[i];
  bool has_time = e->modified_us != INT64_MIN;
  size_t shared = shared_with_last(p, i), n = 0;
  to[n++] = (unsigned char)((e->is_prefix ? IS_PREFIX : 0) | (e->bytes >= 0 ? HAS_BYTES : 0) | (has_time ? HAS_TIME : 0) |
                            (e->etag_at ? HAS_ETAG : 0));
  n += put_number(to + n, shared);
  n += put_text(to + n, tn_s3_key_at(p, i) + shared, e->size - shared);
  if (e->bytes >= 0) n += put_number(to + n, (uint64_t)e->bytes);
  if (has_time) {
    n += put_number(to + n, fold((int64_t)((uint64_t)e->modified_us - (uint64_t)*modified_us)));
    *modified_us = e->modified_us;
  }
  if (e->etag_at) n += put_text(to + n, p->texts.data + e->etag_at, strlen(p->texts.data + e->etag_at));
  return n;
}

tn_s3_packed *tn_s3_pack(const tn_s3_page *p) {
  tn_s3_packed *packed = tn_resize(NULL, sizeof *packed + most_of(p));
  if (!packed) return NULL;
  int64_t modified_us = 0;
  packed->count = p->count;
  packed->size = 0;
  for (size_t i = 0; i < p->count; i++) packed->size += put_row(p, i, &modified_us, packed->data + packed->size);
  tn_s3_packed *smaller = tn_resize(packed, sizeof *packed + packed->size);
  return smaller ? smaller : packed;
}

void tn_s3_packed_free(tn_s3_packed *p) { tn_free(p); }

/* ---- Unpacking ---- */

void tn_s3_unpack(tn_s3_unpacking *u, tn_s3_row *ret) {
  const unsigned char *data = u->page->data;
  unsigned has = data[u->at++];
  size_t shared = (size_t)get_number(u), size = (size_t)get_number(u);
  memcpy(u->key.text + shared, data + u->at, size);
  u->at += size;
  u->key.size = shared + size;
  *ret = (tn_s3_row){.bytes = -1, .modified_us = INT64_MIN, .is_prefix = has & IS_PREFIX};
  if (has & HAS_BYTES) ret->bytes = (int64_t)get_number(u);
  if (has & HAS_TIME) ret->modified_us = u->modified_us = (int64_t)((uint64_t)u->modified_us + (uint64_t)unfold(get_number(u)));
  if (!(has & HAS_ETAG)) return;
  ret->etag_size = (size_t)get_number(u);
  ret->etag = (const char *)data + u->at;
  u->at += ret->etag_size;
}
