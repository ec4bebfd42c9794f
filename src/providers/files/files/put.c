/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing objects. The bytes go to a nameless file, which is made durable and then takes the key's
 * name in one step: readers see the old object or the new one, and a failure leaves the old one.
 * if_absent is the kernel's to decide. if_match is a look and a rename: between Tenon's processes a
 * lock on the folder makes them one; of other programs' writes the look may be late.
 *
 * Folders are made as they are needed, and stay when their last object is removed: another put may
 * be about to write there. Empty folders are not listed.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

enum { CHUNK = 256 << 10, COPY_CHUNK = 16 << 20, MAX_NAP_MS = 16 };

/* ---- The step from the old version to the new ---- */

/* On a file system without locks there is none. */
static tenon_status lock_folder(tenon_ctx *ctx, int folder, tenon_error *err) {
  for (int nap = 1;
       flock(folder, LOCK_EX | LOCK_NB) < 0 && (errno == EWOULDBLOCK || errno == EINTR);
       nap = nap < MAX_NAP_MS ? 2 * nap : nap) {
    tenon_status status = tn_files_host->wait(ctx, NULL, 0, nap, err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status check_match(const tn_files *s, const tn_files_key *key, const char *if_match,
                                tenon_error *err) {
  struct stat st;
  tenon_object now = {.etag = ""};
  int fd, errnum = tn_files_try_object(s, key, O_PATH, &fd, &st);
  if (errnum == 0) {
    close(fd);
    tn_files_fill_object(&st, &now);
  } else if (errnum != ENOENT) {
    return tn_files_fail_open(errnum, key->text, err);
  }
  if (strcmp(now.etag, if_match) == 0) return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_COMMIT, "look again: stat it, then put it",
                    errnum ? "%s is not there any more" : "%s is another version by now",
                    key->text);
}

typedef struct condition {
  bool if_absent;
  const char *if_match;
} condition;

/* Takes the file over, also on failure. */
static tenon_status commit(tenon_ctx *ctx, const tn_files *s, const tn_files_key *key,
                           tn_new_file *file, condition when, tenon_object *ret, tenon_error *err) {
  struct stat st;
  /* the slow part comes before the lock */
  int kept = fcntl(file->fd, F_DUPFD_CLOEXEC, 0), folder = fcntl(file->dir_fd, F_DUPFD_CLOEXEC, 0);
  tenon_status status = TENON_OK;
  if (kept < 0 || folder < 0)
    status = tn_fail_errno(err, errno, TENON_STAGE_COMMIT,
                           "raise the limit on open files (ulimit -n)", "%s", key->text);
  else if (fsync(file->fd) < 0)
    status = tn_fail_errno(err, errno, TENON_STAGE_COMMIT, "look at the disk", "%s", key->text);
  if (!status) status = lock_folder(ctx, file->dir_fd, err);
  if (!status && when.if_match) status = check_match(s, key, when.if_match, err);
  if (!status) status = tn_new_file_commit(file, when.if_absent, err);
  if (!status && fstat(kept, &st) < 0)
    status = tn_fail_errno(err, errno, TENON_STAGE_COMMIT, NULL, "%s", key->text);
  if (!status) tn_files_fill_object(&st, ret);
  tn_new_file_release(file);
  if (kept >= 0) close(kept);
  if (folder >= 0) close(folder); /* and with it the lock goes */
  return status;
}

static tenon_status begin(const tn_files *s, const tn_files_key *key, tn_new_file *ret,
                          tenon_error *err) {
  int folder;
  tenon_status status = tn_files_make_folder(s, key, &folder, err);
  if (status) return status;
  status = tn_new_file_init(ret, folder, key->name, err);
  close(folder);
  return status;
}

/* What fails early, before bytes are moved; the kernel decides at the end. */
static tenon_status look_ahead(const tn_files *s, const tn_files_key *key, condition when,
                               tenon_error *err) {
  struct stat st;
  int fd;
  if (when.if_match) return check_match(s, key, when.if_match, err);
  if (!when.if_absent || tn_files_try_object(s, key, O_PATH, &fd, &st) != 0) return TENON_OK;
  close(fd);
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE,
                    "choose another key, or allow to replace it", "%s is there already", key->text);
}

/* ---- Put ---- */

static tenon_status write_body(tenon_ctx *ctx, tenon_bytes *body, int fd, char *room,
                               const char *key, tenon_error *err) {
  int64_t total = 0;
  for (;;) {
    size_t n = 0;
    tenon_status status = tn_files_host->check(ctx, err);
    if (!status) status = body->read(body->self, room, CHUNK, &n, err);
    if (status) return status;
    if (n == 0) break;
    if ((status = tn_write_all(fd, room, n, err))) {
      tn_error_prefix(err, "%s: ", key);
      return status;
    }
    total += (int64_t)n;
  }
  if (body->length < 0 || body->length == total) return TENON_OK;
  return tenon_fail(err, TENON_IO, TENON_STAGE_WRITE, "send it again",
                    "%s: %lld bytes were announced, %lld came", key, (long long)body->length,
                    (long long)total);
}

static tenon_status put(tenon_ctx *ctx, const tn_files *s, const tenon_put *req, tenon_object *ret,
                        tenon_error *err) {
  tn_files_key key;
  tn_new_file file;
  condition when = {req->if_absent, req->if_match};
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_files_key_init(&req->key, &key, err);
  if (!status) status = look_ahead(s, &key, when, err);
  if (!status) status = begin(s, &key, &file, err);
  if (status) return status;
  char *room = tn_alloc(CHUNK);
  status = room ? write_body(ctx, req->body, file.fd, room, key.text, err) : tn_no_memory(err);
  tn_free(room);
  if (!status) return commit(ctx, s, &key, &file, when, ret, err);
  tn_new_file_release(&file);
  return status;
}

tenon_status tn_files_put(tenon_ctx *ctx, void *session, const tenon_put *req, tenon_object *ret,
                          tenon_error *err) {
  tenon_status status = put(ctx, session, req, ret, err);
  req->body->close(req->body->self);
  return status;
}

/* ---- Copy ---- */

/* For file systems between which the kernel cannot copy. */
static tenon_status copy_by_hand(tenon_ctx *ctx, int from, int to, int64_t at, const char *key,
                                 tenon_error *err) {
  char *room = tn_alloc(CHUNK);
  tenon_status status = room ? TENON_OK : tn_no_memory(err);
  while (!status && !(status = tn_files_host->check(ctx, err))) {
    ssize_t n = pread(from, room, CHUNK, at);
    if (n == 0) break;
    if (n < 0 && errno != EINTR)
      status = tn_fail_errno(err, errno, TENON_STAGE_DATA, "look at the disk", "%s", key);
    if (n > 0) status = tn_write_all(to, room, (size_t)n, err);
    at += n > 0 ? n : 0;
  }
  tn_free(room);
  return status;
}

/* Shares the blocks where the file system can. */
static tenon_status copy_bytes(tenon_ctx *ctx, int from, int to, int64_t size, const char *key,
                               tenon_error *err) {
  off_t at = 0;
  while (at < size) {
    tenon_status status = tn_files_host->check(ctx, err);
    if (status) return status;
    ssize_t n = copy_file_range(from, &at, to, NULL, COPY_CHUNK, 0);
    if (n > 0 || (n < 0 && errno == EINTR)) continue;
    if (n == 0 || errno == EXDEV || errno == EINVAL || errno == ENOSYS || errno == EOPNOTSUPP ||
        errno == EPERM)
      return copy_by_hand(ctx, from, to, at, key, err);
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "look at the disk", "%s", key);
  }
  return TENON_OK;
}

static tenon_status copy_version(tenon_ctx *ctx, int from, const struct stat *st, int to,
                                 const char *key, tenon_error *err) {
  struct stat after, copy;
  tenon_status status = copy_bytes(ctx, from, to, st->st_size, key, err);
  if (status) return status;
  if (fstat(from, &after) < 0 || fstat(to, &copy) < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", key);
  if (after.st_size == st->st_size && copy.st_size == st->st_size &&
      after.st_mtim.tv_sec == st->st_mtim.tv_sec && after.st_mtim.tv_nsec == st->st_mtim.tv_nsec)
    return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_DATA, "copy it again when nobody writes to it",
                    "%s changed while it was read", key);
}

static tenon_status copy_to(tenon_ctx *ctx, const tn_files *s, int from, const struct stat *st,
                            const tn_files_key *from_key, const tenon_objects_copy *req,
                            tenon_object *ret, tenon_error *err) {
  tn_files_key key;
  tn_new_file file;
  condition when = {req->if_absent, NULL};
  tenon_status status = tn_files_key_init(&req->to, &key, err);
  if (!status) status = look_ahead(s, &key, when, err);
  if (!status) status = begin(s, &key, &file, err);
  if (status) return status;
  status = copy_version(ctx, from, st, file.fd, from_key->text, err);
  if (!status) return commit(ctx, s, &key, &file, when, ret, err);
  tn_new_file_release(&file);
  return status;
}

tenon_status tn_files_copy(tenon_ctx *ctx, void *session, const tenon_objects_copy *req,
                           tenon_object *ret, tenon_error *err) {
  tn_files_key key;
  struct stat st;
  int fd;
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_files_key_init(&req->from, &key, err);
  if (!status) status = tn_files_open_object(session, &key, O_RDONLY, &fd, &st, err);
  if (status) return status;
  status = copy_to(ctx, session, fd, &st, &key, req, ret, err);
  close(fd);
  return status;
}

/* ---- Remove ---- */

static int unlink_object(int folder, const char *name, bool *ret_was_there) {
  struct stat st;
  *ret_was_there = false;
  if (fstatat(folder, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return errno == ENOENT ? 0 : errno;
  if (S_ISDIR(st.st_mode)) return 0;
  if (!S_ISREG(st.st_mode) && !S_ISLNK(st.st_mode)) return EINVAL;
  if (unlinkat(folder, name, 0) < 0) return errno == ENOENT ? 0 : errno;
  *ret_was_there = true;
  return fsync(folder) < 0 && errno != EINVAL ? errno : 0;
}

static tenon_status remove_one(tenon_ctx *ctx, const tn_files *s, const tenon_key_bytes *bytes,
                               bool *ret_was_there, tenon_error *err) {
  tn_files_key key;
  *ret_was_there = false;
  tenon_status status = tn_files_host->check(ctx, err);
  if (!status) status = tn_files_key_init(bytes, &key, err);
  if (status) return status;
  int folder = tn_files_open_folder(s, key.text, key.folder_size, O_RDONLY), errnum = errno;
  if (folder < 0)
    return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP
               ? TENON_OK
               : tn_files_fail_open(errnum, key.text, err);
  status = lock_folder(ctx, folder, err);
  if (!status && (errnum = unlink_object(folder, key.name, ret_was_there)))
    status = tn_files_fail_open(errnum, key.text, err);
  close(folder);
  return status;
}

tenon_status tn_files_remove(tenon_ctx *ctx, void *session, const tenon_delete *req,
                             tenon_deleted *ret, tenon_error *err) {
  size_t count = 0;
  for (size_t i = 0; i < req->key_count; i++) {
    bool was_there;
    tenon_status status = remove_one(ctx, session, &req->keys[i], &was_there, err);
    if (status) return status;
    count += was_there;
  }
  *ret = (tenon_deleted){.struct_size = sizeof *ret, .count = count};
  return TENON_OK;
}
