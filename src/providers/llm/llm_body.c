/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of requests: JSON, and the pieces of conversations that several services write alike. */
#include <string.h>

#include "llm.h"

void tn_llm_body_init(tn_llm_body *b) {
  tn_str_init(&b->text, TN_LLM_MAX_REQUEST);
  tn_json_writer_init(&b->json, &b->text);
  tn_json_open(&b->json, '{');
}

void tn_llm_body_release(tn_llm_body *b) { tn_str_release(&b->text); }

void tn_llm_put(tn_llm_body *b, const char *key, const char *text) {
  tn_json_key(&b->json, key);
  tn_json_put_string(&b->json, text);
}

void tn_llm_put_raw(tn_llm_body *b, const char *key, const char *json) {
  tn_json_key(&b->json, key);
  tn_json_put_raw(&b->json, json);
}

void tn_llm_put_bool(tn_llm_body *b, const char *key, bool v) {
  tn_json_key(&b->json, key);
  tn_json_put_bool(&b->json, v);
}

void tn_llm_put_integer(tn_llm_body *b, const char *key, int64_t v) {
  tn_json_key(&b->json, key);
  tn_json_put_integer(&b->json, v);
}

void tn_llm_put_number(tn_llm_body *b, const char *key, double v) {
  tn_json_key(&b->json, key);
  tn_json_put_number(&b->json, v);
}

void tn_llm_put_texts(tn_llm_body *b, const char *key, const char *const *texts, size_t count) {
  tn_json_key(&b->json, key);
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < count; i++) tn_json_put_string(&b->json, texts[i]);
  tn_json_close(&b->json);
}

/* ---- Messages ---- */

size_t tn_llm_parts(const tenon_message *m, tenon_part_type type) {
  size_t n = 0;
  for (size_t i = 0; i < m->part_count; i++) n += m->parts[i].type == type;
  return n;
}

tenon_status tn_llm_put_content(tn_llm_body *b, const tenon_message *m, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, TN_LLM_MAX_REQUEST);
  for (size_t i = 0; i < m->part_count; i++)
    if (m->parts[i].type == TENON_PART_TEXT) {
      if (text.size) tn_str_putc(&text, '\n');
      tn_str_puts(&text, m->parts[i].text);
    }
  bool ok = !text.failed;
  if (ok) tn_llm_put(b, "content", tn_str_text(&text));
  tn_str_release(&text);
  return ok ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_llm_put_base64(tn_llm_body *b, const char *prefix, const void *data, size_t size,
                               tenon_error *err) {
  tn_str text;
  tn_str_init(&text, TN_LLM_MAX_REQUEST);
  bool ok = tn_str_puts(&text, prefix) && tn_base64_encode(&text, data, size);
  if (ok) tn_json_put_text(&b->json, text.data, text.size);
  tn_str_release(&text);
  return ok ? TENON_OK : tn_no_memory(err);
}

/* ---- Tools ---- */

static void put_function(tn_llm_body *b, const tenon_tool *t) {
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "type", "function");
  tn_json_key(&b->json, "function");
  tn_json_open(&b->json, '{');
  tn_llm_put(b, "name", t->name);
  if (t->description) tn_llm_put(b, "description", t->description);
  tn_llm_put_raw(b, "parameters",
                 t->parameters ? t->parameters : "{\"type\":\"object\",\"properties\":{}}");
  tn_json_close(&b->json);
  tn_json_close(&b->json);
}

void tn_llm_put_functions(tn_llm_body *b, const tenon_chat *c) {
  if (!c->tool_count) return;
  tn_json_key(&b->json, "tools");
  tn_json_open(&b->json, '[');
  for (size_t i = 0; i < c->tool_count; i++) put_function(b, &c->tools[i]);
  tn_json_close(&b->json);
}
