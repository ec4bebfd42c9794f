/* SPDX-License-Identifier: Apache-2.0 */
#include "net/curl.h"

#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/library.h"

tn_curl_functions tn_curl;

static const char *const names[] = {"libcurl.so.4", NULL};
static const char install[] = "install libcurl 7.85 or newer (Debian: apt-get install libcurl4)";

static const char *const symbols[] = {
#define TN_CURL_NAME(name) #name,
    TN_CURL_FUNCTIONS(TN_CURL_NAME)
#undef TN_CURL_NAME
};

enum { COUNT = sizeof symbols / sizeof symbols[0], OLDEST = 0x075500 };
_Static_assert(sizeof tn_curl == COUNT * sizeof(void *), "one slot a function");

static tenon_status start(tn_curl_functions *table, tenon_error *err) {
  if (table->curl_version_info(CURLVERSION_NOW)->version_num < OLDEST)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, install, "libcurl %s is too old",
                      table->curl_version_info(CURLVERSION_NOW)->version);
  if (table->curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK) return TENON_OK;
  return tenon_fail(err, TENON_INTERNAL, TENON_STAGE_NONE, NULL, "libcurl does not start");
}

tenon_status tn_curl_open(tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static bool done;
  void *slots[COUNT] = {0};
  tn_curl_functions table;
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&lock);
  if (!done) {
    status = tn_library_open(names, symbols, slots, COUNT, install, err);
    memcpy(&table, slots, sizeof table);
    if (!status) status = start(&table, err);
    if (!status) tn_curl = table;
    done = status == TENON_OK;
  }
  pthread_mutex_unlock(&lock);
  return status;
}
