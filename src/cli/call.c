/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "base/json_text.h"
#include "cli/input.h"
#include "cli/select.h"

enum { MAX_INPUT = 16 << 20 };

typedef struct call_arguments {
  tn_cli_common common;
  const char *input;
  tn_cli_again members;
} call_arguments;

static const tn_cli_option options[] = {
    {TN_TEXT(call_arguments, input), .name = "input", .letter = 'i', .value = "JSON",
     .help = "what the action takes: a JSON object, @FILE with one, or - for one from stdin"},
    {TN_AGAIN(call_arguments, members), .name = "with", .letter = 'w', .value = "KEY=VALUE",
     .help = "a member of the input: text, or with := instead of = JSON (n:=5); again for more"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon call github create_issue --with owner=acme --with repo=shop --with 'title=It is broken'",
    "one call; its answer is printed as JSON",
    "tenon call github:create_issue --input @issue.json",
    "the input from a file; the action may stand behind the target",
    "echo '{\"order\": 7}' | tenon call n8n fire --input -",
    "the input from stdin",
    NULL,
};

/* ---- The input ---- */

static tenon_status take_input(const tn_cli *cli, const char *input, tn_str *ret, tenon_error *err) {
  tn_cli_input in;
  if (!input) return tn_str_puts(ret, "{}") ? TENON_OK : tn_no_memory(err);
  bool is_stdin = strcmp(input, "-") == 0;
  if (*input != '@' && !is_stdin) return tn_str_puts(ret, input) ? TENON_OK : tn_no_memory(err);
  tenon_status status = tn_cli_input_open(cli, is_stdin ? input : input + 1, &in, err);
  if (status) return status;
  status = tn_cli_input_all(&in, ret, err);
  tn_cli_input_close(&in);
  return status;
}

/* key=text, or key:=JSON */
static tenon_status add_member(const char *text, tn_str *out, tenon_error *err) {
  const char *equals = strchr(text, '=');
  bool is_json = equals && equals > text && equals[-1] == ':';
  size_t size = equals ? (size_t)(equals - text) - is_json : 0;
  tn_json_text value;
  if (!size)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write --with key=text or --with key:=JSON", "--with cannot be \"%.80s\"", text);
  tn_str_putc(out, ',');
  tn_json_quote(out, text, size);
  tn_str_putc(out, ':');
  if (!is_json) return tn_json_quote(out, equals + 1, strlen(equals + 1)) ? TENON_OK : tn_no_memory(err);
  if (tn_json_text_check(equals + 1, strlen(equals + 1), &value, NULL))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write text behind =, and JSON behind :=", "the value of %.*s is not JSON",
                      (int)size, text);
  return tn_str_add(out, value.data, value.size) ? TENON_OK : tn_no_memory(err);
}

/* The members go behind those of the object; one that is there twice is refused later. */
static tenon_status add_members(const tn_cli_again *members, tn_str *input, tenon_error *err) {
  tn_json_text object;
  tn_str all;
  if (!members->count) return TENON_OK;
  tenon_error why = TENON_ERROR_INIT;
  if (tn_json_text_check(tn_str_text(input), input->size, &object, &why) || tn_json_text_type(object) != TN_JSON_OBJECT)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a JSON object", "the input is no JSON object%s%s",
                      *why.message ? ": " : "", why.message);
  tn_str_init(&all, MAX_INPUT);
  bool is_empty = tn_json_text_count(object) == 0;
  tn_str_add(&all, object.data, object.size - 1);
  size_t first = all.size;
  tenon_status status = TENON_OK;
  for (size_t i = 0; i < members->count && !status; i++) status = add_member(members->items[i], &all, err);
  if (!status && is_empty) all.data[first] = ' ';
  if (!status && !tn_str_putc(&all, '}')) status = tn_no_memory(err);
  if (!status) {
    tn_str_clear(input);
    if (!tn_str_add(input, all.data, all.size)) status = tn_no_memory(err);
  }
  tn_wipe(all.data, all.size);
  tn_str_release(&all);
  return status;
}

/* ---- The call ---- */

static tenon_status answer(tn_cli *cli, const tenon_action_result *r) {
  if (cli->common->json) {
    tn_document_raw(tn_cli_result(cli), "output", r->output);
    return TENON_OK;
  }
  fwrite(r->output, 1, r->output_size, stdout);
  fputc('\n', stdout);
  return TENON_OK;
}

static tenon_status call(tn_cli *cli, const call_arguments *a, const tn_str *input, tenon_error *err) {
  tenon_session *session;
  tenon_action_result result;
  const tenon_action_call request = {.struct_size = sizeof request, .action = a->common.operands[1], .input = tn_str_text(input),
                                     .input_size = input->size};
  tenon_status status = tenon_open(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                                   a->common.settings.count, &session, err);
  if (status) return status;
  status = tenon_call_action(cli->ctx, session, &request, &result, err);
  if (!status) {
    status = answer(cli, &result);
    result.release(&result);
  }
  tenon_close(session);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const call_arguments *a = arguments;
  tn_str input;
  tn_str_init(&input, MAX_INPUT);
  tenon_status status = take_input(cli, a->input, &input, err);
  if (!status) status = add_members(&a->members, &input, err);
  if (!status) status = call(cli, a, &input, err);
  tn_wipe(input.data, input.size);
  tn_str_release(&input);
  return status;
}

const tn_cli_command tn_cli_call = {
    .name = "call",
    .operands = {"TARGET", "ACTION"},
    .operands_required = 1,
    .summary = "ask a system to do something",
    .about =
        "TARGET is a connector whose kind has actions; the action stands behind it (NAME:ACTION) or is the second word. "
        "The input is checked against the action's JSON Schema before anything is sent; what is wrong is said by its place "
        "in the input. The answer is printed as JSON.\n\n"
        "An action that is not idempotent is never sent twice: if no answer comes, the error says that it may have been done.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(call_arguments),
    .verb = "call",
    .between = ", action ",
    .run = run,
};
