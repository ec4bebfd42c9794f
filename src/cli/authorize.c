/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cli/cli.h"
#include "cli/select.h"

typedef struct authorize_arguments {
  tn_cli_common common;
  int64_t port;
} authorize_arguments;

static const tn_cli_option options[] = {
    {TN_NUMBER(authorize_arguments, port), .name = "port", .value = "PORT",
     .help = "of this machine, where the browser comes back; any without it. For services that know exact redirects: "
             "http://127.0.0.1:PORT/"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon authorize mine", "for the connector mine of tenon.yaml, with auth: oauth_refresh and a name for the grant",
    NULL,
};

/* On stderr, --quiet or not: without it nothing comes of the command. */
static void show(void *arg, const char *url) {
  const tn_cli *cli = arg;
  fprintf(stderr, "%sopen this in a browser on this machine, and consent:\n%s\n", cli->terminal.err_is_terminal ? "\n" : "", url);
  fflush(stderr);
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const authorize_arguments *a = arguments;
  if (a->port > 65535)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "choose one from 1024 to 65535", "there is no port %lld",
                      (long long)a->port);
  const tenon_authorization how = {.struct_size = sizeof how, .port = a->port > 0 ? (uint16_t)a->port : 0, .show = show, .arg = cli};
  tenon_status status = tenon_authorize(cli->ctx, cli->tenon, a->common.operands[0], a->common.settings.items,
                                        a->common.settings.count, &how, err);
  if (!status) tn_cli_note(cli, "the grant is kept");
  return status;
}

const tn_cli_command tn_cli_authorize = {
    .name = "authorize",
    .operands = {"TARGET"},
    .operands_required = 1,
    .summary = "let a person consent in a browser, and keep the OAuth grant",
    .about = "The browser goes to the service (authorize_url) and comes back to a port of this machine; what it brings is "
             "exchanged for a grant, kept under the connector's name for it (grant). Ends after ten minutes, or --timeout.\n\n"
             "Where there is no browser on this machine, get a refresh token elsewhere and keep it with tenon grant.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(authorize_arguments),
    .verb = "get a grant for",
    .run = run,
};
