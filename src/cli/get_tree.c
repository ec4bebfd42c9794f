/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Objects below a key into files below a folder. A key is only a name for a file if each of its parts is one: nothing is
 * written outside of the folder, and no link below it is followed.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "cli/crew.h"
#include "cli/tree.h"

enum { AT_A_TIME = 256 << 10, MAX_PART = 256, MAX_MARK = 256, MAX_CHAIN = 256 };

static const char mark_name[] = "user.tenon.object";

/* Of the objects that came, those whose names begin the last one's. Listings are in bytewise order (or in an order of folders,
 * where this cannot be): what does not begin this name begins no later one. */
typedef struct names_seen {
  tn_str last;
  size_t sizes[MAX_CHAIN];
  int count;
} names_seen;

typedef struct getting {
  tn_cli *cli;
  const tn_cli_tree *tree;
  const tn_cli_object *from;
  tenon_key_bytes prefix;
  int root_fd;
  bool made_root;
  int64_t found;
  names_seen seen;
} getting;

tenon_status tn_cli_tree_prefix(tn_cli *cli, const tn_cli_object *o, tenon_key_bytes *ret, tenon_error *err) {
  bool has_slash = !o->key.size || o->key.data[o->key.size - 1] == '/';
  char *key = tn_arena_alloc(&cli->arena, o->key.size + 2);
  if (!key) return tn_no_memory(err);
  if (o->key.size) memcpy(key, o->key.data, o->key.size);
  if (!has_slash) key[o->key.size] = '/';
  *ret = (tenon_key_bytes){key, o->key.size + !has_slash};
  return TENON_OK;
}

/* ---- Names ---- */

static bool is_part(const char *part, size_t size) {
  bool is_dots = size <= 2 && memcmp(part, "..", size) == 0;   /* "", too */
  return !is_dots && size < MAX_PART && !memchr(part, 0, size);
}

/* A slash at the end names a folder. */
static bool is_safe(const char *name, size_t size) {
  while (size) {
    const char *slash = memchr(name, '/', size);
    size_t part = slash ? (size_t)(slash - name) : size;
    if (!is_part(name, part)) return false;
    name += part + (slash != NULL);
    size -= part + (slash != NULL);
  }
  return true;
}

static bool is_folder(const tn_cli_task *t) { return !t->size || t->name[t->size - 1] == '/'; }

static tenon_status check_name(const tn_cli_task *t, tenon_error *err) {
  if (is_folder(t) && t->object.size > 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "get it by itself, into a file of another name",
                      "its key ends with a slash as a folder's, and it has %" PRId64 " bytes", t->object.size);
  if (is_safe(t->name, t->size)) return TENON_OK;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "get it by itself, into a file of another name",
                    "its key is no name of a file below a folder");
}

/* Would there have to be a folder of a file's name? */
static bool is_below_a_file(names_seen *seen, const tn_cli_task *t) {
  const size_t *sizes = seen->sizes;
  while (seen->count && (sizes[seen->count - 1] > t->size || memcmp(seen->last.data, t->name, sizes[seen->count - 1]) != 0)) seen->count--;
  for (int i = 0; i < seen->count; i++)
    if (sizes[i] < t->size && t->name[sizes[i]] == '/') return true;
  tn_str_clear(&seen->last);
  if (!is_folder(t) && seen->count < MAX_CHAIN && tn_str_add(&seen->last, t->name, t->size)) seen->sizes[seen->count++] = t->size;
  else seen->count = 0;
  return false;
}

/* ---- Folders ---- */

static tenon_status open_below(int at_fd, const char *part, int *ret_fd, tenon_error *err) {
  if (mkdirat(at_fd, part, 0777) < 0 && errno != EEXIST)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "give this user the right to write there", "making the folder %s", part);
  int fd = openat(at_fd, part, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "remove what has this name: it has to be a folder, and no link", "%s", part);
  *ret_fd = fd;
  return TENON_OK;
}

/* The folder that the name is in, and what is left of the name: "" where it is of a folder itself. */
static tenon_status open_folder_of(const getting *g, const tn_cli_task *t, int *ret_fd, char last[MAX_PART], tenon_error *err) {
  const char *at = t->name, *end = t->name + t->size, *slash;
  int fd = openat(g->root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "%s", g->tree->folder);
  for (; (slash = memchr(at, '/', (size_t)(end - at))); at = slash + 1) {
    char part[MAX_PART];
    int below = -1;
    snprintf(part, sizeof part, "%.*s", (int)(slash - at), at);
    tenon_status status = open_below(fd, part, &below, err);
    close(fd);
    if (status) return status;
    fd = below;
  }
  snprintf(last, MAX_PART, "%.*s", (int)(end - at), at);
  *ret_fd = fd;
  return TENON_OK;
}

/* ---- What is there whole: the file says itself of which version it is, and as when ---- */

static int spell_mark(char mark[MAX_MARK], const char *etag, const struct stat *st) {
  return snprintf(mark, MAX_MARK, "%s %lld %lld.%09ld", etag, (long long)st->st_size, (long long)st->st_mtim.tv_sec, st->st_mtim.tv_nsec);
}

static int64_t changed_us(const struct stat *st) { return (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000; }

static void mark_whole(int fd, const tenon_object *o) {
  struct stat st;
  char mark[MAX_MARK];
  if (!*o->etag || fstat(fd, &st) < 0) return;
  int n = spell_mark(mark, o->etag, &st);
  if (n > 0 && n < MAX_MARK && fsetxattr(fd, mark_name, mark, (size_t)n, 0) < 0) return;
}

/* Where there is no etag, or the file system has no room for it, times decide: files appear whole. */
static bool is_this(int fd, const tenon_object *o) {
  struct stat st;
  char mark[MAX_MARK], found[MAX_MARK];
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size != o->size) return false;
  ssize_t n = *o->etag ? fgetxattr(fd, mark_name, found, sizeof found) : -1;
  if (!*o->etag || (n < 0 && errno == ENOTSUP)) return o->modified_us != INT64_MIN && changed_us(&st) > o->modified_us;
  return n > 0 && n == spell_mark(mark, o->etag, &st) && memcmp(found, mark, (size_t)n) == 0;
}

static tenon_status whole_key(const getting *g, const tn_cli_task *t, tn_str *key, tenon_error *err) {
  tn_str_init(key, 64 << 10);
  return tn_str_add(key, g->prefix.data, g->prefix.size) && tn_str_add(key, t->name, t->size) ? TENON_OK : tn_no_memory(err);
}

/* Index pages of web servers tell names alone. */
static void look_closer(const getting *g, const tn_cli_task *t, tenon_object *o) {
  tn_str key;
  if (o->size >= 0 && (*o->etag || o->modified_us != INT64_MIN)) return;
  if (!whole_key(g, t, &key, NULL))
    tenon_stat_object(g->cli->ctx, g->from->session, &(tenon_key_bytes){key.data, key.size}, o, NULL);
  tn_str_release(&key);
}

static bool is_whole(const getting *g, const tn_cli_task *t, int dir_fd, const char *name) {
  tenon_object o = t->object;
  int fd = openat(dir_fd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0) return false;
  look_closer(g, t, &o);
  bool is = is_this(fd, &o);
  close(fd);
  return is;
}

/* ---- One object ---- */

static tenon_status pour(const getting *g, tenon_bytes *from, int fd, int64_t *bytes, tenon_error *err) {
  char *data = tn_resize(NULL, AT_A_TIME);
  tenon_status status = data ? TENON_OK : tn_no_memory(err);
  for (size_t n = 1; !status && n > 0;) {
    status = tn_ctx_check(g->cli->ctx, err);
    if (!status) status = from->read(from->self, data, AT_A_TIME, &n, err);
    if (!status && n) status = tn_write_all(fd, data, n, err);
    if (!status) *bytes += (int64_t)n;
  }
  tn_free(data);
  return status;
}

static tenon_status get_file(const getting *g, const tn_cli_task *t, int dir_fd, const char *name, int64_t *bytes, tenon_error *err) {
  tenon_get request = TENON_GET_INIT;
  tenon_got got = {.struct_size = sizeof got};
  tn_new_file file;
  tn_str key;
  tenon_status status = whole_key(g, t, &key, err);
  request.key = (tenon_key_bytes){key.data, key.size};
  if (!status) status = tenon_get_object(g->cli->ctx, g->from->session, &request, &got, err);
  tn_str_release(&key);
  if (status) return status;
  status = tn_new_file_init(&file, dir_fd, name, err);
  if (!status) {
    status = pour(g, &got.body, file.fd, bytes, err);
    if (!status) mark_whole(file.fd, &got.object);
    if (!status) status = tn_new_file_commit(&file, g->tree->if_absent, err);
    else tn_new_file_release(&file);
  }
  got.body.close(got.body.self);
  return status;
}

static tenon_status get_one(void *arg, const tn_cli_task *t, tn_cli_done *ret, tenon_error *err) {
  const getting *g = arg;
  char name[MAX_PART];
  int dir_fd = -1;
  tenon_status status = check_name(t, err);
  if (!status) status = open_folder_of(g, t, &dir_fd, name, err);
  if (status) return status;
  if (g->tree->resume && *name && is_whole(g, t, dir_fd, name)) ret->is_skipped = true;
  else if (*name) status = get_file(g, t, dir_fd, name, &ret->bytes, err);
  close(dir_fd);
  return status;
}

static tenon_status say_one(void *arg, const tn_cli_task *t, tn_cli_done *ret, tenon_error *err) {
  const getting *g = arg;
  tenon_status status = check_name(t, err);
  if (!status && is_folder(t)) tn_cli_note(g->cli, "would make the folder %s/%.*s", g->tree->folder, (int)t->size, t->name);
  else if (!status) tn_cli_note(g->cli, "would write %" PRId64 " bytes to %s/%.*s", t->object.size, g->tree->folder, (int)t->size, t->name);
  ret->bytes = t->object.size > 0 ? t->object.size : 0;
  return status;
}

/* ---- All ---- */

static bool is_null(const struct ArrowArray *column, int64_t i) {
  const uint8_t *valid = column->buffers[0];
  return valid && !(valid[i / 8] >> (i % 8) & 1);
}

static const char *text_at(const struct ArrowArray *column, int64_t i, size_t *ret_size) {
  const int32_t *offsets = column->buffers[1];
  *ret_size = is_null(column, i) ? 0 : (size_t)(offsets[i + 1] - offsets[i]);
  return (const char *)column->buffers[2] + offsets[i];
}

/* The columns are those of the facet: key, kind, size, modified, etag. */
static tn_cli_task task_at(const struct ArrowArray *batch, int64_t row, size_t prefix_size) {
  const struct ArrowArray *key = batch->children[0], *size = batch->children[2];
  const struct ArrowArray *modified = batch->children[3], *etag = batch->children[4];
  size_t key_size, etag_size;
  int64_t i = batch->offset + row;
  const char *name = text_at(key, key->offset + i, &key_size), *tag = text_at(etag, etag->offset + i, &etag_size);
  tn_cli_task t = {.name = name + prefix_size, .size = key_size - prefix_size,
                   .object = {.struct_size = sizeof t.object, .size = -1, .modified_us = INT64_MIN}};
  if (!is_null(size, size->offset + i)) t.object.size = ((const int64_t *)size->buffers[1])[size->offset + i];
  if (!is_null(modified, modified->offset + i)) t.object.modified_us = ((const int64_t *)modified->buffers[1])[modified->offset + i];
  if (etag_size < sizeof t.object.etag) snprintf(t.object.etag, sizeof t.object.etag, "%.*s", (int)etag_size, tag);
  return t;
}

/* The folder's own mark has no name, and should have no bytes. */
static void check_root(const getting *g, tn_cli_crew *crew, const tn_cli_task *t) {
  tenon_error why = TENON_ERROR_INIT;
  const tn_cli_task whole = {.name = g->prefix.data, .size = g->prefix.size};
  if (check_name(t, &why)) tn_cli_crew_fail(crew, &whole, &why);
}

static void fail_below_a_file(tn_cli_crew *crew, const tn_cli_task *t) {
  tenon_error why = TENON_ERROR_INIT;
  tenon_fail(&why, TENON_DATA, TENON_STAGE_WRITE, "get it by itself, into a file of another name",
             "it lies below the name of another object: no file has the name of a folder");
  tn_cli_crew_fail(crew, t, &why);
}

static tenon_status give_batch(getting *g, tn_cli_crew *crew, const struct ArrowArray *batch, tenon_error *err) {
  tenon_status status = TENON_OK;
  g->found += batch->length;
  for (int64_t i = 0; !status && i < batch->length; i++) {
    const tn_cli_task t = task_at(batch, i, g->prefix.size);
    if (!t.size) check_root(g, crew, &t);
    else if (is_below_a_file(&g->seen, &t)) fail_below_a_file(crew, &t);
    else status = tn_cli_crew_give(crew, &t, err);
  }
  return status;
}

static tenon_status give_all(getting *g, tn_cli_crew *crew, tenon_error *err) {
  const tenon_objects_list request = {.struct_size = sizeof request, .prefix = g->prefix};
  struct ArrowArrayStream rows;
  tenon_status status = tenon_list_objects(g->cli->ctx, g->from->session, &request, &rows, err);
  if (status) return status;
  for (struct ArrowArray batch; !status;) {
    status = tenon_stream_error(&rows, rows.get_next(&rows, &batch), err);
    if (status || !batch.release) break;
    status = give_batch(g, crew, &batch, err);
    batch.release(&batch);
  }
  rows.release(&rows);
  return status;
}

static tenon_status open_root(getting *g, tenon_error *err) {
  const char *folder = g->tree->folder;
  if (g->tree->dry_run) return TENON_OK;
  g->made_root = mkdir(folder, 0777) == 0;
  if (!g->made_root && errno != EEXIST)
    return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "make the folder above it first", "%s", folder);
  return tn_folder_open(folder, O_RDONLY, &g->root_fd, err);
}

/* An empty bucket is one; a folder of keys that has none is not there. */
static tenon_status check_found(const getting *g, tenon_error *err) {
  if (g->found || !g->prefix.size) return TENON_OK;
  if (g->made_root) rmdir(g->tree->folder);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls` lists what is there", "no object's key begins with %.*s",
                    (int)g->prefix.size, g->prefix.data);
}

tenon_status tn_cli_get_tree(tn_cli *cli, const tn_cli_tree *tree, const tn_cli_object *from, tenon_error *err) {
  getting g = {.cli = cli, .tree = tree, .from = from, .root_fd = -1};
  tn_cli_crew *crew;
  tn_cli_totals totals;
  tn_str_init(&g.seen.last, 64 << 10);
  tenon_status status = tn_cli_tree_prefix(cli, from, &g.prefix, err);
  if (!status) status = open_root(&g, err);
  if (!status) status = tn_cli_crew_new(cli, tree->jobs, tree->dry_run ? say_one : get_one, &g, &crew, err);
  if (!status) {
    status = give_all(&g, crew, err);
    tn_cli_crew_finish(crew, &totals);
    if (!status) status = check_found(&g, err);
    status = tn_cli_tell_totals(cli, tree->dry_run ? "would get" : "got", &totals, status, err);
  }
  if (g.root_fd >= 0) close(g.root_fd);
  tn_str_release(&g.seen.last);
  return status;
}
