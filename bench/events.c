/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events parse|chat|first|raw [mib=256] [count=200]
 *
 * parse: mib MiB of text/event-stream, as OpenAI's service writes it, given in pieces of 16 KiB;
 * the events and all bytes of their data are counted beside what was written. chat:  the same from
 * a service on loopback through tenon.h, as events of text; counted the same way. first: from the
 * call of tenon_start_chat to the first event, count times one after the other, of a service that
 * says when it got the request and when it sent the event: what is left is ours. raw:   the same by
 * a plain socket, which parses nothing.
 *
 * Ends with a line of JSON: wall_s, cpu_s and mb_s, or ms (the median). Wrong counts end it with
 * status 1.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/event_stream.h"
#include "tenon/tenon.h"

enum { PIECE = 16 << 10, MOST = 10000, THINKING_MS = 3 };

static long mib = 256, count = 200;

static double clock_s(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void die(const char *what) {
  fprintf(stderr, "events: %s\n", what);
  exit(1);
}

/* ---- What the service says ---- */

static const char *const words[] = {"The",   " sky",        " is",
                                    " blue", " because",    " sunlight",
                                    " is",   " scattered,", " and \\u00fcber",
                                    " 12%",  "\\n",         " \\\"so\\\""};
enum { WORDS = sizeof words / sizeof *words };

typedef struct block {
  char *bytes;
  size_t size, events, data,
      text; /* data: bytes of the events' data; text: of their words, decoded */
} block;

static size_t decoded_size(const char *word) {
  size_t n = 0;
  for (; *word; n++) word += *word != '\\' ? 1 : word[1] == 'u' ? (n++, 6) : 2;
  return n;
}

/* About a MiB of whole events, again and again. */
static block make_block(void) {
  block b = {.bytes = malloc(2 << 20)};
  if (!b.bytes) die("no memory");
  for (size_t i = 0; b.size < 1 << 20; i++) {
    int n = sprintf(b.bytes + b.size,
                    "data: "
                    "{\"id\":\"chatcmpl-9xYz\",\"object\":\"chat.completion.chunk\",\"created\":"
                    "1700000000,\"model\":\"m\","
                    "\"system_fingerprint\":\"fp_1\",\"choices\":[{\"index\":0,\"delta\":{"
                    "\"content\":\"%s\"},\"logprobs\":null,"
                    "\"finish_reason\":null}]}\n\n",
                    words[i % WORDS]);
    b.size += (size_t)n;
    b.data += (size_t)n - 8;
    b.text += decoded_size(words[i % WORDS]);
    b.events++;
  }
  return b;
}

static const char tail[] =
    "data: {\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\ndata: "
    "[DONE]\n\n";

/* ---- Parsing alone ---- */

static void parse(const block *b) {
  tn_event_stream s;
  tn_event e = {0};
  size_t events = 0, data = 0;
  unsigned char mixed = 0;
  tn_event_stream_init(&s, TN_EVENT_STREAM, 8 << 20);
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < mib; i++)
    for (size_t at = 0; at < b->size;) {
      char *to;
      size_t room, n = b->size - at < PIECE ? b->size - at : PIECE;
      if (tn_event_stream_room(&s, &to, &room, NULL) || room < n) die("no room");
      memcpy(to, b->bytes + at, n);
      tn_event_stream_add(&s, n);
      at += n;
      while (!tn_event_stream_next(&s, &e, NULL) && e.data) {
        events++;
        data += e.size;
        mixed ^= (unsigned char)e.data[e.size / 2];
      }
    }
  wall = clock_s(CLOCK_MONOTONIC) - wall;
  cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  tn_event_stream_release(&s);
  if (events != b->events * (size_t)mib || data != b->data * (size_t)mib)
    die("other events than were written");
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"mb_s\": %.1f, \"mixed\": %d}\n", wall, cpu,
         (double)b->size * (double)mib / cpu / 1e6, mixed);
}

/* ---- A service on loopback ---- */

static struct {
  int listener, port;
  const block *block;       /* NULL: one event, after a while */
  double got_s, sent_s;     /* read once the answer has come */
} service;

static bool read_request(int fd) {
  static char head[256 << 10];
  size_t size = 0;
  while (size < sizeof head - 1) {
    ssize_t n = recv(fd, head + size, sizeof head - 1 - size, 0);
    if (n <= 0) return false;
    head[size += (size_t)n] = 0;
    const char *end = strstr(head, "\r\n\r\n"), *length = strcasestr(head, "content-length:");
    if (end && size >= (size_t)(end + 4 - head) + (length ? strtoul(length + 15, NULL, 10) : 0))
      return true;
  }
  return false;
}

static void send_all(int fd, const char *data, size_t size) {
  while (size > 0) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n <= 0) return;
    data += n;
    size -= (size_t)n;
  }
}

static void answer(int fd) {
  static const char head[] =
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n";
  static const char one[] =
      "data: {\"model\":\"m\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"The\"}}]}\n\n";
  service.got_s = clock_s(CLOCK_MONOTONIC);
  send_all(fd, head, sizeof head - 1);
  if (service.block) {
    for (long i = 0; i < mib; i++) send_all(fd, service.block->bytes, service.block->size);
    send_all(fd, tail, sizeof tail - 1);
    return;
  }
  while (clock_s(CLOCK_MONOTONIC) - service.got_s < THINKING_MS * 1e-3) continue;
  service.sent_s = clock_s(CLOCK_MONOTONIC);
  send_all(fd, one, sizeof one - 1);
  send_all(fd, tail, sizeof tail - 1);
}

static void *serve(void *arg) {
  int fd, on = 1;
  (void)arg;
  while ((fd = accept(service.listener, NULL, NULL)) >= 0) {
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (read_request(fd)) answer(fd);
    close(fd);
  }
  return NULL;
}

static void start_service(const block *b) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  pthread_t thread;
  service.block = b;
  service.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (service.listener < 0 || bind(service.listener, (struct sockaddr *)&a, size) ||
      listen(service.listener, 16) || getsockname(service.listener, (struct sockaddr *)&a, &size))
    die("no service");
  service.port = ntohs(a.sin_port);
  if (pthread_create(&thread, NULL, serve, NULL)) die("no thread");
}

/* ---- Tenon ---- */

static tenon_session *open_session(tenon **ret) {
  char url[64];
  tenon_session *s;
  tenon_error err = TENON_ERROR_INIT;
  snprintf(url, sizeof url, "http://127.0.0.1:%d/v1", service.port);
  const tenon_setting settings[] = {{"base_url", url}, {"model", "m"}, {"api_key", "sk-bench"}};
  if (tenon_new(NULL, ret, &err) || tenon_open(NULL, *ret, "openai://", settings, 3, &s, &err))
    die(err.message);
  return s;
}

static tenon_events ask(tenon_session *s) {
  static const tenon_part part = {.type = TENON_PART_TEXT, .text = "Why is the sky blue?"};
  static const tenon_message message = {TENON_USER, &part, 1};
  tenon_chat chat = TENON_CHAT_INIT;
  tenon_events events;
  tenon_error err = TENON_ERROR_INIT;
  chat.messages = &message;
  chat.message_count = 1;
  if (tenon_start_chat(NULL, s, &chat, &events, &err)) die(err.message);
  return events;
}

static void chat(const block *b) {
  tenon *t;
  start_service(b);
  tenon_session *s = open_session(&t);
  size_t events = 0, text = 0;
  tenon_event e = {.type = TENON_EVENT_TEXT};
  tenon_error err = TENON_ERROR_INIT;
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_THREAD_CPUTIME_ID);
  tenon_events answer_events = ask(s);
  while (e.type != TENON_EVENT_DONE) {
    if (answer_events.next(answer_events.self, &e, &err)) die(err.message);
    if (e.type == TENON_EVENT_END) die("the answer ended");
    events += e.type == TENON_EVENT_TEXT;
    text += e.type == TENON_EVENT_TEXT ? e.size : 0;
  }
  wall = clock_s(CLOCK_MONOTONIC) - wall;
  cpu = clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu;
  answer_events.close(answer_events.self);
  if (events != b->events * (size_t)mib || text != b->text * (size_t)mib)
    die("other events than were written");
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"mb_s\": %.1f}\n", wall, cpu,
         (double)b->size * (double)mib / cpu / 1e6);
  tenon_close(s);
  tenon_free(t);
}

static int by_size(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

/* What neither the service's own thinking nor anybody else took. */
static void report(double *took, double cpu) {
  qsort(took, (size_t)count, sizeof *took, by_size);
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"ms\": %.4f, \"p90_ms\": %.4f}\n", took[count / 2],
         cpu, took[count / 2] * 1e3, took[count * 9 / 10] * 1e3);
}

static void first(void) {
  static double took[MOST];
  tenon *t;
  start_service(NULL);
  tenon_session *s = open_session(&t);
  double cpu = 0;
  for (long i = -3; i < count; i++) {
    tenon_event e = {0};
    tenon_error err = TENON_ERROR_INIT;
    double began = clock_s(CLOCK_MONOTONIC), cpu_began = clock_s(CLOCK_THREAD_CPUTIME_ID);
    tenon_events events = ask(s);
    if (events.next(events.self, &e, &err)) die(err.message);
    double ended = clock_s(CLOCK_MONOTONIC);
    cpu += clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu_began;
    if (e.type != TENON_EVENT_TEXT || strcmp(e.text, "The") != 0)
      die("another event than was sent");
    if (i >= 0) took[i] = ended - began - (service.sent_s - service.got_s);
    while (e.type != TENON_EVENT_DONE && !events.next(events.self, &e, &err)) continue;
    events.close(events.self);
  }
  report(took, cpu / (double)count);
  tenon_close(s);
  tenon_free(t);
}

static void raw(void) {
  static double took[MOST];
  static const char request[] =
      "POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
      "Content-Length: 120\r\n\r\n";
  char body[121], reply[4096];
  memset(body, ' ', 120);
  start_service(NULL);
  struct sockaddr_in a = {.sin_family = AF_INET,
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
                          .sin_port = htons((uint16_t)service.port)};
  double cpu_began = clock_s(CLOCK_THREAD_CPUTIME_ID);
  for (long i = -3; i < count; i++) {
    size_t size = 0;
    double began = clock_s(CLOCK_MONOTONIC);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die("no connection");
    send_all(fd, request, sizeof request - 1);
    send_all(fd, body, 120);
    do {
      ssize_t n = recv(fd, reply + size, sizeof reply - 1 - size, 0);
      if (n <= 0) die("no answer");
      reply[size += (size_t)n] = 0;
    } while (!strstr(reply, "\"The\""));
    double ended = clock_s(CLOCK_MONOTONIC);
    if (i >= 0) took[i] = ended - began - (service.sent_s - service.got_s);
    while (recv(fd, reply, sizeof reply, 0) > 0) continue;
    close(fd);
  }
  report(took, (clock_s(CLOCK_THREAD_CPUTIME_ID) - cpu_began) / (double)count);
}

int main(int argc, char **argv) {
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], "mib=", 4) == 0) mib = strtol(argv[i] + 4, NULL, 10);
    if (strncmp(argv[i], "count=", 6) == 0) count = strtol(argv[i] + 6, NULL, 10);
  }
  if (argc < 2 || mib < 1 || count < 1 || count > MOST) {
    fprintf(stderr, "events parse|chat|first|raw [mib=256] [count=200]\n");
    return 2;
  }
  block b = make_block();
  if (strcmp(argv[1], "parse") == 0) parse(&b);
  else if (strcmp(argv[1], "chat") == 0) chat(&b);
  else if (strcmp(argv[1], "first") == 0) first();
  else raw();
  free(b.bytes);
  return 0;
}
