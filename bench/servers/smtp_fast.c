/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A mail server that keeps nothing: smtp_fast. Prints its port, ends with its standard input.
 *
 * It offers PIPELINING, SIZE and 8BITMIME, takes every recipient, undoes the doubled dots and adds a hash of
 * each mail's text (behind its head) to a sum. STAT answers how many mails, bytes and lines that were no
 * command it has seen, and the sum. One thread and one poll loop: RFC 5321 as far as a sound client goes.
 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../mails.h"

enum { MAX_CLIENTS = 64, IN = 1 << 20, OUT = 64 << 10 };

typedef struct client {
  int fd;
  char *in, *out;
  size_t in_size, searched, out_size;
  bool is_data;
} client;

static client clients[MAX_CLIENTS];
static struct pollfd fds[MAX_CLIENTS + 2];
static uint64_t mails, bytes, sum, strange;

static void reply(client *c, const char *text) {
  size_t size = strlen(text);
  if (c->out_size + size > OUT) abort();
  memcpy(c->out + c->out_size, text, size);
  c->out_size += size;
}

/* ---- Mails ---- */

/* Takes the doubled dots out, in place. */
static size_t undouble(char *data, size_t size) {
  char *from = data, *to = data, *end = data + size;
  while (from < end) {
    char *dots = from == data && *from == '.' ? from - 1 : memmem(from, (size_t)(end - from), "\n..", 3);
    size_t n = dots ? (size_t)(dots + 1 - from) : (size_t)(end - from);
    memmove(to, from, n);
    to += n;
    from += n + (dots ? 1 : 0);
  }
  return (size_t)(to - data);
}

static void take_mail(char *data, size_t size) {
  char *head_end = memmem(data, size, "\r\n\r\n", 4);
  if (!head_end) {
    strange++;
    return;
  }
  char *text = head_end + 4;
  sum += mail_hash(text, undouble(text, (size_t)(data + size - text)));
  mails++;
  bytes += size;
}

/* ---- Commands ---- */

static void say_stat(client *c) {
  char text[200];
  snprintf(text, sizeof text, "250 %" PRIu64 " %" PRIu64 " %" PRIu64 " %016" PRIx64 "\r\n", mails, bytes, strange, sum);
  reply(c, text);
}

static bool is(const char *line, const char *verb) { return strncasecmp(line, verb, 4) == 0; }

static void obey(client *c, const char *line) {
  if (is(line, "MAIL") || is(line, "RCPT") || is(line, "RSET") || is(line, "NOOP") || is(line, "HELO")) reply(c, "250 2.0.0 Ok\r\n");
  else if (is(line, "EHLO")) reply(c, "250-bench\r\n250-PIPELINING\r\n250-SIZE 10240000\r\n250 8BITMIME\r\n");
  else if (is(line, "DATA")) c->is_data = true, reply(c, "354 End data with <CR><LF>.<CR><LF>\r\n");
  else if (is(line, "STAT")) say_stat(c);
  else if (is(line, "QUIT")) reply(c, "221 2.0.0 Bye\r\n");
  else strange++, reply(c, "500 5.5.1 what\r\n");
}

/* Answers how many bytes were used; 0: more have to come. */
static size_t one(client *c, char *at, size_t size) {
  const char *mark = c->is_data ? "\r\n.\r\n" : "\r\n";
  size_t length = c->is_data ? 5 : 2;
  char *end = memmem(at + c->searched, size - c->searched, mark, length);
  if (!end) {
    c->searched = size > length ? size - length : 0;
    return 0;
  }
  c->searched = 0;
  if (c->is_data) {
    c->is_data = false;
    take_mail(at, (size_t)(end + 2 - at));
    reply(c, "250 2.0.0 Ok: queued as 0123456789\r\n");
  } else {
    obey(c, at);
  }
  return (size_t)(end + length - at);
}

/* ---- Connections ---- */

static void drop(client *c) {
  close(c->fd);
  free(c->in);
  free(c->out);
  *c = (client){.fd = -1};
}

static void flush(client *c) {
  size_t sent = 0;
  while (sent < c->out_size) {
    ssize_t n = send(c->fd, c->out + sent, c->out_size - sent, MSG_NOSIGNAL);
    if (n <= 0) return drop(c);
    sent += (size_t)n;
  }
  c->out_size = 0;
}

static void serve(client *c) {
  ssize_t n = recv(c->fd, c->in + c->in_size, IN - c->in_size, 0);
  if (n <= 0) return drop(c);
  c->in_size += (size_t)n;
  size_t at = 0;
  for (size_t used; at < c->in_size && (used = one(c, c->in + at, c->in_size - at));) at += used;
  memmove(c->in, c->in + at, c->in_size - at);
  c->in_size -= at;
  flush(c);
}

static void welcome(int listener) {
  const int on = 1;
  int fd = accept(listener, NULL, NULL);
  client *c = clients;
  while (c < clients + MAX_CLIENTS && c->fd >= 0) c++;
  if (fd < 0 || c == clients + MAX_CLIENTS) {
    close(fd);
    return;
  }
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  *c = (client){.fd = fd, .in = malloc(IN), .out = malloc(OUT)};
  if (!c->in || !c->out) abort();
  reply(c, "220 bench ready\r\n");
  flush(c);
}

int main(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  char byte;
  int listener = socket(AF_INET, SOCK_STREAM, 0);
  if (bind(listener, (struct sockaddr *)&a, sizeof a) || listen(listener, 64) ||
      getsockname(listener, (struct sockaddr *)&a, &size))
    return 1;
  printf("%d\n", ntohs(a.sin_port));
  fflush(stdout);
  for (int i = 0; i < MAX_CLIENTS; i++) clients[i].fd = -1;
  for (;;) {
    fds[0] = (struct pollfd){.fd = listener, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
    for (int i = 0; i < MAX_CLIENTS; i++) fds[i + 2] = (struct pollfd){.fd = clients[i].fd, .events = POLLIN};
    if (poll(fds, MAX_CLIENTS + 2, -1) < 0) return 1;
    if (fds[1].revents && read(STDIN_FILENO, &byte, 1) <= 0) return 0;
    for (int i = 0; i < MAX_CLIENTS; i++)
      if (fds[i + 2].revents && clients[i].fd >= 0) serve(&clients[i]);
    if (fds[0].revents & POLLIN) welcome(listener);
  }
}
