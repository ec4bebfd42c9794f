/* SPDX-License-Identifier: Apache-2.0 */
#include "net/xml.h"

#include <limits.h>
#include <pthread.h>
#include <string.h>

#include <expat.h>

#include "base/error.h"
#include "base/library.h"
#include "base/mem.h"

enum { SLICE = 64 * 1024, MAX_PATH = TN_XML_MAX_DEPTH * (TN_XML_MAX_NAME + 1) };

/* ---- The library ---- */

#define FUNCTIONS(F)                                                                              \
  F(XML_ParserCreate_MM) F(XML_ParserFree) F(XML_SetUserData) F(XML_SetElementHandler)             \
  F(XML_SetCharacterDataHandler) F(XML_SetDefaultHandlerExpand) F(XML_SetStartDoctypeDeclHandler) \
  F(XML_Parse) F(XML_StopParser) F(XML_GetErrorCode) F(XML_ErrorString)                           \
  F(XML_GetCurrentLineNumber) F(XML_GetCurrentColumnNumber)

static struct {
#define SLOT(name) __typeof__(&name) name;
  FUNCTIONS(SLOT)
#undef SLOT
} expat;

static const char *const symbols[] = {
#define NAME(name) #name,
    FUNCTIONS(NAME)
#undef NAME
};
enum { SYMBOLS = sizeof symbols / sizeof symbols[0] };
_Static_assert(sizeof expat == SYMBOLS * sizeof(void *), "one slot a function");

static tenon_status open_expat(tenon_error *err) {
  static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
  static const char *const names[] = {"libexpat.so.1", NULL};
  static bool done;
  void *slots[SYMBOLS];
  tenon_status status = TENON_OK;
  pthread_mutex_lock(&lock);
  if (!done) {
    status = tn_library_open(names, symbols, slots, SYMBOLS,
                             "install libexpat (Debian: apt-get install libexpat1)", err);
    if (!status) memcpy(&expat, slots, sizeof expat);
    done = status == TENON_OK;
  }
  pthread_mutex_unlock(&lock);
  return status;
}

/* ---- A document under way ---- */

struct tn_xml {
  XML_Parser parser;
  tn_xml_events events;
  int64_t left;               /* bytes that may still come */
  size_t quiet;               /* bytes that came since anything was understood of them */
  tenon_error why;            /* the failure that ended it */
  int depth;
  size_t path_ends[TN_XML_MAX_DEPTH], text_starts[TN_XML_MAX_DEPTH];
  char path[MAX_PATH];
  tn_str text;                /* of all open elements, one after the other */
};

static void stop(tn_xml *x) { expat.XML_StopParser(x->parser, XML_FALSE); }

/* What an event answered. */
static void heed(tn_xml *x, tenon_status status) {
  if (!status) return;
  tenon_fail(&x->why, status, TENON_STAGE_DATA, NULL, "XML of a reply cannot be used");
  stop(x);
}

static void refuse(tn_xml *x, tenon_status code, const char *what, int most) {
  tenon_fail(&x->why, code, TENON_STAGE_DATA, "check that this is the server you mean",
             "XML of a reply: line %lu: %s %d", expat.XML_GetCurrentLineNumber(x->parser), what,
             most);
  stop(x);
}

static const char *local_name(const char *name) {
  const char *colon = strrchr(name, ':');
  return colon && colon[1] ? colon + 1 : name;
}

static void XMLCALL on_start(void *arg, const XML_Char *name, const XML_Char **attributes) {
  tn_xml *x = arg;
  (void)attributes;
  x->quiet = 0;
  if (x->why.code) return;
  name = local_name(name);
  size_t n = strlen(name), at = x->depth ? x->path_ends[x->depth - 1] : 0;
  if (x->depth == TN_XML_MAX_DEPTH) {
    refuse(x, TENON_LIMITED, "elements are nested deeper than", TN_XML_MAX_DEPTH);
    return;
  }
  if (n > TN_XML_MAX_NAME) {
    refuse(x, TENON_LIMITED, "an element's name is longer than", TN_XML_MAX_NAME);
    return;
  }
  if (at) x->path[at++] = '/';
  memcpy(x->path + at, name, n + 1);
  x->path_ends[x->depth] = at + n;
  x->text_starts[x->depth] = x->text.size;
  x->depth++;
  if (x->events.start) heed(x, x->events.start(x->events.arg, x->path, &x->why));
}

static void XMLCALL on_end(void *arg, const XML_Char *name) {
  tn_xml *x = arg;
  (void)name;
  x->quiet = 0;
  if (x->why.code) return;
  size_t start = x->text_starts[x->depth - 1];
  const char *text = x->text.data ? x->text.data + start : "";
  if (x->events.end)
    heed(x, x->events.end(x->events.arg, x->path, text, x->text.size - start, &x->why));
  x->depth--;
  x->path[x->depth ? x->path_ends[x->depth - 1] : 0] = 0;
  x->text.size = start;
  if (x->text.data) x->text.data[start] = 0;
}

static void XMLCALL on_text(void *arg, const XML_Char *text, int size) {
  tn_xml *x = arg;
  x->quiet = 0;
  if (x->why.code || !x->depth) return;
  size_t have = x->text.size - x->text_starts[x->depth - 1];
  if ((size_t)size > TN_XML_MAX_TEXT - have) {
    refuse(x, TENON_LIMITED, "an element's text has more bytes than", TN_XML_MAX_TEXT);
  } else if (!tn_str_add(&x->text, text, (size_t)size)) {
    tn_no_memory(&x->why);
    stop(x);
  }
}

static void XMLCALL on_other(void *arg, const XML_Char *text, int size) {
  (void)text, (void)size;
  ((tn_xml *)arg)->quiet = 0;
}

static void XMLCALL on_doctype(void *arg, const XML_Char *name, const XML_Char *system,
                               const XML_Char *public, int internal) {
  tn_xml *x = arg;
  (void)name, (void)system, (void)public, (void)internal;
  tenon_fail(&x->why, TENON_DATA, TENON_STAGE_DATA, "check that this is the server you mean",
             "XML of a reply has a document type declaration, which is not read");
  stop(x);
}

/* ---- Its life ---- */

static void *take_memory(size_t size) { return tn_alloc(size); }
static void *resize_memory(void *p, size_t size) { return tn_resize(p, size); }

tenon_status tn_xml_new(const tn_xml_events *events, int64_t max_size, tn_xml **ret,
                        tenon_error *err) {
  static const XML_Memory_Handling_Suite memory = {take_memory, resize_memory, tn_free};
  tenon_status status = open_expat(err);
  if (status) return status;
  tn_xml *x = tn_alloc(sizeof *x);
  if (!x) return tn_no_memory(err);
  x->parser = expat.XML_ParserCreate_MM(NULL, &memory, NULL);
  if (!x->parser) {
    tn_free(x);
    return tn_no_memory(err);
  }
  x->events = *events;
  x->left = max_size;
  tn_error_init(&x->why);
  tn_str_init(&x->text, (size_t)TN_XML_MAX_DEPTH * TN_XML_MAX_TEXT);
  expat.XML_SetUserData(x->parser, x);
  expat.XML_SetElementHandler(x->parser, on_start, on_end);
  expat.XML_SetCharacterDataHandler(x->parser, on_text);
  expat.XML_SetDefaultHandlerExpand(x->parser, on_other);
  expat.XML_SetStartDoctypeDeclHandler(x->parser, on_doctype);
  *ret = x;
  return TENON_OK;
}

void tn_xml_free(tn_xml *x) {
  if (!x) return;
  expat.XML_ParserFree(x->parser);
  tn_str_release(&x->text);
  tn_free(x);
}

static tenon_status failed(const tn_xml *x, tenon_error *err) {
  if (err && !err->code) {
    uint32_t size = err->struct_size;
    *err = x->why;
    if (size) err->struct_size = size;
  }
  return x->why.code;
}

static void parse(tn_xml *x, const char *data, int size, bool is_last) {
  if (expat.XML_Parse(x->parser, data, size, is_last) == XML_STATUS_OK || x->why.code) return;
  enum XML_Error code = expat.XML_GetErrorCode(x->parser);
  if (code == XML_ERROR_NO_MEMORY) tn_no_memory(&x->why);
  else
    tenon_fail(&x->why, TENON_DATA, TENON_STAGE_DATA, "check that this is the server you mean",
               "a reply is not XML: line %lu, column %lu: %s",
               expat.XML_GetCurrentLineNumber(x->parser),
               expat.XML_GetCurrentColumnNumber(x->parser) + 1, expat.XML_ErrorString(code));
}

/* What is left unread of a tag is read again with each push: so it may not become long. */
static void push_slice(tn_xml *x, const char *data, size_t size) {
  x->quiet += size;
  x->left -= (int64_t)size;
  parse(x, data, (int)size, false);
  if (!x->why.code && x->quiet > TN_XML_MAX_MARKUP)
    refuse(x, TENON_LIMITED, "a tag or comment has more bytes than", TN_XML_MAX_MARKUP);
}

tenon_status tn_xml_push(tn_xml *x, const void *data, size_t size, tenon_error *err) {
  const char *at = data;
  if (!x->why.code && (x->left < 0 || size > (uint64_t)x->left))
    tenon_fail(&x->why, TENON_LIMITED, TENON_STAGE_DATA, "check that this is the server you mean",
               "XML of a reply is longer than it may be");
  while (size > 0 && !x->why.code) {
    size_t n = size < SLICE ? size : SLICE;
    push_slice(x, at, n);
    at += n;
    size -= n;
  }
  return x->why.code ? failed(x, err) : TENON_OK;
}

tenon_status tn_xml_finish(tn_xml *x, tenon_error *err) {
  if (!x->why.code) parse(x, "", 0, true);
  return x->why.code ? failed(x, err) : TENON_OK;
}

tenon_status tn_xml_read(const tn_xml_events *events, const void *data, size_t size,
                         tenon_error *err) {
  tn_xml *x;
  tenon_status status = tn_xml_new(events, size > INT64_MAX ? INT64_MAX : (int64_t)size, &x, err);
  if (status) return status;
  status = tn_xml_push(x, data, size, err);
  if (!status) status = tn_xml_finish(x, err);
  tn_xml_free(x);
  return status;
}

/* ---- Writing ---- */

static const char *entity_of(char c) {
  switch (c) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&apos;";
    case '\r': return "&#13;"; /* a reader makes these three into other white space */
    case '\n': return "&#10;";
    case '\t': return "&#9;";
    default: return NULL;
  }
}

/* U+FFFE and U+FFFF are no characters of XML. */
static bool is_no_character(const char *text, size_t left) {
  return left >= 3 && memcmp(text, "\xEF\xBF", 2) == 0 && (unsigned char)text[2] >= 0xBE;
}

bool tn_xml_escape(tn_str *out, const char *text, size_t size) {
  if (!tn_utf8_valid(text, size, NULL)) return false;
  for (size_t i = 0; i < size; i++) {
    const char *entity = entity_of(text[i]);
    if ((!entity && (unsigned char)text[i] < ' ') || is_no_character(text + i, size - i))
      return false;
    if (entity) tn_str_puts(out, entity);
    else tn_str_putc(out, text[i]);
  }
  return !out->failed;
}
