/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.h's functions of OAuth grants, and where the library keeps them. */
#include "base/ctx.h"
#include "base/env.h"
#include "base/error.h"
#include "base/str.h"
#include "lib/handle.h"
#include "net/token_consent.h"
#include "net/token_files.h"

enum { MAX_PATH = 4096 };

/* As the XDG Base Directory Specification has it: state that is worth keeping, and of no use to people. */
static bool default_folder(tn_str *ret) {
  const char *state = tn_env("XDG_STATE_HOME"), *home = tn_env("HOME");
  if (state && *state == '/') return tn_str_printf(ret, "%s/tenon/grants", state);
  return home && *home == '/' && tn_str_printf(ret, "%s/.local/state/tenon/grants", home);
}

tenon_status tn_lib_start_tokens(tenon *t, const tenon_options *options, tenon_error *err) {
  const tenon_token_store *store = options ? options->token_store : NULL;
  tn_str folder;
  tn_str_init(&folder, MAX_PATH);
  tenon_status status = TENON_OK;
  bool has_folder = options && options->grants ? tn_str_puts(&folder, options->grants) : default_folder(&folder);
  if (!store && has_folder) {
    status = tn_token_files_new(tn_str_text(&folder), &t->grants, err);
    store = &t->grants;
  }
  tn_str_release(&folder);
  if (!status) status = tn_tokens_new(store, &t->tokens, err);
  if (!status) tn_ctx_set_tokens(t->ctx, t->tokens);
  return status;
}

void tn_lib_stop_tokens(tenon *t) {
  tn_tokens_end(t->tokens, t->ctx);
  tn_tokens_free(t->tokens);
  tn_token_files_free(&t->grants);
}

tenon_status tenon_put_grant(tenon_ctx *ctx, tenon *t, const tenon_grant *g, tenon_error *err) {
  return tn_tokens_put(tn_lib_ctx(t, ctx), t->tokens, g->name, g->token_url, g->client_id, g->refresh_token, err);
}

tenon_status tenon_remove_grant(tenon_ctx *ctx, tenon *t, const char *name, tenon_error *err) {
  return tn_tokens_remove(tn_lib_ctx(t, ctx), t->tokens, name, err);
}

tenon_status tenon_authorize(tenon_ctx *ctx, tenon *t, const char *text, const tenon_setting *settings, size_t setting_count,
                             const tenon_authorization *how, tenon_error *err) {
  const tn_consent_show show = {.port = how->port, .show = how->show, .arg = how->arg};
  tn_target target;
  tn_connector *connector;
  tenon_status status = tn_target_parse(text, &target, err);
  if (status) return status;
  status = tn_lib_connector(t, &target, settings, setting_count, &connector, err);
  if (!status) {
    status = tn_connector_authorize(tn_lib_ctx(t, ctx), connector, &show, err);
    tn_connector_free(connector);
  }
  tn_target_release(&target);
  return status;
}
