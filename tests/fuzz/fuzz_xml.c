/* SPDX-License-Identifier: Apache-2.0 */
/* XML of replies: whatever comes is told of or refused, the same in one piece and byte by byte. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "net/xml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct told {
  uint64_t sum;
  int open;
} told;

static void mix(told *t, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) t->sum = (t->sum ^ (unsigned char)text[i]) * UINT64_C(0x100000001B3);
  t->sum = (t->sum ^ 256) * UINT64_C(0x100000001B3);
}

static tenon_status on_start(void *arg, const char *path, tenon_error *err) {
  told *t = arg;
  (void)err;
  if (++t->open > TN_XML_MAX_DEPTH || !*path) abort();
  mix(t, path, strlen(path));
  return TENON_OK;
}

static tenon_status on_end(void *arg, const char *path, const char *text, size_t size,
                           tenon_error *err) {
  told *t = arg;
  (void)err;
  if (--t->open < 0 || size > TN_XML_MAX_TEXT || strlen(text) != size) abort();
  if (!tn_utf8_valid(text, size, NULL)) abort();
  mix(t, path, strlen(path));
  mix(t, text, size);
  return TENON_OK;
}

static tenon_status read_in_pieces(const uint8_t *data, size_t size, size_t piece, told *ret) {
  const tn_xml_events events = {.arg = ret, .start = on_start, .end = on_end};
  tenon_error err = TENON_ERROR_INIT;
  tn_xml *x;
  *ret = (told){0};
  if (tn_xml_new(&events, 1 << 20, &x, NULL)) abort();
  tenon_status status = TENON_OK;
  for (size_t at = 0; at < size && !status; at += piece)
    status = tn_xml_push(x, data + at, size - at < piece ? size - at : piece, &err);
  if (!status) status = tn_xml_finish(x, &err);
  if (status ? !err.message[0] : ret->open != 0) abort();
  tn_xml_free(x);
  return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  told whole, bytes;
  if (size > TN_XML_MAX_MARKUP / 2) return 0;
  tenon_status a = read_in_pieces(data, size, size + 1, &whole);
  tenon_status b = read_in_pieces(data, size, 1, &bytes);
  if (a != b || (!a && whole.sum != bytes.sum)) abort();
  return 0;
}
