/* SPDX-License-Identifier: Apache-2.0 */
/* Keys of the machine's or the container's role. They come from an address that only the machine itself reaches, and the
 * egress policy has to let it through. */
#include <stdio.h>
#include <string.h>

#include "base/civil.h"
#include "base/json.h"
#include "keys.h"

enum { MAX_REPLY = 64 << 10, TIMEOUT_MS = 5000, MAX_ROLE = 256, MAX_URL = 2048 };

static const char check_machine[] = "use credentials=instance only on a machine of Amazon's that has a role; else credentials=profile or keys";

/* One request; never by a proxy, never elsewhere. */
static tenon_status ask(tenon_ctx *ctx, tenon_http *http, const char *method, const char *base, const char *path,
                        const tenon_http_header *header, tn_str *ret, tenon_error *err) {
  char url[MAX_URL];
  tenon_http_reply reply;
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  if (snprintf(url, sizeof url, "%s%s", base, path) >= (int)sizeof url)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, check_machine, "the metadata service's URL is too long");
  r.method = method;
  r.url = url;
  r.headers = header;
  r.header_count = header != NULL;
  r.max_reply = MAX_REPLY;
  tenon_status status = tn_s3_host->http->send(ctx, http, &r, &reply, err);
  if (status) return status;
  if (reply.status != 200) status = tn_s3_host->http->refused(reply.exchange, "the metadata service gives no keys", check_machine, err);
  for (size_t n = 1; !status && n > 0;) {
    if (!tn_str_reserve(ret, 4096)) status = tn_no_memory(err);
    else status = reply.body.read(reply.body.self, ret->data + ret->size, 4096, &n, err);
    if (!status) ret->size += n;
  }
  if (ret->data) ret->data[ret->size] = 0;
  reply.body.close(reply.body.self);
  return status;
}

static tenon_status copy_member(const tn_json *j, const char *name, char **ret, tenon_error *err) {
  const char *text = tn_json_string(tn_json_get(j, name));
  if (!text || !*text)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_AUTH, check_machine, "the metadata service's reply has no %s", name);
  *ret = tn_strdup(text);
  return *ret ? TENON_OK : tn_no_memory(err);
}

static tenon_status take_keys(const tn_str *text, tn_s3_keys *ret, tenon_error *err) {
  tn_json *j;
  int64_t expires_us;
  tn_s3_keys keys = {0};
  tenon_status status = tn_json_parse_reply(tn_str_text(text), text->size, &j, err);
  if (status) return status;
  const char *code = tn_json_string(tn_json_get(j, "Code")), *until = tn_json_string(tn_json_get(j, "Expiration"));
  if (code && strcmp(code, "Success") != 0)
    status = tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, check_machine, "the metadata service says %.60s", code);
  if (!status) status = copy_member(j, "AccessKeyId", &keys.access_key_id, err);
  if (!status) status = copy_member(j, "SecretAccessKey", &keys.secret_access_key, err);
  if (!status) status = copy_member(j, "Token", &keys.session_token, err);
  if (!status && (!until || !tn_parse_timestamp(until, strlen(until), true, &expires_us)))
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_AUTH, check_machine, "the metadata service does not say until when its keys are good");
  tn_json_wipe(j);
  if (status) {
    tn_s3_keys_release(&keys);
    return status;
  }
  keys.expires_s = expires_us / 1000000;
  *ret = keys;
  return TENON_OK;
}

/* A role's name is a part of a path. */
static bool is_role(const tn_str *text) {
  const char *name = tn_str_text(text);
  return text->size && text->size < MAX_ROLE && strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+=,.@_-") == text->size;
}

static tenon_status ask_machine(tenon_ctx *ctx, tenon_http *http, const char *base, tn_str *ret, tenon_error *err) {
  static const char roles[] = "/latest/meta-data/iam/security-credentials/";
  const tenon_http_header ttl = {"x-aws-ec2-metadata-token-ttl-seconds", "21600"};
  char path[sizeof roles + MAX_ROLE];
  tn_str token, role;
  tn_str_init(&token, MAX_REPLY + 8192);
  tn_str_init(&role, MAX_REPLY + 8192);
  tenon_status status = ask(ctx, http, "PUT", base, "/latest/api/token", &ttl, &token, err);
  const tenon_http_header with_token = {"x-aws-ec2-metadata-token", tn_str_text(&token)};
  if (!status) status = ask(ctx, http, "GET", base, roles, &with_token, &role, err);
  if (!status && !is_role(&role))
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_AUTH, check_machine, "the metadata service names no role");
  if (!status) {
    snprintf(path, sizeof path, "%s%s", roles, tn_str_text(&role));
    status = ask(ctx, http, "GET", base, path, &with_token, ret, err);
  }
  if (token.data) tn_wipe(token.data, token.size);
  tn_str_release(&token);
  tn_str_release(&role);
  return status;
}

static tenon_status ask_for_keys(tenon_ctx *ctx, tenon_http *http, const tn_s3_config *c, tn_str *ret, tenon_error *err) {
  bool is_container = c->container_path && *c->container_path;
  const char *base = c->metadata_endpoint && *c->metadata_endpoint ? c->metadata_endpoint
                     : is_container ? "http://169.254.170.2" : "http://169.254.169.254";
  if (!is_container) return ask_machine(ctx, http, base, ret, err);
  if (*c->container_path != '/')
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "it begins with a slash", "container_path is not a path");
  return ask(ctx, http, "GET", base, c->container_path, NULL, ret, err);
}

tenon_status tn_s3_keys_of_instance(tenon_ctx *ctx, const tn_s3_config *c, tn_s3_keys *ret, tenon_error *err) {
  const tenon_http_options plain = {.struct_size = sizeof plain};
  tenon_http *http = NULL;
  tenon_ctx *brief = NULL;
  tn_str text;
  tn_str_init(&text, MAX_REPLY + 8192);
  tenon_status status = tenon_ctx_new(ctx, TIMEOUT_MS, &brief, err);
  if (!status) status = tn_s3_host->http->new_client(brief, &plain, &http, err);
  if (!status) status = ask_for_keys(brief, http, c, &text, err);
  if (!status) status = take_keys(&text, ret, err);
  tn_s3_host->http->free_client(http);
  tenon_ctx_free(brief);
  if (text.data) tn_wipe(text.data, text.size);
  tn_str_release(&text);
  return status;
}
