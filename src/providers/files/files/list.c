/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in bytewise order. A folder's names are sorted with a slash behind those of folders, which
 * makes the order of a depth-first walk that of the whole keys.
 *
 * Of each folder on the way down at most so many names are held as PAGE_NAMES says: the smallest
 * behind the last one that was seen. A folder with more is read again for the next page. So memory
 * does not grow with the number of files. No folder stays open between two batches.
 *
 * A listing is not a snapshot: what comes or goes meanwhile may be in it or not.
 */
#include "files.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

enum {
  MAX_DEPTH = 512,
  PAGE_NAMES = 1 << 16,
  LEAST_PAGE_NAMES = 1 << 8,
  BATCH_ROWS = 4096,
  CHECK_EVERY = 1024
};

/* The names of one folder: a page of them, sorted. Folders' names end with a slash. */
typedef struct level {
  size_t path_size;        /* of the folder's key with its slash; 0: the root */
  char *names;             /* one behind the other */
  size_t names_size, names_room;
  struct entry { size_t at; uint16_t size; } *entries;
  size_t count, room, next;
  bool more;               /* there are names behind the last of the page */
} level;

typedef struct walk {
  tenon_ctx *ctx;
  const tn_files *session;
  tn_builder *builder;
  char *prefix, *start_after, *rolled;   /* rolled: the row of kind prefix that was answered last */
  size_t prefix_size, start_size, rolled_size;
  char delimiter;
  char path[TN_FILES_MAX_KEY + TN_FILES_MAX_NAME + 2]; /* the folder's key, then the name at hand */
  level levels[MAX_DEPTH];
  size_t depth;
  int folder; /* of the deepest level, while a batch is made; -1: not open */
} walk;

static bool starts_with(const char *text, size_t size, const char *start, size_t start_size) {
  return size >= start_size && memcmp(text, start, start_size) == 0;
}

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

/* ---- One folder's names ---- */

static void level_release(level *l) {
  tn_free(l->names);
  tn_free(l->entries);
  *l = (level){0};
}

static int compare_entries(const void *a, const void *b, void *names) {
  const struct entry *x = a, *y = b;
  return compare((char *)names + x->at, x->size, (char *)names + y->at, y->size);
}

static bool grow(void **data, size_t *room, size_t need, size_t width) {
  if (need <= *room) return true;
  size_t more = *room * 2 > need ? *room * 2 : need < 64 ? 64 : need;
  void *p = tn_resize(*data, more * width);
  if (!p) return false;
  *data = p;
  *room = more;
  return true;
}

static bool add_name(level *l, const char *name, size_t size) {
  if (!grow((void **)&l->names, &l->names_room, l->names_size + size, 1)) return false;
  if (!grow((void **)&l->entries, &l->room, l->count + 1, sizeof *l->entries)) return false;
  memcpy(l->names + l->names_size, name, size);
  l->entries[l->count++] = (struct entry){l->names_size, (uint16_t)size};
  l->names_size += size;
  return true;
}

static void sort_names(level *l) {
  if (l->count) qsort_r(l->entries, l->count, sizeof *l->entries, compare_entries, l->names);
}

/* Keeps the smaller half; the names of the rest are packed away. */
static bool halve(level *l) {
  level kept = {.path_size = l->path_size};
  sort_names(l);
  for (size_t i = 0; i < l->count / 2; i++)
    if (!add_name(&kept, l->names + l->entries[i].at, l->entries[i].size)) {
      level_release(&kept);
      return false;
    }
  level_release(l);
  *l = kept;
  l->more = true;
  return true;
}

/* What a page takes: names behind `after`, and before `limit` once names were dropped. */
typedef struct page {
  size_t most;
  char after[TN_FILES_MAX_NAME + 2], limit[TN_FILES_MAX_NAME + 2];
  size_t after_size, limit_size;   /* 0: none */
} page;

static bool page_takes(const page *p, const char *name, size_t size) {
  if (p->after_size && compare(name, size, p->after, p->after_size) <= 0) return false;
  return !p->limit_size || compare(name, size, p->limit, p->limit_size) < 0;
}

static bool page_add(level *l, page *p, const char *name, size_t size) {
  if (!page_takes(p, name, size)) {
    l->more |= p->limit_size && compare(name, size, p->limit, p->limit_size) >= 0;
    return true;
  }
  if (!add_name(l, name, size)) return false;
  if (l->count < p->most) return true;
  struct entry *first_dropped;
  sort_names(l);
  first_dropped = &l->entries[l->count / 2];
  p->limit_size = first_dropped->size;
  memcpy(p->limit, l->names + first_dropped->at, first_dropped->size);
  return halve(l);
}

/* ---- What a name is ---- */

enum { NOTHING, OBJECT, FOLDER };

static int kind_of_link(walk *w, const char *name, size_t path_size) {
  tenon_key_bytes bytes = {w->path, path_size + strlen(name)};
  tn_files_key key;
  struct stat st;
  int fd;
  memcpy(w->path + path_size, name, strlen(name));
  if (tn_files_key_init(&bytes, &key, NULL) ||
      tn_files_try_object(w->session, &key, O_PATH, &fd, &st))
    return NOTHING;
  close(fd);
  return OBJECT;
}

static int kind_of(walk *w, int folder, const struct dirent *e, size_t path_size) {
  struct stat st;
  switch (e->d_type) {
    case DT_REG: return OBJECT;
    case DT_DIR: return FOLDER;
    case DT_LNK: return kind_of_link(w, e->d_name, path_size);
    case DT_UNKNOWN:
      if (fstatat(folder, e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) return NOTHING;
      if (S_ISLNK(st.st_mode)) return kind_of_link(w, e->d_name, path_size);
      return S_ISREG(st.st_mode) ? OBJECT : S_ISDIR(st.st_mode) ? FOLDER : NOTHING;
    default: return NOTHING;
  }
}

/* Is there anything of interest at this name, or below it? */
static bool is_wanted(const walk *w, const char *name, size_t size, size_t path_size) {
  size_t more = w->prefix_size > path_size ? w->prefix_size - path_size : 0;
  size_t shared = more < size ? more : size;
  if (shared && memcmp(name, w->prefix + path_size, shared) != 0) return false;
  if (more > size && name[size - 1] != '/') return false;
  if (!starts_with(w->start_after, w->start_size, w->path, path_size))
    return compare(w->path, path_size, w->start_after, w->start_size) > 0;
  const char *start = w->start_after + path_size;
  size_t start_size = w->start_size - path_size;
  if (name[size - 1] == '/' && starts_with(start, start_size, name, size)) return true;
  return compare(name, size, start, start_size) > 0;
}

/* ---- Reading a folder ---- */

static tenon_status take_entry(walk *w, level *l, page *p, int folder, const struct dirent *e,
                               tenon_error *err) {
  char name[TN_FILES_MAX_NAME + 2];
  size_t size = strnlen(e->d_name, TN_FILES_MAX_NAME + 1);
  if (size > TN_FILES_MAX_NAME || tn_files_key_fault(e->d_name, size)) return TENON_OK;
  int kind = kind_of(w, folder, e, l->path_size);
  if (kind == NOTHING || l->path_size + size > TN_FILES_MAX_KEY) return TENON_OK;
  memcpy(name, e->d_name, size);
  if (kind == FOLDER) name[size++] = '/';
  if (!is_wanted(w, name, size, l->path_size)) return TENON_OK;
  return page_add(l, p, name, size) ? TENON_OK : tn_no_memory(err);
}

static tenon_status read_names(walk *w, level *l, page *p, DIR *dir, tenon_error *err) {
  for (size_t n = 1;; n++) {
    errno = 0;
    struct dirent *e = readdir(dir);
    if (!e && errno)
      return tn_fail_errno(err, errno, TENON_STAGE_QUERY, "look at the disk", "%.*s",
                           (int)l->path_size, w->path);
    if (!e) return TENON_OK;
    tenon_status status = n % CHECK_EVERY ? TENON_OK : tn_files_host->check(w->ctx, err);
    if (!status) status = take_entry(w, l, p, dirfd(dir), e, err);
    if (status) return status;
  }
}

/* A folder that went away meanwhile is an empty one. */
static tenon_status open_level(walk *w, const level *l, DIR **ret, tenon_error *err) {
  size_t size = l->path_size ? l->path_size - 1 : 0;
  int fd = tn_files_open_folder(w->session, w->path, size, O_RDONLY);
  *ret = fd >= 0 ? fdopendir(fd) : NULL;
  if (*ret) return TENON_OK;
  int errnum = errno;
  if (fd >= 0) close(fd);
  if (errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP) return TENON_OK;
  w->path[l->path_size] = 0;
  return tn_files_fail_open(errnum, l->path_size ? w->path : w->session->config->root, err);
}

/* The next page, behind the last name of the one before. */
static tenon_status load_page(walk *w, level *l, tenon_error *err) {
  DIR *dir;
  size_t depth = w->depth < 8 ? w->depth : 8;
  page p = {.most = (size_t)PAGE_NAMES >> depth > LEAST_PAGE_NAMES ? (size_t)PAGE_NAMES >> depth
                                                                   : LEAST_PAGE_NAMES};
  if (l->count) {
    const struct entry *last = &l->entries[l->count - 1];
    p.after_size = last->size;
    memcpy(p.after, l->names + last->at, last->size);
  }
  l->count = l->next = l->names_size = 0;
  l->more = false;
  tenon_status status = open_level(w, l, &dir, err);
  if (status || !dir) return status;
  status = read_names(w, l, &p, dir, err);
  closedir(dir);
  sort_names(l);
  return status;
}

static void close_folder(walk *w) {
  if (w->folder >= 0) close(w->folder);
  w->folder = -1;
}

static void pop(walk *w) {
  close_folder(w);
  level_release(&w->levels[--w->depth]);
}

static tenon_status push(walk *w, size_t path_size, tenon_error *err) {
  if (w->depth == MAX_DEPTH)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "list with a prefix that leads deeper",
                      "folders are nested deeper than %d", MAX_DEPTH);
  close_folder(w);
  w->levels[w->depth] = (level){.path_size = path_size};
  w->depth++;
  return load_page(w, &w->levels[w->depth - 1], err);
}

/* ---- The walk ---- */

/* Is everything under this key in the row of kind prefix that was answered last? */
static bool is_rolled(const walk *w, size_t size) {
  return w->rolled_size && starts_with(w->path, size, w->rolled, w->rolled_size);
}

/* The next object's key into path; *ret_size 0: there is none. */
static tenon_status next_object(walk *w, size_t *ret_size, tenon_error *err) {
  *ret_size = 0;
  while (w->depth) {
    level *l = &w->levels[w->depth - 1];
    tenon_status status = TENON_OK;
    bool over = is_rolled(w, l->path_size);
    if (!over && l->next < l->count) {
      struct entry e = l->entries[l->next++];
      size_t size = l->path_size + e.size;
      memcpy(w->path + l->path_size, l->names + e.at, e.size);
      if (is_rolled(w, size)) continue;
      if (w->path[size - 1] == '/') status = push(w, size, err);
      else *ret_size = size;
    } else if (!over && l->more) {
      status = load_page(w, l, err);
    } else {
      pop(w);
    }
    if (status || *ret_size) return status;
  }
  return TENON_OK;
}

/* Gone, or no object any more: it is not listed. */
static bool look_at_object(walk *w, size_t size, struct stat *ret) {
  size_t path_size = w->levels[w->depth - 1].path_size;
  tn_files_key key;
  int fd;
  if (tn_files_key_init(&(tenon_key_bytes){w->path, size}, &key, NULL)) return false;
  if (w->folder < 0)
    w->folder = tn_files_open_folder(w->session, w->path, path_size ? path_size - 1 : 0, O_PATH);
  if (w->folder < 0 || fstatat(w->folder, key.name, ret, AT_SYMLINK_NOFOLLOW) < 0) return false;
  if (!S_ISLNK(ret->st_mode)) return S_ISREG(ret->st_mode);
  if (tn_files_try_object(w->session, &key, O_PATH, &fd, ret)) return false;
  close(fd);
  return true;
}

static tenon_status append_object(walk *w, size_t size, bool *ret_appended, tenon_error *err) {
  struct stat st;
  tenon_object o;
  *ret_appended = look_at_object(w, size, &st);
  if (!*ret_appended) return TENON_OK;
  tn_files_fill_object(&st, &o);
  bool ok = tn_append_bytes(tn_builder_column(w->builder, 0), w->path, (int64_t)size) &&
            tn_append_text(tn_builder_column(w->builder, 1), "object") &&
            tn_append_i64(tn_builder_column(w->builder, 2), o.size) &&
            tn_append_i64(tn_builder_column(w->builder, 3), o.modified_us) &&
            tn_append_text(tn_builder_column(w->builder, 4), o.etag);
  return ok ? TENON_OK : tn_append_failed(err);
}

static tenon_status append_prefix(walk *w, size_t size, bool *ret_appended, tenon_error *err) {
  memcpy(w->rolled, w->path, size);
  w->rolled_size = size;
  /* rows are behind start_after, so that a listing goes on behind its last row */
  *ret_appended = compare(w->path, size, w->start_after, w->start_size) > 0;
  if (!*ret_appended) return TENON_OK;
  bool ok = tn_append_bytes(tn_builder_column(w->builder, 0), w->path, (int64_t)size) &&
            tn_append_text(tn_builder_column(w->builder, 1), "prefix");
  for (int i = 2; ok && i < 5; i++) ok = tn_append_null(tn_builder_column(w->builder, i));
  return ok ? TENON_OK : tn_append_failed(err);
}

/* Where the key ends that is rolled up, with its delimiter; 0: it is not. */
static size_t rolled_end(const walk *w, size_t size) {
  const char *at =
      w->delimiter ? memchr(w->path + w->prefix_size, w->delimiter, size - w->prefix_size) : NULL;
  return at ? (size_t)(at - w->path) + 1 : 0;
}

static tenon_status fill(walk *w, int64_t *ret_rows, tenon_error *err) {
  int64_t rows = 0;
  tenon_status status = TENON_OK;
  while (rows < BATCH_ROWS) {
    size_t size, end;
    bool appended;
    if ((status = next_object(w, &size, err)) || !size) break;
    end = rolled_end(w, size);
    status = end ? append_prefix(w, end, &appended, err) : append_object(w, size, &appended, err);
    if (status) break;
    rows += appended;
  }
  *ret_rows = rows;
  return status;
}

static tenon_status next(void *self, struct ArrowArray *ret, tenon_error *err) {
  walk *w = self;
  int64_t rows = 0;
  tenon_status status = tn_files_host->check(w->ctx, err);
  if (!status) status = fill(w, &rows, err);
  close_folder(w);
  if (status) return status;
  if (rows) return tn_builder_finish(w->builder, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_walk(void *self) {
  walk *w = self;
  while (w->depth) pop(w);
  tn_builder_free(w->builder);
  tn_free(w->prefix);
  tn_free(w->start_after);
  tn_free(w->rolled);
  tn_free(w);
}

/* ---- Opening ---- */

static tenon_status make_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct {
    const char *name, *format;
    bool nullable;
  } columns[] = {{"key", "z", false}, {"kind", "u", false}, {"size", "l", true},
                 {"modified", "tsu:UTC", true}, {"etag", "u", true}};
  enum { COLUMNS = sizeof columns / sizeof *columns };
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  if (status) return status;
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format,
                           columns[i].nullable, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

/* The deepest folder that all keys with the prefix are in; false: there can be none. */
static bool find_folder(const walk *w, size_t *ret_path_size) {
  size_t size = w->prefix_size;
  while (size > 0 && w->prefix[size - 1] != '/') size--;
  *ret_path_size = size;
  return size == 0 || !tn_files_key_fault(w->prefix, size - 1);
}

static tenon_status begin(walk *w, const tenon_objects_list *req, tenon_error *err) {
  size_t path_size;
  w->prefix = tn_strndup(req->prefix.size ? req->prefix.data : "", req->prefix.size);
  w->start_after =
      tn_strndup(req->start_after.size ? req->start_after.data : "", req->start_after.size);
  w->rolled = tn_alloc(sizeof w->path);
  if (!w->prefix || !w->start_after || !w->rolled) return tn_no_memory(err);
  w->prefix_size = req->prefix.size;
  w->start_size = req->start_after.size;
  w->delimiter = req->delimiter;
  if (w->prefix_size > TN_FILES_MAX_KEY || !find_folder(w, &path_size)) return TENON_OK;
  memcpy(w->path, w->prefix, path_size);
  return push(w, path_size, err);
}

tenon_status tn_files_list(tenon_ctx *ctx, void *session, const tenon_objects_list *req,
                           tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema;
  tenon_status status = tn_files_host->check(ctx, err);
  if (status) return status;
  walk *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  w->ctx = ctx;
  w->session = session;
  w->folder = -1;
  status = begin(w, req, err);
  if (!status) status = make_schema(&schema, err);
  if (!status && (status = tn_builder_new(&schema, &w->builder, err))) tn_schema_release(&schema);
  if (status) {
    close_walk(w);
    return status;
  }
  *ret = (tenon_stream){
      .struct_size = sizeof *ret, .self = w, .schema = schema, .next = next, .close = close_walk};
  return TENON_OK;
}
