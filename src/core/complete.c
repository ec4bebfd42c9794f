/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a read asked for and the rows' maker did not apply: filters, columns, the limit. A batch
 * whose rows all stay is passed on as it is; else its rows are copied into recycled memory.
 */
#include <string.h>

#include "arrow/take.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/filter.h"
#include "core/session.h"

enum { MAX_ARENA = 64 << 20 };

typedef struct completion {
  tenon_stream in;
  tn_condition *conditions;
  size_t condition_count;
  tn_arena arena;
  tn_builder *builder;       /* where there are conditions */
  uint8_t *keep;
  int64_t keep_capacity;
  int64_t *columns;          /* output column i is input column columns[i] */
  int64_t column_count;
  bool projects;
  int64_t left;              /* of the limit; -1: none */
} completion;

static void completion_free(completion *c) {
  if (!c) return;
  if (c->in.close) c->in.close(c->in.self);
  tn_schema_release(&c->in.schema);
  tn_builder_free(c->builder);
  tn_free(c->keep);
  tn_free(c->columns);
  tn_arena_release(&c->arena);
  tn_free(c);
}

static void close_completion(void *self) { completion_free(self); }

/* ---- Columns ---- */

typedef struct projected {
  struct ArrowArray **pointers;
  struct ArrowArray children[];
} projected;

static void release_projected(struct ArrowArray *a) {
  projected *p = a->private_data;
  for (int64_t i = 0; i < a->n_children; i++) tn_array_release(&p->children[i]);
  tn_free(p->pointers);
  tn_free(p);
  a->release = NULL;
}

/* Moves the wanted children into a batch of their own, and drops the rest. */
static tenon_status project(const completion *c, struct ArrowArray *a, tenon_error *err) {
  static const void *no_validity[1];
  size_t n = (size_t)c->column_count;
  projected *p = tn_alloc(sizeof *p + n * sizeof p->children[0]);
  if (!p || !(p->pointers = tn_alloc_array(n + 1, sizeof *p->pointers))) {
    tn_free(p);
    return tn_no_memory(err);
  }
  for (size_t i = 0; i < n; i++) {
    struct ArrowArray *child = a->children[c->columns[i]];
    p->children[i] = *child;
    child->release = NULL;
    p->pointers[i] = &p->children[i];
  }
  struct ArrowArray out = {.length = a->length, .offset = a->offset, .n_buffers = 1, .buffers = no_validity,
                           .n_children = c->column_count, .children = p->pointers, .release = release_projected, .private_data = p};
  tn_array_release(a);
  *a = out;
  return TENON_OK;
}

/* ---- Rows ---- */

static tenon_status decide(completion *c, const struct ArrowArray *a, int64_t *ret_kept, tenon_error *err) {
  if (a->length > c->keep_capacity) {
    uint8_t *keep = tn_resize(c->keep, (size_t)a->length);
    if (!keep) return tn_no_memory(err);
    c->keep = keep;
    c->keep_capacity = a->length;
  }
  memset(c->keep, 1, (size_t)a->length);
  *ret_kept = tn_conditions_apply(c->conditions, c->condition_count, a, c->keep);
  return TENON_OK;
}

static bool copy_kept(const completion *c, const struct ArrowArray *a, int64_t column) {
  tn_column *to = tn_builder_column(c->builder, column);
  const struct ArrowArray *from = a->children[c->columns[column]];
  for (int64_t i = 0, end; i < a->length; i = end) {
    for (end = i; end < a->length && c->keep[end] == c->keep[i]; end++) {
    }
    if (c->keep[i] && !tn_append_range(to, from, a->offset + i, end - i)) return false;
  }
  return true;
}

static tenon_status compact(completion *c, struct ArrowArray *a, int64_t kept, tenon_error *err) {
  bool ok = true;
  struct ArrowArray out = {0};
  for (int64_t i = 0; ok && i < c->column_count; i++) ok = copy_kept(c, a, i);
  tn_array_release(a);
  tenon_status status = ok ? tn_builder_finish(c->builder, kept, &out, err) : tn_append_failed(err);
  if (!status) *a = out;
  return status;
}

static void cut(struct ArrowArray *a, int64_t rows) {
  a->length = rows;
  for (int64_t i = 0; i < a->n_children; i++) {
    struct ArrowArray *child = a->children[i];
    if (child->length <= rows + a->offset) continue;
    child->length = rows + a->offset;
    if (child->null_count > 0) child->null_count = -1;
  }
}

/* A batch of the input as it goes out; emptied (released) if none of its rows stay. */
static tenon_status shape(completion *c, struct ArrowArray *a, tenon_error *err) {
  int64_t kept = a->length;
  tenon_status status = c->condition_count ? decide(c, a, &kept, err) : TENON_OK;
  if (status) return status;
  if (kept == 0) {
    tn_array_release(a);
    a->release = NULL;
    return TENON_OK;
  }
  if (kept < a->length) status = compact(c, a, kept, err);
  else if (c->projects) status = project(c, a, err);
  if (status || c->left < 0) return status;
  if (a->length > c->left) cut(a, c->left);
  c->left -= a->length;
  return TENON_OK;
}

static tenon_status next_completed(void *self, struct ArrowArray *ret, tenon_error *err) {
  completion *c = self;
  struct ArrowArray a = {0};
  while (c->left != 0) {
    tenon_status status = c->in.next(c->in.self, &a, err);
    if (status) return status;
    if (!a.release) break;
    if ((status = shape(c, &a, err))) {
      tn_array_release(&a);
      return status;
    }
    if (a.release) break;
  }
  *ret = a;
  return TENON_OK;
}

/* ---- Making it ---- */

static tenon_status choose_columns(completion *c, const tenon_read *read, tenon_error *err) {
  const struct ArrowSchema *schema = &c->in.schema;
  size_t n = read->columns ? read->column_count : (size_t)schema->n_children;
  c->columns = tn_alloc_array(n + 1, sizeof *c->columns);
  bool *taken = tn_alloc_array((size_t)schema->n_children + 1, sizeof *taken);
  tenon_status status = c->columns && taken ? TENON_OK : tn_no_memory(err);
  c->column_count = (int64_t)n;
  for (size_t i = 0; !status && i < n; i++) {
    c->columns[i] = (int64_t)i;
    if (read->columns) status = tn_column_find(schema, read->columns[i], &c->columns[i], err);
    if (status) break;
    if (taken[c->columns[i]])
      status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name each column once", "column %s is asked for twice", read->columns[i]);
    taken[c->columns[i]] = true;
    c->projects = c->projects || c->columns[i] != (int64_t)i;
  }
  c->projects = c->projects || (int64_t)n != schema->n_children;
  tn_free(taken);
  return status;
}

static tenon_status make_schema(const completion *c, struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema out;
  tenon_status status = tn_schema_struct(&out, c->column_count, err);
  if (status) return status;
  for (int64_t i = 0; !status && i < c->column_count; i++) {
    struct ArrowSchema child;
    status = tn_schema_copy(c->in.schema.children[c->columns[i]], &child, err);
    if (status) break;
    tn_schema_release(out.children[i]);
    *out.children[i] = child;
  }
  if (status) tn_schema_release(&out);
  else *ret = out;
  return status;
}

static tenon_status prepare(completion *c, const tenon_read *read, const tenon_rows *rows, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = choose_columns(c, read, err);
  if (!status)
    status = tn_conditions_new(&c->in.schema, read->filters, read->filter_count, rows->filters_applied, &c->arena, &c->conditions,
                               &c->condition_count, err);
  if (!status) status = make_schema(c, ret, err);
  if (status || !c->condition_count) return status;
  status = tn_builder_new(ret, &c->builder, err);
  if (status) tn_schema_release(ret);
  return status;
}

tenon_status tn_rows_complete(const tenon_read *read, tenon_rows *rows, tenon_error *err) {
  completion *c = tn_alloc(sizeof *c);
  if (!c) {
    rows->stream.close(rows->stream.self);
    tn_schema_release(&rows->stream.schema);
    return tn_no_memory(err);
  }
  bool limited = read->limit >= 0 && !(rows->applied & TENON_APPLIED_LIMIT);
  c->left = limited ? read->limit : -1;
  c->in = rows->stream;
  tn_arena_init(&c->arena, MAX_ARENA);
  struct ArrowSchema schema;
  tenon_status status = prepare(c, read, rows, &schema, err);
  if (status) {
    completion_free(c);
    return status;
  }
  if (!c->condition_count && !c->projects && !limited) {
    /* nothing is left to do: the stream goes out as it came */
    tn_schema_release(&schema);
    c->in.close = NULL;
    c->in.schema.release = NULL;
    completion_free(c);
    return TENON_OK;
  }
  rows->stream = (tenon_stream){.struct_size = sizeof rows->stream, .self = c, .schema = schema, .next = next_completed, .close = close_completion};
  return TENON_OK;
}
