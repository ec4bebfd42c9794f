/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a key to a file. The kernel resolves the path below the root's descriptor and refuses to
 * leave it (openat2, Linux 5.6), whatever others do to the folders meanwhile. Where it cannot,
 * folders are opened one by one without following links, and links to files are not followed
 * either.
 */
#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { TRIES = 16 };

/* EAGAIN: somebody renamed folders on the way. */
static int open_below(int at, const char *path, int flags, uint64_t resolve) {
  struct open_how how = {.flags = (unsigned)(flags | O_CLOEXEC),
                         .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS | resolve};
  long fd = -1;
  for (int i = 0; i < TRIES; i++) {
    fd = syscall(SYS_openat2, at, path, &how, sizeof how);
    if (fd >= 0 || (errno != EAGAIN && errno != EINTR)) break;
  }
  return (int)fd;
}

bool tn_files_find_openat2(int root_fd) {
  int fd = open_below(root_fd, ".", O_PATH | O_DIRECTORY, 0);
  if (fd >= 0) close(fd);
  return fd >= 0;
}

/* ---- Folders ---- */

static int open_part(int at, const char *part, size_t size, int flags) {
  char name[TN_FILES_MAX_NAME + 1];
  if (size > TN_FILES_MAX_NAME) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(name, part, size);
  name[size] = 0;
  return openat(at, name, flags | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

static int open_part_by_part(int root, const char *path, size_t size, int flags) {
  int at = openat(root, ".", (size ? O_PATH : flags) | O_DIRECTORY | O_CLOEXEC);
  for (size_t begin = 0; at >= 0 && begin < size;) {
    const char *slash = memchr(path + begin, '/', size - begin);
    size_t end = slash ? (size_t)(slash - path) : size;
    int next = open_part(at, path + begin, end - begin, slash ? O_PATH : flags), errnum = errno;
    close(at);
    errno = errnum;
    at = next;
    begin = end + 1;
  }
  return at;
}

int tn_files_open_folder(const tn_files *s, const char *path, size_t size, int flags) {
  char text[TN_FILES_MAX_KEY + 1];
  if (!s->has_openat2) return open_part_by_part(s->root_fd, path, size, flags);
  if (size > TN_FILES_MAX_KEY) {
    errno = ENAMETOOLONG;
    return -1;
  }
  memcpy(text, size ? path : ".", size ? size : 1);
  text[size ? size : 1] = 0;
  return open_below(s->root_fd, text, flags | O_DIRECTORY, RESOLVE_NO_SYMLINKS);
}

/* The folder's own entry is made durable: the file in it is nothing without it. */
static int make_part(const tn_files *s, const char *path, size_t parent, size_t size) {
  char name[TN_FILES_MAX_NAME + 1];
  size_t begin = parent + (parent > 0);
  int at = tn_files_open_folder(s, path, parent, O_RDONLY);
  if (at < 0) return -1;
  memcpy(name, path + begin, size - begin);
  name[size - begin] = 0;
  int made = mkdirat(at, name, 0777), errnum = errno;
  if (made == 0) (void)fsync(at);
  close(at);
  errno = errnum;
  return made == 0 || errnum == EEXIST ? 0 : -1;
}

static int make_parts(const tn_files *s, const char *path, size_t size) {
  size_t parent = 0;
  for (size_t end = 1; end <= size; end++) {
    if (end < size && path[end] != '/') continue;
    int at = tn_files_open_folder(s, path, end, O_PATH);
    if (at >= 0) close(at);
    else if (errno != ENOENT || make_part(s, path, parent, end) < 0) return -1;
    parent = end;
  }
  return 0;
}

tenon_status tn_files_make_folder(const tn_files *s, const tn_files_key *key, int *ret_fd,
                                  tenon_error *err) {
  int fd = tn_files_open_folder(s, key->text, key->folder_size, O_RDONLY);
  if (fd < 0 && errno == ENOENT && make_parts(s, key->text, key->folder_size) == 0)
    fd = tn_files_open_folder(s, key->text, key->folder_size, O_RDONLY);
  if (fd >= 0) {
    *ret_fd = fd;
    return TENON_OK;
  }
  if (errno == ENOTDIR)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "choose another key",
                      "%s cannot be: a part of its path is an object, or a link to a folder",
                      key->text);
  return tn_files_fail_open(errno, key->text, err);
}

/* ---- Objects ---- */

/* Looked at before it is opened: opening a pipe waits, opening a device may do things. */
static int look(const tn_files *s, const tn_files_key *key, int *ret_fd, struct stat *ret) {
  int folder = tn_files_open_folder(s, key->text, key->folder_size, O_PATH);
  if (folder < 0) return errno;
  int fd = openat(folder, key->name, O_PATH | O_NOFOLLOW | O_CLOEXEC), errnum = errno;
  close(folder);
  if (fd < 0) return errnum;
  if (fstat(fd, ret) == 0 && S_ISLNK(ret->st_mode) && s->has_openat2) {
    close(fd);
    fd = open_below(s->root_fd, key->text, O_PATH, 0);
    if (fd < 0) return errno;
    if (fstat(fd, ret) < 0) ret->st_mode = 0;
  }
  if (S_ISREG(ret->st_mode)) {
    *ret_fd = fd;
    return 0;
  }
  close(fd);
  return S_ISDIR(ret->st_mode) ? EISDIR : S_ISLNK(ret->st_mode) ? ELOOP : EINVAL;
}

/* The descriptor of a look becomes one that reads: the same file, by its own name in /proc, or
 * where there is no /proc by its key, if that is still the same file. */
static int reopen(const tn_files *s, const tn_files_key *key, int looked, int *ret_fd,
                  struct stat *ret) {
  char self[40];
  struct stat before = *ret;
  snprintf(self, sizeof self, "/proc/self/fd/%d", looked);
  int fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (fd < 0 && errno == ENOENT && s->has_openat2)
    fd = open_below(s->root_fd, key->text, O_RDONLY | O_NOCTTY | O_NONBLOCK, 0);
  if (fd < 0) return errno;
  if (fstat(fd, ret) == 0 && ret->st_ino == before.st_ino && ret->st_dev == before.st_dev) {
    *ret_fd = fd;
    return 0;
  }
  close(fd);
  return EBUSY;
}

int tn_files_try_object(const tn_files *s, const tn_files_key *key, int flags, int *ret_fd,
                        struct stat *ret) {
  int looked = -1, fd = -1;
  int errnum = look(s, key, &looked, ret);
  if (errnum || flags == O_PATH) {
    if (!errnum) *ret_fd = looked;
    return errnum;
  }
  errnum = reopen(s, key, looked, &fd, ret);
  close(looked);
  if (!errnum) *ret_fd = fd;
  return errnum;
}

tenon_status tn_files_fail_open(int errnum, const char *key, tenon_error *err) {
  switch (errnum) {
    case ENOENT:
    case EISDIR:
    case ENOTDIR:
      return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls` shows what there is",
                        errnum == EISDIR ? "%s is a folder, not an object"
                                         : "there is no object %s",
                        key);
    case EXDEV:
      return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_PERMISSION,
                        "make the folder that it leads to the root",
                        "%s is a link that leads out of the root", key);
    case ELOOP:
      return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY,
                        "name the file or folder that the link leads to",
                        "%s is behind a symbolic link that is not followed", key);
    case EINVAL:
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "name a regular file",
                        "%s is a device, a pipe or a socket", key);
    case EACCES:
    case EPERM:
      return tn_fail_errno(err, errnum, TENON_STAGE_PERMISSION, "give this user the right to it",
                           "%s", key);
    case EBUSY:
      return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "try again",
                        "%s was replaced meanwhile", key);
    case EMFILE:
    case ENFILE:
      return tn_fail_errno(err, errnum, TENON_STAGE_QUERY,
                           "raise the limit on open files (ulimit -n)", "%s", key);
    default: return tn_fail_errno(err, errnum, TENON_STAGE_QUERY, NULL, "%s", key);
  }
}

tenon_status tn_files_open_object(const tn_files *s, const tn_files_key *key, int flags,
                                  int *ret_fd, struct stat *ret, tenon_error *err) {
  int errnum = tn_files_try_object(s, key, flags, ret_fd, ret);
  return errnum ? tn_files_fail_open(errnum, key->text, err) : TENON_OK;
}

/* The times tell two versions apart, the inode a replaced file; ctime cannot be set back. */
void tn_files_fill_object(const struct stat *st, tenon_object *ret) {
  *ret = (tenon_object){.struct_size = sizeof *ret, .size = st->st_size};
  ret->modified_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
  snprintf(ret->etag, sizeof ret->etag, "%llx-%llx-%llx.%lx-%llx.%lx",
           (unsigned long long)st->st_ino, (unsigned long long)st->st_size,
           (unsigned long long)st->st_mtim.tv_sec, (unsigned long)st->st_mtim.tv_nsec,
           (unsigned long long)st->st_ctim.tv_sec, (unsigned long)st->st_ctim.tv_nsec);
}
