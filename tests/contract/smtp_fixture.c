/* SPDX-License-Identifier: Apache-2.0 */
#include "contract/smtp_fixture.h"

#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAX_CLIENTS = 64, ROOM = 1 << 16 };

typedef struct client {
  int fd;
  bool is_data;
  size_t size;
  char in[ROOM];
} client;

static client *clients[MAX_CLIENTS];
static int listener = -1, orders[2];
static pthread_t thread;
static atomic_int mails, connections;

static void say(const client *c, const char *text) { send(c->fd, text, strlen(text), MSG_NOSIGNAL); }

static bool is(const char *line, const char *verb) { return strncasecmp(line, verb, strlen(verb)) == 0; }

static void obey(client *c, const char *line) {
  /* base64 of \0mailer\0canary-good */
  static const char good[] = "AUTH PLAIN AG1haWxlcgBjYW5hcnktZ29vZA==";
  if (is(line, "EHLO")) say(c, "250-fixture\r\n250-PIPELINING\r\n250-AUTH PLAIN\r\n250 SIZE 1000000\r\n");
  else if (is(line, "AUTH")) say(c, strcmp(line, good) == 0 ? "235 welcome\r\n" : "535 5.7.8 no\r\n");
  else if (is(line, "RCPT TO:<refused@")) say(c, "550 5.1.1 nobody\r\n");
  else if (is(line, "RCPT TO:<deferred@")) say(c, "451 4.2.1 later\r\n");
  else if (is(line, "DATA")) c->is_data = true, say(c, "354 go on\r\n");
  else say(c, is(line, "QUIT") ? "221 bye\r\n" : "250 2.0.0 fine\r\n");
}

/* Takes a command or a mail off what has come; false: there is none whole. */
static bool take(client *c) {
  const char *mark = c->is_data ? "\r\n.\r\n" : "\r\n";
  char *end = memmem(c->in, c->size, mark, strlen(mark));
  if (!end) return false;
  if (c->is_data) {
    c->is_data = false;
    atomic_fetch_add(&mails, 1);
    say(c, "250 2.0.0 taken\r\n");
  } else {
    *end = 0;
    obey(c, c->in);
  }
  size_t used = (size_t)(end - c->in) + strlen(mark);
  memmove(c->in, c->in + used, c->size - used);
  c->size -= used;
  return true;
}

static void drop(int i) {
  close(clients[i]->fd);
  free(clients[i]);
  clients[i] = NULL;
  atomic_fetch_sub(&connections, 1);
}

static void serve(int i) {
  client *c = clients[i];
  ssize_t n = recv(c->fd, c->in + c->size, ROOM - c->size, 0);
  if (n <= 0) return drop(i);
  c->size += (size_t)n;
  while (take(c)) {}
}

static void welcome(void) {
  int i = 0, fd = accept(listener, NULL, NULL);
  while (i < MAX_CLIENTS && clients[i]) i++;
  if (fd < 0 || i == MAX_CLIENTS || !(clients[i] = calloc(1, sizeof(client)))) abort();
  clients[i]->fd = fd;
  atomic_fetch_add(&connections, 1);
  say(clients[i], "220 fixture ready\r\n");
}

static void *run(void *unused) {
  char order = 0;
  (void)unused;
  for (;;) {
    struct pollfd fds[MAX_CLIENTS + 2] = {{.fd = orders[0], .events = POLLIN}, {.fd = listener, .events = POLLIN}};
    for (int i = 0; i < MAX_CLIENTS; i++) fds[i + 2] = (struct pollfd){.fd = clients[i] ? clients[i]->fd : -1, .events = POLLIN};
    if (poll(fds, MAX_CLIENTS + 2, -1) < 0) abort();
    if (fds[0].revents && read(orders[0], &order, 1) == 1) {
      if (order == 's') return NULL;
      for (int i = 0; i < MAX_CLIENTS; i++)
        if (clients[i]) drop(i);
      continue;
    }
    for (int i = 0; i < MAX_CLIENTS; i++)
      if (fds[i + 2].revents) serve(i);
    if (fds[1].revents) welcome();
  }
}

int smtp_fixture_start(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&a, &size) || pipe(orders) || pthread_create(&thread, NULL, run, NULL))
    abort();
  atomic_store(&mails, 0);
  return ntohs(a.sin_port);
}

static void give_order(const char *order) {
  if (write(orders[1], order, 1) != 1) abort();
}

void smtp_fixture_drop_all(void) {
  give_order("d");
  while (smtp_fixture_connections()) usleep(1000);
}

void smtp_fixture_stop(void) {
  give_order("s");
  pthread_join(thread, NULL);
  for (int i = 0; i < MAX_CLIENTS; i++)
    if (clients[i]) drop(i);
  close(listener);
  close(orders[0]);
  close(orders[1]);
}

int smtp_fixture_mails(void) { return atomic_load(&mails); }
int smtp_fixture_connections(void) { return atomic_load(&connections); }
