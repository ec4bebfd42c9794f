/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/over_oauth.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"

const char *const tn_oauth_client_auths[] = {"header", "body", NULL};

static const char bearer_word[] = "Bearer ";

tenon_token_source tn_oauth_source(const tn_oauth_params *p, bool by_grant, const tenon_http_options *http) {
  bool in_body = p->client_auth && strcmp(p->client_auth, "body") == 0;
  return (tenon_token_source){
      .struct_size = sizeof(tenon_token_source), .grant = by_grant ? p->grant : NULL, .token_url = p->token_url,
      .client_id = p->client_id, .client_secret = p->client_secret, .auth = in_body ? TENON_TOKEN_POST : TENON_TOKEN_BASIC,
      .scope = p->scope, .audience = p->audience, .http = http};
}

tenon_status tn_oauth_consent(const tn_oauth_params *p, bool by_grant, const tenon_http_options *http, tenon_consent *ret,
                              tenon_error *err) {
  if (!by_grant)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set auth=oauth_refresh, and a name for the grant",
                      "this configuration gets no tokens by a person's consent");
  ret->source = tn_oauth_source(p, true, NULL);
  ret->http = *http;
  ret->authorize_url = p->authorize_url;
  return TENON_OK;
}

tenon_status tn_oauth_bearer(tenon_ctx *ctx, const tenon_host *host, const tenon_token_source *source, tn_str *out,
                             tenon_error *err) {
  tenon_token token = {.struct_size = sizeof token};
  tenon_status status = host->token(ctx, source, 0, &token, err);
  if (status) return status;
  /* reserved first: what a text leaves behind as it grows is not wiped */
  bool ok = tn_str_reserve(out, sizeof bearer_word + strlen(token.text)) && tn_str_puts(out, bearer_word) &&
            tn_str_puts(out, token.text);
  tn_wipe(token.text, strlen(token.text));
  return ok ? TENON_OK : tn_no_memory(err);
}

static const char *token_of(const char *bearer) {
  size_t size = sizeof bearer_word - 1;
  return strncmp(bearer, bearer_word, size) == 0 ? bearer + size : NULL;
}

bool tn_oauth_again(tenon_ctx *ctx, const tenon_host *host, const tenon_token_source *source, const char *bearer,
                    tenon_error *why) {
  tenon_error more = TENON_ERROR_INIT;
  const char *token = token_of(bearer);
  if (!token) return false;
  if (host->token_refused(ctx, source, token, &more) == TENON_OK) {
    *why = (tenon_error)TENON_ERROR_INIT;
    return true;
  }
  /* what the system said stays; what to do is another matter now */
  snprintf(why->remedy, sizeof why->remedy, "%s", more.remedy);
  return false;
}

void tn_oauth_redact(const char *bearer, tenon_error *err) {
  const char *token = token_of(bearer);
  tn_error_redact(err, &token, 1);
}
