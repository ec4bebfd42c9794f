/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Clients and lanes. A lane is a libcurl multi handle with its own connections, used by one thread
 * at a time; a client keeps those that are free. So threads share connections by turns, and nothing of
 * libcurl's is ever used by two of them at once.
 */
#include <poll.h>
#include <string.h>
#include <strings.h>

#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/http_parts.h"
#include "net/tls.h"

enum { MAX_REDIRECTS = 5, LONGEST_WAIT_MS = 1000, MAX_REST = 1 << 20, CONNECTIONS = 64 };

/* ---- Lanes ---- */

static void free_lane(tenon_http_lane *lane) {
  if (!lane) return;
  while (lane->active) tn_http_end(lane->active);
  tn_http_free_spare(lane);
  if (lane->multi) tn_curl.curl_multi_cleanup(lane->multi);
  tenon_ctx_free(lane->ctx);
  tn_free(lane);
}

static tenon_status make_lane(tenon_http *client, tenon_http_lane **ret, tenon_error *err) {
  tenon_http_lane *lane = tn_alloc(sizeof *lane);
  if (!lane) return tn_no_memory(err);
  lane->client = client;
  lane->multi = tn_curl.curl_multi_init();
  if (!lane->multi) {
    tn_free(lane);
    return tn_no_memory(err);
  }
  tn_curl.curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)CONNECTIONS);
  *ret = lane;
  return TENON_OK;
}

static tenon_status new_lane(tenon_ctx *ctx, tenon_http *client, tenon_http_lane **ret,
                             tenon_error *err) {
  pthread_mutex_lock(&client->lock);
  tenon_http_lane *lane = client->idle;
  if (lane) {
    client->idle = lane->next;
    client->idle_count--;
  }
  pthread_mutex_unlock(&client->lock);
  tenon_status status = lane ? TENON_OK : make_lane(client, &lane, err);
  if (status) return status;
  lane->next = NULL;
  lane->ctx = tenon_ctx_ref(ctx);
  atomic_store(&lane->is_woken, false);
  *ret = lane;
  return TENON_OK;
}

/* Its connections wait for the next user. */
static void give_lane_back(tenon_http_lane *lane) {
  tenon_http *client = lane->client;
  while (lane->active) tn_http_end(lane->active);
  tenon_ctx_free(lane->ctx);
  lane->ctx = NULL;
  pthread_mutex_lock(&client->lock);
  bool kept = client->idle_count < TN_HTTP_IDLE_LANES;
  if (kept) {
    lane->next = client->idle;
    client->idle = lane;
    client->idle_count++;
  }
  pthread_mutex_unlock(&client->lock);
  if (!kept) free_lane(lane);
}

static void collect_ended(tenon_http_lane *lane) {
  CURLMsg *message;
  int left;
  while ((message = tn_curl.curl_multi_info_read(lane->multi, &left))) {
    char *exchange = NULL;
    if (message->msg != CURLMSG_DONE) continue;
    CURLcode code = message->data.result;
    tn_curl.curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &exchange);
    tn_http_finish((tenon_http_exchange *)(void *)exchange, code);
  }
}

static tenon_status perform(tenon_http_lane *lane, tenon_error *err) {
  int running;
  CURLMcode code = tn_curl.curl_multi_perform(lane->multi, &running);
  if (code == CURLM_OUT_OF_MEMORY) return tn_no_memory(err);
  if (code)
    return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, "report this as a fault of Tenon",
                      "libcurl: multi error %d", (int)code);
  for (tenon_http_exchange *x = lane->active; x; x = x->next) tn_http_note_connected(x);
  collect_ended(lane);
  return TENON_OK;
}

static tenon_status await(tenon_http_lane *lane, int timeout_ms, tenon_error *err) {
  struct curl_waitfd cancel = {.fd = tn_ctx_fd(lane->ctx), .events = CURL_WAIT_POLLIN};
  int64_t left = tn_ctx_remaining_ms(lane->ctx);
  if (timeout_ms >= 0 && timeout_ms < left) left = timeout_ms;
  if (left > LONGEST_WAIT_MS) left = LONGEST_WAIT_MS;
  tn_curl.curl_multi_poll(lane->multi, &cancel, cancel.fd >= 0, left > 0 ? (int)left : 0, NULL);
  return tn_ctx_check(lane->ctx, err);
}

/* Of those that are under way the one that began first: what its wait was for is what all wait for. */
static const tenon_http_exchange *oldest(const tenon_http_lane *lane) {
  const tenon_http_exchange *found = NULL;
  for (const tenon_http_exchange *x = lane->active; x; x = x->next)
    if (!x->has_ended) found = x;
  return found;
}

static tenon_status run(tenon_http_lane *lane, int timeout_ms, size_t *ret_active, tenon_error *err) {
  tenon_error why = TENON_ERROR_INIT;
  uint64_t before = lane->happened;
  int64_t until = timeout_ms < 0 ? INT64_MAX : tn_now_ms() + timeout_ms;
  tenon_status status = tn_ctx_check(lane->ctx, &why);
  if (!status) status = perform(lane, &why);
  while (!status && lane->happened == before && lane->active_count > 0 && !atomic_exchange(&lane->is_woken, false)) {
    int64_t left = until == INT64_MAX ? -1 : until - tn_now_ms();
    if (until != INT64_MAX && left <= 0) break;
    status = await(lane, left > INT32_MAX ? -1 : (int)left, &why);
    if (!status) status = perform(lane, &why);
  }
  if (!status && ret_active) *ret_active = lane->active_count;
  return status ? tn_http_waited_in_vain(oldest(lane), &why, err) : TENON_OK;
}

static tenon_status begin(tenon_http_lane *lane, const tenon_http_request *request,
                          const tenon_http_events *events, tenon_http_exchange **ret,
                          tenon_error *err) {
  return tn_http_begin(lane, request, events, NULL, ret, err);
}

static void wake(tenon_http_lane *lane) {
  atomic_store(&lane->is_woken, true);
  tn_curl.curl_multi_wakeup(lane->multi);
}

static void pause_exchange(tenon_http_exchange *x, bool on) {
  if (!x->has_ended) tn_curl.curl_easy_pause(x->easy, on ? CURLPAUSE_RECV : CURLPAUSE_CONT);
}

/* ---- One request, its reply's body as bytes ---- */

typedef struct reply_body {
  tenon_http_lane *lane;
  tenon_http_exchange *exchange;
  tn_http_pull pull;
  tenon_bytes upload;             /* the request's body: replies may begin before it was read to its end */
  char *url;                      /* where redirects led */
} reply_body;

static void body_close(void *self) {
  reply_body *b = self;
  if (b->exchange) tn_http_end(b->exchange);
  if (b->lane) give_lane_back(b->lane);
  if (b->upload.close) b->upload.close(b->upload.self);
  tn_str_release(&b->pull.rest);
  tn_free(b->url);
  tn_free(b);
}

static size_t take_rest(tn_http_pull *p, void *data, size_t size) {
  size_t n = p->rest.size - p->rest_read;
  if (n > size) n = size;
  if (n) memcpy(data, p->rest.data + p->rest_read, n);
  p->rest_read += n;
  if (p->rest_read == p->rest.size) {
    tn_str_clear(&p->rest);
    p->rest_read = 0;
  }
  return n;
}

static tenon_status end_of_body(const tenon_http_exchange *x, size_t *ret_size, tenon_error *err) {
  if (x->result == TENON_OK) {
    *ret_size = 0;
    return TENON_OK;
  }
  if (err && !err->code) *err = x->error;
  return x->result;
}

static tenon_status body_read(void *self, void *data, size_t size, size_t *ret_size,
                              tenon_error *err) {
  reply_body *b = self;
  tenon_http_exchange *x = b->exchange;
  size_t n = take_rest(&b->pull, data, size);
  b->pull.to = data;
  b->pull.room = size;
  b->pull.given = n;
  tenon_status status = TENON_OK;
  while (!status && b->pull.given == 0 && size > 0 && !x->has_ended) {
    if (x->is_paused) {
      x->is_paused = false;
      tn_curl.curl_easy_pause(x->easy, CURLPAUSE_CONT);
      if (b->pull.given) break;
    }
    status = run(b->lane, -1, NULL, err);
  }
  b->pull.to = NULL;
  if (status) return status;
  if (b->pull.given == 0) return end_of_body(x, ret_size, err);
  *ret_size = b->pull.given;
  return TENON_OK;
}

static bool is_redirect(int32_t status) {
  return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

static tenon_status go(reply_body *b, const tenon_http_request *request, tenon_error *err) {
  tenon_status status = tn_http_begin(b->lane, request, NULL, &b->pull, &b->exchange, err);
  while (!status && !b->exchange->has_head && !b->exchange->has_ended) status = run(b->lane, -1, NULL, err);
  const tenon_http_exchange *x = b->exchange;
  if (status || x->has_head) return status;
  if (x->result == TENON_OK)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "check that the URL is one of an HTTP service",
                      "%s: the reply has no head", x->url);
  if (err && !err->code) *err = x->error;
  return x->result;
}

/* Headers that say nothing about who asks. */
static size_t keep_harmless(const tenon_http_request *from, tenon_http_header *ret, size_t room) {
  static const char *const harmless[] = {"accept", "accept-encoding", "range", "if-match", "if-unmodified-since"};
  size_t n = 0;
  for (size_t i = 0; i < from->header_count; i++)
    for (size_t k = 0; k < sizeof harmless / sizeof harmless[0]; k++)
      if (strcasecmp(from->headers[i].name, harmless[k]) == 0 && n < room) ret[n++] = from->headers[i];
  return n;
}

static bool may_follow(const tenon_http_request *r) {
  return r->follow && (!r->method || !strcmp(r->method, "GET") || !strcmp(r->method, "HEAD"));
}

/* From https nobody is led to http, nor anywhere with a login. */
static tenon_status no_way(const tenon_http_exchange *x, const char *location, tenon_error *err) {
  if (!location)
    return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "ask who runs the service", "%s redirects, and does not say where", x->url);
  return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "use the URL that the service has now, with https if it is there",
                    "%s redirects to %.*s, where nobody may go", x->url, (int)strcspn(location, "?#"), location);
}

/* Goes on at the Location. *request is changed; kept holds what is left of its headers. */
static tenon_status redirect(reply_body *b, tenon_http_request *request, tenon_http_header *kept,
                             size_t room, tenon_error *err) {
  const char *location = tn_http_header(b->exchange, "location");
  char *url = location ? tn_http_redirected(request->url, location) : NULL;
  if (!url) return no_way(b->exchange, location, err);
  if (!tn_http_same_origin(request->url, url)) {
    request->header_count = keep_harmless(request, kept, room);
    request->headers = kept;
  }
  tn_http_end(b->exchange);
  b->exchange = NULL;
  tn_str_clear(&b->pull.rest);
  b->pull.rest_read = 0;
  tn_free(b->url);
  request->url = b->url = url;
  return go(b, request, err);
}

static tenon_status go_all_the_way(reply_body *b, const tenon_http_request *request,
                                   tenon_error *err) {
  tenon_http_request own = *request;
  tenon_http_header kept[8];
  tenon_status status = go(b, &own, err);
  for (int i = 0; !status && may_follow(&own) && is_redirect(b->exchange->status); i++) {
    if (i == MAX_REDIRECTS)
      return tenon_fail(err, TENON_DATA, TENON_STAGE_QUERY, "use the URL that the service has now",
                        "%s: more than %d redirects", b->exchange->url, MAX_REDIRECTS);
    status = redirect(b, &own, kept, sizeof kept / sizeof kept[0], err);
  }
  return status;
}

static int64_t length_of(const tenon_http_exchange *x) {
  curl_off_t length = -1;
  if (tn_http_header(x, "content-encoding")) return -1;
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return length;
}

static tenon_status send_request(tenon_ctx *ctx, tenon_http *client, const tenon_http_request *request,
                                 tenon_http_reply *ret, tenon_error *err) {
  tenon_http_request own = *request;
  reply_body *b = tn_alloc(sizeof *b);
  if (!b) {
    if (own.body) own.body->close(own.body->self);
    return tn_no_memory(err);
  }
  tn_str_init(&b->pull.rest, MAX_REST + CURL_MAX_READ_SIZE);
  if (own.body) {
    b->upload = *own.body;
    own.body = &b->upload;
  }
  tenon_status status = new_lane(ctx, client, &b->lane, err);
  if (!status) status = go_all_the_way(b, &own, err);
  if (status) {
    body_close(b);
    return status;
  }
  *ret = (tenon_http_reply){
      .struct_size = sizeof *ret, .status = b->exchange->status, .exchange = b->exchange,
      .body = {.struct_size = sizeof ret->body, .fd = -1, .length = length_of(b->exchange), .self = b,
               .read = body_read, .close = body_close},
      .url = b->url};
  return TENON_OK;
}

/* ---- Clients ---- */

static bool copy_bytes(const void *from, size_t size, void **ret, size_t *ret_size) {
  if (!size) return true;
  *ret = tn_alloc(size + 1);
  if (!*ret) return false;
  memcpy(*ret, from, size);
  *ret_size = size;
  return true;
}

static void free_client(tenon_http *client) {
  if (!client) return;
  while (client->idle) {
    tenon_http_lane *lane = client->idle;
    client->idle = lane->next;
    free_lane(lane);
  }
  if (client->key) tn_wipe(client->key, client->key_size);
  if (client->proxy) tn_wipe(client->proxy, strlen(client->proxy));
  tn_free(client->ca);
  tn_free(client->certificate);
  tn_free(client->key);
  tn_free(client->proxy);
  pthread_mutex_destroy(&client->lock);
  tn_free(client);
}

static tenon_status check_tls(const tenon_http_options *o, tenon_error *err) {
  const tenon_tls_options tls = {.struct_size = sizeof tls, .ca = o->ca, .ca_size = o->ca_size, .certificate = o->certificate,
                                 .certificate_size = o->certificate_size, .key = o->key, .key_size = o->key_size};
  bool is_set = o->ca_size || o->certificate_size || o->key_size;
  if (o->key_size && !o->certificate_size)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give the client certificate that the key belongs to as well",
                      "there is a key, and no certificate");
  return is_set ? tn_tls_check(&tls, err) : TENON_OK;
}

static tenon_status new_client(tenon_ctx *ctx, const tenon_http_options *o, tenon_http **ret,
                               tenon_error *err) {
  static const tenon_http_options none = {.struct_size = sizeof none};
  (void)ctx;
  if (!o) o = &none;
  tenon_status status = tn_curl_open(err);
  if (!status) status = check_tls(o, err);
  if (status) return status;
  tenon_http *client = tn_alloc(sizeof *client);
  if (!client) return tn_no_memory(err);
  pthread_mutex_init(&client->lock, NULL);
  client->insecure = o->insecure;
  if (o->proxy && *o->proxy) tn_http_place(o->proxy, client->proxy_place, sizeof client->proxy_place);
  client->proxy = o->proxy && *o->proxy ? tn_strdup(o->proxy) : NULL;
  if (!copy_bytes(o->ca, o->ca_size, &client->ca, &client->ca_size) ||
      !copy_bytes(o->certificate, o->certificate_size, &client->certificate, &client->certificate_size) ||
      !copy_bytes(o->key, o->key_size, &client->key, &client->key_size) ||
      (o->proxy && *o->proxy && !client->proxy)) {
    free_client(client);
    return tn_no_memory(err);
  }
  *ret = client;
  return TENON_OK;
}

const tenon_http_ops tn_http_ops = {
    .struct_size = sizeof tn_http_ops,
    .new_client = new_client,
    .free_client = free_client,
    .send = send_request,
    .new_lane = new_lane,
    .free_lane = give_lane_back,
    .begin = begin,
    .run = run,
    .pause = pause_exchange,
    .wake = wake,
    .end = tn_http_end,
    .status = tn_http_status,
    .header = tn_http_header,
    .refused = tn_http_refused,
    .header_at = tn_http_header_at,
    .progress = tn_http_progress,
};
