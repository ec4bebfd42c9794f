/* SPDX-License-Identifier: Apache-2.0 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/float.h"
#include "cli/input.h"
#include "cli/select.h"
#include "cli/spent.h"
#include "cli/text.h"

enum {
  MAX_MESSAGE = 16 << 20,
  MAX_IMAGE = 32 << 20,
  MAX_SCHEMA = 1 << 20,
  MAX_PARTS = TN_CLI_MAX_AGAIN + 1
};

typedef struct chat_arguments {
  tn_cli_common common;
  const char *model, *system, *schema, *tools, *temperature;
  tn_cli_again images, stop;
  int64_t seed, max_tokens;
} chat_arguments;

static const tn_cli_option options[] = {
    {TN_TEXT(chat_arguments, model), .name = "model", .letter = 'm', .value = "NAME",
     .help = "the model that answers (default: the connector's)"},
    {TN_TEXT(chat_arguments, system), .name = "system", .letter = 's', .value = "TEXT",
     .help = "instructions that stand before the message"},
    {TN_AGAIN(chat_arguments, images), .name = "image", .value = "FILE",
     .help = "an image beside the message: a file (PNG, JPEG, GIF, WebP) or a URL; again for more"},
    {TN_TEXT(chat_arguments, schema), .name = "schema", .value = "FILE",
     .help = "a JSON Schema that the answer has to keep to"},
    {TN_TEXT(chat_arguments, tools), .name = "tools", .value = "FILE",
     .help = "tools that the model may call: [{\"name\", \"description\", \"parameters\"}]; calls "
             "are printed"},
    {TN_AGAIN(chat_arguments, stop), .name = "stop", .value = "TEXT",
     .help = "end the answer before this text; again for more"},
    {TN_NUMBER(chat_arguments, max_tokens), .name = "max-tokens", .value = "N",
     .help = "at most so many tokens of an answer"},
    {TN_TEXT(chat_arguments, temperature), .name = "temperature", .value = "NUMBER",
     .help = "how freely it chooses its words: 0 and more"},
    {TN_NUMBER(chat_arguments, seed), .name = "seed", .value = "N",
     .help = "the same answer again, as far as the system can"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon chat 'ollama://localhost:11434?model=llama3.2' 'Why is the sky blue?'",
    "the answer as it comes",
    "tenon chat claude --system 'Answer in one sentence.' - < letter.txt",
    "a connector of tenon.yaml; the message from stdin",
    "tenon chat gpt 'What does the sign say?' --image sign.jpg",
    "with an image",
    "tenon chat gpt 'Three cities of France' --schema cities.json | jq .cities",
    "an answer for a program",
    "tenon chat gpt 'What is the weather in Paris?' --tools tools.json --json",
    "every event as a line of JSON",
    NULL,
};

/* ---- What is asked ---- */

typedef struct question {
  tenon_chat chat;
  tenon_message messages[2];
  tenon_part system, parts[MAX_PARTS];
  tn_str message;
  char *schema, *tools_text, *images[TN_CLI_MAX_AGAIN];
  tn_json *tools_json;
  tenon_tool *tools;
  tn_str tool_texts;
} question;

static void release_question(question *q) {
  for (size_t i = 0; i < TN_CLI_MAX_AGAIN; i++) tn_free(q->images[i]);
  tn_free(q->schema);
  tn_free(q->tools_text);
  tn_free(q->tools);
  tn_json_free(q->tools_json);
  tn_str_release(&q->tool_texts);
  tn_str_release(&q->message);
}

static tenon_status read_stdin(const tn_cli *cli, tn_str *ret, tenon_error *err) {
  tn_cli_input in;
  tenon_status status = tn_cli_input_open(cli, "-", &in, err);
  if (status) return status;
  status = tn_cli_input_all(&in, ret, err);
  tn_cli_input_close(&in);
  return status;
}

static tenon_status take_message(tn_cli *cli, const char *text, question *q, tenon_error *err) {
  tenon_status status = TENON_OK;
  if (text && strcmp(text, "-") != 0)
    status = tn_str_puts(&q->message, text) ? TENON_OK : tn_no_memory(err);
  else status = read_stdin(cli, &q->message, err);
  if (status) return status;
  if (!q->message.size || memchr(q->message.data, 0, q->message.size))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a text as MESSAGE, or on stdin",
                      "the message is %s", q->message.size ? "not text" : "empty");
  q->parts[q->messages[1].part_count++] =
      (tenon_part){.type = TENON_PART_TEXT, .text = q->message.data};
  return TENON_OK;
}

static const char *media_type(const char *data, size_t size) {
  if (size > 8 && memcmp(data, "\x89PNG\r\n\x1a\n", 8) == 0) return "image/png";
  if (size > 3 && memcmp(data, "\xFF\xD8\xFF", 3) == 0) return "image/jpeg";
  if (size > 6 && (memcmp(data, "GIF87a", 6) == 0 || memcmp(data, "GIF89a", 6) == 0))
    return "image/gif";
  if (size > 12 && memcmp(data, "RIFF", 4) == 0 && memcmp(data + 8, "WEBP", 4) == 0)
    return "image/webp";
  return NULL;
}

static tenon_status take_image(const char *name, char **ret_data, tenon_part *ret,
                               tenon_error *err) {
  size_t size;
  *ret = (tenon_part){.type = TENON_PART_IMAGE, .url = name};
  if (strncmp(name, "https://", 8) == 0 || strncmp(name, "http://", 7) == 0) return TENON_OK;
  tenon_status status = tn_read_file(name, MAX_IMAGE, ret_data, &size, err);
  if (status) return status;
  *ret = (tenon_part){.type = TENON_PART_IMAGE,
                      .data = *ret_data,
                      .size = size,
                      .media_type = media_type(*ret_data, size)};
  if (ret->media_type) return TENON_OK;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG,
                    "convert it into PNG, JPEG, GIF or WebP", "%.200s is no image of a known kind",
                    name);
}

static tenon_status take_images(const chat_arguments *a, question *q, tenon_error *err) {
  for (size_t i = 0; i < a->images.count; i++) {
    tenon_status status =
        take_image(a->images.items[i], &q->images[i], &q->parts[q->messages[1].part_count++], err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- Tools ---- */

static tenon_status take_tool(const tn_json *v, question *q, size_t i, size_t *at,
                              tenon_error *err) {
  const tn_json *schema = tn_json_get(v, "parameters");
  const tenon_tool t = {.name = tn_json_string(tn_json_get(v, "name")),
                        .description = tn_json_string(tn_json_get(v, "description"))};
  if (!t.name)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write [{\"name\": …, \"description\": …, \"parameters\": {…}}]",
                      "tool %zu of the file has no name", i + 1);
  q->tools[i] = t;
  *at = q->tool_texts.size;
  return !schema || (tn_json_print(schema, &q->tool_texts) && tn_str_add(&q->tool_texts, "", 1))
             ? TENON_OK
             : tn_no_memory(err);
}

/* Schemas are spelled one behind the other; where they are is known when all are. */
static tenon_status take_tools(const char *file, question *q, tenon_error *err) {
  size_t size, at[128];
  tenon_status status = tn_read_file(file, MAX_SCHEMA, &q->tools_text, &size, err);
  if (!status) status = tn_json_parse(q->tools_text, size, &q->tools_json, err);
  if (status) return status;
  size_t count = tn_json_count(q->tools_json);
  if (tn_json_type_of(q->tools_json) != TN_JSON_ARRAY || count < 1 ||
      count > sizeof at / sizeof *at)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write [{\"name\": …, \"description\": …, \"parameters\": {…}}]",
                      "%.200s has no list of 1 to 128 tools", file);
  q->tools = tn_alloc_array(count, sizeof *q->tools);
  if (!q->tools) return tn_no_memory(err);
  for (size_t i = 0; i < count && !status; i++)
    status = take_tool(tn_json_at(q->tools_json, i), q, i, &at[i], err);
  if (status) return status;
  for (size_t i = 0; i < count; i++)
    if (tn_json_get(tn_json_at(q->tools_json, i), "parameters"))
      q->tools[i].parameters = q->tool_texts.data + at[i];
  q->chat.tools = q->tools;
  q->chat.tool_count = count;
  return TENON_OK;
}

/* ---- Settings ---- */

static tenon_status take_settings(const chat_arguments *a, question *q, tenon_error *err) {
  size_t size;
  tenon_status status = TENON_OK;
  q->chat.model = a->model;
  q->chat.stop = a->stop.items;
  q->chat.stop_count = a->stop.count;
  q->chat.max_tokens = a->max_tokens;
  q->chat.has_seed = a->seed >= 0;
  q->chat.seed = a->seed;
  q->chat.has_temperature = a->temperature != NULL;
  if (a->temperature &&
      !(tn_parse_f64(a->temperature, strlen(a->temperature), &q->chat.temperature) &&
        isfinite(q->chat.temperature)))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write a number such as 0.7",
                      "--temperature cannot be %.40s", a->temperature);
  if (a->schema) status = tn_read_file(a->schema, MAX_SCHEMA, &q->schema, &size, err);
  q->chat.schema = q->schema;
  if (!status && a->tools) status = take_tools(a->tools, q, err);
  return status;
}

static tenon_status ask(tn_cli *cli, const chat_arguments *a, question *q, tenon_error *err) {
  tn_str_init(&q->message, MAX_MESSAGE);
  tn_str_init(&q->tool_texts, 2 * MAX_SCHEMA);
  q->chat = (tenon_chat)TENON_CHAT_INIT;
  q->system = (tenon_part){.type = TENON_PART_TEXT, .text = a->system};
  q->messages[0] = (tenon_message){TENON_SYSTEM, &q->system, 1};
  q->messages[1] = (tenon_message){TENON_USER, q->parts, 0};
  q->chat.messages = a->system ? q->messages : &q->messages[1];
  q->chat.message_count = a->system ? 2 : 1;
  tenon_status status = take_settings(a, q, err);
  if (!status) status = take_images(a, q, err);
  return status ? status : take_message(cli, a->common.operands[1], q, err);
}

/* ---- The answer ---- */

/* A call's arguments on one line, whatever the model wrote between its values. */
static const char *on_one_line(const char *arguments, tn_str *line) {
  tn_json *v;
  tn_str_init(line, TN_JSON_MAX_SIZE);
  if (tn_json_parse(arguments, strlen(arguments), &v, NULL)) return "null";
  bool ok = tn_json_print(v, line);
  tn_json_free(v);
  return ok ? tn_str_text(line) : "null";
}

/* As it is; on a terminal nothing but lines and tabs may act. */
static void print_text(const tn_cli *cli, const char *text, size_t size) {
  tn_str shown;
  if (!cli->terminal.out_is_terminal) {
    fwrite(text, 1, size, stdout);
    return;
  }
  tn_str_init(&shown, 8 * size + 16);
  for (size_t i = 0; i < size;) {
    size_t n = 0;
    while (i + n < size && text[i + n] != '\n' && text[i + n] != '\t') n++;
    tn_cli_show_text(&shown, text + i, n, -1);
    i += n;
    if (i < size) tn_str_putc(&shown, text[i++]);
  }
  fwrite(tn_str_text(&shown), 1, shown.size, stdout);
  tn_str_release(&shown);
}

static void put_usage(tn_document *j, const tenon_usage *u) {
  tn_document_count(j, "input_tokens", u->input);
  tn_document_count(j, "cached_tokens", u->cached);
  tn_document_count(j, "output_tokens", u->output);
  tn_cli_spent_json(j, u);
}

static void print_event(const tenon_event *e) {
  static const char *const names[] = {"end", "text", "tool_call", "usage", "done"};
  static const char *const finishes[] = {"stop", "length", "tool_calls", "other"};
  tn_document j;
  tn_str line;
  tn_document_init(&j, stdout);
  tn_document_open(&j, NULL, '{');
  tn_document_text(&j, "event", names[e->type]);
  if (e->type == TENON_EVENT_TEXT) tn_document_text(&j, "text", e->text);
  if (e->type == TENON_EVENT_TOOL_CALL) {
    tn_document_text(&j, "id", e->id);
    tn_document_text(&j, "name", e->name);
    tn_document_raw(&j, "arguments", on_one_line(e->arguments, &line));
    tn_str_release(&line);
  }
  if (e->type == TENON_EVENT_USAGE) put_usage(&j, &e->usage);
  if (e->type == TENON_EVENT_DONE) {
    tn_document_text(&j, "finish", finishes[e->finish]);
    if (e->finish == TENON_FINISH_OTHER) tn_document_text(&j, "reason", e->reason);
    tn_document_text(&j, "model", e->model);
  }
  tn_document_close(&j);
  tn_document_newline(&j);
  tn_document_flush(&j);
  tn_document_release(&j);
}

typedef struct shown {
  bool in_line;                  /* the last line of text has no end yet */
  tenon_usage usage;
} shown;

static void end_line(shown *s) {
  if (s->in_line) putchar('\n');
  s->in_line = false;
}

static void show_call(tn_cli *cli, const tenon_event *e) {
  tn_str line;
  print_text(cli, e->name, strlen(e->name));
  putchar('(');
  const char *arguments = on_one_line(e->arguments, &line);
  print_text(cli, arguments, strlen(arguments));
  fputs(")\n", stdout);
  tn_str_release(&line);
}

static void show_event(tn_cli *cli, const tenon_event *e, shown *s) {
  switch (e->type) {
    case TENON_EVENT_TEXT:
      print_text(cli, e->text, e->size);
      s->in_line = e->text[e->size - 1] != '\n';
      break;
    case TENON_EVENT_TOOL_CALL:
      end_line(s);
      show_call(cli, e);
      break;
    case TENON_EVENT_USAGE: s->usage = e->usage; break;
    case TENON_EVENT_DONE:
      end_line(s);
      fflush(stdout);
      if (e->finish == TENON_FINISH_LENGTH)
        tn_cli_note(cli, "the answer is cut: it may be no longer (--max-tokens)");
      if (e->finish == TENON_FINISH_OTHER)
        tn_cli_note(cli, "the answer may not be whole: the system ended it with \"%s\"", e->reason);
      tn_cli_spent(cli, &s->usage, e->model);
      break;
    default: break;
  }
}

static tenon_status show_answer(tn_cli *cli, tenon_events *events, tenon_error *err) {
  shown s = {.usage = TENON_USAGE_INIT};
  for (;;) {
    tenon_event e;
    tenon_status status = events->next(events->self, &e, err);
    if (status) end_line(&s);
    if (status || e.type == TENON_EVENT_END) return status;
    if (cli->common->json) print_event(&e);
    else show_event(cli, &e, &s);
    if (fflush(stdout) || ferror(stdout)) return tn_cli_output_failed(err);
  }
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const chat_arguments *a = arguments;
  question q = {0};
  tenon_session *session = NULL;
  tenon_events events;
  tenon_status status = ask(cli, a, &q, err);
  if (!status)
    status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                        a->common.settings.count, &session, err);
  if (!status) status = tenon_start_chat(cli->ctx, session, &q.chat, &events, err);
  if (!status) {
    status = show_answer(cli, &events, err);
    events.close(events.self);
  }
  tenon_close(session);
  release_question(&q);
  return status;
}

const tn_cli_command tn_cli_chat = {
    .name = "chat",
    .operands = {"TARGET", "MESSAGE"},
    .operands_required = 1,
    .summary = "ask a language model, and see its answer as it comes",
    .about =
        "TARGET is a system with language models: a connector of tenon.yaml (kinds ollama, "
        "openai, anthropic), or a URL such as ollama://localhost:11434?model=llama3.2. Without "
        "MESSAGE, or with -, the message is read from stdin.\n\n"
        "The answer's text goes to stdout; the tokens it took and what they cost to stderr. The "
        "cost is known for models whose price stands in Tenon's dated table, and for no other. "
        "With --json every event is a line: text, tool_call, usage, done, and in the end whether "
        "all went well.\n\n"
        "A refusal, a content filter, a full context, a rate limit and an answer that breaks off "
        "are failures, also after some text has come.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(chat_arguments),
    .verb = "ask",
    .between = "",
    .run = run,
};
