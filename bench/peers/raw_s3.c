/* SPDX-License-Identifier: Apache-2.0 */
/*
 * S3 by plain sockets and one poll loop: nothing is signed, checked or tried again. The limit that
 * others are measured by, for bench/servers/s3_fast, which takes such requests.
 *
 *   raw_s3 get PORT /BUCKET/KEY [connections=4] [range=BYTES] [to=FILE]
 *       one object by ranges, each into the memory of its connection, which is used again. to: written
 *       there as well
 *   raw_s3 put PORT /BUCKET/KEY from=FILE [connections=4] [range=BYTES]
 *       the same up, in parts: read from the file, then sent
 *   raw_s3 many PORT /BUCKET/ keys=FILE [connections=4] [ahead=1]
 *       every object that the file names, `ahead` requests under way on each connection
 *   raw_s3 list PORT /BUCKET [prefix=TEXT]
 *       one page after the other on one connection
 *
 * With discard=1 the kernel throws away what comes, and what goes out is the same little piece of memory
 * over and over; clients=N does the whole N times at once: so the server alone is measured.
 *
 * The last line is {"bytes": …, "rows": …, "sum": …}: sum is over the keys' hashes.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 64, MAX_AHEAD = 64, HEAD_ROOM = 4096, PAGE_ROOM = 4 << 20, LITTLE = 256 << 10 };

typedef struct conn {
  int fd;
  char in[HEAD_ROOM + 1];
  size_t filled;             /* of in: heads, and what came with them */
  char *data;                /* one range */
  int64_t at, size, done;    /* the range, and how much of its bytes came or went */
  int asked, number;
  bool is_body;
  char head[1024];           /* of the request that goes out */
  size_t head_size, head_sent;
} conn;

typedef struct options {
  const char *target, *to, *from, *keys, *prefix;
  int port, connections, ahead, clients;
  int64_t range;
  bool discard;
} options;

static options o = {.connections = 4, .ahead = 1, .clients = 1, .range = 8 << 20, .prefix = ""};
static conn conns[MAX_CONNECTIONS];
static struct pollfd fds[MAX_CONNECTIONS];
static int64_t total, next_at, received;
static int file = -1, active, next_part = 1;
static char upload_id[256];

static void die(const char *what) {
  fprintf(stderr, "raw_s3: %s: %s\n", what, strerror(errno));
  exit(1);
}

static void wrong(const char *what) {
  fprintf(stderr, "raw_s3: %s\n", what);
  exit(1);
}

/* ---- Connections ---- */

static int reach(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons((uint16_t)o.port),
                          .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  const int on = 1;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a)) die("connect");
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

static void open_all(size_t memory) {
  for (int i = 0; i < o.connections; i++) {
    conns[i] = (conn){.fd = reach(), .data = memory ? malloc(memory) : NULL};
    if (memory && !conns[i].data) die("memory");
    fcntl(conns[i].fd, F_SETFL, O_NONBLOCK);
    fds[i] = (struct pollfd){.fd = conns[i].fd, .events = POLLIN};
  }
}

static void put_all(int fd, const char *data, size_t size) {
  while (size) {
    ssize_t n = send(fd, data, size, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) continue;
    if (n <= 0) die("send");
    data += n;
    size -= (size_t)n;
  }
}

/* True if there was something; the connection's end is an error here. */
static bool came(ssize_t n) {
  if (n > 0) return true;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  die("receiving");
  return false;
}

/* The value of a header within a whole head; NULL: there is none. */
static const char *header(const char *head, const char *name) {
  const char *found = strcasestr(head, name);
  return found ? found + strlen(name) : NULL;
}

static int64_t content_length(const char *head) {
  const char *length = header(head, "\r\ncontent-length: ");
  if (strncmp(head, "HTTP/1.1 2", 10) != 0) wrong(head);
  return length ? strtoll(length, NULL, 10) : 0;
}

/* The head of a reply out of what came: its end is moved away. False: there is no whole one yet. */
static bool take_head(conn *c, int64_t *ret_length) {
  c->in[c->filled] = 0;
  char *end = strstr(c->in, "\r\n\r\n");
  if (!end) return c->filled == HEAD_ROOM ? wrong("a head is too long"), false : false;
  *end = 0;
  *ret_length = content_length(c->in);
  const char *range = header(c->in, "\r\ncontent-range: bytes ");
  if (range && strchr(range, '/')) total = strtoll(strchr(range, '/') + 1, NULL, 10);
  c->filled -= (size_t)(end + 4 - c->in);
  memmove(c->in, end + 4, c->filled);
  return true;
}

/* ---- get ---- */

static void ask_range(conn *c) {
  char head[1024];
  if (total >= 0 && next_at >= total) {
    fds[c - conns].fd = -1;
    active--;
    return;
  }
  c->at = next_at;
  c->size = o.range;
  c->done = 0;
  c->is_body = false;
  next_at += o.range;
  int n = snprintf(head, sizeof head, "GET %s HTTP/1.1\r\nHost: localhost\r\nRange: bytes=%" PRId64 "-%" PRId64 "\r\n\r\n",
                   o.target, c->at, c->at + c->size - 1);
  put_all(c->fd, head, (size_t)n);
}

static void take_beginning(conn *c) {
  ssize_t n = recv(c->fd, c->in + c->filled, HEAD_ROOM - c->filled, 0);
  if (!came(n)) return;
  c->filled += (size_t)n;
  if (!take_head(c, &c->size)) return;
  c->is_body = true;
  memcpy(c->data, c->in, c->filled);
  c->done = (int64_t)c->filled;
  c->filled = 0;
}

static void end_range(conn *c) {
  if (file >= 0 && pwrite(file, c->data, (size_t)c->size, c->at) != c->size) die("write");
  received += c->size;
  ask_range(c);
}

static void on_range(conn *c) {
  if (!c->is_body) {
    take_beginning(c);
  } else {
    size_t left = (size_t)(c->size - c->done);
    ssize_t n = recv(c->fd, o.discard ? NULL : c->data + c->done, left, o.discard ? MSG_TRUNC : 0);
    if (came(n)) c->done += n;
  }
  if (c->is_body && c->done == c->size) end_range(c);
}

/* The first range says how big the object is; only then the others are asked for. */
static void get(void) {
  if (o.to && (file = open(o.to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)) < 0) die(o.to);
  open_all((size_t)o.range);
  total = -1;
  active = 1;
  ask_range(&conns[0]);
  for (bool all = false; active > 0;) {
    if (poll(fds, (nfds_t)(all ? o.connections : 1), -1) < 0) die("poll");
    for (int i = 0; i < o.connections; i++)
      if (fds[i].fd >= 0 && fds[i].revents) on_range(&conns[i]);
    if (all || total < 0) continue;
    all = true;
    active = o.connections - (fds[0].fd < 0);
    for (int i = 1; i < o.connections; i++) ask_range(&conns[i]);
  }
}

/* ---- put ---- */

/* One request whose reply is text, on a connection that waits for it. */
static void call(const char *method, const char *query, const char *body, size_t size, char *ret, size_t room) {
  char head[1024];
  int fd = reach();
  size_t filled = 0;
  int n = snprintf(head, sizeof head, "%s %s?%s HTTP/1.1\r\nHost: localhost\r\nContent-Length: %zu\r\n\r\n", method,
                   o.target, query, size);
  put_all(fd, head, (size_t)n);
  put_all(fd, body, size);
  for (const char *end = NULL;;) {
    ssize_t got = recv(fd, ret + filled, room - 1 - filled, 0);
    if (got <= 0) die("receiving");
    filled += (size_t)got;
    ret[filled] = 0;
    end = strstr(ret, "\r\n\r\n");
    if (end && (int64_t)(filled - (size_t)(end + 4 - ret)) >= content_length(ret)) break;
  }
  close(fd);
}

static void begin_part(conn *c) {
  if (next_at >= total) {
    fds[c - conns].fd = -1;
    active--;
    return;
  }
  c->at = next_at;
  c->size = total - next_at < o.range ? total - next_at : o.range;
  c->done = 0;
  c->head_sent = 0;
  c->number = next_part++;
  next_at += c->size;
  for (int64_t n = 0; !o.discard && n < c->size;) {
    ssize_t got = pread(file, c->data + n, (size_t)(c->size - n), c->at + n);
    if (got <= 0) die("read");
    n += got;
  }
  c->head_size = (size_t)snprintf(c->head, sizeof c->head, "PUT %s?partNumber=%d&uploadId=%s HTTP/1.1\r\nHost: localhost\r\n"
                                  "Content-Length: %" PRId64 "\r\n\r\n", o.target, c->number, upload_id, c->size);
  fds[c - conns].events = POLLOUT;
}

static void send_part(conn *c) {
  bool is_head = c->head_sent < c->head_size;
  size_t left = (size_t)(c->size - c->done);
  ssize_t n = is_head ? send(c->fd, c->head + c->head_sent, c->head_size - c->head_sent, MSG_NOSIGNAL | MSG_MORE)
              : o.discard ? send(c->fd, c->data, left < LITTLE ? left : LITTLE, MSG_NOSIGNAL)
                          : send(c->fd, c->data + c->done, left, MSG_NOSIGNAL);
  if (!came(n)) return;
  if (is_head) c->head_sent += (size_t)n;
  else c->done += n;
  if (c->done == c->size) fds[c - conns].events = POLLIN;
}

static void end_part(conn *c) {
  int64_t none;
  ssize_t n = recv(c->fd, c->in + c->filled, HEAD_ROOM - c->filled, 0);
  if (!came(n)) return;
  c->filled += (size_t)n;
  if (!take_head(c, &none)) return;
  received += c->size;
  begin_part(c);
}

static void put(void) {
  struct stat st;
  char reply[HEAD_ROOM], query[512];
  if ((file = open(o.from, O_RDONLY | O_CLOEXEC)) < 0 || fstat(file, &st)) die(o.from);
  total = st.st_size;
  call("POST", "uploads", "", 0, reply, sizeof reply);
  const char *id = strstr(reply, "<UploadId>");
  if (!id || sscanf(id, "<UploadId>%255[^<]", upload_id) != 1) wrong("the upload has no name");
  open_all((size_t)o.range);
  active = o.connections;
  for (int i = 0; i < o.connections; i++) begin_part(&conns[i]);
  while (active > 0) {
    if (poll(fds, (nfds_t)o.connections, -1) < 0) die("poll");
    for (int i = 0; i < o.connections; i++) {
      if (fds[i].fd < 0 || !fds[i].revents) continue;
      if (fds[i].events == POLLOUT) send_part(&conns[i]);
      else end_part(&conns[i]);
    }
  }
  snprintf(query, sizeof query, "uploadId=%s", upload_id);
  call("POST", query, "", 0, reply, sizeof reply);
}

/* ---- many ---- */

static FILE *keys;

static void ask_object(conn *c) {
  char key[1100], head[2048];
  if (!fgets(key, sizeof key, keys)) return;
  key[strcspn(key, "\n")] = 0;
  int n = snprintf(head, sizeof head, "GET %s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", o.target, key);
  put_all(c->fd, head, (size_t)n);
  c->asked++;
}

static void on_object(conn *c, int64_t *rows) {
  ssize_t n;
  if (!c->is_body) {
    n = recv(c->fd, c->in + c->filled, HEAD_ROOM - c->filled, 0);
    if (came(n)) c->filled += (size_t)n;
  } else {
    n = recv(c->fd, o.discard ? NULL : c->data, (size_t)(c->size - c->done), o.discard ? MSG_TRUNC : 0);
    if (came(n)) c->done += n;
  }
  while (true) {
    if (!c->is_body && !take_head(c, &c->size)) return;
    if (!c->is_body) c->done = 0;
    c->is_body = true;
    size_t rest = (int64_t)c->filled < c->size - c->done ? c->filled : (size_t)(c->size - c->done);
    memmove(c->in, c->in + rest, c->filled -= rest);
    c->done += (int64_t)rest;
    if (c->done < c->size) return;
    c->is_body = false;
    c->asked--;
    ++*rows;
    received += c->size;
    ask_object(c);
  }
}

static void many(int64_t *rows) {
  if (!(keys = fopen(o.keys, "re"))) die(o.keys);
  open_all((size_t)o.range);
  for (int k = 0; k < o.ahead; k++)
    for (int i = 0; i < o.connections; i++) ask_object(&conns[i]);
  for (bool busy = true; busy;) {
    if (poll(fds, (nfds_t)o.connections, -1) < 0) die("poll");
    busy = false;
    for (int i = 0; i < o.connections; i++) {
      if (fds[i].revents) on_object(&conns[i], rows);
      busy |= conns[i].asked > 0;
    }
  }
}

/* ---- list ---- */

static uint64_t hash_of(const char *key, size_t size) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
  return hash;
}

static void receive_page(int fd, char *page) {
  size_t filled = 0;
  for (const char *body = NULL;;) {
    ssize_t n = recv(fd, page + filled, PAGE_ROOM - 1 - filled, 0);
    if (n <= 0) die("receiving");
    filled += (size_t)n;
    page[filled] = 0;
    if (!body && (body = strstr(page, "\r\n\r\n"))) body += 4;
    if (body && (int64_t)(filled - (size_t)(body - page)) >= content_length(page)) return;
  }
}

static void list(int64_t *rows, uint64_t *sum) {
  char head[2048], token[1024] = "", *page = malloc(PAGE_ROOM);
  int fd = reach();
  if (!page) die("memory");
  do {
    int n = snprintf(head, sizeof head, "GET %s?list-type=2&prefix=%s%s%s HTTP/1.1\r\nHost: localhost\r\n\r\n", o.target,
                     o.prefix, *token ? "&continuation-token=" : "", token);
    put_all(fd, head, (size_t)n);
    receive_page(fd, page);
    for (const char *key = page; (key = strstr(key, "<Key>")); ++*rows) {
      key += 5;
      *sum += hash_of(key, strcspn(key, "<"));
    }
    const char *next = strstr(page, "<NextContinuationToken>");
    if (!next || sscanf(next, "<NextContinuationToken>%1023[^<]", token) != 1) *token = 0;
  } while (*token);
}

/* ---- Beginning ---- */

static bool parse(int argc, char **argv) {
  if (argc < 4) return false;
  o.port = (int)strtol(argv[2], NULL, 10);
  o.target = argv[3];
  for (int i = 4; i < argc; i++) {
    const char *value = strchr(argv[i], '=');
    if (!value++) return false;
    if (strncmp(argv[i], "connections=", 12) == 0) o.connections = (int)strtol(value, NULL, 10);
    else if (strncmp(argv[i], "ahead=", 6) == 0) o.ahead = (int)strtol(value, NULL, 10);
    else if (strncmp(argv[i], "clients=", 8) == 0) o.clients = (int)strtol(value, NULL, 10);
    else if (strncmp(argv[i], "range=", 6) == 0) o.range = strtoll(value, NULL, 10);
    else if (strncmp(argv[i], "to=", 3) == 0) o.to = value;
    else if (strncmp(argv[i], "from=", 5) == 0) o.from = value;
    else if (strncmp(argv[i], "keys=", 5) == 0) o.keys = value;
    else if (strncmp(argv[i], "prefix=", 7) == 0) o.prefix = value;
    else if (strcmp(argv[i], "discard=1") == 0) o.discard = true;
    else return false;
  }
  return o.connections > 0 && o.connections <= MAX_CONNECTIONS && o.ahead > 0 && o.ahead <= MAX_AHEAD &&
         o.range > HEAD_ROOM;
}

/* Answers in each of the clients; only the first one says what they did. */
static bool multiply(void) {
  for (int i = 1; i < o.clients; i++)
    if (fork() == 0) return false;
  return true;
}

static void await_others(void) {
  int status;
  while (wait(&status) > 0)
    if (status) wrong("one of the clients failed");
}

int main(int argc, char **argv) {
  int64_t rows = 0;
  uint64_t sum = 0;
  const char *what = argc > 1 ? argv[1] : "";
  if (!parse(argc, argv)) wrong("usage: raw_s3 get|put|many|list PORT TARGET [NAME=VALUE]...");
  bool is_first = multiply();
  if (strcmp(what, "get") == 0) get();
  else if (strcmp(what, "put") == 0 && o.from) put();
  else if (strcmp(what, "many") == 0 && o.keys) many(&rows);
  else if (strcmp(what, "list") == 0) list(&rows, &sum);
  else wrong("usage: raw_s3 get|put|many|list PORT TARGET [NAME=VALUE]...");
  if (!is_first) return 0;
  await_others();
  printf("{\"bytes\": %" PRId64 ", \"rows\": %" PRId64 ", \"sum\": \"%016" PRIx64 "\"}\n", received, rows, sum);
  return 0;
}
