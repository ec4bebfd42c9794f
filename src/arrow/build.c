/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A slab is the memory of one batch: its columns' buffers and the ArrowArray nodes that point into
 * them. Each node that a consumer holds counts as one reference, so children may be moved out and
 * released apart; with the last one the slab goes back to its store, and from there into the next
 * batch. The store lives as long as its builder or any slab.
 */
#include "arrow/build.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

enum {
  KEPT_SLABS = 3,            /* free ones that a store keeps */
  MAX_DEPTH = 32             /* of nested types */
};
static const int64_t MAX_BUFFER = INT64_C(0x7FFFFFFF);

typedef struct tn_store tn_store;

typedef struct tn_node {
  struct ArrowArray array;   /* stays here; the root's copy goes to the caller */
  const void *buffers[3];
  struct ArrowArray **child_pointers;
  struct tn_node *children;
  struct tn_slab *slab;
} tn_node;

typedef struct tn_slab {
  tn_store *store;
  struct tn_slab *next;      /* among the store's free ones */
  atomic_int refs;
  tn_column root;
  tn_node node;
} tn_slab;

struct tn_store {
  atomic_int refs;           /* the builder and every slab that is out or under construction */
  pthread_mutex_t lock;
  tn_slab *idle;
  int idle_count;
  bool closed;               /* no builder any more: slabs are freed as they come back */
};

struct tn_builder {
  tn_store *store;
  tn_slab *slab;             /* under construction */
  struct ArrowSchema schema;
};

/* ---- Columns from formats (source: the Arrow C data interface's format strings) ---- */

static int fixed_width(const char *f) {
  switch (f[0]) {
    case 'c': case 'C': return 1;
    case 's': case 'S': case 'e': return 2;
    case 'i': case 'I': case 'f': return 4;
    case 'l': case 'L': case 'g': return 8;
    case 'w': return f[1] == ':' ? (int)strtol(f + 2, NULL, 10) : 0;
    case 'd': {
      const char *scale = strchr(f, ','), *bits = scale ? strchr(scale + 1, ',') : NULL;
      if (f[1] != ':' || !scale) return 0;
      return bits ? (int)strtol(bits + 1, NULL, 10) / 8 : 16;
    }
    case 't':
      if (strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0 || strcmp(f, "tiM") == 0) return 4;
      if (strcmp(f, "tin") == 0) return 16;
      return f[1] && strchr("dtsDi", f[1]) && f[2] ? 8 : 0;
    default: return 0;
  }
}

static bool layout_of(const char *f, tn_layout *ret, int32_t *ret_width) {
  *ret_width = 0;
  switch (f[0]) {
    case 'n': *ret = TN_NULLS; return f[1] == 0;
    case 'b': *ret = TN_BITS; return f[1] == 0;
    case 'u': case 'z': *ret = TN_BINARY; return f[1] == 0;
    case 'U': case 'Z': *ret = TN_LARGE_BINARY; return f[1] == 0;
    case '+':
      *ret = f[1] == 's' ? TN_STRUCT : f[1] == 'w' ? TN_FIXED_LIST : TN_LIST;
      if (f[1] == 'w') *ret_width = f[2] == ':' ? (int32_t)strtol(f + 3, NULL, 10) : 0;
      return f[1] == 'l' || f[1] == 'm' || f[1] == 's' || (f[1] == 'w' && *ret_width > 0);
    default: *ret = TN_FIXED; *ret_width = fixed_width(f); return *ret_width > 0;
  }
}

static void column_release(tn_column *c) {
  tn_free(c->validity.data);
  tn_free(c->offsets.data);
  tn_free(c->data.data);
  for (int32_t i = 0; i < c->child_count; i++) column_release(&c->children[i]);
  tn_free(c->children);
  *c = (tn_column){0};
}

static tenon_status column_init(tn_column *c, const struct ArrowSchema *s, int depth, tenon_error *err) {
  if (s->dictionary || !layout_of(s->format, &c->layout, &c->width) || depth > MAX_DEPTH || s->n_children > 65536)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, NULL, "column %s: batches of Arrow type %s cannot be built",
                      s->name ? s->name : "", s->dictionary ? "dictionary" : s->format);
  if (s->n_children == 0) return TENON_OK;
  c->children = tn_alloc_array((size_t)s->n_children, sizeof *c->children);
  if (!c->children) return tn_no_memory(err);
  c->child_count = (int32_t)s->n_children;
  for (int32_t i = 0; i < c->child_count; i++) {
    tenon_status status = column_init(&c->children[i], s->children[i], depth + 1, err);
    if (status) return status;
  }
  return TENON_OK;
}

static void column_clear(tn_column *c) {
  c->length = c->null_count = c->data_size = 0;
  for (int32_t i = 0; i < c->child_count; i++) column_clear(&c->children[i]);
}

/* ---- Slabs ---- */

static void node_release(tn_node *n, int32_t child_count) {
  for (int32_t i = 0; n->children && i < child_count; i++)
    node_release(&n->children[i], n->children[i].children ? (int32_t)n->children[i].array.n_children : 0);
  tn_free(n->children);
  tn_free(n->child_pointers);
}

static bool node_init(tn_node *n, tn_slab *slab, const tn_column *c) {
  n->slab = slab;
  n->array.n_children = 0;
  if (c->child_count == 0) return true;
  n->children = tn_alloc_array((size_t)c->child_count, sizeof *n->children);
  n->child_pointers = tn_alloc_array((size_t)c->child_count, sizeof *n->child_pointers);
  if (!n->children || !n->child_pointers) return false;
  n->array.n_children = c->child_count;
  for (int32_t i = 0; i < c->child_count; i++) {
    n->child_pointers[i] = &n->children[i].array;
    if (!node_init(&n->children[i], slab, &c->children[i])) return false;
  }
  return true;
}

static void slab_free(tn_slab *s) {
  node_release(&s->node, s->root.child_count);
  column_release(&s->root);
  tn_free(s);
}

static tenon_status slab_new(tn_store *store, const struct ArrowSchema *schema, tn_slab **ret, tenon_error *err) {
  tn_slab *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->store = store;
  tenon_status status = column_init(&s->root, schema, 0, err);
  if (!status && !node_init(&s->node, s, &s->root)) status = tn_no_memory(err);
  if (status) {
    slab_free(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}

/* ---- Stores ---- */

static tn_slab *store_take(tn_store *store) {
  pthread_mutex_lock(&store->lock);
  tn_slab *s = store->idle;
  if (s) {
    store->idle = s->next;
    store->idle_count--;
  }
  pthread_mutex_unlock(&store->lock);
  return s;
}

static void store_unref(tn_store *store) {
  if (atomic_fetch_sub(&store->refs, 1) != 1) return;
  for (tn_slab *s; (s = store_take(store));) slab_free(s);
  pthread_mutex_destroy(&store->lock);
  tn_free(store);
}

static void store_give(tn_store *store, tn_slab *s) {
  pthread_mutex_lock(&store->lock);
  bool keep = !store->closed && store->idle_count < KEPT_SLABS;
  if (keep) {
    s->next = store->idle;
    store->idle = s;
    store->idle_count++;
  }
  pthread_mutex_unlock(&store->lock);
  if (!keep) slab_free(s);
  store_unref(store);
}

/* ---- Releasing what a consumer holds ---- */

static void release_array(struct ArrowArray *array) {
  tn_node *n = array->private_data;
  for (int64_t i = 0; i < array->n_children; i++)
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  array->release = NULL;
  if (atomic_fetch_sub(&n->slab->refs, 1) == 1) store_give(n->slab->store, n->slab);
}

/* ---- Growing ---- */

static bool grow(tn_buffer *b, int64_t need) {
  if (need <= b->capacity) return true;
  if (need > MAX_BUFFER) return false;
  int64_t capacity = b->capacity < MAX_BUFFER / 2 ? b->capacity + b->capacity / 2 : MAX_BUFFER;
  if (capacity < need) capacity = need;
  if (capacity < 1024) capacity = 1024;
  uint8_t *data = tn_resize(b->data, (size_t)capacity + TN_SLACK);
  if (!data) return false;
  b->data = data;
  b->capacity = capacity;
  return true;
}

static bool has_offsets(const tn_column *c) {
  return c->layout == TN_BINARY || c->layout == TN_LARGE_BINARY || c->layout == TN_LIST;
}

static int64_t offset_width(const tn_column *c) { return c->layout == TN_LARGE_BINARY ? 8 : 4; }

static bool start_offsets(tn_column *c, int64_t rows) {
  if (!grow(&c->offsets, (c->length + rows + 1) * offset_width(c))) return false;
  if (c->length == 0) memset(c->offsets.data, 0, (size_t)offset_width(c));
  return true;
}

static int64_t bitmap_size(int64_t bits) { return (bits + 7) / 8; }

/* From the first null on, every bit behind the values that are there is set: a value that comes is
 * valid unless it is marked. */
static bool grow_validity(tn_column *c, int64_t bits) {
  int64_t old = c->validity.capacity;
  if (!grow(&c->validity, bitmap_size(bits))) return false;
  if (c->null_count && c->validity.capacity > old)
    memset(c->validity.data + old, 0xFF, (size_t)(c->validity.capacity - old + TN_SLACK));
  return true;
}

bool tn_reserve(tn_column *c, int64_t rows, int64_t bytes) {
  if (rows < 0 || bytes < 0 || rows > MAX_BUFFER || bytes > MAX_BUFFER) return false;
  if (c->null_count && c->layout != TN_NULLS && !grow_validity(c, c->length + rows)) return false;
  switch (c->layout) {
    case TN_BITS: return grow(&c->data, bitmap_size(c->length + rows));
    case TN_FIXED: return grow(&c->data, (c->length + rows) * c->width);
    case TN_BINARY:
    case TN_LARGE_BINARY: return start_offsets(c, rows) && grow(&c->data, c->data_size + bytes);
    case TN_LIST: return start_offsets(c, rows);
    case TN_NULLS: case TN_STRUCT: case TN_FIXED_LIST: break;
  }
  return true;
}

/* ---- Appending ---- */

static void set_bit(uint8_t *bits, int64_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] | 1u << (i & 7)); }

static void clear_bit(uint8_t *bits, int64_t i) { bits[i >> 3] = (uint8_t)(bits[i >> 3] & ~(1u << (i & 7))); }

bool tn_mark_null(tn_column *c, int64_t i) {
  if (c->layout != TN_NULLS) {
    if (!grow_validity(c, i + 1)) return false;
    if (c->null_count == 0) memset(c->validity.data, 0xFF, (size_t)(c->validity.capacity + TN_SLACK));
    clear_bit(c->validity.data, i);
  }
  c->null_count++;
  return true;
}

static void end_bytes(tn_column *c, int64_t end) {
  if (c->layout == TN_LARGE_BINARY) {
    memcpy(c->offsets.data + (c->length + 1) * 8, &end, 8);
  } else {
    int32_t short_end = (int32_t)end;
    memcpy(c->offsets.data + (c->length + 1) * 4, &short_end, 4);
  }
}

static bool append_empty(tn_column *c) {
  for (int32_t i = 0; c->layout == TN_STRUCT && i < c->child_count; i++)
    if (!tn_append_null(&c->children[i])) return false;
  for (int32_t k = 0; c->layout == TN_FIXED_LIST && k < c->width; k++)
    if (!tn_append_null(&c->children[0])) return false;
  if (!tn_reserve(c, 1, 0)) return false;
  if (c->layout == TN_FIXED) memset(c->data.data + c->length * c->width, 0, (size_t)c->width);
  if (c->layout == TN_BITS) clear_bit(c->data.data, c->length);
  if (has_offsets(c)) end_bytes(c, c->layout == TN_LIST ? c->children[0].length : c->data_size);
  return true;
}

bool tn_append_null(tn_column *c) {
  if (!append_empty(c) || !tn_mark_null(c, c->length)) return false;
  c->length++;
  return true;
}

bool tn_append_bool(tn_column *c, bool v) {
  if (!tn_reserve(c, 1, 0)) return false;
  if (v) set_bit(c->data.data, c->length);
  else clear_bit(c->data.data, c->length);
  c->length++;
  return true;
}

bool tn_append_fixed(tn_column *c, const void *value) {
  if (!tn_reserve(c, 1, 0)) return false;
  memcpy(c->data.data + c->length * c->width, value, (size_t)c->width);
  c->length++;
  return true;
}

bool tn_append_bytes(tn_column *c, const void *data, int64_t size) {
  if (!tn_reserve(c, 1, size)) return false;
  if (size) memcpy(c->data.data + c->data_size, data, (size_t)size);
  c->data_size += size;
  end_bytes(c, c->data_size);
  c->length++;
  return true;
}

bool tn_append_list(tn_column *c) {
  if (c->layout == TN_LIST) {
    if (c->children[0].length > MAX_BUFFER || !tn_reserve(c, 1, 0)) return false;
    end_bytes(c, c->children[0].length);
  } else if (c->children[0].length != (c->length + 1) * c->width) {
    return false;
  }
  c->length++;
  return true;
}

bool tn_append_struct(tn_column *c) {
  c->length++;
  return tn_reserve(c, 0, 0);
}

tenon_status tn_append_failed(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask for smaller batches (batch_bytes), or give the process more memory",
                    "a column of one batch would pass 2 GiB, or memory is used up");
}

/* ---- Builders ---- */

static tenon_status next_slab(tn_builder *b, tenon_error *err) {
  tn_slab *s = store_take(b->store);
  if (!s) {
    tenon_status status = slab_new(b->store, &b->schema, &s, err);
    if (status) return status;
  }
  atomic_fetch_add(&b->store->refs, 1);
  column_clear(&s->root);
  b->slab = s;
  return TENON_OK;
}

tenon_status tn_builder_new(const struct ArrowSchema *schema, tn_builder **ret, tenon_error *err) {
  tn_builder *b = tn_alloc(sizeof *b);
  tn_store *store = tn_alloc(sizeof *store);
  if (!b || !store) {
    tn_free(b);
    tn_free(store);
    return tn_no_memory(err);
  }
  pthread_mutex_init(&store->lock, NULL);
  atomic_init(&store->refs, 1);
  b->store = store;
  tenon_status status = tn_schema_copy(schema, &b->schema, err);
  if (!status) status = next_slab(b, err);
  if (status) {
    tn_builder_free(b);
    return status;
  }
  *ret = b;
  return TENON_OK;
}

void tn_builder_free(tn_builder *b) {
  if (!b) return;
  pthread_mutex_lock(&b->store->lock);
  b->store->closed = true;
  pthread_mutex_unlock(&b->store->lock);
  if (b->slab) store_give(b->store, b->slab);
  store_unref(b->store);
  tn_schema_release(&b->schema);
  tn_free(b);
}

tn_column *tn_builder_column(tn_builder *b, int64_t i) { return &b->slab->root.children[i]; }

static int64_t column_bytes(const tn_column *c) {
  int64_t n = c->data_size + (c->null_count ? bitmap_size(c->length) : 0);
  if (c->layout == TN_FIXED) n += c->length * c->width;
  if (c->layout == TN_BITS) n += bitmap_size(c->length);
  if (has_offsets(c)) n += (c->length + 1) * offset_width(c);
  for (int32_t i = 0; i < c->child_count; i++) n += column_bytes(&c->children[i]);
  return n;
}

int64_t tn_builder_bytes(const tn_builder *b) { return column_bytes(&b->slab->root); }

void tn_builder_clear(tn_builder *b) { column_clear(&b->slab->root); }

/* Buffers of columns without values exist all the same: the standard wants one offset. */
static bool seal_column(tn_column *c) {
  if (!tn_reserve(c, 0, 0)) return false;
  if ((c->layout == TN_FIXED || c->layout == TN_BITS || c->layout == TN_BINARY || c->layout == TN_LARGE_BINARY) &&
      !grow(&c->data, 1))
    return false;
  for (int32_t i = 0; i < c->child_count; i++)
    if (!seal_column(&c->children[i])) return false;
  return true;
}

static int fill_node(tn_node *n, const tn_column *c) {
  int nodes = 1, used = 0;
  if (c->layout != TN_NULLS) n->buffers[used++] = c->null_count ? c->validity.data : NULL;
  if (has_offsets(c)) n->buffers[used++] = c->offsets.data;
  if (c->layout == TN_FIXED || c->layout == TN_BITS || c->layout == TN_BINARY || c->layout == TN_LARGE_BINARY)
    n->buffers[used++] = c->data.data;
  n->array = (struct ArrowArray){
      .length = c->length,
      .null_count = c->layout == TN_NULLS ? c->length : c->null_count,
      .n_buffers = used,
      .n_children = c->child_count,
      .buffers = n->buffers,
      .children = n->child_pointers,
      .release = release_array,
      .private_data = n,
  };
  for (int32_t i = 0; i < c->child_count; i++) nodes += fill_node(&n->children[i], &c->children[i]);
  return nodes;
}

static tenon_status check_lengths(tn_builder *b, int64_t rows, tenon_error *err) {
  for (int32_t i = 0; i < b->slab->root.child_count; i++)
    if (b->slab->root.children[i].length != rows)
      return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon",
                        "column %s has %lld values in a batch of %lld rows", b->schema.children[i]->name,
                        (long long)b->slab->root.children[i].length, (long long)rows);
  return TENON_OK;
}

tenon_status tn_builder_finish(tn_builder *b, int64_t rows, struct ArrowArray *ret, tenon_error *err) {
  tenon_status status = check_lengths(b, rows, err);
  if (status) return status;
  b->slab->root.length = rows;
  if (!seal_column(&b->slab->root)) return tn_append_failed(err);
  tn_slab *done = b->slab;
  if ((status = next_slab(b, err))) return status;
  atomic_store(&done->refs, fill_node(&done->node, &done->root));
  *ret = done->node.array;
  return TENON_OK;
}
