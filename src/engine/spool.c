/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each folder holds a lock that its process keeps. A folder whose lock is free belongs to a process
 * that was killed, and the next engine removes it.
 */
#include "engine/spool.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/env.h"
#include "base/error.h"
#include "base/mem.h"

#define PREFIX "tenon-spill-"
#define LOCK "lock"

static const char *spool_parent(void) {
  const char *folder = tn_env("TMPDIR");
  return folder && *folder ? folder : "/tmp";
}

static const char *const remedy = "set TMPDIR to a folder that can be written";

/* Only files lie in it: DuckDB makes no folders there. */
static void remove_folder(int parent, const char *name) {
  int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
  if (!dir) {
    if (fd >= 0) close(fd);
    return;
  }
  for (struct dirent *e; (e = readdir(dir));) unlinkat(dirfd(dir), e->d_name, 0);
  closedir(dir);
  unlinkat(parent, name, AT_REMOVEDIR);
}

/* Nobody holds its lock, and it is ours. */
static bool is_left_over(int parent, const char *name) {
  char path[512];
  struct stat info;
  if (fstatat(parent, name, &info, AT_SYMLINK_NOFOLLOW) != 0 || !S_ISDIR(info.st_mode) || info.st_uid != geteuid()) return false;
  snprintf(path, sizeof path, "%s/" LOCK, name);
  int fd = openat(parent, path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) return false;
  bool free = flock(fd, LOCK_EX | LOCK_NB) == 0;
  close(fd);
  return free;
}

static void sweep(const char *parent_path) {
  DIR *dir = opendir(parent_path);
  if (!dir) return;
  for (struct dirent *e; (e = readdir(dir));)
    if (strncmp(e->d_name, PREFIX, strlen(PREFIX)) == 0 && is_left_over(dirfd(dir), e->d_name)) remove_folder(dirfd(dir), e->d_name);
  closedir(dir);
}

static void sweep_once(void) { sweep(spool_parent()); }

/* The lock gets its name when it is held: a sweep never finds it free. */
static int take_lock(int folder) {
  int fd = openat(folder, "lock.new", O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (fd < 0) return -1;
  if (flock(fd, LOCK_EX | LOCK_NB) == 0 && renameat(folder, "lock.new", folder, LOCK) == 0) return fd;
  close(fd);
  return -1;
}

tenon_status tn_spool_init(tn_spool *ret, tenon_error *err) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, sweep_once);
  char path[4096];
  snprintf(path, sizeof path, "%s/" PREFIX "XXXXXX", spool_parent());
  char *kept = tn_strdup(path);
  if (!kept) return tn_no_memory(err);
  if (!mkdtemp(kept)) {
    tenon_status status = tn_fail_errno(err, errno, TENON_STAGE_CONFIG, remedy, "%s", path);
    tn_free(kept);
    return status;
  }
  int folder = open(kept, O_RDONLY | O_DIRECTORY | O_CLOEXEC), lock = folder >= 0 ? take_lock(folder) : -1, why = errno;
  if (folder >= 0) close(folder);
  tn_spool made = {.path = kept, .lock = lock};
  if (lock < 0) {
    tn_spool_release(&made);
    return tn_fail_errno(err, why, TENON_STAGE_CONFIG, remedy, "%s", path);
  }
  *ret = made;
  return TENON_OK;
}

void tn_spool_release(tn_spool *s) {
  if (!s->path) return;
  remove_folder(AT_FDCWD, s->path);
  if (s->lock >= 0) close(s->lock);
  tn_free(s->path);
  *s = (tn_spool){0};
}
