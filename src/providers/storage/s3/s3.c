/* SPDX-License-Identifier: Apache-2.0 */
/* Amazon S3 and all that speak its protocol: objects in a bucket. */
#include "s3.h"

#include "keys.h"

#include <stdio.h>
#include <string.h>

const tenon_host *tn_s3_host;

static const char *const auto_yes_no[] = {"auto", "yes", "no", "true", "false", NULL};

static const char *const credentials[] = {"given", "environment", "profile", "instance", NULL};

static const tenon_param params[] = {
    {TENON_ENUM(tn_s3_config, credentials), .key = "credentials", .label = "Credentials", .default_value = "given",
     .choices = credentials,
     .help = "given: the keys below, or none for what is public; environment: those that are not given come from AWS_… variables; "
             "profile: of a profile in ~/.aws; instance: of the role of the machine or container that this runs on"},
    {TENON_STRING(tn_s3_config, bucket), .key = "bucket", .label = "Bucket", .flags = TENON_REQUIRED,
     .help = "the bucket whose objects these are"},
    {TENON_STRING(tn_s3_config, region), .key = "region", .label = "Region", .env = "AWS_REGION",
     .ambient = "credentials=environment",
     .help = "where the bucket is: eu-central-1; asked of the service when it is not given"},
    {TENON_STRING(tn_s3_config, access_key_id), .key = "access_key_id", .label = "Access key ID", .flags = TENON_SECRET,
     .env = "AWS_ACCESS_KEY_ID", .ambient = "credentials=environment", .help = "without it only what is public can be read", .aliases = "aws_access_key_id"},
    {TENON_STRING(tn_s3_config, secret_access_key), .key = "secret_access_key", .label = "Secret access key",
     .flags = TENON_SECRET, .env = "AWS_SECRET_ACCESS_KEY", .ambient = "credentials=environment", .help = "the secret that belongs to it",
     .aliases = "aws_secret_access_key"},
    {TENON_STRING(tn_s3_config, session_token), .key = "session_token", .label = "Session token", .flags = TENON_SECRET,
     .env = "AWS_SESSION_TOKEN", .ambient = "credentials=environment", .help = "of temporary credentials", .aliases = "aws_session_token"},
    {TENON_STRING(tn_s3_config, profile), .key = "profile", .label = "Profile", .when = "credentials=profile", .env = "AWS_PROFILE",
     .ambient = "credentials=profile", .help = "whose keys and region are taken; default without it"},
    {TENON_PATH(tn_s3_config, credentials_file), .key = "credentials_file", .label = "Credentials file", .when = "credentials=profile",
     .flags = TENON_LOCAL | TENON_ADVANCED, .env = "AWS_SHARED_CREDENTIALS_FILE", .ambient = "credentials=profile",
     .help = "instead of ~/.aws/credentials"},
    {TENON_PATH(tn_s3_config, config_file), .key = "config_file", .label = "Config file", .when = "credentials=profile",
     .flags = TENON_LOCAL | TENON_ADVANCED, .env = "AWS_CONFIG_FILE", .ambient = "credentials=profile", .help = "instead of ~/.aws/config"},
    {TENON_PATH(tn_s3_config, home), .key = "home", .label = "Home folder", .when = "credentials=profile",
     .flags = TENON_LOCAL | TENON_ADVANCED, .env = "HOME", .ambient = "credentials=profile", .help = "where .aws is"},
    {TENON_STRING(tn_s3_config, metadata_endpoint), .key = "metadata_endpoint", .label = "Metadata service", .when = "credentials=instance",
     .flags = TENON_ADVANCED, .env = "AWS_EC2_METADATA_SERVICE_ENDPOINT", .ambient = "credentials=instance",
     .help = "instead of http://169.254.169.254, and http://169.254.170.2 in containers"},
    {TENON_STRING(tn_s3_config, container_path), .key = "container_path", .label = "Container's path", .when = "credentials=instance",
     .flags = TENON_ADVANCED, .env = "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", .ambient = "credentials=instance",
     .help = "where a container's keys are at the metadata service"},
    {TENON_STRING(tn_s3_config, endpoint), .key = "endpoint", .label = "Endpoint", .env = "AWS_ENDPOINT_URL",
     .help = "another service than Amazon's: https://minio.example.com:9000", .aliases = "endpoint_url"},
    {TENON_ENUM(tn_s3_config, path_style), .key = "path_style", .label = "Path style", .flags = TENON_ADVANCED,
     .default_value = "auto", .choices = auto_yes_no,
     .help = "whether the bucket stands in the path rather than in the host's name; auto: where an endpoint is given"},
    {TENON_ENUM(tn_s3_config, parallel_listing), .key = "parallel_listing", .label = "Parallel listing", .flags = TENON_ADVANCED,
     .default_value = "auto", .choices = auto_yes_no,
     .help = "list ranges of keys side by side; only for services that list in bytewise order. auto: where no endpoint is given"},
    {TENON_INTEGER(tn_s3_config, connections), .key = "connections", .label = "Connections", .flags = TENON_ADVANCED,
     .default_value = "4", .min = 1, .max = 16, .help = "parts of one object under way at once"},
    {TENON_FILE(tn_s3_config, reach.ca), .key = "ca", .label = "CA certificates", .group = "TLS", .flags = TENON_ADVANCED,
     .env = "AWS_CA_BUNDLE", .help = "trusted instead of the system's, in PEM"},
    {TENON_BOOLEAN(tn_s3_config, reach.insecure), .key = "insecure", .label = "Take any certificate", .group = "TLS",
     .flags = TENON_ADVANCED, .default_value = "false", .help = "do not verify who the service is"},
    {TENON_STRING(tn_s3_config, reach.proxy), .key = "proxy", .label = "Proxy", .group = "Network", .flags = TENON_ADVANCED | TENON_SECRET,
     .help = "http://user:password@host:port; none when it is not given"},
    TN_FILE_PARAMS(tn_s3_config, files),
};

/* ---- URLs: s3://bucket, s3://bucket/key?region=eu-central-1 ---- */

static tenon_status parse_url(const char *url, tn_url_set set, void *arg, tenon_error *err) {
  const char *bucket = strstr(url, "://") + 3, *path = bucket + strcspn(bucket, "/?"), *query = path + strcspn(path, "?");
  size_t size = (size_t)(path - bucket);
  if (memchr(bucket, '@', size) || memchr(bucket, ':', size))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "give the keys as parameters: access_key_id=$ENV:AWS_ACCESS_KEY_ID in tenon.yaml",
                      "the URL has more than a bucket's name before its path");
  tenon_status status = size ? tn_url_part("bucket", bucket, size, set, arg, err) : TENON_OK;
  if (!status && query - path > 1)
    status = tn_url_part(TENON_URL_TABLE, path + 1, (size_t)(query - path) - 1, set, arg, err);
  query += *query == '?';
  return status ? status : tn_url_query(query, set, arg, err);
}

/* ---- Where it is ---- */

static tenon_status check_bucket(const char *bucket, tenon_error *err) {
  size_t size = strlen(bucket);
  bool ok = size >= 1 && size <= 255;
  for (const char *c = bucket; ok && *c; c++)
    ok = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') || strchr("-._", *c);
  if (ok) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "check the bucket's name: letters, digits, -, . and _",
                    "%s cannot be the name of a bucket", bucket);
}

static tenon_status take_endpoint(tn_s3 *s, const char *endpoint, tenon_error *err) {
  tn_http_base base;
  tenon_status status = tn_http_base_parse("endpoint", endpoint, &base, err);
  if (status) return status;
  if (strlen(base.authority) >= 250 || strcmp(strstr(base.url, "://") + 3, base.authority) != 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it as https://host or http://host:port, without a path",
                      "the endpoint %s is not one", endpoint);
  s->scheme = base.is_tls ? "https" : "http";
  snprintf(s->host, sizeof s->host, "%s", base.authority);
  return TENON_OK;
}

bool tn_s3_is_yes(const char *choice) { return strcmp(choice, "yes") == 0 || strcmp(choice, "true") == 0; }

/* Certificates of s3.REGION.amazonaws.com cover one label alone, so names with dots stay in the path. */
static bool wants_path_style(const tn_s3_config *c) {
  if (strcmp(c->path_style, "auto") != 0) return tn_s3_is_yes(c->path_style);
  return c->endpoint || strchr(c->bucket, '.') || strchr(c->bucket, '_');
}

static void put_bucket_before(tn_s3 *s) {
  char host[sizeof s->host];
  snprintf(host, sizeof host, "%s", s->host);
  snprintf(s->host, sizeof s->host, "%.63s.%.250s", s->config->bucket, host);
}

static const char *region_of(const tn_s3 *s) {
  return s->config->region && *s->config->region ? s->config->region : s->profile_region;
}

static bool has_region(const tn_s3 *s) { return *region_of(s) != 0; }

void tn_s3_set_region(tn_s3 *s) { snprintf(s->region, sizeof s->region, "%s", has_region(s) ? region_of(s) : "us-east-1"); }

static tenon_status locate(tn_s3 *s, tenon_error *err) {
  const tn_s3_config *c = s->config;
  tenon_status status = check_bucket(c->bucket, err);
  if (status) return status;
  tn_s3_set_region(s);
  s->is_path_style = wants_path_style(c);
  if (c->endpoint && *c->endpoint) {
    status = take_endpoint(s, c->endpoint, err);
  } else {
    s->scheme = "https";
    snprintf(s->host, sizeof s->host, "s3.%s.amazonaws.com", s->region);
  }
  if (!status && !s->is_path_style) put_bucket_before(s);
  return status;
}

/* ---- Opening ---- */

static void free_session(void *session) {
  tn_s3 *s = session;
  tn_s3_host->http->free_client(s->http);
  tn_s3_identity_drop(s->identity);
  pthread_mutex_destroy(&s->lock);
  tn_free(s);
}

/* A session that can make requests; none is made. */
static tenon_status make_session(tenon_ctx *ctx, const void *config, tn_s3 **ret, tenon_error *err) {
  tn_s3 *s = tn_alloc(sizeof *s);
  if (!s) return tn_no_memory(err);
  s->config = config;
  pthread_mutex_init(&s->lock, NULL);
  tenon_status status = tn_s3_identify(s, err);
  if (!status) status = locate(s, err);
  if (!status) status = tn_http_client(ctx, tn_s3_host, &s->config->reach, &s->http, err);
  if (status) {
    free_session(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}


/* Amazon says where a bucket is to anybody, in the reply to HEAD. */
static tenon_status discover_region(tenon_ctx *ctx, tn_s3 *s, tenon_error *err) {
  tenon_http_reply reply;
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  tn_str url;
  tn_str_init(&url, 1024);
  bool ok = tn_str_printf(&url, "%s://%s", s->scheme, s->host) && tn_s3_path(s, NULL, &url);
  r.method = "HEAD";
  r.url = tn_str_text(&url);
  tenon_status status = ok ? tn_s3_host->http->send(ctx, s->http, &r, &reply, err) : tn_no_memory(err);
  if (!status) {
    const char *region = tn_s3_host->http->header(reply.exchange, "x-amz-bucket-region");
    if (region && strlen(region) < sizeof s->region) snprintf(s->region, sizeof s->region, "%s", region);
    reply.body.close(reply.body.self);
  }
  tn_str_release(&url);
  return status;
}

static tenon_status settle_region(tenon_ctx *ctx, tn_s3 *s, tenon_error *err) {
  char before[sizeof s->region], found[sizeof s->region];
  if (s->config->endpoint || has_region(s)) return TENON_OK;
  snprintf(before, sizeof before, "%s", s->region);
  tenon_status status = discover_region(ctx, s, err);
  if (status || strcmp(before, s->region) == 0) return status;
  snprintf(found, sizeof found, "%s", s->region);
  status = locate(s, err);
  if (status) return status;
  snprintf(s->region, sizeof s->region, "%s", found);
  snprintf(s->host, sizeof s->host, "s3.%s.amazonaws.com", found);
  if (!s->is_path_style) put_bucket_before(s);
  return TENON_OK;
}

static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *provider, const void *config, void **ret,
                                 tenon_error *err) {
  tn_s3 *s;
  (void)provider;
  tenon_status status = make_session(ctx, config, &s, err);
  if (status) return status;
  status = settle_region(ctx, s, err);
  if (status) {
    free_session(s);
    return status;
  }
  *ret = s;
  return TENON_OK;
}

/* ---- Test ---- */

typedef struct question {
  tn_s3 *session;
  char count[24];      /* of the keys in the answer */
} question;

/* The smallest listing. */
static tenon_status ask(tenon_ctx *ctx, void *arg, tenon_error *err) {
  question *q = arg;
  tn_s3_request r = {.method = "GET"};
  tn_str text;
  tn_s3_query(&r, "list-type", "2");
  tn_s3_query(&r, "max-keys", "1");
  tn_str_init(&text, 2 * TN_S3_MAX_ERROR);
  tenon_status status = settle_region(ctx, q->session, err);
  if (!status) status = tn_s3_send_for_text(ctx, q->session, &r, TN_S3_MAX_ERROR, &text, err);
  if (!status && !strstr(tn_str_text(&text), "<ListBucketResult"))
    status = tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "check the endpoint: it is not one of S3",
                        "%s answers, but not as S3 does", q->session->host);
  if (!status) tn_s3_element(tn_str_text(&text), text.size, "KeyCount", q->count, sizeof q->count);
  tn_str_release(&text);
  return status;
}

static tenon_status walk(tenon_ctx *ctx, tn_s3 *s, tenon_test *t, tenon_error *err) {
  question q = {.session = s, .count = "0"};
  tn_http_base base;
  char url[512];
  snprintf(url, sizeof url, "%s://%s", s->scheme, s->host);
  tenon_status status = tn_http_base_parse("endpoint", url, &base, err);
  if (!status) status = tn_http_test_reach(ctx, tn_s3_host, &s->config->reach, &base, t, err);
  if (!status)
    status = tn_http_test_ask(ctx, tn_s3_host, &s->config->reach, &base, t, !s->identity && !s->is_renewable ? "as nobody" : "the keys are good",
                              ask, &q, err);
  if (status) return status;
  tn_s3_host->step_end(t, TENON_PASSED, NULL, strcmp(q.count, "0") ? "the bucket can be listed" : "the bucket can be listed, and is empty");
  return TENON_OK;
}

static tenon_status test(tenon_ctx *ctx, const tenon_provider *provider, const void *config, tenon_test *ret,
                         tenon_error *err) {
  tenon_error own = TENON_ERROR_INIT;
  tn_s3 *s;
  (void)provider;
  if (!err) err = &own;
  tenon_status status = make_session(ctx, config, &s, err);
  if (status) return status;
  status = walk(ctx, s, ret, err);
  if (!status) {
    tn_s3_host->fact(ret, "region", "%s", s->region);
    tn_s3_host->fact(ret, "endpoint", "%s://%s", s->scheme, s->host);
  }
  free_session(s);
  return status;
}

/* ---- The provider ---- */

static tenon_status init(const tenon_host *host, tenon_error *err) {
  (void)err;
  tn_s3_host = host;
  return TENON_OK;
}

static const tenon_objects_ops objects = {
    .struct_size = sizeof objects,
    .list = tn_s3_list,
    .stat = tn_s3_stat,
    .get = tn_s3_get,
    .put = tn_s3_put,
    .copy = tn_s3_copy,
    .remove = tn_s3_remove,
    .presign = tn_s3_presign,
};

const tenon_provider tn_provider_s3 = {
    .struct_size = sizeof tn_provider_s3,
    .abi = TENON_ABI,
    .kind = "s3",
    .category = "storage",
    .label = "Amazon S3",
    .summary = "Objects in a bucket of Amazon S3, or of any service that speaks its protocol; CSV, Parquet and others as tables.",
    .params = TENON_PARAMS(params),
    .config_size = sizeof(tn_s3_config),
    .traits = TENON_SHARED,
    .init = init,
    .parse_url = parse_url,
    .test = test,
    .open = open_session,
    .close = free_session,
    .objects = &objects,
};
