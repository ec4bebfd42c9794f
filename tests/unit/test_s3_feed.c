/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parts read ahead of an upload: in order, whole, with their sums; failures at their place; an end at any time.
 * The feed calls pthread_create, so this is run with the thread sanitizer, too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mem.h"
#include "providers/storage/s3/crc32c.h"
#include "providers/storage/s3/feed.h"

/* `size` bytes, `step` at most a read; then it ends, or fails. */
typedef struct source {
  tenon_bytes bytes;
  size_t size, step, given;
  bool fails;
  atomic_int readies;
} source;

static char byte_at(size_t i) { return (char)(i * 7 + i / 251); }

static tenon_status read_source(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  source *s = self;
  size_t n = s->size - s->given;
  if (n > s->step) n = s->step;
  if (n > size) n = size;
  if (n == 0 && s->fails) return tenon_fail(err, TENON_IO, TENON_STAGE_DATA, NULL, "the disk is gone");
  for (size_t i = 0; i < n; i++) ((char *)data)[i] = byte_at(s->given + i);
  s->given += n;
  *ret_size = n;
  return TENON_OK;
}

static void on_ready(void *self) { atomic_fetch_add(&((source *)self)->readies, 1); }

static source source_of(size_t size, size_t step) {
  return (source){.bytes = {.struct_size = sizeof(tenon_bytes), .fd = -1, .length = -1, .read = read_source}, .size = size, .step = step};
}

static tn_s3_feed *feed_of(source *s, size_t part, int under_way) {
  tn_s3_part first = {0};
  tn_s3_feed *f = NULL;
  s->bytes.self = s;
  assert_int_equal(tn_s3_part_fill(&first, &s->bytes, part, NULL, NULL, NULL), TENON_OK);
  assert_int_equal(tn_s3_feed_new(&s->bytes, (tn_s3_sizes){part, true}, under_way, &first, on_ready, s, &f, NULL), TENON_OK);
  assert_null(first.data);
  return f;
}

/* All parts; answers how many bytes they had. */
static size_t drain(tn_s3_feed *f, size_t part, size_t hold, tenon_error *err) {
  tn_s3_part *held[TN_S3_MAX_UNDER_WAY];
  size_t seen = 0, count = 0;
  for (bool ended = false; !ended;) {
    tn_s3_part *p;
    if (tn_s3_feed_take(f, true, &p, &ended, err)) break;
    if (!p) continue;
    for (size_t i = 0; i < p->size; i++)
      if (p->data[i] != byte_at(seen + i)) fail();
    assert_true(p->size == part || ended);
    seen += p->size;
    held[count++] = p;
    if (count == hold) tn_s3_feed_give_back(f, held[--count]);
  }
  return seen;
}

static void test_every_byte_comes_once_and_in_order(void **state) {
  static const size_t sizes[] = {1000, 1001, 1999, 2000, 2001, 50000, 50001};
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++)
    for (size_t step = 1; step < 4000; step = step * 5 + 2) {
      source s = source_of(sizes[i], step);
      tn_s3_feed *f = feed_of(&s, 1000, 3);
      assert_int_equal(drain(f, 1000, 3, NULL), sizes[i]);
      tn_s3_feed_free(f);
      assert_true(atomic_load(&s.readies) >= (int)(sizes[i] / 1000) - 1);
    }
}

static void test_a_failure_comes_behind_what_was_read(void **state) {
  tenon_error err = TENON_ERROR_INIT;
  source s = source_of(5500, 300);
  (void)state;
  s.fails = true;
  tn_s3_feed *f = feed_of(&s, 1000, 2);
  assert_int_equal(drain(f, 1000, 1, &err), 5000);
  assert_int_equal(err.code, TENON_IO);
  assert_string_equal(err.message, "the disk is gone");
  tn_s3_feed_free(f);
}

static void test_it_can_end_at_any_time(void **state) {
  (void)state;
  for (int i = 0; i < 50; i++) {
    source s = source_of((size_t)1 << 40, 1 << 16);
    tn_s3_feed *f = feed_of(&s, 1 << 18, 2);
    tn_s3_part *p;
    bool ended;
    for (int k = 0; k < i % 5; k++) {
      assert_int_equal(tn_s3_feed_take(f, true, &p, &ended, NULL), TENON_OK);
      if (k % 2) tn_s3_feed_give_back(f, p);
    }
    tn_s3_feed_free(f);
    assert_true(s.given <= (size_t)(4 + i % 5) << 18);   /* no further ahead than there is memory for */
  }
}

static void test_parts_grow_where_nobody_knows_their_number(void **state) {
  const tn_s3_sizes unknown = {.size = 8 << 20}, known = {.size = 8 << 20, .is_length_known = true};
  size_t all = 0;
  (void)state;
  assert_int_equal(tn_s3_size_of_part(&unknown, 1000), 8 << 20);
  assert_int_equal(tn_s3_size_of_part(&unknown, 1001), 16 << 20);
  assert_int_equal(tn_s3_size_of_part(&unknown, 10000), 512 << 20);
  assert_int_equal(tn_s3_size_of_part(&known, 10000), 8 << 20);
  for (int i = 1; i <= 10000; i++) all += tn_s3_size_of_part(&unknown, i);
  assert_true(all >= (size_t)2 << 40);
}

/* Bit by bit, as the polynomial says. */
static uint32_t slow_sum(const unsigned char *data, size_t size) {
  uint32_t sum = UINT32_MAX;
  for (size_t i = 0; i < size; i++) {
    sum ^= data[i];
    for (int bit = 0; bit < 8; bit++) sum = sum >> 1 ^ (sum & 1 ? UINT32_C(0x82F63B78) : 0);
  }
  return ~sum;
}

static void test_sums_are_those_of_the_polynomial(void **state) {
  enum { ROOM = 100000 };
  unsigned char *data = tn_resize(NULL, ROOM);
  (void)state;
  assert_non_null(data);
  for (size_t i = 0; i < ROOM; i++) data[i] = (unsigned char)byte_at(i * i);
  assert_int_equal(tn_crc32c(0, "123456789", 9), 0xE3069283);
  for (size_t size = 0; size < ROOM; size = size * 3 + 1)
    for (size_t at = 0; at < 9 && at + size <= ROOM; at++) {
      assert_int_equal(tn_crc32c(0, data + at, size), slow_sum(data + at, size));
      assert_int_equal(tn_crc32c(tn_crc32c(0, data + at, size / 3), data + at + size / 3, size - size / 3),
                       slow_sum(data + at, size));
    }
  tn_free(data);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_byte_comes_once_and_in_order),
      cmocka_unit_test(test_a_failure_comes_behind_what_was_read),
      cmocka_unit_test(test_it_can_end_at_any_time),
      cmocka_unit_test(test_parts_grow_where_nobody_knows_their_number),
      cmocka_unit_test(test_sums_are_those_of_the_polynomial),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
