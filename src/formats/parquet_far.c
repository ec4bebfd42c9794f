/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine would read where nothing came would be zeros, so the pages of what came are walked:
 * every one lies within its chunk, whatever the footer says of it. Bloom filters do not come: the
 * footer is made to say that there are none. Page indexes are not read by the engine.
 */
#include "formats/parquet_far.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "formats/parquet_pages.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_ranges.h"

enum { FIRST = 64 << 10, STEP = 1 << 20, MOST_AT_ONCE = 8, MAX_CUT = TN_PARQUET_MAX_FOOTER + 64 };

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

/* Ranges come side by side: each costs the way there and back, and most are small. */
typedef struct fetching {
  tenon_ctx *ctx;
  const tn_input *in;
  int fd;
  const tn_parquet_ranges *ranges;
  atomic_size_t next;
  atomic_bool failed;
  pthread_mutex_t lock;      /* of the first failure */
  tenon_status status;
  tenon_error error;
} fetching;

static void keep_failure(fetching *f, tenon_status status, const tenon_error *why) {
  pthread_mutex_lock(&f->lock);
  if (!f->status) {
    f->status = status;
    f->error = *why;
  }
  pthread_mutex_unlock(&f->lock);
  atomic_store(&f->failed, true);
}

static void *fetch(void *arg) {
  fetching *f = arg;
  for (size_t i; !atomic_load(&f->failed) && (i = atomic_fetch_add(&f->next, 1)) < f->ranges->count;) {
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = get_range(f->ctx, f->in, f->fd, f->ranges->items[i], &why);
    if (status) keep_failure(f, status, &why);
  }
  return NULL;
}

/* A thread that cannot be had is no failure: there are others, and this one. */
static tenon_status fetch_all(tenon_ctx *ctx, const tn_input *in, int fd, const tn_parquet_ranges *ranges, tenon_error *err) {
  fetching f = {.ctx = ctx, .in = in, .fd = fd, .ranges = ranges, .lock = PTHREAD_MUTEX_INITIALIZER};
  pthread_t threads[MOST_AT_ONCE - 1];
  size_t count = 0, most = in->is_shared && ranges->count ? ranges->count - 1 : 0;
  if (most > MOST_AT_ONCE - 1) most = MOST_AT_ONCE - 1;
  while (count < most && pthread_create(&threads[count], NULL, fetch, &f) == 0) count++;
  fetch(&f);
  while (count) pthread_join(threads[--count], NULL);
  pthread_mutex_destroy(&f.lock);
  if (f.status && err && !err->code) *err = f.error;
  return f.status;
}

static tenon_status get_ranges(tenon_ctx *ctx, const tn_input *in, int fd, int64_t from, const bool *wanted, const bool *groups,
                               const tn_parquet_footer *f, tenon_error *err) {
  tn_parquet_ranges ranges;
  tenon_status status = tn_parquet_ranges_init(f, wanted, groups, from, &ranges, err);
  if (status) return status;
  status = fetch_all(ctx, in, fd, &ranges, err);
  tn_parquet_ranges_release(&ranges);
  for (size_t i = 0; !status && i < f->chunk_count; i++)
    if (groups[i / f->leaf_count] && wanted[f->chunks[i].leaf]) status = tn_parquet_pages_check(ctx, fd, f, i, in->name, err);
  return status;
}

static tenon_status cut_footer(const tn_input *in, int fd, const bool *groups, tn_parquet_footer *f, tenon_error *err) {
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

tenon_status tn_parquet_far_fetch(tenon_ctx *ctx, const tn_input *in, int fd, int64_t from, const bool *wanted, const bool *groups,
                                  tn_parquet_footer *f, tenon_error *err) {
  tenon_status status = get_ranges(ctx, in, fd, from, wanted, groups, f, err);
  return status ? status : cut_footer(in, fd, groups, f, err);
}
