/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parquet in. The footer is read and checked here and says what the columns are; DuckDB decodes them.
 * It opens paths, so it gets one that means our descriptor, and is started when the first row is asked
 * for: to look at a file takes no engine.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "core/filters.h"
#include "core/session.h"
#include "core/stream.h"
#include "engine/engine.h"
#include "formats/parquet.h"
#include "formats/parquet_far.h"
#include "formats/parquet_filter.h"
#include "formats/parquet_footer.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_ranges.h"
#include "formats/parquet_skip.h"
#include "formats/parquet_types.h"

enum { MAX_SQL = 16 << 20, MAX_FOOTER = 300 << 20, SPOOL_STEP = 1 << 20, MAX_ARENA = 16 << 20 };

/* ---- The file as a descriptor of our own ---- */

static tenon_status spool(tenon_ctx *ctx, tenon_bytes *bytes, int *ret_fd, tenon_error *err) {
  int fd = tn_spool_open();
  char *step = fd >= 0 ? tn_alloc(SPOOL_STEP) : NULL;
  tenon_status status = TENON_OK;
  if (fd < 0) status = tn_fail_errno(err, errno, TENON_STAGE_DATA, "set TMPDIR to a folder that can be written", "a temporary file");
  else if (!step) status = tn_no_memory(err);
  for (size_t n = 1; !status && n > 0;) {
    if (!(status = tn_ctx_check(ctx, err))) status = bytes->read(bytes->self, step, SPOOL_STEP, &n, err);
    if (!status && n) status = tn_write_all(fd, step, n, err);
  }
  tn_free(step);
  if (status && fd >= 0) close(fd);
  if (!status) *ret_fd = fd;
  return status;
}

static tenon_status no_descriptor(const tn_input *in, tenon_error *err) {
  return tn_fail_errno(err, errno, TENON_STAGE_DATA, "raise the limit on open files (ulimit -n)", "%s", in->name);
}

static tenon_status own_file(tenon_ctx *ctx, const tn_input *in, int *ret_fd, tenon_error *err) {
  tenon_bytes bytes;
  tenon_status status = in->open(in->self, 0, -1, &bytes, err);
  if (status) return status;
  if (bytes.fd < 0) {
    status = spool(ctx, &bytes, ret_fd, err);
  } else {
    int fd = fcntl(bytes.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) status = no_descriptor(in, err);
    else *ret_fd = fd;
  }
  bytes.close(bytes.self);
  return status;
}

/* Of what is far away only the footer comes for now, unless it can only be had as a whole. */
static tenon_status open_file(tenon_ctx *ctx, const tn_input *in, int *ret_fd, int64_t *ret_from, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  if (!in->is_far) return own_file(ctx, in, ret_fd, err);
  tenon_status status = tn_parquet_far_open(ctx, in, ret_fd, ret_from, &why);
  if (status == TENON_UNSUPPORTED) return own_file(ctx, in, ret_fd, err);
  if (status && err && !err->code) *err = why;
  return status;
}

/* A file that was opened and understood. */
typedef struct tn_parquet_file {
  int fd;
  struct stat opened;        /* what it was before anything was read of it */
  int64_t from;              /* what is in front of it did not come yet; 0: everything is there */
  tn_parquet_footer footer;
  tn_parquet_types types;
} tn_parquet_file;

static void file_release(tn_parquet_file *f) {
  if (f->fd >= 0) close(f->fd);
  tn_parquet_types_release(&f->types);
  tn_parquet_footer_release(&f->footer);
  f->fd = -1;
}

static tenon_status stat_file(int fd, const char *name, struct stat *ret, tenon_error *err) {
  return fstat(fd, ret) < 0 ? tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", name) : TENON_OK;
}

static tenon_status file_init(tenon_ctx *ctx, const tn_input *in, tn_parquet_file *ret, tenon_error *err) {
  tn_parquet_file f = {.fd = -1};
  tenon_status status = open_file(ctx, in, &f.fd, &f.from, err);
  if (!status) status = stat_file(f.fd, in->name, &f.opened, err);
  if (!status) status = tn_parquet_footer_init(f.fd, in->name, &f.footer, err);
  if (!status) status = tn_parquet_types_init(&f.footer, &f.types, err);
  if (status) file_release(&f);
  else *ret = f;
  return status;
}

tenon_status tn_parquet_schema(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options, struct ArrowSchema *ret,
                               int64_t *ret_rows, tenon_error *err) {
  (void)options;
  tn_parquet_file file;
  tenon_status status = file_init(ctx, in, &file, err);
  if (status) return status;
  *ret = file.types.schema;
  *ret_rows = file.footer.rows;
  file.types.schema = (struct ArrowSchema){0};
  file_release(&file);
  return TENON_OK;
}

/* ---- Is it what other files were? ---- */

static bool same_type(const struct ArrowSchema *a, const struct ArrowSchema *b) {
  bool same = strcmp(a->format, b->format) == 0 && a->n_children == b->n_children;
  for (int64_t i = 0; same && i < a->n_children; i++)
    same = same_type(a->children[i], b->children[i]) && (strcmp(a->format, "+s") != 0 || strcmp(a->children[i]->name, b->children[i]->name) == 0);
  return same;
}

static tenon_status other_type(const char *file, const struct ArrowSchema *is, const struct ArrowSchema *expected, tenon_error *err) {
  tn_str have, want;
  tn_str_init(&have, 400);
  tn_str_init(&want, 400);
  tn_type_name(is, &have);
  tn_type_name(expected, &want);
  tenon_status status = tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "read the files apart: their columns have other types",
                                   "%s: column %s is %s, where the first file has %s", file, is->name, tn_str_text(&have), tn_str_text(&want));
  tn_str_release(&have);
  tn_str_release(&want);
  return status;
}

static tenon_status check_expected(const char *file, const struct ArrowSchema *is, const struct ArrowSchema *expected, tenon_error *err) {
  static const char *const remedy = "read the files apart: they have other columns";
  for (int64_t i = 0; expected && i < expected->n_children; i++) {
    const struct ArrowSchema *want = expected->children[i];
    if (i == is->n_children)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%s: it has no column %s, which the first file has", file, want->name);
    if (strcmp(is->children[i]->name, want->name) != 0)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%s: column %lld is %s, where the first file has %s", file,
                        (long long)i + 1, is->children[i]->name, want->name);
    if (!same_type(is->children[i], want)) return other_type(file, is->children[i], want, err);
  }
  if (expected && is->n_children > expected->n_children)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%s: it has a column %s, which the first file has not", file,
                      is->children[expected->n_children]->name);
  return TENON_OK;
}

/* ---- What is asked of the engine ---- */

typedef struct tn_parquet_plan {
  int64_t *columns;          /* of the file, in the order in which they come */
  int64_t count, asked;      /* the first are what was asked for, the others what filters still need */
  bool *used;                /* by each of the file's columns: is it read, also for conditions alone? */
  bool is_raw;               /* one of them is */
  bool *groups;              /* of what is far away: may they have rows that are wanted? NULL: all */
  uint64_t filters_applied;
  int64_t limit;             /* -1: not applied */
  tn_str where;              /* conditions, or empty */
} tn_parquet_plan;

static void plan_release(tn_parquet_plan *p) {
  tn_free(p->columns);
  tn_free(p->used);
  tn_free(p->groups);
  tn_str_release(&p->where);
}

static bool has_column(const tn_parquet_plan *p, int64_t column) {
  for (int64_t i = 0; i < p->count; i++)
    if (p->columns[i] == column) return true;
  return false;
}

static tenon_status choose_columns(tn_parquet_plan *p, const tn_parquet_types *t, const tenon_read *read, tenon_error *err) {
  p->asked = read->columns ? (int64_t)read->column_count : t->schema.n_children;
  p->columns = tn_alloc_array((size_t)p->asked + read->filter_count + 1, sizeof *p->columns);
  p->used = tn_alloc_array((size_t)t->column_count + 1, sizeof *p->used);
  if (!p->columns || !p->used) return tn_no_memory(err);
  for (; p->count < p->asked; p->count++) {
    int64_t column = p->count;
    tenon_status status = read->columns ? tn_column_find(&t->schema, read->columns[p->count], &column, err) : TENON_OK;
    if (status) return status;
    p->columns[p->count] = column;
  }
  return TENON_OK;
}

static void cut(tn_str *s, size_t size) {
  if (!s->data) return;
  s->size = size;
  s->data[size] = 0;
}

/* Conditions for those that the engine decides; for the others their columns. */
static tenon_status place_filters(tn_parquet_plan *p, const tn_parquet_file *file, const tenon_read *read, tenon_error *err) {
  const tn_parquet_types *t = &file->types;
  tn_arena arena;
  tenon_filter *filters;
  tn_arena_init(&arena, MAX_ARENA);
  tenon_status status = tn_filters_convert(&t->schema, read->filters, read->filter_count, &arena, &filters, err);
  for (size_t i = 0; !status && i < read->filter_count; i++) {
    int64_t column;
    if ((status = tn_column_find(&t->schema, filters[i].column, &column, err))) break;
    size_t before = p->where.size;
    p->used[column] = true;
    if (p->groups) tn_parquet_skip(&file->footer, t, column, &filters[i], p->groups);
    tn_str_puts(&p->where, before ? " AND " : " WHERE ");
    if (!p->is_raw && tn_parquet_filter_sql(t, column, &filters[i], &p->where)) {
      p->filters_applied |= UINT64_C(1) << i;
    } else {
      cut(&p->where, before);
      if (!has_column(p, column)) p->columns[p->count++] = column;
    }
  }
  tn_arena_release(&arena);
  return status;
}

static bool needs_raw(const tn_parquet_plan *p, const tn_parquet_types *t, const tenon_read *read) {
  for (int64_t i = 0; i < p->count; i++)
    if (t->columns[p->columns[i]].is_raw) return true;
  for (size_t i = 0; i < read->filter_count; i++)
    for (int64_t k = 0; k < t->column_count; k++)
      if (t->columns[k].is_raw && strcmp(t->schema.children[k]->name, read->filters[i].column) == 0) return true;
  return false;
}

/* SQL has no way to call for it. */
static tenon_status check_names(const tn_parquet_plan *p, const tn_parquet_types *t, const char *file, tenon_error *err) {
  for (int64_t i = 0; i < p->count; i++)
    if (!t->columns[p->columns[i]].engine_name[0])
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "choose the other columns (columns)", "%s: column %lld has no name: \"\"", file,
                        (long long)p->columns[i] + 1);
  return TENON_OK;
}

/* Of what is here the engine passes by what it need not read. */
static tenon_status choose_groups(tn_parquet_plan *p, const tn_parquet_file *file, tenon_error *err) {
  if (file->from == 0) return TENON_OK;
  p->groups = tn_alloc_array(file->footer.group_count + 1, sizeof *p->groups);
  if (!p->groups) return tn_no_memory(err);
  memset(p->groups, 1, file->footer.group_count);
  return TENON_OK;
}

static bool has_group(const tn_parquet_plan *p, const tn_parquet_file *file) {
  return !p->groups || memchr(p->groups, 1, file->footer.group_count);
}

static tenon_status plan_init(const tn_parquet_file *file, const tenon_read *read, const char *name, tn_parquet_plan *ret, tenon_error *err) {
  const tn_parquet_types *t = &file->types;
  tn_parquet_plan p = {.limit = -1};
  tn_str_init(&p.where, MAX_SQL);
  tenon_status status = choose_columns(&p, t, read, err);
  p.is_raw = !status && needs_raw(&p, t, read);
  if (!status) status = choose_groups(&p, file, err);
  if (!status) status = place_filters(&p, file, read, err);
  if (!status && p.where.failed) status = tn_no_memory(err);
  if (!status && p.count == 0) p.columns[p.count++] = 0;   /* rows are counted by some column */
  for (int64_t i = 0; !status && i < p.count; i++) p.used[p.columns[i]] = true;
  if (!status) status = check_names(&p, t, name, err);
  if (status) {
    plan_release(&p);
    return status;
  }
  uint64_t all = read->filter_count >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << read->filter_count) - 1;
  if (p.filters_applied == all && read->order_count == 0) p.limit = read->limit;
  *ret = p;
  return TENON_OK;
}

/* can_have_nan: bounds of floats leave NaN out, so nothing is concluded from them. */
static tenon_status write_sql(const tn_parquet_plan *p, const tn_parquet_types *t, const char *path, tn_str *sql, tenon_error *err) {
  tn_str_puts(sql, "SELECT ");
  for (int64_t i = 0; i < p->count; i++) {
    if (i) tn_str_puts(sql, ", ");
    tn_sql_name(sql, t->columns[p->columns[i]].engine_name);
  }
  tn_str_printf(sql, " FROM read_parquet('%s', can_have_nan = true)", path);
  tn_str_puts(sql, tn_str_text(&p->where));
  if (p->limit >= 0) tn_str_printf(sql, " LIMIT %lld", (long long)p->limit);
  return sql->failed ? tn_no_memory(err) : TENON_OK;
}

/* One bool for each element: does it belong to a column that is used? NULL: no memory. */
static bool *wanted_elements(const tn_parquet_file *f, const tn_parquet_plan *p) {
  bool *wanted = tn_alloc_array(f->footer.element_count, sizeof *wanted);
  for (int64_t i = 0; wanted && i < f->types.column_count; i++) {
    const tn_parquet_column *c = &f->types.columns[i];
    for (uint32_t e = c->begin; p->used[i] && e < c->end; e++) wanted[e] = true;
  }
  return wanted;
}

/* What the engine would cut it is shown as bytes and numbers: in a copy that has what is to be read, and another footer. */
static tenon_status make_raw(tenon_ctx *ctx, tn_parquet_file *f, const bool *wanted, tenon_error *err) {
  tn_str footer;
  int copy = -1;
  tn_str_init(&footer, MAX_FOOTER);
  tenon_status status = tn_parquet_patch(&f->footer, f->types.patches, &footer, err);
  if (!status) status = tn_parquet_copy(ctx, f->fd, &f->footer, wanted, &footer, &copy, err);
  if (!status) {
    close(f->fd);
    f->fd = copy;
  }
  tn_str_release(&footer);
  return status;
}

/* ---- The stream ---- */

typedef struct tn_parquet_rows {
  tenon_ctx *ctx;
  tn_input in;               /* its name is the caller's: use ours */
  tn_parquet_file file;      /* until the first batch is asked for */
  struct stat opened;
  int watched;               /* the file once more: whether somebody writes into it; -1: nobody can */
  tn_parquet_plan plan;
  char *name;
  int64_t memory;
  bool ended;                /* no row is wanted */
  struct ArrowSchema schema;
  tn_engine_shape shape;
  tenon_stream rows;         /* of the engine; close NULL before the first batch */
} tn_parquet_rows;

static void stop_watching(tn_parquet_rows *r) {
  if (r->watched >= 0) close(r->watched);
  r->watched = -1;
}

static tenon_status check_version(const tn_parquet_rows *r, tenon_error *err) {
  const struct stat *then = &r->opened;
  struct stat now;
  if (r->watched < 0) return TENON_OK;
  tenon_status status = stat_file(r->watched, r->name, &now, err);
  if (status || (now.st_size == then->st_size && now.st_mtim.tv_sec == then->st_mtim.tv_sec &&
                 now.st_mtim.tv_nsec == then->st_mtim.tv_nsec))
    return status;
  status = tenon_fail(err, TENON_CONFLICT, TENON_STAGE_DATA, "read it again when nobody writes to it",
                      "%s changed while it was read", r->name);
  if (err && err->code == TENON_CONFLICT) err->retryable = 1;
  return status;
}

static void rows_close(void *self) {
  tn_parquet_rows *r = self;
  tn_stream_close(&r->rows);
  file_release(&r->file);
  stop_watching(r);
  plan_release(&r->plan);
  tn_schema_release(&r->schema);
  tn_free(r->name);
  tn_free(r);
}

/* Takes sql as it is. The descriptor becomes the engine's. */
static tenon_status ask(tn_parquet_rows *r, const char *path, const char *sql, tenon_error *err) {
  tn_engine *engine;
  tn_engine_options options = {.memory = r->memory, .shown_path = path, .shown_name = r->name};
  tenon_status status = tn_engine_new(r->ctx, &options, &engine, err);
  if (status) return status;
  tn_engine_own_fd(engine, r->file.fd);
  r->file.fd = -1;
  /* geometries come as the bytes that they are, whatever the file's metadata say */
  if ((status = tn_engine_run(engine, "SET enable_geoparquet_conversion = false", NULL, err))) {
    tn_engine_free(engine);
    return status;
  }
  return tn_engine_query(engine, sql, &r->shape, NULL, NULL, &r->rows, err);
}

/* Without conditions the first groups are enough for a limit. */
static tenon_status get_ready(tn_parquet_rows *r, tenon_error *err) {
  tn_parquet_file *f = &r->file;
  tenon_status status = TENON_OK;
  bool *wanted = wanted_elements(f, &r->plan);
  if (!wanted) return tn_no_memory(err);
  if (r->plan.groups && !r->plan.where.size) tn_parquet_groups_for(&f->footer, r->plan.limit, r->plan.groups);
  if (f->from > 0) status = tn_parquet_far_fetch(r->ctx, &r->in, f->fd, f->from, wanted, r->plan.groups, &f->footer, err);
  if (!status && r->plan.is_raw) status = make_raw(r->ctx, f, wanted, err);
  tn_free(wanted);
  return status;
}

static tenon_status rows_begin(tn_parquet_rows *r, tenon_error *err) {
  char path[40];
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  tenon_status status = get_ready(r, err);
  if (!status) status = check_version(r, err);
  if (!status && r->plan.is_raw) stop_watching(r);
  snprintf(path, sizeof path, "/proc/self/fd/%d", r->file.fd);
  if (!status) status = write_sql(&r->plan, &r->file.types, path, &sql, err);
  if (!status) status = ask(r, path, tn_str_text(&sql), err);
  tn_str_release(&sql);
  file_release(&r->file);
  return status;
}

static tenon_status next_rows(tn_parquet_rows *r, struct ArrowArray *ret, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (!r->rows.close) status = rows_begin(r, err);
  return status ? status : r->rows.next(r->rows.self, ret, err);
}

/* Whatever the engine makes of a file that others write into: what was handed out is of one version. */
static tenon_status rows_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_parquet_rows *r = self;
  tenon_error why = TENON_ERROR_INIT;
  struct ArrowArray batch = {0};
  tenon_status status = r->ended ? TENON_OK : next_rows(r, &batch, &why);
  tenon_status changed = check_version(r, err);
  if (changed) {
    tn_array_release(&batch);
    return changed;
  }
  if (status) {
    tn_error_prefix(&why, "%s: ", r->name);
    return tn_pass_error(&why, err);
  }
  *ret = batch;
  return TENON_OK;
}

static tenon_status pick_schema(const tn_parquet_types *t, const tn_parquet_plan *p, struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema made = {0}, child;
  tenon_status status = tn_schema_struct(&made, p->count, err);
  if (!status) status = tn_schema_copy_metadata(&t->schema, &made, err);
  for (int64_t i = 0; !status && i < p->count; i++) {
    if ((status = tn_schema_copy(t->schema.children[p->columns[i]], &child, err))) break;
    tn_schema_release(made.children[i]);
    *made.children[i] = child;
  }
  if (status) tn_schema_release(&made);
  else *ret = made;
  return status;
}

/* Takes file and plan over. */
static tenon_status rows_new(tenon_ctx *ctx, tn_parquet_file *file, tn_parquet_plan *plan, const tn_input *in, const tenon_read *read,
                             int64_t memory, tn_parquet_rows **ret, tenon_error *err) {
  tn_parquet_rows *r = tn_alloc(sizeof *r);
  if (!r) {
    file_release(file);
    plan_release(plan);
    return tn_no_memory(err);
  }
  bool is_partial = file->from > 0;   /* then it is a file of our own */
  *r = (tn_parquet_rows){.ctx = ctx, .file = *file, .opened = file->opened, .watched = is_partial ? -1 : fcntl(file->fd, F_DUPFD_CLOEXEC, 3),
                         .plan = *plan, .memory = memory, .name = tn_strdup(in->name), .in = *in,
                         .ended = file->footer.rows == 0 || plan->limit == 0 || !has_group(plan, file)};
  tenon_status status = r->name ? TENON_OK : tn_no_memory(err);
  if (!status && r->watched < 0 && !is_partial) status = no_descriptor(in, err);
  if (!status) status = pick_schema(&r->file.types, &r->plan, &r->schema, err);
  if (status) {
    rows_close(r);
    return status;
  }
  r->shape = (tn_engine_shape){.schema = &r->schema, .batch_bytes = read->batch_bytes, .batch_rows = read->batch_rows};
  *ret = r;
  return TENON_OK;
}

static tenon_status open_rows(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options, const struct ArrowSchema *expected,
                              const tenon_read *read, tn_parquet_rows **ret, tenon_error *err) {
  tn_parquet_file file;
  tn_parquet_plan plan;
  tenon_status status = file_init(ctx, in, &file, err);
  if (status) return status;
  status = check_expected(in->name, &file.types.schema, expected, err);
  if (!status) status = plan_init(&file, read, in->name, &plan, err);
  if (!status) return rows_new(ctx, &file, &plan, in, read, options->memory, ret, err);
  file_release(&file);
  return status;
}

tenon_status tn_parquet_read(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                             const struct ArrowSchema *expected, const tenon_read *read, tenon_rows *ret, tenon_error *err) {
  tn_parquet_rows *rows = NULL;
  struct ArrowSchema schema;
  tenon_status status = open_rows(ctx, in, options, expected, read, &rows, err);
  if (status) return status;
  if ((status = tn_schema_copy(&rows->schema, &schema, err))) {
    rows_close(rows);
    return status;
  }
  *ret = (tenon_rows){
      .struct_size = sizeof *ret,
      .stream = {.struct_size = sizeof ret->stream, .self = rows, .schema = schema, .next = rows_next, .close = rows_close},
      .applied = (rows->plan.count == rows->plan.asked ? TENON_APPLIED_COLUMNS : 0) | (rows->plan.limit >= 0 ? TENON_APPLIED_LIMIT : 0),
      .filters_applied = rows->plan.filters_applied,
  };
  return TENON_OK;
}
