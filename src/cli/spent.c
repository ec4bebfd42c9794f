/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/spent.h"

#include <inttypes.h>
#include <string.h>

#include "cli/text.h"

/* Billionths of a dollar as dollars, without zeros at the end: 0.000123 */
static void spell_cost(int64_t nano, char *text, size_t room) {
  snprintf(text, room, "%" PRId64 ".%09" PRId64, nano / 1000000000, nano % 1000000000);
  size_t n = strlen(text);
  while (text[n - 1] == '0' && text[n - 2] != '.') text[--n] = 0;
}

static void add_tokens(tn_str *line, int64_t n, const char *what) {
  char count[32];
  if (n < 0) return;
  tn_cli_show_count(count, sizeof count, n);
  tn_str_printf(line, "%s%s %s", line->size ? ", " : "", count, what);
}

void tn_cli_spent(const tn_cli *cli, const tenon_usage *u, const char *model) {
  char cost[40];
  tn_str line;
  tn_str_init(&line, 1024);
  add_tokens(&line, u->input, "tokens read");
  if (u->cached > 0) add_tokens(&line, u->cached, "of them from the cache");
  if (u->output > 0) add_tokens(&line, u->output, "written");
  if (!line.size) tn_str_puts(&line, "tokens: unknown");
  if (u->cost_nano >= 0) {
    spell_cost(u->cost_nano, cost, sizeof cost);
    tn_str_printf(&line, "; $%s", cost);
  } else {
    tn_str_puts(&line, "; cost unknown");
  }
  if (model) tn_str_printf(&line, " (%.100s)", model);
  tn_cli_note(cli, "%s", tn_str_text(&line));
  tn_str_release(&line);
}

void tn_cli_spent_json(tn_document *j, const tenon_usage *u) {
  char cost[40] = "null";
  if (u->cost_nano >= 0) spell_cost(u->cost_nano, cost, sizeof cost);
  tn_document_raw(j, "cost_usd", cost);
}
