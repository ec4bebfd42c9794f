/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "base/error.h"
#include "cli/input.h"

typedef struct grant_arguments {
  tn_cli_common common;
  const char *token_url, *client_id;
  bool remove;
} grant_arguments;

static const tn_cli_option options[] = {
    {TN_TEXT(grant_arguments, token_url), .name = "token-url", .value = "URL",
     .help = "the service's token endpoint: the only place that the grant is ever sent to"},
    {TN_TEXT(grant_arguments, client_id), .name = "client-id", .value = "ID", .help = "the client that it was given to"},
    {TN_FLAG(grant_arguments, remove), .name = "remove", .help = "forget it; the service still knows it"},
};

static const char *const examples[] = {
    "tenon grant mail --token-url https://idp.example/token --client-id ID < refresh-token",
    "keeps the refresh token that stands in the file, under the name mail",
    NULL,
};

/* Cancelled and timed like all else: a person may never type it. */
/* All of stdin without the newline at its end. */
static tenon_status read_token(tn_cli *cli, char *ret, size_t room, tenon_error *err) {
  tn_cli_input in;
  size_t size = 0, n = 1;
  tenon_status status = tn_cli_input_open(cli, "-", &in, err);
  while (!status && n > 0 && size + 1 < room) {
    status = tn_cli_input_read(&in, ret + size, room - 1 - size, &n, err);
    if (!status) size += n;
  }
  if (status) return status;
  while (size > 0 && (ret[size - 1] == '\n' || ret[size - 1] == '\r')) size--;
  ret[size] = 0;
  if (size > 0 && strlen(ret) == size) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give it on stdin: tenon grant … < FILE",
                    "there is no refresh token on stdin");
}

static tenon_status put(tn_cli *cli, const grant_arguments *a, tenon_error *err) {
  static char token[TENON_TOKEN_ROOM + 2];
  if (!a->token_url || !a->client_id)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give both, as the service says",
                      "--token-url and --client-id are needed");
  tenon_status status = read_token(cli, token, sizeof token, err);
  const tenon_grant grant = {.struct_size = sizeof grant, .name = a->common.operands[0], .token_url = a->token_url,
                             .client_id = a->client_id, .refresh_token = token};
  if (!status) status = tenon_put_grant(cli->ctx, cli->tenon, &grant, err);
  tn_wipe(token, sizeof token);
  return status;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const grant_arguments *a = arguments;
  return a->remove ? tenon_remove_grant(cli->ctx, cli->tenon, a->common.operands[0], err) : put(cli, a, err);
}

const tn_cli_command tn_cli_grant = {
    .name = "grant",
    .operands = {"NAME"},
    .operands_required = 1,
    .summary = "keep an OAuth grant that kinds get their tokens by",
    .about = "The refresh token is read from stdin, so that neither the list of processes nor the shell's history has it. It "
             "is kept in a file that only you may read, and renewed there whenever the service changes it.\n\n"
             "Connectors name it: grant: NAME in tenon.yaml. docs/tokens.md has the whole story.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(grant_arguments),
    .verb = "keep the grant",
    .run = run,
};
