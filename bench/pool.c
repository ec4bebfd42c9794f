/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What it costs to take a session out of a pool and to give it back, beside a bare mutex.
 *
 *   pool mutex|pool [threads=8] [count=2000000]     count times on each thread
 *
 * Ends with {"wall_s": …, "cpu_s": …} of the loops alone: the threads start together, the sessions
 * are open before. The mutex is the default kind, and guards a counter, which is checked.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/registry.h"
#include "core/session.h"

enum { MAX_THREADS = 64 };

typedef struct pool_config {
  uint64_t set;
  int64_t pool_size, max_overflow;
} pool_config;

static const tenon_param rows[] = {
    {TENON_INTEGER(pool_config, pool_size), .key = "pool_size", .label = "Idle", .help = "sessions kept"},
    {TENON_INTEGER(pool_config, max_overflow), .key = "max_overflow", .label = "More", .help = "sessions at most"},
};

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t, tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)t, (void)err;
  return TENON_OK;
}

static tenon_status open_nothing(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret, tenon_error *err) {
  static int session;
  (void)ctx, (void)p, (void)config, (void)err;
  *ret = &session;
  return TENON_OK;
}

static void close_nothing(void *session) { (void)session; }

static const tenon_provider nothing = {
    .struct_size = sizeof nothing, .abi = TENON_ABI, .kind = "nothing", .category = "sql", .label = "Nothing",
    .summary = "Sessions that cost nothing.", .params = TENON_PARAMS(rows), .config_size = sizeof(pool_config),
    .traits = TENON_POOLED, .test = test, .open = open_nothing, .close = close_nothing};

static pthread_barrier_t start;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static tn_connector *connector;
static long count = 2000000, guarded;

static void *use_mutex(void *unused) {
  (void)unused;
  pthread_barrier_wait(&start);
  for (long i = 0; i < count; i++) {
    pthread_mutex_lock(&mutex);
    guarded++;
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

static void *use_pool(void *unused) {
  (void)unused;
  pthread_barrier_wait(&start);
  for (long i = 0; i < count; i++) {
    tn_session *s;
    if (tn_session_acquire(NULL, connector, &s, NULL)) abort();
    tn_session_release(s);
  }
  return NULL;
}

static void make_connector(long threads) {
  tn_registry *registry;
  tn_settings settings;
  tn_config *config;
  char size[16];
  snprintf(size, sizeof size, "%ld", threads);
  tn_settings_init(&settings);
  if (tn_registry_new(&registry, NULL) || tn_registry_add(registry, &nothing, NULL) ||
      tn_settings_set(&settings, "pool_size", size, NULL) || tn_settings_set(&settings, "max_overflow", "0", NULL) ||
      tn_config_new(tn_registry_at(registry, 0), &settings, &config, NULL) || tn_connector_new("pool", config, &connector, NULL))
    abort();
  tn_settings_release(&settings);
  tn_session *all[MAX_THREADS];
  for (long i = 0; i < threads; i++)
    if (tn_session_acquire(NULL, connector, &all[i], NULL)) abort();
  for (long i = 0; i < threads; i++) tn_session_release(all[i]);
}

static double clock_s(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

int main(int argc, char **argv) {
  long threads = 8;
  for (int i = 2; i < argc; i++) {
    if (strncmp(argv[i], "threads=", 8) == 0) threads = strtol(argv[i] + 8, NULL, 10);
    if (strncmp(argv[i], "count=", 6) == 0) count = strtol(argv[i] + 6, NULL, 10);
  }
  if (argc < 2 || threads < 1 || threads > MAX_THREADS || count < 1) {
    fprintf(stderr, "pool mutex|pool [threads=8] [count=2000000]\n");
    return 2;
  }
  void *(*work)(void *) = strcmp(argv[1], "mutex") == 0 ? use_mutex : use_pool;
  pthread_t all[MAX_THREADS];
  make_connector(threads);
  pthread_barrier_init(&start, NULL, (unsigned)threads + 1);
  for (long i = 0; i < threads; i++) pthread_create(&all[i], NULL, work, NULL);
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  pthread_barrier_wait(&start);
  for (long i = 0; i < threads; i++) pthread_join(all[i], NULL);
  wall = clock_s(CLOCK_MONOTONIC) - wall;
  cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu;
  if (work == use_mutex && guarded != threads * count) abort();
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"ns\": %.1f}\n", wall, cpu, wall * 1e9 / (double)(threads * count));
  tn_connector_free(connector);
  return 0;
}
