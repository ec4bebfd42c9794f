/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet: what goes in comes out, type by type; what cannot is refused by name; nothing hangs or stays behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/file.h"
#include "core/session.h"
#include "formats/format.h"
#include "unit/arrow_equal.h"

/* An engine starts in 2 ms, under a sanitizer in 50: there fewer rounds have to do. */
#ifdef __SANITIZE_ADDRESS__
enum { FILTER_ROUNDS = 60, CHANGE_ROUNDS = 60 };
#else
enum { FILTER_ROUNDS = 600, CHANGE_ROUNDS = 400 };
#endif

/* ---- A file in hand ---- */

static void nothing_to_close(void *self) { (void)self; }

static tenon_status no_reading(void *self, void *data, size_t size, size_t *ret, tenon_error *err) {
  (void)self, (void)data, (void)size, (void)ret;
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, NULL, "the descriptor was to be used");
}

static tenon_status open_fd(void *self, int64_t offset, int64_t length, tenon_bytes *ret, tenon_error *err) {
  (void)offset, (void)length, (void)err;
  *ret = (tenon_bytes){.struct_size = sizeof *ret, .fd = *(int *)self, .length = -1, .self = self, .read = no_reading, .close = nothing_to_close};
  return TENON_OK;
}

static tn_input input_of(int *fd) {
  struct stat info;
  assert_int_equal(fstat(*fd, &info), 0);
  return (tn_input){.name = "t.parquet", .size = info.st_size, .self = fd, .open = open_fd};
}

static tenon_ctx *context(void) {
  tenon_ctx *ctx;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  return ctx;
}

#define assert_ok(status, err) \
  do { if (status) { print_error("%s: %s (%s)\n", tenon_status_name((err).code), (err).message, (err).remedy); fail(); } } while (0)

/* Writes the batches (and takes them over) into a new nameless file. */
static tenon_status write_batches(tenon_ctx *ctx, const struct ArrowSchema *schema, struct ArrowArray *batches, int n,
                                  const tn_format_options *options, int fd, tenon_error *err) {
  tn_writer w;
  tenon_status status = tn_format_parquet.writer(ctx, fd, schema, options, &w, err);
  if (status) {
    for (int i = 0; i < n; i++) tn_array_release(&batches[i]);
    return status;
  }
  int64_t bytes = 0;
  for (int i = 0; i < n; i++) {
    if (!status) status = w.write(w.self, &batches[i], err);
    else tn_array_release(&batches[i]);
  }
  if (!status) status = w.finish(w.self, &bytes, err);
  if (!status) assert_true(bytes > 12);
  w.free(w.self);
  return status;
}

/* ---- Batches ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

static const char *const formats[] = {"b", "c", "C", "s", "S", "i", "I", "l", "L", "f", "g", "u", "z", "d:3,1", "d:9,2", "d:15,2", "d:18,0",
                                      "d:38,10", "tdD", "tdm", "tts", "ttm", "ttu", "tDs", "tDn", "e", "U", "Z", "w:5", "tsu:", "tsm:", "tss:", "tsn:", "tsu:UTC", "tsu:Europe/Berlin", "tsm:UTC", "tss:+02:00", "tsn:UTC", "tsn:Asia/Tokyo", "ttn"};
enum { COLUMNS = sizeof formats / sizeof formats[0] };

static struct ArrowSchema flat_schema(void) {
  struct ArrowSchema s;
  char name[16];
  assert_int_equal(tn_schema_struct(&s, COLUMNS, NULL), TENON_OK);
  for (int i = 0; i < COLUMNS; i++) {
    snprintf(name, sizeof name, "c%d", i);
    assert_int_equal(tn_schema_set(s.children[i], name, formats[i], true, 0, NULL), TENON_OK);
  }
  return s;
}

static void append_decimal(tn_column *c, const char *format) {
  int precision = atoi(format + 2);
  __int128 limit = 1;
  for (int i = 0; i < precision; i++) limit *= 10;
  __int128 v = (__int128)((unsigned __int128)next_random() << 62 | next_random()) % limit;
  if (next_random() & 1) v = -v;
  if (next_random() % 16 == 0) v = limit - 1;
  if (next_random() % 16 == 0) v = 1 - limit;
  assert_true(tn_append_fixed(c, &v));
}

static void append_value(tn_column *c, const char *f) {
  uint64_t r = next_random(), wide[5] = {r, ~r, r, ~r, r};
  char text[40];
  if (r % 9 == 0) {
    assert_true(tn_append_null(c));
    return;
  }
  if (f[0] == 'b') assert_true(tn_append_bool(c, r & 16));
  else if (f[0] == 'd') append_decimal(c, f);
  else if (strchr("uUzZ", f[0])) {
    for (size_t i = 0; i < sizeof text; i++) text[i] = (char)(f[0] == 'u' || f[0] == 'U' ? 'a' + next_random() % 26 : next_random());
    assert_true(tn_append_bytes(c, text, (int64_t)(r >> 8) % (int64_t)sizeof text));
  } else if (!strcmp(f, "tdm")) assert_true(tn_append_i64(c, ((int64_t)(r % 2000000) - 1000000) * 86400000));
  else if (!strcmp(f, "tts")) assert_true(tn_append_i32(c, (int32_t)(r % 86400)));
  else if (!strcmp(f, "ttm")) assert_true(tn_append_i32(c, (int32_t)(r % 86400000)));
  else if (f[0] == 'e') { uint16_t half = (uint16_t)((r & 256 ? 0 : r % 31744) | (r & 32768)); assert_true(tn_append_fixed(c, &half)); }
  else if (!strncmp(f, "tss", 3)) assert_true(tn_append_i64(c, (int64_t)(r >> 30) - 3000000000));
  else if (!strcmp(f, "ttu")) assert_true(tn_append_i64(c, (int64_t)(r % 86400000000u)));
  else if (!strcmp(f, "tdD")) assert_true(tn_append_i32(c, (int32_t)(r % 2000000) - 1000000));
  else if (!strncmp(f, "tsm", 3)) assert_true(tn_append_i64(c, (int64_t)(r >> 20) / 1000));
  else if (f[0] == 't') assert_true(tn_append_i64(c, (int64_t)r / 4));
  else if (f[0] == 'f') { float x = r % 4 ? (float)(int32_t)r / 3 : r & 64 ? 0.0f : -0.0f; assert_true(tn_append_fixed(c, &x)); }
  else if (f[0] == 'g') assert_true(tn_append_f64(c, r % 4 ? (double)(int64_t)r / 7 : r & 64 ? 0.0 : -0.0));
  else assert_true(tn_append_fixed(c, wide));
}

static struct ArrowArray batch_of(tn_builder *b, const struct ArrowSchema *s, int64_t rows) {
  struct ArrowArray a;
  for (int64_t c = 0; c < s->n_children; c++)
    for (int64_t i = 0; i < rows; i++) append_value(tn_builder_column(b, c), s->children[c]->format);
  assert_int_equal(tn_builder_finish(b, rows, &a, NULL), TENON_OK);
  return a;
}

/* ---- Tests ---- */

static void read_back(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema, const struct ArrowArray *batches, int n) {
  tenon_error err = TENON_ERROR_INIT;
  tn_input in = input_of(&fd);
  tenon_read read = TENON_READ_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_rows rows;
  assert_ok(tn_format_parquet.read(ctx, &in, &options, NULL, &read, &rows, &err), err);
  int batch = 0;
  int64_t at = 0;
  for (;;) {
    struct ArrowArray a;
    assert_ok(rows.stream.next(rows.stream.self, &a, &err), err);
    if (!a.release) break;
    for (int64_t done = 0; done < a.length;) {
      while (batch < n && at == batches[batch].length) batch++, at = 0;
      assert_true(batch < n);
      int64_t step = a.length - done < batches[batch].length - at ? a.length - done : batches[batch].length - at;
      for (int64_t c = 0; c < schema->n_children; c++)
        assert_true(same_values(schema->children[c], a.children[c], done, batches[batch].children[c], at, step));
      done += step;
      at += step;
    }
    a.release(&a);
  }
  while (batch < n && at == batches[batch].length) batch++, at = 0;
  assert_int_equal(batch, n);
  tn_schema_release(&rows.stream.schema);
  rows.stream.close(rows.stream.self);
}

static void brings_values_back(void **state) {
  (void)state;
  enum { BATCHES = 3 };
  static const int64_t sizes[BATCHES] = {5000, 1, 4097};
  tenon_ctx *ctx = context();
  tenon_error err = TENON_ERROR_INIT;
  struct ArrowSchema s = flat_schema();
  tn_builder *b, *again;
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &again, NULL), TENON_OK);
  struct ArrowArray sent[BATCHES], kept[BATCHES];
  uint64_t seed = random_state;
  for (int i = 0; i < BATCHES; i++) sent[i] = batch_of(b, &s, sizes[i]);
  random_state = seed;
  for (int i = 0; i < BATCHES; i++) kept[i] = batch_of(again, &s, sizes[i]);
  int fd = tn_spool_open();
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  assert_ok(write_batches(ctx, &s, sent, BATCHES, &options, fd, &err), err);
  read_back(ctx, fd, &s, kept, BATCHES);
  for (int i = 0; i < BATCHES; i++) tn_array_release(&kept[i]);
  close(fd);
  tn_builder_free(b);
  tn_builder_free(again);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
}

/* ---- Schemas, nested values ---- */

static struct ArrowSchema nested_schema(void) {
  struct ArrowSchema s;
  assert_int_equal(tn_schema_struct(&s, 7, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "id", "l", false, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1], "tags", "+l", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1]->children[0], "item", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[2], "where", "+s", true, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[2]->children[0], "x", "g", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[2]->children[1], "when", "tsn:Asia/Tokyo", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[3], "prices", "+m", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[3]->children[0]->children[0], "key", "u", false, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[3]->children[0]->children[1], "value", "d:12,3", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4], "deep", "+l", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[0], "item", "+s", true, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[0]->children[0], "l", "+l", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[0]->children[0]->children[0], "item", "i", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[4]->children[0]->children[1], "o", "b", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[5], "point", "+w:3", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[5]->children[0], "item", "f", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[6], "uuid", "w:16", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_annotate(s.children[6], "ARROW:extension:name", "arrow.uuid", NULL), TENON_OK);
  assert_int_equal(tn_schema_annotate(s.children[1], "tenon.type", "text[]", NULL), TENON_OK);
  assert_int_equal(tn_schema_annotate(&s, "made by", "a test: 'quoted'", NULL), TENON_OK);
  return s;
}

static void append_any(tn_column *c, const struct ArrowSchema *s, bool nullable) {
  uint64_t r = next_random();
  const char *f = s->format;
  if (nullable && r % 6 == 0) {
    assert_true(tn_append_null(c));
  } else if (f[0] != '+') {
    do append_value(c, f);
    while (!nullable && c->null_count && (c->length--, c->null_count = 0, true));
  } else if (f[1] == 's') {
    for (int64_t i = 0; i < s->n_children; i++) append_any(&c->children[i], s->children[i], s->children[i]->flags & ARROW_FLAG_NULLABLE);
    assert_true(tn_append_struct(c));
  } else {
    int n = f[1] == 'w' ? c->width : (int)(r >> 8) % 4;
    for (int i = 0; i < n; i++) append_any(&c->children[0], s->children[0], s->children[0]->flags & ARROW_FLAG_NULLABLE);
    assert_true(tn_append_list(c));
  }
}

static struct ArrowArray nested_batch(tn_builder *b, const struct ArrowSchema *s, int64_t rows) {
  struct ArrowArray a;
  for (int64_t c = 0; c < s->n_children; c++)
    for (int64_t i = 0; i < rows; i++) append_any(tn_builder_column(b, c), s->children[c], s->children[c]->flags & ARROW_FLAG_NULLABLE);
  assert_int_equal(tn_builder_finish(b, rows, &a, NULL), TENON_OK);
  return a;
}

static struct ArrowSchema schema_read(tenon_ctx *ctx, int fd) {
  tenon_error err = TENON_ERROR_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tn_input in = input_of(&fd);
  struct ArrowSchema s;
  int64_t rows = -1;
  assert_ok(tn_format_parquet.schema(ctx, &in, &options, &s, &rows, &err), err);
  assert_true(rows >= 0);
  return s;
}

static void brings_nested_values_and_the_schema_back(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  tenon_error err = TENON_ERROR_INIT;
  struct ArrowSchema s = nested_schema();
  tn_builder *b, *again;
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &again, NULL), TENON_OK);
  uint64_t seed = random_state;
  struct ArrowArray sent = nested_batch(b, &s, 6000);
  random_state = seed;
  struct ArrowArray kept = nested_batch(again, &s, 6000);
  int fd = tn_spool_open();
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  options.compression = "snappy";
  options.row_group_rows = 2048;
  assert_ok(write_batches(ctx, &s, &sent, 1, &options, fd, &err), err);
  struct ArrowSchema back = schema_read(ctx, fd);
  assert_true(same_schema(&back, &s));
  read_back(ctx, fd, &s, &kept, 1);
  tn_schema_release(&back);
  tn_array_release(&kept);
  close(fd);
  tn_builder_free(b);
  tn_builder_free(again);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
}

static void writes_files_without_rows(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  tenon_error err = TENON_ERROR_INIT;
  struct ArrowSchema s = flat_schema();
  int fd = tn_spool_open();
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  assert_ok(write_batches(ctx, &s, NULL, 0, &options, fd, &err), err);
  struct ArrowSchema back = schema_read(ctx, fd);
  assert_true(same_schema(&back, &s));
  read_back(ctx, fd, &s, NULL, 0);
  tn_schema_release(&back);
  tn_schema_release(&s);
  close(fd);
  tenon_ctx_free(ctx);
}

/* ---- Refusals ---- */

static void refuses_what_it_would_change(void **state) {
  (void)state;
  static const struct { const char *one, *one_name, *other, *other_name, *says; } cases[] = {
      {"l", "a", "d:50,2,256", "big", "column big"},   {"l", "a", "tin", "age", "column age"},     {"l", "a", "tiM", "age", "column age"},
      {"l", "a", "d:5,-2", "round", "column round"},   {"l", "a", "u", "A", "columns a and A"},    {"l", "a", "l", "a", "columns a and a"},
      {"l", "a", "+vl", "view", "column view"},        {"l", "a", "l", "", "has no name"},
  };
  tenon_ctx *ctx = context();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema s;
    tenon_error err = TENON_ERROR_INIT;
    tn_writer w;
    tn_format_options options = TN_FORMAT_OPTIONS_INIT;
    assert_int_equal(tn_schema_struct(&s, 2, NULL), TENON_OK);
    assert_int_equal(tn_schema_set(s.children[0], cases[i].one_name, cases[i].one, true, 0, NULL), TENON_OK);
    assert_int_equal(tn_schema_set(s.children[1], cases[i].other_name, cases[i].other, true, 0, NULL), TENON_OK);
    int fd = tn_spool_open();
    assert_int_equal(tn_format_parquet.writer(ctx, fd, &s, &options, &w, &err), TENON_UNSUPPORTED);
    if (!strstr(err.message, cases[i].says) || !err.remedy[0]) fail_msg("%s (%s) does not say %s", err.message, err.remedy, cases[i].says);
    close(fd);
    tn_schema_release(&s);
  }
  tenon_ctx_free(ctx);
}

/* A value that its column's type cannot hold: found, with column and row, and no file is made. */
static void finds_values_that_lie(void **state) {
  (void)state;
  static const struct { const char *format; int64_t low, high; } cases[] = {
      {"d:15,2", 1000000000000000, 0}, {"d:15,2", 5, 7}, {"d:4,0", 10000, 0}, {"d:38,0", 0, INT64_MAX}, {"tdm", 1000, 0}, {"tss:", INT64_MAX, 0},
  };
  tenon_ctx *ctx = context();
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    struct ArrowSchema s;
    struct ArrowArray a;
    tn_builder *b;
    tenon_error err = TENON_ERROR_INIT;
    tn_format_options options = TN_FORMAT_OPTIONS_INIT;
    int64_t zero[2] = {0, 0}, value[2] = {cases[i].low, cases[i].high};
    assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
    assert_int_equal(tn_schema_set(s.children[0], "liar", cases[i].format, true, 0, NULL), TENON_OK);
    assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
    for (int k = 0; k < 10; k++) assert_true(tn_append_fixed(tn_builder_column(b, 0), k == 6 ? value : zero));
    assert_int_equal(tn_builder_finish(b, 10, &a, NULL), TENON_OK);
    int fd = tn_spool_open();
    assert_int_equal(write_batches(ctx, &s, &a, 1, &options, fd, &err), TENON_DATA);
    if (!strstr(err.message, "column liar, row 7")) fail_msg("%s: %s", cases[i].format, err.message);
    close(fd);
    tn_builder_free(b);
    tn_schema_release(&s);
  }
  tenon_ctx_free(ctx);
}

/* ---- Filters: what the engine decides is what the core would have decided ---- */

static int64_t read_rows(tenon_ctx *ctx, int fd, const tenon_read *read, bool hide, uint64_t *ret_hash, uint64_t *ret_pushed) {
  tenon_error err = TENON_ERROR_INIT;
  tn_input in = input_of(&fd);
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_rows rows = {.struct_size = sizeof rows};
  tenon_read plain = *read;
  if (hide) plain.filter_count = 0, plain.limit = -1, plain.columns = NULL;
  assert_ok(tn_format_parquet.read(ctx, &in, &options, NULL, &plain, &rows, &err), err);
  *ret_pushed = rows.filters_applied;
  if (hide) rows.filters_applied = 0, rows.applied = 0;
  assert_ok(tn_rows_complete(read, &rows, &err), err);
  int64_t count = 0;
  *ret_hash = 14695981039346656037u;
  for (;;) {
    struct ArrowArray a = {0};
    assert_ok(rows.stream.next(rows.stream.self, &a, &err), err);
    if (!a.release) break;
    const struct ArrowArray *id = a.children[0];
    for (int64_t i = 0; i < a.length; i++)
      *ret_hash = (*ret_hash ^ (uint64_t)((const int64_t *)id->buffers[1])[id->offset + a.offset + i]) * 1099511628211u;
    count += a.length;
    a.release(&a);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return count;
}

enum { POOL = 12 };

static const char *const pool_formats[] = {"b", "c", "C", "i", "I", "l", "L", "f", "g", "u", "z", "d:3,1", "d:15,2", "d:38,10", "tdD", "ttu", "tsu:", "tsm:", "tsn:", "tsu:UTC", "tss:UTC"};
enum { POOL_COLUMNS = sizeof pool_formats / sizeof pool_formats[0] };
static const char *const literals[][POOL] = {
    {"true", "false"},
    {"0", "1", "-1", "127", "-128", "128", "1000", "0.5", "-0.5"},
    {"0", "1", "-1", "255", "256", "200", "0.5"},
    {"0", "1", "-1", "2147483647", "-2147483648", "2147483648", "7.5", "100"},
    {"0", "1", "-1", "4294967295", "4294967296", "7.5", "100"},
    {"0", "1", "-1", "9223372036854775807", "-9223372036854775808", "9223372036854775808", "7.5", "100"},
    {"0", "1", "-1", "9223372036854775807", "9223372036854775808", "18446744073709551615", "7.5", "100"},
    {"0", "1.5", "-1.5", "1e30", "NaN", "Infinity", "-Infinity", "0.1"},
    {"0", "1.5", "-1.5", "1e300", "NaN", "Infinity", "-Infinity", "0.1"},
    {"", "a", "ab", "abc", "Z", "\xC3\xA4", "it's", "%", "b"},
    {"", "a", "ab", "abc", "Z", "it's"},
    {"0", "1", "-1.5", "99.9", "100", "0.05", "-99.9"},
    {"0", "1", "-1.5", "99.99", "1234567890123.45", "0.005", "12345678901234"},
    {"0", "1", "-1.5", "99.99", "1234567890123.45", "0.00000000005", "-0.0000000001"},
    {"1970-01-01", "1969-12-31", "2024-02-29", "1000-01-01"},
    {"00:00:00", "12:00:00.5", "23:59:59.999999"},
    {"1970-01-01T00:00:00", "2024-02-29T12:00:00.123456", "1969-12-31T23:59:59.999999"},
    {"1970-01-01T00:00:00", "2024-02-29T12:00:00.123", "1969-12-31T23:59:59.9995"},
    {"1970-01-01T00:00:00", "2024-02-29T12:00:00.123", "1969-12-31T23:59:59.9995"},
    {"1970-01-01T00:00:00Z", "2024-02-29T12:00:00.123456Z", "1969-12-31T23:59:59.999999Z"},
    {"1970-01-01T00:00:00Z", "2024-02-29T12:00:00Z", "1969-12-31T23:59:59.5Z"},
};

static tenon_value random_literal(int column) {
  int n = 0;
  while (n < POOL && literals[column][n]) n++;
  const char *text = literals[column][next_random() % (uint64_t)n];
  if (next_random() % 40 == 0) return (tenon_value){.type = TENON_VALUE_NULL};
  return (tenon_value){.type = TENON_VALUE_TEXT, .data = text, .size = strlen(text)};
}

/* Values near the literals, so that comparisons meet equal ones. */
static void append_pooled(tn_column *c, const char *f) {
  static const double doubles[] = {0.0, -0.0, 1.5, -1.5, 1e30, NAN, INFINITY, -INFINITY, 0.1};
  static const int64_t ints[] = {0, 1, -1, 127, -128, 255, 200, 2147483647, -2147483647 - 1, INT64_MAX, INT64_MIN, 7, 100};
  static const char *const texts[] = {"", "a", "ab", "abc", "Z", "\xC3\xA4", "it's", "%", "b", "abcdefghijklmnopq"};
  static const int64_t times[] = {0, -1, 1709208000123, 1709208000123456, 86399999999, -500, 1709208000, -30610224000000000};
  uint64_t r = next_random();
  __int128 wide = (__int128)ints[(r >> 8) % 13] * (r & 1 ? 1 : 5);
  if (r % 8 == 0) assert_true(tn_append_null(c));
  else if (f[0] == 'b') assert_true(tn_append_bool(c, r & 256));
  else if (f[0] == 'f') { float x = (float)doubles[(r >> 8) % 9]; assert_true(tn_append_fixed(c, &x)); }
  else if (f[0] == 'g') assert_true(tn_append_f64(c, doubles[(r >> 8) % 9]));
  else if (f[0] == 'u' || f[0] == 'z') assert_true(tn_append_text(c, texts[(r >> 8) % 10]));
  else if (f[0] == 'd') {
    int precision = atoi(f + 2);
    __int128 limit = 1;
    for (int i = 0; i < precision; i++) limit *= 10;
    wide %= limit;
    assert_true(tn_append_fixed(c, &wide));
  } else if (!strcmp(f, "tdD")) assert_true(tn_append_i32(c, (int32_t)((int64_t)(r >> 8) % 3 - 1) * (r & 4 ? 1 : 19782)));
  else if (!strcmp(f, "ttu")) assert_true(tn_append_i64(c, (int64_t)((r >> 8) % 3) * 43199999999));
  else if (f[0] == 't') assert_true(tn_append_i64(c, times[(r >> 8) % 8] / (!strncmp(f, "tss", 3) ? 1000000 : !strncmp(f, "tsm", 3) ? 1000 : 1)));
  else assert_true(tn_append_fixed(c, &ints[(r >> 8) % 13]));
}

static int pooled_file(tenon_ctx *ctx) {
  struct ArrowSchema s;
  struct ArrowArray a;
  tn_builder *b;
  char name[16];
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_schema_struct(&s, POOL_COLUMNS + 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "id", "l", true, 0, NULL), TENON_OK);
  for (int i = 0; i < POOL_COLUMNS; i++) {
    snprintf(name, sizeof name, "c%d", i);
    assert_int_equal(tn_schema_set(s.children[i + 1], name, pool_formats[i], true, 0, NULL), TENON_OK);
  }
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  for (int64_t i = 0; i < 5000; i++) {
    assert_true(tn_append_i64(tn_builder_column(b, 0), i));
    for (int c = 0; c < POOL_COLUMNS; c++) append_pooled(tn_builder_column(b, c + 1), pool_formats[c]);
  }
  assert_int_equal(tn_builder_finish(b, 5000, &a, NULL), TENON_OK);
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  options.row_group_rows = 500;   /* statistics of each, to be misled by */
  int fd = tn_spool_open();
  assert_ok(write_batches(ctx, &s, &a, 1, &options, fd, &err), err);
  tn_builder_free(b);
  tn_schema_release(&s);
  return fd;
}

static void decides_filters_as_the_core_does(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  int fd = pooled_file(ctx);
  static const char *const id[] = {"id"};
  uint64_t pushed_ever = 0;
  for (int round = 0; round < FILTER_ROUNDS; round++) {
    int c = (int)(next_random() % POOL_COLUMNS);
    char name[16];
    tenon_value values[3] = {random_literal(c), random_literal(c), random_literal(c)};
    tenon_filter_op op = (tenon_filter_op)(next_random() % 11);
    bool text = pool_formats[c][0] == 'u' || pool_formats[c][0] == 'z';
    if (op == TENON_PREFIX && !text) op = TENON_EQ;
    snprintf(name, sizeof name, "c%d", c);
    size_t count = op == TENON_IN ? 3 : op == TENON_BETWEEN ? 2 : op >= TENON_IS_NULL ? 0 : 1;
    tenon_filter filter = {.column = name, .op = op, .values = values, .value_count = count};
    tenon_read read = TENON_READ_INIT;
    read.columns = id;
    read.column_count = 1;
    read.filters = &filter;
    read.filter_count = 1;
    if (round % 5 == 0) read.limit = (int64_t)(next_random() % 300);
    uint64_t pushed, ignored, one, other;
    int64_t n = read_rows(ctx, fd, &read, false, &one, &pushed), m = read_rows(ctx, fd, &read, true, &other, &ignored);
    if (n != m || one != other)
      fail_msg("column %s %s, op %d, %.*s: %lld rows (pushed: %d), %lld without", name, pool_formats[c], (int)op, (int)values[0].size,
               values[0].data ? values[0].data : "", (long long)n, (int)pushed, (long long)m);
    pushed_ever += pushed;
  }
  assert_true(pushed_ever > FILTER_ROUNDS / 3);   /* else nothing was tested */
  close(fd);
  tenon_ctx_free(ctx);
}

/* ---- Hostile files ---- */

static int mutated(const uint8_t *data, size_t size) {
  int fd = tn_spool_open();
  assert_int_equal(tn_write_all(fd, data, size, NULL), TENON_OK);
  return fd;
}

/* Reads it to its end, whatever it is: right, or an error with a code, a message and a remedy. */
static bool survives(tenon_ctx *ctx, int fd) {
  tenon_error err = TENON_ERROR_INIT;
  tn_input in = input_of(&fd);
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  tenon_rows rows = {.struct_size = sizeof rows};
  options.memory = 64 << 20;
  tenon_status status = tn_format_parquet.read(ctx, &in, &options, NULL, &read, &rows, &err);
  bool begun = !status;
  while (!status) {
    struct ArrowArray a = {0};
    status = rows.stream.next(rows.stream.self, &a, &err);
    if (!status && !a.release) break;
    if (!status) a.release(&a);
  }
  if (begun) {
    rows.stream.close(rows.stream.self);
    tn_schema_release(&rows.stream.schema);
  }
  if (!status) return true;
  assert_int_equal(err.code, status);
  assert_true(err.message[0] && strstr(err.message, "t.parquet"));
  if (!err.remedy[0]) fail_msg("no remedy: %s", err.message);
  assert_true(status == TENON_DATA || status == TENON_UNSUPPORTED || status == TENON_LIMITED || status == TENON_IO || status == TENON_INTERNAL);
  return false;
}

static uint8_t *small_file(tenon_ctx *ctx, size_t *ret_size) {
  struct ArrowSchema s = nested_schema();
  tenon_error err = TENON_ERROR_INIT;
  tn_builder *b;
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  struct ArrowArray a = nested_batch(b, &s, 300);
  int fd = tn_spool_open();
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  options.compression = "snappy";
  assert_ok(write_batches(ctx, &s, &a, 1, &options, fd, &err), err);
  off_t size = lseek(fd, 0, SEEK_END);
  uint8_t *data = malloc((size_t)size);
  assert_int_equal(pread(fd, data, (size_t)size, 0), size);
  close(fd);
  tn_builder_free(b);
  tn_schema_release(&s);
  *ret_size = (size_t)size;
  return data;
}

static void survives_cut_files(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  size_t size;
  uint8_t *data = small_file(ctx, &size);
  for (int part = 0; part < 16; part++) {
    int fd = mutated(data, size * (size_t)part / 16);
    assert_false(survives(ctx, fd));
    close(fd);
  }
  for (size_t cut = 1; cut <= 12; cut++) {
    int fd = mutated(data, size - cut);
    assert_false(survives(ctx, fd));
    close(fd);
  }
  int fd = mutated(data, size);
  assert_true(survives(ctx, fd));
  close(fd);
  free(data);
  tenon_ctx_free(ctx);
}

static void survives_changed_bytes(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  size_t size;
  uint8_t *data = small_file(ctx, &size), *copy = malloc(size);
  uint32_t footer;
  memcpy(&footer, data + size - 8, 4);
  int wrong = 0;
  for (int round = 0; round < CHANGE_ROUNDS; round++) {
    memcpy(copy, data, size);
    /* most of them in the footer, where lengths and places are */
    size_t from = round % 4 ? size - 8 - footer : 4, n = round % 4 ? footer + 8 : size - 12 - footer;
    for (uint64_t k = 0; k <= next_random() % 3; k++) copy[from + next_random() % n] = (uint8_t)next_random();
    int fd = mutated(copy, size);
    wrong += !survives(ctx, fd);
    close(fd);
  }
  assert_true(wrong > CHANGE_ROUNDS / 8);
  free(data);
  free(copy);
  tenon_ctx_free(ctx);
}

/* ---- Ending early ---- */

static int open_descriptors(void) {
  int n = 0;
  for (int fd = 0; fd < 256; fd++) n += fcntl(fd, F_GETFD) >= 0;
  return n;
}

static void *cancel_soon(void *arg) {
  usleep(100000);
  tenon_ctx_cancel(arg);
  return NULL;
}

static void ends_when_cancelled(void **state) {
  (void)state;
  tenon_ctx *root = context(), *ctx;
  int before = open_descriptors();
  assert_int_equal(tenon_ctx_new(root, -1, &ctx, NULL), TENON_OK);
  struct ArrowSchema s = flat_schema();
  tn_builder *b;
  tn_writer w;
  tenon_error err = TENON_ERROR_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  int fd = tn_spool_open();
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  assert_ok(tn_format_parquet.writer(ctx, fd, &s, &options, &w, &err), err);
  pthread_t thread;
  pthread_create(&thread, NULL, cancel_soon, ctx);
  int64_t began = tn_now_ms();
  tenon_status status = TENON_OK;
  while (!status) {
    struct ArrowArray a = batch_of(b, &s, 2000);
    status = w.write(w.self, &a, &err);
    assert_null(a.release);
    assert_true(tn_now_ms() - began < 10000);
  }
  w.free(w.self);
#ifndef __SANITIZE_ADDRESS__
  assert_true(tn_now_ms() - began < 100 + 250);
#endif
  assert_int_equal(status, TENON_CANCELLED);
  assert_int_equal(err.code, TENON_CANCELLED);
  pthread_join(thread, NULL);
  close(fd);
  tn_builder_free(b);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
  tenon_ctx_free(root);
  assert_true(open_descriptors() <= before + 1);   /* the housekeeper's */
}

static void says_that_the_disk_is_full(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  struct ArrowSchema s = flat_schema();
  tn_builder *b;
  tenon_error err = TENON_ERROR_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  int fd = tn_spool_open();
  struct rlimit old, small = {.rlim_cur = 64 << 10, .rlim_max = RLIM_INFINITY};
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
  small.rlim_max = old.rlim_max;
  signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  struct ArrowArray a = batch_of(b, &s, 20000);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
  tenon_status status = write_batches(ctx, &s, &a, 1, &options, fd, &err);
  assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
  assert_int_equal(status, TENON_LIMITED);
  assert_non_null(strstr(err.remedy, "room"));
  assert_null(strstr(err.message, "/proc/self"));
  close(fd);
  tn_builder_free(b);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
}

/* A pipe gets the file when it is whole. */
static void *drain_pipe(void *arg) {
  int *fds = arg;
  char data[8192];
  for (ssize_t n; (n = read(fds[0], data, sizeof data)) > 0;) assert_int_equal(write(fds[2], data, (size_t)n), n);
  return NULL;
}

static void writes_to_pipes(void **state) {
  (void)state;
  tenon_ctx *ctx = context();
  struct ArrowSchema s = flat_schema();
  tn_builder *b, *again;
  tenon_error err = TENON_ERROR_INIT;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  int fds[3];
  assert_int_equal(pipe(fds), 0);
  fds[2] = tn_spool_open();
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &again, NULL), TENON_OK);
  uint64_t seed = random_state;
  struct ArrowArray a = batch_of(b, &s, 3000);
  random_state = seed;
  struct ArrowArray kept = batch_of(again, &s, 3000);
  pthread_t thread;
  pthread_create(&thread, NULL, drain_pipe, fds);
  assert_ok(write_batches(ctx, &s, &a, 1, &options, fds[1], &err), err);
  close(fds[1]);
  pthread_join(thread, NULL);
  read_back(ctx, fds[2], &s, &kept, 1);
  close(fds[0]);
  close(fds[2]);
  tn_array_release(&kept);
  tn_builder_free(b);
  tn_builder_free(again);
  tn_schema_release(&s);
  tenon_ctx_free(ctx);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(brings_values_back),
      cmocka_unit_test(brings_nested_values_and_the_schema_back),
      cmocka_unit_test(writes_files_without_rows),
      cmocka_unit_test(refuses_what_it_would_change),
      cmocka_unit_test(finds_values_that_lie),
      cmocka_unit_test(decides_filters_as_the_core_does),
      cmocka_unit_test(survives_cut_files),
      cmocka_unit_test(survives_changed_bytes),
      cmocka_unit_test(ends_when_cancelled),
      cmocka_unit_test(says_that_the_disk_is_full),
      cmocka_unit_test(writes_to_pipes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
