/* SPDX-License-Identifier: Apache-2.0 */
#include "net/mime_body.h"

#include <string.h>

#include "base/base64.h"

enum { LONGEST_LINE = 990, QP_LINE = 76, BASE64_BYTES = 57 /* are a line of 76 */ };

/* ---- Which encoding ---- */

typedef struct measure {
  size_t size, odd; /* bytes; those that quoted-printable writes as three */
  bool is_7bit;
} measure;

static size_t line_break(const char *at) {
  if (at[0] == '\n') return 1;
  return at[0] == '\r' && at[1] == '\n' ? 2 : 0;
}

/* Of a line: its end is what is left to be changed on the way, by those who "From " alarms, too. */
static void measure_line(measure *m, const char *line, size_t size) {
  bool plain = size <= LONGEST_LINE && (size < 5 || memcmp(line, "From ", 5) != 0);
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)line[i];
    bool odd = (c < 0x20 && c != '\t') || c >= 0x7F;
    m->odd += odd || c == '=';
    plain &= !odd;
  }
  m->is_7bit &= plain && !memmem(line, size, TN_MIME_BOUNDARY, 2);
  m->size += size + 2;
}

/* By hand: strcspn of the sanitizers looks for the text's end each time. */
static size_t line_size(const char *line) {
  size_t n = 0;
  while (line[n] && !line_break(line + n)) n++;
  return n;
}

static measure measure_text(const char *text) {
  measure m = {.is_7bit = true};
  while (*text) {
    size_t n = line_size(text);
    measure_line(&m, text, n);
    text += n;
    text += line_break(text);
  }
  return m;
}

/* ---- Writing it ---- */

static void put_7bit(tn_str *out, const char *text) {
  while (*text) {
    size_t n = line_size(text), end = line_break(text + n);
    tn_str_add(out, text, n);
    if (end) tn_str_puts(out, "\r\n");
    text += n + end;
  }
}

static bool qp_is_plain(const char *line, size_t size, size_t i) {
  unsigned char c = (unsigned char)line[i];
  if (c == ' ' || c == '\t') return i + 1 < size; /* at a line's end it would be lost */
  if (c == 'F' && i == 0 && size >= 5 && memcmp(line, "From ", 5) == 0) return false;
  return c > 0x20 && c < 0x7F && c != '=';
}

static void put_qp_line(tn_str *out, const char *line, size_t size) {
  size_t column = 0;
  for (size_t i = 0; i < size; i++) {
    bool plain = qp_is_plain(line, size, i);
    size_t need = plain ? 1 : 3;
    if (column + need > QP_LINE - (i + 1 < size ? 1 : 0)) {
      tn_str_puts(out, "=\r\n");
      column = 0;
    }
    if (plain)
      tn_str_putc(out, line[i]);
    else
      tn_str_printf(out, "=%02X", (unsigned char)line[i]);
    column += need;
  }
}

static void put_qp(tn_str *out, const char *text) {
  while (*text && !out->failed) {
    size_t n = line_size(text), end = line_break(text + n);
    put_qp_line(out, text, n);
    if (end) tn_str_puts(out, "\r\n");
    text += n + end;
  }
}

static void put_base64(tn_str *out, const char *data, size_t size) {
  for (size_t i = 0; i < size && !out->failed; i += BASE64_BYTES) {
    size_t n = size - i < BASE64_BYTES ? size - i : BASE64_BYTES;
    if (i) tn_str_puts(out, "\r\n");
    tn_base64_encode(out, data + i, n);
  }
}

/* What is encoded in base64 has lines that end with CR LF, like all text on its way. */
static void put_base64_text(tn_str *out, const char *text) {
  tn_str lines;
  tn_str_init(&lines, out->max);
  put_7bit(&lines, text);
  out->failed |= lines.failed;
  put_base64(out, tn_str_text(&lines), lines.size);
  tn_str_release(&lines);
}

static void put_encoding(tn_str *out, const char *name) {
  tn_str_puts(out, "Content-Transfer-Encoding: ");
  tn_str_puts(out, name);
  tn_str_puts(out, "\r\n\r\n");
}

void tn_mime_put_body(tn_str *out, const char *text) {
  measure m = measure_text(text);
  if (m.is_7bit) {
    put_encoding(out, "7bit");
    put_7bit(out, text);
  } else if (m.size + 2 * m.odd <= m.size / 3 * 4 + 4) {
    put_encoding(out, "quoted-printable");
    put_qp(out, text);
  } else {
    put_encoding(out, "base64");
    put_base64_text(out, text);
  }
}

void tn_mime_put_bytes(tn_str *out, const void *data, size_t size) {
  put_encoding(out, "base64");
  put_base64(out, data, size);
}
