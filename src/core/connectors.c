/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file is read event by event into names, kinds and settings; nothing in it is resolved before
 * its connector is used. Scalars stay texts: their types come from the kind's parameter table.
 */
#include "core/connectors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <yaml.h>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/str.h"

enum { MAX_FILE = 4 << 20, MAX_CONNECTORS = 10000, MAX_ITEMS = 10000, MAX_VALUE = 1 << 20 };

static const char file_name[] = "tenon.yaml";

typedef struct entry {
  char *name, *kind;
  unsigned long line;
  tn_settings settings;
} entry;

struct tn_connectors {
  char *path, *folder;
  entry *entries;
  size_t count, capacity;
};

/* ---- Events ---- */

typedef struct reader {
  yaml_parser_t yaml;
  yaml_event_t event;     /* the present one */
  bool has_event;
  const char *path;
  tenon_error *err;
} reader;

static tenon_status at_line(reader *r, size_t line, const char *remedy, const char *what) {
  return tenon_fail(r->err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s: line %zu: %s", r->path, line + 1, what);
}

static tenon_status wrong(reader *r, const char *remedy, const char *what) {
  return at_line(r, r->event.start_mark.line, remedy, what);
}

static const char *scalar(const reader *r) { return (const char *)r->event.data.scalar.value; }

static tenon_status check_event(reader *r) {
  const yaml_event_t *e = &r->event;
  bool has_anchor = (e->type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
                    (e->type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor) ||
                    (e->type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor);
  if (has_anchor || e->type == YAML_ALIAS_EVENT) return wrong(r, "write the value out", "anchors and aliases are not taken");
  if (e->type != YAML_SCALAR_EVENT) return TENON_OK;
  if (strlen(scalar(r)) != e->data.scalar.length) return wrong(r, NULL, "a value with a NUL character");
  if (e->data.scalar.length > MAX_VALUE) return wrong(r, "put it into a file and write $FILE:PATH", "a value of more than 1 MiB");
  return TENON_OK;
}

static tenon_status next(reader *r) {
  if (r->has_event) yaml_event_delete(&r->event);
  r->has_event = yaml_parser_parse(&r->yaml, &r->event) != 0;
  if (!r->has_event)
    return at_line(r, r->yaml.problem_mark.line, "check the indentation and quote values with : or # in them",
                   r->yaml.problem ? r->yaml.problem : "not YAML");
  return check_event(r);
}

/* `null`, `~` and nothing are no value. */
static bool is_absent(const reader *r) {
  const char *text = scalar(r);
  bool is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  return is_plain && (!*text || strcmp(text, "~") == 0 || strcmp(text, "null") == 0);
}

/* ---- Values ---- */

static void put_scalar(const reader *r, tn_json_writer *w, int depth) {
  const char *text = scalar(r);
  bool is_plain = r->event.data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
  tn_json *v = NULL;
  bool is_json = depth > 1 && is_plain && *text != '{' && *text != '[' && *text != '"' && !tn_json_parse(text, strlen(text), &v, NULL);
  if (is_json) tn_json_put_raw(w, text);
  else if (depth > 1 && is_absent(r)) tn_json_put_null(w);
  else tn_json_put_string(w, text);
  if (is_json) tn_json_free(v);
}

static tenon_status read_members(reader *r, tn_json_writer *w, int depth);

static tenon_status read_member(reader *r, tn_json_writer *w, int depth) {
  if (r->event.type == YAML_SCALAR_EVENT) {
    put_scalar(r, w, depth);
    return TENON_OK;
  }
  if (depth == TN_JSON_MAX_DEPTH) return wrong(r, NULL, "a value is nested too deep");
  return read_members(r, w, depth + 1);
}

static tenon_status read_members(reader *r, tn_json_writer *w, int depth) {
  bool is_map = r->event.type == YAML_MAPPING_START_EVENT, is_key = is_map;
  tn_json_open(w, is_map ? '{' : '[');
  for (int n = 0;; n++) {
    tenon_status status = next(r);
    if (status) return status;
    if (r->event.type == YAML_MAPPING_END_EVENT || r->event.type == YAML_SEQUENCE_END_EVENT) break;
    if (n > MAX_ITEMS) return wrong(r, NULL, "more than 10,000 items");
    if (is_key && r->event.type != YAML_SCALAR_EVENT) return wrong(r, NULL, "a name is to be a single word");
    if (is_key) tn_json_key(w, scalar(r));
    else status = read_member(r, w, depth);
    if (status) return status;
    is_key = is_map && !is_key;
  }
  tn_json_close(w);
  return TENON_OK;
}

/*
 * A list or a map as JSON. What it holds itself is text, since parameters that are lists and maps hold
 * text; what is nested deeper can only be a parameter of JSON, and there plain numbers, true, false
 * and null are what JSON calls so, and all else, and whatever is quoted, is text.
 */
static tenon_status read_structured(reader *r, tn_str *out) {
  tn_json_writer w;
  tn_json_writer_init(&w, out);
  tenon_status status = read_members(r, &w, 1);
  return status ? status : out->failed ? tn_no_memory(r->err) : TENON_OK;
}

static tenon_status add_setting(reader *r, const tn_connectors *c, entry *e, const char *key) {
  tn_str text;
  tn_str_init(&text, 2 * MAX_VALUE);
  bool is_structured = r->event.type != YAML_SCALAR_EVENT;
  tenon_status status = TENON_OK;
  if (is_structured) status = read_structured(r, &text);
  else if (!tn_str_puts(&text, scalar(r))) status = tn_no_memory(r->err);
  const tn_setting setting = {.key = key, .value = tn_str_text(&text), .base = c->folder, .is_structured = is_structured};
  if (!status) status = tn_settings_add(&e->settings, &setting, r->err);
  tn_wipe(text.data, text.size);
  tn_str_release(&text);
  return status;
}

static tenon_status set_kind(reader *r, entry *e) {
  if (r->event.type != YAML_SCALAR_EVENT || is_absent(r)) return wrong(r, "write kind: postgresql", "kind is to be one word");
  e->kind = tn_strdup(scalar(r));
  return e->kind ? TENON_OK : tn_no_memory(r->err);
}

static bool has_setting(const entry *e, const char *key) {
  for (size_t i = 0; i < e->settings.count; i++)
    if (strcmp(e->settings.items[i].key, key) == 0) return true;
  return e->kind && strcmp("kind", key) == 0;
}

/* One `key: value` of a connector; the key is the present event. */
static tenon_status read_parameter(reader *r, const tn_connectors *c, entry *e) {
  if (r->event.type != YAML_SCALAR_EVENT) return wrong(r, NULL, "a parameter's name is to be a single word");
  char key[128];
  int n = snprintf(key, sizeof key, "%s", scalar(r));
  if (n <= 0 || (size_t)n >= sizeof key) return wrong(r, NULL, "a parameter's name is empty or too long");
  if (has_setting(e, key)) return wrong(r, "keep one of them", "this parameter stands here twice");
  tenon_status status = next(r);
  if (status) return status;
  if (strcmp(key, "kind") == 0) return set_kind(r, e);
  if (r->event.type == YAML_SCALAR_EVENT && is_absent(r)) return TENON_OK;
  return add_setting(r, c, e, key);
}

/* ---- Connectors ---- */

static bool is_connector_name(const char *name) {
  static const char rest[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789-";
  return *name && strlen(name) <= 64 && strchr(rest, *name) < rest + 53 && strspn(name, rest) == strlen(name);
}

static tenon_status new_entry(reader *r, tn_connectors *c, entry **ret) {
  if (r->event.type != YAML_SCALAR_EVENT || !is_connector_name(scalar(r)))
    return wrong(r, "letters, digits, _ and -, at most 64 of them", "that is not a connector's name");
  for (size_t i = 0; i < c->count; i++)
    if (strcmp(c->entries[i].name, scalar(r)) == 0) return wrong(r, "rename one of them", "a second connector of this name");
  if (c->count == MAX_CONNECTORS) return wrong(r, NULL, "more than 10,000 connectors");
  if (c->count == c->capacity) {
    size_t capacity = c->capacity ? 2 * c->capacity : 8;
    entry *entries = tn_resize(c->entries, capacity * sizeof *entries);
    if (!entries) return tn_no_memory(r->err);
    c->entries = entries;
    c->capacity = capacity;
  }
  entry *e = &c->entries[c->count];
  *e = (entry){.name = tn_strdup(scalar(r)), .line = r->event.start_mark.line};
  if (!e->name) return tn_no_memory(r->err);
  tn_settings_init(&e->settings);
  c->count++;
  *ret = e;
  return TENON_OK;
}

static tenon_status read_connector(reader *r, tn_connectors *c) {
  entry *e = NULL;
  tenon_status status = new_entry(r, c, &e);
  if (!status) status = next(r);
  if (status) return status;
  if (r->event.type != YAML_MAPPING_START_EVENT) return wrong(r, "below the name, indented: kind: postgresql", "a connector is to be a mapping of kind and parameters");
  for (;;) {
    if ((status = next(r))) return status;
    if (r->event.type == YAML_MAPPING_END_EVENT) break;
    if ((status = read_parameter(r, c, e))) return status;
  }
  if (!e->kind) return at_line(r, e->line, "add a line such as kind: postgresql (`tenon kinds` lists them)", "a connector without a kind");
  return TENON_OK;
}

static tenon_status read_connectors(reader *r, tn_connectors *c) {
  tenon_status status = next(r);
  if (status) return status;
  if (r->event.type == YAML_SCALAR_EVENT && is_absent(r)) return TENON_OK;
  if (r->event.type != YAML_MAPPING_START_EVENT) return wrong(r, "indent names below connectors:", "connectors is to be a mapping of names");
  for (;;) {
    if ((status = next(r))) return status;
    if (r->event.type == YAML_MAPPING_END_EVENT) return TENON_OK;
    if ((status = read_connector(r, c))) return status;
  }
}

static tenon_status read_top(reader *r, tn_connectors *c) {
  bool seen = false;
  for (;;) {
    tenon_status status = next(r);
    if (status) return status;
    if (r->event.type == YAML_MAPPING_END_EVENT) return TENON_OK;
    if (r->event.type != YAML_SCALAR_EVENT || strcmp(scalar(r), "connectors") != 0)
      return wrong(r, "begin the file with the line connectors:", "only `connectors` can stand at the top");
    if (seen) return wrong(r, "put all of them below one", "connectors stands here twice");
    seen = true;
    if ((status = read_connectors(r, c))) return status;
  }
}

static tenon_status read_document(reader *r, tn_connectors *c) {
  tenon_status status;
  do {
    if ((status = next(r))) return status;
  } while (r->event.type == YAML_STREAM_START_EVENT || r->event.type == YAML_DOCUMENT_START_EVENT);
  if (r->event.type == YAML_STREAM_END_EVENT) return TENON_OK; /* an empty file */
  if (r->event.type == YAML_SCALAR_EVENT && is_absent(r)) return TENON_OK;
  if (r->event.type != YAML_MAPPING_START_EVENT) return wrong(r, "begin the file with the line connectors:", "the file is to be a mapping");
  if ((status = read_top(r, c)) || (status = next(r)) || (status = next(r))) return status;
  return r->event.type == YAML_STREAM_END_EVENT ? TENON_OK : wrong(r, NULL, "a second document");
}

static tenon_status read_file(tn_connectors *c, tenon_error *err) {
  char *text = NULL;
  size_t size = 0;
  tenon_status status = tn_read_file(c->path, MAX_FILE, &text, &size, err);
  if (status) return status;
  reader r = {.path = c->path, .err = err};
  if (yaml_parser_initialize(&r.yaml)) {
    yaml_parser_set_input_string(&r.yaml, (const unsigned char *)text, size);
    yaml_parser_set_encoding(&r.yaml, YAML_UTF8_ENCODING);
    status = read_document(&r, c);
    if (r.has_event) yaml_event_delete(&r.event);
    yaml_parser_delete(&r.yaml);
  } else {
    status = tn_no_memory(err);
  }
  tn_wipe(text, size);
  tn_free(text);
  return status;
}

/* ---- Finding the file ---- */

/* The nearest tenon.yaml in the working directory or above it; NULL: none. */
static char *find_file(void) {
  char folder[PATH_MAX], path[PATH_MAX + sizeof file_name + 1];
  if (!getcwd(folder, sizeof folder)) return NULL;
  for (;;) {
    size_t n = strlen(folder);
    snprintf(path, sizeof path, "%s%s%s", folder, n > 1 ? "/" : "", file_name);
    if (access(path, F_OK) == 0) return tn_strdup(path);
    char *slash = strrchr(folder, '/');
    if (!slash || n <= 1) return NULL;
    slash[slash == folder ? 1 : 0] = 0;
  }
}

static char *folder_of(const char *path) {
  const char *slash = strrchr(path, '/');
  if (!slash) return tn_strdup(".");
  return tn_strndup(path, slash == path ? 1 : (size_t)(slash - path));
}

tenon_status tn_connectors_load(const char *path, tn_connectors **ret, tenon_error *err) {
  tn_connectors *c = tn_alloc(sizeof *c);
  if (!c) return tn_no_memory(err);
  c->path = path ? tn_strdup(path) : find_file();
  if (c->path) c->folder = folder_of(c->path);
  tenon_status status = TENON_OK;
  if (c->path ? !c->folder : path != NULL) status = tn_no_memory(err);
  else if (c->path) status = read_file(c, err);
  if (status) tn_connectors_free(c);
  else *ret = c;
  return status;
}

void tn_connectors_free(tn_connectors *c) {
  if (!c) return;
  for (size_t i = 0; i < c->count; i++) {
    tn_free(c->entries[i].name);
    tn_free(c->entries[i].kind);
    tn_settings_release(&c->entries[i].settings);
  }
  tn_free(c->entries);
  tn_free(c->folder);
  tn_free(c->path);
  tn_free(c);
}

/* ---- Asking ---- */

size_t tn_connectors_count(const tn_connectors *c) { return c->count; }
const char *tn_connectors_name(const tn_connectors *c, size_t i) { return c->entries[i].name; }
const char *tn_connectors_kind(const tn_connectors *c, size_t i) { return c->entries[i].kind; }
const char *tn_connectors_path(const tn_connectors *c) { return c->path; }

static tenon_status unknown(const tn_connectors *c, const char *name, tenon_error *err) {
  if (!c->path)
    return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, "write a tenon.yaml with it, give a URL, or ./NAME for a file",
                      "no connector %s: there is no tenon.yaml here or above", name);
  const char **names = tn_alloc_array(c->count + 1, sizeof *names);
  for (size_t i = 0; names && i < c->count; i++) names[i] = c->entries[i].name;
  const char *near = names ? tn_nearest(name, names, c->count) : NULL;
  tn_free(names);
  char remedy[256];
  if (near) snprintf(remedy, sizeof remedy, "did you mean %s? (a file is written ./%s)", near, name);
  else snprintf(remedy, sizeof remedy, "add it there, give a URL, or ./%s for a file", name);
  return tenon_fail(err, TENON_NOT_FOUND, TENON_STAGE_CONFIG, remedy, "no connector %s in %s", name, c->path);
}

tenon_status tn_connectors_get(const tn_connectors *c, const char *name, const char **ret_kind, tn_settings *ret,
                               tenon_error *err) {
  const entry *e = NULL;
  for (size_t i = 0; !e && i < c->count; i++)
    if (strcmp(c->entries[i].name, name) == 0) e = &c->entries[i];
  if (!e) return unknown(c, name, err);
  tn_settings copy;
  tn_settings_init(&copy);
  tenon_status status = TENON_OK;
  for (size_t i = 0; !status && i < e->settings.count; i++) status = tn_settings_add(&copy, &e->settings.items[i], err);
  if (status) {
    tn_settings_release(&copy);
    return status;
  }
  *ret_kind = e->kind;
  *ret = copy;
  return TENON_OK;
}
