/* SPDX-License-Identifier: Apache-2.0 */
/* tenon.yaml: what is read, what is refused and at which line, where it is found. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "core/connectors.h"

static char folder[64];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/tenon-connectors-XXXXXX");
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  char command[128];
  snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static const char *write_file(const char *text) {
  static char path[128];
  snprintf(path, sizeof path, "%s/tenon.yaml", folder);
  FILE *f = fopen(path, "w");
  assert_non_null(f);
  assert_int_equal(fwrite(text, 1, strlen(text), f), strlen(text));
  fclose(f);
  return path;
}

static const char *value_of(const tn_settings *s, const char *key) {
  for (size_t i = 0; i < s->count; i++)
    if (strcmp(s->items[i].key, key) == 0) return s->items[i].value;
  return NULL;
}

static void values_stay_texts(void **state) {
  (void)state;
  const char *path = write_file(
      "# ours\n"
      "connectors:\n"
      "  pg-prod:\n"
      "    kind: postgresql\n"
      "    host: db.example.com\n"
      "    port: 05432\n"
      "    username: no\n"
      "    password: $ENV:PG_PASSWORD\n"
      "    application_name: 1e3\n"
      "    sslrootcert: ~\n"
      "    options: {a: 1, b: \"x,y\"}\n"
      "    search: [one, 'two, three']\n"
      "  files_2: {kind: files, root: ./data}\n");
  tn_connectors *c;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings s;
  const char *kind;
  assert_int_equal(tn_connectors_load(path, &c, &err), TENON_OK);
  assert_int_equal(tn_connectors_count(c), 2);
  assert_string_equal(tn_connectors_name(c, 1), "files_2");
  assert_int_equal(tn_connectors_get(c, "pg-prod", &kind, &s, &err), TENON_OK);
  assert_string_equal(kind, "postgresql");
  assert_string_equal(value_of(&s, "port"), "05432");
  assert_string_equal(value_of(&s, "username"), "no");
  assert_string_equal(value_of(&s, "password"), "$ENV:PG_PASSWORD");
  assert_string_equal(value_of(&s, "application_name"), "1e3");
  assert_null(value_of(&s, "sslrootcert"));
  assert_string_equal(value_of(&s, "options"), "{\"a\":\"1\",\"b\":\"x,y\"}");
  assert_string_equal(value_of(&s, "search"), "[\"one\",\"two, three\"]");
  assert_string_equal(s.items[0].base, folder);
  tn_settings_release(&s);
  assert_int_equal(tn_connectors_get(c, "pgprod", &kind, &s, &err), TENON_NOT_FOUND);
  assert_non_null(strstr(err.remedy, "pg-prod"));
  tn_connectors_free(c);
}

static void nested_values_become_json(void **state) {
  (void)state;
  const char *path = write_file(
      "connectors:\n"
      "  api:\n"
      "    kind: rest_api\n"
      "    endpoints:\n"
      "      orders:\n"
      "        path: /orders\n"
      "        query: {size: 100, code: '100', page: \"{{page}}\", old: 05, day: 2024-01-01}\n"
      "        flags: [true, no, null, ~, -1.50, 1e3, \"a\\\"b\"]\n");
  tn_connectors *c;
  tn_settings s;
  const char *kind;
  assert_int_equal(tn_connectors_load(path, &c, NULL), TENON_OK);
  assert_int_equal(tn_connectors_get(c, "api", &kind, &s, NULL), TENON_OK);
  assert_string_equal(value_of(&s, "endpoints"),
                      "{\"orders\":{\"path\":\"/orders\",\"query\":{\"size\":100,\"code\":\"100\",\"page\":\"{{page}}\","
                      "\"old\":\"05\",\"day\":\"2024-01-01\"},\"flags\":[true,\"no\",null,null,-1.50,1e3,\"a\\\"b\"]}}");
  tn_settings_release(&s);
  tn_connectors_free(c);
}

static void wrong_files_are_refused_with_their_line(void **state) {
  (void)state;
  static const struct { const char *text, *says; } cases[] = {
      {"connectors: 5\n", "line 1: connectors is to be a mapping"},
      {"connector:\n  a: {kind: x}\n", "line 1: only `connectors`"},
      {"connectors:\n  a: {kind: x}\nconnectors: {}\n", "line 3: connectors stands here twice"},
      {"connectors:\n  a: 5\n", "line 2: a connector is to be a mapping"},
      {"connectors:\n  a:\n    host: h\n", "line 2: a connector without a kind"},
      {"connectors:\n  a:\n    kind: [x]\n", "line 3: kind is to be one word"},
      {"connectors:\n  a b: {kind: x}\n", "line 2: that is not a connector's name"},
      {"connectors:\n  9a: {kind: x}\n", "line 2: that is not a connector's name"},
      {"connectors:\n  a: {kind: x}\n  a: {kind: y}\n", "line 3: a second connector"},
      {"connectors:\n  a:\n    kind: x\n    host: 1\n    host: 2\n", "line 5: this parameter stands here twice"},
      {"connectors:\n  a:\n    kind: x\n    kind: y\n", "line 4: this parameter stands here twice"},
      {"connectors:\n  a: &x {kind: x}\n", "line 2: anchors and aliases"},
      {"connectors:\n  a: {kind: x, h: *b}\n", "line 2: anchors and aliases"},
      {"connectors:\n  a: {kind: x, map: {[1]: 2}}\n", "line 2: a name is to be a single word"},
      {"connectors:\n  a: {kind: x, [1]: 2}\n", "line 2: a parameter's name"},
      {"connectors:\n\ta: 1\n", "line 2"},
      {"connectors: {a: {kind: x}\n", "line 2"},
      {"- a\n", "line 1: the file is to be a mapping"},
      {"connectors: {}\n---\nconnectors: {}\n", "line 2: a second document"},
      {"connectors:\n  a: {kind: \"x\\0y\"}\n", "line 2"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tn_connectors *c;
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_connectors_load(write_file(cases[i].text), &c, &err), TENON_CONFIG);
    if (!strstr(err.message, cases[i].says)) fail_msg("%s\n%s", cases[i].text, err.message);
    assert_int_equal(err.stage, TENON_STAGE_CONFIG);
  }
}

static void empty_files_are_empty_sets(void **state) {
  (void)state;
  static const char *const cases[] = {"", "# nothing\n", "connectors:\n", "connectors: {}\n", "---\n"};
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tn_connectors *c;
    assert_int_equal(tn_connectors_load(write_file(cases[i]), &c, NULL), TENON_OK);
    assert_int_equal(tn_connectors_count(c), 0);
    tn_connectors_free(c);
  }
}

static void the_nearest_file_above_is_found(void **state) {
  (void)state;
  char deep[160], before[4096];
  tn_connectors *c;
  const char *kind;
  tn_settings s;
  tenon_error err = TENON_ERROR_INIT;
  assert_non_null(getcwd(before, sizeof before));
  const char *path = write_file("connectors:\n  here: {kind: files}\n");
  snprintf(deep, sizeof deep, "%s/a", folder);
  assert_int_equal(mkdir(deep, 0700), 0);
  snprintf(deep, sizeof deep, "%s/a/b", folder);
  assert_int_equal(mkdir(deep, 0700), 0);
  assert_int_equal(chdir(deep), 0);
  assert_int_equal(tn_connectors_load(NULL, &c, NULL), TENON_OK);
  assert_string_equal(tn_connectors_path(c), path);
  tn_connectors_free(c);
  unlink(path);
  assert_int_equal(tn_connectors_load(NULL, &c, NULL), TENON_OK);
  assert_null(tn_connectors_path(c));
  assert_int_equal(tn_connectors_get(c, "here", &kind, &s, &err), TENON_NOT_FOUND);
  assert_non_null(strstr(err.message, "there is no tenon.yaml"));
  tn_connectors_free(c);
  assert_int_equal(chdir(before), 0);
  assert_int_equal(tn_connectors_load(path, &c, NULL), TENON_NOT_FOUND);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(values_stay_texts), cmocka_unit_test(nested_values_become_json),
      cmocka_unit_test(wrong_files_are_refused_with_their_line),
      cmocka_unit_test(empty_files_are_empty_sets), cmocka_unit_test(the_nearest_file_above_is_found)};
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
