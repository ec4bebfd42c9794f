/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/show_rows.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "arrow/check.h"

typedef struct text {
  char *data;
  size_t size, room;
} text;

static void put(text *t, const char *format, ...) {
  va_list args;
  va_start(args, format);
  int n = vsnprintf(t->data + t->size, t->room - t->size, format, args);
  va_end(args);
  t->size += (size_t)n < t->room - t->size ? (size_t)n : t->room - t->size - 1;
}

static void put_decimal(text *t, const struct ArrowArray *a, int64_t i, int scale) {
  __extension__ __int128 n;
  char digits[48];
  int at = sizeof digits - 1, written = 0;
  memcpy(&n, (const char *)a->buffers[1] + 16 * i, 16);
  int minus = n < 0;
  digits[at] = 0;
  for (; n != 0 || written <= scale; n /= 10) {
    if (scale && written == scale) digits[--at] = '.';
    digits[--at] = (char)('0' + (minus ? -(int)(n % 10) : (int)(n % 10)));
    written++;
  }
  put(t, "%s%s", minus ? "-" : "", digits + at);
}

static void put_cell(text *t, const struct ArrowSchema *s, const struct ArrowArray *a, int64_t i) {
  const uint8_t *bits = a->buffers[0], *raw = a->n_buffers > 1 ? a->buffers[1] : NULL;
  const int32_t *ends = a->buffers[1];
  if (bits && !(bits[i / 8] >> (i % 8) & 1)) {
    put(t, "~");
    return;
  }
  switch (s->format[0]) {
    case 'l': put(t, "%lld", (long long)((const int64_t *)(const void *)raw)[i]); break;
    case 'g': put(t, "%.17g", ((const double *)(const void *)raw)[i]); break;
    case 'b': put(t, "%s", raw[i / 8] >> (i % 8) & 1 ? "true" : "false"); break;
    case 'd': put_decimal(t, a, i, atoi(strchr(s->format, ',') + 1)); break;
    case 'u': put(t, "%.*s", ends[i + 1] - ends[i], (const char *)a->buffers[2] + ends[i]); break;
    case 'z':
      for (int32_t k = ends[i]; k < ends[i + 1]; k++)
        put(t, "%02x", ((const uint8_t *)a->buffers[2])[k]);
      break;
    case 't':
      if (s->format[1] == 'd') put(t, "%d", ((const int32_t *)(const void *)raw)[i]);
      else put(t, "%lld", (long long)((const int64_t *)(const void *)raw)[i]);
      break;
    default: put(t, "?"); break;
  }
}

tenon_status show_rows(tenon_stream *stream, char *to, size_t room, tenon_error *err) {
  text t = {to, 0, room};
  to[0] = 0;
  tenon_status status;
  struct ArrowArray batch = {0};
  while (!(status = stream->next(stream->self, &batch, err)) && batch.release) {
    status = tn_arrow_check(&stream->schema, &batch, err);
    for (int64_t i = 0; !status && i < batch.length; i++)
      for (int64_t c = 0; c <= batch.n_children; c++) {
        if (c == batch.n_children) put(&t, "\n");
        else if (c) put(&t, "|");
        if (c < batch.n_children) put_cell(&t, stream->schema.children[c], batch.children[c], i);
      }
    batch.release(&batch);
    if (status) break;
  }
  tn_schema_release(&stream->schema);
  stream->close(stream->self);
  return status;
}

void show_schema(const struct ArrowSchema *s, char *to, size_t room) {
  text t = {to, 0, room};
  to[0] = 0;
  for (int64_t i = 0; i < s->n_children; i++)
    put(&t, "%s%s:%s%s", i ? " " : "", s->children[i]->name, s->children[i]->format,
        s->children[i]->flags & ARROW_FLAG_NULLABLE ? "" : "!");
}
