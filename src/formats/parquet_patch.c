/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_patch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "formats/thrift.h"

enum { STEP = 1 << 20, INT96_BYTES = 12 };

/* ---- Thrift's compact protocol, written: just what elements need ---- */

static void put_varint(tn_str *to, uint64_t v) {
  for (; v >= 128; v >>= 7) tn_str_putc(to, (char)(v | 128));
  tn_str_putc(to, (char)v);
}

static void put_field(tn_str *to, int *last, int id, int type) {
  tn_str_putc(to, (char)((id - *last) << 4 | type));   /* ids rise by less than 16 here */
  *last = id;
}

static void put_int(tn_str *to, int *last, int id, int32_t v) {
  put_field(to, last, id, TN_THRIFT_I32);
  put_varint(to, (uint32_t)v << 1 ^ (uint32_t)(v >> 31));
}

/* TIME or TIMESTAMP { 1: isAdjustedToUTC, 2: unit { 3: NANOS {} } } in the union LogicalType. */
static void put_nanos(tn_str *to, int *last, int logical, bool utc) {
  int inside = 0, time = 0, unit = 0;
  put_field(to, last, 10, TN_THRIFT_STRUCT);
  put_field(to, &inside, logical, TN_THRIFT_STRUCT);
  put_field(to, &time, 1, utc ? TN_THRIFT_TRUE : TN_THRIFT_FALSE);
  put_field(to, &time, 2, TN_THRIFT_STRUCT);
  put_field(to, &unit, 3, TN_THRIFT_STRUCT);
  for (int ends = 0; ends < 4; ends++) tn_str_putc(to, 0);   /* of NANOS, of unit, of TIME, of the union */
}

static tn_physical patched_physical(const tn_parquet_element *e, tn_patch patch) {
  if (patch == TN_PATCH_FLOAT) return TN_FLOAT;
  if (patch == TN_PATCH_DOUBLE) return TN_DOUBLE;
  return patch == TN_PATCH_RAW && e->physical == TN_INT96 ? TN_FIXED_LEN_BYTE_ARRAY : e->physical;
}

static void put_element(tn_str *to, const tn_parquet_element *e, tn_patch patch) {
  int last = 0;
  tn_physical physical = patched_physical(e, patch);
  if (e->child_count == 0) put_int(to, &last, 1, (int32_t)physical);
  if (physical == TN_FIXED_LEN_BYTE_ARRAY) put_int(to, &last, 2, e->physical == TN_INT96 ? INT96_BYTES : e->type_length);
  put_int(to, &last, 3, e->repetition);
  put_field(to, &last, 4, TN_THRIFT_BINARY);
  put_varint(to, strlen(e->name));
  tn_str_puts(to, e->name);
  if (e->child_count) put_int(to, &last, 5, e->child_count);
  if (patch == TN_PATCH_TIMESTAMP_NS_UTC) put_nanos(to, &last, TN_LOGICAL_TIMESTAMP, true);
  if (patch == TN_PATCH_TIME_NS) put_nanos(to, &last, TN_LOGICAL_TIME, false);
  tn_str_putc(to, 0);
}

/* In place, so nothing moves: statistics become bytes of a field that nobody knows. Less than three bytes have no bounds. */
static void hide(uint8_t *at, size_t size) {
  if (size < 3) return;
  const bool is_short = size - 3 < 128;
  const uint32_t length = (uint32_t)(is_short ? size - 3 : size - 7);
  *at++ = 15 << 4 | TN_THRIFT_BINARY;
  for (int i = 0; !is_short && i < 4; i++) *at++ = (uint8_t)(length >> 7 * i | 128);
  *at++ = (uint8_t)(is_short ? length : length >> 28);
  memset(at, 0, (size_t)length + 1);   /* and the struct's end */
}

/* In place, too: a type is one byte, a varint. */
static void patch_chunk(const tn_parquet_footer *f, const tn_parquet_chunk *c, tn_patch patch, char *data, size_t moved) {
  const tn_parquet_element *e = &f->elements[c->leaf];
  data[c->type_at + moved] = (char)(patched_physical(e, patch) << 1);
  bool is_float = patch == TN_PATCH_FLOAT || patch == TN_PATCH_DOUBLE;
  if (is_float || c->bad_bounds) hide((uint8_t *)&data[c->statistics_at + moved], c->statistics_end - c->statistics_at);
}

tenon_status tn_parquet_patch(const tn_parquet_footer *f, const uint8_t *patches, tn_str *ret_footer, tenon_error *err) {
  size_t at = 0;
  for (uint32_t i = 0; i < f->element_count; i++) {
    if (patches[i] == TN_PATCH_NONE) continue;
    tn_str_add(ret_footer, (const char *)f->data + at, f->elements[i].begin - at);
    put_element(ret_footer, &f->elements[i], patches[i]);
    at = f->elements[i].end;
  }
  size_t moved = ret_footer->size - at;   /* what is behind the schema only moves; forwards by a number that wraps around */
  tn_str_add(ret_footer, (const char *)f->data + at, f->size - at);
  if (ret_footer->failed) return tn_no_memory(err);
  for (size_t i = 0; i < f->chunk_count; i++)
    patch_chunk(f, &f->chunks[i], (tn_patch)patches[f->chunks[i].leaf], ret_footer->data, moved);
  return TENON_OK;
}

/* ---- Files ---- */

static tenon_status put_at(int fd, const void *data, size_t size, int64_t offset, tenon_error *err) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(fd, (const char *)data + done, size - done, offset + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return tn_fail_errno(err, n < 0 ? errno : EIO, TENON_STAGE_WRITE, "make room on the disk", "writing a Parquet file");
    done += (size_t)n;
  }
  return TENON_OK;
}

static tenon_status put_footer(int fd, const tn_str *footer, int64_t offset, tenon_error *err) {
  uint32_t size = (uint32_t)footer->size;
  char tail[8] = {0, 0, 0, 0, 'P', 'A', 'R', '1'};
  memcpy(tail, &size, 4);
  tenon_status status = put_at(fd, footer->data, footer->size, offset, err);
  if (!status) status = put_at(fd, tail, sizeof tail, offset + (int64_t)footer->size, err);
  if (!status && ftruncate(fd, offset + (int64_t)footer->size + (int64_t)sizeof tail) != 0)
    status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "writing a Parquet file");
  return status;
}

static int64_t footer_offset(const tn_parquet_footer *f) { return f->file_size - 8 - (int64_t)f->size; }

tenon_status tn_parquet_replace_footer(int fd, const tn_parquet_footer *f, const tn_str *footer, tenon_error *err) {
  return put_footer(fd, footer, footer_offset(f), err);
}

/* In the kernel where the file systems allow it, else through a buffer. */
static tenon_status copy_range(tenon_ctx *ctx, int from, int to, int64_t offset, int64_t size, char *step, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (int64_t done = 0; !status && done < size;) {
    if ((status = tn_ctx_check(ctx, err))) break;
    off_t in = offset + done, out = in;
    size_t most = size - done < 16 * STEP ? (size_t)(size - done) : 16 * STEP;
    ssize_t n = copy_file_range(from, &in, to, &out, most, 0);
    if (n <= 0) {
      n = pread(from, step, most < STEP ? most : STEP, offset + done);
      if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "reading a Parquet file");
      if (n == 0) break;   /* it ends here; what is missing is found when it is decoded */
      status = put_at(to, step, (size_t)n, offset + done, err);
    }
    done += n;
  }
  return status;
}

static tenon_status copy_chunks(tenon_ctx *ctx, int from, int to, const tn_parquet_footer *f, const bool *wanted, tenon_error *err) {
  int64_t end = footer_offset(f);
  char *step = tn_alloc(STEP);
  if (!step) return tn_no_memory(err);
  tenon_status status = put_at(to, "PAR1", 4, 0, err);
  for (size_t i = 0; !status && i < f->chunk_count; i++) {
    const tn_parquet_chunk *c = &f->chunks[i];
    int64_t size = c->size < end - c->begin ? c->size : end - c->begin;
    if (wanted[c->leaf] && size > 0) status = copy_range(ctx, from, to, c->begin, size, step, err);
  }
  tn_free(step);
  return status;
}

tenon_status tn_parquet_copy(tenon_ctx *ctx, int fd, const tn_parquet_footer *f, const bool *wanted, const tn_str *footer, int *ret_fd,
                             tenon_error *err) {
  int copy = tn_spool_open();
  if (copy < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, "set TMPDIR to a folder that can be written", "a temporary file");
  tenon_status status = copy_chunks(ctx, fd, copy, f, wanted, err);
  if (!status) status = put_footer(copy, footer, footer_offset(f), err);
  if (status) close(copy);
  else *ret_fd = copy;
  return status;
}
