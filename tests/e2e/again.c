/* SPDX-License-Identifier: Apache-2.0 */
/* again TIMES TIMEOUT_MS FILE TARGET: tests the connection and opens and closes it, so many times; then says what is left: open
 * descriptors, bytes of the heap and threads, each before and after. The first rounds fill what is kept for good. */
#include <dirent.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tenon/tenon.h"

enum { WARM_UP = 12 };

static int count_in(const char *folder) {
  int n = 0;
  DIR *d = opendir(folder);
  while (d && readdir(d)) n++;
  if (d) closedir(d);
  return n;
}

static void once(tenon *t, const char *target, int64_t timeout_ms, int *counts) {
  tenon_ctx *ctx;
  tenon_session *s;
  tenon_error err = TENON_ERROR_INIT;
  tenon_test said = {.struct_size = sizeof said};
  if (tenon_ctx_new(NULL, timeout_ms, &ctx, &err)) abort();
  counts[tenon_test_target(ctx, t, target, NULL, 0, &said, &err)]++;
  tenon_error other = TENON_ERROR_INIT;
  if (tenon_open(ctx, t, target, NULL, 0, &s, &other) == TENON_OK) tenon_close(s);
  tenon_ctx_free(ctx);
}

/* A lookup that nobody waits for any more ends by itself, as getaddrinfo cannot be interrupted; and the thread that watches
 * deadlines gives back a context that it ended, with its descriptor. What stays: this thread and that one, the standard
 * descriptors and the folder's own, beside . and .. */
static void settle(void) {
  for (int i = 0; i < 200 && (count_in("/proc/self/task") > 4 || count_in("/proc/self/fd") > 6); i++) usleep(10000);
}

int main(int argc, char **argv) {
  tenon *t;
  tenon_error err = TENON_ERROR_INIT;
  tenon_options options = {.struct_size = sizeof options, .connectors = argc > 3 ? argv[3] : NULL};
  int counts[32] = {0}, files = 0, threads = 0;
  size_t heap = 0;
  if (argc != 5 || tenon_new(&options, &t, &err)) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  for (int i = 0, n = atoi(argv[1]) + WARM_UP; i < n; i++) {
    if (i == WARM_UP) {
      settle();
      files = count_in("/proc/self/fd");
      threads = count_in("/proc/self/task");
      heap = mallinfo2().uordblks;
    }
    once(t, argv[4], atoi(argv[2]), counts);
  }
  settle();
  printf("{\"files\": [%d, %d], \"threads\": [%d, %d], \"heap\": [%zu, %zu], \"codes\": {", files, count_in("/proc/self/fd"), threads,
         count_in("/proc/self/task"), heap, mallinfo2().uordblks);
  for (int i = 0, n = 0; i < 32; i++)
    if (counts[i]) printf("%s\"%s\": %d", n++ ? ", " : "", tenon_status_name((tenon_status)i), counts[i]);
  printf("}}\n");
  tenon_free(t);
  return 0;
}
