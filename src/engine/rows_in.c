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
  tn_lane *lanes;          /* of the columns, then of the keys */
  int64_t *sources;        /* the column that a lane takes its values from */
  int64_t lane_count;
  struct ArrowArray batch;
  int64_t at, before;      /* rows that are handed out: of batch, of those before it */
  bool ended;
} tn_feed;

void tn_feed_free(tn_feed *f) {
  for (int64_t i = 0; i < f->lane_count; i++) tn_lane_release(&f->lanes[i]);
  tn_free(f->lanes);
  tn_free(f->sources);
  tn_array_release(&f->batch);
  tn_free(f);
}

static bool add_column(const tn_duckdb *db, duckdb_bind_info info, const char *name, duckdb_logical_type type) {
  if (!type) {
    db->bind_set_error(info, "a column's type cannot be made");
    return false;
  }
  db->bind_add_result_column(info, name, type);
  db->destroy_logical_type(&type);
  return true;
}

static const char *column_name(const tn_feed *f, int64_t i, char room[32]) {
  int64_t columns = f->rows.schema->n_children, key = 0;
  if (!f->rows.opaque) return f->lanes[i].name;
  if (i < columns) {
    snprintf(room, 32, "c%lld", (long long)i);
    return room;
  }
  /* the lanes of one key follow each other, and the lower part has the width 0 */
  bool second = f->lanes[i].cell == TN_CELL_HALF_OF && f->lanes[i].width == 0;
  for (int64_t k = columns; k < i; k++) key += !(f->lanes[k + 1].cell == TN_CELL_HALF_OF && f->lanes[k + 1].width == 0);
  snprintf(room, 32, "k%lld%s", (long long)key, second ? "b" : "");
  return room;
}

static void bind(duckdb_bind_info info) {
  /* the table of functions is loaded by now: this is one of them calling */
  const tn_duckdb *db;
  char room[32];
  if (tn_duckdb_get(&db, NULL)) return;
  tn_feed *f = db->bind_get_extra_info(info);
  for (int64_t i = 0; i < f->lane_count; i++)
    if (!add_column(db, info, column_name(f, i, room), tn_lane_type(db, &f->lanes[i]))) return;
  if (f->rows.opaque) add_column(db, info, "row", db->create_logical_type(DUCKDB_TYPE_BIGINT));
}

static void init(duckdb_init_info info) {
  const tn_duckdb *db;
  if (!tn_duckdb_get(&db, NULL)) db->init_set_max_threads(info, 1);
}

/* The next batch with rows in it, or the end. */
static tenon_status next_batch(tn_feed *f, tenon_error *err) {
  while (!f->ended && f->at >= f->batch.length) {
    tn_array_release(&f->batch);
    f->before += f->batch.length;
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
    const struct ArrowArray *from = f->batch.children[f->sources[i]];
    if ((status = tn_fill(db, &f->lanes[i], v, from, f->batch.offset + f->at, n, err))) return status;
  }
  if (f->rows.opaque && n > 0) {
    int64_t *row = db->vector_get_data(db->data_chunk_get_vector(chunk, (idx_t)f->lane_count));
    for (int64_t i = 0; i < n; i++) row[i] = f->before + f->at + i;
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
  size_t most = (size_t)s->n_children + 2 * f->rows.key_count + 1;
  f->lanes = tn_alloc_array(most, sizeof *f->lanes);
  f->sources = tn_alloc_array(most, sizeof *f->sources);
  if (!f->lanes || !f->sources) return tn_no_memory(err);
  for (int64_t i = 0; i < s->n_children; i++) {
    tenon_status status = tn_lane_in(s->children[i], f->rows.opaque ? TN_OPAQUE : TN_TYPED, &f->lanes[i], err);
    if (status) return status;
    f->sources[f->lane_count++] = i;
  }
  for (size_t k = 0; k < f->rows.key_count; k++) {
    int count = 0;
    tenon_status status = tn_lane_key(s->children[f->rows.keys[k]], &f->lanes[f->lane_count], &count, err);
    if (status) return status;
    for (int i = 0; i < count; i++) f->sources[f->lane_count++] = f->rows.keys[k];
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
