/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/storage/http/folder.h"

static tenon_status take(const tn_web *s, tn_web_reply *r, const tenon_key_bytes *folder, tn_web_page *ret, tenon_error *err) {
  tn_str text, url;
  if (r->http.status != 200) return tn_web_refused(s, r, folder, err);
  tenon_status status = tn_web_check_coding(r, folder, err);
  if (status) return status;
  tn_str_init(&text, TN_WEB_MAX_PAGE);
  tn_str_init(&url, TN_WEB_MAX_URL);
  tn_web_origin(r, &url);
  status = tn_http_text(&r->http, TN_WEB_MAX_PAGE, &text, err);
  if (!status) status = tn_web_page_read(tn_str_text(&url), tn_web_header_of(r, "content-type"), tn_str_text(&text), text.size, ret, err);
  tn_str_release(&text);
  tn_str_release(&url);
  return status;
}

tenon_status tn_web_folder(tenon_ctx *ctx, tn_web *s, const tenon_key_bytes *folder, tn_web_page *ret, tenon_error *err) {
  tn_web_reply r;
  tenon_status status = tn_web_check_key(folder, true, err);
  if (status) return status;
  tn_web_reply_init(&r);
  tn_web_header(&r, "accept", "application/json, text/html;q=0.9, */*;q=0.1");
  status = tn_web_send(ctx, s, "GET", folder, TN_WEB_MAX_PAGE, &r, err);
  if (!status) status = take(s, &r, folder, ret, err);
  tn_web_reply_release(&r);
  return status;
}
