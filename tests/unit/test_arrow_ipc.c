/* SPDX-License-Identifier: Apache-2.0 */
/* Arrow IPC: schemas out and in again; batches and slices of them, as nanoarrow's reader sees them; refusals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <nanoarrow/nanoarrow_ipc.h>
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "unit/arrow_equal.h"

static const char *const formats[] = {"n", "b", "c", "C", "s", "S", "i", "I", "l", "L", "e", "f", "g", "u", "U", "z", "Z", "w:7", "d:9,2", "d:38,10", "d:70,3,256",
                                      "tdD", "tdm", "tts", "ttm", "ttu", "ttn", "tss:", "tsm:UTC", "tsu:Europe/Berlin", "tsn:+02:00", "tDs", "tDm", "tDu", "tDn",
                                      "tiM", "tiD", "tin"};
enum { FLAT = sizeof formats / sizeof formats[0], COLUMNS = FLAT + 4 };

static struct ArrowSchema every_type(void) {
  struct ArrowSchema s;
  char name[16];
  assert_int_equal(tn_schema_struct(&s, COLUMNS, NULL), TENON_OK);
  for (int i = 0; i < FLAT; i++) {
    snprintf(name, sizeof name, "c%d", i);
    assert_int_equal(tn_schema_set(s.children[i], name, formats[i], i % 3 != 0, 0, NULL), TENON_OK);
  }
  struct ArrowSchema *list = s.children[FLAT], *fields = s.children[FLAT + 1], *map = s.children[FLAT + 2], *fixed = s.children[FLAT + 3];
  assert_int_equal(tn_schema_set(list, "list", "+l", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(list->children[0], "item", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(fields, "struct", "+s", true, 2, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(fields->children[0], "x", "l", false, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(fields->children[1], "y", "b", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(map, "map", "+m", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(map->children[0]->children[0], "key", "i", false, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(map->children[0]->children[1], "value", "u", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(fixed, "fixed", "+w:3", true, 1, NULL), TENON_OK);
  assert_int_equal(tn_schema_set(fixed->children[0], "item", "s", true, 0, NULL), TENON_OK);
  assert_int_equal(tn_schema_annotate(s.children[3], "tenon.type", "serial", NULL), TENON_OK);
  assert_int_equal(tn_schema_annotate(&s, "key", "value", NULL), TENON_OK);
  return s;
}

static void append(tn_column *c, const struct ArrowSchema *s, uint64_t r) {
  uint64_t wide[4] = {r, r * 3, r * 5, r * 7};
  const char *f = s->format;
  if ((s->flags & ARROW_FLAG_NULLABLE && r % 5 == 0) || f[0] == 'n') assert_true(tn_append_null(c));
  else if (f[0] == 'b') assert_true(tn_append_bool(c, r & 1));
  else if (strchr("uUzZ", f[0])) assert_true(tn_append_bytes(c, "some bytes of text", (int64_t)(r % 19)));
  else if (f[0] != '+') assert_true(tn_append_fixed(c, wide));
  else if (f[1] == 's') {
    for (int64_t i = 0; i < s->n_children; i++) append(&c->children[i], s->children[i], r + (uint64_t)i);
    assert_true(tn_append_struct(c));
  } else {
    uint64_t n = f[1] == 'w' ? 3 : r % 4;
    for (uint64_t i = 0; i < n; i++) append(&c->children[0], s->children[0], r + i);
    assert_true(tn_append_list(c));
  }
}

/* ---- Bytes in memory ---- */

static tenon_status keep(void *self, const void *data, size_t size, tenon_error *err) {
  (void)err;
  return tn_str_add(self, data, size) ? TENON_OK : TENON_LIMITED;
}

static void schemas_come_back(void **state) {
  (void)state;
  struct ArrowSchema s = every_type(), back;
  tn_str message;
  tenon_error err = TENON_ERROR_INIT;
  tn_str_init(&message, 1 << 20);
  assert_int_equal(tn_ipc_encode_schema(&s, &message, &err), TENON_OK);
  for (size_t skip = 0; skip <= 8; skip += 4) {   /* whole, as before Arrow 0.15, bare */
    if (tn_ipc_decode_schema(message.data + skip, message.size - skip, &back, &err)) fail_msg("%s", err.message);
    assert_true(same_schema(&s, &back));
    tn_schema_release(&back);
  }
  for (size_t size = 0; size < message.size; size += 7) {
    tenon_error why = TENON_ERROR_INIT;
    if (tn_ipc_decode_schema(message.data, size, &back, &why) == TENON_OK) tn_schema_release(&back);
    else assert_int_equal(why.code, TENON_DATA);
  }
  tn_str_release(&message);
  tn_schema_release(&s);
}

/* Writes the batch's rows [start, start + n) as a slice, and the whole; both are read by nanoarrow. */
static void check_slice(const struct ArrowSchema *s, struct ArrowArray *batch, int64_t start, int64_t n) {
  tn_str bytes;
  tn_ipc_writer *w;
  tenon_error err = TENON_ERROR_INIT;
  tn_str_init(&bytes, 64 << 20);
  tn_ipc_sink sink = {.self = &bytes, .write = keep};
  assert_int_equal(tn_ipc_writer_new(s, &sink, &w, &err), TENON_OK);
  struct ArrowArray slice = *batch;
  slice.offset = start;
  slice.length = n;
  assert_int_equal(tn_ipc_write(w, &slice, &err), TENON_OK);
  assert_int_equal(tn_ipc_write(w, batch, &err), TENON_OK);
  assert_int_equal(tn_ipc_finish(w, &err), TENON_OK);
  tn_ipc_writer_free(w);

  struct ArrowBuffer buffer;
  struct ArrowIpcInputStream in;
  struct ArrowArrayStream reader;
  struct ArrowArray got;
  ArrowBufferInit(&buffer);
  assert_int_equal(ArrowBufferAppend(&buffer, bytes.data, (int64_t)bytes.size), 0);
  assert_int_equal(ArrowIpcInputStreamInitBuffer(&in, &buffer), 0);
  assert_int_equal(ArrowIpcArrayStreamReaderInit(&reader, &in, NULL), 0);
  for (int turn = 0; turn < 2; turn++) {
    int64_t from = turn ? 0 : start, rows = turn ? batch->length : n;
    if (reader.get_next(&reader, &got)) fail_msg("%s", reader.get_last_error(&reader));
    assert_int_equal(got.length, rows);
    for (int64_t c = 0; c < s->n_children; c++) assert_true(same_values(s->children[c], got.children[c], 0, batch->children[c], from, rows));
    got.release(&got);
  }
  assert_int_equal(reader.get_next(&reader, &got), 0);
  assert_null(got.release);
  reader.release(&reader);
  tn_str_release(&bytes);
}

static void slices_are_what_they_show(void **state) {
  (void)state;
  enum { ROWS = 301 };
  struct ArrowSchema s = every_type();
  struct ArrowArray batch;
  tn_builder *b;
  assert_int_equal(tn_builder_new(&s, &b, NULL), TENON_OK);
  for (int64_t c = 0; c < COLUMNS; c++)
    for (uint64_t i = 0; i < ROWS; i++) append(tn_builder_column(b, c), s.children[c], i * 2654435761u + (uint64_t)c);
  assert_int_equal(tn_builder_finish(b, ROWS, &batch, NULL), TENON_OK);
  static const int64_t slices[][2] = {{0, ROWS}, {0, 1}, {0, 0}, {1, 300}, {8, 64}, {13, 200}, {300, 1}, {301, 0}, {63, 65}};
  for (size_t i = 0; i < sizeof slices / sizeof slices[0]; i++) check_slice(&s, &batch, slices[i][0], slices[i][1]);
  batch.release(&batch);
  tn_builder_free(b);
  tn_schema_release(&s);
}

static void refuses_by_name(void **state) {
  (void)state;
  static const char *const refused[] = {"vu", "vz", "+vl", "+ud:0", "+r", "x"};
  for (size_t i = 0; i < sizeof refused / sizeof refused[0]; i++) {
    struct ArrowSchema s;
    tn_ipc_writer *w;
    tenon_error err = TENON_ERROR_INIT;
    tn_ipc_sink sink = {.write = keep};
    assert_int_equal(tn_schema_struct(&s, 1, NULL), TENON_OK);
    assert_int_equal(tn_schema_set(s.children[0], "odd", refused[i], true, 0, NULL), TENON_OK);
    assert_int_equal(tn_ipc_writer_new(&s, &sink, &w, &err), TENON_UNSUPPORTED);
    assert_non_null(strstr(err.message, "column odd"));
    tn_schema_release(&s);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(schemas_come_back),
      cmocka_unit_test(slices_are_what_they_show),
      cmocka_unit_test(refuses_by_name),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
