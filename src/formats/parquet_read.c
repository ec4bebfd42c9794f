/* SPDX-License-Identifier: Apache-2.0 */
/* Parquet in: DuckDB decodes. It opens paths, so it gets one that means our descriptor. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "formats/parquet.h"

enum { MAX_SQL = 8 << 20, SPOOL_STEP = 1 << 20 };

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

static tenon_status own_file(tenon_ctx *ctx, const tn_input *in, int *ret_fd, tenon_error *err) {
  tenon_bytes bytes;
  tenon_status status = in->open(in->self, 0, -1, &bytes, err);
  if (status) return status;
  if (bytes.fd < 0) {
    status = spool(ctx, &bytes, ret_fd, err);
  } else {
    int fd = fcntl(bytes.fd, F_DUPFD_CLOEXEC, 3);
    if (fd < 0) status = tn_fail_errno(err, errno, TENON_STAGE_DATA, "raise the limit on open files (ulimit -n)", "%s", in->name);
    else *ret_fd = fd;
  }
  bytes.close(bytes.self);
  return status;
}

static tenon_status open_engine(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options, tn_engine **ret,
                                char path[40], tenon_error *err) {
  int fd = -1;
  tenon_status status = own_file(ctx, in, &fd, err);
  if (status) return status;
  snprintf(path, 40, "/proc/self/fd/%d", fd);
  tn_engine_options engine = {.memory = options->memory, .shown_path = path, .shown_name = in->name};
  if ((status = tn_engine_new(ctx, &engine, ret, err))) close(fd);
  else tn_engine_own_fd(*ret, fd);
  return status;
}

/* ---- Reading ---- */

tenon_status tn_parquet_schema(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options, struct ArrowSchema *ret,
                               tenon_error *err) {
  tn_engine *engine;
  char path[40];
  tenon_status status = open_engine(ctx, in, options, &engine, path, err);
  if (status) return status;
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  tn_str_printf(&sql, "SELECT * FROM read_parquet('%s')", path);
  status = tn_engine_describe(engine, tn_str_text(&sql), ret, err);
  tn_str_release(&sql);
  tn_engine_free(engine);
  return status;
}

static bool add_columns(tn_str *sql, const tenon_read *read) {
  if (!read->columns) return tn_str_putc(sql, '*');
  for (size_t i = 0; i < read->column_count; i++) {
    if (i) tn_str_puts(sql, ", ");
    tn_sql_name(sql, read->columns[i]);
  }
  return !sql->failed;
}

tenon_status tn_parquet_read(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                             const struct ArrowSchema *expected, const tenon_read *read, tenon_rows *ret, tenon_error *err) {
  (void)expected;
  tn_engine *engine;
  char path[40];
  tenon_status status = open_engine(ctx, in, options, &engine, path, err);
  if (status) return status;
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  tn_str_puts(&sql, "SELECT ");
  add_columns(&sql, read);
  tn_str_printf(&sql, " FROM read_parquet('%s')", path);
  bool limited = read->limit >= 0 && read->filter_count == 0;
  if (limited) tn_str_printf(&sql, " LIMIT %lld", (long long)read->limit);
  tn_engine_shape shape = {.batch_bytes = read->batch_bytes, .batch_rows = read->batch_rows};
  tenon_stream stream;
  if (sql.failed) {
    tn_engine_free(engine);
    status = tn_no_memory(err);
  } else {
    status = tn_engine_query(engine, tn_str_text(&sql), &shape, NULL, NULL, &stream, err);
  }
  tn_str_release(&sql);
  if (status) return status;
  *ret = (tenon_rows){.struct_size = sizeof *ret, .stream = stream,
                      .applied = TENON_APPLIED_COLUMNS | (limited ? TENON_APPLIED_LIMIT : 0)};
  return TENON_OK;
}
