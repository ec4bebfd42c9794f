/* SPDX-License-Identifier: Apache-2.0 */
/* Rows by their ids or by conditions: get, count, delete. */
#include <stdio.h>

#include "faiss.h"

enum { BATCH_BYTES = 8 << 20 };

/* ---- The columns that may come ---- */

int64_t tn_faiss_rest_count(uint32_t with) {
  return !!(with & TENON_WITH_DOCUMENT) + !!(with & TENON_WITH_METADATA) +
         !!(with & TENON_WITH_VECTOR);
}

tenon_status tn_faiss_schema_rest(struct ArrowSchema *s, int64_t at, uint32_t with,
                                  int32_t dimension, tenon_error *err) {
  char list[24];
  tenon_status status = TENON_OK;
  snprintf(list, sizeof list, "+w:%d", (int)dimension);
  if (with & TENON_WITH_DOCUMENT)
    status = tn_schema_set(s->children[at++], "document", "u", true, 0, err);
  if (!status && with & TENON_WITH_METADATA)
    status = tn_schema_set(s->children[at++], "metadata", "u", true, 0, err);
  if (status || !(with & TENON_WITH_VECTOR)) return status;
  status = tn_schema_set(s->children[at], "vector", list, false, 1, err);
  return status ? status
                : tn_schema_set(s->children[at]->children[0], "item", "f", false, 0, err);
}

static bool append_text(tn_column *c, const char *data, uint32_t size) {
  return data ? tn_append_bytes(c, data, size) : tn_append_null(c);
}

static bool append_vector(tn_column *c, const tn_faiss_version *v, int64_t row) {
  tn_column *numbers = &c->children[0];
  size_t size = (size_t)v->dimension * sizeof(float);
  if (!tn_reserve(numbers, v->dimension, 0)) return false;
  memcpy(numbers->data.data + (size_t)numbers->length * sizeof(float), tn_faiss_row(v, row), size);
  numbers->length += v->dimension;
  return tn_append_list(c);
}

static bool is_text(const char *data, uint32_t size) {
  return !data || tn_utf8_valid(data, size, NULL);
}

/* What was written was checked: if it is not so now, the file is damaged. */
static bool is_sound(const tn_faiss_record *r) {
  return is_text(r->id, r->id_size) && !memchr(r->id, 0, r->id_size) &&
         is_text(r->document, r->document_size) && is_text(r->metadata, r->metadata_size) &&
         tn_faiss_matches(r->metadata, r->metadata_size, NULL, 0) == 1;
}

tenon_status tn_faiss_append_rest(tn_builder *b, int64_t at, uint32_t with,
                                  const tn_faiss_version *v, int64_t row, const tn_faiss_record *r,
                                  tenon_error *err) {
  bool done = true;
  if (!is_sound(r)) return tn_faiss_damaged(v, row, err);
  if (with & TENON_WITH_DOCUMENT)
    done = append_text(tn_builder_column(b, at++), r->document, r->document_size);
  if (done && with & TENON_WITH_METADATA)
    done = append_text(tn_builder_column(b, at++), r->metadata, r->metadata_size);
  if (done && with & TENON_WITH_VECTOR) done = append_vector(tn_builder_column(b, at), v, row);
  return done ? TENON_OK : tn_append_failed(err);
}

/* ---- get ---- */

typedef struct getter {
  tenon_ctx *ctx;
  tn_faiss_version *version;
  uint8_t *selected;        /* NULL: all, unless there are rows */
  uint32_t *rows;           /* by ids */
  int64_t row_count, next, left;
  uint32_t with;
  tn_builder *out;
} getter;

static void close_getter(void *self) {
  getter *g = self;
  tn_builder_free(g->out);
  tn_free(g->rows);
  tn_free(g->selected);
  tn_faiss_version_unref(g->version);
  tn_free(g);
}

/* -1: there is none left. */
static int64_t take_row(getter *g) {
  if (g->left == 0) return -1;
  int64_t end = g->rows ? g->row_count : g->version->count;
  while (!g->rows && g->selected && g->next < end && !g->selected[g->next]) g->next++;
  if (g->next >= end) return -1;
  g->left--;
  int64_t at = g->next++;
  return g->rows ? g->rows[at] : at;
}

static tenon_status append_row(getter *g, int64_t row, tenon_error *err) {
  char room[TN_FAISS_ID_ROOM];
  tn_faiss_record r;
  if (!tn_faiss_texts(g->version, row, room, &r)) return tn_faiss_damaged(g->version, row, err);
  if (!tn_append_bytes(tn_builder_column(g->out, 0), r.id, r.id_size))
    return tn_append_failed(err);
  return tn_faiss_append_rest(g->out, 1, g->with, g->version, row, &r, err);
}

static tenon_status next_rows(void *self, struct ArrowArray *ret, tenon_error *err) {
  getter *g = self;
  int64_t rows = 0, row;
  tenon_status status = tn_faiss_host->check(g->ctx, err);
  while (!status && tn_builder_bytes(g->out) < BATCH_BYTES && (row = take_row(g)) >= 0) {
    status = append_row(g, row, err);
    rows++;
  }
  if (status) return status;
  if (rows) return tn_builder_finish(g->out, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static tenon_status find_rows(getter *g, const tenon_vectors_get *req, tenon_error *err) {
  g->rows = tn_alloc_array(req->id_count + 1, sizeof *g->rows);
  if (!g->rows) return tn_no_memory(err);
  for (size_t i = 0; i < req->id_count; i++) {
    int64_t row = tn_faiss_find(g->version, req->ids[i]);
    if (row == -2) return tn_faiss_damaged(g->version, 0, err);
    if (row >= 0) g->rows[g->row_count++] = (uint32_t)row;
  }
  return TENON_OK;
}

static tenon_status getter_schema(const getter *g, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = tn_schema_struct(ret, 1 + tn_faiss_rest_count(g->with), err);
  if (status) return status;
  status = tn_schema_set(ret->children[0], "id", "u", false, 0, err);
  if (!status) status = tn_faiss_schema_rest(ret, 1, g->with, g->version->dimension, err);
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status prepare(getter *g, const tenon_vectors_get *req,
                            struct ArrowSchema *ret_schema, tenon_error *err) {
  struct ArrowSchema schema;
  int64_t selected;
  tenon_status status = TENON_OK;
  g->with = req->with;
  g->left = req->limit < 0 ? INT64_MAX : req->limit;
  if (req->ids) status = find_rows(g, req, err);
  else if (req->filter_count)
    status = tn_faiss_select(g->ctx, g->version, req->filters, req->filter_count, &g->selected,
                             &selected, err);
  if (!status) status = getter_schema(g, &schema, err);
  if (status) return status;
  status = tn_builder_new(&schema, &g->out, err);
  if (status) tn_schema_release(&schema);
  else *ret_schema = schema;
  return status;
}

tenon_status tn_faiss_get(tenon_ctx *ctx, void *session, const tenon_vectors_get *req,
                          tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema;
  getter *g = tn_alloc(sizeof *g);
  if (!g) return tn_no_memory(err);
  g->ctx = ctx;
  tenon_status status = tn_faiss_open(ctx, session, req->collection, &g->version, err);
  if (!status) status = prepare(g, req, &schema, err);
  if (status) {
    close_getter(g);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = g, .schema = schema,
                        .next = next_rows, .close = close_getter};
  return TENON_OK;
}

/* ---- count ---- */

tenon_status tn_faiss_count(tenon_ctx *ctx, void *session, const tenon_vectors_count *req,
                            tenon_vectors_counted *ret, tenon_error *err) {
  tn_faiss_version *v;
  uint8_t *selected = NULL;
  tenon_status status = tn_faiss_open(ctx, session, req->collection, &v, err);
  if (status) return status;
  int64_t count = v->count;
  if (req->filter_count)
    status = tn_faiss_select(ctx, v, req->filters, req->filter_count, &selected, &count, err);
  tn_free(selected);
  tn_faiss_version_unref(v);
  if (!status) *ret = (tenon_vectors_counted){.struct_size = sizeof *ret, .count = count};
  return status;
}

/* ---- delete ---- */

static tenon_status select_ids(const tn_faiss_version *v, const tenon_vectors_delete *req,
                               uint8_t **ret, int64_t *ret_count, tenon_error *err) {
  uint8_t *mask = tn_alloc((size_t)v->count + 1);
  int64_t count = 0;
  if (!mask) return tn_no_memory(err);
  for (size_t i = 0; i < req->id_count; i++) {
    int64_t row = tn_faiss_find(v, req->ids[i]);
    if (row == -2) {
      tn_free(mask);
      return tn_faiss_damaged(v, 0, err);
    }
    if (row >= 0 && !mask[row]) {
      mask[row] = 1;
      count++;
    }
  }
  *ret = mask;
  *ret_count = count;
  return TENON_OK;
}

static tenon_status remove_locked(tenon_ctx *ctx, tn_faiss *s, const tenon_vectors_delete *req,
                                  int64_t *ret_count, tenon_error *err) {
  tn_faiss_version *v;
  uint8_t *dropped = NULL;
  tenon_status status = tn_faiss_open(ctx, s, req->collection, &v, err);
  if (status) return status;
  status = tn_faiss_refuse_foreign(v, err);
  if (!status)
    status = req->ids ? select_ids(v, req, &dropped, ret_count, err)
                      : tn_faiss_select(ctx, v, req->filters, req->filter_count, &dropped,
                                        ret_count, err);
  if (!status && *ret_count > 0)
    status = tn_faiss_commit(ctx, s, req->collection, v->metric, v->dimension, v, dropped, NULL, err);
  tn_free(dropped);
  tn_faiss_version_unref(v);
  return status;
}

tenon_status tn_faiss_remove(tenon_ctx *ctx, void *session, const tenon_vectors_delete *req,
                             tenon_vectors_deleted *ret, tenon_error *err) {
  int64_t count = 0;
  tenon_status status = tn_faiss_check_name(req->collection, err);
  if (!status) status = tn_faiss_lock(ctx, session, err);
  if (status) return status;
  status = remove_locked(ctx, session, req, &count, err);
  tn_faiss_unlock(session);
  if (!status) *ret = (tenon_vectors_deleted){.struct_size = sizeof *ret, .count = count};
  return status;
}
