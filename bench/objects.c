/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Many objects, or their keys, through the library:
 *
 *   objects many TARGET keys=FILE [threads=4] [to=FOLDER] [OPTION]...
 *       every object that the file names (one key a line), by threads that share a session, into memory
 *       that is used again. to: each into a file of its last name there
 *   objects list TARGET [prefix=TEXT] [OPTION]...
 *
 * OPTION is connectors=FILE, a tenon.yaml, or set=KEY=VALUE, a parameter of the target.
 * Ends with {"rows", "bytes", "sum", "wall_s", "cpu_s", "rss_kb"}. The sum is over hashes of
 * the keys listed.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tenon/tenon.h"

enum { MAX_SETTINGS = 16, MAX_THREADS = 64, ROOM = 64 << 10 };

typedef struct arguments {
  const char *target, *keys, *prefix, *to, *connectors;
  tenon_setting settings[MAX_SETTINGS];
  size_t setting_count;
  long threads;
} arguments;

typedef struct totals {
  int64_t rows, bytes;
  uint64_t sum;
} totals;

/* What one thread does; err is of the first that failed. */
typedef struct worker {
  pthread_t thread;
  tenon_session *session;
  totals t;
  tenon_error err;
} worker;

static arguments o = {.threads = 4, .prefix = ""};
static char **keys;
static size_t key_count;
static atomic_size_t next_key;

static double clock_s(clockid_t id) {
  struct timespec t;
  clock_gettime(id, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* The highest memory of this program alone: getrusage would count whoever started it. */
static long rss_kb(void) {
  char line[128];
  long kb = 0;
  FILE *f = fopen("/proc/self/status", "re");
  while (f && fgets(line, sizeof line, f))
    if (!strncmp(line, "VmHWM:", 6)) kb = strtol(line + 6, NULL, 10);
  if (f) fclose(f);
  return kb;
}

/* ---- Sums of keys ---- */

static uint64_t hash_of(const char *key, size_t size) {
  uint64_t hash = UINT64_C(14695981039346656037);
  for (size_t i = 0; i < size; i++) hash = (hash ^ (unsigned char)key[i]) * UINT64_C(1099511628211);
  return hash;
}

/* ---- many ---- */

static bool load_keys(void) {
  char line[1100];
  FILE *f = o.keys ? fopen(o.keys, "re") : NULL;
  while (f && fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    if (key_count % 1024 == 0) keys = realloc(keys, (key_count + 1024) * sizeof *keys);
    if (!keys || !(keys[key_count++] = strdup(line))) abort();
  }
  if (f) fclose(f);
  return key_count > 0;
}

static int file_for(const char *key) {
  char path[4096];
  const char *slash = strrchr(key, '/');
  if (!o.to) return -1;
  snprintf(path, sizeof path, "%s/%s", o.to, slash ? slash + 1 : key);
  int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) abort();
  return fd;
}

static tenon_status take_object(worker *w, const char *key, void *data, tenon_error *err) {
  tenon_get request = TENON_GET_INIT;
  tenon_got got = {.struct_size = sizeof got};
  request.key = (tenon_key_bytes){key, strlen(key)};
  tenon_status status = tenon_get_object(NULL, w->session, &request, &got, err);
  if (status) return status;
  int fd = file_for(key);
  for (size_t n = 1; !status && n > 0;) {
    status = got.body.read(got.body.self, data, ROOM, &n, err);
    if (status) break;
    if (fd >= 0 && write(fd, data, n) != (ssize_t)n) abort();
    w->t.bytes += (int64_t)n;
  }
  got.body.close(got.body.self);
  if (fd >= 0) close(fd);
  w->t.rows++;
  return status;
}

static void *take_some(void *arg) {
  worker *w = arg;
  void *data = malloc(ROOM);
  if (!data) abort();
  for (size_t i; !w->err.code && (i = atomic_fetch_add(&next_key, 1)) < key_count;)
    take_object(w, keys[i], data, &w->err);
  free(data);
  return NULL;
}

static tenon_status many(tenon_session *session, totals *ret, tenon_error *err) {
  worker workers[MAX_THREADS];
  tenon_status status = TENON_OK;
  for (long i = 0; i < o.threads; i++) {
    workers[i] = (worker){.session = session, .err = TENON_ERROR_INIT};
    if (pthread_create(&workers[i].thread, NULL, take_some, &workers[i])) abort();
  }
  for (long i = 0; i < o.threads; i++) {
    pthread_join(workers[i].thread, NULL);
    ret->rows += workers[i].t.rows;
    ret->bytes += workers[i].t.bytes;
    if (!status && workers[i].err.code) {
      *err = workers[i].err;
      status = err->code;
    }
  }
  return status;
}

/* ---- list ---- */

static void add_batch(const struct ArrowArray *batch, totals *ret) {
  const struct ArrowArray *key = batch->children[0];
  const int32_t *offsets = key->buffers[1];
  const char *data = key->buffers[2];
  for (int64_t i = 0; i < batch->length; i++)
    ret->sum += hash_of(data + offsets[i], (size_t)(offsets[i + 1] - offsets[i]));
  ret->rows += batch->length;
}

static tenon_status list(tenon_session *session, totals *ret, tenon_error *err) {
  const tenon_objects_list request = {.struct_size = sizeof request, .prefix = {o.prefix, strlen(o.prefix)}};
  struct ArrowArrayStream rows;
  tenon_status status = tenon_list_objects(NULL, session, &request, &rows, err);
  if (status) return status;
  for (struct ArrowArray batch; !status;) {
    status = tenon_stream_error(&rows, rows.get_next(&rows, &batch), err);
    if (status || !batch.release) break;
    add_batch(&batch, ret);
    batch.release(&batch);
  }
  rows.release(&rows);
  return status;
}

/* ---- Beginning ---- */

static bool add_setting(char *text) {
  char *end = strchr(text, '=');
  if (!end || o.setting_count == MAX_SETTINGS) return false;
  *end = 0;
  o.settings[o.setting_count++] = (tenon_setting){.key = text, .value = end + 1};
  return true;
}

static bool parse(int argc, char **argv) {
  if (argc < 3) return false;
  o.target = argv[2];
  for (int i = 3; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (!value++) return false;
    if (strncmp(argv[i], "keys=", 5) == 0) o.keys = value;
    else if (strncmp(argv[i], "prefix=", 7) == 0) o.prefix = value;
    else if (strncmp(argv[i], "connectors=", 11) == 0) o.connectors = value;
    else if (strncmp(argv[i], "to=", 3) == 0) o.to = value;
    else if (strncmp(argv[i], "threads=", 8) == 0) o.threads = strtol(value, NULL, 10);
    else if (strncmp(argv[i], "set=", 4) != 0 || !add_setting(value)) return false;
  }
  bool is_list = strcmp(argv[1], "list") == 0;
  return o.threads > 0 && o.threads <= MAX_THREADS && (is_list || (strcmp(argv[1], "many") == 0 && load_keys()));
}

int main(int argc, char **argv) {
  tenon_options options = TENON_OPTIONS_INIT;
  tenon_error err = TENON_ERROR_INIT;
  tenon *t = NULL;
  tenon_session *session = NULL;
  totals all = {0};
  if (!parse(argc, argv)) {
    fputs("usage: objects many|list TARGET [keys=FILE] [prefix=TEXT] [threads=4] [to=FOLDER] [connectors=FILE] "
          "[set=KEY=VALUE]...\n", stderr);
    return 2;
  }
  options.connectors = o.connectors;
  double wall = clock_s(CLOCK_MONOTONIC), cpu = clock_s(CLOCK_PROCESS_CPUTIME_ID);
  tenon_status status = tenon_new(&options, &t, &err);
  if (!status) status = tenon_open(NULL, t, o.target, o.settings, o.setting_count, &session, &err);
  if (!status) status = o.keys ? many(session, &all, &err) : list(session, &all, &err);
  if (status) fprintf(stderr, "%s: %s\n", err.message, err.remedy);
  tenon_close(session);
  tenon_free(t);
  if (!status)
    printf("{\"rows\": %" PRId64 ", \"bytes\": %" PRId64 ", \"sum\": \"%016" PRIx64 "\", \"wall_s\": %.6f, "
           "\"cpu_s\": %.6f, \"rss_kb\": %ld}\n", all.rows, all.bytes, all.sum, clock_s(CLOCK_MONOTONIC) - wall,
           clock_s(CLOCK_PROCESS_CPUTIME_ID) - cpu, rss_kb());
  return status ? 1 : 0;
}
