/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash, written out of the commands' tables. */
#include "cli/cli.h"

static void print_words(const tn_cli_command *command) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) printf(" --%s", o->name);
}

/* What may follow an option that has choices. */
static void print_choices(const tn_cli_command *command) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) {
    if (!o->choices) continue;
    printf("    %s.--%s) words='", command->name, o->name);
    for (size_t c = 0; o->choices[c]; c++) printf("%s%s", c ? " " : "", o->choices[c]);
    printf("' ;;\n");
  }
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  (void)cli;
  (void)arguments;
  (void)err;
  printf(
      "# tenon's completion for bash: eval \"$(tenon completion)\"\n_tenon() {\n  local words='' "
      "cur=${COMP_WORDS[COMP_CWORD]}"
      " prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n  case $command.$prev in\n");
  for (size_t i = 0; tn_cli_commands[i]; i++) print_choices(tn_cli_commands[i]);
  printf("  esac\n  if [ \"$COMP_CWORD\" = 1 ]; then words='");
  for (size_t i = 0; tn_cli_commands[i]; i++) printf("%s ", tn_cli_commands[i]->name);
  printf("--help --version'\n  elif [ \"${cur#-}\" != \"$cur\" ]; then case $command in\n");
  for (size_t i = 0; tn_cli_commands[i]; i++) {
    printf("    %s) words='", tn_cli_commands[i]->name);
    print_words(tn_cli_commands[i]);
    printf("' ;;\n");
  }
  printf("  esac; fi\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
         "complete -o default -o bashdefault -F _tenon tenon\n");
  return TENON_OK;
}

const tn_cli_command tn_cli_completion = {
    .name = "completion",
    .summary = "print completion for bash",
    .about =
        "Prints a script that completes commands, options and their values in bash: eval \"$(tenon "
        "completion)\"",
    .size = sizeof(tn_cli_common),
    .run = run,
};
