/* SPDX-License-Identifier: Apache-2.0 */
#include "base/error.h"
#include "cli/object.h"
#include "cli/select.h"

typedef struct rm_arguments {
  tn_cli_common common;
  bool dry_run;
} rm_arguments;

static const tn_cli_option options[] = {
    {TN_FLAG(rm_arguments, dry_run), .name = "dry-run", .help = "say whether it is there, and remove nothing"},
    TN_CLI_TARGET_OPTIONS,
};

static const char *const examples[] = {
    "tenon rm lake:2024/orders.parquet", "removes one object; one that is not there is no error",
    NULL,
};

static tenon_status remove_one(tn_cli *cli, const tn_cli_object *o, tenon_error *err) {
  const tenon_delete request = {.struct_size = sizeof request, .keys = &o->key, .key_count = 1};
  tenon_deleted removed = {.struct_size = sizeof removed};
  tenon_status status = tenon_remove_objects(cli->ctx, o->session, &request, &removed, err);
  if (!status && cli->common->json) tn_document_integer(tn_cli_result(cli), "removed", (int64_t)removed.count);
  return status;
}

static tenon_status look(tn_cli *cli, const tn_cli_object *o, tenon_error *err) {
  tenon_object found = {.struct_size = sizeof found, .size = -1};
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tenon_stat_object(cli->ctx, o->session, &o->key, &found, &why);
  if (status == TENON_NOT_FOUND) {
    tn_cli_note(cli, "would remove nothing: %s", why.message);
    return TENON_OK;
  }
  if (status) return tn_pass_error(&why, err);
  tn_cli_note(cli, "would remove %.*s, %lld bytes", (int)o->key.size, o->key.data, (long long)found.size);
  return TENON_OK;
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const rm_arguments *a = arguments;
  tn_cli_object o;
  tenon_status status = tn_cli_object_open_one(cli, a->common.operands[0], &o, err);
  if (status) return status;
  status = a->dry_run ? look(cli, &o, err) : remove_one(cli, &o, err);
  tn_cli_object_close(&o);
  return status;
}

const tn_cli_command tn_cli_rm = {
    .name = "rm",
    .operands = {"OBJECT"},
    .operands_required = 1,
    .summary = "remove an object",
    .about = "OBJECT is NAME:key, where everything behind the colon is the key as it is, or a URL with the key in its path.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(rm_arguments),
    .verb = "remove",
    .run = run,
};
