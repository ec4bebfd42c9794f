/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Parquet footer (the file around it is made here): read, its columns converted, its
 * leaves patched; and what was patched is read again, which has to go well.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/file.h"
#include "formats/parquet_footer.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect(int holds) {
  if (!holds) abort();
}

static int file_of(const void *footer, size_t size) {
  int fd = memfd_create("parquet", MFD_CLOEXEC);
  uint32_t length = (uint32_t)size;
  char body[4096] = "PAR1";
  expect(fd >= 0 && tn_write_all(fd, body, sizeof body, NULL) == TENON_OK && tn_write_all(fd, footer, size, NULL) == TENON_OK);
  expect(tn_write_all(fd, &length, 4, NULL) == TENON_OK && tn_write_all(fd, "PAR1", 4, NULL) == TENON_OK);
  return fd;
}

static void read_patched(const tn_parquet_footer *f, const uint8_t *patches) {
  tn_str changed;
  tn_str_init(&changed, 1 << 24);
  if (tn_parquet_patch(f, patches, &changed, NULL) == TENON_OK) {
    int fd = file_of(changed.data, changed.size);
    tn_parquet_footer again;
    expect(tn_parquet_footer_init(fd, "again", &again, NULL) == TENON_OK);
    expect(again.element_count == f->element_count && again.rows == f->rows && again.chunk_count == f->chunk_count);
    for (uint32_t i = 0; i < f->element_count; i++) expect(strcmp(again.elements[i].name, f->elements[i].name) == 0);
    tn_parquet_footer_release(&again);
    close(fd);
  }
  tn_str_release(&changed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd = file_of(data, size);
  tn_parquet_footer footer;
  tn_parquet_types types;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_parquet_footer_init(fd, "fuzzed", &footer, &err);
  expect(status == err.code);
  close(fd);
  if (status) {
    expect(err.message[0] && err.remedy[0]);
    return 0;
  }
  if (tn_parquet_types_init(&footer, &types, &err) == TENON_OK) {
    expect(types.schema.n_children == types.column_count);
    read_patched(&footer, types.patches);
    tn_parquet_types_release(&types);
  } else {
    expect(err.message[0]);
  }
  tn_parquet_footer_release(&footer);
  return 0;
}
