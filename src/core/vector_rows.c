/* SPDX-License-Identifier: Apache-2.0 */
#include "core/vector_rows.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/names.h"
#include "arrow/print.h"
#include "base/error.h"
#include "base/float.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/stream.h"

enum { ID, VECTOR, DOCUMENT, METADATA, COLUMNS };
enum { BATCH_BYTES = 8 << 20, MAX_TEXT = TN_JSON_MAX_SIZE };

static const char *const names[COLUMNS] = {"id", "vector", "document", "metadata"};

typedef struct vector_rows {
  tenon_stream in;
  int64_t at[COLUMNS];            /* which of the stream's columns; -1: it is not there */
  tn_printer *printers[COLUMNS];  /* of columns that are not text already; of vectors of decimals */
  int32_t width;
  struct ArrowArray batch;        /* rows from `next` on are to come */
  int64_t next, row;              /* row: of the stream, for messages */
  tn_builder *out;
  tn_str text;
} vector_rows;

/* ---- Columns ---- */

static bool is_text(const struct ArrowSchema *s) {
  return strcmp(s->format, "u") == 0 || strcmp(s->format, "U") == 0;
}

static bool is_number(const struct ArrowSchema *s) {
  return !s->dictionary && strlen(s->format) == 1 && strchr("cCsSiIlLefg", s->format[0]);
}

static bool is_integer(const struct ArrowSchema *s) {
  return is_number(s) && !strchr("efg", s->format[0]);
}

/* These go by way of their text. */
static bool is_decimal(const struct ArrowSchema *s) {
  return !s->dictionary && strncmp(s->format, "d:", 2) == 0;
}

static bool is_list_of_numbers(const struct ArrowSchema *s) {
  bool is_list = strcmp(s->format, "+l") == 0 || strcmp(s->format, "+L") == 0 ||
                 strncmp(s->format, "+w:", 3) == 0;
  return is_list && s->n_children == 1 &&
         (is_number(s->children[0]) || is_decimal(s->children[0]));
}

static bool is_structured(const struct ArrowSchema *s) {
  return strcmp(s->format, "+s") == 0 || strcmp(s->format, "+m") == 0;
}

static bool is_nothing(const struct ArrowSchema *s) { return strcmp(s->format, "n") == 0; }

static bool fits(int column, const struct ArrowSchema *s) {
  if (s->dictionary) return false;
  switch (column) {
    case ID: return is_text(s) || is_integer(s);
    case VECTOR: return is_list_of_numbers(s);
    case DOCUMENT: return is_text(s) || is_nothing(s);
    default: return is_text(s) || is_structured(s) || is_nothing(s);
  }
}

static tenon_status refuse_type(int column, const struct ArrowSchema *s, tenon_error *err) {
  static const char *const wanted[COLUMNS] = {"text or an integer", "a list of numbers", "text",
                                              "text (a JSON object) or a struct"};
  tn_str type;
  tn_str_init(&type, 4096);
  tn_type_name(s, &type);
  tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "convert it before",
             "column %s has the type %.200s: it has to be %s", names[column], tn_str_text(&type),
             wanted[column]);
  tn_str_release(&type);
  return TENON_DATA;
}

static int column_of(const char *name) {
  for (int i = 0; i < COLUMNS; i++)
    if (name && strcmp(name, names[i]) == 0) return i;
  return -1;
}

static tenon_status take_column(vector_rows *r, int64_t i, tenon_error *err) {
  const struct ArrowSchema *s = r->in.schema.children[i];
  int column = column_of(s->name);
  if (column < 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE,
                      "rows have id, vector, document and metadata; put what else there is into "
                      "metadata",
                      "there is no place for column %.100s", s->name ? s->name : "");
  if (r->at[column] >= 0)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "leave one of them away",
                      "there are two columns %s", names[column]);
  if (!fits(column, s)) return refuse_type(column, s, err);
  r->at[column] = i;
  if (column == VECTOR)
    return is_decimal(s->children[0])
               ? tn_printer_new(s->children[0], &r->printers[VECTOR], err)
               : TENON_OK;
  if (is_text(s) || is_nothing(s)) return TENON_OK;
  tenon_status status = tn_printer_new(s, &r->printers[column], err);
  if (!status && column == METADATA) tn_printer_want_finite(r->printers[column]);
  return status;
}

static tenon_status take_columns(vector_rows *r, tenon_error *err) {
  for (int i = 0; i < COLUMNS; i++) r->at[i] = -1;
  for (int64_t i = 0; i < r->in.schema.n_children; i++) {
    tenon_status status = take_column(r, i, err);
    if (status) return status;
  }
  for (int i = ID; i <= VECTOR; i++)
    if (r->at[i] < 0)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "name the columns id and vector",
                        "the rows have no column %s", names[i]);
  return TENON_OK;
}

/* ---- Values ---- */

static tenon_status bad_row(const vector_rows *r, tenon_error *err, const char *remedy,
                            const char *what) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, remedy, "row %lld: %s",
                    (long long)r->row + 1, what);
}

typedef struct span {
  int64_t first, count;
} span;

/* Where the i-th list's numbers are among the child's, its offset counted. */
static span list_at(const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i) {
  int64_t at = a->offset + i, begin, end;
  if (s->format[1] == 'w') {
    int64_t width = 0;
    for (const char *c = s->format + 3; *c; c++) width = width * 10 + (*c - '0');
    return (span){at * width, width};
  }
  if (s->format[1] == 'l') {
    const int32_t *offsets = a->buffers[1];
    begin = offsets[at];
    end = offsets[at + 1];
  } else {
    const int64_t *offsets = a->buffers[1];
    begin = offsets[at];
    end = offsets[at + 1];
  }
  return (span){begin, end - begin};
}

/* Of ten bits of fraction and five of exponent, exactly. */
static double half_value(uint16_t bits) {
  int exponent = bits >> 10 & 31, fraction = bits & 1023;
  double v = exponent == 31 ? (fraction ? NAN : INFINITY)
             : exponent     ? ldexp(fraction + 1024, exponent - 25)
                            : ldexp(fraction, -24);
  return bits >> 15 ? -v : v;
}

static double number_at(char format, const void *data, int64_t i) {
  switch (format) {
    case 'c': return ((const int8_t *)data)[i];
    case 'C': return ((const uint8_t *)data)[i];
    case 's': return ((const int16_t *)data)[i];
    case 'S': return ((const uint16_t *)data)[i];
    case 'i': return ((const int32_t *)data)[i];
    case 'I': return ((const uint32_t *)data)[i];
    case 'l': return (double)((const int64_t *)data)[i];
    case 'L': return (double)((const uint64_t *)data)[i];
    case 'e': return half_value(((const uint16_t *)data)[i]);
    case 'f': return ((const float *)data)[i];
    default: return ((const double *)data)[i];
  }
}

static bool all_finite(const float *v, int64_t n) {
  bool finite = true;
  for (int64_t i = 0; i < n; i++) finite &= isfinite(v[i]) != 0;
  return finite;
}

static void convert_numbers(char format, const void *data, int64_t first, int32_t width,
                            float *to) {
  if (format == 'f') memcpy(to, (const float *)data + first, (size_t)width * sizeof *to);
  else
    for (int32_t k = 0; k < width; k++) to[k] = (float)number_at(format, data, first + k);
}

static tenon_status convert_texts(vector_rows *r, const struct ArrowArray *items, int64_t first,
                                  float *to, tenon_error *err) {
  for (int32_t k = 0; k < r->width; k++) {
    tn_str_clear(&r->text);
    tenon_status status = tn_print_text(r->printers[VECTOR], items, first + k, &r->text, err);
    if (status) return status;
    if (!tn_parse_f32(tn_str_text(&r->text), r->text.size, &to[k])) to[k] = NAN;
  }
  return TENON_OK;
}

static bool has_nulls(const struct ArrowArray *items, span s) {
  for (int64_t k = 0; items->null_count != 0 && k < s.count; k++)
    if (tn_is_null(items, s.first + k)) return true;
  return false;
}

static tenon_status append_vector(vector_rows *r, int64_t i, tenon_error *err) {
  const struct ArrowSchema *schema = r->in.schema.children[r->at[VECTOR]];
  const struct ArrowArray *a = r->batch.children[r->at[VECTOR]], *items = a->children[0];
  tn_column *to = tn_builder_column(r->out, VECTOR), *numbers = &to->children[0];
  if (tn_is_null(a, i)) return bad_row(r, err, "give every row a vector", "its vector is NULL");
  span s = list_at(schema, a, i);
  if (s.count != r->width)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "all vectors have to be of one length",
                      "row %lld: its vector has %lld numbers, the first one has %d",
                      (long long)r->row + 1, (long long)s.count, (int)r->width);
  if (has_nulls(items, s)) return bad_row(r, err, "give every number", "a number of its vector is NULL");
  if (!tn_reserve(numbers, r->width, 0)) return tn_append_failed(err);
  float *end = (float *)(void *)numbers->data.data + numbers->length;
  tenon_status status = TENON_OK;
  if (r->printers[VECTOR]) status = convert_texts(r, items, s.first, end, err);
  else
    convert_numbers(schema->children[0]->format[0], items->buffers[1], s.first + items->offset,
                    r->width, end);
  if (status) return status;
  if (!all_finite(end, r->width))
    return bad_row(r, err, "leave the row away, or mend it",
                   "a number of its vector is not finite as float32");
  numbers->length += r->width;
  return tn_append_list(to) ? TENON_OK : tn_append_failed(err);
}

typedef struct piece {
  const char *data;   /* NULL: the value is NULL */
  size_t size;
} piece;

/* Valid until the next one. */
static tenon_status text_at(vector_rows *r, int column, int64_t i, piece *ret, tenon_error *err) {
  *ret = (piece){NULL, 0};
  if (r->at[column] < 0) return TENON_OK;
  const struct ArrowSchema *s = r->in.schema.children[r->at[column]];
  const struct ArrowArray *a = r->batch.children[r->at[column]];
  int64_t at = a->offset + i;
  if (tn_is_null(a, i)) return TENON_OK;
  if (r->printers[column]) {
    tn_str_clear(&r->text);
    tenon_status status = column == METADATA
                              ? tn_print_json(r->printers[column], a, i, &r->text, err)
                              : tn_print_text(r->printers[column], a, i, &r->text, err);
    *ret = (piece){tn_str_text(&r->text), r->text.size};
    if (status) tn_error_prefix(err, "row %lld: its %s: ", (long long)r->row + 1, names[column]);
    return status;
  }
  const char *data = a->buffers[2];
  int64_t begin, end;
  if (s->format[0] == 'u') {
    begin = ((const int32_t *)a->buffers[1])[at];
    end = ((const int32_t *)a->buffers[1])[at + 1];
  } else {
    begin = ((const int64_t *)a->buffers[1])[at];
    end = ((const int64_t *)a->buffers[1])[at + 1];
  }
  *ret = (piece){data ? data + begin : "", (size_t)(end - begin)};
  if (!tn_utf8_valid(ret->data, ret->size, NULL))
    return bad_row(r, err, "convert it to UTF-8", "text that is not UTF-8");
  if (ret->size > MAX_TEXT) return bad_row(r, err, "split it", "a text of more than 16 MiB");
  return TENON_OK;
}

static tenon_status append_id(vector_rows *r, int64_t i, tenon_error *err) {
  piece id;
  tenon_status status = text_at(r, ID, i, &id, err);
  if (status) return status;
  if (!id.data || !id.size || id.size > TENON_MAX_ID || memchr(id.data, 0, id.size))
    return bad_row(r, err, "give every row an id of its own",
                   !id.data ? "its id is NULL" : "its id is not 1 to 1024 bytes without a NUL");
  return tn_append_bytes(tn_builder_column(r->out, ID), id.data, (int64_t)id.size)
             ? TENON_OK
             : tn_append_failed(err);
}

static tenon_status check_metadata(const vector_rows *r, piece text, tenon_error *err) {
  tn_json_type type;
  tenon_error why = TENON_ERROR_INIT;
  if (tn_json_check(text.data, text.size, &type, &why))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "metadata is a JSON object",
                      "row %lld: its metadata: %s", (long long)r->row + 1, why.message);
  if (type == TN_JSON_OBJECT) return TENON_OK;
  return bad_row(r, err, "metadata is a JSON object", "its metadata is no JSON object");
}

static tenon_status append_text(vector_rows *r, int column, int64_t i, tenon_error *err) {
  piece text;
  tenon_status status = text_at(r, column, i, &text, err);
  if (!status && text.data && column == METADATA) status = check_metadata(r, text, err);
  if (status) return status;
  tn_column *to = tn_builder_column(r->out, column);
  bool done = text.data ? tn_append_bytes(to, text.data, (int64_t)text.size) : tn_append_null(to);
  return done ? TENON_OK : tn_append_failed(err);
}

/* ---- The stream ---- */

static tenon_status append_row(vector_rows *r, int64_t i, tenon_error *err) {
  tenon_status status = append_id(r, i, err);
  if (!status) status = append_vector(r, i, err);
  if (!status) status = append_text(r, DOCUMENT, i, err);
  if (!status) status = append_text(r, METADATA, i, err);
  r->row++;
  return status;
}

/* A batch with rows left, or none (release NULL). */
static tenon_status need_batch(vector_rows *r, tenon_error *err) {
  while (!r->batch.release || r->next >= r->batch.length) {
    struct ArrowArray batch = {0};
    tn_array_release(&r->batch);
    r->batch = (struct ArrowArray){0};
    tenon_status status = r->in.next(r->in.self, &batch, err);
    if (status || !batch.release) return status;
    r->batch = batch;
    r->next = 0;
  }
  return TENON_OK;
}

static tenon_status next_rows(void *self, struct ArrowArray *ret, tenon_error *err) {
  vector_rows *r = self;
  int64_t rows = 0;
  tenon_status status = need_batch(r, err);
  if (status) return status;
  while (r->batch.release && r->next < r->batch.length &&
         tn_builder_bytes(r->out) < BATCH_BYTES) {
    status = append_row(r, r->batch.offset + r->next++, err);
    if (status) return status;
    rows++;
  }
  if (rows) return tn_builder_finish(r->out, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_rows(void *self) {
  vector_rows *r = self;
  tn_array_release(&r->batch);
  tn_stream_close(&r->in);
  for (int i = 0; i < COLUMNS; i++) tn_printer_free(r->printers[i]);
  tn_builder_free(r->out);
  tn_str_release(&r->text);
  tn_free(r);
}

static tenon_status make_schema(int32_t width, struct ArrowSchema *ret, tenon_error *err) {
  char list[24];
  snprintf(list, sizeof list, "+w:%d", (int)width);
  tenon_status status = tn_schema_struct(ret, COLUMNS, err);
  if (status) return status;
  for (int i = 0; i < COLUMNS && !status; i++)
    status = tn_schema_set(ret->children[i], names[i], i == VECTOR ? list : "u", i > VECTOR,
                           i == VECTOR, err);
  if (!status) status = tn_schema_set(ret->children[VECTOR]->children[0], "item", "f", false, 0, err);
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status find_width(vector_rows *r, tenon_error *err) {
  r->width = 1;
  tenon_status status = need_batch(r, err);
  if (status || !r->batch.release) return status;
  const struct ArrowArray *a = r->batch.children[r->at[VECTOR]];
  int64_t first = r->batch.offset;
  if (tn_is_null(a, first)) return bad_row(r, err, "give every row a vector", "its vector is NULL");
  int64_t width = list_at(r->in.schema.children[r->at[VECTOR]], a, first).count;
  if (width < 1 || width > TENON_MAX_DIMENSION)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_WRITE, "give vectors of 1 to 65536 numbers",
                      "row 1: its vector has %lld numbers", (long long)width);
  r->width = (int32_t)width;
  return TENON_OK;
}

static tenon_status prepare(vector_rows *r, struct ArrowSchema *ret_schema, tenon_error *err) {
  struct ArrowSchema schema;
  tenon_status status = take_columns(r, err);
  if (!status) status = find_width(r, err);
  if (!status) status = make_schema(r->width, &schema, err);
  if (status) return status;
  status = tn_builder_new(&schema, &r->out, err);
  if (status) tn_schema_release(&schema);
  else *ret_schema = schema;
  return status;
}

tenon_status tn_vector_rows_new(struct ArrowArrayStream *in, struct ArrowArrayStream *ret,
                                tenon_error *err) {
  vector_rows *r = tn_alloc(sizeof *r);
  tenon_stream out = {.struct_size = sizeof out, .next = next_rows, .close = close_rows};
  if (!r) {
    if (in->release) in->release(in);
    return tn_no_memory(err);
  }
  tn_str_init(&r->text, MAX_TEXT);
  tenon_status status = tn_stream_import(in, &r->in, err);
  if (!status) status = prepare(r, &out.schema, err);
  if (status) {
    close_rows(r);
    return status;
  }
  out.self = r;
  return tn_stream_export(NULL, &out, NULL, NULL, ret, err);
}
