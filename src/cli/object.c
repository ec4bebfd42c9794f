/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/object.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "base/error.h"

tenon_status tn_cli_object_open(tn_cli *cli, const char *target, tn_cli_object *ret, tenon_error *err) {
  const tn_cli_settings *settings = &cli->common->settings;
  return tenon_open_object(cli->ctx, cli->tenon, target, settings->items, settings->count, &ret->session, &ret->key, err);
}

tenon_status tn_cli_object_open_one(tn_cli *cli, const char *target, tn_cli_object *ret, tenon_error *err) {
  tn_cli_object made;
  tenon_status status = tn_cli_object_open(cli, target, &made, err);
  if (status) return status;
  if (!made.key.size) {
    tn_cli_object_close(&made);
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "write NAME:key, or a URL with the key in its path; `tenon ls TARGET` lists keys",
                      "the target names no object");
  }
  *ret = made;
  return TENON_OK;
}

void tn_cli_object_close(tn_cli_object *o) { tenon_close(o->session); }

static void put_time(tn_document *j, int64_t us) {
  char text[40] = "";
  time_t seconds = (time_t)(us / 1000000 - (us % 1000000 < 0));
  struct tm t;
  if (us != INT64_MIN && gmtime_r(&seconds, &t)) strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &t);
  tn_document_text(j, "modified", *text ? text : NULL);
}

void tn_cli_object_json(tn_document *j, const tenon_key_bytes *key, const tenon_object *o) {
  char text[4097];
  snprintf(text, sizeof text, "%.*s", (int)(key->size < sizeof text ? key->size : sizeof text - 1), key->data);
  tn_document_text(j, "key", text);
  tn_document_count(j, "size", o->size);
  put_time(j, o->modified_us);
  tn_document_text(j, "etag", *o->etag ? o->etag : NULL);
  tn_document_text(j, "content_type", *o->content_type ? o->content_type : NULL);
}
