/* SPDX-License-Identifier: Apache-2.0 */
/* The HTTP client against a server that says what it is told to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/ctx.h"
#include "base/error.h"
#include "net/http.h"
#include "unit/http_fixture.h"

typedef struct bench {
  http_fixture *server;
  tenon_http *client;
  tenon_ctx *ctx;
  tenon_error err;
  char body[1 << 16];
  size_t size;
} bench;

static const tenon_http_ops *const http = &tn_http_ops;

static int set_up(void **state) {
  bench *b = calloc(1, sizeof *b);
  b->server = http_fixture_new();
  b->err = (tenon_error)TENON_ERROR_INIT;
  assert_int_equal(tenon_ctx_new(NULL, 5000, &b->ctx, NULL), TENON_OK);
  assert_int_equal(http->new_client(b->ctx, NULL, &b->client, &b->err), TENON_OK);
  *state = b;
  return 0;
}

static int tear_down(void **state) {
  bench *b = *state;
  http->free_client(b->client);
  http_fixture_free(b->server);
  tenon_ctx_free(b->ctx);
  free(b);
  return 0;
}

static tenon_http_request get(const bench *b, const char *path) {
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  r.url = http_fixture_url(b->server, path);
  return r;
}

/* In pieces of `step`. */
static tenon_status read_all(bench *b, tenon_http_reply *reply, size_t step) {
  b->size = 0;
  for (;;) {
    size_t n = 0;
    tenon_status status = reply->body.read(reply->body.self, b->body + b->size, step, &n, &b->err);
    if (status || n == 0) return status;
    b->size += n;
    b->body[b->size] = 0;
  }
}

static tenon_status fetch(bench *b, const tenon_http_request *r, int32_t *ret_status) {
  tenon_http_reply reply;
  tenon_status status = http->send(b->ctx, b->client, r, &reply, &b->err);
  if (status) return status;
  if (ret_status) *ret_status = reply.status;
  status = read_all(b, &reply, 1000);
  reply.body.close(reply.body.self);
  return status;
}

static void test_a_reply_is_handed_on(void **state) {
  bench *b = *state;
  tenon_http_reply reply;
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nETag: \"x\"\r\nX-Two: a\r\nx-two:  b \r\n\r\nhello");
  tenon_http_request r = get(b, "/a%20b?c=d");
  assert_int_equal(http->send(b->ctx, b->client, &r, &reply, &b->err), TENON_OK);
  assert_int_equal(reply.status, 200);
  assert_int_equal(reply.body.length, 5);
  assert_string_equal(http->header(reply.exchange, "etag"), "\"x\"");
  assert_string_equal(http->header(reply.exchange, "X-TWO"), "b");
  assert_null(http->header(reply.exchange, "x-three"));
  assert_int_equal(read_all(b, &reply, 2), TENON_OK);
  assert_string_equal(b->body, "hello");
  reply.body.close(reply.body.self);
  assert_non_null(strstr(b->server->requests[0], "GET /a%20b?c=d HTTP/1.1\r\n"));
  assert_null(strcasestr(b->server->requests[0], "expect:"));
}

static void test_connections_are_used_again(void **state) {
  bench *b = *state;
  int32_t status;
  for (int i = 0; i < 5; i++) http_fixture_reply(b->server, "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno");
  for (int i = 0; i < 5; i++) {
    tenon_http_request r = get(b, "/");
    assert_int_equal(fetch(b, &r, &status), TENON_OK);
    assert_int_equal(status, 404);
  }
  assert_int_equal(b->server->connection_count, 1);
}

/* A kept connection that closes without an answer may have carried the request to its end. */
static int requests_of_a_post_without_an_answer(bench *b, bool once) {
  pthread_mutex_lock(&b->server->lock);
  b->server->yields = true;
  pthread_mutex_unlock(&b->server->lock);
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  for (int i = 0; i < 2; i++) http_fixture_reply(b->server, "");
  tenon_http_request r = get(b, "/");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  r.method = "POST";
  r.data = "x";
  r.data_size = 1;
  r.once = once;
  assert_int_equal(fetch(b, &r, NULL), TENON_UNREACHABLE);
  pthread_mutex_lock(&b->server->lock);
  int sent = b->server->request_count - 1;
  pthread_mutex_unlock(&b->server->lock);
  return sent;
}

static void test_what_must_not_happen_twice_is_sent_once(void **state) {
  assert_int_equal(requests_of_a_post_without_an_answer(*state, true), 1);
}

static void test_other_requests_get_a_second_connection(void **state) {
  assert_int_equal(requests_of_a_post_without_an_answer(*state, false), 2);
}

static void test_bodies_are_sent(void **state) {
  bench *b = *state;
  tenon_http_header headers[] = {{"Content-Type", "text/plain"}, {"X-Empty", ""}};
  tenon_http_request r = get(b, "/put");
  r.method = "PUT";
  r.data = "some data";
  r.data_size = 9;
  r.headers = headers;
  r.header_count = 2;
  http_fixture_reply(b->server, "HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  const char *seen = b->server->requests[0];
  assert_non_null(strstr(seen, "PUT /put HTTP/1.1\r\n"));
  assert_non_null(strstr(seen, "Content-Length: 9\r\n"));
  assert_non_null(strstr(seen, "Content-Type: text/plain\r\n"));
  assert_null(strstr(seen, "urlencoded"));
  assert_non_null(strstr(seen, "X-Empty:\r\n"));
  assert_non_null(strstr(seen, "\r\n\r\nsome data"));
}

typedef struct source {
  const char *text;
  int closed;
} source;

static tenon_status source_read(void *self, void *data, size_t size, size_t *ret_size, tenon_error *err) {
  source *s = self;
  size_t n = strlen(s->text);
  if (n && *s->text == '!')
    return tenon_fail(err, TENON_IO, TENON_STAGE_DATA, "mend the disk", "the source broke");
  if (n > 3) n = 3;
  if (n > size) n = size;
  memcpy(data, s->text, n);
  s->text += n;
  *ret_size = n;
  return TENON_OK;
}

static void source_close(void *self) { ((source *)self)->closed++; }

static void test_streams_are_sent_in_chunks_and_closed_once(void **state) {
  bench *b = *state;
  source s = {.text = "of unknown length"};
  tenon_bytes bytes = {.struct_size = sizeof bytes, .fd = -1, .length = -1, .self = &s, .read = source_read, .close = source_close};
  tenon_http_request r = get(b, "/put");
  r.method = "PUT";
  r.body = &bytes;
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  assert_int_equal(s.closed, 1);
  assert_non_null(strcasestr(b->server->requests[0], "transfer-encoding: chunked"));
}

static void test_a_source_that_breaks_is_the_error(void **state) {
  bench *b = *state;
  source s = {.text = "abc!"};
  tenon_bytes bytes = {.struct_size = sizeof bytes, .fd = -1, .length = 100, .self = &s, .read = source_read, .close = source_close};
  tenon_http_request r = get(b, "/put");
  r.method = "PUT";
  r.body = &bytes;
  assert_int_equal(fetch(b, &r, NULL), TENON_IO);
  assert_string_equal(b->err.message, "the source broke");
  assert_int_equal(s.closed, 1);
}

/* A file that grows while it is sent: what is behind the length that was said would be the next request's beginning. */
static void test_a_source_is_sent_as_long_as_it_said(void **state) {
  bench *b = *state;
  source s = {.text = "12345678GET /evil HTTP/1.1\r\n\r\n"};
  tenon_bytes bytes = {.struct_size = sizeof bytes, .fd = -1, .length = 8, .self = &s, .read = source_read, .close = source_close};
  tenon_http_request r = get(b, "/put");
  r.method = "PUT";
  r.body = &bytes;
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nnext");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  r = get(b, "/next");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  assert_memory_equal(b->body, "next", 4);
  assert_non_null(strstr(b->server->requests[0], "\r\n\r\n12345678"));
  assert_null(strstr(b->server->requests[0], "evil"));
  assert_non_null(strstr(b->server->requests[1], "GET /next HTTP/1.1"));
}

static void test_a_source_that_ends_early_is_the_error(void **state) {
  bench *b = *state;
  source s = {.text = "abc"};
  tenon_bytes bytes = {.struct_size = sizeof bytes, .fd = -1, .length = 100, .self = &s, .read = source_read, .close = source_close};
  tenon_http_request r = get(b, "/put");
  r.method = "PUT";
  r.body = &bytes;
  int64_t began = tn_now_ms();
  assert_int_equal(fetch(b, &r, NULL), TENON_DATA);
  assert_non_null(strstr(b->err.message, "3 bytes"));
  assert_true(tn_now_ms() - began < 1000);
}

static void test_line_ends_in_headers_are_refused(void **state) {
  bench *b = *state;
  static const char *const values[] = {"a\r\nX-Evil: 1", "a\nb", "a\rb", "\x7f"};
  for (size_t i = 0; i < 4; i++) {
    tenon_http_header h = {"X-Note", values[i]};
    tenon_http_request r = get(b, "/");
    r.headers = &h;
    r.header_count = 1;
    b->err = (tenon_error)TENON_ERROR_INIT;
    assert_int_equal(fetch(b, &r, NULL), TENON_CONFIG);
  }
  tenon_http_header h = {"X-Note: a\r\nX-Evil", "1"};
  tenon_http_request r = get(b, "/");
  r.headers = &h;
  r.header_count = 1;
  assert_int_equal(fetch(b, &r, NULL), TENON_CONFIG);
  r = get(b, "/");
  r.method = "GET / HTTP/1.1\r\nX:";
  assert_int_equal(fetch(b, &r, NULL), TENON_CONFIG);
  assert_int_equal(b->server->connection_count, 0);
}

static void test_urls_that_are_none_of_http_are_refused(void **state) {
  bench *b = *state;
  static const char *const urls[] = {"", "x", "/x", "ftp://127.0.0.1/", "file:///etc/passwd", "gopher://127.0.0.1/",
                                     "http://", "http://user:pw@127.0.0.1/", "http://127.0.0.1:99999/",
                                     "http://127.0.0.1/a b", "http://127.0.0.1/\r\nX: y", "http://b\xc3\xbc" "cher.example/",
                                     "dict://127.0.0.1/", "http://[::1/", "http:\\\\127.0.0.1/"};
  for (size_t i = 0; i < sizeof urls / sizeof urls[0]; i++) {
    tenon_http_request r = TENON_HTTP_REQUEST_INIT;
    r.url = urls[i];
    b->err = (tenon_error)TENON_ERROR_INIT;
    if (fetch(b, &r, NULL) != TENON_CONFIG) fail_msg("%s: %s", urls[i], b->err.message);
  }
}

static void test_replies_too_long_are_limited(void **state) {
  bench *b = *state;
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
  tenon_http_request r = get(b, "/");
  r.max_reply = 9;
  assert_int_equal(fetch(b, &r, NULL), TENON_LIMITED);
}

static void test_replies_cut_short_are_lost_connections(void **state) {
  bench *b = *state;
  b->server->closes = true;
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n01234");
  tenon_http_request r = get(b, "/");
  assert_int_equal(fetch(b, &r, NULL), TENON_UNREACHABLE);
  assert_int_equal(b->err.stage, TENON_STAGE_QUERY);
  assert_true(b->err.retryable);
}

static void test_what_is_no_http_is_said(void **state) {
  bench *b = *state;
  b->server->closes = true;
  http_fixture_reply(b->server, "SSH-2.0-OpenSSH_9.2\r\n");
  tenon_http_request r = get(b, "/");
  assert_int_equal(fetch(b, &r, NULL), TENON_DATA);
  assert_non_null(strstr(b->err.message, "not HTTP"));
}

static void test_nobody_there(void **state) {
  bench *b = *state;
  tenon_http_request r = TENON_HTTP_REQUEST_INIT;
  r.url = "http://127.0.0.1:1/";
  assert_int_equal(fetch(b, &r, NULL), TENON_UNREACHABLE);
  assert_int_equal(b->err.stage, TENON_STAGE_TCP);
  assert_non_null(strstr(b->err.message, "refused"));
}

static void test_a_server_that_hangs_runs_into_the_deadline(void **state) {
  bench *b = *state;
  tenon_ctx *ctx;
  tenon_http_reply reply;
  http_fixture_reply(b->server, NULL);
  tenon_http_request r = get(b, "/");
  assert_int_equal(tenon_ctx_new(b->ctx, 100, &ctx, NULL), TENON_OK);
  int64_t began = tn_now_ms();
  assert_int_equal(http->send(ctx, b->client, &r, &reply, &b->err), TENON_TIMEOUT);
  assert_true(tn_now_ms() - began < 1100);
  assert_int_equal(b->err.stage, TENON_STAGE_QUERY);
  tenon_ctx_free(ctx);
}

static void *cancel_soon(void *ctx) {
  struct timespec t = {.tv_nsec = 50 * 1000 * 1000};
  nanosleep(&t, NULL);
  tenon_ctx_cancel(ctx);
  return NULL;
}

static void test_cancel_ends_a_wait(void **state) {
  bench *b = *state;
  pthread_t thread;
  http_fixture_reply(b->server, NULL);
  tenon_http_request r = get(b, "/");
  int64_t began = tn_now_ms();
  assert_int_equal(pthread_create(&thread, NULL, cancel_soon, b->ctx), 0);
  assert_int_equal(fetch(b, &r, NULL), TENON_CANCELLED);
  assert_true(tn_now_ms() - began < 300);
  pthread_join(thread, NULL);
}

static void test_redirects_are_followed_where_asked(void **state) {
  bench *b = *state;
  tenon_http_header h = {"Authorization", "Bearer secret"};
  tenon_http_request r = get(b, "/old");
  r.headers = &h;
  r.header_count = 1;
  r.follow = true;
  http_fixture_reply(b->server, "HTTP/1.1 302 Found\r\nLocation: /new?x=1\r\nContent-Length: 3\r\n\r\nold");
  http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  assert_string_equal(b->body, "new");
  assert_non_null(strstr(b->server->requests[1], "GET /new?x=1 "));
  assert_non_null(strstr(b->server->requests[1], "Bearer secret"));
}

static void test_credentials_stay_with_their_origin(void **state) {
  bench *b = *state;
  http_fixture *other = http_fixture_new();
  char location[200];
  tenon_http_header h[] = {{"Authorization", "Bearer secret"}, {"X-Api-Key", "k"}, {"Range", "bytes=0-1"}};
  tenon_http_request r = get(b, "/old");
  r.headers = h;
  r.header_count = 3;
  r.follow = true;
  snprintf(location, sizeof location, "HTTP/1.1 307 T\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", http_fixture_url(other, "/there"));
  r.url = http_fixture_url(b->server, "/old");
  http_fixture_reply(b->server, location);
  http_fixture_reply(other, "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
  assert_int_equal(fetch(b, &r, NULL), TENON_OK);
  assert_null(strstr(other->requests[0], "secret"));
  assert_null(strcasestr(other->requests[0], "x-api-key"));
  assert_non_null(strstr(other->requests[0], "Range: bytes=0-1"));
  http_fixture_free(other);
}

static void test_redirects_come_to_an_end(void **state) {
  bench *b = *state;
  for (int i = 0; i < 8; i++) http_fixture_reply(b->server, "HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n");
  tenon_http_request r = get(b, "/");
  r.follow = true;
  assert_int_equal(fetch(b, &r, NULL), TENON_DATA);
  assert_int_equal(b->server->request_count, 6);
}

static void test_redirects_lead_to_http_alone(void **state) {
  bench *b = *state;
  static const char *const bad[] = {"file:///etc/passwd", "ftp://127.0.0.1/", "http://u:p@127.0.0.1/", "gopher://x/"};
  for (size_t i = 0; i < 4; i++) {
    static char text[4][200];
    snprintf(text[i], sizeof text[i], "HTTP/1.1 302 Found\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n", bad[i]);
    http_fixture_reply(b->server, text[i]);
    tenon_http_request r = get(b, "/");
    r.follow = true;
    b->err = (tenon_error)TENON_ERROR_INIT;
    assert_int_equal(fetch(b, &r, NULL), TENON_DATA);
  }
}

static void test_heads_too_big_are_limited(void **state) {
  bench *b = *state;
  size_t size = 0;
  static char reply[1 << 20];   /* the server may still send it when the client has given up */
  size += (size_t)sprintf(reply, "HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 600; i++) size += (size_t)sprintf(reply + size, "X-%d: %d\r\n", i, i);
  size += (size_t)sprintf(reply + size, "Content-Length: 0\r\n\r\n");
  http_fixture_reply(b->server, reply);
  tenon_http_request r = get(b, "/");
  assert_int_equal(fetch(b, &r, NULL), TENON_LIMITED);
}

static void test_statuses_mean_something(void **state) {
  bench *b = *state;
  static const struct { const char *reply; tenon_status code; bool retryable; int after_ms; } cases[] = {
      {"HTTP/1.1 401 U\r\nContent-Length: 0\r\n\r\n", TENON_UNAUTHENTICATED, false, -1},
      {"HTTP/1.1 403 F\r\nContent-Length: 0\r\n\r\n", TENON_FORBIDDEN, false, -1},
      {"HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n", TENON_NOT_FOUND, false, -1},
      {"HTTP/1.1 412 P\r\nContent-Length: 0\r\n\r\n", TENON_CONFLICT, false, -1},
      {"HTTP/1.1 429 T\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", TENON_LIMITED, true, 7000},
      {"HTTP/1.1 429 T\r\nDate: Sat, 21 Nov 2026 10:00:00 GMT\r\nRetry-After: Sat, 21 Nov 2026 10:00:09 GMT\r\nContent-Length: 0\r\n\r\n",
       TENON_LIMITED, true, 9000},
      {"HTTP/1.1 503 U\r\nRetry-After: Sat, 21 Nov 2015 10:00:09 GMT\r\nContent-Length: 0\r\n\r\n", TENON_UNREACHABLE, true, 0},
      {"HTTP/1.1 503 U\r\nRetry-After: in a moment\r\nContent-Length: 0\r\n\r\n", TENON_UNREACHABLE, true, -1},
      {"HTTP/1.1 503 S\r\nContent-Length: 0\r\n\r\n", TENON_UNREACHABLE, true, -1},
      {"HTTP/1.1 500 S\r\nContent-Length: 0\r\n\r\n", TENON_IO, true, -1},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tenon_http_reply reply;
    tenon_http_request r = get(b, "/x?token=secret");
    tenon_error err = TENON_ERROR_INIT;
    http_fixture_reply(b->server, cases[i].reply);
    assert_int_equal(http->send(b->ctx, b->client, &r, &reply, &err), TENON_OK);
    assert_int_equal(http->refused(reply.exchange, "because", NULL, &err), cases[i].code);
    assert_int_equal(err.retryable, cases[i].retryable);
    assert_int_equal(err.retry_after_ms, cases[i].after_ms);
    assert_non_null(strstr(err.message, "because"));
    assert_null(strstr(err.message, "secret"));
    reply.body.close(reply.body.self);
  }
}

/* ---- Many at once ---- */

typedef struct tally {
  int heads, ends;
  size_t bytes;
} tally;

static tenon_status count_head(void *arg, tenon_http_exchange *x, tenon_error *err) {
  (void)err;
  ((tally *)arg)->heads += http->status(x) == 200;
  return TENON_OK;
}

static tenon_status count_body(void *arg, const void *data, size_t size, tenon_error *err) {
  (void)data;
  (void)err;
  ((tally *)arg)->bytes += size;
  return TENON_OK;
}

static void count_end(void *arg, tenon_http_exchange *x, tenon_status status, const tenon_error *err) {
  (void)err;
  ((tally *)arg)->ends += status == TENON_OK;
  http->end(x);
}

static void test_a_lane_carries_many(void **state) {
  bench *b = *state;
  tally t = {0};
  tenon_http_lane *lane;
  tenon_http_exchange *x;
  size_t active = 1;
  b->server->closes = true;   /* so that they share no connection */
  for (int i = 0; i < 8; i++) http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  assert_int_equal(http->new_lane(b->ctx, b->client, &lane, &b->err), TENON_OK);
  const tenon_http_events events = {&t, count_head, count_body, count_end};
  for (int i = 0; i < 8; i++) {
    tenon_http_request r = get(b, "/");
    assert_int_equal(http->begin(lane, &r, &events, &x, &b->err), TENON_OK);
  }
  while (active) assert_int_equal(http->run(lane, -1, &active, &b->err), TENON_OK);
  assert_int_equal(t.heads, 8);
  assert_int_equal(t.ends, 8);
  assert_int_equal(t.bytes, 32);
  http->free_lane(lane);
}

/* ---- Threads share a client ---- */

enum { THREADS = 8 };

static void *fetch_twice(void *arg) {
  const bench *b = arg;
  size_t good = 0;
  for (int i = 0; i < 2; i++) {
    tenon_http_request r = TENON_HTTP_REQUEST_INIT;
    tenon_http_reply reply;
    char url[64], data[16];
    size_t n = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%d/", b->server->port);
    r.url = url;
    if (http->send(b->ctx, b->client, &r, &reply, NULL)) continue;
    if (!reply.body.read(reply.body.self, data, sizeof data, &n, NULL) && n == 4) good++;
    reply.body.close(reply.body.self);
  }
  return (void *)good;
}

static void test_threads_share_a_client(void **state) {
  bench *b = *state;
  pthread_t threads[THREADS];
  b->server->closes = true;
  for (int i = 0; i < 2 * THREADS; i++) http_fixture_reply(b->server, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody");
  for (int i = 0; i < THREADS; i++) assert_int_equal(pthread_create(&threads[i], NULL, fetch_twice, b), 0);
  for (int i = 0; i < THREADS; i++) {
    void *good;
    pthread_join(threads[i], &good);
    assert_int_equal((size_t)good, 2);
  }
}

int main(void) {
#define HTTP_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
  const struct CMUnitTest tests[] = {
      HTTP_TEST(test_a_reply_is_handed_on), HTTP_TEST(test_connections_are_used_again),
      HTTP_TEST(test_what_must_not_happen_twice_is_sent_once), HTTP_TEST(test_other_requests_get_a_second_connection),
      HTTP_TEST(test_bodies_are_sent),
      HTTP_TEST(test_streams_are_sent_in_chunks_and_closed_once), HTTP_TEST(test_a_source_that_breaks_is_the_error),
      HTTP_TEST(test_a_source_is_sent_as_long_as_it_said), HTTP_TEST(test_a_source_that_ends_early_is_the_error),
      HTTP_TEST(test_line_ends_in_headers_are_refused), HTTP_TEST(test_urls_that_are_none_of_http_are_refused),
      HTTP_TEST(test_replies_too_long_are_limited), HTTP_TEST(test_replies_cut_short_are_lost_connections),
      HTTP_TEST(test_what_is_no_http_is_said), HTTP_TEST(test_nobody_there),
      HTTP_TEST(test_a_server_that_hangs_runs_into_the_deadline), HTTP_TEST(test_cancel_ends_a_wait),
      HTTP_TEST(test_redirects_are_followed_where_asked), HTTP_TEST(test_credentials_stay_with_their_origin),
      HTTP_TEST(test_redirects_come_to_an_end), HTTP_TEST(test_redirects_lead_to_http_alone),
      HTTP_TEST(test_heads_too_big_are_limited), HTTP_TEST(test_statuses_mean_something),
      HTTP_TEST(test_a_lane_carries_many), HTTP_TEST(test_threads_share_a_client),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
