/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading the schema message of Arrow IPC (Arrow's Schema.fbs and Message.fbs, in flatbuffers'
 * encoding) from bytes that anybody may have made. A place is an offset into the message and is only
 * read through the functions that check it; offsets may point anywhere, also many times to the same
 * bytes, so fields, pairs of metadata and copied bytes are counted.
 */
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/ipc.h"
#include "base/error.h"
#include "base/mem.h"

enum { MAX_DEPTH = 32, MAX_FIELDS = 65536, MAX_PAIRS = 1024, MAX_COPIED = 32 << 20, MAX_TEXT = 16 << 20 };

typedef struct tn_message {
  const uint8_t *data;
  uint32_t size;
  bool bad;                /* something pointed outside */
  uint32_t fields, copied; /* so far */
  tn_str text;             /* of the string looked at last, with a NUL */
} tn_message;

/* ---- Checked reading ---- */

static const uint8_t *at(tn_message *m, uint64_t place, uint32_t size) {
  static const uint8_t nothing[8];
  if (!m->bad && place + size <= m->size) return m->data + place;
  m->bad = true;
  return nothing;
}

static uint32_t u32(tn_message *m, uint64_t place) {
  uint32_t v;
  memcpy(&v, at(m, place, 4), 4);
  return v;
}

static uint16_t u16(tn_message *m, uint64_t place) {
  uint16_t v;
  memcpy(&v, at(m, place, 2), 2);
  return v;
}

/* The place of a table's field, 0 if the table has none. */
static uint32_t field(tn_message *m, uint32_t table, int i) {
  int64_t list = (int64_t)table - (int32_t)u32(m, table);
  if (list < 0 || list > m->size) {
    m->bad = true;
    return 0;
  }
  uint32_t place = (uint32_t)list;
  if (4u + 2u * (uint32_t)i + 2u > u16(m, place)) return 0;
  uint16_t inside = u16(m, place + 4u + 2u * (uint32_t)i);
  return inside && table <= m->size ? table + inside : 0;
}

/* What a field that holds an offset points to, 0 if the table has none. */
static uint32_t pointed(tn_message *m, uint32_t table, int i) {
  uint32_t place = field(m, table, i);
  if (!place) return 0;
  uint64_t target = (uint64_t)place + u32(m, place);
  at(m, target, 4);
  return m->bad ? 0 : (uint32_t)target;
}

static int32_t number(tn_message *m, uint32_t table, int i, int width, int32_t otherwise) {
  uint32_t place = field(m, table, i);
  if (!place) return otherwise;
  if (width == 1) return *at(m, place, 1);
  return width == 2 ? (int16_t)u16(m, place) : (int32_t)u32(m, place);
}

/* A string as C has it, in m->text; "" if there is none. Bytes behind a NUL are left out. */
static const char *string(tn_message *m, uint32_t table, int i) {
  tn_str_clear(&m->text);
  uint32_t place = pointed(m, table, i);
  if (!place) return "";
  uint32_t size = u32(m, place);
  const uint8_t *data = at(m, (uint64_t)place + 4, size);
  if (m->bad) return "";
  m->copied += size;
  if (m->copied > MAX_COPIED || !tn_str_add(&m->text, (const char *)data, size)) m->bad = true;
  return tn_str_text(&m->text);
}

/* The i-th of a vector of tables. */
static uint32_t element(tn_message *m, uint32_t vector, uint32_t i) {
  uint64_t place = (uint64_t)vector + 4 + 4 * (uint64_t)i, target = place + u32(m, place);
  at(m, target, 4);
  return m->bad ? 0 : (uint32_t)target;
}

/* ---- Types ---- */

enum type_id {
  TYPE_NULL = 1, TYPE_INT, TYPE_FLOAT, TYPE_BINARY, TYPE_UTF8, TYPE_BOOL, TYPE_DECIMAL, TYPE_DATE, TYPE_TIME, TYPE_TIMESTAMP,
  TYPE_INTERVAL, TYPE_LIST, TYPE_STRUCT, TYPE_UNION, TYPE_FIXED_BINARY, TYPE_FIXED_LIST, TYPE_MAP, TYPE_DURATION,
  TYPE_LARGE_BINARY, TYPE_LARGE_UTF8, TYPE_LARGE_LIST, TYPE_RUN_ENDS, TYPE_BINARY_VIEW, TYPE_UTF8_VIEW, TYPE_LIST_VIEW,
  TYPE_LARGE_LIST_VIEW
};

static const char units[] = "smun";

static char unit_of(tn_message *m, uint32_t type, int32_t otherwise) {
  int32_t unit = number(m, type, 0, 2, otherwise);
  if (unit >= 0 && unit < 4) return units[unit];
  m->bad = true;
  return 's';
}

static void int_format(tn_message *m, uint32_t type, tn_str *f) {
  bool is_signed = number(m, type, 1, 1, 0) != 0;
  switch (number(m, type, 0, 4, 0)) {
    case 8: tn_str_putc(f, is_signed ? 'c' : 'C'); break;
    case 16: tn_str_putc(f, is_signed ? 's' : 'S'); break;
    case 32: tn_str_putc(f, is_signed ? 'i' : 'I'); break;
    case 64: tn_str_putc(f, is_signed ? 'l' : 'L'); break;
    default: m->bad = true;
  }
}

static void decimal_format(tn_message *m, uint32_t type, tn_str *f) {
  int32_t bits = number(m, type, 2, 4, 128);
  tn_str_printf(f, "d:%d,%d", number(m, type, 0, 4, 0), number(m, type, 1, 4, 0));
  if (bits != 128) tn_str_printf(f, ",%d", bits);
}

static void time_format(tn_message *m, uint32_t type, int id, tn_str *f) {
  if (id == TYPE_DATE) tn_str_puts(f, number(m, type, 0, 2, 1) == 0 ? "tdD" : "tdm");
  else if (id == TYPE_TIME) tn_str_printf(f, "tt%c", unit_of(m, type, 1));
  else if (id == TYPE_DURATION) tn_str_printf(f, "tD%c", unit_of(m, type, 1));
  else if (id == TYPE_INTERVAL) tn_str_printf(f, "ti%c", "MDn"[(unsigned)number(m, type, 0, 2, 0) % 3]);
  else tn_str_printf(f, "ts%c:%s", unit_of(m, type, 0), string(m, type, 1));
}

static bool flat_format(tn_message *m, int id, uint32_t type, tn_str *f) {
  static const char *const plain[] = {[TYPE_NULL] = "n", [TYPE_BINARY] = "z", [TYPE_UTF8] = "u", [TYPE_BOOL] = "b",
                                      [TYPE_LARGE_BINARY] = "Z", [TYPE_LARGE_UTF8] = "U", [TYPE_BINARY_VIEW] = "z",
                                      [TYPE_UTF8_VIEW] = "u", [TYPE_RUN_ENDS] = "+r", [TYPE_UNION] = "+r"};
  switch (id) {
    case TYPE_INT: int_format(m, type, f); return true;
    case TYPE_FLOAT: tn_str_putc(f, "efg"[(unsigned)number(m, type, 0, 2, 0) % 3]); return true;
    case TYPE_DECIMAL: decimal_format(m, type, f); return true;
    case TYPE_DATE: case TYPE_TIME: case TYPE_TIMESTAMP: case TYPE_INTERVAL: case TYPE_DURATION: time_format(m, type, id, f); return true;
    case TYPE_FIXED_BINARY: tn_str_printf(f, "w:%d", number(m, type, 0, 4, 0)); return true;
    default:
      if (id < 1 || (size_t)id >= sizeof plain / sizeof plain[0] || !plain[id]) return false;
      return tn_str_puts(f, plain[id]);
  }
}

static bool nested_format(tn_message *m, int id, uint32_t type, tn_str *f) {
  switch (id) {
    case TYPE_LIST: case TYPE_LIST_VIEW: return tn_str_puts(f, "+l");
    case TYPE_LARGE_LIST: case TYPE_LARGE_LIST_VIEW: return tn_str_puts(f, "+L");
    case TYPE_STRUCT: return tn_str_puts(f, "+s");
    case TYPE_MAP: return tn_str_puts(f, "+m");
    case TYPE_FIXED_LIST: return tn_str_printf(f, "+w:%d", number(m, type, 0, 4, 0));
    default: return false;
  }
}

/* ---- Fields ---- */

static tenon_status malformed(tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "write the file again with another program", "the Arrow schema in it is malformed");
}

static tenon_status add_metadata(tn_message *m, uint32_t table, int i, struct ArrowSchema *s, tenon_error *err) {
  uint32_t pairs = pointed(m, table, i), count = pairs ? u32(m, pairs) : 0;
  m->fields += count;
  if (count > MAX_PAIRS || m->fields > MAX_FIELDS) return malformed(err);
  tenon_status status = TENON_OK;
  for (uint32_t k = 0; !status && k < count; k++) {
    uint32_t pair = element(m, pairs, k);
    char *key = tn_strdup(string(m, pair, 0));
    const char *value = string(m, pair, 1);
    if (m->bad) status = malformed(err);
    else status = key ? tn_schema_annotate(s, key, value, err) : tn_no_memory(err);
    tn_free(key);
  }
  return status;
}

static tenon_status read_field(tn_message *m, uint32_t table, int depth, struct ArrowSchema *ret, tenon_error *err);

static tenon_status read_children(tn_message *m, uint32_t vector, uint32_t count, int depth, struct ArrowSchema *s, tenon_error *err) {
  tenon_status status = TENON_OK;
  for (uint32_t i = 0; !status && i < count; i++) {
    uint32_t child = element(m, vector, i);
    status = m->bad ? malformed(err) : read_field(m, child, depth + 1, s->children[i], err);
  }
  return status;
}

/* The one child of a map is a struct of two, which tn_schema_set has made: its fields get their types. */
static tenon_status read_entries(tn_message *m, uint32_t vector, int depth, struct ArrowSchema *map, tenon_error *err) {
  uint32_t entries = element(m, vector, 0), pair = pointed(m, entries, 5);
  if (m->bad || number(m, entries, 2, 1, 0) != TYPE_STRUCT || !pair || u32(m, pair) != 2) return malformed(err);
  return read_children(m, pair, 2, depth + 1, map->children[0], err);
}

static tenon_status read_type(tn_message *m, uint32_t table, const char *name, int depth, struct ArrowSchema *ret, tenon_error *err) {
  int id = number(m, table, 2, 1, 0);
  uint32_t type = pointed(m, table, 3), children = pointed(m, table, 5), count = children ? u32(m, children) : 0;
  tn_str format;
  tn_str_init(&format, 4096);
  bool nested = type && nested_format(m, id, type, &format), known = nested || (type && flat_format(m, id, type, &format));
  bool opaque = known && strcmp(tn_str_text(&format), "+r") == 0;
  if (opaque) count = 0;
  bool wrong = m->bad || !known || format.failed || count > MAX_FIELDS || (!nested && count) ||
               (nested && strcmp(format.data, "+s") != 0 && count != 1);
  tenon_status status = wrong ? malformed(err) : tn_schema_set(ret, name, format.data, number(m, table, 1, 1, 0) != 0, count, err);
  bool map = !wrong && strcmp(format.data, "+m") == 0;
  tn_str_release(&format);
  if (status) return status;
  return map ? read_entries(m, children, depth, ret, err) : read_children(m, children, count, depth, ret, err);
}

static tenon_status read_field(tn_message *m, uint32_t table, int depth, struct ArrowSchema *ret, tenon_error *err) {
  if (depth > MAX_DEPTH || ++m->fields > MAX_FIELDS) return malformed(err);
  char *name = tn_strdup(string(m, table, 0));
  if (!name) return tn_no_memory(err);
  tenon_status status = m->bad ? malformed(err) : read_type(m, table, name, depth, ret, err);
  tn_free(name);
  return status ? status : add_metadata(m, table, 6, ret, err);
}

/* ---- The message ---- */

static tenon_status read_schema(tn_message *m, struct ArrowSchema *ret, tenon_error *err) {
  enum { HEADER_SCHEMA = 1 };
  uint32_t root = u32(m, 0);
  if (number(m, root, 1, 1, 0) != HEADER_SCHEMA) return malformed(err);
  uint32_t schema = pointed(m, root, 2), fields = schema ? pointed(m, schema, 1) : 0, count = fields ? u32(m, fields) : 0;
  if (m->bad || !schema || count > MAX_FIELDS) return malformed(err);
  struct ArrowSchema made = {0};
  tenon_status status = tn_schema_struct(&made, count, err);
  if (!status) status = read_children(m, fields, count, 0, &made, err);
  if (!status) status = add_metadata(m, schema, 2, &made, err);
  if (status) tn_schema_release(&made);
  else *ret = made;
  return status;
}

tenon_status tn_ipc_decode_schema(const void *data, size_t size, struct ArrowSchema *ret, tenon_error *err) {
  tn_message m = {.data = data, .size = size < INT32_MAX ? (uint32_t)size : 0};
  uint32_t skip = 0;
  if (m.size >= 8 && u32(&m, 0) == UINT32_MAX) skip = 8;
  else if (m.size >= 8 && u32(&m, 0) <= m.size - 4 && u32(&m, 0) >= m.size - 12) skip = 4;   /* before Arrow 0.15 */
  m.data += skip;
  m.size -= skip;
  tn_str_init(&m.text, MAX_TEXT);
  tenon_status status = read_schema(&m, ret, err);
  tn_str_release(&m.text);
  return status;
}
