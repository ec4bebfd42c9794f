/* SPDX-License-Identifier: Apache-2.0 */
/* Batches in recycled memory: values, nulls, nesting, children moved out, memory coming back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"

static struct ArrowSchema schema_of(int n, const char *const *formats) {
  struct ArrowSchema s;
  assert_int_equal(tn_schema_struct(&s, n, NULL), TENON_OK);
  for (int i = 0; i < n; i++) assert_int_equal(tn_schema_set(s.children[i], "c", formats[i], true, 0, NULL), TENON_OK);
  return s;
}

static tn_builder *builder_of(struct ArrowSchema *s) {
  tn_builder *b;
  assert_int_equal(tn_builder_new(s, &b, NULL), TENON_OK);
  s->release(s);
  return b;
}

static int valid(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[0];
  return !bits || (bits[i / 8] >> (i % 8) & 1);
}

static void holds_values_and_nulls(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(3, (const char *const[]){"l", "u", "b"});
  tn_builder *b = builder_of(&s);
  for (int batch = 0; batch < 3; batch++) {
    for (int64_t i = 0; i < 5000; i++) {
      tn_column *n = tn_builder_column(b, 0), *t = tn_builder_column(b, 1), *f = tn_builder_column(b, 2);
      /* the second batch has no nulls at all, though its memory held some */
      if (batch != 1 && i % 7 == 3) assert_true(tn_append_null(n) && tn_append_null(t) && tn_append_null(f));
      else assert_true(tn_append_i64(n, i * 3) && tn_append_bytes(t, "abcdefg", i % 8) && tn_append_bool(f, i % 3 == 0));
    }
    struct ArrowArray a;
    assert_int_equal(tn_builder_finish(b, 5000, &a, NULL), TENON_OK);
    assert_int_equal(a.length, 5000);
    const int64_t *numbers = a.children[0]->buffers[1];
    const int32_t *ends = a.children[1]->buffers[1];
    const uint8_t *bits = a.children[2]->buffers[1];
    int64_t nulls = 0;
    for (int64_t i = 0; i < 5000; i++) {
      int null = batch != 1 && i % 7 == 3;
      nulls += null;
      for (int c = 0; c < 3; c++) assert_int_equal(valid(a.children[c], i), !null);
      if (null) continue;
      assert_int_equal(numbers[i], i * 3);
      assert_int_equal(ends[i + 1] - ends[i], i % 8);
      assert_int_equal(bits[i / 8] >> (i % 8) & 1, i % 3 == 0);
    }
    assert_int_equal(a.children[0]->null_count, nulls);
    a.release(&a);
  }
  tn_builder_free(b);
}

static void marks_nulls_behind_direct_writes(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(1, (const char *const[]){"i"});
  tn_builder *b = builder_of(&s);
  for (int batch = 0; batch < 2; batch++) {
    int64_t rows = batch ? 100000 : 100;
    for (int64_t i = 0; i < rows; i++) {
      tn_column *c = tn_builder_column(b, 0);
      assert_true(tn_reserve(c, 1, 0));
      ((int32_t *)(void *)c->data.data)[i] = (int32_t)i;
      if (i == 50) assert_true(tn_mark_null(c, i));
      c->length++;
    }
    struct ArrowArray a;
    assert_int_equal(tn_builder_finish(b, rows, &a, NULL), TENON_OK);
    for (int64_t i = 0; i < rows; i++) assert_int_equal(valid(a.children[0], i), i != 50);
    a.release(&a);
  }
  tn_builder_free(b);
}

static void nests(void **state) {
  (void)state;
  struct ArrowSchema s;
  assert_int_equal(tn_schema_struct(&s, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0], "list", "+l", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[0]->children[0], "item", "i", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1], "pair", "+s", true, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1]->children[0], "x", "g", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(s.children[1]->children[1], "y", "u", true, 0, NULL), TENON_OK);
  tn_builder *b = builder_of(&s);
  for (int32_t i = 0; i < 4; i++) {
    tn_column *list = tn_builder_column(b, 0), *pair = tn_builder_column(b, 1);
    for (int32_t k = 0; k < i; k++) assert_true(tn_append_i32(&list->children[0], k));
    assert_true(tn_append_list(list));
    if (i == 1) assert_true(tn_append_null(pair));
    else assert_true(tn_append_f64(&pair->children[0], i) && tn_append_text(&pair->children[1], "y") && tn_append_struct(pair));
  }
  struct ArrowArray a;
  assert_int_equal(tn_builder_finish(b, 4, &a, NULL), TENON_OK);
  const int32_t *ends = a.children[0]->buffers[1];
  assert_int_equal(ends[4], 6);
  assert_int_equal(a.children[0]->children[0]->length, 6);
  assert_int_equal(a.children[1]->children[0]->length, 4);
  assert_false(valid(a.children[1], 1));
  a.release(&a);
  tn_builder_free(b);
}

static void children_outlive_their_parent_and_builder(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(2, (const char *const[]){"l", "u"});
  tn_builder *b = builder_of(&s);
  assert_true(tn_append_i64(tn_builder_column(b, 0), 42) && tn_append_text(tn_builder_column(b, 1), "kept"));
  struct ArrowArray a, child;
  assert_int_equal(tn_builder_finish(b, 1, &a, NULL), TENON_OK);
  child = *a.children[1];
  a.children[1]->release = NULL;
  a.release(&a);
  /* more batches must not reuse memory that the child still holds */
  for (int i = 0; i < 4; i++) {
    struct ArrowArray other;
    assert_true(tn_append_i64(tn_builder_column(b, 0), 1) && tn_append_text(tn_builder_column(b, 1), "over"));
    assert_int_equal(tn_builder_finish(b, 1, &other, NULL), TENON_OK);
    other.release(&other);
  }
  tn_builder_free(b);
  assert_memory_equal(child.buffers[2], "kept", 4);
  child.release(&child);
}

static void recycles(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(1, (const char *const[]){"l"});
  tn_builder *b = builder_of(&s);
  const void *seen[2] = {0};
  for (int i = 0; i < 6; i++) {
    for (int64_t k = 0; k < 10000; k++) assert_true(tn_append_i64(tn_builder_column(b, 0), k));
    struct ArrowArray a;
    assert_int_equal(tn_builder_finish(b, 10000, &a, NULL), TENON_OK);
    const void *data = a.children[0]->buffers[1];
    if (i < 2) seen[i] = data;
    else assert_true(data == seen[0] || data == seen[1]);
    a.release(&a);
  }
  tn_builder_free(b);
}

static void refuses_unequal_columns_and_unknown_types(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(2, (const char *const[]){"l", "l"}), odd = schema_of(1, (const char *const[]){"vu"});
  tn_builder *b = builder_of(&s);
  struct ArrowArray a;
  tenon_error err = TENON_ERROR_INIT;
  assert_true(tn_append_i64(tn_builder_column(b, 0), 1));
  assert_int_equal(tn_builder_finish(b, 1, &a, &err), TENON_INTERNAL);
  tn_builder_free(b);
  tn_error_init(&err);
  assert_int_equal(tn_builder_new(&odd, &b, &err), TENON_UNSUPPORTED);
  assert_non_null(strstr(err.message, "vu"));
  odd.release(&odd);
}

static void survives_failing_allocations(void **state) {
  (void)state;
  struct ArrowSchema s = schema_of(3, (const char *const[]){"l", "u", "b"});
  int64_t done = 1;
  for (int64_t n = 1; done >= n; n++) {
    tn_builder *b;
    bool ok = true;
    tn_mem_fail_at(n, 0);
    if (tn_builder_new(&s, &b, NULL) == TENON_OK) {
      for (int64_t i = 0; ok && i < 3000; i++)
        ok = tn_append_i64(tn_builder_column(b, 0), i) && tn_append_null(tn_builder_column(b, 1)) &&
             tn_append_bool(tn_builder_column(b, 2), true);
      struct ArrowArray a;
      if (ok && tn_builder_finish(b, 3000, &a, NULL) == TENON_OK) a.release(&a);
      tn_builder_free(b);
    }
    done = tn_mem_count();
    tn_mem_fail_at(0, 0);
  }
  s.release(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(holds_values_and_nulls),
      cmocka_unit_test(marks_nulls_behind_direct_writes),
      cmocka_unit_test(nests),
      cmocka_unit_test(children_outlive_their_parent_and_builder),
      cmocka_unit_test(recycles),
      cmocka_unit_test(refuses_unequal_columns_and_unknown_types),
      cmocka_unit_test(survives_failing_allocations),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
