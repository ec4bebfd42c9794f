/* SPDX-License-Identifier: Apache-2.0 */
/* URLs into settings: tests/cases/urls.txt, read for a kind with a host, one with a path, one that reads its own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "cases.h"
#include "core/connectors.h"

typedef struct place {
  uint64_t set;
  const char *host, *username, *password, *database, *path, *mode;
  int64_t port;
} place;

static const tenon_param host_rows[] = {
    {TENON_STRING(place, host), .key = "host", .label = "x", .help = "x"},
    {TENON_INTEGER(place, port), .key = "port", .label = "x", .help = "x"},
    {TENON_STRING(place, username), .key = "username", .label = "x", .help = "x",
     .aliases = "user"},
    {TENON_STRING(place, password), .key = "password", .label = "x", .help = "x",
     .flags = TENON_SECRET},
    {TENON_STRING(place, database), .key = "db", .label = "x", .help = "x",
     .aliases = "database,dbname"},
    {TENON_STRING(place, mode), .key = "mode", .label = "x", .help = "x"},
};
static const tenon_param path_rows[] = {
    {TENON_STRING(place, path), .key = "path", .label = "x", .help = "x"},
    {TENON_STRING(place, mode), .key = "mode", .label = "x", .help = "x"},
};

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config, tenon_test *t,
                         tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)t, (void)err;
  return TENON_OK;
}

static tenon_status open_it(tenon_ctx *ctx, const tenon_provider *p, const void *config, void **ret,
                            tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)ret, (void)err;
  return TENON_OK;
}

static void close_it(void *session) { (void)session; }

static tenon_status parse_own(const char *url, tenon_status (*set)(void *, const char *,
        const char *, tenon_error *), void *arg, tenon_error *err) {
  if (strstr(url, "bad"))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "my own complaint");
  return set(arg, "mode", url + strlen("own://"), err);
}

#define KIND(name, rows, own_parser)                                                                                       \
  static const tenon_provider name = {.struct_size = sizeof name, .abi = TENON_ABI, .kind = #name, .category = "sql",      \
                                      .label = "x", .summary = "x", .params = TENON_PARAMS(rows),                          \
                                      .config_size = sizeof(place), .test = test, .open = open_it, .close = close_it,      \
                                      .parse_url = own_parser}
KIND(db, host_rows, NULL);
KIND(store, path_rows, NULL);
KIND(own, path_rows, parse_own);

static tn_registry *registry;

static void answer(const char *input, char *text, size_t room) {
  const tenon_provider *p = NULL;
  tn_settings s;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_url_settings(registry, input, &p, &s, &err)) {
    snprintf(text, room, "error: %s", err.message);
    if (strstr(err.message, "s3cret")) fail_msg("%s", err.message);
    return;
  }
  size_t n = (size_t)snprintf(text, room, "%s", p->kind);
  for (size_t i = 0; i < s.count && n < room; i++)
    n += (size_t)snprintf(text + n, room - n, " %s=%s", s.items[i].key, s.items[i].value);
  tn_settings_release(&s);
}

static void urls(void **state) {
  (void)state;
  assert_int_equal(tn_registry_new(&registry, NULL), TENON_OK);
  assert_int_equal(tn_registry_add(registry, &db, NULL), TENON_OK);
  assert_int_equal(tn_registry_add(registry, &store, NULL), TENON_OK);
  assert_int_equal(tn_registry_add(registry, &own, NULL), TENON_OK);
  tn_run_cases("urls", 30, answer);
  tn_registry_free(registry);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(urls)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
