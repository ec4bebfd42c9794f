/* SPDX-License-Identifier: Apache-2.0 */
/* A person's consent for a connector: its kind says what it is about, the network layer asks. */
#include "base/ctx.h"
#include "base/error.h"
#include "core/session_parts.h"
#include "net/token_consent.h"

enum { CONSENT_MS = 10 * 60 * 1000 };

static tenon_status ask(tenon_ctx *ctx, tn_connector *c, const tn_config *config, const tn_consent_show *how,
                        tenon_error *err) {
  tenon_consent consent = {.struct_size = sizeof consent, .http = {.struct_size = sizeof consent.http}};
  tenon_status status = c->provider->oauth->consent(config->data, &consent, err);
  return status ? status : tn_tokens_authorize(ctx, c->tokens, &consent, how, err);
}

tenon_status tn_connector_authorize(tenon_ctx *ctx, tn_connector *c, const tn_consent_show *how, tenon_error *err) {
  tenon_ctx *own;
  tenon_error why = TENON_ERROR_INIT;
  if (!c->provider->oauth || !c->tokens)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "give its credentials as parameters",
                      "kind %s gets no tokens by a person's consent", c->provider->kind);
  int64_t timeout_ms = ctx && tn_ctx_has_deadline(ctx) ? -1 : CONSENT_MS;
  tenon_status status = tn_connector_ctx(ctx, timeout_ms, c, &own, err);
  if (status) return status;
  tn_generation *g = tn_connector_generation(c);
  status = ask(own, c, g->config, how, &why);
  tn_config_redact(g->config, &why);
  tn_generation_unref(g);
  tenon_ctx_free(own);
  return status ? tn_pass_error(&why, err) : TENON_OK;
}
