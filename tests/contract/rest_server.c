/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/rest_server.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { HEAD = 16 << 10, PAGE = 100, BODY = 64 << 10 };

static int listener = -1;
static pthread_t acceptor;
static atomic_int connections;

/* One row of the fixture: many types, some values missing. */
static int put_row(char *to, size_t room, int i) {
  int n = i * 7919 % 101 - 50;
  char gaps[200] = "";
  size_t used = 0;
  if (i % 11) used += (size_t)snprintf(gaps + used, sizeof gaps - used, ",\"n\":%d", n);
  if (i % 5)
    used += (size_t)snprintf(gaps + used, sizeof gaps - used, ",\"ratio\":%d.%03d", abs(n),
                             abs(n) * 7 % 1000);
  if (i % 7)
    used += (size_t)snprintf(gaps + used, sizeof gaps - used, ",\"price\":\"%d.%02d\"", n, abs(n));
  if (i % 8)
    snprintf(gaps + used, sizeof gaps - used, ",\"day\":\"2024-%02d-%02d\"", i % 12 + 1,
             i % 28 + 1);
  return snprintf(
      to, room,
      "%s{\"id\":%d%s,\"name\":\"%s%d\",\"flag\":%s,\"at\":\"2024-01-%02dT00:00:%02dZ\",\"tags\":[%d]}",
      i % PAGE == 1 ? "" : ",", REST_ROWS + 1 - i, gaps,
      (const char *[]){"a", "b,c", "\\\"", "\\u00e9"}[i % 4], i % 13, i % 3 ? "true" : "null",
      i % 28 + 1, i % 60, i);
}

static void put_page(char *body, int page) {
  size_t used = (size_t)snprintf(body, BODY, "{\"items\":[");
  for (int i = (page - 1) * PAGE + 1; i <= page * PAGE && i <= REST_ROWS; i++)
    used += (size_t)put_row(body + used, BODY - used, i);
  snprintf(body + used, BODY - used, "]}");
}

static void answer(int fd, const char *head) {
  char *reply = malloc(BODY + 200), *body = calloc(1, BODY);
  const char *page = strstr(head, "page="), *name = strstr(head, "name=");
  int status = 200;
  if (!strstr(head, "canary-rest")) {
    status = 401;
    snprintf(body, BODY, "{\"message\":\"no such token\"}");
  } else if (page) {
    put_page(body, atoi(page + 5));
  } else {
    snprintf(body, BODY, "{\"greeting\":\"hello, %.*s\"}", name ? (int)strcspn(name + 5, " &") : 0,
             name ? name + 5 : "");
  }
  int size =
      snprintf(reply, BODY + 200,
               "HTTP/1.1 %d x\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
               status, strlen(body), body);
  for (int sent = 0, n;
       sent < size && (n = (int)send(fd, reply + sent, (size_t)(size - sent), MSG_NOSIGNAL)) > 0;)
    sent += n;
  free(reply);
  free(body);
}

static void *serve(void *arg) {
  int fd = (int)(intptr_t)arg;
  char *head = malloc(HEAD);
  for (size_t used = 0;;) {
    ssize_t n = recv(fd, head + used, HEAD - 1 - used, 0);
    if (n <= 0) break;
    used += (size_t)n;
    head[used] = 0;
    if (!strstr(head, "\r\n\r\n")) continue;
    answer(fd, head);
    used = 0;
  }
  free(head);
  close(fd);
  atomic_fetch_sub(&connections, 1);
  return NULL;
}

static void *accept_all(void *arg) {
  (void)arg;
  for (int fd; (fd = accept(listener, NULL, NULL)) >= 0;) {
    pthread_t thread;
    atomic_fetch_add(&connections, 1);
    if (pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd)) abort();
    pthread_detach(thread);
  }
  return NULL;
}

int rest_server_start(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0 || bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&a, &size) ||
      pthread_create(&acceptor, NULL, accept_all, NULL))
    abort();
  return ntohs(a.sin_port);
}

void rest_server_stop(void) {
  shutdown(listener, SHUT_RDWR);
  pthread_join(acceptor, NULL);
  close(listener);
  for (int i = 0; atomic_load(&connections) && i < 500; i++)
    usleep(10000); /* their clients have gone */
}
