/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the server alone does: raw_smtp PORT COUNT [SESSIONS]
 *
 * Sessions side by side in one poll loop, each with a content and the next envelope in one write, all of it
 * made beforehand. Replies are counted, not read.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../mails.h"

enum { MAX_SESSIONS = 16 };

/* The content of a session's mail i - 1, if there is one, and the envelope of mail i. */
typedef struct piece {
  char *data;
  size_t size;
} piece;

typedef struct session {
  int fd;
  long at, count;            /* of its mails */
  int due;                   /* replies until the next write */
  piece *pieces;
} session;

static size_t put_envelope(char *to, long i) {
  return (size_t)snprintf(to, 200, "MAIL FROM:<bench@example.com> SIZE=2000\r\nRCPT TO:<r%ld@example.com>\r\nDATA\r\n", i);
}

static size_t put_content(char *to, long i, uint64_t *sum) {
  char text[MAIL_ROOM];
  size_t n = (size_t)snprintf(to, 400,
                              "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nFrom: bench@example.com\r\nTo: r%ld@example.com\r\n"
                              "Subject: Mail number %ld\r\nMessage-ID: <%032ld@example.com>\r\nMIME-Version: 1.0\r\n"
                              "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
                              i, i, i);
  size_t size = mail_text((uint64_t)i, text);
  *sum += mail_hash(text, size);
  for (size_t k = 0; k < size; k++) {
    if (text[k] == '.' && (k == 0 || text[k - 1] == '\n')) to[n++] = '.';
    to[n++] = text[k];
  }
  memcpy(to + n, ".\r\n", 3);
  return n + 3;
}

static void make(session *s, long first, uint64_t *sum) {
  s->pieces = calloc((size_t)s->count + 1, sizeof *s->pieces);
  if (!s->pieces) abort();
  for (long i = 0; i <= s->count; i++) {
    piece *p = &s->pieces[i];
    if (!(p->data = malloc(2 * MAIL_ROOM))) abort();
    if (i > 0) p->size += put_content(p->data, first + i - 1, sum);
    if (i < s->count) p->size += put_envelope(p->data + p->size, first + i);
  }
}

static void write_all(int fd, const char *data, size_t size) {
  while (size) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) abort();
    data += n;
    size -= (size_t)n;
  }
}

/* Answers how many replies came. */
static int take(int fd) {
  char in[8192];
  int lines = 0;
  ssize_t n = recv(fd, in, sizeof in, 0);
  if (n <= 0) abort();
  for (ssize_t i = 0; i < n; i++) lines += in[i] == '\n';
  return lines;
}

static void greet(session *s, int port) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int on = 1;
  s->fd = socket(AF_INET, SOCK_STREAM, 0);
  if (connect(s->fd, (struct sockaddr *)&a, sizeof a)) abort();
  setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  for (int due = 1; due > 0;) due -= take(s->fd);
  write_all(s->fd, "HELO x\r\n", 8);
  for (int due = 1; due > 0;) due -= take(s->fd);
}

static void go_on(session *s) {
  s->due = (s->at > 0 ? 1 : 0) + (s->at < s->count ? 3 : 0);
  write_all(s->fd, s->pieces[s->at].data, s->pieces[s->at].size);
}

/* Answers how many sessions have ended. */
static long serve(session *all, struct pollfd *fds, long sessions) {
  long ended = 0;
  if (poll(fds, (nfds_t)sessions, 10000) <= 0) abort();
  for (long k = 0; k < sessions; k++) {
    session *s = &all[k];
    if (!(fds[k].revents & POLLIN) || (s->due -= take(s->fd)) > 0) continue;
    if (s->at++ < s->count) {
      go_on(s);
    } else {
      fds[k].fd = -1;
      ended++;
    }
  }
  return ended;
}

int main(int argc, char **argv) {
  long count = argc > 2 ? strtol(argv[2], NULL, 10) : 0, sessions = argc > 3 ? strtol(argv[3], NULL, 10) : 1;
  session all[MAX_SESSIONS] = {0};
  struct pollfd fds[MAX_SESSIONS];
  uint64_t sum = 0;
  if (count < 1 || sessions < 1 || sessions > MAX_SESSIONS) return 2;
  for (long k = 0; k < sessions; k++) {
    long first = count * k / sessions;
    all[k].count = count * (k + 1) / sessions - first;
    make(&all[k], first, &sum);
    greet(&all[k], (int)strtol(argv[1], NULL, 10));
    fds[k] = (struct pollfd){.fd = all[k].fd, .events = POLLIN};
  }
  double wall = mail_clock(CLOCK_MONOTONIC), cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID);
  for (long k = 0; k < sessions; k++) go_on(&all[k]);
  for (long ended = 0; ended < sessions;) ended += serve(all, fds, sessions);
  wall = mail_clock(CLOCK_MONOTONIC) - wall;
  cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  mail_report(count, sum, wall, cpu);
  return 0;
}
