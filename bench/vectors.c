/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vectors one|batch|open TARGET QUERIES [first_pass=int8] [blas=true] [nearest=10] [show=1]
 *
 * Looks for the vectors of the file QUERIES (float32, row by row, as many as the collection's dimension
 * says) through tenon.h: one call each, or all in one; or opens the collection and counts its rows.
 * Ends with a line of JSON: wall_s and cpu_s of the calls alone (after one that does not count) for
 * `one` and `batch`; show=1 adds the ids and scores that were found.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "tenon/tenon.h"

typedef struct task {
  tenon_session *session;
  float *queries;
  size_t count;
  int32_t dimension, nearest;
  int show;
} task;

static void need(tenon_status status, const tenon_error *err) {
  if (!status) return;
  fprintf(stderr, "vectors: %s\n", err->message);
  exit(1);
}

static double clock_s(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int32_t dimension_of(tenon_session *s) {
  struct ArrowArrayStream rows;
  struct ArrowArray batch = {0};
  tenon_error err = TENON_ERROR_INIT;
  need(tenon_list_collections(NULL, s, NULL, &rows, &err), &err);
  if (rows.get_next(&rows, &batch) || !batch.release) {
    fprintf(stderr, "vectors: there is no such collection\n");
    exit(1);
  }
  int32_t dimension = ((const int32_t *)batch.children[1]->buffers[1])[0];
  batch.release(&batch);
  rows.release(&rows);
  return dimension;
}

static void read_queries(task *t, const char *path) {
  FILE *f = fopen(path, "rb");
  if (!f || fseek(f, 0, SEEK_END)) {
    perror(path);
    exit(1);
  }
  size_t size = (size_t)ftell(f), row = (size_t)t->dimension * sizeof(float);
  rewind(f);
  t->count = size / row;
  t->queries = malloc(size + 1);
  if (!t->queries || fread(t->queries, row, t->count, f) != t->count) {
    perror(path);
    exit(1);
  }
  fclose(f);
}

static void show(const struct ArrowArray *batch) {
  const int32_t *ids = batch->children[1]->buffers[1];
  const float *scores = batch->children[2]->buffers[1];
  for (int64_t i = 0; i < batch->length; i++)
    printf("%.*s %.9g\n", ids[i + 1] - ids[i], (const char *)batch->children[1]->buffers[2] + ids[i], (double)scores[i]);
}

static int64_t ask(const task *t, size_t first, size_t count, int shown) {
  struct ArrowArrayStream rows;
  struct ArrowArray batch;
  tenon_error err = TENON_ERROR_INIT;
  int64_t seen = 0;
  const tenon_vectors_query req = {.struct_size = sizeof req, .vectors = t->queries + first * (size_t)t->dimension,
                                   .query_count = count, .dimension = t->dimension, .nearest = t->nearest};
  need(tenon_query_vectors(NULL, t->session, &req, &rows, &err), &err);
  for (;;) {
    need(tenon_stream_error(&rows, rows.get_next(&rows, &batch), &err), &err);
    if (!batch.release) break;
    seen += batch.length;
    if (shown) show(&batch);
    batch.release(&batch);
  }
  rows.release(&rows);
  return seen;
}

static void measure(const task *t, size_t at_once) {
  int64_t seen = 0;
  ask(t, 0, at_once, 0);
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  for (size_t i = 0; i < t->count; i += at_once) seen += ask(t, i, at_once, t->show);
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"rows\": %lld}\n", clock_s(CLOCK_MONOTONIC) - wall,
         clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, (long long)seen);
}

static void open_session(tenon *t, char **argv, int argc, tenon_session **ret) {
  tenon_setting settings[8];
  size_t count = 0;
  tenon_error err = TENON_ERROR_INIT;
  for (int i = 0; i < argc && count < 8; i++) {
    char *equals = strchr(argv[i], '=');
    if (!equals || strncmp(argv[i], "nearest=", 8) == 0 || strncmp(argv[i], "show=", 5) == 0) continue;
    *equals = 0;
    settings[count++] = (tenon_setting){argv[i], equals + 1};
  }
  need(tenon_open(NULL, t, argv[-2], settings, count, ret, &err), &err);
}

static void count_rows(tenon *t, char **argv, int argc) {
  tenon_session *s;
  tenon_vectors_counted counted;
  tenon_error err = TENON_ERROR_INIT;
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  open_session(t, argv, argc, &s);
  need(tenon_count_vectors(NULL, s, NULL, &counted, &err), &err);
  printf("{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"rows\": %lld}\n", clock_s(CLOCK_MONOTONIC) - wall,
         clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, (long long)counted.count);
  tenon_close(s);
}

int main(int argc, char **argv) {
  task t = {.nearest = 10};
  tenon *handle;
  tenon_error err = TENON_ERROR_INIT;
  if (argc < 4) {
    fprintf(stderr, "vectors one|batch|open TARGET QUERIES [first_pass=int8] [blas=true] [nearest=10] [show=1]\n");
    return 2;
  }
  for (int i = 4; i < argc; i++) {
    if (strncmp(argv[i], "nearest=", 8) == 0) t.nearest = (int32_t)strtol(argv[i] + 8, NULL, 10);
    if (strncmp(argv[i], "show=", 5) == 0) t.show = 1;
  }
  need(tenon_new(NULL, &handle, &err), &err);
  if (strcmp(argv[1], "open") == 0) {
    count_rows(handle, argv + 4, argc - 4);
  } else {
    open_session(handle, argv + 4, argc - 4, &t.session);
    t.dimension = dimension_of(t.session);
    read_queries(&t, argv[3]);
    measure(&t, strcmp(argv[1], "batch") == 0 ? t.count : 1);
    tenon_close(t.session);
    free(t.queries);
  }
  tenon_free(handle);
  return 0;
}
