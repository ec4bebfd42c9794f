/* SPDX-License-Identifier: Apache-2.0 */
#include "base/percent.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

enum { MAX_TEXT = 64 << 10 };

int tn_hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

bool tn_percent_decode(tn_str *to, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (c == '%') {
      int high = size - i > 2 ? tn_hex_digit(text[i + 1]) : -1, low = high >= 0 ? tn_hex_digit(text[i + 2]) : -1;
      if (low < 0) return false;
      c = (char)(high * 16 + low);
      i += 2;
    }
    if (!c || !tn_str_putc(to, c)) return false;
  }
  return true;
}

bool tn_is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

bool tn_percent_encode(tn_str *out, const char *text, size_t size, bool keep_slash) {
  static const char digits[] = "0123456789ABCDEF";
  for (size_t i = 0; i < size;) {
    size_t run = 0;
    while (i + run < size &&
           (tn_is_unreserved((unsigned char)text[i + run]) || (keep_slash && text[i + run] == '/')))
      run++;
    tn_str_add(out, text + i, run);
    i += run;
    if (i == size) break;
    unsigned char c = (unsigned char)text[i++];
    tn_str_add(out, (char[]){'%', digits[c >> 4], digits[c & 15]}, 3);
  }
  return !out->failed;
}

static tenon_status set_decoded(const char *key, size_t key_size, const char *value, size_t value_size, tn_url_set set,
                                void *arg, tenon_error *err) {
  tn_str k, v;
  tn_str_init(&k, MAX_TEXT);
  tn_str_init(&v, MAX_TEXT);
  tenon_status status = tn_percent_decode(&k, key, key_size) && tn_percent_decode(&v, value, value_size)
                            ? set(arg, tn_str_text(&k), tn_str_text(&v), err)
                            : tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write a percent sign as %25",
                                         "the URL has a percent sign without two hexadecimal digits behind it");
  tn_str_release(&k);
  tn_str_release(&v);
  return status;
}

tenon_status tn_url_part(const char *key, const char *text, size_t size, tn_url_set set, void *arg, tenon_error *err) {
  return set_decoded(key, strlen(key), text, size, set, arg, err);
}

tenon_status tn_url_query(const char *query, tn_url_set set, void *arg, tenon_error *err) {
  tenon_status status = TENON_OK;
  while (!status && *query) {
    size_t end = strcspn(query, "&"), key = strcspn(query, "=&"), skip = key + (key < end);
    if (end) status = set_decoded(query, key, query + skip, end - skip, set, arg, err);
    query += end + (query[end] == '&');
  }
  return status;
}

tenon_status tn_url_of_path(const char *url, const char *key, tn_url_set set, void *arg, tenon_error *err) {
  const char *path = strchr(url, ':');
  path = path ? path + 1 : url;
  if (strncmp(path, "//", 2) == 0) path += 2;
  size_t size = strcspn(path, "?"), first = strcspn(path, "/?");
  if (memchr(path, ':', first)) {   /* what stands before the first / is read as host:port, so no name is split off there */
    char remedy[80];
    snprintf(remedy, sizeof remedy, "write ./ before the path: %.*s://./path:name", (int)(strcspn(url, ":") & 31), url);
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "the URL of a path has a colon before its first /");
  }
  tenon_status status = size ? tn_url_part(key, path, size, set, arg, err) : TENON_OK;
  const char *query = path + size + (path[size] == '?');
  return status ? status : tn_url_query(query, set, arg, err);
}
