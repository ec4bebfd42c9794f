/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Preloaded into a process that keeps grants: kills it before the MEDDLE_RENAME-th file is put in its place, and sets its wall
 * clock MEDDLE_CLOCK_S seconds off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

int renameat(int from_fd, const char *from, int to_fd, const char *to) {
  static atomic_int count;
  const char *at = getenv("MEDDLE_RENAME");
  if (at && atomic_fetch_add(&count, 1) + 1 == atoi(at)) kill(getpid(), SIGKILL);
  int (*real)(int, const char *, int, const char *) = (int (*)(int, const char *, int, const char *))dlsym(RTLD_NEXT, "renameat");
  return real(from_fd, from, to_fd, to);
}

int clock_gettime(clockid_t clock, struct timespec *t) {
  int (*real)(clockid_t, struct timespec *) = (int (*)(clockid_t, struct timespec *))dlsym(RTLD_NEXT, "clock_gettime");
  int answer = real(clock, t);
  const char *shift = getenv("MEDDLE_CLOCK_S");
  if (clock == CLOCK_REALTIME && shift) t->tv_sec += atoll(shift);
  return answer;
}
