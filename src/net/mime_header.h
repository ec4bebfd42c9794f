/* SPDX-License-Identifier: Apache-2.0 */
/* Headers of messages, folded. Whether all of it fitted, out->failed says. */
#ifndef TN_NET_MIME_HEADER_H
#define TN_NET_MIME_HEADER_H

#include "base/str.h"
#include "tenon/facets/mail.h"

typedef struct tn_mime_header {
  tn_str *out;
  size_t column;           /* bytes of the line so far */
} tn_mime_header;

tn_mime_header tn_mime_header_begin(tn_str *out, const char *name);
void tn_mime_header_end(tn_mime_header *);

/* A word without spaces in it, behind a space. */
void tn_mime_put_word(tn_mime_header *, const char *text, size_t size);
/* Text for people. as_it_is: ASCII is never encoded, for headers that are not only for people. */
void tn_mime_put_text(tn_mime_header *, const char *text, bool as_it_is);
/* True: one of them has characters beyond ASCII in it. */
bool tn_mime_put_mailboxes(tn_mime_header *, const tenon_mailbox *, size_t count);
/* ; name="value", or in parts as RFC 2231 has them */
void tn_mime_put_parameter(tn_mime_header *, const char *name, const char *value);

#endif
