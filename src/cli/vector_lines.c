/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vector_lines.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/float.h"
#include "base/json_text.h"
#include "cli/input.h"
#include "core/stream.h"

enum { ID, VECTOR, DOCUMENT, METADATA, COLUMNS };
/* A line has an id, a vector of any dimension, metadata of MAX_TEXT bytes and a document of as many, of
 * which each may be six as an escape. */
enum { BATCH_BYTES = 8 << 20, MAX_TEXT = TN_JSON_MAX_SIZE, MAX_LINE = 8 * MAX_TEXT };

static const char *const names[COLUMNS] = {"id", "vector", "document", "metadata"};

typedef struct lines {
  tn_cli_input in;
  int64_t number;
  bool with_vectors;
  tn_str line, text;
  tn_builder *out;
} lines;

/* Pipes of any name, too: a shell's <(…) is one. */
bool tn_cli_is_lines(const char *path) {
  static const char *const extensions[] = {".jsonl", ".ndjson"};
  struct stat st;
  size_t size = strlen(path);
  if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdin") == 0) return true;
  if (strncmp(path, "/dev/fd/", 8) == 0) return true;
  for (int i = 0; i < 2; i++) {
    size_t n = strlen(extensions[i]);
    if (size > n && strcasecmp(path + size - n, extensions[i]) == 0) return true;
  }
  return stat(path, &st) == 0 && (S_ISFIFO(st.st_mode) || S_ISCHR(st.st_mode));
}

static tenon_status bad_line(const lines *l, tenon_error *err, const char *what) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    l->with_vectors ? "write each row as {\"id\": \"a\", \"vector\": [0.1, 0.2], "
                                      "\"document\": \"…\", \"metadata\": {}}"
                                    : "write each row as {\"id\": \"a\", \"document\": \"…\", \"metadata\": {}}",
                    "%s: line %lld: %s", l->in.name, (long long)l->number, what);
}

/* ---- Lines ---- */

static tenon_status next_line(lines *l, bool *ret_there, tenon_error *err) {
  static const char mark[] = "\xEF\xBB\xBF";
  l->number++;
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_cli_input_line(&l->in, &l->line, ret_there, &why);
  if (status == TENON_LIMITED) return bad_line(l, err, "it is longer than 128 MiB");
  if (status) return tn_pass_error(&why, err);
  if (l->number == 1 && l->line.size >= 3 && memcmp(l->line.data, mark, 3) == 0)
    memset(l->line.data, ' ', 3);
  return TENON_OK;
}

static bool is_blank(const tn_str *line) {
  return strspn(tn_str_text(line), " \t\r\n") == line->size;
}

/* ---- Values ---- */

static bool is_null(tn_json_text v) { return tn_json_text_type(v) == TN_JSON_NULL; }

/* Without vectors the columns behind them move up. */
static tn_column *column_at(const lines *l, int column) {
  return tn_builder_column(l->out, column - (column > VECTOR && !l->with_vectors));
}

/* What a string says, NUL characters among it. */
static tenon_status append_string(lines *l, int column, tn_json_text v, tenon_error *err) {
  tn_str_clear(&l->text);
  if (!tn_json_text_unquote(v, &l->text)) return bad_line(l, err, "a text in it has more than 16 MiB");
  return tn_append_bytes(column_at(l, column), tn_str_text(&l->text),
                         (int64_t)l->text.size)
             ? TENON_OK
             : tn_append_failed(err);
}

/* As it is written. */
static tenon_status append_plain(lines *l, int column, tn_json_text v, tenon_error *err) {
  return tn_append_bytes(column_at(l, column), v.data, (int64_t)v.size)
             ? TENON_OK
             : tn_append_failed(err);
}

static tenon_status append_value(lines *l, int column, tn_json_text v, tenon_error *err) {
  static const char *const wrong[COLUMNS] = {[ID] = "its id is neither text nor an integer",
                                             [DOCUMENT] = "its document is not text",
                                             [METADATA] = "its metadata is no object"};
  static const tn_json_type also[COLUMNS] = {[ID] = TN_JSON_INTEGER, [DOCUMENT] = TN_JSON_STRING,
                                             [METADATA] = TN_JSON_OBJECT};
  if (is_null(v))
    return tn_append_null(column_at(l, column)) ? TENON_OK : tn_append_failed(err);
  tn_json_type type = tn_json_text_type(v);
  if (type == TN_JSON_STRING) return append_string(l, column, v, err);
  return type == also[column] ? append_plain(l, column, v, err) : bad_line(l, err, wrong[column]);
}

static tenon_status append_vector(lines *l, tn_json_text v, tenon_error *err) {
  tn_column *to = column_at(l, VECTOR);
  tn_json_text item;
  if (tn_json_text_type(v) != TN_JSON_ARRAY) return bad_line(l, err, "its vector is no array");
  for (const char *cursor = NULL; tn_json_text_next(v, &cursor, NULL, &item);) {
    float n;
    tn_json_type type = tn_json_text_type(item);
    if (type != TN_JSON_INTEGER && type != TN_JSON_NUMBER)
      return bad_line(l, err, "its vector has something that is no number");
    /* straight to float32: by way of a double it would be rounded twice */
    if (!tn_parse_f32(item.data, item.size, &n))
      return bad_line(l, err, "a number of its vector is not finite as float32");
    if (!tn_append_fixed(&to->children[0], &n)) return tn_append_failed(err);
  }
  return tn_append_list(to) ? TENON_OK : tn_append_failed(err);
}

/* -1: there is no place for it. */
static int column_of(const lines *l, tn_json_text key) {
  for (int i = 0; i < COLUMNS; i++)
    if ((i != VECTOR || l->with_vectors) && tn_json_text_is(key, names[i], strlen(names[i])))
      return i;
  return -1;
}

static tenon_status take_members(const lines *l, tn_json_text row, tn_json_text ret[COLUMNS],
                                 tenon_error *err) {
  tn_json_text key, value;
  char what[160];
  if (tn_json_text_type(row) != TN_JSON_OBJECT) return bad_line(l, err, "it is no JSON object");
  for (const char *cursor = NULL; tn_json_text_next(row, &cursor, &key, &value);) {
    int i = column_of(l, key);
    if (i >= 0 && !ret[i].data) {
      ret[i] = value;
      continue;
    }
    int shown = key.size > 80 ? 80 : (int)key.size;
    snprintf(what, sizeof what, i < 0 ? "there is no place for its member %.*s"
                                      : "its member %.*s is there twice", shown, key.data);
    return bad_line(l, err, what);
  }
  return TENON_OK;
}

static tenon_status append_line(lines *l, tenon_error *err) {
  tn_json_text row, values[COLUMNS] = {{NULL, 0}};
  tenon_error why = TENON_ERROR_INIT;
  if (tn_json_text_check_row(tn_str_text(&l->line), l->line.size, &row, &why))
    return bad_line(l, err, why.message);
  tenon_status status = take_members(l, row, values, err);
  if (!status) status = append_value(l, ID, values[ID], err);
  if (!status && l->with_vectors) status = append_vector(l, values[VECTOR], err);
  if (!status) status = append_value(l, DOCUMENT, values[DOCUMENT], err);
  return status ? status : append_value(l, METADATA, values[METADATA], err);
}

/* ---- The stream ---- */

static tenon_status next_rows(void *self, struct ArrowArray *ret, tenon_error *err) {
  lines *l = self;
  int64_t rows = 0;
  while (tn_builder_bytes(l->out) < BATCH_BYTES) {
    bool there;
    tenon_status status = next_line(l, &there, err);
    if (!status && there && !is_blank(&l->line)) {
      status = append_line(l, err);
      rows++;
    }
    if (status) return status;
    if (!there) break;
  }
  if (rows) return tn_builder_finish(l->out, rows, ret, err);
  *ret = (struct ArrowArray){0};
  return TENON_OK;
}

static void close_lines(void *self) {
  lines *l = self;
  tn_cli_input_close(&l->in);
  tn_builder_free(l->out);
  tn_str_release(&l->line);
  tn_str_release(&l->text);
  tn_free(l);
}

static tenon_status make_schema(const lines *l, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = tn_schema_struct(ret, COLUMNS - !l->with_vectors, err);
  if (status) return status;
  for (int i = 0, to = 0; i < COLUMNS && !status; i++) {
    if (i == VECTOR && !l->with_vectors) continue;
    struct ArrowSchema *column = ret->children[to++];
    status = tn_schema_set(column, names[i], i == VECTOR ? "+l" : "u", true, i == VECTOR, err);
    if (!status && i == VECTOR) status = tn_schema_set(column->children[0], "item", "f", false, 0, err);
  }
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status prepare(lines *l, struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = make_schema(l, ret, err);
  if (status) return status;
  status = tn_builder_new(ret, &l->out, err);
  if (status) tn_schema_release(ret);
  return status;
}

tenon_status tn_cli_vector_lines(const tn_cli *cli, const char *path, bool with_vectors,
                                 struct ArrowArrayStream *ret, tenon_error *err) {
  lines *l = tn_alloc(sizeof *l);
  tenon_stream out = {.struct_size = sizeof out, .next = next_rows, .close = close_lines};
  if (!l) return tn_no_memory(err);
  l->in.fd = -1;
  l->with_vectors = with_vectors;
  tn_str_init(&l->line, MAX_LINE);
  tn_str_init(&l->text, MAX_TEXT);
  tenon_status status = tn_cli_input_open(cli, path, &l->in, err);
  if (!status) status = prepare(l, &out.schema, err);
  if (status) {
    close_lines(l);
    return status;
  }
  out.self = l;
  return tn_stream_export(NULL, &out, NULL, NULL, ret, err);
}
