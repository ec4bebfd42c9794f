/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/memory.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "contract/memory_store.h"
#include "core/gather.h"

static const tenon_host *host;

typedef struct memory_config {
  uint64_t set;
  const char *store, *pushdown, *password;
  int64_t slow, pool_size, max_overflow;
} memory_config;

typedef struct session {
  memory_store *store;
  const memory_config *config;
  bool some, all;              /* of pushdown */
} session;

static tenon_status init(const tenon_host *h, tenon_error *err) {
  (void)err;
  host = h;
  return TENON_OK;
}

static tenon_status no_memory(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                    "out of memory");
}

/* ---- Lifecycle ---- */

static tenon_status check_password(const memory_config *c, tenon_error *err) {
  if (!c->password || strcmp(c->password, "wrong-canary") != 0) return TENON_OK;
  return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, "give the right password",
                    "the password %s is not accepted", c->password);
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t,
                         tenon_error *err) {
  (void)p;
  tenon_status status = host->check(ctx, err);
  host->step_begin(t, "auth");
  if (!status) status = check_password(config, err);
  if (status) return status;
  host->step_end(t, TENON_PASSED, NULL, "password accepted");
  host->step_begin(t, "probe");
  host->step_end(t, TENON_PASSED, NULL, "store %s", ((const memory_config *)config)->store);
  host->fact(t, "server_version", "%d", 1);
  return TENON_OK;
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *p, const void *config,
                                 void **ret, tenon_error *err) {
  (void)p;
  const memory_config *c = config;
  tenon_status status = host->check(ctx, err);
  if (!status) status = check_password(c, err);
  if (status) return status;
  session *s = host->resize(NULL, sizeof *s);
  if (!s) return no_memory(err);
  *s = (session){.store = memory_store_open(c->store), .config = c};
  s->all = strcmp(c->pushdown, "all") == 0;
  s->some = s->all || strcmp(c->pushdown, "some") == 0;
  *ret = s;
  return TENON_OK;
}

static void close_session(void *s) { host->resize(s, 0); }

/* ---- Streams of rows: a table, and which of its rows and columns ---- */

typedef struct rows {
  tenon_ctx *ctx;
  int64_t slow_ms, batch_bytes, batch_rows;
  memory_table *table;         /* held */
  tn_builder *builder;
  int64_t *columns, column_count;
  int64_t *order, count, next; /* rows, in the order in which they go out */
} rows;

static void rows_close(void *self) {
  rows *r = self;
  memory_table_unref(r->table);
  tn_builder_free(r->builder);
  free(r->columns);
  free(r->order);
  host->resize(r, 0);
}

static tenon_status append_row(rows *r, int64_t row, tenon_error *err) {
  const kept_rows *k = &r->table->rows;
  const struct ArrowArray *batch = &k->batches[k->rows[row].batch];
  for (int64_t i = 0; i < r->column_count; i++) {
    int64_t at = batch->offset + k->rows[row].row;
    if (!tn_gather(tn_builder_column(r->builder, i), batch->children[r->columns[i]], &at, 1))
      return tn_append_failed(err);
  }
  return TENON_OK;
}

static tenon_status rows_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  rows *r = self;
  int64_t n = 0, most = r->batch_rows > 0 ? r->batch_rows : 64;
  tenon_status status = r->slow_ms ? host->wait(r->ctx, NULL, 0, (int)r->slow_ms, err)
      : host->check(r->ctx, err);
  for (; !status && n < most && r->next < r->count; n++) {
    if (n && tn_builder_bytes(r->builder) * (n + 1) / n > r->batch_bytes) break;
    status = append_row(r, r->order[r->next++], err);
  }
  if (status) return status;
  ret->release = NULL;
  return n ? tn_builder_finish(r->builder, n, ret, err) : TENON_OK;
}

static tenon_status rows_schema(const rows *r, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = tn_schema_struct(ret, r->column_count, err);
  for (int64_t i = 0; i < r->column_count && !status; i++) {
    tn_schema_release(ret->children[i]);
    status = tn_schema_copy(r->table->rows.schema.children[r->columns[i]], ret->children[i], err);
  }
  if (status) tn_schema_release(ret);
  return status;
}

/* Takes the table over, also on failure. */
static tenon_status rows_new(tenon_ctx *ctx, const session *s, memory_table *t,
                             const tenon_read *read, rows **ret, tenon_error *err) {
  rows *r = host->resize(NULL, sizeof *r);
  if (!r) {
    memory_table_unref(t);
    return no_memory(err);
  }
  *r = (rows){.ctx = ctx, .slow_ms = s->config->slow, .table = t, .batch_bytes = read && read->batch_bytes ? read->batch_bytes : 16 << 20,
              .batch_rows = read ? read->batch_rows
                  : 0, .column_count = t->rows.schema.n_children, .count = t->rows.row_count};
  r->columns = malloc((size_t)(r->column_count + 1) * sizeof *r->columns);
  r->order = malloc((size_t)(r->count + 1) * sizeof *r->order);
  for (int64_t i = 0; i < r->column_count; i++) r->columns[i] = i;
  for (int64_t i = 0; i < r->count; i++) r->order[i] = i;
  *ret = r;
  return TENON_OK;
}

static tenon_status rows_open(rows *r, tenon_stream *ret, tenon_error *err) {
  tenon_stream out = {.struct_size = sizeof out, .self = r, .next = rows_next, .close = rows_close};
  tenon_status status = rows_schema(r, &out.schema, err);
  if (!status) status = tn_builder_new(&out.schema, &r->builder, err);
  if (status) {
    tn_schema_release(&out.schema);
    rows_close(r);
    return status;
  }
  *ret = out;
  return TENON_OK;
}

/* ---- What is applied here ---- */

static tenon_status place_of(const rows *r, const char *name, int64_t *ret, tenon_error *err) {
  *ret = kept_column(&r->table->rows, name);
  return *ret >= 0 ? TENON_OK : tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, NULL,
                                           "there is no column %s", name);
}

static tenon_status apply_filter(rows *r, const tenon_filter *f, tn_arena *arena,
                                 tenon_error *err) {
  int64_t column, kept = 0;
  tenon_status status = place_of(r, f->column, &column, err);
  if (status) return status;
  const struct ArrowSchema *schema = r->table->rows.schema.children[column];
  cell *literals = tn_arena_alloc(arena, (f->value_count + 1) * sizeof *literals);
  for (size_t i = 0; i < f->value_count; i++)
    literals[i] = cell_of_value(schema, &f->values[i], arena);
  for (int64_t i = 0; i < r->count; i++) {
    cell c = kept_cell(&r->table->rows, r->order[i], column, arena);
    if (cell_holds(&c, f->op, literals, f->value_count)) r->order[kept++] = r->order[i];
  }
  r->count = kept;
  return TENON_OK;
}

static int compare_in_order(const cell *a, const cell *b, bool descending) {
  if (a->is_null || b->is_null) return a->is_null - b->is_null;
  int c = cell_compare(a, b);
  return descending ? -c : c;
}

/* Insertion into place: the tables of tests are small, and equal rows keep their order. */
static tenon_status apply_order(rows *r, const tenon_read *read, tn_arena *arena,
                                tenon_error *err) {
  for (size_t k = read->order_count; k-- > 0;) {
    int64_t column;
    tenon_status status = place_of(r, read->order[k].column, &column, err);
    if (status) return status;
    cell *cells = tn_arena_alloc(arena, (size_t)(r->count + 1) * sizeof *cells);
    for (int64_t i = 0; i < r->count; i++)
      cells[i] = kept_cell(&r->table->rows, r->order[i], column, arena);
    for (int64_t i = 1; i < r->count; i++) {
      cell c = cells[i];
      int64_t row = r->order[i], at = i;
      for (; at > 0 && compare_in_order(&cells[at - 1], &c, read->order[k].descending) > 0; at--)
        cells[at] = cells[at - 1], r->order[at] = r->order[at - 1];
      cells[at] = c, r->order[at] = row;
    }
  }
  return TENON_OK;
}

static tenon_status apply_after(rows *r, const tenon_read *read, tn_arena *arena,
                                tenon_error *err) {
  int64_t kept = 0;
  for (int64_t i = 0; i < r->count; i++) {
    int c = 0;
    for (size_t k = 0; k < read->order_count && c == 0; k++) {
      int64_t column;
      tenon_status status = place_of(r, read->order[k].column, &column, err);
      if (status) return status;
      cell a = kept_cell(&r->table->rows, r->order[i], column, arena);
      cell b = cell_of_value(r->table->rows.schema.children[column], &read->after[k], arena);
      c = compare_in_order(&a, &b, read->order[k].descending);
    }
    if (c > 0) r->order[kept++] = r->order[i];
  }
  r->count = kept;
  return TENON_OK;
}

/* The columns asked for and, behind them, those that the core needs for what is left to it. */
static tenon_status apply_columns(rows *r, const tenon_read *read, const tenon_rows *reply,
                                  tenon_error *err) {
  tenon_status status = TENON_OK;
  int64_t n = 0, room = (int64_t)(read->column_count + read->filter_count + read->order_count + 1);
  int64_t *columns = malloc((size_t)room * sizeof *columns);
  for (size_t i = 0; i < read->column_count && !status; i++)
    status = place_of(r, read->columns[i], &columns[n++], err);
  for (size_t i = 0; i < read->filter_count && !status; i++)
    if (!(reply->filters_applied >> i & 1))
      status = place_of(r, read->filters[i].column, &columns[n++], err);
  for (size_t i = 0; i < read->order_count && !status && !(reply->applied & TENON_APPLIED_ORDER);
       i++)
    status = place_of(r, read->order[i].column, &columns[n++], err);
  free(r->columns);
  r->columns = columns;
  r->column_count = 0;
  for (int64_t i = 0; i < n; i++) {
    bool again = false;
    for (int64_t k = 0; k < r->column_count; k++) again |= columns[k] == columns[i];
    if (!again) columns[r->column_count++] = columns[i];
  }
  return status;
}

static tenon_status apply(const session *s, rows *r, const tenon_read *read, tenon_rows *reply,
                          tn_arena *arena, tenon_error *err) {
  tenon_status status = TENON_OK;
  size_t applied = 0;
  for (size_t i = 0; i < read->filter_count && !status; i++) {
    if (!s->all && !(s->some && i % 2 == 0)) continue;
    status = apply_filter(r, &read->filters[i], arena, err);
    reply->filters_applied |= UINT64_C(1) << i;
    applied++;
  }
  if (!status && s->some && read->order_count) {
    status = apply_order(r, read, arena, err);
    reply->applied |= TENON_APPLIED_ORDER;
  }
  if (!status && s->all && read->after) {
    status = apply_after(r, read, arena, err);
    reply->applied |= TENON_APPLIED_AFTER;
  }
  bool all_done = applied == read->filter_count && (!read->order_count ||
                                                    reply->applied & TENON_APPLIED_ORDER) &&
                  (!read->after || reply->applied & TENON_APPLIED_AFTER);
  if (!status && s->all && read->limit >= 0 && all_done) {
    if (r->count > read->limit) r->count = read->limit;
    reply->applied |= TENON_APPLIED_LIMIT;
  }
  if (!status && s->some && read->columns) {
    status = apply_columns(r, read, reply, err);
    if (r->column_count == (int64_t)read->column_count) reply->applied |= TENON_APPLIED_COLUMNS;
  }
  return status;
}

/* ---- tables ---- */

/* The query language of this kind: "all of NAME". */
static tenon_status find_table(const session *s, const tenon_read *read, memory_table **ret,
                               tenon_error *err) {
  const char *name = read->name.table;
  if (read->query) {
    if (strncmp(read->query, "all of ", 7) != 0 || read->param_count)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write: all of TABLE",
                        "the query is none: %.40s", read->query);
    name = read->query + 7;
  }
  memory_lock(s->store);
  *ret = memory_table_find(s->store, name);
  memory_unlock(s->store);
  if (*ret) return TENON_OK;
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls` lists the tables",
                    "there is no table %.100s", name);
}

static tenon_status partition_of(rows *r, const tenon_read *read, tenon_error *err);

static tenon_status read_rows(tenon_ctx *ctx, void *self, const tenon_read *read, tenon_rows *ret,
                              tenon_error *err) {
  const session *s = self;
  memory_table *t = NULL;
  rows *r = NULL;
  tenon_rows reply = {.struct_size = sizeof reply};
  tn_arena arena;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find_table(s, read, &t, err);
  if (!status) status = rows_new(ctx, s, t, read, &r, err);
  if (status) return status;
  tn_arena_init(&arena, 256 << 20);
  if (read->partition) status = partition_of(r, read, err);
  if (!status) status = apply(s, r, read, &reply, &arena, err);
  tn_arena_release(&arena);
  if (status) {
    rows_close(r);
    return status;
  }
  status = rows_open(r, &reply.stream, err);
  if (!status) *ret = reply;
  return status;
}

static tenon_status list_schema(struct ArrowSchema *s, tenon_error *err) {
  static const struct { const char *name, *format; } columns[] = {
      {"catalog", "u"}, {"schema", "u"}, {"name", "u"}, {"kind", "u"}, {"rows_estimate",
                                                                        "l"}, {"comment", "u"}};
  tenon_status status = tn_schema_struct(s, 6, err);
  for (int i = 0; i < 6 && !status; i++)
    status = tn_schema_set(s->children[i], columns[i].name, columns[i].format, i != 2 && i != 3, 0,
                           err);
  return status;
}

static bool append_listed(tn_builder *b, const memory_table *t) {
  tn_column *c[6];
  for (int i = 0; i < 6; i++) c[i] = tn_builder_column(b, i);
  return tn_append_null(c[0]) && tn_append_null(c[1]) && tn_append_text(c[2], t->name) &&
      tn_append_text(c[3], "table") &&
         tn_append_i64(c[4], t->rows.row_count) && tn_append_null(c[5]);
}

/* A listing is a table of its own, read like any other. */
static tenon_status list_tables(tenon_ctx *ctx, void *self, const tenon_tables_list *request,
                                tenon_stream *ret, tenon_error *err) {
  const session *s = self;
  memory_table *listed = memory_table_new(""), *t;
  tn_builder *b = NULL;
  struct ArrowArray batch;
  tenon_status status = list_schema(&listed->rows.schema, err);
  if (!status) status = tn_builder_new(&listed->rows.schema, &b, err);
  int64_t n = 0;
  memory_lock(s->store);
  for (size_t i = 0; !status && !request->catalog && !request->schema &&
       (t = memory_table_at(s->store, i)); i++, n++) {
    if (!append_listed(b, t)) status = tn_append_failed(err);
    memory_table_unref(t);
  }
  memory_unlock(s->store);
  if (!status) status = tn_builder_finish(b, n, &batch, err);
  tn_builder_free(b);
  if (status) {
    memory_table_unref(listed);
    return status;
  }
  listed->rows.batches = malloc(sizeof batch);
  listed->rows.batches[0] = batch;
  listed->rows.batch_count = 1;
  listed->rows.rows = calloc((size_t)n + 1, sizeof *listed->rows.rows);
  for (int64_t i = 0; i < n; i++) listed->rows.rows[i].row = i;
  listed->rows.row_count = n;
  rows *r = NULL;
  status = rows_new(ctx, s, listed, NULL, &r, err);
  return status ? status : rows_open(r, ret, err);
}

typedef struct described {
  memory_table *table;
  tenon_column *columns;
  tenon_key key;
  const char *key_columns[1];
  char **types;
} described;

static void release_described(tenon_table *t) {
  described *d = t->self;
  for (int64_t i = 0; i < d->table->rows.schema.n_children; i++) tn_free(d->types[i]);
  free(d->types);
  free(d->columns);
  memory_table_unref(d->table);
  free(d);
  tn_schema_release(&t->schema);
  t->release = NULL;
}

static tenon_status describe(tenon_ctx *ctx, void *self, const tenon_read *read, tenon_table *ret,
                             tenon_error *err) {
  const session *s = self;
  memory_table *t = NULL;
  struct ArrowSchema schema;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find_table(s, read, &t, err);
  if (!status) status = tn_schema_copy(&t->rows.schema, &schema, err);
  if (status) {
    memory_table_unref(t);
    return status;
  }
  int64_t n = schema.n_children;
  described *d = calloc(1, sizeof *d);
  *d = (described){.table = t, .columns = calloc((size_t)n + 1, sizeof *d->columns), .types = calloc((size_t)n + 1, sizeof *d->types)};
  for (int64_t i = 0; i < n; i++) {
    tn_str type;
    tn_str_init(&type, 1000);
    tn_type_name(schema.children[i], &type);
    d->types[i] = tn_str_move(&type);
    d->columns[i] = (tenon_column){.name = t->rows.schema.children[i]->name, .type = d->types[i],
                                   .nullable = (schema.children[i]->flags & ARROW_FLAG_NULLABLE) != 0};
    if (t->key && strcmp(t->key, d->columns[i].name) == 0) d->columns[i].key_position = 1;
  }
  d->key_columns[0] = t->key;
  d->key = (tenon_key){.kind = "primary", .columns = d->key_columns, .column_count = 1};
  *ret = (tenon_table){.struct_size = sizeof *ret, .name = t->name, .kind = "table", .rows_estimate = t->rows.row_count, .bytes_estimate = -1,
                       .columns = d->columns, .column_count = (size_t)n, .keys =
                           &d->key, .key_count = t->key != NULL,
                       .schema = schema, .self = d, .release = release_described};
  return TENON_OK;
}

/* ---- plan: pieces of one version of a table ---- */

typedef struct memory_plan {
  atomic_int refs;             /* the plan, and those who read a piece of it */
  memory_table *table;
  uint64_t id;
  struct memory_plan *next;
  tenon_partition *partitions;
  struct piece { uint64_t id; int64_t from, to; } *pieces;
} memory_plan;

static memory_plan *plans;     /* those that were not released yet, under plan_store's lock */
static memory_store *plan_store;

static void release_plan(tenon_plan *p) {
  memory_plan *m = p->self;
  memory_lock(plan_store);
  for (memory_plan **at = &plans; *at; at = &(*at)->next)
    if (*at == m) {
      *at = m->next;
      break;
    }
  memory_unlock(plan_store);
  memory_table_unref(m->table);
  free(m->partitions);
  free(m->pieces);
  free(m);
  p->release = NULL;
}

static tenon_status plan_read(tenon_ctx *ctx, void *self, const tenon_plan_request *request,
                              tenon_plan *ret, tenon_error *err) {
  static uint64_t ids;
  memory_table *t = NULL;
  tenon_status status = host->check(ctx, err);
  if (!status) status = find_table(self, request->read, &t, err);
  if (status) return status;
  size_t n = request->partitions ? request->partitions : 1;
  memory_plan *m = calloc(1, sizeof *m);
  m->table = t;
  m->pieces = calloc(n, sizeof *m->pieces);
  m->partitions = calloc(n, sizeof *m->partitions);
  plan_store = memory_store_open("plans");
  memory_lock(plan_store);
  m->id = ++ids;
  m->next = plans;
  plans = m;
  memory_unlock(plan_store);
  for (size_t i = 0; i < n; i++) {
    m->pieces[i] = (struct piece){m->id, t->rows.row_count * (int64_t)i / (int64_t)n,
                                  t->rows.row_count * (int64_t)(i + 1) / (int64_t)n};
    m->partitions[i] = (tenon_partition){&m->pieces[i], sizeof m->pieces[i],
                                         m->pieces[i].to - m->pieces[i].from};
  }
  *ret = (tenon_plan){.struct_size = sizeof *ret, .partitions = m->partitions, .partition_count = n, .self = m, .release = release_plan};
  return TENON_OK;
}

/* The plan's version of the table, and its piece of the rows. */
static tenon_status partition_of(rows *r, const tenon_read *read, tenon_error *err) {
  struct piece piece;
  memory_table *t = NULL;
  if (read->partition_size != sizeof piece)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, NULL, "that is no partition of a plan");
  memcpy(&piece, read->partition, sizeof piece);
  memory_lock(plan_store);
  for (memory_plan *m = plans; m && !t; m = m->next)
    if (m->id == piece.id) t = m->table;
  if (t) atomic_fetch_add(&t->refs, 1);
  memory_unlock(plan_store);
  if (!t) return tenon_fail(err, TENON_GONE, TENON_STAGE_QUERY, "make a new plan",
                            "the plan of this partition was released");
  memory_table_unref(r->table);
  r->table = t;
  r->count = piece.to - piece.from;
  r->order = realloc(r->order, (size_t)(r->count + 1) * sizeof *r->order);
  for (int64_t i = 0; i < r->count; i++) r->order[i] = piece.from + i;
  return TENON_OK;
}

/* ---- write ---- */

/* Columns match by name: place[i] is where the table's column i is in what comes. */
static tenon_status match_columns(const struct ArrowSchema *have, const struct ArrowSchema *come,
                                  int64_t *place, tenon_error *err) {
  const char *const remedy = "give the columns of the table";
  for (int64_t i = 0; i < have->n_children; i++) {
    place[i] = -1;
    for (int64_t k = 0; k < come->n_children; k++)
      if (strcmp(have->children[i]->name, come->children[k]->name) == 0) place[i] = k;
    if (place[i] < 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, remedy, "column %s is missing",
                        have->children[i]->name);
    if (strcmp(have->children[i]->format, come->children[place[i]]->format) != 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, remedy,
                        "column %s cannot hold what comes", have->children[i]->name);
  }
  for (int64_t k = 0; k < come->n_children; k++) {
    bool found = false;
    for (int64_t i = 0; i < have->n_children; i++) found |= place[i] == k;
    if (!found) return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, remedy,
                                  "column %s is not in the table", come->children[k]->name);
  }
  return TENON_OK;
}

static bool same_key(const kept_rows *a, int64_t i, const kept_rows *b, int64_t k,
                     const tenon_write *w, tn_arena *arena) {
  for (size_t n = 0; n < w->key_count; n++) {
    cell x = kept_cell(a, i, kept_column(a, w->keys[n]), arena), y =
        kept_cell(b, k, kept_column(b, w->keys[n]), arena);
    if (x.is_null || y.is_null || cell_compare(&x, &y) != 0) return false;
  }
  return true;
}

static tenon_status check_keys(const kept_rows *come, const tenon_write *w, tn_arena *arena,
                               tenon_error *err) {
  if (w->key_count == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, "name the keys",
                      "an upsert without keys");
  for (size_t n = 0; n < w->key_count; n++)
    if (kept_column(come, w->keys[n]) < 0)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_WRITE, NULL, "there is no key column %s",
                        w->keys[n]);
  for (int64_t i = 0; i < come->row_count; i++)
    for (int64_t k = 0; k < i; k++)
      if (same_key(come, i, come, k, w, arena))
        return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "give each key once",
                          "rows %lld and %lld have the same key", (long long)k, (long long)i);
  return TENON_OK;
}

typedef struct target {
  tn_builder *builder;
  int64_t columns, rows;
} target;

static tenon_status copy_row(target *to, const kept_rows *from, int64_t row, const int64_t *place,
                             tenon_error *err) {
  const struct ArrowArray *batch = &from->batches[from->rows[row].batch];
  int64_t at = batch->offset + from->rows[row].row;
  for (int64_t i = 0; i < to->columns; i++)
    if (!tn_gather(tn_builder_column(to->builder, i), batch->children[place ? place[i] : i], &at,
                   1)) return tn_append_failed(err);
  to->rows++;
  return TENON_OK;
}

/* The new version: what stays of the old, and what comes. */
static tenon_status merge(const memory_table *old, const kept_rows *come, const tenon_write *w,
                          memory_table *t, tn_arena *arena, tenon_error *err) {
  const struct ArrowSchema *schema = old ? &old->rows.schema : &come->schema;
  int64_t *place = calloc((size_t)schema->n_children + 1, sizeof *place);
  target to = {.columns = schema->n_children};
  struct ArrowArray batch;
  tenon_status status = match_columns(schema, &come->schema, place, err);
  if (!status && w->mode == TENON_UPSERT) status = check_keys(come, w, arena, err);
  if (!status) status = tn_schema_copy(schema, &t->rows.schema, err);
  if (!status) status = tn_builder_new(schema, &to.builder, err);
  for (int64_t i = 0; !status && old && w->mode != TENON_REPLACE && i < old->rows.row_count; i++) {
    bool replaced = false;
    for (int64_t k = 0; w->mode == TENON_UPSERT && k < come->row_count && !replaced; k++)
      replaced = same_key(&old->rows, i, come, k, w, arena);
    if (!replaced) status = copy_row(&to, &old->rows, i, NULL, err);
  }
  for (int64_t i = 0; !status && i < come->row_count; i++)
    status = copy_row(&to, come, i, place, err);
  if (!status) status = tn_builder_finish(to.builder, to.rows, &batch, err);
  tn_builder_free(to.builder);
  free(place);
  if (status) return status;
  t->rows.batches = malloc(sizeof batch);
  t->rows.batches[0] = batch;
  t->rows.batch_count = 1;
  t->rows.rows = calloc((size_t)to.rows + 1, sizeof *t->rows.rows);
  for (int64_t i = 0; i < to.rows; i++) t->rows.rows[i].row = i;
  t->rows.row_count = to.rows;
  return TENON_OK;
}

static tenon_status write_rows(tenon_ctx *ctx, void *self, const tenon_write *w, tenon_written *ret,
                               tenon_error *err) {
  const session *s = self;
  kept_rows come;
  tn_arena arena;
  tenon_status status = keep_rows(w->rows, &come, err);
  if (status) return status;
  tn_arena_init(&arena, 256 << 20);
  status = host->check(ctx, err);
  memory_lock(s->store);
  memory_table *old = memory_table_find(s->store, w->name.table), *t =
      memory_table_new(w->name.table);
  if (!status && w->mode == TENON_CREATE && old)
    status = tenon_fail(err, TENON_CONFLICT, TENON_STAGE_WRITE, "choose another mode",
                        "table %s is there already", w->name.table);
  if (!status && w->mode != TENON_CREATE && !old)
    status = tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_WRITE, "create it",
                        "there is no table %s", w->name.table);
  if (!status) status = merge(old, &come, w, t, &arena, err);
  if (!status && old && old->key) t->key = strdup(old->key);
  if (!status) memory_table_put(s->store, t);
  memory_unlock(s->store);
  memory_table_unref(old);
  if (status) memory_table_unref(t);
  else *ret = (tenon_written){.struct_size = sizeof *ret, .rows = come.row_count,
                              .atomicity = TENON_ATOMIC_ALL};
  tn_arena_release(&arena);
  kept_release(&come);
  return status;
}

/* "drop NAME" */
static tenon_status execute(tenon_ctx *ctx, void *self, const tenon_execute *request,
                            tenon_executed *ret, tenon_error *err) {
  const session *s = self;
  tenon_status status = host->check(ctx, err);
  if (status) return status;
  if (strncmp(request->statement, "drop ", 5) != 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, "write: drop TABLE",
                      "the statement is none: %.40s", request->statement);
  memory_lock(s->store);
  memory_table *t = memory_table_find(s->store, request->statement + 5);
  if (t) memory_table_drop(s->store, t->name);
  memory_unlock(s->store);
  if (!t) return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, NULL,
                            "there is no table %.100s", request->statement + 5);
  *ret = (tenon_executed){.struct_size = sizeof *ret, .rows = t->rows.row_count};
  memory_table_unref(t);
  return TENON_OK;
}

static const tenon_tables_ops tables = {.struct_size = sizeof tables, .list = list_tables,
                                        .describe = describe, .plan = plan_read,
                                        .read = read_rows, .write = write_rows, .execute = execute};

extern const tenon_objects_ops memory_objects;
extern const tenon_actions_ops memory_actions;
tenon_status memory_objects_init(const tenon_host *);

static tenon_status init_all(const tenon_host *h, tenon_error *err) {
  memory_objects_init(h);
  return init(h, err);
}

memory_store *memory_session_store(void *s);
memory_store *memory_session_store(void *s) { return ((session *)s)->store; }

/* ---- The kind ---- */

static const char *const pushdowns[] = {"none", "some", "all", NULL};

static const tenon_param params[] = {
    {TENON_STRING(memory_config, store), .key = "store", .label = "Store", .help = "its name",
     .flags = TENON_REQUIRED},
    {TENON_ENUM(memory_config, pushdown), .key = "pushdown", .label = "Pushdown",
     .help = "what it applies itself", .choices = pushdowns, .default_value = "none"},
    {TENON_STRING(memory_config, password), .key = "password", .label = "Password",
     .help = "any but one", .flags = TENON_SECRET},
    {TENON_DURATION(memory_config, slow), .key = "slow", .label = "Slow",
     .help = "time that each batch takes", .default_value = "0"},
    {TENON_INTEGER(memory_config, pool_size), .key = "pool_size", .label = "Idle",
     .help = "sessions kept", .default_value = "5", .min = 0, .max = 100},
    {TENON_INTEGER(memory_config, max_overflow), .key = "max_overflow", .label = "More",
     .help = "sessions at most", .default_value = "15", .min = 0, .max = 100},
};

const tenon_provider memory_kind = {
    .struct_size = sizeof memory_kind,
    .abi = TENON_ABI,
    .kind = "memory",
    .category = "sql",
    .label = "Memory",
    .summary = "Tables and objects in the memory of this process.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(memory_config),
    .traits = TENON_POOLED | TENON_QUERYABLE,
    .init = init_all,
    .test = test,
    .open = open_session,
    .close = close_session,
    .tables = &tables,
    .objects = &memory_objects,
    .actions = &memory_actions,
};
