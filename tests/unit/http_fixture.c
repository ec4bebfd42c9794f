/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/http_fixture.h"

#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

static bool is_stopping(http_fixture *f) {
  pthread_mutex_lock(&f->lock);
  bool stopping = f->stopping;
  pthread_mutex_unlock(&f->lock);
  return stopping;
}

static bool readable(http_fixture *f, int fd) {
  struct pollfd p = {.fd = fd, .events = POLLIN};
  while (!is_stopping(f))
    if (poll(&p, 1, 20) > 0) return true;
  return false;
}

static size_t content_length(const char *head) {
  const char *at = strcasestr(head, "\ncontent-length:");
  return at ? strtoul(at + 16, NULL, 10) : 0;
}

/* A head and as much of a body as it announces, or a chunked one to its end. */
static bool read_request(http_fixture *f, int fd, char *ret) {
  size_t size = 0;
  for (;;) {
    if (!readable(f, fd) || size + 1 >= FIXTURE_REQUEST) return false;
    ssize_t n = recv(fd, ret + size, FIXTURE_REQUEST - 1 - size, 0);
    if (n <= 0) return false;
    ret[size += (size_t)n] = 0;
    const char *end = strstr(ret, "\r\n\r\n");
    if (!end) continue;
    if (strcasestr(ret, "transfer-encoding: chunked") ? strstr(end, "\r\n0\r\n\r\n") != NULL
                                                      : size >= (size_t)(end + 4 - ret) + content_length(ret))
      return true;
  }
}

/* Does the next request come by this connection? */
static bool stays(http_fixture *f, int fd) {
  struct pollfd p[] = {{.fd = fd, .events = POLLIN}, {.fd = f->listener, .events = POLLIN}};
  pthread_mutex_lock(&f->lock);
  bool yields = f->yields;
  pthread_mutex_unlock(&f->lock);
  while (yields && !is_stopping(f))
    if (poll(p, 2, 20) > 0) return p[0].revents;
  return true;
}

static void wait_until_let_go(http_fixture *f) {
  for (bool held = true; held && !is_stopping(f);) {
    pthread_mutex_lock(&f->lock);
    held = f->held;
    pthread_mutex_unlock(&f->lock);
    if (held) usleep(1000);
  }
}

/* False: the connection is over. */
static bool answer(http_fixture *f, int fd) {
  if (!stays(f, fd)) return false;
  pthread_mutex_lock(&f->lock);
  int i = f->request_count;
  pthread_mutex_unlock(&f->lock);
  if (i >= FIXTURE_REPLIES || !read_request(f, fd, f->requests[i])) return false;
  pthread_mutex_lock(&f->lock);
  f->request_count++;
  const char *reply = i < f->reply_count ? f->replies[i] : "";
  size_t size = i < f->reply_count && f->sizes[i] ? f->sizes[i] : reply ? strlen(reply) : 0;
  bool closes = f->closes;
  pthread_mutex_unlock(&f->lock);
  wait_until_let_go(f);
  while (!reply && !is_stopping(f)) usleep(5000);   /* a server that hangs */
  while (size > 0) {
    ssize_t n = send(fd, reply, size, MSG_NOSIGNAL);
    if (n <= 0) return false;
    reply += n;
    size -= (size_t)n;
  }
  return !closes && reply && *f->replies[i];
}

static void *serve(void *arg) {
  http_fixture *f = arg;
  while (readable(f, f->listener)) {
    int fd = accept(f->listener, NULL, NULL);
    if (fd < 0) continue;
    pthread_mutex_lock(&f->lock);
    f->connection_count++;
    pthread_mutex_unlock(&f->lock);
    while (answer(f, fd)) continue;
    close(fd);
  }
  return NULL;
}

static int listen_at(struct sockaddr *a, socklen_t size) {
  int fd = socket(a->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd >= 0 && bind(fd, a, size) == 0 && listen(fd, 16) == 0 && getsockname(fd, a, &size) == 0) return fd;
  if (fd >= 0) close(fd);
  return -1;
}

static http_fixture *start(int listener, int port) {
  http_fixture *f = calloc(1, sizeof *f);
  if (!f) abort();
  f->listener = listener;
  f->port = port;
  pthread_mutex_init(&f->lock, NULL);
  if (pthread_create(&f->thread, NULL, serve, f)) abort();
  return f;
}

http_fixture *http_fixture_new(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = listen_at((struct sockaddr *)&a, sizeof a);
  if (fd < 0) abort();
  return start(fd, ntohs(a.sin_port));
}

http_fixture *http_fixture_new_six(void) {
  struct sockaddr_in6 a = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  int fd = listen_at((struct sockaddr *)&a, sizeof a);
  return fd < 0 ? NULL : start(fd, ntohs(a.sin6_port));
}

void http_fixture_reply_bytes(http_fixture *f, const char *reply, size_t size) {
  pthread_mutex_lock(&f->lock);
  f->sizes[f->reply_count] = size;
  f->replies[f->reply_count++] = reply;
  pthread_mutex_unlock(&f->lock);
}

void http_fixture_reply(http_fixture *f, const char *reply) { http_fixture_reply_bytes(f, reply, 0); }

const char *http_fixture_url(const http_fixture *f, const char *path) {
  static char url[1024];
  snprintf(url, sizeof url, "http://127.0.0.1:%d%s", f->port, path);
  return url;
}

void http_fixture_free(http_fixture *f) {
  pthread_mutex_lock(&f->lock);
  f->stopping = true;
  pthread_mutex_unlock(&f->lock);
  pthread_join(f->thread, NULL);
  close(f->listener);
  pthread_mutex_destroy(&f->lock);
  free(f);
}
