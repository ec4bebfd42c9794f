/* SPDX-License-Identifier: Apache-2.0 */
/* URLs into settings, and those into a configuration: whatever comes is read or refused. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/connectors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct place {
  uint64_t set;
  const char *host, *username, *password, *database, *mode;
  int64_t port, timeout, memory;
  tenon_strings hosts, labels;
} place;

static const char *const modes[] = {"a", "b", NULL};

static const tenon_param rows[] = {
    {TENON_STRING(place, host), .key = "host", .label = "x", .help = "x"},
    {TENON_INTEGER(place, port), .key = "port", .label = "x", .help = "x", .min = 1, .max = 65535},
    {TENON_STRING(place, username), .key = "username", .label = "x", .help = "x"},
    {TENON_STRING(place, password), .key = "password", .label = "x", .help = "x",
     .flags = TENON_SECRET},
    {TENON_STRING(place, database), .key = "database", .label = "x", .help = "x"},
    {TENON_ENUM(place, mode), .key = "mode", .label = "x", .help = "x", .choices = modes},
    {TENON_DURATION(place, timeout), .key = "timeout", .label = "x", .help = "x"},
    {TENON_SIZE(place, memory), .key = "memory", .label = "x", .help = "x"},
    {TENON_LIST(place, hosts), .key = "hosts", .label = "x", .help = "x", .when = "mode=a"},
    {TENON_MAP(place, labels), .key = "labels", .label = "x", .help = "x"},
};

static tenon_status test(tenon_ctx *ctx, const tenon_provider *p, const void *config,
                         tenon_test *t, tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)t, (void)err;
  return TENON_OK;
}

static tenon_status open_it(tenon_ctx *ctx, const tenon_provider *p, const void *config,
                            void **ret, tenon_error *err) {
  (void)ctx, (void)p, (void)config, (void)ret, (void)err;
  return TENON_OK;
}

static void close_it(void *session) { (void)session; }

static const tenon_provider db = {
    .struct_size = sizeof db, .abi = TENON_ABI, .kind = "db", .category = "sql", .label = "x",
    .summary = "x", .params = TENON_PARAMS(rows), .config_size = sizeof(place), .test = test,
    .open = open_it, .close = close_it};

static void configure(const tenon_provider *p, const tn_settings *settings) {
  tn_config *config;
  /* files and variables of this machine are no business of a fuzzer */
  for (size_t i = 0; i < settings->count; i++)
    if (strstr(settings->items[i].value, "$FILE:") || strstr(settings->items[i].value, "$ENV:"))
      return;
  tenon_error err = TENON_ERROR_INIT;
  if (tn_config_new(p, settings, &config, &err) == TENON_OK) tn_config_free(config);
  else if (!err.message[0]) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static tn_registry *registry;
  const tenon_provider *p;
  tn_settings settings;
  if (!registry && (tn_registry_new(&registry, NULL) || tn_registry_add(registry, &db, NULL)))
    abort();
  char *url = malloc(size + 6);
  if (!url) return 0;
  memcpy(url, "db://", 5);
  if (size) memcpy(url + 5, data, size);
  url[size + 5] = 0;
  if (tn_url_settings(registry, url, &p, &settings, NULL) == TENON_OK) {
    configure(p, &settings);
    tn_settings_release(&settings);
  }
  free(url);
  return 0;
}
