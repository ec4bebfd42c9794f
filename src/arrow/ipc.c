/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writing. The schema's message is nanoarrow's; a batch's is small and always of one shape, so it is
 * laid out here, and the buffers behind it go out without being copied. Slices are written as what
 * they show.
 */
#include "arrow/ipc.h"

#include <nanoarrow/nanoarrow_ipc.h>
#include <stdlib.h>
#include <string.h>

#include "arrow/build.h"
#include "base/error.h"
#include "base/mem.h"

enum { ALIGNMENT = 64, MAX_DEPTH = 32, MAX_HEADER = 64 << 20 };

typedef struct tn_piece {
  const void *data;
  int64_t size;
} tn_piece;

typedef struct tn_node_entry { int64_t length, null_count; } tn_node_entry;
typedef struct tn_buffer_entry { int64_t offset, length; } tn_buffer_entry;

struct tn_ipc_writer {
  tn_ipc_sink sink;
  struct ArrowSchema schema;
  bool begun;
  tn_str nodes, buffers, pieces;   /* arrays of the structs above, for the present batch */
  tn_arena scratch;                /* bitmaps and offsets that had to be moved */
  int64_t body;
};

/* ---- Schema ---- */

tenon_status tn_ipc_encode_schema(const struct ArrowSchema *schema, tn_str *to, tenon_error *err) {
  struct ArrowIpcEncoder encoder;
  struct ArrowError why = {.message = ""};
  struct ArrowBuffer out;
  if (ArrowIpcEncoderInit(&encoder) != NANOARROW_OK) return tn_no_memory(err);
  ArrowBufferInit(&out);
  ArrowErrorCode code = ArrowIpcEncoderEncodeSchema(&encoder, schema, &why);
  if (!code) code = ArrowIpcEncoderFinalizeBuffer(&encoder, 1, &out);
  if (!code && !tn_str_add(to, (const char *)out.data, (size_t)out.size_bytes)) code = ENOMEM;
  ArrowBufferReset(&out);
  ArrowIpcEncoderReset(&encoder);
  if (!code) return TENON_OK;
  if (code == ENOMEM) return tn_no_memory(err);
  return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the column out (columns)", "Arrow IPC: %s", why.message);
}

/* ---- Layouts ---- */

static int fixed_width(const char *f) {
  switch (f[0]) {
    case 'c': case 'C': return 1;
    case 's': case 'S': case 'e': return 2;
    case 'i': case 'I': case 'f': return 4;
    case 'l': case 'L': case 'g': return 8;
    case 'w': return f[1] == ':' ? (int)strtol(f + 2, NULL, 10) : 0;
    case 'd': {
      const char *bits = strrchr(f, ',');
      return bits && strchr(f, ',') != bits ? (int)strtol(bits + 1, NULL, 10) / 8 : 16;
    }
    case 't':
      if (strcmp(f, "tdD") == 0 || strcmp(f, "tts") == 0 || strcmp(f, "ttm") == 0 || strcmp(f, "tiM") == 0) return 4;
      return strcmp(f, "tin") == 0 ? 16 : 8;
    default: return 0;
  }
}

static bool is_written(const char *f) {
  if (strchr("nbuUzZ", f[0])) return f[1] == 0;
  if (f[0] == '+') return strchr("lLmsw", f[1]) != NULL && f[1];
  return fixed_width(f) > 0;
}

static tenon_status check_types(const struct ArrowSchema *s, const char *column, int depth, tenon_error *err) {
  if (s->dictionary || !is_written(s->format) || depth > MAX_DEPTH)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "leave the column out (columns)",
                      "column %s: Arrow type %s is not written", column, s->dictionary ? "dictionary" : s->format);
  for (int64_t i = 0; i < s->n_children; i++) {
    const struct ArrowSchema *child = s->children[i];
    tenon_status status = check_types(child, depth ? column : child->name ? child->name : "", depth + 1, err);
    if (status) return status;
  }
  return TENON_OK;
}

/* ---- One batch's nodes and buffers ---- */

static bool add_piece(tn_ipc_writer *w, const void *data, int64_t size) {
  tn_buffer_entry entry = {w->body, size};
  tn_piece piece = {data, size};
  w->body += (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
  return tn_str_add(&w->buffers, (const char *)&entry, sizeof entry) && tn_str_add(&w->pieces, (const char *)&piece, sizeof piece);
}

/* n bits from bit `at` on; copied where they do not begin with a byte. */
static bool add_bits(tn_ipc_writer *w, const uint8_t *bits, int64_t at, int64_t n) {
  int64_t bytes = (n + 7) / 8, shift = at & 7;
  bits += at / 8;
  if (shift == 0) return add_piece(w, bits, bytes);
  uint8_t *moved = tn_arena_alloc(&w->scratch, (size_t)bytes + 1);
  if (!moved) return false;
  for (int64_t i = 0; i < bytes; i++) {
    int high = i * 8 + 8 - shift < n ? bits[i + 1] << (8 - shift) : 0;
    moved[i] = (uint8_t)(bits[i] >> shift | high);
  }
  return add_piece(w, moved, bytes);
}

static int64_t count_nulls(const struct ArrowArray *a, int64_t at, int64_t n) {
  const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;
  if (!bits || a->null_count == 0) return 0;
  if (a->null_count > 0 && n == a->length) return a->null_count;
  int64_t nulls = 0;
  for (int64_t i = at; i < at + n; i++) nulls += !(bits[i >> 3] >> (i & 7) & 1);
  return nulls;
}

static bool add_validity(tn_ipc_writer *w, const struct ArrowArray *a, int64_t at, int64_t n, int64_t nulls) {
  return nulls ? add_bits(w, a->buffers[0], at, n) : add_piece(w, NULL, 0);
}

/* Offsets of n values from `at` on, beginning with 0. */
static bool add_offsets32(tn_ipc_writer *w, const int32_t *offsets, int64_t n) {
  if (n == 0 || offsets[0] == 0) return add_piece(w, offsets, n ? (n + 1) * 4 : 0);
  int32_t *moved = tn_arena_alloc(&w->scratch, (size_t)(n + 1) * 4);
  for (int64_t i = 0; moved && i <= n; i++) moved[i] = offsets[i] - offsets[0];
  return moved && add_piece(w, moved, (n + 1) * 4);
}

static bool add_offsets64(tn_ipc_writer *w, const int64_t *offsets, int64_t n) {
  if (n == 0 || offsets[0] == 0) return add_piece(w, offsets, n ? (n + 1) * 8 : 0);
  int64_t *moved = tn_arena_alloc(&w->scratch, (size_t)(n + 1) * 8);
  for (int64_t i = 0; moved && i <= n; i++) moved[i] = offsets[i] - offsets[0];
  return moved && add_piece(w, moved, (n + 1) * 8);
}

/* Adds them and answers where the values that they speak of begin and end. */
static bool add_offsets(tn_ipc_writer *w, const struct ArrowArray *a, bool large, int64_t at, int64_t n, int64_t *ret_first,
                        int64_t *ret_last) {
  *ret_first = *ret_last = 0;
  if (n == 0 || !a->buffers[1]) return add_piece(w, NULL, 0);
  if (large) {
    const int64_t *offsets = (const int64_t *)a->buffers[1] + at;
    *ret_first = offsets[0];
    *ret_last = offsets[n];
    return add_offsets64(w, offsets, n);
  }
  const int32_t *offsets = (const int32_t *)a->buffers[1] + at;
  *ret_first = offsets[0];
  *ret_last = offsets[n];
  return add_offsets32(w, offsets, n);
}

/* Values [start, start + n), counted from the array's offset. */
static bool add_array(tn_ipc_writer *w, const struct ArrowSchema *s, const struct ArrowArray *a, int64_t start, int64_t n) {
  const char *f = s->format;
  int64_t at = a->offset + start, nulls = f[0] == 'n' ? n : count_nulls(a, at, n), first = 0, last = 0;
  tn_node_entry node = {n, nulls};
  if (!tn_str_add(&w->nodes, (const char *)&node, sizeof node)) return false;
  if (f[0] == 'n') return true;
  if (!add_validity(w, a, at, n, nulls)) return false;
  if (f[0] == 'b') return add_bits(w, a->buffers[1], at, n);
  if (strchr("uUzZ", f[0]))
    return add_offsets(w, a, f[0] == 'U' || f[0] == 'Z', at, n, &first, &last) &&
           add_piece(w, (const uint8_t *)a->buffers[2] + first, last - first);
  if (f[0] != '+') return add_piece(w, (const uint8_t *)a->buffers[1] + at * fixed_width(f), n * fixed_width(f));
  if (f[1] == 's') {
    for (int64_t i = 0; i < s->n_children; i++)
      if (!add_array(w, s->children[i], a->children[i], at, n)) return false;
    return true;
  }
  if (f[1] == 'w') {
    int64_t size = strtol(f + 3, NULL, 10);
    return add_array(w, s->children[0], a->children[0], at * size, n * size);
  }
  return add_offsets(w, a, f[1] == 'L', at, n, &first, &last) && add_array(w, s->children[0], a->children[0], first, last - first);
}

/* ---- Messages ---- */

static void put16(uint8_t *to, uint16_t v) { memcpy(to, &v, 2); }
static void put32(uint8_t *to, uint32_t v) { memcpy(to, &v, 4); }
static void put64(uint8_t *to, int64_t v) { memcpy(to, &v, 8); }

enum { NODES_AT = 72 };   /* where the nodes begin in the message laid out below */

/*
 * The flatbuffer of a RecordBatch message (Arrow's Message.fbs): a table Message with the table
 * RecordBatch in it, each behind the list of its fields' places, then two vectors of structs.
 */
static void lay_out(uint8_t *m, int64_t rows, int64_t body, const tn_str *nodes, const tn_str *buffers) {
  uint32_t node_bytes = (uint32_t)nodes->size, buffers_at = NODES_AT + node_bytes + 4;
  put32(m, 16);                                     /* the root is at 16 */
  put16(m + 4, 12), put16(m + 6, 20);               /* Message: list of 12 bytes, table of 20 */
  put16(m + 8, 16), put16(m + 10, 18), put16(m + 12, 4), put16(m + 14, 8);
  put32(m + 16, 12);                                /* its list is 12 before it */
  put32(m + 20, 28);                                /* header: 48 */
  put64(m + 24, body);
  put16(m + 32, 4);                                 /* version V5 */
  m[34] = 3;                                        /* the header is a RecordBatch */
  put16(m + 36, 10), put16(m + 38, 20);             /* RecordBatch: list of 10 bytes, table of 20 */
  put16(m + 40, 8), put16(m + 42, 4), put16(m + 44, 16);
  put32(m + 48, 12);
  put32(m + 52, NODES_AT - 4 - 52);
  put64(m + 56, rows);
  put32(m + 64, buffers_at - 64);
  put32(m + NODES_AT - 4, node_bytes / (uint32_t)sizeof(tn_node_entry));
  if (node_bytes) memcpy(m + NODES_AT, nodes->data, node_bytes);
  put32(m + buffers_at, (uint32_t)(buffers->size / sizeof(tn_buffer_entry)));
  if (buffers->size) memcpy(m + buffers_at + 4, buffers->data, buffers->size);
}

static tenon_status write_header(tn_ipc_writer *w, int64_t rows, tenon_error *err) {
  size_t size = NODES_AT + w->nodes.size + 8 + w->buffers.size;
  uint8_t *m = tn_arena_alloc(&w->scratch, size + 8);
  if (!m) return tn_no_memory(err);
  memset(m, 0, size + 8);
  put32(m, UINT32_MAX);
  put32(m + 4, (uint32_t)size);
  lay_out(m + 8, rows, w->body, &w->nodes, &w->buffers);
  return w->sink.write(w->sink.self, m, size + 8, err);
}

static tenon_status write_body(tn_ipc_writer *w, tenon_error *err) {
  static const uint8_t zeros[ALIGNMENT];
  const tn_piece *pieces = (const void *)w->pieces.data;
  size_t count = w->pieces.size / sizeof *pieces;
  tenon_status status = TENON_OK;
  for (size_t i = 0; !status && i < count; i++) {
    size_t size = (size_t)pieces[i].size, pad = (ALIGNMENT - size % ALIGNMENT) % ALIGNMENT;
    if (size) status = w->sink.write(w->sink.self, pieces[i].data, size, err);
    if (!status && pad) status = w->sink.write(w->sink.self, zeros, pad, err);
  }
  return status;
}

static tenon_status begin(tn_ipc_writer *w, tenon_error *err) {
  if (w->begun) return TENON_OK;
  tn_str message;
  tn_str_init(&message, MAX_HEADER);
  tenon_status status = tn_ipc_encode_schema(&w->schema, &message, err);
  if (!status) status = w->sink.write(w->sink.self, message.data, message.size, err);
  tn_str_release(&message);
  w->begun = true;
  return status;
}

tenon_status tn_ipc_write(tn_ipc_writer *w, const struct ArrowArray *batch, tenon_error *err) {
  tenon_status status = begin(w, err);
  if (status) return status;
  tn_str_clear(&w->nodes);
  tn_str_clear(&w->buffers);
  tn_str_clear(&w->pieces);
  w->body = 0;
  bool ok = true;
  for (int64_t i = 0; ok && i < w->schema.n_children; i++)
    ok = add_array(w, w->schema.children[i], batch->children[i], batch->offset, batch->length);
  status = ok ? write_header(w, batch->length, err) : tn_no_memory(err);
  if (!status) status = write_body(w, err);
  size_t most = w->scratch.max;
  tn_arena_release(&w->scratch);
  tn_arena_init(&w->scratch, most);
  return status;
}

tenon_status tn_ipc_finish(tn_ipc_writer *w, tenon_error *err) {
  tenon_status status = begin(w, err);
  uint8_t end[8] = {0xFF, 0xFF, 0xFF, 0xFF};
  return status ? status : w->sink.write(w->sink.self, end, sizeof end, err);
}

/* ---- Life ---- */

tenon_status tn_ipc_writer_new(const struct ArrowSchema *schema, const tn_ipc_sink *sink, tn_ipc_writer **ret, tenon_error *err) {
  tenon_status status = check_types(schema, "", 0, err);
  if (status) return status;
  tn_ipc_writer *w = tn_alloc(sizeof *w);
  if (!w) return tn_no_memory(err);
  w->sink = *sink;
  tn_str_init(&w->nodes, MAX_HEADER);
  tn_str_init(&w->buffers, MAX_HEADER);
  tn_str_init(&w->pieces, MAX_HEADER);
  tn_arena_init(&w->scratch, SIZE_MAX);
  if ((status = tn_schema_copy(schema, &w->schema, err))) {
    tn_ipc_writer_free(w);
    return status;
  }
  *ret = w;
  return TENON_OK;
}

void tn_ipc_writer_free(tn_ipc_writer *w) {
  if (!w) return;
  tn_schema_release(&w->schema);
  tn_str_release(&w->nodes);
  tn_str_release(&w->buffers);
  tn_str_release(&w->pieces);
  tn_arena_release(&w->scratch);
  tn_free(w);
}
