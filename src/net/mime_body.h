/* SPDX-License-Identifier: Apache-2.0 */
/* Bodies of messages in what every mail server hands on: ASCII in lines of at most 998 bytes. */
#ifndef TN_NET_MIME_BODY_H
#define TN_NET_MIME_BODY_H

#include "base/str.h"

/* Begun by every boundary that we write, and never part of an encoded body. */
#define TN_MIME_BOUNDARY "=_"

/* Content-Transfer-Encoding with the empty line behind it, and the text in whichever is the shortest:
 * 7bit where it can be, quoted-printable, base64. Its lines end with LF or CR LF. */
void tn_mime_put_body(tn_str *out, const char *text);
/* The same of bytes, in base64. */
void tn_mime_put_bytes(tn_str *out, const void *data, size_t size);

#endif
