/* SPDX-License-Identifier: Apache-2.0 */
/* The nearest rows as a stream: some vectors are searched at a time, so memory stays bounded. */
#include <math.h>

#include "faiss.h"

enum { AT_ONCE = 256, BATCH_BYTES = 8 << 20, FIXED = 3 };
static const size_t MAX_QUERY_BYTES = (size_t)1 << 30;

typedef struct answers {
  tenon_ctx *ctx;
  tn_faiss_version *version;
  tn_faiss_search search;
  uint8_t *selected;
  float *queries;
  size_t count, done;           /* vectors in all, and searched so far */
  uint32_t with;
  tn_faiss_hit *hits;           /* of AT_ONCE vectors */
  int32_t *counts;
  size_t first, in_hand, query; /* of those searched last: where they begin, how many, and … */
  int32_t rank;                 /* … which comes out next */
  tn_builder *out;
} answers;

static void close_answers(void *self) {
  answers *a = self;
  tn_builder_free(a->out);
  tn_free(a->hits);
  tn_free(a->counts);
  tn_free(a->queries);
  tn_free(a->selected);
  tn_faiss_version_unref(a->version);
  tn_free(a);
}

static tenon_status search_more(answers *a, tenon_error *err) {
  size_t left = a->count - a->done, n = left < AT_ONCE ? left : AT_ONCE;
  tenon_status status = tn_faiss_search_many(
      a->ctx, &a->search, a->queries + a->done * (size_t)a->version->dimension, n, a->hits,
      a->counts, err);
  if (status) return status;
  a->first = a->done;
  a->in_hand = n;
  a->done += n;
  a->query = 0;
  a->rank = 0;
  return TENON_OK;
}

/* Sums of finite numbers may overflow; other numbers are not written here. */
static bool has_odd_number(const tn_faiss_version *v, int64_t row) {
  const uint8_t *at = tn_faiss_row(v, row);
  bool odd = false;
  for (int32_t i = 0; i < v->dimension; i++, at += sizeof(float)) {
    float x;
    memcpy(&x, at, sizeof x);
    odd |= !isfinite(x);
  }
  return odd;
}

static tenon_status append_hit(answers *a, tn_faiss_hit hit, tenon_error *err) {
  char room[TN_FAISS_ID_ROOM];
  tn_faiss_record r;
  float score = a->version->metric == TENON_L2 ? -hit.key : hit.key;
  if (!tn_faiss_texts(a->version, hit.row, room, &r))
    return tn_faiss_damaged(a->version, hit.row, err);
  if (!isfinite(score) && has_odd_number(a->version, hit.row))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                      "restore the collection from a copy, or delete the row",
                      "%s: the vector of row %lld has a number that is not finite",
                      a->version->name, (long long)hit.row);
  if (!tn_append_i32(tn_builder_column(a->out, 0), (int32_t)(a->first + a->query)) ||
      !tn_append_bytes(tn_builder_column(a->out, 1), r.id, r.id_size) ||
      !tn_append_fixed(tn_builder_column(a->out, 2), &score))
    return tn_append_failed(err);
  return tn_faiss_append_rest(a->out, FIXED, a->with, a->version, hit.row, &r, err);
}

/* The next hit that is to come out; false: there is none left of these. */
static bool take_hit(answers *a, tn_faiss_hit *ret) {
  while (a->query < a->in_hand && a->rank >= a->counts[a->query]) {
    a->query++;
    a->rank = 0;
  }
  if (a->query >= a->in_hand) return false;
  *ret = a->hits[a->query * (size_t)a->search.nearest + (size_t)a->rank];
  return true;
}

static tenon_status next_answers(void *self, struct ArrowArray *ret, tenon_error *err) {
  answers *a = self;
  int64_t rows = 0;
  tenon_status status = tn_faiss_host->check(a->ctx, err);
  while (!status && tn_builder_bytes(a->out) < BATCH_BYTES) {
    tn_faiss_hit hit;
    if (take_hit(a, &hit)) {
      status = append_hit(a, hit, err);
      a->rank++;
      rows++;
    } else if (a->done < a->count && rows == 0) {
      status = search_more(a, err);
    } else {
      break;
    }
  }
  if (status) return status;
  if (rows) return tn_builder_finish(a->out, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

/* ---- Opening ---- */

static tenon_status copy_queries(answers *a, const tenon_vectors_query *req, tenon_error *err) {
  size_t values = req->query_count * (size_t)req->dimension;
  if (values > MAX_QUERY_BYTES / sizeof(float))
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "ask in several calls",
                      "the vectors to look for take more than 1 GiB");
  a->queries = tn_alloc_array(values, sizeof *a->queries);
  if (!a->queries) return tn_no_memory(err);
  memcpy(a->queries, req->vectors, values * sizeof *a->queries);
  a->count = req->query_count;
  for (size_t i = 0; a->version->metric == TENON_COSINE && i < a->count; i++) {
    float *q = a->queries + i * (size_t)req->dimension;
    if (!(tn_faiss_norm(q, req->dimension) > 0))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "look for another vector",
                        "vector %zu to look for is all zeros, which has no direction", i + 1);
    tn_faiss_normalize(q, req->dimension);
  }
  return TENON_OK;
}

static tenon_status check_dimension(const tn_faiss_version *v, const tenon_vectors_query *req,
                                    tenon_error *err) {
  if (req->dimension == v->dimension) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY,
                    "give a vector of the collection's dimension: of the model that it was made for",
                    "the vector to look for has %d numbers, collection %s has %d",
                    (int)req->dimension, v->name, (int)v->dimension);
}

static tenon_status make_schema(const answers *a, struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format;
  } columns[FIXED] = {{"query", "i"}, {"id", "u"}, {"score", "f"}};
  tenon_status status = tn_schema_struct(ret, FIXED + tn_faiss_rest_count(a->with), err);
  if (status) return status;
  for (int i = 0; !status && i < FIXED; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, false, 0, err);
  if (!status) status = tn_faiss_schema_rest(ret, FIXED, a->with, a->version->dimension, err);
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status prepare(answers *a, const tn_faiss *s, const tenon_vectors_query *req,
                            struct ArrowSchema *ret_schema, tenon_error *err) {
  struct ArrowSchema schema;
  int64_t selected;
  size_t at_once = req->query_count < AT_ONCE ? req->query_count : AT_ONCE;
  a->with = req->with;
  a->search = (tn_faiss_search){.version = a->version, .kernels = tn_faiss_kernels_best(),
                                .nearest = req->nearest, .use_blas = s->config->blas,
                                .use_codes = strcmp(s->config->first_pass, "int8") == 0};
  tenon_status status = check_dimension(a->version, req, err);
  if (!status) status = copy_queries(a, req, err);
  if (!status && req->filter_count)
    status = tn_faiss_select(a->ctx, a->version, req->filters, req->filter_count, &a->selected,
                             &selected, err);
  a->search.selected = a->selected;
  a->hits = tn_alloc_array(at_once * (size_t)req->nearest, sizeof *a->hits);
  a->counts = tn_alloc_array(at_once, sizeof *a->counts);
  if (!status && (!a->hits || !a->counts)) status = tn_no_memory(err);
  if (!status) status = make_schema(a, &schema, err);
  if (status) return status;
  status = tn_builder_new(&schema, &a->out, err);
  if (status) tn_schema_release(&schema);
  else *ret_schema = schema;
  return status;
}

tenon_status tn_faiss_query(tenon_ctx *ctx, void *session, const tenon_vectors_query *req,
                            tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema;
  answers *a = tn_alloc(sizeof *a);
  if (!a) return tn_no_memory(err);
  a->ctx = ctx;
  tenon_status status = tn_faiss_open(ctx, session, req->collection, &a->version, err);
  if (!status) status = prepare(a, session, req, &schema, err);
  if (status) {
    close_answers(a);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = a, .schema = schema,
                        .next = next_answers, .close = close_answers};
  return TENON_OK;
}
