/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a table or a query of a PostgreSQL server to its end and says what that took. Values are
 * summed column by column, so that a benchmark can compare them with the server's own sums.
 *
 *   pg_read KEY=VALUE... [table=NAME | query=SQL] [sums=1] [sleep_ms=N] [rows=N]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "arrow/check.h"
#include "arrow/ipc.h"
#include "base/error.h"
#include "core/params.h"
#include "core/registry.h"
#include "tenon/provider.h"

extern const tenon_provider tn_provider_postgresql;

__extension__ typedef __int128 i128;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(int who) {
  struct rusage u;
  getrusage(who, &u);
  return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static int fail(const tenon_error *e) {
  fprintf(stderr, "%s at %s: %s\n  %s %s\n", tenon_status_name(e->code), tenon_stage_name(e->stage), e->message, e->sqlstate, e->remedy);
  return 1;
}

typedef struct sums { i128 number; double real; int64_t bytes, nulls; } sums;

static void add(sums *s, const struct ArrowSchema *f, const struct ArrowArray *a) {
  s->nulls += a->null_count;
  const uint8_t *valid = a->buffers[0];
  for (int64_t i = 0; i < a->length; i++) {
    if (valid && !(valid[i >> 3] >> (i & 7) & 1)) continue;
    const char *t = f->format;
    if (t[0] == 'l' || t[0] == 'L' || (t[0] == 't' && t[1] != 'd')) s->number += ((const int64_t *)a->buffers[1])[i];
    else if (t[0] == 'i' || t[0] == 't') s->number += ((const int32_t *)a->buffers[1])[i];
    else if (t[0] == 's') s->number += ((const int16_t *)a->buffers[1])[i];
    else if (t[0] == 'd') { i128 v; memcpy(&v, (const char *)a->buffers[1] + 16 * i, 16); s->number += v; }
    else if (t[0] == 'g') s->real += ((const double *)a->buffers[1])[i];
    else if (t[0] == 'u' || t[0] == 'z') s->bytes += ((const int32_t *)a->buffers[1])[i + 1] - ((const int32_t *)a->buffers[1])[i];
  }
}

static void print_number(i128 v) {
  char text[48];
  int n = sizeof text;
  bool negative = v < 0;
  text[--n] = 0;
  do { text[--n] = (char)('0' + (int)(negative ? -(v % 10) : v % 10)); v /= 10; } while (v);
  if (negative) text[--n] = '-';
  fputs(text + n, stdout);
}

static tenon_status put(void *self, const void *data, size_t size, tenon_error *err) {
  (void)err;
  return fwrite(data, 1, size, self) == size ? TENON_OK : TENON_IO;
}

int main(int argc, char **argv) {
  tenon_error err = TENON_ERROR_INIT;
  tn_registry *registry;
  const tenon_provider *provider;
  tn_settings settings;
  tenon_read request = TENON_READ_INIT;
  bool want_sums = false, list = false, describe = false, test = false;
  int sleep_ms = 0;
  const char *arrow = NULL;
  tn_settings_init(&settings);
  if (tn_registry_new(&registry, &err) || tn_registry_add(registry, &tn_provider_postgresql, &err) ||
      tn_registry_find(registry, "postgresql", &provider, &err)) return fail(&err);
  for (int i = 1; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (!value) return 2;
    *value++ = 0;
    if (!strcmp(argv[i], "table")) request.name.table = value;
    else if (!strcmp(argv[i], "name_schema")) request.name.schema = value;
    else if (!strcmp(argv[i], "query")) request.query = value;
    else if (!strcmp(argv[i], "limit")) request.limit = atoll(value);
    else if (!strcmp(argv[i], "rows")) request.batch_rows = atoi(value);
    else if (!strcmp(argv[i], "arrow")) arrow = value;
    else if (!strcmp(argv[i], "sums")) want_sums = true;
    else if (!strcmp(argv[i], "list")) list = true;
    else if (!strcmp(argv[i], "describe")) describe = true;
    else if (!strcmp(argv[i], "test")) test = true;
    else if (!strcmp(argv[i], "sleep_ms")) sleep_ms = atoi(value);
    else if (!strcmp(argv[i], "special")) request.special_values = value[0] == 't' ? TENON_SPECIAL_TEXT : TENON_SPECIAL_NULL;
    else if (!strcmp(argv[i], "numeric_as")) request.numeric_as = value;
    else if (!strcmp(argv[i], "url")) { if (provider->parse_url(value, (tenon_status (*)(void *, const char *, const char *, tenon_error *))tn_settings_set, &settings, &err)) return fail(&err); }
    else if (tn_settings_set(&settings, argv[i], value, &err)) return fail(&err);
  }
  tn_config *config;
  tenon_ctx *ctx;
  void *session;
  if (provider->init(tn_host(), &err) || tn_config_new(provider, &settings, &config, &err) || tenon_ctx_new(NULL, -1, &ctx, &err)) return fail(&err);
  double begin = now_s();
  if (test) {
    tenon_test t = {.struct_size = sizeof t};
    tenon_status status = provider->test(ctx, provider, config->data, &t, &err);
    for (uint32_t i = 0; i < t.step_count; i++) printf("%-10s %-8s %7.2f ms  %s%s%s\n", t.steps[i].name, (const char *[]){"passed", "FAILED", "skipped", "warned"}[t.steps[i].outcome], t.steps[i].ms, t.steps[i].evidence, t.steps[i].remedy[0] ? "\n           -> " : "", t.steps[i].remedy);
    for (uint32_t i = 0; i < t.fact_count; i++) printf("  %s: %s\n", t.facts[i].key, t.facts[i].value);
    printf("total %.2f ms\n", (now_s() - begin) * 1000);
    return status ? fail(&err) : 0;
  }
  if (provider->open(ctx, provider, config->data, &session, &err)) return fail(&err);
  tenon_rows rows = {0};
  tenon_tables_list all = {.struct_size = sizeof all};
  (void)describe;
  if (list ? provider->tables->list(ctx, session, &all, &rows.stream, &err) : provider->tables->read(ctx, session, &request, &rows, &err)) return fail(&err);
  int64_t columns = rows.stream.schema.n_children, total = 0, batches = 0;
  sums *s = calloc((size_t)columns + 1, sizeof *s);
  double first = 0;
  tn_ipc_writer *writer = NULL;
  FILE *file = arrow ? fopen(arrow, "w") : NULL;
  tn_ipc_sink sink = {file, put};
  if (arrow && tn_ipc_writer_new(&rows.stream.schema, &sink, &writer, &err)) return fail(&err);
  for (;;) {
    struct ArrowArray batch;
    if (rows.stream.next(rows.stream.self, &batch, &err)) return fail(&err);
    if (!batch.release) break;
    if (!batches++) first = now_s() - begin;
    total += batch.length;
    for (int64_t i = 0; want_sums && i < columns; i++) add(&s[i], rows.stream.schema.children[i], batch.children[i]);
    if (arrow && (tn_arrow_check(&rows.stream.schema, &batch, &err) || tn_ipc_write(writer, &batch, &err))) return fail(&err);
    batch.release(&batch);
    if (sleep_ms) { struct timespec t = {sleep_ms / 1000, sleep_ms % 1000 * 1000000L}; nanosleep(&t, NULL); }
  }
  rows.stream.close(rows.stream.self);
  if (arrow && (tn_ipc_finish(writer, &err) || fclose(file))) return fail(&err);
  double wall = now_s() - begin, cpu = cpu_s(RUSAGE_SELF);
  struct rusage u;
  getrusage(RUSAGE_SELF, &u);
  printf("{\"rows\": %" PRId64 ", \"batches\": %" PRId64 ", \"wall_s\": %.4f, \"cpu_s\": %.4f, \"user_s\": %.4f, \"first_s\": %.4f, \"rss_kb\": %ld, \"switches\": %ld", total, batches, wall, cpu,
         (double)u.ru_utime.tv_sec + (double)u.ru_utime.tv_usec / 1e6, first, u.ru_maxrss, u.ru_nvcsw);
  if (want_sums) {
    printf(", \"sums\": {");
    for (int64_t i = 0; i < columns; i++) {
      const struct ArrowSchema *f = rows.stream.schema.children[i];
      printf("%s\"%s\": \"", i ? ", " : "", f->name);
      if (f->format[0] == 'u' || f->format[0] == 'z') printf("%" PRId64, s[i].bytes);
      else if (f->format[0] == 'g') printf("%.17g", s[i].real);
      else print_number(s[i].number);
      printf("\"");
    }
    printf("}");
  }
  printf("}\n");
  provider->close(session);
  rows.stream.schema.release(&rows.stream.schema);
  tn_config_free(config);
  tenon_ctx_free(ctx);
  tn_settings_release(&settings);
  tn_registry_free(registry);
  free(s);
  return 0;
}
