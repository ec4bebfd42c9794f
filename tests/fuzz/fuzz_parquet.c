/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a Parquet footer (the file around it is made here): read, its columns converted, its
 * leaves patched, its last groups cut off; and what came of it is read again, which has to go well.
 * The ranges of its chunks are within the file, and pages are looked for where it says.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/file.h"
#include "formats/parquet_footer.h"
#include "formats/parquet_pages.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_ranges.h"
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

/* A half: those with an even number. */
static bool *choose(const tn_parquet_footer *f, bool half) {
  bool *groups = malloc(f->group_count + 1);
  expect(groups != NULL);
  for (size_t g = 0; g < f->group_count; g++) groups[g] = !half || g % 2 == 0;
  return groups;
}

static void read_cut(const tn_parquet_footer *f, bool half) {
  tn_str cut;
  tn_str_init(&cut, 1 << 24);
  bool *groups = choose(f, half);
  size_t count = half ? (f->group_count + 1) / 2 : f->group_count;
  expect(tn_parquet_footer_cut(f, groups, &cut, NULL) == TENON_OK);
  free(groups);
  int fd = file_of(cut.data, cut.size);
  tn_parquet_footer again;
  tenon_status status = tn_parquet_footer_init(fd, "again", &again, NULL);
  close(fd);
  tn_str_release(&cut);
  expect(status == TENON_OK || status == TENON_DATA);   /* a chunk may have been said to be in the footer's end */
  if (status) return;
  expect(again.group_count == count && again.chunk_count == count * f->leaf_count);
  for (size_t i = 0; i < again.chunk_count; i++) {
    const tn_parquet_chunk *was = &f->chunks[half ? i / f->leaf_count * 2 * f->leaf_count + i % f->leaf_count : i];
    expect(again.chunks[i].begin == was->begin && again.chunks[i].size == was->size);
  }
  tn_parquet_footer_release(&again);
}

static void look_for_chunks(const tn_parquet_footer *f, int fd) {
  tenon_ctx *ctx;
  tn_parquet_ranges ranges;
  bool *wanted = malloc(f->element_count);
  expect(wanted && tenon_ctx_new(NULL, -1, &ctx, NULL) == TENON_OK);
  memset(wanted, 1, f->element_count);
  bool *groups = choose(f, false);
  expect(tn_parquet_ranges_init(f, wanted, groups, INT64_MAX, &ranges, NULL) == TENON_OK);
  free(groups);
  for (size_t i = 0; i < ranges.count; i++)
    expect(ranges.items[i].begin >= 0 && ranges.items[i].begin < ranges.items[i].end && ranges.items[i].end < f->file_size);
  for (size_t i = 0; i < f->chunk_count; i++) tn_parquet_pages_check(ctx, fd, f, i, "fuzzed", NULL);
  tn_parquet_ranges_release(&ranges);
  tenon_ctx_free(ctx);
  free(wanted);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  int fd = file_of(data, size);
  tn_parquet_footer footer;
  tn_parquet_types types;
  tenon_error err = TENON_ERROR_INIT;
  tenon_status status = tn_parquet_footer_init(fd, "fuzzed", &footer, &err);
  expect(status == err.code);
  if (status) {
    expect(err.message[0] && err.remedy[0]);
    close(fd);
    return 0;
  }
  look_for_chunks(&footer, fd);
  close(fd);
  read_cut(&footer, false);
  read_cut(&footer, true);
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
