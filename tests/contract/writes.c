/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `tables`, writing and planning. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "contract/contract.h"

/* ---- Rows to be written: id, note; ids from `from` on ---- */

typedef struct source {
  tn_builder *builder;
  int64_t next, end;
  int64_t fails_at;       /* this id cannot be read any more; -1: none */
  const char *second;     /* name of the second column */
  bool in_reverse;        /* the columns */
  int released;
} source;

static int get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *ret) {
  const source *s = stream->private_data;
  int id = s->in_reverse ? 1 : 0;
  if (tn_schema_struct(ret, 2, NULL)) return ENOMEM;
  if (tn_schema_set(ret->children[id], "id", "l", true, 0, NULL)) return ENOMEM;
  return tn_schema_set(ret->children[1 - id], s->second, "u", true, 0, NULL) ? ENOMEM : 0;
}

static int get_next(struct ArrowArrayStream *stream, struct ArrowArray *ret) {
  source *s = stream->private_data;
  int64_t n = 0;
  struct ArrowSchema schema;
  ret->release = NULL;
  if (!s->builder) {
    if (get_schema(stream, &schema)) return ENOMEM;
    tenon_status status = tn_builder_new(&schema, &s->builder, NULL);
    schema.release(&schema);
    if (status) return ENOMEM;
  }
  for (; n < 10 && s->next < s->end; n++, s->next++) {
    char text[32];
    if (s->next == s->fails_at) return EIO;
    snprintf(text, sizeof text, "note %lld", (long long)s->next);
    tn_append_i64(tn_builder_column(s->builder, s->in_reverse), s->next);
    tn_append_text(tn_builder_column(s->builder, !s->in_reverse), s->next % 4 ? text : NULL);
  }
  return n && tn_builder_finish(s->builder, n, ret, NULL) ? ENOMEM : 0;
}

static const char *last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return "the source broke";
}

static void release(struct ArrowArrayStream *stream) {
  source *s = stream->private_data;
  tn_builder_free(s->builder);
  s->builder = NULL;
  s->released++;
  stream->release = NULL;
}

static struct ArrowArrayStream stream_of(source *s) {
  if (!s->second) s->second = "note";
  return (struct ArrowArrayStream){.get_schema = get_schema, .get_next = get_next,
                                   .get_last_error = last_error, .release = release, .private_data =
                                       s};
}

static const char *const table = "contract_written";

static tenon_write write_of(const contract_kind *k, tenon_write_mode mode,
                            struct ArrowArrayStream *rows) {
  static const char *const keys[] = {"id"};
  return (tenon_write){.struct_size = sizeof(tenon_write),
                       .name = {k->table.catalog, k->table.schema, table}, .mode = mode,
                       .keys = mode == TENON_UPSERT ? keys
                           : NULL, .key_count = mode == TENON_UPSERT, .rows = rows};
}

static tenon_status write_source(contract_state *c, tn_session *s, tenon_write_mode mode,
                                 source *from, tenon_written *ret, tenon_error *err) {
  struct ArrowArrayStream rows = stream_of(from);
  const tenon_write w = write_of(c->kind, mode, &rows);
  tn_error_init(err);
  tenon_status status = tn_tables_write(NULL, s, &w, ret, err);
  assert_null(rows.release);   /* consumed, however it went */
  assert_int_equal(from->released, 1);
  return status;
}

static void write_ids(contract_state *c, tn_session *s, tenon_write_mode mode, int64_t from,
                      int64_t to) {
  source src = {.next = from, .end = to, .fails_at = -1};
  tenon_written written;
  tenon_error err;
  if (write_source(c, s, mode, &src, &written, &err)) fail_msg("%s", err.message);
  assert_int_equal(written.rows, to - from);
}

static int64_t count_ids(contract_state *c, tn_session *s, int64_t *ret_sum) {
  struct ArrowArrayStream rows;
  kept_rows k;
  tn_arena arena;
  tenon_error err = TENON_ERROR_INIT;
  tenon_read read = TENON_READ_INIT;
  read.name = (tenon_name){c->kind->table.catalog, c->kind->table.schema, table};
  if (tn_tables_read(NULL, s, &read, &rows, NULL, &err) || keep_rows(&rows, &k, &err))
    fail_msg("%s", err.message);
  tn_arena_init(&arena, 1 << 20);
  *ret_sum = 0;
  for (int64_t i = 0; i < k.row_count; i++)
    *ret_sum += (int64_t)kept_cell(&k, i, kept_column(&k, "id"), &arena).whole;
  int64_t n = k.row_count;
  tn_arena_release(&arena);
  kept_release(&k);
  return n;
}

static void expect_ids(contract_state *c, tn_session *s, int64_t count, int64_t sum) {
  int64_t got;
  assert_int_equal(count_ids(c, s, &got), count);
  assert_int_equal(got, sum);
}

static void creates_appends_replaces_upserts(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_written written = {.rows = -77};
  tenon_error err;
  write_ids(c, s, TENON_CREATE, 0, 25);
  expect_ids(c, s, 25, 300);
  source again = {.end = 5, .fails_at = -1};
  assert_int_not_equal(write_source(c, s, TENON_CREATE, &again, &written, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_CONFLICT);
  assert_int_equal(written.rows, -77);
  write_ids(c, s, TENON_APPEND, 25, 30);
  expect_ids(c, s, 30, 435);
  write_ids(c, s, TENON_UPSERT, 28, 33);
  expect_ids(c, s, 33, 528);
  write_ids(c, s, TENON_REPLACE, 0, 3);
  expect_ids(c, s, 3, 3);
  write_ids(c, s, TENON_REPLACE, 0, 0);
  expect_ids(c, s, 0, 0);
  tn_session_release(s);
}

static void a_failed_write_leaves_what_was(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_written written;
  tenon_error err;
  write_ids(c, s, TENON_REPLACE, 0, 10);
  static const tenon_write_mode modes[] = {TENON_APPEND, TENON_REPLACE, TENON_UPSERT};
  for (size_t i = 0; i < 3; i++) {
    source broken = {.end = 40, .fails_at = 25};
    assert_int_not_equal(write_source(c, s, modes[i], &broken, &written, &err), TENON_OK);
    expect_error(c->kind, &err, err.code);
    assert_non_null(strstr(err.message, "the source broke"));
    expect_ids(c, s, 10, 45);
  }
  tn_session_release(s);
}

static void columns_match_by_name(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_written written;
  tenon_error err;
  write_ids(c, s, TENON_REPLACE, 0, 10);
  source reversed = {.next = 10, .end = 12, .fails_at = -1, .in_reverse = true};
  if (write_source(c, s, TENON_APPEND, &reversed, &written, &err)) fail_msg("%s", err.message);
  expect_ids(c, s, 12, 66);
  source other = {.end = 2, .fails_at = -1, .second = "remark"};
  assert_int_not_equal(write_source(c, s, TENON_APPEND, &other, &written, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_CONFIG);
  expect_ids(c, s, 12, 66);
  tn_session_release(s);
}

static void executes_statements(void **state) {
  contract_state *c = *state;
  tn_session *s = contract_session(c);
  tenon_executed done;
  tenon_error err = TENON_ERROR_INIT;
  write_ids(c, s, TENON_REPLACE, 0, 2);
  if (tn_tables_execute(NULL, s, &(tenon_execute){.struct_size = sizeof(tenon_execute),
                                                  .statement = c->kind->statement}, &done, &err))
    fail_msg("%s", err.message);
  assert_true(done.rows >= -1);
  assert_int_not_equal(tn_tables_execute(NULL, s,
                                         &(tenon_execute){.struct_size = sizeof(tenon_execute),
                                                          .statement =
                                                              "no statement of any language ("}, &done, &err), TENON_OK);
  expect_error(c->kind, &err, err.code);
  tn_session_release(s);
}

/* ---- plan ---- */

static void partitions_give_each_row_once(void **state) {
  contract_state *c = *state;
  tn_session *holder = contract_session(c), *s = contract_session(c);
  tenon_read read = TENON_READ_INIT;
  tenon_plan plan;
  tenon_error err = TENON_ERROR_INIT;
  int64_t total = 0;
  read.name = c->kind->table;
  const tenon_plan_request request = {.struct_size = sizeof request, .read = &read,
                                      .partitions = 4};
  if (tn_tables_plan(NULL, holder, &request, &plan, &err)) fail_msg("%s", err.message);
  tn_session_release(holder);   /* the plan keeps what it needs */
  assert_true(plan.partition_count >= 1);
  char *last = NULL;
  size_t last_size = 0;
  for (size_t i = 0; i < plan.partition_count; i++) {
    struct ArrowArrayStream rows;
    kept_rows k;
    read.partition = plan.partitions[i].data;
    read.partition_size = plan.partitions[i].size;
    if (tn_tables_read(NULL, s, &read, &rows, NULL, &err) || keep_rows(&rows, &k, &err))
      fail_msg("%s", err.message);
    total += k.row_count;
    kept_release(&k);
    last_size = read.partition_size;
    last = realloc(last, last_size);
    memcpy(last, read.partition, last_size);
  }
  assert_int_equal(total, c->kind->row_count);
  plan.release(&plan);
  struct ArrowArrayStream rows;
  read.partition = last;
  read.partition_size = last_size;
  assert_int_not_equal(tn_tables_read(NULL, s, &read, &rows, NULL, &err), TENON_OK);
  expect_error(c->kind, &err, TENON_GONE);
  free(last);
  tn_session_release(s);
}

const contract_check contract_write_checks[] = {
    {"creates, appends, replaces, upserts", "tables.write", creates_appends_replaces_upserts, NULL},
    {"a failed write leaves what was", "tables.write", a_failed_write_leaves_what_was, NULL},
    {"columns match by name", "tables.write", columns_match_by_name, NULL},
    {"executes statements", "tables.execute", executes_statements, NULL},
    {"partitions give each row once", "tables.plan", partitions_give_each_row_once, NULL},
    {0}};
