/* SPDX-License-Identifier: Apache-2.0 */
/* Templates of the kind rest_api: what values can do where they stand, and what they cannot. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "cases.h"
#include "providers/api/rest_api/template.h"

static const struct {
  const char *name;
  tn_rest_position position;
} positions[] = {{"path", TN_REST_PATH},
                 {"query", TN_REST_QUERY},
                 {"form", TN_REST_FORM},
                 {"header", TN_REST_HEADER},
                 {"xml", TN_REST_XML}};

/* Bytes beyond ASCII as \xHH. */
static void show(const tn_str *s, char *text, size_t room) {
  size_t n = 0;
  for (size_t i = 0; i < s->size && n + 5 < room; i++) {
    unsigned char c = (unsigned char)s->data[i];
    n += (size_t)snprintf(text + n, room - n, c >= 0x80 ? "\\x%02X" : "%c", c);
  }
  text[n] = 0;
}

static tenon_status render(const char *position, const char *template, const tn_rest_scope *scope,
                           tn_str *out, bool *absent, tenon_error *err) {
  tn_json_text json;
  for (size_t i = 0; i < sizeof positions / sizeof *positions; i++)
    if (strcmp(positions[i].name, position) == 0) {
      tenon_status status =
          tn_rest_check_template(template, strlen(template), positions[i].position, "it", err);
      return status ? status
                    : tn_rest_render(template, strlen(template), positions[i].position, scope, "it",
                                     out, absent, err);
    }
  if (strcmp(position, "check") == 0) {
    tenon_status status =
        tn_rest_check_template(template, strlen(template), TN_REST_PATH, "it", err);
    if (!status) tn_str_puts(out, "ok");
    return status;
  }
  tenon_status status = tn_json_text_check(template, strlen(template), &json, err);
  if (!status) status = tn_rest_walk_json(json, "it", NULL, NULL, err);
  if (!status) status = tn_rest_render_json(json, scope, "it", out, err);
  if (!status && tn_json_text_check(tn_str_text(out), out->size, &json, NULL))
    fail_msg("not JSON: %s", tn_str_text(out));
  return status;
}

static void answer(const char *input, char *text, size_t room) {
  char position[16], template[2000];
  const char *bar = strstr(input, " | "), *last = bar ? strstr(bar + 3, " | ") : NULL;
  tenon_error err = TENON_ERROR_INIT;
  tn_rest_scope scope = {.layer_count = 1};
  tn_str out;
  bool absent = false;
  if (!last) fail_msg("no case: %s", input);
  snprintf(position, sizeof position, "%.*s", (int)(bar - input), input);
  snprintf(template, sizeof template, "%.*s", (int)(last - bar - 3), bar + 3);
  tn_str_init(&out, 1 << 20);
  tn_str_puts(&out, "before");
  if (tn_json_text_check(last + 3, strlen(last + 3), &scope.layers[0], &err))
    fail_msg("%s: %s", input, err.message);
  tn_str_clear(&out);
  if (render(position, template, &scope, &out, &absent, &err)) {
    assert_int_equal(out.size, 0);
    snprintf(text, room, "error: %s", err.message);
  } else if (absent) {
    assert_int_equal(out.size, 0);
    snprintf(text, room, "absent");
  } else {
    show(&out, text, room);
  }
  tn_str_release(&out);
}

static void cases(void **state) {
  (void)state;
  tn_run_cases("templates", 95, answer);
}

static void the_first_layer_decides(void **state) {
  (void)state;
  tn_rest_scope scope = {
      .layers = {{"{\"a\":1,\"b\":null}", 16}, {NULL, 0}, {"{\"a\":2,\"b\":3}", 13}},
      .layer_count = 3};
  tn_json_text v;
  assert_true(tn_rest_lookup(&scope, "a", 1, &v));
  assert_memory_equal(v.data, "1", 1);
  assert_true(tn_rest_lookup(&scope, "b", 1, &v));
  assert_memory_equal(v.data, "3", 1);
  assert_false(tn_rest_lookup(&scope, "c", 1, &v));
}

/* What no value of any sort can do: every character in every position, then what came is read back. */
static void no_character_leaves_its_place(void **state) {
  (void)state;
  for (int c = 0; c < 0x80; c++) {
    char json[40];
    snprintf(json, sizeof json, "{\"v\":\"\\u%04x\"}", c);
    const tn_rest_scope scope = {.layers = {{json, strlen(json)}}, .layer_count = 1};
    tn_str out;
    bool absent;
    tn_str_init(&out, 1000);
    if (!tn_rest_render("/a/x{{v}}", 9, TN_REST_PATH, &scope, "it", &out, &absent, NULL)) {
      assert_int_equal(
          strspn(out.data + 4,
                 "%0123456789ABCDEFabcdefghijklmnopqrstuvwxyzGHIJKLMNOPQRSTUVWXYZ-._~"),
          out.size - 4);
      assert_true(c >= 0x20 && c != 0x7F);
    }
    tn_str_clear(&out);
    if (!tn_rest_render("{{v}}", 5, TN_REST_HEADER, &scope, "it", &out, &absent, NULL)) {
      assert_int_equal(out.size, 1);
      assert_true(c >= 0x20 && c != 0x7F);
    }
    tn_str_clear(&out);
    if (!tn_rest_render("{{v}}", 5, TN_REST_XML, &scope, "it", &out, &absent, NULL))
      assert_null(strpbrk(tn_str_text(&out), "<>\"'"));
    tn_str_release(&out);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(cases),
      cmocka_unit_test(the_first_layer_decides),
      cmocka_unit_test(no_character_leaves_its_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
