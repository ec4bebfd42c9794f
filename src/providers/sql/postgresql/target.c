/* SPDX-License-Identifier: Apache-2.0 */
/* Where to connect: URLs as libpq, SQLAlchemy and psql spell them, and lists of hosts. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/percent.h"
#include "providers/sql/postgresql/connect.h"

enum { DEFAULT_PORT = 5432, MAX_URL = 16384 };

static const char default_socket[] = "/var/run/postgresql";
static const char url_remedy[] = "write postgresql://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…; "
                                 "percent-encode what is not a letter or digit (@ is %40)";

/* ---- Percent encoding ---- */

/* Appends the decoded text; answers what is wrong with it, or NULL. */
static const char *decode(tn_str *to, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    if (text[i] != '%') {
      tn_str_putc(to, text[i]);
      continue;
    }
    int high = i + 2 < size ? tn_hex_digit(text[i + 1]) : -1;
    int low = high >= 0 ? tn_hex_digit(text[i + 2]) : -1;
    if (low < 0) return "a percent sign without two hex digits behind it";
    if (high * 16 + low == 0) return "a NUL character (%00)";
    tn_str_putc(to, (char)(high * 16 + low));
    i += 2;
  }
  return NULL;
}

typedef struct setter {
  tenon_status (*set)(void *arg, const char *key, const char *value, tenon_error *err);
  void *arg;
  tenon_error *err;
} setter;

static tenon_status bad_url(tenon_error *err, const char *what) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, url_remedy, "the URL has %s", what);
}

static tenon_status set_with(setter *to, const char *key, const char *before, const char *text,
                             size_t size) {
  tn_str value;
  tn_str_init(&value, MAX_URL);
  tn_str_puts(&value, before);
  const char *wrong = decode(&value, text, size);
  if (!wrong && value.failed) wrong = "a part that is too long";
  tenon_status status = wrong ? bad_url(to->err, wrong)
                              : to->set(to->arg, key, tn_str_text(&value), to->err);
  if (value.data) tn_wipe(value.data, value.size);
  tn_str_release(&value);
  return status;
}

static tenon_status set_decoded(setter *to, const char *key, const char *text, size_t size) {
  return set_with(to, key, "", text, size);
}

static tenon_status set_file(setter *to, const char *key, const char *text, size_t size) {
  bool content = size > 0 && (text[0] == '-' || text[0] == '$');
  return set_with(to, key, content ? "" : "$FILE:", text, size);
}

/* ---- URLs ---- */

static tenon_status set_user(setter *to, const char *text, size_t size) {
  const char *colon = memchr(text, ':', size);
  size_t name = colon ? (size_t)(colon - text) : size;
  tenon_status status = name ? set_decoded(to, "username", text, name) : TENON_OK;
  if (status || !colon) return status;
  return set_decoded(to, "password", colon + 1, size - name - 1);
}

/* A list of one or more; in quotes where it begins like the JSON of a list. */
static tenon_status set_host_list(setter *to, const char *text, size_t size) {
  tn_str list;
  tn_str_init(&list, MAX_URL);
  tn_str_putc(&list, '"');
  for (size_t i = 0; i < size; i++) {
    if (text[i] == ',') tn_str_putc(&list, '"');
    tn_str_putc(&list, text[i]);
    if (text[i] == ',') tn_str_putc(&list, '"');
  }
  tn_str_putc(&list, '"');
  tenon_status status = memchr(text, '[', size) && !list.failed
                            ? set_decoded(to, "host", list.data, list.size)
                            : set_decoded(to, "host", text, size);
  tn_str_release(&list);
  return status;
}

/* host, host:port, [::1]:port, a comma list of them, /directory (encoded) or nothing. */
static tenon_status set_hosts(setter *to, const char *text, size_t size) {
  if (size == 0) return TENON_OK;
  bool directory = text[0] == '/' || strncasecmp(text, "%2f", 3) == 0;
  if (!directory) return set_host_list(to, text, size);
  const char *colon = memchr(text, ':', size);
  size_t path = colon ? (size_t)(colon - text) : size;
  tenon_status status = set_decoded(to, "socket", text, path);
  if (status || !colon) return status;
  return set_decoded(to, "port", colon + 1, size - path - 1);
}

/* libpq's host may be the directory of a socket, and ssl=true is an old way to say require. */
static tenon_status set_option(setter *to, const char *key, const char *value, size_t size,
                               bool *has_host) {
  bool host = strcmp(key, "host") == 0;
  *has_host = *has_host || host || strcmp(key, "socket") == 0;
  if (host) return set_hosts(to, value, size);
  /* libpq's are paths; ours are contents, which the core reads from files that are said to be ones
   */
  if (strcmp(key, "sslrootcert") == 0 || strcmp(key, "sslcert") == 0 || strcmp(key, "sslkey") == 0)
    return set_file(to, key, value, size);
  if (strcmp(key, "ssl") == 0 && size == 4 && memcmp(value, "true", 4) == 0)
    return to->set(to->arg, "sslmode", "require", to->err);
  return set_decoded(to, key, value, size);
}

static tenon_status set_options(setter *to, const char *text, bool *has_host) {
  while (*text) {
    size_t size = strcspn(text, "&");
    const char *equals = memchr(text, '=', size);
    char key[64];
    if (!equals || equals == text || (size_t)(equals - text) >= sizeof key)
      return bad_url(to->err, "something other than name=value behind its question mark");
    snprintf(key, sizeof key, "%.*s", (int)(equals - text), text);
    tenon_status status =
        set_option(to, key, equals + 1, size - (size_t)(equals - text) - 1, has_host);
    if (status) return status;
    text += size + (text[size] == '&');
  }
  return TENON_OK;
}

/* user:pa/ss@host: cut at the slash it would be a host with an odd port, and a message would show a
 * part of the password. */
static bool has_raw_password(const char *rest, size_t authority) {
  const char *at = strchr(rest + authority, '@'), *equals = strchr(rest + authority, '=');
  const char *colon = memchr(rest, ':', authority);
  if (memchr(rest, '@', authority) || !at || !colon || *rest == '[' || (equals && equals < at))
    return false;
  return strspn(colon + 1, "0123456789") < authority - (size_t)(colon + 1 - rest);
}

tenon_status tn_pg_parse_url(const char *url,
                             tenon_status (*set)(void *arg, const char *key, const char *value,
                                                 tenon_error *err),
                             void *arg, tenon_error *err) {
  setter to = {set, arg, err};
  const char *rest = strstr(url, "://");
  if (!rest) return bad_url(err, "no ://");
  rest += 3;
  if (strlen(rest) > MAX_URL) return bad_url(err, "more than 16,384 characters");
  size_t authority = strcspn(rest, "/?");
  if (has_raw_password(rest, authority)) return bad_url(err, "a / or ? in its password");
  /* the last one: a host has none, and a password may have been pasted as it is */
  const char *at = memrchr(rest, '@', authority);
  tenon_status status = at ? set_user(&to, rest, (size_t)(at - rest)) : TENON_OK;
  const char *hosts = at ? at + 1 : rest;
  size_t host_size = authority - (size_t)(hosts - rest);
  bool has_host = host_size > 0;
  if (!status) status = set_hosts(&to, hosts, host_size);
  rest += authority;
  if (*rest == '/') {
    size_t name = strcspn(++rest, "?");
    if (!status && name) status = set_decoded(&to, "database", rest, name);
    rest += name;
  }
  if (!status && *rest == '?') status = set_options(&to, rest + 1, &has_host);
  if (!status && !has_host) status = set(arg, "socket", default_socket, err);
  return status;
}

/* ---- Hosts ---- */

static bool parse_port(const char *text, uint16_t *ret) {
  char *end;
  long port = strtol(text, &end, 10);
  if (end == text || *end || port < 1 || port > 65535) return false;
  *ret = (uint16_t)port;
  return true;
}

/* "name", "name:port", "[v6]:port"; a bare IPv6 address has more than one colon. Answers what is
 * wrong, or NULL. */
static const char *parse_host(const char *text, uint16_t port, tn_pg_endpoint *ret) {
  static const char no_name[] = "is not a host's name";
  *ret = (tn_pg_endpoint){.port = port};
  const char *end = text + strlen(text), *tail = end;
  if (*text == '[') {
    end = strchr(++text, ']');
    if (!end) return "lacks the ] behind its address";
    tail = end + 1;
  } else if (strchr(text, ':') && strchr(text, ':') == strrchr(text, ':')) {
    end = tail = strchr(text, ':');
  }
  if (end == text || (size_t)(end - text) >= sizeof ret->host || (*tail && *tail != ':'))
    return no_name;
  if (*tail == ':' && !parse_port(tail + 1, &ret->port))
    return "has a port that is not a number from 1 to 65535";
  snprintf(ret->host, sizeof ret->host, "%.*s", (int)(end - text), text);
  return NULL;
}

static tenon_status local_endpoint(const char *directory, uint16_t port, tn_pg_endpoint *ret,
                                   tenon_error *err) {
  *ret = (tn_pg_endpoint){.port = port, .local = true};
  size_t room = sizeof(((struct sockaddr_un *)0)->sun_path) - sizeof "/.s.PGSQL.65535";
  if (directory[0] != '/' && directory[0] != '@')
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "socket is the directory that the server's socket is in: /var/run/postgresql",
                      "socket is not an absolute path: %s", directory);
  if (strlen(directory) > room)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use a shorter path",
                      "the path of the socket has more than %zu characters", room);
  snprintf(ret->host, sizeof ret->host, "%s", directory);
  return TENON_OK;
}

tenon_status tn_pg_endpoints(const tn_pg_config *c, tn_pg_endpoint *ret, size_t *ret_count,
                             tenon_error *err) {
  uint16_t port = c->port ? (uint16_t)c->port : DEFAULT_PORT;
  size_t count = c->host.count;
  if (c->socket && count == 0) {
    *ret_count = 1;
    return local_endpoint(c->socket, port, &ret[0], err);
  }
  if (count == 0 || c->socket)
    return tenon_fail(
        err, TENON_CONFIG, TENON_STAGE_CONFIG,
        "give host=NAME, or socket=DIRECTORY for a server on this machine",
        count ? "both host and socket are given" : "neither host nor socket is given");
  if (count > TN_PG_MAX_HOSTS)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "name fewer hosts",
                      "%zu hosts are more than %d", count, TN_PG_MAX_HOSTS);
  for (size_t i = 0; i < count; i++) {
    const char *text = c->host.items[i];
    if (text[0] == '/' || text[0] == '@')
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "say socket=DIRECTORY for a unix socket", "host is a directory: %s", text);
    const char *wrong = parse_host(text, port, &ret[i]);
    if (wrong)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "write name, name:port or [address]:port, several with commas between",
                        "host: %s %s", text, wrong);
  }
  *ret_count = count;
  return TENON_OK;
}

bool tn_pg_is_loopback(const tenon_address *a) {
  const void *bytes = a->sa.bytes;
  sa_family_t family = ((const struct sockaddr *)bytes)->sa_family;
  if (family == AF_UNIX) return true;
  if (family == AF_INET)
    return ntohl(((const struct sockaddr_in *)bytes)->sin_addr.s_addr) >> 24 == 127;
  if (family != AF_INET6) return false;
  const struct in6_addr *six = &((const struct sockaddr_in6 *)bytes)->sin6_addr;
  return IN6_IS_ADDR_LOOPBACK(six) || (IN6_IS_ADDR_V4MAPPED(six) && six->s6_addr[12] == 127);
}
