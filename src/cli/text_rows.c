/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/text_rows.h"

#include <string.h>
#include <unistd.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"
#include "cli/input.h"
#include "core/stream.h"

enum { AT_ONCE = 1024, MAX_LINE = 4 << 20, READ_SIZE = 64 << 10 };

typedef struct text_rows {
  tenon_ctx *ctx;
  tn_builder *out;
  const char *first;               /* NULL: given already, or none */
  const tn_cli_again *more;
  size_t next;
  bool reads_stdin, ended;
  tn_str pending;                  /* of stdin, from the last line's end on */
  size_t from;
  int64_t line;
} text_rows;

/* ---- Lines of stdin ---- */

static tenon_status read_more(text_rows *t, tenon_error *err) {
  tn_cli_input in = {.ctx = t->ctx, .name = "stdin", .fd = STDIN_FILENO};
  char part[READ_SIZE];
  size_t n;
  tenon_status status = tn_cli_input_read(&in, part, sizeof part, &n, err);
  if (status) return status;
  t->ended = n == 0;
  if (t->from) {
    memmove(t->pending.data, t->pending.data + t->from, t->pending.size - t->from);
    t->pending.size -= t->from;
    t->from = 0;
  }
  if (n && !tn_str_add(&t->pending, part, n))
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "split it",
                      "a line of stdin has more than %d bytes", MAX_LINE);
  return TENON_OK;
}

/* The next line within what was read; the last one needs no end. */
static bool next_line(text_rows *t, const char **ret, size_t *ret_size) {
  const char *at = tn_str_text(&t->pending) + t->from;
  size_t left = t->pending.size - t->from;
  const char *end = memchr(at, '\n', left);
  if (!end && !(t->ended && left)) return false;
  *ret = at;
  *ret_size = end ? (size_t)(end - at) : left;
  t->from += *ret_size + (end != NULL);
  if (*ret_size && at[*ret_size - 1] == '\r') --*ret_size;
  return true;
}

static bool is_blank(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] != ' ' && text[i] != '\t') return false;
  return true;
}

static tenon_status take_lines(text_rows *t, int64_t *rows, tenon_error *err) {
  const char *line;
  size_t size;
  while (*rows < AT_ONCE) {
    if (!next_line(t, &line, &size)) {
      if (t->ended || *rows) return TENON_OK;
      tenon_status status = read_more(t, err);
      if (status) return status;
      continue;
    }
    t->line++;
    if (is_blank(line, size))
      return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "leave it out, or give it a text",
                        "line %lld of stdin is blank", (long long)t->line);
    if (!tn_append_bytes(tn_builder_column(t->out, 0), line, (int64_t)size))
      return tn_append_failed(err);
    ++*rows;
  }
  return TENON_OK;
}

/* ---- Words of the command line ---- */

static tenon_status take_words(text_rows *t, int64_t *rows, tenon_error *err) {
  tn_column *c = tn_builder_column(t->out, 0);
  if (t->first && !tn_append_text(c, t->first)) return tn_append_failed(err);
  *rows += t->first != NULL;
  t->first = NULL;
  for (; t->next < t->more->count; t->next++, ++*rows)
    if (!tn_append_text(c, t->more->items[t->next])) return tn_append_failed(err);
  return TENON_OK;
}

/* ---- The stream ---- */

static tenon_status rows_next(void *self, struct ArrowArray *ret, tenon_error *err) {
  text_rows *t = self;
  int64_t rows = 0;
  tenon_status status = take_words(t, &rows, err);
  if (!status && !rows && t->reads_stdin) status = take_lines(t, &rows, err);
  if (status || !rows) return status;
  return tn_builder_finish(t->out, rows, ret, err);
}

static void rows_close(void *self) {
  text_rows *t = self;
  tn_builder_free(t->out);
  tn_str_release(&t->pending);
  tn_free(t);
}

static tenon_status make_schema(struct ArrowSchema *ret, tenon_error *err) {
  tenon_status status = tn_schema_struct(ret, 1, err);
  if (!status) status = tn_schema_set(ret->children[0], "text", "u", false, 0, err);
  return status;
}

tenon_status tn_cli_text_rows(tn_cli *cli, const char *first, const tn_cli_again *more,
                              struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_stream s = {.struct_size = sizeof s, .next = rows_next, .close = rows_close};
  text_rows *t = tn_alloc(sizeof *t);
  if (!t) return tn_no_memory(err);
  bool dash = first && strcmp(first, "-") == 0;
  t->ctx = cli->ctx;
  t->first = dash ? NULL : first;
  t->more = more;
  t->reads_stdin = dash || (!first && !more->count);
  tn_str_init(&t->pending, MAX_LINE + READ_SIZE);
  tenon_status status = make_schema(&s.schema, err);
  if (!status) status = tn_builder_new(&s.schema, &t->out, err);
  if (status) {
    tn_schema_release(&s.schema);
    rows_close(t);
    return status;
  }
  s.self = t;
  return tn_stream_export(cli->ctx, &s, NULL, NULL, ret, err);
}
