/* SPDX-License-Identifier: Apache-2.0 */
/* Replies of an API: the first line is a Link header and a URL, the rest a page of records. A next page is at the same origin;
 * records become whole batches or an error; and JSON is what the other reader takes for JSON, too. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "arrow/check.h"
#include "base/error.h"
#include "providers/api/rest_api/rest_api.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char base[] = "https://api.example/v1";

static void must(bool ok) {
  if (!ok) abort();
}

static void resolve(const tn_rest *s, const char *reference) {
  tenon_error err = TENON_ERROR_INIT;
  tn_str url;
  tn_str_init(&url, TN_REST_MAX_URL);
  if (!tn_rest_resolve(s, "https://api.example/v1/a/b?c=d", reference, &url, &err)) {
    static const char origin[] = "https://api.example";
    const char *rest = url.data + sizeof origin - 1;
    must(strncasecmp(url.data, origin, sizeof origin - 1) == 0);
    must(!*rest || strchr("/?:", *rest));
    if (*rest == ':') must(strncmp(rest, ":443", 4) == 0 && (!rest[4] || strchr("/?", rest[4])));
    for (const char *c = url.data; *c; c++)
      must((unsigned char)*c > ' ' && (unsigned char)*c < 0x7F);
  } else {
    must(err.code && *err.message);
  }
  tn_str_release(&url);
}

static void follow(const tn_rest *s, const char *line) {
  tn_str next;
  tn_str_init(&next, TN_REST_MAX_URL);
  if (!tn_rest_next_link(line, &next, NULL) && next.size) resolve(s, next.data);
  tn_str_release(&next);
  resolve(s, line);
}

static void append(const tn_rest_column *columns, size_t count, bool inferred,
                   tn_json_text records) {
  struct ArrowSchema schema;
  struct ArrowArray batch = {0};
  tn_builder *b;
  tn_json_text record;
  tenon_error err = TENON_ERROR_INIT;
  int64_t rows = 0;
  tenon_status status = tn_rest_schema(columns, count, &schema, &err);
  must(!status);
  must(!tn_builder_new(&schema, &b, &err));
  for (const char *c = NULL; !status && tn_json_text_next(records, &c, NULL, &record);)
    status = tn_rest_append(b, columns, count, inferred, record, ++rows, &err);
  if (status) must(err.code == status && *err.message);
  else must(!tn_builder_finish(b, rows, &batch, &err) && !tn_arrow_check(&schema, &batch, &err));
  if (batch.release) batch.release(&batch);
  tn_builder_free(b);
  schema.release(&schema);
}

static void take_page(tn_json_text page) {
  static const char *const types[] = {
      "int64", "int16",     "decimal(9,2)", "decimal(38,0)", "float64",  "bool", "date",
      "time",  "timestamp", "timestamptz",  "epoch",         "epoch_ms", "text", "json"};
  tn_arena arena;
  tn_rest_column *columns;
  size_t count;
  tenon_error err = TENON_ERROR_INIT;
  tn_arena_init(&arena, 64 << 20);
  if (!tn_rest_infer(page, &arena, &columns, &count, &err)) append(columns, count, true, page);
  for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
    tn_rest_column one = {.name = "a", .name_size = 1, .type = types[i]};
    must(tn_rest_type(types[i], &one));
    append(&one, 1, false, page);
  }
  tn_arena_release(&arena);
}

static void compare_readers(const char *text, size_t size, bool ours) {
  tn_json *parsed = NULL;
  if (tn_json_parse(text, size, &parsed, NULL) == TENON_OK) must(ours);
  tn_json_free(parsed);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static tn_rest session;
  const uint8_t *end = memchr(data, '\n', size);
  tn_json_text page;
  snprintf(session.base.url, sizeof session.base.url, "%s", base);
  if (!end || size > 1 << 16) return 0;
  char *line = tn_strndup((const char *)data, (size_t)(end - data));
  if (!line) return 0;
  follow(&session, line);
  tn_free(line);
  const char *text = (const char *)end + 1;
  size_t rest = size - (size_t)(end - data) - 1;
  bool ours = !tn_json_text_check(text, rest, &page, NULL);
  compare_readers(text, rest, ours);
  if (ours) take_page(page);
  return 0;
}
