/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `vectors`. Everything happens in the collection contract_v, which is not there before and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "arrow/print.h"
#include "base/error.h"
#include "base/mem.h"
#include "contract/contract.h"

#define NAME "contract_v"
enum { DIMENSION = 20, ROWS = 1500 };

static void ok(tenon_status status, const tenon_error *err) {
  if (status) fail_msg("%s: %s", tenon_status_name(status), err->message);
}

/* ---- Rows to be written ---- */

typedef struct row {
  const char *id;          /* NULL: it is NULL */
  const float *vector;
  const char *document, *metadata;
} row;

typedef struct one_batch {
  struct ArrowArray batch;
} one_batch;

static tenon_status give_batch(void *self, struct ArrowArray *ret, tenon_error *err) {
  one_batch *o = self;
  (void)err;
  *ret = o->batch;
  o->batch = (struct ArrowArray){0};
  return TENON_OK;
}

static int closed_streams;

static void close_batch(void *self) {
  one_batch *o = self;
  tn_array_release(&o->batch);
  free(o);
  closed_streams++;
}

static void fill_schema(struct ArrowSchema *s, int dimension) {
  static const char *const names[] = {"id", "vector", "document", "metadata"};
  char list[24];
  snprintf(list, sizeof list, "+w:%d", dimension);
  assert_int_equal(tn_schema_struct(s, 4, NULL), TENON_OK);
  for (int i = 0; i < 4; i++)
    assert_int_equal(tn_schema_set(s->children[i], names[i], i == 1 ? list : "u", true, i == 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s->children[1]->children[0], "item", "f", false, 0, NULL), TENON_OK);
}

static struct ArrowArrayStream rows_of(const row *rows, size_t count, int dimension) {
  tenon_stream s = {.struct_size = sizeof s, .next = give_batch, .close = close_batch};
  struct ArrowArrayStream out;
  one_batch *o = calloc(1, sizeof *o);
  tn_builder *b;
  fill_schema(&s.schema, dimension);
  assert_int_equal(tn_builder_new(&s.schema, &b, NULL), TENON_OK);
  for (size_t r = 0; r < count; r++) {
    assert_true(tn_append_text(tn_builder_column(b, 0), rows[r].id));
    for (int i = 0; i < dimension; i++)
      assert_true(tn_append_fixed(&tn_builder_column(b, 1)->children[0], &rows[r].vector[i]));
    assert_true(tn_append_list(tn_builder_column(b, 1)));
    assert_true(tn_append_text(tn_builder_column(b, 2), rows[r].document));
    assert_true(tn_append_text(tn_builder_column(b, 3), rows[r].metadata));
  }
  assert_int_equal(tn_builder_finish(b, (int64_t)count, &o->batch, NULL), TENON_OK);
  tn_builder_free(b);
  s.self = o;
  assert_int_equal(tn_stream_export(NULL, &s, NULL, NULL, &out, NULL), TENON_OK);
  return out;
}

static tenon_status upsert(tn_session *s, const row *rows, size_t count, int dimension,
                           tenon_vectors_upserted *ret, tenon_error *err) {
  struct ArrowArrayStream stream = rows_of(rows, count, dimension);
  const tenon_vectors_upsert req = {.struct_size = sizeof req, .collection = NAME, .rows = &stream};
  int closed = closed_streams;
  tenon_status status = tn_vectors_upsert(NULL, s, &req, ret, err);
  assert_null(stream.release);
  assert_int_equal(closed_streams, closed + 1);
  return status;
}

static void must_upsert(tn_session *s, const row *rows, size_t count, int64_t inserted) {
  tenon_error err = TENON_ERROR_INIT;
  tenon_vectors_upserted done = {.inserted = -1};
  ok(upsert(s, rows, count, DIMENSION, &done, &err), &err);
  assert_int_equal(done.rows, count);
  if (done.inserted >= 0) assert_int_equal(done.inserted, inserted);
}

/* ---- Collections ---- */

static tenon_status create(tn_session *s, int dimension, tenon_metric metric, bool if_absent, tenon_error *err) {
  const tenon_vectors_create req = {.struct_size = sizeof req, .collection = NAME, .dimension = dimension,
                                    .metric = metric, .if_absent = if_absent};
  tenon_collection made = {0};
  tenon_status status = tn_vectors_create(NULL, s, &req, &made, err);
  if (!status) {
    assert_int_equal(made.dimension, dimension);
    assert_int_equal(made.metric, metric);
  }
  return status;
}

static void must_create(tn_session *s, tenon_metric metric) {
  tenon_error err = TENON_ERROR_INIT;
  ok(create(s, DIMENSION, metric, false, &err), &err);
}

static void drop(tn_session *s) {
  const tenon_vectors_drop req = {.struct_size = sizeof req, .collection = NAME};
  tenon_collection was;
  tenon_error err = TENON_ERROR_INIT;
  ok(tn_vectors_drop(NULL, s, &req, &was, &err), &err);
  assert_int_equal(was.dimension, DIMENSION);
}

static int64_t count_of(tn_session *s, const tenon_filter *filters, size_t n) {
  const tenon_vectors_count req = {.struct_size = sizeof req, .collection = NAME, .filters = filters, .filter_count = n};
  tenon_vectors_counted counted = {0};
  tenon_error err = TENON_ERROR_INIT;
  ok(tn_vectors_count(NULL, s, &req, &counted, &err), &err);
  return counted.count;
}

/* Whether contract_v is listed, with what it is. */
static bool is_listed(tn_session *s, const char *metric, int64_t rows) {
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray batch = {0};
  tenon_error err = TENON_ERROR_INIT;
  bool found = false;
  ok(tn_vectors_list(NULL, s, NULL, &stream, &err), &err);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  while (stream.get_next(&stream, &batch) == 0 && batch.release) {
    ok(tn_arrow_check(&schema, &batch, &err), &err);
    for (int64_t i = 0; i < batch.length; i++) {
      const int32_t *o = batch.children[0]->buffers[1], *m = batch.children[2]->buffers[1];
      const char *name = (const char *)batch.children[0]->buffers[2] + o[i];
      if (o[i + 1] - o[i] != (int)strlen(NAME) || memcmp(name, NAME, strlen(NAME)) != 0) continue;
      found = true;
      assert_int_equal(((const int32_t *)batch.children[1]->buffers[1])[i], DIMENSION);
      assert_int_equal(m[i + 1] - m[i], strlen(metric));
      assert_memory_equal((const char *)batch.children[2]->buffers[2] + m[i], metric, strlen(metric));
      assert_int_equal(((const int64_t *)batch.children[3]->buffers[1])[i], rows);
    }
    batch.release(&batch);
  }
  tn_schema_release(&schema);
  stream.release(&stream);
  return found;
}

static void collections_come_and_go(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_error err = TENON_ERROR_INIT;
  assert_false(is_listed(s, "l2", 0));
  must_create(s, TENON_L2);
  assert_true(is_listed(s, "l2", 0));
  assert_int_equal(create(s, DIMENSION, TENON_L2, false, &err), TENON_CONFLICT);
  expect_error(c->kind, &err, TENON_CONFLICT);
  tn_error_init(&err);
  ok(create(s, DIMENSION, TENON_L2, true, &err), &err);
  assert_int_equal(create(s, DIMENSION + 1, TENON_L2, true, &err), TENON_CONFLICT);
  tn_error_init(&err);
  assert_int_equal(create(s, DIMENSION, TENON_COSINE, true, &err), TENON_CONFLICT);
  assert_int_equal(count_of(s, NULL, 0), 0);
  drop(s);
  assert_false(is_listed(s, "l2", 0));
  tn_session_release(s);
}

static void what_is_not_there_is_not_found(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  struct ArrowArrayStream stream;
  float v[DIMENSION] = {1};
  tenon_vectors_upserted done;
  tenon_error err = TENON_ERROR_INIT;
  tenon_vectors_get get = TENON_VECTORS_GET_INIT;
  tenon_vectors_query query = TENON_VECTORS_QUERY_INIT;
  const row one = {"a", v, NULL, NULL};
  get.collection = query.collection = NAME;
  query.vectors = v;
  query.query_count = 1;
  query.dimension = DIMENSION;
  assert_int_equal(upsert(s, &one, 1, DIMENSION, &done, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_error_init(&err);
  assert_int_equal(tn_vectors_get(NULL, s, &get, &stream, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_error_init(&err);
  assert_int_equal(tn_vectors_query(NULL, s, &query, &stream, &err), TENON_NOT_FOUND);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_session_release(s);
}

/* ---- Reading rows back, as text ---- */

/* "a|doc|{…}|[1,2];b|…": all columns of all rows, NULL as -. */
static char *text_of(struct ArrowArrayStream *stream) {
  struct ArrowSchema schema;
  struct ArrowArray batch = {0};
  tenon_error err = TENON_ERROR_INIT;
  tn_str out;
  tn_str_init(&out, 16 << 20);
  assert_int_equal(stream->get_schema(stream, &schema), 0);
  int code;
  while ((code = stream->get_next(stream, &batch)) == 0 && batch.release) {
    ok(tn_arrow_check(&schema, &batch, &err), &err);
    for (int64_t i = 0; i < batch.length; i++) {
      for (int64_t c = 0; c < schema.n_children; c++) {
        tn_printer *p;
        ok(tn_printer_new(schema.children[c], &p, &err), &err);
        if (c) tn_str_putc(&out, '|');
        if (tn_is_null(batch.children[c], i)) tn_str_putc(&out, '-');
        else ok(tn_print_text(p, batch.children[c], i, &out, &err), &err);
        tn_printer_free(p);
      }
      tn_str_putc(&out, ';');
    }
    batch.release(&batch);
  }
  if (code) ok(tn_stream_error(stream, code, &err), &err);
  tn_schema_release(&schema);
  stream->release(stream);
  char *text = tn_str_move(&out);
  return text ? text : tn_strdup("");
}

static void expect_rows(tn_session *s, const tenon_vectors_get *req, const char *expected) {
  struct ArrowArrayStream stream;
  tenon_error err = TENON_ERROR_INIT;
  ok(tn_vectors_get(NULL, s, req, &stream, &err), &err);
  char *text = text_of(&stream);
  assert_string_equal(text, expected);
  tn_free(text);
}

static void expect_ids(tn_session *s, const char *const *ids, size_t n, const char *expected) {
  tenon_vectors_get req = TENON_VECTORS_GET_INIT;
  req.collection = NAME;
  req.ids = ids;
  req.id_count = n;
  expect_rows(s, &req, expected);
}

static void upsert_replaces_whole_rows(void **state) {
  tn_session *s = contract_session(*state);
  static const char *const ids[] = {"b", "nobody", "a", "\xC3\xA9"};
  float v[DIMENSION] = {1}, w[DIMENSION] = {0, 2};
  const row first[] = {{"a", v, "one", "{\"n\":1}"}, {"b", v, NULL, NULL}, {"\xC3\xA9", v, "", "{}"}};
  const row twice[] = {{"a", v, "old", NULL}, {"c", v, NULL, NULL}, {"a", w, NULL, "{\"n\":2}"}};
  must_create(s, TENON_INNER_PRODUCT);
  must_upsert(s, first, 3, 3);
  expect_ids(s, ids, 4, "b|-|-;a|one|{\"n\":1};\xC3\xA9||{};");
  must_upsert(s, twice, 3, 1);
  assert_int_equal(count_of(s, NULL, 0), 4);
  expect_ids(s, ids, 4, "b|-|-;a|-|{\"n\":2};\xC3\xA9||{};");
  tenon_vectors_get req = TENON_VECTORS_GET_INIT;
  req.collection = NAME;
  req.ids = ids + 2;
  req.id_count = 1;
  req.with = TENON_WITH_VECTOR;
  expect_rows(s, &req, "a|[0.0,2.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,0.0];");
  drop(s);
  tn_session_release(s);
}

static void bad_rows_change_nothing(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const ids[] = {"good", "a"};
  float v[DIMENSION + 1] = {1}, nan[DIMENSION] = {NAN};
  char *longest = calloc(1, TENON_MAX_ID + 2);
  memset(longest, 'x', TENON_MAX_ID + 1);
  const row good = {"good", v, NULL, NULL};
  const row bad[] = {{NULL, v, NULL, NULL}, {"", v, NULL, NULL}, {longest, v, NULL, NULL},
                     {"a", nan, NULL, NULL}, {"a", v, NULL, "[1]"}, {"a", v, NULL, "{\"a\":"}};
  must_create(s, TENON_L2);
  must_upsert(s, &good, 1, 1);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const row rows[2] = {{"a", v, NULL, NULL}, bad[i]};
    tenon_vectors_upserted done;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(upsert(s, rows, 2, DIMENSION, &done, &err), TENON_DATA);
    expect_error(c->kind, &err, TENON_DATA);
    assert_non_null(strstr(err.message, "row 2"));
    assert_true(err.remedy[0]);
  }
  tenon_vectors_upserted done;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(upsert(s, &good, 1, DIMENSION + 1, &done, &err), TENON_DATA);
  expect_error(c->kind, &err, TENON_DATA);
  expect_ids(s, ids, 2, "good|-|-;");
  drop(s);
  free(longest);
  tn_session_release(s);
}

/* ---- Queries, beside comparing everything in doubles ---- */

static float vectors[ROWS][DIMENSION];

static uint32_t next_random(uint32_t *seed) { return *seed = *seed * 1664525 + 1013904223; }

/* Some rows are alike, so that there are ties. */
static void make_vectors(void) {
  uint32_t seed = 7;
  for (int r = 0; r < ROWS; r++)
    for (int i = 0; i < DIMENSION; i++)
      vectors[r][i] = r % 50 == 49 ? vectors[r - 1][i] : (float)(int32_t)next_random(&seed) / 1e9F;
}

static void fill(tn_session *s, tenon_metric metric) {
  static row rows[ROWS];
  static char ids[ROWS][16], metadata[ROWS][80];
  make_vectors();
  for (int r = 0; r < ROWS; r++) {
    snprintf(ids[r], sizeof ids[r], "r%04d", r);
    snprintf(metadata[r], sizeof metadata[r], "{\"n\":%d,\"source\":\"s%d\",\"even\":%s,\"x\":%d.5}", r, r % 3,
             r % 2 ? "false" : "true", r);
    rows[r] = (row){ids[r], vectors[r], NULL, metadata[r]};
  }
  must_create(s, metric);
  must_upsert(s, rows, ROWS, ROWS);
}

static double score_of(tenon_metric metric, const float *q, const float *x) {
  double dot = 0, distance = 0, qq = 0, xx = 0;
  for (int i = 0; i < DIMENSION; i++) {
    dot += (double)q[i] * x[i];
    distance += ((double)q[i] - x[i]) * ((double)q[i] - x[i]);
    qq += (double)q[i] * q[i];
    xx += (double)x[i] * x[i];
  }
  return metric == TENON_L2 ? distance : metric == TENON_COSINE ? dot / sqrt(qq * xx) : dot;
}

/* How many rows are nearer than the score, by more than float32 can be off. */
static int count_nearer(tenon_metric metric, const float *q, double score, int odd_only) {
  int nearer = 0;
  double slack = 1e-4 * (1 + fabs(score));
  for (int r = 0; r < ROWS; r++) {
    if (odd_only && r % 2 == 0) continue;
    double one = score_of(metric, q, vectors[r]);
    nearer += metric == TENON_L2 ? one < score - slack : one > score + slack;
  }
  return nearer;
}

static void check_hits(struct ArrowArrayStream *stream, tenon_metric metric, const float *q, size_t queries,
                       int nearest, int odd_only) {
  struct ArrowArray batch = {0};
  int64_t seen = 0;
  while (stream->get_next(stream, &batch) == 0 && batch.release) {
    const int32_t *which = batch.children[0]->buffers[1], *ids = batch.children[1]->buffers[1];
    const float *scores = batch.children[2]->buffers[1];
    for (int64_t i = 0; i < batch.length; i++, seen++) {
      const char *texts = batch.children[1]->buffers[2];
      int r = 0;   /* n17, without a NUL behind it */
      for (int32_t c = ids[i] + 1; c < ids[i + 1]; c++) r = 10 * r + texts[c] - '0';
      assert_in_range(r, 0, ROWS - 1);
      const float *one = q + (seen / nearest) * DIMENSION;
      double expected = score_of(metric, one, vectors[r]);
      assert_int_equal(which[i], seen / nearest);
      assert_true(fabs(scores[i] - expected) <= 1e-4 * (1 + fabs(expected)));
      assert_true(count_nearer(metric, one, expected, odd_only) <= (int)(seen % nearest));
      if (odd_only) assert_int_equal(r % 2, 1);
    }
    batch.release(&batch);
  }
  assert_int_equal(seen, (int64_t)queries * nearest);
  stream->release(stream);
}

static tenon_vectors_query query_of(const float *q, size_t count, int nearest) {
  tenon_vectors_query req = TENON_VECTORS_QUERY_INIT;
  req.collection = NAME;
  req.vectors = q;
  req.query_count = count;
  req.dimension = DIMENSION;
  req.nearest = nearest;
  req.with = 0;
  return req;
}

static void queries_find_the_nearest(void **state) {
  enum { QUERIES = 40, NEAREST = 7 };
  tn_session *s = contract_session(*state);
  static float q[QUERIES][DIMENSION];
  static const tenon_value no = {.type = TENON_VALUE_BOOL, .i = 0};
  static const tenon_filter odd = {"even", TENON_EQ, &no, 1};
  uint32_t seed = 99;
  for (int i = 0; i < QUERIES * DIMENSION; i++)
    q[i / DIMENSION][i % DIMENSION] = (float)(int32_t)next_random(&seed) / 1e9F;
  for (int metric = TENON_COSINE; metric <= TENON_L2; metric++) {
    fill(s, (tenon_metric)metric);
    for (int many = 0; many < 2; many++)
      for (int filtered = 0; filtered < 2; filtered++) {
        struct ArrowArrayStream stream;
        tenon_error err = TENON_ERROR_INIT;
        tenon_vectors_query req = query_of(q[0], many ? QUERIES : 1, NEAREST);
        req.filters = &odd;
        req.filter_count = (size_t)filtered;
        ok(tn_vectors_query(NULL, s, &req, &stream, &err), &err);
        check_hits(&stream, (tenon_metric)metric, q[0], req.query_count, NEAREST, filtered);
      }
    drop(s);
  }
  tn_session_release(s);
}

static void bad_queries_are_refused(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  struct ArrowArrayStream stream;
  float v[DIMENSION + 1] = {1}, nan[DIMENSION] = {NAN};
  must_create(s, TENON_COSINE);
  const struct { tenon_vectors_query req; tenon_status status; } cases[] = {
      {query_of(v, 1, 0), TENON_CONFIG}, {query_of(v, 1, TENON_MAX_NEAREST + 1), TENON_CONFIG},
      {query_of(v, 0, 1), TENON_CONFIG}, {query_of(nan, 1, 1), TENON_DATA}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_vectors_query(NULL, s, &cases[i].req, &stream, &err), cases[i].status);
    expect_error(c->kind, &err, cases[i].status);
  }
  tenon_vectors_query longer = query_of(v, 1, 1);
  tenon_error err = TENON_ERROR_INIT;
  longer.dimension++;
  assert_int_equal(tn_vectors_query(NULL, s, &longer, &stream, &err), TENON_CONFIG);
  expect_error(c->kind, &err, TENON_CONFIG);
  drop(s);
  tn_session_release(s);
}

/* ---- Conditions ---- */

#define TEXT(t) {.type = TENON_VALUE_TEXT, .data = (t), .size = sizeof(t) - 1}
#define INT(n) {.type = TENON_VALUE_INT, .i = (n)}
#define DOUBLE(x) {.type = TENON_VALUE_DOUBLE, .f = (x)}

static const char *const documents[] = {
    "{\"a\":1,\"t\":\"x\"}", "{\"a\":2.5,\"t\":\"xy\"}", "{\"a\":\"1\",\"t\":null}", "{\"a\":true}", "{\"a\":[1]}",
    NULL, "{}", "{\"t\":\"\\u00e9\\n\",\"a\":-3}", "{\"a\":1.0,\"\\u0061b\":1}",
    "{\"big\":1234567890123456789}", "{\"big\":1234567890123456788}"};

static const struct {
  const char *column;
  tenon_filter_op op;
  tenon_value values[2];
  size_t count;
  const char *expected;    /* which of the documents */
} conditions[] = {
    {"a", TENON_EQ, {INT(1)}, 1, "08"},
    {"a", TENON_EQ, {DOUBLE(1)}, 1, "08"},
    {"a", TENON_EQ, {TEXT("1")}, 1, "2"},
    {"a", TENON_EQ, {{.type = TENON_VALUE_BOOL, .i = 1}}, 1, "3"},
    {"a", TENON_EQ, {{.type = TENON_VALUE_DECIMAL, .data = "2.50", .size = 4}}, 1, "1"},
    {"a", TENON_NE, {INT(1)}, 1, "1237"},
    {"a", TENON_LT, {INT(2)}, 1, "078"},
    {"a", TENON_LE, {DOUBLE(2.5)}, 1, "0178"},
    {"a", TENON_GT, {INT(1)}, 1, "1"},
    {"a", TENON_GE, {INT(1)}, 1, "018"},
    {"a", TENON_IN, {TEXT("1"), INT(1)}, 2, "028"},
    {"a", TENON_BETWEEN, {INT(1), INT(2)}, 2, "08"},
    {"a", TENON_IS_NULL, {{0}}, 0, "569A"},
    {"a", TENON_IS_NOT_NULL, {{0}}, 0, "0123478"},
    {"t", TENON_IS_NULL, {{0}}, 0, "2345689A"},
    {"t", TENON_PREFIX, {TEXT("x")}, 1, "01"},
    {"t", TENON_GT, {TEXT("x")}, 1, "17"},
    {"t", TENON_EQ, {TEXT("\xC3\xA9\n")}, 1, "7"},
    {"ab", TENON_EQ, {INT(1)}, 1, "8"},
    {"none", TENON_NE, {INT(1)}, 1, ""},
    {"big", TENON_EQ, {INT(1234567890123456789)}, 1, "9"},
    {"big", TENON_NE, {INT(1234567890123456789)}, 1, "A"},
    {"big", TENON_LT, {INT(1234567890123456789)}, 1, "A"},
    {"big", TENON_EQ, {DOUBLE(1234567890123456789.0)}, 1, ""},
    /* NaN is greater than every number */
    {"a", TENON_EQ, {DOUBLE(NAN)}, 1, ""},
    {"a", TENON_GE, {DOUBLE(NAN)}, 1, ""},
    {"a", TENON_LT, {DOUBLE(NAN)}, 1, "0178"},
};

static void conditions_look_at_metadata(void **state) {
  enum { DOCUMENTS = sizeof documents / sizeof *documents };
  tn_session *s = contract_session(*state);
  float v[DIMENSION] = {1};
  row rows[DOCUMENTS];
  static const char *const ids[] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A"};
  for (size_t i = 0; i < DOCUMENTS; i++) rows[i] = (row){ids[i], v, NULL, documents[i]};
  must_create(s, TENON_INNER_PRODUCT);
  must_upsert(s, rows, DOCUMENTS, DOCUMENTS);
  for (size_t i = 0; i < sizeof conditions / sizeof *conditions; i++) {
    const tenon_filter f = {conditions[i].column, conditions[i].op, conditions[i].values, conditions[i].count};
    char expected[64] = "";
    struct ArrowArrayStream stream;
    tenon_error err = TENON_ERROR_INIT;
    tenon_vectors_get req = TENON_VECTORS_GET_INIT;
    for (const char *id = conditions[i].expected; *id; id++)
      snprintf(expected + strlen(expected), sizeof expected - strlen(expected), "%c;", *id);
    req.collection = NAME;
    req.filters = &f;
    req.filter_count = 1;
    req.with = 0;
    ok(tn_vectors_get(NULL, s, &req, &stream, &err), &err);
    char *text = text_of(&stream);
    if (strcmp(text, expected) != 0) fail_msg("condition %zu: %s, not %s", i, text, expected);
    tn_free(text);
    assert_int_equal(count_of(s, &f, 1), strlen(conditions[i].expected));
  }
  drop(s);
  tn_session_release(s);
}

static void bad_conditions_are_refused(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_value day = {.type = TENON_VALUE_DATE}, one = INT(1), nan = {.type = TENON_VALUE_DECIMAL, .data = "x", .size = 1};
  const tenon_filter bad[] = {{"a", TENON_EQ, &day, 1}, {"", TENON_EQ, &one, 1}, {"a", TENON_BETWEEN, &one, 1},
                              {"a", TENON_PREFIX, &one, 1}, {"a", TENON_EQ, &nan, 1}, {"a", (tenon_filter_op)99, &one, 1}};
  must_create(s, TENON_L2);
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
    const tenon_vectors_count req = {.struct_size = sizeof req, .collection = NAME, .filters = &bad[i], .filter_count = 1};
    tenon_vectors_counted counted;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_vectors_count(NULL, s, &req, &counted, &err), TENON_CONFIG);
    expect_error(c->kind, &err, TENON_CONFIG);
  }
  drop(s);
  tn_session_release(s);
}

/* ---- Deleting ---- */

static int64_t delete_rows(tn_session *s, tenon_vectors_delete req) {
  tenon_vectors_deleted done = {0};
  tenon_error err = TENON_ERROR_INIT;
  req.struct_size = sizeof req;
  req.collection = NAME;
  ok(tn_vectors_remove(NULL, s, &req, &done, &err), &err);
  return done.count;
}

static void rows_are_deleted(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  static const char *const ids[] = {"r0000", "nobody", "r0004", "r0000"};
  const tenon_value low = INT(1490);
  const tenon_filter high = {"n", TENON_GE, &low, 1};
  fill(s, TENON_L2);
  assert_int_equal(delete_rows(s, (tenon_vectors_delete){.ids = ids, .id_count = 4}), 2);
  assert_int_equal(count_of(s, NULL, 0), ROWS - 2);
  assert_int_equal(delete_rows(s, (tenon_vectors_delete){.filters = &high, .filter_count = 1}), 10);
  assert_int_equal(delete_rows(s, (tenon_vectors_delete){.source = "s1"}), 497 - 1);
  assert_int_equal(delete_rows(s, (tenon_vectors_delete){.source = "s1"}), 0);
  assert_int_equal(count_of(s, NULL, 0), ROWS - 2 - 10 - 496);
  static const char *const left[] = {"r0000", "r0001", "r0002", "r1489"};
  expect_ids(s, left, 4, "r0002|-|{\"n\":2,\"source\":\"s2\",\"even\":true,\"x\":2.5};");
  tenon_vectors_delete nothing = {.struct_size = sizeof nothing, .collection = NAME};
  tenon_vectors_deleted done;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_vectors_remove(NULL, s, &nothing, &done, &err), TENON_CONFIG);
  expect_error(c->kind, &err, TENON_CONFIG);
  drop(s);
  tn_session_release(s);
}

const contract_check contract_vector_checks[] = {
    {"collections come and go", "vectors.create", collections_come_and_go, NULL},
    {"a collection that is not there is not found", "vectors.query", what_is_not_there_is_not_found, NULL},
    {"upsert replaces whole rows", "vectors.upsert", upsert_replaces_whole_rows, NULL},
    {"bad rows change nothing", "vectors.upsert", bad_rows_change_nothing, NULL},
    {"queries find the nearest", "vectors.query", queries_find_the_nearest, NULL},
    {"bad queries are refused", "vectors.query", bad_queries_are_refused, NULL},
    {"conditions look at metadata", "vectors.count", conditions_look_at_metadata, NULL},
    {"bad conditions are refused", "vectors.count", bad_conditions_are_refused, NULL},
    {"rows are deleted by id, source and condition", "vectors.remove", rows_are_deleted, NULL},
    {0}};
