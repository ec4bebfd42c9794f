/* SPDX-License-Identifier: Apache-2.0 */
/* The kind faiss from inside: sums, first passes with their bounds, the index file, conditions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/registry.h"
#include "core/session.h"
#include "providers/vector/faiss/faiss.h"

extern const tenon_provider tn_provider_faiss;

static uint64_t seed = 42;

static double random_unit(void) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (double)(int64_t)(seed >> 11) / 9007199254740992.0 * 2 - 1;
}

/* ---- Kernels: alike on every processor, and right ---- */

static const char *const all_kernels[] = {"avx512-vnni", "avx512", "avx2", "portable"};

static void check_floats(const tn_faiss_kernels *k, int32_t d) {
  enum { ROWS = 5 };
  float *q = malloc((size_t)d * 4), *x = malloc((size_t)d * 4 * ROWS), dots[ROWS], squares[ROWS], one;
  uint8_t *moved = malloc((size_t)d * 4 * ROWS + 1) ;
  for (int32_t i = 0; i < d; i++) q[i] = (float)random_unit();
  for (int32_t i = 0; i < d * ROWS; i++) x[i] = (float)random_unit();
  memcpy(moved + 1, x, (size_t)d * 4 * ROWS);   /* at an odd address, as in the file */
  k->products(q, moved + 1, d, ROWS, dots);
  k->distances(q, moved + 1, d, ROWS, squares);
  for (int r = 0; r < ROWS; r++) {
    double dot = 0, square = 0, size = 1;
    for (int32_t i = 0; i < d; i++) {
      double a = q[i], b = x[r * d + i];
      dot += a * b;
      square += (a - b) * (a - b);
      size += fabs(a * b);
    }
    assert_true(fabs(dots[r] - dot) <= 1e-6 * size && fabs(squares[r] - square) <= 1e-6 * (square + 1));
    k->products(q, moved + 1 + (size_t)r * (size_t)d * 4, d, 1, &one);
    assert_memory_equal(&one, &dots[r], 4);
    k->distances(q, moved + 1 + (size_t)r * (size_t)d * 4, d, 1, &one);
    assert_memory_equal(&one, &squares[r], 4);
  }
  free(q), free(x), free(moved);
}

static void check_codes(const tn_faiss_kernels *k, size_t stride) {
  enum { ROWS = 8 };
  int16_t *q = aligned_alloc(64, stride * 2 * TN_FAISS_TILE);
  int8_t *codes = aligned_alloc(64, stride * ROWS);
  int32_t sums[ROWS], tile[ROWS * TN_FAISS_TILE];
  for (size_t i = 0; i < stride * TN_FAISS_TILE; i++) q[i] = (int16_t)(random_unit() * 500);
  for (size_t i = 0; i < stride * ROWS; i++) codes[i] = (int8_t)(random_unit() * 127);
  if (k->tile) k->tile(q, codes, stride, ROWS, tile);
  for (size_t a = 0; a < TN_FAISS_TILE; a++) {
    k->codes(q + a * stride, codes, stride, ROWS, sums);
    for (size_t r = 0; r < ROWS; r++) {
      int64_t sum = 0;
      for (size_t i = 0; i < stride; i++) sum += q[a * stride + i] * codes[r * stride + i];
      assert_int_equal(sums[r], sum);
      if (k->tile) assert_int_equal(tile[a * ROWS + r], sum);
    }
  }
  free(q), free(codes);
}

static void kernels_are_right(void **state) {
  (void)state;
  static const int32_t dimensions[] = {1, 2, 7, 8, 15, 16, 17, 31, 33, 63, 64, 65, 100, 384, 1000};
  for (size_t i = 0; i < sizeof all_kernels / sizeof *all_kernels; i++) {
    const tn_faiss_kernels *k = tn_faiss_kernels_named(all_kernels[i]);
    if (!k) continue;
    for (size_t n = 0; n < sizeof dimensions / sizeof *dimensions; n++) check_floats(k, dimensions[n]);
    for (size_t stride = 64; stride <= 512; stride += 64) check_codes(k, stride);
  }
  assert_non_null(tn_faiss_kernels_named("portable"));
}

/* ---- Searches: every way gives the same rows, bit by bit ---- */

enum { ROWS = 6000, QUERIES = 21 };

typedef struct fixture {
  tn_faiss_version version;
  float *rows, *queries;
  tn_faiss_stats *stats;
  int8_t *codes;
  uint8_t *selected;
} fixture;

/* What values look like: the shapes that bounds have to stand. */
typedef enum shape { GAUSSIAN, CLUSTERS, EQUAL, HUGE_AND_TINY, SPARSE, ZEROS, SUBNORMAL, INTEGERS, TINY, SMALL, EVERY_MAGNITUDE, OVERFLOWING, SHAPES } shape;

static float value_of(shape s, int32_t row, int32_t i) {
  double r = random_unit() + random_unit() + random_unit();
  switch (s) {
    case CLUSTERS: return (float)(sin(row % 10 * 37 + i) + r * 1e-3);
    case EQUAL: return (float)cos(i);
    case HUGE_AND_TINY: return (float)(r * pow(10, row % 30 - 12));
    case SPARSE: return i % 17 == row % 17 ? (float)r : 0;
    case ZEROS: return row % 3 ? 0 : (float)r;
    case SUBNORMAL: return (float)(r * 1e-41);
    case INTEGERS: return (float)(int)(r * 2);
    case TINY: return (float)(r * 1e-18);
    case SMALL: return (float)(r * pow(10, -14 - row % 10));
    case EVERY_MAGNITUDE: return (float)(r * pow(10, (row * 7 + row / 76) % 76 - 38));
    case OVERFLOWING: return (float)(r * 1e19 * (row % 4 + 1));
    default: return (float)r;
  }
}

static fixture make_fixture(shape s, tenon_metric metric, int32_t d) {
  fixture f = {.version = {.metric = metric, .dimension = d, .count = ROWS}};
  size_t stride = tn_faiss_codes_stride(d);
  f.rows = malloc(ROWS * (size_t)d * 4);
  f.queries = malloc(QUERIES * (size_t)d * 4);
  f.stats = malloc(ROWS * sizeof *f.stats);
  f.codes = aligned_alloc(64, ROWS * stride);
  f.selected = malloc(ROWS);
  for (int32_t r = 0; r < ROWS; r++) {
    for (int32_t i = 0; i < d; i++) f.rows[r * d + i] = value_of(s, r, i);
    tn_faiss_encode(f.rows + (size_t)r * (size_t)d, d, &f.stats[r], f.codes + (size_t)r * stride);
    f.selected[r] = r % 5 == 0 || (r > 2000 && r < 2600);
  }
  for (int32_t r = 0; r < QUERIES; r++)
    for (int32_t i = 0; i < d; i++)
      f.queries[r * d + i] = r % 4 == 3 ? f.rows[r * 100 * d + i] : value_of(s, r * 7, i);
  f.version.rows = (const uint8_t *)f.rows;
  f.version.codes = (tn_faiss_codes){f.stats, f.codes, stride};
  return f;
}

static void release_fixture(fixture *f) {
  free(f->rows), free(f->queries), free(f->stats), free(f->codes), free(f->selected);
}

static void expect_same(const tn_faiss_hit *a, const tn_faiss_hit *b, int32_t n, const char *how, int s) {
  for (int32_t i = 0; i < n; i++)
    if (a[i].row != b[i].row || memcmp(&a[i].key, &b[i].key, 4) != 0)
      fail_msg("shape %d, %s: place %d is row %u at %.9g, not %u at %.9g", s, how, (int)i, b[i].row,
               (double)b[i].key, a[i].row, (double)a[i].key);
}

static void search_every_way(fixture *f, const tn_faiss_kernels *k, int32_t nearest, bool filtered, int s) {
  tn_faiss_hit *expected = malloc(QUERIES * (size_t)nearest * sizeof *expected), *got = malloc(QUERIES * (size_t)nearest * sizeof *got);
  int32_t counts[QUERIES], other[QUERIES];
  tenon_ctx *ctx;
  const size_t d = (size_t)f->version.dimension;
  tn_faiss_search exact = {.version = &f->version, .kernels = k, .nearest = nearest, .selected = filtered ? f->selected : NULL};
  tn_faiss_search coded = exact;
  coded.use_codes = true;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  for (size_t q = 0; q < QUERIES; q++) {
    tn_faiss_hit *one = expected + q * (size_t)nearest, *two = got + q * (size_t)nearest;
    assert_int_equal(tn_faiss_search_one(ctx, &exact, f->queries + q * d, one, &counts[q], NULL), TENON_OK);
    assert_int_equal(tn_faiss_search_one(ctx, &coded, f->queries + q * d, two, &other[q], NULL), TENON_OK);
    assert_int_equal(counts[q], other[q]);
    expect_same(one, two, counts[q], "codes", s);
    for (int32_t i = 0; filtered && i < counts[q]; i++) assert_true(f->selected[one[i].row]);
  }
  if (k->tile) {
    assert_int_equal(tn_faiss_search_tiles(ctx, &coded, f->queries, QUERIES, got, other, NULL), TENON_OK);
    for (size_t q = 0; q < QUERIES; q++) expect_same(expected + q * (size_t)nearest, got + q * (size_t)nearest, counts[q], "tiles", s);
  }
  if (tn_faiss_has_blas()) {
    assert_int_equal(tn_faiss_search_blas(ctx, &coded, f->queries, QUERIES, got, other, NULL), TENON_OK);
    for (size_t q = 0; q < QUERIES; q++) expect_same(expected + q * (size_t)nearest, got + q * (size_t)nearest, counts[q], "blas", s);
  }
  tenon_ctx_free(ctx);
  free(expected), free(got);
}

static void every_search_gives_the_same(void **state) {
  (void)state;
  for (int s = 0; s < SHAPES; s++)
    for (int metric = TENON_INNER_PRODUCT; metric <= TENON_L2; metric++) {
      for (int narrow = 0; narrow <= (s > INTEGERS); narrow++) {
        fixture f = make_fixture((shape)s, (tenon_metric)metric, narrow ? 1 : s % 2 ? 33 : 64);
        for (size_t i = 0; i < sizeof all_kernels / sizeof *all_kernels; i++) {
          const tn_faiss_kernels *k = tn_faiss_kernels_named(all_kernels[i]);
          if (k && (i < 2 || s < 3)) search_every_way(&f, k, i == 0 ? 100 : 7, i % 2, s);
        }
        release_fixture(&f);
      }
    }
}

/* ---- The heap ---- */

static void heaps_keep_the_best(void **state) {
  (void)state;
  tn_faiss_hit items[4];
  tn_faiss_heap h = {.items = items, .room = 4};
  const float keys[] = {1, NAN, 3, 2, 3, -INFINITY, 0, 5, 2};
  for (uint32_t i = 0; i < 9; i++) tn_faiss_heap_offer(&h, keys[i], i);
  tn_faiss_heap_sort(&h);
  static const uint32_t rows[] = {7, 2, 4, 3};
  assert_int_equal(h.count, 4);
  for (int i = 0; i < 4; i++) assert_int_equal(items[i].row, rows[i]);
}

/* ---- The index file ---- */

static size_t make_index(uint8_t *to, tenon_metric metric, int32_t d, int64_t n) {
  tn_faiss_index_header(metric, d, n, to);
  memset(to + TN_FAISS_HEADER, 0, (size_t)n * (size_t)d * 4);
  return TN_FAISS_HEADER + (size_t)n * (size_t)d * 4;
}

static tenon_status parse(const uint8_t *data, size_t size, tn_faiss_index *ret) {
  tenon_error err = TENON_ERROR_INIT;
  uint8_t *exact = malloc(size + !size);   /* so that a byte too far is seen */
  memcpy(exact, data, size);
  tenon_status status = tn_faiss_index_parse(exact, size, "x", ret, &err);
  assert_int_equal(status, err.code);
  if (status) assert_true(err.message[0] && err.remedy[0]);
  free(exact);
  return status;
}

static void index_files_are_checked(void **state) {
  (void)state;
  uint8_t file[1000];
  tn_faiss_index index;
  size_t size = make_index(file, TENON_L2, 3, 5);
  assert_int_equal(parse(file, size, &index), TENON_OK);
  assert_true(index.metric == TENON_L2 && index.dimension == 3 && index.count == 5 && index.rows_at == TN_FAISS_HEADER && !index.ids_at);
  for (size_t n = 0; n < size; n++) assert_int_not_equal(parse(file, n, &index), TENON_OK);
  file[size] = 0;
  assert_int_equal(parse(file, size + 1, &index), TENON_DATA);
  static const struct { size_t at; const char *bytes; size_t n; tenon_status status; } broken[] = {
      {0, "IxFI", 4, TENON_DATA}, {0, "IwFl", 4, TENON_UNSUPPORTED}, {0, "IxHN", 4, TENON_UNSUPPORTED},
      {4, "\0\0\0\0", 4, TENON_DATA}, {4, "\xFF\xFF\xFF\xFF", 4, TENON_DATA}, {4, "\x04\0\0\0", 4, TENON_DATA},
      {8, "\x06\0\0\0\0\0\0\0", 8, TENON_DATA}, {8, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, TENON_DATA},
      {8, "\0\0\0\0\0\0\0\x10", 8, TENON_DATA}, {32, "\2", 1, TENON_DATA}, {33, "\0\0\0\0", 4, TENON_DATA},
      {37, "\x10\0\0\0\0\0\0\0", 8, TENON_DATA}, {37, "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF", 8, TENON_DATA}};
  for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
    make_index(file, TENON_L2, 3, 5);
    memcpy(file + broken[i].at, broken[i].bytes, broken[i].n);
    if (parse(file, size, &index) != broken[i].status) fail_msg("case %zu", i);
  }
}

/* ---- Records ---- */

static void damaged_records_are_seen(void **state) {
  (void)state;
  /* one row, id "a": header, two offsets, its order, sizes and text */
  uint8_t file[64 + 16 + 8 + 13] = "TNRECS1\n";
  file[8] = 1, file[16] = 13, file[64 + 8] = 13, file[88] = 1, file[100] = 'a';
  tn_faiss_records r;
  tn_faiss_record one;
  const tn_faiss_map whole = {file, sizeof file};
  assert_int_equal(tn_faiss_records_parse(whole, "x", &r, NULL), TENON_OK);
  assert_true(tn_faiss_record_at(&r, 0, &one) && one.id_size == 1 && one.id[0] == 'a' && !one.document && !one.metadata);
  assert_int_equal(tn_faiss_record_find(&r, "a", 1), 0);
  assert_int_equal(tn_faiss_record_find(&r, "b", 1), -1);
  for (size_t i = 0; i < sizeof file; i++)
    for (int bit = 0; bit < 8; bit++) {
      uint8_t *copy = malloc(sizeof file);
      memcpy(copy, file, sizeof file);
      copy[i] = (uint8_t)(copy[i] ^ 1u << bit);
      const tn_faiss_map map = {copy, sizeof file};
      if (tn_faiss_records_parse(map, "x", &r, NULL) == TENON_OK) {
        for (int64_t row = 0; row < r.count; row++) tn_faiss_record_at(&r, row, &one);
        tn_faiss_record_find(&r, "a", 1);
      }
      free(copy);
    }
  for (size_t size = 0; size < sizeof file; size++)
    assert_int_equal(tn_faiss_records_parse((tn_faiss_map){file, size}, "x", &r, NULL), TENON_DATA);
}

/* ---- Metadata ---- */

static void malformed_metadata_is_told_apart(void **state) {
  (void)state;
  static const char *const bad[] = {"", "{", "[]", "{\"a\"}", "{\"a\":}", "{\"a\":1,}", "{\"a\":1}x", "{\"a\":tru}",
                                    "{\"a\":\"\\x\"}", "{\"a\":\"\\ud800\"}", "{\"a\":\"", "{\"b\":[1}", "{\"a\":1e}", "{\"b\":[[[[", "nul"};
  static const char *const good[] = {"{}", " { \"a\" : 1 } ", "{\"b\":[{\"a\":\"]\"}],\"a\":1}", "{\"b\":{\"x\":[]},\"a\":1.0e0}"};
  const tenon_value one = {.type = TENON_VALUE_INT, .i = 1};
  const tenon_filter f = {"a", TENON_EQ, &one, 1};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (tn_faiss_matches(bad[i], strlen(bad[i]), &f, 1) != -1) fail_msg("%s", bad[i]);
  for (size_t i = 0; i < sizeof good / sizeof *good; i++)
    if (tn_faiss_matches(good[i], strlen(good[i]), &f, 1) != (i > 0)) fail_msg("%s", good[i]);
}

static const tenon_filter_op ops[] = {TENON_EQ, TENON_NE, TENON_LT, TENON_LE, TENON_GT, TENON_GE};

/* As the six operators answer: a is less, equal, greater. */
static void expect_order(const char *number, tenon_value with, int order) {
  char json[80];
  snprintf(json, sizeof json, "{\"n\":%s}", number);
  for (size_t i = 0; i < 6; i++) {
    const tenon_filter f = {"n", ops[i], &with, 1};
    bool met[] = {order == 0, order != 0, order < 0, order <= 0, order > 0, order >= 0};
    if (tn_faiss_matches(json, strlen(json), &f, 1) != met[i])
      fail_msg("%s with %lld or %.17g, operator %d", json, (long long)with.i, with.f, (int)ops[i]);
  }
}

static void numbers_compare_exactly(void **state) {
  (void)state;
  static const struct { const char *number; int64_t with; int order; } integers[] = {
      {"1234567890123456789", 1234567890123456789, 0}, {"1234567890123456788", 1234567890123456789, -1},
      {"9223372036854775807", INT64_MAX, 0}, {"9223372036854775806", INT64_MAX, -1}, {"9223372036854775808", INT64_MAX, 1},
      {"-9223372036854775808", INT64_MIN, 0}, {"-9223372036854775807", INT64_MIN, 1}, 
      {"1e3", 1000, 0}, {"1000.5", 1000, 1}, {"-0.5", 0, -1}, {"-0", 0, 0}, {"1e300", INT64_MAX, 1}};
  static const struct { const char *number; double with; int order; } doubles[] = {
      {"9223372036854775807", 9223372036854775808.0, -1}, {"-9223372036854775808", -9223372036854775808.0, 0},
      {"9007199254740993", 9007199254740992.0, 1}, {"9007199254740992", 9007199254740992.0, 0}, {"2", 2.5, -1}, {"3", 2.5, 1},
      {"-2", -2.5, 1}, {"-3", -2.5, -1}, {"0.1", 0.1, 0}, {"5", INFINITY, -1}, {"5", -INFINITY, 1}, {"5", NAN, -1}, {"5.5", NAN, -1}};
  for (size_t i = 0; i < sizeof integers / sizeof *integers; i++)
    expect_order(integers[i].number, (tenon_value){.type = TENON_VALUE_INT, .i = integers[i].with}, integers[i].order);
  for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
    expect_order(doubles[i].number, (tenon_value){.type = TENON_VALUE_DOUBLE, .f = doubles[i].with}, doubles[i].order);
}

/* ---- Memory that runs out ---- */

enum { FEW = 40, WIDTH = 24 };

static tenon_status give_rows(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_builder *b = self;
  if (!b) {
    *ret = (struct ArrowArray){0};
    return TENON_OK;
  }
  for (int r = 0; r < FEW; r++) {
    char id[16], metadata[32];
    snprintf(id, sizeof id, "%d", r);
    snprintf(metadata, sizeof metadata, "{\"n\":%d}", r);
    tn_column *vector = tn_builder_column(b, 1);
    for (int i = 0; i < WIDTH; i++) {
      float v = (float)(r * WIDTH + i);
      if (!tn_append_fixed(&vector->children[0], &v)) return tn_append_failed(err);
    }
    if (!tn_append_text(tn_builder_column(b, 0), id) || !tn_append_list(vector) ||
        !tn_append_text(tn_builder_column(b, 2), metadata))
      return tn_append_failed(err);
  }
  return tn_builder_finish(b, FEW, ret, err);
}

typedef struct source {
  tn_builder *builder;
  bool given;
} source;

static tenon_status give_once(void *self, struct ArrowArray *ret, tenon_error *err) {
  source *s = self;
  if (s->given) return give_rows(NULL, ret, err);
  s->given = true;
  return give_rows(s->builder, ret, err);
}

static void close_source(void *self) {
  source *s = self;
  tn_builder_free(s->builder);
  free(s);
}

static tenon_status make_rows(struct ArrowArrayStream *ret, tenon_error *err) {
  source *s = calloc(1, sizeof *s);
  tenon_stream out = {.struct_size = sizeof out, .self = s, .next = give_once, .close = close_source};
  tenon_status status = tn_schema_struct(&out.schema, 3, err);
  if (!status) status = tn_schema_set(out.schema.children[0], "id", "u", false, 0, err);
  if (!status) status = tn_schema_set(out.schema.children[1], "vector", "+w:24", false, 1, err);
  if (!status) status = tn_schema_set(out.schema.children[1]->children[0], "item", "f", false, 0, err);
  if (!status) status = tn_schema_set(out.schema.children[2], "metadata", "u", true, 0, err);
  if (!status) status = tn_builder_new(&out.schema, &s->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    free(s);
    return status;
  }
  return tn_stream_export(NULL, &out, NULL, NULL, ret, err);
}

static tenon_status drain(struct ArrowArrayStream *rows, int64_t *ret_rows, tenon_error *err) {
  struct ArrowArray batch = {0};
  int code;
  while ((code = rows->get_next(rows, &batch)) == 0 && batch.release) {
    *ret_rows += batch.length;
    batch.release(&batch);
  }
  tenon_status status = tn_stream_error(rows, code, err);
  rows->release(rows);
  return status;
}

/* Everything once. */
static tenon_status use_it_all(tn_session *s, int64_t *ret_rows, tenon_error *err) {
  static const tenon_value three = {.type = TENON_VALUE_INT, .i = 3};
  static const tenon_filter above = {"n", TENON_GT, &three, 1};
  static const char *const ids[] = {"5", "6"};
  float q[WIDTH * 9] = {1};
  struct ArrowArrayStream rows;
  tenon_collection made;
  tenon_vectors_upserted upserted;
  tenon_vectors_deleted deleted;
  tenon_vectors_create create = {.struct_size = sizeof create, .collection = "c", .dimension = WIDTH, .metric = TENON_L2,
                                 .if_absent = 1};
  tenon_vectors_upsert upsert = {.struct_size = sizeof upsert, .collection = "c", .rows = &rows};
  tenon_vectors_query query = {.struct_size = sizeof query, .collection = "c", .vectors = q, .query_count = 9, .dimension = WIDTH,
                               .nearest = 3, .filters = &above, .filter_count = 1, .with = 7};
  tenon_vectors_get get = {.struct_size = sizeof get, .collection = "c", .ids = ids, .id_count = 2, .limit = -1, .with = 7};
  tenon_vectors_delete delete = {.struct_size = sizeof delete, .collection = "c", .ids = ids, .id_count = 1};
  *ret_rows = 0;
  tenon_status status = tn_vectors_create(NULL, s, &create, &made, err);
  if (!status) status = make_rows(&rows, err);
  if (!status) status = tn_vectors_upsert(NULL, s, &upsert, &upserted, err);
  if (!status) status = tn_vectors_query(NULL, s, &query, &rows, err);
  if (!status) status = drain(&rows, ret_rows, err);
  if (!status) status = tn_vectors_get(NULL, s, &get, &rows, err);
  if (!status) status = drain(&rows, ret_rows, err);
  if (!status) status = tn_vectors_list(NULL, s, NULL, &rows, err);
  if (!status) status = drain(&rows, ret_rows, err);
  if (!status) status = tn_vectors_remove(NULL, s, &delete, &deleted, err);
  return status;
}

static tn_connector *connect_to(const char *folder) {
  static tn_registry *registry;
  tn_settings settings;
  tn_config *config;
  tn_connector *c;
  if (!registry && (tn_registry_new(&registry, NULL) || tn_registry_add(registry, &tn_provider_faiss, NULL))) abort();
  tn_settings_init(&settings);
  if (tn_settings_set(&settings, "path", folder, NULL) || tn_config_new(tn_registry_at(registry, 0), &settings, &config, NULL) ||
      tn_connector_new("folder", config, &c, NULL))
    abort();
  tn_settings_release(&settings);
  return c;
}

static void every_allocation_may_fail(void **state) {
  (void)state;
  char folder[] = "/tmp/tenon-faiss-XXXXXX", command[64];
  assert_non_null(mkdtemp(folder));
  tn_connector *c = connect_to(folder);
  int64_t rows = 0, failed = 0, used = 1;
  for (int64_t n = 1; used >= n - 1; n++) {
    tn_session *s;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_session_acquire(NULL, c, &s, NULL), TENON_OK);
    tn_mem_fail_at(n, 0);
    tenon_status status = use_it_all(s, &rows, &err);
    used = tn_mem_count();
    tn_mem_fail_at(0, 0);
    failed += status != TENON_OK;
    if (status && status != TENON_LIMITED) fail_msg("%lld: %s: %s", (long long)n, tenon_status_name(status), err.message);
    tn_session_release(s);
  }
  assert_true(failed > 50);
  assert_int_equal(rows, 9 * 3 + 2 + 1);
  tn_connector_free(c);
  snprintf(command, sizeof command, "rm -rf %s", folder);
  assert_int_equal(system(command), 0);
}

int main(void) {
  if (tn_provider_faiss.init(tn_host(), NULL)) return 1;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(kernels_are_right),
      cmocka_unit_test(every_search_gives_the_same),
      cmocka_unit_test(heaps_keep_the_best),
      cmocka_unit_test(index_files_are_checked),
      cmocka_unit_test(damaged_records_are_seen),
      cmocka_unit_test(malformed_metadata_is_told_apart),
      cmocka_unit_test(numbers_compare_exactly),
      cmocka_unit_test(every_allocation_may_fail),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
