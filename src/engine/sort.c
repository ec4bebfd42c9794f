/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sorting. The columns travel as bits, so each comes out as it went in, whatever its type; beside them
 * go keys that DuckDB orders as we do, and the row's number, so that equal rows keep their order.
 * Nothing is read before the first batch is asked for.
 */
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/filters.h"
#include "core/stream.h"
#include "engine/engine.h"
#include "engine/lane.h"

enum { MAX_SQL = 4 << 20, LEAST_MEMORY = 64 << 20 };   /* with less, merging what was spilled fails */

typedef struct tn_sorting {
  tenon_ctx *ctx;
  struct ArrowArrayStream in;
  struct ArrowSchema schema;
  int64_t *keys;
  bool *descending;
  bool *wide;                /* the key has two columns */
  size_t key_count;
  tenon_stream rows;         /* the engine's; close NULL before the first batch */
} tn_sorting;

static void sorting_close(void *self) {
  tn_sorting *s = self;
  tn_stream_close(&s->rows);
  if (s->in.release) s->in.release(&s->in);
  tn_schema_release(&s->schema);
  tn_free(s->keys);
  tn_free(s->descending);
  tn_free(s->wide);
  tn_free(s);
}

static tenon_status next_unsorted(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_sorting *s = self;
  int code = s->in.get_next(&s->in, ret);
  return code ? tn_stream_error(&s->in, code, err) : TENON_OK;
}

static tenon_status write_sql(const tn_sorting *s, tn_str *sql, tenon_error *err) {
  tn_str_puts(sql, "SELECT ");
  for (int64_t i = 0; i < s->schema.n_children; i++) tn_str_printf(sql, "%sc%lld", i ? ", " : "", (long long)i);
  tn_str_puts(sql, " FROM tenon_rows() ORDER BY ");
  for (size_t k = 0; k < s->key_count; k++) {
    const char *way = s->descending[k] ? "DESC" : "ASC";
    tn_str_printf(sql, "k%zu %s NULLS LAST, ", k, way);
    if (s->wide[k]) tn_str_printf(sql, "k%zub %s NULLS LAST, ", k, way);
  }
  return tn_str_puts(sql, "row") ? TENON_OK : tn_no_memory(err);
}

static tenon_status begin(tn_sorting *s, tenon_error *err) {
  tn_engine *engine;
  tn_engine_options options = {.least_memory = LEAST_MEMORY};
  tenon_status status = tn_engine_new(s->ctx, &options, &engine, err);
  if (status) return status;
  tn_engine_rows rows = {.function = "tenon_rows", .schema = &s->schema, .opaque = true, .keys = s->keys,
                         .key_count = s->key_count, .self = s, .next = next_unsorted};
  tn_engine_shape shape = {.schema = &s->schema, .opaque = true};
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  status = tn_engine_add_rows(engine, &rows, err);
  if (!status) status = write_sql(s, &sql, err);
  if (status) tn_engine_free(engine);
  else status = tn_engine_query(engine, tn_str_text(&sql), &shape, NULL, NULL, &s->rows, err);
  tn_str_release(&sql);
  return status;
}

static tenon_status sorting_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_sorting *s = self;
  tenon_status status = s->rows.close ? TENON_OK : begin(s, err);
  return status ? status : s->rows.next(s->rows.self, ret, err);
}

/* ---- Making it ---- */

static tenon_status count_lanes(const struct ArrowSchema *column, int *ret, tenon_error *err) {
  tn_lane lanes[2];
  int count = 0;
  tenon_status status = tn_lane_key(column, lanes, &count, err);
  for (int i = 0; !status && i < count; i++) tn_lane_release(&lanes[i]);
  if (!status) *ret = count;
  return status;
}

static tenon_status choose_keys(tn_sorting *s, const tenon_order *order, size_t n, tenon_error *err) {
  s->keys = tn_alloc_array(n + 1, sizeof *s->keys);
  s->descending = tn_alloc_array(n + 1, sizeof *s->descending);
  s->wide = tn_alloc_array(n + 1, sizeof *s->wide);
  if (!s->keys || !s->descending || !s->wide) return tn_no_memory(err);
  for (; s->key_count < n; s->key_count++) {
    size_t k = s->key_count;
    int count = 0;
    tenon_status status = tn_column_find(&s->schema, order[k].column, &s->keys[k], err);
    if (!status) status = count_lanes(s->schema.children[s->keys[k]], &count, err);
    if (status) return status;
    s->descending[k] = order[k].descending;
    s->wide[k] = count == 2;
  }
  return TENON_OK;
}

static tenon_status prepare(tn_sorting *s, const tenon_order *order, size_t n, struct ArrowSchema *ret_schema, tenon_error *err) {
  int code = s->in.get_schema(&s->in, &s->schema);
  if (code) {
    s->schema.release = NULL;
    return tn_stream_error(&s->in, code, err);
  }
  tenon_status status = choose_keys(s, order, n, err);
  return status ? status : tn_schema_copy(&s->schema, ret_schema, err);
}

tenon_status tn_engine_sort(tenon_ctx *ctx, struct ArrowArrayStream *in, const tenon_order *order, size_t n,
                            struct ArrowArrayStream *ret, tenon_error *err) {
  tn_sorting *s = tn_alloc(sizeof *s);
  if (!s) {
    in->release(in);
    return tn_no_memory(err);
  }
  s->ctx = ctx;   /* the exported stream holds it */
  s->in = *in;
  in->release = NULL;
  struct ArrowSchema schema;
  tenon_status status = prepare(s, order, n, &schema, err);
  if (status) {
    sorting_close(s);
    return status;
  }
  tenon_stream out = {.struct_size = sizeof out, .self = s, .schema = schema, .next = sorting_next, .close = sorting_close};
  return tn_stream_export(ctx, &out, NULL, NULL, ret, err);
}
