/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine would read where nothing came would be zeros, so the pages of what came are walked:
 * every one lies within its chunk, whatever the footer says of it. Bloom filters do not come: the
 * footer is made to say that there are none. Page indexes are not read by the engine.
 */
#include "formats/parquet_far.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/parquet_pages.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_ranges.h"

enum { FIRST = 64 << 10, STEP = 1 << 20, MAX_CUT = TN_PARQUET_MAX_FOOTER + 64 };

static tenon_status cannot_store(int why, tenon_error *err) {
  return tn_fail_errno(err, why, TENON_STAGE_DATA, "make room in TMPDIR, or set it to a folder that has", "a temporary file");
}

static tenon_status put_at(int fd, const char *data, size_t size, int64_t offset, tenon_error *err) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pwrite(fd, data + done, size - done, offset + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return cannot_store(n < 0 ? errno : EIO, err);
    done += (size_t)n;
  }
  return TENON_OK;
}

/* To the end of the bytes, so that their connection can be used again. */
static tenon_status store(tenon_ctx *ctx, const tn_input *in, tenon_bytes *bytes, int fd, tn_parquet_range r, tenon_error *err) {
  char *step = tn_alloc(STEP);
  if (!step) return tn_no_memory(err);
  tenon_status status;
  int64_t at = r.begin;
  for (;;) {
    size_t n = 0;
    if (!(status = tn_ctx_check(ctx, err))) status = bytes->read(bytes->self, step, STEP, &n, err);
    if (status || n == 0) break;
    bool fits = n <= (uint64_t)(r.end - at);
    if (fits) status = put_at(fd, step, n, at, err);
    at = fits ? at + (int64_t)n : -1;
    if (status || !fits) break;
  }
  tn_free(step);
  if (!status && at != r.end)
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "try again; it may have been replaced", "%s: other bytes came than were asked for",
                        in->name);
  return status;
}

static tenon_status get_range(tenon_ctx *ctx, const tn_input *in, int fd, tn_parquet_range r, tenon_error *err) {
  tenon_bytes bytes;
  tenon_status status = in->open(in->self, r.begin, r.end - r.begin, &bytes, err);
  if (status) return status;
  status = store(ctx, in, &bytes, fd, r, err);
  bytes.close(bytes.self);
  return status;
}

/* ---- The footer ---- */

/* What of it did not come with the tail. A size that cannot be is found by who reads the footer. */
static tenon_status get_rest(tenon_ctx *ctx, const tn_input *in, int fd, int64_t *from, tenon_error *err) {
  uint8_t tail[TN_PARQUET_TAIL];
  uint32_t size;
  if (pread(fd, tail, sizeof tail, in->size - TN_PARQUET_TAIL) != (ssize_t)sizeof tail) return cannot_store(EIO, err);
  memcpy(&size, tail, 4);
  int64_t begin = in->size - TN_PARQUET_TAIL - (int64_t)size;
  if (memcmp(tail + 4, "PAR1", 4) != 0 || size > TN_PARQUET_MAX_FOOTER || begin < 4 || begin >= *from) return TENON_OK;
  tenon_status status = get_range(ctx, in, fd, (tn_parquet_range){begin, *from}, err);
  if (!status) *from = begin;
  return status;
}

static tenon_status fill_tail(tenon_ctx *ctx, const tn_input *in, int fd, int64_t *from, tenon_error *err) {
  *from = in->size > FIRST ? in->size - FIRST : 0;
  if (ftruncate(fd, in->size) != 0) return cannot_store(errno, err);
  tenon_status status = get_range(ctx, in, fd, (tn_parquet_range){*from, in->size}, err);
  if (status || *from == 0) return status;
  status = put_at(fd, "PAR1", 4, 0, err);
  return status ? status : get_rest(ctx, in, fd, from, err);
}

tenon_status tn_parquet_far_open(tenon_ctx *ctx, const tn_input *in, int *ret_fd, int64_t *ret_from, tenon_error *err) {
  if (in->size < TN_PARQUET_TAIL)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "read the whole object", "%s: its size is not known", in->name);
  int64_t from;
  int fd = tn_spool_open();
  if (fd < 0) return cannot_store(errno, err);
  tenon_status status = fill_tail(ctx, in, fd, &from, err);
  if (status) {
    close(fd);
    return status;
  }
  *ret_fd = fd;
  *ret_from = from;
  return TENON_OK;
}

/* ---- The chunks ---- */

static tenon_status get_ranges(tenon_ctx *ctx, const tn_input *in, int fd, int64_t from, const bool *wanted, size_t groups,
                               const tn_parquet_footer *f, tenon_error *err) {
  tn_parquet_ranges ranges;
  tenon_status status = tn_parquet_ranges_init(f, wanted, groups, from, &ranges, err);
  if (status) return status;
  for (size_t i = 0; !status && i < ranges.count; i++) status = get_range(ctx, in, fd, ranges.items[i], err);
  tn_parquet_ranges_release(&ranges);
  for (size_t i = 0; !status && i < groups * f->leaf_count; i++)
    if (wanted[f->chunks[i].leaf]) status = tn_parquet_pages_check(ctx, fd, f, i, in->name, err);
  return status;
}

static tenon_status cut_footer(const tn_input *in, int fd, size_t groups, tn_parquet_footer *f, tenon_error *err) {
  tn_parquet_footer made;
  tn_str cut;
  tn_str_init(&cut, MAX_CUT);
  tenon_status status = tn_parquet_footer_cut(f, groups, &cut, err);
  if (!status) status = tn_parquet_replace_footer(fd, f, &cut, err);
  tn_str_release(&cut);
  if (!status) status = tn_parquet_footer_init(fd, in->name, &made, err);
  if (status) return status;
  tn_parquet_footer_release(f);
  *f = made;
  return TENON_OK;
}

tenon_status tn_parquet_far_fetch(tenon_ctx *ctx, const tn_input *in, int fd, int64_t from, const bool *wanted, int64_t rows,
                                  tn_parquet_footer *f, tenon_error *err) {
  size_t groups = tn_parquet_groups_for(f, rows);
  tenon_status status = get_ranges(ctx, in, fd, from, wanted, groups, f, err);
  return status ? status : cut_footer(in, fd, groups, f, err);
}
