/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faiss.h"

enum { VECTORS, RECORDS, CODES, MAX_TRIES = 100 };

/* ---- Names ---- */

tenon_status tn_faiss_check_name(const char *name, tenon_error *err) {
  size_t size = strlen(name);
  bool fits = size >= 1 && size <= TN_FAISS_NAME && name[0] != '.' && !strchr(name, '/');
  for (const char *c = name; *c; c++) fits &= (unsigned char)*c >= 0x20 && *c != 0x7F;
  if (fits) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use letters, digits, - and _",
                    "a collection's name here is at most %d bytes without / and control "
                    "characters, and does not begin with a point",
                    TN_FAISS_NAME);
}

static const char *const metric_names[] = {"cosine", "inner_product", "l2"};

const char *tn_faiss_metric_name(tenon_metric m) { return metric_names[m]; }

static bool parse_metric(const char *name, tenon_metric *ret) {
  for (int i = 0; i < 3; i++)
    if (strcmp(name, metric_names[i]) == 0) {
      *ret = (tenon_metric)i;
      return true;
    }
  return false;
}

/* ---- Failures ---- */

tenon_status tn_faiss_fail_file(int errnum, const char *name, tenon_stage stage,
                                tenon_error *err) {
  const char *remedy = errnum == EACCES || errnum == EPERM ? "give this user the right to it"
                       : errnum == ENOSPC || errnum == EDQUOT ? "make room on the disk"
                       : errnum == EROFS ? "write to a disk that is not read-only"
                                         : "look at the disk that holds the folder";
  if (errnum == ELOOP)
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                      "make the folder that it leads to the root, or copy what is in it",
                      "%s is a link, which is not followed", name);
  return tn_fail_errno(err, errnum, stage, remedy, "%s", name);
}

static tenon_status not_there(const char *name, tenon_error *err) {
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
                    "`tenon vectors list` says what there is, `tenon vectors create` makes one",
                    "there is no collection %s", name);
}

static tenon_status damaged(const char *name, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "restore the collection from a copy",
                    "%s: %s", name, what);
}

tenon_status tn_faiss_damaged(const tn_faiss_version *v, int64_t row, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "restore the collection from a copy",
                    "%s: the ids and metadata of row %lld are damaged", v->name, (long long)row);
}

/* ---- Files ---- */

int tn_faiss_folder(int root_fd, const char *name, int *ret_fd) {
  struct stat st;
  int fd = openat(root_fd, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd >= 0) {
    *ret_fd = fd;
    return 0;
  }
  int errnum = errno;
  bool is_link = errnum == ENOTDIR && fstatat(root_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                 S_ISLNK(st.st_mode);
  return is_link ? ELOOP : errnum;
}

/* 0 or errno. Only regular files, and not through a link. */
static int map_file(int at_fd, const char *path, tn_faiss_map *ret, struct stat *ret_st) {
  int fd = openat(at_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno;
  int errnum = fstat(fd, ret_st) < 0 ? errno : S_ISREG(ret_st->st_mode) ? 0 : EINVAL;
  void *data = NULL;
  if (!errnum && ret_st->st_size > 0) {
    data = mmap(NULL, (size_t)ret_st->st_size, PROT_READ, MAP_SHARED, fd, 0);
    if (data == MAP_FAILED) errnum = errno;
  }
  close(fd);
  if (!errnum) *ret = (tn_faiss_map){data, (size_t)ret_st->st_size};
  return errnum;
}

static bool is_same_file(const struct stat *a, const struct stat *b) {
  return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
         a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

/* 0 or errno. */
static int read_all(int fd, uint8_t *to, size_t size) {
  for (size_t at = 0; at < size;) {
    ssize_t n = pread(fd, to + at, size - at, (off_t)at);
    if (n == 0) return EAGAIN;
    if (n < 0 && errno != EINTR) return errno;
    if (n > 0) at += (size_t)n;
  }
  return 0;
}

/* As map_file, but a copy: FAISS writes its files in place, and a file that gets shorter while it is
 * mapped ends the process. EAGAIN: somebody was writing to it. */
static int copy_file(int at_fd, const char *path, tn_faiss_map *ret, struct stat *ret_st) {
  struct stat after;
  int fd = openat(at_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno;
  int errnum = fstat(fd, ret_st) < 0 ? errno : S_ISREG(ret_st->st_mode) ? 0 : EINVAL;
  size_t size = errnum ? 0 : (size_t)ret_st->st_size;
  void *data = NULL;
  if (size) {
    data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (data == MAP_FAILED) errnum = errno;
    else errnum = read_all(fd, data, size);
  }
  if (!errnum && (fstat(fd, &after) < 0 || !is_same_file(ret_st, &after))) errnum = EAGAIN;
  close(fd);
  if (!errnum) *ret = (tn_faiss_map){data, size};
  else if (data && data != MAP_FAILED) munmap(data, size);
  return errnum;
}

int tn_faiss_read_small(int at_fd, const char *path, char text[TN_FAISS_MANIFEST]) {
  int fd = openat(at_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return errno;
  ssize_t n = read(fd, text, TN_FAISS_MANIFEST);
  int errnum = n < 0 ? errno : n == TN_FAISS_MANIFEST ? EFBIG : 0;
  close(fd);
  if (!errnum) text[n] = 0;
  return errnum;
}

/* ---- Versions ---- */

tn_faiss_version *tn_faiss_version_ref(tn_faiss_version *v) {
  atomic_fetch_add(&v->refs, 1);
  return v;
}

void tn_faiss_version_unref(tn_faiss_version *v) {
  if (!v || atomic_fetch_sub(&v->refs, 1) != 1) return;
  for (int i = 0; i < 3; i++)
    if (v->files[i].data) munmap((void *)(uintptr_t)v->files[i].data, v->files[i].size);
  tn_free(v);
}

static tn_faiss_version *version_new(const char *name, const char *manifest) {
  tn_faiss_version *v = tn_alloc(sizeof *v);
  if (!v) return NULL;
  atomic_init(&v->refs, 1);
  snprintf(v->name, sizeof v->name, "%s", name);
  snprintf(v->manifest, sizeof v->manifest, "%s", manifest);
  return v;
}

static bool take_line(char **at, const char *key, char **ret_value) {
  size_t size = strlen(key);
  char *end = strchr(*at, '\n');
  if (!end || strncmp(*at, key, size) != 0 || (*at)[size] != ' ') return false;
  *end = 0;
  *ret_value = *at + size + 1;
  *at = end + 1;
  return true;
}

static bool whole_number(const char *text, int base, uint64_t max, uint64_t *ret) {
  char *end;
  if (!*text || strchr("+- \t", *text)) return false;
  errno = 0;
  unsigned long long n = strtoull(text, &end, base);
  *ret = n;
  return !*end && !errno && n <= max;
}

static tenon_status parse_manifest(tn_faiss_version *v, tenon_error *err) {
  char text[TN_FAISS_MANIFEST], *at = text, *format, *metric, *dimension, *rows, *stamp;
  uint64_t d = 0, n = 0;
  memcpy(text, v->manifest, sizeof text);
  bool sound = take_line(&at, "tenon-vectors", &format) && take_line(&at, "metric", &metric) &&
               take_line(&at, "dimension", &dimension) && take_line(&at, "rows", &rows) &&
               take_line(&at, "stamp", &stamp) && !*at;
  if (sound && strcmp(format, "1") != 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "use a newer version of Tenon",
                      "%s was written in format %.20s", v->name, format);
  if (!sound || !parse_metric(metric, &v->metric) ||
      !whole_number(dimension, 10, TENON_MAX_DIMENSION, &d) || d < 1 ||
      !whole_number(rows, 10, (uint64_t)TN_FAISS_MAX_ROWS, &n) ||
      !whole_number(stamp, 16, UINT64_MAX, &v->stamp))
    return damaged(v->name, "its manifest is damaged", err);
  v->dimension = (int32_t)d;
  v->count = (int64_t)n;
  return TENON_OK;
}

/* 0 or errno. */
static int map_files(int folder, tn_faiss_version *v) {
  static const char *const patterns[] = {"vectors-%016llx.faiss", "records-%016llx",
                                         "codes-%016llx"};
  char path[64];
  struct stat st;
  int errnum = 0;
  for (int i = 0; i < 3 && !errnum; i++) {
    snprintf(path, sizeof path, patterns[i], (unsigned long long)v->stamp);
    errnum = map_file(folder, path, &v->files[i], &st);
  }
  return errnum;
}

static tenon_status check_files(tn_faiss_version *v, tenon_error *err) {
  tn_faiss_index index;
  tenon_metric kept = v->metric == TENON_COSINE ? TENON_INNER_PRODUCT : v->metric;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_faiss_index_parse(v->files[VECTORS].data, v->files[VECTORS].size,
                                             "its vectors file", &index, &why);
  if (status) return damaged(v->name, why.message, err);
  status = tn_faiss_records_parse(v->files[RECORDS], v->name, &v->records, err);
  if (!status)
    status = tn_faiss_codes_parse(v->files[CODES], v->name, v->dimension, v->count, &v->codes, err);
  if (status) return status;
  if (index.count != v->count || index.dimension != v->dimension || index.metric != kept ||
      v->records.count != v->count)
    return damaged(v->name, "its files do not belong together", err);
  v->rows = v->files[VECTORS].data + index.rows_at;
  return TENON_OK;
}

/* ---- Indexes that FAISS's own library wrote ---- */

static const char *const foreign_patterns[] = {"%s.faiss", "%s.index"};

static int stat_foreign(const tn_faiss *s, const char *name, char *path, size_t room,
                        struct stat *ret) {
  for (int i = 0; i < 2; i++) {
    snprintf(path, room, foreign_patterns[i], name);
    if (fstatat(s->root_fd, path, ret, AT_SYMLINK_NOFOLLOW) < 0) {
      if (errno != ENOENT) return errno;
    } else if (S_ISREG(ret->st_mode)) {
      return 0;
    }
  }
  return ENOENT;
}

static void tell_apart(const struct stat *st, char text[TN_FAISS_MANIFEST]) {
  snprintf(text, TN_FAISS_MANIFEST, "foreign %llu %llu %lld %lld.%09ld",
           (unsigned long long)st->st_dev, (unsigned long long)st->st_ino, (long long)st->st_size,
           (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

static tenon_status open_foreign(tn_faiss *s, const char *name, tn_faiss_version **ret,
                                 tenon_error *err) {
  char path[TN_FAISS_NAME + 64], manifest[TN_FAISS_MANIFEST];
  struct stat st;
  tn_faiss_index index;
  int errnum = stat_foreign(s, name, path, sizeof path, &st);
  if (errnum)
    return errnum == ENOENT ? not_there(name, err)
                            : tn_faiss_fail_file(errnum, path, TENON_STAGE_QUERY, err);
  tell_apart(&st, manifest);
  if (s->recent && strcmp(s->recent->name, name) == 0 &&
      strcmp(s->recent->manifest, manifest) == 0) {
    *ret = tn_faiss_version_ref(s->recent);
    return TENON_OK;
  }
  tn_faiss_version *v = version_new(name, manifest);
  if (!v) return tn_no_memory(err);
  if ((errnum = copy_file(s->root_fd, path, &v->files[VECTORS], &st))) {
    tn_faiss_version_unref(v);
    return errnum == EAGAIN
               ? tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "try again when it is written",
                            "%s is being written by another program", path)
               : tn_faiss_fail_file(errnum, path, TENON_STAGE_QUERY, err);
  }
  tell_apart(&st, v->manifest);
  tenon_status status =
      tn_faiss_index_parse(v->files[VECTORS].data, v->files[VECTORS].size, path, &index, err);
  if (status) {
    tn_faiss_version_unref(v);
    return status;
  }
  v->is_foreign = true;
  v->metric = index.metric;
  v->dimension = index.dimension;
  v->count = index.count;
  v->rows = v->files[VECTORS].data + index.rows_at;
  v->ids = index.ids_at ? v->files[VECTORS].data + index.ids_at : NULL;
  *ret = v;
  return TENON_OK;
}

/* ---- Opening ---- */

/* ENOENT in *ret_errnum: a file of the version was not there; a writer may have replaced it. */
static tenon_status open_manifest(tn_faiss *s, int folder, const char *name, const char *manifest,
                                  tn_faiss_version **ret, int *ret_errnum, tenon_error *err) {
  *ret_errnum = 0;
  if (s->recent && strcmp(s->recent->name, name) == 0 &&
      strcmp(s->recent->manifest, manifest) == 0) {
    *ret = tn_faiss_version_ref(s->recent);
    return TENON_OK;
  }
  tn_faiss_version *v = version_new(name, manifest);
  if (!v) return tn_no_memory(err);
  tenon_status status = parse_manifest(v, err);
  if (!status) {
    *ret_errnum = map_files(folder, v);
    if (!*ret_errnum) status = check_files(v, err);
    else if (*ret_errnum != ENOENT)
      status = tn_faiss_fail_file(*ret_errnum, name, TENON_STAGE_QUERY, err);
  }
  if (status || *ret_errnum) tn_faiss_version_unref(v);
  else *ret = v;
  return status;
}

static tenon_status open_folder(tn_faiss *s, const char *name, tn_faiss_version **ret,
                                int *ret_errnum, tenon_error *err) {
  char manifest[TN_FAISS_MANIFEST], path[TN_FAISS_NAME + 64];
  int folder = -1, errnum = tn_faiss_folder(s->root_fd, name, &folder);
  tenon_status status = TENON_OK;
  snprintf(path, sizeof path, errnum ? "%s" : "%s/manifest", name);
  if (!errnum) errnum = tn_faiss_read_small(folder, "manifest", manifest);
  if (errnum == ENOENT || errnum == ENOTDIR) status = open_foreign(s, name, ret, err);
  else if (errnum == EFBIG) status = damaged(name, "its manifest is damaged", err);
  else if (errnum) status = tn_faiss_fail_file(errnum, path, TENON_STAGE_QUERY, err);
  else status = open_manifest(s, folder, name, manifest, ret, ret_errnum, err);
  if (folder >= 0) close(folder);
  return status;
}

static tenon_status open_present(tenon_ctx *ctx, tn_faiss *s, const char *name,
                                 tn_faiss_version **ret, tenon_error *err) {
  for (int tries = 0; tries < MAX_TRIES; tries++) {
    int errnum = 0;
    tenon_status status = tn_faiss_host->check(ctx, err);
    if (!status) status = open_folder(s, name, ret, &errnum, err);
    if (status || !errnum) return status;
  }
  return damaged(name, "a file that its manifest names is not there", err);
}

tenon_status tn_faiss_open(tenon_ctx *ctx, tn_faiss *s, const char *name, tn_faiss_version **ret,
                           tenon_error *err) {
  tenon_status status = tn_faiss_check_name(name, err);
  if (!status) status = open_present(ctx, s, name, ret, err);
  if (status || s->recent == *ret) return status;
  tn_faiss_version_unref(s->recent);
  s->recent = tn_faiss_version_ref(*ret);
  return TENON_OK;
}

bool tn_faiss_is_ours(const tn_faiss *s, const char *name) {
  struct stat st;
  int folder, errnum = tn_faiss_folder(s->root_fd, name, &folder);
  if (errnum) return errnum == ELOOP;
  bool is = fstatat(folder, "manifest", &st, AT_SYMLINK_NOFOLLOW) == 0 || errno == EACCES;
  close(folder);
  return is;
}

static tenon_status look_at_foreign(const tn_faiss *s, const char *name, tenon_collection *ret,
                                    tenon_error *err) {
  char path[TN_FAISS_NAME + 64];
  struct stat st;
  tn_faiss_index index;
  int errnum = stat_foreign(s, name, path, sizeof path, &st);
  if (errnum == ENOENT) return not_there(name, err);
  if (errnum) return tn_faiss_fail_file(errnum, path, TENON_STAGE_QUERY, err);
  int fd = openat(s->root_fd, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
  if (fd < 0) return tn_faiss_fail_file(errno, path, TENON_STAGE_QUERY, err);
  tenon_status status = tn_faiss_index_look(fd, (size_t)st.st_size, path, &index, err);
  close(fd);
  if (!status)
    *ret = (tenon_collection){.struct_size = sizeof *ret, .dimension = index.dimension,
                              .metric = index.metric, .count = index.count};
  return status;
}

tenon_status tn_faiss_look(tenon_ctx *ctx, tn_faiss *s, const char *name, tenon_collection *ret,
                           tenon_error *err) {
  tn_faiss_version *v;
  tenon_status status = tn_faiss_check_name(name, err);
  if (!status && !tn_faiss_is_ours(s, name)) return look_at_foreign(s, name, ret, err);
  if (!status) status = tn_faiss_open(ctx, s, name, &v, err);
  if (status) return status;
  *ret = (tenon_collection){.struct_size = sizeof *ret, .dimension = v->dimension,
                            .metric = v->metric, .count = v->count};
  tn_faiss_version_unref(v);
  return TENON_OK;
}

/* ---- Texts of rows ---- */

static int64_t foreign_id(const tn_faiss_version *v, int64_t row) {
  int64_t id = row;
  if (v->ids) memcpy(&id, v->ids + row * 8, sizeof id);
  return id;
}

bool tn_faiss_texts(const tn_faiss_version *v, int64_t row, char room[TN_FAISS_ID_ROOM],
                    tn_faiss_record *ret) {
  if (!v->is_foreign) return tn_faiss_record_at(&v->records, row, ret);
  int size = snprintf(room, TN_FAISS_ID_ROOM, "%lld", (long long)foreign_id(v, row));
  *ret = (tn_faiss_record){.id = room, .id_size = (uint32_t)size};
  return true;
}

int64_t tn_faiss_find(const tn_faiss_version *v, const char *id) {
  if (!v->is_foreign) return tn_faiss_record_find(&v->records, id, strlen(id));
  char room[TN_FAISS_ID_ROOM], *end;
  errno = 0;
  long long n = strtoll(id, &end, 10);
  snprintf(room, sizeof room, "%lld", n);
  if (*end || errno || strcmp(room, id) != 0) return -1;
  if (!v->ids) return n >= 0 && n < v->count ? n : -1;
  for (int64_t row = 0; row < v->count; row++)
    if (foreign_id(v, row) == n) return row;
  return -1;
}
