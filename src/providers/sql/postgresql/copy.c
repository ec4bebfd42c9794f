/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Source of the messages: PostgreSQL documentation, "Frontend/Backend Protocol" and COPY's binary
 * format. Rows are decoded where they lie in the buffer. Whatever is not expected gives the
 * connection up; a failure that the server reports in good order does not.
 */
#include "providers/sql/postgresql/copy.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "providers/sql/postgresql/wire.h"

enum {
  OWN_BATCH_BYTES = 4 << 20, /* where the caller leaves it to us: what a processor's cache takes */
  OWN_BATCH_ROWS = 16384,
  PARTIAL_MS = 500, /* rows that are there are given on when no more come for so long */
  MAX_DRAIN = 256 * 1024,
  MAX_OTHER = 1 << 20, /* of messages that are no rows */
  COPY_HEADER = 19
};

typedef struct copy {
  tenon_ctx *ctx;
  tn_pg_session *session;
  tn_pg_wire wire;
  tn_pg_decoder decoder;
  tn_pg_expect expect;
  tn_arena arena;
  int64_t row_bytes;             /* that a row takes in fixed-width columns */
  int variable;                  /* how many times a message's size its other values may take */
  int64_t batch_bytes, batch_rows, used;
  int64_t rows;                  /* in the batches given on */
  int64_t announced;             /* by the server at the end; -1: not yet */
  bool in_data;                  /* COPY's header has been seen */
  bool ended;                    /* its trailer, too */
  bool done, failed;
  tenon_error failure;           /* the server's, while the rest of its messages is read */
} copy;

static tenon_status unexpected(copy *c, const char *what, tenon_error *err) {
  c->session->broken = true;
  return tenon_fail(
      err, TENON_IO, TENON_STAGE_DATA,
      "try again; if it stays, something between here and the server changes the protocol",
      "%s sent something unexpected: %s", c->session->where, what);
}

/* ---- Rows ---- */

static const char *name_of_fault(tn_pg_fault fault) {
  switch (fault) {
    case TN_PG_SPECIAL:
      return "the value (infinity, NaN, 24:00 or a far date) has no place in the Arrow type";
    case TN_PG_TOO_PRECISE: return "the value has more digits than the type that it is read as";
    case TN_PG_DIMENSIONS:
      return "the array has several dimensions, or does not count from 1: it is no list";
    case TN_PG_NOT_TEXT: return "the text is not UTF-8";
    default: return "the value is not in the format that was announced";
  }
}

static const char *remedy_of_fault(tn_pg_fault fault) {
  switch (fault) {
    case TN_PG_TOO_PRECISE:
      return "read it with a wider numeric_as, such as decimal(76,30), or leave numeric_as out: "
             "text";
    case TN_PG_NOT_TEXT:
      return "read the column as bytes in a query: convert_to(column, 'SQL_ASCII')";
    default:
      return "read such columns as text with special_values=text, or as NULL with "
             "special_values=null";
  }
}

static tenon_status row_failed(copy *c, tenon_error *err) {
  const tn_pg_decoder *d = &c->decoder;
  if (d->fault == TN_PG_NO_MEMORY) return tn_append_failed(err);
  if (d->fault_column < 0) return unexpected(c, "a row with another number of fields", err);
  int64_t row = c->rows + d->rows + 1;
  const char *name = c->expect.names[d->fault_column];
  if (d->fault == TN_PG_BAD_WIRE) {
    char what[256];
    snprintf(what, sizeof what, "column %.120s, row %" PRId64 ": %s", name, row,
             name_of_fault(d->fault));
    return unexpected(c, what, err);
  }
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, remedy_of_fault(d->fault),
                    "column %s, row %" PRId64 ": %s", name, row, name_of_fault(d->fault));
}

static int64_t bytes_of_row(const copy *c, size_t size) {
  return c->row_bytes + c->variable * (int64_t)size;
}

static bool is_full(const copy *c, size_t next) {
  int64_t rows = c->decoder.rows;
  return rows >= c->batch_rows || (rows > 0 && c->used + bytes_of_row(c, next) > c->batch_bytes);
}

static tenon_status take_row(copy *c, const uint8_t *row, size_t size, tenon_error *err) {
  if (c->expect.copies && size == 2 && tn_be16(row) == 0xFFFF) {
    c->ended = true;
    return TENON_OK;
  }
  if (c->ended) return unexpected(c, "rows behind the end of its data", err);
  if (size > c->wire.max) return tn_pg_wire_too_long(&c->wire, size, err);
  c->used += bytes_of_row(c, size);
  return tn_pg_decode_row(&c->decoder, row, size) ? TENON_OK : row_failed(c, err);
}

/* Signature, flags, length of an extension, which is skipped; the first row may follow. */
static tenon_status take_header(copy *c, const uint8_t *data, size_t size, tenon_error *err) {
  static const char signature[11] = "PGCOPY\n\377\r\n";
  if (size < COPY_HEADER || memcmp(data, signature, sizeof signature) != 0)
    return unexpected(c, "COPY data without its signature", err);
  uint32_t flags = tn_be32(data + 11), extension = tn_be32(data + 15);
  if (flags & 0xFFFF0000u) return unexpected(c, "COPY data of an unknown kind", err);
  if (extension > size - COPY_HEADER) return unexpected(c, "COPY data with a cut header", err);
  c->in_data = true;
  data += COPY_HEADER + extension;
  size -= COPY_HEADER + extension;
  return size ? take_row(c, data, size, err) : TENON_OK;
}

/* ---- Other messages ---- */

/* Text of a report's field: one letter, then bytes up to a NUL. */
static tenon_status take_report(copy *c, const uint8_t *body, size_t size, tenon_error *err) {
  tn_pg_report report = {0};
  const char *at = (const char *)body, *end = at + size;
  while (at < end && *at) {
    const char *text = at + 1, *stop = text < end ? memchr(text, 0, (size_t)(end - text)) : NULL;
    if (!stop) return unexpected(c, "a cut error message", err);
    if (*at == 'C') report.sqlstate = text;
    if (*at == 'M') report.message = text;
    if (*at == 'D') report.detail = text;
    if (*at == 'H') report.hint = text;
    at = stop + 1;
  }
  c->failed = true;
  tn_pg_fail_report(&c->failure, &report);
  return TENON_OK;
}

/* "COPY 42" or "SELECT 42". */
static void take_tag(copy *c, const uint8_t *body, size_t size) {
  char tag[64];
  snprintf(tag, sizeof tag, "%.*s", (int)(size < sizeof tag ? size : sizeof tag - 1),
           (const char *)body);
  if (c->expect.copies && strncmp(tag, "COPY ", 5) == 0) c->announced = strtoll(tag + 5, NULL, 10);
}

static tenon_status check_count(copy *c, tenon_error *err) {
  int64_t rows = c->rows + c->decoder.rows;
  if (c->failed || !c->expect.copies || (c->ended && c->announced == rows)) return TENON_OK;
  if (!c->ended) return unexpected(c, "the end of an answer without the end of its data", err);
  char what[120];
  snprintf(what, sizeof what, "%" PRId64 " rows, and a count of %" PRId64, rows, c->announced);
  return unexpected(c, what, err);
}

static tenon_status take_ready(copy *c, const uint8_t *body, size_t size, tenon_error *err) {
  if (size != 1 || !strchr("ITE", body[0]) || !body[0])
    return unexpected(c, "a malformed ReadyForQuery", err);
  c->session->in_transaction = body[0] != 'I';
  if (--c->expect.ready_count > 0) return TENON_OK;
  c->done = true;
  return check_count(c, err);
}

static tenon_status take_copy_start(copy *c, const uint8_t *body, size_t size, tenon_error *err) {
  if (!c->expect.copies || size < 3 || body[0] != 1)
    return unexpected(c, "data that is not in binary format", err);
  return tn_be16(body + 1) == c->expect.count ? TENON_OK
                                              : unexpected(c, "another number of columns", err);
}

static tenon_status take_message(copy *c, char type, const uint8_t *body, size_t size,
                                 tenon_error *err) {
  switch (type) {
    case 'd': return c->in_data ? take_row(c, body, size, err) : take_header(c, body, size, err);
    case 'D':
      return c->expect.copies ? unexpected(c, "rows outside of COPY", err)
                              : take_row(c, body, size, err);
    case 'H': return take_copy_start(c, body, size, err);
    case 'C': take_tag(c, body, size); return TENON_OK;
    case 'E': return take_report(c, body, size, err);
    case 'Z': return take_ready(c, body, size, err);
    case 'N': case 'S': case 'A': return TENON_OK;   /* notices, settings, notifications */
    case '1': case '2': case 'c': return TENON_OK;   /* parsed, bound, end of COPY */
    default: break;
  }
  char what[40];
  snprintf(what, sizeof what, "a message of type 0x%02x", (unsigned char)type);
  return unexpected(c, what, err);
}

/* ---- Batches ---- */

static int64_t now_ms(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
  return t.tv_sec * INT64_C(1000) + t.tv_nsec / 1000000;
}

/* Makes the next message whole in the buffer. *ret_there false: it did not come in time, and there
 * are rows to give on. */
static tenon_status next_message(copy *c, int64_t since, bool *ret_there, tenon_error *err) {
  tn_pg_wire *w = &c->wire;
  int64_t left = since + PARTIAL_MS - now_ms();
  int wait_ms = c->decoder.rows == 0 ? -1 : left > 0 ? (int)left : 0;
  tenon_status status = tn_pg_wire_fill(w, TN_PG_MESSAGE_HEADER, wait_ms, err);
  *ret_there = tn_pg_wire_left(w) >= TN_PG_MESSAGE_HEADER;
  if (status || !*ret_there) return status;
  uint32_t size = tn_be32(tn_pg_wire_at(w) + 1);
  bool row = *tn_pg_wire_at(w) == 'd' || *tn_pg_wire_at(w) == 'D';
  if (size < 4 || size > (row ? INT32_MAX : MAX_OTHER))
    return unexpected(c, "a message of impossible length", err);
  status = tn_pg_wire_fill(w, 1 + (size_t)size, wait_ms, err);
  *ret_there = tn_pg_wire_left(w) >= 1 + (size_t)size;
  return status;
}

/* The rows that are whole in the buffer, as many as the batch takes. */
static tenon_status take_rows(copy *c, bool *ret_full, tenon_error *err) {
  tn_pg_wire *w = &c->wire;
  char type = c->expect.copies ? 'd' : 'D';
  *ret_full = false;
  while (tn_pg_wire_left(w) >= TN_PG_MESSAGE_HEADER && (c->in_data || !c->expect.copies)) {
    const uint8_t *at = tn_pg_wire_at(w);
    size_t size = tn_be32(at + 1);
    if (at[0] != (uint8_t)type || size < 4 || tn_pg_wire_left(w) < 1 + size) return TENON_OK;
    *ret_full = is_full(c, size);
    if (*ret_full) return TENON_OK;
    tenon_status status = take_row(c, at + TN_PG_MESSAGE_HEADER, size - 4, err);
    if (status) return status;
    w->start += 1 + size;
  }
  return TENON_OK;
}

static tenon_status fill_batch(copy *c, tenon_error *err) {
  tn_pg_wire *w = &c->wire;
  int64_t since = now_ms();
  bool there, full = false;
  tenon_status status = TENON_OK;
  while (!c->done && !status) {
    status = take_rows(c, &full, err);
    if (status || full) break;
    status = next_message(c, since, &there, err);
    if (status || !there) break;
    const uint8_t *at = tn_pg_wire_at(w);
    size_t size = tn_be32(at + 1);
    bool row = at[0] == (c->expect.copies ? 'd' : 'D');
    if (row && (c->in_data || !c->expect.copies)) continue;
    status = take_message(c, (char)at[0], at + TN_PG_MESSAGE_HEADER, size - 4, err);
    w->start += 1 + size;
  }
  return status;
}

static tenon_status fail_with(copy *c, tenon_error *err) {
  if (err && err->code == TENON_OK) *err = c->failure;
  return c->failure.code;
}

static tenon_status next(void *self, struct ArrowArray *ret, tenon_error *err) {
  copy *c = self;
  ret->release = NULL;
  if (c->done) return c->failed ? fail_with(c, err) : TENON_OK;
  c->used = 0;
  if (!tn_pg_decoder_begin(&c->decoder, c->batch_rows)) return tn_append_failed(err);
  tenon_error own = TENON_ERROR_INIT;
  tenon_status status = fill_batch(c, &own);
  if (c->failed && (c->done || status)) return fail_with(c, err);
  if (status) {
    if (err && err->code == TENON_OK) *err = own;
    return status;
  }
  if (c->decoder.rows == 0) return TENON_OK;
  c->rows += c->decoder.rows;
  return tn_pg_decoder_finish(&c->decoder, ret, err);
}

/* ---- The end ---- */

/* The rest may have come already; only what is there is read. */
static bool drain(copy *c) {
  tn_pg_wire *w = &c->wire;
  for (uint64_t limit = w->received + MAX_DRAIN; !c->done && w->received < limit;) {
    if (tn_pg_wire_fill(w, TN_PG_MESSAGE_HEADER, 0, NULL) ||
        tn_pg_wire_left(w) < TN_PG_MESSAGE_HEADER)
      break;
    size_t size = tn_be32(tn_pg_wire_at(w) + 1);
    if (size < 4 || size > MAX_DRAIN || tn_pg_wire_fill(w, 1 + size, 0, NULL) ||
        tn_pg_wire_left(w) < 1 + size)
      break;
    const uint8_t *at = tn_pg_wire_at(w);
    if (at[0] == 'Z') {
      c->session->in_transaction = at[TN_PG_MESSAGE_HEADER] != 'I';
      c->done = --c->expect.ready_count == 0;
    }
    w->start += 1 + size;
  }
  return c->done;
}

static void close_copy(void *self) {
  copy *c = self;
  if (!c->done && !c->session->broken && !drain(c)) tn_pg_abandon(c->session);
  c->session->streaming = false;
  tn_pg_wire_release(&c->wire);
  tn_builder_free(c->decoder.builder);
  tn_arena_release(&c->arena);
  tn_free(c);
}

/* ---- The start ---- */

static int64_t width_of(const struct ArrowSchema *s) {
  switch (s->format[0]) {
    case 'b': case 'c': case 'C': return 1;
    case 's': case 'S': return 2;
    case 'i': case 'I': case 'f': case 'u': case 'z': return 4;
    case 'd': return strstr(s->format, ",256") ? 32 : 16;
    case 't': return s->format[1] == 'd' ? 4 : 8;
    default: return 8;
  }
}

/* A row's share of the batch: fixed-width columns, and for the others what its message has. Values
 * inside lists and structs may grow: a numeric of 12 bytes on the wire becomes 16 or 32. */
static void weigh(copy *c, const struct ArrowSchema *schema) {
  for (int64_t i = 0; i < schema->n_children; i++) {
    const struct ArrowSchema *column = schema->children[i];
    char kind = column->format[0];
    c->row_bytes += width_of(column);
    if (kind == '+') c->variable = 4;
    else if ((kind == 'u' || kind == 'z') && c->variable == 0) c->variable = 1;
  }
}

static tenon_status make(tenon_ctx *ctx, tn_pg_session *s, const tn_pg_expect *expect,
                         struct ArrowSchema *schema, tn_arena *arena, copy **ret,
                         tenon_error *err) {
  copy *c = tn_alloc(sizeof *c);
  if (!c) {
    tn_arena_release(arena);
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_NONE, "give the process more memory",
                      "out of memory");
  }
  *c = (copy){.ctx = ctx, .session = s, .expect = *expect, .arena = *arena, .announced = -1,
              .batch_bytes = expect->batch_bytes > 0 ? expect->batch_bytes : OWN_BATCH_BYTES,
              .batch_rows = expect->batch_rows > 0 ? expect->batch_rows : OWN_BATCH_ROWS,
              .failure = TENON_ERROR_INIT};
  *arena = (tn_arena){0};
  c->decoder = (tn_pg_decoder){.types = expect->types, .count = expect->count};
  weigh(c, schema);
  *ret = c;
  return tn_builder_new(schema, &c->decoder.builder, err);
}

tenon_status tn_pg_copy_start(tenon_ctx *ctx, tn_pg_session *s, const tn_pg_expect *expect,
                              const tn_str *messages, struct ArrowSchema *schema, tn_arena *arena,
                              tenon_stream *ret, tenon_error *err) {
  copy *c = NULL;
  tenon_status status = make(ctx, s, expect, schema, arena, &c, err);
  if (c) s->streaming = true;
  if (!status) status = tn_pg_wire_init(&c->wire, ctx, s, (size_t)s->config->max_row_bytes, err);
  if (!status) status = tn_pg_wire_send(&c->wire, messages->data, messages->size, err);
  if (status) {
    if (c) {
      c->done = c->wire.data == NULL;   /* nothing was sent: there is nothing to cancel */
      close_copy(c);
    }
    tn_schema_release(schema);
    return status;
  }
  *ret = (tenon_stream){
      .struct_size = sizeof *ret, .self = c, .schema = *schema, .next = next, .close = close_copy};
  return TENON_OK;
}
