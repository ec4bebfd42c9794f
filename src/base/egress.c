/* SPDX-License-Identifier: Apache-2.0 */
#include "base/egress.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/address_class.h"
#include "base/ctx.h"
#include "base/error.h"
#include "base/mem.h"

enum { MAX_RULES = 256, MAX_ALLOW = 64 * 1024, ADMITTED = 256, ADMITTED_MS = 300000 };

typedef enum policy { OPEN = 0, NO_METADATA, PUBLIC_ONLY } policy;
static const char *const policy_names[] = {"open", "no-metadata", "public-only"};

typedef enum rule_type { RULE_NAME, RULE_BELOW, RULE_NET, RULE_PATH } rule_type;

typedef struct rule {
  rule_type type;
  const char *text;      /* a name in lower case, what names end with, or a path */
  tn_ip net;
  unsigned bits;
  uint16_t port;         /* 0: each */
} rule;

/* An address that an allowed name was found to have. */
typedef struct admitted {
  tn_ip ip;
  uint16_t port;
  int64_t until_ms;
} admitted;

struct tn_egress {
  atomic_int refs;
  policy policy;
  rule rules[MAX_RULES];
  size_t rule_count;
  tn_arena texts;
  pthread_mutex_t lock;  /* of what follows */
  admitted admitted[ADMITTED];
};

/* ---- Reading the list of what is allowed ---- */

static tenon_status bad_entry(const char *entry, const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "write db.example, .example, 10.0.0.0/8, [fd00::/8] (each also with :port) or "
                    "/run/postgresql, separated by commas",
                    "what is allowed beside the egress policy: \"%.100s\" %s", entry, why);
}

static bool read_number(const char *text, long most, long *ret) {
  char *end;
  if (*text < '0' || *text > '9' || strlen(text) > 5) return false;
  *ret = strtol(text, &end, 10);
  return !*end && *ret <= most;
}

/* Takes ":5432" off the end. Colons of an address that has no brackets belong to it. */
static bool take_port(char *text, uint16_t *ret) {
  size_t n = strlen(text);
  char *colon = strrchr(text, ':');
  long port = 0;
  bool bracketed = text[0] == '[';
  *ret = 0;
  if (bracketed && !strchr(text, ']')) return false;
  if (bracketed && text[n - 1] == ']') colon = NULL;
  else if (bracketed && (!colon || colon[-1] != ']')) return false;
  else if (colon && !bracketed && strchr(text, ':') != colon) colon = NULL;
  if (colon) {
    if (!read_number(colon + 1, 65535, &port) || port == 0) return false;
    *colon = 0;
    *ret = (uint16_t)port;
  }
  if (!bracketed) return true;
  n = strlen(text);
  memmove(text, text + 1, n - 2);
  text[n - 2] = 0;
  return true;
}

static bool has_host_bits(const tn_ip *net, unsigned bits) {
  for (unsigned i = bits; i < 128; i++)
    if (net->bytes[i / 8] >> (7 - i % 8) & 1) return true;
  return false;
}

/* NULL: it is a net; else what is wrong with it, "" if it is none at all. */
static const char *read_net(char *text, rule *r) {
  char *slash = strchr(text, '/');
  bool is_four;
  long bits;
  if (slash) *slash = 0;
  bool is_net = tn_ip_parse(text, &r->net, &is_four);
  if (slash) *slash = '/';
  if (!is_net) return slash ? "is not a network" : "";
  bits = is_four ? 32 : 128;
  if (slash && !read_number(slash + 1, bits, &bits)) return "is not a network";
  r->bits = (unsigned)bits + (is_four ? 96 : 0);
  r->type = RULE_NET;
  return has_host_bits(&r->net, r->bits) ? "has bits behind its prefix" : NULL;
}

/* The C library reads 127.1 and 0x7f000001 as addresses: so they are no names. */
static bool ends_in_number(const char *name) {
  const char *dot = strrchr(name, '.'), *last = dot ? dot + 1 : name;
  size_t n = strlen(last);
  return strspn(last, "0123456789") == n ||
         (strncmp(last, "0x", 2) == 0 && strspn(last + 2, "0123456789abcdef") == n - 2);
}

static const char *read_name(char *text, rule *r) {
  size_t n = strlen(text);
  for (char *c = text; *c; c++)
    if (*c >= 'A' && *c <= 'Z') *c |= 0x20;
  if (n > 1 && text[n - 1] == '.') text[--n] = 0;
  r->type = text[0] == '.' ? RULE_BELOW : RULE_NAME;
  r->text = text;
  bool ok = n > 0 && strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-_.") == n &&
            !ends_in_number(text) && !strstr(text, "..");
  return ok ? NULL : "is neither a name nor an address";
}

static bool climbs(const char *path) {
  for (const char *at = path; (at = strstr(at, "/..")); at += 3)
    if (!at[3] || at[3] == '/') return true;
  return false;
}

static const char *read_path(char *text, rule *r) {
  size_t n = strlen(text);
  while (n > 1 && text[n - 1] == '/') text[--n] = 0;
  r->type = RULE_PATH;
  r->text = text;
  return n == 1 ? "is every socket" : climbs(text) ? "has .. in it" : NULL;
}

static tenon_status add_rule(tn_egress *e, char *text, tenon_error *err) {
  char *entry = text;
  rule r = {0};
  if (e->rule_count == MAX_RULES)
    return tenon_fail(err, TENON_LIMITED, TENON_STAGE_CONFIG, "allow whole networks or domains",
                      "more than %d hosts are allowed beside the egress policy", MAX_RULES);
  if (*text == '/' || *text == '@') {
    const char *wrong = read_path(text, &r);
    if (wrong) return bad_entry(entry, wrong, err);
  } else {
    if (!take_port(text, &r.port)) return bad_entry(entry, "has no right port", err);
    const char *wrong = read_net(text, &r);
    if (wrong && !*wrong) wrong = read_name(text, &r);
    if (wrong) return bad_entry(entry, wrong, err);
  }
  e->rules[e->rule_count++] = r;
  return TENON_OK;
}

static tenon_status add_rules(tn_egress *e, const char *allow, tenon_error *err) {
  tenon_status status = TENON_OK;
  while (*allow && !status) {
    size_t n = strcspn(allow, ",");
    const char *begin = allow + strspn(allow, " \t"), *end = allow + n;
    while (end > begin && (end[-1] == ' ' || end[-1] == '\t')) end--;
    allow += n + (allow[n] == ',');
    if (end <= begin) continue;
    char *text = tn_arena_strndup(&e->texts, begin, (size_t)(end - begin));
    status = text ? add_rule(e, text, err) : tn_no_memory(err);
  }
  return status;
}

/* ---- A policy's life ---- */

/* -1: there is none of that name. */
static int find_policy(const char *name) {
  if (!name) return OPEN;
  int i = PUBLIC_ONLY;
  while (i >= 0 && strcmp(name, policy_names[i]) != 0) i--;
  return i;
}

tenon_status tn_egress_new(const char *name, const char *allow, tn_egress **ret, tenon_error *err) {
  int p = find_policy(name);
  if (p < 0)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "there are open, no-metadata, public-only",
                      "there is no egress policy \"%.60s\"", name);
  if (p == OPEN && allow && *allow)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "choose the policy no-metadata or public-only, or leave the list away",
                      "the egress policy open allows every host: a list says nothing beside it");
  tn_egress *e = tn_alloc(sizeof *e);
  if (!e) return tn_no_memory(err);
  atomic_init(&e->refs, 1);
  e->policy = (policy)p;
  tn_arena_init(&e->texts, MAX_ALLOW);
  pthread_mutex_init(&e->lock, NULL);
  tenon_status status = allow ? add_rules(e, allow, err) : TENON_OK;
  if (status) tn_egress_free(e);
  else *ret = e;
  return status;
}

tn_egress *tn_egress_ref(tn_egress *e) {
  if (e) atomic_fetch_add(&e->refs, 1);
  return e;
}

void tn_egress_free(tn_egress *e) {
  if (!e || atomic_fetch_sub(&e->refs, 1) != 1) return;
  pthread_mutex_destroy(&e->lock);
  tn_arena_release(&e->texts);
  tn_free(e);
}

const char *tn_egress_strict(const tenon_ctx *ctx) {
  const tn_egress *e;
  for (size_t i = 0; (e = tn_ctx_egress(ctx, i)); i++)
    if (e->policy != OPEN) return policy_names[e->policy];
  return NULL;
}

/* ---- Names ---- */

/* Without case and the dot at its end. */
static bool same_name(const char *name, size_t size, const char *other) {
  return strlen(other) == size && strncasecmp(name, other, size) == 0;
}

static size_t name_size(const char *name) {
  size_t n = strlen(name);
  return n > 1 && name[n - 1] == '.' ? n - 1 : n;
}

static bool is_allowed_name(const tn_egress *e, const char *name, uint16_t port) {
  size_t n = name_size(name);
  for (size_t i = 0; i < e->rule_count; i++) {
    const rule *r = &e->rules[i];
    if (r->port && r->port != port) continue;
    size_t m = r->text ? strlen(r->text) : 0;
    if (r->type == RULE_NAME && same_name(name, n, r->text)) return true;
    if (r->type == RULE_BELOW && n > m && same_name(name + n - m, m, r->text)) return true;
  }
  return false;
}

tenon_status tn_egress_check_name(tenon_ctx *ctx, const char *name, tenon_error *err) {
  static const char *const services[] = {
      "metadata.google.internal", "metadata.goog", "metadata", "instance-data",
      "instance-data.ec2.internal", "metadata.tencentyun.com", "metadata.platformequinix.com"};
  const char *strict = tn_egress_strict(ctx);
  for (size_t i = 0; strict && i < sizeof services / sizeof services[0]; i++)
    if (same_name(name, name_size(name), services[i]))
      return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_DNS,
                        "name another host: the egress policy keeps this one away",
                        "%s is a cloud's metadata service, which the egress policy %s refuses", name,
                        strict);
  return TENON_OK;
}

tenon_status tn_egress_check_unknown(tenon_ctx *ctx, const char *name, uint16_t port, tenon_error *err) {
  const tn_egress *e;
  for (size_t i = 0; (e = tn_ctx_egress(ctx, i)); i++)
    if (e->policy != OPEN && !is_allowed_name(e, name, port))
      return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_DNS,
                        "check the spelling; or let whoever runs Tenon allow the name beside the policy (--egress-allow)",
                        "%s cannot be looked up here, and the egress policy %s hands no such name to a proxy", name,
                        policy_names[e->policy]);
  return TENON_OK;
}

/* ---- Addresses that allowed names were found to have ---- */

static bool is_admitted(tn_egress *e, const tn_ip *ip, uint16_t port) {
  bool found = false;
  int64_t now = tn_now_ms();
  pthread_mutex_lock(&e->lock);
  for (size_t i = 0; i < ADMITTED && !found; i++) {
    const admitted *a = &e->admitted[i];
    found = a->until_ms > now && a->port == port && memcmp(&a->ip, ip, sizeof *ip) == 0;
  }
  pthread_mutex_unlock(&e->lock);
  return found;
}

/* In its own place, or that of the oldest. */
static void remember(tn_egress *e, const tn_ip *ip, uint16_t port) {
  pthread_mutex_lock(&e->lock);
  admitted *place = e->admitted;
  for (size_t i = 0; i < ADMITTED; i++) {
    admitted *a = &e->admitted[i];
    bool same = a->port == port && memcmp(&a->ip, ip, sizeof *ip) == 0;
    if (same || a->until_ms < place->until_ms) place = a;
    if (same) break;
  }
  *place = (admitted){.ip = *ip, .port = port, .until_ms = tn_now_ms() + ADMITTED_MS};
  pthread_mutex_unlock(&e->lock);
}

/* ---- Addresses ---- */

static bool is_allowed_net(const tn_egress *e, const tn_ip *ip, uint16_t port,
                           tn_address_class class) {
  for (size_t i = 0; i < e->rule_count; i++) {
    const rule *r = &e->rules[i];
    if (r->type == RULE_NET && (!r->port || r->port == port) &&
        tn_ip_within(ip, &r->net, r->bits) &&
        (class != TN_ADDRESS_METADATA || tn_net_is_metadata(&r->net, r->bits)))
      return true;
  }
  return false;
}

static bool is_allowed_socket(const tn_egress *e, const tenon_address *address) {
  struct sockaddr_un un = {0};
  memcpy(&un, address->sa.bytes, address->sa_size < sizeof un ? address->sa_size : sizeof un - 1);
  if (un.sun_path[0] == 0) un.sun_path[0] = '@';   /* a socket in no folder */
  for (size_t i = 0; i < e->rule_count; i++) {
    const rule *r = &e->rules[i];
    size_t n = r->type == RULE_PATH ? strlen(r->text) : 0;
    if (n && strncmp(un.sun_path, r->text, n) == 0 && (!un.sun_path[n] || un.sun_path[n] == '/'))
      return !climbs(un.sun_path);
  }
  return false;
}

/* An address that leads to a metadata address and is none itself can be allowed by no entry. */
static bool can_be_allowed(const tenon_address *address, tn_address_class class) {
  tn_ip ip;
  uint16_t port;
  return class != TN_ADDRESS_METADATA || (tn_ip_of(address, &ip, &port) && tn_net_is_metadata(&ip, 128));
}

static tenon_status refuse(const tn_egress *e, const char *name, const tenon_address *address,
                           tn_address_class class, const char *what, tenon_error *err) {
  char remedy[400];
  if (class == TN_ADDRESS_METADATA && (name || !can_be_allowed(address, class)))
    snprintf(remedy, sizeof remedy,
             "name another host: the egress policy %s keeps this one away", policy_names[e->policy]);
  else
    snprintf(remedy, sizeof remedy,
             "name another host; or, if this one is right, let whoever runs Tenon change the egress "
             "policy %s or allow it beside (--egress-allow %.200s)",
             policy_names[e->policy], name ? name : address->text);
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_TCP, remedy,
                    "%s %s %s, which the egress policy %s refuses", name ? name : address->text,
                    name ? "has" : "is", what, policy_names[e->policy]);
}

static bool is_refused(const tn_egress *e, tn_address_class class) {
  return e->policy == PUBLIC_ONLY ? class != TN_ADDRESS_PUBLIC
                                  : e->policy == NO_METADATA && class == TN_ADDRESS_METADATA;
}

static tenon_status check_ip(tenon_ctx *ctx, const char *name, const tenon_address *address,
                             const tn_ip *ip, uint16_t port, tenon_error *err) {
  const char *what;
  tn_egress *e;
  tn_address_class class = tn_ip_class(ip, &what);
  if (class == TN_ADDRESS_NOBODY)
    return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_TCP, "name the address of one host",
                      "%s is not the address of a server", address->text);
  for (size_t i = 0; (e = tn_ctx_egress(ctx, i)); i++) {
    if (!is_refused(e, class) || is_allowed_net(e, ip, port, class)) continue;
    bool by_name = class == TN_ADDRESS_INNER && name && is_allowed_name(e, name, port);
    if (by_name) remember(e, ip, port);
    else if (name || class != TN_ADDRESS_INNER || !is_admitted(e, ip, port))
      return refuse(e, name, address, class, what, err);
  }
  return TENON_OK;
}

static tenon_status check_socket(tenon_ctx *ctx, const tenon_address *address, tenon_error *err) {
  const tn_egress *e;
  for (size_t i = 0; (e = tn_ctx_egress(ctx, i)); i++)
    if (e->policy == PUBLIC_ONLY && !is_allowed_socket(e, address))
      return refuse(e, NULL, address, TN_ADDRESS_INNER, "a socket of this machine", err);
  return TENON_OK;
}

tenon_status tn_egress_admit(tenon_ctx *ctx, const char *name, const tenon_address *address,
                             tenon_error *err) {
  tn_ip ip;
  uint16_t port;
  sa_family_t family = AF_UNSPEC;
  if (address->sa_size >= sizeof family) memcpy(&family, address->sa.bytes, sizeof family);
  if (tn_ip_of(address, &ip, &port)) return check_ip(ctx, name, address, &ip, port, err);
  if (family == AF_UNIX) return check_socket(ctx, address, err);
  return tenon_fail(err, TENON_FORBIDDEN, TENON_STAGE_TCP, "name the address of one host",
                    "%s is not the address of a server", address->text);
}

tenon_status tn_egress_check(tenon_ctx *ctx, const tenon_address *address, tenon_error *err) {
  return tn_egress_admit(ctx, NULL, address, err);
}
