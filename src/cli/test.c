/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "cli/select.h"
#include "cli/table.h"

static const char *const examples[] = {
    "tenon test 'postgresql://app:$ENV:SHOP_PASSWORD@db.example/shop'",
    "what works, what does not, and what to do about it",
    "tenon test shop --timeout 3 && echo ready",
    "the exit status says which layer failed: docs/exit-codes.md",
    NULL,
};

static const tn_cli_option options[] = {TN_CLI_TARGET_OPTIONS};

static const struct {
  const char *word;
  tn_cell_style style;
} outcomes[] = {
    [TENON_PASSED] = {"ok", TN_CELL_GOOD},
    [TENON_FAILED] = {"failed", TN_CELL_BAD},
    [TENON_SKIPPED] = {"skipped", TN_CELL_FAINT},
    [TENON_WARNED] = {"warning", TN_CELL_WARN},
};

static tenon_status add_step(tn_cli_table *table, const tenon_test_step *step, tenon_error *err) {
  char ms[32];
  snprintf(ms, sizeof ms, "%.1f", step->ms);
  tenon_status status = tn_cli_table_text(table, step->name, TN_CELL_PLAIN, err);
  if (!status)
    status =
        tn_cli_table_text(table, outcomes[step->outcome].word, outcomes[step->outcome].style, err);
  if (!status) status = tn_cli_table_text(table, ms, TN_CELL_PLAIN, err);
  if (!status) status = tn_cli_table_text(table, step->evidence, TN_CELL_PLAIN, err);
  return status;
}

static tenon_status show_steps(const tn_cli *cli, const tenon_test *test, tenon_error *err) {
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(4, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  static const char *const titles[] = {"step", "outcome", "ms", "what was seen"};
  for (size_t i = 0; i < 4; i++) tn_cli_table_column(table, i, titles[i], i == 2);
  for (uint32_t i = 0; i < test->step_count && !status; i++)
    status = add_step(table, &test->steps[i], err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  return status;
}

/* What was learnt, and what the steps that passed with a warning advise. */
static tenon_status show_rest(const tn_cli *cli, const tenon_test *test, tenon_error *err) {
  tn_cli_table *facts;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(2, stdout, width, cli->terminal.color_out, &facts, err);
  if (status) return status;
  tn_cli_table_column(facts, 0, "fact", false);
  tn_cli_table_column(facts, 1, "value", false);
  for (uint32_t i = 0; i < test->fact_count && !status; i++) {
    status = tn_cli_table_text(facts, test->facts[i].key, TN_CELL_PLAIN, err);
    if (!status) status = tn_cli_table_text(facts, test->facts[i].value, TN_CELL_PLAIN, err);
  }
  if (test->fact_count) {
    fputc('\n', stdout);
    tn_cli_table_flush(facts);
  }
  tn_cli_table_free(facts);
  for (uint32_t i = 0; i < test->step_count; i++)
    if (test->steps[i].outcome == TENON_WARNED && test->steps[i].remedy[0])
      tn_cli_note(cli, "%s: %s", test->steps[i].name, test->steps[i].remedy);
  return status;
}

static void json_answer(tn_cli *cli, const tenon_test *test) {
  tn_document *j = tn_cli_result(cli);
  tn_document_open(j, "steps", '[');
  for (uint32_t i = 0; i < test->step_count; i++) {
    const tenon_test_step *step = &test->steps[i];
    tn_document_open(j, NULL, '{');
    tn_document_text(j, "name", step->name);
    tn_document_text(j, "outcome", outcomes[step->outcome].word);
    tn_document_number(j, "ms", step->ms);
    tn_document_text(j, "evidence", step->evidence);
    tn_document_text(j, "remedy", step->remedy[0] ? step->remedy : NULL);
    tn_document_close(j);
  }
  tn_document_close(j);
  tn_document_open(j, "facts", '{');
  for (uint32_t i = 0; i < test->fact_count; i++)
    tn_document_text(j, test->facts[i].key, test->facts[i].value);
  tn_document_close(j);
}

/* The steps are the answer, also when one of them failed; the failure follows on stderr. */
static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const tn_cli_common *common = arguments;
  tenon_test test = {.struct_size = sizeof test};
  tenon_error shown = TENON_ERROR_INIT;
  tenon_status tested =
      tenon_test_target(cli->ctx, cli->tenon, common->operands[0], common->settings.items,
                        common->settings.count, &test, err);
  if (common->json) {
    json_answer(cli, &test);
    return tested;
  }
  tenon_status status = test.step_count ? show_steps(cli, &test, &shown) : TENON_OK;
  if (!status) status = show_rest(cli, &test, &shown);
  if (tested || !status) return tested;
  if (err) *err = shown;
  return status;
}

const tn_cli_command tn_cli_test = {
    .name = "test",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "test a connection step by step, and say what to do if it fails",
    .about =
        "Walks to the system step by step (names, network, encryption, identity, permission, a "
        "first question) and "
        "shows how long each took and what was seen. If one fails it says at which layer, and the "
        "remedy. It "
        "changes nothing in the system, and takes at most 15 seconds unless --timeout says "
        "otherwise.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(tn_cli_common),
    .verb = "connect to",
    .run = run,
};
