/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP for authors of kinds: one client, whose connections are kept and shared by a session's
 * requests. Every name is looked up and every address is checked by the egress policy; certificates
 * are verified; a request lives within its context's deadline and ends when it is cancelled; what the
 * other side sends is bounded. Sources: RFC 9110 (semantics), RFC 9112 (HTTP/1.1), RFC 9113 (HTTP/2).
 *
 * Two ways to use it. `send` waits for the head of the reply and hands its body on as bytes. For many
 * requests at once a `lane` carries exchanges that one thread drives, and tells of events.
 *
 * A reply with any status is a success here; `refused` makes an error of one that is not.
 */
#ifndef TENON_HTTP_H
#define TENON_HTTP_H

#include <stdbool.h>

#include "stream.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tenon_http tenon_http;                    /* a client; any thread */
typedef struct tenon_http_lane tenon_http_lane;          /* one thread at a time */
typedef struct tenon_http_exchange tenon_http_exchange;  /* a request and its reply */

/* Texts are copied. PEM where certificates and keys are. */
typedef struct tenon_http_options {
  uint32_t struct_size;
  bool insecure;                  /* takes any certificate */
  const void *ca;                 /* trusted instead of the system's */
  size_t ca_size;
  const void *certificate, *key;  /* what the client shows */
  size_t certificate_size, key_size;
  const char *proxy;              /* http://user:password@host:port, also https and socks5h; NULL: none */
} tenon_http_options;

typedef struct tenon_http_header {
  const char *name, *value;       /* CR, LF and NUL are refused */
} tenon_http_header;

/* Borrowed until the exchange ends, the body of `data` too; `body` is consumed, also on failure. */
typedef struct tenon_http_request {
  uint32_t struct_size;
  const char *method;             /* NULL: GET */
  const char *url;                /* http or https, percent-encoded; sent as it is */
  const tenon_http_header *headers;
  size_t header_count;
  const void *data;               /* the body in memory */
  size_t data_size;
  tenon_bytes *body;              /* or as a stream; sent in chunks where its length is unknown */
  int64_t max_reply;              /* bytes of the reply's body, decompressed; more are LIMITED. -1: any number */
  bool decompress;                /* asks for gzip, br, zstd, and undoes it */
  bool follow;                    /* `send`, GET and HEAD: goes where a redirect points, 5 times at most. What is not
                                   * meant for everybody (all headers but Accept, ranges and conditions) goes to the same origin alone;
                                   * https never goes on as http. */
  bool once;                      /* never sent a second time, which a kept connection that turns out to be closed would
                                   * cause: it takes a new one. For what must not happen twice. */
  int32_t read_size;              /* bytes of the body that are read at once, at most; 0: many. Less takes less memory */
} tenon_http_request;

#define TENON_HTTP_REQUEST_INIT { sizeof(tenon_http_request), NULL, NULL, NULL, 0, NULL, 0, NULL, 16 << 20, false, false, false, 0 }

typedef struct tenon_http_reply {
  uint32_t struct_size;
  int32_t status;                 /* 200 */
  tenon_http_exchange *exchange;  /* for `header`; gone with the body */
  tenon_bytes body;               /* to be closed */
  const char *url;                /* where redirects led, NULL: nowhere else; gone with the body */
} tenon_http_reply;

/* What happens to an exchange on a lane; called by the thread that runs it. */
typedef struct tenon_http_events {
  void *arg;
  /* Status and headers have come. A failure ends the exchange. NULL is fine. */
  tenon_status (*head)(void *arg, tenon_http_exchange *, tenon_error *);
  /* A part of the body. */
  tenon_status (*body)(void *arg, const void *data, size_t size, tenon_error *);
  /* Once, the last: OK, or why it did not come to an end. Exchanges may be freed and begun here. */
  void (*end)(void *arg, tenon_http_exchange *, tenon_status, const tenon_error *);
} tenon_http_events;

typedef enum tenon_http_progress {
  TENON_HTTP_UNSENT = 0,   /* no connection has come about: nothing has left */
  TENON_HTTP_SENDING,      /* a part of it may have arrived */
  TENON_HTTP_SENT          /* all of it, and the system at the connection's other end has acknowledged it (TCP); whether the
                            * service has read it, nobody knows */
} tenon_http_progress;

/* A part of the host table. */
typedef struct tenon_http_ops {
  uint32_t struct_size;
  tenon_status (*new_client)(tenon_ctx *, const tenon_http_options *, tenon_http **ret, tenon_error *);
  void (*free_client)(tenon_http *);           /* after its lanes and bodies; NULL is fine */

  /* Returns when the head of the reply is there. The body holds the context and a lane until it is closed. */
  tenon_status (*send)(tenon_ctx *, tenon_http *, const tenon_http_request *, tenon_http_reply *ret, tenon_error *);

  tenon_status (*new_lane)(tenon_ctx *, tenon_http *, tenon_http_lane **ret, tenon_error *);
  void (*free_lane)(tenon_http_lane *);        /* what is under way on it ends without an event */
  tenon_status (*begin)(tenon_http_lane *, const tenon_http_request *, const tenon_http_events *,
                        tenon_http_exchange **ret, tenon_error *);
  /* Drives the lane until something happened, at most timeout_ms (-1: as long as the context allows).
   * *ret_active: exchanges that have not ended. */
  tenon_status (*run)(tenon_http_lane *, int timeout_ms, size_t *ret_active, tenon_error *);
  /* From now on its body is not read, or is again: what has come waits in the socket. Within
   * `body` it can only be stopped, within `head` neither. */
  void (*pause)(tenon_http_exchange *, bool);
  /* Has `run` return soon, the one under way or the next. Any thread. */
  void (*wake)(tenon_http_lane *);
  void (*end)(tenon_http_exchange *);          /* frees it; the connection is dropped if it is in the middle */

  int32_t (*status)(const tenon_http_exchange *);
  /* The last header of that name, whatever its case; NULL: there is none. Valid as long as the exchange. */
  const char *(*header)(const tenon_http_exchange *, const char *name);
  /* Fails with what the status means: 401 UNAUTHENTICATED, 403 FORBIDDEN, 404 NOT_FOUND, 409 and 412 CONFLICT, 429
   * LIMITED (with Retry-After) …; `said` is what the system said about it, or NULL. */
  tenon_status (*refused)(const tenon_http_exchange *, const char *said, const char *remedy, tenon_error *);
  /* The i-th header of that name, of those that may be there several times (Link); NULL behind the last. */
  const char *(*header_at)(const tenon_http_exchange *, const char *name, size_t i);
  /* How far a request has got that nobody has answered yet. */
  tenon_http_progress (*progress)(const tenon_http_exchange *);
} tenon_http_ops;

#ifdef __cplusplus
}
#endif

#endif
