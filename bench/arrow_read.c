/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads a target to its end, batch by batch, as a program would, and says what that took:
 *
 *   arrow_read TARGET [query=SQL] [sums=1] [sleep_ms=N] [set=KEY=VALUE]...
 *
 * The last line is JSON. With sums=1 it has the sum of each column as well: whole numbers, decimals
 * without their point, doubles in hundredths, dates as days, times in their unit, text and binary
 * as a number of bytes.
 */
#include <inttypes.h>
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "tenon/tenon.h"

#define MAX_SETTINGS 16

__extension__ typedef __int128 wide;

typedef struct options {
  const char *target;
  tenon_read read;
  tenon_setting settings[MAX_SETTINGS];
  size_t setting_count;
  int64_t sleep_ms;
  bool sums;
} options;

typedef struct clocks {
  double wall_s, cpu_s;
} clocks;

typedef struct totals {
  int64_t rows, batches;
  double first_s;
  wide *sums;
} totals;

static double now_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static double cpu_s(void) {
  struct timespec t;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
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

static void nap_ms(int64_t ms) {
  struct timespec t = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
  nanosleep(&t, NULL);
}

/* --- Sums ------------------------------------------------------------------------------------ */

/* Bytes of a fixed-size value that is a whole number, 0 for others. */
static size_t width(const char *format) {
  switch (format[0]) {
  case 'c': return 1;
  case 's': return 2;
  case 'i': return 4;
  case 'l': return 8;
  case 'd': return 16;
  case 't': return !strcmp(format, "tdD") || !strcmp(format, "tts") || !strcmp(format, "ttm") ? 4 : 8;
  default: return 0;
  }
}

static wide value_at(const struct ArrowArray *a, int64_t i, size_t size) {
  const char *at = (const char *)a->buffers[1] + (size_t)i * size;
  wide v = 0;
  int8_t v1;
  int16_t v2;
  int32_t v4;
  int64_t v8;
  switch (size) {
  case 1: return memcpy(&v1, at, 1), v1;
  case 2: return memcpy(&v2, at, 2), v2;
  case 4: return memcpy(&v4, at, 4), v4;
  case 8: return memcpy(&v8, at, 8), v8;
  default: return memcpy(&v, at, 16), v;
  }
}

static wide number_at(const char *format, const struct ArrowArray *a, int64_t i) {
  size_t size = width(format);
  if (size) return value_at(a, i, size);
  switch (format[0]) {
  case 'g': return llround(((const double *)a->buffers[1])[i] * 100);
  case 'u':
  case 'z': return ((const int32_t *)a->buffers[1])[i + 1] - ((const int32_t *)a->buffers[1])[i];
  case 'U':
  case 'Z': return ((const int64_t *)a->buffers[1])[i + 1] - ((const int64_t *)a->buffers[1])[i];
  default: return 0;
  }
}

static wide sum_of(const char *format, const struct ArrowArray *a) {
  const uint8_t *valid = a->buffers[0];
  wide sum = 0;
  for (int64_t i = a->offset; i < a->offset + a->length; i++)
    if (!valid || valid[i >> 3] >> (i & 7) & 1) sum += number_at(format, a, i);
  return sum;
}

static void print_wide(wide v) {
  char text[48];
  size_t n = sizeof text;
  bool negative = v < 0;
  text[--n] = 0;
  do {
    text[--n] = (char)('0' + (int)(negative ? -(v % 10) : v % 10));
    v /= 10;
  } while (v);
  if (negative) text[--n] = '-';
  fputs(text + n, stdout);
}

static void print_sums(const struct ArrowSchema *schema, const wide *sums) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    const struct ArrowSchema *f = schema->children[i];
    printf("%s\"%s\": \"", i ? ", " : ", \"sums\": {", f->name);
    print_wide(sums[i]);
    putchar('"');
  }
  putchar('}');
}

/* --- Reading --------------------------------------------------------------------------------- */

static tenon_status take_all(struct ArrowArrayStream *rows, const struct ArrowSchema *schema, const options *o,
                             clocks begin, totals *t, tenon_error *err) {
  for (;;) {
    struct ArrowArray batch;
    int code = rows->get_next(rows, &batch);
    if (code) return tenon_stream_error(rows, code, err);
    if (!batch.release) return TENON_OK;
    if (!t->batches++) t->first_s = now_s() - begin.wall_s;
    t->rows += batch.length;
    for (int64_t i = 0; o->sums && i < schema->n_children; i++)
      t->sums[i] += sum_of(schema->children[i]->format, batch.children[i]);
    batch.release(&batch);
    if (o->sleep_ms) nap_ms(o->sleep_ms);
  }
}

static tenon_status take(tenon_session *session, const options *o, clocks begin, tenon_error *err) {
  struct ArrowArrayStream rows;
  struct ArrowSchema schema;
  totals t = {0};
  tenon_status status = tenon_read_table(NULL, session, &o->read, &rows, NULL, err);
  if (status) return status;
  int code = rows.get_schema(&rows, &schema);
  if (code) {
    status = tenon_stream_error(&rows, code, err);
    rows.release(&rows);
    return status;
  }
  t.sums = calloc((size_t)schema.n_children + 1, sizeof *t.sums);
  if (t.sums) status = take_all(&rows, &schema, o, begin, &t, err);
  rows.release(&rows);
  if (!status) {
    printf("{\"rows\": %" PRId64 ", \"batches\": %" PRId64 ", \"wall_s\": %.6f, \"cpu_s\": %.6f, \"first_s\": %.6f, "
           "\"rss_kb\": %ld", t.rows, t.batches, now_s() - begin.wall_s, cpu_s() - begin.cpu_s,
           t.first_s, rss_kb());
    if (o->sums) print_sums(&schema, t.sums);
    puts("}");
  }
  free(t.sums);
  schema.release(&schema);
  return status;
}

static bool parse(int argc, char **argv, options *o) {
  for (int i = 2; i < argc; i++) {
    char *value = strchr(argv[i], '=');
    if (!value) return false;
    *value++ = 0;
    if (!strcmp(argv[i], "query")) o->read.query = value;
    else if (!strcmp(argv[i], "sums")) o->sums = true;
    else if (!strcmp(argv[i], "sleep_ms")) o->sleep_ms = strtol(value, NULL, 10);
    else if (!strcmp(argv[i], "set") && strchr(value, '=') && o->setting_count < MAX_SETTINGS) {
      char *end = strchr(value, '=');
      *end = 0;
      o->settings[o->setting_count++] = (tenon_setting){.key = value, .value = end + 1};
    } else return false;
  }
  o->target = argv[1];
  return argc > 1;
}

int main(int argc, char **argv) {
  options o = {.read = TENON_READ_INIT};
  tenon_error err = TENON_ERROR_INIT;
  tenon *t = NULL;
  tenon_session *session = NULL;
  if (!parse(argc, argv, &o)) {
    fputs("usage: arrow_read TARGET [query=SQL] [sums=1] [sleep_ms=N] [set=KEY=VALUE]...\n", stderr);
    return 2;
  }
  clocks begin = {now_s(), cpu_s()};
  tenon_status status = tenon_new(NULL, &t, &err);
  if (!status) status = tenon_open(NULL, t, o.target, o.settings, o.setting_count, &session, &err);
  if (!status) status = take(session, &o, begin, &err);
  if (status) fprintf(stderr, "%s: %s\n", err.message, err.remedy);
  tenon_close(session);
  tenon_free(t);
  return status ? 1 : 0;
}
