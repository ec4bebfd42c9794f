/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/thrift.h"

enum { MAX_DEPTH = 32 };

static uint8_t byte(tn_thrift *t) {
  if (!t->bad && t->at < t->size) return t->data[t->at++];
  t->bad = true;
  return 0;
}

static uint64_t varint(tn_thrift *t) {
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t b = byte(t);
    value |= (uint64_t)(b & 127) << shift;
    if (!(b & 128)) return t->bad ? 0 : value;
  }
  t->bad = true;
  return 0;
}

static int64_t zigzag(tn_thrift *t) {
  uint64_t v = varint(t);
  return (int64_t)(v >> 1) ^ -(int64_t)(v & 1);
}

bool tn_thrift_next(tn_thrift *t, tn_thrift_field *f) {
  uint8_t head = byte(t);
  if (head == 0 || t->bad) return false;
  int64_t id = head >> 4 ? f->id + (head >> 4) : zigzag(t);
  f->type = head & 15;
  if (f->type > TN_THRIFT_STRUCT || f->type == 0 || id < INT16_MIN || id > INT16_MAX) t->bad = true;
  f->id = (int)id;
  return !t->bad;
}

int64_t tn_thrift_int(tn_thrift *t, const tn_thrift_field *f) {
  if (f->type == TN_THRIFT_BYTE) return (int8_t)byte(t);
  if (f->type == TN_THRIFT_I16 || f->type == TN_THRIFT_I32 || f->type == TN_THRIFT_I64) return zigzag(t);
  t->bad = true;
  return 0;
}

static const uint8_t *bytes(tn_thrift *t, size_t *ret_size) {
  uint64_t size = varint(t);
  *ret_size = 0;
  if (t->bad || size > t->size - t->at) {
    t->bad = true;
    return t->data;
  }
  const uint8_t *data = t->data + t->at;
  t->at += (size_t)size;
  *ret_size = (size_t)size;
  return data;
}

const uint8_t *tn_thrift_bytes(tn_thrift *t, const tn_thrift_field *f, size_t *ret_size) {
  if (f->type == TN_THRIFT_BINARY) return bytes(t, ret_size);
  t->bad = true;
  *ret_size = 0;
  return t->data;
}

/* Every element takes a byte at least, so a list is never longer than what is left. */
static uint32_t list(tn_thrift *t, int *ret_type) {
  uint8_t head = byte(t);
  uint64_t count = head >> 4;
  if (count == 15) count = varint(t);
  *ret_type = head & 15;
  if (!t->bad && count <= t->size - t->at && *ret_type >= TN_THRIFT_TRUE && *ret_type <= TN_THRIFT_STRUCT) return (uint32_t)count;
  t->bad = true;
  return 0;
}

uint32_t tn_thrift_list(tn_thrift *t, const tn_thrift_field *f, int *ret_type) {
  if (f->type == TN_THRIFT_LIST || f->type == TN_THRIFT_SET) return list(t, ret_type);
  t->bad = true;
  *ret_type = 0;
  return 0;
}

static void skip(tn_thrift *t, int type, bool in_list, int depth);

static void skip_list(tn_thrift *t, int depth) {
  int type;
  uint32_t count = list(t, &type);
  for (uint32_t i = 0; i < count && !t->bad; i++) skip(t, type, true, depth);
}

static void skip_map(tn_thrift *t, int depth) {
  uint64_t count = varint(t);
  uint8_t types = count ? byte(t) : 0;
  if (count > t->size - t->at) t->bad = true;
  for (uint64_t i = 0; i < count && !t->bad; i++) {
    skip(t, types >> 4, true, depth);
    skip(t, types & 15, true, depth);
  }
}

static void skip(tn_thrift *t, int type, bool in_list, int depth) {
  size_t size;
  tn_thrift_field f = {0};
  if (depth > MAX_DEPTH) t->bad = true;
  if (t->bad) return;
  switch (type) {
    case TN_THRIFT_TRUE: case TN_THRIFT_FALSE:
      if (in_list) byte(t);   /* a field's boolean is in its head */
      break;
    case TN_THRIFT_BYTE: byte(t); break;
    case TN_THRIFT_I16: case TN_THRIFT_I32: case TN_THRIFT_I64: varint(t); break;
    case TN_THRIFT_DOUBLE:
      if (t->size - t->at < 8) t->bad = true;
      else t->at += 8;
      break;
    case TN_THRIFT_BINARY: bytes(t, &size); break;
    case TN_THRIFT_LIST: case TN_THRIFT_SET: skip_list(t, depth + 1); break;
    case TN_THRIFT_MAP: skip_map(t, depth + 1); break;
    case TN_THRIFT_STRUCT:
      while (tn_thrift_next(t, &f)) skip(t, f.type, false, depth + 1);
      break;
    default: t->bad = true;
  }
}

void tn_thrift_skip(tn_thrift *t, int type) { skip(t, type, false, 0); }
