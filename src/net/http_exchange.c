/* SPDX-License-Identifier: Apache-2.0 */
/* One request and its reply: what libcurl is told, and what it tells. */
#include <arpa/inet.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/ctx.h"
#include "base/egress.h"
#include "base/error.h"
#include "base/mem.h"
#include "net/http_parts.h"

enum { BUFFER_SIZE = 256 << 10, UPLOAD_SIZE = 512 << 10, CONNECT_TIMEOUT_MS = 15000 };

/* ---- What it tells: called inside curl_multi_perform ---- */

static size_t give_up(tenon_http_exchange *x, tenon_status status) {
  x->result = status;
  if (!x->error.code) tenon_fail(&x->error, status, TENON_STAGE_DATA, NULL, "the reply was not taken");
  return 0;
}

static void tell_head(tenon_http_exchange *x) {
  x->has_head = true;
  x->lane->happened++;
  if (!x->events.head) return;
  tenon_status status = x->events.head(x->events.arg, x, &x->error);
  if (status) give_up(x, status);
}

/* RFC 9112, 6.3: with two lengths nobody knows where the body ends, and on the way it may have been cut. */
static bool check_length(tenon_http_exchange *x) {
  const char *length = tn_http_header_at(x, "content-length", 0), *other;
  bool agree = !length || (!strchr(length, ',') && !tn_http_header_at(x, "transfer-encoding", 0));
  for (size_t i = 0; agree && (other = tn_http_header_at(x, "content-length", i)); i++) agree = strcmp(length, other) == 0;
  if (!agree) {
    tenon_fail(&x->error, TENON_DATA, TENON_STAGE_DATA, "ask who runs the service, or a proxy in front of it",
               "%s: the headers of the reply contradict each other about where it ends (Content-Length)", x->url);
    give_up(x, TENON_DATA);
  }
  return agree;
}

static bool keep_header(tenon_http_exchange *x, const char *line, size_t size) {
  const char *colon = memchr(line, ':', size);
  if (!colon || x->header_count == TN_HTTP_MAX_HEADERS || memchr(line, 0, size)) return !colon;
  const char *value = colon + 1, *end = line + size;
  while (value < end && (*value == ' ' || *value == '\t')) value++;
  while (end > value && (end[-1] == '\r' || end[-1] == '\n' || end[-1] == ' ' || end[-1] == '\t')) end--;
  x->header_count++;
  return tn_str_add(&x->head, line, (size_t)(colon - line)) && tn_str_putc(&x->head, 0) &&
         tn_str_add(&x->head, value, (size_t)(end - value)) && tn_str_putc(&x->head, 0);
}

static void begin_head(tenon_http_exchange *x) {
  tn_str_clear(&x->head);
  x->header_count = 0;
}

static size_t on_header(char *line, size_t one, size_t size, void *self) {
  tenon_http_exchange *x = self;
  (void)one;
  if (x->has_head) return size;   /* behind the body */
  if (size > 5 && memcmp(line, "HTTP/", 5) == 0) {
    begin_head(x);
  } else if (size <= 2) {
    long status = 0;
    tn_curl.curl_easy_getinfo(x->easy, CURLINFO_RESPONSE_CODE, &status);
    x->status = (int32_t)status;
    if (status >= 200 && check_length(x)) tell_head(x);   /* 100 and the like are not it; nor is a proxy's CONNECT */
    if (x->result) return 0;
  } else if (!keep_header(x, line, size)) {
    tenon_fail(&x->error, TENON_LIMITED, TENON_STAGE_DATA, "ask who runs the service",
               "%s: the reply has too many headers", x->url);
    return give_up(x, TENON_LIMITED);
  }
  return size;
}

/* Straight to who waits for it; what is left is kept, up to a limit, then the connection rests. */
static size_t pull(tenon_http_exchange *x, const char *data, size_t size) {
  tn_http_pull *p = x->pull;
  size_t direct = p->to && p->rest.size == 0 ? p->room - p->given : 0;
  if (direct > size) direct = size;
  if (size > direct && p->rest.size && p->rest.size + size > p->rest.max - CURL_MAX_READ_SIZE) {
    x->is_paused = true;
    return CURL_WRITEFUNC_PAUSE;
  }
  if (direct) memcpy(p->to + p->given, data, direct);
  if (!tn_str_add(&p->rest, data + direct, size - direct)) {
    tn_no_memory(&x->error);
    return give_up(x, TENON_LIMITED);
  }
  p->given += direct;
  return size;
}

static size_t on_body(char *data, size_t one, size_t size, void *self) {
  tenon_http_exchange *x = self;
  (void)one;
  if (x->max_reply >= 0 && x->received + (int64_t)size > x->max_reply) {
    tenon_fail(&x->error, TENON_LIMITED, TENON_STAGE_DATA, "ask for less at once",
               "%s: the reply has more than %lld bytes", x->url, (long long)x->max_reply);
    return give_up(x, TENON_LIMITED);
  }
  x->lane->happened++;
  if (x->pull) {
    size_t taken = pull(x, data, size);
    if (taken == size) x->received += (int64_t)size;
    return taken;
  }
  x->received += (int64_t)size;
  if (!x->events.body) return size;
  tenon_status status = x->events.body(x->events.arg, data, size, &x->error);
  return status ? give_up(x, status) : size;
}

/* As much as was said it would be: what is more would be taken for the next request, and for what is less the other side
 * would wait. */
static tenon_status read_upload(tenon_http_exchange *x, char *to, size_t size, size_t *ret_size) {
  tenon_bytes *from = x->upload;
  int64_t left = from->length < 0 ? INT64_MAX : from->length - x->sent;
  tenon_status status = tn_ctx_check(x->lane->ctx, &x->error);
  if ((uint64_t)left < size) size = (size_t)left;
  if (!status && size > 0) status = from->read(from->self, to, size, ret_size, &x->error);
  if (status || *ret_size > 0 || left == 0 || from->length < 0) return status;
  return tenon_fail(&x->error, TENON_DATA, TENON_STAGE_DATA, "send it again; it was changed meanwhile, or cut off",
                    "%s: what is to be sent ends after %lld bytes, not %lld", x->url, (long long)x->sent,
                    (long long)from->length);
}

static size_t on_upload(char *to, size_t one, size_t size, void *self) {
  tenon_http_exchange *x = self;
  size_t n = 0;
  (void)one;
  tenon_status status = read_upload(x, to, size, &n);
  x->sent += (int64_t)n;
  if (!status) return n;
  give_up(x, status);
  return CURL_READFUNC_ABORT;
}

static void spell(tenon_address *a, int family) {
  const struct sockaddr_in *four = (const void *)a->sa.bytes;
  const struct sockaddr_in6 *six = (const void *)a->sa.bytes;
  if (family == AF_INET) inet_ntop(AF_INET, &four->sin_addr, a->text, sizeof a->text);
  if (family == AF_INET6) inet_ntop(AF_INET6, &six->sin6_addr, a->text, sizeof a->text);
}

/* Every socket passes the gate, whatever address libcurl came by. */
static curl_socket_t on_socket(void *self, curlsocktype purpose, struct curl_sockaddr *a) {
  tenon_http_exchange *x = self;
  tenon_address address = {.sa_size = a->addrlen};
  (void)purpose;
  if (a->addrlen > sizeof address.sa) return CURL_SOCKET_BAD;
  memcpy(address.sa.bytes, &a->addr, a->addrlen);
  spell(&address, a->family);
  if (tn_egress_check(x->lane->ctx, &address, &x->error)) return CURL_SOCKET_BAD;
  tn_error_init(&x->error);   /* another address of the host was refused: that is no failure any more */
  x->fd = socket(a->family, a->socktype | SOCK_CLOEXEC | SOCK_NONBLOCK, a->protocol);
  return x->fd;
}

/* ---- What it is told ---- */

#define SET(option, value) tn_curl.curl_easy_setopt(x->easy, option, value)

static CURL *make_easy(tenon_http_exchange *x) {
  x->easy = tn_curl.curl_easy_init();
  if (!x->easy) return NULL;
  SET(CURLOPT_PRIVATE, (void *)x);
  SET(CURLOPT_NOSIGNAL, 1L);
  SET(CURLOPT_PROTOCOLS_STR, "http,https");
  SET(CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
  SET(CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_2TLS);
  SET(CURLOPT_TCP_KEEPALIVE, 1L);
  SET(CURLOPT_UPLOAD_BUFFERSIZE, (long)UPLOAD_SIZE);
  SET(CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_TIMEOUT_MS);
  SET(CURLOPT_EXPECT_100_TIMEOUT_MS, 1000L);
  SET(CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
  SET(CURLOPT_PATH_AS_IS, 1L);
  SET(CURLOPT_HTTP_TRANSFER_DECODING, 1L);
  SET(CURLOPT_ERRORBUFFER, x->said);
  SET(CURLOPT_HEADERFUNCTION, on_header);
  SET(CURLOPT_HEADERDATA, (void *)x);
  SET(CURLOPT_WRITEFUNCTION, on_body);
  SET(CURLOPT_WRITEDATA, (void *)x);
  SET(CURLOPT_READFUNCTION, on_upload);
  SET(CURLOPT_READDATA, (void *)x);
  SET(CURLOPT_OPENSOCKETFUNCTION, on_socket);
  SET(CURLOPT_OPENSOCKETDATA, (void *)x);
  return x->easy;
}

static void set_blob(tenon_http_exchange *x, CURLoption option, void *data, size_t size) {
  struct curl_blob blob = {.data = data, .len = size, .flags = CURL_BLOB_NOCOPY};
  if (size) SET(option, &blob);
}

/* The same for all requests of a client: an exchange never changes clients. */
static void set_client(tenon_http_exchange *x) {
  const tenon_http *c = x->lane->client;
  SET(CURLOPT_PROXY, c->proxy ? c->proxy : "");   /* no environment decides */
  SET(CURLOPT_NOPROXY, "");
  SET(CURLOPT_SSL_VERIFYPEER, c->insecure ? 0L : 1L);
  SET(CURLOPT_SSL_VERIFYHOST, c->insecure ? 0L : 2L);
  SET(CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
  set_blob(x, CURLOPT_CAINFO_BLOB, c->ca, c->ca_size);
  set_blob(x, CURLOPT_PROXY_CAINFO_BLOB, c->ca, c->ca_size);
  set_blob(x, CURLOPT_SSLCERT_BLOB, c->certificate, c->certificate_size);
  set_blob(x, CURLOPT_SSLKEY_BLOB, c->key, c->key_size);
}

/* Nothing of an earlier request stays. */
static void set_method(tenon_http_exchange *x, const tenon_http_request *r) {
  const char *method = r->method ? r->method : "GET";
  x->to_send = r->body ? r->body->length : r->data ? (int64_t)r->data_size : 0;
  SET(CURLOPT_HTTPGET, 1L);
  SET(CURLOPT_NOBODY, 0L);
  SET(CURLOPT_UPLOAD, 0L);
  SET(CURLOPT_CUSTOMREQUEST, NULL);
  if (r->body) {
    SET(CURLOPT_UPLOAD, 1L);
    SET(CURLOPT_INFILESIZE_LARGE, (curl_off_t)r->body->length);
  } else if (r->data) {
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, r->data);
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)r->data_size);
  } else if (strcmp(method, "HEAD") == 0) {
    SET(CURLOPT_NOBODY, 1L);
  } else if (strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0) {
    SET(CURLOPT_POST, 1L);
    SET(CURLOPT_POSTFIELDS, "");
    SET(CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)0);
  }
  if (strcmp(method, "GET") != 0 && strcmp(method, "HEAD") != 0) SET(CURLOPT_CUSTOMREQUEST, method);
}

static bool is_token(const char *text) {
  if (!text || !*text) return false;
  for (; *text; text++)
    if ((unsigned char)*text <= ' ' || (unsigned char)*text >= 0x7F || strchr("()<>@,;:\\\"/[]?={}", *text))
      return false;
  return true;
}

static bool is_header_value(const char *text) {
  for (; text && *text; text++)
    if (((unsigned char)*text < ' ' && *text != '\t') || *text == 0x7F) return false;
  return text != NULL;
}

static tenon_status add_header(struct curl_slist **list, const char *name, const char *value,
                               tenon_error *err) {
  tn_str line;
  tn_str_init(&line, TN_HTTP_MAX_HEAD);
  value += strspn(value, " \t");
  /* "Name;" is how libcurl is told to send an empty one */
  bool fits = *value ? tn_str_printf(&line, "%s: %s", name, value) : tn_str_printf(&line, "%s;", name);
  struct curl_slist *longer = fits ? tn_curl.curl_slist_append(*list, line.data) : NULL;
  if (line.data) tn_wipe(line.data, line.size);
  tn_str_release(&line);
  if (!longer) return tn_no_memory(err);
  *list = longer;
  return TENON_OK;
}

static bool has_header(const tenon_http_request *r, const char *name) {
  for (size_t i = 0; i < r->header_count; i++)
    if (r->headers[i].name && strcasecmp(r->headers[i].name, name) == 0) return true;
  return false;
}

/* What libcurl would say of itself is said by nobody. */
static tenon_status add_headers(tenon_http_exchange *x, const tenon_http_request *r, tenon_error *err) {
  static const char *const silent[] = {"Expect:", "Content-Type:", "Accept:", ("User-Agent: tenon/" TENON_VERSION)};
  const size_t count = sizeof silent / sizeof silent[0] - has_header(r, "user-agent");
  for (size_t i = 0; i < count; i++) {
    struct curl_slist *longer = tn_curl.curl_slist_append(x->headers, silent[i]);
    if (!longer) return tn_no_memory(err);
    x->headers = longer;
  }
  for (size_t i = 0; i < r->header_count; i++) {
    const tenon_http_header *h = &r->headers[i];
    if (!is_token(h->name) || !is_header_value(h->value))
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "leave out line ends and other control characters",
                        "the header %s cannot be sent as it is", is_token(h->name) ? h->name : "with a strange name");
    tenon_status status = add_header(&x->headers, h->name, h->value, err);
    if (status) return status;
  }
  return TENON_OK;
}

static void name_it(tenon_http_exchange *x, const char *url) {
  size_t n = strcspn(url, "?#");
  snprintf(x->url, sizeof x->url, "%.*s", (int)(n < sizeof x->url ? n : sizeof x->url - 1), url);
}

static tenon_status set_up(tenon_http_exchange *x, const tenon_http_request *r, tenon_error *err) {
  if (r->method && !is_token(r->method))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "the method of a request is none");
  name_it(x, r->url);
  tenon_status status = tn_http_resolve(x->lane->ctx, x->lane->client, r->url, &x->resolve, err);
  if (!status) status = add_headers(x, r, err);
  if (status) return status;
  set_method(x, r);
  SET(CURLOPT_URL, r->url);
  SET(CURLOPT_BUFFERSIZE, r->read_size > 0 ? (long)r->read_size : (long)BUFFER_SIZE);
  SET(CURLOPT_HTTPHEADER, x->headers);
  SET(CURLOPT_RESOLVE, x->resolve);
  SET(CURLOPT_ACCEPT_ENCODING, r->decompress ? "" : NULL);
  SET(CURLOPT_FRESH_CONNECT, r->once ? 1L : 0L);
  return TENON_OK;
}

/* ---- Its life ---- */

/* A lane's exchanges are used again: making one costs more than a small request. */
static tenon_http_exchange *take(tenon_http_lane *lane) {
  tenon_http_exchange *x = lane->spare;
  if (x) {
    lane->spare = x->next;
    return x;
  }
  x = tn_alloc(sizeof *x);
  if (!x) return NULL;
  x->lane = lane;
  tn_str_init(&x->head, TN_HTTP_MAX_HEAD);
  if (!make_easy(x)) {
    tn_free(x);
    return NULL;
  }
  set_client(x);
  return x;
}

static void clear(tenon_http_exchange *x) {
  tn_curl.curl_slist_free_all(x->headers);
  tn_curl.curl_slist_free_all(x->resolve);
  x->headers = x->resolve = NULL;
  begin_head(x);
  x->events = (tenon_http_events){0};
  x->pull = NULL;
  x->upload = NULL;
  x->status = 0;
  x->fd = -1;
  x->is_connected = x->has_head = x->has_ended = x->is_paused = false;
  x->received = x->sent = 0;
  x->result = TENON_OK;
  tn_error_init(&x->error);
  x->said[0] = 0;
}

static void put_aside(tenon_http_exchange *x) {
  clear(x);
  x->previous = NULL;
  x->next = x->lane->spare;
  x->lane->spare = x;
}

static void link_active(tenon_http_exchange *x) {
  tenon_http_lane *lane = x->lane;
  x->previous = NULL;
  x->next = lane->active;
  if (x->next) x->next->previous = x;
  lane->active = x;
  lane->active_count++;
}

static void unlink_active(tenon_http_exchange *x) {
  if (x->previous) x->previous->next = x->next;
  else x->lane->active = x->next;
  if (x->next) x->next->previous = x->previous;
}

tenon_status tn_http_begin(tenon_http_lane *lane, const tenon_http_request *request,
                           const tenon_http_events *events, tn_http_pull *pulled,
                           tenon_http_exchange **ret, tenon_error *err) {
  tenon_http_exchange *x = take(lane);
  if (!x) return tn_no_memory(err);
  clear(x);
  if (events) x->events = *events;
  x->pull = pulled;
  x->upload = request->body;
  x->max_reply = request->max_reply;
  tenon_status status = set_up(x, request, err);
  if (!status && tn_curl.curl_multi_add_handle(lane->multi, x->easy)) status = tn_no_memory(err);
  if (status) {
    put_aside(x);
    return status;
  }
  link_active(x);
  *ret = x;
  return TENON_OK;
}

void tn_http_finish(tenon_http_exchange *x, CURLcode code) {
  tn_curl.curl_multi_remove_handle(x->lane->multi, x->easy);
  x->has_ended = true;
  x->lane->active_count--;
  x->lane->happened++;
  if (!x->result && code) x->result = tn_http_failed(x, code, &x->error);
  if (x->events.end) x->events.end(x->events.arg, x, x->result, &x->error);
}

void tn_http_end(tenon_http_exchange *x) {
  if (!x) return;
  if (!x->has_ended) {
    tn_curl.curl_multi_remove_handle(x->lane->multi, x->easy);
    x->lane->active_count--;
  }
  unlink_active(x);
  put_aside(x);
}

void tn_http_free_spare(tenon_http_lane *lane) {
  while (lane->spare) {
    tenon_http_exchange *x = lane->spare;
    lane->spare = x->next;
    tn_curl.curl_easy_cleanup(x->easy);
    tn_str_release(&x->head);
    tn_free(x);
  }
}

int32_t tn_http_status(const tenon_http_exchange *x) { return x->status; }

/* Nothing waits in the socket any more, nor is on its way. */
static bool is_acknowledged(const tenon_http_exchange *x) {
  curl_socket_t fd = x->fd;
  int left = 0;
  if (fd < 0) tn_curl.curl_easy_getinfo(x->easy, CURLINFO_ACTIVESOCKET, &fd);
  return fd >= 0 && ioctl(fd, SIOCOUTQ, &left) == 0 && left == 0;
}

tenon_http_progress tn_http_progress(const tenon_http_exchange *x) {
  curl_off_t ready_us = 0, body = 0;
  long head = 0;
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_PRETRANSFER_TIME_T, &ready_us);
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_SIZE_UPLOAD_T, &body);
  tn_curl.curl_easy_getinfo(x->easy, CURLINFO_REQUEST_SIZE, &head);
  if (!x->has_head && ready_us <= 0) return TENON_HTTP_UNSENT;
  bool is_written = head > 0 && body == x->to_send;
  return is_written && is_acknowledged(x) ? TENON_HTTP_SENT : TENON_HTTP_SENDING;
}

const char *tn_http_header_at(const tenon_http_exchange *x, const char *name, size_t i) {
  const char *at = x->head.data;
  for (int k = 0; k < x->header_count; k++) {
    const char *value = at + strlen(at) + 1;
    if (strcasecmp(at, name) == 0 && i-- == 0) return value;
    at = value + strlen(value) + 1;
  }
  return NULL;
}

const char *tn_http_header(const tenon_http_exchange *x, const char *name) {
  const char *found = NULL, *value;
  for (size_t i = 0; (value = tn_http_header_at(x, name, i)); i++) found = value;
  return found;
}
