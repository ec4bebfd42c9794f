/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling functions of the facet `vectors`. What can be wrong with a request by itself is refused
 * here, once for all kinds; filters come to a provider as bool, int, double and text.
 */
#include <errno.h>
#include <math.h>
#include <string.h>

#include "base/error.h"
#include "base/float.h"
#include "core/held.h"
#include "core/vector_rows.h"

enum { MAX_FILTERS = 64, MAX_VALUES = 10000, MAX_NAME = 255, MAX_IDS = 1 << 20 };
enum { ARENA_MAX = 16 << 20 };

static tenon_status call(tenon_ctx *ctx, tn_session *s, tn_op_id op, const void *request,
                         void *reply, tenon_error *err) {
  const tn_call c = {.op = op, .request = request, .reply = reply};
  return tn_call_run(ctx, s, &c, NULL, err);
}

static tenon_status open_rows(tenon_ctx *ctx, tn_session *s, tn_op_id op, const void *request,
                              struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_stream reply = {.struct_size = sizeof reply}, rows;
  tenon_ctx *own;
  tenon_status status = tn_held_open(ctx, s, op, request, &reply, &reply, &rows, &own, err);
  if (status) return status;
  status = tn_stream_export(own, &rows, NULL, NULL, ret, err);
  tenon_ctx_free(own);
  return status;
}

/* ---- What is asked for ---- */

static tenon_status refuse(tenon_error *err, const char *remedy, const char *what) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s", what);
}

static tenon_status check_collection(const char *name, tenon_error *err) {
  if (!name || !*name)
    return refuse(err, "name a collection behind the target, TARGET:NAME", "no collection is named");
  if (strlen(name) > MAX_NAME || !tn_utf8_valid(name, strlen(name), NULL))
    return refuse(err, "give it a shorter name, in UTF-8",
                  "a collection's name is at most 255 bytes of UTF-8");
  return TENON_OK;
}

static tenon_status check_ids(const char *const *ids, size_t count, tenon_error *err) {
  if (ids && count > MAX_IDS) return refuse(err, "ask in several calls", "more than 1048576 ids");
  for (size_t i = 0; ids && i < count; i++) {
    size_t size = ids[i] ? strlen(ids[i]) : 0;
    if (size < 1 || size > TENON_MAX_ID || !tn_utf8_valid(ids[i], size, NULL))
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "correct the id",
                        "id %zu of the request is not 1 to %d bytes of UTF-8", i + 1, TENON_MAX_ID);
  }
  return TENON_OK;
}

/* ---- Filters ---- */

static tenon_status number_value(const tenon_filter *f, const tenon_value *from, tenon_value *ret,
                                 tenon_error *err) {
  char text[512];
  double v;
  if (from->size >= sizeof text)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write it with fewer digits",
                      "the number beside %s has %zu digits", f->column, from->size);
  memcpy(text, from->data, from->size);
  text[from->size] = 0;
  if (!tn_parse_f64(text, from->size, &v))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write a number such as 12.5",
                      "%s beside %s is not a number", text, f->column);
  *ret = (tenon_value){.type = TENON_VALUE_DOUBLE, .f = v};
  return TENON_OK;
}

static tenon_status convert_value(const tenon_filter *f, const tenon_value *from, tenon_value *ret,
                                  tenon_error *err) {
  switch (from->type) {
    case TENON_VALUE_BOOL: case TENON_VALUE_INT: case TENON_VALUE_DOUBLE: case TENON_VALUE_TEXT:
      *ret = *from;
      return TENON_OK;
    case TENON_VALUE_DECIMAL: return number_value(f, from, ret, err);
    default:
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY,
                        "compare with text, a number, true or false; for NULL write `is null`",
                        "the value beside %s has a type that JSON does not have", f->column);
  }
}

static size_t values_wanted(tenon_filter_op op, size_t given) {
  switch (op) {
    case TENON_IS_NULL: case TENON_IS_NOT_NULL: return 0;
    case TENON_IN: return given ? given : 1;
    case TENON_BETWEEN: return 2;
    default: return 1;
  }
}

static tenon_status convert_filter(const tenon_filter *from, tn_arena *arena, tenon_filter *ret,
                                   tenon_error *err) {
  if ((unsigned)from->op > TENON_IS_NOT_NULL)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "see tenon/value.h for what there is",
                      "there is no operator %d for conditions", (int)from->op);
  if (!from->column || !*from->column || from->value_count > MAX_VALUES ||
      from->value_count != values_wanted(from->op, from->value_count) ||
      (from->op == TENON_PREFIX && from->values[0].type != TENON_VALUE_TEXT))
    return refuse(err, "see facets/vectors.h for what conditions are",
                  "a condition has no name, or another number of values than its operator wants");
  tenon_value *values = tn_arena_alloc(arena, (from->value_count + 1) * sizeof *values);
  if (!values) return tn_no_memory(err);
  for (size_t i = 0; i < from->value_count; i++) {
    tenon_status status = convert_value(from, &from->values[i], &values[i], err);
    if (status) return status;
  }
  *ret = (tenon_filter){from->column, from->op, values, from->value_count};
  return TENON_OK;
}

static tenon_status convert_filters(const tenon_filter **filters, size_t count, tn_arena *arena,
                                    tenon_error *err) {
  if (count > MAX_FILTERS) return refuse(err, "ask for less at once", "more than 64 conditions");
  if (!count) return TENON_OK;
  tenon_filter *own = tn_arena_alloc(arena, count * sizeof *own);
  if (!own) return tn_no_memory(err);
  for (size_t i = 0; i < count; i++) {
    tenon_status status = convert_filter(&(*filters)[i], arena, &own[i], err);
    if (status) return status;
  }
  *filters = own;
  return TENON_OK;
}

/* ---- Collections ---- */

static tenon_status check_create(const tenon_vectors_create *r, tenon_error *err) {
  tenon_status status = check_collection(r->collection, err);
  if (status) return status;
  if (r->dimension < 1 || r->dimension > TENON_MAX_DIMENSION)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give the length of the vectors that will be kept",
                      "a collection's dimension is 1 to %d, not %d", TENON_MAX_DIMENSION,
                      (int)r->dimension);
  if ((unsigned)r->metric > TENON_L2)
    return refuse(err, "choose cosine, inner_product or l2", "there is no such metric");
  return TENON_OK;
}

tenon_status tn_vectors_create(tenon_ctx *ctx, tn_session *s, const tenon_vectors_create *request,
                               tenon_collection *ret, tenon_error *err) {
  tenon_collection reply = {.struct_size = sizeof reply, .count = -1};
  tenon_status status = check_create(request, err);
  if (!status) status = call(ctx, s, TN_OP_vectors_create, request, &reply, err);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_vectors_list(tenon_ctx *ctx, tn_session *s, const tenon_vectors_list *request,
                             struct ArrowArrayStream *ret, tenon_error *err) {
  static const tenon_vectors_list all = {.struct_size = sizeof all};
  return open_rows(ctx, s, TN_OP_vectors_list, request ? request : &all, ret, err);
}

tenon_status tn_vectors_drop(tenon_ctx *ctx, tn_session *s, const tenon_vectors_drop *request,
                             tenon_collection *ret, tenon_error *err) {
  tenon_collection reply = {.struct_size = sizeof reply, .count = -1};
  tenon_status status = check_collection(request->collection, err);
  if (!status) status = call(ctx, s, TN_OP_vectors_drop, request, &reply, err);
  if (!status && ret) *ret = reply;
  return status;
}

/* ---- Rows ---- */

/* A kind learns only a line of why the rows ended; the stream knows all of it. */
static tenon_status whole_failure(struct ArrowArrayStream *rows, tenon_error *why) {
  tenon_error whole = TENON_ERROR_INIT;
  if (!rows->release || !rows->get_last_error(rows)) return why->code;
  tn_stream_error(rows, EIO, &whole);
  *why = whole;
  return whole.code;
}

tenon_status tn_vectors_upsert(tenon_ctx *ctx, tn_session *s, const tenon_vectors_upsert *request,
                               tenon_vectors_upserted *ret, tenon_error *err) {
  tenon_vectors_upserted reply = {.struct_size = sizeof reply, .inserted = -1};
  struct ArrowArrayStream rows = {0};
  tenon_vectors_upsert own = *request;
  tenon_error why = TENON_ERROR_INIT;
  own.rows = &rows;
  tenon_status status = check_collection(request->collection, &why);
  if (!status) status = tn_vector_rows_new(request->rows, &rows, &why);
  if (!status) {
    status = call(ctx, s, TN_OP_vectors_upsert, &own, &reply, &why);
    if (status) status = whole_failure(&rows, &why);
  }
  /* consumed, whoever stopped before */
  if (rows.release) rows.release(&rows);
  if (request->rows->release) request->rows->release(request->rows);
  if (status) return tn_pass_error(&why, err);
  *ret = reply;
  return TENON_OK;
}

tenon_status tn_vectors_get(tenon_ctx *ctx, tn_session *s, const tenon_vectors_get *request,
                            struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_vectors_get own = *request;
  tn_arena arena;
  tn_arena_init(&arena, ARENA_MAX);
  tenon_status status = check_collection(own.collection, err);
  if (!status) status = check_ids(own.ids, own.id_count, err);
  if (!status && own.ids && own.filter_count)
    status = refuse(err, "leave one of them away", "rows by ids and by conditions at once");
  if (!status) status = convert_filters(&own.filters, own.filter_count, &arena, err);
  if (!status) status = open_rows(ctx, s, TN_OP_vectors_get, &own, ret, err);
  tn_arena_release(&arena);
  return status;
}

static tenon_status check_query(const tenon_vectors_query *r, tenon_error *err) {
  if (!r->query_count || !r->vectors || r->dimension < 1 || r->dimension > TENON_MAX_DIMENSION ||
      r->query_count > SIZE_MAX / sizeof(float) / (size_t)r->dimension)
    return refuse(err, "give at least one vector of the collection's dimension",
                  "there is no vector to look for");
  if (r->nearest < 1 || r->nearest > TENON_MAX_NEAREST)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "ask for fewer, or for at least one",
                      "1 to %d nearest rows can be asked for, not %d", TENON_MAX_NEAREST,
                      (int)r->nearest);
  for (size_t i = 0; i < r->query_count * (size_t)r->dimension; i++)
    if (!isfinite(r->vectors[i]))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_CONFIG, "mend the vector",
                        "number %zu of vector %zu to look for is not finite",
                        i % (size_t)r->dimension + 1, i / (size_t)r->dimension + 1);
  return TENON_OK;
}

tenon_status tn_vectors_query(tenon_ctx *ctx, tn_session *s, const tenon_vectors_query *request,
                              struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_vectors_query own = *request;
  tn_arena arena;
  tn_arena_init(&arena, ARENA_MAX);
  tenon_status status = check_collection(own.collection, err);
  if (!status) status = check_query(&own, err);
  if (!status) status = convert_filters(&own.filters, own.filter_count, &arena, err);
  if (!status) status = open_rows(ctx, s, TN_OP_vectors_query, &own, ret, err);
  tn_arena_release(&arena);
  return status;
}

/* Rows of a source are those whose member `source` is that text: kinds see one way only. */
static void source_as_filter(tenon_vectors_delete *r, tenon_filter *filter, tenon_value *value) {
  if (!r->source) return;
  *value = (tenon_value){
      .type = TENON_VALUE_TEXT, .data = r->source, .size = strlen(r->source)};
  *filter = (tenon_filter){"source", TENON_EQ, value, 1};
  r->filters = filter;
  r->filter_count = 1;
}

tenon_status tn_vectors_remove(tenon_ctx *ctx, tn_session *s, const tenon_vectors_delete *request,
                               tenon_vectors_deleted *ret, tenon_error *err) {
  tenon_vectors_deleted reply = {.struct_size = sizeof reply, .count = -1};
  tenon_vectors_delete own = *request;
  tenon_filter filter;
  tenon_value value;
  tn_arena arena;
  tn_arena_init(&arena, ARENA_MAX);
  tenon_status status = check_collection(own.collection, err);
  if (!status && (own.ids != NULL) + (own.source != NULL) + (own.filter_count > 0) != 1)
    status = refuse(err, "give ids, or a source, or conditions; to delete all rows, drop the collection",
                    "it is not said which rows to delete, or in more than one way");
  if (!status) status = check_ids(own.ids, own.id_count, err);
  if (!status) source_as_filter(&own, &filter, &value);
  if (!status) status = convert_filters(&own.filters, own.filter_count, &arena, err);
  if (!status) status = call(ctx, s, TN_OP_vectors_remove, &own, &reply, err);
  tn_arena_release(&arena);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_vectors_count(tenon_ctx *ctx, tn_session *s, const tenon_vectors_count *request,
                              tenon_vectors_counted *ret, tenon_error *err) {
  tenon_vectors_counted reply = {.struct_size = sizeof reply};
  tenon_vectors_count own = *request;
  tn_arena arena;
  tn_arena_init(&arena, ARENA_MAX);
  tenon_status status = check_collection(own.collection, err);
  if (!status) status = convert_filters(&own.filters, own.filter_count, &arena, err);
  if (!status) status = call(ctx, s, TN_OP_vectors_count, &own, &reply, err);
  tn_arena_release(&arena);
  if (!status) *ret = reply;
  return status;
}
