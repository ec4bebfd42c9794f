/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/str.h"
#include "cli/cli.h"
#include "cli/text.h"

enum { LEFT = 26, OVERVIEW_LEFT = 14, MAX_HELP = 64 * 1024, WIDEST_HELP = 100 };

static int bounded(int width) { return width > WIDEST_HELP ? WIDEST_HELP : width; }

void tn_cli_usage(const tn_cli_command *command, char *text, size_t room) {
  tn_str s;
  tn_str_init(&s, 256);
  tn_str_printf(&s, "tenon %s", command->name);
  for (size_t i = 0; i < 2 && command->operands[i]; i++)
    tn_str_printf(&s, i < command->operands_required ? " %s" : " [%s]", command->operands[i]);
  tn_str_puts(&s, " [options]");
  snprintf(text, room, "%s", tn_str_text(&s));
  tn_str_release(&s);
}

/* "  -o, --output FILE      what it does, wrapped in the right column" */
static void add_row(tn_str *out, const char *left, const char *right, int column, int width) {
  tn_str wrapped;
  tn_str_init(&wrapped, MAX_HELP);
  tn_cli_wrap(&wrapped, right, column, width);
  size_t size = strlen(left);
  if ((int)size + 2 < column && wrapped.size > (size_t)column) {
    tn_str_printf(out, "  %-*s", column - 2, left);
    tn_str_puts(out, tn_str_text(&wrapped) + column);
  } else {
    tn_str_printf(out, "  %s\n%s", left, tn_str_text(&wrapped));
  }
  tn_str_release(&wrapped);
}

static void add_option(tn_str *out, const tn_cli_option *o, int width) {
  tn_str left, right;
  tn_str_init(&left, 128);
  tn_str_init(&right, 2048);
  if (o->letter) tn_str_printf(&left, "-%c, ", o->letter);
  tn_str_printf(&left, "--%s", o->name);
  if (o->value) tn_str_printf(&left, " %s", o->value);
  tn_str_puts(&right, o->help);
  for (size_t i = 0; o->choices && o->choices[i]; i++)
    tn_str_printf(&right, "%s%s", i ? ", " : " (", o->choices[i]);
  if (o->choices) tn_str_putc(&right, ')');
  add_row(out, tn_str_text(&left), tn_str_text(&right), LEFT, width);
  tn_str_release(&left);
  tn_str_release(&right);
}

static void add_examples(tn_str *out, const tn_cli_command *command, int width) {
  if (!command->examples) return;
  tn_str_puts(out, "\nExamples:\n");
  for (const char *const *e = command->examples; *e; e += 2) {
    tn_str_printf(out, "  %s\n", e[0]);
    tn_cli_wrap(out, e[1], 6, width);
  }
}

void tn_cli_add_help(const tn_cli_command *command, int width, tn_str *out) {
  width = bounded(width);
  char usage[200];
  tn_cli_usage(command, usage, sizeof usage);
  tn_str_printf(out, "Usage: %s\n\n", usage);
  tn_cli_wrap(out, command->about, 0, width);
  add_examples(out, command, width);
  tn_str_puts(out, "\nOptions:\n");
  const tn_cli_option *o;
  for (size_t i = 0; (o = tn_cli_option_at(command, i)); i++) {
    if (i == command->option_count && i) tn_str_puts(out, "\nOptions of every command:\n");
    add_option(out, o, width);
  }
}

/* Lines that are indented stay as they are. */
void tn_cli_add_topic(const char *text, int width, tn_str *out) {
  for (const char *line = text; line;) {
    const char *end = strchr(line, '\n');
    size_t size = end ? (size_t)(end - line) : strlen(line);
    char *copy = tn_strndup(line, size);
    if (copy && *copy && *copy != ' ') tn_cli_wrap(out, copy, 0, bounded(width));
    else tn_str_printf(out, "%s\n", copy ? copy : "");
    tn_free(copy);
    line = end ? end + 1 : NULL;
  }
}

static const char *const overview =
    "Tenon reads any system that it has a kind for, as exactly typed rows, and copies them; it moves objects, keeps "
    "vectors, asks models, sends mails and calls actions, all by one way to name, test and use a system.";

static const char *const targets =
    "TARGET names a system, and a table in it behind a colon:\n"
    "  postgresql://app@db.example/shop:public.orders   a URL; its ?key=value set parameters\n"
    "  'logs/*.parquet'   data/prices.csv   shop.db     a file, a pattern, a SQLite database\n"
    "  shop:public.orders                               a connector's name from tenon.yaml\n"
    "Write a password as $ENV:NAME or $FILE:PATH, so that it is on no command line: "
    "'postgresql://app:$ENV:SHOP_PASSWORD@db.example/shop'";

void tn_cli_add_overview(int width, tn_str *out) {
  width = bounded(width);
  tn_str_puts(out, "Usage: tenon COMMAND …\n\n");
  tn_cli_wrap(out, overview, 0, width);
  tn_str_puts(out, "\nCommands:\n");
  for (size_t i = 0; tn_cli_commands[i]; i++)
    if (!tn_cli_commands[i]->is_hidden)
      add_row(out, tn_cli_commands[i]->name, tn_cli_commands[i]->summary, OVERVIEW_LEFT, width);
  tn_str_puts(out, "\n");
  tn_str_puts(out, targets);
  tn_str_puts(
      out,
      "\n\nMore: tenon COMMAND --help   tenon help targets   tenon kinds KIND   tenon --version\n");
}
