/* SPDX-License-Identifier: Apache-2.0 */
/* The client's insides, shared by its files. */
#ifndef TN_NET_HTTP_PARTS_H
#define TN_NET_HTTP_PARTS_H

#include <pthread.h>
#include <stdatomic.h>

#include "base/str.h"
#include "net/curl.h"
#include "net/http.h"

enum {
  TN_HTTP_ADDRESSES = 8,
  TN_HTTP_NAMES = 16,            /* looked up and remembered */
  TN_HTTP_IDLE_LANES = 32,
  TN_HTTP_MAX_HEAD = 256 << 10,
  TN_HTTP_MAX_HEADERS = 512
};

typedef struct tn_http_name {
  char host[256];
  uint16_t port;
  int64_t until_ms;
  tenon_address addresses[TN_HTTP_ADDRESSES];
  size_t count;
} tn_http_name;

struct tenon_http {
  pthread_mutex_t lock;          /* of idle, idle_count, names */
  tenon_http_lane *idle;         /* the last used first: its connections are the freshest */
  int idle_count;
  tn_http_name names[TN_HTTP_NAMES];
  bool insecure;
  char *proxy;
  char proxy_place[272];         /* host:port, for messages; "" without one */
  void *ca, *certificate, *key;
  size_t ca_size, certificate_size, key_size;
};

struct tenon_http_lane {
  tenon_http *client;
  tenon_ctx *ctx;                /* of whoever uses it now */
  CURLM *multi;
  tenon_http_lane *next;
  tenon_http_exchange *active, *spare;
  size_t active_count;
  uint64_t happened;             /* events so far */
  atomic_bool is_woken;
};

/* Who reads a body as bytes: what came and was not read yet. */
typedef struct tn_http_pull {
  char *to;                      /* where read() wants it, while it waits */
  size_t room, given;
  tn_str rest;
  size_t rest_read;
} tn_http_pull;

struct tenon_http_exchange {
  tenon_http_lane *lane;
  tenon_http_exchange *next, *previous;
  CURL *easy;
  struct curl_slist *headers, *resolve;
  tenon_http_events events;
  tn_http_pull *pull;            /* instead of events.body */
  tenon_bytes *upload;
  tn_str head;                   /* name NUL value NUL … */
  int header_count;
  int32_t status;
  int fd;                        /* the socket opened last, -1: none was for it; libcurl's */
  bool is_connected;             /* TCP is; of its own socket */
  bool has_head, has_ended, is_paused, body_closed;
  int64_t received, max_reply;
  int64_t sent;                  /* of the upload */
  int64_t to_send;               /* bytes of the body; -1: nobody knows */
  tenon_status result;
  tenon_error error;
  char url[2048];                /* shortened, without its query: for messages */
  char said[CURL_ERROR_SIZE];
};

/* ---- http_exchange.c ---- */

tenon_status tn_http_begin(tenon_http_lane *, const tenon_http_request *, const tenon_http_events *,
                           tn_http_pull *, tenon_http_exchange **ret, tenon_error *);
void tn_http_end(tenon_http_exchange *);
void tn_http_free_spare(tenon_http_lane *);
/* libcurl is done with it. */
void tn_http_finish(tenon_http_exchange *, CURLcode);
int32_t tn_http_status(const tenon_http_exchange *);
tenon_http_progress tn_http_progress(const tenon_http_exchange *);
const char *tn_http_header(const tenon_http_exchange *, const char *name);
const char *tn_http_header_at(const tenon_http_exchange *, const char *name, size_t i);

/* ---- http_address.c ---- */

/* host:port of a URL without a user; false: it is none. */
bool tn_http_place(const char *url, char *ret, size_t room);
/* Looks the URL's host up, unless it is remembered, and has every address checked. *ret is what
 * CURLOPT_RESOLVE takes, NULL for none. */
tenon_status tn_http_resolve(tenon_ctx *, tenon_http *, const char *url, struct curl_slist **ret,
                             tenon_error *);
/* Scheme, host and port are the same. */
bool tn_http_same_origin(const char *url, const char *other);
/* Would others on the way read what is sent there? Not over TLS, and not within this machine. */
bool tn_http_is_clear(const char *url);
/* Where a redirect points, absolute; of tn_free. NULL: nowhere that may be gone to. */
char *tn_http_redirected(const char *url, const char *location);

/* ---- http_errors.c ---- */

/* Before libcurl closes it. */
void tn_http_note_connected(tenon_http_exchange *);
tenon_status tn_http_failed(const tenon_http_exchange *, CURLcode, tenon_error *);
/* The context ended it: at which layer it was then. */
tenon_status tn_http_waited_in_vain(const tenon_http_exchange *, const tenon_error *why, tenon_error *);
tenon_status tn_http_refused(const tenon_http_exchange *, const char *said, const char *remedy,
                             tenon_error *);

#endif
