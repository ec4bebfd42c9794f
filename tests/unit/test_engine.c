/* SPDX-License-Identifier: Apache-2.0 */
/* The engine: order exactly as tenon/value.h says, every type as it was; spilling, cancelling, nothing left behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/stream.h"
#include "engine/engine.h"
#include "unit/arrow_equal.h"

static tenon_ctx *ctx;
static tenon_error err;
static char temporary[64];

#define assert_ok(status) \
  do { if (status) fail_msg("%s: %s (%s)", tenon_status_name(err.code), err.message, err.remedy); } while (0)

static int set_up(void **state) {
  (void)state;
  tn_error_init(&err);
  snprintf(temporary, sizeof temporary, "/tmp/tenon-test-XXXXXX");
  assert_non_null(mkdtemp(temporary));
  setenv("TMPDIR", temporary, 1);
  return (int)tenon_ctx_new(NULL, 60000, &ctx, NULL);
}

static int entries_of(const char *folder) {
  int n = 0;
  DIR *dir = opendir(folder);
  for (struct dirent *e; dir && (e = readdir(dir));) n += e->d_name[0] != '.';
  if (dir) closedir(dir);
  return n;
}

static int tear_down(void **state) {
  (void)state;
  tenon_ctx_free(ctx);
  tn_engine_set_memory(0);
  int left = entries_of(temporary);
  rmdir(temporary);
  unsetenv("TMPDIR");
  return left;   /* whatever an engine spilled is gone */
}

/* ---- Values ---- */

static uint64_t seed = 88172645463325252u;

static uint64_t next_random(void) {
  seed ^= seed << 13;
  seed ^= seed >> 7;
  return seed ^= seed << 17;
}

static void append_text(tn_column *c, uint64_t r) {
  static const char *const words[] = {"", "a", "A", "aa", "ab", "\xC3\xA4", "z", "abcdefghijkl", "abcdefghijklm", "abcdefghijklmnopqrst", "\xF0\x9F\x98\x80"};
  char bytes[3] = {(char)r, (char)(r >> 8), (char)(r >> 16)};
  if (r % 3 == 0) assert_true(tn_append_text(c, words[(r >> 8) % (sizeof words / sizeof words[0])]));
  else assert_true(tn_append_bytes(c, bytes, (int64_t)(r >> 24) % 4));
}

static void append_value(tn_column *c, const struct ArrowSchema *s);

static void append_nested(tn_column *c, const struct ArrowSchema *s) {
  uint64_t r = next_random();
  if (r % 7 == 0) {
    assert_true(tn_append_null(c));
  } else if (s->format[1] == 's') {
    for (int64_t i = 0; i < s->n_children; i++) append_value(&c->children[i], s->children[i]);
    assert_true(tn_append_struct(c));
  } else if (s->format[1] == 'w') {
    for (int32_t i = 0; i < c->width; i++) append_value(&c->children[0], s->children[0]);
    assert_true(tn_append_list(c));
  } else {
    for (uint64_t i = 0; i < (r >> 8) % 4; i++) {
      if (s->format[1] == 'm') {
        uint64_t key = next_random();
        assert_true(tn_append_fixed(&c->children[0].children[0], &key));
        append_value(&c->children[0].children[1], s->children[0]->children[1]);
        assert_true(tn_append_struct(&c->children[0]));
      } else {
        append_value(&c->children[0], s->children[0]);
      }
    }
    assert_true(tn_append_list(c));
  }
}

static void append_value(tn_column *c, const struct ArrowSchema *s) {
  static const double doubles[] = {0.0, -0.0, 1.5, -1.5, INFINITY, -INFINITY, NAN, -NAN, 5e-324, 1e308};
  const char *f = s->format;
  uint64_t r = next_random(), wide[64] = {r, next_random(), next_random(), next_random(), next_random(), next_random()};
  if (f[0] == '+') {
    append_nested(c, s);
    return;
  }
  if (f[0] == 'n' || r % 11 == 0) assert_true(tn_append_null(c));
  else if (f[0] == 'b') assert_true(tn_append_bool(c, r & 1));
  else if (strchr("uUzZ", f[0])) append_text(c, r);
  else if (f[0] == 'g' && r % 2) assert_true(tn_append_f64(c, doubles[(r >> 8) % 10]));
  else if (f[0] == 'f' && r % 2) { float x = (float)doubles[(r >> 8) % 10]; assert_true(tn_append_fixed(c, &x)); }
  else if (r % 4 == 0) { memset(wide, r & 64 ? 0xFF : 0, 32); assert_true(tn_append_fixed(c, wide)); }
  else assert_true(tn_append_fixed(c, wide));
}

static struct ArrowSchema schema_of(const char *const *formats, int n) {
  struct ArrowSchema s;
  char name[16];
  assert_int_equal(tn_schema_struct(&s, n, NULL), TENON_OK);
  for (int i = 0; i < n; i++) {
    snprintf(name, sizeof name, "n%d", i);
    assert_int_equal(tn_schema_set(s.children[i], name, formats[i], true, strcmp(formats[i], "+s") == 0 ? 2 : 0, NULL), TENON_OK);
    if (formats[i][0] != '+') continue;
    struct ArrowSchema *parent = formats[i][1] == 'm' ? s.children[i]->children[0] : s.children[i];
    for (int64_t k = 0; k < parent->n_children; k++)
      assert_int_equal(tn_schema_set(parent->children[k], k ? "w" : "v", k ? "u" : "tin", true, 0, NULL), TENON_OK);
    if (formats[i][1] == 'm') assert_int_equal(tn_schema_set(parent->children[0], "key", "l", false, 0, NULL), TENON_OK);
  }
  assert_int_equal(tn_schema_annotate(s.children[0], "tenon.type", "something", NULL), TENON_OK);
  return s;
}

/* ---- A stream of batches that the test has ---- */

typedef struct batches {
  tn_builder *builder;
  struct ArrowSchema schema;
  int64_t sizes[8];
  int count, at;
  tenon_status fails;    /* at the end, instead of ending */
} batches;

static tenon_status give_batch(void *self, struct ArrowArray *ret, tenon_error *e) {
  batches *b = self;
  if (b->at == b->count) {
    ret->release = NULL;
    return b->fails ? tenon_fail(e, b->fails, TENON_STAGE_TCP, "plug it in", "the wire is cut") : TENON_OK;
  }
  int64_t rows = b->sizes[b->at++];
  for (int64_t c = 0; c < b->schema.n_children; c++)
    for (int64_t i = 0; i < rows; i++) append_value(tn_builder_column(b->builder, c), b->schema.children[c]);
  return tn_builder_finish(b->builder, rows, ret, e);
}

static void no_closing(void *self) { (void)self; }

static struct ArrowArrayStream stream_of(batches *b) {
  struct ArrowArrayStream out;
  tenon_stream in = {.struct_size = sizeof in, .self = b, .next = give_batch, .close = no_closing};
  assert_int_equal(tn_schema_copy(&b->schema, &in.schema, NULL), TENON_OK);
  assert_int_equal(tn_stream_export(ctx, &in, NULL, NULL, &out, NULL), TENON_OK);
  return out;
}

/* All of a stream as one list of (batch, row). */
typedef struct rows {
  struct ArrowArray *batches;
  int count;
  int64_t total;
} rows;

static rows collect(struct ArrowArrayStream *in) {
  rows r = {.batches = calloc(4096, sizeof *r.batches)};
  for (;;) {
    struct ArrowArray a;
    assert_ok(tn_stream_error(in, in->get_next(in, &a), &err));
    if (!a.release) break;
    assert_true(r.count < 4096);
    r.total += a.length;
    r.batches[r.count++] = a;
  }
  return r;
}

static void forget(rows *r) {
  for (int i = 0; i < r->count; i++) tn_array_release(&r->batches[i]);
  free(r->batches);
}

static const struct ArrowArray *locate(const rows *r, int64_t i, int64_t column, int64_t *ret_row) {
  *ret_row = 0;
  for (int b = 0; b < r->count; b++) {
    if (i < r->batches[b].length) {
      *ret_row = i + r->batches[b].offset;
      return r->batches[b].children[column];
    }
    i -= r->batches[b].length;
  }
  fail();
  return NULL;
}

/* ---- The order, said again in the simplest way ---- */

static const rows *sorted_rows;
static const struct ArrowSchema *sorted_schema;
static const tenon_order *sorted_by;
static size_t sorted_keys;
static int64_t sorted_columns[4];

static bool is_valid(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->n_buffers ? a->buffers[0] : NULL;
  return a->null_count == 0 || !bits || (bits[(a->offset + i) >> 3] >> ((a->offset + i) & 7) & 1);
}

static int compare_floats(double x, double y) {
  if (isnan(x) || isnan(y)) return isnan(x) - isnan(y);
  return (x > y) - (x < y);
}

static int compare_bytes(const void *x, size_t n, const void *y, size_t m) {
  int order = memcmp(x, y, n < m ? n : m);
  return order ? order : (n > m) - (n < m);
}

static int compare_int(const void *x, const void *y, int width, bool is_signed) {
  for (int i = width - 1; i >= 0; i--) {
    int a = ((const uint8_t *)x)[i], b = ((const uint8_t *)y)[i];
    if (i == width - 1 && is_signed) a = (int8_t)a, b = (int8_t)b;
    if (a != b) return a < b ? -1 : 1;
  }
  return 0;
}

static int width_of(const char *f) {
  if (f[0] == 'd') return strstr(f, ",256") ? 32 : 16;
  if (f[0] == 'w') return atoi(f + 2);
  if (f[0] == 't') return !strcmp(f, "tdD") || !strcmp(f, "tts") || !strcmp(f, "ttm") ? 4 : 8;
  return strchr("cC", f[0]) ? 1 : strchr("sSe", f[0]) ? 2 : strchr("iIf", f[0]) ? 4 : 8;
}

static int compare_values(const char *f, const struct ArrowArray *a, int64_t i, const struct ArrowArray *b, int64_t k) {
  const char *x = a->buffers[1], *y = b->buffers[1];
  i += a->offset;
  k += b->offset;
  if (f[0] == 'b') return (x[i >> 3] >> (i & 7) & 1) - (y[k >> 3] >> (k & 7) & 1);
  if (f[0] == 'f') return compare_floats(((const float *)(const void *)x)[i], ((const float *)(const void *)y)[k]);
  if (f[0] == 'g') return compare_floats(((const double *)(const void *)x)[i], ((const double *)(const void *)y)[k]);
  if (f[0] == 'u' || f[0] == 'z') {
    const int32_t *p = (const void *)x, *q = (const void *)y;
    return compare_bytes((const char *)a->buffers[2] + p[i], (size_t)(p[i + 1] - p[i]), (const char *)b->buffers[2] + q[k], (size_t)(q[k + 1] - q[k]));
  }
  int w = width_of(f);
  if (f[0] == 'w') return memcmp(x + i * w, y + k * w, (size_t)w);
  return compare_int(x + i * w, y + k * w, w, !strchr("CSIL", f[0]));
}

static int compare_rows(const void *p, const void *q) {
  int64_t one = *(const int64_t *)p, other = *(const int64_t *)q, i, k;
  for (size_t n = 0; n < sorted_keys; n++) {
    const struct ArrowArray *a = locate(sorted_rows, one, sorted_columns[n], &i), *b = locate(sorted_rows, other, sorted_columns[n], &k);
    bool x = is_valid(a, i), y = is_valid(b, k);
    if (!x || !y) {
      if (x != y) return x ? -1 : 1;
      continue;
    }
    int order = compare_values(sorted_schema->children[sorted_columns[n]]->format, a, i, b, k);
    if (order) return sorted_by[n].descending ? -order : order;
  }
  return (one > other) - (one < other);
}

/* Sorts what the seed makes by the engine and here; both have to be the same, row by row, bit by bit. */
static void check_sort(const char *const *formats, int n, const tenon_order *order, size_t keys) {
  batches b = {.sizes = {1000, 1, 2047, 500}, .count = 4};
  uint64_t begin = seed;
  b.schema = schema_of(formats, n);
  assert_int_equal(tn_builder_new(&b.schema, &b.builder, NULL), TENON_OK);
  struct ArrowArrayStream in = stream_of(&b), out;
  rows plain = collect(&in);
  in.release(&in);
  seed = begin;
  b.at = 0;
  in = stream_of(&b);
  assert_ok(tn_engine_sort(ctx, &in, order, keys, &out, &err));
  struct ArrowSchema schema;
  assert_int_equal(out.get_schema(&out, &schema), 0);
  assert_true(same_schema(&schema, &b.schema));
  rows sorted = collect(&out);
  assert_int_equal(sorted.total, plain.total);
  int64_t *places = calloc((size_t)plain.total, sizeof *places);
  for (int64_t i = 0; i < plain.total; i++) places[i] = i;
  sorted_rows = &plain;
  sorted_schema = &b.schema;
  sorted_by = order;
  sorted_keys = keys;
  for (size_t k = 0; k < keys; k++) sorted_columns[k] = atoi(order[k].column + 1);
  qsort(places, (size_t)plain.total, sizeof *places, compare_rows);
  for (int64_t i = 0, x, y; i < plain.total; i++)
    for (int64_t c = 0; c < n; c++) {
      const struct ArrowArray *a = locate(&sorted, i, c, &x), *o = locate(&plain, places[i], c, &y);
      if (!same_values(b.schema.children[c], a, x, o, y, 1)) fail_msg("row %lld, sorted by %s", (long long)i, formats[sorted_columns[0]]);
    }
  free(places);
  forget(&plain);
  forget(&sorted);
  out.release(&out);
  tn_schema_release(&schema);
  tn_schema_release(&b.schema);
  tn_builder_free(b.builder);
}

/* ---- Tests ---- */

static void sorts_every_type_exactly(void **state) {
  (void)state;
  static const char *const keys[] = {"b", "c", "C", "s", "S", "i", "I", "l", "L", "f", "g", "u", "z", "d:15,2", "d:38,0", "d:50,3,256", "tdD", "tdm",
                                     "tts", "ttu", "tsu:", "tsn:UTC", "tDs", "w:5", "w:16", "w:8"};
  for (size_t i = 0; i < sizeof keys / sizeof keys[0]; i++)
    for (int descending = 0; descending < 2; descending++) {
      const char *const formats[] = {keys[i], "l"};
      const tenon_order order[] = {{.column = "n0", .descending = (uint8_t)descending}};
      check_sort(formats, 2, order, 1);
    }
}

static void brings_every_type_through(void **state) {
  (void)state;
  static const char *const formats[] = {"s", "n", "b", "e", "f", "g", "u", "U", "z", "Z", "d:10,2", "d:70,5,256", "tin", "tiM", "tiD", "ttn", "tsn:Asia/Tokyo",
                                        "w:3", "w:33", "+l", "+s", "+m", "+w:2"};
  const tenon_order order[] = {{.column = "n0"}, {.column = "n6", .descending = 1}, {.column = "n11"}};
  check_sort(formats, sizeof formats / sizeof formats[0], order, 3);
}

static void refuses_what_has_no_order(void **state) {
  (void)state;
  static const char *const formats[] = {"l", "+l", "tin"};
  static const struct { const char *column; tenon_status code; } cases[] = {{"n1", TENON_UNSUPPORTED}, {"n2", TENON_UNSUPPORTED}, {"n9", TENON_NOT_FOUND}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    batches b = {.sizes = {10}, .count = 1, .schema = schema_of(formats, 3)};
    assert_int_equal(tn_builder_new(&b.schema, &b.builder, NULL), TENON_OK);
    struct ArrowArrayStream in = stream_of(&b), out;
    tenon_order order = {.column = cases[i].column};
    tn_error_init(&err);
    assert_int_equal(tn_engine_sort(ctx, &in, &order, 1, &out, &err), cases[i].code);
    assert_non_null(strstr(err.message, cases[i].column));
    assert_null(in.release);
    tn_builder_free(b.builder);
    tn_schema_release(&b.schema);
  }
}

static void gives_the_sources_own_error(void **state) {
  (void)state;
  static const char *const formats[] = {"l"};
  batches b = {.sizes = {5000}, .count = 1, .schema = schema_of(formats, 1), .fails = TENON_UNREACHABLE};
  assert_int_equal(tn_builder_new(&b.schema, &b.builder, NULL), TENON_OK);
  struct ArrowArrayStream in = stream_of(&b), out;
  struct ArrowArray a;
  tenon_order order = {.column = "n0"};
  assert_ok(tn_engine_sort(ctx, &in, &order, 1, &out, &err));
  int code = out.get_next(&out, &a);
  assert_int_not_equal(code, 0);
  assert_int_equal(tn_stream_error(&out, code, &err), TENON_UNREACHABLE);
  assert_int_equal(err.stage, TENON_STAGE_TCP);
  assert_string_equal(err.message, "the wire is cut");
  assert_string_equal(err.remedy, "plug it in");
  out.release(&out);
  tn_builder_free(b.builder);
  tn_schema_release(&b.schema);
}

static int64_t resident_kb(void) {
  char line[256];
  int64_t kb = 0;
  FILE *f = fopen("/proc/self/status", "r");
  while (f && fgets(line, sizeof line, f)) sscanf(line, "VmRSS: %lld", (long long *)&kb);
  if (f) fclose(f);
  return kb;
}

/* 400 bytes a row, so that 160 MB pass through the least memory that sorting takes. */
static void spills_within_its_memory(void **state) {
  (void)state;
  static const char *const formats[] = {"l", "w:400"};
  enum { ROWS = 50000, BATCHES = 8 };
  tn_engine_set_memory(1);
  batches b = {.sizes = {ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS, ROWS}, .count = BATCHES, .schema = schema_of(formats, 2)};
  assert_int_equal(tn_builder_new(&b.schema, &b.builder, NULL), TENON_OK);
  struct ArrowArrayStream in = stream_of(&b), out;
  tenon_order order = {.column = "n0"};
  assert_ok(tn_engine_sort(ctx, &in, &order, 1, &out, &err));
  int64_t count = 0, last = INT64_MIN, most = 0, spilled = 0;
  for (;;) {
    struct ArrowArray a;
    assert_ok(tn_stream_error(&out, out.get_next(&out, &a), &err));
    if (!a.release) break;
    const int64_t *values = a.children[0]->buffers[1];
    for (int64_t i = 0; i < a.length && is_valid(a.children[0], i); i++) {
      assert_true(values[i] >= last);
      last = values[i];
    }
    count += a.length;
    a.release(&a);
    most = most > resident_kb() ? most : resident_kb();
    spilled += entries_of(temporary);
  }
  assert_int_equal(count, ROWS * BATCHES);
  assert_true(spilled > 0);
#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
  assert_true(most < 260 * 1024);
#endif
  out.release(&out);
  tn_builder_free(b.builder);
  tn_schema_release(&b.schema);
}

static void *cancel_soon(void *arg) {
  usleep(150000);
  tenon_ctx_cancel(arg);
  return NULL;
}

static void ends_when_cancelled(void **state) {
  (void)state;
  static const char *const formats[] = {"l", "w:100"};
  batches b = {.sizes = {2000000}, .count = 1, .schema = schema_of(formats, 2)};
  tenon_ctx *own;
  assert_int_equal(tenon_ctx_new(ctx, -1, &own, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&b.schema, &b.builder, NULL), TENON_OK);
  /* made before the clock starts: what is to be interrupted is the engine */
  struct ArrowArray batch;
  assert_int_equal(give_batch(&b, &batch, NULL), TENON_OK);
  tn_builder_free(b.builder);
  tn_engine *engine;
  tn_engine_options options = {0};
  assert_ok(tn_engine_new(own, &options, &engine, &err));
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_soon, own);
  int64_t began = tn_now_ms();
  assert_int_equal(tn_engine_run(engine, "SELECT count(*) FROM range(100000000) a, range(100000) b WHERE a.range * b.range % 7 = 3", NULL, &err), TENON_CANCELLED);
  assert_true(tn_now_ms() - began < 150 + 250);
  assert_int_equal(err.code, TENON_CANCELLED);
  /* and what comes after is not begun */
  tn_error_init(&err);
  assert_int_equal(tn_engine_run(engine, "SELECT 1", NULL, &err), TENON_CANCELLED);
  pthread_join(thread, NULL);
  tn_engine_free(engine);
  batch.release(&batch);
  tn_schema_release(&b.schema);
  tenon_ctx_free(own);
}

static void keeps_to_what_it_may_see(void **state) {
  (void)state;
  static const char *const statements[] = {
      "SELECT * FROM read_csv('/etc/passwd')",        "SELECT * FROM read_text('/etc/hostname')", "SELECT * FROM glob('/etc/*')",
      "COPY (SELECT 1) TO '/tmp/tenon-must-not-be'",  "ATTACH '/tmp/tenon-must-not-be'",          "INSTALL httpfs",
      "LOAD httpfs",                                  "SET enable_external_access = true",        "SET memory_limit = '100GB'",
      "SET allowed_paths = ['/etc/passwd']",          "SELECT getenv('HOME')",                    "EXPORT DATABASE '/tmp/tenon-must-not-be'",
  };
  tn_engine *engine;
  tn_engine_options options = {0};
  assert_ok(tn_engine_new(ctx, &options, &engine, &err));
  assert_ok(tn_engine_lock(engine, NULL, &err));
  for (size_t i = 0; i < sizeof statements / sizeof statements[0]; i++) {
    tn_error_init(&err);
    if (tn_engine_run(engine, statements[i], NULL, &err) == TENON_OK) fail_msg("%s was done", statements[i]);
    assert_true(err.message[0] != 0 && err.remedy[0] != 0);
  }
  assert_int_equal(access("/tmp/tenon-must-not-be", F_OK), -1);
  tn_error_init(&err);
  assert_ok(tn_engine_run(engine, "SELECT 1 + 1", NULL, &err));
  tn_engine_free(engine);
}

static void sweeps_what_a_killed_process_left(void **state) {
  (void)state;
  char folder[128], file[192];
  snprintf(folder, sizeof folder, "%s/tenon-spill-abcdef", temporary);
  assert_int_equal(mkdir(folder, 0700), 0);
  const char *const names[] = {"lock", "duckdb_temp_storage_DEFAULT-0.tmp"};
  for (int i = 0; i < 2; i++) {
    snprintf(file, sizeof file, "%s/%s", folder, names[i]);
    fclose(fopen(file, "w"));
  }
  /* the first engine of a process sweeps; this test has to be a process of its own */
  fflush(NULL);
  pid_t child = fork();
  if (child == 0) {
    tn_engine *engine;
    tn_engine_options options = {0};
    if (tn_engine_new(ctx, &options, &engine, NULL)) _exit(1);
    bool there = entries_of(temporary) == 1;   /* its own */
    tn_engine_free(engine);
    _exit(there ? 0 : 2);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_int_equal(status, 0);
  assert_int_equal(access(folder, F_OK), -1);
}

int main(void) {
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      TEST(sweeps_what_a_killed_process_left),   /* first: nobody has swept yet */
      TEST(sorts_every_type_exactly),
      TEST(brings_every_type_through),
      TEST(refuses_what_has_no_order),
      TEST(gives_the_sources_own_error),
      TEST(spills_within_its_memory),
      TEST(ends_when_cancelled),
      TEST(keeps_to_what_it_may_see),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
