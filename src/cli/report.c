/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/text.h"
#include "formats/format_options.h"

enum { MAX_SHOWN = 16 * 1024 };

/* One exit status a kind of failure, beside the usual 0, 1 and 2; docs/exit-codes.md. */
int tn_cli_exit_code(tenon_status status) {
  switch (status) {
    case TENON_OK: return 0;
    case TENON_INTERNAL: return 1;
    case TENON_CANCELLED: return 128 + (tn_cli_interrupted() ? tn_cli_interrupted() : 2);
    default: return (int)status + 1;
  }
}

static const char *without(const char *message, const char *name) {
  size_t size = strlen(name);
  bool starts = strncmp(message, name, size) == 0 && strncmp(message + size, ": ", 2) == 0;
  return starts ? message + size + 2 : message;
}

/* The message without the target's name, or its file's, in front. */
static const char *behind(const char *message, const char *target) {
  const char *slash = strrchr(target, '/');
  return without(without(message, target), slash && slash[1] ? slash + 1 : target);
}

/* "cannot read postgresql://app:***@db/shop: ". Answers where the message goes on: not with the
 * target once more. */
static const char *add_doing(tn_str *out, const tn_cli *cli, const char *doing,
                             const char *message) {
  const char *between = cli->command->between ? cli->command->between : " to ";
  const char *const links[] = {" ", between};
  const char *rest = message;
  tn_str_printf(out, "cannot %s", doing);
  for (size_t i = 0; i < cli->common->operand_count && *links[i]; i++) {
    char *shown;
    if (tenon_target_shown(cli->tenon, cli->common->operands[i], &shown, NULL)) continue;
    rest = behind(rest, shown);
    tn_str_puts(out, links[i]);
    tn_str_puts(out, shown);
    tenon_text_free(shown);
  }
  tn_str_puts(out, ": ");
  return rest;
}

/* ---- Remedies speak of options as key=value, as all programs may set them; here is how a command line does ---- */

static const tn_cli_option *option_named(const tn_cli_command *command, const char *key,
                                         size_t size) {
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) {
    size_t n = 0;
    while (n < size && o->name[n] && (o->name[n] == key[n] || (o->name[n] == '-' && key[n] == '_')))
      n++;
    if (n == size && !o->name[n]) return o;
  }
  return NULL;
}

/* --format is how rows are written, the parameter of this name how files are read: remedies mean that. */
static bool is_file_parameter(const char *key, size_t size) {
  const tn_option *o;
  if (size == 6 && memcmp(key, "format", 6) == 0) return true;
  for (size_t i = 0; (o = tn_option_at(i)); i++)
    if (strlen(o->key) == size && memcmp(o->key, key, size) == 0) return true;
  return false;
}

static size_t word_size(const char *text) { return strspn(text, "abcdefghijklmnopqrstuvwxyz_"); }

static void add_remedy(tn_str *out, const tn_cli *cli, const char *remedy) {
  while (*remedy) {
    size_t size = word_size(remedy);
    bool is_key = size && remedy[size] == '=', of_files = is_key && is_file_parameter(remedy, size);
    const tn_cli_option *o = is_key && !of_files ? option_named(cli->command, remedy, size) : NULL;
    if (o) {
      tn_str_printf(out, "--%s ", o->name);
      remedy += size + 1;
      continue;
    }
    if (of_files) tn_str_puts(out, "--set ");
    if (!size) size = 1;
    tn_str_add(out, remedy, size);
    remedy += size;
  }
}

static void add_facts(tn_str *out, const tenon_error *err) {
  tn_str_puts(out, "\n  ");
  if (err->stage) tn_str_printf(out, "stage: %s   ", tenon_stage_name(err->stage));
  tn_str_printf(out, "code: %s", tenon_status_name(err->code));
  if (err->sqlstate[0]) tn_str_printf(out, "   sqlstate: %s", err->sqlstate);
  char wait[32];
  tn_cli_show_time(wait, sizeof wait, err->retry_after_ms);
  if (err->retry_after_ms > 0) tn_str_printf(out, "   retry after: %s", wait);
  tn_str_putc(out, '\n');
}

/* The label is coloured, or the text where there is no label. */
static void print_line(const char *color, bool use_color, const char *label, const char *text,
                       size_t size) {
  tn_str shown;
  tn_str_init(&shown, MAX_SHOWN);
  tn_cli_show_text(&shown, text, size, -1);
  fprintf(stderr, "%s%s%s%s%s\n", use_color ? color : "", label,
          use_color && *label ? TN_PLAIN : "", tn_str_text(&shown),
          use_color && !*label ? TN_PLAIN : "");
  tn_str_release(&shown);
}

void tn_cli_report(const tn_cli *cli, const char *doing, const tenon_error *err) {
  bool color = cli && cli->terminal.color_err;
  const char *message = err->message;
  tn_str what, facts, remedy;
  tn_str_init(&what, MAX_SHOWN);
  tn_str_init(&facts, 256);
  tn_str_init(&remedy, MAX_SHOWN);
  if (doing && cli && cli->tenon && cli->common->operand_count && err->code != TENON_CANCELLED)
    message = add_doing(&what, cli, doing, message);
  tn_str_puts(&what, *message ? message : "it failed, and nobody said why");
  add_facts(&facts, err);
  print_line(TN_RED, color, "tenon: ", tn_str_text(&what), what.size);
  fputs(tn_str_text(&facts) + 1, stderr);   /* the line before has ended */
  if (cli) add_remedy(&remedy, cli, err->remedy);
  else tn_str_puts(&remedy, err->remedy);
  if (remedy.size) print_line(TN_BOLD, color, "  try: ", tn_str_text(&remedy), remedy.size);
  tn_str_release(&what);
  tn_str_release(&facts);
  tn_str_release(&remedy);
}

void tn_cli_report_json(tn_document *j, const tenon_error *err) {
  tn_document_open(j, "error", '{');
  tn_document_text(j, "code", tenon_status_name(err->code));
  tn_document_integer(j, "exit", tn_cli_exit_code(err->code));
  tn_document_text(j, "stage", err->stage ? tenon_stage_name(err->stage) : NULL);
  tn_document_text(j, "message", err->message);
  tn_document_text(j, "remedy", err->remedy[0] ? err->remedy : NULL);
  tn_document_bool(j, "retryable", err->retryable);
  tn_document_count(j, "retry_after_ms", err->retry_after_ms);
  tn_document_text(j, "sqlstate", err->sqlstate[0] ? err->sqlstate : NULL);
  tn_document_integer(j, "vendor_code", err->vendor_code);
  tn_document_close(j);
}

static void note(const tn_cli *cli, const char *format, va_list args) {
  char text[1024];
  vsnprintf(text, sizeof text, format, args);
  print_line(TN_DIM, cli->terminal.color_err, "", text, strlen(text));
}

void tn_cli_note(const tn_cli *cli, const char *format, ...) {
  if (cli->common->quiet) return;
  va_list args;
  va_start(args, format);
  note(cli, format, args);
  va_end(args);
}

void tn_cli_note_failure(const tn_cli *cli, const char *format, ...) {
  va_list args;
  va_start(args, format);
  note(cli, format, args);
  va_end(args);
}
