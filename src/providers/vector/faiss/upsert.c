/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows on their way into a collection: spooled to two nameless files while they come, whoever else
 * writes meanwhile; only then is the collection locked and its next version made.
 */
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "faiss.h"

enum { BUFFER = 1 << 20, FIRST_ROOM = 1024 };

typedef struct spool {
  int fd;
  uint8_t *buffer;
  size_t used;
  uint64_t size;           /* with what is in the buffer */
  const uint8_t *data;     /* mapped, once it is complete */
} spool;

typedef struct id_place {
  const char *id;
  uint32_t size, row;
} id_place;

typedef struct staging {
  spool vectors, texts;
  tenon_metric metric;
  int32_t dimension;
  int64_t count, room;     /* rows that came */
  uint64_t *offsets;
  float *unit;             /* a row at length 1 */
  uint32_t *rows, *order;
  tn_faiss_staged staged;
} staging;

/* ---- Spools ---- */

static tenon_status spool_init(spool *s, int root_fd, tenon_error *err) {
  s->fd = openat(root_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  if (s->fd < 0) s->fd = tn_spool_open();
  if (s->fd < 0) return tn_faiss_fail_file(errno, "a temporary file", TENON_STAGE_WRITE, err);
  s->buffer = tn_alloc(BUFFER);
  return s->buffer ? TENON_OK : tn_no_memory(err);
}

static void spool_release(spool *s) {
  if (s->data && s->size) munmap((void *)(uintptr_t)s->data, (size_t)s->size);
  if (s->fd >= 0) close(s->fd);
  tn_free(s->buffer);
}

static tenon_status spool_flush(spool *s, tenon_error *err) {
  size_t used = s->used;
  s->used = 0;
  return used ? tn_write_all(s->fd, s->buffer, used, err) : TENON_OK;
}

static tenon_status spool_put(spool *s, const void *data, size_t size, tenon_error *err) {
  tenon_status status = TENON_OK;
  s->size += size;
  if (size > BUFFER - s->used) status = spool_flush(s, err);
  if (status) return status;
  if (size >= BUFFER) return tn_write_all(s->fd, data, size, err);
  memcpy(s->buffer + s->used, data, size);
  s->used += size;
  return TENON_OK;
}

static tenon_status spool_map(spool *s, tenon_error *err) {
  tenon_status status = spool_flush(s, err);
  if (status || !s->size) return status;
  void *data = mmap(NULL, (size_t)s->size, PROT_READ, MAP_SHARED, s->fd, 0);
  if (data == MAP_FAILED)
    return tn_faiss_fail_file(errno, "a temporary file", TENON_STAGE_WRITE, err);
  s->data = data;
  return TENON_OK;
}

/* ---- Rows ---- */

static void staging_release(staging *g) {
  spool_release(&g->vectors);
  spool_release(&g->texts);
  tn_free(g->offsets);
  tn_free(g->unit);
  tn_free(g->rows);
  tn_free(g->order);
}

static tenon_status staging_init(staging *g, const tn_faiss *s, const tn_faiss_version *v,
                                 tenon_error *err) {
  *g = (staging){.vectors = {.fd = -1}, .texts = {.fd = -1}, .metric = v->metric,
                 .dimension = v->dimension, .room = FIRST_ROOM};
  g->offsets = tn_alloc_array(FIRST_ROOM + 1, sizeof *g->offsets);
  g->unit = tn_alloc_array((size_t)v->dimension, sizeof *g->unit);
  tenon_status status = g->offsets && g->unit ? TENON_OK : tn_no_memory(err);
  if (!status) status = spool_init(&g->vectors, s->root_fd, err);
  if (!status) status = spool_init(&g->texts, s->root_fd, err);
  if (status) staging_release(g);
  return status;
}

static bool staging_grow(staging *g) {
  if (g->count < g->room) return true;
  uint64_t *offsets = tn_resize(g->offsets, ((size_t)g->room * 2 + 1) * sizeof *offsets);
  if (!offsets) return false;
  g->offsets = offsets;
  g->room *= 2;
  return true;
}

static tenon_status put_vector(staging *g, const float *v, tenon_error *err) {
  size_t size = (size_t)g->dimension * sizeof *v;
  if (g->metric != TENON_COSINE) return spool_put(&g->vectors, v, size, err);
  memcpy(g->unit, v, size);
  if (!(tn_faiss_norm(v, g->dimension) > 0))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE,
                      "leave the row away, or use another metric",
                      "row %lld: its vector is all zeros, which has no direction",
                      (long long)g->count + 1);
  tn_faiss_normalize(g->unit, g->dimension);
  return spool_put(&g->vectors, g->unit, size, err);
}

static bool bit(const void *bits, int64_t i) {
  return !bits || ((const uint8_t *)bits)[i >> 3] >> (i & 7) & 1;
}

/* NULL: it is NULL. */
static const char *text_of(const struct ArrowArray *a, int64_t i, uint32_t *ret_size) {
  const int32_t *offsets = a->buffers[1];
  int64_t at = a->offset + i;
  *ret_size = 0;
  if (a->null_count != 0 && !bit(a->buffers[0], at)) return NULL;
  *ret_size = (uint32_t)(offsets[at + 1] - offsets[at]);
  const char *data = a->buffers[2];
  return data ? data + offsets[at] : "";
}

static tenon_status put_row(staging *g, const struct ArrowArray *batch, int64_t i,
                            tenon_error *err) {
  const struct ArrowArray *lists = batch->children[1], *numbers = lists->children[0];
  const float *v = (const float *)numbers->buffers[1] + numbers->offset +
                   (lists->offset + i) * g->dimension;
  uint8_t sizes[TN_FAISS_SIZES];
  tn_faiss_record r;
  r.id = text_of(batch->children[0], i, &r.id_size);
  r.document = text_of(batch->children[2], i, &r.document_size);
  r.metadata = text_of(batch->children[3], i, &r.metadata_size);
  if (g->count >= TN_FAISS_MAX_ROWS || !staging_grow(g)) return tn_append_failed(err);
  tn_faiss_record_sizes(&r, sizes);
  tenon_status status = put_vector(g, v, err);
  if (!status) status = spool_put(&g->texts, sizes, sizeof sizes, err);
  if (!status) status = spool_put(&g->texts, r.id, r.id_size, err);
  if (!status && r.document) status = spool_put(&g->texts, r.document, r.document_size, err);
  if (!status && r.metadata) status = spool_put(&g->texts, r.metadata, r.metadata_size, err);
  g->offsets[++g->count] = g->texts.size;
  return status;
}

/* ---- The stream ---- */

static tenon_status check_width(const staging *g, const struct ArrowSchema *s, const char *name,
                                tenon_error *err) {
  long width = strtol(s->children[1]->format + 3, NULL, 10);
  if (width == g->dimension) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE,
                    "give vectors of the collection's dimension: of the model that it was made for",
                    "row 1: its vector has %ld numbers, those of collection %s have %d", width, name,
                    (int)g->dimension);
}

static tenon_status stream_failed(struct ArrowArrayStream *rows, int code, tenon_error *err) {
  const char *says = rows->get_last_error ? rows->get_last_error(rows) : NULL;
  tenon_status status = code == ECANCELED ? TENON_CANCELLED
                        : code == ETIMEDOUT ? TENON_TIMEOUT
                        : code == ENOMEM ? TENON_LIMITED
                        : code == EINVAL ? TENON_DATA : TENON_IO;
  return tenon_fail(err, status, TENON_STAGE_WRITE, "mend the rows that are written", "%s",
                    says ? says : "the rows cannot be read");
}

static tenon_status take_batch(tenon_ctx *ctx, staging *g, const struct ArrowArray *batch,
                               tenon_error *err) {
  tenon_status status = tn_faiss_host->check(ctx, err);
  for (int64_t i = 0; i < batch->length && !status; i++)
    status = put_row(g, batch, batch->offset + i, err);
  return status;
}

static tenon_status take_rows(tenon_ctx *ctx, staging *g, const tenon_vectors_upsert *req,
                              tenon_error *err) {
  struct ArrowArrayStream *rows = req->rows;
  struct ArrowSchema schema = {0};
  int code = rows->get_schema(rows, &schema);
  tenon_status status = code ? stream_failed(rows, code, err) : TENON_OK;
  while (!status) {
    struct ArrowArray batch = {0};
    if ((code = rows->get_next(rows, &batch))) {
      status = stream_failed(rows, code, err);
      break;
    }
    if (!batch.release) break;
    status = check_width(g, &schema, req->collection, err);
    if (!status) status = take_batch(ctx, g, &batch, err);
    batch.release(&batch);
  }
  tn_schema_release(&schema);
  return status;
}

/* ---- One row an id ---- */

static int by_id_then_row(const void *a, const void *b) {
  const id_place *x = a, *y = b;
  int order = tn_faiss_id_compare(x->id, x->size, y->id, y->size);
  return order ? order : (x->row > y->row) - (x->row < y->row);
}

static bool is_last_of_id(const id_place *p, int64_t i, int64_t count) {
  return i + 1 == count ||
         tn_faiss_id_compare(p[i].id, p[i].size, p[i + 1].id, p[i + 1].size) != 0;
}

/* rows: the last one of each id, as they came. order: those in order of their ids. */
static void keep_last(staging *g, const id_place *p) {
  tn_faiss_staged *s = &g->staged;
  uint32_t *place_of = g->order;   /* by row that came, before it is the order */
  for (int64_t i = 0; i < g->count; i++) place_of[i] = UINT32_MAX;
  for (int64_t i = 0; i < g->count; i++)
    if (is_last_of_id(p, i, g->count)) place_of[p[i].row] = 0;
  for (int64_t row = 0; row < g->count; row++)
    if (place_of[row] == 0) {
      place_of[row] = (uint32_t)s->count;
      g->rows[s->count++] = (uint32_t)row;
    }
}

static bool order_of(staging *g, const id_place *p) {
  uint32_t *order = tn_alloc_array((size_t)g->count + 1, sizeof *order);
  int64_t n = 0;
  if (!order) return false;
  for (int64_t i = 0; i < g->count; i++)
    if (is_last_of_id(p, i, g->count)) order[n++] = g->order[p[i].row];
  tn_free(g->order);
  g->order = order;
  return true;
}

static tenon_status arrange(staging *g, tenon_error *err) {
  id_place *p = tn_alloc_array((size_t)g->count + 1, sizeof *p);
  g->rows = tn_alloc_array((size_t)g->count + 1, sizeof *g->rows);
  g->order = tn_alloc_array((size_t)g->count + 1, sizeof *g->order);
  if (!p || !g->rows || !g->order) {
    tn_free(p);
    return tn_no_memory(err);
  }
  for (int64_t i = 0; i < g->count; i++) {
    tn_faiss_record r;
    tn_faiss_record_get(g->texts.data + g->offsets[i], g->offsets[i + 1] - g->offsets[i], &r);
    p[i] = (id_place){r.id, r.id_size, (uint32_t)i};
  }
  qsort(p, (size_t)g->count, sizeof *p, by_id_then_row);
  keep_last(g, p);
  bool done = order_of(g, p);
  tn_free(p);
  if (!done) return tn_no_memory(err);
  g->staged.dimension = g->dimension;
  g->staged.rows = g->rows;
  g->staged.order = g->order;
  g->staged.vectors = (const float *)(const void *)g->vectors.data;
  g->staged.texts = g->texts.data;
  g->staged.offsets = g->offsets;
  return TENON_OK;
}

/* ---- The old rows that are replaced ---- */

static tenon_status find_replaced(const tn_faiss_version *v, const tn_faiss_staged *s,
                                  uint8_t *dropped, int64_t *ret_replaced, tenon_error *err) {
  int64_t replaced = 0;
  for (int64_t i = 0; i < s->count; i++) {
    size_t size;
    tn_faiss_record r;
    const uint8_t *text = tn_faiss_staged_text(s, i, &size);
    tn_faiss_record_get(text, size, &r);
    int64_t row = tn_faiss_record_find(&v->records, r.id, r.id_size);
    if (row == -2) return tn_faiss_damaged(v, 0, err);
    if (row >= 0) dropped[row] = 1;
    replaced += row >= 0;
  }
  *ret_replaced = replaced;
  return TENON_OK;
}

static tenon_status same_collection(const staging *g, const tn_faiss_version *v,
                                    tenon_error *err) {
  if (v->metric == g->metric && v->dimension == g->dimension) return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "try again",
                    "%s was made anew meanwhile, with another metric or dimension", v->name);
}

static tenon_status commit(tenon_ctx *ctx, tn_faiss *s, const staging *g, const char *name,
                           int64_t *ret_replaced, tenon_error *err) {
  tn_faiss_version *v;
  tenon_status status = tn_faiss_open(ctx, s, name, &v, err);
  if (status) return status;
  uint8_t *dropped = tn_alloc((size_t)v->count + 1);
  status = dropped ? same_collection(g, v, err) : tn_no_memory(err);
  if (!status) status = find_replaced(v, &g->staged, dropped, ret_replaced, err);
  if (!status && g->staged.count)
    status = tn_faiss_commit(ctx, s, name, v->metric, v->dimension, v, dropped, &g->staged, err);
  tn_free(dropped);
  tn_faiss_version_unref(v);
  return status;
}

static tenon_status write_locked(tenon_ctx *ctx, tn_faiss *s, const staging *g, const char *name,
                                 int64_t *ret_replaced, tenon_error *err) {
  tenon_status status = tn_faiss_lock(ctx, s, err);
  if (status) return status;
  status = commit(ctx, s, g, name, ret_replaced, err);
  tn_faiss_unlock(s);
  return status;
}

tenon_status tn_faiss_upsert(tenon_ctx *ctx, void *session, const tenon_vectors_upsert *req,
                             tenon_vectors_upserted *ret, tenon_error *err) {
  tn_faiss *s = session;
  tn_faiss_version *v;
  staging g;
  int64_t replaced = 0;
  tenon_status status = tn_faiss_open(ctx, s, req->collection, &v, err);
  if (status) return status;
  status = tn_faiss_refuse_foreign(v, err);
  if (!status) status = staging_init(&g, s, v, err);
  tn_faiss_version_unref(v);
  if (status) return status;
  status = take_rows(ctx, &g, req, err);
  if (!status) status = spool_map(&g.vectors, err);
  if (!status) status = spool_map(&g.texts, err);
  if (!status) status = arrange(&g, err);
  if (!status) status = write_locked(ctx, s, &g, req->collection, &replaced, err);
  if (!status)
    *ret = (tenon_vectors_upserted){.struct_size = sizeof *ret, .rows = g.count,
                                    .inserted = g.staged.count - replaced,
                                    .atomicity = TENON_ATOMIC_ALL};
  staging_release(&g);
  return status;
}
