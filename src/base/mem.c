/* SPDX-License-Identifier: Apache-2.0 */
#include "base/mem.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* ---- Failing on purpose, for tests ---- */

static atomic_int_fast64_t fail_countdown;
static atomic_int_fast64_t allocation_count;
static atomic_int fail_armed, fail_forever;

void tn_mem_fail_at(int64_t n, int forever) {
  atomic_store(&fail_armed, 0);
  atomic_store(&fail_countdown, n);
  atomic_store(&fail_forever, forever);
  atomic_store(&allocation_count, 0);
  atomic_store(&fail_armed, n > 0);
}

int64_t tn_mem_count(void) { return atomic_load(&allocation_count); }

static int must_fail(void) {
  if (__builtin_expect(!atomic_load_explicit(&fail_armed, memory_order_relaxed), 1)) return 0;
  atomic_fetch_add(&allocation_count, 1);
  int64_t left = atomic_fetch_sub(&fail_countdown, 1);
  return left == 1 || (left < 1 && atomic_load(&fail_forever));
}

/* ---- Allocating ---- */

void *tn_alloc(size_t size) { return must_fail() ? NULL : calloc(1, size ? size : 1); }

void *tn_alloc_array(size_t n, size_t size) {
  size_t total;
  return __builtin_mul_overflow(n, size, &total) ? NULL : tn_alloc(total);
}

void *tn_alloc_aligned(size_t size) {
  enum { LINE = 64 };
  size_t whole = (size + LINE - 1) & ~(size_t)(LINE - 1);
  void *p = must_fail() || whole < size ? NULL : aligned_alloc(LINE, whole ? whole : LINE);
  if (p) memset(p, 0, whole);
  return p;
}

void *tn_resize(void *p, size_t size) {
  if (size == 0) {
    free(p);
    return NULL;
  }
  return must_fail() ? NULL : realloc(p, size);
}

void tn_free(void *p) { free(p); }

char *tn_strndup(const char *s, size_t n) {
  char *copy = tn_alloc(n + 1);
  if (copy) memcpy(copy, s, n);
  return copy;
}

char *tn_strdup(const char *s) { return tn_strndup(s, strlen(s)); }

void tn_wipe(void *p, size_t size) {
  if (size) explicit_bzero(p, size);
}

/* ---- Arenas ---- */

enum { ARENA_BLOCK = 4096 - 64 };

struct tn_arena_block {
  struct tn_arena_block *next;
  size_t used, size;
  _Alignas(16) unsigned char data[];
};

void tn_arena_init(tn_arena *a, size_t max_bytes) { *a = (tn_arena){.max = max_bytes}; }

void tn_arena_release(tn_arena *a) {
  for (struct tn_arena_block *b = a->head, *next; b; b = next) {
    next = b->next;
    tn_wipe(b->data, b->used);
    tn_free(b);
  }
  *a = (tn_arena){.max = a->max};
}

static struct tn_arena_block *new_block(tn_arena *a, size_t size) {
  if (size > a->max - a->total) return NULL;
  struct tn_arena_block *b = tn_alloc(sizeof *b + size);
  if (!b) return NULL;
  b->size = size;
  b->next = a->head;
  a->head = b;
  a->total += size;
  return b;
}

void *tn_arena_alloc(tn_arena *a, size_t size) {
  if (size > SIZE_MAX - 15) return NULL;
  size = (size + 15) & ~(size_t)15;
  struct tn_arena_block *b = a->head;
  if (!b || b->size - b->used < size) {
    b = new_block(a, size > ARENA_BLOCK ? size : ARENA_BLOCK);
    /* near the maximum a whole block may not fit any more, though this piece does */
    if (!b && size < ARENA_BLOCK) b = new_block(a, size);
    if (!b) return NULL;
  }
  void *p = b->data + b->used;
  b->used += size;
  return p;
}

char *tn_arena_strndup(tn_arena *a, const char *s, size_t n) {
  char *copy = n < SIZE_MAX ? tn_arena_alloc(a, n + 1) : NULL;
  if (!copy) return NULL;
  memcpy(copy, s, n);
  copy[n] = 0;
  return copy;
}

char *tn_arena_strdup(tn_arena *a, const char *s) { return tn_arena_strndup(a, s, strlen(s)); }
