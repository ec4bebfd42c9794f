/* SPDX-License-Identifier: Apache-2.0 */
/* Templates: the first line is one, the rest variables. Whatever is rendered keeps to its place. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "providers/api/rest_api/template.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool ok) {
  if (!ok) abort();
}

static bool has_line_break(const tn_str *s) {
  for (size_t i = 0; i < s->size; i++)
    if (s->data[i] == '\r' || s->data[i] == '\n' || !s->data[i]) return true;
  return false;
}

/* As many slashes as the template has, nothing that ends a path, and no dot segments beyond its own. */
static void check_path(const char *template, size_t size, const tn_str *out) {
  size_t slashes = 0, found = 0;
  for (size_t i = 0; i < size; i++) slashes += template[i] == '/';
  for (size_t i = 0; i < out->size; i++) {
    found += out->data[i] == '/';
    must(!memchr("?# \r\n", out->data[i], 6));
  }
  must(slashes == found);
  must(!strstr(out->data, "/../") && !strstr(out->data, "/./"));
}

static void render(const char *template, size_t size, tn_rest_position position,
                   const tn_rest_scope *scope) {
  tenon_error err = TENON_ERROR_INIT;
  bool absent = false;
  tn_str out;
  tn_str_init(&out, 4 << 20);
  tenon_status status = tn_rest_check_template(template, size, position, "it", &err);
  bool sound = !status;
  if (!status) status = tn_rest_render(template, size, position, scope, "it", &out, &absent, &err);
  if (status) must(err.code == status && *err.message && out.size == 0);
  else if (sound && !absent && position == TN_REST_PATH) check_path(template, size, &out);
  else if (sound && !absent && position == TN_REST_HEADER) must(!has_line_break(&out));
  else if (sound && !absent && position == TN_REST_QUERY)
    must(!out.data || !strpbrk(out.data, "&=# \r\n"));
  tn_str_release(&out);
}

/* What comes out is JSON, with as many members as went in at most. */
static void render_json(const char *template, size_t size, const tn_rest_scope *scope) {
  tn_json_text json, made;
  tenon_error err = TENON_ERROR_INIT;
  tn_str out;
  if (tn_json_text_check(template, size, &json, NULL) ||
      tn_rest_walk_json(json, "it", NULL, NULL, &err))
    return;
  tn_str_init(&out, 4 << 20);
  tn_error_init(&err);
  if (!tn_rest_render_json(json, scope, "it", &out, &err)) {
    must(!out.failed);
    tenon_status status = tn_json_text_check(out.data, out.size, &made, NULL);
    must(!status || status == TENON_LIMITED);
    if (!status && tn_json_text_type(json) == TN_JSON_OBJECT)
      must(tn_json_text_count(made) <= tn_json_text_count(json));
  } else {
    must(err.code && *err.message && out.size == 0);
  }
  tn_str_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const uint8_t *line = memchr(data, '\n', size);
  const char *template = (const char *)data;
  if (!line) return 0;
  size_t length = (size_t)(line - data);
  tn_rest_scope scope = {.layer_count = 1};
  const char *variables = template + length + 1;
  if (tn_json_text_check(variables, size - length - 1, &scope.layers[0], NULL)) return 0;
  for (int position = TN_REST_PATH; position <= TN_REST_XML; position++)
    if (position != TN_REST_TEXT) render(template, length, (tn_rest_position)position, &scope);
  render_json(template, length, &scope);
  return 0;
}
