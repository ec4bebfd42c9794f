/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A condition is pushed only if the server's answer is the core's for every value: text compared
 * bytewise is COLLATE "C" on a UTF-8 server; a char(n) is compared with its padding; where a value
 * may become NULL on its way (special_values=null) nothing is pushed. Operators and types are named
 * with their schema, so that nobody's search_path can put others in their place.
 */
#include "providers/sql/postgresql/sql.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/civil.h"

/* ---- Quoting ---- */

void tn_pg_put_name(tn_str *s, const char *name) {
  tn_str_putc(s, '"');
  for (const char *c = name; *c; c++) {
    if (*c == '"') tn_str_putc(s, '"');
    tn_str_putc(s, *c);
  }
  tn_str_putc(s, '"');
}

void tn_pg_put_text(tn_str *s, const char *text, size_t size) {
  /* E'' means the same whatever standard_conforming_strings is */
  if (size && memchr(text, '\\', size)) tn_str_puts(s, " E");
  tn_str_putc(s, '\'');
  for (size_t i = 0; i < size; i++) {
    if (text[i] == '\'' || text[i] == '\\') tn_str_putc(s, text[i]);
    tn_str_putc(s, text[i]);
  }
  tn_str_putc(s, '\'');
}

void tn_pg_put_table(tn_str *s, const char *schema, const char *table) {
  if (schema) {
    tn_pg_put_name(s, schema);
    tn_str_putc(s, '.');
  }
  tn_pg_put_name(s, table);
}

/* ---- A user's query ---- */

/* Behind the comment that begins at p; p itself if none does, or one that has no end. */
static const char *skip_comment(const char *p) {
  if (p[0] == '-' && p[1] == '-') return p + strcspn(p, "\n");
  if (p[0] != '/' || p[1] != '*') return p;
  const char *begin = p;
  int depth = 0;
  do {
    if (p[0] == '/' && p[1] == '*') depth++, p += 2;
    else if (p[0] == '*' && p[1] == '/') depth--, p += 2;
    else p++;
  } while (depth > 0 && *p);
  return depth > 0 ? begin : p;
}

static bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         (unsigned char)c >= 0x80;
}

static const char *skip_dollars(const char *p) {
  const char *tag = p + 1;
  while (is_word(*tag)) tag++;
  if (*tag != '$') return p + 1;
  size_t size = (size_t)(tag + 1 - p);
  for (const char *end = tag + 1; (end = strchr(end, '$')); end++)
    if (strncmp(end, p, size) == 0) return end + size;
  return p + strlen(p);
}

static const char *skip_quoted(const char *p, bool escapes) {
  char quote = *p++;
  for (; *p; p++) {
    if (escapes && *p == '\\' && p[1]) p++;
    else if (*p == quote && p[1] == quote) p++;
    else if (*p == quote) return p + 1;
  }
  return p;
}

static bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

static bool starts_with_word(const char *p, const char *word) {
  size_t n = strlen(word);
  return strncasecmp(p, word, n) == 0 && !is_word(p[n]);
}

static bool selects(const char *p) {
  return starts_with_word(p, "select") || starts_with_word(p, "values") ||
         starts_with_word(p, "table") || starts_with_word(p, "with");
}

/* The next place after p that is outside of quotes; *code tells whether p was code at all. */
static const char *next_piece(const char *start, const char *p, bool *code) {
  const char *after = skip_comment(p);
  *code = false;
  if (after != p || is_space(*p)) return after != p ? after : p + 1;
  *code = true;
  if (*p == '"') return skip_quoted(p, false);
  if (*p == '\'') return skip_quoted(p, p > start && (p[-1] == 'E' || p[-1] == 'e'));
  if (*p == '$' && (p == start || !is_word(p[-1]))) return skip_dollars(p);
  return p + 1;
}

tn_pg_query_shape tn_pg_look_at_query(const char *query) {
  const char *first = NULL, *end = query, *p = query;
  while (*p) {
    bool code;
    const char *after = next_piece(query, p, &code);
    if (code && *p != ';') {
      if (!first && *p != '(') first = p;
      end = after;
    }
    p = after;
  }
  return (tn_pg_query_shape){.size = (size_t)(end - query), .selects = first && selects(first)};
}

/* ---- Columns ---- */

static void put_column(tn_str *s, const tn_pg_source *from, int i) {
  if (from->query) tn_str_printf(s, "q.c%d", i);
  else {
    tn_str_puts(s, "t.");
    tn_pg_put_name(s, from->fields[i].name);
  }
}

/* The column as it is read. */
static void put_value(tn_str *s, const tn_pg_source *from, int i) {
  put_column(s, from, i);
  tn_pg_cast cast = from->fields[i].type.cast;
  if (cast != TN_PG_AS_IS)
    tn_str_puts(s, cast == TN_PG_TO_TEXT ? "::pg_catalog.text" : "::pg_catalog.text[]");
}

static bool needs_cast(const tn_pg_source *from) {
  for (size_t k = 0; k < from->chosen_count; k++)
    if (from->fields[from->chosen[k]].type.cast != TN_PG_AS_IS) return true;
  return false;
}

static bool is_whole(const tn_pg_source *from) {
  if (from->chosen_count != from->field_count) return false;
  for (size_t k = 0; k < from->chosen_count; k++)
    if (from->chosen[k] != (int)k) return false;
  return true;
}

static int find_field(const tn_pg_source *from, const char *name) {
  int found = -1;
  for (size_t i = 0; i < from->field_count; i++) {
    if (strcmp(from->fields[i].name, name) != 0) continue;
    if (found >= 0) return -1;   /* two of a name: which one is meant, nobody can say */
    found = (int)i;
  }
  return found;
}

/* ---- What can be compared, and how ---- */

typedef enum comparable {
  NOT_COMPARABLE = 0,
  AS_INTEGER,
  AS_FLOAT,
  AS_DECIMAL,
  AS_BOOL,
  AS_TEXT,
  AS_BYTES,
  AS_DATE,
  AS_TIME,
  AS_TIMESTAMP,
  AS_TIMESTAMPTZ,
  AS_UUID
} comparable;

/* Source: pg_type. */
enum {
  OID_NAME = 19, OID_INT8 = 20, OID_INT2 = 21, OID_INT4 = 23, OID_TEXT = 25, OID_OID = 26,
  OID_FLOAT4 = 700, OID_FLOAT8 = 701, OID_BPCHAR = 1042, OID_VARCHAR = 1043, OID_DATE = 1082,
  OID_TIME = 1083, OID_TIMESTAMP = 1114, OID_TIMESTAMPTZ = 1184
};

static comparable kind_of_time(const tn_pg_type *t) {
  switch (t->builtin) {
    case OID_DATE: return AS_DATE;
    case OID_TIME: return AS_TIME;
    case OID_TIMESTAMP: return AS_TIMESTAMP;
    case OID_TIMESTAMPTZ: return AS_TIMESTAMPTZ;
    default: return NOT_COMPARABLE;
  }
}

static comparable kind_of(const tn_pg_source *from, const tn_pg_field *f) {
  const tn_pg_type *t = &f->type;
  if (t->special_null) return NOT_COMPARABLE;
  if (t->special_text) return kind_of_time(t);
  switch (t->op) {
    case TN_PG_SWAP2: case TN_PG_SWAP4: case TN_PG_SWAP8:
      if (f->oid == OID_INT2 || f->oid == OID_INT4 || f->oid == OID_INT8 || f->oid == OID_OID)
        return AS_INTEGER;
      return f->oid == OID_FLOAT4 || f->oid == OID_FLOAT8 ? AS_FLOAT : NOT_COMPARABLE;
    case TN_PG_DECIMAL128: case TN_PG_DECIMAL256: case TN_PG_DECIMAL_TEXT: return AS_DECIMAL;
    case TN_PG_BOOL: return AS_BOOL;
    case TN_PG_DATE: case TN_PG_TIME: case TN_PG_TIMESTAMP: return kind_of_time(t);
    case TN_PG_UUID: return AS_UUID;
    case TN_PG_BYTES: return AS_BYTES;
    case TN_PG_TEXT:
      if (f->oid == OID_BPCHAR && f->typmod < 5) return NOT_COMPARABLE;
      return from->utf8 ? AS_TEXT : NOT_COMPARABLE;
    case TN_PG_JSONB: return from->utf8 ? AS_TEXT : NOT_COMPARABLE;
    default: return NOT_COMPARABLE;
  }
}

/* The column as text whose bytes are those that are read. */
static void put_bytewise(tn_str *s, const tn_pg_source *from, int i) {
  const tn_pg_field *f = &from->fields[i];
  bool padded = f->oid == OID_BPCHAR && f->type.cast == TN_PG_AS_IS;
  tn_str_puts(s, padded ? "pg_catalog.rpad(" : "(");
  put_column(s, from, i);
  tn_str_puts(s, "::pg_catalog.text");
  if (padded) tn_str_printf(s, ", %d", f->typmod - 4);
  tn_str_puts(s, ") COLLATE \"C\"");
}

static void put_operand(tn_str *s, const tn_pg_source *from, int i, comparable kind) {
  if (kind == AS_TEXT) {
    put_bytewise(s, from, i);
    return;
  }
  put_column(s, from, i);
  if (from->fields[i].oid == OID_FLOAT4) tn_str_puts(s, "::pg_catalog.float8");
  if (from->fields[i].oid == OID_OID) tn_str_puts(s, "::pg_catalog.int8");
}

/* ---- Values ---- */

static void put_date(tn_str *s, int64_t days, const char *clock) {
  int64_t year;
  int month, day;
  tn_civil_of_days(days, &year, &month, &day);
  bool before = year <= 0;
  tn_str_printf(s, "%04" PRId64 "-%02d-%02d%s%s", before ? 1 - year : year, month, day, clock,
                before ? " BC" : "");
}

static void clock_text(char *ret, size_t room, int64_t us, const char *before, const char *after) {
  snprintf(ret, room, "%s%02d:%02d:%02d.%06d%s", before, (int)(us / 3600000000),
           (int)(us / 60000000 % 60), (int)(us / 1000000 % 60), (int)(us % 1000000), after);
}

static void put_timestamp(tn_str *s, int64_t us, bool zone) {
  const int64_t day = INT64_C(86400000000);
  int64_t days = us / day - (us % day < 0);
  char clock[32];
  clock_text(clock, sizeof clock, us - days * day, " ", zone ? "+00" : "");
  put_date(s, days, clock);
}

static void put_bytes(tn_str *s, const char *data, size_t size) {
  static const char hex[] = "0123456789abcdef";
  tn_str_puts(s, "\\x");
  for (size_t i = 0; i < size; i++) {
    tn_str_putc(s, hex[(unsigned char)data[i] >> 4]);
    tn_str_putc(s, hex[data[i] & 15]);
  }
}

static void put_float(tn_str *s, double f) {
  char text[32];
  snprintf(text, sizeof text, "%.17g", f);
  /* the locale may write another decimal point */
  for (char *c = text; *c; c++)
    if (!strchr("0123456789+-eEainfNI", *c)) *c = '.';
  if (isinf(f)) snprintf(text, sizeof text, "%s", f > 0 ? "Infinity" : "-Infinity");
  tn_str_puts(s, text);
}

void tn_pg_put_value(tn_str *s, const tenon_value *v, bool zone) {
  char text[32];
  switch (v->type) {
    case TENON_VALUE_BOOL: tn_str_puts(s, v->i ? "true" : "false"); break;
    case TENON_VALUE_INT: tn_str_printf(s, "%" PRId64, v->i); break;
    case TENON_VALUE_DOUBLE: put_float(s, v->f); break;
    case TENON_VALUE_DECIMAL: case TENON_VALUE_TEXT: tn_str_add(s, v->data, v->size); break;
    case TENON_VALUE_BYTES: put_bytes(s, v->data, v->size); break;
    case TENON_VALUE_DATE: put_date(s, v->i, ""); break;
    case TENON_VALUE_TIME:
      clock_text(text, sizeof text, v->i, "", "");
      tn_str_puts(s, text);
      break;
    case TENON_VALUE_TIMESTAMP: put_timestamp(s, v->i, zone); break;
    case TENON_VALUE_NULL: break;
  }
}

static bool is_decimal(const char *text, size_t size) {
  size_t digits = 0, points = 0;
  for (size_t i = 0; i < size; i++) {
    if (text[i] >= '0' && text[i] <= '9') digits++;
    else if (text[i] == '.') points++;
    else if (i > 0 || (text[i] != '-' && text[i] != '+')) return false;
  }
  return digits > 0 && points <= 1 && size < 1000;
}

/* The one way in which the server writes a uuid: then text order is its order. */
static bool is_uuid(const char *text, size_t size) {
  if (size != 36) return false;
  for (size_t i = 0; i < size; i++) {
    bool dash = i == 8 || i == 13 || i == 18 || i == 23;
    bool hex = (text[i] >= '0' && text[i] <= '9') || (text[i] >= 'a' && text[i] <= 'f');
    if (dash ? text[i] != '-' : !hex) return false;
  }
  return true;
}

/* Within what the server's types hold, with a good margin to their ends. */
static bool is_date(int64_t days) { return days > -2400000 && days < 2000000000; }
static bool is_timestamp(int64_t us) {
  return us > INT64_C(-200000000000000000) && us < INT64_C(9200000000000000000);
}
static bool is_text(const tenon_value *v) {
  return v->type == TENON_VALUE_TEXT && !(v->size && memchr(v->data, 0, v->size));
}

/* A value that only the server has, as it writes it. */
static bool is_special(const tenon_value *v, comparable kind) {
  static const char *const names[][4] = {[AS_DECIMAL] = {"NaN", "Infinity", "-Infinity"},
                                         [AS_DATE] = {"infinity", "-infinity"},
                                         [AS_TIME] = {"24:00:00"},
                                         [AS_TIMESTAMP] = {"infinity", "-infinity"},
                                         [AS_TIMESTAMPTZ] = {"infinity", "-infinity"},
                                         [AS_UUID] = {NULL}};
  if (v->type != TENON_VALUE_TEXT) return false;
  for (const char *const *name = names[kind]; *name; name++)
    if (v->size == strlen(*name) && memcmp(v->data, *name, v->size) == 0) return true;
  return false;
}

static bool fits(const tenon_value *v, comparable kind) {
  if (is_special(v, kind)) return true;
  switch (kind) {
    case AS_INTEGER: return v->type == TENON_VALUE_INT;
    case AS_FLOAT: return v->type == TENON_VALUE_DOUBLE;
    case AS_DECIMAL:
      if (v->type != TENON_VALUE_DECIMAL && v->type != TENON_VALUE_TEXT) return false;
      return is_decimal(v->data, v->size);
    case AS_BOOL: return v->type == TENON_VALUE_BOOL;
    case AS_TEXT: return is_text(v);
    case AS_BYTES: return v->type == TENON_VALUE_BYTES;
    case AS_DATE: return v->type == TENON_VALUE_DATE && is_date(v->i);
    case AS_TIME: return v->type == TENON_VALUE_TIME && v->i >= 0 && v->i < INT64_C(86400000000);
    case AS_TIMESTAMP:
    case AS_TIMESTAMPTZ: return v->type == TENON_VALUE_TIMESTAMP && is_timestamp(v->i);
    case AS_UUID: return v->type == TENON_VALUE_TEXT && is_uuid(v->data, v->size);
    case NOT_COMPARABLE: break;
  }
  return false;
}

static const char *type_name(comparable kind) {
  switch (kind) {
    case AS_INTEGER: return "int8";
    case AS_FLOAT: return "float8";
    case AS_DECIMAL: return "numeric";
    case AS_BOOL: return "bool";
    case AS_BYTES: return "bytea";
    case AS_DATE: return "date";
    case AS_TIME: return "time";
    case AS_TIMESTAMP: return "timestamp";
    case AS_TIMESTAMPTZ: return "timestamptz";
    case AS_UUID: return "uuid";
    default: return "text";
  }
}

static void put_literal(tn_str *s, const tenon_value *v, comparable kind) {
  if (kind == AS_TEXT || kind == AS_UUID) {
    tn_pg_put_text(s, v->data, v->size);
  } else {
    tn_str_puts(s, kind == AS_BYTES ? " E'\\" : "'");
    tn_pg_put_value(s, v, kind == AS_TIMESTAMPTZ);
    tn_str_putc(s, '\'');
  }
  tn_str_printf(s, "::pg_catalog.%s", type_name(kind));
}

/* ---- Conditions ---- */

static const char *operator_of(tenon_filter_op op) {
  switch (op) {
    case TENON_NE: return " OPERATOR(pg_catalog.<>) ";
    case TENON_LT: return " OPERATOR(pg_catalog.<) ";
    case TENON_LE: return " OPERATOR(pg_catalog.<=) ";
    case TENON_GT: return " OPERATOR(pg_catalog.>) ";
    case TENON_GE: return " OPERATOR(pg_catalog.>=) ";
    default: return " OPERATOR(pg_catalog.=) ";
  }
}

/* A comparison with NULL is never true. */
static void put_comparison(tn_str *s, const tn_pg_source *from, int i, comparable kind,
                           tenon_filter_op op, const tenon_value *v) {
  if (v->type == TENON_VALUE_NULL) {
    tn_str_puts(s, "false");
    return;
  }
  put_operand(s, from, i, kind);
  tn_str_puts(s, operator_of(op));
  put_literal(s, v, kind);
}

/* What equality bytewise implies in the column's own collation, where an index may help. */
static void put_indexable(tn_str *s, const tn_pg_source *from, int i, const tenon_value *v) {
  uint32_t oid = from->fields[i].oid;
  bool text = oid == OID_TEXT || oid == OID_VARCHAR || oid == OID_NAME;
  if (from->query || (!text && oid != OID_BPCHAR) || v->type == TENON_VALUE_NULL) return;
  put_column(s, from, i);
  tn_str_puts(s, operator_of(TENON_EQ));
  tn_pg_put_text(s, v->data, v->size);
  tn_str_puts(s, text ? "::pg_catalog.text AND " : "::pg_catalog.bpchar AND ");
}

static void put_in(tn_str *s, const tn_pg_source *from, int i, comparable kind,
                   const tenon_filter *f) {
  size_t count = 0;
  put_operand(s, from, i, kind);
  tn_str_puts(s, " OPERATOR(pg_catalog.=) ANY (ARRAY[");
  for (size_t k = 0; k < f->value_count; k++) {
    if (f->values[k].type == TENON_VALUE_NULL) continue;
    if (count++) tn_str_puts(s, ", ");
    put_literal(s, &f->values[k], kind);
  }
  tn_str_puts(s, "])");
}

static int64_t count_characters(const char *text, size_t size) {
  int64_t n = 0;
  for (size_t i = 0; i < size; i++) n += (text[i] & 0xC0) != 0x80;
  return n;
}

static void put_prefix(tn_str *s, const tn_pg_source *from, int i, comparable kind,
                       const tenon_value *v) {
  if (v->type == TENON_VALUE_NULL) {
    tn_str_puts(s, "false");
    return;
  }
  tn_str_puts(s, kind == AS_TEXT ? "pg_catalog.left(" : "pg_catalog.substring(");
  put_operand(s, from, i, kind);
  if (kind == AS_TEXT) tn_str_printf(s, ", %" PRId64 ")", count_characters(v->data, v->size));
  else tn_str_printf(s, ", 1, %zu)", v->size);
  tn_str_puts(s, operator_of(TENON_EQ));
  put_literal(s, v, kind);
}

static bool all_fit(const tenon_filter *f, comparable kind) {
  bool any = false;
  for (size_t k = 0; k < f->value_count; k++) {
    if (f->values[k].type == TENON_VALUE_NULL) continue;
    if (!fits(&f->values[k], kind)) return false;
    any = true;
  }
  return any || f->op != TENON_IN;
}

/* Of a composite IS NULL would ask whether all of its fields are: only where it surely is none. */
static bool put_null_test(tn_str *s, const tn_pg_source *from, int i, bool null) {
  enum { FIRST_OWN_OID = 16384, RECORD = 2249 };
  const tn_pg_field *f = &from->fields[i];
  bool scalar = f->oid < FIRST_OWN_OID && f->oid != RECORD && f->type.op != TN_PG_COMPOSITE;
  if (f->type.special_null) return false;
  put_column(s, from, i);
  if (scalar) tn_str_puts(s, null ? " IS NULL" : " IS NOT NULL");
  else tn_str_puts(s, null ? " IS NOT DISTINCT FROM NULL" : " IS DISTINCT FROM NULL");
  return true;
}

static bool put_filter(tn_str *s, const tn_pg_source *from, const tenon_filter *f) {
  int i = find_field(from, f->column);
  if (i < 0) return false;
  if (f->op == TENON_IS_NULL || f->op == TENON_IS_NOT_NULL)
    return put_null_test(s, from, i, f->op == TENON_IS_NULL);
  comparable kind = kind_of(from, &from->fields[i]);
  if (kind == NOT_COMPARABLE || f->value_count == 0 || !all_fit(f, kind)) return false;
  if (f->op == TENON_PREFIX && kind != AS_TEXT && kind != AS_BYTES) return false;
  if (f->op == TENON_BETWEEN && f->value_count != 2) return false;
  tn_str_putc(s, '(');
  if (f->op == TENON_EQ && kind == AS_TEXT) put_indexable(s, from, i, &f->values[0]);
  if (f->op == TENON_IN) put_in(s, from, i, kind, f);
  else if (f->op == TENON_PREFIX) put_prefix(s, from, i, kind, &f->values[0]);
  else put_comparison(s, from, i, kind, f->op == TENON_BETWEEN ? TENON_GE : f->op, &f->values[0]);
  if (f->op == TENON_BETWEEN) {
    tn_str_puts(s, " AND ");
    put_comparison(s, from, i, kind, TENON_LE, &f->values[1]);
  }
  tn_str_putc(s, ')');
  return true;
}

/* ---- Order ---- */

static comparable order_kind(const tn_pg_source *from, const tenon_order *o, int *ret_index) {
  *ret_index = find_field(from, o->column);
  return *ret_index < 0 ? NOT_COMPARABLE : kind_of(from, &from->fields[*ret_index]);
}

static bool can_order(const tn_pg_source *from, const tenon_read *r) {
  int i;
  for (size_t k = 0; k < r->order_count; k++) {
    comparable kind = order_kind(from, &r->order[k], &i);
    const tenon_value *v = r->after ? &r->after[k] : NULL;
    if (kind == NOT_COMPARABLE || (v && v->type != TENON_VALUE_NULL && !fits(v, kind)))
      return false;
  }
  return r->order_count > 0;
}

static void put_order(tn_str *s, const tn_pg_source *from, const tenon_read *r) {
  for (size_t k = 0; k < r->order_count; k++) {
    int i;
    comparable kind = order_kind(from, &r->order[k], &i);
    tn_str_puts(s, k ? ", " : " ORDER BY ");
    put_operand(s, from, i, kind);
    tn_str_puts(s, r->order[k].descending ? " DESC NULLS LAST" : " ASC NULLS LAST");
  }
}

/* Column k is behind its value; NULLs are last, so behind every value, and nothing is behind them.
 */
static void put_behind(tn_str *s, const tn_pg_source *from, const tenon_read *r, size_t k) {
  int i;
  comparable kind = order_kind(from, &r->order[k], &i);
  if (r->after[k].type == TENON_VALUE_NULL) {
    tn_str_puts(s, "false");
    return;
  }
  put_comparison(s, from, i, kind, r->order[k].descending ? TENON_LT : TENON_GT, &r->after[k]);
  if (from->fields[i].not_null) return;
  tn_str_puts(s, " OR ");
  put_column(s, from, i);
  tn_str_puts(s, " IS NULL");
}

static void put_equal(tn_str *s, const tn_pg_source *from, const tenon_read *r, size_t k) {
  int i;
  comparable kind = order_kind(from, &r->order[k], &i);
  if (r->after[k].type != TENON_VALUE_NULL) {
    put_comparison(s, from, i, kind, TENON_EQ, &r->after[k]);
    return;
  }
  put_column(s, from, i);
  tn_str_puts(s, " IS NULL");
}

/* (a behind) OR (a equal AND (b behind)) OR … */
static void put_after(tn_str *s, const tn_pg_source *from, const tenon_read *r) {
  tn_str_putc(s, '(');
  for (size_t k = 0; k < r->order_count; k++) {
    tn_str_puts(s, k ? " OR (" : "(");
    for (size_t before = 0; before < k; before++) {
      put_equal(s, from, r, before);
      tn_str_puts(s, " AND ");
    }
    tn_str_putc(s, '(');
    put_behind(s, from, r, k);
    tn_str_puts(s, "))");
  }
  tn_str_putc(s, ')');
}

/* ---- The whole ---- */

static void put_from(tn_str *s, const tn_pg_source *from) {
  tn_str_puts(s, " FROM ");
  if (!from->query) {
    tn_pg_put_table(s, from->schema, from->table);
    tn_str_puts(s, " AS t");
    return;
  }
  tn_str_putc(s, '(');
  tn_str_add(s, from->query, from->query_size);
  /* on a line of its own: the query may end in a comment */
  tn_str_puts(s, "\n) AS q");
  for (size_t i = 0; i < from->field_count; i++) tn_str_printf(s, i ? ", c%zu" : "(c%zu", i);
  if (from->field_count) tn_str_putc(s, ')');
}

/* Appends the condition that follows a WHERE or an AND; takes the word back if there is none. */
static bool add_condition(tn_str *s, const tn_pg_source *from, const tenon_filter *f, bool first) {
  size_t before = s->size;
  tn_str_puts(s, first ? " WHERE " : " AND ");
  if (put_filter(s, from, f)) return true;
  if (!s->failed) {
    s->size = before;
    s->data[before] = 0;
  }
  return false;
}

static void put_where(tn_str *s, const tn_pg_source *from, const tenon_read *r,
                      tn_pg_pushed *pushed) {
  bool first = true;
  for (size_t i = 0; i < r->filter_count && i < 64; i++)
    if (add_condition(s, from, &r->filters[i], first)) {
      pushed->filters |= UINT64_C(1) << i;
      first = false;
    }
  if (!can_order(from, r)) return;
  pushed->applied |= TENON_APPLIED_ORDER;
  if (!r->after) return;
  tn_str_puts(s, first ? " WHERE " : " AND ");
  put_after(s, from, r);
  pushed->applied |= TENON_APPLIED_AFTER;
}

static void put_limit(tn_str *s, const tenon_read *r, tn_pg_pushed *pushed) {
  uint64_t all = r->filter_count >= 64 ? UINT64_MAX : (UINT64_C(1) << r->filter_count) - 1;
  bool ordered = r->order_count == 0 || (pushed->applied & TENON_APPLIED_ORDER);
  if (r->limit < 0 || pushed->filters != all || !ordered) return;
  tn_str_printf(s, " LIMIT %" PRId64, r->limit);
  pushed->applied |= TENON_APPLIED_LIMIT;
}

static bool asks_for_more(const tenon_read *r) {
  return r->filter_count || r->order_count || r->limit >= 0;
}

void tn_pg_put_select(tn_str *s, const tn_pg_source *from, const tenon_read *r, tn_pg_pushed *ret) {
  *ret = (tn_pg_pushed){.applied = r->columns ? TENON_APPLIED_COLUMNS : 0};
  if (from->query && is_whole(from) && !needs_cast(from) && !asks_for_more(r)) {
    tn_str_add(s, from->query, from->query_size);
    tn_str_putc(s, '\n');
    return;
  }
  tn_str_puts(s, "SELECT");
  for (size_t k = 0; k < from->chosen_count; k++) {
    tn_str_puts(s, k ? ", " : " ");
    put_value(s, from, from->chosen[k]);
  }
  put_from(s, from);
  put_where(s, from, r, ret);
  if (ret->applied & TENON_APPLIED_ORDER) put_order(s, from, r);
  put_limit(s, r, ret);
}
