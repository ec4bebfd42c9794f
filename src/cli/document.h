/* SPDX-License-Identifier: Apache-2.0 */
/* One JSON document (docs/json.md), written while the answer is still coming. */
#ifndef TN_CLI_DOCUMENT_H
#define TN_CLI_DOCUMENT_H

#include <stdio.h>

#include "base/json.h"

typedef struct tn_document {
  FILE *out;
  tn_str text;            /* what has not been printed yet */
  tn_json_writer writer;
} tn_document;

/* Its storage must not move afterwards. */
void tn_document_init(tn_document *ret, FILE *out);
void tn_document_release(tn_document *);

/* key NULL: an element of an array, or the document itself. bracket is '{' or '['. */
void tn_document_open(tn_document *, const char *key, char bracket);
void tn_document_close(tn_document *);
void tn_document_close_to(tn_document *, int depth);
int tn_document_depth(const tn_document *);
void tn_document_text(tn_document *, const char *key, const char *text);      /* NULL: null */
void tn_document_integer(tn_document *, const char *key, int64_t n);
void tn_document_count(tn_document *, const char *key, int64_t n);            /* -1: null */
void tn_document_number(tn_document *, const char *key, double n);
void tn_document_bool(tn_document *, const char *key, bool b);
void tn_document_raw(tn_document *, const char *key, const char *json);       /* JSON already */
/* Ends the line. */
void tn_document_newline(tn_document *);
/* Prints what there is. False: not everything could be written. */
bool tn_document_flush(tn_document *);

#endif
