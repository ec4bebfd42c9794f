/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of S3 as the bars need, and so fast that it is not what is measured. For loopback and trusted
 * clients only: signatures are NOT checked, and nothing is stored.
 *
 *   s3_fast PATTERN [part=BYTES] [bucket=NAME,KEYS,DELAY_MS]...   prints PORT=N and serves until killed
 *
 * Every key that ends in -SIZE is an object of that size (HEAD, GET with ranges): the bytes of the file
 * PATTERN over and over, from a place that depends on the key. It should fit into a processor's cache:
 * copying from there is faster than handing on pages of a file.
 *
 * PUT, alone or in parts, is counted, and thrown away by the kernel without being looked at, unless the
 * key begins with checked/: then all bytes are compared with the pattern (in parts of `part` bytes), and
 * the upload is refused if one differs. A HEAD of a key that was put answers its size (of the last 64).
 *
 * A bucket lists the keys of its file KEYS, one a line in bytewise order (ListObjectsV2: prefix,
 * delimiter, start-after, continuation-token, max-keys). Each listing takes DELAY_MS longer.
 *
 * GET /-/counts answers what happened so far, as JSON.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
  HEAD_ROOM = 16 << 10,
  PAGE = 1000,
  PAGE_ROOM = 4 << 20,
  MAX_KEY = 1024,
  MAX_BUCKETS = 8,
  MAX_PUTS = 64,
  MAX_PARTS = 10001,
  SMALL = 128 << 10,
  CHECK_AT_A_TIME = 1 << 20
};

typedef struct bucket {
  char name[64];
  char **keys;
  size_t count;
  long delay_ms;
} bucket;

/* An upload, or what is left of one: parts[number] is that part's size. */
typedef struct put {
  char key[MAX_KEY + 1];
  int64_t size;
  bool is_done;
  int64_t *parts;
} put;

typedef struct conn {
  int fd;
  char in[HEAD_ROOM + 1];
  size_t start, end;         /* what was received and not used */
  char *page, *check;
  size_t page_size;
} conn;

typedef struct request {
  char method[8], bucket[64], key[MAX_KEY + 1], query[4 * MAX_KEY];
  int64_t length;            /* of the body */
  int64_t from, to;          /* the range; from -1: none */
  bool expects;
} request;

static const char *pattern;
static int64_t pattern_size, part_size = 8 << 20;
static bucket buckets[MAX_BUCKETS];
static size_t bucket_count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static put puts_[MAX_PUTS];
static unsigned long next_put;
static struct {
  uint64_t gets, bytes_out, parts, bytes_in, lists, uploads, aborted, differing;
} counts;

static void die(const char *what) {
  perror(what);
  exit(2);
}

static void count(uint64_t *counter, uint64_t n) { __atomic_fetch_add(counter, n, __ATOMIC_RELAXED); }

/* ---- Bytes ---- */

static bool send_all(conn *c, const char *data, size_t size, int flags) {
  while (size) {
    ssize_t n = send(c->fd, data, size, flags | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    data += n;
    size -= (size_t)n;
  }
  return true;
}

static int64_t phase_of(const char *key) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (; *key; key++) hash = (hash ^ (unsigned char)*key) * UINT64_C(1099511628211);
  return (int64_t)(hash % (uint64_t)(pattern_size / 4096)) * 4096;
}

static bool send_pattern(conn *c, int64_t at, int64_t size) {
  count(&counts.bytes_out, (uint64_t)size);
  while (size > 0) {
    int64_t from = at % pattern_size;
    int64_t n = pattern_size - from < size ? pattern_size - from : size;
    if (!send_all(c, pattern + from, (size_t)n, 0)) return false;
    at += n;
    size -= n;
  }
  return true;
}

/* The head and a small body in one go, which is one packet on loopback. */
static bool send_small(conn *c, const char *head, size_t head_size, int64_t at, int64_t size) {
  struct iovec parts[2] = {{.iov_base = (char *)(uintptr_t)head, .iov_len = head_size},
                           {.iov_base = (char *)(uintptr_t)pattern + at % pattern_size, .iov_len = (size_t)size}};
  const struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  if (at % pattern_size + size > pattern_size)
    return send_all(c, head, head_size, MSG_MORE) && send_pattern(c, at, size);
  ssize_t sent = sendmsg(c->fd, &message, MSG_NOSIGNAL);
  if (sent < (ssize_t)head_size) return false;
  count(&counts.bytes_out, (uint64_t)size);
  size_t left = head_size + (size_t)size - (size_t)sent;
  return send_all(c, (const char *)parts[1].iov_base + ((size_t)size - left), left, 0);
}

static bool answer(conn *c, const char *status, const char *headers, const char *body, size_t size) {
  char head[512];
  int n = snprintf(head, sizeof head, "HTTP/1.1 %s\r\nServer: s3_fast\r\n%sContent-Length: %zu\r\n\r\n", status,
                   headers, size);
  return send_all(c, head, (size_t)n, size ? MSG_MORE : 0) && send_all(c, body, size, 0);
}

static bool refuse(conn *c, const char *status, const char *code) {
  char body[256];
  int n = snprintf(body, sizeof body, "<?xml version=\"1.0\"?><Error><Code>%s</Code><Message>%s</Message></Error>", code,
                   status);
  return answer(c, status, "Content-Type: application/xml\r\n", body, (size_t)n);
}

/* ---- Requests ---- */

static size_t decode(const char *from, size_t size, char *to, size_t room) {
  size_t n = 0;
  for (size_t i = 0; i < size && n + 1 < room; i++) {
    char hex[3] = {0};
    bool is_escape = from[i] == '%' && i + 2 < size && isxdigit((unsigned char)from[i + 1]) &&
                     isxdigit((unsigned char)from[i + 2]);
    if (is_escape) {
      memcpy(hex, from + i + 1, 2);
      to[n++] = (char)strtol(hex, NULL, 16);
      i += 2;
    } else {
      to[n++] = from[i] == '+' ? ' ' : from[i];
    }
  }
  to[n] = 0;
  return n;
}

/* The value of one of the query's parameters, decoded; false: it is not there. */
static bool parameter(const request *r, const char *name, char *ret, size_t room) {
  size_t length = strlen(name);
  for (const char *p = r->query; *p;) {
    size_t size = strcspn(p, "&"), n = strcspn(p, "=&");
    if (n == length && strncmp(p, name, n) == 0) {
      decode(p + n + (p[n] == '='), size - n - (p[n] == '='), ret, room);
      return true;
    }
    p += size + (p[size] == '&');
  }
  return false;
}

static void parse_target(const char *target, request *r) {
  size_t path = strcspn(target, "? ");
  const char *slash = memchr(target + 1, '/', path > 1 ? path - 1 : 0);
  size_t name = slash ? (size_t)(slash - target) - 1 : path - 1;
  decode(target + 1, name, r->bucket, sizeof r->bucket);
  r->key[0] = r->query[0] = 0;
  if (slash) decode(slash + 1, path - (size_t)(slash + 1 - target), r->key, sizeof r->key);
  const char *query = target + path + 1;
  if (target[path] == '?') snprintf(r->query, sizeof r->query, "%.*s", (int)strcspn(query, " "), query);
}

static void parse_header(const char *line, request *r) {
  if (strncasecmp(line, "content-length:", 15) == 0) r->length = strtoll(line + 15, NULL, 10);
  if (strncasecmp(line, "expect:", 7) == 0) r->expects = true;
  const char *range = strncasecmp(line, "range:", 6) == 0 ? strstr(line, "bytes=") : NULL;
  if (!range) return;
  char *end;
  r->from = strtoll(range + 6, &end, 10);
  r->to = *end == '-' && isdigit((unsigned char)end[1]) ? strtoll(end + 1, NULL, 10) : INT64_MAX - 1;
}

/* Takes one head out of the connection; false: it is over, or no HTTP of ours. */
static bool receive(conn *c, request *r) {
  char *end;
  c->in[c->end] = 0;
  while (!(end = strstr(c->in + c->start, "\r\n\r\n"))) {
    if (c->start) memmove(c->in, c->in + c->start, c->end - c->start);
    c->end -= c->start;
    c->start = 0;
    if (c->end == HEAD_ROOM) return false;
    ssize_t n = recv(c->fd, c->in + c->end, HEAD_ROOM - c->end, 0);
    if (n <= 0) return false;
    c->end += (size_t)n;
    c->in[c->end] = 0;
  }
  char *line = c->in + c->start, *target = memchr(line, ' ', 8);
  *end = 0;
  c->start = (size_t)(end + 4 - c->in);
  if (!target || target[1] != '/') return false;
  r->length = 0;
  r->from = -1;
  r->expects = false;
  snprintf(r->method, sizeof r->method, "%.*s", (int)(target - line), line);
  parse_target(target + 1, r);
  while ((line = strstr(line, "\r\n"))) parse_header(line += 2, r);
  return true;
}

/* ---- Bodies that come ---- */

static size_t take_rest(conn *c, int64_t wanted, const char **ret) {
  size_t n = c->end - c->start;
  if ((int64_t)n > wanted) n = (size_t)wanted;
  *ret = c->in + c->start;
  c->start += n;
  return n;
}

static uint64_t differing(const char *data, size_t size, int64_t at) {
  while (size) {
    int64_t from = at % pattern_size;
    size_t n = pattern_size - from < (int64_t)size ? (size_t)(pattern_size - from) : size;
    if (memcmp(data, pattern + from, n) != 0) return 1;
    data += n;
    size -= n;
    at += (int64_t)n;
  }
  return 0;
}

/* at: of the object's bytes, where the body belongs; -1: nobody looks at them. */
static bool take_body(conn *c, const request *r, int64_t at, bool *ret_same) {
  const char *data;
  int64_t left = r->length;
  *ret_same = true;
  if (r->expects && c->start == c->end && !send_all(c, "HTTP/1.1 100 Continue\r\n\r\n", 25, 0)) return false;
  size_t n = take_rest(c, left, &data);
  if (at >= 0 && differing(data, n, at)) *ret_same = false;
  left -= (int64_t)n;
  for (int64_t done = (int64_t)n; left > 0;) {
    size_t room = at < 0 ? (size_t)1 << 30 : CHECK_AT_A_TIME;
    if ((int64_t)room > left) room = (size_t)left;
    ssize_t got = recv(c->fd, at < 0 ? NULL : c->check, room, at < 0 ? MSG_TRUNC : 0);
    if (got <= 0) return false;
    if (at >= 0 && differing(c->check, (size_t)got, at + done)) *ret_same = false;
    done += got;
    left -= got;
  }
  count(&counts.bytes_in, (uint64_t)r->length);
  return true;
}

/* ---- Uploads ---- */

static bool is_checked(const request *r) { return strncmp(r->key, "checked/", 8) == 0; }

static put *new_put(const char *key, unsigned long *ret_id) {
  *ret_id = next_put++;
  put *p = &puts_[*ret_id % MAX_PUTS];
  int64_t *parts = p->parts ? p->parts : calloc(MAX_PARTS, sizeof *parts);
  if (!parts) die("memory");
  memset(parts, 0, MAX_PARTS * sizeof *parts);
  *p = (put){.parts = parts};
  snprintf(p->key, sizeof p->key, "%s", key);
  return p;
}

static put *put_of(const request *r, unsigned long *ret_id) {
  char id[32];
  if (!parameter(r, "uploadId", id, sizeof id)) return NULL;
  *ret_id = strtoul(id, NULL, 10);
  put *p = &puts_[*ret_id % MAX_PUTS];
  return p->parts && strcmp(p->key, r->key) == 0 ? p : NULL;
}

static bool begin_upload(conn *c, const request *r) {
  unsigned long id;
  char body[3 * MAX_KEY];
  bool same;
  if (!take_body(c, r, -1, &same)) return false;
  pthread_mutex_lock(&lock);
  new_put(r->key, &id);
  pthread_mutex_unlock(&lock);
  int n = snprintf(body, sizeof body,
                   "<?xml version=\"1.0\"?><InitiateMultipartUploadResult><Bucket>%s</Bucket><Key>%s</Key>"
                   "<UploadId>%lu</UploadId></InitiateMultipartUploadResult>", r->bucket, r->key, id);
  return answer(c, "200 OK", "Content-Type: application/xml\r\n", body, (size_t)n);
}

static bool take_part(conn *c, const request *r, long number) {
  unsigned long id;
  char headers[64];
  bool same;
  int64_t at = is_checked(r) ? phase_of(r->key) + (number - 1) * part_size : -1;
  if (!take_body(c, r, at, &same)) return false;
  pthread_mutex_lock(&lock);
  put *p = put_of(r, &id);
  if (p) p->parts[number] = r->length;
  pthread_mutex_unlock(&lock);
  count(&counts.parts, 1);
  count(&counts.differing, !same);
  if (!p) return refuse(c, "404 Not Found", "NoSuchUpload");
  if (!same) return refuse(c, "400 Bad Request", "BadDigest");
  snprintf(headers, sizeof headers, "ETag: \"%lu-%ld\"\r\n", id, number);
  return answer(c, "200 OK", headers, "", 0);
}

/* All parts but the last one have to be alike, and those of a checked object full: else nobody would know where they
 * belong. -1: they are not. */
static int64_t size_of_parts(const put *p, bool checked) {
  int64_t size = 0, full = checked ? part_size : p->parts[1];
  for (int i = 1; i < MAX_PARTS && p->parts[i]; i++) {
    if (p->parts[i] > full || (i > 1 && p->parts[i - 1] != full)) return -1;
    size += p->parts[i];
  }
  return size;
}

static bool complete_upload(conn *c, const request *r) {
  unsigned long id = 0;
  char body[3 * MAX_KEY];
  int64_t size = -1;
  bool same;
  if (!take_body(c, r, -1, &same)) return false;
  pthread_mutex_lock(&lock);
  put *p = put_of(r, &id);
  if (p) size = p->size = size_of_parts(p, is_checked(r));
  if (size >= 0) p->is_done = true;
  pthread_mutex_unlock(&lock);
  if (size < 0) return refuse(c, "400 Bad Request", "InvalidPart");
  count(&counts.uploads, 1);
  int n = snprintf(body, sizeof body,
                   "<?xml version=\"1.0\"?><CompleteMultipartUploadResult><Location>http://localhost/</Location>"
                   "<Bucket>%s</Bucket><Key>%s</Key><ETag>\"%lu\"</ETag></CompleteMultipartUploadResult>",
                   r->bucket, r->key, id);
  return answer(c, "200 OK", "Content-Type: application/xml\r\n", body, (size_t)n);
}

static bool put_at_once(conn *c, const request *r) {
  unsigned long id;
  bool same;
  if (!take_body(c, r, is_checked(r) ? phase_of(r->key) : -1, &same)) return false;
  count(&counts.uploads, 1);
  count(&counts.differing, !same);
  if (!same) return refuse(c, "400 Bad Request", "BadDigest");
  pthread_mutex_lock(&lock);
  put *p = new_put(r->key, &id);
  p->size = r->length;
  p->is_done = true;
  pthread_mutex_unlock(&lock);
  return answer(c, "200 OK", "ETag: \"once\"\r\n", "", 0);
}

static bool on_put(conn *c, const request *r) {
  char text[32];
  if (!parameter(r, "partNumber", text, sizeof text)) return put_at_once(c, r);
  long number = strtol(text, NULL, 10);
  return number > 0 && number < MAX_PARTS ? take_part(c, r, number) : refuse(c, "400 Bad Request", "InvalidArgument");
}

static bool on_post(conn *c, const request *r) {
  char none[2];
  return parameter(r, "uploads", none, sizeof none) ? begin_upload(c, r) : complete_upload(c, r);
}

static bool on_delete(conn *c, const request *r) {
  char none[2];
  if (parameter(r, "uploadId", none, sizeof none)) count(&counts.aborted, 1);
  return send_all(c, "HTTP/1.1 204 No Content\r\n\r\n", 27, 0);
}

/* ---- Objects ---- */

/* What was put last under that key, else what the key's own name says; -1: there is none. */
static int64_t size_of(const char *key) {
  int64_t size = -1;
  pthread_mutex_lock(&lock);
  for (unsigned long i = next_put, n = 0; size < 0 && i > 0 && n < MAX_PUTS; i--, n++) {
    const put *p = &puts_[(i - 1) % MAX_PUTS];
    if (p->is_done && strcmp(p->key, key) == 0) size = p->size;
  }
  pthread_mutex_unlock(&lock);
  const char *dash = strrchr(key, '-');
  if (size < 0 && dash && isdigit((unsigned char)dash[1])) size = strtoll(dash + 1, NULL, 10);
  return size;
}

static bool on_object(conn *c, const request *r, bool with_body) {
  char head[512], range[96] = "";
  int64_t size = size_of(r->key), phase = phase_of(r->key), from = r->from < 0 ? 0 : r->from;
  if (size < 0) return refuse(c, "404 Not Found", "NoSuchKey");
  if (r->from >= size) return refuse(c, "416 Range Not Satisfiable", "InvalidRange");
  int64_t to = r->from < 0 || r->to >= size ? size : r->to + 1;
  if (r->from >= 0)
    snprintf(range, sizeof range, "Content-Range: bytes %" PRId64 "-%" PRId64 "/%" PRId64 "\r\n", from, to - 1, size);
  int n = snprintf(head, sizeof head,
                   "HTTP/1.1 %s\r\nServer: s3_fast\r\nAccept-Ranges: bytes\r\nContent-Type: binary/octet-stream\r\n"
                   "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT\r\nETag: \"%" PRIx64 "-%" PRId64 "\"\r\n"
                   "%sContent-Length: %" PRId64 "\r\n\r\n", r->from < 0 ? "200 OK" : "206 Partial Content", phase, size,
                   range, to - from);
  if (!with_body) return send_all(c, head, (size_t)n, 0);
  count(&counts.gets, 1);
  if (to - from <= SMALL) return send_small(c, head, (size_t)n, phase + from, to - from);
  return send_all(c, head, (size_t)n, MSG_MORE) && send_pattern(c, phase + from, to - from);
}

/* ---- Listings ---- */

/* The first key that is not below this one. */
static size_t find(const bucket *b, const char *key) {
  size_t low = 0, high = b->count;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (strcmp(b->keys[middle], key) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

static size_t behind_all(const bucket *b, const char *start) {
  char last[MAX_KEY + 2];
  snprintf(last, sizeof last, "%s\xff", start);
  return find(b, last);
}

static size_t start_of(const bucket *b, const request *r, const char *prefix) {
  char text[MAX_KEY + 1];
  size_t at = find(b, prefix);
  if (parameter(r, "continuation-token", text, sizeof text)) {
    size_t token = strtoul(text, NULL, 10);
    return token > at ? token : at;
  }
  if (!parameter(r, "start-after", text, sizeof text)) return at;
  size_t after = find(b, text);
  if (after < b->count && strcmp(b->keys[after], text) == 0) after++;
  return after > at ? after : at;
}

static bool put_text(conn *c, const char *text) {
  size_t size = strlen(text);
  if (c->page_size + size > PAGE_ROOM) return false;
  memcpy(c->page + c->page_size, text, size);
  c->page_size += size;
  return true;
}

static bool put_number(conn *c, unsigned long long n, unsigned base) {
  char text[24], *p = text + sizeof text;
  *--p = 0;
  do *--p = "0123456789abcdef"[n % base];
  while (n /= base);
  return put_text(c, p);
}

static bool put_object(conn *c, const char *key, size_t number) {
  const char *dash = strrchr(key, '-');
  return put_text(c, "<Contents><Key>") && put_text(c, key) &&
         put_text(c, "</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;") && put_number(c, number, 16) &&
         put_text(c, "&quot;</ETag><Size>") && put_number(c, dash ? strtoull(dash + 1, NULL, 10) : 0, 10) &&
         put_text(c, "</Size><StorageClass>STANDARD</StorageClass></Contents>");
}

/* One row; *at becomes the key to go on at. */
static bool put_row(conn *c, const bucket *b, const char *prefix, const char *delimiter, size_t *at) {
  const char *key = b->keys[*at], *cut = *delimiter ? strstr(key + strlen(prefix), delimiter) : NULL;
  char rolled[MAX_KEY + 1];
  if (!cut) return put_object(c, key, (*at)++);
  snprintf(rolled, sizeof rolled, "%.*s", (int)(cut - key + 1), key);
  *at = behind_all(b, rolled);
  return put_text(c, "<CommonPrefixes><Prefix>") && put_text(c, rolled) && put_text(c, "</Prefix></CommonPrefixes>");
}

static bool put_page(conn *c, const bucket *b, const request *r) {
  char prefix[MAX_KEY + 1] = "", delimiter[4] = "", max[16] = "";
  parameter(r, "prefix", prefix, sizeof prefix);
  parameter(r, "delimiter", delimiter, sizeof delimiter);
  long rows = 0, limit = parameter(r, "max-keys", max, sizeof max) ? strtol(max, NULL, 10) : PAGE;
  size_t at = start_of(b, r, prefix), end = *prefix ? behind_all(b, prefix) : b->count;
  if (limit < 0 || limit > PAGE) limit = PAGE;
  if (!c->page && !(c->page = malloc(PAGE_ROOM))) return false;
  c->page_size = 0;
  bool fits = put_text(c, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
                       "<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><EncodingType>url</EncodingType><Name>") &&
              put_text(c, b->name) && put_text(c, "</Name><Prefix>") && put_text(c, prefix) && put_text(c, "</Prefix><MaxKeys>") &&
              put_number(c, (unsigned long long)limit, 10) && put_text(c, "</MaxKeys>");
  for (; fits && at < end && rows < limit; rows++) fits = put_row(c, b, prefix, delimiter, &at);
  fits = fits && put_text(c, "<KeyCount>") && put_number(c, (unsigned long long)rows, 10) && put_text(c, "</KeyCount><IsTruncated>") &&
         put_text(c, at < end ? "true</IsTruncated><NextContinuationToken>" : "false</IsTruncated>");
  if (fits && at < end) fits = put_number(c, at, 10) && put_text(c, "</NextContinuationToken>");
  return fits && put_text(c, "</ListBucketResult>");
}

static bool on_list(conn *c, const request *r) {
  const bucket *b = NULL;
  for (size_t i = 0; i < bucket_count; i++)
    if (strcmp(buckets[i].name, r->bucket) == 0) b = &buckets[i];
  if (!b) return refuse(c, "404 Not Found", "NoSuchBucket");
  const struct timespec delay = {b->delay_ms / 1000, b->delay_ms % 1000 * 1000000};
  if (b->delay_ms) nanosleep(&delay, NULL);
  count(&counts.lists, 1);
  return put_page(c, b, r) && answer(c, "200 OK", "Content-Type: application/xml\r\n", c->page, c->page_size);
}

static bool on_counts(conn *c) {
  char text[512];
  int n = snprintf(text, sizeof text,
                   "{\"gets\": %" PRIu64 ", \"bytes_out\": %" PRIu64 ", \"parts\": %" PRIu64 ", \"bytes_in\": %" PRIu64
                   ", \"lists\": %" PRIu64 ", \"uploads\": %" PRIu64 ", \"aborted\": %" PRIu64 ", \"differing\": %" PRIu64
                   "}\n", counts.gets, counts.bytes_out, counts.parts, counts.bytes_in, counts.lists, counts.uploads,
                   counts.aborted, counts.differing);
  return answer(c, "200 OK", "Content-Type: application/json\r\n", text, (size_t)n);
}

static bool on_get(conn *c, const request *r, bool with_body) {
  char none[2];
  if (strcmp(r->bucket, "-") == 0) return on_counts(c);
  if (*r->key) return on_object(c, r, with_body);
  if (!with_body) return answer(c, "200 OK", "", "", 0);
  if (parameter(r, "location", none, sizeof none)) {
    static const char body[] = "<?xml version=\"1.0\"?><LocationConstraint/>";
    return answer(c, "200 OK", "Content-Type: application/xml\r\n", body, sizeof body - 1);
  }
  return on_list(c, r);
}

/* ---- Connections ---- */

static bool serve_one(conn *c, const request *r) {
  if (strcmp(r->method, "PUT") == 0) return on_put(c, r);
  if (strcmp(r->method, "POST") == 0) return on_post(c, r);
  if (strcmp(r->method, "DELETE") == 0) return on_delete(c, r);
  return on_get(c, r, strcmp(r->method, "HEAD") != 0);
}

static void *serve(void *arg) {
  conn *c = arg;
  request r;
  while (receive(c, &r) && serve_one(c, &r)) {}
  close(c->fd);
  free(c->page);
  free(c->check);
  free(c);
  return NULL;
}

static void start(int fd, const pthread_attr_t *small) {
  const int on = 1;
  pthread_t thread;
  conn *c = calloc(1, sizeof *c);
  if (!c || !(c->check = malloc(CHECK_AT_A_TIME))) die("memory");
  c->fd = fd;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (pthread_create(&thread, small, serve, c)) die("thread");
}

static int listen_on_loopback(void) {
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof a;
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&a, sizeof a) || listen(fd, 1024)) die("listen");
  if (getsockname(fd, (struct sockaddr *)&a, &size)) die("getsockname");
  printf("PORT=%d\n", ntohs(a.sin_port));
  fflush(stdout);
  return fd;
}

/* ---- Beginning ---- */

static char *map_file(const char *path, int64_t *ret_size) {
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0 || fstat(fd, &st)) die(path);
  char *data = mmap(NULL, (size_t)st.st_size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
  if (data == MAP_FAILED) die(path);
  close(fd);
  *ret_size = st.st_size;
  return data;
}

static void add_key(bucket *b, char *key) {
  if (b->count % 4096 == 0) b->keys = realloc(b->keys, (b->count + 4096) * sizeof *b->keys);
  if (!b->keys) die("memory");
  if (b->count && strcmp(b->keys[b->count - 1], key) >= 0) {
    fprintf(stderr, "%s: the keys are not in order at %s\n", b->name, key);
    exit(2);
  }
  b->keys[b->count++] = key;
}

/* NAME,FILE,DELAY_MS */
static void add_bucket(char *text) {
  bucket *b = &buckets[bucket_count++];
  char *rest, *name = strtok_r(text, ",", &rest), *path = strtok_r(NULL, ",", &rest);
  char *delay = strtok_r(NULL, ",", &rest);
  int64_t size;
  if (bucket_count > MAX_BUCKETS || !name || !path || !delay) {
    fputs("bucket=NAME,FILE,DELAY_MS, 8 at most\n", stderr);
    exit(2);
  }
  snprintf(b->name, sizeof b->name, "%s", name);
  b->delay_ms = strtol(delay, NULL, 10);
  char *data = map_file(path, &size), *end;
  for (; (end = memchr(data, '\n', (size_t)size)); data = end + 1) {
    *end = 0;
    size -= end + 1 - data;
    add_key(b, data);
  }
}

int main(int argc, char **argv) {
  pthread_attr_t small;
  if (argc < 2) {
    fputs("usage: s3_fast PATTERN [part=BYTES] [bucket=NAME,KEYS,DELAY_MS]...\n", stderr);
    return 2;
  }
  pattern = map_file(argv[1], &pattern_size);
  if (pattern_size < 1 << 20 || pattern_size % 4096) die("the pattern: a file of some MiB, whole pages");
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], "part=", 5) == 0) part_size = strtoll(argv[i] + 5, NULL, 10);
    if (strncmp(argv[i], "bucket=", 7) == 0) add_bucket(argv[i] + 7);
  }
  pthread_attr_init(&small);
  pthread_attr_setstacksize(&small, 128 << 10);
  pthread_attr_setdetachstate(&small, PTHREAD_CREATE_DETACHED);
  for (int listener = listen_on_loopback();;) {
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    if (fd >= 0) start(fd, &small);
    else if (errno != EINTR && errno != ECONNABORTED) die("accept");
  }
}
