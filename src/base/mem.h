/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Memory. Everything in Tenon allocates here, so that tests can make any allocation fail.
 */
#ifndef TN_BASE_MEM_H
#define TN_BASE_MEM_H

#include <stddef.h>
#include <stdint.h>

void *tn_alloc(size_t size);                 /* zeroed; NULL when there is none */
void *tn_alloc_array(size_t n, size_t size); /* zeroed; NULL on overflow too */
void *tn_alloc_aligned(size_t size);         /* zeroed, from the beginning of a cache line on */
void *tn_resize(void *p, size_t size);       /* size 0 frees and answers NULL */
void tn_free(void *p);
char *tn_strdup(const char *);
char *tn_strndup(const char *, size_t);
void tn_wipe(void *p, size_t size);          /* overwrites, and is not optimised away */

/* Tests: the n-th allocation from now fails, and with `forever` all behind it. 0 turns it off. */
void tn_mem_fail_at(int64_t n, int forever);
int64_t tn_mem_count(void);                  /* allocations since the last tn_mem_fail_at */

/* Many small pieces that are freed together. */
typedef struct tn_arena {
  struct tn_arena_block *head;
  size_t total, max;
} tn_arena;

void tn_arena_init(tn_arena *, size_t max_bytes);
void tn_arena_release(tn_arena *);           /* wipes what was in it */
void *tn_arena_alloc(tn_arena *, size_t size);
char *tn_arena_strndup(tn_arena *, const char *, size_t);
char *tn_arena_strdup(tn_arena *, const char *);

#endif
