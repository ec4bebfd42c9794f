/* SPDX-License-Identifier: Apache-2.0 */
/* libcurl, opened when first used: never linked. */
#ifndef TN_NET_CURL_H
#define TN_NET_CURL_H

/* Its checks of argument types are macros over the functions that we call through a table. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include "tenon/provider.h"

#define TN_CURL_FUNCTIONS(X) \
  X(curl_global_init) X(curl_version_info) X(curl_easy_init) X(curl_easy_cleanup) \
  X(curl_easy_setopt) X(curl_easy_getinfo) X(curl_easy_strerror) X(curl_easy_pause) \
  X(curl_slist_append) X(curl_slist_free_all) X(curl_url) X(curl_url_cleanup) X(curl_url_dup) \
  X(curl_url_get) X(curl_url_set) X(curl_free) X(curl_multi_init) X(curl_multi_cleanup) \
  X(curl_multi_setopt) X(curl_multi_add_handle) X(curl_multi_remove_handle) X(curl_multi_perform) \
  X(curl_multi_poll) X(curl_multi_wakeup) X(curl_multi_info_read)

typedef struct tn_curl_functions {
#define TN_CURL_SLOT(name) __typeof__(name) *name;
  TN_CURL_FUNCTIONS(TN_CURL_SLOT)
#undef TN_CURL_SLOT
} tn_curl_functions;

/* Whole after tn_curl_open has answered OK once. */
extern tn_curl_functions tn_curl;

/* Opens libcurl and starts it, once; any thread. */
tenon_status tn_curl_open(tenon_error *err);

#endif
