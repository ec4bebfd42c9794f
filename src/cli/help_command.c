/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cli/cli.h"

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const tn_cli_common *common = arguments;
  if (!common->operand_count) {
    tn_cli_show_overview(stdout, cli->terminal.width);
    return TENON_OK;
  }
  const tn_cli_command *command = tn_cli_command_find(common->operands[0]);
  if (command) {
    tn_cli_show_help(command, stdout, cli->terminal.width);
    return TENON_OK;
  }
  char remedy[120] = "see: tenon --help";
  const char *nearest = tn_cli_command_nearest(common->operands[0]);
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s?", nearest);
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "there is no command %.60s",
                    common->operands[0]);
}

const tn_cli_command tn_cli_help = {
    .name = "help",
    .operands = {"COMMAND"},
    .summary = "show what a command does, and its options",
    .about =
        "Shows what COMMAND does, examples, and its options; without COMMAND, the list of "
        "commands.",
    .size = sizeof(tn_cli_common),
    .run = run,
};
