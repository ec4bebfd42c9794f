/* SPDX-License-Identifier: Apache-2.0 */
#include "adapters/file_set.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/pattern.h"
#include "arrow/build.h"
#include "base/error.h"
#include "base/str.h"

enum { MAX_ARENA = 256 << 20, MAX_KEY = 65536, MAX_DEPTH = 64, MAX_NEIGHBOURS = 1000 };

static tenon_key_bytes key_of(const char *text) { return (tenon_key_bytes){text, strlen(text)}; }

/* ---- Listings ---- */

static bool is_valid(const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[0];
  return a->null_count == 0 || !bits || (bits[(a->offset + i) >> 3] >> ((a->offset + i) & 7) & 1);
}

static tenon_key_bytes bytes_at(const struct ArrowArray *a, int64_t i) {
  const int32_t *ends = (const int32_t *)a->buffers[1] + a->offset + i;
  return (tenon_key_bytes){(const char *)a->buffers[2] + ends[0], (size_t)(ends[1] - ends[0])};
}

tn_listed tn_listed_at(const struct ArrowArray *batch, int64_t i) {
  const struct ArrowArray *size = batch->children[2];
  tenon_key_bytes what = bytes_at(batch->children[1], batch->offset + i);
  return (tn_listed){
      .key = bytes_at(batch->children[0], batch->offset + i),
      .is_prefix = what.size == 6 && memcmp(what.data, "prefix", 6) == 0,
      .size = is_valid(size, batch->offset + i) ? ((const int64_t *)size->buffers[1])[size->offset + batch->offset + i] : -1,
  };
}

tenon_status tn_list_each(tenon_ctx *ctx, const tn_file_source *source, tenon_key_bytes prefix, char delimiter,
                          tenon_status (*each)(void *arg, const tn_listed *, tenon_error *err), void *arg, tenon_error *err) {
  tenon_objects_list request = {.struct_size = sizeof request, .prefix = prefix, .delimiter = delimiter};
  tenon_stream stream = {0};
  tenon_status status = source->objects->list(ctx, source->session, &request, &stream, err);
  if (status) return status;
  for (bool more = true; more && !status;) {
    struct ArrowArray batch = {0};
    status = stream.next(stream.self, &batch, err);
    more = !status && batch.release;
    for (int64_t i = 0; more && !status && i < batch.length; i++) {
      tn_listed row = tn_listed_at(&batch, i);
      status = each(arg, &row, err);
    }
    if (more) tn_array_release(&batch);
  }
  stream.close(stream.self);
  tn_schema_release(&stream.schema);
  return status;
}

/* ---- Formats ---- */

const tn_format *tn_file_format(const tn_file_source *source, tenon_key_bytes key) {
  const tn_format *format = source->format ? source->format : tn_format_by_path(key.data, key.size);
  return format && format->read ? format : NULL;
}

static bool ends_with(const char *name, const char *end) {
  size_t n = strlen(name), m = strlen(end);
  return n >= m && strcmp(name + n - m, end) == 0;
}

static tenon_status unknown_format(const char *name, tenon_error *err) {
  static const char *const packed[] = {".gz", ".zst", ".bz2", ".xz", ".zip"};
  const tn_format *written = tn_format_by_path(name, strlen(name));
  if (written)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "CSV, TSV and Parquet are read", "%.300s: files of the format %s are written, not read",
                      name, written->name);
  for (size_t i = 0; i < sizeof packed / sizeof packed[0]; i++)
    if (ends_with(name, packed[i]))
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "unpack it first (gunzip, unzstd, unzip)", "%.300s: packed files are not read", name);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "say it with format=csv (or tsv, parquet)",
                    "%.300s: its name does not say which format it has", name);
}

/* ---- The set ---- */

typedef struct tn_finder {
  tenon_ctx *ctx;
  const tn_file_source *source;
  tn_file_set *set;
  bool lenient;              /* objects without a format are left out, as are hidden ones */
  const char *pattern;       /* of whole keys, where they are listed flat */
  size_t base;               /* what of a key is in front of the hidden-or-not parts */
} tn_finder;

static tenon_status add(tn_finder *f, tenon_key_bytes key, int64_t size, tenon_error *err) {
  tn_file_set *set = f->set;
  if (set->count == TN_MAX_FILES)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "name fewer of them", "more than %d objects belong to this table", TN_MAX_FILES);
  if (set->count == set->capacity) {
    size_t capacity = set->capacity ? set->capacity * 2 : 16;
    tn_file *files = tn_resize(set->files, capacity * sizeof *files);
    if (!files) return tn_no_memory(err);
    set->files = files;
    set->capacity = capacity;
  }
  char *copy = tn_arena_strndup(&set->arena, key.data, key.size);
  if (!copy) return tn_no_memory(err);
  const tn_format *format = tn_file_format(f->source, key);
  if (!format && f->lenient) return TENON_OK;
  if (!format) return unknown_format(copy, err);
  set->files[set->count++] = (tn_file){.key = {copy, key.size}, .name = copy, .size = size, .format = format};
  return TENON_OK;
}

static int compare_keys(const void *a, const void *b) {
  const tenon_key_bytes *x = &((const tn_file *)a)->key, *y = &((const tn_file *)b)->key;
  int order = memcmp(x->data, y->data, x->size < y->size ? x->size : y->size);
  return order ? order : (x->size > y->size) - (x->size < y->size);
}

/* Alternatives of a pattern may name the same object. */
static void sort_and_unite(tn_file_set *set) {
  size_t kept = 0;
  if (set->count) qsort(set->files, set->count, sizeof *set->files, compare_keys);
  for (size_t i = 0; i < set->count; i++)
    if (kept == 0 || compare_keys(&set->files[kept - 1], &set->files[i]) != 0) set->files[kept++] = set->files[i];
  set->count = kept;
}

void tn_file_set_release(tn_file_set *set) {
  tn_free(set->files);
  tn_arena_release(&set->arena);
  *set = (tn_file_set){0};
}

/* ---- One object ---- */

/* Adds the object of this very key. NOT_FOUND is no failure here: *ret_found says it. */
static tenon_status add_exact(tn_finder *f, tenon_key_bytes key, bool *ret_found, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tenon_object object = {.struct_size = sizeof object};
  *ret_found = false;
  if (key.size == 0 || key.data[key.size - 1] == '/') return TENON_OK;
  tenon_status status = f->source->objects->stat(f->ctx, f->source->session, &key, &object, &why);
  if (status == TENON_NOT_FOUND) return TENON_OK;
  if (status) {
    if (err && !err->code) *err = why;
    return status;
  }
  *ret_found = true;
  return add(f, key, object.size, err);
}

/* ---- Folders ---- */

static bool has_hidden_part(const char *key, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((i == 0 || key[i - 1] == '/') && (key[i] == '.' || key[i] == '_')) return true;
  return false;
}

static tenon_status add_below(void *arg, const tn_listed *row, tenon_error *err) {
  tn_finder *f = arg;
  if (row->is_prefix || row->key.size <= f->base || row->key.data[row->key.size - 1] == '/') return TENON_OK;
  if (has_hidden_part(row->key.data + f->base, row->key.size - f->base)) return TENON_OK;
  return add(f, row->key, row->size, err);
}

static tenon_status add_folder(tn_finder *f, const char *table, tenon_error *err) {
  tn_str prefix;
  tn_str_init(&prefix, MAX_KEY);
  tn_str_puts(&prefix, table);
  if (prefix.size && prefix.data[prefix.size - 1] != '/') tn_str_putc(&prefix, '/');
  tenon_status status = prefix.failed ? tn_no_memory(err) : TENON_OK;
  f->lenient = true;
  f->base = prefix.size;
  if (!status) status = tn_list_each(f->ctx, f->source, (tenon_key_bytes){tn_str_text(&prefix), prefix.size}, 0, add_below, f, err);
  f->lenient = false;
  tn_str_release(&prefix);
  return status;
}

/* ---- Patterns ---- */

static tenon_status add_matching(void *arg, const tn_listed *row, tenon_error *err) {
  tn_finder *f = arg;
  if (row->is_prefix || row->key.size == 0 || row->key.data[row->key.size - 1] == '/') return TENON_OK;
  if (!tn_pattern_matches(f->pattern, strlen(f->pattern), row->key.data, row->key.size)) return TENON_OK;
  return add(f, row->key, row->size, err);
}

/* One level of a walk: what begins with prefix and has a name of the pattern's next part. */
typedef struct tn_level {
  tn_finder *finder;
  const char *part;          /* the rest of the pattern, from this part on */
  size_t part_size, base;
  bool is_last;
  tenon_key_bytes *below;    /* the prefixes to go on with, in the set's arena */
  size_t count, capacity;
} tn_level;

static tenon_status keep_prefix(tn_level *l, tenon_key_bytes key, tenon_error *err) {
  if (l->count == TN_MAX_FILES)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_QUERY, "name fewer of them", "more than %d folders match", TN_MAX_FILES);
  if (l->count == l->capacity) {
    size_t capacity = l->capacity ? l->capacity * 2 : 16;
    tenon_key_bytes *below = tn_resize(l->below, capacity * sizeof *below);
    if (!below) return tn_no_memory(err);
    l->below = below;
    l->capacity = capacity;
  }
  char *copy = tn_arena_strndup(&l->finder->set->arena, key.data, key.size);
  if (!copy) return tn_no_memory(err);
  l->below[l->count++] = (tenon_key_bytes){copy, key.size};
  return TENON_OK;
}

static tenon_status visit(void *arg, const tn_listed *row, tenon_error *err) {
  tn_level *l = arg;
  size_t size = row->key.size - (row->is_prefix ? 1 : 0);
  if (size <= l->base || row->is_prefix == l->is_last) return TENON_OK;
  if (!tn_pattern_matches(l->part, l->part_size, row->key.data + l->base, size - l->base)) return TENON_OK;
  return l->is_last ? add(l->finder, row->key, row->size, err) : keep_prefix(l, row->key, err);
}

static tenon_status walk(tn_finder *f, tenon_key_bytes prefix, const char *rest, int depth, tenon_error *err);

static tenon_status walk_pattern(tn_finder *f, tenon_key_bytes prefix, const char *rest, size_t size, int depth, tenon_error *err) {
  tn_level level = {.finder = f, .part = rest, .part_size = size, .base = prefix.size, .is_last = rest[size] == 0};
  tenon_status status = tn_list_each(f->ctx, f->source, prefix, '/', visit, &level, err);
  for (size_t i = 0; !status && i < level.count; i++) status = walk(f, level.below[i], rest + size + 1, depth + 1, err);
  tn_free(level.below);
  return status;
}

static tenon_status walk_literal(tn_finder *f, tenon_key_bytes prefix, const char *rest, size_t size, int depth, tenon_error *err) {
  tn_str key;
  tn_str_init(&key, MAX_KEY);
  bool is_last = rest[size] == 0, found;
  tn_str_add(&key, prefix.data, prefix.size);
  tn_str_add(&key, rest, size + (is_last ? 0 : 1));
  tenon_key_bytes bytes = {tn_str_text(&key), key.size};
  tenon_status status = key.failed ? tn_no_memory(err) : TENON_OK;
  if (!status) status = is_last ? add_exact(f, bytes, &found, err) : walk(f, bytes, rest + size + 1, depth + 1, err);
  tn_str_release(&key);
  return status;
}

static tenon_status walk(tn_finder *f, tenon_key_bytes prefix, const char *rest, int depth, tenon_error *err) {
  size_t size = strcspn(rest, "/");
  if (depth > MAX_DEPTH)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use **", "the pattern has more than %d parts", MAX_DEPTH);
  bool literal = strcspn(rest, "*?[") >= size;
  return (literal ? walk_literal : walk_pattern)(f, prefix, rest, size, depth, err);
}

/* Only ** needs every key below; other patterns are walked level by level. */
static tenon_status add_alternative(void *arg, const char *pattern, tenon_error *err) {
  tn_finder *f = arg;
  if (!strstr(pattern, "**")) return walk(f, key_of(""), pattern, 0, err);
  f->pattern = pattern;
  return tn_list_each(f->ctx, f->source, (tenon_key_bytes){pattern, tn_pattern_prefix(pattern)}, 0, add_matching, f, err);
}

/* ---- Nothing found ---- */

typedef struct tn_neighbours {
  const char *name;
  size_t base, seen, best;
  char nearest[256];
} tn_neighbours;

static tenon_status compare(void *arg, const tn_listed *row, tenon_error *err) {
  tn_neighbours *n = arg;
  char name[256];
  (void)err;
  size_t size = row->key.size - n->base;
  if (row->key.size <= n->base || size >= sizeof name) return TENON_OK;
  if (++n->seen > MAX_NEIGHBOURS) return TENON_GONE;   /* enough: this ends the listing */
  memcpy(name, row->key.data + n->base, size);
  name[size] = 0;
  size_t distance = tn_edit_distance(n->name, name, n->best);
  if (distance >= n->best) return TENON_OK;
  n->best = distance;
  memcpy(n->nearest, name, size + 1);
  return TENON_OK;
}

static tenon_status not_found(tn_finder *f, const char *table, tenon_error *err) {
  if (!*table)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "`tenon ls` lists what is there; format=csv says how it is read",
                      "there is nothing whose name says that it can be read");
  char remedy[700] = "`tenon ls --tables` lists what can be read";
  size_t folder = tn_pattern_is(table) ? tn_pattern_prefix(table) : strlen(table);
  if (!tn_pattern_is(table))
    while (folder > 0 && (table[folder - 1] != '/' || table[folder] == 0)) folder--;
  tn_neighbours n = {.name = table + folder, .base = folder, .best = strlen(table + folder) / 3 + 2};
  tenon_error ignored = TENON_ERROR_INIT;
  (void)tn_list_each(f->ctx, f->source, (tenon_key_bytes){table, folder}, '/', compare, &n, &ignored);
  if (n.nearest[0]) snprintf(remedy, sizeof remedy, "did you mean %.*s%s?", (int)(folder < 300 ? folder : 300), table, n.nearest);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy, "nothing that can be read is called %.300s", table);
}

/* ---- All of it ---- */

static tenon_status check_same_format(const tn_file_set *set, tenon_error *err) {
  for (size_t i = 1; i < set->count; i++)
    if (set->files[i].format != set->files[0].format)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name files of one format, such as *.parquet",
                        "%.300s is %s, %.300s is %s: they are not one table", set->files[0].name, set->files[0].format->name,
                        set->files[i].name, set->files[i].format->name);
  return TENON_OK;
}

static tenon_status find(tn_finder *f, const char *table, tenon_error *err) {
  bool found;
  tenon_status status = add_exact(f, key_of(table), &found, err);
  if (status || found) return status;
  if (tn_pattern_is(table)) status = tn_pattern_expand(table, add_alternative, f, err);
  else status = add_folder(f, table, err);
  if (status) return status;
  sort_and_unite(f->set);
  if (f->set->count == 0) return not_found(f, table, err);
  return check_same_format(f->set, err);
}

tenon_status tn_file_set_init(tenon_ctx *ctx, const tn_file_source *source, const char *table, tn_file_set *ret, tenon_error *err) {
  tn_file_set set = {0};
  tn_arena_init(&set.arena, MAX_ARENA);
  tn_finder finder = {.ctx = ctx, .source = source, .set = &set};
  tenon_status status = find(&finder, table, err);
  if (status) tn_file_set_release(&set);
  else *ret = set;
  return status;
}
