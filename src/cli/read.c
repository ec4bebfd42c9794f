/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/copied.h"
#include "cli/rows.h"
#include "cli/select.h"
#include "cli/text.h"
#include "arrow/names.h"

typedef struct read_arguments {
  tn_cli_common common;
  tn_cli_select select;
  const char *format, *output;
  tn_cli_settings written;
} read_arguments;

static const char *const formats[] = {"table", "csv", "tsv", "jsonl", "arrow", "parquet", NULL};

static const tn_cli_option options[] = {
    TN_CLI_SELECT_OPTIONS(read_arguments, select),
    {TN_CHOICE(read_arguments, format), .name = "format", .letter = 'f', .value = "FORMAT",
     .choices = formats,
     .help = "how rows are written; by itself: a table of 100 rows on a terminal, csv into a pipe, "
             "and by its name into a file"},
    {TN_TEXT(read_arguments, output), .name = "output", .letter = 'o', .value = "FILE",
     .help = "write to this file, which appears whole or not at all"},
    {TN_SETTINGS(read_arguments, written), .name = "set-out", .value = "KEY=VALUE",
     .help = "how the format is written, such as compression=snappy; again for more"},
    TN_CLI_MEMORY_OPTION,
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon read data/prices.csv",
    "the first rows of a file",
    "tenon read shop:public.orders --where 'total >= 100 and note is null' --order -total --limit "
    "10",
    "the ten dearest orders without a note",
    "tenon read shop --query 'select count(*) from orders'",
    "a query in the system's own language",
    "tenon read 'logs/*.parquet' --columns time,level --format csv | head",
    "two columns of many files, as CSV",
    "tenon read shop.db:orders -o orders.parquet",
    "into a file",
    NULL,
};

enum { SHOWN_ROWS = 100, COUNT_MS = 300, MAX_TYPE = 4096 };

/* ---- A table for people ---- */

static tenon_status fill(tn_cli_rows *rows, tn_cli_table *table, int64_t limit, bool *ret_more,
                         tenon_error *err) {
  for (;;) {
    bool there;
    tenon_status status = tn_cli_rows_next(rows, &there, err);
    if (status) return status;
    *ret_more = there && limit >= 0 && rows->seen > limit;
    if (!there || *ret_more) return TENON_OK;
    for (size_t c = 0; c < tn_cli_rows_columns(rows); c++)
      if ((status = tn_cli_rows_cell(rows, c, table, err))) return status;
  }
}

static void say_hidden(const tn_cli *cli, const tn_cli_rows *rows, const tn_cli_table *table) {
  size_t hidden = tn_cli_table_hidden(table), count = tn_cli_rows_columns(rows);
  if (!hidden) return;
  tn_str names;
  tn_str_init(&names, 4096);
  for (size_t i = count - hidden; i < count && names.size < 200; i++)
    tn_str_printf(&names, "%s%s", names.size ? ", " : "", tn_cli_rows_name(rows, i));
  tn_cli_note(cli, "%zu column%s not shown for lack of room: %s (--columns picks some)", hidden,
              hidden == 1 ? "" : "s", tn_str_text(&names));
  tn_str_release(&names);
}

static tenon_status print_rows(tn_cli *cli, tn_cli_rows *rows, int64_t limit, bool *ret_more,
                               tenon_error *err) {
  size_t count = tn_cli_rows_columns(rows);
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status =
      tn_cli_table_new(count, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  for (size_t i = 0; i < count; i++)
    tn_cli_table_column(table, i, tn_cli_rows_name(rows, i),
                        tn_printer_is_number(rows->printers[i]));
  status = fill(rows, table, limit, ret_more, err);
  tn_cli_table_flush(table);
  fflush(stdout);
  if (!status) say_hidden(cli, rows, table);
  tn_cli_table_free(table);
  return status;
}

/* ---- How many more there are: looked at for a moment, since nobody asked to wait for it ---- */

/* Rows of the read without limit and order; *ret_all: these are all, not as many as there was time for. */
static int64_t count_rows(tn_cli *cli, tenon_session *session, const tenon_read *read,
                          const char *column, bool *ret_all) {
  tenon_read all = *read;
  tenon_ctx *moment;
  struct ArrowArrayStream stream;
  tn_cli_rows rows;
  *ret_all = false;
  all.limit = -1;
  all.order_count = 0;
  if (!all.query) {
    all.columns = &column;
    all.column_count = 1;
  }
  if (tenon_ctx_new(cli->ctx, COUNT_MS, &moment, NULL)) return 0;
  int64_t seen = 0;
  if (!tenon_read_table(moment, session, &all, &stream, NULL, NULL) &&
      !tn_cli_rows_init(&rows, &stream, NULL)) {
    *ret_all = tn_cli_rows_skip_all(&rows, NULL) == TENON_OK;
    seen = rows.seen;
    tn_cli_rows_release(&rows);
  }
  tenon_ctx_free(moment);
  return seen;
}

static int64_t estimate_rows(tn_cli *cli, tenon_session *session, const tenon_read *read) {
  tenon_table table;
  tenon_ctx *moment;
  int64_t rows = -1;
  if (read->query || read->filter_count || tenon_ctx_new(cli->ctx, COUNT_MS, &moment, NULL))
    return -1;
  if (!tenon_describe_table(moment, session, read, &table, NULL)) {
    rows = table.rows_estimate;
    table.release(&table);
  }
  tenon_ctx_free(moment);
  return rows;
}

static void say_more(tn_cli *cli, tenon_session *session, const tenon_read *read, int64_t shown,
                     const char *column) {
  char first[32], more[32];
  tn_cli_show_count(first, sizeof first, shown);
  bool all;
  int64_t seen = count_rows(cli, session, read, column, &all);
  if (all && seen > shown) {
    tn_cli_show_count(more, sizeof more, seen - shown);
    tn_cli_note(cli, "%s rows shown, %s more (--limit N shows more, -o FILE writes all)", first,
                more);
    return;
  }
  int64_t estimate = estimate_rows(cli, session, read);
  if (estimate > shown && estimate > seen) {
    tn_cli_show_count(more, sizeof more, estimate - shown);
    tn_cli_note(cli, "%s rows shown, about %s more (--limit N shows more, -o FILE writes all)",
                first, more);
  } else {
    tn_cli_show_count(more, sizeof more, seen > shown ? seen - shown : 1);
    tn_cli_note(cli, "%s rows shown, at least %s more (--limit N shows more, -o FILE writes all)",
                first, more);
  }
}

static void say_applied(const tn_cli *cli, const tenon_read *read, const tenon_read_info *info) {
  if (!cli->common->verbose) return;
  int filters = 0;
  for (size_t i = 0; i < read->filter_count; i++) filters += (int)(info->filters_applied >> i & 1);
  tn_cli_note(cli, "the system itself applied: columns %s, filters %d of %zu, order %s, limit %s",
              info->applied & TENON_APPLIED_COLUMNS ? "yes" : "no", filters, read->filter_count,
              info->applied & TENON_APPLIED_ORDER ? "yes" : "no",
              info->applied & TENON_APPLIED_LIMIT ? "yes" : "no");
}

static tenon_status show_table(tn_cli *cli, tenon_session *session, tenon_read *read,
                               tenon_error *err) {
  struct ArrowArrayStream stream;
  tenon_read_info info = {.struct_size = sizeof info};
  tn_cli_rows rows;
  bool more = false, by_default = read->limit < 0 && cli->terminal.out_is_terminal;
  if (by_default) read->limit = SHOWN_ROWS + 1;   /* one more tells whether there are more */
  tenon_status status = tenon_read_table(cli->ctx, session, read, &stream, &info, err);
  if (!status) status = tn_cli_rows_init(&rows, &stream, err);
  if (status) return status;
  say_applied(cli, read, &info);
  status = print_rows(cli, &rows, by_default ? SHOWN_ROWS : -1, &more, err);
  char count[32], column[512];
  tn_cli_show_count(count, sizeof count, rows.seen);
  snprintf(column, sizeof column, "%s",
           tn_cli_rows_columns(&rows) ? tn_cli_rows_name(&rows, 0) : "");
  int64_t seen = rows.seen;
  tn_cli_rows_release(&rows);
  if (status) return status;
  if (more) say_more(cli, session, read, SHOWN_ROWS, column);
  else tn_cli_note(cli, "%s row%s", count, seen == 1 ? "" : "s");
  return TENON_OK;
}

/* ---- One JSON document ---- */

static void json_columns(tn_document *j, const tn_cli_rows *rows) {
  tn_document_open(j, "columns", '[');
  for (size_t i = 0; i < tn_cli_rows_columns(rows); i++) {
    tn_str type;
    tn_str_init(&type, MAX_TYPE);
    tn_type_name(rows->schema.children[i], &type);
    tn_document_open(j, NULL, '{');
    tn_document_text(j, "name", tn_cli_rows_name(rows, i));
    tn_document_text(j, "type", tn_str_text(&type));
    tn_document_close(j);
    tn_str_release(&type);
  }
  tn_document_close(j);
}

static void json_applied(tn_document *j, const tenon_read *read, const tenon_read_info *info) {
  tn_document_open(j, "applied_by_system", '{');
  tn_document_bool(j, "columns", info->applied & TENON_APPLIED_COLUMNS);
  tn_document_bool(j, "order", info->applied & TENON_APPLIED_ORDER);
  tn_document_bool(j, "limit", info->applied & TENON_APPLIED_LIMIT);
  tn_document_open(j, "filters", '[');
  for (size_t i = 0; i < read->filter_count; i++)
    tn_document_bool(j, NULL, info->filters_applied >> i & 1);
  tn_document_close(j);
  tn_document_close(j);
}

static tenon_status json_rows(tn_document *j, tn_cli_rows *rows, tenon_error *err) {
  tn_document_open(j, "rows", '[');
  for (;;) {
    bool there;
    tenon_status status = tn_cli_rows_next(rows, &there, err);
    if (status) return status;
    if (!there) break;
    tn_document_open(j, NULL, '[');
    for (size_t c = 0; c < tn_cli_rows_columns(rows) && !status; c++)
      status = tn_cli_rows_json(rows, c, NULL, j, err);
    tn_document_close(j);
    tn_document_newline(j);
    if (status) return status;
    if (ferror(j->out))
      return tn_cli_output_failed(err);
  }
  tn_document_close(j);
  tn_document_integer(j, "row_count", rows->seen);
  return TENON_OK;
}

static tenon_status answer_json(tn_cli *cli, tenon_session *session, const tenon_read *read,
                                tenon_error *err) {
  struct ArrowArrayStream stream;
  tenon_read_info info = {.struct_size = sizeof info};
  tn_cli_rows rows;
  tenon_status status = tenon_read_table(cli->ctx, session, read, &stream, &info, err);
  if (!status) status = tn_cli_rows_init(&rows, &stream, err);
  if (status) return status;
  tn_document *j = tn_cli_result(cli);
  json_columns(j, &rows);
  json_applied(j, read, &info);
  status = json_rows(j, &rows, err);
  tn_cli_rows_release(&rows);
  return status;
}

/* ---- Into bytes ---- */

static tenon_status write_rows(tn_cli *cli, const read_arguments *a, tenon_session *session,
                               const tenon_read *read, tenon_error *err) {
  struct ArrowArrayStream stream;
  tn_cli_progress progress = tn_cli_progress_start(cli);
  if (!a->output && cli->terminal.out_is_terminal) progress.draw = false;
  if (progress.draw || progress.json) progress.rows_estimate = estimate_rows(cli, session, read);
  if (read->limit >= 0 && read->limit < progress.rows_estimate) progress.rows_estimate = read->limit;
  tenon_copy_options how = {
      .struct_size = sizeof how, .fd = a->output ? -1 : STDOUT_FILENO, .format = a->format,
      .to_settings = a->written.items, .to_count = a->written.count,
      .progress = tn_cli_progress_step, .progress_arg = &progress,
  };
  if (!a->output && !how.format) how.format = "csv";
  tenon_copied copied = {.struct_size = sizeof copied};
  tenon_status status = tenon_read_table(cli->ctx, session, read, &stream, NULL, err);
  if (!status)
    status = tenon_copy_rows(cli->ctx, cli->tenon, &stream, a->output, &how, &copied, err);
  tn_cli_progress_end(&progress, status);
  if (!status && a->output) tn_cli_say_copied(cli, a->output, &copied);
  return status;
}

static bool is_table(const tn_cli *cli, const read_arguments *a) {
  if (a->output) return false;
  return a->format ? strcmp(a->format, "table") == 0 : cli->terminal.out_is_terminal;
}

static tenon_status check(const tn_cli *cli, const read_arguments *a, tenon_error *err) {
  bool binary = a->format && (strcmp(a->format, "arrow") == 0 || strcmp(a->format, "parquet") == 0);
  if (a->output && a->format && strcmp(a->format, "table") == 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write csv, jsonl, parquet or arrow; or leave -o out",
                      "a table is for people, not for files");
  if (a->common.json && a->format && !a->output)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "use one of them, or write the rows to a file with -o",
                      "--json and --format both say what goes to stdout");
  if (binary && !a->output && cli->terminal.out_is_terminal)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write it to a file with -o, or into a pipe", "%s is not for a terminal",
                      a->format);
  return TENON_OK;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const read_arguments *a = arguments;
  tenon_session *session;
  tenon_read read;
  tenon_status status = check(cli, a, err);
  if (!status) status = tn_cli_select_read(cli, &a->select, &read, err);
  if (status) return status;
  status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                      a->common.settings.count, &session, err);
  if (status) return status;
  if (a->common.json && !a->output) status = answer_json(cli, session, &read, err);
  else if (is_table(cli, a)) status = show_table(cli, session, &read, err);
  else status = write_rows(cli, a, session, &read, err);
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_read = {
    .name = "read",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "read rows: to the terminal, into a pipe or a file",
    .about =
        "Reads a table, a file, many files of one shape, or a query. Columns, conditions, order "
        "and limit mean the same "
        "for every kind of system, whoever applies them (-v says who did). On a terminal it shows "
        "the first 100 rows, "
        "and how many more there are; into a pipe it writes CSV, all of it.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(read_arguments),
    .verb = "read",
    .run = run,
};
