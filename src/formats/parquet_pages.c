/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_pages.h"

#include <errno.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "formats/thrift.h"

/* A header has some thirty bytes; with bounds of long values it may have more. */
enum { USUAL = 256, LONGEST = 16 << 20, DATA_PAGE = 0, DATA_PAGE_V2 = 3 };

typedef struct tn_page {
  int64_t values;          /* 0: of a dictionary, or an index */
  int64_t size;            /* with its header */
} tn_page;

static int64_t count_in(tn_thrift *t, const tn_thrift_field *field) {
  tn_thrift_field f = {0};
  int64_t count = -1;
  if (field->type != TN_THRIFT_STRUCT) t->bad = true;
  while (!t->bad && tn_thrift_next(t, &f)) {
    if (f.id == 1) count = tn_thrift_int(t, &f);
    else tn_thrift_skip(t, f.type);
  }
  return count;
}

/* struct PageHeader { 1: type, 2: uncompressed_page_size, 3: compressed_page_size, 5: data_page_header, 8: …_v2 } */
static bool read_header(const uint8_t *data, size_t size, tn_page *ret) {
  tn_thrift t = {.data = data, .size = size};
  tn_thrift_field f = {0};
  int64_t type = -1, bytes = -1, values = -1, values_v2 = -1;
  while (tn_thrift_next(&t, &f)) {
    switch (f.id) {
      case 1: type = tn_thrift_int(&t, &f); break;
      case 3: bytes = tn_thrift_int(&t, &f); break;
      case 5: values = count_in(&t, &f); break;
      case 8: values_v2 = count_in(&t, &f); break;
      default: tn_thrift_skip(&t, f.type);
    }
  }
  if (type == DATA_PAGE_V2) values = values_v2;
  else if (type != DATA_PAGE) values = 0;
  if (t.bad || type < 0 || bytes < 0 || bytes > INT32_MAX || values < 0) return false;
  *ret = (tn_page){.values = values, .size = (int64_t)t.at + bytes};
  return true;
}

static tenon_status broken(const char *name, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "get the file again, or have it written again", "%s is not a whole Parquet file: %s", name,
                    what);
}

static tenon_status read_at(int fd, uint8_t *data, size_t size, int64_t offset, const char *name, tenon_error *err) {
  ssize_t n;
  do n = pread(fd, data, size, offset);
  while (n < 0 && errno == EINTR);
  if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", name);
  return n == (ssize_t)size ? TENON_OK : broken(name, "a chunk ends behind the file", err);
}

static tenon_status long_page_at(int fd, int64_t at, size_t size, const char *name, tn_page *ret, tenon_error *err) {
  uint8_t *data = tn_alloc(size);
  if (!data) return tn_no_memory(err);
  tenon_status status = read_at(fd, data, size, at, name, err);
  if (!status && !read_header(data, size, ret)) status = broken(name, "a page's header is malformed", err);
  tn_free(data);
  return status;
}

static tenon_status page_at(int fd, int64_t at, int64_t end, const char *name, tn_page *ret, tenon_error *err) {
  uint8_t data[USUAL];
  size_t size = end - at < USUAL ? (size_t)(end - at) : USUAL;
  tenon_status status = read_at(fd, data, size, at, name, err);
  if (status || read_header(data, size, ret)) return status;
  return long_page_at(fd, at, end - at < LONGEST ? (size_t)(end - at) : LONGEST, name, ret, err);
}

tenon_status tn_parquet_pages_check(tenon_ctx *ctx, int fd, const tn_parquet_footer *f, size_t chunk, const char *name, tenon_error *err) {
  const tn_parquet_chunk *c = &f->chunks[chunk];
  int64_t limit = f->file_size - TN_PARQUET_TAIL - (int64_t)f->size, at = c->begin, seen = 0;
  int64_t end = at < limit && c->size < limit - at ? at + c->size : limit;
  while (seen < c->values) {
    tn_page page;
    if (at >= end) return broken(name, "a column's pages are more than its chunk", err);
    tenon_status status = tn_ctx_check(ctx, err);
    if (!status) status = page_at(fd, at, end, name, &page, err);
    if (status) return status;
    if (page.size > end - at) return broken(name, "a page is longer than its chunk", err);
    at += page.size;
    seen = page.values > c->values - seen ? c->values : seen + page.values;
  }
  return TENON_OK;
}
