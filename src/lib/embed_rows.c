/* SPDX-License-Identifier: Apache-2.0 */
/* Rows with a text in them, each with its vector behind: batch by batch, so that memory stays flat.
 */
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/print.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "core/gather.h"
#include "lib/handle.h"

enum { AT_ONCE = 512, MAX_TEXTS = 64 << 20 };   /* rows, and bytes of their texts */

typedef struct embedded_rows {
  tenon_stream in;
  tenon_ctx *ctx;
  tn_session *session;
  char *model;
  int32_t wanted, dimension;       /* asked for, 0: the model's own; seen */
  int64_t column, row;             /* row: of the stream, for messages */
  tn_printer *printer;
  struct ArrowArray batch;         /* rows from `next` on are to come */
  int64_t next;
  tn_builder *out;                 /* made when the first vector shows how wide they are */
  tenon_usage *usage;              /* the caller's; NULL: nobody wants it */
  struct ArrowArray first;         /* which came with the call, with its vectors */
} embedded_rows;

static void rows_close(void *self) {
  embedded_rows *r = self;
  tn_array_release(&r->first);
  tn_array_release(&r->batch);
  tn_builder_free(r->out);
  tn_printer_free(r->printer);
  tn_stream_close(&r->in);
  tn_session_release(r->session);
  tn_free(r->model);
  tenon_ctx_free(r->ctx);
  tn_free(r);
}

/* ---- Texts ---- */

/* Those of the next `count` rows, one behind the other, each with a NUL. */
static tenon_status spell_texts(embedded_rows *r, int64_t count, tn_str *texts, tenon_error *err) {
  const struct ArrowArray *column = r->batch.children[r->column];
  for (int64_t i = 0; i < count; i++) {
    size_t before = texts->size;
    int64_t at = r->batch.offset + r->next + i;
    tenon_status status =
        tn_is_null(column, at) ? TENON_OK : tn_print_text(r->printer, column, at, texts, NULL);
    if (status == TENON_DATA)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "correct it, or leave it out",
                        "the text of row %lld is not UTF-8", (long long)(r->row + i) + 1);
    if (status)
      return tenon_fail(err, status, TENON_STAGE_DATA, "split them, or leave some out",
                        "the texts of the rows up to %lld are too long",
                        (long long)(r->row + i) + 1);
    if (texts->size == before)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                        "leave such rows out, or give them a text", "row %lld has no text to embed",
                        (long long)(r->row + i) + 1);
    if (memchr(texts->data + before, 0, texts->size - before))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave it out",
                        "the text of row %lld has a NUL in it", (long long)(r->row + i) + 1);
    if (!tn_str_add(texts, "", 1)) return tn_no_memory(err);
  }
  return TENON_OK;
}

static tenon_status embed_texts(embedded_rows *r, const tn_str *texts, size_t count,
                                tenon_embeddings *ret, tenon_error *err) {
  const char **items = tn_alloc_array(count, sizeof *items);
  if (!items) return tn_no_memory(err);
  const char *at = texts->data;
  for (size_t i = 0; i < count; i++) {
    items[i] = at;
    at += strlen(at) + 1;
  }
  const tenon_embed request = {.struct_size = sizeof request, .model = r->model, .texts = items,
                               .count = count, .dimension = r->wanted};
  tenon_status status = tn_models_embed(r->ctx, r->session, &request, ret, err);
  tn_free(items);
  return status;
}

/* ---- Rows ---- */

static tenon_status describe(const embedded_rows *r, struct ArrowSchema *ret, tenon_error *err) {
  int64_t n = r->in.schema.n_children;
  char format[24];
  snprintf(format, sizeof format, "+w:%d", (int)r->dimension);
  tenon_status status = tn_schema_struct(ret, n + 1, err);
  if (status) return status;
  for (int64_t i = 0; i < n && !status; i++) {
    tn_schema_release(ret->children[i]);
    status = tn_schema_copy(r->in.schema.children[i], ret->children[i], err);
  }
  if (!status) status = tn_schema_set(ret->children[n], "vector", format, false, 1, err);
  if (!status) status = tn_schema_set(ret->children[n]->children[0], "item", "f", false, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status start_rows(embedded_rows *r, int32_t dimension, tenon_error *err) {
  struct ArrowSchema schema = {0};
  r->dimension = dimension;
  tenon_status status = describe(r, &schema, err);
  if (status) return status;
  status = tn_builder_new(&schema, &r->out, err);
  tn_schema_release(&schema);
  return status;
}

static bool append_rows(embedded_rows *r, const tenon_embeddings *e) {
  int64_t rows[AT_ONCE], n = r->in.schema.n_children;
  tn_column *list = tn_builder_column(r->out, n);
  for (size_t i = 0; i < e->count; i++) rows[i] = r->batch.offset + r->next + (int64_t)i;
  for (int64_t c = 0; c < n; c++)
    if (!tn_gather(tn_builder_column(r->out, c), r->batch.children[c], rows, (int64_t)e->count))
      return false;
  for (size_t i = 0; i < e->count; i++) {
    for (int32_t k = 0; k < e->dimension; k++)
      if (!tn_append_fixed(&list->children[0], &e->vectors[i * (size_t)e->dimension + (size_t)k]))
        return false;
    if (!tn_append_list(list)) return false;
  }
  return true;
}

static void add_usage(tenon_usage *all, const tenon_usage *part) {
  all->input = all->input < 0 || part->input < 0 ? -1 : all->input + part->input;
  all->cost_nano =
      all->cost_nano < 0 || part->cost_nano < 0 ? -1 : all->cost_nano + part->cost_nano;
}

static tenon_status embed_some(embedded_rows *r, struct ArrowArray *ret, tenon_error *err) {
  tenon_embeddings e = {.struct_size = sizeof e};
  int64_t count = r->batch.length - r->next < AT_ONCE ? r->batch.length - r->next : AT_ONCE;
  tn_str texts;
  tn_str_init(&texts, MAX_TEXTS);
  tenon_status status = spell_texts(r, count, &texts, err);
  if (!status) status = embed_texts(r, &texts, (size_t)count, &e, err);
  if (!status && !r->out) status = start_rows(r, e.dimension, err);
  if (!status && e.dimension != r->dimension)
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service",
                        "the model gives vectors of %d numbers now, and gave %d before",
                        (int)e.dimension, (int)r->dimension);
  if (!status && !append_rows(r, &e)) status = tn_append_failed(err);
  if (!status) status = tn_builder_finish(r->out, count, ret, err);
  if (!status && r->usage) add_usage(r->usage, &e.usage);
  r->next += count;
  r->row += count;
  tn_free(e.vectors);
  tn_str_release(&texts);
  return status;
}

static tenon_status rows_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  embedded_rows *r = self;
  if (r->first.release) {
    *ret = r->first;
    r->first.release = NULL;
    return TENON_OK;
  }
  while (r->next == r->batch.length) {
    tn_array_release(&r->batch);
    r->batch = (struct ArrowArray){0};
    r->next = 0;
    tenon_status status = r->in.next(r->in.self, &r->batch, err);
    if (status || !r->batch.release) return status;
  }
  return embed_some(r, ret, err);
}

/* ---- The stream ---- */

static tenon_status find_column(embedded_rows *r, const char *column, tenon_error *err) {
  r->column = -1;
  for (int64_t i = 0; i < r->in.schema.n_children; i++) {
    const char *name = r->in.schema.children[i]->name;
    if (name && strcmp(name, "vector") == 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_DATA, "leave that column out",
                        "the rows have a column vector already");
    if (name && strcmp(name, column) == 0) r->column = i;
  }
  if (r->column < 0)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_DATA, "name the column that has the texts",
                      "the rows have no column %.100s", column);
  const struct ArrowSchema *s = r->in.schema.children[r->column];
  if (strcmp(s->format, "u") != 0 && strcmp(s->format, "U") != 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "convert it before",
                      "column %.100s is not text", column);
  return tn_printer_new(s, &r->printer, err);
}

/* The first batch says how wide the vectors are. */
static tenon_status first_batch(embedded_rows *r, tenon_error *err) {
  tenon_status status = rows_next(r, &r->first, err);
  if (status || r->first.release) return status;
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "look at where the rows come from",
                    "there are no rows with texts to embed");
}

/* One more use of the same session, so that the stream may outlive it. */
static tenon_status hold(embedded_rows *r, tenon_ctx *ctx, tenon_session *s, tenon_error *err) {
  r->ctx = tenon_ctx_ref(tn_lib_ctx(s->owner, ctx));
  return tn_session_acquire(r->ctx, tn_session_connector(s->session), &r->session, err);
}

tenon_status tenon_embed_rows(tenon_ctx *ctx, tenon_session *s, const tenon_embed *settings,
                              struct ArrowArrayStream *rows, const char *column,
                              struct ArrowArrayStream *ret, tenon_usage *usage, tenon_error *err) {
  tenon_stream out = {.struct_size = sizeof out, .next = rows_next, .close = rows_close};
  tenon_stream in;
  tenon_status status = tn_stream_import(rows, &in, err);
  if (status) return status;
  embedded_rows *r = tn_alloc(sizeof *r);
  if (!r) {
    tn_stream_close(&in);
    return tn_no_memory(err);
  }
  r->in = in;
  r->usage = usage;
  if (usage) *usage = (tenon_usage){0};
  if (settings) r->wanted = settings->dimension;
  const char *model = settings && settings->model ? settings->model : s->whole;
  if (model && !(r->model = tn_strdup(model))) status = tn_no_memory(err);
  if (!status) status = hold(r, ctx, s, err);
  if (!status) status = find_column(r, column ? column : "text", err);
  if (!status) status = first_batch(r, err);
  if (!status) status = describe(r, &out.schema, err);
  if (status) {
    rows_close(r);
    return status;
  }
  out.self = r;
  return tn_stream_export(r->ctx, &out, NULL, NULL, ret, err);
}
