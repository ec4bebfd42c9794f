/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The next version of a collection. Everything is written to new files, each made durable; then a
 * new manifest is renamed over the old one, and from that moment on the new version counts. Whoever
 * dies before leaves files that no manifest names, which the next writer removes.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "faiss.h"

/* ---- The lock ---- */

tenon_status tn_faiss_lock(tenon_ctx *ctx, tn_faiss *s, tenon_error *err) {
  int64_t end = tn_now_ms() + s->config->lock_timeout_ms;
  for (int delay = 1;; delay = delay < 64 ? delay * 2 : 64) {
    if (flock(s->root_fd, LOCK_EX | LOCK_NB) == 0) return TENON_OK;
    if (errno != EWOULDBLOCK && errno != EINTR)
      return tn_faiss_fail_file(errno, s->config->path, TENON_STAGE_WRITE, err);
    if (tn_now_ms() >= end)
      return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE,
                        "try again when the other program is done, or wait longer with "
                        "lock_timeout",
                        "%s: another program is writing", s->config->path);
    tenon_status status = tn_faiss_host->wait(ctx, NULL, 0, delay, err);
    if (status) return status;
  }
}

void tn_faiss_unlock(tn_faiss *s) { flock(s->root_fd, LOCK_UN); }

tenon_status tn_faiss_refuse_foreign(const tn_faiss_version *v, tenon_error *err) {
  if (!v->is_foreign) return TENON_OK;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE,
                    "copy it into a collection: `tenon vectors get -o rows.jsonl`, `tenon vectors "
                    "upsert --from rows.jsonl`",
                    "%s is an index that FAISS's own library wrote: it can only be read", v->name);
}

/* ---- Files that nobody needs ---- */

enum { STAMP = 16 };

/* "codes-", sixteen hexadecimal digits, and nothing else: what people put there stays. */
static bool is_called(const char *name, const char *prefix, const char *suffix) {
  size_t size = strlen(prefix);
  return strncmp(name, prefix, size) == 0 &&
         strspn(name + size, "0123456789abcdef") == STAMP &&
         strcmp(name + size + STAMP, suffix) == 0;
}

static bool is_ours(const char *name) {
  return is_called(name, "vectors-", ".faiss") || is_called(name, "records-", "") ||
         is_called(name, "codes-", "") || tn_new_file_is_temporary(name);
}

static DIR *list_folder(int folder) {
  int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  if (!d && fd >= 0) close(fd);
  return d;
}

bool tn_faiss_has_lost(int folder) {
  struct stat st;
  bool found = false;
  if (fstatat(folder, "manifest", &st, AT_SYMLINK_NOFOLLOW) == 0) return false;
  DIR *d = list_folder(folder);
  for (struct dirent *e; d && !found && (e = readdir(d));)
    found = is_called(e->d_name, "vectors-", ".faiss") &&
            fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_size > TN_FAISS_HEADER;
  if (d) closedir(d);
  return found;
}

void tn_faiss_sweep(int folder) {
  char manifest[TN_FAISS_MANIFEST] = "";
  int errnum = tn_faiss_read_small(folder, "manifest", manifest);
  if (errnum && errnum != ENOENT) return;
  const char *stamp = strstr(manifest, "stamp ");
  DIR *d = list_folder(folder);
  if (!d) return;
  char kept[STAMP + 1] = "";
  if (stamp) snprintf(kept, sizeof kept, "%.*s", STAMP, stamp + 6);
  for (struct dirent *e; (e = readdir(d));)
    if (is_ours(e->d_name) && (!*kept || !strstr(e->d_name, kept))) unlinkat(folder, e->d_name, 0);
  closedir(d);
}

/* ---- A file being written ---- */

enum { BUFFER = 1 << 20, CHECK_ROWS = 4096 };

typedef struct sink {
  tn_new_file file;
  uint8_t *buffer;
  size_t used;
} sink;

static tenon_status sink_init(sink *k, int folder, const char *pattern, uint64_t stamp,
                              tenon_error *err) {
  char path[64];
  snprintf(path, sizeof path, pattern, (unsigned long long)stamp);
  *k = (sink){.buffer = tn_alloc(BUFFER), .file = {.fd = -1, .dir_fd = -1}};
  tenon_status status = k->buffer ? tn_new_file_init(&k->file, folder, path, err) : tn_no_memory(err);
  if (status) tn_free(k->buffer);
  return status;
}

static tenon_status sink_flush(sink *k, tenon_error *err) {
  size_t used = k->used;
  k->used = 0;
  return used ? tn_write_all(k->file.fd, k->buffer, used, err) : TENON_OK;
}

static tenon_status sink_put(sink *k, const void *data, size_t size, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (size > BUFFER - k->used) status = sink_flush(k, err);
  if (status) return status;
  if (size >= BUFFER) return tn_write_all(k->file.fd, data, size, err);
  memcpy(k->buffer + k->used, data, size);
  k->used += size;
  return TENON_OK;
}

static tenon_status sink_pad(sink *k, uint64_t written, size_t to, tenon_error *err) {
  static const uint8_t zeros[64];
  return sink_put(k, zeros, (size_t)((to - written % to) % to), err);
}

/* Releases it, also on failure. */
static tenon_status sink_finish(sink *k, tenon_status status, tenon_error *err) {
  if (!status) status = sink_flush(k, err);
  if (!status) status = tn_new_file_commit(&k->file, true, err);
  else tn_new_file_release(&k->file);
  tn_free(k->buffer);
  return status;
}

/* ---- What is written ---- */

typedef struct next_version {
  tenon_ctx *ctx;
  int folder;
  const char *name;
  tenon_metric metric;
  int32_t dimension;
  const tn_faiss_version *old;    /* NULL: none */
  const uint8_t *dropped;         /* NULL: none */
  const tn_faiss_staged *staged;  /* may be of no rows */
  int64_t kept, count;
  uint64_t stamp;
} next_version;

static bool is_kept(const next_version *n, int64_t row) { return !n->dropped || !n->dropped[row]; }

static tenon_status check(const next_version *n, int64_t row, tenon_error *err) {
  return row % CHECK_ROWS ? TENON_OK : tn_faiss_host->check(n->ctx, err);
}

/* Of the old rows, those that stay, in runs of neighbours. */
static int64_t next_run(const next_version *n, int64_t *row) {
  int64_t total = n->old ? n->old->count : 0;
  while (*row < total && !is_kept(n, *row)) (*row)++;
  int64_t end = *row;
  while (end < total && end - *row < CHECK_ROWS && is_kept(n, end)) end++;
  return end - *row;
}

static tenon_status write_vectors(const next_version *n, sink *k, tenon_error *err) {
  uint8_t header[TN_FAISS_HEADER];
  size_t row_size = (size_t)n->dimension * sizeof(float);
  tn_faiss_index_header(n->metric, n->dimension, n->count, header);
  tenon_status status = sink_put(k, header, sizeof header, err);
  int64_t row = 0;
  for (int64_t run; !status && (run = next_run(n, &row)) > 0; row += run) {
    status = tn_faiss_host->check(n->ctx, err);
    if (!status) status = sink_put(k, tn_faiss_row(n->old, row), (size_t)run * row_size, err);
  }
  for (int64_t i = 0; i < n->staged->count && !status; i++) {
    status = check(n, i, err);
    if (!status)
      status = sink_put(k, tn_faiss_staged_vector(n->staged, i), row_size, err);
  }
  return status;
}

static tenon_status write_stats(const next_version *n, sink *k, int8_t *code, tenon_error *err) {
  tenon_status status = TENON_OK;
  int64_t row = 0;
  for (int64_t run; !status && (run = next_run(n, &row)) > 0; row += run)
    status = sink_put(k, n->old->codes.stats + row, (size_t)run * sizeof(tn_faiss_stats), err);
  for (int64_t i = 0; i < n->staged->count && !status; i++) {
    tn_faiss_stats stats;
    tn_faiss_encode(tn_faiss_staged_vector(n->staged, i), n->dimension, &stats, code);
    status = check(n, i, err);
    if (!status) status = sink_put(k, &stats, sizeof stats, err);
  }
  return status;
}

static tenon_status write_code_rows(const next_version *n, sink *k, int8_t *code,
                                    tenon_error *err) {
  size_t stride = tn_faiss_codes_stride(n->dimension);
  tenon_status status = TENON_OK;
  int64_t row = 0;
  for (int64_t run; !status && (run = next_run(n, &row)) > 0; row += run)
    status = sink_put(k, n->old->codes.codes + (size_t)row * stride, (size_t)run * stride, err);
  for (int64_t i = 0; i < n->staged->count && !status; i++) {
    tn_faiss_stats stats;
    tn_faiss_encode(tn_faiss_staged_vector(n->staged, i), n->dimension, &stats, code);
    status = check(n, i, err);
    if (!status) status = sink_put(k, code, stride, err);
  }
  return status;
}

static tenon_status write_codes(const next_version *n, sink *k, tenon_error *err) {
  uint8_t header[TN_FAISS_CODES_HEADER];
  int8_t *code = tn_alloc(tn_faiss_codes_stride(n->dimension));
  if (!code) return tn_no_memory(err);
  tn_faiss_codes_header(n->dimension, n->count, header);
  tenon_status status = sink_put(k, header, sizeof header, err);
  if (!status) status = write_stats(n, k, code, err);
  if (!status)
    status = sink_pad(k, sizeof header + (uint64_t)n->count * sizeof(tn_faiss_stats), 64, err);
  if (!status) status = write_code_rows(n, k, code, err);
  tn_free(code);
  return status;
}

/* ---- Records: offsets, order, texts ---- */

static tenon_status old_record(const next_version *n, int64_t row, tn_faiss_record *ret,
                               tenon_error *err) {
  return tn_faiss_record_at(&n->old->records, row, ret) ? TENON_OK
                                                        : tn_faiss_damaged(n->old, row, err);
}

static tenon_status write_offsets(const next_version *n, sink *k, uint64_t *ret_heap,
                                  tenon_error *err) {
  uint64_t heap = 0;
  int64_t total = n->old ? n->old->count : 0;
  tenon_status status = sink_put(k, &heap, sizeof heap, err);
  for (int64_t row = 0; row < total && !status; row++) {
    tn_faiss_record r;
    if (!is_kept(n, row)) continue;
    status = old_record(n, row, &r, err);
    if (status) break;
    heap += tn_faiss_record_bytes(&r);
    status = sink_put(k, &heap, sizeof heap, err);
  }
  for (int64_t i = 0; i < n->staged->count && !status; i++) {
    size_t size;
    tn_faiss_staged_text(n->staged, i, &size);
    heap += size;
    status = sink_put(k, &heap, sizeof heap, err);
  }
  *ret_heap = heap;
  return status;
}

/* Where the old rows that stay will stand. */
static uint32_t *new_places(const next_version *n) {
  int64_t total = n->old ? n->old->count : 0, place = 0;
  uint32_t *places = tn_alloc_array((size_t)total + 1, sizeof *places);
  for (int64_t row = 0; places && row < total; row++)
    places[row] = is_kept(n, row) ? (uint32_t)place++ : UINT32_MAX;
  return places;
}

typedef struct merge {
  int64_t old_at, staged_at;
  tn_faiss_record old, staged;
  int64_t old_row;                /* -1: no more */
  bool has_staged;
} merge;

static tenon_status next_old(const next_version *n, merge *m, tenon_error *err) {
  int64_t total = n->old ? n->old->count : 0;
  m->old_row = -1;
  while (m->old_at < total) {
    int64_t row = tn_faiss_record_ordered(&n->old->records, m->old_at++);
    if (row < 0) return tn_faiss_damaged(n->old, m->old_at - 1, err);
    if (!is_kept(n, row)) continue;
    m->old_row = row;
    return old_record(n, row, &m->old, err);
  }
  return TENON_OK;
}

static void next_staged(const next_version *n, merge *m) {
  const tn_faiss_staged *s = n->staged;
  m->has_staged = m->staged_at < s->count;
  if (!m->has_staged) return;
  size_t size;
  const uint8_t *text = tn_faiss_staged_text(s, s->order[m->staged_at++], &size);
  tn_faiss_record_get(text, size, &m->staged);
}

/* Both are in order of their ids already. */
static tenon_status write_order(const next_version *n, sink *k, const uint32_t *places,
                                tenon_error *err) {
  merge m = {0};
  int64_t i = 0;
  tenon_status status = next_old(n, &m, err);
  next_staged(n, &m);
  for (; !status && (m.old_row >= 0 || m.has_staged); i++) {
    bool old_first = m.old_row >= 0 &&
                     (!m.has_staged || tn_faiss_id_compare(m.old.id, m.old.id_size, m.staged.id,
                                                           m.staged.id_size) < 0);
    uint32_t row = old_first ? places[m.old_row]
                             : (uint32_t)n->kept + n->staged->order[m.staged_at - 1];
    status = i < n->count ? sink_put(k, &row, sizeof row, err) : tn_faiss_damaged(n->old, i, err);
    if (!status && old_first) status = next_old(n, &m, err);
    if (!old_first) next_staged(n, &m);
  }
  if (!status && i != n->count) status = tn_faiss_damaged(n->old, 0, err);
  return status ? status : sink_pad(k, (uint64_t)n->count * 4, 8, err);
}

static tenon_status write_texts(const next_version *n, sink *k, tenon_error *err) {
  int64_t total = n->old ? n->old->count : 0;
  tenon_status status = TENON_OK;
  for (int64_t row = 0; row < total && !status; row++) {
    tn_faiss_record r;
    if (!is_kept(n, row)) continue;
    status = check(n, row, err);
    if (!status) status = old_record(n, row, &r, err);
    if (!status) status = sink_put(k, r.id - TN_FAISS_SIZES, tn_faiss_record_bytes(&r), err);
  }
  for (int64_t i = 0; i < n->staged->count && !status; i++) {
    size_t size;
    const uint8_t *text = tn_faiss_staged_text(n->staged, i, &size);
    status = sink_put(k, text, size, err);
  }
  return status;
}

static tenon_status write_records(const next_version *n, sink *k, tenon_error *err) {
  uint8_t header[64] = "TNRECS1\n";
  uint64_t heap = 0;
  uint32_t *places = new_places(n);
  if (!places) return tn_no_memory(err);
  memcpy(header + 8, &n->count, 8);
  tenon_status status = sink_put(k, header, sizeof header, err);
  if (!status) status = write_offsets(n, k, &heap, err);
  if (!status) status = write_order(n, k, places, err);
  if (!status) status = write_texts(n, k, err);
  tn_free(places);
  if (!status) status = sink_flush(k, err);
  if (!status && pwrite(k->file.fd, &heap, sizeof heap, 16) != sizeof heap)
    status = tn_faiss_fail_file(errno, n->name, TENON_STAGE_WRITE, err);
  return status;
}

/* ---- The commit ---- */

static tenon_status write_one(const next_version *n, const char *pattern,
                              tenon_status (*write_to)(const next_version *, sink *, tenon_error *),
                              tenon_error *err) {
  sink k;
  tenon_status status = sink_init(&k, n->folder, pattern, n->stamp, err);
  return status ? status : sink_finish(&k, write_to(n, &k, err), err);
}

static int print_manifest(const next_version *n, char text[TN_FAISS_MANIFEST]) {
  return snprintf(text, TN_FAISS_MANIFEST,
                  "tenon-vectors 1\nmetric %s\ndimension %d\nrows %lld\nstamp %016llx\n",
                  tn_faiss_metric_name(n->metric), (int)n->dimension, (long long)n->count,
                  (unsigned long long)n->stamp);
}

static tenon_status write_manifest(const next_version *n, tenon_error *err) {
  char text[TN_FAISS_MANIFEST];
  tn_new_file file;
  int size = print_manifest(n, text);
  tenon_status status = tn_new_file_init(&file, n->folder, "manifest", err);
  if (status) return status;
  status = tn_write_all(file.fd, text, (size_t)size, err);
  if (!status) return tn_new_file_commit(&file, false, err);
  tn_new_file_release(&file);
  return status;
}

/* Never the same again, also not after the collection was dropped and made anew. */
static uint64_t fresh_stamp(void) {
  static atomic_uint_fast64_t count;
  return (uint64_t)tn_wall_ns() * 16 + (atomic_fetch_add(&count, 1) & 15);
}

static int64_t count_kept(const tn_faiss_version *old, const uint8_t *dropped) {
  int64_t kept = old ? old->count : 0;
  for (int64_t i = 0; old && dropped && i < old->count; i++) kept -= dropped[i] != 0;
  return kept;
}

tenon_status tn_faiss_commit(tenon_ctx *ctx, tn_faiss *s, const char *name, tenon_metric metric,
                             int32_t dimension, const tn_faiss_version *old, const uint8_t *dropped,
                             const tn_faiss_staged *staged, tenon_error *err) {
  static const tn_faiss_staged nothing;
  next_version n = {.ctx = ctx, .folder = -1, .name = name, .metric = metric,
                    .dimension = dimension, .old = old, .dropped = dropped,
                    .staged = staged ? staged : &nothing, .stamp = fresh_stamp()};
  n.kept = count_kept(old, dropped);
  n.count = n.kept + n.staged->count;
  if (n.count > TN_FAISS_MAX_ROWS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "spread the rows over collections",
                      "%s would have more than 2147483647 rows", name);
  int errnum = tn_faiss_folder(s->root_fd, name, &n.folder);
  if (errnum) return tn_faiss_fail_file(errnum, name, TENON_STAGE_WRITE, err);
  tenon_status status = write_one(&n, "vectors-%016llx.faiss", write_vectors, err);
  if (!status) status = write_one(&n, "records-%016llx", write_records, err);
  if (!status) status = write_one(&n, "codes-%016llx", write_codes, err);
  if (!status) status = tn_faiss_host->check(ctx, err);
  if (!status) status = write_manifest(&n, err);
  tn_faiss_sweep(n.folder);
  close(n.folder);
  return status;
}
