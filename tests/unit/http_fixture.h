/* SPDX-License-Identifier: Apache-2.0 */
/* A server of one's own, on a thread, that answers each request with the next of its replies. */
#ifndef HTTP_FIXTURE_H
#define HTTP_FIXTURE_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>

enum { FIXTURE_REPLIES = 16, FIXTURE_REQUEST = 64 << 10 };

typedef struct http_fixture {
  int listener, port;
  pthread_t thread;
  pthread_mutex_t lock;
  /* "" closes without an answer, NULL hangs until the fixture stops */
  const char *replies[FIXTURE_REPLIES];
  size_t sizes[FIXTURE_REPLIES];   /* 0: strlen */
  bool closes;                     /* after each reply */
  bool yields;                     /* closes a connection that rests once another comes */
  bool held;                       /* what was asked is not answered yet; set under the lock */
  int reply_count;
  /* what was seen */
  char requests[FIXTURE_REPLIES][FIXTURE_REQUEST];
  int request_count, connection_count;
  bool stopping;
} http_fixture;

http_fixture *http_fixture_new(void);
http_fixture *http_fixture_new_six(void);   /* at ::1; NULL: this machine has none */
void http_fixture_reply(http_fixture *, const char *reply);
void http_fixture_reply_bytes(http_fixture *, const char *reply, size_t size);
/* http://127.0.0.1:PORT/path, in a buffer that the next call uses again. */
const char *http_fixture_url(const http_fixture *, const char *path);
void http_fixture_free(http_fixture *);

#endif
