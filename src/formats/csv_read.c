/* SPDX-License-Identifier: Apache-2.0 */
/*
 * CSV and TSV as a stream of batches. A window of the input (64 KiB, more for long records) is
 * indexed, then its records go into the batch, column by column, while both are in the cache.
 *
 * All records are checked, whole: number of fields, quotes, UTF-8. Only the columns that are wanted
 * are converted. The first record that is wrong, by its place in the file, is the error.
 */
#include <stdio.h>
#include <string.h>

#include "arrow/names.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "base/str.h"
#include "formats/csv.h"

enum {
  WINDOW = 64 << 10,
  LARGEST_WINDOW = 1 << 20,
  FEW_RECORDS = 128,             /* a window that has fewer grows */
  BATCH_BYTES = 2 << 20          /* small enough to stay in a cache until its consumer has it */
};

typedef struct csv_reader {
  tenon_ctx *ctx;
  char *name;
  tn_csv_input in;
  tn_csv_layout layout;
  tn_csv_index index;
  tn_csv_index_fn find;
  uint32_t window, row;          /* row: the first of the index that is not in a batch yet */
  tn_csv_column *columns;        /* of the batches, in their order */
  uint32_t column_count;
  int64_t left;                  /* rows until the limit */
  int64_t max_bytes, max_rows;   /* of a batch */
  int64_t row_bytes;             /* what a row takes in a batch, without its text */
  tn_builder *builder;
  int64_t rows;                  /* in the builder */
} csv_reader;

static void reader_free(void *self) {
  csv_reader *r = self;
  if (!r) return;
  tn_builder_free(r->builder);
  tn_csv_index_release(&r->index);
  tn_csv_layout_release(&r->layout);
  tn_csv_input_release(&r->in);
  tn_free(r->columns);
  tn_free(r->name);
  tn_free(r);
}

/* ---- Errors ---- */

static void misfit_remedy(const csv_reader *r, const tn_csv_column *c, char *ret, size_t room) {
  const char *name = r->layout.schema.children[c->position]->name;
  if (c->strict)
    snprintf(ret, room,
             "the type was found by the first rows; types=%.80s=text reads the column as text, "
             "all_text=true every column, "
             "a greater sample_rows looks at more rows",
             name);
  else
    snprintf(ret, room, "mend the value, or read the column as text: types=%.80s=text", name);
}

/* Row `row` of the index has no value of this column's type. */
static tenon_status fail_misfit(const csv_reader *r, const tn_csv_column *c, uint32_t row,
                                tenon_error *err) {
  const tn_csv_index *ix = &r->index;
  const uint32_t *end = ix->ends + (size_t)row * ix->columns + c->position;
  uint32_t begin = c->position ? end[-1] + 1 : ix->starts[row], size = *end - begin;
  uint64_t room[4];
  char remedy[320];
  tn_str type;
  if (tn_csv_read_cell(c, &ix->dialect, r->in.data + begin, size, room) != TN_CSV_MISFIT)
    return tn_no_memory(err);
  tn_str_init(&type, 256);
  tn_type_name(r->layout.schema.children[c->position], &type);
  misfit_remedy(r, c, remedy, sizeof remedy);
  tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy,
             "%s: line %lld (byte %lld), column %.100s: %.*s%s is not a value of type %s", r->name,
             (long long)tn_csv_line_of(&r->in, ix->starts[row]),
             (long long)tn_csv_offset_of(&r->in, begin),
             r->layout.schema.children[c->position]->name, size < 60 ? (int)size : 60,
             (const char *)r->in.data + begin, size < 60 ? "" : "…", tn_str_text(&type));
  tn_str_release(&type);
  return TENON_DATA;
}

/* ---- Records ---- */

static tenon_status index_window(csv_reader *r, tenon_error *err) {
  uint32_t size = r->in.end - r->in.begin;
  if (size > r->window) size = r->window;
  tenon_status status = tn_csv_index_reserve(&r->index, size, err);
  if (status) return status;
  r->find(&r->index, r->in.data, r->in.begin, r->in.begin + size);
  tn_csv_check_utf8(&r->index, &r->in);
  return r->index.problem && r->index.rows == 0
             ? tn_csv_fail_problem(&r->in, &r->index, &r->layout.schema, err)
             : TENON_OK;
}

/* The next records into the index; none: the file has ended. */
static tenon_status next_records(csv_reader *r, tenon_error *err) {
  tn_csv_index *ix = &r->index;
  if (ix->rows > 0) {
    if (ix->problem) return tn_csv_fail_problem(&r->in, &r->index, &r->layout.schema, err);
    if (ix->rows < FEW_RECORDS && r->window < LARGEST_WINDOW) r->window *= 2;
    tn_csv_input_consume(&r->in, ix->starts[ix->rows],
                         (int64_t)ix->rows + ix->left_out + ix->inner_lines);
  }
  ix->rows = r->row = 0;
  for (bool more = true;;) {
    uint32_t size = r->in.end - r->in.begin;
    tenon_status status = size > 0 ? index_window(r, err) : TENON_OK;
    if (status || ix->rows > 0) return status;
    if (size > r->window) {
      r->window *= 2;
      continue;
    }
    if ((status = tn_csv_read_more(&r->in, &more, err))) return status;
    if (!more) break;
  }
  return r->in.end > r->in.begin ? tn_csv_fail_unclosed(&r->in, r->in.begin, err) : TENON_OK;
}

/* ---- Batches ---- */

/* How many of the index's rows the batch has room for. */
static uint32_t rows_that_fit(const csv_reader *r) {
  const uint32_t *starts = r->index.starts + r->row;
  int64_t room = r->max_bytes - tn_builder_bytes(r->builder);
  uint32_t most = r->index.rows - r->row, least = 0;
  if (most > r->left) most = (uint32_t)r->left;
  if (most > r->max_rows - r->rows) most = (uint32_t)(r->max_rows - r->rows);
  if (most * r->row_bytes + (starts[most] - starts[0]) <= room) return most;
  while (most - least > 1) {
    uint32_t middle = least + (most - least) / 2;
    if (middle * r->row_bytes + (starts[middle] - starts[0]) <= room) least = middle;
    else most = middle;
  }
  return least == 0 && r->rows == 0 ? 1 : least;
}

static tenon_status convert_rows(csv_reader *r, uint32_t count, tenon_error *err) {
  tn_csv_slice slice = {.data = r->in.data, .index = &r->index, .first = r->row, .rows = count};
  uint32_t text = r->index.starts[r->row + count] - r->index.starts[r->row];
  const tn_csv_column *misfit = NULL;
  for (uint32_t i = 0; i < r->column_count; i++) {
    tn_column *out = tn_builder_column(r->builder, i);
    if (!tn_reserve(out, slice.rows, text)) return tn_append_failed(err);
    uint32_t done = r->columns[i].convert(&r->columns[i], &slice, out);
    if (done < slice.rows) misfit = &r->columns[i];
    slice.rows = done;
  }
  if (misfit) return fail_misfit(r, misfit, r->row + slice.rows, err);
  for (uint32_t i = 0; i < r->column_count; i++) tn_builder_column(r->builder, i)->length += count;
  r->row += count;
  r->rows += count;
  r->left -= count;
  return TENON_OK;
}

static tenon_status reader_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  csv_reader *r = self;
  tenon_status status = tn_ctx_check(r->ctx, err);
  while (!status && r->left > 0 && r->rows < r->max_rows) {
    if (r->row == r->index.rows && (status = next_records(r, err))) break;
    if (r->index.rows == 0) break;
    uint32_t count = rows_that_fit(r);
    if (count == 0) break;
    status = convert_rows(r, count, err);
  }
  if (status) return status;
  if (r->rows == 0) {
    ret->release = NULL;
    return TENON_OK;
  }
  status = tn_builder_finish(r->builder, r->rows, ret, err);
  if (!status) r->rows = 0;
  return status;
}

/* ---- Which columns ---- */

typedef struct csv_choice {
  uint32_t *positions, count;
  bool exact;   /* no more than was asked for */
} csv_choice;

static tenon_status fail_column(const csv_reader *r, const char *name, tenon_error *err) {
  const char **names = tn_alloc_array(r->layout.columns, sizeof *names);
  char remedy[256] = "tenon describe lists the columns";
  for (uint32_t i = 0; names && i < r->layout.columns; i++)
    names[i] = r->layout.schema.children[i]->name;
  const char *near = names ? tn_nearest(name, names, r->layout.columns) : NULL;
  if (near) snprintf(remedy, sizeof remedy, "did you mean %.200s?", near);
  tn_free(names);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, remedy,
                    "%s: there is no column %.200s", r->name, name);
}

static tenon_status choose(const csv_reader *r, csv_choice *choice, const char *name, bool asked,
                           tenon_error *err) {
  uint32_t at = 0;
  while (at < r->layout.columns && strcmp(r->layout.schema.children[at]->name, name) != 0) at++;
  if (at == r->layout.columns) return fail_column(r, name, err);
  for (uint32_t i = 0; !asked && i < choice->count; i++)
    if (choice->positions[i] == at) return TENON_OK;
  choice->positions[choice->count++] = at;
  choice->exact = choice->exact && asked;
  return TENON_OK;
}

/* The columns that are asked for, and behind them those that the core filters and orders by. */
static tenon_status choose_columns(const csv_reader *r, const tenon_read *read, csv_choice *choice,
                                   tenon_error *err) {
  size_t most = read->columns ? read->column_count + read->filter_count + read->order_count
                              : r->layout.columns;
  tenon_status status = TENON_OK;
  choice->exact = true;
  choice->positions = tn_alloc_array(most, sizeof *choice->positions);
  if (!choice->positions) return tn_no_memory(err);
  for (uint32_t i = 0; !read->columns && i < r->layout.columns; i++)
    choice->positions[choice->count++] = i;
  if (!read->columns) return TENON_OK;
  for (size_t i = 0; !status && i < read->column_count; i++)
    status = choose(r, choice, read->columns[i], true, err);
  for (size_t i = 0; !status && i < read->filter_count; i++)
    status = choose(r, choice, read->filters[i].column, false, err);
  for (size_t i = 0; !status && i < read->order_count; i++)
    status = choose(r, choice, read->order[i].column, false, err);
  return status;
}

static tenon_status chosen_schema(const csv_reader *r, const csv_choice *choice,
                                  struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = tn_schema_struct(ret, choice->count, err);
  for (uint32_t i = 0; !status && i < choice->count; i++) {
    const struct ArrowSchema *from = r->layout.schema.children[choice->positions[i]];
    status = tn_schema_set(ret->children[i], from->name, from->format, true, 0, err);
  }
  return status;
}

/* The fast ways look for a value first. */
static void mind_nulls(tn_csv_column *c, const tn_csv_dialect *d) {
  uint64_t room[4];
  bool is_value = d->null_size > 0 && c->type->parse(c, d->null_text, d->null_size, room);
  if (is_value && c->type->width > 0 && c->convert != tn_csv_convert_bool)
    c->convert = tn_csv_convert_fixed;
}

static tenon_status make_columns(csv_reader *r, const csv_choice *choice, tenon_error *err) {
  r->columns = tn_alloc_array(choice->count, sizeof *r->columns);
  if (!r->columns) return tn_no_memory(err);
  r->column_count = choice->count;
  r->row_bytes = choice->count / 8 + 1;
  for (uint32_t i = 0; i < choice->count; i++) {
    uint32_t position = choice->positions[i];
    const struct ArrowSchema *s = r->layout.schema.children[position];
    if (!tn_csv_column_init(&r->columns[i], s->format, position, r->layout.strict[position]))
      return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, NULL,
                        "%s: column %.100s: CSV cannot be read as Arrow type %.40s", r->name,
                        s->name, s->format);
    mind_nulls(&r->columns[i], &r->layout.dialect);
    r->row_bytes += r->columns[i].type->width ? r->columns[i].type->width : 4;
  }
  return TENON_OK;
}

/* ---- Opening ---- */

static tenon_status take_encoding(const tn_format_options *options, bool *ret_latin1,
                                  tenon_error *err) {
  static const char *const utf8[] = {"utf-8", "utf8"}, *const latin1[] = {"latin-1", "latin1",
                                                                          "iso-8859-1"};
  const char *name = options->encoding ? options->encoding : "utf-8";
  for (size_t i = 0; i < sizeof utf8 / sizeof utf8[0]; i++)
    if (strcasecmp(name, utf8[i]) == 0) {
      *ret_latin1 = false;
      return TENON_OK;
    }
  for (size_t i = 0; i < sizeof latin1 / sizeof latin1[0]; i++)
    if (strcasecmp(name, latin1[i]) == 0) {
      *ret_latin1 = true;
      return TENON_OK;
    }
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "utf-8 or latin-1; convert other files first (iconv)",
                    "there is no encoding %.50s", name);
}

static tenon_status reader_new(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                               char delimiter, const struct ArrowSchema *expected, csv_reader **ret,
                               tenon_error *err) {
  bool latin1 = false;
  tenon_status status = take_encoding(options, &latin1, err);
  if (status) return status;
  csv_reader *r = tn_alloc(sizeof *r);
  if (!r || !(r->name = tn_strdup(in->name))) {
    tn_free(r);
    return tn_no_memory(err);
  }
  r->ctx = ctx;
  status = tn_csv_input_init(&r->in, in, latin1, err);
  r->in.name = r->name;
  if (!status) status = tn_csv_layout_init(&r->layout, &r->in, options, delimiter, expected, err);
  if (status) {
    reader_free(r);
    return status;
  }
  *ret = r;
  return TENON_OK;
}

static tenon_status reader_start(csv_reader *r, const tenon_read *read, tenon_rows *ret,
                                 tenon_error *err) {
  csv_choice choice = {0};
  struct ArrowSchema schema = {0};
  bool narrowed = read->filter_count || read->order_count || read->after;
  r->window = WINDOW;
  r->find = tn_csv_best_indexer();
  r->index.dialect = r->layout.dialect;
  r->index.columns = r->layout.columns;
  r->left = read->limit >= 0 && !narrowed ? read->limit : INT64_MAX;
  r->max_bytes = read->batch_bytes > 0 ? read->batch_bytes : BATCH_BYTES;
  r->max_rows = read->batch_rows > 0 ? read->batch_rows : INT32_MAX;
  tenon_status status = choose_columns(r, read, &choice, err);
  if (!status) status = make_columns(r, &choice, err);
  if (!status) status = chosen_schema(r, &choice, &schema, err);
  if (!status) status = tn_builder_new(&schema, &r->builder, err);
  tn_free(choice.positions);
  if (status) {
    tn_schema_release(&schema);
    return status;
  }
  *ret = (tenon_rows){
      .struct_size = sizeof *ret,
      .stream = {.struct_size = sizeof ret->stream,
                 .self = r,
                 .schema = schema,
                 .next = reader_next,
                 .close = reader_free},
      .applied =
          (choice.exact ? TENON_APPLIED_COLUMNS : 0u) | (narrowed ? 0u : TENON_APPLIED_LIMIT),
  };
  return TENON_OK;
}

static tenon_status open_rows(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                              char delimiter, const struct ArrowSchema *expected,
                              const tenon_read *read, tenon_rows *ret, tenon_error *err) {
  csv_reader *r = NULL;
  if (read->partition)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, NULL, "%s: CSV has no partitions",
                      in->name);
  tenon_status status = reader_new(ctx, in, options, delimiter, expected, &r, err);
  if (status) return status;
  status = reader_start(r, read, ret, err);
  if (status) reader_free(r);
  return status;
}

static tenon_status find_schema(tenon_ctx *ctx, const tn_input *in,
                                const tn_format_options *options, char delimiter,
                                struct ArrowSchema *ret, int64_t *ret_rows, tenon_error *err) {
  csv_reader *r = NULL;
  tenon_status status = reader_new(ctx, in, options, delimiter, NULL, &r, err);
  if (status) return status;
  *ret = r->layout.schema;
  *ret_rows = -1;
  r->layout.schema = (struct ArrowSchema){0};
  reader_free(r);
  return TENON_OK;
}

/* ---- The formats ---- */

static tenon_status csv_schema(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                               struct ArrowSchema *ret, int64_t *ret_rows, tenon_error *err) {
  return find_schema(ctx, in, options, 0, ret, ret_rows, err);
}

static tenon_status csv_read(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                             const struct ArrowSchema *expected, const tenon_read *read,
                             tenon_rows *ret, tenon_error *err) {
  return open_rows(ctx, in, options, 0, expected, read, ret, err);
}

static tenon_status tsv_schema(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                               struct ArrowSchema *ret, int64_t *ret_rows, tenon_error *err) {
  return find_schema(ctx, in, options, '\t', ret, ret_rows, err);
}

static tenon_status tsv_read(tenon_ctx *ctx, const tn_input *in, const tn_format_options *options,
                             const struct ArrowSchema *expected, const tenon_read *read,
                             tenon_rows *ret, tenon_error *err) {
  return open_rows(ctx, in, options, '\t', expected, read, ret, err);
}

static const char *const csv_extensions[] = {".csv", NULL}, *const tsv_extensions[] = {".tsv",
                                                                                       ".tab",
                                                                                       NULL};

const tn_format tn_format_csv = {.name = "csv",
                                 .extensions = csv_extensions,
                                 .schema = csv_schema,
                                 .read = csv_read,
                                 .writer = tn_csv_writer};
const tn_format tn_format_tsv = {.name = "tsv",
                                 .extensions = tsv_extensions,
                                 .schema = tsv_schema,
                                 .read = tsv_read,
                                 .writer = tn_tsv_writer};
