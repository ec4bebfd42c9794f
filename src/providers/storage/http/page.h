/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a folder holds, from its index page, as Apache, nginx, lighttpd, Caddy and Python's http.server write them, in
 * HTML or JSON. Only what is right below the folder and at the same origin counts: a page cannot lead anywhere else.
 */
#ifndef TN_PROVIDERS_HTTP_PAGE_H
#define TN_PROVIDERS_HTTP_PAGE_H

#include "base/str.h"

enum { TN_WEB_MAX_ENTRIES = 1000000, TN_WEB_MAX_NAME = 1024 };

typedef struct tn_web_entry {
  size_t at, size;           /* its name in texts; of a folder with its slash */
  int64_t bytes;             /* -1: not known exactly */
  int64_t modified_us;       /* INT64_MIN: not known exactly */
  bool is_folder;
} tn_web_entry;

typedef struct tn_web_page {
  tn_str texts;
  tn_web_entry *items;       /* in bytewise order, each once */
  size_t count, room;
} tn_web_page;

/* url: the folder's, with its slash, without a query. DATA: it is no index page. LIMITED: it has too much. */
tenon_status tn_web_page_read(const char *url, const char *content_type, const char *text, size_t size, tn_web_page *ret, tenon_error *err);
void tn_web_page_release(tn_web_page *);
const char *tn_web_name_at(const tn_web_page *, size_t i);

#endif
