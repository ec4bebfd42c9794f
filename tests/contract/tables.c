/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The facet `tables`, reading. Each answer is compared with what the oracle makes of the whole table,
 * so it must not depend on how much of the work the kind did itself.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "arrow/check.h"
#include "base/ctx.h"
#include "base/error.h"
#include "contract/contract.h"
#include "core/ops.h"

/* ---- Reading ---- */

static tenon_read read_of(const contract_kind *k) {
  tenon_read r = TENON_READ_INIT;
  r.name = k->table;
  return r;
}

static void read_with(contract_state *c, tn_session *s, const tenon_read *read, kept_rows *ret) {
  struct ArrowArrayStream rows;
  tn_applied applied = {0};
  tenon_error err = TENON_ERROR_INIT;
  if (tn_tables_read(NULL, s, read, &rows, &applied, &err) || keep_rows(&rows, ret, &err)) {
    expect_error(c->kind, &err, err.code);
    fail_msg("%s", err.message);
  }
}

static kept_rows read_all(contract_state *c, tn_session *s) {
  const tenon_read read = read_of(c->kind);
  kept_rows k;
  read_with(c, s, &read, &k);
  return k;
}

static int by_text(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Are these rows (as lines) those of `want` that are in `rows`? In order, or as a set. */
static void expect_rows(const kept_rows *got, const kept_rows *whole, const int64_t *rows,
                        int64_t count, const int64_t *columns,
                        int64_t column_count, bool in_order, const char *what) {
  if (got->row_count != count)
    fail_msg("%s: %lld rows instead of %lld", what, (long long)got->row_count, (long long)count);
  char **a = calloc((size_t)count + 1, sizeof *a), **b = calloc((size_t)count + 1, sizeof *b);
  for (int64_t i = 0; i < count; i++) {
    a[i] = kept_line(got, i, NULL, 0);
    b[i] = kept_line(whole, rows[i], columns, column_count);
  }
  if (!in_order) {
    qsort(a, (size_t)count, sizeof *a, by_text);
    qsort(b, (size_t)count, sizeof *b, by_text);
  }
  for (int64_t i = 0; i < count; i++)
    if (strcmp(a[i], b[i]) != 0)
      fail_msg("%s: row %lld is %s instead of %s", what, (long long)i, a[i], b[i]);
  for (int64_t i = 0; i < count; i++) {
    tn_free(a[i]);
    tn_free(b[i]);
  }
  free(a);
  free(b);
}

/* ---- list and describe ---- */

static void lists_its_tables(void **state) {
  static const struct { const char *name; const char *format; } columns[] = {
      {"catalog", "u"}, {"schema", "u"}, {"name", "u"}, {"kind", "u"}, {"rows_estimate",
                                                                        "l"}, {"comment", "u"}};
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  struct ArrowArrayStream stream;
  kept_rows k;
  tn_arena arena;
  tenon_error err = TENON_ERROR_INIT;
  tn_arena_init(&arena, 1 << 20);
  if (tn_tables_list(NULL, s, NULL, &stream, &err) || keep_rows(&stream, &k, &err))
    fail_msg("%s", err.message);
  assert_int_equal(k.schema.n_children, 6);
  for (int i = 0; i < 6; i++) {
    assert_string_equal(k.schema.children[i]->name, columns[i].name);
    assert_string_equal(k.schema.children[i]->format, columns[i].format);
  }
  bool found = false;
  cell last[2] = {{.is_null = true}};
  for (int64_t i = 0; i < k.row_count; i++) {
    cell schema = kept_cell(&k, i, 1, &arena), name = kept_cell(&k, i, 2, &arena);
    found |= name.size == strlen(c->kind->table.table) &&
        memcmp(name.data, c->kind->table.table, name.size) == 0;
    assert_false(name.is_null);
    /* ordered by schema, then by name */
    bool same_schema = i > 0 && schema.is_null == last[0].is_null &&
        (schema.is_null || cell_compare(&schema, &last[0]) == 0);
    if (same_schema && cell_compare(&last[1], &name) > 0)
      fail_msg("row %lld is out of order", (long long)i);
    last[0] = schema, last[1] = name;
  }
  if (!found) fail_msg("%s is not listed", c->kind->table.table);
  tn_arena_release(&arena);
  kept_release(&k);
  tn_session_release(s);
}

static void describes_what_it_reads(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_read read = read_of(c->kind);
  tenon_table t;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_tables_describe(NULL, s, &read, &t, &err)) fail_msg("%s", err.message);
  kept_rows all = read_all(c, s);
  tn_session_release(s);
  /* a description lives until it is released, whatever happens to its session */
  assert_int_equal(t.column_count, t.schema.n_children);
  assert_int_equal(all.schema.n_children, t.schema.n_children);
  bool has_key = false;
  for (size_t i = 0; i < t.column_count; i++) {
    assert_string_equal(t.columns[i].name, t.schema.children[i]->name);
    assert_string_equal(t.columns[i].name, all.schema.children[i]->name);
    if (strcmp(t.schema.children[i]->format, all.schema.children[i]->format) != 0)
      fail_msg("column %s is described as %s and read as %s", t.columns[i].name,
               t.schema.children[i]->format, all.schema.children[i]->format);
    assert_true(t.columns[i].type && t.columns[i].type[0]);
    has_key |= strcmp(t.columns[i].name, c->kind->key_column) == 0;
  }
  assert_true(has_key);
  for (size_t i = 0; i < t.key_count; i++)
    assert_true(t.keys[i].kind && t.keys[i].column_count > 0);
  t.release(&t);
  kept_release(&all);
}

static void what_is_not_there_is_not_found(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_read read = read_of(c->kind);
  struct ArrowArrayStream rows;
  tenon_table t;
  read.name.table = "no such table: neither here nor there";
  tenon_error err = TENON_ERROR_INIT;
  assert_int_not_equal(tn_tables_describe(NULL, s, &read, &t, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_error_init(&err);
  assert_int_not_equal(tn_tables_read(NULL, s, &read, &rows, NULL, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  static const char *const none[] = {"no such column"};
  read = read_of(c->kind);
  read.columns = none;
  read.column_count = 1;
  tn_error_init(&err);
  assert_int_not_equal(tn_tables_read(NULL, s, &read, &rows, NULL, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_NOT_FOUND);
  tn_session_release(s);
}

/* Called without the core between: what is not an answer leaves the reply alone. */
static void replies_are_untouched_on_failure(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_provider *p = c->kind->provider;
  void *native = NULL;
  tenon_ctx *ctx;
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tenon_ctx_new(NULL, 10000, &ctx, NULL), TENON_OK);
  if (p->open(ctx, p, tn_connector_config(c->connector)->data, &native, &err))
    fail_msg("%s", err.message);
  tenon_read read = read_of(c->kind);
  read.name.table = "no such table: neither here nor there";
  unsigned char rows[sizeof(tenon_rows)], table[sizeof(tenon_table)], untouched[sizeof(tenon_rows) + sizeof(tenon_table)];
  memset(rows, 0xA5, sizeof rows);
  memset(table, 0xA5, sizeof table);
  memset(untouched, 0xA5, sizeof untouched);
  assert_int_not_equal(p->tables->read(ctx, native, &read, (tenon_rows *)(void *)rows, &err),
                       TENON_OK);
  assert_memory_equal(rows, untouched, sizeof rows);
  tn_error_init(&err);
  assert_int_not_equal(p->tables->describe(ctx, native, &read, (tenon_table *)(void *)table, &err),
                       TENON_OK);
  assert_memory_equal(table, untouched, sizeof table);
  p->close(native);
  tenon_ctx_free(ctx);
  tn_session_release(s);
}

/* ---- read ---- */

static void reads_all_rows(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s), again;
  assert_int_equal(all.row_count, c->kind->row_count);
  /* zeroed memory with a name is the same read */
  const tenon_read zeroed = {.name = c->kind->table};
  read_with(c, s, &zeroed, &again);
  assert_int_equal(again.row_count, c->kind->row_count);
  kept_release(&again);
  if (c->kind->query) {
    tenon_read read = TENON_READ_INIT;
    read.query = c->kind->query;
    read_with(c, s, &read, &again);
    assert_int_equal(again.row_count, c->kind->row_count);
    assert_int_equal(again.schema.n_children, all.schema.n_children);
    kept_release(&again);
  }
  kept_release(&all);
  tn_session_release(s);
}

static int64_t *all_rows(const kept_rows *k) {
  int64_t *rows = calloc((size_t)k->row_count + 1, sizeof *rows);
  for (int64_t i = 0; i < k->row_count; i++) rows[i] = i;
  return rows;
}

static void gives_the_columns_asked_for(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s), got;
  int64_t *rows = all_rows(&all), n = all.schema.n_children;
  const char *names[64];
  int64_t places[64];
  for (int round = 0; round < n + 1 && round < 63; round++) {
    /* each alone, then all in reverse */
    int64_t count = round < n ? 1 : n < 64 ? n : 64;
    for (int64_t i = 0; i < count; i++) places[i] = round < n ? round : count - 1 - i;
    for (int64_t i = 0; i < count; i++) names[i] = all.schema.children[places[i]]->name;
    tenon_read read = read_of(c->kind);
    read.columns = names;
    read.column_count = (size_t)count;
    read_with(c, s, &read, &got);
    assert_int_equal(got.schema.n_children, count);
    for (int64_t i = 0; i < count; i++) assert_string_equal(got.schema.children[i]->name, names[i]);
    expect_rows(&got, &all, rows, all.row_count, places, count, false, names[0]);
    kept_release(&got);
  }
  free(rows);
  kept_release(&all);
  tn_session_release(s);
}

static void keeps_to_limits(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const int64_t limits[] = {0, 1, 17, c->kind->row_count - 1, c->kind->row_count,
                            c->kind->row_count + 100, INT64_MAX};
  for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++) {
    kept_rows got;
    tenon_read read = read_of(c->kind);
    read.limit = limits[i];
    read_with(c, s, &read, &got);
    int64_t expected = limits[i] < c->kind->row_count ? limits[i] : c->kind->row_count;
    if (got.row_count != expected)
      fail_msg("limit %lld: %lld rows", (long long)limits[i], (long long)got.row_count);
    kept_release(&got);
  }
  tn_session_release(s);
}

static int64_t bytes_of(const struct ArrowArray *a, const struct ArrowSchema *s) {
  int64_t n = 0;
  for (int64_t i = 0; i < a->n_children; i++) n += bytes_of(a->children[i], s->children[i]);
  if (s->format[0] == 'u' || s->format[0] == 'z') {
    const int32_t *offsets = (const int32_t *)a->buffers[1] + a->offset;
    n += offsets[a->length] - offsets[0];
  }
  return n;
}

static void keeps_batches_small_when_asked(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows got;
  tenon_read read = read_of(c->kind);
  read.batch_bytes = 4096;
  read_with(c, s, &read, &got);
  assert_int_equal(got.row_count, c->kind->row_count);
  for (size_t i = 0; i < got.batch_count; i++)
    if (got.batches[i].length > 1 && bytes_of(&got.batches[i], &got.schema) > 4096)
      fail_msg("a batch of %lld rows has %lld bytes of text", (long long)got.batches[i].length,
               (long long)bytes_of(&got.batches[i], &got.schema));
  kept_release(&got);
  tn_session_release(s);
}

/* ---- Filters, against the oracle ---- */

static unsigned seed = 7;

static unsigned dice(unsigned sides) {
  seed = seed * 1103515245 + 12345;
  return (seed >> 8) % sides;
}

typedef struct oracle_filter {
  tenon_filter filter;
  int64_t column;
  cell literals[4];
  tenon_value values[4];
} oracle_filter;

/* A row with a value in this column, -1: there is none. */
static int64_t row_with_value(const kept_rows *k, int64_t column, tn_arena *arena) {
  for (int i = 0; i < 50; i++) {
    int64_t row = dice((unsigned)k->row_count);
    if (!kept_cell(k, row, column, arena).is_null) return row;
  }
  return -1;
}

static bool make_filter(const kept_rows *k, int64_t column, tenon_filter_op op, tn_arena *arena,
                        oracle_filter *ret) {
  const struct ArrowSchema *schema = k->schema.children[column];
  size_t count = op == TENON_IN ? 4 : op == TENON_BETWEEN ? 2 : op >= TENON_IS_NULL ? 0 : 1;
  oracle_filter f = {.column = column};
  for (size_t i = 0; i < count; i++) {
    int64_t row = row_with_value(k, column, arena);
    if (row < 0) return false;
    f.literals[i] = kept_cell(k, row, column, arena);
    if (op == TENON_PREFIX && f.literals[i].size > 3) f.literals[i].size = 3;
    /* a prefix in the middle of a letter is no text */
    while (op == TENON_PREFIX && f.literals[i].size && schema->format[0] == 'u' &&
           !tn_utf8_valid(f.literals[i].data, f.literals[i].size, NULL))
      f.literals[i].size--;
    f.values[i] = value_of_cell(schema, &f.literals[i], arena);
  }
  f.filter = (tenon_filter){.column = schema->name, .op = op, .value_count = count};
  *ret = f;
  return true;
}

static int64_t oracle(const kept_rows *k, const oracle_filter *filters, size_t count, int64_t *rows,
                      tn_arena *arena) {
  int64_t n = 0;
  for (int64_t i = 0; i < k->row_count; i++) {
    bool holds = true;
    for (size_t f = 0; f < count && holds; f++) {
      cell c = kept_cell(k, i, filters[f].column, arena);
      holds = cell_holds(&c, filters[f].filter.op, filters[f].literals,
                         filters[f].filter.value_count);
    }
    if (holds) rows[n++] = i;
  }
  return n;
}

static void check_filters(contract_state *c, tn_session *s, const kept_rows *all,
                          oracle_filter *filters, size_t count, tn_arena *arena) {
  tenon_filter asked[8];
  char what[300] = "";
  kept_rows got;
  tenon_read read = read_of(c->kind);
  int64_t *rows = calloc((size_t)all->row_count + 1, sizeof *rows);
  for (size_t i = 0; i < count; i++) {
    filters[i].filter.values = filters[i].values;
    asked[i] = filters[i].filter;
    size_t n = strlen(what);
    snprintf(what + n, sizeof what - n, "%s op %d; ", asked[i].column, asked[i].op);
  }
  read.filters = asked;
  read.filter_count = count;
  int64_t expected = oracle(all, filters, count, rows, arena);
  read_with(c, s, &read, &got);
  expect_rows(&got, all, rows, expected, NULL, 0, false, what);
  kept_release(&got);
  /* the filters' columns need not be among those that come */
  read.columns = &c->kind->key_column;
  read.column_count = 1;
  int64_t key = kept_column(all, c->kind->key_column);
  read_with(c, s, &read, &got);
  expect_rows(&got, all, rows, expected, &key, 1, false, what);
  kept_release(&got);
  if (expected > 1) {
    read.limit = expected - 1;
    read_with(c, s, &read, &got);
    if (got.row_count != expected - 1)
      fail_msg("%s limit: %lld rows instead of %lld", what, (long long)got.row_count,
               (long long)expected - 1);
    kept_release(&got);
  }
  free(rows);
}

static bool takes(const struct ArrowSchema *schema, cell_kind kind, tenon_filter_op op) {
  if (op >= TENON_IS_NULL) return true;
  if (op == TENON_PREFIX) return schema->format[0] == 'u' || schema->format[0] == 'z';
  return kind != CELL_NONE;
}

static void filters_by_each_column_and_operator(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s);
  for (int64_t column = 0; column < all.schema.n_children; column++) {
    for (int op = TENON_EQ; op <= TENON_IS_NOT_NULL; op++) {
      tn_arena arena;
      oracle_filter f;
      tn_arena_init(&arena, 256 << 20);
      cell_kind kind = kept_cell(&all, 0, column, &arena).kind;
      if (takes(all.schema.children[column], kind, (tenon_filter_op)op) &&
          make_filter(&all, column, (tenon_filter_op)op, &arena, &f))
        check_filters(c, s, &all, &f, 1, &arena);
      tn_arena_release(&arena);
    }
  }
  kept_release(&all);
  tn_session_release(s);
}

static void filters_hold_together(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s);
  for (int round = 0; round < 40; round++) {
    tn_arena arena;
    oracle_filter filters[3];
    size_t n = 0, want = 1 + dice(3);
    tn_arena_init(&arena, 256 << 20);
    while (n < want) {
      int64_t column = dice((unsigned)all.schema.n_children);
      tenon_filter_op op = (tenon_filter_op)dice(TENON_IS_NOT_NULL + 1);
      if (!takes(all.schema.children[column], kept_cell(&all, 0, column, &arena).kind, op))
        op = TENON_IS_NOT_NULL;
      n += make_filter(&all, column, op, &arena, &filters[n]);
    }
    check_filters(c, s, &all, filters, n, &arena);
    tn_arena_release(&arena);
  }
  kept_release(&all);
  tn_session_release(s);
}

static void impossible_filters_give_no_row(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_filter never = {.column = c->kind->key_column, .op = TENON_IN};
  tenon_read read = read_of(c->kind);
  kept_rows got;
  read.filters = &never;
  read.filter_count = 1;
  read.columns = &c->kind->key_column;
  read.column_count = 1;
  read_with(c, s, &read, &got);
  assert_int_equal(got.row_count, 0);
  assert_int_equal(got.schema.n_children, 1);
  kept_release(&got);
  tn_session_release(s);
}

/* ---- Order and after ---- */

typedef struct sorting {
  const kept_rows *k;
  const tenon_order *order;
  size_t count;
  tn_arena *arena;
} sorting;

static sorting now_sorting;

static int by_order(const void *a, const void *b) {
  int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  for (size_t i = 0; i < now_sorting.count; i++) {
    int64_t column = kept_column(now_sorting.k, now_sorting.order[i].column);
    cell l = kept_cell(now_sorting.k, x, column, now_sorting.arena), r =
        kept_cell(now_sorting.k, y, column, now_sorting.arena);
    int c = l.is_null || r.is_null ? l.is_null - r.is_null : now_sorting.order[i].descending
        ? -cell_compare(&l, &r) : cell_compare(&l, &r);
    if (c) return c;
  }
  return 0;
}

/* Page after page, each going on behind the last row of the one before. */
static void read_pages(contract_state *c, tn_session *s, const kept_rows *all,
                       const tenon_order *order, size_t count, const int64_t *expected,
                       int64_t page, tn_arena *arena) {
  tenon_value after[2];
  int64_t done = 0;
  while (done < all->row_count) {
    kept_rows got;
    tenon_read read = read_of(c->kind);
    read.order = order;
    read.order_count = count;
    read.limit = page;
    read.after = done ? after : NULL;
    read_with(c, s, &read, &got);
    int64_t left = all->row_count - done;
    expect_rows(&got, all, expected + done, left < page ? left : page, NULL, 0, true,
                order[0].column);
    done += got.row_count;
    kept_release(&got);
    for (size_t i = 0; i < count; i++) {
      int64_t column = kept_column(all, order[i].column);
      cell last = kept_cell(all, expected[done - 1], column, arena);
      after[i] = value_of_cell(all->schema.children[column], &last, arena);
    }
  }
}

static void orders_and_goes_on_after(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s);
  int64_t *expected = all_rows(&all);
  for (int64_t column = 0; column < all.schema.n_children; column++) {
    tn_arena arena;
    const char *name = all.schema.children[column]->name;
    tn_arena_init(&arena, 512 << 20);
    if (kept_cell(&all, 0, column, &arena).kind != CELL_NONE) {
      bool is_key = strcmp(name, c->kind->key_column) == 0;
      const tenon_order order[] = {{name, (uint8_t)(column & 1)},
                                   {c->kind->key_column, (uint8_t)(column >> 1 & 1)}};
      now_sorting = (sorting){&all, order, is_key ? 1 : 2, &arena};
      qsort(expected, (size_t)all.row_count, sizeof *expected, by_order);
      read_pages(c, s, &all, order, now_sorting.count, expected, all.row_count / 3 + 1, &arena);
    }
    tn_arena_release(&arena);
  }
  free(expected);
  kept_release(&all);
  tn_session_release(s);
}

static void an_absent_order_is_refused(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_order order = {.column = c->kind->key_column, .descending = 1};
  tenon_read read = read_of(c->kind);
  struct ArrowArrayStream rows;
  tenon_error err = TENON_ERROR_INIT;
  read.order = &order;
  read.order_count = 1;
  assert_int_equal(tn_tables_read(NULL, s, &read, &rows, NULL, &err), TENON_UNSUPPORTED);
  expect_error(c->kind, &err, TENON_UNSUPPORTED);
  tn_session_release(s);
}

/* ---- Streams ---- */

static void a_stream_may_end_in_the_middle(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  const tenon_read read = read_of(c->kind);
  for (int i = 0; i < 5; i++) {
    struct ArrowArrayStream rows;
    struct ArrowArray batch;
    tenon_error err = TENON_ERROR_INIT;
    if (tn_tables_read(NULL, s, &read, &rows, NULL, &err)) fail_msg("%s", err.message);
    if (i > 1) assert_int_equal(rows.get_next(&rows, &batch), 0);
    if (i > 1) batch.release(&batch);
    int64_t began = tn_now_ms();
    rows.release(&rows);
    assert_true(tn_now_ms() - began < 1000);
  }
  kept_rows all = read_all(c, s);
  assert_int_equal(all.row_count, c->kind->row_count);
  kept_release(&all);
  tn_session_release(s);
}

static void batches_outlive_stream_and_session(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  kept_rows all = read_all(c, s);
  char *before = kept_line(&all, all.row_count - 1, NULL, 0);
  tn_session_release(s);
  for (int i = 0; i < 3; i++) {
    s = contract_session(c);
    kept_rows more = read_all(c, s);
    tn_session_release(s);
    kept_release(&more);
  }
  char *after = kept_line(&all, all.row_count - 1, NULL, 0);
  assert_string_equal(before, after);
  tn_free(before);
  tn_free(after);
  kept_release(&all);
}

static void *cancel_soon(void *ctx) {
  usleep(20000);
  tenon_ctx_cancel(ctx);
  return NULL;
}

/* A reader that is cancelled between two batches gets told so at once, unless it had all rows. */
static void cancelling_ends_a_stream(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_read read = read_of(c->kind);
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_ctx *ctx;
  pthread_t thread;
  tenon_error err = TENON_ERROR_INIT;
  read.batch_bytes = 512;
  assert_int_equal(tenon_ctx_new(NULL, -1, &ctx, NULL), TENON_OK);
  if (tn_tables_read(ctx, s, &read, &rows, NULL, &err)) fail_msg("%s", err.message);
  pthread_create(&thread, NULL, cancel_soon, ctx);
  pthread_join(thread, NULL);
  int64_t began = tn_now_ms(), count = 0;
  int code;
  while (!(code = rows.get_next(&rows, &batch)) && batch.release) {
    count += batch.length;
    batch.release(&batch);
  }
  assert_true(tn_now_ms() - began < 250);
  if (code) {
    tn_stream_error(&rows, code, &err);
    expect_error(c->kind, &err, TENON_CANCELLED);
  } else {
    assert_int_equal(count, c->kind->row_count);
  }
  rows.release(&rows);
  tenon_ctx_free(ctx);
  tn_session_release(s);
}

static bool can_order(const contract_kind *k) { return k->can_order; }
static bool cannot_order(const contract_kind *k) { return !k->can_order; }

const contract_check contract_table_checks[] = {
    {"lists its tables", "tables.list", lists_its_tables, NULL},
    {"describes what it reads", "tables.describe", describes_what_it_reads, NULL},
    {"what is not there is not found", "tables.read", what_is_not_there_is_not_found, NULL},
    {"replies are untouched on failure", "tables.read", replies_are_untouched_on_failure, NULL},
    {"reads all rows", "tables.read", reads_all_rows, NULL},
    {"gives the columns asked for", "tables.read", gives_the_columns_asked_for, NULL},
    {"keeps to limits", "tables.read", keeps_to_limits, NULL},
    {"keeps batches small when asked", "tables.read", keeps_batches_small_when_asked, NULL},
    {"filters by each column and operator", "tables.read", filters_by_each_column_and_operator,
     NULL},
    {"filters hold together", "tables.read", filters_hold_together, NULL},
    {"impossible filters give no row", "tables.read", impossible_filters_give_no_row, NULL},
    {"orders and goes on after", "tables.read", orders_and_goes_on_after, can_order},
    {"an order that is not there is refused", "tables.read", an_absent_order_is_refused,
     cannot_order},
    {"a stream may end in the middle", "tables.read", a_stream_may_end_in_the_middle, NULL},
    {"batches outlive stream and session", "tables.read", batches_outlive_stream_and_session, NULL},
    {"cancelling ends a stream", "tables.read", cancelling_ends_a_stream, NULL},
    {0}};
