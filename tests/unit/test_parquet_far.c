/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet by ranges: which ones, whatever a footer says; what comes of fewer bytes, of more, of none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/file.h"
#include "formats/format.h"
#include "formats/parquet_pages.h"
#include "formats/parquet_ranges.h"

enum { MIB = 1 << 20, KIB = 1 << 10 };

#define assert_ok(status, err) \
  do { if (status) { print_error("%s: %s (%s)\n", tenon_status_name((err).code), (err).message, (err).remedy); fail(); } } while (0)

/* ---- Which ranges ---- */

static uint64_t random_state = 88172645463325252u;

static uint64_t next_random(void) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  return random_state ^= random_state << 17;
}

enum { LEAVES = 6, GROUPS = 8, CHUNKS = LEAVES * GROUPS };

static tn_parquet_footer footer_of(tn_parquet_chunk *chunks, int64_t file_size) {
  return (tn_parquet_footer){.size = 1000, .file_size = file_size, .leaf_count = LEAVES, .element_count = LEAVES + 1,
                             .chunks = chunks, .chunk_count = CHUNKS};
}

static const bool *first_groups(size_t count) {
  static bool groups[64];
  for (size_t i = 0; i < 64; i++) groups[i] = i < count;
  return groups;
}

/* A file of 64 KiB, of which each byte is marked. */
static void gives_ranges_of_the_file_alone(void **state) {
  (void)state;
  enum { SIZE = 64 * KIB, END = SIZE - 1000 - TN_PARQUET_TAIL };
  static const int64_t sizes[] = {INT64_MAX, INT64_MAX - 1, 0, 1, SIZE, 100, 700, 3000};
  static uint8_t marks[SIZE];
  for (int round = 0; round < 3000; round++) {
    tn_parquet_chunk chunks[CHUNKS];
    bool wanted[LEAVES + 1] = {false};
    size_t groups = next_random() % (GROUPS + 1);
    int64_t from = round % 3 ? END : (int64_t)(next_random() % SIZE), limit = from < END ? from : END, needed = 0, most = 0;
    for (int i = 1; i <= LEAVES; i++) wanted[i] = next_random() % 3 == 0;
    for (int i = 0; i < CHUNKS; i++)
      chunks[i] = (tn_parquet_chunk){.leaf = 1 + (uint32_t)i % LEAVES, .begin = (int64_t)(next_random() % SIZE),
                                     .size = sizes[next_random() % (round % 2 ? 8 : 2) + (round % 2 ? 0 : 6)]};
    tn_parquet_footer f = footer_of(chunks, SIZE);
    tn_parquet_ranges ranges;
    assert_int_equal(tn_parquet_ranges_init(&f, wanted, first_groups(groups), from, &ranges, NULL), TENON_OK);
    memset(marks, 0, sizeof marks);
    for (size_t i = 0; i < ranges.count; i++) {
      const tn_parquet_range *r = &ranges.items[i];
      assert_true(r->begin >= 0 && r->begin < r->end && r->end <= limit);
      assert_true(i == 0 || r->begin > r[-1].end);
      memset(marks + r->begin, 1, (size_t)(r->end - r->begin));
    }
    for (size_t i = 0; i < groups * LEAVES; i++)
      for (int64_t at = chunks[i].begin; wanted[chunks[i].leaf] && at < limit && at - chunks[i].begin < chunks[i].size; at++) {
        assert_true(marks[at]);
        marks[at] = 2;
      }
    for (int64_t at = 0; at < SIZE; at++) {
      needed += marks[at] == 2;
      most += marks[at] == 1;
    }
    assert_true(most <= needed / 8 + 16 * KIB);
    tn_parquet_ranges_release(&ranges);
  }
}

/* Chunks of a MiB and gaps between them: how many ranges come of it? */
static size_t count_ranges(const int64_t *gaps, size_t count) {
  tn_parquet_chunk chunks[CHUNKS] = {{0}};
  bool wanted[LEAVES + 1] = {[1] = true};
  int64_t at = 4;
  for (size_t i = 0; i <= count; i++) {
    chunks[i * LEAVES] = (tn_parquet_chunk){.leaf = 1, .begin = at, .size = MIB};
    at += MIB + (i < count ? gaps[i] : 0);
  }
  tn_parquet_footer f = footer_of(chunks, INT64_C(1) << 40);
  tn_parquet_ranges ranges;
  assert_int_equal(tn_parquet_ranges_init(&f, wanted, first_groups(count + 1), INT64_MAX, &ranges, NULL), TENON_OK);
  size_t made = ranges.count;
  tn_parquet_ranges_release(&ranges);
  return made;
}

static void closes_the_narrow_gaps_that_cost_little(void **state) {
  (void)state;
  assert_int_equal(count_ranges(NULL, 0), 1);
  assert_int_equal(count_ranges((int64_t[]){0}, 1), 1);
  assert_int_equal(count_ranges((int64_t[]){100 * KIB}, 1), 1);
  assert_int_equal(count_ranges((int64_t[]){300 * KIB}, 1), 2);                                /* more than an eighth of 2 MiB */
  assert_int_equal(count_ranges((int64_t[]){300 * KIB, 0, 1, 2, 0, 3, 0}, 7), 1);              /* of 8 MiB it is not */
  assert_int_equal(count_ranges((int64_t[]){MIB + 1, 0, 0, 0, 0, 0, 0}, 7), 2);
  assert_int_equal(count_ranges((int64_t[]){600 * KIB, 20 * KIB, 500 * KIB, 10 * KIB, 5 * KIB, 0, 0}, 7), 2);
  assert_int_equal(count_ranges((int64_t[]){600 * KIB, 600 * KIB, 0, 0, 0, 0, 0}, 7), 3);      /* as wide as each other: none of them */
}

static void counts_the_groups_that_rows_are_in(void **state) {
  (void)state;
  tn_parquet_group groups[] = {{.rows = 10}, {.rows = 0}, {.rows = 5}, {.rows = 1}};
  tn_parquet_footer f = {.groups = groups, .group_count = 4};
  static const struct { int64_t rows; size_t groups; } cases[] = {{-1, 4}, {0, 0}, {1, 1}, {10, 1}, {11, 3}, {15, 3}, {16, 4}, {1000, 4}};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    bool all[4] = {true, true, true, true};
    tn_parquet_groups_for(&f, cases[i].rows, all);
    for (size_t g = 0; g < 4; g++) assert_int_equal(all[g], g < cases[i].groups);
  }
  bool some[4] = {false, true, true, true};
  tn_parquet_groups_for(&f, 5, some);
  assert_true(!some[0] && some[1] && some[2] && !some[3]);
}

/* ---- A file in hand, which says what was asked of it ---- */

typedef struct fixture {
  tenon_ctx *ctx;
  int fd;
  int64_t size, at, end;
  int64_t moved;
  int opened, closed;
  bool refuses;              /* to give parts */
  int surplus;               /* bytes more, or fewer, in the range with the number */
  int wrong_range;
} fixture;

static tenon_status read_part(void *self, void *data, size_t size, size_t *ret, tenon_error *err) {
  fixture *x = self;
  (void)err;
  if (size > 5000) size = 5000;
  if ((int64_t)size > x->end - x->at) size = (size_t)(x->end - x->at);
  ssize_t n = pread(x->fd, data, size, x->at);
  assert_true(n >= 0);
  x->at += n;
  x->moved += n;
  *ret = (size_t)n;
  return TENON_OK;
}

static void close_part(void *self) { ((fixture *)self)->closed++; }

static tenon_status open_part(void *self, int64_t offset, int64_t length, tenon_bytes *ret, tenon_error *err) {
  fixture *x = self;
  assert_true(offset >= 0 && offset < x->size && (length == -1 || (length > 0 && length <= x->size - offset)));
  if (x->refuses && length >= 0) return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "read all", "no parts");
  x->at = offset;
  x->end = length < 0 ? x->size : offset + length;
  if (++x->opened == x->wrong_range) x->at += x->surplus < 0 ? -x->surplus : 0, x->end += x->surplus > 0 ? x->surplus : 0;
  *ret = (tenon_bytes){.struct_size = sizeof *ret, .fd = -1, .length = -1, .self = x, .read = read_part, .close = close_part};
  return TENON_OK;
}

static tn_input input_of(fixture *x) {
  return (tn_input){.name = "far.parquet", .size = x->size, .is_far = true, .self = x, .open = open_part};
}

enum { ROWS = 30000, GROUP = 10240, FIELDS = 4 };

/* Columns a, b, c, d: the row's number times 1, 2, 3, 4; all different, so that no chunk is small. */
static int set_up(void **state) {
  static fixture x;
  tenon_error err = TENON_ERROR_INIT;
  struct ArrowSchema s;
  struct ArrowArray batch;
  tn_builder *b;
  tn_writer w;
  struct stat info;
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  options.compression = "none";
  options.row_group_rows = GROUP;
  x = (fixture){.fd = tn_spool_open()};
  assert_int_equal(tenon_ctx_new(NULL, -1, &x.ctx, NULL), TENON_OK);
  assert_int_equal(tn_schema_struct(&s, FIELDS, NULL), TENON_OK);
  for (int c = 0; c < FIELDS; c++) assert_int_equal(tn_schema_set(s.children[c], (char[]){(char)('a' + c), 0}, "l", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  for (int c = 0; c < FIELDS; c++)
    for (int64_t i = 0; i < ROWS; i++) assert_true(tn_append_i64(tn_builder_column(b, c), i * (c + 1) << 32 | i));
  assert_int_equal(tn_builder_finish(b, ROWS, &batch, NULL), TENON_OK);
  assert_ok(tn_format_parquet.writer(x.ctx, x.fd, &s, &options, &w, &err), err);
  assert_ok(w.write(w.self, &batch, &err), err);
  assert_ok(w.finish(w.self, NULL, &err), err);
  w.free(w.self);
  tn_builder_free(b);
  tn_schema_release(&s);
  assert_int_equal(fstat(x.fd, &info), 0);
  x.size = info.st_size;
  *state = &x;
  return 0;
}

static int tear_down(void **state) {
  fixture *x = *state;
  assert_int_equal(x->opened, x->closed);
  close(x->fd);
  tenon_ctx_free(x->ctx);
  return 0;
}

/* ret_rows: how many there were; each is what it has to be. */
static tenon_status read_column(fixture *x, const char *name, int64_t limit, int64_t *ret_rows, tenon_error *err) {
  tn_input in = input_of(x);
  tn_format_options options = TN_FORMAT_OPTIONS_INIT;
  tenon_read read = TENON_READ_INIT;
  tenon_rows rows = {.struct_size = sizeof rows};
  read.columns = &name;
  read.column_count = 1;
  read.limit = limit;
  *ret_rows = 0;
  tenon_status status = tn_format_parquet.read(x->ctx, &in, &options, NULL, &read, &rows, err);
  if (status) return status;
  for (;;) {
    struct ArrowArray a = {0};
    if ((status = rows.stream.next(rows.stream.self, &a, err)) || !a.release) break;
    const struct ArrowArray *c = a.children[0];
    for (int64_t i = 0; i < a.length; i++, ++*ret_rows)
      assert_int_equal(((const int64_t *)c->buffers[1])[c->offset + i], *ret_rows * (name[0] - 'a' + 1) << 32 | *ret_rows);
    tn_array_release(&a);
  }
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return status;
}

static void reads_a_column_by_its_ranges(void **state) {
  fixture *x = *state;
  tenon_error err = TENON_ERROR_INIT;
  int64_t rows;
  assert_true(x->size > 4 * ROWS * 8);
  assert_ok(read_column(x, "b", -1, &rows, &err), err);
  assert_int_equal(rows, ROWS);
  assert_true(x->moved >= ROWS * 8 && x->moved < ROWS * 8 * 9 / 8 + 64 * KIB + 17 * KIB);
  x->moved = 0;
  assert_ok(read_column(x, "a", GROUP, &rows, &err), err);
  assert_int_equal(rows, GROUP);
  assert_true(x->moved < GROUP * 8 + 65 * KIB);
  x->moved = 0;
  assert_ok(read_column(x, "a", 0, &rows, &err), err);
  assert_true(rows == 0 && x->moved == 64 * KIB);
}

static void takes_all_where_there_are_no_parts(void **state) {
  fixture *x = *state;
  tenon_error err = TENON_ERROR_INIT;
  int64_t rows;
  x->refuses = true;
  assert_ok(read_column(x, "c", -1, &rows, &err), err);
  assert_int_equal(rows, ROWS);
  assert_int_equal(x->moved, x->size);
}

static void finds_ranges_that_are_others(void **state) {
  fixture *x = *state;
  static const int surplus[] = {-1, 1, -4000, 4000};
  for (int range = 1; range <= 2; range++)
    for (int i = 0; i < 4; i++) {
      tenon_error err = TENON_ERROR_INIT;
      int64_t rows;
      if (range == 1 && surplus[i] > 0) continue;   /* there is nothing behind the end */
      x->opened = x->closed = 0;
      x->wrong_range = range;
      x->surplus = surplus[i];
      assert_int_equal(read_column(x, "b", -1, &rows, &err), TENON_DATA);
      assert_non_null(strstr(err.message, "other bytes"));
      assert_true(err.remedy[0] && rows == 0);
    }
}

/* ---- Footers, pages ---- */

static void cuts_footers(void **state) {
  fixture *x = *state;
  tn_parquet_footer f;
  tenon_error err = TENON_ERROR_INIT;
  assert_ok(tn_parquet_footer_init(x->fd, "f", &f, &err), err);
  assert_int_equal(f.group_count, 3);
  for (size_t groups = 0; groups <= f.group_count; groups++) {
    tn_str cut;
    tn_parquet_footer again;
    uint32_t size;
    int fd = tn_spool_open();
    tn_str_init(&cut, MIB);
    assert_ok(tn_parquet_footer_cut(&f, first_groups(groups), &cut, &err), err);
    if (groups == f.group_count) assert_true(cut.size == f.size && memcmp(cut.data, f.data, f.size) == 0);
    size = (uint32_t)cut.size;
    assert_int_equal(ftruncate(fd, f.file_size - TN_PARQUET_TAIL - (int64_t)f.size), 0);
    assert_int_equal(pwrite(fd, "PAR1", 4, 0), 4);
    lseek(fd, 0, SEEK_END);
    assert_ok(tn_write_all(fd, cut.data, cut.size, &err), err);
    assert_ok(tn_write_all(fd, &size, 4, &err), err);
    assert_ok(tn_write_all(fd, "PAR1", 4, &err), err);
    assert_ok(tn_parquet_footer_init(fd, "again", &again, &err), err);
    assert_int_equal(again.group_count, groups);
    assert_int_equal(again.rows, groups == 3 ? ROWS : (int64_t)groups * GROUP);
    tn_parquet_footer_release(&again);
    tn_str_release(&cut);
    close(fd);
  }
  tn_parquet_footer_release(&f);
}

static void walks_pages(void **state) {
  fixture *x = *state;
  tn_parquet_footer f;
  tenon_error err = TENON_ERROR_INIT;
  assert_ok(tn_parquet_footer_init(x->fd, "f", &f, &err), err);
  for (size_t i = 0; i < f.chunk_count; i++) {
    tn_parquet_chunk *c = &f.chunks[i], good = *c;
    assert_ok(tn_parquet_pages_check(x->ctx, x->fd, &f, i, "f", &err), err);
    const tn_parquet_chunk bad[] = {
        {.begin = good.begin, .size = good.size - 1, .values = good.values}, {.begin = good.begin, .size = good.size, .values = good.values + 1},
        {.begin = good.begin, .size = good.size, .values = INT64_MAX},       {.begin = good.begin, .size = 0, .values = 1},
        {.begin = good.begin, .size = 3, .values = 1},                       {.begin = x->size - 1, .size = INT64_MAX, .values = 1},
        {.begin = 0, .size = INT64_MAX, .values = 1},
    };
    for (size_t k = 0; k < sizeof bad / sizeof bad[0]; k++) {
      tenon_error why = TENON_ERROR_INIT;
      *c = bad[k];
      assert_int_equal(tn_parquet_pages_check(x->ctx, x->fd, &f, i, "f", &why), TENON_DATA);
      assert_true(why.message[0] && why.remedy[0]);
    }
    *c = good;
  }
  tn_parquet_footer_release(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(gives_ranges_of_the_file_alone),
      cmocka_unit_test(closes_the_narrow_gaps_that_cost_little),
      cmocka_unit_test(counts_the_groups_that_rows_are_in),
      cmocka_unit_test_setup_teardown(reads_a_column_by_its_ranges, set_up, tear_down),
      cmocka_unit_test_setup_teardown(takes_all_where_there_are_no_parts, set_up, tear_down),
      cmocka_unit_test_setup_teardown(finds_ranges_that_are_others, set_up, tear_down),
      cmocka_unit_test_setup_teardown(cuts_footers, set_up, tear_down),
      cmocka_unit_test_setup_teardown(walks_pages, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
