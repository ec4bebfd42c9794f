/* SPDX-License-Identifier: Apache-2.0 */
/* The files that AWS's own tools keep keys in: sections of names and values. They are read as botocore reads them, and what
 * it would not take is refused. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "keys.h"

enum { MAX_FILE = 1 << 20, MAX_NAME = 256, MAX_PATH = 4096 };

typedef struct reading {
  const char *wanted;
  bool is_config_file, is_inside, is_found;
  bool has_keys, has_region; /* of the file above this one */
  bool has_value, is_ours;   /* the value before this line: there is one, and it is one of those below */
  size_t indent;
  int line;
  tn_s3_keys *keys;
  char *security_token;      /* the older name, which goes before the newer one */
  const char *elsewhere;     /* how the profile gets its keys, if not by having them */
  unsigned seen;             /* which of the names below were in the section */
} reading;

static tenon_status bad_line(const reading *r, const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "mend the file: a section is [name], a value name = value",
                    "line %d %s", r->line, what);
}

static void trim(const char **text, size_t *size) {
  while (*size && (**text == ' ' || **text == '\t')) ++*text, --*size;
  while (*size && strchr(" \t\r", (*text)[*size - 1])) --*size;
}

static bool is_text(const char *text, size_t size, const char *wanted) {
  return size == strlen(wanted) && strncasecmp(text, wanted, size) == 0;
}

/* ---- Sections ---- */

/* [profile dev], but in the file of keys [dev]; [default] in both. */
static bool names_profile(const reading *r, const char *name, size_t size) {
  static const char word[] = "profile";
  size_t n = strlen(r->wanted);
  bool is_default = size == n && memcmp(name, r->wanted, n) == 0 && strcmp(r->wanted, "default") == 0;
  if (is_default || !r->is_config_file) return size == n && memcmp(name, r->wanted, n) == 0;
  if (size <= sizeof word || memcmp(name, word, sizeof word - 1) != 0 || !strchr(" \t", name[sizeof word - 1])) return false;
  name += sizeof word - 1;
  size -= sizeof word - 1;
  trim(&name, &size);
  if (size >= 2 && (*name == '"' || *name == '\'') && name[size - 1] == *name) name++, size -= 2;
  return size == n && memcmp(name, r->wanted, n) == 0;
}

/* What is behind the bracket does not count. */
static tenon_status take_section(reading *r, const char *text, size_t size, tenon_error *err) {
  const char *end = memrchr(text, ']', size), *name = text + 1;
  if (!end || end == name) return bad_line(r, "begins a section that does not end", err);
  size = (size_t)(end - name);
  r->has_value = r->is_ours = false;
  trim(&name, &size);
  r->is_inside = names_profile(r, name, size);
  if (r->is_inside && r->is_found) return bad_line(r, "has the profile a second time", err);
  r->is_found |= r->is_inside;
  return TENON_OK;
}

/* ---- Values ---- */

static const char program[] = "credential_process";

static void forget(char *secret) {
  if (secret) tn_wipe(secret, strlen(secret));
  tn_free(secret);
}

static tenon_status keep(char **to, const char *value, size_t size, tenon_error *err) {
  char *copy = tn_strndup(value, size);
  if (!copy) return tn_no_memory(err);
  forget(*to);
  *to = copy;
  return TENON_OK;
}

static void note_elsewhere(reading *r, const char *name, size_t size) {
  static const char *const others[] = {"role_arn", "sso_session", "sso_account_id", "web_identity_token_file"};
  if (is_text(name, size, program) && !r->elsewhere) r->elsewhere = program;
  for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
    if (is_text(name, size, others[i])) r->elsewhere = others[i];
}

static tenon_status take_value(reading *r, const char *name, size_t name_size, const char *value, size_t size, tenon_error *err) {
  const struct { const char *name; char **to; bool is_above; } known[] = {
      {"aws_access_key_id", &r->keys->access_key_id, r->has_keys}, {"aws_secret_access_key", &r->keys->secret_access_key, r->has_keys},
      {"aws_session_token", &r->keys->session_token, r->has_keys}, {"aws_security_token", &r->security_token, r->has_keys},
      {"region", &r->keys->region, r->has_region}};
  note_elsewhere(r, name, name_size);
  for (unsigned i = 0; i < sizeof known / sizeof known[0]; i++) {
    if (!is_text(name, name_size, known[i].name)) continue;
    if (r->seen >> i & 1) return bad_line(r, "has a name a second time", err);
    if (!size) return bad_line(r, "has no value", err);
    r->seen |= 1u << i;
    r->is_ours = true;
    return known[i].is_above ? TENON_OK : keep(known[i].to, value, size, err);
  }
  return TENON_OK;
}

static const char *find_delimiter(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] == '=' || text[i] == ':') return text + i;
  return NULL;
}

/* A line that is indented more than the value before it belongs to that one. */
static tenon_status take_line(reading *r, const char *text, size_t size, tenon_error *err) {
  const char *begin = text;
  trim(&text, &size);
  if (!size || *text == '#' || *text == ';') return TENON_OK;
  size_t indent = (size_t)(text - begin);
  if (r->has_value && indent > r->indent)
    return r->is_ours ? bad_line(r, "goes on with a value that is one line", err) : TENON_OK;
  r->indent = indent;
  if (*text == '[') return take_section(r, text, size, err);
  const char *delimiter = find_delimiter(text, size);
  if (!delimiter || delimiter == text) return bad_line(r, "is no value", err);
  r->has_value = true;
  r->is_ours = false;
  if (!r->is_inside) return TENON_OK;
  size_t name_size = (size_t)(delimiter - text), value_size = size - name_size - 1;
  const char *value = delimiter + 1;
  trim(&text, &name_size);
  trim(&value, &value_size);
  return take_value(r, text, name_size, value, value_size, err);
}

static tenon_status read_lines(reading *r, const char *text, size_t size, tenon_error *err) {
  size_t bad;
  if (memchr(text, 0, size) || !tn_utf8_valid(text, size, &bad))
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "check that this is the file you mean", "it is not a text in UTF-8");
  tenon_status status = TENON_OK;
  for (const char *end = text + size; !status && text < end;) {
    const char *newline = memchr(text, '\n', (size_t)(end - text));
    size_t length = (size_t)((newline ? newline : end) - text);
    r->line++;
    status = take_line(r, text, length, err);
    text += length + 1;
  }
  return status;
}

/* Keys of the file above go before a program, not before a role. */
static bool is_elsewhere(const reading *r) {
  return r->elsewhere && (r->has_keys ? r->elsewhere != program : !r->keys->access_key_id);
}

tenon_status tn_s3_read_profile(const char *text, size_t size, const char *profile, bool is_config_file, tn_s3_keys *keys,
                                bool *ret_found, tenon_error *err) {
  reading r = {.wanted = profile, .is_config_file = is_config_file, .keys = keys,
               .has_keys = keys->access_key_id || keys->secret_access_key, .has_region = keys->region};
  tenon_status status = read_lines(&r, text, size, err);
  if (r.security_token) {
    forget(keys->session_token);
    keys->session_token = r.security_token;
  }
  if (status) return status;
  if (is_elsewhere(&r))
    return tenon_fail(err, TENON_UNSUPPORTED, TENON_STAGE_CONFIG,
                      "take keys with `aws configure export-credentials --format env` and use credentials=environment",
                      "the profile %s gets its keys by %s", profile, r.elsewhere);
  *ret_found |= r.is_found;
  return TENON_OK;
}

/* ---- Files ---- */

/* A file that is not there has no profiles. */
static tenon_status read_file(const char *path, const char *profile, bool is_config_file, tn_s3_keys *keys, bool *ret_found,
                              tenon_error *err) {
  char *text = NULL;
  size_t size = 0;
  tenon_error why = TENON_ERROR_INIT;
  if (access(path, F_OK) != 0 && errno == ENOENT) return TENON_OK;
  tenon_status status = tn_read_file(path, MAX_FILE, &text, &size, err);
  if (status) return status;
  status = tn_s3_read_profile(text, size, profile, is_config_file, keys, ret_found, &why);
  tn_wipe(text, size);
  tn_free(text);
  if (!status) return TENON_OK;
  tn_error_prefix(&why, "%s: ", path);
  return tn_pass_error(&why, err);
}

static const char *place(const char *given, const char *home, const char *name, char room[MAX_PATH]) {
  if (given && *given) return given;
  int n = snprintf(room, MAX_PATH, "%s/.aws/%s", home ? home : "", name);
  return home && *home && n > 0 && n < MAX_PATH ? room : NULL;
}

static tenon_status check_keys(const tn_s3_keys *keys, const char *profile, bool is_found, const char *where, tenon_error *err) {
  if (!is_found)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "check profile; `aws configure list-profiles` tells what there is",
                      "there is no profile %s in %s", profile, where);
  if (keys->access_key_id && keys->secret_access_key) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "add aws_access_key_id and aws_secret_access_key to it",
                    "the profile %s has not both keys", profile);
}

/* The file of keys is above the other one. */
tenon_status tn_s3_keys_of_profile(const tn_s3_config *c, tn_s3_keys *ret, tenon_error *err) {
  char keys_room[MAX_PATH], config_room[MAX_PATH];
  const char *profile = c->profile && *c->profile ? c->profile : "default";
  const char *keys_path = place(c->credentials_file, c->home, "credentials", keys_room);
  const char *config_path = place(c->config_file, c->home, "config", config_room);
  bool is_found = false;
  if (!keys_path || !config_path)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "set credentials_file and config_file",
                      "it is not known where the profiles are");
  tenon_status status = read_file(keys_path, profile, false, ret, &is_found, err);
  if (!status) status = read_file(config_path, profile, true, ret, &is_found, err);
  return status ? status : check_keys(ret, profile, is_found, keys_path, err);
}
