/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/storage/http/folder.h"
#include "providers/storage/http/http.h"

typedef struct question {
  tn_web *session;
  tn_web_page page;
} question;

static tenon_status ask(tenon_ctx *ctx, void *arg, tenon_error *err) {
  question *q = arg;
  return tn_web_folder(ctx, q->session, &(tenon_key_bytes){"", 0}, &q->page, err);
}

static tenon_status walk(tenon_ctx *ctx, tn_web *s, tenon_test *t, tenon_error *err) {
  question q = {.session = s};
  const tn_http_params *reach = &s->config->reach;
  tenon_status status = tn_http_test_reach(ctx, tn_web_host, reach, &s->base, t, err);
  if (status) return status;
  status = tn_http_test_ask(ctx, tn_web_host, reach, &s->base, t, s->login.name ? "the credentials were taken" : "as nobody", ask, &q, err);
  if (status && err->code == TENON_DATA && err->stage == TENON_STAGE_DATA) {   /* it answers: single objects can be had */
    tn_web_host->step_end(t, TENON_WARNED, err->remedy, "%s", err->message);
    *err = (tenon_error)TENON_ERROR_INIT;
    return TENON_OK;
  }
  if (status) return status;
  tn_web_host->step_end(t, TENON_PASSED, NULL, "an index page with %zu entries", q.page.count);
  tn_web_page_release(&q.page);
  return TENON_OK;
}

tenon_status tn_web_test(tenon_ctx *ctx, const tenon_provider *provider, const void *config, tenon_test *ret, tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  tn_web *s;
  (void)provider;
  if (!err) err = &own;
  tenon_status status = tn_web_new(ctx, config, &s, err);
  if (status) return status;
  status = walk(ctx, s, ret, err);
  if (!status) tn_web_host->fact(ret, "url", "%.200s/", s->base.url);
  tn_web_free(s);
  return status;
}
