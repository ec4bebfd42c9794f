/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys in bytewise order, folder by folder: a folder's name has its slash when it is sorted, so going into each where it
 * stands gives the order of whole keys. What is above, beside or elsewhere is never gone to; a loop of links ends
 * at a depth that no sound tree has.
 */
#include <stdio.h>
#include <string.h>

#include "providers/storage/http/folder.h"
#include "providers/storage/http/http.h"
#include "providers/storage/storage.h"

enum { MAX_DEPTH = 32, MAX_FOLDERS = 100000, BATCH_ROWS = 4096 };

typedef struct level {
  tn_web_page page;
  size_t next;               /* the entry to come */
  size_t folder;             /* bytes of its folder's key */
} level;

typedef struct listing {
  tenon_ctx *ctx;
  tn_web *s;
  tn_str prefix, after, key, rolled;   /* key: the folder of the deepest level, or the entry at hand */
  char delimiter;
  level levels[MAX_DEPTH];
  int depth;                 /* levels in use */
  int64_t folders, rows;
  bool has_begun;
  tn_builder *builder;
} listing;

/* ---- Which keys ---- */

static int compare(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

static bool starts_with(const tn_str *text, const tn_str *with) {
  return text->size >= with->size && memcmp(tn_str_text(text), tn_str_text(with), with->size) == 0;
}

static bool is_behind(const listing *l, const tn_str *key) {
  return !l->after.size || compare(tn_str_text(key), key->size, tn_str_text(&l->after), l->after.size) > 0;
}

/* Could anything in this folder be asked for? */
static bool may_hold(const listing *l, const tn_str *folder) {
  bool below = starts_with(folder, &l->prefix) || starts_with(&l->prefix, folder);
  return below && (is_behind(l, folder) || starts_with(&l->after, folder));
}

/* ---- Rows ---- */

static bool append(listing *l, const char *key, size_t size, const tn_web_entry *e) {
  tn_column *name = tn_builder_column(l->builder, 0), *kind = tn_builder_column(l->builder, 1);
  tn_column *bytes = tn_builder_column(l->builder, 2), *time = tn_builder_column(l->builder, 3);
  tn_column *tag = tn_builder_column(l->builder, 4);
  l->rows++;
  return tn_append_bytes(name, key, (int64_t)size) && tn_append_text(kind, e ? "object" : "prefix") &&
         (e && e->bytes >= 0 ? tn_append_i64(bytes, e->bytes) : tn_append_null(bytes)) &&
         (e && e->modified_us != INT64_MIN ? tn_append_i64(time, e->modified_us) : tn_append_null(time)) && tn_append_null(tag);
}

/* What goes on behind a delimiter is one row for all that does; in order, so the last one is enough to remember. */
static bool append_rolled(listing *l, size_t size) {
  if (l->rolled.size == size && memcmp(l->rolled.data, l->key.data, size) == 0) return true;
  tn_str_clear(&l->rolled);
  return tn_str_add(&l->rolled, l->key.data, size) && append(l, l->key.data, size, NULL);
}

static bool take_object(listing *l, const tn_web_entry *e) {
  if (!starts_with(&l->key, &l->prefix) || !is_behind(l, &l->key)) return true;
  size_t from = l->prefix.size;
  const char *cut = l->delimiter ? memchr(l->key.data + from, l->delimiter, l->key.size - from) : NULL;
  return cut ? append_rolled(l, (size_t)(cut - l->key.data) + 1) : append(l, l->key.data, l->key.size, e);
}

/* ---- The walk ---- */

static tenon_status too_deep(const listing *l, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "list a folder below, by its prefix; a link that leads back makes a loop",
                    "%.200s: folders are nested more than %d deep", tn_str_text(&l->key), MAX_DEPTH);
}

/* The folder at hand becomes a level. One that is not there has nothing in it, but for the first of all. */
static tenon_status enter(listing *l, tenon_error *err) {
  const tenon_key_bytes folder = {tn_str_text(&l->key), l->key.size};
  tenon_error why = TENON_ERROR_INIT;
  if (l->depth == MAX_DEPTH) return too_deep(l, err);
  if (l->folders++ == MAX_FOLDERS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "list a part of it, by a prefix", "there are more than %d folders", MAX_FOLDERS);
  level *new = &l->levels[l->depth];
  tenon_status status = tn_web_folder(l->ctx, l->s, &folder, &new->page, &why);
  if (status == TENON_NOT_FOUND && l->key.size) return TENON_OK;
  if (status) {
    if (err && !err->code) *err = why;
    return status;
  }
  new->next = 0;
  new->folder = l->key.size;
  l->depth++;
  return TENON_OK;
}

static void leave(listing *l) {
  tn_web_page_release(&l->levels[--l->depth].page);
}

/* A folder is one row where slashes delimit, without a look into it. */
static tenon_status take_folder(listing *l, tenon_error *err) {
  if (!may_hold(l, &l->key)) return TENON_OK;
  bool whole = l->delimiter == '/' && starts_with(&l->key, &l->prefix) && l->key.size > l->prefix.size;
  if (!whole) return enter(l, err);
  return append_rolled(l, l->key.size) ? TENON_OK : tn_append_failed(err);
}

static tenon_status step(listing *l, tenon_error *err) {
  level *top = &l->levels[l->depth - 1];
  if (top->next == top->page.count) {
    leave(l);
    return TENON_OK;
  }
  const tn_web_entry *e = &top->page.items[top->next];
  l->key.size = top->folder;
  if (!tn_str_add(&l->key, tn_web_name_at(&top->page, top->next), e->size))
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "list a folder below, by its prefix", "a key is longer than %d bytes", TN_WEB_MAX_KEY);
  top->next++;
  if (e->is_folder) return take_folder(l, err);
  return take_object(l, e) ? TENON_OK : tn_append_failed(err);
}

static tenon_status begin_walk(listing *l, tenon_error *err) {
  const char *slash = l->prefix.size ? memrchr(l->prefix.data, '/', l->prefix.size) : NULL;
  l->has_begun = true;
  if (slash && !tn_str_add(&l->key, l->prefix.data, (size_t)(slash - l->prefix.data) + 1)) return tn_no_memory(err);
  return enter(l, err);
}

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  l->rows = 0;
  tenon_status status = l->has_begun ? TENON_OK : begin_walk(l, err);
  while (!status && l->depth > 0 && l->rows < BATCH_ROWS) {
    status = step(l, err);
    if (!status && l->rows == 0) status = tn_web_host->check(l->ctx, err);
  }
  if (status) return status;
  ret->release = NULL;
  return l->rows ? tn_builder_finish(l->builder, l->rows, ret, err) : TENON_OK;
}

static void listing_close(void *self) {
  listing *l = self;
  while (l->depth) leave(l);
  tn_str_release(&l->prefix);
  tn_str_release(&l->after);
  tn_str_release(&l->key);
  tn_str_release(&l->rolled);
  tn_builder_free(l->builder);
  tn_free(l);
}

/* ---- Beginning ---- */

static tenon_status begin(listing *l, const tenon_objects_list *request, struct ArrowSchema *ret, tenon_error *err) {
  const char *slash = request->prefix.size ? memrchr(request->prefix.data, '/', request->prefix.size) : NULL;
  const tenon_key_bytes folder = {request->prefix.data, slash ? (size_t)(slash - request->prefix.data) + 1 : 0};
  tenon_status status = tn_web_check_key(&folder, true, err);
  if (status) return status;
  if (!tn_str_add(&l->prefix, request->prefix.data, request->prefix.size) ||
      !tn_str_add(&l->after, request->start_after.data, request->start_after.size))
    return tn_no_memory(err);
  status = tn_storage_list_schema(ret, err);
  return status ? status : tn_builder_new(ret, &l->builder, err);
}

tenon_status tn_web_list(tenon_ctx *ctx, void *session, const tenon_objects_list *request, tenon_stream *ret, tenon_error *err) {
  struct ArrowSchema schema = {0};
  listing *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->ctx = ctx;
  l->s = session;
  l->delimiter = request->delimiter;
  tn_str_init(&l->prefix, TN_WEB_MAX_KEY);
  tn_str_init(&l->after, 64 << 10);
  tn_str_init(&l->key, TN_WEB_MAX_KEY);
  tn_str_init(&l->rolled, TN_WEB_MAX_KEY);
  tenon_status status = begin(l, request, &schema, err);
  if (status) {
    tn_schema_release(&schema);
    listing_close(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = l, .schema = schema, .next = listing_next, .close = listing_close};
  return TENON_OK;
}
