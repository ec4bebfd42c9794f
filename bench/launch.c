/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs one command and says what that took:
 *
 *   launch FILE COMMAND...   writes {"wall_s", "user_s", "sys_s", "rss_kb", "exit"} to FILE
 *
 * A program of its own, since the kernel counts the memory of whoever starts a command among that
 * command's highest: this one is small, and starts it in a fraction of a millisecond.
 */
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>

extern char **environ;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv) {
  if (argc < 3) {
    fputs("usage: launch FILE COMMAND...\n", stderr);
    return 2;
  }
  FILE *out = fopen(argv[1], "we");
  if (!out) {
    perror(argv[1]);
    return 2;
  }
  pid_t child;
  int status;
  struct rusage used;
  double begin = now_s();
  int failed = posix_spawnp(&child, argv[2], NULL, NULL, argv + 2, environ);
  if (failed) {
    fprintf(stderr, "%s: %s\n", argv[2], strerror(failed));
    return 2;
  }
  while (wait4(child, &status, 0, &used) < 0) {}
  double wall = now_s() - begin;
  fprintf(out, "{\"wall_s\": %.6f, \"user_s\": %.6f, \"sys_s\": %.6f, \"rss_kb\": %ld, \"exit\": %d}\n", wall,
          seconds(used.ru_utime), seconds(used.ru_stime), used.ru_maxrss,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return fclose(out) ? 2 : 0;
}
