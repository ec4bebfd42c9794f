/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "arrow/build.h"
#include "base/str.h"
#include "cli/cli.h"
#include "cli/select.h"
#include "cli/table.h"
#include "cli/text.h"
#include "arrow/names.h"

typedef struct describe_arguments {
  tn_cli_common common;
  const char *query;
} describe_arguments;

static const tn_cli_option options[] = {
    {TN_TEXT(describe_arguments, query), .name = "query", .value = "SQL",
     .help = "the columns of a query instead of a table's"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon describe postgresql://app@localhost/shop:public.orders",
    "its columns, their types, and how they are read",
    "tenon describe data/prices.csv",
    "the types that were found in a file",
    NULL,
};

enum { MAX_TYPE = 4096 };

/* NULL: it cannot be read. Valid until `text` is released. */
static const char *type_of(const tenon_table *t, size_t i, tn_str *text) {
  tn_str_init(text, MAX_TYPE);
  if (t->columns[i].unreadable) return NULL;
  tn_type_name(t->schema.children[i], text);
  return tn_str_text(text);
}

static void key_of(const tenon_column *c, char *text, size_t room) {
  text[0] = 0;
  if (c->key_position) snprintf(text, room, "%d", (int)c->key_position);
}

/* ---- For people ---- */

static tenon_status add_column(tn_cli_table *table, const tenon_table *t, size_t i,
                               tenon_error *err) {
  const tenon_column *c = &t->columns[i];
  char key[16], remark[1024];
  tn_str text;
  const char *type = type_of(t, i, &text);
  key_of(c, key, sizeof key);
  snprintf(remark, sizeof remark, "%s%s%s", c->remark ? c->remark : "",
           c->remark && c->comment ? "; " : "", c->comment ? c->comment : "");
  const char *const cells[] = {
      c->name, c->type, type ? type : "not readable", c->nullable ? "yes" : "no", key, remark};
  tenon_status status = TENON_OK;
  for (size_t n = 0; n < 6 && !status; n++)
    status = tn_cli_table_text(table, cells[n] ? cells[n] : "",
                               n == 2 && c->unreadable ? TN_CELL_BAD : TN_CELL_PLAIN, err);
  tn_str_release(&text);
  return status;
}

static tenon_status show_columns(tn_cli *cli, const tenon_table *t, tenon_error *err) {
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(6, stdout, width, cli->terminal.color_out, &table, err);
  if (status) return status;
  static const char *const titles[] = {"column", "type", "read as", "nullable", "key", "remark"};
  for (size_t i = 0; i < 6; i++) tn_cli_table_column(table, i, titles[i], i == 4);
  for (size_t i = 0; i < t->column_count && !status; i++) status = add_column(table, t, i, err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  return status;
}

static void show_keys(const tn_cli *cli, const tenon_table *t) {
  for (size_t i = 0; i < t->key_count; i++) {
    const tenon_key *k = &t->keys[i];
    tn_str text;
    tn_str_init(&text, 1024);
    for (size_t c = 0; c < k->column_count; c++)
      tn_str_printf(&text, "%s%s", c ? ", " : "", k->columns[c]);
    tn_cli_note(cli, "%s key%s%s (%s)%s%s", k->kind, k->name && *k->name ? " " : "",
                k->name ? k->name : "", tn_str_text(&text),
                k->references ? " refers to " : "", k->references ? k->references : "");
    tn_str_release(&text);
  }
}

static void show_facts(const tn_cli *cli, const tenon_table *t) {
  char rows[32], bytes[32];
  if (t->comment) tn_cli_note(cli, "%s", t->comment);
  show_keys(cli, t);
  tn_cli_show_count(rows, sizeof rows, t->rows_estimate);
  tn_cli_show_bytes(bytes, sizeof bytes, t->bytes_estimate);
  if (t->rows_estimate >= 0 && t->bytes_estimate >= 0)
    tn_cli_note(cli, "about %s rows, %s", rows, bytes);
  else if (t->rows_estimate >= 0) tn_cli_note(cli, "about %s rows", rows);
  else if (t->bytes_estimate >= 0)
    tn_cli_note(cli, "%s; how many rows is not known before reading", bytes);
}

/* ---- For programs ---- */

static void json_column(tn_document *j, const tenon_table *t, size_t i) {
  const tenon_column *c = &t->columns[i];
  tn_str text;
  const char *type = type_of(t, i, &text);
  tn_document_open(j, NULL, '{');
  tn_document_text(j, "name", c->name);
  tn_document_text(j, "type", c->type);
  tn_document_text(j, "arrow", type);
  tn_document_bool(j, "readable", !c->unreadable);
  tn_document_bool(j, "nullable", c->nullable);
  tn_document_count(j, "key_position", c->key_position ? c->key_position : -1);
  tn_document_text(j, "default", c->default_value);
  tn_document_text(j, "remark", c->remark);
  tn_document_text(j, "comment", c->comment);
  tn_document_close(j);
  tn_str_release(&text);
}

static void json_key(tn_document *j, const tenon_key *k) {
  tn_document_open(j, NULL, '{');
  tn_document_text(j, "kind", k->kind);
  tn_document_text(j, "name", k->name);
  tn_document_open(j, "columns", '[');
  for (size_t i = 0; i < k->column_count; i++) tn_document_text(j, NULL, k->columns[i]);
  tn_document_close(j);
  tn_document_text(j, "references", k->references);
  tn_document_close(j);
}

static void answer_json(tn_cli *cli, const tenon_table *t) {
  tn_document *j = tn_cli_result(cli);
  tn_document_text(j, "catalog", t->catalog);
  tn_document_text(j, "schema", t->schema_name);
  tn_document_text(j, "name", t->name);
  tn_document_text(j, "kind", t->kind);
  tn_document_text(j, "comment", t->comment);
  tn_document_count(j, "rows_estimate", t->rows_estimate);
  tn_document_count(j, "bytes_estimate", t->bytes_estimate);
  tn_document_open(j, "columns", '[');
  for (size_t i = 0; i < t->column_count; i++) json_column(j, t, i);
  tn_document_close(j);
  tn_document_open(j, "keys", '[');
  for (size_t i = 0; i < t->key_count; i++) json_key(j, &t->keys[i]);
  tn_document_close(j);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const describe_arguments *a = arguments;
  tenon_session *session;
  tenon_table table;
  tenon_read what = TENON_READ_INIT;
  what.query = a->query;
  tenon_status status =
      tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                 a->common.settings.count, &session, err);
  if (status) return status;
  status = tenon_describe_table(cli->ctx, session, &what, &table, err);
  if (!status) {
    if (a->common.json) answer_json(cli, &table);
    else if (!(status = show_columns(cli, &table, err))) show_facts(cli, &table);
    table.release(&table);
  }
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_describe = {
    .name = "describe",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "show a table's columns, their types and keys",
    .about =
        "Shows each column with its type as the system declares it and as it is read (no type is "
        "narrowed), whether it "
        "may be NULL, its place in the primary key, and a remark where something is worth knowing.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(describe_arguments),
    .verb = "describe",
    .run = run,
};
