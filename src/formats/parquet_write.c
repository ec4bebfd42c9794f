/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Parquet out. The caller hands over batches; a thread of the writer's own encodes them, so that the
 * next ones are read meanwhile. Between the two is a queue of at most QUEUE_BYTES: about a row group,
 * so that who sends the rows need not wait while one is written. The file carries the Arrow schema
 * (key ARROW:schema, as pyarrow writes it): zones, annotations and wide types that Parquet has no word
 * for come back.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "base/base64.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mem.h"
#include "engine/engine.h"
#include "formats/parquet.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_types.h"
#include "formats/sink.h"

enum { QUEUE = 16, MAX_SQL = 64 << 20, GROUP_ROWS = 122880, LEAST_GROUP_ROWS = 2048 };
static const int64_t GROUP_BYTES = INT64_C(128) << 20, SMALL_MEMORY = INT64_C(256) << 20,
                     QUEUE_BYTES = INT64_C(32) << 20;

typedef struct tn_encoder {
  tenon_ctx *ctx;
  struct ArrowSchema schema;
  tn_format_options options;
  char *compression;
  int target;              /* the caller's */
  int fd;                  /* what the engine writes: the same file, or a spool where the target is no regular file */
  char path[40];
  tn_engine *engine;
  int64_t group_rows;
  pthread_t thread;
  bool started;

  pthread_mutex_t lock;    /* of all below */
  pthread_cond_t changed;
  struct ArrowArray queue[QUEUE];
  int64_t sizes[QUEUE], queued_bytes;
  int count, most;
  bool all_given, abandoned, ended;   /* by the caller, by the caller, by the thread */
  bool cancelled;
  tenon_hook *hook;
  tenon_status status;     /* the thread's end */
  tenon_error error;
} tn_encoder;

/* ---- The queue ---- */

/* About what a row of the batch takes in memory. */
static int64_t row_bytes(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
  int64_t bytes = 0;
  for (int64_t i = 0; i < schema->n_children; i++) {
    const struct ArrowArray *a = batch->children[i];
    bytes += 8;
    if (strchr("uz", schema->children[i]->format[0]) && batch->length) {
      const int32_t *offsets = (const int32_t *)a->buffers[1] + a->offset + batch->offset;
      bytes += 8 + (offsets[batch->length] - offsets[0]) / batch->length;
    }
  }
  return bytes;
}

static void wake(void *arg) {
  tn_encoder *w = arg;
  pthread_mutex_lock(&w->lock);
  w->cancelled = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
}

/* Called by the engine, on the writer's thread. */
static tenon_status take(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_encoder *w = self;
  pthread_mutex_lock(&w->lock);
  while (w->count == 0 && !w->all_given && !w->abandoned && !w->cancelled) pthread_cond_wait(&w->changed, &w->lock);
  bool stop = w->abandoned || w->cancelled;
  ret->release = NULL;
  if (!stop && w->count > 0) {
    *ret = w->queue[0];
    w->count--;
    w->queued_bytes -= w->sizes[0];
    memmove(w->queue, w->queue + 1, (size_t)w->count * sizeof w->queue[0]);
    memmove(w->sizes, w->sizes + 1, (size_t)w->count * sizeof w->sizes[0]);
    pthread_cond_broadcast(&w->changed);
  }
  pthread_mutex_unlock(&w->lock);
  if (!stop) return TENON_OK;
  tenon_status status = tn_ctx_check(w->ctx, err);
  return status ? status : tenon_fail(err, TENON_CANCELLED, TENON_STAGE_WRITE, NULL, "the file was given up");
}

static bool has_room(const tn_encoder *w, int64_t bytes) {
  return w->count == 0 || (w->count < w->most && w->queued_bytes + bytes <= QUEUE_BYTES);
}

/* Takes the batch over. */
static tenon_status give(tn_encoder *w, struct ArrowArray *batch, tenon_error *err) {
  int64_t bytes = batch->length * row_bytes(&w->schema, batch);
  pthread_mutex_lock(&w->lock);
  while (!has_room(w, bytes) && !w->ended && !w->cancelled) pthread_cond_wait(&w->changed, &w->lock);
  bool taken = !w->ended && !w->cancelled;
  if (taken) {
    w->queued_bytes += w->sizes[w->count] = bytes;
    w->queue[w->count++] = *batch;
    batch->release = NULL;
    pthread_cond_broadcast(&w->changed);
  }
  tenon_status status = w->ended ? w->status : TENON_OK;
  if (status && err && !err->code) *err = w->error;
  pthread_mutex_unlock(&w->lock);
  if (taken) return TENON_OK;
  tn_array_release(batch);
  return status ? status : tn_ctx_check(w->ctx, err);
}

/* ---- The statement ---- */

static bool add_pair(tn_str *sql, bool first, const char *key, size_t key_size, const char *value, size_t value_size) {
  if (!first) tn_str_puts(sql, ", ");
  tn_sql_literal(sql, key, key_size);
  tn_str_puts(sql, ": ");
  return tn_sql_literal(sql, value, value_size);
}

/* The schema's own metadata become the file's, as others write and read them. Source: the Arrow C
 * data interface's encoding of metadata. Values with a NUL stay in ARROW:schema alone. */
static bool add_metadata(tn_str *sql, const char *metadata) {
  int32_t count = 0, size;
  if (metadata) memcpy(&count, metadata, 4);
  for (const char *at = metadata + 4; count > 0; count--) {
    memcpy(&size, at, 4);
    const char *key = at + 4;
    size_t key_size = (size_t)size;
    memcpy(&size, key + key_size, 4);
    const char *value = key + key_size + 4;
    at = value + size;
    if (memchr(key, 0, key_size) || memchr(value, 0, (size_t)size) || key_size == 0) continue;
    if (!add_pair(sql, false, key, key_size, value, (size_t)size)) return false;
  }
  return true;
}

static tenon_status add_schema(tn_str *sql, const struct ArrowSchema *schema, tenon_error *err) {
  tn_str message, text;
  tn_str_init(&message, MAX_SQL);
  tn_str_init(&text, MAX_SQL);
  tenon_status status = tn_ipc_encode_schema(schema, &message, err);
  if (!status && !tn_base64_encode(&text, message.data, message.size)) status = tn_no_memory(err);
  if (!status && !add_pair(sql, true, "ARROW:schema", 12, text.data, text.size)) status = tn_no_memory(err);
  if (!status && !add_metadata(sql, schema->metadata)) status = tn_no_memory(err);
  tn_str_release(&message);
  tn_str_release(&text);
  return status;
}

/* Wide rows get smaller groups: a group is gathered in memory before it is written. */
static int64_t choose_group_rows(const tn_encoder *w, const struct ArrowArray *first) {
  if (w->options.row_group_rows > 0) return w->options.row_group_rows;
  int64_t most = GROUP_BYTES, bytes = row_bytes(&w->schema, first);
  if (w->options.memory > 0 && w->options.memory / 4 < most) most = w->options.memory / 4;
  int64_t rows = most / (bytes > 0 ? bytes : 1) / LEAST_GROUP_ROWS * LEAST_GROUP_ROWS;
  return rows > GROUP_ROWS ? GROUP_ROWS : rows < LEAST_GROUP_ROWS ? LEAST_GROUP_ROWS : rows;
}

static tenon_status make_sql(const tn_encoder *w, tn_str *sql, tenon_error *err) {
  bool none = strcmp(w->compression, "none") == 0;
  tn_str_puts(sql, "COPY (SELECT * FROM tenon_rows()) TO ");
  tn_sql_literal(sql, w->path, strlen(w->path));
  tn_str_printf(sql, " (FORMAT parquet, USE_TMP_FILE false, ROW_GROUP_SIZE %lld, COMPRESSION ", (long long)w->group_rows);
  tn_sql_literal(sql, none ? "uncompressed" : w->compression, strlen(none ? "uncompressed" : w->compression));
  if (w->options.compression_level) tn_str_printf(sql, ", COMPRESSION_LEVEL %d", w->options.compression_level);
  tn_str_puts(sql, ", KV_METADATA {");
  tenon_status status = add_schema(sql, &w->schema, err);
  if (!status && !tn_str_puts(sql, "})")) status = tn_no_memory(err);
  return status;
}

/* ---- What the engine has no words for is said in the footer ---- */

typedef struct tn_marking {
  const tn_parquet_footer *footer;
  uint8_t *patches;
  uint32_t at;               /* the next element */
} tn_marking;

static tn_patch patch_of(const char *f) {
  if (strcmp(f, "f") == 0 || strcmp(f, "e") == 0) return TN_PATCH_FLOAT;
  if (strcmp(f, "g") == 0) return TN_PATCH_DOUBLE;
  if (strncmp(f, "tsn:", 4) == 0 && f[4]) return TN_PATCH_TIMESTAMP_NS_UTC;
  return strcmp(f, "ttn") == 0 ? TN_PATCH_TIME_NS : TN_PATCH_NONE;
}

/* Leaves come in the same order in both trees, whatever groups are between them. False: they do not. */
static bool mark(tn_marking *m, const struct ArrowSchema *s) {
  for (int64_t i = 0; i < s->n_children; i++)
    if (!mark(m, s->children[i])) return false;
  if (s->n_children) return true;
  while (m->at < m->footer->element_count && m->footer->elements[m->at].child_count) m->at++;
  if (m->at == m->footer->element_count) return false;
  const tn_parquet_element *e = &m->footer->elements[m->at];
  tn_patch patch = patch_of(s->format);
  m->patches[m->at++] = (uint8_t)patch;
  return patch == TN_PATCH_NONE || e->physical == (patch == TN_PATCH_FLOAT ? TN_INT32 : TN_INT64);
}

static bool has_marks(const struct ArrowSchema *s) {
  for (int64_t i = 0; i < s->n_children; i++)
    if (has_marks(s->children[i])) return true;
  return s->n_children == 0 && patch_of(s->format) != TN_PATCH_NONE;
}

static tenon_status put_marks(const tn_encoder *w, int fd, const tn_parquet_footer *footer, tenon_error *err) {
  tn_marking m = {.footer = footer, .patches = tn_alloc_array(footer->element_count, 1)};
  tn_str changed;
  tn_str_init(&changed, MAX_SQL);
  tenon_status status = m.patches ? TENON_OK : tn_no_memory(err);
  if (!status && !mark(&m, &w->schema))
    status = tenon_fail(err, TENON_INTERNAL, TENON_STAGE_WRITE, "report this as a fault of Tenon", "the written file has other columns");
  if (!status) status = tn_parquet_patch(footer, m.patches, &changed, err);
  if (!status) status = tn_parquet_replace_footer(fd, footer, &changed, err);
  tn_free(m.patches);
  tn_str_release(&changed);
  return status;
}

/* The caller's descriptor may only be good for writing: this one is ours. */
static tenon_status finish_footer(const tn_encoder *w, tenon_error *err) {
  tn_parquet_footer footer;
  if (!has_marks(&w->schema)) return TENON_OK;
  int fd = open(w->path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the written file");
  tenon_status status = tn_parquet_footer_init(fd, "the written file", &footer, err);
  if (!status) {
    status = put_marks(w, fd, &footer, err);
    tn_parquet_footer_release(&footer);
  }
  close(fd);
  return status;
}

/* ---- The thread ---- */

static tenon_status encode(tn_encoder *w, tenon_error *err) {
  tn_str sql;
  tn_str_init(&sql, MAX_SQL);
  tenon_status status = make_sql(w, &sql, err);
  if (!status) status = tn_engine_run(w->engine, tn_str_text(&sql), NULL, err);
  tn_str_release(&sql);
  return status;
}

static void *run(void *arg) {
  tn_encoder *w = arg;
  tenon_error error = TENON_ERROR_INIT;
  tenon_status status = encode(w, &error);
  if (!status) status = finish_footer(w, &error);
  pthread_mutex_lock(&w->lock);
  w->status = status;
  w->error = error;
  w->ended = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  return NULL;
}

/* When the first batch is there, or the end without one: its rows say how big groups may be. */
static tenon_status start(tn_encoder *w, tenon_error *err) {
  if (w->started) return TENON_OK;
  w->started = pthread_create(&w->thread, NULL, run, w) == 0;
  if (w->started) return TENON_OK;
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_WRITE, "raise the limit on threads (ulimit -u)", "cannot start a thread");
}

/* ---- The writer's operations ---- */

static tenon_status encoder_write(void *self, struct ArrowArray *batch, tenon_error *err) {
  tn_encoder *w = self;
  if (!w->started) w->group_rows = choose_group_rows(w, batch);
  tenon_status status = give(w, batch, err);
  return status ? status : start(w, err);
}

/* What was spooled goes to its pipe. */
static tenon_status pour(tn_encoder *w, int64_t size, tenon_error *err) {
  enum { AT_A_TIME = 64 << 10 };
  tn_sink sink;
  char *data = tn_alloc(AT_A_TIME);
  tenon_status status = data ? tn_sink_init(&sink, w->ctx, w->target, err) : tn_no_memory(err);
  if (!status) {
    for (int64_t done = 0; !status && done < size;) {
      ssize_t n = pread(w->fd, data, AT_A_TIME, done);
      if (n <= 0) status = tn_fail_errno(err, n < 0 ? errno : EIO, TENON_STAGE_WRITE, NULL, "reading back the spooled file");
      else status = tn_sink_put(&sink, data, (size_t)n, err);
      done += n;
    }
    if (!status) status = tn_sink_flush(&sink, err);
    tn_sink_release(&sink);
  }
  tn_free(data);
  return status;
}

static tenon_status encoder_finish(void *self, int64_t *ret_bytes, tenon_error *err) {
  tn_encoder *w = self;
  pthread_mutex_lock(&w->lock);
  w->all_given = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  tenon_status status = start(w, err);
  if (status) return status;
  pthread_mutex_lock(&w->lock);
  while (!w->ended && !w->cancelled) pthread_cond_wait(&w->changed, &w->lock);
  status = w->ended ? w->status : tn_ctx_check(w->ctx, err);
  if (w->ended && status && err && !err->code) *err = w->error;
  pthread_mutex_unlock(&w->lock);
  struct stat info;
  if (!status && fstat(w->fd, &info) != 0) status = tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the written file");
  if (!status && w->fd != w->target) status = pour(w, info.st_size, err);
  if (!status && ret_bytes) *ret_bytes = info.st_size;
  return status;
}

static void encoder_free(void *self) {
  tn_encoder *w = self;
  pthread_mutex_lock(&w->lock);
  w->abandoned = true;
  pthread_cond_broadcast(&w->changed);
  pthread_mutex_unlock(&w->lock);
  if (w->started) pthread_join(w->thread, NULL);
  tn_ctx_off_cancel(w->hook);
  tn_engine_free(w->engine);
  for (int i = 0; i < w->count; i++) tn_array_release(&w->queue[i]);
  if (w->fd >= 0 && w->fd != w->target) close(w->fd);
  pthread_cond_destroy(&w->changed);
  pthread_mutex_destroy(&w->lock);
  tn_schema_release(&w->schema);
  tn_free(w->compression);
  tenon_ctx_free(w->ctx);
  tn_free(w);
}

/* ---- Making one ---- */

static tenon_status choose_file(tn_encoder *w, int fd, tenon_error *err) {
  struct stat info;
  w->target = fd;
  if (fstat(fd, &info) != 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, NULL, "the file to be written");
  w->fd = S_ISREG(info.st_mode) ? fd : tn_spool_open();
  if (w->fd < 0) return tn_fail_errno(err, errno, TENON_STAGE_WRITE, "set TMPDIR to a folder that can be written", "a temporary file");
  snprintf(w->path, sizeof w->path, "/proc/self/fd/%d", w->fd);
  return TENON_OK;
}

static tenon_status check_options(const tn_format_options *o, tenon_error *err) {
  static const char *const codecs[] = {"zstd", "snappy", "none", "gzip", "lz4", "brotli"};
  if (!o->compression) return TENON_OK;
  if (o->compression_level && strcmp(o->compression, "zstd") != 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave compression_level out, or use compression=zstd",
                      "compression_level is of zstd, not of %.60s", o->compression);
  for (size_t i = 0; i < sizeof codecs / sizeof codecs[0]; i++)
    if (strcmp(o->compression, codecs[i]) == 0) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use zstd, snappy or none", "compression %s is not known", o->compression);
}

/* Names that differ in case alone would be changed by the engine, and by others who read the file. */
static tenon_status check_fields(const struct ArrowSchema *s, const char *column, tenon_error *err) {
  static const char *const remedy = "leave one of them out (columns), or rename it at its source";
  const char *one, *other;
  bool in_column = column != NULL, is_struct = strcmp(s->format, "+s") == 0;   /* items of lists go by any name */
  for (int64_t i = 0; i < s->n_children; i++) {
    const struct ArrowSchema *child = s->children[i];
    if (is_struct && (!child->name || !child->name[0]))
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE, "leave it out (columns), or name it at its source",
                        in_column ? "column %s: a field of it has no name: \"\"" : "a column has no name: \"\"%s", in_column ? column : "");
    tenon_status status = check_fields(child, in_column ? column : child->name, err);
    if (status) return status;
  }
  if (!is_struct || !tn_names_clash(s, &one, &other)) return TENON_OK;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE, remedy, "%s%s%s %s and %s: their names differ in nothing, or in case alone",
                    in_column ? "column " : "", in_column ? column : "", in_column ? ": fields" : "columns", one, other);
}

static tenon_status check_names(const struct ArrowSchema *s, tenon_error *err) {
  if (s->n_children == 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_WRITE, "choose at least one column", "a Parquet file without columns cannot be written");
  return check_fields(s, NULL, err);
}

static tenon_status prepare(tn_encoder *w, int fd, const struct ArrowSchema *schema, const tn_format_options *options,
                            tenon_error *err) {
  tenon_status status = check_options(options, err);
  if (status || (status = check_names(schema, err))) return status;
  w->options = *options;
  w->group_rows = options->row_group_rows > 0 ? options->row_group_rows : GROUP_ROWS;
  w->compression = tn_strdup(options->compression ? options->compression : "zstd");
  if (!w->compression) return tn_no_memory(err);
  w->most = options->memory > 0 && options->memory < SMALL_MEMORY ? 1 : QUEUE;
  if ((status = tn_schema_copy(schema, &w->schema, err)) || (status = choose_file(w, fd, err))) return status;
  tn_engine_options engine = {.memory = options->memory * 3 / 4, .shown_path = w->path, .shown_name = "the Parquet file"};
  if ((status = tn_engine_new(w->ctx, &engine, &w->engine, err))) return status;
  tn_engine_rows rows = {.function = "tenon_rows", .schema = &w->schema, .self = w, .next = take};
  if ((status = tn_engine_add_rows(w->engine, &rows, err))) return status;
  return tn_ctx_on_cancel(w->ctx, wake, w, &w->hook, err);
}

tenon_status tn_parquet_writer(tenon_ctx *ctx, int fd, const struct ArrowSchema *schema, const tn_format_options *options,
                               tn_writer *ret, tenon_error *err) {
  tn_encoder *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  w->ctx = tenon_ctx_ref(ctx);
  w->fd = w->target = -1;
  tn_error_init(&w->error);
  pthread_mutex_init(&w->lock, NULL);
  pthread_cond_init(&w->changed, NULL);
  tenon_status status = prepare(w, fd, schema, options, err);
  if (status) {
    encoder_free(w);
    return status;
  }
  *ret = (tn_writer){.self = w, .write = encoder_write, .finish = encoder_finish, .free = encoder_free};
  return TENON_OK;
}
