/* SPDX-License-Identifier: Apache-2.0 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/error.h"
#include "base/mem.h"

/* ---- New files ---- */

static void reset(tn_new_file *f) { *f = (tn_new_file){.fd = -1, .dir_fd = -1}; }

void tn_new_file_release(tn_new_file *f) {
  if (f->temporary) unlinkat(f->dir_fd, f->temporary, 0);
  if (f->fd >= 0) close(f->fd);
  if (f->dir_fd >= 0) close(f->dir_fd);
  tn_free(f->name);
  tn_free(f->temporary);
  reset(f);
}

static tenon_status open_folder(tn_new_file *f, int at_fd, const char *path, tenon_error *err) {
  const char *slash = strrchr(path, '/');
  const char *name = slash ? slash + 1 : path;
  if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, "give the name of a file",
                      "%s is not the name of a file", path);
  size_t size = slash ? (size_t)(slash - path) + 1 : 0;   /* with the slash: "/" stays itself */
  char *folder = size ? tn_strndup(path, size) : tn_strdup(".");
  f->name = tn_strdup(name);
  if (!folder || !f->name) {
    tn_free(folder);
    return tn_no_memory(err);
  }
  f->dir_fd = openat(at_fd, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  tenon_status status = TENON_OK;
  if (f->dir_fd < 0)
    status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, "make the folder first", "%s", folder);
  tn_free(folder);
  return status;
}

/* A device, a folder or a pipe is never replaced by a file, nor is a link to one: /dev/stdout is
 * such a link. */
static tenon_status check_place(const tn_new_file *f, const char *path, tenon_error *err) {
  struct stat st;
  if (fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) < 0 || S_ISREG(st.st_mode))
    return TENON_OK;
  if (S_ISLNK(st.st_mode) && (fstatat(f->dir_fd, f->name, &st, 0) < 0 || S_ISREG(st.st_mode)))
    return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, "give the name of a file", "%s is %s",
                    path, S_ISDIR(st.st_mode) ? "a folder" : "not a regular file");
}

static const char temporary_prefix[] = ".tenon-", temporary_suffix[] = ".part";

bool tn_new_file_is_temporary(const char *name) {
  size_t size = strlen(name), suffix = sizeof temporary_suffix - 1;
  return strncmp(name, temporary_prefix, sizeof temporary_prefix - 1) == 0 && size > suffix &&
         strcmp(name + size - suffix, temporary_suffix) == 0;
}

/* A name that nobody else has: process and counter make it unlikely, O_EXCL sure. */
static char *temporary_name(unsigned n) {
  char room[64];
  int size = snprintf(room, sizeof room, "%s%ld-%u%s", temporary_prefix, (long)getpid(), n,
                      temporary_suffix);
  return tn_strndup(room, (size_t)size);
}

static const char *remedy_of(int errnum) {
  switch (errnum) {
    case ENOSPC: case EDQUOT: return "make room on the disk";
    case EFBIG: return "raise the limit on the size of files (ulimit -f)";
    case EACCES: case EPERM: return "give this user the right to write there";
    case EROFS: return "write to a disk that is not read-only";
    default: return NULL;
  }
}

static tenon_status open_named(tn_new_file *f, const char *path, tenon_error *err) {
  for (unsigned n = 0; n < 1000; n++) {
    char *name = temporary_name(n);
    if (!name) return tn_no_memory(err);
    f->fd = openat(f->dir_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (f->fd >= 0) {
      f->temporary = name;
      return TENON_OK;
    }
    tn_free(name);
    if (errno != EEXIST) break;
  }
  return tn_fail_errno(err, errno, TENON_STAGE_WRITE, remedy_of(errno), "creating %s", path);
}

tenon_status tn_new_file_init(tn_new_file *ret, int at_fd, const char *path, tenon_error *err) {
  tn_new_file f;
  reset(&f);
  tenon_status status = open_folder(&f, at_fd, path, err);
  if (!status) status = check_place(&f, path, err);
  if (!status) {
    /* a nameless file gets its name through /proc */
    if (access("/proc/self/fd", X_OK) == 0)
      f.fd = openat(f.dir_fd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0666);
    if (f.fd < 0) status = open_named(&f, path, err);
  }
  if (status) tn_new_file_release(&f);
  else *ret = f;
  return status;
}

/* Never through a link, and one process at a time. */
static tenon_status open_kept(tn_new_file *f, const char *kept_as, tenon_error *err) {
  struct stat st;
  f->fd = openat(f->dir_fd, kept_as, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
  if (f->fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, remedy_of(errno), "creating %s", kept_as);
  if (fstat(f->fd, &st) < 0 || !S_ISREG(st.st_mode))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, "remove it", "%s is not a regular file", kept_as);
  if (flock(f->fd, LOCK_EX | LOCK_NB) < 0)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "wait until it has ended",
                      "another process writes %s", kept_as);
  f->temporary = tn_strdup(kept_as);
  return f->temporary ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_new_file_reopen(tn_new_file *ret, int at_fd, const char *path, const char *kept_as, tenon_error *err) {
  tn_new_file f;
  reset(&f);
  tenon_status status = open_folder(&f, at_fd, path, err);
  if (!status) status = check_place(&f, path, err);
  if (!status) status = open_kept(&f, kept_as, err);
  if (status) tn_new_file_keep(&f);
  else *ret = f;
  return status;
}

void tn_new_file_keep(tn_new_file *f) {
  tn_free(f->temporary);
  f->temporary = NULL;
  tn_new_file_release(f);
}

/* Gives a nameless file its first name; 0 or errno. */
static int give_name(const tn_new_file *f, const char *name) {
  char self[40];
  snprintf(self, sizeof self, "/proc/self/fd/%d", f->fd);
  return linkat(AT_FDCWD, self, f->dir_fd, name, AT_SYMLINK_FOLLOW) < 0 ? errno : 0;
}

static int name_temporarily(tn_new_file *f) {
  for (unsigned n = 0; n < 1000; n++) {
    char *name = temporary_name(n);
    if (!name) return ENOMEM;
    int errnum = give_name(f, name);
    if (errnum == 0) {
      f->temporary = name;
      return 0;
    }
    tn_free(name);
    if (errnum != EEXIST) return errnum;
  }
  return EEXIST;
}

/* Not every file system has the one, and not every one has the other. */
static int place_if_absent(tn_new_file *f) {
  if (!f->temporary) return give_name(f, f->name);
  if (renameat2(f->dir_fd, f->temporary, f->dir_fd, f->name, RENAME_NOREPLACE) == 0) {
    tn_free(f->temporary);
    f->temporary = NULL;
    return 0;
  }
  if (errno != EINVAL && errno != ENOSYS) return errno;
  return linkat(f->dir_fd, f->temporary, f->dir_fd, f->name, 0) < 0 ? errno : 0;
}

static int place_over(tn_new_file *f) {
  struct stat st;
  if (fstatat(f->dir_fd, f->name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
      fchmod(f->fd, st.st_mode & 0777) < 0 && errno != EPERM)
    return errno;
  int errnum = f->temporary ? 0 : name_temporarily(f);
  if (errnum) return errnum;
  if (renameat(f->dir_fd, f->temporary, f->dir_fd, f->name) < 0) return errno;
  tn_free(f->temporary);
  f->temporary = NULL;
  return 0;
}

tenon_status tn_new_file_commit(tn_new_file *f, bool if_absent, tenon_error *err) {
  int errnum = fsync(f->fd) < 0 ? errno : if_absent ? place_if_absent(f) : place_over(f);
  /* some file systems have no folders to be made durable */
  if (errnum == 0 && fsync(f->dir_fd) < 0 && errno != EINVAL) errnum = errno;
  tenon_status status = TENON_OK;
  if (errnum == EEXIST)
    status =
        tenon_fail(err, TENON_CONFLICT, TENON_STAGE_COMMIT,
                   "choose another name, or allow to replace it", "%s is there already", f->name);
  else if (errnum)
    status = tn_fail_errno(err, errnum, TENON_STAGE_COMMIT, remedy_of(errnum), "%s", f->name);
  tn_new_file_release(f);
  return status;
}

/* ---- Bytes ---- */

tenon_status tn_write_all(int fd, const void *data, size_t size, tenon_error *err) {
  const char *p = data;
  while (size > 0) {
    ssize_t n = write(fd, p, size);
    if (n < 0 && errno == EAGAIN) {
      struct pollfd room = {.fd = fd, .events = POLLOUT};
      poll(&room, 1, 1000);
    } else if (n < 0 && errno != EINTR) {
      return tn_fail_errno(err, errno, TENON_STAGE_WRITE, remedy_of(errno), "writing");
    } else if (n > 0) {
      p += n;
      size -= (size_t)n;
    }
  }
  return TENON_OK;
}

int tn_spool_open(void) {
  const char *folder = tn_env("TMPDIR");
  if (!folder || !*folder) folder = "/tmp";
  int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC | O_EXCL, 0600);
  if (fd >= 0) return fd;
  char name[512];
  if (snprintf(name, sizeof name, "%s/tenon-XXXXXX", folder) >= (int)sizeof name) {
    errno = ENAMETOOLONG;
    return -1;
  }
  fd = mkostemp(name, O_CLOEXEC);
  if (fd >= 0) unlink(name);
  return fd;
}

typedef struct growing {
  char *data;
  size_t size, capacity;
} growing;

/* Room for one byte more than `max`, and a NUL: so that what is too long is seen. */
static bool grow(growing *g, size_t max) {
  size_t capacity = g->capacity ? g->capacity * 2 : 4096;
  if (capacity > max + 1) capacity = max + 1;
  char *data = tn_resize(g->data, capacity + 1);
  if (!data) return false;
  g->data = data;
  g->capacity = capacity;
  return true;
}

/* Reads to the end. The size that the system says is not relied on: /proc says 0. */
static tenon_status read_whole(int fd, const char *path, size_t max, growing *g, tenon_error *err) {
  for (;;) {
    if (g->size > max)
      return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL, "%s has more than %zu bytes",
                        path, max);
    if (g->size == g->capacity && !grow(g, max)) return tn_no_memory(err);
    ssize_t n = read(fd, g->data + g->size, g->capacity - g->size);
    if (n == 0) return TENON_OK;
    if (n < 0 && errno != EINTR)
      return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", path);
    if (n > 0) g->size += (size_t)n;
  }
}

tenon_status tn_read_file(const char *path, size_t max, char **ret_data, size_t *ret_size,
                          tenon_error *err) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, NULL, "%s", path);
  growing g = {0};
  tenon_status status;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give the name of a file",
                        "%s is not a regular file", path);
  else
    status = read_whole(fd, path, max, &g, err);
  close(fd);
  if (status) {
    tn_wipe(g.data, g.size);
    tn_free(g.data);
    return status;
  }
  g.data[g.size] = 0;
  *ret_data = g.data;
  *ret_size = g.size;
  return TENON_OK;
}

tenon_status tn_folder_open(const char *path, int access, int *ret_fd, tenon_error *err) {
  int fd = open(path, access | O_DIRECTORY | O_CLOEXEC);
  if (fd >= 0) {
    *ret_fd = fd;
    return TENON_OK;
  }
  if (errno == ENOENT)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG,
                      "check the path, or make the folder", "there is no folder %s", path);
  if (errno == ENOTDIR)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name the folder that the file is in",
                      "%s is not a folder", path);
  return tn_fail_errno(err, errno, TENON_STAGE_PERMISSION,
                       "give this user the right to search the folder", "%s", path);
}
