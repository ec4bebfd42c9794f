/* SPDX-License-Identifier: Apache-2.0 */
/* PostgreSQL's texts: every length around the blocks in which they are copied and checked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "providers/sql/postgresql/decode.h"

enum { MAX_TEXT = 150, BEHIND = 64 };

static const tn_pg_type type = {.oid = 25, .op = TN_PG_TEXT, .format = "u"};

static void fill(uint8_t *text, int size) {
  for (int i = 0; i < size; i++) text[i] = (uint8_t)('a' + (i * 7 + size) % 26);
}

/* A row of one text; what lies behind it has high bits set, which must not matter. */
static size_t make_row(const uint8_t *text, int size, uint8_t *row) {
  const uint8_t head[] = {0, 1, 0, 0, 0, (uint8_t)size};
  memset(row, 0xFF, sizeof head + MAX_TEXT + BEHIND);
  memcpy(row, head, sizeof head);
  memcpy(row + sizeof head, text, (size_t)size);
  return sizeof head + (size_t)size;
}

static tn_builder *make_builder(void) {
  struct ArrowSchema schema;
  tn_builder *b;
  assert_int_equal(tn_schema_struct(&schema, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(schema.children[0], "t", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_builder_new(&schema, &b, NULL), TENON_OK);
  tn_schema_release(&schema);
  return b;
}

/* Decodes the text, and one more behind it, which must be left alone by the first. */
static tn_pg_fault decode(const uint8_t *text, int size) {
  static const uint8_t next[] = "behind";
  uint8_t row[6 + MAX_TEXT + BEHIND];
  tn_builder *b = make_builder();
  tn_pg_decoder d = {.builder = b, .types = &type, .count = 1};
  assert_true(tn_pg_decoder_begin(&d, 2));
  bool taken = tn_pg_decode_row(&d, row, make_row(text, size, row));
  if (taken) {
    struct ArrowArray batch;
    assert_true(tn_pg_decode_row(&d, row, make_row(next, 6, row)));
    assert_int_equal(tn_pg_decoder_finish(&d, &batch, NULL), TENON_OK);
    const int32_t *offsets = batch.children[0]->buffers[1];
    const char *data = batch.children[0]->buffers[2];
    assert_int_equal(offsets[1], size);
    assert_int_equal(offsets[2], size + 6);
    assert_memory_equal(data, text, (size_t)size);
    assert_memory_equal(data + size, next, 6);
    batch.release(&batch);
  }
  tn_builder_free(b);
  return taken ? TN_PG_FINE : d.fault;
}

static void test_ascii_lands_as_it_is(void **state) {
  (void)state;
  uint8_t text[MAX_TEXT];
  for (int size = 0; size <= MAX_TEXT; size++) {
    fill(text, size);
    assert_int_equal(decode(text, size), TN_PG_FINE);
  }
}

static void test_other_letters_land_wherever_they_are(void **state) {
  (void)state;
  uint8_t text[MAX_TEXT];
  for (int size = 2; size <= MAX_TEXT; size++) {
    for (int at = 0; at + 2 <= size; at++) {
      fill(text, size);
      memcpy(text + at, "\xc3\xa9", 2);
      assert_int_equal(decode(text, size), TN_PG_FINE);
    }
  }
}

static void test_a_wrong_byte_is_seen_wherever_it_is(void **state) {
  (void)state;
  uint8_t text[MAX_TEXT];
  for (int size = 1; size <= MAX_TEXT; size++) {
    for (int at = 0; at < size; at++) {
      fill(text, size);
      text[at] = 0xE9;
      assert_int_equal(decode(text, size), TN_PG_NOT_TEXT);
    }
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ascii_lands_as_it_is),
      cmocka_unit_test(test_other_letters_land_wherever_they_are),
      cmocka_unit_test(test_a_wrong_byte_is_seen_wherever_it_is),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
