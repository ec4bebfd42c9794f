/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A batch whose rows all pass goes on as it is, one piece of a batch as a slice of it. Rows picked
 * from here and there are copied into batches in recycled memory, and those of several batches
 * together, so that a filter that few rows pass does not make crumbs; but nobody waits for more than
 * a fifth of a second for rows that are there.
 */
#include "core/apply.h"

#include <string.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/filters.h"
#include "core/gather.h"
#include "core/stream.h"

enum { ENOUGH_ROWS = 8192, ENOUGH_BYTES = 4 << 20, LONGEST_WAIT_MS = 200 };

typedef struct applier {
  tenon_stream in;
  tn_arena arena;
  tn_matcher *matcher;         /* NULL: all rows pass */
  int64_t left;                /* rows until the limit */
  int64_t *columns;            /* places of those asked for; NULL: all as they are */
  int64_t column_count;
  struct ArrowSchema schema;   /* of what comes out; moved out with the stream */
  struct ArrowSchema kept;     /* a copy, for the builder */
  tn_builder *builder;         /* NULL until rows are picked */
  int64_t pending;             /* rows in it */
  int64_t pending_since_ms;
  struct ArrowArray queued;    /* a batch that goes behind them */
  uint8_t *mask;
  int64_t *rows;
  int64_t room;
  bool ended;
} applier;

/* ---- Columns ---- */

/* Moves the chosen columns of a batch into one of their own; the others are released. */
typedef struct projected {
  struct ArrowArray *children;
  struct ArrowArray **pointers;
  const void *buffers[1];
} projected;

static void release_projected(struct ArrowArray *a) {
  projected *p = a->private_data;
  for (int64_t i = 0; i < a->n_children; i++) tn_array_release(&p->children[i]);
  tn_free(p->children);
  tn_free(p->pointers);
  tn_free(p);
  a->release = NULL;
}

static tenon_status project(const applier *a, struct ArrowArray *batch, tenon_error *err) {
  if (!a->columns) return TENON_OK;
  size_t n = (size_t)a->column_count;
  projected *p = tn_alloc(sizeof *p);
  if (p) p->children = tn_alloc_array(n + 1, sizeof *p->children);
  if (p) p->pointers = tn_alloc_array(n + 1, sizeof *p->pointers);
  if (!p || !p->children || !p->pointers) {
    if (p) tn_free(p->children);
    if (p) tn_free(p->pointers);
    tn_free(p);
    return tn_no_memory(err);
  }
  for (size_t i = 0; i < n; i++) {
    struct ArrowArray *from = batch->children[a->columns[i]];
    p->children[i] = *from;
    p->pointers[i] = &p->children[i];
    from->release = NULL;
  }
  struct ArrowArray out = {.length = batch->length, .null_count = 0, .offset = batch->offset,
                           .n_buffers = 1, .n_children = a->column_count,
                           .buffers = p->buffers, .children = p->pointers,
                           .release = release_projected, .private_data = p};
  batch->release(batch);
  *batch = out;
  return TENON_OK;
}

/* ---- Rows ---- */

/* The batch's own rows from..from+count, without copying: its columns begin there. */
static void slice(struct ArrowArray *batch, int64_t from, int64_t count) {
  for (int64_t i = 0; i < batch->n_children; i++) {
    struct ArrowArray *child = batch->children[i];
    child->offset += batch->offset + from;
    child->length = count;
    if (child->null_count > 0) child->null_count = child->buffers[0] ? -1 : count;
  }
  batch->offset = 0;
  batch->length = count;
}

static tenon_status make_room(applier *a, int64_t rows, tenon_error *err) {
  if (rows <= a->room) return TENON_OK;
  uint8_t *mask = tn_resize(a->mask, (size_t)rows);
  if (mask) a->mask = mask;
  int64_t *places = rows < INT64_MAX / 8 ? tn_resize(a->rows, (size_t)rows * sizeof *places) : NULL;
  if (places) a->rows = places;
  if (!mask || !places) return tn_no_memory(err);
  a->room = rows;
  return TENON_OK;
}

/* The places of the rows that pass, at most as many as are left. */
static int64_t pick(applier *a, const struct ArrowArray *batch) {
  int64_t n = 0;
  tn_matcher_run(a->matcher, batch, a->mask);
  for (int64_t i = 0; i < batch->length; i++) {
    a->rows[n] = i;
    n += a->mask[i];
  }
  return n < a->left ? n : a->left;
}

/* ---- Copies of picked rows ---- */

static tenon_status copy_rows(applier *a, const struct ArrowArray *batch, int64_t count,
                              tenon_error *err) {
  if (!a->builder) {
    tenon_status status = tn_builder_new(&a->kept, &a->builder, err);
    if (status) return status;
  }
  if (a->pending == 0) a->pending_since_ms = tn_now_ms();
  for (int64_t i = 0; i < a->kept.n_children; i++) {
    struct ArrowArray column = *batch->children[a->columns ? a->columns[i] : i];
    column.offset += batch->offset;
    if (!tn_gather(tn_builder_column(a->builder, i), &column, a->rows, count))
      return tn_append_failed(err);
  }
  a->pending += count;
  return TENON_OK;
}

static tenon_status flush(applier *a, struct ArrowArray *ret, tenon_error *err) {
  tenon_status status = tn_builder_finish(a->builder, a->pending, ret, err);
  if (!status) a->pending = 0;
  return status;
}

static bool is_enough(const applier *a) {
  return a->pending >= ENOUGH_ROWS || tn_builder_bytes(a->builder) >= ENOUGH_BYTES ||
         tn_now_ms() - a->pending_since_ms >= LONGEST_WAIT_MS;
}

/* ---- The stream ---- */

/* Whether what passed of a batch is sent on in place, not copied: all of it, or one long piece. */
static bool stays_in_place(const applier *a, const struct ArrowArray *batch, int64_t count) {
  bool is_run = a->rows[count - 1] - a->rows[0] == count - 1;
  return is_run && count >= batch->length / 4;
}

/* Takes a batch in: it is queued, copied, or has nothing. The batch is consumed. */
static tenon_status take_in(applier *a, struct ArrowArray *batch, tenon_error *err) {
  tenon_status status = TENON_OK;
  int64_t count = batch->length < a->left ? batch->length : a->left, from = 0;
  bool in_place = true;
  if (a->matcher) {
    status = make_room(a, batch->length, err);
    count = status ? 0 : pick(a, batch);
    in_place = count > 0 && stays_in_place(a, batch, count);
    from = in_place ? a->rows[0] : 0;
  }
  if (!status && count > 0 && !in_place) status = copy_rows(a, batch, count, err);
  if (!status && count > 0 && in_place) {
    if (count < batch->length) slice(batch, from, count);
    status = project(a, batch, err);
    if (!status) a->queued = *batch;
    if (!status) batch->release = NULL;
  }
  if (!status) a->left -= count;
  tn_array_release(batch);
  return status;
}

static tenon_status apply_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  applier *a = self;
  for (;;) {
    bool stop = a->ended || a->left == 0;
    if (a->pending && (a->queued.release || stop || is_enough(a))) return flush(a, ret, err);
    if (a->queued.release) {
      *ret = a->queued;
      a->queued.release = NULL;
      return TENON_OK;
    }
    if (stop) {
      ret->release = NULL;
      return TENON_OK;
    }
    struct ArrowArray batch = {0};
    tenon_status status = a->in.next(a->in.self, &batch, err);
    if (status) return status;
    if (!batch.release) a->ended = true;
    else if ((status = take_in(a, &batch, err))) return status;
  }
}

static void apply_close(void *self) {
  applier *a = self;
  tn_array_release(&a->queued);
  tn_stream_close(&a->in);
  tn_builder_free(a->builder);
  tn_matcher_free(a->matcher);
  tn_schema_release(&a->schema);
  tn_schema_release(&a->kept);
  tn_arena_release(&a->arena);
  tn_free(a->columns);
  tn_free(a->mask);
  tn_free(a->rows);
  tn_free(a);
}

/* ---- What is left to do ---- */

typedef struct rest {
  tenon_filter *filters;
  size_t filter_count;
  bool after, limit, columns;
} rest;

static tenon_status find_rest(const tenon_read *read, const tenon_rows *rows, tn_arena *arena,
                              rest *ret, tenon_error *err) {
  rest r = {.filters = tn_arena_alloc(arena, (read->filter_count + 1) * sizeof *r.filters)};
  if (!r.filters) return tn_no_memory(err);
  for (size_t i = 0; i < read->filter_count; i++)
    if (!(rows->filters_applied >> i & 1)) r.filters[r.filter_count++] = read->filters[i];
  r.after = read->after && !(rows->applied & TENON_APPLIED_AFTER);
  r.limit = read->limit >= 0 && !(rows->applied & TENON_APPLIED_LIMIT);
  r.columns = read->columns && read->column_count;
  *ret = r;
  return TENON_OK;
}

/* Columns are chosen if those that came are not the ones that were asked for, in their order. */
static tenon_status choose_columns(applier *a, const tenon_read *read, tenon_error *err) {
  const struct ArrowSchema *in = &a->in.schema;
  bool same = in->n_children == (int64_t)read->column_count;
  int64_t *places = tn_alloc_array(read->column_count, sizeof *places);
  if (!places) return tn_no_memory(err);
  a->columns = places;
  a->column_count = (int64_t)read->column_count;
  for (size_t i = 0; i < read->column_count; i++) {
    tenon_status status = tn_column_find(in, read->columns[i], &places[i], err);
    if (status) return status;
    same = same && places[i] == (int64_t)i;
    for (size_t k = 0; k < i; k++)
      if (places[k] == places[i])
        return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name each column once",
                          "column %s is asked for twice",
                          read->columns[i]);
  }
  if (same) {
    tn_free(a->columns);
    a->columns = NULL;
  }
  return TENON_OK;
}

static tenon_status make_schema(applier *a, tenon_error *err) {
  tenon_status status;
  if (!a->columns) {
    status = tn_schema_copy(&a->in.schema, &a->schema, err);
    return status ? status : tn_schema_copy(&a->schema, &a->kept, err);
  }
  status = tn_schema_struct(&a->schema, a->column_count, err);
  for (int64_t i = 0; i < a->column_count && !status; i++) {
    struct ArrowSchema child;
    status = tn_schema_copy(a->in.schema.children[a->columns[i]], &child, err);
    if (status) break;
    tn_schema_release(a->schema.children[i]);
    *a->schema.children[i] = child;
  }
  return status ? status : tn_schema_copy(&a->schema, &a->kept, err);
}

static tenon_status make_matcher(applier *a, const tenon_read *read, const rest *r,
                                 tenon_error *err) {
  tenon_filter *filters = NULL;
  tenon_value *after = NULL;
  size_t keys = r->after ? read->order_count : 0;
  if (r->filter_count == 0 && keys == 0) return TENON_OK;
  tenon_status status = tn_filters_convert(&a->in.schema, r->filters, r->filter_count, &a->arena,
                                           &filters, err);
  if (!status)
    status = tn_after_convert(&a->in.schema, read->order, keys, read->after, &a->arena, &after,
                              err);
  if (!status)
    status = tn_matcher_new(&a->in.schema, filters, r->filter_count, read->order, after, keys,
                            &a->matcher, err);
  return status;
}

static tenon_status prepare(applier *a, const tenon_read *read, const tenon_rows *rows,
                            bool *ret_nothing_to_do, tenon_error *err) {
  rest r = {0};
  tn_arena_init(&a->arena, 64 << 20);
  tenon_status status = find_rest(read, rows, &a->arena, &r, err);
  if (!status && r.columns) status = choose_columns(a, read, err);
  if (!status) status = make_matcher(a, read, &r, err);
  a->left = r.limit ? read->limit : INT64_MAX;
  *ret_nothing_to_do = !status && !a->matcher && !a->columns && !r.limit;
  return status || *ret_nothing_to_do ? status : make_schema(a, err);
}

tenon_status tn_rows_complete(const tenon_read *read, tenon_rows *rows, tenon_error *err) {
  bool nothing_to_do = false;
  applier *a = tn_alloc(sizeof *a);
  tenon_status status = TENON_OK;
  if (!a) status = tn_no_memory(err);
  else if (read->order_count && !(rows->applied & TENON_APPLIED_ORDER))
    status = tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "leave the order away",
                        "this system cannot put rows in order");
  if (status) {
    tn_stream_close(&rows->stream);
    tn_free(a);
    return status;
  }
  a->in = rows->stream;
  rows->stream = (tenon_stream){0};
  status = prepare(a, read, rows, &nothing_to_do, err);
  if (nothing_to_do) {
    rows->stream = a->in;
    a->in = (tenon_stream){0};
  }
  if (status || nothing_to_do) {
    apply_close(a);
    return status;
  }
  rows->stream = (tenon_stream){.struct_size = sizeof rows->stream, .self = a, .schema = a->schema,
                                .next = apply_next, .close = apply_close};
  a->schema = (struct ArrowSchema){0};
  return TENON_OK;
}

/* ---- Does what came suffice? ---- */

static bool has_column(const struct ArrowSchema *schema, const char *name) {
  for (int64_t i = 0; i < schema->n_children; i++)
    if (schema->children[i]->name && strcmp(schema->children[i]->name, name) == 0) return true;
  return false;
}

bool tn_rows_suffice(const tenon_read *read, const tenon_rows *rows) {
  bool order = !(rows->applied & TENON_APPLIED_ORDER);
  bool after = read->after && !(rows->applied & TENON_APPLIED_AFTER);
  for (size_t i = 0; i < read->filter_count; i++) {
    bool is_left = !(rows->filters_applied >> i & 1);
    if (is_left && !has_column(&rows->stream.schema, read->filters[i].column)) return false;
  }
  for (size_t i = 0; i < read->order_count && (order || after); i++)
    if (!has_column(&rows->stream.schema, read->order[i].column)) return false;
  return true;
}
