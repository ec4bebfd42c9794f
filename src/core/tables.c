/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calling functions of the facet `tables`. A read is met whole: what the system leaves, the core
 * does. Filters reach a provider as values of the columns' own types, so a read with filters asks
 * for the description first.
 */
#include <stdatomic.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "base/error.h"
#include "core/apply.h"
#include "core/filters.h"
#include "core/held.h"

enum { MAX_FILTERS = 64, MAX_ORDER = 64 };

static tenon_status call(tenon_ctx *ctx, tn_session *s, tn_op_id op, const void *request,
                         void *reply, tenon_error *err) {
  const tn_call c = {.op = op, .request = request, .reply = reply};
  return tn_call_run(ctx, s, &c, NULL, err);
}

/* ---- list, describe, execute, write ---- */

static tenon_status export_rows(tenon_ctx *own, tenon_stream *rows, struct ArrowArrayStream *ret,
                                tenon_error *err) {
  return tn_stream_export(own, rows, NULL, NULL, ret, err);
}

tenon_status tn_tables_list(tenon_ctx *ctx, tn_session *s, const tenon_tables_list *request,
                            struct ArrowArrayStream *ret,
                            tenon_error *err) {
  static const tenon_tables_list all = {.struct_size = sizeof all};
  tenon_stream reply = {.struct_size = sizeof reply}, rows;
  tenon_ctx *own;
  tenon_status status = tn_held_open(ctx, s, TN_OP_tables_list, request ? request : &all, &reply,
                                     &reply, &rows, &own, err);
  if (status) return status;
  status = export_rows(own, &rows, ret, err);
  tenon_ctx_free(own);
  return status;
}

tenon_status tn_tables_execute(tenon_ctx *ctx, tn_session *s, const tenon_execute *request,
                               tenon_executed *ret, tenon_error *err) {
  tenon_executed reply = {.struct_size = sizeof reply, .rows = -1};
  tenon_status status = call(ctx, s, TN_OP_tables_execute, request, &reply, err);
  if (!status) *ret = reply;
  return status;
}

tenon_status tn_tables_write(tenon_ctx *ctx, tn_session *s, const tenon_write *request,
                             tenon_written *ret, tenon_error *err) {
  tenon_written reply = {.struct_size = sizeof reply};
  tenon_status status = call(ctx, s, TN_OP_tables_write, request, &reply, err);
  /* consumed, whoever stopped before */
  if (request->rows->release) request->rows->release(request->rows);
  if (!status) *ret = reply;
  return status;
}

/* ---- Requests ---- */

/* As large as ours, whatever the caller's was; zeroed memory asks for everything. */
static tenon_read normal_read(const tenon_read *read) {
  tenon_read r = TENON_READ_INIT;
  size_t size = read->struct_size ? read->struct_size : sizeof r;
  memcpy(&r, read, size < sizeof r ? size : sizeof r);
  r.struct_size = sizeof r;
  if (!read->struct_size && r.limit == 0) r.limit = -1;
  if (r.column_count == 0) r.columns = NULL;
  if (r.order_count == 0) r.after = NULL;
  if (r.numeric_as && strcmp(r.numeric_as, "text") == 0) r.numeric_as = NULL;
  return r;
}

/* Also where no column needs it: a word that means nothing is not passed over. */
static bool is_number_type(const char *text) {
  char format[TN_FORMAT_ROOM];
  return tn_format_of_name(text, strlen(text), format) && (strcmp(format, "g") == 0 || strncmp(format, "d:", 2) == 0);
}

static tenon_status check_read(const tenon_read *r, tenon_error *err) {
  const char *why = NULL;
  if (r->numeric_as && !is_number_type(r->numeric_as))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write text, float64 or decimal(38,10)",
                      "numeric_as cannot be %.80s", r->numeric_as);
  if (!r->query && !r->name.table) why = "neither a table nor a query is named";
  if (r->query && r->name.table) why = "both a table and a query are named";
  const char *remedy = "name one table, such as TARGET:schema.table, or one query";
  if (r->filter_count > MAX_FILTERS || r->order_count > MAX_ORDER)
    remedy = "say it with fewer of them, or with a query in the system's own language";
  if (r->filter_count > MAX_FILTERS) why = "there are more than 64 filters";
  if (r->order_count > MAX_ORDER) why = "the order has more than 64 columns";
  if (!why) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_QUERY, remedy, "the read cannot be: %s", why);
}

tenon_status tn_tables_describe(tenon_ctx *ctx, tn_session *s, const tenon_read *request,
                                tenon_table *ret, tenon_error *err) {
  const tenon_read read = normal_read(request);
  tenon_table reply = {.struct_size = sizeof reply, .rows_estimate = -1, .bytes_estimate = -1};
  tenon_status status = check_read(&read, err);
  if (!status) status = call(ctx, s, TN_OP_tables_describe, &read, &reply, err);
  if (!status) *ret = reply;
  return status;
}

/* ---- read ---- */

static _Atomic(tn_sort_fn) sorter;

void tn_set_sorter(tn_sort_fn fn) { atomic_store(&sorter, fn); }

/* The columns as they are declared, also where special_values=text reads text. */
static tenon_status describe_declared(tenon_ctx *ctx, tn_session *s, const tenon_read *r,
                                      tenon_table *ret, tenon_error *err) {
  tenon_read whole = *r;
  whole.columns = NULL;
  whole.column_count = whole.filter_count = whole.order_count = 0;
  whole.after = NULL;
  if (r->special_values == TENON_SPECIAL_TEXT) whole.special_values = TENON_SPECIAL_ERROR;
  return tn_tables_describe(ctx, s, &whole, ret, err);
}

static tenon_status convert_to(const struct ArrowSchema *schema, tenon_read *r, tn_arena *arena,
                               tenon_error *err) {
  bool declared = r->special_values == TENON_SPECIAL_TEXT;
  tenon_filter *filters = NULL;
  tenon_value *after = NULL;
  tenon_status status = (declared ? tn_filters_declared : tn_filters_convert)(
      schema, r->filters, r->filter_count, arena, &filters, err);
  if (!status && r->after)
    status = (declared ? tn_after_declared : tn_after_convert)(schema, r->order, r->order_count,
                                                               r->after, arena, &after, err);
  if (status) return status;
  r->filters = filters;
  r->after = after;
  return TENON_OK;
}

/* Filters and key in the columns' own types; *ret_declared has those where text may be read. */
static tenon_status convert(tenon_ctx *ctx, tn_session *s, tenon_read *r, tn_arena *arena,
                            struct ArrowSchema *ret_declared, tenon_error *err) {
  bool as_text = r->special_values == TENON_SPECIAL_TEXT;
  tenon_table table;
  if (r->filter_count == 0 && !r->after && !(as_text && r->order_count)) return TENON_OK;
  tenon_status status = describe_declared(ctx, s, r, &table, err);
  if (status) return status;
  status = convert_to(&table.schema, r, arena, err);
  if (!status && as_text) status = tn_schema_copy(&table.schema, ret_declared, err);
  if (table.release) table.release(&table);
  return status;
}

/* Of one column: what was left of it means the same here, or is refused. */
static tenon_status check_left_column(const tenon_rows *rows, const struct ArrowSchema *declared,
                                      const char *name, const char *what, tenon_error *err) {
  int64_t at = 0, declared_at = 0;
  tenon_status status = tn_column_find(&rows->stream.schema, name, &at, err);
  if (!status && declared->release) status = tn_column_find(declared, name, &declared_at, err);
  if (status) return status;
  return tn_check_compared(rows->stream.schema.children[at],
                           declared->release ? declared->children[declared_at] : NULL, what, err);
}

/* What the system left for the core, where text is read of what is none. */
static tenon_status check_left(const tenon_read *r, const tenon_rows *rows,
                               const struct ArrowSchema *declared, tn_arena *arena,
                               tenon_error *err) {
  bool order = !(rows->applied & TENON_APPLIED_ORDER) ||
               (r->after && !(rows->applied & TENON_APPLIED_AFTER));
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < r->filter_count && declared->release && !status; i++) {
    const tenon_filter *f = &r->filters[i];
    tenon_filter *unused;
    if (rows->filters_applied >> i & 1 || f->op == TENON_IS_NULL || f->op == TENON_IS_NOT_NULL)
      continue;
    status = tn_filters_convert(declared, f, 1, arena, &unused, err);
    if (!status) status = check_left_column(rows, declared, f->column, "filter on", err);
  }
  for (size_t i = 0; i < r->order_count && order && !status; i++)
    status = check_left_column(rows, declared, r->order[i].column, "order by", err);
  return status;
}

static bool holds_never(const tenon_read *r) {
  for (size_t i = 0; i < r->filter_count; i++)
    if (tn_filter_is_never(&r->filters[i])) return true;
  return false;
}

/* No rows are asked for then, and none of the conditions. */
static void ask_nothing_if_never(tenon_read *r) {
  if (!holds_never(r)) return;
  r->limit = 0;
  r->filters = NULL;
  r->filter_count = 0;
}

static bool has_name(const char *const *names, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcmp(names[i], name) == 0) return true;
  return false;
}

/* The columns asked for, and behind them those that filters and order look at. */
static tenon_status with_needed(tenon_read *r, tn_arena *arena, tenon_error *err) {
  size_t n = r->column_count;
  const char **names = tn_arena_alloc(arena,
                                      (n + r->filter_count + r->order_count) * sizeof *names);
  if (!names) return tn_no_memory(err);
  memcpy(names, r->columns, n * sizeof *names);
  for (size_t i = 0; i < r->filter_count; i++)
    if (!has_name(names, n, r->filters[i].column)) names[n++] = r->filters[i].column;
  for (size_t i = 0; i < r->order_count; i++)
    if (!has_name(names, n, r->order[i].column)) names[n++] = r->order[i].column;
  r->columns = names;
  r->column_count = n;
  return TENON_OK;
}

static tenon_status open_rows(tenon_ctx *ctx, tn_session *s, const tenon_read *asked,
                              tenon_rows *ret, tenon_ctx **ret_ctx, tenon_error *err) {
  tenon_rows reply = {.struct_size = sizeof reply};
  tenon_stream rows;
  tenon_status status = tn_held_open(ctx, s, TN_OP_tables_read, asked, &reply, &reply.stream, &rows,
                                     ret_ctx, err);
  if (status) return status;
  *ret = reply;
  ret->stream = rows;
  return TENON_OK;
}

/* A system may leave a filter on a column that it was not asked for: then it is asked again. */
static tenon_status open_sufficient(tenon_ctx *ctx, tn_session *s, const tenon_read *r,
                                    tn_arena *arena, tenon_rows *ret,
                                    tenon_ctx **ret_ctx, tenon_error *err) {
  tenon_read asked = *r;
  ask_nothing_if_never(&asked);
  tenon_status status = open_rows(ctx, s, &asked, ret, ret_ctx, err);
  if (status || !r->columns || holds_never(r) || tn_rows_suffice(r, ret)) return status;
  tn_stream_close(&ret->stream);
  tenon_ctx_free(*ret_ctx);
  status = with_needed(&asked, arena, err);
  return status ? status : open_rows(ctx, s, &asked, ret, ret_ctx, err);
}

static tenon_status sort_rows(tenon_ctx *own, const tenon_read *r, tenon_rows *rows,
                              tenon_error *err) {
  tn_sort_fn sort = atomic_load(&sorter);
  tenon_read filters_only = *r;
  struct ArrowArrayStream unsorted, sorted;
  filters_only.columns = NULL;
  filters_only.column_count = filters_only.order_count = 0;
  filters_only.after = NULL;
  filters_only.limit = -1;
  if (!sort) {
    tn_stream_close(&rows->stream);
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "leave the order away",
                      "this system cannot put rows in order");
  }
  tenon_status status = tn_rows_complete(&filters_only, rows, err);
  if (!status) status = export_rows(own, &rows->stream, &unsorted, err);
  if (!status) status = sort(own, &unsorted, r->order, r->order_count, &sorted, err);
  if (!status) status = tn_stream_import(&sorted, &rows->stream, err);
  rows->applied = TENON_APPLIED_ORDER;
  rows->filters_applied = UINT64_MAX;
  return status;
}

static tenon_status complete(tenon_ctx *own, const tenon_read *r, tenon_rows *rows,
                             struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_read rest = *r;
  tenon_status status = TENON_OK;
  if (holds_never(r)) {
    rest.filter_count = rest.order_count = 0;
    rest.after = NULL;
    rest.limit = 0;
    rows->applied = 0;
  } else if (r->order_count && !(rows->applied & TENON_APPLIED_ORDER)) {
    status = sort_rows(own, r, rows, err);
  }
  if (!status) status = tn_rows_complete(&rest, rows, err);
  return status ? status : export_rows(own, &rows->stream, ret, err);
}

tenon_status tn_tables_read(tenon_ctx *ctx, tn_session *s, const tenon_read *request,
                            struct ArrowArrayStream *ret,
                            tn_applied *ret_applied, tenon_error *err) {
  tenon_read read = normal_read(request);
  struct ArrowSchema declared = {0};
  tenon_rows rows;
  tenon_ctx *own = NULL;
  tn_arena arena;
  tn_arena_init(&arena, 64 << 20);
  tenon_status status = check_read(&read, err);
  if (!status) status = convert(ctx, s, &read, &arena, &declared, err);
  if (!status) status = open_sufficient(ctx, s, &read, &arena, &rows, &own, err);
  if (!status) {
    const tn_applied applied = {rows.applied, rows.filters_applied};
    if (!holds_never(&read)) status = check_left(&read, &rows, &declared, &arena, err);
    if (status) tn_stream_close(&rows.stream);
    else status = complete(own, &read, &rows, ret, err);
    tenon_ctx_free(own);
    if (!status && ret_applied) *ret_applied = applied;
  }
  tn_schema_release(&declared);
  tn_arena_release(&arena);
  return status;
}

/* ---- plan: it keeps the session that holds its snapshot ---- */

typedef struct held_plan {
  tenon_plan in;
  tn_session *session;
} held_plan;

static void release_plan(tenon_plan *plan) {
  held_plan *h = plan->self;
  if (h->in.release) h->in.release(&h->in);
  tn_session_unhold(h->session);
  tn_free(h);
  plan->self = NULL;
  plan->release = NULL;
}

tenon_status tn_tables_plan(tenon_ctx *ctx, tn_session *s, const tenon_plan_request *request,
                            tenon_plan *ret, tenon_error *err) {
  tenon_read read = normal_read(request->read);
  const tenon_plan_request own = {.struct_size = sizeof own, .read = &read,
                                  .partitions = request->partitions};
  struct ArrowSchema declared = {0};
  tn_arena arena;
  held_plan *h = tn_alloc(sizeof *h);
  if (!h) return tn_no_memory(err);
  h->in.struct_size = sizeof h->in;
  tn_arena_init(&arena, 64 << 20);
  tenon_status status = check_read(&read, err);
  if (!status) status = convert(ctx, s, &read, &arena, &declared, err);
  tn_schema_release(&declared);
  if (!status) ask_nothing_if_never(&read);
  if (!status) status = call(ctx, s, TN_OP_tables_plan, &own, &h->in, err);
  tn_arena_release(&arena);
  if (status) {
    tn_free(h);
    return status;
  }
  h->session = s;
  tn_session_hold(s);
  *ret = h->in;
  ret->self = h;
  ret->release = release_plan;
  return TENON_OK;
}
