/* SPDX-License-Identifier: Apache-2.0 */
/* Rows of any sort for a collection of vectors, in the form that kinds get. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "core/stream.h"
#include "core/vector_rows.h"

/* ---- A stream of one batch of three rows: vectors (1,2), (3,4), (5,6), ids 10, 11, 12 ---- */

typedef struct source {
  struct ArrowArray batch;
} source;

static tenon_status next(void *self, struct ArrowArray *ret, tenon_error *err) {
  source *s = self;
  (void)err;
  *ret = s->batch;
  s->batch = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_source(void *self) {
  source *s = self;
  tn_array_release(&s->batch);
  free(s);
}

/* 1 to 7 as float16. */
static uint16_t half_of(double v) {
  static const uint16_t halves[] = {0, 0x3C00, 0x4000, 0x4200, 0x4400, 0x4500, 0x4600, 0x4700};
  return halves[(int)v];
}

static void append_number(tn_column *c, char format, double v) {
  const int8_t i8 = (int8_t)v;
  const int16_t i16 = (int16_t)v;
  const int32_t i32 = (int32_t)v;
  const int64_t i64 = (int64_t)v;
  const float f = (float)v;
  const uint16_t half = format == 'e' ? half_of(v) : 0;
  const void *at = format == 'e' ? (const void *)&half : strchr("cC", format) ? (const void *)&i8 : strchr("sS", format) ? (const void *)&i16
      : strchr("iI", format) ? (const void *)&i32 : strchr("lL", format) ? (const void *)&i64
      : format == 'f' ? (const void *)&f : (const void *)&v;
  assert_true(tn_append_fixed(c, at));
}

static struct ArrowArrayStream make(const char *id, const char *list, const char *item, double last) {
  tenon_stream out = {.struct_size = sizeof out, .next = next, .close = close_source};
  struct ArrowArrayStream stream;
  source *s = calloc(1, sizeof *s);
  tn_builder *b;
  assert_int_equal(tn_schema_struct(&out.schema, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(out.schema.children[0], "vector", list, true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(out.schema.children[0]->children[0], "item", item, true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(out.schema.children[1], "id", id, true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&out.schema, &b, NULL), TENON_OK);
  for (int r = 0; r < 3; r++) {
    char text[16];
    snprintf(text, sizeof text, "%d", r + 10);
    append_number(&tn_builder_column(b, 0)->children[0], item[0], 2 * r + 1);
    if (r == 2 && isnan(last)) assert_true(tn_append_null(&tn_builder_column(b, 0)->children[0]));
    else append_number(&tn_builder_column(b, 0)->children[0], item[0], r == 2 ? last : 2 * r + 2);
    assert_true(tn_append_list(tn_builder_column(b, 0)));
    if (strchr("uU", id[0])) assert_true(tn_append_text(tn_builder_column(b, 1), text));
    else append_number(tn_builder_column(b, 1), id[0], r + 10);
  }
  assert_int_equal(tn_builder_finish(b, 3, &s->batch, NULL), TENON_OK);
  tn_builder_free(b);
  out.self = s;
  assert_int_equal(tn_stream_export(NULL, &out, NULL, NULL, &stream, NULL), TENON_OK);
  return stream;
}

/* ---- What comes out ---- */

static void expect_canonical(struct ArrowArrayStream *in) {
  static const char *const formats[] = {"u", "+w:2", "u", "u"};
  static const char *const names[] = {"id", "vector", "document", "metadata"};
  struct ArrowArrayStream out;
  struct ArrowSchema schema;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_vector_rows_new(in, &out, &err)) fail_msg("%s", err.message);
  assert_int_equal(out.get_schema(&out, &schema), 0);
  assert_int_equal(schema.n_children, 4);
  for (int i = 0; i < 4; i++) {
    assert_string_equal(schema.children[i]->format, formats[i]);
    assert_string_equal(schema.children[i]->name, names[i]);
  }
  assert_string_equal(schema.children[1]->children[0]->format, "f");
  assert_int_equal(out.get_next(&out, &batch), 0);
  if (tn_arrow_check(&schema, &batch, &err)) fail_msg("%s", err.message);
  assert_int_equal(batch.length, 3);
  for (int i = 0; i < 6; i++)
    assert_true(((const float *)batch.children[1]->children[0]->buffers[1])[i] == (float)(i + 1));
  assert_memory_equal(batch.children[0]->buffers[2], "101112", 6);
  assert_int_equal(batch.children[2]->null_count, 3);
  batch.release(&batch);
  assert_int_equal(out.get_next(&out, &batch), 0);
  assert_null(batch.release);
  tn_schema_release(&schema);
  out.release(&out);
}

static void numbers_of_all_sorts_become_float32(void **state) {
  (void)state;
  static const char *const items[] = {"c", "C", "s", "S", "i", "I", "l", "L", "e", "f", "g"};
  for (size_t i = 0; i < sizeof items / sizeof *items; i++) {
    struct ArrowArrayStream list = make("u", "+l", items[i], 6), fixed = make("U", "+w:2", items[i], 6);
    expect_canonical(&list);
    expect_canonical(&fixed);
    if (strchr("efg", items[i][0])) continue;
    struct ArrowArrayStream ids = make(items[i], "+l", "f", 6);
    expect_canonical(&ids);
  }
}

static void expect_refused(struct ArrowArrayStream in, const char *said) {
  struct ArrowArrayStream out;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_vector_rows_new(&in, &out, &err);
  assert_null(in.release);
  if (!status) {
    status = tn_stream_error(&out, out.get_next(&out, &batch), &err);
    out.release(&out);
  }
  assert_int_equal(status, TENON_DATA);
  if (!strstr(err.message, said)) fail_msg("%s", err.message);
  assert_true(err.remedy[0]);
}

static void what_float32_cannot_hold_is_refused(void **state) {
  (void)state;
  expect_refused(make("u", "+l", "g", 1e39), "row 3: a number of its vector is not finite");
  expect_refused(make("u", "+w:2", "f", -INFINITY), "row 3: a number of its vector is not finite");
  expect_refused(make("u", "+l", "g", NAN), "row 3: a number of its vector is NULL");
  expect_refused(make("g", "+l", "g", 1), "column id has the type");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(numbers_of_all_sorts_become_float32),
      cmocka_unit_test(what_float32_cannot_hold_is_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
