/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/copied.h"
#include "cli/select.h"
#include "cli/spent.h"
#include "cli/text_rows.h"

typedef struct embed_arguments {
  tn_cli_common common;
  const char *model, *from, *column, *format, *output;
  int64_t dimension;
  tn_cli_again texts;
} embed_arguments;

static const char *const formats[] = {"jsonl", "csv", "tsv", "arrow", "parquet", NULL};

static const tn_cli_option options[] = {
    {TN_TEXT(embed_arguments, model), .name = "model", .letter = 'm', .value = "NAME",
     .help = "the model that makes the vectors (default: the connector's embedding_model)"},
    {TN_AGAIN(embed_arguments, texts), .name = "text", .value = "TEXT",
     .help = "one more text; again for more"},
    {TN_TEXT(embed_arguments, from), .name = "from", .value = "TARGET",
     .help =
         "rows with a column of texts: a file (Parquet, CSV …) or a table; all columns are kept"},
    {TN_TEXT(embed_arguments, column), .name = "column", .value = "NAME",
     .help = "with --from: which column (default: text)"},
    {TN_NUMBER(embed_arguments, dimension), .name = "dimension", .letter = 'd', .value = "N",
     .help = "shorter vectors than the model's own, where it can make them"},
    {TN_CHOICE(embed_arguments, format), .name = "format", .letter = 'f', .value = "FORMAT",
     .choices = formats,
     .help = "how the rows are written (default: jsonl, or by the file's extension)"},
    {TN_TEXT(embed_arguments, output), .name = "output", .letter = 'o', .value = "FILE",
     .help = "into this file, which appears whole or not at all"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon embed 'ollama://localhost:11434?model=nomic-embed-text' 'a text' --text 'another one'",
    "a row for each text, with its vector",
    "tenon embed gpt - < lines.txt > vectors.jsonl",
    "each line of stdin is a text",
    "tenon embed gpt --from notes.parquet --column body -o notes-with-vectors.parquet",
    "the rows of a file with a column `vector` behind the others",
    NULL,
};

/* Rows with a text. *ret_session (NULL: none) is to be closed when they are through. */
static tenon_status open_texts(tn_cli *cli, const embed_arguments *a, struct ArrowArrayStream *ret,
                               tenon_session **ret_session, tenon_error *err) {
  const char *text = a->common.operands[1];
  tenon_session *session;
  *ret_session = NULL;
  if ((text || a->texts.count) && a->from)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave one of them out",
                      "texts are given, and --from too");
  if (!a->from) return tn_cli_text_rows(cli, text, &a->texts, ret, err);
  tenon_status status = tenon_open(cli->ctx, cli->tenon, a->from, NULL, 0, &session, err);
  if (status) return status;
  status = tenon_read_table(cli->ctx, session, NULL, ret, NULL, err);
  if (status) tenon_close(session);
  else *ret_session = session;
  return status;
}

static tenon_status write_rows(tn_cli *cli, const embed_arguments *a, struct ArrowArrayStream *rows,
                               tenon_error *err) {
  tn_cli_progress progress = tn_cli_progress_start(cli);
  if (!a->output && cli->terminal.out_is_terminal) progress.draw = false;
  tenon_copy_options how = {.struct_size = sizeof how,
                            .fd = a->output ? -1 : STDOUT_FILENO,
                            .format = a->format,
                            .progress = tn_cli_progress_step,
                            .progress_arg = &progress};
  tenon_copied copied = {.struct_size = sizeof copied};
  if (!a->output && !how.format) how.format = "jsonl";
  tenon_status status = tenon_copy_rows(cli->ctx, cli->tenon, rows, a->output, &how, &copied, err);
  tn_cli_progress_end(&progress, status);
  if (!status && a->output) tn_cli_say_copied(cli, a->output, &copied);
  return status;
}

static tenon_status check(const embed_arguments *a, tenon_error *err) {
  if (a->common.json && !a->output)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "leave it out: the rows are lines of JSON without it, too",
                      "--json says how it went, and the rows go to stdout themselves");
  if (a->dimension > TENON_MAX_DIMENSION)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "ask for fewer",
                      "a vector has at most %d numbers", TENON_MAX_DIMENSION);
  return TENON_OK;
}

/* Takes the rows over. */
static tenon_status embed_rows(tn_cli *cli, const embed_arguments *a, tenon_session *session,
                               struct ArrowArrayStream *rows, tenon_error *err) {
  const tenon_embed settings = {.struct_size = sizeof settings, .model = a->model,
                                .dimension = a->dimension > 0 ? (int32_t)a->dimension : 0};
  struct ArrowArrayStream embedded;
  tenon_usage usage;
  tenon_status status = tenon_embed_rows(cli->ctx, session, &settings, rows,
                                         a->from ? a->column : NULL, &embedded, &usage, err);
  if (!status) status = write_rows(cli, a, &embedded, err);
  if (!status && cli->common->json) tn_cli_spent_json(tn_cli_result(cli), &usage);
  else if (!status) tn_cli_spent(cli, &usage, NULL);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const embed_arguments *a = arguments;
  struct ArrowArrayStream rows;
  tenon_session *session = NULL, *from = NULL;
  tenon_status status = check(a, err);
  if (!status)
    status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                        a->common.settings.count, &session, err);
  if (!status) status = open_texts(cli, a, &rows, &from, err);
  if (!status) status = embed_rows(cli, a, session, &rows, err);
  tenon_close(from);
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_embed = {
    .name = "embed",
    .operands = {"TARGET", "TEXT"},
    .operands_required = 1,
    .summary = "turn texts into vectors, by a language model",
    .about =
        "TARGET is a system with models that make vectors (kinds ollama, openai). The texts are "
        "TEXT and --text; or the lines of stdin, where TEXT is - or nothing is given; or a column "
        "of rows from a file or table.\n\n"
        "Rows come out with their vector, in the same order: many texts go into one request, and "
        "memory stays flat. To keep them: tenon vectors upsert --embed TARGET.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(embed_arguments),
    .verb = "embed texts by",
    .between = "",
    .run = run,
};
