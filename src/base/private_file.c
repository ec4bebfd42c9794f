/* SPDX-License-Identifier: Apache-2.0 */
#include "base/private_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"

enum { FIRST_NAP_MS = 2, LONGEST_NAP_MS = 50 };

/* ---- Who else could have touched it ---- */

/* A command that can be given as it stands: a file is known by its name within its folder. */
static void find_path(int fd, const char *name, char *ret, size_t room) {
  char link[40], at[PATH_MAX] = "";
  struct stat st;
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t n = readlink(link, at, sizeof at - 1);
  bool is_folder = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode), is_path = n > 0 && *at == '/';
  if (!is_path) snprintf(ret, room, "%s", name);
  else snprintf(ret, room, "%s%s%s", at, is_folder && *name ? "/" : "", is_folder ? name : "");
}

/* fd: of it, or of the folder that it is in. */
static tenon_status check_owner(int fd, const struct stat *st, const char *name, tenon_error *err) {
  char path[2 * PATH_MAX], remedy[2 * PATH_MAX + 80];
  if (st->st_uid != geteuid()) {
    snprintf(remedy, sizeof remedy, "run as the user it belongs to, or move it away");
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s belongs to another user", name);
  }
  if (!(st->st_mode & 077)) return TENON_OK;
  find_path(fd, S_ISDIR(st->st_mode) ? "" : name, path, sizeof path);
  if (!*path) snprintf(path, sizeof path, "%s", name);
  snprintf(remedy, sizeof remedy, "chmod %s %s; whoever may have read it knows the secrets in it",
           S_ISDIR(st->st_mode) ? "700" : "600", path);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s may be read or written by others (mode %03o)",
                    name, (unsigned)st->st_mode & 0777);
}

static tenon_status check_file(int fd, const char *name, tenon_error *err) {
  struct stat st;
  if (fstat(fd, &st) < 0) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, NULL, "%s", name);
  if (!S_ISREG(st.st_mode))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "move it away", "%s is not a regular file", name);
  return check_owner(fd, &st, name, err);
}

/* ---- Folders ---- */

/* Makes a folder so that it is there after a crash, too: then its name is in its parent. */
static int make_folder(char *path) {
  if (mkdir(path, 0700) < 0) return errno == EEXIST ? 0 : errno;
  char *slash = strrchr(path, '/');
  if (slash) *slash = 0;
  int fd = open(!slash ? "." : *path ? path : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (slash) *slash = '/';
  if (fd < 0) return errno;
  int errnum = fsync(fd) < 0 && errno != EINVAL ? errno : 0;
  close(fd);
  return errnum;
}

/* Each folder of the path that is not there; the last one is looked at when it is opened. */
static int make_folders(const char *path) {
  char part[PATH_MAX];
  size_t size = strlen(path);
  if (size >= sizeof part) return ENAMETOOLONG;
  for (size_t i = 1; i <= size; i++) {
    if ((path[i] != '/' && path[i] != 0) || path[i - 1] == '/') continue;
    memcpy(part, path, i);
    part[i] = 0;
    int errnum = make_folder(part);
    if (errnum) return errnum;
  }
  return 0;
}

tenon_status tn_private_folder_open(const char *path, bool make, int *ret_fd, tenon_error *err) {
  struct stat st;
  const int flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
  int fd = open(path, flags);
  if (fd < 0 && errno == ENOENT && make) {
    int errnum = make_folders(path);
    if (errnum) return tn_fail_errno(err, errnum, TENON_STAGE_CONFIG, "choose a folder that may be made", "%s", path);
    fd = open(path, flags);
  }
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "choose a folder of your own", "%s", path);
  tenon_status status = fstat(fd, &st) < 0 ? tn_fail_errno(err, errno, TENON_STAGE_CONFIG, NULL, "%s", path)
                                           : check_owner(fd, &st, path, err);
  if (status) close(fd);
  else *ret_fd = fd;
  return status;
}

/* ---- Files ---- */

static tenon_status open_file(int folder_fd, const char *name, int *ret_fd, tenon_error *err) {
  int fd = openat(folder_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (fd < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, errno == ELOOP ? "move the link away" : NULL, "%s", name);
  tenon_status status = check_file(fd, name, err);
  if (status) close(fd);
  else *ret_fd = fd;
  return status;
}

tenon_status tn_private_file_read(int folder_fd, const char *name, char *ret, size_t room, size_t *ret_size,
                                  tenon_error *err) {
  int fd = -1;
  tenon_status status = open_file(folder_fd, name, &fd, err);
  if (status) return status;
  size_t size = 0;
  ssize_t n = 1;
  while (n != 0 && size < room) {
    n = read(fd, ret + size, room - size);
    if (n < 0 && errno != EINTR) break;
    if (n > 0) size += (size_t)n;
  }
  char more;
  if (n < 0) status = tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", name);
  else if (size == room && read(fd, &more, 1) != 0)
    status = tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL, "%s has more than %zu bytes", name, room);
  else *ret_size = size;
  close(fd);
  return status;
}

/* An older file of wider permissions would hand them on. */
static tenon_status check_older(int folder_fd, const char *name, tenon_error *err) {
  struct stat st;
  if (fstatat(folder_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0) return TENON_OK;
  return S_ISREG(st.st_mode) ? check_owner(folder_fd, &st, name, err) : TENON_OK;
}

tenon_status tn_private_file_write(int folder_fd, const char *name, const char *data, size_t size, tenon_error *err) {
  tn_new_file file;
  tenon_status status = check_older(folder_fd, name, err);
  if (!status) status = tn_new_file_init(&file, folder_fd, name, err);
  if (status) return status;
  if (fchmod(file.fd, 0600) < 0) status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", name);
  if (!status) status = tn_write_all(file.fd, data, size, err);
  if (!status) return tn_new_file_commit(&file, false, err);
  tn_new_file_release(&file);
  return status;
}

tenon_status tn_private_file_remove(int folder_fd, const char *name, tenon_error *err) {
  if (unlinkat(folder_fd, name, 0) < 0 && errno != ENOENT)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", name);
  if (fsync(folder_fd) < 0 && errno != EINVAL)
    return tn_fail_errno(err, errno, TENON_STAGE_COMMIT, NULL, "%s", name);
  return TENON_OK;
}

/* ---- Locks ---- */

static tenon_status open_lock(int folder_fd, const char *name, int *ret_fd, tenon_error *err) {
  int fd = openat(folder_fd, name, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0600);
  if (fd < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "give this user the right to write there", "%s", name);
  tenon_status status = check_file(fd, name, err);
  if (status) close(fd);
  else *ret_fd = fd;
  return status;
}

/* A call that waits for a lock can neither be cancelled nor has it a deadline: so this one looks again and again. The
 * lock is of the open file, not of the process: threads exclude each other, too. */
static tenon_status take_lock(tenon_ctx *ctx, int fd, const char *name, tenon_error *err) {
  struct flock whole = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
  for (int nap = FIRST_NAP_MS;; nap = nap * 2 < LONGEST_NAP_MS ? nap * 2 : LONGEST_NAP_MS) {
    if (fcntl(fd, F_OFD_SETLK, &whole) == 0) return TENON_OK;
    if (errno != EAGAIN && errno != EACCES && errno != EINTR)
      return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "use a disk whose file system has locks", "locking %s", name);
    tenon_error why = TENON_ERROR_INIT;
    tenon_status status = tn_ctx_wait(ctx, NULL, 0, nap, &why);
    if (!status) continue;
    tn_error_prefix(&why, "another process has %s: ", name);
    return tn_pass_error(&why, err);
  }
}

tenon_status tn_private_file_lock(tenon_ctx *ctx, int folder_fd, const char *name, int *ret_fd, tenon_error *err) {
  int fd = -1;
  tenon_status status = open_lock(folder_fd, name, &fd, err);
  if (status) return status;
  status = take_lock(ctx, fd, name, err);
  if (status) close(fd);
  else *ret_fd = fd;
  return status;
}
