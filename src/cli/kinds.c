/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "cli/cli.h"
#include "cli/table.h"
#include "core/params.h"
#include "core/registry.h"

typedef struct kinds_arguments {
  tn_cli_common common;
  bool markdown;
} kinds_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(kinds_arguments, markdown), .name = "markdown",
     .help = "with KIND: as a page of docs/kinds"},
};

static const char *const examples[] = {
    "tenon kinds", "the kinds of systems that there are",
    "tenon kinds postgresql", "its parameters: in a URL, in tenon.yaml, or as --set KEY=VALUE",
    "tenon kinds postgresql --json", "the same as a JSON Schema",
    NULL,
};

/* What a kind can do, in a few words for the list. */
static const struct {
  const char *operation, *word;
} abilities[] = {
    {"tables.read", "read"}, {"tables.write", "write"}, {"tables.plan", "partitions"},
    {"objects.get", "objects"}, {"objects.put", "put"},
    {"vectors.query", "vectors"}, {"models.chat", "chat"}, {"models.embed", "embed"},
    {"mail.send", "mail"},
    {"actions.call", "actions"},
};

enum { ABILITY_COUNT = sizeof abilities / sizeof abilities[0] };

static void abilities_of(const tenon_provider *p, char *text, size_t room) {
  tn_str s;
  tn_str_init(&s, 256);
  for (size_t i = 0; i < ABILITY_COUNT; i++)
    if (tn_provider_has(p, abilities[i].operation))
      tn_str_printf(&s, "%s%s", s.size ? ", " : "", abilities[i].word);
  if (p->traits & TENON_QUERYABLE) tn_str_puts(&s, ", query");
  snprintf(text, room, "%s", tn_str_text(&s));
  tn_str_release(&s);
}

static tenon_status add_row(tn_cli_table *table, const tenon_provider *p, tenon_error *err) {
  char can[256];
  abilities_of(p, can, sizeof can);
  const char *const cells[] = {p->kind, p->category, can, p->summary};
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < 4 && !status; i++)
    status = tn_cli_table_text(table, cells[i], i ? TN_CELL_PLAIN : TN_CELL_GOOD, err);
  return status;
}

static tenon_status show_list(tn_cli *cli, tenon_error *err) {
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(4, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  static const char *const titles[] = {"kind", "category", "can", "summary"};
  for (size_t i = 0; i < 4; i++) tn_cli_table_column(table, i, titles[i], false);
  const tenon_provider *p;
  for (size_t i = 0; !status && (p = tenon_kind_at(cli->tenon, i)); i++)
    status = add_row(table, p, err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  return status;
}

static void json_kind(tn_document *j, const tenon_provider *p) {
  tn_document_text(j, "kind", p->kind);
  tn_document_text(j, "category", p->category);
  tn_document_text(j, "label", p->label);
  tn_document_text(j, "summary", p->summary);
  tn_document_open(j, "aliases", '[');
  for (size_t i = 0; p->aliases && p->aliases[i]; i++) tn_document_text(j, NULL, p->aliases[i]);
  tn_document_close(j);
  tn_document_open(j, "operations", '[');
#define TN_OP(facet, name, request, reply, flags) \
  if (tn_provider_has(p, #facet "." #name)) tn_document_text(j, NULL, #facet "." #name);
#include "core/ops.def"
#undef TN_OP
  tn_document_close(j);
  tn_document_bool(j, "queryable", p->traits & TENON_QUERYABLE);
}

static void json_list(tn_cli *cli) {
  tn_document *j = tn_cli_result(cli);
  tn_document_open(j, "kinds", '[');
  const tenon_provider *p;
  for (size_t i = 0; (p = tenon_kind_at(cli->tenon, i)); i++) {
    tn_document_open(j, NULL, '{');
    json_kind(j, p);
    tn_document_close(j);
  }
  tn_document_close(j);
}

static tenon_status show_kind(tn_cli *cli, const tenon_provider *p, bool markdown,
                              tenon_error *err) {
  tn_str text;
  tn_str_init(&text, 1 << 20);
  bool ok;
  if (cli->common->json) {
    ok = tn_params_json_schema(p, &text);
    if (ok) {
      tn_document *j = tn_cli_result(cli);
      json_kind(j, p);
      tn_document_raw(j, "parameters", tn_str_text(&text));
    }
  } else {
    ok = markdown ? tn_params_markdown(p, &text) : tn_params_help(p, cli->terminal.width, &text);
    if (ok) fputs(tn_str_text(&text), stdout);
  }
  tn_str_release(&text);
  return ok ? TENON_OK : tn_no_memory(err);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const kinds_arguments *a = arguments;
  const tn_cli_common *common = &a->common;
  if (common->operand_count) {
    const tenon_provider *p;
    tenon_status status = tenon_kind_find(cli->tenon, common->operands[0], &p, err);
    return status ? status : show_kind(cli, p, a->markdown, err);
  }
  if (!common->json) return show_list(cli, err);
  json_list(cli);
  return TENON_OK;
}

const tn_cli_command tn_cli_kinds = {
    .name = "kinds",
    .operands = {"KIND"},
    .summary = "list the kinds of systems, or the parameters of one",
    .about =
        "Lists the kinds of systems that Tenon connects to and what it can do with each. With "
        "KIND: its "
        "parameters, which of them are required or secret, their defaults and what they mean.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(kinds_arguments),
    .run = run,
};
