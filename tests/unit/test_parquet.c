/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet: what goes in comes out, type by type; what cannot is refused by name; nothing hangs or stays behind. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/file.h"
#include "formats/format.h"
#include "unit/arrow_equal.h"

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
                                      "d:38,10", "tdD", "tdm", "tts", "ttm", "ttu", "tDs", "tDn", "e", "U", "Z", "w:5", "tsu:", "tsm:", "tss:", "tsn:", "tsu:UTC", "tsu:Europe/Berlin", "tsm:UTC", "tss:+02:00"};
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
  uint64_t r = next_random();
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
  else if (f[0] == 'e') { uint16_t half = (uint16_t)(r % 31744 | (r & 32768)); assert_true(tn_append_fixed(c, &half)); }
  else if (!strncmp(f, "tss", 3)) assert_true(tn_append_i64(c, (int64_t)(r >> 30) - 3000000000));
  else if (!strcmp(f, "ttu")) assert_true(tn_append_i64(c, (int64_t)(r % 86400000000u)));
  else if (!strcmp(f, "tdD")) assert_true(tn_append_i32(c, (int32_t)(r % 2000000) - 1000000));
  else if (!strncmp(f, "tsm", 3)) assert_true(tn_append_i64(c, (int64_t)(r >> 20) / 1000));
  else if (f[0] == 't') assert_true(tn_append_i64(c, (int64_t)r / 4));
  else if (f[0] == 'f') { float x = (float)(int32_t)r / 3; assert_true(tn_append_fixed(c, &x)); }
  else if (f[0] == 'g') assert_true(tn_append_f64(c, (double)(int64_t)r / 7));
  else assert_true(tn_append_fixed(c, &r));
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

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(brings_values_back),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
