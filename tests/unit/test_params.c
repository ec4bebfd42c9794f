/* SPDX-License-Identifier: Apache-2.0 */
/* Parameter tables at work: every type and unit, all that is wrong at once, modes, references,
 * secrets, and what is generated from the rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/json.h"
#include "base/mem.h"
#include "core/params.h"

typedef struct shop_config {
  uint64_t set;
  const char *host, *username, *auth, *password, *certificate, *options, *cache;
  int64_t port, timeout, memory;
  double rate;
  bool tls;
  tenon_strings hosts, labels, tokens;
  tenon_blob ca;
} shop_config;

static const char *const auth_modes[] = {"none", "password", "certificate", NULL};

static const tenon_param shop_rows[] = {
    {TENON_STRING(shop_config, host), .key = "host", .label = "Host", .help = "where the server is",
     .flags = TENON_REQUIRED, .group = "Server"},
    {TENON_INTEGER(shop_config, port), .key = "port", .label = "Port", .help = "where it listens",
     .default_value = "5432", .min = 1, .max = 65535, .group = "Server"},
    {TENON_STRING(shop_config, username), .key = "username", .label = "User", .help = "who you are",
     .aliases = "user,login", .group = "Login"},
    {TENON_ENUM(shop_config, auth), .key = "auth", .label = "Login by", .help = "how you show it",
     .choices = auth_modes, .default_value = "none", .group = "Login"},
    {TENON_STRING(shop_config, password), .key = "password", .label = "Password",
     .help = "what you know", .flags = TENON_REQUIRED | TENON_SECRET, .when =
         "auth=password", .group = "Login"},
    {TENON_STRING(shop_config, certificate), .key = "certificate", .label = "Certificate",
     .help = "what you have", .flags = TENON_REQUIRED, .when = "auth=certificate", .group =
         "Login"},
    {TENON_DURATION(shop_config, timeout), .key = "timeout", .label = "Timeout",
     .help = "how long to wait", .default_value = "15s", .min = 1, .max = 3600000},
    {TENON_SIZE(shop_config, memory), .key = "memory", .label = "Memory", .help = "how much of it",
     .min = 1024, .max = INT64_MAX},
    {TENON_NUMBER(shop_config, rate), .key = "rate", .label = "Rate", .help = "how fast",
     .default_value = "0.5", .min = 0, .max = 100},
    {TENON_BOOLEAN(shop_config, tls), .key = "tls", .label = "TLS", .help = "whether to hide it",
     .default_value = "yes"},
    {TENON_FILE(shop_config, ca), .key = "ca", .label = "CA", .help = "whom to trust",
     .when = "tls=true"},
    {TENON_LIST(shop_config, hosts), .key = "hosts", .label = "Hosts", .help = "more of them"},
    {TENON_MAP(shop_config, labels), .key = "labels", .label = "Labels",
     .help = "names for things"},
    {TENON_MAP(shop_config, tokens), .key = "tokens", .label = "Tokens", .help = "what opens doors",
     .flags = TENON_SECRET},
    {TENON_JSON(shop_config, options), .key = "options", .label = "Options",
     .help = "all else | or more"},
    {TENON_PATH(shop_config, cache), .key = "cache", .label = "Cache", .help = "a folder",
     .flags = TENON_LOCAL},
};

static const tenon_provider shop = {.struct_size = sizeof(tenon_provider), .kind = "shop",
                                    .category = "sql", .label = "Shop",
                                    .summary = "A shop.", .params =
                                        TENON_PARAMS(shop_rows), .config_size =
                                            sizeof(shop_config)};

typedef const char *const pairs[];

static tenon_status check(const char *const *kv, tn_config **ret, tenon_error *err) {
  tn_settings s;
  tn_settings_init(&s);
  for (; *kv; kv += 2) assert_int_equal(tn_settings_set(&s, kv[0], kv[1], NULL), TENON_OK);
  tn_error_init(err);
  tenon_status status = tn_config_new(&shop, &s, ret, err);
  tn_settings_release(&s);
  return status;
}

static tn_config *good(const char *const *kv) {
  tenon_error err;
  tn_config *config = NULL;
  if (check(kv, &config, &err)) fail_msg("%s", err.message);
  return config;
}

/* What is said of a wrong configuration, which holds each of the texts. */
static void wrong(const char *const *kv, const char *const *texts) {
  tenon_error err;
  tn_config *config = (tn_config *)0x1;
  assert_int_equal(check(kv, &config, &err), TENON_CONFIG);
  assert_ptr_equal(config, (tn_config *)0x1);
  assert_int_equal(err.stage, TENON_STAGE_CONFIG);
  assert_non_null(strstr(err.remedy, "tenon kinds shop"));
  for (; *texts; texts++)
    if (!strstr(err.message, *texts)) fail_msg("\"%s\" is not in \"%s\"", *texts, err.message);
}

static void table_is_sane(void **state) {
  (void)state;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_params_check(&shop, &err) || tn_config_check_defaults(&shop, &err))
    fail_msg("%s", err.message);
}

static void defaults_and_values_of_each_type(void **state) {
  (void)state;
  tn_config *config = good((pairs){"host", "db", "memory", "1.5G", "hosts", "a,\"b,c\",d\"\"e",
                                   "labels", "k=v,l=\"w,x\"", "options",
                                   "{\"a\":[1,2]}", "cache", "/tmp", "ca", "-----BEGIN\nx\n", "rate", "1e-3", NULL});
  const shop_config *c = config->data;
  assert_string_equal(c->host, "db");
  assert_int_equal(c->port, 5432);
  assert_null(c->username);
  assert_string_equal(c->auth, "none");
  assert_null(c->password);
  assert_int_equal(c->timeout, 15000);
  assert_int_equal(c->memory, 1610612736);
  assert_true(c->rate == 0.001);
  assert_true(c->tls);
  assert_int_equal(c->hosts.count, 3);
  assert_string_equal(c->hosts.items[1], "b,c");
  assert_int_equal(c->labels.count, 4);
  assert_string_equal(c->labels.items[3], "w,x");
  assert_string_equal(c->options, "{\"a\":[1,2]}");
  assert_int_equal(c->ca.size, 13);
  assert_true(c->set & 1);
  assert_false(c->set >> 2 & 1);
  assert_non_null(tn_config_value(config, "port", TENON_PARAM_INTEGER));
  assert_null(tn_config_value(config, "port", TENON_PARAM_STRING));
  assert_null(tn_config_value(config, "username", TENON_PARAM_STRING));
  tn_config_free(config);
}

static void json_lists_and_maps(void **state) {
  (void)state;
  tn_config *config = good((pairs){"host", "db", "hosts", "[\"a\",\"b\\\"c\"]", "labels",
                                   "{\"k\":\"v=1\"}", NULL});
  const shop_config *c = config->data;
  assert_string_equal(c->hosts.items[1], "b\"c");
  assert_string_equal(c->labels.items[0], "k");
  assert_string_equal(c->labels.items[1], "v=1");
  tn_config_free(config);
  wrong((pairs){"host", "db", "hosts", "[1]", "labels", "{\"k\":[]}", NULL},
        (pairs){"hosts: \"[1]\" holds something that is not a text", "labels: ", NULL});
  wrong((pairs){"host", "db", "hosts", "\"a", "labels", "kv", NULL},
        (pairs){"hosts: \"\"a\" has a quote that is not closed", "labels: \"kv\" is not a map",
                NULL});
}

static void a_list_where_one_value_is_wanted(void **state) {
  (void)state;
  tn_settings s;
  tn_config *config;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings_init(&s);
  const tn_setting list = {.key = "host", .value = "[\"a\",\"b\"]", .is_structured = true};
  assert_int_equal(tn_settings_add(&s, &list, NULL), TENON_OK);
  assert_int_equal(tn_config_new(&shop, &s, &config, &err), TENON_CONFIG);
  assert_non_null(strstr(err.message, "host: a list or map stands where one value is wanted"));
  tn_settings_release(&s);
}

static void every_wrong_field_at_once(void **state) {
  (void)state;
  wrong((pairs){"prot", "1", "port", "99999", "auth", "pasword", "timeout", "soon", "memory", "1",
                "rate", "101", "tls", "maybe",
                "options", "{", "cache", "", "zzzzzzzz", "x", NULL},
        (pairs){"shop: ", "prot: no such parameter (did you mean port?)", "host: is required",
                "port: \"99999\" is more than 65535",
                "auth: \"pasword\" is none of none, password, certificate (did you mean password?)",
                "timeout: \"soon\" is not a duration", "memory: \"1\" is less than 1024 bytes", "rate: \"101\" is not between 0 and 100",
                "tls: \"maybe\" is neither true nor false", "options: \"{\" is not JSON", "cache: \"\" is empty",
                "zzzzzzzz: no such parameter;", NULL});
}

static void aliases_and_the_last_wins(void **state) {
  (void)state;
  tn_config *config = good((pairs){"host", "a", "user", "ann", "login", "bob", "host", "b", NULL});
  const shop_config *c = config->data;
  assert_string_equal(c->host, "b");
  assert_string_equal(c->username, "bob");
  tn_config_free(config);
  config = good((pairs){"host", "a", "login", "bob", "user", "ann", "username", "eve", "login",
                        "bob", NULL});
  assert_string_equal(((const shop_config *)config->data)->username, "bob");
  tn_config_free(config);
}

static void modes(void **state) {
  (void)state;
  wrong((pairs){"host", "a", "auth", "password", NULL},
        (pairs){"password: is required (auth=password)", NULL});
  wrong((pairs){"host", "a", "auth", "password", "password", "x", "certificate", "c", NULL},
        (pairs){"certificate: is only for auth=certificate", NULL});
  wrong((pairs){"host", "a", "password", "x", NULL}, (pairs){"password: is only for auth=password",
                                                             NULL});
  wrong((pairs){"host", "a", "tls", "off", "ca", "x", NULL},
        (pairs){"ca: is only for tls=true", NULL});
  tn_config_free(good((pairs){"host", "a", "auth", "password", "password", "x", "tls", "ON", "ca",
                              "x", NULL}));
  /* a mode that is wrong says nothing about what it would need */
  tenon_error err;
  tn_config *config;
  assert_int_equal(check((pairs){"host", "a", "auth", "x", "password", "p", NULL}, &config, &err),
                   TENON_CONFIG);
  assert_null(strstr(err.message, "password: is"));
  assert_null(strstr(err.message, "certificate: is"));
}

static void references(void **state) {
  (void)state;
  char path[] = "/tmp/tenon-params-XXXXXX";
  int fd = mkstemp(path);
  assert_int_equal(write(fd, "s3cret-f\n", 9), 9);
  close(fd);
  char reference[64], relative[64];
  snprintf(reference, sizeof reference, "$FILE:%s", path);
  setenv("TENON_TEST_PORT", "6000", 1);
  unsetenv("TENON_TEST_NONE");
  tn_config *config = good((pairs){"host", "$$ENV:X", "port", "$ENV:TENON_TEST_PORT", "auth",
                                   "password", "password", reference,
                                   "ca", reference, "hosts", "[\"$ENV:TENON_TEST_PORT\"]", NULL});
  const shop_config *c = config->data;
  assert_string_equal(c->host, "$ENV:X");
  assert_int_equal(c->port, 6000);
  assert_string_equal(c->password, "s3cret-f");
  assert_int_equal(c->ca.size, 9);
  assert_string_equal(c->hosts.items[0], "6000");
  tn_config_free(config);
  wrong((pairs){"host", "$ENV:TENON_TEST_NONE", "ca", "$FILE:/nowhere/at/all", NULL},
        (pairs){"host: the environment variable TENON_TEST_NONE is not set",
                "ca: /nowhere/at/all: No such file", NULL});
  /* what a file holds is not shown, whatever the parameter */
  tenon_error err;
  assert_int_equal(check((pairs){"host", "a", "port", reference, NULL}, &config, &err),
                   TENON_CONFIG);
  assert_null(strstr(err.message, "s3cret"));
  assert_non_null(strstr(err.message, "port: the value is not a whole number"));
  /* relative paths start where the setting says */
  tn_settings s;
  tn_settings_init(&s);
  snprintf(relative, sizeof relative, "$FILE:%s", path + 5);
  const tn_setting host = {.key = "host", .value = relative, .base = "/tmp"}, cache =
      {.key = "cache", .value = "c", .base = "/tmp"};
  assert_int_equal(tn_settings_add(&s, &host, NULL), TENON_OK);
  assert_int_equal(tn_settings_add(&s, &cache, NULL), TENON_OK);
  assert_int_equal(tn_config_new(&shop, &s, &config, NULL), TENON_OK);
  assert_string_equal(((const shop_config *)config->data)->host, "s3cret-f");
  assert_string_equal(((const shop_config *)config->data)->cache, "/tmp/c");
  tn_config_free(config);
  tn_settings_release(&s);
  unlink(path);
}

static void secrets_stay_out_of_messages(void **state) {
  (void)state;
  tn_config *config = good((pairs){"host", "a", "auth", "password", "password", "hunter two",
                                   "tokens", "a=canary-1,b=canary-2", NULL});
  tenon_error err = TENON_ERROR_INIT;
  tenon_fail(&err, TENON_IO, TENON_STAGE_AUTH, "not hunter%20two",
             "login with hunter two, canary-1 and canary-2 failed");
  tn_config_redact(config, &err);
  assert_string_equal(err.message, "login with ***, *** and *** failed");
  assert_string_equal(err.remedy, "not ***");
  tn_config_free(config);
  assert_int_equal(check((pairs){"host", "a", "passwort", "hunter two", "tokens", "canary-1", NULL},
                         &config, &err), TENON_CONFIG);
  assert_null(strstr(err.message, "hunter"));
  assert_null(strstr(err.message, "canary"));
}

static void units(void **state) {
  (void)state;
  static const struct { const char *text; int64_t ms; } durations[] = {
      {"90", 90000}, {"0", 0}, {"250ms", 250}, {"90s", 90000}, {"5m", 300000}, {"5min",
              300000}, {"1h", 3600000}, {"2d", 172800000},
      {"1.5h", 5400000}, {"0.001s", 1}, {"1.5", 1500}};
  for (size_t i = 0; i < sizeof durations / sizeof durations[0]; i++) {
    int64_t ms = -1;
    assert_true(tn_parse_duration(durations[i].text, &ms));
    assert_int_equal(ms, durations[i].ms);
  }
  static const char *const no_durations[] = {"", "-1", "1x", "s", "1 s", "0.0001s", "1.", ".5",
                                             "99999999999999999999", "9223372036854775807h", "1e3", "1h30m"};
  for (size_t i = 0; i < sizeof no_durations / sizeof no_durations[0]; i++) {
    int64_t ms = -7;
    if (tn_parse_duration(no_durations[i], &ms)) fail_msg("%s", no_durations[i]);
    assert_int_equal(ms, -7);
  }
  static const struct { const char *text; int64_t bytes; } sizes[] = {
      {"512", 512}, {"64K", 65536}, {"64kb", 65536}, {"64M", 67108864}, {"1.5G",
              1610612736}, {"1TiB", 1099511627776}, {"7B", 7}};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
    int64_t bytes = -1;
    assert_true(tn_parse_size(sizes[i].text, &bytes));
    assert_int_equal(bytes, sizes[i].bytes);
  }
  int64_t n = -7;
  assert_false(tn_parse_size("1.0001K", &n) || tn_parse_size("64X", &n) ||
               tn_parse_size("9000000T", &n));
  assert_false(tn_parse_integer("", &n) || tn_parse_integer("1x", &n) ||
               tn_parse_integer(" 1", &n) || tn_parse_integer("9223372036854775808", &n));
  assert_int_equal(n, -7);
  assert_true(tn_parse_integer("-9223372036854775808", &n) && n == INT64_MIN);
  assert_true(tn_parse_integer("9223372036854775807", &n) && n == INT64_MAX);
}

static void tables_that_cannot_work(void **state) {
  (void)state;
  static const char *const choices[] = {"a", NULL};
  static const struct { tenon_param row; const char *says; } cases[] = {
      {{TENON_STRING(shop_config, host), .key = "Host", .label = "x", .help = "x"},
       "has no key of lower case"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x"}, "has no label or no help"},
      {{TENON_STRING(shop_config, host), .key = "port", .label = "x", .help = "x"},
       "has the key of another row"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x", .help = "x",
        .aliases = "a,port"}, "has an alias"},
      {{.type = TENON_PARAM_STRING, .offset = 0, .key = "x", .label = "x", .help = "x"},
       "has no place in the config struct"},
      {{.type = TENON_PARAM_STRING, .offset = sizeof(shop_config), .key = "x", .label = "x",
        .help = "x"}, "lies outside"},
      {{TENON_INTEGER(shop_config, port), .key = "x", .label = "x", .help = "x"},
       "has the place of another row"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x", .help = "x", .choices = choices},
       "has choices and is no choice"},
      {{TENON_ENUM(shop_config, auth), .key = "x", .label = "x", .help = "x", .choices = choices,
        .default_value = "b"}, "none of its choices"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x", .help = "x", .when = "auth=a"},
       "depends on no row before it"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x", .help = "x", .when = "port=a"},
       "neither a choice nor a boolean"},
      {{TENON_STRING(shop_config, host), .key = "x", .label = "x", .help = "x",
        .flags = TENON_SECRET, .default_value = "x"}, "is secret and has a default"},
  };
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
    tenon_param rows[] = {{TENON_INTEGER(shop_config, port), .key = "port", .label = "Port",
                           .help = "x"}, cases[i].row};
    tenon_provider p = {.kind = "k", .params = TENON_PARAMS(rows),
                        .config_size = sizeof(shop_config)};
    tenon_error err = TENON_ERROR_INIT;
    assert_int_equal(tn_params_check(&p, &err), TENON_INTERNAL);
    if (!strstr(err.message, cases[i].says)) fail_msg("%zu: %s", i, err.message);
  }
  tenon_param bad[] = {{TENON_INTEGER(shop_config, port), .key = "port", .label = "x", .help = "x",
                        .default_value = "many"}};
  tenon_provider p = {.kind = "k", .params = TENON_PARAMS(bad), .config_size = sizeof(shop_config)};
  tenon_error err = TENON_ERROR_INIT;
  assert_int_equal(tn_config_check_defaults(&p, &err), TENON_INTERNAL);
}

static void failing_allocations(void **state) {
  (void)state;
  for (int64_t n = 1; n < 200; n++) {
    tn_settings s;
    tn_config *config = NULL;
    tn_settings_init(&s);
    assert_int_equal(tn_settings_set(&s, "host", "db", NULL), TENON_OK);
    assert_int_equal(tn_settings_set(&s, "hosts", "a,b,c", NULL), TENON_OK);
    assert_int_equal(tn_settings_set(&s, "tokens", "{\"a\":\"b\"}", NULL), TENON_OK);
    tenon_error err = TENON_ERROR_INIT;
    tn_mem_fail_at(n, 0);
    tenon_status status = tn_config_new(&shop, &s, &config, &err);
    int64_t made = tn_mem_count();
    tn_mem_fail_at(0, 0);
    tn_settings_release(&s);
    if (status == TENON_OK) tn_config_free(config);
    if (made < n) return;
    if (status && status != TENON_LIMITED) fail_msg("%s", err.message);
  }
  fail_msg("it never ends");
}

/* ---- What is generated ---- */

static void help_text(void **state) {
  (void)state;
  tn_str s;
  tn_str_init(&s, 1 << 16);
  assert_true(tn_params_help(&shop, 80, &s));
  const char *text = tn_str_text(&s);
  assert_non_null(strstr(text,
                         "Shop (shop)\nA shop.\n\nServer\n  host             text     where the server is (required)\n"));
  assert_non_null(strstr(text,
                         "  auth             choice   how you show it (one of none, password, certificate;\n"
                               "                            default none)\n"));
  for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
    if (strcspn(line, "\n") > 80) fail_msg("%.*s", (int)strcspn(line, "\n"), line);
  tn_str_release(&s);
}

static void json_schema(void **state) {
  (void)state;
  tn_str s;
  tn_str_init(&s, 1 << 16);
  assert_true(tn_params_json_schema(&shop, &s));
  tn_json *root;
  assert_int_equal(tn_json_parse(tn_str_text(&s), s.size, &root, NULL), TENON_OK);
  const tn_json *properties = tn_json_get(root, "properties");
  assert_int_equal(tn_json_count(properties), sizeof shop_rows / sizeof shop_rows[0]);
  assert_true(tn_json_bool(tn_json_get(tn_json_get(properties, "password"), "writeOnly")));
  assert_null(tn_json_get(tn_json_get(properties, "host"), "writeOnly"));
  assert_int_equal(tn_json_integer(tn_json_get(tn_json_get(properties, "port"), "default")), 5432);
  assert_int_equal(tn_json_count(tn_json_get(root, "required")), 1);
  const tn_json *modes_of = tn_json_get(root, "allOf");
  assert_int_equal(tn_json_count(modes_of), 2);
  const tn_json *branches = tn_json_get(tn_json_at(modes_of, 0), "oneOf");
  assert_int_equal(tn_json_count(branches), 3);
  /* the default's branch needs no key, the others do, and say what they require */
  assert_int_equal(tn_json_count(tn_json_get(tn_json_at(branches, 0), "required")), 0);
  assert_string_equal(tn_json_string(tn_json_at(tn_json_get(tn_json_at(branches, 1), "required"),
                                                1)), "password");
  tn_json_free(root);
  tn_str_release(&s);
}

static void markdown(void **state) {
  (void)state;
  tn_str s;
  tn_str_init(&s, 1 << 16);
  assert_true(tn_params_markdown(&shop, &s));
  assert_non_null(strstr(tn_str_text(&s), "| `options` | JSON | all else \\| or more |  |\n"));
  assert_non_null(strstr(tn_str_text(&s), "### Login\n"));
  tn_str_release(&s);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(table_is_sane),
      cmocka_unit_test(defaults_and_values_of_each_type),
      cmocka_unit_test(json_lists_and_maps),
      cmocka_unit_test(a_list_where_one_value_is_wanted),
      cmocka_unit_test(every_wrong_field_at_once),
      cmocka_unit_test(aliases_and_the_last_wins),
      cmocka_unit_test(modes),
      cmocka_unit_test(references),
      cmocka_unit_test(secrets_stay_out_of_messages),
      cmocka_unit_test(units),
      cmocka_unit_test(tables_that_cannot_work),
      cmocka_unit_test(failing_allocations),
      cmocka_unit_test(help_text),
      cmocka_unit_test(json_schema),
      cmocka_unit_test(markdown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
