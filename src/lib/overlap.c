/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A copy into the files that it reads: logs/x*.csv into logs/xx.csv. The first run is right, and
 * every later one reads what the one before it wrote; so the first is refused. To replace the one
 * file that is read is fine.
 */
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "adapters/pattern.h"
#include "base/error.h"
#include "base/str.h"
#include "lib/destination.h"
#include "lib/handle.h"

enum { MAX_KEY = 64 << 10 };

typedef struct match {
  const char *key;
  bool found;
} match;

static tenon_status match_one(void *arg, const char *alternative, tenon_error *err) {
  match *m = arg;
  (void)err;
  m->found |= tn_pattern_matches(alternative, strlen(alternative), m->key, strlen(m->key));
  return TENON_OK;
}

/* The absolute name of the first `size` bytes of a path, with a slash at its end. */
static bool real_folder(const char *path, size_t size, char ret[PATH_MAX + 1]) {
  char text[PATH_MAX], real[PATH_MAX];
  if (size >= sizeof text) return false;
  snprintf(text, sizeof text, "%.*s", size ? (int)size : 1, size ? path : ".");
  if (!realpath(text, real)) return false;
  snprintf(ret, PATH_MAX + 1, "%s%s", real, strcmp(real, "/") == 0 ? "" : "/");
  return true;
}

/* The destination as a key below the source's folder. */
static bool key_below(const char *from, size_t from_size, const char *to, tn_str *ret) {
  char root[PATH_MAX + 1], folder[PATH_MAX + 1];
  const char *slash = strrchr(to, '/'), *name = slash ? slash + 1 : to;
  if (!real_folder(from, from_size, root) || !real_folder(to, (size_t)(name - to), folder)) return false;
  size_t size = strlen(root);
  return strncmp(root, folder, size) == 0 && tn_str_printf(ret, "%s%s", folder + size, name);
}

/* The destination's key where the source's are; false: it is somewhere else. */
static bool find_key(const tn_destination *to, const tenon_session *from, const char *table, tn_str *ret) {
  const tn_target *t = &from->target;
  if (to->session)
    return tn_session_connector(to->session->session) == tn_session_connector(from->session) &&
           tn_str_add(ret, to->key.data, to->key.size);
  return to->path && t->form == TN_TARGET_PATH && key_below(t->base, strlen(t->base) - strlen(table), to->path, ret);
}

/* As a folder is read: everything below, but what is hidden or has no format. */
static bool is_in_folder(const char *folder, const char *key) {
  size_t size = strlen(folder);
  if (strncmp(folder, key, size) != 0) return false;
  if (size && folder[size - 1] != '/' && key[size++] != '/') return false;
  for (const char *part = key + size; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
    if (*part == '.' || *part == '_') return false;
  return tn_format_by_path(key, strlen(key)) != NULL;
}

static bool is_meant(const char *table, const char *key) {
  match m = {.key = key};
  if (!tn_pattern_is(table)) return is_in_folder(table, key);
  (void)tn_pattern_expand(table, match_one, &m, NULL);
  return m.found;
}

tenon_status tn_destination_apart(const tn_destination *to, const tenon_session *from, tenon_error *err) {
  const tenon_read read = tn_lib_read(from, NULL);
  const char *table = read.name.table;
  tn_str key;
  if (!table || !tn_provider_has(tenon_session_kind(from), "objects.get")) return TENON_OK;
  tn_str_init(&key, MAX_KEY);
  tenon_status status = TENON_OK;
  if (find_key(to, from, table, &key) && is_meant(table, tn_str_text(&key)))
    status = tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                        "copy to another folder, or to a name that begins with _ or that the pattern does not mean",
                        "%s would be one of the files that are read: the next copy would read it", tn_str_text(&key));
  tn_str_release(&key);
  return status;
}
