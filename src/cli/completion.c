/* SPDX-License-Identifier: Apache-2.0 */
/* Completion for bash, written out of the commands' tables. */
#include "base/error.h"
#include "cli/cli.h"

static void add_words(const tn_cli_command *command, tn_str *out) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) tn_str_printf(out, " --%s", o->name);
}

/* What may follow an option that has choices. */
static void add_choices(const tn_cli_command *command, tn_str *out) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) {
    if (!o->choices) continue;
    tn_str_printf(out, "    %s.--%s) words='", command->name, o->name);
    for (size_t c = 0; o->choices[c]; c++) tn_str_printf(out, "%s%s", c ? " " : "", o->choices[c]);
    tn_str_printf(out, "' ;;\n");
  }
}

static void add_script(tn_str *out) {
  tn_str_puts(
      out,
      "# tenon's completion for bash: eval \"$(tenon completion)\"\n_tenon() {\n  local words='' "
      "cur=${COMP_WORDS[COMP_CWORD]}"
      " prev=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]}\n  case $command.$prev in\n");
  for (size_t i = 0; tn_cli_commands[i]; i++) add_choices(tn_cli_commands[i], out);
  tn_str_printf(out, "  esac\n  if [ \"$COMP_CWORD\" = 1 ]; then words='");
  for (size_t i = 0; tn_cli_commands[i]; i++) tn_str_printf(out, "%s ", tn_cli_commands[i]->name);
  tn_str_printf(out,
                "--help --version'\n  elif [ \"${cur#-}\" != \"$cur\" ]; then case $command in\n");
  for (size_t i = 0; tn_cli_commands[i]; i++) {
    tn_str_printf(out, "    %s) words='", tn_cli_commands[i]->name);
    add_words(tn_cli_commands[i], out);
    tn_str_printf(out, "' ;;\n");
  }
  tn_str_puts(out, "  esac; fi\n  mapfile -t COMPREPLY < <(compgen -W \"$words\" -- \"$cur\")\n}\n"
         "complete -o default -o bashdefault -F _tenon tenon\n");
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  tn_str text;
  (void)arguments;
  tn_str_init(&text, TN_CLI_MAX_TEXT);
  add_script(&text);
  bool ok = !text.failed;
  if (ok) tn_cli_answer_text(cli, tn_str_text(&text));
  tn_str_release(&text);
  return ok ? TENON_OK : tn_no_memory(err);
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
