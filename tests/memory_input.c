/* SPDX-License-Identifier: Apache-2.0 */
#include "memory_input.h"

#include <string.h>

#include "base/mem.h"

typedef struct memory_bytes {
  memory_input *in;
  size_t at, end;
  int reads;
} memory_bytes;

static tenon_status read_bytes(void *self, void *data, size_t size, size_t *ret_size,
                               tenon_error *err) {
  memory_bytes *b = self;
  size_t piece = b->reads++ == 0 ? b->in->first : b->in->rest;
  if (b->in->fail_at == b->reads)
    return tenon_fail(err, TENON_IO, TENON_STAGE_DATA, NULL, "%s: reading failed",
                      b->in->input.name);
  if (piece && size > piece) size = piece;
  if (size > b->end - b->at) size = b->end - b->at;
  memcpy(data, b->in->data + b->at, size);
  b->at += size;
  *ret_size = size;
  return TENON_OK;
}

static void close_bytes(void *self) {
  memory_bytes *b = self;
  b->in->open_count--;
  tn_free(b);
}

static tenon_status open_bytes(void *self, int64_t offset, int64_t length, tenon_bytes *ret,
                               tenon_error *err) {
  memory_input *in = self;
  memory_bytes *b = tn_alloc(sizeof *b);
  if (!b) return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, NULL, "out of memory");
  size_t end = length < 0 ? in->size : (size_t)(offset + length);
  *b = (memory_bytes){.in = in, .at = (size_t)offset, .end = end};
  in->open_count++;
  *ret = (tenon_bytes){
      .struct_size = sizeof *ret,
      .fd = -1,
      .length = -1,
      .self = b,
      .read = read_bytes,
      .close = close_bytes,
  };
  return TENON_OK;
}

void memory_input_init(memory_input *in, const char *name, const char *data, size_t size) {
  *in = (memory_input){
      .input = {.name = name, .size = -1, .self = in, .open = open_bytes},
      .data = data,
      .size = size,
  };
}
