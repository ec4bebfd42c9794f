/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/error.h"
#include "cli/object.h"
#include "cli/select.h"

typedef struct presign_arguments {
  tn_cli_common common;
  bool put;
  int64_t expires_ms;
} presign_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(presign_arguments, put), .name = "put", .help = "a URL to put the object, instead of to get it"},
    {TN_TIME(presign_arguments, expires_ms), .name = "expires", .value = "TIME", .help = "how long it is good; 1h without it"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon presign lake:2024/orders.parquet --expires 10m", "a URL that anybody can get the object with for ten minutes",
    NULL,
};

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const presign_arguments *a = arguments;
  tn_cli_object o;
  tenon_presigned url = {.struct_size = sizeof url};
  tenon_status status = tn_cli_object_open_one(cli, a->common.operands[0], &o, err);
  if (status) return status;
  if (a->expires_ms == 0) {
    tn_cli_object_close(&o);
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a time such as 10m", "--expires 0: the URL would never be good");
  }
  const tenon_presign request = {.struct_size = sizeof request, .key = o.key, .for_put = a->put,
                                 .expires_ms = a->expires_ms > 0 ? a->expires_ms : 3600 * 1000};
  status = tenon_presign_object(cli->ctx, o.session, &request, &url, err);
  if (!status && cli->common->json) tn_document_text(tn_cli_result(cli), "url", url.url);
  else if (!status) printf("%s\n", url.url);
  tn_cli_object_close(&o);
  return status;
}

const tn_cli_command tn_cli_presign = {
    .name = "presign",
    .operands = {"OBJECT"},
    .operands_required = 1,
    .summary = "make a URL that is good for an object for a while, without keys",
    .about = "OBJECT is NAME:key, or a URL with the key in its path. Whoever has the URL can use it until it expires.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(presign_arguments),
    .verb = "sign a URL for",
    .run = run,
};
