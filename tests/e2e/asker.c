/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A program with a kind of its own that gets its tokens from the host, on many threads at once:
 *
 *   asker FOLDER TOKEN_URL API_URL CLIENT GRANT THREADS MILLISECONDS
 *
 * GRANT - is none: by client credentials. Each thread asks until the time is over and shows its token to the API, if API_URL is
 * not -. In the end: a line "token N" for each token that was seen, N times; "error CODE message | remedy"; "uses N".
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenon/provider.h"
#include "tenon/tenon.h"

enum { MAX_THREADS = 64, MAX_TOKENS = 64 };

typedef struct probe_config {
  uint64_t set;
  const char *token_url, *api_url, *client, *secret, *grant;
} probe_config;

static const tenon_host *host;

static struct {
  pthread_mutex_t lock;
  char *tokens[MAX_TOKENS];
  int counts[MAX_TOKENS], uses;
  tenon_error err;
} seen = {.lock = PTHREAD_MUTEX_INITIALIZER, .err = TENON_ERROR_INIT};

static void see(const char *token) {
  pthread_mutex_lock(&seen.lock);
  int i = 0;
  while (i < MAX_TOKENS - 1 && seen.tokens[i] && strcmp(seen.tokens[i], token)) i++;
  if (!seen.tokens[i]) seen.tokens[i] = strdup(token);
  seen.counts[i]++;
  pthread_mutex_unlock(&seen.lock);
}

static tenon_status show(tenon_ctx *ctx, tenon_http *client, const probe_config *c, const char *token, int *ret_status,
                         tenon_error *err) {
  char bearer[TENON_TOKEN_ROOM + 8];
  snprintf(bearer, sizeof bearer, "Bearer %s", token);
  const tenon_http_header header = {"Authorization", bearer};
  tenon_http_request request = TENON_HTTP_REQUEST_INIT;
  tenon_http_reply reply;
  request.url = c->api_url;
  request.headers = &header;
  request.header_count = 1;
  tenon_status status = host->http->send(ctx, client, &request, &reply, err);
  if (status) return status;
  *ret_status = reply.status;
  reply.body.close(reply.body.self);
  return TENON_OK;
}

static tenon_status use(tenon_ctx *ctx, const probe_config *c, tenon_error *err) {
  const tenon_token_source source = {
      .struct_size = sizeof source, .grant = c->grant, .token_url = c->token_url, .client_id = c->client,
      .client_secret = c->secret, .auth = c->grant ? TENON_TOKEN_POST : TENON_TOKEN_BASIC,
      .scope = c->grant ? NULL : "api"};
  tenon_token token = {.struct_size = sizeof token};
  tenon_http *client = NULL;
  int answer = 200;
  tenon_status status = host->token(ctx, &source, 0, &token, err);
  if (!status && c->api_url) {
    status = host->http->new_client(ctx, NULL, &client, err);
    if (!status) status = show(ctx, client, c, token.text, &answer, err);
    if (!status && answer == 401 && !(status = host->token_refused(ctx, &source, token.text, err)) &&
        !(status = host->token(ctx, &source, 0, &token, err)))
      status = show(ctx, client, c, token.text, &answer, err);
    host->http->free_client(client);
  }
  if (!status && answer != 200) status = tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, NULL, "status %d", answer);
  if (!status) see(token.text);
  return status;
}

/* Opening the session is all that the kind does. */
static tenon_status open_session(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret, tenon_error *err) {
  (void)p;
  static char session;
  tenon_status status = use(ctx, config, err);
  if (!status) *ret = &session;
  return status;
}

static void close_session(void *session) { (void)session; }

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t, tenon_error *err) {
  (void)p, (void)t;
  return use(ctx, config, err);
}

static tenon_status init(const tenon_host *h, tenon_error *err) {
  (void)err;
  host = h;
  return TENON_OK;
}

static const tenon_param params[] = {
    {TENON_STRING(probe_config, token_url), .key = "token_url", .label = "Token URL", .help = "-", .flags = TENON_REQUIRED},
    {TENON_STRING(probe_config, api_url), .key = "api_url", .label = "API URL", .help = "-"},
    {TENON_STRING(probe_config, client), .key = "client_id", .label = "Client", .help = "-", .flags = TENON_REQUIRED},
    {TENON_STRING(probe_config, secret), .key = "client_secret", .label = "Secret", .help = "-", .flags = TENON_SECRET},
    {TENON_STRING(probe_config, grant), .key = "grant", .label = "Grant", .help = "-"},
};

static tenon_status list(tenon_ctx *ctx, void *session, const tenon_objects_list *r, tenon_stream *ret, tenon_error *err) {
  (void)ctx, (void)session, (void)r, (void)ret;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE, NULL, "nothing to list");
}

static tenon_status stat_one(tenon_ctx *ctx, void *session, const tenon_key_bytes *k, tenon_object *ret, tenon_error *err) {
  (void)ctx, (void)session, (void)k, (void)ret;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE, NULL, "nothing there");
}

static tenon_status get(tenon_ctx *ctx, void *session, const tenon_get *r, tenon_got *ret, tenon_error *err) {
  (void)ctx, (void)session, (void)r, (void)ret;
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_NONE, NULL, "nothing to get");
}

static const tenon_objects_ops objects = {.struct_size = sizeof objects, .list = list, .stat = stat_one, .get = get};

static const tenon_provider probe = {
    .struct_size = sizeof probe, .abi = TENON_ABI, .kind = "probe", .category = "api", .label = "Probe",
    .summary = "Shows its token.", .params = TENON_PARAMS(params), .config_size = sizeof(probe_config), .init = init,
    .test = test, .open = open_session, .close = close_session, .objects = &objects};

static tenon *handle;
static const tenon_setting *settings;
static size_t setting_count;
static int64_t until_ms;

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *work(void *unused) {
  (void)unused;
  do {
    tenon_session *s = NULL;
    tenon_error err = TENON_ERROR_INIT;
    tenon_status status = tenon_open(NULL, handle, "probe://x", settings, setting_count, &s, &err);
    pthread_mutex_lock(&seen.lock);
    if (!status) seen.uses++;
    else if (!seen.err.code) seen.err = err;
    pthread_mutex_unlock(&seen.lock);
    tenon_close(s);
    if (status) break;
    nanosleep(&(struct timespec){.tv_nsec = 5000000}, NULL);
  } while (now_ms() < until_ms);
  return NULL;
}

static tenon_status parse_nothing(const char *url, tenon_status (*set)(void *, const char *, const char *, tenon_error *), void *arg,
                                  tenon_error *err) {
  (void)url, (void)set, (void)arg, (void)err;
  return TENON_OK;
}

int main(int argc, char **argv) {
  if (argc != 8) return 64;
  static tenon_provider kind;
  kind = probe;
  kind.parse_url = parse_nothing;
  tenon_options options = TENON_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  options.grants = argv[1];
  if (tenon_new(&options, &handle, &err) || tenon_register(handle, &kind, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  tenon_setting own[5] = {{"token_url", argv[2]}, {"client_id", argv[4]}, {"client_secret", getenv("ASKER_SECRET")}};
  setting_count = 3;
  if (strcmp(argv[3], "-")) own[setting_count++] = (tenon_setting){"api_url", argv[3]};
  if (strcmp(argv[5], "-")) own[setting_count++] = (tenon_setting){"grant", argv[5]};
  settings = own;
  until_ms = now_ms() + atoll(argv[7]);
  pthread_t threads[MAX_THREADS];
  int count = atoi(argv[6]);
  for (int i = 0; i < count; i++) pthread_create(&threads[i], NULL, work, NULL);
  for (int i = 0; i < count; i++) pthread_join(threads[i], NULL);
  tenon_free(handle);
  for (int i = 0; i < MAX_TOKENS && seen.tokens[i]; i++) printf("%s %d\n", seen.tokens[i], seen.counts[i]);
  if (seen.err.code)
    printf("error %s retryable=%d %s | %s\n", tenon_status_name(seen.err.code), seen.err.retryable, seen.err.message, seen.err.remedy);
  printf("uses %d\n", seen.uses);
  return 0;
}
