/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/str.h"
#include "cli/cli.h"

enum { ARENA_MAX = 1 << 24 };

const tn_cli_command *const tn_cli_commands[] = {
    &tn_cli_read, &tn_cli_copy, &tn_cli_ls,   &tn_cli_describe,
    &tn_cli_get, &tn_cli_put, &tn_cli_stat, &tn_cli_rm, &tn_cli_presign,
    &tn_cli_vectors, &tn_cli_send, &tn_cli_chat, &tn_cli_embed, &tn_cli_actions, &tn_cli_call,
    &tn_cli_authorize, &tn_cli_grant, &tn_cli_test, &tn_cli_kinds, &tn_cli_help, &tn_cli_completion, NULL,
};

const tn_cli_command *tn_cli_command_find(const char *name) {
  for (size_t i = 0; tn_cli_commands[i]; i++)
    if (strcmp(tn_cli_commands[i]->name, name) == 0) return tn_cli_commands[i];
  return NULL;
}

const char *tn_cli_command_nearest(const char *name) {
  const char *names[sizeof tn_cli_commands / sizeof tn_cli_commands[0]];
  size_t count = 0;
  for (; tn_cli_commands[count]; count++) names[count] = tn_cli_commands[count]->name;
  const char *nearest = tn_nearest(name, names, count);
  /* of two letters that differ in a short word, the first is not one */
  return nearest && (nearest[0] == name[0] || tn_edit_distance(name, nearest, 1) == 1) ? nearest
                                                                                       : NULL;
}

/* ---- The document of --json: {"tenon":1,"command":…,"result":{…},"ok":true} ---- */

static void begin_document(tn_document *j, const char *command) {
  tn_document_open(j, NULL, '{');
  tn_document_integer(j, "tenon", 1);
  tn_document_text(j, "command", command);
}

tn_document *tn_cli_result(tn_cli *cli) {
  begin_document(&cli->json, cli->command->name);
  tn_document_open(&cli->json, "result", '{');
  return &cli->json;
}

static void end_document(tn_document *j, const char *command, const tenon_error *err) {
  if (tn_document_depth(j) == 0) begin_document(j, command);
  tn_document_close_to(j, 1);
  tn_document_bool(j, "ok", err->code == TENON_OK);
  if (err->code) tn_cli_report_json(j, err);
  tn_document_close_to(j, 0);
  tn_document_newline(j);
  tn_document_flush(j);
}

/* ---- One run ---- */

static void log_line(void *arg, int level, const char *line) {
  const tn_cli *cli = arg;
  static const char *const names[] = {"error", "warning", "info", "debug"};
  if (level <= cli->common->verbose + 1) tn_cli_note(cli, "%s: %s", names[level & 3], line);
}

static tenon_status start(tn_cli *cli, tenon_error *err) {
  const tn_cli_common *common = cli->common;
  tenon_options options = {
      .struct_size = sizeof options, .connectors = common->connectors, .memory = common->memory,
      .egress = common->egress, .egress_allow = common->egress_allow};
  if (options.memory < 0) options.memory = 0;
  if (!common->quiet) {
    options.log = log_line;
    options.log_arg = cli;
  }
  tenon_status status = tenon_new(&options, &cli->tenon, err);
  if (!status)
    status = tenon_ctx_new(tenon_context(cli->tenon), common->timeout_ms ? common->timeout_ms : -1,
                           &cli->ctx, err);
  if (!status) tn_cli_interrupt_watch(cli->ctx, cli->terminal.err_is_terminal && !common->quiet);
  return status;
}

/* What was printed has to have arrived: a full disk is a failure, a reader who left is not. */
static tenon_status finish_output(tenon_error *err) {
  bool arrived = fflush(stdout) == 0 && !ferror(stdout);
  return arrived ? TENON_OK : tn_cli_output_failed(err);
}

static void release(tn_cli *cli, void *arguments) {
  tn_cli_interrupt_forget();
  tenon_ctx_free(cli->ctx);
  tenon_free(cli->tenon);
  tn_document_release(&cli->json);
  tn_arena_release(&cli->arena);
  tn_free(arguments);
}

/* Other users of the machine see command lines. Told where a person reads it. */
static void warn_of_secrets(const tn_cli *cli) {
  for (size_t i = 0; cli->terminal.err_is_terminal && i < cli->common->operand_count; i++) {
    const char *word = cli->common->operands[i];
    char *shown;
    if (!cli->command->verb || tenon_target_shown(cli->tenon, word, &shown, NULL)) continue;
    bool open = strcmp(shown, word) != 0 && !strstr(word, "$ENV:") && !strstr(word, "$FILE:");
    tenon_text_free(shown);
    if (open)
      tn_cli_note(
          cli, "other users can see a password on a command line; write $ENV:NAME there instead");
  }
}

static tenon_status work(tn_cli *cli, const void *arguments, tenon_error *err) {
  tenon_status status = start(cli, err);
  if (!status) {
    warn_of_secrets(cli);
    status = cli->command->run(cli, arguments, err);
  }
  if (status && tn_cli_reader_is_gone()) tn_cli_end_quietly();
  if (cli->common->json) end_document(&cli->json, cli->command->name, err);
  return status ? status : finish_output(err);
}

void tn_cli_answer_text(tn_cli *cli, const char *text) {
  if (cli->common->json) tn_document_text(tn_cli_result(cli), "text", text);
  else fputs(text, stdout);
}

static tenon_status show_help(tn_cli *cli, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, TN_CLI_MAX_TEXT);
  tn_cli_add_help(cli->command, cli->terminal.width, &text);
  tn_cli_answer_text(cli, tn_str_text(&text));
  tn_str_release(&text);
  if (cli->common->json) end_document(&cli->json, cli->command->name, err);
  return finish_output(err);
}

static int run(const tn_cli_command *command, int word_count, char **words, bool json_wanted) {
  tenon_error err = TENON_ERROR_INIT;
  tn_cli cli = {.command = command, .terminal = tn_cli_terminal_look()};
  tn_document_init(&cli.json, stdout);
  tn_cli_common *common = tn_alloc(command->size);
  tn_arena_init(&cli.arena, ARENA_MAX);
  cli.common = common;
  tenon_status status = common ? tn_cli_parse(command, word_count, words, &cli.arena, common, &err)
                               : tn_no_memory(&err);
  if (!status && common->help) {
    status = show_help(&cli, &err);
  } else if (!status) {
    status = work(&cli, common, &err);
  } else if (json_wanted) {
    end_document(&cli.json, command->name, &err);
    finish_output(NULL);
  }
  if (status) tn_cli_report(&cli, command->verb, &err);
  release(&cli, common);
  return tn_cli_exit_code(status);
}

/* ---- The first word ---- */

static int refuse_command(const char *word, bool json_wanted) {
  tenon_error err = TENON_ERROR_INIT;
  char remedy[160] = "see: tenon --help";
  const char *nearest = tn_cli_command_nearest(word);
  if (nearest) snprintf(remedy, sizeof remedy, "did you mean %s? See: tenon --help", nearest);
  if (word[0] == '-')
    snprintf(remedy, sizeof remedy,
             "options stand behind the command: tenon COMMAND [options]; see: tenon --help");
  tenon_status status = tenon_fail(
      &err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy,
      word[0] == '-' ? "%.60s stands where a command is expected" : "there is no command %.60s",
      word);
  if (json_wanted) {
    tn_document j;
    tn_document_init(&j, stdout);
    end_document(&j, NULL, &err);
    tn_document_release(&j);
  }
  tn_cli_report(NULL, NULL, &err);
  return tn_cli_exit_code(status);
}

/* Is JSON asked for, whatever else is wrong? */
static bool wants_json(int count, char **words) {
  for (int i = 0; i < count && strcmp(words[i], "--") != 0; i++)
    if (strcmp(words[i], "--json") == 0 || strncmp(words[i], "--json=", 7) == 0) return true;
  return false;
}

/* `tenon --version`, `tenon --help`: no command, but an answer. */
static int answer(const char *name, const char *key, const char *text, const char *plain,
                  bool json) {
  tenon_error err = TENON_ERROR_INIT;
  tn_document j;
  tn_document_init(&j, stdout);
  if (json) {
    begin_document(&j, name);
    tn_document_open(&j, "result", '{');
    tn_document_text(&j, key, text);
    end_document(&j, name, &err);
  } else {
    fputs(plain, stdout);
  }
  tn_document_release(&j);
  tenon_status status = finish_output(&err);
  if (status) tn_cli_report(NULL, NULL, &err);
  return tn_cli_exit_code(status);
}

static int show_overview(bool json) {
  tn_str text;
  tn_str_init(&text, TN_CLI_MAX_TEXT);
  tn_cli_add_overview(tn_cli_terminal_look().width, &text);
  int exit_code = answer("help", "text", tn_str_text(&text), tn_str_text(&text), json);
  tn_str_release(&text);
  return exit_code;
}

static int show_version(bool json) {
  char line[64];
  snprintf(line, sizeof line, "tenon %s\n", tenon_version());
  return answer("version", "version", tenon_version(), line, json);
}

static int refuse_nothing(void) {
  tn_str text;
  tn_str_init(&text, TN_CLI_MAX_TEXT);
  tn_cli_add_overview(tn_cli_terminal_look().width, &text);
  fputs(tn_str_text(&text), stderr);
  tn_str_release(&text);
  return tn_cli_exit_code(TENON_CONFIG);
}

int main(int argc, char **argv) {
  tn_cli_occupy_descriptors();
  signal(SIGPIPE, SIG_IGN);
  const char *first = argc > 1 ? argv[1] : NULL;
  if (!first) return refuse_nothing();
  bool json = wants_json(argc - 1, argv + 1);
  if (strcmp(first, "--version") == 0 || strcmp(first, "-V") == 0) return show_version(json);
  if (strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) return show_overview(json);
  const tn_cli_command *command = tn_cli_command_find(first);
  return command ? run(command, argc - 2, argv + 2, json) : refuse_command(first, json);
}
