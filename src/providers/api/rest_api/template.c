/* SPDX-License-Identifier: Apache-2.0 */
/* Sources: RFC 3986 (paths, queries), RFC 9110 §5.5 (header values), HTML (forms), XML 1.0 §2.2, §2.4. */
#include "template.h"

#include <string.h>

#include "base/error.h"
#include "base/mem.h"
#include "base/percent.h"
#include "tenon/provider.h"

static tenon_status refuse(tenon_error *err, const char *remedy, const char *where,
                           const char *why) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, remedy, "%s: %s", where, why);
}

/* ---- Pieces ---- */

static bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static const char *find_braces(const char *text, size_t size, char brace) {
  for (size_t i = 0; i + 1 < size; i++)
    if (text[i] == brace && text[i + 1] == brace) return text + i;
  return NULL;
}

static tenon_status bad_braces(tenon_error *err) {
  return tenon_fail(
      err, TENON_CONFIG, TENON_STAGE_CONFIG,
      "write {{name}} or {{name?}}, with letters, digits and _ (at most 64, no digit in front)",
      "{{ begins no variable");
}

/* What stands between the braces. */
static tenon_status take_name(const char *text, size_t size, tn_rest_piece *ret, tenon_error *err) {
  tn_rest_piece p = {.is_variable = true};
  while (size && *text == ' ') text++, size--;
  while (size && text[size - 1] == ' ') size--;
  p.is_optional = size && text[size - 1] == '?';
  size -= p.is_optional;
  bool ok = size > 0 && size <= TN_REST_MAX_NAME && is_letter(*text);
  for (size_t i = 0; ok && i < size; i++) ok = is_letter(text[i]) || is_digit(text[i]);
  if (!ok) return bad_braces(err);
  p.text = text;
  p.size = size;
  *ret = p;
  return TENON_OK;
}

tenon_status tn_rest_next_piece(const char *text, size_t size, size_t *at, tn_rest_piece *ret,
                                bool *ret_more, tenon_error *err) {
  const char *from = text + *at, *end = text + size;
  *ret_more = from < end;
  if (from == end) return TENON_OK;
  const char *open = find_braces(from, (size_t)(end - from), '{');
  if (open != from) {
    const char *to = open ? open : end;
    *ret = (tn_rest_piece){.text = from, .size = (size_t)(to - from)};
    *at = (size_t)(to - text);
    return TENON_OK;
  }
  const char *close = find_braces(open + 2, (size_t)(end - open) - 2, '}');
  if (!close) return bad_braces(err);
  tenon_status status = take_name(open + 2, (size_t)(close - open) - 2, ret, err);
  if (!status) *at = (size_t)(close - text) + 2;
  return status;
}

bool tn_rest_is_variable(const char *text, size_t size, tn_rest_piece *ret) {
  size_t at = 0;
  bool more;
  return !tn_rest_next_piece(text, size, &at, ret, &more, NULL) && more && ret->is_variable &&
         at == size;
}

tenon_status tn_rest_walk(const char *text, size_t size, tn_rest_found found, void *arg,
                          tenon_error *err) {
  tn_rest_piece p;
  bool more = true;
  for (size_t at = 0;;) {
    tenon_status status = tn_rest_next_piece(text, size, &at, &p, &more, err);
    if (!status && more && p.is_variable && found) status = found(arg, &p, false, err);
    if (status || !more) return status;
  }
}

/* ---- Names ---- */

static bool look_up(const tn_rest_scope *scope, const char *name, size_t size, bool with_null,
                    tn_json_text *ret) {
  tn_json_text value;
  for (size_t i = 0; i < scope->layer_count; i++)
    if (scope->layers[i].data && tn_json_text_get(scope->layers[i], name, size, &value) &&
        (with_null || tn_json_text_type(value) != TN_JSON_NULL)) {
      *ret = value;
      return true;
    }
  return false;
}

bool tn_rest_lookup(const tn_rest_scope *scope, const char *name, size_t size, tn_json_text *ret) {
  return look_up(scope, name, size, false, ret);
}

bool tn_rest_lookup_any(const tn_rest_scope *scope, const char *name, size_t size,
                        tn_json_text *ret) {
  return look_up(scope, name, size, true, ret);
}

static tenon_status missing(const tn_rest_piece *p, const char *where, tenon_error *err) {
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "give it with the input, or among the connector's variables",
                    "%s: the variable %.*s has no value", where, (int)p->size, p->text);
}

/* ---- Values by position ---- */

static bool put_form(tn_str *out, const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if (text[i] == ' ') tn_str_putc(out, '+');
    else tn_percent_encode(out, text + i, 1, false);
  return !out->failed;
}

static bool put_xml(tn_str *out, const char *text, size_t size) {
  static const char from[] = "&<>\"'\t\n\r";
  static const char *const to[] = {"&amp;", "&lt;", "&gt;",  "&quot;",
                                   "&#39;", "&#9;", "&#10;", "&#13;"};
  for (size_t i = 0; i < size; i++) {
    const char *special = text[i] ? strchr(from, text[i]) : NULL;
    if (special) tn_str_puts(out, to[special - from]);
    else tn_str_putc(out, text[i]);
  }
  return !out->failed;
}

/* Somewhere on the way to a file "/../" may be undone from its code. */
static bool has_dot_segment(const char *text, size_t size) {
  for (size_t from = 0, i = 0; i <= size; i++) {
    if (i < size && text[i] != '/' && text[i] != '\\') continue;
    size_t n = i - from;
    if ((n == 1 && text[from] == '.') || (n == 2 && text[from] == '.' && text[from + 1] == '.'))
      return true;
    from = i + 1;
  }
  return false;
}

static bool has_control(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++)
    if ((unsigned char)text[i] < 0x20 || text[i] == 0x7F) return true;
  return false;
}

/* Surrogates do not come from UTF-8 that was checked. */
static bool has_not_xml(const char *text, size_t size) {
  for (size_t i = 0; i < size; i++) {
    unsigned char c = (unsigned char)text[i];
    if (c < 0x20 && c != '\t' && c != '\n' && c != '\r') return true;
    if (c == 0xEF && i + 2 < size && (unsigned char)text[i + 1] == 0xBF &&
        (unsigned char)text[i + 2] >= 0xBE)
      return true;
  }
  return false;
}

/* NULL, or why the text cannot stand there. */
static const char *unfit(tn_rest_position position, const char *text, size_t size) {
  switch (position) {
    case TN_REST_PATH:
      if (has_control(text, size)) return "has a control character, which no path may have";
      return has_dot_segment(text, size) ? "has . or .. as a part, which would be another path"
                                         : NULL;
    case TN_REST_QUERY:
    case TN_REST_FORM: return memchr(text, 0, size) ? "has a NUL character" : NULL;
    case TN_REST_HEADER:
      if (has_control(text, size))
        return "has a line break or another control character, which no header may have";
      return NULL;
    case TN_REST_XML:
      return has_not_xml(text, size) ? "has a character that XML does not have" : NULL;
    default: return NULL;
  }
}

static bool put_escaped(tn_rest_position position, const char *text, size_t size, tn_str *out) {
  switch (position) {
    case TN_REST_PATH:
    case TN_REST_QUERY: return tn_percent_encode(out, text, size, false);
    case TN_REST_FORM: return put_form(out, text, size);
    case TN_REST_XML: return put_xml(out, text, size);
    default: return tn_str_add(out, text, size);
  }
}

static tenon_status put_text(const char *text, size_t size, tn_rest_position position,
                             const char *name, size_t name_size, const char *where, tn_str *out,
                             tenon_error *err) {
  const char *why = unfit(position, text, size);
  if (why)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give another value",
                      "%s: the value of %.*s %s", where, (int)name_size, name, why);
  return put_escaped(position, text, size, out) ? TENON_OK : tn_no_memory(err);
}

tenon_status tn_rest_put_value(tn_json_text value, tn_rest_position position, const char *name,
                               size_t name_size, const char *where, tn_str *out, tenon_error *err) {
  tn_json_type type = tn_json_text_type(value);
  if (type == TN_JSON_ARRAY || type == TN_JSON_OBJECT)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "give a text, a number, true or false",
                      "%s: the value of %.*s is %s, which cannot stand there", where,
                      (int)name_size, name, tn_json_type_name(type));
  if (type != TN_JSON_STRING)
    return put_text(value.data, value.size, position, name, name_size, where, out, err);
  tn_str said;
  tn_str_init(&said, value.size + 1);
  tenon_status status =
      tn_json_text_unquote(value, &said)
          ? put_text(tn_str_text(&said), said.size, position, name, name_size, where, out, err)
          : tn_no_memory(err);
  tn_wipe(said.data, said.size);
  tn_str_release(&said);
  return status;
}

static tenon_status put_piece(const tn_rest_piece *p, tn_rest_position position,
                              const tn_rest_scope *scope, const char *where, tn_str *out,
                              bool *ret_absent, tenon_error *err) {
  tn_json_text value;
  if (!p->is_variable) {
    bool encodes = position == TN_REST_QUERY || position == TN_REST_FORM;
    bool ok =
        encodes ? put_escaped(position, p->text, p->size, out) : tn_str_add(out, p->text, p->size);
    return ok ? TENON_OK : tn_no_memory(err);
  }
  if (tn_rest_lookup(scope, p->text, p->size, &value))
    return tn_rest_put_value(value, position, p->text, p->size, where, out, err);
  if (!p->is_optional) return missing(p, where, err);
  *ret_absent = true;
  return TENON_OK;
}

/* What is appended here goes away again. */
static void undo(tn_str *out, size_t size) {
  if (out->data) out->data[size] = 0;
  out->size = size;
}

static tenon_status render_plain(const char *text, size_t size, tn_rest_position position,
                                 const tn_rest_scope *scope, const char *where, tn_str *out,
                                 bool *ret_absent, tenon_error *err) {
  size_t before = out->size;
  tenon_status status = TENON_OK;
  tn_rest_piece p;
  bool more = true, absent = false;
  for (size_t at = 0; !status && more && !absent;) {
    status = tn_rest_next_piece(text, size, &at, &p, &more, err);
    if (!status && more) status = put_piece(&p, position, scope, where, out, &absent, err);
  }
  if (status || absent) undo(out, before);
  if (!status) *ret_absent = absent;
  return status;
}

/* ---- Paths ---- */

static bool is_path_char(const char *text, size_t size, size_t i) {
  unsigned char c = (unsigned char)text[i];
  if (c == '%')
    return i + 2 < size && tn_hex_digit(text[i + 1]) >= 0 && tn_hex_digit(text[i + 2]) >= 0;
  return tn_is_unreserved(c) || (c && strchr("/!$&'()*+,;=:@", c));
}

static tenon_status check_path_text(const tn_rest_piece *p, const char *where, tenon_error *err) {
  for (size_t i = 0; i < p->size; i++)
    if (!is_path_char(p->text, p->size, i))
      return refuse(err, "percent-encode it; parameters belong into `query`", where,
                    "the path has a character that no path has");
  return TENON_OK;
}

/* A segment as it will be: its text is known, and that of variables is put in plain. */
static tenon_status check_segment(const char *text, size_t size, const tn_rest_scope *scope,
                                  const char *where, tenon_error *err) {
  tn_str plain;
  bool absent = false;
  tn_str_init(&plain, TN_REST_MAX_TEMPLATE);
  tenon_status status = render_plain(text, size, TN_REST_TEXT, scope, where, &plain, &absent, err);
  if (!status && absent)
    status =
        refuse(err, "write {{name}}, and give it a value", where, "a part of the path is missing");
  if (!status && !plain.size && size)
    status = refuse(err, "give the variable a value that is not empty", where,
                    "a part of the path would be empty");
  if (!status && has_dot_segment(tn_str_text(&plain), plain.size))
    status = refuse(err, "give another value", where, "a part of the path would be . or ..");
  tn_str_release(&plain);
  return status;
}

static tenon_status render_path(const char *text, size_t size, const tn_rest_scope *scope,
                                const char *where, tn_str *out, tenon_error *err) {
  size_t from = 0;
  tenon_status status = TENON_OK;
  bool absent;
  for (size_t i = 0; i <= size && !status; i++) {
    if (i < size && text[i] != '/') continue;
    status = check_segment(text + from, i - from, scope, where, err);
    from = i + 1;
  }
  return status ? status : render_plain(text, size, TN_REST_PATH, scope, where, out, &absent, err);
}

tenon_status tn_rest_render(const char *text, size_t size, tn_rest_position position,
                            const tn_rest_scope *scope, const char *where, tn_str *out,
                            bool *ret_absent, tenon_error *err) {
  size_t before = out->size;
  if (position != TN_REST_PATH)
    return render_plain(text, size, position, scope, where, out, ret_absent, err);
  tenon_status status = render_path(text, size, scope, where, out, err);
  if (status) undo(out, before);
  else *ret_absent = false;
  return status;
}

/* ---- Places in XML ---- */

/* What stands where in a document, as far as it decides how a value is escaped. */
typedef enum xml_place {
  XML_TEXT = 0, XML_TAG, XML_SINGLE, XML_DOUBLE, XML_CDATA, XML_COMMENT, XML_OTHER
} xml_place;

static bool begins(const char *text, size_t size, const char *with) {
  size_t n = strlen(with);
  return size >= n && memcmp(text, with, n) == 0;
}

static xml_place opened(const char *text, size_t size) {
  if (begins(text, size, "<![CDATA[")) return XML_CDATA;
  if (begins(text, size, "<!--")) return XML_COMMENT;
  return begins(text, size, "<!") || begins(text, size, "<?") ? XML_OTHER : XML_TAG;
}

static xml_place after_character(xml_place at, const char *text, size_t size) {
  char c = *text;
  switch (at) {
    case XML_TEXT: return c == '<' ? opened(text, size) : XML_TEXT;
    case XML_TAG: return c == '>' ? XML_TEXT : c == '"' ? XML_DOUBLE : c == '\'' ? XML_SINGLE : at;
    case XML_SINGLE: return c == '\'' ? XML_TAG : at;
    case XML_DOUBLE: return c == '"' ? XML_TAG : at;
    case XML_CDATA: return begins(text, size, "]]>") ? XML_OTHER : at;
    case XML_COMMENT: return begins(text, size, "-->") ? XML_OTHER : at;
    default: return c == '>' ? XML_TEXT : at;
  }
}

/* NULL, or why no variable can stand there: escaping is for text and for quoted values alone. */
static const char *unfit_xml_place(xml_place at) {
  switch (at) {
    case XML_TEXT:
    case XML_SINGLE:
    case XML_DOUBLE: return NULL;
    case XML_TAG: return "a tag, outside the quotes of an attribute's value";
    case XML_CDATA: return "a CDATA section, where nothing can be escaped";
    case XML_COMMENT: return "a comment";
    default: return "a declaration";
  }
}

static tenon_status check_xml_place(const tn_rest_piece *p, xml_place *at, const char *where,
                                    tenon_error *err) {
  const char *why = p->is_variable ? unfit_xml_place(*at) : NULL;
  if (why)
    return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                      "put it between tags, or into quotes as an attribute's value",
                      "%s: {{%.*s}} stands in %s", where, (int)p->size, p->text, why);
  for (size_t i = 0; !p->is_variable && i < p->size; i++)
    *at = after_character(*at, p->text + i, p->size - i);
  return TENON_OK;
}

/* ---- Checking ---- */

static tenon_status check_piece(const tn_rest_piece *p, tn_rest_position position,
                                const char *where, tenon_error *err) {
  if (p->is_variable)
    return p->is_optional && position == TN_REST_PATH
               ? refuse(err, "write {{name}}, without the ?", where,
                        "a part of a path cannot be left out")
               : TENON_OK;
  if (position == TN_REST_PATH) return check_path_text(p, where, err);
  const char *why = unfit(position, p->text, p->size);
  return why ? tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG, "mend the text", "%s: it %s",
                          where, why)
             : TENON_OK;
}

static tenon_status check_path(const char *text, size_t size, const char *where, tenon_error *err) {
  if (!size || *text != '/' || (size > 1 && text[1] == '/'))
    return refuse(err, "write /things/{{id}}: what stands behind the base URL", where,
                  "a path begins with one slash");
  if (has_dot_segment(text, size))
    return refuse(err, "write the path out", where, "a path has no . and .. in it");
  return TENON_OK;
}

tenon_status tn_rest_check_template(const char *text, size_t size, tn_rest_position position,
                                    const char *where, tenon_error *err) {
  tenon_status status = TENON_OK;
  tn_rest_piece p;
  bool more = true;
  xml_place at_xml = XML_TEXT;
  if (size > TN_REST_MAX_TEMPLATE) return refuse(err, NULL, where, "a template is at most 1 MiB");
  if (position == TN_REST_PATH) status = check_path(text, size, where, err);
  for (size_t at = 0; !status && more;) {
    tenon_error why = TENON_ERROR_INIT;
    status = tn_rest_next_piece(text, size, &at, &p, &more, &why);
    if (status)
      return tenon_fail(err, status, TENON_STAGE_CONFIG, why.remedy, "%s: %s", where, why.message);
    if (more) status = check_piece(&p, position, where, err);
    if (!status && more && position == TN_REST_XML)
      status = check_xml_place(&p, &at_xml, where, err);
  }
  return status;
}

/* ---- JSON ---- */

static tenon_status render_value(tn_json_text t, const tn_rest_scope *scope, const char *where,
                                 tn_str *out, bool *ret_absent, tenon_error *err);

static tenon_status render_text(const char *text, size_t size, const tn_rest_scope *scope,
                                const char *where, tn_str *out, bool *ret_absent,
                                tenon_error *err) {
  tn_rest_piece p;
  tn_json_text value;
  tn_str plain;
  if (tn_rest_is_variable(text, size, &p)) {
    *ret_absent = false;
    if (tn_rest_lookup_any(scope, p.text, p.size, &value))
      return tn_str_add(out, value.data, value.size) ? TENON_OK : tn_no_memory(err);
    *ret_absent = p.is_optional;
    return p.is_optional ? TENON_OK : missing(&p, where, err);
  }
  tn_str_init(&plain, TN_JSON_MAX_SIZE);
  tenon_status status =
      render_plain(text, size, TN_REST_TEXT, scope, where, &plain, ret_absent, err);
  if (!status && !*ret_absent && !tn_json_quote(out, tn_str_text(&plain), plain.size))
    status = tn_no_memory(err);
  tn_str_release(&plain);
  return status;
}

static tenon_status render_string(tn_json_text t, const tn_rest_scope *scope, const char *where,
                                  tn_str *out, bool *ret_absent, tenon_error *err) {
  tn_str text;
  tn_str_init(&text, t.size + 1);
  tenon_status status =
      tn_json_text_unquote(t, &text)
          ? render_text(tn_str_text(&text), text.size, scope, where, out, ret_absent, err)
          : tn_no_memory(err);
  tn_str_release(&text);
  return status;
}

static tenon_status render_members(tn_json_text t, const tn_rest_scope *scope, const char *where,
                                   tn_str *out, tenon_error *err) {
  tn_json_text key, value;
  bool any = false;
  for (const char *c = NULL; tn_json_text_next(t, &c, &key, &value);) {
    size_t before = out->size;
    bool absent = false;
    if (any) tn_str_putc(out, ',');
    if (key.data) {
      tn_str_add(out, key.data, key.size);
      tn_str_putc(out, ':');
    }
    tenon_status status = render_value(value, scope, where, out, &absent, err);
    if (status) return status;
    if (absent) undo(out, before);
    else any = true;
  }
  return TENON_OK;
}

static tenon_status render_value(tn_json_text t, const tn_rest_scope *scope, const char *where,
                                 tn_str *out, bool *ret_absent, tenon_error *err) {
  tn_json_type type = tn_json_text_type(t);
  if (type == TN_JSON_STRING) return render_string(t, scope, where, out, ret_absent, err);
  if (type != TN_JSON_ARRAY && type != TN_JSON_OBJECT)
    return tn_str_add(out, t.data, t.size) ? TENON_OK : tn_no_memory(err);
  tn_str_putc(out, type == TN_JSON_ARRAY ? '[' : '{');
  tenon_status status = render_members(t, scope, where, out, err);
  tn_str_putc(out, type == TN_JSON_ARRAY ? ']' : '}');
  return status ? status : out->failed ? tn_no_memory(err) : TENON_OK;
}

tenon_status tn_rest_render_json(tn_json_text json, const tn_rest_scope *scope, const char *where,
                                 tn_str *out, tenon_error *err) {
  size_t before = out->size;
  bool absent = false;
  tenon_status status = render_value(json, scope, where, out, &absent, err);
  if (!status && absent)
    status =
        refuse(err, "write {{name}}, without the ?", where, "the whole body cannot be left out");
  if (status) undo(out, before);
  return status;
}

static tenon_status walk_string(tn_json_text t, const char *where, tn_rest_found found, void *arg,
                                tenon_error *err) {
  tn_str text;
  tn_rest_piece p;
  tn_str_init(&text, t.size + 1);
  tenon_status status = tn_json_text_unquote(t, &text) ? TENON_OK : tn_no_memory(err);
  const char *plain = tn_str_text(&text);
  if (!status) status = tn_rest_check_template(plain, text.size, TN_REST_TEXT, where, err);
  if (!status && found) {
    bool whole = tn_rest_is_variable(plain, text.size, &p);
    status = whole ? found(arg, &p, true, err) : tn_rest_walk(plain, text.size, found, arg, err);
  }
  tn_str_release(&text);
  return status;
}

tenon_status tn_rest_check_name(const char *name, size_t size, const char *where,
                                tenon_error *err) {
  if (!find_braces(name, size, '{')) return TENON_OK;
  return tenon_fail(err, TENON_CONFIG, TENON_STAGE_CONFIG,
                    "write the name out; variables stand in values",
                    "%s: the name %.*s has {{ in it, and names are no templates", where,
                    size > 100 ? 100 : (int)size, name);
}

tenon_status tn_rest_walk_json(tn_json_text t, const char *where, tn_rest_found found, void *arg,
                               tenon_error *err) {
  tn_json_text key, value;
  tenon_status status = TENON_OK;
  if (tn_json_text_type(t) == TN_JSON_STRING) return walk_string(t, where, found, arg, err);
  for (const char *c = NULL; !status && tn_json_text_next(t, &c, &key, &value);) {
    if (key.data) status = tn_rest_check_name(key.data, key.size, where, err);
    if (!status) status = tn_rest_walk_json(value, where, found, arg, err);
  }
  return status;
}
