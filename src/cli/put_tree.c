/* SPDX-License-Identifier: Apache-2.0 */
/* Files below a folder as objects below a key. Links and what is no file are left out, and that is said. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/crew.h"
#include "cli/tree.h"

enum { MAX_DEPTH = 64, MAX_NAME = 4096, USUAL_KEY = 255 };

typedef struct putting {
  tn_cli *cli;
  const tn_cli_tree *tree;
  const tn_cli_object *to;
  tenon_key_bytes prefix;
  int root_fd;
  tn_cli_crew *crew;
} putting;

/* ---- One file ---- */

typedef struct source {
  const putting *p;
  tn_cli_version version;
  int64_t left;              /* of what it had when it was opened */
} source;

static tenon_status read_source(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  source *s = self;
  tenon_status status = tn_ctx_check(s->p->cli->ctx, err);
  if (status) return status;
  if ((int64_t)size > s->left) size = (size_t)s->left;
  ssize_t n = size ? read(s->version.fd, data, size) : 0;
  if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "reading the file");
  status = tn_cli_version_check(&s->version, err);
  if (!status && n == 0 && s->left > 0)
    status = tenon_fail(err, TENON_IO, TENON_STAGE_DATA, "look at the disk", "the file ended before its size");
  if (status) return status;
  s->left -= n;
  *ret_size = (size_t)n;
  return TENON_OK;
}

static void close_source(void *self) { (void)self; }

/* Objects appear whole: one of that size that is not older than the file is this file. */
static bool is_there(const putting *p, const tenon_key_bytes *key, const struct stat *st) {
  tenon_object found = {.struct_size = sizeof found, .size = -1, .modified_us = INT64_MIN};
  int64_t changed_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
  return tenon_stat_object(p->cli->ctx, p->to->session, key, &found, NULL) == TENON_OK && found.size == st->st_size &&
         found.modified_us > changed_us;
}

static tenon_status put_file(const putting *p, const tenon_key_bytes *key, int fd, tn_cli_done *ret, tenon_error *err) {
  struct stat st;
  source s = {.p = p, .version = {.fd = fd, .name = "the file"}};
  tenon_bytes body = {.struct_size = sizeof body, .fd = -1, .self = &s, .read = read_source, .close = close_source};
  const tenon_put request = {.struct_size = sizeof request, .key = *key, .body = &body, .if_absent = p->tree->if_absent};
  tenon_object made = {.struct_size = sizeof made, .size = -1, .modified_us = INT64_MIN};
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_DATA, "leave it out", "it is not a regular file any more");
  if (p->tree->resume && is_there(p, key, &st)) {
    ret->is_skipped = true;
    return TENON_OK;
  }
  s.version.as_opened = st;
  body.length = s.left = ret->bytes = st.st_size;
  return tenon_put_object(p->cli->ctx, p->to->session, &request, &made, err);
}

/* The name was made by the walk, which follows no links; openat2 would be surer, and is not everywhere. */
static tenon_status put_one(void *arg, const tn_cli_task *t, tn_cli_done *ret, tenon_error *err) {
  const putting *p = arg;
  tn_str key;
  int fd = openat(p->root_fd, t->name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "opening the file");
  tn_str_init(&key, 64 << 10);
  bool ok = tn_str_add(&key, p->prefix.data, p->prefix.size) && tn_str_add(&key, t->name, t->size);
  const tenon_key_bytes whole = {key.data, key.size};
  tenon_status status = ok ? put_file(p, &whole, fd, ret, err) : tn_no_memory(err);
  tn_str_release(&key);
  close(fd);
  return status;
}

/* Does the kind take such a key? It says so before it asks anybody; keys of the usual sort are not tried out. */
static tenon_status check_key(const putting *p, const tn_cli_task *t, tenon_error *err) {
  tenon_object found = {.struct_size = sizeof found, .size = -1, .modified_us = INT64_MIN};
  tenon_error why = TENON_ERROR_INIT;
  tn_str key;
  if (p->prefix.size + t->size <= USUAL_KEY && tn_utf8_valid(t->name, t->size, NULL)) return TENON_OK;
  tn_str_init(&key, 64 << 10);
  bool ok = tn_str_add(&key, p->prefix.data, p->prefix.size) && tn_str_add(&key, t->name, t->size);
  const tenon_key_bytes whole = {key.data, key.size};
  tenon_status status = ok ? tenon_stat_object(p->cli->ctx, p->to->session, &whole, &found, &why) : tn_no_memory(&why);
  tn_str_release(&key);
  return status == TENON_CONFIG || status == TENON_LIMITED ? tn_pass_error(&why, err) : TENON_OK;
}

static tenon_status say_one(void *arg, const tn_cli_task *t, tn_cli_done *ret, tenon_error *err) {
  const putting *p = arg;
  tenon_status status = check_key(p, t, err);
  if (status) return status;
  tn_cli_note(p->cli, "would put %" PRId64 " bytes as %.*s%.*s", t->object.size, (int)p->prefix.size, p->prefix.data, (int)t->size, t->name);
  ret->bytes = t->object.size;
  return TENON_OK;
}

/* ---- The walk ---- */

static tenon_status walk(putting *p, int dir_fd, tn_str *name, int depth, tenon_error *err);

static void fail_folder(putting *p, const tn_str *name, int errnum, const char *what) {
  tenon_error why = TENON_ERROR_INIT;
  const tn_cli_task t = {.name = tn_str_text(name), .size = name->size};
  tn_fail_errno(&why, errnum, TENON_STAGE_DATA, NULL, "%s", what);
  tn_cli_crew_fail(p->crew, &t, &why);
}

static tenon_status enter(putting *p, int dir_fd, const char *entry, tn_str *name, int depth, tenon_error *err) {
  int fd = openat(dir_fd, entry, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    fail_folder(p, name, errno, "opening the folder");
    return TENON_OK;
  }
  if (depth == MAX_DEPTH) {
    close(fd);
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "put the folders below it by themselves", "%s is deeper than %d folders",
                      tn_str_text(name), MAX_DEPTH);
  }
  return tn_str_putc(name, '/') ? walk(p, fd, name, depth + 1, err) : tn_no_memory(err);
}

static tenon_status visit(putting *p, int dir_fd, const char *entry, tn_str *name, int depth, tenon_error *err) {
  struct stat st;
  if (fstatat(dir_fd, entry, &st, AT_SYMLINK_NOFOLLOW) < 0) {
    fail_folder(p, name, errno, "looking at it");
    return TENON_OK;
  }
  if (S_ISDIR(st.st_mode)) return enter(p, dir_fd, entry, name, depth, err);
  if (!S_ISREG(st.st_mode)) {
    tn_cli_note(p->cli, "%s is %s, and left out", tn_str_text(name), S_ISLNK(st.st_mode) ? "a link" : "no regular file");
    return TENON_OK;
  }
  tn_cli_task t = {.name = tn_str_text(name), .size = name->size, .object = {.struct_size = sizeof t.object, .size = st.st_size}};
  return tn_cli_crew_give(p->crew, &t, err);
}

/* Takes dir_fd. The name grows and shrinks with the depth. */
static tenon_status walk(putting *p, int dir_fd, tn_str *name, int depth, tenon_error *err) {
  DIR *dir = fdopendir(dir_fd);
  tenon_status status = TENON_OK;
  size_t size = name->size;
  if (!dir) {
    close(dir_fd);
    return tn_no_memory(err);
  }
  for (const struct dirent *d; !status && (d = readdir(dir));) {
    if (strcmp(d->d_name, ".") == 0 || strcmp(d->d_name, "..") == 0 || tn_new_file_is_temporary(d->d_name)) continue;
    status = tn_str_puts(name, d->d_name) ? visit(p, dirfd(dir), d->d_name, name, depth, err)
                                          : tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, NULL, "a path is longer than %d bytes", MAX_NAME);
    name->size = size;
    if (name->data) name->data[size] = 0;
  }
  closedir(dir);
  return status;
}

tenon_status tn_cli_put_tree(tn_cli *cli, const tn_cli_tree *tree, const tn_cli_object *to, tenon_error *err) {
  putting p = {.cli = cli, .tree = tree, .to = to, .root_fd = -1};
  tn_cli_totals totals;
  tn_str name;
  tn_str_init(&name, MAX_NAME);
  tenon_status status = tn_cli_tree_prefix(cli, to, &p.prefix, err);
  if (!status) status = tn_folder_open(tree->folder, O_RDONLY, &p.root_fd, err);
  if (!status) status = tn_cli_crew_new(cli, tree->jobs, tree->dry_run ? say_one : put_one, &p, &p.crew, err);
  if (!status) {
    int fd = openat(p.root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    status = fd < 0 ? tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", tree->folder) : walk(&p, fd, &name, 0, err);
    tn_cli_crew_finish(p.crew, &totals);
    status = tn_cli_tell_totals(cli, tree->dry_run ? "would put" : "put", &totals, status, err);
  }
  if (p.root_fd >= 0) close(p.root_fd);
  tn_str_release(&name);
  return status;
}
