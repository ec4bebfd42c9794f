/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token_reply.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/base64.h"
#include "base/error.h"
#include "base/json.h"
#include "base/percent.h"

enum { LONGEST_LIFE_S = 366 * 24 * 60 * 60, MAX_DIGITS = 12 };

static const char check_url[] = "check that token_url is the service's token endpoint; a proxy may have answered instead";

/* ---- Requests ---- */

static bool add_field(tn_str *out, const char *key, const char *value) {
  if (!value) return true;
  return (!out->size || tn_str_putc(out, '&')) && tn_str_puts(out, key) && tn_str_putc(out, '=') &&
         tn_percent_encode(out, value, strlen(value), false);
}

static bool add_client(tn_str *out, const tenon_token_source *s) {
  bool in_body = s->auth == TENON_TOKEN_POST || !s->client_secret;
  return add_field(out, "client_id", in_body ? s->client_id : NULL) &&
         add_field(out, "client_secret", in_body ? s->client_secret : NULL);
}

bool tn_token_request_body(tn_str *out, const tenon_token_source *s, const char *refresh_token) {
  return add_field(out, "grant_type", refresh_token ? "refresh_token" : "client_credentials") &&
         add_field(out, "refresh_token", refresh_token) && add_field(out, "scope", s->scope) &&
         add_field(out, "audience", s->audience) && add_client(out, s);
}

bool tn_token_code_body(tn_str *out, const tenon_token_source *s, const char *code, const char *redirect_uri,
                        const char *verifier) {
  return add_field(out, "grant_type", "authorization_code") && add_field(out, "code", code) &&
         add_field(out, "redirect_uri", redirect_uri) && add_field(out, "code_verifier", verifier) && add_client(out, s);
}

bool tn_token_basic(tn_str *out, const char *client_id, const char *client_secret) {
  tn_str pair;
  tn_str_init(&pair, TN_TOKEN_MAX_REQUEST);
  bool ok = tn_str_reserve(&pair, 3 * (strlen(client_id) + strlen(client_secret)) + 1) &&
            tn_percent_encode(&pair, client_id, strlen(client_id), false) && tn_str_putc(&pair, ':') &&
            tn_percent_encode(&pair, client_secret, strlen(client_secret), false) && tn_str_puts(out, "Basic ") &&
            tn_base64_encode(out, pair.data, pair.size);
  tn_wipe(pair.data, pair.size);
  tn_str_release(&pair);
  return ok;
}

/* ---- Errors ---- */

/* What is not visible ASCII becomes a question mark: it goes to terminals and logs. */
static void copy_visible(const char *text, char *ret, size_t room) {
  size_t n = 0;
  for (; text && text[n] && n + 1 < room; n++) ret[n] = text[n] >= ' ' && text[n] < 0x7F ? text[n] : '?';
  ret[n] = 0;
}

bool tn_token_error_read(const char *body, size_t size, tn_token_error *ret) {
  tn_json *root = NULL;
  if (tn_json_parse_reply(body, size, &root, NULL)) return false;
  const char *word = tn_json_string(tn_json_get(root, "error"));
  bool is_error = word && *word;
  if (is_error) {
    copy_visible(word, ret->word, sizeof ret->word);
    copy_visible(tn_json_string(tn_json_get(root, "error_description")), ret->said, sizeof ret->said);
  }
  tn_json_wipe(root);
  return is_error;
}

bool tn_token_error_is_grant(const tn_token_error *e) { return strcmp(e->word, "invalid_grant") == 0; }

typedef struct meaning {
  const char *word;
  tenon_status code;
  tenon_stage stage;
  bool retryable;
  const char *remedy;
} meaning;

static const meaning meanings[] = {
    {"invalid_client", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false,
     "check client_id and client_secret, and whether the service takes them in the header or in the body"},
    {"invalid_grant", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false,
     "authorize again: the grant was revoked, has expired, or was used by somebody else"},
    {"unauthorized_client", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false,
     "let the service's administrator allow this client this kind of grant"},
    {"access_denied", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "have the permission granted"},
    {"invalid_scope", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false,
     "ask for scopes that this client has, spelt as the service spells them"},
    {"invalid_target", TENON_FORBIDDEN, TENON_STAGE_PERMISSION, false, "check the audience"},
    {"unsupported_grant_type", TENON_UNSUPPORTED, TENON_STAGE_AUTH, false,
     "check that token_url is the token endpoint, and that the service has this kind of grant"},
    {"invalid_request", TENON_CONFIG, TENON_STAGE_AUTH, false,
     "check token_url, scope and audience, and where the service takes the client's secret"},
    {"server_error", TENON_UNREACHABLE, TENON_STAGE_AUTH, true, "try again; if it stays, ask who runs the service"},
    {"temporarily_unavailable", TENON_UNREACHABLE, TENON_STAGE_AUTH, true, "try again later"},
    {"slow_down", TENON_LIMITED, TENON_STAGE_AUTH, true, "try again later"},
};

tenon_status tn_token_error_fail(const tn_token_error *e, const char *url, tenon_error *err) {
  static const meaning strange = {"", TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, false,
                                  "see what the service says about this error"};
  const meaning *m = &strange;
  for (size_t i = 0; i < sizeof meanings / sizeof meanings[0]; i++)
    if (strcmp(e->word, meanings[i].word) == 0) m = &meanings[i];
  bool first = err && !err->code;
  /* its query may have a key */
  tenon_fail(err, m->code, m->stage, m->remedy, "%.*s: %s%s%s", (int)strcspn(url, "?"), url, e->word, *e->said ? ": " : "",
             e->said);
  if (first) err->retryable = m->retryable;
  return m->code;
}

/* ---- Tokens ---- */

void tn_token_reply_init(tn_token_reply *r) {
  *r = (tn_token_reply){.lifetime_ms = TN_TOKEN_LIFETIME_MS};
  tn_arena_init(&r->arena, TN_TOKEN_MAX_REPLY);
}

void tn_token_reply_release(tn_token_reply *r) {
  tn_arena_release(&r->arena);
  r->access_token = r->refresh_token = NULL;
}

/* An access token goes into a header; a refresh token is only ever sent encoded. */
static bool is_token(const char *text, char least) {
  size_t n = 0;
  for (; text[n]; n++)
    if (text[n] < least || text[n] >= 0x7F) return false;
  return n > 0 && n < TENON_TOKEN_ROOM;
}

static tenon_status take_token(tn_token_reply *r, const tn_json *v, char least, const char *what, const char **ret,
                               tenon_error *err) {
  const char *text = tn_json_string(v);
  if (!text || !is_token(text, least))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_AUTH, check_url, "the reply's %s is no token", what);
  char *copy = tn_arena_strdup(&r->arena, text);
  if (!copy) return tn_no_memory(err);
  *ret = copy;
  return TENON_OK;
}

/* Seconds, as a number or, with some services, as digits in a string. */
static tenon_status take_lifetime(const tn_json *v, int64_t *ret_ms, tenon_error *err) {
  double seconds = -1;
  const char *text = tn_json_string(v);
  tn_json_type type = tn_json_type_of(v);
  if (type == TN_JSON_NULL) return TENON_OK;
  if (type == TN_JSON_INTEGER || type == TN_JSON_NUMBER) seconds = tn_json_number(v);
  if (text && *text && strlen(text) <= MAX_DIGITS && strspn(text, "0123456789") == strlen(text)) {
    seconds = 0;
    for (; *text; text++) seconds = seconds * 10 + (*text - '0');
  }
  if (!(seconds >= 0))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_AUTH, check_url, "the reply's expires_in is no number of seconds");
  *ret_ms = seconds > LONGEST_LIFE_S ? (int64_t)LONGEST_LIFE_S * 1000 : (int64_t)(seconds * 1000);
  return TENON_OK;
}

static tenon_status check_type(const tn_json *v, tenon_error *err) {
  const char *type = tn_json_string(v);
  if (type && strcasecmp(type, "bearer") == 0) return TENON_OK;
  char shown[32];
  copy_visible(type ? type : "absent", shown, sizeof shown);
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_AUTH, "have the service issue bearer tokens to this client",
                    "the reply's token_type is %s, not Bearer", shown);
}

static tenon_status read_members(const tn_json *root, tn_token_reply *ret, tenon_error *err) {
  const tn_json *refresh = tn_json_get(root, "refresh_token");
  bool has_refresh = tn_json_type_of(refresh) != TN_JSON_NULL;
  /* first, since it has to be kept whatever else is wrong */
  tenon_status status =
      has_refresh ? take_token(ret, refresh, ' ', "refresh_token", &ret->refresh_token, err) : TENON_OK;
  if (!status) status = check_type(tn_json_get(root, "token_type"), err);
  if (!status) status = take_lifetime(tn_json_get(root, "expires_in"), &ret->lifetime_ms, err);
  if (!status) status = take_token(ret, tn_json_get(root, "access_token"), '!', "access_token", &ret->access_token, err);
  return status;
}

tenon_status tn_token_reply_read(const char *body, size_t size, tn_token_reply *ret, tenon_error *err) {
  tn_json *root = NULL;
  tn_token_reply_init(ret);
  tenon_error why = TENON_ERROR_INIT;
  tenon_status status = tn_json_parse_reply(body, size, &root, &why);
  if (!status && tn_json_type_of(root) != TN_JSON_OBJECT)
    status = tenon_fail(&why, TENON_DATA, TENON_STAGE_AUTH, check_url, "the reply is no JSON object");
  if (!status) status = read_members(root, ret, &why);
  tn_json_wipe(root);
  if (!status) return TENON_OK;
  ret->access_token = NULL;
  if (!*why.remedy) snprintf(why.remedy, sizeof why.remedy, "%s", check_url);
  return tn_pass_error(&why, err);
}
