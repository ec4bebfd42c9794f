/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/memory_store.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "contract/memory.h"

struct memory_store {
  memory_store *next;
  char *name;
  pthread_mutex_t lock;
  memory_table **tables;
  size_t table_count;
  memory_object **objects;
  size_t object_count;
};

static pthread_mutex_t all_lock = PTHREAD_MUTEX_INITIALIZER;
static memory_store *all;

memory_store *memory_store_open(const char *name) {
  pthread_mutex_lock(&all_lock);
  memory_store *s = all;
  while (s && strcmp(s->name, name) != 0) s = s->next;
  if (!s) {
    s = calloc(1, sizeof *s);
    s->name = strdup(name);
    pthread_mutex_init(&s->lock, NULL);
    s->next = all;
    all = s;
  }
  pthread_mutex_unlock(&all_lock);
  return s;
}

void memory_lock(memory_store *s) { pthread_mutex_lock(&s->lock); }
void memory_unlock(memory_store *s) { pthread_mutex_unlock(&s->lock); }

void memory_drop(void) {
  for (memory_store *s = all, *next; s; s = next) {
    next = s->next;
    for (size_t i = 0; i < s->table_count; i++) memory_table_unref(s->tables[i]);
    for (size_t i = 0; i < s->object_count; i++) memory_object_unref(s->objects[i]);
    free(s->tables);
    free(s->objects);
    free(s->name);
    pthread_mutex_destroy(&s->lock);
    free(s);
  }
  all = NULL;
}

/* ---- Tables ---- */

memory_table *memory_table_new(const char *name) {
  memory_table *t = calloc(1, sizeof *t);
  atomic_init(&t->refs, 1);
  t->name = strdup(name);
  return t;
}

void memory_table_unref(memory_table *t) {
  if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
  kept_release(&t->rows);
  free(t->name);
  free(t->key);
  free(t);
}

static size_t table_place(const memory_store *s, const char *name) {
  size_t i = 0;
  while (i < s->table_count && strcmp(s->tables[i]->name, name) < 0) i++;
  return i;
}

memory_table *memory_table_at(memory_store *s, size_t i) {
  if (i >= s->table_count) return NULL;
  atomic_fetch_add(&s->tables[i]->refs, 1);
  return s->tables[i];
}

memory_table *memory_table_find(memory_store *s, const char *name) {
  size_t i = table_place(s, name);
  return i < s->table_count && strcmp(s->tables[i]->name, name) == 0 ? memory_table_at(s, i) : NULL;
}

void memory_table_drop(memory_store *s, const char *name) {
  size_t i = table_place(s, name);
  if (i == s->table_count || strcmp(s->tables[i]->name, name) != 0) return;
  memory_table_unref(s->tables[i]);
  memmove(s->tables + i, s->tables + i + 1, (--s->table_count - i) * sizeof *s->tables);
}

void memory_table_put(memory_store *s, memory_table *t) {
  memory_table_drop(s, t->name);
  size_t i = table_place(s, t->name);
  s->tables = realloc(s->tables, (s->table_count + 1) * sizeof *s->tables);
  memmove(s->tables + i + 1, s->tables + i, (s->table_count++ - i) * sizeof *s->tables);
  s->tables[i] = t;
}

/* ---- Objects ---- */

memory_object *memory_object_new(tenon_key_bytes key, const char *data, size_t size,
                                 const char *content_type) {
  static atomic_uint versions;
  struct timespec now;
  memory_object *o = calloc(1, sizeof *o);
  atomic_init(&o->refs, 1);
  o->key = calloc(1, key.size + 1);
  memcpy(o->key, key.data, key.size);
  o->key_size = key.size;
  o->data = malloc(size + 1);
  if (size) memcpy(o->data, data, size);
  o->size = size;
  clock_gettime(CLOCK_REALTIME, &now);
  o->modified_us = (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
  snprintf(o->etag, sizeof o->etag, "v%u", atomic_fetch_add(&versions, 1) + 1);
  snprintf(o->content_type, sizeof o->content_type, "%s", content_type ? content_type : "");
  return o;
}

void memory_object_unref(memory_object *o) {
  if (!o || atomic_fetch_sub(&o->refs, 1) != 1) return;
  free(o->key);
  free(o->data);
  free(o);
}

static int compare_keys(tenon_key_bytes a, tenon_key_bytes b) {
  size_t n = a.size < b.size ? a.size : b.size;
  int c = n ? memcmp(a.data, b.data, n) : 0;
  return c ? c : (a.size > b.size) - (a.size < b.size);
}

static tenon_key_bytes key_of(const memory_object *o) {
  return (tenon_key_bytes){o->key, o->key_size};
}

static size_t object_place(const memory_store *s, tenon_key_bytes key) {
  size_t i = 0;
  while (i < s->object_count && compare_keys(key_of(s->objects[i]), key) < 0) i++;
  return i;
}

static bool is_at(const memory_store *s, size_t i, tenon_key_bytes key) {
  return i < s->object_count && compare_keys(key_of(s->objects[i]), key) == 0;
}

memory_object *memory_object_behind(memory_store *s, tenon_key_bytes key, bool or_same) {
  size_t i = object_place(s, key);
  if (!or_same && is_at(s, i, key)) i++;
  if (i >= s->object_count) return NULL;
  atomic_fetch_add(&s->objects[i]->refs, 1);
  return s->objects[i];
}

memory_object *memory_object_find(memory_store *s, tenon_key_bytes key) {
  return is_at(s, object_place(s, key), key) ? memory_object_behind(s, key, true) : NULL;
}

bool memory_object_drop(memory_store *s, tenon_key_bytes key) {
  size_t i = object_place(s, key);
  if (!is_at(s, i, key)) return false;
  memory_object_unref(s->objects[i]);
  memmove(s->objects + i, s->objects + i + 1, (--s->object_count - i) * sizeof *s->objects);
  return true;
}

void memory_object_put(memory_store *s, memory_object *o) {
  memory_object_drop(s, key_of(o));
  size_t i = object_place(s, key_of(o));
  s->objects = realloc(s->objects, (s->object_count + 1) * sizeof *s->objects);
  memmove(s->objects + i + 1, s->objects + i, (s->object_count++ - i) * sizeof *s->objects);
  s->objects[i] = o;
}
