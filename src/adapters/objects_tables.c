/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/objects_tables.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "adapters/file_rows.h"
#include "adapters/file_set.h"
#include "arrow/build.h"
#include "arrow/names.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/format_options.h"

enum { MAX_KINDS = 64, MAX_NAME = 65536, MAX_LISTED = 4096 };

/* ---- The session: the kind's own, and how its objects are read ---- */

typedef struct tn_adapted {
  const tenon_provider *kind;
  void *session;
  tn_file_source source;
  tn_format_options options;   /* borrows texts of the configuration */
} tn_adapted;

/* ---- Kinds ---- */

typedef struct tn_derived {
  const tenon_provider *kind;
  tenon_provider provider;
  tenon_objects_ops objects;
} tn_derived;

static struct {
  pthread_mutex_t lock;
  tn_derived items[MAX_KINDS];
  size_t count;
} derived = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* The registry has its own copy of the provider: what both share is the name. */
static const tn_derived *find_derived(const char *kind) {
  const tn_derived *found = NULL;
  pthread_mutex_lock(&derived.lock);
  for (size_t i = 0; i < derived.count && !found; i++)
    if (derived.items[i].provider.kind == kind) found = &derived.items[i];
  pthread_mutex_unlock(&derived.lock);
  return found;
}

/* ---- Options out of the configuration ---- */

static const tenon_param *find_row(const tenon_provider *kind, const char *key, size_t *ret_index) {
  for (size_t i = 0; i < kind->params.count; i++) {
    const tenon_param *p = (const void *)((const char *)kind->params.items + i * kind->params.item_size);
    *ret_index = i;
    if (strcmp(p->key, key) == 0) return p;
  }
  return NULL;
}

/* A row's value as a person would write it; NULL: not set. */
static const char *text_of(const tenon_provider *kind, const void *config, const char *key, char number[24]) {
  size_t i;
  const tenon_param *p = find_row(kind, key, &i);
  if (!p || !(*(const uint64_t *)config >> i & 1)) return NULL;
  const void *value = (const char *)config + p->offset;
  int64_t n;
  switch (p->type) {
    case TENON_PARAM_INTEGER:
      memcpy(&n, value, sizeof n);
      snprintf(number, 24, "%" PRId64, n);
      return number;
    case TENON_PARAM_BOOLEAN: return *(const bool *)value ? "yes" : "no";
    case TENON_PARAM_STRING: case TENON_PARAM_ENUM: return *(const char *const *)value;
    default: return NULL;
  }
}

static tenon_status take_options(tn_adapted *a, const void *config, tenon_error *err) {
  char number[24];
  a->options = (tn_format_options)TN_FORMAT_OPTIONS_INIT;
  const char *format = text_of(a->kind, config, "format", number);
  if (format && strcmp(format, "auto") != 0) {
    a->source.format = tn_format_by_name(format);
    if (!a->source.format || !a->source.format->read)
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "name another format", "%s files are not read", format);
  }
  const tn_option *o;
  for (size_t i = 0; (o = tn_option_at(i)); i++) {
    const char *value = o->use & TN_OPTION_READS ? text_of(a->kind, config, o->key, number) : NULL;
    tenon_status status = value ? tn_option_set(&a->options, TN_OPTION_READS, o->key, value, err) : TENON_OK;
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- Lifecycle ---- */

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret_session, tenon_error *err) {
  const tn_derived *d = find_derived(p->kind);
  if (!d) return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_CONFIG, "report this as a fault of Tenon", "kind %s is not adapted", p->kind);
  tn_adapted *a = tn_alloc(sizeof *a);
  if (!a) return tn_no_memory(err);
  a->kind = d->kind;
  tenon_status status = take_options(a, config, err);
  if (!status) status = a->kind->open(ctx, a->kind, config, &a->session, err);
  if (status) {
    tn_free(a);
    return status;
  }
  a->source.objects = a->kind->objects;
  a->source.session = a->session;
  a->source.is_far = !(a->kind->traits & TENON_NEAR);
  a->source.is_shared = (a->kind->traits & TENON_SHARED) != 0;
  *ret_session = a;
  return TENON_OK;
}

static tenon_status check_session(tenon_ctx *ctx, void *session, tenon_error *err) {
  tn_adapted *a = session;
  return a->kind->check(ctx, a->session, err);
}

static tenon_status reset_session(tenon_ctx *ctx, void *session, tenon_error *err) {
  tn_adapted *a = session;
  return a->kind->reset(ctx, a->session, err);
}

static void close_session(void *session) {
  tn_adapted *a = session;
  a->kind->close(a->session);
  tn_free(a);
}

/* ---- Objects: handed through ---- */

#define TN_THROUGH(slot, Request, Reply)                                                                        \
  static tenon_status through_##slot(tenon_ctx *ctx, void *session, const Request *request, Reply *ret, tenon_error *err) { \
    tn_adapted *a = session;                                                                                    \
    return a->kind->objects->slot(ctx, a->session, request, ret, err);                                          \
  }
TN_THROUGH(list, tenon_objects_list, tenon_stream)
TN_THROUGH(stat, tenon_key_bytes, tenon_object)
TN_THROUGH(get, tenon_get, tenon_got)
TN_THROUGH(put, tenon_put, tenon_object)
TN_THROUGH(copy, tenon_objects_copy, tenon_object)
TN_THROUGH(remove, tenon_delete, tenon_deleted)
TN_THROUGH(presign, tenon_presign, tenon_presigned)
#undef TN_THROUGH

static tenon_objects_ops objects_of(const tenon_objects_ops *o) {
  return (tenon_objects_ops){
      .struct_size = sizeof(tenon_objects_ops),
      .list = o->list ? through_list : NULL,
      .stat = o->stat ? through_stat : NULL,
      .get = o->get ? through_get : NULL,
      .put = o->put ? through_put : NULL,
      .copy = o->copy ? through_copy : NULL,
      .remove = o->remove ? through_remove : NULL,
      .presign = o->presign ? through_presign : NULL,
  };
}

/* ---- Tables: names ---- */

/* A name has one part here; what a target's grammar cut at its dots is put together again. */
static char *whole_name(const tenon_name *name) {
  const char *const parts[] = {name->catalog, name->schema, name->table};
  tn_str whole;
  tn_str_init(&whole, MAX_NAME);
  for (size_t i = 0; i < 3; i++) {
    if (parts[i] && whole.size) tn_str_putc(&whole, '.');
    if (parts[i]) tn_str_puts(&whole, parts[i]);
  }
  char *text = tn_str_move(&whole);
  tn_str_release(&whole);
  return text;
}

static tenon_status find_files(tenon_ctx *ctx, tn_adapted *a, const tenon_read *read, tn_file_set *ret, tenon_error *err) {
  if (read->query)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "use columns, filters and order instead", "queries on files are not supported");
  char *name = whole_name(&read->name);
  if (!name) return tn_no_memory(err);
  tenon_status status = tn_file_set_init(ctx, &a->source, name, ret, err);
  tn_free(name);
  return status;
}

/* ---- tables.read ---- */

static tenon_status read_table(tenon_ctx *ctx, void *session, const tenon_read *read, tenon_rows *ret, tenon_error *err) {
  tn_adapted *a = session;
  tn_file_set set;
  tenon_status status = find_files(ctx, a, read, &set, err);
  return status ? status : tn_file_rows(ctx, &a->source, &a->options, &set, read, ret, err);
}

/* ---- tables.describe ---- */

typedef struct tn_described {
  tn_arena arena;
} tn_described;

enum { MAX_DESCRIPTION = 64 << 20 };

static void release_table(tenon_table *t) {
  tn_described *d = t->self;
  tn_schema_release(&t->schema);
  tn_arena_release(&d->arena);
  tn_free(d);
  t->self = NULL;
  t->release = NULL;
}

static tenon_status fill_columns(tn_described *d, tenon_table *t, tenon_error *err) {
  size_t n = (size_t)t->schema.n_children;
  tenon_column *columns = tn_arena_alloc(&d->arena, (n ? n : 1) * sizeof *columns);
  if (!columns) return tn_no_memory(err);
  for (size_t i = 0; i < n; i++) {
    const struct ArrowSchema *s = t->schema.children[i];
    tn_str type;
    tn_str_init(&type, MAX_NAME);
    bool ok = tn_type_name(s, &type);
    columns[i] = (tenon_column){.name = s->name, .type = tn_arena_strdup(&d->arena, tn_str_text(&type)),
                                .nullable = (s->flags & ARROW_FLAG_NULLABLE) != 0};
    tn_str_release(&type);
    if (!ok || !columns[i].type) return tn_no_memory(err);
  }
  t->columns = columns;
  t->column_count = n;
  return TENON_OK;
}

/* Of several files the others are taken to have as many rows a byte as the first. */
static int64_t estimate_rows(const tn_file_set *set, int64_t first_rows, int64_t bytes) {
  int64_t first_bytes = set->files[0].size;
  if (set->count == 1 || first_rows <= 0) return first_rows;
  if (first_bytes <= 0 || bytes < 0) return -1;
  return (int64_t)((double)first_rows * (double)bytes / (double)first_bytes);
}

static tenon_status fill_facts(tn_described *d, const tn_file_set *set, const char *name, tenon_table *t, tenon_error *err) {
  char comment[128];
  snprintf(comment, sizeof comment, "%zu files", set->count);
  t->bytes_estimate = 0;
  for (size_t i = 0; i < set->count && t->bytes_estimate >= 0; i++)
    t->bytes_estimate = set->files[i].size < 0 ? -1 : t->bytes_estimate + set->files[i].size;
  t->name = tn_arena_strdup(&d->arena, name);
  t->kind = tn_arena_strdup(&d->arena, set->files[0].format->name);
  t->comment = set->count > 1 ? tn_arena_strdup(&d->arena, comment) : NULL;
  return t->name && t->kind && (t->comment || set->count == 1) ? fill_columns(d, t, err) : tn_no_memory(err);
}

static tenon_status describe_table(tenon_ctx *ctx, void *session, const tenon_read *read, tenon_table *ret, tenon_error *err) {
  tn_adapted *a = session;
  tn_file_set set;
  tenon_status status = find_files(ctx, a, read, &set, err);
  if (status) return status;
  tn_described *d = tn_alloc(sizeof *d);
  char *name = whole_name(&read->name);
  tenon_table t = {.struct_size = sizeof t, .rows_estimate = -1, .self = d, .release = release_table};
  if (!d || !name) status = tn_no_memory(err);
  if (d) tn_arena_init(&d->arena, MAX_DESCRIPTION);
  int64_t first_rows = -1;
  if (!status) status = tn_file_schema(ctx, &a->source, &a->options, &set, &t.schema, &first_rows, err);
  if (!status) status = fill_facts(d, &set, name, &t, err);
  if (!status) t.rows_estimate = estimate_rows(&set, first_rows, t.bytes_estimate);
  if (status && d) release_table(&t);
  else if (!status) *ret = t;
  tn_free(name);
  tn_file_set_release(&set);
  return status;
}

/* ---- tables.list ---- */

typedef struct tn_listing {
  tn_adapted *adapted;
  tenon_stream objects;      /* the kind's own listing, flat */
  tn_builder *builder;
  tenon_ctx *ctx;
  int64_t nameless;          /* files that could be tables, by keys that are not text */
} tn_listing;

static void listing_close(void *self) {
  tn_listing *l = self;
  if (l->objects.close) l->objects.close(l->objects.self);
  tn_schema_release(&l->objects.schema);
  tn_builder_free(l->builder);
  tn_free(l);
}

static bool list_one(tn_builder *b, const tn_listed *row, const tn_format *format) {
  return tn_append_null(tn_builder_column(b, 0)) && tn_append_null(tn_builder_column(b, 1)) &&
         tn_append_bytes(tn_builder_column(b, 2), row->key.data, (int64_t)row->key.size) &&
         tn_append_text(tn_builder_column(b, 3), format->name) && tn_append_null(tn_builder_column(b, 4)) &&
         tn_append_null(tn_builder_column(b, 5));
}

/* Keys that are not text cannot be a table's name. */
static const tn_format *listed_format(tn_listing *l, const tn_listed *row) {
  size_t bad;
  if (row->is_prefix || row->key.size == 0 || row->key.data[row->key.size - 1] == '/') return NULL;
  const tn_format *format = tn_file_format(&l->adapted->source, row->key);
  bool is_name = tn_utf8_valid(row->key.data, row->key.size, &bad) && !memchr(row->key.data, 0, row->key.size);
  if (!format || is_name) return format;
  l->nameless++;
  return NULL;
}

static void warn_of_nameless(const tn_listing *l) {
  if (l->nameless)
    tn_ctx_log(l->ctx, TENON_LOG_WARN, "%" PRId64 " more that are not listed: their names are not UTF-8; `ls --objects` shows them",
               l->nameless);
}

static tenon_status list_batch(tn_listing *l, const struct ArrowArray *batch, int64_t *ret_rows, tenon_error *err) {
  int64_t rows = 0;
  for (int64_t i = 0; i < batch->length; i++) {
    tn_listed row = tn_listed_at(batch, i);
    const tn_format *format = listed_format(l, &row);
    if (!format) continue;
    if (!list_one(l->builder, &row, format)) return tn_append_failed(err);
    rows++;
  }
  *ret_rows = rows;
  return TENON_OK;
}

static tenon_status listing_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  tn_listing *l = self;
  for (;;) {
    struct ArrowArray batch = {0};
    tenon_status status = l->objects.next(l->objects.self, &batch, err);
    if (status) return status;
    if (!batch.release) {
      warn_of_nameless(l);
      l->nameless = 0;
      ret->release = NULL;
      return TENON_OK;
    }
    int64_t rows = 0;
    status = list_batch(l, &batch, &rows, err);
    tn_array_release(&batch);
    if (status) return status;
    if (rows) return tn_builder_finish(l->builder, rows, ret, err);
  }
}

/* As facets/tables.h has it. */
static tenon_status listing_schema(struct ArrowSchema *ret, tenon_error *err) {
  static const struct { const char *name, *format; bool nullable; } columns[] = {
      {"catalog", "u", true}, {"schema", "u", true}, {"name", "u", false}, {"kind", "u", false}, {"rows_estimate", "l", true},
      {"comment", "u", true}};
  enum { COLUMNS = sizeof columns / sizeof columns[0] };
  struct ArrowSchema s = {0};
  tenon_status status = tn_schema_struct(&s, COLUMNS, err);
  for (int i = 0; !status && i < COLUMNS; i++)
    status = tn_schema_set(s.children[i], columns[i].name, columns[i].format, columns[i].nullable, 0, err);
  if (status) tn_schema_release(&s);
  else *ret = s;
  return status;
}

static tenon_status list_tables(tenon_ctx *ctx, void *session, const tenon_tables_list *request, tenon_stream *ret, tenon_error *err) {
  (void)request;
  tn_adapted *a = session;
  tn_listing *l = tn_alloc(sizeof *l);
  struct ArrowSchema schema = {0};
  if (!l) return tn_no_memory(err);
  l->adapted = a;
  l->ctx = ctx;
  tenon_objects_list all = {.struct_size = sizeof all};
  tenon_status status = listing_schema(&schema, err);
  if (!status) status = tn_builder_new(&schema, &l->builder, err);
  if (!status) status = a->source.objects->list(ctx, a->session, &all, &l->objects, err);
  if (status) {
    tn_schema_release(&schema);
    listing_close(l);
    return status;
  }
  *ret = (tenon_stream){.struct_size = sizeof *ret, .self = l, .schema = schema, .next = listing_next, .close = listing_close};
  return TENON_OK;
}

/* ---- The provider ---- */

static const tenon_tables_ops tables = {
    .struct_size = sizeof tables,
    .list = list_tables,
    .describe = describe_table,
    .read = read_table,
};

static void derive(tn_derived *d, const tenon_provider *kind) {
  d->kind = kind;
  d->objects = objects_of(kind->objects);
  d->provider = *kind;
  d->provider.struct_size = sizeof d->provider;
  d->provider.open = open_session;
  d->provider.check = kind->check ? check_session : NULL;
  d->provider.reset = kind->reset ? reset_session : NULL;
  d->provider.close = close_session;
  d->provider.tables = &tables;
  d->provider.objects = &d->objects;
}

tenon_status tn_adapter_tables(const tenon_provider *kind, const tenon_provider **ret, tenon_error *err) {
  if (kind->tables || !kind->objects) {
    *ret = kind;
    return TENON_OK;
  }
  pthread_mutex_lock(&derived.lock);
  size_t i = 0;
  while (i < derived.count && derived.items[i].kind != kind) i++;
  bool room = i < MAX_KINDS;
  if (room && i == derived.count) derive(&derived.items[derived.count++], kind);
  pthread_mutex_unlock(&derived.lock);
  if (!room) return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, NULL, "more than %d kinds have objects", MAX_KINDS);
  *ret = &derived.items[i].provider;
  return TENON_OK;
}
