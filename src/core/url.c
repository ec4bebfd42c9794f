/* SPDX-License-Identifier: Apache-2.0 */
/*
 * URLs of kinds into their parameters. A kind may read its own; the others are read here:
 *
 *   scheme://username:password@host:port/database?key=value&key=value
 *   scheme://path?key=value                    where the kind has a path and no host
 *
 * Every part is percent-decoded; a plus sign is a plus sign. Messages quote no part of a URL, since
 * any of them may be a password in the wrong place.
 */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/percent.h"
#include "core/connectors.h"

enum { MAX_PART = 64 << 10 };

typedef struct url_reader {
  const tenon_provider *provider;
  tn_settings *settings;
  tenon_error *err;
} url_reader;

static tenon_status wrong(url_reader *r, const char *why) {
  return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "write scheme://user:password@host:port/database?key=value, special characters percent-encoded (@ is %40, / is %2F)",
                    "the %s URL %s", r->provider->kind, why);
}

/* ---- Percent-encoding ---- */

static tenon_status decode(url_reader *r, const char *text, size_t size, tn_str *ret) {
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (c == '%') {
      int high = size - i > 2 ? tn_hex_digit(text[i + 1]) : -1, low = size - i > 2 ? tn_hex_digit(text[i + 2])
          : -1;
      if (high < 0 || low < 0)
        return wrong(r, "has a % that is not followed by two hexadecimal digits");
      c = (char)(high << 4 | low);
      if (c == 0) return wrong(r, "has a NUL character");
      i += 2;
    }
    tn_str_putc(ret, c);
  }
  return ret->failed ? tn_no_memory(r->err) : TENON_OK;
}

/* ---- Parts ---- */

/* Which of two values is meant is not guessed. Other names of a parameter are the same parameter. */
static bool is_set(const url_reader *r, const char *key) {
  const tenon_param *row = tn_param_find(r->provider, key);
  for (size_t i = 0; i < r->settings->count; i++) {
    const char *other = r->settings->items[i].key;
    if (strcmp(other, key) == 0 || (row && tn_param_find(r->provider, other) == row)) return true;
  }
  return false;
}

static tenon_status set(void *arg, const char *key, const char *value, tenon_error *err) {
  url_reader *r = arg;
  const tenon_param *row = tn_param_find(r->provider, key);
  if (is_set(r, key))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give it once",
                      "the %s URL gives %s twice", r->provider->kind,
                      row ? row->key : "a parameter");
  return tn_settings_set(r->settings, key, value, err);
}

static tenon_status set_decoded(url_reader *r, const char *key, const char *text, size_t size) {
  tn_str value;
  tn_str_init(&value, MAX_PART);
  tenon_status status = decode(r, text, size, &value);
  if (!status) status = set(r, key, tn_str_text(&value), r->err);
  if (value.data) tn_wipe(value.data, value.size);
  tn_str_release(&value);
  return status;
}

/* A part that the kind must have a row for. */
static tenon_status set_part(url_reader *r, const char *name, const char *text, size_t size) {
  const tenon_param *row = tn_param_find(r->provider, name);
  if (row) return set_decoded(r, row->key, text, size);
  char why[80];
  snprintf(why, sizeof why, "has a %s, which this kind does not take", name);
  return wrong(r, why);
}

static tenon_status read_login(url_reader *r, const char *text, size_t size) {
  const char *colon = memchr(text, ':', size);
  size_t name = colon ? (size_t)(colon - text) : size;
  tenon_status status = name ? set_part(r, "username", text, name) : TENON_OK;
  if (!status && colon) status = set_part(r, "password", colon + 1, size - name - 1);
  return status;
}

static tenon_status read_host(url_reader *r, const char *text, size_t size) {
  const char *end = text + size, *colon = memchr(text, ':', size), *host = text;
  size_t host_size = colon ? (size_t)(colon - text) : size;
  if (size && *text == '[') {
    const char *close = memchr(text, ']', size);
    if (!close || (close + 1 < end && close[1] != ':'))
      return wrong(r, "has an address in brackets that does not end so");
    host = text + 1;
    host_size = (size_t)(close - host);
    colon = close + 1 < end ? close + 1 : NULL;
  }
  tenon_status status = host_size ? set_part(r, "host", host, host_size) : TENON_OK;
  if (!status && colon && colon + 1 < end)
    status = set_part(r, "port", colon + 1, (size_t)(end - colon) - 1);
  return status;
}

static const char *last_at(const char *text, size_t size) {
  while (size > 0)
    if (text[--size] == '@') return text + size;
  return NULL;
}

static tenon_status read_authority(url_reader *r, const char *text, size_t size) {
  const char *at = last_at(text, size);
  tenon_status status = at ? read_login(r, text, (size_t)(at - text)) : TENON_OK;
  const char *host = at ? at + 1 : text;
  return status ? status : read_host(r, host, (size_t)(text + size - host));
}

static tenon_status read_pair(url_reader *r, const char *text, size_t size) {
  const char *equals = memchr(text, '=', size);
  tn_str key;
  if (size == 0) return TENON_OK;
  if (!equals || equals == text)
    return wrong(r, "has something behind the question mark that is not key=value");
  tn_str_init(&key, MAX_PART);
  tenon_status status = decode(r, text, (size_t)(equals - text), &key);
  if (!status)
    status = set_decoded(r, tn_str_text(&key), equals + 1, (size_t)(text + size - equals) - 1);
  tn_str_release(&key);
  return status;
}

static tenon_status read_query(url_reader *r, const char *text) {
  tenon_status status = TENON_OK;
  while (!status && *text) {
    size_t n = strcspn(text, "&");
    status = read_pair(r, text, n);
    text += n + (text[n] == '&');
  }
  return status;
}

static tenon_status read_url(url_reader *r, const char *url) {
  const char *rest = strstr(url, "://") + 3, *query = strchr(rest, '?');
  size_t size = query ? (size_t)(query - rest) : strlen(rest);
  tenon_status status;
  if (!tn_param_find(r->provider, "host") && tn_param_find(r->provider, "path")) {
    status = size ? set_part(r, "path", rest, size) : TENON_OK;
  } else {
    const char *slash = memchr(rest, '/', size);
    status = read_authority(r, rest, slash ? (size_t)(slash - rest) : size);
    if (!status && slash && slash + 1 < rest + size)
      status = set_part(r, "database", slash + 1, (size_t)(rest + size - slash) - 1);
  }
  return status || !query ? status : read_query(r, query + 1);
}

tenon_status tn_url_settings(const tn_registry *registry, const char *url,
                             const tenon_provider **ret, tn_settings *ret_settings,
                             tenon_error *err) {
  char scheme[64] = "";
  const char *colon = strstr(url, "://");
  size_t n = colon ? (size_t)(colon - url) : 0;
  if (n == 0 || n >= sizeof scheme)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write scheme://…",
                      "this is not a URL");
  for (size_t i = 0; i < n; i++) scheme[i] = (char)tolower((unsigned char)url[i]);
  tn_settings settings;
  url_reader r = {.settings = &settings, .err = err};
  tenon_status status = tn_registry_find(registry, scheme, &r.provider, err);
  if (status) return status;
  tn_settings_init(&settings);
  status = r.provider->parse_url ? r.provider->parse_url(url, set, &r, err) : read_url(&r, url);
  if (status) {
    tn_settings_release(&settings);
    return status;
  }
  *ret = r.provider;
  *ret_settings = settings;
  return TENON_OK;
}
