/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "cli/rows.h"
#include "cli/select.h"
#include "cli/spent.h"
#include "cli/text.h"
#include "cli/vector_input.h"
#include "cli/vector_lines.h"
#include "cli/vector_output.h"
#include "core/target.h"

typedef struct vectors_arguments {
  tn_cli_common common;
  int64_t dimension, nearest, limit;
  const char *metric, *from, *source, *embed, *format, *output;
  tn_cli_again vectors, texts, ids, where;
  bool if_absent, with_vectors;
} vectors_arguments;

static const char *const metrics[] = {"cosine", "inner_product", "l2", NULL};

static const char *const formats[] = {"jsonl", NULL};

static const tn_cli_option options[] = {
    {TN_NUMBER(vectors_arguments, dimension), .name = "dimension", .letter = 'd', .value = "N",
     .help = "create: how many numbers a vector has"},
    {TN_CHOICE(vectors_arguments, metric), .name = "metric", .value = "METRIC", .choices = metrics,
     .help = "create: cosine (default), inner_product or l2 (the squared distance)"},
    {TN_FLAG(vectors_arguments, if_absent), .name = "if-absent",
     .help = "create: fine if the same collection is there already"},
    {TN_TEXT(vectors_arguments, from), .name = "from", .value = "TARGET",
     .help = "upsert: rows with the columns id, vector and perhaps document and metadata: a file "
             "(Parquet, JSONL …, - for JSONL from stdin) or a table"},
    {TN_AGAIN(vectors_arguments, vectors), .name = "vector", .value = "NUMBERS",
     .help = "query: the vector to look for, as '[0.1, 0.2, …]', @FILE with one or more (each in "
             "brackets or on a line), - for stdin; again for more"},
    {TN_AGAIN(vectors_arguments, texts), .name = "text", .value = "TEXT",
     .help = "query: the text to look for, with --embed; again for more"},
    {TN_TEXT(vectors_arguments, embed), .name = "embed", .value = "TARGET",
     .help = "query, upsert: the system whose model makes vectors of texts: of --text, or of the rows' documents"},
    {TN_NUMBER(vectors_arguments, nearest), .name = "nearest", .letter = 'k', .value = "N",
     .help = "query: how many rows are wanted (default: 10)"},
    {TN_AGAIN(vectors_arguments, where), .name = "where", .letter = 'w', .value = "COND",
     .help = "rows whose metadata meets this: 'lang = ''en'' and year >= 2020'; again for more"},
    {TN_AGAIN(vectors_arguments, ids), .name = "id", .value = "ID",
     .help = "get, delete: the row with this id, @FILE with ids, one a line, - for stdin; again "
             "for more"},
    {TN_TEXT(vectors_arguments, source), .name = "source", .value = "TEXT",
     .help = "delete: the rows whose metadata has this `source`"},
    {TN_NUMBER(vectors_arguments, limit), .name = "limit", .letter = 'n', .value = "N",
     .help = "get: at most so many rows"},
    {TN_FLAG(vectors_arguments, with_vectors), .name = "vectors",
     .help = "get, query: with the vectors themselves"},
    {TN_CHOICE(vectors_arguments, format), .name = "format", .value = "FORMAT", .choices = formats,
     .help = "get: jsonl writes lines of JSON with the vectors, as upsert --from reads them"},
    {TN_TEXT(vectors_arguments, output), .name = "output", .letter = 'o', .value = "FILE",
     .help = "get: write such lines to a file, which appears whole or not at all"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon vectors create faiss://./index:notes --dimension 384",
    "a collection for vectors of 384 numbers, compared by cosine",
    "tenon vectors upsert faiss://./index:notes --from notes.parquet",
    "rows with id, vector, document, metadata; an id that is there is replaced",
    "tenon vectors query faiss://./index:notes --vector '[0.1, …]' -k 5 --where 'year >= 2020'",
    "the five nearest, of those that meet the condition",
    "tenon vectors upsert faiss://./index:notes --from notes.jsonl --embed gpt",
    "rows without vectors: the connector gpt makes them of the documents",
    "tenon vectors query faiss://./index:notes --text 'how do I cancel?' --embed gpt",
    "the documents that come nearest to a question",
    "tenon vectors delete faiss://./index:notes --source handbook.pdf",
    "what came from one source",
    NULL,
};

/* ---- What is asked for ---- */

typedef struct condition {
  tenon_filter *filters;
  size_t count;
} condition;

static tenon_status refuse(tenon_error *err, const char *remedy, const char *what) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s", what);
}

static tenon_status add_where(tn_cli *cli, const char *text, condition *c, tenon_error *err) {
  tenon_filter *more;
  size_t count;
  tenon_status status = tn_where_parse(text, &cli->arena, &more, &count, err);
  if (status) return status;
  tenon_filter *all = tn_arena_alloc(&cli->arena, (c->count + count + 1) * sizeof *all);
  if (!all) return tn_no_memory(err);
  if (c->count) memcpy(all, c->filters, c->count * sizeof *all);
  if (count) memcpy(all + c->count, more, count * sizeof *all);
  *c = (condition){all, c->count + count};
  return TENON_OK;
}

static tenon_status take_where(tn_cli *cli, const vectors_arguments *a, condition *ret,
                               tenon_error *err) {
  tenon_status status = TENON_OK;
  *ret = (condition){0};
  for (size_t i = 0; i < a->where.count && !status; i++)
    status = add_where(cli, a->where.items[i], ret, err);
  return status;
}

/* ---- Answers ---- */

static tenon_status answer_json(tn_cli *cli, const char *key, tn_cli_rows *rows, tenon_error *err) {
  tn_document *j = tn_cli_result(cli);
  tn_document_open(j, key, '[');
  for (;;) {
    bool there;
    tenon_status status = tn_cli_rows_next(rows, &there, err);
    if (status || !there) return status;
    tn_document_open(j, NULL, '{');
    for (size_t c = 0; c < tn_cli_rows_columns(rows) && !status; c++) {
      const char *name = tn_cli_rows_name(rows, c);
      status = strcmp(name, "metadata") == 0 ? tn_cli_put_metadata(rows, c, j, err)
                                             : tn_cli_rows_json(rows, c, name, j, err);
    }
    tn_document_close(j);
    tn_document_newline(j);
    if (status) return status;
  }
}

static tenon_status fill_table(tn_cli_rows *rows, tn_cli_table *table, tenon_error *err) {
  for (;;) {
    bool there;
    tenon_status status = tn_cli_rows_next(rows, &there, err);
    if (status || !there) return status;
    for (size_t c = 0; c < tn_cli_rows_columns(rows) && !status; c++)
      status = tn_cli_rows_cell(rows, c, table, err);
    if (status) return status;
  }
}

static tenon_status show_table(tn_cli *cli, tn_cli_rows *rows, tenon_error *err) {
  tn_cli_table *table;
  int width = cli->terminal.out_is_terminal ? cli->terminal.width : 0;
  tenon_status status = tn_cli_table_new(tn_cli_rows_columns(rows), stdout, width,
                                         cli->terminal.color_out, &table, err);
  if (status) return status;
  for (size_t i = 0; i < tn_cli_rows_columns(rows); i++)
    tn_cli_table_column(table, i, tn_cli_rows_name(rows, i),
                        tn_printer_is_number(rows->printers[i]));
  status = fill_table(rows, table, err);
  tn_cli_table_flush(table);
  tn_cli_table_free(table);
  if (!status) tn_cli_note(cli, "%lld row%s", (long long)rows->seen, rows->seen == 1 ? "" : "s");
  return status;
}

/* Takes the stream over. */
static tenon_status answer_rows(tn_cli *cli, const char *key, struct ArrowArrayStream *stream,
                                tenon_error *err) {
  tn_cli_rows rows;
  tenon_status status = tn_cli_rows_init(&rows, stream, err);
  if (status) return status;
  status = cli->common->json ? answer_json(cli, key, &rows, err) : show_table(cli, &rows, err);
  tn_cli_rows_release(&rows);
  return status;
}

static void answer_collection(tn_cli *cli, const tenon_collection *c, const char *what) {
  if (!cli->common->json && c->dimension < 1) {
    tn_cli_note(cli, "%s: it was damaged", what);
    return;
  }
  if (!cli->common->json) {
    tn_cli_note(cli, "%s: %d number%s a vector, %s, %lld row%s", what, (int)c->dimension,
                c->dimension == 1 ? "" : "s", metrics[c->metric], (long long)c->count,
                c->count == 1 ? "" : "s");
    return;
  }
  tn_document *j = tn_cli_result(cli);
  tn_document_count(j, "dimension", c->dimension < 1 ? -1 : c->dimension);
  tn_document_text(j, "metric", c->dimension < 1 ? NULL : metrics[c->metric]);
  tn_document_count(j, "count", c->count);
}

static void answer_number(tn_cli *cli, const char *key, int64_t n) {
  char text[32];
  if (cli->common->json) {
    tn_document_count(tn_cli_result(cli), key, n);
    return;
  }
  tn_cli_show_count(text, sizeof text, n);
  printf("%s\n", text);
}

/* ---- Actions ---- */

enum { CREATE = 1, LIST = 2, UPSERT = 4, QUERY = 8, GET = 16, COUNT = 32, DELETE = 64, DROP = 128 };

typedef tenon_status (*action_fn)(tn_cli *, const vectors_arguments *, tenon_session *,
                                  tenon_error *);

static tenon_status create(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                           tenon_error *err) {
  tenon_vectors_create req = {.struct_size = sizeof req, .if_absent = a->if_absent};
  tenon_collection made;
  if (a->dimension < 0)
    return refuse(err, "give --dimension, the length of the vectors that will be kept, 1 to 65536",
                  "the collection's dimension is not said");
  if (a->dimension < 1 || a->dimension > TENON_MAX_DIMENSION)
    return refuse(err, "give the length of the vectors that will be kept",
                  "a collection's dimension is 1 to 65536");
  req.dimension = (int32_t)a->dimension;
  while (a->metric && strcmp(metrics[req.metric], a->metric) != 0) req.metric++;
  tenon_status status = tenon_create_collection(cli->ctx, s, &req, &made, err);
  if (!status) answer_collection(cli, &made, a->if_absent ? "there is" : "created");
  return status;
}

static tenon_status list(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                         tenon_error *err) {
  struct ArrowArrayStream stream;
  (void)a;
  tenon_status status = tenon_list_collections(cli->ctx, s, NULL, &stream, err);
  return status ? status : answer_rows(cli, "collections", &stream, err);
}

static tenon_status drop(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                         tenon_error *err) {
  tenon_collection was;
  (void)a;
  tenon_status status = tenon_drop_collection(cli->ctx, s, NULL, &was, err);
  if (!status) answer_collection(cli, &was, "dropped");
  return status;
}

static void answer_upserted(tn_cli *cli, const tenon_vectors_upserted *done) {
  if (cli->common->json) {
    tn_document *j = tn_cli_result(cli);
    tn_document_integer(j, "rows", done->rows);
    tn_document_count(j, "inserted", done->inserted);
    return;
  }
  const char *plural = done->rows == 1 ? "" : "s";
  if (done->inserted < 0) tn_cli_note(cli, "%lld row%s", (long long)done->rows, plural);
  else
    tn_cli_note(cli, "%lld row%s, %lld new", (long long)done->rows, plural,
                (long long)done->inserted);
}

/* *ret_session (NULL: none) is to be closed when the rows are through. */
static tenon_status open_from(tn_cli *cli, const char *from, bool with_vectors, struct ArrowArrayStream *ret,
                              tenon_session **ret_session, tenon_error *err) {
  tenon_session *session;
  *ret_session = NULL;
  if (tn_cli_is_lines(from)) return tn_cli_vector_lines(cli, from, with_vectors, ret, err);
  tenon_status status = tenon_open(cli->ctx, cli->tenon, from, NULL, 0, &session, err);
  if (status) return status;
  status = tenon_read_table(cli->ctx, session, NULL, ret, NULL, err);
  if (status) tenon_close(session);
  else *ret_session = session;
  return status;
}

/* The rows with vectors of their documents. *rows is replaced, and gone on failure. */
static tenon_status embed_documents(tn_cli *cli, tenon_session *models, struct ArrowArrayStream *rows, tenon_usage *usage,
                                    tenon_error *err) {
  struct ArrowArrayStream embedded;
  tenon_status status = tenon_embed_rows(cli->ctx, models, NULL, rows, "document", &embedded, usage, err);
  if (!status) *rows = embedded;
  return status;
}

static tenon_status open_models(tn_cli *cli, const char *target, tenon_session **ret, tenon_error *err) {
  *ret = NULL;
  return target ? tenon_open(cli->ctx, cli->tenon, target, NULL, 0, ret, err) : TENON_OK;
}

static tenon_status upsert(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                           tenon_error *err) {
  struct ArrowArrayStream rows;
  tenon_session *from = NULL, *models;
  tenon_usage usage;
  tenon_vectors_upserted done;
  tenon_vectors_upsert req = {.struct_size = sizeof req, .rows = &rows};
  if (!a->from) return refuse(err, "give --from FILE", "it is not said where the rows come from");
  tenon_status status = open_models(cli, a->embed, &models, err);
  if (!status) status = open_from(cli, a->from, !models, &rows, &from, err);
  if (!status && models) status = embed_documents(cli, models, &rows, &usage, err);
  if (!status) status = tenon_upsert_vectors(cli->ctx, s, &req, &done, err);
  tenon_close(from);
  tenon_close(models);
  if (status) return status;
  answer_upserted(cli, &done);
  if (a->embed) tn_cli_spent(cli, &usage, NULL);
  return TENON_OK;
}

/* Takes the stream over. */
static tenon_status write_lines(tn_cli *cli, const char *path, struct ArrowArrayStream *stream,
                                tenon_error *err) {
  tn_cli_rows rows;
  tenon_status status = tn_cli_rows_init(&rows, stream, err);
  if (status) return status;
  status = tn_cli_write_lines(&rows, path, err);
  int64_t seen = rows.seen;
  tn_cli_rows_release(&rows);
  if (status || !path) return status;
  if (cli->common->json) tn_document_integer(tn_cli_result(cli), "rows", seen);
  else tn_cli_note(cli, "%lld row%s into %s", (long long)seen, seen == 1 ? "" : "s", path);
  return TENON_OK;
}

static tenon_status get(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                        tenon_error *err) {
  struct ArrowArrayStream stream;
  tenon_vectors_get req = TENON_VECTORS_GET_INIT;
  condition c;
  tn_cli_ids ids;
  bool as_lines = a->format || a->output;
  if (as_lines && !a->output && cli->common->json)
    return refuse(err, "give --output FILE, or leave one of them out",
                  "--json and the lines would both go to stdout");
  tenon_status status = take_where(cli, a, &c, err);
  if (!status) status = tn_cli_take_ids(cli, &a->ids, &ids, err);
  if (status) return status;
  req.ids = ids.items;
  req.id_count = ids.count;
  req.filters = c.filters;
  req.filter_count = c.count;
  req.limit = a->limit;
  if (a->with_vectors || as_lines) req.with |= TENON_WITH_VECTOR;
  status = tenon_get_vectors(cli->ctx, s, &req, &stream, err);
  tn_cli_ids_release(&ids);
  if (!status && as_lines) return write_lines(cli, a->output, &stream, err);
  return status ? status : answer_rows(cli, "rows", &stream, err);
}

/* What is looked for: given as numbers, or made of texts. */
typedef struct sought {
  tn_cli_numbers numbers;
  tenon_embeddings embedded;
} sought;

static void sought_release(sought *v) {
  tn_cli_numbers_release(&v->numbers);
  tenon_embeddings_release(&v->embedded);
}

static tenon_status embed_sought(tn_cli *cli, const vectors_arguments *a, sought *ret, tenon_error *err) {
  const tenon_embed req = {.struct_size = sizeof req, .texts = a->texts.items, .count = a->texts.count};
  tenon_session *models;
  if (!a->embed || a->vectors.count)
    return refuse(err, a->embed ? "leave one of them away" : "give --embed, the system that makes vectors of texts",
                  a->embed ? "--vector and --text are both given" : "--text is given without --embed");
  tenon_status status = open_models(cli, a->embed, &models, err);
  if (status) return status;
  status = tenon_embed_texts(cli->ctx, models, &req, &ret->embedded, err);
  tenon_close(models);
  if (!status) tn_cli_spent(cli, &ret->embedded.usage, NULL);
  return status;
}

static tenon_status seek(tn_cli *cli, const vectors_arguments *a, sought *ret, tenon_error *err) {
  *ret = (sought){.embedded = {.struct_size = sizeof ret->embedded}};
  if (a->texts.count) return embed_sought(cli, a, ret, err);
  if (a->embed)
    return refuse(err, "give --text, or leave --embed out", "--embed is given without --text");
  return tn_cli_take_vectors(cli, &a->vectors, &ret->numbers, err);
}

static tenon_status query(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                          tenon_error *err) {
  struct ArrowArrayStream stream;
  tenon_vectors_query req = TENON_VECTORS_QUERY_INIT;
  sought v;
  condition c;
  if (a->nearest > TENON_MAX_NEAREST)
    return refuse(err, "ask for fewer", "at most 10000 nearest rows can be asked for");
  tenon_status status = take_where(cli, a, &c, err);
  if (!status) status = seek(cli, a, &v, err);
  if (status) return status;
  req.vectors = a->texts.count ? v.embedded.vectors : v.numbers.items;
  req.query_count = a->texts.count ? v.embedded.count : v.numbers.count;
  req.dimension = a->texts.count ? v.embedded.dimension : (int32_t)v.numbers.dimension;
  if (a->nearest >= 0) req.nearest = (int32_t)a->nearest;
  req.filters = c.filters;
  req.filter_count = c.count;
  if (a->with_vectors) req.with |= TENON_WITH_VECTOR;
  status = tenon_query_vectors(cli->ctx, s, &req, &stream, err);
  sought_release(&v);
  return status ? status : answer_rows(cli, "rows", &stream, err);
}

static tenon_status remove_rows(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                                tenon_error *err) {
  tenon_vectors_deleted done;
  tenon_vectors_delete req = {.struct_size = sizeof req, .source = a->source};
  condition c;
  tn_cli_ids ids;
  tenon_status status = take_where(cli, a, &c, err);
  if (!status) status = tn_cli_take_ids(cli, &a->ids, &ids, err);
  if (status) return status;
  req.ids = ids.items;
  req.id_count = ids.count;
  req.filters = c.filters;
  req.filter_count = c.count;
  status = tenon_delete_vectors(cli->ctx, s, &req, &done, err);
  tn_cli_ids_release(&ids);
  if (!status) answer_number(cli, "deleted", done.count);
  return status;
}

static tenon_status count(tn_cli *cli, const vectors_arguments *a, tenon_session *s,
                          tenon_error *err) {
  tenon_vectors_counted counted;
  tenon_vectors_count req = {.struct_size = sizeof req};
  condition c;
  tenon_status status = take_where(cli, a, &c, err);
  if (status) return status;
  req.filters = c.filters;
  req.filter_count = c.count;
  status = tenon_count_vectors(cli->ctx, s, &req, &counted, err);
  if (!status) answer_number(cli, "count", counted.count);
  return status;
}

typedef struct action {
  const char *name;
  unsigned bit;
  action_fn run;
} action;

static const action actions[] = {
    {"create", CREATE, create}, {"list", LIST, list}, {"upsert", UPSERT, upsert},
    {"query", QUERY, query},    {"get", GET, get},    {"count", COUNT, count},
    {"delete", DELETE, remove_rows}, {"drop", DROP, drop},
};

enum { ACTIONS = sizeof actions / sizeof *actions };

/* Whose the options are that not all actions have. */
static const struct {
  const char *option;
  unsigned of;
} owners[] = {
    {"dimension", CREATE}, {"metric", CREATE},       {"if-absent", CREATE},
    {"from", UPSERT},      {"vector", QUERY},        {"nearest", QUERY},
    {"text", QUERY},       {"embed", UPSERT | QUERY},
    {"id", GET | DELETE},  {"source", DELETE},       {"where", QUERY | GET | COUNT | DELETE},
    {"limit", GET},        {"vectors", QUERY | GET},  {"format", GET},
    {"output", GET},
};

static unsigned owners_of(const char *option) {
  for (size_t i = 0; i < sizeof owners / sizeof *owners; i++)
    if (strcmp(owners[i].option, option) == 0) return owners[i].of;
  return ~0u;
}

/* An option that an action would pass over is not what was meant: `drop --id a` is no delete. */
static tenon_status check_options(const action *chosen, const vectors_arguments *a,
                                  tenon_error *err) {
  for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
    unsigned of = owners_of(options[i].name);
    if (of & chosen->bit || !tn_cli_is_given(&options[i], a)) continue;
    char whose[80] = "", message[160];
    for (size_t k = 0; k < ACTIONS; k++)
      if (of & actions[k].bit)
        snprintf(whose + strlen(whose), sizeof whose - strlen(whose), "%s%s",
                 *whose ? " and " : "", actions[k].name);
    snprintf(message, sizeof message, "--%s is an option of %s, not of %s", options[i].name, whose,
             chosen->name);
    return refuse(err, "leave it out, or choose the action that it belongs to", message);
  }
  return TENON_OK;
}

static tenon_status find_action(const char *name, const action **ret, tenon_error *err) {
  const char *names[ACTIONS];
  char remedy[160];
  for (int i = 0; i < ACTIONS; i++) {
    names[i] = actions[i].name;
    if (strcmp(name, names[i]) == 0) {
      *ret = &actions[i];
      return TENON_OK;
    }
  }
  const char *nearest = tn_nearest(name, names, ACTIONS);
  snprintf(remedy, sizeof remedy, "%s%s%sthere are create, list, upsert, query, get, count, delete, drop",
           nearest ? "did you mean " : "", nearest ? nearest : "", nearest ? "? " : "");
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "vectors cannot %.40s", name);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const vectors_arguments *a = arguments;
  tenon_session *session;
  const action *chosen = NULL;
  tenon_status status = find_action(a->common.operands[0], &chosen, err);
  if (!status) status = check_options(chosen, a, err);
  if (!status)
    status = tenon_open(cli->ctx, cli->tenon, a->common.operands[1], a->common.settings.items,
                        a->common.settings.count, &session, err);
  if (status) return status;
  status = chosen->run(cli, a, session, err);
  tenon_close(session);
  return status;
}

const tn_cli_command tn_cli_vectors = {
    .name = "vectors",
    .operands = {"ACTION", "TARGET"},
    .operands_required = 2,
    .summary = "keep vectors in collections and look for the nearest",
    .about =
        "ACTION is create, list, upsert, query, get, count, delete or drop. TARGET is a system "
        "that holds vectors, with a collection behind it: faiss://./FOLDER:NAME.\n\n"
        "A row is an id, a vector, and where there are any a document (text) and metadata (a JSON "
        "object). An upsert replaces the row that has the id. Conditions look at the metadata.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(vectors_arguments),
    .verb = "carry out",
    .between = " on ",
    .run = run,
};
