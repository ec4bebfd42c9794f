/* SPDX-License-Identifier: Apache-2.0 */
/* JSON of replies: what is read is the same once it was written and read again. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void write_value(tn_json_writer *w, const tn_json *v);

static void write_members(tn_json_writer *w, const tn_json *v) {
  void *cursor = NULL;
  const char *key;
  const tn_json *value;
  size_t n = 0;
  tn_json_open(w, '{');
  for (; tn_json_next(v, &cursor, &key, &value); n++) {
    if (tn_json_get(v, key) != value) abort();
    tn_json_key(w, key);
    write_value(w, value);
  }
  if (n != tn_json_count(v)) abort();
  tn_json_close(w);
}

static void write_value(tn_json_writer *w, const tn_json *v) {
  switch (tn_json_type_of(v)) {
    case TN_JSON_NULL: tn_json_put_null(w); break;
    case TN_JSON_BOOL: tn_json_put_bool(w, tn_json_bool(v)); break;
    case TN_JSON_INTEGER: tn_json_put_integer(w, tn_json_integer(v)); break;
    case TN_JSON_NUMBER: tn_json_put_number(w, tn_json_number(v)); break;
    case TN_JSON_STRING: tn_json_put_string(w, tn_json_string(v)); break;
    case TN_JSON_ARRAY:
      tn_json_open(w, '[');
      for (size_t i = 0; i < tn_json_count(v); i++) write_value(w, tn_json_at(v, i));
      tn_json_close(w);
      break;
    case TN_JSON_OBJECT: write_members(w, v); break;
  }
}

/* The text that a value is written as, or NULL: it was refused. */
static char *rewritten(const char *text, size_t size) {
  tenon_error err = TENON_ERROR_INIT;
  tn_json *v;
  tn_json_writer w;
  tn_str out;
  if (tn_json_parse_reply(text, size, &v, &err)) {
    if (!err.message[0] || (err.code != TENON_DATA && err.code != TENON_LIMITED)) abort();
    return NULL;
  }
  tn_str_init(&out, 256 << 20);
  tn_json_writer_init(&w, &out);
  write_value(&w, v);
  tn_json_free(v);
  if (out.failed) abort();
  return tn_str_move(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *once = rewritten((const char *)data, size);
  if (!once) return 0;
  char *twice = rewritten(once, strlen(once));
  if (!twice || strcmp(once, twice) != 0) abort();
  free(once);
  free(twice);
  return 0;
}
