/* SPDX-License-Identifier: Apache-2.0 */
/* The grammar is written down in docs/targets.md; each rule there is a case in tests/cases/targets.txt. */
#include "core/target.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/str.h"
#include "core/params.h"

enum { MAX_TARGET = 8192 };

static const char *const quote_remedy =
    "put a name or path with such characters in double quotes, \"so:\".t; see `tenon help targets`";

/* ---- Small pieces ---- */

static bool is_scheme_char(char c) { return isalnum((unsigned char)c) || c == '+' || c == '.' || c == '-'; }

/* The length of scheme in "scheme://", or 0. */
static size_t scheme_length(const char *text) {
  size_t n = 0;
  if (!isalpha((unsigned char)text[0])) return 0;
  while (is_scheme_char(text[n])) n++;
  return strncmp(text + n, "://", 3) == 0 ? n : 0;
}

/* A bare word before "::". */
static bool is_runtime(const char *text) {
  size_t n = 0;
  if (!isalpha((unsigned char)text[0])) return false;
  while (is_scheme_char(text[n]) || text[n] == '_') n++;
  return text[n] == ':' && text[n + 1] == ':';
}

static bool is_name(const char *text) {
  if (!isalpha((unsigned char)text[0]) && text[0] != '_') return false;
  for (; *text; text++)
    if (!isalnum((unsigned char)*text) && *text != '_' && *text != '-') return false;
  return true;
}

static bool is_bare(char c) {
  return isalnum((unsigned char)c) || (unsigned char)c >= 0x80 || strchr("_$-#@", c);
}

/* Behind the quoted piece that starts at text ("" stands for a quote), or NULL if it does not end. */
static const char *quoted_end(const char *text) {
  for (text++; *text; text++) {
    if (*text != '"') continue;
    if (text[1] != '"') return text + 1;
    text++;
  }
  return NULL;
}

static char *unquote(tn_arena *arena, const char *from, const char *end) {
  char *copy = tn_arena_alloc(arena, (size_t)(end - from));
  if (!copy) return NULL;
  size_t n = 0;
  for (const char *c = from + 1; c < end - 1; c++) {
    copy[n++] = *c;
    if (*c == '"') c++;
  }
  copy[n] = 0;
  return copy;
}

/* ---- The table behind the colon ---- */

static tenon_status bad_table(const char *why, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, quote_remedy, "target: %s", why);
}

/* One part of schema.table; *ret_end is behind it. */
static tenon_status parse_part(tn_arena *arena, const char *text, const char **ret, const char **ret_end, tenon_error *err) {
  const char *end = text;
  char *part;
  if (*text == '"') {
    end = quoted_end(text);
    if (!end) return bad_table("a double quote is not closed", err);
    part = unquote(arena, text, end);
  } else {
    while (*end && is_bare(*end)) end++;
    part = tn_arena_strndup(arena, text, (size_t)(end - text));
  }
  if (!part) return tn_no_memory(err);
  if (!*part) return bad_table(*end && *end != '.' ? "a character behind the colon that cannot stand in a bare table name"
                                                   : "a table's name is empty", err);
  *ret = part;
  *ret_end = end;
  return TENON_OK;
}

static tenon_status parse_table(tn_target *t, const char *text, tenon_error *err) {
  const char *first, *second = NULL, *end;
  tenon_status status = parse_part(&t->arena, text, &first, &end, err);
  if (!status && *end == '.') status = parse_part(&t->arena, end + 1, &second, &end, err);
  if (status) return status;
  if (*end == '.') return bad_table("at most schema.table can stand behind the colon", err);
  if (*end == ':') return bad_table("a second colon", err);
  if (*end) return bad_table("a character behind the colon that cannot stand in a bare table name", err);
  t->schema = second ? first : NULL;
  t->table = second ? second : first;
  return TENON_OK;
}

/* ---- Of connectors: also a file or pattern below the root ---- */

static const char key_signs[] = "/*?[{";

static bool is_key(const char *text) {
  const char *dot = strchr(text, '.');
  return !strpbrk(text, "\":") && (strpbrk(text, key_signs) || (dot && strchr(dot + 1, '.')));
}

static tenon_status parse_behind_name(tn_target *t, const char *text, tenon_error *err) {
  if (!is_key(text)) return parse_table(t, text, err);
  t->is_key = true;
  t->table = tn_arena_strdup(&t->arena, text);
  return t->table ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_target_refuse_key(const tn_target *t, tenon_error *err) {
  if (!t->is_key) return TENON_OK;
  return bad_table(strpbrk(t->table, key_signs) ? "a character behind the colon that cannot stand in a bare table name"
                                                : "at most schema.table can stand behind the colon", err);
}

/* ---- URLs ---- */

static bool is_port(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (!isdigit((unsigned char)text[i])) return false;
  return true;
}

static size_t last_at(const char *text, size_t size) {
  while (size > 0 && text[size] != '@') size--;
  return size;
}

/* Something:something else than a port, before the first / or ? at `size`: hardly host:port. */
static bool has_odd_port(const char *authority, size_t size) {
  size_t colon = strcspn(authority, ":");
  return colon < size && authority[0] != '[' && !memchr(authority, ',', size) &&
         !is_port(authority + colon + 1, size - colon - 1);
}

/* user:pass/word@host: the / ended the host part before the @ did. */
static bool is_cut_login(const char *authority) {
  size_t size = strcspn(authority, "/?");
  return has_odd_port(authority, size) && !memchr(authority, '@', size) && strchr(authority + size, '@');
}

/* The colon before a table: the last one outside of quotes behind the authority, which holds host:port. */
static const char *url_separator(const char *behind_scheme) {
  const char *c = behind_scheme + strcspn(behind_scheme, "/?"), *found = NULL;
  while (c && *c) {
    if (*c == ':') found = c;
    c = *c == '"' ? quoted_end(c) : c + 1;
  }
  return found;
}

static tenon_status parse_behind_url(tn_target *t, const char *url, const char *colon, tenon_error *err) {
  bool is_query = memchr(url, '?', (size_t)(colon - url)) != NULL;
  tenon_status status = parse_table(t, colon + 1, is_query ? NULL : err);
  if (!status || !is_query) return status;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "percent-encode what belongs to a value: : is %3A, / is %2F",
                    "target: a colon in the URL's query is the one before a table's name, which does not follow");
}

static tenon_status parse_url(tn_target *t, const char *text, size_t scheme, tenon_error *err) {
  const char *colon = url_separator(text + scheme + 3);
  if (colon && is_cut_login(text + scheme + 3))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "percent-encode user and password: / is %2F, ? is %3F, : is %3A, and so it is in $FILE:%2Fpath",
                      "target: the URL has a / or ? in its user or password, which ends the host part");
  size_t size = colon ? (size_t)(colon - text) : strlen(text);
  char *name = tn_arena_strndup(&t->arena, text, scheme);
  t->base = tn_arena_strndup(&t->arena, text, size);
  if (!t->base || !name) return tn_no_memory(err);
  for (char *c = name; *c; c++) *c = (char)tolower((unsigned char)*c);
  t->scheme = name;
  t->form = TN_TARGET_URL;
  return colon ? parse_behind_url(t, text, colon, err) : TENON_OK;
}

/* ---- Names and paths ---- */

static tenon_status parse_plain(tn_target *t, const char *text, tenon_error *err) {
  const char *end = text + strcspn(text, ":");
  bool is_quoted = *text == '"';
  if (is_quoted && !(end = quoted_end(text))) return bad_table("a double quote is not closed", err);
  t->base = is_quoted ? unquote(&t->arena, text, end) : tn_arena_strndup(&t->arena, text, (size_t)(end - text));
  if (!t->base) return tn_no_memory(err);
  if (!*t->base) return bad_table("it names nothing before the colon", err);
  if (*end && *end != ':') return bad_table("text behind the closing quote", err);
  t->form = !is_quoted && is_name(t->base) ? TN_TARGET_NAME : TN_TARGET_PATH;
  if (!*end) return TENON_OK;
  return t->form == TN_TARGET_NAME ? parse_behind_name(t, end + 1, err) : parse_table(t, end + 1, err);
}

static tenon_status parse(tn_target *t, const char *text, tenon_error *err) {
  if (!text || !*text)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a URL, a path, or a name from tenon.yaml", "target: it is empty");
  if (strlen(text) > MAX_TARGET)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL, "target: longer than %d bytes", MAX_TARGET);
  for (const char *c = text; *c; c++)
    if ((unsigned char)*c < 0x20 || *c == 0x7F)
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "in a URL, write it percent-encoded",
                        "target: a control character at byte %zu", (size_t)(c - text) + 1);
  size_t scheme = scheme_length(text);
  if (scheme) return parse_url(t, text, scheme, err);
  if (is_runtime(text))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG, "a path that begins so is written ./like::this in double quotes",
                      "target: runtime::entry is reserved for custom connectors, which this version does not run");
  return parse_plain(t, text, err);
}

tenon_status tn_target_parse(const char *text, tn_target *ret, tenon_error *err) {
  tn_target t = {0};
  tn_arena_init(&t.arena, 8 * MAX_TARGET);
  tenon_status status = parse(&t, text, err);
  if (status) tn_target_release(&t);
  else *ret = t;
  return status;
}

void tn_target_release(tn_target *t) { tn_arena_release(&t->arena); }

/* ---- Redaction ---- */

static bool is_secret_key(const char *key, size_t size) {
  static const char *const words[] = {"pass", "pwd", "secret", "token", "key", "credential", "signature", "sig"};
  char lower[64];
  if (size >= sizeof lower) return true;
  for (size_t i = 0; i < size; i++) lower[i] = (char)tolower((unsigned char)key[i]);
  lower[size] = 0;
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (strstr(lower, words[i])) return true;
  return false;
}

/* key=value pairs behind ? & ; or a space, wherever they stand: jdbc:postgresql://h/db?user=a;password=b */
static void redact_pairs(const char *text, tn_str *out) {
  while (*text) {
    size_t pair = strcspn(text, "?&; "), key = strcspn(text, "=?&; ");
    if (text[key] == '=' && is_secret_key(text, key)) {
      tn_str_add(out, text, key + 1);
      tn_str_puts(out, "***");
    } else {
      tn_str_add(out, text, pair);
    }
    if (text[pair]) tn_str_putc(out, text[pair++]);
    text += pair;
  }
}

/* Where nobody logs in by name, who wrote a user before the host wrote a key there. */
static bool has_users(const tn_registry *registry, const char *text, size_t scheme) {
  char kind[64];
  const tenon_provider *p;
  if (!registry || scheme >= sizeof kind) return true;
  for (size_t i = 0; i < scheme; i++) kind[i] = (char)tolower((unsigned char)text[i]);
  kind[scheme] = 0;
  return tn_registry_find(registry, kind, &p, NULL) == TENON_OK && (tn_param_find(p, "user") || tn_param_find(p, "username"));
}

/* user:password@, whatever the password has in it, and host:port whose port is none, since somebody
 * may have left out the host. Rather too much is hidden than too little. */
static size_t redact_authority(const char *text, bool has_users, tn_str *out) {
  size_t plain = strcspn(text, "/?"), end = last_at(text, strcspn(text, "?")), colon = strcspn(text, ":");
  bool is_odd = has_odd_port(text, plain);
  if (!end && is_odd) end = last_at(text, strlen(text));
  if (!end && !is_odd) return 0;
  bool hides_user = end && !has_users;
  if (!end) end = plain;
  if (colon >= end && !hides_user) return 0;
  if (!hides_user) tn_str_add(out, text, colon + 1);
  tn_str_puts(out, "***");
  return end;
}

/* What is almost a URL: scheme:user:password@host. A colon before an @ may stand before a password. */
static size_t redact_before_at(const char *text, tn_str *out) {
  size_t end = last_at(text, strlen(text)), colon = 0;
  for (size_t i = 0; i < end; i++)
    if (text[i] == ':') colon = i;
  if (!colon) return 0;
  tn_str_add(out, text, colon + 1);
  tn_str_puts(out, "***");
  return end;
}

char *tn_target_redacted(const char *text, const tn_registry *registry) {
  tn_str out;
  tn_str_init(&out, 4 * MAX_TARGET);
  size_t scheme = scheme_length(text);
  bool users = scheme && has_users(registry, text, scheme);
  if (scheme) tn_str_add(&out, text, scheme + 3);
  if (scheme) text += scheme + 3;
  text += scheme ? redact_authority(text, users, &out) : redact_before_at(text, &out);
  redact_pairs(text, &out);
  return tn_str_move(&out);
}
