/* SPDX-License-Identifier: Apache-2.0 */
/* Lists of models as rows; vectors of embeddings as a matrix. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/civil.h"
#include "llm.h"

enum { MAX_MODELS = 100000, MAX_TEXT = 32 << 20 };

/* ---- A list ---- */

void tn_llm_listing_init(tn_llm_listing *l, const char *only) {
  *l = (tn_llm_listing){.only = only};
  tn_arena_init(&l->arena, MAX_TEXT);
}

void tn_llm_listing_release(tn_llm_listing *l) {
  tn_free(l->items);
  tn_arena_release(&l->arena);
  l->items = NULL;
  l->count = l->room = 0;
}

static bool copy_text(tn_llm_listing *l, const char *from, const char **to) {
  *to = from ? tn_arena_strdup(&l->arena, from) : NULL;
  return !from || *to;
}

tenon_status tn_llm_list_add(tn_llm_listing *l, const tn_llm_listed *m, tenon_error *err) {
  if (!m->id || (l->only && strcmp(l->only, m->id) != 0)) return TENON_OK;
  if (l->count == MAX_MODELS)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service",
                      "more than %d models", MAX_MODELS);
  if (l->count == l->room) {
    size_t room = l->room ? 2 * l->room : 64;
    tn_llm_listed *more = tn_resize(l->items, room * sizeof *more);
    if (!more) return tn_no_memory(err);
    l->items = more;
    l->room = room;
  }
  tn_llm_listed own = *m;
  if (!copy_text(l, m->id, &own.id) || !copy_text(l, m->name, &own.name) ||
      !copy_text(l, m->owner, &own.owner))
    return tn_no_memory(err);
  l->items[l->count++] = own;
  return TENON_OK;
}

static int by_id(const void *a, const void *b) {
  return strcmp(((const tn_llm_listed *)a)->id, ((const tn_llm_listed *)b)->id);
}

static tenon_status list_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format; } columns[] = {
      {"id", "u"}, {"name", "u"}, {"owner", "u"}, {"created", "tsu:UTC"}, {"bytes", "l"}};
  tenon_status status = tn_schema_struct(ret, 5, err);
  if (status) return status;
  for (int i = 0; i < 5 && !status; i++)
    status = tn_schema_set(ret->children[i], columns[i].name, columns[i].format, i > 0, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

static bool append_number(tn_column *c, int64_t n) {
  return n == INT64_MIN ? tn_append_null(c) : tn_append_i64(c, n);
}

static bool append_listed(tn_builder *b, const tn_llm_listed *m) {
  return tn_append_text(tn_builder_column(b, 0), m->id) &&
         tn_append_text(tn_builder_column(b, 1), m->name) &&
         tn_append_text(tn_builder_column(b, 2), m->owner) &&
         append_number(tn_builder_column(b, 3), m->created_us) &&
         append_number(tn_builder_column(b, 4), m->bytes);
}

typedef struct one_batch {
  struct ArrowArray batch;
} one_batch;

static tenon_status give_batch(void *self, struct ArrowArray *ret, tenon_error *err) {
  one_batch *o = self;
  (void)err;
  *ret = o->batch;
  o->batch = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_batch(void *self) {
  one_batch *o = self;
  tn_array_release(&o->batch);
  tn_free(o);
}

static tenon_status build_list(const tn_llm_listing *l, const struct ArrowSchema *schema,
                               struct ArrowArray *ret, tenon_error *err) {
  tn_builder *b;
  tenon_status status = tn_builder_new(schema, &b, err);
  if (status) return status;
  for (size_t i = 0; i < l->count && !status; i++)
    if (!append_listed(b, &l->items[i])) status = tn_append_failed(err);
  if (!status) status = tn_builder_finish(b, (int64_t)l->count, ret, err);
  tn_builder_free(b);
  return status;
}

tenon_status tn_llm_list_rows(tn_llm_listing *l, tenon_stream *ret, tenon_error *err) {
  tenon_stream s = {.struct_size = sizeof s, .next = give_batch, .close = close_batch};
  one_batch *o = tn_alloc(sizeof *o);
  tenon_status status = o ? list_schema(&s.schema, err) : tn_no_memory(err);
  if (!status && l->count) qsort(l->items, l->count, sizeof *l->items, by_id);
  if (!status && l->count) status = build_list(l, &s.schema, &o->batch, err);
  tn_llm_listing_release(l);
  if (status) {
    tn_schema_release(&s.schema);
    tn_free(o);
    return status;
  }
  s.self = o;
  *ret = s;
  return TENON_OK;
}

int64_t tn_llm_time(const char *text) {
  int64_t us;
  int ns;
  return text && tn_parse_timestamp_ns(text, strlen(text), true, &us, &ns) ? us : INT64_MIN;
}

/* ---- Vectors ---- */

tenon_status tn_llm_vectors_give(const tn_llm *l, tn_llm_vectors *v, tenon_embeddings *ret,
                                 tenon_error *err) {
  if (v->count != v->wanted) return tn_llm_wrong(l, "it has not one vector for each text", err);
  ret->vectors = v->items;
  ret->count = v->count;
  ret->dimension = v->dimension;
  v->items = NULL;
  return TENON_OK;
}

void tn_llm_vectors_release(tn_llm_vectors *v) {
  tn_free(v->items);
  tn_free(v->seen);
}

tenon_status tn_llm_take_vector(const tn_llm *l, tn_llm_vectors *v, int64_t index,
                                const tn_json *numbers, tenon_error *err) {
  size_t size = tn_json_type_of(numbers) == TN_JSON_ARRAY ? tn_json_count(numbers) : 0;
  if (size < 1 || size > TENON_MAX_DIMENSION || (v->items && size != (size_t)v->dimension))
    return tn_llm_wrong(l, "a vector of it is none, or of another dimension", err);
  if (!v->items) {
    v->items = tn_alloc_array(v->wanted * size, sizeof *v->items);
    v->seen = tn_alloc(v->wanted);
    if (!v->items || !v->seen) return tn_no_memory(err);
    v->dimension = (int32_t)size;
  }
  if (index < 0 || index >= (int64_t)v->wanted || v->seen[index])
    return tn_llm_wrong(l, "its vectors are not one for each text", err);
  v->seen[index] = true;
  float *to = v->items + (size_t)index * size;
  for (size_t i = 0; i < size; i++) {
    const tn_json *n = tn_json_at(numbers, i);
    if (tn_json_type_of(n) != TN_JSON_NUMBER && tn_json_type_of(n) != TN_JSON_INTEGER)
      return tn_llm_wrong(l, "a vector has something else than numbers", err);
    to[i] = (float)tn_json_number(n);
  }
  v->count++;
  return TENON_OK;
}
