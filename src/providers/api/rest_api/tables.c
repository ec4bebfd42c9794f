/* SPDX-License-Identifier: Apache-2.0 */
/* Endpoints with records as tables: one page in memory at a time. */
#include <string.h>

#include "base/error.h"
#include "rest_api.h"

enum { BATCH_BYTES = 16 << 20, MAX_DESCRIPTION = 8 << 20 };

/* ---- Which endpoint ---- */

static tenon_status find_table(tn_rest *s, const tenon_read *read, const tn_rest_endpoint **ret,
                               tenon_error *err) {
  if (read->query)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "declare an endpoint for it",
                      "an HTTP API takes no queries");
  if (!read->name.table || !*read->name.table)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "`tenon ls` shows what there is",
                      "no table is named");
  if (read->name.schema && *read->name.schema)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "leave it out",
                      "an HTTP API has no schemas: %s", read->name.schema);
  tenon_status status = tn_rest_find(s, read->name.table, ret, err);
  if (status || (*ret)->records) return status;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY,
                    "call it with `tenon call`, or declare where its records are",
                    "the endpoint %s gives no records", (*ret)->name);
}

/* ---- Pages as rows ---- */

typedef struct rows {
  tenon_ctx *ctx;
  tn_rest_pages pages;
  tn_arena arena; /* of columns that were not declared */
  const tn_rest_column *columns;
  size_t column_count;
  bool inferred, on_page;
  const char *at; /* in the page's records */
  tn_builder *builder;
  int64_t batch_bytes, batch_rows, row;
} rows;

static void rows_close(void *self) {
  rows *r = self;
  tn_rest_pages_release(&r->pages);
  tn_arena_release(&r->arena);
  tn_builder_free(r->builder);
  tn_free(r);
}

static tenon_status load_page(rows *r, bool *ret_more, tenon_error *err) {
  tenon_status status = tn_rest_pages_next(r->ctx, &r->pages, ret_more, err);
  r->on_page = !status && *ret_more;
  r->at = NULL;
  return status;
}

/* Appends records of the page until there are enough. */
static tenon_status append_records(rows *r, int64_t *n, tenon_error *err) {
  tn_json_text record;
  tenon_status status = TENON_OK;
  while (!status && tn_builder_bytes(r->builder) < r->batch_bytes &&
         (!r->batch_rows || *n < r->batch_rows)) {
    if (!tn_json_text_next(r->pages.records, &r->at, NULL, &record)) {
      r->on_page = false;
      break;
    }
    status =
        tn_rest_append(r->builder, r->columns, r->column_count, r->inferred, record, ++r->row, err);
    ++*n;
  }
  return status;
}

static tenon_status rows_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  rows *r = self;
  int64_t n = 0;
  ret->release = NULL;
  while (n == 0) {
    bool more = true;
    tenon_status status = r->on_page ? tn_rest_host->check(r->ctx, err) : load_page(r, &more, err);
    if (!status && more) status = append_records(r, &n, err);
    if (status || !more) return status;
  }
  return tn_builder_finish(r->builder, n, ret, err);
}

static tenon_status rows_new(tenon_ctx *ctx, tn_rest *s, const tn_rest_endpoint *e, rows **ret,
                             tenon_error *err) {
  rows *r = tn_alloc(sizeof *r);
  if (!r) return tn_no_memory(err);
  r->ctx = ctx;
  r->columns = e->columns;
  r->column_count = e->column_count;
  tn_rest_pages_init(&r->pages, s, e);
  tn_arena_init(&r->arena, MAX_DESCRIPTION);
  *ret = r;
  return TENON_OK;
}

/* Without declared columns the first page says which there are. */
static tenon_status settle_columns(rows *r, tenon_error *err) {
  bool more;
  tn_rest_column *columns;
  if (r->column_count) return TENON_OK;
  tenon_status status = load_page(r, &more, err);
  if (!status) status = tn_rest_infer(r->pages.records, &r->arena, &columns, &r->column_count, err);
  if (status) return status;
  r->columns = columns;
  r->inferred = true;
  return TENON_OK;
}

static tenon_status read_table(tenon_ctx *ctx, void *session, const tenon_read *request,
                               tenon_rows *ret, tenon_error *err) {
  const tn_rest_endpoint *e = NULL;
  rows *r = NULL;
  tenon_status status = find_table(session, request, &e, err);
  if (!status) status = rows_new(ctx, session, e, &r, err);
  if (status) return status;
  r->batch_bytes = request->batch_bytes > 0 ? request->batch_bytes : BATCH_BYTES;
  r->batch_rows = request->batch_rows;
  tenon_stream out = {.struct_size = sizeof out, .self = r, .next = rows_next, .close = rows_close};
  status = settle_columns(r, err);
  if (!status) status = tn_rest_schema(r->columns, r->column_count, &out.schema, err);
  if (!status) status = tn_builder_new(&out.schema, &r->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    rows_close(r);
    return status;
  }
  *ret = (tenon_rows){.struct_size = sizeof *ret, .stream = out};
  return TENON_OK;
}

/* ---- describe ---- */

/* Texts are copied: what is described may outlive its session. */
static void release_table(tenon_table *t) {
  tn_arena *arena = t->self;
  tn_schema_release(&t->schema);
  tn_arena_release(arena);
  tn_free(arena);
  *t = (tenon_table){0};
}

static tenon_status copy_columns(const rows *r, tn_arena *arena, tenon_table *t, tenon_error *err) {
  tenon_column *columns = tn_arena_alloc(arena, r->column_count * sizeof *columns);
  bool ok = columns != NULL;
  for (size_t i = 0; ok && i < r->column_count; i++) {
    columns[i] = (tenon_column){
        .name = tn_arena_strdup(arena, r->columns[i].name),
        .type = tn_arena_strdup(arena, r->columns[i].type),
        .nullable = true,
        .remark = r->inferred ? "by the first page; declare the columns to be sure" : NULL};
    ok = columns[i].name && columns[i].type;
  }
  t->columns = columns;
  t->column_count = r->column_count;
  return ok ? TENON_OK : tn_no_memory(err);
}

static tenon_status fill_table(const rows *r, const tn_rest_endpoint *e, tn_arena *arena,
                               tenon_table *t, tenon_error *err) {
  const char *comment = e->description ? e->description : e->title;
  *t = (tenon_table){.struct_size = sizeof *t,
                     .name = tn_arena_strdup(arena, e->name),
                     .kind = "endpoint",
                     .comment = comment ? tn_arena_strdup(arena, comment) : NULL,
                     .rows_estimate = -1,
                     .bytes_estimate = -1,
                     .self = arena,
                     .release = release_table};
  if (!t->name || (comment && !t->comment)) return tn_no_memory(err);
  tenon_status status = copy_columns(r, arena, t, err);
  return status ? status : tn_rest_schema(r->columns, r->column_count, &t->schema, err);
}

static tenon_status describe(tenon_ctx *ctx, void *session, const tenon_read *request,
                             tenon_table *ret, tenon_error *err) {
  const tn_rest_endpoint *e = NULL;
  tenon_table t;
  rows *r = NULL;
  tenon_status status = find_table(session, request, &e, err);
  if (!status) status = rows_new(ctx, session, e, &r, err);
  if (status) return status;
  status = settle_columns(r, err);
  tn_arena *arena = status ? NULL : tn_alloc(sizeof *arena);
  if (!status && !arena) status = tn_no_memory(err);
  if (arena) tn_arena_init(arena, MAX_DESCRIPTION);
  if (!status) status = fill_table(r, e, arena, &t, err);
  rows_close(r);
  if (!status) {
    *ret = t;
  } else if (arena) {
    tn_arena_release(arena);
    tn_free(arena);
  }
  return status;
}

/* ---- list ---- */

typedef struct listing {
  tn_builder *builder;
  const tn_rest *session;
  bool done;
} listing;

static void listing_close(void *self) {
  listing *l = self;
  tn_builder_free(l->builder);
  tn_free(l);
}

static bool add_row(tn_builder *b, const tn_rest_endpoint *e) {
  return tn_append_null(tn_builder_column(b, 0)) && tn_append_null(tn_builder_column(b, 1)) &&
         tn_append_text(tn_builder_column(b, 2), e->name) &&
         tn_append_text(tn_builder_column(b, 3), "endpoint") &&
         tn_append_null(tn_builder_column(b, 4)) &&
         tn_append_text(tn_builder_column(b, 5), e->title ? e->title : e->description);
}

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  listing *l = self;
  int64_t n = 0;
  ret->release = NULL;
  if (l->done) return TENON_OK;
  for (size_t i = 0; i < l->session->endpoint_count; i++) {
    if (!l->session->endpoints[i].records) continue;
    if (!add_row(l->builder, &l->session->endpoints[i])) return tn_append_failed(err);
    n++;
  }
  l->done = true;
  return n ? tn_builder_finish(l->builder, n, ret, err) : TENON_OK;
}

static tenon_status listing_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const char *const names[] = {"catalog", "schema",        "name",
                                      "kind",    "rows_estimate", "comment"};
  tenon_status status = tn_schema_struct(ret, 6, err);
  for (int i = 0; i < 6 && !status; i++)
    status = tn_schema_set(ret->children[i], names[i], i == 4 ? "l" : "u", true, 0, err);
  return status;
}

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_tables_list *request,
                         tenon_stream *ret, tenon_error *err) {
  tenon_status status = tn_rest_host->check(ctx, err);
  if (status) return status;
  listing *l = tn_alloc(sizeof *l);
  if (!l) return tn_no_memory(err);
  l->session = session;
  l->done = request && request->schema && *request->schema;
  tenon_stream out = {
      .struct_size = sizeof out, .self = l, .next = listing_next, .close = listing_close};
  status = listing_schema(&out.schema, err);
  if (!status) status = tn_builder_new(&out.schema, &l->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    listing_close(l);
    return status;
  }
  *ret = out;
  return TENON_OK;
}

const tenon_tables_ops tn_rest_tables = {
    .struct_size = sizeof tn_rest_tables, .list = list, .describe = describe, .read = read_table};
