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
#include "lib/destination.h"
#include "lib/handle.h"

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
static bool real_folder(const char *path, size_t size, char ret[PATH_MAX]) {
  char text[PATH_MAX];
  if (size >= sizeof text) return false;
  snprintf(text, sizeof text, "%.*s", size ? (int)size : 1, size ? path : ".");
  if (!realpath(text, ret) || strlen(ret) + 2 > PATH_MAX) return false;
  if (ret[strlen(ret) - 1] != '/') strcat(ret, "/");
  return true;
}

/* The destination as a key below the source's folder. */
static bool key_below(const char *from, size_t from_size, const char *to, char ret[2 * PATH_MAX]) {
  char root[PATH_MAX], folder[PATH_MAX];
  const char *slash = strrchr(to, '/'), *name = slash ? slash + 1 : to;
  if (!real_folder(from, from_size, root) || !real_folder(to, (size_t)(name - to), folder)) return false;
  size_t size = strlen(root);
  if (strncmp(root, folder, size) != 0) return false;
  snprintf(ret, 2 * PATH_MAX, "%s%s", folder + size, name);
  return true;
}

/* As a folder is read: everything below, but what is hidden. */
static bool is_hidden(const char *key) {
  for (const char *part = key; part; part = strchr(part, '/') ? strchr(part, '/') + 1 : NULL)
    if (*part == '.' || *part == '_') return true;
  return false;
}

tenon_status tn_destination_apart(const tn_destination *to, const tenon_session *from, tenon_error *err) {
  char key[2 * PATH_MAX];
  const tn_target *t = &from->target;
  const char *table = tenon_session_table(from).table;
  bool is_folder = !table && tn_provider_has(tenon_session_kind(from), "objects.get");
  if (!to->path || t->form != TN_TARGET_PATH || !(is_folder || (table && tn_pattern_is(table)))) return TENON_OK;
  if (!key_below(t->base, strlen(t->base) - (table ? strlen(table) : 0), to->path, key)) return TENON_OK;
  match m = {.key = key, .found = is_folder && !is_hidden(key) && tn_format_by_path(key, strlen(key))};
  if (!is_folder) (void)tn_pattern_expand(table, match_one, &m, NULL);
  if (!m.found) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "copy to another folder, or to a name that begins with _ or that the pattern does not mean",
                    "%s would be one of the files of %s: the next copy would read it", to->path, t->base);
}
