/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/sql/postgresql/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 12, MAX_TYPES = 20000, NUMERIC = 1700, RECORD = 2249 };

/* ---- Built-in types ---- */

typedef enum builtin_flag {
  NAMED = 1,      /* annotated with the server's name: Arrow's type does not say it all */
  CAST = 2,       /* the server makes text of it */
  SPECIAL = 4,    /* some values have no place in Arrow's type */
  VECTOR = 8      /* an array that counts from 0, of `element` */
} builtin_flag;

typedef struct builtin {
  uint32_t oid, array;      /* the type, and the type of arrays of it (0: none) */
  const char *name;         /* as format_type spells it */
  tn_pg_op op;
  const char *format;
  int flags;
  uint32_t element;
} builtin;

/* Source: pg_type of PostgreSQL 15, in the order of oids. What is not here is looked up. */
static const builtin builtins[] = {
    {16, 1000, "boolean", TN_PG_BOOL, "b", 0, 0},
    {17, 1001, "bytea", TN_PG_BYTES, "z", 0, 0},
    {18, 1002, "\"char\"", TN_PG_CHAR, "u", NAMED, 0},
    {19, 1003, "name", TN_PG_TEXT, "u", 0, 0},
    {20, 1016, "bigint", TN_PG_SWAP8, "l", 0, 0},
    {21, 1005, "smallint", TN_PG_SWAP2, "s", 0, 0},
    {22, 1006, "int2vector", TN_PG_ARRAY, "+l", NAMED | VECTOR, 21},
    {23, 1007, "integer", TN_PG_SWAP4, "i", 0, 0},
    {24, 1008, "regproc", TN_PG_SWAP4, "I", NAMED, 0},
    {25, 1009, "text", TN_PG_TEXT, "u", 0, 0},
    {26, 1028, "oid", TN_PG_SWAP4, "I", NAMED, 0},
    {27, 1010, "tid", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {28, 1011, "xid", TN_PG_SWAP4, "I", NAMED, 0},
    {29, 1012, "cid", TN_PG_SWAP4, "I", NAMED, 0},
    {30, 1013, "oidvector", TN_PG_ARRAY, "+l", NAMED | VECTOR, 26},
    {114, 199, "json", TN_PG_TEXT, "u", NAMED, 0},
    {142, 143, "xml", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {194, 0, "pg_node_tree", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {600, 1017, "point", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {601, 1018, "lseg", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {602, 1019, "path", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {603, 1020, "box", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {604, 1027, "polygon", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {628, 629, "line", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {650, 651, "cidr", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {700, 1021, "real", TN_PG_SWAP4, "f", 0, 0},
    {701, 1022, "double precision", TN_PG_SWAP8, "g", 0, 0},
    {718, 719, "circle", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {774, 775, "macaddr8", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {790, 791, "money", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {829, 1040, "macaddr", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {869, 1041, "inet", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {1033, 1034, "aclitem", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {1042, 1014, "character", TN_PG_TEXT, "u", 0, 0},
    {1043, 1015, "character varying", TN_PG_TEXT, "u", 0, 0},
    {1082, 1182, "date", TN_PG_DATE, "tdD", SPECIAL, 0},
    {1083, 1183, "time without time zone", TN_PG_TIME, "ttu", SPECIAL, 0},
    {1114, 1115, "timestamp without time zone", TN_PG_TIMESTAMP, "tsu:", SPECIAL, 0},
    {1184, 1185, "timestamp with time zone", TN_PG_TIMESTAMP, "tsu:UTC", SPECIAL, 0},
    {1186, 1187, "interval", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {1266, 1270, "time with time zone", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {1560, 1561, "bit", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {1562, 1563, "bit varying", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {NUMERIC, 1231, "numeric", TN_PG_DECIMAL_TEXT, "u", NAMED, 0},
    {1790, 2201, "refcursor", TN_PG_TEXT, "u", NAMED, 0},
    {2202, 2207, "regprocedure", TN_PG_SWAP4, "I", NAMED, 0},
    {2203, 2208, "regoper", TN_PG_SWAP4, "I", NAMED, 0},
    {2204, 2209, "regoperator", TN_PG_SWAP4, "I", NAMED, 0},
    {2205, 2210, "regclass", TN_PG_SWAP4, "I", NAMED, 0},
    {2206, 2211, "regtype", TN_PG_SWAP4, "I", NAMED, 0},
    {RECORD, 2287, "record", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {2275, 1263, "cstring", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {2277, 0, "anyarray", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {2278, 0, "void", TN_PG_TEXT, "u", NAMED, 0},
    {2950, 2951, "uuid", TN_PG_UUID, "u", NAMED, 0},
    {2970, 2949, "txid_snapshot", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3220, 3221, "pg_lsn", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3361, 0, "pg_ndistinct", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3402, 0, "pg_dependencies", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3614, 3643, "tsvector", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3615, 3645, "tsquery", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3642, 3644, "gtsvector", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3734, 3735, "regconfig", TN_PG_SWAP4, "I", NAMED, 0},
    {3769, 3770, "regdictionary", TN_PG_SWAP4, "I", NAMED, 0},
    {3802, 3807, "jsonb", TN_PG_JSONB, "u", NAMED, 0},
    {3904, 3905, "int4range", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3906, 3907, "numrange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3908, 3909, "tsrange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3910, 3911, "tstzrange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3912, 3913, "daterange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {3926, 3927, "int8range", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4072, 4073, "jsonpath", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4089, 4090, "regnamespace", TN_PG_SWAP4, "I", NAMED, 0},
    {4096, 4097, "regrole", TN_PG_SWAP4, "I", NAMED, 0},
    {4191, 4192, "regcollation", TN_PG_SWAP4, "I", NAMED, 0},
    {4451, 6150, "int4multirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4532, 6151, "nummultirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4533, 6152, "tsmultirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4534, 6153, "tstzmultirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4535, 6155, "datemultirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4536, 6157, "int8multirange", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4600, 0, "pg_brin_bloom_summary", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {4601, 0, "pg_brin_minmax_multi_summary", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {5017, 0, "pg_mcv_list", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {5038, 5039, "pg_snapshot", TN_PG_TEXT, "u", NAMED | CAST, 0},
    {5069, 271, "xid8", TN_PG_SWAP8, "L", NAMED, 0},
};

enum { BUILTIN_COUNT = sizeof builtins / sizeof builtins[0] };

static int compare_oid(const void *key, const void *item) {
  uint32_t a = *(const uint32_t *)key, b = ((const builtin *)item)->oid;
  return a < b ? -1 : a > b;
}

static const builtin *find_builtin(uint32_t oid) {
  return bsearch(&oid, builtins, BUILTIN_COUNT, sizeof builtins[0], compare_oid);
}

static const builtin *find_array(uint32_t oid) {
  for (int i = 0; oid && i < BUILTIN_COUNT; i++)
    if (builtins[i].array == oid) return &builtins[i];
  return NULL;
}

/* ---- What the catalog says of the others ---- */

typedef struct looked_up {
  uint32_t oid, base, element;
  int32_t typmod;              /* a domain's */
  char kind;                   /* b, c, d, e, r, m, p */
  const char *name;
  struct looked_field { const char *name; uint32_t oid; int32_t typmod; } *fields;
  int32_t field_count;
} looked_up;

typedef struct resolver {
  tn_arena *arena;
  const tn_pg_choices *choices;
  looked_up *types;
  size_t count;
} resolver;

static int compare_looked(const void *a, const void *b) {
  uint32_t x = ((const looked_up *)a)->oid, y = ((const looked_up *)b)->oid;
  return x < y ? -1 : x > y;
}

static const looked_up *find_looked(const resolver *r, uint32_t oid) {
  looked_up key = {.oid = oid};
  return r->count ? bsearch(&key, r->types, r->count, sizeof *r->types, compare_looked) : NULL;
}

/* Domains, arrays and composites are followed to what they are made of. A row a type, and for
 * composites a row a field. */
static const char lookup_sql[] =
    "WITH RECURSIVE need(oid) AS ("
    " SELECT pg_catalog.unnest($1::pg_catalog.oid[])"
    " UNION"
    " SELECT part.oid FROM need JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) need.oid,"
    " LATERAL (SELECT t.typbasetype WHERE t.typtype OPERATOR(pg_catalog.=) 'd'"
    "  UNION ALL SELECT t.typelem WHERE t.typlen OPERATOR(pg_catalog.=) -1 AND t.typelem "
    "OPERATOR(pg_catalog.<>) 0::pg_catalog.oid"
    "  UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE t.typtype "
    "OPERATOR(pg_catalog.=) 'c'"
    "   AND a.attrelid OPERATOR(pg_catalog.=) t.typrelid AND a.attnum OPERATOR(pg_catalog.>) 0 AND "
    "NOT a.attisdropped) AS part(oid))"
    " SELECT t.oid, t.typtype, t.typbasetype, t.typtypmod,"
    " CASE WHEN t.typlen OPERATOR(pg_catalog.=) -1 THEN t.typelem ELSE 0 END,"
    " pg_catalog.format_type(t.oid, NULL), a.attname, a.atttypid, a.atttypmod"
    " FROM need JOIN pg_catalog.pg_type t ON t.oid OPERATOR(pg_catalog.=) need.oid"
    " LEFT JOIN pg_catalog.pg_attribute a ON t.typtype OPERATOR(pg_catalog.=) 'c' AND a.attrelid "
    "OPERATOR(pg_catalog.=) t.typrelid"
    " AND a.attnum OPERATOR(pg_catalog.>) 0 AND NOT a.attisdropped"
    " ORDER BY t.oid, a.attnum";

static uint32_t oid_at(const PGresult *r, int row, int column) {
  return (uint32_t)strtoul(tn_pq.PQgetvalue(r, row, column), NULL, 10);
}

static int32_t int_at(const PGresult *r, int row, int column) {
  return (int32_t)strtol(tn_pq.PQgetvalue(r, row, column), NULL, 10);
}

/* Rows [row, end) are one type. */
static bool keep_type(resolver *r, const PGresult *result, int row, int end) {
  looked_up *t = &r->types[r->count++];
  *t = (looked_up){.oid = oid_at(result, row, 0), .kind = tn_pq.PQgetvalue(result, row, 1)[0],
                   .base = oid_at(result, row, 2), .typmod = int_at(result, row, 3),
                   .element = oid_at(result, row, 4)};
  t->name = tn_arena_strdup(r->arena, tn_pq.PQgetvalue(result, row, 5));
  if (t->kind != 'c' || tn_pq.PQgetisnull(result, row, 6)) return t->name != NULL;
  t->fields = tn_arena_alloc(r->arena, (size_t)(end - row) * sizeof *t->fields);
  if (!t->name || !t->fields) return false;
  for (; row < end; row++) {
    struct looked_field *f = &t->fields[t->field_count++];
    f->name = tn_arena_strdup(r->arena, tn_pq.PQgetvalue(result, row, 6));
    f->oid = oid_at(result, row, 7);
    f->typmod = int_at(result, row, 8);
    if (!f->name) return false;
  }
  return true;
}

static tenon_status out_of_memory(tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE,
                    "ask for fewer columns, or give the process more memory",
                    "the types of the columns take more memory than there is for them");
}

static tenon_status keep_types(resolver *r, const PGresult *result, tenon_error *err) {
  int rows = tn_pq.PQntuples(result);
  r->types = tn_arena_alloc(r->arena, (size_t)(rows ? rows : 1) * sizeof *r->types);
  if (!r->types) return out_of_memory(err);
  for (int row = 0, end; row < rows; row = end) {
    for (end = row + 1; end < rows && oid_at(result, end, 0) == oid_at(result, row, 0);) end++;
    if (!keep_type(r, result, row, end)) return out_of_memory(err);
  }
  return TENON_OK;
}

/* Asks for all types that the table does not have, at once. */
static tenon_status look_up(tenon_ctx *ctx, tn_pg_session *s, resolver *r,
                            const tn_pg_field *fields, size_t count, tenon_error *err) {
  tn_str list;
  tn_str_init(&list, MAX_TYPES * 12);
  tn_str_putc(&list, '{');
  for (size_t i = 0; i < count; i++)
    if (!find_builtin(fields[i].oid) && !find_array(fields[i].oid))
      tn_str_printf(&list, list.size > 1 ? ",%u" : "%u", fields[i].oid);
  bool any = list.size > 1;
  tn_str_putc(&list, '}');
  tenon_status status = list.failed ? out_of_memory(err) : TENON_OK;
  if (!status && any) {
    const char *params[] = {tn_str_text(&list)};
    PGresult *result;
    status = tn_pg_query(ctx, s, lookup_sql, params, 1, &result, err);
    if (!status) {
      status = keep_types(r, result, err);
      tn_pq.PQclear(result);
    }
  }
  tn_str_release(&list);
  return status;
}

/* ---- From the server's type to ours ---- */

static tn_pg_type refused(uint32_t oid, const char *name, const char *why) {
  return (tn_pg_type){
      .oid = oid, .op = TN_PG_REFUSED, .format = "n", .vendor = name, .refusal = why};
}

static tn_pg_type as_text(uint32_t oid, const char *vendor) {
  return (tn_pg_type){
      .oid = oid, .op = TN_PG_TEXT, .cast = TN_PG_TO_TEXT, .format = "u", .vendor = vendor};
}

static tn_pg_type as_special_text(uint32_t oid, uint32_t base, const char *vendor) {
  tn_pg_type t = as_text(oid, vendor);
  t.builtin = base;
  t.special_text = true;
  return t;
}

static void set_decimal(tn_pg_type *t, int precision, int scale) {
  t->op = precision <= 38 ? TN_PG_DECIMAL128 : TN_PG_DECIMAL256;
  t->precision = (int16_t)precision;
  t->scale = (int16_t)scale;
  t->has_special = true;
  t->vendor = NULL;
  snprintf(t->format, sizeof t->format, precision <= 38 ? "d:%d,%d" : "d:%d,%d,256", precision,
           scale);
}

/* numeric(p,s): s may be negative or above p; Arrow's readers want 0 to p, and a wider decimal
 * holds it. */
static void resolve_numeric(const resolver *r, tn_pg_type *t, int32_t typmod) {
  const tn_pg_choices *c = r->choices;
  if (typmod >= 4) {
    int precision = (typmod - 4) >> 16 & 0xFFFF, scale = (((typmod - 4) & 0x7FF) ^ 1024) - 1024;
    if (scale < 0) precision -= scale, scale = 0;
    if (scale > precision) precision = scale;
    if (precision <= 76 && c->special != TENON_SPECIAL_TEXT) set_decimal(t, precision, scale);
  } else if (c->numeric == TN_PG_DECIMAL_FLOAT) {
    t->op = TN_PG_DECIMAL_FLOAT;
    t->vendor = NULL;
    snprintf(t->format, sizeof t->format, "g");
  } else if (c->numeric != TN_PG_DECIMAL_TEXT && c->special != TENON_SPECIAL_TEXT) {
    set_decimal(t, c->precision, c->scale);
  }
}

static tn_pg_type resolve(const resolver *r, uint32_t oid, int32_t typmod, int depth);

/* An array whose elements the server has to make text of becomes a list of texts. */
static tn_pg_type array_of(const resolver *r, uint32_t oid, tn_pg_type element,
                           const char *vendor) {
  if (element.op == TN_PG_REFUSED) return refused(oid, vendor, element.refusal);
  if (r->choices->special == TENON_SPECIAL_TEXT)
    return as_special_text(oid, 0, vendor ? vendor : "array");
  tn_pg_type t = {.oid = oid,
                  .op = TN_PG_ARRAY,
                  .format = "+l",
                  .lower_bound = 1,
                  .child_count = 1,
                  .has_special = true};
  t.children = tn_arena_alloc(r->arena, sizeof *t.children);
  if (!t.children) return refused(oid, vendor, "out of memory");
  if (element.cast) {
    t.cast = TN_PG_TO_TEXT_ARRAY;
    element = (tn_pg_type){.oid = 25, .op = TN_PG_TEXT, .format = "u", .vendor = element.vendor};
  }
  element.name = "item";
  t.special_null = r->choices->special == TENON_SPECIAL_NULL;
  t.children[0] = element;
  return t;
}

static tn_pg_type resolve_builtin(const resolver *r, const builtin *b, uint32_t oid, int32_t typmod,
                                  int depth) {
  tn_pg_type t = {.oid = oid,
                  .builtin = b->oid,
                  .op = b->op,
                  .cast = b->flags & CAST ? TN_PG_TO_TEXT : TN_PG_AS_IS,
                  .has_special = (b->flags & SPECIAL) != 0,
                  .vendor = b->flags & NAMED ? b->name : NULL};
  snprintf(t.format, sizeof t.format, "%s", b->format);
  if (b->flags & VECTOR) {
    tn_pg_type list = array_of(r, oid, resolve(r, b->element, -1, depth + 1), b->name);
    list.lower_bound = 0;
    if (list.op == TN_PG_ARRAY) list.vendor = b->name;
    return list;
  }
  if (b->oid == NUMERIC) resolve_numeric(r, &t, typmod);
  if (t.has_special && r->choices->special == TENON_SPECIAL_TEXT)
    return as_special_text(oid, b->oid, b->name);
  t.special_null = t.has_special && r->choices->special == TENON_SPECIAL_NULL;
  return t;
}

/* A composite is a struct, unless a part of it has no binary form here: then it is the server's
 * text. */
static tn_pg_type resolve_composite(const resolver *r, const looked_up *l, int depth) {
  tn_pg_type t = {
      .oid = l->oid, .op = TN_PG_COMPOSITE, .format = "+s", .child_count = l->field_count};
  t.children = tn_arena_alloc(r->arena, (size_t)(l->field_count + 1) * sizeof *t.children);
  if (!t.children) return refused(l->oid, l->name, "out of memory");
  for (int32_t i = 0; i < l->field_count; i++) {
    tn_pg_type child = resolve(r, l->fields[i].oid, l->fields[i].typmod, depth + 1);
    if (child.special_text) return as_special_text(l->oid, 0, l->name);
    if (child.cast || child.op == TN_PG_REFUSED) return as_text(l->oid, l->name);
    child.name = l->fields[i].name;
    t.has_special |= child.has_special;
    t.children[i] = child;
  }
  return t;
}

static tn_pg_type resolve_looked(const resolver *r, const looked_up *l, int depth) {
  tn_pg_type t;
  switch (l->kind) {
    case 'd':
      t = resolve(r, l->base, l->typmod, depth + 1);
      t.oid = l->oid;
      return t;
    case 'c': return resolve_composite(r, l, depth);
    case 'e':
      return (tn_pg_type){.oid = l->oid, .op = TN_PG_TEXT, .format = "u", .vendor = l->name};
    case 'p': return refused(l->oid, l->name, "a pseudo-type has no values of its own");
    default: break;
  }
  if (l->element) return array_of(r, l->oid, resolve(r, l->element, -1, depth + 1), l->name);
  return as_text(l->oid, l->name);
}

static tn_pg_type resolve(const resolver *r, uint32_t oid, int32_t typmod, int depth) {
  if (depth > MAX_DEPTH) return refused(oid, NULL, "the type is nested too deeply");
  const builtin *b = find_builtin(oid);
  if (b) return resolve_builtin(r, b, oid, typmod, depth);
  b = find_array(oid);
  if (b) {
    tn_pg_type element = resolve_builtin(r, b, b->oid, typmod, depth + 1);
    char vendor[64];
    snprintf(vendor, sizeof vendor, "%s[]", b->name);
    return array_of(r, oid, element, tn_arena_strdup(r->arena, vendor));
  }
  const looked_up *l = find_looked(r, oid);
  return l ? resolve_looked(r, l, depth) : refused(oid, NULL, "the catalog has no such type");
}

tenon_status tn_pg_types_resolve(tenon_ctx *ctx, tn_pg_session *s, tn_arena *arena,
                                 const tn_pg_choices *choices, tn_pg_field *fields, size_t count,
                                 tenon_error *err) {
  resolver r = {.arena = arena, .choices = choices};
  tenon_status status = look_up(ctx, s, &r, fields, count, err);
  for (size_t i = 0; !status && i < count; i++) {
    tn_pg_type t = resolve(&r, fields[i].oid, fields[i].typmod, 0);
    /* a struct with a value that Arrow lacks somewhere inside */
    if (t.op == TN_PG_COMPOSITE && t.has_special && choices->special == TENON_SPECIAL_TEXT)
      t = as_special_text(t.oid, 0, t.vendor);
    fields[i].type = t;
  }
  return status;
}

/* ---- Choices ---- */

static bool parse_decimal(const char *text, int *precision, int *scale) {
  int used = 0;
  *scale = 0;
  if (sscanf(text, "decimal(%d,%d)%n", precision, scale, &used) != 2 || text[used]) {
    used = 0;
    if (sscanf(text, "decimal(%d)%n", precision, &used) != 1 || !used || text[used]) return false;
  }
  return *precision >= 1 && *precision <= 76 && *scale >= 0 && *scale <= *precision;
}

tenon_status tn_pg_choices_init(tn_pg_choices *c, tenon_special special, const char *numeric_as,
                                tenon_error *err) {
  int precision = 0, scale = 0;
  *c = (tn_pg_choices){.special = special, .numeric = TN_PG_DECIMAL_TEXT};
  if (!numeric_as || strcmp(numeric_as, "text") == 0) return TENON_OK;
  if (strcmp(numeric_as, "float64") == 0) {
    c->numeric = TN_PG_DECIMAL_FLOAT;
    return TENON_OK;
  }
  if (!parse_decimal(numeric_as, &precision, &scale))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "say text, float64 or decimal(P,S) with P up to 76 and S up to P",
                      "numeric_as is none: %s", numeric_as);
  c->numeric = precision <= 38 ? TN_PG_DECIMAL128 : TN_PG_DECIMAL256;
  c->precision = (int16_t)precision;
  c->scale = (int16_t)scale;
  return TENON_OK;
}

/* ---- Schemas ---- */

tenon_status tn_pg_type_schema(const tn_pg_type *t, const char *name, bool nullable,
                               struct ArrowSchema *ret, tenon_error *err) {
  bool null_type = t->op == TN_PG_REFUSED;
  nullable = nullable || null_type || t->special_null;
  tenon_status status = tn_schema_set(ret, name, t->format, nullable, t->child_count, err);
  if (!status && t->vendor) status = tn_schema_annotate(ret, "tenon.type", t->vendor, err);
  for (int32_t i = 0; !status && i < t->child_count; i++)
    status = tn_pg_type_schema(&t->children[i], t->children[i].name, true, ret->children[i], err);
  return status;
}
