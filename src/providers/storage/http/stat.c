/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "providers/storage/http/http.h"

static tenon_status is_a_folder(const tenon_key_bytes *key, tenon_error *err) {
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_QUERY, "name a file in it; `tenon ls --objects` lists what is there", "%.*s is a folder",
                    (int)key->size, key->data);
}

static tenon_status take(const tn_web *s, const tn_web_reply *r, const tenon_key_bytes *key, tenon_object *ret, tenon_error *err) {
  tn_web_version version;
  if (r->http.status == 416) {
    *ret = (tenon_object){.struct_size = sizeof *ret, .size = tn_web_unsatisfied_size(r), .modified_us = INT64_MIN};
    return ret->size == 0 ? TENON_OK : tn_web_refused(s, r, key, err);
  }
  if (r->http.status != 200 && r->http.status != 206) return tn_web_refused(s, r, key, err);
  if (tn_web_is_folder(r)) return is_a_folder(key, err);
  tenon_status status = tn_web_check_coding(r, key, err);
  if (!status) tn_web_describe(r, ret, &version);
  return status;
}

static tenon_status ask(tenon_ctx *ctx, tn_web *s, const char *method, const tenon_key_bytes *key, tenon_object *ret, int32_t *ret_status,
                        tenon_error *err) {
  tn_web_reply r;
  tn_web_reply_init(&r);
  if (strcmp(method, "GET") == 0) tn_web_header(&r, "range", "bytes=0-0");
  tenon_status status = tn_web_send(ctx, s, method, key, -1, &r, err);
  if (!status) {
    *ret_status = r.http.status;
    status = take(s, &r, key, ret, err);
  }
  tn_web_reply_release(&r);
  return status;
}

/* Servers that know no HEAD, and URLs that are signed for GET alone. */
static bool refuses_head(int32_t status) { return status == 400 || status == 403 || status == 405 || status == 501; }

tenon_status tn_web_stat(tenon_ctx *ctx, void *session, const tenon_key_bytes *key, tenon_object *ret, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  tenon_object found;
  int32_t said = 0;
  tenon_status status = tn_web_check_key(key, false, err);
  if (status) return status;
  status = ask(ctx, session, "HEAD", key, &found, &said, &why);
  if (status && refuses_head(said)) {
    status = ask(ctx, session, "GET", key, &found, &said, err);
  } else if (status && err && !err->code) {
    *err = why;
  }
  if (!status) *ret = found;
  return status;
}
