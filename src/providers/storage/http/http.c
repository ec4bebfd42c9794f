/* SPDX-License-Identifier: Apache-2.0 */
/* What a web server has below a URL: objects to read, and folders where it writes index pages. */
#include "providers/storage/http/http.h"

#include <string.h>
#include <strings.h>

const tenon_host *tn_web_host;

static const char *const authentications[] = {"none", "basic", "bearer", "header", NULL};

static const tenon_param params[] = {
    {TENON_STRING(tn_web_config, url), .key = "url", .label = "URL", .flags = TENON_REQUIRED,
     .help = "the folder that keys are below: https://data.example.com/public/", .aliases = "base_url"},
    {TENON_STRING(tn_web_config, query), .key = "query", .label = "Query", .flags = TENON_SECRET | TENON_ADVANCED,
     .help = "stands behind the question mark of every request, such as a signature: sv=…&sig=…"},
    {TENON_ENUM(tn_web_config, auth), .key = "auth", .aliases = "authentication", .label = "Authentication", .default_value = "none",
     .choices = authentications, .group = "Authentication",
     .help = "basic: user and password; bearer: a token; header: a header of your own"},
    {TENON_STRING(tn_web_config, username), .key = "username", .label = "User", .flags = TENON_REQUIRED, .when = "auth=basic",
     .group = "Authentication", .help = "without a colon", .aliases = "user"},
    {TENON_STRING(tn_web_config, password), .key = "password", .label = "Password", .flags = TENON_SECRET, .when = "auth=basic",
     .group = "Authentication", .help = "of that user"},
    {TENON_STRING(tn_web_config, token), .key = "token", .label = "Token", .flags = TENON_SECRET | TENON_REQUIRED,
     .when = "auth=bearer", .group = "Authentication", .help = "sent as Authorization: Bearer TOKEN"},
    {TENON_STRING(tn_web_config, header_name), .key = "header_name", .label = "Header", .flags = TENON_REQUIRED,
     .when = "auth=header", .group = "Authentication", .help = "such as X-API-Key"},
    {TENON_STRING(tn_web_config, header_value), .key = "header_value", .label = "Value", .flags = TENON_SECRET | TENON_REQUIRED,
     .when = "auth=header", .group = "Authentication", .help = "what stands in it"},
    {TENON_INTEGER(tn_web_config, connections), .key = "connections", .label = "Connections", .flags = TENON_ADVANCED,
     .default_value = "4", .min = 1, .max = 16, .help = "parts of one object under way at once"},
    TN_HTTP_PARAMS(tn_web_config, reach),
    TN_FILE_PARAMS(tn_web_config, files),
};

/* ---- URLs: https://user:password@host/folder/file.csv?query; keys begin behind the last slash ---- */

/* A pattern's folder is the one that is named before the first sign of it. */
static const char *folder_end(const char *path, const char *end) {
  const char *last = path;
  for (const char *c = path; c < end && !strchr("*[{", *c); c++)
    if (*c == '/') last = c + 1;
  return last;
}

static tenon_status set_login(const char *login, size_t size, tn_url_set set, void *arg, tenon_error *err) {
  const char *colon = memchr(login, ':', size);
  size_t name = colon ? (size_t)(colon - login) : size;
  tenon_status status = set(arg, "auth", "basic", err);
  if (!status) status = tn_url_part("username", login, name, set, arg, err);
  return status || !colon ? status : tn_url_part("password", colon + 1, size - name - 1, set, arg, err);
}

static bool has_encoded_slash(const char *text, size_t size) {
  for (size_t i = 0; i + 2 < size; i++)
    if (text[i] == '%' && text[i + 1] == '2' && (text[i + 2] | 32) == 'f') return true;
  return false;
}

static tenon_status set_raw(const char *key, const char *text, size_t size, const char *before, tn_url_set set, void *arg, tenon_error *err) {
  tn_str value;
  tn_str_init(&value, TN_WEB_MAX_URL);
  bool fits = tn_str_puts(&value, before) && tn_str_add(&value, text, size);
  tenon_status status = fits ? set(arg, key, tn_str_text(&value), err)
                             : tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "the URL is longer than %d bytes", TN_WEB_MAX_URL);
  if (value.data) tn_wipe(value.data, value.size);
  tn_str_release(&value);
  return status;
}

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  const char *host = strstr(url, "://") + 3, *path = host + strcspn(host, "/?#"), *end = path + strcspn(path, "?#");
  const char *at = memrchr(host, '@', (size_t)(path - host)), *folder = folder_end(path, end);
  const char *scheme = strncasecmp(url, "https:", 6) == 0 ? "https://" : "http://";
  tenon_status status = TENON_OK;
  if (has_encoded_slash(folder, (size_t)(end - folder)))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give what stands before it as the parameter url",
                      "an encoded slash cannot stand in the last part of a URL");
  if (at) status = set_login(host, (size_t)(at - host), set, arg, err);
  host = at ? at + 1 : host;
  if (!status) status = set_raw("url", host, (size_t)(folder - host), scheme, set, arg, err);
  if (!status && folder < end) status = tn_url_part(TENON_URL_TABLE, folder, (size_t)(end - folder), set, arg, err);
  size_t query = *end == '?' ? strcspn(end + 1, "#") : 0;
  return status || !query ? status : set_raw("query", end + 1, query, "", set, arg, err);
}

/* ---- Opening ---- */

static tenon_status take_login(tn_web *s, tenon_error *err) {
  const tn_web_config *c = s->config;
  bool ok = true;
  s->login.name = "Authorization";
  if (strcmp(c->auth, "basic") == 0) {
    tenon_status status = tn_http_check_user(c->username, err);
    if (status) return status;
    ok = tn_http_basic(&s->credentials, c->username, c->password);
  } else if (strcmp(c->auth, "bearer") == 0) {
    ok = tn_str_printf(&s->credentials, "Bearer %s", c->token);
  } else if (strcmp(c->auth, "header") == 0) {
    tenon_status status = tn_http_check_credential_header("header_name", c->header_name, err);
    if (status) return status;
    s->login.name = c->header_name;
    ok = tn_str_puts(&s->credentials, c->header_value);
  } else {
    s->login.name = NULL;
  }
  s->login.value = tn_str_text(&s->credentials);
  return ok ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_web_new(tenon_ctx *ctx, const tn_web_config *config, tn_web **ret, tenon_error *err) {
  tn_web *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = config;
  tn_str_init(&s->credentials, 128 << 10);
  tenon_status status = tn_http_base_parse("url", config->url, &s->base, err);
  if (!status) status = take_login(s, err);
  if (!status) status = tn_http_client(ctx, tn_web_host, &config->reach, &s->http, err);
  if (status) tn_web_free(s);
  else *ret = s;
  return status;
}

void tn_web_free(tn_web *s) {
  tn_web_host->http->free_client(s->http);
  if (s->credentials.data) tn_wipe(s->credentials.data, s->credentials.size);
  tn_str_release(&s->credentials);
  tn_free(s);
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config, void **ret, tenon_error *err) {
  tn_web *s;
  (void)provider;
  tenon_status status = tn_web_new(ctx, config, &s, err);
  if (!status) *ret = s;
  return status;
}

static void close_session(void *session) { tn_web_free(session); }

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_web_host = host;
  return TENON_OK;
}

static const char *const aliases[] = {"https", NULL};

static const tenon_objects_ops objects = {.struct_size = sizeof objects, .list = tn_web_list, .stat = tn_web_stat, .get = tn_web_get};

const tenon_provider tn_provider_http = {
    .struct_size = sizeof tn_provider_http,
    .abi = TENON_ABI,
    .kind = "http",
    .category = "storage",
    .label = "Web server",
    .summary = "Files of a web server, read-only, with its index pages as listings; CSV, Parquet and others as tables.",
    .aliases = aliases,
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_web_config),
    .traits = TENON_SHARED,
    .init = init,
    .parse_url = parse_url,
    .test = tn_web_test,
    .open = open_session,
    .close = close_session,
    .objects = &objects,
};
