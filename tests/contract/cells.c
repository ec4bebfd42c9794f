/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/cells.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"
#include "arrow/print.h"
#include "base/error.h"
#include "base/str.h"
#include "core/stream.h"

bool is_text_or_binary(const struct ArrowSchema *s) {
  return strchr("uUzZ", s->format[0]) != NULL || s->format[0] == 'w';
}

static bool has_value(const struct ArrowArray *a, int64_t i) {
  if (a->n_buffers == 0) return false;
  const uint8_t *bits = a->buffers[0];
  return !bits || bits[(a->offset + i) / 8] >> (a->offset + i) % 8 & 1;
}

/* Two's complement, low byte first, into bytes that memcmp puts in order. */
static const char *sortable(const uint8_t *from, size_t n, tn_arena *arena) {
  char *to = tn_arena_alloc(arena, n);
  for (size_t i = 0; i < n; i++) to[i] = (char)from[n - 1 - i];
  to[0] = (char)(to[0] ^ 0x80);
  return to;
}

static int width_of(const char *f) {
  if (strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0) return 4;
  if (f[0] == 't') return 8;
  if (f[0] == 'd') {
    const char *last = strrchr(f, ',');
    return last && strchr(f, ',') != last ? (int)strtol(last + 1, NULL, 10) / 8 : 16;
  }
  switch (f[0]) {
    case 'c': case 'C': return 1;
    case 's': case 'S': return 2;
    case 'i': case 'I': case 'f': return 4;
    default: return 8;
  }
}

static __int128 whole_at(const uint8_t *p, int width, bool is_signed) {
  __int128 v = is_signed && p[width - 1] & 0x80 ? -1 : 0;
  for (int i = width - 1; i >= 0; i--) v = (__int128)((unsigned __int128)v << 8 | p[i]);
  return v;
}

static void data_at(cell *c, const char *f, const struct ArrowArray *a, int64_t i) {
  int64_t at = a->offset + i, from, to;
  if (f[0] == 'w') {
    c->size = (size_t)strtol(f + 2, NULL, 10);
    c->data = (const char *)a->buffers[1] + at * (int64_t)c->size;
    return;
  }
  if (f[0] == 'U' || f[0] == 'Z')
    from = ((const int64_t *)a->buffers[1])[at], to = ((const int64_t *)a->buffers[1])[at + 1];
  else from = ((const int32_t *)a->buffers[1])[at], to = ((const int32_t *)a->buffers[1])[at + 1];
  c->data = (const char *)a->buffers[2] + from;
  c->size = (size_t)(to - from);
}

static cell_kind kind_of(const struct ArrowSchema *s) {
  const char *f = s->format;
  if (s->dictionary || f[0] == '+' || f[0] == 'n' || f[0] == 'e' || strncmp(f, "tD", 2) == 0 ||
      strncmp(f, "ti", 2) == 0) return CELL_NONE;
  if (f[0] == 'f' || f[0] == 'g') return CELL_REAL;
  if (is_text_or_binary(s) || (f[0] == 'd' && width_of(f) == 32)) return CELL_DATA;
  return CELL_WHOLE;
}

cell cell_at(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i, tn_arena *arena) {
  const char *f = s->format;
  cell c = {.kind = kind_of(s), .is_null = !has_value(a, i)};
  if (c.is_null || c.kind == CELL_NONE) return c;
  int64_t at = a->offset + i;
  const uint8_t *values = a->buffers[1];
  if (f[0] == 'b') c.whole = values[at / 8] >> at % 8 & 1;
  else if (f[0] == 'f') c.real = (double)((const float *)(const void *)values)[at];
  else if (f[0] == 'g') c.real = ((const double *)(const void *)values)[at];
  else if (c.kind == CELL_WHOLE)
    c.whole = whole_at(values + at * width_of(f), width_of(f), !strchr("CSIL", f[0]));
  else if (f[0] == 'd') c.data = sortable(values + at * 32, 32, arena), c.size = 32;
  else data_at(&c, f, a, i);
  return c;
}

int cell_compare(const cell *a, const cell *b) {
  if (a->kind == CELL_WHOLE) return (a->whole > b->whole) - (a->whole < b->whole);
  if (a->kind == CELL_REAL) {
    if (isnan(a->real) || isnan(b->real)) return !!isnan(a->real) - !!isnan(b->real);
    return (a->real > b->real) - (a->real < b->real);
  }
  size_t n = a->size < b->size ? a->size : b->size;
  int c = n ? memcmp(a->data, b->data, n) : 0;
  return c ? (c > 0) - (c < 0) : (a->size > b->size) - (a->size < b->size);
}

bool cell_holds(const cell *c, tenon_filter_op op, const cell *l, size_t count) {
  if (op == TENON_IS_NULL) return c->is_null;
  if (op == TENON_IS_NOT_NULL) return !c->is_null;
  if (c->is_null) return false;
  switch (op) {
    case TENON_EQ: return cell_compare(c, l) == 0;
    case TENON_NE: return cell_compare(c, l) != 0;
    case TENON_LT: return cell_compare(c, l) < 0;
    case TENON_LE: return cell_compare(c, l) <= 0;
    case TENON_GT: return cell_compare(c, l) > 0;
    case TENON_GE: return cell_compare(c, l) >= 0;
    case TENON_BETWEEN: return cell_compare(c, l) >= 0 && cell_compare(c, l + 1) <= 0;
    case TENON_PREFIX:
      return c->size >= l->size && (l->size == 0 || memcmp(c->data, l->data, l->size) == 0);
    case TENON_IN: break;
    default: return false;
  }
  for (size_t i = 0; i < count; i++)
    if (cell_compare(c, &l[i]) == 0) return true;
  return false;
}

/* ---- Literals ---- */

static int64_t units(const char *f) {
  return f[2] == 's' ? 1 : f[2] == 'm' ? 1000 : f[2] == 'u' ? 1000000 : 1000000000;
}

static tenon_value time_value(tenon_value_type type, const char *f, __int128 v) {
  __int128 ns = v * (1000000000 / units(f)), us = ns / 1000 - (ns % 1000 < 0);
  return (tenon_value){.type = type, .i = (int64_t)us, .size = (size_t)((ns % 1000 + 1000) % 1000)};
}

/* Decimals by their printed digits. */
static tenon_value decimal_value(const struct ArrowSchema *s, const cell *c, tn_arena *arena) {
  _Alignas(16) uint8_t bytes[32];
  const void *buffers[] = {NULL, bytes};
  struct ArrowArray one = {.length = 1, .n_buffers = 2, .buffers = buffers};
  tn_printer *p;
  tn_str text;
  if (c->kind == CELL_DATA)
    for (int i = 0; i < 32; i++) bytes[i] = (uint8_t)(c->data[31 - i] ^ (i == 31 ? 0x80 : 0));
  else
    for (int i = 0; i < 16; i++) bytes[i] = (uint8_t)(c->whole >> 8 * i);
  tn_str_init(&text, 200);
  assert_int_equal(tn_printer_new(s, &p, NULL), TENON_OK);
  assert_int_equal(tn_print_text(p, &one, 0, &text, NULL), TENON_OK);
  tn_printer_free(p);
  tenon_value v = {.type = TENON_VALUE_DECIMAL, .data = tn_arena_strndup(arena, tn_str_text(&text),
          text.size), .size = text.size};
  tn_str_release(&text);
  return v;
}

tenon_value value_of_cell(const struct ArrowSchema *s, const cell *c, tn_arena *arena) {
  const char *f = s->format;
  if (c->is_null) return (tenon_value){.type = TENON_VALUE_NULL};
  if (f[0] == 'd') return decimal_value(s, c, arena);
  if (f[0] == 'b') return (tenon_value){.type = TENON_VALUE_BOOL, .i = (int64_t)c->whole};
  if (c->kind == CELL_REAL) return (tenon_value){.type = TENON_VALUE_DOUBLE, .f = c->real};
  if (strcmp(f, "tdD") == 0) return (tenon_value){.type = TENON_VALUE_DATE, .i = (int64_t)c->whole};
  if (strcmp(f, "tdm") == 0)
    return (tenon_value){.type = TENON_VALUE_DATE, .i = (int64_t)(c->whole / 86400000)};
  if (strncmp(f, "tt", 2) == 0) return time_value(TENON_VALUE_TIME, f, c->whole);
  if (strncmp(f, "ts", 2) == 0) return time_value(TENON_VALUE_TIMESTAMP, f, c->whole);
  if (c->kind == CELL_DATA)
    return (tenon_value){.type = f[0] == 'u' || f[0] == 'U' ? TENON_VALUE_TEXT : TENON_VALUE_BYTES,
                         .data = c->data, .size = c->size};
  if (c->whole > INT64_MAX) {
    char text[24];
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)c->whole);
    return (tenon_value){.type = TENON_VALUE_DECIMAL, .data = tn_arena_strndup(arena, text,
            (size_t)n), .size = (size_t)n};
  }
  return (tenon_value){.type = TENON_VALUE_INT, .i = (int64_t)c->whole};
}

/* Digits that have the column's own scale: the point is left out. */
static void digits(const tenon_value *v, uint8_t *bytes, size_t n) {
  uint8_t wide[33] = {0};
  bool negative = v->size && v->data[0] == '-';
  for (size_t i = negative; i < v->size; i++) {
    if (v->data[i] == '.') continue;
    unsigned carry = (unsigned)(v->data[i] - '0');
    for (size_t k = 0; k < 32; k++) carry += wide[k] * 10u, wide[k] = (uint8_t)carry, carry >>= 8;
  }
  unsigned carry = negative;
  for (size_t k = 0; k < 32 && negative; k++)
    carry += (uint8_t)~wide[k], wide[k] = (uint8_t)carry, carry >>= 8;
  memcpy(bytes, wide, n);
}

cell cell_of_value(const struct ArrowSchema *s, const tenon_value *v, tn_arena *arena) {
  const char *f = s->format;
  cell c = {.kind = kind_of(s), .is_null = v->type == TENON_VALUE_NULL, .whole = v->i, .real = v->f,
            .data = v->data, .size = v->size};
  uint8_t bytes[32];
  if (c.is_null) return c;
  if (v->type == TENON_VALUE_DECIMAL) {
    digits(v, bytes, 32);
    if (c.kind == CELL_DATA) c.data = sortable(bytes, 32, arena), c.size = 32;
    else c.whole = whole_at(bytes, 16, true);
  } else if (strcmp(f, "tdm") == 0) {
    c.whole *= 86400000;
  } else if (strncmp(f, "tt", 2) == 0 || strncmp(f, "ts", 2) == 0) {
    c.whole = ((__int128)v->i * 1000 + (__int128)v->size) / (1000000000 / units(f));
  }
  return c;
}

/* ---- Kept rows ---- */

void kept_release(kept_rows *k) {
  for (size_t i = 0; i < k->batch_count; i++) tn_array_release(&k->batches[i]);
  free(k->batches);
  free(k->rows);
  tn_schema_release(&k->schema);
  memset(k, 0, sizeof *k);
}

static void add_batch(kept_rows *k, const struct ArrowArray *batch) {
  k->batches = realloc(k->batches, (k->batch_count + 1) * sizeof *k->batches);
  k->rows = realloc(k->rows, (size_t)(k->row_count + batch->length) * sizeof *k->rows);
  for (int64_t i = 0; i < batch->length; i++) {
    k->rows[k->row_count].batch = k->batch_count;
    k->rows[k->row_count++].row = i;
  }
  k->batches[k->batch_count++] = *batch;
}

tenon_status keep_rows(struct ArrowArrayStream *stream, kept_rows *ret, tenon_error *err) {
  kept_rows k = {0};
  tenon_error why = TENON_ERROR_INIT;
  int code = stream->get_schema(stream, &k.schema);
  while (!code) {
    struct ArrowArray batch = {0};
    code = stream->get_next(stream, &batch);
    if (code || !batch.release) break;
    if (tn_arrow_check(&k.schema, &batch, &why))
      fail_msg("a batch is not well formed: %s", why.message);
    add_batch(&k, &batch);
  }
  tenon_status status = code ? tn_stream_error(stream, code, err) : TENON_OK;
  stream->release(stream);
  if (status) kept_release(&k);
  else *ret = k;
  return status;
}

static const struct ArrowArray *batch_of(const kept_rows *k, int64_t row) {
  return &k->batches[k->rows[row].batch];
}

char *kept_line(const kept_rows *k, int64_t i, const int64_t *columns, int64_t count) {
  tn_str out;
  tn_str_init(&out, 1 << 20);
  const struct ArrowArray *batch = batch_of(k, i);
  for (int64_t n = 0; n < (columns ? count : k->schema.n_children); n++) {
    int64_t c = columns ? columns[n] : n;
    tn_printer *p;
    tenon_error err = TENON_ERROR_INIT;
    if (tn_printer_new(k->schema.children[c], &p, &err)) fail_msg("%s", err.message);
    tn_str_puts(&out, n ? ", " : "");
    if (tn_print_json(p, batch->children[c], batch->offset + k->rows[i].row, &out, &err))
      fail_msg("%s", err.message);
    tn_printer_free(p);
  }
  char *text = tn_str_move(&out);
  return text ? text : tn_strdup("");
}

cell kept_cell(const kept_rows *k, int64_t row, int64_t column, tn_arena *arena) {
  const struct ArrowArray *batch = batch_of(k, row);
  return cell_at(k->schema.children[column], batch->children[column],
                 batch->offset + k->rows[row].row, arena);
}

int64_t kept_column(const kept_rows *k, const char *name) {
  for (int64_t i = 0; i < k->schema.n_children; i++)
    if (strcmp(k->schema.children[i]->name, name) == 0) return i;
  return -1;
}
