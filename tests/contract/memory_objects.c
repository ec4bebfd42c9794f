/* SPDX-License-Identifier: Apache-2.0 */
/* The facet `objects` of the memory kind. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "contract/memory_store.h"

memory_store *memory_session_store(void *session);
tenon_status memory_objects_init(const tenon_host *);
extern const tenon_objects_ops memory_objects;

static const tenon_host *host;

tenon_status memory_objects_init(const tenon_host *h) {
  host = h;
  return TENON_OK;
}

static tenon_status no_object(tenon_key_bytes key, tenon_error *err) {
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls` lists the objects",
                    "there is no object %.*s",
                    key.size > 100 ? 100 : (int)key.size, key.data);
}

static tenon_object object_of(const memory_object *o) {
  tenon_object r = {.struct_size = sizeof r, .size = (int64_t)o->size,
                    .modified_us = o->modified_us};
  snprintf(r.etag, sizeof r.etag, "%s", o->etag);
  snprintf(r.content_type, sizeof r.content_type, "%s", o->content_type);
  return r;
}

static tenon_status find(void *session, tenon_key_bytes key, memory_object **ret,
                         tenon_error *err) {
  memory_store *s = memory_session_store(session);
  memory_lock(s);
  *ret = memory_object_find(s, key);
  memory_unlock(s);
  return *ret ? TENON_OK : no_object(key, err);
}

/* ---- list ---- */

typedef struct listing {
  tenon_ctx *ctx;
  memory_store *store;
  tn_builder *builder;
  char *prefix, *last;     /* last: the key to go on behind */
  size_t prefix_size, last_size;
  char delimiter;
  bool is_first;
} listing;

static void list_close(void *self) {
  listing *l = self;
  tn_builder_free(l->builder);
  free(l->prefix);
  free(l->last);
  free(l);
}

static bool append_listed(tn_builder *b, tenon_key_bytes key, const memory_object *o) {
  tn_column *c[5];
  for (int i = 0; i < 5; i++) c[i] = tn_builder_column(b, i);
  if (!tn_append_bytes(c[0], key.data, (int64_t)key.size) ||
      !tn_append_text(c[1], o ? "object" : "prefix")) return false;
  if (!o) return tn_append_null(c[2]) && tn_append_null(c[3]) && tn_append_null(c[4]);
  return tn_append_i64(c[2], (int64_t)o->size) && tn_append_i64(c[3], o->modified_us) &&
      tn_append_text(c[4], o->etag);
}

static void go_behind(listing *l, tenon_key_bytes key, bool all_below) {
  free(l->last);
  l->last = malloc(key.size + 1);
  memcpy(l->last, key.data, key.size);
  l->last_size = key.size;
  /* behind everything that begins so: the prefix with its last byte raised */
  if (all_below) l->last[key.size - 1]++;
  l->is_first = all_below;
}

/* One row, if there is one more; *ret_more says so. */
static tenon_status list_one(listing *l, bool *ret_more, tenon_error *err) {
  tenon_key_bytes from = {l->last ? l->last : l->prefix, l->last ? l->last_size : l->prefix_size};
  memory_lock(l->store);
  memory_object *o = memory_object_behind(l->store, from, l->is_first || !l->last);
  memory_unlock(l->store);
  bool below = o && o->key_size >= l->prefix_size && memcmp(o->key, l->prefix, l->prefix_size) == 0;
  *ret_more = below;
  if (!below) {
    memory_object_unref(o);
    return TENON_OK;
  }
  tenon_key_bytes key = {o->key, o->key_size};
  const char *end = l->delimiter ? memchr(key.data + l->prefix_size, l->delimiter,
                                          key.size - l->prefix_size) : NULL;
  if (end) key.size = (size_t)(end - key.data) + 1;
  bool ok = append_listed(l->builder, key, end ? NULL : o);
  go_behind(l, key, end != NULL);
  memory_object_unref(o);
  return ok ? TENON_OK : tn_append_failed(err);
}

static tenon_status list_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  int64_t n = 0;
  bool more = true;
  tenon_status status = host->check(l->ctx, err);
  while (!status && more && n < 3) {
    status = list_one(l, &more, err);
    n += more;
  }
  if (status) return status;
  ret->release = NULL;
  return n ? tn_builder_finish(l->builder, n, ret, err) : TENON_OK;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_objects_list *request,
                         tenon_stream *ret, tenon_error *err) {
  static const struct { const char *name, *format; } columns[] =
      {{"key", "z"}, {"kind", "u"}, {"size", "l"}, {"modified", "tsu:UTC"}, {"etag", "u"}};
  listing *l = calloc(1, sizeof *l);
  *l = (listing){.ctx = ctx, .store = memory_session_store(session), .delimiter = request->delimiter};
  l->prefix = calloc(1, request->prefix.size + 1);
  l->prefix_size = request->prefix.size;
  if (l->prefix_size) memcpy(l->prefix, request->prefix.data, l->prefix_size);
  if (request->start_after.size) {
    tenon_key_bytes after = request->start_after;
    size_t n = after.size < l->prefix_size ? after.size : l->prefix_size;
    int order = memcmp(after.data, l->prefix, n);
    /* a key before the prefix is no limit */
    if (order > 0 || (order == 0 && after.size >= l->prefix_size)) go_behind(l, after, false);
  }
  tenon_stream out = {.struct_size = sizeof out, .self = l, .next = list_next, .close = list_close};
  tenon_status status = tn_schema_struct(&out.schema, 5, err);
  for (int i = 0; i < 5 && !status; i++)
    status = tn_schema_set(out.schema.children[i], columns[i].name, columns[i].format, i > 1, 0,
                           err);
  if (!status) status = tn_builder_new(&out.schema, &l->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    list_close(l);
    return status;
  }
  *ret = out;
  return TENON_OK;
}

/* ---- stat, get ---- */

static tenon_status stat_object(tenon_ctx *ctx, void *session, const tenon_key_bytes *key,
                                tenon_object *ret, tenon_error *err) {
  memory_object *o = NULL;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find(session, *key, &o, err);
  if (status) return status;
  *ret = object_of(o);
  memory_object_unref(o);
  return TENON_OK;
}

typedef struct body {
  tenon_ctx *ctx;
  memory_object *object;
  size_t at, end;
} body;

static tenon_status body_read(void *self, void *data, size_t size, size_t *ret_size,
                              tenon_error *err) {
  body *b = self;
  tenon_status status = host->check(b->ctx, err);
  if (status) return status;
  size_t n = b->end - b->at < size ? b->end - b->at : size;
  if (n) memcpy(data, b->object->data + b->at, n);
  b->at += n;
  *ret_size = n;
  return TENON_OK;
}

static void body_close(void *self) {
  memory_object_unref(((body *)self)->object);
  free(self);
}

static tenon_status changed(tenon_error *err) {
  return tenon_fail(err, TENON_CONFLICT, TENON_STAGE_QUERY, "read it again",
                    "the object is another by now");
}

static tenon_status get(tenon_ctx *ctx, void *session, const tenon_get *request, tenon_got *ret,
                        tenon_error *err) {
  memory_object *o = NULL;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find(session, request->key, &o, err);
  if (status) return status;
  if (request->if_match && strcmp(request->if_match, o->etag) != 0) status = changed(err);
  else if (request->offset < 0 || request->offset > (int64_t)o->size)
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, NULL,
                        "the range starts behind the end, at %lld of %zu bytes", (long long)request->offset, o->size);
  if (status) {
    memory_object_unref(o);
    return status;
  }
  body *b = calloc(1, sizeof *b);
  *b = (body){.ctx = ctx, .object = o, .at = (size_t)request->offset, .end = o->size};
  if (request->length >= 0 && (size_t)request->length < b->end - b->at)
    b->end = b->at + (size_t)request->length;
  *ret = (tenon_got){.struct_size = sizeof *ret, .object = object_of(o),
                     .body = {.struct_size = sizeof ret->body, .fd = -1,
                              .length = (int64_t)(b->end - b->at), .self = b, .read =
                                  body_read, .close = body_close}};
  return TENON_OK;
}

/* ---- put, copy, remove, presign ---- */

static tenon_status read_body(tenon_bytes *in, char **ret, size_t *ret_size, tenon_error *err) {
  char *data = NULL;
  size_t size = 0, n = 1;
  tenon_status status = TENON_OK;
  while (!status && n) {
    data = realloc(data, size + 1000);
    status = in->read(in->self, data + size, 1000, &n, err);
    if (!status) size += n;
  }
  in->close(in->self);
  if (status) free(data);
  if (status) return status;
  *ret = data;
  *ret_size = size;
  return TENON_OK;
}

static tenon_status place(memory_store *s, memory_object *o, bool if_absent, const char *if_match,
                          tenon_object *ret, tenon_error *err) {
  tenon_status status = TENON_OK;
  memory_lock(s);
  memory_object *old = memory_object_find(s, (tenon_key_bytes){o->key, o->key_size});
  if (if_absent && old)
    status = tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "choose another key",
                        "the object is there already");
  else if (if_match && (!old || strcmp(old->etag, if_match) != 0)) status = changed(err);
  tenon_object reply = object_of(o);
  if (!status) memory_object_put(s, o);
  memory_unlock(s);
  memory_object_unref(old);
  if (status) memory_object_unref(o);
  else *ret = reply;
  return status;
}

static tenon_status put(tenon_ctx *ctx, void *session, const tenon_put *request, tenon_object *ret,
                        tenon_error *err) {
  char *data = NULL;
  size_t size = 0;
  tenon_status status = read_body(request->body, &data, &size, err);
  if (!status) status = host->check(ctx, err);
  if (!status)
    status = place(memory_session_store(session), memory_object_new(request->key, data, size,
            request->content_type), request->if_absent,
                   request->if_match, ret, err);
  free(data);
  return status;
}

static tenon_status copy(tenon_ctx *ctx, void *session, const tenon_objects_copy *request,
                         tenon_object *ret, tenon_error *err) {
  memory_object *o = NULL;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find(session, request->from, &o, err);
  if (status) return status;
  status = place(memory_session_store(session), memory_object_new(request->to, o->data, o->size,
          o->content_type), request->if_absent, NULL, ret, err);
  memory_object_unref(o);
  return status;
}

static tenon_status remove_objects(tenon_ctx *ctx, void *session, const tenon_delete *request,
                                   tenon_deleted *ret, tenon_error *err) {
  memory_store *s = memory_session_store(session);
  size_t n = 0;
  tenon_status status = host->check(ctx, err);
  if (status) return status;
  memory_lock(s);
  for (size_t i = 0; i < request->key_count; i++) n += memory_object_drop(s, request->keys[i]);
  memory_unlock(s);
  *ret = (tenon_deleted){.struct_size = sizeof *ret, .count = n};
  return TENON_OK;
}

static tenon_status presign(tenon_ctx *ctx, void *session, const tenon_presign *request,
                            tenon_presigned *ret, tenon_error *err) {
  (void)session;
  tenon_status status = host->check(ctx, err);
  if (status) return status;
  ret->struct_size = sizeof *ret;
  snprintf(ret->url, sizeof ret->url, "memory:%s:%.*s", request->for_put ? "put" : "get",
           (int)request->key.size, request->key.data);
  return TENON_OK;
}

const tenon_objects_ops memory_objects = {.struct_size = sizeof memory_objects, .list = list,
                                          .stat = stat_object, .get = get, .put = put,
                                          .copy = copy, .remove = remove_objects, .presign =
                                              presign};
