/* SPDX-License-Identifier: Apache-2.0 */
/*
 * XML of replies, read as it comes: listings, errors. Everything is bounded, nothing is looked up: no
 * document type, so no entities but the five and characters by number. Namespaces are dropped. By
 * libexpat, which is opened when the first reply is read.
 */
#ifndef TN_NET_XML_H
#define TN_NET_XML_H

#include "base/str.h"
#include "tenon/provider.h"

typedef struct tn_xml tn_xml;

enum {
  TN_XML_MAX_DEPTH = 32,
  TN_XML_MAX_NAME = 128,
  TN_XML_MAX_TEXT = 64 * 1024,      /* of one element, without what is in elements within it */
  TN_XML_MAX_MARKUP = 128 * 1024    /* of one tag or comment */
};

/* path names the element and those around it: "ListBucketResult/Contents/Key". A failure ends the
 * reading. Either may be NULL. */
typedef struct tn_xml_events {
  void *arg;
  tenon_status (*start)(void *arg, const char *path, tenon_error *err);
  /* text: the element's own, as it stands there; with a NUL behind it, and none in it. */
  tenon_status (*end)(void *arg, const char *path, const char *text, size_t size, tenon_error *err);
} tn_xml_events;

/* A document of more than max_size bytes is LIMITED. UNSUPPORTED without libexpat. */
tenon_status tn_xml_new(const tn_xml_events *, int64_t max_size, tn_xml **ret, tenon_error *err);
void tn_xml_free(tn_xml *);   /* NULL is fine */

/* The next bytes, split anywhere. What is not XML is DATA, with line and column; too deep or too long is
 * LIMITED. After a failure every further call fails in the same way. */
tenon_status tn_xml_push(tn_xml *, const void *data, size_t size, tenon_error *err);
/* There is no more: the document has to be whole. */
tenon_status tn_xml_finish(tn_xml *, tenon_error *err);

/* All at once. */
tenon_status tn_xml_read(const tn_xml_events *, const void *data, size_t size, tenon_error *err);

/* A text as it stands between tags or in an attribute. False also for what no XML can say: control
 * characters, bytes that are not UTF-8. */
bool tn_xml_escape(tn_str *out, const char *text, size_t size);

#endif
