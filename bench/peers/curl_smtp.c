/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many mails by libcurl over one connection that it keeps: curl_smtp PORT COUNT
 *
 * The messages are written whole before the clock starts: libcurl only sends them.
 */
#include <curl/curl.h>
#include <dlfcn.h>

#include "../mails.h"

#define FUNCTIONS(X) \
  X(curl_global_init) X(curl_easy_init) X(curl_easy_setopt) X(curl_easy_perform) X(curl_easy_strerror) \
  X(curl_slist_append) X(curl_slist_free_all) X(curl_easy_getinfo) X(curl_easy_cleanup)

#undef curl_easy_setopt
#undef curl_easy_getinfo

static struct {
#define SLOT(name) __typeof__(name) *name;
  FUNCTIONS(SLOT)
} lib;

typedef struct message {
  char *data;
  size_t size, sent;
} message;

static size_t give(char *to, size_t size, size_t count, void *arg) {
  message *m = arg;
  size_t n = m->size - m->sent < size * count ? m->size - m->sent : size * count;
  memcpy(to, m->data + m->sent, n);
  m->sent += n;
  return n;
}

static message make(long i, uint64_t *sum) {
  message m = {.data = malloc(MAIL_ROOM)};
  if (!m.data) abort();
  m.size = (size_t)snprintf(m.data, MAIL_ROOM,
                            "Date: Sat, 21 Nov 2026 12:00:00 +0000\r\nFrom: bench@example.com\r\nTo: r%ld@example.com\r\n"
                            "Subject: Mail number %ld\r\nMessage-ID: <%032ld@example.com>\r\nMIME-Version: 1.0\r\n"
                            "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 7bit\r\n\r\n",
                            i, i, i);
  size_t text = mail_text((uint64_t)i, m.data + m.size);
  *sum += mail_hash(m.data + m.size, text);
  m.size += text;
  return m;
}

static void send_one(CURL *c, message *m, long i) {
  char recipient[64];
  snprintf(recipient, sizeof recipient, "<r%ld@example.com>", i);
  struct curl_slist *to = lib.curl_slist_append(NULL, recipient);
  lib.curl_easy_setopt(c, CURLOPT_MAIL_RCPT, to);
  lib.curl_easy_setopt(c, CURLOPT_READDATA, m);
  lib.curl_easy_setopt(c, CURLOPT_INFILESIZE_LARGE, (curl_off_t)m->size);
  CURLcode code = lib.curl_easy_perform(c);
  lib.curl_slist_free_all(to);
  if (!code) return;
  fprintf(stderr, "mail %ld: %s\n", i, lib.curl_easy_strerror(code));
  exit(1);
}

int main(int argc, char **argv) {
  char url[80];
  void *library = dlopen("libcurl.so.4", RTLD_NOW);
  if (argc != 3 || !library) return 2;
#define FIND(name) if (!(lib.name = (__typeof__(name) *)dlsym(library, #name))) return 2;
  FUNCTIONS(FIND)
  long count = strtol(argv[2], NULL, 10), opened = 0, connections = 0;
  uint64_t sum = 0;
  message *all = malloc((size_t)count * sizeof *all);
  if (!all) abort();
  for (long i = 0; i < count; i++) all[i] = make(i, &sum);
  lib.curl_global_init(CURL_GLOBAL_DEFAULT);
  CURL *c = lib.curl_easy_init();
  snprintf(url, sizeof url, "smtp://127.0.0.1:%s/localhost", argv[1]);
  lib.curl_easy_setopt(c, CURLOPT_URL, url);
  lib.curl_easy_setopt(c, CURLOPT_MAIL_FROM, "<bench@example.com>");
  lib.curl_easy_setopt(c, CURLOPT_UPLOAD, 1L);
  lib.curl_easy_setopt(c, CURLOPT_READFUNCTION, give);
  double wall = mail_clock(CLOCK_MONOTONIC), cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID);
  for (long i = 0; i < count; i++) {
    send_one(c, &all[i], i);
    lib.curl_easy_getinfo(c, CURLINFO_NUM_CONNECTS, &opened);
    connections += opened;
  }
  wall = mail_clock(CLOCK_MONOTONIC) - wall;
  cpu = mail_clock(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  lib.curl_easy_cleanup(c);
  if (connections != 1) return fprintf(stderr, "%ld connections, not one\n", connections), 1;
  mail_report(count, sum, wall, cpu);
  for (long i = 0; i < count; i++) free(all[i].data);
  free(all);
  return 0;
}
