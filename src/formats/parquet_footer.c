/* SPDX-License-Identifier: Apache-2.0 */
#include "formats/parquet_footer.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/str.h"
#include "formats/thrift.h"

enum { MAGIC = 4, TAIL = TN_PARQUET_TAIL, MAX_ARENA = 512 << 20, MAX_DEPTH = 32 };

static const char *const remedy = "it may be cut off, or be in another format: get it again, or say its format: format=csv";

/* ---- The bytes ---- */

static tenon_status broken(const char *name, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy, "%s is not a whole Parquet file: %s", name, what);
}

static tenon_status read_at(int fd, void *data, size_t size, int64_t offset, const char *name, tenon_error *err) {
  for (size_t done = 0; done < size;) {
    ssize_t n = pread(fd, (char *)data + done, size - done, offset + (int64_t)done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", name);
    if (n == 0) return broken(name, "it became shorter while it was read", err);
    done += (size_t)n;
  }
  return TENON_OK;
}

static tenon_status load(int fd, const char *name, tn_parquet_footer *f, tenon_error *err) {
  struct stat info;
  uint8_t tail[TAIL], head[MAGIC];
  uint32_t size;
  if (fstat(fd, &info) != 0) return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", name);
  f->file_size = info.st_size;
  if (f->file_size < MAGIC + TAIL) return broken(name, "it is too short", err);
  tenon_status status = read_at(fd, tail, TAIL, f->file_size - TAIL, name, err);
  if (!status) status = read_at(fd, head, MAGIC, 0, name, err);
  if (status) return status;
  if (memcmp(tail + 4, "PARE", 4) == 0)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "decrypt it with the program that wrote it", "%s is encrypted", name);
  if (memcmp(head, "PAR1", 4) != 0) return broken(name, "it does not begin with PAR1", err);
  if (memcmp(tail + 4, "PAR1", 4) != 0) return broken(name, "it does not end with PAR1", err);
  memcpy(&size, tail, 4);
  if (size > f->file_size - MAGIC - TAIL || size > TN_PARQUET_MAX_FOOTER) return broken(name, "its footer would be longer than the file", err);
  f->data = tn_alloc(size ? size : 1);
  if (!f->data) return tn_no_memory(err);
  f->size = size;
  return read_at(fd, f->data, size, f->file_size - TAIL - (int64_t)size, name, err);
}

/* ---- The schema ---- */

/* union TimeUnit { 1: MILLIS, 2: MICROS, 3: NANOS }, in struct { 1: isAdjustedToUTC, 2: unit } */
static void read_time(tn_thrift *t, tn_parquet_element *e) {
  tn_thrift_field f = {0};
  while (tn_thrift_next(t, &f)) {
    if (f.id == 1 && f.type <= TN_THRIFT_FALSE) {
      e->is_utc = f.type == TN_THRIFT_TRUE;
    } else if (f.id == 2 && f.type == TN_THRIFT_STRUCT) {
      tn_thrift_field unit = {0};
      while (tn_thrift_next(t, &unit)) {
        if (unit.id >= 1 && unit.id <= 3) e->unit = "?mun"[unit.id];
        tn_thrift_skip(t, unit.type);
      }
    } else {
      tn_thrift_skip(t, f.type);
    }
  }
}

static void read_logical(tn_thrift *t, tn_parquet_element *e) {
  tn_thrift_field f = {0};
  while (tn_thrift_next(t, &f)) {
    e->logical = (tn_logical)f.id;
    if ((f.id == TN_LOGICAL_TIME || f.id == TN_LOGICAL_TIMESTAMP) && f.type == TN_THRIFT_STRUCT) read_time(t, e);
    else tn_thrift_skip(t, f.type);
  }
}

static void read_name(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p, tn_parquet_element *e) {
  size_t size, bad;
  const char *text = (const char *)tn_thrift_bytes(t, f, &size);
  e->name = tn_arena_strndup(&p->arena, text, size);
  if (!e->name || memchr(text, 0, size) || !tn_utf8_valid(text, size, &bad)) t->bad = true;
}

static int32_t int32_of(tn_thrift *t, const tn_thrift_field *f) {
  int64_t v = tn_thrift_int(t, f);
  if (v != (int32_t)v) t->bad = true;
  return t->bad ? 0 : (int32_t)v;
}

/* struct SchemaElement */
static void read_element(tn_thrift *t, tn_parquet_footer *p, tn_parquet_element *e) {
  *e = (tn_parquet_element){.physical = TN_PHYSICAL_NONE, .converted = TN_CONVERTED_NONE, .name = "", .begin = t->at};
  tn_thrift_field f = {0};
  while (tn_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: e->physical = (tn_physical)int32_of(t, &f); break;
      case 2: e->type_length = int32_of(t, &f); break;
      case 3: e->repetition = int32_of(t, &f); break;
      case 4: read_name(t, &f, p, e); break;
      case 5: e->child_count = int32_of(t, &f); break;
      case 6: e->converted = (tn_converted)int32_of(t, &f); break;
      case 7: e->scale = int32_of(t, &f); break;
      case 8: e->precision = int32_of(t, &f); break;
      case 10:
        if (f.type == TN_THRIFT_STRUCT) read_logical(t, e);
        else t->bad = true;
        break;
      default: tn_thrift_skip(t, f.type);
    }
  }
  e->end = t->at;
}

static void read_elements(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p) {
  int type;
  uint32_t count = tn_thrift_list(t, f, &type);
  if (type != TN_THRIFT_STRUCT || p->elements || count == 0) t->bad = true;
  if (t->bad) return;
  p->elements = tn_arena_alloc(&p->arena, (size_t)count * sizeof *p->elements);
  if (!p->elements) t->bad = true;
  for (uint32_t i = 0; i < count && !t->bad; i++) read_element(t, p, &p->elements[i]);
  p->element_count = count;
}

/* The element behind the subtree that begins at i; 0: the tree is longer than the list, or too deep. */
static uint32_t check_tree(tn_parquet_footer *p, uint32_t i, int depth) {
  if (i >= p->element_count || depth > MAX_DEPTH) return 0;
  const tn_parquet_element *e = &p->elements[i];
  if (e->child_count < 0 || e->repetition < 0 || e->repetition > TN_REPEATED) return 0;
  if (e->child_count == 0) {
    if (e->physical < TN_BOOLEAN || e->physical > TN_FIXED_LEN_BYTE_ARRAY) return 0;
    if (e->physical == TN_FIXED_LEN_BYTE_ARRAY && e->type_length <= 0) return 0;
    p->leaf_count++;
    return i + 1;
  }
  uint32_t next = i + 1;
  for (int32_t k = 0; k < e->child_count && next; k++) next = check_tree(p, next, depth + 1);
  return next;
}

/* ---- Row groups: only what has to be true before anybody follows it ---- */

/* A bound is a plain value of its column; an engine refuses what is none. */
static bool fits(const tn_parquet_element *leaf, size_t size) {
  static const size_t sizes[] = {[TN_BOOLEAN] = 1, [TN_INT32] = 4, [TN_INT64] = 8, [TN_INT96] = 12, [TN_FLOAT] = 4, [TN_DOUBLE] = 8};
  bool is_decimal = leaf->converted == TN_DECIMAL || leaf->logical == TN_LOGICAL_DECIMAL;
  if (leaf->physical == TN_BYTE_ARRAY) return !is_decimal || (size > 0 && size <= 16);
  if (leaf->physical == TN_FIXED_LEN_BYTE_ARRAY) return size == (size_t)leaf->type_length;
  return size == sizes[leaf->physical];
}

/* struct Statistics { 1: max, 2: min, 5: max_value, 6: min_value, … } */
static void read_statistics(tn_thrift *t, tn_parquet_element *leaf, tn_parquet_chunk *c) {
  tn_thrift_field f = {0};
  bool old = false, modern = false;
  size_t size;
  c->statistics_at = t->at;
  while (tn_thrift_next(t, &f)) {
    bool is_old = f.id == 1 || f.id == 2, is_modern = f.id == 5 || f.id == 6;
    old = old || is_old;
    modern = modern || is_modern;
    if ((!is_old && !is_modern) || f.type != TN_THRIFT_BINARY) tn_thrift_skip(t, f.type);
    else if (tn_thrift_bytes(t, &f, &size) && !fits(leaf, size)) c->bad_bounds = true;
  }
  c->statistics_end = t->at;
  if (old && !modern) leaf->old_bounds = true;
  if (modern) leaf->has_bounds = true;
  if (c->bad_bounds) leaf->bad_bounds = true;
}

/* The type is checked against the schema's, and its byte is remembered: it is one, as all types are small. */
static void read_physical(tn_thrift *t, const tn_thrift_field *f, const tn_parquet_element *leaf, tn_parquet_chunk *c) {
  c->type_at = t->at;
  if (int32_of(t, f) != (int32_t)leaf->physical || t->at != c->type_at + 1) t->bad = true;
}

static int64_t place_of(tn_thrift *t, const tn_thrift_field *f, const tn_parquet_footer *p) {
  int64_t place = tn_thrift_int(t, f);
  if (place < 0 || place >= p->file_size) t->bad = true;
  return place;
}

static int64_t count_of(tn_thrift *t, const tn_thrift_field *f) {
  int64_t count = tn_thrift_int(t, f);
  if (count < 0) t->bad = true;
  return count;
}

/* struct ColumnMetaData. A dictionary, where there is one, is in front of the data; some writers say 0 for none: the
 * engine takes it for one from 4 on, since nothing but the magic is in front of that. */
static void read_chunk(tn_thrift *t, tn_parquet_footer *p, tn_parquet_element *leaf, tn_parquet_chunk *c) {
  tn_thrift_field f = {0};
  int64_t data = 0, dictionary = 0;
  while (tn_thrift_next(t, &f)) {
    switch (f.id) {
      case 1: read_physical(t, &f, leaf, c); break;
      case 5: c->values = count_of(t, &f); break;
      case 6: count_of(t, &f); break;
      case 7: c->size = count_of(t, &f); break;
      case 9: data = place_of(t, &f, p); break;
      case 11: dictionary = place_of(t, &f, p); break;
      case 12:
        if (f.type != TN_THRIFT_STRUCT || c->statistics_at) t->bad = true;
        else read_statistics(t, leaf, c);
        break;
      case 14:
        c->bloom_at = t->at;
        tn_thrift_int(t, &f);
        c->bloom_end = t->at;
        break;
      default: tn_thrift_skip(t, f.type);
    }
  }
  if (!c->type_at) t->bad = true;
  c->leaf = (uint32_t)(leaf - p->elements);
  c->begin = dictionary >= MAGIC ? dictionary : data;
}

/* Room for one more. A footer of n bytes has fewer than n chunks, and groups. */
static bool make_room(void **items, size_t count, size_t *capacity, size_t size) {
  if (count < *capacity) return true;
  size_t more = *capacity ? *capacity * 2 : 64;
  void *grown = tn_resize(*items, more * size);
  if (!grown) return false;
  *items = grown;
  *capacity = more;
  return true;
}

static bool add_chunk(tn_parquet_footer *p, const tn_parquet_chunk *chunk) {
  void *items = p->chunks;
  bool ok = make_room(&items, p->chunk_count, &p->chunk_capacity, sizeof *p->chunks);
  p->chunks = items;
  if (ok) p->chunks[p->chunk_count++] = *chunk;
  return ok;
}

static bool add_group(tn_parquet_footer *p, const tn_parquet_group *group) {
  void *items = p->groups;
  bool ok = make_room(&items, p->group_count, &p->group_capacity, sizeof *p->groups);
  p->groups = items;
  if (ok) p->groups[p->group_count++] = *group;
  return ok;
}

/* struct ColumnChunk { 1: file_path, 2: file_offset, 3: meta_data, … } */
static void read_column(tn_thrift *t, tn_parquet_footer *p, tn_parquet_element *leaf) {
  tn_thrift_field f = {0};
  bool has_data = false;
  tn_parquet_chunk chunk = {0};
  while (tn_thrift_next(t, &f)) {
    if (f.id == 1) t->bad = true;   /* data in another file: nobody writes that, and it must not be followed */
    if (f.id == 3 && f.type == TN_THRIFT_STRUCT) {
      read_chunk(t, p, leaf, &chunk);
      has_data = true;
    } else {
      tn_thrift_skip(t, f.type);
    }
  }
  if (!has_data || t->bad || !add_chunk(p, &chunk)) t->bad = true;
}

static tn_parquet_element *next_leaf(tn_parquet_footer *p, uint32_t *at) {
  while (*at < p->element_count && p->elements[*at].child_count != 0) ++*at;
  return *at < p->element_count ? &p->elements[(*at)++] : NULL;
}

static void read_columns(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p) {
  int type;
  uint32_t count = tn_thrift_list(t, f, &type), at = 0;
  if (count != p->leaf_count || (count && type != TN_THRIFT_STRUCT)) t->bad = true;
  for (uint32_t i = 0; i < count && !t->bad; i++) {
    tn_parquet_element *leaf = next_leaf(p, &at);
    if (leaf) read_column(t, p, leaf);
    else t->bad = true;
  }
}

/* struct RowGroup { 1: columns, 2: total_byte_size, 3: num_rows, … } */
static int64_t read_group(tn_thrift *t, tn_parquet_footer *p) {
  tn_thrift_field f = {0};
  tn_parquet_group group = {.begin = t->at, .chunk = p->chunk_count};
  while (tn_thrift_next(t, &f)) {
    if (f.id == 1) read_columns(t, &f, p);
    else if (f.id == 3) group.rows = count_of(t, &f);
    else tn_thrift_skip(t, f.type);
  }
  group.end = t->at;
  if (p->chunk_count - group.chunk != p->leaf_count || t->bad || !add_group(p, &group)) t->bad = true;
  return t->bad ? 0 : group.rows;
}

static int64_t read_groups(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p) {
  int type;
  p->groups_at = t->at;
  uint32_t count = tn_thrift_list(t, f, &type);
  int64_t rows = 0;
  if (count && type != TN_THRIFT_STRUCT) t->bad = true;
  for (uint32_t i = 0; i < count && !t->bad; i++)
    if (__builtin_add_overflow(rows, read_group(t, p), &rows)) t->bad = true;
  p->groups_end = t->at;
  return rows;
}

/* ---- The whole ---- */

/* struct KeyValue { 1: key, 2: value } */
static void read_pair(tn_thrift *t, tn_parquet_footer *p) {
  static const char wanted[] = "ARROW:schema";
  tn_thrift_field f = {0};
  const uint8_t *key = NULL, *value = NULL;
  size_t key_size = 0, value_size = 0;
  while (tn_thrift_next(t, &f)) {
    if (f.id == 1) key = tn_thrift_bytes(t, &f, &key_size);
    else if (f.id == 2) value = tn_thrift_bytes(t, &f, &value_size);
    else tn_thrift_skip(t, f.type);
  }
  if (t->bad || key_size != sizeof wanted - 1 || memcmp(key, wanted, key_size) != 0) return;
  p->arrow_schema = value;
  p->arrow_schema_size = value_size;
}

static void read_pairs(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p) {
  int type;
  uint32_t count = tn_thrift_list(t, f, &type);
  if (count && type != TN_THRIFT_STRUCT) t->bad = true;
  for (uint32_t i = 0; i < count && !t->bad; i++) read_pair(t, p);
}

/* union ColumnOrder { 1: TYPE_ORDER }, one for each leaf. Where there are none, bounds mean nothing. */
static void read_orders(tn_thrift *t, const tn_thrift_field *f, tn_parquet_footer *p) {
  int type;
  uint32_t count = tn_thrift_list(t, f, &type), at = 0;
  if (count && type != TN_THRIFT_STRUCT) t->bad = true;
  for (uint32_t i = 0; i < count && !t->bad; i++) {
    tn_parquet_element *leaf = next_leaf(p, &at);
    tn_thrift_field order = {0};
    bool is_types = false;
    while (tn_thrift_next(t, &order)) {
      is_types = order.id == 1;
      tn_thrift_skip(t, order.type);
    }
    if (leaf) leaf->has_order = is_types;
  }
}

/* struct FileMetaData { 1: version, 2: schema, 3: num_rows, 4: row_groups, 5: key_value_metadata, 6: created_by,
 * 7: column_orders, … } */
static tenon_status parse(tn_parquet_footer *p, const char *name, tenon_error *err) {
  tn_thrift t = {.data = p->data, .size = p->size};
  tn_thrift_field f = {0};
  int64_t group_rows = 0;
  bool has_groups = false;
  while (tn_thrift_next(&t, &f)) {
    switch (f.id) {
      case 2:
        read_elements(&t, &f, p);
        if (!t.bad && check_tree(p, 0, 0) != p->element_count) t.bad = true;
        break;
      case 3:
        p->rows_at = t.at;
        p->rows = tn_thrift_int(&t, &f);
        p->rows_end = t.at;
        break;
      case 4:
        if (!p->elements || has_groups) t.bad = true;   /* the schema comes first, as its number says */
        else group_rows = read_groups(&t, &f, p);
        has_groups = true;
        break;
      case 5: read_pairs(&t, &f, p); break;
      case 7: read_orders(&t, &f, p); break;
      case 8:
        return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "decrypt it with the program that wrote it", "%s is encrypted", name);
      default: tn_thrift_skip(&t, f.type);
    }
  }
  if (t.bad || !p->elements || !has_groups) return broken(name, "its footer is malformed", err);
  if (p->elements[0].child_count == 0) return broken(name, "it has no columns", err);
  if (group_rows != p->rows) return broken(name, "its numbers of rows contradict each other", err);
  return TENON_OK;
}

tenon_status tn_parquet_footer_init(int fd, const char *name, tn_parquet_footer *ret, tenon_error *err) {
  tn_parquet_footer p = {0};
  tn_arena_init(&p.arena, MAX_ARENA);
  tenon_status status = load(fd, name, &p, err);
  if (!status) status = parse(&p, name, err);
  if (status) tn_parquet_footer_release(&p);
  else *ret = p;
  return status;
}

void tn_parquet_footer_release(tn_parquet_footer *p) {
  tn_free(p->data);
  tn_free(p->chunks);
  tn_free(p->groups);
  tn_arena_release(&p->arena);
  *p = (tn_parquet_footer){0};
}
