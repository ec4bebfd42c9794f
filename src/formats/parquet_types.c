/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shape of nested columns follows DuckDB's reading of a file's schema (which leans on the converted
 * types, not the logical ones): its vectors are what is to be understood. Where a leaf is concerned the
 * file decides, and what DuckDB would cut or turn into something else is read raw.
 */
#include "formats/parquet_types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "base/base64.h"
#include "base/error.h"
#include "base/str.h"
#include "formats/parquet_patch.h"
#include "formats/parquet_skip.h"

enum { MAX_SCHEMA = 256 << 20, MAX_DECIMAL = 38 };

/* ---- Leaves ---- */

static const char *int_format(const tn_parquet_element *e) {
  switch (e->converted) {
    case TN_INT_8: return "c";
    case TN_INT_16: return "s";
    case TN_UINT_8: return "C";
    case TN_UINT_16: return "S";
    case TN_UINT_32: return "I";
    case TN_UINT_64: return "L";
    case TN_DATE: return "tdD";
    default: return e->physical == TN_INT32 ? "i" : "l";
  }
}

static const char *time_format(const tn_parquet_element *e) {
  if (e->logical == TN_LOGICAL_TIME) return e->unit == 'm' ? "ttm" : e->unit == 'u' ? "ttu" : "ttn";
  if (e->logical == TN_LOGICAL_TIMESTAMP) {
    if (e->unit == 'm') return e->is_utc ? "tsm:UTC" : "tsm:";
    if (e->unit == 'u') return e->is_utc ? "tsu:UTC" : "tsu:";
    return e->is_utc ? "tsn:UTC" : "tsn:";
  }
  switch (e->converted) {
    case TN_TIME_MILLIS: return "ttm";
    case TN_TIME_MICROS: return "ttu";
    case TN_TIMESTAMP_MILLIS: return "tsm:";
    case TN_TIMESTAMP_MICROS: return "tsu:";
    default: return NULL;
  }
}

static bool is_wide_decimal(const tn_parquet_element *e) { return e->converted == TN_DECIMAL && e->precision > MAX_DECIMAL; }

/* Would DuckDB lose digits of it, or make something of it that Arrow has no type for? */
static bool is_raw(const tn_parquet_element *e) {
  bool nanos = (e->logical == TN_LOGICAL_TIMESTAMP && e->is_utc) || e->logical == TN_LOGICAL_TIME;
  return (nanos && e->unit == 'n') || e->physical == TN_INT96 || is_wide_decimal(e) || e->logical == TN_LOGICAL_VARIANT ||
         e->logical == TN_LOGICAL_GEOMETRY || e->logical == TN_LOGICAL_GEOGRAPHY || e->converted == TN_BSON;
}

static bool is_text(const tn_parquet_element *e) {
  return e->converted == TN_UTF8 || e->converted == TN_ENUM || e->converted == TN_JSON;
}

/* 96 bits are what Impala and Spark used to write for timestamps. Spark means microseconds, which reach
 * further than nanoseconds; with an Arrow schema in the file it is that which says what they are. */
static void leaf_format(const tn_parquet_footer *p, const tn_parquet_element *e, char format[40]) {
  const char *f = time_format(e);
  if (e->logical == TN_LOGICAL_UNKNOWN) f = "n";
  else if (e->physical == TN_INT96) f = p->arrow_schema ? "tsn:" : "tsu:";
  else if (e->logical == TN_LOGICAL_FLOAT16 && e->type_length == 2) f = "e";
  else if (!f && e->converted == TN_INTERVAL) f = "tin";
  else if (!f && is_text(e)) f = "u";
  if (!f && e->converted != TN_DECIMAL) switch (e->physical) {
      case TN_BOOLEAN: f = "b"; break;
      case TN_INT32: case TN_INT64: f = int_format(e); break;
      case TN_FLOAT: f = "f"; break;
      case TN_DOUBLE: f = "g"; break;
      case TN_BYTE_ARRAY: f = "z"; break;
      default: break;
    }
  if (f) snprintf(format, 40, "%s", f);
  else if (e->converted == TN_DECIMAL) snprintf(format, 40, "d:%d,%d%s", e->precision, e->scale, is_wide_decimal(e) ? ",256" : "");
  else snprintf(format, 40, "w:%d", e->type_length);
}

static bool is_uuid(const tn_parquet_element *e) {
  return e->logical == TN_LOGICAL_UUID && e->physical == TN_FIXED_LEN_BYTE_ARRAY && e->type_length == 16;
}

/* ---- Trees ---- */

typedef struct tn_converter {
  const tn_parquet_footer *footer;
  uint32_t at;               /* the next element */
  uint8_t *patches;
  bool raw;                  /* the present column has something raw in it */
} tn_converter;

static tenon_status convert(tn_converter *c, const char *name, bool nullable, struct ArrowSchema *unset, tenon_error *err);

static tenon_status convert_leaf(tn_converter *c, const tn_parquet_element *e, const char *name, bool nullable,
                                 struct ArrowSchema *unset, tenon_error *err) {
  char format[40];
  leaf_format(c->footer, e, format);
  if (is_raw(e)) {
    c->raw = true;
    c->patches[e - c->footer->elements] = TN_PATCH_RAW;
  }
  tenon_status status = tn_schema_set(unset, name, format, nullable, 0, err);
  if (!status && is_uuid(e)) status = tn_schema_annotate(unset, "ARROW:extension:name", "arrow.uuid", err);
  return status;
}

static tenon_status convert_children(tn_converter *c, int32_t n, struct ArrowSchema *parent, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (int32_t i = 0; !status && i < n; i++) {
    const tn_parquet_element *child = &c->footer->elements[c->at];
    status = convert(c, child->name, child->repetition != TN_REQUIRED, parent->children[i], err);
  }
  return status;
}

static bool is_entries(const tn_converter *c, uint32_t i) {
  const tn_parquet_element *e = &c->footer->elements[i], *before = &c->footer->elements[i - 1];
  return e->converted == TN_MAP_KEY_VALUE || (before->converted == TN_MAP && before->child_count == 1);
}

/* What stands in a group, without the list that its repetition makes of it. */
static tenon_status convert_group(tn_converter *c, const tn_parquet_element *e, const char *name, bool nullable,
                                  struct ArrowSchema *unset, tenon_error *err) {
  bool repeated = e->repetition == TN_REPEATED, lifted = e->converted == TN_LIST_OF || e->converted == TN_MAP || repeated;
  if (is_raw(e)) {
    c->raw = true;
    c->patches[e - c->footer->elements] = TN_PATCH_RAW;
  }
  if (e->child_count == 1 && lifted) return convert(c, name, nullable, unset, err);
  tenon_status status = tn_schema_set(unset, name, "+s", nullable, e->child_count, err);
  return status ? status : convert_children(c, e->child_count, unset, err);
}

static tenon_status convert_map(tn_converter *c, const tn_parquet_element *e, const char *name, bool nullable,
                                struct ArrowSchema *unset, tenon_error *err) {
  if (e->child_count != 2 || e->repetition != TN_REPEATED)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave the column out (columns)", "column %s: a malformed map", name);
  tenon_status status = tn_schema_set(unset, name, "+m", nullable, 1, err);
  if (!status) status = convert_children(c, 2, unset->children[0], err);
  if (!status) unset->children[0]->children[0]->flags &= ~ARROW_FLAG_NULLABLE;
  return status;
}

static tenon_status convert(tn_converter *c, const char *name, bool nullable, struct ArrowSchema *unset, tenon_error *err) {
  uint32_t i = c->at++;
  const tn_parquet_element *e = &c->footer->elements[i];
  bool group = e->child_count > 0;
  if (group && is_entries(c, i)) return convert_map(c, e, name, nullable, unset, err);
  tenon_status status = TENON_OK;
  struct ArrowSchema *value = unset;
  const char *value_name = name;
  bool value_nullable = nullable;
  if (e->repetition == TN_REPEATED) {
    if ((status = tn_schema_set(unset, name, "+l", nullable, 1, err))) return status;
    value = unset->children[0];
    value_name = group && e->child_count == 1 ? c->footer->elements[c->at].name : "item";
    value_nullable = group && e->child_count == 1 ? c->footer->elements[c->at].repetition != TN_REQUIRED : false;
  }
  return group ? convert_group(c, e, value_name, value_nullable, value, err)
               : convert_leaf(c, e, value_name, value_nullable, value, err);
}

/* ---- The Arrow schema that the file was written from ---- */

static int64_t ticks(char unit) { return unit == 's' ? 1 : unit == 'm' ? 1000 : unit == 'u' ? 1000000 : 1000000000; }

/* Timestamps: the zone is the origin's if both have one or neither; the unit, if it is a coarser one. */
static bool merge_timestamps(const char *file, const char *origin, char format[160]) {
  if (strncmp(file, "ts", 2) != 0 || strncmp(origin, "ts", 2) != 0 || !origin[2] || origin[3] != ':') return false;
  if ((file[4] == 0) != (origin[4] == 0)) return false;
  char unit = ticks(origin[2]) < ticks(file[2]) ? origin[2] : file[2];
  snprintf(format, 160, "ts%c:%s", unit, origin + 4);
  return strlen(origin) < 150;
}

/* Leaves of other types that a file's type stands for, without a value being changed. */
static bool stands_for(const char *file, const char *origin) {
  static const char *const pairs[][2] = {{"tdD", "tdm"}, {"ttu", "tts"}, {"ttu", "ttm"}, {"ttm", "tts"}, {"f", "e"},
                                         {"u", "U"},     {"z", "Z"},     {"l", "tDs"},   {"l", "tDm"},   {"l", "tDu"},   {"l", "tDn"}};
  for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
    if (strcmp(file, pairs[i][0]) == 0 && strcmp(origin, pairs[i][1]) == 0) return true;
  size_t n = strlen(file);
  if (file[0] == 'd' && strncmp(file, origin, n) == 0 && strcmp(origin + n, ",256") == 0) return true;
  if (strcmp(file, "z") == 0 && strncmp(origin, "w:", 2) == 0) return true;
  return strcmp(origin, "n") == 0 && strcmp(file, "i") == 0;
}

/* The format that a leaf gets; NULL: the two do not agree, and the file's own is right. */
static const char *merged_format(const struct ArrowSchema *file, const struct ArrowSchema *origin, char room[160]) {
  if (strcmp(file->format, origin->format) == 0 || stands_for(file->format, origin->format)) return origin->format;
  return merge_timestamps(file->format, origin->format, room) ? room : NULL;
}

static bool is_list(const struct ArrowSchema *s) {
  return s->format[0] == '+' && (s->format[1] == 'l' || s->format[1] == 'L' || s->format[1] == 'w');
}

/* Nested types agree in their shape; what is below them is looked at apart. 64-bit lists come as lists. */
static const char *merged_shape(const struct ArrowSchema *file, const struct ArrowSchema *origin) {
  if (file->n_children != origin->n_children) return NULL;
  if (is_list(file) && is_list(origin)) return origin->format[1] == 'w' ? origin->format : file->format;
  return strcmp(file->format, origin->format) == 0 ? file->format : NULL;
}

static tenon_status merge(const struct ArrowSchema *file, const struct ArrowSchema *origin, bool is_column, struct ArrowSchema *unset,
                          tenon_error *err) {
  char room[160];
  const char *format = NULL;
  if (origin) format = file->n_children ? merged_shape(file, origin) : merged_format(file, origin, room);
  if (!format) origin = NULL;
  bool nullable = file->flags & ARROW_FLAG_NULLABLE;
  if (is_column && origin && !(origin->flags & ARROW_FLAG_NULLABLE)) nullable = false;   /* checked as rows are read */
  const char *name = origin && origin->name && !is_column ? origin->name : file->name;
  tenon_status status = tn_schema_set(unset, name, format ? format : file->format, nullable, file->n_children, err);
  if (!status) status = tn_schema_copy_metadata(origin ? origin : file, unset, err);
  if (status || strcmp(file->format, "+m") != 0) {
    for (int64_t i = 0; !status && i < file->n_children; i++)
      status = merge(file->children[i], origin ? origin->children[i] : NULL, false, unset->children[i], err);
    return status;
  }
  for (int64_t i = 0; !status && i < 2; i++)   /* the entries between are made already */
    status = merge(file->children[0]->children[i], origin ? origin->children[0]->children[i] : NULL, false,
                   unset->children[0]->children[i], err);
  return status;
}

/* Columns agree when their names do, in the same places. */
static tenon_status merge_all(const struct ArrowSchema *file, const struct ArrowSchema *origin, struct ArrowSchema *ret, tenon_error *err) {
  struct ArrowSchema made = {0};
  bool usable = origin->release && origin->n_children == file->n_children;
  tenon_status status = tn_schema_struct(&made, file->n_children, err);
  if (!status && origin->release) status = tn_schema_copy_metadata(origin, &made, err);
  for (int64_t i = 0; !status && i < file->n_children; i++) {
    const struct ArrowSchema *other = usable ? origin->children[i] : NULL;
    if (other && strcmp(other->name, file->children[i]->name) != 0) other = NULL;
    status = merge(file->children[i], other, true, made.children[i], err);
  }
  if (status) tn_schema_release(&made);
  else *ret = made;
  return status;
}

/* One that cannot be understood is as good as none: it only adds to what the file says itself. */
static void read_origin(const tn_parquet_footer *f, struct ArrowSchema *ret) {
  tn_str message;
  tn_str_init(&message, MAX_SCHEMA);
  if (f->arrow_schema && tn_base64_decode(&message, (const char *)f->arrow_schema, f->arrow_schema_size)) {
    tenon_error ignored = TENON_ERROR_INIT;
    struct ArrowSchema origin;
    if (tn_ipc_decode_schema(message.data, message.size, &origin, &ignored) == TENON_OK) *ret = origin;
  }
  tn_str_release(&message);
}

/* ---- Columns ---- */

static int compare_names(const void *a, const void *b) { return strcasecmp(*(const char *const *)a, *(const char *const *)b); }

/* Without the memory to look they are taken to clash: what follows from it is slower, not wrong. */
bool tn_names_clash(const struct ArrowSchema *s, const char **ret_one, const char **ret_other) {
  size_t n = (size_t)s->n_children;
  const char **names = tn_alloc_array(n + 1, sizeof *names);
  bool clash = !names;
  *ret_one = *ret_other = "";
  for (size_t i = 0; names && i < n; i++) names[i] = s->children[i]->name;
  if (names) qsort(names, n, sizeof *names, compare_names);
  for (size_t i = 1; !clash && i < n; i++) {
    clash = strcasecmp(names[i - 1], names[i]) == 0;
    *ret_one = names[i - 1];
    *ret_other = names[i];
  }
  tn_free(names);
  return clash;
}

/* DuckDB's name of column i: one that was there already, in any case, gets _1, _2 … until it is new. */
static bool name_anew(const tn_parquet_types *t, int64_t i, tn_str *name) {
  for (int64_t k = 0, n = 0; k < i; k++)
    if (strcasecmp(t->columns[k].engine_name, tn_str_text(name)) == 0) {
      tn_str_printf(name, "_%lld", (long long)++n);
      k = -1;
    }
  return !name->failed;
}

static tenon_status name_columns(tn_parquet_types *t, tenon_error *err) {
  const char *one, *other;
  bool clash = tn_names_clash(&t->schema, &one, &other), ok = true;
  for (int64_t i = 0; ok && i < t->column_count; i++) {
    tn_str name;
    tn_str_init(&name, MAX_SCHEMA);
    tn_str_puts(&name, t->schema.children[i]->name);
    ok = !clash || name_anew(t, i, &name);
    if (ok) t->columns[i].engine_name = tn_strdup(tn_str_text(&name));
    ok = ok && t->columns[i].engine_name;
    tn_str_release(&name);
  }
  return ok ? TENON_OK : tn_no_memory(err);
}

/* Bounds in deprecated fields order text and decimals otherwise, and those without an order say nothing; floats have NaN,
 * which no bounds show. */
static bool is_plain(const tn_parquet_element *e, const struct ArrowSchema *s) {
  const char *f = s->format;
  if (e->child_count || e->repetition == TN_REPEATED || e->old_bounds || (e->has_bounds && !e->has_order)) return false;
  return strchr("bcCsSiIlLu", f[0]) || f[0] == 'd' || strcmp(f, "tdD") == 0 || strncmp(f, "tsu:", 4) == 0 || strncmp(f, "tsm:", 4) == 0;
}

static tenon_status convert_columns(const tn_parquet_footer *f, tn_parquet_types *t, struct ArrowSchema *file, tenon_error *err) {
  tn_converter c = {.footer = f, .at = 1, .patches = t->patches};
  for (int64_t i = 0; i < file->n_children; i++) {
    const tn_parquet_element *e = &f->elements[c.at];
    c.raw = false;
    t->columns[i].begin = c.at;
    tenon_status status = convert(&c, e->name, e->repetition != TN_REQUIRED, file->children[i], err);
    if (status) return status;
    t->columns[i].end = c.at;
    for (uint32_t k = t->columns[i].begin; k < c.at; k++) c.raw = c.raw || f->elements[k].bad_bounds;
    t->columns[i].is_raw = c.raw;
    t->columns[i].is_plain = !c.raw && is_plain(e, file->children[i]);
  }
  tn_parquet_doubt(f, file, t->columns);
  return TENON_OK;
}

tenon_status tn_parquet_types_init(const tn_parquet_footer *f, tn_parquet_types *ret, tenon_error *err) {
  int64_t n = f->elements[0].child_count;
  tn_parquet_types t = {.columns = tn_alloc_array((size_t)n, sizeof *t.columns), .column_count = n,
                        .patches = tn_alloc_array(f->element_count, sizeof *t.patches)};
  struct ArrowSchema file = {0}, origin = {0};
  tenon_status status = t.columns && t.patches ? tn_schema_struct(&file, n, err) : tn_no_memory(err);
  if (!status) status = convert_columns(f, &t, &file, err);
  if (!status) {
    read_origin(f, &origin);
    status = merge_all(&file, &origin, &t.schema, err);
  }
  if (!status) status = name_columns(&t, err);
  tn_schema_release(&file);
  tn_schema_release(&origin);
  if (status) tn_parquet_types_release(&t);
  else *ret = t;
  return status;
}

void tn_parquet_types_release(tn_parquet_types *t) {
  for (int64_t i = 0; t->columns && i < t->column_count; i++) tn_free(t->columns[i].engine_name);
  tn_free(t->columns);
  tn_free(t->patches);
  tn_schema_release(&t->schema);
  *t = (tn_parquet_types){0};
}
