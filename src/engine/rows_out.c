/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A query's rows as Arrow batches. DuckDB hands out chunks of 2,048 rows as it makes them; they are
 * gathered into batches in recycled memory.
 */
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/lane.h"
#include "engine/session.h"

static const int64_t DEFAULT_BATCH_BYTES = INT64_C(16) << 20, DEFAULT_BATCH_ROWS = 65536;

typedef struct tn_drainage {
  tn_engine *engine;
  duckdb_prepared_statement prepared;
  duckdb_result result;
  bool has_result;
  tn_lane *lanes;
  int64_t lane_count;
  tn_builder *builder;
  int64_t batch_bytes, batch_rows;
  duckdb_data_chunk chunk;
  int64_t chunk_rows, chunk_at;
  bool ended;
  void (*done)(void *);
  void *arg;
} tn_drainage;

static void drainage_close(void *self) {
  tn_drainage *d = self;
  if (d->chunk) d->engine->db->destroy_data_chunk(&d->chunk);
  if (d->has_result) d->engine->db->destroy_result(&d->result);
  if (d->prepared) d->engine->db->destroy_prepare(&d->prepared);
  for (int64_t i = 0; i < d->lane_count; i++) tn_lane_release(&d->lanes[i]);
  tn_free(d->lanes);
  tn_builder_free(d->builder);
  tn_engine_free(d->engine);
  if (d->done) d->done(d->arg);
  tn_free(d);
}

static tenon_status drain_chunk(tn_drainage *d, int64_t n, tenon_error *err) {
  const tn_duckdb *db = d->engine->db;
  for (int64_t i = 0; i < d->lane_count; i++) {
    duckdb_vector v = db->data_chunk_get_vector(d->chunk, (idx_t)i);
    tenon_status status = tn_drain(db, &d->lanes[i], v, d->chunk_at, n, tn_builder_column(d->builder, i), err);
    if (status) return status;
  }
  return TENON_OK;
}

/* Sees to it that there is a chunk with rows left, or that the end is known. */
static tenon_status need_chunk(tn_drainage *d, tenon_error *err) {
  const tn_duckdb *db = d->engine->db;
  while (!d->ended && d->chunk_at >= d->chunk_rows) {
    tenon_status status = tn_ctx_check(d->engine->ctx, err);
    if (status) return status;
    if (d->chunk) db->destroy_data_chunk(&d->chunk);
    d->chunk = db->fetch_chunk(d->result);
    const char *why = d->chunk ? NULL : db->result_error(&d->result);
    if (why && *why) return tn_engine_failed(d->engine, why, err);
    d->chunk_at = 0;
    d->chunk_rows = d->chunk ? (int64_t)db->data_chunk_get_size(d->chunk) : 0;
    d->ended = d->chunk_rows == 0;
  }
  return TENON_OK;
}

enum { FIRST_ROWS = 64 };   /* of a batch: then it is known how big rows are */

static int64_t next_step(const tn_drainage *d, int64_t rows) {
  int64_t left = d->chunk_rows - d->chunk_at, most = FIRST_ROWS;
  if (rows) {
    int64_t bytes = tn_builder_bytes(d->builder);
    most = (d->batch_bytes - bytes) / (bytes / rows + 1) + 1;
  }
  if (most > d->batch_rows - rows) most = d->batch_rows - rows;
  return left < most ? left : most;
}

static tenon_status drainage_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_drainage *d = self;
  int64_t rows = 0;
  while (rows < d->batch_rows && tn_builder_bytes(d->builder) < d->batch_bytes) {
    tenon_status status = need_chunk(d, err);
    if (status) return status;
    if (d->ended) break;
    int64_t n = next_step(d, rows);
    if ((status = drain_chunk(d, n, err))) return status;
    d->chunk_at += n;
    rows += n;
  }
  if (rows) return tn_builder_finish(d->builder, rows, ret, err);
  ret->release = NULL;
  return TENON_OK;
}

/* ---- The columns ---- */

static tenon_status natural_schema(const tn_duckdb *db, duckdb_result *result, struct ArrowSchema *ret, tenon_error *err) {
  int64_t n = (int64_t)db->column_count(result);
  struct ArrowSchema made = {0};
  tenon_status status = tn_schema_struct(&made, n, err);
  for (int64_t i = 0; !status && i < n; i++) {
    duckdb_logical_type type = db->column_logical_type(result, (idx_t)i);
    status = tn_natural_type(db, type, db->column_name(result, (idx_t)i), made.children[i], err);
    db->destroy_logical_type(&type);
  }
  if (status) tn_schema_release(&made);
  else *ret = made;
  return status;
}

static tenon_status make_lanes(tn_drainage *d, const struct ArrowSchema *schema, bool opaque, tenon_error *err) {
  const tn_duckdb *db = d->engine->db;
  d->lanes = tn_alloc_array((size_t)(schema->n_children > 0 ? schema->n_children : 1), sizeof *d->lanes);
  if (!d->lanes) return tn_no_memory(err);
  if ((int64_t)db->column_count(&d->result) != schema->n_children)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon",
                      "the engine answers %lld columns, not %lld", (long long)db->column_count(&d->result),
                      (long long)schema->n_children);
  for (int64_t i = 0; i < schema->n_children; i++) {
    duckdb_logical_type type = db->column_logical_type(&d->result, (idx_t)i);
    tenon_status status = opaque ? tn_lane_in(schema->children[i], TN_OPAQUE, &d->lanes[i], err)
                                 : tn_lane_out(db, type, schema->children[i], &d->lanes[i], err);
    db->destroy_logical_type(&type);
    if (status) return status;
    d->lane_count++;
  }
  return TENON_OK;
}

static tenon_status begin(tn_drainage *d, const char *sql, const tn_engine_shape *shape, struct ArrowSchema *ret_schema,
                          tenon_error *err) {
  struct ArrowSchema schema = {0};
  tenon_status status = tn_engine_start(d->engine, sql, true, &d->prepared, &d->result, err);
  if (status) return status;
  d->has_result = true;
  status = shape->schema ? tn_schema_copy(shape->schema, &schema, err) : natural_schema(d->engine->db, &d->result, &schema, err);
  if (!status) status = make_lanes(d, &schema, shape->opaque, err);
  if (!status) status = tn_builder_new(&schema, &d->builder, err);
  if (status) tn_schema_release(&schema);
  else *ret_schema = schema;
  return status;
}

tenon_status tn_engine_query(tn_engine *e, const char *sql, const tn_engine_shape *shape, void (*done)(void *), void *arg,
                             tenon_stream *ret, tenon_error *err) {
  tn_drainage *d = tn_alloc(sizeof *d);
  if (!d) {
    tn_engine_free(e);
    if (done) done(arg);
    return tn_no_memory(err);
  }
  *d = (tn_drainage){.engine = e, .done = done, .arg = arg,
                     .batch_bytes = shape->batch_bytes > 0 ? shape->batch_bytes : DEFAULT_BATCH_BYTES,
                     .batch_rows = shape->batch_rows > 0 ? shape->batch_rows : DEFAULT_BATCH_ROWS};
  struct ArrowSchema schema;
  tenon_status status = begin(d, sql, shape, &schema, err);
  if (status) {
    drainage_close(d);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = d, .schema = schema, .next = drainage_next, .close = drainage_close};
  return TENON_OK;
}

tenon_status tn_engine_describe(tn_engine *e, const char *sql, struct ArrowSchema *ret, tenon_error *err) {
  tn_str limited;
  tn_str_init(&limited, 1 << 20);
  tn_str_printf(&limited, "SELECT * FROM (%s) LIMIT 0", sql);
  duckdb_prepared_statement prepared;
  duckdb_result result;
  tenon_status status = limited.failed ? tn_no_memory(err) : tn_engine_start(e, tn_str_text(&limited), false, &prepared, &result, err);
  tn_str_release(&limited);
  if (status) return status;
  status = natural_schema(e->db, &result, ret, err);
  e->db->destroy_result(&result);
  e->db->destroy_prepare(&prepared);
  return status;
}
