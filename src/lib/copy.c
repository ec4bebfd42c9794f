/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "base/ctx.h"
#include "base/error.h"
#include "lib/handle.h"
#include "lib/destination.h"

/* One copy under way. One batch is in flight: it is written before the next is asked for. */
typedef struct copying {
  tenon_ctx *ctx;
  struct ArrowArrayStream *rows;
  tn_writer writer;
  tenon_progress progress;
  int fd;
  int64_t started_ms;
  const tenon_copy_options *options;
} copying;

/* A pipe does not know how much went through it. */
static int64_t written(int fd) {
  struct stat st;
  return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) ? st.st_size : -1;
}

static void tell(copying *c) {
  c->progress.bytes = written(c->fd);
  c->progress.elapsed_ms = tn_now_ms() - c->started_ms;
  if (c->options && c->options->progress)
    c->options->progress(c->options->progress_arg, &c->progress);
}

static tenon_status copy_batch(copying *c, bool *ret_more, tenon_error *err) {
  struct ArrowArray batch = {0};
  tenon_status status = tn_ctx_check(c->ctx, err);
  if (status) return status;
  int code = c->rows->get_next(c->rows, &batch);
  if (code) return tenon_stream_error(c->rows, code, err);
  *ret_more = batch.release != NULL;
  if (!*ret_more) return TENON_OK;
  c->progress.rows += batch.length;
  status = c->writer.write(c->writer.self, &batch, err);
  if (!status) tell(c);
  return status;
}

static tenon_status make_writer(copying *c, tn_destination *place, tenon_error *err) {
  struct ArrowSchema schema = {0};
  int code = c->rows->get_schema(c->rows, &schema);
  if (code) return tenon_stream_error(c->rows, code, err);
  tenon_status status = tn_destination_open(place, err);
  c->fd = place->fd;
  if (!status)
    status = place->format->writer(c->ctx, place->fd, &schema, &place->options, &c->writer, err);
  tn_schema_release(&schema);
  return status;
}

static tenon_status copy_all(copying *c, tn_destination *place, tenon_copied *ret,
                             tenon_error *err) {
  tenon_status status = make_writer(c, place, err);
  if (status) return status;
  int64_t bytes = 0;
  for (bool more = true; more && !status;) status = copy_batch(c, &more, err);
  if (!status) status = c->writer.finish(c->writer.self, &bytes, err);
  if (!status) tell(c);
  c->writer.free(c->writer.self);
  if (!status) status = tn_destination_commit(place, c->ctx, err);
  if (status) return status;
  if (ret) {
    ret->rows = c->progress.rows;
    ret->bytes = bytes;
    ret->elapsed_ms = tn_now_ms() - c->started_ms;
  }
  return TENON_OK;
}

static tenon_status copy_into(copying *c, tn_destination *place, tenon_copied *ret,
                              tenon_error *err) {
  tenon_status status = copy_all(c, place, ret, err);
  c->rows->release(c->rows);
  tn_destination_release(place);
  return status;
}

static copying start(tenon *t, tenon_ctx *ctx, struct ArrowArrayStream *rows,
                     const tenon_copy_options *options) {
  return (copying){
      .ctx = tn_lib_ctx(t, ctx), .rows = rows, .options = options, .started_ms = tn_now_ms(),
      .progress = {.struct_size = sizeof(tenon_progress), .rows_estimate = -1},
  };
}

tenon_status tenon_copy_rows(tenon_ctx *ctx, tenon *t, struct ArrowArrayStream *rows,
                             const char *to, const tenon_copy_options *options, tenon_copied *ret,
                             tenon_error *err) {
  tn_destination place;
  struct ArrowArrayStream taken = *rows;
  rows->release = NULL;
  copying c = start(t, ctx, &taken, options);
  tenon_status status = tn_destination_init(&place, c.ctx, t, to, options, err);
  if (!status) return copy_into(&c, &place, ret, err);
  taken.release(&taken);
  return status;
}

/* ---- From a target ---- */

static tenon_status open_source(tenon_ctx *ctx, tenon *t, const char *from,
                                const tenon_copy_options *options, const tn_destination *to,
                                tenon_session **ret, tenon_error *err) {
  const tenon_setting *settings = options ? options->from_settings : NULL;
  tenon_session *session;
  tenon_status status =
      tenon_open(ctx, t, from, settings, options ? options->from_count : 0, &session, err);
  if (status) return status;
  status = tn_destination_apart(to, session, err);
  if (status) tenon_close(session);
  else *ret = session;
  return status;
}

/* For the time that is left; not worth a failure, nor asked where nobody looks. */
static int64_t estimate(tenon_ctx *ctx, tenon_session *s, const tenon_copy_options *options) {
  const tenon_read *read = options ? options->read : NULL;
  tenon_table table;
  if (!options || !options->progress || (read && (read->query || read->filter_count))) return -1;
  if (tenon_describe_table(ctx, s, read, &table, NULL)) return -1;
  int64_t rows = table.rows_estimate;
  table.release(&table);
  return read && read->limit >= 0 && read->limit < rows ? read->limit : rows;
}

static tenon_status copy_from(copying *c, tenon *t, const char *from, tn_destination *place,
                              tenon_copied *ret, tenon_error *err) {
  tenon_session *session;
  tenon_status status = open_source(c->ctx, t, from, c->options, place, &session, err);
  if (status) return status;
  c->progress.rows_estimate = estimate(c->ctx, session, c->options);
  status =
      tenon_read_table(c->ctx, session, c->options ? c->options->read : NULL, c->rows, NULL, err);
  if (!status) status = copy_into(c, place, ret, err);
  tenon_close(session);
  return status;
}

tenon_status tenon_copy(tenon_ctx *ctx, tenon *t, const char *from, const char *to,
                        const tenon_copy_options *options, tenon_copied *ret, tenon_error *err) {
  tn_destination place;
  struct ArrowArrayStream rows;
  copying c = start(t, ctx, &rows, options);
  /* what is wrong with the place is said before anything is asked of the source */
  tenon_status status = tn_destination_init(&place, c.ctx, t, to, options, err);
  if (status) return status;
  status = copy_from(&c, t, from, &place, ret, err);
  tn_destination_release(&place);
  return status;
}

/* ---- Planning ---- */

typedef struct planning {
  tn_arena arena;
  tenon_table table;
  struct ArrowSchema schema;   /* as it is read */
  tenon_planned_column *columns;
  tn_destination to;
} planning;

enum { MAX_PLAN = 64 << 20, MAX_TYPE = 4096 };

static void release_planning(planning *p) {
  if (p->table.release) p->table.release(&p->table);
  tn_schema_release(&p->schema);
  tn_destination_release(&p->to);
  tn_arena_release(&p->arena);
  tn_free(p);
}

static void release_plan(tenon_copy_plan *plan) {
  release_planning(plan->self);
  *plan = (tenon_copy_plan){0};
}

static const tenon_column *described(const planning *p, const char *name) {
  for (size_t i = 0; i < p->table.column_count; i++)
    if (strcmp(p->table.columns[i].name, name) == 0) return &p->table.columns[i];
  return NULL;
}

static bool is_wanted(const tenon_read *read, const char *name) {
  if (!read->columns) return true;
  for (size_t i = 0; i < read->column_count; i++)
    if (strcmp(read->columns[i], name) == 0) return true;
  return false;
}

/* A read that would be refused for a column that cannot be read is planned from the description. */
static bool has_unreadable(const planning *p, const tenon_read *read) {
  for (size_t i = 0; i < p->table.column_count; i++)
    if (p->table.columns[i].unreadable && is_wanted(read, p->table.columns[i].name)) return true;
  return false;
}

/* Begins the read as the copy would, so that whatever it refuses is refused now, and reads nothing. */
static tenon_status read_schema(tenon_ctx *ctx, tenon_session *s, const tenon_read *read,
                                struct ArrowSchema *ret, tenon_error *err) {
  tenon_read none = *read;
  struct ArrowArrayStream rows;
  none.limit = 0;
  tenon_status status = tenon_read_table(ctx, s, &none, &rows, NULL, err);
  if (status) return status;
  int code = rows.get_schema(&rows, ret);
  status = tenon_stream_error(&rows, code, err);
  rows.release(&rows);
  return status;
}

static tenon_status look(planning *p, tenon_ctx *ctx, tenon_session *s, const tenon_read *read,
                         tenon_error *err) {
  tenon_status status = tenon_describe_table(ctx, s, read, &p->table, err);
  if (status) return status;
  if (has_unreadable(p, read)) return tn_schema_copy(&p->table.schema, &p->schema, err);
  return read_schema(ctx, s, read, &p->schema, err);
}

/* Does the sink take this column alone? Its message says why not. */
static tenon_status refusal(planning *p, tenon_ctx *ctx, int64_t i, tenon_error *why) {
  struct ArrowSchema one = p->schema;
  one.n_children = 1;
  one.children = &p->schema.children[i];
  return tn_destination_accepts(ctx, &p->to, &one, why);
}

static bool plan_column(planning *p, tenon_ctx *ctx, int64_t i, bool all_accepted,
                        tenon_planned_column *ret) {
  const struct ArrowSchema *column = p->schema.children[i];
  const tenon_column *source = described(p, column->name);
  char to_type[64];
  tn_str type;
  tn_str_init(&type, MAX_TYPE);
  tn_type_name(column, &type);
  ret->name = column->name;
  ret->from_type = source ? source->type : NULL;
  ret->remark = source ? source->remark : NULL;
  ret->type = tn_arena_strdup(&p->arena, tn_str_text(&type));
  tn_str_release(&type);
  ret->landing = tn_destination_landing(p->to.format, column, to_type, sizeof to_type);
  ret->to_type = tn_arena_strdup(&p->arena, to_type);
  tenon_error why = TENON_ERROR_INIT;
  if (source && source->unreadable) {
    ret->landing = TENON_LANDS_REFUSED;
  } else if (!all_accepted && refusal(p, ctx, i, &why)) {
    ret->landing = TENON_LANDS_REFUSED;
    ret->remark = tn_arena_strdup(&p->arena, why.message);
  }
  if (ret->landing == TENON_LANDS_REFUSED) ret->to_type = "";
  return ret->type && ret->to_type;
}

static tenon_status plan_columns(planning *p, tenon_ctx *ctx, const tenon_read *read,
                                 size_t *ret_count, tenon_error *err) {
  size_t count = 0;
  bool all_accepted = tn_destination_accepts(ctx, &p->to, &p->schema, NULL) == TENON_OK;
  p->columns = tn_arena_alloc(&p->arena, ((size_t)p->schema.n_children + 1) * sizeof *p->columns);
  if (!p->columns) return tn_no_memory(err);
  for (int64_t i = 0; i < p->schema.n_children; i++) {
    if (!is_wanted(read, p->schema.children[i]->name)) continue;
    if (!plan_column(p, ctx, i, all_accepted, &p->columns[count++])) return tn_no_memory(err);
  }
  *ret_count = count;
  return TENON_OK;
}

static tenon_status plan(planning *p, tenon_ctx *ctx, tenon *t, const char *from,
                         const tenon_copy_options *options, size_t *ret_count, tenon_error *err) {
  static const tenon_read all = TENON_READ_INIT;
  const tenon_read *read = options && options->read ? options->read : &all;
  tenon_session *session;
  tenon_status status = open_source(ctx, t, from, options, &p->to, &session, err);
  if (status) return status;
  status = look(p, ctx, session, read, err);
  if (!status) status = plan_columns(p, tn_lib_ctx(t, ctx), read, ret_count, err);
  tenon_close(session);
  return status;
}

tenon_status tenon_plan_copy(tenon_ctx *ctx, tenon *t, const char *from, const char *to,
                             const tenon_copy_options *options, tenon_copy_plan *ret,
                             tenon_error *err) {
  planning *p = tn_alloc(sizeof *p);
  if (!p) return tn_no_memory(err);
  tn_arena_init(&p->arena, MAX_PLAN);
  size_t count = 0;
  tenon_status status = tn_destination_init(&p->to, tn_lib_ctx(t, ctx), t, to, options, err);
  if (!status) status = plan(p, ctx, t, from, options, &count, err);
  if (status) {
    release_planning(p);
    return status;
  }
  *ret = (tenon_copy_plan){
      .struct_size = sizeof *ret,
      .format = p->to.format->name,
      .columns = p->columns,
      .column_count = count,
      .rows_estimate = p->table.rows_estimate,
      .bytes_estimate = p->table.bytes_estimate,
      .replaces = p->to.path && access(p->to.path, F_OK) == 0,
      .self = p,
      .release = release_plan,
  };
  return TENON_OK;
}
