/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"

static const char *const about_targets =
    "A target is a system, and behind a colon a table in it: BASE, BASE:table, BASE:schema.table.\n"
    "\n"
    "  shop:public.orders            shop is a connector of tenon.yaml (the nearest one upward "
    "from here)\n"
    "  postgresql://app@db/shop:orders   a URL: its ?key=value set parameters, `tenon kinds KIND` "
    "lists them\n"
    "  data/prices.csv  ./orders     a file; a bare word is a connector's name, so such a file is "
    "written ./orders\n"
    "  data/  'logs/**/*.parquet'    a folder, a pattern: files with equal columns are one table\n"
    "  logs:2024/'*.csv'             files below the root of logs, a connector of files or objects\n"
    "  shop.db:orders                a table in a SQLite database\n"
    "\n"
    "Names keep their case. With other characters than letters, digits and _ they stand in double "
    "quotes, and so do "
    "paths that have a colon; the shell takes quotes away, so put single ones around: "
    "'pg:public.\"Odd Name\"', "
    "'\"./10:30.csv\"'.\n"
    "\n"
    "A password is better not on a command line, where other users can see it. $ENV:NAME stands "
    "for a variable's value, "
    "$FILE:PATH for a file's content, in URLs (where a / of the path is %2F) as in tenon.yaml: "
    "'postgresql://app:$ENV:SHOP_PASSWORD@db/shop'\n"
    "\n"
    "  connectors:                   tenon.yaml\n"
    "    shop:\n"
    "      kind: postgresql\n"
    "      host: db.example\n"
    "      database: shop\n"
    "      user: app\n"
    "      password: $ENV:SHOP_PASSWORD\n"
    "\n"
    "The whole grammar: docs/targets.md";

static const struct {
  const char *name, *const *text;
} topics[] = {{"targets", &about_targets}};

static bool add_topic(const char *name, int width, tn_str *out) {
  for (size_t i = 0; i < sizeof topics / sizeof topics[0]; i++) {
    if (strcmp(topics[i].name, name) != 0) continue;
    tn_cli_add_topic(*topics[i].text, width, out);
    return true;
  }
  return false;
}

static tenon_status no_command(const char *name, tenon_error *err) {
  char remedy[120] = "see: tenon --help";
  const char *nearest = tn_cli_command_nearest(name);
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s?", nearest);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "there is no command %.60s",
                    name);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const tn_cli_common *common = arguments;
  const char *name = common->operand_count ? common->operands[0] : NULL;
  const tn_cli_command *command = name ? tn_cli_command_find(name) : NULL;
  tenon_status status = TENON_OK;
  tn_str text;
  tn_str_init(&text, TN_CLI_MAX_TEXT);
  if (command) tn_cli_add_help(command, cli->terminal.width, &text);
  else if (!name) tn_cli_add_overview(cli->terminal.width, &text);
  else if (!add_topic(name, cli->terminal.width, &text)) status = no_command(name, err);
  if (!status) tn_cli_answer_text(cli, tn_str_text(&text));
  tn_str_release(&text);
  return status;
}

const tn_cli_command tn_cli_help = {
    .name = "help",
    .operands = {"COMMAND"},
    .summary = "show what a command does, and its options",
    .about =
        "Shows what COMMAND does, examples, and its options; without COMMAND, the list of "
        "commands. "
        "`tenon help targets` says how systems, tables and files are named.",
    .size = sizeof(tn_cli_common),
    .run = run,
};
