/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "adapters/pattern.h"
#include "cli/rows.h"
#include "cli/select.h"
#include "core/registry.h"

typedef struct ls_arguments {
  tn_cli_common common;
  bool all, tables, objects, folders;
  const char *schema, *prefix;
} ls_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(ls_arguments, tables), .name = "tables",
     .help = "what can be read as a table, of a storage, too"},
    {TN_FLAG(ls_arguments, objects), .name = "objects", .help = "what is stored, key by key"},
    {TN_FLAG(ls_arguments, all), .name = "all", .letter = 'a',
     .help = "tables: with what the system calls its own"},
    {TN_TEXT(ls_arguments, schema), .name = "schema", .value = "NAME",
     .help = "tables: those of this schema"},
    {TN_TEXT(ls_arguments, prefix), .name = "prefix", .value = "TEXT",
     .help = "objects: keys that begin so"},
    {TN_FLAG(ls_arguments, folders), .name = "folders",
     .help = "objects: one level, keys with one more / behind it as one row"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon ls postgresql://app@localhost/shop",
    "tables and views with their estimated numbers of rows",
    "tenon ls data/ --folders",
    "the objects and folders in a folder, of a bucket (s3://lake/2024/) as well",
    "tenon ls data/ --tables",
    "the files in it that can be read as tables",
    "tenon ls shop.db --json",
    "the same for a program",
    NULL,
};

/* ---- What is listed ---- */

typedef tenon_status open_fn(const tn_cli *, const ls_arguments *, tenon_session *,
                             struct ArrowArrayStream *ret, tenon_error *);

typedef struct listing {
  const char *key;      /* in the JSON answer */
  const char *op;       /* what a kind has that has them itself */
  const char *name;     /* the column that a pattern in the target is compared with, or NULL */
  open_fn *open;
} listing;

static bool is_storage(const tenon_session *session) {
  return tn_provider_has(tenon_session_kind(session), "objects.list");
}

static tenon_status open_tables(const tn_cli *cli, const ls_arguments *a, tenon_session *session,
                                struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_name named = tenon_session_table(session);
  const char *schema = a->schema ? a->schema : named.schema;
  if (!schema && !is_storage(session)) schema = named.table;   /* `tenon ls shop:public` */
  tenon_tables_list all = {.struct_size = sizeof all,
                           .schema = schema,
                           .with_system = a->all || schema};
  return tenon_list_tables(cli->ctx, session, &all, ret, err);
}

/* Behind the target stands how keys begin, or a pattern of them: its part before the first character of a pattern
 * is how they begin. */
static tenon_status open_objects(const tn_cli *cli, const ls_arguments *a, tenon_session *session,
                                 struct ArrowArrayStream *ret, tenon_error *err) {
  tenon_objects_list all = {.struct_size = sizeof all, .delimiter = a->folders ? '/' : 0};
  const char *text = a->prefix ? a->prefix : tenon_session_table(session).table;
  if (text) all.prefix = (tenon_key_bytes){text, strlen(text)};
  if (text && !a->prefix && tn_pattern_is(text)) all.prefix.size = tn_pattern_prefix(text);
  return tenon_list_objects(cli->ctx, session, &all, ret, err);
}

static tenon_status open_collections(const tn_cli *cli, const ls_arguments *a,
                                     tenon_session *session, struct ArrowArrayStream *ret,
                                     tenon_error *err) {
  (void)a;
  return tenon_list_collections(cli->ctx, session, NULL, ret, err);
}

static tenon_status open_models(const tn_cli *cli, const ls_arguments *a, tenon_session *session,
                                struct ArrowArrayStream *ret, tenon_error *err) {
  (void)a;
  return tenon_list_models(cli->ctx, session, NULL, ret, err);
}

/* What a kind itself has comes first: a storage has its tables from its objects. */
enum { OBJECTS, TABLES, COLLECTIONS, MODELS, LISTINGS };
static const listing listings[LISTINGS] = {
    [OBJECTS] = {"objects", "objects.list", "key", open_objects},
    [TABLES] = {"tables", "tables.list", "name", open_tables},
    [COLLECTIONS] = {"collections", "vectors.list", NULL, open_collections},
    [MODELS] = {"models", "models.list", NULL, open_models},
};

static const listing *listing_of(const ls_arguments *a, const tenon_session *session) {
  if (a->tables) return &listings[TABLES];
  if (a->objects) return &listings[OBJECTS];
  for (size_t i = 0; i < LISTINGS; i++)
    if (tn_provider_has(tenon_session_kind(session), listings[i].op)) return &listings[i];
  return &listings[TABLES];
}

static tenon_status misplaced(const char *option, const char *whose, const listing *what,
                              tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "leave it out, or choose with --tables or --objects",
                    "%s is of %s, and %s are listed", option, whose, what->key);
}

static tenon_status check(const ls_arguments *a, const tenon_session *session, const listing *what,
                          tenon_error *err) {
  bool is_tables = what->open == open_tables, is_objects = what->open == open_objects;
  const tenon_provider *kind = tenon_session_kind(session);
  if (!tn_provider_has(kind, what->op) && tn_provider_has(kind, "actions.list"))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE, "`tenon actions TARGET` lists what it can do",
                      "kind %s has actions, and no %s", kind->kind, what->key);
  if (a->tables && a->objects)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "choose one of them",
                      "--tables and --objects are both given");
  if (a->prefix && !is_objects) return misplaced("--prefix", "objects", what, err);
  if (a->folders && !is_objects) return misplaced("--folders", "objects", what, err);
  if (a->all && !is_tables) return misplaced("--all", "tables", what, err);
  if (a->schema && !is_tables) return misplaced("--schema", "tables", what, err);
  if (a->schema && is_storage(session))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "leave it out; a folder or a pattern of files is named in the target",
                      "--schema is of databases, and files have no schemas");
  return TENON_OK;
}

/* Whether a column tells people anything: not the catalog, which is the one that was connected to, not
 * whether a key is a folder, which it shows itself, not one that is NULL throughout, as far as the first batch knows. */
static bool is_useful(const listing *what, const tn_cli_rows *rows, size_t c) {
  const struct ArrowArray *values = rows->batch.release ? rows->batch.children[c] : NULL;
  const char *name = tn_cli_rows_name(rows, c);
  if (strcmp(name, "catalog") == 0) return false;
  if (what->open == open_objects && (strcmp(name, "kind") == 0 || strcmp(name, "etag") == 0))
    return false;
  for (int64_t i = 0; values && i < rows->batch.length; i++)
    if (!tn_is_null(values, rows->batch.offset + i)) return true;
  return !values;
}

static size_t find_useful(const listing *what, const tn_cli_rows *rows, size_t *ret_columns,
                          size_t room) {
  size_t count = 0;
  for (size_t c = 0; c < tn_cli_rows_columns(rows) && count < room; c++)
    if (is_useful(what, rows, c)) ret_columns[count++] = c;
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

static wanted wanted_of(const tenon_session *session, const listing *what,
                        const tn_cli_rows *rows) {
  wanted w = {0};
  const char *text = tenon_session_table(session).table;
  bool is_compared = what->open == open_objects ? text && tn_pattern_is(text) : is_storage(session);
  if (!is_compared || !what->name) return w;
  for (size_t i = 0; i < tn_cli_rows_columns(rows); i++)
    if (strcmp(tn_cli_rows_name(rows, i), what->name) == 0) {
      w.column = i;
      w.pattern = text;
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

static tenon_status show(tn_cli *cli, const listing *what, tn_cli_rows *rows, wanted *w,
                         tenon_error *err) {
  bool there;
  tenon_status status = tn_cli_rows_next(rows, &there, err);
  if (status) return status;
  if (!there) {
    tn_cli_note(cli, "nothing is there");
    return TENON_OK;
  }
  size_t columns[MAX_COLUMNS], count = find_useful(what, rows, columns, MAX_COLUMNS);
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

static tenon_status show_listing(tn_cli *cli, const ls_arguments *a, tenon_session *session,
                                 const listing *what, tenon_error *err) {
  struct ArrowArrayStream stream;
  tn_cli_rows rows;
  tenon_status status = what->open(cli, a, session, &stream, err);
  if (!status) status = tn_cli_rows_init(&rows, &stream, err);
  if (status) return status;
  if (what->open == open_objects) status = tn_cli_rows_as_text(&rows, "key", err);
  wanted w = wanted_of(session, what, &rows);
  if (!status)
    status = a->common.json ? answer_json(cli, what->key, &rows, &w, err)
                            : show(cli, what, &rows, &w, err);
  tn_cli_rows_release(&rows);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const ls_arguments *a = arguments;
  tenon_session *session;
  tenon_status status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0],
                                   a->common.settings.items, a->common.settings.count, &session,
                                   err);
  if (status) return status;
  const listing *what = listing_of(a, session);
  status = check(a, session, what, err);
  if (!status) status = show_listing(cli, a, session, what, err);
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_ls = {
    .name = "ls",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "list what a system has: tables, objects, collections, models",
    .about =
        "Lists what the system itself has: the tables and views of a database, with its estimate of "
        "their rows; the objects of a storage, in the order of their keys, behind a colon those "
        "that begin so or match a pattern; the collections of a vector store; the models of a language "
        "model service. --tables lists the files of a storage that can be read as tables.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(ls_arguments),
    .verb = "list",
    .run = run,
};
