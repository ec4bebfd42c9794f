/* SPDX-License-Identifier: Apache-2.0 */
/* Stores: named tables and objects, each of them an immutable version that readers hold. */
#ifndef TESTS_CONTRACT_MEMORY_STORE_H
#define TESTS_CONTRACT_MEMORY_STORE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "contract/cells.h"
#include "tenon/provider.h"

typedef struct memory_table {
  atomic_int refs;
  char *name;
  char *key;               /* a column, or NULL */
  kept_rows rows;
} memory_table;

typedef struct memory_object {
  atomic_int refs;
  char *key;
  size_t key_size;
  char *data;
  size_t size;
  char etag[32], content_type[64];
  int64_t modified_us;
} memory_object;

typedef struct memory_store memory_store;

memory_store *memory_store_open(const char *name);        /* made when first asked for */
void memory_lock(memory_store *);
void memory_unlock(memory_store *);

/* These want the lock. The table or object is held; give it back with _unref. */
memory_table *memory_table_find(memory_store *, const char *name);   /* NULL: none */
/* by name; NULL behind the last */
memory_table *memory_table_at(memory_store *, size_t i);
/* takes it over, for one of the same name */
void memory_table_put(memory_store *, memory_table *);
void memory_table_drop(memory_store *, const char *name);
memory_object *memory_object_find(memory_store *, tenon_key_bytes key);
/* the next one in order */
memory_object *memory_object_behind(memory_store *, tenon_key_bytes key, bool or_same);
void memory_object_put(memory_store *, memory_object *);
bool memory_object_drop(memory_store *, tenon_key_bytes key);

memory_table *memory_table_new(const char *name);
void memory_table_unref(memory_table *);
memory_object *memory_object_new(tenon_key_bytes key, const char *data, size_t size,
                                 const char *content_type);
void memory_object_unref(memory_object *);

#endif
