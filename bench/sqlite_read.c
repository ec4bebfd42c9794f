/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a table of a SQLite file to its end, by Tenon's kind or by an ADBC driver, and says what that
 * took: both from C, both as a stream of Arrow batches, so that the reading alone is compared.
 *
 *   sqlite_read FILE TABLE [adbc=DRIVER.so] [sums=1] [batch_rows=N]
 *
 * One line: rows, batches, wall s, CPU s, peak MiB; with sums=1 a line for each column.
 */
#include <dlfcn.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "base/error.h"
#include "core/params.h"
#include "core/registry.h"

#define ARROW_C_STREAM_INTERFACE
#define ARROW_C_DATA_INTERFACE
#include <arrow-adbc/adbc.h>

extern const tenon_provider tn_provider_sqlite;

__extension__ typedef __int128 i128;

typedef struct total {
  i128 number;
  double real;
  int64_t bytes, nulls;
} total;

typedef struct tally {
  int64_t rows, batches;
  bool sums;
  int64_t count;
  total *totals;
} tally;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void) {
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* ---- What is in a batch ---- */

static void add_column(total *t, const struct ArrowSchema *f, const struct ArrowArray *a) {
  const uint8_t *valid = a->buffers[0];
  for (int64_t i = a->offset; i < a->offset + a->length; i++) {
    if (valid && !(valid[i >> 3] >> (i & 7) & 1)) {
      t->nulls++;
      continue;
    }
    i128 wide;
    switch (f->format[0]) {
      case 'l': t->number += ((const int64_t *)a->buffers[1])[i]; break;
      case 'g': t->real += ((const double *)a->buffers[1])[i]; break;
      case 'd': memcpy(&wide, (const char *)a->buffers[1] + 16 * i, 16); t->number += wide; break;
      case 't': t->number += ((const int32_t *)a->buffers[1])[i]; break; /* dates */
      case 'u': t->bytes += ((const int32_t *)a->buffers[1])[i + 1] - ((const int32_t *)a->buffers[1])[i]; break;
      default: break;
    }
  }
}

static void add_batch(tally *t, const struct ArrowSchema *s, const struct ArrowArray *a) {
  t->rows += a->length;
  t->batches++;
  if (!t->totals && t->sums) {
    t->count = s->n_children;
    t->totals = calloc((size_t)t->count, sizeof *t->totals);
  }
  for (int64_t i = 0; t->sums && i < s->n_children; i++) add_column(&t->totals[i], s->children[i], a->children[i]);
}

static void print_totals(const tally *t, const struct ArrowSchema *s) {
  for (int64_t i = 0; t->sums && i < t->count; i++)
    printf("%s %s %lld %.17g %lld %lld\n", s->children[i]->name, s->children[i]->format, (long long)t->totals[i].number,
           t->totals[i].real, (long long)t->totals[i].bytes, (long long)t->totals[i].nulls);
}

/* ---- Tenon ---- */

static int fail(const tenon_error *e) {
  fprintf(stderr, "%s: %s\n", tenon_status_name(e->code), e->message);
  return 1;
}

static int read_tenon(const char *file, const char *table, int32_t batch_rows, tally *t) {
  const tenon_provider *kind = &tn_provider_sqlite;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings settings;
  tn_config *config;
  tenon_ctx *ctx;
  void *session;
  tn_settings_init(&settings);
  if (tn_settings_set(&settings, "path", file, &err) || tn_config_new(kind, &settings, &config, &err) ||
      kind->init(tn_host(), &err) || tenon_ctx_new(NULL, -1, &ctx, &err) || kind->open(ctx, kind, config->data, &session, &err))
    return fail(&err);
  tenon_read req = TENON_READ_INIT;
  tenon_rows rows;
  req.name.table = table;
  req.batch_rows = batch_rows;
  if (kind->tables->read(ctx, session, &req, &rows, &err)) return fail(&err);
  struct ArrowArray a;
  while (!rows.stream.next(rows.stream.self, &a, &err) && a.release) {
    add_batch(t, &rows.stream.schema, &a);
    a.release(&a);
  }
  if (err.code) return fail(&err);
  print_totals(t, &rows.stream.schema);
  rows.stream.schema.release(&rows.stream.schema);
  rows.stream.close(rows.stream.self);
  kind->close(session);
  tenon_ctx_free(ctx);
  tn_config_free(config);
  tn_settings_release(&settings);
  return 0;
}

/* ---- ADBC ---- */

static int fail_adbc(const struct AdbcError *e, const char *what) {
  fprintf(stderr, "adbc: %s: %s\n", what, e->message ? e->message : "");
  return 1;
}

static int read_adbc(const char *library, const char *file, const char *table, tally *t) {
  struct AdbcError e = ADBC_ERROR_INIT;
  struct AdbcDriver d = {0};
  struct AdbcDatabase db = {0};
  struct AdbcConnection c = {0};
  struct AdbcStatement s = {0};
  char sql[256];
  snprintf(sql, sizeof sql, "SELECT * FROM \"%s\"", table);
  void *so = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  AdbcDriverInitFunc init = so ? (AdbcDriverInitFunc)(uintptr_t)dlsym(so, "AdbcDriverInit") : NULL;
  if (!init) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  struct ArrowArrayStream stream;
  int64_t affected;
  if (init(ADBC_VERSION_1_0_0, &d, &e) || d.DatabaseNew(&db, &e) || d.DatabaseSetOption(&db, "uri", file, &e) ||
      d.DatabaseInit(&db, &e) || d.ConnectionNew(&c, &e) || d.ConnectionInit(&c, &db, &e) || d.StatementNew(&c, &s, &e) ||
      d.StatementSetSqlQuery(&s, sql, &e) || d.StatementExecuteQuery(&s, &stream, &affected, &e))
    return fail_adbc(&e, "query");
  struct ArrowSchema schema;
  struct ArrowArray a;
  if (stream.get_schema(&stream, &schema)) return fail_adbc(&e, "schema");
  int code;
  while (!(code = stream.get_next(&stream, &a)) && a.release) {
    add_batch(t, &schema, &a);
    a.release(&a);
  }
  if (code) {
    fprintf(stderr, "adbc: %s\n", stream.get_last_error(&stream));
    return 1;
  }
  print_totals(t, &schema);
  schema.release(&schema);
  stream.release(&stream);
  d.StatementRelease(&s, &e);
  d.ConnectionRelease(&c, &e);
  d.DatabaseRelease(&db, &e);
  return 0;
}

int main(int argc, char **argv) {
  const char *library = NULL;
  tally t = {0};
  int32_t batch_rows = 0;
  if (argc < 3) {
    fprintf(stderr, "sqlite_read FILE TABLE [adbc=DRIVER.so] [sums=1] [batch_rows=N]\n");
    return 2;
  }
  for (int i = 3; i < argc; i++) {
    if (strncmp(argv[i], "adbc=", 5) == 0) library = argv[i] + 5;
    if (strcmp(argv[i], "sums=1") == 0) t.sums = true;
    if (strncmp(argv[i], "batch_rows=", 11) == 0) batch_rows = (int32_t)strtol(argv[i] + 11, NULL, 10);
  }
  double wall = now_s(), cpu = cpu_s();
  int failed = library ? read_adbc(library, argv[1], argv[2], &t) : read_tenon(argv[1], argv[2], batch_rows, &t);
  if (failed) return failed;
  wall = now_s() - wall;
  cpu = cpu_s() - cpu;
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  printf("%" PRId64 " rows %" PRId64 " batches %.4f wall %.4f cpu %.1f MiB\n", t.rows, t.batches, wall, cpu, (double)u.ru_maxrss / 1024);
  free(t.totals);
  return 0;
}
