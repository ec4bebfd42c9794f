/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/copied.h"
#include "cli/select.h"
#include "cli/table.h"
#include "cli/text.h"

typedef struct copy_arguments {
  tn_cli_common common;
  tn_cli_select select;
  const char *format;
  bool dry_run, if_absent;
  tn_cli_settings written;
} copy_arguments;

static const char *const formats[] = {"csv", "tsv", "jsonl", "arrow", "parquet", NULL};

static const tn_cli_option options[] = {
    {TN_FLAG(copy_arguments, dry_run), .name = "dry-run",
     .help = "say what would be done, column by column, and do nothing"},
    {TN_CHOICE(copy_arguments, format), .name = "format", .letter = 'f', .value = "FORMAT",
     .choices = formats,
     .help = "how rows are written; by itself: by TO's extension, csv to stdout"},
    {TN_FLAG(copy_arguments, if_absent), .name = "if-absent",
     .help = "do not replace a file that is there"},
    {TN_SETTINGS(copy_arguments, written), .name = "set-out", .value = "KEY=VALUE",
     .help = "how the format is written, such as compression=snappy; again for more"},
    TN_CLI_SELECT_OPTIONS(copy_arguments, select),
    TN_CLI_MEMORY_OPTION,
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon copy shop:public.orders orders.parquet",
    "a table into a Parquet file",
    "tenon copy 'logs/*.csv' logs.parquet --mem 64M",
    "many files into one, in little memory",
    "tenon copy shop:public.orders orders.parquet --dry-run",
    "which columns, of which types, and how each lands",
    "tenon copy prices.parquet - --format jsonl | gzip > prices.jsonl.gz",
    "to stdout",
    NULL,
};

static bool is_stdout(const char *to) { return strcmp(to, "-") == 0; }

void tn_cli_say_copied(tn_cli *cli, const char *to, const tenon_copied *copied) {
  if (cli->common->json) {
    tn_document *j = tn_cli_result(cli);
    tn_document_text(j, "to", to);
    tn_document_integer(j, "rows", copied->rows);
    tn_document_count(j, "bytes", copied->bytes);
    tn_document_integer(j, "elapsed_ms", copied->elapsed_ms);
    return;
  }
  char rows[32], bytes[32], time[32];
  tn_cli_show_count(rows, sizeof rows, copied->rows);
  tn_cli_show_bytes(bytes, sizeof bytes, copied->bytes);
  tn_cli_show_time(time, sizeof time, copied->elapsed_ms);
  tn_cli_note(cli, "%s: %s row%s, %s, in %s", to, rows, copied->rows == 1 ? "" : "s", bytes, time);
}

/* ---- --dry-run ---- */

static const char *landing_name(tenon_landing landing) {
  static const char *const names[] = {"exact", "as text", "refused"};
  return names[landing];
}

static tenon_status add_column(tn_cli_table *table, const tenon_planned_column *c,
                               tenon_error *err) {
  static const tn_cell_style styles[] = {TN_CELL_GOOD, TN_CELL_PLAIN, TN_CELL_BAD};
  const char *const cells[] = {
      c->name,    c->from_type ? c->from_type : "", c->type,
      c->to_type, landing_name(c->landing),         c->remark ? c->remark : ""};
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < 6 && !status; i++)
    status = tn_cli_table_text(table, cells[i], i == 4 ? styles[c->landing] : TN_CELL_PLAIN, err);
  return status;
}

static tenon_status show_columns(tn_cli *cli, const tenon_copy_plan *plan, tenon_error *err) {
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(6, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  static const char *const titles[] = {"column",     "type",  "read as",
                                       "written as", "lands", "remark"};
  for (size_t i = 0; i < 6; i++) tn_cli_table_column(table, i, titles[i], false);
  for (size_t i = 0; i < plan->column_count && !status; i++)
    status = add_column(table, &plan->columns[i], err);
  tn_cli_table_flush(table);
  fflush(stdout);
  tn_cli_table_free(table);
  return status;
}

static void say_plan(const tn_cli *cli, const char *to, const tenon_copy_plan *plan) {
  char rows[32] = "an unknown number of", bytes[40] = "";
  if (plan->rows_estimate >= 0) {
    snprintf(rows, sizeof rows, "about ");
    tn_cli_show_count(rows + 6, sizeof rows - 6, plan->rows_estimate);
  }
  if (plan->bytes_estimate >= 0) {
    snprintf(bytes, sizeof bytes, " (");
    tn_cli_show_bytes(bytes + 2, sizeof bytes - 4, plan->bytes_estimate);
    size_t size = strlen(bytes);
    snprintf(bytes + size, sizeof bytes - size, ")");
  }
  tn_cli_note(cli, "would write %s rows%s of %zu columns as %s to %s%s", rows, bytes,
              plan->column_count, plan->format, to,
              plan->replaces ? ", replacing the file that is there" : "");
}

static void json_plan(tn_cli *cli, const char *to, const tenon_copy_plan *plan) {
  tn_document *j = tn_cli_result(cli);
  tn_document_text(j, "to", to);
  tn_document_text(j, "format", plan->format);
  tn_document_bool(j, "replaces", plan->replaces);
  tn_document_count(j, "rows_estimate", plan->rows_estimate);
  tn_document_count(j, "bytes_estimate", plan->bytes_estimate);
  tn_document_open(j, "columns", '[');
  for (size_t i = 0; i < plan->column_count; i++) {
    const tenon_planned_column *c = &plan->columns[i];
    tn_document_open(j, NULL, '{');
    tn_document_text(j, "name", c->name);
    tn_document_text(j, "from_type", c->from_type);
    tn_document_text(j, "type", c->type);
    tn_document_text(j, "to_type", c->to_type);
    tn_document_text(j, "lands", landing_name(c->landing));
    tn_document_text(j, "remark", c->remark);
    tn_document_close(j);
  }
  tn_document_close(j);
}

static tenon_status plan(tn_cli *cli, const char *from, const char *to,
                         const tenon_copy_options *how, tenon_error *err) {
  tenon_copy_plan plan;
  tenon_status status = tenon_plan_copy(cli->ctx, cli->tenon, from, to, how, &plan, err);
  if (status) return status;
  if (cli->common->json) json_plan(cli, to, &plan);
  else status = show_columns(cli, &plan, err);
  if (!status && !cli->common->json) say_plan(cli, to, &plan);
  plan.release(&plan);
  return status;
}

/* ---- Copying ---- */

static tenon_status check(const copy_arguments *a, const tn_cli *cli, tenon_error *err) {
  if (!is_stdout(a->common.operands[1]) || a->dry_run) return TENON_OK;
  bool binary = a->format && (strcmp(a->format, "arrow") == 0 || strcmp(a->format, "parquet") == 0);
  if (a->common.json)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "copy to a file, or leave --json out",
                      "--json and the rows would both go to stdout");
  if (binary && cli->terminal.out_is_terminal)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "copy to a file, or into a pipe",
                      "%s is not for a terminal", a->format);
  return TENON_OK;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const copy_arguments *a = arguments;
  const char *from = a->common.operands[0], *to = a->common.operands[1];
  tenon_read read;
  tenon_status status = check(a, cli, err);
  if (!status) status = tn_cli_select_read(cli, &a->select, &read, err);
  if (status) return status;
  tn_cli_progress progress = tn_cli_progress_start(cli);
  if (is_stdout(to) && cli->terminal.out_is_terminal) progress.draw = false;
  tenon_copy_options how = {
      .struct_size = sizeof how,
      .fd = is_stdout(to) ? STDOUT_FILENO : -1,
      .format = a->format,
      .read = &read,
      .from_settings = a->common.settings.items,
      .from_count = a->common.settings.count,
      .to_settings = a->written.items,
      .to_count = a->written.count,
      .if_absent = a->if_absent,
      .progress = tn_cli_progress_step,
      .progress_arg = &progress,
  };
  if (is_stdout(to) && !how.format) how.format = "csv";
  if (a->dry_run) return plan(cli, from, to, &how, err);
  tenon_copied copied = {.struct_size = sizeof copied};
  status = tenon_copy(cli->ctx, cli->tenon, from, to, &how, &copied, err);
  tn_cli_progress_end(&progress, status);
  if (!status && !is_stdout(to)) tn_cli_say_copied(cli, to, &copied);
  return status;
}

const tn_cli_command tn_cli_copy = {
    .name = "copy",
    .operands = {"FROM", "TO"},
    .operands_required = 2,
    .summary = "copy rows into a file, exactly typed",
    .about =
        "Copies FROM, a target like that of `read`, to TO: a path whose extension says how "
        "(.parquet, .csv, .tsv, .jsonl, "
        ".arrows), or - for stdout. Rows stream through in bounded memory. A column whose values TO "
        "cannot hold exactly is "
        "refused by name before the first row; the file appears whole or not at all.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(copy_arguments),
    .verb = "copy",
    .run = run,
};
