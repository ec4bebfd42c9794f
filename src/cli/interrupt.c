/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Signals arrive at a thread of their own, where everything is allowed: the first one cancels the
 * work, which then cleans up and ends by itself; a later one ends the process there and then. What comes
 * right behind the first is the same wish: `timeout` tells a process, and then its group.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/ctx.h"
#include "cli/cli.h"

enum { SAME_WISH_MS = 500 };

static atomic_int first_signal;
static sigset_t watched;

typedef struct watch {
  pthread_mutex_t lock;
  tenon_ctx *ctx; /* NULL: its work has ended */
  bool say_so;
} watch;
static watch the_watch = {.lock = PTHREAD_MUTEX_INITIALIZER};

int tn_cli_interrupted(void) { return atomic_load(&first_signal); }

static void end_by(int number) {
  signal(number, SIG_DFL);
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, number);
  pthread_sigmask(SIG_UNBLOCK, &one, NULL);
  kill(getpid(), number);
}

static void *wait_for_signals(void *arg) {
  watch *w = arg;
  int64_t first_ms = 0;
  for (int number;;) {
    if (sigwait(&watched, &number)) continue;
    if (first_ms && tn_now_ms() - first_ms < SAME_WISH_MS) continue;
    if (first_ms) end_by(number);
    first_ms = tn_now_ms();
    atomic_store(&first_signal, number);
    static const char text[] = "\ncancelling; once more ends it at once\n";
    if (w->say_so &&
        write(STDERR_FILENO, text, sizeof text - 1) < 0) { /* nobody is there to read it */
    }
    pthread_mutex_lock(&w->lock);
    if (w->ctx) tenon_ctx_cancel(w->ctx);
    pthread_mutex_unlock(&w->lock);
  }
  return NULL;
}

/* A signal that is ignored (nohup, a shell's background job) stays so. */
static void watch_for(int number) {
  struct sigaction now;
  if (sigaction(number, NULL, &now) == 0 && now.sa_handler != SIG_IGN) sigaddset(&watched, number);
}

void tn_cli_interrupt_forget(void) {
  pthread_mutex_lock(&the_watch.lock);
  the_watch.ctx = NULL;
  pthread_mutex_unlock(&the_watch.lock);
}

void tn_cli_interrupt_watch(tenon_ctx *ctx, bool say_so) {
  the_watch.ctx = ctx;
  the_watch.say_so = say_so;
  sigemptyset(&watched);
  watch_for(SIGINT);
  watch_for(SIGTERM);
  watch_for(SIGHUP);
  pthread_sigmask(SIG_BLOCK, &watched, NULL);
  pthread_attr_t attr;
  pthread_attr_init(&attr);
  pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
  pthread_attr_setstacksize(&attr, 64 * 1024);
  pthread_t thread;
  if (pthread_create(&thread, &attr, wait_for_signals, &the_watch))
    pthread_sigmask(SIG_UNBLOCK, &watched, NULL); /* no thread to be had: signals end the process */
  pthread_attr_destroy(&attr);
}
