/* SPDX-License-Identifier: Apache-2.0 */
#include "providers/storage/http/page.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/civil.h"
#include "base/error.h"
#include "base/json_text.h"
#include "base/mem.h"
#include "base/percent.h"
#include "providers/storage/http/html.h"

enum { MAX_TEXTS = 64 << 20, MAX_HREF = 4 * TN_WEB_MAX_NAME, MAX_TAIL = 256, MAX_FOLDER = 16 << 10 };

typedef struct reading {
  const char *url;
  tn_str folder;             /* its path, decoded */
  tn_str href, name, tail, title;
  size_t origin;             /* scheme://host:port of the URL has so many bytes */
  bool has_sign;             /* of an index page: a link to ../ (one to / is on every home page), or a JSON array */
  bool has_entry;            /* the last link's is the last entry */
  tn_web_page page;
} reading;

const char *tn_web_name_at(const tn_web_page *p, size_t i) { return p->texts.data + p->items[i].at; }

/* ---- Entries ---- */

static tenon_status too_much(const char *what, tenon_error *err) {
  return tenon_fail(err, TENON_LIMITED, TENON_STAGE_DATA, "name objects by their keys", "an index page has too %s", what);
}

static tenon_status add_entry(tn_web_page *p, const char *name, size_t size, bool is_folder, tenon_error *err) {
  if (p->count == TN_WEB_MAX_ENTRIES) return too_much("many entries", err);
  if (p->count == p->room) {
    size_t room = p->room ? 2 * p->room : 64;
    tn_web_entry *more = tn_resize(p->items, room * sizeof *more);
    if (!more) return tn_no_memory(err);
    p->items = more;
    p->room = room;
  }
  tn_web_entry *e = &p->items[p->count];
  *e = (tn_web_entry){.at = p->texts.size, .size = size + is_folder, .bytes = -1, .modified_us = INT64_MIN, .is_folder = is_folder};
  tn_str_add(&p->texts, name, size);
  if (is_folder) tn_str_putc(&p->texts, '/');
  if (p->texts.failed) return too_much("long names", err);
  p->count++;
  return TENON_OK;
}

/* One name below the folder; a slash behind it is a folder's. False: it is none, such as . and .. */
static bool is_child(const char *name, size_t *size, bool *ret_folder) {
  *ret_folder = *size > 0 && name[*size - 1] == '/';
  *size -= *ret_folder;
  if (*size == 0 || *size > TN_WEB_MAX_NAME || memchr(name, '/', *size) || memchr(name, 0, *size)) return false;
  return !(name[0] == '.' && (*size == 1 || (*size == 2 && name[1] == '.')));
}

/* ---- Links ---- */

/* A scheme and a colon before any slash. */
static bool has_scheme(const char *href, size_t size) {
  size_t n = strspn(href, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+.-");
  return n > 0 && n < size && href[n] == ':';
}

/* Takes away the origin that is the folder's own; false: it is another's, or no link to a page. */
static bool strip_origin(const reading *r, const char **href, size_t *size) {
  size_t skip = strncmp(*href, "//", 2) == 0 ? r->origin - (size_t)(strstr(r->url, "//") - r->url) : has_scheme(*href, *size) ? r->origin : 0;
  if (!skip) return true;
  if (*size <= skip || strncasecmp(*href, r->url + r->origin - skip, skip) != 0 || (*href)[skip] != '/') return false;
  *href += skip;
  *size -= skip;
  return true;
}

/* What a link points to as a name below the folder; false: elsewhere. An encoded slash makes no folder. */
static bool resolve(reading *r, const char *href, size_t size, const char **ret, size_t *ret_size) {
  if (memchr(href, '?', size) || !strip_origin(r, &href, &size)) return false;
  for (size_t i = 0; i + 2 < size; i++)
    if (href[i] == '%' && href[i + 1] == '2' && (href[i + 2] | 32) == 'f') return false;
  tn_str_clear(&r->name);
  if (!tn_percent_decode(&r->name, href, size)) return false;
  const char *name = tn_str_text(&r->name);
  size_t left = r->name.size;
  if (left && *name == '/') {
    if (left <= r->folder.size || memcmp(name, tn_str_text(&r->folder), r->folder.size) != 0) return false;
    name += r->folder.size;
    left -= r->folder.size;
  }
  if (left > 2 && memcmp(name, "./", 2) == 0) name += 2, left -= 2;
  if ((left == 2 && memcmp(name, "..", 2) == 0) || (left == 3 && memcmp(name, "../", 3) == 0)) r->has_sign = true;
  *ret = name;
  *ret_size = left;
  return true;
}

static tenon_status take_link(reading *r, const tn_html_token *t, tenon_error *err) {
  const char *name;
  size_t size;
  bool is_folder;
  tn_str_clear(&r->href);
  r->has_entry = false;
  r->href.failed = r->name.failed = false;
  if (!tn_html_attribute(t, "href", &r->href)) return TENON_OK;
  const char *href = tn_str_text(&r->href), *end = href + r->href.size;
  while (href < end && strchr(" \t\r\n\f", *href)) href++;
  while (end > href && strchr(" \t\r\n\f", end[-1])) end--;
  const char *fragment = memchr(href, '#', (size_t)(end - href));
  if (fragment) end = fragment;
  if (!resolve(r, href, (size_t)(end - href), &name, &size) || !is_child(name, &size, &is_folder)) return TENON_OK;
  r->has_entry = true;
  return add_entry(&r->page, name, size, is_folder, err);
}

/* ---- What stands behind a link: 21-Nov-2026 17:22   1234 ---- */

static size_t word(const char **at) {
  *at += strspn(*at, " \t\r\n");
  return strcspn(*at, " \t\r\n");
}

static bool is_like(const char *text, size_t size, const char *form) {
  if (strlen(form) != size) return false;
  for (size_t i = 0; i < size; i++) {
    bool digit = text[i] >= '0' && text[i] <= '9', letter = (text[i] | 32) >= 'a' && (text[i] | 32) <= 'z';
    if (form[i] == '0' ? !digit : form[i] == 'a' ? !letter : text[i] != form[i]) return false;
  }
  return true;
}

/* Digits alone are bytes, exactly; 1.2K is not. Times are of minutes and of zones that nobody says: not exact, so unknown. */
static void take_tail(reading *r) {
  const char *at = tn_str_text(&r->tail);
  size_t n = word(&at);
  bool dated = is_like(at, n, "00-aaa-0000") || is_like(at, n, "0000-00-00") || is_like(at, n, "0000-aaa-00");
  if (!r->has_entry || !dated) return;
  at += n;
  n = word(&at);
  if (!is_like(at, n, "00:00") && !is_like(at, n, "00:00:00")) return;
  at += n;
  n = word(&at);
  if (n > 0 && n < 19 && strspn(at, "0123456789") == n) r->page.items[r->page.count - 1].bytes = strtoll(at, NULL, 10);
}

/* ---- HTML ---- */

static bool has_prefix(const char *text, const char *prefix) { return strncasecmp(text, prefix, strlen(prefix)) == 0; }

static bool is_title(const tn_str *title) {
  const char *text = tn_str_text(title) + strspn(tn_str_text(title), " \t\r\n");
  return has_prefix(text, "Index of") || has_prefix(text, "Directory listing") || has_prefix(text, "Listing of");
}

static void add_text(tn_str *to, const tn_html_token *t) {
  size_t room = to->size < to->max - 64 ? to->max - 64 - to->size : 0;
  if (t->type == TN_HTML_TEXT) tn_html_decode(to, t->data, t->size < room ? t->size : room);
  else if (room) tn_str_putc(to, ' ');
}

static tenon_status read_html(reading *r, const char *text, size_t size, tenon_error *err) {
  tn_html h = {text, text + size};
  tn_html_token t;
  bool in_title = false, behind = false;
  tenon_status status = TENON_OK;
  while (!status && tn_html_next(&h, &t)) {
    bool start = t.type == TN_HTML_START, link = tn_html_is(&t, "a");
    if (tn_html_is(&t, "title")) in_title = start;
    if (in_title) add_text(&r->title, &t);
    if (start && link) {
      take_tail(r);
      tn_str_clear(&r->tail);
      status = take_link(r, &t, err);
      behind = false;
    } else if (link) {
      behind = true;
    } else if (behind) {
      add_text(&r->tail, &t);
    }
  }
  take_tail(r);
  return status;
}

/* ---- JSON: nginx has type, mtime, size; Caddy is_dir, mod_time, size ---- */

static bool member(tn_json_text object, const char *key, tn_json_type type, tn_json_text *ret) {
  return tn_json_text_get(object, key, strlen(key), ret) && tn_json_text_type(*ret) == type;
}

static bool member_is(tn_json_text object, const char *key, const char *wanted) {
  tn_json_text value;
  return member(object, key, TN_JSON_STRING, &value) && tn_json_text_is(value, wanted, strlen(wanted));
}

static int64_t time_of(tn_json_text o, tn_str *text) {
  tn_json_text value;
  int64_t us;
  tn_str_clear(text);
  if (member(o, "mtime", TN_JSON_STRING, &value) && tn_json_text_unquote(value, text) &&
      tn_parse_http_date(tn_str_text(text), text->size, &us))
    return us;
  tn_str_clear(text);
  if (member(o, "mod_time", TN_JSON_STRING, &value) && tn_json_text_unquote(value, text) &&
      tn_parse_timestamp(tn_str_text(text), text->size, true, &us))
    return us;
  return INT64_MIN;
}

static tenon_status take_json(reading *r, tn_json_text o, tenon_error *err) {
  tn_json_text name, type, is_dir, bytes;
  bool typed = member(o, "type", TN_JSON_STRING, &type), flagged = member(o, "is_dir", TN_JSON_BOOL, &is_dir), slash;
  if (!member(o, "name", TN_JSON_STRING, &name) || (!typed && !flagged))
    return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA, "check the URL", "%s has no index page, but another JSON document", r->url);
  bool is_folder = flagged ? tn_json_text_true(is_dir) : member_is(o, "type", "directory");
  tn_str_clear(&r->name);
  if (!tn_json_text_unquote(name, &r->name)) return TENON_OK;
  size_t size = r->name.size;
  if ((typed && !is_folder && !member_is(o, "type", "file")) || !is_child(tn_str_text(&r->name), &size, &slash)) return TENON_OK;
  tenon_status status = add_entry(&r->page, r->name.data, size, is_folder, err);
  if (status || is_folder) return status;
  tn_web_entry *e = &r->page.items[r->page.count - 1];
  int64_t n;
  if (member(o, "size", TN_JSON_INTEGER, &bytes) && tn_json_text_integer(bytes, &n) && n >= 0) e->bytes = n;
  e->modified_us = time_of(o, &r->tail);
  return TENON_OK;
}

static tenon_status read_json(reading *r, const char *text, size_t size, tenon_error *err) {
  tn_json_text root, item;
  tenon_status status = tn_json_text_check_bytes(text, size, &root, err);   /* nginx does not look into names */
  if (status) return status;
  tn_json_type type = tn_json_text_type(root);
  r->has_sign = type == TN_JSON_ARRAY || type == TN_JSON_NULL;
  if (type != TN_JSON_ARRAY) return TENON_OK;
  for (const char *cursor = NULL; !status && tn_json_text_next(root, &cursor, NULL, &item);) status = take_json(r, item, err);
  return status;
}

/* ---- In order ---- */

static int compare_names(const char *a, size_t a_size, const char *b, size_t b_size) {
  int order = memcmp(a, b, a_size < b_size ? a_size : b_size);
  return order ? order : (a_size > b_size) - (a_size < b_size);
}

static int compare(const void *a, const void *b, void *texts) {
  const tn_web_entry *x = a, *y = b;
  const char *text = texts;
  int order = compare_names(text + x->at, x->size, text + y->at, y->size);
  return order ? order : (x->at > y->at) - (x->at < y->at);
}

/* A page may have two links to an entry, an icon's and a name's. */
static void sort_and_unite(tn_web_page *p) {
  size_t kept = 0;
  if (p->count > 1) qsort_r(p->items, p->count, sizeof *p->items, compare, p->texts.data);
  for (size_t i = 0; i < p->count; i++) {
    tn_web_entry *last = kept ? &p->items[kept - 1] : NULL;
    const tn_web_entry *e = &p->items[i];
    bool same = last && compare_names(p->texts.data + last->at, last->size, p->texts.data + e->at, e->size) == 0;
    if (!same) p->items[kept++] = *e;
    else if (last->bytes < 0) last->bytes = e->bytes;
  }
  p->count = kept;
}

/* ---- All of it ---- */

static bool is_kind(const char *content_type, const char *wanted) {
  size_t n = strlen(wanted);
  return content_type && strncasecmp(content_type, wanted, n) == 0 && strchr("; \t", content_type[n]);
}

static bool begin(reading *r, const char *url) {
  const char *host = strstr(url, "://");
  const char *path = host ? strchr(host + 3, '/') : NULL;
  if (!path || url[strlen(url) - 1] != '/') return false;
  r->url = url;
  r->origin = (size_t)(path - url);
  return tn_percent_decode(&r->folder, path, strlen(path));
}

static tenon_status no_index(const char *url, tenon_error *err) {
  return tenon_fail(err, TENON_DATA, TENON_STAGE_DATA,
                    "name objects by their keys, or have the server write index pages (autoindex); `tenon get` needs none",
                    "%s has no index page: what it answers is something else", url);
}

static tenon_status read_page(reading *r, const char *content_type, const char *text, size_t size, tenon_error *err) {
  bool html = is_kind(content_type, "text/html") || is_kind(content_type, "application/xhtml+xml"), json = is_kind(content_type, "application/json");
  if (!html && !json) return no_index(r->url, err);
  tenon_status status = html ? read_html(r, text, size, err) : read_json(r, text, size, err);
  if (status) return status;
  if (!r->has_sign && !is_title(&r->title)) return no_index(r->url, err);
  sort_and_unite(&r->page);
  return TENON_OK;
}

tenon_status tn_web_page_read(const char *url, const char *content_type, const char *text, size_t size, tn_web_page *ret, tenon_error *err) {
  reading r = {0};
  tn_str_init(&r.folder, MAX_FOLDER);
  tn_str_init(&r.href, MAX_HREF);
  tn_str_init(&r.name, MAX_HREF);
  tn_str_init(&r.tail, MAX_TAIL);
  tn_str_init(&r.title, MAX_TAIL);
  tn_str_init(&r.page.texts, MAX_TEXTS);
  tenon_status status = begin(&r, url) ? read_page(&r, content_type, text, size, err) : no_index(url, err);
  tn_str_release(&r.folder);
  tn_str_release(&r.href);
  tn_str_release(&r.name);
  tn_str_release(&r.tail);
  tn_str_release(&r.title);
  if (status) tn_web_page_release(&r.page);
  else *ret = r.page;
  return status;
}

void tn_web_page_release(tn_web_page *p) {
  tn_str_release(&p->texts);
  tn_free(p->items);
  *p = (tn_web_page){0};
}
