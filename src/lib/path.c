/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Local paths as targets: which kind reads what is there. A database in a file is known by its name,
 * or by its first bytes; everything else is objects under a folder, and the file or pattern in that
 * folder is the table.
 *
 * The name comes first: to close a file drops every POSIX lock that this process holds on it, also
 * those of a session that is reading it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "formats/format.h"
#include "lib/handle.h"

enum { MAX_NEIGHBOURS = 1000 };

/* Kinds whose systems are single files. */
static const struct {
  const char *kind, *key;
  const char *magic;
  size_t magic_size;
  const char *extensions[5];
} file_kinds[] = {
    {"sqlite", "path", "SQLite format 3", 16, {".db", ".sqlite", ".sqlite3", ".db3"}},
};

enum { FILE_KINDS = sizeof file_kinds / sizeof file_kinds[0] };

/* The kind of everything else, and its parameter for the folder. */
static const char *const folder_kind = "files", *const folder_key = "root",
                  *const format_key = "format";

static tenon_status set_kind(const tenon *t, const char *kind, const char *key, const char *path,
                             const tenon_provider **ret, tn_settings *ret_settings,
                             tenon_error *err) {
  tenon_status status = tn_registry_find(t->registry, kind, ret, err);
  return status ? status : tn_settings_set(ret_settings, key, path, err);
}

static size_t read_start(const char *path, char *data, size_t size) {
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return 0;
  ssize_t n = read(fd, data, size);
  close(fd);
  return n > 0 ? (size_t)n : 0;
}

/* ---- What is not there ---- */

static const char *file_part(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash ? slash + 1 : path;
}

/* The name in the folder that is most like the one that was asked for. */
static bool nearest_neighbour(const char *folder, const char *name, char *ret, size_t room) {
  DIR *dir = opendir(folder);
  size_t best = strlen(name) / 3 + 2;
  bool found = false;
  struct dirent *entry;
  for (int n = 0; dir && n < MAX_NEIGHBOURS && (entry = readdir(dir)); n++) {
    size_t distance = tn_edit_distance(name, entry->d_name, best);
    if (entry->d_name[0] == '.' || distance >= best) continue;
    best = distance;
    found = true;
    snprintf(ret, room, "%s", entry->d_name);
  }
  if (dir) closedir(dir);
  return found;
}

static tenon_status leads_nowhere(const char *path, tenon_error *err) {
  char to[PATH_MAX];
  ssize_t n = readlink(path, to, sizeof to - 1);
  to[n > 0 ? n : 0] = 0;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, "mend the link, or name the file",
                    "%s is a link to %s, which is not there", path, to);
}

static tenon_status not_there(const char *path, const char *folder, tenon_error *err) {
  struct stat link;
  if (lstat(path, &link) == 0 && S_ISLNK(link.st_mode)) return leads_nowhere(path, err);
  char name[256], remedy[400] = "check the path; `tenon ls FOLDER` lists what is there";
  const char *cut = file_part(path);
  if (nearest_neighbour(folder, cut, name, sizeof name))
    snprintf(remedy, sizeof remedy, "did you mean %.*s%s?", (int)(cut - path), path, name);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, remedy, "there is no %s %s",
                    *cut ? "file" : "folder", path);
}

/* ---- Folders and what is in them ---- */

/* Where the folder ends: at the last slash before the first character of a pattern. */
static size_t folder_size(const char *path, bool *ret_is_pattern) {
  size_t plain = strcspn(path, "*?[{");
  *ret_is_pattern = path[plain] != 0;
  while (plain > 0 && path[plain - 1] != '/') plain--;
  return plain;
}

static tenon_status split(const tenon *t, tn_target *target, size_t size,
                          const tenon_provider **ret, tn_settings *ret_settings, tenon_error *err) {
  const char *folder = size ? tn_arena_strndup(&target->arena, target->base, size) : ".";
  if (!folder) return tn_no_memory(err);
  if (target->table)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "leave out what stands behind the colon",
                      "%s is one table: there is no %s in it", target->base, target->table);
  target->table = target->base + size;
  return set_kind(t, folder_kind, folder_key, folder, ret, ret_settings, err);
}

static bool has_extension(const char *path, const char *const *extensions) {
  size_t size = strlen(path);
  for (; *extensions; extensions++) {
    size_t n = strlen(*extensions);
    if (size > n && strcasecmp(path + size - n, *extensions) == 0) return true;
  }
  return false;
}

/* The place in file_kinds, or FILE_KINDS. */
static size_t file_kind(const char *path) {
  char start[64];
  for (size_t i = 0; i < FILE_KINDS; i++)
    if (has_extension(path, file_kinds[i].extensions)) return i;
  if (tn_format_by_path(path, strlen(path))) return FILE_KINDS;
  size_t got = read_start(path, start, sizeof start);
  for (size_t i = 0; i < FILE_KINDS; i++)
    if (got >= file_kinds[i].magic_size &&
        memcmp(start, file_kinds[i].magic, file_kinds[i].magic_size) == 0)
      return i;
  return FILE_KINDS;
}

/* A link that was named is the file that it leads to: only those that are found in a folder must not
 * lead out of it. */
static tenon_status follow_link(tn_target *target, tenon_error *err) {
  char real[PATH_MAX];
  struct stat link, file;
  bool is_link = lstat(target->base, &link) == 0 && S_ISLNK(link.st_mode);
  if (!is_link || stat(target->base, &file) != 0 || !S_ISREG(file.st_mode)) return TENON_OK;
  if (!realpath(target->base, real))
    return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "check where the link leads", "%s",
                         target->base);
  const char *path = tn_arena_strdup(&target->arena, real);
  if (!path) return tn_no_memory(err);
  target->base = path;
  return TENON_OK;
}

static tenon_status find_file(const tenon *t, tn_target *target, const tenon_provider **ret,
                              tn_settings *ret_settings, tenon_error *err) {
  size_t i = file_kind(target->base);
  if (i < FILE_KINDS)
    return set_kind(t, file_kinds[i].kind, file_kinds[i].key, target->base, ret, ret_settings, err);
  const tn_format *named = tn_format_by_path(target->base, strlen(target->base));
  tenon_status status = follow_link(target, err);
  if (status) return status;
  size_t folder = (size_t)(file_part(target->base) - target->base);
  status = split(t, target, folder, ret, ret_settings, err);
  /* the name that was given says what it is, not the one that a link leads to */
  if (!status && named && named->read && named != tn_format_by_path(target->base, strlen(target->base)))
    status = tn_settings_set(ret_settings, format_key, named->name, err);
  return status;
}

tenon_status tn_lib_path(const tenon *t, tn_target *target, const tenon_provider **ret,
                         tn_settings *ret_settings, tenon_error *err) {
  const char *path = target->base;
  struct stat st;
  bool is_pattern;
  size_t size = folder_size(path, &is_pattern);
  /* a file may have a name that looks like a pattern */
  if (stat(path, &st) == 0) {
    if (S_ISDIR(st.st_mode))
      return set_kind(t, folder_kind, folder_key, path, ret, ret_settings, err);
    return find_file(t, target, ret, ret_settings, err);
  }
  if (is_pattern) return split(t, target, size, ret, ret_settings, err);
  if (errno != ENOENT && errno != ENOTDIR)
    return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "check the path and its permissions", "%s",
                         path);
  char *folder = tn_strndup(path, (size_t)(file_part(path) - path));
  tenon_status status = folder ? not_there(path, *folder ? folder : ".", err) : tn_no_memory(err);
  tn_free(folder);
  return status;
}
