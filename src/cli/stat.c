/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/object.h"
#include "cli/select.h"
#include "cli/text.h"

static const tn_cli_option options[] = {TN_CLI_TARGET_OPTIONS};

static const char *const examples[] = {
    "tenon stat lake:2024/orders.parquet", "size, time and etag of one object",
    "tenon stat s3://bucket/orders.parquet --json", "the same for a program",
    NULL,
};

/* What the system says of itself may have anything in it. */
static void show_text(const char *name, const char *data, size_t size) {
  tn_str line;
  tn_str_init(&line, 64 << 10);
  tn_cli_show_text(&line, data, size, -1);
  printf("%-10s%s\n", name, tn_str_text(&line));
  tn_str_release(&line);
}

static void show(const tenon_key_bytes *key, const tenon_object *o) {
  char size[32], modified[40] = "";
  struct tm t;
  time_t seconds = (time_t)(o->modified_us / 1000000);
  show_text("key", key->data, key->size);
  if (o->size >= 0) {
    tn_cli_show_bytes(size, sizeof size, o->size);
    printf("size      %lld (%s)\n", (long long)o->size, size);
  }
  if (o->modified_us != INT64_MIN && gmtime_r(&seconds, &t))
    strftime(modified, sizeof modified, "%Y-%m-%d %H:%M:%S UTC", &t);
  if (*modified) printf("modified  %s\n", modified);
  if (*o->etag) show_text("etag", o->etag, strlen(o->etag));
  if (*o->content_type) show_text("type", o->content_type, strlen(o->content_type));
}

static tenon_status run(tn_cli *cli, const void *arguments, tenon_error *err) {
  const tn_cli_common *common = arguments;
  tn_cli_object o;
  tenon_object found = {.struct_size = sizeof found, .size = -1, .modified_us = INT64_MIN};
  tenon_status status = tn_cli_object_open_one(cli, common->operands[0], &o, err);
  if (status) return status;
  status = tenon_stat_object(cli->ctx, o.session, &o.key, &found, err);
  if (!status && common->json) tn_cli_object_json(tn_cli_result(cli), &o.key, &found);
  else if (!status) show(&o.key, &found);
  tn_cli_object_close(&o);
  return status;
}

const tn_cli_command tn_cli_stat = {
    .name = "stat",
    .operands = {"OBJECT"},
    .operands_required = 1,
    .summary = "say how big an object is, and which version of it is there",
    .about = "OBJECT is NAME:key, where everything behind the colon is the key as it is, or a URL with the key in its path.",
    .examples = examples,
    TN_CLI_OPTIONS(options),
    .size = sizeof(tn_cli_common),
    .verb = "look at",
    .run = run,
};
