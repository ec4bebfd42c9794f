/* SPDX-License-Identifier: Apache-2.0 */
/* Arrow's format strings are those of the Arrow C data interface; DuckDB's types are its C API's. */
#include "engine/lane.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"

enum { MAX_DEPTH = 32, MAX_DECIMAL = 38, DAY_MS = 86400000 };

static const char *const drop_remedy = "leave the column out (columns), or have its values converted by the system they come from";

/* ---- Life ---- */

void tn_lane_release(tn_lane *lane) {
  for (int32_t i = 0; i < lane->child_count; i++) tn_lane_release(&lane->children[i]);
  tn_free(lane->children);
  for (uint32_t i = 0; i < lane->word_count; i++) tn_free(lane->words[i]);
  tn_free(lane->words);
  tn_free(lane->name);
  *lane = (tn_lane){0};
}

static tenon_status set_name(tn_lane *lane, const tn_lane *parent, const char *name, tenon_error *err) {
  if (!name) name = "";
  size_t before = parent ? strlen(parent->name) + 1 : 0, room = before + strlen(name) + 1;
  lane->name = tn_alloc(room);
  if (!lane->name) return tn_no_memory(err);
  if (parent) snprintf(lane->name, room, "%s.%s", parent->name, name);
  else snprintf(lane->name, room, "%s", name);
  lane->field = lane->name + before;
  return TENON_OK;
}

static tenon_status add_children(tn_lane *lane, int64_t n, tenon_error *err) {
  lane->children = tn_alloc_array((size_t)(n > 0 ? n : 1), sizeof *lane->children);
  if (!lane->children) return tn_no_memory(err);
  lane->child_count = (int32_t)n;
  return TENON_OK;
}

static tenon_status refuse(const tn_lane *lane, const char *arrow_type, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, drop_remedy, "column %s: %s (Arrow type %s)", lane->name, why,
                    arrow_type);
}

/* ---- Arrow formats ---- */

static void set_copy(tn_lane *lane, duckdb_type type, int32_t width) {
  lane->cell = TN_CELL_COPY;
  lane->type = type;
  lane->width = lane->inner = width;
}

static void set_scale(tn_lane *lane, duckdb_type type, int32_t width, int32_t inner, int64_t factor) {
  lane->cell = TN_CELL_SCALE;
  lane->type = type;
  lane->width = width;
  lane->inner = inner;
  lane->factor = factor;
}

static void set_text(tn_lane *lane, duckdb_type type, bool large) {
  lane->cell = TN_CELL_TEXT;
  lane->type = type;
  lane->width = large ? 8 : 4;
  lane->inner = 16;
}

static bool is_uuid(const struct ArrowSchema *s) {
  char name[32];
  return strcmp(s->format, "w:16") == 0 && tn_schema_annotation(s, "ARROW:extension:name", name, sizeof name) &&
         strcmp(name, "arrow.uuid") == 0;
}

/* "d:15,2" and "d:15,2,256"; false if it is another width or malformed. */
static bool parse_decimal(const char *f, long *ret_precision, long *ret_scale, int32_t *ret_width) {
  char *end;
  if (f[0] != 'd' || f[1] != ':') return false;
  *ret_precision = strtol(f + 2, &end, 10);
  if (*end != ',') return false;
  *ret_scale = strtol(end + 1, &end, 10);
  *ret_width = *end == 0 || strcmp(end, ",128") == 0 ? 16 : strcmp(end, ",256") == 0 ? 32 : 0;
  return *ret_width > 0;
}

static int32_t decimal_inner(long precision) { return precision <= 4 ? 2 : precision <= 9 ? 4 : precision <= 18 ? 8 : 16; }

static tenon_status decimal_in(const struct ArrowSchema *s, tn_lane *lane, tenon_error *err) {
  long precision, scale;
  if (!parse_decimal(s->format, &precision, &scale, &lane->width)) return refuse(lane, s->format, "not known to the engine", err);
  if (precision < 1 || precision > MAX_DECIMAL)
    return refuse(lane, s->format, "decimals of more than 38 digits would be changed", err);
  if (scale < 0 || scale > precision) return refuse(lane, s->format, "its scale is not within its digits", err);
  lane->cell = TN_CELL_DECIMAL;
  lane->type = DUCKDB_TYPE_DECIMAL;
  lane->inner = decimal_inner(precision);
  lane->precision = (uint8_t)precision;
  lane->scale = (uint8_t)scale;
  return TENON_OK;
}

/* ts?:ZONE, td?, tt?, tD?. With a zone seconds and milliseconds become microseconds, since DuckDB has a
 * zone at those alone. Nanoseconds with a zone keep their number and lose the zone, times of nanoseconds
 * become numbers: who writes them says in the file what they are (formats/parquet_patch.h). */
static bool temporal_in(const char *f, tn_lane *lane) {
  bool zone = f[1] == 's' && f[2] && f[3] == ':' && f[4];
  if (strncmp(f, "ts", 2) == 0 && f[2] && f[3] == ':') {
    if (f[2] == 'u') set_copy(lane, zone ? DUCKDB_TYPE_TIMESTAMP_TZ : DUCKDB_TYPE_TIMESTAMP, 8);
    else if (f[2] == 'n') set_copy(lane, DUCKDB_TYPE_TIMESTAMP_NS, 8);
    else if (f[2] == 'm' && !zone) set_copy(lane, DUCKDB_TYPE_TIMESTAMP_MS, 8);
    else if (f[2] == 'm') set_scale(lane, DUCKDB_TYPE_TIMESTAMP_TZ, 8, 8, 1000);
    else if (f[2] == 's') set_scale(lane, zone ? DUCKDB_TYPE_TIMESTAMP_TZ : DUCKDB_TYPE_TIMESTAMP, 8, 8, 1000000);
    else return false;
    return true;
  }
  if (strcmp(f, "tdD") == 0) set_copy(lane, DUCKDB_TYPE_DATE, 4);
  else if (strcmp(f, "tdm") == 0) set_scale(lane, DUCKDB_TYPE_DATE, 8, 4, -DAY_MS);
  else if (strcmp(f, "tts") == 0) set_scale(lane, DUCKDB_TYPE_TIME, 4, 8, 1000000);
  else if (strcmp(f, "ttm") == 0) set_scale(lane, DUCKDB_TYPE_TIME, 4, 8, 1000);
  else if (strcmp(f, "ttu") == 0) set_copy(lane, DUCKDB_TYPE_TIME, 8);
  else if (strcmp(f, "ttn") == 0 || (f[1] == 'D' && f[2] && !f[3])) set_copy(lane, DUCKDB_TYPE_BIGINT, 8);
  else return false;
  return true;
}

static bool number_in(const char *f, tn_lane *lane) {
  static const struct { char format; duckdb_type type; int32_t width; } numbers[] = {
      {'c', DUCKDB_TYPE_TINYINT, 1}, {'C', DUCKDB_TYPE_UTINYINT, 1}, {'s', DUCKDB_TYPE_SMALLINT, 2},
      {'S', DUCKDB_TYPE_USMALLINT, 2}, {'i', DUCKDB_TYPE_INTEGER, 4}, {'I', DUCKDB_TYPE_UINTEGER, 4},
      {'l', DUCKDB_TYPE_BIGINT, 8}, {'L', DUCKDB_TYPE_UBIGINT, 8}, {'f', DUCKDB_TYPE_FLOAT, 4},
      {'g', DUCKDB_TYPE_DOUBLE, 8}};
  for (size_t i = 0; f[1] == 0 && i < sizeof numbers / sizeof numbers[0]; i++)
    if (numbers[i].format == f[0]) {
      set_copy(lane, numbers[i].type, numbers[i].width);
      return true;
    }
  return false;
}

/* Floats travel as the integers of their bits: DuckDB's dictionaries take 0.0 and -0.0 as one. */
static tenon_status flat_in(const struct ArrowSchema *s, tn_lane *lane, tenon_error *err) {
  const char *f = s->format;
  if (number_in(f, lane)) {
    if (f[0] == 'f') lane->type = DUCKDB_TYPE_INTEGER;
    if (f[0] == 'g') lane->type = DUCKDB_TYPE_BIGINT;
    return TENON_OK;
  }
  switch (f[0]) {
    case 'n': lane->cell = TN_CELL_NULL; lane->type = DUCKDB_TYPE_INTEGER; lane->inner = 4; return TENON_OK;
    case 'b': lane->cell = TN_CELL_BOOL; lane->type = DUCKDB_TYPE_BOOLEAN; lane->inner = 1; return TENON_OK;
    case 'e': lane->cell = TN_CELL_HALF; lane->type = DUCKDB_TYPE_INTEGER; lane->width = 2; lane->inner = 4; return TENON_OK;
    case 'u': case 'U': set_text(lane, DUCKDB_TYPE_VARCHAR, f[0] == 'U'); return TENON_OK;
    case 'z': case 'Z': set_text(lane, DUCKDB_TYPE_BLOB, f[0] == 'Z'); return TENON_OK;
    case 'd': return decimal_in(s, lane, err);
    case 't':
      if (temporal_in(f, lane)) return TENON_OK;
      return refuse(lane, f, "intervals of months, days and nanoseconds would be changed", err);
    case 'w':
      lane->cell = is_uuid(s) ? TN_CELL_UUID : TN_CELL_FIXED;
      lane->type = is_uuid(s) ? DUCKDB_TYPE_UUID : DUCKDB_TYPE_BLOB;
      lane->width = f[1] == ':' ? (int32_t)strtol(f + 2, NULL, 10) : 0;
      lane->inner = 16;
      if (lane->width > 0) return TENON_OK;
      break;
    default: break;
  }
  return refuse(lane, f, "not known to the engine", err);
}

/* Of a date, time, duration or interval. */
static int32_t flat_width(const char *f) {
  bool four = strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0 || strcmp(f, "tiM") == 0;
  return four ? 4 : strcmp(f, "tin") == 0 ? 16 : 8;
}

/* Bits alone: the type is chosen by the width. Integers keep their sign, as they may be sorted by. */
static tenon_status flat_opaque(const struct ArrowSchema *s, tn_lane *lane, tenon_error *err) {
  static const duckdb_type by_width[17] = {[1] = DUCKDB_TYPE_UTINYINT, [2] = DUCKDB_TYPE_USMALLINT, [4] = DUCKDB_TYPE_UINTEGER,
                                           [8] = DUCKDB_TYPE_UBIGINT, [16] = DUCKDB_TYPE_UHUGEINT};
  const char *f = s->format;
  long precision, scale;
  if (f[0] == 'n' || f[0] == 'b') return flat_in(s, lane, err);
  if (f[0] == 'u' || f[0] == 'U' || f[0] == 'z' || f[0] == 'Z') {
    set_text(lane, DUCKDB_TYPE_BLOB, f[0] == 'U' || f[0] == 'Z');
    return TENON_OK;
  }
  if (number_in(f, lane) && f[0] != 'f' && f[0] != 'g') return TENON_OK;
  if (f[0] == 'd' && !parse_decimal(f, &precision, &scale, &lane->width)) lane->width = 0;
  if (f[0] == 'e') lane->width = 2;
  if (f[0] == 'w' && f[1] == ':') lane->width = (int32_t)strtol(f + 2, NULL, 10);
  if (f[0] == 't') lane->width = flat_width(f);
  if (lane->width <= 0) return refuse(lane, f, "not known to the engine", err);
  bool small = lane->width <= 16 && by_width[lane->width] != DUCKDB_TYPE_INVALID;
  lane->cell = small ? TN_CELL_COPY : TN_CELL_FIXED;
  lane->type = small ? by_width[lane->width] : DUCKDB_TYPE_BLOB;
  lane->inner = small ? lane->width : 16;
  return TENON_OK;
}

static tenon_status lane_in(const struct ArrowSchema *, tn_carry, const tn_lane *parent, int depth, tn_lane *, tenon_error *);

static tenon_status nested_in(const struct ArrowSchema *s, tn_carry carry, int depth, tn_lane *lane, tenon_error *err) {
  const char *f = s->format;
  switch (f[1]) {
    case 'l': case 'L': case 'm':
      lane->cell = TN_CELL_LIST;
      lane->is_map = f[1] == 'm';
      lane->type = lane->is_map ? DUCKDB_TYPE_MAP : DUCKDB_TYPE_LIST;
      lane->width = f[1] == 'L' ? 8 : 4;
      break;
    case 'w':
      lane->cell = TN_CELL_ARRAY;
      lane->type = DUCKDB_TYPE_LIST;
      lane->width = f[2] == ':' ? (int32_t)strtol(f + 3, NULL, 10) : 0;
      if (lane->width <= 0) return refuse(lane, f, "lists of this form are not known to the engine", err);
      break;
    case 's':
      lane->cell = TN_CELL_STRUCT;
      lane->type = DUCKDB_TYPE_STRUCT;
      if (s->n_children == 0) return refuse(lane, f, "a struct without fields cannot be carried", err);
      break;
    default: return refuse(lane, f, "not known to the engine", err);
  }
  lane->inner = 16;
  if (f[2] && f[1] != 'w') return refuse(lane, f, "not known to the engine", err);
  if (lane->cell != TN_CELL_STRUCT && s->n_children != 1) return refuse(lane, f, "malformed", err);
  if (lane->is_map && (strcmp(s->children[0]->format, "+s") != 0 || s->children[0]->n_children != 2))
    return refuse(lane, f, "malformed", err);
  tenon_status status = add_children(lane, s->n_children, err);
  for (int64_t i = 0; !status && i < s->n_children; i++)
    status = lane_in(s->children[i], carry, lane, depth + 1, &lane->children[i], err);
  return status;
}

static tenon_status lane_in(const struct ArrowSchema *s, tn_carry carry, const tn_lane *parent, int depth, tn_lane *lane,
                            tenon_error *err) {
  tenon_status status = set_name(lane, parent, s->name, err);
  if (status) return status;
  if (s->dictionary) return refuse(lane, "dictionary", "dictionaries are not carried", err);
  if (depth > MAX_DEPTH) return refuse(lane, s->format, "nested too deeply", err);
  if (s->format[0] == '+') return nested_in(s, carry, depth, lane, err);
  return carry == TN_OPAQUE ? flat_opaque(s, lane, err) : flat_in(s, lane, err);
}

tenon_status tn_lane_in(const struct ArrowSchema *s, tn_carry carry, tn_lane *ret, tenon_error *err) {
  tn_lane lane = {0};
  tenon_status status = lane_in(s, carry, NULL, 0, &lane, err);
  if (status) tn_lane_release(&lane);
  else *ret = lane;
  return status;
}

/* ---- Keys ---- */

static tenon_status wide_key(const struct ArrowSchema *s, tn_lane ret[2], int *ret_count, tenon_error *err) {
  static const duckdb_type types[2] = {DUCKDB_TYPE_HUGEINT, DUCKDB_TYPE_UHUGEINT};
  tenon_status status = TENON_OK;
  for (int i = 0; !status && i < 2; i++) {
    ret[i] = (tn_lane){.cell = TN_CELL_HALF_OF, .type = types[i], .width = i ? 0 : 16, .inner = 16};
    status = set_name(&ret[i], NULL, s->name, err);
  }
  *ret_count = 2;
  return status;
}

/* Numbers, times and truth values by their bits as signed or unsigned integers, text and binary by
 * their bytes; floats need their type, for NaN and for zero, which there are two of. */
tenon_status tn_lane_key(const struct ArrowSchema *s, tn_lane ret[2], int *ret_count, tenon_error *err) {
  const char *f = s->format;
  long precision, scale;
  int32_t width = 0;
  bool decimal = parse_decimal(f, &precision, &scale, &width), float_like = strchr("efg", f[0]) != NULL;
  bool time_like = f[0] == 't' && f[1] != 'i', flat = strchr("nbcCsSiIlLuUzZw", f[0]) != NULL;
  ret[0] = (tn_lane){0};
  *ret_count = 1;
  if (s->dictionary || !(decimal || float_like || time_like || flat))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_QUERY, "order by another column", "column %s: values of its type have no order (Arrow type %s)",
                      s->name, f);
  if (decimal && width == 32) return wide_key(s, ret, ret_count, err);
  tenon_status status = set_name(&ret[0], NULL, s->name, err);
  if (status) return status;
  if (decimal) set_copy(&ret[0], DUCKDB_TYPE_HUGEINT, 16);
  else if (time_like && flat_width(f) == 4) set_copy(&ret[0], DUCKDB_TYPE_INTEGER, 4);
  else if (time_like) set_copy(&ret[0], DUCKDB_TYPE_BIGINT, 8);
  else if (f[0] == 'w') ret[0].cell = TN_CELL_FIXED, ret[0].type = DUCKDB_TYPE_BLOB, ret[0].width = (int32_t)strtol(f + 2, NULL, 10), ret[0].inner = 16;
  else if (strchr("uUzZ", f[0])) set_text(&ret[0], DUCKDB_TYPE_BLOB, f[0] == 'U' || f[0] == 'Z');
  else status = flat_in(s, &ret[0], err);
  if (float_like) ret[0].type = f[0] == 'g' ? DUCKDB_TYPE_DOUBLE : DUCKDB_TYPE_FLOAT;
  if (status) tn_lane_release(&ret[0]);
  return status;
}

/* ---- DuckDB's types for lanes ---- */

static duckdb_logical_type struct_type(const tn_duckdb *db, const tn_lane *lane) {
  size_t n = (size_t)lane->child_count;
  duckdb_logical_type *types = tn_alloc_array(n, sizeof *types);
  const char **names = tn_alloc_array(n, sizeof *names);
  duckdb_logical_type made = NULL;
  bool ok = types && names;
  for (size_t i = 0; ok && i < n; i++) {
    names[i] = lane->children[i].field;
    types[i] = tn_lane_type(db, &lane->children[i]);
    ok = types[i] != NULL;
  }
  if (ok) made = db->create_struct_type(types, names, n);
  for (size_t i = 0; types && i < n; i++)
    if (types[i]) db->destroy_logical_type(&types[i]);
  tn_free(types);
  tn_free(names);
  return made;
}

static duckdb_logical_type map_type(const tn_duckdb *db, const tn_lane *entries) {
  duckdb_logical_type key = tn_lane_type(db, &entries->children[0]), value = tn_lane_type(db, &entries->children[1]);
  duckdb_logical_type made = key && value ? db->create_map_type(key, value) : NULL;
  if (key) db->destroy_logical_type(&key);
  if (value) db->destroy_logical_type(&value);
  return made;
}

duckdb_logical_type tn_lane_type(const tn_duckdb *db, const tn_lane *lane) {
  if (lane->cell == TN_CELL_DECIMAL) return db->create_decimal_type(lane->precision, lane->scale);
  if (lane->cell == TN_CELL_STRUCT) return struct_type(db, lane);
  if (lane->is_map) return map_type(db, &lane->children[0]);
  if (lane->cell != TN_CELL_LIST && lane->cell != TN_CELL_ARRAY) return db->create_logical_type(lane->type);
  duckdb_logical_type child = tn_lane_type(db, &lane->children[0]);
  duckdb_logical_type made = child ? db->create_list_type(child) : NULL;
  if (child) db->destroy_logical_type(&child);
  return made;
}

/* ---- Out: what a DuckDB type is in Arrow ---- */

static const struct { duckdb_type type; const char *format; } natural[] = {
    {DUCKDB_TYPE_SQLNULL, "n"},        {DUCKDB_TYPE_BOOLEAN, "b"},       {DUCKDB_TYPE_TINYINT, "c"},
    {DUCKDB_TYPE_UTINYINT, "C"},       {DUCKDB_TYPE_SMALLINT, "s"},      {DUCKDB_TYPE_USMALLINT, "S"},
    {DUCKDB_TYPE_INTEGER, "i"},        {DUCKDB_TYPE_UINTEGER, "I"},      {DUCKDB_TYPE_BIGINT, "l"},
    {DUCKDB_TYPE_UBIGINT, "L"},        {DUCKDB_TYPE_HUGEINT, "d:38,0"},  {DUCKDB_TYPE_UHUGEINT, "d:38,0"},
    {DUCKDB_TYPE_FLOAT, "f"},          {DUCKDB_TYPE_DOUBLE, "g"},        {DUCKDB_TYPE_VARCHAR, "u"},
    {DUCKDB_TYPE_ENUM, "u"},           {DUCKDB_TYPE_BLOB, "z"},          {DUCKDB_TYPE_DATE, "tdD"},
    {DUCKDB_TYPE_TIME, "ttu"},         {DUCKDB_TYPE_TIME_NS, "ttn"},     {DUCKDB_TYPE_TIME_TZ, "ttu"},
    {DUCKDB_TYPE_TIMESTAMP, "tsu:"},   {DUCKDB_TYPE_TIMESTAMP_S, "tss:"}, {DUCKDB_TYPE_TIMESTAMP_MS, "tsm:"},
    {DUCKDB_TYPE_TIMESTAMP_NS, "tsn:"}, {DUCKDB_TYPE_TIMESTAMP_TZ, "tsu:UTC"}, {DUCKDB_TYPE_INTERVAL, "tin"},
    {DUCKDB_TYPE_UUID, "w:16"},        {DUCKDB_TYPE_LIST, "+l"},         {DUCKDB_TYPE_STRUCT, "+s"},
    {DUCKDB_TYPE_MAP, "+m"}};

static const char *natural_format(duckdb_type type) {
  for (size_t i = 0; i < sizeof natural / sizeof natural[0]; i++)
    if (natural[i].type == type) return natural[i].format;
  return NULL;
}

static tenon_status natural_type(const tn_duckdb *, duckdb_logical_type, const char *name, const char *column, int depth,
                                 struct ArrowSchema *, tenon_error *);

/* Takes child over. */
static tenon_status natural_child(const tn_duckdb *db, duckdb_logical_type child, const char *name, const char *column,
                                  int depth, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = child ? natural_type(db, child, name, column, depth, ret, err) : tn_no_memory(err);
  if (child) db->destroy_logical_type(&child);
  return status;
}

static tenon_status natural_struct(const tn_duckdb *db, duckdb_logical_type type, const char *name, const char *column,
                                   int depth, struct ArrowSchema *ret, tenon_error *err) {
  int64_t n = (int64_t)db->struct_type_child_count(type);
  tenon_status status = tn_schema_set(ret, name, "+s", true, n, err);
  for (int64_t i = 0; !status && i < n; i++) {
    char *field = db->struct_type_child_name(type, (idx_t)i);
    status = field ? natural_child(db, db->struct_type_child_type(type, (idx_t)i), field, column, depth, ret->children[i], err)
                   : tn_no_memory(err);
    db->free(field);
  }
  return status;
}

static tenon_status natural_nested(const tn_duckdb *db, duckdb_logical_type type, const char *name, const char *column,
                                   int depth, struct ArrowSchema *ret, tenon_error *err) {
  char format[32] = "+l";
  tenon_status status;
  switch (db->get_type_id(type)) {
    case DUCKDB_TYPE_STRUCT: return natural_struct(db, type, name, column, depth, ret, err);
    case DUCKDB_TYPE_MAP:
      if ((status = tn_schema_set(ret, name, "+m", true, 1, err))) return status;
      status = natural_child(db, db->map_type_key_type(type), "key", column, depth, ret->children[0]->children[0], err);
      if (status) return status;
      ret->children[0]->children[0]->flags &= ~ARROW_FLAG_NULLABLE;
      return natural_child(db, db->map_type_value_type(type), "value", column, depth, ret->children[0]->children[1], err);
    case DUCKDB_TYPE_ARRAY:
      snprintf(format, sizeof format, "+w:%llu", (unsigned long long)db->array_type_array_size(type));
      if ((status = tn_schema_set(ret, name, format, true, 1, err))) return status;
      return natural_child(db, db->array_type_child_type(type), "item", column, depth, ret->children[0], err);
    default:
      if ((status = tn_schema_set(ret, name, format, true, 1, err))) return status;
      return natural_child(db, db->list_type_child_type(type), "item", column, depth, ret->children[0], err);
  }
}

static tenon_status natural_type(const tn_duckdb *db, duckdb_logical_type type, const char *name, const char *column, int depth,
                                 struct ArrowSchema *ret, tenon_error *err) {
  duckdb_type id = db->get_type_id(type);
  char format[32];
  if (depth > MAX_DEPTH)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, drop_remedy, "column %s: nested too deeply", column);
  if (id == DUCKDB_TYPE_LIST || id == DUCKDB_TYPE_ARRAY || id == DUCKDB_TYPE_STRUCT || id == DUCKDB_TYPE_MAP)
    return natural_nested(db, type, name, column, depth + 1, ret, err);
  if (id == DUCKDB_TYPE_DECIMAL) {
    snprintf(format, sizeof format, "d:%d,%d", db->decimal_width(type), db->decimal_scale(type));
    return tn_schema_set(ret, name, format, true, 0, err);
  }
  if (!natural_format(id))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, drop_remedy,
                      "column %s has a type of the engine (%d) that Arrow has none for", column, (int)id);
  tenon_status status = tn_schema_set(ret, name, natural_format(id), true, 0, err);
  if (!status && id == DUCKDB_TYPE_UUID) status = tn_schema_annotate(ret, "ARROW:extension:name", "arrow.uuid", err);
  return status;
}

tenon_status tn_natural_type(const tn_duckdb *db, duckdb_logical_type type, const char *name, struct ArrowSchema *unset,
                             tenon_error *err) {
  return natural_type(db, type, name, name, 0, unset, err);
}

/* ---- Out: the lane between a DuckDB type and a given Arrow type ---- */

static tenon_status mismatch(const tn_lane *lane, const struct ArrowSchema *s, duckdb_type type, tenon_error *err) {
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "report this as a fault of Tenon",
                    "column %s: the engine's type %d cannot be read as Arrow type %s", lane->name, (int)type, s->format);
}

static bool is_timestamp(duckdb_type t) {
  return t == DUCKDB_TYPE_TIMESTAMP || t == DUCKDB_TYPE_TIMESTAMP_TZ || t == DUCKDB_TYPE_TIMESTAMP_S ||
         t == DUCKDB_TYPE_TIMESTAMP_MS || t == DUCKDB_TYPE_TIMESTAMP_NS || t == DUCKDB_TYPE_BIGINT;
}

static int64_t ticks_per_second(duckdb_type t) {
  switch (t) {
    case DUCKDB_TYPE_TIMESTAMP_S: return 1;
    case DUCKDB_TYPE_TIMESTAMP_MS: return 1000;
    case DUCKDB_TYPE_TIMESTAMP_NS: return 1000000000;
    default: return 1000000;
  }
}

static int64_t arrow_ticks(char unit) { return unit == 's' ? 1 : unit == 'm' ? 1000 : unit == 'u' ? 1000000 : 1000000000; }

/* Timestamps of the same unit are copied, whatever their zone; others are multiplied or divided,
 * where a remainder is an error. BIGINT stands for the unit of the Arrow type itself. */
static bool timestamp_out(duckdb_type type, const char *f, tn_lane *lane) {
  if (strncmp(f, "ts", 2) != 0 || !f[2] || f[3] != ':' || !is_timestamp(type)) return false;
  int64_t inner = type == DUCKDB_TYPE_BIGINT ? arrow_ticks(f[2]) : ticks_per_second(type), outer = arrow_ticks(f[2]);
  if (inner == outer) set_copy(lane, type, 8);
  else set_scale(lane, type, 8, 8, inner > outer ? inner / outer : -(outer / inner));
  return true;
}

static bool temporal_out(duckdb_type type, const char *f, tn_lane *lane) {
  if (timestamp_out(type, f, lane)) return true;
  if (type == DUCKDB_TYPE_DATE && strcmp(f, "tdD") == 0) set_copy(lane, type, 4);
  else if (type == DUCKDB_TYPE_DATE && strcmp(f, "tdm") == 0) set_scale(lane, type, 8, 4, -DAY_MS);
  else if (type == DUCKDB_TYPE_TIME && strcmp(f, "ttu") == 0) set_copy(lane, type, 8);
  else if (type == DUCKDB_TYPE_TIME && strcmp(f, "ttm") == 0) set_scale(lane, type, 4, 8, 1000);
  else if (type == DUCKDB_TYPE_TIME && strcmp(f, "tts") == 0) set_scale(lane, type, 4, 8, 1000000);
  else if (type == DUCKDB_TYPE_TIME && strcmp(f, "ttn") == 0) set_scale(lane, type, 8, 8, -1000);
  else if ((type == DUCKDB_TYPE_TIME_NS || type == DUCKDB_TYPE_BIGINT) && strcmp(f, "ttn") == 0) set_copy(lane, type, 8);
  else if (type == DUCKDB_TYPE_BIGINT && f[0] == 't' && f[1] == 'D' && f[2] && !f[3]) set_copy(lane, type, 8);
  else if (type == DUCKDB_TYPE_TIME_TZ && f[0] == 't' && f[1] == 't') {
    lane->cell = TN_CELL_TIME_TZ;
    lane->type = type;
    lane->width = f[2] == 's' || f[2] == 'm' ? 4 : 8;
    lane->inner = 8;
    lane->factor = f[2] == 's' ? 1000000 : f[2] == 'm' ? 1000 : f[2] == 'u' ? 1 : -1000;
  } else if (type == DUCKDB_TYPE_INTERVAL && strcmp(f, "tin") == 0) {
    lane->cell = TN_CELL_INTERVAL;
    lane->type = type;
    lane->width = lane->inner = 16;
  } else {
    return false;
  }
  return true;
}

static bool decimal_out(const tn_duckdb *db, duckdb_logical_type logical, duckdb_type type, const char *f, tn_lane *lane) {
  long precision, scale;
  if (!parse_decimal(f, &precision, &scale, &lane->width)) return false;
  lane->type = type;
  lane->precision = (uint8_t)precision;
  if (type == DUCKDB_TYPE_HUGEINT || type == DUCKDB_TYPE_UHUGEINT) {
    lane->cell = TN_CELL_HUGE;
    lane->inner = 16;
    lane->is_signed = type == DUCKDB_TYPE_HUGEINT;
    return precision == MAX_DECIMAL && scale == 0 && lane->width == 16;
  }
  lane->cell = TN_CELL_DECIMAL;
  if (type != DUCKDB_TYPE_DECIMAL || db->decimal_scale(logical) != scale || db->decimal_width(logical) > precision) return false;
  lane->inner = decimal_inner(db->decimal_width(logical));
  lane->scale = (uint8_t)scale;
  return true;
}

static bool text_out(duckdb_type type, const struct ArrowSchema *s, tn_lane *lane) {
  const char *f = s->format;
  bool text = f[0] == 'u' || f[0] == 'U', bytes = f[0] == 'z' || f[0] == 'Z';
  if (type == DUCKDB_TYPE_VARCHAR && (text || bytes)) set_text(lane, type, f[0] == 'U' || f[0] == 'Z');
  else if (type == DUCKDB_TYPE_BLOB && bytes) set_text(lane, type, f[0] == 'Z');
  else if (f[0] == 'w' && f[1] == ':' && (type == DUCKDB_TYPE_BLOB || type == DUCKDB_TYPE_UUID)) {
    lane->cell = type == DUCKDB_TYPE_UUID ? TN_CELL_UUID : TN_CELL_FIXED;
    lane->type = type;
    lane->width = (int32_t)strtol(f + 2, NULL, 10);
    lane->inner = 16;
    return lane->width > 0 && (type == DUCKDB_TYPE_BLOB || lane->width == 16);
  } else {
    return false;
  }
  return true;
}

/* Parquet's own bytes of types that DuckDB would cut. */
static bool bytes_out(const char *f, tn_lane *lane) {
  long precision, scale;
  int32_t width = 0;
  if (strncmp(f, "ts", 2) == 0 && f[2] && f[3] == ':') {
    lane->cell = TN_CELL_INT96;
    lane->factor = arrow_ticks(f[2]);
  } else if (parse_decimal(f, &precision, &scale, &width) && width == 32) {
    lane->cell = TN_CELL_BIG_DECIMAL;
    lane->precision = (uint8_t)(precision > 0 && precision <= 76 ? precision : 76);
  } else {
    return false;
  }
  lane->type = DUCKDB_TYPE_BLOB;
  lane->width = width ? width : 8;
  lane->inner = 16;
  return true;
}

static tenon_status enum_out(const tn_duckdb *db, duckdb_logical_type logical, tn_lane *lane, tenon_error *err) {
  lane->cell = TN_CELL_ENUM;
  lane->type = DUCKDB_TYPE_ENUM;
  lane->width = 4;
  duckdb_type inner = db->enum_internal_type(logical);
  lane->inner = inner == DUCKDB_TYPE_UTINYINT ? 1 : inner == DUCKDB_TYPE_USMALLINT ? 2 : 4;
  uint32_t n = db->enum_dictionary_size(logical);
  lane->words = tn_alloc_array(n ? n : 1, sizeof *lane->words);
  if (!lane->words) return tn_no_memory(err);
  for (; lane->word_count < n; lane->word_count++) {
    char *word = db->enum_dictionary_value(logical, lane->word_count);
    lane->words[lane->word_count] = tn_strdup(word ? word : "");
    db->free(word);
    if (!lane->words[lane->word_count]) return tn_no_memory(err);
  }
  return TENON_OK;
}

static tenon_status flat_out(const tn_duckdb *db, duckdb_logical_type logical, const struct ArrowSchema *s, tn_lane *lane,
                             tenon_error *err) {
  duckdb_type type = db->get_type_id(logical);
  const char *f = s->format;
  tn_lane number = {0};
  if (type == DUCKDB_TYPE_ENUM && strcmp(f, "u") == 0) return enum_out(db, logical, lane, err);
  if (f[0] == 'n' && !f[1]) {
    lane->cell = TN_CELL_NULL;
    return TENON_OK;
  }
  if (type == DUCKDB_TYPE_BOOLEAN && f[0] == 'b') {
    lane->cell = TN_CELL_BOOL;
    lane->inner = 1;
    return TENON_OK;
  }
  if (type == DUCKDB_TYPE_FLOAT && f[0] == 'e') {
    lane->cell = TN_CELL_HALF;
    lane->width = 2;
    lane->inner = 4;
    return TENON_OK;
  }
  if (number_in(f, &number) && number.type == type) {
    set_copy(lane, type, number.width);
    return TENON_OK;
  }
  if (type == DUCKDB_TYPE_BLOB && bytes_out(f, lane)) return TENON_OK;
  if (f[0] == 'd' && decimal_out(db, logical, type, f, lane)) return TENON_OK;
  if (f[0] == 't' && temporal_out(type, f, lane)) return TENON_OK;
  return text_out(type, s, lane) ? TENON_OK : mismatch(lane, s, type, err);
}

static tenon_status lane_out(const tn_duckdb *, duckdb_logical_type, const struct ArrowSchema *, const tn_lane *parent, tn_lane *,
                             tenon_error *);

/* Takes type over. */
static tenon_status child_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, tn_lane *lane,
                              int32_t i, tenon_error *err) {
  tenon_status status = type ? lane_out(db, type, s, lane, &lane->children[i], err) : tn_no_memory(err);
  if (type) db->destroy_logical_type(&type);
  return status;
}

static tenon_status struct_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, tn_lane *lane,
                               tenon_error *err) {
  lane->cell = TN_CELL_STRUCT;
  if (db->struct_type_child_count(type) != (idx_t)s->n_children) return mismatch(lane, s, DUCKDB_TYPE_STRUCT, err);
  tenon_status status = add_children(lane, s->n_children, err);
  for (int32_t i = 0; !status && i < lane->child_count; i++)
    status = child_out(db, db->struct_type_child_type(type, (idx_t)i), s->children[i], lane, i, err);
  return status;
}

/* The entries of a map are a struct of its two types, which DuckDB shows one by one. */
static tenon_status map_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, tn_lane *lane,
                            tenon_error *err) {
  lane->cell = TN_CELL_LIST;
  lane->is_map = true;
  lane->width = 4;
  lane->inner = 16;
  tenon_status status = add_children(lane, 1, err);
  if (status) return status;
  tn_lane *entries = &lane->children[0];
  entries->cell = TN_CELL_STRUCT;
  if ((status = set_name(entries, lane, s->children[0]->name, err)) || (status = add_children(entries, 2, err))) return status;
  status = child_out(db, db->map_type_key_type(type), s->children[0]->children[0], entries, 0, err);
  return status ? status : child_out(db, db->map_type_value_type(type), s->children[0]->children[1], entries, 1, err);
}

static tenon_status nested_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, tn_lane *lane,
                               tenon_error *err) {
  duckdb_type id = db->get_type_id(type);
  const char *f = s->format;
  if (f[1] == 's' && id == DUCKDB_TYPE_STRUCT) return struct_out(db, type, s, lane, err);
  if (f[1] == 'm' && id == DUCKDB_TYPE_MAP) return map_out(db, type, s, lane, err);
  bool array = id == DUCKDB_TYPE_ARRAY;
  if ((id != DUCKDB_TYPE_LIST && !array) || (f[1] != 'l' && f[1] != 'w') || (array && f[1] != 'w')) return mismatch(lane, s, id, err);
  lane->cell = f[1] == 'w' ? TN_CELL_ARRAY : TN_CELL_LIST;
  lane->type = id;
  lane->width = f[1] == 'w' ? (int32_t)strtol(f + 3, NULL, 10) : 4;
  lane->inner = 16;
  tenon_status status = add_children(lane, 1, err);
  if (status) return status;
  return child_out(db, array ? db->array_type_child_type(type) : db->list_type_child_type(type), s->children[0], lane, 0, err);
}

static tenon_status lane_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, const tn_lane *parent,
                             tn_lane *lane, tenon_error *err) {
  tenon_status status = set_name(lane, parent, s->name, err);
  if (status) return status;
  lane->not_null = !parent && !(s->flags & ARROW_FLAG_NULLABLE) && s->format[0] != 'n';
  return s->format[0] == '+' ? nested_out(db, type, s, lane, err) : flat_out(db, type, s, lane, err);
}

tenon_status tn_lane_out(const tn_duckdb *db, duckdb_logical_type type, const struct ArrowSchema *s, tn_lane *ret,
                         tenon_error *err) {
  tn_lane lane = {0};
  tenon_status status = lane_out(db, type, s, NULL, &lane, err);
  if (status) tn_lane_release(&lane);
  else *ret = lane;
  return status;
}
