/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FAISS's format of flat indexes, little-endian and without padding:
 *
 *   tag         4 bytes    IxFI inner product, IxF2 L2, IxFl the metric below says
 *   dimension   int32
 *   count       int64
 *   (unused)    2 × int64
 *   trained     uint8      0 or 1
 *   metric      int32      0 inner product, 1 L2; greater ones have a float32 behind them
 *   size        uint64     number of float32 that follow: count × dimension
 *
 * An index with ids of its own (IxMp, IxM2) is such a header without the size, a flat index, the
 * number of ids (uint64) and the ids (int64).
 */
#include <unistd.h>

#include "faiss.h"

typedef struct reader {
  const uint8_t *data;     /* NULL: the numbers are read from fd, and nothing else is */
  int fd;
  size_t size, at;
  const char *name;
  tenon_error *err;
} reader;

static tenon_status damaged(const reader *r, const char *what) {
  return tenon_fail(r->err, TENON_DATA, TENON_STAGE_DATA,
                    "write the index again with faiss.write_index, or restore it from a copy",
                    "%s is not a sound FAISS index: %s", r->name, what);
}

static tenon_status take(reader *r, void *to, size_t size) {
  if (size > r->size - r->at) return damaged(r, "the file ends too early");
  if (r->data) memcpy(to, r->data + r->at, size);
  else if (pread(r->fd, to, size, (off_t)r->at) != (ssize_t)size)
    return damaged(r, "it cannot be read");
  r->at += size;
  return TENON_OK;
}

typedef struct header {
  char tag[4];
  int32_t dimension, metric;
  int64_t count;
} header;

static tenon_status check_header(const reader *r, const header *h, uint8_t trained) {
  if (h->dimension < 1 || h->dimension > TENON_MAX_DIMENSION)
    return damaged(r, "its dimension is not 1 to 65536");
  if (h->count < 0 || h->count > TN_FAISS_MAX_ROWS) return damaged(r, "its count is out of range");
  if (trained > 1) return damaged(r, "a flag is neither 0 nor 1");
  return TENON_OK;
}

static tenon_status take_header(reader *r, header *ret) {
  int64_t unused[2];
  uint8_t trained = 0;
  float argument;
  tenon_status status = take(r, &ret->dimension, sizeof ret->dimension);
  if (!status) status = take(r, &ret->count, sizeof ret->count);
  if (!status) status = take(r, unused, sizeof unused);
  if (!status) status = take(r, &trained, sizeof trained);
  if (!status) status = take(r, &ret->metric, sizeof ret->metric);
  if (!status && ret->metric > 1) status = take(r, &argument, sizeof argument);
  return status ? status : check_header(r, ret, trained);
}

static bool has_tag(const header *h, const char *tag) { return memcmp(h->tag, tag, 4) == 0; }

static bool has_ids(const header *h) { return has_tag(h, "IxMp") || has_tag(h, "IxM2"); }

static tenon_status refuse_kind(const reader *r, const header *h) {
  char tag[5] = "????";
  for (int i = 0; i < 4; i++)
    if (h->tag[i] > 0x20 && h->tag[i] < 0x7F) tag[i] = h->tag[i];
  return tenon_fail(r->err, TENON_UNSUPPORTED, TENON_STAGE_DATA,
                    "only flat indexes can be read: IndexFlatIP, IndexFlatL2, and IndexIDMap of them",
                    "%s is no flat FAISS index of inner products or L2 (%s)", r->name, tag);
}

static tenon_status take_flat(reader *r, const header *h, tn_faiss_index *ret) {
  uint64_t floats;
  bool inner = has_tag(h, "IxFI"), l2 = has_tag(h, "IxF2");
  if (!inner && !l2 && !has_tag(h, "IxFl")) return refuse_kind(r, h);
  if (h->metric != 0 && h->metric != 1) return refuse_kind(r, h);
  if ((inner && h->metric != 0) || (l2 && h->metric != 1))
    return damaged(r, "its tag and its metric differ");
  tenon_status status = take(r, &floats, sizeof floats);
  if (status) return status;
  if (floats != (uint64_t)h->count * (uint64_t)h->dimension)
    return damaged(r, "it has another number of values than rows times dimension");
  if (floats > (r->size - r->at) / sizeof(float)) return damaged(r, "the file ends too early");
  *ret = (tn_faiss_index){.metric = h->metric == 0 ? TENON_INNER_PRODUCT : TENON_L2,
                          .dimension = h->dimension, .count = h->count, .rows_at = r->at};
  r->at += (size_t)floats * sizeof(float);
  return TENON_OK;
}

static tenon_status take_ids(reader *r, tn_faiss_index *index) {
  uint64_t ids;
  tenon_status status = take(r, &ids, sizeof ids);
  if (status) return status;
  if (ids != (uint64_t)index->count) return damaged(r, "it has another number of ids than rows");
  if (ids > (r->size - r->at) / sizeof(int64_t)) return damaged(r, "the file ends too early");
  index->ids_at = r->at;
  r->at += (size_t)ids * sizeof(int64_t);
  return TENON_OK;
}

static tenon_status take_index(reader *r, header *outer, tn_faiss_index *ret) {
  header inner;
  tenon_status status = take_header(r, outer);
  if (status || !has_ids(outer)) return status ? status : take_flat(r, outer, ret);
  status = take(r, inner.tag, sizeof inner.tag);
  if (!status && has_ids(&inner)) return refuse_kind(r, &inner);
  if (!status) status = take_header(r, &inner);
  if (!status) status = take_flat(r, &inner, ret);
  return status ? status : take_ids(r, ret);
}

static tenon_status take_file(reader *r, tn_faiss_index *ret) {
  header h;
  tn_faiss_index index = {0};
  tenon_status status = take(r, h.tag, sizeof h.tag);
  if (!status && memcmp(h.tag, "Ix", 2) != 0) return refuse_kind(r, &h);
  if (!status) status = take_index(r, &h, &index);
  if (status) return status;
  if (r->at != r->size) return damaged(r, "there is something behind its end");
  *ret = index;
  return TENON_OK;
}

tenon_status tn_faiss_index_parse(const void *data, size_t size, const char *name,
                                  tn_faiss_index *ret, tenon_error *err) {
  reader r = {.data = size ? data : (const uint8_t *)"", .size = size, .name = name, .err = err};
  return take_file(&r, ret);
}

tenon_status tn_faiss_index_look(int fd, size_t size, const char *name, tn_faiss_index *ret,
                                 tenon_error *err) {
  reader r = {.fd = fd, .size = size, .name = name, .err = err};
  return take_file(&r, ret);
}

void tn_faiss_index_header(tenon_metric metric, int32_t dimension, int64_t count,
                           uint8_t ret[TN_FAISS_HEADER]) {
  const int32_t metric_code = metric == TENON_L2;
  const int64_t unused = 1 << 20;
  const uint64_t floats = (uint64_t)count * (uint64_t)dimension;
  memcpy(ret, metric == TENON_L2 ? "IxF2" : "IxFI", 4);
  memcpy(ret + 4, &dimension, 4);
  memcpy(ret + 8, &count, 8);
  memcpy(ret + 16, &unused, 8);
  memcpy(ret + 24, &unused, 8);
  ret[32] = 1;
  memcpy(ret + 33, &metric_code, 4);
  memcpy(ret + 37, &floats, 8);
}
