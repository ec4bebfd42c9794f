/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a FAISS index, as a file of records, and as metadata with conditions on it. Whatever is
 * accepted is walked through, so that everything that it points at is seen to be inside.
 */
#include <stdlib.h>
#include <string.h>

#include "core/registry.h"
#include "providers/vector/faiss/faiss.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds) {
  if (!holds) abort();
}

static volatile unsigned sink;

static void walk(const void *data, size_t size) {
  const uint8_t *p = data;
  for (size_t i = 0; i < size; i++) sink += p[i];
}

static void as_index(const uint8_t *data, size_t size) {
  tn_faiss_index index;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_faiss_index_parse(data, size, "fuzzed", &index, &err);
  expect(status == err.code);
  if (status) {
    expect(err.message[0] && err.remedy[0]);
    return;
  }
  walk(data + index.rows_at, (size_t)index.count * (size_t)index.dimension * 4);
  if (index.ids_at) walk(data + index.ids_at, (size_t)index.count * 8);
}

static void as_records(const uint8_t *data, size_t size) {
  const tn_faiss_map file = {data, size};
  tn_faiss_records records;
  if (tn_faiss_records_parse(file, "fuzzed", &records, NULL)) return;
  for (int64_t row = 0; row < records.count; row++) {
    tn_faiss_record r;
    int64_t other = tn_faiss_record_ordered(&records, row);
    expect(other >= -1 && other < records.count);
    if (!tn_faiss_record_at(&records, row, &r)) continue;
    walk(r.id, r.id_size);
    if (r.document) walk(r.document, r.document_size);
    if (r.metadata) walk(r.metadata, r.metadata_size);
    int64_t found = tn_faiss_record_find(&records, r.id, r.id_size);
    expect(found >= -2 && found < records.count);
  }
}

static void as_codes(const uint8_t *data, size_t size) {
  const tn_faiss_map file = {data, size};
  tn_faiss_codes codes;
  if (size % 64 || tn_faiss_codes_parse(file, "fuzzed", 3, 2, &codes, NULL)) return;
  walk(codes.stats, 2 * sizeof *codes.stats);
  walk(codes.codes, 2 * codes.stride);
}

static void as_metadata(const uint8_t *data, size_t size) {
  static const tenon_value values[] = {{.type = TENON_VALUE_TEXT, .data = "b", .size = 1}, {.type = TENON_VALUE_INT, .i = 1},
                                       {.type = TENON_VALUE_DOUBLE, .f = 2}};
  static const tenon_filter filters[] = {{"a", TENON_IN, values, 3}, {"b", TENON_PREFIX, values, 1}, {"c", TENON_NE, values, 1},
                                         {"d", TENON_BETWEEN, values + 1, 2}, {"e", TENON_IS_NULL, NULL, 0}};
  for (size_t i = 0; i < 5; i++) {
    int met = tn_faiss_matches((const char *)data, size, &filters[i], 1);
    expect(met >= -1 && met <= 1);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *copy = aligned_alloc(64, (size + 64) & ~(size_t)63);
  expect(copy != NULL);
  memcpy(copy, data, size);
  as_index(copy, size);
  as_records(copy, size);
  as_codes(copy, size);
  as_metadata(copy, size);
  free(copy);
  return 0;
}
