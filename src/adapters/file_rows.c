/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/file_rows.h"

#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "core/session.h"

enum { MAX_REQUEST = 64 << 20 };

/* ---- An object as a format's input ---- */

typedef struct tn_object_input {
  tenon_ctx *ctx;
  const tn_file_source *source;
  tenon_key_bytes key;
  bool is_known;             /* it was opened before: then nothing in here changes any more */
  char etag[128];            /* of the version that was opened first */
  int64_t modified_us;
  int64_t size;              /* as it was found; -1: unknown */
} tn_object_input;

static tenon_status replaced(const tn_object_input *o, tenon_error *err) {
  tenon_status status = tenon_fail(err, TENON_CONFLICT, TENON_STAGE_DATA, "read it again when nobody writes to it",
                                   "%.*s was replaced while it was read", (int)o->key.size, o->key.data);
  if (err && err->code == TENON_CONFLICT) err->retryable = 1;
  return status;
}

/* A range behind the end, which was none for the size that was seen: is the object shorter by now? */
static bool is_shorter(const tn_object_input *o) {
  tenon_object now = {.struct_size = sizeof now, .size = -1};
  return o->source->objects->stat(o->ctx, o->source->session, &o->key, &now, NULL) == TENON_OK && now.size >= 0 && now.size < o->size;
}

static bool is_another(const tn_object_input *o, const tenon_object *now) {
  if (o->size >= 0 && now->size >= 0 && now->size != o->size) return true;
  return o->is_known && o->modified_us != INT64_MIN && now->modified_us != INT64_MIN && o->modified_us != now->modified_us;
}

static void remember(tn_object_input *o, const tenon_object *now) {
  memcpy(o->etag, now->etag, sizeof o->etag);
  o->modified_us = now->modified_us;
  o->is_known = true;
}

/* Parts are of the object whose size was seen. */
static tenon_status open_object(void *self, int64_t offset, int64_t length, tenon_bytes *ret, tenon_error *err) {
  tn_object_input *o = self;
  tenon_error why = TENON_ERROR_INIT;
  tenon_get request = {.struct_size = sizeof request, .key = o->key, .offset = offset, .length = length,
                       .if_match = o->etag[0] ? o->etag : NULL};
  tenon_got got = {.struct_size = sizeof got};
  tenon_status status = o->source->objects->get(o->ctx, o->source->session, &request, &got, &why);
  if (status == TENON_DATA && offset > 0 && offset < o->size && is_shorter(o)) return replaced(o, err);
  if (status) {
    if (err && !err->code) *err = why;
    return status;
  }
  if (length >= 0 && is_another(o, &got.object)) {
    got.body.close(got.body.self);
    return replaced(o, err);
  }
  if (got.is_whole && (offset > 0 || length != o->size)) {
    got.body.close(got.body.self);
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "read the whole object", "%.*s cannot be had in parts", (int)o->key.size,
                      o->key.data);
  }
  if (!o->is_known) remember(o, &got.object);
  *ret = got.body;
  return TENON_OK;
}

static void make_input(tenon_ctx *ctx, const tn_file_source *source, const tn_file *file, tn_object_input *object, tn_input *ret) {
  *object = (tn_object_input){.ctx = ctx, .source = source, .key = file->key, .size = file->size};
  *ret = (tn_input){.name = file->name, .size = file->size, .is_far = source->is_far, .is_shared = source->is_shared, .self = object, .open = open_object};
}

/* ---- Looking at all of them ---- */

static tenon_status check_one(tenon_ctx *ctx, const tn_file_source *source, const tn_format_options *options, const tn_file *file,
                              const struct ArrowSchema *expected, tenon_error *err) {
  tn_object_input object;
  tn_input in;
  make_input(ctx, source, file, &object, &in);
  tenon_read nothing = TENON_READ_INIT;
  nothing.limit = 0;
  tenon_rows rows = {.struct_size = sizeof rows};
  tenon_status status = file->format->read(ctx, &in, options, expected, &nothing, &rows, err);
  if (status) return status;
  rows.stream.close(rows.stream.self);
  tn_schema_release(&rows.stream.schema);
  return TENON_OK;
}

/* ---- Types that were found by looking: of all files together ---- */

static bool is_guess(const struct ArrowSchema *s, bool *ret_none) {
  char what[8];
  if (!tn_schema_annotation(s, TN_GUESS, what, sizeof what)) return false;
  *ret_none = strcmp(what, "none") == 0;
  return true;
}

/* The type that holds what two files were found to have; NULL: there is none. */
static const char *wider(const char *a, const char *b) {
  bool floats = (strcmp(a, "l") == 0 && strcmp(b, "g") == 0) || (strcmp(a, "g") == 0 && strcmp(b, "l") == 0);
  if (strcmp(a, b) == 0) return a;
  return floats ? "g" : NULL;
}

static tenon_status set_guess(struct ArrowSchema *s, const char *format, const char *what, tenon_error *err) {
  struct ArrowSchema made = {0};
  tenon_status status = tn_schema_struct(&made, 1, err);
  if (!status) status = tn_schema_set(made.children[0], s->name, format, true, 0, err);
  if (!status && what) status = tn_schema_annotate(made.children[0], TN_GUESS, what, err);
  if (!status) {
    struct ArrowSchema old = *s;
    *s = *made.children[0];
    *made.children[0] = old;
  }
  tn_schema_release(&made);
  return status;
}

static tenon_status types_differ(const char *file, const char *column, tenon_error *err) {
  char remedy[160];
  snprintf(remedy, sizeof remedy, "give the column a type that holds both: types=%.80s=text", column);
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
                    "%s: column %s has values of another type than in the files before it", file, column);
}

/* Files whose columns differ otherwise are refused when each is looked at with what came out of this. */
static tenon_status merge_guesses(struct ArrowSchema *all, const struct ArrowSchema *one, const char *file, tenon_error *err) {
  for (int64_t i = 0; i < all->n_children && i < one->n_children; i++) {
    struct ArrowSchema *a = all->children[i];
    const struct ArrowSchema *b = one->children[i];
    bool a_none, b_none;
    if (strcmp(a->name, b->name) != 0 || !is_guess(a, &a_none) || !is_guess(b, &b_none) || b_none) continue;
    const char *format = a_none ? b->format : wider(a->format, b->format);
    if (!format) return types_differ(file, a->name, err);
    tenon_status status = a_none || strcmp(format, a->format) != 0 ? set_guess(a, format, "value", err) : TENON_OK;
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status look_at(tenon_ctx *ctx, const tn_file_source *source, const tn_format_options *options, const tn_file *file,
                            struct ArrowSchema *ret, int64_t *ret_rows, tenon_error *err) {
  tn_object_input object;
  tn_input in;
  make_input(ctx, source, file, &object, &in);
  return file->format->schema(ctx, &in, options, ret, ret_rows, err);
}

static bool has_guesses(const struct ArrowSchema *s) {
  bool none;
  for (int64_t i = 0; i < s->n_children; i++)
    if (is_guess(s->children[i], &none)) return true;
  return false;
}

static tenon_status merge_all(tenon_ctx *ctx, const tn_file_source *source, const tn_format_options *options, const tn_file_set *set,
                              struct ArrowSchema *schema, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (size_t i = 1; !status && i < set->count; i++) {
    struct ArrowSchema one = {0};
    int64_t rows;
    if (!(status = tn_ctx_check(ctx, err))) status = look_at(ctx, source, options, &set->files[i], &one, &rows, err);
    if (!status) status = merge_guesses(schema, &one, set->files[i].name, err);
    tn_schema_release(&one);
  }
  for (int64_t i = 0; !status && i < schema->n_children; i++) {
    bool none;
    if (is_guess(schema->children[i], &none)) status = set_guess(schema->children[i], schema->children[i]->format, NULL, err);
  }
  return status;
}

tenon_status tn_file_schema(tenon_ctx *ctx, const tn_file_source *source, const tn_format_options *options, const tn_file_set *set,
                            struct ArrowSchema *ret, int64_t *ret_first_rows, tenon_error *err) {
  struct ArrowSchema schema = {0};
  int64_t rows = -1;
  tn_format_options telling = *options;
  telling.tell_guesses = set->count > 1;
  tenon_status status = look_at(ctx, source, &telling, &set->files[0], &schema, &rows, err);
  if (!status && has_guesses(&schema)) status = merge_all(ctx, source, &telling, set, &schema, err);
  for (size_t i = 1; !status && i < set->count; i++) {
    if (!(status = tn_ctx_check(ctx, err))) status = check_one(ctx, source, options, &set->files[i], &schema, err);
  }
  if (status) {
    tn_schema_release(&schema);
    return status;
  }
  *ret = schema;
  *ret_first_rows = rows;
  return TENON_OK;
}

/* ---- A request that outlives its call ---- */

static bool copy_value(tn_arena *arena, tenon_value *v) {
  if (v->data && !(v->data = tn_arena_strndup(arena, v->data, v->size))) return false;
  return true;
}

static bool copy_filter(tn_arena *arena, tenon_filter *f) {
  tenon_value *values = tn_arena_alloc(arena, (f->value_count ? f->value_count : 1) * sizeof *values);
  if (!values || !(f->column = tn_arena_strdup(arena, f->column))) return false;
  for (size_t i = 0; i < f->value_count; i++) {
    values[i] = f->values[i];
    if (!copy_value(arena, &values[i])) return false;
  }
  f->values = values;
  return true;
}

/* Columns, filters, limit and sizes: what files are asked for. The first rows of an order are not
 * the first ones of a file, so there is no limit then. */
static bool copy_request(tn_arena *arena, const tenon_read *read, tenon_read *ret) {
  *ret = *read;
  ret->name = (tenon_name){0};
  if (read->order_count) ret->limit = -1;
  ret->order = NULL;
  ret->after = NULL;
  ret->order_count = 0;
  const char **columns = tn_arena_alloc(arena, (read->column_count ? read->column_count : 1) * sizeof *columns);
  tenon_filter *filters = tn_arena_alloc(arena, (read->filter_count ? read->filter_count : 1) * sizeof *filters);
  if (!columns || !filters) return false;
  for (size_t i = 0; read->columns && i < read->column_count; i++)
    if (!(columns[i] = tn_arena_strdup(arena, read->columns[i]))) return false;
  for (size_t i = 0; i < read->filter_count; i++) {
    filters[i] = read->filters[i];
    if (!copy_filter(arena, &filters[i])) return false;
  }
  ret->columns = read->columns ? columns : NULL;
  ret->filters = filters;
  return true;
}

/* ---- The stream ---- */

typedef struct tn_file_stream {
  tenon_ctx *ctx;
  const tn_file_source *source;      /* the session's */
  const tn_format_options *options;  /* the session's, too */
  tn_file_set set;
  tn_arena arena;
  tenon_read read;                   /* limit: rows that are still wanted */
  struct ArrowSchema expected;       /* of every file; not set where there is only one */
  size_t next_file;
  tn_object_input object;            /* of the file that is open */
  tn_input in;
  tenon_rows rows;                   /* of it; closed where stream.close is NULL */
} tn_file_stream;

static void close_rows(tn_file_stream *s) {
  if (!s->rows.stream.close) return;
  s->rows.stream.close(s->rows.stream.self);
  tn_schema_release(&s->rows.stream.schema);
  s->rows = (tenon_rows){0};
}

static void stream_close(void *self) {
  tn_file_stream *s = self;
  close_rows(s);
  tn_schema_release(&s->expected);
  tn_file_set_release(&s->set);
  tn_arena_release(&s->arena);
  tn_free(s);
}

static tenon_status open_next(tn_file_stream *s, tenon_error *err) {
  const tn_file *file = &s->set.files[s->next_file++];
  make_input(s->ctx, s->source, file, &s->object, &s->in);
  tenon_rows rows = {.struct_size = sizeof rows};
  const struct ArrowSchema *expected = s->expected.release ? &s->expected : NULL;
  tenon_status status = file->format->read(s->ctx, &s->in, s->options, expected, &s->read, &rows, err);
  /* what one of several files applied is not to be asked of each: all of it is done here */
  if (!status && s->set.count > 1) status = tn_rows_complete(&s->read, &rows, err);
  if (!status) s->rows = rows;
  return status;
}

static tenon_status stream_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_file_stream *s = self;
  for (;;) {
    if (!s->rows.stream.close) {
      if (s->next_file == s->set.count || (s->set.count > 1 && s->read.limit == 0)) {
        ret->release = NULL;
        return TENON_OK;
      }
      tenon_status status = open_next(s, err);
      if (status) return status;
    }
    tenon_status status = s->rows.stream.next(s->rows.stream.self, ret, err);
    if (status) return status;
    if (ret->release) {
      if (s->set.count > 1 && s->read.limit > 0) s->read.limit -= ret->length < s->read.limit ? ret->length : s->read.limit;
      return TENON_OK;
    }
    close_rows(s);
  }
}

/* The first file is opened right away: it says what the columns are, and what is wrong is said now. */
static tenon_status begin(tn_file_stream *s, const tenon_read *read, tenon_error *err) {
  if (!copy_request(&s->arena, read, &s->read)) return tn_no_memory(err);
  tenon_status status = TENON_OK;
  int64_t rows;
  if (s->set.count > 1) status = tn_file_schema(s->ctx, s->source, s->options, &s->set, &s->expected, &rows, err);
  return status ? status : open_next(s, err);
}

tenon_status tn_file_rows(tenon_ctx *ctx, const tn_file_source *source, const tn_format_options *options, tn_file_set *set,
                          const tenon_read *read, tenon_rows *ret, tenon_error *err) {
  tn_file_stream *s = tn_alloc(sizeof *s);
  if (!s) {
    tn_file_set_release(set);
    return tn_no_memory(err);
  }
  *s = (tn_file_stream){.ctx = ctx, .source = source, .options = options, .set = *set};
  *set = (tn_file_set){0};
  tn_arena_init(&s->arena, MAX_REQUEST);
  struct ArrowSchema schema = {0};
  tenon_status status = begin(s, read, err);
  if (!status) status = tn_schema_copy(&s->rows.stream.schema, &schema, err);
  if (status) {
    stream_close(s);
    return status;
  }
  bool many = s->set.count > 1;
  uint64_t all_filters = read->filter_count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << read->filter_count) - 1;
  *ret = (tenon_rows){
      .struct_size = sizeof *ret,
      .stream = {.struct_size = sizeof ret->stream, .self = s, .schema = schema, .next = stream_next, .close = stream_close},
      .applied = (many ? TENON_APPLIED_COLUMNS | TENON_APPLIED_LIMIT : s->rows.applied) & ~(read->order_count ? TENON_APPLIED_LIMIT : 0u),
      .filters_applied = many ? all_filters : s->rows.filters_applied,
  };
  return TENON_OK;
}
