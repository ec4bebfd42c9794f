/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/json_text.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "cli/table.h"

typedef struct actions_arguments {
  tn_cli_common common;
  bool schemas;
} actions_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(actions_arguments, schemas), .name = "schemas", .help = "with the JSON Schemas of input and output"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon actions github", "what the connector can do, and what each action takes",
    "tenon actions github:issues --schemas", "one of them, with its JSON Schemas",
    "tenon actions github --json", "the same for programs, and for models that choose tools",
    NULL,
};

/* ---- For people ---- */

/* owner, repo, state?: the members of the input, those that may be left out with a question mark. */
static void put_inputs(const char *schema, tn_str *out) {
  tn_json_text root, properties, required = {NULL, 0}, name, value, one;
  if (tn_json_text_check(schema, strlen(schema), &root, NULL) || !tn_json_text_get(root, "properties", 10, &properties)) return;
  tn_json_text_get(root, "required", 8, &required);
  for (const char *c = NULL; tn_json_text_next(properties, &c, &name, &value);) {
    bool needed = false;
    for (const char *d = NULL; !needed && tn_json_text_next(required, &d, NULL, &one);) needed = tn_json_text_equal(one, name);
    if (out->size) tn_str_puts(out, ", ");
    tn_json_text_unquote(name, out);
    if (!needed) tn_str_putc(out, '?');
  }
}

static const char *effect_of(const tenon_action *a) {
  if (a->flags & TENON_ACTION_READ_ONLY) return "reads";
  return a->flags & TENON_ACTION_IDEMPOTENT ? "changes, may be repeated" : "changes";
}

static tenon_status add_row(tn_cli_table *table, const tenon_action *a, tenon_error *err) {
  tn_str inputs;
  tn_str_init(&inputs, 64 << 10);
  put_inputs(a->input_schema, &inputs);
  const char *says = a->title ? a->title : a->description;
  const char *const cells[] = {a->name, effect_of(a), tn_str_text(&inputs), says ? says : ""};
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < 4 && !status; i++)
    status = tn_cli_table_text(table, cells[i], i ? TN_CELL_PLAIN : TN_CELL_GOOD, err);
  tn_str_release(&inputs);
  return status;
}

static tenon_status show_table(tn_cli *cli, const tenon_actions *all, tenon_error *err) {
  static const char *const titles[] = {"action", "effect", "input", "what it does"};
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(4, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  for (size_t i = 0; i < 4; i++) tn_cli_table_column(table, i, titles[i], false);
  for (size_t i = 0; i < all->count && !status; i++) status = add_row(table, &all->items[i], err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  return status;
}

static void show_schemas(const tenon_actions *all) {
  for (size_t i = 0; i < all->count; i++) {
    const tenon_action *a = &all->items[i];
    printf("%s%s\n", i ? "\n" : "", a->name);
    if (a->title) printf("  %s\n", a->title);
    if (a->description) printf("  %s\n", a->description);
    printf("  effect: %s\n  input: %s\n", effect_of(a), a->input_schema);
    if (a->output_schema) printf("  output: %s\n", a->output_schema);
  }
}

/* ---- For programs ---- */

static void put_action(tn_document *j, const tenon_action *a) {
  tn_document_open(j, NULL, '{');
  tn_document_text(j, "name", a->name);
  tn_document_text(j, "title", a->title);
  tn_document_text(j, "description", a->description);
  tn_document_bool(j, "read_only", a->flags & TENON_ACTION_READ_ONLY);
  tn_document_bool(j, "idempotent", a->flags & (TENON_ACTION_IDEMPOTENT | TENON_ACTION_READ_ONLY));
  tn_document_raw(j, "input_schema", a->input_schema);
  tn_document_raw(j, "output_schema", a->output_schema ? a->output_schema : "true");
  tn_document_close(j);
  tn_document_newline(j);
}

static void put_json(tn_cli *cli, const tenon_actions *all) {
  tn_document *j = tn_cli_result(cli);
  tn_document_open(j, "actions", '[');
  for (size_t i = 0; i < all->count; i++) put_action(j, &all->items[i]);
  tn_document_close(j);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const actions_arguments *a = arguments;
  tenon_session *session;
  tenon_actions all;
  tenon_status status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                                   a->common.settings.count, &session, err);
  if (status) return status;
  status = tenon_list_actions(cli->ctx, session, NULL, &all, err);
  if (!status) {
    if (cli->common->json) put_json(cli, &all);
    else if (a->schemas) show_schemas(&all);
    else status = show_table(cli, &all, err);
    all.release(&all);
  }
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_actions = {
    .name = "actions",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "list what a system can be asked to do",
    .about =
        "TARGET is a connector whose kind has actions (rest_api, twilio_messaging, n8n_webhook …), alone or with one "
        "action behind it: NAME:ACTION. An input with a question mark may be left out. `tenon call` calls them.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(actions_arguments),
    .verb = "list the actions of",
    .run = run,
};
