/* SPDX-License-Identifier: Apache-2.0 */
/* The mails of the benchmark: everybody sends the same ones. */
#ifndef BENCH_MAILS_H
#define BENCH_MAILS_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MAIL_TEXT = 1700 /* with its head a mail has 2 KB */, MAIL_LINE = 70, MAIL_ROOM = 4096 };

/* The text of a mail, lines ended by CR LF; some begin with a dot. Answers its size. */
static inline size_t mail_text(uint64_t number, char *to) {
  static const char letters[] = "abcdefgh ijklmnop qrstuv. wxyzABCDEFG HIJKLMNOPQR STUVWXYZ 01234";
  uint64_t state = number * UINT64_C(0x9E3779B97F4A7C15) + 1;
  size_t n = 0;
  while (n < MAIL_TEXT) {
    state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
    to[n++] = (state >> 60) == 0 ? '.' : 'x';
    for (int i = 1; i < MAIL_LINE; i++) {
      state = state * UINT64_C(6364136223846793005) + 1442695040888963407;
      to[n++] = letters[state >> 58];
    }
    to[n - 1] = 'e';
    to[n++] = '\r';
    to[n++] = '\n';
  }
  to[n] = 0;
  return n;
}

/* Eight bytes at a time: the server hashes every mail while it is measured. */
static inline uint64_t mail_hash(const char *data, size_t size) {
  uint64_t hash = size, word;
  for (; size >= 8; data += 8, size -= 8) {
    memcpy(&word, data, 8);
    hash = (hash ^ word) * UINT64_C(0x9FB21C651E98DF25);
    hash ^= hash >> 32;
  }
  for (; size; data++, size--) hash = (hash ^ (unsigned char)*data) * UINT64_C(1099511628211);
  return hash;
}

static inline double mail_clock(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static inline long mail_rss_kb(void) {
  char line[128];
  long kb = 0;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "VmHWM:", 6)) kb = strtol(line + 6, NULL, 10);
  if (f) fclose(f);
  return kb;
}

/* What every program ends with; sum is over the hashes of the texts that it sent. */
static inline void mail_report(long rows, uint64_t sum, double wall, double cpu) {
  printf("{\"rows\": %ld, \"sum\": \"%016llx\", \"wall_s\": %.6f, \"cpu_s\": %.6f, \"rss_kb\": %ld}\n", rows,
         (unsigned long long)sum, wall, cpu, mail_rss_kb());
}

#endif
