/* SPDX-License-Identifier: Apache-2.0 */
#include "unit/rest_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "base/error.h"
#include "contract/rest_server.h"
#include "core/registry.h"

extern const tenon_provider tn_provider_rest_api;

static const tenon_provider *provider;
static tn_registry *registry;
static char url[64];

int rest_fixture_start(void **state) {
  (void)state;
  snprintf(url, sizeof url, "http://127.0.0.1:%d", rest_server_start());
  return tn_registry_new(&registry, NULL) ||
                 tn_registry_add(registry, &tn_provider_rest_api, NULL) ||
                 tn_registry_find(registry, "rest_api", &provider, NULL)
             ? -1
             : 0;
}

int rest_fixture_stop(void **state) {
  (void)state;
  tn_registry_free(registry);
  rest_server_stop();
  return 0;
}

tn_connector *rest_fixture_connector(const char *const pairs[]) {
  tn_settings settings;
  tn_config *config;
  tn_connector *c;
  tenon_error err = TENON_ERROR_INIT;
  tn_settings_init(&settings);
  assert_int_equal(tn_settings_set(&settings, "base_url", url, NULL), TENON_OK);
  for (int i = 0; pairs[i]; i += 2)
    assert_int_equal(tn_settings_set(&settings, pairs[i], pairs[i + 1], NULL), TENON_OK);
  if (tn_config_new(provider, &settings, &config, &err)) fail_msg("%s", err.message);
  assert_int_equal(tn_connector_new("api", config, &c, NULL), TENON_OK);
  tn_settings_release(&settings);
  return c;
}
