/* SPDX-License-Identifier: Apache-2.0 */
#include "net/token_grant.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/json.h"

enum { FORMAT = 1, EARLY_MS = 30000, CLOCK_SLACK_MS = 60000 };
#define LATEST_MS INT64_C(253402300799999)   /* the year 9999 */

static const char again[] = "authorize again and put the new grant in (tenon grant)";

void tn_grant_init(tn_grant *g) {
  *g = (tn_grant){0};
  tn_arena_init(&g->arena, 4 * TENON_GRANT_ROOM);
}

void tn_grant_release(tn_grant *g) {
  tn_arena_release(&g->arena);
  tn_grant_init(g);
}

bool tn_grant_is_name(const char *name) {
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._@-";
  size_t size = name ? strlen(name) : 0;
  return size > 0 && size <= TENON_GRANT_NAME && *name != '.' && strspn(name, letters) == size;
}

/* ---- In and out of a store ---- */

typedef struct text_member {
  const char *key;
  size_t offset;
  bool required;
} text_member;

static const text_member texts[] = {
    {"token_url", offsetof(tn_grant, token_url), true},
    {"client_id", offsetof(tn_grant, client_id), true},
    {"refresh_token", offsetof(tn_grant, refresh_token), true},
    {"access_token", offsetof(tn_grant, access_token), false},
    {"scope", offsetof(tn_grant, scope), false},
    {"audience", offsetof(tn_grant, audience), false},
    {"refused", offsetof(tn_grant, refused), false},
};

static const text_member times[] = {
    {"obtained_ms", offsetof(tn_grant, obtained_ms), false},
    {"expires_ms", offsetof(tn_grant, expires_ms), false},
    {"pending_ms", offsetof(tn_grant, pending_ms), false},
    {"replaced_ms", offsetof(tn_grant, replaced_ms), false},
};

enum { TEXTS = sizeof texts / sizeof texts[0], TIMES = sizeof times / sizeof times[0] };

static const char **text_at(const tn_grant *g, const text_member *m) {
  return (const char **)(void *)((char *)(uintptr_t)g + m->offset);
}

static int64_t *time_at(const tn_grant *g, const text_member *m) {
  return (int64_t *)(void *)((char *)(uintptr_t)g + m->offset);
}

static tenon_status malformed(const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, again, "the stored grant is malformed (%s)", what);
}

static tenon_status take_text(tn_grant *g, const tn_json *root, const text_member *m, tenon_error *err) {
  const tn_json *v = tn_json_get(root, m->key);
  const char *text = tn_json_string(v);
  if (!text) return m->required || tn_json_type_of(v) != TN_JSON_NULL ? malformed(m->key, err) : TENON_OK;
  char *copy = *text ? tn_arena_strdup(&g->arena, text) : NULL;
  if (!*text) return malformed(m->key, err);
  if (!copy) return tn_no_memory(err);
  *text_at(g, m) = copy;
  return TENON_OK;
}

static tenon_status take_time(tn_grant *g, const tn_json *root, const text_member *m, tenon_error *err) {
  const tn_json *v = tn_json_get(root, m->key);
  if (tn_json_type_of(v) == TN_JSON_NULL) return TENON_OK;
  if (tn_json_type_of(v) != TN_JSON_INTEGER || tn_json_integer(v) < 0 || tn_json_integer(v) > LATEST_MS)
    return malformed(m->key, err);
  *time_at(g, m) = tn_json_integer(v);
  return TENON_OK;
}

static bool is_header_safe(const char *token) {
  for (; token && *token; token++)
    if (*token <= ' ' || *token >= 0x7F) return false;
  return true;
}

static tenon_status take_members(tn_grant *g, const tn_json *root, tenon_error *err) {
  tenon_status status = TENON_OK;
  const tn_json *format = tn_json_get(root, "tenon_grant");
  if (tn_json_type_of(format) != TN_JSON_INTEGER) return malformed("tenon_grant", err);
  if (tn_json_integer(format) != FORMAT)
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_DATA, "use the Tenon that wrote it, or a newer one",
                      "the stored grant is of another version");
  for (size_t i = 0; i < TEXTS && !status; i++) status = take_text(g, root, &texts[i], err);
  for (size_t i = 0; i < TIMES && !status; i++) status = take_time(g, root, &times[i], err);
  if (status) return status;
  if (!is_header_safe(g->access_token) || (g->access_token && strlen(g->access_token) >= TENON_TOKEN_ROOM))
    return malformed("access_token", err);
  return TENON_OK;
}

tenon_status tn_grant_parse(const char *text, size_t size, tn_grant *ret, tenon_error *err) {
  tn_grant g;
  tn_json *root = NULL;
  tn_grant_init(&g);
  tenon_status status = size > TENON_GRANT_ROOM ? malformed("too long", err) : TENON_OK;
  if (!status && (tn_json_parse(text, size, &root, NULL) || tn_json_type_of(root) != TN_JSON_OBJECT))
    status = malformed("not a JSON object", err);
  if (!status) status = take_members(&g, root, err);
  if (root) tn_json_wipe(root);
  if (status) tn_grant_release(&g);
  else *ret = g;
  return status;
}

bool tn_grant_print(const tn_grant *g, tn_str *out) {
  tn_json_writer w;
  if (!tn_str_reserve(out, TENON_GRANT_ROOM - 1)) return false;   /* once: what is moved leaves copies behind */
  tn_json_writer_init(&w, out);
  tn_json_open(&w, '{');
  tn_json_key(&w, "tenon_grant");
  tn_json_put_integer(&w, FORMAT);
  for (size_t i = 0; i < TEXTS; i++) {
    if (!*text_at(g, &texts[i])) continue;
    tn_json_key(&w, texts[i].key);
    tn_json_put_string(&w, *text_at(g, &texts[i]));
  }
  for (size_t i = 0; i < TIMES; i++) {
    if (!*time_at(g, &times[i])) continue;
    tn_json_key(&w, times[i].key);
    tn_json_put_integer(&w, *time_at(g, &times[i]));
  }
  tn_json_close(&w);
  return !out->failed;
}

/* ---- A new one ---- */

static bool is_text(const char *text, size_t max) {
  size_t n = 0;
  for (; text && text[n]; n++)
    if ((unsigned char)text[n] < ' ' || text[n] == 0x7F) return false;
  return n > 0 && n <= max && tn_utf8_valid(text, n, NULL);
}

tenon_status tn_grant_begin(tn_grant *ret, const char *token_url, const char *client_id, const char *refresh_token,
                            tenon_error *err) {
  const char *bad = !is_text(token_url, 4096)                        ? "token_url"
                    : !is_text(client_id, 4096)                      ? "client_id"
                    : !is_text(refresh_token, TENON_TOKEN_ROOM - 1) ? "refresh token"
                                                                     : NULL;
  if (bad)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give it as the service gave it, without line ends",
                      "the grant's %s is empty, too long, or has control characters", bad);
  tn_grant g;
  tn_grant_init(&g);
  g.token_url = tn_arena_strdup(&g.arena, token_url);
  g.client_id = tn_arena_strdup(&g.arena, client_id);
  g.refresh_token = tn_arena_strdup(&g.arena, refresh_token);
  if (!g.token_url || !g.client_id || !g.refresh_token) {
    tn_grant_release(&g);
    return tn_no_memory(err);
  }
  *ret = g;
  return TENON_OK;
}

/* ---- Deciding ---- */

int64_t tn_token_margin_ms(int64_t lifetime_ms, int64_t valid_ms) {
  int64_t margin = valid_ms > EARLY_MS ? valid_ms : EARLY_MS;
  return margin < lifetime_ms / 2 ? margin : lifetime_ms / 2;
}

static bool same(const char *a, const char *b) { return a && b ? strcmp(a, b) == 0 : a == b; }

/* A clock that was set back would make old tokens young. */
static bool is_young(const tn_grant *g, const tn_grant_ask *ask) {
  int64_t lifetime = g->expires_ms - g->obtained_ms;
  if (lifetime <= 0 || g->obtained_ms > ask->now_ms + CLOCK_SLACK_MS) return false;
  return g->expires_ms - ask->now_ms > tn_token_margin_ms(lifetime, ask->valid_ms);
}

static bool is_usable(const tn_grant *g, const tn_grant_ask *ask) {
  return g->access_token && same(g->scope, ask->source->scope) && same(g->audience, ask->source->audience) &&
         !same(g->access_token, ask->refused) && is_young(g, ask);
}

static tenon_status foreign(const char *what, const char *grant, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "set it as it was when the grant was got, or authorize again under another name",
                    "the grant %s was got with another %s: it is not sent to this one", grant, what);
}

static void spell_time(int64_t ms, char *ret, size_t room) {
  struct tm t;
  time_t seconds = (time_t)(ms / 1000);
  if (!gmtime_r(&seconds, &t) || !strftime(ret, room, "%Y-%m-%d %H:%M:%S UTC", &t)) snprintf(ret, room, "an unknown time");
}

tenon_status tn_grant_fail(const tn_grant *g, const char *name, tenon_error *err) {
  char when[40];
  if (!g->pending_ms)
    return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, again, "the grant %s was refused by the service (%s)",
                      name, g->refused);
  spell_time(g->pending_ms, when, sizeof when);
  return tenon_fail(err, TENON_UNAUTHENTICATED, TENON_STAGE_AUTH, again,
                    "the grant %s was refused by the service (%s): a refresh was begun at %s whose answer was not stored, "
                    "so the new refresh token is lost",
                    name, g->refused, when);
}

tenon_status tn_grant_decide(const tn_grant *g, const tn_grant_ask *ask, tn_grant_step *ret, tenon_error *err) {
  const tenon_token_source *s = ask->source;
  if (strcmp(g->token_url, s->token_url) != 0) return foreign("token_url", s->grant, err);
  if (strcmp(g->client_id, s->client_id) != 0) return foreign("client_id", s->grant, err);
  if (is_usable(g, ask)) *ret = TN_GRANT_USE;
  else if (g->refused) return tn_grant_fail(g, s->grant, err);
  else *ret = TN_GRANT_REFRESH;
  return TENON_OK;
}

/* ---- What came of it ---- */

void tn_grant_pend(tn_grant *g, int64_t now_ms) {
  g->found_pending_ms = g->pending_ms;
  if (!g->pending_ms) g->pending_ms = now_ms;
}

void tn_grant_unpend(tn_grant *g) { g->pending_ms = g->found_pending_ms; }

static bool keep(tn_grant *g, const char *text, const char **ret) {
  *ret = text ? tn_arena_strdup(&g->arena, text) : NULL;
  return *ret || !text;
}

tenon_status tn_grant_renew(tn_grant *g, const tn_token_reply *reply, const tn_grant_ask *ask, tenon_error *err) {
  tn_grant next = *g;
  if (!keep(g, reply->access_token, &next.access_token) || !keep(g, ask->source->scope, &next.scope) ||
      !keep(g, ask->source->audience, &next.audience) ||
      (reply->refresh_token && !keep(g, reply->refresh_token, &next.refresh_token)))
    return tn_no_memory(err);
  next.arena = g->arena;
  next.obtained_ms = ask->now_ms;
  next.expires_ms = ask->now_ms + reply->lifetime_ms;
  next.replaced_ms = ask->refused ? ask->now_ms : 0;
  next.pending_ms = 0;
  next.refused = NULL;
  *g = next;
  return TENON_OK;
}

tenon_status tn_grant_refuse(tn_grant *g, const char *word, tenon_error *err) {
  const char *copy;
  if (!keep(g, word, &copy)) return tn_no_memory(err);
  tn_grant_unpend(g);
  g->refused = copy;
  g->access_token = NULL;
  return TENON_OK;
}
