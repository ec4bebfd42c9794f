/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/document.h"

enum { PRINT_AT = 64 * 1024 };
static const size_t longest = (size_t)1 << 32;   /* one value of a row may be long */

void tn_document_init(tn_document *ret, FILE *out) {
  *ret = (tn_document){.out = out};
  tn_str_init(&ret->text, longest);
  tn_json_writer_init(&ret->writer, &ret->text);
}

void tn_document_release(tn_document *d) { tn_str_release(&d->text); }

bool tn_document_flush(tn_document *d) {
  bool ok = !d->text.failed;
  if (d->text.size) ok &= fwrite(tn_str_text(&d->text), 1, d->text.size, d->out) == d->text.size;
  tn_str_clear(&d->text);
  return ok;
}

static void begin(tn_document *d, const char *key) {
  if (d->text.size >= PRINT_AT) tn_document_flush(d);
  if (key) tn_json_key(&d->writer, key);
}

void tn_document_open(tn_document *d, const char *key, char bracket) {
  begin(d, key);
  tn_json_open(&d->writer, bracket);
}

void tn_document_close(tn_document *d) { tn_json_close(&d->writer); }

void tn_document_close_to(tn_document *d, int depth) {
  while (d->writer.depth > depth) tn_json_close(&d->writer);
}

int tn_document_depth(const tn_document *d) { return d->writer.depth; }

void tn_document_text(tn_document *d, const char *key, const char *text) {
  begin(d, key);
  tn_json_put_string(&d->writer, text);
}

void tn_document_integer(tn_document *d, const char *key, int64_t n) {
  begin(d, key);
  tn_json_put_integer(&d->writer, n);
}

void tn_document_count(tn_document *d, const char *key, int64_t n) {
  begin(d, key);
  if (n < 0) tn_json_put_null(&d->writer);
  else tn_json_put_integer(&d->writer, n);
}

void tn_document_number(tn_document *d, const char *key, double n) {
  begin(d, key);
  tn_json_put_number(&d->writer, n);
}

void tn_document_bool(tn_document *d, const char *key, bool b) {
  begin(d, key);
  tn_json_put_bool(&d->writer, b);
}

void tn_document_raw(tn_document *d, const char *key, const char *json) {
  begin(d, key);
  tn_json_put_raw(&d->writer, json);
}

void tn_document_newline(tn_document *d) { tn_str_putc(&d->text, '\n'); }
