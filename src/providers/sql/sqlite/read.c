/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows. The statement of a read stays open in its transaction until its last row is out, so all
 * rows are of one version of the file.
 */
#include "sqlite.h"

#include <stdio.h>

enum { BATCH_ROWS = 16384, BATCH_BYTES = 16 << 20, MAX_NAMES = 64 << 20 };

typedef struct source {
  tn_column *out;
  tn_sqlite_put put;
  tn_sqlite_type type;
  int index;              /* in the statement */
  bool nullable, binary;
  const char *name;
} source;

typedef struct reader {
  tn_sqlite *session;
  tn_sqlite_query query;  /* the statement, also where it is not a user's */
  tn_arena arena;
  tn_builder *builder;
  source *sources;
  size_t source_count;
  tenon_special special;
  int64_t batch_rows, batch_bytes, fixed_bytes; /* fixed_bytes: of one row, without text */
  int64_t left;           /* rows that may still come; -1: no limit */
  int64_t row;            /* rows done, for messages */
  const char *among;      /* which rows are counted, for messages */
  size_t kept_at;         /* the next of the query's kept rows */
  bool from_kept;         /* the row at hand is one of them */
  bool pending;           /* the row at hand is not in a batch yet */
  bool done;
} reader;

/* ---- Cells ---- */

/* Bytes that are no text, here or elsewhere in the column: nothing makes text of them. */
static bool is_bytes(const source *c, sqlite3_value *v) {
  if (c->type.rule == TN_SQLITE_BLOB) return true;
  int storage = sqlite3_value_type(v);
  if (storage != SQLITE_TEXT) return storage == SQLITE_BLOB;
  const char *text = (const char *)sqlite3_value_text(v);
  return text && !tn_utf8_valid(text, (size_t)sqlite3_value_bytes(v), NULL);
}

static tenon_status fail_misfit(reader *r, const source *c, sqlite3_value *v, tenon_error *err) {
  char shown[160], type[48];
  tn_sqlite_show_value(v, shown, sizeof shown);
  tn_sqlite_type_name(&c->type, type, sizeof type);
  if (sqlite3_value_type(v) == SQLITE_NULL)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                      "mend the row: the column is declared NOT NULL",
                      "column %s, row %lld%s: NULL in a column that is NOT NULL", c->name,
                      (long long)r->row + 1, r->among);
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    is_bytes(c, v) ? "read such values as NULL with special_values=null; in a "
                                     "query, CAST(column AS BLOB) reads binary"
                                   : "read such columns as text with special_values=text, or as NULL "
                                     "with special_values=null; in a query, CAST(column AS …) "
                                     "gives the type",
                    "column %s, row %lld%s: %s does not fit the type %s", c->name,
                    (long long)r->row + 1, r->among, shown, type);
}

/* long way: NULLs, and values that do not fit */
static tenon_status append_other(reader *r, source *c, sqlite3_value *v, tn_sqlite_cell cell,
                                 tenon_error *err) {
  bool null = sqlite3_value_type(v) == SQLITE_NULL;
  if (cell == TN_SQLITE_NO_MEMORY) return tn_append_failed(err);
  if (!null && r->special != TENON_SPECIAL_NULL) return fail_misfit(r, c, v, err);
  if (!c->nullable) return fail_misfit(r, c, v, err);
  return tn_append_null(c->out) ? TENON_OK : tn_append_failed(err);
}

static inline tenon_status append_cell(reader *r, source *c, sqlite3_value *v, tenon_error *err) {
  tn_sqlite_cell cell = TN_SQLITE_MISFIT;
  int storage = sqlite3_value_type(v);
  if (storage != SQLITE_NULL) cell = c->put(c->out, &c->type, v, storage);
  return cell == TN_SQLITE_FITS ? TENON_OK : append_other(r, c, v, cell, err);
}

static tenon_status append_row(reader *r, tenon_error *err) {
  sqlite3_value **kept = NULL;
  if (r->from_kept) kept = r->query.cells + (r->kept_at - 1) * r->query.columns.field_count;
  for (size_t i = 0; i < r->source_count; i++) {
    source *c = &r->sources[i];
    sqlite3_value *v = kept ? kept[c->index] : sqlite3_column_value(r->query.stmt, c->index);
    tenon_status status = append_cell(r, c, v, err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- Rows ---- */

static tenon_status advance(reader *r, bool *ret_row, tenon_error *err) {
  r->from_kept = r->kept_at < r->query.kept_rows;
  if (r->from_kept) r->kept_at++;
  *ret_row = r->from_kept;
  if (r->from_kept || r->query.finished) return TENON_OK;
  return tn_sqlite_step(r->session, r->query.stmt, ret_row, err);
}

static int64_t text_bytes(const reader *r) {
  int64_t n = 0;
  for (size_t i = 0; i < r->source_count; i++)
    if (r->sources[i].binary) n += r->sources[i].out->data_size;
  return n;
}

static tenon_status begin_batch(reader *r, tenon_error *err) {
  for (size_t i = 0; i < r->source_count; i++) {
    source *c = &r->sources[i];
    c->out = tn_builder_column(r->builder, (int64_t)i);
    if (!tn_reserve(c->out, r->batch_rows, 0)) return tn_append_failed(err);
  }
  return TENON_OK;
}

/* A row that would make the batch too big waits for the next one. */
static bool is_too_much(reader *r, int64_t rows) {
  if (rows < 2 || rows * r->fixed_bytes + text_bytes(r) <= r->batch_bytes) return false;
  for (size_t i = 0; i < r->source_count; i++) tn_sqlite_take_back(r->sources[i].out, rows - 1);
  return true;
}

static tenon_status fill_batch(reader *r, int64_t *ret_rows, tenon_error *err) {
  int64_t rows = 0;
  while (rows < r->batch_rows && r->left != 0) {
    bool more = true;
    tenon_status status = r->pending ? TENON_OK : advance(r, &more, err);
    if (!status && more) status = append_row(r, err);
    if (status) return status;
    if (!more) {
      r->left = 0;
      break;
    }
    r->pending = is_too_much(r, rows + 1);
    if (r->pending) break;
    rows++;
    r->row++;
    if (r->left > 0) r->left--;
  }
  *ret_rows = rows;
  return TENON_OK;
}

/* The lock on the file goes with the last row, not with the stream. */
static void finish(reader *r) {
  if (r->done) return;
  r->done = true;
  sqlite3_finalize(r->query.stmt);
  r->query.stmt = NULL;
  tn_sqlite_end(r->session);
}

static tenon_status next(void *self, struct ArrowArray *ret, tenon_error *err) {
  reader *r = self;
  int64_t rows = 0;
  if (r->done) {
    *ret = (struct ArrowArray){0};
    return TENON_OK;
  }
  tenon_status status = tn_sqlite_host->check(r->session->ctx, err);
  if (!status) status = begin_batch(r, err);
  if (!status) status = fill_batch(r, &rows, err);
  if (!status) status = tn_sqlite_verify(r->session, err);
  if (status) return status;
  if (r->left == 0) finish(r);
  if (rows) return tn_builder_finish(r->builder, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_reader(void *self) {
  reader *r = self;
  finish(r);
  tn_sqlite_query_release(&r->query);
  tn_builder_free(r->builder);
  tn_free(r->sources);
  tn_arena_release(&r->arena);
  tn_free(r);
}

/* ---- Opening ---- */

static tenon_status open_table(reader *r, const tenon_read *read, size_t **ret_columns,
                               size_t *ret_count, tenon_rows *rows, tenon_error *err) {
  tn_sqlite_table *table = &r->query.columns;
  tn_sqlite_select q;
  tenon_status status = tn_sqlite_table_load(r->session, read, &r->arena, table, err);
  if (!status) status = tn_sqlite_select_make(r->session, table, read, &r->arena, &q, err);
  if (status) return status;
  status = tn_sqlite_prepare(r->session, q.sql.data, &r->query.stmt, err);
  if (!status) status = tn_sqlite_select_bind(r->session, &q, r->query.stmt, err);
  *ret_columns = q.columns;
  *ret_count = q.column_count;
  rows->applied = q.applied;
  rows->filters_applied = q.filters_applied;
  tn_sqlite_select_release(&q);
  return status;
}

/* Of a query the columns are chosen here; a limit is kept where nothing else is to be applied. */
static tenon_status open_query(reader *r, const tenon_read *read, size_t **ret_columns,
                               size_t *ret_count, tenon_rows *rows, tenon_error *err) {
  tenon_status status = tn_sqlite_query_open(r->session, read, &r->arena, &r->query, err);
  if (status) return status;
  const tn_sqlite_table *table = &r->query.columns;
  size_t n = read->columns ? read->column_count : table->field_count;
  size_t *columns = tn_arena_alloc(&r->arena, (n + 1) * sizeof *columns);
  if (!columns) return tn_no_memory(err);
  for (size_t i = 0; !status && i < n; i++) {
    columns[i] = i;
    if (read->columns) status = tn_sqlite_field_find(table, read->columns[i], &columns[i], err);
  }
  *ret_columns = columns;
  *ret_count = n;
  rows->applied = TENON_APPLIED_COLUMNS;
  if (read->limit < 0 || read->filter_count || read->order_count || read->after) return status;
  r->left = read->limit;
  rows->applied |= TENON_APPLIED_LIMIT;
  return status;
}

static int64_t fixed_width(const tn_sqlite_type *type) {
  switch (type->format[0]) {
    case 'b': return 1;
    case 'd': return 16;
    case 'u': case 'z': return 4;
    default: return 8;
  }
}

static tenon_status make_sources(reader *r, const tenon_read *read, const size_t *columns,
                                 size_t count, tenon_error *err) {
  r->sources = tn_alloc_array(count, sizeof *r->sources);
  if (!r->sources) return tn_no_memory(err);
  r->source_count = count;
  for (size_t i = 0; i < count; i++) {
    const tn_sqlite_field *f = &r->query.columns.fields[columns[i]];
    r->sources[i] = (source){.put = tn_sqlite_put_of(f->type.rule),
                             .type = f->type,
                             .index = read->query ? (int)columns[i] : (int)i,
                             .nullable = tn_sqlite_is_nullable(f, read),
                             .binary = f->type.format[0] == 'u' || f->type.format[0] == 'z',
                             .name = f->name};
    r->fixed_bytes += fixed_width(&f->type) + 1;
  }
  return TENON_OK;
}

static void set_limits(reader *r, const tenon_read *read) {
  r->special = read->special_values;
  /* what SQLite leaves out or puts in order is counted so */
  bool is_all = read->query || (!read->filter_count && !read->order_count);
  r->among = is_all ? "" : " of those read";
  r->batch_bytes = read->batch_bytes > 0 ? read->batch_bytes : BATCH_BYTES;
  r->batch_rows = read->batch_rows > 0 ? read->batch_rows : BATCH_ROWS;
  int64_t fit = r->fixed_bytes ? r->batch_bytes / r->fixed_bytes : r->batch_rows;
  if (r->batch_rows > fit) r->batch_rows = fit > 1 ? fit : 1;
}

static tenon_status open_reader(reader *r, const tenon_read *read, tenon_rows *rows,
                                tenon_error *err) {
  size_t *columns = NULL, count = 0;
  struct ArrowSchema schema;
  tenon_status status =
      (read->query ? open_query : open_table)(r, read, &columns, &count, rows, err);
  if (!status) status = make_sources(r, read, columns, count, err);
  if (!status) status = tn_sqlite_schema(&r->query.columns, columns, count, read, &schema, err);
  if (status) return status;
  set_limits(r, read);
  status = tn_builder_new(&schema, &r->builder, err);
  if (status) tn_schema_release(&schema);
  else rows->stream.schema = schema;
  return status;
}

tenon_status tn_sqlite_read(tenon_ctx *ctx, void *session, const tenon_read *read, tenon_rows *ret,
                            tenon_error *err) {
  if (read->partition)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "read the whole table",
                      "sqlite has no partitions");
  reader *r = tn_alloc(sizeof *r);
  if (!r) return tn_no_memory(err);
  r->session = session;
  r->left = -1;
  tn_arena_init(&r->arena, MAX_NAMES);
  tenon_rows rows = {.struct_size = sizeof rows};
  tenon_status status = tn_sqlite_begin(session, ctx, err);
  if (status) {
    tn_free(r);
    return status;
  }
  status = open_reader(r, read, &rows, err);
  if (status) {
    close_reader(r);
    return status;
  }
  rows.stream = (tenon_stream){.struct_size = sizeof rows.stream,
                               .self = r,
                               .schema = rows.stream.schema,
                               .next = next,
                               .close = close_reader};
  *ret = rows;
  return TENON_OK;
}
