/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/vector_lines.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/stream.h"

enum { ID, VECTOR, DOCUMENT, METADATA, COLUMNS };
enum { BATCH_BYTES = 8 << 20, READ_SIZE = 1 << 16 };

static const char *const names[COLUMNS] = {"id", "vector", "document", "metadata"};

typedef struct lines {
  FILE *in;              /* stdin is not ours to close */
  const char *name;
  int64_t number;
  bool with_vectors;
  tn_str line, text;
  tn_builder *out;
} lines;

bool tn_cli_is_lines(const char *path) {
  static const char *const extensions[] = {".jsonl", ".ndjson"};
  size_t size = strlen(path);
  if (strcmp(path, "-") == 0) return true;
  for (int i = 0; i < 2; i++) {
    size_t n = strlen(extensions[i]);
    if (size > n && strcmp(path + size - n, extensions[i]) == 0) return true;
  }
  return false;
}

static tenon_status bad_line(const lines *l, tenon_error *err, const char *what) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    l->with_vectors ? "write each row as {\"id\": \"a\", \"vector\": [0.1, 0.2], "
                                      "\"document\": \"…\", \"metadata\": {}}"
                                    : "write each row as {\"id\": \"a\", \"document\": \"…\", \"metadata\": {}}",
                    "%s: line %lld: %s", l->name, (long long)l->number, what);
}

/* ---- Lines ---- */

/* *ret_there is false at the end. */
static tenon_status next_line(lines *l, bool *ret_there, tenon_error *err) {
  char piece[READ_SIZE];
  tn_str_clear(&l->line);
  *ret_there = false;
  l->number++;
  while (fgets(piece, sizeof piece, l->in)) {
    *ret_there = true;
    size_t size = strlen(piece);
    if (!tn_str_add(&l->line, piece, size)) return bad_line(l, err, "it is longer than 16 MiB");
    if (size && piece[size - 1] == '\n') return TENON_OK;
  }
  if (!ferror(l->in)) return TENON_OK;
  return tn_fail_errno(err, errno, TENON_STAGE_DATA, NULL, "%s", l->name);
}

static bool is_blank(const tn_str *line) {
  return strspn(tn_str_text(line), " \t\r\n") == line->size;
}

/* ---- Values ---- */

static void write_value(tn_json_writer *w, const tn_json *v) {
  void *cursor = NULL;
  const char *key;
  const tn_json *member;
  switch (tn_json_type_of(v)) {
    case TN_JSON_NULL: tn_json_put_null(w); break;
    case TN_JSON_BOOL: tn_json_put_bool(w, tn_json_bool(v)); break;
    case TN_JSON_INTEGER: tn_json_put_integer(w, tn_json_integer(v)); break;
    case TN_JSON_NUMBER: tn_json_put_number(w, tn_json_number(v)); break;
    case TN_JSON_STRING: tn_json_put_string(w, tn_json_string(v)); break;
    case TN_JSON_ARRAY:
      tn_json_open(w, '[');
      for (size_t i = 0; i < tn_json_count(v); i++) write_value(w, tn_json_at(v, i));
      tn_json_close(w);
      break;
    case TN_JSON_OBJECT:
      tn_json_open(w, '{');
      while (tn_json_next(v, &cursor, &key, &member)) {
        tn_json_key(w, key);
        write_value(w, member);
      }
      tn_json_close(w);
      break;
  }
}

/* Without vectors the columns behind them move up. */
static tn_column *column_of(const lines *l, int column) {
  return tn_builder_column(l->out, column - (column > VECTOR && !l->with_vectors));
}

static bool is_null(const tn_json *v) { return !v || tn_json_type_of(v) == TN_JSON_NULL; }

static tenon_status append_text(lines *l, int column, const tn_json *v, tenon_error *err) {
  tn_column *to = column_of(l, column);
  if (!is_null(v) && !tn_json_string(v))
    return bad_line(l, err, column == ID ? "its id is not text" : "its document is not text");
  return tn_append_text(to, is_null(v) ? NULL : tn_json_string(v)) ? TENON_OK
                                                                   : tn_append_failed(err);
}

static tenon_status append_metadata(lines *l, const tn_json *v, tenon_error *err) {
  tn_column *to = column_of(l, METADATA);
  tn_json_writer w;
  if (is_null(v)) return tn_append_null(to) ? TENON_OK : tn_append_failed(err);
  if (tn_json_type_of(v) != TN_JSON_OBJECT) return bad_line(l, err, "its metadata is no object");
  tn_str_clear(&l->text);
  tn_json_writer_init(&w, &l->text);
  write_value(&w, v);
  if (l->text.failed) return bad_line(l, err, "its metadata is too large");
  return tn_append_bytes(to, tn_str_text(&l->text), (int64_t)l->text.size) ? TENON_OK
                                                                           : tn_append_failed(err);
}

static tenon_status append_vector(lines *l, const tn_json *v, tenon_error *err) {
  tn_column *to = column_of(l, VECTOR);
  if (is_null(v) || tn_json_type_of(v) != TN_JSON_ARRAY)
    return bad_line(l, err, "its vector is no array");
  for (size_t i = 0; i < tn_json_count(v); i++) {
    const tn_json *n = tn_json_at(v, i);
    tn_json_type type = tn_json_type_of(n);
    if (type != TN_JSON_INTEGER && type != TN_JSON_NUMBER)
      return bad_line(l, err, "its vector has something that is no number");
    if (!tn_append_f64(&to->children[0], tn_json_number(n))) return tn_append_failed(err);
  }
  return tn_append_list(to) ? TENON_OK : tn_append_failed(err);
}

static tenon_status check_members(const lines *l, const tn_json *row, tenon_error *err) {
  void *cursor = NULL;
  const char *key;
  const tn_json *member;
  char what[160];
  if (tn_json_type_of(row) != TN_JSON_OBJECT) return bad_line(l, err, "it is no JSON object");
  while (tn_json_next(row, &cursor, &key, &member)) {
    int i = 0;
    while (i < COLUMNS && strcmp(key, names[i]) != 0) i++;
    if (i < COLUMNS && (i != VECTOR || l->with_vectors)) continue;
    snprintf(what, sizeof what, "there is no place for its member %.80s", key);
    return bad_line(l, err, what);
  }
  return TENON_OK;
}

static tenon_status append_line(lines *l, tenon_error *err) {
  tn_json *row;
  tenon_error why = TENON_ERROR_INIT;
  if (tn_json_parse(tn_str_text(&l->line), l->line.size, &row, &why))
    return bad_line(l, err, why.message);
  tenon_status status = check_members(l, row, err);
  if (!status) status = append_text(l, ID, tn_json_get(row, names[ID]), err);
  if (!status && l->with_vectors) status = append_vector(l, tn_json_get(row, names[VECTOR]), err);
  if (!status) status = append_text(l, DOCUMENT, tn_json_get(row, names[DOCUMENT]), err);
  if (!status) status = append_metadata(l, tn_json_get(row, names[METADATA]), err);
  tn_json_free(row);
  return status;
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
  if (l->in && l->in != stdin) fclose(l->in);
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
    if (!status && i == VECTOR) status = tn_schema_set(column->children[0], "item", "g", false, 0, err);
  }
  if (status) tn_schema_release(ret);
  return status;
}

static tenon_status prepare(lines *l, const char *path, struct ArrowSchema *ret,
                            tenon_error *err) {
  bool is_stdin = strcmp(path, "-") == 0;
  l->in = is_stdin ? stdin : fopen(path, "re");
  if (!l->in) return tn_fail_errno(err, errno, TENON_STAGE_CONFIG, "check the path", "%s", path);
  tenon_status status = make_schema(l, ret, err);
  if (status) return status;
  status = tn_builder_new(ret, &l->out, err);
  if (status) tn_schema_release(ret);
  return status;
}

tenon_status tn_cli_vector_lines(const char *path, bool with_vectors, struct ArrowArrayStream *ret,
                                 tenon_error *err) {
  lines *l = tn_alloc(sizeof *l);
  tenon_stream out = {.struct_size = sizeof out, .next = next_rows, .close = close_lines};
  if (!l) return tn_no_memory(err);
  l->name = path;
  l->with_vectors = with_vectors;
  tn_str_init(&l->line, TN_JSON_MAX_SIZE);
  tn_str_init(&l->text, TN_JSON_MAX_SIZE);
  tenon_status status = prepare(l, path, &out.schema, err);
  if (status) {
    close_lines(l);
    return status;
  }
  out.self = l;
  return tn_stream_export(NULL, &out, NULL, NULL, ret, err);
}
