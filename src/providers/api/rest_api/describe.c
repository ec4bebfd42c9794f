/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON Schema of an endpoint's input: what its templates name, with what is declared of it. */
#include <string.h>

#include "base/error.h"
#include "base/json_schema.h"
#include "rest_api.h"

enum { MAX_VARIABLES = 200, MAX_SCHEMA = 1 << 20 };

typedef struct variable {
  char name[TN_REST_MAX_NAME + 1];
  size_t size;
  bool is_required; /* it stands somewhere without a ? */
  bool is_plain;    /* it stands within a text somewhere */
} variable;

typedef struct variables {
  variable items[MAX_VARIABLES];
  size_t count;
  const tn_rest *session;
  const tn_rest_endpoint *endpoint;
  bool in_text;
} variables;

static variable *find(variables *all, const char *name, size_t size) {
  for (size_t i = 0; i < all->count; i++)
    if (all->items[i].size == size && memcmp(all->items[i].name, name, size) == 0)
      return &all->items[i];
  return NULL;
}

static tenon_status found(void *arg, const tn_rest_piece *p, bool is_whole, tenon_error *err) {
  variables *all = arg;
  variable *v = find(all, p->text, p->size);
  if (!v && all->count == MAX_VARIABLES)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, NULL,
                      "endpoint %s: more than %d variables", all->endpoint->name, MAX_VARIABLES);
  if (!v) {
    v = &all->items[all->count++];
    *v = (variable){.size = p->size};
    memcpy(v->name, p->text, p->size);
  }
  v->is_required = v->is_required || !p->is_optional;
  v->is_plain = v->is_plain || all->in_text || !is_whole;
  return TENON_OK;
}

static tenon_status collect(variables *all, tenon_error *err) {
  const tn_rest_endpoint *e = all->endpoint;
  all->in_text = true;
  tenon_status status = tn_rest_walk(e->path, strlen(e->path), found, all, err);
  if (!status && e->xml) status = tn_rest_walk(e->xml, strlen(e->xml), found, all, err);
  if (!status && e->headers.data)
    status = tn_rest_walk_json(e->headers, "headers", found, all, err);
  all->in_text = false;
  if (!status && e->query.data) status = tn_rest_walk_json(e->query, "query", found, all, err);
  if (!status && e->body.data) status = tn_rest_walk_json(e->body, "body", found, all, err);
  return status;
}

/* ---- The schema ---- */

static bool is_fixed(const variables *all, const variable *v) {
  tn_json_text value;
  return tn_json_text_get(all->session->fixed, v->name, v->size, &value);
}

static bool is_of_pages(const variables *all, const variable *v) {
  const char *name = all->endpoint->paging.variable;
  return name && all->endpoint->paging.style && strcmp(name, v->name) == 0;
}

static bool declared(const variables *all, const variable *v, tn_json_text *ret) {
  return all->endpoint->input.data && tn_json_text_get(all->endpoint->input, v->name, v->size, ret);
}

static bool has_default(const variables *all, const variable *v) {
  tn_json_text value;
  return all->endpoint->defaults.data &&
         tn_json_text_get(all->endpoint->defaults, v->name, v->size, &value);
}

static void put_property(tn_str *out, const variables *all, const variable *v) {
  static const char plain[] = "{\"type\":[\"string\",\"number\",\"boolean\"]}";
  tn_json_text schema;
  tn_json_quote(out, v->name, v->size);
  tn_str_putc(out, ':');
  if (declared(all, v, &schema)) tn_str_add(out, schema.data, schema.size);
  else
    tn_str_puts(out, v->is_plain           ? plain
                     : is_of_pages(all, v) ? "{\"description\":\"which page\"}"
                                           : "{}");
}

static void put_schema(tn_str *out, const variables *all) {
  size_t n = 0;
  tn_str_puts(out, "{\"type\":\"object\",\"properties\":{");
  for (size_t i = 0; i < all->count; i++)
    if (!is_fixed(all, &all->items[i])) {
      if (n++) tn_str_putc(out, ',');
      put_property(out, all, &all->items[i]);
    }
  tn_str_puts(out, "},\"required\":[");
  n = 0;
  for (size_t i = 0; i < all->count; i++) {
    const variable *v = &all->items[i];
    if (!v->is_required || is_fixed(all, v) || has_default(all, v) || is_of_pages(all, v)) continue;
    if (n++) tn_str_putc(out, ',');
    tn_json_quote(out, v->name, v->size);
  }
  tn_str_puts(out, "],\"additionalProperties\":false}");
}

/* The defaults of what is declared, as one object. */
static tenon_status gather_defaults(tn_rest *s, tn_rest_endpoint *e, tenon_error *err) {
  tn_json_text name, schema, value;
  tn_str out;
  tn_str_init(&out, MAX_SCHEMA);
  tn_str_putc(&out, '{');
  for (const char *c = NULL; tn_json_text_next(e->input, &c, &name, &schema);) {
    if (!tn_json_text_get(schema, "default", 7, &value)) continue;
    if (out.size > 1) tn_str_putc(&out, ',');
    tn_str_add(&out, name.data, name.size);
    tn_str_putc(&out, ':');
    tn_str_add(&out, value.data, value.size);
  }
  tn_str_putc(&out, '}');
  const char *copy = out.failed ? NULL : tn_arena_strndup(&s->arena, out.data, out.size);
  e->defaults = (tn_json_text){copy, out.size};
  tn_str_release(&out);
  return copy ? TENON_OK : tn_no_memory(err);
}

/* A page that nothing asks for would be the first one again and again. */
static tenon_status check_page_variable(variables *all, tenon_error *err) {
  const tn_rest_pagination *g = &all->endpoint->paging;
  const char *name = g->style ? g->variable : NULL;
  if (!name) return TENON_OK;
  const variable *v = find(all, name, strlen(name));
  if (!v)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "put it where the service reads it, or name another as pagination.variable",
                      "endpoint %s: {{%s}}, the variable of its pagination, stands in no template",
                      all->endpoint->name, name);
  if (g->style == TN_REST_BY_CURSOR && v->is_required)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "write it with a question mark",
                      "endpoint %s: {{%s}} is not there on the first page: it has to be {{%s?}}",
                      all->endpoint->name, name, name);
  return TENON_OK;
}

/* What is declared and stands in no template would be taken and not sent. */
static tenon_status check_declared(variables *all, tenon_error *err) {
  tn_json_text name, schema;
  tn_str text;
  tenon_status status = TENON_OK;
  tn_str_init(&text, 1000);
  for (const char *c = NULL;
       !status && tn_json_text_next(all->endpoint->input, &c, &name, &schema);) {
    tn_str_clear(&text);
    if (!tn_json_text_unquote(name, &text) || !find(all, tn_str_text(&text), text.size))
      status =
          tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "use it as {{name}}, or leave it out",
                     "endpoint %s: input has %.64s, which stands in no template",
                     all->endpoint->name, tn_str_text(&text));
  }
  tn_str_release(&text);
  return status;
}

static tenon_status check_schema(const tn_rest_endpoint *e, const char *what, const char *schema,
                                 tenon_error *err) {
  tn_json_text root;
  tenon_error why = TENON_ERROR_INIT;
  if (!schema || !tn_json_schema_check(schema, strlen(schema), &root, &why)) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "docs/rest_api.md has the keywords that are checked", "endpoint %s: %s: %s",
                    e->name, what, why.message);
}

static tenon_status check_defaults(const tn_rest_endpoint *e, tenon_error *err) {
  tn_json_text name, schema, value;
  tenon_error why = TENON_ERROR_INIT;
  for (const char *c = NULL; tn_json_text_next(e->input, &c, &name, &schema);)
    if (tn_json_text_get(schema, "default", 7, &value) &&
        tn_json_schema_validate(schema, value, TENON_CONFIG, "it", &why))
      return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give another default",
                        "endpoint %s: the default of %.*s does not meet its schema: %s", e->name,
                        name.size > 80 ? 80 : (int)name.size, name.data, why.message);
  return TENON_OK;
}

static tenon_status make_schema(tn_rest *s, tn_rest_endpoint *e, const variables *all,
                                tenon_error *err) {
  tn_str out;
  tn_str_init(&out, MAX_SCHEMA);
  put_schema(&out, all);
  e->input_schema = out.failed ? NULL : tn_arena_strndup(&s->arena, out.data, out.size);
  tn_str_release(&out);
  if (!e->input_schema) return tn_no_memory(err);
  tenon_status status = check_schema(e, "input", e->input_schema, err);
  if (!status) status = check_defaults(e, err);
  return status ? status : check_schema(e, "output", e->output_schema, err);
}

tenon_status tn_rest_describe(tn_rest *s, tn_rest_endpoint *e, tenon_error *err) {
  variables *all = tn_alloc(sizeof *all);
  if (!all) return tn_no_memory(err);
  all->session = s;
  all->endpoint = e;
  tenon_status status = collect(all, err);
  if (!status) status = check_declared(all, err);
  if (!status) status = check_page_variable(all, err);
  if (!status) status = gather_defaults(s, e, err);
  if (!status) status = make_schema(s, e, all, err);
  tn_free(all);
  return status;
}
