/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages as they travel, of any UTF-8. Sources: RFC 5322 (headers), RFC 2045 and 2046 (parts), RFC
 * 2047 (words beyond ASCII), RFC 2231 (names of files), RFC 2387 (images within html), RFC 6532
 * (addresses beyond ASCII). Lines end with CR LF and have at most 998 bytes; all is ASCII but such
 * addresses.
 */
#ifndef TN_NET_MIME_H
#define TN_NET_MIME_H

#include "base/str.h"
#include "tenon/facets/mail.h"

typedef struct tn_mime {
  tn_str text;
  char id[260];            /* the Message-ID, without brackets */
  bool needs_utf8;         /* an address in it has characters beyond ASCII */
} tn_mime;

void tn_mime_init(tn_mime *);
void tn_mime_release(tn_mime *);

/* Writes a message that the core has checked over what was there. from is who sends it where it does
 * not say so itself. More than TENON_MAX_MAIL_SIZE is LIMITED. */
tenon_status tn_mime_write(const tenon_mail *, const tenon_mailbox *from, tn_mime *ret, tenon_error *err);

#endif
