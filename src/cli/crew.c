/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/crew.h"

#include <inttypes.h>
#include <pthread.h>
#include <string.h>
#include <time.h>

#include "base/ctx.h"
#include "base/error.h"
#include "cli/text.h"

enum { QUEUE = 256, LOOK_EVERY_MS = 100 };

struct tn_cli_crew {
  tn_cli *cli;
  tn_cli_task_fn fn;
  void *arg;
  int64_t began_ms;
  tn_cli_progress shown;       /* of who gives the tasks */
  pthread_t threads[TN_CLI_MAX_JOBS];
  int64_t thread_count;

  pthread_mutex_t lock;        /* of all below */
  pthread_cond_t changed;
  tn_cli_task *queue[QUEUE];   /* a ring */
  int first, count;
  bool is_closed;
  tn_cli_totals totals;
};

/* ---- Threads ---- */

static tn_cli_task *take(tn_cli_crew *c) {
  tn_cli_task *task = NULL;
  pthread_mutex_lock(&c->lock);
  while (!c->count && !c->is_closed) pthread_cond_wait(&c->changed, &c->lock);
  if (c->count) {
    task = c->queue[c->first];
    c->first = (c->first + 1) % QUEUE;
    c->count--;
  }
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
  return task;
}

/* Called with the lock held. */
static void count_failure(tn_cli_crew *c, const tn_cli_task *task, const tenon_error *err) {
  tn_cli_totals *t = &c->totals;
  if (t->failed < TN_CLI_TOLD_FAILURES) {
    t->failures[t->failed].name = tn_strndup(task->name, task->size);
    t->failures[t->failed].error = *err;
  }
  t->failed++;
}

/* What was cancelled did not fail by itself. */
static void count(tn_cli_crew *c, const tn_cli_task *task, tenon_status status, const tn_cli_done *done, const tenon_error *err) {
  pthread_mutex_lock(&c->lock);
  bool is_dropped = status && tn_ctx_check(c->cli->ctx, NULL);
  c->totals.dropped += is_dropped;
  if (status && !is_dropped) count_failure(c, task, err);
  c->totals.done += !status && !done->is_skipped;
  c->totals.skipped += !status && done->is_skipped;
  if (!status) c->totals.bytes += done->bytes;
  pthread_mutex_unlock(&c->lock);
}

static void *work(void *self) {
  tn_cli_crew *c = self;
  for (tn_cli_task *task; (task = take(c)); tn_free(task)) {
    tenon_error err = TENON_ERROR_INIT;
    tn_cli_done done = {0};
    tenon_status status = tn_ctx_check(c->cli->ctx, &err);
    if (!status) status = c->fn(c->arg, task, &done, &err);
    count(c, task, status, &done, &err);
  }
  return NULL;
}

/* ---- Who gives the tasks ---- */

static void show(tn_cli_crew *c) {
  const tenon_progress p = {.struct_size = sizeof p, .rows = -1, .rows_estimate = -1, .bytes = c->totals.bytes,
                            .elapsed_ms = tn_now_ms() - c->began_ms};
  tn_cli_progress_step(&c->shown, &p);
}

/* Called with the lock held; it comes back after a moment at the latest. */
static void wait_a_little(tn_cli_crew *c) {
  struct timespec until;
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_nsec += LOOK_EVERY_MS * 1000000;
  until.tv_sec += until.tv_nsec / 1000000000;
  until.tv_nsec %= 1000000000;
  pthread_cond_timedwait(&c->changed, &c->lock, &until);
  show(c);
}

static tn_cli_task *copy_task(const tn_cli_task *task) {
  tn_cli_task *copy = tn_alloc(sizeof *copy + task->size + 1);
  if (!copy) return NULL;
  *copy = *task;
  memcpy(copy + 1, task->name, task->size);
  copy->name = (const char *)(copy + 1);
  return copy;
}

tenon_status tn_cli_crew_give(tn_cli_crew *c, const tn_cli_task *task, tenon_error *err) {
  tn_cli_task *copy = copy_task(task);
  if (!copy) return tn_no_memory(err);
  pthread_mutex_lock(&c->lock);
  while (c->count == QUEUE) wait_a_little(c);
  c->queue[(c->first + c->count++) % QUEUE] = copy;
  pthread_cond_broadcast(&c->changed);
  pthread_mutex_unlock(&c->lock);
  return tn_ctx_check(c->cli->ctx, err);
}

void tn_cli_crew_fail(tn_cli_crew *c, const tn_cli_task *task, const tenon_error *err) {
  pthread_mutex_lock(&c->lock);
  count_failure(c, task, err);
  pthread_mutex_unlock(&c->lock);
}

/* ---- Its life ---- */

tenon_status tn_cli_crew_new(tn_cli *cli, int64_t jobs, tn_cli_task_fn fn, void *arg, tn_cli_crew **ret, tenon_error *err) {
  if (jobs < 1 || jobs > TN_CLI_MAX_JOBS)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give one of 1 to 64", "--jobs %" PRId64 " is no number of threads", jobs);
  tn_cli_crew *c = tn_alloc(sizeof *c);
  if (!c) return tn_no_memory(err);
  c->cli = cli;
  c->fn = fn;
  c->arg = arg;
  c->began_ms = tn_now_ms();
  c->shown = tn_cli_progress_start(cli);
  pthread_mutex_init(&c->lock, NULL);
  pthread_cond_init(&c->changed, NULL);
  for (int64_t i = 0; i < jobs; i++)
    if (pthread_create(&c->threads[c->thread_count], NULL, work, c) == 0) c->thread_count++;
  if (c->thread_count) {
    *ret = c;
    return TENON_OK;
  }
  tn_cli_totals none;
  tn_cli_crew_finish(c, &none);
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "raise the limit on threads (ulimit -u)", "cannot start a thread");
}

void tn_cli_crew_finish(tn_cli_crew *c, tn_cli_totals *ret) {
  pthread_mutex_lock(&c->lock);
  c->is_closed = true;
  pthread_cond_broadcast(&c->changed);
  while (c->count && c->thread_count) wait_a_little(c);
  pthread_mutex_unlock(&c->lock);
  for (int64_t i = 0; i < c->thread_count; i++) pthread_join(c->threads[i], NULL);
  show(c);
  tn_cli_progress_end(&c->shown, c->totals.dropped ? TENON_CANCELLED : TENON_OK);
  c->totals.elapsed_ms = tn_now_ms() - c->began_ms;
  *ret = c->totals;
  pthread_cond_destroy(&c->changed);
  pthread_mutex_destroy(&c->lock);
  tn_free(c);
}

/* ---- What came of it ---- */

static int64_t told(const tn_cli_totals *t) { return t->failed < TN_CLI_TOLD_FAILURES ? t->failed : TN_CLI_TOLD_FAILURES; }

static void tell_json(tn_cli *cli, const tn_cli_totals *t) {
  tn_document *j = tn_cli_result(cli);
  tn_document_integer(j, "objects", t->done);
  tn_document_integer(j, "skipped", t->skipped);
  tn_document_integer(j, "failed", t->failed);
  tn_document_integer(j, "bytes", t->bytes);
  tn_document_integer(j, "elapsed_ms", t->elapsed_ms);
  tn_document_integer(j, "failures_left_out", t->failed - told(t));
  tn_document_open(j, "failures", '[');
  for (int64_t i = 0; i < told(t); i++) {
    tn_document_open(j, NULL, '{');
    tn_document_text(j, "name", t->failures[i].name);
    tn_document_text(j, "code", tenon_status_name(t->failures[i].error.code));
    tn_document_text(j, "message", t->failures[i].error.message);
    tn_document_close(j);
  }
  tn_document_close(j);
}

static void tell_people(tn_cli *cli, const char *did, const tn_cli_totals *t) {
  char bytes[32], time[32];
  tn_cli_show_bytes(bytes, sizeof bytes, t->bytes);
  tn_cli_show_time(time, sizeof time, t->elapsed_ms);
  for (int64_t i = 0; i < told(t); i++)
    tn_cli_note_failure(cli, "  %s: %s", t->failures[i].name ? t->failures[i].name : "?", t->failures[i].error.message);
  if (t->failed > told(t)) tn_cli_note_failure(cli, "  … and %" PRId64 " more", t->failed - told(t));
  tn_cli_note(cli, "%s %" PRId64 " objects, %s, in %s; %" PRId64 " were there already, %" PRId64 " failed", did, t->done, bytes, time,
              t->skipped, t->failed);
}

tenon_status tn_cli_tell_totals(tn_cli *cli, const char *did, tn_cli_totals *t, tenon_status status, tenon_error *err) {
  if (cli->common->json) tell_json(cli, t);
  else tell_people(cli, did, t);
  if (!status && t->dropped) status = tn_ctx_check(cli->ctx, err);
  if (!status && t->failed) {
    const tenon_error *first = &t->failures[0].error;
    status = tenon_fail(err, first->code, first->stage, first->remedy, "%" PRId64 " of %" PRId64 " objects failed; the first one: %s: %s",
                        t->failed, t->failed + t->done + t->skipped, t->failures[0].name ? t->failures[0].name : "?", first->message);
  }
  for (int64_t i = 0; i < told(t); i++) tn_free(t->failures[i].name);
  return status;
}
