/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What kinds share that show OAuth tokens: the parameters, and the one more try with another token.
 *
 *   typedef struct my_config { uint64_t set; …; tn_oauth_params oauth; } my_config;
 *   static const tenon_param params[] = { …, TN_OAUTH_PARAMS(my_config, oauth, "Authentication",
 *                                            "auth=oauth_client_credentials|oauth_refresh", "auth=oauth_refresh") };
 */
#ifndef TN_PROVIDERS_OVER_OAUTH_H
#define TN_PROVIDERS_OVER_OAUTH_H

#include <stdbool.h>

#include "base/str.h"
#include "tenon/provider.h"

typedef struct tn_oauth_params {
  const char *token_url, *client_id, *client_secret, *client_auth, *scope, *audience, *grant, *authorize_url;
} tn_oauth_params;

extern const char *const tn_oauth_client_auths[];   /* header, body */

#define TN_OAUTH_PARAMS(T, m, GROUP, WHEN, WHEN_GRANT) \
  {TENON_STRING(T, m.token_url), .key = "token_url", .label = "Token URL", .flags = TENON_REQUIRED, .when = (WHEN), \
   .group = (GROUP), .help = "the token endpoint: https://idp.example/oauth2/token"}, \
  {TENON_STRING(T, m.client_id), .key = "client_id", .label = "Client", .flags = TENON_REQUIRED, .when = (WHEN), \
   .group = (GROUP), .help = "as the service knows this program"}, \
  {TENON_STRING(T, m.client_secret), .key = "client_secret", .label = "Client secret", .flags = TENON_SECRET, .when = (WHEN), \
   .group = (GROUP), .help = "of the client; a grant of a public client has none"}, \
  {TENON_ENUM(T, m.client_auth), .key = "client_auth", .label = "Where the secret goes", .default_value = "header", \
   .choices = tn_oauth_client_auths, .when = (WHEN), .group = (GROUP), .flags = TENON_ADVANCED, \
   .help = "in the Authorization header, or in the request's body"}, \
  {TENON_STRING(T, m.scope), .key = "scope", .label = "Scope", .when = (WHEN), .group = (GROUP), \
   .help = "what the token is to be good for, words separated by blanks"}, \
  {TENON_STRING(T, m.audience), .key = "audience", .label = "Audience", .when = (WHEN), .group = (GROUP), \
   .flags = TENON_ADVANCED, .help = "whom the token is for, where the service asks for it"}, \
  {TENON_STRING(T, m.grant), .key = "grant", .label = "Grant", .flags = TENON_REQUIRED, .when = (WHEN_GRANT), \
   .group = (GROUP), .help = "a name for the grant, which tenon authorize gets and tenon grant takes"}, \
  {TENON_STRING(T, m.authorize_url), .key = "authorize_url", .label = "Consent URL", .when = (WHEN_GRANT), .group = (GROUP), \
   .help = "where a person consents, for tenon authorize: https://idp.example/oauth2/authorize"}

/* Borrowed from the parameters and the options. */
tenon_token_source tn_oauth_source(const tn_oauth_params *, bool by_grant, const tenon_http_options *);

/* What tenon_oauth.consent answers; CONFIG unless by_grant. */
tenon_status tn_oauth_consent(const tn_oauth_params *, bool by_grant, const tenon_http_options *, tenon_consent *ret,
                              tenon_error *err);

/* Appends "Bearer …", the value of the header. */
tenon_status tn_oauth_bearer(tenon_ctx *, const tenon_host *, const tenon_token_source *, tn_str *out, tenon_error *err);

/* The system refused a request with that header (401), as *why says. True: make it again, with a bearer asked for anew, and
 * *why says nothing any more. */
bool tn_oauth_again(tenon_ctx *, const tenon_host *, const tenon_token_source *, const char *bearer, tenon_error *why);

/* A token is no secret of the connector's, which others would hide: a system may quote what it refuses. */
void tn_oauth_redact(const char *bearer, tenon_error *);

#endif
