/* SPDX-License-Identifier: Apache-2.0 */
/* Collections themselves: create, list, drop. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "faiss.h"

static tenon_collection collection_of(const tn_faiss_version *v) {
  return (tenon_collection){.struct_size = sizeof(tenon_collection), .dimension = v->dimension,
                            .metric = v->metric, .count = v->count};
}

/* ---- create ---- */

static bool has_suffix(const char *name, const char *suffix) {
  size_t size = strlen(name), n = strlen(suffix);
  return size > n && strcmp(name + size - n, suffix) == 0;
}

/* A folder x.faiss beside a file x.faiss would be two collections by one name. */
static tenon_status check_new_name(const char *name, tenon_error *err) {
  if (!has_suffix(name, ".faiss") && !has_suffix(name, ".index"))
    return tn_faiss_check_name(name, err);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "leave .faiss and .index out of the name",
                    "%s is a name for indexes that FAISS's own library writes", name);
}

/* What is there of the name already must be a folder without rows that were lost. */
static tenon_status check_place(const tn_faiss *s, const char *name, tenon_error *err) {
  int folder, errnum = tn_faiss_folder(s->root_fd, name, &folder);
  if (errnum == ENOENT) return TENON_OK;
  if (errnum == ENOTDIR)
    return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "choose another name",
                      "there is a file of the name %s in the folder", name);
  if (errnum) return tn_faiss_fail_file(errnum, name, TENON_STAGE_WRITE, err);
  bool has_lost = tn_faiss_has_lost(folder);
  close(folder);
  if (!has_lost) return TENON_OK;
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE,
                    "restore the manifest from a copy; or drop the collection, and what is left of "
                    "it goes",
                    "%s has rows, but its manifest is lost", name);
}

static tenon_status make_folder(const tn_faiss *s, const char *name, tenon_error *err) {
  tenon_status status = check_place(s, name, err);
  if (status) return status;
  if (mkdirat(s->root_fd, name, 0777) < 0 && errno != EEXIST)
    return tn_faiss_fail_file(errno, name, TENON_STAGE_WRITE, err);
  if (fsync(s->root_fd) < 0 && errno != EINVAL)
    return tn_faiss_fail_file(errno, name, TENON_STAGE_WRITE, err);
  return TENON_OK;
}

/* There is one of that name. */
static tenon_status take_existing(const tenon_vectors_create *req, const tn_faiss_version *v,
                                  tenon_collection *ret, tenon_error *err) {
  if (req->if_absent && v->dimension == req->dimension && v->metric == req->metric) {
    *ret = collection_of(v);
    return TENON_OK;
  }
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE,
                    "choose another name, or drop the collection first",
                    "collection %s is there already: dimension %d, metric %s", v->name,
                    (int)v->dimension, tn_faiss_metric_name(v->metric));
}

static tenon_status create_locked(tenon_ctx *ctx, tn_faiss *s, const tenon_vectors_create *req,
                                  tenon_collection *ret, tenon_error *err) {
  tn_faiss_version *v;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_faiss_open(ctx, s, req->collection, &v, &why);
  if (!status) {
    status = take_existing(req, v, ret, err);
    tn_faiss_version_unref(v);
    return status;
  }
  if (status != TENON_NOT_FOUND) {
    if (err && !err->code) *err = why;
    return status;
  }
  status = make_folder(s, req->collection, err);
  if (!status)
    status = tn_faiss_commit(ctx, s, req->collection, req->metric, req->dimension, NULL, NULL, NULL,
                             err);
  /* if it is empty: what was not made whole leaves nothing */
  if (status) unlinkat(s->root_fd, req->collection, AT_REMOVEDIR);
  if (!status)
    *ret = (tenon_collection){.struct_size = sizeof *ret, .dimension = req->dimension,
                              .metric = req->metric};
  return status;
}

tenon_status tn_faiss_create(tenon_ctx *ctx, void *session, const tenon_vectors_create *req,
                             tenon_collection *ret, tenon_error *err) {
  tenon_status status = check_new_name(req->collection, err);
  if (!status) status = tn_faiss_lock(ctx, session, err);
  if (status) return status;
  status = create_locked(ctx, session, req, ret, err);
  tn_faiss_unlock(session);
  return status;
}

/* ---- drop ---- */

static tenon_status remove_folder(const tn_faiss *s, const char *name, tenon_error *err) {
  int folder = openat(s->root_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
  if (folder < 0) return tn_faiss_fail_file(errno, name, TENON_STAGE_WRITE, err);
  tenon_status status = TENON_OK;
  if ((unlinkat(folder, "manifest", 0) < 0 && errno != ENOENT) || fsync(folder) < 0)
    status = tn_faiss_fail_file(errno, name, TENON_STAGE_COMMIT, err);
  if (!status) tn_faiss_sweep(folder);
  close(folder);
  /* what is not ours in it keeps the folder; the collection is gone all the same */
  if (!status) unlinkat(s->root_fd, name, AT_REMOVEDIR);
  return status;
}

/* What cannot be opened any more: a manifest or file is damaged, or the manifest is lost. */
static bool is_wreck(const tn_faiss *s, const char *name, tenon_status status) {
  int folder;
  if (status == TENON_DATA) return tn_faiss_is_ours(s, name);
  if (status != TENON_NOT_FOUND || tn_faiss_folder(s->root_fd, name, &folder)) return false;
  bool has_lost = tn_faiss_has_lost(folder);
  close(folder);
  return has_lost;
}

static tenon_status drop_locked(tenon_ctx *ctx, tn_faiss *s, const char *name,
                                tenon_collection *ret, tenon_error *err) {
  tn_faiss_version *v;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_faiss_open(ctx, s, name, &v, &why);
  if (status && is_wreck(s, name, status)) {
    status = remove_folder(s, name, err);
    if (!status) *ret = (tenon_collection){.struct_size = sizeof *ret, .count = -1};
    return status;
  }
  if (status) {
    if (err && !err->code) *err = why;
    return status;
  }
  status = tn_faiss_refuse_foreign(v, err);
  if (!status) status = remove_folder(s, name, err);
  if (!status) *ret = collection_of(v);
  tn_faiss_version_unref(v);
  return status;
}

tenon_status tn_faiss_drop(tenon_ctx *ctx, void *session, const tenon_vectors_drop *req,
                           tenon_collection *ret, tenon_error *err) {
  tenon_status status = tn_faiss_check_name(req->collection, err);
  if (!status) status = tn_faiss_lock(ctx, session, err);
  if (status) return status;
  status = drop_locked(ctx, session, req->collection, ret, err);
  tn_faiss_unlock(session);
  return status;
}

/* ---- list ---- */

enum { MAX_COLLECTIONS = 100000, BATCH = 1000 };

typedef struct lister {
  tenon_ctx *ctx;
  tn_faiss root;            /* the session's, without its recent version */
  char **names;
  size_t count, next;
  tn_builder *out;
} lister;

static void close_lister(void *self) {
  lister *l = self;
  for (size_t i = 0; i < l->count; i++) tn_free(l->names[i]);
  tn_free(l->names);
  tn_builder_free(l->out);
  tn_faiss_version_unref(l->root.recent);
  tn_free(l);
}

static tenon_status add_name(lister *l, const char *name, size_t size, tenon_error *err) {
  if (l->count == MAX_COLLECTIONS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "spread them over folders",
                      "the folder holds more than %d collections", MAX_COLLECTIONS);
  if ((l->count & (l->count - 1)) == 0) {
    char **names = tn_resize(l->names, (l->count ? l->count * 2 : 1) * sizeof *names);
    if (!names) return tn_no_memory(err);
    l->names = names;
  }
  l->names[l->count] = tn_strndup(name, size);
  if (!l->names[l->count]) return tn_no_memory(err);
  l->count++;
  return TENON_OK;
}

/* The size of the collection's name: 0 if this cannot be one. */
static size_t name_size(const lister *l, const char *entry) {
  struct stat st;
  size_t size = strlen(entry);
  if (entry[0] == '.' || size > TN_FAISS_NAME + 6) return 0;
  if (size <= TN_FAISS_NAME && fstatat(l->root.root_fd, entry, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
      S_ISDIR(st.st_mode))
    return tn_faiss_is_ours(&l->root, entry) ? size : 0;
  return has_suffix(entry, ".faiss") || has_suffix(entry, ".index") ? size - 6 : 0;
}

static int by_name(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

static tenon_status read_names(lister *l, const char *only, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (only) return add_name(l, only, strlen(only), err);
  int fd = openat(l->root.root_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *d = fd < 0 ? NULL : fdopendir(fd);
  if (!d) {
    int errnum = errno;
    if (fd >= 0) close(fd);
    return tn_faiss_fail_file(errnum, l->root.config->path, TENON_STAGE_QUERY, err);
  }
  for (struct dirent *e; !status && (e = readdir(d));) {
    size_t size = name_size(l, e->d_name);
    if (size) status = add_name(l, e->d_name, size, err);
  }
  closedir(d);
  if (!status && l->count) qsort(l->names, l->count, sizeof *l->names, by_name);
  return status;
}

/* c NULL: it is there, but cannot be looked into. */
static bool append_collection(lister *l, const char *name, const tenon_collection *c) {
  if (!c)
    return tn_append_text(tn_builder_column(l->out, 0), name) &&
           tn_append_null(tn_builder_column(l->out, 1)) &&
           tn_append_null(tn_builder_column(l->out, 2)) &&
           tn_append_null(tn_builder_column(l->out, 3));
  return tn_append_text(tn_builder_column(l->out, 0), name) &&
         tn_append_i32(tn_builder_column(l->out, 1), c->dimension) &&
         tn_append_text(tn_builder_column(l->out, 2), tn_faiss_metric_name(c->metric)) &&
         tn_append_i64(tn_builder_column(l->out, 3), c->count);
}

static bool is_end(tenon_status status) {
  return status == TENON_CANCELLED || status == TENON_TIMEOUT || status == TENON_LIMITED ||
         status == TENON_INTERNAL;
}

/* One that was dropped meanwhile is left out, and a file that is no sound flat index. Of one that
 * is damaged, of a newer format or not ours to read there is the name, and the log says why. */
static tenon_status list_one(lister *l, const char *name, int64_t *rows, tenon_error *err) {
  tenon_collection c;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_faiss_look(l->ctx, &l->root, name, &c, &why);
  if (is_end(status)) {
    if (err && !err->code) *err = why;
    return status;
  }
  if (status == TENON_NOT_FOUND || status == TENON_CONFIG) return TENON_OK;
  if (status) tn_faiss_host->log(l->ctx, TENON_LOG_WARN, "%s", why.message);
  if (status && !tn_faiss_is_ours(&l->root, name)) return TENON_OK;
  ++*rows;
  return append_collection(l, name, status ? NULL : &c) ? TENON_OK : tn_append_failed(err);
}

static tenon_status next_collections(void *self, struct ArrowArray *ret, tenon_error *err) {
  lister *l = self;
  int64_t rows = 0;
  tenon_status status = tn_faiss_host->check(l->ctx, err);
  for (; !status && l->next < l->count && rows < BATCH; l->next++)
    if (!l->next || strcmp(l->names[l->next], l->names[l->next - 1]) != 0)
      status = list_one(l, l->names[l->next], &rows, err);
  if (status) return status;
  if (rows) return tn_builder_finish(l->out, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static tenon_status list_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format;
  } columns[] = {{"name", "u"}, {"dimension", "i"}, {"metric", "u"}, {"count", "l"}};
  tenon_status status = tn_schema_struct(ret, 4, err);
  if (status) return status;
  for (int i = 0; !status && i < 4; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, i > 0, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status open_lister(lister *l, const tn_faiss *s, const char *only,
                                struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema schema;
  l->root = (tn_faiss){.config = s->config, .root_fd = s->root_fd};
  tenon_status status = read_names(l, only, err);
  if (!status) status = list_schema(&schema, err);
  if (status) return status;
  status = tn_builder_new(&schema, &l->out, err);
  if (status) tn_schema_release(&schema);
  else *ret = schema;
  return status;
}

tenon_status tn_faiss_list(tenon_ctx *ctx, void *session, const tenon_vectors_list *req,
                           tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema;
  lister *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->ctx = ctx;
  tenon_status status = open_lister(l, session, req->collection, &schema, err);
  if (status) {
    close_lister(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = l, .schema = schema,
                        .next = next_collections, .close = close_lister};
  return TENON_OK;
}
