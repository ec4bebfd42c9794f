/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A feed is a table function of DuckDB's that reads our batches. It is asked for one vector after
 * another and refers to the texts of its present batch, so that batch stays until the next is asked for.
 */
#include <stdio.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "engine/lane.h"
#include "engine/session.h"

typedef struct tn_feed {
  tn_engine *engine;
  tn_engine_rows rows;
  tn_lane *lanes;
  int64_t lane_count;
  struct ArrowArray batch;
  int64_t at;              /* rows of batch that are handed out */
  bool ended;
} tn_feed;

void tn_feed_free(tn_feed *f) {
  for (int64_t i = 0; i < f->lane_count; i++) tn_lane_release(&f->lanes[i]);
  tn_free(f->lanes);
  tn_array_release(&f->batch);
  tn_free(f);
}

static void bind(duckdb_bind_info info) {
  /* the table of functions is loaded by now: this is one of them calling */
  const tn_duckdb *db;
  if (tn_duckdb_get(&db, NULL)) return;
  tn_feed *f = db->bind_get_extra_info(info);
  for (int64_t i = 0; i < f->lane_count; i++) {
    char plain[24];
    snprintf(plain, sizeof plain, "c%lld", (long long)i);
    duckdb_logical_type type = tn_lane_type(db, &f->lanes[i]);
    if (!type) {
      db->bind_set_error(info, "a column's type cannot be made");
      return;
    }
    db->bind_add_result_column(info, f->rows.opaque ? plain : f->lanes[i].name, type);
    db->destroy_logical_type(&type);
  }
}

static void init(duckdb_init_info info) {
  const tn_duckdb *db;
  if (!tn_duckdb_get(&db, NULL)) db->init_set_max_threads(info, 1);
}

/* The next batch with rows in it, or the end. */
static tenon_status next_batch(tn_feed *f, tenon_error *err) {
  while (!f->ended && f->at >= f->batch.length) {
    tn_array_release(&f->batch);
    f->batch.length = f->at = 0;
    tenon_status status = tn_ctx_check(f->engine->ctx, err);
    if (!status) status = f->rows.next(f->rows.self, &f->batch, err);
    if (status) return status;
    if (!f->batch.release) {
      f->batch.length = 0;
      f->ended = true;
    }
  }
  return TENON_OK;
}

static tenon_status feed(tn_feed *f, duckdb_data_chunk chunk, tenon_error *err) {
  const tn_duckdb *db = f->engine->db;
  tenon_status status = next_batch(f, err);
  if (status) return status;
  int64_t n = f->batch.length - f->at, most = (int64_t)db->vector_size();
  if (n > most) n = most;
  for (int64_t i = 0; n > 0 && i < f->lane_count; i++) {
    duckdb_vector v = db->data_chunk_get_vector(chunk, (idx_t)i);
    if ((status = tn_fill(db, &f->lanes[i], v, f->batch.children[i], f->batch.offset + f->at, n, err))) return status;
  }
  db->data_chunk_set_size(chunk, (idx_t)n);
  f->at += n;
  return TENON_OK;
}

static void function(duckdb_function_info info, duckdb_data_chunk chunk) {
  const tn_duckdb *db;
  if (tn_duckdb_get(&db, NULL)) return;
  tn_feed *f = db->function_get_extra_info(info);
  tenon_error *err = &f->engine->source_error;
  if (feed(f, chunk, err)) db->function_set_error(info, "the source of the rows failed");
}

static tenon_status make_lanes(tn_feed *f, tenon_error *err) {
  const struct ArrowSchema *s = f->rows.schema;
  f->lanes = tn_alloc_array((size_t)(s->n_children > 0 ? s->n_children : 1), sizeof *f->lanes);
  if (!f->lanes) return tn_no_memory(err);
  for (int64_t i = 0; i < s->n_children; i++) {
    tenon_status status = tn_lane_in(s->children[i], f->rows.opaque ? TN_OPAQUE : TN_TYPED, &f->lanes[i], err);
    if (status) return status;
    f->lane_count++;
  }
  return TENON_OK;
}

static tenon_status register_feed(tn_engine *e, tn_feed *f, tenon_error *err) {
  const tn_duckdb *db = e->db;
  duckdb_table_function made = db->create_table_function();
  db->table_function_set_name(made, f->rows.function);
  db->table_function_set_extra_info(made, f, NULL);
  db->table_function_set_bind(made, bind);
  db->table_function_set_init(made, init);
  db->table_function_set_function(made, function);
  duckdb_state state = db->register_table_function(e->connection, made);
  db->destroy_table_function(&made);
  if (state == DuckDBSuccess) return TENON_OK;
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon", "the engine takes no rows");
}

tenon_status tn_engine_add_rows(tn_engine *e, const tn_engine_rows *rows, tenon_error *err) {
  if (e->feed_count == TN_ENGINE_MAX_ROWS)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_DATA, "report this as a fault of Tenon", "too many sources of rows");
  tn_feed *f = tn_alloc(sizeof *f);
  if (!f) return tn_no_memory(err);
  f->engine = e;
  f->rows = *rows;
  tenon_status status = make_lanes(f, err);
  if (!status) status = register_feed(e, f, err);
  if (status) tn_feed_free(f);
  else e->feeds[e->feed_count++] = f;
  return status;
}
