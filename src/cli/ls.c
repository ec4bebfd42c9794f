/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "adapters/pattern.h"
#include "cli/rows.h"
#include "cli/select.h"
#include "core/registry.h"

typedef struct ls_arguments {
  tn_cli_common common;
  bool all, objects;
  const char *schema, *prefix;
} ls_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(ls_arguments, all), .name = "all", .letter = 'a',
     .help = "with what the system calls its own"},
    {TN_TEXT(ls_arguments, schema), .name = "schema", .value = "NAME",
     .help = "tables of this schema"},
    {TN_FLAG(ls_arguments, objects), .name = "objects",
     .help = "what is stored, instead of what can be read as a table"},
    {TN_TEXT(ls_arguments, prefix), .name = "prefix", .value = "TEXT",
     .help = "with --objects: keys that begin so"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon ls postgresql://app@localhost/shop",
    "tables and views with their estimated numbers of rows",
    "tenon ls data/",
    "the files of a folder that can be read as tables",
    "tenon ls shop.db --json",
    "the same for a program",
    NULL,
};

static bool holds_objects(const tenon_session *session) {
  return tn_provider_has(tenon_session_kind(session), "objects.list");
}

static tenon_status check(const ls_arguments *a, tenon_error *err) {
  if (!a->prefix || a->objects) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "add --objects, or leave it out",
                    "--prefix is of objects, and tables are listed");
}

static tenon_status check_schema(const ls_arguments *a, const tenon_session *session,
                                 tenon_error *err) {
  if (!a->schema || !(a->objects || holds_objects(session))) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "leave it out; a folder or a pattern of files is named in the target",
                    "--schema is of tables, and there are no schemas of files");
}

static bool holds_vectors(const tenon_session *session) {
  return tn_provider_has(tenon_session_kind(session), "vectors.list");
}

static tenon_status open_list(const tn_cli *cli, const ls_arguments *a, tenon_session *session,
                              struct ArrowArrayStream *ret, tenon_error *err) {
  if (a->objects) {
    tenon_objects_list all = {.struct_size = sizeof all};
    if (a->prefix) all.prefix = (tenon_key_bytes){a->prefix, strlen(a->prefix)};
    return tenon_list_objects(cli->ctx, session, &all, ret, err);
  }
  if (holds_vectors(session)) return tenon_list_collections(cli->ctx, session, NULL, ret, err);
  tenon_name named = tenon_session_table(session);
  const char *schema = a->schema ? a->schema : named.schema;
  if (!schema && !holds_objects(session)) schema = named.table;   /* `tenon ls shop:public` */
  tenon_tables_list all = {.struct_size = sizeof all,
                           .schema = schema,
                           .with_system = a->all || schema};
  return tenon_list_tables(cli->ctx, session, &all, ret, err);
}

/* Whether a column tells people anything: not the catalog, which is the one that was connected to, and
 * not one that is NULL throughout, as far as the first batch knows. */
static bool is_useful(const tn_cli_rows *rows, size_t c) {
  const struct ArrowArray *values = rows->batch.release ? rows->batch.children[c] : NULL;
  if (strcmp(tn_cli_rows_name(rows, c), "catalog") == 0) return false;
  for (int64_t i = 0; values && i < rows->batch.length; i++)
    if (!tn_is_null(values, rows->batch.offset + i)) return true;
  return !values;
}

static size_t find_useful(const tn_cli_rows *rows, size_t *ret_columns, size_t room) {
  size_t count = 0;
  for (size_t c = 0; c < tn_cli_rows_columns(rows) && count < room; c++)
    if (is_useful(rows, c)) ret_columns[count++] = c;
  return count;
}

enum { MAX_COLUMNS = 16 };

/* ---- Of files, those that the path or pattern means ---- */

typedef struct wanted {
  const char *pattern;   /* NULL: all */
  const char *name;
  size_t size, column;
  bool matches;
} wanted;

static tenon_status match_one(void *arg, const char *alternative, tenon_error *err) {
  wanted *w = arg;
  (void)err;
  w->matches |= tn_pattern_matches(alternative, strlen(alternative), w->name, w->size);
  return TENON_OK;
}

static bool is_wanted(wanted *w, tn_cli_rows *rows) {
  if (!w->pattern || tn_cli_rows_text(rows, w->column, &w->name, &w->size, NULL) || !w->name)
    return true;
  w->matches = strlen(w->pattern) == w->size && memcmp(w->pattern, w->name, w->size) == 0;
  if (!w->matches) tn_pattern_expand(w->pattern, match_one, w, NULL);
  return w->matches;
}

static wanted wanted_of(const tenon_session *session, const tn_cli_rows *rows) {
  wanted w = {0};
  if (!holds_objects(session)) return w;
  for (size_t i = 0; i < tn_cli_rows_columns(rows); i++)
    if (strcmp(tn_cli_rows_name(rows, i), "name") == 0) {
      w.column = i;
      w.pattern = tenon_session_table(session).table;
    }
  return w;
}

/* ---- For people ---- */

static tenon_status fill(tn_cli_rows *rows, wanted *w, const size_t *columns, size_t count,
                         tn_cli_table *table, tenon_error *err) {
  for (bool there = true; there;) {
    tenon_status status = TENON_OK;
    bool shown = is_wanted(w, rows);
    for (size_t i = 0; i < count && shown && !status; i++)
      status = tn_cli_rows_cell(rows, columns[i], table, err);
    if (!status) status = tn_cli_rows_next(rows, &there, err);
    if (status) return status;
  }
  return TENON_OK;
}

static tenon_status show(tn_cli *cli, tn_cli_rows *rows, wanted *w, tenon_error *err) {
  bool there;
  tenon_status status = tn_cli_rows_next(rows, &there, err);
  if (status) return status;
  if (!there) {
    tn_cli_note(cli, "nothing is there");
    return TENON_OK;
  }
  size_t columns[MAX_COLUMNS], count = find_useful(rows, columns, MAX_COLUMNS);
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  if ((status = tn_cli_table_new(count, stdout, width, cli->terminal.color_out, &table, err)))
    return status;
  for (size_t i = 0; i < count; i++)
    tn_cli_table_column(table, i, tn_cli_rows_name(rows, columns[i]),
                        tn_printer_is_number(rows->printers[columns[i]]));
  status = fill(rows, w, columns, count, table, err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  return status;
}

/* ---- For programs ---- */

static tenon_status answer_json(tn_cli *cli, const char *key, tn_cli_rows *rows, wanted *w,
                                tenon_error *err) {
  tn_document *j = tn_cli_result(cli);
  tn_document_open(j, key, '[');
  for (;;) {
    bool there;
    tenon_status status = tn_cli_rows_next(rows, &there, err);
    if (status || !there) return status;
    if (!is_wanted(w, rows)) continue;
    tn_document_open(j, NULL, '{');
    for (size_t c = 0; c < tn_cli_rows_columns(rows) && !status; c++)
      status = tn_cli_rows_json(rows, c, tn_cli_rows_name(rows, c), j, err);
    tn_document_close(j);
    tn_document_newline(j);
    if (status) return status;
  }
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const ls_arguments *a = arguments;
  tenon_session *session;
  struct ArrowArrayStream stream;
  tn_cli_rows rows;
  tenon_status status = check(a, err);
  if (status) return status;
  status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                      a->common.settings.count, &session, err);
  if (status) return status;
  status = check_schema(a, session, err);
  if (!status) status = open_list(cli, a, session, &stream, err);
  if (!status) status = tn_cli_rows_init(&rows, &stream, err);
  if (!status) {
    if (a->objects) status = tn_cli_rows_as_text(&rows, "key", err);
    wanted w = wanted_of(session, &rows);
    const char *key = a->objects ? "objects" : holds_vectors(session) ? "collections" : "tables";
    if (!status)
      status = a->common.json ? answer_json(cli, key, &rows, &w, err) : show(cli, &rows, &w, err);
    tn_cli_rows_release(&rows);
  }
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_ls = {
    .name = "ls",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "list the tables of a system, or its objects",
    .about =
        "Lists the tables, views and files that can be read, with the system's estimate of their "
        "rows. Without --all, "
        "what the system calls its own is left out.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(ls_arguments),
    .verb = "list",
    .run = run,
};
