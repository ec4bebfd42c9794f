/* SPDX-License-Identifier: Apache-2.0 */
/* What parameter tables say to people and to forms: help, JSON Schema, the pages of docs/kinds. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "core/ops.h"
#include "core/params.h"
#include "core/registry.h"

/* ---- Pieces that all three share ---- */

static const struct { uint32_t bit; const char *text; } trait_texts[] = {
    {TENON_QUERYABLE, "takes queries in its own language"},
    {TENON_POOLED, "sessions are pooled"},
    {TENON_SHARED, "one session serves many threads"},
    {TENON_OPAQUE_NET, "connects by a library of others (no egress check)"},
};

/* Min and max as a person would write them; nothing where there are none. */
static void add_range(const tenon_param *row, tn_str *out) {
  if (row->min >= row->max) return;
  const char *unit = row->type == TENON_PARAM_DURATION ? " ms" : row->type == TENON_PARAM_SIZE
      ? " bytes" : "";
  if (row->max == INT64_MAX) tn_str_printf(out, "at least %lld%s", (long long)row->min, unit);
  else tn_str_printf(out, "%lld to %lld%s", (long long)row->min, (long long)row->max, unit);
}

static void add_choices(const tenon_param *row, const char *separator, tn_str *out) {
  for (const char *const *c = row->choices; c && *c; c++)
    tn_str_printf(out, "%s%s", c == row->choices ? "" : separator, *c);
}

static void add_fact(tn_str *facts, const char *format, ...) TENON_PRINTF(2, 3);

static void add_fact(tn_str *facts, const char *format, ...) {
  char text[600];
  va_list args;
  va_start(args, format);
  vsnprintf(text, sizeof text, format, args);
  va_end(args);
  tn_str_printf(facts, "%s%s", facts->size ? "; " : "", text);
}

/* All about a value besides its help, in one line: "one of a, b; default a; with auth=password".
 * `facts` is empty before. */
static void add_facts(const tenon_param *row, tn_str *facts) {
  tn_str piece;
  tn_str_init(&piece, 500);
  add_choices(row, ", ", &piece);
  if (piece.size) add_fact(facts, "one of %s", tn_str_text(&piece));
  tn_str_clear(&piece);
  add_range(row, &piece);
  if (piece.size) add_fact(facts, "%s", tn_str_text(&piece));
  tn_str_release(&piece);
  if (row->default_value)
    add_fact(facts, "default %s", *row->default_value ? row->default_value : "empty");
  if (row->flags & TENON_REQUIRED) add_fact(facts, "required");
  if (row->when) add_fact(facts, "with %s", row->when);
  if (row->flags & TENON_SECRET) add_fact(facts, "secret");
  if (row->aliases) add_fact(facts, "also %s", row->aliases);
}

/* ---- Help ---- */

/* Words of text, broken before `width`, each further line set in by `indent`. `column` is where the
 * first line stands. */
static void add_wrapped(const char *text, int column, int indent, int width, tn_str *out) {
  while (*text) {
    size_t n = strcspn(text, " ");
    if (column > indent && column + 1 + (int)n > width) {
      tn_str_printf(out, "\n%*s", indent, "");
      column = indent;
    } else if (column > indent) {
      tn_str_putc(out, ' ');
      column++;
    }
    tn_str_add(out, text, n);
    column += (int)n;
    text += n;
    while (*text == ' ') text++;
  }
}

static void add_help_row(const tenon_param *row, int width, tn_str *out) {
  enum { INDENT = 28 };
  tn_str facts, line;
  tn_str_init(&facts, 2048);
  tn_str_init(&line, 4096);
  add_facts(row, &facts);
  tn_str_puts(&line, row->help);
  if (facts.size) tn_str_printf(&line, " (%s)", tn_str_text(&facts));
  tn_str_printf(out, "  %-16s %-8s ", row->key, tn_param_type_name(row->type));
  if (strlen(row->key) > 16 || strlen(tn_param_type_name(row->type)) > 8)
    tn_str_printf(out, "\n%*s", INDENT, "");
  add_wrapped(tn_str_text(&line), INDENT, INDENT, width, out);
  tn_str_putc(out, '\n');
  tn_str_release(&line);
  tn_str_release(&facts);
}

bool tn_params_help(const tenon_provider *p, int width, tn_str *out) {
  const char *group = NULL;
  tn_str_printf(out, "%s (%s", p->label, p->kind);
  for (const char *const *a = p->aliases; a && *a; a++) tn_str_printf(out, ", %s", *a);
  tn_str_puts(out, ")\n");
  add_wrapped(p->summary, 0, 0, width, out);
  tn_str_putc(out, '\n');
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    const char *own = row->group ? row->group : "Parameters";
    if (!group || strcmp(group, own) != 0) tn_str_printf(out, "\n%s\n", own);
    group = own;
    add_help_row(row, width < 60 ? 60 : width, out);
  }
  return !out->failed;
}

/* ---- JSON Schema ---- */

static void put_strings(tn_json_writer *w, const char *key, const char *const *items) {
  tn_json_key(w, key);
  tn_json_open(w, '[');
  for (; items && *items; items++) tn_json_put_string(w, *items);
  tn_json_close(w);
}

static void put_pair(tn_json_writer *w, const char *key, const char *value) {
  tn_json_key(w, key);
  tn_json_put_string(w, value);
}

static void put_flag(tn_json_writer *w, const char *key, bool value) {
  if (!value) return;
  tn_json_key(w, key);
  tn_json_put_bool(w, true);
}

static void put_range(tn_json_writer *w, const tenon_param *row) {
  if (row->min >= row->max) return;
  tn_json_key(w, "minimum");
  tn_json_put_integer(w, row->min);
  tn_json_key(w, "maximum");
  tn_json_put_integer(w, row->max);
}

static void put_text_items(tn_json_writer *w, const char *key) {
  tn_json_key(w, key);
  tn_json_open(w, '{');
  put_pair(w, "type", "string");
  tn_json_close(w);
}

static const char *json_type(tenon_param_type type) {
  switch (type) {
    case TENON_PARAM_INTEGER: return "integer";
    case TENON_PARAM_NUMBER: return "number";
    case TENON_PARAM_BOOLEAN: return "boolean";
    case TENON_PARAM_LIST: return "array";
    case TENON_PARAM_MAP: return "object";
    default: return "string";
  }
}

static void put_type(tn_json_writer *w, const tenon_param *row) {
  bool has_unit = row->type == TENON_PARAM_DURATION || row->type == TENON_PARAM_SIZE;
  if (has_unit) put_strings(w, "type", (const char *const[]){"string", "integer", NULL});
  else put_pair(w, "type", json_type(row->type));
  if (has_unit || row->type == TENON_PARAM_PATH)
    put_pair(w, "x-type", tn_param_type_name(row->type));
  if (row->type == TENON_PARAM_INTEGER || row->type == TENON_PARAM_NUMBER) put_range(w, row);
  if (row->flags & TENON_CHARACTER)
    put_pair(w, "pattern", "^([^\\n\\r\\u0080-\\uffff]|tab|\\\\t|none)?$");
  if (row->type == TENON_PARAM_ENUM) put_strings(w, "enum", row->choices);
  if (row->type == TENON_PARAM_LIST) put_text_items(w, "items");
  if (row->type == TENON_PARAM_MAP) put_text_items(w, "additionalProperties");
  if (row->type == TENON_PARAM_JSON) put_pair(w, "contentMediaType", "application/json");
  if (row->type == TENON_PARAM_FILE) put_pair(w, "contentMediaType", "application/octet-stream");
}

static void put_default(tn_json_writer *w, const tenon_param *row) {
  int64_t n;
  bool b;
  if (!row->default_value) return;
  tn_json_key(w, "default");
  if (row->type == TENON_PARAM_INTEGER && tn_parse_integer(row->default_value, &n))
    tn_json_put_integer(w, n);
  else if (row->type == TENON_PARAM_BOOLEAN && tn_parse_boolean(row->default_value, &b))
    tn_json_put_bool(w, b);
  else if (row->type == TENON_PARAM_NUMBER) tn_json_put_raw(w, row->default_value);
  else tn_json_put_string(w, row->default_value);
}

static void put_property(tn_json_writer *w, const tenon_param *row) {
  tn_json_key(w, row->key);
  tn_json_open(w, '{');
  put_pair(w, "title", row->label);
  put_pair(w, "description", row->help);
  put_type(w, row);
  if (row->type != TENON_PARAM_LIST && row->type != TENON_PARAM_MAP) put_default(w, row);
  if (row->flags & TENON_SECRET) put_pair(w, "format", "password");
  put_flag(w, "writeOnly", row->flags & TENON_SECRET);
  put_flag(w, "x-local", row->flags & TENON_LOCAL);
  put_flag(w, "x-advanced", row->flags & TENON_ADVANCED);
  if (row->group) put_pair(w, "x-group", row->group);
  if (row->when) put_pair(w, "x-when", row->when);
  if (row->env) put_pair(w, "x-env", row->env);
  if (row->aliases) put_pair(w, "x-aliases", row->aliases);
  tn_json_close(w);
}

static bool controls(const tenon_provider *p, const tenon_param *row) {
  for (size_t i = 0; i < tn_param_count(p); i++)
    if (tn_param_controller(p, tn_param_at(p, i)) == row) return true;
  return false;
}

/* One mode: this choice, what it requires, and what is not for it. A choice that is the default
 * holds also where the key is absent, which no other branch may. */
static void put_branch(tn_json_writer *w, const tenon_provider *p, const tenon_param *by,
                       const char *choice) {
  bool is_default = by->default_value && strcmp(by->default_value, choice) == 0;
  tn_json_open(w, '{');
  put_pair(w, "title", choice);
  tn_json_key(w, "properties");
  tn_json_open(w, '{');
  tn_json_key(w, by->key);
  tn_json_open(w, '{');
  tn_json_key(w, "const");
  if (by->type == TENON_PARAM_BOOLEAN) tn_json_put_raw(w, choice);
  else tn_json_put_string(w, choice);
  tn_json_close(w);
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    if (tn_param_controller(p, row) != by || tn_param_when_holds(row, choice)) continue;
    tn_json_key(w, row->key);
    tn_json_put_bool(w, false);
  }
  tn_json_close(w);
  tn_json_key(w, "required");
  tn_json_open(w, '[');
  if (!is_default) tn_json_put_string(w, by->key);
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    if (tn_param_controller(p, row) == by && row->flags & TENON_REQUIRED &&
        tn_param_when_holds(row, choice))
      tn_json_put_string(w, row->key);
  }
  tn_json_close(w);
  tn_json_close(w);
}

static void put_modes(tn_json_writer *w, const tenon_provider *p, const tenon_param *by) {
  static const char *const booleans[] = {"true", "false", NULL};
  const char *const *choices = by->type == TENON_PARAM_BOOLEAN ? booleans : by->choices;
  tn_json_open(w, '{');
  tn_json_key(w, "oneOf");
  tn_json_open(w, '[');
  for (; *choices; choices++) put_branch(w, p, by, *choices);
  tn_json_close(w);
  tn_json_close(w);
}

static void put_all_modes(tn_json_writer *w, const tenon_provider *p) {
  bool open = false;
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    if (!controls(p, row)) continue;
    if (!open) {
      tn_json_key(w, "allOf");
      tn_json_open(w, '[');
    }
    open = true;
    put_modes(w, p, row);
  }
  if (open) tn_json_close(w);
}

bool tn_params_json_schema(const tenon_provider *p, tn_str *out) {
  tn_json_writer w;
  tn_json_writer_init(&w, out);
  tn_json_open(&w, '{');
  put_pair(&w, "$schema", "https://json-schema.org/draft/2020-12/schema");
  put_pair(&w, "title", p->label);
  put_pair(&w, "description", p->summary);
  put_pair(&w, "type", "object");
  tn_json_key(&w, "properties");
  tn_json_open(&w, '{');
  for (size_t i = 0; i < tn_param_count(p); i++) put_property(&w, tn_param_at(p, i));
  tn_json_close(&w);
  tn_json_key(&w, "required");
  tn_json_open(&w, '[');
  for (size_t i = 0; i < tn_param_count(p); i++)
    if (tn_param_at(p, i)->flags & TENON_REQUIRED && !tn_param_at(p, i)->when)
      tn_json_put_string(&w, tn_param_at(p, i)->key);
  tn_json_close(&w);
  tn_json_key(&w, "additionalProperties");
  tn_json_put_bool(&w, false);
  put_all_modes(&w, p);
  tn_json_close(&w);
  return !out->failed;
}

/* ---- Pages ---- */

/* A cell of a table: the bar would end it. */
static void add_cell(const char *text, tn_str *out) {
  for (; *text; text++) {
    if (*text == '|') tn_str_putc(out, '\\');
    tn_str_putc(out, *text);
  }
}

static void add_markdown_row(const tenon_param *row, tn_str *out) {
  tn_str facts;
  tn_str_init(&facts, 2048);
  add_facts(row, &facts);
  tn_str_printf(out, "| `%s` | %s | ", row->key, tn_param_type_name(row->type));
  add_cell(row->help, out);
  tn_str_puts(out, " | ");
  add_cell(tn_str_text(&facts), out);
  tn_str_puts(out, " |\n");
  tn_str_release(&facts);
}

static void add_operations(const tenon_provider *p, tn_str *out) {
  tn_str_puts(out, "\n## Operations\n\n");
  for (int i = 0; i < TN_OP_COUNT; i++) {
    const char *name = tn_op_at((tn_op_id)i)->name;
    if (tn_provider_has(p, name)) tn_str_printf(out, "- `%s`\n", name);
  }
  for (size_t i = 0; i < sizeof trait_texts / sizeof trait_texts[0]; i++)
    if (p->traits & trait_texts[i].bit) tn_str_printf(out, "- %s\n", trait_texts[i].text);
}

bool tn_params_markdown(const tenon_provider *p, tn_str *out) {
  const char *group = NULL;
  tn_str_printf(out,
                "<!-- SPDX-License-Identifier: Apache-2.0 -->\n"
                "<!-- Generated from the kind's parameter table; do not edit. -->\n"
                     "# %s\n\n%s\n\nKind `%s`, category `%s`", p->label, p->summary, p->kind, p->category);
  for (const char *const *a = p->aliases; a && *a; a++)
    tn_str_printf(out, "%s`%s`", a == p->aliases ? ", also called " : ", ", *a);
  tn_str_puts(out, ".\n\n## Parameters\n");
  for (size_t i = 0; i < tn_param_count(p); i++) {
    const tenon_param *row = tn_param_at(p, i);
    const char *own = row->group ? row->group : "";
    if (!group || strcmp(group, own) != 0)
      tn_str_printf(out, "\n%s%s%s| key | type | meaning | values |\n|---|---|---|---|\n",
                    *own ? "### " : "", own, *own ? "\n\n" : "");
    group = own;
    add_markdown_row(row, out);
  }
  add_operations(p, out);
  return !out->failed;
}
